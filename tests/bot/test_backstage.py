"""The tour, what stands beneath a picture, final touches, and what is written into files; also after a restart."""

from __future__ import annotations

import dataclasses
import io

import pytest
from PIL import Image

from bot.cogs.metadata import card_of, look_into, picture_urls
from bot.marking import Choice, Marking
from generation.pictures.credentials import Signer, read_credentials
from tests.bot.conftest import Stage
from tests.bot.driving import Driver, Seen, finished, latest
from tests.bot.loopback_driver import loopback
from tests.certificates import write_chain
from tests.generation.support import owner

PAGES = ("1 Noise", "2 Words", "3 Steps", "4 Touches")


def as_seen_by(driver: Driver, person: str, message: Seen) -> Seen:
    return next(seen for seen in driver.messages(person) if seen.id == message.id)


async def test_how_opens_a_tour_for_the_presser_alone_whose_pages_turn_in_place(driver: Driver, stage: Stage) -> None:
    picture = await finished(driver, stage.worker, prompt="a red fox", seed=42)
    tour = await driver.click("bob", picture, "How?")
    assert tour is not None and tour.ephemeral and tour.buttons == PAGES
    assert "Backstage: the noise" in tour.text and "the seed, 42" in tour.text
    assert tour.pictures == ("backstage-1-1.png",)
    for number, (label, words) in enumerate(
        (("2 Words", "tokens"), ("3 Steps", "scheduler (DDIM)"), ("4 Touches", "nothing was upscaled")), 2
    ):
        assert await driver.click("bob", tour, label) is None
        turned = as_seen_by(driver, "bob", tour)
        assert words in turned.text and turned.pictures == (f"backstage-1-{number}.png",) and turned.files == ()
    assert latest(driver, picture) == picture, "the picture's own message stays as it was"
    await driver.restart()
    await driver.click("bob", tour, "1 Noise")
    assert "the seed, 42" in as_seen_by(driver, "bob", tour).text


async def test_backstage_opens_ones_newest_picture_and_no_stranger_can_name_it(driver: Driver, stage: Stage) -> None:
    await finished(driver, stage.worker, prompt="a red fox")
    tour = await driver.command("ann", "backstage")
    assert tour.ephemeral and "Picture 1 · page 1 of 4" in tour.text
    assert "no picture yet" in (await driver.command("bob", "backstage")).text
    assert "Only the person who asked" in (await driver.command("bob", "backstage", picture=1)).text
    assert "no longer there" in (await driver.command("ann", "backstage", picture=99)).text


async def test_strip_noisy_row_and_timelapse_gather_beneath_the_picture(driver: Driver, stage: Stage) -> None:
    picture = await finished(driver, stage.worker)
    await driver.click("bob", picture, "Timelapse")
    seen = latest(driver, picture)
    assert seen.pictures == ("darkroom-1.png", "timelapse.webp") and "Timelapse" not in seen.buttons
    await driver.click("bob", seen, "Strip")
    seen = latest(driver, picture)
    assert seen.pictures == ("darkroom-1.png", "strip.png", "timelapse.webp")
    await driver.restart()
    await driver.click("bob", seen, "Noisy row")
    seen = latest(driver, picture)
    assert seen.pictures == ("darkroom-1.png", "strip-noisy.png", "timelapse.webp") and seen.files == ()
    assert seen.buttons[:4] == ("Again", "How?", "Touch up", "Delete")


async def test_a_touch_is_done_and_taken_back_by_its_button_and_the_strip_stays(driver: Driver, stage: Stage) -> None:
    picture = await finished(driver, stage.worker)
    await driver.click("ann", picture, "Strip")
    await driver.click("ann", latest(driver, picture), "Touch up")
    seen = latest(driver, picture)
    assert seen.buttons == ("Artefact repair", "Edge smoothing", "Upscale", "Sharpen", "Done")
    await driver.restart()
    await driver.click("ann", seen, "Upscale")
    seen = latest(driver, picture)
    assert "Touched up after diffusion: upscale" in seen.text and "✓ Upscale" in seen.buttons
    assert seen.pictures == ("darkroom-1.png", "strip.png")
    await driver.click("ann", seen, "✓ Upscale")
    await driver.click("ann", latest(driver, picture), "Done")
    seen = latest(driver, picture)
    assert "Touched up" not in seen.text and "Again" in seen.buttons


async def test_touching_up_is_for_the_owner_alone(driver: Driver, stage: Stage) -> None:
    picture = await finished(driver, stage.worker)
    refusal = await driver.click("bob", picture, "Touch up")
    assert refusal is not None and refusal.ephemeral and "Only the person who asked" in refusal.text
    assert latest(driver, picture) == picture


