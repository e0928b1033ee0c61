"""What comes out: grades.csv, totals.csv, summary.md, and nbgrader's gradebook."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import statistics
from collections import Counter
from pathlib import Path

import nbformat
from nbgrader import api
from nbgrader.preprocessors import SaveCells
from sqlalchemy import insert
from sqlalchemy.orm import with_polymorphic

from grading import job

TOTALS = "student id notebook points maximum needs_manual status"
COLUMNS = TOTALS.replace("points", "exercise points") + " reason remarks"


def record(file, *results):
    """Append finished results to the log, so that no crash can lose them."""
    file.writelines(json.dumps(result, sort_keys=True) + "\n" for result in results)
    file.flush()
    os.fsync(file.fileno())


def recorded(path):
    """Return {(student, stem): result} of the log; a torn line is no result."""
    found, log = {}, path.read_bytes() if path.exists() else b"\n"
    if not log.endswith(b"\n"):
        with open(path, "ab") as file:
            file.write(b"\n")
    for line in log.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            result = json.loads(line)
            found[result["student"], result["stem"]] = result
    return found


def write(path, text):
    """Write a file whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


FORMULA = re.compile(r"(^|[;,|]\s*)(?=[=+\-@＝＋－＠])")  # wherever one may split


def safe(value):
    """Return a cell of a table that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    return FORMULA.sub(r"\1'", " ".join(value.split()))


def table(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([map(safe, row) for row in rows])
    return out.getvalue()


def every(gradebook, kind, column, stems):
    """Query (student, stem, cell, column) of all grades, or of all comments."""
    names = api.SubmittedAssignment.student_id, api.Notebook.name, api.BaseCell.name
    query = gradebook.db.query(*names, column).select_from(kind)
    query = query.join(kind.cell).join(kind.notebook)
    query = query.join(api.SubmittedNotebook.notebook)
    query = query.join(api.SubmittedNotebook.assignment)
    return query.where(api.Notebook.name.in_(stems))


def structure(path):
    """Return {stem: {(cell, kind, points)}} of a gradebook."""
    found = {}
    with api.Gradebook(f"sqlite:///{path}") as gradebook:
        for cell in gradebook.db.query(with_polymorphic(api.BaseCell, "*")):
            about = cell.name, cell.type, getattr(cell, "max_score", None)
            found.setdefault(cell.notebook.name, set()).add(about)
    return found


def merge(out, course, results):
    """Bring the results into out/gradebook.db; grades given by people stay.

    What was not handed in gets no submission there, as is nbgrader's way.
    """
    path, made = Path(out, "gradebook.db"), Path(course, "gradebook.db")
    if not path.exists():
        shutil.copy(made, path.with_suffix(".new"))
        os.replace(path.with_suffix(".new"), path)
    new, old = structure(made), structure(path)
    for stem in {stem for stem in new if new[stem] != old.get(stem)}:
        with api.Gradebook(f"sqlite:///{path}") as gradebook:
            gradebook.update_or_create_assignment(stem)
        about = {"notebook": stem, "assignment": stem, "db_url": f"sqlite:///{path}"}
        released = nbformat.read(Path(course, "release", stem, f"{stem}.ipynb"), 4)
        try:
            SaveCells().preprocess(released, {"nbgrader": about})
        except RuntimeError as error:
            raise SystemExit(f"{error}: choose another folder with --out") from None
    scores = {(r["student"], r["stem"]): r["scores"] for r in results}
    absent = {
        (r["student"], r["stem"])
        for r in results
        if not r["scores"] and r["rows"][0]["status"] == "missing"
    }
    with api.Gradebook(f"sqlite:///{path}") as gradebook:
        db, there = gradebook.db, set()
        for student, stem, cell, grade in every(gradebook, api.Grade, api.Grade, new):
            there.add((student, stem))
            auto = scores.get((student, stem), {}).get(cell, 0)
            by_hand = grade.manual_score is not None
            if (student, stem) in scores and (grade.auto_score != auto or not by_hand):
                grade.auto_score = auto
                grade.needs_manual_grade = auto is None or by_hand
        known = {student for (student,) in db.query(api.Student.id)}
        db.add_all(api.Student(id=x) for x in {x for x, _ in scores} - known)
        notebooks = {notebook.name: notebook for notebook in db.query(api.Notebook)}
        db.flush()
        added = scores.keys() - absent - there
        rows = [x for s, n in added for x in entry(notebooks[n], s, scores[s, n])]
        for kind in dict.fromkeys(kind for kind, _ in rows):
            db.execute(insert(kind), [row for k, row in rows if k is kind])
        db.commit()  # all or nothing


def entry(notebook, student, scores):
    """Yield (table, row) as nbgrader's add_submission makes them, which is slow."""
    whole, part = api.new_uuid(), api.new_uuid()
    names = {"assignment_id": notebook.assignment_id, "student_id": student}
    yield api.SubmittedAssignment, {"id": whole} | names
    names = {"assignment_id": whole, "notebook_id": notebook.id}
    yield api.SubmittedNotebook, {"id": part} | names
    for cell in notebook.grade_cells:
        auto = scores.get(cell.name, 0)
        row = {"auto_score": auto, "needs_manual_grade": auto is None}
        yield api.Grade, {"cell_id": cell.id, "notebook_id": part} | row
    for cell in notebook.solution_cells:
        yield api.Comment, {"cell_id": cell.id, "notebook_id": part}


