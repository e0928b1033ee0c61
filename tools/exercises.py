"""Derive exercises/ from solutions/ with nbgrader's generate_assignment.

    python -m tools.exercises [FOLDER]     FOLDER: exercises, unless given

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
    notebooks,
    read,
    text,
    touched,
)


def is_check(cell):
    """Whether the cell is a graded check that a program runs."""
    grader = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and grader.get("grade") and not grader["solution"]


def derive(folder):
    """Write the exercises of all solutions to the folder, <stem>/<stem>.ipynb each."""
    config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
    config.SaveCells.enabled = False  # no gradebook is needed
    config.GenerateAssignment.no_database = True
    config.GenerateAssignment.force = True
    with tempfile.TemporaryDirectory() as release:
        for source in notebooks("solutions"):
            course = CourseDirectory(config=config)
            course.root = str(ROOT)
            course.release_directory = release
            course.assignment_id = source.parent.name
            converter = GenerateAssignment(coursedir=course, config=config)
            converter.log.setLevel(logging.ERROR)
            converter.start()
            path = Path(release, source.parent.name, source.name)
            target = folder / source.parent.name / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text(finish(read(path))), encoding="utf-8")


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
    folder = parser.parse_args().folder
    if mine := touched(folder):
        sys.exit(
            "These hold somebody's work, which would be lost. Copy them elsewhere, "
            "then `git checkout` them:\n" + "\n".join(mine)
        )
    with tempfile.TemporaryDirectory() as fresh:
        derive(Path(fresh))
        shutil.copytree(fresh, folder, dirs_exist_ok=True)
        stems = {path.parent.name for path in Path(fresh).rglob("*.ipynb")}
    for old in folder.iterdir():
        if old.is_dir() and old.name not in stems:
            print(f"{old} has no source in solutions/ any more: remove it")
    print(f"{len(stems)} exercises in {folder}")


if __name__ == "__main__":
    main()