async def test_a_touch_asked_for_with_the_picture_reaches_the_worker(driver: Driver, stage: Stage) -> None:
    await finished(driver, stage.worker, touch_up="sharpen")
    assert stage.worker.orders[-1].request.touches == ("sharpen",)
    await finished(driver, stage.worker, touch_up="everything")
    assert stage.worker.orders[-1].request.touches == ("repair", "smooth", "upscale", "sharpen")


async def test_what_is_written_into_files_is_each_persons_choice(driver: Driver, stage: Stage) -> None:
    assert "Prompt, seed and model in your files here: **written**" in (await driver.command("ann", "metadata")).text
    off = await driver.command("ann", "metadata", text="off")
    assert off.ephemeral and "**left out**" in off.text and "no certificate" in off.text
    assert "**left out**" in (await driver.command("ann", "metadata")).text
    assert "**written**" in (await driver.command("bob", "metadata")).text
    refusal = await driver.command("bob", "metadata", text="off", whose="this server")
    assert "may manage this server" in refusal.text
    assert "**written**" in (await driver.command("ann", "metadata", text="as usual")).text


async def test_the_person_counts_before_the_server_and_the_server_before_the_usual(stage: Stage) -> None:
    await stage.open()
    marking = Marking(stage.parts.database, None)
    ann = owner("Ann")
    await marking.set_for_guild("34", Choice(text=False))
    assert await marking.choice(ann, "34") == Choice(text=False, credentials=True)
    assert await marking.choice(ann, None) == Choice(text=True, credentials=True)
    await marking.set_for_person(ann, Choice(text=True, credentials=False))
    assert await marking.choice(ann, "34") == Choice(text=True, credentials=False)
    await marking.set_for_person(ann, Choice())
    assert await marking.choice(ann, "34") == Choice(text=False, credentials=True)
    await stage.close()


async def test_files_carry_what_is_wanted_and_inspect_reads_it_back(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await stage.open()
    stage.worker.by_itself = True
    request = stage.bot.settings.known_models
    from generation.request import make_request

    job = await stage.parts.studio.submit(make_request(request.default, prompt="a *red* fox", seed=7), owner("Ann"))
    await stage.stored(job.id)
    picture = await stage.parts.studio.picture_of(job.id)
    assert picture is not None
    content = picture.path.read_bytes()
    signer = Signer(*write_chain(tmp_path_factory.mktemp("chain")))
    marking = Marking(stage.parts.database, signer)
    marked = await marking.marked(picture, content, ".png", None)
    found = look_into("darkroom-1.png", marked)
    assert found.values["Prompt"] == "a *red* fox" and found.values["Seed"] == "7"
    card = card_of(found)
    assert "a \\*red\\* fox" in str(card.description), "nobody's prompt formats our card"
    assert "CFG scale: 2.2" in str(card.description)
    assert "Made with AI" in str(card.fields[0].value) and "Test Signer" in str(card.fields[0].value)
    await marking.set_for_person(picture.owner, Choice(text=False, credentials=False))
    assert await marking.marked(picture, content, ".png", None) == content
    smaller = io.BytesIO()
    Image.open(io.BytesIO(content)).save(smaller, "WEBP")
    await marking.set_for_person(picture.owner, Choice())
    webp = await marking.marked(picture, smaller.getvalue(), ".webp", None)
    assert read_credentials(webp, "image/webp") is not None
    damaged = dataclasses.replace(picture, id=2)
    assert await marking.marked(damaged, b"no picture", ".png", None) == b"no picture", "better than no delivery"
    await stage.close()


def test_only_discords_own_addresses_are_looked_into() -> None:
    import discord

    class Message:
        attachments = ()
        embeds = (
            discord.Embed().set_image(url="https://cdn.discordapp.com/attachments/1/2/darkroom-1.png?ex=1"),
            discord.Embed().set_image(url="http://169.254.169.254/latest/meta-data.png"),
            discord.Embed().set_image(url="https://example.org/a.png"),
        )

    urls = picture_urls(Message())  # type: ignore[arg-type]  # as far as it is looked at
    assert [url.name for url in urls] == ["darkroom-1.png"]


async def test_inspect_reads_back_from_discord_what_was_written_into_the_file(stage: Stage) -> None:
    """Over real sockets, the file from our own Discord's store."""
    async with loopback(stage) as driver:
        picture = await finished(driver, stage.worker, prompt="a red fox", seed=42)
        ann = driver.person("ann")
        message = next(item for item in ann.messages(driver.channel) if item.id == picture.id)
        answers = await driver._answers("ann", await ann.use_on_message("Inspect", message))
        seen = driver._seen(answers[0])
        assert seen.ephemeral and "darkroom-1.png" in seen.text and "Seed" in seen.text and "42" in seen.text
