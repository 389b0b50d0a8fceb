"""Licences in one form: what is the same, what is allowed, and what must never pass for free."""

import pytest

from pipeline.seed_pool.licences import allowed, chosen, licence_id


@pytest.mark.parametrize(
    ("written", "one_form"),
    [
        ("CC BY 4.0", "cc-by-4.0"),
        ("cc-by-4.0", "cc-by-4.0"),
        ("cc_by_4", "cc-by-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.de", "cc-by-4.0"),
        ("Attribution 4.0 International (CC BY 4.0)", "cc-by-4.0"),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported", "cc-by-sa-3.0"),
        ("Attribution-NonCommercial-NoDerivatives 4.0", "cc-by-nc-nd-4.0"),
        ("© 2019 Jane Doe, licensed under CC BY-NC 2.0", "cc-by-nc-2.0"),
        ("CC BY 2019 Jane", "cc-by"),
        ("CC0", "cc0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("Public Domain.", "public-domain"),
        ("Apache-2.0", "apache-2.0"),
        # what names no licence, or more than one, or takes it back
        ("Attribution: Jane Doe", "attribution:-jane-doe"),
        ("not CC BY", "not-cc-by"),
        ("CC BY 4.0, all rights reserved", "cc-by-4.0,-all-rights-reserved"),
        ("CC BY 4.0 or CC BY-SA 4.0", "cc-by-4.0-or-cc-by-sa-4.0"),
    ],
)
def test_one_form(written: str, one_form: str) -> None:
    assert licence_id(written) == one_form
    assert licence_id(one_form) == one_form


@pytest.mark.parametrize(
    ("found", "listed", "is_allowed"),
    [
        ("CC BY 4.0", "cc-by-4.0", True),
        ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/", True),
        ("CC BY 4.0", "cc-by", True),
        ("CC BY", "cc-by-4.0", False),
        ("CC BY 3.0", "cc-by-4.0", False),
        ("CC BY-NC 4.0", "cc-by", False),
        ("CC BY-SA 4.0", "cc-by", False),
        ("CC0 1.0", "CC0", True),
        ("© Jane Doe", "cc0", False),
        ("mit", "MIT", True),
    ],
)
def test_what_is_allowed(found: str, listed: str, is_allowed: bool) -> None:
    assert allowed(found, [listed, "something-else"]) is is_allowed


def test_a_named_licence_counts_before_an_owner() -> None:
    assert chosen(["(c) Jane Doe", "CC BY 4.0"]) == "CC BY 4.0"
    assert chosen(["(c) Jane Doe"]) == "(c) Jane Doe"
    assert chosen([]) is None