def graded(out, results, cells):
    """Put grades that people gave into the rows (cells: {(stem, exercise): [cell]}).

    Returns (notebook, student) of the pages that people's grades and comments change.
    """
    found, grades = [], {}
    stems = {result["stem"] for result in results}
    with api.Gradebook(f"sqlite:///{out}/gradebook.db") as gradebook:
        for student, stem, cell, x in every(gradebook, api.Grade, api.Grade, stems):
            grades.setdefault((student, stem), {})[cell] = x
        said = api.Comment.manual_comment
        comments = every(gradebook, api.Comment, said, stems)
        touched = {(student, stem) for student, stem, _, text in comments if text}
        for result in results:
            who = result["student"], result["stem"]
            mine = grades.get(who, {})
            given = {name for name, x in mine.items() if x.manual_score is not None}
            if result["scores"] and (given or who in touched):
                found.append(who)
            for row in result["rows"]:
                names = cells[result["stem"], row["exercise"]]
                if given & set(names):
                    scores = [mine[name] for name in names]
                    row["points"] = sum(grade.score for grade in scores)
                    row["manual"] = any(grade.needs_manual_grade for grade in scores)
                    row["status"] = "needs manual" if row["manual"] else "graded"
    return found


def counted(rows):
    """Return [[status, how many rows have it]]."""
    return sorted(Counter(row["status"] for row in rows).items())


def tables(out, results, cells, names):
    """Write tables, summary and people's grades; names: {id: the learner's name}."""
    for student, stem in graded(out, results, cells):
        job.feedback(out.resolve(), stem, student)
    for stem in {result["stem"] for result in results}:  # formgrader looks for these
        Path(out, "source", stem).mkdir(parents=True, exist_ok=True)
    lines, totals = [COLUMNS.split()], [TOTALS.split()]
    results = sorted(results, key=lambda r: (names[r["student"]], r["stem"]))
    for result in results:
        who = [names[result["student"]], result["student"], result["stem"]]
        rows, remarks = result["rows"], "; ".join(result["remarks"])
        for row in rows:
            cells = [row["exercise"], f"{row['points']:g}", f"{row['maximum']:g}"]
            manual = "yes" if row["manual"] else "no"
            lines.append([*who, *cells, manual, row["status"], row["reason"], remarks])
        sums = [f"{sum(row[k] for row in rows):g}" for k in ("points", "maximum")]
        manual = "yes" if any(row["manual"] for row in rows) else "no"
        text = ", ".join(f"{count} {state}" for state, count in counted(rows))
        totals.append([*who, *sums, manual, text])
    write(Path(out, "grades.csv"), table(lines))
    write(Path(out, "totals.csv"), table(totals))
    write(Path(out, "summary.md"), summary(results))


def summary(results):
    """Return in words: points' distribution, and which check failed most."""
    text = ["# Summary\n"]
    for stem in sorted({result["stem"] for result in results}):
        mine = [result for result in results if result["stem"] == stem]
        there = [r for r in mine if r["scores"]]
        points = [sum(row["points"] for row in r["rows"]) for r in there] or [0]
        most = sum(row["maximum"] for row in mine[0]["rows"])
        text.append(f"## {stem}\n")
        text.append(
            f"{len(there)} graded of {len(mine)}; points of {most:g}: median "
            f"{statistics.median(points):g}, from {min(points):g} to {max(points):g}.\n"
        )
        fifths = Counter(min(int(p / most * 5), 4) if most else 0 for p in points)
        for n in range(5):
            count = fifths[n] if there else 0
            text.append(f"- {n * 20}–{n * 20 + 20} %: {count}")
        failed = Counter(c for r in there for row in r["rows"] for c in row["failed"])
        failed = ", ".join(f"{name} ({n})" for name, n in failed.most_common(5))
        text.append(f"\nFailed most: {failed or 'none'}.\n")
        states = counted([row for r in mine for row in r["rows"]])
        states = ", ".join(f"{count} {state}" for state, count in states)
        text.append(f"Exercises: {states}.\n")
    return "\n".join(text)
