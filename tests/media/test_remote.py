"""Fetching by HTTP from servers that behave badly: a file, or one reason, and never a hang."""

from __future__ import annotations

import datetime
import errno
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import FetchSettings
from pipeline.errors import MediaError
from pipeline.media import connections, web
from pipeline.media.remote import Remote
from pipeline.media.urls import parsed
from tests.media.servers import Web, chunked, dripping, in_turn, raw, redirect, reply, reset, silent

OPEN = FetchSettings(
    allow=("http", "https"), private_addresses=True, timeout_s=5, max_fetch_s=10, retries=2, retry_wait_s=0
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
PICTURE = bytes(range(256)) * 100


@pytest.fixture
def server() -> Iterator[Web]:
    with Web() as web_server:
        yield web_server


def fetched(url: str, folder: Path, **changes: Any) -> bytes:
    return Remote(folder, OPEN.model_copy(update=changes)).fetch(parsed(url)).read_bytes()


def refused(url: str, folder: Path, **changes: Any) -> tuple[str, str]:
    """Why it cannot be fetched; nothing is left in the folder."""
    with pytest.raises(MediaError) as caught:
        fetched(url, folder, **changes)
    assert [p for p in folder.rglob("*") if not p.is_dir()] == []
    assert caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value.reason, caught.value.detail


def test_a_file_is_fetched_once_and_is_there_for_later_runs(server: Web, tmp_path: Path) -> None:
    server.answers["/a%20b.JPG?size=2"] = reply(PICTURE)
    remote = Remote(tmp_path, OPEN)
    path = remote.place(server.url("/a b.JPG?size=2"))
    assert isinstance(path, Path)
    assert path.read_bytes() == PICTURE
    assert path.suffix == ".jpg"
    assert remote.place(server.url("/a b.JPG?size=2")) == path
    assert remote.at_hand(server.url("/a b.JPG?size=2")) == path
    assert server.asked == ["/a%20b.JPG?size=2"]
    with pytest.raises(MediaError, match="missing"):
        remote.at_hand(server.url("/other.jpg"))
    server.answers["/a%20b.JPG?size=2"] = reply(b"new")
    assert remote.fetch(parsed(server.url("/a b.JPG?size=2")), fresh=True) == path
    assert path.read_bytes() == b"new"


def test_bodies_without_a_length_are_whole(server: Web, tmp_path: Path) -> None:
    server.answers["/chunks"] = chunked([PICTURE, b"more"])
    server.answers["/till-the-end"] = raw(b"HTTP/1.0 200 OK\r\n\r\n" + PICTURE)
    assert fetched(server.url("/chunks"), tmp_path) == PICTURE + b"more"
    assert fetched(server.url("/till-the-end"), tmp_path) == PICTURE


def test_redirects_are_followed_where_they_may_lead(server: Web, tmp_path: Path) -> None:
    server.answers |= {
        "/1": redirect("/2"),
        "/2": redirect(server.url("/%C3%BC")),
        "/%C3%BC": reply(PICTURE),
        "/utf8": raw(b"HTTP/1.1 302 Found\r\nLocation: /\xc3\xbc\r\nContent-Length: 0\r\n\r\n"),
        "/round": redirect("/round"),
    }
    assert fetched(server.url("/1"), tmp_path) == PICTURE
    assert fetched(server.url("/utf8"), tmp_path / "utf8") == PICTURE
    reason, detail = refused(server.url("/round"), tmp_path / "round", max_redirects=3)
    assert (reason, detail) == ("fetch_failed", "more than max_redirects 3 redirects")
    assert server.asked.count("/round") == 4


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("https://example.org/x", "not_allowed"),
        ("file:///etc/passwd", "not_allowed"),
        ("ftp://example.org/x", "not_allowed"),
        ("s3://private-bucket/x", "not_allowed"),
        ("http://[", "bad_url"),
        ("//a..b:99999/", "bad_url"),
    ],
)
def test_a_redirect_to_elsewhere_is_refused(server: Web, tmp_path: Path, target: str, reason: str) -> None:
    server.answers["/x"] = redirect(target)
    assert refused(server.url("/x"), tmp_path, allow=("http", "s3://private-bucket"))[0] == reason


def test_what_is_not_allowed_is_not_asked_for(server: Web, tmp_path: Path) -> None:
    reason, detail = refused(server.url("/x"), tmp_path, allow=("https", "http://127.0.0.1/"))
    assert reason == "not_allowed"
    assert detail == f"http://127.0.0.1:{server.port} is none of what frames.fetch.allow names"
    assert server.asked == []


