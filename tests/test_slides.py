"""Slides of the main paths: whole, without another host, and the microscope alive."""

import pytest

from tests.test_downloads import RAW
from tools import downloads, slides
from tools.notebooks import ROOT, notebooks

CHAPTER = ROOT / "chapters" / "03_three_stages.ipynb"
WIDE = """slide => [...slide.querySelectorAll("pre, p, li, table, img, mjx-container")]
  .filter((e) => e.getClientRects().length && !e.closest(".notes, mjx-assistive-mml"))
  .filter((e) => {
    const [inside, whole] = [e.getBoundingClientRect(), slide.getBoundingClientRect()];
    return e.scrollWidth > e.clientWidth + 1 && e.tagName === "PRE"
      || inside.right > whole.right + 1 || inside.left < whole.left - 1;
  })
  .map((e) => e.textContent.slice(0, 80))"""
HIGH = "e => height(e) > HEIGHT + 1 && !e.classList.contains('scrolls')"
NEXT = """() => {
  if (Reveal.availableRoutes().down) Reveal.down();
  else Reveal.right();
}"""


@pytest.mark.parametrize("path", notebooks("chapters"), ids=lambda path: path.stem)
def test_slides_show_the_main_path_and_the_notes_its_text(path):
    notebook = slides.slides(path)
    cells = [cell for cell in notebook.cells if "slideshow" in cell.metadata]
    assert len(cells) == len(notebook.cells)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in cells]
    assert kinds[0] == "slide" and 5 < kinds.count("slide") < 25
    assert kinds.count("subslide") > 5 and kinds.count("notes") > 5
    words = "\n".join(cell.source for cell in cells)
    assert not RAW.search(words)
    assert "A closer look" not in words and "## You can now" in words
    assert "importlib" not in words and downloads.COVERED not in str(cells)
    answers = [
        place for place, cell in enumerate(cells) if cell.source[:9] == "**Answer:"
    ]
    assert answers, "each chapter asks for a prediction"
    for place in answers:
        assert kinds[place] in ("fragment", "subslide"), "beside its question"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    slides.write(folder, [CHAPTER])
    return folder


def test_every_slide_is_whole_and_its_microscope_alive(folder, tab):
    """Opened from a disk: nothing comes from another host."""
    requested = []
    tab.on("request", lambda r: requested.append(r.url))
    tab.goto((folder / f"{CHAPTER.stem}.html").as_uri(), wait_until="load")
    tab.wait_for_function("globalThis.MathJax?.startup?.promise && Reveal.isReady()")
    tab.evaluate("MathJax.startup.promise")
    count, live, wide, high, raw = 0, False, [], [], []
    while True:
        slide = tab.evaluate_handle("Reveal.getCurrentSlide()").as_element()
        count += 1
        wide += slide.evaluate(WIDE)
        if slide.evaluate(HIGH):
            high.append(slide.inner_text()[:80])
        raw += RAW.findall(slide.inner_text())
        if figure := slide.query_selector("figure.microscope.is-live"):
            before = figure.inner_text()
            figure.query_selector(".queries label:nth-of-type(2)").click()
            live |= figure.inner_text() != before
        if tab.evaluate("Reveal.isLastSlide()"):
            break
        tab.evaluate(NEXT)
    assert count > 25 and live
    assert not wide, "cut at a side"
    assert not high, "cut below"
    assert not raw
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requested)


def test_what_a_prediction_asks_for_comes_with_the_next_step(folder, tab):
    tab.goto((folder / f"{CHAPTER.stem}.html").as_uri(), wait_until="load")
    tab.wait_for_function("Reveal.isReady()")
    slide = tab.locator("section:not(.stack)", has_text="Predict:").first
    place = slide.evaluate("e => Object.values(Reveal.getIndices(e))")
    tab.evaluate("([h, v]) => Reveal.slide(h, v, -1)", place)
    answer = slide.locator(".fragment", has_text="Answer:")
    assert not answer.is_visible()
    for _ in range(slide.locator(".fragment").count()):
        if "visible" not in answer.get_attribute("class"):
            tab.keyboard.press("Space")
    answer.wait_for()  # until it is seen: it fades in


def test_the_index_leads_to_each_chapter(folder):
    index = (folder / "index.html").read_text("utf-8")
    assert f'<li value="3"><a href="{CHAPTER.stem}.html">3. Three stages' in index
