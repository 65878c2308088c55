"""A list of choices is written as Django's own templates write it."""

from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import SafeString, mark_safe

from kb.widgets import Renderer

HOSTILE = '"><script>alert(1)</script>&'
CHOICES: list[Any] = [
    ("", "All"),
    (HOSTILE, HOSTILE),
    (7, "Seven"),
    (f"Group {HOSTILE}", [("a", "First"), ("b", mark_safe("<b>&amp;</b>"))]),
]


def words(markup: str) -> str:
    return " ".join(markup.split())


@pytest.mark.parametrize("chosen", ["", HOSTILE, 7, "b", None])
@pytest.mark.parametrize("attributes", [{}, {"id": HOSTILE, "required": True, "disabled": False, "size": 3}])
@pytest.mark.parametrize("widget", [forms.Select, forms.SelectMultiple])
def test_a_select_is_that_of_django(widget: Any, attributes: dict[str, Any], chosen: Any) -> None:
    field = widget(choices=CHOICES)
    value = [chosen] if widget is forms.SelectMultiple else chosen

    ours, theirs = (field.render("x<y", value, attributes, renderer) for renderer in (Renderer(), DjangoTemplates()))

    assert words(ours) == words(theirs)
    assert isinstance(ours, SafeString)
    assert "<script>" not in ours


def test_forms_are_written_so() -> None:
    class Form(forms.Form):
        kind = forms.ChoiceField(choices=CHOICES)

    assert isinstance(Form().renderer, Renderer)
