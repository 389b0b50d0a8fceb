"""The index finds what a dictionary of lists would find."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.reply_cache.index import Index, Place

KEYS = st.integers(0, 2**64 - 1) | st.integers(0, 20)  # few different ones: the same key in several places
PLACES = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**60), st.integers(0, 2**31 - 1))


@given(st.lists(st.lists(st.tuples(KEYS, PLACES), max_size=30), max_size=12), st.lists(KEYS, max_size=10))
def test_all_places_of_a_key_are_found_however_they_came(
    batches: list[list[tuple[int, Place]]], others: list[int]
) -> None:
    index, by_hand = Index(), defaultdict[int, list[Place]](list)
    for batch in batches:
        index.add(batch)
        for key, place in batch:
            by_hand[key].append(place)
    for wanted in ([*by_hand], others, [*by_hand][::2] + others, []):
        expected = sorted(place for key in set(wanted) for place in by_hand.get(key, []))
        assert sorted(index.find(wanted)) == expected
