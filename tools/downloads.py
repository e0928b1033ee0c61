"""Derive notebooks that stand alone: for a page's download button, a zip, JupyterLab.

    python -m tools.downloads lab [FOLDER]    into notebooks/, unless named
    python -m tools.downloads wheel FOLDER    the package, with the files chapters read
    python -m tools.downloads zip FOLDER      all notebooks and the package

A derived notebook has its roles written out, numbers on its equations, captions below
its figures, the chapter's questions, its sources at its end, and a cell that says what
to do where the book's package is missing. What a *Predict* question asks for is folded.
What a reader has changed in FOLDER is never overwritten.

Which notebooks there are is what the table of contents says: _toc.yml, or the file that
$STUDENT_TOC names (tools.student), and then no hidden test and no rubric is given out.
"""

import argparse
import copy
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import nbformat
import yaml
from nbformat.sign import NotebookNotary
from pybtex.backends.markdown import Backend
from pybtex.database import parse_file
from pybtex.style.formatting.unsrt import Style

import attend
from grading import intake
from tools.notebooks import ROOT, fingerprint, read, text, touched

LAB = ROOT / "notebooks"
FOR_STUDENTS = "STUDENT_TOC" in os.environ
TOC = Path(os.environ.get("STUDENT_TOC", ROOT / "_toc.yml"))
FOLDERS = ("chapters", "exercises", "solutions", "book")
QUIZZES = ROOT / "book" / "quizzes"
SAFE = " /:=;,()+*-.@$!~|"  # what an address in a picture need not write in numbers
DATA = ("*.csv", "*.json", "*.npz", "*.pt", "*.txt")  # as in pyproject.toml
WHEEL = f"attend-{attend.__version__}-py3-none-any.whl"
NAME = f"learning-to-attend-{attend.__version__}{'-students' * FOR_STUDENTS}"
NEEDED = """\
import importlib.util

if not importlib.util.find_spec("attend"):
    raise ModuleNotFoundError(
        "The book's package is not here: run `%pip install {place}{wheel}` in a cell"
        "{where}, then run all cells again. (On Linux, if PyTorch is not there, "
        "either, this fetches some gigabytes of CUDA; the book's zip says how to "
        "do without.)"
    )"""
EXPLAIN = """

from attend import lab

lab.explain_asserts()"""
WHERE = """, "
        "once that file, which the book's first page gives, lies {} (in VS Code as "
        "it is; on Colab after an upload under Files; on Kaggle "
        "after Add Input, as /kaggle/input/*/{})"""
FOLD = "<details>\n<summary>{}</summary>\n\n{}\n\n</details>"  # in any notebook
COVERED = "Predict first: what comes out is shown when you run the cell, or click here"
BRING = """

from attend import files

files.bring({names})  # what a cell below reads"""
START = """\
# Learning to Attend, edition {version}

The notebooks of the book, and its package. In this folder, with Python 3.11 or newer:

    python3 -m venv .venv
    .venv/bin/pip install ./{wheel} jupyterlab
    .venv/bin/jupyter trust */*.ipynb */*/*.ipynb
    .venv/bin/jupyter lab

(`trust` lets JupyterLab show everything before a run. On Windows `py` for `python3`,
and `.venv\\Scripts\\` for `.venv/bin/`. On Linux this leaves out some gigabytes of
CUDA: `.venv/bin/pip install uv`, and then
`.venv/bin/uv pip install --torch-backend cpu ./{wheel} jupyterlab`.)
Then open `chapters/`; exercises to hand in are in `exercises/`. On Colab, Kaggle or in
VS Code the first cell says what to do.
"""


# ------------------------------------------------------------------ what stands where
@functools.cache
def pages():
    """Return the pages' paths without suffix, in reading order."""
    toc = yaml.safe_load(TOC.read_text(encoding="utf-8"))
    files = [file["file"] for part in toc["parts"] for file in part["chapters"]]
    return [toc["root"], *files]


@functools.cache
def address():
    """Return where the book's site stands, without a slash at its end, or nothing."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return settings["sphinx"]["config"]["address"].rstrip("/")


def chosen(parts=FOLDERS):
    """Return the paths of the book's notebooks in these parts, in reading order."""
    found = (ROOT / f"{page}.ipynb" for page in pages() if page.split("/")[0] in parts)
    return [path for path in found if path.exists()]


@functools.cache
def original(path):
    """Return the notebook at the path, read once; not to be changed."""
    return read(path)


def number(label):
    """Return the number of a figure or an equation; of an unknown one, a mark."""
    return labels().get(label, "?")  # the pages' build names it


