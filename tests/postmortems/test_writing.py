"""Saving a postmortem: every save a revision, edits of two people merged, nothing lost."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from pytest_django import Settings

from postmortems.models import AuditEvent, Postmortem, Revision, TimelineEntry, User, WorkingCopy
from postmortems.models.postmortem import NotNewest
from postmortems.models.revision import NotKept, content_of
from postmortems.roles import NotAllowed
from postmortems.workflows import writing
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(alice: User, bob: User) -> Postmortem:
    """Alice's, begun with a revision; Bob may edit it."""
    postmortem = factory.postmortem(
        "Checkout was down",
        status="draft",
        owner=alice,
        services=("Checkout",),
        sections={"summary": "First line.\nSecond line.\nThird line.", "impact": "Orders failed."},
    )
    postmortem.members.add(alice, bob)
    Revision.objects.first_of(postmortem, by=alice, at=NOON, note="Begun.")
    return postmortem


def save(postmortem: Postmortem, by: User | None, *, base: int, note: str = "", **changes: Any) -> writing.Saved:
    return writing.save_revision(postmortem, changes=changes, base=base, by=by, at=NOON, note=note)


def texts(postmortem: Postmortem) -> dict[str, str]:
    return dict(Postmortem.objects.get(pk=postmortem.pk).sections.values_list("key", "body"))


class TestSaving:
    def test_each_save_is_a_revision_with_everything_in_it(self, alice: User, draft: Postmortem) -> None:
        saved = save(draft, alice, base=1, note="Impact is known", sections={"impact": "9 % of orders."}, tags=["dns"])

        assert saved.revision is not None and saved.message == "Saved as revision 2."
        assert (draft.revision, saved.revision.note, saved.revision.by) == (2, "Impact is known", alice)
        assert saved.revision.content == content_of(draft)
        assert saved.revision.content["sections"]["impact"] == "9 % of orders."
        assert saved.revision.content["tags"] == ["dns"] and saved.revision.content["services"] == ["checkout"]
        assert texts(draft)["impact"] == "9 % of orders."

    def test_it_is_audited_and_to_be_learned_by_the_index(self, alice: User, draft: Postmortem) -> None:
        version = draft.search_version

        save(draft, alice, base=1, title="Checkout was away")

        event = AuditEvent.objects.about(draft).get()
        assert event.changes == {"revision": [1, 2], "changed": ["", "Title"]}
        assert Postmortem.objects.get(pk=draft.pk).search_version > version

    def test_a_save_without_a_change_is_no_revision(self, alice: User, draft: Postmortem) -> None:
        assert save(draft, alice, base=1, title="Checkout was down").revision is None
        assert draft.revision == 1

    def test_what_was_there_before_revisions_becomes_the_first(self, alice: User) -> None:
        imported = factory.postmortem("Old", owner=alice, sections={"summary": "As imported."})

        save(imported, alice, base=0, sections={"summary": "Better."})

        assert [(r.number, r.content["sections"]["summary"]) for r in imported.revisions.all()] == [
            (2, "Better."),
            (1, "As imported."),
        ]

    def test_what_was_changed_elsewhere_becomes_a_revision_and_is_merged(self, alice: User, draft: Postmortem) -> None:
        draft.write("trigger", "A deploy, says the import.")

        saved = save(draft, alice, base=1, sections={"impact": "Better."})

        assert saved.revision is not None and saved.revision.number == 3
        assert texts(draft)["trigger"] == "A deploy, says the import."
        assert Revision.objects.get(postmortem=draft, number=2).note == writing.ELSEWHERE

    def test_an_approved_one_goes_back_into_review(self, alice: User, draft: Postmortem) -> None:
        Postmortem.objects.filter(pk=draft.pk).update(status="approved")

        save(draft, alice, base=1, title="Other")

        assert Postmortem.objects.get(pk=draft.pk).status == "in_review"

    def test_a_published_one_stays_so_and_keeps_its_revisions(self, alice: User) -> None:
        published = factory.postmortem(owner=alice, sections={"summary": "Old."})

        save(published, alice, base=0, sections={"summary": "New."})

        published.refresh_from_db()
        assert (published.status, published.revision) == ("published", 2)

    def test_those_who_may_not_edit_it_are_refused(self, charlie: User, bob: User, draft: Postmortem) -> None:
        bob.give_roles("reader")

        for person in (bob, charlie):
            with pytest.raises(NotAllowed):
                save(draft, person, base=1, title="Mine")
        assert draft.revision == 1


