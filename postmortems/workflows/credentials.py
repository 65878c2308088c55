"""Who sends, of deliveries by programs: by a token, or by what a vendor signed. Nothing is written for a wrong one."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kb.sealing import InvalidToken
from postmortems.intake import SOURCES
from postmortems.intake.signatures import Scheme
from postmortems.models import ApiToken, Scope, SigningKey, User
from postmortems.workflows import tokens

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sender:
    """The account that a delivery is taken for, and whether what it showed is good for reading, too."""

    account: User
    may_read: bool = False


def bearer(headers: Mapping[str, str], *, scope: str, at: datetime) -> ApiToken | None:
    """The token in `Authorization: Bearer ...`, if it is good for this."""
    kind, _, secret = headers.get("Authorization", "").partition(" ")
    return tokens.holder_of(secret.strip(), scope=scope, at=at) if kind.lower() == "bearer" else None


def sender_of(source: str, headers: Mapping[str, str], body: bytes, *, at: datetime) -> Sender | None:
    """By token, else by signature; None: neither is good."""
    if token := bearer(headers, scope=Scope.INGEST, at=at):
        return Sender(token.user, may_read=token.allows(Scope.READ))
    scheme = SOURCES[source].signature
    if scheme is None or not scheme.is_used(headers):
        return None
    key = signer_of(source, scheme, headers, body, at=at)
    return Sender(key.account) if key and key.account else None


def signer_of(
    source: str, scheme: Scheme, headers: Mapping[str, str], body: bytes, *, at: datetime
) -> SigningKey | None:
    """The key that signed this; every good key of the source is tried, for while they are exchanged there are two."""
    good = [key for key in SigningKey.objects.good(source) if _signed(key, scheme, headers, body, at)]
    if not good:
        return None
    good[0].use(at=at)
    return good[0]


def _signed(key: SigningKey, scheme: Scheme, headers: Mapping[str, str], body: bytes, at: datetime) -> bool:
    try:
        return scheme.signed_with(key.secret, headers, body, at=at)
    except InvalidToken:
        logger.warning("The secret of the signing key %s cannot be read: enter it anew.", key)
        return False
