"""The grader: right answers get full points, others what they get in one process."""

import argparse
import contextlib
import csv
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from datetime import time as clock
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbgrader import api

from grading import book, intake, job, page, pool, reading, report, scratch
from grading.__main__ import lateness
from grading.bridge import codec, sandbox
from grading.bridge.session import Learner
from grading.doctor import TRIALS
from tests.test_answers import (
    SOLUTIONS,
    answers,
    failures,
    grade_id,
    graded_by_program,
)
from tools.exercises import is_check
from tools.notebooks import ROOT, read

needs_sandbox = pytest.mark.skipif(
    sandbox.bubblewrap()[1] is not None, reason=f"grading: {sandbox.bubblewrap()[1]}"
)
ALL = bool(os.environ.get("REDTEAM"))  # make redteam
QUICK = "03_three_stages"
PATIENT = "--cpu 120 --total 600 --wall 900".split()  # with slow machines


def grade(folder, *options, wait=True):
    """Run `python -m grading` on folder/submitted."""
    call = [sys.executable, "-m", "grading", str(folder / "submitted")]
    call += ["--out", str(folder / "grades"), *PATIENT, *options]
    process = subprocess.Popen(
        call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if not wait:
        return process
    text, _ = process.communicate(timeout=3600)
    return process.returncode, text


def rows(folder):
    with open(folder / "grades" / "grades.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def hand_in(folder, student, stem, notebook):
    path = folder / "submitted" / student / stem / f"{stem}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def answered(stem, **given):
    notebook = read(ROOT / "solutions" / stem / f"{stem}.ipynb")
    for cell in notebook.cells:
        cell.source = given.get(grade_id(cell) or "", cell.source)
    return notebook


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Grade the solutions as handed in, and the exercises as handed out."""
    folder = tmp_path_factory.mktemp("whole")
    for stem in SOLUTIONS:
        hand_in(folder, "solved", stem, SOLUTIONS[stem])
        release = read(ROOT / "exercises" / stem / f"{stem}.ipynb")
        hand_in(folder, "untouched", stem, release)
    code, text = grade(folder)
    assert code == 0, text
    return folder


@needs_sandbox
@pytest.mark.parametrize("stem", SOLUTIONS)
def test_solutions_get_full_points_and_releases_none(whole, stem):
    mine = [row for row in rows(whole) if row["notebook"] == stem]
    assert mine
    for row in mine:
        if row["student"] == "untouched":
            assert float(row["points"]) == 0 and row["status"] == "missing", row
        elif row["status"] == "needs manual":
            assert row["needs_manual"] == "yes" and float(row["points"]) == 0
        else:
            assert row["points"] == row["maximum"] and row["status"] == "graded", row


@needs_sandbox
def test_feedback_never_shows_a_hidden_test(whole):
    for stem, notebook in SOLUTIONS.items():
        parts = [c.source.partition("### BEGIN HIDDEN TESTS") for c in notebook.cells]
        seen = "\n".join(part[0] for part in parts)
        for feedback in (whole / "grades" / "feedback").glob(f"*/{stem}/*.html"):
            text = feedback.read_text("utf-8")
            assert "HIDDEN" not in text
            for cell in SOLUTIONS[stem].cells:
                if is_check(cell):
                    hidden = cell.source.partition("### BEGIN HIDDEN TESTS")[2]
                    lines = {x.strip() for x in hidden.splitlines() if len(x) > 40}
                    kept = {x for x in lines if x not in seen and x in text}
                    assert not kept, feedback


def test_feedback_draws_every_formula_of_the_exercises(monkeypatch):
    seen, formula = {}, page.formula
    monkeypatch.setattr(page, "formula", lambda *x: seen.setdefault(x, formula(*x)))
    for notebook in SOLUTIONS.values():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                page.markdown(cell.source)
    assert len(seen) > 100
    assert [
        tex for (tex, _), made in seen.items() if not made.startswith("<math")
    ] == []
    assert "<msub><mi>a</mi><mi>i</mi></msub>" in page.markdown("Here $a_i * b_i$.")


@pytest.mark.parametrize(
    "tex",
    [
        "\\text{<script>alert(1)</script>}",
        "\\text{</mtext></math><b onclick=1>}",
        "\\text{<!-- all the rest}",
        "{" * 900,
        "a'" * 5000,
    ],
)
def test_a_formula_that_is_none_shows_as_text(tex):
    shown = page.markdown(f"Before ${tex}$ after.")
    assert (
        shown == f"<p>Before <code>{page.escape(tex, quote=False)}</code> after.</p>\n"
    )


@needs_sandbox
def test_the_gradebook_is_nbgraders(whole):
    with api.Gradebook(f"sqlite:///{whole}/grades/gradebook.db") as gradebook:
        student = intake.identity("solved")
        found = gradebook.find_submission_notebook(QUICK, QUICK, student)
        assert found.score == 13 and found.needs_manual_grade
        for grade in found.grades:
            if grade.needs_manual_grade:
                grade.manual_score, grade.needs_manual_grade = 2, False
                comment = gradebook.find_comment(grade.name, QUICK, QUICK, student)
                comment.manual_comment = "Well said. <script>"
        gradebook.db.commit()
    call = [sys.executable, "-m", "grading", "export", str(whole / "grades")]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    (row,) = [
        row
        for row in rows(whole)
        if (row["student"], row["exercise"]) == ("solved", "temperature")
    ]
    assert row["points"] == "2" and row["status"] == "graded"
    assert row["needs_manual"] == "no"
    folder = whole / "grades"
    page = folder / "feedback" / student / QUICK / f"{QUICK}.html"
    assert "2 of 3 points<" in page.read_text("utf-8")
    assert "<p>Well said. </p>" in page.read_text("utf-8")
    assert (folder / "source" / QUICK).is_dir()  # where the formgrader looks for names


def test_the_gradebook_holds_what_was_handed_in_and_what_people_gave(tmp_path):
    path = ROOT / "solutions" / QUICK / f"{QUICK}.ipynb"
    given = tmp_path / "course", ROOT / "solutions", {QUICK: path}, tmp_path, {QUICK}
    about = job.prepare(*given)[QUICK]
    names = [name for row in about["exercises"] for name in row[1]]
    nothing = {}, "missing", "nothing was handed in"

    def merged(**given):
        """Merge the students' scores; return the grades that are in the gradebook."""
        task, results = {"stem": QUICK, "key": "", "remarks": [], "about": about}, []
        for student, (scores, *status) in given.items():
            task["student"] = student
            results.append(job.outcome(task, scores, {}, [], *status))
            results[-1]["again"] = "not graded" in status
        with report.opened(tmp_path) as gradebook:
            report.enter(gradebook, tmp_path / "course", [QUICK], [QUICK])
            report.merge(gradebook, results, [QUICK])
        with api.Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as gradebook:
            assert {s.id for s in gradebook.students} == {"one", "two", "three"}
            grades = gradebook.db.query(api.Grade).all()
            found = {(x.student.id, x.name): x for x in grades}
            assert len(found) == len(grades)
            state = {k: (x.auto_score, x.needs_manual_grade) for k, x in found.items()}
            for x in grades:
                if x.name == names[0]:
                    x.manual_score, x.needs_manual_grade = 5, False
            gradebook.db.commit()
            return state

    full = dict.fromkeys(names, 1.0) | {names[-1]: None}
    broken = {}, "unreadable", "the file is empty"
    state = merged(one=[full], two=broken, three=nothing)
    assert state == {("one", name): (1, False) for name in names[:-1]} | {
        ("one", names[-1]): (None, True)
    } | {("two", name): (0, False) for name in names}
    again = merged(one=[full], two=broken, three=nothing)
    assert again == state  # the same scores: what people gave needs no other look
    state = merged(one=nothing, two=[full], three=nothing)  # one withdrew
    assert state["one", names[0]] == (0, True) and state["one", names[-1]] == (0, False)
    assert state["two", names[0]] == (1, True) and len(state) == 2 * len(names)
    failed = {}, "not graded", "the grader failed"
    state = merged(one=nothing, two=failed, three=nothing)  # which says nothing of it
    assert state["two", names[0]] == (1, False) and len(state) == 2 * len(names)
    with api.Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as gradebook:
        assert gradebook.find_submission(QUICK, "one").score == 5


def mixtures(stem):
    """Yield sets of alternative answers, one for each exercise at a time."""
    lists = {}
    for answer, kind, _, source in answers(stem):
        lists.setdefault(answer, []).append((answer, kind, source))
    if ALL:
        for answer, several in lists.items():
            for answer, kind, source in several:
                yield {answer: (kind, source)}
    else:  # two of each, as different as can be
        for pick in (0, -1):
            yield {a: (some[pick][1], some[pick][2]) for a, some in lists.items()}


def in_one_process(stem, given):
    """Return the checks that fail, each answer tried alone, in one process."""
    failed = set()
    for answer, (_, source) in given.items():
        with contextlib.redirect_stdout(io.StringIO()):
            failed |= set(failures(SOLUTIONS[stem], answer, source))
    return failed


STEMS = [s for s in SOLUTIONS if ALL or s < "04"]


@needs_sandbox
def test_answers_get_the_points_of_one_process(tmp_path):
    expected, tried = {}, {}
    for stem in STEMS:
        checks = graded_by_program(SOLUTIONS[stem])
        for number, given in enumerate(mixtures(stem)):
            name = f"{stem} {number}"
            if ALL or len(given) == 1:
                notebook = answered(stem, **{k: v[1] for k, v in given.items()})
                expected[name, stem] = in_one_process(stem, given)
            else:
                alone = {k: v[1] for k, v in given.items() if k != "softmax"}
                notebook = answered(stem, **alone)
                given = {k: v for k, v in given.items() if k in alone}
                expected[name, stem] = in_one_process(stem, given)
            tried[name, stem] = {c for answer in given for c in checks[answer]}
            hand_in(tmp_path, name, stem, notebook)
    code, text = grade(tmp_path, *[x for s in STEMS for x in ("--only", s)])
    names = json.loads((tmp_path / "grades" / "students.json").read_text())
    seen = {}
    for line in (tmp_path / "grades" / "results.jsonl").read_text().splitlines():
        result = json.loads(line)
        name, stem = names[result["student"]], result["stem"]
        failed = {c for row in result["rows"] for c in row["failed"]}
        if (name, stem) in tried:  # else nothing was handed in
            seen[name, stem] = failed & tried[name, stem]
    assert code == 0 and seen == expected, text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, ""), (0, ""), (61, "late by 0 h 1 min"), (1e5, "late by 27 h 46 min")],
)
def test_late_work_is_told(tmp_path, seconds, said):
    due = datetime(2030, 1, 1, 12)
    (tmp_path / "x.ipynb").write_text("")
    os.utime(tmp_path / "x.ipynb", (due.timestamp() + seconds,) * 2)
    assert lateness(tmp_path / "x.ipynb", due) == said
    assert lateness(tmp_path / "x.ipynb", None) == lateness(None, due) == ""


