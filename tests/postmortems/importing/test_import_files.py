"""Files become postmortems: once, again, moved, edited there and here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from kb.search import outbox
from kb.search.models import IndexChange
from postmortems.models import ActionItem, Fix, FixUse, ImportedFile, Postmortem, SectionText, Tag, User
from postmortems.workflows.importing import Options, Outcome, import_files
from tests import factory

pytestmark = pytest.mark.django_db

TEXT = """\
---
severity: SEV-2
tags: [queue, Disk]
service: Mail
---
# Mail was late

## Summary

The disk of the queue was full on 3 May 2021.

## Resolution

Old segments were deleted.

## Timeline

- 08:21 Disk full
- 08:46 Freed

## Action items

- Watch the disk (owner: alice)
- Buy disks (owner: Nobody Here)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pm"
    folder.mkdir()
    (folder / "mail.md").write_text(TEXT)
    return folder


def run(*paths: Path, **options: Any) -> list[Outcome]:
    return import_files(paths, Options(**{"at": factory.NOON, **options})).outcomes


def states(*paths: Path, **options: Any) -> list[str]:
    return [outcome.state for outcome in run(*paths, **options)]


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_file_becomes_a_postmortem_with_all_its_parts(folder: Path, alice: User) -> None:
    (outcome,) = run(folder)

    postmortem = Postmortem.objects.get()
    assert (outcome.file, outcome.state, outcome.ref) == ("pm/mail.md", "created", postmortem.ref)
    assert (postmortem.title, postmortem.severity, str(postmortem.occurred_on)) == (
        "Mail was late",
        "sev2",
        "2021-05-03",
    )
    assert postmortem.is_published
    assert str(postmortem.published_at) == "2021-05-03 00:00:00+00:00"
    assert sorted(tag.name for tag in postmortem.tags.all()) == ["Disk", "queue"]
    assert [service.name for service in postmortem.services.all()] == ["Mail"]
    assert postmortem.text_of("what_fixed_it") == "Old segments were deleted."
    assert "<p>Old segments" in postmortem.sections.get(key="what_fixed_it").html
    assert [f"{entry.at:%d %H:%M} {entry.text}" for entry in postmortem.timeline.all()] == [
        "03 08:21 Disk full",
        "03 08:46 Freed",
    ]
    fix = postmortem.fixes.get()
    assert (fix.title, fix.state, fix.services.get().name) == ("Old segments were deleted", "draft", "Mail")
    assert postmortem.imported_file.text == TEXT


def test_an_action_belongs_to_the_account_of_that_name_else_the_name_is_kept(folder: Path, alice: User) -> None:
    run(folder)

    watch, buy = ActionItem.objects.order_by("pk")
    assert (watch.owner, watch.owner_text) == (alice, "")
    assert (buy.owner, buy.owner_text) == (None, "Nobody Here")


@pytest.mark.parametrize("name", ["ALICE", "alice@example.org", "Alice Ng"])
def test_an_account_is_found_by_user_name_address_and_full_name(folder: Path, name: str) -> None:
    alice = factory.user("alice", first_name="Alice", last_name="Ng", email="Alice@example.org")
    edit(folder / "mail.md", "- Watch the disk (owner: alice)\n", f"| Action | Owner |\n|-|-|\n| Watch | {name} |\n\n")

    run(folder)

    assert alice.action_items.count() == 1


def test_what_is_imported_is_written_to_the_outbox_in_the_same_transaction(folder: Path) -> None:
    run(folder)

    assert set(outbox.pending()) == {Postmortem.objects.get().search_key, Fix.objects.get().search_key}


def test_a_second_run_changes_nothing(folder: Path) -> None:
    run(folder)
    before = list(SectionText.objects.values_list("pk", "body"))

    assert states(folder) == ["unchanged"]
    assert list(SectionText.objects.values_list("pk", "body")) == before


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    assert states(folder, dry_run=True) == ["created"]

    assert not Postmortem.objects.exists()
    assert not Tag.objects.exists()


