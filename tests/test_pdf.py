"""The printed book: numbered pages, contents, Chinese words, questions with reasons."""

import re
import subprocess
import sys
import unicodedata

import pytest
import yaml
from pypdfium2 import PdfDocument

from tools.notebooks import ROOT
from tools.pdf import beginnings, browser, reading_order

FOOT = 50  # points: below it stands the page's number


def words(text):
    """Return a text's letters and digits: a line's end may stand between any two."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text))


@pytest.fixture(scope="module")
def printed(book, tmp_path_factory):
    if not browser():
        pytest.skip("make pdf needs Chromium or Chrome")
    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    command = [sys.executable, "-m", "tools.pdf", book, path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return PdfDocument(path)


@pytest.fixture(scope="module")
def looked_at(printed):
    """Return (text, height of the lowest line above the foot, foot) of all pages."""
    found = []
    for page in printed:
        text = page.get_textpage()
        heights = (text.get_rect(n)[1] for n in range(text.count_rects()))
        above = (height for height in heights if height > FOOT)
        low = min(above, default=page.get_height())  # what a blank page leaves free
        found.append((text.get_text_bounded(), low, text.get_text_bounded(top=FOOT)))
    return found


@pytest.fixture(scope="module")
def texts(looked_at):
    return [text for text, *_ in looked_at]


def test_every_printed_page_has_its_number(looked_at):
    assert len(looked_at) > 100
    for number, (*_, foot) in enumerate(looked_at, start=1):
        assert foot.split()[-1] == str(number)


def test_the_contents_name_the_page_of_every_chapter(printed, texts, pages, book):
    outline = {words(entry.get_title()) for entry in printed.get_toc()}
    contents = [words(line) for text in texts[1:4] for line in text.splitlines()]
    for page in (pages[path] for path in pages if path.parent == book / "chapters"):
        title = words(page.xpath("string(//article//h1)").rstrip("#"))
        assert title in outline
        (line,) = (line for line in contents if re.fullmatch(rf"{title}\d+", line))
        number = int(line.removeprefix(title))
        assert title in words(texts[number - 1])[: 2 * len(title)]


def test_pages_are_filled(printed, looked_at):
    """All but the last of a chapter: code goes on over the page, figures do not."""
    begin = beginnings(printed, reading_order()[0]).values()
    lows = [low for n, (_, low, _) in enumerate(looked_at, 1) if n + 1 not in begin]
    assert sum(lows) / len(lows) < 0.153 * printed[0].get_height()


def test_chinese_words_can_be_found_and_copied(texts):
    everything = words("".join(texts))
    for word in ("注意力", "上下文向量", "汤姆"):
        assert word in everything


def test_every_question_is_printed_with_its_reasons(texts, pages, book):
    everything = words("".join(texts))
    for path in sorted((ROOT / "book" / "quizzes").glob("*.yml")):
        if book / "chapters" / f"{path.stem}.html" not in pages:
            continue
        for question in yaml.safe_load(path.read_text(encoding="utf-8")):
            for option in question["options"]:
                plain = re.split(r"[$`*]", option["why"])
                longest = max(plain[::2], key=len)
                assert words(longest) in everything, (path.stem, option["why"])
