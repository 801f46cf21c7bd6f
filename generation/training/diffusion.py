"""Trains the denoiser and the text encoder of the pocket model, resumably.

v-prediction (Salimans & Ho 2022) on a scaled-linear schedule rescaled to zero terminal SNR (Lin et
al. 2023); a tenth of the captions dropped for classifier-free guidance (Ho & Salimans 2022); an
exponential moving average of the weights is what is sampled and shipped. Every random draw of a step
is seeded by the step's number, so a stopped training goes on as if it had not stopped. Checkpoints
are safetensors files in the working folder, never in the repository.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from generation.models import pocket_model
from generation.training import latents, text
from generation.training.compose import BACKDROP, Composer, Mixture, Scene
from generation.training.sprites import Rgba, load_sprites
from generation.training.vocabulary import ALL_WAVES, things

CHANNELS = (128, 224)
BATCH = 32
LEARNING_RATE = 9e-4  # of the denoiser; cross-attention and text encoder learn twice as fast
WARM_UP = 100  # steps
DROPPED_CAPTIONS = 0.1
CLEAR = 300  # timesteps in which a picture is hardly noisy
GUIDANCE = pocket_model().guidance_scale  # with which it is sampled and judged, as where nobody asks for another
AVERAGE_EVERY = 4  # steps
AVERAGE_DECAY = 0.99  # per averaging; 0.997 until 671,584 pictures, which lags behind where new things are learnt

Part = Literal["all", "words"]

PROMPTS = (
    "a fox", "a cat", "a rocket", "an elephant", "a lion", "a unicorn", "a snail", "a castle", "a guitar",
    "an umbrella", "a pumpkin", "a helicopter", "a zebra", "a parrot", "a lobster", "a croissant", "a trumpet",
    "a motorcycle", "a wizard", "a backpack", "a green cat", "a blue star", "a red castle", "a pink guitar",
    "a pizza on a purple background", "a blue cat next to a yellow star", "a banana above a car",
    "a lion next to a rose", "a panda wearing a crown", "a koala wearing sunglasses", "two penguins",
    "a bee on a sunflower", "a red fox wearing sunglasses on a skateboard", "an astronaut riding a horse",
    "a tiger on a skateboard", "a ghost wearing a hat", "a robot riding a bicycle", "a shark to the left of a boat",
    "a snake on a tractor", "a blue wolf next to a rose",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """What is trained on until this many pictures have been seen."""

    until: int
    wave: int
    mixture: Mixture
    favour: int = 1  # how many times as often some things and colours are drawn as the others
    favoured: tuple[str, ...] = ()  # the labels of those things; none given, they are this wave's
    favoured_colours: tuple[str, ...] = ()  # those colours
    backdrop: float = BACKDROP  # how often the background has a colour that a caption can name
    clear: float = 0.0  # which part of a batch, but for its noisiest eighth, is drawn from the lowest CLEAR timesteps

    def composer(self, sprites: dict[str, Rgba]) -> Composer:
        """Who makes this stage's scenes."""
        return Composer(
            things(self.wave),
            sprites,
            self.favour,
            self.favoured,
            favoured_colours=self.favoured_colours,
            backdrop=self.backdrop,
        )


_SCENES = Mixture(canonical=0.10, single=0.10, coloured=0.27, pair=0.25, worn=0.11, ridden=0.14, count=0.03)
_PAIRS = Mixture(canonical=0.06, single=0.05, coloured=0.30, pair=0.50, worn=0.03, ridden=0.05, count=0.01)
_COLOURS = Mixture(canonical=0.02, single=0.03, coloured=0.46, pair=0.42, worn=0.025, ridden=0.035, count=0.01)
_TINTS = Mixture(canonical=0.02, single=0.03, coloured=0.74, pair=0.14, worn=0.025, ridden=0.035, count=0.01)
_WIDENING = Mixture(canonical=0.34, single=0.10, coloured=0.20, pair=0.18, worn=0.07, ridden=0.09, count=0.02)

