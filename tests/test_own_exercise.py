"""The page "Write your own exercise", followed to the letter, ends with points."""

import csv
import re
import subprocess
import sys

import nbformat
import pytest

from grading import check, release
from tests.test_answers import grade_id
from tests.test_grading import PATIENT, needs_sandbox
from tools.notebooks import ROOT, read

PAGE = (ROOT / "book" / "write_your_own_exercise.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```\{code-block\} (\w+)\n:name: own-(\S+)\n(.*?)\n```", re.DOTALL)
ROW = re.compile(r"^\| [^|]+ \| ([^|]+?) \| `([\w-]+)` \| (\d*) ?\|$", re.MULTILINE)
MARKS = {  # the panel's words, and what it writes: grade, solution, locked
    "Read-only": (False, False, True),
    "Autograded answer": (False, True, False),
    "Autograded tests": (True, False, True),
    "Manually graded answer": (True, True, False),
}
TEMPLATE = ROOT / "grading" / "template" / "temperature" / "temperature.py"
RIGHT, _ = (text for _, kind, _, text in release.answers(TEMPLATE) if kind == "right")


def blocks():
    return {name: (kind, source) for kind, name, source in BLOCK.findall(PAGE)}


def written():
    """Return the notebook of the page: its cells, marked as its table says."""
    found, marks = blocks(), {name: rest for *rest, name, _ in ROW.findall(PAGE)}
    points = {name: number for _, name, number in ROW.findall(PAGE)}
    notebook = nbformat.v4.new_notebook()
    for name, (kind, source) in found.items():
        if name.startswith("wrong-"):
            continue
        make = "new_code_cell" if kind == "python" else "new_markdown_cell"
        cell = getattr(nbformat.v4, make)(source, id=name)
        if name in marks:
            grade, solution, locked = MARKS[marks[name][0]]
            mark = {"grade_id": name, "schema_version": 3, "task": False}
            mark |= {"grade": grade, "solution": solution, "locked": locked}
            if grade:
                mark["points"] = int(points[name])
            cell.metadata["nbgrader"] = mark
        notebook.cells.append(cell)
    assert set(marks) < set(found)
    return notebook


