"""What every search engine must do. A new engine is tested by one file of three lines:

    class TestMemoryBackend(SearchBackendContract):
        def make_backend(self, tmp_path: Path, schema: Schema) -> SearchBackend:
            return MemoryBackend(schema)

An engine that cannot do something overrides that test and says so there; no marks on the tests here, they are shared.
"""

import math
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb.search.analysis import signatures
from kb.search.backends.memory import MemoryBackend
from kb.search.base import (
    EVERYTHING,
    IDENTIFIERS,
    PARTS,
    SIGNATURES,
    SURFACE,
    WORDS,
    AllOf,
    AnyOf,
    Document,
    Node,
    Not,
    Page,
    Phrase,
    Prefix,
    Query,
    Schema,
    SearchBackend,
    Sort,
    Term,
)
from kb.search.query import parse

SCHEMA = Schema(
    text={"title": 3.0, "symptoms": 2.0, "fix": 1.5, "body": 1.0},
    keywords=("service", "severity", "tag"),
    dates=("occurred_on", "updated_at"),
)

# Alice and bob are on the database team; charlie is on none.
ALICE = frozenset({"open", "team:db", "user:alice"})
BOB = frozenset({"open", "team:db", "user:bob"})
CHARLIE = frozenset({"open", "user:charlie"})
EVERYBODY = ALICE | BOB | CHARLIE


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def document(
    key: str, title: str = "", *, version: int = 1, access: Iterable[str] = ("open",), **more: Any
) -> Document:
    """`service`, `severity`, `tag` are keywords, `occurred_on` and `updated_at` are dates, all else is text."""
    keywords = {name: tuple(more.pop(name)) for name in SCHEMA.keywords if name in more}
    dates = {name: day(more.pop(name)) for name in SCHEMA.dates if name in more}
    return Document(key, version, {"title": title, **more}, keywords, dates, frozenset(access))


CORPUS = (
    document(
        "pm-1",
        "Connection pool exhausted after a deploy",
        symptoms="Checkout timed out.\nERROR pool main: no free connection after 30 s",
        fix="Raised max_connections and restarted the ConnPool workers.",
        service=("checkout", "db"),
        severity=("sev1",),
        tag=("pool", "deploy"),
        occurred_on="2025-03-01",
    ),
    document(
        "pm-2",
        "Disk full on the logging hosts",
        symptoms="Writes to /var/log/app failed with ENOSPC.",
        fix="Rotated the logs by hand, then deleted old segments.",
        service=("logging",),
        severity=("sev3",),
        tag=("disk",),
        occurred_on="2025-06-15",
    ),
    document(
        "pm-3",
        "Primary database failed over twice",
        symptoms="FATAL: connection to db-1:5432 refused, ECONNREFUSED for every worker",
        fix="Pinned the primary until the disk of the replica was replaced.",
        body="The pool was fine.",
        service=("db",),
        severity=("sev1",),
        tag=("failover", "disk"),
        occurred_on="2024-11-30",
        access=("team:db",),
    ),
    document(
        "pm-4",
        "Naïve retries kept the payment gateway down",
        body="A retry storm from Straße to Zürich: each client retried at once.",
        service=("payments",),
        severity=("sev2",),
        tag=("retry",),
        occurred_on="2025-06-15",
    ),
    document(
        "pm-5",
        "Kafka consumers fell behind",
        symptoms="java.lang.OutOfMemoryError in the consumer; lag of 12 million messages",
        body="The pool of workers was exhausted. Connection after connection was opened.",
        service=("streaming",),
        severity=("sev2",),
        tag=("memory",),
    ),
    document("pm-6", "接続エラーが発生", body="פסק זמן בחיבור 🔥", service=("streaming",), occurred_on="2025-01-01"),
    document("pm-7", "Salary data in a public log", body="Only alice knows.", access=("user:alice",), service=("db",)),
)


def stems(*tokens: str) -> tuple[Term, ...]:
    return tuple(Term(token) for token in tokens)


def keys(page: Page) -> set[str]:
    return {hit.key for hit in page.hits}


def facets(page: Page) -> dict[str, dict[str, int]]:
    return {name: {value: n for value, n in counts.items() if n} for name, counts in page.facets.items()}