# Taught like the others, and yet not recognised often enough to be listed after 1,103,392 pictures.
_UNSURE = (
    "cloud", "rose", "hot beverage", "light bulb", "deer", "hedgehog", "swan", "pancakes", "glass of milk", "beer mug",
    "christmas tree", "t-shirt", "hammer", "coin", "peanuts",
)  # fmt: skip

# The same after 1,470,016, and what was then most often taken for something else when recoloured.
_FAINT = (
    "spouting whale", "glass of milk", "cocktail glass", "christmas tree", "broom", "coin", "mermaid", "gem stone",
    "hedgehog", "peanuts", "paintbrush", "t-rex", "crab", "anchor", "headphone", "princess", "snowflake", "sunflower",
)  # fmt: skip

_ON_BACKDROPS = Stage(
    1_550_400,
    3,
    Mixture(canonical=0.04, single=0.06, coloured=0.55, pair=0.25, worn=0.03, ridden=0.05, count=0.02),
    favour=2,
    favoured=_FAINT,
    favoured_colours=("gray", "white"),
    backdrop=0.6,
)

# What went wrong on the way, and what was changed for it: docs/decisions/0003 to 0005, 0007 and 0014 to 0016.
CURRICULUM = (
    Stage(55_000, 2, Mixture(canonical=0.48, coloured=0.22, pair=0.15, worn=0.06, ridden=0.06, count=0.03)),
    Stage(90_000, 1, Mixture(canonical=0.46, coloured=0.24, pair=0.13, worn=0.06, ridden=0.09, count=0.02)),
    Stage(
        260_800,
        1,
        Mixture(canonical=0.20, single=0.15, coloured=0.17, pair=0.19, worn=0.11, ridden=0.15, count=0.03),
    ),
    # from here on everything is placed on whole latent cells, and from 373,216 on in one of two sizes
    Stage(450_528, 1, _SCENES),
    Stage(530_000, 2, _WIDENING, favour=3),
    Stage(720_000, 3, _WIDENING, favour=3),
    Stage(772_096, 3, _SCENES),
    Stage(1_103_392, 3, _PAIRS),
    Stage(1_310_400, 3, _COLOURS, favour=3, favoured=_UNSURE),
    Stage(1_470_016, 3, _TINTS, favour=3, favoured=_UNSURE),
    # from here on all weights learn again, not only those that read words
    _ON_BACKDROPS,
    replace(_ON_BACKDROPS, until=10**9, clear=0.4),
)


def composers(folder: Path) -> dict[Stage, Composer]:
    """The composer of each stage of the training, with the sprites that are found in the working folder."""
    sprites = load_sprites(folder, [thing.label for thing in things(ALL_WAVES)])
    return {stage: stage.composer(sprites) for stage in CURRICULUM}


def stage_of(step: int) -> Stage:
    """The stage that a training is at in this step."""
    return next(stage for stage in CURRICULUM if step * BATCH < stage.until)


def scenes_of(step: int, composer_of: Mapping[Stage, Composer], seed: int) -> tuple[Composer, list[Scene]]:
    """The scenes that a training of this seed shows in this step, and who paints them: the same at every call."""
    stage = stage_of(step)
    composer, rng = composer_of[stage], random.Random(seed * 1_000_003 + step)
    return composer, [composer.scene(rng, stage.mixture) for _ in range(BATCH)]


