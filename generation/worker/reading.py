"""How a prompt becomes numbers: its words as the first text encoder reads them, and how far apart they lie.

Distances are 1 - cosine between the encoder's last hidden states, sub-words averaged into words: the vectors are those
of words in *this* prompt, since the encoder reads each with what stands around it. Knows no jobs.
"""

from __future__ import annotations

from typing import Any

import torch

from generation.errors import RequestError
from generation.events import PromptRead

NUMBERS_SHOWN = 64  # of each word's vector
MAX_TOKENS = 512  # of encoders that read without an end


def read_prompt(query: int, pipeline: Any, prompt: str) -> PromptRead:
    """The prompt as the pipeline's first text encoder reads it.

    Raises:
        RequestError: this model has no encoder whose words can be told apart.
    """
    tokenizer, encoder = _first_encoder(pipeline)
    limit = min(int(tokenizer.model_max_length), MAX_TOKENS)
    whole = len(tokenizer(prompt).input_ids)
    inputs = tokenizer(prompt, truncation=True, max_length=limit, return_tensors="pt")
    parameter = next(encoder.parameters())
    with torch.inference_mode():
        output = encoder(
            input_ids=inputs.input_ids.to(parameter.device), attention_mask=inputs.attention_mask.to(parameter.device)
        )
    hidden = getattr(output, "last_hidden_state", None)
    if hidden is None:
        hidden = output.hidden_states[-1]
    hidden = hidden[0].float().cpu()
    words = _words(prompt, inputs)
    vectors = torch.stack([hidden[places].mean(dim=0) for _, places in words]) if words else hidden[:0]
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    distances = (1 - unit @ unit.T).clamp(0, 2)
    return PromptRead(
        query=query,
        words=tuple(word for word, _ in words),
        tokens=tuple(len(places) for _, places in words),
        distances=tuple(tuple(round(value, 4) for value in row) for row in distances.tolist()),
        numbers=tuple(tuple(round(value, 4) for value in row[:NUMBERS_SHOWN]) for row in vectors.tolist()),
        dimensions=int(hidden.shape[-1]),
        encoders=sum(
            1 for name in pipeline.components if name.startswith("text_encoder") and pipeline.components[name]
        ),
        cut=max(0, whole - int(inputs.input_ids.shape[1])),
    )


def _first_encoder(pipeline: Any) -> tuple[Any, Any]:
    for number in ("", "_2", "_3"):
        tokenizer = getattr(pipeline, f"tokenizer{number}", None)
        encoder = getattr(pipeline, f"text_encoder{number}", None)
        if tokenizer is not None and encoder is not None and getattr(tokenizer, "is_fast", False):
            return tokenizer, encoder
    raise RequestError("How this model reads a prompt cannot be told.")


def _words(prompt: str, inputs: Any) -> list[tuple[str, list[int]]]:
    """Each word of the prompt with the places of its tokens; without punctuation."""
    words: dict[int, list[int]] = {}
    for place, word in enumerate(inputs.word_ids(0)):
        if word is not None:
            words.setdefault(word, []).append(place)
    named = []
    for places in words.values():
        spans = [inputs.token_to_chars(0, place) for place in places]
        known = [span for span in spans if span is not None]
        text = prompt[min(span.start for span in known) : max(span.end for span in known)].strip() if known else ""
        if any(character.isalnum() for character in text):
            named.append((text, places))
    return named
