"""The search as a reader meets it: what is found, what is shown of it, and what must not exist for an outsider."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from kb.search import outbox
from postmortems import search
from postmortems.models import ActionItem, Fix, Postmortem, Service, Team, User, Visibility
from tests import factory
from tests.postmortems.conftest import Learn

LEAP = {
    "summary": "Hosts span at full load when the leap second was inserted.",
    "what_fixed_it": "Set the clock with `date -s now` on every host, then restart the JVMs.",
    "impact": "Logins answered 503; `kernel: hrtimer_interrupt` filled the logs.",
}


def refs(found: search.Results) -> list[str]:
    return [result.ref for result in found.results]


def test_a_published_postmortem_is_found_by_what_fixed_it(alice: User, learn: Learn) -> None:
    wanted = factory.postmortem("Leap second", sections=LEAP)
    other = factory.postmortem("Expired certificate", sections={"summary": "The certificate had run out."})
    learn(wanted, other)

    found = search.find("restart the JVM", user=alice)

    assert refs(found) == [wanted.ref]
    assert found.results[0].what_fixed_it.startswith("Set the clock with")
    assert "<mark>" in found.results[0].snippet


def test_words_in_sections_timeline_actions_fixes_tags_and_services_are_all_found(alice: User, learn: Learn) -> None:
    wanted = factory.postmortem("Outage", services=("Zebra gateway",), sections={"lessons": "Quagga is chatty."})
    wanted.tags.add(*[search_tag("Heron")])
    wanted.timeline.create(at=factory.NOON, text="Okapi restarted")
    ActionItem.objects.create(postmortem=wanted, title="Alert on ibis depth")
    factory.fix("Drain the lemur queue", postmortem=wanted)
    learn(wanted)

    for word in ("zebra", "quagga", "heron", "okapi", "ibis", "lemur"):
        assert wanted.ref in refs(search.find(word, user=alice)), word


def search_tag(name: str) -> Any:
    from postmortems.models import Tag

    return Tag.objects.called(name)


def test_when_no_document_has_all_words_the_best_partial_matches_come_and_the_page_says_so(
    alice: User, learn: Learn
) -> None:
    wanted = factory.postmortem("Leap second", sections=LEAP)
    learn(wanted)

    found = search.find("leap second flamingo", user=alice)

    assert refs(found) == [wanted.ref]
    assert any("some of them" in note for note in found.notes)


def test_a_misspelt_word_is_answered_with_a_word_this_reader_can_find(alice: User, learn: Learn) -> None:
    learn(factory.postmortem("Kubernetes ingress", sections={"summary": "The ingress was down."}))

    found = search.find("kuberntes", user=alice)

    assert found.results == ()
    assert found.did_you_mean == "kubernetes"


@pytest.fixture
def restricted(alice: User) -> Postmortem:
    """Alice's, restricted, with words that stand nowhere else."""
    row = factory.postmortem(
        "Leaked zanzibarkey",
        services=("Secretvault",),
        sections={"summary": "The zanzibarkey was in a public log."},
        owner=alice,
        visibility=Visibility.RESTRICTED,
    )
    return row


def test_a_restricted_postmortem_does_not_exist_for_an_outsider(
    alice: User, charlie: User, admin: User, restricted: Postmortem, learn: Learn
) -> None:
    learn(restricted, factory.postmortem("Open log", sections={"summary": "A public log filled the disk."}))

    outside = search.find("public log", user=charlie)
    nothing = search.find("zanzibarkei", user=charlie)
    everything = search.find("", user=charlie)

    assert restricted.ref not in refs(outside)
    assert outside.total == 1
    assert "secretvault" not in {value.value for facet in everything.facets for value in facet.values}
    assert (nothing.total, nothing.did_you_mean) == (0, "")
    assert restricted.ref in refs(search.find("zanzibarkey", user=alice))
    assert restricted.ref in refs(search.find("zanzibarkey", user=admin))


