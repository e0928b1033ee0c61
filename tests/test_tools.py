"""What make calls: it refuses what would surprise, and says what to do instead."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from functools import partial

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

import tools.notebooks
from attend.data import real_text
from attend.pretrained import marian
from attend.pretrained.smollm2 import SmolLM2
from tools import pdf
from tools.notebooks import (
    ABSENT,
    METADATA,
    ROOT,
    normalise,
    notebooks,
    read,
    run,
    text,
)


def call(*arguments):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_running_nothing_in_particular_is_refused():
    result = call("tools.notebooks", "run")
    assert result.returncode and "make run NB=" in result.stderr


def test_all_notebooks_are_run_where_all_is_said(monkeypatch):
    done = []
    monkeypatch.setattr(tools.notebooks, "run", done.append)
    monkeypatch.setattr(sys, "argv", ["notebooks", "run", "all"])
    tools.notebooks.main()
    assert done == notebooks("book", "chapters", "solutions")


def commands(*arguments):
    """Return the lines that make would run, whatever make runs this test."""
    call, paths = ["make", "--dry-run", *arguments], {"PATH": os.environ["PATH"]}
    options = {"capture_output": True, "text": True, "cwd": ROOT, "env": paths}
    return subprocess.run(call, **options).stdout.splitlines()


@pytest.mark.parametrize("target", ["run", "check", "test", "grade", "bench"])
def test_what_runs_a_notebook_has_the_one_thread_of_the_tests(target):
    line = commands(target, "NB=chapters/03_three_stages.ipynb")[-1]
    assert line.startswith("OMP_NUM_THREADS=1 "), "else the last digits differ"
    if target in ("run", "check"):
        assert line.endswith(" chapters/03_three_stages.ipynb")


def test_a_part_of_the_tests_can_be_asked_for():
    assert commands("test")[-1].endswith("-rs ")
    part = "tests/test_masks.py"
    assert commands("test", f"T={part}")[-1].endswith(f"-rs {part}")


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


def stored(path, source, output):
    """Write a notebook of one cell that once printed the output."""
    old = new_output("stream", name="stdout", text=output)
    cell = new_code_cell(source, outputs=[old], execution_count=1, id="only")
    notebook = normalise(new_notebook(cells=[cell], metadata=METADATA))
    path.write_text(text(notebook), encoding="utf-8")


def test_a_notebook_whose_data_is_not_here_is_left_as_it_was(tmp_path, capsys):
    path = tmp_path / "a.ipynb"
    stored(path, 'print("not here: run `make real-data`")', "18,551 pairs\n")
    notebook = read(path)
    (cell,) = notebook.cells
    silent = new_code_cell("if 0:\n    1", outputs=cell.outputs, id="silent")
    notebook.cells.append(nbformat.from_dict(silent | {"execution_count": 2}))
    path.write_text(text(notebook), "utf-8")
    before = path.read_text("utf-8")
    run(path)
    assert path.read_text("utf-8") == before
    assert "What only reads is not here: run `make real-" in capsys.readouterr().out
    stored(path, 'print("21,000 pairs")', "18,551 pairs\n")
    run(path)
    assert "21,000" in path.read_text("utf-8")


def test_what_does_without_its_data_says_so(tmp_path, monkeypatch):
    """Else `make run` would store what a notebook shows without."""
    for path in notebooks("book", "chapters", "solutions"):
        code = [c.source for c in read(path).cells if c.cell_type == "code"]
        if any("FileNotFoundError" in source for source in code):
            said = f'print("{ABSENT}', "print(error)"  # an error's words, as below
            assert any(words in source for words in said for source in code), path.name
    monkeypatch.setenv("ATTEND_DATA", str(tmp_path))
    translator = partial(marian.Translator, "enpt")
    for missing in (real_text.libreoffice, translator, SmolLM2):
        with pytest.raises(FileNotFoundError, match=f"^{ABSENT}.*; run `make real-"):
            missing()


@pytest.mark.parametrize(
    "place, remedy",
    [
        ("a.ipynb", "make run NB=a.ipynb"),
        ("exercises/a/a.ipynb", "make run NB=solutions/a/a.ipynb, make exercises"),
    ],
)
def test_a_stale_output_is_shown_as_git_does_with_its_remedy(tmp_path, place, remedy):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    stored(tmp_path / place, 'print("same\\nnew")', "same\nold\n")
    for name in ("conftest.py", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    call = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", place]
    call += ["-o", "addopts=", "-p", "no:cacheprovider", "--color=no"]
    said = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True).stdout
    assert re.search(r"^-old\n\+new$", said, re.M)
    assert f"If what is new is right: {remedy}\n" in said


@pytest.mark.parametrize("user, given", [("0", ""), ("1000", "LAB=chapters --port=1")])
def test_lab_takes_arguments_and_runs_as_root(tmp_path, user, given):
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    paths = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")
    call = ["make", "--dry-run", "lab", *filter(None, [given])]
    options = {"capture_output": True, "text": True, "cwd": ROOT, "env": paths}
    said = subprocess.run(call, **options).stdout
    assert ("--allow-root" in said) == (user == "0")
    wanted = given.removeprefix("LAB=") or "notebooks"
    assert re.search(rf"-m jupyterlab.* {wanted}$", said, re.M)


@pytest.mark.parametrize(
    "name",
    "my_exercises/a roster.txt roster.csv secret.txt grades/a grades_2/a build/a "
    "notebooks/a submitted/a class/secret.txt mine/a/a.ipynb release/a".split(),
)
def test_what_a_teacher_or_reader_made_is_not_published(name):
    call = ["git", "check-ignore", "--quiet", "--no-index", name]
    assert subprocess.run(call, cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    "folder", "notebooks figures my_exercises mine release submitted grades".split()
)
def test_a_readers_folder_changes_no_page(folder):
    """Else the next `make book` would build all pages again."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert any(fnmatch(folder, pattern) for pattern in settings["exclude_patterns"])


def test_the_book_is_built_once_more_when_its_pdf_is_there_to_be_linked():
    call = ["make", "--dry-run", "pdf"]
    said = subprocess.run(call, cwd=ROOT, capture_output=True, text=True).stdout
    order = re.findall(r"jupyter-book build|-m tools\.pdf", said)
    assert order == ["jupyter-book build", "-m tools.pdf", "jupyter-book build"]


def test_the_pdf_is_printed_by_chrome_too(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "BROWSERS", [b for b in pdf.BROWSERS if b[0] != "/"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pdf.browser() is None
    chrome = tmp_path / "google-chrome"
    chrome.write_text("")
    chrome.chmod(0o755)
    assert pdf.browser() == str(chrome)


def test_what_tests_begin_with_is_there(pytestconfig):
    plugin = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    assert plugin.FIRST and not [p for p in plugin.FIRST if not (ROOT / p).exists()]
