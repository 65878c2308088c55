// Clocks that count up: the text the server wrote, kept current. Without JavaScript it is as old as the page.
(() => {
  "use strict";
  const tick = () => {
    for (const clock of document.querySelectorAll("[data-since]")) {
      const minutes = Math.floor((Date.now() - Date.parse(clock.dataset.since)) / 60000);
      if (minutes >= 1 && minutes < 60) clock.textContent = `${minutes} min`;
    }
  };
  setInterval(tick, 15000);
})();
