"""exercises/ is what solutions/ gives: nothing stale or leaked, all to be done."""

import re

import nbformat
import pytest

from tests.test_answers import grade_id, graded_by_program
from tools.exercises import derive, is_check
from tools.notebooks import ROOT, client, notebooks, read, touched

SOURCES = {path.stem: path for path in notebooks("solutions")}
STUB = "raise NotImplementedError"


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("derived")
    derive(folder)
    return folder


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }


def test_exercises_are_what_the_solutions_give(derived):
    fresh, committed = files(derived), files(ROOT / "exercises")
    assert fresh.keys() == committed.keys(), "run: make exercises"
    stale = [name for name in fresh if fresh[name] != committed[name]]
    assert not stale, f"stale or edited by hand; run: make exercises ({stale})"


def test_deriving_twice_gives_the_same_bytes(derived, tmp_path):
    derive(tmp_path)
    assert files(tmp_path) == files(derived)


def test_somebodys_work_is_noticed(derived, tmp_path):
    stem = next(iter(SOURCES))
    path = tmp_path / stem / f"{stem}.ipynb"
    path.parent.mkdir()
    path.write_bytes((derived / stem / f"{stem}.ipynb").read_bytes())
    assert not touched(tmp_path)
    notebook = read(path)
    notebook.cells[-1].source += "\nmy answer"
    nbformat.write(notebook, path)
    assert touched(tmp_path) == [str(path)]


@pytest.mark.parametrize("stem", SOURCES)
def test_nothing_leaks(stem):
    source = read(SOURCES[stem])
    release = read(ROOT / "exercises" / stem / f"{stem}.ipynb")
    released = {grade_id(cell): cell.source for cell in release.cells}
    everything = "\n".join(cell.source for cell in release.cells)
    assert "### BEGIN" not in everything and "Rubric" not in everything
    for cell in source.cells:
        if not cell.metadata.get("nbgrader", {}).get("solution"):
            continue
        left = released[grade_id(cell)]
        assert left != cell.source
        if cell.cell_type == "code":
            assert STUB in left
            answer = cell.source.split("### BEGIN SOLUTION")[1:]
            answer = [part.split("### END SOLUTION")[0] for part in answer]
            lines = {line.strip() for part in answer for line in part.splitlines()}
            assert not {x for x in lines if len(x) > 12 and x in left}
        else:
            assert left == "*Write your answer here.*"


@pytest.mark.parametrize("stem", SOURCES)
def test_a_stub_fails_in_exactly_the_cells_that_check_it(stem):
    path = ROOT / "exercises" / stem / f"{stem}.ipynb"
    notebook = read(path)
    client(notebook, path.parent, timeout=300, allow_errors=True).execute()
    raised = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.get("text")
            if output.output_type == "error":
                raised[cell.id] = output.ename
    checks = [cell.id for cell in notebook.cells if is_check(cell)]
    assert raised == dict.fromkeys(checks, "NotImplementedError")


@pytest.mark.parametrize("stem", SOURCES)
def test_a_learner_opens_a_clean_notebook(stem):
    for cell in read(ROOT / "exercises" / stem / f"{stem}.ipynb").cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


@pytest.mark.parametrize("stem", SOURCES)
def test_exercises_are_four_to_six_of_all_kinds(stem):
    source = read(SOURCES[stem])
    headings = [
        cell.source.splitlines()[0]
        for cell in source.cells
        if cell.source.startswith("## Exercise")
    ]
    numbers = [
        int(line.split(":")[0].removeprefix("## Exercise ")) for line in headings
    ]
    assert numbers == list(range(1, len(numbers) + 1)) and 4 <= len(numbers) <= 6
    assert graded_by_program(source), "at least one exercise asks for code"
    manual = [
        cell
        for cell in source.cells
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader")
    ]
    assert manual, "at least one asks for a prediction or an explanation"
    assert all("**Rubric**" in cell.source for cell in manual)
    assert any("bug" in line.lower() for line in headings), "at least one: find a bug"


def test_the_instructor_guide_calls_the_exercises_by_their_titles():
    titles = {}
    for stem, path in SOURCES.items():
        cells = read(path).cells
        heads = [c.source for c in cells if c.source.startswith("## Exercise")]
        titles[int(stem[:2])] = [head.splitlines()[0].lower() for head in heads]
    guide = (ROOT / "book" / "instructor_guide.md").read_text(encoding="utf-8")
    named = re.findall(r"chapter (\d+), \*([^*]+)\*", guide)
    assert len(named) > 20
    for chapter, name in named:
        assert any(name.lower() in title for title in titles[int(chapter)]), name
