"""What must always hold: constraints that no caller can get round, steps that refuse, names, refs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import F

from kb.markdown import TooComplex
from postmortems import sections
from postmortems.models import (
    ActionDuePolicy,
    ActionItem,
    Alert,
    AlertReceipt,
    ApiToken,
    Comment,
    Comparison,
    Digest,
    Fix,
    FixUse,
    GlossaryEntry,
    Incident,
    IntakePolicy,
    Invitation,
    KeptAnswer,
    KnowledgeGap,
    Participant,
    Postmortem,
    PostmortemPolicy,
    PostmortemTemplate,
    Problem,
    Reading,
    ReminderChoice,
    ReviewRequest,
    ReviewVerdict,
    Revision,
    SavedFilter,
    SectionText,
    Service,
    Severity,
    SigningKey,
    SlackAccount,
    SuggestionOpening,
    SuggestionVerdict,
    Tag,
    Team,
    TemplateSection,
    TimelineEntry,
    Tracker,
    User,
    Watch,
    Webhook,
    WebhookDelivery,
    WorkingCopy,
)
from postmortems.models.incident import NotPossible
from postmortems.models.postmortem import NotReady
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

# --- constraints ---

Row = Callable[[], models.Model]

# Constraint -> a row that is fine, and what may not be written over it, by whatever way.
FORBIDDEN: dict[str, tuple[Row, dict[str, Any]]] = {
    "incident_has_title": (factory.incident, {"title": ""}),
    "incident_severity_is_known": (factory.incident, {"severity": "sev9"}),
    "incident_kind_is_known": (factory.incident, {"kind": "party"}),
    "incident_status_is_known": (factory.incident, {"status": "gone"}),
    "incident_is_open_or_restricted": (factory.incident, {"visibility": ""}),
    "resolved_incident_has_time": (factory.incident, {"status": "resolved"}),
    "incident_ends_after_it_starts": (factory.incident, {"resolved_at": NOON - timedelta(seconds=1)}),
    "postmortem_has_title": (factory.postmortem, {"title": ""}),
    "postmortem_status_is_known": (factory.postmortem, {"status": "done"}),
    "postmortem_severity_is_known": (factory.postmortem, {"severity": "SEV1"}),
    "postmortem_is_open_or_restricted": (factory.postmortem, {"visibility": "secret"}),
    "published_has_date": (factory.postmortem, {"published_at": None}),
    "fix_has_title": (factory.fix, {"title": ""}),
    "fix_state_is_known": (factory.fix, {"state": "best"}),
    "fix_is_open_or_restricted": (factory.fix, {"visibility": "none"}),
    "outcome_is_known": (lambda: factory.fix_use(factory.fix(), factory.incident()), {"outcome": "magic"}),
    "gap_asks_something": (
        lambda: KnowledgeGap.objects.record(incident=factory.incident(), text="x", by=None, at=NOON),
        {"text": ""},
    ),
    "action_item_has_title": (lambda: factory.action_item(incident=factory.incident()), {"title": ""}),
    "action_item_has_a_home": (lambda: factory.action_item(incident=factory.incident()), {"incident": None}),
    "wont_do_has_a_reason": (lambda: factory.action_item(incident=factory.incident()), {"state": "wont_do"}),
    "verified_has_evidence": (lambda: factory.action_item(incident=factory.incident()), {"state": "verified"}),
    "alert_state_is_known": (lambda: alert(), {"state": "quiet"}),
    "alert_ends_after_it_starts": (lambda: alert(), {"ended_at": NOON - timedelta(seconds=1)}),
    "intake_action_is_known": (lambda: IntakePolicy.objects.create(), {"action": "shout"}),
    "intake_visibility_is_known": (lambda: IntakePolicy.objects.create(), {"visibility": "dim"}),
    "signing_key_has_a_secret": (lambda: signing_key(), {"sealed_secret": ""}),
    "signing_key_has_an_account": (lambda: signing_key(), {"account": None}),
    "token_has_a_name": (lambda: token(), {"name": ""}),
    "action_item_state_is_known": (lambda: factory.action_item(incident=factory.incident()), {"state": "maybe"}),
    "due_policy_leaves_a_day": (lambda: ActionDuePolicy.objects.get(severity="sev1", priority="high"), {"days": 0}),
    "tracker_address_is_of_the_web": (lambda: tracker(), {"url_template": "javascript:{ticket}"}),
    "tracker_shape_is_known": (lambda: tracker(), {"shape": "(a+)+"}),
    "saved_filter_has_a_name": (lambda: saved_filter(), {"name": ""}),
    "problem_state_is_known": (lambda: Problem.objects.create(title="Pool"), {"state": "forgotten"}),
    "verdict_is_known": (lambda: factory.verdict(factory.incident(), factory.postmortem()), {"verdict": "maybe"}),
    "glossary_entry_has_two_terms": (lambda: GlossaryEntry.objects.create(terms="pager\nbeeper"), {"terms": "pager"}),
    "cancelled_incident_has_reason": (lambda: factory.incident(status="cancelled"), {"cancel_reason": ""}),
    "confirmation_holds_a_month": (factory.fix, {"confirm_every_months": 0}),
    "policy_leaves_a_day": (lambda: PostmortemPolicy.objects.get(severity="sev1"), {"days_until_due": 0}),
    "comment_says_something": (lambda: comment(), {"body": ""}),
    "review_decision_is_known": (lambda: review_verdict(), {"decision": "perhaps"}),
    "comparison_is_known": (lambda: comparison(), {"verdict": "alike"}),
    "compared_with_another": (lambda: comparison(), {"earlier": F("postmortem")}),
    "released_after_joining": (lambda: participant(), {"released_at": NOON - timedelta(seconds=1)}),
    "invitation_is_not_both_accepted_and_revoked": (lambda: invitation(), {"accepted_at": NOON, "revoked_at": NOON}),
    "invitation_is_good_for_a_while": (lambda: invitation(), {"expires_at": NOON}),
    "watch_is_of_one_thing": (lambda: watch(incident=factory.incident()), {"incident": None}),
    "reminder_rhythm_is_known": (lambda: reminder_choice(), {"rhythm": "hourly"}),
    "reminder_weekday_is_of_the_week": (lambda: reminder_choice(), {"weekday": 7}),
    "digest_kind_is_known": (lambda: digest(), {"kind": "all"}),
    "digest_comes_after_the_one_before": (lambda: digest(), {"after": NOON.date()}),
    "webhook_has_a_name": (lambda: webhook(), {"name": ""}),
    "webhook_has_a_secret": (lambda: webhook(), {"sealed_secret": ""}),
    "webhook_delivery_state_is_known": (
        lambda: WebhookDelivery.objects.create(webhook=webhook(), event="test", key="1", at=NOON),
        {"state": "lost"},
    ),
    "timeline_entry_has_one_home": (lambda: entry(incident=factory.incident()), {"incident": None}),
}


def token() -> ApiToken:
    return ApiToken.objects.issue(user=factory.user("tom"), name="laptop", scopes=["read"], at=NOON)[0]


def tracker() -> Tracker:
    return Tracker.objects.create(name="Desk", shape="key", url_template="https://desk.example/{ticket}")


def saved_filter() -> SavedFilter:
    return SavedFilter.objects.create(owner=factory.user("dora"), name="Late", query="due=late", created_at=NOON)


def reminder_choice() -> ReminderChoice:
    return ReminderChoice.objects.create(user=factory.user("dora"), since=NOON)


def digest() -> Digest:
    return Digest.objects.create(**digest_of(factory.user("dora")))


def digest_of(user: User) -> dict[str, Any]:
    return {"user": user, "kind": "own", "on": NOON.date(), "after": NOON.date() - timedelta(days=1), "at": NOON}


def webhook() -> Webhook:
    known = {"url": "https://hooks.example.org/x", "account": factory.user("tom"), "events": ["incident.opened"]}
    return Webhook.objects.add(name="Pager", secret="whsec_eA==", at=NOON, **known)


def alert() -> Alert:
    return factory.alert(factory.user("tom"))


def signing_key() -> SigningKey:
    return SigningKey.objects.create(source="pagerduty", name="x", account=factory.user("tom"), sealed_secret="x")


def entry(**home: Any) -> TimelineEntry:
    return TimelineEntry.objects.create(at=NOON, text="Paged", **home)


def comment() -> Comment:
    return Comment.objects.create(postmortem=factory.postmortem(), revision=1, body="How long?", at=NOON)


def revision() -> Revision:
    return Revision.objects.create(postmortem=factory.postmortem(), number=1, content={}, at=NOON)


def review_verdict() -> ReviewVerdict:
    return ReviewVerdict.objects.create(revision=revision(), decision="approved", at=NOON)


def comparison() -> Comparison:
    pair = {"postmortem": factory.postmortem(), "earlier": factory.postmortem("An earlier one")}
    return Comparison.objects.create(**pair, verdict="different", at=NOON)


def participant() -> Participant:
    return Participant.objects.create(incident=factory.incident(), user=factory.user("dora"), joined_at=NOON)


def watch(**of: Any) -> Watch:
    return Watch.objects.create(user=factory.user("dora"), since=NOON, **of)


# Constraint -> two rows that may not both be there.
DOUBLE: dict[str, Callable[[], list[models.Model]]] = {
    "one_team_per_name": lambda: [Team(name="Core", slug="a"), Team(name="CORE", slug="b")],
    "one_service_per_name": lambda: [Service(name="Kafka", slug="a"), Service(name="kafka", slug="b")],
    "one_tag_per_name": lambda: [Tag(name="dns", slug="a"), Tag(name="DNS", slug="b")],
    "one_due_policy_per_severity_and_priority": lambda: [
        ActionDuePolicy(severity="sev1", priority="spare", days=days) for days in (3, 4)
    ],
    "one_saved_filter_per_owner_and_name": lambda: two(
        SavedFilter, owner=factory.user("dora"), name="Late", query="due=late", created_at=NOON
    ),
    "one_answer_per_account_and_key": lambda: two(KeptAnswer, user=factory.user("dora"), key="k", at=NOON),
    "one_text_per_section": lambda: two(SectionText, postmortem=factory.postmortem(), key="summary"),
    "one_outcome_per_fix_and_incident": lambda: two(
        FixUse, fix=factory.fix(), incident=factory.incident(), outcome="worked", at=NOON
    ),
    "one_opening_per_run_and_item": lambda: two(
        SuggestionOpening, run=factory.suggestion_run(factory.incident()), key="postmortem:1", at=NOON
    ),
    "one_verdict_per_incident_and_item": lambda: two(
        SuggestionVerdict, incident=factory.incident(), key="postmortem:1", verdict="same_cause", at=NOON
    ),
    "one_gap_per_incident_and_text": lambda: two(
        KnowledgeGap, incident=factory.incident(), text="x", asked="x", at=NOON
    ),
    "one_reading_per_reader_and_postmortem": lambda: two(
        Reading, postmortem=factory.postmortem(), mark="x", on=NOON.date()
    ),
    "one_glossary_entry_per_group": lambda: [
        GlossaryEntry(terms="pager\nbeeper"),
        GlossaryEntry(terms="Pager\nBEEPER"),
    ],
    "one_revision_per_number": lambda: two(Revision, postmortem=factory.postmortem(), number=1, content={}, at=NOON),
    "one_working_copy_per_postmortem_and_person": lambda: two(
        WorkingCopy,
        postmortem=factory.postmortem(),
        user=factory.user("dora"),
        base_revision=1,
        content={},
        saved_at=NOON,
    ),
    "one_request_per_postmortem_and_reviewer": lambda: two(
        ReviewRequest, postmortem=factory.postmortem(), reviewer=factory.user("dora"), requested_at=NOON
    ),
    "one_template_per_kind_and_severity": lambda: [
        PostmortemTemplate(name="Sev 1", kind="exercise", severity="sev1"),
        PostmortemTemplate(name="Severe", kind="exercise", severity="sev1"),
    ],
    "one_template_section_per_key": lambda: two(
        TemplateSection,
        template=PostmortemTemplate.objects.create(name="Drill", kind="exercise", severity="sev4"),
        key="summary",
    ),
    "one_policy_per_severity_and_kind": lambda: two(
        PostmortemPolicy, severity="sev1", kind="exercise", is_required=True
    ),
    "one_participation_per_incident": lambda: two(
        Participant, incident=factory.incident(), user=factory.user("dora"), joined_at=NOON
    ),
    "one_comparison_per_pair": lambda: two(
        Comparison,
        postmortem=factory.postmortem(),
        earlier=factory.postmortem("An earlier one"),
        verdict="different",
        at=NOON,
    ),
    "one_watch_per_incident": lambda: two(Watch, user=factory.user("dora"), since=NOON, incident=factory.incident()),
    "one_watch_per_postmortem": lambda: two(
        Watch, user=factory.user("dora"), since=NOON, postmortem=factory.postmortem()
    ),
    "one_watch_per_service": lambda: two(
        Watch, user=factory.user("dora"), since=NOON, service=factory.service("Checkout")
    ),
    "one_digest_per_person_kind_and_day": lambda: two(Digest, **digest_of(factory.user("dora"))),
    "one_webhook_delivery_per_key": lambda: two(WebhookDelivery, webhook=webhook(), event="test", key="1", at=NOON),
    "one_alert_per_start": lambda: two(
        Alert,
        **{"account": factory.user("dora"), "source": "generic", "series": "disk", "started_at": NOON},
        **{"state": "firing", "last_event_at": NOON, "first_seen_at": NOON, "last_seen_at": NOON},
    ),
    "one_account_per_slack_member": lambda: two(
        SlackAccount, team_id="T1", member_id="U1", user=factory.user("dora"), linked_at=NOON
    ),
    "one_receipt_per_delivery": lambda: two(
        AlertReceipt, account=factory.user("dora"), source="generic", event_id="7", at=NOON
    ),
    "one_incident_per_dedup_key": lambda: two(Incident, title="x", started_at=NOON, source="pager", dedup_key="7"),
}


# Constraint -> a row that may never come to be, of those that the database lets nobody change.
FORBIDDEN_FROM_THE_START: dict[str, Row] = {
    "revisions_count_from_one": lambda: Revision(postmortem=factory.postmortem(), number=0, content={}, at=NOON),
}


def two(model: type[models.Model], **values: Any) -> list[models.Model]:
    return [model(**values), model(**values)]


def invitation() -> Invitation:
    return Invitation.objects.issue(email="dora@example.org", at=NOON)[0]


def all_constraints() -> Iterator[str]:
    for model in apps.get_app_config("postmortems").get_models():
        yield from (constraint.name for constraint in model._meta.constraints)


def test_every_constraint_is_tried_below() -> None:
    assert sorted(all_constraints()) == sorted([*FORBIDDEN, *FORBIDDEN_FROM_THE_START, *DOUBLE])


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_database_refuses_what_may_never_be(name: str) -> None:
    make, wrong = FORBIDDEN[name]
    row = make()

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        models.QuerySet(type(row)).filter(pk=row.pk).update(**wrong)

    assert name in str(refusal.value)


@pytest.mark.parametrize("name", FORBIDDEN_FROM_THE_START)
def test_the_database_refuses_what_may_never_come_to_be(name: str) -> None:
    row = FORBIDDEN_FROM_THE_START[name]()

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        type(row)._default_manager.bulk_create([row])

    assert name in str(refusal.value)


@pytest.mark.parametrize("name", DOUBLE)
def test_the_database_refuses_doubles(name: str) -> None:
    rows = DOUBLE[name]()

    with pytest.raises(IntegrityError), transaction.atomic():
        type(rows[0])._default_manager.bulk_create(rows)

    assert type(rows[0])._default_manager.bulk_create(rows[:1])


def test_a_timeline_entry_has_not_two_homes() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        entry(incident=factory.incident(), postmortem=factory.postmortem())


def test_incidents_without_a_dedup_key_may_be_many() -> None:
    assert len({factory.incident(source="pager").pk, factory.incident(source="pager").pk}) == 2


# --- refs ---


@pytest.mark.parametrize(("model", "prefix"), [(Incident, "INC"), (Postmortem, "PM"), (Fix, "FIX")])
def test_a_ref_leads_back_to_its_row(model: Any, prefix: str) -> None:
    assert model(pk=42).ref == f"{prefix}-42"
    assert model.pk_of_ref(f"{prefix}-42") == model.pk_of_ref(f"{prefix.lower()}-42") == 42


@pytest.mark.parametrize(
    "text", ["", "PM", "PM-", "PM42", "42", "INC-42", "PM--1", "PM-4 2", "PM-٤٢", "PM-²", "PM-1e3"]
)
def test_what_is_no_ref_is_none(text: str) -> None:
    assert Postmortem.pk_of_ref(text) is None


@pytest.mark.parametrize("digits", [19, 40, 5_000])
def test_a_ref_longer_than_any_id_finds_nothing(digits: int) -> None:
    assert not Postmortem.objects.filter(pk=Postmortem.pk_of_ref("PM-" + "9" * digits)).exists()


@pytest.mark.parametrize("make", [factory.incident, factory.postmortem, factory.fix])
def test_an_id_is_never_given_twice(make: Callable[[], Any]) -> None:
    first = make()
    pk = first.pk
    first.delete()

    assert make().pk > pk


def test_the_search_version_grows_with_every_bump() -> None:
    fix = factory.fix()
    same = Fix.objects.get()

    assert fix.bump_search_version().search_version == 2
    assert same.bump_search_version().search_version == 3


# --- incidents ---


def test_what_was_first_reported_is_kept() -> None:
    incident = factory.incident("503", symptoms="first", services=("Checkout",))
    incident.keep_first_report()

    incident.describe(symptoms="later")
    incident.keep_first_report()

    incident.refresh_from_db()
    assert incident.first_report == {"title": "503", "symptoms": "first", "error_excerpt": "", "services": ["checkout"]}
    assert incident.symptoms_html == "<p>later</p>"


def test_an_incident_goes_from_open_to_resolved_and_back() -> None:
    incident = factory.incident()

    incident.mitigate(at=NOON + timedelta(minutes=5))
    assert (incident.status, incident.mitigated_at) == ("mitigated", NOON + timedelta(minutes=5))
    assert incident.is_in_progress

    incident.resolve(at=NOON + timedelta(minutes=9))
    assert (incident.status, incident.resolved_at) == ("resolved", NOON + timedelta(minutes=9))
    assert incident.is_over

    incident.reopen(reason="It is back.")
    assert (incident.status, incident.resolved_at) == ("investigating", None)


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("mitigated", "mitigate"),
        ("resolved", "mitigate"),
        ("cancelled", "mitigate"),
        ("resolved", "resolve"),
        ("closed", "resolve"),
        ("cancelled", "resolve"),
        ("open", "reopen"),
        ("mitigated", "reopen"),
        ("investigating", "reopen"),
    ],
)
def test_a_step_refuses_where_it_does_not_start_from(status: str, step: str) -> None:
    incident = factory.incident(status=status, resolved_at=NOON)

    with pytest.raises(NotPossible, match=incident.ref):
        getattr(incident, step)(
            **({"reason": "It is back."} if step == "reopen" else {"at": NOON + timedelta(minutes=1)})
        )

    incident.refresh_from_db()
    assert (incident.status, incident.mitigated_at, incident.resolved_at) == (status, None, NOON)


def test_an_incident_cannot_end_before_it_started() -> None:
    with pytest.raises(NotPossible, match="before it started"):
        factory.incident().resolve(at=NOON - timedelta(seconds=1))


def test_of_two_who_resolve_at_once_one_gets_the_refusal() -> None:
    mine = factory.incident()
    theirs = Incident.objects.get()

    mine.resolve(at=NOON + timedelta(minutes=1))
    with pytest.raises(NotPossible):
        theirs.resolve(at=NOON + timedelta(minutes=2))

    assert theirs.status == "resolved"
    assert Incident.objects.get().resolved_at == NOON + timedelta(minutes=1)


def test_incidents_in_progress_and_over_are_told_apart() -> None:
    made = {status: factory.incident(status=status, resolved_at=NOON) for status in Incident.Status.values}

    assert {row.status for row in Incident.objects.in_progress()} == {"open", "investigating", "mitigated"}
    assert {row.status for row in Incident.objects.over()} == {"resolved", "closed"}
    assert all(row.is_in_progress == (row in Incident.objects.in_progress()) for row in made.values())
    assert all(row.is_over == (row in Incident.objects.over()) for row in made.values())


# --- postmortems ---


def test_a_written_draft_can_be_published_once() -> None:
    postmortem = factory.postmortem(status="draft", sections={"summary": "It was down."})
    same = Postmortem.objects.get()

    postmortem.publish(at=NOON)
    with pytest.raises(NotReady, match="already published"):
        same.publish(at=NOON + timedelta(days=1))

    assert same.is_published
    assert Postmortem.objects.get().published_at == NOON


@pytest.mark.parametrize("body", ["", " \n\t"])
def test_a_postmortem_without_a_word_is_not_published(body: str) -> None:
    postmortem = factory.postmortem(status="draft", sections={"summary": body})

    with pytest.raises(NotReady, match="Nothing is written yet"):
        postmortem.publish(at=NOON)

    assert Postmortem.objects.get().status == "draft"


def test_sections_come_in_reading_order_whatever_order_they_were_written_in() -> None:
    postmortem = factory.postmortem(sections={key: key for key in reversed(sections.KEYS)} | {"lucky": " "})

    assert [text.key for text in postmortem.sections_in_order()] == [key for key in sections.KEYS if key != "lucky"]


def test_a_section_written_again_replaces_the_text_and_its_html() -> None:
    postmortem = factory.postmortem()

    postmortem.write("summary", "**one**")
    postmortem.write("summary", "*two*")

    assert postmortem.text_of("summary") == "*two*"
    assert postmortem.sections.get().html == "<p><em>two</em></p>"
    assert postmortem.text_of("impact") == ""


@pytest.mark.parametrize(
    ("make", "source", "html"),
    [
        (lambda text: factory.incident(symptoms=text), "symptoms", "symptoms_html"),
        (lambda text: factory.fix(steps=text), "steps", "steps_html"),
        (lambda text: factory.postmortem(sections={"summary": text}).sections.get(), "body", "html"),
    ],
)
def test_html_is_made_with_its_text_and_never_apart_from_it(make: Callable[[str], Any], source: str, html: str) -> None:
    row = make("*a*")
    assert getattr(row, html) == "<p><em>a</em></p>"

    setattr(row, source, "*b*")
    row.save(update_fields=[source])

    row.refresh_from_db()
    assert getattr(row, html) == "<p><em>b</em></p>"


def test_a_text_too_complex_is_refused_before_anything_is_written() -> None:
    with pytest.raises(TooComplex):
        factory.fix(steps="x" * 200_001)

    assert not Fix.objects.exists()


def test_newest_first_ends_with_those_without_a_date() -> None:
    undated = factory.postmortem(occurred_on=None)
    old = factory.postmortem(occurred_on=date(2020, 1, 1))
    new = factory.postmortem(occurred_on=date(2026, 1, 1))

    assert list(Postmortem.objects.newest_first()) == [new, old, undated]


# --- fixes and action items ---


def test_a_fix_is_confirmed_by_the_latest_day_it_worked() -> None:
    fix = factory.fix()

    for day in (date(2026, 3, 1), date(2026, 2, 1)):
        fix.confirm(on=day)

    assert fix.last_confirmed == date(2026, 3, 1)


def test_an_outcome_said_again_replaces_the_first(alice: User) -> None:
    fix, incident = factory.fix(), factory.incident()

    FixUse.objects.record(fix=fix, incident=incident, outcome="no_effect", by=None, at=NOON)
    FixUse.objects.record(fix=fix, incident=incident, outcome="worked", by=alice, at=NOON, note="second try")

    use = FixUse.objects.get()
    assert (use.outcome, use.recorded_by, use.note) == ("worked", alice, "second try")


def test_an_action_item_is_late_while_it_is_unfinished() -> None:
    incident, today = factory.incident(), date(2026, 3, 1)
    for state in ActionItem.State.values:
        ended = {"reason": "because", "evidence": "The dashboard."}
        factory.action_item(state, incident=incident, state=state, due_on=today - timedelta(days=1), **ended)
    factory.action_item("due today", incident=incident, due_on=today)
    factory.action_item("never due", incident=incident)

    assert {item.title for item in ActionItem.objects.overdue(on=today)} == {"open", "in_progress"}
    assert all(item.is_unfinished == (item in ActionItem.objects.unfinished()) for item in ActionItem.objects.all())


def test_an_action_item_knows_where_it_was_promised() -> None:
    incident, postmortem = factory.incident(), factory.postmortem()

    assert factory.action_item(incident=incident).home == incident
    assert factory.action_item(incident=incident, postmortem=postmortem).home == postmortem


# --- names ---


@pytest.mark.parametrize(
    "name", ["Event bus", "event  BUS", " event bus ", "event-bus", "KAFKA", "Straßenfest", "STRASSENFEST"]
)
def test_a_service_is_found_by_name_slug_and_alias_in_any_case(name: str) -> None:
    service = Service.objects.create(name="Event bus", slug="event-bus", aliases=["Kafka", "Straßenfest"])

    assert Service.objects.named(name) == service


def test_a_name_nobody_has_is_none() -> None:
    factory.service("Kafka")

    assert Service.objects.named("Kaf") is None
    assert Service.objects.named("") is None


def test_a_name_is_made_once() -> None:
    assert Tag.objects.called("DNS") == Tag.objects.called("dns") == Tag.objects.called(" dns ")
    assert Tag.objects.called("Überlast") == Tag.objects.called("überlast")
    assert Tag.objects.count() == 2


def test_names_that_would_share_a_slug_get_each_their_own() -> None:
    slugs = [Tag.objects.called(name).slug for name in ("C", "C++", "C#", "日本", "中国")]

    assert slugs == ["c", "c-2", "c-3", "x", "x-2"]


def test_a_name_too_long_is_cut() -> None:
    team = Team.objects.called("x" * 300)

    assert len(team.name) == 100
    assert Team.objects.called("x" * 300) == team


def test_a_retired_service_is_kept_but_not_in_use() -> None:
    retired = factory.service("Old")
    Service.objects.filter(pk=retired.pk).update(retired_at=NOON)

    assert list(Service.objects.in_use()) == []
    assert Service.objects.named("old") == retired


# --- people ---


@pytest.mark.parametrize("zone", ["Mars/Base", "europe/berlin/", "../UTC"])
def test_a_time_zone_must_exist(zone: str) -> None:
    with pytest.raises(ValidationError):
        User(username="x", password="x", time_zone=zone).clean_fields()


def test_an_administrator_is_an_active_superuser() -> None:
    assert User(is_superuser=True).is_administrator
    assert not User(is_superuser=True, is_active=False).is_administrator
    assert not User(is_staff=True).is_administrator


def test_every_row_says_what_it_is(alice: User, team: Team) -> None:
    incident = factory.incident("Checkout answers 503")
    postmortem = factory.postmortem("Checkout was down", sections={"summary": "x"})
    fix = factory.fix("Recycle the pool")

    assert str(incident) == f"{incident.ref} Checkout answers 503"
    assert str(postmortem.sections.get()) == f"{postmortem.ref} Summary"
    assert str(factory.fix_use(fix, incident)) == f"{fix.ref} in {incident.ref}: It worked"
    assert str(entry(incident=incident)) == "2026-03-01 12:00 Paged"
    assert [str(row) for row in (alice, team)] == ["Alice", "Payments"]
    assert str(User(username="zoe")) == "zoe"


def test_severities_are_in_the_words_of_the_field() -> None:
    assert Severity("sev1").label == "SEV1"
