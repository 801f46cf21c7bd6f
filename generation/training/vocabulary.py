"""The things, colours and places that the pocket model is taught, and the words it knows them by.

Plain data and the sentences made from it; knows nothing of pixels or of training. A thing is one
emoji of the training set; its first name is the one used most, the others are synonyms. `wave`
says when a thing joins the training: the model learns the first wave well before the second comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Face:
    """Where a face is in its sprite, in parts of the sprite's side from the top left corner."""

    x: float  # middle of the eyes
    y: float
    width: float  # of a pair of sunglasses on it
    crown: float  # height at which a hat sits: the brim's middle
    crown_width: float = 0.5  # of a hat on it


@dataclass(frozen=True)
class Mount:
    """How something is ridden."""

    tilt: float = 0.0  # degrees, counter-clockwise, that turn the sprite upright
    seat: float = 0.5  # height of the seat in the sprite, from the top, in parts of its side
    back: float = 0.0  # how far the seat is to the right of the sprite's middle, in parts of its side
    weight: int = 1  # how often it is ridden in the training scenes, relative to the others


@dataclass(frozen=True)
class Thing:
    """One emoji and its names."""

    label: str  # emojibase's label, in lower case
    names: tuple[str, ...]
    wave: int
    face: Face | None = None
    mount: Mount | None = None

    @property
    def name(self) -> str:
        return self.names[0]


# One line a thing: emojibase label, then its names if they differ, the usual one first.
_FIRST_WAVE = """
fox | dog face: dog, puppy | cat face: cat, kitty, kitten | panda | rabbit face: rabbit, bunny | pig face: pig | frog
front-facing baby chick: chick | penguin | owl | elephant | horse: horse, pony | turtle: turtle, tortoise | fish
spouting whale: whale | octopus | butterfly | honeybee: bee, honeybee | sauropod: dinosaur | sunflower
deciduous tree: tree | cactus | mushroom | red apple: apple | banana | strawberry | carrot
hamburger: burger, hamburger | pizza | doughnut: donut, doughnut | birthday cake: cake, birthday cake
automobile: car, auto | bicycle: bicycle, bike | rocket | skateboard | sun | crescent moon: moon | star | cloud
rainbow | snowman | house | balloon | sunglasses | crown | top hat: hat, top hat | robot | ghost | red heart: heart
astronaut
"""

_SECOND_WAVE = """
lion | tiger face: tiger | bear | koala | mouse face: mouse | cow face: cow | monkey face: monkey | wolf
chicken: chicken, hen | duck | unicorn | shark | crab | snail | lady beetle: ladybug, ladybird | snake | rose | tulip
palm tree | lemon | watermelon | grapes | pineapple | tomato | soft ice cream: ice cream | cheese wedge: cheese
hot beverage: coffee, cup of coffee | cookie | bus | airplane: airplane, plane | sailboat: boat, sailboat
locomotive: train, steam train | helicopter | flying saucer: ufo, flying saucer | tractor | fire: fire, flame
snowflake | snow-capped mountain: mountain | ringed planet: planet | castle | wrapped gift: gift, present
soccer ball: football, soccer ball | guitar | key | bell | light bulb: light bulb, lamp | umbrella | books
teddy bear | alien | skull | slightly smiling face: smiley, smiling face | jack-o-lantern: pumpkin
alarm clock: clock | camera | gem stone: diamond, gem
"""

_THIRD_WAVE = """
raccoon | moose | zebra | deer | ram: sheep, ram | camel | giraffe | rhinoceros: rhino, rhinoceros
hippopotamus: hippo, hippopotamus | hamster | chipmunk: squirrel, chipmunk | hedgehog | bat | kangaroo | rooster
bird | eagle | swan | feather | flamingo | peacock | parrot | crocodile | dragon face: dragon | t-rex: t-rex | dolphin
spiral shell: shell, seashell | jellyfish | lobster | bug: caterpillar | ant | spider | scorpion
bouquet: bouquet, flowers | cherry blossom | hibiscus: flower, hibiscus | potted plant | evergreen tree: pine tree
maple leaf: leaf | tangerine | pear | peach | cherries | kiwi fruit: kiwi | coconut | avocado | eggplant
ear of corn: corn | hot pepper: chili | broccoli | bread | croissant | pretzel | pancakes
french fries: fries, french fries | hot dog | sandwich | taco | egg | popcorn | sushi | spaghetti: spaghetti, noodles
cupcake | chocolate bar: chocolate | candy | lollipop | glass of milk: milk | teapot | cocktail glass: cocktail
beer mug: beer | volcano | tent | ferris wheel | fire engine: fire truck | taxi | pickup truck: truck
motorcycle: motorcycle, motorbike | roller skate | anchor | ship | tornado | droplet: water drop | christmas tree
trophy | baseball | basketball | tennis: tennis ball | boxing glove | kite | game die: dice | yarn
artist palette: palette | glasses | t-shirt: shirt, t-shirt | jeans: jeans, trousers | scarf | dress | backpack
running shoe: shoe, sneaker | graduation cap | lipstick | musical note | microphone | headphone: headphones
saxophone | trumpet | violin | drum | mobile phone: phone | laptop: laptop, computer | television: tv, television
candle | envelope: letter, envelope | pencil | paintbrush | scissors | hammer | axe | crossed swords: swords | bomb
magnet | door | bed | chair | broom | coin | money bag | pile of poo: poop | clown face: clown | brain | eye | baby
girl | man | woman | cook: chef, cook | ninja | police officer | santa claus: santa | princess | mage: wizard
mermaid | crying face | sleeping face | thinking face | smiling face with heart-eyes: face in love
face with tears of joy: laughing face | peanuts | toothbrush
"""

