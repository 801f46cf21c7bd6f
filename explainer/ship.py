"""`python -m explainer.ship`: compute the vectors that come along, after passages, cards or paraphrases have changed.

Without it the first question after a change waits for half a minute while they are computed.
"""

from __future__ import annotations

from explainer.encoder import Encoder
from explainer.passages import load_passages
from explainer.retrieve import SHIPPED, entries_of, ship_vectors, texts_of


def main() -> None:
    """Write `vectors.npz`."""
    texts = texts_of(entries_of(load_passages()))
    ship_vectors(texts, Encoder())
    print(f"{len(texts)} vectors, {SHIPPED.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