@needs_sandbox
def test_a_grader_that_is_killed_goes_on_and_repeats_nothing(tmp_path):
    for number in range(6):
        hand_in(tmp_path, f"student {number}", QUICK, SOLUTIONS[QUICK])
    log = tmp_path / "grades" / "results.jsonl"
    process = grade(tmp_path, "--only", QUICK, "--jobs", "1", wait=False)
    end = time.monotonic() + 900
    while not (log.exists() and log.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = log.read_bytes()
    with open(log, "ab") as file:
        file.write(b'{"student": "torn')  # the line that was being written
    code, text = grade(tmp_path, "--only", QUICK)
    assert code == 0, text
    lines = log.read_bytes().splitlines()
    assert b"\n".join(lines).startswith(done.rstrip(b"\n"))
    whole = [json.loads(x) for x in lines if x.endswith(b"}")]
    assert len(whole) == len({(r["student"], r["key"]) for r in whole})
    assert len({r["student"] for r in whole}) == 6
    assert len(rows(tmp_path)) == 6 * 5
    before = (tmp_path / "grades" / "grades.csv").read_bytes()
    code, text = grade(tmp_path, "--only", QUICK)
    assert "0 graded now, 6 as before" in text
    assert (tmp_path / "grades" / "grades.csv").read_bytes() == before
    hand_in(
        tmp_path, "student 5", QUICK, read(ROOT / f"exercises/{QUICK}/{QUICK}.ipynb")
    )
    code, text = grade(tmp_path, "--only", QUICK, "--due", "2000-01-01T12:00")
    assert "1 graded now, 5 as before" in text
    assert all("late by" in row["remarks"] for row in rows(tmp_path))


@needs_sandbox
def test_a_row_of_the_graders_own_failure_is_graded_again(tmp_path):
    hand_in(tmp_path, "one", QUICK, SOLUTIONS[QUICK])
    assert grade(tmp_path, "--only", QUICK)[0] == 0
    log = tmp_path / "grades" / "results.jsonl"
    made = json.loads(log.read_text())
    for row in made["rows"]:
        row |= {"points": 0, "status": "not graded", "reason": "the memory was full"}
    log.write_text(json.dumps(made | {"scores": {}, "again": True}) + "\n")
    code, text = grade(tmp_path, "--only", QUICK)
    assert code == 0 and "1 graded now" in text, text
    assert {r["points"] for r in rows(tmp_path) if r["exercise"] == "softmax"} == {"4"}


def task_of(student):
    about = {"exercises": [["a", ["check-a"], 1, False]]}
    keys = {"student": student, "stem": "x", "key": "k", "remarks": []}
    keys |= {"limits": {"total": 60}}
    return keys | {"about": about}


def test_each_core_has_its_job_when_there_are_enough(monkeypatch):
    monkeypatch.setattr(pool.job, "attempt", lambda _: [*os.sched_getaffinity(0)])
    options, every = argparse.Namespace(wall=1), os.sched_getaffinity(0)
    tasks = [{"limits": {"total": 9}}] * 4 * len(every)
    made = [x for _, x in pool.side_by_side(tasks, len(every), options)]
    assert {core for (core,) in made} == every
    for jobs in range(1, len(every)):  # the others are somebody else's, or the kernel's
        made = [x for _, x in pool.side_by_side(tasks, jobs, options)]
        assert all(set(cores) == every for cores in made)


@pytest.mark.parametrize("how", ["killed", "outside", "raises"])
def test_a_job_that_fails_from_outside_has_a_second_go_and_is_never_final(
    tmp_path, monkeypatch, how
):
    def grade(task):
        mark = tmp_path / task["student"]
        first = not mark.exists()
        mark.touch()
        bad = task["student"] == "never" or first and task["student"] == "once"
        if bad and how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if bad and how == "raises":
            raise OSError("no room")
        made = job.outcome(task, {"check-a": 0 if bad else 1}, {}, [])
        return made | {"outside": True} if bad else made

    monkeypatch.setattr(job, "grade", grade)
    monkeypatch.setattr(pool, "ready", lambda *_: None)
    options = argparse.Namespace(scheduler=None, jobs=2, wall=1)
    tasks = [task_of(name) for name in ("fine", "once", "never", "good")]
    found = {result["student"]: result for result in pool.run(tasks, options)}
    assert len(found) == 4
    for name in ("fine", "once", "good"):
        assert found[name]["rows"][0]["points"] == 1 and "again" not in found[name]
    (row,) = found["never"]["rows"]
    if how == "outside":  # twice the same: so it was the submission
        assert row["points"] == 0 and "again" not in found["never"]
    else:
        assert found["never"]["again"] and row["status"] == "not graded"
        assert "the next run tries again" in row["reason"]


@needs_sandbox
def test_wherever_a_run_is_killed_nothing_is_lost_and_nothing_left(
    tmp_path, monkeypatch
):
    for number in range(4):
        hand_in(tmp_path, f"student {number}", QUICK, SOLUTIONS[QUICK])
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))

    def begun():
        """Start a run and wait until its folder is there."""
        run = grade(tmp_path, "--only", QUICK, wait=False)
        while run.poll() is None and not list((tmp_path / "tmp").iterdir()):
            time.sleep(0.01)
        return run

    run, start = begun(), time.monotonic()
    assert run.communicate() and run.returncode == 0
    whole, before = time.monotonic() - start, rows(tmp_path)
    log = tmp_path / "grades" / "results.jsonl"
    kinds = [signal.SIGKILL] * (20 if ALL else 2) + [signal.SIGINT, signal.SIGTERM]
    left = []
    for number, kind in enumerate(kinds):
        log.unlink()  # from the start; tables and gradebook are there
        run = begun()
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(whole * number / len(kinds))
        run.send_signal(kind)
        run.communicate(timeout=600)
        left.append(len(list((tmp_path / "tmp").iterdir())))
        if kind != signal.SIGKILL:
            assert left[-1] == 0, kind  # it cleans up itself, and what was left before
        if number % 2 and log.exists():  # a reboot: what was written last is torn
            data = log.read_bytes()
            log.write_bytes(data[: max(0, len(data) - 40)])
            (tmp_path / "grades" / "grades.csv.new").write_bytes(b"")
        code, text = grade(tmp_path, "--only", QUICK)
        assert code == 0 and rows(tmp_path) == before, text
        assert not list((tmp_path / "tmp").iterdir())
    assert max(left) > 0  # or no kill has hit a run
    with api.Gradebook(f"sqlite:///{tmp_path}/grades/gradebook.db") as gradebook:
        assert len(gradebook.db.query(api.SubmittedNotebook).all()) == 4


