"""Who may do what: generated from the written table. Each ability is tried by each role, at each door it has."""

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from postmortems.models import (
    ActionItem,
    Fix,
    GlossaryEntry,
    Incident,
    Postmortem,
    ReviewRequest,
    Revision,
    User,
    Webhook,
    WebhookDelivery,
)
from postmortems.models.revision import content_of
from postmortems.roles import ABILITIES, BY_KEY, Role
from tests import factory
from tests.postmortems.conftest import Learn

ROOT = Path(__file__).resolve().parent.parent.parent


class Stage:
    """Rows to act on, which the person may see and, as far as that goes by rows, edit."""

    def __init__(self, who: User) -> None:
        self.who = who
        self.incident: Incident = factory.incident(reported_by=who)
        self.fix: Fix = factory.fix()
        self.postmortem: Postmortem = factory.postmortem(owner=who)
        self.of_others: Postmortem = factory.postmortem("Mail was late", owner=factory.user("olga"))
        self.approved = self.in_state("approved", owner=who)
        self.in_review = self.in_state("in_review", owner=self.of_others.owner)
        self.in_review.members.add(who)
        ReviewRequest.objects.create(postmortem=self.in_review, reviewer=who, requested_at=factory.NOON)
        self.item: ActionItem = factory.action_item(postmortem=self.postmortem, owner_text="Bob S.")
        self.done: ActionItem = factory.action_item(postmortem=self.postmortem, state="done")
        self.glossary_entry: GlossaryEntry = GlossaryEntry.objects.create(terms="pager\nbeeper")

    def in_state(self, status: str, **details: Any) -> Postmortem:
        row = factory.postmortem(status=status, sections={"summary": "It was down."}, **details)
        Revision.objects.create(postmortem=row, number=1, content=content_of(row), at=factory.NOON)
        Postmortem.objects.filter(pk=row.pk).update(revision=1)
        return row

    def webhook(self) -> Webhook:
        return Webhook.objects.add(
            **{"name": "Pager", "url": "https://hooks.example.org/x", "secret": "whsec_eA==", "at": factory.NOON},
            **{"account": self.who, "events": ["incident.opened"]},
        )

    def delivery(self) -> WebhookDelivery:
        return WebhookDelivery.objects.create(webhook=self.webhook(), event="test", key="test:1", at=factory.NOON)

    def at(self, row: Any, step: str = "") -> str:
        return f"{row.get_absolute_url()}{step}{'/' if step else ''}"


Request = Callable[[Stage, Client], Any]


def api(by: Client, row: Any, step: str = "", **body: Any) -> Any:
    """The same by program: PATCH for what is written of it, POST for a step."""
    place = {"INC": "incidents", "PM": "postmortems", "FIX": "fixes", "PRB": "problems", "ACT": "actions"}
    address = f"/api/v1/{place[row.ref_prefix]}/{row.ref}/"
    if step:
        return by.post(f"{address}{step}/", body, content_type="application/json")
    return by.patch(address, body, content_type="application/json")


def api_new(by: Client, place: str, **body: Any) -> Any:
    return by.post(f"/api/v1/{place}/", body, content_type="application/json")


TITLE = {"title": "Checkout answers 503", "severity": "sev3", "kind": "service", "environment": "production"}
DECLARED = {**TITLE, "started_at": "2026-03-01T12:00"}

FIX = {"title": "Drain it", "kind": "mitigation", "steps": "Drain.", "confirm_every_months": "6"}

ITEM = {"title": "Alert on slots", "done_when": "It fires.", "kind": "detect", "priority": "high"}

