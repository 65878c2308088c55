"""manage.py import_postmortems, as scripts and people call it."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from postmortems.models import Postmortem, User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("learn")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pm"
    folder.mkdir()
    (folder / "a.md").write_text("# Disk full\n\n## Summary\n\nThe disk was full.\n")
    (folder / "b.md").write_bytes(b"# Caf\xe9 closed\n\n## Summary\n\nNo cups.\n")
    (folder / "LICENSE").write_text("Free.")
    return folder


def called(*args: object, **options: object) -> str:
    out = StringIO()
    call_command("import_postmortems", *map(str, args), stdout=out, **options)
    return out.getvalue()


def test_it_ends_with_the_counts(folder: Path) -> None:
    first, second = called(folder), called(folder)

    assert "created   PM-" in first
    assert "pm/b.md: not UTF-8 (line 1): read as Windows-1252" in first
    assert "ignored   pm/LICENSE: no postmortem, by its name" in first
    assert first.splitlines()[-1] == "2 created, 0 updated, 0 unchanged, 0 skipped (0 of them conflicts), 1 ignored"
    assert second.splitlines()[-1] == "0 created, 0 updated, 2 unchanged, 0 skipped (0 of them conflicts), 1 ignored"


def test_json_is_one_object_that_names_every_file(folder: Path) -> None:
    (folder / "c.md").write_text("---\na: *b\n---\n")
    out = StringIO()

    with pytest.raises(CommandError, match="1 of 4 files were not imported") as failed:
        call_command("import_postmortems", str(folder), "--json", stdout=out)

    answer = json.loads(out.getvalue())
    assert failed.value.returncode == 1
    assert {key: answer[key] for key in ("created", "updated", "unchanged", "conflicts")} == {
        **{"created": 2, "updated": 0, "unchanged": 0, "conflicts": 0}
    }
    reason = "front matter: anchors and aliases (& and *) are not allowed"
    assert answer["skipped"] == [{"file": "pm/c.md", "ref": "", "line": 2, "reason": reason}]
    assert answer["ignored"] == [{"file": "pm/LICENSE", "reason": "no postmortem, by its name"}]
    assert [(row["file"], row["title"], row["state"]) for row in answer["postmortems"]] == [
        ("pm/a.md", "Disk full", "created"),
        ("pm/b.md", "Caf\N{LATIN SMALL LETTER E WITH ACUTE} closed", "created"),
    ]
    assert answer["postmortems"][0]["ref"] == Postmortem.objects.get(title="Disk full").ref


def test_a_dry_run_says_what_would_be_and_writes_nothing(folder: Path) -> None:
    assert called(folder, dry_run=True).splitlines()[-1].startswith("Would be: 2 created")
    assert not Postmortem.objects.exists()


def test_names_and_titles_cannot_command_the_terminal(folder: Path) -> None:
    (folder / "c\x1b[2J\n.md").write_text("# Clear\x1b[2J\n\n## Summary\n\nText.\n")
    (folder / "d\x1b.png").write_text("")

    shown = called(folder)

    assert "Clear\N{REPLACEMENT CHARACTER}[2J" in shown
    assert "\x1b" not in shown


def test_a_path_that_does_not_exist_is_named_and_nothing_is_imported(folder: Path) -> None:
    with pytest.raises(CommandError, match=r"gone\.md does not exist"):
        called(folder, folder / "gone.md")

    assert not Postmortem.objects.exists()


def test_the_owner_is_an_account(folder: Path, alice: User) -> None:
    called(folder, owner="alice")

    assert alice.postmortems.count() == 2
    with pytest.raises(CommandError, match="There is no account 'dora'"):
        called(folder, owner="dora")


def test_what_was_imported_is_found(folder: Path, django_capture_on_commit_callbacks: object) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        called(folder)

    out = StringIO()
    call_command("search", "disk", "--json", stdout=out)
    assert json.loads(out.getvalue())["results"][0]["title"] == "Disk full"