DEADLY = """
import importlib, os, signal, sys
place, count, me = sys.argv.pop(1), int(sys.argv.pop(1)), os.getpid()
from grading import __main__ as main, report  # what it patches is loaded later, too
module, *path, name = place.split(".")
holder = importlib.import_module(module.replace("/", "."))
for part in path:
    holder = getattr(holder, part)
usual = getattr(holder, name)
def deadly(*arguments, **named):
    global count
    count -= os.getpid() == me
    if count <= 0 and os.getpid() == me:
        os.kill(me, signal.SIGKILL)
    return usual(*arguments, **named)
setattr(holder, name, deadly)
main.main()
"""
MOMENTS = [("os.replace", 3), ("sqlalchemy/orm.Session.commit", 8)]  # 1: students.json
MOMENTS += [("grading/report.tables", 1), ("grading/report.record", 2)]
if ALL:
    MOMENTS += [("os.replace", n) for n in (1, 2, 4, 5, 6)]
    MOMENTS += [("os.fsync", n) for n in (2, 4, 6, 8)]
    MOMENTS += [("sqlalchemy/orm.Session.commit", n) for n in (1, 2, 4, 12)]
    MOMENTS += [("sqlalchemy/orm.Session.flush", 1), ("grading/report.graded", 1)]
    MOMENTS += [("grading/report.merge", 1), ("grading/report.entry", 2)]


