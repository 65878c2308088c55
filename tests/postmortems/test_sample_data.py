"""The sample data: what it promises to show, how it is worded, and that loading it twice changes nothing."""

import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import TestCase

from postmortems import sections
from postmortems.models import (
    ActionItem,
    Fix,
    FixUse,
    Incident,
    Kind,
    Postmortem,
    Problem,
    SectionText,
    Service,
    SuggestionRun,
    SuggestionVerdict,
    Team,
    TimelineEntry,
    User,
)
from postmortems.sample_data import files
from postmortems.sample_data.files import SampleDataError
from postmortems.suggestions.quality import cases_for, measure
from postmortems.workflows.sampling import SampleReport, load_sample_data

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POSTMORTEMS = files.postmortems()
PUBLIC = [record for record in POSTMORTEMS.values() if record.public]
MODELS = (
    *(User, Team, Service, Problem, Incident, Postmortem, SectionText, Fix, FixUse, ActionItem, TimelineEntry),
    *(SuggestionRun, SuggestionVerdict),
)
BLAME = re.compile(r"human error|should have|careless|fail(ed|s)? to\b|negligen|\bfault of\b|\bblame", re.IGNORECASE)
PATTERNS = {
    "leap second": "leap second",
    "expired certificate": "expired certificate",
    "DNS": "dns",
    "BGP leak": "bgp leak",
    "bad regex": "bad regex",
    "retry storm": "retry storm",
    "thundering herd": "thundering herd",
    "disk full": "disk full",
    "clock skew": "clock skew",
    "split brain": "split brain",
    "config push": "config push",
    "cache stampede": "cache stampede",
    "database failover": "database failover",
    "deleted data": "deleted data",
    "dependency outage": "dependency outage",
    "quota": "quota",
    "deadlock": "deadlock",
    "memory leak": "memory leak",
}


def texts_of(record: Any) -> Iterator[str]:
    """Every text of a record and of what it holds."""
    if isinstance(record, str):
        yield record
    elif isinstance(record, dict):
        yield from record.values()
    elif isinstance(record, tuple):
        for each in record:
            yield from texts_of(each)
    elif is_dataclass(record):
        for field in fields(record):
            yield from texts_of(getattr(record, field.name))


def load(**options: Any) -> SampleReport:
    return load_sample_data(**{"at": NOW, "password": "a good password", **options})


def snapshot() -> list[Any]:
    return [list(model._default_manager.order_by("pk").values()) for model in MODELS]


class TestTheFiles:
    def test_at_least_forty_four_incidents_are_public(self) -> None:
        assert len(PUBLIC) >= 44

    @pytest.mark.parametrize("tag", PATTERNS.values(), ids=PATTERNS)
    def test_every_well_known_pattern_is_there(self, tag: str) -> None:
        assert [record.title for record in POSTMORTEMS.values() if tag in record.tags]

    @pytest.mark.parametrize("place", POSTMORTEMS)
    def test_a_postmortem_says_what_was_seen_and_what_fixed_it(self, place: str) -> None:
        record = POSTMORTEMS[place]

        assert {"summary", "impact", "detection", "contributing_factors", "what_fixed_it"} <= record.sections.keys()
        assert "```" in record.sections["detection"]
        assert re.match(r"1\. .+\n2\. ", record.sections["what_fixed_it"])
        assert record.fixes
        assert record.action_items
        assert all(fix.commands and fix.preconditions and fix.risk and fix.undo for fix in record.fixes)

    @pytest.mark.parametrize("place", POSTMORTEMS)
    def test_a_postmortem_has_the_length_of_one_sitting(self, place: str) -> None:
        words = sum(len(text.split()) for text in POSTMORTEMS[place].sections.values())

        assert 150 <= words <= 450

    def test_a_source_is_an_address_or_nothing(self) -> None:
        addresses = [record.source_url for record in POSTMORTEMS.values() if record.source_url]

        assert len(addresses) >= 40
        assert all(re.match(r"https?://[\w.-]+\.\w+/\S*$", address) for address in addresses)
        assert len(set(addresses)) == len(addresses)

    def test_only_public_incidents_have_a_source(self) -> None:
        assert not [record.title for record in POSTMORTEMS.values() if record.source_url and not record.public]

    def test_no_text_blames(self) -> None:
        records = [files.organisation(), *files.incidents(), *POSTMORTEMS.values()]

        assert not [text for record in records for text in texts_of(record) if BLAME.search(text)]

    def test_every_section_and_every_kind_of_incident_has_an_example(self) -> None:
        written = {key for record in POSTMORTEMS.values() for key in record.sections}

        assert set(sections.KEYS) - written <= {"supporting", "narrative"}
        assert {record.kind for record in POSTMORTEMS.values()} == set(Kind.values)


