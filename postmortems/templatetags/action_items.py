"""How action items are shown: their ticket, the steps in their history, where a list of them leads."""

from collections.abc import Iterable

from django.template import Library
from django.urls import reverse
from django.utils.html import format_html

from postmortems.models import ActionItem, AuditEvent, Incident, Tracker
from postmortems.models.follow_up import ticket_address

register = Library()

STEPS = {
    "action.create": "promised it",
    "action.edit": "changed what it says",
    "action.assign": "changed the owner",
    "action.start": "started",
    "action.complete": "said it is done",
    "action.verify": "verified it",
    "action.decline": "approved that it is not done",
    "action.reopen": "opened it again",
    "action.hold": "took that back: it is as it was",
    "action.reschedule": "changed the date",
    "admin.add": "added it in the administration",
    "admin.change": "changed it in the administration",
}
FIELDS = {"due_on": "due", "done_when": "done when", "external_url": "link", "owner_text": "owner"}


@register.simple_tag
def ticket(item: ActionItem, trackers: Iterable[Tracker]) -> str:
    """The ticket, as a link where a tracker knows it. Nothing but an address of the web becomes one."""
    address = ticket_address(item.ticket, trackers)
    if not address:
        return format_html('<span class="mono">{}</span>', item.ticket)
    return format_html('<a class="mono" href="{}" rel="noopener noreferrer">{}</a>', address, item.ticket)


@register.filter
def step_of(event: AuditEvent) -> str:
    return STEPS.get(event.action, event.action)


@register.filter
def address_of(ref: str) -> str:
    """Of the postmortem or incident that a ref names."""
    name = "incident_detail" if Incident.pk_of_ref(ref) is not None else "postmortem_detail"
    return reverse(name, args=[ref])


@register.filter
def field_name(name: str) -> str:
    return FIELDS.get(name, name.replace("_", " "))
