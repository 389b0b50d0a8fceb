"""The category trees, and where classes go in them."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.models.protocols import ClassInfo
from pipeline.seed_pool.taxonomy import assign, load_taxonomy, nearest_name


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


SHIPPED = load_taxonomy("taxonomy.yaml")


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_ones_own_stands_alone(tmp_path: Path) -> None:
    own = load_taxonomy(written(tmp_path, "image: {A: {b: {describe: x}}}\nvideo: {C: {d: {describe: y}}}\n"))
    assert (list(own.of("image")), list(own.of("video"))) == (["A/b"], ["C/d"])


def test_a_file_that_extends_adds_replaces_and_removes(tmp_path: Path) -> None:
    text = """
extends: taxonomy.yaml
image:
  Natural: {animal: {describe: "wild animals only"}, mineral: {describe: "stones and crystals"}, plant: null}
  Medical: {x-ray: {describe: "an x-ray picture"}}
  Artistic: null
"""
    own = load_taxonomy(written(tmp_path, text))
    images, shipped = own.of("image"), SHIPPED.of("image")
    assert images["Natural/animal"].describe == "wild animals only"
    assert images["Natural/animal"].hypernyms == ()  # a category is replaced whole
    assert {"Natural/mineral", "Medical/x-ray"} <= set(images)
    assert not any(name.startswith("Artistic/") or name == "Natural/plant" for name in images)
    assert images["Natural/food"] == shipped["Natural/food"]
    assert own.of("video") == SHIPPED.of("video")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: other.yaml\nimage: {}", "mine.yaml: extends is 'other.yaml'; the one tree that can be extended"),
        ("extends: taxonomy.yaml\nimage: {Natural: {dragon: null}}", "mine.yaml: image.Natural.dragon is null"),
        ("extends: taxonomy.yaml\nimage: {Mythical: null}", "mine.yaml: image.Mythical is null"),
        ("extends: taxonomy.yaml\nimage: {Natural: 3}", "mine.yaml: image.Natural holds 3"),
        ("extends: taxonomy.yaml\nimage: [a]", "mine.yaml: image holds ['a']"),
        ("extends: taxonomy.yaml\naudio: {A: {b: {describe: x}}}", "mine.yaml: audio: Extra inputs"),
        ("image: {A: {b: {describe: x}}}", "mine.yaml: video: Field required"),
        ("image: {A: {b: {describe: x}}}\nvideo: {}", "mine.yaml: video has no category"),
        ("image: {A: {b: {describe: x}}}\nvideo: {B: {}}", "mine.yaml: video has no category"),
        ("image: {A: {b: {describe: ''}}}\nvideo: {}", "mine.yaml: image.A.b.describe"),
        ("image: {A: {b/c: {describe: x}}}\nvideo: {}", "'b/c' is no name"),
        ("image: {A: {' b': {describe: x}}}\nvideo: {}", "' b' is no name"),
        ("image: {A: {'?': {describe: x}}}\nvideo: {}", "'?' is no name"),
        ('image: {A: {"b\\u202e": {describe: x}}}\nvideo: {}', "is no name"),
        ("image: {A: {b: {describe: x}, B: {describe: y}}}\nvideo: {}", "'A/B' and 'A/b' differ in case only"),
        ("image: {A: {b: {describe: x}, b: {describe: y}}}\nvideo: {}", "'b' stands twice"),
        ("image: {A: {2024: {describe: x}}}\nvideo: {}", "mine.yaml: image.A.2024"),
        ("- a", "mine.yaml holds a list"),
        ("image: [", "mine.yaml is not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_taxonomy(written(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Natural/animal", "Natural/animal"),
        ("natural/ANIMAL", "Natural/animal"),
        ("Natural/aminal", "Natural/animal"),
        ("animals", "Natural/animal"),
        ("Creatures/animal", "Natural/animal"),
        ("ui", "Artistic/UI"),
    ],
)
def test_the_name_that_was_meant(name: str, meant: str) -> None:
    assert nearest_name(name, SHIPPED.of("image")) == meant