class SearchBackendContract:
    # How far a score may be from the reference's, relatively: engines may round lengths.
    score_tolerance = 1e-9

    def make_backend(self, tmp_path: Path, schema: Schema) -> SearchBackend:
        """The engine under test, empty, with a folder of its own."""
        raise NotImplementedError

    @pytest.fixture
    def empty(self, tmp_path: Path) -> Iterator[SearchBackend]:
        engine = self.make_backend(tmp_path, SCHEMA)
        engine.rebuild([])
        yield engine
        engine.close()

    @pytest.fixture
    def backend(self, empty: SearchBackend) -> SearchBackend:
        empty.apply(CORPUS)
        return empty

    def found(self, backend: SearchBackend, node: Node, access: frozenset[str] = EVERYBODY, **more: Any) -> set[str]:
        return keys(backend.search(Query(access, node, limit=1000, **more)))

    def typed(self, backend: SearchBackend, text: str) -> set[str]:
        return self.found(backend, parse(text, {}).node)

    # --- writing ---

    def test_a_document_is_found_as_soon_as_it_is_applied(self, empty: SearchBackend) -> None:
        empty.apply([document("pm-1", "Pool exhausted")])

        assert self.found(empty, Term("pool")) == {"pm-1"}

    def test_replacing_leaves_no_trace_of_the_old_text(self, backend: SearchBackend) -> None:
        new = document("pm-1", "Certificate expired", version=2, service=("edge",), occurred_on="2023-01-01")

        backend.apply([new])

        assert self.found(backend, Term("certif")) == {"pm-1"}
        for node in (Term("checkout"), Term("checkout", SURFACE), Prefix("max"), Phrase(("pool", "exhaust"))):
            assert self.found(backend, node) - {"pm-5"} == set()
        assert "pm-1" not in self.found(backend, EVERYTHING, filters={"service": ("checkout",)})
        assert "pm-1" not in self.found(backend, EVERYTHING, dates={"occurred_on": (day("2025-01-01"), None)})
        assert "checkout" not in backend.similar_words("chekout", access=EVERYBODY)
        assert backend.search(Query(EVERYBODY)).total == len(CORPUS)

    def test_a_removed_document_is_gone(self, backend: SearchBackend) -> None:
        backend.apply([], gone=["pm-1", "pm-2"])

        assert self.found(backend, EVERYTHING) == {"pm-3", "pm-4", "pm-5", "pm-6", "pm-7"}
        assert self.found(backend, Term("deploy")) == set()
        assert "pm-1" not in backend.stored()

    def test_removing_what_is_not_there_changes_nothing(self, backend: SearchBackend) -> None:
        backend.apply([], gone=["pm-99"])

        assert len(backend.stored()) == len(CORPUS)

    def test_an_older_version_is_ignored(self, empty: SearchBackend) -> None:
        empty.apply([document("pm-1", "New text", version=7)])

        empty.apply([document("pm-1", "Old text", version=6)])

        assert self.found(empty, Term("new")) == {"pm-1"}
        assert self.found(empty, Term("old")) == set()
        assert empty.stored()["pm-1"].version == 7

    def test_a_removed_document_can_come_back(self, backend: SearchBackend) -> None:
        backend.apply([], gone=["pm-1"])

        backend.apply([CORPUS[0]])

        assert self.found(backend, Term("checkout")) == {"pm-1"}

    def test_applying_the_same_batch_twice_changes_nothing(self, backend: SearchBackend) -> None:
        query = Query(EVERYBODY, Term("pool"), facets=("service", "tag"), explain=True)
        before = backend.search(query)

        backend.apply(CORPUS)

        again = backend.search(query)
        assert keys(again) == keys(before)
        assert (again.total, facets(again)) == (before.total, facets(before))
        assert len(backend.stored()) == len(CORPUS)

    def test_a_batch_adds_changes_and_removes_in_one(self, backend: SearchBackend) -> None:
        backend.apply([document("pm-8", "Clock skew"), replace(CORPUS[0], version=2)], gone=["pm-2"])

        assert set(backend.stored()) == {"pm-1", "pm-3", "pm-4", "pm-5", "pm-6", "pm-7", "pm-8"}
        assert backend.stored()["pm-1"].version == 2

    def test_rebuilding_replaces_everything(self, backend: SearchBackend) -> None:
        count = backend.rebuild(iter([document("pm-8", "Clock skew"), document("pm-9", "Leap second")]))

        assert count == 2
        assert self.found(backend, EVERYTHING) == {"pm-8", "pm-9"}
        assert self.found(backend, Term("pool")) == set()

    def test_a_rebuild_may_bring_back_an_older_version(self, backend: SearchBackend) -> None:
        backend.apply([document("pm-1", "New text", version=9)])

        backend.rebuild([document("pm-1", "Restored text", version=3)])

        assert self.found(backend, Term("restor")) == {"pm-1"}
        assert backend.stored()["pm-1"].version == 3

    def test_while_it_is_rebuilt_the_old_index_answers(self, backend: SearchBackend) -> None:
        seen: list[tuple[set[str], set[str]]] = []

        def documents() -> Iterator[Document]:
            for n in range(3):
                yield document(f"new-{n}", "Clock skew")
                seen.append((self.found(backend, Term("pool")), self.found(backend, Term("clock"))))

        backend.rebuild(documents())

        assert seen == [({"pm-1", "pm-3", "pm-5"}, set())] * 3
        assert self.found(backend, Term("clock")) == {"new-0", "new-1", "new-2"}

    def test_a_rebuild_that_fails_leaves_the_old_index(self, backend: SearchBackend) -> None:
        def documents() -> Iterator[Document]:
            yield document("new-1", "Clock skew")
            raise OSError("the database went away")

        with pytest.raises(OSError, match="went away"):
            backend.rebuild(documents())

        assert set(backend.stored()) == {one.key for one in CORPUS}
        assert self.found(backend, Term("clock")) == set()
        backend.apply([document("new-2", "Clock skew")])
        assert self.found(backend, Term("clock")) == {"new-2"}

    def test_it_tells_what_it_holds(self, backend: SearchBackend) -> None:
        backend.apply([replace(CORPUS[1], version=5)])

        stored = backend.stored()

        assert {key: held.version for key, held in stored.items()} == {
            **{one.key: 1 for one in CORPUS},
            "pm-2": 5,
        }
        assert {key: held.digest for key, held in stored.items()} == {one.key: one.digest for one in CORPUS}
        assert backend.stats()["documents"] == len(CORPUS)

    # --- matching ---

    def test_every_term_counts(self, backend: SearchBackend) -> None:
        assert self.found(backend, AllOf(stems("pool", "deploy"))) == {"pm-1"}
        assert self.found(backend, AllOf(stems("pool", "worker"))) == {"pm-1", "pm-3", "pm-5"}
        assert self.found(backend, AllOf(stems("pool", "worker", "lag"))) == {"pm-5"}
        assert self.found(backend, AllOf(stems("pool", "absent"))) == set()

    def test_any_term_is_enough_for_any_of(self, backend: SearchBackend) -> None:
        assert self.found(backend, AnyOf(stems("deploy", "segment", "absent"))) == {"pm-1", "pm-2"}

    def test_not_takes_away(self, backend: SearchBackend) -> None:
        assert self.found(backend, AllOf((Term("pool"), Not(Term("deploy"))))) == {"pm-3", "pm-5"}
        assert self.found(backend, Not(Term("pool"))) == {"pm-2", "pm-4", "pm-6", "pm-7"}
        assert self.found(backend, Not(Not(Term("deploy")))) == {"pm-1"}
        assert self.found(backend, AnyOf((Term("deploy"), Not(Term("pool"))))) == {
            "pm-1",
            "pm-2",
            "pm-4",
            "pm-6",
            "pm-7",
        }

    def test_all_of_nothing_is_everything_and_any_of_nothing_is_nothing(self, backend: SearchBackend) -> None:
        assert len(self.found(backend, EVERYTHING)) == len(CORPUS)
        assert self.found(backend, AnyOf(())) == set()
        assert self.found(backend, AllOf((EVERYTHING, AnyOf(())))) == set()

    def test_a_phrase_is_side_by_side_and_in_order(self, backend: SearchBackend) -> None:
        assert self.found(backend, Phrase(("connect", "pool"))) == {"pm-1"}
        assert self.found(backend, Phrase(("pool", "connect"))) == set()
        assert self.found(backend, Phrase(("disk", "full", "log", "host"))) == {"pm-2"}
        assert self.found(backend, Phrase(("disk", "log"))) == set()

    def test_a_phrase_can_repeat_a_word(self, empty: SearchBackend) -> None:
        empty.apply(
            [document("twice", "retry retry"), document("thrice", "retry, retry, retry"), document("once", "retry")]
        )

        assert self.found(empty, Phrase(("retri", "retri"))) == {"twice", "thrice"}
        assert self.found(empty, Phrase(("retri", "retri", "retri"))) == {"thrice"}

    def test_a_phrase_does_not_cross_the_border_of_a_field(self, empty: SearchBackend) -> None:
        empty.apply(
            [document("pm-1", "The disk", symptoms="full of logs"), document("pm-2", body="the disk full of logs")]
        )

        assert self.found(empty, Phrase(("disk", "full"))) == {"pm-2"}

    def test_a_prefix_begins_words_and_names(self, backend: SearchBackend) -> None:
        assert self.found(backend, Prefix("exhau")) == {"pm-1", "pm-5"}
        assert self.found(backend, Prefix("retri")) == {"pm-4"}  # `retries`, not the stem
        assert self.found(backend, Prefix("db-1:")) == {"pm-3"}
        assert self.found(backend, Prefix("/var/l")) == {"pm-2"}
        assert self.found(backend, Prefix("absent")) == set()

    def test_the_channels_are_apart(self, backend: SearchBackend) -> None:
        assert self.found(backend, Term("conn", PARTS)) == {"pm-1"}
        assert self.found(backend, Term("conn")) == set()
        assert self.found(backend, Term("connpool", IDENTIFIERS)) == {"pm-1"}
        assert self.found(backend, Term("pool", IDENTIFIERS)) == set()
        assert self.found(backend, Term("hosts", SURFACE)) == {"pm-2"}

    def test_a_log_line_is_found_by_its_shape(self, backend: SearchBackend) -> None:
        (shape,) = signatures("ERROR pool spare: no free connection after 1200 s").keys()
        (same,) = signatures("ERROR pool main: no free connection after 90 s").keys()

        assert self.found(backend, Term(same, SIGNATURES)) == {"pm-1"}
        assert self.found(backend, Term(shape, SIGNATURES)) == set()

    def test_pasted_errors_are_found(self, backend: SearchBackend) -> None:
        assert self.typed(backend, "ECONNREFUSED") == {"pm-3"}
        assert self.typed(backend, "db-1:5432") == {"pm-3"}
        assert self.typed(backend, "java.lang.OutOfMemoryError:") == {"pm-5"}
        assert self.typed(backend, "out of memory error") == {"pm-5"}
        assert self.typed(backend, "conn_pool") == {"pm-1"}
        assert self.typed(backend, "[ERROR] pool main: no free connection after 7 s") == {"pm-1"}

    def test_spellings_are_folded(self, backend: SearchBackend) -> None:
        assert self.typed(backend, "naive") == self.typed(backend, "NAÏVE") == {"pm-4"}
        assert self.typed(backend, "STRASSE") == self.typed(backend, "straße zurich") == {"pm-4"}

    def test_scripts_without_spaces_are_found(self, backend: SearchBackend) -> None:
        assert self.typed(backend, "接続エラー") == self.typed(backend, "発生") == {"pm-6"}
        assert self.typed(backend, "続接") == set()
        assert self.typed(backend, "בחיבור") == {"pm-6"}

    # --- access ---

    def test_a_query_for_nobody_is_refused(self) -> None:
        with pytest.raises(ValueError, match="without an access token"):
            Query(frozenset())

    def test_hits_and_totals_stay_within_the_readers_access(self, backend: SearchBackend) -> None:
        def seen_by(access: frozenset[str]) -> tuple[set[str], int]:
            page = backend.search(Query(access, AnyOf(stems("pool", "data", "databas")), limit=50))
            return keys(page), page.total

        assert seen_by(ALICE) == ({"pm-1", "pm-3", "pm-5", "pm-7"}, 4)
        assert seen_by(BOB) == ({"pm-1", "pm-3", "pm-5"}, 3)
        assert seen_by(CHARLIE) == ({"pm-1", "pm-5"}, 2)
        assert seen_by(frozenset({"nobody"})) == (set(), 0)

    def test_no_kind_of_node_leads_to_a_hidden_document(self, backend: SearchBackend) -> None:
        secrets = (
            EVERYTHING,
            Term("salari"),
            Term("salary", SURFACE),
            Phrase(("salari", "data")),
            Prefix("salar"),
            Not(Term("pool")),
            AnyOf((Term("salari"), Term("primari"))),
        )

        for node in secrets:
            assert self.found(backend, node, CHARLIE).isdisjoint({"pm-3", "pm-7"})

    def test_facets_count_only_what_the_reader_may_see(self, backend: SearchBackend) -> None:
        def seen_by(access: frozenset[str], **more: Any) -> dict[str, dict[str, int]]:
            return facets(backend.search(Query(access, facets=("service", "tag"), **more)))

        assert seen_by(ALICE)["service"] == {"checkout": 1, "db": 3, "logging": 1, "payments": 1, "streaming": 2}
        assert seen_by(CHARLIE)["service"] == {"checkout": 1, "db": 1, "logging": 1, "payments": 1, "streaming": 2}
        assert seen_by(CHARLIE)["tag"] == {"pool": 1, "deploy": 1, "disk": 1, "retry": 1, "memory": 1}
        assert seen_by(CHARLIE, filters={"service": ("db",)})["service"] == seen_by(CHARLIE)["service"]

    def test_a_changed_access_holds_at_once(self, backend: SearchBackend) -> None:
        backend.apply([replace(CORPUS[0], version=2, access=frozenset({"user:alice"}))])

        assert self.found(backend, Term("deploy"), CHARLIE) == set()
        assert self.found(backend, Term("deploy"), ALICE) == {"pm-1"}

    # --- filters, dates, exclusions ---

    def test_any_value_of_a_filter_will_do_and_all_filters_must_hold(self, backend: SearchBackend) -> None:
        def through(**filters: tuple[str, ...]) -> set[str]:
            return self.found(backend, EVERYTHING, filters=filters)

        assert through(service=("db", "logging")) == {"pm-1", "pm-2", "pm-3", "pm-7"}
        assert through(service=("db", "logging"), severity=("sev1",)) == {"pm-1", "pm-3"}
        assert through(service=("absent",)) == set()
        assert through(service=("d",)) == set()  # exact, not a prefix

    def test_without_takes_away_what_has_any_of_the_values(self, backend: SearchBackend) -> None:
        without = {"service": ("db", "streaming"), "tag": ("retry",)}

        assert self.found(backend, EVERYTHING, without=without) == {"pm-2"}

    def test_dates_are_half_open_and_a_document_without_the_date_is_outside(self, backend: SearchBackend) -> None:
        def between(start: str | None, end: str | None) -> set[str]:
            ends = (day(start) if start else None, day(end) if end else None)
            return self.found(backend, EVERYTHING, dates={"occurred_on": ends})

        assert between("2025-01-01", "2025-06-15") == {"pm-1", "pm-6"}
        assert between("2025-06-15", None) == {"pm-2", "pm-4"}
        assert between(None, "2025-01-01") == {"pm-3"}
        assert between(None, None) == {"pm-1", "pm-2", "pm-3", "pm-4", "pm-6"}
        assert between("2025-06-15", "2025-06-15") == set()

    def test_dates_are_exact_to_the_microsecond(self, empty: SearchBackend) -> None:
        moment = datetime(2025, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
        empty.apply([replace(document("pm-1"), dates={"updated_at": moment})])

        later = moment.replace(microsecond=123_457)
        assert self.found(empty, EVERYTHING, dates={"updated_at": (moment, later)}) == {"pm-1"}
        assert self.found(empty, EVERYTHING, dates={"updated_at": (later, None)}) == set()
        assert self.found(empty, EVERYTHING, dates={"updated_at": (None, moment)}) == set()

    def test_excluded_keys_are_nowhere(self, backend: SearchBackend) -> None:
        page = backend.search(
            Query(EVERYBODY, Term("pool"), exclude=frozenset({"pm-1", "absent"}), facets=("service",))
        )

        assert keys(page) == {"pm-3", "pm-5"}
        assert page.total == 2
        assert facets(page) == {"service": {"db": 1, "streaming": 1}}

    # --- facets ---

    def test_facet_counts_are_of_the_documents_that_match(self, backend: SearchBackend) -> None:
        page = backend.search(Query(EVERYBODY, Term("pool"), facets=("service", "severity", "tag"), limit=1))

        assert facets(page) == {
            "service": {"checkout": 1, "db": 2, "streaming": 1},
            "severity": {"sev1": 2, "sev2": 1},
            "tag": {"pool": 1, "deploy": 1, "failover": 1, "disk": 1, "memory": 1},
        }

    def test_a_facet_ignores_its_own_filter_and_no_other(self, backend: SearchBackend) -> None:
        query = Query(
            EVERYBODY,
            filters={"service": ("db",), "severity": ("sev1",)},
            without={"tag": ("failover",)},
            facets=("service", "severity", "tag"),
        )

        page = backend.search(query)

        assert keys(page) == {"pm-1"}
        assert facets(page) == {
            "service": {"checkout": 1, "db": 1},
            "severity": {"sev1": 1},
            "tag": {"pool": 1, "deploy": 1},
        }

    def test_choosing_a_value_gives_as_many_hits_as_its_facet_said(self, backend: SearchBackend) -> None:
        query = Query(EVERYBODY, AnyOf(stems("pool", "disk")), facets=("service",))

        for value, count in facets(backend.search(query))["service"].items():
            assert backend.search(replace(query, filters={"service": (value,)})).total == count

    # --- order and pages ---

    def test_a_score_is_bm25f(self, empty: SearchBackend) -> None:
        title, body = SCHEMA.text["title"], SCHEMA.text["body"]
        empty.apply([document("a", "Pool", body="disk, disk"), document("b", body="disk"), document("c", body="pool")])
        counts = {"a": 2 * body, "b": body}
        lengths = {"a": title + 2 * body, "b": body, "c": body}
        average = sum(lengths.values()) / 3

        page = empty.search(Query(EVERYBODY, Term("disk", weight=0.5)))

        idf = math.log(3 / (2 + 1)) + 1
        assert keys(page) == {"a", "b"}
        for hit in page.hits:
            count = counts[hit.key]
            normal = 1.2 * (1 - 0.75 + 0.75 * lengths[hit.key] / average)
            expected = 0.5 * idf * count * (1.2 + 1) / (count + normal)
            assert hit.score == pytest.approx(expected, rel=self.score_tolerance)

    def test_the_title_weighs_more(self, empty: SearchBackend) -> None:
        empty.apply([document("body", "Outage", body="certificate"), document("title", "Certificate", body="outage")])

        page = empty.search(Query(EVERYBODY, Term("certif")))

        assert [hit.key for hit in page.hits] == ["title", "body"]

    def test_a_rarer_word_weighs_more(self, empty: SearchBackend) -> None:
        empty.apply([document(f"pm-{n}", "pool") for n in range(8)] + [document("rare", "lease")])

        page = empty.search(Query(EVERYBODY, AnyOf(stems("pool", "leas")), limit=20))

        assert page.hits[0].key == "rare"

    def test_the_weight_of_a_term_counts(self, backend: SearchBackend) -> None:
        (light,) = backend.search(Query(EVERYBODY, Term("deploy"))).hits
        (heavy,) = backend.search(Query(EVERYBODY, Term("deploy", weight=2.5))).hits

        assert heavy.score == pytest.approx(2.5 * light.score)

    def test_equals_are_ordered_by_key(self, empty: SearchBackend) -> None:
        empty.apply([document(key, "Pool exhausted") for key in ("pm-9", "pm-10", "inc-3", "fix-7")])

        page = empty.search(Query(EVERYBODY, Term("pool")))

        assert [hit.key for hit in page.hits] == ["fix-7", "inc-3", "pm-10", "pm-9"]

    def test_pages_are_disjoint_complete_and_in_one_order(self, empty: SearchBackend) -> None:
        empty.apply(
            [document(f"pm-{n}", "pool " * (n % 5 + 1), occurred_on=f"2025-01-{n % 7 + 1:02}") for n in range(40)]
        )
        sorts: tuple[Sort, ...] = ("relevance", "newest", "oldest")
        for sort in sorts:
            query = Query(EVERYBODY, Term("pool"), sort=sort, sort_date="occurred_on", limit=1000)
            whole = [hit.key for hit in empty.search(query).hits]

            pages = [empty.search(replace(query, offset=offset, limit=7)) for offset in range(0, 49, 7)]

            assert [hit.key for page in pages for hit in page.hits] == whole
            assert len(set(whole)) == 40
            assert {page.total for page in pages} == {40}

    def test_a_page_of_nothing_still_has_its_total(self, backend: SearchBackend) -> None:
        assert backend.search(Query(EVERYBODY, Term("pool"), limit=0)).total == 3
        beyond = backend.search(Query(EVERYBODY, Term("pool"), offset=50))
        assert (beyond.hits, beyond.total) == ((), 3)

    def test_sorting_by_date_puts_the_undated_last(self, backend: SearchBackend) -> None:
        def order(sort: Sort) -> list[str]:
            query = Query(EVERYBODY, sort=sort, sort_date="occurred_on")
            return [hit.key for hit in backend.search(query).hits]

        assert order("newest") == ["pm-2", "pm-4", "pm-1", "pm-6", "pm-3", "pm-5", "pm-7"]
        assert order("oldest") == ["pm-3", "pm-6", "pm-1", "pm-2", "pm-4", "pm-5", "pm-7"]

    # --- scores ---

    def test_parts_add_up_to_the_score(self, backend: SearchBackend) -> None:
        node = AnyOf(
            (
                AllOf((Term("pool", weight=2.0), Term("exhaust"), Not(Term("absent")))),
                AllOf((Term("worker"), Term("absent"))),
                Phrase(("connect", "pool")),
                Prefix("exhau"),
                Term("conn", PARTS),
            )
        )

        page = backend.search(Query(EVERYBODY, node, explain=True))

        assert keys(page) == {"pm-1", "pm-3", "pm-5"} - {"pm-3"}
        for hit in page.hits:
            assert math.fsum(value for _, value in hit.parts) == pytest.approx(hit.score, rel=1e-6)

    def test_each_part_names_what_added_it(self, backend: SearchBackend) -> None:
        node = AnyOf((Term("deploy", weight=2.0), Phrase(("connect", "pool")), Prefix("exhau"), Term("conn", PARTS)))

        (best, *_) = backend.search(Query(EVERYBODY, node, explain=True)).hits

        parts = {term: value for term, value in best.parts if value}
        assert best.key == "pm-1"
        assert set(parts) == {
            Term("deploy", weight=2.0),
            Term("connect"),
            Term("pool"),
            Term("exhau", SURFACE),
            Term("conn", PARTS),
        }
        assert parts[Term("exhau", SURFACE)] == pytest.approx(1.0)
        assert backend.search(Query(EVERYBODY, node)).hits[0].parts == ()

    def test_what_does_not_match_as_a_whole_adds_nothing(self, backend: SearchBackend) -> None:
        plain = backend.search(Query(EVERYBODY, Term("deploy"))).hits
        node = AnyOf((Term("deploy"), AllOf(stems("pool", "absent")), Not(EVERYTHING)))

        assert [hit.score for hit in backend.search(Query(EVERYBODY, node)).hits] == pytest.approx(
            [hit.score for hit in plain]
        )

    def test_unwanted_words_do_not_change_scores(self, backend: SearchBackend) -> None:
        (alone,) = backend.search(Query(EVERYBODY, Term("deploy"))).hits
        (besides,) = backend.search(Query(EVERYBODY, AllOf((Term("deploy"), Not(Term("kafka")))))).hits

        assert besides.score == pytest.approx(alone.score)

    def test_the_reader_does_not_change_scores(self, backend: SearchBackend) -> None:
        mine = {hit.key: hit.score for hit in backend.search(Query(ALICE, Term("pool"))).hits}
        theirs = {hit.key: hit.score for hit in backend.search(Query(CHARLIE, Term("pool"))).hits}

        assert theirs == {key: mine[key] for key in ("pm-1", "pm-5")}

    # --- the same as the reference ---

    def assert_same(self, backend: SearchBackend, reference: SearchBackend, query: Query) -> None:
        query = replace(query, limit=1000, explain=True)
        page, expected = backend.search(query), reference.search(query)
        assert keys(page) == keys(expected)
        assert page.total == expected.total
        assert facets(page) == facets(expected)
        scores = {hit.key: hit.score for hit in expected.hits}
        for hit in page.hits:
            assert hit.score == pytest.approx(scores[hit.key], rel=self.score_tolerance, abs=1e-9)
            assert math.fsum(value for _, value in hit.parts) == pytest.approx(hit.score, rel=1e-6, abs=1e-9)
        order = [(-hit.score, hit.key) for hit in page.hits]
        assert order == sorted(order)

    def test_fixed_queries_have_the_references_answers(self, backend: SearchBackend) -> None:
        reference = MemoryBackend(SCHEMA)
        reference.apply(CORPUS)
        typed = (
            "pool", "pool exhausted", '"connection pool"', "conn*", "disk -logging", "pool OR disk", "the", "-pool",
            "max_connections", "ConnPool workers", "接続", "naïve retries", "db-1:5432", "after the deploy",
        )  # fmt: skip

        for text in typed:
            parsed = parse(text, {})
            for node in (parsed.node, parsed.loose or EVERYTHING):
                for access in (ALICE, BOB, CHARLIE):
                    self.assert_same(backend, reference, Query(access, node, facets=("service", "severity", "tag")))

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,  # a rebuild makes the engine as new for each example
            HealthCheck.differing_executors,  # several engines share this test
            HealthCheck.too_slow,
        ],
    )
    @given(data=st.data())
    def test_any_query_over_any_documents_has_the_references_answer(self, empty: SearchBackend, data: Any) -> None:
        documents = data.draw(corpora)
        reference = MemoryBackend(SCHEMA)
        reference.rebuild(documents)
        empty.rebuild(documents)

        for query in data.draw(st.lists(queries, min_size=1, max_size=8)):
            self.assert_same(empty, reference, query)

    # --- statistics and spelling ---

    def test_term_stats_count_documents(self, backend: SearchBackend) -> None:
        terms = (
            Term("pool"),
            Term("pool", PARTS),
            Term("connpool", IDENTIFIERS),
            Term("absent"),
            Term("hosts", SURFACE),
        )

        stats = backend.term_stats(terms)

        assert stats.documents == len(CORPUS)
        assert {term: stats.frequency.get((term.channel, term.token), 0) for term in terms} == {
            Term("pool"): 3,
            Term("pool", PARTS): 1,
            Term("connpool", IDENTIFIERS): 1,
            Term("absent"): 0,
            Term("hosts", SURFACE): 1,
        }

    def test_similar_words_are_two_edits_away_at_most(self, backend: SearchBackend) -> None:
        assert backend.similar_words("exhuasted", access=EVERYBODY) == ["exhausted"]  # letters swapped: one edit
        assert backend.similar_words("exausteed", access=EVERYBODY) == ["exhausted"]
        assert backend.similar_words("xhaustd", access=EVERYBODY) == ["exhausted"]
        assert backend.similar_words("xhustd", access=EVERYBODY) == []

    def test_a_short_word_has_one_edit(self, backend: SearchBackend) -> None:
        assert backend.similar_words("disc", access=EVERYBODY) == ["disk"]
        assert backend.similar_words("dsik", access=EVERYBODY) == ["disk"]
        assert backend.similar_words("dixc", access=EVERYBODY) == []

    def test_a_word_is_not_similar_to_itself(self, backend: SearchBackend) -> None:
        assert backend.similar_words("exhausted", access=EVERYBODY) == []
        assert backend.similar_words("EXHAUSTED", access=EVERYBODY) == []

    def test_similar_words_are_ordered_by_edits_then_by_use_then_by_name(self, empty: SearchBackend) -> None:
        titles = ("leader", "leader reader", "header reader loader", "reader", "leaders")
        empty.apply([document(f"pm-{n}", title) for n, title in enumerate(titles)])

        assert empty.similar_words("beader", access=EVERYBODY, limit=4) == ["reader", "leader", "header", "leaders"]
        assert empty.similar_words("beader", access=EVERYBODY, limit=2) == ["reader", "leader"]

    def test_similar_words_come_from_documents_the_reader_may_see(self, backend: SearchBackend) -> None:
        assert backend.similar_words("salry", access=ALICE) == ["salary"]
        assert backend.similar_words("salry", access=BOB) == []
        assert backend.similar_words("replika", access=BOB) == ["replica"]
        assert backend.similar_words("replika", access=CHARLIE) == []

    def test_the_use_that_orders_similar_words_is_the_use_the_reader_may_see(self, empty: SearchBackend) -> None:
        hidden = [document(f"hidden-{n}", "reader", access=("user:alice",)) for n in range(5)]
        empty.apply([*hidden, document("pm-1", "leader"), document("pm-2", "leader reader")])

        assert empty.similar_words("beader", access=CHARLIE) == ["leader", "reader"]
        assert empty.similar_words("beader", access=ALICE) == ["reader", "leader"]

    # --- anything at all ---

    def test_an_empty_index_answers(self, empty: SearchBackend) -> None:
        node = AllOf((Term("pool"), Phrase(("disk", "full")), Prefix("exh")))

        for asked in (EVERYTHING, node, Not(node), AnyOf(())):
            page = empty.search(Query(EVERYBODY, asked, facets=("service",), sort="newest", sort_date="occurred_on"))
            assert (page.hits, page.total, facets(page)) == ((), 0, {"service": {}})
        assert empty.term_stats([Term("pool")]).documents == 0
        assert empty.similar_words("pool", access=EVERYBODY) == []
        assert dict(empty.stored()) == {}
        assert empty.stats()["documents"] == 0

    def test_fields_that_the_index_does_not_have_match_nothing(self, backend: SearchBackend) -> None:
        page = backend.search(Query(EVERYBODY, filters={"absent": ("x",)}, facets=("absent",)))

        assert page.total == 0
        assert facets(page) == {"absent": {}}

    def test_hostile_tokens_are_only_tokens(self, backend: SearchBackend) -> None:
        for token in HOSTILE_TOKENS:
            for node in (Term(token), Term(token, SURFACE), Phrase((token, token)), Prefix(token), Not(Term(token))):
                found = self.found(backend, node)
                assert found == (self.found(backend, EVERYTHING) if isinstance(node, Not) else set())
            assert self.found(backend, EVERYTHING, filters={"service": (token,)}) == set()
            assert self.found(backend, EVERYTHING, frozenset({token})) == set()
            backend.similar_words(token, access=EVERYBODY)

    @pytest.mark.timeout(60)
    def test_hostile_text_is_stored_and_found_again(self, empty: SearchBackend) -> None:
        hostile = [document(f"pm-{n}", f"{text} lighthouse", body=text) for n, text in enumerate(HOSTILE_TEXTS)]

        empty.apply(hostile)

        assert self.found(empty, Term("lighthous")) == {one.key for one in hostile}
        assert {key: held.digest for key, held in empty.stored().items()} == {one.key: one.digest for one in hostile}

    def test_keys_and_keywords_may_be_any_text(self, empty: SearchBackend) -> None:
        odd = ("a b", "naïve", "SEV-1", "x:y", "*", "接続", "'\"", "a,b", " lead")
        empty.apply([document(value, "pool", tag=(value,), access=(value,)) for value in odd])

        for value in odd:
            assert self.found(empty, EVERYTHING, frozenset({value})) == {value}
            assert self.found(empty, EVERYTHING, frozenset(odd), filters={"tag": (value,)}) == {value}
            assert self.found(empty, EVERYTHING, frozenset(odd), exclude=frozenset(odd) - {value}) == {value}
        assert facets(empty.search(Query(frozenset(odd), facets=("tag",)))) == {"tag": dict.fromkeys(odd, 1)}
        empty.apply([], gone=odd[:4])
        assert set(empty.stored()) == set(odd[4:])

    # --- many at once ---

    def test_readers_see_each_batch_whole_or_not_at_all(self, empty: SearchBackend) -> None:
        def batch(n: int) -> list[Document]:
            return [document(f"pm-{i}", f"Pool gen{n}", version=n + 1, tag=(f"gen{n}",)) for i in range(6)]

        def read() -> None:
            last = 0
            while not done.is_set():
                page = empty.search(Query(EVERYBODY, Term("pool"), facets=("tag",), explain=True))
                (counts,) = facets(page).values()
                assert (len(page.hits), page.total, list(counts.values())) == (6, 6, [6])
                now = int(next(iter(counts)).removeprefix("gen"))
                assert now >= last  # never back in time
                last = now

        empty.apply(batch(0))
        done = threading.Event()
        with ThreadPoolExecutor(8) as threads:
            readers = [threads.submit(read) for _ in range(8)]
            try:
                for n in range(1, 20):
                    empty.apply(batch(n))
                    assert empty.search(Query(EVERYBODY, Term(f"gen{n}"))).total == 6
                empty.rebuild(batch(20))
            finally:
                done.set()
            for reader in readers:
                reader.result()

        assert self.found(empty, Term("gen20")) == {f"pm-{i}" for i in range(6)}


