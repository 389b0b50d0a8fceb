"""The two-level category trees of configs/taxonomy.yaml (PAPER 3.2, figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from pipeline.config import Settings
from pipeline.errors import ConfigError
from pipeline.models.protocols import ClassInfo
from pipeline.resources import read_config_text


class Category(Settings):
    """A leaf of the tree."""

    describe: str
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
    """Read a file of configs/ or a path. Raises ConfigError naming the file and the key."""
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else read_config_text(name)
        return Taxonomy.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"seed_pool.label.taxonomy: cannot read {name}: {error}") from error


def assign(classes: Sequence[ClassInfo], categories: Sequence[Category]) -> NDArray[np.int64]:
    """Put each class under the category that names its nearest hypernym.

    Returns int64 [C], an index into `categories`, -1 for a class that none of them covers.
    A class's own name counts as its nearest hypernym.
    """
    by_noun = {noun: i for i, c in reversed(list(enumerate(categories))) for noun in c.hypernyms}
    found = [next((by_noun[n] for n in (c.name, *c.hypernyms) if n in by_noun), -1) for c in classes]
    return np.array(found, dtype=np.int64)
