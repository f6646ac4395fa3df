// Live: each part of the board is exchanged when it changes. Without it the page reloads itself every 30 seconds.
"use strict";
(() => {
  const grid = document.querySelector("[data-stream]"), live = document.getElementById("live");
  if (!grid || !window.EventSource) return;
  const show = (tone, words) => {
    if (live.textContent !== words) live.textContent = words;
    live.className = "dot " + tone;
  };
  const exchange = (part, html) => {
    if (part.dataset.shown === html) return;
    const held = document.activeElement, inside = part.contains(held);
    const key = inside && (held.dataset.k || held.getAttribute("href"));
    part.innerHTML = html;
    part.dataset.shown = html;
    if (!key) return;
    const again = [...part.querySelectorAll("a, button")].find((each) => (each.dataset.k || each.getAttribute("href")) === key);
    if (again) again.focus({ preventScroll: true });
  };
  let stream = null;
  const close = () => {
    if (stream) stream.close();
    stream = null;
  };
  const open = () => {
    close();
    const mine = (stream = new EventSource(grid.dataset.stream));
    mine.addEventListener("hello", () => show("good", "Live"));
    mine.addEventListener("board", (event) => {
      show("good", "Live");
      for (const [name, html] of Object.entries(JSON.parse(event.data))) {
        const part = document.getElementById("part-" + name);
        if (part) exchange(part, html);
      }
    });
    mine.addEventListener("out", () => location.reload());
    mine.addEventListener("error", () => {
      show("late", "Reconnecting");
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
    });
  };
  // A browser keeps few lines open to one host: a tab that nobody sees gives its own up.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    close();
    show("quiet", "Paused");
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  open();
})();
