"""Take one step: what refuses it becomes a message, or stands in the form beside what was typed."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from kb.errors import DomainError


def stepped(request: HttpRequest, back_to: Any, step: Callable[[], object], done: str) -> HttpResponse:
    """Back to where it was clicked, with what was done or why not."""
    try:
        step()
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect(back_to)


def taken(form: forms.BaseForm, step: Callable[[], object]) -> bool:
    """Whether it was; if not, the form says why."""
    try:
        step()
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def number_of(typed: str | None) -> int | None:
    """A row's number from a hidden field; None of anything else, however long."""
    return int(typed) if typed and typed.isascii() and typed.isdigit() and len(typed) < 19 else None
