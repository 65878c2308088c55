"""What was typed -> what to find."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.search.analysis import signatures
from kb.search.base import EVERYTHING, IDENTIFIERS, PARTS, SIGNATURES, AllOf, AnyOf, Node, Not, Phrase, Prefix, Term
from kb.search.query import FieldRule, Parsed, TooLong, check_length
from kb.search.query import parse as parse_with

FIELDS = {
    **{name: FieldRule("keyword", name) for name in ("service", "tag", "author", "owner", "team", "kind", "cause")},
    "severity": FieldRule("keyword", "severity", {"1": "sev1", "sev1": "sev1", "2": "sev2", "sev2": "sev2"}),
    "status": FieldRule("keyword", "status", {"draft": "draft", "published": "published"}),
    "after": FieldRule("from", "occurred_on"),
    "before": FieldRule("until", "occurred_on"),
}


def parse(text: str) -> Parsed:
    return parse_with(text, FIELDS)


def word(stem: str) -> Node:
    return AnyOf((Term(stem), Term(stem, PARTS)))


def name(whole: str, *otherwise: Node) -> Node:
    return AnyOf((Term(whole, IDENTIFIERS), *otherwise))


# --- words, phrases, operators ---


def test_all_words_are_wanted() -> None:
    assert parse("The pools were exhausted").node == AllOf((word("pool"), word("exhaust")))


def test_one_word_is_looked_for_in_words_and_in_parts_of_names() -> None:
    assert parse("pools").node == word("pool")


def test_a_repeated_word_counts_once() -> None:
    assert parse("pool pools Pool").node == word("pool")


def test_a_phrase_is_its_stems_side_by_side() -> None:
    assert parse('"the connection pools"').node == Phrase(("connect", "pool"))
    assert parse("“connection pools”").node == Phrase(("connect", "pool"))


def test_a_phrase_of_one_word_is_that_very_word() -> None:
    assert parse('"pool"').node == Term("pool")


def test_a_minus_takes_away() -> None:
    assert parse('pool -redis -"disk full"').node == AllOf(
        (word("pool"), Not(word("redi")), Not(Phrase(("disk", "full"))))
    )


def test_only_unwanted_words_leave_everything_else() -> None:
    assert parse("-pool -disk").node == AllOf((Not(word("pool")), Not(word("disk"))))


def test_or_binds_its_neighbours() -> None:
    either = AnyOf((Term("queue"), Term("queue", PARTS), Term("kafka"), Term("kafka", PARTS)))

    assert parse("pool queue OR kafka disk").node == AllOf((word("pool"), either, word("disk")))


def test_or_takes_phrases_and_unwanted_words_too() -> None:
    assert parse('"disk full" OR -pool').node == AnyOf((Phrase(("disk", "full")), Not(word("pool"))))
    assert parse('-pool OR "disk full"').node == AnyOf((Not(word("pool")), Phrase(("disk", "full"))))


@pytest.mark.parametrize("text", ["pool OR", "OR pool", "OR OR pool OR OR", "pool AND", "pool or", "the OR pool"])
def test_an_operator_without_neighbours_is_text(text: str) -> None:
    assert parse(text).node == word("pool")


def test_a_star_asks_for_the_begin_of_a_word_or_name() -> None:
    assert parse("exhau*").node == Prefix("exhau")
    assert parse("ORA-015*").node == Prefix("ora-015")
    assert parse("kafka*)").node == Prefix("kafka")
    assert parse("-Kaf*").node == Not(Prefix("kaf"))


def test_a_prefix_of_fewer_than_three_letters_is_a_word() -> None:
    assert parse("db*").node == word("db")


@pytest.mark.parametrize("option", ["-9", "-f", "--force", "-", "--"])
def test_the_options_of_a_pasted_command_take_nothing_away(option: str) -> None:
    assert parse(f"kill {option} worker").node == parse(f"kill {option.strip('-')} worker").node


# --- pasted text ---


def test_a_name_is_found_whole_or_by_its_words() -> None:
    numbers = AllOf(tuple(word(n) for n in ("10", "0", "1", "5432")))

    assert parse("10.0.0.1:5432").node == name("10.0.0.1:5432", numbers)
    assert parse("foo::bar").node == name("foo::bar", AllOf((word("foo"), word("bar"))))
    assert parse("ECONNREFUSED").node == name("econnrefused", Term("econnrefus"), Term("econnrefus", PARTS))


def test_a_compound_name_is_also_found_by_its_parts() -> None:
    pieces = AllOf((word("conn"), word("pool")))

    assert parse("ConnPool").node == name("connpool", Term("connpool"), pieces)
    assert parse("conn_pool").node == name("conn_pool", Term("conn_pool"), pieces)


def test_of_a_url_every_word_is_wanted() -> None:
    assert parse("https://example.com/x").node == AllOf(tuple(word(w) for w in ("https", "exampl", "com", "x")))


def test_cjk_text_is_found_as_it_stands() -> None:
    assert parse("接続エラー").node == Phrase(("接続", "続エ", "エラ", "ラー"))


def test_a_pasted_log_line_is_also_found_by_its_shape() -> None:
    line = "ERROR connection to db-1:5432 refused after 30 ms"

    node = parse(line).node

    assert isinstance(node, AnyOf)
    assert node.nodes[-1] == Term(next(iter(signatures(line))), SIGNATURES)


@pytest.mark.parametrize(
    "text",
    [
        "a^nan pool",
        "[a TO pool]",
        "((((pool" + "(" * 300,
        "NOT NOT NOT pool",
        '"pool',
        'pool"',
        "\\\\\\ pool",
        "pool \0",
        "pool \ud800",
        "* pool",
        "~pool~",
        "pool {}",
        "the:pool",
    ],
)
def test_whatever_else_was_typed_is_text(text: str) -> None:
    leaves = {leaf for leaf in _terms(parse(text).node) if leaf.token in ("pool", "nan")}

    assert Term("pool") in leaves


def _terms(node: Node) -> set[Term]:
    if isinstance(node, AllOf | AnyOf):
        return {term for inner in node.nodes for term in _terms(inner)}
    return {node} if isinstance(node, Term) else set()


def test_internal_fields_cannot_be_asked_for() -> None:
    assert parse("access:open acl:x key:pm-1").filters == {}
    assert parse("access:secret").node == AllOf((word("access"), word("secret")))


# --- filters ---


def test_a_known_field_filters() -> None:
    parsed = parse('service:DB -tag:Naïve team:"data platform" pool')

    assert parsed.filters == {"service": ("db",), "team": ("data platform",)}
    assert parsed.without == {"tag": ("naive",)}
    assert parsed.node == word("pool")


def test_values_of_one_field_are_alternatives() -> None:
    assert parse("service:db service:api service:db").filters == {"service": ("db", "api")}
    assert parse("service:db OR service:api").filters == {"service": ("db", "api")}


def test_a_field_may_name_its_values() -> None:
    assert parse("severity:1 Severity:SEV2").filters == {"severity": ("sev1", "sev2")}


def test_what_is_no_value_of_the_field_is_text_and_said_so() -> None:
    parsed = parse("status:503")

    assert parsed.filters == {}
    assert Term("503") in _terms(parsed.node)
    assert parsed.notes == ("“status:503” was searched as text: status is one of draft, published.",)


def test_an_unknown_field_is_text() -> None:
    assert parse("foo:bar").node == AllOf((word("foo"), word("bar")))
    assert parse('foo:"connection pool"').node == AllOf((word("foo"), Phrase(("connect", "pool"))))
    assert parse("foo:bar").notes == ()


def test_a_field_without_a_value_is_text() -> None:
    assert parse("service:").node == word("servic")
    assert parse('service:""').filters == {}


def test_only_filters_ask_for_everything_they_let_through() -> None:
    parsed = parse("service:db")

    assert (parsed.node, parsed.loose, parsed.notes) == (EVERYTHING, None, ())


def test_or_next_to_a_filter_is_explained() -> None:
    assert parse("pool OR service:db").notes == ("OR stands between words only; every filter holds.",)


# --- dates ---


def test_dates_are_half_open_ranges_in_utc() -> None:
    assert parse("after:2025-03-15 before:2025-04").dates == {
        "occurred_on": (datetime(2025, 3, 15, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
    }
    assert parse("before:2025").dates == {"occurred_on": (None, datetime(2025, 1, 1, tzinfo=UTC))}


def test_the_narrowest_of_several_dates_holds() -> None:
    assert parse("after:2024 after:2025 before:2027 before:2026").dates == {
        "occurred_on": (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    }


def test_not_before_is_after() -> None:
    assert parse("-before:2025").dates == parse("after:2025").dates


@pytest.mark.parametrize("date", ["soon", "2025-13", "2025-02-30", "0000", "2025-3-4-5", "٢٠٢٥"])
def test_an_unreadable_date_is_text_and_said_so(date: str) -> None:
    parsed = parse(f"before:{date}")

    assert parsed.dates == {}
    assert parsed.node != EVERYTHING
    assert parsed.notes == (f"“before:{date}” was searched as text: dates are written 2026, 2026-03 or 2026-03-31.",)


# --- what the page needs besides ---


def test_loose_wants_any_of_the_words_and_none_of_the_unwanted() -> None:
    parsed = parse('pool "disk full" ConnX exhau* -redis')

    assert parsed.loose == AllOf(
        (
            AnyOf(
                (
                    *(Term("pool"), Term("pool", PARTS)),
                    Phrase(("disk", "full")),
                    *(Term("connx", IDENTIFIERS), Term("connx"), Term("connx", PARTS)),
                    Prefix("exhau"),
                )
            ),
            Not(word("redi")),
        )
    )


@pytest.mark.parametrize("text", ["pool", '"disk full"', "pool OR disk", "exhau*", "-pool", "", "the"])
def test_where_loose_would_find_nothing_more_there_is_none(text: str) -> None:
    assert parse(text).loose is None


def test_the_wanted_words_are_kept_as_typed_for_spelling() -> None:
    assert parse('Exhuasted pools "disk full" -redis service:db exhuasted').words == (
        "exhuasted",
        "pools",
        "disk",
        "full",
    )


def test_the_wanted_tokens_are_kept_for_highlighting() -> None:
    assert parse('pool "disk full" exhau* -redis db-1:5432').tokens == {
        ("words", "pool"),
        ("parts", "pool"),
        ("words", "disk"),
        ("words", "full"),
        ("surface", "exhau*"),
        ("identifiers", "db-1:5432"),
        ("words", "db"),
        ("parts", "db"),
        ("words", "5432"),
        ("parts", "5432"),
    }


def test_nothing_typed_asks_for_everything() -> None:
    assert parse("") == parse("  \n ") == Parsed(node=EVERYTHING)


def test_common_words_alone_are_everywhere() -> None:
    assert parse("the of").node == EVERYTHING
    assert parse("the of").notes == ("These words are too common to search for.",)


def test_signs_alone_are_nothing_to_search_for() -> None:
    assert parse("((((").node == EVERYTHING
    assert parse("((((").notes == ("There is no word in this to search for.",)


# --- limits ---


def test_a_long_query_is_cut_and_said_so() -> None:
    parsed = parse("pool " * 20 + "x" * 600)

    assert parsed.node == AllOf((word("pool"), word("x" * 64)))
    assert parsed.notes == ("The query was cut at 512 characters.",)


def test_a_query_of_many_words_is_cut_and_said_so() -> None:
    parsed = parse(" ".join(f"w{n}" for n in range(40)))

    assert Term("w31") in _terms(parsed.node)
    assert Term("w32") not in _terms(parsed.node)
    assert parsed.notes == ("The query was cut at 32 words.",)


def test_an_api_can_refuse_what_a_page_would_cut() -> None:
    check_length("w " * 32)

    with pytest.raises(TooLong, match="at most 32 words; this one has 33"):
        check_length("w " * 33)
    with pytest.raises(TooLong, match="at most 512 characters; this one has 513"):
        check_length("w" * 513)


# --- anything at all ---

typed_by_hand = st.lists(
    st.sampled_from(
        [
            '"',
            "-",
            "OR",
            ":",
            "*",
            "pool",
            "service:",
            "before:2025",
            "(",
            "ConnPool",
            "a.b:80",
            "\0",
            "接",
            "the",
            "\n",
        ]
    )
    | st.text(max_size=6)
).map("".join) | st.lists(
    st.sampled_from(['"', '-"', "OR", "pool", "-x", "-pool", "tag:a", "before:x", "ab*", "abc*"])
).map(" ".join)


@settings(deadline=None)
@given(typed_by_hand | st.text())
def test_any_text_is_a_query(text: str) -> None:
    parsed = parse(text)

    assert all(channel and token for channel, token in parsed.tokens)
    assert parsed.loose != parsed.node
    hash((parsed.node, parsed.loose))  # engines remember by node
