"""The `AutoencoderKL` of the pocket model: an encoder by construction, a decoder by training.

The encoder computes `latents.Code` exactly enough (error about a thousandth) with the ordinary
layers of diffusers' encoder: strided convolutions as averaging and space-to-depth, resnets that pass
their input on, and a last GroupNorm and SiLU made linear: pairs of +x and -x, since
SiLU(x) - SiLU(-x) = x, beside large constants that pin the norm's deviation. Only the decoder learns.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from generation.training import latents
from generation.training.compose import Composer, Mixture

WIDTHS = (16, 24, 48, 96, 128)
GROUPS = 8
PIN = 30.0  # the constants that pin the last norm; far above any latent
BATCH = 24
CROPPED_SHARE = 0.8  # of the training sees crops of CROP x CROP cells: four times the steps in the same time
CROP = 4
LEARNING_RATE = 1e-3
LATENT_NOISE = 0.12  # largest deviation of the noise added to latents, as a denoiser's latents are never exact
MIXTURE = Mixture(canonical=0.1, single=0.2, coloured=0.2, pair=0.2, worn=0.12, ridden=0.14, count=0.04)


def new_autoencoder(code: latents.Code) -> AutoencoderKL:
    """An autoencoder whose encoder writes `code` and whose decoder is still random."""
    levels = len(WIDTHS)
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        latent_channels=latents.CHANNELS,
        norm_num_groups=GROUPS,
        mid_block_add_attention=False,
        sample_size=latents.FULL,
        scaling_factor=1.0,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    with torch.no_grad():
        _construct_encoder(vae.encoder, code)
        _begin_decoder(vae.decoder, code)
    for weight in vae.encoder.parameters():
        weight.requires_grad_(False)
    return vae


def _construct_encoder(encoder: Any, code: latents.Code) -> None:
    for weight in encoder.parameters():
        weight.zero_()
    for module in encoder.modules():
        if isinstance(module, nn.GroupNorm):
            module.weight.fill_(1)
    blocks = encoder.down_blocks
    for c in range(3):
        encoder.conv_in.weight[c, c, 1, 1] = 1
        blocks[0].downsamplers[0].conv.weight[c, c, :2, :2] = 0.25  # 128 -> 64 pixels: the mean of four
    _pass_on(blocks[1], 3)
    _space_to_depth(blocks[1].downsamplers[0].conv, 3)
    _pass_on(blocks[2], 12)
    _space_to_depth(blocks[2].downsamplers[0].conv, 12)
    _pass_on(blocks[3], 48)
    _project(blocks[3].downsamplers[0].conv, code)
    _linear_tail(encoder)


def _begin_decoder(decoder: Any, code: latents.Code) -> None:
    """Let the decoder begin as plain enlargement: it gains 3 dB in the first hundred steps over a random one.

    Residual branches add nothing yet, upsampling convolutions pass on, and fine components, whose
    deviation is small, come in as strong as coarse ones.
    """
    decoder.conv_in.weight /= torch.from_numpy(code.deviation).view(1, -1, 1, 1)
    for name, module in decoder.named_modules():
        if name.endswith("conv2"):
            module.weight.zero_()
            module.bias.zero_()
        elif name.endswith("upsamplers.0.conv"):
            module.weight.mul_(0.1)
            module.weight[:, :, 1, 1] += torch.eye(module.weight.shape[0])


def _pass_on(block: Any, channels: int) -> None:
    """Let the first `channels` through the resnet's shortcut; its two convolutions add nothing."""
    for c in range(channels):
        block.resnets[0].conv_shortcut.weight[c, c, 0, 0] = 1


def _space_to_depth(convolution: Any, channels: int) -> None:
    """Halve the picture, keeping all pixels: output (row, column, channel) of each 2x2 block."""
    for row in range(2):
        for column in range(2):
            for c in range(channels):
                convolution.weight[(row * 2 + column) * channels + c, c, row, column] = 1


