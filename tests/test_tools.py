"""What make calls: it refuses what would surprise, and says what to do instead."""

import subprocess
import sys

import nbformat
import pytest

from tools.notebooks import ROOT, normalise


def call(*arguments):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_running_nothing_in_particular_is_refused():
    result = call("tools.notebooks", "run")
    assert result.returncode and "make run NB=" in result.stderr


@pytest.mark.parametrize("named", [[], ["chapters/99_nothing.ipynb"], ["a", "b"]])
def test_check_asks_for_one_notebook_and_lists_them(named):
    result = call("tools.check", *named)
    assert result.returncode and "03_three_stages" in result.stderr


def test_jupyterlab_folds_what_the_page_folds():
    tags = [["hide-input"], ["hide-input", "nbval-ignore-output"], ["other"], []]
    cells = [nbformat.v4.new_code_cell("1", metadata={"tags": kind}) for kind in tags]
    cells[2].metadata["jupyter"] = {"source_hidden": True}  # folded by hand, once
    notebook = normalise(nbformat.v4.new_notebook(cells=cells))
    folded = [cell.metadata.get("jupyter") for cell in notebook.cells]
    assert folded == [{"source_hidden": True}] * 2 + [None] * 2
