"""The domain as a Django app."""

from django.apps import AppConfig

from kb import markdown

REFS = {"INC": "/incidents/", "PM": "/postmortems/", "FIX": "/fixes/", "PRB": "/problems/"}
ATTACHMENTS = "/attachments/"


class PostmortemsConfig(AppConfig):
    name = "postmortems"
    verbose_name = "Postmortem knowledge base"

    def ready(self) -> None:
        markdown.know(refs=REFS, own_images=ATTACHMENTS)
