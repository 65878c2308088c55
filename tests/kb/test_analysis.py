"""Text -> tokens: folding, words, parts of names, whole names, the shapes of log lines."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.search.analysis import fold, identifiers, parts, signatures, surface, tokens_of, words
from kb.search.base import CHANNELS, IDENTIFIERS, PARTS, SIGNATURES, SURFACE, WORDS, Document, Schema

SCHEMA = Schema(text={"title": 3.0, "body": 1.0}, keywords=(), dates=())


def document(**text: str) -> Document:
    return Document("pm-1", 1, text, access=frozenset({"open"}))


# --- folding ---


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Naïve", "naive"),
        ("cafe\u0301", "cafe"),  # the accent as a character of its own
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("ﬁle", "file"),
        ("data\u00adbase", "database"),  # soft hyphen
        ("Ελλάς", "ελλασ"),
        ("שָׁלוֹם", "שלום"),
        ("接続エラー", "接続エラー"),
        ("ガ", "ガ"),  # the voicing mark makes another letter
        ("ｶﾞ", "ガ"),
        ("한국어", "한국어"),
        ("a\0b\ud800c", "a b c"),
    ],
)
def test_one_form_for_many_spellings(written: str, folded: str) -> None:
    assert fold(written) == folded


@settings(deadline=None)
@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


# --- words ---


def test_words_are_stems_in_order_without_common_words() -> None:
    assert words("The pools were exhausted, and the retries were retrying.") == ["pool", "exhaust", "retri", "retri"]


def test_numbers_are_words() -> None:
    assert words("returned 503 for 10 minutes") == ["return", "503", "10", "minut"]


def test_an_underscore_is_part_of_the_word() -> None:
    assert words("conn_pools") == ["conn_pool"]


def test_surface_words_are_folded_and_not_stemmed() -> None:
    assert surface("The Pools of Ångström") == ["pools", "angstrom"]


def test_cjk_text_becomes_overlapping_pairs_of_characters() -> None:
    assert words("接続エラー") == ["接続", "続エ", "エラ", "ラー"]
    assert words("db接続") == ["db", "接続"]
    assert words("接") == ["接"]


def test_a_long_word_is_cut() -> None:
    assert words("x" * 100_000) == ["x" * 64]


def test_a_word_is_the_same_whatever_stands_around_it() -> None:
    assert words("(pool)") == words("pool.") == words('"pool",') == words("**pool**") == ["pool"]


def test_threads_find_the_same_stems() -> None:
    texts = [f"connections{n} exhausted retries failing workers" for n in range(200)]
    expected = [words(text) for text in texts]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(words, texts * 5))

    assert found == expected * 5


# --- parts ---


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("ConnPool", ["conn", "pool"]),
        ("HTTPServer", ["http", "server"]),
        ("ERR_CONN", ["err", "conn"]),
        ("max_connections", ["max", "connect"]),
        ("PM2021", ["pm", "2021"]),
        ("getPrimaryDBConnections", ["get", "primari", "db", "connect"]),
        ("IsNotReady", ["readi"]),  # common words are dropped here too
        ("URLs", []),
        ("k8s", []),  # single characters say nothing
        ("pool", []),
        ("Straße", []),
        ("503", []),
    ],
)
def test_compound_names_have_parts(name: str, pieces: list[str]) -> None:
    assert parts(name) == pieces


# --- identifiers ---


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("failed with ECONNREFUSED.", ["econnrefused"]),
        ("ORA-01555: snapshot too old", ["ora-01555"]),
        ("got ERR_CONN, again", ["err_conn"]),
        ("error 0x80070005", ["0x80070005"]),
        ("killed by SIGKILL", ["sigkill"]),
        ("connect to a.b.c:8080 failed", ["a.b.c:8080"]),
        ("connect to db-1:5432", ["db-1:5432", "db-1"]),
        ("10.0.0.1:5432", ["10.0.0.1:5432", "10.0.0.1"]),
        ("pool.py:12", ["pool.py:12", "pool.py"]),
        ("java.lang.NullPointerException: null", ["java.lang.nullpointerexception"]),
        ("at com.shop.Cart.add(Cart.java:12)", ["com.shop.cart.add", "cart.java:12", "cart.java"]),
        ("in std::collections::HashMap.", ["std::collections::hashmap"]),
        ("see /var/log/app/", ["/var/log/app"]),
        ("see C:\\Windows\\x", ["c:\\windows\\x"]),
        ("conn_pool and ConnPool", ["conn_pool", "connpool"]),
        ("in us-east-1, CVE-2021-44228", ["us-east-1", "cve-2021-44228"]),
        ("request f47ac10b-58cc-4372-a567-0e02b2c3d479", ["f47ac10b-58cc-4372-a567-0e02b2c3d479"]),
        ("upgraded to 1.21.4", ["1.21.4"]),
        ("https://status.example.com/2025/pool_report.html?x=1", ["status.example.com", "pool_report.html"]),
        ("max_connections=100", ["max_connections"]),
        ("ERROR:root:ConnPool", ["connpool"]),
    ],
)
def test_whole_names_are_identifiers(text: str, names: list[str]) -> None:
    assert identifiers(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "The pool was exhausted; and/or read/write, TCP/IP, 24/7.",
        "ERROR at 14:05 on 2025-03-01, from 2025-03-01T14:05:00.123Z for 3.5 hours",
        "e.g. 30-minute, well-known 10ms 2x 95%",
        "URLs and VMs (i.e. a few)",
        "((((((",
        "",
    ],
)
def test_plain_words_numbers_and_moments_are_no_identifiers(text: str) -> None:
    assert identifiers(text) == []


# --- signatures ---

SAME_SHAPE = [
    (
        "2025-03-01T14:05:00.123Z ERROR [pool-7] shop.Pool - connection to db-1:5432 refused after 30 ms",
        "2024-11-30 01:02:03,456 ERROR [pool-12] shop.Pool - connection to 10.0.0.9:5432 refused after 1200 ms",
    ),
    ("ERROR connection to db-1:5432 was refused", "Mar  4 12:00:01 ERROR connection to db-2:6432 was refused"),
    (
        "May  4 12:00:01 web1 app[12]: worker timed out on lock",
        "Jun 14 02:10:41 web2 app[9912]: worker timed out on lock",
    ),
    ("\tat com.shop.Cart.add(Cart.java:12)", "    at com.shop.Cart.add(Cart.java:340)"),
    (
        '  File "/usr/lib/python3/shop/pool.py", line 33, in get_connection',
        '  File "/srv/venv/shop/pool.py", line 90, in get_connection',
    ),
    ('level=error msg="no free connection left" waited=30s', 'level=error msg="no free connection left" waited=9s'),
    (
        "panic: cannot open segment 12 of /data/log/7.seg",
        "panic: cannot open segment 99 of /srv/q.seg",
    ),
    (
        "ERROR job f47ac10b-58cc-4372-a567-0e02b2c3d479 lost its lease 0x7ffe",
        "ERROR job 0aac10bf-58cc-4372-a567-ffffb2c3d479 lost its lease 0x11",
    ),
    ("WARN user 'alice' has no seat left", "WARN user 'bob' has no seat left"),
]


@pytest.mark.parametrize(("one", "other"), SAME_SHAPE)
def test_the_same_message_with_other_parameters_has_the_same_signature(one: str, other: str) -> None:
    assert len(signatures(one)) == 1
    assert list(signatures(one)) == list(signatures(other))


def test_different_messages_have_different_signatures() -> None:
    found = [next(iter(signatures(one))) for one, _ in SAME_SHAPE]

    assert len(set(found)) == len(SAME_SHAPE)


def test_an_error_code_is_not_a_parameter() -> None:
    old, full = "ORA-01555: snapshot of query was lost", "ORA-01653: snapshot of query was lost"

    assert signatures(old).keys() != signatures(full).keys()


def test_a_signature_tells_the_line_it_comes_from() -> None:
    text = "We saw this:\n\n    ERROR connection to db-1:5432 was refused  \n\nand restarted the pool."

    found = signatures(text)

    assert list(found.values()) == ["ERROR connection to db-1:5432 was refused"]
    assert re.fullmatch(r"[0-9a-f]{16}", next(iter(found)))


@pytest.mark.parametrize(
    "sentence",
    [
        "The connection pool was exhausted after the deploy.",
        "At 14:05:10 UTC we restarted the primary and the errors stopped.",
        'The log said "ERROR connection refused", and we did not see it for an hour.',
        "We raised max_connections=200 on the primary, and it was enough.",
        "A NullPointerException was thrown in the worker because of the empty list.",
        "ERROR rates went up in the whole region and we were slow to notice.",
        "ERROR 503",
        "",
    ],
)
def test_prose_has_no_signature(sentence: str) -> None:
    assert signatures(sentence) == {}


def test_a_paste_of_a_million_lines_has_a_bounded_number_of_signatures() -> None:
    letters = "abcdefghij"
    lines = [f"ERROR lost the lease of {''.join(letters[int(d)] for d in str(n))}" for n in range(5_000)]

    assert len(signatures("\n".join(lines))) == 200


# --- documents ---


def test_a_word_weighs_as_much_as_its_fields() -> None:
    tokens = tokens_of(document(title="Pool exhausted", body="The pool. The pools."), SCHEMA)

    assert tokens.channels[WORDS] == {"pool": 5.0, "exhaust": 3.0}
    assert tokens.channels[SURFACE] == {"pool": 2.0, "exhausted": 1.0, "pools": 1.0}


def test_the_fields_stay_apart() -> None:
    tokens = tokens_of(document(title="Disk full", body="Pool of connections"), SCHEMA)

    assert tokens.fields == [["disk", "full"], ["pool", "connect"]]


def test_every_channel_is_filled() -> None:
    line = "ERROR connection to db-1:5432 was refused by ConnPool"

    tokens = tokens_of(document(body=line), SCHEMA)

    assert set(tokens.channels) == set(CHANNELS)
    assert tokens.channels[IDENTIFIERS] == {"db-1:5432": 1.0, "db-1": 1.0, "connpool": 1.0}
    assert tokens.channels[PARTS] == {"conn": 1.0, "pool": 1.0}
    assert tokens.channels[SIGNATURES] == dict.fromkeys(signatures(line), 1.0)


def test_a_field_that_the_schema_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        tokens_of(document(cause="Pool"), SCHEMA)


HOSTILE = {
    "one word of a megabyte": "x" * 1_000_000,
    "brackets": "[" * 100_000,
    "NULs": "\0" * 100_000,
    "combining marks of two classes": "a" + "\u0301\u0316" * 200_000,
    "emoji": "👩‍👩‍👧‍👦🔥" * 10_000,
    "right to left": "‮שלום العالم " * 10_000,
    "lone surrogates": "\ud800" * 100_000,
    "dots": "a." * 200_000,
    "dashes": "a-" * 200_000,
    "colons": "a:" * 200_000,
    "slashes": "a/" * 200_000,
    "capitals": "A" * 300_000 + "a",
    "a long log line": "ERROR " + "a=b " * 200_000,
    "log lines of quotes": ("ERROR '" * 300 + "\n") * 300,
    "log lines of dots": ("ERROR " + "a." * 900 + "\n") * 300,
    "CJK": "接" * 300_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(20)  # quadratic time would need minutes
def test_hostile_text_is_analysed(text: str) -> None:
    tokens = tokens_of(document(body=text), SCHEMA)

    assert all(len(token) <= 128 for channel in tokens.channels.values() for token in channel)
    for channel in tokens.channels.values():
        "".join(channel).encode()  # no lone surrogate gets as far as an engine


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_analysed_and_always_in_the_same_way(text: str) -> None:
    once = tokens_of(document(title=text, body=text), SCHEMA)

    again = tokens_of(document(title=text, body=text), SCHEMA)

    assert once == again
