// Formulas are set when they come near the screen, so that a page can be read at once.
// MathJax is fetched with the first of them. All others follow, a few at a time, as soon
// as the reader does anything: one who prints the page has moved a mouse or pressed a key.
{
  const NEAR = "400px 0px";
  const AT_ONCE = 5;
  const place = document.currentScript.dataset.mathjax;
  const unset = new Set();
  let queue = [];
  let loaded;
  let working;

  function load() {
    loaded ??= new Promise((resolve) => {
      globalThis.MathJax = { ...globalThis.MathJax, startup: { typeset: false } };
      const script = document.createElement("script");
      script.src = place;
      script.onload = () => MathJax.startup.promise.then(resolve);
      document.head.append(script);
    });
    return loaded;
  }

  async function work() {
    await load();
    while (queue.length) {
      MathJax.typeset(queue.splice(0, AT_ONCE));
      await new Promise((next) => setTimeout(next));
    }
    working = undefined;
  }

  /** Set the formulas in some elements before all others; resolves when none is left. */
  function set(elements) {
    for (const element of elements) unset.delete(element);
    queue.unshift(...elements);
    return (working ??= work());
  }

  function all() {
    queue.push(...unset);
    unset.clear();
    return queue.length ? set([]) : working ?? Promise.resolve();
  }

  addEventListener("DOMContentLoaded", () => {
    const seen = new IntersectionObserver(
      (entries) => {
        const near = entries.filter((entry) => entry.isIntersecting && unset.has(entry.target));
        if (near.length) set(near.map((entry) => entry.target));
      },
      { rootMargin: NEAR },
    );
    for (const formula of document.querySelectorAll(".bd-article .math")) {
      unset.add(formula);
      seen.observe(formula);
    }
  });
  for (const sign of ["pointermove", "pointerdown", "keydown", "scroll"])
    addEventListener(sign, all, { once: true, passive: true });
  globalThis.formulas = { set, all };
}
