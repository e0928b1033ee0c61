"""The book in a real browser: whole, light, accessible, and every control worked."""

import functools
import gzip
import io
import os
import re
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from attend import attention
from attend.microscope import Microscope
from tests.conftest import tabs
from tools.figures import figures
from tools.notebooks import ROOT

KB = 1000
OWN, COLD = 500 * KB, 1500 * KB  # transferred by a page itself, and by a first visit
SHARED = ("_static/mathjax/", "_static/scripts/", "_static/vendor/")
SHIFT = 0.05
PATIENCE = 300  # s: longer than the busiest machine takes
BLINK = 1000  # ms until the largest element is painted, on a quarter of a processor
WATCH = """
globalThis.seen = {painted: 0, shift: 0};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.painted = entry.startTime;
}).observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) seen.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
THIN = """() => {  // one of every kind: thousands more look alike
  const thin = (all, kind) => {
    const seen = new Set();
    const again = (one, name) => seen.has(name) || !seen.add(name);
    [...document.querySelectorAll(all)].map((one) => [one, kind(one)])
      .filter((pair) => again(...pair)).forEach(([one]) => one.remove());
  };
  const colour = (one) => getComputedStyle(one).color;
  // words of the code, by their colours
  thin(".highlight span[class]:not(:has(*))",
    (word) => `${word.className} ${word.closest(".cell_output") ? "out" : "in"}`);
  // formulas, by what they stand in; titles of pages beside the text
  thin("mjx-container", (one) =>
    [one.getAttribute("display"), one.parentElement.localName, colour(one)].join());
  thin(".bd-links a", (link) =>
    [link.closest("li").className, !link.textContent.trim(), colour(link)].join());
}"""
SELECTORS = """(text) => {  // those of a style sheet that match, and all in the page
  const whole = new CSSStyleSheet();
  whole.replaceSync(text);
  const all = (rules) => [...rules].flatMap((rule) => [
    ...(rule.selectorText?.split(/,\\s*(?![^(]*\\))/) ?? []),
    ...all(rule.cssRules ?? []),
  ]);
  const state = /::?(before|after|hover|active|visited|focus[a-z-]*)\\b/g;
  const matches = (one) => {
    const plain = one.replace(state, "");
    return CSS.supports(`selector(${plain})`) && document.querySelector(plain);
  };
  const [own] = [...document.styleSheets].filter((s) => s.href);
  return [all(whole.cssRules).filter(matches), all(own.cssRules)];
}"""
CUT = """() => {  // formulas that scroll; rows of printed tables that go on below
  const cut = [...document.querySelectorAll(".bd-article mjx-container[display=true]")]
    .filter((formula) => formula.scrollWidth > formula.clientWidth)
    .map((formula) => ["formula", formula.closest("[id]").id]);
  for (const pre of document.querySelectorAll(".output.stream pre")) {
    const [rows, whole] = [pre.textContent.split("\\n"), pre.innerHTML];
    const height = (text) => ((pre.textContent = text), pre.offsetHeight);
    for (const row of rows.filter((row) => / {2}.*\\S {2}/.test(row)))
      if (height(row) > height("-")) cut.push(["row", row]);
    pre.innerHTML = whole;
  }
  return cut;
}"""
UNCOVER = """() => {  // what a click shows: reasons of a quiz, answers to predictions
  for (const d of document.querySelectorAll(".quiz details, .covered")) d.open = true;
}"""
AXE = """async (dark) => {
  if (dark) document.documentElement.dataset.theme = "dark";
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const only = dark ? ["color-contrast"] : tags;
  // without preload axe asks for no style sheet again, by addresses that are not there
  const options = {runOnly: only, resultTypes: ["violations"], preload: false};
  const found = await axe.run(document, options);
  const short = (node) => node.html.slice(0, 200);
  return found.violations.flatMap((v) => v.nodes.map((node) => [v.id, short(node)]));
}"""


@functools.cache
def transferred(path):
    """Return the bytes of a file as a server would send it: fonts as they are."""
    content = path.read_bytes()
    packed = path.suffix in {".woff", ".woff2", ".png"}
    return len(content) if packed else len(gzip.compress(content, 6))


def settled(tab):
    """Wait until pictures and fonts are there, formulas are set and all is painted."""
    tab.evaluate("""async () => {
      for (const image of document.images) image.loading = "eager";
      await Promise.all([...document.images].map((image) => image.decode()));
    }""")
    if tab.locator("script[data-mathjax]").count():
        tab.evaluate("formulas.all()")
    if tab.locator(".bd-article .math").count():
        assert tab.locator("mjx-container").count()
        assert not tab.locator(".bd-article .math:not(:has(mjx-container))").count()
    tab.evaluate("""async () => {
      const frame = () => new Promise(requestAnimationFrame);
      for (let n = 0; n < 2; n++) await frame();
      await document.fonts.ready;
      for (let n = 0; n < 2; n++) await frame();
    }""")


def until(condition):
    """Wait for what a busy browser does a little later."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def walk(site, book, pages, browser):
    """Load every page once, on a phone; look at it there, on a smaller one, and wide.

    Return {what: what was found}: no other host and no error, no sideways scrolling,
    little weight, no jump; nothing cut on the small phone; no violation by axe in the
    light, and in the dark theme none of its contrasts.
    """
    import axe_playwright_python

    axe = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf8")
    found = {name: set() for name in "strange failed wide heavy jumpy cut axe".split()}
    requested = []
    with tabs(browser) as open_tab:
        tab = open_tab()
        tab.add_init_script(WATCH)
        tab.on("request", lambda r: requested.append(r.url))
        tab.on("requestfailed", lambda r: found["failed"].add(r.url))
        for path, page in pages.items():
            if page.xpath("//meta[@http-equiv='Refresh']"):  # index.html leads on
                continue
            name = path.relative_to(book).as_posix()
            tab.set_viewport_size({"width": 390, "height": 800})
            tab.emulate_media(reduced_motion="no-preference")
            requested.clear()
            tab.goto(f"{site}/{name}", wait_until="load")
            settled(tab)
            if (shift := tab.evaluate("seen.shift")) > SHIFT:
                found["jumpy"].add((name, shift))
            tab.evaluate(UNCOVER)
            width = tab.evaluate("document.documentElement.scrollWidth")
            if width > 390:
                found["wide"].add((name, width))
            own, cold, strange = weight({*requested}, site, book)
            found["strange"] |= strange
            if own > OWN or cold > COLD:
                found["heavy"].add((name, own, cold))
            tab.set_viewport_size({"width": 360, "height": 800})
            found["cut"] |= {(name, *what) for what in tab.evaluate(CUT)}
            tab.set_viewport_size({"width": 1280, "height": 900})
            tab.emulate_media(reduced_motion="reduce")  # no colour is on its way
            tab.add_style_tag(content="* { transition: none !important; }")
            tab.evaluate(THIN)
            tab.evaluate(axe)
            for dark in (False, True):
                said = tab.evaluate(AXE, dark)
                found["axe"] |= {(name, dark, *one) for one in said}
    return found


