"""A class in a week's routine: ordinary nbgrader courses, releases, totals, one's own.

What nbgrader's own autograder gives for the honest submissions of the course that
`nbgrader quickstart` makes is what they get here, cell by cell.
"""

import argparse
import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from alembic.script import ScriptDirectory
from nbgrader import api, utils

from grading import __main__ as main
from grading import book, execute, intake, job, page, people, report
from tests.test_answers import grade_id
from tests.test_grading import PATIENT, needs_sandbox, rows
from tools.notebooks import ROOT

TOOLS = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
}
pytestmark = needs_sandbox
MARK = {"schema_version": 3, "grade": False, "solution": False, "locked": False}


def nbgrader(folder, *call):
    """Run a command of nbgrader's in a course's folder."""
    call = [sys.executable, "-m", "nbgrader", *call]
    run = subprocess.run(call, cwd=folder, env=TOOLS, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def grade(folder, *options, source=None):
    """Grade folder/submitted with the course's source; return (exit code, text)."""
    call = [sys.executable, "-m", "grading", folder / "submitted", *PATIENT]
    call += ["--source", source or folder / "source", "--out", folder / "grades"]
    call = [*map(str, call), *options]
    run = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def code(source, name=None, **mark):
    cell = nbformat.v4.new_code_cell(source)
    if name:
        cell.metadata["nbgrader"] = MARK | {"grade_id": name} | mark
    return cell


def answer(name, source):
    return code(source, name, solution=True)


def check(name, source, points=1):
    return code(source, name, grade=True, locked=True, points=points)


def text(source, name=None, **mark):
    cell = nbformat.v4.new_markdown_cell(source)
    if name:
        cell.metadata["nbgrader"] = MARK | {"grade_id": name} | mark
    return cell


def write(path, cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.from_dict(json.loads(json.dumps(cell))) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def scores(path):
    """Return {(student, notebook, cell): its automatic score} of a gradebook."""
    with api.Gradebook(f"sqlite:///{path}") as gradebook:
        found = gradebook.db.query(api.Grade).all()
        return {(x.student.id, x.notebook.name, x.name): x.auto_score for x in found}


SQUARES = """
def squares(n):
    if n < 1:
        raise ValueError
    made = []
    for i in range(n):
        made.append((i + 1) * (i + 1))
    return made
"""
HOSTILE = """
import os, sys
sys.settrace(lambda *a: None)
class Equal(list):
    def __eq__(self, other): return True
def squares(n): return Equal()
"""
GIVEN = {
    "right": {
        "squares": SQUARES,
        "sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n))",
        "sum_of_squares_equation": "$\\sum_i i^2$",
        "sum_of_squares_application": "cannonballs = sum_of_squares(3)",
        "part-a": "Fibonacci.",
        "part-b": "1. below 0\n2. fractions",
    },
    "half": {
        "squares": SQUARES.replace("raise ValueError", "return []"),
        "sum_of_squares": "def sum_of_squares(n):\n"
        "    return sum(i * i for i in range(n + 1))",
        "part-a": "It is a recursion.",
    },
    "broken": {"squares": "def squares(n:\n    return", "part-b": "None."},
    "prints": {
        "squares": SQUARES.replace("made = []", "print(n); made = []"),
        "sum_of_squares": "squares = 3\nsum_of_squares = abs",
    },
    "stub": {},
}


def filled(path, given):
    """Return a released notebook with answers."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = given.get(grade_id(cell), cell.source)
    return notebook


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """Return the folder of nbgrader's own course, graded by nbgrader and here."""
    folder = tmp_path_factory.mktemp("quickstart")
    nbgrader(folder, "quickstart", "course")
    folder = folder / "course"
    nbgrader(folder, "generate_assignment", "ps1")
    for who, given in GIVEN.items():
        for path in (folder / "release" / "ps1").glob("*.ipynb"):
            target = folder / "submitted" / who / "ps1" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(filled(path, given), target)
    nbgrader(folder, "autograde", "ps1")
    path = folder / "submitted" / "hostile" / "ps1" / "problem1.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(
        filled(folder / "release" / "ps1" / "problem1.ipynb", {"squares": HOSTILE}),
        path,
    )
    result, said = grade(folder)
    assert result == 0, said
    return folder


def test_the_gradebook_is_of_the_version_that_nbgrader_expects():
    scripts = ScriptDirectory(str(Path(api.__file__).with_name("alembic")))
    assert report.version() == scripts.get_current_head()


def test_honest_submissions_get_what_nbgraders_autograder_gives(quickstart):
    names = json.loads((quickstart / "grades" / "students.json").read_text())
    ours = scores(quickstart / "grades" / "gradebook.db")
    ours = {(names[who], *rest): score for (who, *rest), score in ours.items()}
    theirs = scores(quickstart / "gradebook.db")
    assert len(theirs) == len(GIVEN) * 9 and sum(x or 0 for x in theirs.values()) > 4
    assert {key: ours[key] for key in theirs} == theirs


def test_every_part_has_a_row_and_nobody_hostile_has_points(quickstart):
    found = {(r["student"], r["notebook"], r["exercise"]): r for r in rows(quickstart)}
    mine = {
        key[2]: r for key, r in found.items() if key[:2] == ("right", "ps1/problem1")
    }
    assert {
        name: (r["points"], r["maximum"], r["status"]) for name, r in mine.items()
    } == {
        "squares": ("2", "2", "graded"),
        "sum_of_squares": ("1", "1", "graded"),
        "sum_of_squares_equation": ("0", "1", "needs manual"),
        "sum_of_squares_application": ("0", "2", "needs manual"),
        "cell-938593c4a215c6cc": ("0", "4", "needs manual"),
    }
    for (student, name, exercise), row in found.items():
        if student == "hostile":
            assert row["points"] == "0", row
            assert name == "ps1/problem1" or row["status"] == "missing", row
        if student == "stub" and exercise != "cell-938593c4a215c6cc":
            assert row["status"] == "missing", row
    row = found["broken", "ps1/problem1", "squares"]
    assert row["reason"].count("line 1") == 1 and "squares, line" not in row["reason"]


def test_the_course_of_nbgrader_has_its_pages_and_folders(quickstart):
    pages = list((quickstart / "grades" / "feedback").glob("*/ps1/problem*.html"))
    assert len(pages) == 2 * len(GIVEN) + 1
    assert any("<ol>" in page.read_text("utf-8") for page in pages)
    with open(quickstart / "grades" / "course.csv", newline="") as file:
        course = {row["student"]: row for row in csv.DictReader(file)}
    assert (
        course["right"]["ps1/problem1"] == "3"
        and course["right"]["ps1/problem2"] == "0"
    )
    assert course["right"]["percent"] == "23.08"  # 3 of 13


COURSE = {  # cells of a course that nobody wrote for this grader
    "functions": [
        text("# Functions"),
        code(
            "%matplotlib inline\nimport math\ndata = open('numbers.txt').read().split()"
        ),
        code("from helper import twice\nlater = []"),
        answer("double", "import itertools\ndef double(x):\n    return 2 * x"),
        code("double(3)"),
        code("made = [double(x) for x in range(3)]\nkept = 7\ntwins, table = [], {}"),
        code("for x in made:\n    twins.append(x)\n    table['last'] = double(x)"),
        check("check-double", "assert double(4) == twice(4)\nassert kept == 7"),
        check(
            "check-made",
            "assert list(itertools.chain(made)) == twins == [0, 2, 4]\n"
            "assert table == {'last': 8}",
        ),
        check("check-data", "assert [double(int(x)) for x in data] == [2, 4]"),
        answer(
            "greet",
            "def greet():\n    name = input('Who? ')\n    print('Hello', name)",
        ),
        check(
            "check-greet",
            "import io\nfrom contextlib import redirect_stdout\nold = input\n"
            "input = lambda prompt: 'Ada'\nout = io.StringIO()\n"
            "with redirect_stdout(out):\n    greet()\ninput = old\n"
            "assert out.getvalue() == 'Hello Ada\\n', out.getvalue()",
        ),
        answer("quadruple", "def quadruple(x):\n    return double(double(x))"),
        check(
            "check-calls",
            "asked = []\ndef spy(x):\n    asked.append(x)\n    return 5\n"
            "kept_double, double = double, spy\n"
            "try:\n    assert quadruple(3) == 5 and asked == [3, 5]\n"
            "finally:\n    double = kept_double\n"
            "del double\n"
            "try:\n    quadruple(3)\nexcept NameError:\n    pass\n"
            "else:\n    raise AssertionError('does not use double')\n"
            "double = kept_double\nassert quadruple(2) == 8",
        ),
        check(
            "check-part",
            "points = 0\n"
            "for x in (1, 2):\n"
            "    if quadruple(x) == 4 * x:\n"
            "        points += 1\n"
            "    ### BEGIN HIDDEN TESTS\n"
            "    if quadruple(-x) == -4 * x:\n"
            "        points += 1\n"
            "    ### END HIDDEN TESTS\n"
            "max(points, 0)",
            4,
        ),
        code("1 / 0"),
        code("fixed = kept + 1", "fixed", locked=True),
        code("changed = double(fixed)", "changed", locked=True),
        check("check-locked", "assert (fixed, changed) == (8, 16)"),
        text(
            "Do it.\n### BEGIN MARK SCHEME\nOne point each.\n### END MARK SCHEME",
            "project",
            task=True,
            locked=True,
            points=3,
        ),
    ],
    "words": [
        answer("word", "word = 'yes'"),
        check("check-word", "assert word == 'yes'"),
    ],
}
NEGATIVE = "def quadruple(x):\n    return 4 * abs(x)"
OTHER = "def quadruple(x):\n    return 4 * x"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Return the folder of a course with files, whose release was handed in."""
    folder = tmp_path_factory.mktemp("course")
    for name, cells in COURSE.items():
        write(folder / "source" / "week1" / f"{name}.ipynb", cells)
    write(folder / "source" / "week2" / "words.ipynb", COURSE["words"])
    (folder / "source" / "week1" / "numbers.txt").write_text("1 2")
    (folder / "source" / "week1" / "helper.py").write_text("def twice(x): return x + x")
    call = ["tools.exercises", folder / "release", "--source", folder / "source"]
    subprocess.run([sys.executable, "-m", *map(str, call)], cwd=ROOT, check=True)
    return folder


def submit(course, who, assignment="week1", notebook="functions", more=(), **given):
    """Hand in a released notebook: the solution's answers, but for those given."""
    release = course / "release" / assignment / f"{notebook}.ipynb"
    right = {
        grade_id(c): c.source
        for c in COURSE[notebook]
        if c.metadata.get("nbgrader", {}).get("solution")
    }
    made = filled(release, right | given)
    made.cells += more
    target = course / "submitted" / who / assignment / release.name
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, target)
    return target


