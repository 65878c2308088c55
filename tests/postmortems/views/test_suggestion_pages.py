"""Suggestions on pages: what was seen is kept, opened through its run, judged in one click, and measured."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from postmortems.models import Incident, Postmortem, Problem, SuggestionOpening, SuggestionRun, SuggestionVerdict, User
from postmortems.workflows import responding
from tests import factory
from tests.postmortems.conftest import Learn
from tests.postmortems.test_suggestions import NOW, POOL, REPORT, learn_all

LIVE = "/incidents/suggestions/"
QUALITY = "/insights/suggestions/"
TYPED = {"title": REPORT.title, "symptoms": REPORT.symptoms}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def as_alice(alice: User) -> Client:
    return factory.signed_in(alice)


@pytest.fixture
def pool(learn: Learn) -> Postmortem:
    """The postmortem that is like the report, among others."""
    for n in range(20):
        factory.postmortem(f"Deploy {n} rolled back", sections={"summary": f"Release {n} of the web shop was late."})
    row = factory.postmortem("Connection pool exhausted", sections=POOL)
    learn_all(learn)
    return row


@pytest.fixture
def incident(pool: Postmortem, learn: Learn) -> Incident:
    row = factory.incident(REPORT.title, symptoms=REPORT.symptoms, started_at=NOW)
    learn(row)
    return row


def say(client: Client, incident: Incident, item: Any, verdict: str, **how: Any) -> Any:
    address = reverse("suggestion_verdict", args=[incident.ref])
    return client.post(address, {"item": item.ref, "verdict": verdict}, **how)


class TestWhatWasSeen:
    def test_a_look_at_an_incident_is_kept_and_its_links_lead_through_it(
        self, as_alice: Client, alice: User, incident: Incident, pool: Postmortem
    ) -> None:
        page = as_alice.get(incident.get_absolute_url()).text

        run = SuggestionRun.objects.get()
        assert (run.user, run.incident, run.keys) == (alice, incident, [pool.search_key])
        assert f'href="/suggestions/{run.pk}/{pool.ref}/"' in page

    def test_a_head_request_sees_nothing(self, as_alice: Client, incident: Incident) -> None:
        as_alice.head(incident.get_absolute_url())

        assert not SuggestionRun.objects.exists()

    def test_while_typing_the_same_answer_is_kept_once_and_goes_with_the_incident(
        self, as_alice: Client, pool: Postmortem
    ) -> None:
        for more in ("", " and", " and then"):
            as_alice.post(LIVE, {**TYPED, "symptoms": REPORT.symptoms + more})
        as_alice.post(LIVE, {"title": "Soufflé collapses", "symptoms": "Egg whites lose volume in the oven."})

        shown, nothing = SuggestionRun.objects.order_by("pk")
        assert (shown.keys, shown.incident, nothing.abstained) == ([pool.search_key], None, True)

        declared = {**TYPED, "severity": "sev2", "kind": "service", "environment": "production"}
        as_alice.post("/incidents/new/", {**declared, "started_at": f"{timezone.localtime():%Y-%m-%dT%H:%M}"})

        assert Incident.objects.get().suggestion_runs.count() == 2

    def test_an_empty_form_is_no_panel(self, as_alice: Client, pool: Postmortem) -> None:
        as_alice.get("/incidents/new/")
        as_alice.post(LIVE, {"title": ""})

        assert not SuggestionRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_page_comes_although_nothing_can_be_kept(learn: Learn) -> None:
    alice, row = factory.user("alice"), factory.postmortem("Connection pool exhausted", sections=POOL)
    for n in range(20):
        factory.postmortem(f"Deploy {n} rolled back")
    incident = factory.incident(REPORT.title, symptoms=REPORT.symptoms, started_at=NOW)
    learn_all(learn)
    client = factory.signed_in(alice)

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if "suggestionrun" in sql and sql.startswith("INSERT"):
            raise DatabaseError("disk I/O error")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse):
        answer = client.get(incident.get_absolute_url())

    assert answer.status_code == 200
    assert f'href="{row.get_absolute_url()}"' in answer.text


class TestOpening:
    def opened(self) -> list[tuple[str, str]]:
        return [(each.run.user.username, each.key) for each in SuggestionOpening.objects.all() if each.run.user]

    def test_the_link_leads_to_the_page_and_is_kept_once(
        self, as_alice: Client, alice: User, incident: Incident, pool: Postmortem
    ) -> None:
        run = factory.suggestion_run(incident, pool, user=alice)

        answers = [as_alice.get(f"/suggestions/{run.pk}/{ref}/") for ref in (pool.ref, pool.ref.lower())]

        assert [answer.headers["Location"] for answer in answers] == [pool.get_absolute_url()] * 2
        assert "no-store" in answers[0].headers["Cache-Control"]
        assert self.opened() == [("alice", pool.search_key)]

    def test_who_follows_the_link_of_someone_else_gets_there_and_nothing_is_kept(
        self, bob: User, alice: User, incident: Incident, pool: Postmortem
    ) -> None:
        run = factory.suggestion_run(incident, pool, user=alice)

        answer = factory.signed_in(bob).get(f"/suggestions/{run.pk}/{pool.ref}/")

        assert answer.headers["Location"] == pool.get_absolute_url()
        assert self.opened() == []

    def test_a_head_request_opens_nothing(
        self, as_alice: Client, alice: User, incident: Incident, pool: Postmortem
    ) -> None:
        run = factory.suggestion_run(incident, pool, user=alice)

        assert as_alice.head(f"/suggestions/{run.pk}/{pool.ref}/").status_code == 302
        assert self.opened() == []

    def test_what_is_hidden_was_not_shown_or_does_not_exist_is_not_found(
        self, as_alice: Client, alice: User, charlie: User, incident: Incident, pool: Postmortem
    ) -> None:
        secret = factory.postmortem("Secret", visibility="restricted")
        hidden = factory.incident("Secret", visibility="restricted")
        hidden.members.add(alice)
        run = factory.suggestion_run(incident, pool, secret, user=alice)
        theirs = factory.suggestion_run(hidden, pool, user=alice)
        typing = factory.suggestion_run(None, pool, user=alice)
        other = factory.postmortem("Not shown")

        for ref in (secret.ref, other.ref, "PM-999999", "x", "INC-" + "9" * 30):
            assert as_alice.get(f"/suggestions/{run.pk}/{ref}/").status_code == 404, ref
        for number in (999999, 10**30):
            assert as_alice.get(f"/suggestions/{number}/{pool.ref}/").status_code == 404, number
        for run in (theirs, typing):
            assert factory.signed_in(charlie).get(f"/suggestions/{run.pk}/{pool.ref}/").status_code == 404
        assert self.opened() == []


class TestVerdicts:
    def test_one_click_says_how_it_compares(
        self, as_alice: Client, alice: User, incident: Incident, pool: Postmortem
    ) -> None:
        answer = say(as_alice, incident, pool, "same_cause", follow=True)

        verdict = SuggestionVerdict.objects.get()
        assert (verdict.incident, verdict.key, verdict.verdict, verdict.by) == (
            incident,
            pool.search_key,
            "same_cause",
            alice,
        )
        assert answer.redirect_chain[0][0] == f"{incident.get_absolute_url()}#verdict-{pool.ref.lower()}"
        assert f"{pool.ref}: same cause." in answer.text
        assert self.pressed(answer.text, pool) == ["same_cause"]

    def pressed(self, html: str, item: Any) -> list[str]:
        buttons = rf'id="verdict-{item.ref.lower()}-(\w+)"[^>]* aria-pressed="true"'
        return re.findall(buttons, html)

    def test_htmx_gets_the_buttons_as_they_stand_and_the_message(
        self, as_alice: Client, incident: Incident, pool: Postmortem
    ) -> None:
        answer = say(as_alice, incident, pool, "same_symptom", headers=HTMX)

        assert answer.status_code == 200 and "<html" not in answer.text
        assert self.pressed(answer.text, pool) == ["same_symptom"]
        assert 'id="messages" hx-swap-oob' in answer.text and "same symptom." in answer.text
        assert "csrfmiddlewaretoken" in answer.text

    def test_not_similar_takes_it_away_for_everybody_and_can_be_taken_back(
        self, as_alice: Client, bob: User, incident: Incident, pool: Postmortem
    ) -> None:
        def suggested(client: Client) -> bool:
            panel = client.get(incident.get_absolute_url()).text.partition("said not to be similar")[0]
            return "Restart the pgbouncer pool" in panel

        assert suggested(as_alice)

        answer = say(as_alice, incident, pool, "not_similar", headers=HTMX)
        assert "Not suggested for" in answer.text
        assert not suggested(as_alice) and not suggested(factory.signed_in(bob))
        page = factory.signed_in(bob).get(incident.get_absolute_url()).text
        assert "1 said not to be similar" in page and self.pressed(page, pool) == ["not_similar"]

        say(factory.signed_in(bob), incident, pool, "same_symptom")
        assert suggested(as_alice)

    def test_what_is_hidden_is_not_named_among_the_dismissed(self, as_alice: Client, incident: Incident) -> None:
        factory.verdict(incident, factory.postmortem("Keys were read", visibility="restricted"), "not_similar")

        page = as_alice.get(incident.get_absolute_url()).text

        assert "Keys were read" not in page and "said not to be similar" not in page

    @pytest.mark.parametrize("headers", [{}, HTMX])
    @pytest.mark.parametrize("verdict", ["", "splendid", "same_cause\x00"])
    def test_what_is_no_verdict_is_said(
        self, as_alice: Client, incident: Incident, pool: Postmortem, verdict: str, headers: dict[str, str]
    ) -> None:
        say(as_alice, incident, pool, verdict, headers=headers)

        assert not SuggestionVerdict.objects.exists()
        assert "Say how it compares" in as_alice.get(incident.get_absolute_url()).text

    def test_an_incident_is_not_compared_with_itself(self, as_alice: Client, incident: Incident) -> None:
        answer = say(as_alice, incident, incident, "same_cause", follow=True)

        assert "This is the incident itself" in answer.text
        assert not SuggestionVerdict.objects.exists()

    def test_what_is_hidden_cannot_be_judged(self, charlie: User, incident: Incident, pool: Postmortem) -> None:
        secret = factory.postmortem("Secret", visibility="restricted")
        hidden = factory.incident("Secret", visibility="restricted")
        client = factory.signed_in(charlie)

        assert say(client, incident, secret, "same_cause").status_code == 404
        assert say(client, hidden, pool, "same_cause").status_code == 404
        assert client.post(reverse("suggestion_verdict", args=[incident.ref]), {}).status_code == 404
        assert not SuggestionVerdict.objects.exists()

    def test_a_link_or_another_site_judges_nothing(self, as_alice: Client, alice: User, incident: Incident) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice)

        assert as_alice.get(reverse("suggestion_verdict", args=[incident.ref])).status_code == 405
        assert say(strict, incident, incident, "same_cause").status_code == 403

    def test_while_declaring_there_is_nothing_to_judge(self, as_alice: Client, pool: Postmortem) -> None:
        panel = as_alice.post(LIVE, TYPED).text

        assert pool.ref in panel and "verdict" not in panel


class TestThePanel:
    def test_the_score_is_drawn_and_its_parts_add_up_in_words(
        self, as_alice: Client, incident: Incident, pool: Postmortem
    ) -> None:
        factory.fix_use(factory.fix(postmortem=pool), factory.incident("Else", status="cancelled"), "made_worse")

        page = as_alice.get(incident.get_absolute_url()).text

        (table,) = re.findall(r'<table class="parts">.*?</table>', page, re.DOTALL)
        parts = [float(value) for value in re.findall(r"<td>([+-][\d.]+)</td>", table)]
        (score,) = re.findall(r"<td>([\d.]+)</td>", table)
        assert len(parts) >= 2 and min(parts) < 0
        assert sum(parts) == pytest.approx(float(score), abs=0.051)
        (bar,) = re.findall(r'<svg class="bar".*?</svg>', page, re.DOTALL)
        pieces = [
            (kind, float(x), float(width))
            for kind, x, width in re.findall(r'class="(\w+)" x="([\d.]+)" width="([\d.]+)"', bar)
        ]
        assert sum(width for kind, _, width in pieces if kind != "less") == pytest.approx(100, abs=0.1)
        assert [x + width for kind, x, width in pieces if kind == "less"] == [pytest.approx(100, abs=0.1)]

    def test_look_alikes_of_one_problem_stand_together_with_the_check(
        self, as_alice: Client, incident: Incident, pool: Postmortem, learn: Learn
    ) -> None:
        problem = Problem.objects.create(title="Leaked connections", discriminating_check="Look for `idle` ones.")
        Postmortem.objects.filter(pk=pool.pk).update(problem=problem)
        again = factory.postmortem("Connection pool exhausted again", problem=problem, sections=POOL)
        learn(again)

        page = as_alice.get(incident.get_absolute_url()).text

        assert page.count("Leaked connections") == 1 and page.count("<code>idle</code>") == 1
        assert page.index("Leaked connections") < page.index(pool.ref)

    def test_nothing_similar_names_words_that_do_occur_and_searches_for_them(
        self, as_alice: Client, pool: Postmortem, learn: Learn
    ) -> None:
        learn(*(factory.postmortem(f"Deploy {n}", sections={"summary": "A volume was late."}) for n in range(2)))

        panel = as_alice.post(LIVE, {"title": "Soufflé pgbouncer", "symptoms": "Egg whites lose volume; sugar."}).text

        assert "Nothing similar among 23 postmortems" in panel
        assert re.search(r'href="/search/\?q=pgbouncer"[^>]*><b>pgbouncer</b> <i>in 1 document</i>', panel)
        (search,) = re.findall(r'href="(/search/\?q=[^"]*%20OR%20[^"]*)"', panel)
        assert pool.title in as_alice.get(search).text


def rich(count: int, learn: Learn) -> None:
    """Look-alikes of every kind, with all that a panel shows of them."""
    for n in range(count):
        details = {"symptoms": REPORT.symptoms, "services": ("Checkout",)}
        told = factory.incident(f"{REPORT.title} {n}", status="resolved", resolved_at=factory.NOON, **details)
        alone = factory.incident(f"{REPORT.title} alone {n}", status="resolved", resolved_at=factory.NOON, **details)
        factory.incident(f"{REPORT.title} now {n}", started_at=NOW, **details)
        problem = Problem.objects.create(title=f"Leaked connections {n}", discriminating_check="Count them.")
        row = factory.postmortem(f"Pool exhausted {n}", problem=problem, sections=POOL, services=("Checkout",))
        row.incidents.add(told)
        factory.fix_use(factory.fix(f"Restart {n}", postmortem=row), told)
        factory.fix_use(factory.fix(f"Restart alone {n}"), alone)
        factory.action_item(f"Bound the pool {n}", postmortem=row)
    learn_all(learn)


def test_the_panel_takes_as_many_queries_for_many_look_alikes_as_for_few(
    as_alice: Client, incident: Incident, learn: Learn, django_assert_max_num_queries: Any
) -> None:
    for n in range(3):
        responding.join(incident, by=factory.user(f"helper{n}"), at=NOW)
    for count in (2, 8):
        rich(count, learn)
        status = {"status": "resolved", "resolved_at": timezone.now()} if count == 8 else {}  # with what a policy wants
        Incident.objects.filter(pk=incident.pk).update(severity="sev1", **status)
        dismissed = factory.postmortem(f"Not similar {count}", sections=POOL)
        factory.verdict(incident, dismissed, "not_similar")
        as_alice.get(incident.get_absolute_url())  # reads the glossary, once for the process
        with django_assert_max_num_queries(12):
            as_alice.get(incident.get_absolute_url())
        with django_assert_max_num_queries(12):
            as_alice.post(LIVE, {**TYPED, "services": ["checkout"]})


class TestHowWellTheyHelp:
    def test_an_empty_page_says_what_makes_it(self, as_alice: Client) -> None:
        page = as_alice.get(QUALITY).text

        assert "Nothing to count yet" in page

    def test_measures_with_their_numbers(self, as_alice: Client) -> None:
        noticed = timezone.now() - timedelta(days=2)
        for n in range(10):
            incident = factory.incident(f"Incident {n}", detected_at=noticed, services=("Checkout",))
            row = factory.postmortem()
            factory.suggestion_run(incident, row)
            factory.verdict(incident, row, "same_cause" if n < 7 else "not_similar", at=noticed + timedelta(minutes=4))

        page = as_alice.get(QUALITY).text

        assert page.count("70 % (7 of 10)") == 6  # precision and useful, in all, by week and by service
        assert "0 % (0 of 10)" in page
        assert "4 min" in page and "median of 7" in page
        assert "too few" not in page

    def test_few_cases_get_no_percentage(self, as_alice: Client) -> None:
        factory.suggestion_run(factory.incident(detected_at=timezone.now()))

        page = as_alice.get(QUALITY).text

        assert "Only 1 incident: too few" in page and "1 of 1" in page
        assert " %" not in page

    def test_an_outsider_reads_nothing_of_what_is_restricted(
        self, as_alice: Client, alice: User, charlie: User
    ) -> None:
        secret = factory.incident("Secret", detected_at=timezone.now(), visibility="restricted", services=("Vault",))
        secret.members.add(alice)
        factory.suggestion_run(secret)

        assert "Vault" in as_alice.get(QUALITY).text
        outside = factory.signed_in(charlie).get(QUALITY).text
        assert "Vault" not in outside and "Nothing to count yet" in outside

    def test_incidents_lead_there(self, as_alice: Client) -> None:
        assert QUALITY in as_alice.get("/incidents/").text
