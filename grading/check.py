"""Try an exercise of one's own as a compiler tries a program.

    python -m grading check my_course/temperature/temperature.ipynb

Marks and regions must be in order, the solution must pass its checks, and the stub must
fail each of them, its hidden tests alone, too. Beside the notebook, temperature.py may
hold answers, which take the place of the solution's:

    # %% softmax wrong: sums over the columns
    def softmax(scores):
        ...

where `softmax` is the ID of an answer's cell. A right one must get all the points of
the checks below it, a wrong one must lose some, with a reason that helps.
"""

import re
from pathlib import Path

import nbformat

from grading import intake, job, pool, release
from grading.book import named

REGIONS = {"SOLUTION": "answer", "HIDDEN TESTS": "check", "MARK SCHEME": "task"}
NEARLY = r"^.*\b(?:BEGIN|END)\s+(?:SOLUTION|HIDDEN\s+TEST|MARK\s+SCHEME)S?\b.*$"
NEARLY = re.compile(NEARLY, re.M | re.I)  # what somebody meant as a sign
SIGN = re.compile(r"\b(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)\b")
BROKEN = re.compile(r"\b(SyntaxError|IndentationError|NameError)\b")


def marks(notebook):
    """Yield (cell, what is wrong with it) as far as reading shows."""
    answer, taken, most = None, set(), 0
    for number, cell in enumerate(notebook.cells, 1):
        kind, mark = intake.role(cell), cell.metadata.get("nbgrader", {})
        name = mark.get("grade_id") or f"cell {number}"
        for line in NEARLY.findall(cell.source):
            if not SIGN.search(line):
                yield name, f"{line.strip()!r} is no sign: students get what it hides"
        found = SIGN.findall(cell.source)
        for region, place in REGIONS.items():
            signs = [sign for sign, which in found if which == region]
            if signs and kind != place:
                yield name, f"has a region {region}, but is not marked as {place}"
            if signs != ["BEGIN", "END"] * (len(signs) // 2):
                yield name, f"the signs BEGIN and END of {region} do not pair"
        if name in taken:
            yield name, "another cell has this ID"
        taken.add(name)
        if kind in ("check", "task") or mark.get("grade"):
            most += mark.get("points") or 0
            if not mark.get("points"):
                yield name, "has no points"
        if kind == "answer":
            answer = name
        elif kind == "check" and not answer:
            yield name, "there is no answer above it"
    if not most:
        yield "the notebook", "no cell has points: mark them (Create Assignment)"


def trials(path, options, work, library, line):
    """Return ({trial: result}, the graded checks by answer, what is handed out)."""
    name, course = named(path.parent.name, path.stem), Path(work, "course")
    about = job.prepare(course, path.parents[1], {name: path}, library, {name})
    common = job.common(options, work, library, Path(work, "tried"))
    common |= {"stem": name, "key": "", "about": about[name], "remarks": []}
    handed, todo = release.read(course / "release", name), []
    solved = nbformat.read(path, as_version=4)
    made = {"the solution": solved, "the stub": handed, "hidden tests": handed}
    for answer, kind, label, text in release.answers(path.with_suffix(".py")):
        made[f"{answer} {kind}: {label}"] = other = nbformat.from_dict(solved)
        for cell in other.cells:
            if intake.grade_id(cell) == answer:
                cell.source = text
    for number, (trial, notebook) in enumerate(made.items()):
        file = Path(work, f"{number}.ipynb")
        nbformat.write(notebook, file)
        task = {"student": f"trial-{number}", "path": str(file)}
        todo.append(common | task | {"lenient": trial == "hidden tests"})
    names = {task["student"]: trial for task, trial in zip(todo, made, strict=True)}
    line.send((todo, options))
    results = {names[r["student"]]: r for r in pool.results(line, todo)}
    return {trial: results[trial] for trial in made}, about[name], handed


def judged(results, about, handed):
    """Yield (is it an error?, cell, what the trials have shown)."""
    cells = {intake.grade_id(c): c for c in handed.cells}
    program = [c for *_, names, _, _ in about["exercises"] for c in names]
    program = [c for c in program if intake.role(cells[c]) == "check"]
    whole = {c: cells[c].metadata.nbgrader.points for c in program}
    rows = {
        trial: {row["exercise"]: row for row in result["rows"]}
        for trial, result in results.items()
    }
    for trial, result in results.items():
        answer, _, rest = trial.partition(" ")
        if result.get("again"):
            yield True, trial, result["rows"][0]["reason"]
            return
        if trial not in ("the solution", "the stub", "hidden tests"):
            row = rows[trial].get(answer)
            if not row:
                yield True, answer, f"no answer of the notebook has this ID ({rest})"
                continue
            mine = [c for c in program if c in dict(exercise_cells(about))[answer]]
            got = sum(result["scores"].get(c) or 0 for c in mine)
            most = sum(whole[c] for c in mine)
            right = rest.startswith("right")
            if not right and BROKEN.search(row["reason"] or ""):
                yield True, answer, f"{rest} tries no check; {row['reason']}"
                continue
            bad = (got < most) == right
            reason = f"; {row['reason']}" * bool(row["reason"])
            yield bad, answer, f"{rest} gets {got:g} of {most:g}{reason}"
    for name, names in exercise_cells(about):
        solved = rows["the solution"][name]
        for cell in [x for x in names if x in whole]:
            if results["the solution"]["scores"].get(cell) != whole[cell]:
                reason = solved["failed"].get(cell, solved["reason"])
                yield True, cell, f"the solution does not pass: {reason}"
            if results["the stub"]["scores"].get(cell):
                yield True, cell, "the stub passes"
            elif results["hidden tests"]["scores"].get(cell) and intake.hidden(
                cells[cell].source
            ):
                yield True, cell, "the hidden tests alone pass on the stub"
        if set(names) & whole.keys() and "raise" not in cells[name].source:
            yield False, name, "what is handed out does not raise"


def unsigned(path, handed):
    """Yield the answers of which students get not even the line with def or class."""
    begins, cells = re.compile(r"^(?:def|class) \w+", re.M), handed.cells
    given = {intake.grade_id(c) for c in cells if begins.search(c.source)}
    for cell in nbformat.read(path, as_version=4).cells:
        first, name = begins.search(cell.source), intake.grade_id(cell)
        if intake.role(cell) == "answer" and first and name not in given:
            told = f"students do not get {first[0]!r}"
            yield False, name, f"{told}: ### BEGIN SOLUTION belongs below it"


def exercise_cells(about):
    return [(answer, names) for answer, names, *_ in about["exercises"]]


def check(options, *places):
    """Print what is wrong with a notebook; return the exit code."""
    path = Path(options.folder).resolve()
    found = [(True, *x) for x in marks(nbformat.read(path, as_version=4))]
    counts = {}
    if not found:
        try:
            for answer, kind, *_ in release.answers(path.with_suffix(".py")):
                counts.setdefault(answer, []).append(kind)
            *tried, handed = trials(path, options, *places)
            found = [*unsigned(path, handed), *judged(*tried, handed)]
        except job.Failed as error:
            found = [(True, "the notebook", str(error))]
    for bad, cell, text in found:
        print(f"{path.name}: {cell}: {'error: ' * bad}{text}")
    for answer, kinds in counts.items():
        right, wrong = kinds.count("right"), kinds.count("wrong")
        if right < 2 or wrong < 3:
            told = f"{right} right and {wrong} wrong answers"
            print(f"{path.name}: {answer}: {told}: write two and three, or more")
    beside = path.with_suffix(".py")
    if not beside.exists():
        print(f"No {beside.name} beside it: no answer was tried")
    elif not release.BLOCK.search(beside.read_text("utf-8-sig")):
        print(f"{beside.name} holds no answer: no answer was tried, it is handed out")
    errors = sum(bad for bad, *_ in found)
    print(f"{errors} error{'s' * (errors != 1)}" if errors else "In order")
    return 1 if errors else 0
