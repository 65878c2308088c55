"""The glossary: rows that suggestions go by at once, tidied and checked, edited by those who look after it."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from kb.search import analysis
from postmortems import suggestions
from postmortems.models import GlossaryEntry, User
from postmortems.models.glossary import NoGroup
from postmortems.search import glossary
from postmortems.search.glossary import DEFAULT, GROUPS, Glossary, groups_of
from postmortems.suggestions import Report
from postmortems.workflows.glossary import remove_group, write_group
from tests import factory
from tests.postmortems.conftest import Learn
from tests.postmortems.test_suggestions import NOW, learn_all, refs

PAGE = "/glossary/"


def seed() -> None:
    GlossaryEntry.objects.all().delete()
    GlossaryEntry.objects.bulk_create(GlossaryEntry(terms="\n".join(group)) for group in groups_of(GROUPS))


def add(*terms: str) -> GlossaryEntry:
    return write_group(GlossaryEntry(), text="\n".join(terms), by=None, at=NOW)


class TestTheTable:
    def test_a_new_database_starts_with_it(self, db: None) -> None:
        assert [entry.members for entry in GlossaryEntry.objects.order_by("pk")] == groups_of(GROUPS)

    def test_its_groups_would_be_accepted_from_a_person(self, db: None) -> None:
        seed()

        for entry in GlossaryEntry.objects.all():
            entry.full_clean()
            assert not any(glossary.says_nothing(term) for term in entry.members)

    def test_a_phrase_stands_for_a_word_and_the_other_way_round(self) -> None:
        ours = Glossary([["oom", "out of memory"]])

        phrase = analysis.words("out of memory")
        assert ours.synonyms(["oom"]) == dict.fromkeys(phrase, 1 / len(phrase))
        assert ours.synonyms(["kill", *phrase]) == {"oom": 1.0}
        assert ours.synonyms(phrase[:1]) == {}


class TestWhatSuggestionsGoBy:
    def test_a_change_counts_at_once(self, db: None) -> None:
        seed()
        assert "beeper" not in glossary.current().synonyms(["pager"])

        entry = add("pager", "beeper")
        assert glossary.current().synonyms(["pager"]) == {"beeper": 1.0}

        write_group(entry, text="pager\nbuzzer", by=None, at=NOW)
        assert glossary.current().synonyms(["pager"]) == {"buzzer": 1.0}

        remove_group(entry, by=None, at=NOW)
        assert glossary.current().synonyms(["pager"]) == {}

    def test_it_is_asked_for_with_one_small_query_when_nothing_changed(
        self, db: None, django_assert_num_queries: Any
    ) -> None:
        seed()
        glossary.current()

        with django_assert_num_queries(1):
            glossary.current()

    def test_an_empty_glossary_is_a_choice(self, db: None) -> None:
        GlossaryEntry.objects.all().delete()

        assert glossary.current().synonyms(analysis.words("k8s")) == {}
        assert DEFAULT.synonyms(analysis.words("k8s"))

    def test_a_word_of_ours_finds_what_was_called_otherwise(self, alice: User, learn: Learn) -> None:
        for n in range(20):
            factory.postmortem(f"Deploy {n} rolled back", sections={"summary": f"Release {n} was late."})
        row = factory.postmortem("Beeper silent", sections={"impact": "The beeper of the night shift was silent."})
        learn_all(learn)
        report = Report(title="Pager was silent", symptoms="Night shift pager", started_at=NOW)

        def parts() -> float:
            found = suggestions.suggest(report, user=alice)
            assert refs(found) == [row.ref]
            return found.results[0].score

        before = parts()
        add("pager", "beeper")

        assert parts() > before


class TestWhatIsAGroup:
    def test_terms_are_tidied(self, db: None) -> None:
        assert add("  load   balancers ", "", "LBs", "lbs").members == ["load balancers", "LBs"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "At least two"),
            ("alone", "At least two"),
            ("Same\nsame\n SAME ", "At least two"),
            ("\n".join(f"term{n}" for n in range(11)), "At most 10"),
            ("x" * 61 + "\nx", "Longer than 60"),
            ("beeper\nPAGER", "In a group already: pager = buzzer"),
        ],
    )
    def test_what_is_no_group_is_refused_in_words(self, db: None, text: str, said: str) -> None:
        add("pager", "buzzer")

        with pytest.raises(NoGroup, match=said):
            write_group(GlossaryEntry(), text=text, by=None, at=NOW)
        with pytest.raises(ValidationError, match=said):
            GlossaryEntry(terms=text).clean()

    def test_a_group_does_not_stand_in_its_own_way(self, db: None) -> None:
        entry = add("pager", "buzzer")

        assert write_group(entry, text="buzzer\npager\nbeeper", by=None, at=NOW).members == [
            "buzzer",
            "pager",
            "beeper",
        ]


class TestPages:
    def test_everyone_reads_it_and_who_may_curate_changes_it(self, alice: User, admin: User) -> None:
        reader = factory.user("rita", roles=("reader",))
        entry = add("pager", "beeper")
        edit = f"{PAGE}{entry.pk}/"

        def seen(who: User) -> tuple[bool, bool, int]:
            page = factory.signed_in(who).get(PAGE)
            assert page.status_code == 200 and "beeper" in page.text
            return "Add a group" in page.text, edit in page.text, factory.signed_in(who).get(edit).status_code

        assert seen(reader) == (False, False, 403)
        assert seen(alice) == seen(admin) == (True, True, 200)

    def test_a_group_is_added_changed_and_removed(self, admin: User) -> None:
        client = factory.signed_in(admin)

        answer = client.post(PAGE, {"terms": "pager\r\nbeeper"}, follow=True)
        assert "Added: pager = beeper." in answer.text
        entry = GlossaryEntry.objects.get(terms="pager\nbeeper")

        answer = client.post(f"{PAGE}{entry.pk}/", {"terms": "pager\r\nbuzzer"}, follow=True)
        assert "Saved: pager = buzzer." in answer.text

        answer = client.post(f"{PAGE}{entry.pk}/remove/", follow=True)
        assert "Removed: pager = buzzer." in answer.text
        assert not GlossaryEntry.objects.filter(terms__contains="pager").exists()

    @pytest.mark.parametrize("wrong", ["pager", "pager\n!!!", "the\nof", "pager\nNUL \x00"])
    def test_what_is_wrong_is_said_and_the_text_is_kept(self, admin: User, wrong: str) -> None:
        client, before = factory.signed_in(admin), GlossaryEntry.objects.count()

        answer = client.post(PAGE, {"terms": wrong})

        assert answer.status_code == 200
        assert "errorlist" in answer.text and wrong.split("\n")[0] in answer.text
        assert GlossaryEntry.objects.count() == before

    def test_who_may_not_change_it_changes_nothing(self, db: None) -> None:
        client, entry = factory.signed_in(factory.user("rita", roles=("reader",))), add("pager", "beeper")
        count = GlossaryEntry.objects.count()

        for address in (PAGE, f"{PAGE}{entry.pk}/", f"{PAGE}{entry.pk}/remove/"):
            assert client.post(address, {"terms": "a1\nb2"}).status_code == 403, address

        entry.refresh_from_db()
        assert (GlossaryEntry.objects.count(), entry.members) == (count, ["pager", "beeper"])

    def test_a_link_removes_nothing_and_what_is_gone_is_not_found(self, admin: User) -> None:
        client, entry = factory.signed_in(admin), add("pager", "beeper")

        assert client.get(f"{PAGE}{entry.pk}/remove/").status_code == 405
        assert client.get(f"{PAGE}{10**18}/").status_code == 404
        assert client.get(f"{PAGE}{10**40}/").status_code == 404

    def test_terms_are_only_text(self, admin: User) -> None:
        add("<script>alert(1)</script>", "pager")

        assert "<script>alert" not in factory.signed_in(admin).get(PAGE).text

    def test_an_empty_glossary_says_what_it_is_for(self, admin: User) -> None:
        GlossaryEntry.objects.all().delete()

        assert (
            "Each word stands for itself." in factory.signed_in(factory.user("rita", roles=("reader",))).get(PAGE).text
        )
        assert "Add what your services" in factory.signed_in(admin).get(PAGE).text

    def test_the_admin_checks_the_same(self, admin: User) -> None:
        client = factory.signed_in(admin)

        answer = client.post("/admin/postmortems/glossaryentry/add/", {"terms": "pager\n!!!"})
        client.post("/admin/postmortems/glossaryentry/add/", {"terms": "pager \n beeper"})

        assert "Nothing to look for in: !!!" in answer.text
        assert GlossaryEntry.objects.get(terms__contains="pager").members == ["pager", "beeper"]
