"""Grade one submission, and leave its notebook and its page."""

import ast
import contextlib
import functools
import re
import shutil
import tempfile
from pathlib import Path

import nbformat

from grading import intake, release
from grading.book import NUMPY, SHARED, TORCH, place
from grading.bridge.sandbox import Limits, Process
from grading.reading import bound, changed, parsed
from grading.release import Failed
from grading.scratch import write

MOST = 20  # remarks of a row
RUBRIC = "### The source's answer and rubric, which students do not see"
LEFT = re.compile(r"^\s+raise NotImplementedError(\(\))?\s*(#.*)?$", re.M)


def prepare(folder, source, paths, library, handed_in):
    """Make what every job reads: folder/release, where the checks are whole.

    paths: {name: path}; what else is in an assignment's folder goes to where learners'
    processes find it, library/files/ASSIGNMENT. handed_in: names of what is graded; of
    the others only the exercises are told.
    Returns {name: {"names": …, "torch": …, "imports": …, "exercises": …}}.
    """
    found = {}
    for name, path in paths.items():
        cells = nbformat.read(path, as_version=4).cells
        found[name] = {
            "exercises": exercises(cells),
            "handed": release.handed_out(source, name),
        }
        if name not in handed_in:
            continue
        assignment, _ = place(name)
        made = Path(folder, "release", assignment)
        release.generate(source, name, made.parent, whole=True)
        solution = Path(folder, "solution", assignment, path.name)
        solution.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, solution)
        if {x.suffix for x in made.iterdir()} - {".ipynb"}:
            copied(made, Path(library, "files", assignment))
        code = [(c, parsed(c.source)) for c in cells if c.cell_type == "code"]
        answers = [(c, body) for c, body in code if intake.role(c) == "answer"]
        answers = {intake.grade_id(c): body for c, body in answers}
        imports = ast.Import, ast.ImportFrom
        found[name] |= {
            "names": {key: bound(body) for key, body in answers.items()},
            "changed": {key: changed(body) for key, body in answers.items()},
            "heads": {
                key: "\n".join(ast.unparse(x) for x in body if isinstance(x, imports))
                for key, body in answers.items()
            },
            "special": sorted({x for body in answers.values() for x in methods(body)}),
            "torch": any("torch" in c.source for c, _ in code),
            "imports": sorted(
                {x for _, body in code for x in imported(body)}
                - {path.stem for path in made.iterdir()}  # beside the notebook
            ),
        }
    return found


def common(options, work, library, out):
    """Return what all tasks of a run have in common; work/course: what was prepared."""
    limits = {name: getattr(options, name) for name in Limits.__annotations__}
    paths = {"course": work / "course", "out": out, "library": library, "work": work}
    paths = {name: str(path) for name, path in paths.items()}
    return paths | {"limits": limits, "unsafe": options.unsafe, "secret": ""}


def copied(folder, target):
    """Copy what a folder holds besides notebooks; return the target."""
    ignore = shutil.ignore_patterns("*.ipynb")
    return shutil.copytree(folder, target, ignore=ignore, dirs_exist_ok=True)


def modules(about):
    """Return what the fork server of a notebook's learners has ready."""
    plain = ("attend.attention", "attend.check")
    heavy = any(x.startswith("attend.") and x not in plain for x in about["imports"])
    return TORCH if about["torch"] or heavy else NUMPY


def methods(statements):
    """Yield the special methods of classes that the source's own answers define."""
    for node in ast.walk(ast.Module(statements, [])):
        if isinstance(node, ast.ClassDef):
            made = " ".join(map(ast.unparse, node.decorator_list))
            yield from ("__eq__", "__repr__") if "dataclass" in made else ()
            if "order" in made:  # dataclass(order=True), total_ordering
                yield from ("__lt__", "__le__")
            for part in node.body:
                name = getattr(part, "name", "")
                yield from [name] * (name[:2] == name[-2:] == "__")


