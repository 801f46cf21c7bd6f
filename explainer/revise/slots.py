"""What each kind of change does to a draft. A handler returns False where its change does not fit after all.

Which words lead to which handler is `patterns`' business.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from explainer.revise.draft import Draft, end_with, find, put
from explainer.revise.phrases import (
    fit_article,
    is_noun_phrase,
    noun_phrases,
    participle,
    plural,
    singular,
    tidy,
    with_article,
)
from explainer.revise.words import (
    COLOUR,
    CONNECTORS,
    DEGREES,
    MOUNTS,
    NUMBER,
    NUMBERS,
    OPPOSITES,
    PRONOUN,
    RELATIONS,
    SEASONS,
    STYLES,
    THE,
    TIMES,
    WEATHER,
    WORN,
)

Handler = Callable[[Draft, re.Match[str]], bool]  # False: not this one after all


def back(draft: Draft, match: re.Match[str]) -> bool:
    first = re.search(r"\b(first|original|start|beginning)\b", match[0], re.IGNORECASE)
    draft.note("first" if first else "back", match[0])
    return True


def again(draft: Draft, match: re.Match[str]) -> bool:
    draft.note("again", match[0])
    return True


def remove_all(draft: Draft, match: re.Match[str]) -> bool:
    parts = re.split(r"\s*(?:,|\band\b|\bor\b)\s*", match["what"])
    done = [_remove(draft, part) for part in parts if part]
    return all(done)


def _remove(draft: Draft, words: str) -> bool:
    bare = re.sub(rf"^(?:{THE}|any |all |a |an )", "", words.strip(), flags=re.IGNORECASE)
    target = find(draft, bare)
    draft.note("remove", bare, place=target is not None)
    if target is None:
        draft.negatives.append(bare)
        for one in noun_phrases(draft.nlp, draft.prompt):  # it may be how something looks: "without the red"
            if described := re.search(
                rf"\b{re.escape(bare)}\s+", draft.prompt[one.start : one.head_start], re.IGNORECASE
            ):
                put(draft, one.start + described.start(), one.start + described.end(), "")
                break
        return True
    name = draft.prompt[target.head_start : target.end]
    start, end = target.start, target.end
    before = list(re.finditer(r"\w+|,", draft.prompt[:start]))
    while before and before[-1][0].lower() in CONNECTORS | {"the", "a", "an"}:
        start = before.pop().start()
    if not before:  # it was what the prompt began with: what joined the next thing to it goes too
        after = re.match(
            rf"[\s,]*(?:wearing|with|and|riding|holding|{RELATIONS})\s+", draft.prompt[end:], re.IGNORECASE
        )
        start, end = 0, end + (after.end() if after else 0)
    if name.lower() == "background" or (start == 0 and end >= len(draft.prompt)):
        draft.negatives += [] if name.lower() == "background" else [name]
        if start == 0 and end >= len(draft.prompt):
            draft.nothing_left = True
        else:
            put(draft, start, end, " ")
        return True
    put(draft, start, end, " ")
    draft.negatives.append(name)
    return True


def swap_places(draft: Draft, match: re.Match[str]) -> bool:
    there = [one for one in noun_phrases(draft.nlp, draft.prompt) if one.lemma != "background"]
    if len(there) < 2:
        return False
    one, other = there[0], there[1]
    a, b = draft.prompt[one.start : one.end], draft.prompt[other.start : other.end]
    draft.prompt = draft.prompt[: one.start] + b + draft.prompt[one.end : other.start] + a + draft.prompt[other.end :]
    draft.note("position", "swap")
    return True


def swap_named(draft: Draft, match: re.Match[str]) -> bool:
    return bool(find(draft, match["what"]) and find(draft, match["new"])) and swap_places(draft, match)


def replace(draft: Draft, match: re.Match[str]) -> bool:
    what, new = match.groupdict().get("what") or "it", match["new"].strip()
    if re.fullmatch(COLOUR, new, re.IGNORECASE):
        return _recolour_words(draft, what, new)
    if re.fullmatch(rf"(?:a |an )?(?:\w+ )?{STYLES}(?: (?:by|of|from|in) .+)?", new, re.IGNORECASE) and re.fullmatch(
        PRONOUN, what, re.IGNORECASE
    ):
        return set_style(draft, f"as {with_article(new)}")
    if re.fullmatch(TIMES, new, re.IGNORECASE) and re.fullmatch(PRONOUN, what, re.IGNORECASE):
        return _surround(draft, _time(new))
    if not is_noun_phrase(draft.nlp, new) and match.groupdict().get("sure") is None:
        return False
    target = find(draft, what)
    if target is None:
        return False
    worn = re.match(r"(.+?) (?:with|wearing) (.+)$", new, re.IGNORECASE)
    main, extra = (worn[1], worn[2]) if worn else (new, None)
    old = draft.prompt[target.start : target.end]
    put(draft, target.start, target.end, _reclothed(old, main))
    draft.negatives.append(target.head)
    draft.note("replace", new, place=True)
    if extra:
        _add_words(draft, extra)
    return True


def _reclothed(old: str, new: str) -> str:
    """The new thing with what was said of the old one and still holds: "a red fox", "cat" -> "a red cat"."""
    fresh = with_article(new)
    if len(re.sub(r"^(?:a|an|some) ", "", fresh).split()) > 1 or re.match(rf"{NUMBER} ", old, re.IGNORECASE):
        kept = re.match(rf"({NUMBER}) ", old, re.IGNORECASE)
        return f"{kept[1]} {plural(re.sub(r'^(?:a|an) ', '', fresh))}" if kept else fresh
    described = old.split()[:-1]
    if described and described[0].lower() in {"a", "an", "the"}:
        described = described[1:]
    bare = re.sub(r"^(?:a|an) ", "", fresh)
    return fit_article(f"a {' '.join([*described, bare])}") if fresh != bare else " ".join([*described, bare])


def recolour(draft: Draft, match: re.Match[str]) -> bool:
    return _recolour_words(draft, match.groupdict().get("what") or "it", match["colour"])


def _recolour_words(draft: Draft, what: str, colour: str) -> bool:
    colour = _plain_colour(colour)
    target = find(draft, what)
    if re.search(r"\bbackground\b", what, re.IGNORECASE):
        return _backdrop(draft, colour)
    if target is None:
        end_with(draft, f"with {with_article(f'{colour} ' + re.sub(rf'^{THE}', '', what, flags=re.IGNORECASE))}")
        draft.note("recolour", f"{colour} {what}", place=True)
        return True
    old = draft.prompt[target.start : target.end]
    without = re.sub(rf"\b{COLOUR}\s+", "", old, flags=re.IGNORECASE)
    words = without.split()
    put(draft, target.start, target.end, fit_article(" ".join([*words[:-1], colour, words[-1]])))
    draft.note("recolour", f"{colour} {target.head}", place=True)
    return True


def some_in_colour(draft: Draft, match: re.Match[str]) -> bool:
    colour = _plain_colour(match["colour"])
    if match["some"].lower() in {"both", "all", "everything"}:
        for one in reversed([one for one in noun_phrases(draft.nlp, draft.prompt) if one.lemma != "background"]):
            _recolour_words(draft, draft.prompt[one.start : one.end], colour)
        return True
    append(draft, f"{match['some'].lower()} of them {colour}")
    return True


def _plain_colour(word: str) -> str:
    low = word.lower().strip()
    stems = {"bluer": "blue", "redder": "red", "greener": "green", "pinker": "pink", "blacker": "black", "whiter": "white",
             "browner": "brown", "yellower": "yellow", "grayer": "gray", "greyer": "grey"}  # fmt: skip
    return stems.get(low, low)


def thing_in_colour(draft: Draft, match: re.Match[str]) -> bool:
    if find(draft, match["what"]) is None:
        return False
    return _recolour_words(draft, match["what"], match["colour"])


def background(draft: Draft, match: re.Match[str]) -> bool:
    return _backdrop(draft, match["colour"])


def _backdrop(draft: Draft, look: str) -> bool:
    look = _plain_colour(re.sub(r"^(?:a|an) ", "", look))
    draft.prompt = re.sub(
        r",?\s*(?:(?:on|with|against) )?(?:a |an |the )?(?:[\w-]+ )?background\b", "", draft.prompt, flags=re.IGNORECASE
    )
    end_with(draft, f"on {with_article(f'{look} background')}")
    draft.note("background", look)
    return True


def add(draft: Draft, match: re.Match[str]) -> bool:
    for part in re.split(r"\s*(?:,|\band\b)\s+(?=(?:a|an|some|two|three|the) )", match["new"]):
        _add_words(draft, part, with_=bool(match.groupdict().get("how")), wearer=match.groupdict().get("what"))
    return True


def _add_words(draft: Draft, new: str, *, with_: bool = False, wearer: str | None = None) -> bool:
    thing = with_article(re.sub(r"^(?:another|one more) ", "a second ", new.strip(), flags=re.IGNORECASE))
    head = re.split(r" (?:of|on|in|with) ", thing)[0].split()[-1].lower()
    target = find(draft, wearer or "it")
    beside = re.match(rf"(.+?) ({RELATIONS}) (?:the |its |his |her )?([\w -]+)$", thing, re.IGNORECASE)
    other = find(draft, beside[3]) if beside else None
    if draft.nothing_left:
        draft.prompt, draft.nothing_left = thing, False
    elif head in WORN and target is not None:
        at = target.end
        worn = re.match(
            r" wearing [\w -]+?(?= (?:on|riding|in|next|beside|above|below|under|with)\b|,|$)",
            draft.prompt[at:],
            re.IGNORECASE,
        )
        if worn:
            put(draft, at + worn.end(), at + worn.end(), f" and {thing}")
        else:
            put(draft, at, at, f" wearing {thing}")
    elif beside and other is not None:  # "a tree next to the house"
        put(draft, other.start, other.start, f"{with_article(beside[1])} {beside[2]} ")
    elif wearer and target is not None:
        put(draft, target.end, target.end, f" with {thing}")
    else:
        bare = re.match(rf"(?:a|an|some|{NUMBER}) ", thing, re.IGNORECASE) is None
        end_with(draft, f"{'with' if with_ or bare else 'and'} {thing}")
    draft.note("add", thing, place=True)
    return True


def _ride(draft: Draft, mount: str, verb: str = "riding") -> bool:
    """Another mount in place of the one that there is, or the first."""
    old = re.search(
        rf"\b(?:riding|on)(?: top of)? (?:an? |the )?(?:[\w-]+ )*?(?:{MOUNTS})\b", draft.prompt, re.IGNORECASE
    )
    if old is None:
        end_with(draft, f"{verb} {with_article(mount)}")
    else:
        draft.negatives.append(old[0].split()[-1])
        put(draft, old.start(), old.end(), f"{verb} {with_article(mount)}")
    draft.note("add", mount, place=True)
    return True


def doing(draft: Draft, match: re.Match[str]) -> bool:
    """ "lying on a sofa": behind the first thing."""
    if match["verb"].lower() == "riding" and match["rest"]:
        return _ride(draft, match["rest"].strip())
    target = find(draft, "it")
    if target is None or draft.nlp(match[0])[0].tag_ != "VBG":
        return False
    put(draft, target.end, target.end, f" {match[0]}")
    draft.note("add", match[0], place=True)
    return True


def do(draft: Draft, match: re.Match[str]) -> bool:
    """ "have him ride a horse", "make it gallop": the verb as a participle behind whom it is about."""
    verb = draft.nlp(f"to {match['verb']}")[-1]
    if verb.pos_ != "VERB":
        return False
    target = find(draft, match["what"])
    if target is None or match["verb"].lower() in {"be", "look", "have", "wear"} or match["verb"].lower() in DEGREES:
        return False
    if match["verb"].lower() == "ride" and match["rest"]:
        return _ride(draft, match["rest"].strip())
    put(draft, target.end, target.end, f" {participle(match['verb'].lower())}{match['rest'] or ''}")
    draft.note("add", match[0], place=True)
    return True


def surroundings(draft: Draft, match: re.Match[str]) -> bool:
    return _surround(draft, match["place"])


def _surround(draft: Draft, place: str) -> bool:
    """Where and when: a new time takes the place of the old one, a new ground that of the old ground."""
    place = re.sub(r"^(?:onto)\b", "on", place.strip())
    background = re.fullmatch(r"(?:on|with|against) (?:a |an |the )?(?P<look>[\w-]+) background", place, re.IGNORECASE)
    if background:
        return _backdrop(draft, background["look"])
    for kind in (rf"(?:at|during|in|by) (?:the )?{TIMES}", rf"in {SEASONS}", rf"in {WEATHER}"):
        if re.fullmatch(kind, place, re.IGNORECASE):
            draft.prompt = re.sub(rf",?\s*\b{kind}\b", "", draft.prompt, flags=re.IGNORECASE)
    mount = re.fullmatch(rf"on (?:top of )?(?P<mount>(?:an? |the )?(?:[\w-]+ )*?(?:{MOUNTS}))", place, re.IGNORECASE)
    if mount:
        return _ride(draft, mount["mount"], "on")
    words = place.split(" ", 1)
    if words[0].lower() in {"on", "in", "at", "under", "inside", "by", "near", "behind"} and len(words) == 2:
        ground = words[1]
        places = re.match(rf"(?:the |{TIMES}|{SEASONS}|space\b|front\b|top\b)", ground, re.IGNORECASE)
        place = f"{words[0]} {ground if places or ground[0].isupper() else with_article(ground)}"
    end_with(draft, place)
    draft.note("surroundings", place)
    return True


def time_of_day(draft: Draft, match: re.Match[str]) -> bool:
    return _surround(draft, _time(match["time"]))


def _time(word: str) -> str:
    low = re.sub(r"^(?:the )", "", word.lower().strip())
    if re.fullmatch(SEASONS, low):
        return f"in {low}"
    if low in {"day", "daytime", "day time"}:
        return "during the day"
    if low in {"morning", "evening", "afternoon"}:
        return f"in the {low}"
    return f"at {low.replace('night time', 'night').replace('nighttime', 'night')}"


def raining(draft: Draft, match: re.Match[str]) -> bool:
    return _surround(draft, "in the rain" if match["weather"].lower().startswith("rain") else "in the snow")


def mood(draft: Draft, match: re.Match[str]) -> bool:
    return describe(draft, "it", match["mood"])


def restyle(draft: Draft, match: re.Match[str]) -> bool:
    return set_style(draft, match["style"])


def look_like(draft: Draft, match: re.Match[str]) -> bool:
    look = match["look"].strip()
    bare = re.sub(r"^(?:a|an|the) ", "", look, flags=re.IGNORECASE)
    if re.fullmatch(TIMES, bare, re.IGNORECASE) or re.fullmatch(SEASONS, bare, re.IGNORECASE):
        return _surround(draft, _time(bare))
    return set_style(draft, f"like {look}")


def set_style(draft: Draft, style: str) -> bool:
    draft.prompt = re.sub(
        rf",\s*(?:as|like|in) (?:an? |the )?(?:style of [\w ]+|[\w ]+ style|{STYLES})(?=,|$)",
        "",
        draft.prompt,
        flags=re.IGNORECASE,
    )
    draft.prompt = f"{draft.prompt}, {style.strip()}"
    draft.note("restyle", style)
    return True


def set_count(draft: Draft, match: re.Match[str]) -> bool:
    written = match["number"].lower()
    many = int(written) if written.isdigit() else NUMBERS[written]
    target = find(draft, match.groupdict().get("what") or "it")
    if target is None:
        return False
    if (
        match.groupdict().get("what")
        and many == 1
        and written != "one"
        and not re.match(r"just|only", match[0], re.IGNORECASE)
    ):
        return False
    old = re.sub(
        rf"^(?:a|an|the|some|many|{NUMBER}) ", "", draft.prompt[target.start : target.end], flags=re.IGNORECASE
    )
    words = next((word for word, number in NUMBERS.items() if number == many and " " not in word), str(many))
    new = fit_article(f"a {singular(old)}") if many == 1 else f"{words} {plural(old)}"
    put(draft, target.start, target.end, new)
    draft.note("count", new)
    return True


def one_like_it(draft: Draft, match: re.Match[str]) -> bool:
    """ "a blue one", "two bigger ones": what there is, of that look and number."""
    if match["number"] and not set_count(draft, match):
        return False
    look = match["look"].strip()
    for word in [look] if re.fullmatch(COLOUR, look, re.IGNORECASE) else re.split(r"[\s,]+(?:and\s+)?", look):
        if re.fullmatch(COLOUR, word, re.IGNORECASE):
            _recolour_words(draft, "it", word)
        elif not describe(draft, "it", DEGREES.get(word.lower(), word.lower())):
            return False
    return True


def more(draft: Draft, match: re.Match[str]) -> bool:
    what, fewer = match["what"].strip(), match["much"].lower() in {"less", "fewer"}
    if re.fullmatch(COLOUR, what, re.IGNORECASE):
        if not fewer:
            return _recolour_words(draft, "it", what)
        draft.prompt = tidy(re.sub(rf"\b{re.escape(what)}\s+", "", draft.prompt, flags=re.IGNORECASE))
        draft.negatives.append(what)
        draft.note("degree", match[0])
        return True
    noun = draft.nlp(f"more {what}")[-1].pos_ in {"NOUN", "PROPN"} or find(draft, what) is not None
    if noun:
        target, many = find(draft, what), "few" if fewer else "many"
        bare = plural(singular(what)) if what.endswith("s") else what
        bare = f"{many} {bare}" if what.endswith("s") else f"{'little' if fewer else 'much'} {bare}"
        if target is None:
            end_with(draft, f"with {bare}")
        else:
            put(draft, target.start, target.end, bare)
        draft.note("degree", bare)
        return True
    if fewer:
        draft.prompt = tidy(re.sub(rf"\b{re.escape(what)}\s+", "", draft.prompt, flags=re.IGNORECASE))
        draft.negatives.append(what)
        draft.note("degree", match[0])
        return True
    return describe(draft, "it", what)


def degree(draft: Draft, match: re.Match[str]) -> bool:
    much = re.match(r"(?:much|a lot|way) ", match[0], re.IGNORECASE)
    word = DEGREES[match["degree"].lower()]
    return describe(draft, match.groupdict().get("what") or "it", "huge" if much and word in {"big", "large"} else word)


def described(draft: Draft, match: re.Match[str]) -> bool:
    words = draft.nlp(f"It is very {match['look']}")
    alone = draft.nlp(f"to {match['look']}")
    if words[-1].pos_ != "ADJ" and not (words[-1].tag_ == "VBN" or alone[-1].pos_ == "ADJ"):
        return False
    return describe(draft, match["what"], match["look"])


def describe(draft: Draft, what: str, look: str) -> bool:
    target = find(draft, what)
    if target is None:
        return False
    old = draft.prompt[target.start : target.end]
    for group in OPPOSITES:
        if look in group:
            old = re.sub(rf"\b(?:{'|'.join(sorted(group))})\s+", "", old)
    words = old.split()
    at = 1 if len(words) > 1 and re.fullmatch(rf"a|an|the|some|{NUMBER}", words[0], re.IGNORECASE) else 0
    put(draft, target.start, target.end, fit_article(" ".join([*words[:at], look, *words[at:]])))
    draft.note("degree", f"{look} {target.head}", place=True)
    return True


def too(draft: Draft, match: re.Match[str]) -> bool:
    """ "too dark": its opposite where there is one, else less of it."""
    word = match["what"].lower()
    opposite = {"dark": "bright", "bright": "dark", "big": "small", "large": "small", "small": "big", "old": "young", "young": "old",
                "fat": "thin", "thin": "fat", "sad": "happy", "tall": "short", "short": "tall"}  # fmt: skip
    if word in opposite:
        return describe(draft, match["of"] or "it", opposite[word])
    draft.prompt = tidy(re.sub(rf"\b{re.escape(word)}\s+", "", draft.prompt, flags=re.IGNORECASE))
    draft.negatives.append(word)
    draft.note("degree", match[0])
    return True


def made_of(draft: Draft, match: re.Match[str]) -> bool:
    target = find(draft, match["what"])
    if target is None:
        return False
    put(draft, target.end, target.end, f" made of {match['stuff']}")
    draft.note("recolour", match["stuff"], place=True)
    return True


def _move(draft: Draft, match: re.Match[str]) -> bool:
    """ "put the star below the cat": both are in the prompt, so only their relation changes."""
    one, other = find(draft, match["what"]), find(draft, match["other"])
    if one is None:
        return False
    if other is None or other == one:
        place = f"{match['relation']} {match['other']}"
        return _surround(draft, place)
    a, b = draft.prompt[one.start : one.end], draft.prompt[other.start : other.end]
    first, last = sorted((one, other), key=lambda phrase: phrase.start)
    draft.prompt = f"{draft.prompt[: first.start]}{a} {match['relation']} {b}{draft.prompt[last.end :]}"
    draft.note("position", match[0], place=True)
    return True


def set_shape(draft: Draft, match: re.Match[str]) -> bool:
    word = match["shape"].lower()
    draft.shape = (
        "wide"
        if word in {"wide", "wider", "landscape", "horizontal", "panorama"}
        else "square"
        if word == "square"
        else "tall"
    )
    draft.note("shape", draft.shape)
    return True


def append(draft: Draft, clause: str) -> None:
    joined = "" if re.match(r"(?:wearing|holding|riding|with|of|that|who)\b", clause, re.IGNORECASE) else ","
    draft.prompt = tidy(f"{draft.prompt}{joined} {clause}")
    draft.note("append", clause)


def put_somewhere(draft: Draft, match: re.Match[str]) -> bool:
    what = match["what"]
    thing = re.sub(r"^(?:an?|some|the) ", "", what, flags=re.IGNORECASE)
    if re.fullmatch(PRONOUN, what, re.IGNORECASE):
        return _surround(draft, f"{match['relation']} {match['other']}")
    if find(draft, what) is None:
        if thing.split()[-1].lower() in WORN or re.fullmatch(PRONOUN, match["other"], re.IGNORECASE):
            return _add_words(draft, what, wearer=match["other"])
        end_with(draft, f"with {with_article(what)} {match['relation']} {with_article(match['other'])}")
        draft.note("add", what, place=True)
        return True
    return _move(draft, match)


def bare_thing(draft: Draft, match: re.Match[str]) -> bool:
    """A bare thing: instead of the first one if it is alone and nothing joins them, else beside it."""
    there = noun_phrases(draft.nlp, draft.prompt)
    new = match["new"]
    head = re.split(r" (?:of|on|in|with|wearing) ", new)[0].split()[-1].lower()
    if head in WORN or len(there) != 1:
        return _add_words(draft, new)
    put(draft, there[0].start, there[0].end, _reclothed(draft.prompt[there[0].start : there[0].end], new))
    draft.negatives.append(there[0].head)
    draft.note("replace", new, place=True)
    return True