def test_a_changed_file_is_brought_up_to_date(folder: Path) -> None:
    run(folder)
    postmortem = Postmortem.objects.get()
    edit(folder / "mail.md", "Old segments were deleted.", "The queue was moved.")
    edit(folder / "mail.md", "- Buy disks (owner: Nobody Here)\n", "")
    edit(folder / "mail.md", "tags: [queue, Disk]", "tags: [queue]")

    assert states(folder, dry_run=True) == states(folder) == ["updated"]

    postmortem = Postmortem.objects.get()
    assert postmortem.text_of("what_fixed_it") == "The queue was moved."
    assert [fix.title for fix in postmortem.fixes.all()] == ["The queue was moved"]
    assert [action.title for action in postmortem.action_items.all()] == ["Watch the disk"]
    assert [tag.name for tag in postmortem.tags.all()] == ["queue"]
    assert states(folder) == ["unchanged"]


def test_the_index_learns_that_a_fix_is_gone(folder: Path) -> None:
    run(folder)
    key = Fix.objects.get().search_key
    IndexChange.objects.all().delete()
    edit(folder / "mail.md", "Old segments were deleted.", "The queue was moved.")

    run(folder)

    assert key in outbox.pending()


def test_a_fix_keeps_its_record_and_its_ref_through_an_update(folder: Path) -> None:
    run(folder)
    fix = Fix.objects.get()
    factory.fix_use(fix, factory.incident())
    edit(folder / "mail.md", "Old segments were deleted.", "Old segments were deleted. Then the queue drained.")

    assert states(folder) == ["updated"]

    fix.refresh_from_db()
    assert fix.steps == "Old segments were deleted. Then the queue drained."
    assert FixUse.objects.get().fix == fix


def test_a_fix_that_was_tried_stays_even_if_the_file_tells_of_another(folder: Path) -> None:
    run(folder)
    factory.fix_use(Fix.objects.get(), factory.incident())
    edit(folder / "mail.md", "Old segments were deleted.", "The queue was moved.")

    run(folder)

    assert {fix.title for fix in Fix.objects.all()} == {"Old segments were deleted", "The queue was moved"}


def test_new_steps_of_a_verified_fix_are_a_draft_again(folder: Path) -> None:
    run(folder)
    Fix.objects.update(state=Fix.State.VERIFIED)
    edit(folder / "mail.md", "- Buy disks", "- Buy more disks")
    run(folder)
    untouched = Fix.objects.get().state
    edit(folder / "mail.md", "Old segments were deleted.", "Old segments were deleted. By hand.")

    assert states(folder) == ["updated"]

    assert untouched == Fix.State.VERIFIED
    assert Fix.objects.get().state == Fix.State.DRAFT


def test_an_edit_made_here_is_not_overwritten_unless_forced(folder: Path) -> None:
    run(folder)
    postmortem = Postmortem.objects.get()
    postmortem.write("lessons", "Ours.")
    mine = factory.fix("Found out later", postmortem=postmortem)
    assert states(folder) == ["unchanged"]
    edit(folder / "mail.md", "was full", "was quite full")

    (outcome,) = run(folder)

    assert outcome.state == "conflict"
    assert postmortem.ref in outcome.reason
    assert "quite" not in postmortem.text_of("summary")
    assert states(folder, force=True) == ["updated"]
    postmortem = Postmortem.objects.get()
    assert "quite" in postmortem.text_of("summary")
    assert postmortem.text_of("lessons") == ""
    assert postmortem.fixes.contains(mine)


@pytest.mark.parametrize("field", ["title", "severity", "tags", "timeline", "actions", "fix"])
def test_every_kind_of_edit_is_noticed(folder: Path, field: str) -> None:
    run(folder)
    postmortem = Postmortem.objects.get()
    edits: dict[str, Callable[[], Any]] = {
        "title": lambda: Postmortem.objects.update(title="Ours"),
        "severity": lambda: Postmortem.objects.update(severity="sev4"),
        "tags": lambda: postmortem.tags.clear(),
        "timeline": lambda: postmortem.timeline.filter(text="Freed").update(text="Ours"),
        "actions": lambda: postmortem.action_items.update(state="done"),
        "fix": lambda: postmortem.fixes.update(risk="Ours"),
    }
    edits[field]()
    edit(folder / "mail.md", "was full", "was quite full")

    assert states(folder) == ["conflict"]


