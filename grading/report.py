"""What comes out: tables, summary.md, and nbgrader's gradebook.

grades.csv has a row for each exercise, totals.csv for each notebook, course.csv for
each learner.
"""

import contextlib
import csv
import functools
import io
import json
import os
import re
import statistics
from collections import Counter, defaultdict
from operator import itemgetter
from pathlib import Path

import nbformat
from nbgrader import api
from nbgrader.preprocessors import SaveCells
from sqlalchemy import insert
from sqlalchemy import text as sql

from grading import release
from grading.book import named, place
from grading.scratch import write

TOTALS = "student id notebook points maximum needs_manual status"
COLUMNS = TOTALS.replace("points", "exercise points") + " reason remarks"
EARLIER = "On an earlier answer: "  # what a comment on another text begins with
MOST = 20  # names in a line
ANSWERS = "answer (student, stem, cell, digest, PRIMARY KEY (student, stem, cell))"


def version():
    """Return the gradebook's version, which nbgrader asks a program of seconds for."""
    files = Path(api.__file__).parent.glob("alembic/versions/*.py")
    text = "\n".join(path.read_text() for path in files)
    named = re.findall(r"^(?:down_)?revision = \W(\w+)", text, re.M)
    (last,) = (name for name in named if named.count(name) == 1)  # none goes on from it
    return last


api.get_alembic_version = version


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


FORMULA = re.compile(r"(^|[;,|]\s*)(?=[=+\-@＝＋－＠])")  # wherever one may split


@functools.lru_cache(None, typed=True)  # 1 is not 1.0
def safe(value):
    """Return a cell of a table that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    return FORMULA.sub(r"\1'", " ".join(value.split()))


def written(rows):
    """Return rows as the text of a CSV file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def table(rows):
    return written([map(safe, row) for row in rows])


def every(gradebook, kind, column, names):
    """Yield (student, notebook, cell, column) of all grades, or of all comments."""
    about = api.SubmittedAssignment.student_id, api.Assignment.name, api.Notebook.name
    query = gradebook.db.query(*about, api.BaseCell.name, column).select_from(kind)
    query = query.join(kind.cell).join(kind.notebook)
    query = query.join(api.SubmittedNotebook.notebook).join(api.Notebook.assignment)
    query = query.join(api.SubmittedNotebook.assignment)
    for student, assignment, notebook, *rest in query:
        if (name := named(assignment, notebook)) in names:
            yield student, name, *rest


def absent(result):
    """Say whether nothing was handed in."""
    return not result["scores"] and result["rows"][0]["status"] == "missing"


def listed(names):
    """Return names for a line, the first ones of many."""
    names = sorted(names)
    more = f", and {len(names) - MOST} more" * (len(names) > MOST)
    return ", ".join(names[:MOST]) + more


def without(results, names):
    """Say, for each notebook that somebody handed in, who did not."""
    for stem in sorted({r["stem"] for r in results if not absent(r)}):
        mine = [r for r in results if r["stem"] == stem and absent(r)]
        if mine:
            yield f"{stem}: nothing from {listed(names[r['student']] for r in mine)}"


def opened(out):
    """Return out/gradebook.db, which is to be closed."""
    return api.Gradebook(f"sqlite:///{out}/gradebook.db")


def enter(gradebook, course, handed, names):
    """Let a gradebook have an assignment for each notebook.

    The cells of those that somebody handed in are saved there, if they have changed:
    nbgrader takes a fifth of a second for each.
    """
    for name in names:
        gradebook.update_or_create_assignment(place(name)[0])
    for name in sorted(handed):
        assignment, notebook = place(name)
        released = release.read(Path(course, "release"), name)
        marks = [cell.metadata.get("nbgrader", {}) for cell in released.cells]
        marks = {x["grade_id"]: x["checksum"] for x in marks if "checksum" in x}
        with contextlib.suppress(api.MissingEntry):
            known = gradebook.find_notebook(notebook, assignment).source_cells
            if marks == {cell.name: cell.checksum for cell in known}:
                continue
        about = {"notebook": notebook, "assignment": assignment}
        about["db_url"] = str(gradebook.engine.url)
        try:
            SaveCells().preprocess(released, {"nbgrader": about})
        except RuntimeError as error:
            raise SystemExit(f"{error}: choose another folder with --out") from None
    gradebook.db.commit()  # nbgrader has written past it: it looks again


