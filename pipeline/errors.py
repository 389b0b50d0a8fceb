"""The one error tree. The CLI maps it to exit codes; nothing else decides them.

A message says what was found, where (file, key, row) and what to do about it, in one line.
"""

from __future__ import annotations


class SeedmineError(Exception):
    """Anything Seedmine reports to a user in one line instead of a traceback."""

    exit_code = 1


class UsageError(SeedmineError):
    """The command was asked for something that cannot be: a missing folder, an unknown task."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type or out of range."""


class DataError(SeedmineError):
    """Files on disk are not what the contract says: an incomplete data set, a foreign shard."""


class StorageError(SeedmineError):
    """The disk is full or cannot be written."""


class MediaError(SeedmineError):
    """A medium cannot be used. Always becomes a reject with `reason`, never a failed run."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ModelError(SeedmineError):
    """A model cannot be loaded, or broke its protocol (count, shape, finite values)."""


class StageError(SeedmineError):
    """A stage broke the law of `stage.py`: a column nobody adds, rows lost or invented."""
