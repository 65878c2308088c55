"""The leak matrix: who may not see a document is answered, anywhere, what a site without it answers.

Every address of the resolver is asked, so that a new one is tried without anybody remembering; one whose arguments
nothing can fill fails. The rows are made by walking the models (`canaries.py`): a new field or table is tried likewise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from itertools import product
from typing import Any, NamedTuple

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from postmortems.insights import rows, topics
from postmortems.models import ActionItem, Fix, Incident, Postmortem, Problem, Service, Team, User
from postmortems.sections import KEYS
from tests import factory
from tests.postmortems.canaries import TOKEN, Secret, in_order, word
from tests.postmortems.conftest import Learn

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

TROUBLE = "connection pool of checkout exhausted, requests time out, ECONNREFUSED 10.0.0.7:5432"
MORE = (
    *("Certificate expired at the edge", "Kafka consumer lag grew", "DNS resolvers timed out", "Disk full on primary"),
    *("Leap second stopped the scheduler", "Queue workers starved", "Bad rollout of the payment form"),
    *("Replica fell behind and served old rows", "Cache stampede after a deploy", "Rate limiter refused everybody"),
)
READERS = ("anonymous", "reader", "other team", "former member", "nobody yet")
# Who may change nothing is refused by their role, which `test_roles.py` tries at each door.
WRITERS = ("anonymous", "other team", "former member")

# --- the two sites ---


class Site:
    """What both sites have: people, and documents that everyone sees."""

    def __init__(self) -> None:
        self.more: list[Postmortem] = []
        self.member = factory.user("mara", roles=("author", "reviewer"), email="mara@example.org")
        self.former = factory.user("emma", roles=("author", "reviewer"), email="emma@example.org")
        self.team = factory.team("Insiders", self.member, self.former)
        self.team.members.remove(self.former)
        self.people: dict[str, User | None] = {
            "anonymous": None,
            "reader": factory.user("rita", roles=("reader",)),
            "other team": factory.user("otto", roles=("author", "reviewer", "manager")),
            "former member": self.former,
            "nobody yet": factory.user("nina", roles=()),
            "member": self.member,
        }
        author = self.people["other team"]
        factory.team("Outsiders", author)  # type: ignore[arg-type]
        self.incident = factory.incident(TROUBLE, symptoms=TROUBLE, services=("Checkout",), reported_by=author)
        sections = {"summary": TROUBLE, "what_fixed_it": "Recycled the connection pool."}
        self.postmortem = factory.postmortem(TROUBLE, sections=sections, services=("Checkout",), owner=author)
        self.fix = factory.fix(postmortem=self.postmortem, steps=TROUBLE, services=("Checkout",))
        factory.fix_use(self.fix, self.incident)
        self.item = factory.action_item(postmortem=self.postmortem, owner=author)
        author_of_more = {"services": ("Edge",), "owner": author}
        for number, trouble in enumerate(MORE * 3):  # many: so that one more or less moves no line between two answers
            sections = {"summary": f"{trouble} {number}", "what_fixed_it": f"Undid it {number}."}
            self.more.append(factory.postmortem(f"{trouble} {number}", sections=sections, **author_of_more))
        self.problem = Problem.objects.create(title="Pools run dry", discriminating_check="Look at the slots.")
        Postmortem.objects.filter(pk=self.postmortem.pk).update(problem=self.problem)
        self.opened = {"incident": self.incident, "postmortem": self.postmortem, "fix": self.fix}

    def hide(self) -> Secret:
        """The restricted documents; made last, so that no other row's number moves."""
        return Secret(member=self.member, former=self.former, team=self.team, opened=self.opened)


@pytest.fixture
def site(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> Site:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)  # the clock stands still between the two sites
    site = Site()
    learn(site.incident, site.postmortem, site.fix, *site.more)
    return site


# --- every address ---


PLACES = {"incidents": "INC", "postmortems": "PM", "fixes": "FIX", "problems": "PRB", "actions": "ACT"}