def test_what_people_decide_here_is_no_edit_and_stays(folder: Path, alice: User) -> None:
    run(folder)
    Postmortem.objects.update(status="archived", visibility="restricted", owner=alice)
    edit(folder / "mail.md", "was full", "was quite full")

    assert states(folder) == ["updated"]

    postmortem = Postmortem.objects.get()
    assert (postmortem.status, postmortem.visibility, postmortem.owner) == ("archived", "restricted", alice)


def test_a_folder_that_moved_as_a_whole_is_known_again(folder: Path, tmp_path: Path) -> None:
    run(folder)
    moved = tmp_path / "elsewhere" / "pm"
    moved.parent.mkdir()
    folder.rename(moved)
    edit(moved / "mail.md", "was full", "was quite full")

    assert states(moved) == ["updated"]
    assert states(moved / "mail.md") == ["unchanged"]


def test_a_file_that_was_renamed_and_not_changed_is_known_again(folder: Path) -> None:
    run(folder)
    (folder / "mail.md").rename(folder / "post.md")

    assert states(folder) == ["unchanged"]
    edit(folder / "post.md", "was full", "was quite full")
    assert states(folder) == ["updated"]
    assert ImportedFile.objects.get().path == "pm/post.md"


def test_a_uuid_is_known_again_wherever_the_file_is(folder: Path) -> None:
    edit(folder / "mail.md", "severity:", "uuid: 11-AA\nseverity:")
    run(folder)
    (folder / "mail.md").rename(folder / "post.md")
    edit(folder / "post.md", "11-AA", "11-aa")

    assert states(folder) == ["updated"]


def test_a_copy_is_the_same_postmortem_and_another_text_of_the_same_uuid_is_a_fault(folder: Path) -> None:
    edit(folder / "mail.md", "severity:", "uuid: 11\nseverity:")
    text = (folder / "mail.md").read_text()
    (folder / "n copy.md").write_text(text)
    (folder / "o other.md").write_text(text + "More.")

    outcomes = run(folder)

    assert [outcome.state for outcome in outcomes] == ["created", "ignored", "skipped"]
    assert outcomes[2].reason == "the same postmortem as pm/mail.md, but with another text"
    assert states(folder) == ["unchanged", "ignored", "skipped"]


def test_a_copy_without_a_uuid_is_known_by_its_bytes_and_an_old_copy_is_a_document_of_its_own(folder: Path) -> None:
    (folder / "n copy.md").write_text(TEXT)

    assert states(folder) == ["created", "ignored"]
    assert states(folder, dry_run=True) == states(folder) == ["unchanged", "ignored"]
    edit(folder / "mail.md", "was full", "was quite full")
    assert states(folder) == ["updated", "created"]


def test_another_folder_of_the_same_name_does_not_overwrite(folder: Path, tmp_path: Path) -> None:
    run(folder)
    other = tmp_path / "team" / "pm"
    other.mkdir(parents=True)
    (other / "mail.md").write_text("# Login broke\n\n## Impact\n\nNobody could enter through any door.\n")

    (outcome,) = run(other, force=True)

    assert outcome.state == "conflict"
    assert "another document" in outcome.reason
    assert Postmortem.objects.get().title == "Mail was late"


def test_a_file_that_cannot_be_read_is_skipped_and_the_others_go_on(folder: Path) -> None:
    (folder / "a.md").write_text("---\ntitle: A\ntitle: B\n---\nText.")
    (folder / "z.md").write_bytes(b"\0")

    outcomes = run(folder)

    assert [(outcome.state, outcome.line) for outcome in outcomes] == [
        ("skipped", 3),
        ("created", None),
        ("skipped", 1),
    ]
    assert outcomes[0].reason == "front matter: the key 'title' is given twice"


