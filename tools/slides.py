"""Make slides of the chapters' main paths: reveal.js, with no other host.

    python -m tools.slides [--chapters 3,5-8] [--out FOLDER]

A slide shows what one looks at together: headings, questions, formulas, code, what
comes out, figures, tables, lists. The text around it is in the speaker's notes (key S).
What a *Predict* question asks for, and its answer, come with the next step.
"""

import argparse
import re
import shutil
from html import escape
from pathlib import Path

from nbconvert import SlidesExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from traitlets.config import Config

from attend.microscope import STATIC
from tools import downloads
from tools.exam import chosen
from tools.notebooks import ROOT, notebooks

HERE = Path(__file__).parent / "reveal"
OUT = ROOT / "_build" / "slides"
MATHJAX = ROOT / "book" / "_static" / "mathjax"
FONT = ROOT / "attend" / "fonts" / "AttendSansSC.ttf"
LINES = 22  # a slide's height in lines of code; what is higher is made smaller
WIDE = 80  # characters in a line of text
HEADING, FIGURE, MICROSCOPE = 3, 16, LINES  # their heights in lines
END = r"^## (A closer look|Exercises|Sources)$"
FOLD = re.compile(downloads.FOLD.replace("{}", "(.*?)"), re.S)
SHOWN = re.compile(  # what is no running text: formulas, lists, tables, code
    r"\$\$|\||[-*] |\d+\. |```|<(?!details)"
)
SET_UP = re.compile(r"(\s*(import|from|plot\.use_style|\)|#|    \w+,?$).*\n?)*")
INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Learning to Attend: slides</title>
</head><body><h1>Learning to Attend: slides</h1>
<ol>
{}
</ol>
<p>Space goes on, S opens the speaker's notes, Esc shows all slides.</p></body></html>
"""


# ------------------------------------------------------------------ one chapter
class Deck:
    """The slides of one chapter while they are made, cell by cell."""

    def __init__(self):
        self.cells, self.used, self.notes = [], 0, []

    def add(self, cell, lines, kind="-"):
        """Add a cell of so many lines; below the slide, if there is no room."""
        full = self.used and self.used + lines > LINES
        if kind in ("slide", "subslide") or full:
            self.end()
            kind, self.used = (kind if kind != "fragment" else "subslide"), 0
            kind = "subslide" if kind == "-" else kind
        self.used += lines
        cell.metadata["slideshow"] = {"slide_type": kind}
        self.cells.append(cell)

    def say(self, text):
        self.notes.append(text)

    def end(self):
        """End a slide with its notes: on a slide without anything else they stand."""
        if not self.notes:
            return
        cell = new_markdown_cell("\n\n".join(self.notes))
        heading = self.cells and self.cells[-1].metadata["slideshow"]["slide_type"]
        alone = heading in ("slide", "subslide") and self.cells[-1].source[:1] == "#"
        cell.metadata["slideshow"] = {"slide_type": "-" if alone else "notes"}
        self.cells.append(cell)
        self.notes = []


def blocks(source):
    """Yield the paragraphs of a text, each fold as a whole."""
    for part in re.split(r"(<details>.*?</details>)", source, flags=re.S):
        yield from [part] if FOLD.fullmatch(part) else filter(None, part.split("\n\n"))


def text(deck, source, opens=False):
    """Put a text on slides, and what is to be said into the notes.

    The words that open a chapter stand on its first slide.
    """
    for block in map(str.strip, blocks(source)):
        lines = 1.3 * sum(1 + len(line) // WIDE for line in block.split("\n"))
        cell, fold = new_markdown_cell(block), FOLD.fullmatch(block)
        if block.startswith("#"):
            kind = "slide" if re.match("##? ", block) else "subslide"
            deck.add(cell, HEADING, kind)
        elif fold and fold[2].startswith("**Answer:**"):
            deck.add(new_markdown_cell(fold[2]), lines, "fragment")
        elif fold and fold[2].startswith("**Fig."):
            deck.say(fold[2])
        elif re.match(r"\*\*\d+\.\*\* ", block):  # a question of Check yourself
            deck.add(cell, lines, "subslide" if deck.used > HEADING else "-")
        elif fold:  # closed, it is one line
            deck.add(cell, 1.3)
        elif opens or "Predict: " in block or SHOWN.match(block):
            deck.add(cell, lines)
        else:
            deck.say(block.removeprefix("> "))


def code(deck, cell):
    """Put a cell's code on a slide, and below it what comes out."""
    count = len(cell.source.split("\n"))
    hidden = "hide-input" in cell.metadata.get("tags", [])
    if not hidden and not SET_UP.fullmatch(cell.source):
        deck.add(new_code_cell(cell.source, execution_count=1), count + 1.5)
    covered = "outputs_hidden" in cell.metadata.get("jupyter", {})
    outputs = cell.outputs[covered:]  # the first one says that they are
    if not outputs:
        return
    shown = str(outputs)
    lines = FIGURE if "<img" in shown else 8
    if 'class="microscope"' in shown:
        lines = MICROSCOPE
    elif "text/html" not in shown:
        lines = sum(o.get("text", "").count("\n") + 1 for o in outputs)
    out = new_code_cell("", outputs=outputs, execution_count=1)
    out.metadata["tags"] = ["output-only"]
    deck.add(out, lines, "fragment" if covered else "-")


