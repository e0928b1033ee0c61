"""Take in what learners hand in: find it, read it, graft the answers onto the source.

Only the learner's answers and own cells are kept. Everything else, checks above all,
comes from the source; each repair is told in words, but for what the instructor changed
since the notebook was handed out.
"""

import copy
import hashlib
import json
import os
import re
import stat
import warnings
from collections import Counter

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from grading.book import place as place_of
from grading.reading import oddities

MOST = 20 << 20  # bytes of a notebook
CELLS = 500  # of the learner's own that are run
REGION = r"^[^\n]*BEGIN (HIDDEN TESTS|MARK SCHEME).*?(?:END \1[^\n]*(?:\n|\Z)|\Z)"
REGION = re.compile(REGION, re.M | re.S)
COPY = re.compile(r"(?:^copy of )|(?:[ _-]*(?:\(\d+\)|copy\d*|late|v\d+))+$", re.I)
PACKAGE = re.compile(r"^\s*(?:from|import)\s+attend\b", re.M)


class Unreadable(Exception):
    """The file is no notebook; the text says why."""


def identity(name):
    """Return an opaque id for whatever an LMS calls a learner."""
    data = name.encode("utf-8", "surrogateescape")
    return "s" + hashlib.sha256(data).hexdigest()[:12]


def shown(name):
    """Return the name as text that a CSV or a terminal can hold."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "�" for c in text)


def students(folder):
    """Return {name: path} of the learners' folders, links left out, and remarks."""
    found, remarks = {}, []
    for entry in sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name)):
        if entry.is_dir(follow_symlinks=False):
            found[entry.name] = entry.path
        elif not entry.name.startswith("."):
            remarks.append(f"{shown(entry.name)}: not a folder of a learner, left out")
    return found, remarks


def attempts(path, names, beside=()):
    """Return {name: [paths, best last]} of a learner's folder, and general remarks.

    beside: names of files that need no remark: what the assignments themselves bring,
    and the exercises of another source.

    Regular files only, at most three folders deep. The exact name is best, then the
    latest; `stem (1).ipynb` and the like count as attempts too. Where several
    assignments have a notebook of one name, the folder decides.
    """
    found, remarks, depth = {name: [] for name in names}, [], path.count(os.sep)
    for folder, folders, files in os.walk(path):
        deep = folder.count(os.sep) - depth >= 3
        folders[:] = sorted(x for x in folders if not x.startswith((".", "__")))
        folders[:] = [] if deep else folders
        inside = folder.split(os.sep)[-1]
        for file in sorted(files):
            whole = os.path.join(folder, file)
            info = os.lstat(whole)
            if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
                remarks.append(f"{shown(file)} is a link or a device: refused")
                continue
            base, ending = os.path.splitext(file)
            called = base, COPY.sub("", base.strip()).strip()
            fits = [x for x in names if place_of(x)[1] in called]
            if not fits and len(files) == 1:  # it is alone in the exercise's own folder
                fits = [x for x in names if place_of(x) == (inside, inside)]
            at_home = [x for x in fits if place_of(x)[0] == inside]
            if ending.lower() != ".ipynb":
                remarks += [f"{shown(file)} left out"] * (file not in beside)
            elif not fits and f"{called[1]}.ipynb" in beside:
                continue
            elif len(at_home or fits) == 1:
                (name,) = at_home or fits
                exact = base == place_of(name)[1]
                key = exact and bool(at_home), exact, info.st_mtime_ns, whole
                found[name].append(key)
            else:
                which = "in several assignments" if fits else "no exercise"
                remarks.append(f"{shown(file)} belongs to {which}: left out")
    best = {name: [key[-1] for key in sorted(keys)] for name, keys in found.items()}
    return best, remarks


def content(path):
    """Return the bytes of a file that was handed in, or raise Unreadable."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags), "rb") as file:
            return file.read(MOST + 1)
    except OSError as error:
        raise Unreadable(f"the file cannot be read ({error.strerror})") from None


def load(path):
    """Return the cells of a notebook in format 4, or raise Unreadable."""
    data = content(path)
    if not data.strip():
        raise Unreadable("the file is empty")
    if len(data) > MOST:
        raise Unreadable(f"the file is larger than {MOST >> 20} MB")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("the file is not UTF-8 text") from None
    try:
        raw = json.loads(text)
        major = raw.get("nbformat", 4) if isinstance(raw, dict) else None
        if not isinstance(major, int) or not 1 < major < 5:
            raise ValueError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if major < 4:
                raw = nbformat.convert(nbformat.from_dict(raw), 4)
        return [cell for cell in raw["cells"] if isinstance(cell, dict)]
    except json.JSONDecodeError:
        raise Unreadable("the file is not JSON: was the upload cut off?") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("the file is not a Jupyter notebook") from None


def text_of(cell):
    source = cell.get("source", "")
    parts = source if isinstance(source, list) else [source]
    text = "".join(part for part in parts if isinstance(part, str))
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def grade_id(cell):
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    found = mark.get("grade_id") if isinstance(mark, dict) else None
    return found if isinstance(found, str) else None


def role(cell):
    """Return what a cell is: answer, check, task, source (not marked) or scratch."""
    mark = cell.metadata.get("nbgrader")
    if not mark:
        return "scratch" if cell.metadata.get("scratch") else "source"
    if mark.get("solution"):
        return "answer"
    return "check" if mark.get("grade") else "task" if mark.get("task") else "source"


def visible(source):
    """Return a cell's text without hidden tests and mark schemes."""
    return REGION.sub("", source)