@needs_sandbox
@pytest.mark.parametrize(("place", "count"), MOMENTS, ids=str)
def test_killed_while_it_records_merges_or_writes_tables_nothing_is_lost(
    tmp_path, monkeypatch, place, count
):
    for number in range(3):
        hand_in(tmp_path, f"student {number}", QUICK, SOLUTIONS[QUICK])
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    call = [sys.executable, "-c", DEADLY, place, str(count), tmp_path / "submitted"]
    call += ["--out", tmp_path / "grades", "--only", QUICK, *PATIENT]
    killed = subprocess.run([*map(str, call)], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    log = tmp_path / "grades" / "results.jsonl"
    done = log.read_bytes().count(b"\n") if log.exists() else 0
    code, text = grade(tmp_path, "--only", QUICK)
    assert code == 0 and f"{3 - done} graded now, {done} as before" in text
    assert len([x for x in log.read_bytes().splitlines() if x]) == 3
    found = rows(tmp_path)
    assert len(found) == 3 * 5 and {r["reason"] for r in found} == {""}
    full = [r for r in found if r["exercise"] != "temperature"]
    assert all(row["points"] == row["maximum"] for row in full)
    with api.Gradebook(f"sqlite:///{tmp_path}/grades/gradebook.db") as gradebook:
        parts = gradebook.db.query(api.SubmittedNotebook).all()
        assert [part.score for part in parts] == [13] * 3
        assert len(gradebook.db.query(api.GradeCell).all()) == len(parts[0].grades)
    assert not list(temporary.iterdir())
    left = [x for x in (tmp_path / "grades").rglob("*") if x.suffix in (".new", "")]
    assert all(x.is_dir() for x in left), left


@needs_sandbox
def test_a_full_disk_is_told_in_a_line(tmp_path):
    hand_in(tmp_path, "one", QUICK, SOLUTIONS[QUICK])
    (tmp_path / "grades").mkdir()
    (tmp_path / "grades" / "students.json.new").symlink_to("/dev/full")
    code, text = grade(tmp_path, "--only", QUICK)
    assert code == 2 and "The disk is full" in text and "Traceback" not in text, text


def test_a_live_run_keeps_its_folder_and_a_dead_ones_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch.workplace() as work:
        dead, just = tmp_path / "grading-dead", tmp_path / "grading-just"
        dead.mkdir()
        (dead / scratch.LOCK).touch()
        just.mkdir()  # killed before it had a lock
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / scratch.LOCK).touch()
        (tmp_path / "grading-link").symlink_to(elsewhere)
        scratch.clean()
        assert work.exists() and not dead.exists() and elsewhere.exists()
        assert not just.exists()
    assert not work.exists()


