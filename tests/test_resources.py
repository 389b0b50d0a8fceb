import pytest

from pipeline import resources
from pipeline.synth.tasks import TASKS


def test_every_task_has_its_template():
    others = {name for name in resources.names("prompts") if name.startswith(("_", "verify_"))} | {"label.jinja"}
    assert {spec.template for spec in TASKS.values()} == set(resources.names("prompts")) - others


def test_missing_resource_names_those_that_exist():
    with pytest.raises(FileNotFoundError, match=r"image_qa\.jinja"):
        resources.read_prompt_text("nothing.jinja")


@pytest.mark.parametrize("name", ["../pyproject.toml", "/etc/hostname", ""])
def test_path_outside_the_folder_is_not_read(name):
    with pytest.raises(FileNotFoundError):
        resources.read_prompt_text(name)


def test_wheel_layout_wins_over_a_checkout(tmp_path, monkeypatch):
    packaged = tmp_path / "site" / "pipeline" / "_resources" / "prompts"
    packaged.mkdir(parents=True)
    (packaged / "x.jinja").write_text("from the wheel", encoding="utf-8")
    (tmp_path / "site" / "prompts").mkdir()
    monkeypatch.setattr(resources, "files", lambda _: tmp_path / "site" / "pipeline")
    assert resources.read_prompt_text("x.jinja") == "from the wheel"


def test_checkout_layout_is_found_beside_the_package(tmp_path, monkeypatch):
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "y.yaml").write_text("a: 1", encoding="utf-8")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path / "pipeline")
    assert resources.read_config_text("y.yaml") == "a: 1"
    with pytest.raises(FileNotFoundError, match="install seedmine again"):
        resources.names("prompts")
