"""The sentences `store` says when the data cannot be read or written.

StoreError
├── FolderUnusable      the data folder cannot be made or written to, or its disk is full
├── DatabaseDamaged     the database file is no database, or broken
├── DatabaseTooNew      a later Darkroom has written it
└── DatabaseUnreachable another program holds it, or no server answers
"""


class StoreError(Exception):
    """Base of every error of this package; `str(error)` is one sentence fit for a user."""


class FolderUnusable(StoreError):
    """The data folder cannot be used; the sentence names it and the cause."""


class DatabaseDamaged(StoreError):
    """The database cannot be read."""


class DatabaseTooNew(StoreError):
    """The database has a version that this program does not know."""


class DatabaseUnreachable(StoreError):
    """The database did not answer in time."""