@functools.cache
def labels():
    """Return {label: number} of figures and equations, counted as the pages count."""
    found = {}
    for path in chosen(("book", "chapters", "solutions")):  # exercises draw nothing yet
        page, figures, equations = f"{path.parent.name}/{path.stem}", 0, 0
        for cell in original(path).cells:
            if name := figure(cell).get("name"):
                figures += 1
                found[name] = ".".join(map(str, counted(page, figures)))
            for label in re.findall(r"\$\$ *\((eq-[\w-]+)\)", cell.source):
                equations += 1
                found[label] = ".".join(map(str, counted(page, equations)))
    return found


def counted(page, n):
    """Return the number of a page's n-th figure or equation: in chapter 4 (4, n)."""
    folder, _, stem = page.partition("/")
    return (int(stem[:2]), n) if folder == "chapters" else (n,)


def figure(cell):
    """Return the caption and the name of the cell's figure, if it is one."""
    return cell.metadata.get("mystnb", {}).get("figure", {})


@functools.cache
def sections():
    """Return {label: (notebook, heading)} of the sections that links lead to."""
    pattern, found = re.compile(r"^\(([\w-]+)\)=\n#+ +(.*)", re.M), {}
    for path in chosen():
        page = path.relative_to(ROOT).as_posix()
        for cell in original(path).cells:
            found |= {a: (page, b) for a, b in pattern.findall(cell.source)}
    return found


@functools.cache
def entries():
    """Return {key: entry} of the bibliography."""
    return parse_file(str(ROOT / "book" / "references.bib")).entries


# ------------------------------------------------------------------ plain Markdown
def authors(key):
    """Return the authors as they stand in a sentence: Luong et al."""
    names = [str(person.last_names[-1]) for person in entries()[key].persons["author"]]
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


def citation(kind, keys):
    """Return a citation, each one a link to its source."""
    made = []
    for key in keys.split(","):
        if key.strip() not in entries():
            continue  # the pages' build names it
        fields = entries()[key.strip()].fields
        year, url = fields["year"], fields.get("url")
        if "doi" in fields:
            url = f"https://doi.org/{fields['doi']}"
        who = authors(key.strip())
        words = f"{who} [{year}]" if kind == "t" else f"{who}, {year}"
        words = words.replace("[", r"\[").replace("]", r"\]")
        made.append(f"[{words}]({url})" if url else words)
    return ", ".join(made) if kind == "t" else f"({'; '.join(made)})"


@functools.cache
def written():
    """Return {key: the source written out} of the bibliography."""
    backend, found = Backend("utf-8"), {}
    for entry in Style().format_entries(entries().values()):
        line = " ".join(entry.text.render(backend).split())
        found[entry.key] = re.sub(r"\\([.()-])", r"\1", line)
    return found


def sources(keys):
    """Return the list of the cited sources; many chapters tell of them before it."""
    lines = sorted(f"- {written()[key]}" for key in keys)
    return "### The sources in full\n\n" + "\n".join(lines)


def section(label, page):
    """Return the address of a section as JupyterLab knows it, seen from a page."""
    there, heading = sections()[label]
    place = "" if there == page else os.path.relpath(there, PurePosixPath(page).parent)
    return f"{place}#{re.sub(r'[ ]', '-', re.sub('[`*]', '', heading))}"


def plain(source, page):
    """Return a text without roles, directives and labels, as any notebook shows it."""

    def role(found):
        kind, words = found.groups()
        if kind.startswith("cite:"):
            return citation(kind[-1], words)
        if kind == "numref":
            return f"Fig. {number(words)}"
        if kind == "eq":
            return f"({number(words)})"
        return re.sub(r"\s*<[^>]*>$", "", words)  # a term

    def link(found):
        words, target = found.groups()
        place, _, anchor = target.partition("#")
        if re.match(r"https?:", target):
            return found[0]
        if (label := anchor or target) in sections():
            return f"[{words}]({section(label, page)})"
        inside = os.path.normpath(PurePosixPath(page).parent / place)
        return found[0] if inside.removesuffix(".ipynb") in pages() else words

    def tag(found):
        return rf"\tag{{{number(found[1])}}}$$"

    source = re.sub(r"\{([\w:]+)\}`([^`]*)`", role, source)
    source = re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]*)\)", link, source)
    source = re.sub(r"\s*\$\$ *\((eq-[\w-]+)\)", tag, source)
    source = re.sub(r"^\([\w-]+\)=\n", "", source, flags=re.M)
    note = re.compile(r"^```\{margin\}[^\n]*\n(.*?)\n```", re.M | re.S)
    return note.sub(lambda found: "> " + found[1].replace("\n", "\n> "), source)


