// Keeps a page up to date while somebody looks at it. Without it, "Reload" does the same by hand.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const SLOW_MS = 10000;
  const region = document.querySelector("[data-live]");
  if (!region || !window.fetch || !window.DOMParser) return;
  let paused = false;
  let timer = 0;

  // Said aloud once, when something changes about the updates themselves; the rows change in silence.
  const status = document.createElement("p");
  status.className = "live-status";
  status.setAttribute("role", "status");
  region.before(status);

  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => {
    paused = !paused;
    show();
    if (paused) clearTimeout(timer);
    else tick();
  });

  function show() {
    button.textContent = paused ? "Resume updates" : "Pause updates";
    const reload = region.querySelector("[data-reload]");
    if (reload && !button.isConnected) reload.replaceWith(button);
  }

  // What has focus, or is open, is found again by its id or address.
  function mark(element) {
    if (!element || !region.contains(element)) return null;
    if (element === button) return () => button;
    const selector = element.id
      ? "#" + CSS.escape(element.id)
      : element.hasAttribute("href")
        ? `a[href="${CSS.escape(element.getAttribute("href"))}"]`
        : null;
    return selector ? () => region.querySelector(selector) : null;
  }

  function replace(fresh) {
    const focused = mark(document.activeElement);
    const scrolled = [...region.querySelectorAll(".scroll[id]")].map((one) => [one.id, one.scrollLeft]);
    button.remove();
    region.replaceChildren(...fresh.childNodes);
    show();
    for (const [id, left] of scrolled) {
      const one = document.getElementById(id);
      if (one) one.scrollLeft = left;
    }
    const again = focused && focused();
    if (again) again.focus({ preventScroll: true });
  }

  // Somebody reads closely, selects, or types: nothing moves under them.
  function busy() {
    const selection = getSelection();
    const selects = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
    return selects || region.querySelector("details[open]") !== null;
  }

  async function tick() {
    clearTimeout(timer);
    if (paused || document.hidden) return;
    let next = EVERY_MS;
    if (!busy()) {
      try {
        const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
        if (answer.type === "opaqueredirect") return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("#" + CSS.escape(region.id));
        if (!fresh) throw new Error("no region");
        if (!paused && !busy()) replace(fresh);
        if (status.textContent) status.textContent = "";
        if (!fresh.hasAttribute("data-live")) return finish();
      } catch {
        const words = "The host does not answer; trying again.";
        if (status.textContent !== words) status.textContent = words;
        next = SLOW_MS;
      }
    }
    timer = setTimeout(tick, next);
  }

  // Nothing changes any more: the way has come to its end.
  function finish() {
    button.remove();
  }

  document.addEventListener("visibilitychange", tick);
  show();
  timer = setTimeout(tick, EVERY_MS);
})();