_FOURTH_WAVE = """
gorilla | orangutan | poodle | leopard | donkey | bison | boar | goat | llama | mammoth | rat | beaver | polar bear
sloth | otter | skunk | badger | turkey | hatching chick | dove | dodo | goose | lizard | seal | tropical fish
blowfish | coral | shrimp | squid | beetle | lotus | seedling | four leaf clover: clover | melon | mango | blueberries
potato | onion | bagel | waffle | bacon | burrito | rice ball | pie | wine glass: wine | bubble tea
desert island: island | church | ambulance | police car | racing car | motor scooter: scooter | speedboat | full moon
volleyball | bowling | ice skate | crystal ball | video game: game controller | ring | bow and arrow | shield
microscope | telescope | pill | bathtub | shopping cart | boy | vampire | zombie | fairy | angry face | ladder
"""

# Faces found by eye on the sprites: eyes' middle x and y, width of sunglasses, height of a hat's brim.
FACES = {
    "fox": Face(0.50, 0.50, 0.62, 0.26),
    "dog face": Face(0.50, 0.42, 0.60, 0.12),
    "cat face": Face(0.50, 0.52, 0.66, 0.27),
    "lion": Face(0.50, 0.50, 0.48, 0.16),
    "tiger face": Face(0.50, 0.48, 0.62, 0.18),
    "panda": Face(0.50, 0.50, 0.62, 0.17),
    "bear": Face(0.50, 0.48, 0.60, 0.18),
    "koala": Face(0.50, 0.45, 0.48, 0.16),
    "rabbit face": Face(0.50, 0.60, 0.56, 0.38),
    "mouse face": Face(0.50, 0.55, 0.55, 0.28),
    "pig face": Face(0.50, 0.42, 0.64, 0.16),
    "cow face": Face(0.50, 0.42, 0.54, 0.16),
    "frog": Face(0.50, 0.20, 0.66, 0.05),
    "monkey face": Face(0.50, 0.42, 0.54, 0.10),
    "wolf": Face(0.50, 0.48, 0.58, 0.26),
    "front-facing baby chick": Face(0.50, 0.40, 0.54, 0.12),
    "ghost": Face(0.50, 0.35, 0.52, 0.05),
    "alien": Face(0.50, 0.50, 0.60, 0.08),
    "robot": Face(0.50, 0.50, 0.60, 0.16),
    "skull": Face(0.50, 0.45, 0.66, 0.06),
    "slightly smiling face": Face(0.50, 0.40, 0.72, 0.08),
    "clown face": Face(0.50, 0.45, 0.58, 0.12),
    "penguin": Face(0.50, 0.27, 0.40, 0.05, 0.40),
    "owl": Face(0.50, 0.29, 0.62, 0.04),
    "octopus": Face(0.50, 0.39, 0.70, 0.06),
    "teddy bear": Face(0.50, 0.25, 0.40, 0.05, 0.36),
    "astronaut": Face(0.50, 0.26, 0.36, 0.02, 0.36),
    "jack-o-lantern": Face(0.50, 0.42, 0.62, 0.16),
    "polar bear": Face(0.50, 0.48, 0.60, 0.18),
    "raccoon": Face(0.50, 0.55, 0.60, 0.25),
    "hamster": Face(0.50, 0.50, 0.60, 0.18),
}

# Things that others ride: how far to turn the sprite upright, and where its seat is in the turned sprite.
MOUNTS = {
    "skateboard": Mount(tilt=-47.0, seat=0.47, weight=6),
    "horse": Mount(seat=0.50, back=0.10, weight=3),
    "bicycle": Mount(seat=0.42),
    "elephant": Mount(seat=0.22, back=0.14),
    "turtle": Mount(seat=0.24, back=0.06),
    "snail": Mount(seat=0.20, back=0.12),
    "cloud": Mount(seat=0.30),
    "motorcycle": Mount(seat=0.40),
}

