"""The insights: each number worked out by hand; each leads to so many rows; none tells of what is hidden."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from postmortems.insights.scope import Scope
from postmortems.insights.topics import BY_KEY
from postmortems.models import User
from tests import factory
from tests.postmortems.insights import world as made
from tests.postmortems.insights.following import TOPICS, headlines, numbers, plain, rows_at, table
from tests.postmortems.insights.world import NOW, PERIOD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture(autouse=True)
def an_index(learn: Any) -> None:
    """An empty one: the page of the gaps asks it."""


@pytest.fixture
def world(alice: User, bob: User) -> Any:
    return made.build(alice, bob)


def page_of(who: User | Client, topic: str, **query: str) -> str:
    client = who if isinstance(who, Client) else factory.signed_in(who)
    answer = client.get(f"/insights/{topic}/", {**PERIOD, **query})
    assert answer.status_code == 200
    return answer.text


def without_token(client: Client, address: str) -> str:
    return re.sub(r'(X-CSRFToken": |csrfmiddlewaretoken" value=)"[^"]+"', "TOKEN", client.get(address).text)


class TestByHand:
    def test_incidents_by_severity(self, world: Any, alice: User) -> None:
        found = table(page_of(alice, "incidents"), "severity")

        # SEV1, SEV2, SEV3, SEV4, all
        assert found == {
            "Oct 2025": ["1", "0", "0", "0", "1"],
            "Nov 2025": ["0", "0", "0", "0", "0"],
            "Dec 2025": ["0", "1", "0", "0", "1"],
            "Jan 2026": ["0", "1", "1", "0", "2"],
            "Feb 2026": ["1", "0", "1", "0", "2"],
            "Mar 2026": ["0", "1", "1", "0", "2"],
            "All": ["2", "3", "3", "0", "8"],
        }

    def test_a_month_is_that_of_the_reader(self, world: Any, alice: User) -> None:
        User.objects.filter(pk=alice.pk).update(time_zone="Europe/Berlin")  # 31 January, 23:30 UTC

        found = table(page_of(alice, "incidents"), "severity")

        assert [found["Jan 2026"][-1], found["Feb 2026"][-1]] == ["1", "3"]

    def test_a_short_period_is_counted_by_week(self, world: Any, alice: User) -> None:
        found = table(page_of(alice, "incidents", since="2026-03-01"), "severity")

        assert {name: cells[-1] for name, cells in found.items()} == {
            "23 Feb 2026": "0",
            "2 Mar 2026": "0",
            "9 Mar 2026": "2",
            "All": "2",
        }

    def test_who_noticed_first(self, world: Any, alice: User) -> None:
        page = page_of(alice, "incidents")

        assert {name: n for name, (n,) in table(page, "detection").items()} == {
            "Monitoring": "2",
            "An engineer noticed": "1",
            "A customer told us": "1",
            "Social media": "1",
            "A partner told us": "1",
            "Other": "0",
            "Not said": "2",
        }
        assert headlines(page, "detection") == {"Detected by customers": "2 of 6", "Not said": "2"}

    def test_how_long_it_took_of_few(self, world: Any, alice: User) -> None:
        found = table(page_of(alice, "incidents"), "durations")

        # known, shortest, -, half, -, longest, not known
        assert found["To detect"] == ["5", "1 min", "", "10 min", "", "30 min", "3"]
        assert found["To mitigate"] == ["2", "30 min", "", "35 min", "", "40 min", "6"]
        assert found["To resolve"] == ["7", "10 min", "", "45 min", "", "2 h", "1"]

    def test_what_keeps_coming_back(self, world: Any, alice: User) -> None:
        page = page_of(alice, "recurrence")

        # The first was before the period; "Only once" is new in it. The fourth: its fix ended it.
        assert table(page, "recurrence") == {
            "Pools run dry": ["Open", "3", "3", "10 Jan 2026"],
            "Only once": ["Open", "1", "0", "31 Jan 2026"],
        }
        assert headlines(page, "recurrence") == {
            "Incidents of a known problem": "3 of 8",
            "Problems that came back": "1",
        }

    def test_earlier_fixes_found_and_used(self, world: Any, alice: User) -> None:
        page = page_of(alice, "reuse")

        # Used and helped: in the second (of its postmortem's earlier incident) and in the fourth.
        assert table(page, "reuse") == {
            "A suggestion was shown": ["2", ""],
            "A suggestion was useful": ["2", ""],
            "An earlier fix was used and helped": ["2", ""],
            "All incidents": ["8", ""],
            "With a time to the first useful suggestion": ["2", "4 min to 1 h, half within 32 min"],
        }
        assert headlines(page, "reuse")["An earlier fix was found and used"] == "2 of 8"

    def test_what_became_of_the_promises(self, world: Any, alice: User) -> None:
        page = page_of(alice, "actions")

        assert {name: n for name, (n,) in table(page, "states").items()} == {
            **{"Open": "2", "In progress": "1", "Done": "1", "Verified": "1", "Won't do": "1"},
            "All": "6",
        }
        assert headlines(page, "states") == {"Verified": "1 of 5"}

    def test_how_old_the_open_ones_are(self, world: Any, alice: User) -> None:
        page = page_of(alice, "actions")

        # Open, late; two are promised since 25 October: 141 days.
        assert table(page, "ageing") == {
            "Under 30 days": ["1", "1"],
            "30 to 89 days": ["0", "0"],
            "90 to 179 days": ["2", "1"],
            "180 days and more": ["0", "0"],
            "All": ["3", "2"],
        }
        assert headlines(page, "ageing") == {"Late": "2 of 3"}

    def test_what_would_have_been_prevented(self, world: Any, alice: User) -> None:
        found = table(page_of(alice, "actions"), "debt")

        # Since 25 October: the third (same problem, judged the same) and the fourth (the fix helped).
        assert found == {
            "Require a quorum": [world.told.ref, "31 Dec 2025", "74", "2"],
            "In progress": [world.told.ref, "1 Apr 2026", "", "2"],
        }

    def test_postmortems_written_in_time(self, world: Any, alice: User) -> None:
        page = page_of(alice, "postmortems")

        assert {name: n for name, (n,) in table(page, "late").items()} == {
            "Published by its date": "1",
            "Published late": "1",
            "Not published, and its date has passed": "1",
            "Not published, and there is time left": "1",
            "All": "4",
            "Wanted, and not there (incidents)": "1",
        }
        assert headlines(page, "late")["Published by their date"] == "1 of 4"

    def test_postmortems_read_and_of_use(self, world: Any, alice: User) -> None:
        page = page_of(alice, "postmortems")

        assert {name: n for name, (n,) in table(page, "life").items()} == {
            **{"Read by somebody": "1", "Read by nobody": "2", "Of use later": "1", "Never of use later": "2"},
            "All": "3",
        }

    def test_knowledge_gaps(self, world: Any, alice: User) -> None:
        page = page_of(alice, "gaps")

        assert table(page, "gaps") == {"flux capacitor": [world.open.ref, "10 Mar 2026"]}
        assert headlines(page, "gaps") == {"Still open": "1 of 2", "Answered since": "1"}


class TestNarrowed:
    @pytest.mark.parametrize(
        ("query", "expected"), [({"service": "checkout"}, "2"), ({"team": "edge"}, "2"), ({"team": "payments"}, "2")]
    )
    def test_to_a_team_or_a_service(self, world: Any, alice: User, query: dict[str, str], expected: str) -> None:
        assert table(page_of(alice, "incidents", **query), "severity")["All"][-1] == expected

    def test_action_items_to_a_team(self, world: Any, alice: User) -> None:
        assert table(page_of(alice, "actions", team="payments"), "states")["All"] == ["3"]

    @pytest.mark.parametrize(
        "query",
        [
            {"since": "yesterday"},
            {"since": "2026-03-16"},
            {"since": "1066-10-14"},
            {"since": "0001-01-01", "until": "9999-12-31"},
            {"team": "nobody"},
            {"service": "' OR 1=1"},
        ],
    )
    def test_what_cannot_be_read_is_said_and_the_usual_is_shown(
        self, world: Any, alice: User, query: dict[str, str]
    ) -> None:
        page = page_of(alice, "incidents", **query)

        assert 'class="errorlist"' in page
        assert table(page, "severity")["All"][-1] == "9"  # of a year: one more, from August


class TestEveryNumber:
    @pytest.mark.parametrize("narrowed", [{}, {"team": "payments"}, {"service": "proxy"}, {"since": "2026-03-01"}])
    def test_leads_to_exactly_that_many_rows(self, world: Any, alice: User, narrowed: dict[str, str]) -> None:
        made.hide(world, alice)
        client = factory.signed_in(alice)

        found = [each for topic in TOPICS for each in numbers(page_of(client, topic, **narrowed))]

        assert len(found) > 20
        wrong = [(n, address, there) for n, address in found if (there := rows_at(client, address)) != n]
        assert wrong == []

    def test_is_in_the_file_of_its_table(self, world: Any, alice: User) -> None:
        client = factory.signed_in(alice)
        page = page_of(client, "incidents")

        answer = client.get("/insights/files/severity/", PERIOD)
        lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]

        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        cells = {name: rest for name, *rest in (line.split(",") for line in lines[1:])}
        assert cells == table(page, "severity")

    def test_rows_come_as_a_file_too_and_no_cell_is_a_formula(self, world: Any, alice: User) -> None:
        factory.incident("=HYPERLINK(1)", started_at=NOW)
        client = factory.signed_in(alice)

        for name in ("incidents", "published", "open", "gaps", "problems-back"):
            answer = client.get(f"/insights/rows/{name}/", {**PERIOD, "format": "csv"})
            lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
            assert lines[0] == "ref,title,severity,state,on,address"
            assert len(lines) > 1, name
            assert not any(",=" in line for line in lines)

    @pytest.mark.parametrize(
        "address",
        [
            "rows/nothing/",
            "rows/incidents/?severity=sev9",
            "rows/incidents/?at=soon",
            "rows/incidents/?at=9999-12-31",
            "rows/incidents/?at=0001-01-01",
            "rows/detected/",
            "rows/timed/?what=eat",
            "rows/reuse/?step=x",
            "rows/promised/?state=x",
            "rows/open/?age=x",
            "rows/due/?how=x",
            "rows/published/?how=x",
            "rows/gaps/?state=x",
            "rows/showings/?problem=PRB-999",
            "rows/prevented/?item=ACT-999",
            "rows/prevented/?item=x",
            "files/nothing/",
            "nothing/",
            "weekly/?week=2026-W99",
            "weekly/?week=soon",
        ],
    )
    def test_an_address_that_nothing_is_called_is_missing(self, alice: User, address: str) -> None:
        assert factory.signed_in(alice).get(f"/insights/{address}").status_code == 404


class TestHidden:
    def test_what_is_hidden_changes_not_one_byte_for_an_outsider(self, world: Any, alice: User, charlie: User) -> None:
        addresses = [f"/insights/{topic}/?{urlencode(PERIOD)}" for topic in TOPICS]
        addresses += [f"/insights/weekly/?week={week}" for week in ("2026-W08", "2026-W11")]
        client = factory.signed_in(charlie)
        before = {address: without_token(client, address) for address in addresses}
        counted = {row for page in before.values() for _, row in numbers(page)}
        rows = {address: without_token(client, address) for address in counted}

        made.hide(world, alice)

        for address, page in {**before, **rows}.items():
            assert without_token(client, address) == page, address
        charlie.give_roles("administrator")
        changed = [address for address in before if without_token(client, address) != before[address]]
        assert changed == addresses

    @pytest.mark.parametrize("name", ["showings", "recurrences"])
    def test_a_hidden_problem_is_missing(self, world: Any, alice: User, charlie: User, name: str) -> None:
        made.hide(world, alice)
        hidden = type(world.pools).objects.get(title="Secret problem")

        answers = [
            factory.signed_in(who).get(f"/insights/rows/{name}/", {"problem": hidden.ref}) for who in (alice, charlie)
        ]

        assert [answer.status_code for answer in answers] == [200, 404]


class TestTheHouse:
    @pytest.mark.parametrize("topic", TOPICS)
    def test_a_page_takes_few_queries(
        self, world: Any, alice: User, topic: str, django_assert_max_num_queries: Any
    ) -> None:
        made.hide(world, alice)
        client = factory.signed_in(alice)
        factory.verdict(world.third, world.first)  # all three kinds of what can be suggested
        factory.verdict(world.third, world.fix)

        with django_assert_max_num_queries(12):
            page_of(client, topic)

    def test_the_weekly_review_takes_few_queries(
        self, world: Any, alice: User, django_assert_max_num_queries: Any
    ) -> None:
        client = factory.signed_in(alice)

        with django_assert_max_num_queries(12):
            client.get("/insights/weekly/?week=2026-W02")

    @pytest.mark.parametrize("topic", TOPICS)
    def test_nothing_at_all_is_said_in_words(self, alice: User, topic: str) -> None:
        page = page_of(alice, topic)

        said = [section.empty for section in BY_KEY[topic].sections(Scope(NOW.date(), NOW.date()), alice, NOW)]
        assert all(said) and not [words for words in said if words not in page]
        assert '<svg viewBox="0 0 200' not in page

    def test_from_twenty_on_quartiles_are_shown(self, alice: User) -> None:
        for n in range(21):
            made.incident(f"Incident {n}", made.at(1, 1 + n), "sev3", "monitor", resolved=(n + 1) * 10)

        page = page_of(alice, "incidents")

        assert table(page, "durations")["To resolve"] == [
            "21",
            "10 min",
            "1 h",
            "1 h 50 min",
            "2 h 40 min",
            "3 h 30 min",
            "0",
        ]
        assert 'class="box"' in page

    def test_the_pages_are_found_from_every_page(self, alice: User) -> None:
        client = factory.signed_in(alice)

        assert 'href="/insights/"' in client.get("/postmortems/").text
        overview = client.get("/insights/").text
        for address in (*(f"/insights/{topic}/?" for topic in TOPICS), "/insights/weekly/", "/insights/suggestions/"):
            assert f'href="{address}' in overview
        assert "since=2026-02-14&amp;until=2026-03-15" in overview  # thirty days, with both ends


class TestTheWeek:
    def test_a_meeting_can_be_walked_through(self, world: Any, alice: User, bob: User) -> None:
        page = plain(factory.signed_in(alice).get("/insights/weekly/?week=2026-W11").text)

        assert "New incidents (2)" in page
        assert "Open now" in page and "Recent" in page
        assert "What came back (0)" in page
        assert "Postmortems that wait for a review (1)" in page
        assert "Postmortems that are late (1)" in page
        assert "Action items that are late (2)" in page
        assert "Require a quorum" in page
        assert "Action items due this week (0)" in page

    def test_what_came_back_in_that_week(self, world: Any, alice: User) -> None:
        page = plain(factory.signed_in(alice).get("/insights/weekly/?week=2026-W02").text)

        assert "What came back (1) Pools run dry" in page
        assert world.fourth.ref in page

    def test_without_a_name_it_is_this_week_with_its_neighbours(self, alice: User) -> None:
        page = factory.signed_in(alice).get("/insights/weekly/").text

        assert "Weekly review, 2026-W11" in page
        assert "?week=2026-W10" in page and "?week=2026-W12" in page

    def test_the_week_across_the_year_has_its_iso_name(self, alice: User) -> None:
        page = factory.signed_in(alice).get("/insights/weekly/?week=2026-W01").text

        assert "29 Dec 2025" in page and "4 Jan 2026" in page
        assert "?week=2025-W52" in page
