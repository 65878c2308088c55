"""The description of the API on file, a line for each operation and each part of a shape: what changed shows in review.

Changed on purpose? `python -m tests.postmortems.api.snapshot` writes it anew.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("openapi.txt")


def lines(described: dict[str, Any]) -> Iterator[str]:
    for path, operations in sorted(described["paths"].items()):
        for method, operation in sorted(operations.items()):
            yield from _each(f"{method.upper()} {path}", operation)
    for place, parts in sorted(described["components"].items()):
        for name, part in sorted(parts.items()):
            properties = part.pop("properties", {}) if place == "schemas" else {}
            yield _line(f"{place} {name}", part)
            yield from (_line(f"{place} {name}.{field}", known) for field, known in properties.items())


def _each(name: str, operation: dict[str, Any]) -> Iterator[str]:
    refused = " ".join(code for code, answer in operation["responses"].items() if "$ref" in answer)
    answers = {code: answer for code, answer in operation["responses"].items() if "$ref" not in answer}
    known = {key: value for key, value in operation.items() if key not in {"responses", "parameters"}}
    yield _line(name, known)
    yield from (_line(f"{name} takes", parameter) for parameter in operation["parameters"])
    yield from (_line(f"{name} answers {code}", answer) for code, answer in answers.items())
    yield f"{name} refuses {refused}"


def _line(name: str, value: Any) -> str:
    return f"{name} {json.dumps(value, sort_keys=True, ensure_ascii=False)}"


def now() -> str:
    from postmortems.api.describing import as_json

    return "\n".join(lines(json.loads(as_json()))) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    FILE.write_text(now())