def test_a_run_whose_new_folder_another_one_cleans_takes_another(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make, made = scratch.tempfile.mkdtemp, []

    def cleaned(**options):
        made.append(make(**options))
        if len(made) == 1:
            scratch.clean()
        return made[-1]

    monkeypatch.setattr(scratch.tempfile, "mkdtemp", cleaned)
    with scratch.workplace() as work:
        assert [str(work)] == made[1:] and work.exists()
        scratch.clean()
        assert work.exists()


def test_a_result_that_no_check_can_read_to_its_end_ends_the_check():
    def check(pipe):
        pool.bound(1)
        for _ in range(2):
            try:
                while True:
                    sum(range(1000))
            except sandbox.Died as died:
                pipe.send(died.reason)

    pipe, end = pool.FORK.Pipe(duplex=False)
    process = pool.FORK.Process(target=check, args=(end,))
    process.start()
    end.close()
    assert [pipe.recv(), pipe.recv()] == [
        "the check took more than 1 s of CPU time"
    ] * 2
    process.join()


def test_no_two_processes_have_one_user():
    found = {sandbox.stranger() for _ in range(100)}
    assert len(found) == 100 and min(found) > 1000


@needs_sandbox
def test_secret_seeds_rosters_and_bytes(tmp_path):
    hand_in(tmp_path, "one", QUICK, SOLUTIONS[QUICK])
    hand_in(tmp_path, "stranger", QUICK, SOLUTIONS[QUICK])
    (tmp_path / "seed").write_text("very secret")
    (tmp_path / "roster").write_text("one\nabsent\n")
    options = ["--only", QUICK, "--seed", str(tmp_path / "seed")]
    code, text = grade(tmp_path, *options, "--roster", str(tmp_path / "roster"))
    assert code == 1
    assert "stranger is not on the roster" in text and "absent is on" in text
    found = {(r["student"], r["exercise"]): r for r in rows(tmp_path)}
    assert found["absent", "softmax"]["status"] == "missing"
    assert found["one", "softmax"]["points"] == "4"
    before = (tmp_path / "grades" / "grades.csv").read_bytes()
    call = [sys.executable, "-m", "grading", "export", str(tmp_path / "grades")]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "grades" / "grades.csv").read_bytes() == before
    first = {
        path.relative_to(tmp_path): path.read_bytes()
        for kind in ("*.csv", "*.html", "*.ipynb", "summary.md")
        for path in (tmp_path / "grades").rglob(kind)
    }
    other = min(SOLUTIONS)  # a chapter later
    hand_in(tmp_path, "one", other, SOLUTIONS[other])
    code, text = grade(tmp_path)  # the roster and the seed are remembered
    assert code == 1 and "0 graded now" in text, text
    code, text = grade(tmp_path, "--only", other)
    assert code == 1 and "stranger is not on the roster" in text
    mine = [row for row in rows(tmp_path) if row["student"] == "one"]
    assert all(float(row["points"]) > 0 for row in mine if row["status"] == "graded")
    assert {row["notebook"] for row in mine if row["points"] != "0"} == {other, QUICK}
    (tmp_path / "grades" / "results.jsonl").unlink()
    (tmp_path / "grades" / "course.json").unlink()  # or both would count
    grade(tmp_path, *options, "--roster", str(tmp_path / "roster"))
    for path, content in first.items():
        assert (tmp_path / path).read_bytes() == content, path


