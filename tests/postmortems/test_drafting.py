"""From an incident that is over to the draft of its postmortem."""

from datetime import date, timedelta

import pytest

from postmortems import blameless, sections
from postmortems.models import (
    AuditEvent,
    Incident,
    Postmortem,
    PostmortemPolicy,
    PostmortemTemplate,
    Revision,
    Service,
    Team,
    TemplateSection,
    TimelineEntry,
    User,
)
from postmortems.roles import NotAllowed
from postmortems.workflows import drafting
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1, minutes=30)


def resolved(title: str = "Checkout answers 503", **details: object) -> Incident:
    known = {"status": "resolved", "resolved_at": LATER, "detected_at": NOON + timedelta(minutes=4)}
    return factory.incident(title, **{**known, **details})  # type: ignore[arg-type]


class TestWhatIsCarriedOver:
    def test_the_facts_the_timeline_and_the_owner(self, alice: User, team: Team) -> None:
        checkout = factory.service("Checkout")
        Service.objects.filter(pk=checkout.pk).update(owner_team=team)
        incident = resolved(services=("Checkout",), severity="sev2", environment="staging", symptoms="Orders *fail*.")
        TimelineEntry.objects.create(incident=incident, at=NOON, kind="detection", text="Paged", by=alice)

        draft = drafting.draft_from(incident, by=alice, at=LATER)

        assert (draft.title, draft.severity, draft.environment) == ("Checkout answers 503", "sev2", "staging")
        assert (draft.owner, draft.team, draft.status) == (alice, team, "draft")
        assert list(draft.incidents.all()) == [incident] and list(draft.services.all()) == [checkout]
        assert (draft.occurred_on, draft.started_at, draft.ended_at) == (date(2026, 3, 1), NOON, LATER)
        assert [(entry.text, entry.at, entry.by) for entry in draft.timeline.all()] == [("Paged", NOON, alice)]
        assert "Orders *fail*." in draft.text_of("impact")
        assert draft.text_of("summary") == "It lasted 1 h 30 min, from 2026-03-01 12:00 UTC to 2026-03-01 13:30 UTC."
        assert "4 min after it began" in draft.text_of("detection")
        assert incident.timeline.count() == 1

    def test_log_lines_stay_log_lines(self, alice: User) -> None:
        draft = drafting.draft_from(resolved(error_excerpt="```\n<b>x</b>\n```"), by=alice, at=LATER)

        assert draft.text_of("impact") == "````\n```\n<b>x</b>\n```\n````"

    def test_fixes_by_their_outcome_those_that_worked_first(self, alice: User) -> None:
        incident = resolved()
        off = factory.fix("Turn it off")
        pool = factory.fix("Recycle the pool")
        factory.fix_use(off, incident, "no_effect", note="Nothing\nmoved.")
        factory.fix_use(pool, incident, "worked", minutes_to_effect=4)

        text = drafting.draft_from(incident, by=alice, at=LATER).text_of("what_fixed_it")

        assert text == (
            f"What worked:\n\n- {pool.ref} Recycle the pool, after 4 min\n\n"
            f"What was tried and had no effect:\n\n- {off.ref} Turn it off: Nothing moved."
        )

    def test_the_title_of_a_restricted_fix_does_not_get_into_an_open_text(self, alice: User) -> None:
        incident = resolved()
        secret = factory.fix("Rotate the vault key", visibility="restricted")
        secret.members.add(alice)
        unseen = factory.fix("Not even its number", visibility="restricted")
        factory.fix_use(secret, incident)
        factory.fix_use(unseen, incident)

        text = drafting.draft_from(incident, by=alice, at=LATER).text_of("what_fixed_it")

        assert secret.ref in text and unseen.ref not in text and "vault" not in text

    def test_a_restriction_its_members_and_teams(self, alice: User, bob: User, charlie: User, team: Team) -> None:
        incident = resolved(kind="security", visibility="restricted")
        incident.members.add(alice, bob)
        incident.shared_with.add(team)

        draft = drafting.draft_from(incident, by=alice, at=LATER)

        assert draft.is_restricted
        assert set(draft.members.all()) == {alice, bob} and list(draft.shared_with.all()) == [team]
        assert not Postmortem.objects.visible_to(charlie).contains(draft)

    def test_it_begins_with_a_revision_and_a_line_in_the_audit_log(self, alice: User) -> None:
        incident = resolved()

        draft = drafting.draft_from(incident, by=alice, at=LATER)

        revision = Revision.objects.get(postmortem=draft)
        assert (draft.revision, revision.number, revision.note) == (1, 1, f"Drafted from {incident.ref}.")
        assert revision.content["title"] == incident.title
        assert AuditEvent.objects.about(draft).get().action == "postmortem.draft"