class TestTwoPeople:
    def test_what_does_not_collide_is_kept_of_both(self, alice: User, bob: User, draft: Postmortem) -> None:
        save(draft, bob, base=1, sections={"impact": "Every order failed."})

        saved = save(draft, alice, base=1, sections={"summary": "First line.\nSecond line.\nThird, and more."})

        assert saved.message == "Saved as revision 3. Bob changed Impact meanwhile: both are kept."
        assert texts(draft) == {
            "summary": "First line.\nSecond line.\nThird, and more.",
            "impact": "Every order failed.",
        }

    def test_different_lines_of_one_section_are_merged(self, alice: User, bob: User, draft: Postmortem) -> None:
        save(draft, bob, base=1, sections={"summary": "First of Bob.\nSecond line.\nThird line."})

        save(draft, alice, base=1, sections={"summary": "First line.\nSecond line.\nThird of Alice."})

        assert texts(draft)["summary"] == "First of Bob.\nSecond line.\nThird of Alice."

    def test_the_same_line_is_a_conflict_that_changes_nothing(self, alice: User, bob: User, draft: Postmortem) -> None:
        save(draft, bob, base=1, sections={"impact": "By Bob."}, severity="sev1")

        with pytest.raises(writing.Conflict) as refused:
            save(draft, alice, base=1, sections={"impact": "By Alice."}, severity="sev2", title="Mine alone")

        assert [(c.name, c.mine, c.theirs) for c in refused.value.merged.collisions] == [
            ("severity", "SEV2", "SEV1"),
            ("section_impact", "By Alice.", "By Bob."),
        ]
        assert refused.value.merged.content["title"] == "Mine alone"
        assert refused.value.newest == 2 and str(refused.value).startswith("Bob changed the same lines")
        assert texts(draft)["impact"] == "By Bob." and draft.revision == 2

    def test_the_proposal_saved_on_top_of_the_newest_is_accepted(
        self, alice: User, bob: User, draft: Postmortem
    ) -> None:
        save(draft, bob, base=1, sections={"impact": "By Bob."})
        with pytest.raises(writing.Conflict) as refused:
            save(draft, alice, base=1, sections={"impact": "By Alice."})
        (collision,) = refused.value.merged.collisions

        save(draft, alice, base=refused.value.newest, sections={"impact": collision.proposal})

        assert texts(draft)["impact"] == "By Bob.\n\nBy Alice."

    def test_tags_and_services_are_added_and_taken_out_by_both(self, alice: User, bob: User, draft: Postmortem) -> None:
        factory.service("Ledger")
        save(draft, alice, base=1, tags=["dns", "cache"])
        save(draft, bob, base=2, tags=["dns", "cache", "tls"], services=["checkout", "ledger"])

        save(draft, alice, base=2, tags=["cache"], services=[])

        now = content_of(draft)
        assert now["tags"] == ["cache", "tls"] and now["services"] == ["ledger"]

    def test_moments_of_the_timeline_are_merged(self, alice: User, bob: User, draft: Postmortem) -> None:
        def moment(text: str) -> dict[str, str]:
            return {"at": NOON.isoformat(), "kind": "note", "text": text, "evidence_url": ""}

        save(draft, bob, base=1, timeline=[moment("by Bob")])
        save(draft, alice, base=1, timeline=[moment("by Alice")])

        assert {entry.text for entry in draft.timeline.all()} == {"by Bob", "by Alice"}