def _project(convolution: Any, code: latents.Code) -> None:
    """The last halving and the projection of whole patches on the components, in one convolution."""
    basis = torch.from_numpy(code.encode)
    for y in range(latents.PATCH):
        for x in range(latents.PATCH):
            for c in range(3):
                pixel = basis[(y * latents.PATCH + x) * 3 + c]
                convolution.weight[: latents.CHANNELS, _depth(y, x) + c, y // 4, x // 4] = pixel
    convolution.bias[: latents.CHANNELS] = -torch.from_numpy(code.mean @ code.encode)


def _depth(y: int, x: int) -> int:
    """A pixel's first channel after two space-to-depths: row and column bits from fine to coarse."""
    return ((y // 2 % 2) * 2 + x // 2 % 2) * 12 + ((y % 2) * 2 + x % 2) * 3


def _linear_tail(encoder: Any) -> None:
    """Make conv_norm_out, SiLU and conv_out the identity on the latents, with no variance."""
    shortcut = encoder.down_blocks[-1].resnets[0].conv_shortcut
    members = WIDTHS[-1] // GROUPS
    for k in range(latents.CHANNELS):
        place = (k % GROUPS) * members + (k // GROUPS) * 2
        shortcut.weight[place, k, 0, 0] = 1
        shortcut.weight[place + 1, k, 0, 0] = -1
        encoder.conv_out.weight[k, place, 1, 1] = 1
        encoder.conv_out.weight[k, place + 1, 1, 1] = -1
    for group in range(GROUPS):
        shortcut.bias[(group + 1) * members - 2] = PIN
        shortcut.bias[(group + 1) * members - 1] = -PIN
    encoder.conv_norm_out.weight.fill_(PIN * (2 / members) ** 0.5)
    encoder.conv_out.bias[latents.CHANNELS :] = -30.0


def code_of(vae: AutoencoderKL, halves: latents.Pixels) -> latents.Code:
    """The code that the encoder of a released autoencoder writes, read back from its weights.

    What the weights do not hold (mean patch and decoding basis) is the least-squares fit on `halves`, pictures
    [n, 64, 64, 3]; the mean is then moved so that the encoder's offset comes out exactly.
    """
    convolution = vae.encoder.down_blocks[3].downsamplers[0].conv
    kernel, offset = (
        tensor.detach().float().numpy()[: latents.CHANNELS] for tensor in (convolution.weight, convolution.bias)
    )
    encode = np.zeros((latents.PATCH**2 * 3, latents.CHANNELS), np.float32)
    for y in range(latents.PATCH):
        for x in range(latents.PATCH):
            place = _depth(y, x)
            encode[(y * latents.PATCH + x) * 3 :][:3] = kernel[:, place : place + 3, y // 4, x // 4].T
    flat = latents.patches(halves).reshape(-1, len(encode))
    coded = flat @ encode + offset
    with_one = np.concatenate([coded, np.ones((len(coded), 1), np.float32)], axis=1)
    fitted = np.linalg.lstsq(with_one, flat, rcond=None)[0]
    decode, mean = fitted[:-1], fitted[-1]
    mean = mean - (mean @ encode + offset) @ np.linalg.pinv(encode)
    return latents.Code(mean.astype(np.float32), encode, decode.astype(np.float32), coded.std(0).astype(np.float32))


def halve(full: np.ndarray) -> np.ndarray:
    """Pictures [n, 128, 128, 3] at half size, each pixel the mean of four."""
    count = len(full)
    cells = full.reshape(count, latents.HALF, 2, latents.HALF, 2, 3).astype(np.float32)
    halves: np.ndarray = cells.mean((2, 4))
    return halves


def to_tensor(full: np.ndarray) -> Tensor:
    """Pictures [n, s, s, 3] of bytes as [n, 3, s, s] in -1..1."""
    return torch.from_numpy(full).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_decoder(
    folder: Path, composer: Composer, *, until: int, cooldown: int, seed: int, minutes: float | None
) -> None:
    """Train the decoder until `until` pictures have been seen; resumes, logs, and draws samples."""
    vae = new_autoencoder(latents.Code.load(folder / "code.npz"))
    code = latents.Code.load(folder / "code.npz")
    torch.manual_seed(seed)
    weights = list(vae.decoder.parameters())
    average = [weight.detach().clone() for weight in weights]
    optimizer = torch.optim.AdamW(weights, LEARNING_RATE, betas=(0.9, 0.99))
    checkpoint, step = folder / "decoder.safetensors", 0
    if checkpoint.exists():
        step = _resume(vae, average, checkpoint)
    began, first, errors = time.monotonic(), step, list[float]()
    while step * BATCH < until and (minutes is None or time.monotonic() - began < minutes * 60):
        rng = random.Random(seed * 1_000_003 + step)
        full = np.stack([composer.paint(composer.scene(rng, MIXTURE), latents.FULL) for _ in range(BATCH)])
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * _warmth(step - first, until - step * BATCH, cooldown)
        latent = code.latents(halve(full))
        if step * BATCH < CROPPED_SHARE * until:
            latent, full = _crop(rng, latent, full)
        errors.append(_decoder_step(vae, optimizer, latent, full, step))
        step += 1
        torch._foreach_lerp_(average, [weight.detach() for weight in weights], 1 - min(0.998, step / (step + 20.0)))
        if step % 100 == 0:
            speed = (step - first) * BATCH / (time.monotonic() - began)
            psnr = 10 * np.log10(4 / np.mean(errors))
            print(f"decoder: {step * BATCH} pictures, {psnr:.2f} dB, {speed:.1f} a second", flush=True)
            errors.clear()
        if step % 400 == 0:
            _save(vae, average, step, checkpoint)
    _save(vae, average, step, checkpoint)
    print(f"decoder: {judge_decoder(folder, composer)}", flush=True)


def _decoder_step(
    vae: AutoencoderKL, optimizer: torch.optim.Optimizer, coded: np.ndarray, full: np.ndarray, step: int
) -> float:
    """One step; returns the mean squared error (pictures in -1..1)."""
    draws = torch.Generator().manual_seed(step)
    latent = torch.from_numpy(coded)
    strength = LATENT_NOISE * torch.rand(len(full), 1, 1, 1, generator=draws) ** 2
    latent = latent + torch.randn(latent.shape, generator=draws) * strength
    target = to_tensor(full)
    decoded = vae.decode(latent).sample
    squared = (decoded - target).pow(2).mean()
    edges = sum(((decoded.diff(dim=d) - target.diff(dim=d)).abs().mean() for d in (2, 3)), start=torch.zeros(()))
    loss = (decoded - target).abs().mean() + 2 * squared + 0.5 * edges
    loss.backward()
    nn.utils.clip_grad_norm_(vae.decoder.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return float(squared.item())


def _crop(rng: random.Random, coded: np.ndarray, full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same crop of all latents and of their pictures."""
    cell = latents.FULL // latents.GRID
    row, column = rng.randrange(latents.GRID - CROP + 1), rng.randrange(latents.GRID - CROP + 1)
    rows, columns = slice(row * cell, (row + CROP) * cell), slice(column * cell, (column + CROP) * cell)
    return coded[:, :, row : row + CROP, column : column + CROP].copy(), full[:, rows, columns].copy()


def load_decoder(folder: Path) -> AutoencoderKL:
    """The autoencoder with the averaged decoder of the newest checkpoint."""
    vae = new_autoencoder(latents.Code.load(folder / "code.npz"))
    tensors = load_file(folder / "decoder.safetensors")
    with torch.no_grad():
        for name, weight in vae.decoder.named_parameters():
            weight.copy_(tensors[f"average.{name}"])
    return vae.eval()


@torch.no_grad()
def judge_decoder(folder: Path, composer: Composer, count: int = 48) -> dict[str, float]:
    """Error of encoder and decoder on scenes not trained on, and a sheet of originals above results."""
    vae, code, rng = load_decoder(folder), latents.Code.load(folder / "code.npz"), random.Random(99_999_999)
    full = np.stack([composer.paint(composer.scene(rng, MIXTURE), latents.FULL) for _ in range(count)])
    latent = torch.from_numpy(code.latents(halve(full)))
    encoded = vae.encode(to_tensor(full)).latent_dist.mode()
    decoded = vae.decode(encoded).sample.clamp(-1, 1)
    error = (decoded - to_tensor(full)).pow(2).mean()
    rows = [((half.clamp(-1, 1) + 1) * 127.5).byte() for half in (to_tensor(full)[:10], decoded[:10])]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1).permute(1, 2, 0).numpy()
    (folder / "samples").mkdir(exist_ok=True)
    Image.fromarray(sheet).save(folder / "samples" / "decoder.png")
    return {
        "encoder_error": round(float((encoded - latent).pow(2).mean().sqrt() / latent.std()), 5),
        "psnr_db": round(float(10 * torch.log10(4 / error)), 2),
    }


def _warmth(step: int, pictures_left: int, cooldown: int) -> float:
    return min(1.0, (step + 1) / 50) * (1.0 if pictures_left >= cooldown else max(0.03, pictures_left / cooldown))


def keep_decoder(vae: AutoencoderKL, folder: Path) -> None:
    """Write the decoder of a released autoencoder as a checkpoint, so that a new denoiser is trained to its code."""
    weights = [weight.detach().float().clone() for weight in vae.decoder.parameters()]
    _save(vae.float(), weights, 0, folder / "decoder.safetensors")


def _save(vae: AutoencoderKL, average: list[Tensor], step: int, path: Path) -> None:
    tensors: dict[str, Tensor] = {}
    for (name, weight), mean in zip(vae.decoder.named_parameters(), average, strict=True):
        tensors |= {f"weight.{name}": weight.detach().contiguous(), f"average.{name}": mean.contiguous()}
    tensors["step"] = torch.tensor(step)
    draft = path.with_suffix(".part")
    save_file(tensors, draft)
    draft.replace(path)


def _resume(vae: AutoencoderKL, average: list[Tensor], path: Path) -> int:
    """Weights and average from a checkpoint (the optimizer warms up afresh); returns the step."""
    tensors = load_file(path)
    with torch.no_grad():
        for (name, weight), mean in zip(vae.decoder.named_parameters(), average, strict=True):
            weight.copy_(tensors[f"weight.{name}"])
            mean.copy_(tensors[f"average.{name}"])
    return int(tensors["step"])
