"""Markdown to sanitized HTML, within three seconds or not at all; and to plain text.

Python-Markdown is quadratic on a run of `[` (8 KB take ten seconds) and cannot be interrupted, so it works in
a process of its own (`markdown_worker.py`), which is killed when it takes too long. Its HTML is kept in the
database and shown with `stored()`.
"""

import atexit
import html
import json
import os
import queue
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from kb.errors import DomainError

SECONDS = 3.0  # an ordinary section takes one or two milliseconds
START_SECONDS = 30.0  # a fifth of a second, but on a machine that is starting everything at once
MAX_BYTES = 200_000
WORKER = Path(__file__).with_name("markdown_worker.py")


class TooComplex(DomainError):
    """The text was not rendered; the message tells its author why and what to do."""


# What the application calls its own: said once, by `know`, before the first worker starts.
_places: dict[str, Any] = {}


def know(*, refs: Mapping[str, str], own_images: str) -> None:
    """`refs`: prefix -> folder, `{"PM": "/postmortems/"}`: PM-7 becomes a link to /postmortems/PM-7/.

    `own_images`: the folder of the pictures that are shown and not only linked.
    """
    _places.update(refs=dict(refs), own_images=own_images)


def render(text: str) -> str:
    """Sanitized HTML of a Markdown text. Raises `TooComplex`."""
    if not text.strip():
        return ""
    source = text.encode(errors="replace")
    if len(source) > MAX_BYTES:
        raise TooComplex(
            f"This text has {len(source) // 1000:,} KB and at most {MAX_BYTES // 1000} KB can be formatted: "
            "shorten it, or link to the long part."
        )
    try:
        answer = _pool.ask(source)
    except (TimeoutError, _Died):
        answer = b"-"
    if not answer.startswith(b"+"):
        raise TooComplex(
            "This text is too tangled to be formatted: look for long runs of brackets or quote signs, "
            "and put pasted output between two lines of ```."
        )
    return answer[1:].decode()


def plain(text: str) -> str:
    """The text as it is, unformatted, for what is too complex to format."""
    return format_html("<pre>{}</pre>", text) if text.strip() else ""


def render_or_plain(text: str) -> str:
    try:
        return render(text)
    except TooComplex:
        return plain(text)


def stored(rendered: str) -> SafeString:
    """What `render` or `plain` made, back from the database, for a template. Never for anything else."""
    return mark_safe(rendered)  # noqa: S308  (sanitized when it was made)


# --- to plain text: for snippets and one-line summaries ---

# Each bounded and without nesting, so that hostile text costs no more than its length.
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$|^[ \t|:-]{3,}$", re.MULTILINE),
        "",
    ),
    (
        re.compile(r"^[ \t>]*(?:#{1,6}[ \t]+|(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?)?", re.MULTILINE),
        "",
    ),
    (re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\n]{0,1000}\)"), r"\1"),
    (re.compile(r"</?[a-z][a-z0-9]{0,9}(?: [^<>\n]{0,500})?/?>"), " "),
    (re.compile(r"(?<![\w*\\])(\*{1,3})(?=\S)([^*\n]{1,300})(?<![\s\\])\1(?![\w*])"), r"\2"),
    (re.compile(r"(?<!\w)(_{1,3})(?=\S)([^\n_]{1,300})(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`+|~~"), ""),
    (re.compile(r"(?<!\S)\|(?!\S)|^\||\|$", re.MULTILINE), " "),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])"), r"\1"),
)


def to_text(text: str) -> str:
    """The words of a Markdown text on one line, without its marks."""
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return " ".join(html.unescape(text).split())


# --- the worker processes ---


class _Died(Exception):
    """The worker ended before it answered."""


class _Worker:
    """One child process. Serves one thread at a time; of no use after it raised."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            # Isolated (-I): in this folder `markdown` is this module, not the library.
            # In a session of its own: Ctrl-C is for the server, which then closes the worker.
            self.process = subprocess.Popen(  # noqa: S603  (our own file)
                [sys.executable, "-I", str(WORKER), json.dumps(_places)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,
            )
        self.deadline = time.monotonic() + START_SECONDS
        try:
            self._frame()
        except BaseException:
            self.close()
            raise

    def ask(self, text: bytes) -> bytes:
        self.deadline = time.monotonic() + SECONDS
        try:
            self._hurry()
            self.socket.sendall(struct.pack(">I", len(text)) + text)
            return self._frame()
        except ConnectionError as error:
            raise _Died from error

    def _frame(self) -> bytes:
        return self._receive(struct.unpack(">I", self._receive(4))[0])

    def _receive(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            self._hurry()
            if not (piece := self.socket.recv(length - len(received))):
                raise _Died
            received += piece
        return bytes(received)

    def _hurry(self) -> None:
        self.socket.settimeout(max(self.deadline - time.monotonic(), 0.001))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.socket.close()

    def disown(self) -> None:
        """In a fork of this process: the worker goes on serving the original, and only that."""
        self.socket.close()
        self.process.returncode = 0


class _Pool:
    """Starts a worker when none is idle and keeps one for the next text: a slow one delays nobody else's."""

    def __init__(self) -> None:
        self.idle: queue.Queue[_Worker] = queue.Queue(maxsize=1)
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forked)

    def ask(self, text: bytes) -> bytes:
        try:
            return self._ask(self.idle.get_nowait(), text)
        except (queue.Empty, _Died):  # it was killed since, say by the system when memory was short
            return self._ask(_Worker(), text)

    def _ask(self, worker: _Worker, text: bytes) -> bytes:
        try:
            answer = worker.ask(text)
        except BaseException:
            worker.close()
            raise
        try:
            self.idle.put_nowait(worker)
        except queue.Full:
            worker.close()
        return answer

    def close(self) -> None:
        while True:
            try:
                self.idle.get_nowait().close()
            except queue.Empty:
                return

    def _forked(self) -> None:
        for worker in self.idle.queue:  # without its lock, which another thread may have held at the fork
            worker.disown()
        self.idle = queue.Queue(maxsize=1)


_pool = _Pool()
