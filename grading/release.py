"""What is handed out: made by nbgrader from a source, and remembered."""

import json
import logging
import re
from logging.handlers import BufferingHandler
from pathlib import Path

import nbformat
from traitlets.config import Config, PyFileConfigLoader

from grading import intake
from grading.book import ROOT, named, place

BLOCK = re.compile(r"^# %% (\S+) (wrong|right): (.+)(?:\n|\Z)", re.M)
HEADER = re.compile(r"^# *%%")  # what begins an answer, well written or not
HANDED = ".released.json"  # {name: {a release's fingerprint: its cells' hashes}}


class Failed(Exception):
    """The grader, or a course's source, failed; the text says where."""


def settings(source):
    """Return nbgrader's configuration: the book's, with a course's own stubs.

    A course's nbgrader_config.py lies beside its source folder, as nbgrader has it;
    where there is none, its stubs are nbgrader's.
    """
    config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
    own, theirs = source.parent / "nbgrader_config.py", Config()
    if own.exists():
        theirs = PyFileConfigLoader(str(own)).load_config()
    config.ClearSolutions = theirs.ClearSolutions
    return config


def answers(path):
    """Return [(answer, kind, label, text)] of the answers beside a notebook.

    They are for `python -m grading check`, and never handed out. Raises Failed where
    text stands before the first of them, or a header is none.
    """
    text = path.read_text("utf-8-sig") if path.exists() else ""
    for number, line in enumerate(text.split("\n"), 1):
        if HEADER.match(line) and not BLOCK.match(line):
            raise Failed(
                f"{path}, line {number}: not `# %% ID right: label` or "
                f"`# %% ID wrong: label`: {line!r}"
            )
    parts = BLOCK.split(text)
    if len(parts) > 1 and parts[0].strip():
        raise Failed(f"{path}: text before the first answer")
    return list(zip(*[iter(parts[1:])] * 4, strict=True))


def tried(folder):
    """Return the names of the files in an assignment's folder that hold answers.

    Beside a notebook of the same name each header counts; another file may have cells.
    """
    return [
        path.name
        for path in folder.glob("*.py")
        if (path.with_suffix(".ipynb").exists() and answers(path))
        or BLOCK.search(path.read_text("utf-8-sig"))
    ]


def generate(source, name, folder, whole=False):
    """Write what is handed out of a notebook, ASSIGNMENT/NOTEBOOK.ipynb, to a folder.

    whole: with hidden tests and mark schemes. Raises Failed.
    """
    from nbgrader.converters import GenerateAssignment, NbGraderException
    from nbgrader.coursedir import CourseDirectory

    source, said = Path(source).resolve(), BufferingHandler(1000)
    config = settings(source)
    config.SaveCells.enabled = False  # no gradebook is needed
    config.ClearHiddenTests.enabled = config.ClearMarkScheme.enabled = not whole
    config.GenerateAssignment |= {"no_database": True, "force": True}
    course = CourseDirectory(config=config, root=str(source.parent))
    course.source_directory, course.release_directory = source.name, str(folder)
    course.assignment_id, course.notebook_id = place(name)
    course.ignore = [*course.ignore, ".*", *tried(source / place(name)[0])]
    made = GenerateAssignment(coursedir=course, config=config)
    made.log = logging.Logger("nbgrader")
    made.log.addHandler(said)
    try:
        made.start()
    except (NbGraderException, SystemExit):
        texts = [record.getMessage().strip() for record in said.buffer]
        text = next((text for text in texts if "Traceback" in text), "")
        *_, last = text.split("\n")
        raise Failed(f"{name}: {last.partition(': ')[2]}") from None


def read(folder, name):
    """Return the release of a notebook; its cells have names, whatever their format."""
    assignment, notebook = place(name)
    made = nbformat.read(Path(folder, assignment, f"{notebook}.ipynb"), as_version=4)
    made.nbformat_minor = 5
    for number, cell in enumerate(made.cells):
        cell.setdefault("id", f"cell-{number}")
    return made


def remember(folder, source):
    """Keep the hashes of a release's cells with its source, beside the earlier ones."""
    path = Path(source, HANDED)
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for made in sorted(folder.glob("[!.]*/[!.]*.ipynb")):
        name = named(made.parent.name, made.stem)
        notebook = read(folder, name)
        cells = [intake.digest(x.source, intake.grade_id(x)) for x in notebook.cells]
        kept.setdefault(name, {})[notebook.metadata.fingerprint] = cells
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")


def handed_out(source, name):
    """Return the hashes of the cells of a notebook that were ever handed out."""
    path = Path(source, HANDED)
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return sorted({x for cells in kept.get(name, {}).values() for x in cells})