# --- documents and queries made up by hypothesis ---

WORDS_USED = (
    "pool",
    "pools",
    "exhausted",
    "disk",
    "full",
    "retry",
    "the",
    "ConnPool",
    "conn_pool",
    "db-1:5432",
    "naïve",
)
STEMS = ("pool", "exhaust", "disk", "full", "retri", "connpool", "conn_pool", "db", "naiv", "absent")

texts = st.lists(st.sampled_from(WORDS_USED), max_size=8).map(" ".join)
few_days = st.sampled_from([day("2024-12-31"), day("2025-01-01"), day("2025-06-15")])
some_of: Mapping[str, Any] = {
    "service": st.lists(st.sampled_from(("db", "api", "web")), unique=True, max_size=2).map(tuple),
    "tag": st.lists(st.sampled_from(("disk", "pool")), unique=True, max_size=2).map(tuple),
}
documents = st.builds(
    Document,
    key=st.sampled_from([f"pm-{n}" for n in range(12)]),
    version=st.just(1),
    text=st.fixed_dictionaries({"title": texts, "body": texts}, optional={"fix": texts}),
    keywords=st.fixed_dictionaries({}, optional=some_of),
    dates=st.fixed_dictionaries({}, optional={"occurred_on": few_days}),
    access=st.sampled_from([frozenset({"open"}), frozenset({"team:db"}), frozenset({"user:alice", "user:bob"})]),
)
corpora: st.SearchStrategy[Collection[Document]] = st.lists(documents, max_size=10, unique_by=lambda one: one.key)

