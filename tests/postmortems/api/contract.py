"""What each resource of the API keeps to. A new one: a class of a few lines in `test_resources.py`."""

from typing import Any, ClassVar

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from postmortems.models import User
from tests.postmortems.api.asking import Program

MOST_QUERIES = 12  # whatever is on the page: two of them are for the token and the roles


class Contract:
    """Lists in pages, hides what is hidden, says versions, refuses in problem details."""

    address: ClassVar[str]
    filtered: ClassVar[dict[str, str]] = {}  # a query that one of `make(1)` meets and `make(0)` does not
    key: ClassVar[str] = "ref"
    steps: ClassVar[tuple[str, ...]] = ()
    shown_to_administrators = True

    def make(self, number: int) -> Any:
        """A row that everybody sees."""
        raise NotImplementedError

    def hide(self, row: Any) -> Any:
        """The same, hidden from everybody but administrators; None: rows of this kind never are."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def rows(self, db: None) -> Any:
        self.first, self.second = self.make(0), self.make(1)

    def at(self, row: Any, step: str = "") -> str:
        return f"{self.address}{getattr(row, self.key)}/{step}"

    def test_a_list_comes_in_pages_of_a_stable_order(self, alice: User) -> None:
        program = Program(alice)

        whole = program.get(self.address).json()
        pages = [program.get(self.address, per_page=1, page=n).json() for n in range(1, whole["count"] + 1)]

        assert set(whole) == {"count", "next", "previous", "results"}
        assert [page["results"][0][self.key] for page in pages] == [row[self.key] for row in whole["results"]]
        assert pages[0]["previous"] is None and "page=2" in pages[0]["next"] and pages[-1]["next"] is None
        assert program.get(self.address, page=1000).json()["results"] == []

    @pytest.mark.parametrize("query", [{"per_page": "101"}, {"per_page": "0"}, {"page": "x"}, {"page": "1001"}])
    def test_a_page_is_capped(self, alice: User, query: dict[str, str]) -> None:
        answer = Program(alice).get(self.address, **query)

        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["errors"][0]["field"] in query

    def test_a_longer_list_takes_no_more_queries(self, alice: User) -> None:
        program = Program(alice)
        with CaptureQueriesContext(connection) as few:
            program.get(self.address)
        for number in range(2, 8):
            self.make(number)

        with CaptureQueriesContext(connection) as many:
            program.get(self.address)

        assert len(many) <= len(few) <= MOST_QUERIES, [query["sql"][:150] for query in many]

    def test_a_list_is_filtered_as_the_page_is(self, alice: User) -> None:
        for query in [{name: value} for name, value in self.filtered.items()]:
            found = Program(alice).get(self.address, **query).json()["results"]
            assert [row[self.key] for row in found] == [getattr(self.second, self.key)], query
            assert Program(alice).get(self.address, **dict.fromkeys(query, "nonsense\0")).status_code == 400

    def test_what_is_hidden_and_what_is_missing_are_the_same(self, charlie: User, admin: User) -> None:
        hidden = self.hide(self.second)
        program = Program(charlie)

        listed = program.get(self.address)
        answers = [program.get(self.at(self.second)), program.get(f"{self.address}{self.missing()}/")]

        if hidden is None:
            assert answers[0].status_code == 200
            return
        assert getattr(self.second, self.key) not in [row[self.key] for row in listed.json()["results"]]
        assert listed.json()["count"] == 1
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
        assert {program.post(self.at(self.second, f"{step}/")).status_code for step in self.steps} <= {404}
        assert Program(admin).get(self.at(self.second)).status_code == (200 if self.shown_to_administrators else 404)

    def missing(self) -> str:
        return f"{str(getattr(self.second, self.key)).split('-')[0]}-999999"

    def test_a_version_is_told_and_changes_with_the_row(self, alice: User) -> None:
        program = Program(alice)

        first = program.get(self.at(self.first))
        again = program.client.get(
            f"/api/v1{self.at(self.first)}", headers={**program.headers, "If-None-Match": first["ETag"]}
        )

        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert program.get(self.at(self.second))["ETag"] != first["ETag"]

    def test_a_stranger_and_a_token_without_the_scope_are_refused(self, alice: User) -> None:
        stranger = Program(None).get(self.address)
        writer = Program(alice, "write").get(self.address)

        assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated")
        assert stranger["WWW-Authenticate"].startswith("Bearer")
        assert (writer.status_code, writer.json()["code"]) == (403, "permission_denied")
        for step in self.steps:
            assert Program(alice, "read").post(self.at(self.first, f"{step}/")).status_code == 403
