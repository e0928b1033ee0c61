"""What comes out: grades.csv, totals.csv, summary.md, and nbgrader's gradebook."""

import csv
import io
import json
import os
import shutil
import statistics
from collections import Counter
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

COLUMNS = (
    "student id notebook exercise points maximum needs_manual status reason remarks"
)


def record(file, result):
    """Append a finished result to the log, so that no crash can lose it."""
    file.write(json.dumps(result, sort_keys=True) + "\n")
    file.flush()
    os.fsync(file.fileno())


def recorded(path):
    """Return {(student, stem): result} of the log; a torn line is no result."""
    found = {}
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with open(path, "ab") as file:
            file.write(b"\n")
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            result = json.loads(line)
            found[result["student"], result["stem"]] = result
        except (ValueError, KeyError, TypeError):
            continue
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
                if grade.auto_score != auto or grade.manual_score is None:
                    grade.auto_score = auto
                    grade.needs_manual_grade = (
                        auto is None or grade.manual_score is not None
                    )
        commit()


def graded(out, results, cells):
    """Put grades that people gave into the rows (cells: {(stem, exercise): [cell]})."""
    try:
        with Gradebook(f"sqlite:///{out}/gradebook.db") as gradebook:
            for result in results:
                scores = {}
                notebook = gradebook.find_submission_notebook(
                    result["stem"], result["stem"], result["student"]
                )
                for grade in notebook.grades:
                    scores[grade.name] = grade
                for row in result["rows"]:
                    mine = [scores[c] for c in cells[result["stem"], row["exercise"]]]
                    if any(grade.manual_score is not None for grade in mine):
                        row["points"] = sum(grade.score for grade in mine)
                        row["manual"] = any(grade.needs_manual_grade for grade in mine)
                        row["status"] = "needs manual" if row["manual"] else "graded"
    except MissingEntry:
        pass


def report(out, results, names):
    """Write the tables and the summary; names: {id: the learner's name}."""
    lines, totals = (
        [COLUMNS.split()],
        [["student", "id", "notebook", "points", "maximum"]],
    )
    totals[0] += ["needs_manual", "status"]
    results = sorted(results, key=lambda r: (names[r["student"]], r["stem"]))
    for result in results:
        who = [names[result["student"]], result["student"], result["stem"]]
        remarks = "; ".join(result["remarks"])
        for row in result["rows"]:
            cells = [row["exercise"], f"{row['points']:g}", f"{row['maximum']:g}"]
            manual = "yes" if row["manual"] else "no"
            lines.append([*who, *cells, manual, row["status"], row["reason"], remarks])
        points, most = (
            sum(r[k] for r in result["rows"]) for k in ("points", "maximum")
        )
        states = Counter(row["status"] for row in result["rows"])
        text = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        manual = "yes" if any(row["manual"] for row in result["rows"]) else "no"
        totals.append([*who, f"{points:g}", f"{most:g}", manual, text])
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
        for low in range(0, 100, 20):
            share = [p / most * 100 if most else 0 for p in points]
            top = low + 20 if low < 80 else 101
            count = sum(low <= s < top for s in share) if there else 0
            text.append(f"- {low}–{low + 20} %: {count}")
        failed = Counter(c for r in there for row in r["rows"] for c in row["failed"])
        text.append(
            "\nFailed most: "
            + (
                ", ".join(
                    f"{check} ({count})" for check, count in failed.most_common(5)
                )
                or "none"
            )
            + ".\n"
        )
        states = Counter(row["status"] for r in mine for row in r["rows"])
        text.append(
            "Exercises: "
            + ", ".join(f"{n} {s}" for s, n in sorted(states.items()))
            + ".\n"
        )
    return "\n".join(text)