# ------------------------------------------------------------------ think first
@functools.cache
def questions(stem):
    """Return the questions of *Check yourself* to a chapter, or nothing."""
    path = QUIZZES / f"{stem}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []


def insert_questions(notebook, text):
    """Put the text before the chapter's section of exercises, in place.

    Without such a section it stands before *You can now*, or at the end.
    """
    for heading in ("## Exercises\n", "## You can now\n"):
        for cell in notebook.cells:
            start = cell.source.find(heading)
            if cell.cell_type == "markdown" and start >= 0:
                cell.source = cell.source[:start] + text + cell.source[start:]
                return
    notebook.cells.append(markdown(text, "check-yourself"))


def written_questions(stem):
    """Return the questions as Markdown: the options in a list, the answers folded."""
    parts = ["## Check yourself"]
    for number, question in enumerate(questions(stem), start=1):
        more = " *(More than one is right.)*" if question.get("several") else ""
        options, answers = [], []
        for letter, option in zip("ABCDE", question["options"], strict=False):
            verdict = "Right." if option.get("right") else "No."
            options.append(f"- **{letter}.** {option['text'].strip()}")
            answers.append(f"- **{letter}. {verdict}** {option['why'].strip()}")
        answer = FOLD.format("Choose, then open the answer", "\n".join(answers))
        asked = f"**{number}.** {question['question'].strip()}{more}"
        parts += [asked, "\n".join(options), answer]
    return "\n\n".join(parts) + "\n\n"


def cover(cells):
    """Fold, in place, each **Answer:** to a *Predict* question; return its code cells.

    Their outputs are folded, too: JupyterLab opens them when the cell is run, or at a
    click. In a microscope one may look for the answer.
    """
    covered = []
    for place, cell in enumerate(cells):
        first = place
        while first and is_code(cells[first - 1]):
            first -= 1
        answer, gap, rest = cell.source.partition("\n\n")
        asks = (
            first < place and "Predict: " in cells[first - 1].source.split("\n\n")[-1]
        )
        if not (asks and answer.startswith("**Answer:**")):
            continue
        cell.source = FOLD.format("Predict first, then open the answer", answer)
        cell.source += gap + rest
        for one in cells[first:place]:
            if one.outputs and 'class="microscope"' not in str(one.outputs):
                one.metadata.setdefault("jupyter", {})["outputs_hidden"] = True
                said = {"text/plain": COVERED}  # a fold shows the first line
                one.outputs.insert(0, nbformat.v4.new_output("display_data", said))
                covered.append(one)
    return covered


# ------------------------------------------------------------------ a notebook
def without_hidden(source):
    """Return a cell's text without hidden tests and rubric."""
    shown = intake.visible(source)
    return re.sub(r"\n*\*\*Rubric\*\*.*", "", shown, flags=re.S).rstrip("\n")


def derive(path, place="./"):
    """Return the notebook at the path as one that stands alone.

    `place` is where its first cell looks for the package, as seen from the notebook.
    """
    notebook = copy.deepcopy(original(path))
    page = path.relative_to(ROOT).as_posix()
    if FOR_STUDENTS and page.startswith("solutions/"):
        for cell in notebook.cells:
            cell.source = without_hidden(cell.source)
    where = WHERE.format(
        "beside it" if place == "./" else "where the zip has it", WHEEL
    )
    if site := address():
        place, where = f"{site}/downloads/", ""
    needed = NEEDED.format(place=place, where=where, wheel=WHEEL)
    if not page.startswith("exercises/"):  # a check has its own words, and the grader
        needed += EXPLAIN  # remarks on who imports the package
    code = "\n".join(cell.source for cell in notebook.cells if is_code(cell))
    if used := [f'"{name}"' for name in stored() if f'"{name}"' in code]:
        needed += BRING.format(names=", ".join(used))
    first = nbformat.v4.new_code_cell(needed, id="the-books-package")
    first.metadata["jupyter"] = {"source_hidden": True}
    if page.startswith("chapters/") and questions(path.stem):
        insert_questions(notebook, written_questions(path.stem))
    covered = cover(notebook.cells)
    cells, cited = [], set()
    for cell in notebook.cells:
        if is_code(cell) and first not in cells:
            cells.append(first)
        shown = figure(cell)
        show_untrusted(cell)
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata:
            for keys in re.findall(r"\{cite:[tp]\}`([^`]*)`", cell.source):
                cited |= {key.strip() for key in keys.split(",")} & set(entries())
            cell.source = plain(cell.source, page)
        cell.metadata.pop("mystnb", None)
        cells.append(cell)
        if shown and not page.startswith("exercises/"):
            words = f"**Fig. {number(shown['name'])}.** {shown['caption']}"
            caption = plain(words, page)
            if cell in covered:
                caption = FOLD.format("The figure's caption", caption)
            cells.append(
                nbformat.v4.new_markdown_cell(caption, id=f"{cell.id}-caption")
            )
    if cited:
        cells.append(markdown(sources(cited), "the-sources"))
    notebook.cells = cells
    notebook.metadata["fingerprint"] = fingerprint(notebook)
    return notebook


