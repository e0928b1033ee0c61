"""Every submission of the red team gets what it deserves, and harms nobody.

All of them are graded in one run, as a class would be. `make test` tries the quick
ones, `make redteam` all.
"""

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.bridge.sandbox import bubblewrap
from grading.intake import identity, shown
from tests.redteam.cases import CASES, FULL, STEM
from tools.notebooks import ROOT

pytestmark = pytest.mark.skipif(
    bubblewrap()[1] is not None, reason=f"red team: {bubblewrap()[1]}"
)
CHOSEN = {n: c for n, c in CASES.items() if os.environ.get("REDTEAM") or not c.slow}
# Memory is small, so that a bomb bursts before its time is up on a slow machine.
LIMITS = "--cpu 8 --total 60 --wall 60 --memory 600".split()


def alive(folder):
    """Return the command lines of this run's sandboxes that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if "bwrap" in text and str(folder) in text:
            found.append(text)
    return found


@pytest.fixture(scope="session")
def graded(tmp_path_factory):
    """Return (rows by student and exercise, the results' folder, the run)."""
    folder = tmp_path_factory.mktemp("redteam")
    submitted, out = folder / "submitted", folder / "grades"
    for number, (_, case) in enumerate(CHOSEN.items()):
        home = submitted / (case.folder or f"case {number}")
        home.mkdir(parents=True)
        case.fill(home)
    call = [sys.executable, "-m", "grading", str(submitted), "--out", str(out)]
    stems = dict.fromkeys(case.stem for case in CHOSEN.values())
    call += [x for stem in stems for x in ("--only", stem)] + LIMITS
    before = solutions()
    (folder / "tmp").mkdir()
    run = subprocess.run(
        call,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert solutions() == before, "a submission wrote over the sources"
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {
            (r["id"], r["notebook"], r["exercise"]): r for r in csv.DictReader(file)
        }
    return rows, out, run


def solutions():
    return {p: p.read_bytes() for p in ROOT.glob(f"[se]*s/{STEM}/*.ipynb")}


FORMULA = r"[;,\t|]\s*[=+\-@＝＋－＠]"  # whatever a spreadsheet splits at


def named(name):
    return " ".join(shown(home_of(name)).split()).replace("'", "")


def home_of(name):
    case = CASES[name]
    return case.folder or f"case {list(CHOSEN).index(name)}"


@pytest.mark.parametrize("name", CHOSEN)
def test_a_case_gets_the_points_it_deserves(graded, name):
    rows, _, run = graded
    assert run.returncode == 0, run.stdout + run.stderr
    case, student = CASES[name], identity(home_of(name))
    mine = {k[2]: r for k, r in rows.items() if k[:2] == (student, case.stem)}
    full = FULL if case.stem == STEM else dict.fromkeys(mine)
    for exercise, points in (full | case.lost).items():
        row = mine[exercise]
        if points is None and row["status"] != "needs manual":
            points = float(row["maximum"])
        if points is None or points is ...:  # ...: the others are full, whatever it is
            continue
        assert float(row["points"]) == points, row
        lost = exercise in case.lost
        assert row["status"] == (case.status if lost and case.status else row["status"])
        assert row["status"] == "graded" if not lost else row["reason"], row
    told = list(mine.values())
    text = " ".join(r["reason"] + r["remarks"] for r in told)
    assert case.says in text, text
    assert not case.never or case.never not in text, text
    for row in told:
        assert not re.search(FORMULA, "".join(f";{x}" for x in row.values())), row
        assert max(map(len, row.values())) < 10_000
    assert told[0]["student"].replace("'", "") == named(name)


def test_no_process_is_left_behind(graded):
    _, out, _ = graded
    end = time.monotonic() + 60  # a busy kernel ends what was killed in its own time
    while left := alive(out.parent):
        assert time.monotonic() < end, left
        time.sleep(0.1)


def test_pages_are_inert(graded):
    _, out, _ = graded
    pages = list(out.glob("feedback/*/*/*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text("utf-8")
        assert len(text) < 200_000
        assert "default-src 'none'" in text
        tags = re.findall(r"<[a-z/][^>]*>", text.split("</head>")[1], re.I)
        for tag in tags:
            assert not re.match(
                r"<(script|iframe|svg|img|style|object|meta)", tag, re.I
            )
            assert not re.search(r"\son\w+=|javascript:", tag, re.I), tag


def test_nothing_is_written_outside(graded):
    _, out, _ = graded
    kinds = {path.name for path in out.parent.iterdir()}
    assert kinds == {"submitted", "grades", "tmp"}
    left = {path.name for path in (out.parent / "tmp").iterdir()}
    assert not {name for name in left if not name.startswith("torchinductor")}
    assert not (ROOT / "hacked").exists()


def test_there_are_cases_enough():
    assert len(CASES) >= 60
