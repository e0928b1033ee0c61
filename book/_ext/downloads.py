"""What the book's site gives to take away: notebooks that stand alone, one zip, a PDF.

- `{downloads}` lists the zip of all notebooks, the package and the PDF, with sizes.
- A page's download button gives its notebook as `tools.downloads` derives it.
- The students' edition (`tools.student`) has no hidden test, and no link to a page that
  it leaves out.
"""

import filecmp
import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

import nbformat
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(Path(__file__).parents[2]))  # the repository

from tools import downloads  # noqa: E402
from tools.notebooks import ROOT, text  # noqa: E402

PDF = ROOT / "_build" / "learning-to-attend.pdf"  # make pdf
PACKAGE = ("attend/**/*", "pyproject.toml", "LICENSE", "tools/downloads.py")  # made of
PACKAGE += tuple(f"chapters/{pattern}" for pattern in downloads.DATA)
NOTEBOOKS = ("_toc.yml", "_config.yml", "book/quizzes/*", "book/references.bib")
NOTEBOOKS += (*PACKAGE, *(f"{folder}/**/*.ipynb" for folder in downloads.FOLDERS))
KINDS = {  # a file's suffix, and what it is
    ".zip": "All notebooks, with the package that they need",
    ".whl": "The package alone, for a single notebook",
    ".pdf": "The book on paper (PDF)",
}


def of_this_book(app):
    """Whether the whole book is built, not a page of a copy."""
    return app.builder.format == "html" and Path(app.srcdir).resolve() == ROOT


def is_older(path, patterns):
    """Whether a file is missing, or something that it is made of was changed since."""
    made_of = (p for pattern in patterns for p in ROOT.glob(pattern))
    changed = max(p.stat().st_mtime for p in made_of if "__pycache__" not in p.parts)
    return not path.exists() or path.stat().st_mtime < changed


def make_downloads(app):
    """Make the zip and the package where they are missing or old; add the PDF."""
    if not of_this_book(app):
        return
    folder = Path(app.outdir, "downloads")
    before, shown = set(folder.glob("*")), folder / PDF.name
    package, notebooks = folder / downloads.WHEEL, folder / f"{downloads.NAME}.zip"
    for path in before - {package, notebooks, shown}:
        path.unlink()  # another edition
    if is_older(package, PACKAGE):
        downloads.wheel(folder)
    if is_older(notebooks, NOTEBOOKS):
        downloads.archive(folder, package=package)
    if downloads.FOR_STUDENTS or is_older(PDF, (*NOTEBOOKS, "book/**/*")):
        shown.unlink(missing_ok=True)
    else:
        shutil.copy2(PDF, shown)
    app.other_downloads = before != set(folder.glob("*"))


def list_again(app, env, added, changed, removed):
    """Name the pages that list the downloads, where there are others than before."""
    if not getattr(app, "other_downloads", False):
        return []
    known = env.dependencies.items()
    return [page for page, files in known if any("downloads/" in str(f) for f in files)]


def derive_sources(app, error):
    """Put derived notebooks where the pages' download buttons find them."""
    if error or not of_this_book(app):
        return
    for path in downloads.chosen():
        button = Path(app.outdir, "_sources", path.relative_to(ROOT))
        if button.exists() and filecmp.cmp(path, button, shallow=False):
            button.write_text(text(downloads.derive(path)), encoding="utf-8")


def leave_out(app, docname, source):
    """Leave out, for students, hidden tests and links to pages that are left out."""
    folder = PurePosixPath(docname).parent

    def link(found):
        page = os.path.normpath(folder / found[2])
        return found[0] if page in downloads.pages() else found[1]

    source[0] = re.sub(r"\[([^][]*)\]\(([^)#:]+)\.(?:ipynb|md)[^)]*\)", link, source[0])
    if docname.startswith("solutions/"):
        notebook = nbformat.reads(source[0], as_version=4)
        for cell in notebook.cells:
            cell.source = downloads.without_hidden(cell.source)
        source[0] = nbformat.writes(notebook)


def size(path):
    count = path.stat().st_size
    return f"{count / 1e6:.1f} MB" if count > 1e6 else f"{count / 1e3:.0f} kB"


class Downloads(SphinxDirective):
    """A list of the files to take away; nothing in a build of single pages."""

    def run(self):
        folder = Path(self.env.app.outdir, "downloads")
        found = sorted(
            folder.glob("*"), key=lambda path: list(KINDS).index(path.suffix)
        )
        items = []
        for path in found:
            self.env.note_dependency(str(path))
            page = Path(self.env.app.outdir, self.env.docname).parent
            place = os.path.relpath(path, page)
            link = nodes.reference("", KINDS[path.suffix], refuri=place)
            words = nodes.paragraph("", "", link, nodes.Text(f", {size(path)}"))
            items.append(nodes.list_item("", words))
        return [nodes.bullet_list("", *items)] if items else []


def setup(app):
    app.add_directive("downloads", Downloads)
    if downloads.FOR_STUDENTS:
        app.connect("source-read", leave_out)
    app.connect("builder-inited", make_downloads)
    app.connect("env-get-outdated", list_again)
    app.connect("build-finished", derive_sources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
