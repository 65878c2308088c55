"""The embedded engine keeps the contract; its scores are Whoosh's own; damage is named, and nobody is disturbed."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whoosh import query as whoosh_query
from whoosh.collectors import TopCollector
from whoosh.filedb.filestore import FileStorage

from kb.search.backends import whoosh
from kb.search.backends.whoosh import WhooshBackend
from kb.search.base import (
    SURFACE,
    WORDS,
    AllOf,
    AnyOf,
    Corrupt,
    Document,
    Phrase,
    Prefix,
    Query,
    Schema,
    SearchError,
    Term,
    Unavailable,
)
from tests.kb.search_contract import CORPUS, EVERYBODY, SCHEMA, SearchBackendContract, document, keys


class TestWhooshBackend(SearchBackendContract):
    score_tolerance = 0.1  # Whoosh keeps a document's length in one byte: 11 becomes 12

    def make_backend(self, folder: Path, schema: Schema) -> WhooshBackend:
        return WhooshBackend(schema, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def backend(folder: Path) -> Iterator[WhooshBackend]:
    engine = WhooshBackend(SCHEMA, folder)
    engine.rebuild(CORPUS)
    yield engine
    engine.close()


def generation(folder: Path) -> Path:
    return folder / (folder / "current").read_text().strip()


def pools(count: int, start: int = 0, *, version: int = 1) -> list[Document]:
    return [document(f"new-{n}", f"pool number {n}", version=version) for n in range(start, start + count)]


def total(backend: WhooshBackend, word: str = "pool") -> int:
    return backend.search(Query(EVERYBODY, Term(word))).total


# --- the same as Whoosh ---

WORD_LIST = [first + second for first in "bcdfgklm" for second in ("ab", "og", "uk", "ev")]
texts = st.lists(st.sampled_from(WORD_LIST), min_size=0, max_size=60).map(" ".join)
batches = st.lists(
    st.dictionaries(st.integers(0, 30), st.tuples(texts, texts), min_size=1, max_size=12), min_size=1, max_size=6
)


def whooshs_own_answer(folder: Path, node: whoosh_query.Query) -> list[tuple[int, float]]:
    """Every posting looked at, nothing skipped: with its shortcuts Whoosh's first ten are not always the first ten."""
    index = FileStorage(str(generation(folder)), supports_mmap=False).open_index()
    with index.searcher() as searcher:
        collector = TopCollector(limit=1000, usequality=False, replace=0)
        searcher.search_with_collector(node, collector)
        return [(hit.docnum, hit.score) for hit in collector.results()]


def fill(backend: WhooshBackend, changes: list[dict[int, tuple[str, str]]]) -> None:
    """A batch replaces what has the same number, so there are deletions, and several segments."""
    backend.rebuild([])
    for version, batch in enumerate(changes, start=1):
        backend.apply(
            [document(f"pm-{n}", title, body=body, version=version) for n, (title, body) in batch.items()],
            gone=[f"pm-{30 - version}"],
        )


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    changes=batches,
    wanted=st.lists(st.tuples(st.sampled_from(WORD_LIST), st.sampled_from([0.5, 1.0, 2.75])), min_size=1, max_size=8),
    channel=st.sampled_from([WORDS, SURFACE]),
    every=st.booleans(),
)
def test_scores_and_order_are_whooshs_own(
    backend: WhooshBackend,
    folder: Path,
    changes: list[dict[int, tuple[str, str]]],
    wanted: list[tuple[str, float]],
    channel: str,
    every: bool,
) -> None:
    fill(backend, changes)
    node = (AllOf if every else AnyOf)(tuple(Term(word, channel, weight) for word, weight in wanted))
    combine = whoosh_query.And if every else whoosh_query.Or
    theirs = whooshs_own_answer(folder, combine([whoosh_query.Term(channel, w, boost=boost) for w, boost in wanted]))

    ours = backend.search(Query(EVERYBODY, node, limit=1000))

    keys_by_doc = backend._open_latest().snapshot.keys([doc for doc, _ in theirs])
    scores = [-round(score, 9) for _, score in theirs]
    expected = sorted(zip(scores, keys_by_doc, strict=True))
    assert [hit.key for hit in ours.hits] == [key for _, key in expected]
    assert [hit.score for hit in ours.hits] == pytest.approx([-score for score, _ in expected], rel=1e-6)


def test_the_few_best_are_the_first_of_all(backend: WhooshBackend) -> None:
    backend.apply([document(f"new-{n}", "pool " * (n % 9 + 1), body="lease " * (n % 7)) for n in range(150)])
    node = AnyOf((Term("pool"), Term("leas")))
    everything = [hit.key for hit in backend.search(Query(EVERYBODY, node, limit=1000)).hits]

    for count in range(1, 60):
        hits = backend.search(Query(EVERYBODY, node, limit=count)).hits

        assert [hit.key for hit in hits] == everything[:count]