class TestWhenThereIsNothingToDraft:
    def test_one_that_is_there_is_led_to(self, alice: User, bob: User) -> None:
        incident = resolved()
        first = drafting.draft_from(incident, by=alice, at=LATER)
        first.incidents.add(incident)
        factory_team = factory.team("Core", alice, bob)
        Postmortem.objects.filter(pk=first.pk).update(team=factory_team)

        assert drafting.draft_from(incident, by=bob, at=LATER) == first
        assert Postmortem.objects.count() == 1

    @pytest.mark.parametrize("status", ["open", "investigating", "mitigated", "cancelled"])
    def test_an_incident_that_is_not_over_is_refused(self, alice: User, status: str) -> None:
        incident = factory.incident(status=status)

        with pytest.raises(drafting.NotOver):
            drafting.draft_from(incident, by=alice, at=LATER)

        assert not Postmortem.objects.exists()

    def test_a_reader_may_not(self, alice: User) -> None:
        alice.give_roles("reader")

        with pytest.raises(NotAllowed):
            drafting.draft_from(resolved(), by=alice, at=LATER)
        with pytest.raises(NotAllowed):
            drafting.begin(title="x", kind="service", severity="", services=[], occurred_on=None, by=alice, at=NOON)


class TestDueDate:
    def test_it_counts_from_the_end_by_severity(self, alice: User) -> None:
        assert drafting.draft_from(resolved(severity="sev1"), by=alice, at=LATER).due_on == date(2026, 3, 6)
        assert drafting.draft_from(resolved(severity="sev2"), by=alice, at=LATER).due_on == date(2026, 3, 11)

    def test_a_policy_for_the_kind_is_closer_than_one_for_all(self) -> None:
        PostmortemPolicy.objects.create(severity="sev1", kind="security", is_required=True, days_until_due=2)

        policy = PostmortemPolicy.objects.for_incident(resolved(severity="sev1", kind="security"))

        assert policy is not None and policy.days_until_due == 2
        other = PostmortemPolicy.objects.for_incident(resolved(severity="sev1"))
        assert other is not None and other.days_until_due == 5

    def test_without_a_policy_nothing_is_due(self, alice: User) -> None:
        PostmortemPolicy.objects.all().delete()

        assert drafting.draft_from(resolved(), by=alice, at=LATER).due_on is None


class TestTemplates:
    def test_the_closest_is_taken(self) -> None:
        closest_to = PostmortemTemplate.objects.closest_to
        names = [
            getattr(closest_to(kind=kind, severity=severity), "name", None)
            for kind, severity in (
                *(("service", "sev3"), ("service", "sev1"), ("security", "sev1"), ("near_miss", "")),
                ("exercise", "sev4"),
            )
        ]

        assert names == ["Postmortem", "Postmortem of a SEV1", "Security incident", "Near miss", "Exercise"]

    def test_every_kind_wants_the_sections_without_which_nobody_is_helped(self) -> None:
        wanted = {"summary", "impact", "contributing_factors", "what_fixed_it"}

        for template in PostmortemTemplate.objects.all():
            assert wanted <= {row.key for row in template.sections.all() if row.is_required}, template

    def test_their_keys_are_sections_and_each_asks_something(self) -> None:
        for row in TemplateSection.objects.all():
            assert row.key in sections.KEYS and row.prompt, row

    def test_they_ask_for_conditions_and_never_for_persons(self) -> None:
        asked = [row.prompt for row in TemplateSection.objects.all()]

        assert [
            hint for prompt in (*asked, *(s.prompt for s in sections.SECTIONS)) for hint in blameless.hints(prompt)
        ] == []

    def test_text_of_a_template_is_literal(self, alice: User) -> None:
        template = PostmortemTemplate.objects.get(kind="exercise")
        template.sections.filter(key="summary").update(starter="{{ 7*7 }} {% include 'base.html' %} {0} %(title)s")

        draft = drafting.begin(
            title="Drill", kind="exercise", severity="", services=[], occurred_on=None, by=alice, at=NOON
        )

        assert draft.text_of("summary") == "{{ 7*7 }} {% include 'base.html' %} {0} %(title)s"

    def test_without_any_a_draft_is_made_all_the_same(self, alice: User) -> None:
        PostmortemTemplate.objects.all().delete()

        assert drafting.draft_from(resolved(), by=alice, at=LATER).revision == 1


class TestWithoutAnIncident:
    def test_it_is_begun_for_one_person(self, alice: User, team: Team) -> None:
        checkout = factory.service("Checkout")
        Service.objects.filter(pk=checkout.pk).update(owner_team=team)
        checkout.refresh_from_db()

        draft = drafting.begin(
            title="Almost lost a disk",
            kind="near_miss",
            severity="sev3",
            services=[checkout],
            occurred_on=date(2026, 2, 1),
            by=alice,
            at=NOON,
        )

        assert (draft.owner, draft.team, draft.occurred_on, draft.revision) == (alice, team, date(2026, 2, 1), 1)

    def test_about_security_it_starts_restricted(self, alice: User, charlie: User) -> None:
        draft = drafting.begin(
            title="A key was out", kind="security", severity="", services=[], occurred_on=None, by=alice, at=NOON
        )

        assert draft.is_restricted
        assert not Postmortem.objects.visible_to(charlie).contains(draft)
