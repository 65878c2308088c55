// The editor: Markdown by buttons and keys, unsaved text kept on the server, a warning before it is left behind.
// Everything here is a comfort; without it the form saves and previews by its own buttons.
(() => {
  "use strict";
  const form = document.querySelector("#editor");
  if (!form) return;
  const AFTER = 2000; // ms without a key: a pause in typing
  const AT_MOST = 10000; // ms of typing without a pause
  const KEEPALIVE = 60000; // bytes that a browser still sends for a page that goes away

  // --- Markdown ---

  const WRAPPED = { bold: ["**", "**", "bold"], italic: ["*", "*", "italic"], link: ["[", "](https://)", "text"] };
  const LINES = { heading: "### ", list: "- " };

  const replace = (area, start, end, text, from, to) => {
    area.focus();
    area.setSelectionRange(start, end);
    // The command, old as it is, is the only way that Ctrl-Z can take back.
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, start, end);
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    area.setSelectionRange(from, to);
  };

  const wrap = (area, before, after, sample) => {
    const { selectionStart: start, selectionEnd: end, value } = area;
    const inside = value.slice(start, end) || sample;
    replace(area, start, end, before + inside + after, start + before.length, start + before.length + inside.length);
  };

  const prefix = (area, mark) => {
    const { selectionStart, selectionEnd, value } = area;
    const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
    const next = value.indexOf("\n", selectionEnd);
    const end = next < 0 ? value.length : next;
    const lines = value.slice(start, end).split("\n");
    const has = lines.every((line) => line.startsWith(mark));
    const text = lines.map((line) => (has ? line.slice(mark.length) : mark + line)).join("\n");
    replace(area, start, end, text, start + (lines.length > 1 ? 0 : text.length), start + text.length);
  };

  const code = (area) => {
    const several = area.value.slice(area.selectionStart, area.selectionEnd).includes("\n");
    return several ? wrap(area, "```\n", "\n```", "") : wrap(area, "`", "`", "code");
  };

  const mark = (area, kind) => {
    if (kind === "code") code(area);
    else if (LINES[kind]) prefix(area, LINES[kind]);
    else wrap(area, ...WRAPPED[kind]);
  };

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-mark]");
    if (button) mark(document.getElementById(button.parentElement.getAttribute("aria-controls")), button.dataset.mark);
  });

  form.addEventListener("keydown", (event) => {
    const kind = { b: "bold", i: "italic" }[event.key.toLowerCase()];
    const plain = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    if (kind && plain && event.target.matches("textarea")) {
      event.preventDefault();
      mark(event.target, kind);
    }
    // In a toolbar Tab stops once, the arrows go on from there.
    const bar = event.target.closest(".toolbar");
    if (bar && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      event.preventDefault();
      const buttons = [...bar.querySelectorAll("button")];
      const step = event.key === "ArrowRight" ? 1 : buttons.length - 1;
      const next = buttons[(buttons.indexOf(event.target) + step) % buttons.length];
      buttons.forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
      next.focus();
    }
  });
  for (const bar of form.querySelectorAll(".toolbar")) {
    [...bar.querySelectorAll("button")].slice(1).forEach((button) => { button.tabIndex = -1; });
  }

  // --- unsaved text ---

  const said = document.querySelector("#kept");
  let dirty = "changed" in form.dataset; // text that is not saved
  let waiting = false; // text that is not kept either
  let sending = false;
  let refused = false;
  let timer = 0;
  let since = 0; // the first key that is not kept
  let signedOut = false;
  let leaving = null; // the button that was pressed while a copy was on its way, or without a session
  const note = document.querySelector("#signed-out");

  // Signed in again, in another tab, the page needs the form's token of the new session.
  const renew = async () => {
    const page = await fetch(form.action, { redirect: "manual" });
    if (page.type === "opaqueredirect") return page;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").querySelector("[name=csrfmiddlewaretoken]");
    if (fresh) form.elements.csrfmiddlewaretoken.value = fresh.value;
    return send();
  };

  const send = async () => {
    const body = new URLSearchParams(new FormData(form));
    const small = body.toString().length < KEEPALIVE;
    return fetch(form.dataset.keep, { method: "POST", body, keepalive: small, redirect: "manual" });
  };

  const keep = async () => {
    clearTimeout(timer);
    if (!waiting || sending || refused) return;
    sending = true;
    waiting = false;
    since = 0;
    try {
      let answer = await send();
      if (answer.status === 403) answer = await renew();
      signedOut = answer.type === "opaqueredirect";
      if (note) note.hidden = !signedOut;
      const told = await answer.json();
      if (told.copy) {
        form.elements.copy.value = told.copy;
        said.textContent = `Kept for you at ${told.at}; not saved yet`;
      } else {
        refused = true;
        said.textContent = `Not kept: ${told.refused}`;
      }
    } catch {
      waiting = true;
      said.textContent = `Not kept: ${signedOut ? "you were signed out" : "the server did not answer"}. Your text is on this page.`;
      timer = setTimeout(keep, AT_MOST);
    } finally {
      sending = false;
      const button = leaving;
      leaving = null;
      if (button && !signedOut) form.requestSubmit(button);
      else if (button) note?.scrollIntoView();
      else if (since) timer = setTimeout(keep, AFTER); // typed meanwhile
    }
  };

  const changed = () => {
    dirty = waiting = true;
    since ||= Date.now();
    clearTimeout(timer);
    timer = setTimeout(keep, Math.max(0, Math.min(AFTER, since + AT_MOST - Date.now())));
  };

  form.addEventListener("input", (event) => { if (event.target.name) changed(); });
  form.addEventListener("change", (event) => { if (event.target.name) changed(); });
  form.addEventListener("focusout", (event) => { if (waiting && event.relatedTarget?.type !== "submit") keep(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) keep(); });
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    // A copy that arrives after the save would be offered again as unsaved text, so the save waits for it; and without
    // a session the text would end at the sign-in page, so that is asked first.
    if (sending || signedOut) {
      event.preventDefault();
      leaving = event.submitter;
      waiting = true;
      keep();
      return;
    }
    dirty = waiting = false;
  });
  // Kept text is offered again: only what could not be kept is worth a question.
  addEventListener("beforeunload", (event) => { if (dirty && (waiting || sending || refused)) event.preventDefault(); });
})();
