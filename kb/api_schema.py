"""The description of the API (OpenAPI 3.1): what drf-spectacular reads off the views, and what all of them share."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework.permissions import SAFE_METHODS

from kb.api import PROBLEM

Shape = TypeVar("Shape", bound=type[Any])
Handler = TypeVar("Handler", bound=Callable[..., Any])
REFUSALS = {
    400: "What was sent cannot be taken; `errors` names each field.",
    401: "Nobody is signed in, or the token is not good.",
    403: "The roles of the account, or the scopes of the token, do not allow it.",
    404: "There is nothing at this address, or nothing that you may see: the answer is the same.",
    406: "The answer is JSON, and `Accept` takes none.",
    409: "A rule refuses this step now; `detail` says why. Or the first request with this key is still worked on.",
    412: "It was changed since the version that `If-Match` names.",
    413: "The body is too large.",
    415: "The body is not `application/json`, or what the operation says that it takes.",
    422: "The `Idempotency-Key` was used for another request.",
    429: "Too many wrong tokens came from this address.",
}
PATHS: Mapping[str, dict[str, Any]] = {
    "ref": {
        "type": "string",
        "description": "What people call it, in any case.",
        "examples": ["INC-7", "PM-12"],
    },
    "slug": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "examples": ["checkout"]},
    "key": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "examples": ["summary"]},
}
NUMBER = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
VERSION = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Only if it still is this version: the `ETag` that you read.",
    "schema": {"type": "string"},
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Chosen by you. Sent again within a day, nothing is created twice: the first answer comes again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
TAKEN = {"IfMatch": "version", "IdempotencyKey": "key"}
ETAG = {"description": "The version of what is shown.", "schema": {"type": "string"}}
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Why not (RFC 9457). `code` tells programs apart what `status` lumps together.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {
                    "field": {"type": "string", "description": "`sections.impact`; empty: the whole."},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "code": "not_possible",
            "detail": "INC-7 is cancelled: this step does not start from there.",
        }
    ],
}
SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "`kb_...`, made on the account page.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "User name and password; without a second factor."},
    "session": {"type": "apiKey", "in": "cookie", "name": "kb_session", "description": "Signed in; writes want CSRF."},
}


class Described(AutoSchema):
    """An operation with its refusals, the headers that it takes and the scope that its token needs."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation: Any = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        parameters = operation.setdefault("parameters", [])
        parameters += [_shared(name) for name, taken in TAKEN.items() if self._takes(taken)]
        scope = self._scope()
        operation["description"] = f"{operation.get('description', '')}\n\nScope of a token: `{scope}`.".strip()
        if self._takes("version") and self.method == "POST":
            operation["responses"]["204"] = {"description": "Done; with this step it went out of your sight."}
        operation["responses"] |= {
            str(code): {"$ref": f"#/components/responses/{_name_of(code)}"} for code in self._refusals(operation)
        }
        return operation

    def _takes(self, header: str) -> bool:
        """Marked so at the method that answers (see `taking`), for those of its methods that write."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        return self.method not in SAFE_METHODS and header in getattr(handler, "takes", ())

    def _scope(self) -> str:
        found: str = getattr(self.view, "scope", None) or ("read" if self.method in SAFE_METHODS else "write")
        return found

    def _refusals(self, operation: Mapping[str, Any]) -> list[int]:
        codes = {400, 401, 403, 429}
        codes |= {406} if "application/json" in str(operation["responses"]) else set()
        codes |= {404} if "{" in self.path else set()
        codes |= {409} if self.method not in SAFE_METHODS and self._scope() == "write" else set()
        codes |= {413, 415} if self.method not in (*SAFE_METHODS, "DELETE") else set()
        codes |= {412} if self._takes("version") else set()
        codes |= {422} if self._takes("key") else set()
        return sorted(codes)

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [{"token": [self._scope()]}, {"basic": []}, {"session": []}]

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_operation_id(self) -> str:
        """`incidents_resolve`: of an address of its own that takes one method, the address alone."""
        found: str = super().get_operation_id()
        mapping = getattr(self.view, "action_map", None) or {}
        is_step = "{" in self.path and len(mapping) == 1 and self.method == "POST"
        return found.removesuffix("_create") if is_step else found

    def _resolve_path_parameters(self, variables: Any) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "path", "required": True, "schema": PATHS.get(name, self._kind(name))}
            for name in variables
        ]

    def _kind(self, name: str) -> dict[str, Any]:
        return NUMBER if f"<int:{name}>" in self.path_regex else TEXT

    def _get_response_for_code(self, serializer: Any, status_code: Any, *args: Any, **kwargs: Any) -> Any:
        answer: Any = super()._get_response_for_code(serializer, status_code, *args, **kwargs)  # type: ignore[no-untyped-call]
        answer["description"] = answer.get("description") or HTTPStatus(int(status_code)).phrase
        if self._takes("version") and str(status_code) == "200":
            answer["headers"] = {"ETag": ETAG}
        return answer


def taking(*headers: str) -> Callable[[Handler], Handler]:
    """Says of a view's method that it heeds `version` (If-Match) or `key` (Idempotency-Key)."""

    def mark(handler: Handler) -> Handler:
        handler.takes = headers  # type: ignore[attr-defined]  # a mark, as Django's and DRF's own decorators leave
        return handler

    return mark


def sent_like(**example: Any) -> Callable[[Shape], Shape]:
    """Shows, beside a serializer of what is sent, what that may be."""
    return extend_schema_serializer(examples=[OpenApiExample("For example", example, request_only=True)])


def _shared(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _name_of(code: int) -> str:
    return "".join(word.capitalize() for word in HTTPStatus(code).phrase.replace("-", " ").split())


def _close(result: Mapping[str, Any]) -> None:
    """What is sent holds no other field: it would be refused."""
    for operation in (each for methods in result["paths"].values() for each in methods.values()):
        sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if name := sent.get("$ref", "").rpartition("/")[2]:
            result["components"]["schemas"][name]["additionalProperties"] = False


def add_shared(result: dict[str, Any], **known: Any) -> dict[str, Any]:
    """drf-spectacular calls it last: the shape of a problem, each refusal, the ways to say who asks."""
    components = result["components"]
    _close(result)
    components["schemas"]["Refusal"] = PROBLEM_SCHEMA
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    components["responses"] = {
        _name_of(code): {"description": says, "content": content} for code, says in REFUSALS.items()
    }
    components["parameters"] = {"IfMatch": VERSION, "IdempotencyKey": KEY}
    components["securitySchemes"] = SCHEMES
    return result
