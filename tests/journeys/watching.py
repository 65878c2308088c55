"""A page that is signed in, and an eye on what pages do."""

from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from postmortems.models import User
from tests import factory


def signed_in(context: BrowserContext, site: str, who: User) -> Page:
    session = factory.signed_in(who).cookies["kb_session"].value
    context.add_cookies([{"name": "kb_session", "value": session, "url": site}])
    return context.new_page()


class Watched:
    """What a page did that it should not: dialogs, errors on the console, requests to other hosts."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.site = site
        self.complaints: list[str] = []
        context.on("dialog", self._dialog)
        context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        context.on("console", self._console)
        context.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.site, "data:")):
            self.complaints.append(f"request: {request.url}")
