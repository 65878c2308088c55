// Pictures and files that are pasted into a text, or dropped on it, are attached, and what shows them is written there.
// `data-attach` of the form: the address that takes them. Without this script: the page of files, linked there.
(() => {
  "use strict";
  const field = (target) => target instanceof Element ? target.closest("form[data-attach] textarea") : null;
  let count = 0;

  const insert = (area, text) => {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    changed(area);
  };
  const replace = (area, placeholder, text) => {
    const at = area.value.indexOf(placeholder);
    if (at < 0) return; // the writer took it away meanwhile
    area.setRangeText(text, at, at + placeholder.length, "preserve");
    changed(area);
  };
  const changed = (area) => area.dispatchEvent(new Event("input", { bubbles: true }));

  const note = (area, text) => {
    let box = area.parentElement.querySelector(".attach-note");
    if (!box) {
      box = document.createElement("p");
      box.className = "help attach-note";
      box.setAttribute("role", "status");
      area.after(box);
    }
    box.textContent = text;
  };

  const attach = async (area, file) => {
    const placeholder = `[attaching ${file.name || "picture"} ${++count} ...]`;
    insert(area, placeholder);
    const body = new FormData();
    body.append("files", file, file.name || "picture.png");
    try {
      const answer = await fetch(area.form.dataset.attach, {
        method: "POST",
        body,
        headers: { Accept: "application/json", "X-CSRFToken": area.form.elements.csrfmiddlewaretoken.value },
      });
      const found = await answer.json();
      replace(area, placeholder, found.markdown.join("\n"));
      note(area, found.errors.join(" ") || `Attached: ${file.name || "picture"}`);
    } catch {
      replace(area, placeholder, "");
      note(area, `${file.name || "The picture"} could not be attached. Are you online and signed in? Your text is still here.`);
    }
  };

  const take = (event, files) => {
    const area = field(event.target);
    if (!area || !files.length) return;
    event.preventDefault();
    files.forEach((file) => attach(area, file));
  };
  document.addEventListener("paste", (event) => take(event, [...event.clipboardData.files]));
  document.addEventListener("drop", (event) => take(event, [...event.dataTransfer.files]));
  document.addEventListener("dragover", (event) => {
    if (field(event.target) && [...event.dataTransfer.types].includes("Files")) event.preventDefault();
  });
})();
