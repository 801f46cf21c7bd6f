"""A training goes on from a release: its latent code is read back from its weights, and its denoiser taken up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file

from generation.models import POCKET_FOLDER
from generation.training import autoencoder, latents, text
from generation.training.card import MEASURES, write_card
from generation.training.diffusion import BATCH, Training

GRID = Path(__file__).parents[2] / "docs" / "images" / "pocket-grid.png"


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
    figures |= {key: 0.5 for _, name in MEASURES for key in (name, f"true_{name}")}
    evaluation = tmp_path / "evaluation.json"
    evaluation.write_text(json.dumps(figures))
    write_card(tmp_path, evaluation)
    stages = [line for line in (tmp_path / "MODEL_CARD.md").read_text().splitlines() if line.startswith("- until")]
    released = [
        line for line in (POCKET_FOLDER / "MODEL_CARD.md").read_text().splitlines() if line.startswith("- until")
    ]
    assert stages == released
    assert stages[-1].startswith("- until 450,528 pictures: 50 things")
