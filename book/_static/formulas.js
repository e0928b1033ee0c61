// Formulas are set when they come on the screen, so that a page can be read at once.
// MathJax is fetched with the first of them, and measures the page's font there: at each
// formula, that would lay out the whole page anew. All others follow, a few at a time, as
// soon as the reader does anything: one who prints has moved a mouse or pressed a key.
{
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
      script.onload = () => MathJax.startup.promise.then(measureOnce).then(resolve);
      document.head.append(script);
    });
    return loaded;
  }

  function measureOnce() {
    const { output } = MathJax.startup;
    const measure = output.getMetricMaps.bind(output);
    const known = []; // of a formula in a line, of one on lines of its own
    output.getMetricMaps = (page) => {
      if ([...page.math].some((formula) => !known[+formula.display]))
        for (const [kind, found] of measure(page).entries()) known[kind] ??= [...found.values()][0];
      return known.map((metrics) => ({ get: () => metrics }));
    };
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
    const seen = new IntersectionObserver((entries) => {
      const near = entries.filter((entry) => entry.isIntersecting && unset.has(entry.target));
      if (near.length) set(near.map((entry) => entry.target));
    });
    for (const formula of document.querySelectorAll(".bd-article .math")) {
      unset.add(formula);
      seen.observe(formula);
    }
  });
  for (const sign of ["pointermove", "pointerdown", "keydown", "scroll"])
    addEventListener(sign, all, { once: true, passive: true });
  globalThis.formulas = { set, all };
}