def weight(urls, site, book):
    """Return a page's own bytes, those of a first visit, and what is not from here."""
    own = cold = 0
    strange = set()
    for url in {url.split("?")[0].split("#")[0] for url in urls}:
        if url.startswith(("data:", "blob:")):
            continue
        if not url.startswith(site):
            strange.add(url)
            continue
        size = transferred(book / url.removeprefix(f"{site}/"))
        cold += size
        own += size * (not any(part in url for part in SHARED))
    return own, cold, strange


def test_every_page_is_whole_light_and_steady(walk):
    assert not walk["strange"], "loaded from another host"
    assert not walk["failed"]
    assert not walk["wide"], "a phone would have to scroll sideways"
    assert not walk["heavy"], f"more than {OWN} bytes by itself, or {COLD} in all"
    assert not walk["jumpy"], f"what is read moves while it is read: {SHIFT} or more"


def test_a_small_phone_shows_every_formula_and_every_printed_row_whole(walk):
    assert not walk["cut"]


def test_no_page_has_a_violation_of_wcag_2_2_aa(walk):
    assert not walk["axe"]


@pytest.mark.parametrize(
    "name",
    ["book/intro", "chapters/05_scoring_functions", "search?q=softmax", "genindex"],
)
def test_no_style_or_icon_that_a_page_uses_was_taken_out(site, book, tab, name):
    """Against the theme as it was installed: states of an element are not needed."""
    import pydata_sphinx_theme
    from fontTools.ttLib import TTFont

    installed = Path(pydata_sphinx_theme.__file__).parent / "theme"
    (whole,) = installed.rglob("pydata-sphinx-theme.css")
    name, _, query = name.partition("?")
    tab.goto(f"{site}/{name}.html?{query}", wait_until="load")
    if query:  # the pages that are found offer to hide the matches
        tab.locator("#search-results a", has_text="Three stages").first.click()
        tab.locator(".highlight-link a").wait_for()
    used, kept = tab.evaluate(SELECTORS, whole.read_text("utf-8"))
    assert len(used) > 100
    assert not set(used) - set(kept)
    (font,) = book.rglob("fa-solid-900.woff2")
    signs = tab.evaluate("""() => [
      ...document.querySelectorAll("i.fa-solid, .highlight-link a")].map(
      (icon) => getComputedStyle(icon, "::before").content.replaceAll('"', ""))""")
    assert {ord(sign) for sign in signs} <= set(TTFont(font).getBestCmap())
    assert len(set(signs)) > 3


