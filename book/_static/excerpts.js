// Excerpts of pages that were found: their formulas as one would type them, a√b for TeX's
// a\sqrt{b}, and without the list of contents. Sphinx's Search reads a page's HTML.
{
  const signs = {
    alpha: "α", approx: "≈", bar: "", beta: "β", big: "", Big: "", cap: "∩", cdot: "·",
    delta: "δ", dots: "…", ell: "ℓ", hat: "", infty: "∞", le: "≤", left: "", lvert: "|",
    lVert: "‖", mathrm: "", ne: "≠", neq: "≠", odot: "⊙", omega: "ω", partial: "∂",
    pm: "±", qquad: " ", quad: " ", right: "", rvert: "|", rVert: "‖", sigma: "σ",
    sqrt: "√", sum: "∑", text: "", to: "→", top: "⊤",
  };
  const argument = String.raw`\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\w))`;
  const fraction = new RegExp(String.raw`\\t?frac${argument}${argument}`, "g");
  const whole = (part) => (/^[^ ]$/.test(part) ? part : `(${part})`);
  const readable = (tex) =>
    tex
      .replace(/\\(begin|end)\{\w+\}|\\[\\()[\]; ]|&/g, " ")
      .replace(/\\[,!]/g, "")
      .replace(fraction, (_, a = "", b = "", c = "", d = "") => `${whole(a + b)}/${whole(c + d)}`)
      .replace(/\\([A-Za-z]+)/g, (_, name) => signs[name] ?? name)
      .replace(/\^⊤/g, "⊤")
      .replace(/[{}\\]/g, "")
      .replace(/ +/g, " ")
      .trim();

  const given = Search.htmlToText;
  Search.htmlToText = (text, anchor) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const formula of page.querySelectorAll(".math")) {
      formula.querySelector(".eqno")?.remove();
      formula.textContent = readable(formula.textContent);
    }
    for (const aside of page.querySelectorAll("#jb-print-toc, .reading-time, .ways, .varies")) aside.remove();
    return given(page.documentElement.outerHTML, anchor);
  };
}
