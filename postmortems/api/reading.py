"""The OpenAPI description, taken apart into what a page can show: operations by resource, and shapes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHOICES_SHOWN = 8
REFUSAL = "Refusal"  # the shape of every problem


@dataclass(frozen=True)
class Field:
    """A parameter, or a part of a body. `shape`: the one that it links to."""

    name: str
    type: str
    says: str
    is_required: bool = False
    shape: str = ""


@dataclass(frozen=True)
class Answer:
    status: str
    says: str
    shape: str = ""
    is_list: bool = False


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    summary: str
    more: str
    scope: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[Answer, ...]  # of what went well, and what only this operation says
    refusals: tuple[Answer, ...]  # they say the same wherever they occur


@dataclass(frozen=True)
class Shape:
    name: str
    says: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Tag:
    name: str
    operations: tuple[Operation, ...]

    @property
    def refusals(self) -> list[Answer]:
        """Each once, in the order of their numbers: said for every operation they would be most of the page."""
        found = {answer.status: answer for each in self.operations for answer in each.refusals}
        return [found[status] for status in sorted(found)]


def tags_of(described: Mapping[str, Any]) -> list[Tag]:
    """Operations by resource, in the order of the addresses."""
    found: dict[str, list[Operation]] = defaultdict(list)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_operation(described, path, method, operation))
    return [Tag(name, tuple(operations)) for name, operations in found.items()]


def shapes_of(described: Mapping[str, Any]) -> list[Shape]:
    schemas = described["components"]["schemas"]
    return [
        Shape(name, schemas[name].get("description", ""), _fields(described, schemas[name])) for name in sorted(schemas)
    ]


def shapes_for(tag: Tag, shapes: list[Shape]) -> list[Shape]:
    """Those that its operations answer with or take, and those that these consist of."""
    known = {shape.name: shape for shape in shapes}
    wanted = [field.shape for each in tag.operations for field in each.body]
    wanted += [answer.shape for each in tag.operations for answer in each.answers]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in known and name not in found:
            found.add(name)
            wanted += [field.shape for field in known[name].fields]
    return [shape for shape in shapes if shape.name in found]


def _operation(described: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    said, _, _ = operation["description"].rpartition("\n\n")
    summary, _, more = (said or operation["description"]).partition("\n\n")
    answers = [_answer(described, status, answer) for status, answer in operation["responses"].items()]
    contents = operation.get("requestBody", {}).get("content", {})
    body: Mapping[str, Any] = next((content["schema"] for content in contents.values()), {})
    body = body.get("oneOf", [body])[0]  # several shapes: the first one is shown
    return Operation(
        method=method.upper(),
        path=path,
        summary=" ".join(summary.split()),
        more=" ".join(more.split()),
        scope=operation["security"][0]["token"][0],
        parameters=tuple(_parameter(_resolved(described, each)) for each in operation["parameters"]),
        body=_fields(described, body),
        answers=tuple(answer for answer in answers if answer.shape != REFUSAL),
        refusals=tuple(answer for answer in answers if answer.shape == REFUSAL),
    )


def _parameter(known: Mapping[str, Any]) -> Field:
    schema = known["schema"]
    says = known.get("description") or schema.get("description", "")
    return Field(known["name"], f"{_type(schema)}, in the {known['in']}", says, bool(known.get("required")))


def _fields(described: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Field, ...]:
    schema = _resolved(described, schema)
    required = set(schema.get("required", ()))
    return tuple(
        Field(name, _type(known), _said(known), name in required, _shape(known))
        for name, known in schema.get("properties", {}).items()
    )


def _said(schema: Mapping[str, Any]) -> str:
    # Choices stand under the type; drf-spectacular lists them again, one a line.
    says = schema.get("description") or schema.get("items", {}).get("description", "")
    return " ".join(line for line in says.splitlines() if line and not line.startswith("* `"))


def _answer(described: Mapping[str, Any], status: str, answer: Mapping[str, Any]) -> Answer:
    known = _resolved(described, answer)
    contents = [content["schema"] for content in known.get("content", {}).values()]
    content = contents[0] if contents else {}
    rows = content.get("properties", {}).get("results", content)
    is_list = rows.get("type") == "array"
    return Answer(status, known.get("description", ""), _shape(rows), is_list)


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    found: Any = schema
    while "$ref" in found:
        target: Any = described
        for part in found["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        found = target
    return found


def _shape(schema: Mapping[str, Any]) -> str:
    for known in (schema, schema.get("items", {}), *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if "$ref" in known:
            return str(known["$ref"]).rpartition("/")[2]
    return ""


def _type(schema: Mapping[str, Any]) -> str:
    if choices := schema.get("enum"):
        shown = [str(choice) if choice not in ("", None) else "empty" for choice in choices]
        more = ", ..." if len(shown) > CHOICES_SHOWN else ""
        return f"one of {', '.join(shown[:CHOICES_SHOWN])}{more}"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if shape := _shape(schema):
        return shape
    kind = schema.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    words = [schema.get("format") or each if each == "string" else each for each in kinds if each != "null"]
    return " or ".join(words) + (" or null" if "null" in kinds else "")
