"""A knowledge base on a server, asked through its API. The token goes to that server and no further."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from kb.terminal.answers import BadRequest, Trouble

TIMEOUT = 10  # seconds without a word
MAX_ANSWER = 20_000_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where it would lead the token is not to be shown."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Server:
    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(f"{address!r} is no address of a server. For example https://kb.example.org")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise BadRequest(f"{address} is not encrypted, and everybody on the way could read the token: use https.")
        self.address, self.token = address, token
        self._open = urllib.request.build_opener(_NoRedirects).open  # certificates are verified: Python's default

    def search(self, query: str, limit: int) -> dict[str, Any]:
        return self._ask(f"/api/v1/search/?{urlencode({'q': query, 'per_page': limit})}")

    def suggest(self, report: Mapping[str, Any], limit: int) -> dict[str, Any]:
        return self._ask("/api/v1/suggestions/", {**report, "limit": limit})

    def declare(self, report: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("/api/v1/incidents/", report)

    def bring_in(self, paths: Sequence[Path], options: Mapping[str, Any]) -> dict[str, Any]:
        raise BadRequest("import works on the machine of the knowledge base: kb import --local PATH")

    def _ask(self, path: str, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Accept": "application/json", "User-Agent": "kb"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Content-Type": "application/json"} if sent is not None else {}
        body = None if sent is None else json.dumps(sent).encode()
        request = urllib.request.Request(self.address + path, body, headers)  # noqa: S310  (http and https only)
        try:
            with self._open(request, timeout=TIMEOUT) as answer:
                return self._read(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(error)
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
        if error.code == 404:
            raise Trouble(f"There is no such knowledge base at {self.address}, or it is older than this command.")
        if 400 <= error.code < 500:
            raise BadRequest(said or f"{self.address} refused it ({error.code}).")
        raise Trouble(f"{self.address} is unwell ({error.code}). Try again in a moment.")

    def _read(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise Trouble(f"{self.address} is no knowledge base: its answer is no JSON.") from error
        if not isinstance(answer, dict):
            raise Trouble(f"{self.address} is no knowledge base: its answer is of another kind.")
        return answer

    def _why(self, reason: object) -> str:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"The certificate of {self.address} is not good: {reason.verify_message}"
        if isinstance(reason, TimeoutError):
            return f"{self.address} has not answered for {TIMEOUT} seconds."
        return f"{self.address} cannot be reached: {reason}"


def _reason(content: bytes) -> str:
    """What the API says is wrong: `detail`, or each field with what is wrong with it."""
    try:
        said = json.loads(content)
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    errors = said.get("errors") if isinstance(said.get("errors"), dict) else {}
    fields = errors or {name: value for name, value in said.items() if isinstance(value, list)}
    listed = [
        f"{name}: {' '.join(map(str, value if isinstance(value, list) else [value]))}" for name, value in fields.items()
    ]
    return "; ".join(listed) or str(said.get("detail") or "")
