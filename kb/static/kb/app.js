// Small comforts; every page works without them. No dependencies, no inline handlers.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("js");

  // "/" can be switched off on the account page (WCAG 2.1.4: single keys disturb speech input). Storage may be forbidden.
  const KEY = "kb-single-keys";
  const stored = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target) && stored() !== "off";
    const ctrlK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    const box = one("#q");
    if (box && (slash || ctrlK)) {
      event.preventDefault();
      box.focus();
      box.select();
    }
    const menu = one("details.account[open]");
    if (menu && event.key === "Escape") {
      menu.open = false;
      one("summary", menu).focus();
    }
  });

  document.addEventListener("click", async (event) => {
    const menu = one("details.account[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = one(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      say(button, "Copied");
    } catch {
      getSelection().selectAllChildren(one(button.dataset.copy));
      say(button, "Press Ctrl-C");
    }
  });

  const say = (button, text) => {
    const before = button.dataset.text ??= button.textContent;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 2000);
  };

  // A long list of checkboxes gets a filter; what is ticked stays in sight.
  document.addEventListener("input", (event) => {
    const list = event.target.dataset.narrows && one(event.target.dataset.narrows);
    if (!list) return;
    const wanted = event.target.value.trim().toLowerCase();
    for (const label of all("label", list)) {
      label.hidden = !one("input", label).checked && !label.textContent.toLowerCase().includes(wanted);
    }
  });

  const dress = (root) => {
    all("[data-needs-js]", root).forEach((element) => { element.hidden = false; });
    // What scrolls must be reachable by keyboard.
    all(".prose :is(pre, table)", root).filter((box) => box.scrollWidth > box.clientWidth).forEach((box) => { box.tabIndex = 0; });
  };

  // A piece that could not be fetched is said, never silent: `data-failed` names what to show, "#out" is for a lost session.
  const failed = (event) => {
    const note = one(event.detail.elt.dataset.failed || "#htmx-failed");
    if (note) note.hidden = false;
  };
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo } = event.detail;
    if (xhr.responseURL && new URL(xhr.responseURL).pathname !== new URL(pathInfo.requestPath, location).pathname) {
      event.detail.shouldSwap = false; // answered by another page: the session is over
      one("#signed-out").hidden = false;
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    all("#htmx-failed, [id$=-failed]").forEach((note) => { note.hidden = true; });
    dress(event.detail.target.parentElement || document);
  });
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);

  dress(document);
  const keys = one("#single-keys");
  if (keys) {
    keys.checked = stored() !== "off";
    keys.addEventListener("change", () => { try { localStorage.setItem(KEY, keys.checked ? "on" : "off"); } catch { /* forbidden */ } });
  }
})();
