// Ticking a whole page of a list at once: `data-all` names the form whose boxes these are.
(() => {
  "use strict";
  document.addEventListener("change", (event) => {
    const form = event.target.dataset.all && document.getElementById(event.target.dataset.all);
    if (!form) return;
    for (const box of form.elements) {
      if (box.type === "checkbox" && box.name) box.checked = event.target.checked;
    }
  });
})();
