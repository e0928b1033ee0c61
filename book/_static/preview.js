// Previews of the glossary: a term shows its entry while the mouse is over it or it has
// the focus. Escape puts it away, and the mouse may move into it (WCAG 1.4.13).
addEventListener("DOMContentLoaded", () => {
  "use strict";
  const entries = globalThis.glossary ?? {};
  const box = document.createElement("div");
  box.className = "preview";
  box.id = "glossary-preview";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.querySelector(".bd-article")?.append(box);
  let owner = null;
  let timer;

  function hide() {
    clearTimeout(timer);
    owner?.removeAttribute("aria-describedby");
    owner = null;
    box.hidden = true;
  }

  function show(link, [word, entry]) {
    clearTimeout(timer);
    if (owner === link) return;
    hide();
    owner = link;
    box.innerHTML = `<strong>${word}</strong> ${entry}`;
    const base = link.href.split("#")[0];
    for (const inner of box.querySelectorAll("a")) {
      inner.href = new URL(inner.getAttribute("href"), base);
    }
    link.setAttribute("aria-describedby", box.id);
    box.hidden = false;
    const place = link.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(place.left, width - box.offsetWidth - 8));
    const below = place.bottom + box.offsetHeight + 12 < innerHeight;
    box.style.left = `${left}px`;
    box.style.top = `${below ? place.bottom + 4 : place.top - box.offsetHeight - 4}px`;
    if (box.querySelector(".math")) globalThis.formulas?.set([box]);
  }

  const later = () => (timer = setTimeout(hide, 200));
  for (const link of document.querySelectorAll(".bd-article a[href*='#term-']")) {
    const entry = entries[decodeURIComponent(link.hash.slice(1))];
    if (!entry || link.closest("dl.glossary dt, .genindextable")) continue;
    link.addEventListener("mouseenter", () => {
      clearTimeout(timer);
      timer = setTimeout(() => show(link, entry), 150);
    });
    link.addEventListener("mouseleave", () => {
      clearTimeout(timer);
      later();
    });
    link.addEventListener("focus", () => show(link, entry));
    link.addEventListener("blur", later);
  }
  box.addEventListener("mouseenter", () => clearTimeout(timer));
  box.addEventListener("mouseleave", later);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("scroll", hide, { passive: true });
});
