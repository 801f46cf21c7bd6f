"""Conversations that the questions are asked in: pictures with their records, made up to the letter."""

from __future__ import annotations

import hashlib
from typing import Any

from explainer.messages import Nearest, Question, SeenPicture, SeenTurn
from generation.request import GenerationRequest, RunFacts

BEGINNING = 1_790_000_000.0  # seconds since 1970
VERSIONS = {"darkroom": "0.1.0", "torch": "2.13.0", "diffusers": "0.42.1", "transformers": "5.23.0", "python": "3.11.9"}


def picture(number: int, prompt: str, **values: Any) -> SeenPicture:
    """A picture; `values` are fields of its request, its facts or itself."""
    request = {
        "prompt": prompt,
        "seed": 1,
        "steps": 40,
        "guidance_scale": 3.5,
        "width": 128,
        "height": 128,
        "model": "pocket",
    }
    facts = {
        "scheduler": "DDIMScheduler",
        "scheduler_config": {},
        "prediction_type": "v_prediction",
        "seconds": 2.613,
        "dtype": "float32",
        "device": "cpu",
        "versions": VERSIONS,
        "weights_sha256": digest("pocket"),
        "image_sha256": digest(prompt),
    }
    seen: dict[str, Any] = {"mine": True, "owner": "Ann", "has_steps": True}
    for name, value in values.items():
        group = (
            request
            if name in GenerationRequest.__struct_fields__
            else facts
            if name in RunFacts.__struct_fields__
            else seen
        )
        group[name] = value
    made = GenerationRequest(**request)
    taken = int(made.steps * (made.strength or 1))
    facts |= {
        "request": made,
        "model": made.model,
        "width": made.width,
        "height": made.height,
        "tokens": ("<|startoftext|>", *(f"{word}</w>" for word in prompt.split()), "<|endoftext|>"),
        "timesteps": tuple(float(999 - 999 * i // taken) for i in range(taken)),
        "noise_levels": tuple(round(1 - (i + 1) / taken, 4) for i in range(taken)),
    }
    return SeenPicture(id=number, run=RunFacts(**facts), created_at=BEGINNING + 60 * number, **seen)


def digest(text: str) -> str:
    """A made-up fingerprint."""
    return hashlib.sha256(text.encode()).hexdigest()


FOX = picture(
    1,
    "a red fox wearing sunglasses on a skateboard",
    seed=1234567,
    latent_shape=(40, 8, 8),
    changes=tuple(1 / n for n in range(1, 41)),
)
SCENES: dict[str, tuple[SeenPicture, ...]] = {
    "none": (),
    "fox": (FOX,),
    "trio": (
        picture(1, "a red fox wearing a hat", seed=42, seconds=2.5),
        picture(
            2, "a blue robot on a bicycle", seed=7, steps=25, guidance_scale=6.0, negative_prompt="rain", seconds=1.7
        ),
        picture(3, "two green frogs", seed=99, steps=60, seconds=3.9, mine=False, owner="Bob"),
    ),
    "edit": (
        picture(1, "a house under a tree", seed=5),
        picture(
            2,
            "a blue house under a tree",
            seed=5,
            init_image=digest("house"),
            strength=0.6,
            parent=1,
            method="image",
            seconds=1.6,
        ),
    ),
    "flux": (
        picture(
            4,
            "a lighthouse at dawn, oil painting",
            seed=2024,
            steps=4,
            guidance_scale=0.0,
            negative_prompt="people",
            width=1024,
            height=768,
            model="schnell",
            scheduler="FlowMatchEulerDiscreteScheduler",
            prediction_type="flow",
            dtype="bfloat16",
            device="cuda",
            seconds=3.12,
            weights_sha256=digest("schnell"),
        ),
    ),
    "near": (
        picture(
            1,
            "a red fox",
            seed=3,
            compared=600,
            nearest=(Nearest(name="fox", distance=11.4, views=1834), Nearest(name="dog", distance=19.8, views=1937)),
        ),
    ),
}


def question(scene: str, text: str, turns: tuple[SeenTurn, ...] = ()) -> Question:
    """A question in a scene; `trio:2` asks under picture 2."""
    name, _, about = scene.partition(":")
    pictures = SCENES[name]
    asked = tuple(
        SeenTurn(
            id=seen.id, speaker=seen.owner, mine=seen.mine, said=seen.run.request.prompt, created_at=seen.created_at - 5
        )
        for seen in pictures
    )
    return Question(
        text=text, asker="Ann", about=int(about) if about else None, pictures=pictures, turns=(*asked, *turns)
    )