class TestLoaded(TestCase):
    """Django's own test case, for its data that is loaded once and seen by every test of the class."""

    @classmethod
    def setUpTestData(cls) -> None:
        load()

    def test_every_state_has_an_example(self) -> None:
        assert states(ActionItem, "state") == set(ActionItem.State.values)
        assert states(ActionItem, "kind") == set(ActionItem.Kind.values)
        assert states(ActionItem, "priority") == set(ActionItem.Priority.values)
        assert states(Incident, "status") == set(Incident.Status.values)
        assert states(Fix, "state") == set(Fix.State.values)
        assert states(Fix, "kind") == set(Fix.Kind.values)
        assert states(FixUse, "outcome") == set(FixUse.Outcome.values)
        assert {"draft", "in_review", "published"} <= states(Postmortem, "status")

    def test_four_incidents_are_in_progress_now(self) -> None:
        running = Incident.objects.in_progress()

        assert running.count() == 4
        assert all(NOW - timedelta(hours=4) < incident.started_at < NOW for incident in running)
        assert all(incident.first_report["symptoms"] for incident in running)

    def test_nothing_that_is_over_ended_in_the_future(self) -> None:
        assert not Incident.objects.filter(resolved_at__gt=NOW).exists()
        assert not Incident.objects.filter(closed_at__gt=NOW).exists()
        assert not Postmortem.objects.filter(published_at__gt=NOW).exists()

    def test_the_fix_for_crashing_proxies_worked_three_times_of_four(self) -> None:
        reader = User.objects.get(username="demo")

        fix = Fix.objects.with_track_record(reader).get(title__startswith="Take back the last ingress change")

        assert (fix.worked, fix.tried) == (3, 4)
        assert fix.last_confirmed == (NOW - timedelta(days=20)).date()

    def test_the_reader_is_a_member_of_two_teams_and_no_administrator(self) -> None:
        reader = User.objects.get(username="demo")

        assert reader.teams.count() == 2
        assert not reader.is_staff
        assert Postmortem.objects.filter(owner=reader, status="draft").exists()
        assert ActionItem.objects.owned_by(reader).overdue(on=NOW.date()).exists()

    def test_the_restricted_incident_is_hidden_with_all_that_hangs_on_it(self) -> None:
        reader, member = (User.objects.get(username=name) for name in ("demo", "priya"))
        hidden = Incident.objects.get(visibility="restricted")

        assert not Incident.objects.visible_to(reader).filter(pk=hidden.pk).exists()
        assert not Postmortem.objects.visible_to(reader).filter(incidents=hidden).exists()
        assert not Fix.objects.visible_to(reader).filter(postmortem__incidents=hidden).exists()
        assert Fix.objects.visible_to(member).filter(postmortem__incidents=hidden).exists()

    def test_what_was_suggested_then_is_measured(self) -> None:
        reader = User.objects.get(username="demo")

        measures = measure(cases_for(reader, since=NOW - timedelta(weeks=26)))

        assert measures.incidents == 12
        assert measures.precision.of >= 10 and 0 < measures.precision.part < measures.precision.of
        assert 0 < measures.useful.part < 12
        assert measures.abstained.part == 3
        assert measures.median_time is not None
        assert timedelta(minutes=1) < measures.median_time < timedelta(hours=1)

    def test_nothing_was_suggested_before_it_happened(self) -> None:
        for run in SuggestionRun.objects.select_related("incident"):
            assert run.incident is not None
            shown = Postmortem.objects.filter(pk__in=[int(key.partition(":")[2]) for key in run.keys])
            assert all(row.occurred_on and row.occurred_on < run.incident.started_at.date() for row in shown)

    def test_sections_and_steps_are_rendered(self) -> None:
        assert not SectionText.objects.filter(html="").exists()
        assert not Fix.objects.filter(steps_html="").exists()

    def test_a_second_time_changes_nothing(self) -> None:
        before = snapshot()

        report = load(at=NOW + timedelta(days=3), password="another password")

        assert not report.changed
        assert report.signs_in == ()
        assert snapshot() == before