def hidden(source):
    """Return the numbers of the lines that are hidden."""
    spans = [x.span() for x in REGION.finditer(source)]
    spans = [(source.count("\n", 0, a), source.count("\n", 0, b - 1)) for a, b in spans]
    return {n + 1 for first, last in spans for n in range(first, last + 1)}


def digest(text, mark=None):
    """Return a hash of a cell's text, and of its grade_id if that is given."""
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    whole = f"{mark or ''}\n{lines}".encode("utf-8", "replace")
    return hashlib.sha256(whole).hexdigest()[:16]


def defines(text, names):
    """Say whether the text defines all names, at its left margin."""
    pattern = r"^(?:(?:async\s+def|def|class)\s+{0}\b|{0}\s*(?:[:,]|=(?!=)))"
    found = (re.search(pattern.format(re.escape(n)), text, re.M) for n in names)
    return bool(names) and all(found)


def graft(release, submitted, names, handed=()):
    """Return (the release with the learner's answers and own cells, remarks).

    release: the notebook as the source gives it out now, but with whole checks;
    names: {grade_id of an answer: names that it must define};
    handed: hashes of the cells that were handed out before.
    """
    result, remarks = copy.deepcopy(release), []
    answers = {grade_id(c): c for c in result.cells if role(c) == "answer"}
    fixed = {grade_id(c) for c in result.cells if grade_id(c)}
    stubs = {key: cell.source for key, cell in answers.items()}
    texts = [cell.source for cell in result.cells]
    known = {digest(x) for text in texts for x in (text, visible(text))}
    lines_of = {line.strip() for text in texts for line in text.splitlines()}
    taken, own, seen, last = {}, [], Counter(), None
    for cell in submitted:
        mark, text = grade_id(cell), text_of(cell)
        kind = "code" if cell.get("cell_type") == "code" else "markdown"
        ours = digest(text) in known or digest(text, mark) in handed
        if mark in answers:
            last = mark
            taken.setdefault(mark, []).append((text, kind))
        elif mark in fixed:
            last = mark
            seen[mark] += 1
            if not ours:
                remarks.append(f"{mark}: was changed; the source's is used")
        elif text.strip() and not ours:
            own.append((last, text, kind))
        if kind == "code" and not ours:
            lines = "\n".join(x for x in text.splitlines() if x.strip() not in lines_of)
            if PACKAGE.search(lines):
                remarks.append(f"{mark or 'a cell'}: imports the book's package")
            if odd := ", ".join(oddities(text)):
                remarks.append(f"{mark or 'a cell'}: has {odd}, no use here: read it")
        metadata = cell.get("metadata")
        tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
        for tag in tags if isinstance(tags, list) else []:
            if isinstance(tag, str) and tag not in ("raises-exception", "scratch"):
                remarks.append(f"a cell's tag {shown(tag)[:40]!r} is ignored")
    for mark, texts in taken.items():  # a stub of another release is a stub
        old = [digest(text, mark) in handed for text, _ in texts]
        pairs = zip(texts, old, strict=True)
        texts[:] = [(stubs[mark] if x else text, kind) for (text, kind), x in pairs]
    pick(answers, stubs, taken, own, names, remarks)
    if len(own) > CELLS:
        remarks.append(f"{len(own)} cells of one's own: the first {CELLS} are run")
        del own[CELLS:]
    for mark in fixed - answers.keys():
        if not seen[mark]:
            remarks.append(f"{mark}: was missing; added from the source")
        elif seen[mark] > 1:
            remarks.append(f"{mark}: was there twice")
    place(result, own)
    return result, sorted(set(remarks))


def pick(answers, stubs, taken, own, names, remarks):
    """Put into each answer cell the text that answers it best."""
    pool = [(text, mark) for mark, texts in taken.items() for text, _ in texts]
    pool += [(text, None) for _, text, kind in own if kind == "code"]
    for mark, cell in answers.items():
        texts = [text for text, _ in taken.get(mark, [])]
        nothing = digest(""), digest(stubs[mark])
        worked = [text for text in texts if digest(text) not in nothing]
        if len(texts) > 1:
            remarks.append(f"{mark}: was there {len(texts)} times; the last one counts")
        if not texts:
            remarks.append(f"{mark}: the answer's cell was missing or renamed")
        text = worked[-1] if worked else stubs[mark]
        wanted = names.get(mark, [])
        if cell.cell_type == "code" and not (worked and defines(text, wanted)):
            others = [t for t, m in pool if m != mark and defines(t, wanted)]
            others = [t for t in others if t.strip() not in set(stubs.values())]
            if others:
                text = f"{text}\n\n{others[-1]}" if texts and worked else others[-1]
                remarks.append(f"{mark}: the answer was found in another cell")
        if any(kind != cell.cell_type for _, kind in taken.get(mark, [])):
            remarks.append(f"{mark}: the cell's type was changed back")
        cell.source = text if cell.cell_type == "code" else inert(text)


def inert(text):
    """Return Markdown whose HTML and scripts are text, for whoever opens it."""
    text = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", text)
    return re.sub(r"(?i)\b(javascript|vbscript|data)(\s*:)", r"\1 \2", text)


def place(result, own):
    """Insert the learner's own cells where they stood, after the same marked cell."""
    for number, (after, text, kind) in reversed(list(enumerate(own, 1))):
        about = {"metadata": {"scratch": True}, "id": f"scratch-{number}"}
        new = new_code_cell if kind == "code" else new_markdown_cell
        cell = new(text if kind == "code" else inert(text), **about)
        marks = [grade_id(c) for c in result.cells]
        result.cells.insert(marks.index(after) + 1 if after in marks else 0, cell)
