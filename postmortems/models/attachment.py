"""Files and pictures that belong to a postmortem: kept under a random name, seen where the postmortem is seen."""

import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse

from kb.content import PICTURES
from postmortems.models.postmortem import Postmortem


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def visible_to(self, user: Any) -> Self:
        return self.filter(Postmortem.objects.visible_where(user, "postmortem__"))


def stored_name(attachment: "Attachment", _filename: str) -> str:
    """Nothing of the sender's name reaches the disk."""
    return f"attachments/{attachment.token.hex[:2]}/{attachment.token.hex}"


class Attachment(models.Model):
    """`content_type` was found in the content, not believed."""

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200, help_text="As it was called where it came from.")
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text="Bytes.")
    file = models.FileField(upload_to=stored_name, max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("attachment", args=[self.token])

    @property
    def is_picture(self) -> bool:
        return self.content_type in PICTURES.values()

    @property
    def markdown(self) -> str:
        """What to write where it is to be seen."""
        name = "".join(" " if character in "[]()\\`<>\n\r" else character for character in self.name)
        return f"{'!' if self.is_picture else ''}[{name.strip() or 'file'}]({self.get_absolute_url()})"

    def content(self) -> bytes:
        """Raises `FileNotFoundError` where the disk has lost it."""
        with self.file.open("rb") as file:
            found: bytes = file.read()
        return found

    def remove(self) -> None:
        """The row now, the file when that is committed."""
        storage, name = self.file.storage, str(self.file.name)
        self.delete()
        transaction.on_commit(lambda: storage.delete(name))
