"""How the pocket model is made, step by step, on two CPU cores in hours.

    mkdir -p ~/pocket && cd ~/pocket && npm install @lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17
    python -m generation.training prepare   --folder ~/pocket    # tokenizer and latent code, a minute
    python -m generation.training diffusion --folder ~/pocket    # hours; stop and start it as you like
    python -m generation.training assemble  --folder ~/pocket --target generation/pocket
    python -m generation.training.evaluate  --folder ~/pocket --model generation/pocket
    python -m generation.training index     --folder ~/pocket --target generation/pocket
    python -m generation.training card      --folder ~/pocket --target generation/pocket

With `--released generation/pocket`, `prepare` keeps that model's tokenizer, latent code and decoder instead of making
them, and `diffusion` goes on from its weights; with `--part words` too, only what reads words learns, which is enough
to widen the vocabulary (docs/decisions/0007). `evaluate --choose` leaves out of the release what is not painted
recognisably; `assemble` and `evaluate` once more after it.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from generation.training.compose import Composer, Mixture
from generation.training.sprites import load_sprites
from generation.training.vocabulary import ALL_WAVES, things

WAVES = range(1, ALL_WAVES + 1)
SCENES_FOR_CODE = 2400


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m generation.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "decoder", "diffusion", "assemble", "index", "card"):
        command = commands.add_parser(name)
        command.add_argument("--folder", type=Path, required=True, help="working folder, outside the repository")
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--minutes", type=float, help="stop after this long; the next call goes on")
        command.add_argument("--until", type=int, default=400_000, help="pictures to train on in all")
        command.add_argument("--cooldown", type=int, default=60_000, help="pictures over which the learning rate falls")
        command.add_argument("--target", type=Path, default=Path("generation/pocket"), help="where to assemble")
        command.add_argument("--wave", type=int, default=1, choices=WAVES, help="the last wave that was taught")
        command.add_argument("--released", type=Path, help="prepare, diffusion: the model to go on from")
        command.add_argument("--part", default="all", choices=("all", "words"), help="diffusion: what of it to train")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    {
        "prepare": _prepare,
        "decoder": _decoder,
        "diffusion": _diffusion,
        "assemble": _assemble,
        "index": _index,
        "card": _card,
    }[arguments.command](arguments)


def composer_of_all(folder: Path) -> Composer:
    """A composer of all waves."""
    everything = things(ALL_WAVES)
    return Composer(everything, load_sprites(folder, [thing.label for thing in everything]))


def _prepare(arguments: argparse.Namespace) -> None:
    from diffusers import AutoencoderKL

    from generation.training import autoencoder, latents, text
    from generation.training.index import keep_views

    composer = composer_of_all(arguments.folder)
    rng = random.Random(3)
    mixture = Mixture(canonical=0.1, single=0.15, coloured=0.15, pair=0.25, worn=0.15, ridden=0.15, count=0.05)
    scenes = [composer.scene(rng, mixture) for _ in range(SCENES_FOR_CODE)]
    halves = np.stack([composer.paint(scene, latents.HALF) for scene in scenes])
    if arguments.released is None:
        text.train_tokenizer(composer.things, composer, arguments.folder / "tokenizer")
        latents.fit(halves).save(arguments.folder / "code.npz")
        return
    vae = AutoencoderKL.from_pretrained(arguments.released, subfolder="vae")
    text.load_tokenizer(arguments.released / "tokenizer").save_pretrained(arguments.folder / "tokenizer")
    autoencoder.code_of(vae, halves).save(arguments.folder / "code.npz")
    autoencoder.keep_decoder(vae, arguments.folder)
    keep_views(arguments.released, arguments.folder)


def _decoder(arguments: argparse.Namespace) -> None:
    from generation.training import autoencoder

    autoencoder.train_decoder(
        arguments.folder,
        composer_of_all(arguments.folder),
        until=arguments.until,
        cooldown=arguments.cooldown,
        seed=arguments.seed,
        minutes=arguments.minutes,
    )


def _diffusion(arguments: argparse.Namespace) -> None:
    from generation.training import diffusion

    diffusion.train(
        arguments.folder,
        diffusion.composers(arguments.folder),
        until=arguments.until,
        cooldown=arguments.cooldown,
        seed=arguments.seed,
        minutes=arguments.minutes,
        released=arguments.released,
        part=arguments.part,
    )


def _assemble(arguments: argparse.Namespace) -> None:
    from generation.training.assemble import assemble
    from generation.training.selection import released_things

    taught = released_things(arguments.folder, arguments.wave)
    print(assemble(arguments.folder, arguments.target, taught, arguments.seed))


def _index(arguments: argparse.Namespace) -> None:
    import json

    from generation.training.diffusion import composers
    from generation.training.index import write_index
    from generation.training.selection import released_things

    taught = released_things(arguments.folder, arguments.wave)
    pictures = json.loads((arguments.target / "recipe.json").read_text())["pictures_seen"]
    composer_of = composers(arguments.folder)
    write_index(arguments.folder, arguments.target, taught, composer_of, pictures=pictures, seed=arguments.seed)


def _card(arguments: argparse.Namespace) -> None:
    from generation.training.card import write_card

    write_card(arguments.target, arguments.folder / "evaluation.json")


if __name__ == "__main__":
    main()