COLOURS = {  # sRGB
    "red": (225, 35, 40),
    "orange": (250, 135, 20),
    "yellow": (252, 210, 30),
    "green": (50, 170, 60),
    "blue": (40, 100, 230),
    "purple": (135, 60, 200),
    "pink": (250, 120, 185),
    "brown": (135, 85, 50),
    "black": (35, 35, 40),
    "white": (250, 250, 250),
    "gray": (140, 140, 145),
}
COLOUR_SYNONYMS = {"gray": ("gray", "grey"), "purple": ("purple", "violet")}

ACCESSORIES = ("sunglasses", "top hat", "crown")  # labels; worn by things that have a face

# The phrases of captions. One that stands twice is used twice as often.
RELATIONS = {
    "beside": ("next to", "next to", "beside", "and", "and", "with"),
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "above", "over"),
    "below": ("below", "below", "under"),
    "on": ("on", "on", "on top of", "sitting on", "standing on"),
}
WEARING = ("wearing", "wearing", "with", "in")
RIDING = ("on", "on", "riding", "riding", "riding on", "on top of")
COUNTS = ("two", "three")
BACKGROUND = "background"  # after a colour
OPENINGS = ("a picture of", "an emoji of", "an illustration of", "a drawing of")


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split(", "))


_PLURAL = _listed(
    "sunglasses, grapes, cherries, books, fries, french fries, headphones, glasses, scissors, swords, "
    "jeans, trousers, pancakes, noodles, flowers, peanuts, blueberries, dice"
)
_MASS = _listed(
    "fire, cheese, coffee, ice cream, bread, corn, bacon, popcorn, spaghetti, sushi, chocolate, milk, "
    "wine, beer, coral, broccoli, money, santa, yarn, poop, chili"
)

_UNCOUNTED = _listed("fish, sheep, sun, moon, shrimp, squid, tv, moose, deer, jellyfish, face in love")


ALL_WAVES = 4


def things(wave: int) -> list[Thing]:
    """All things up to this wave, in a fixed order."""
    waves = (_FIRST_WAVE, _SECOND_WAVE, _THIRD_WAVE, _FOURTH_WAVE)
    return [thing for number, text in enumerate(waves[:wave], start=1) for thing in _parse(text, number)]


def wave_of(names: Iterable[str]) -> int:
    """The first wave up to which all things of these names are taught."""
    wanted = set(names)
    return next(wave for wave in range(1, ALL_WAVES + 1) if wanted <= {thing.name for thing in things(wave)})


def with_article(name: str) -> str:
    """`"a fox"`, `"an owl"`, `"sunglasses"`, `"fire"`: the name as it stands in a sentence."""
    noun = name.split(" ", 1)[1] if name.split(" ", 1)[0] in _colour_words() and " " in name else name
    if noun in _PLURAL or noun in _MASS:
        return name
    return ("an " if name[0] in "aeio" or name.startswith("umbrella") else "a ") + name


def plural(name: str) -> str | None:
    """`"foxes"`, or None where the thing is not counted in captions."""
    if name in _PLURAL or name in _MASS or name in _UNCOUNTED:
        return None
    irregular = {"mouse": "mice", "wolf": "wolves", "leaf": "leaves", "snowman": "snowmen", "man": "men",
                 "woman": "women", "goose": "geese", "scarf": "scarves"}  # fmt: skip
    if name in irregular:
        return irregular[name]
    if name.endswith(("s", "x", "ch", "sh", "tomato", "potato", "mango", "tornado")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def taught_words(taught: list[Thing]) -> dict[str, object]:
    """All that captions say of these things, as it ships beside the model (`generation.vocabulary.Vocabulary`)."""
    described = [
        {"name": thing.name, "names": list(thing.names), "plural": plural(thing.name), "face": thing.face is not None}
        for thing in taught
    ]
    return {
        "things": described,
        "colours": sorted(_colour_words()),
        "accessories": [thing.name for thing in taught if thing.label in ACCESSORIES],
        "mounts": [thing.name for thing in taught if thing.mount],
        "relations": _once(phrase for phrases in RELATIONS.values() for phrase in phrases),
        "wearing": _once(WEARING),
        "riding": _once(RIDING),
        "counts": list(COUNTS),
        "backgrounds": [f"on {with_article(f'{colour} {BACKGROUND}')}" for colour in COLOURS],
        "openings": list(OPENINGS),
    }


def _once(phrases: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(phrases))


def _colour_words() -> set[str]:
    return set(COLOURS) | {word for words in COLOUR_SYNONYMS.values() for word in words}


def _parse(text: str, wave: int) -> list[Thing]:
    found = []
    for item in text.replace("\n", "|").split("|"):
        label, _, names = (part.strip() for part in item.partition(":"))
        if label:
            spoken = tuple(name.strip() for name in (names or label).split(","))
            found.append(Thing(label, spoken, wave, FACES.get(label), MOUNTS.get(label)))
    return found
