"""Files and pictures of a postmortem: put there, and taken away."""

from datetime import datetime
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction

from kb.content import type_of
from kb.errors import DomainError
from postmortems.models import Attachment, Postmortem
from postmortems.workflows import auditing, reviewing

MAX_BYTES = 10_000_000
MAX_FILES = 100  # of one postmortem
NAME_LENGTH = 200


class NotAttached(DomainError):
    """The file was not kept; the message says why."""


@transaction.atomic
def attach(postmortem: Postmortem, *, name: str, content: bytes, by: Any, at: datetime) -> Attachment:
    """Keep a file of at most 10 MB under a random name."""
    reviewing.require_editor(postmortem, by)
    if not content:
        raise NotAttached(f"{name}: this file is empty.")
    if len(content) > MAX_BYTES:
        raise NotAttached(f"{name}: at most {MAX_BYTES // 1_000_000} MB are kept. Link to where it lies.")
    if postmortem.attachments.count() >= MAX_FILES:
        raise NotAttached(f"{postmortem.ref} has {MAX_FILES} files already. Take one away, or link to the rest.")
    attachment = Attachment.objects.create(
        postmortem=postmortem,
        name=_tidied(name),
        content_type=type_of(content),
        size=len(content),
        file=ContentFile(content, name="file"),
        by=by,
        at=at,
    )
    auditing.record("attachment.add", on=postmortem, by=by, at=at, changes={"file": ("", attachment.name)})
    return attachment


@transaction.atomic
def detach(attachment: Attachment, *, by: Any, at: datetime) -> None:
    """Take a file away. Texts that name it keep a link to nothing."""
    reviewing.require_editor(attachment.postmortem, by)
    auditing.record(
        "attachment.remove", on=attachment.postmortem, by=by, at=at, changes={"file": (attachment.name, "")}
    )
    attachment.remove()


def _tidied(name: str) -> str:
    """Its last part, without what a terminal or a header could stumble on; the ending stays when it is cut."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(character for character in last if character.isprintable()).strip() or "file"
    stem, dot, ending = clean.rpartition(".")
    if len(clean) <= NAME_LENGTH or not dot or len(ending) > 10:
        return clean[:NAME_LENGTH]
    return f"{stem[: NAME_LENGTH - len(ending) - 1]}.{ending}"
