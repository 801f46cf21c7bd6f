"""A training goes on from a release: its latent code is read back from its weights, and its denoiser taken up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file

from generation.models import POCKET_FOLDER
from generation.training import autoencoder, latents, text
from generation.training.card import MEASURES, write_card
from generation.training.diffusion import BATCH, CLEAR, Training, draw_timesteps
from generation.training.index import count_views, keep_views

GRID = Path(__file__).parents[2] / "docs" / "images" / "pocket-grid.jpg"
EMPTY = np.zeros((2, latents.CHANNELS, latents.GRID, latents.GRID), np.float32)  # latents of two pictures


def pictures() -> np.ndarray:
    """Pictures [48, 128, 128, 3] that the model painted."""
    sheet = np.asarray(Image.open(GRID).convert("RGB"))
    return sheet.reshape(6, 128, 8, 128, 3).transpose(0, 2, 1, 3, 4).reshape(48, 128, 128, 3)


def test_the_code_that_is_read_back_writes_what_the_released_encoder_writes() -> None:
    vae = AutoencoderKL.from_pretrained(POCKET_FOLDER, subfolder="vae", torch_dtype=torch.float32)
    full = pictures()
    code = autoencoder.code_of(vae, autoencoder.halve(full))
    with torch.no_grad():
        encoded = vae.encode(autoencoder.to_tensor(full)).latent_dist.mode().numpy()
    coded = code.latents(autoencoder.halve(full))
    assert np.sqrt(np.mean((coded - encoded) ** 2)) < 0.002 * encoded.std()


def test_the_code_that_is_read_back_shows_the_pictures_again() -> None:
    vae = AutoencoderKL.from_pretrained(POCKET_FOLDER, subfolder="vae", torch_dtype=torch.float32)
    halves = autoencoder.halve(pictures())
    code = autoencoder.code_of(vae, halves)
    error = np.mean((code.halves(code.latents(halves)).astype(float) - halves) ** 2)
    assert 10 * np.log10(255**2 / error) > 28  # decibels


def test_a_training_takes_up_a_released_denoiser_where_it_ended() -> None:
    training = Training(text.load_tokenizer(POCKET_FOLDER / "tokenizer"), seed=0)
    training.go_on_from(POCKET_FOLDER)
    released = load_file(POCKET_FOLDER / "unet" / "diffusion_pytorch_model.safetensors")
    kept = training.unet.state_dict()
    assert all(torch.equal(kept[name], tensor.float()) for name, tensor in released.items())
    seen = json.loads((POCKET_FOLDER / "recipe.json").read_text())["pictures_seen"]
    assert training.pictures == seen // BATCH * BATCH
    assert training.sample(("a fox",), steps=2).shape == (1, latents.CHANNELS, latents.GRID, latents.GRID)


def test_the_card_tells_of_the_stages_that_were_trained_and_of_no_others(tmp_path: Path) -> None:
    for name in ("recipe.json", "vocabulary.json"):
        (tmp_path / name).write_bytes((POCKET_FOLDER / name).read_bytes())
    figures = {"fox_card": 1.0, "astronaut_card": 1.0, "seeds_apart_median": 13.0}
    figures |= {f"{of}nearest_scene_{how}": 9.0 for of in ("", "true_") for how in ("median", "least")}
    figures |= {"nearest_scene_among": 20_000.0, "prompts": 96.0}
    figures |= {key: 0.5 for _, name in MEASURES for key in (name, f"true_{name}")}
    evaluation = tmp_path / "evaluation.json"
    evaluation.write_text(json.dumps(figures))
    write_card(tmp_path, evaluation)
    stages = [line for line in (tmp_path / "MODEL_CARD.md").read_text().splitlines() if line.startswith("- until")]
    released = [
        line for line in (POCKET_FOLDER / "MODEL_CARD.md").read_text().splitlines() if line.startswith("- until")
    ]
    assert stages == released
    seen = json.loads((POCKET_FOLDER / "recipe.json").read_text())["pictures_seen"]
    assert stages[-1].startswith(f"- until {seen:,} pictures: ")


def test_widening_by_words_changes_only_what_reads_words() -> None:
    training = Training(text.load_tokenizer(POCKET_FOLDER / "tokenizer"), seed=0, part="words")
    training.go_on_from(POCKET_FOLDER)
    before = {name: weight.detach().clone() for name, weight in zip(training.names, training.weights, strict=True)}
    noise = np.random.default_rng(0).standard_normal((4, latents.CHANNELS, latents.GRID, latents.GRID))
    training.advance(noise.astype(np.float32), ["a lion", "a fox", "two cats", "a red rose"], 1e-3)
    changed = {
        name
        for name, weight in zip(training.names, training.weights, strict=True)
        if not torch.equal(weight, before[name])
    }
    matrices = {name for name in changed if before[name].ndim > 1}
    assert matrices
    assert all(name.startswith("text_encoder.") or ".attentions." in name for name in matrices)


@pytest.fixture
def by_words(tmp_path: Path) -> Training:
    """A training of what reads words, one step past the release and saved."""
    training = Training(text.load_tokenizer(POCKET_FOLDER / "tokenizer"), seed=0, part="words")
    training.go_on_from(POCKET_FOLDER)
    training.advance(EMPTY, ["a lion", "a fox"], 1e-3)
    training.save(tmp_path / "diffusion.safetensors")
    return training


def test_a_training_by_words_is_saved_and_resumed(by_words: Training, tmp_path: Path) -> None:
    resumed = Training(by_words.tokenizer, seed=0, part="words")
    resumed.resume(tmp_path / "diffusion.safetensors")
    assert resumed.step == by_words.step
    for one, other in zip(by_words.weights, resumed.weights, strict=True):
        assert torch.equal(one, other)
    assert by_words.advance(EMPTY, ["a lion", "a fox"], 1e-3) == resumed.advance(EMPTY, ["a lion", "a fox"], 1e-3)


def test_what_did_not_learn_before_warms_up_again(by_words: Training, tmp_path: Path) -> None:
    everything = Training(by_words.tokenizer, seed=0)
    everything.resume(tmp_path / "diffusion.safetensors")
    assert everything.first_step == everything.step == by_words.step
    everything.advance(EMPTY, ["a lion", "a fox"], 1e-3)
    everything.save(tmp_path / "diffusion.safetensors")
    again = Training(by_words.tokenizer, seed=0)
    again.resume(tmp_path / "diffusion.safetensors")
    assert (again.step, again.first_step) == (everything.step, 0)


def test_as_many_of_a_batch_as_was_said_are_hardly_noisy() -> None:
    def shares(clear: float) -> tuple[float, float]:
        drawn = draw_timesteps(3_200, torch.Generator().manual_seed(1), clear)
        assert drawn.min() >= 0 and drawn.max() < 1000
        return float((drawn < CLEAR).float().mean()), float((drawn >= 900).float().mean())

    (few, noisy), (many, still_noisy) = shares(0.0), shares(0.4)
    assert many == pytest.approx(few + 0.4 * (7 / 8 - few), abs=0.02)
    assert noisy > 1 / 8 and still_noisy > 1 / 8, "the layout is still learnt"


def test_what_a_release_had_seen_is_where_the_count_goes_on(tmp_path: Path) -> None:
    keep_views(POCKET_FOLDER, tmp_path)
    record = json.loads((POCKET_FOLDER / "training_set.json").read_text())
    views = count_views(tmp_path / "views.json", {}, pictures=record["pictures"], seed=0)
    fox = next(thing for thing in record["things"] if thing["name"] == "fox")
    assert views["fox", None] == fox["views"]["plain"]
    assert views["fox", "red"] == fox["views"]["red"]
