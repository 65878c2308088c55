"""Secrets that the site must be able to read again, encrypted with its key: a copy of the database alone has none."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from django.utils.crypto import salted_hmac


def seal(text: str, *, purpose: str) -> str:
    return _cipher(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, *, purpose: str) -> str:
    """Raises `InvalidToken` if it was sealed with another key or for another purpose."""
    return _cipher(purpose).decrypt(sealed.encode()).decode()


def _cipher(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(salted_hmac(purpose, "secret", algorithm="sha256").digest()))


__all__ = ["InvalidToken", "seal", "unseal"]
