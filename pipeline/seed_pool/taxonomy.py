"""The two-level category trees of configs/taxonomy.yaml (PAPER 3.2, figure 4), and a user's own over them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from pipeline.config import Medium, Settings
from pipeline.config_file import read_mapping
from pipeline.errors import ConfigError
from pipeline.models.protocols import ClassInfo
from pipeline.text import normalised

MEDIA: tuple[Medium, ...] = ("image", "video")
SETTING = "seed_pool.label.taxonomy"
BASE = "taxonomy.yaml"  # what `extends` may name: the trees that are shipped


class Category(Settings):
    """A leaf of the tree."""

    describe: str = Field(min_length=1)
    """What belongs here, in words."""
    hypernyms: tuple[str, ...] = ()
    """WordNet nouns whose classes belong here."""
    min_text_share: float | None = Field(None, gt=0, le=1)
    """A picture of which printed text covers this share belongs here, whatever else it shows."""


class Taxonomy(Settings):
    """Categories by medium: {group: {category: Category}}."""

    image: dict[str, dict[str, Category]]
    video: dict[str, dict[str, Category]]

    def of(self, media: str) -> dict[str, Category]:
        """Categories of a medium by full name, `Group/category`, in file order."""
        tree = self.image if media == "image" else self.video
        return {f"{group}/{name}": c for group, leaves in tree.items() for name, c in leaves.items()}


def load_taxonomy(name: str) -> Taxonomy:
    """Read a file of configs/ or a path. Raises ConfigError naming the file and the key.

    A file with `extends: taxonomy.yaml` stands over the shipped trees: a group or category it
    names is added or takes the place of the shipped one, and null in its place removes it. A
    file without stands alone and must have a category for each medium.
    """
    data = read_mapping(name, SETTING)
    base = data.pop("extends", None)
    if base is not None:
        if base != BASE:
            raise ConfigError(f"{name}: extends is {base!r}; the one tree that can be extended is {BASE}")
        data = _over(read_mapping(BASE, SETTING), data, name)
    try:
        taxonomy = Taxonomy.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{name}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error
    for media in MEDIA:
        _check_names(name, media, taxonomy)
    return taxonomy


def nearest_name(name: str, names: Iterable[str]) -> str:
    """The one of `names` that `name` most likely meant, for messages: by its leaf as well as in full."""
    known = list(names)
    by_fold = {known_name.casefold(): known_name for known_name in known}
    by_leaf = {known_name.rpartition("/")[2].casefold(): known_name for known_name in reversed(known)}
    wanted = name.casefold()
    close = difflib.get_close_matches(wanted, by_fold, n=1, cutoff=0.6)
    leaf = difflib.get_close_matches(wanted.rpartition("/")[2], by_leaf, n=1, cutoff=0.0)
    return by_fold[close[0]] if close else by_leaf[leaf[0]]


def assign(classes: Sequence[ClassInfo], categories: Sequence[Category]) -> NDArray[np.int64]:
    """Put each class under the category that names its nearest hypernym.

    Returns int64 [C], an index into `categories`, -1 for a class that none of them covers.
    A class's own name counts as its nearest hypernym.
    """
    by_noun = {noun: i for i, c in reversed(list(enumerate(categories))) for noun in c.hypernyms}
    found = [next((by_noun[n] for n in (c.name, *c.hypernyms) if n in by_noun), -1) for c in classes]
    return np.array(found, dtype=np.int64)


def _over(base: dict[str, Any], data: dict[str, Any], name: str) -> dict[str, Any]:
    """The trees of `base` with those of `data` over them, down to a category, which is replaced whole."""
    trees = dict(base)
    for media, tree in data.items():
        groups = dict(trees.get(media, {}))
        for group, leaves in _mapping(tree, f"{name}: {media}").items():
            if leaves is None:
                _remove(groups, group, f"{name}: {media}")
                continue
            merged = dict(groups.get(group, {}))
            for leaf, category in _mapping(leaves, f"{name}: {media}.{group}").items():
                if category is None:
                    _remove(merged, leaf, f"{name}: {media}.{group}")
                else:
                    merged[leaf] = category
            groups[group] = merged
        trees[media] = groups
    return trees


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} holds {value!r}, not names with what stands below them")
    return value


def _remove(names: dict[str, Any], name: str, where: str) -> None:
    if name not in names:
        raise ConfigError(f"{where}.{name} is null, which removes it, but {BASE} has no such name")
    del names[name]


def _check_names(file: str, media: str, taxonomy: Taxonomy) -> None:
    """A name must survive as a key, in a prompt and as `Group/category`."""
    seen: dict[str, str] = {}
    for group, leaves in (taxonomy.image if media == "image" else taxonomy.video).items():
        for part in (group, *leaves):
            if not part.isprintable() or part != " ".join(part.split()) or "/" in part or not normalised(part):
                raise ConfigError(f"{file}: {media}: {part!r} is no name: use printable words without a slash")
        for leaf in leaves:
            full = f"{group}/{leaf}"
            if (twin := seen.setdefault(full.casefold(), full)) != full:
                raise ConfigError(f"{file}: {media}: {full!r} and {twin!r} differ in case only; keep one")
    if not seen:
        raise ConfigError(f"{file}: {media} has no category; name one, or extend the shipped trees: 'extends: {BASE}'")
