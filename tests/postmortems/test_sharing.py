"""Who may see a document: changed on a page, written down, in force at once and everywhere."""

import pytest

from postmortems import search
from postmortems.models import (
    AuditEvent,
    Comment,
    Fix,
    Incident,
    Notification,
    Postmortem,
    ReviewRequest,
    Service,
    Tag,
    Team,
    User,
    Visibility,
    Watch,
    WorkingCopy,
)
from postmortems.workflows import sharing
from tests import factory
from tests.factory import NOON
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db


def restrict(row: sharing.Document, *members: User, by: User, teams: tuple[Team, ...] = (), **more: bool) -> None:
    sharing.change_access(row, visibility="restricted", members=members, teams=teams, by=by, at=NOON, **more)


def test_a_page_restricts_it_to_people_and_teams(
    learn: Learn, alice: User, bob: User, charlie: User, team: Team
) -> None:
    incident = factory.incident(reported_by=alice)
    page = f"/incidents/{incident.ref}/access/"

    answer = factory.signed_in(alice).post(
        page, {"visibility": "restricted", "members": "alice", "teams": team.slug}, follow=True
    )

    assert "saved" in answer.text
    assert [factory.signed_in(who).get(page).status_code for who in (alice, bob, charlie)] == [200, 200, 404]
    event = AuditEvent.objects.get(action="incident.access")
    assert event.changes == {
        "visibility": ["open", "restricted"],
        "members": [[], ["alice"]],
        "teams": [[], ["Payments"]],
    }


def test_nobody_locks_themselves_out_without_saying_so(learn: Learn, alice: User, bob: User) -> None:
    incident = factory.incident()
    page = f"/incidents/{incident.ref}/access/"
    wish = {"visibility": "restricted", "members": "bob"}

    refused = factory.signed_in(alice).post(page, wish)
    assert "You would not see" in refused.text and "bob</textarea>" in refused.text
    assert Incident.objects.visible_to(alice).contains(incident)

    done = factory.signed_in(alice).post(page, {**wish, "may_lock_out": "on"}, follow=True)
    assert done.status_code == 200
    assert not Incident.objects.visible_to(alice).contains(incident)


def test_a_name_that_nobody_has_is_said_and_nothing_is_lost(alice: User) -> None:
    incident = factory.incident()

    answer = factory.signed_in(alice).post(
        f"/incidents/{incident.ref}/access/", {"visibility": "restricted", "members": "alice, alcie"}
    )

    assert "Nobody has the user name alcie" in answer.text and "alice, alcie" in answer.text
    assert not Incident.objects.get().is_restricted


def test_a_postmortem_is_shared_by_those_who_may_edit_it(alice: User, bob: User, charlie: User, team: Team) -> None:
    postmortem = factory.postmortem(owner=alice, team=team)
    page = f"/postmortems/{postmortem.ref}/access/"

    assert [factory.signed_in(who).get(page).status_code for who in (alice, bob, charlie)] == [200, 200, 403]


def test_who_is_removed_loses_it_at_once_everywhere(learn: Learn, alice: User, bob: User) -> None:
    incident = factory.incident("Vault keys rotated")
    postmortem = factory.postmortem("Vault keys were rotated too early", owner=alice)
    postmortem.incidents.add(incident)
    fix = factory.fix("Unseal the vault again", postmortem=postmortem)
    restrict(incident, alice, bob, by=alice)
    home = {"postmortem": postmortem}
    WorkingCopy.objects.create(user=bob, base_revision=1, content={}, saved_at=NOON, **home)
    ReviewRequest.objects.create(reviewer=bob, requested_by=alice, requested_at=NOON, **home)
    Watch.objects.create(user=bob, since=NOON, **home)
    Notification.objects.create(user=bob, action="x", text="Vault", at=NOON, **home)
    Comment.objects.create(by=alice, body="Vault", revision=1, at=NOON, **home)
    learn(incident, postmortem, fix)  # and not again afterwards: the index does not know of the change
    rows = (incident, postmortem, fix)
    found = {row.ref for row in rows}

    def sees(who: User) -> tuple[set[str], set[str], int]:
        hits = {hit.ref for hit in search.find("vault", user=who).results}
        pages = {row.ref for row in rows if factory.signed_in(who).get(row.get_absolute_url()).status_code == 200}
        told = Notification.objects.visible_to(who).count() + Comment.objects.visible_to(who).count()
        return hits, pages, told

    assert sees(bob) == (found, found, 2)

    restrict(incident, alice, by=alice)

    assert sees(bob) == (set(), set(), 0)
    assert sees(alice)[:2] == (found, found)
    assert not Postmortem.objects.editable_by(bob).exists()
    assert "Vault" not in factory.signed_in(bob).get("/").text


