"""File names and the URIs that stand for them in every table.

A URI is a POSIX path relative to the media root. Bytes of a name that are not UTF-8 are written
`\\xNN`, so that any name fits a string column and finds its file again.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from pipeline.errors import MediaError
from pipeline.media.members import Member
from pipeline.media.names import written
from pipeline.media.places import Place
from pipeline.media.urls import is_url


def to_uri(path: Path, media_root: Path) -> str:
    """The URI of a file below `media_root`. Raises MediaError outside_media_root for any other."""
    try:
        relative = path.relative_to(media_root)
    except ValueError as error:
        raise MediaError("outside_media_root", f"{written(str(path))!r} is not below the media root") from error
    return written(relative.as_posix())


def _entry(folder: Path, part: str) -> Path:
    r"""The entry of `folder` that is written `part`; a name that holds a literal `\x` wins."""
    exact = folder / part
    if "\\x" not in part or os.path.lexists(exact):
        return exact
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:  # not a folder, or not ours to list: opening says so with its reason
        return exact
    return next((folder / name for name in names if written(name) == part), exact)


def resolve(media_root: Path, uri: str) -> Place:
    """The place that `uri` names: a file, which need not exist, or a member of one.

    Raises MediaError outside_media_root when the path is absolute, climbs with `..`, or is a
    link that leads to something outside.
    """
    parts = PurePosixPath(uri).parts
    if not parts or uri.startswith("/") or ".." in parts or "\0" in uri or is_url(uri):
        raise MediaError("outside_media_root", f"{uri!r} is not a path relative to the media root")
    path, inside = media_root, ""
    for i, part in enumerate(parts):
        path = _entry(path, part)
        if i + 1 < len(parts) and path.is_file():
            # The rest of the URI as it is written: names in a tar may hold `//` or end in a slash.
            inside = uri[len("/".join(parts[: i + 1])) + 1 :]
            break
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_relative_to(os.path.realpath(media_root)):
        raise MediaError("outside_media_root", f"{uri!r} is a link that leads out of the media root")
    return Member(path, inside) if inside else path
