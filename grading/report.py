"""What comes out: grades.csv, totals.csv, summary.md, and nbgrader's gradebook."""

import contextlib
import csv
import io
import json
import os
import shutil
import statistics
from collections import Counter
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import SaveCells

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
    fresh.write_text(text, encoding="utf-8", newline="")
    os.replace(fresh, path)


def safe(value):
    """Return a cell of a table that no spreadsheet takes for a formula."""
    text = " ".join(value.split()) if isinstance(value, str) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in "=+-@" and text else text


def table(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([map(safe, row) for row in rows])
    return out.getvalue()


def merge(out, course, results):
    """Bring the results into out/gradebook.db; grades given by people stay."""
    path = Path(out, "gradebook.db")
    if not path.exists():
        shutil.copy(Path(course, "gradebook.db"), path)
    stems = {result["stem"] for result in results}
    with Gradebook(f"sqlite:///{path}") as gradebook:
        for stem in stems:
            gradebook.update_or_create_assignment(stem)
    for stem in stems:  # a new one, or with other checks than before
        about = {"notebook": stem, "assignment": stem, "db_url": f"sqlite:///{path}"}
        released = nbformat.read(Path(course, "release", stem, f"{stem}.ipynb"), 4)
        try:
            SaveCells().preprocess(released, {"nbgrader": about})
        except RuntimeError as error:
            raise SystemExit(f"{error}: choose another folder with --out") from None
    with Gradebook(f"sqlite:///{path}") as gradebook:
        commit = gradebook.db.commit
        gradebook.db.commit = gradebook.db.flush  # all or nothing, and once to the disk
        for result in results:
            student, stem = result["student"], result["stem"]
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission(stem, student)
            notebook = gradebook.find_submission_notebook(stem, stem, student)
            for grade in notebook.grades:
                auto = result["scores"].get(grade.name, 0)
                by_hand = grade.manual_score is not None
                if grade.auto_score != auto or not by_hand:
                    grade.auto_score = auto
                    grade.needs_manual_grade = auto is None or by_hand
        commit()


def graded(out, results, cells):
    """Put grades that people gave into the rows (cells: {(stem, exercise): [cell]}).

    Returns (notebook, student) of the pages that people's grades and comments change.
    """
    found = []
    with Gradebook(f"sqlite:///{out}/gradebook.db") as gradebook:
        for result in results:
            where = result["stem"], result["student"]
            try:
                notebook = gradebook.find_submission_notebook(where[0], *where)
            except MissingEntry:
                continue
            scores = {grade.name: grade for grade in notebook.grades}
            given = {name for name, x in scores.items() if x.manual_score is not None}
            if given or any(comment.manual_comment for comment in notebook.comments):
                found += [where] * bool(result["scores"])
            for row in result["rows"]:
                names = cells[result["stem"], row["exercise"]]
                if given & set(names):
                    mine = [scores[name] for name in names]
                    row["points"] = sum(grade.score for grade in mine)
                    row["manual"] = any(grade.needs_manual_grade for grade in mine)
                    row["status"] = "needs manual" if row["manual"] else "graded"
    return found


def counted(rows):
    """Return [[status, how many rows have it]]."""
    return sorted(Counter(row["status"] for row in rows).items())


def tables(out, results, cells, names):
    """Write tables, summary and people's grades; names: {id: the learner's name}."""
    for stem, student in graded(out, results, cells):
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
        share = [p / most * 100 if most else 0 for p in points] if there else []
        for low in range(0, 100, 20):
            count = sum(low <= s < (low + 20 if low < 80 else 101) for s in share)
            text.append(f"- {low}–{low + 20} %: {count}")
        failed = Counter(c for r in there for row in r["rows"] for c in row["failed"])
        failed = ", ".join(f"{name} ({n})" for name, n in failed.most_common(5))
        text.append(f"\nFailed most: {failed or 'none'}.\n")
        states = counted([row for r in mine for row in r["rows"]])
        states = ", ".join(f"{count} {state}" for state, count in states)
        text.append(f"Exercises: {states}.\n")
    return "\n".join(text)