def test_what_lies_below_the_root_is_allowed_and_nothing_else(server: Web, tmp_path: Path) -> None:
    server.answers |= {"/set/a.jpg": reply(PICTURE), "/b.jpg": reply(PICTURE)}
    remote = Remote(tmp_path, OPEN.model_copy(update={"allow": ()}), server.url("/set"))
    assert isinstance(remote.place("a.jpg"), Path)
    for uri, reason in (("../b.jpg", "outside_media_root"), (server.url("/b.jpg"), "not_allowed")):
        with pytest.raises(MediaError, match=reason):
            remote.place(uri)
    assert server.asked == ["/set/a.jpg"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "0", "127.1"])
def test_this_machine_is_refused_by_default(server: Web, tmp_path: Path, host: str) -> None:
    reason, detail = refused(f"http://{host}:{server.port}/x", tmp_path, private_addresses=False)
    assert reason == "private_address"
    assert "frames.fetch.private_addresses is false" in detail
    assert server.asked == []


def test_a_redirect_to_a_private_address_is_refused(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.1 plays a public server."""
    real = connections.outside_internet
    monkeypatch.setattr(connections, "outside_internet", lambda a: None if a == "127.0.0.1" else real(a))
    server.answers |= {"/ok": reply(PICTURE), "/x": redirect("http://169.254.169.254/latest/meta-data/")}
    assert fetched(server.url("/ok"), tmp_path / "ok", private_addresses=False) == PICTURE
    reason, detail = refused(server.url("/x"), tmp_path / "x", private_addresses=False)
    assert (reason, detail.partition(",")[0]) == ("private_address", "169.254.169.254")


def test_a_name_that_leads_to_a_private_address_is_refused_and_is_looked_up_once(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers with a public address first, and with this machine's when asked again."""
    answers = [("203.0.113.7", 0)]
    looked_up: list[str] = []

    def rebinding(host: str, port: int, **_: object) -> list[Any]:
        looked_up.append(host)
        address = answers.pop() if answers else ("127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = f"http://rebinding.example:{server.port}/x"
    assert refused(url, tmp_path, private_addresses=False) == (
        "private_address",
        "rebinding.example is at 203.0.113.7, a private address; frames.fetch.private_addresses is false",
    )
    assert looked_up == ["rebinding.example"]
    assert refused(url, tmp_path, private_addresses=False)[0] == "private_address"
    assert server.asked == []


def test_a_name_that_nobody_knows_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unknown(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refused("http://nowhere.example/x", tmp_path) == (
        "fetch_failed",
        "the name 'nowhere.example' cannot be looked up",
    )
    assert asked == ["nowhere.example"]


def test_too_large_files_are_refused_with_and_without_a_length(server: Web, tmp_path: Path) -> None:
    server.answers |= {"/said": reply(PICTURE), "/unsaid": chunked([PICTURE] * 50), "/drip": dripping(HEAD)}
    assert refused(server.url("/said"), tmp_path, max_bytes=9) == (
        "too_large",
        f"{len(PICTURE)} bytes announced, max_bytes is 9",
    )
    assert refused(server.url("/unsaid"), tmp_path, max_bytes=40_000) == ("too_large", "more than max_bytes 40000")
    assert refused(server.url("/drip"), tmp_path, max_bytes=99_999)[0] == "too_large"  # before its body is read
    assert fetched(server.url("/said"), tmp_path, max_bytes=len(PICTURE)) == PICTURE


@pytest.mark.parametrize(
    ("status", "reason", "asked"),
    [
        ("404 Not Found", "missing", 1), ("410 Gone", "missing", 1), ("403 Forbidden", "fetch_failed", 1),
        ("204 No Content", "fetch_failed", 1), ("304 Not Modified", "fetch_failed", 1), ("500 Oops", "fetch_failed", 3),
        ("503 Busy", "fetch_failed", 3), ("429 Slow Down", "fetch_failed", 3),
    ],
)  # fmt: skip
def test_a_status_that_is_no_file_is_named(server: Web, tmp_path: Path, status: str, reason: str, asked: int) -> None:
    server.answers["/x"] = reply(b"<html>", status)
    tries = "; tried 3 times" if asked > 1 else ""
    assert refused(server.url("/x"), tmp_path) == (reason, f"HTTP {status}{tries}")
    assert len(server.asked) == asked


def test_a_busy_server_is_asked_again(server: Web, tmp_path: Path) -> None:
    busy = [reply(status="500 Oops"), reply(status="429 Slow Down"), reply(PICTURE)]
    server.answers |= {
        "/busy": in_turn(*busy),
        "/cut": in_turn(reset(), reset(HEAD + b"half"), reply(PICTURE)),
        "/short": in_turn(reply(b"half", length=100), reply(PICTURE)),
        "/bad": in_turn(chunked([PICTURE]), reply(PICTURE)),
    }
    for name in ("busy", "cut", "short", "bad"):
        assert fetched(server.url(f"/{name}"), tmp_path / name) == PICTURE
    assert len(server.asked) == 3 + 3 + 2 + 1


def test_a_file_that_never_comes_whole_is_refused(server: Web, tmp_path: Path) -> None:
    server.answers |= {
        "/short": reply(b"half", length=100),
        "/chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf"),
        "/zzz": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nhalf"),
        "/cut": reset(HEAD),
        "/nothing": raw(b""),
        "/noise": raw(b"\x00\xff\r\n\r\n"),
        "/many": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        "/long": raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
    }
    for name in server.answers:
        assert refused(server.url(name), tmp_path)[0] in ("fetch_failed", "too_large"), name
    assert refused(server.url("/short"), tmp_path)[1] == (
        "Connection broken: IncompleteRead(4 bytes read, 96 more expected); tried 3 times"
    )


def test_the_wait_that_a_server_asks_for_is_kept_to(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(web.time, "sleep", waited.append)
    server.answers["/x"] = in_turn(reply(status="429 Slow Down", Retry_After="7"), reply(PICTURE))
    assert fetched(server.url("/x"), tmp_path) == PICTURE
    assert waited == [7.0]
    for asked in ("9" * 5000, "Fri, 99 Foo 99999 00:00:00", "soon"):
        server.answers["/y"] = in_turn(reply(status="503 Busy", Retry_After=asked), reply(PICTURE))
        assert fetched(server.url("/y"), tmp_path / "y") == PICTURE
        (tmp_path / "y").rename(tmp_path / asked[:3])


def test_a_wait_longer_than_the_limit_ends_at_once(server: Web, tmp_path: Path) -> None:
    server.answers["/x"] = reply(status="429 Slow Down", Retry_After="3600")
    reason, detail = refused(server.url("/x"), tmp_path)
    assert reason == "fetch_failed"
    assert detail == "HTTP 429 Slow Down; the next try would come after 3600 s, and max_fetch_s is 10 s"
    assert len(server.asked) == 1


def test_waits_grow_and_differ(server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(web.time, "sleep", waited.append)
    server.answers["/x"] = reply(status="500 Oops")
    refused(server.url("/x"), tmp_path, retries=4, retry_wait_s=1, max_fetch_s=600)
    assert [low <= wait <= high for wait, low, high in zip(waited, (0.5, 1, 2, 4), (1.5, 3, 6, 12), strict=True)]
    assert len({wait % 1 for wait in waited}) == 4


@pytest.mark.timeout(20)
def test_silence_is_a_timeout(server: Web, tmp_path: Path) -> None:
    server.answers |= {"/head": silent(), "/body": silent(HEAD + b"some")}
    for name in ("/head", "/body"):
        reason, detail = refused(server.url(name), tmp_path, timeout_s=0.2, retries=0)
        assert reason == "fetch_timeout", detail


@pytest.mark.timeout(20)
def test_a_server_that_drips_is_cut_off_wherever_it_does(server: Web, tmp_path: Path) -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answers |= {
        "/body": dripping(HEAD),
        "/endless": dripping(b"HTTP/1.0 200 OK\r\n\r\n"),
        "/chunk-size": dripping(chunks, b"0"),
        "/chunk": dripping(chunks + b"ffff\r\n"),
        "/header": dripping(b"HTTP/1.1 200 OK\r\nX: "),
        "/status": dripping(b"HTTP/1.1 200 "),
    }
    for name in server.answers:
        assert refused(server.url(name), tmp_path, max_fetch_s=0.4) == (
            "fetch_timeout",
            "not done after max_fetch_s 0.4 s",
        )


@pytest.mark.timeout(20)
def test_a_handshake_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    with Web(mute=True) as mute:
        url = f"https://127.0.0.1:{mute.port}/x"
        assert refused(url, tmp_path, max_fetch_s=0.4)[0] == "fetch_timeout"
        assert refused(url, tmp_path, timeout_s=0.2, retries=0)[0] == "fetch_timeout"


def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/x", tmp_path) == (
        "fetch_failed",
        "no connection to '127.0.0.1': connection refused; tried 3 times",
    )


@pytest.mark.parametrize("said", ["noai", "noindex, NoImageAI", "otherbot: noai"])
def test_a_server_that_opts_out_is_heard(server: Web, tmp_path: Path, said: str) -> None:
    server.answers["/x"] = reply(PICTURE, X_Robots_Tag=said)
    assert refused(server.url("/x"), tmp_path)[0] == "opted_out"
    assert fetched(server.url("/x"), tmp_path, opt_outs=()) == PICTURE


def test_a_proxy_of_the_environment_is_used_and_gets_no_private_address(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy itself may be on this machine: the user named it."""
    monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "direct.example")
    server.answers["http://public.example/x"] = reply(PICTURE)
    closed = {"private_addresses": False}
    assert fetched("http://public.example/x", tmp_path / "x", **closed) == PICTURE
    assert server.asked == ["http://public.example/x"]
    for host in ("169.254.169.254", "0x7f.1", "[::1]", "localhost", "10.0.0.1:80"):
        assert refused(f"http://{host}/x", tmp_path / "no", **closed)[0] == "private_address", host
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("10.1.1.1", 80))])
    assert refused("http://direct.example/x", tmp_path / "no", **closed)[0] == "private_address"
    assert len(server.asked) == 1


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody else vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Web(tls=context) as server:
        server.answers["/x"] = reply(PICTURE)
        reason, detail = refused(server.url("/x"), tmp_path / "no")
        assert reason == "fetch_failed"
        assert "certificate verify failed" in detail.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        assert fetched(server.url("/x"), tmp_path / "yes") == PICTURE


def test_whoever_asks_for_the_same_url_at_once_gets_the_same_file(server: Web, tmp_path: Path) -> None:
    def slow(to: socket.socket) -> None:
        time.sleep(0.2)
        reply(PICTURE)(to)

    server.answers["/x"] = slow
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fetched(server.url("/x"), tmp_path), range(8)))
    assert found == [PICTURE] * 8
    assert server.asked == ["/x"]
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_after_a_failure_the_ones_that_waited_try_for_themselves(server: Web, tmp_path: Path) -> None:
    server.answers["/x"] = in_turn(reply(status="403 Forbidden"), reply(PICTURE))
    remote = Remote(tmp_path, OPEN)

    def one(_: int) -> bytes | str:
        try:
            return remote.fetch(parsed(server.url("/x"))).read_bytes()
        except MediaError as error:
            return error.reason

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(4)))
    assert sorted(found, key=str) == sorted(["fetch_failed", *[PICTURE] * 3], key=str)
    assert len(server.asked) == 2


@pytest.mark.timeout(60)
def test_a_process_that_is_killed_in_the_middle_leaves_nothing_in_the_way(server: Web, tmp_path: Path) -> None:
    begun = threading.Event()

    def half(to: socket.socket) -> None:
        to.sendall(HEAD + b"half")
        begun.set()
        to.recv(1)

    server.answers["/x"] = in_turn(half, reply(PICTURE))
    script = (
        "import sys; from pathlib import Path; from pipeline.config import FetchSettings\n"
        "from pipeline.media.remote import Remote; from pipeline.media.urls import parsed\n"
        "open_to_all = FetchSettings(allow=('http',), private_addresses=True)\n"
        "Remote(Path(sys.argv[2]), open_to_all).fetch(parsed(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", script, server.url("/x"), str(tmp_path)]) as process:
        assert begun.wait(30)
        waiting = threading.Timer(0.3, process.send_signal, [signal.SIGKILL])
        waiting.start()
        assert fetched(server.url("/x"), tmp_path) == PICTURE  # it waited for the other to end
    assert [p.suffix for p in tmp_path.rglob("*") if p.is_file()] == [""]


def test_a_full_disk_is_no_fault_of_the_file(server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers["/x"] = reply(PICTURE)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fetched(server.url("/x"), tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary(max_size=200))
def test_whatever_a_server_says_is_a_file_or_a_reason(server: Web, tmp_path: Path, said: bytes) -> None:
    server.answers["/x"] = raw(b"HTTP/1.1 200 OK\r\n" + said)
    remote = Remote(tmp_path, OPEN.model_copy(update={"retries": 0}))
    try:
        remote.fetch(parsed(server.url("/x")), fresh=True)
    except MediaError as error:
        reason = error.reason
        assert reason in ("fetch_failed", "fetch_timeout", "too_large", "missing", "bad_url", "opted_out")