@pytest.mark.skipif("SPEED" not in os.environ, reason="a clock needs rest: make speed")
@pytest.mark.parametrize("name", ["book/intro.html", "chapters/03_three_stages.html"])
def test_the_largest_element_is_painted_at_once(site, browser, name):
    """Cold, with a quarter of a processor. A busy machine may try again, ten times."""
    times = []
    for _ in range(10):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        tab = context.new_page()
        tab.add_init_script(WATCH)
        session = context.new_cdp_session(tab)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        tab.goto(f"{site}/{name}", wait_until="load")
        tab.wait_for_timeout(500)
        times.append(tab.evaluate("seen.painted"))
        context.close()
        if 0 < times[-1] < BLINK:
            return
    pytest.fail(f"painted after {sorted(map(round, times))} ms at best")


def test_a_formula_is_set_when_it_is_seen_and_all_once_the_reader_moves(site, new_tab):
    """The script that sets them is fetched no earlier: a page can be read at once."""
    tab, fetched = new_tab(viewport={"width": 412, "height": 823}), []
    tab.on("request", lambda r: fetched.append(r.url.rsplit("/")[-1]))
    page = f"{site}/exercises/05_scoring_functions/05_scoring_functions.html"
    tab.goto(page, wait_until="networkidle")
    unset = tab.locator(".bd-article .math:not(:has(mjx-container))")
    count = unset.count()
    assert count > 5 and "tex-chtml.js" not in fetched
    unset.first.evaluate("e => e.scrollIntoView({block: 'end', behavior: 'instant'})")
    until(lambda: not unset.count())
    assert tab.locator(".bd-article .math mjx-container").count() == count

    tab.goto(page, wait_until="load")
    tab.keyboard.press("Shift")
    until(lambda: not unset.count())
    assert tab.evaluate("scrollY") == 0


# ---------------------------------------------------------------- narrow and wide
def test_code_of_88_columns_fits_folded_or_not(site, tab):
    tab.goto(f"{site}/chapters/05_scoring_functions.html", wait_until="load")
    tab.evaluate(
        "document.querySelectorAll('details.hide').forEach((d) => d.open = true)"
    )
    cut = """all => all.filter((e) => e.scrollWidth > e.clientWidth)
      .map((e) => e.textContent)"""
    for width in (1000, 1200, 1250, 1280, 1440):  # two sidebars from 1200 on
        tab.set_viewport_size({"width": width, "height": 900})
        assert not tab.locator(".cell_input pre").evaluate_all(cut), width


def test_no_heading_ends_with_an_empty_line(site, tab):
    """The sign of its link, not seen yet, once wrapped below the longest title."""
    tab.goto(f"{site}/chapters/02_queries_keys_values.html", wait_until="load")
    for width in range(1280, 1000, -20):
        tab.set_viewport_size({"width": width, "height": 900})
        title, words = tab.locator(".bd-article h1").evaluate("""heading => {
          const words = document.createRange();
          words.setStart(heading, 0);
          words.setEndBefore(heading.querySelector(".headerlink"));
          return [heading, words].map((e) => e.getBoundingClientRect().height);
        }""")
        assert title < words + 20, width


