"""Give points and pages back, in the files that an LMS imports.

    python -m grading export grades --canvas --roster ROSTER.csv    or --moodle, --csv
    python -m grading give-back grades [--submitted FOLDER] [--out give_back]

`export` writes a gradebook: grades/canvas.csv for Canvas's Import, grades/moodle.csv
for Moodle's Import > CSV file, grades/points.csv for a spreadsheet. What was not handed
in stays empty. `give-back` makes a zip for each exercise that came from Canvas (Upload
Submissions) or Moodle (Upload multiple feedback files in a zip), nbgrader's feedback/,
and a folder by name for what came otherwise. It writes into a folder of the day, and
only what has changed since.
"""

import hashlib
import html
import json
import re
import zipfile
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import nbformat

from grading import book, report
from grading.collect import fresh, ledger
from grading.people import Refused, roster

GRADEBOOKS = {"canvas": "canvas.csv", "moodle": "moodle.csv", "csv": "points.csv"}
OPEN = b"<div class='open'>"  # on a page with a text that waits for a person


# ------------------------------------------------------------------ points
def export(out, kind, results, names, people_of=None, titles=()):
    """Write the gradebook of a kind; return what to tell.

    results: rows as in the log, with people's points; names: {id: folder's name};
    people_of: the roster's path; titles: STEM=COLUMN of the LMS.
    """
    target = Path(out, GRADEBOOKS[kind])
    if not people_of and kind != "csv":
        again = f"python -m grading export {out} --{kind} --roster FILE"
        raise Refused(f"The roster is missing, which tells people apart: {again}")
    people = roster(people_of) if people_of else []
    if people_of and target.exists() and target.samefile(people_of):
        raise Refused(f"{target} is the roster: it would be overwritten")
    folders = {one["folder"] for one in people}
    if not people:
        known = sorted(set(names.values()))
        people = [{"name": name, "folder": name, "header": []} for name in known]
    points, most, strangers = defaultdict(dict), {}, set()
    for result in results:
        rows, stem, who = result["rows"], result["stem"], names[result["student"]]
        most[stem] = sum(row["maximum"] for row in rows)
        if report.absent(result) or result.get("again"):
            continue
        points[who][stem] = sum(row["points"] for row in rows)
        strangers |= {who} - folders if folders else set()
    stems = sorted(most)
    columns = named(stems, people[0]["header"] if people else [], titles)
    head, fields = identity(kind, people, people_of)
    lines = [[*head, *columns]]
    if kind == "canvas":
        lines.append(["Points Possible", *[""] * 4, *(f"{most[s]:g}" for s in stems)])
    for one in people:
        mine = points[one["folder"]]
        given = [f"{mine[stem]:g}" if stem in mine else "" for stem in stems]
        lines.append([*(report.safe(one.get(f, "")) for f in fields), *given])
    report.write(target, report.written(lines))
    told = [f"{who} is not on the roster: left out" for who in sorted(strangers)]
    return [*told, f"Written: {target}"]


def named(stems, header, titles):
    """Return the columns' names: as told, as in the LMS's own export, or the stem."""
    wanted = {}
    for title in titles:
        stem, _, name = title.partition("=")
        if stem not in stems or not name:
            raise Refused(f"--title {title}: not STEM=COLUMN of a graded exercise")
        wanted[stem] = name
    own = {re.sub(r" \(\d+\)$", "", name): name for name in header}
    return [wanted.get(stem) or own.get(stem, stem) for stem in stems]


def identity(kind, people, path):
    """Return a gradebook's columns that say who somebody is, and the fields in them."""
    if kind == "canvas":
        head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        return head, ["name", "id", "number", "login", "section"]
    if kind == "csv":
        return ["Student", "ID"], ["folder", "id"]
    for one in people:
        if not any(one.get(field) for field in ("number", "login", "email")):
            raise Refused(
                f"{path}: {one['name']} has no ID number, username or email address, "
                "by which Moodle finds a person"
            )
    head = {"number": "ID number", "login": "Username", "email": "Email address"}
    kept = {f: name for f, name in head.items() if any(one.get(f) for one in people)}
    return ["Full name", *kept.values()], ["folder", *kept]


