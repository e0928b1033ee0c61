// On paper the page is light, and what is folded away on the screen is there.
(() => {
  "use strict";
  const root = document.documentElement;
  const folded = "details:not(.quiz details, .numbers)";
  let theme;
  let opened = [];
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    opened = [...document.querySelectorAll(folded)].filter((one) => !one.open);
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const one of opened) one.open = false;
  });
})();
