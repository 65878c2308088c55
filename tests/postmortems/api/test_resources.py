"""Each resource of the API, held to the contract."""

from typing import Any

from postmortems.api.actions import ActionItems
from postmortems.api.catalogue import Services
from postmortems.api.fixes import Fixes
from postmortems.api.incidents import Incidents
from postmortems.api.postmortems import Postmortems
from postmortems.api.problems import Problems
from postmortems.models import (
    Fix,
    GlossaryEntry,
    Incident,
    Postmortem,
    Problem,
    SavedFilter,
    Service,
    Tag,
    User,
    Visibility,
)
from tests import factory
from tests.postmortems.api.contract import Contract

RESTRICTED = Visibility.RESTRICTED


def shut(row: Any) -> Any:
    type(row).objects.filter(pk=row.pk).update(visibility=RESTRICTED)
    return row


class TestIncidents(Contract):
    address = "/incidents/"
    steps = tuple(Incidents.steps)
    filtered = {"severity": "sev1", "status": "mitigated", "services": "checkout", "kind": "exercise"}

    def make(self, number: int) -> Incident:
        other = {"severity": "sev1", "status": "mitigated", "kind": "exercise", "services": ("Checkout",)}
        row = factory.incident(f"Slow {number}", **(other if number else {"services": ("Edge",)}))
        factory.postmortem(f"It was slow {number}").incidents.add(row)
        return row

    def hide(self, row: Incident) -> Incident:
        return shut(row)


class TestPostmortems(Contract):
    address = "/postmortems/"
    steps = tuple(Postmortems.steps)
    filtered = {
        "severity": "sev1",
        "status": "archived",
        "services": "checkout",
        "tags": "dns",
        "cause_category": "time",
    }

    def make(self, number: int) -> Postmortem:
        services = ("Checkout",) if number else ("Edge",)
        row = factory.postmortem(f"It was slow {number}", services=services, sections={"summary": "It was slow."})
        if number:
            Postmortem.objects.filter(pk=row.pk).update(severity="sev1", status="archived", cause_category="time")
        row.tags.add(Tag.objects.called("dns" if number else "tls"))
        row.refresh_from_db()
        return row

    def hide(self, row: Postmortem) -> Postmortem:
        return shut(row)


class TestFixes(Contract):
    address = "/fixes/"
    steps = tuple(Fixes.steps)
    filtered = {"kind": "rollback", "state": "retired", "services": "checkout"}

    def make(self, number: int) -> Fix:
        other = {"kind": "rollback", "state": "retired", "services": ("Checkout",)}
        row = factory.fix(f"Roll back {number}", **(other if number else {"services": ("Edge",)}))
        factory.fix_use(row, factory.incident())
        return row

    def hide(self, row: Fix) -> Fix:
        return shut(row)


class TestProblems(Contract):
    address = "/problems/"
    steps = tuple(Problems.steps)
    filtered = {"state": "solved", "cause_category": "time"}

    def make(self, number: int) -> Problem:
        other = {"state": "solved", "cause_category": "time"} if number else {}
        row = Problem.objects.create(title=f"Pools run dry {number}", **other)
        factory.postmortem(f"It was slow {number}", problem=row)
        return row

    def hide(self, row: Problem) -> Problem:
        shut(row.postmortems.get())
        return row


class TestActionItems(Contract):
    address = "/actions/"
    steps = tuple(ActionItems.steps)
    filtered = {"state": "done", "kind": "detect"}

    def make(self, number: int) -> Any:
        other = {"state": "done", "kind": "detect"} if number else {}
        return factory.action_item(f"Alert {number}", postmortem=factory.postmortem(), **other)

    def hide(self, row: Any) -> Any:
        shut(row.postmortem)
        return row


class TestServices(Contract):
    address, key = "/services/", "slug"
    steps = tuple(Services.steps)
    shown_to_administrators = False  # a name that only hidden documents give is listed nowhere

    def make(self, number: int) -> Service:
        return factory.service(f"Service {number}")

    def hide(self, row: Service) -> Service:
        factory.incident(visibility=RESTRICTED, services=(row.name,))
        return row

    def missing(self) -> str:
        return "nowhere"


class TestTags(Contract):
    address, key = "/tags/", "slug"
    shown_to_administrators = False

    def make(self, number: int) -> Tag:
        return Tag.objects.called(f"tag {number}")

    def hide(self, row: Tag) -> Tag:
        factory.postmortem(visibility=RESTRICTED).tags.add(row)
        return row

    def missing(self) -> str:
        return "nowhere"


class TestTeams(Contract):
    address, key = "/teams/", "slug"

    def make(self, number: int) -> Any:
        return factory.team(f"Team {number}")

    def hide(self, row: Any) -> None:
        return None

    def missing(self) -> str:
        return "nowhere"


class TestGlossary(Contract):
    address, key = "/glossary/", "id"

    def make(self, number: int) -> GlossaryEntry:
        if number == 0:
            GlossaryEntry.objects.all().delete()  # what a new installation starts with
        return GlossaryEntry.objects.create(terms=f"k{number}s\nkube {number}")

    def hide(self, row: GlossaryEntry) -> None:
        return None

    def missing(self) -> str:
        return "999999"


class TestSavedFilters(Contract):
    address, key = "/saved-filters/", "id"
    shown_to_administrators = False  # one's own

    def make(self, number: int) -> SavedFilter:
        owner = User.objects.filter(username="olga").first() or factory.user("olga")
        known = {"query": "due=late", "is_shared": True, "created_at": factory.NOON}
        return SavedFilter.objects.create(owner=owner, name=f"Late {number}", **known)

    def hide(self, row: SavedFilter) -> SavedFilter:
        SavedFilter.objects.filter(pk=row.pk).update(is_shared=False)
        return row

    def missing(self) -> str:
        return "999999"
