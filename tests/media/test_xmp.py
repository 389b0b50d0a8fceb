"""XMP packets of good and bad will."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.told import Told
from pipeline.media.xmp import XmpError, read_xmp

NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:cc="http://creativecommons.org/ns#"'
)


def packet(body: str, attributes: str = "") -> bytes:
    description = f'<rdf:Description rdf:about="" {attributes} {NAMESPACES}>{body}</rdf:Description>'
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f"<rdf:RDF {NAMESPACES}>{description}</rdf:RDF></x:xmpmeta>" + " " * 20 + '<?xpacket end="w"?>'
    ).encode()


FULL = packet(
    """<dc:description><rdf:Alt><rdf:li xml:lang="de">Ein Hund</rdf:li>
    <rdf:li xml:lang="x-default">A dog</rdf:li></rdf:Alt></dc:description>
    <dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
    <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© Ann</rdf:li></rdf:Alt></dc:rights>
    <cc:license rdf:resource="https://creativecommons.org/licenses/by/4.0/"/>""",
    'xmpRights:WebStatement="https://example.org/terms" dc:source="https://example.org/dog"',
)


def test_dublin_core_and_rights_are_read() -> None:
    licences = ("https://creativecommons.org/licenses/by/4.0/", "© Ann", "https://example.org/terms")
    assert read_xmp(FULL) == Told("A dog", licences, "Ann, Bob", "https://example.org/dog")
    assert read_xmp(FULL + b"\x00" * 100) == read_xmp(FULL)


def test_a_packet_that_says_nothing_is_none() -> None:
    assert read_xmp(packet("<dc:description/>")) == Told()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><x>&b;</x>", "document type"),
        ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>".encode("utf-16"), "document type"),
        (b"<a>" * 100 + b"</a>" * 100, "deep"),
        (b"<x", "unclosed"),
        (b"", "no element"),
        (b"<?xml version='1.0' encoding='no-such'?><x/>", "encoding"),
    ],
)
def test_xml_that_tries_something_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(XmpError, match=why):
        read_xmp(raw)


@given(st.binary(max_size=300) | st.builds(lambda cut: FULL[:cut] + FULL[cut + 3 :], st.integers(0, len(FULL))))
def test_no_bytes_break_it(raw: bytes) -> None:
    with suppress(XmpError):
        assert isinstance(read_xmp(raw), Told)