class Names(NamedTuple):
    """What the restricted rows are called, and what open ones are."""

    hidden: dict[str, str]
    shown: dict[str, str]
    hidden_pks: tuple[int, ...]

    @classmethod
    def of(cls, site: Site, secret: Secret) -> Names:
        return cls(
            {row.ref_prefix: row.ref for row in (*secret.documents(), secret.one(Problem), secret.one(ActionItem))},
            {row.ref_prefix: row.ref for row in (*site.opened.values(), site.problem, site.item)},
            tuple(sorted({row.pk for rows in secret.rows.values() for row in rows})),
        )

    def refs(self, route: str) -> list[str]:
        place = next((PLACES[part] for part in route.split("/") if part in PLACES), None)
        prefixes = [place] if place else ["INC", "PM", "FIX"]
        return [names[prefix] for prefix in prefixes for names in (self.hidden, self.shown)]


FILLED_WITH: dict[str, Any] = {
    "ref": lambda names, route: names.refs(route),
    "other": lambda names, route: [names.hidden["PM"], names.shown["PM"]],
    "slug": lambda names, route: ["anything"],
    "pk": lambda names, route: [names.hidden_pks[0]],
    "id": lambda names, route: [1],
    "run": lambda names, route: names.hidden_pks[:2],
    "token": lambda names, route: [TOKEN],
    "tag": lambda names, route: ["incidents"],
    "entry": lambda names, route: names.hidden_pks[:2],
    "comment": lambda names, route: names.hidden_pks[:1],
    "comparison": lambda names, route: names.hidden_pks[:1],
    "delivery": lambda names, route: names.hidden_pks[:1],
    "signed": lambda names, route: ["made-up"],
    "secret": lambda names, route: ["kb_made-up"],
    "filename": lambda names, route: ["a.md"],
    "number": lambda names, route: [1, 2],
    "section": lambda names, route: [KEYS[0]],
    "key": lambda names, route: [KEYS[0]],
    "source": lambda names, route: ["alertmanager", "nowhere"],
    "provider_id": lambda names, route: ["sso"],
    "object_id": lambda names, route: names.hidden_pks[:2],
    "content_type_id": lambda names, route: [1],
    "app_label": lambda names, route: ["postmortems"],
    "name": lambda names, route: [*rows.ROWS],
    "table": lambda names, route: [*topics.ANSWERS],
    "topic": lambda names, route: [*topics.BY_KEY],
    "url": lambda names, route: ["nowhere"],
}
# Addresses given by an expression and not by a pattern that can be filled.
BY_HAND = {
    "account_reset_password_from_key": ["accounts/password/reset/key/1-made-up/"],
    "": [],  # the admin's "anything else"
    "app_list": ["admin/postmortems/"],
}
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


