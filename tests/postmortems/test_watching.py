"""Watching and being told: on the page, at the bell, by mail; always only what one may see at that moment."""

from collections.abc import Callable
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from kb.jobs.models import Worker
from postmortems.filters import NotificationFilter
from postmortems.models import Incident, Notification, Postmortem, User, Visibility, Watch
from postmortems.workflows import mailing, telling, triage, watching
from tests import factory
from tests.factory import NOON
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db

Committed = Callable[..., Any]


@pytest.fixture
def dora(db: None) -> User:
    return factory.user("dora", email="dora@example.org")


def tell(person: User, about: Incident | Postmortem, text: str = "It is worse now.") -> Notification:
    telling.tell([person], action="incident.raise", text=text, about=about, by=None, at=NOON)
    return Notification.objects.latest("pk")


# --- watching ---


def test_one_watches_and_stops_with_a_button(learn: Learn, alice: User) -> None:
    client, incident = factory.signed_in(alice), factory.incident()
    page = incident.get_absolute_url()
    assert ">Watch<" in client.get(page).text

    client.post(f"{page}watch/")
    client.post(f"{page}watch/")
    assert "Stop watching" in client.get(page).text
    assert Watch.objects.filter(user=alice, incident=incident).count() == 1

    client.post(f"{page}watch/", {"stop": "1"})
    assert not Watch.objects.exists()


def test_who_watches_an_incident_or_its_service_is_told_once(alice: User, bob: User, charlie: User) -> None:
    incident = factory.incident(services=("Checkout",), reported_by=charlie)
    watching.watch(incident, by=bob, at=NOON)
    watching.watch_services([factory.service("Checkout")], by=bob, at=NOON)

    triage.resolve(incident, by=alice, at=NOON.replace(hour=13))

    told = [(row.user, row.action) for row in Notification.objects.order_by("user__username")]
    assert told == [(bob, "incident.resolve"), (charlie, "incident.resolve")]


def test_watching_a_service_tells_nothing_of_what_is_hidden(alice: User, bob: User) -> None:
    incident = factory.incident(services=("Checkout",), visibility=Visibility.RESTRICTED)
    incident.members.add(alice)
    watching.watch_services([factory.service("Checkout")], by=bob, at=NOON)

    triage.resolve(incident, by=alice, at=NOON.replace(hour=13))

    assert not Notification.objects.filter(user=bob).exists()


def test_services_are_chosen_together(learn: Learn, alice: User) -> None:
    client = factory.signed_in(alice)
    factory.service("Checkout"), factory.service("Edge")

    for chosen in (["checkout", "edge"], ["edge"], ["edge", "nowhere"]):
        client.post("/notifications/services/", {"services": chosen})

    assert [watch.service.slug for watch in Watch.objects.all() if watch.service] == ["edge"]


# --- on the page ---


def test_the_bell_counts_what_one_may_still_see(learn: Learn, alice: User, bob: User, admin: User) -> None:
    secret = factory.incident(visibility=Visibility.RESTRICTED)
    secret.members.add(alice)
    for person in (alice, admin):
        tell(person, factory.incident())
        tell(person, secret)
    bell = 'class="visually-hidden"> new</span>'

    def count(who: User) -> str:
        page = factory.signed_in(who).get("/notifications/").text
        return page.split(f"<span {bell}")[0].rsplit("<b>", 1)[-1] if bell in page else "none"

    assert [count(who) for who in (alice, admin, bob)] == ["2", "2", "none"]
    secret.members.remove(alice)
    assert [count(who) for who in (alice, admin)] == ["1", "2"]


def test_the_bell_counts_as_visible_to_does(alice: User, bob: User, admin: User) -> None:
    manager = factory.user("root", roles=("administrator", "author"))
    draft = factory.postmortem(status="draft", owner=bob)
    told = [factory.incident(), factory.incident(visibility=Visibility.RESTRICTED), draft, factory.postmortem()]
    for person in (alice, bob, admin, manager):
        for row in told:
            home = {"incident": row} if isinstance(row, Incident) else {"postmortem": row}
            Notification.objects.create(user=person, action="x", text="x", at=NOON, **home)

    for person, expected in ((alice, 2), (bob, 3), (admin, 4), (manager, 4)):
        counted = User.objects.annotate(unread=Notification.objects.unread_count(person.pk)).get(pk=person.pk)
        assert counted.unread == Notification.objects.visible_to(person).unread().count() == expected  # type: ignore[attr-defined]


def test_reading_one_or_all(learn: Learn, alice: User, bob: User) -> None:
    incident = factory.incident()
    first, _second = tell(alice, incident), tell(alice, incident)
    others = tell(bob, incident)
    client = factory.signed_in(alice)

    answer = client.post(f"/notifications/{first.pk}/read/")
    assert answer.headers["Location"] == incident.get_absolute_url()
    assert Notification.objects.visible_to(alice).unread().count() == 1
    assert client.post(f"/notifications/{others.pk}/read/").status_code == 404

    client.post("/notifications/read/")
    assert Notification.objects.visible_to(alice).unread().count() == 0
    assert Notification.objects.visible_to(bob).unread().count() == 1


