"""The built book: no warning, nothing from another host, every link leads somewhere."""

import gzip
import os
import re
import subprocess
from urllib.parse import unquote, urldefrag

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import pyplot as plt

from attend import plot
from tools.notebooks import ROOT, notebooks, read
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
AHEAD = {"prev": "left-prev", "next": "right-next"}  # the links' classes
NOT_FETCHED = {"next", "prev", "search", "index", "canonical", "author", "copyright"}


def test_every_notebook_is_a_page(book):
    for path in notebooks("book", "chapters", "exercises", "solutions"):
        page = book / path.relative_to(ROOT).with_suffix(".html")
        assert page.exists(), f"{path.name} is missing in _toc.yml"


def test_no_paragraph_stands_in_a_summary(pages):
    for path, page in pages.items():
        assert not page.xpath("//summary//p"), path.name


def test_the_nu_html_checker_finds_no_error(pages):
    """Wants Java, and VNU=…/vnu.jar in the environment (npm install vnu-jar)."""
    if not (jar := os.environ.get("VNU")):
        pytest.skip("VNU names no vnu.jar")
    call = ["java", "-Xss32m", "-jar", jar, "--errors-only", "--stdout", *pages]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


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
    assert any("formulas.js" in (url or "") for _, url in loaded)


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


def test_next_leads_from_chapter_to_chapter_and_past_exercises(pages, book):
    def link(path, name):
        found = pages[path].xpath(f"//head/link[@rel='{name}']/@href")
        shown = pages[path].xpath(f"//a[contains(@class, '{AHEAD[name]}')]/@href")
        assert found == shown, path
        return (path.parent / found[0]).resolve() if found else None

    walked, path = [], (book / "book" / "intro.html").resolve()
    while path:
        walked.append(path)
        if after := link(path, "next"):
            assert link(after, "prev") == path
        path = link(path, "next")
    chapters = [book / "chapters" / f"{p.stem}.html" for p in notebooks("chapters")]
    assert [path for path in walked if path.parent.name == "chapters"] == chapters
    assert not {"exercises", "solutions"} & {path.parts[-3] for path in walked}
    for chapter in chapters:
        for kind in ("exercises", "solutions"):
            beside = book / kind / chapter.stem / chapter.name
            assert link(beside, "prev") == chapter
            assert link(beside, "next") == link(chapter, "next")


def test_chapter_exercises_and_solutions_lead_to_each_other(pages, book):
    for path in notebooks("chapters"):
        places = [book / "chapters" / f"{path.stem}.html"]
        for kind in ("exercises", "solutions"):
            places.append(book / kind / path.stem / f"{path.stem}.html")
        for here in places:
            links = pages[here].xpath("(//article//p[@class='ways'])[1]/a/@href")
            found = {(here.parent / link).resolve() for link in links}
            assert found == {place for place in places if place != here}, here
        for one, other in (places[1:], places[:0:-1]):
            for task in pages[one].xpath("//section[starts-with(@id, 'exercise-')]"):
                (link,) = task.xpath("./p[@class='ways']/a/@href")
                url, anchor = urldefrag(link)
                assert (one.parent / url).resolve() == other
                assert anchor == task.get("id")


def test_every_chapter_links_to_the_glossary_and_lists_its_terms(pages, book):
    entries = pages[book / "book" / "glossary.html"].xpath("//dl/dt/following::dd[1]")
    assert len(entries) > 60
    for chapter in notebooks("chapters"):
        page = pages[book / "chapters" / f"{chapter.stem}.html"]
        links = page.xpath("//p[not(@class='terms')]//a[contains(@href, '#term-')]")
        assert links, f"{chapter.stem} explains no word by the glossary"
        first = (e.xpath(".//a[contains(@href, '/chapters/')]/@href") for e in entries)
        here = [one for one in first if one and f"/{chapter.stem}.html" in one[0]]
        listed = page.xpath("//section[@id='you-can-now']/p[@class='terms']/a")
        closer = page.xpath("//section[@id='a-closer-look']//p[@class='terms']/a")
        assert len(listed) + len(closer) == len(here), chapter.stem
    first = pages[book / "chapters" / "01_what_attention_is.html"]
    terms, closer = (p.text_content() for p in first.xpath("//p[@class='terms']"))
    assert "attention 注意力" in terms and "entropy" in closer


def test_the_guide_plans_with_the_minutes_that_the_pages_print(pages, book):
    guide = (ROOT / "book" / "instructor_guide.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|", guide, re.M)
    assert [int(row[0]) for row in rows] == list(range(1, 1 + len(rows)))
    for chapter, (_, path_time, closer, hours) in zip(
        notebooks("chapters"), rows, strict=True
    ):
        page = pages[book / "chapters" / f"{chapter.stem}.html"]
        (printed,) = page.xpath("//p[@class='reading-time']")
        minutes = int(re.match(r"(\d+) minutes to read$", printed.text_content())[1])
        assert int(path_time) == pytest.approx(minutes, rel=0.25), chapter.stem
        assert abs(float(hours) - 2 * minutes / 60) < 0.6, chapter.stem
        parts = page.xpath("//section[@id='a-closer-look']//h3") or [None]
        assert int(closer) == len(parts), chapter.stem


def test_what_differs_by_machine_says_so_and_what_is_tested(pages, book):
    marks = 0
    for path in notebooks("book", "chapters", "solutions"):
        page = pages[book / path.relative_to(ROOT).with_suffix(".html")]
        cells = [c for c in read(path).cells if "outputs" in c and c.outputs]
        tags = [cell.metadata.get("tags", []) for cell in cells]
        shown = page.xpath("//article//div[contains(@class, 'cell_output')]")
        marked = ["varies" in [e.get("class") for e in output] for output in shown]
        assert marked == ["nbval-ignore-output" in one for one in tags], path.stem
        marks += sum(marked)
    assert marks > 60


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
        loaded = page.xpath("//head/script[contains(@data-mathjax, 'mathjax')]")
        assert not page.xpath("//head/*[contains(@src | @href, 'mathjax')]"), path
        assert bool(loaded) == bool(formulas), path


def test_no_word_of_the_base_colour_has_a_span(pages):
    """They were six of ten elements of a page, and a third of its weight."""
    assert any(page.xpath("//pre/span[@class='k']") for page in pages.values())
    for path, page in pages.items():
        assert not page.xpath("//pre/span[@class='n' or @class='p']"), path


def test_before_the_first_words_comes_one_style_sheet_and_no_script(book, pages):
    """What Lighthouse calls render-blocking, on a phone some hundred ms apiece."""
    for path, page in pages.items():
        if page.xpath("//meta[@http-equiv='Refresh']"):  # index.html leads on
            continue
        (style,) = page.xpath("//link[@rel='stylesheet']/@href")
        sheet = (path.parent / style.split("?")[0]).resolve()
        assert sheet == book / "_static" / "styles" / "all.css"
        scripts = page.xpath("//head/script[@src][not(@defer)]/@src")
        assert not scripts or path.name == "search.html", (path.name, scripts)
        live = page.xpath("//script[contains(@src, 'microscope.js')]")
        figures = page.xpath("//figure[@class='microscope']")
        assert [script.getnext() for script in live] == figures[:1], path.name
    content = sheet.read_text("utf-8")
    for name in ("pygments.css", "book.css"):  # one is written last, one is ours
        assert (book / "_static" / name).read_text("utf-8") in content, name
    assert len(gzip.compress(content.encode())) < 35_000
    for address in re.findall(r"url\((?!\"?data:)([^)]+)\)", content):
        assert (sheet.parent / address).exists(), address


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
