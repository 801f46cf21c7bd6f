"""Where the bytes of attachments lie: one file each in a folder, at addresses nobody can guess.

Knows no messages; who still shows a file is told to it by `discard`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import re
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from bot.playground.records import Attachment

_KEPT_AFTER_DISCARD = 64  # files; a page may still be loading the preview that an edit has just replaced
_UNSAFE = re.compile(r"[^\w.()-]+")
_PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}
_TEXTS = {".txt": "text/plain", ".json": "application/json", ".md": "text/markdown", ".csv": "text/csv"}


class Cdn:
    """Keeps attachment bytes on disk; without a folder in a temporary one that `close` removes."""

    def __init__(self, folder: Path | None, secret: str) -> None:
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="darkroom-playground-")
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._key = secret.encode()
        self._discarded: deque[int] = deque()
        self.origin = ""  # set once the server knows its port

    def url(self, attachment: Attachment) -> str:
        """The address of the file, signed like Discord's."""
        signature = self.signature(attachment.id)
        name = quote(attachment.filename)
        return f"{self.origin}/cdn/attachments/{attachment.channel_id}/{attachment.id}/{name}?hm={signature}"

    def signature(self, attachment_id: int) -> str:
        """The part of the address that cannot be guessed."""
        return hmac.new(self._key, str(attachment_id).encode(), hashlib.sha256).hexdigest()[:32]

    def signed(self, attachment_id: int, signature: str) -> bool:
        """Whether the signature belongs to the file (compared in constant time)."""
        return hmac.compare_digest(self.signature(attachment_id).encode(), signature.encode())

    def path(self, attachment_id: int) -> Path:
        """The file with the bytes; it may be gone."""
        return self._folder / str(attachment_id)

    async def put(self, attachment_id: int, data: bytes) -> None:
        """Store the bytes without blocking the event loop."""
        await asyncio.to_thread(self.path(attachment_id).write_bytes, data)

    def discard(self, attachment_ids: Iterable[int]) -> None:
        """No message shows these files any more; the last few stay for pages that still load them."""
        self._discarded.extend(attachment_ids)
        while len(self._discarded) > _KEPT_AFTER_DISCARD:
            self.path(self._discarded.popleft()).unlink(missing_ok=True)

    def remove(self, attachment_ids: Iterable[int] = ()) -> None:
        """Delete these files, and all that were kept a little longer, now."""
        self._discarded.extend(attachment_ids)
        while self._discarded:
            self.path(self._discarded.popleft()).unlink(missing_ok=True)

    def keep_only(self, attachment_ids: Iterable[int]) -> None:
        """Remove every file that none of these attachments needs (after a restart)."""
        kept = {str(attachment_id) for attachment_id in attachment_ids}
        for path in self._folder.iterdir():
            if path.name.isdigit() and path.name not in kept:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._temporary:
            self._temporary.cleanup()


def safe_filename(name: str) -> str:
    """The name as Discord shows it: no folders, no spaces, at most 200 characters."""
    return _UNSAFE.sub("_", Path(name).name)[-200:] or "file"


def content_type(filename: str) -> str:
    """The type by the file's ending, as Discord's CDN answers it."""
    suffix = Path(filename).suffix.lower()
    if suffix in _PICTURES:
        return f"image/{_PICTURES[suffix]}"
    return _TEXTS.get(suffix, "application/octet-stream")


def picture_size(data: bytes) -> tuple[int, int] | tuple[None, None]:
    """Width and height in pixels, read from the header alone; (None, None) when it is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None, None
