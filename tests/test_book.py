"""The built book: no warning, nothing from another host, every link leads somewhere."""

import re
from urllib.parse import unquote, urldefrag

import numpy as np
from fontTools.ttLib import TTFont
from matplotlib import pyplot as plt

from attend import plot
from tools.notebooks import ROOT, notebooks
from tools.picture import PICTURE, picture

LOADS = {  # what a browser fetches by itself, not what a reader clicks on
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "embed": "src",
}
NOT_FETCHED = {"next", "prev", "search", "index", "canonical", "author", "copyright"}


def test_every_notebook_is_a_page(book):
    for path in notebooks("book", "chapters", "exercises", "solutions"):
        page = book / path.relative_to(ROOT).with_suffix(".html")
        assert page.exists(), f"{path.name} is missing in _toc.yml"


def test_nothing_is_loaded_from_another_host(pages):
    loaded = {
        (path.name, element.get(attribute))
        for path, page in pages.items()
        for tag, attribute in LOADS.items()
        for element in page.iter(tag)
        if element.get("rel") not in NOT_FETCHED
    }
    strange = {
        (page, url) for page, url in loaded if re.match(r"(https?:)?//", url or "")
    }
    assert not strange
    assert any("mathjax" in (url or "") for _, url in loaded)


def test_every_link_inside_the_book_leads_somewhere(pages):
    targets = {
        path.resolve(): {*page.xpath("//@id"), *page.xpath("//a/@name"), ""}
        for path, page in pages.items()
    }
    dead = set()
    for path, page in pages.items():
        for link in page.xpath("//a/@href | //img/@src | //link/@href | //script/@src"):
            url, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:|//", url):
                continue
            target = (
                (path.parent / url.split("?")[0]).resolve() if url else path.resolve()
            )
            known = anchor in targets[target] if target in targets else target.is_file()
            if not known:
                dead.add((path.name, link))
    assert not dead


def test_every_picture_has_an_alt_text(pages):
    for path, page in pages.items():
        for image in page.xpath("//article//img"):
            assert len((image.get("alt") or "").split()) >= 4, (path, image.get("src"))


def test_every_chapter_links_to_its_exercises(pages, book):
    for chapter in notebooks("chapters"):
        page = pages[book / "chapters" / f"{chapter.stem}.html"]
        exercises = f"../exercises/{chapter.stem}/{chapter.stem}.html"
        assert exercises in page.xpath("//article//a/@href"), chapter.name


def test_the_answer_to_a_prediction_is_covered_with_its_output(pages, book):
    for chapter in notebooks("chapters"):
        page = pages[book / "chapters" / f"{chapter.stem}.html"]
        for answer in page.xpath("//article//p[starts-with(., 'Answer:')]"):
            cover = answer.getparent()
            if answer.xpath("ancestor::section[@id='a-closer-look']"):
                continue
            text = answer.text_content()[:60]
            assert cover.get("class") == "covered", f"{chapter.stem}: {text}"
            outputs = cover.getparent().xpath("./div[contains(@class, 'cell_output')]")
            assert not [o for o in outputs if not o.xpath(".//figure")], text


def test_no_formula_is_left_raw_and_no_reference_broken(pages):
    for path, page in pages.items():
        for element in page.xpath("//article//p | //article//li"):
            prose = "".join(
                element.xpath(".//text()[not(ancestor::code or ancestor::span)]")
            )
            assert not re.search(r"\{\w+\}`|\$[^$]+\$|\[\?\?\]", prose), (path, prose)


def test_chinese_words_need_no_font_of_the_reader(book, pages):
    """The book's own font has their signs, and is fetched before it is asked for."""
    known = set(TTFont(book / "_static" / "chinese.woff2").getBestCmap())
    for path, page in pages.items():
        signs = set(re.findall(r"[\u2e80-\u9fff\uff00-\uffef]", page.text_content()))
        assert {ord(sign) for sign in signs} <= known, path
        if signs:
            assert page.xpath("//head/script[contains(., 'chinese.woff2')]"), path


def test_formulas_cost_nothing_where_there_are_none(pages):
    for path, page in pages.items():
        formulas = page.xpath("//article//*[contains(@class, 'math notranslate')]")
        terms = page.xpath("//article//a[contains(@href, '#term-')]")  # previews
        formulas += [term for term in terms if path.name != "genindex.html"]
        loaded = page.xpath("//head/link[@rel='preload'][contains(@href, 'mathjax')]")
        assert bool(loaded) == bool(formulas), path


def test_no_line_begins_with_the_full_stop_after_a_formula(pages):
    for path, page in pages.items():
        for formula in page.xpath("//article//span[contains(@class, 'math')]"):
            if re.match(r"[.,;:!?)’”…]", formula.tail or ""):
                assert "whole" in formula.getparent().classes, (path, formula.text)


def test_one_bar_opens_folded_cells_that_stand_together(pages):
    folded = "div[contains(@class, 'tag_hide-input')]"
    silent = f"{folded}[not(.//div[contains(@class, 'cell_output')])]"
    pair = f"//{silent}/following-sibling::*[1][self::{folded}]"
    assert not [path for path, page in pages.items() if page.xpath(pair)]


def test_a_caption_says_what_is_seen(pages):
    """What to do, the text says: the same figure stands on paper."""
    captions = [
        caption.text_content()
        for page in pages.values()
        for caption in page.xpath("//figure[contains(@class, 'microscope')]/figcaption")
    ]
    assert len(captions) > 3
    for caption in captions:
        assert not re.search(r"(?i)\b(drag|touch|click|choose|move|pull)\b", caption)


def test_a_slanted_word_begins_over_its_column():
    words = "many words that are rather long must stand slanted over its cells".split()
    _, narrow = plt.subplots(figsize=(4, 3))
    ax = plot.heatmap(np.eye(len(words)), words, words, narrow, numbers=False)
    ax.figure.canvas.draw()
    for column, label in enumerate(ax.get_xticklabels()):
        box = label.get_window_extent()
        left, right = ax.transData.transform([(column, 0), (column + 1, 0)])[:, 0]
        assert left < box.x0 < right, label.get_text()
    plt.close(ax.figure)


def test_readme_and_index_show_chapter_3s_figure():
    shown = PICTURE.read_text(encoding="utf-8")
    assert shown == picture(), "run: python -m tools.picture"