def test_a_margin_note_is_never_cut(site, tab):
    """A window with little room has no margin; there it stands in the text."""
    tab.goto(f"{site}/chapters/01_what_attention_is.html", wait_until="load")
    for width in (800, 1000, 1200, 1299, 1300):
        tab.set_viewport_size({"width": width, "height": 900})
        note = tab.locator(".bd-article aside.margin").first.bounding_box()
        assert note["x"] + note["width"] <= width, width


def test_on_a_phone_the_edge_is_faint_beyond_which_a_figure_goes_on(site, new_tab):
    tab = new_tab(viewport={"width": 390, "height": 800})
    tab.goto(f"{site}/chapters/06_masks_and_batches.html", wait_until="load")
    settled(tab)
    figure = tab.locator(".pan").first
    edges = """e => ["left", "right"].map(
      (side) => getComputedStyle(e).getPropertyValue(`--beyond-${side}`))"""
    assert figure.evaluate(edges) == ["0px", "40px"]
    figure.evaluate("e => e.scrollLeft = e.scrollWidth")
    until(lambda: figure.evaluate(edges) == ["40px", "0px"])
    assert tab.locator(".cell_output pre").first.evaluate(edges) == ["0px", "0px"]


# ---------------------------------------------------------------- light, dark, paper
def test_a_figure_follows_the_theme_and_a_heat_map_keeps_its_colours(site, tab):
    def colours(figure):
        tab.locator(f"img[alt^='{figure}']").scroll_into_view_if_needed()
        settled(tab)
        shot = tab.locator(f"img[alt^='{figure}']").screenshot()
        picture = matplotlib.image.imread(io.BytesIO(shot))[..., :3]
        seen = {tuple(colour) for colour in np.rint(picture.reshape(-1, 3) * 255)}
        return picture[2, 2] * 255, seen

    drawn = dict(figures(ROOT / "chapters" / "03_three_stages.ipynb"))
    svg = drawn["03_three_stages-stages"]
    cell = re.search(r'"QuadMesh_1".*?fill: (#\w{6})', svg, re.DOTALL)[1]
    cell = tuple(int(cell[n : n + 2], 16) for n in (1, 3, 5))
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    for theme, ground in (("light", (255, 255, 255)), ("dark", (18, 18, 18))):
        tab.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        for figure in ("Six arrows", "Three heat maps"):
            corner, seen = colours(figure)
            np.testing.assert_allclose(corner, ground, atol=1, err_msg=figure)
            assert (cell in seen) == (figure == "Three heat maps"), theme
            contrast = [sum(ground) - sum(colour) for colour in seen]
            assert max(map(abs, contrast)) > 300, "nothing stands out from the ground"


def test_paper_is_light_and_unfolded(site, tab):
    tab.goto(f"{site}/chapters/05_scoring_functions.html", wait_until="load")
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    state = """() => [document.documentElement.dataset.theme,
      document.querySelectorAll(":is(.hide, .covered):not([open])").length]"""
    before = tab.evaluate(state)
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(state) == ["light", 0]
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(state) == before
    assert before[1] > 0


# ---------------------------------------------------------------- the microscope
def settings(rng):
    """Return random settings of one query, and what NumPy makes of them."""
    S, Ev = rng.integers(1, 9), rng.integers(1, 5)
    scores, values = rng.normal(0, 10, S), rng.normal(0, 5, (S, Ev))
    temperature = 2.0 ** rng.uniform(-4, 7)
    allowed = rng.random(S) < 0.7
    if allowed.any():
        masked = attention.mask(scores[None] / temperature, allowed)
        weights = attention.softmax(masked)[0]
        effective = 2 ** attention.entropy(weights)
    else:
        weights, effective = np.zeros(S), 0
    given = {
        "scores": scores.tolist(),
        "values": values.tolist(),
        "temperature": temperature,
        "allowed": allowed.tolist(),
    }
    return given, (weights, weights @ values, effective)


def test_the_microscope_computes_what_numpy_computes(site, tab):
    rng = np.random.default_rng(6)
    given, expected = zip(*(settings(rng) for _ in range(500)), strict=True)
    assert any(not any(one["allowed"]) for one in given)
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    found = tab.evaluate("all => all.map(attendMicroscope.compute)", list(given))
    for result, (weights, context, effective) in zip(found, expected, strict=True):
        np.testing.assert_allclose(result["weights"], weights, atol=1e-6)
        np.testing.assert_allclose(result["context"], context, atol=1e-6)
        np.testing.assert_allclose(result["effective"], effective, atol=1e-6)


