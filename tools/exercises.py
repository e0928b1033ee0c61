"""Derive exercises/ from solutions/ with nbgrader's generate_assignment.

    python -m tools.exercises [FOLDER] [--source SOURCE]

FOLDER is exercises/ and SOURCE, which holds ASSIGNMENT/NOTEBOOK.ipynb (and what else an
assignment needs), is solutions/ unless given.

Answers become stubs, hidden tests go, outputs are cleared. Every graded check is tagged
`raises-exception`, so that a learner's «Run All» goes on past an exercise that is not
done yet. The same solutions give the same bytes. A derived notebook carries a
fingerprint of its cells: one that somebody has worked in is never overwritten. What is
handed out is remembered in SOURCE/.released.json, so that the grader tells a learner's
change from the instructor's.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from grading import release
from grading.book import notebooks, place
from tools.notebooks import (
    ROOT,
    fingerprint,
    normalise,
    read,
    text,
    touched,
)

SOLUTIONS = ROOT / "solutions"


def is_check(cell):
    """Whether the cell is a graded check that a program runs."""
    grader = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and grader.get("grade") and not grader["solution"]


def derive(folder, source=SOLUTIONS):
    """Write what is handed out to the folder, ASSIGNMENT/NOTEBOOK.ipynb."""
    for name in notebooks(source):
        release.generate(source, name, folder)
        assignment, notebook = place(name)
        path = Path(folder, assignment, f"{notebook}.ipynb")
        path.write_text(text(finish(read(path))), encoding="utf-8")


def finish(notebook):
    """Tag the checks, and bring the notebook to its normal form."""
    for cell in notebook.cells:
        if is_check(cell):
            cell.metadata["tags"] = ["raises-exception"]
    normalise(notebook)
    notebook.metadata["fingerprint"] = fingerprint(notebook)
    return notebook


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.exercises",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "exercises")
    parser.add_argument("--source", type=Path, default=SOLUTIONS)
    options = parser.parse_args()
    folder, source = options.folder, options.source.resolve()
    if not notebooks(source):
        sys.exit(f"{options.source}: no notebook ASSIGNMENT/NOTEBOOK.ipynb is there")
    if source != SOLUTIONS and folder.resolve() == ROOT / "exercises":
        sys.exit("exercises/ is for the book's own: name another folder")
    if mine := touched(folder):
        sys.exit(
            "These hold somebody's work, which would be lost. Copy them elsewhere, "
            "then `git checkout` them:\n" + "\n".join(mine)
        )
    with tempfile.TemporaryDirectory() as fresh:
        try:
            derive(Path(fresh), source)
        except release.Failed as error:
            sys.exit(f"{options.source}: {error}")
        release.remember(Path(fresh), source)
        shutil.copytree(fresh, folder, dirs_exist_ok=True)
        made = {path.relative_to(fresh) for path in Path(fresh).rglob("*")}
    for old in sorted(folder.glob("[!.]*/")) + sorted(folder.glob("*/[!.]*")):
        gone, parent = old.relative_to(folder), old.parent.relative_to(folder)
        if gone not in made and parent in {Path(), *made}:
            print(f"{old} has no source in {options.source} any more: remove it")
    count = sum(path.suffix == ".ipynb" for path in made)
    print(f"{count} exercise{'s' * (count != 1)} in {folder}")


if __name__ == "__main__":
    main()