def patterns(resolver: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in (resolver or get_resolver()).url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from patterns(each, route)
        else:
            yield route, each


def addresses(names: Names) -> list[str]:
    found: list[str] = []
    for route, pattern in patterns():
        if not hasattr(pattern.pattern, "_route"):
            found += BY_HAND[pattern.name or ""]
            continue
        wanted = ARGUMENT.findall(route)
        if unknown := [name for name in wanted if name not in FILLED_WITH]:
            pytest.fail(f"{route}: say in FILLED_WITH what {unknown} may be")
        for values in product(*(FILLED_WITH[name](names, route) for name in wanted)):
            given = iter(values)
            found.append(ARGUMENT.sub(lambda _match, given=given: str(next(given)), route))  # type: ignore[misc]
    return [f"/{address}" for address in found]


# --- what is asked ---


class Question(NamedTuple):
    method: str
    address: str
    data: dict[str, Any] | None = None


def questions(names: Names, words: list[str]) -> Iterator[Question]:
    hidden = names.hidden
    typed: dict[str, Any] = {
        **{"title": TROUBLE, "symptoms": TROUBLE, "error_excerpt": TROUBLE, "severity": "sev3", "kind": "service"},
        **{"environment": "production", "started_at": "2026-03-01T12:00", "services": word("service", "slug")},
        **{"item": hidden["PM"], "fix": hidden["FIX"], "outcome": "worked", "verdict": "same_cause", "show": "1"},
        **{
            "postmortem": hidden["PM"],
            "incident": hidden["INC"],
            "earlier": hidden["PM"],
            "problem": hidden["PRB"],
            "members": "rita",
            "visibility": "restricted",
        },
        **{"text": f"As in {hidden['PM']}", "body": f"As in {hidden['INC']}, @mara", "terms": "k9s\nkanine"},
    }
    for address in addresses(names):
        if address.startswith("/admin/"):
            continue
        yield Question("get", address)
        if not address.startswith("/accounts/"):
            yield Question("post", address, typed)
    for start in range(0, len(words), 8):
        yield Question("get", "/api/v1/search/", {"q": " OR ".join(words[start : start + 8])})
    some = sorted(words)[::20]
    for said in (
        *some,
        *(f"{said[:-2]}*" for said in some),
        *(f"{said[:-1]}x" for said in some),
        TROUBLE,
        *hidden.values(),
    ):
        yield Question("get", "/search/", {"q": said})
    for field in ("service", "tag", "status", "severity", "owner", "author", "kind", "cause", "is", "has", "team"):
        for value in (
            word("service", "slug"),
            word("tag", "slug"),
            "resolved",
            "published",
            "mara",
            "restricted",
            "fix",
        ):
            yield Question("get", "/search/", {"q": f"{field}:{value}"})
    for page in ("/incidents/", "/postmortems/", "/fixes/", "/actions/"):
        for query in ({"services": word("service", "slug")}, {"tags": word("tag", "slug")}, {"status": "resolved"}):
            yield Question("get", page, query)
        yield Question("get", page, {"state": "open", "q": word("incident", "title")})
    report = {"title": TROUBLE, "symptoms": " ".join(words[:9]), "services": []}
    yield Question("json", "/api/v1/suggestions/", report)
    yield Question("json", "/api/v1/suggestions/", {**report, "services": [word("service", "slug")]})


class Answer(NamedTuple):
    status: int
    body: str
    queries: int


class Counter:
    queries = 0

    def __call__(self, execute: Any, *rest: Any) -> Any:
        self.queries += 1
        return execute(*rest)


class Reader:
    """Somebody who asks; whatever they set off is undone."""

    def __init__(self, who: User | None, names: Names) -> None:
        self.names = names
        client = factory.signed_in(who) if who else Client()
        self.cookies = client.cookies.output(header="", sep=";")

    def ask(self, question: Question) -> Answer:
        cache.clear()
        client = Client(raise_request_exception=True)
        client.cookies = SimpleCookie(self.cookies)
        counter = Counter()
        with transaction.atomic(), connection.execute_wrapper(counter):
            if question.method == "get":
                answer = client.get(question.address, question.data, follow=True)
            elif question.method == "post":
                answer = client.post(question.address, question.data, follow=True)
            else:
                answer = client.post(question.address, question.data, content_type="application/json")
            transaction.set_rollback(True)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        told = [f"{name}: {value}" for name, value in answer.headers.items()]
        path = [f"to {address} {status}" for address, status in getattr(answer, "redirect_chain", [])]
        text = "\n".join([*path, *told, body.decode(errors="replace")])
        return Answer(answer.status_code, self.normal(text), counter.queries)

    def normal(self, text: str) -> str:
        """Without what differs from one moment to the next: tokens, the numbers of rows made just now, scores."""
        for prefix, ref in self.names.hidden.items():
            text = re.sub(rf"\b{ref}\b", f"{prefix}-HIDDEN", text, flags=re.IGNORECASE)
        newer = max(self.names.hidden_pks)
        text = re.sub(r'((csrfmiddlewaretoken|once)" value=|X-CSRFToken(&quot;|"): )"[^"]+"', r"\1TOKEN", text)
        text = re.sub(r'comment-\d+|comments/\d+/|name="reply_to" value="\d+"', "COMMENT", text)
        text = re.sub(r"\bkb_[\w-]{43}|/kb link [0-9a-f]{12}", "SECRET", text)
        text = re.sub(r"…[\w-]{4}</span>|/tokens/\d+/revoke/|ends in [\w-]{4}<", "TOKEN MADE NOW", text)
        text = re.sub(r"/suggestions/\d+/", "/suggestions/RUN/", text)
        text = re.sub(r"\b(INC|PM|FIX|PRB|ACT)-(\d+)", lambda m: m[0] if int(m[2]) <= newer else f"{m[1]}-NEW", text)
        text = re.sub(r'"(score|weight|took_ms|value)": ?-?[\d.e-]+', r'"\1": 0', text)
        text = re.sub(r'<details class="[^"]*score.*?</details>', "SCORE", text, flags=re.DOTALL)
        text = re.sub(r"It is [^.]*\.", "IT IS", text)  # the template tag reads a clock of its own
        return re.sub(r"(Content-Length: \d+|Expires: .*)", "", text)


# --- the matrix ---


# PostgreSQL never gives a number twice, not that of a row that was rolled back either: twins would differ in theirs.
@pytest.mark.sqlite
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", READERS)
def test_a_site_with_a_hidden_document_answers_as_one_without(site: Site, learn: Learn, name: str) -> None:
    with transaction.atomic():  # only to know what it will be called
        before = site.hide()
        names = Names.of(site, before)
        transaction.set_rollback(True)
    words = list(before.words.values())
    asked = [each for each in questions(names, words) if each.method != "post" or name in WRITERS]
    without = Reader(site.people[name], names)
    expected = [without.ask(question) for question in asked]

    secret = site.hide()
    learn(*secret.documents())
    names_now = Names.of(site, secret)
    reader = Reader(site.people[name], names_now)
    asked_now = [each for each in questions(names_now, words) if each.method != "post" or name in WRITERS]

    wrong = []
    for question, then, now_asked in zip(asked, expected, asked_now, strict=True):
        now = reader.ask(now_asked)
        if now.body != then.body:
            wrong.append(difference(now_asked, then.body, now.body))
        elif said := [each for each in words if each in now.body and each not in str(question)]:
            wrong.append(f"{question} says {said}")
        elif now.status == 404 and abs(now.queries - then.queries) > 1:  # one: their own run, say, is found first
            wrong.append(f"{question}: {then.queries} queries where it is missing, {now.queries} where it is hidden")
    assert not wrong, f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:12])


