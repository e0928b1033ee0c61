"""The students' edition: no answer, rubric or hidden test that was not given out."""

import itertools
import re
import subprocess
import sys
import zipfile
from datetime import date

import nbformat
import pytest
from lxml import html

from grading import intake
from tools import downloads, exam, student
from tools.notebooks import ROOT, notebooks, read

GIVEN = "03_three_stages"
ANSWER = re.compile(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", re.S)
INSTRUCTORS = {"solutions", "instructor_guide", "write_your_own_exercise"}


def squeezed(text):
    """Return the text without white space, quotes and what Markdown takes away."""
    return re.sub(r"[\s*_`\\$]|[‘’“”\"']", "", text)


def hidden_tests(source):
    """Yield the text of each hidden test of a cell, without the signs around it."""
    numbers = intake.hidden(source)

    def is_one(line):
        return line[0] in numbers and "HIDDEN TESTS" not in line[1]

    for found, lines in itertools.groupby(enumerate(source.split("\n"), 1), is_one):
        if found:
            yield "\n".join(line for _, line in lines)


def secrets(path):
    """Yield (kind, text) of all that a notebook of solutions has and a student's not.

    Of words each piece that is long enough to be nobody else's, without formulas.
    """
    for cell in read(path).cells:
        yield from (("hidden", text) for text in hidden_tests(cell.source))
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution") and cell.cell_type == "markdown":
            answer, _, rubric = cell.source.partition("**Rubric**")
            for kind, words in (("answer", answer), ("rubric", rubric)):
                pieces = re.split(r"\$[^$]*\$|[\[\]{}()\n]", words)
                yield from ((kind, piece) for piece in pieces if len(piece) > 45)
        elif mark.get("solution"):
            yield from (("answer", text) for text in ANSWER.findall(cell.source))


def everything():
    return [secret for path in notebooks("solutions") for secret in secrets(path)]


def exam_answers():
    """Return what the exam bank says for instructors alone."""
    questions = [question for part in exam.bank().values() for question in part]
    whys = [o["why"] for q in questions for o in q.get("options", [])]
    return whys + [q[k] for q in questions for k in ("why", "words") if k in q]


def texts(folder):
    """Return the text of every file, pages and notebooks as a reader sees them."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix == ".ipynb":
            found += [cell.source for cell in read(path).cells]
        elif path.suffix == ".html":
            found.append(html.parse(path).getroot().text_content())
        elif path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as packed:
                packed.extractall(path.with_name(f"{path.name}-unpacked"))
            found += texts(path.with_name(f"{path.name}-unpacked"))
        else:
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return found


def taught():
    """Return what is shown to everybody: chapters, the package, what exercises ask."""
    cells = [c for p in notebooks("chapters", "book") for c in read(p).cells]
    asked = [c for p in notebooks("solutions") for c in read(p).cells]
    cells += [cell for cell in asked if "nbgrader" not in cell.metadata]
    shown = [cell.source for cell in cells]
    shown += [path.read_text("utf-8") for path in (ROOT / "attend").rglob("*.py")]
    return squeezed("\n".join(shown))


def leaks(folder, given=()):
    """Return (what leaked, how many secrets were looked for)."""
    there, known = squeezed("\n".join(texts(folder))), taught()
    found, count = [], 0
    for path in notebooks("solutions"):
        for kind, text in secrets(path):
            plain = squeezed(text)
            if plain in known or (kind == "answer" and path.stem in given):
                continue
            count += 1
            if plain in there:
                found.append((path.stem, kind, text))
    asked = [text for text in exam_answers() if len(text) > 45]
    found += [("exam", text) for text in asked if squeezed(text) in there]
    return found, count


def make(what, folder, *options):
    call = [sys.executable, "-m", "tools.student", what, "--out", folder, *options]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("students")
    make("zip", folder)
    (path,) = folder.glob("*-students.zip")
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder / "zip")
    return folder / "zip"


def test_the_zip_holds_no_answer_and_all_that_a_student_needs(unpacked):
    found, count = leaks(unpacked)
    assert not found
    assert count > 0.95 * len(everything())
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    kept = notebooks("chapters", "exercises")
    for path in kept:
        assert any(n.endswith(path.relative_to(ROOT).as_posix()) for n in names)
    assert not [n for n in names if INSTRUCTORS & {*re.split(r"[/.]", n)}]


def test_the_search_for_answers_finds_them(tmp_path):
    """The tests above can fail: the whole book's solutions hold all of it."""
    for path in notebooks("solutions"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    found, count = leaks(tmp_path)
    assert len(found) == count > 300


def test_the_site_gives_the_chosen_solutions_without_their_hidden_tests(tmp_path):
    make("book", tmp_path, "--released", GIVEN)
    site = tmp_path / "_build" / "html"
    found, count = leaks(site, [GIVEN])
    assert not found
    assert count > 0.9 * len(everything())
    solved = {path.stem for path in site.rglob("solutions/*/*.html")}
    assert solved == {GIVEN}
    text = html.parse(next(site.glob(f"solutions/{GIVEN}/*.html"))).getroot()
    assert "np.linalg.solve(left, np.log(wanted))" in text.text_content()
    assert not [p for p in site.rglob("*.html") if p.stem in INSTRUCTORS]
    dead = [
        (page.name, link)
        for page in site.rglob("*.html")
        for link in html.parse(page).xpath("//a/@href")
        if not re.match(r"[a-z]+:|#|//", link)
        and not (page.parent / link.partition("#")[0]).exists()
    ]
    assert not dead


def test_solutions_are_given_out_by_name_and_by_day():
    today = date(2030, 2, 1)
    text = "03_three_stages 2030-02-01  # week 2\n\n04_learning_to_look 2030-02-02\n"
    assert student.released(text, today) == {"03_three_stages"}
    names = "03_three_stages,04_learning_to_look"
    assert student.released(names, today) == set(names.split(","))
    assert student.released("", today) == set()


@pytest.mark.parametrize("line", ["03_tree_stages", "03_three_stages soon", "3 4 5"])
def test_a_wrong_line_is_named(line):
    with pytest.raises(SystemExit, match=r"list, line 2: "):
        student.released(f"01_what_attention_is\n{line}", date.today(), "list")


@pytest.mark.parametrize(
    "begin", ["### BEGIN HIDDEN TESTS", "    # BEGIN HIDDEN TESTS "]
)
@pytest.mark.parametrize(
    "end", ["\n### END HIDDEN TESTS", "\n### END HIDDEN TESTS ", ""]
)
def test_a_hidden_test_is_hidden_however_its_signs_are_written(begin, end):
    source = f"assert shown\n{begin}\nassert first\nassert second{end}"
    assert downloads.without_hidden(source) == "assert shown"
    assert list(hidden_tests(source)) == ["assert first\nassert second"]
    twice = f"{source}\nassert more\n{source}" if end else source
    assert "first" not in downloads.without_hidden(twice)
    assert len(list(hidden_tests(twice))) == (2 if end else 1)


@pytest.fixture
def edition(tmp_path, monkeypatch):
    """Return a book of one exercise, and what makes its students' edition.

    Nothing is built: what would have been called is kept in the list.
    """
    root, called = tmp_path / "a-book", []
    derived = ROOT / "exercises" / GIVEN / f"{GIVEN}.ipynb"
    path = root / "exercises" / GIVEN / derived.name
    path.parent.mkdir(parents=True)
    path.write_bytes(derived.read_bytes())
    (root / "solutions").mkdir()
    (root / "_toc.yml").write_bytes((ROOT / "_toc.yml").read_bytes())
    monkeypatch.setattr(student, "ROOT", root)
    monkeypatch.setattr(student, "OUT", root / "_build" / "students")

    def run(call, **_):
        called.append(call)
        return subprocess.CompletedProcess(call, 0)

    def made(what, out=student.OUT):
        monkeypatch.setattr(student.sys, "argv", ["", what, "--out", str(out)])
        student.main()

    monkeypatch.setattr(student.subprocess, "run", run)
    return root, made, called


@pytest.mark.parametrize("what", ["zip", "book"])
def test_an_answer_tried_in_exercises_is_not_handed_out(edition, tmp_path, what):
    root, made, called = edition
    made(what, tmp_path / "out")
    assert len(called) == 1
    remembered = root / "solutions" / ".released.json"
    before = remembered.read_bytes() if what == "zip" else None
    (path,) = root.rglob("*.ipynb")
    notebook = read(path)
    notebook.cells[-1].source += "\nanswer = 42"
    nbformat.write(notebook, path)
    with pytest.raises(SystemExit, match=rf"go to the students.*\n.*{GIVEN}\.ipynb"):
        made(what, tmp_path / "out")
    assert len(called) == 1
    assert before is None or remembered.read_bytes() == before


def site(folder):
    """Put a site and a table of contents of somebody's there; return their files."""
    (folder / "_build").mkdir(parents=True)
    files = [folder / "_build" / "page.html", folder / "_toc.yml"]
    for path in files:
        path.write_text("theirs", encoding="utf-8")
    return files


@pytest.mark.parametrize("what", ["zip", "book"])
def test_what_somebody_has_in_the_named_folder_stays(edition, tmp_path, what):
    root, made, called = edition
    toc = (root / "_toc.yml").read_bytes()
    with pytest.raises(SystemExit, match=f"{root}.*name another folder"):
        made(what, root / "solutions" / "..")
    files = site(tmp_path / "theirs")
    with pytest.raises(SystemExit, match="theirs/_build.*name another folder"):
        made(what, tmp_path / "theirs")
    assert (root / "_toc.yml").read_bytes() == toc and not called
    assert [path.read_text(encoding="utf-8") for path in files] == ["theirs"] * 2
    assert not list((tmp_path / "theirs").glob("students*"))
    files[0].unlink()
    files[0].parent.rmdir()
    made(what, tmp_path / "theirs")
    assert len(called) == 1 and files[1].read_text(encoding="utf-8") == "theirs"


def test_no_page_of_another_choice_stays_in_the_editions_own_folder(edition):
    root, made, _ = edition
    page, _ = site(student.OUT)  # an earlier edition's, whose table had another name
    made("book")
    assert not page.exists()
    page.parent.mkdir()
    page.write_text("ours", encoding="utf-8")
    made("book")
    assert page.exists()
    toc = root / "_toc.yml"
    toc.write_bytes(toc.read_bytes().replace(b"I. The idea", b"I. Ideas"))
    made("book")
    assert not page.exists()
