"""Messages, files, reactions, threads and direct messages of a real discord.py bot."""

from __future__ import annotations

import io
from collections.abc import Callable

import discord
import pytest
from discord.ext import commands

from bot.playground import Playground
from bot.playground.permissions import Permission
from bot.playground.records import MessageFlag, MessageType

from .conftest import StartBot

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000002000000030802000000368849d6"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


def gallery(bot: commands.Bot) -> discord.TextChannel:
    """The bot's #gallery."""
    return next(channel for channel in bot.guilds[0].text_channels if channel.name == "gallery")


def png(name: str = "fox.png") -> discord.File:
    """A picture of 2x3 pixels."""
    return discord.File(io.BytesIO(_PNG), name)


async def test_the_bot_sees_its_server_with_channels_members_and_permissions(
    playground: Playground, start_bot: StartBot
) -> None:
    bot = await start_bot()
    (guild,) = bot.guilds
    assert [channel.name for channel in guild.text_channels] == ["gallery", "studio-talk"]
    assert guild.me.display_name == "Darkroom"
    ada = await guild.fetch_member(playground.user("Admin Ada").id)
    alice = await guild.fetch_member(playground.user("Alice").id)
    assert guild.owner_id == ada.id
    assert gallery(bot).permissions_for(guild.me).send_messages
    assert not gallery(bot).permissions_for(alice).manage_guild
    assert (await bot.application_info()).owner.id == ada.id
    assert [role.name for role in await guild.fetch_roles()] == ["@everyone", "Darkroom", "Admin"]


