"""Check that everything names the same edition, then tag it.

    python -m tools.release [--ready | --check]     then nothing is tagged

--ready asks only what can be asked before anything is built.

The version and the date stand in `attend/__init__.py`; CITATION.cff, the first heading
of CHANGELOG.md and what was built must agree with them. The tag is yours to push.
"""

import re
import subprocess
import sys

import yaml
from pypdfium2 import PdfDocument

import attend
from tools.downloads import NAME, WHEEL
from tools.notebooks import ROOT

EDITION = f"{attend.__version__}, {attend.__date__}"
HTML = ROOT / "_build" / "html"


def said():
    """Return {place: the edition it names} of the files in the repository."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    return {
        "CITATION.cff": f"{citation['version']}, {citation['date-released']}",
        "CHANGELOG.md": re.search(r"^## (.*)", changes, re.M)[1],
    }


def built():
    """Return {file: whether it is this edition} of what `make pdf` builds."""
    page, pdf = HTML / "book" / "intro.html", HTML / "downloads/learning-to-attend.pdf"
    first = PdfDocument(pdf)[0].get_textpage().get_text_range() if pdf.exists() else ""
    return {
        page: page.exists() and f"Edition {EDITION}" in page.read_text("utf-8"),
        pdf: f"Edition {EDITION}" in " ".join(first.split()),
        HTML / "downloads" / WHEEL: (HTML / "downloads" / WHEEL).exists(),
        HTML / "downloads" / f"{NAME}.zip": (HTML / f"downloads/{NAME}.zip").exists(),
    }


def git(*arguments):
    call = ["git", *arguments]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(call)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def faults(files):
    """Return what keeps this edition from being tagged, a line each.

    files: {file: whether it is this edition} of what is built.
    """
    found = [f"{place} says {x}" for place, x in said().items() if x != EDITION]
    found += [f"{path} is not of this edition" for path, ok in files.items() if not ok]
    if changed := git("status", "--porcelain"):
        found.append(f"not committed:\n{changed}")
    if git("tag", "--list", f"v{attend.__version__}"):
        found.append(
            f"v{attend.__version__} is tagged already: a new edition, a new one"
        )
    return found


def main():
    early = "--ready" in sys.argv[1:]
    if found := faults({} if early else built()):
        sys.exit(f"The edition is {EDITION}, but\n" + "\n".join(found))
    if early or "--check" in sys.argv[1:]:
        print(f"Everything names {EDITION}")
        return
    version = f"v{attend.__version__}"
    git("tag", "--annotate", version, "--message", f"Edition {EDITION}")
    print(f"Tagged {version}. Publish it: git push origin {version}")


if __name__ == "__main__":
    main()