def test_a_team_that_somebody_left_grants_nothing(learn: Learn, alice: User, bob: User, team: Team) -> None:
    incident = factory.incident()
    restrict(incident, alice, by=alice, teams=(team,))
    assert Incident.objects.visible_to(bob).contains(incident)

    team.members.remove(bob)

    assert not Incident.objects.visible_to(bob).contains(incident)


def test_hidden_and_missing_are_the_same_answer(learn: Learn, alice: User, charlie: User) -> None:
    hidden = factory.incident(visibility=Visibility.RESTRICTED)
    client = factory.signed_in(charlie)

    def answer(ref: str, step: str) -> tuple[int, str]:
        got = client.get(f"/incidents/{ref}/{step}")
        return got.status_code, got.text.replace(ref, "REF").replace(str(client.cookies), "")

    for step in ("", "edit/", "access/", "history/"):
        (status, body), (missing_status, missing_body) = answer(hidden.ref, step), answer("INC-999999", step)
        assert status == missing_status == 404
        assert without_tokens(body) == without_tokens(missing_body)


def without_tokens(page: str) -> list[str]:
    return [line for line in page.splitlines() if "csrf" not in line.lower()]


def test_a_fix_is_restricted_for_itself(learn: Learn, alice: User, charlie: User) -> None:
    fix = factory.fix("Unseal the vault")
    learn(fix)

    restrict(fix, alice, by=alice)

    assert not Fix.objects.visible_to(charlie).exists()
    assert [search.find("vault", user=who).total for who in (alice, charlie)] == [1, 0]


def test_saying_the_same_again_writes_nothing_down(alice: User) -> None:
    incident = factory.incident()

    sharing.change_access(incident, visibility="open", members=(), teams=(), by=alice, at=NOON)

    assert not AuditEvent.objects.exists()


# --- what hangs on an open row and has closed doors of its own ---


def test_words_of_what_is_hidden_do_not_find_the_open_row_it_hangs_on(learn: Learn, alice: User) -> None:
    postmortem, incident = factory.postmortem("Checkout was down"), factory.incident()
    shut = factory.incident("Keys were stolen", visibility=Visibility.RESTRICTED)
    factory.fix("Rotate the quokka", postmortem=postmortem, visibility=Visibility.RESTRICTED)
    factory.action_item("Buy another wombat", postmortem=postmortem, incident=shut)
    hidden = factory.postmortem(visibility=Visibility.RESTRICTED)
    hidden.incidents.add(incident)
    learn(postmortem, incident)

    assert search.find("checkout", user=alice).total == 2
    for words in ("quokka", "wombat", "has:fix", "has:action", "has:postmortem"):
        assert search.find(words, user=alice).total == 0, words


def test_a_service_or_tag_that_only_hidden_rows_name_is_listed_nowhere(alice: User, team: Team) -> None:
    shut = factory.postmortem(services=("Vault", "Checkout"), visibility=Visibility.RESTRICTED)
    shut.tags.add(Tag.objects.called("breach"))
    factory.incident(services=("Checkout",))
    factory.service("Brand new")
    owned = factory.service("Payroll")
    shut.services.add(owned)
    Service.objects.filter(pk=owned.pk).update(owner_team=team)

    assert [service.name for service in Service.objects.in_use()] == ["Brand new", "Checkout", "Payroll"]
    assert not Tag.objects.listed().exists()