def new_scheduler() -> DDIMScheduler:
    """The noise schedule that is trained on and shipped."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,  # not used with trailing spacing, but pipelines ask for it
        clip_sample=False,
    )


def new_unet() -> UNet2DConditionModel:
    """The denoiser: two levels, 8x8 and 4x4, cross-attention on both."""
    return UNet2DConditionModel(
        sample_size=latents.GRID,
        in_channels=latents.CHANNELS,
        out_channels=latents.CHANNELS,
        block_out_channels=list(CHANNELS),
        layers_per_block=1,
        cross_attention_dim=text.WIDTH,
        attention_head_dim=[width // 32 for width in CHANNELS],  # diffusers reads this as the number of heads
        norm_num_groups=16,
        down_block_types=["CrossAttnDownBlock2D"] * len(CHANNELS),
        up_block_types=["CrossAttnUpBlock2D"] * len(CHANNELS),
        use_linear_projection=True,
    )


class Training:
    """The state of a training: weights, their average, the optimizer, and how many steps were made."""

    def __init__(self, tokenizer: CLIPTokenizer, seed: int, part: Part = "all") -> None:
        torch.manual_seed(seed)
        self.seed = seed
        self.step = 0
        self.first_step = 0  # of the optimizer, which a released model comes without
        self.tokenizer = tokenizer
        self.unet = new_unet().to(memory_format=torch.channels_last)
        self.encoder = text.new_text_encoder(tokenizer)
        self.scheduler = new_scheduler()
        self.names = [f"unet.{name}" for name, _ in self.unet.named_parameters()]
        self.names += [f"text_encoder.{name}" for name, _ in self.encoder.named_parameters()]
        self.weights = [*self.unet.parameters(), *self.encoder.parameters()]
        for name, weight in zip(self.names, self.weights, strict=True):
            weight.requires_grad_(part == "all" or _of_words(name))
        fast = [".attn2." in name or name.startswith("text_encoder.") for name in self.names]
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": [w for w, hot in zip(self.weights, fast, strict=True) if w.requires_grad and not hot],
                    "speed": 1.0,
                },
                {"params": [w for w, hot in zip(self.weights, fast, strict=True) if hot], "speed": 2.0},
            ],
            lr=LEARNING_RATE,
            betas=(0.9, 0.99),
            weight_decay=1e-3,
            fused=True,
        )
        self.average = [weight.detach().clone() for weight in self.weights]
        self._ids: dict[str, list[int]] = {}

    @property
    def pictures(self) -> int:
        """How many training pictures have been seen."""
        return self.step * BATCH

    def ids(self, caption: str) -> list[int]:
        """The caption as `text.TOKENS` token ids."""
        if caption not in self._ids:
            encoded = self.tokenizer(caption, padding="max_length", max_length=text.TOKENS, truncation=True)
            self._ids[caption] = encoded.input_ids
            if len(self._ids) > 200_000:
                self._ids.clear()
                return list(encoded.input_ids)
        return self._ids[caption]

    def advance(self, pictures: np.ndarray, captions: list[str], learning_rate: float) -> float:
        """One step on latents [BATCH, 40, 8, 8] and their captions; returns the loss."""
        draws = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        clean = torch.from_numpy(pictures)
        dropped = torch.rand(len(captions), generator=draws) < DROPPED_CAPTIONS
        ids = torch.tensor([self.ids("" if drop else caption) for drop, caption in zip(dropped, captions, strict=True)])
        timesteps = draw_timesteps(len(captions), draws, stage_of(self.step).clear)
        noise = torch.randn(clean.shape, generator=draws)
        noisy = self.scheduler.add_noise(clean, noise, timesteps)
        target = self.scheduler.get_velocity(clean, noise, timesteps)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        predicted = self.unet(noisy, timesteps, self.encoder(ids).last_hidden_state).sample
        loss = torch.nn.functional.mse_loss(predicted, target)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["speed"]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            decay = min(AVERAGE_DECAY, self.step / (self.step + 40.0))
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self.weights], 1 - decay)
        return loss.item()

    # --- checkpoints ---------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write everything that `resume` needs, to a temporary name first."""
        tensors: dict[str, torch.Tensor] = {}
        for name, weight, average in zip(self.names, self.weights, self.average, strict=True):
            tensors |= {f"weight.{name}": weight.detach(), f"average.{name}": average}
            if weight.requires_grad:
                state = self.optimizer.state[weight]
                tensors |= {f"first.{name}": state["exp_avg"], f"second.{name}": state["exp_avg_sq"]}
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        draft = path.with_suffix(".part")
        save_file(tensors, draft, metadata={"step": str(self.step), "seed": str(self.seed)})
        draft.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint; for what was not trained in it the optimizer begins afresh, and warms up again."""
        tensors = load_file(path)
        with torch.no_grad():
            for name, weight, average in zip(self.names, self.weights, self.average, strict=True):
                weight.copy_(tensors[f"weight.{name}"])
                average.copy_(tensors[f"average.{name}"])
        self.step = int(_metadata(path)["step"])
        for name, weight in zip(self.names, self.weights, strict=True):
            if weight.requires_grad and f"first.{name}" not in tensors:
                self.first_step = self.step
            elif weight.requires_grad:
                self.optimizer.state[weight] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": tensors[f"first.{name}"].clone(),
                    "exp_avg_sq": tensors[f"second.{name}"].clone(),
                }

    def go_on_from(self, released: Path) -> None:
        """Take up the weights of a released model, in which the optimizer's state is missing.

        Raises:
            KeyError: the released model has other parts than this training.
        """
        parts = {"unet.": "unet/diffusion_pytorch_model.safetensors", "text_encoder.": "text_encoder/model.safetensors"}
        tensors = {
            prefix + name: tensor
            for prefix, file in parts.items()
            for name, tensor in load_file(released / file).items()
        }
        with torch.no_grad():
            for name, weight, average in zip(self.names, self.weights, self.average, strict=True):
                weight.copy_(tensors[name])
                average.copy_(tensors[name])
        self.step = json.loads((released / "recipe.json").read_text())["pictures_seen"] // BATCH
        self.first_step = self.step

    def swap_average(self) -> None:
        """Exchange the weights with their average (call it again to go back)."""
        with torch.no_grad():
            for weight, average in zip(self.weights, self.average, strict=True):
                kept = weight.detach().clone()
                weight.copy_(average)
                average.copy_(kept)

    @torch.no_grad()
    def sample(
        self, prompts: tuple[str, ...], *, seed: int = 1, steps: int = 25, guidance: float = GUIDANCE
    ) -> np.ndarray:
        """Latents [n, 40, 8, 8] that the averaged weights make of these prompts."""
        self.swap_average()
        ids = torch.tensor([self.ids(prompt) for prompt in prompts] + [self.ids("")] * len(prompts))
        states = self.encoder(ids).last_hidden_state
        scheduler = new_scheduler()
        scheduler.set_timesteps(steps)
        shape = (len(prompts), latents.CHANNELS, latents.GRID, latents.GRID)
        latent = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        for timestep in scheduler.timesteps:
            both = self.unet(torch.cat([latent, latent]), timestep, states).sample
            conditional, unconditional = both.chunk(2)
            velocity = unconditional + guidance * (conditional - unconditional)
            latent = scheduler.step(velocity, timestep, latent).prev_sample
        self.swap_average()
        return np.asarray(latent)


def _of_words(name: str) -> bool:
    """Whether a parameter belongs to what reads words: the text encoder and attention, and the group norms.

    Torch 2.13 can leave out none of a group norm's gradients on a CPU (it crashes), so its vectors learn too, and
    the bias before the first of them. Other convolutions' biases do not: oneDNN computes a kernel's gradient
    along with each, a seventh of a step in all.
    """
    return name.startswith("text_encoder.") or ".attentions." in name or "norm" in name or name == "unet.conv_in.bias"


def train(
    folder: Path,
    composer_of: Mapping[Stage, Composer],
    *,
    until: int,
    cooldown: int,
    seed: int,
    minutes: float | None,
    released: Path | None = None,
    part: Part = "all",
) -> None:
    """Train until `until` pictures have been seen, the learning rate falling over the last `cooldown` of them.

    Resumes from `folder/diffusion.safetensors` where there is one, else goes on from the model in `released`, if one is
    named. Writes log.jsonl and sample grids. With `part` "words" only what reads words is trained; all else stays bit
    for bit.
    """
    code = latents.Code.load(folder / "code.npz")
    training = Training(text.load_tokenizer(folder / "tokenizer"), seed, part)
    checkpoint = folder / "diffusion.safetensors"
    if checkpoint.exists():
        training.resume(checkpoint)
    elif released is not None:
        training.go_on_from(released)
    began, seen, losses = time.monotonic(), training.pictures, list[float]()
    saved = sampled = training.pictures
    while training.pictures < until and (minutes is None or time.monotonic() - began < minutes * 60):
        composer, scenes = scenes_of(training.step, composer_of, seed)
        coded = code.latents(np.stack([composer.paint(scene, latents.HALF) for scene in scenes]))
        rate = _learning_rate(training.step - training.first_step, until - training.pictures, cooldown)
        losses.append(training.advance(coded, [scene.caption for scene in scenes], rate))
        if training.step % 50 == 0:
            speed = (training.pictures - seen) / (time.monotonic() - began)
            _log(
                folder,
                pictures=training.pictures,
                loss=round(float(np.mean(losses)), 4),
                rate=rate,
                speed=round(speed, 1),
            )
            losses.clear()
        if training.pictures - saved >= 5_000:
            training.save(checkpoint)
            saved = training.pictures
        if training.pictures - sampled >= 15_000:
            _grid(training, code, folder / "samples" / f"{training.pictures:07d}.png")
            sampled = training.pictures
    training.save(checkpoint)
    _grid(training, code, folder / "samples" / f"{training.pictures:07d}.png")


def draw_timesteps(count: int, draws: torch.Generator, clear: float) -> torch.Tensor:
    """Timesteps mostly at middle noise, an eighth of them at the very noisy end, where the layout is decided.

    The part `clear` of the others is drawn from the lowest CLEAR, where a picture gets its outlines and textures. Each
    of the rest comes from its own one of `count` equal shares of the distribution, so that no batch is noisier than
    another (Kingma et al. 2021, appendix I.1); until 1,103,392 pictures they were drawn independently.
    """
    share = (torch.randperm(count, generator=draws) + torch.rand(count, generator=draws)) / count
    timesteps = (1000 * torch.sigmoid(torch.special.ndtri(share) * 1.2 + 0.4)).long().clamp(0, 999)
    timesteps[: round(clear * count)] = torch.randint(0, CLEAR, (round(clear * count),), generator=draws)
    timesteps[::8] = torch.randint(900, 1000, (len(timesteps[::8]),), generator=draws)
    return timesteps


def _learning_rate(step: int, pictures_left: int, cooldown: int) -> float:
    warm = min(1.0, (step + 1) / WARM_UP)
    cool = 1.0 if pictures_left >= cooldown else max(0.03, pictures_left / cooldown)
    return LEARNING_RATE * warm * cool


def _grid(training: Training, code: latents.Code, path: Path, columns: int = 8, zoom: int = 2) -> None:
    """Sample PROMPTS and save them side by side, decoded linearly."""
    pictures = code.halves(training.sample(PROMPTS))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * latents.HALF * zoom, rows * latents.HALF * zoom))
    for i, pixels in enumerate(pictures):
        picture = Image.fromarray(pixels).resize((latents.HALF * zoom,) * 2, Image.Resampling.BICUBIC)
        sheet.paste(picture, (i % columns * picture.width, i // columns * picture.height))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _log(folder: Path, **entry: float) -> None:
    line = json.dumps({"time": round(time.time()), **entry})
    with (folder / "log.jsonl").open("a") as log:
        log.write(line + "\n")
    print(line, flush=True)


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def recipe() -> dict[str, object]:
    """The settings of this training, for the model card."""
    return {
        "channels": CHANNELS,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "dropped_captions": DROPPED_CAPTIONS,
        "average_decay": AVERAGE_DECAY,
        "curriculum": [asdict(stage) for stage in CURRICULUM],
    }
