"""Files of a postmortem: kept by content, served harmlessly, seen where the postmortem is seen."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from postmortems.models import Attachment, AuditEvent, Postmortem, Team, User, Visibility
from postmortems.workflows import attaching
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

HTML = b"<script>alert(1)</script>"


def graph() -> bytes:
    out = BytesIO()
    Image.new("RGB", (4, 3)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def postmortem(alice: User, team: Team) -> Postmortem:
    return factory.postmortem(owner=alice, team=team, status="draft")


def upload(client: Client, postmortem: Postmortem, *files: tuple[str, bytes], **headers: Any) -> Any:
    sent = [SimpleUploadedFile(name, content, "image/png") for name, content in files]
    return client.post(f"/postmortems/{postmortem.ref}/files/", {"files": sent}, **headers)


class TestAttaching:
    def test_a_picture_is_kept_and_its_markdown_said(self, alice: User, postmortem: Postmortem) -> None:
        client = factory.signed_in(alice)

        upload(client, postmortem, ("graph [1].png", graph()))

        file = Attachment.objects.get()
        assert file.content_type == "image/png"
        assert file.markdown == f"![graph  1 .png](/attachments/{file.token}/)"
        assert file.markdown in client.get(f"/postmortems/{postmortem.ref}/files/").text
        assert AuditEvent.objects.about(postmortem).get().action == "attachment.add"

    def test_the_editors_script_is_given_what_to_insert(self, alice: User, postmortem: Postmortem) -> None:
        answer = upload(
            factory.signed_in(alice), postmortem, ("a.png", graph()), headers={"accept": "application/json"}
        )

        assert answer.status_code == 201
        assert answer.json() == {"markdown": [Attachment.objects.get().markdown], "errors": []}

    def test_the_type_that_was_sent_is_not_believed(self, alice: User, postmortem: Postmortem) -> None:
        upload(factory.signed_in(alice), postmortem, ("graph.png", HTML))

        file = Attachment.objects.get()
        assert file.content_type == "text/plain"
        assert not file.markdown.startswith("!")

    def test_nothing_of_the_name_reaches_the_disk(self, alice: User, postmortem: Postmortem) -> None:
        upload(factory.signed_in(alice), postmortem, ("..\\..\\etc\\passwd\u202egnp.png", graph()))

        file = Attachment.objects.get()
        assert file.name == "passwdgnp.png"
        assert file.file.name == f"attachments/{file.token.hex[:2]}/{file.token.hex}"

    @pytest.mark.parametrize(
        ("content", "said"), [(b"", "this file is empty"), (b"x" * (attaching.MAX_BYTES + 1), "at most 10 MB are kept")]
    )
    def test_what_is_not_kept_is_said(self, alice: User, postmortem: Postmortem, content: bytes, said: str) -> None:
        answer = upload(factory.signed_in(alice), postmortem, ("core.dump", content), ("a.png", graph()))

        assert (answer.status_code, said in answer.text) == (400, True)
        assert [file.name for file in Attachment.objects.all()] == ["a.png"]

    def test_without_a_file_the_page_asks_for_one(self, alice: User, postmortem: Postmortem) -> None:
        assert "Choose a file first." in upload(factory.signed_in(alice), postmortem).text

    def test_a_hundred_files_are_enough(
        self, alice: User, postmortem: Postmortem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(attaching, "MAX_FILES", 1)

        answer = upload(factory.signed_in(alice), postmortem, ("a.png", graph()), ("b.png", graph()))

        assert f"{postmortem.ref} has 1 files already" in answer.text
        assert Attachment.objects.count() == 1

    def test_only_who_may_edit_attaches(self, bob: User, charlie: User, postmortem: Postmortem) -> None:
        assert upload(factory.signed_in(bob), postmortem, ("a.png", graph())).status_code == 302
        assert upload(factory.signed_in(charlie), postmortem, ("b.png", graph())).status_code == 404
        assert Attachment.objects.count() == 1


class TestServing:
    @pytest.fixture
    def picture(self, alice: User, postmortem: Postmortem) -> Attachment:
        return attaching.attach(postmortem, name="graph.png", content=graph(), by=alice, at=NOON)

    def test_a_picture_is_shown_and_nothing_in_it_may_run(self, alice: User, picture: Attachment) -> None:
        answer = factory.signed_in(alice).get(picture.get_absolute_url())

        assert answer.content == graph()
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"] == 'inline; filename="graph.png"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]

    def test_everything_else_is_downloaded(self, alice: User, postmortem: Postmortem) -> None:
        page = attaching.attach(postmortem, name='a"b\n.html', content=HTML, by=alice, at=NOON)

        answer = factory.signed_in(alice).get(page.get_absolute_url())

        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Content-Disposition"].startswith("attachment;")

    def test_it_is_seen_where_the_postmortem_is_seen(
        self, bob: User, charlie: User, client: Client, picture: Attachment
    ) -> None:
        assert factory.signed_in(bob).get(picture.get_absolute_url()).status_code == 200
        assert factory.signed_in(charlie).get(picture.get_absolute_url()).status_code == 404
        assert client.get(picture.get_absolute_url()).status_code == 302

    def test_restricting_the_postmortem_hides_it_at_once(self, alice: User, bob: User, charlie: User) -> None:
        row = factory.postmortem(owner=alice)
        picture = attaching.attach(row, name="a.png", content=graph(), by=alice, at=NOON)
        assert factory.signed_in(charlie).get(picture.get_absolute_url()).status_code == 200

        Postmortem.objects.filter(pk=row.pk).update(visibility=Visibility.RESTRICTED)

        assert factory.signed_in(charlie).get(picture.get_absolute_url()).status_code == 404

    def test_a_picture_in_the_text_is_shown(self, alice: User, postmortem: Postmortem, picture: Attachment) -> None:
        postmortem.write("impact", f"Look: {picture.markdown}")

        assert f'src="{picture.get_absolute_url()}"' in factory.signed_in(alice).get(postmortem.get_absolute_url()).text

    def test_a_file_that_is_gone_from_the_disk_is_missing(self, alice: User, picture: Attachment) -> None:
        Path(picture.file.path).unlink()

        assert factory.signed_in(alice).get(picture.get_absolute_url()).status_code == 404


class TestRemoving:
    def test_the_file_goes_with_the_row(
        self, alice: User, postmortem: Postmortem, django_capture_on_commit_callbacks: Any
    ) -> None:
        picture = attaching.attach(postmortem, name="graph.png", content=graph(), by=alice, at=NOON)
        path = Path(picture.file.path)

        with django_capture_on_commit_callbacks(execute=True):
            factory.signed_in(alice).post(f"{picture.get_absolute_url()}remove/")

        assert not Attachment.objects.exists()
        assert not path.exists()

    def test_an_outsider_removes_nothing(self, alice: User, charlie: User, postmortem: Postmortem) -> None:
        picture = attaching.attach(postmortem, name="graph.png", content=graph(), by=alice, at=NOON)

        assert factory.signed_in(charlie).post(f"{picture.get_absolute_url()}remove/").status_code == 404
        assert Attachment.objects.exists()