@needs_sandbox
def test_the_doctor_tries_the_sandbox():
    call = [sys.executable, "-m", "grading", "doctor"]
    run = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0 and "NO" not in run.stdout, run.stdout
    assert run.stdout.count(": yes\n") == len(TRIALS)


def test_without_a_sandbox_grading_refuses(tmp_path):
    hand_in(tmp_path, "one", QUICK, SOLUTIONS[QUICK])
    call = [sys.executable, "-m", "grading", str(tmp_path / "submitted")]
    environment = os.environ | {"PATH": "/nowhere"}
    run = subprocess.run(
        call, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1 and "--unsafe" in run.stderr


# ------------------------------------------------------------ the fork server

LEAVE = """
import os, socket, sys, time
sys.left = True
for path in ("/tmp/left", "/dev/shm/left"):
    open(path, "w").close()
there = socket.socket(socket.AF_UNIX)
there.bind("\\0left")
there.listen()
if not os.fork():
    os.setsid()
    os.fork()
    time.sleep(1e6)
"""
LOOK = """
import ctypes, os, socket, sys
def opened(fd):
    try:
        return bool(os.fstat(fd))
    except OSError:
        return False
libc = ctypes.CDLL(None)
print(hasattr(sys, "left"), os.path.exists("/tmp/left"), os.listdir("/dev/shm"))
print([int(x) for x in os.listdir("/proc") if x.isdigit()], os.getuid() > 0)
print(socket.socket(socket.AF_UNIX).connect_ex("\\0left") != 0)
print([fd for fd in range(3, 1024) if opened(fd) and not os.path.samestat(
    os.fstat(fd), os.stat(os.devnull))])
status = open("/proc/self/status").read()
print([x.split()[1].strip("0") for x in status.splitlines() if x.startswith("CapE")])
print(libc.umount2(b"/tmp", 2), libc.sethostname(b"x", 1), libc.unshare(0x20000))
"""
ALONE = """False False []
[1, 2] True
True
[250, 251]
['']
-1 -1 -1
"""


@pytest.fixture
def learners(tmp_path):
    """Return a function that starts a process of the fork server for a learner."""
    path, made = book.library(tmp_path), []

    def start(**limits):
        options = path, sandbox.Limits(**limits), False, book.NUMPY
        made.append(Learner(lambda: sandbox.Process(*options)))
        made[-1].open()
        return made[-1]

    yield start
    for learner in made:
        learner.close()


@needs_sandbox
def test_processes_of_one_fork_server_share_nothing(learners):
    first, second = learners(), learners()
    if first.process.own:
        pytest.skip("no sandbox in a sandbox here: each learner's process is new")
    for _ in range(2):  # the second one lives beside the first, the third after it
        first.run(LEAVE, "<cell>")
        second.run(LOOK, "<cell>")
        assert second.printed == ALONE
        first.close()
        second.close()
        first, second = learners(), learners()


@needs_sandbox
def test_a_learners_process_stays_on_the_cores_of_whoever_asks(learners):
    every = os.sched_getaffinity(0)
    learners()  # the fork server runs, on every core
    os.sched_setaffinity(0, {min(every)})
    try:
        learner = learners()
    finally:
        os.sched_setaffinity(0, every)
    learner.run("import os\nprint(os.sched_getaffinity(0))", "<cell>")
    assert learner.printed == f"{ {min(every)} }\n"


@needs_sandbox
def test_without_its_fork_server_a_learner_gets_a_process_all_the_same(
    learners, monkeypatch
):
    process = learners().process
    dead = sandbox.Server(Path("/"))
    dead.close()
    monkeypatch.setattr(sandbox, "server", lambda *options: dead)
    learner = learners()
    assert learner.process.own and not process.own
    learner.run("import os\nprint(os.getuid() > 0)", "<cell>")
    assert learner.printed == "True\n"


@needs_sandbox
def test_a_learners_process_tells_how_it_ended_and_what_it_used(learners):
    learner = learners()
    learner.process.usage = lambda: (0, 0)  # what it tells at its end must do
    with pytest.raises(sandbox.Died, match="exit code 3"):
        learner.run("x = sum(range(10**7))\nimport os\nos._exit(3)", "<cell>")
    learner.close()
    assert learner.spent > 0.01
    learner = learners(memory=300)
    with pytest.raises(sandbox.Died, match="more than 300 MB"):
        learner.run("import time\nx = b'x' * 400 * 2**20\ntime.sleep(99)", "<cell>")
    learner = learners()
    learner.run("x = sum(range(10**7))", "<cell>")
    learner.close()
    assert learner.spent > 0.01


# ------------------------------------------------------------ plain data


def there_and_back(x):
    def refer(x, encode):
        raise TypeError("no plain data")

    side = argparse.Namespace(refer=refer, classes={})
    encode = codec.Encoder(side)
    made = json.loads(json.dumps(encode(x)))
    return codec.Decoder(encode.buffers, side)(made)


@pytest.mark.parametrize(
    "x",
    [
        None,
        True,
        -(2**80),
        1.5,
        b"\0a",
        "ä\ud800",
        [1, (2, {"a": [3]})],
        {1: 2, "x": {3}},
        2j,
    ]
    + [slice(1, None, 2), range(3), np.float32(2.5), ..., frozenset([1])]
    + [Fraction(-1, 3), date(2024, 2, 29), clock(1, 2, 3, 4)]
    + [datetime(2024, 1, 2, 3), timedelta(-1, 5)],
    ids=repr,
)
def test_plain_data_comes_back_as_it_was(x):
    back = there_and_back(x)
    assert back == x and type(back) is type(x)


def test_a_torch_size_comes_back_as_it_was():
    torch = pytest.importorskip("torch")
    back = there_and_back({"shape": torch.Size((2, 3))})["shape"]
    assert back == (2, 3) and type(back) is torch.Size


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "f8", "c16", "<U3"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 3)], ids=str)
def test_arrays_come_back_as_they_were(dtype, shape):
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for y in (x, x.T):
        back = there_and_back(y)
        assert np.array_equal(back, y) and back.dtype == y.dtype
        assert back.shape == y.shape
    same = there_and_back([x, x])
    assert same[0] is same[1]


