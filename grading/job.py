"""Grade one submission: nbgrader, in a folder and with a gradebook of its own."""

import ast
import contextlib
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import nbgrader.api
import sqlalchemy
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import LimitOutput, SaveAutoGrades
from traitlets.config import PyFileConfigLoader

from grading import intake
from grading.execute import TwoProcesses, bound, role
from grading.page import Page
from grading.proxy import Learner
from grading.sandbox import ROOT, TEMPORARY, Died, Limits, Process


def course(folder, stem, student="*"):
    """Return (course directory, configuration) of a folder for nbgrader."""
    config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
    settings = {
        "root": str(folder),
        "source_directory": "source",
        "release_directory": "release",
        "assignment_id": stem,
        "student_id": student,
        "db_url": f"sqlite:///{folder}/gradebook.db",
    }
    for name, value in settings.items():
        config.CourseDirectory[name] = value
    return CourseDirectory(config=config), config


QUERIES = {}  # as compiled; each gradebook would compile its own


def engine(url, **options):
    """Open a gradebook's database; one that is thrown away need not reach the disk."""
    options["execution_options"] = {"compiled_cache": QUERIES}
    made = sqlalchemy.create_engine(url, **options)
    if f"/{TEMPORARY}" in str(url):
        pragma = "PRAGMA synchronous = OFF"
        sqlalchemy.event.listen(made, "connect", lambda base, _: base.execute(pragma))
    return made


nbgrader.api.create_engine = engine


def convert(converter, folder, stem, student="*", **options):
    """Run a converter of nbgrader, quietly."""
    directory, config = course(folder, stem, student)
    made = converter(coursedir=directory, config=config, **options)
    made.log = logging.getLogger("grading.nbgrader")
    made.log.setLevel(logging.CRITICAL)
    for name, value in options.items():
        setattr(made, name, value)
    made.start()


def prepare(folder, sources):
    """Make the course that every job copies: releases, and one gradebook of them all.

    sources: {stem: path}. Returns {stem: {"names": …, "torch": …, "exercises": …}}.
    """
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    found = {}
    for stem, path in sources.items():
        target = Path(folder, "source", stem)
        target.mkdir(parents=True)
        shutil.copy(path, target / f"{stem}.ipynb")
        with contextlib.redirect_stderr(open(os.devnull, "w")):
            convert(
                GenerateAssignment, folder, stem, create_assignment=True, force=True
            )
        notebook = nbformat.read(path, as_version=4)
        code = [c for c in notebook.cells if c.cell_type == "code"]
        answers = [c for c in code if role(c) == "answer"]
        found[stem] = {
            "names": {c.metadata.nbgrader.grade_id: bound(c.source) for c in answers},
            "torch": any("torch" in c.source for c in code),
            "imports": sorted({name for c in code for name in imported(c.source)}),
            "exercises": exercises(notebook),
        }
    return found


def imported(source):
    """Yield the modules that a cell of the source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
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
    secret, unsafe, library, slot.
    """
    stem, student, about = task["stem"], task["student"], task["about"]
    try:
        _, cells = intake.load(task["path"])
    except intake.Unreadable as error:
        return outcome(task, {}, {}, [], "unreadable", str(error))
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        folder = Path(folder)
        notebook = released(task)
        stubs = {intake.grade_id(c): c.source for c in notebook.cells}
        source = Path(task["course"], "source", stem, f"{stem}.ipynb")
        source = nbformat.read(source, as_version=4)
        notebook, remarks = intake.graft(notebook, source, cells, about["names"])
        checks = {
            intake.grade_id(c): c.source for c in source.cells if role(c) == "check"
        }
        for cell in notebook.cells:  # with their hidden tests
            cell.source = checks.get(intake.grade_id(cell), cell.source)
        same = {
            k
            for c in notebook.cells
            if (k := intake.grade_id(c)) and c.source == stubs[k]
        }
        limits = Limits(**task["limits"])
        learner = Learner(
            lambda: Process(task["library"], limits, task["unsafe"], task["slot"]),
            about["torch"],
        )
        runner = TwoProcesses(learner, about["names"], limits, task["secret"])
        try:
            scores = through(folder, task, notebook, runner)
        finally:
            learner.close()
        task["cpu"] = round(learner.spent, 2)
        publish(folder, task, stem, student)
        return outcome(task, scores, runner.report, remarks, same=same)


def released(task):
    stem = task["stem"]
    path = Path(task["course"], "release", stem, f"{stem}.ipynb")
    return nbformat.read(path, as_version=4)


def rehearse(task):
    """Grade what was handed out, unrun: what that loads, the forks need not load."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
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
    convert(GenerateFeedback, folder, stem, student, exporter_class=Page)
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        notebook = gradebook.find_submission_notebook(stem, stem, student)
        return {grade.name: grade.auto_score for grade in notebook.grades}


def publish(folder, task, stem, student):
    """Move the graded notebook and the page to where they stay."""
    for kind, ending in [("autograded", "ipynb"), ("feedback", "html")]:
        made = folder / kind / student / stem / f"{stem}.{ending}"
        target = Path(task["out"], kind, student, stem, made.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(made, fresh)
        os.replace(fresh, target)


def outcome(task, scores, report, remarks, status="", reason="", same=()):
    """Return the result of a submission: a row for each exercise."""
    rows = []
    for answer, cells, most, manual in task["about"]["exercises"]:
        row = {"exercise": answer, "maximum": most, "manual": False}
        notes = [report[c] for c in [answer, *cells] if c in report]
        bad = [note for note in notes if note["status"] != "graded"]
        points = [scores.get(cell, 0) for cell in cells]
        row["points"] = sum(point or 0 for point in points)
        row["status"], row["reason"] = "graded", ""
        if status:
            row["status"], row["reason"] = status, reason
        elif manual and None in points:
            row["status"], row["manual"] = "needs manual", True
        elif not row["points"] and (answer in same or unanswered(bad)):
            row["status"], row["reason"] = "missing", "no answer was written"
        elif row["points"] < most:
            worst = sorted(bad, key=lambda note: note["status"] == "wrong")[:1]
            row["status"] = worst[0]["status"] if worst else "wrong"
            row["reason"] = f"{worst[0]['kind']}: {worst[0]['reason']}" if worst else ""
        row["failed"] = [c for c in cells if report.get(c, {}).get("kind")]
        rows.append(row)
    keep = ("student", "stem", "key")
    result = {name: task[name] for name in keep} | {"cpu": task.get("cpu", 0)}
    return result | {"rows": rows, "scores": scores, "remarks": remarks}


def unanswered(notes):
    """Say whether the checks met nothing but the stub's error."""
    kinds = {note.get("kind") for note in notes}
    return kinds == {"NotImplementedError"}


__all__ = ["Died", "grade", "prepare"]