# ability -> door -> a request that does it.
REQUESTS: Mapping[str, Mapping[str, Request]] = {
    "read": {
        "incidents": lambda on, by: by.get("/incidents/"),
        "an incident": lambda on, by: by.get(on.at(on.incident)),
        "a postmortem": lambda on, by: by.get(on.at(on.postmortem)),
        "watch": lambda on, by: by.post(on.at(on.incident, "watch")),
        "watch services": lambda on, by: by.post("/notifications/services/"),
        "search": lambda on, by: by.get("/search/?q=pool"),
        "export": lambda on, by: by.get("/export/records.jsonl"),
        "export, as a program": lambda on, by: by.get("/api/v1/export/?format=jsonl"),
        "suggestions": lambda on, by: by.post("/incidents/suggestions/", {"title": "Checkout"}),
        "search, as a program": lambda on, by: by.get("/api/v1/search/?q=pool"),
        "watch, as a program": lambda on, by: api(by, on.incident, "watch"),
        "one's notifications, as a program": lambda on, by: by.get("/api/v1/notifications/"),
        "a list of one's own, as a program": lambda on, by: api_new(by, "saved-filters", name="Late", query="due=late"),
        "one's tokens, as a program": lambda on, by: by.get("/api/v1/tokens/"),
        "who am I": lambda on, by: by.get("/api/v1/me/"),
    },
    "declare": {
        "page": lambda on, by: by.post("/incidents/new/", DECLARED),
        "as a program": lambda on, by: api_new(by, "incidents", title="Slow"),
    },
    "respond": {
        "edit": lambda on, by: by.get(on.at(on.incident, "edit")),
        "edit, as a program": lambda on, by: api(by, on.incident, title="Slow"),
        **{
            f"{step}, as a program": lambda on, by, step=step: api(by, on.incident, step)  # type: ignore[misc]
            for step in ("acknowledge", "mitigate", "resolve", "take-command", "join", "times")
        },
        "cancel, as a program": lambda on, by: api(by, on.incident, "cancel", reason="x"),
        "update, as a program": lambda on, by: api(by, on.incident, "timeline", text="p95 falls"),
        "outcome, as a program": lambda on, by: api(by, on.incident, "outcomes", fix=on.fix.ref, outcome="worked"),
        "save": lambda on, by: by.post(on.at(on.incident, "edit"), DECLARED),
        "mitigate": lambda on, by: by.post(on.at(on.incident, "mitigate")),
        "resolve": lambda on, by: by.post(on.at(on.incident, "resolve")),
        "look": lambda on, by: by.post(on.at(on.incident, "acknowledge")),
        "command": lambda on, by: by.post(on.at(on.incident, "command")),
        "join": lambda on, by: by.post(on.at(on.incident, "join")),
        "leave": lambda on, by: by.post(on.at(on.incident, "release")),
        "update": lambda on, by: by.post(on.at(on.incident, "update"), {"text": "p95 falls"}),
        "times": lambda on, by: by.get(on.at(on.incident, "times")),
        "close": lambda on, by: by.get(on.at(on.incident, "close")),
        "cancel": lambda on, by: by.post(on.at(on.incident, "cancel"), {"reason": "A drill."}),
        "reopen": lambda on, by: by.get(on.at(on.incident, "reopen")),
        "outcome": lambda on, by: by.post(on.at(on.incident, "outcome"), {"fix": on.fix.ref, "outcome": "worked"}),
        "verdict": lambda on, by: by.post(
            on.at(on.incident, "verdict"), {"item": on.postmortem.ref, "verdict": "same_cause"}
        ),
    },
    "override": {
        "close what misses something": lambda on, by: by.post(
            on.at(factory.incident(severity="sev1", status="resolved", resolved_at=factory.NOON), "close"),
            {"reason": "The vendor writes it."},
        ),
    },
    "verify": {
        "verify a fix": lambda on, by: by.post(on.at(factory.fix(commands="x"), "verify")),
        "retire it": lambda on, by: by.post(on.at(on.fix, "retire"), {"reason": "Gone."}),
        "verify it, as a program": lambda on, by: api(by, factory.fix(commands="x"), "verify"),
        "retire it, as a program": lambda on, by: api(by, on.fix, "retire", reason="Gone."),
        "take it back": lambda on, by: by.post(on.at(factory.fix(state="retired"), "take-back")),
    },
    "curate": {
        "a new fix": lambda on, by: by.post("/fixes/new/", FIX),
        "a new fix, as a program": lambda on, by: api_new(by, "fixes", title="Drain it", steps="Drain."),
        "edit it, as a program": lambda on, by: api(by, factory.fix(steps="x"), title="Drain it"),
        "a new problem, as a program": lambda on, by: api_new(by, "problems", title="Pools run dry"),
        "edit it": lambda on, by: by.get(on.at(on.fix, "edit")),
        "still valid": lambda on, by: by.post(on.at(on.fix, "confirm")),
        "a group of words": lambda on, by: by.post("/glossary/", {"terms": "k9s\nkanine"}),
        "change it": lambda on, by: by.post(f"/glossary/{on.glossary_entry.pk}/", {"terms": "k9s\nkanine"}),
        "remove it": lambda on, by: by.post(f"/glossary/{on.glossary_entry.pk}/remove/"),
        "a group of words, as a program": lambda on, by: api_new(by, "glossary", terms=["k9s", "kanine"]),
        "remove it, as a program": lambda on, by: by.delete(f"/api/v1/glossary/{on.glossary_entry.pk}/"),
    },
    "follow_up": {
        "a new one": lambda on, by: by.post(f"/actions/new/?postmortem={on.postmortem.ref}", ITEM),
        "edit it": lambda on, by: by.post(on.at(on.item, "edit"), ITEM),
        "start it": lambda on, by: by.post(on.at(on.item, "start")),
        "a new one, as a program": lambda on, by: api_new(by, "actions", title="Alert", home=on.postmortem.ref),
        "edit it, as a program": lambda on, by: api(by, on.item, title="Alert"),
        **{
            f"{step}, as a program": lambda on, by, step=step: api(by, on.item, step)  # type: ignore[misc]
            for step in ("start", "complete")
        },
        "whose name it is, as a program": lambda on, by: api(by, on.item, "identify", user="sam"),
        "a list for everybody, as a program": lambda on, by: api_new(
            by, "saved-filters", name="Late", query="due=late", is_shared=True
        ),
        "take it": lambda on, by: by.post(on.at(on.item, "take")),
        "hand it over": lambda on, by: by.post(on.at(on.item, "assign"), {"owner": "sam"}),
        "say whose name it is": lambda on, by: by.post(on.at(on.item, "identify"), {"user": "sam"}),
        "done": lambda on, by: by.post(on.at(on.item, "complete"), {"evidence": "A test."}),
        "verify it": lambda on, by: by.post(on.at(on.done, "verify"), {"evidence": "A test."}),
        "open it again": lambda on, by: by.post(on.at(on.done, "reopen"), {"reason": "It did not hold."}),
        "another date": lambda on, by: by.post(
            on.at(on.item, "reschedule"), {"reason": "Late.", "due_on": "2026-09-01"}
        ),
        "several at once": lambda on, by: by.post(
            "/actions/change/", {"item": on.item.pk, "owner": "sam", "reason": "", "sure": "on"}
        ),
        "a list for everybody": lambda on, by: by.post(
            "/actions/saved/", {"name": "Late", "query": "due=late", "is_shared": "on"}
        ),
    },
    "decline": {
        "page": lambda on, by: by.post(on.at(on.item, "decline"), {"reason": "Too dear."}),
        "as a program": lambda on, by: api(by, on.item, "decline", reason="Too dear."),
    },
    "write": {
        "begin, as a program": lambda on, by: api_new(by, "postmortems", title="It was slow"),
        "one's own, as a program": lambda on, by: api(by, on.postmortem, title="It was slow"),
        "a file of it, as a program": lambda on, by: by.post(
            f"/api/v1/postmortems/{on.postmortem.ref}/attachments/", {"file": SimpleUploadedFile("a.csv", b"a,b")}
        ),
        "a new postmortem": lambda on, by: by.get("/postmortems/new/"),
        "one's own": lambda on, by: by.get(on.at(on.postmortem, "edit")),
    },
    "write_any": {"somebody else's": lambda on, by: by.get(on.at(on.of_others, "edit"))},
    "publish": {
        "page": lambda on, by: by.post(on.at(on.approved, "publish"), {"reason": ""}),
        "as a program": lambda on, by: api(by, on.approved, "publish"),
    },
    "review": {
        "verdict": lambda on, by: by.post(
            on.at(on.in_review, "review"), {"revision": "1", "decision": "changes_requested", "note": "Say more."}
        ),
        "as a program": lambda on, by: api(
            by, on.in_review, "verdict", revision=1, decision="changes_requested", note="Say more."
        ),
    },
    "comment": {
        "page": lambda on, by: by.post(on.at(on.in_review, "comments"), {"section": "summary", "body": "Since when?"}),
        "as a program": lambda on, by: api(by, on.in_review, "comments", body="Since when?"),
    },
    "administer": {
        "import": lambda on, by: by.put("/api/v1/imports/a.md", b"# Down\n\n## Summary\n\nIt was.\n"),
        "import, on the page": lambda on, by: by.post(
            "/import/", {"file": SimpleUploadedFile("a.md", b"# Down\n\n## Summary\n\nIt was.\n")}
        ),
        "its page": lambda on, by: by.get("/import/"),
        "the audit log": lambda on, by: by.get("/audit/"),
        "programs": lambda on, by: by.get("/programs/"),
        "a new program": lambda on, by: by.post("/programs/", {"name": "pager-bot", "role": "author"}),
        "webhooks": lambda on, by: by.get("/webhooks/"),
        "a new webhook": lambda on, by: by.post("/webhooks/", {"name": "Pager"}),
        "webhooks, as a program": lambda on, by: by.get("/api/v1/webhooks/"),
        "a new webhook, as a program": lambda on, by: api_new(
            by, "webhooks", name="Pager", url="https://hooks.example.org/x", events=["incident.opened"], account="sam"
        ),
        "a webhook": lambda on, by: by.get(f"/webhooks/{on.webhook().pk}/"),
        "change a webhook": lambda on, by: by.post(f"/webhooks/{on.webhook().pk}/", {"name": "Pager"}),
        "its secret": lambda on, by: by.post(f"/webhooks/{on.webhook().pk}/secret/"),
        "on and off": lambda on, by: by.post(f"/webhooks/{on.webhook().pk}/switch/"),
        "a test": lambda on, by: by.post(f"/webhooks/{on.webhook().pk}/test/"),
        "remove a webhook": lambda on, by: by.post(f"/webhooks/{on.webhook().pk}/remove/"),
        "a delivery again": lambda on, by: by.post(f"/webhooks/deliveries/{on.delivery().pk}/again/"),
        "jobs": lambda on, by: by.get("/jobs/"),
        "a job again": lambda on, by: by.post(f"/jobs/{uuid4()}/again/"),
        "people": lambda on, by: by.get("/people/"),
        "a person": lambda on, by: by.get(f"/people/{on.who.pk}/"),
        "change a person": lambda on, by: by.post(
            f"/people/{on.who.pk}/", {"roles": "administrator", "is_active": "on"}
        ),
    },
    "share": {
        "an incident": lambda on, by: by.post(on.at(on.incident, "access"), {"visibility": "open"}),
        "a fix": lambda on, by: by.post(on.at(on.fix, "access"), {"visibility": "open"}),
        "a postmortem": lambda on, by: by.post(on.at(on.postmortem, "access"), {"visibility": "open"}),
    },
    "invite": {
        "page": lambda on, by: by.get("/invitations/"),
        "invite": lambda on, by: by.post("/invitations/", {"email": "new@example.org", "role": "author"}),
    },
}

