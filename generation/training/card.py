"""Writes the pocket model's MODEL_CARD from its recipe, its vocabulary and its evaluation, so that no figure is copied.

What the model cannot do is in words, in LIMITS; read the grid before you release and mend them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from generation.training import diffusion
from generation.training.compose import BACKDROP
from generation.training.vocabulary import things

MEASURES = (
    ("One thing, by colour picture, first guess", "single_colour_top1"),
    ("One thing, by colour picture, first five", "single_colour_top5"),
    ("One thing, by grey shape, first guess", "single_shape_top1"),
    ("One thing, by grey shape, first five", "single_shape_top5"),
    ("The colour asked for is there", "colour_right"),
    ("A recoloured thing, by grey shape, first guess", "coloured_shape_top1"),
    ("Two things: both right, each in its half, first guess", "pair_both_top1"),
    ("Two things: both right, each in its half, first ten", "pair_both_top10"),
    ("Two things whose places the prompt names: there, not exchanged", "place_right"),
    ("Sunglasses, hat or crown: the right one", "accessory_right"),
    ("Something ridden: the right mount", "mount_right"),
)

LIMITS = """\
- Scenes are softer than single things, those with the things taught last most of all: of two things one may be hard to
  tell, and a thing in a colour that is not its own may lose part of its shape. The table says how often.
- Two seeds of one prompt differ in place, background and tint more than in shape.
- Anything outside the list above: an unknown word falls into letters that mean nothing to it, and mud comes out.
- Text, hands, crowds, more than three of a kind, styles, light, weather, verbs other than wearing and riding.
- Fine detail: a latent cell is 16x16 pixels, and small things in scenes stay soft.
- Other sizes: it was trained at 128x128 and knows no other.
- It saw each thing from one side only, as one drawing: it knows the look of a drawing of a fox, not foxes."""

TEMPLATE = """\
# The pocket model

A small text-to-image latent diffusion model that ships with Darkroom, so that all of it can be seen on a machine with
no GPU and no model hub. It paints 128x128 pictures in the manner of 3D emoji. It is an ordinary Stable-Diffusion-style
pipeline (`StableDiffusionPipeline.from_pretrained` loads it unchanged), so what is said of noise, latents, tokens,
cross-attention, guidance and decoding is true of it.

![48 pictures: 24 things, 18 scenes, and the two test prompts with three seeds each](../../docs/images/pocket-grid.jpg)

The prompts of the grid are in [pocket-grid.txt](../../docs/images/pocket-grid.txt), row by row.

## What it was taught

{count} things: {names}. Second names are in `vocabulary.json`. Colours: {colours}; backgrounds in those colours.
Two things next to, left of, right of, above, below or on each other; wearing {accessories}; riding {mounts};
two or three of a kind.{left_out}

## How well, by a judge that it was not trained on

The judge is a small classifier trained on other scenes (`generation/training/judge.py`); the last column is the judge's
own score on true scenes that neither has seen. Each single thing once, else {prompts:.0f} prompts of each kind; 25
steps, guidance {guidance:g}, fixed seeds. Where a prompt leaves open which of two things is on which side (“a cat and a
dog”), either way round counts.

| | the model | true scenes |
|---|---|---|
{table}

“a red fox wearing sunglasses on a skateboard” has everything in it for {fox} of 10 seeds, “an astronaut riding a
horse” for {astronaut} of 10. Two seeds of one prompt lie {apart} grey levels apart (root mean square; median).

Does it give its training scenes back? From the nearest of {compared:,} of them, seen at 16x16 pixels, its pictures of
test scenes lie {near:.1f} grey levels away (median; the least {nearest:.1f}); true scenes that nobody was
trained on lie {true_near:.1f} away (the least {true_nearest:.1f}).

## What it cannot do

{limits}

## Parts

- `unet`: the denoiser, widths {widths} on grids of 8x8 and 4x4, cross-attention on both.
- `text_encoder`: a CLIP text encoder, 2 layers, width 160, 24 tokens.
- `vae`: latents of 40x8x8, principal components of patches; encoder by construction, decoder trained.
- `scheduler`: DDIM, v-prediction, 1,000 timesteps, scaled-linear betas rescaled to zero terminal SNR, trailing spacing.

Matrices and kernels of denoiser and text encoder are stored as eight-bit floats (E4M3), all else in half precision;
diffusers loads all of it in single precision unless it is told otherwise.