def test_what_was_read_and_what_was_not_can_be_asked_for(alice: User) -> None:
    read, unread = tell(alice, factory.incident(), "Read."), tell(alice, factory.incident(), "New.")
    watching.mark_read(alice, at=NOON, pk=read.pk)
    rows = Notification.objects.visible_to(alice)

    found = {state: list(NotificationFilter({"state": state}, rows).qs) for state in ("read", "unread")}

    assert found == {"read": [read], "unread": [unread]}


def test_the_page_takes_few_queries(learn: Learn, alice: User, django_assert_max_num_queries: Any) -> None:
    for _ in range(30):
        watching.watch(incident := factory.incident(), by=alice, at=NOON)
        tell(alice, incident)
    client = factory.signed_in(alice)

    with django_assert_max_num_queries(12):
        assert client.get("/notifications/").status_code == 200


# --- by mail ---


def test_a_mail_follows_the_commit(dora: User, django_capture_on_commit_callbacks: Committed) -> None:
    incident = factory.incident()

    with django_capture_on_commit_callbacks(execute=True):
        tell(dora, incident, f"{incident.ref} is SEV1 now.")
        assert mail.outbox == []

    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["dora@example.org"], f"{incident.ref} is SEV1 now.")
    assert f"/incidents/{incident.ref}/" in sent.body
    assert "List-Unsubscribe" in sent.extra_headers


def test_where_a_worker_lives_it_sends_the_mail(
    dora: User, work_off: Callable[[], int], django_capture_on_commit_callbacks: Committed
) -> None:
    Worker.objects.beat("living", at=timezone.now())

    with django_capture_on_commit_callbacks(execute=True):
        tell(dora, factory.incident())
    assert mail.outbox == []  # nobody waited for the mail server

    assert work_off() == 1
    assert [sent.to for sent in mail.outbox] == [["dora@example.org"]]
    assert mailing.send_left(at=NOON) == (0, 0)


def test_no_mail_for_who_wants_none_or_has_no_address(bob: User, dora: User) -> None:
    mailing.choose_mail(dora, wanted=False)
    for person in (bob, dora):
        tell(person, factory.incident())

    assert mailing.send_left(at=NOON) == (0, 0)


def test_the_right_to_see_it_is_asked_again_when_it_is_sent(dora: User) -> None:
    secret = factory.incident("Keys were stolen", visibility=Visibility.RESTRICTED)
    secret.members.add(dora)
    tell(dora, secret)
    secret.members.remove(dora)

    mailing.send_left(at=NOON)

    assert mail.outbox == []
    secret.members.add(dora)
    mailing.send_left(at=NOON)
    assert mail.outbox == []  # and not later either: it is no news any more


@pytest.mark.parametrize("make", [factory.incident, factory.postmortem], ids=["incident", "postmortem"])
def test_a_mail_of_what_is_restricted_says_only_that_there_is_news(
    dora: User, make: Callable[..., Incident | Postmortem]
) -> None:
    make("Open to all")
    secret = make("Keys were stolen", visibility=Visibility.RESTRICTED)
    secret.members.add(dora)
    tell(dora, secret, "Keys were stolen: resolved.")

    mailing.send_left(at=NOON)

    (sent,) = mail.outbox
    assert "Keys" not in sent.subject + sent.body
    assert secret.ref in sent.subject and f"{secret.get_absolute_url()}\n" in sent.body


def test_a_mail_of_a_draft_says_only_that_there_is_news(dora: User) -> None:
    draft = factory.postmortem("Keys were stolen", status="draft", owner=dora)
    tell(dora, draft, "Keys were stolen: a draft.")

    mailing.send_left(at=NOON)

    assert "Keys" not in mail.outbox[0].subject + mail.outbox[0].body


def test_who_wants_no_mail_says_so_for_nobody_else(dora: User) -> None:
    other = factory.user("other", email="other@example.org")

    mailing.choose_mail(dora, wanted=False)

    assert not dora.wants_mail
    assert list(User.objects.filter(wants_mail=True)) == [other]


def test_a_subject_is_one_line(dora: User) -> None:
    tell(dora, factory.incident(), "One\r\nBcc: everyone@example.org")

    mailing.send_left(at=NOON)

    assert mail.outbox[0].subject == "One Bcc: everyone@example.org"
    assert mail.outbox[0].recipients() == ["dora@example.org"]


def test_news_of_nothing_that_has_a_page_leads_to_all_the_news(dora: User) -> None:
    Notification.objects.create(user=dora, action="access.invite", text="You are an author now.", at=NOON)

    mailing.send_left(at=NOON)

    (sent,) = mail.outbox
    assert sent.subject == "You are an author now." and "/notifications/\n" in sent.body


