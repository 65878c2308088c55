"""Arguments of tools, checked against the JSON schema that an assistant is shown: the few words of it that we use."""

from collections.abc import Mapping
from typing import Any

from postmortems.intake.reading import cleaned

Schema = Mapping[str, Any]


class WrongArguments(Exception):
    """Says which one, and what is wanted, so that the assistant can call again."""


def checked(given: Any, schema: Schema) -> dict[str, Any]:
    """`given`, with the defaults of what it leaves out. Raises `WrongArguments`."""
    if not isinstance(given, dict):
        raise WrongArguments("The arguments are to be an object.")
    known: Schema = schema["properties"]
    if unknown := sorted(str(name) for name in given.keys() - known.keys()):
        raise WrongArguments(f"Unknown: {unknown[0][:60]}. Known are {', '.join(known)}.")
    if missing := [name for name in schema.get("required", ()) if given.get(name) is None]:
        raise WrongArguments(f"{missing[0]} is missing.")
    return {name: _value(name, given.get(name), rule) for name, rule in known.items()}


def _value(name: str, value: Any, rule: Schema) -> Any:
    if value is None:
        return rule.get("default")
    if isinstance(value, str) and len(value) <= rule.get("maxLength", 0):
        value = cleaned(value, rule["maxLength"])
    if fault := _fault(value, rule):
        raise WrongArguments(f"{name} {fault}.")
    return value


def _fault(value: Any, rule: Schema) -> str:
    if rule["type"] == "string":
        return _fault_of_text(value, rule)
    if isinstance(value, bool) or not isinstance(value, int):
        return "is to be a whole number"
    least, most = rule["minimum"], rule["maximum"]
    return "" if least <= value <= most else f"is to be from {least} to {most}"


def _fault_of_text(value: Any, rule: Schema) -> str:
    if not isinstance(value, str):
        return "is to be a text"
    if len(value) < rule.get("minLength", 0):
        return "is empty"
    if len(value) > rule["maxLength"]:
        return f"is longer than {rule['maxLength']} characters"
    if "enum" in rule and value not in rule["enum"]:
        return f"is to be one of {', '.join(rule['enum'])}"
    return ""
