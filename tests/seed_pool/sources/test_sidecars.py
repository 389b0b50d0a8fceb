"""Which file describes which medium."""

import pytest

from pipeline.seed_pool.sources.sidecars import by_stem, language_in


def test_a_sidecar_is_called_as_its_medium() -> None:
    names = ["a.jpg", "a.txt", "b.jpg", "b.jpg.xmp", "c.mp4", "c.en.vtt", "c.pt-BR.srt", "c.srt", "d.txt", "e.en.txt"]
    assert by_stem(names) == (
        ["a.jpg", "b.jpg", "c.mp4", "d.txt", "e.en.txt"],
        {"a.jpg": ["a.txt"], "b.jpg": ["b.jpg.xmp"], "c.mp4": ["c.en.vtt", "c.pt-BR.srt", "c.srt"]},
    )


def test_a_medium_whose_name_ends_like_a_language_keeps_its_own() -> None:
    assert by_stem(["talk.en.mp4", "talk.en.vtt", "talk.mp4"]) == (
        ["talk.en.mp4", "talk.mp4"],
        {"talk.en.mp4": ["talk.en.vtt"]},
    )


@pytest.mark.parametrize(
    ("name", "language"),
    [("a.en.vtt", "en"), ("a/b.PT-br.srt", "pt"), ("a.vtt", None), ("a.final.vtt", None), ("a.en.txt", None)],
)
def test_subtitles_state_their_language(name: str, language: str | None) -> None:
    assert language_in(name) == language