def run(*call):
    subprocess.run([sys.executable, "-m", *map(str, call)], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    path = folder / "mine" / "temperature" / "temperature.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(written(), path)
    answers = ROOT / "grading" / "template" / "temperature" / "temperature.py"
    path.with_suffix(".py").write_bytes(answers.read_bytes())
    (path.parent / "numbers.txt").write_text("1 2 3")
    run("tools.exercises", folder / "release", "--source", folder / "mine")
    return folder


def test_the_template_is_what_the_page_writes():
    place = ROOT / "grading" / "template" / "temperature"
    template = read(place / "temperature.ipynb")
    mine = [(c.source, c.metadata) for c in template.cells]
    assert mine == [(c.source, c.metadata) for c in written().cells]
    answers = (place / "temperature.py").read_text("utf-8")
    wrong = [source for name, (_, source) in blocks().items() if "wrong-" in name]
    assert len(wrong) == 2 and all(source in answers for source in wrong)


def test_students_get_the_stub_and_nothing_else(folder):
    files = {path.name for path in (folder / "release").rglob("*.*")}
    assert files == {"temperature.ipynb", "numbers.txt"}
    release = read(folder / "release" / "temperature" / "temperature.ipynb")
    text = "\n".join(cell.source for cell in release.cells)
    assert "What happens to the weights" in text  # the question in words
    assert "NotImplementedError" in text and "0.268941" in text
    for secret in ("scaled", "HIDDEN", "default_rng", "Rubric", "nearly uniform"):
        assert secret not in text


@needs_sandbox
def test_right_answers_get_all_points_and_wrong_ones_what_the_page_says(folder):
    given = {"right": RIGHT}
    for name, (_, source) in blocks().items():
        if name.startswith("wrong-"):
            given[name.removeprefix("wrong-")] = source
    for who, answer in given.items():
        release = read(folder / "release" / "temperature" / "temperature.ipynb")
        for cell in release.cells:
            if grade_id(cell) == "temperature":
                cell.source = answer
            elif grade_id(cell) == "explain":
                cell.source = "They become uniform."
        path = folder / "tried" / who / "temperature" / "temperature.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(release, path)
    out = folder / "tried_grades"
    source = ["--source", folder / "mine", "--out", out]
    run("grading", folder / "tried", *source, *PATIENT)
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_program = [row for row in rows if row["status"] != "needs manual"]
    points = dict.fromkeys(given, 0)
    for row in by_program:
        points[row["student"]] += float(row["points"])
    assert points == {"right": 3, "no_maximum": 2, "wrong_axis": 0}, rows
    waiting = {row["student"] for row in rows if row["status"] == "needs manual"}
    assert waiting == set(given)


def test_the_books_own_exercises_are_not_overwritten(folder):
    call = [sys.executable, "-m", "tools.exercises", "--source", folder / "mine"]
    result = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode and "name another folder" in result.stderr


HEADERS = ["x right : one", "x Right: one", "x right:", "x right", "", "x good: one"]


@pytest.fixture
def mine(tmp_path):
    """Return the path of the page's notebook, alone in a course of its own."""
    path = tmp_path / "mine" / "temperature" / "temperature.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(written(), path)
    return path


@pytest.mark.parametrize("spaces", ["# %% ", "#%% "])
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_is_none_is_named_before_its_answer_is_handed_out(
    mine, tmp_path, header, spaces
):
    for before in ("", "# %% x wrong: two\nx = 2\n"):
        mine.with_suffix(".py").write_text(f"{before}{spaces}{header}\nx = 1\n")
        line = before.count("\n") + 1
        with pytest.raises(release.Failed, match=rf"temperature\.py, line {line}: "):
            release.generate(mine.parents[1], "temperature", tmp_path / "out")
        assert not list((tmp_path / "out").rglob("*.py"))


def test_answers_are_found_after_a_mark_of_their_encoding_and_at_the_end(mine):
    path = mine.with_suffix(".py")
    path.write_text("# %% x right: one\nx = 1\n# %% x wrong: none", "utf-8-sig")
    kinds = [(kind, label) for _, kind, label, _ in release.answers(path)]
    assert kinds == [("right", "one"), ("wrong", "none")]


def test_another_file_may_have_cells_and_is_handed_out(mine, tmp_path):
    (mine.parent / "helper.py").write_text("# %% Plot\nx = 1\n")
    (mine.parent / "tried.py").write_text("# %% x right: one\nx = 1\n")
    release.generate(mine.parents[1], "temperature", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out" / "temperature").iterdir()}
    assert names == {"temperature.ipynb", "helper.py"}


def test_what_has_left_the_source_is_named_when_it_is_handed_out_again(mine, tmp_path):
    old = mine.with_name("answers.txt")
    old.write_text("0.268941")
    call = [sys.executable, "-m", "tools.exercises", str(tmp_path / "release")]
    call += ["--source", str(mine.parents[1])]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 exercise in {tmp_path / 'release'}\n"
    old.unlink()
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    left = tmp_path / "release" / "temperature" / "answers.txt"
    assert f"{left} has no source in {mine.parents[1]} any more" in done.stdout


@pytest.mark.parametrize("sign", ["HIDDEN TEST", "Hidden Tests", "HIDDEN  TESTS"])
def test_a_sign_that_is_none_is_named_before_students_see_what_it_hides(mine, sign):
    notebook = read(mine)
    assert not list(check.marks(notebook))
    for cell in notebook.cells:
        cell.source = cell.source.replace("HIDDEN TESTS", sign)
    found = list(check.marks(notebook))
    assert {cell for cell, _ in found} == {"check-temperature"}
    assert f"'### BEGIN {sign}' is no sign" in found[0][1]


@needs_sandbox
def test_an_answer_that_does_not_run_and_a_def_that_is_cut_out_are_named(mine):
    notebook = read(mine)
    for cell in notebook.cells:
        if grade_id(cell) == "temperature":
            cell.source = re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source)
    nbformat.write(notebook, mine)
    mine.with_suffix(".py").write_text(
        "# %% temperature wrong: typing\nsoftmax_at = npp\n"
    )
    call = [sys.executable, "-m", "grading", "check", str(mine), *PATIENT]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error: wrong: typing tries no check; " in done.stdout
    assert "students do not get 'def softmax_at'" in done.stdout
    call[4] = str(mine.with_suffix(".py"))
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "name the notebook" in done.stderr


@needs_sandbox
def test_a_check_says_when_a_file_beside_holds_no_answer(mine):
    mine.with_suffix(".py").write_text("x = 1\n")
    call = [sys.executable, "-m", "grading", "check", str(mine), *PATIENT]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert "temperature.py holds no answer" in done.stdout, done.stdout + done.stderr
    assert "no answer was tried" in done.stdout


@needs_sandbox
def test_each_check_that_the_solution_fails_says_why(mine):
    notebook = read(mine)
    for cell in notebook.cells:
        if grade_id(cell) in ("check-temperature", "check-large"):
            cell.source = f"assert False, 'this is {grade_id(cell)}'"
    nbformat.write(notebook, mine)
    call = [sys.executable, "-m", "grading", "check", str(mine), *PATIENT]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    said = "error: the solution does not pass: AssertionError: this is "
    for name in ("check-temperature", "check-large"):
        assert f"{name}: {said}{name}\n" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("2 errors\n")


@pytest.mark.parametrize(
    ("command", "shown", "left_out"),
    [
        ("check", ["[NOTEBOOK]", "as a compiler", "--cpu"], ["--canvas", "--roster"]),
        (
            "export",
            ["[GRADES]", "gradebook", "--canvas", "--title"],
            ["--cpu", "--seed"],
        ),
        ("similar", ["[SUBMITTED]", "resemble", "--source"], ["--out", "--jobs"]),
    ],
)
def test_a_command_s_help_is_about_it(command, shown, left_out):
    call = [sys.executable, "-m", "grading", command, "--help"]
    told = subprocess.run(call, cwd=ROOT, capture_output=True, text=True).stdout
    assert f"python -m grading {command}" in told and all(x in told for x in shown)
    assert not any(x in told.partition("options:")[2] for x in left_out)
