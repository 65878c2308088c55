"""Action items as people meet them: the page of one, the list, the board, files, calendars, several at once."""

from __future__ import annotations

import csv
import io
import re
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from icalendar import Calendar

from kb.spreadsheet import FORMULA
from postmortems.action_forms import OwnerField, known_filters, likely_owners
from postmortems.filters import ActionItemFilter
from postmortems.models import (
    ActionItem,
    ApiToken,
    Postmortem,
    Problem,
    SavedFilter,
    Team,
    Tracker,
    User,
    Visibility,
)
from postmortems.models.follow_up import ticket_address
from postmortems.views.actions import PER_COLUMN
from postmortems.workflows import problems
from tests import factory

pytestmark = pytest.mark.django_db

State = ActionItem.State
TODAY = date(2026, 3, 1)


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


@pytest.fixture
def as_bob(bob: User) -> Client:
    return factory.signed_in(bob)


@pytest.fixture
def item(alice: User) -> ActionItem:
    """Alice's, in an open postmortem."""
    home = factory.postmortem(severity="sev2")
    return factory.action_item("Alert on slots", postmortem=home, owner=alice, done_when="It fires in staging.")


@pytest.fixture
def hidden(alice: User) -> ActionItem:
    """Alice's, where only she may look."""
    home = factory.postmortem("The breach", visibility=Visibility.RESTRICTED, owner=alice)
    return factory.action_item("Rotate the wombat key", postmortem=home, owner=alice, due_on=date(2026, 3, 9))