def test_sharing_with_a_team_opens_it_to_its_members_without_reindexing(
    bob: User, charlie: User, team: Team, restricted: Postmortem, learn: Learn
) -> None:
    learn(restricted)
    assert search.find("zanzibarkey", user=bob).total == 0

    restricted.shared_with.add(team)

    assert search.find("zanzibarkey", user=bob).total == 1
    assert search.find("zanzibarkey", user=charlie).total == 0


def test_restricting_takes_effect_before_the_index_has_learned_it(charlie: User, learn: Learn) -> None:
    row = factory.postmortem("Leaked zanzibarkey", sections={"summary": "In a log."})
    learn(row)
    assert search.find("zanzibarkey", user=charlie).total == 1

    Postmortem.objects.filter(pk=row.pk).update(visibility=Visibility.RESTRICTED)
    search.changed(row)  # written to the outbox, not drained

    found = search.find("zanzibarkey", user=charlie)
    assert (found.total, found.results) == (0, ())
    assert all(not facet.values for facet in found.facets)


def test_a_hit_that_the_database_does_not_grant_is_never_shown(charlie: User, learn: Learn) -> None:
    row = factory.postmortem("Leaked zanzibarkey", sections={"summary": "In a log."})
    learn(row)

    Postmortem.objects.filter(pk=row.pk).update(visibility=Visibility.RESTRICTED)  # past every workflow

    assert search.find("zanzibarkey", user=charlie).results == ()


def test_drafts_are_found_by_those_who_may_see_them_only(
    alice: User, bob: User, charlie: User, team: Team, learn: Learn
) -> None:
    draft = factory.postmortem("Unfinished", sections=LEAP, owner=alice, team=team, status=Postmortem.Status.DRAFT)
    learn(draft)

    assert refs(search.find("leap", user=alice)) == [draft.ref]
    assert refs(search.find("leap", user=bob)) == [draft.ref]
    assert refs(search.find("leap", user=charlie)) == []


def test_an_incidents_restriction_carries_to_its_postmortem_and_its_fixes(
    alice: User, charlie: User, learn: Learn
) -> None:
    incident = factory.incident("Intrusion", visibility=Visibility.RESTRICTED)
    row = factory.postmortem("Stolen zanzibarkey", sections=LEAP)
    row.incidents.add(incident)
    fix = factory.fix("Rotate the zanzibarkey", postmortem=row)
    learn(incident)

    assert search.find("zanzibarkey", user=charlie).total == 0
    incident.members.add(alice)
    assert set(refs(search.find("zanzibarkey", user=alice))) == {row.ref, fix.ref}


def test_facet_counts_say_what_choosing_the_value_gives(alice: User, learn: Learn) -> None:
    rows = [
        factory.postmortem(
            f"Timeout {n}", services=("DNS",) if n % 2 else ("Edge",), severity="sev1" if n < 2 else "sev3"
        )
        for n in range(5)
    ]
    learn(*rows)

    found = search.find("timeout", user=alice)

    for facet in found.facets:
        for value in facet.values:
            chosen = search.find("timeout", user=alice, filters={facet.field: [value.value]})
            assert chosen.total == value.count, (facet.field, value)


def test_fields_that_are_typed_filter(alice: User, learn: Learn) -> None:
    edge = factory.postmortem("Timeout", services=("Edge",), severity="sev1", occurred_on=date(2024, 5, 1))
    dns = factory.postmortem("Timeout", services=("DNS",), severity="sev2", occurred_on=date(2025, 5, 1))
    learn(edge, dns)

    assert refs(search.find("timeout service:edge", user=alice)) == [edge.ref]
    assert refs(search.find("timeout -service:edge", user=alice)) == [dns.ref]
    assert refs(search.find("before:2025-01-01", user=alice)) == [edge.ref]
    assert refs(search.find("timeout severity:sev2 after:2025", user=alice)) == [dns.ref]