def test_long_posting_lists_are_read_whole(backend: WhooshBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 9000  # more than two blocks
    backend.rebuild(document(f"pm-{n:05}", "pool exhausted" if n % 2 else "exhausted pool pool") for n in range(count))

    assert total(backend) == count
    assert backend.search(Query(EVERYBODY, Phrase(("pool", "exhaust")))).total == count // 2
    assert [hit.key for hit in backend.search(Query(EVERYBODY, Term("pool"), offset=count // 2, limit=1)).hits] == [
        "pm-00001"
    ]


def test_a_frequent_beginning_stands_for_its_most_frequent_words(backend: WhooshBackend) -> None:
    backend.rebuild([document(f"pm-{n}", f"common conn{n} conn{n % 5}x") for n in range(700)])

    assert backend.search(Query(EVERYBODY, Prefix("conn"))).total == 700
    assert backend.search(Query(EVERYBODY, Prefix("conn69"))).total == 11


# --- building in other processes ---


def test_a_big_index_is_built_in_parts(backend: WhooshBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whoosh, "BATCH", 400)

    assert backend.rebuild([*CORPUS, *pools(60), *pools(60)]) == len(CORPUS) + 60

    assert backend.stats()["segments"] == whoosh.SEGMENTS
    assert total(backend) == 63
    assert backend.search(Query(EVERYBODY, Phrase(("pool", "number")))).total == 60
    assert set(backend.stored()) == {one.key for one in (*CORPUS, *pools(60))}
    backend.tidy()
    assert backend.stats()["segments"] == 1
    assert total(backend) == 63


# --- small commits ---


def test_many_small_commits_leave_few_segments(backend: WhooshBackend) -> None:
    most = 0
    for n in range(150):
        backend.apply(pools(1, n))
        most = max(most, int(backend.stats()["segments"]))

    assert most <= 12
    assert total(backend) == 153
    assert len(backend.stored()) == 157


def test_changes_made_while_the_job_merges_are_kept(backend: WhooshBackend, folder: Path) -> None:
    for n in range(5):
        backend.apply(pools(10, 10 * n))
    stranger = WhooshBackend(SCHEMA, folder)  # as another process would open it
    times = []

    @contextmanager
    def alone() -> Iterator[None]:
        """All has been read and written by now, and nothing is switched yet."""
        if not times:
            stranger.apply([*pools(2, version=2), *pools(1, 100)], gone=["new-15", "pm-1"])
        times.append(len(times))
        yield

    backend.tidy(alone)

    assert times == [0]
    assert backend.stats()["segments"] == 2
    assert total(backend) == total(stranger) == 52
    stored = backend.stored()
    assert {key for key, state in stored.items() if state.version == 2} == {"new-0", "new-1"}
    assert "new-100" in stored
    assert not {"new-15", "pm-1"} & stored.keys()


def test_a_merge_whose_segments_are_gone_was_in_vain(backend: WhooshBackend, folder: Path) -> None:
    for n in range(5):
        backend.apply(pools(10, 10 * n))
    stranger = WhooshBackend(SCHEMA, folder)

    def alone() -> AbstractContextManager[None]:
        if total(stranger) == 53:
            stranger.rebuild([*CORPUS, *pools(70)])
        return nullcontext()

    backend.tidy(alone)

    assert total(backend) == total(stranger) == 73


def test_one_process_merges_at_a_time(backend: WhooshBackend, folder: Path) -> None:
    for n in range(5):
        backend.apply(pools(10, 10 * n))
    stranger, seen = WhooshBackend(SCHEMA, folder), []

    def alone() -> AbstractContextManager[None]:
        stranger.tidy()
        seen.append(stranger.stats()["segments"])
        return nullcontext()

    backend.tidy(alone)

    assert seen == [6]
    assert backend.stats()["segments"] == 1


def test_what_a_killed_merge_left_is_cleared_away(backend: WhooshBackend, folder: Path) -> None:
    backend.apply(pools(10))
    backend.apply(pools(10, 10))

    def killed() -> AbstractContextManager[None]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.tidy(killed)
    half_written = generation(folder) / "MAIN_0123456789abcdef.seg"
    half_written.write_bytes(b"half")
    assert list((generation(folder) / "merging").iterdir())

    backend.tidy()

    assert not half_written.exists()
    assert not list((generation(folder) / "merging").iterdir())
    assert total(backend) == 23


def test_whoosh_reads_what_was_merged(backend: WhooshBackend, folder: Path) -> None:
    backend.rebuild(document(f"pm-{n:05}", "pool exhausted " * (n % 5), body=f"lease number{n}") for n in range(700))
    backend.apply(pools(200), gone=[f"pm-{n:05}" for n in range(0, 700, 3)])
    backend.tidy()
    words = [("pool", 1.0), ("leas", 2.0), ("exhaust", 0.5)]

    theirs = whooshs_own_answer(folder, whoosh_query.Or([whoosh_query.Term(WORDS, w, boost=b) for w, b in words]))
    ours = backend.search(Query(EVERYBODY, AnyOf(tuple(Term(w, WORDS, b) for w, b in words)), limit=1000))

    assert backend.stats()["segments"] == 1
    assert ours.total == len(theirs) == 700 - 234 + 200
    assert [hit.score for hit in ours.hits] == pytest.approx([score for _, score in theirs], rel=1e-6)


def test_merging_keeps_all_and_drops_the_deleted(backend: WhooshBackend) -> None:
    backend.apply(pools(40))
    backend.apply(pools(20, version=2), gone=[f"new-{n}" for n in range(30, 40)])
    queries = [
        Query(EVERYBODY, node, limit=100, facets=("service", "tag"), sort="newest", sort_date="occurred_on")
        for node in (Term("pool"), Phrase(("pool", "number")), Prefix("numb"), Term("ConnPool".lower(), "identifiers"))
    ]
    before = [backend.search(query) for query in queries]
    stored = backend.stored()

    backend.tidy()

    assert backend.stats()["segments"] == 1
    assert backend._open_latest().snapshot.size == 37
    assert backend.stored() == stored
    for query, page in zip(queries, before, strict=True):
        after = backend.search(query)
        assert [hit.key for hit in after.hits] == [hit.key for hit in page.hits]
        assert (after.total, after.facets) == (page.total, page.facets)


def test_what_is_known_already_is_not_committed(backend: WhooshBackend) -> None:
    backend.apply([document("pm-8", "Salary of a whole year, in a log " * 9)])
    backend.tidy()
    before = backend.stats()

    backend.apply(CORPUS, gone=["absent"])
    backend.apply([])
    backend.tidy()

    assert backend.stats() == before


def test_a_failed_write_leaves_the_index_as_it_was_and_the_lock_free(backend: WhooshBackend) -> None:
    with pytest.raises(KeyError, match="colour"):
        backend.apply([*pools(3), Document("bad", 1, {"title": "x"}, {"colour": ("red",)}, access=EVERYBODY)])

    assert total(backend) == 3
    backend.apply(pools(1))
    assert total(backend) == 4


def test_a_folder_that_cannot_be_written_is_unavailable_not_corrupt(backend: WhooshBackend, folder: Path) -> None:
    lock = generation(folder) / "MAIN_WRITELOCK"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # as root no permission would keep us out

    with pytest.raises(SearchError):
        backend.apply(pools(1))
    lock.rmdir()
    WhooshBackend(SCHEMA, folder).apply(pools(1))

    assert total(WhooshBackend(SCHEMA, folder)) == 4


def test_a_merge_that_misses_a_file_leaves_all_as_it_was(backend: WhooshBackend, folder: Path) -> None:
    for n in range(5):
        backend.apply(pools(1, n))
    segment = next(generation(folder).glob("*.seg"))
    segment.rename(folder / "elsewhere")
    stranger = WhooshBackend(SCHEMA, folder)

    with pytest.raises(Unavailable, match=r"elsewhere|\.seg"):
        stranger.tidy()
    (folder / "elsewhere").rename(segment)
    stranger.tidy()
    assert total(backend) == 8


# --- readers and writers at once ---


def at_once(*work: Callable[[], None]) -> list[BaseException]:
    """Run these in threads; what they raised."""
    raised: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_readers_never_notice_commits_merges_and_rebuilds(backend: WhooshBackend, folder: Path) -> None:
    done = threading.Event()
    stranger = WhooshBackend(SCHEMA, folder)  # as another process would open it
    answers = []

    def write() -> None:
        try:
            for n in range(40):
                backend.apply(pools(1, n))
            backend.tidy()
            for _ in range(3):
                backend.rebuild([*CORPUS, *pools(40)])
        finally:
            done.set()

    def read(engine: WhooshBackend) -> Callable[[], None]:
        def reading() -> None:
            while not done.is_set():
                page = engine.search(Query(EVERYBODY, Term("pool"), limit=100, facets=("service",)))
                answers.append((page.total, len(keys(page)), page.facets["service"]["db"]))

        return reading

    raised = at_once(write, read(backend), read(backend), read(stranger))

    assert raised == []
    assert {count for count, _, _ in answers} <= set(range(3, 44))
    assert all(count == distinct and fixed == 2 for count, distinct, fixed in answers)
    assert total(stranger) == 43


def test_a_reader_of_the_generation_before_reads_on(backend: WhooshBackend) -> None:
    opened = backend._open_latest()

    backend.rebuild([])

    assert len(opened.snapshot.postings(WORDS, "checkout").ids) == 1
    assert total(backend) == 0


# --- damage ---

FILES = ["current", "meta.json", ".toc", ".seg"]
HARM: dict[str, Callable[[Path], None]] = {
    "deleted": Path.unlink,
    "empty": lambda path: os.truncate(path, 0),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "overwritten": lambda path: path.write_bytes(os.urandom(path.stat().st_size)) and None,
}


def questions(backend: WhooshBackend) -> list[object]:
    """Everything that can be asked."""
    node = AnyOf((Term("pool"), Phrase(("connect", "pool")), Prefix("exh"), Term("hosts", SURFACE)))
    page = backend.search(
        Query(EVERYBODY, node, facets=("service",), explain=True, sort="newest", sort_date="updated_at")
    )
    return [
        [(hit.key, round(hit.score, 6)) for hit in page.hits],
        page.facets,
        backend.stored(),
        backend.term_stats([Term("pool")]),
        backend.similar_words("exhuasted", access=EVERYBODY),
    ]


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("is_open", [False, True], ids=["before opening", "while open"])
def test_a_damaged_index_answers_rightly_or_says_so(
    backend: WhooshBackend, folder: Path, name: str, harm: str, is_open: bool
) -> None:
    right = questions(backend)
    reader = WhooshBackend(SCHEMA, folder)
    if is_open:
        reader.stats()
    for path in [*folder.glob(name), *generation(folder).glob(f"*{name}")]:
        HARM[harm](path)

    for _ in range(2):
        with suppress(SearchError):
            assert questions(reader) == right
    with suppress(SearchError):
        reader.apply([document("new-1", "lease")])
        assert total(reader, "leas") == 1

    assert reader.rebuild(CORPUS) == len(CORPUS)
    assert total(reader) == 3
    assert total(WhooshBackend(SCHEMA, folder)) == 3


def test_any_single_page_of_the_segment_may_be_bad(backend: WhooshBackend, folder: Path) -> None:
    """Not that every flipped byte is found: but whatever is read of it, only our own errors come out."""
    (segment,) = generation(folder).glob("*.seg")
    sound = segment.read_bytes()
    for start in range(0, len(sound), 512):
        segment.write_bytes(sound[:start] + bytes(512) + sound[start + 512 :])
        with suppress(SearchError):
            questions(WhooshBackend(SCHEMA, folder))


def test_without_an_index_it_is_unavailable(folder: Path) -> None:
    nothing = WhooshBackend(SCHEMA, folder)

    with pytest.raises(Unavailable, match="no index yet"):
        nothing.search(Query(EVERYBODY))
    with pytest.raises(Unavailable, match="no index yet"):
        nothing.apply(CORPUS)  # a new index with one change in it would hide all other documents


@pytest.mark.parametrize("which", ["root", "generation"])
def test_an_index_that_others_can_write_is_not_opened(backend: WhooshBackend, folder: Path, which: str) -> None:
    (folder if which == "root" else generation(folder)).chmod(0o777)
    stranger = WhooshBackend(SCHEMA, folder)

    with pytest.raises(Corrupt, match="can be written by others"):
        stranger.search(Query(EVERYBODY))
    stranger.rebuild(CORPUS)
    assert total(stranger) == 3
    assert folder.stat().st_mode & 0o077 == 0


def test_what_is_made_is_private(backend: WhooshBackend, folder: Path) -> None:
    assert [path.stat().st_mode & 0o777 for path in (folder, generation(folder))] == [0o700, 0o700]


def test_an_index_of_another_schema_is_not_used(backend: WhooshBackend, folder: Path) -> None:
    wider = WhooshBackend(Schema(SCHEMA.text, (*SCHEMA.keywords, "team"), SCHEMA.dates), folder)

    with pytest.raises(Corrupt, match="another version"):
        wider.search(Query(EVERYBODY))
    wider.rebuild(CORPUS)
    assert total(wider) == 3


def test_a_name_that_leads_elsewhere_is_not_followed(backend: WhooshBackend, folder: Path) -> None:
    shutil.copytree(generation(folder), folder.parent / "gen-000009-ab")
    (folder / "current").write_text("../gen-000009-ab")

    with pytest.raises(Corrupt, match="names no generation"):
        WhooshBackend(SCHEMA, folder).search(Query(EVERYBODY))