def file_of(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


class TestTheItem:
    def test_says_what_was_promised_and_where(self, as_bob: Client, item: ActionItem) -> None:
        page = as_bob.get(item.get_absolute_url()).text

        for said in ("Alert on slots", "It fires in staging.", "Alice", item.home.ref, "SEV2", "Start"):
            assert said in page

    def test_a_slug_may_follow_and_case_does_not_matter(self, as_bob: Client, item: ActionItem) -> None:
        assert as_bob.get(f"/actions/{item.ref.lower()}/alert-on-slots/").status_code == 200

    def test_who_may_not_see_its_home_may_not_see_it(
        self, as_bob: Client, as_alice: Client, hidden: ActionItem
    ) -> None:
        assert as_alice.get(hidden.get_absolute_url()).status_code == 200
        for step in ("", "edit/", "complete/", "verify/", "decline/", "reopen/", "reschedule/", "assign/"):
            assert as_bob.get(f"{hidden.get_absolute_url()}{step}").status_code == 404
        for step in ("start", "take", "complete", "identify"):
            assert as_bob.post(f"{hidden.get_absolute_url()}{step}/").status_code == 404
        assert as_bob.get("/actions/ACT-999999/").status_code == 404

    def test_its_life_by_buttons_and_forms(self, as_alice: Client, as_bob: Client, item: ActionItem) -> None:
        at = item.get_absolute_url()
        as_alice.post(f"{at}start/")
        as_alice.post(f"{at}complete/", {"evidence": "https://ci.example/17"})
        as_bob.post(f"{at}verify/", {"evidence": "It fired on 3 March."})

        item.refresh_from_db()
        assert (item.state, item.evidence) == (State.VERIFIED, "It fired on 3 March.")
        page = as_bob.get(at).text
        for said in ("verified it", "said it is done", "started", "It fired on 3 March.", "https://ci.example/17"):
            assert said in page

    def test_a_refused_step_keeps_what_was_typed(self, as_alice: Client, item: ActionItem) -> None:
        ActionItem.objects.filter(pk=item.pk).update(state="done")

        answer = as_alice.post(f"{item.get_absolute_url()}verify/", {"evidence": "My own eyes."})

        assert "Somebody other than its owner" in answer.text and "My own eyes." in answer.text

    def test_its_owner_is_not_offered_what_others_approve(
        self, as_alice: Client, as_bob: Client, item: ActionItem
    ) -> None:
        assert "decline/" not in as_alice.get(item.get_absolute_url()).text
        assert "decline/" in as_bob.get(item.get_absolute_url()).text

    def test_a_reader_gets_no_buttons(self, item: ActionItem) -> None:
        client = factory.signed_in(factory.user("rita", roles=("reader",)))
        page = client.get(item.get_absolute_url()).text

        assert f"{item.get_absolute_url()}edit/" not in page and "start/" not in page
        assert client.get(f"{item.get_absolute_url()}complete/").status_code == 403

    def test_declined_and_it_came_back_is_said(self, as_bob: Client, bob: User) -> None:
        problem = Problem.objects.create(title="The pool runs dry")
        first = factory.postmortem(problem=problem, occurred_on=date(2026, 1, 10))
        again = factory.postmortem("Down again", occurred_on=date(2026, 3, 20))
        item = factory.action_item(
            postmortem=first, state="wont_do", reason="Too dear.", declined_at=datetime(2026, 2, 1, tzinfo=UTC)
        )
        problems.link(problem, again, by=bob, at=factory.NOON)

        page = as_bob.get(item.get_absolute_url()).text

        since = "This was declined, and its problem showed itself again since"
        assert since in page and again.ref in page
        ActionItem.objects.filter(pk=item.pk).update(declined_at=datetime(2026, 3, 21, tzinfo=UTC))
        assert since not in as_bob.get(item.get_absolute_url()).text

    def test_reopened_by_the_program_it_says_by_what(self, as_bob: Client, bob: User) -> None:
        problem = Problem.objects.create(title="The pool runs dry")
        first = factory.postmortem(problem=problem, occurred_on=date(2026, 1, 10))
        item = factory.action_item(postmortem=first, state="done", done_at=factory.NOON)
        again = factory.postmortem("Down again", occurred_on=date(2026, 3, 20))
        problems.link(problem, again, by=bob, at=factory.NOON + timedelta(days=30))

        page = as_bob.get(item.get_absolute_url()).text

        assert "The program" in page and "Its problem showed itself again." in page
        assert f'It was <a href="/postmortems/{again.ref}/"' in page

    def test_a_written_name_becomes_an_owner_everywhere(self, as_bob: Client, bob: User) -> None:
        home = factory.postmortem()
        items = [factory.action_item(f"Item {n}", postmortem=home, owner_text="Bob S.") for n in range(3)]
        at = items[0].get_absolute_url()
        assert "stands on 3 action items" in as_bob.get(at).text

        assert "nobody with the user name" in as_bob.post(f"{at}identify/", {"user": "nobody"}).text
        as_bob.post(f"{at}identify/", {"user": "bob"})

        assert ActionItem.objects.owned_by(bob).count() == 3
        late = as_bob.post(f"{at}identify/", {"user": "nobody"}, follow=True).text
        assert "has an owner by now" in late

    @pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/accounts/logout/", "javascript:x"])
    def test_a_step_leads_back_within_the_action_items_only(
        self, as_alice: Client, item: ActionItem, back: str
    ) -> None:
        answer = as_alice.post(f"{item.get_absolute_url()}start/", {"next": back})

        assert answer.headers["Location"] == item.get_absolute_url()

    def test_few_queries(self, item: ActionItem, bob: User, django_assert_max_num_queries: Any) -> None:
        ActionItem.objects.filter(pk=item.pk).update(owner=None, owner_text="Bob S.", ticket="OPS-1", state="done")
        client = factory.signed_in(bob)
        for n in range(5):
            client.post(
                f"{item.get_absolute_url()}{'reopen' if n % 2 else 'verify'}/", {"reason": "No.", "evidence": "x"}
            )

        with django_assert_max_num_queries(12):
            client.get(item.get_absolute_url())


class TestPromising:
    def test_from_a_postmortem_and_from_an_incident(self, as_alice: Client) -> None:
        for home, name in ((factory.postmortem(), "postmortem"), (factory.incident(), "incident")):
            address = f"/actions/new/?{name}={home.ref}"
            assert address in as_alice.get(home.get_absolute_url()).text

            answer = as_alice.post(
                address,
                {"title": "Alert", "done_when": "It fires.", "kind": "detect", "priority": "high", "owner": "alice"},
            )

            assert answer.headers["Location"] == f"{home.get_absolute_url()}#actions"
            assert home.action_items.get().owner.username == "alice"
            assert "Alert" in as_alice.get(home.get_absolute_url()).text

    def test_what_is_missing_is_said_and_what_was_typed_stays(self, as_alice: Client) -> None:
        address = f"/actions/new/?postmortem={factory.postmortem().ref}"

        answer = as_alice.post(address, {"title": "Alert", "owner": "nobody", "due_on": "soon"})

        assert answer.status_code == 200 and 'value="Alert"' in answer.text
        assert "Say how anyone can tell" in answer.text and "nobody with the user name" in answer.text
        assert not ActionItem.objects.exists()

    def test_nowhere_is_no_page(self, as_alice: Client, as_bob: Client, hidden: ActionItem) -> None:
        assert as_alice.get("/actions/new/").status_code == 404
        assert as_bob.get(f"/actions/new/?postmortem={hidden.home.ref}").status_code == 404
        shut = factory.incident(visibility=Visibility.RESTRICTED)
        for answer in (as_bob.get, as_bob.post):
            assert answer(f"/actions/new/?incident={shut.ref}").status_code == 404

    def test_two_who_edit_different_things_do_not_undo_each_other(self, as_alice: Client, item: ActionItem) -> None:
        at, was = (
            f"{item.get_absolute_url()}edit/",
            {"title": item.title, "done_when": item.done_when, "kind": item.kind},
        )
        as_alice.post(at, {**was, "priority": "high"})

        item.refresh_from_db()
        assert (item.priority, item.title) == ("high", "Alert on slots")


class TestTickets:
    @pytest.fixture
    def trackers(self) -> list[Tracker]:
        make = Tracker.objects.create
        make(name="Any desk", shape="key", url_template="https://desk.example/{ticket}")
        make(name="Ops", shape="key", prefix="OPS-", url_template="https://ops.example/browse/{ticket}")
        make(name="Forge", shape="repository", url_template="https://forge.example/{repository}/issues/{number}")
        return Tracker.objects.most_specific_first()

    @pytest.mark.parametrize(
        ("ticket", "address"),
        [
            ("JIRA-123", "https://desk.example/JIRA-123"),
            ("ops-12", "https://ops.example/browse/ops-12"),
            ("acme/shop#4", "https://forge.example/acme/shop/issues/4"),
            ("https://elsewhere.example/x?y=1", "https://elsewhere.example/x?y=1"),
            (" HTTPS://elsewhere.example/X ", "HTTPS://elsewhere.example/X"),
            *[(text, "") for text in ("", "123", "javascript:alert(1)", "acme/shop", "data:text/html,x", "OPS-x")],
            *[(text, "") for text in ("https://a b", "ftp://x.example/", "{number}-1", "a" * 200)],
        ],
    )
    def test_become_links_where_a_tracker_knows_them(self, trackers: list[Tracker], ticket: str, address: str) -> None:
        assert ticket_address(ticket, trackers) == address

    @pytest.mark.parametrize(
        ("template", "refused"),
        [
            *((f"https://desk.example/{{{name}}}", "") for name in ("ticket", "number")),
            *(("https://desk.example/", "where the ticket goes"), ("https://desk.example/{repository}", "where the")),
            *((f"{begin}desk.example/{{ticket}}", "begins with https") for begin in ("", "ftp://", "javascript:")),
        ],
    )
    def test_a_tracker_says_where_the_ticket_goes_in_an_address_of_the_web(self, template: str, refused: str) -> None:
        tracker = Tracker(name="Desk", shape="key", url_template=template)

        with pytest.raises(ValidationError, match=refused) if refused else nullcontext():
            tracker.clean()

    def test_a_link_stands_on_the_page(self, as_bob: Client, trackers: list[Tracker], item: ActionItem) -> None:
        for ticket, shown in (("OPS-7", 'href="https://ops.example/browse/OPS-7"'), ("<b>", "&lt;b&gt;")):
            ActionItem.objects.filter(pk=item.pk).update(ticket=ticket)
            assert shown in as_bob.get(item.get_absolute_url()).text


class TestTheList:
    @pytest.fixture
    def several(self, alice: User, bob: User, team: Team) -> None:
        shop = factory.postmortem(services=("Checkout",), severity="sev1", team=team)
        mail = factory.incident(services=("Mail",), severity="sev4")
        long_ago = timezone.now() - timedelta(days=200)
        factory.action_item("Shop of Bob", postmortem=shop, owner=bob, kind="detect", priority="high")
        factory.action_item("Mail of nobody", incident=mail, created_at=long_ago, due_on=date(2026, 1, 1))
        factory.action_item("Mail of a name", incident=mail, owner_text="Zed", priority="low")
        factory.action_item("Shop done", postmortem=shop, owner=alice, state="done")

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ("", {"Shop of Bob", "Mail of nobody", "Mail of a name"}),
            ("state=", {"Shop of Bob", "Mail of nobody", "Mail of a name", "Shop done"}),
            ("state=done", {"Shop done"}),
            ("mine=on", {"Shop done"}),
            ("team=mine", {"Shop of Bob", "Shop done"}),
            ("team=payments&state=unfinished", {"Shop of Bob"}),
            ("services=mail", {"Mail of nobody", "Mail of a name"}),
            ("severity=sev1&state=unfinished", {"Shop of Bob"}),
            ("severity=sev4", {"Mail of nobody", "Mail of a name"}),
            ("kind=detect", {"Shop of Bob"}),
            ("priority=low", {"Mail of a name"}),
            ("due=late", {"Mail of nobody"}),
            ("age=180", {"Mail of nobody"}),
            ("owner=nobody", {"Mail of nobody"}),
            ("owner=name", {"Mail of a name"}),
        ],
    )
    @pytest.mark.usefixtures("several")
    def test_filters(self, as_alice: Client, query: str, wanted: set[str]) -> None:
        everything = set(ActionItem.objects.values_list("title", flat=True))
        for address in (f"/actions/?{query}", f"/actions/?{query}&format=csv"):
            answer = as_alice.get(address)
            text = "\n".join(",".join(row) for row in file_of(answer)) if "csv" in address else answer.text
            assert {title for title in everything if title in text} == wanted

    def test_the_second_page_of_what_is_not_finished_is_not_of_everything(self, as_alice: Client) -> None:
        home = factory.postmortem()
        for n in range(26):
            factory.action_item(f"Open {n}", postmortem=home)
        factory.action_item("Long done", postmortem=home, state="done")

        assert "Long done" not in as_alice.get("/actions/?page=2").text
        assert "26 action items" in as_alice.get("/actions/?page=2").text

    def test_a_file_runs_no_formula(self, as_alice: Client) -> None:
        home = factory.postmortem("=1+1")
        factory.action_item("=HYPERLINK(A1)", postmortem=home, owner_text="@SUM(1)", ticket="-1", done_when="+1")

        answer = as_alice.get("/actions/?format=csv")
        header, row = file_of(answer)

        assert answer.headers["Content-Disposition"] == 'attachment; filename="action-items.csv"'
        assert row[header.index("title")] == "'=HYPERLINK(A1)"
        assert not [cell for cell in row if cell.startswith(FORMULA)]

    def test_hidden_ones_are_in_no_list_count_or_file(self, as_bob: Client, hidden: ActionItem) -> None:
        for address in ("/actions/", "/actions/?state=", "/actions/board/", "/actions/?due=late"):
            page = as_bob.get(address).text
            assert "wombat" not in page and "1 action item" not in page
        assert len(file_of(as_bob.get("/actions/?format=csv"))) == 1