@pytest.mark.sqlite
def test_a_file_that_cannot_be_stored_leaves_nothing_behind_and_the_others_go_on(folder: Path) -> None:
    (folder / "a.md").write_text("---\nservice: Fresh\ntags: [new]\n---\nText.")
    (folder / "z.md").write_text("---\nservice: Fresh\ntags: [new]\n---\nOther words.")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER no_a BEFORE INSERT ON postmortems_importedfile WHEN NEW.path = 'pm/a.md' "
            "BEGIN SELECT RAISE(ABORT, 'disk on fire'); END"
        )

    outcomes = run(folder)

    assert [outcome.state for outcome in outcomes] == ["skipped", "created", "created"]
    assert "disk on fire" in outcomes[0].reason
    tags = {row.imported_file.path: sorted(tag.name for tag in row.tags.all()) for row in Postmortem.objects.all()}
    assert tags == {"pm/mail.md": ["Disk", "queue"], "pm/z.md": ["new"]}


def test_a_text_too_long_to_be_formatted_is_kept_and_shown_as_it_is(folder: Path) -> None:
    edit(folder / "mail.md", "Old segments were deleted.", "word & " * 40_000)

    assert states(folder) == ["created"]

    section = SectionText.objects.get(key="what_fixed_it")
    assert section.body == ("word & " * 40_000).strip()
    assert section.html.startswith("<pre>word &amp; ")


@pytest.mark.parametrize(
    ("line", "readable"), [("severity: 1", True), ("visibility: restricted", False), ("kind: security", False)]
)
def test_a_restricted_document_is_seen_by_its_owner_and_nobody_else(
    folder: Path, alice: User, charlie: User, line: str, readable: bool
) -> None:
    edit(folder / "mail.md", "severity: SEV-2", f"{line}\nmembers: [charlie]\nowner: charlie")

    run(folder, owner=alice)

    postmortem = Postmortem.objects.get()
    assert Postmortem.objects.visible_to(alice).contains(postmortem)
    assert Postmortem.objects.visible_to(charlie).contains(postmortem) == readable
    assert Fix.objects.visible_to(charlie).exists() == readable


def test_a_file_can_restrict_later_but_never_open(folder: Path, charlie: User) -> None:
    run(folder)
    edit(folder / "mail.md", "severity: SEV-2", "visibility: restricted")
    run(folder)
    restricted = Postmortem.objects.visible_to(charlie).exists()
    edit(folder / "mail.md", "visibility: restricted", "visibility: open")

    assert states(folder) == ["updated"]

    assert not restricted
    assert not Postmortem.objects.visible_to(charlie).exists()


@pytest.mark.parametrize(
    ("said", "option", "status"),
    [
        ("", "published", "published"),
        ("", "draft", "draft"),
        ("status: draft", "published", "draft"),
        ("status: final", "draft", "published"),
    ],
)
def test_the_file_says_whether_it_is_a_draft_else_the_option_does(
    folder: Path, said: str, option: str, status: str
) -> None:
    edit(folder / "mail.md", "severity: SEV-2", said)

    run(folder, status=option)

    assert Postmortem.objects.get().status == status


def test_a_document_of_rows_only_stays_a_draft(folder: Path) -> None:
    (folder / "mail.md").write_text("# Rows\n\n## Timeline\n\n- 2021-05-03 08:21 Full\n")

    assert states(folder) == ["created"]
    assert Postmortem.objects.get().status == "draft"


def test_names_that_differ_in_case_only_are_one_tag(folder: Path) -> None:
    existing = Tag.objects.called("Queue")
    (folder / "b.md").write_text("---\ntags: QUEUE, disk\n---\nOther text.")

    run(folder)

    assert existing.postmortems.count() == 2
    assert Tag.objects.count() == 2


def test_a_folder_without_anything_to_import_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing here.")

    outcomes = run(tmp_path)

    assert [outcome.state for outcome in outcomes] == ["ignored", "skipped"]
    assert outcomes[1].reason == "no file in this folder can be imported"
