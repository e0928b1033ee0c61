"""Grade a class.

    python -m grading submitted/ --out grades/     submitted/STUDENT/[STEM/]STEM.ipynb
    python -m grading doctor                       what this machine can do
    python -m grading export grades/               tables again, after manual grading
    python -m grading points                       how many each exercise has
    python -m grading check NOTEBOOK.ipynb         try an exercise of your own
    python -m grading similar submitted/           which answers resemble each other
    python -m grading collect | give-back          from and to an LMS (each has --help)

What was graded before and has not changed is not graded again. What --only names is
kept in the folder of results, with its weight: the tables are about that alone, in
later runs, too. So are --roster and --seed. The exit code is 1 when a folder is
nobody's or something could not be graded this time, 2 when nothing could be.
"""

import argparse
import contextlib
import errno
import gc
import hashlib
import json
import math
import os
import signal
import sys
import warnings
from datetime import datetime
from importlib import import_module
from pathlib import Path

from grading import intake, pool, scratch
from grading.book import NUMPY, ROOT, library, notebooks, place, points
from grading.bridge.sandbox import Limits, bubblewrap, server
from grading.people import Refused, decoded, enrolled

LIMITS = " ".join(Limits.__annotations__)
COMMANDS = {  # what it takes, the options that its help shows, who explains it
    "": (
        "submitted",
        f"out source only roster seed due jobs scheduler unsafe {LIMITS}",
    ),
    "doctor": ("", "", "doctor"),
    "export": ("grades", "source only roster canvas moodle csv title", "give_back"),
    "points": ("", "source"),
    "check": ("notebook", f"jobs unsafe {LIMITS}", "check"),
    "similar": ("submitted", "source", "similar"),
    "collect": ("download", "roster into source stem", "collect"),
    "give-back": ("grades", "submitted out", "give_back"),
}
ALONE = "doctor", "similar", "collect", "give-back"  # each is its module's main


