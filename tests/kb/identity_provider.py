"""An identity provider on loopback that speaks OpenID Connect: what one says, and what can be wrong with it."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


class Provider:
    """What an identity provider does, and what can be wrong with one."""

    def __init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "/authorization?" in self.path:
                    self.send_response(302)
                    self.send_header("Location", provider.agreed(self.path))
                    self.end_headers()
                    return
                self.answer(provider.get(self.path, self.headers.get("Authorization", "")))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(provider.token({name: values[0] for name, values in parse_qs(body).items()}))

            def answer(self, said: dict[str, Any] | None) -> None:
                self.send_response(200 if said is not None else 400)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(said or {"error": "invalid_grant"}).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = self.calls_itself = f"http://127.0.0.1:{self.server.server_port}/realm"
        self.person: dict[str, Any] = {"sub": "7", "email": "Alice@example.org", "email_verified": True}
        self.userinfo: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.key = KEY
        self.challenge = ""

    def agreed(self, path: str) -> str:
        """Where somebody is sent back to who signed in here."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        self.challenge = asked["code_challenge"]
        return f"{asked['redirect_uri']}?{urlencode({'code': 'anything', 'state': asked['state']})}"

    def get(self, path: str, authorization: str) -> dict[str, Any] | None:
        if path.endswith("/.well-known/openid-configuration"):
            names = ("authorization", "token", "userinfo")
            return {
                "issuer": self.calls_itself,
                "jwks_uri": f"{self.issuer}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                **{f"{name}_endpoint": f"{self.issuer}/{name}" for name in names},
            }
        if path.endswith("/keys"):
            public = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
            return {"keys": [{**public, "kid": "1", "alg": "RS256", "use": "sig"}]}
        return self.userinfo if path.endswith("/userinfo") and authorization == "Bearer access" else None

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(proof).decode().rstrip("=") != self.challenge or form["client_secret"] != "hunter2":
            return None
        now = int(time.time())
        claims = {"iss": self.calls_itself, "aud": "kb", "iat": now, "exp": now + 60, **self.person, **self.claims}
        signed = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"})
        return {"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": signed}

    def as_settings(self) -> dict[str, Any]:
        """As `kb/settings.py` writes it down."""
        options = {"server_url": self.issuer, "oauth_pkce_enabled": True, "verified_email": False}
        app = {"provider_id": "sso", "name": "Example", "client_id": "kb", "secret": "hunter2", "settings": options}
        return {"openid_connect": {"APPS": [app]}}


@contextmanager
def running() -> Iterator[Provider]:
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join()
