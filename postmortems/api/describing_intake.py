"""Where alerts come in, for the description of the API: it is no REST, so that nothing can be read off a view."""

from collections.abc import Mapping
from typing import Any

from postmortems import intake
from postmortems.intake.base import LABEL_LENGTH, MAX_ALERTS, TITLE_LENGTH

TEXT = {"type": ["string", "null"]}
MOMENT = {"type": ["string", "null"], "format": "date-time"}
WORDS = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}
DID = ("opened", "reopened", "resolved", "joined", "noted", "kept", "nothing new")
REFUSED = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "413": "RequestEntityTooLarge",
    "415": "UnsupportedMediaType",
}
EXAMPLE = {
    "title": "Checkout answers 503",
    "dedup_key": "checkout-503",
    "severity": "critical",
    "service": "checkout",
    "error": "ECONNREFUSED 10.0.0.7:5432",
    "started_at": "2026-03-01T11:58:45Z",
}
ALERT = {
    "type": "object",
    "description": "One alert. While it fires a title is needed, for its end the key that it began with.",
    "properties": {
        "title": {**TEXT, "description": f"At most {TITLE_LENGTH} characters of it are kept."},
        "dedup_key": {**TEXT, "description": "The same each time it is sent; left out: its title."},
        "state": {"type": ["string", "null"], "enum": ["firing", "resolved", None], "default": "firing"},
        "id": {**TEXT, "description": "Of this event: one that comes again changes nothing."},
        "text": TEXT,
        "error": {**TEXT, "description": "Log lines, as they are."},
        "severity": {**TEXT, "description": "As intake policies name it: critical, warning, info."},
        "service": {**WORDS, "description": "A name, slug or alias; or several."},
        "services": WORDS,
        "labels": {
            "type": ["object", "null"],
            "additionalProperties": {"type": ["string", "number"]},
            "description": f"Of each {LABEL_LENGTH} characters are kept. `service` and `severity` are understood, too.",
        },
        "at": {**MOMENT, "description": "Of this event; the newest one counts."},
        "started_at": MOMENT,
        "ended_at": MOMENT,
        "url": {**TEXT, "description": "Shown as a link, never fetched."},
    },
    "examples": [EXAMPLE],
}
ANSWER = {
    "type": "object",
    "description": "What became of each alert.",
    "required": ["received", "alerts"],
    "properties": {
        "received": {"type": "integer", "minimum": 0},
        "alerts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["dedup_key", "did", "incident", "url"],
                "properties": {
                    "dedup_key": {"type": "string"},
                    "did": {"type": "string", "enum": [*DID]},
                    "incident": {"type": ["string", "null"], "description": "Its ref, if the account may see it."},
                    "url": {"type": ["string", "null"], "format": "uri"},
                },
            },
        },
        "suggestion": {
            "oneOf": [{"$ref": "#/components/schemas/Suggestion"}, {"type": "null"}],
            "description": "The best one for the first incident: by `?suggest=1`, or where a policy says so.",
        },
    },
}
SUGGEST = {
    "name": "suggest",
    "in": "query",
    "required": False,
    "description": "1: answer with the top suggestion. The token has to have the scope `read`, too.",
    "schema": {"type": "string", "enum": ["1"]},
}
GENERIC = {
    "oneOf": [
        {"$ref": "#/components/schemas/IntakeAlert"},
        {
            "type": "object",
            "required": ["alerts"],
            "properties": {
                "alerts": {
                    "type": "array",
                    "maxItems": MAX_ALERTS,
                    "items": {"$ref": "#/components/schemas/IntakeAlert"},
                }
            },
        },
    ]
}


def add_intake(result: dict[str, Any], **known: Any) -> dict[str, Any]:
    """drf-spectacular calls it when everything else is there."""
    vendors = {slug: source.name for slug, source in intake.SOURCES.items() if slug != "generic"}
    result["components"]["schemas"] |= {"IntakeAlert": ALERT, "IntakeAnswer": ANSWER}
    result["paths"]["/api/v1/intake/generic/"] = {
        "post": _operation(
            "intake_generic", "An alert of your own, or a list of them: it begins, or it is over.", GENERIC
        )
    }
    source = {"name": "source", "in": "path", "required": True, "schema": {"type": "string", "enum": [*vendors]}}
    says = f"What {', '.join(vendors.values())} send by themselves, as they document it; or signed, without a token."
    whatever = {"type": "object", "additionalProperties": True}
    result["paths"]["/api/v1/intake/{source}/"] = {"post": _operation("intake_vendor", says, whatever, source)}
    result["paths"] = dict(sorted(result["paths"].items()))
    return result


def _operation(name: str, says: str, body: Mapping[str, Any], *parameters: Mapping[str, Any]) -> dict[str, Any]:
    answer = {
        "description": "OK",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/IntakeAnswer"}}},
    }
    refused = {code: {"$ref": f"#/components/responses/{name}"} for code, name in REFUSED.items()}
    return {
        "operationId": name,
        "description": f"{says}\n\nScope of a token: `ingest`.",
        "parameters": [*parameters, SUGGEST],
        "tags": ["intake"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "security": [{"token": ["ingest"]}],
        "responses": {"200": answer, **refused},
    }