def merge(gradebook, results, names):
    """Bring the results into the gradebook; grades given by people stay.

    Where the answer is another one than they are about, they need another look.
    What was not handed in gets no submission there, as is nbgrader's way.
    names: of the notebooks.
    """
    results = [result for result in results if not result.get("again")]
    scores = {(r["student"], r["stem"]): r["scores"] for r in results}
    gone = {(r["student"], r["stem"]) for r in results if absent(r)}
    db, there = gradebook.db, set()
    other = answered(db, results)
    for student, stem, cell, grade in every(gradebook, api.Grade, api.Grade, names):
        there.add((student, stem))
        auto = scores.get((student, stem), {}).get(cell, 0)
        by_hand = grade.manual_score is not None
        new = grade.auto_score != auto or (student, stem, cell) in other
        if (student, stem) in scores and (new or not by_hand):
            grade.auto_score = auto
            grade.needs_manual_grade = auto is None or by_hand
    kind = api.Comment, api.Comment
    for *key, said in every(gradebook, *kind, names) if other else ():
        text = said.manual_comment
        if text and tuple(key) in other and not text.startswith(EARLIER):
            said.manual_comment = EARLIER + text
    known = {student for (student,) in db.query(api.Student.id)}
    db.add_all(api.Student(id=x) for x in {x for x, _ in scores} - known)
    every_one = db.query(api.Notebook)
    notebooks = {named(x.assignment.name, x.name): x for x in every_one}
    query = db.query(api.SubmittedAssignment)
    wholes = {(x.student_id, x.assignment_id): x for x in query}
    rows = defaultdict(list)
    for student, name in sorted(scores.keys() - gone - there):
        key = student, notebooks[name].assignment_id
        if key not in wholes:
            pair = {"student_id": student, "assignment_id": key[1]}
            wholes[key] = api.SubmittedAssignment(id=api.new_uuid(), **pair)
            db.add(wholes[key])
        entry(rows, notebooks[name], wholes[key].id, scores[student, name])
    db.flush()
    for kind, made in rows.items():
        db.execute(insert(kind), made)
    db.commit()  # all or nothing


def answered(db, results):
    """Note in the gradebook what the answers are; return the keys of other ones."""
    db.execute(sql(f"CREATE TABLE IF NOT EXISTS {ANSWERS}"))
    known = {tuple(key): x for *key, x in db.execute(sql("SELECT * FROM answer"))}
    now = {
        (result["student"], result["stem"], cell): digest
        for result in results
        for cell, digest in result.get("answers", {}).items()
    }
    new = {key: digest for key, digest in now.items() if known.get(key) != digest}
    fill = sql("INSERT OR REPLACE INTO answer VALUES (:a, :b, :c, :d)")
    if rows := [dict(zip("abcd", (*k, x), strict=True)) for k, x in new.items()]:
        db.execute(fill, rows)
    return new.keys() & known


def entry(rows, notebook, whole, scores):
    """Add the rows that nbgrader's add_submission makes of one notebook of several."""
    part = api.new_uuid()
    about = {"id": part, "notebook_id": notebook.id, "assignment_id": whole}
    rows[api.SubmittedNotebook].append(about)
    for cell in (*notebook.grade_cells, *notebook.task_cells):
        auto = scores.get(cell.name, 0)
        grade = {"auto_score": auto, "needs_manual_grade": auto is None}
        rows[api.Grade].append(grade | {"cell_id": cell.id, "notebook_id": part})
    for cell in (*notebook.solution_cells, *notebook.task_cells):
        rows[api.Comment].append({"cell_id": cell.id, "notebook_id": part})


def graded(out, gradebook, results, cells):
    """Put grades that people gave into the rows, and those with comments on the pages.

    A grade that needs another look counts what the program gives.
    cells: {(notebook, exercise): [cell]}.
    """
    grades, said = {}, {}
    names = {result["stem"] for result in results}
    for student, name, cell, x in every(gradebook, api.Grade, api.Grade, names):
        grades.setdefault((student, name), {})[cell] = x
    kind = api.Comment, api.Comment.manual_comment
    for student, name, cell, text in every(gradebook, *kind, names):
        if text:
            said.setdefault((student, name), {})[cell] = text
    for result in results:
        who = result["student"], result["stem"]
        mine = grades.get(who, {})
        given = {name for name, x in mine.items() if x.manual_score is not None}
        scores = {
            cell: grade.auto_score if grade.needs_manual_grade else grade.score
            for cell, grade in mine.items()
        }
        if result["scores"] and (given or who in said):
            rewrite(out, *who, scores, said.get(who))
        for row in result["rows"]:
            checks = cells[result["stem"], row["exercise"]]
            own = [mine[name] for name in checks if name in given]
            again = [grade for grade in own if grade.needs_manual_grade]
            if not own or (again and not result["scores"]):  # nothing to look at
                continue
            row["points"] = sum(scores[name] or 0 for name in checks)
            row["manual"] = any(mine[x].needs_manual_grade for x in checks)
            row["status"] = "needs manual" if row["manual"] else "graded"
            if again:
                gave = sum(grade.score for grade in again)
                row["reason"] = f"changed since a person gave {gave:g}"