def slides(path):
    """Return a chapter's main path as a notebook of slides."""
    deck, notebook = Deck(), downloads.derive(path)
    title = re.search("^# (.*)", notebook.cells[0].source, re.M)[1]
    for cell in notebook.cells:
        end = re.search(END, cell.source, re.M)
        if downloads.is_code(cell):
            if cell.id != "the-books-package":
                code(deck, cell)
        else:
            opens = cell is notebook.cells[0]
            text(deck, cell.source[: end.start()] if end else cell.source, opens)
            if end:
                break
    deck.end()
    return new_notebook(cells=deck.cells, metadata={"title": re.sub("[*`]", "", title)})


# ------------------------------------------------------------------ pages
def exporter():
    settings = Config()
    settings.SlidesExporter.exclude_input_prompt = True
    settings.SlidesExporter.exclude_output_prompt = True
    settings.SlidesExporter.preprocessors = [
        "nbconvert.preprocessors.TagRemovePreprocessor"
    ]
    settings.TagRemovePreprocessor.enabled = True
    settings.TagRemovePreprocessor.remove_input_tags = {"output-only"}
    settings.CSSHTMLHeaderPreprocessor.style = "default"
    return SlidesExporter(config=settings, template_file=str(HERE / "deck.html.j2"))


def write(folder, paths):
    """Write the chapters' slides and what they need into the folder."""
    static = folder / "static"
    shutil.rmtree(static, ignore_errors=True)
    shutil.copytree(HERE, static, ignore=shutil.ignore_patterns("*.j2"))
    shutil.copytree(MATHJAX, static / "mathjax")
    shutil.copy(FONT, static)
    for name in ("microscope.css", "microscope.js"):
        (static / name).write_text((STATIC / name).read_text("utf-8"), "utf-8")
    make, listed = exporter(), []
    for path in paths:
        notebook = slides(path)
        page, _ = make.from_notebook_node(notebook)
        (folder / f"{path.stem}.html").write_text(page, encoding="utf-8")
        link = f'<a href="{path.stem}.html">{escape(notebook.metadata.title)}</a>'
        listed.append(f'<li value="{int(path.stem[:2])}">{link}</li>')
    index = INDEX.format("\n".join(listed))
    (folder / "index.html").write_text(index, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.slides",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--chapters", default="", metavar="3,5-8")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER")
    options = parser.parse_args()
    paths = {path.stem: path for path in notebooks("chapters")}
    stems = chosen(options.chapters, list(paths))
    write(options.out, [paths[stem] for stem in stems])
    print(f"{options.out / 'index.html'} leads to the slides (CC BY 4.0)")


if __name__ == "__main__":
    main()