def states(model: Any, name: str) -> set[str]:
    return set(model.objects.order_by().values_list(name, flat=True).distinct())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy with the organisation, its incidents, and the one public incident that tests write to."""
    copy = tmp_path / "sample_data"
    (copy / "postmortems").mkdir(parents=True)
    shutil.copy(files.FOLDER / "organisation.yaml", copy)
    (copy / "incidents_now.yaml").write_text("incidents: []\n")
    shutil.copy(files.FOLDER / "postmortems" / "knight-2012.yaml", copy / "postmortems" / "one.yaml")
    return copy


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "postmortems" / "one.yaml"
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("public: true", "publik: true", "one.yaml: unknown key 'publik'"),
        ("severity: sev1", "tags_: [x]", "one.yaml: unknown key 'tags_'"),
        ("  summary: |", "  sumary: |", "one.yaml: sections: unknown key 'sumary'"),
        ("owner: tomas", "owner: nobody", "one.yaml: owner: nothing is called 'nobody'"),
        ("severity: sev1", "severity: sev9", "one.yaml: {'severity': "),
        ("cause_category: change", "cause_category: bad luck", "one.yaml: {'cause_category': "),
        ("state: verified", "state: finished", "one.yaml: fix 'Stop what sends"),
        ("occurred_on: 2012-08-01", "occurred_on: yesterday", "one.yaml: occurred_on: date is wanted"),
        ("public: true", "public: [", "one.yaml: "),
    ],
)
def test_a_mistake_in_a_file_is_said_with_its_place_and_nothing_is_loaded(
    folder: Path, old: str, new: str, said: str
) -> None:
    change(folder, old, new)

    with pytest.raises(SampleDataError, match=re.escape(said)):
        load(folder=folder)

    assert not Team.objects.exists()
    assert not Postmortem.objects.exists()


@pytest.mark.django_db
def test_a_password_is_only_set_for_accounts_made_now(folder: Path) -> None:
    User.objects.create_user("admin", password="known only to her")

    report = load(folder=folder, password="for the new ones")

    assert report.signs_in == ("demo",)
    assert User.objects.get(username="demo").check_password("for the new ones")
    assert User.objects.get(username="admin").check_password("known only to her")
    assert not User.objects.get(username="mira").has_usable_password()


@pytest.mark.django_db
def test_what_a_reader_changed_is_left_as_it_is(folder: Path) -> None:
    load(folder=folder)
    Postmortem.objects.update(severity="sev4")

    load(folder=folder)

    assert Postmortem.objects.get().severity == "sev4"


@pytest.mark.django_db
def test_the_command_says_how_to_sign_in_and_then_that_nothing_changed(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    first, second = io.StringIO(), io.StringIO()

    call_command("load_sample_data", password="for the demo", stdout=first)
    call_command("load_sample_data", stdout=second)

    assert "Sign in as demo with the password for the demo" in first.getvalue()
    assert "nothing changed" in second.getvalue()
