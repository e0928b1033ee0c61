"""Grade one submission: nbgrader, in a folder and with a gradebook of its own."""

import ast
import contextlib
import functools
import io
import logging
import os
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path

import nbformat
import nbgrader.api
import sqlalchemy
from alembic.script import ScriptDirectory
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import LimitOutput, SaveAutoGrades
from sqlalchemy.pool import QueuePool
from traitlets.config import PyFileConfigLoader

from grading import intake
from grading.book import NUMPY, ROOT, SHARED, TEMPORARY, TORCH
from grading.bridge.sandbox import Limits, Process
from grading.bridge.session import Learner
from grading.execute import TwoProcesses, bound
from grading.page import Page

MOST = 20  # remarks of a row
LEFT = re.compile(r"^\s+raise NotImplementedError(\(\))?\s*(#.*)?$", re.M)
BASE = {}  # the gradebook that is open: {"path": …}


@functools.cache
def throwaway():
    """Return the engine of all gradebooks that are thrown away.

    There is one, since each would compile its own queries. Nothing need reach the disk.
    """
    connect = lambda: sqlite3.connect(BASE["path"])  # noqa: E731
    made = sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    pragma = "PRAGMA synchronous = OFF"
    sqlalchemy.event.listen(made, "connect", lambda base, _: base.execute(pragma))
    return made


def engine(url, **options):
    if f"/{TEMPORARY}" not in url:
        return sqlalchemy.create_engine(url, **options)
    BASE["path"] = url.removeprefix("sqlite:///")
    return throwaway()


def version():
    """Return the gradebook's version, which nbgrader asks a program of seconds for."""
    scripts = Path(nbgrader.api.__file__).with_name("alembic")
    return ScriptDirectory(str(scripts)).get_current_head()


nbgrader.api.create_engine, nbgrader.api.get_alembic_version = engine, version


def convert(converter, folder, stem, student="*", **options):
    """Run a converter of nbgrader in a folder, quietly."""
    config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
    config.ClearHiddenTests.enabled = False  # the checks that grade are whole
    config.CourseDirectory |= {
        "root": str(folder),
        "source_directory": "source",
        "release_directory": "release",
        "assignment_id": stem,
        "student_id": student,
        "db_url": f"sqlite:///{folder}/gradebook.db",
    }
    course = CourseDirectory(config=config)
    made = converter(coursedir=course, config=config)
    made.log = logging.getLogger("grading.nbgrader")
    made.log.setLevel(logging.CRITICAL)
    for name, value in options.items():
        setattr(made, name, value)
    made.start()


def feedback(folder, stem, student):
    options = {"exporter_class": Page, "force": True}
    convert(GenerateFeedback, folder, stem, student, **options)


def prepare(folder, sources):
    """Make the course that every job copies: releases, and one gradebook of them all.

    The releases' checks are whole. sources: {stem: path}.
    Returns {stem: {"names": …, "torch": …, "imports": …, "exercises": …}}.
    """
    found = {}
    for stem, path in sources.items():
        target = Path(folder, "source", stem)
        target.mkdir(parents=True)
        shutil.copy(path, target / f"{stem}.ipynb")
        options = {"create_assignment": True, "force": True}
        with contextlib.redirect_stderr(io.StringIO()):
            convert(GenerateAssignment, folder, stem, **options)
        notebook = nbformat.read(path, as_version=4)
        code = [c for c in notebook.cells if c.cell_type == "code"]
        answers = [c for c in code if intake.role(c) == "answer"]
        found[stem] = {
            "names": {c.metadata.nbgrader.grade_id: bound(c.source) for c in answers},
            "torch": any("torch" in c.source for c in code),
            "imports": sorted({name for c in code for name in imported(c.source)}),
            "exercises": exercises(notebook),
        }
    return found


def modules(about):
    """Return what the fork server of a notebook's learners has ready."""
    plain = ("attend.attention", "attend.check")
    heavy = any(x.startswith("attend.") and x not in plain for x in about["imports"])
    return TORCH if about["torch"] or heavy else NUMPY


def imported(source):
    """Yield the modules that a cell of the source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            part = node.module == "attend"
            yield from (f"attend.{x.name}" for x in node.names if part)
            yield node.module


def exercises(notebook):
    """Return [[answer, [its graded cells], points, manual]] in the notebook's order."""
    found, answer = {}, None
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        name, points = mark.get("grade_id"), mark.get("points", 0)
        if mark.get("solution"):
            answer = name
        if mark.get("grade"):
            row = found.setdefault(answer, [answer, [], 0, False])
            row[1].append(name)
            row[2] += points
            row[3] |= bool(mark["solution"])
    return list(found.values())


