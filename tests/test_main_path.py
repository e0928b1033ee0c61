"""The chapters in two depths: a main path for the first reading, then closer looks.

The main path of a chapter is all that stands before its "A closer look". It has one
shape, needs nothing that comes later, and never depends on a closer look.
"""

import ast
import re
import statistics

import pytest

from tests.test_house import definitions, name, pictures, sections
from tools.notebooks import ROOT, notebooks, read

CHAPTERS = notebooks("chapters")
ENDS = ["In short", "You can now", "Exercises", "A closer look"]
CLOSER = re.compile(r"^## A closer look\b", re.MULTILINE)
LABEL = re.compile(r"^\(([\w-]+)\)=|\((eq-[\w-]+)\)$", re.MULTILINE)
REFERENCE = re.compile(r"\]\(#([\w-]+)\)|\{(?:numref|eq|ref)\}`(?:[^`<]*<)?([\w-]+)>?`")
FORWARD = re.compile(r"\b(will|later|[Nn]ext|until|soon|comes|waits|turns to)\b")
TERM = re.compile(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`")
MODULES = ("attention", "layers", "seq2seq", "transformer", "decoder_only")


def halves(path):
    """Return the cells of the main path and those of the closer look."""
    cells = read(path).cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown" and CLOSER.search(cell.source):
            return cells[:place], cells[place:]
    return cells, []


def number(path):
    return int(path.stem[:2])


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def prose(cells):
    """Return the text of the cells without its margin notes and other blocks."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"^(`{3,}|:{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)


def folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def names_of(cells):
    """Return the labels of the cells: sections, equations and figures."""
    found = {
        cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in cells
    }
    for cell in cells:
        found |= {label for pair in LABEL.findall(cell.source) for label in pair}
    return found - {"", None}


def sentences(text):
    return re.split(r"(?<=[.?!:])\s+(?=[A-Z*(\[])|\n\n", text)


def glossary():
    """Return {term: the chapter that explains it}."""
    text = (ROOT / "book" / "glossary.md").read_text("utf-8")
    entries = re.findall(r"^(\w.*)\n  \*\*.*?\[Chapter (\d+)\]", text, re.MULTILINE)
    return {term.lower(): int(chapter) for term, chapter in entries}


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_a_chapter_has_two_depths_and_one_end(path):
    main, closer = halves(path)
    assert closer, "a section: ## A closer look"
    heads = re.findall(r"^## (.+)$", prose(main + closer[:1]), re.MULTILINE)
    assert heads[-4:] == ENDS, heads
    short = re.search(r"^## In short\n(.*?)^## ", prose(main), re.DOTALL | re.MULTILINE)
    for role in ("query", "key", "value"):
        assert role in short[1].lower().replace("queries", "query"), f"who was {role}?"


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_the_main_path_is_short_enough_for_one_evening(path):
    if number(path) == 10:  # a museum: one looks things up in it
        return
    main, _ = halves(path)
    plain = re.sub(r"\$\$.*?\$\$", "", prose(main), flags=re.DOTALL)
    words = len(re.sub(r"^(\|.*|#+ )", "", plain, flags=re.MULTILINE).split())
    shown = {cell.id: cell.source for cell in code(main) if not folded(cell)}
    lines = {cell: len(source.splitlines()) for cell, source in shown.items()}
    assert 800 <= words <= 1450, words
    assert len(lines) <= 12, list(lines)
    assert statistics.median(lines.values()) <= 5, lines
    for cell, length in lines.items():
        is_class = shown[cell].startswith("class ")
        assert length <= (36 if is_class else 12), cell


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_the_main_path_has_pictures(path):
    main, _ = halves(path)
    shown = [cell for cell in code(main) if pictures(cell)]
    live = [cell for cell in code(main) if "Microscope(" in cell.source]
    assert 3 <= len(shown) + len(live) <= 7 + 5 * (number(path) == 10)


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_the_main_path_imports_what_main_paths_before_it_built(path):
    built = {}
    for other in CHAPTERS:
        for cell in code(halves(other)[0]):
            for function in definitions(ast.parse(cell.source)):
                built.setdefault(function, number(other))
    for cell in code(halves(path)[0]):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.module in [
                f"attend.{module}" for module in MODULES
            ]:
                for alias in node.names:
                    first = built.get(alias.name, 99)
                    assert first < number(path), f"{alias.name}: main path {first}"


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_the_main_path_needs_no_closer_look_and_nothing_later(path):
    main, _ = halves(path)
    closer, later = set(), set()
    for other in notebooks("chapters"):
        if other in CHAPTERS:
            closer |= names_of(halves(other)[1])
        if number(other) > number(path):
            later |= names_of(read(other).cells)
    used = {label for pair in REFERENCE.findall(prose(main)) for label in pair} - {""}
    assert not used & closer and not used & later


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_a_link_forward_says_that_it_points_forward(path):
    for sentence in sentences(prose(halves(path)[0])):
        for link in re.findall(r"\]\((\d\d)_\w+\.ipynb", sentence):
            if int(link) > number(path):
                assert FORWARD.search(sentence), sentence


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_no_term_stands_before_the_chapter_that_explains_it(path):
    known, text = glossary(), prose(halves(path)[0])
    assert len(known) > 40
    for term in TERM.findall(text):
        assert known[term.strip().lower()] <= number(path), f"linked: {term}"
    plain = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)", " ", text)
    ahead = {term for term, chapter in known.items() if chapter > number(path)}
    for sentence in sentences(plain):
        if FORWARD.search(sentence):
            continue
        for term in ahead:
            assert not re.search(
                rf"\b{re.escape(term)}s?\b", sentence, re.IGNORECASE
            ), f"{term} (chapter {known[term]}): {sentence}"


def test_the_package_names_the_chapters_that_exist():
    numbers = {number(path) for path in notebooks("chapters")}
    for module in MODULES:
        file = ROOT / "attend" / f"{module}.py"
        for chapter, _ in sections(file) if file.exists() else ():
            assert int(chapter) in numbers, f"{module}: chapter {chapter}"
