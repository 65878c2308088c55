"""The rules of the house, read from the source: what may stand where."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ("kb", "postmortems")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
}
TEMPLATES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in ("templates", "kb", "postmortems")
    for path in sorted((ROOT / folder).rglob("*.html"))
}
# Whoosh's own format, in a folder that only its owner may write to (see kb.checks and kb.search.generations), and what
# a process says to its own child.
UNPICKLING = ("kb/search/lists.py:", "kb/search/backends/whoosh.py:", "kb/search/parallel.py:")


@cache
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}


@cache
def all_nodes() -> dict[type[ast.AST], list[tuple[str, ast.AST]]]:
    """Every node with its place, by kind."""
    found = defaultdict(list)
    for name, tree in trees().items():
        for node in ast.walk(tree):
            found[type(node)].append((f"{name}:{getattr(node, 'lineno', 0)}", node))
    return found


def nodes(kind: type[ast.AST], *, outside: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.AST]]:
    """Every node of a kind with its place, but for files whose name begins with one of these."""
    return ((place, node) for place, node in all_nodes()[kind] if not place.startswith(outside))


def imported() -> Iterator[tuple[str, str]]:
    """(place, dotted name) of every import."""
    for place, node in nodes(ast.Import):
        assert isinstance(node, ast.Import)
        yield from ((place, alias.name) for alias in node.names)
    for place, node in nodes(ast.ImportFrom):
        assert isinstance(node, ast.ImportFrom)
        yield from ((place, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def all_calls() -> list[tuple[str, str, ast.Call]]:
    return [(place, ast.unparse(node.func), node) for place, node in nodes(ast.Call) if isinstance(node, ast.Call)]


def calls(*, outside: tuple[str, ...] = ()) -> Iterator[tuple[str, str, ast.Call]]:
    """(place, what is called, the call)."""
    return (call for call in all_calls() if not call[0].startswith(outside))


def test_there_is_something_to_read() -> None:
    assert len(SOURCES) > 40
    assert len(TEMPLATES) > 15


def test_whoosh_is_imported_in_one_file() -> None:
    # And where the benchmark measures Whoosh without us, beside us.
    measured = "kb/search/benchmark/peers/whoosh_as_it_comes.py"
    files = {place.partition(":")[0] for place, name in imported() if name.partition(".")[0] == "whoosh"}

    assert files - {measured} == {"kb/search/backends/whoosh.py"}


def test_rows_are_saved_by_their_models_only() -> None:
    # bm25s calls writing its files so.
    elsewhere = calls(outside=("postmortems/models/", "kb/search/benchmark/peers/bm25s.py"))

    assert [place for place, called, _ in elsewhere if called.endswith(".save")] == []


def test_states_are_set_by_their_models_only() -> None:
    targets = [
        (place, target)
        for place, node in nodes(ast.Assign, outside=("postmortems/models/",))
        for target in getattr(node, "targets", [])
    ]

    states = [(place, t) for place, t in targets if isinstance(t, ast.Attribute) and t.attr in {"status", "state"}]
    assert [place for place, t in states if ast.unparse(t.value) != "self"] == []


def test_there_are_no_signals() -> None:
    assert [
        place for place, name in imported() if "signals" in name.split(".") or name.startswith("django.dispatch")
    ] == []


def test_only_the_sanitizer_says_that_html_is_safe() -> None:
    trusting = {place.partition(":")[0] for place, name in imported() if name.endswith("mark_safe")}
    trusting |= {
        place.partition(":")[0]
        for place, called, call in calls()
        if called.split(".")[-1] == "SafeString" and not isinstance(call.args[0], ast.Constant)
    }

    assert trusting == {"kb/markdown.py"}


def test_imports_stand_at_the_top() -> None:
    # But for AppConfig.ready and for checks, which run when everything is there.
    deferred = [
        f"{name}:{node.lineno}"
        for name, tree in trees().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and function.name != "ready"
        and name != "kb/checks.py"
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert deferred == []


def test_nothing_that_was_read_is_executed() -> None:
    dangerous = {"eval", "exec", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all"}
    modules = {"pickle", "marshal", "shelve", "dill"}
    found = [place for place, called, _ in calls() if called in dangerous]
    found += [
        place for place, name in imported() if name.partition(".")[0] in modules and not place.startswith(UNPICKLING)
    ]
    for place, called, call in calls():
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if keywords.get("shell", "False") != "False":
            found.append(place)
        if called == "yaml.load" and "Loader" not in keywords and len(call.args) < 2:
            found.append(place)

    assert found == []


def test_yaml_is_read_by_loaders_that_make_plain_values() -> None:
    unsafe = {"Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader"}

    assert [place for place, name in imported() if name.startswith("yaml.") and name.split(".")[1] in unsafe] == []
    assert [
        place
        for place, node in nodes(ast.Attribute)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml" and node.attr in unsafe
    ] == []


def test_the_program_does_not_know_that_it_is_tested() -> None:
    asked = [
        place
        for place, node in nodes(ast.Attribute, outside=("kb/settings.py",))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) == "settings"
        and node.attr in {"DEBUG", "TEST", "TESTING"}
    ]

    assert asked == []


def test_every_module_says_what_lives_in_it() -> None:
    silent = [name for name, tree in trees().items() if tree.body and not ast.get_docstring(tree)]

    assert silent == []


def test_the_readme_names_every_setting_and_no_other() -> None:
    known = set(re.findall(r'"(KB_[A-Z_]+)"', (ROOT / "kb/settings.py").read_text()))

    assert set(re.findall(r"^\| `(KB_[A-Z_]+)`", (ROOT / "README.md").read_text(), re.MULTILINE)) == known


def test_the_readme_names_every_command() -> None:
    commands = {Path(name).stem for name in SOURCES if "/management/commands/" in name} - {"__init__"}
    said = re.findall(r"^\| `([a-z_]+)", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert commands <= set(said)


# --- templates ---

SCRIPTING = re.compile(r"javascript:|\|\s*safe(seq)?\b|{%\s*autoescape off|{%\s*debug")


class Page(HTMLParser):
    """Notes what our content security policy would stop, and what would be fetched from elsewhere."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.in_script = False
        self.feed(re.sub(r"{%.*?%}|{#.*?#}", "", source, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.faults += [f"{tag} {name}" for name in names if name == "style" or name.startswith(("on", "hx-on"))]
        self.in_script = tag in {"script", "style"}
        if tag in {"script", "img", "link", "iframe", "source"}:
            address = names.get("src") or names.get("href") or ""
            if address.startswith(("http:", "https:", "//")):
                self.faults.append(f"{tag} {address}")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script and data.strip():
            self.faults.append(f"inline {data.strip()[:40]}")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_no_script_no_style_and_nothing_foreign(name: str) -> None:
    assert Page(TEMPLATES[name]).faults == []
    assert SCRIPTING.findall(TEMPLATES[name]) == []


def test_the_reader_of_templates_finds_what_we_fear() -> None:
    for source in (
        "<p style='x'>",
        "<p onclick=x>",
        "<b hx-on:click=x>",
        "<script>x</script>",
        "<style>x</style>",
        "<script src=https://x></script>",
        "<link href=//x>",
    ):
        assert Page(source).faults, source


# --- what other tools say ---


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KB_", "DJANGO_"))}
    return subprocess.run(
        command, cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=120, check=False
    )


def test_imports_point_one_way() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")

    assert done.returncode == 0, done.stdout[-3000:]
    assert "3 kept, 0 broken" in done.stdout


def test_the_door_to_the_search_engine_is_shut_for_every_room() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (door,) = [contract for contract in contracts if contract.get("forbidden_modules") == ["kb.search"]]
    rooms = {f"postmortems.{name.split('/')[1].removesuffix('.py')}" for name in SOURCES if name.startswith("postm")}

    assert rooms - {"postmortems.__init__", "postmortems.search"} == {*door["source_modules"]} - {
        "postmortems.migrations"
    }


def test_migrations_are_complete(tmp_path: Path) -> None:
    done = run(sys.executable, "manage.py", "makemigrations", "--check", "--dry-run", KB_DATA_DIR=str(tmp_path))

    assert done.returncode == 0, done.stdout


def test_production_settings_pass_the_deployment_checks(tmp_path: Path) -> None:
    done = run(
        *(sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        KB_DATA_DIR=str(tmp_path),
        KB_URL="https://kb.example.org",
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
