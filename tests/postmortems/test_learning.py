"""What use tells: searches in vain during a bad incident, until something answers them; readings of postmortems."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from postmortems.models import Incident, KnowledgeGap, Participant, Postmortem, Reading, User, Visibility
from postmortems.workflows import learning
from postmortems.workflows.regular import TIMETABLE
from tests import factory
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db
NOON = factory.NOON
TEXT = "flux capacitor overheats"


@pytest.fixture(autouse=True)
def known(learn: Learn) -> None:
    learn(factory.postmortem("Pool exhausted", sections={"summary": "The connection pool was empty."}))


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


@pytest.fixture
def incident(alice: User) -> Incident:
    """A SEV1 in progress that Alice commands."""
    return factory.incident("Everything is down", severity="sev1", commander=alice)


def gaps() -> list[tuple[str, int]]:
    return list(KnowledgeGap.objects.values_list("text", "incident"))


class TestWhatIsKept:
    def test_who_commands_and_finds_nothing_leaves_a_gap(self, as_alice: Client, incident: Incident) -> None:
        as_alice.get("/search/", {"q": f" {TEXT} "})

        assert gaps() == [(TEXT, incident.pk)]

    def test_so_does_who_works_on_it_until_they_are_released(self, incident: Incident, bob: User) -> None:
        client = factory.signed_in(bob)
        Participant.objects.create(incident=incident, user=bob, joined_at=NOON)
        client.get("/search/", {"q": "first"})
        Participant.objects.update(released_at=NOON)
        client.get("/search/", {"q": "second"})

        assert gaps() == [("first", incident.pk)]

    def test_so_does_who_searches_from_its_page(self, incident: Incident, charlie: User) -> None:
        client = factory.signed_in(charlie)

        assert f'name="incident" value="{incident.ref}"' in client.get(incident.get_absolute_url()).text
        client.get("/search/", {"q": TEXT, "incident": incident.ref})

        assert gaps() == [(TEXT, incident.pk)]

    @pytest.mark.parametrize(
        "query",
        [
            {"q": "pool"},  # found
            {"q": "INC-999"},  # a ref that is not there
            {"q": "ACT-999"},
            {"q": TEXT, "service": "checkout"},  # narrowed by a click
            {"q": ""},
        ],
    )
    def test_what_is_no_gap(self, as_alice: Client, incident: Incident, query: dict[str, str]) -> None:
        as_alice.get("/search/", query)

        assert gaps() == []

    @pytest.mark.parametrize(
        "other", [{"severity": "sev3"}, {"status": "resolved", "resolved_at": NOON}, {"commander": None}]
    )
    def test_only_on_an_open_bad_incident_that_is_theirs(
        self, as_alice: Client, alice: User, other: dict[str, Any]
    ) -> None:
        factory.incident(**{"severity": "sev1", "commander": alice, **other})

        as_alice.get("/search/", {"q": TEXT})

        assert gaps() == []

    def test_a_hidden_incident_cannot_be_named(self, incident: Incident, charlie: User) -> None:
        incident.admit(visibility=Visibility.RESTRICTED, members=[], teams=[])

        factory.signed_in(charlie).get("/search/", {"q": TEXT, "incident": incident.ref})

        assert gaps() == []

    def test_the_same_words_are_one_gap(self, as_alice: Client, incident: Incident) -> None:
        for typed in (TEXT, TEXT.upper(), TEXT.replace(" ", "  ")):
            as_alice.get("/search/", {"q": typed})

        assert gaps() == [(TEXT, incident.pk)]

    def test_a_very_long_question_is_cut(self, as_alice: Client, incident: Incident) -> None:
        as_alice.get("/search/", {"q": "fluxcapacitor" * 100})

        assert [len(text) for text, _ in gaps()] == [500]

    def test_the_page_goes_on_where_it_cannot_be_kept(
        self, as_alice: Client, incident: Incident, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(KnowledgeGap.objects, "record", broken)

        assert as_alice.get("/search/", {"q": TEXT}).status_code == 200


class TestWhatAnswers:
    @pytest.fixture
    def gap(self, incident: Incident, alice: User) -> KnowledgeGap:
        return KnowledgeGap.objects.record(incident=incident, text=TEXT, by=alice, at=NOON)

    def close(self) -> int:
        return learning.close_answered_gaps(at=NOON + timedelta(days=1))

    def test_a_document_with_all_of_its_words(self, gap: KnowledgeGap, learn: Learn) -> None:
        learn(factory.postmortem("Capacitors", sections={"summary": "It overheats: the flux capacitor."}))

        assert self.close() == 1
        gap.refresh_from_db()
        assert gap.answered_at == NOON + timedelta(days=1)
        assert self.close() == 0

    def test_the_worker_asks_again_by_itself(self, gap: KnowledgeGap, learn: Learn) -> None:
        learn(factory.postmortem(TEXT, sections={"summary": TEXT}))

        assert learning.ask_gaps_again in [work.task for work in TIMETABLE]
        assert learning.ask_gaps_again.call() == 1

    def test_not_one_with_some_of_them(self, gap: KnowledgeGap, learn: Learn) -> None:
        learn(factory.postmortem("A capacitor", sections={"summary": "It leaked."}))

        assert self.close() == 0

    def test_not_its_own_incident(self, gap: KnowledgeGap, incident: Incident, learn: Learn) -> None:
        Incident.objects.filter(pk=incident.pk).update(title=TEXT)
        incident.refresh_from_db()
        learn(incident)

        assert self.close() == 0

    def test_not_one_that_not_everybody_may_see(self, gap: KnowledgeGap, alice: User, learn: Learn) -> None:
        secret = factory.postmortem(TEXT, sections={"summary": TEXT}, visibility=Visibility.RESTRICTED)
        secret.members.add(alice)
        learn(secret)

        assert self.close() == 0

    def test_not_one_that_was_closed_just_now(self, gap: KnowledgeGap, learn: Learn) -> None:
        row = factory.postmortem(TEXT, sections={"summary": TEXT})
        learn(row)
        Postmortem.objects.filter(pk=row.pk).update(visibility=Visibility.RESTRICTED)  # the index does not know yet

        assert self.close() == 0

    def test_looking_at_the_gaps_asks_again(self, gap: KnowledgeGap, as_alice: Client, learn: Learn) -> None:
        learn(factory.postmortem(TEXT, sections={"summary": TEXT}))

        as_alice.get("/insights/gaps/")

        assert not KnowledgeGap.objects.unanswered().exists()

    def test_asked_in_vain_once_more_it_is_open_again(self, gap: KnowledgeGap, incident: Incident) -> None:
        KnowledgeGap.objects.answer(at=NOON)

        KnowledgeGap.objects.record(incident=incident, text=TEXT, by=None, at=NOON + timedelta(days=2))

        (again,) = KnowledgeGap.objects.unanswered()
        assert (again.pk, again.at) == (gap.pk, NOON)


class TestReadings:
    def test_a_reader_counts_once(self, as_alice: Client, bob: User) -> None:
        postmortem = Postmortem.objects.get()
        for _ in range(2):
            as_alice.get(postmortem.get_absolute_url())
        factory.signed_in(bob).get(postmortem.get_absolute_url())

        assert Reading.objects.filter(postmortem=postmortem).count() == 2

    def test_the_owner_a_draft_and_a_mere_look_do_not_count(self, as_alice: Client, alice: User, team: Any) -> None:
        mine = factory.postmortem("Mine", owner=alice)
        draft = factory.postmortem("Draft", status="draft", team=team)
        for row in (mine, draft):
            assert as_alice.get(row.get_absolute_url()).status_code == 200
        as_alice.head(Postmortem.objects.get(title="Pool exhausted").get_absolute_url())

        assert not Reading.objects.exists()

    def test_rows_do_not_say_who_it_was(self, as_alice: Client, alice: User) -> None:
        rows = [Postmortem.objects.get(), factory.postmortem("Another")]
        for row in rows:
            as_alice.get(row.get_absolute_url())

        marks = set(Reading.objects.values_list("mark", flat=True))
        assert len(marks) == 2
        assert {field.name for field in Reading._meta.fields} == {"id", "postmortem", "mark", "on"}

    def test_the_page_goes_on_where_it_cannot_be_kept(self, as_alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Reading.objects, "record", broken)

        assert as_alice.get(Postmortem.objects.get().get_absolute_url()).status_code == 200


def broken(**_: Any) -> None:
    raise DatabaseError("disk full")
