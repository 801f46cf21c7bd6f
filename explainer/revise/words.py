"""The words by which a change is understood: colours, styles, times, weathers, numbers, relations. Plain data."""

from __future__ import annotations

from typing import Final

COLOURS: Final = [
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "gray",
    "grey",
    "violet",
    "turquoise",
    "teal",
    "cyan",
    "magenta",
    "beige",
    "golden",
    "gold",
    "silver",
    "crimson",
    "navy",
    "lime",
    "maroon",
    "olive",
    "lavender",
    "indigo",
    "scarlet",
    "colourful",
    "colorful",
    "rainbow-coloured",
    "pastel",
]


_SHADE = r"(?:(?:light|dark|bright|pale|deep|neon) )?"


COLOUR = rf"{_SHADE}(?:{'|'.join(COLOURS)})"


WORN: Final = frozenset(
    [
        "hat",
        "cap",
        "crown",
        "sunglasses",
        "glasses",
        "shades",
        "scarf",
        "helmet",
        "hood",
        "mask",
        "goggles",
        "shirt",
        "t-shirt",
        "dress",
        "coat",
        "jacket",
        "suit",
        "tie",
        "bow",
        "necklace",
        "earring",
        "earrings",
        "boot",
        "boots",
        "shoe",
        "shoes",
        "sock",
        "socks",
        "glove",
        "gloves",
        "cape",
        "tiara",
        "beanie",
        "monocle",
        "headphone",
        "headphones",
        "backpack",
    ]
)


STYLES: Final = (
    r"(?:water ?colou?r|oil painting|painting|(?:pencil |charcoal |ink )?(?:sketch|drawing)|cartoon|comic(?: book)?|pixel art|photo(?:graph)?"
    r"|photorealistic|photo-realistic|3d render|render|anime|manga|low poly|collage|mosaic|woodcut|linocut|poster|impressionist painting"
    r"|cubist painting|line art|clay(?:mation)?|stained glass|origami|black and white(?: photo)?|polaroid)"
)


TIMES = (
    r"(?:night ?time|night|day ?time|day|dawn|dusk|sunset|sunrise|noon|midnight|midday|twilight|golden hour|evening|morning|the morning"
    r"|the evening|the afternoon)"
)


SEASONS = r"(?:winter|summer|spring|autumn|fall)"


WEATHER = r"(?:the rain|rain|the snow|snow|fog|the fog|a storm|a thunderstorm|the sun|mist|the mist|the wind|sunshine|a blizzard)"


MOODS = "snowy rainy foggy sunny stormy cloudy windy misty spooky festive"


NUMBERS: Final = {
    "one": 1, "a single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "a couple of": 2, "a pair of": 2,
}  # fmt: skip


NUMBER = r"(?:\d+|a single|a couple of|a pair of|" + "|".join(word for word in NUMBERS if " " not in word) + ")"


RELATIONS = r"(?:to the (?:left|right) of|left of|right of|on top of|in front of|next to|beside|above|below|under|underneath|over|behind|on|near|between)"


MOUNTS = (
    r"skateboard|bicycle|bike|horse|pony|unicorn|motorcycle|motorbike|scooter|camel|elephant|donkey|surfboard|snowboard|sled|turtle|tortoise"
    r"|dragon|broom|rocket|whale|dolphin|roller skates?"
)


CONNECTORS = frozenset(
    [
        "wearing",
        "with",
        "on",
        "in",
        "riding",
        "holding",
        "next",
        "to",
        "beside",
        "above",
        "below",
        "under",
        "over",
        "and",
        "of",
        "top",
        "front",
        "behind",
        "near",
        "by",
        "carrying",
        ",",
        "at",
        "upon",
        "inside",
    ]
)


DEGREES: Final = {
    "bigger": "big", "larger": "large", "smaller": "small", "tinier": "tiny", "taller": "tall", "darker": "dark", "brighter": "bright",
    "happier": "happy", "sadder": "sad", "older": "old", "younger": "young", "fatter": "fat", "thinner": "thin", "fluffier": "fluffy",
    "cuter": "cute", "scarier": "scary", "angrier": "angry", "prettier": "pretty", "simpler": "simple", "softer": "soft", "longer": "long",
    "shorter": "short", "sharper": "sharp", "lighter": "light", "rounder": "round", "funnier": "funny", "sleepier": "sleepy",
}  # fmt: skip


OPPOSITES: Final = (
    {"big", "large", "huge", "small", "tiny", "little"}, {"dark", "bright", "light"}, {"happy", "sad", "angry"}, {"old", "young"},
    {"fat", "thin"}, {"tall", "short", "long"},
)  # fmt: skip


PRONOUN = r"(?:it|him|her|them|this|that|this one|that one|he|she|they|everything|the (?:picture|image|scene|one))"


THE = r"(?:the |my |its |his |her |their |that |this )?"