leaf_nodes = st.one_of(
    st.builds(Term, st.sampled_from(STEMS), st.just(WORDS), weight=st.sampled_from((1.0, 0.5, 3.0))),
    st.builds(Term, st.sampled_from(("conn", "pool")), st.just(PARTS), st.just(1.0)),
    st.builds(Term, st.sampled_from(("db-1:5432", "connpool")), st.just(IDENTIFIERS), st.just(1.0)),
    st.builds(Phrase, st.tuples(st.sampled_from(STEMS), st.sampled_from(STEMS))),
    st.builds(Prefix, st.sampled_from(("poo", "pools", "exh", "con", "db-1", "abs"))),
)
nodes: st.SearchStrategy[Node] = st.recursive(
    leaf_nodes,
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
queries = st.builds(
    Query,
    access=st.sampled_from((ALICE, BOB, CHARLIE)),
    node=nodes,
    filters=st.fixed_dictionaries({}, optional=some_of),
    without=st.fixed_dictionaries({}, optional=some_of),
    dates=st.fixed_dictionaries({}, optional={"occurred_on": st.tuples(st.none() | few_days, st.none() | few_days)}),
    exclude=st.frozensets(st.sampled_from([f"pm-{n}" for n in range(12)]), max_size=2),
    facets=st.just(("service", "tag")),
)

HOSTILE_TOKENS = (
    "\0",
    '"',
    "*",
    "(",
    "~",
    "\\",
    "kafka*)",
    "NEAR(x",
    "a b",
    "👩‍👩‍👧",
    "x" * 100_000,
    "title:pool",
    "[a TO z]",
)
HOSTILE_TEXTS = (
    "",
    "\0 pool \0",
    '" * ( ~ \\ kafka*) NEAR(x',
    "x" * 1_000_000,
    "[" * 100_000,
    "👩‍👩‍👧‍👦 🔥",
    "‮שלום העולם",
    "\ud800 lone surrogate",
    "接続" * 10_000,
    "a." * 20_000,
)
