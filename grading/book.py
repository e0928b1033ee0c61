"""What the grader knows of the book and of a course: folders and names."""

import json
from pathlib import Path

from grading.bridge import sandbox

ROOT = Path(__file__).parents[1]
TEMPORARY = "grading-"  # how the names of temporary folders begin
SHARED = ("attend",)  # packages that both sides of the bridge can import
NUMPY = "numpy.random", "attend.attention", "attend.check"  # a fork server has ready
TORCH = (*NUMPY, "attend.data.tasks", "attend.training")
TORCH += ("torch.fx.experimental.symbolic_shapes", "torch._dynamo")  # loaded late, slow


def library(folder):
    """Return the folder that learners' processes import from, made in another."""
    return sandbox.library(folder, [ROOT / name for name in SHARED])


def named(assignment, notebook):
    """Return a notebook's name here: `ps1/problem1`, or `stem` for stem/stem.ipynb."""
    return notebook if assignment == notebook else f"{assignment}/{notebook}"


def place(name):
    """Return (assignment, notebook) of a name."""
    assignment, _, notebook = name.partition("/")
    return assignment, notebook or assignment


def notebooks(source):
    """Return {name: path} of a course's notebooks, source/ASSIGNMENT/NOTEBOOK.ipynb."""
    paths = sorted(Path(source).glob("[!.]*/[!.]*.ipynb"))
    return {named(path.parent.name, path.stem): path for path in paths}


def points(path):
    """Return the sum of the points of a source notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    return sum(mark.get("points", 0) for mark in marks)