def rewrite(out, student, name, scores, comments):
    """Write a page again, with what people have given and said."""
    assignment, stem = place(name)
    from grading.page import page

    path = Path(out, "autograded", student, assignment, f"{stem}.ipynb")
    text = page(stem, nbformat.read(path, as_version=4), scores, comments)
    write(Path(out, "feedback", student, assignment, f"{stem}.html"), text)


def counted(rows):
    """Return [[status, how many rows have it]]."""
    return sorted(Counter(row["status"] for row in rows).items())


def tables(out, gradebook, results, cells, people, released):
    """Write tables, summary and people's grades; return what to tell.

    people: {id: [the learner's name, what the roster calls the learner]};
    released: {notebook: its weight, None for its points}, what counts.
    """
    graded(out, gradebook, results, cells)
    for name in released:  # formgrader looks for these
        Path(out, "source", place(name)[0]).mkdir(parents=True, exist_ok=True)
    lines, totals = [COLUMNS.split()], [[*TOTALS.split(), "page"]]
    told, waiting = [], Counter()
    results = sorted(results, key=lambda r: (people[r["student"]], r["stem"]))
    for result in results:
        who = [*people[result["student"]], result["stem"]]
        rows, remarks = result["rows"], "; ".join(result["remarks"])
        for row in rows:
            gained = [row["exercise"], f"{row['points']:g}", f"{row['maximum']:g}"]
            manual = "yes" if row["manual"] else "no"
            lines.append([*who, *gained, manual, row["status"], row["reason"], remarks])
            if row["manual"] and row["reason"]:
                told.append(f"{who[0]}: {who[2]}, {row['exercise']}: {row['reason']}")
        sums = [f"{sum(row[k] for row in rows):g}" for k in ("points", "maximum")]
        manual = "yes" if any(row["manual"] for row in rows) else "no"
        waiting[result["stem"]] += manual == "yes"
        text = ", ".join(f"{count} {state}" for state, count in counted(rows))
        page = f"feedback/{result['student']}/{'/'.join(place(who[2]))}.html"
        here = not absent(result) and os.path.exists(Path(out, page))
        totals.append([*who, *sums, manual, text, page * here])
    write(Path(out, "grades.csv"), table(lines))
    told += moved(Path(out, "totals.csv"), totals)
    write(Path(out, "totals.csv"), table(totals))
    write(Path(out, "course.csv"), table(course(results, people, released)))
    write(Path(out, "summary.md"), summary(results))
    wait = "wait for a person to grade texts: so far without them"
    return [*told, *(f"{stem}: {n} {wait}" for stem, n in waiting.items() if n)]


def moved(path, totals):
    """Return whose points are others than a table says."""
    if not path.exists():
        return []
    key = itemgetter("student", "id", "notebook")
    lines = path.read_text("utf-8").splitlines()
    old = {key(row): row for row in csv.DictReader(lines)}
    now = [dict(zip(totals[0], map(safe, row), strict=True)) for row in totals[1:]]
    pairs = [(old[key(row)], row) for row in now if key(row) in old]
    told = [
        f"{a['student']}: {a['notebook']}: {a['points']} -> {b['points']}"
        for a, b in pairs
        if a["points"] != b["points"]
    ]
    return ["Points changed: " + ("; ".join(told) or "nobody's")]


def course(results, people, released):
    """Return the rows of course.csv: a learner's points by notebook, and in percent.

    A notebook counts by its maximum, or, once any has a weight, by that (else 1).
    """
    weighted = any(weight is not None for weight in released.values())
    points, most, open_ = {}, dict.fromkeys(released, 0), set()
    for result in results:
        key = result["student"], result["stem"]
        points[key] = sum(row["points"] for row in result["rows"])
        most[result["stem"]] = sum(row["maximum"] for row in result["rows"])
        open_ |= {key[0]} if any(row["manual"] for row in result["rows"]) else set()
    weights = {n: 1 if w is None else w for n, w in released.items()}
    weights = weights if weighted else most
    whole = sum(weight for name, weight in weights.items() if most[name])
    rows = [["student", "id", *released, "percent", "needs_manual"]]
    for student in sorted({x for x, _ in points}, key=people.get):
        mine = {name: points.get((student, name), 0) for name in released}
        share = sum(weights[n] * mine[n] / most[n] for n in mine if most[n])
        share = round(100 * share / whole, 2) if whole else 0
        manual = "yes" if student in open_ else "no"
        gained = [f"{x:g}" for x in (*mine.values(), share)]
        rows.append([*people[student], *gained, manual])
    return rows


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