def test_what_is_not_plain_does_not_come():
    for x in (object(), np.array([object()]), print, iter([])):
        with pytest.raises(TypeError):
            there_and_back(x)


@pytest.mark.parametrize(
    "x",
    [{"array": ["|O", [1], [0], 0, True]}, {"array": ["<f8", [9**9], [0], 0, True]}]
    + [{"array": ["<f8", [1], [5], 0, True]}, {"unknown": 1}, {"int": "x"}, {}]
    + [{"again": 7}, {"dict": [[{"list": []}, 1]]}, {"scalar": ["<f8", 9]}, [1]]
    + [{"tensor": ["float64", ["<f8", [-1], [0], 0], False, False, None]}]
    + [{"tensor": ["float64", ["|O", [1], [0], 0], False, False, None]}]
    + [{"range": ["a"]}]
    + [{"__init__": 1}, {"words": [{"list": [1]}, "x"]}, {"size": [1e99]}]
    + [{"Fraction": ["1e999999999"]}, {"Fraction": [1, 0]}, {"date": [0, 1, 1]}]
    + [{"named": [1, []]}, {"timedelta": [1.5]}, {"object": ["int", []]}]
    + [{"class": "int"}, {"member": ["int", "real"]}, {"list": [{"again": 0}]}],
    ids=str,
)
def test_forged_data_is_refused(x):
    def resolve(kind, value, decode):
        raise codec.ProtocolError(kind)

    side = argparse.Namespace(resolve=resolve, classes={})
    with pytest.raises(codec.ProtocolError):
        codec.Decoder([b"12345678"], side)(x)


