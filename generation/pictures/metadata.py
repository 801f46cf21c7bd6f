"""What a picture's file says of how it was made: PNG text as the tools that people use write and read it.

The `parameters` chunk follows the web UI by AUTOMATIC1111, which Civitai, SD Prompt Reader and others understand: the
prompt, a line with the negative prompt, a line of `name: value` pairs. Pixels are not touched. Knows no signatures and
no front end.
"""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
import zlib

from PIL import Image

from generation.pictures.draw import UNREADABLE, PictureError
from generation.request import RunFacts

PARAMETERS = "parameters"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_END = 33  # bytes of signature and IHDR, after which text may stand
MOST_TEXT = 20_000  # characters that are read back

SAMPLERS = {  # diffusers' classes by the names that the tools know
    "DDIMScheduler": "DDIM",
    "EulerDiscreteScheduler": "Euler",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "HeunDiscreteScheduler": "Heun",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSDEScheduler": "DPM++ SDE",
    "DPMSolverSinglestepScheduler": "DPM++ 2S",
    "UniPCMultistepScheduler": "UniPC",
    "LMSDiscreteScheduler": "LMS",
    "PNDMScheduler": "PLMS",
    "LCMScheduler": "LCM",
    "FlowMatchEulerDiscreteScheduler": "Euler",
}


def parameters(run: RunFacts) -> str:
    """The request and the model of a run, as the `parameters` of common tools."""
    request = run.request
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    values: dict[str, object] = {
        "Steps": request.steps,
        "Sampler": SAMPLERS.get(run.scheduler, run.scheduler),
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": request.seed,
        "Size": f"{run.width}x{run.height}",
        "Model hash": run.weights_sha256[:10],
        "Model": run.model,
    }
    if request.strength is not None:
        values["Denoising strength"] = f"{request.strength:g}"
    if run.final_touches:
        values["Final touches"] = "; ".join(run.final_touches)
    values["Version"] = f"Darkroom {run.versions.get('darkroom', '')}".strip()
    lines.append(", ".join(f"{name}: {_value(value)}" for name, value in values.items()))
    return "\n".join(lines)


def with_text(png: bytes, run: RunFacts) -> bytes:
    """The PNG file with the run's parameters; its pixels stay as they are.

    Raises:
        PictureError: the bytes are no PNG.
    """
    if not png.startswith(SIGNATURE) or len(png) < HEADER_END:
        raise PictureError("Only a PNG can carry text.")
    texts = {PARAMETERS: parameters(run), "Software": "Darkroom"}
    chunks = b"".join(_text_chunk(name, text) for name, text in texts.items())
    return png[:HEADER_END] + chunks + png[HEADER_END:]


def read_text(content: bytes) -> dict[str, str]:
    """The text in a picture's file: of a PNG, or what tools put into the Exif comment of JPEG and WebP.

    Raises:
        PictureError: the bytes are no picture that can be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as image:
                # not loaded: text behind the pixels is rare, and a stranger's file may be a bomb
                found = {k: v for k, v in image.info.items() if isinstance(k, str) and isinstance(v, str)}
                comment = image.getexif().get_ifd(0x8769).get(0x9286)  # Exif UserComment
    except UNREADABLE as error:
        raise PictureError("That is no PNG, JPEG or WebP that I can read.") from error
    if isinstance(comment, bytes):
        found.setdefault(PARAMETERS, _comment(comment))
    return {name: text[:MOST_TEXT] for name, text in found.items() if text.strip()}


def read_parameters(text: str) -> dict[str, str]:
    """The `parameters` of common tools as names and values; `Prompt` and `Negative prompt` among them."""
    lines = text.strip().splitlines()
    last = lines.pop() if lines and re.match(r"Steps: \d", lines[-1]) else ""
    prompt, _, negative = "\n".join(lines).partition("Negative prompt: ")
    found = {"Prompt": prompt.strip(), "Negative prompt": negative.strip()}
    for name, value in re.findall(r'\s*([\w \-/]+): ("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)', last):
        found[name] = _unquoted(value)
    return {name: value for name, value in found.items() if value}


def _value(value: object) -> str:
    """As the tools quote: whatever holds a comma, a colon or a line break, as a JSON string."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value.strip()
    try:
        return str(json.loads(value))
    except json.JSONDecodeError:
        return value


def _text_chunk(name: str, text: str) -> bytes:
    """tEXt where Latin-1 has all letters, else iTXt with UTF-8, as Pillow and the tools do (PNG, third edition)."""
    try:
        return _chunk(b"tEXt", name.encode("latin-1") + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", name.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8"))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _comment(comment: bytes) -> str:
    """An Exif comment: eight bytes name its encoding."""
    kind, body = comment[:8], comment[8:]
    encoding = "utf-16-be" if kind.startswith(b"UNICODE") else "utf-8"
    return body.decode(encoding, errors="replace").strip("\0 ")