def test_sent_twice_is_sent_once(dora: User) -> None:
    row = tell(dora, factory.incident())

    call_command("send_notifications")
    call_command("send_notifications")

    assert len(mail.outbox) == 1
    assert not row.claim_mail(at=NOON)


def test_a_mail_server_that_is_away_breaks_nothing_and_is_asked_again(
    learn: Learn,
    settings: Settings,
    alice: User,
    dora: User,
    django_capture_on_commit_callbacks: Committed,
) -> None:
    incident = factory.incident(reported_by=dora)
    works = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        1,
    )

    with django_capture_on_commit_callbacks(execute=True):
        answer = factory.signed_in(alice).post(f"{incident.get_absolute_url()}resolve/")
    assert answer.status_code == 302
    with pytest.raises(CommandError):
        call_command("send_notifications")

    settings.EMAIL_BACKEND = works
    call_command("send_notifications")
    assert [sent.to for sent in mail.outbox] == [["dora@example.org"]]


class Away(BaseEmailBackend):
    """A mail server that is not there."""

    asked = 0

    def open(self) -> bool:
        Away.asked += 1
        raise ConnectionRefusedError


def test_a_mail_server_that_is_away_is_asked_once_for_all_that_waits(settings: Settings, dora: User) -> None:
    settings.EMAIL_BACKEND, Away.asked = f"{__name__}.Away", 0
    for _ in range(3):
        tell(dora, factory.incident())

    assert mailing.send_left(at=NOON) == (0, 3)

    assert Away.asked == 1
    assert Notification.objects.filter(mailed_at=None).count() == 3


class Faulty(BaseEmailBackend):
    """A backend that is wrong in itself, which no mail server says."""

    def send_messages(self, messages: Any) -> int:
        raise RuntimeError("Of a kind that nobody thought of.")


def test_whatever_mailing_raises_it_does_not_reach_who_did_something(
    settings: Settings, dora: User, django_capture_on_commit_callbacks: Committed
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Faulty"

    with django_capture_on_commit_callbacks(execute=True):
        row = tell(dora, factory.incident())

    assert row in Notification.objects.visible_to(dora)


def test_mails_go_out_in_the_order_of_what_happened(dora: User) -> None:
    for n in range(3):
        tell(dora, factory.incident(), f"News {n}")

    mailing.send_left(at=NOON)

    assert [sent.subject for sent in mail.outbox] == ["News 0", "News 1", "News 2"]


class Picky(BaseEmailBackend):
    """A mail server with an address that it refuses. A mail opens and closes it, as Django's, if nobody else did."""

    connected = 0
    took: list[str] = []
    is_open = False

    def open(self) -> bool:
        is_new, self.is_open = not self.is_open, True
        Picky.connected += is_new
        return is_new

    def close(self) -> None:
        self.is_open = False

    def send_messages(self, messages: Any) -> int:
        is_new = self.open()
        try:
            for message in messages:
                if message.to == ["wrong@example.org"]:
                    raise SMTPRecipientsRefused({})
                Picky.took += message.to
        finally:
            if is_new:
                self.close()
        return len(messages)


@pytest.fixture
def picky(settings: Settings) -> type[Picky]:
    settings.EMAIL_BACKEND = f"{__name__}.Picky"
    Picky.connected, Picky.took = 0, []
    return Picky


def test_a_refused_address_holds_up_nobody_else(picky: type[Picky], dora: User) -> None:
    wrong = tell(factory.user("wanda", email="wrong@example.org"), factory.incident())
    tell(dora, factory.incident())

    assert mailing.send_left(at=NOON) == (1, 1)

    assert picky.took == ["dora@example.org"]
    assert list(Notification.objects.filter(mailed_at=None)) == [wrong]  # to be tried again


def test_all_that_is_left_goes_through_one_connection(picky: type[Picky], dora: User) -> None:
    for _ in range(3):
        tell(dora, factory.incident())

    assert mailing.send_left(at=NOON) == (3, 0)

    assert (len(picky.took), picky.connected) == (3, 1)


def test_the_link_in_a_mail_ends_mails_without_a_sign_in(dora: User) -> None:
    address = mailing.mail_off_address(dora)
    path = address[address.index("/notifications/") :]
    client = Client(enforce_csrf_checks=True)

    assert "Send me no more mail" in client.get(path).text
    dora.refresh_from_db()
    assert dora.wants_mail  # a link that a mail program fetches changes nothing

    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    dora.refresh_from_db()
    assert not dora.wants_mail
    assert client.get(path[:-3] + "x/").status_code == 404


def test_one_turns_mail_on_again_on_the_account_page(learn: Learn, dora: User) -> None:
    client = factory.signed_in(dora)

    client.post("/notifications/mail/", {})
    assert 'name="wants_mail">' in client.get("/account/").text
    client.post("/notifications/mail/", {"wants_mail": "on"})
    assert 'name="wants_mail" checked' in client.get("/account/").text
