"""The admin: every table opens, every change is learned by the index, and nobody sees more than elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import models
from django.test import Client
from django.urls import reverse

from kb import markdown
from kb.search.models import IndexChange
from postmortems.models import (
    ActionDuePolicy,
    ActionItem,
    Alert,
    AlertReceipt,
    ApiToken,
    Attachment,
    AuditEvent,
    Comment,
    Comparison,
    Digest,
    Fix,
    FixUse,
    GlossaryEntry,
    ImportedFile,
    Incident,
    IntakePolicy,
    Invitation,
    KeptAnswer,
    KnowledgeGap,
    Notification,
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
    SigningKey,
    SlackAccount,
    SuggestionOpening,
    SuggestionRun,
    SuggestionVerdict,
    Tag,
    Team,
    TemplateSection,
    TimelineEntry,
    Tracker,
    User,
    Visibility,
    Watch,
    Webhook,
    WebhookDelivery,
    WorkingCopy,
)
from tests import factory

MODELS = [model for model in admin.site._registry if model._meta.app_label == "postmortems"]
READ_ONLY = {Alert, ImportedFile, SuggestionRun, SuggestionOpening, SuggestionVerdict}

# What is written once and for good, or is one person's own, is not repaired by hand.
NOT_HERE = {
    AlertReceipt,
    ApiToken,
    Attachment,
    AuditEvent,
    Comment,
    Comparison,
    Digest,
    Invitation,
    KeptAnswer,
    KnowledgeGap,
    Notification,
    Participant,
    ReminderChoice,
    Reading,
    ReviewRequest,
    ReviewVerdict,
    Revision,
    SavedFilter,
    SlackAccount,
    Watch,
    Webhook,
    WebhookDelivery,
    WorkingCopy,
}

# Changes are committed to nothing in these tests: what was left for the index stays to be looked at.
pytestmark = pytest.mark.django_db


@pytest.fixture
def root(admin: User) -> Client:
    return factory.signed_in(admin)


def address(row: Any, page: str) -> str:
    return reverse(f"admin:postmortems_{row._meta.model_name}_{page}", args=[row.pk] if row.pk else [])


def learned() -> set[str]:
    """What the index was told since the last time."""
    keys = set(IndexChange.objects.values_list("key", flat=True))
    IndexChange.objects.all().delete()
    return keys


def form_of(client: Client, url: str) -> dict[str, Any]:
    """What a browser would send back without a change."""
    response = client.get(url)
    assert response.status_code == 200, response.content[:500]
    form = response.context["adminform"].form
    fields = {field.html_name: sent(field) for field in form}
    for formset in response.context["inline_admin_formsets"]:
        fields |= {field.html_name: sent(field) for field in formset.formset.management_form}
        for inline in formset.formset.initial_forms:
            fields |= {field.html_name: sent(field) for field in inline}
    return {name: value for name, value in fields.items() if value is not None and value is not False}


def sent(field: Any) -> Any:
    value = field.value()
    if isinstance(value, list) and all(isinstance(each, models.Model) for each in value):
        return [each.pk for each in value]
    if hasattr(value, "isoformat") and hasattr(value, "hour"):
        return value.replace(microsecond=0)
    return value


def save(client: Client, row: Any, **changes: Any) -> Any:
    url = address(row, "change")
    fields = form_of(client, url)
    for name in [name for name in fields if isinstance(fields[name], type(factory.NOON))]:
        moment = fields.pop(name)
        fields |= {f"{name}_0": moment.date(), f"{name}_1": moment.time()}
    response = client.post(url, {**fields, **changes})
    assert response.status_code == 302, response.context["errors"]
    return response


def delete(client: Client, row: Any) -> None:
    assert client.post(address(row, "delete"), {"post": "yes"}).status_code == 302


@pytest.fixture
def rows(alice: User, team: Team) -> dict[type[models.Model], Any]:
    """One row of each table, all of them tied together."""
    service = factory.service("Checkout")
    Service.objects.filter(pk=service.pk).update(owner_team=team)
    problem = Problem.objects.create(title="The pool runs dry")
    incident = factory.incident(services=("Checkout",), commander=alice)
    postmortem = factory.postmortem(services=("Checkout",), sections={"summary": "Down"}, owner=alice, team=team)
    postmortem.incidents.add(incident)
    postmortem.tags.add(tag := Tag.objects.called("pool"))
    fix = factory.fix(services=("Checkout",), postmortem=postmortem, problem=problem)
    return {
        User: alice,
        Team: team,
        Service: Service.objects.get(pk=service.pk),
        Tag: tag,
        Problem: problem,
        Incident: incident,
        Postmortem: postmortem,
        Fix: fix,
        FixUse: factory.fix_use(fix, incident),
        ActionItem: factory.action_item(postmortem=postmortem),
        TimelineEntry: TimelineEntry.objects.create(incident=incident, at=factory.NOON, text="Paged"),
        GlossaryEntry: GlossaryEntry.objects.create(terms="pager\nbeeper"),
        PostmortemTemplate: PostmortemTemplate.objects.create(name="Any pool", kind="exercise", severity="sev1"),
        PostmortemPolicy: PostmortemPolicy.objects.create(severity="sev1", kind="exercise", is_required=False),
        ActionDuePolicy: ActionDuePolicy.objects.get(severity="sev1", priority="high"),
        Tracker: Tracker.objects.create(name="Desk", shape="key", url_template="https://desk.example/{ticket}"),
        Alert: factory.alert(program := factory.user("pager", is_integration=True), incident),
        IntakePolicy: IntakePolicy.objects.get(position=10),
        SigningKey: SigningKey.objects.create(source="sentry", name="Theirs", account=program, sealed_secret="x"),
        SuggestionRun: (run := suggestion_run(incident, alice)),
        SuggestionOpening: SuggestionOpening.objects.record(run=run, key=fix.search_key, at=factory.NOON),
        SuggestionVerdict: factory.verdict(incident, postmortem),
        ImportedFile: ImportedFile.objects.create(postmortem=postmortem, identity="a.md", path="a.md", text="# A"),
    }


def suggestion_run(incident: Incident, user: User) -> SuggestionRun:
    return SuggestionRun.objects.create(
        incident=incident, user=user, at=factory.NOON, engine="memory", took_ms=1, candidates=1, abstained=False
    )


def test_every_table_is_there(rows: dict[type[models.Model], Any]) -> None:
    inline = {SectionText, TemplateSection}

    assert set(MODELS) == set(rows)
    assert set(apps.get_app_config("postmortems").get_models()) == {*MODELS, *inline, *NOT_HERE}


@pytest.mark.parametrize("model", MODELS)
def test_every_page_opens(root: Client, rows: dict[type[models.Model], Any], model: type[models.Model]) -> None:
    lists = reverse(f"admin:postmortems_{model._meta.model_name}_changelist")

    assert root.get(lists).status_code == 200
    assert root.get(lists, {"q": "pool"}).status_code == 200
    assert root.get(address(rows[model], "change")).status_code == 200
    assert root.get(address(rows[model], "history")).status_code == 200
    assert root.get(address(rows[model], "delete")).status_code == 200
    added = root.get(reverse(f"admin:postmortems_{model._meta.model_name}_add"))
    assert added.status_code == (403 if model in READ_ONLY else 200)


@pytest.mark.parametrize("model", sorted(set(MODELS) - READ_ONLY, key=lambda model: model.__name__))
def test_a_row_saved_as_it_was_stays_as_it_was(
    root: Client, rows: dict[type[models.Model], Any], model: type[models.Model]
) -> None:
    ignored = {"search_version", "updated_at"}
    before = {name: value for name, value in values(rows[model]).items() if name not in ignored}

    save(root, rows[model])

    after = {name: value for name, value in values(rows[model]).items() if name not in ignored}
    assert after == before


def values(row: Any) -> dict[str, Any]:
    fresh = type(row)._default_manager.filter(pk=row.pk).values().get()
    return {name: value.replace(microsecond=0) if hasattr(value, "hour") else value for name, value in fresh.items()}


# --- the index learns ---


def test_a_saved_row_and_what_hangs_on_it_are_learned(root: Client, rows: dict[type[models.Model], Any]) -> None:
    incident, postmortem, fix = (rows[model].search_key for model in (Incident, Postmortem, Fix))

    for model, expected in (
        (Incident, {incident, postmortem, fix}),
        (Postmortem, {postmortem, fix, incident}),
        (Fix, {fix, postmortem}),
        (ActionItem, {postmortem, fix}),
        (TimelineEntry, {incident, postmortem, fix}),
        (Service, {incident, postmortem, fix}),
        (Tag, {postmortem, fix}),
        (Team, {incident, postmortem, fix}),
        (Problem, {fix}),
        (User, {incident, postmortem, fix}),
    ):
        learned()
        save(root, rows[model])
        assert learned() >= expected, model.__name__


def test_a_new_row_is_learned_with_its_new_id(root: Client) -> None:
    url = reverse("admin:postmortems_fix_add")
    fields = form_of(root, url)

    response = root.post(url, {**fields, "title": "Fail over", "kind": "failover", "state": "draft"})

    assert response.status_code == 302, response.context["errors"]
    assert learned() == {Fix.objects.get().search_key}


def test_what_a_row_leaves_and_where_it_goes_are_both_learned(
    root: Client, rows: dict[type[models.Model], Any]
) -> None:
    old, new = rows[Postmortem], factory.postmortem("Another")
    learned()

    save(root, rows[Fix], postmortem=new.pk)
    assert learned() >= {old.search_key, new.search_key, rows[Fix].search_key}

    save(root, rows[ActionItem], postmortem=new.pk)
    assert learned() >= {old.search_key, new.search_key}

    save(root, old, incidents=[])
    assert learned() >= {old.search_key, rows[Incident].search_key}


@pytest.mark.parametrize("model", [Incident, Postmortem, Fix, Service, Tag, Problem])
def test_a_deleted_row_and_what_hung_on_it_are_learned(
    root: Client, rows: dict[type[models.Model], Any], model: type[models.Model]
) -> None:
    expected = {
        Incident: {Incident, Postmortem, Fix},
        Postmortem: {Postmortem, Fix, Incident},
        Fix: {Fix, Postmortem},
        Service: {Incident, Postmortem, Fix},
        Tag: {Postmortem},
        Problem: {Fix},
    }[model]
    keys = {rows[each].search_key for each in expected}
    learned()

    delete(root, rows[model])

    assert learned() >= keys
    assert not model._default_manager.filter(pk=rows[model].pk).exists()


def test_rows_deleted_together_are_learned(root: Client, rows: dict[type[models.Model], Any]) -> None:
    fixes = [rows[Fix], factory.fix("Another")]
    learned()

    chosen = {"action": "delete_selected", "_selected_action": [fix.pk for fix in fixes], "post": "yes"}
    root.post(reverse("admin:postmortems_fix_changelist"), chosen)

    assert not Fix.objects.exists()
    assert learned() >= {fix.search_key for fix in fixes}


def test_a_fix_deleted_on_the_page_of_its_postmortem_is_learned(
    root: Client, rows: dict[type[models.Model], Any]
) -> None:
    key = rows[Fix].search_key
    learned()

    save(root, rows[Postmortem], **{"fixes-0-DELETE": "on"})

    assert not Fix.objects.exists()
    assert key in learned()


def test_sections_written_in_the_admin_are_rendered(root: Client, rows: dict[type[models.Model], Any]) -> None:
    save(root, rows[Postmortem], **{"sections-0-body": "**Down** <script>x</script>"})

    section = rows[Postmortem].sections.get()
    assert section.html.startswith("<p><strong>Down</strong>")
    assert "<script" not in section.html


# --- refusals ---


def refusal(client: Client, row: Any, **changes: Any) -> str:
    url = address(row, "change")
    response = client.post(url, {**form_of(client, url), **changes})
    assert response.status_code == 200
    return re.sub(r"<[^>]+>", " ", response.content.decode())


def test_a_text_too_complex_is_an_error_at_its_field(
    root: Client, rows: dict[type[models.Model], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown, "SECONDS", 0.3)

    assert "too tangled" in refusal(root, rows[Fix], steps="[" * 16_000)
    assert "too tangled" in refusal(root, rows[Postmortem], **{"sections-0-body": "[" * 16_000})


@pytest.mark.parametrize("aliases", ["null", '{"a": 1}', '["a", 1]', '"kafka"'])
def test_aliases_are_a_list_of_strings(root: Client, rows: dict[type[models.Model], Any], aliases: str) -> None:
    if aliases == "null":
        save(root, rows[Service], aliases=aliases)
        assert Service.objects.get().aliases == []
    else:
        assert "A list of strings" in refusal(root, rows[Service], aliases=aliases)


def test_a_state_that_lacks_its_date_is_refused_and_not_an_error(
    root: Client, rows: dict[type[models.Model], Any]
) -> None:
    assert "resolved_incident_has_time" in refusal(root, rows[Incident], status="resolved")


# --- who sees what ---


def test_the_admin_is_for_staff(alice: User, rows: dict[type[models.Model], Any]) -> None:
    response = factory.signed_in(alice).get(address(rows[Incident], "change"))

    assert response.status_code == 302
    assert "/login/" in response.headers["Location"]


def test_staff_see_only_the_rows_they_may_see_elsewhere(rows: dict[type[models.Model], Any]) -> None:
    staff = factory.user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = factory.signed_in(staff)
    names = ("incident", "postmortem", "fix", "fixuse", "actionitem", "importedfile")
    assert all(shown(client, name) == 1 for name in names)

    Incident.objects.update(visibility=Visibility.RESTRICTED)

    assert [shown(client, name) for name in names] == [0] * 6
    assert client.get(address(rows[Incident], "change")).status_code == 302  # "doesn't exist"


def test_what_was_suggested_to_whom_is_for_administrators(root: Client, rows: dict[type[models.Model], Any]) -> None:
    staff = factory.user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())

    for model in (SuggestionRun, SuggestionOpening, SuggestionVerdict):
        page = address(rows[model], "change")
        assert root.get(page).status_code == 200
        assert factory.signed_in(staff).get(page).status_code == 403


def shown(client: Client, name: str) -> int:
    return int(client.get(reverse(f"admin:postmortems_{name}_changelist")).context["cl"].result_count)


# --- secrets of vendors ---


def test_the_secret_of_a_signing_key_goes_in_and_never_comes_out(root: Client) -> None:
    program = factory.user("pager", is_integration=True)
    form = {"source": "pagerduty", "name": "Theirs", "account": program.pk, "secret": "s3cr3t of theirs"}

    root.post(reverse("admin:postmortems_signingkey_add"), form)

    key = SigningKey.objects.get()
    assert key.secret == "s3cr3t of theirs"
    page = root.get(address(key, "change")).text
    assert "s3cr3t" not in page and key.sealed_secret not in page
    save(root, key, name="Ours", secret="")
    assert SigningKey.objects.get().secret == "s3cr3t of theirs"


@pytest.mark.parametrize("missing", ["secret", "account"])
def test_a_signing_key_without_secret_or_account_is_told_so(root: Client, missing: str) -> None:
    program = factory.user("pager", is_integration=True)
    form = {"source": "pagerduty", "name": "Theirs", "account": program.pk, "secret": "s3cr3t of theirs", missing: ""}

    answer = root.post(reverse("admin:postmortems_signingkey_add"), form)

    assert answer.context["adminform"].form.errors[missing]
    assert not SigningKey.objects.exists()


def test_the_key_of_slack_needs_no_account(root: Client) -> None:
    root.post(
        reverse("admin:postmortems_signingkey_add"), {"source": "slack", "name": "Ours", "secret": "s3cr3t of theirs"}
    )

    assert SigningKey.objects.get().account is None