## Data, licence, recipe

Pictures: Microsoft's Fluent Emoji (MIT; npm `@lobehub/fluent-emoji-3d` 1.1.0). Names: `emojibase-data` 17 (MIT). See
`NOTICE`. They are composed at random into captioned scenes during the training; no picture is kept here. The weights
are under Darkroom's MIT licence.

`python -m generation.training`, seed {seed}: {pictures} pictures on CPU; AdamW, batches of {batch}, learning rate
{rate} (twice that for cross-attention and text encoder), falling at the end; one caption in ten dropped; an average of
the weights is what ships. From 450,528 to 1,470,016 pictures only what reads words learnt (`--part words`).

{stages}

What was tried, failures included: `docs/decisions/0001`, `0003` to `0007`, `0009` and `0014` to `0016`.
"""


def write_card(model: Path, evaluation: Path) -> None:
    """Write MODEL_CARD.md into the model's folder."""
    recipe, taught = _read(model / "recipe.json"), _read(model / "vocabulary.json")
    figures = _read(evaluation)
    rows = [
        f"| {title} | {_percent(figures[name])} | {_percent(figures[f'true_{name}'])} |" for title, name in MEASURES
    ]
    (model / "MODEL_CARD.md").write_text(
        TEMPLATE.format(
            count=len(taught["things"]),
            names=", ".join(thing["name"] for thing in taught["things"]),
            colours=", ".join(taught["colours"]),
            accessories=", ".join(taught["accessories"]),
            mounts=", ".join(taught["mounts"]),
            left_out=_left_out(len(taught["things"]), recipe["pictures_seen"]),
            table="\n".join(rows),
            fox=round(10 * figures["fox_card"]),
            astronaut=round(10 * figures["astronaut_card"]),
            apart=round(figures["seeds_apart_median"]),
            compared=round(figures["nearest_scene_among"]),
            near=figures["nearest_scene_median"],
            nearest=figures["nearest_scene_least"],
            true_near=figures["true_nearest_scene_median"],
            true_nearest=figures["true_nearest_scene_least"],
            limits=LIMITS,
            prompts=figures["prompts"],
            guidance=diffusion.GUIDANCE,
            widths=" and ".join(str(width) for width in recipe["channels"]),
            seed=recipe["seed"],
            pictures=f"{recipe['pictures_seen']:,}",
            batch=recipe["batch"],
            rate=recipe["learning_rate"],
            stages="\n".join(_stages(recipe["pictures_seen"])),
        )
    )


def _left_out(count: int, pictures: int) -> str:
    """What is to be said of things that were shown to the model and are not listed."""
    last = next(stage for stage in diffusion.CURRICULUM if pictures <= stage.until)
    shown = len(things(last.wave))
    if shown == count:
        return ""
    return (
        f"\n{shown} things were shown in the training; the {shown - count} that are not listed were not recognised by"
        "\nboth judges in two of three pictures, made with other seeds than those of the table; what is worn or ridden"
        "\nis listed always."
    )


def _stages(pictures: int) -> list[str]:
    """What a training on so many pictures was made of, stage by stage."""
    begun = [0, *(stage.until for stage in diffusion.CURRICULUM)]
    return [
        _stage(stage, min(stage.until, pictures))
        for stage, first in zip(diffusion.CURRICULUM, begun, strict=False)
        if first < pictures
    ]


def _stage(stage: diffusion.Stage, until: int) -> str:
    shares = ", ".join(f"{100 * share:.3g} % {kind}" for kind, share in vars(stage.mixture).items() if share)
    count, newest = len(things(stage.wave)), len(things(stage.wave)) - len(things(stage.wave - 1))
    some = f"the {len(stage.favoured)} hardest" if stage.favoured else f"the newest {newest}"
    leaning = f", {some} of them {stage.favour} times as often" if stage.favour > 1 else ""
    if stage.favoured_colours:
        leaning += f", so {' and '.join(stage.favoured_colours)} among colours"
    if stage.backdrop != BACKDROP:
        leaning += f", {_percent(stage.backdrop)} on a coloured background"
    if stage.clear:
        leaning += f", {_percent(stage.clear)} of all but the noisiest at timesteps below {diffusion.CLEAR}"
    return f"- until {until:,} pictures: {count} things{leaning}; {shares}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
