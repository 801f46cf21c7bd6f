"""An operator's super-resolution model: a safetensors file that spandrel recognises by what is in it.

https://github.com/chaiNNer-org/spandrel. Never a pickle: a `.pth` file runs code when it is read. Loaded when it is
first used. Knows no jobs.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from generation.errors import ModelError

NOT_INSTALLED = (
    "The model for upscaling needs the package spandrel, which is not installed or not usable here; "
    "`pip install spandrel` with the torchvision that fits this torch brings it."
)


class Upscaler:
    """One super-resolution model. `name` is that of its file."""

    def __init__(self, path: Path, device: str) -> None:
        self.name = path.stem
        self._path = path
        self._device = device
        self._model: Any = None

    def enlarged(self, image: Image.Image) -> Image.Image:
        """The picture, enlarged by as much as the model does.

        Raises:
            ModelError: the file cannot be used, or the picture does not fit into memory.
        """
        model = self._loaded()
        pixels = torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)[None]
        try:
            with torch.inference_mode():
                large = model(pixels.to(self._device))[0].float().cpu().clamp(0, 1)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise ModelError("There is not enough memory to upscale this picture.") from error
        return Image.fromarray((large.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))

    def _loaded(self) -> Any:
        if self._model is None:
            if self._path.suffix != ".safetensors" or not self._path.is_file():
                raise ModelError(f"The model for upscaling, {self._path}, is no safetensors file that is there.")
            try:
                spandrel = importlib.import_module("spandrel")
            except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit this torch
                raise ModelError(NOT_INSTALLED) from error
            try:
                model = spandrel.ModelLoader(device=self._device).load_from_file(self._path)
            except Exception as error:  # foreign files can fail in any way; what it was goes along
                raise ModelError(f"The model for upscaling, {self._path}, cannot be loaded: {error}") from error
            if not isinstance(model, spandrel.ImageModelDescriptor) or model.scale < 2 or model.input_channels != 3:
                raise ModelError(f"The model in {self._path} does not enlarge pictures.")
            self._model = model.eval()
        return self._model