class TestRestoring:
    def test_it_is_a_new_revision_with_the_old_content(self, alice: User, bob: User, draft: Postmortem) -> None:
        TimelineEntry.objects.create(postmortem=draft, at=NOON, text="Paged")
        save(draft, alice, base=1, sections={"impact": "", "trigger": "A deploy."}, title="Other", tags=["dns"])
        draft.timeline.all().delete()
        save(draft, alice, base=3, owner="bob")
        old = Revision.objects.get(postmortem=draft, number=2)

        restored = writing.restore(old, newest=draft.revision, by=alice, at=NOON)

        draft.refresh_from_db()
        now = content_of(draft)
        assert now == restored.content == {**old.content, "owner": "bob"}
        assert [entry.text for entry in draft.timeline.all()] == ["Paged"]
        assert restored.note == "Restored revision 2."

    def test_not_over_what_somebody_saved_meanwhile(self, alice: User, bob: User, draft: Postmortem) -> None:
        save(draft, alice, base=1, title="Second")
        save(draft, bob, base=2, title="Third")

        with pytest.raises(NotNewest):
            writing.restore(Revision.objects.get(postmortem=draft, number=1), newest=2, by=alice, at=NOON)

        assert content_of(draft)["title"] == "Third"


class TestWorkingCopy:
    def test_it_goes_on_from_the_state_that_the_page_knows(self, alice: User, draft: Postmortem) -> None:
        first = keep(draft, alice, "one", known="")
        second = keep(draft, alice, "two", known=first.mark, minutes=1)

        assert WorkingCopy.objects.get().content == {"title": ["two"]}
        with pytest.raises(NotKept):
            keep(draft, alice, "from another window", known=first.mark, minutes=2)
        with pytest.raises(NotKept):
            keep(draft, alice, "from a new page", known="", minutes=2)
        assert WorkingCopy.objects.get().mark == second.mark

    def test_everybody_has_their_own(self, alice: User, bob: User, draft: Postmortem) -> None:
        keep(draft, alice, "hers", known="")
        keep(draft, bob, "his", known="")

        writing.discard_working_copy(draft, by=alice)

        assert WorkingCopy.objects.get().user == bob

    def test_only_the_one_that_was_meant_is_discarded(self, alice: User, draft: Postmortem) -> None:
        first = keep(draft, alice, "one", known="")
        keep(draft, alice, "two", known=first.mark, minutes=1)

        writing.discard_working_copy(draft, by=alice, known=first.mark)

        assert WorkingCopy.objects.count() == 1


def keep(draft: Postmortem, by: User, title: str, *, known: str, minutes: int = 0) -> WorkingCopy:
    at = NOON.replace(minute=minutes)
    return writing.keep_working_copy(draft, content={"title": [title]}, base=1, known=known, by=by, at=at)


# --- two editors, many schedules ---


class Editor:
    """One person with a page open: reads, types into a section, saves, and resolves what collides by keeping both."""

    def __init__(self, who: User, seed: int) -> None:
        self.who = who
        self.random = random.Random(seed)
        self.typed = 0
        self.attempts = self.accepted = self.conflicts = 0
        self.words: list[str] = []

    def open(self, postmortem: Postmortem) -> None:
        self.base = Postmortem.objects.get(pk=postmortem.pk).revision
        self.content = Revision.objects.get(postmortem=postmortem, number=self.base).content

    def type(self) -> None:
        """One line more, or other words in a line, always with a word that nobody else writes."""
        self.typed += 1
        word = f"{self.who.username}{self.typed}"
        key = self.random.choice(["summary", "impact"])
        lines = self.content["sections"].get(key, "").split("\n")
        n = self.random.randrange(len(lines))
        if self.random.random() < 0.5:
            lines[n] = f"{lines[n]} {word}"
        else:
            lines.insert(n, word)
        self.word, self.changes = word, {"sections": {key: "\n".join(lines)}}

    def save(self, postmortem: Postmortem) -> None:
        self.attempts += 1
        try:
            saved = writing.save_revision(postmortem, changes=self.changes, base=self.base, by=self.who, at=NOON)
        except writing.Conflict as conflict:
            self.conflicts += 1
            self.base = conflict.newest
            self.changes = {"sections": conflict.merged.content["sections"]}
        else:
            assert saved.revision is not None
            self.accepted += 1
            self.words.append(self.word)
            assert self.word in str(saved.revision.content["sections"])
            self.content, self.base = saved.revision.content, saved.revision.number