class TestItsFilters:
    """Asked of the filter itself: list, board, file and calendar have the same."""

    NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def found(self, user: User, query: str) -> set[str]:
        rows = ActionItem.objects.all_visible_to(user)
        return {item.title for item in ActionItemFilter(QueryDict(query), rows, request=SimpleNamespace(user=user)).qs}

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ("due=late", {"-1"}),
            ("due=soon", {"0", "7"}),
            ("due=none", {"none", "done without"}),
            ("due=none&state=unfinished", {"none"}),
        ],
    )
    def test_by_date(self, alice: User, monkeypatch: pytest.MonkeyPatch, query: str, wanted: set[str]) -> None:
        monkeypatch.setattr(timezone, "now", lambda: self.NOW)
        home = factory.postmortem()
        for days in (-1, 0, 7, 8):
            factory.action_item(f"{days}", postmortem=home, due_on=TODAY + timedelta(days=days))
            factory.action_item(f"done {days}", postmortem=home, due_on=TODAY + timedelta(days=days), state="done")
        factory.action_item("none", postmortem=home)
        factory.action_item("done without", postmortem=home, state="done")

        assert self.found(alice, query) == wanted

    @pytest.mark.parametrize("days", [30, 90, 180, 365])
    def test_by_age(self, alice: User, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
        monkeypatch.setattr(timezone, "now", lambda: self.NOW)
        for title, seconds in (("there", 1), ("not yet", 0)):
            promised = self.NOW - timedelta(days=days, seconds=seconds)
            factory.action_item(title, postmortem=factory.postmortem(), created_at=promised)

        assert self.found(alice, f"age={days}") == {"there"}

    def test_by_the_severity_of_its_postmortem_and_without_one_of_its_incident(self, alice: User) -> None:
        postmortem, incident = factory.postmortem(severity="sev1"), factory.incident(severity="sev4")
        factory.action_item("of both", postmortem=postmortem, incident=incident)
        factory.action_item("of the incident", incident=incident)

        assert self.found(alice, "severity=sev1") == {"of both"}
        assert self.found(alice, "severity=sev4") == {"of the incident"}

    def test_by_the_service_of_either(self, alice: User) -> None:
        postmortem, incident = factory.postmortem(services=("Checkout",)), factory.incident(services=("Mail",))
        factory.action_item("of both", postmortem=postmortem, incident=incident)
        factory.action_item("elsewhere", postmortem=factory.postmortem(services=("Edge",)))

        assert self.found(alice, "services=checkout") == self.found(alice, "services=mail") == {"of both"}

    def test_by_ones_own_teams_and_by_a_team(self, alice: User, charlie: User, team: Team) -> None:
        others = factory.team("Others", charlie)
        factory.action_item("ours", postmortem=factory.postmortem(team=team))
        factory.action_item("theirs", postmortem=factory.postmortem(team=others))
        factory.action_item("mine", postmortem=factory.postmortem(team=others), owner=alice)

        assert self.found(alice, "team=mine") == {"ours", "mine"}
        assert self.found(alice, "team=others") == {"theirs", "mine"}
        assert self.found(alice, "mine=ON") == {"mine"}
        assert self.found(alice, "mine=off") == {"ours", "theirs", "mine"}

    def test_the_soonest_come_first_and_what_has_no_date_last(self, as_alice: Client, alice: User) -> None:
        home = factory.postmortem()
        for title, due_on in (("none", None), ("later", date(2026, 3, 9)), ("sooner", TODAY), ("as soon", TODAY)):
            factory.action_item(title, postmortem=home, owner=alice, due_on=due_on)
        expected = ["sooner", "as soon", "later", "none"]

        header, *rows = file_of(as_alice.get("/actions/?format=csv"))
        page = as_alice.get("/actions/").text

        assert [row[header.index("title")] for row in rows] == expected
        assert sorted(expected, key=lambda title: page.index(f">{title}<")) == expected

    def test_a_query_is_kept_without_what_is_empty_or_unknown_but_for_all_states(self) -> None:
        assert known_filters(QueryDict("x=1&team=mine&due=&state=")) == "state=&team=mine"
        assert known_filters(QueryDict("due=late")) == "due=late"
        assert known_filters(QueryDict("owner=&x=1")) == ""


def test_the_people_of_ones_teams_are_offered_as_owners(alice: User, bob: User, charlie: User, team: Team) -> None:
    left, program = factory.user("left", is_active=False), factory.user("program", is_integration=True)
    team.members.add(left, program)
    factory.team("Another", alice, bob, aaron := factory.user("aaron"))

    assert list(likely_owners(alice)) == [aaron, alice, bob]
    assert list(likely_owners(charlie)) == []


@pytest.mark.parametrize("details", [{"is_active": False}, {"is_integration": True}], ids=["left", "a program"])
def test_only_who_signs_in_is_found_as_an_owner(bob: User, details: dict[str, bool]) -> None:
    factory.user("nobody", **details)

    assert OwnerField().clean(" BOB ") == bob
    with pytest.raises(ValidationError, match="There is nobody with the user name nobody"):
        OwnerField().clean("nobody")


class TestTheBoard:
    def test_a_column_for_each_state(self, as_bob: Client, alice: User) -> None:
        home = factory.postmortem()
        ended = {"wont_do": {"reason": "Too dear."}, "verified": {"evidence": "A test."}}
        for state in State:
            factory.action_item(f"It is {state}", postmortem=home, state=state, owner=alice, **ended.get(state, {}))

        page = as_bob.get("/actions/board/").text

        places = [page.index(f"It is {state}") for state in State]
        assert places == sorted(places)
        for step in ("start", "complete", "verify"):
            assert f"/{step}/" in page

    def test_a_long_column_leads_to_the_list(self, as_bob: Client) -> None:
        home = factory.postmortem(services=("Checkout",))
        for n in range(15):
            factory.action_item(f"Item {n:02}", postmortem=home, due_on=TODAY + timedelta(days=n))

        page = as_bob.get("/actions/board/?services=checkout&state=done").text

        assert f"Item {PER_COLUMN - 1:02}" in page and f"Item {PER_COLUMN:02}" not in page
        link = re.search(r'href="(/actions/\?[^"]*)">Show all 15', page)
        assert link and "15 action items" in as_bob.get(link[1].replace("&amp;", "&")).text

    def test_a_card_is_moved_without_a_script_and_one_is_back_on_the_board(
        self, as_alice: Client, item: ActionItem
    ) -> None:
        here = "/actions/board/?mine=on"
        assert f'form="start-{item.pk}"' in as_alice.get(here).text

        answer = as_alice.post(f"{item.get_absolute_url()}start/", {"next": here})

        assert answer.headers["Location"] == here
        assert "complete/?next=%2Factions%2Fboard%2F%3Fmine%3Don" in as_alice.get(here).text

    def test_few_queries_however_many_there_are(
        self, alice: User, team: Team, django_assert_max_num_queries: Any
    ) -> None:
        for n in range(40):
            home = factory.postmortem(f"It broke {n}", services=(f"service {n % 7}",), team=team)
            factory.action_item(f"Item {n}", postmortem=home, owner=alice, state=State.values[n % 3])
        SavedFilter.objects.create(owner=alice, name="Late", query="due=late", created_at=factory.NOON)
        client = factory.signed_in(alice)

        for address in ("/actions/board/?team=mine&services=service-1", "/actions/?team=mine&services=service-1"):
            with django_assert_max_num_queries(12):
                client.get(address)


class TestKeptLists:
    def save(self, client: Client, **fields: str) -> Any:
        return client.post("/actions/saved/", {"name": "Late ones", "query": "due=late&x=1&team=mine", **fields})

    def test_have_an_address_and_only_known_filters(self, as_alice: Client) -> None:
        self.save(as_alice)

        row = SavedFilter.objects.get()
        assert row.query == "due=late&team=mine"
        assert as_alice.get(row.get_absolute_url()).headers["Location"] == "/actions/?due=late&team=mine"
        assert "Late ones" in as_alice.get("/actions/").text

    def test_are_private_unless_they_are_shared(self, as_alice: Client, as_bob: Client) -> None:
        self.save(as_alice)
        self.save(as_alice, name="For all", is_shared="on")

        private, shared = SavedFilter.objects.order_by("pk")
        assert as_bob.get(private.get_absolute_url()).status_code == 404
        assert as_bob.get(shared.get_absolute_url()).status_code == 302
        page = as_bob.get("/actions/").text
        assert "For all" in page and "Late ones" not in page

    def test_show_everybody_what_they_may_see_themselves(
        self, as_alice: Client, as_bob: Client, hidden: ActionItem
    ) -> None:
        self.save(as_alice, query="owner=&state=unfinished", is_shared="on")

        address = SavedFilter.objects.get().get_absolute_url()
        assert "wombat" in as_alice.get(address, follow=True).text
        assert "wombat" not in as_bob.get(address, follow=True).text

    def test_are_removed_by_their_owner(self, as_alice: Client, as_bob: Client) -> None:
        self.save(as_alice, is_shared="on")
        address = f"{SavedFilter.objects.get().get_absolute_url()}remove/"

        assert as_bob.post(address).status_code == 404
        as_alice.post(address)

        assert not SavedFilter.objects.exists()

    @pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 101}, {"query": "due=late&" * 9999}])
    def test_what_cannot_be_kept_is_said(self, as_alice: Client, fields: dict[str, str]) -> None:
        answer = self.save(as_alice, **fields)

        assert "errorlist" in answer.text and fields.get("name", "Late ones") in answer.text
        assert not SavedFilter.objects.exists()

    def test_a_name_is_taken_once(self, as_alice: Client) -> None:
        self.save(as_alice)

        again = self.save(as_alice).text
        assert "You have a list of that name" in again and 'value="due=late&amp;x=1&amp;team=mine"' in again