def check(figure):
    """Compare what a figure shows with what NumPy makes of its state."""
    state, data, result = figure.evaluate(
        "f => [f.microscope.state, f.microscope.data, f.microscope.result]"
    )
    allowed = ~np.array(state["hidden"])
    preset = data["masks"][state["mask"]].get("allowed")
    if preset:
        allowed &= np.array(preset[state["query"]])
    shown = data["functions"][state["shown"]]
    values = np.array(shown.get("values", data["values"]))
    weights = np.zeros(len(values))
    if allowed.any():
        scaled = np.array([state["scores"]]) / state["temperature"]
        weights = attention.softmax(attention.mask(scaled, allowed))[0]
    np.testing.assert_allclose(result["weights"], weights, atol=1e-6)
    np.testing.assert_allclose(result["context"], weights @ values, atol=1e-6)
    written = figure.locator(".words tbody .weight .number").all_inner_texts()
    assert written == [f"{weight:.2f}" for weight in weights]
    return state


def test_every_control_of_every_microscope_works(site, book, pages, tab):
    figures = 0
    for path, page in pages.items():
        if not page.xpath("//figure[contains(@class, 'microscope')]"):
            continue
        tab.goto(f"{site}/{path.relative_to(book).as_posix()}", wait_until="load")
        settled(tab)  # what still moves cannot be aimed at
        for figure in tab.locator("figure.microscope").all():
            work(tab, figure)
            figures += 1
    assert figures >= 3


def work(tab, figure):
    first = check(figure)
    assert not figure.locator(".still").is_visible()
    queries = figure.locator(".queries label")
    for place in range(queries.count()):
        queries.nth(place).click()
        assert check(figure)["query"] == place
    queries.first.click()
    tab.keyboard.press("ArrowRight")
    assert check(figure)["query"] == 1
    for place, select in enumerate(figure.locator("select").all()):
        for option in range(select.locator("option").count()):
            select.select_option(index=option)
            state = check(figure)
            assert option in (state["shown"], state["mask"]), place
        select.select_option(index=0)
    if figure.locator("select").count():
        figure.locator(".again").click()
        queries.nth(1).click()

    slider = figure.locator(".score input").first
    before = check(figure)["scores"][0]
    slider.focus()
    tab.keyboard.press("ArrowUp")
    until(lambda: check(figure)["scores"][0] > before)
    slider.scroll_into_view_if_needed()
    place = slider.bounding_box()
    middle = place["y"] + place["height"] / 2
    before = check(figure)["scores"][0]
    tab.mouse.click(place["x"] + 0.2 * place["width"], middle)
    until(lambda: check(figure)["scores"][0] != before)
    low = check(figure)["scores"][0]
    tab.mouse.down()
    tab.mouse.move(place["x"] + 0.9 * place["width"], middle, steps=4)
    tab.mouse.up()
    until(lambda: check(figure)["scores"][0] > low)

    dial = figure.locator(".dial input").last
    dial.focus()
    tab.keyboard.press("Home")
    until(lambda: check(figure)["temperature"] == 2**-4)
    tab.keyboard.press("End")
    until(lambda: check(figure)["temperature"] == 2**7)

    for tick in figure.locator(".words input[type=checkbox]").all():
        tick.focus()
        tab.keyboard.press("Space")
        check(figure)
    assert "Nothing is allowed" in figure.locator(".explained").inner_text()

    figure.locator(".again").click()
    assert check(figure) == first
    context = figure.locator(".context .number").first
    explained = set()
    stages = figure.locator(".choice").last.locator("label")
    for stage, shown in enumerate((False, False, True)):
        stages.nth(stage).click()
        assert context.is_visible() == shown
        explained.add(figure.locator(".explained").inner_text())
    assert len(explained) == 3


