"""Make the students' edition: no solutions, rubrics, hidden tests, instructors' pages.

    python -m tools.student zip     the notebooks and the package, in one file
    python -m tools.student book    the site

Both are written into _build/students. `--released` gives solutions out: exercises by
name (03_three_stages,04_learning_to_look), or a file that has one on each line, with
the first day if you like: `03_three_stages 2030-02-01`. Hidden tests and rubrics stay
out of these, too.
"""

import argparse
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import yaml

from grading import release
from tools.notebooks import ROOT, touched

OUT = ROOT / "_build" / "students"
INSTRUCTORS = ("book/instructor_guide", "book/write_your_own_exercise")


def released(text, today, place="--released"):
    """Return the stems that a list gives out today; errors name its line."""
    stems = {path.stem for path in (ROOT / "solutions").glob("*/*.ipynb")}
    found = set()
    for number, line in enumerate(text.replace(",", "\n").splitlines(), 1):
        stem, *day = line.partition("#")[0].split() or [""]
        try:
            first = date.fromisoformat(*day) if day else today
        except (TypeError, ValueError):
            sys.exit(f"{place}, line {number}: not an exercise and a day: {line!r}")
        if stem and stem not in stems:
            sys.exit(f"{place}, line {number}: there is no exercise {stem!r}")
        if stem and first <= today:
            found.add(stem)
    return found


def table_of_contents(stems):
    """Return the book's, with the solutions of these stems alone."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def given(page):
        kind, _, rest = page["file"].partition("/")
        if kind == "solutions":
            return rest.split("/")[0] in stems
        return page["file"] not in INSTRUCTORS

    for part in toc["parts"]:
        part["chapters"] = list(filter(given, part["chapters"]))
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    return yaml.safe_dump(toc, sort_keys=False, allow_unicode=True)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.student",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("what", choices=["zip", "book"])
    add("--released", default="", metavar="FILE|NAMES", help="solutions to give out")
    add("--on", type=date.fromisoformat, default=date.today(), metavar="DAY")
    add("--out", type=Path, default=OUT, metavar="FOLDER")
    options = parser.parse_args()
    text, place = options.released, "--released"
    if Path(text).is_file():
        text, place = Path(text).read_text(encoding="utf-8"), text
    stems = released(text, options.on, place)
    if mine := touched(ROOT / "exercises"):
        sys.exit(
            "These hold somebody's work, which would go to the students. Copy them "
            "elsewhere, then `git checkout` them:\n" + "\n".join(mine)
        )
    out = options.out.resolve()
    toc, site = out / "students_toc.yml", out / "_build"
    if out == ROOT.resolve():
        sys.exit(f"--out: {out} is the book's own folder: name another folder")
    if site.exists() and not toc.exists() and out != OUT.resolve():
        sys.exit(f"--out: {site} is not a students' edition's: name another folder")
    out.mkdir(parents=True, exist_ok=True)
    contents = table_of_contents(stems)
    if not toc.exists() or toc.read_text(encoding="utf-8") != contents:
        shutil.rmtree(site, ignore_errors=True)  # no page of another choice may stay
        toc.write_text(contents, encoding="utf-8")
    call = [sys.executable, "-m", "tools.downloads", "zip", out]
    if options.what == "book":
        jupyter_book = Path(sys.executable).with_name("jupyter-book")
        call = [jupyter_book, "build", ROOT, "--toc", toc, "--path-output", out]
        call += ["-W", "-n", "--keep-going", "--quiet"]
    done = subprocess.run(call, cwd=ROOT, env=os.environ | {"STUDENT_TOC": str(toc)})
    if done.returncode:
        sys.exit(done.returncode)
    if options.what == "book":
        print(f"The students' site: {site / 'html' / 'index.html'}")
    else:  # so that the grader tells a student's change from the instructor's
        release.remember(ROOT / "exercises", ROOT / "solutions")
    print(f"Solutions in it: {', '.join(sorted(stems)) or 'none'}")


if __name__ == "__main__":
    main()
