"""What a URL names, and whether it may be fetched."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import FetchSettings
from pipeline.config_file import parse_config
from pipeline.errors import ConfigError, MediaError
from pipeline.media.urls import Url, allowed, below, containers, is_url, parsed


def reason(text: str) -> str:
    with pytest.raises(MediaError) as caught:
        parsed(text)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTPS://Example.ORG:443/a b.jpg?x=1#part", "https://example.org/a%20b.jpg?x=1"),
        ("http://u:pw@example.org", "http://example.org/"),
        ("https://example.org/a/../b", "https://example.org/b"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("s3://bucket/a b/ü?#%20.jpg", "s3://bucket/a b/ü?#%20.jpg"),
        ("gs://my_bucket.x", "gs://my_bucket.x/"),
    ],
)
def test_urls_have_one_form(text: str, normal: str) -> None:
    assert str(parsed(text)) == normal
    assert str(parsed(normal)) == normal


@pytest.mark.parametrize(
    "text",
    [
        "https://", "https:///x", "https://[::1", "https://a:b/", "https://h:0/", "s3://", "s3://A/x", "s3://a..b/x",
        "s3://user:key@bucket/x", "s3://bucket:9000/x", "s3://b.x/../../y", "s3://bkt/a//b", "s3://bkt/a/./b",
        "https://h/%2e%2e/x",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(text: str) -> None:
    assert reason(text) == "bad_url"


@pytest.mark.parametrize("text", ["ftp://h/x", "file:///etc/passwd", "data://x", "javascript://x", "gopher://h/_x"])
def test_other_schemes_are_never_fetched(text: str) -> None:
    assert reason(text) == "not_allowed"


@given(st.text(max_size=60), st.sampled_from(["https://", "http://", "s3://", "gs://", "", "x://"]))
@example("\ud800", "https://")
@example("[", "https://")
@example("xn--a.example", "https://")
def test_any_text_is_a_url_or_a_reason(text: str, scheme: str) -> None:
    try:
        url = parsed(f"{scheme}{text}")
    except MediaError as error:
        url, found = None, error.reason
    assert found in ("bad_url", "not_allowed") if url is None else parsed(str(url)) == url
    assert url is None or ".." not in url.path.split("/")


def test_only_what_is_listed_is_allowed() -> None:
    allow = ("https", "s3://mine/pics", "http://example.org")
    for text in ("https://a/b", "s3://mine/pics/a.jpg", "s3://mine/pics", "http://example.org/x"):
        assert allowed(parsed(text), allow), text
    for text in ("http://a/b", "s3://mine/pics2/a", "s3://mine", "s3://other/pics/a", "http://example.org.evil.net/",
                 "http://example.org:8080/", "gs://mine/pics/a"):  # fmt: skip
        assert not allowed(parsed(text), allow), text
    assert not allowed(parsed("https://a/b"), ())


@pytest.mark.parametrize("wrong", ["ftp", "https:", "://", "s3://", "file:///x"])
def test_settings_that_allow_nothing_that_exists_are_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="neither a scheme"):
        parse_config({"frames": {"fetch": {"allow": [wrong]}}}, "here")


def test_by_default_only_https_is_allowed() -> None:
    assert FetchSettings().allow == ("https",)
    assert not FetchSettings().private_addresses


def test_uris_count_from_the_root_and_never_leave_it() -> None:
    assert below("s3://b00/p", "a b/c?.jpg") == "s3://b00/p/a b/c?.jpg"
    assert below("https://h/p/", "a b/100%?.jpg") == "https://h/p/a%20b/100%25%3F.jpg"
    assert below("s3://b00/p", "https://other/x") == "https://other/x"
    for uri in ("../x", "/etc/passwd", "a/../../x", "", "a\0"):
        with pytest.raises(MediaError, match="outside_media_root"):
            below("https://h/p", uri)


def test_parts_of_a_path_may_be_containers() -> None:
    assert list(containers(parsed("https://h/a.tar/b%20c.jpg?q"))) == [(Url("https", "h", "/a.tar"), "b c.jpg")]
    found = [(str(c), m) for c, m in containers(parsed("s3://bkt/x.parquet/3/image.arrow/y"))]
    assert found == [("s3://bkt/x.parquet", "3/image.arrow/y"), ("s3://bkt/x.parquet/3/image.arrow", "y")]
    assert not list(containers(parsed("s3://bkt/a.tar")))


def test_a_path_is_no_url() -> None:
    assert not is_url("a/b://c")
    assert not is_url("/x")
    assert is_url("s3://x")