def test_what_ordinary_courses_do_works(course):
    submit(course, "right", more=[text("My project."), code("print('project')")])
    for name in ("numbers.txt", "helper.py", "own.py"):  # all that was in the folder
        (course / "submitted" / "right" / "week1" / name).write_text("1 2")
    submit(course, "negative", quadruple=NEGATIVE)
    submit(course, "other", quadruple=OTHER, double="def double(x):\n    return x + x")
    submit(course, "silent", greet="def greet():\n    return 'Hello Ada'")
    submit(course, "right", "week2", "words")
    submit(course, "other", "week2", "words", word="word = 'no'")
    flat = course / "submitted" / "flat"
    flat.mkdir()
    (flat / "words.ipynb").write_bytes(
        (course / "submitted/right/week2/words.ipynb").read_bytes()
    )
    result, said = grade(course)
    assert result == 0, said
    found = {}
    for row in rows(course):
        key = row["student"], row["notebook"], row["exercise"]
        found[key] = row["points"], row["status"]
        if row["student"] == "right":
            assert row["remarks"].count("left out") == row["remarks"].count("own.py")
        if row["student"] == "flat" and row["notebook"].endswith("words"):
            assert (
                row["status"] == "missing" and "several assignments" in row["remarks"]
            )
    expected = {
        "right": {"double": "3", "greet": "1", "quadruple": "6", "project": "0"},
        "negative": {"double": "3", "greet": "1", "quadruple": "3", "project": "0"},
        "other": {"double": "3", "greet": "1", "quadruple": "5", "project": "0"},
        "silent": {"double": "3", "greet": "0", "quadruple": "6", "project": "0"},
    }
    for who, points in expected.items():
        got = {x: found[who, "week1/functions", x][0] for x in points}
        assert got == points, (who, rows(course))
    assert found["right", "week1/functions", "project"][1] == "needs manual"
    assert found["right", "week2/words", "word"] == ("1", "graded")
    assert found["other", "week2/words", "word"] == ("0", "wrong")
    names = json.loads((course / "grades" / "students.json").read_text())
    (student,) = [key for key, name in names.items() if name == "right"]
    inside = "feedback", student, "week1", "functions.html"
    page = Path(course, "grades", *inside).read_text("utf-8")
    assert "My project." in page and "ZeroDivisionError" in page
    assert "One point each" not in page and "-4 * x" not in page
    kept = course / "grades" / "autograded" / student / "week1" / "functions.ipynb"
    assert "One point each" in kept.read_text("utf-8")  # for who grades by hand
    with open(course / "grades" / "course.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5


MORE = [  # what else such courses do, name by name: an answer and its check
    "%load_ext autoreload\nimport numpy as np\nfrom unittest import mock\nnoted = {}",
    "class Stack:\n    def __init__(self):\n        self.items = []\n"
    "    def push(self, x):\n        self.items.append(x)\n"
    "    def pop(self):\n        return self.items.pop()",
    "s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2 and s.items == [1]",
    "def ask():\n    return int(input('n? ')) + 1",
    "with mock.patch('builtins.input', return_value='4'):\n    assert ask() == 5",
    "import sys\nx = 3\nz = np.arange(3)\nnoted['x'] = x\nsys.path.append('.')",
    "%time assert x == 3 and np.allclose(z, [0, 1, 2])\n"
    "assert noted == {'x': 3} and sys.maxsize > 3",
    "help(len)\ndef shout(word):\n    print(word.upper())",
    "with mock.patch('builtins.print') as p:\n    shout('a')\n"
    "p.assert_called_with('A')",
    "def gen(n):\n    yield from range(n)",
    "assert list(gen(3)) == [0, 1, 2]",
    "total = 0\ndef count():\n    global total\n    total += 1\n    return total",
    "total = 10\nassert count() == 11",
]


def test_a_course_without_settings_has_nbgraders_own_stubs(tmp_path):
    cells = [text("Because.", "why", grade=True, solution=True, points=1)]
    cells += [answer("three", "three = 3"), check("check-three", "assert three == 3")]
    write(tmp_path / "source" / "ps1" / "ps1.ipynb", cells)
    nbgrader(tmp_path, "generate_assignment", "ps1", "--no-db")
    stub = tmp_path / "release" / "ps1" / "ps1.ipynb"
    target = tmp_path / "submitted" / "one" / "ps1" / "ps1.ipynb"
    target.parent.mkdir(parents=True)
    target.write_bytes(stub.read_bytes())
    assert "YOUR ANSWER HERE" in target.read_text("utf-8")
    assert grade(tmp_path)[0] == 0
    assert {row["status"] for row in rows(tmp_path)} == {"missing"}, rows(tmp_path)


def test_names_with_spaces_and_whatever_else_courses_do(tmp_path):
    pairs = enumerate(zip(MORE[1::2], MORE[2::2], strict=True))
    cells = [code("%%capture out\nprint(1)"), code(MORE[0])]
    for n, (source, test) in pairs:
        cells += [answer(f"answer-{n}", source), check(f"check-{n}", test)]
    for place in ("source", "submitted/one"):
        write(tmp_path / place / "week 1" / "Problem 1.ipynb", cells)
    result, said = grade(tmp_path)
    assert result == 0 and len(rows(tmp_path)) == 6, said
    assert {row["points"] for row in rows(tmp_path)} == {"1"}, rows(tmp_path)


OBJECTS = {  # an answer, its checks (two points), and a wrong answer that gets one
    "purse": (
        """
class Purse:
    number = kind = process = 7
    def __init__(self, *coins): self.coins = list(coins)
    def __add__(self, other): return Purse(*self.coins, *other.coins)
    def __eq__(self, other): return self.coins == getattr(other, "coins", None)
    def __lt__(self, other): return sum(self.coins) < sum(other.coins)
    def __len__(self): return len(self.coins)
    def __getitem__(self, n): return self.coins[n]
    def __setitem__(self, n, coin): self.coins[n] = coin
    def __contains__(self, coin): return coin in self.coins
    def __repr__(self): return f"Purse{tuple(self.coins)}"
    def __enter__(self): return self
    def __exit__(self, *error): self.coins.clear()
""",
        """
a, b = Purse(1, 2), Purse(5)
assert a + b == Purse(1, 2, 5) and a != b and not a == 3 and a != None
assert a < b and max(a, b) == b and sorted([b, a])[0] == a
assert len(a) == 2 and a[0] == 1 and 2 in a and 9 not in a and a and not Purse()
a[0] = 4
assert list(a) == [4, 2] and a.number == a.kind == a.process == 7
with Purse(3) as c:
    assert len(c) == 1
assert len(c) == 0
""",
        "assert str(Purse(1, 2)) == f'{Purse(1, 2)}' == 'Purse(1, 2)'",
        ('return f"Purse{tuple(self.coins)}"', "return 'Purse'"),
    ),
    "limit": (
        """
class Limit(ValueError): pass
class Far(Limit): pass
def draw(n):
    if n > 5: raise (Far if n > 9 else Limit)(f"{n} is too much")
    return 5 - n
""",
        """
for n in (6, 10):
    try:
        draw(n)
    except Limit as error:
        assert str(error) == f"{n} is too much" and issubclass(Far, Limit)
    else:
        raise AssertionError("no error")
assert draw(5) == 0
""",
        "import unittest\nunittest.TestCase().assertRaises(Far, draw, 10)",
        ("(Far if n > 9 else Limit)", "Limit"),
    ),
    "wrap": (
        """
def twice(f): return lambda x: f(f(x))
def counted(f):
    def inner(*a):
        inner.calls += 1
        return f(*a)
    inner.calls = 0
    return inner
""",
        """
three, ten = twice(lambda x: x + 3), twice(lambda x: 10 * x)
assert three(1) == 7 and ten(1) == 100 and three(2) == 8
""",
        """
@counted
def add(a, b):
    return a + b
assert add(1, 2) == 3 and add(2, 2) == 4 and add.calls == 2
""",
        ("calls += 1", "calls += 2"),
    ),
    "chain": (
        """
import itertools
from collections import Counter
def odd():
    for n in itertools.count(): yield 2 * n + 1
def letters(word): return Counter(word)
def pairs(n):
    "Yield pairs."
    yield from zip(range(n), range(n))
""",
        """
import itertools
numbers = odd()
assert [next(numbers), next(numbers)] == [1, 3] and list(pairs(1)) == [(0, 0)]
assert list(itertools.islice(numbers, 2)) == [5, 7] and pairs.__doc__ == "Yield pairs."
assert letters("noon").most_common(1)[0][1] == 2 and letters("")["x"] == 0
""",
        "p = pairs(0)\ntry:\n    next(p)\nexcept StopIteration:\n    pass\n"
        "else:\n    raise AssertionError",
        ("zip(range(n), range(n))", "itertools.product(range(1), range(n or 1))"),
    ),
    "kinds": (
        """
import datetime
from collections import namedtuple
from fractions import Fraction
Point = namedtuple("Point", "x y")
class Node:
    def __init__(self, value, after=None): self.value, self.after = value, after
def half(n): return Fraction(n, 2)
def corner(): return Point(3, 4)
def day(n): return datetime.date(2024, 1, n)
last = Node(2)
first = Node(1, last)
""",
        """
import datetime
from fractions import Fraction
assert half(3) == Fraction(3, 2) and half(1) + half(1) == 1
assert corner().y == 4 and corner() == (3, 4) and day(9) == datetime.date(2024, 1, 9)
""",
        "seen, node = [], first\nwhile node:\n    seen.append(node.value)\n"
        "    node = node.after\nassert seen == [1, 2] and first.after is last",
        ("Node(1, last)", "Node(1)"),
    ),
    "notes": (
        """
def note(path, text):
    with open(path, "a") as file: file.write(text)
def words(path):
    with open(path) as file: return len(file.read().split())
""",
        """
with open("check.txt", "w") as file:
    file.write("a b\\nc")
assert words("check.txt") == 3
""",
        "note('own.txt', 'hello')\nassert open('own.txt').read() == 'hello'\n"
        "with open('own.txt') as file:\n    assert [x for x in file] == ['hello']",
        ("file.write(text)", "file.write('')"),
    ),
}


def test_objects_of_the_learners_own_classes_work(tmp_path):
    cells, half = [], []
    for name, (right, first, second, (old, new)) in OBJECTS.items():
        assert old in right
        checks = [check(f"{name}-1", first), check(f"{name}-2", second)]
        cells += [answer(name, right), *checks]
        half += [answer(name, right.replace(old, new)), *checks]
    write(tmp_path / "source" / "objects" / "objects.ipynb", cells)
    write(tmp_path / "submitted" / "right" / "objects" / "objects.ipynb", cells)
    write(tmp_path / "submitted" / "half" / "objects" / "objects.ipynb", half)
    result, said = grade(tmp_path)
    assert result == 0, said
    found = {(r["student"], r["exercise"]): r["points"] for r in rows(tmp_path)}
    wanted = {("right", name): "2" for name in OBJECTS}
    wanted |= {("half", name): "1" for name in OBJECTS}
    assert found == wanted, rows(tmp_path)


SHARED_HEAD = """
from dataclasses import dataclass
from enum import Enum
from helper import Box
@dataclass(order=True)
class Point:
    x: float
    y: float = 0
    def length(self): return (self.x**2 + self.y**2) ** 0.5
class Suit(Enum):
    CLUBS = 1
    HEARTS = 2
class Poor(Exception):
    def __init__(self, wanted, there): super().__init__(f"{wanted} of {there}")
class Account:
    __slots__ = "_balance", "seen"
    def __init__(self, balance): self._balance, self.seen = balance, []
    balance = property(lambda self: self._balance)
    def take(self, amount):
        if amount > self._balance: raise Poor(amount, self._balance)
        self._balance -= amount
class Node:
    def __init__(self, value, above=None):
        self.value, self.above, self.below = value, above, []
"""
GIVEN_OBJECTS = {  # an answer, its check, and a wrong answer
    "mirrored": (
        "def mirrored(p): return Point(-p.x, p.y)",
        "p = Point(3, 4)\nq = mirrored(p)\nassert q == Point(-3, 4) and p.x == 3\n"
        "assert isinstance(q, Point) and q.length() == 5 and q < p",
        "def mirrored(p):\n    p.x = -p.x\n    return p",
    ),
    "longest": (
        "def longest(ps): return max(ps, key=lambda p: p.length())",
        "ps = [Point(0, 1), Point(3, 4), Point(2)]\nassert longest(ps) is ps[1]",
        "def longest(ps): return min(ps)",
    ),
    "better": (
        "def better(a, b): return a if a.value > b.value else b",
        "assert better(Suit.HEARTS, Suit.CLUBS) is Suit.HEARTS",
        "def better(a, b): return Suit.CLUBS",
    ),
    "spend": (
        "def spend(account, amount):\n    account.take(amount)\n"
        "    account.seen.append(amount)\n    return account.balance",
        "a = Account(10)\nassert spend(a, 3) == 7\nassert a.balance == 7\n"
        "try:\n    spend(a, 9)\nexcept Poor as error:\n"
        "    assert str(error) == '9 of 7', error\n"
        "else:\n    raise AssertionError\nassert a.seen == [3] and a.balance == 7",
        "def spend(account, amount):\n    account.seen.append(amount)\n"
        "    account.take(amount)\n    return account.balance",
    ),
    "hang": (
        "def hang(node, value):\n    node.below.append(Node(value, node))\n"
        "    return node.below[-1]",
        "root = Node(1)\nleaf = hang(root, 2)\nassert root.below == [leaf]\n"
        "assert leaf.above is root and hang(leaf, 3).above.above is root",
        "def hang(node, value):\n    return Node(value, node)",
    ),
    "sort": (
        "def sort(xs):\n    for n in range(len(xs)):\n"
        "        least = min(xs[n:])\n        xs.remove(least)\n"
        "        xs.insert(n, least)",
        "xs = [3, 1, 2]\nassert sort(xs) is None and xs == [1, 2, 3]\n"
        "import numpy as np\nys = np.array([[2], [1]])\nzs = ys[:, 0].tolist()\n"
        "sort(zs)\nassert zs == [1, 2] and ys[0] == 2",
        "def sort(xs): return sorted(xs)",
    ),
    "unpack": (
        "def unpack(box, kind=Box): return isinstance(box, kind) and box.inside",
        "assert unpack(Box(5)) == 5\nassert unpack(Box(Point(7))).x == 7",
        "def unpack(box, kind=Box): return box",
    ),
}


def test_objects_of_the_sources_own_classes_cross_and_may_be_changed(tmp_path):
    cells, wrong = [code(SHARED_HEAD)], [code(SHARED_HEAD)]
    for name, (right, test, other) in GIVEN_OBJECTS.items():
        cells += [answer(name, right), check(f"check-{name}", test)]
        wrong += [answer(name, other), check(f"check-{name}", test)]
    write(tmp_path / "source" / "things" / "things.ipynb", cells)
    (tmp_path / "source" / "things" / "helper.py").write_text(
        "class Box:\n    def __init__(self, inside): self.inside = inside\n"
    )
    write(tmp_path / "submitted" / "right" / "things" / "things.ipynb", cells)
    write(tmp_path / "submitted" / "wrong" / "things" / "things.ipynb", wrong)
    liar = [nbformat.from_dict(json.loads(json.dumps(cell))) for cell in cells]
    for cell in liar:
        if grade_id(cell) == "mirrored":  # its object would answer for its class
            cell.source = "def mirrored(p):\n    q = Point(-3, 4)\n    q.x = -3\n"
            cell.source += "    q.__dict__['length'] = lambda: 5\n    q.y = 5\n"
            cell.source += "    return q"
    write(tmp_path / "submitted" / "liar" / "things" / "things.ipynb", liar)
    result, said = grade(tmp_path)
    assert result == 0, said
    found = {(r["student"], r["exercise"]): r["points"] for r in rows(tmp_path)}
    wanted = {("right", name): "1" for name in GIVEN_OBJECTS}
    wanted |= {("wrong", name): "0" for name in GIVEN_OBJECTS}
    wanted |= {("liar", name): "1" for name in GIVEN_OBJECTS}
    wanted["liar", "mirrored"] = "0"
    assert found == wanted, rows(tmp_path)


def test_an_object_is_believed_only_what_the_exercise_asks_for(tmp_path):
    liar = "class Liar:\n    def __eq__(self, x): return True\n"
    liar += "    __lt__ = __gt__ = __contains__ = __eq__\n"
    liar += "    def __sub__(self, x): return 0\n    __exit__ = __enter__ = __eq__\n"
    cells = [
        answer("pair", "class Pair:\n    def __len__(self): return 2"),
        check("check-pair", "assert len(Pair()) == 2"),
        answer("five", "def five(): return 5"),
        check("check-equal", "assert five() == 5"),
        check("check-near", "assert abs(five() - 5) < 1"),
        check("check-order", "assert 4 < five()"),
        check("check-file", "open('five.pkl', 'rb').read()"),
        check(
            "check-with",
            "with five() if callable(five()) else open('x', 'w'):\n"
            "    assert five() == 5",
        ),
    ]
    write(tmp_path / "source" / "liars" / "liars.ipynb", cells)
    saved = "open('five.pkl', 'wb').write(b'5')\n"  # a check might unpickle it
    cells[2] = answer("five", f"{saved}{liar}def five(): return Liar()")
    write(tmp_path / "submitted" / "liar" / "liars" / "liars.ipynb", cells)
    assert grade(tmp_path)[0] == 0
    found = {r["exercise"]: (r["points"], r["reason"]) for r in rows(tmp_path)}
    assert found["pair"][0] == "1" and found["five"][0] == "0", found
    assert "an object of the class Liar came" in found["five"][1]


def test_what_ordinary_courses_may_do_opens_no_door(tmp_path):
    hidden = "### BEGIN HIDDEN TESTS\nsecret = 5\nsum = lambda x: 7\n"
    cells = [
        answer("share", "def share():\n    return 0.5"),
        check("check-share", "share()"),  # partial credit
        answer("hide", "def hide():\n    return 1"),
        check("check-hide", f"{hidden}assert hide() == 1\n### END HIDDEN TESTS"),
    ]
    write(tmp_path / "source" / "doors" / "doors.ipynb", cells)
    wrong = {"share": "def share():\n    return 0", "hide": "hide = abs"}
    peek = "def hide():\n    sums = [str(sum), sum.__name__, sum([1])]\n"
    peek += "    return 1 if 'secret' in globals() or 'lambda' in str(sums) else 0"
    given = {
        "honest": ({}, {"share": 0.5, "hide": 1}),
        "nan": ({"share": "def share():\n    return float('nan')"}, {"share": 0}),
        "much": ({"share": "def share():\n    return 1e9"}, {"share": 1}),
        "debt": ({"share": "def share():\n    return -5"}, {"share": 0}),
        "peeks": ({"hide": peek}, {"hide": 0}),
        "forged": (wrong | {"check-hide": "pass"}, {"share": 0, "hide": 0}),
    }
    for who, (answers, _) in given.items():
        made = [nbformat.from_dict(json.loads(json.dumps(cell))) for cell in cells]
        for cell in made:
            cell.source = answers.get(grade_id(cell), cell.source)
            mark = cell.metadata.nbgrader
            mark["checksum"] = utils.compute_checksum(cell)
        write(tmp_path / "submitted" / who / "doors" / "doors.ipynb", made)
    result, said = grade(tmp_path)
    assert result == 0, said
    found = {(r["student"], r["exercise"]): float(r["points"]) for r in rows(tmp_path)}
    for who, (_, points) in given.items():
        for exercise, wanted in points.items():
            assert found[who, exercise] == wanted, (who, exercise, rows(tmp_path))


def test_an_internal_failure_names_the_cell(tmp_path, monkeypatch):
    path = tmp_path / "source" / "week2" / "words.ipynb"
    write(path, COURSE["words"])
    name, place = "week2/words", book.library(tmp_path)
    given = tmp_path / "course", tmp_path / "source", {name: path}, place, {name}
    about = job.prepare(*given)[name]

    def fails(*_):
        raise OSError("no room")

    monkeypatch.setattr(execute.TwoProcesses, "check", fails)
    task = {"student": "one", "stem": name, "path": str(path), "key": "", "secret": ""}
    task |= {"course": str(tmp_path / "course"), "out": str(tmp_path), "remarks": []}
    task |= {"about": about, "library": str(place), "work": str(tmp_path)}
    (row,) = job.attempt(task | {"unsafe": False, "limits": {}})["rows"]
    assert row["status"] == "not graded" and "NbGrader" not in row["reason"]
    assert "at the cell check-word: " in row["reason"] and "no room" in row["reason"]


def test_a_broken_source_is_told_in_a_line(tmp_path):
    cells = [
        answer("word", "### BEGIN SOLUTION\nword = 1"),
        check("check-word", "word"),
    ]
    write(tmp_path / "source" / "week2" / "words.ipynb", cells)
    write(tmp_path / "submitted" / "one" / "week2" / "words.ipynb", cells)
    result, said = grade(tmp_path)
    assert result == 2 and "week2/words" in said and "no end solution" in said
    assert "Traceback" not in said


def test_what_the_instructor_changed_is_not_the_learners_change(tmp_path):
    cells = [
        code("import math\nlimit = 3"),
        code("small = 1", "small", locked=True),
        answer(
            "root",
            "def root(x):\n    ### BEGIN SOLUTION\n    return x ** 0.5\n"
            "    ### END SOLUTION",
        ),
        check("check-root", "assert root(9) == 2"),
        text("Because.", "why", solution=True, grade=True, points=1),
    ]
    path = tmp_path / "source" / "roots" / "roots.ipynb"
    write(path, cells)
    call = [sys.executable, "-m", "tools.exercises", tmp_path / "release"]
    call = [*map(str, call), "--source", str(tmp_path / "source")]
    subprocess.run(call, cwd=ROOT, check=True)
    release = tmp_path / "release" / "roots" / "roots.ipynb"
    right = {"root": "def root(x):\n    return math.sqrt(x)", "why": "So."}
    for who, given in {"right": right, "stub": {}}.items():
        target = tmp_path / "submitted" / who / "roots" / "roots.ipynb"
        target.parent.mkdir(parents=True)
        nbformat.write(filled(release, given), target)
    tampered = filled(release, right | {"check-root": "pass", "small": "small = 2"})
    tampered.cells[0].source += "\nimport attend"
    target = tmp_path / "submitted" / "tampered" / "roots" / "roots.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(tampered, target)
    cells[0].source, cells[1].source = "import math\nlimit = 4", "small = 4"
    cells[2].source = cells[2].source.replace("(x):", "(x):\n    # of x")
    cells[3].source = "assert root(9) == 3 and limit == small == 4"
    write(path, cells)
    (tmp_path / "release").rename(tmp_path / "first")
    subprocess.run(call, cwd=ROOT, check=True)  # and it is handed out again
    result, said = grade(tmp_path)
    assert result == 0, said
    found = {(r["student"], r["exercise"]): r for r in rows(tmp_path)}
    assert found["right", "root"]["points"] == "1"
    assert (
        not found["right", "root"]["remarks"] and not found["stub", "root"]["remarks"]
    )
    assert (
        found["stub", "root"]["status"] == found["stub", "why"]["status"] == "missing"
    )
    assert found["right", "why"]["status"] == "needs manual"
    said = found["tampered", "root"]["remarks"]
    assert "check-root: was changed" in said and "small: was changed" in said
    assert "imports the book" in said


def test_only_what_is_released_counts(course, tmp_path):
    submit(course, "right")
    submit(course, "right", "week2", "words")
    submit(course, "other", "week2", "words", word="word = 'no'")
    (tmp_path / "submitted").symlink_to(course / "submitted")
    (tmp_path / "roster").write_text("right\t0815\nother\t=4711\nabsent\n")
    options = ["--roster", str(tmp_path / "roster")]
    source = course / "source"
    result, said = grade(tmp_path, *options, "--only", "week2=3", source=source)
    assert {r["notebook"] for r in rows(tmp_path)} == {"week2/words"}
    text = (tmp_path / "grades" / "summary.md").read_text()
    assert "week1" not in text
    result, said = grade(tmp_path, *options, source=source)  # it is remembered
    assert {r["notebook"] for r in rows(tmp_path)} == {"week2/words"}
    grade(tmp_path, *options, "--only", "week1/functions", source=source)
    found = {r["notebook"] for r in rows(tmp_path)}
    assert found == {"week1/functions", "week2/words"}
    call = [sys.executable, "-m", "grading", "export", tmp_path / "grades"]
    before = (tmp_path / "grades" / "course.csv").read_bytes()
    subprocess.run([*map(str, call), "--source", str(source)], cwd=ROOT, check=True)
    assert (tmp_path / "grades" / "course.csv").read_bytes() == before
    with open(tmp_path / "grades" / "course.csv", newline="") as file:
        mine = {row["student"]: row for row in csv.DictReader(file)}
    assert mine["right"]["id"] == "0815" and mine["other"]["id"] == "'=4711"
    assert float(mine["right"]["percent"]) == round(100 * (10 / 13 + 3) / 4, 2)
    assert mine["absent"]["percent"] == "0" and mine["absent"]["needs_manual"] == "no"


@pytest.mark.parametrize(
    "only", ["week3", "week2=nan", "week2=inf", "week2=-1", "week2=x"]
)
def test_a_name_or_weight_that_is_none_is_refused(only):
    options = argparse.Namespace(only=[only], source="source", out="grades")
    with pytest.raises(main.Refused) as refused:
        main.chosen(options, {"week2/words": None}, {})
    told = str(refused.value)
    assert only in told
    assert "=" in only or "there is week2/words" in told


def tried(path):
    """Run `python -m grading check` on a notebook; return (exit code, text)."""
    call = [sys.executable, "-m", "grading", "check", str(path), *PATIENT]
    run = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def test_the_template_is_in_order_and_its_wrong_answers_are_judged():
    result, said = tried(ROOT / "grading/template/temperature/temperature.ipynb")
    assert result == 0 and "In order" in said, said
    assert "wrong: sums over the columns gets 0 of 3; " in said
    assert "right: row by row, in loops gets 3 of 3" in said
    assert "are better" not in said  # as many as the page asks for


ROOTS = [
    answer(
        "root",
        "def root(x):\n    ### BEGIN SOLUTION\n    return x**0.5\n    ### END SOLUTION",
    ),
    check(
        "check-root",
        "assert root(9) == 3\n### BEGIN HIDDEN TESTS\nassert root(16) == 4\n"
        "### END HIDDEN TESTS",
    ),
    text("Because.", "why", solution=True, grade=True, points=1),
]


@pytest.mark.parametrize(
    ("cell", "source", "told"),
    [
        (1, "assert root(9) == 4", "check-root: error: the solution does not pass"),
        (1, "root(9)\n### BEGIN HIDDEN TESTS\n1", "do not pair"),
        (
            1,
            "assert root(9) == 3\n### BEGIN HIDDEN TESTS\nassert True\n"
            "### END HIDDEN TESTS",
            "check-root: error: the hidden tests alone pass on the stub",
        ),
        (1, "assert True", "check-root: error: the stub passes"),
        (
            2,
            "### BEGIN MARK SCHEME\nx\n### END MARK SCHEME",
            "why: error: has a region MARK SCHEME, but is not marked as task",
        ),
        (0, ROOTS[0].source, "root: what is handed out does not raise"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_an_exercise_with_a_mistake_is_told_where(tmp_path, cell, source, told):
    cells = [nbformat.from_dict(x) for x in ROOTS]
    cells[cell] = nbformat.from_dict(cells[cell] | {"source": source})
    path = tmp_path / "source" / "roots" / "roots.ipynb"
    write(path, cells)
    stub = "raise NotImplementedError" if cell else "pass"
    stub = f"c = get_config()\nc.ClearSolutions.code_stub = {{'python': {stub!r}}}"
    (tmp_path / "nbgrader_config.py").write_text(stub)
    answers = "# %% root wrong: halves\ndef root(x):\n    return x / 2\n"
    answers += "# %% root wrong: none\ndef root(x):\n    return pow(x, 0.5)\n"
    answers += "# %% root right: half\ndef root(x):\n    return x / 2\n"
    path.with_suffix(".py").write_text(answers)
    result, said = tried(path)
    assert told in said and result == 1, said
    if source == "assert True":
        assert "root: error: wrong: none gets 1 of 1" in said
        assert "root: wrong: halves gets" not in said  # it gets them all
    assert "Traceback" not in said


def test_answers_that_resemble_each_other_are_a_hint(course):
    longer = (
        "def quadruple(x):\n    made = []\n    for step in range(4):\n"
        "        made.append(x)\n    total = 0\n    for part in made:\n"
        "        total = total + part  # add\n    return total"
    )
    renamed = longer.replace("made", "xs").replace("total", "s").replace("# add", "")
    submit(course, "right", quadruple=longer)
    submit(course, "other", quadruple=renamed)
    submit(course, "silent", quadruple="def quadruple(x):\n    return 4 * x")
    call = [sys.executable, "-m", "grading", "similar", course / "submitted"]
    call = [*map(str, call), "--source", str(course / "source")]
    run = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    first, *rest = run.stdout.splitlines()
    assert "100% of" in first and first.endswith("quadruple: other | right")
    assert "1 pairs to look at" in rest[-1] and "never a proof" in rest[-1]


def test_the_roster_says_what_the_tables_call_a_learner(tmp_path):
    path = tmp_path / "roster"
    path.write_text("Ada Lovelace\n张伟\t 0815\n\n")
    assert people.enrolled(path) == {"Ada Lovelace": "", "张伟": "0815"}
    path.write_text(
        "First name;Surname;ID number;Email address\nAda;Lovelace;17;a@b.c\n"
    )
    assert people.enrolled(path) == {"Ada Lovelace": "17"}
    path.write_text('Student,ID,SIS Login ID\n"Lovelace, Ada",4711,ada\nWei,5,\n')
    assert people.enrolled(path) == {"Ada Lovelace": "ada", "Wei": "5"}


def test_a_check_that_was_mended_reaches_the_gradebook(tmp_path):
    path = tmp_path / "source" / "week2" / "words.ipynb"
    for source in ("assert word == 'yes'", "assert word.lower() == 'yes'"):
        cells = [answer("word", "word = 'yes'"), check("check-word", source)]
        write(path, cells)
        write(tmp_path / "submitted" / "one" / "week2" / "words.ipynb", cells)
        assert grade(tmp_path)[0] == 0
        with api.Gradebook(f"sqlite:///{tmp_path}/grades/gradebook.db") as gradebook:
            cell = gradebook.find_source_cell("check-word", "words", "week2")
            assert cell.source == source
            assert gradebook.find_submission("week2", intake.identity("one")).score == 1


def test_what_a_person_writes_keeps_its_numbers_and_no_dead_links():
    shown = page.markdown("3. third\n4. fourth\n\n[a](../x.ipynb) [b](https://x.org)")
    assert '<ol start="3">' in shown and "../x" not in shown and "x.org" in shown


def by_hand(folder, cell, points=None, comment=None):
    """Do what a person does in Formgrader: points, a comment; no points: a tick."""
    with api.Gradebook(f"sqlite:///{folder}/grades/gradebook.db") as gradebook:
        for kind in (api.Grade, api.Comment):
            for one in gradebook.db.query(kind).all():
                if one.name == cell and kind is api.Comment and comment:
                    one.manual_comment = comment
                elif one.name == cell and kind is api.Grade:
                    one.manual_score = one.manual_score if points is None else points
                    one.needs_manual_grade = False
        gradebook.db.commit()


def exported(folder, *words):
    call = [sys.executable, "-m", "grading", "export", folder / "grades", *words]
    call += ["--source", folder / "source"]
    run = subprocess.run([*map(str, call)], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def roots(folder, who, why, name="roots", root="def root(x):\n    return x**0.5"):
    cells = [*ROOTS[:2], nbformat.from_dict(ROOTS[2] | {"source": why})]
    cells[0] = answer("root", root)
    write(folder / "submitted" / who / name / f"{name}.ipynb", cells)


def shown(folder, who):
    path = folder / "grades/feedback" / intake.identity(who) / "roots/roots.html"
    return path.read_text("utf-8")


def test_points_on_an_answer_that_was_changed_wait_for_another_look(tmp_path):
    write(tmp_path / "source" / "roots" / "roots.ipynb", ROOTS)

    def row(who="Ada"):
        found = {r["student"]: r for r in rows(tmp_path) if r["exercise"] == "why"}
        return [found[who][key] for key in ("points", "status", "needs_manual")]

    for who in ("Ada", "Wei"):
        roots(tmp_path, who, "Since 3 times 3 is 9.")
    result, said = grade(tmp_path)
    assert row() == ["0", "needs manual", "yes"], said
    assert "roots: 2 wait for a person" in said
    assert "until then" in shown(tmp_path, "Ada")
    by_hand(tmp_path, "why", 1, "Well put.")
    assert "wait" not in exported(tmp_path)
    assert row() == ["1", "graded", "no"]
    assert "until then" not in shown(tmp_path, "Ada")
    roots(tmp_path, "Ada", "I do not know.")
    for _ in range(2):  # and grading again does not forget it
        result, said = grade(tmp_path)
        assert row() == ["0", "needs manual", "yes"] and row("Wei")[0] == "1"
        assert "Ada: roots, why: changed since a person gave 1" in said
        assert "Wei:" not in said
    assert "Ada: roots, why: changed since a person gave 1" in exported(tmp_path)
    page = shown(tmp_path, "Ada")
    assert "do not know" in page and "until then" in page
    assert "On an earlier answer: Well put." in page
    by_hand(tmp_path, "why", 0.5)
    exported(tmp_path)
    result, said = grade(tmp_path)
    assert row() == ["0.5", "graded", "no"] and "changed since" not in said
    roots(tmp_path, "Ada", "I know.", root="def root(x):\n    return pow(x, 0.5)")
    roots(tmp_path, "Wei", "Since 3 times 3 is 9.", root="def root(x):\n    return 3")
    result, said = grade(tmp_path)
    assert row() == ["0", "needs manual", "yes"], "the second time, too"
    assert shown(tmp_path, "Ada").count("On an earlier answer") == 1
    assert row("Wei") == ["0.5", "graded", "no"], "another answer says nothing of this"


def test_a_text_that_was_emptied_is_none_and_waits_for_nobody(tmp_path):
    write(tmp_path / "source" / "roots" / "roots.ipynb", ROOTS)
    roots(tmp_path, "Ada", " \n")
    result, said = grade(tmp_path)
    (row,) = [row for row in rows(tmp_path) if row["exercise"] == "why"]
    found = [row[key] for key in ("points", "status", "needs_manual")]
    assert found == ["0", "missing", "no"] and "wait" not in said, said


def test_a_week_of_a_class_says_what_a_person_must_know(tmp_path):
    for name in ("roots", "later"):
        write(tmp_path / "source" / name / f"{name}.ipynb", ROOTS)
    for who in ("Ada", "Wei", "Alan"):
        roots(tmp_path, who, "Since 3 times 3 is 9.")
    stub = "def root(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    roots(tmp_path, "Bo", "YOUR ANSWER HERE", root=stub)
    for name in ("rows", "03_three_stages"):  # of other sources
        roots(tmp_path, "Ada", "Because.", name)
    ledger = "student,stem,system,place,late,sha256\nAda,rows,canvas,x,,y\n"
    (tmp_path / "submitted" / ".collected.csv").write_text(ledger)
    broken = tmp_path / "submitted" / "Alan" / "roots" / "roots.ipynb"
    broken.write_text('{"cells": [')
    endless = "def root(x):\n    while True:\n        pass"
    roots(tmp_path, "Wei", "So.", root=endless)
    (tmp_path / "roster").write_text("name\nAda\nWei\nAlan\nBo\nEve\n")
    options = "--roster", str(tmp_path / "roster"), "--cpu", "2"
    path = tmp_path / "secret.txt"
    for text, reason in (None, "No such file"), ("\n", "secret.txt: write a line"):
        if text:
            path.write_text(text)
        result, said = grade(tmp_path, *options, "--seed", str(path))
        assert result == 2 and reason in said and "nobody guesses" in said
        assert "Traceback" not in said
    path.write_text("a line")
    options = *options, "--seed", str(path)
    result, said = grade(tmp_path, *options)
    assert "4 to grade" in said and "Points changed" not in said
    assert result == 0 and "Eve is on the roster and handed in nothing" in said
    assert not any(row["remarks"] for row in rows(tmp_path)), rows(tmp_path)
    page = shown(tmp_path, "Alan")
    assert "cannot be read. The file is not JSON" in page and "Alan<br>" in page
    assert "0 of 2 points" in page
    assert "is there an endless loop?" in shown(tmp_path, "Wei")
    assert "Wei<br>your file as of 20" in shown(tmp_path, "Wei")
    exported(tmp_path, "--canvas")
    with open(tmp_path / "grades" / "canvas.csv", newline="") as file:
        _, *lines = csv.DictReader(file)
    points = {row["Student"]: row["roots"] for row in lines}
    assert points == {"Ada": "1", "Alan": "0", "Bo": "0", "Eve": "", "Wei": "0"}
    roots(tmp_path, "Ada", "Since 3 times 3 is 9.", "later")
    roots(tmp_path, "Eve", "So.", "later")
    result, said = grade(tmp_path, *options)
    late = "Ada: later: 0 -> 1; Eve: later: 0 -> 1"  # were missing
    assert result == 0 and f"Points changed: {late}\n" in said
    assert "later: nothing from Alan, Bo, Wei" in said
    assert "roots: nothing from Eve" in said
    assert "later: 2 wait for a person" in said and "roots: 2 wait" in said
    cells = [nbformat.from_dict(x) for x in ROOTS]
    cells[1].source = cells[1].source.replace("root(9) == 3", "root(9) == 4 or 1 / 0")
    write(tmp_path / "source" / "roots" / "roots.ipynb", cells)
    result, said = grade(tmp_path, *options)
    assert "Points changed: Ada: roots: 1 -> 0\n" in said


def test_who_grades_a_text_sees_the_sources_answer_and_no_page_shows_it(tmp_path):
    cells = [*ROOTS[:2], nbformat.from_dict(ROOTS[2] | {"source": "**Rubric**: 1."})]
    write(tmp_path / "source" / "roots" / "roots.ipynb", cells)
    roots(tmp_path, "Ada", "So.")
    grade(tmp_path)
    path = "autograded", intake.identity("Ada"), "roots", "roots.ipynb"
    path = Path(tmp_path, "grades", *path)
    *_, mine, rubric = nbformat.read(path, as_version=4).cells
    assert mine.source == "So." and "**Rubric**: 1." in rubric.source
    assert "not see" in rubric.source and grade_id(rubric) is None
    assert "Rubric" not in shown(tmp_path, "Ada")
    by_hand(tmp_path, "why", 1, "Well put.")
    exported(tmp_path)
    assert "Well put." in shown(tmp_path, "Ada")
    assert "Rubric" not in shown(tmp_path, "Ada")
    (tmp_path / "roster").write_text("Ada\nEve\n")
    grade(tmp_path, "--roster", str(tmp_path / "roster"))
    with open(tmp_path / "grades" / "totals.csv", newline="") as file:
        pages = {row["student"]: row["page"] for row in csv.DictReader(file)}
    assert pages["Eve"] == ""
    assert (tmp_path / "grades" / pages["Ada"]).read_text() == shown(tmp_path, "Ada")


def fetched(address):
    for _ in range(100):  # its address is told before it listens
        with contextlib.suppress(urllib.error.URLError):
            with urllib.request.urlopen(address) as page:
                return page.read().decode()
        time.sleep(0.2)


def test_make_texts_opens_manual_grading(tmp_path):
    write(tmp_path / "source" / "roots" / "roots.ipynb", ROOTS)
    roots(tmp_path, "Ada", "So.")
    grade(tmp_path)
    call, none = ["make", "texts", f"OUT={tmp_path}/grades"], {"BROWSER": "true"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    options |= {"env": os.environ | none, "start_new_session": True}
    said = ""
    with subprocess.Popen(call, cwd=ROOT, **options) as made:
        try:
            while not (found := re.search(r"http\S+token=\w+", said)):
                said += next(made.stdout)
            assert "Manual Grading" in fetched(found[0])
            assert "/formgrader/gradebook?" in found[0]
        finally:
            os.killpg(made.pid, signal.SIGKILL)
        assert "WARNING" not in said + made.stdout.read()


def test_the_points_of_each_exercise_are_listed(tmp_path):
    write(tmp_path / "source" / "roots" / "roots.ipynb", ROOTS)
    call = [sys.executable, "-m", "grading", "points", "--source", tmp_path / "source"]
    run = subprocess.run([*map(str, call)], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "roots 2\n", run.stderr


def test_too_few_answers_to_try_are_told(tmp_path):
    path = tmp_path / "source" / "roots" / "roots.ipynb"
    write(path, ROOTS)
    text = "# %% root wrong: halves\ndef root(x):\n    return x / 2\n"
    path.with_suffix(".py").write_text(text)
    assert (
        "root: 0 right and 1 wrong answers: write two and three, or more"
        in tried(path)[1]
    )
    for kind, source in [("wrong", "9"), ("wrong", "x")] + [("right", "x**0.5")] * 2:
        text += f"# %% root {kind}: {source}\ndef root(x):\n    return {source}\n"
    path.with_suffix(".py").write_text(text)
    assert "are better" not in tried(path)[1]