class TestSeveralAtOnce:
    @pytest.fixture
    def items(self, alice: User) -> list[ActionItem]:
        home = factory.postmortem()
        return [factory.action_item(f"Item {n}", postmortem=home, owner=alice) for n in range(3)]

    def test_says_what_will_change_before_it_does(self, as_bob: Client, bob: User, items: list[ActionItem]) -> None:
        picked = {"item": [items[0].pk, items[1].pk]}
        asked = as_bob.get("/actions/change/", picked).text
        assert "Change 2 action items" in asked and "Item 2" not in asked
        known = {**picked, "owner": "bob", "due_on": "2026-09-01", "reason": "New quarter."}

        confirm = as_bob.post("/actions/change/", known).text

        assert "<del>Alice</del> <ins>Bob</ins>" in confirm and "1 Sep 2026" in confirm and "New quarter." in confirm
        assert not ActionItem.objects.owned_by(bob).exists()

        as_bob.post("/actions/change/", {**known, "sure": "on"})

        assert {item.pk for item in ActionItem.objects.owned_by(bob)} == set(picked["item"])
        assert ActionItem.objects.filter(due_on=date(2026, 9, 1)).count() == 2

    def test_a_date_wants_a_reason(self, as_bob: Client, items: list[ActionItem]) -> None:
        answer = as_bob.post("/actions/change/", {"item": items[0].pk, "due_on": "2026-09-01", "sure": "on"})

        assert "Why does the date change?" in answer.text and "2026-09-01" in answer.text
        assert not ActionItem.objects.exclude(due_on=None).exists()

    def test_nothing_to_change_is_said(self, as_bob: Client, items: list[ActionItem]) -> None:
        answer = as_bob.post("/actions/change/", {"item": items[0].pk, "reason": "Because."})

        assert "Say what changes: the owner, the date, or both." in answer.text and "Because." in answer.text

    def test_hidden_ones_cannot_be_picked(self, as_bob: Client, bob: User, hidden: ActionItem) -> None:
        answer = as_bob.post("/actions/change/", {"item": hidden.pk, "owner": "bob", "sure": "on"})

        assert "None is chosen" in answer.text and "wombat" not in answer.text
        assert 'value="bob"' in answer.text  # what was typed stays
        assert not ActionItem.objects.owned_by(bob).exists()

    def test_all_that_filters_find(self, as_bob: Client, items: list[ActionItem]) -> None:
        factory.action_item("Long done", postmortem=items[0].home, state="done")

        page = as_bob.get("/actions/change/?all=on&state=unfinished").text

        assert "Change 3 action items" in page and "Long done" not in page

    def test_of_all_that_were_found_only_the_ticked_ones_change(
        self, as_bob: Client, bob: User, items: list[ActionItem]
    ) -> None:
        typed = {"item": items[1].pk, "owner": "bob", "sure": "on"}
        assert "1 action item changed." in as_bob.post("/actions/change/?all=on", typed, follow=True).text

        assert list(ActionItem.objects.owned_by(bob)) == [items[1]]

    @pytest.mark.parametrize("typed", ["", "x", "9" * 30, "-1", "²"])
    def test_nonsense_picks_nothing(self, as_bob: Client, typed: str) -> None:
        assert "None is chosen" in as_bob.get("/actions/change/", {"item": typed}).text


