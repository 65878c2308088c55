"""Signatures of vendors: HMAC-SHA256 over the raw body, compared in constant time. Knows no model and no clock."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

WINDOW = 300  # seconds: how far a signed time may be from ours


def hmac_hex(secret: str, *parts: bytes) -> str:
    return hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).hexdigest()


def is_one_of(wanted: str, given: Iterable[str]) -> bool:
    """Every one is compared, so that the time tells nothing."""
    return sum(hmac.compare_digest(wanted.encode(), each.strip().encode()) for each in given) > 0


def is_recent(stamp: str, *, at: datetime) -> bool:
    """Whether seconds since 1970, as a text, are within the window around `at`."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(at.timestamp() - int(stamp)) <= WINDOW


@dataclass(frozen=True)
class Scheme:
    """`header` holds hex digests, with commas between them, each after `prefix`.

    With `time_header` (if the sender uses it) the digest is of `before_time`, the time, `joint` and the body, and the
    time must be ours.
    """

    header: str
    prefix: str = ""
    time_header: str = ""
    before_time: bytes = b""
    joint: bytes = b":"
    wants_time: bool = False

    def is_used(self, headers: Mapping[str, str]) -> bool:
        return bool(headers.get(self.header))

    def signed_with(self, secret: str, headers: Mapping[str, str], body: bytes, *, at: datetime) -> bool:
        """Whether one of the signatures was made with this secret, over this body, in time."""
        given = [
            each.strip().removeprefix(self.prefix)
            for each in headers.get(self.header, "").split(",")
            if each.strip().startswith(self.prefix)
        ]
        stamp = headers.get(self.time_header, "") if self.time_header else ""
        if (stamp or self.wants_time) and not is_recent(stamp, at=at):
            return False
        parts = (self.before_time, stamp.encode(), self.joint, body) if stamp else (body,)
        return is_one_of(hmac_hex(secret, *parts), given)
