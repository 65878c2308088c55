"""Requests that leave the house, to addresses that somebody typed in: only to where the public internet is.

Every address of every answer of the name server is looked at before anything connects, and the connection goes to one
of these and asks for no name again. No redirects, no proxies of the environment, and limits of time and size.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from kb.errors import DomainError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., Sequence[Any]]  # as socket.getaddrinfo

USUAL_PORTS = {"http": 80, "https": 443}
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
MOST_READ = 64 * 1024
MOST_TRIED = 4  # addresses of one name: an answer of the name server may hold thousands
EXCERPT = 500

NAT64 = ipaddress.ip_network("64:ff9b::/96")
# `is_global` of Python 3.11 takes some of these for public.
CLOSED = [
    ipaddress.ip_network(network)
    for network in (
        *(
            "0.0.0.0/8",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16"),
        *("fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
]


class Refused(DomainError):
    """It is not sent there: the address is none, or leads inside."""


class Unreachable(Exception):
    """Nobody answered, or not in time, or not as HTTP does."""


@dataclass(frozen=True)
class Answer:
    status: int
    excerpt: str  # its first characters

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


def post(url: str, *, body: bytes, headers: Mapping[str, str], resolve: Resolve = socket.getaddrinfo) -> Answer:
    """Raises `Refused`, which will not get better by itself, or `Unreachable`."""
    target = target_of(url)
    addresses = vetted(target, resolve=resolve)
    until = time.monotonic() + WHOLE_SECONDS
    problem: Exception = Unreachable("no address")
    for address in addresses[:MOST_TRIED]:
        with _limited(target, address, until) as connection:
            try:
                connection.connect()
            except (OSError, ValueError, HTTPError) as error:  # a wrong certificate is a ValueError
                problem = error  # nothing was sent: the next address may answer
                continue
            try:
                return _asked(connection, target, body, headers)
            except (OSError, ValueError, HTTPError, HTTPException) as error:
                raise Unreachable(_said(error)) from error
    raise Unreachable(_said(problem)) from problem


def _said(error: Exception) -> str:
    return _printable(f"{type(error).__name__}: {error}"[:EXCERPT])


def check(url: str, *, resolve: Resolve = socket.getaddrinfo) -> None:
    """For a form: raises `Refused`. A name without an address just now is no reason."""
    with suppress(Unreachable):
        vetted(target_of(url), resolve=resolve)


def target_of(url: str) -> SplitResult:
    if any(ord(char) <= 32 or char in '\\"<>^`{|}' or ord(char) == 127 for char in url) or len(url) > 2000:
        raise Refused("This is no address: it holds characters that no address has.")
    try:
        target = urlsplit(url)
        port = target.port
    except ValueError as error:
        raise Refused("This is no address.") from error
    if target.scheme not in USUAL_PORTS or not target.hostname:
        raise Refused("The address begins with https:// and names a host.")
    if "@" in target.netloc:
        raise Refused("An address with a user name or password in it is not used.")
    if port not in {None, *USUAL_PORTS.values()} and not _is_named(target.hostname) and not settings.WEBHOOK_NETWORKS:
        raise Refused("Only the ports 80 and 443; for others an operator names the host in KB_WEBHOOK_ALLOW.")
    return target


def vetted(target: SplitResult, *, resolve: Resolve = socket.getaddrinfo) -> list[str]:
    """The addresses it has, if each of them may be connected to."""
    host = (target.hostname or "").rstrip(".")
    try:
        found = resolve(host, _port(target), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The name {host:.100} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise Unreachable(f"The name {host:.100} has no address.")
    if not all(may_connect(address, host=host, port=_port(target)) for address in addresses):
        raise Refused("The address leads inside; an operator may allow it in KB_WEBHOOK_ALLOW.")
    return addresses


def may_connect(text: str, *, host: str = "", port: int = 443) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if _is_named(host) or any(address in network for network in settings.WEBHOOK_NETWORKS):
        return True
    return port in USUAL_PORTS.values() and is_public(address)


def is_public(address: Address) -> bool:
    """Whether it leads to the internet, also where it holds another address within it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE:  # ISATAP, with an address of its own inside
            return False
    closed = any(address in network for network in CLOSED if network.version == address.version)
    return address.is_global and not (closed or address.is_multicast or address.is_reserved)


def _is_named(host: str) -> bool:
    return host.rstrip(".").lower() in settings.WEBHOOK_HOSTS


def _port(target: SplitResult) -> int:
    return target.port or USUAL_PORTS[target.scheme]


@contextmanager
def _limited(target: SplitResult, address: str, until: float) -> Iterator[HTTPConnection]:
    """To this address, for the certificate of the name. Cut off at the end of the time, whatever it is doing then."""
    host = (target.hostname or "").rstrip(".")
    wait = min(CONNECT_SECONDS, max(until - time.monotonic(), 0.1))
    connection: HTTPConnection
    if target.scheme == "https":
        context = ssl.create_default_context()
        connection = HTTPSConnection(
            *(address, _port(target)),
            timeout=wait,
            ssl_context=context,
            server_hostname=host,
            assert_hostname=host,
        )
    else:
        connection = HTTPConnection(address, _port(target), timeout=wait)
    limit = threading.Timer(max(until - time.monotonic(), 0.1), _cut, [connection])
    limit.daemon = True
    limit.start()
    try:
        yield connection
    finally:
        limit.cancel()
        connection.close()


def _cut(connection: HTTPConnection) -> None:
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _asked(connection: HTTPConnection, target: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    own = {"Host": target.netloc, "Accept-Encoding": "identity", "User-Agent": "postmortem-kb"}
    connection.request("POST", path, body=body, headers={**own, **headers}, preload_content=False)
    response = connection.getresponse()
    said = response.read(MOST_READ, decode_content=False)
    return Answer(response.status, _printable(said[: 4 * EXCERPT].decode(errors="replace"))[:EXCERPT])


def _printable(said: str) -> str:
    """What the other side says may hold anything, also what a database or a terminal cannot take."""
    return "".join(char if char.isprintable() else " " for char in said)
