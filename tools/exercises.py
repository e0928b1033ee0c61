"""Derive exercises/ from solutions/ with nbgrader's generate_assignment.

    python -m tools.exercises [FOLDER] [--source SOURCE]

FOLDER is exercises/ and SOURCE, which holds <stem>/<stem>.ipynb, is solutions/ unless
given.

Answers become stubs, hidden tests go, outputs are cleared. Every graded check is tagged
`raises-exception`, so that a learner's «Run All» goes on past an exercise that is not
done yet. The same solutions give the same bytes. A derived notebook carries a
fingerprint of its cells: one that somebody has worked in is never overwritten.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import PyFileConfigLoader

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


def sources(folder):
    """Return the notebooks <stem>/<stem>.ipynb of a folder, sorted."""
    return [p for p in sorted(folder.glob("*/*.ipynb")) if p.stem == p.parent.name]


def derive(folder, source=SOLUTIONS):
    """Write the exercises of all solutions to the folder, <stem>/<stem>.ipynb each."""
    config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
    config.SaveCells.enabled = False  # no gradebook is needed
    config.GenerateAssignment.no_database = True
    config.GenerateAssignment.force = True
    with tempfile.TemporaryDirectory() as release:
        for path in sources(source):
            course = CourseDirectory(config=config)
            course.root = str(source.parent)
            course.source_directory = source.name
            course.release_directory = release
            course.assignment_id = path.stem
            converter = GenerateAssignment(coursedir=course, config=config)
            converter.log.setLevel(logging.ERROR)
            converter.start()
            target = folder / path.stem / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            stubs = read(Path(release, path.stem, path.name))
            target.write_text(text(finish(stubs)), encoding="utf-8")


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
    if not sources(source):
        sys.exit(f"{options.source}: no notebook called <stem>/<stem>.ipynb is there")
    if source != SOLUTIONS and folder.resolve() == ROOT / "exercises":
        sys.exit("exercises/ is for the book's own: name another folder")
    if mine := touched(folder):
        sys.exit(
            "These hold somebody's work, which would be lost. Copy them elsewhere, "
            "then `git checkout` them:\n" + "\n".join(mine)
        )
    with tempfile.TemporaryDirectory() as fresh:
        derive(Path(fresh), source)
        shutil.copytree(fresh, folder, dirs_exist_ok=True)
        stems = {path.parent.name for path in Path(fresh).rglob("*.ipynb")}
    for old in folder.iterdir():
        if old.is_dir() and old.name not in stems:
            print(f"{old} has no source in {options.source} any more: remove it")
    print(f"{len(stems)} exercises in {folder}")


if __name__ == "__main__":
    main()
