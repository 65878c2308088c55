"""A whole life by program: what pages do, the API does through the same workflows."""

from typing import Any

import pytest

from postmortems.models import (
    AuditEvent,
    Comparison,
    Fix,
    Incident,
    Notification,
    Postmortem,
    Problem,
    Service,
    User,
    Visibility,
)
from tests import factory
from tests.postmortems.api.asking import Program

pytestmark = pytest.mark.django_db


def done(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content[:500]
    return answer.json() if answer.content else None


# --- incidents ---


def test_an_incident_from_the_first_symptom_to_the_draft(alice: User, bob: User) -> None:
    program, service = Program(alice), factory.service("Checkout")
    Service.objects.filter(pk=service.pk).update(description="Takes the money.")

    new = done(program.post("/incidents/", title="Slow", symptoms="p95 is 9 s", services=["checkout"]), 201)
    at = f"/incidents/{new['ref']}/"
    assert (new["status"], new["services"], new["reported_by"]) == ("open", ["checkout"], "alice")
    assert done(program.post(f"{at}acknowledge/"))["status"] == "investigating"
    assert done(program.post(f"{at}take-command/"))["commander"] == "alice"
    assert done(Program(bob).post(f"{at}join/"))["participants"][1]["user"] == "bob"
    assert done(program.post(f"{at}hand-over/", to="bob"))["commander"] == "bob"
    assert program.post(f"{at}take-command/", instead_of=None).status_code == 409
    changed = done(program.patch(at, severity="sev2"))
    assert (changed["severity"], changed["services"], changed["symptoms"]) == ("sev2", ["checkout"], "p95 is 9 s")
    said = done(program.post(f"{at}timeline/", text="The pool is full", kind="diagnosis"), 201)
    assert done(program.patch(f"{at}timeline/{said['id']}/", text="The pool was full"))["kind"] == "diagnosis"
    assert program.ask("DELETE", f"{at}timeline/{said['id']}/").status_code == 204
    assert done(program.post(f"{at}mitigate/"))["mitigated_at"]
    assert done(program.post(f"{at}resolve/"))["status"] == "resolved"
    assert done(program.post(f"{at}times/", detected_at=new["started_at"]))["detected_at"] == new["started_at"]
    draft = done(program.post("/postmortems/", incident=new["ref"]), 201)
    assert draft["incidents"] == [new["ref"]] and "p95 is 9 s" in draft["sections"]["impact"]
    assert done(program.get(at))["postmortems"] == [draft["ref"]]
    assert done(program.get(f"{at}blockers/"))
    assert done(program.post(f"{at}reopen/", reason="Again."))["status"] == "investigating"
    assert program.post(f"{at}cancel/").status_code == 409
    assert done(program.post(f"{at}cancel/", reason="A drill."))["cancel_reason"] == "A drill."


def test_closing_over_what_is_missing_takes_a_manager(alice: User) -> None:
    incident = factory.incident(severity="sev1", status="resolved", resolved_at=factory.NOON)
    boss = factory.user("mia", roles=("manager",))
    at = f"/incidents/{incident.ref}/close/"

    assert Program(alice).post(at).status_code == 409
    assert Program(alice).post(at, reason="Enough.").status_code == 403
    assert done(Program(boss).post(at, reason="The vendor writes it."))["close_reason"] == "The vendor writes it."


def test_a_security_incident_starts_restricted(alice: User, bob: User) -> None:
    new = done(Program(alice).post("/incidents/", title="Odd logins", kind="security"), 201)

    assert new["visibility"] == "restricted"
    assert Program(bob).get(f"/incidents/{new['ref']}/").status_code == 404


def test_what_was_tried_and_what_people_said_of_a_suggestion(alice: User, charlie: User) -> None:
    incident, fix, hidden = factory.incident(), factory.fix(), factory.fix(visibility=Visibility.RESTRICTED)
    program, at = Program(alice), f"/incidents/{incident.ref}/"

    use = done(program.post(f"{at}outcomes/", fix=fix.ref, outcome="worked", minutes_to_effect=4), 201)
    other = done(Program(charlie).post(f"/fixes/{fix.ref}/outcomes/", incident=incident.ref, outcome="partly"), 201)

    assert (use["outcome"], other["outcome"]) == ("worked", "partly")
    assert [row["recorded_by"] for row in done(program.get(f"{at}outcomes/"))["results"]] == ["charlie"]
    assert done(program.get(f"/fixes/{fix.ref}/"))["partly"] == 1
    assert program.post(f"{at}outcomes/", fix=hidden.ref, outcome="worked").status_code == 400
    assert done(program.post(f"{at}verdicts/", item=factory.postmortem().ref, verdict="same_cause"))
    assert program.post(f"{at}verdicts/", item=incident.ref, verdict="same_cause").status_code == 409


def test_watching_and_sharing(alice: User, bob: User, charlie: User) -> None:
    incident, program = factory.incident(reported_by=alice), Program(alice)
    at = f"/incidents/{incident.ref}/"

    done(Program(bob).post(f"{at}watch/"))
    program.post(f"{at}resolve/")
    assert Notification.objects.filter(user=bob, action="incident.resolve").exists()
    done(Program(bob).post(f"{at}unwatch/"))
    known = done(program.put(f"{at}access/", visibility="restricted", members=["alice", "bob"], teams=[]))
    assert known == {"visibility": "restricted", "members": ["alice", "bob"], "teams": []}
    assert Program(charlie).get(f"{at}access/").status_code == 404
    locked = {"visibility": "restricted", "members": ["bob"], "teams": []}
    assert program.put(f"{at}access/", **locked).status_code == 409
    assert program.put(f"{at}access/", **locked, may_lock_out=True).status_code == 204
    assert AuditEvent.objects.filter(action="incident.access", channel="api").count() == 2


# --- postmortems ---


@pytest.fixture
def draft(alice: User, bob: User) -> Postmortem:
    texts = ("summary", "impact", "contributing_factors", "what_fixed_it")
    row = factory.postmortem(owner=alice, status="draft", sections={key: f"{key} said" for key in texts})
    row.members.add(bob)
    return row


def test_a_postmortem_from_the_draft_to_the_archive(alice: User, bob: User, draft: Postmortem) -> None:
    owner, reviewer, at = Program(alice), Program(bob), f"/postmortems/{draft.ref}/"
    all_yes = dict.fromkeys(("impact", "factors", "findable", "actions", "blameless"), "yes")

    assert owner.post(f"{at}publish/").status_code == 409
    assert owner.post(f"{at}request-review/", reviewers=["alice"]).status_code == 409
    assert done(owner.post(f"{at}request-review/", reviewers=["bob"]))["status"] == "in_review"
    remark = done(reviewer.post(f"{at}comments/", body="Since when?", section="impact"), 201)
    reply = done(owner.post(f"{at}comments/", body="Since nine.", reply_to=remark["id"]), 201)
    assert (reply["reply_to"], reply["section"]) == (remark["id"], "impact")
    assert done(owner.post(f"{at}comments/{remark['id']}/resolve/"))["resolved_by"] == "alice"
    assert done(owner.post(f"{at}comments/{remark['id']}/reopen/"))["resolved_at"] is None
    assert owner.post(f"{at}comments/", body="x", reply_to=999_999).status_code == 400
    revision = done(owner.get(f"{at}review/"))["revision"]
    assert reviewer.post(f"{at}verdict/", revision=revision, decision="approved").status_code == 409
    verdict = {"revision": revision, "decision": "approved", "checklist": all_yes}
    assert owner.post(f"{at}verdict/", **verdict).status_code == 403
    assert done(reviewer.post(f"{at}verdict/", **verdict))["status"] == "approved"
    assert done(owner.get(f"{at}review/"))["requests"][0]["decided"] == "approved"
    assert done(owner.post(f"{at}publish/"))["status"] == "published"
    assert done(owner.post(f"{at}archive/", reason="Replaced."))["status"] == "archived"
    assert done(owner.post(f"{at}publish-again/"))["status"] == "published"


def test_reviewers_come_and_go(alice: User, bob: User, charlie: User, draft: Postmortem) -> None:
    owner, at = Program(alice), f"/postmortems/{draft.ref}/"
    draft.members.add(charlie)
    done(owner.post(f"{at}request-review/", reviewers=["bob"]))

    done(owner.post(f"{at}add-reviewer/", reviewer="charlie"))
    done(owner.post(f"{at}remove-reviewer/", reviewer="bob"))

    assert [row["reviewer"] for row in done(owner.get(f"{at}review/"))["requests"]] == ["charlie"]


def test_each_save_is_a_revision_that_can_be_gone_back_to(alice: User, draft: Postmortem) -> None:
    program, at = Program(alice), f"/postmortems/{draft.ref}/"

    done(program.patch(at, title="Pool ran dry", tags=["dns", "DNS"], occurred_on="2026-03-01", note="Named."))
    done(program.put(f"{at}sections/lessons/", body="Watch **pools**.\r\n"))
    said = done(program.get(f"{at}sections/lessons/"))
    assert (said["body"], "<strong>pools</strong>" in said["html"]) == ("Watch **pools**.", True)
    assert [row["number"] for row in done(program.get(f"{at}revisions/"))["results"]] == [3, 2, 1]
    first = done(program.get(f"{at}revisions/1/"))["content"]
    back = done(program.post(f"{at}revisions/1/restore/", newest=3))
    assert (back["title"], back["revision"], "lessons" in back["sections"]) == (first["title"], 4, False)
    assert program.post(f"{at}revisions/1/restore/", newest=3).status_code == 409
    assert {program.get(f"{at}revisions/{number}/").status_code for number in (9, 10**9, 10**30)} == {404}
    assert program.put(f"{at}sections/moral/", body="x").status_code == 404


def test_the_timeline_of_a_postmortem_is_part_of_its_revisions(alice: User, draft: Postmortem) -> None:
    program, at = Program(alice), f"/postmortems/{draft.ref}/"

    entry = done(program.post(f"{at}timeline/", text="Paged", at="2026-03-01T12:00:00Z"), 201)
    done(program.patch(f"{at}timeline/{entry['id']}/", text="Paged twice"))

    row = done(program.get(f"{at}timeline/"))["results"][0]
    assert (row["text"], row["at"]) == ("Paged twice", "2026-03-01T12:00:00Z")
    assert done(program.get(at))["revision"] == 3


def test_who_may_only_read_a_postmortem_changes_nothing(bob: User, alice: User) -> None:
    row, program = factory.postmortem(owner=alice, sections={"summary": "It was down."}), Program(bob)
    at = f"/postmortems/{row.ref}/"

    answers = [
        program.patch(at, title="Mine"),
        program.put(f"{at}sections/summary/", body="Mine"),
        program.post(f"{at}archive/", reason="Mine"),
        program.post(f"{at}look-again/"),
        program.post(f"{at}timeline/", text="Mine"),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert program.get(f"{at}comments/").status_code == 404  # the review of what is published is not everybody's
    row.refresh_from_db()
    assert (row.title, row.revision) == ("Checkout was down", 0)


def test_look_alikes_are_compared(alice: User) -> None:
    new, old = factory.postmortem(owner=alice), factory.postmortem("Earlier", owner=alice)
    asked = Comparison.objects.create(postmortem=new, earlier=old, at=factory.NOON)
    program, at = Program(alice), f"/postmortems/{new.ref}/comparisons/"

    assert done(program.get(at))["results"][0]["verdict"] == "undecided"
    assert done(program.post(f"{at}{asked.pk}/", verdict="same_cause", title="Pools"))["verdict"] == "same_cause"
    assert Problem.objects.get().postmortems.count() == 2


# --- fixes and problems ---


def test_a_fix_from_the_draft_to_retirement(alice: User) -> None:
    program, incident = Program(alice), factory.incident()

    new = done(program.post("/fixes/", title="Drain it", steps="Drain.", incident=incident.ref), 201)
    at = f"/fixes/{new['ref']}/"
    assert (new["state"], new["worked"], new["freshness"]) == ("draft", 1, "fresh")
    assert done(program.post(f"{at}verify/"))["state"] == "verified"
    assert done(program.patch(at, commands="drain --all"))["state"] == "draft"
    assert done(program.post(f"{at}confirm/"))["confirmed_by"] == "alice"
    assert program.post(f"{at}retire/").status_code == 409
    assert done(program.post(f"{at}retire/", reason="Gone."))["retired_reason"] == "Gone."
    assert done(program.post(f"{at}take-back/"))["state"] == "draft"
    assert program.post("/fixes/", title="Nothing").status_code == 400


def test_a_fix_of_a_restricted_incident_is_as_restricted(alice: User, charlie: User) -> None:
    incident = factory.incident(visibility=Visibility.RESTRICTED)
    incident.members.add(alice)

    new = done(Program(alice).post("/fixes/", title="Drain it", steps="x", incident=incident.ref), 201)

    assert Program(charlie).get(f"/fixes/{new['ref']}/").status_code == 404


def test_problems_are_named_linked_merged_and_solved(alice: User) -> None:
    program, postmortem, fix = Program(alice), factory.postmortem(), factory.fix(state=Fix.State.VERIFIED)

    new = done(program.post("/problems/", title="Pools run dry", cause_category="capacity"), 201)
    at = f"/problems/{new['ref']}/"
    assert done(program.post(f"{at}link/", row=postmortem.ref))["postmortems"] == [postmortem.ref]
    assert done(program.post(f"{at}link/", row=fix.ref))["known_fixes"] == 1
    assert program.post(f"{at}link/", row=fix.ref).status_code == 409
    assert done(program.patch(at, discriminating_check="Look at the slots."))["title"] == "Pools run dry"
    assert done(program.post(f"{at}state/", state="known_error"))["state"] == "known_error"
    assert program.post(f"{at}state/", state="known_error").status_code == 409
    assert done(program.post(f"{at}unlink/", row=fix.ref))["fixes"] == []
    other = done(program.post("/problems/", title="Pool is empty"), 201)
    assert done(program.post(f"{at}merge/", other=other["ref"]))["ref"] == new["ref"]
    assert Problem.objects.count() == 1


# --- action items ---


def test_a_promise_until_somebody_else_has_seen_that_it_holds(alice: User, bob: User) -> None:
    owner, other, boss = Program(alice), Program(bob), Program(factory.user("mia", roles=("manager",)))
    home = factory.postmortem(severity="sev1")

    new = done(owner.post("/actions/", title="Alert on saturation", home=home.ref, owner="alice"), 201)
    at = f"/actions/{new['ref']}/"
    assert (new["postmortem"], new["owner"], new["state"], new["kind"]) == (home.ref, "alice", "open", "prevent")
    assert done(owner.patch(at, done_when="It pages at 90 %."))["done_when"] == "It pages at 90 %."
    assert done(owner.post(f"{at}start/"))["state"] == "in_progress"
    assert owner.post(f"{at}reschedule/", due_on="2026-12-01", reason="").status_code in {400, 409}
    assert done(owner.post(f"{at}reschedule/", due_on="2027-12-01", reason="Vendor."))["due_on"] == "2027-12-01"
    assert done(owner.post(f"{at}complete/", evidence="A test."))["state"] == "done"
    assert owner.post(f"{at}verify/").status_code == 409
    assert done(other.post(f"{at}verify/"))["verified_by"] == "bob"
    assert done(other.post(f"{at}reopen/", reason="It did not hold."))["state"] == "open"
    assert done(owner.post(f"{at}assign/", owner=None))["owner"] is None
    many = {"items": [new["ref"]], "owner": "bob", "reason": "Moved."}
    assert done(owner.post("/actions/change-many/", **many)) == {"changed": 1}
    assert owner.post("/actions/change-many/", items=[]).status_code == 400
    assert done(boss.post(f"{at}decline/", reason="Too dear."))["approved_by"] == "mia"
    assert [row["ref"] for row in done(other.get("/actions/", mine="true"))["results"]] == [new["ref"]]


def test_nobody_owns_what_they_may_not_see(alice: User, charlie: User) -> None:
    home = factory.postmortem(owner=alice, visibility=Visibility.RESTRICTED)
    home.members.add(alice)

    answer = Program(alice).post("/actions/", title="Alert", home=home.ref, owner="charlie")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_theirs")
    assert Program(charlie).post("/actions/", title="Alert", home=home.ref).status_code == 400


# --- the rest ---


def test_a_token_knows_whose_it_is(alice: User, team: Any) -> None:
    me = done(Program(alice, "read").get("/me/"))
    session = done(factory.signed_in(alice).get("/api/v1/me/"))

    assert (me["username"], me["scopes"], me["teams"]) == ("alice", ["read"], ["payments"])
    assert sorted(me["roles"]) == ["author", "reviewer"] and session["scopes"] is None
    assert len(done(Program(alice).get("/sections/"))) > 10


def test_a_session_asks_too_and_needs_its_csrf_token(alice: User) -> None:
    client = factory.signed_in(alice)
    client.handler.enforce_csrf_checks = True

    answer = client.post("/api/v1/incidents/", {"title": "Slow"}, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert not Incident.objects.exists()
