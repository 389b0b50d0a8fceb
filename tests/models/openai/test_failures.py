"""Retry-After in all its forms, and what of a server's words is repeated."""

from datetime import UTC, datetime

import httpx2
import pytest

from pipeline.models.openai.failures import retry_after_s, said

NOW = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": "Tue, 03 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Tue, 03 Nov 2026 13:00:30 +0100"}, 30.0),
        ({"Retry-After": "Tue, 03 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "Tue, 03 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Tue, 03 Nov 99999 12:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(headers, seconds):
    assert retry_after_s(httpx2.Headers(headers), NOW) == seconds


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "no\n such  model"}, "no such model"),
        ({"detail": [{"msg": "field required"}]}, '{"detail": [{"msg": "field required"}]}'),
        ("bad gateway", "bad gateway"),
        ("", "without a word"),
        (None, "null"),
        ({"message": "key sk-1 is wrong"}, "key *** is wrong"),
        ({"detail": "sk-1"}, '{"detail": "***"}'),
    ],
)
def test_the_words_of_an_error_are_one_line_without_the_key(body, words):
    assert said(body, "sk-1") == words


def test_of_many_words_the_first_are_repeated():
    assert said("x" * 10_000, None) == "x" * 300
