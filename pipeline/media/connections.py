"""Connections to web servers: straight ones go to the public internet alone, and all end in time."""

from __future__ import annotations

import os
import socket
import ssl
from functools import lru_cache
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import TimeoutError as NoAnswerError
from urllib3.util import make_headers, parse_url

from pipeline.errors import MediaError
from pipeline.media.addresses import literal, outside_internet
from pipeline.media.deadline import Deadline
from pipeline.media.urls import Url


def connecting(url: Url, private_addresses: bool, deadline: Deadline) -> PoolManager:
    """What makes the one connection that a request for `url` needs, straight or by the environment's proxy.

    private_addresses: whether it may lead outside the public internet. Behind a proxy only a host that
    is itself an address can be checked. Raises MediaError private_address, here or when it connects.
    """
    proxy = proxy_of(url.scheme, url.host)
    tls = _tls(os.environ.get("SSL_CERT_FILE"))
    manager: PoolManager
    if proxy is None:
        manager = PoolManager(ssl_context=tls)
    else:
        host = parse_url(str(url)).host or ""
        if not private_addresses and (address := literal(host)) is not None:
            _check(host, address)
        auth = parse_url(proxy).auth
        headers = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        manager = ProxyManager(proxy, proxy_headers=headers, ssl_context=tls)
    manager.pool_classes_by_scheme = _guarded(deadline, public_only=proxy is None and not private_addresses)
    return manager


def proxy_of(scheme: str, host: str) -> str | None:
    """The URL of the proxy that the environment (https_proxy, no_proxy, ...) names for a server."""
    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or proxy_bypass(host):
        return None
    return found if "://" in found else f"http://{found}"


@lru_cache(maxsize=2)
def _tls(authorities: str | None) -> ssl.SSLContext:
    """Certificates are checked against the system's authorities, or those of SSL_CERT_FILE."""
    del authorities  # the library reads the variable itself; here it is the cache's key
    return ssl.create_default_context()


def _guarded(deadline: Deadline, public_only: bool) -> dict[str, type[HTTPConnectionPool]]:
    def connected(connection: HTTPConnection) -> socket.socket:
        return _connected(connection._dns_host, connection.port, float(connection.timeout or 0), deadline, public_only)

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connected(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connected(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connected(host: str, port: int, timeout_s: float, deadline: Deadline, public_only: bool) -> socket.socket:
    """A connection to one of the host's addresses, each looked at before a packet goes there.

    The name is looked up once, and what was checked is what is connected to: a name that changes its
    address in between (DNS rebinding) gains nothing.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise ProtocolError(f"the name {host!r} cannot be looked up now") from error
        raise MediaError("fetch_failed", f"the name {host!r} cannot be looked up") from error
    failure = OSError(f"no address of {host!r}")
    for family, kind, protocol, _, address in found:
        if public_only:
            _check(host, str(address[0]))
        deadline.check()
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(min(timeout_s, deadline.left_s + 0.001))
            connection.connect(address)
            deadline.hold(connection)
        except OSError as error:
            connection.close()
            failure = error
            continue
        connection.settimeout(timeout_s)
        return connection
    if isinstance(failure, TimeoutError):
        raise NoAnswerError(f"no connection to {host!r} within timeout_s {timeout_s:g} s") from failure
    raise ProtocolError(f"no connection to {host!r}: {(failure.strerror or str(failure)).lower()}") from failure


def _check(host: str, address: str) -> None:
    kind = outside_internet(address)
    if kind is not None:
        where = address if host.strip("[]") == address else f"{host} is at {address}"
        raise MediaError("private_address", f"{where}, a {kind} address; frames.fetch.private_addresses is false")