# ------------------------------------------------------------------ pages
def as_notebook(page):
    """Return a feedback page as a notebook: Canvas keeps the handed-in file's name."""

    def formula(found):
        tex = html.unescape(re.search(r'alttext="([^"]*)"', found[0])[1])
        block = 'display="block"' in found[0].partition(">")[0]
        return f"$${tex}$$" if block else f"${tex}$"

    body = page.partition("<body>")[2].partition("</body>")[0]
    cells = []
    for part in re.split(r"(?=<section>)", body):
        part = re.sub(r"<math\b.*?</math>", formula, part, flags=re.S)
        # else Markdown ends the HTML
        part = re.sub(r"\n[ \t]*(?=\n)", "\n&nbsp;", part)
        cells.append(nbformat.v4.new_markdown_cell(part, id=f"part-{len(cells)}"))
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()


def counts(row, submitted):
    """Say whether a line of the ledger is about the attempt that counts."""
    assignment, stem = book.place(row["stem"])
    path = Path(submitted, row["student"], assignment, f"{stem}.ipynb")
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return digest == row["sha256"]


def give_back(grades, submitted, out):
    """Write the pages that were not given back yet as an LMS takes them: out/DAY.

    Returns what to tell. What was given is remembered in out/.given.json.
    """
    path = grades / "students.json"
    if not path.exists():
        raise Refused(f"{grades}: no grades are there ({path.name} is missing)")
    names = json.loads(path.read_text(encoding="utf-8"))
    rows = sorted(ledger(submitted), key=lambda row: counts(row, submitted))
    came = {(row["student"], row["stem"]): row for row in rows}
    pages, open_ = {}, {}  # (zip, "" for none; place in it): bytes; whose texts wait
    for page in sorted((grades / "feedback").glob("*/**/*.html")):
        who = names.get(page.relative_to(grades / "feedback").parts[0])
        if who is None:
            continue  # of a run with other people
        name = book.named(page.parent.name, page.stem)
        data, row = page.read_bytes(), came.get((who, name))
        system, inside = "", f"{who}/{name}.html"
        if row:
            system, inside = row["system"], row["place"]
            inside += page.name * (system != "canvas")
        title = f"{system}-{name.replace('/', '-')}.zip"
        key = title * (system in ("canvas", "moodle")), inside
        open_ |= {key: name} if OPEN in data else {}
        pages[key] = as_notebook(data.decode()) if system == "canvas" else data
    if not pages:
        raise Refused(f"{grades}: there is no feedback page")
    absent = f"{submitted}: there is no such folder, which tells what came from an LMS"
    known = Path(out, ".given.json")
    given = json.loads(known.read_text("utf-8")) if known.exists() else {}
    now = {"/".join(k): hashlib.sha256(data).hexdigest() for k, data in pages.items()}
    zips, folder = defaultdict(dict), fresh(out, str(date.today()))
    changed = [k for k in pages if given.get("/".join(k)) != now["/".join(k)]]
    if not changed:
        return [f"Not changed since given back: {counted(pages)}"]
    wait = Counter(open_[key] for key in changed if key in open_)
    for title, inside in changed:
        zips[title][inside] = pages[title, inside]
    loose, told = zips.pop("", {}), [absent] * (not submitted.is_dir())
    for name, data in loose.items():
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    for title, inside in sorted(zips.items()):
        with zipfile.ZipFile(folder / title, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in inside.items():
                made.writestr(name, data)
        told.append(f"{folder / title}: {counted(inside)}")
    told += [f"{folder}: {counted(loose)} in folders"] * bool(loose)
    report.write(known, json.dumps(given | now, indent=1, sort_keys=True))
    names = ", ".join(f"{name} ({n})" for name, n in sorted(wait.items()))
    return told + [f"Pages with texts that nobody has graded yet: {names}"] * bool(wait)


def counted(pages):
    return f"{len(pages)} page{'s' * (len(pages) != 1)}"


def main(options):
    told = give_back(Path(options.folder), options.submitted, options.out)
    print(*told, sep="\n")
    return 0