def test_no_attribute_of_an_object_hides_what_its_class_does():
    class Point:
        __slots__ = "x", "__dict__"
        size = 2

        def length(self):
            return 1

        @property
        def twice(self):
            return 2 * self.x

    point = Point()
    hiding = {"length": 5, "__dict__": {"length": 5}, "__class__": int}
    codec.put(point, {"x": 3, "size": 4, "own": 6} | hiding)
    assert (point.x, point.size, point.own, point.twice) == (3, 4, 6, 6)
    assert point.length() == 1 and type(point) is Point
    codec.put(point, {"x": 3})
    assert codec.attributes(point) == {"x": 3}
    with pytest.raises(AttributeError):
        codec.put(point, {"twice": 7})


@pytest.mark.parametrize(
    "head", [b"[" * 1_000_001, b"[" + b"{}," * 600_000, b'{"a":0,' + b"0," * 10**6]
)
def test_a_frame_of_many_small_things_is_refused_before_it_takes_memory(
    monkeypatch, head
):
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("it was parsed"))
    parts = iter([struct.pack(">I", len(head)), head])
    with pytest.raises(codec.ProtocolError, match="too many"):
        codec.receive(lambda size: next(parts))
    parts = iter([struct.pack(">I", codec.HEAD + 1)])
    with pytest.raises(codec.ProtocolError, match="too long"):
        codec.receive(lambda size: next(parts))


def test_what_an_answer_reaches_is_read(tmp_path):
    cells = [
        ("import torch\nfrom torch import nn, ops as o\nunused = ops", False),
        ("def reference(q):\n    return nn.Linear(q)", False),
        ("%time 3\nkept = [o.aten]\nother = 5", True),
        ("kept.append(4)", True),
        ("def helper(q):\n    return kept[0]", True),
        ("before = 1\ndef answer(q, unused):\n    return helper(q), unused", True),
        ("def later():\n    return reference(answer)", True),
    ]
    text = reading.reached("answer", cells)
    for wanted in ("ops as o", "kept = [", "kept.append", "def helper", "before"):
        assert wanted in text, text
    for other in ("reference", "other", "unused = "):
        assert other not in text, text
    assert "nn.Linear" in reading.reached("later", cells)
    assert reading.oddities("import gc, os\nsys._getframe(1)") == ["_getframe", "gc"]