def test_internal_fields_cannot_be_typed(charlie: User, restricted: Postmortem, learn: Learn) -> None:
    learn(restricted)

    for text in ("access:all", f"key:{restricted.search_key}", "only:postmortem:1", "zanzibarkey) OR (access:open"):
        assert search.find(text, user=charlie).results == (), text


def test_pages_are_disjoint_and_complete(alice: User, learn: Learn) -> None:
    rows = [factory.postmortem("Timeout", sections={"summary": "Same words."}) for _ in range(7)]
    learn(*rows)

    seen = [ref for page in (1, 2, 3) for ref in refs(search.find("timeout", user=alice, page=page, per_page=3))]

    assert sorted(seen) == sorted(row.ref for row in rows)


def test_newest_first_sorts_by_the_day_it_happened(alice: User, learn: Learn) -> None:
    rows = [factory.postmortem("Timeout", occurred_on=date(2025, 1, 1) + timedelta(days=n)) for n in (3, 1, 2)]
    learn(*rows)

    found = search.find("timeout", user=alice, sort="newest")

    assert [result.occurred_on for result in found.results] == [date(2025, 1, d) for d in (4, 3, 2)]


def test_without_an_index_the_database_answers_and_says_so(
    alice: User, charlie: User, restricted: Postmortem, learn: Learn, data_dir: Path
) -> None:
    open_row = factory.postmortem("Zanzibarkey parade", sections={"summary": "Harmless."})
    learn(restricted, open_row)
    for file in (data_dir / "index").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")

    found = search.find("zanzibarkey", user=charlie)

    assert found.degraded
    assert refs(found) == [open_row.ref]
    assert found.total == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "((((" * 500,
        "NOT NOT NOT a",
        "[a TO z]",
        "*",
        "a^nan",
        '"open',
        "🦓" * 300,
        "\\\\\\",
        "x" * 100_000,
    ],
)
def test_any_text_is_a_valid_query(alice: User, learn: Learn, text: str) -> None:
    learn(factory.postmortem("Timeout"))

    search.find(text, user=alice)


def test_a_renamed_service_is_found_by_its_new_name(alice: User, learn: Learn) -> None:
    row = factory.postmortem("Timeout", services=("Edge",))
    learn(row)
    service = Service.objects.get(name="Edge")

    Service.objects.filter(pk=service.pk).update(name="Wombat", slug="wombat")
    learn(service)

    assert refs(search.find("wombat", user=alice)) == [row.ref]
    assert search.find("service:edge", user=alice).total == 0


def test_a_changed_fix_is_found_in_its_postmortem_and_a_new_postmortem_at_its_incident(
    alice: User, learn: Learn
) -> None:
    incident = factory.incident("Checkout fails")
    row = factory.postmortem("Timeout")
    fix = factory.fix("Restart", postmortem=row)
    learn(incident, row, fix)
    Fix.objects.filter(pk=fix.pk).update(steps="Drain the wombat queue.")
    row.incidents.add(incident)

    learn(fix)

    assert set(refs(search.find("wombat", user=alice))) == {row.ref, fix.ref}
    assert refs(search.find("has:postmortem", user=alice)) == [incident.ref]


def test_a_deleted_row_is_gone_from_the_index(alice: User, learn: Learn) -> None:
    row = factory.postmortem("Timeout")
    learn(row)
    key = row.search_key

    row.delete()
    search.gone(key)
    outbox.drain()

    assert search.find("timeout", user=alice).total == 0


def test_a_page_of_results_costs_the_same_queries_for_one_row_or_many(
    alice: User, learn: Learn, django_assert_max_num_queries: Any
) -> None:
    learn(*[factory.postmortem("Timeout", services=("Edge",), sections=LEAP) for _ in range(10)])

    with django_assert_max_num_queries(24):
        assert len(search.find("timeout", user=alice).results) == 10