async def test_a_message_is_sent_edited_fetched_and_deleted(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    sent = await gallery(bot).send("one")
    await sent.edit(content="two", embed=discord.Embed(title="T"))
    (seen,) = alice.messages()
    assert (seen.content, seen.embeds[0]["title"]) == ("two", "T") and seen.edited
    assert (await gallery(bot).fetch_message(sent.id)).content == "two"
    await sent.delete()
    assert alice.messages() == []
    with pytest.raises(discord.NotFound) as gone:
        await gallery(bot).fetch_message(sent.id)
    assert gone.value.code == 10008


async def test_history_is_read_in_pages(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    sent = [await alice.send(str(number)) for number in range(130)]
    read = [message.id async for message in gallery(bot).history(limit=None)]
    assert read == [message.id for message in reversed(sent)]
    after = [message.id async for message in gallery(bot).history(limit=5, after=discord.Object(sent[9].id))]
    assert after == [message.id for message in sent[10:15]]


async def test_a_picture_in_an_embed_is_served_and_left_out_of_the_attachments(
    playground: Playground, start_bot: StartBot
) -> None:
    bot = await start_bot()
    embed = discord.Embed().set_image(url="attachment://fox.png")
    sent = await gallery(bot).send(embed=embed, file=png())
    assert sent.attachments == []
    image = sent.embeds[0].image
    assert image.url is not None and image.width == 2 and image.height == 3
    assert await bot.http.get_from_cdn(image.url) == _PNG
    kept = await sent.edit(content="text only")
    assert kept.embeds[0].image.url == image.url
    rewritten = await kept.edit(embed=kept.embeds[0])
    assert [item.filename for item in rewritten.attachments] == ["fox.png"]


async def test_an_edit_replaces_the_files_it_no_longer_lists(playground: Playground, start_bot: StartBot) -> None:
    bot = await start_bot()
    sent = await gallery(bot).send(files=[png("a.png"), png("b.png")])
    edited = await sent.edit(attachments=[sent.attachments[1], png("c d.png")])
    assert [item.filename for item in edited.attachments] == ["b.png", "c_d.png"]
    added = await edited.add_files(png("e.png"))
    assert [item.filename for item in added.attachments] == ["b.png", "c_d.png", "e.png"]


async def test_a_reply_refers_to_its_message_and_pings_its_author(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    question = await alice.send("why three cats?")
    found = await gallery(bot).fetch_message(question.id)
    await found.reply("because")
    answer = alice.messages()[-1]
    assert answer.type is MessageType.REPLY and answer.mentions == (alice.id,)
    assert alice.json(answer)["referenced_message"]["content"] == "why three cats?"
    await found.reply("quietly", mention_author=False)
    assert alice.messages()[-1].mentions == ()
    alice.delete(question)
    with pytest.raises(discord.HTTPException) as refused:
        await found.reply("too late")
    assert refused.value.code == 50035


async def test_the_text_of_guild_messages_needs_a_mention_without_the_content_intent(
    playground: Playground, start_bot: StartBot
) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    heard: list[str] = []
    bot.add_listener(_collect(heard), "on_message")
    assert bot.user is not None
    await alice.send("between us")
    await alice.send(f"<@{bot.user.id}> hello")
    await alice.send("in private", channel="dm")
    own = await gallery(bot).send("my own")
    await alice.send("an answer", reply_to=alice.messages()[-1])
    await playground.wait_for(lambda: len(heard) >= 5)
    assert heard == ["", f"<@{bot.user.id}> hello", "in private", own.content, "an answer"]


async def test_with_the_content_intent_every_text_arrives(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(intents=discord.Intents.all()), playground.user("Alice")
    heard: list[str] = []
    bot.add_listener(_collect(heard), "on_message")
    await alice.send("between us")
    await alice.send("again")
    await bot.wait_for("message", check=lambda message: message.content == "again", timeout=5)
    assert heard == ["between us", "again"]


def _collect(heard: list[str]) -> Callable[[discord.Message], object]:
    async def on_message(message: discord.Message) -> None:
        heard.append(message.content)

    return on_message


async def test_people_edit_and_delete_their_messages_and_the_bot_hears(
    playground: Playground, start_bot: StartBot
) -> None:
    bot, alice = await start_bot(intents=discord.Intents.all()), playground.user("Alice")
    message = await alice.send("first")
    await bot.wait_for("message", timeout=5)
    await alice.edit(message, "second")
    _, after = await bot.wait_for("message_edit", timeout=5)
    assert after.content == "second"
    alice.delete(message)
    assert (await bot.wait_for("message_delete", timeout=5)).id == message.id


async def test_reactions_go_both_ways(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    sent = await gallery(bot).send("nice?")
    await sent.add_reaction("👍")
    alice.react(alice.messages()[-1], "👍")
    reaction, user = await bot.wait_for("reaction_add", check=lambda _, user: user.id == alice.id, timeout=5)
    assert (str(reaction.emoji), reaction.count, user.id) == ("👍", 2, alice.id)
    assert {user.id async for user in reaction.users()} == {bot.application_id, alice.id}
    await sent.remove_reaction("👍", discord.Object(alice.id))
    await sent.clear_reactions()
    assert alice.messages()[-1].reactions == ()


async def test_typing_is_shown(playground: Playground, start_bot: StartBot) -> None:
    bot = await start_bot()
    shown: list[str] = []
    playground.world.listen(lambda event: shown.append(event.name))
    async with gallery(bot).typing():
        pass
    assert "TYPING_START" in shown


async def test_a_thread_starts_at_a_message_takes_messages_and_is_archived(
    playground: Playground, start_bot: StartBot
) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    sent = await gallery(bot).send("a picture")
    thread = await sent.create_thread(name="its story")
    assert thread.id == sent.id and alice.messages()[0].flags & MessageFlag.HAS_THREAD
    await thread.send("once upon a time")
    await alice.send("go on", channel="its story")
    assert [message.content for message in alice.messages("its story")] == ["once upon a time", "go on"]
    await thread.edit(archived=True)
    state = playground.world.channels[thread.id].thread
    assert state is not None and state.archived
    await alice.send("wake up", channel="its story")
    state = playground.world.channels[thread.id].thread
    assert state is not None and not state.archived


async def test_threads_start_without_a_message_public_or_private(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    public = await gallery(bot).create_thread(name="open", type=discord.ChannelType.public_thread)
    private = await gallery(bot).create_thread(name="closed", type=discord.ChannelType.private_thread)
    assert alice.messages()[-1].type is MessageType.THREAD_CREATED
    seen = {channel.id for channel in playground.actions.visible_channels(alice.id)}
    assert public.id in seen and private.id not in seen
    await private.add_user(discord.Object(alice.id))
    assert private.id in {channel.id for channel in playground.actions.visible_channels(alice.id)}


async def test_a_thread_that_a_person_starts_reaches_the_bot(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    alice.start_thread("mine", message=await alice.send("start here"))
    thread = await bot.wait_for("thread_create", timeout=5)
    assert thread.name == "mine"


async def test_the_bot_writes_a_direct_message_unless_the_person_refuses(
    playground: Playground, start_bot: StartBot
) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    user = await bot.fetch_user(alice.id)
    await user.send("only for you")
    assert [message.content for message in alice.messages("dm")] == ["only for you"]
    playground.change_user(alice, accepts_dms=False)
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("again")
    assert refused.value.code == 50007


async def test_a_channel_where_the_bot_may_not_write_refuses_it(playground: Playground, start_bot: StartBot) -> None:
    playground.add_channel("quiet", deny_bot=Permission.SEND_MESSAGES)
    hidden = playground.add_channel("hidden", deny_bot=Permission.VIEW_CHANNEL)
    bot = await start_bot()
    quiet = discord.utils.get(bot.guilds[0].text_channels, name="quiet")
    assert quiet is not None and not quiet.permissions_for(quiet.guild.me).send_messages
    with pytest.raises(discord.Forbidden) as refused:
        await quiet.send("hello?")
    assert refused.value.code == 50013
    with pytest.raises(discord.Forbidden) as unseen:
        await bot.http.get_message(hidden.id, 1)
    assert unseen.value.code == 50001


async def test_mentions_ping_only_whom_the_bot_allows(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    await gallery(bot).send(f"<@{alice.id}> @everyone")
    await gallery(bot).send(f"<@{alice.id}>", allowed_mentions=discord.AllowedMentions.none())
    loud, still = alice.messages()
    assert loud.mentions == (alice.id,) and not loud.mentions_everyone and still.mentions == ()


async def test_an_enforced_nonce_posts_once(playground: Playground, start_bot: StartBot) -> None:
    bot, alice = await start_bot(), playground.user("Alice")
    first = await gallery(bot).send("picture 7", nonce="delivery-7")
    again = await gallery(bot).send("picture 7", nonce="delivery-7")
    assert first.id == again.id and len(alice.messages()) == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"content": " "}, 50006),
        ({"content": "x" * 2001}, 50035),
        ({"embeds": [{"description": "x" * 3500}, {"description": "x" * 3500}]}, 50035),
        ({"embeds": [{"title": "x" * 257}]}, 50035),
        ({"content": "x", "components": [{"type": 1, "components": [
            {"type": 2, "style": 1, "label": "a", "custom_id": "same"},
            {"type": 2, "style": 1, "label": "b", "custom_id": "same"}]}]}, 50035),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, 50035),
        ({"content": "x", "flags": 1 << 15, "components": [{"type": 10, "content": "x"}]}, 50035),
    ],
)  # fmt: skip
async def test_a_body_that_discord_refuses_is_refused(
    playground: Playground, start_bot: StartBot, message: dict[str, object], code: int
) -> None:
    bot = await start_bot()
    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(
            discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=gallery(bot).id), json=message
        )
    assert (refused.value.status, refused.value.code) == (400, code)
