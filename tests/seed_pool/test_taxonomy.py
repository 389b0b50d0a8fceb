"""The category trees, and where classes go in them."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.models.protocols import ClassInfo
from pipeline.seed_pool.taxonomy import assign, load_taxonomy


def test_the_shipped_trees_hold_the_categories_of_the_paper() -> None:
    taxonomy = load_taxonomy("taxonomy.yaml")
    assert len(taxonomy.of("image")) == 13
    assert len(taxonomy.of("video")) == 11
    assert "Natural/animal" in taxonomy.of("image")
    assert "Nature/wildlife" in taxonomy.of("video")


def test_a_class_goes_to_its_nearest_hypernym() -> None:
    categories = list(load_taxonomy("taxonomy.yaml").of("image").values())
    names = list(load_taxonomy("taxonomy.yaml").of("image"))
    classes = [
        ClassInfo("tabby", "a cat", ("domestic cat", "cat", "animal", "organism")),
        ClassInfo("sofa", "a seat", ("seat", "furniture", "artifact")),
        ClassInfo("nothing", "", ("abstraction",)),
    ]
    found = [names[i] if i >= 0 else None for i in assign(classes, categories)]
    assert found == ["Natural/animal", "Man-made/indoor scene", None]


def test_an_error_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("image: {A: {b: {described: x}}}\nvideo: {}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: image\.A\.b"):
        load_taxonomy(str(path))
    with pytest.raises(ConfigError, match="cannot read gone"):
        load_taxonomy("gone.yaml")
