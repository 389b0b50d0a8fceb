"""Addresses that a stranger's list must not lead to, however they are written."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.addresses import literal, outside_internet

CLOSED = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip
inside = st.sampled_from(CLOSED).flatmap(
    lambda net: st.integers(0, IPv4Network(net).num_addresses - 1).map(lambda i: IPv4Network(net)[i])
)


def carriers(ip: IPv4Address) -> list[str]:
    """IPv6 addresses that lead to an IPv4 one."""
    n = int(ip)
    return [
        f"::ffff:{ip}",
        str(IPv6Address((0x2002 << 112) | (n << 80))),
        str(IPv6Address((0x64FF9B << 96) | n)),
        str(IPv6Address((0x20010000 << 96) | (int(IPv4Address("8.8.8.8")) << 64) | (n ^ 0xFFFFFFFF))),
    ]


@given(inside)
def test_no_address_outside_the_internet_is_public_in_any_clothes(ip: IPv4Address) -> None:
    assert outside_internet(str(ip))
    for carrier in carriers(ip):
        assert outside_internet(carrier), carrier


@pytest.mark.parametrize("address", ["8.8.8.8", "151.101.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert outside_internet(address) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("10.1.2.3", "private"), ("fd00:ec2::254", "private"), ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("::", "unspecified"), ("100.64.0.1", "shared"), ("::ffff:169.254.169.254", "link-local"),
    ],
)  # fmt: skip
def test_the_kind_is_named(address: str, kind: str) -> None:
    assert outside_internet(address) == kind


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "a.localhost.", "LOCALHOST"]
)
def test_hosts_that_mean_this_machine_are_seen_through(host: str) -> None:
    assert literal(host) == "127.0.0.1"


def test_a_name_is_no_address() -> None:
    assert literal("example.org") is None
    assert literal("[2606:4700::1111]") == "2606:4700::1111"


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_none(text: str) -> None:
    found = literal(text)
    assert found is None or socket.getaddrinfo(found, 80)