def grade(task):
    """Grade a submission; return its result as plain data, and leave its files.

    task: student, stem, path, course, out, about (what prepare returned), limits,
    secret, unsafe, library, work (a folder for temporary ones).
    """
    about = task["about"]
    try:
        _, cells = intake.load(task["path"])
    except intake.Unreadable as error:
        return outcome(task, {}, {}, [], "unreadable", str(error))
    with tempfile.TemporaryDirectory(dir=task["work"]) as folder:
        folder = Path(folder)
        before = released(task)
        notebook, remarks = intake.graft(before, cells, about["names"])
        stubs = {intake.grade_id(c): c for c in before.cells}
        same = {
            name
            for name, c in ((intake.grade_id(c), c) for c in notebook.cells)
            if name and name in stubs and unchanged(c, stubs[name])
        }
        limits = Limits(**task["limits"])
        options = task["library"], limits, task["unsafe"], modules(about)
        learner = Learner(lambda: Process(*options), about["torch"], SHARED)
        runner = TwoProcesses(learner, about["names"], limits, task["secret"])
        try:
            scores = through(folder, task, notebook, runner)
        finally:
            learner.close()
        publish(folder, task)
        text = {intake.grade_id(c): c.source for c in notebook.cells}
        left = {name for name in stubs if LEFT.search(text.get(name, ""))}
        made = outcome(task, scores, runner.report, remarks, same=same, left=left)
        return made | {"outside": True} if runner.outside else made


def attempt(task):
    """Grade, and make a result of whatever goes wrong in the grader itself."""
    try:
        return grade(task)
    except Exception as error:
        return failed(task, f"the grader failed: {type(error).__name__}: {error}")


def failed(task, reason):
    """Return the result of a submission that the grader could not grade this time.

    "again": it is not final, the next run tries once more.
    """
    reason = f"{reason[:500]}; the next run tries again"
    return outcome(task, {}, {}, [], "not graded", reason) | {"again": True}


def unchanged(cell, stub):
    """Say whether a cell is as it was handed out, but for comments and blanks."""
    if cell.source.strip() == stub.source.strip():
        return True
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        code = cell.cell_type == "code"
        return code and ast.dump(ast.parse(cell.source)) == ast.dump(
            ast.parse(stub.source)
        )
    return False


def released(task):
    stem = task["stem"]
    path = Path(task["course"], "release", stem, f"{stem}.ipynb")
    return nbformat.read(path, as_version=4)


def rehearse(task):
    """Grade what was handed out, unrun: what that loads, the forks need not load."""
    with tempfile.TemporaryDirectory(dir=task["work"]) as folder:
        unrun = lambda notebook, resources: (notebook, resources)  # noqa: E731
        through(Path(folder), task, released(task), unrun)


def through(folder, task, notebook, runner):
    """Take the notebook through nbgrader, to the feedback.

    Returns {grade_id: automatic score, None when a person must grade}.
    """
    stem, student = task["stem"], task["student"]
    target = folder / "submitted" / student / stem
    target.mkdir(parents=True)
    (folder / "source" / stem).mkdir(parents=True)
    nbformat.write(notebook, target / f"{stem}.ipynb")
    shutil.copy(Path(task["course"], "gradebook.db"), folder)
    steps = [runner, LimitOutput, SaveAutoGrades]
    made = {"autograde_preprocessors": steps, "sanitize_preprocessors": []}
    convert(Autograde, folder, stem, student, **made)
    feedback(folder, stem, student)
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        notebook = gradebook.find_submission_notebook(stem, stem, student)
        return {grade.name: grade.auto_score for grade in notebook.grades}


def publish(folder, task):
    """Move the graded notebook and the page to where they stay."""
    stem, student = task["stem"], task["student"]
    for kind, ending in [("autograded", "ipynb"), ("feedback", "html")]:
        made = folder / kind / student / stem / f"{stem}.{ending}"
        target = Path(task["out"], kind, student, stem, made.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(made, fresh)
        os.replace(fresh, target)


def outcome(task, scores, report, repairs, status="", reason="", same=(), left=()):
    """Return the result of a submission: a row for each exercise."""
    rows = []
    for answer, cells, most, manual in task["about"]["exercises"]:
        row = {"exercise": answer, "maximum": most, "manual": False}
        notes = [report[c] for c in [answer, *cells] if c in report]
        bad = [note for note in notes if note["status"] != "graded"]
        kinds = {note.get("kind") for note in bad}
        points = [scores.get(cell, 0) for cell in cells]
        row["points"] = sum(point or 0 for point in points)
        row["status"], row["reason"] = "graded", ""
        if status:
            row["status"], row["reason"] = status, reason
        elif manual and None in points:
            row["status"], row["manual"] = "needs manual", True
        elif not row["points"] and answer in same:
            row["status"], row["reason"] = "missing", "no answer was written"
        elif not row["points"] and kinds == {"NotImplementedError"} and answer in left:
            row["status"] = "missing"
            row["reason"] = "the stub's `raise NotImplementedError` is still there"
        elif row["points"] < most:
            row["status"] = "wrong"
            for worst in sorted(bad, key=lambda note: note["status"] == "wrong")[:1]:
                row["status"] = worst["status"]
                row["reason"] = f"{worst['kind']}: {worst['reason']}"
        row["failed"] = [c for c in cells if report.get(c, {}).get("kind")]
        rows.append(row)
    result = {name: task[name] for name in ("student", "stem", "key")}
    return remarked(result | {"rows": rows, "scores": scores, "repairs": repairs}, task)


def remarked(result, task):
    """Return the result with what is told now about the files that were handed in."""
    told = sorted({text[:200] for text in (*result["repairs"], *task["remarks"])})
    more = [f"and {len(told) - MOST:,} remarks more"] if len(told) > MOST else []
    return result | {"remarks": told[:MOST] + more}
