"""Every page: who may see it, how it is asked for, what it may not contain, how many queries it takes."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import get_resolver, reverse

from postmortems.models import Incident, Postmortem, Team, User
from tests import factory

LISTS = [
    *("home", "incident_list", "postmortem_list", "fix_list", "action_list", "search", "account", "incident_new"),
    *("suggestion_quality", "glossary_list", "postmortem_new"),
]
STEPS = [
    *("incident_acknowledge", "incident_mitigate", "incident_resolve", "incident_command", "incident_join"),
    *("incident_release", "fix_outcome", "suggestion_verdict"),
]
SECRET = "Keys of the vault were read"


@pytest.fixture
def rows(alice: User, team: Team, learn: Any) -> dict[str, Any]:
    """An incident, its postmortem and its fix, restricted to Alice and her team; and findable."""
    restricted = {"visibility": "restricted"}
    incident = factory.incident(SECRET, kind="security", reported_by=alice, **restricted)
    postmortem = factory.postmortem(SECRET, owner=alice, sections={"summary": SECRET}, **restricted)
    fix = factory.fix(SECRET, postmortem=postmortem, **restricted)
    for row in (incident, postmortem, fix):
        row.members.add(alice)
        row.shared_with.add(team)
    postmortem.incidents.add(incident)
    factory.fix_use(fix, incident)
    factory.action_item(SECRET, postmortem=postmortem)
    learn(incident, postmortem, fix)
    return {"incident": incident, "postmortem": postmortem, "fix": fix}


def pages_of(rows: dict[str, Any]) -> list[str]:
    incident, postmortem, fix = rows["incident"], rows["postmortem"], rows["fix"]
    return [
        *(row.get_absolute_url() for row in (incident, postmortem, fix)),
        *(
            reverse(f"incident_{name}", args=[incident.ref])
            for name in ("edit", "update", "times", "close", "cancel", "reopen")
        ),
        reverse("postmortem_edit", args=[postmortem.ref]),
        reverse("postmortem_revisions", args=[postmortem.ref]),
    ]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.portable
def test_nobody_who_is_not_signed_in_sees_a_page(client: Client, db: None, name: str) -> None:
    answer = client.get(reverse(name))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("login"))


def test_nobody_who_is_not_signed_in_sees_a_row(client: Client, rows: dict[str, Any]) -> None:
    for page in pages_of(rows):
        assert client.get(page).status_code == 302, page


@pytest.mark.parametrize("who", ["alice", "bob", "admin"])
def test_the_owner_her_team_and_administrators_see_what_is_restricted(
    request: pytest.FixtureRequest, rows: dict[str, Any], who: str
) -> None:
    client = factory.signed_in(request.getfixturevalue(who))

    for page in pages_of(rows):
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert SECRET in answer.text, page


def test_what_is_restricted_is_not_there_for_others(charlie: User, rows: dict[str, Any]) -> None:
    client = factory.signed_in(charlie)

    for page in pages_of(rows):
        hidden, missing = client.get(page), client.get(re.sub(r"\d+", "999999", page))
        assert (hidden.status_code, missing.status_code) == (404, 404), page
        assert re.sub(r'"X-CSRFToken": "\w+"|value="\w{64}"', "", hidden.text) == re.sub(
            r'"X-CSRFToken": "\w+"|value="\w{64}"', "", missing.text
        ), page


@pytest.mark.parametrize("name", LISTS)
def test_no_list_tells_others_of_what_is_restricted(charlie: User, rows: dict[str, Any], name: str) -> None:
    answer = factory.signed_in(charlie).get(reverse(name))

    assert answer.status_code == 200
    assert SECRET not in answer.text


def test_search_and_suggestions_tell_only_those_who_may_see_it(
    alice: User, charlie: User, rows: dict[str, Any], learn: Any
) -> None:
    learn(*(factory.postmortem(f"Disk {n} of the mail server filled up") for n in range(20)))
    address = rows["postmortem"].get_absolute_url()

    def told(client: Client) -> list[bool]:
        found = client.get("/search/", {"q": SECRET})
        suggested = client.post("/incidents/suggestions/", {"title": SECRET})
        return [address in found.text, rows["postmortem"].ref in suggested.text]

    assert told(factory.signed_in(alice)) == [True, True]
    assert told(factory.signed_in(charlie)) == [False, False]


@pytest.mark.parametrize("name", STEPS)
def test_no_step_reaches_what_is_hidden(charlie: User, rows: dict[str, Any], name: str) -> None:
    incident: Incident = rows["incident"]

    answer = factory.signed_in(charlie).post(
        reverse(name, args=[incident.ref]), {"fix": rows["fix"].ref, "outcome": "made_worse"}
    )

    incident.refresh_from_db()
    assert answer.status_code == 404
    assert incident.status == Incident.Status.OPEN
    assert [use.outcome for use in incident.fix_uses.all()] == ["worked"]


@pytest.mark.parametrize("name", STEPS)
def test_a_link_changes_nothing(alice: User, name: str) -> None:
    answer = factory.signed_in(alice).get(reverse(name, args=[factory.incident().ref]))

    assert answer.status_code == 405


@pytest.mark.parametrize("name", [*STEPS, "incident_new", "incident_edit", "incident_suggestions", "account"])
@pytest.mark.portable
def test_a_form_of_another_site_changes_nothing(alice: User, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    takes_a_ref = name in STEPS or name == "incident_edit"
    address = reverse(name, args=[factory.incident().ref] if takes_a_ref else [])

    answer = client.post(address, {"title": "Planted"})

    assert answer.status_code == 403
    assert "This form is too old" in answer.text


@pytest.mark.parametrize(
    "ref", ["INC-", "INC-x", "PM-1", "INC-0", "INC--1", "INC-" + "9" * 19, "INC-" + "9" * 5000, "x" * 300]
)
def test_what_is_no_ref_is_not_found(alice: User, ref: str) -> None:
    answer = factory.signed_in(alice).get(f"/incidents/{ref}/")

    assert answer.status_code == 404


def test_a_ref_is_found_in_lower_case_and_with_any_slug(alice: User) -> None:
    client, incident, postmortem, fix = (
        factory.signed_in(alice),
        factory.incident(),
        factory.postmortem(),
        factory.fix(),
    )

    for row, kind in ((incident, "incidents"), (postmortem, "postmortems"), (fix, "fixes")):
        assert client.get(f"/{kind}/{row.ref.lower()}/").status_code == 200
        assert client.get(f"/{kind}/{row.ref}/checkout-was-down/").status_code == 200


def many(make: Callable[[int], Any]) -> Callable[[int], None]:
    return lambda count: [make(n) for n in range(count)] and None


def one_of_each(alice: User) -> Callable[[int], None]:
    """A row of each kind, with all that the lists show of it."""

    def make(n: int) -> None:
        incident = factory.incident(f"Incident {n}", services=(f"service {n}", "Checkout"), commander=alice)
        postmortem = factory.postmortem(f"Postmortem {n}", services=(f"service {n}",), owner=alice)
        draft = factory.postmortem(f"Draft {n}", status="draft", owner=alice)
        fix = factory.fix(f"Fix {n}", services=(f"service {n}",), postmortem=postmortem)
        factory.fix_use(fix, incident)
        factory.action_item(f"Action {n}", postmortem=postmortem, owner=alice)
        factory.action_item(f"Action of incident {n}", incident=incident)
        draft.incidents.add(incident)

    return many(make)


@pytest.mark.parametrize("name", ["home", "incident_list", "postmortem_list", "fix_list", "action_list"])
def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_five(
    alice: User, django_assert_max_num_queries: Any, django_assert_num_queries: Any, name: str
) -> None:
    client, add = factory.signed_in(alice), one_of_each(alice)
    add(5)
    with django_assert_max_num_queries(12) as few:
        client.get(reverse(name))

    add(45)

    with django_assert_num_queries(len(few)):
        client.get(reverse(name))


def test_a_postmortem_and_a_fix_take_few_queries(alice: User, django_assert_max_num_queries: Any) -> None:
    postmortem = factory.postmortem(services=("Checkout",), sections={"summary": "Down."}, owner=alice)
    fix = factory.fix(postmortem=postmortem)
    for n in range(10):
        factory.fix_use(fix, factory.incident(f"Incident {n}"))
        factory.action_item(f"Action {n}", postmortem=postmortem, owner=alice)
    client = factory.signed_in(alice)

    with django_assert_max_num_queries(12):
        client.get(postmortem.get_absolute_url())
    with django_assert_max_num_queries(12):
        client.get(fix.get_absolute_url())


def test_lists_go_on_after_25_rows(alice: User) -> None:
    for n in range(26):
        factory.incident(f"Incident {n:02}")
    client = factory.signed_in(alice)

    first, second = client.get("/incidents/"), client.get("/incidents/?page=2&severity=sev3")

    assert "Incident 01" in first.text and "Incident 00" not in first.text
    assert "Incident 00" in second.text and "26 incidents" in second.text
    assert "page=1&amp;severity=sev3" in second.text or "severity=sev3&amp;page=1" in second.text


@pytest.mark.parametrize("page", ["0", "-1", "999999", "x", "²", ""])
def test_a_page_that_does_not_exist_is_the_nearest_one(alice: User, page: str) -> None:
    factory.incident("The only one")

    answer = factory.signed_in(alice).get("/incidents/", {"page": page})

    assert "The only one" in answer.text


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_hostile_text_is_only_text(alice: User) -> None:
    incident = factory.incident(
        HOSTILE, symptoms=HOSTILE, error_excerpt=HOSTILE, services=(HOSTILE,), external_url="javascript:alert(3)"
    )
    postmortem = factory.postmortem(
        HOSTILE, owner=alice, authors=HOSTILE, source_url="javascript:alert(4)", sections={"summary": HOSTILE}
    )
    fix = factory.fix(
        HOSTILE, postmortem=postmortem, commands=HOSTILE, risk=f"`{HOSTILE}`", undo=HOSTILE, steps=HOSTILE
    )
    factory.fix_use(fix, incident, note=HOSTILE)
    factory.action_item(HOSTILE, incident=incident, owner_text=HOSTILE, reason=HOSTILE, done_when=HOSTILE)
    client = factory.signed_in(alice)

    for address in (
        *(row.get_absolute_url() for row in (incident, postmortem, fix)),
        *(reverse(name) for name in LISTS),
        reverse("incident_edit", args=[incident.ref]),
        reverse("incident_new") + "?title=" + HOSTILE,
    ):
        page = client.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text, address
        assert "<img" not in page.text, address
        assert 'href="javascript:' not in page.text, address


@pytest.mark.portable
def test_no_page_has_inline_scripts_or_styles(alice: User) -> None:
    client, incident = factory.signed_in(alice), factory.incident()
    addresses = [reverse(name) for name in LISTS] + [
        incident.get_absolute_url(),
        *(
            reverse(f"incident_{name}", args=[incident.ref])
            for name in ("edit", "update", "times", "close", "cancel", "reopen")
        ),
    ]

    for address in addresses:
        text = client.get(address).text
        assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", text), address


class Tags(HTMLParser):
    """Collects what is wrong with the tags of a page: unclosed, closed twice, odd attributes, one id twice."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "path", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.wrong: list[str] = []
        self.feed(text)
        self.wrong += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if not re.fullmatch(r"[a-zA-Z][\w:-]*", name):
                self.wrong.append(f"<{tag} {name}>")
            if name == "id" and value in self.ids:
                self.wrong.append(f"id {value} twice")
            elif name == "id":
                self.ids.add(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.wrong.append(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")


@pytest.mark.portable
def test_pages_are_well_formed(alice: User, learn: Any) -> None:
    incident, old = factory.incident("Checkout answers 503", services=("Checkout",)), factory.incident("Mail is late")
    postmortem = factory.postmortem(
        "Checkout answered 503",
        services=("Checkout",),
        owner=alice,
        sections={"summary": "Down. ", "what_fixed_it": "A restart."},
    )
    fix = factory.fix(postmortem=postmortem, commands="x", risk="`x`", undo="y", steps="1. z")
    factory.fix_use(fix, incident, note="note")
    factory.action_item(postmortem=postmortem, owner=alice)
    factory.action_item(incident=incident, owner=alice)
    learn(incident, postmortem, fix, old, *(factory.postmortem(f"Disk {n} of mail filled up") for n in range(20)))
    client = factory.signed_in(alice)
    rows = [row.get_absolute_url() for row in (incident, old, postmortem, fix)]
    more = [
        "/search/?q=503",
        "/search/?q=zzyzx&kind=fix",
        "/incidents/new/?title=checkout+503",
        f"{rows[0]}edit/",
        "/nothing/",
    ]

    wrong = {
        address: tags.wrong
        for address in [*(reverse(name) for name in LISTS), *rows, *more]
        if (tags := Tags(client.get(address).text)).wrong
    }
    piece = client.post("/incidents/suggestions/", {"title": "checkout 503"})

    assert wrong == {}
    assert Tags(piece.text).wrong == []
    assert "Checkout answered 503" in piece.text  # else the piece was looked at without a suggestion in it


@pytest.mark.portable
def test_headings_start_at_one_and_leave_none_out(alice: User) -> None:
    client = factory.signed_in(alice)
    postmortem = factory.postmortem(sections={"summary": "Down."})
    rows = [factory.incident(), postmortem, factory.fix(postmortem=postmortem)]

    for address in [reverse(name) for name in LISTS] + [row.get_absolute_url() for row in rows]:
        levels = [int(level) for level in re.findall(r"<h([1-6])", client.get(address).text)]
        assert levels[0] == 1 and levels.count(1) == 1, address
        assert all(after <= before + 1 for before, after in pairwise(levels)), address


@pytest.mark.portable
def test_every_field_has_a_label(alice: User) -> None:
    client = factory.signed_in(alice)
    addresses = [reverse(name) for name in LISTS] + [factory.incident().get_absolute_url()]

    for address in addresses:
        text = client.get(address).text
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', text))
        for field in re.findall(r"<(?:input|select|textarea)[^>]*>", text):
            wrapped = 'type="checkbox"' in field or 'type="radio"' in field or "aria-label" in field
            named = re.search(r' id="([^"]+)"', field)
            assert 'type="hidden"' in field or wrapped or (named and named[1] in labelled), (address, field)


def test_the_pages_of_errors_need_nothing(client: Client, alice: User) -> None:
    missing = factory.signed_in(alice).get("/nothing/")

    assert missing.status_code == 404 and "There is no such page" in missing.text
    assert client.get("/nothing/").status_code == 404


def test_a_breakdown_is_said_without_the_database(rf: RequestFactory, db: None, django_assert_num_queries: Any) -> None:
    show = get_resolver().resolve_error_handler(500)

    with django_assert_num_queries(0):
        answer = show(rf.get("/"))

    assert answer.status_code == 500
    assert b"Something broke on our side" in answer.content


def test_postmortems_of_drafts_stay_with_their_team(alice: User, bob: User, charlie: User, team: Team) -> None:
    draft: Postmortem = factory.postmortem("Half written", status="draft", owner=alice, team=team)

    seen = {
        who.username: factory.signed_in(who).get(draft.get_absolute_url()).status_code for who in (alice, bob, charlie)
    }

    assert seen == {"alice": 200, "bob": 200, "charlie": 404}
    assert "Half written" in factory.signed_in(bob).get("/").text
