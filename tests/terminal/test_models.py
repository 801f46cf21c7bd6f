"""`darkroom models` lists what each model can do; `darkroom imagine` names unknown words and paints all the same."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import msgspec
import pytest

from bot import model_list, terminal
from bot.settings import Settings
from generation.errors import ModelError
from generation.models import ModelInfo, Models, pocket_model
from generation.vocabulary import KnownThing, Vocabulary
from tests.terminal.conftest import Darkroom

VOCABULARY = Vocabulary(
    things=(
        KnownThing(name="skateboard", names=("skateboard",), plural="skateboards"),
        KnownThing(name="car", names=("car", "auto"), plural="cars"),
        KnownThing(name="fox", names=("fox",), plural="foxes", face=True),
        KnownThing(name="hat", names=("hat",), plural="hats"),
    ),
    colours=("blue", "red"),
    accessories=("hat",),
    mounts=("skateboard",),
    relations=("next to", "on top of"),
)
WIDE = ModelInfo(name="wide", source="some/where", title="Photographs", steps=30, width=1024, height=768)


@pytest.fixture
def small(tmp_path: Path) -> ModelInfo:
    """A model of which only the vocabulary is there."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "vocabulary.json").write_bytes(msgspec.json.encode(VOCABULARY))
    return msgspec.structs.replace(pocket_model(), name="small", title="Small ones", source=str(folder))


def listed(capsys: pytest.CaptureFixture[str], *models: ModelInfo, as_json: bool = False) -> str:
    settings = Settings(models=models)
    assert model_list.run(argparse.Namespace(json=as_json), settings) == 0
    return capsys.readouterr().out


def test_defaults_limits_and_vocabulary_of_each_model_stand_in_columns(
    small: ModelInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    head, first, second, *rest = listed(capsys, small, WIDE).splitlines()
    assert head.split() == ["MODEL", "STEPS", "GUIDANCE", "SIZE", "LIMITS", "KNOWS", "WEIGHTS", "PAINTS"]
    assert first.split("  ")[0] == "small" and "only 128x128, 100 steps" in first and first.endswith("Small ones")
    assert "1024x768" in second and "sides 64-1024 by 8, 150 steps" in second and second.endswith("Photographs")
    assert "unusable" in first and "not fetched" in second
    for heading, cells in {"SIZE": ("128x128", "1024x768"), "KNOWS": ("4 things", "any words")}.items():
        column = head.index(heading)
        assert (first[column:].startswith(cells[0]), second[column:].startswith(cells[1])) == (True, True)
    problem, rest = rest[:2], rest[2:]
    assert problem[0] == "" and "“small” has no model_index.json" in problem[1]
    assert rest == [
        "",
        "small knows",
        "  car (auto)  fox         hat         skateboard",
        "  Colours, also of the background: blue, red",
        "  Two things together: next to, on top of",
        "  To wear: hat; on fox",
        "  To ride: skateboard",
    ]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_long_vocabulary_fits_the_width_and_reads_downwards(width: int) -> None:
    things = tuple(KnownThing(name=f"thing {number:03}", names=(f"thing {number:03}",)) for number in range(250))
    lines = model_list.vocabulary_lines(Vocabulary(things=things), width)
    assert max(map(len, lines)) <= width
    assert [line.split("  ")[1] for line in lines[:3]] == ["thing 000", "thing 001", "thing 002"]


def test_other_programs_get_the_same_as_json(small: ModelInfo, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = json.loads(listed(capsys, small, WIDE, as_json=True))
    assert msgspec.convert(first["vocabulary"], Vocabulary) == VOCABULARY
    assert "no model_index.json" in first["problem"]
    del first["vocabulary"], first["source"], first["problem"]
    assert first == {
        "name": "small",
        "title": "Small ones",
        "steps": 40,
        "max_steps": 100,
        "guidance": 2.2,
        "size": "128x128",
        "min_side": 128,
        "max_side": 128,
        "size_multiple": 128,
        "weights_sha256": None,
    }
    assert (second["name"], second["vocabulary"]) == ("wide", None)


def test_a_damaged_vocabulary_is_one_sentence_and_a_mistake_of_the_user(
    darkroom: Darkroom, tiny_model: ModelInfo, small: ModelInfo
) -> None:
    Path(small.source, "vocabulary.json").write_text("{")
    done = darkroom("models", DARKROOM_MODELS=msgspec.json.encode([tiny_model, small]).decode())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("darkroom: The vocabulary of the model “small” is damaged")


def planned(model: ModelInfo, folder: Path, prompt: str) -> terminal.Plan:
    parser = argparse.ArgumentParser()
    terminal.add_arguments(parser)
    arguments = parser.parse_args([prompt, "--out", str(folder / "picture.png")])
    return terminal.make_plan(arguments, Models(all=(model,)))


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("a red fox next to a car", ""),
        ("a castle", "“castle”; it knows “skateboard”, “car”, “fox” and “hat”."),
        ("an automobile", "“automobile”; the nearest it knows is “car”."),
        (
            "one tarantula, dragonfruit, gazebo, igloo, jigsaw, kazoo and lasso",
            "“tarantula”, “dragonfruit”, “gazebo”, “igloo”, “jigsaw” or 2 more words; "
            "it knows “skateboard”, “car”, “fox” and “hat”.",
        ),
    ],
)
def test_unknown_words_are_one_sentence_on_stderr(
    small: ModelInfo, tmp_path: Path, capsys: pytest.CaptureFixture[str], prompt: str, sentence: str
) -> None:
    terminal.warn_of_unknown_words(planned(small, tmp_path, prompt))
    said = capsys.readouterr()
    assert said.err == (f"darkroom: The small model does not know {sentence}\n" if sentence else "")
    assert said.out == ""


def test_a_damaged_vocabulary_is_said_before_anything_is_loaded(small: ModelInfo, tmp_path: Path) -> None:
    Path(small.source, "vocabulary.json").write_text("{")
    with pytest.raises(ModelError, match="is damaged"):
        terminal.warn_of_unknown_words(planned(small, tmp_path, "a fox"))


def test_a_picture_of_unknown_words_is_painted_all_the_same(
    darkroom: Darkroom, tiny_model: ModelInfo, tmp_path: Path
) -> None:
    taught = tmp_path / "taught"
    taught.mkdir()
    for part in Path(tiny_model.source).iterdir():
        (taught / part.name).symlink_to(part)
    (taught / "vocabulary.json").write_bytes(msgspec.json.encode(VOCABULARY))
    model = msgspec.structs.replace(tiny_model, source=str(taught))
    done = darkroom("imagine", "a castle", "--out", "c.png", DARKROOM_MODELS=msgspec.json.encode([model]).decode())
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "darkroom: The tiny model does not know “castle”; it knows “skateboard”, “car”, “fox” and “hat”.\n"
    )
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