class TestTheCalendar:
    def address(self, client: Client) -> str:
        found = re.search(r'id="secret" value="https?://[^/]+(/[^"]+)"', client.post("/actions/calendar/").text)
        assert found
        return found[1]

    def test_is_read_by_a_calendar_library(self, as_alice: Client, alice: User) -> None:
        home = factory.postmortem()
        item = factory.action_item(
            "Größe; prüfen, \n" + "x" * 300,
            postmortem=home,
            owner=alice,
            due_on=date(2026, 3, 9),
            done_when="It fires.",
        )
        factory.action_item("No date", postmortem=home, owner=alice)
        factory.action_item("Done", postmortem=home, owner=alice, due_on=TODAY, state="done")
        factory.action_item("Of nobody", postmortem=home, due_on=TODAY)

        answer = Client().get(self.address(as_alice))

        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
        assert (event.start, event.end) == (date(2026, 3, 9), date(2026, 3, 10))
        assert str(event["summary"]).startswith(f"{item.ref} due: Größe; prüfen, ")
        assert str(event["url"]).endswith(item.get_absolute_url())
        assert str(event["description"]).startswith(f"Done when: It fires.\n\n{home.ref}, medium priority\n")

    def test_the_last_day_there_is_is_a_day_too(self, as_alice: Client, alice: User) -> None:
        factory.action_item(postmortem=factory.postmortem(), owner=alice, due_on=date.max)

        (event,) = Calendar.from_ical(Client().get(self.address(as_alice)).content).walk("VEVENT")

        assert event.start == date.max

    def test_its_events_keep_their_name_when_dates_move(self, as_alice: Client, alice: User) -> None:
        item = factory.action_item(postmortem=factory.postmortem(), owner=alice, due_on=TODAY)
        address = self.address(as_alice)

        def uids() -> set[str]:
            return {str(event["uid"]) for event in Calendar.from_ical(Client().get(address).content).walk("VEVENT")}

        before = uids()
        ActionItem.objects.filter(pk=item.pk).update(due_on=date(2027, 1, 1), title="Renamed")

        assert uids() == before and len(before) == 1

    def test_shows_what_its_owner_may_see_at_that_moment(
        self, as_alice: Client, alice: User, hidden: ActionItem
    ) -> None:
        address = self.address(as_alice)
        assert b"wombat" in Client().get(address).content

        Postmortem.objects.filter(pk=hidden.postmortem_id).update(owner=None)

        assert b"wombat" not in Client().get(address).content

    def test_other_lists_by_filters_in_the_address(self, as_alice: Client, bob: User, team: Team) -> None:
        factory.action_item("Of Bob", postmortem=factory.postmortem(), owner=bob, due_on=TODAY)
        address = self.address(as_alice)

        assert b"Of Bob" not in Client().get(address).content
        assert b"Of Bob" in Client().get(f"{address}?team=mine").content
        assert Client().get(f"{address}?team=gone").status_code == 400

    def test_is_shown_once_and_taken_back(self, as_alice: Client) -> None:
        address = self.address(as_alice)
        token = ApiToken.objects.get()
        assert token.scopes == ["feed"]
        page = as_alice.get("/actions/calendar/").text
        assert address not in page and token.hint in page

        as_alice.post(f"/account/tokens/{token.pk}/revoke/")

        assert Client().get(address).status_code == 404

    @pytest.mark.parametrize("off", ["is_active", "scope"])
    def test_of_who_may_not_come_in_or_for_another_use_is_no_calendar(
        self, as_alice: Client, alice: User, off: str
    ) -> None:
        address = self.address(as_alice)
        if off == "is_active":
            User.objects.filter(pk=alice.pk).update(is_active=False)
        else:
            ApiToken.objects.update(scopes=["read", "write"])

        assert Client().get(address).status_code == 404

    def test_wrong_addresses_are_counted(self) -> None:
        answers = [Client().get("/actions/calendar/kb_wrong.ics").status_code for _ in range(40)]

        assert answers[0] == 404 and answers[-1] == 429
