"""A knowledge base on a server, asked through its API. The token goes to that server and no further."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urljoin, urlsplit

from kb.archives import CHUNK, Entry, zipped
from kb.terminal.answers import BadRequest, Trouble

TIMEOUT = 10  # seconds without a word
LONG = 300  # of an import
MAX_SENT = 50_000_000
MAX_ANSWER = 20_000_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where it would lead the token is not to be shown."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _AnswerAllTheSame(Exception):
    """Refused, and yet with what was asked for."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


class Server:
    def __init__(self, address: str, token: str) -> None:
        if not _is_address(address):
            raise BadRequest(f"{address!r} is no address of a server. For example https://kb.example.org")
        parts = urlsplit(address)
        is_here = parts.hostname in LOOPBACK
        if parts.scheme == "http" and not is_here:
            raise BadRequest(f"{address} is not encrypted, and everybody on the way could read the token: use https.")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise BadRequest("The token has characters that no token has: copy it again, in one piece.")
        self.address, self.token = address, token
        # This machine is asked without a proxy: what goes there is not encrypted, and the token is in it.
        proxies = {} if is_here else urllib.request.getproxies()
        by_proxy = not is_here and not urllib.request.proxy_bypass(parts.hostname or "")
        self.proxy = urlsplit(proxies.get(parts.scheme, "")).netloc.rpartition("@")[2] if by_proxy else ""
        # Certificates are verified: Python's default.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _NoRedirects).open

    def search(self, query: str, limit: int) -> dict[str, Any]:
        return self._like(
            self._ask(f"/api/v1/search/?{urlencode({'q': query, 'per_page': limit})}"), "results", "total"
        )

    def suggest(self, report: Mapping[str, Any], limit: int) -> dict[str, Any]:
        return self._like(self._ask("/api/v1/suggestions/", {**report, "limit": limit}), "results", "total_candidates")

    def declare(self, report: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._like(self._ask("/api/v1/incidents/", report), "ref", "title")
        return {**answer, "url": urljoin(f"{self.address}/", str(answer.get("url") or ""))}

    def bring_in(self, paths: Sequence[Path], options: Mapping[str, Any]) -> dict[str, Any]:
        """A file as it is, a folder as a zip; what each brought together in one answer."""
        query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
        answers = [
            self._send(path, urlencode({name: value for name, value in query.items() if value})) for path in paths
        ]
        first, *others = answers
        for answer in others:
            first = {name: first[name] + answer[name] for name in first}
        return first

    def _send(self, path: Path, query: str) -> dict[str, Any]:
        with _packed(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size > MAX_SENT:
                raise BadRequest(f"{path} has more than {MAX_SENT // 1_000_000} MB: import it on the server's machine.")
            name = f"{path.resolve().name}.zip" if path.is_dir() else path.name
            more = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            answer = self._open_and_read(f"/api/v1/imports/{quote(name, safe='')}?{query}", file, more, "PUT", LONG)
            return self._like(answer, "postmortems", "skipped")

    def _ask(self, path: str, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if sent is None:
            return self._open_and_read(path, None, {}, "GET")
        return self._open_and_read(path, json.dumps(sent).encode(), {"Content-Type": "application/json"}, "POST")

    def take_out(self, form: str) -> Iterator[bytes]:
        """The file, as it comes. Raises `Trouble` if it does not come whole."""
        with self._opened(
            f"/api/v1/export/?{urlencode({'format': form})}", None, {"Accept": "*/*"}, "GET", LONG
        ) as answer:
            while piece := answer.read(CHUNK):
                yield piece

    def _open_and_read(
        self, path: str, body: Any, more: Mapping[str, str], method: str, timeout: int = TIMEOUT
    ) -> dict[str, Any]:
        try:
            with self._opened(path, body, more, method, timeout) as answer:
                return self._read(answer.read(MAX_ANSWER))
        except _AnswerAllTheSame as known:
            return known.answer

    @contextmanager
    def _opened(
        self, path: str, body: Any, more: Mapping[str, str], method: str, timeout: int
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {"Accept": "application/json", "User-Agent": "kb", **more}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(  # noqa: S310  (http and https only)
            self.address + path, body, headers, method=method
        )
        try:
            with self._open(request, timeout=timeout) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise _AnswerAllTheSame(self._refused(error)) from error
        except urllib.error.URLError as error:
            raise Trouble(self._why(error.reason)) from error
        except (TimeoutError, OSError, http.client.HTTPException) as error:
            raise Trouble(self._why(error)) from error

    def _refused(self, error: urllib.error.HTTPError) -> dict[str, Any]:
        """Raises what it means. An answer that is an answer all the same: the index is not ready, and the reason."""
        content = error.read(MAX_ANSWER)
        said = _reason(content)
        if error.code == 401:
            how = "is not good there" if self.token else "is missing"
            raise Trouble(f"The token {how}. Make one on your account page, and put it into KB_TOKEN.")
        if error.code == 403:
            raise Trouble(said or "This token does not allow it.")
        if error.code == 503 and b'"results"' in content:
            return self._read(content)
        if 300 <= error.code < 400:
            where = urlsplit(error.headers.get("Location", "")).netloc
            raise Trouble(f"{self.address} sends us on{f' to {where}' if where else ''}: use the address it is at.")
        if error.code == 404 or (error.code in (405, 501) and not said):
            raise Trouble(f"There is no such knowledge base at {self.address}, or it is older than this command.")
        if 400 <= error.code < 500:
            raise BadRequest(said or f"{self.address} refused it ({error.code}).")
        raise Trouble(f"{self.address} is unwell ({error.code}). Try again in a moment.")

    def _read(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise Trouble(f"{self.address} is no knowledge base: its answer is no JSON.") from error
        return self._like(answer)

    def _like(self, answer: Any, *names: str) -> dict[str, Any]:
        """Other servers answer with JSON, too."""
        if not isinstance(answer, dict) or not set(names) <= set(answer):
            raise Trouble(f"{self.address} is no knowledge base: its answer is of another kind.")
        return answer

    def _why(self, reason: object) -> str:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"The certificate of {self.address} is not good: {reason.verify_message}"
        way = f" through the proxy {self.proxy}" if self.proxy else ""
        if isinstance(reason, ssl.SSLError) and "WRONG_VERSION" in str(reason):
            return f"{self.address} does not speak TLS{way}. Is its address http://?"
        if isinstance(reason, TimeoutError):
            return f"{self.address} has not answered in time{way}."
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        return f"{self.address} cannot be reached{way}: {said}"


def _is_address(address: str) -> bool:
    """Scheme, host, perhaps a port and a path: nothing else of an address is for a server."""
    if not address.isascii() or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # half an IPv6 address, a port that is none
        return False
    return bool(known) and not (parts.username or parts.password or parts.query or parts.fragment)


@contextmanager
def _packed(path: Path) -> Iterator[BinaryIO]:
    """The file; of a folder a zip of what is in it, but for what is hidden. No link is followed."""
    try:
        if not path.is_dir():
            with path.open("rb") as file:
                yield file
            return
        with TemporaryFile() as file:
            file.writelines(zipped(_entries(path)))
            yield file
    except OSError as error:
        raise BadRequest(f"{error.filename or path}: {error.strerror}") from error


def _entries(folder: Path) -> Iterator[Entry]:
    for found in sorted(folder.rglob("*")):
        name = found.relative_to(folder).as_posix()
        if found.is_file() and not found.is_symlink() and not any(part.startswith(".") for part in name.split("/")):
            yield Entry(name, (found.read_bytes(),))


def _reason(content: bytes) -> str:
    """What the API says is wrong: each field with what is wrong with it, or `detail`."""
    try:
        said = json.loads(content)
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    errors = said.get("errors")
    listed = [_told(each) for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return "; ".join(listed) or str(said.get("detail") or "")


def _told(error: Mapping[str, Any]) -> str:
    field, detail = str(error.get("field") or ""), str(error.get("detail") or "")
    return f"{field}: {detail}" if field else detail