# Their rows are fetched by the right to edit them: to others there is no such page, or it says whose it is.
BY_ROW = {"write_any", "publish"}

DOORS = [(ability, door) for ability, doors in REQUESTS.items() for door in doors]
# An administrator goes through every door, and a manager through most by the rows that they may see: that is all there
# is to ask of a database. To refuse the others is Python's part.
ROLES = [
    role if role in {Role.ADMINISTRATOR, Role.MANAGER} else pytest.param(role, marks=pytest.mark.portable)
    for role in Role
]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("ability", "door"), DOORS)
def test_a_role_may_do_exactly_what_the_table_says(learn: Learn, ability: str, door: str, role: Role) -> None:
    who = factory.user("sam", roles=(role,))

    answer = REQUESTS[ability][door](Stage(who), factory.signed_in(who))

    if role in BY_KEY[ability].roles:
        assert answer.status_code in {200, 201, 204, 302}, answer.text[:2000]
    else:
        assert answer.status_code == 403 or (ability in BY_ROW and answer.status_code == 404)
        if ability in BY_ROW:
            return
        says = BY_KEY[ability].says
        assert says[1:].partition(":")[0] in answer.text.replace("&#x27;", "'")


@pytest.mark.django_db
@pytest.mark.parametrize(("ability", "door"), DOORS)
@pytest.mark.portable
def test_a_stranger_may_nothing(ability: str, door: str) -> None:
    answer = REQUESTS[ability][door](Stage(factory.user("sam")), Client())

    assert answer.status_code in {302, 401, 403}
    assert answer.status_code != 302 or answer.url.startswith("/accounts/login/")