def test_the_microscope_obeys_a_finger(site, new_tab):
    phone = {"viewport": {"width": 390, "height": 800}, "is_mobile": True}
    tab = new_tab(**phone, has_touch=True)
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    settled(tab)
    figure = tab.locator("figure.microscope").first
    figure.locator(".queries label").nth(2).tap()
    assert check(figure)["query"] == 2
    slider = figure.locator(".score input").nth(1)
    slider.scroll_into_view_if_needed()
    size = slider.bounding_box()
    slider.tap(position={"x": 0.9 * size["width"], "y": size["height"] / 2})
    until(lambda: check(figure)["scores"][1] > 0.5)
    for small in figure.locator("input, button, select, .choice label").all():
        box = small.bounding_box()
        hidden = small.evaluate("e => e.type === 'radio'")  # its label is the target
        ticks = small.evaluate("e => e.type === 'checkbox'")  # as is its row's label
        assert hidden or ticks or min(box["width"], box["height"]) >= 24


def test_motion_is_reduced_when_asked(site, new_tab):
    tab = new_tab(reduced_motion="reduce")
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    bar = tab.locator(".microscope .weight .bar").first
    assert bar.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"


def test_on_paper_and_without_a_script_there_is_a_picture_and_a_table(
    site, tab, new_tab
):
    tab.emulate_media(media="print")
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    figure = tab.locator("figure.microscope").first
    assert figure.locator(".still svg").is_visible()
    assert figure.locator(".still table").is_visible()
    assert not figure.locator(".live").is_visible()
    after = "e => getComputedStyle(e, '::after').content"  # nothing to do, but to see
    assert "live" in figure.locator("figcaption").evaluate(after)
    tab.emulate_media(media="screen")
    assert figure.locator("figcaption").evaluate(after) == "none"

    plain = new_tab(java_script_enabled=False)
    plain.goto(f"{site}/chapters/03_three_stages.html")
    figure = plain.locator("figure.microscope").first
    assert figure.locator(".still svg").is_visible()
    numbers = figure.locator(".still tbody td").all_inner_texts()
    assert numbers[:6] == ["0.60", "0.20", "0.20", "2.40", "0.80", "2.00"]
    for folded in (".quiz details", "details.covered"):
        one = plain.locator(folded).first
        assert not one.locator("p").last.is_visible()
        one.locator("summary").click()
        assert one.locator("p").last.is_visible()


def test_the_figure_that_jupyterlab_shows_brings_its_own_script(tab):
    figure = Microscope(
        ["q"] * 2, ["a", "</script>"], ["x"], [[1], [-3]], {"dot": np.eye(2)}
    )
    tab.set_content(figure._repr_html_())
    shown = tab.locator("figure.microscope.is-live")
    assert check(shown)["query"] == 0
    assert "</script>" in shown.inner_text()
    controls = "input, select, button"  # whose arrow keys JupyterLab must not take
    kept = shown.locator(f":is({controls})[data-lm-suppress-shortcuts=true]")
    assert kept.count() == shown.locator(controls).count() > 0
    tab.set_content(figure._repr_html_() * 2)  # a second cell brings it again
    assert tab.locator("figure.microscope.is-live .live").count() == 2


# ---------------------------------------------------------------- the other helpers
def test_the_book_lives_when_opened_from_a_disk(book, tab):
    tab.goto((book / "chapters" / "03_three_stages.html").as_uri())
    settled(tab)
    check(tab.locator("figure.microscope.is-live").first)
    assert tab.evaluate("Object.keys(glossary).length") > 30


def test_check_yourself_judges_the_first_choice(site, tab):
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    quiz = tab.locator(".quiz")
    questions = quiz.locator(".question").all()
    for question in questions:
        option = question.locator("details[data-right=True]").first
        option.locator("summary").focus()
        tab.keyboard.press("Enter")
        assert option.locator("p").last.inner_text().startswith("Right.")
    quiz.get_by_text("right at the first try.").wait_for()
    result = quiz.locator(".result")
    assert (
        result.inner_text()
        == f"{len(questions)} of {len(questions)} right at the first try."
    )
    quiz.get_by_role("button").click()
    assert quiz.locator("details[open]").count() == 0
    wrong = questions[0].locator("details[data-right=False]").first
    wrong.locator("summary").click()
    questions[0].locator("details[data-right=True] summary").click()
    quiz.get_by_text("0 of 1 right").wait_for()
    orders = set()
    for _ in range(6):
        tab.reload(wait_until="load")
        orders.add("|".join(quiz.locator("summary").all_inner_texts()))
    assert len(orders) > 1, "the options always stand in one order"


