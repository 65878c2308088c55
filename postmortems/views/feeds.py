"""Atom feeds: what was published, and what a search finds. For programs, their address is the key to them."""

import hashlib
import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.feedgenerator import Atom1Feed
from django.utils.http import quote_etag
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from kb import markdown
from postmortems.models import Fix, Incident, Postmortem
from postmortems.search import FACETS, Item, find
from postmortems.views import feed_tokens
from postmortems.views.reader import reader_of

MOST = 50  # entries of a feed
MOST_TEXT = 2000  # characters of an entry
LONGEST = 2000  # of a query
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)  # of a feed without entries, whose `updated` must not move


# --- addresses ---


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def feed_page(request: HttpRequest) -> HttpResponse:
    """One's addresses; posted to, one more, also for the search in the query string ("Follow this search")."""
    reader, secret = reader_of(request), ""
    if request.method == "POST":
        secret = feed_tokens.new_secret(reader, "Atom feed")
    query = _query_of(request).urlencode()
    address = search = ""
    if secret:
        address = settings.SITE_URL + reverse("feed_postmortems", args=[secret])
        search = f"{settings.SITE_URL}{reverse('feed_search', args=[secret])}?{query}"
    context = {"tokens": feed_tokens.in_use(reader), "address": address, "search": search if query else ""}
    return render(request, "postmortems/feed_page.html", {**context, "query": query, "words": request.GET.get("q", "")})


def _query_of(request: HttpRequest) -> Any:
    """The words and filters of a search, without its page and order: what a saved search is."""
    query = request.GET.copy()
    for name in [name for name in query if name not in ("q", *FACETS) or not query[name]]:
        del query[name]
    return query


# --- feeds ---


@require_safe
def postmortem_feed(request: HttpRequest) -> HttpResponseBase:
    """For whoever is signed in: a browser that shows feeds."""
    return _published(request, reader_of(request))


@login_not_required
@require_safe
def feed_postmortems(request: HttpRequest, secret: str) -> HttpResponseBase:
    token = feed_tokens.holder_of(request, secret)
    return token if isinstance(token, HttpResponse) else _published(request, token.user)


@login_not_required
@require_safe
def feed_search(request: HttpRequest, secret: str) -> HttpResponseBase:
    """What a search finds now, newest first, as the user of the address may see it."""
    token = feed_tokens.holder_of(request, secret)
    if isinstance(token, HttpResponse):
        return token
    query = _query_of(request)
    text = query.get("q", "")[:LONGEST]
    filters = {name: query.getlist(name) for name in FACETS if name in query}
    found = find(text, user=token.user, filters=filters, sort="newest", per_page=MOST)
    if found.degraded:
        # A shorter feed would look as if entries had been taken away.
        return HttpResponse(found.degraded, status=503, content_type="text/plain", headers={"Retry-After": "60"})
    page = f"{reverse('search')}?{query.urlencode()}"
    rows = [result.item for result in found.results]
    # Not the query itself: it is no name that stays, however long it is.
    name = hashlib.sha256(query.urlencode().encode()).hexdigest()[:32]
    return _answer(request, rows, title=f"Search: {text or query.urlencode()}", page=page, guid=f"search:{name}")


def _published(request: HttpRequest, reader: Any) -> HttpResponseBase:
    rows = Postmortem.objects.visible_to(reader).published().order_by("-published_at", "-pk")
    recent = rows.prefetch_related("sections")[:MOST]
    return _answer(request, recent, title="Postmortems", page=reverse("postmortem_list"), guid="postmortems")


def _answer(request: HttpRequest, rows: Iterable[Item], *, title: str, page: str, guid: str) -> HttpResponseBase:
    feed = _Feed(
        title=_clean(f"{title} · Postmortem KB"),
        link=settings.SITE_URL + page,
        description="",
        author_name="Postmortem KB",
        feed_guid=_tag(guid),
    )
    for row in rows:
        feed.add_item(**_entry(row))
    body = feed.writeString("utf-8").encode()
    etag = quote_etag(hashlib.sha256(body).hexdigest()[:32])
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    answer = HttpResponse(body, content_type=_Feed.content_type, headers=headers)
    return get_conditional_response(request, etag=etag, response=answer) or answer


class _Feed(Atom1Feed):
    def latest_post_date(self) -> datetime:
        """Of a feed without entries always the same."""
        latest: datetime = super().latest_post_date() if self.items else BEGINNING
        return latest


# --- entries ---


def _entry(row: Item) -> dict[str, Any]:
    published, updated = _moments(row)
    return {
        "title": _clean(f"{row.ref}: {row.title}"),
        "link": settings.SITE_URL + row.get_absolute_url(),
        "description": html.escape(_clean(_text(row))),
        "unique_id": _tag(row.search_key),
        "pubdate": published,
        "updateddate": max(updated, published),
    }


def _moments(row: Item) -> tuple[datetime, datetime]:
    """(when it came about, when it last changed, as far as the row knows)"""
    if isinstance(row, Postmortem):
        return row.published_at or row.created_at, row.updated_at
    if isinstance(row, Incident):
        ends = [at for at in (row.mitigated_at, row.resolved_at, row.closed_at, row.cancelled_at) if at]
        return row.started_at, max([row.started_at, *ends])
    return row.created_at, row.created_at


def _text(row: Item) -> str:
    if isinstance(row, Postmortem):
        written = [row.text_of("summary"), row.text_of("what_fixed_it")]
        return "\n\n".join(markdown.to_text(text[:MOST_TEXT]) for text in written if text)[:MOST_TEXT]
    return (row.steps if isinstance(row, Fix) else row.symptoms)[:MOST_TEXT]


def _tag(name: str) -> str:
    """RFC 4151: stays when the title changes and when the site moves to https."""
    return f"tag:{urlsplit(settings.SITE_URL).hostname},2026:{name}"


def _clean(text: str) -> str:
    """Without what XML has no way to write."""
    return NOT_XML.sub(" ", text)
