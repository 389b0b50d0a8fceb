from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine.keys import AT_ONCE, Marks, draws, keys_of, mixed

IDS = st.lists(st.text(max_size=12), min_size=1, max_size=8, unique=True)
MASK = 2**64 - 1


def plain(text: str, salt: int) -> int:
    """Horner's rule backwards, on Python's whole numbers."""
    base, total, power = 0x9E37_79B9_7F4A_7C15, 0, 0x9E37_79B9_7F4A_7C15
    for byte in text.encode():
        total = (total + (byte + 1) * power) & MASK
        power = (power * base) & MASK
    x = total ^ salt
    for shift, factor in ((30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB)):
        x = ((x ^ (x >> shift)) * factor) & MASK
    return x ^ (x >> 31)


@given(IDS, st.integers(0, MASK))
def test_keys_agree_with_plain_arithmetic(ids: list[str], salt: int) -> None:
    assert keys_of(pa.array(ids), np.uint64(salt)).tolist() == [plain(i, salt) for i in ids]


@given(IDS, st.randoms())
def test_the_key_of_an_id_depends_on_nothing_but_id_and_seed(ids: list[str], random: object) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = dict(zip(ids, keys_of(pa.array(ids), np.uint64(3)).tolist(), strict=True))
    two = dict(zip(shuffled, keys_of(pa.array(["x", *shuffled])[1:], np.uint64(3)).tolist(), strict=True))
    assert one == two
    assert len(set(one.values())) == len(ids)


def test_seeds_and_kinds_of_ids_have_keys_of_their_own() -> None:
    ids, group = pa.array(["a", "b"]), np.arange(2)
    one, two = Marks.of(ids, ids, group, 0), Marks.of(ids, ids, group, 1)
    assert len({*one.query.tolist(), *one.document.tolist(), *two.query.tolist(), *two.document.tolist()}) == 8
    assert Marks.of(ids, ids, group, 0).query.tolist() == one.query.tolist()


def test_draws_do_not_depend_on_how_many_are_asked() -> None:
    keys = mixed(np.arange(5, dtype=np.uint64))
    assert (draws(keys, 9)[:, :4] == draws(keys, 4)).all()


def test_draws_are_even() -> None:
    drawn = draws(keys_of(pa.array([f"q{i}" for i in range(2000)]), np.uint64(0)), 50) % np.uint64(10)
    counts = np.bincount(drawn.astype(np.int64).ravel(), minlength=10)
    assert counts.min() > 9_600
    assert counts.max() < 10_400  # 10,000 each, standard deviation 95


def test_many_ids_have_the_keys_of_a_few() -> None:
    ids = pa.array([f"doc-{i}" for i in range(AT_ONCE + 5)])
    some = keys_of(ids.slice(AT_ONCE - 3, 6), np.uint64(1))
    assert keys_of(ids, np.uint64(1))[AT_ONCE - 3 : AT_ONCE + 3].tolist() == some.tolist()


def test_no_ids_have_no_keys() -> None:
    assert len(keys_of(pa.array([], pa.string()), np.uint64(0))) == 0
    assert len(keys_of(pa.array(["", ""]), np.uint64(0))) == 2
