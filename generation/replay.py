"""How near a replay came to the picture that it repeats, and what differs if it is not the same.

Compares pictures of diffusion itself, before any final touch. Pillow only; knows neither store nor worker.
"""

from __future__ import annotations

import msgspec
from PIL import ImageChops, ImageStat

from generation.pictures.draw import open_rgb
from generation.request import RunFacts


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Between two pictures of one size, in grey levels of 0 to 255."""

    mean: float  # over all pixels and colours
    largest: int


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of making a picture again from its record."""

    identical: bool
    difference: Difference | None  # None: the two have not even one size
    changed: tuple[str, ...] = ()  # what is not as it was, one phrase each

    def sentence(self) -> str:
        """All of it, for a person."""
        if self.identical:
            also = f" (although not all is as it was: {'; '.join(self.changed)})" if self.changed else ""
            return f"The replay is identical to the picture, bit for bit{also}."
        if self.difference is None:
            near = "The replay has another size than the picture."
        else:
            near = (
                f"The replay differs from the picture by at most {self.difference.largest} of 255 grey levels, "
                f"{self.difference.mean:.2g} on average."
            )
        if self.changed:
            return f"{near} What changed since: {'; '.join(self.changed)}."
        return (
            f"{near} Nothing that is recorded has changed; pictures that are made together with others, or with "
            "another number of threads, are rounded a little differently."
        )


def compare_pictures(one: bytes, other: bytes) -> Difference | None:
    """The difference of two encoded pictures; None: their sizes differ.

    Raises:
        PictureError: one of them cannot be read.
    """
    first, second = open_rgb(one), open_rgb(other)
    if first.size != second.size:
        return None
    apart = ImageChops.difference(first, second)
    statistics = ImageStat.Stat(apart)
    return Difference(
        mean=sum(statistics.mean) / len(statistics.mean), largest=int(max(high for _, high in statistics.extrema))
    )


def report(original: RunFacts, picture: bytes, again: RunFacts, replica: bytes) -> ReplayReport:
    """How near `again` came to `original`; both pictures as diffusion left them, PNG.

    Raises:
        PictureError: a picture cannot be read.
    """
    difference = compare_pictures(picture, replica)
    identical = difference is not None and difference.largest == 0
    return ReplayReport(identical=identical, difference=difference, changed=tuple(changes(original, again)))


def changes(then: RunFacts, now: RunFacts) -> list[str]:
    """What of the record is not the same any more, beside what was asked for."""
    found = []
    if then.weights_sha256 != now.weights_sha256:
        found.append(f"the weights of the model “{then.model}” are others")
    for name in sorted(then.versions.keys() | now.versions.keys()):
        before, after = then.versions.get(name, "unknown"), now.versions.get(name, "unknown")
        if before != after:
            found.append(f"{name} {before} is now {after}")
    for what, before, after in (
        ("device", then.device, now.device),
        ("number type", then.dtype, now.dtype),
        ("scheduler", then.scheduler, now.scheduler),
    ):
        if before != after:
            found.append(f"{what} {before} is now {after}")
    if then.scheduler == now.scheduler and then.scheduler_config != now.scheduler_config:
        found.append("the scheduler's settings are others")
    return found
