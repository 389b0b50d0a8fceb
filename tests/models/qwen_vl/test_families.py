from __future__ import annotations

import pytest

from pipeline.errors import ModelError
from pipeline.models.qwen_vl.families import GME, QWEN3_VL, Family, Template, family_of

GME_CONFIG = {"model_type": "qwen2_vl", "auto_map": {"AutoModel": "modeling_gme_qwen2vl.GmeQwen2VL"}}


@pytest.mark.parametrize(
    ("config", "template", "describes_itself", "family"),
    [
        ({"model_type": "qwen3_vl"}, "auto", False, QWEN3_VL),
        ({"model_type": "qwen3_vl"}, "auto", True, QWEN3_VL),
        ({"model_type": "qwen3_vl"}, "qwen3-vl", False, QWEN3_VL),
        ({"model_type": "qwen3_vl"}, "checkpoint", True, None),
        (GME_CONFIG, "auto", True, GME),
        ({"model_type": "qwen2_vl"}, "gme", False, GME),
        ({"model_type": "qwen2_vl"}, "auto", True, None),
        ({"model_type": "bert"}, "auto", False, None),
        ({}, "auto", True, None),
    ],
)
def test_a_config_tells_the_family(
    config: dict[str, object], template: Template, describes_itself: bool, family: Family | None
) -> None:
    assert family_of(config, template, describes_itself) is family


def test_a_template_needs_its_architecture() -> None:
    with pytest.raises(ModelError, match="template qwen3-vl is for checkpoints of type qwen3_vl, this one is bert"):
        family_of({"model_type": "bert"}, "qwen3-vl", False)
    with pytest.raises(ModelError, match="this one is of no type"):
        family_of({}, "gme", False)


def test_a_bare_qwen2_vl_is_not_guessed_at() -> None:
    with pytest.raises(ModelError, match="use template gme if it is GME"):
        family_of({"model_type": "qwen2_vl"}, "auto", False)
