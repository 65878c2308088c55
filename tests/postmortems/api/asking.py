"""A program that asks: JSON in and out, by bearer token."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from postmortems.models import ApiToken, User

API = "/api/v1"


class Program:
    """`Program(alice).post("/incidents/", title="Slow")`; `match=` sends `If-Match`, `key=` an `Idempotency-Key`."""

    def __init__(self, who: User | None, *scopes: str) -> None:
        self.client, self.headers = Client(), {}
        if who is not None:
            scopes = scopes or ("read", "write")
            secret = ApiToken.objects.issue(user=who, name="test", scopes=scopes, at=timezone.now())[1]
            self.headers["Authorization"] = f"Bearer {secret}"

    def ask(self, method: str, path: str, body: Any = None, *, match: str = "", key: str = "") -> Any:
        headers = {
            **self.headers,
            **({"If-Match": match} if match else {}),
            **({"Idempotency-Key": key} if key else {}),
        }
        known = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.client.generic(method, API + path, headers=headers, **_encoded(known))

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(API + path, query, headers=self.headers)

    def post(self, path: str, *, match: str = "", key: str = "", **body: Any) -> Any:
        return self.ask("POST", path, body, match=match, key=key)

    def patch(self, path: str, *, match: str = "", **body: Any) -> Any:
        return self.ask("PATCH", path, body, match=match)

    def put(self, path: str, *, match: str = "", **body: Any) -> Any:
        return self.ask("PUT", path, body, match=match)


def _encoded(known: dict[str, Any]) -> dict[str, Any]:
    if "data" in known and not isinstance(known["data"], str | bytes):
        return {**known, "data": json.dumps(known["data"])}
    return known
