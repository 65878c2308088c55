"""Requests that leave the house: nothing inside is ever connected to; where it goes, it goes with the right name."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from kb import outgoing
from kb.outgoing import Refused, Unreachable, is_public


class Listener:
    """A server on this machine that remembers who came; `answer` is what it does with a request."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.names: list[str | None] = []  # that were asked for where TLS began
        self.status, self.body, self.extra = 204, b"", {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), body))
                self.send_response(outer.status)
                for name, value in outer.extra.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.body)

            do_GET = do_POST

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer((host, port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


def inside(settings: Settings, *networks: str, hosts: tuple[str, ...] = ()) -> None:
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network(network) for network in networks]
    settings.WEBHOOK_HOSTS = set(hosts)


def answers(*addresses: str) -> Any:
    """A name server that says this."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, port)) for each in addresses]

    return resolve


def send(url: str, **known: Any) -> outgoing.Answer:
    return outgoing.post(url, body=b"{}", headers={"Content-Type": "application/json"}, **known)


INSIDE = (
    *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "①②⑦.0.0.1", "0", "0.0.0.0"),
    *("localhost", "localhost.", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]"),
    *("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "10.0.0.1", "172.16.0.1", "192.168.1.1", "224.0.0.1"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a00:1::]", "[ff02::1]"),
    *("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[fe80::1]", "[fec0::1]", "198.18.0.1", "192.0.2.1", "255.255.255.255"),
    *("[2606:4700::5efe:7f00:1]", "[2606:4700::200:5efe:a00:1]"),
)


@pytest.mark.parametrize("host", INSIDE)
def test_nothing_inside_is_connected_to(host: str, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))

    for url in (f"http://{host}/", f"https://{host}/", f"http://{host}:{listener.port}/"):
        with pytest.raises((Refused, Unreachable)):
            send(url)

    assert tried == [] and listener.requests == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        *(
            (url, "begins with")
            for url in ("file:///etc/passwd", "gopher://example.org/", "//example.org/", "", "http:///x")
        ),
        *((f"http://example.org/{char}", "characters") for char in ' \t\r\n\0\x7f\\"<>^`{|}'),
        ("https://example.org/".ljust(2001, "x"), "characters"),
        *((f"http://{user}@example.org/", "password") for user in ("user", "user:password", "user%40")),
        ("http://example.org:22/", "80 and 443"),
        *((f"http://{host}/", "no address") for host in ("example.org:99999", "[::1", "example.org:x")),
    ],
)
def test_what_is_no_plain_address_is_refused(url: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))

    with pytest.raises(Refused, match=why):
        send(url, resolve=answers("93.184.216.34"))

    assert tried == []


@pytest.mark.parametrize(
    "url", ["https://example.org/".ljust(2000, "x"), "https://example.org:443/!?a=b#c", "http://a:80"]
)
def test_a_plain_address_is_taken(url: str) -> None:
    outgoing.check(url, resolve=answers("93.184.216.34"))


@pytest.mark.parametrize("url", ["http://good#@127.0.0.1/", "http://example.org\\@127.0.0.1/"])
def test_what_other_programs_read_otherwise_leads_nowhere(url: str) -> None:
    with pytest.raises((Refused, Unreachable)):
        send(url, resolve=answers("127.0.0.1"))


@pytest.mark.parametrize(
    "found", [("93.184.216.34", "127.0.0.1"), ("10.0.0.1", "93.184.216.34"), ("2606:4700::1111", "::1")]
)
def test_one_address_inside_refuses_them_all(found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))

    with pytest.raises(Refused, match="inside"):
        send("https://hooks.example.org/", resolve=answers(*found))

    assert tried == []


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "2606:4700::5eff:1:1"]
)
def test_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_the_name_is_asked_once_and_the_connection_goes_to_what_was_looked_at(
    settings: Settings, listener: Listener
) -> None:
    """A name server that says something harmless first, and something inside when asked again."""
    inside(settings, "127.0.0.2/32")
    harmless = Listener("127.0.0.2", listener.port)
    asked: list[str] = []

    def rebinding(host: str, port: int, **known: Any) -> list[Any]:
        asked.append(host)
        return list(answers("127.0.0.2" if len(asked) == 1 else "127.0.0.1")(host, port, **known))

    try:
        send(f"http://hooks.example.org:{listener.port}/x?y=1", resolve=rebinding)
    finally:
        harmless.close()

    assert asked == ["hooks.example.org"] and listener.requests == []
    ((path, headers, body),) = harmless.requests
    assert (path, headers["Host"], body) == ("/x?y=1", f"hooks.example.org:{listener.port}", b"{}")


def test_a_form_is_told_of_what_leads_inside_and_not_of_a_name_without_an_address() -> None:
    def no_such_name(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror("Name or service not known")

    outgoing.check("https://hooks.example.org/", resolve=no_such_name)
    with pytest.raises(Refused, match="inside"):
        outgoing.check("https://hooks.example.org/", resolve=answers("10.0.0.1"))


@pytest.mark.parametrize(("status", "is_good"), [(199, False), (200, True), (299, True), (300, False), (500, False)])
def test_an_answer_is_good_from_200_up_to_299(status: int, is_good: bool) -> None:
    assert outgoing.Answer(status, "").is_good == is_good


def test_once_it_is_answered_nothing_waits_to_cut_it_off(settings: Settings, listener: Listener) -> None:
    inside(settings, "127.0.0.1/32")

    send(f"http://127.0.0.1:{listener.port}/")

    cutting = [
        each for each in threading.enumerate() if isinstance(each, threading.Timer) and each.function is outgoing._cut
    ]
    assert not [each for each in cutting if not each.finished.is_set()]


def test_redirects_are_not_followed(settings: Settings, listener: Listener) -> None:
    inside(settings, "127.0.0.1/32")
    listener.status, listener.extra = 302, {"Location": f"http://127.0.0.1:{listener.port}/secret"}

    answer = send(f"http://127.0.0.1:{listener.port}/")

    assert (answer.status, answer.is_good) == (302, False)
    assert len(listener.requests) == 1


def test_proxies_of_the_environment_are_not_used(
    settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside(settings, "127.0.0.0/8")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listener.port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.port}")

    with pytest.raises(Unreachable):
        send("http://127.0.0.3:1/")

    assert listener.requests == []


def test_of_a_long_answer_only_the_beginning_is_read(settings: Settings, listener: Listener) -> None:
    inside(settings, "127.0.0.1/32")
    listener.status, listener.body = 200, b"x" * 5_000_000

    assert send(f"http://127.0.0.1:{listener.port}/").excerpt == "x" * outgoing.EXCERPT


def test_an_answer_that_drips_is_cut_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(settings, "127.0.0.1/32")
    monkeypatch.setattr(outgoing, "WHOLE_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    while not ended.wait(0.05):
                        connection.sendall(b"H")
                except OSError:
                    pass

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(Unreachable):
            send(f"http://127.0.0.1:{server.getsockname()[1]}/")
        ended.set()
        thread.join()


def test_what_is_no_http_is_said_in_letters_that_can_be_kept(settings: Settings) -> None:
    inside(settings, "127.0.0.1/32")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def mumble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(b"\0\x1b[2J mumble\r\n\r\n")

        thread = threading.Thread(target=mumble, daemon=True)
        thread.start()
        with pytest.raises(Unreachable, match="mumble") as raised:
            send(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()

    assert str(raised.value).isprintable()


def test_of_a_name_with_many_addresses_few_are_tried(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(settings, "127.0.0.0/8")
    tried: list[Any] = []

    def nobody(self: socket.socket, address: Any) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", nobody)

    with pytest.raises(Unreachable):
        send("http://many.example/", resolve=answers(*(f"127.0.1.{n}" for n in range(200))))

    assert tried == [f"127.0.1.{n}" for n in range(outgoing.MOST_TRIED)]


def test_a_host_inside_is_allowed_by_name(settings: Settings, listener: Listener) -> None:
    inside(settings, hosts=("hooks.internal",))

    assert send(f"http://hooks.internal:{listener.port}/", resolve=answers("127.0.0.1")).is_good
    with pytest.raises(Refused):
        send(f"http://other.internal:{listener.port}/", resolve=answers("127.0.0.1"))


@pytest.fixture
def certified(listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Speaks TLS, with a certificate for hooks.example.org that this machine trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.org")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "both.pem").write_bytes(pem + secret)
    (tmp_path / "trusted.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    context.sni_callback = lambda _socket, named, _context: listener.names.append(named)
    listener.server.socket = context.wrap_socket(listener.server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    return listener


def test_the_certificate_has_to_be_of_the_name_and_not_of_the_address(settings: Settings, certified: Listener) -> None:
    inside(settings, "127.0.0.1/32")

    assert send(f"https://hooks.example.org.:{certified.port}/", resolve=answers("127.0.0.1")).is_good
    assert certified.names == ["hooks.example.org"]
    for other in ("other.example.org", "127.0.0.1"):
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            send(f"https://{other}:{certified.port}/", resolve=answers("127.0.0.1"))

    assert len(certified.requests) == 1


def test_a_certificate_that_nobody_trusts_is_not_taken(
    settings: Settings, certified: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside(settings, "127.0.0.1/32")
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(Unreachable, match=r"(?i)certificate"):
        send(f"https://hooks.example.org:{certified.port}/", resolve=answers("127.0.0.1"))

    assert certified.requests == []
