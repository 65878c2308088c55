"""Files of postmortems by program: the same checks as on the pages, and a file is only ever a file."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from postmortems.models import Attachment, AuditEvent, Postmortem, User, Visibility
from postmortems.workflows import attaching
from tests import factory
from tests.postmortems.api.asking import Program

pytestmark = pytest.mark.django_db


def png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def row(alice: User) -> Postmortem:
    return factory.postmortem(owner=alice)


def send(program: Program, row: Any, content: bytes = b"a,b\n", name: str = "a.csv", **headers: str) -> Any:
    return program.client.post(
        f"/api/v1/postmortems/{row.ref}/attachments/",
        {"file": SimpleUploadedFile(name, content)},
        headers={**program.headers, **headers},
    )


def test_a_file_is_added_listed_fetched_and_taken_away(alice: User, row: Postmortem) -> None:
    program, at = Program(alice), f"/postmortems/{row.ref}/attachments/"

    new = send(program, row, b"<script>alert(1)</script>", "../../evil.html")
    known = new.json()
    listed = program.get(at).json()["results"]
    fetched = program.get(f"{at}{known['token']}/content/")
    gone = program.ask("DELETE", f"{at}{known['token']}/")

    assert new.status_code == 201, new.content
    assert (known["name"], known["content_type"], known["size"]) == ("evil.html", "text/plain", 25)
    assert known["markdown"] == f"[evil.html](/attachments/{known['token']}/)"
    assert listed == [known]
    assert program.get(f"{at}{known['token']}/").status_code == 404
    assert (fetched.content, fetched["Content-Type"]) == (b"<script>alert(1)</script>", "text/plain")
    assert fetched["Content-Disposition"].startswith("attachment") and "sandbox" in fetched["Content-Security-Policy"]
    assert gone.status_code == 204 and not Attachment.objects.exists()
    assert [event.action for event in AuditEvent.objects.order_by("pk")] == ["attachment.add", "attachment.remove"]


def test_a_picture_comes_as_a_picture_whatever_is_accepted(alice: User, row: Postmortem) -> None:
    program, picture = Program(alice), png()
    token = send(program, row, picture, "graph.png").json()["token"]
    address = f"/api/v1/postmortems/{row.ref}/attachments/{token}/content/"

    answer = program.client.get(address, headers={**program.headers, "Accept": "image/*"})

    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "image/png", picture)
    assert answer["Content-Disposition"].startswith("inline")


def test_what_the_pages_refuse_is_refused(alice: User, row: Postmortem, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(alice)
    monkeypatch.setattr(attaching, "MAX_BYTES", 10)

    empty, large = send(program, row, b""), send(program, row, b"x" * 11)
    huge = send(program, row, b"x" * 200_000)
    missing = program.client.post(f"/api/v1/postmortems/{row.ref}/attachments/", {"x": "y"}, headers=program.headers)
    other = program.post(f"/postmortems/{row.ref}/attachments/", file="a.csv")

    assert [empty.status_code, large.status_code, huge.status_code] == [409, 409, 413]
    assert "empty" in empty.json()["detail"]
    assert missing.json()["errors"][0]["field"] == "file"
    assert other.status_code == 415
    assert not Attachment.objects.exists()


def test_the_same_key_and_file_is_kept_once(alice: User, row: Postmortem) -> None:
    program = Program(alice)

    first, second = (send(program, row, **{"Idempotency-Key": "k"}) for _ in range(2))
    other = send(program, row, b"something else", **{"Idempotency-Key": "k"})

    assert second.json() == first.json() and second["Idempotency-Replayed"] == "true"
    assert other.status_code == 422
    assert Attachment.objects.count() == 1


def test_readers_fetch_and_do_not_add(bob: User, alice: User, row: Postmortem) -> None:
    token = send(Program(alice), row).json()["token"]
    reader, at = Program(bob), f"/postmortems/{row.ref}/attachments/{token}/"

    assert reader.get(f"{at}content/").status_code == 200
    assert send(reader, row).status_code == 403
    assert reader.ask("DELETE", at).status_code == 403


def test_files_of_a_hidden_postmortem_and_of_another_one_are_nowhere(
    alice: User, charlie: User, row: Postmortem
) -> None:
    token = send(Program(alice), row).json()["token"]
    other = factory.postmortem("Other", owner=alice)
    Postmortem.objects.filter(pk=row.pk).update(visibility=Visibility.RESTRICTED)

    for program, home in ((Program(charlie), row), (Program(alice), other)):
        for path in ("", "content/"):
            assert program.get(f"/postmortems/{home.ref}/attachments/{token}/{path}").status_code == 404
    assert Program(charlie).get(f"/postmortems/{row.ref}/attachments/").status_code == 404


def test_a_file_that_the_disk_has_lost_is_nowhere(alice: User, row: Postmortem) -> None:
    program = Program(alice)
    token = send(program, row).json()["token"]
    file = Attachment.objects.get().file
    file.storage.delete(file.name)

    assert program.get(f"/postmortems/{row.ref}/attachments/{token}/content/").status_code == 404
