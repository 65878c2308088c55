"""The insights of the demo: every number worked out from the YAML files of the sample data, not by the program.

The clock stands at noon of 15 March 2026, the period is the year up to then, the reader is the demo's.
"""

from typing import Any

import pytest
from django.test import Client, TestCase
from django.utils import timezone

from postmortems.models import User
from postmortems.workflows.sampling import load_sample_data
from tests import factory
from tests.postmortems.insights.following import TOPICS, headlines, numbers, rows_at, table
from tests.postmortems.insights.world import NOW

PERIOD = {"since": "2025-03-16", "until": "2026-03-15"}


@pytest.fixture(autouse=True)
def an_index(learn: Any) -> None:
    """An empty one: the page of the gaps asks it."""


class TestDemo(TestCase):
    """Django's own test case, for its data that is loaded once and seen by every test of the class."""

    client: Client

    @classmethod
    def setUpTestData(cls) -> None:
        load_sample_data(at=NOW, password="a good password")

    @pytest.fixture(autouse=True)
    def _at_noon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timezone, "now", lambda: NOW)
        self.client = factory.signed_in(User.objects.get(username="demo"))

    def page(self, topic: str) -> str:
        answer = self.client.get(f"/insights/{topic}/", PERIOD)
        assert answer.status_code == 200
        return answer.text

    def test_incidents_by_severity(self) -> None:
        found = table(self.page("incidents"), "severity")

        # 28 incidents, without the cancelled one, the exercise and the restricted one.
        assert found == {
            "Mar 2025": ["0", "0", "0", "0", "0"],
            "Apr 2025": ["0", "0", "0", "0", "0"],
            "May 2025": ["0", "0", "1", "0", "1"],
            "Jun 2025": ["1", "0", "0", "0", "1"],
            "Jul 2025": ["0", "0", "0", "0", "0"],
            "Aug 2025": ["1", "0", "0", "0", "1"],
            "Sep 2025": ["1", "0", "0", "0", "1"],
            "Oct 2025": ["0", "1", "0", "0", "1"],
            "Nov 2025": ["0", "1", "2", "0", "3"],
            "Dec 2025": ["1", "2", "0", "0", "3"],
            "Jan 2026": ["1", "1", "1", "0", "3"],
            "Feb 2026": ["0", "2", "3", "0", "5"],
            "Mar 2026": ["1", "3", "2", "0", "6"],
            "All": ["6", "10", "9", "0", "25"],
        }

    def test_who_noticed_first(self) -> None:
        page = self.page("incidents")

        assert [n for (n,) in table(page, "detection").values()] == ["11", "5", "6", "1", "1", "0", "1"]
        assert headlines(page, "detection") == {"Detected by customers": "29 % (7 of 24)", "Not said": "1"}

    def test_how_long_it_took(self) -> None:
        found = table(self.page("incidents"), "durations")

        assert found["To detect"] == ["24", "under 1 min", "2 min", "7 min", "17 min", "1 h 35 min", "1"]
        assert found["To mitigate"] == ["22", "7 min", "34 min", "48 min", "1 h 28 min", "3 h 5 min", "3"]
        assert found["To resolve"] == ["21", "12 min", "58 min", "1 h 10 min", "3 h 10 min", "1 day 2 h", "4"]

    def test_what_keeps_coming_back(self) -> None:
        page = self.page("recurrence")

        # Problems that public incidents showed before are no news; those of 2025 are in the period themselves.
        assert {name: cells[1:] for name, cells in table(page, "recurrence").items()} == {
            "503 from every service: the proxies cannot load their configuration": ["3", "2", "23 Feb 2026"],
            "503 from every service: the load balancer has no healthy target": ["1", "1", "26 Jan 2026"],
            "Requests time out because the database has no free connection": ["2", "1", "13 Jan 2026"],
            "Load stays high after its trigger has gone, because retries and reconnects feed it": [
                *("2", "2", "10 Dec 2025")
            ],
            "Writes stop because a disk is full": ["2", "2", "12 Mar 2026"],
            "Tokens and certificates are refused because two clocks disagree": ["1", "0", "29 Dec 2025"],
            "TLS handshakes end with an error because a certificate in the chain has expired": [
                *("1", "1", "26 Jun 2025")
            ],
            "Services cannot be reached because their names do not resolve": ["2", "2", "17 Dec 2025"],
        }
        assert headlines(page, "recurrence") == {
            "Incidents of a known problem": "36 % (9 of 25)",
            "Problems that came back": "7",
        }

    def test_earlier_fixes_found_and_used(self) -> None:
        found = table(self.page("reuse"), "reuse")

        assert found == {
            "A suggestion was shown": ["9", "36 %"],
            "A suggestion was useful": ["7", "28 %"],
            "An earlier fix was used and helped": ["3", "12 %"],
            "All incidents": ["25", ""],
            "With a time to the first useful suggestion": ["7", "under 1 min to 5 min, half within 3 min"],
        }

    def test_what_became_of_the_promises(self) -> None:
        page = self.page("actions")

        assert [n for (n,) in table(page, "states").values()] == ["12", "10", "12", "8", "2", "44"]
        assert headlines(page, "states") == {"Verified": "19 % (8 of 42)"}
        assert table(page, "ageing") == {
            "Under 30 days": ["3", "0"],
            "30 to 89 days": ["9", "5"],
            "90 to 179 days": ["7", "4"],
            "180 days and more": ["47", "25"],
            "All": ["66", "34"],
        }

    def test_what_would_have_been_prevented(self) -> None:
        found = table(self.page("actions"), "debt")

        assert {name: (late, prevented) for name, (_, _, late, prevented) in found.items()} == {
            "Refuse configuration snippets in the controller's settings": ("4", "2"),
            "Switch statement logging off after seven days by itself": ("", "2"),
            "Give every client of ours exponential backoff with jitter and a retry budget": ("30", "1"),
            "Apps wait a random time of up to a minute before reconnecting": ("26", "1"),
            "Refuse HTTP calls inside a database transaction in code review checks": ("16", "1"),
            "Our record writer refuses to leave a name without addresses": ("5", "1"),
            "Every start of ours waits a random time up to 30 seconds": ("", "1"),
            "Put a connection pooler in front of the primary": ("", "1"),
            "Images older than ninety days do not start": ("", "1"),
            "Second DNS provider for our main zone": ("", "1"),
        }

    def test_postmortems(self) -> None:
        page = self.page("postmortems")

        # Due: fourteen of ours. Published: these, and three of public incidents of 2025.
        assert [n for (n,) in table(page, "late").values()] == ["11", "3", "0", "0", "14", "1"]
        assert headlines(page, "late")["Published by their date"] == "79 % (11 of 14)"
        assert [n for (n,) in table(page, "life").values()] == ["4", "13", "5", "12", "17"]

    def test_knowledge_gaps(self) -> None:
        page = self.page("gaps")

        assert set(table(page, "gaps")) == {"quorumless failback of etcdctl", "gatekeeper bypass runbook"}
        assert headlines(page, "gaps")["Still open"] == "2 of 2"

    def test_every_number_leads_to_exactly_that_many_rows(self) -> None:
        found = {each for topic in TOPICS for each in numbers(self.page(topic))}

        assert len(found) > 80
        wrong = [(n, address, there) for n, address in found if (there := rows_at(self.client, address)) != n]
        assert wrong == []