def check(draft: Postmortem, *editors: Editor) -> None:
    draft.refresh_from_db()
    accepted = sum(editor.accepted for editor in editors)
    numbers = sorted(Revision.objects.filter(postmortem=draft).values_list("number", flat=True))
    assert accepted + sum(e.conflicts for e in editors) == sum(e.attempts for e in editors)
    assert numbers == list(range(1, accepted + 2)) and draft.revision == accepted + 1
    newest = Revision.objects.get(postmortem=draft, number=draft.revision)
    assert newest.content == content_of(draft)
    # No word of any accepted save is gone: nobody here takes anything out.
    assert all(word in str(newest.content["sections"]) for editor in editors for word in editor.words)


@pytest.mark.parametrize("batch", range(4))
def test_two_hundred_schedules_of_two_editors_lose_nothing(
    alice: User, bob: User, draft: Postmortem, batch: int
) -> None:
    collided = 0
    for seed in range(batch * 50, batch * 50 + 50):
        Revision.objects.filter(postmortem=draft).delete()
        Postmortem.objects.filter(pk=draft.pk).update(revision=0)
        for key in ("summary", "impact"):
            draft.write(key, "One.\nTwo.\nThree.\nFour.")
        draft.refresh_from_db()
        Revision.objects.first_of(draft, by=alice, at=NOON, note="")
        schedule = random.Random(seed)
        editors = [Editor(alice, seed), Editor(bob, -seed - 1)]
        steps = {editor: iter(["open", "type", "save", "save"] * schedule.choice([1, 1, 1, 2])) for editor in editors}
        while steps:
            editor = schedule.choice(list(steps))
            step = next(steps[editor], None)
            if step is None:
                del steps[editor]
            elif step == "open":
                editor.open(draft)
            elif step == "type":
                editor.type()
            elif editor.word not in editor.words:  # the second save is for what collided
                editor.save(draft)
        check(draft, *editors)
        collided += sum(editor.conflicts for editor in editors)

    assert collided, "these schedules try nothing"


def test_threads_of_their_own_lose_nothing_either(
    transactional_db: None, tmp_path: Path, settings: Settings, alice: User, bob: User, draft: Postmortem
) -> None:
    settings.DATA_DIR, settings.SEARCH_URL = tmp_path, "memory:"
    copy = tmp_path / "threads.sqlite3" if connection.vendor == "sqlite" else None
    if copy:  # SQLite's tests run in memory, where connections do not wait for each other
        with sqlite3.connect(copy) as file:
            connection.ensure_connection()
            connection.connection.backup(file)
        file.close()
    editors, failures = [Editor(alice, 1), Editor(bob, 2)], list[BaseException]()

    def work(editor: Editor) -> None:
        connections["default"] = on_file(copy) if copy else connections["default"]
        try:
            for _ in range(6):
                editor.open(draft)
                editor.type()
                while editor.word not in editor.words:
                    editor.save(Postmortem.objects.get(pk=draft.pk))
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(editor,)) for editor in editors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with here(copy):
        check(draft, *editors)


def on_file(path: Path) -> Any:
    mine = connections.create_connection("default")
    mine.settings_dict = {**mine.settings_dict, "NAME": str(path)}
    return mine


@contextmanager
def here(copy: Path | None) -> Iterator[None]:
    """The main thread looks into the same file."""
    if copy is None:
        yield
        return
    before = connections["default"]
    connections["default"] = on_file(copy)
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before
