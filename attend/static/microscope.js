// The attention microscope: one query's way from scores to weights to context.
//
// A module that is also a plain script (no import, no export): browsers refuse modules
// to pages opened from a disk, and this book is read from disks. In the book the page
// loads it from _static; in JupyterLab the figure carries it along. It finds each
// <figure class="microscope">, reads the JSON in it, and brings it to life.
(() => {
  "use strict";
  if (globalThis.attendMicroscope) {
    globalThis.attendMicroscope.wakeAll();
    return;
  }

  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

  /** All that is computed, and nothing else: one query's three stages. */
  function compute({ scores, values, temperature = 1, allowed }) {
    const scaled = scores.map((score, j) =>
      allowed && !allowed[j] ? -Infinity : score / temperature,
    );
    const highest = Math.max(...scaled);
    const exps = scaled.map((e) => (e === -Infinity ? 0 : Math.exp(e - highest)));
    const total = sum(exps);
    const weights = exps.map((x) => (total ? x / total : 0)); // nothing allowed: zeros
    const parts = values.map((value, j) => value.map((v) => weights[j] * v)); // (S, Ev)
    const context = values[0].map((_, n) => sum(parts.map((part) => part[n])));
    const bits = sum(weights.map((a) => (a > 0 ? -a * Math.log2(a) : 0)));
    return { scaled, exps, weights, parts, context, bits, effective: total && 2 ** bits };
  }

  // ------------------------------------------------------------------ small helpers
  const two = (x) =>
    x === -Infinity ? "−∞" : (Math.abs(x) < 0.005 ? 0 : x).toFixed(2).replace("-", "−");
  const short = (x) => String(+x.toFixed(2)).replace("-", "−");
  const COLOURS = 6; // colours of the key words, then they repeat
  let born = 0;

  /** Make an element: h("td", {class: "x"}, child, "text", …). */
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in element && typeof value !== "string") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /** A row of radio buttons; arrow keys walk along it. */
  function choice(name, legend, words, start, chosen) {
    const boxes = words.map((word, i) => {
      const input = h("input", { type: "radio", name, checked: i === start });
      input.addEventListener("change", () => chosen(i));
      return h("label", {}, input, h("span", {}, word));
    });
    const box = h("fieldset", { class: "choice" }, h("legend", {}, legend), ...boxes);
    box.pick = (i) => (boxes[i].firstChild.checked = true);
    box.words = boxes;
    return box;
  }

  /** A list, or a slider where the names are the steps of something. */
  function picker(label, names, slider, chosen) {
    if (!slider) {
      const list = h("select", {}, ...names.map((name) => h("option", {}, name)));
      list.addEventListener("change", () => chosen(list.selectedIndex));
      const box = h("label", { class: "dial" }, label, list);
      box.pick = (i) => (list.selectedIndex = i);
      return box;
    }
    const range = h("input", { type: "range", min: "0", max: `${names.length - 1}` });
    const shown = h("output", {}, names[0]);
    range.value = 0;
    range.addEventListener("input", () => chosen(+range.value));
    const box = h("label", { class: "dial" }, label, range, shown);
    box.pick = (i) => {
      range.value = i;
      shown.value = names[i];
      range.setAttribute("aria-valuetext", names[i]);
    };
    return box;
  }

  // ------------------------------------------------------------------ one microscope
  function wake(figure) {
    if (figure.microscope) return;
    const data = JSON.parse(figure.querySelector("script.data").textContent);
    const { queries, keys, features, functions, masks, words } = data;
    const id = `microscope-${++born}`;
    const S = keys.length;
    const start = {
      shown: data.shown ?? 0,
      mask: 0,
      query: data.query,
      temperature: 1,
      stage: 3,
    };
    const state = {};

    const values = () => functions[state.shown].values ?? data.values;
    const open = (j) => masks[state.mask].allowed?.[state.query][j] ?? true;
    const allowed = () => keys.map((_, j) => open(j) && !state.hidden[j]);
    const fresh = () => (state.scores = [...functions[state.shown].scores[state.query]]);

    // -------------------------------------------------------------- the controls
    const change = (part) => {
      Object.assign(state, part);
      if ("query" in part || "shown" in part) fresh();
      show();
    };
    const query = choice(`${id}-query`, words.query, queries, data.query, (i) =>
      change({ query: i }),
    );
    query.classList.add("queries");
    const dial = picker(words.scores, functions.map((r) => r.name), data.slider, (i) =>
      change({ shown: i }),
    );
    const mask = picker("mask", masks.map((m) => m.name), false, (i) =>
      change({ mask: i }),
    );
    const heat = h("input", { type: "range", min: "-4", max: "7", step: "0.25" });
    const heatShown = h("output");
    heat.addEventListener("input", () => change({ temperature: 2 ** heat.value }));
    const stage = choice(
      `${id}-stage`,
      "show",
      ["1 score", "2 softmax", "3 weighted sum"],
      2,
      (i) => change({ stage: i + 1 }),
    );
    const again = h("button", { type: "button", class: "again" }, "start again");
    again.addEventListener("click", reset);

    // -------------------------------------------------------------- the three columns
    const every = [...functions.flatMap((r) => r.scores).flat(), 0];
    const margin = 0.25 * (Math.max(...every) - Math.min(...every)) + 0.5;
    const low = Math.floor(10 * (Math.min(...every) - margin)) / 10;
    const high = Math.ceil(10 * (Math.max(...every) + margin)) / 10;
    const step = (high - low) / 10 > 1 ? 0.1 : 0.02;

    const rows = keys.map((word, j) => {
      const tick = h("input", { type: "checkbox", checked: true });
      tick.addEventListener("change", () => {
        state.hidden[j] = !tick.checked;
        show();
      });
      const slider = h("input", {
        type: "range",
        min: `${low}`,
        max: `${high}`,
        step: `${step}`,
        "aria-label": `score of ${word}`,
      });
      slider.addEventListener("input", () => {
        state.scores[j] = +slider.value;
        show();
      });
      slider.style.setProperty("--zero", -low / (high - low));
      const score = h("span", { class: "number" });
      const bar = h("span", { class: `bar key-${j % COLOURS}` });
      const weight = h("span", { class: "number" });
      const row = h(
        "tr",
        {},
        h("th", { scope: "row" }, h("label", {}, tick, h("span", {}, word))),
        h("td", { class: "score" }, h("div", {}, slider, score)),
        h("td", { class: "weight" }, h("div", {}, h("span", { class: "track" }, bar), weight)),
      );
      return { row, tick, slider, score, bar, weight };
    });
    const sumShown = h("span", { class: "number" });
    const wordTable = h(
      "table",
      { class: "words" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, words.key),
          h("th", { scope: "col", class: "score" }, "1. scores"),
          h("th", { scope: "col", class: "weight" }, "2. weights"),
        ),
      ),
      h("tbody", {}, ...rows.map((r) => r.row)),
      h(
        "tfoot",
        {},
        h(
          "tr",
          { class: "sum" },
          h("th", { scope: "row" }, "sum"),
          h("td", { class: "score" }),
          h("td", { class: "weight" }, h("div", {}, h("span"), sumShown)),
        ),
      ),
    );

    const reached = functions.flatMap((r) => r.values ?? data.values).flat();
    const scale = Math.max(...reached.map(Math.abs), 1e-9);
    const signed = Math.min(...reached) < 0;
    const sums = features.map((feature) => {
      const pieces = keys.map((_, j) => h("span", { class: `bar key-${j % COLOURS}` }));
      const number = h("span", { class: "number" });
      const row = h(
        "tr",
        {},
        h("th", { scope: "row" }, feature),
        h("td", {}, h("div", {}, h("span", { class: "track" }, ...pieces), number)),
      );
      return { row, pieces, number };
    });
    const contextTitle = h("th", { scope: "col", colspan: "2" });
    const contextTable = h(
      "table",
      { class: signed ? "context signed" : "context" },
      h("thead", {}, h("tr", {}, contextTitle)),
      h("tbody", {}, ...sums.map((s) => s.row)),
    );
    const explained = h("p", { class: "explained" });
    const spoken = h("p", { class: "spoken", "aria-live": "polite" });

    const dials = h("div", { class: "dials" });
    if (functions.length > 1) dials.append(dial);
    if (masks.length > 1) dials.append(mask);
    dials.append(h("label", { class: "dial" }, "temperature", heat, heatShown));
    const live = h(
      "div",
      { class: "live", role: "group", "aria-label": "Attention microscope" },
      h("div", { class: "controls" }, query, dials, stage),
      h("div", { class: "columns" }, wordTable, contextTable),
      explained,
      again,
      spoken,
    );

    // JupyterLab takes no key, such as an arrow, from the control that has the focus
    for (const control of live.querySelectorAll("input, select, button")) {
      control.dataset.lmSuppressShortcuts = "true";
    }

    // -------------------------------------------------------------- what is shown
    let quiet;
    function show() {
      const now = compute({ ...state, allowed: allowed(), values: values() });
      figure.microscope.result = now;
      live.dataset.stage = state.stage;
      query.pick(state.query);
      dial.pick(state.shown);
      mask.pick(state.mask);
      stage.pick(state.stage - 1);
      heat.value = Math.log2(state.temperature);
      heatShown.value = `T = ${short(state.temperature)}`;
      heat.setAttribute("aria-valuetext", heatShown.value);
      rows.forEach(({ row, tick, slider, score, bar, weight }, j) => {
        const closed = !allowed()[j];
        row.classList.toggle("masked", closed);
        tick.checked = !closed;
        tick.disabled = !open(j);
        slider.disabled = closed;
        slider.value = state.scores[j];
        slider.style.setProperty("--at", (slider.value - low) / (high - low));
        slider.setAttribute("aria-valuetext", two(state.scores[j]));
        score.textContent = closed ? "−∞" : two(state.scores[j]);
        bar.style.setProperty("--share", now.weights[j]);
        weight.textContent = two(now.weights[j]);
      });
      sumShown.textContent = two(sum(now.weights));
      contextTitle.textContent = `3. ${words.context} ${queries[state.query]}`;
      sums.forEach(({ pieces, number }, n) => {
        // negative parts grow to the left of zero, positive ones to the right
        const reach = { left: 0, right: 0 };
        pieces.forEach((piece, j) => {
          const part = now.parts[j][n] / scale;
          const side = part < 0 ? "left" : "right";
          piece.style.setProperty("--share", Math.abs(part));
          piece.style.setProperty("--start", part < 0 ? part - reach.left : reach.right);
          reach[side] += Math.abs(part);
        });
        number.textContent = two(now.context[n]);
      });
      explained.textContent = explain(now);
      clearTimeout(quiet);
      quiet = setTimeout(() => {
        const said = keys.map((word, j) => `${word} ${two(now.weights[j])}`);
        spoken.textContent = `Weights for ${queries[state.query]}: ${said.join(", ")}.`;
      }, 600);
    }

    /** The stage that is shown, in numbers. */
    function explain(now) {
      const { temperature: T, stage: at } = state;
      if (!now.effective) return "Nothing is allowed: no distribution over no words. Weights and context are 0.";
      const terms = (list, glue) => {
        const cut = list.length > 7 ? [...list.slice(0, 6), "…"] : list;
        return cut.join(glue);
      };
      const cold = T === 1 ? "" : `, divided by ${short(T)}`;
      if (at === 1) {
        const each = keys.map((word, j) => `${word} ${two(now.scaled[j])}`);
        return `How well does each ${words.key} fit ${queries[state.query]}? ${functions[state.shown].name}${cold}: ${terms(each, ", ")}.`;
      }
      if (at === 2) {
        const smallest = Math.min(...now.exps.filter((x) => x > 0));
        const ratio = now.exps.map((x) => short(x / smallest));
        const wide = Math.max(...now.exps) / smallest > 1e4;
        const stand = wide ? "" : `The exponentials stand as ${terms(ratio, " : ")}. `;
        return `${stand}Divided by their sum they are weights, as spread out as ${two(now.effective)} ${words.keys} sharing equally.`;
      }
      const best = now.context.reduce((a, c, n, all) => (Math.abs(c) > Math.abs(all[a]) ? n : a), 0);
      const list = keys.map((_, j) => `${two(now.weights[j])}·${short(values()[j][best])}`);
      const cut = (x) => +x.toFixed(2);
      const rounded = now.weights.reduce((sum, w, j) => sum + cut(w) * cut(values()[j][best]), 0);
      const equals = two(rounded) === two(now.context[best]) ? "=" : "≈";
      return `${features[best]} = ${terms(list, " + ")} ${equals} ${two(now.context[best])}`;
    }

    function reset() {
      Object.assign(state, start, { hidden: keys.map(() => false) });
      fresh();
      show();
    }

    if (data.hover) {
      query.words.forEach((label, i) =>
        label.addEventListener("pointerenter", (event) => {
          if (event.pointerType === "mouse") change({ query: i });
        }),
      );
    }
    figure.microscope = { state, data, reset, change };
    reset();
    figure.querySelector(".still").before(live);
    figure.classList.add("is-live");
  }

  function wakeAll() {
    document.querySelectorAll("figure.microscope").forEach(wake);
  }
  globalThis.attendMicroscope = { compute, wakeAll };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", wakeAll);
  else wakeAll();
})();
