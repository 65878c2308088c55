"""Who is named in a text, and who is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postmortems.mentions import MOST, mentioned
from postmortems.models import Notification, User, Visibility
from postmortems.workflows import telling
from postmortems.workflows.writing import save_revision
from tests import factory
from tests.factory import NOON


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@alice and @Bob: look.", {"alice", "bob"}),
        ("Thanks, @jose.luis.", {"jose.luis"}),
        ("(@łukasz)", {"łukasz"}),
        ("**@alice**", {"alice"}),
        ("mail alice@example.org", set()),
        ("`@alice` and\n```\n@bob\n```\n", set()),
        ("> @alice said so", set()),
        ("@ alone, @@twice, user/@x", set()),
    ],
)
def test_names_are_found_in_prose_only(text: str, names: set[str]) -> None:
    assert mentioned(text) == names


def test_a_list_of_everybody_calls_the_first_fifty() -> None:
    assert len(mentioned(" ".join(f"@user{n}" for n in range(200)))) == MOST


@given(st.text())
def test_any_text_names_somebody_or_nobody(text: str) -> None:
    assert all(f"@{name}" in text.lower() for name in mentioned(text))


@pytest.mark.django_db
class TestTelling:
    def test_who_is_newly_named_is_told(self, alice: User, bob: User, charlie: User) -> None:
        postmortem = factory.postmortem(owner=alice)

        telling.tell_mentioned(
            "@bob, @charlie: how long?", before="@charlie: how long?", about=postmortem, by=alice, at=NOON
        )

        assert [(row.user, row.text) for row in Notification.objects.all()] == [
            (bob, f"Alice names you in {postmortem.ref}: Checkout was down")
        ]

    def test_who_may_not_see_it_is_not_told_and_the_writer_hears_of_it(
        self, alice: User, bob: User, charlie: User
    ) -> None:
        secret = factory.postmortem(owner=alice, visibility=Visibility.RESTRICTED)

        missed = telling.tell_mentioned("@charlie and @nobody", before="", about=secret, by=alice, at=NOON)

        assert missed == ["charlie", "nobody"]
        assert not Notification.objects.exists()

    def test_who_is_named_for_the_first_time_is_told_by_the_save(self, alice: User, bob: User) -> None:
        postmortem = factory.postmortem(owner=alice)

        save_revision(postmortem, changes={"sections": {"impact": "As @bob saw."}}, base=0, by=alice, at=NOON)

        assert [row.user for row in Notification.objects.all()] == [bob]

    def test_who_was_named_before_is_not_told_again(self, alice: User, bob: User) -> None:
        postmortem = factory.postmortem(owner=alice, sections={"impact": "As @bob saw."})

        saved = save_revision(postmortem, changes={"sections": {"lessons": "@bob, @nobody"}}, base=0, by=alice, at=NOON)

        assert not Notification.objects.exists()
        assert saved.message.endswith("they are not known here or may not see it: @nobody.")