def imported(statements):
    """Yield the modules that statements import."""
    for node in ast.walk(ast.Module(statements, [])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            part = node.module == "attend"
            yield from (f"attend.{x.name}" for x in node.names if part)
            yield node.module


def exercises(cells):
    """Return [[answer, [its graded cells], points, manual]] in the notebook's order."""
    found, answer = {}, None
    for cell in cells:
        mark, kind = cell.metadata.get("nbgrader", {}), intake.role(cell)
        name = mark.get("grade_id")
        if kind in ("answer", "task"):
            answer = name
        if mark.get("grade") or kind == "task":
            row = found.setdefault(answer or name, [answer or name, [], 0, False])
            row[1].append(name)
            row[2] += mark.get("points", 0)
            row[3] |= kind != "check" or cell.cell_type != "code"
    return list(found.values())


def grade(task):
    """Grade a submission; return its result as plain data, and leave its files.

    task: student, stem, path, course, out, about (what prepare returned), limits,
    secret, unsafe, library, work (a folder for temporary ones).
    """
    about = task["about"]
    try:
        cells = intake.load(task["path"])
    except intake.Unreadable as error:
        return unreadable(task, str(error))
    before = release.read(Path(task["course"], "release"), task["stem"])
    given = before, cells, about["names"], about["handed"]
    notebook, remarks = intake.graft(*given)
    written = answers(notebook)
    stubs = {intake.grade_id(c): c for c in before.cells if intake.grade_id(c)}
    cells = {intake.grade_id(c): c for c in notebook.cells if intake.grade_id(c)}
    same = {name for name in stubs if unchanged(cells[name], stubs[name])}
    left = {name for name in stubs if LEFT.search(cells[name].source)}
    changing = functools.cache(lambda: in_place(task))
    runner = run(task, notebook, lambda name: name in changing())
    marked = {name: cell for name, cell in cells.items() if graded(cell)}
    scores = {name: score(cell, stubs[name]) for name, cell in marked.items()}
    publish(task, notebook, scores)
    made = outcome(task, scores, runner.report, remarks, same=same, left=left)
    made["answers"] = written
    return made | {"outside": True} if runner.outside else made


def unreadable(task, reason):
    """Return the result of a file that is no notebook; its page says so."""
    notebook = release.read(Path(task["course"], "release"), task["stem"])
    told = f"No points: your file cannot be read. {reason[:1].upper()}{reason[1:]}"
    scores = {x: 0 for *_, names, _, _ in task["about"]["exercises"] for x in names}
    publish(task | {"told": [*task.get("told", ()), told]}, notebook, scores)
    return outcome(task, {}, {}, [], "unreadable", reason)


def answers(notebook):
    """Return {grade_id: a hash of the answer that it is about, and what follows}."""
    parts = [([], [])]
    for cell in notebook.cells:
        kind, name = intake.role(cell), intake.grade_id(cell)
        if kind in ("answer", "task"):
            parts.append(([], []))
        parts[-1][0].append(name)
        parts[-1][1].extend([cell.source] * (kind in ("answer", "scratch")))
    made = [(names, intake.digest("\n".join(texts))) for names, texts in parts]
    return {name: text for names, text in made for name in names if name}


def run(task, notebook, in_place):
    """Run a notebook in place, in two processes; return what ran it."""
    from grading.bridge.session import Learner
    from grading.execute import TwoProcesses

    about, limits = task["about"], Limits(**task["limits"])
    options = task["library"], limits, task["unsafe"], modules(about)
    start, asked = (lambda: Process(*options)), about["special"]
    learner = Learner(start, about["torch"], SHARED, asked)
    with tempfile.TemporaryDirectory(dir=task["work"]) as folder:
        given = about, limits, task["secret"], *files(folder, task)
        runner = TwoProcesses(learner, *given)
        runner.lenient, runner.in_place = task.get("lenient", False), in_place
        try:
            runner(notebook)
        except Exception as error:
            cause = str(error) or type(error).__name__
            raise Failed(f"at the cell {runner.at}: {cause}") from error
        finally:
            learner.close()
    return runner


def in_place(task):
    """Return the checks that the solution passes by what it does to its arguments."""
    found, solution = [], release.read(Path(task["course"], "solution"), task["stem"])

    def note(name):
        found.append(name)
        return True

    with contextlib.suppress(Failed):
        run(task | {"lenient": False}, solution, note)
    return found


def graded(cell):
    mark = cell.metadata.nbgrader
    return mark.get("grade") or mark.get("task")


def score(cell, stub):
    """Return a cell's points by nbgrader's rules, None when a person must grade."""
    mark = cell.metadata.nbgrader
    if mark.get("solution") and cell.source == stub.source:
        return 0
    if intake.role(cell) != "check" or cell.cell_type != "code":
        return None
    for output in cell.outputs:
        if output.output_type == "error":
            return 0
        if output.output_type == "execute_result":  # partial credit
            return float(output.data["text/plain"])
    return float(mark.points)


def attempt(task):
    """Grade, and make a result of whatever goes wrong in the grader itself."""
    try:
        return grade(task)
    except Failed as error:
        return failed(task, f"the grader failed {error}")
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


def files(folder, task):
    """Return where the assignment's other files are, and how the learner gets them."""
    assignment, _ = place(task["stem"])
    there = Path(task["library"], "files", assignment)
    copied(Path(task["course"], "release", assignment), folder)
    if not there.exists():
        return folder, ()
    if task["unsafe"]:
        get = f"__import__('os').chdir({str(there)!r})"
    else:
        there = Path("/library", "files", assignment)
        get = f"__import__('shutil').copytree({str(there)!r}, '.', dirs_exist_ok=True)"
    return folder, (get, "__import__('sys').path.insert(0, '')")


def explain(task, notebook):
    """Put the source's own below each answer that a person grades; no page shows it."""
    solution = release.read(Path(task["course"], "solution"), task["stem"])
    by_hand = [c for c in solution.cells if intake.role(c) == "answer" and graded(c)]
    for number, cell in enumerate(by_hand):
        names = [intake.grade_id(c) for c in notebook.cells]
        at = names.index(intake.grade_id(cell)) + 1
        cell.id, cell.source = f"rubric-{number}", f"{RUBRIC}\n\n{cell.source}"
        cell.metadata = nbformat.from_dict({"rubric": True})
        notebook.cells.insert(at, cell)


def publish(task, notebook, scores):
    """Write the graded notebook and the page to where they stay."""
    from grading.page import page

    student, (assignment, stem) = task["student"], place(task["stem"])
    notebook.metadata["told"] = task.get("told", [])
    explain(task, notebook)
    made = {"autograded": ("ipynb", nbformat.writes(notebook) + "\n")}
    made["feedback"] = "html", page(stem, notebook, scores)
    for kind, (ending, text) in made.items():
        target = Path(task["out"], kind, student, assignment, f"{stem}.{ending}")
        target.parent.mkdir(parents=True, exist_ok=True)
        write(target, text)


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
                row["reason"] = worded(worst)
        bad = {c: report[c] for c in cells if report.get(c, {}).get("kind")}
        row["failed"] = {c: worded(note) for c, note in bad.items()}
        rows.append(row)
    result = {name: task[name] for name in ("student", "stem", "key")}
    return remarked(result | {"rows": rows, "scores": scores, "repairs": repairs}, task)


def worded(note):
    return f"{note['kind']}: {note['reason']}"


def remarked(result, task):
    """Return the result with what is told now about the files that were handed in."""
    told = sorted({text[:200] for text in (*result["repairs"], *task["remarks"])})
    more = [f"and {len(told) - MOST:,} remarks more"] if len(told) > MOST else []
    return result | {"remarks": told[:MOST] + more}
