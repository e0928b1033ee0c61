"""Who is in the class: a CSV with a header, as an LMS exports it, or a plain list."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

COLUMNS = {  # a column's name in lower case, and what it holds
    **dict.fromkeys(["student", "full name", "name"], "name"),
    **dict.fromkeys(["first name", "firstname", "first_name"], "first"),
    **dict.fromkeys(["last name", "lastname", "last_name", "surname"], "last"),
    "id": "id",  # Canvas's user, or nbgrader's student
    **dict.fromkeys(["sis user id", "id number"], "number"),
    **dict.fromkeys(["sis login id", "username", "login"], "login"),
    **dict.fromkeys(["email address", "email"], "email"),
    **{"section": "section", "identifier": "participant", "status": "status"},
}
NOBODY = "Points Possible", "Student, Test"  # Canvas's line of maxima, its test
IDS = "id", "number", "login", "email", "participant"
HAN = re.compile("[〇㐀-鿿豈-﫿𠀀-𲎯]+")


class Refused(Exception):
    """The input is wrong; the text says where and how."""


def decoded(path):
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = Path(path).read_bytes()[: error.start].count(b"\n") + 1
        raise Refused(f"{path}, line {line}: not UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None


def squeezed(name):
    return re.sub(r"[\W_]", "", name.casefold())


def roster(path):
    """Return the people of a CSV: dicts of its fields, with `folder` and `header`."""
    text = decoded(path)
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    header = [name.strip() for name in next(rows, [])]
    fields = [COLUMNS.get(name.lower()) for name in header]
    if not {"name", "last"} & {*fields}:
        raise Refused(
            f"{path}, line 1: no column with names (Student, Full name, Name, or First "
            f"name and Last name); there is {', '.join(header) or 'nothing'}"
        )
    people, seen = [], {}
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        if not any(cell.strip() for cell in row) or row[0].strip() in NOBODY:
            continue
        if len(row) > len(header):
            raise Refused(f"{where}: {len(row)} columns, but the header has fewer")
        pairs = zip(fields, row, strict=False)
        one = {field: cell.strip() for field, cell in pairs if field and cell.strip()}
        if not one:  # Canvas: which assignments are posted by hand
            continue
        columns = parts = [one.get("last", ""), one.get("first", "")]
        if "name" in one:  # Lovelace, Ada; U+3000 and the like are spaces, too
            parts = " ".join(one["name"].split()).split(", ", 1)
        han = all(map(HAN.fullmatch, parts))
        shown = "".join(parts) if han else " ".join(reversed(parts))
        shown = re.sub(r"[/\\\0]", "_", shown).strip()
        one["shown"] = "".join(c for c in shown if c.isprintable())
        one.setdefault("name", one["shown"])
        one["participant"] = re.sub(r"\D", "", one.get("participant", ""))
        orders = parts, parts[::-1], columns, columns[::-1]
        one["names"] = {squeezed("".join(order)) for order in orders} - {""}
        if one["shown"] in ("", ".", ".."):
            raise Refused(f"{where}: there is no name")
        key = next(((kind, one[kind]) for kind in IDS if one.get(kind)), one["name"])
        if key in seen:
            raise Refused(f"{where}: {key!r} is also in line {seen[key]}")
        seen[key] = rows.line_num
        people.append(one)
    often = Counter(one["shown"] for one in people)
    for one in people:
        own = next((one[kind] for kind in IDS if one.get(kind)), "")
        twice = f" ({own})" * (often[one["shown"]] > 1)
        one["folder"], one["header"] = one["shown"] + twice.replace("/", "_"), header
    if not people:
        raise Refused(f"{path}: there is nobody in it")
    return people


def enrolled(path):
    """Return {folder: what the tables call its owner, "" for the usual ID}.

    path: of a roster, or of a plain list of folders, in which an ID follows a tab.
    """
    text = decoded(path)
    header = re.split(r"[,;\t]", text.partition("\n")[0].lower())
    if {name.strip().strip('"') for name in header} & COLUMNS.keys():
        best = "number", "login", "id", "email"
        return {
            one["folder"]: next((one[kind] for kind in best if one.get(kind)), "")
            for one in roster(path)
        }
    pairs = (line.partition("\t") for line in text.splitlines())
    return {name.strip(): number.strip() for name, _, number in pairs if name.strip()}


def find(people, system, who, number):
    """Return the one whom an LMS calls so; else raise Refused with the reason."""
    kinds = {"canvas": ["id"], "moodle": ["participant"]}.get(system, IDS)
    number = number or who
    known = [one for one in people if number in [one.get(kind) for kind in kinds]]
    called = [one for one in people if squeezed(who) in one["names"]]
    shown = f"{who!r}" + f" ({number})" * (number != who)
    if known and called and not any(one in called for one in known):
        raise Refused(f"{shown}: the number is {known[0]['shown']}'s, the name is not")
    both = known or called
    if len(both) != 1:
        twice = f"{len(both)} of the roster have this "
        twice += "number" if known else "name, and none this number, the LMS's own"
        raise Refused(shown + (f": {twice}" if both else " is nobody of the roster"))
    return both[0]