def show_untrusted(cell):
    """Make pictures of the cell's SVG, in place, with their words for blind readers.

    JupyterLab hides the SVG of a notebook that the reader has not run, but no picture.
    """
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    for output in cell.get("outputs", []):
        if svg := output.get("data", {}).pop("image/svg+xml", None):
            content = quote(" ".join(svg[svg.index("<svg") :].split("\n")), safe=SAFE)
            picture = f'<img src="data:image/svg+xml,{content}" alt="{escape(alt)}">'
            output["data"]["text/html"] = picture


def is_code(cell):
    return cell.cell_type == "code"


def markdown(words, name):
    return nbformat.v4.new_markdown_cell(words, id=name)


def stored():
    """Return the names of the files of stored runs and models."""
    found = (p.name for pattern in DATA for p in (ROOT / "chapters").glob(pattern))
    return sorted(found)


def write(folder, parts=FOLDERS, sign=False):
    """Derive all notebooks of the parts into the folder; return the reader's own.

    What a reader has changed there stays as it is. sign: JupyterLab on this machine
    then trusts them, and shows before a run what it would hide.
    """
    mine = set(touched(folder)) if folder.exists() else set()
    for path in chosen(parts):
        inside = path.relative_to(ROOT)
        target = folder / inside
        if str(target) not in mine:
            target.parent.mkdir(parents=True, exist_ok=True)
            place = "../" * (len(inside.parts) - 1)
            target.write_text(text(derive(path, place)), encoding="utf-8")
            if sign:
                NotebookNotary().sign(nbformat.read(target, as_version=4))
    for name in stored():
        shutil.copy(ROOT / "chapters" / name, folder / "chapters")
    return sorted(mine)


# ------------------------------------------------------------------ package and zip
def wheel(folder):
    """Build the package's wheel in the folder, and return its path."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place)  # a copy: setuptools leaves things behind
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.ipynb")
        for name in ("attend", "chapters"):
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        for name in ("pyproject.toml", "LICENSE"):
            shutil.copy(ROOT / name, source)
        build = "from setuptools import build_meta; build_meta.build_wheel('.')"
        call = [sys.executable, "-c", build]
        clock = dict(os.environ, SOURCE_DATE_EPOCH="946684800")  # the same bytes
        done = subprocess.run(
            call, cwd=source, env=clock, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"the package could not be built:\n{done.stderr}")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(source / WHEEL, folder))


def archive(folder, parts=FOLDERS, name=NAME, package=None):
    """Write the folder's zip of the parts' notebooks with the package beside them.

    `package` is the wheel's path where it is built already.
    """
    path = folder / f"{name}.zip"
    with tempfile.TemporaryDirectory() as place:
        content = Path(place, name)
        write(content, parts)
        shutil.copy(package, content) if package else wheel(content)
        shutil.copy(ROOT / "LICENSE", content)
        start = START.format(version=attend.__version__, wheel=WHEEL)
        (content / "START.md").write_text(start, encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(p for p in content.rglob("*") if p.is_file()):
                inside = file.relative_to(place).as_posix()
                entry = zipfile.ZipInfo(inside, (2000, 1, 1, 0, 0, 0))  # no clock
                entry.compress_type, entry.external_attr = (
                    packed.compression,
                    0o644 << 16,
                )
                packed.writestr(entry, file.read_bytes())
    return path


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.downloads",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=["lab", "wheel", "zip"])
    parser.add_argument("folder", nargs="?", type=Path, default=LAB)
    arguments = parser.parse_args()
    if arguments.what == "lab":
        for path in write(arguments.folder, sign=True):
            print(f"{path} is yours: it stays as it is")
    else:
        print({"wheel": wheel, "zip": archive}[arguments.what](arguments.folder))


if __name__ == "__main__":
    main()