def test_a_term_shows_its_entry(site, tab):
    tab.goto(f"{site}/chapters/01_what_attention_is.html", wait_until="load")
    settled(tab)
    link = tab.locator(".bd-article a[href*='#term-entropy']").first
    preview = tab.locator("#glossary-preview")
    link.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    settled(tab)  # scrolling puts a preview away
    link.hover()
    preview.wait_for(state="visible")
    assert "熵" in preview.inner_text()
    preview.hover()  # one may go and read in it
    tab.wait_for_timeout(400)
    assert preview.is_visible()
    tab.keyboard.press("Escape")
    assert not preview.is_visible()
    link.focus()
    assert preview.is_visible()
    assert link.get_attribute("aria-describedby") == "glossary-preview"


@pytest.mark.parametrize(
    "words, page",
    [
        ("softmax", "03_three_stages"),
        ("注意力", "glossary"),
        ("注意力", "01_what_attention_is"),
        ("bottleneck", "chapters/11_encoder_decoder"),
        ("上下文向量", "glossary"),
        ("Nadaraya", "01_what_attention_is"),
    ],
)
def test_search_finds_english_and_chinese(site, tab, words, page):
    tab.goto(f"{site}/search.html?q={words}", wait_until="load")
    tab.wait_for_selector(f"#search-results li a[href*='{page}']")


def test_search_shows_chapters_first_and_solutions_last(site, tab):
    tab.goto(f"{site}/search.html?q=softmax", wait_until="load")
    tab.get_by_text("Search finished").wait_for()
    links = tab.locator("#search-results li > a").evaluate_all(
        "all => all.map((a) => a.getAttribute('href').split('/')[0])"
    )
    beside = ["exercises", "solutions"]
    ranks = [beside.index(kind) if kind in beside else -1 for kind in links]
    assert set(ranks) == {-1, 0, 1} and ranks == sorted(ranks)


def test_what_is_found_is_shown_without_tex(site, tab):
    excerpts = []
    for words in ("softmax", "temperature", "gradient", "loss"):
        tab.goto(f"{site}/search.html?q={words}", wait_until="load")
        tab.get_by_text("Search finished").wait_for()
        tab.wait_for_load_state("networkidle")
        excerpts += tab.locator("#search-results .context").all_inner_texts()
    text = "\n".join(excerpts)
    assert len(excerpts) > 20
    assert "√E" in text and "⊤" in text
    assert not re.search(r"\\[(\[]|\\frac|aligned", text)


def test_the_magnifying_glass_lies_on_no_letter(site, tab):
    tab.goto(f"{site}/search.html?q=softmax", wait_until="load")
    field = tab.locator(".bd-article-container form.bd-search")
    glass = field.locator("i").bounding_box()
    typed = field.locator("input").evaluate("""e => e.getBoundingClientRect().left
      + parseFloat(getComputedStyle(e).paddingLeft)""")
    assert glass["x"] + glass["width"] <= typed


def test_words_in_a_cells_output_follow_the_theme(site, new_tab):
    tab = new_tab(color_scheme="dark")
    tab.goto(f"{site}/chapters/11_encoder_decoder.html", wait_until="load")
    look = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    ground, ink = tab.locator(".cell_output .text_html").first.evaluate(look)
    assert ground == "rgba(0, 0, 0, 0)"
    assert ink == tab.locator(".bd-article").evaluate(look)[1]


def test_comforts_of_a_chapter(site, tab):
    tab.goto(f"{site}/chapters/02_queries_keys_values.html", wait_until="load")
    assert "minutes to read" in tab.locator(".reading-time").first.inner_text()
    assert tab.locator("button.copybtn").count() > 5
    assert tab.locator("a[href$='02_queries_keys_values.ipynb']").count()
    near = tab.locator(".prev-next-footer")
    assert "1. What attention is" in near.inner_text()
    assert "3. Three stages" in near.inner_text()


def test_a_heat_map_stands_there_as_a_table(site, tab):
    tab.goto(f"{site}/chapters/03_three_stages.html", wait_until="load")
    folded = tab.locator("details.numbers").first
    folded.locator("summary").click()
    tables = folded.locator("table")
    assert tables.count() == 1
    assert tables.first.locator("td").all_inner_texts()[-9:] == (
        "0.60 0.20 0.20 0.20 0.70 0.10 0.30 0.20 0.50".split()
    )