def arguments(words):
    """Return the options; .command is "" for grading itself."""
    command = words[0] if words[:1] and words[0] in COMMANDS else ""
    takes, shown, *module = COMMANDS[command]
    teller = import_module(f"grading.{module[0]}") if module else sys.modules[__name__]
    parser = argparse.ArgumentParser(
        prog=f"python -m grading {command}".strip(),
        description=teller.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def add(name, **about):
        if name not in shown.split():
            about["help"] = argparse.SUPPRESS
        parser.add_argument(f"--{name}", **about)

    name = {"metavar": takes.upper()} if takes else {"help": argparse.SUPPRESS}
    parser.add_argument("path", nargs="?", **name)
    home = Path("give_back" if command == "give-back" else "grades")
    add("out", type=Path, default=home, help=f"where results go ({home}/)")
    add("source", type=Path, default=ROOT / "solutions", help="the source notebooks")
    only = "this notebook or assignment counts, so much (repeat)"
    add("only", action="append", default=[], metavar="NAME[=WEIGHT]", help=only)
    roster = "a CSV as an LMS exports it, or names of folders (after a tab: an ID)"
    whole = {"type": os.path.abspath, "metavar": "FILE"}
    add("roster", help=roster, **whole)
    add("seed", help="a file with the secret seed", **whole)
    when = datetime.fromisoformat
    add("due", metavar="WHEN", type=when, help="say what came later")
    add("jobs", type=int, default=os.cpu_count(), help="submissions at a time")
    for name, kind in Limits.__annotations__.items():
        default = getattr(Limits, name)
        add(name, type=kind, default=default, help=f"limit ({default})")
    add("scheduler", metavar="tcp://…", help="grade on a dask.distributed cluster")
    add("unsafe", action="store_true", help="run learners' code without a sandbox")
    kinds = {"dest": "kinds", "default": [], "action": "append_const"}
    for kind in ("canvas", "moodle", "csv"):
        add(kind, const=kind, help="write this gradebook, too", **kinds)
    add("title", action="append", default=[], metavar="STEM=COLUMN", help="its name")
    add("into", type=Path, default=Path("submitted"), help="(submitted/)")
    add("stem", help="the exercise that this download is of, however files are named")
    submitted = "what was collected (submitted/)"
    add("submitted", type=Path, default=Path("submitted"), help=submitted)
    options = parser.parse_args(words[bool(command) :])
    options.command, options.folder = command, options.path or takes
    return options


def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def code():
    """Return the bytes of what decides about grades, besides source and submission."""
    files = [*(ROOT / "grading").rglob("*.py"), *(ROOT / "attend").rglob("*.py")]
    return b"".join(path.read_bytes() for path in sorted(files))


def bytes_of(path):
    try:
        return intake.content(path)
    except intake.Unreadable as error:
        return str(error).encode()


def handed_in(options, found, every):
    """Return {learner: ({notebook: paths, the best last}, remarks)}."""
    folders = {path.parent for path in every.values()}
    beside = {x.name for folder in folders for x in folder.rglob("*")}
    beside |= {f"{place(name)[1]}.ipynb" for name in options.others}
    return {
        name: intake.attempts(folder, every, beside) if folder else ({}, [])
        for name, folder in found.items()
    }


def tasks(options, attempts, every, about, common):
    """Yield a task for each learner and notebook; path is None when it is missing."""
    version = digest(code(), common["secret"], common["limits"])
    stems = {stem: path for stem, path in every.items() if stem in about}
    handed = {stem: about[stem]["handed"] for stem in stems}
    given = {x: digest(stems[x].read_bytes(), handed[x], version) for x in stems}
    for name, (paths, remarks) in attempts.items():
        for stem in stems:
            task = common | {"student": intake.identity(name), "stem": stem}
            task["path"] = paths[stem][-1] if paths.get(stem) else None
            data = bytes_of(task["path"]) if task["path"] else b""
            late = lateness(task["path"], options.due)
            late = late or options.late.get((name, hashlib.sha256(data).hexdigest()))
            task["key"] = digest(data, given[stem])
            task["about"], task["remarks"] = about[stem], remarks + [late] * bool(late)
            if len(paths.get(stem, ())) > 1:
                used = intake.shown(os.path.basename(task["path"]))
                said = f"{used} counts (collect gives the newest this name)"
                task["remarks"].append(f"{len(paths[stem])} attempts; {said}")
            if task["path"]:
                when = datetime.fromtimestamp(os.lstat(task["path"]).st_mtime)
                file = f"your file as of {when:%Y-%m-%d %H:%M}"
                task["told"] = [intake.shown(name), file]
                task["told"] += task["remarks"][len(remarks) :]
            yield task


def lateness(path, due):
    """Say how late a file is by its time, or nothing when it is not."""
    seconds = os.lstat(path).st_mtime - due.timestamp() if path and due else 0
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"late by {hours} h {minutes} min" if seconds > 0 else ""


def secret(path):
    """Return the text of the seed's file; there must be one."""
    remedy = "write a line into it that nobody guesses"
    try:
        text = decoded(path).strip()
    except Refused as error:
        raise Refused(f"--seed {error}: {remedy}") from None
    if not text:
        raise Refused(f"--seed {path}: {remedy}")
    return text


def main():
    options = arguments(sys.argv[1:])
    try:
        sys.exit(run(options))
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def run(options):
    """Do what a command says; return the exit code."""
    command, folder = options.command, options.folder
    if command in ("", "similar") and not os.path.isdir(folder):
        raise Refused(f"{folder}: there is no such folder")
    if command in ALONE:
        return import_module(f"grading.{COMMANDS[command][2]}").main(options)
    if command == "points":
        for name, path in notebooks(options.source).items():
            print(f"{name} {points(path):g}")
        return 0
    if command == "check" and not os.path.isfile(folder):
        raise Refused(f"{options.path or 'check'}: name a notebook that is there")
    if command == "check" and not folder.endswith(".ipynb"):
        raise Refused(f"{folder}: name the notebook (.ipynb)")
    if command == "export":
        options.out = Path(options.path or options.out)
    elif not options.unsafe and (problem := bubblewrap()[1]):
        risk = "--unsafe runs learners' code with all your rights."
        raise Refused(f"No sandbox, no grading: {problem}; {risk}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kept = "What was graded is kept: the same command goes on."
    try:
        with scratch.workplace() as work, contextlib.ExitStack() as stack:
            return grade(options, work, stack)
    except KeyboardInterrupt:
        raise Refused(f"Stopped. {kept}") from None
    except Exception as error:
        cause = getattr(error, "orig", error)  # the gradebook's wraps it
        if not full(cause):
            raise
        raise Refused(f"The disk is full ({cause}). {kept}") from None


def full(error):
    """Say whether an error says that there is no room on the disk."""
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)


def chosen(options, every, kept):
    """Return {notebook: weight or None} of what --only has named, now or before."""
    for text in options.only:
        name, _, weight = text.partition("=")
        fits = [x for x in every if name in (x, *place(x))]
        if not fits:
            there = f"{options.source}; there is {', '.join(every) or 'none'}"
            raise Refused(f"There is no exercise {name!r} in {there}")
        try:
            kept |= {x: float(weight) if weight else kept.get(x) for x in fits}
        except ValueError:
            raise Refused(f"--only {text}: {weight!r} is no weight") from None
        if weight and not 0 <= float(weight) < math.inf:
            raise Refused(f"--only {text}: a weight is 0 or more, and finite")
    if gone := ", ".join(sorted(kept.keys() - every)):
        told = f"{options.out}/course.json names {gone}: not in {options.source}"
        raise Refused(told)
    return {name: kept[name] for name in every if name in kept}


def grade(options, work, stack):
    library_ = library(work)
    if options.command != "export":
        server(str(library_), NUMPY, options.unsafe)  # it gets ready while we import
        line = stack.enter_context(pool.begun(library_))
    gc.disable()  # or it goes through all that was imported, again and again
    from grading import collect, give_back, job, report

    gc.freeze()
    gc.enable()
    warnings.filterwarnings("ignore", module=r"nbgrader|sqlalchemy")
    if options.command == "check":
        from grading.check import check

        return check(options, work, library_, line)
    out, every, course = options.out, notebooks(options.source), Path(work, "course")
    log, known = out / "results.jsonl", out / "course.json"
    kept = json.loads(known.read_text("utf-8")) if known.exists() else {}
    only, ids = chosen(options, every, kept.get("counts", {})), kept.get("ids", {})
    options.roster, options.seed = (
        getattr(options, name) or kept.get(name) for name in ("roster", "seed")
    )
    counts = only or dict.fromkeys(every)
    if not counts:
        raise Refused(f"There is no exercise in {options.source}.")
    out.mkdir(parents=True, exist_ok=True)
    attempts = {}
    if options.command != "export":
        found, remarks = intake.students(options.folder)
        roster = enrolled(options.roster) if options.roster else {}
        strangers = sorted(set(found) - set(roster)) if roster else []
        absent = sorted(set(roster) - set(found))
        found |= dict.fromkeys(absent)
        options.others = {row["stem"] for row in collect.ledger(options.folder)}
        options.others |= notebooks(ROOT / "solutions").keys()
        attempts = handed_in(options, found, every)
    try:
        there = {x for paths, _ in attempts.values() for x in paths if paths[x]}
        paths = {name: every[name] for name in counts}
        about = job.prepare(course, options.source, paths, library_, there)
    except job.Failed as error:
        raise Refused(f"{options.source}: {error}") from None
    cells = {(s, row[0]): row[1] for s in about for row in about[s]["exercises"]}
    if options.command == "export":
        names = json.loads((out / "students.json").read_text())
        results = report.recorded(log).values()
        results = [r for r in results if r["stem"] in counts and r["student"] in names]
        people = {key: [name, ids.get(key) or key] for key, name in names.items()}
        with report.opened(out) as gradebook:
            told = report.tables(out, gradebook, results, cells, people, counts)
        print(*told, f"Written again: {out / 'grades.csv'}", sep="\n")
        for kind in options.kinds:
            common = results, names, options.roster, options.title
            print(*give_back.export(out, kind, *common), sep="\n")
        return 0
    names = {intake.identity(name): intake.shown(name) for name in found}
    options.late = collect.late_marks(options.folder)
    common = job.common(options, work, library_, out.resolve())
    common["secret"] = secret(options.seed) if options.seed else ""
    before, results, fresh, todo = report.recorded(log), [], [], []
    ids |= {intake.identity(x): number for x, number in roster.items() if number}
    people = {key: [name, ids.get(key) or key] for key, name in names.items()}
    kept = {"counts": only, "ids": ids, "roster": options.roster, "seed": options.seed}
    for path, data in ((out / "students.json", names), (known, kept)):
        text = json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False)
        report.write(path, text)
    with open(log, "a", encoding="utf-8") as file:
        for task in tasks(options, attempts, every, about, common):
            old = before.get((task["student"], task["stem"]))
            if not task["path"]:
                missing = "missing", "nothing was handed in"
                made = job.outcome(task, {}, {}, [], *missing)
            elif old and old["key"] == task["key"] and not old.get("again"):
                made = job.remarked(old, task)
            else:
                todo.append(task)
                continue
            results.append(made)
            fresh += [made] * (made != old)
        report.record(file, *fresh)
        same = len(results)
        if todo:
            told = f"{len(todo)} to grade, each up to {options.total:g} s of CPU time"
            print(told, file=sys.stderr, flush=True)
            line.send((todo, options))
        gradebook = stack.enter_context(report.opened(out))
        report.enter(gradebook, course, there & about.keys(), counts)
        for number, result in enumerate(pool.results(line, todo), 1):
            report.record(file, result)
            results.append(result)
            if (tty := sys.stderr.isatty()) or number % 10 == 0:
                told = f"\r{number} of {len(todo)}" + "\n" * (not tty)
                print(told, end="", file=sys.stderr, flush=True)
    report.merge(gradebook, results, counts)
    remarks += [f"{intake.shown(x)} is not on the roster" for x in strangers]
    nothing = "is on the roster and handed in nothing"
    remarks += [f"{intake.shown(x)} {nothing}" for x in absent]
    here = {intake.identity(x) for x in found.keys() - absent}
    remarks += report.without([r for r in results if r["student"] in here], names)
    remarks += report.tables(out, gradebook, results, cells, people, counts)
    print(*remarks, sep="\n", end="\n" * bool(remarks))
    open_ = sum(bool(result.get("again")) for result in results)
    if open_:
        print(f"{open_} could not be graded: the same command tries again")
    print(f"{len(todo)} graded now, {same} as before or missing: {out / 'grades.csv'}")
    complete = len(results) == len(found) * len(counts)
    return 1 if strangers or open_ or not complete else 0


if __name__ == "__main__":
    main()