def asked_for() -> set[str]:
    """Abilities that the program asks for: the last words of `require`, `may` and of what stands for them."""
    found = set()
    for path in (ROOT / "postmortems").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"require", "may"}:
                found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and arg.value in BY_KEY}
    return found


def test_each_ability_that_is_asked_for_has_a_door_in_this_test() -> None:
    """Failed? Add the request that does it to `REQUESTS`, above."""
    assert asked_for() - set(REQUESTS) == set()
    assert set(REQUESTS) <= set(BY_KEY)


@pytest.mark.django_db
def test_somebody_without_a_role_is_a_reader(learn: Learn) -> None:
    nobody = factory.user("sam", roles=())

    assert nobody.roles == {Role.READER}
    assert factory.signed_in(nobody).post("/incidents/new/", DECLARED).status_code == 403


@pytest.mark.django_db
def test_a_refusal_says_whom_to_ask(admin: User) -> None:
    reader = factory.user("rita", roles=("reader",))

    answer = factory.signed_in(reader).post("/incidents/new/", DECLARED)

    assert "declare an incident" in answer.text
    assert str(admin) in answer.text and "/about/roles/" in answer.text


@pytest.mark.django_db
def test_what_one_may_not_press_is_not_shown(learn: Learn) -> None:
    incident = factory.incident()

    def shown(*roles: str) -> str:
        client = factory.signed_in(
            User.objects.filter(username=roles[0]).first() or factory.user(roles[0], roles=roles)
        )
        return "".join(client.get(page).text for page in ("/", "/incidents/new/", f"/incidents/{incident.ref}/"))

    buttons = ("Declare incident", "Mark resolved", "/edit/", "/outcome/")
    assert [button for button in buttons if button in shown("reader")] == []
    assert [button for button in buttons if button not in shown("author")] == []


# --- the table, where people read it ---


@pytest.mark.django_db
def test_the_page_shows_the_table() -> None:
    page = factory.signed_in(factory.user("rita", roles=("reader",))).get("/about/roles/").text

    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', page.replace("&#x27;", "'"), re.DOTALL)
    assert [says for says, _ in rows] == [ability.says for ability in ABILITIES]
    for (_, cells), ability in zip(rows, ABILITIES, strict=True):
        assert re.findall(r">(yes|no)<", cells) == ["yes" if role in ability.roles else "no" for role in Role]


def test_the_readme_shows_the_table() -> None:
    text = (ROOT / "postmortems/README.md").read_text()
    head = f"| | {' | '.join(Role)} |"
    wanted = [
        f"| {ability.says} | {' | '.join('yes' if role in ability.roles else '' for role in Role)} |"
        for ability in ABILITIES
    ]

    assert head in text
    assert [line for line in wanted if line not in text] == []
