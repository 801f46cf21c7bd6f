"""The tokenizer and the text encoder of the pocket model.

A byte-level BPE as CLIP uses it, trained on the captions so that every word of the vocabulary is
one token and an unknown word still falls into letters; and a small CLIP text encoder.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from generation.training.compose import Composer, Mixture
from generation.training.vocabulary import COLOUR_SYNONYMS, COLOURS, Thing, plural

TOKENS = 24  # most tokens of a prompt, start and end included
WIDTH = 160

# CLIP's own pattern for splitting a caption into words (Radford et al. 2021, the released tokenizer).
_WORDS = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def train_tokenizer(things: list[Thing], composer: Composer, folder: Path) -> CLIPTokenizer:
    """Train the BPE on random captions and on every word of the vocabulary, and save it to `folder`."""
    rng = random.Random(5)
    mixture = Mixture(single=0.2, coloured=0.2, pair=0.2, worn=0.15, ridden=0.15, count=0.1)
    captions = [composer.scene(rng, mixture).caption for _ in range(6000)]
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token="<|endoftext|>"))
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        captions + vocabulary_words(things) * 3,
        trainers.BpeTrainer(
            vocab_size=6000, min_frequency=1, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
        ),
    )
    model = json.loads(bpe.to_str())["model"]
    known = set(model["vocab"])
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    tokens += [token for letter in sorted(alphabet) for token in (letter, letter + "</w>") if token not in known]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "CLIPTokenizer",
                "model_max_length": TOKENS,
                "unk_token": "<|endoftext|>",
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "pad_token": "<|endoftext|>",
            }
        )
    )
    return load_tokenizer(folder)


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer saved by `train_tokenizer`."""
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS)
    assert isinstance(tokenizer, CLIPTokenizer)
    return tokenizer


def vocabulary_words(things: list[Thing]) -> list[str]:
    """Every word that a caption may hold, once."""
    names = [name for thing in things for name in thing.names]
    names += [many for thing in things if (many := plural(thing.name))]
    names += list(COLOURS) + [word for words in COLOUR_SYNONYMS.values() for word in words]
    names += ["two", "three", "background", "picture", "drawing", "illustration", "emoji", "photo", "wearing", "riding"]
    return sorted({word for name in names for word in name.split()})


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A CLIP text encoder of two layers with random weights."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=5,
        max_position_embeddings=TOKENS,
        projection_dim=WIDTH,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = CLIPTextModel(config)
    # wide enough for words to differ from the first step on
    torch.nn.init.normal_(encoder.embeddings.token_embedding.weight, std=0.5)
    return encoder
