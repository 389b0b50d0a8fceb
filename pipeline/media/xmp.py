"""Reads XMP packets (ISO 16684-1), beside a medium or inside it: Dublin Core and rights.

XML of strangers: a document type declaration, the only way to entities, is refused, and so is deep
nesting; nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pipeline.media.told import Told, clean, joined

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "http://purl.org/dc/elements/1.1/}"
_RIGHTS = "http://ns.adobe.com/xap/1.0/rights/}"
_CC = "http://creativecommons.org/ns#}"
_LANG = "http://www.w3.org/XML/1998/namespace}lang"
_MAX_DEPTH = 64


class XmpError(ValueError):
    """A packet that is no well-formed XML, or one that tries something."""


def read_xmp(packet: bytes) -> Told:
    """What a packet says. Raises XmpError."""
    tree = _parsed(packet)
    licence = [v for name in (f"{_CC}license", f"{_DC}rights") for v in _values(tree, name)]
    terms = [v for name in (f"{_RIGHTS}UsageTerms", f"{_RIGHTS}WebStatement") for v in _values(tree, name)]
    return Told(
        next(iter(_values(tree, f"{_DC}description")), None) or next(iter(_values(tree, f"{_DC}title")), None),
        tuple(dict.fromkeys([*licence, *terms])),
        joined(_values(tree, f"{_DC}creator")),
        next(iter(_values(tree, f"{_DC}source")), None),
    )


def _parsed(packet: bytes) -> Element:
    builder, parser = TreeBuilder(), expat.ParserCreate(namespace_separator="}")
    depth = 0

    def refuse(*_: object) -> None:
        raise XmpError("it has a document type declaration")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise XmpError(f"elements lie more than {_MAX_DEPTH} deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    try:
        parser.Parse(packet.strip(b"\x00 \r\n\t"), True)
        return builder.close()
    except (expat.ExpatError, AssertionError, LookupError, ValueError) as error:
        raise XmpError(" ".join(str(error).split())) from error


def _values(tree: Element, name: str) -> list[str]:
    """The values of a property, an attribute or an element; of alternatives in several languages the default."""
    found: list[str | None] = []
    for element in tree.iter():
        found.append(clean(element.get(name)))
        if element.tag == name:
            items = list(element.iter(f"{_RDF}li"))
            alternatives = next(element.iter(f"{_RDF}Alt"), None) is not None
            found += _texts(_default_first(items)[:1] if alternatives else items or [element])
    return [v for v in found if v]


def _default_first(items: list[Element]) -> list[Element]:
    return sorted(items, key=lambda li: li.get(_LANG) != "x-default")


def _texts(elements: Iterable[Element]) -> list[str | None]:
    return [clean(e.get(f"{_RDF}resource") or "".join(e.itertext())) for e in elements]