def difference(question: Question, then: str, now: str) -> str:
    before, after = then.splitlines(), now.splitlines()
    lost = [line.strip() for line in before if line not in after][:3]
    new = [line.strip() for line in after if line not in before][:3]
    return f"{question.method} {question.address} {str(question.data)[:80]}\n   - {lost}\n   + {new}"[:1200]


def test_a_member_is_shown_what_others_are_not(site: Site, learn: Learn) -> None:
    """The matrix can fail: with the right to see it, the words are there."""
    secret = site.hide()
    learn(*secret.documents())
    names = Names.of(site, secret)
    reader = Reader(site.member, names)
    pages = [reader.ask(Question("get", address)).body for address in addresses(names) if "/admin/" not in address]

    text = "\n".join(pages)
    seen = {name for name, said in secret.words.items() if said in text}
    wanted = {
        *("Incident.title.0", "Incident.symptoms.0", "Incident.error_excerpt.0", "Postmortem.title.0", "Fix.title.0"),
        *("Fix.steps.0", "Fix.commands.0", "Fix.undo.0", "Tag.name.0", "Service.name.0", "ActionItem.title.0"),
        *(f"SectionText.body.{number}" if number else "SectionText.body.0" for number in range(len(KEYS))),
        *("TimelineEntry.text.0", "TimelineEntry.text.1", "FixUse.note.0", "ImportedFile.text.0"),
        "KnowledgeGap.text.0",
    }
    assert wanted - seen == set()
    hits = reader.ask(Question("get", "/api/v1/search/", {"q": secret.words["Incident.title.0"]})).body
    assert "INC-HIDDEN" in hits


def test_every_table_of_a_document_has_words(site: Site) -> None:
    secret = site.hide()
    silent = {model.__name__ for model in in_order()} - {name.partition(".")[0] for name in secret.words}

    assert silent <= {"Comparison", "ReviewRequest", "SuggestionVerdict", "SuggestionOpening", "Watch"}


def test_rows_of_every_kind_exist(site: Site) -> None:
    secret = site.hide()

    assert len(secret.words) == len(set(secret.words.values())) > 60
    assert {Incident, Postmortem, Fix, Service} <= set(secret.rows)
    assert isinstance(site.team, Team)
