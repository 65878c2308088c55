"""What programs want to know of the site itself: how to search it from an address bar, and whether it is well."""

from typing import Any
from xml.etree import ElementTree

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from kb.views import missing, noteworthy
from postmortems.models import Scope
from postmortems.workflows import credentials

NAMESPACE = "http://a9.com/-/spec/opensearch/1.1/"


@login_not_required
@require_safe
def opensearch(request: HttpRequest) -> HttpResponse:
    """OpenSearch 1.1: a browser offers to search us from its address bar. Browsers ask for it without a sign-in."""
    root = ElementTree.Element("OpenSearchDescription", xmlns=NAMESPACE)
    for name, text in (
        ("ShortName", "Postmortem KB"),  # 16 characters at most
        ("Description", "What fixed it last time: postmortems, incidents and fixes"),
        ("InputEncoding", "UTF-8"),
    ):
        ElementTree.SubElement(root, name).text = text
    site = settings.SITE_URL
    icon = ElementTree.SubElement(root, "Image", width="32", height="32", type="image/svg+xml")
    icon.text = site + static("kb/favicon.svg")
    template = f"{site}{reverse('search')}?q={{searchTerms}}"
    ElementTree.SubElement(root, "Url", type="text/html", method="get", template=template)
    own = {"type": "application/opensearchdescription+xml", "rel": "self", "template": site + reverse("opensearch")}
    ElementTree.SubElement(root, "Url", own)
    body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return HttpResponse(body, content_type="application/opensearchdescription+xml")


@login_not_required
@require_safe
def status(request: HttpRequest) -> JsonResponse:
    """`{"status": "ok"}` or `degraded`; why, for whoever is signed in or shows a token with the scope `metrics`."""
    reasons = missing()
    notes = [] if reasons else noteworthy()
    answer: dict[str, Any] = {"status": "degraded" if reasons or notes else "ok"}
    # Without its database the site knows nobody.
    if not reasons and _may_know_more(request):
        answer |= {"notes": notes}
    return JsonResponse(answer, headers={"Cache-Control": "no-store"})


def _may_know_more(request: HttpRequest) -> bool:
    token = credentials.bearer(request.headers, scope=Scope.METRICS, at=timezone.now())
    return token is not None or request.user.is_authenticated
