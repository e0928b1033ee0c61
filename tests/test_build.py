"""What a second build makes again, and what not."""

import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from tools.notebooks import ROOT

sys.path.append(str(ROOT / "book" / "_ext"))

import downloads as extension  # noqa: E402
import reading  # noqa: E402


def test_cutting_a_font_says_nothing_that_looks_like_trouble(caplog, tmp_path):
    caplog.set_level(logging.INFO)
    reading.cut(reading.FONT, [ord("注")], tmp_path / "made.woff2")
    assert not caplog.records and (tmp_path / "made.woff2").exists()


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that makes the downloads of a small book: what it made."""
    for name in ("_toc.yml", "attend/plot.py", "chapters/01_a.ipynb", "chapters/a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
        os.utime(tmp_path / name, (0, 0))
    out, made = tmp_path / "html", []
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=out)
    app.srcdir = tmp_path

    def write(name):
        made.append(name)
        (out / "downloads").mkdir(parents=True, exist_ok=True)
        (out / "downloads" / name).write_text("made")

    package, notebooks = extension.downloads.WHEEL, f"{extension.downloads.NAME}.zip"
    tool = extension.downloads
    monkeypatch.setattr(extension, "ROOT", tmp_path.resolve())
    monkeypatch.setattr(extension, "PDF", tmp_path / "book.pdf")
    monkeypatch.setattr(tool, "wheel", lambda folder: write(package))
    monkeypatch.setattr(tool, "archive", lambda folder, package: write(notebooks))

    def again():
        made.clear()
        extension.make_downloads(app)
        return {Path(name).suffix for name in made}, app.other_downloads

    return again


@pytest.mark.parametrize(
    "changed, made",
    [
        (None, set()),
        ("chapters/01_a.ipynb", {".zip"}),
        ("_toc.yml", {".zip"}),
        ("attend/plot.py", {".whl", ".zip"}),
        ("chapters/a.csv", {".whl", ".zip"}),
    ],
)
def test_a_download_is_made_again_when_what_it_holds_has_changed(
    build, tmp_path, changed, made
):
    assert build() == ({".whl", ".zip"}, True)
    if changed:
        os.utime(tmp_path / changed, (2e9, 2e9))
    assert build() == (made, False)


def test_downloads_of_another_edition_and_an_old_pdf_go(build, tmp_path):
    build()
    folder, pdf = tmp_path / "html" / "downloads", tmp_path / "book.pdf"
    (folder / "attend-0.0.1-py3-none-any.whl").write_text("old")
    pdf.write_text("printed")
    assert build() == (set(), True)
    assert {path.suffix for path in folder.iterdir()} == {".whl", ".zip", ".pdf"}
    assert not list(folder.glob("attend-0.0.1*"))
    os.utime(tmp_path / "chapters" / "01_a.ipynb", (2e9, 2e9))
    assert build() == ({".zip"}, True)
    assert not list(folder.glob("*.pdf"))


def test_a_changed_extension_makes_all_pages_anew(monkeypatch, tmp_path):
    """Sphinx compares it with that of the last build: git pull, make book."""
    monkeypatch.setattr(reading, "HERE", tmp_path)
    versions = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "reading.py").write_text(text)
        versions.add(reading.setup(MagicMock())["env_version"])
    assert len(versions) == 2
