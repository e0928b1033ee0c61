"""Bring what an LMS collected into submitted/, by the roster.

    python -m grading collect DOWNLOAD --roster ROSTER.csv [--into submitted]

DOWNLOAD is the zip of all submissions of an assignment from Canvas or Moodle, or the
folder it was unpacked to, or a folder with nbgrader's STUDENT/ASSIGNMENT/FILE. ROSTER
is a CSV with a header, as the LMS itself exports it (the gradebook, the participants,
Moodle's grading worksheet), or a list of your own. No file is ever lost: a newer
attempt counts and the older one stays beside it; what belongs to nobody is set aside.

Files are called as Canvas's content_zipper, Moodle's mod_assign and nbgrader 0.9 call
them; columns as in Canvas's gradebook and Moodle's exports, in English.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import time
import zipfile
from collections import defaultdict
from datetime import UTC
from pathlib import Path, PurePosixPath

from nbgrader.utils import parse_utc

from grading import intake, report
from grading.book import named, notebooks, place
from grading.people import Refused, decoded, find, roster

CANVAS = re.compile(r"(?P<who>.+?)_(?P<late>LATE_)?(?P<id>\d+)_(?P<n>\d+)_(?P<file>.+)")
MOODLE = re.compile(r"(?P<who>[^_]+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
LEDGER = ".collected.csv"
ADVICE = " (--stem says of which, --source where exercises of your own are)"
KEPT = "student", "stem", "system", "place", "late", "sha256"  # of the ledger


def members(source):
    """Yield (path inside, time, function that reads it) of a zip or a folder."""
    if source.is_dir():
        for path in source.rglob("*"):
            if not path.is_dir():
                inside = PurePosixPath(path.relative_to(source))
                yield inside, path.lstat().st_mtime, path
    else:
        try:
            packed = zipfile.ZipFile(source)
        except (OSError, zipfile.BadZipFile) as error:
            raise Refused(f"{source}: not a zip file ({error})") from None
        for info in packed.infolist():
            if not info.is_dir():
                when, name = time.mktime((*info.date_time, 0, 0, -1)), info.filename
                if not info.flag_bits & 0x800:  # no word of UTF-8: read as cp437
                    with contextlib.suppress(UnicodeError):
                        name = name.encode("cp437").decode("utf-8")
                yield PurePosixPath(name), when, (packed, info)


def content(member):
    """Return a member's bytes; raise Refused when it cannot be or is too large."""
    if isinstance(member, Path):
        if member.is_symlink() or not member.is_file():
            raise Refused("a link or a device")
        size, read = member.stat().st_size, member.read_bytes
    else:
        packed, info = member
        size, read = info.file_size, lambda: packed.read(info)
    if size > intake.MOST:
        raise Refused(f"larger than {intake.MOST >> 20} MB")
    try:
        return read()
    except Exception as error:  # a broken or an encrypted zip: many kinds
        raise Refused(f"cannot be read ({error})") from None


def recognised(path):
    """Return (system, who, id, number, file, late, place of its feedback), or None."""
    for number, part in enumerate(path.parts):
        if found := MOODLE.fullmatch(part):
            file = found["file"] or path.name
            place = f"{found['who']}_{found['id']}_assignsubmission_file_/"
            inside = file if number == len(path.parts) - 1 else path.name
            return "moodle", found["who"], found["id"], 0, inside, "", place
    if found := CANVAS.fullmatch(path.name):
        late = "late, says Canvas" if found["late"] else ""
        place, number = path.name, int(found["n"])
        return "canvas", found["who"], found["id"], number, found["file"], late, place
    if len(path.parts) > 2:
        who, assignment = path.parts[-3:-1]
        place = f"feedback/{who}/{assignment}/"
        return "nbgrader", who, None, 0, path.name, "", place
    return None


def name_of(file, names, chosen=None, assignment=None):
    """Return the name of a file's exercise, or None; raise Refused if several have it.

    Canvas calls another upload STEM-1. chosen: the name for whatever is called
    otherwise; assignment: the folder that the file was in, where the LMS has folders.
    """
    base, ending = os.path.splitext(file)
    if ending.lower() != ".ipynb":
        return None
    for stem in (base, re.sub(r"-\d+$", "", base), intake.COPY.sub("", base).strip()):
        fits = [name for name in names if place(name)[1] == stem]
        fits = [x for x in fits if x == named(assignment, stem)] or fits
        if len(fits) == 1 or chosen in fits:
            return fits[0] if len(fits) == 1 else chosen
        if fits:
            where = " and ".join(place(name)[0] for name in fits)
            raise Refused(f"{stem} is in {where}: --stem {fits[0]}")
    return chosen


def fresh(folder, name, data=None):
    """Return a path in the folder that is free, or holds the data: name, name (1) …"""
    path, count = folder / name, 0
    while os.path.lexists(path) and (data is None or path.read_bytes() != data):
        count += 1
        path = folder / f"{Path(name).stem} ({count}){Path(name).suffix}"
    return path


def put(folder, stem, data, when, last=True):
    """Put an attempt into a learner's folder; say what became of it.

    last: of this learner's in the download; one before it only stays beside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, said = folder / f"{stem}.ipynb", "new"
    if target.exists():
        ahead = when - target.stat().st_mtime  # a zip counts in steps of 2 s
        there = [path.read_bytes() for path in folder.glob("*.ipynb")]
        known = data in there and (ahead <= 2 or not last)
        if known or data == target.read_bytes():
            return "as before"
        older = ahead < -2 or not last
        said = "older" if older else "again"
        if older:
            target = fresh(folder, target.name)
        else:
            target.rename(fresh(folder, target.name))
    target.write_bytes(data)
    os.utime(target, (when, when))
    return said


def ledger(into):
    """Return what was collected, oldest first."""
    path = Path(into, LEDGER)
    if not path.exists():
        return []
    return list(csv.DictReader(io.StringIO(decoded(path))))


def late_marks(into):
    """Return {(folder, sha256 of a file): what the LMS says of its lateness}."""
    rows = ledger(into)
    return {(row["student"], row["sha256"]): row["late"] for row in rows if row["late"]}


def stamps(source):
    """Return {folder inside: time} of nbgrader's timestamp.txt files."""
    found = {}
    for path, _, where in members(source):
        if path.name == "timestamp.txt":
            try:
                when = parse_utc(content(where).decode().strip())
                found[path.parent] = when.replace(tzinfo=UTC).timestamp()
            except (ValueError, Refused):
                raise Refused(f"{source}/{path}, line 1: not a time") from None
    return found


def collect(source, people, into, names, chosen=None):
    """Bring a download into the folder; return the lines that tell of it.

    names: the exercises' in the book; also whether something was set aside.
    """
    found, aside, told = [], [], defaultdict(list)
    times, given = stamps(source), list(members(source))
    newest = max((when for _, when, _ in given), default=0)
    for path, when, where in given:
        hidden = path.name.startswith((".", "~")) or "__MACOSX" in path.parts
        if hidden or path.name == "timestamp.txt":
            continue
        known = recognised(path)
        if not known:
            aside.append((path, where, "not named as Canvas, Moodle or nbgrader does"))
            continue
        try:
            one = find(people, *known[:3])
            folder = path.parent.name if known[0] == "nbgrader" else None
            name = name_of(known[4], names, chosen, folder)
            if not name:
                raise Refused(f"no notebook of an exercise{ADVICE}")
            when = newest if known[0] == "canvas" else times.get(path.parent, when)
            found.append((when, known[3], str(path), one, name, known, content(where)))
        except Refused as error:
            aside.append((path, where, str(error)))
    if not found:
        why = f"; {aside[0][0]}: {aside[0][2]}" if aside else ": it is empty"
        raise Refused(f"{source}: nothing to collect{why}")
    rows, lines = ledger(into), []
    before = {tuple(row[k] for k in KEPT) for row in rows}
    found.sort(key=lambda f: f[:3])
    last = {(one["folder"], name): path for _, _, path, one, name, *_ in found}
    for when, _, path, one, name, known, data in found:
        assignment, stem = place(name)
        best = path == last[one["folder"], name]
        said = put(Path(into, one["folder"], assignment), stem, data, when, best)
        told[said].append(one["shown"])
        moodle = re.search(r"\blate\b", one.get("status", ""))
        late = "late, says Moodle" if moodle else known[5]
        digest = hashlib.sha256(data).hexdigest()
        row = one["folder"], name, known[0], known[6], late, digest
        if row not in before:
            rows.append(dict(zip(KEPT, row, strict=True)))
        try:
            json.loads(data.decode("utf-8-sig"))
        except ValueError:
            lines.append(
                f"{path}: no notebook can be read in it; kept for {one['shown']}"
            )
    table = [KEPT, *([row[k] for k in KEPT] for row in rows)]
    report.write(Path(into, LEDGER), report.written(table))
    for path, where, why in aside:
        try:
            data = content(where)
        except Refused as error:
            lines.append(f"{path}: {why}; not kept: {error}")
            continue
        folder = Path(f"{into}-aside", source.stem)
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[/\\\0]", "_", str(path))
        target = fresh(folder, name[-200:], data)
        target.write_bytes(data)
        lines.append(f"{path}: {why}; set aside as {target}")
    absent = {one["folder"] for one in people} - {f[3]["folder"] for f in found}
    lines += [f"{name}: nothing in this download" for name in sorted(absent)]
    counts = {said: f"{len(who)} {said}" for said, who in sorted(told.items())}
    if "again" in told:
        counts["again"] += f" ({report.listed(set(told['again']))})"
    return [*lines, f"{into}: {', '.join(counts.values())}"], bool(aside)


def main(options):
    if not options.path or not options.roster:
        raise Refused("Say what to collect and who is in the class: --roster FILE")
    names, chosen = list(notebooks(options.source)), options.stem
    if chosen and chosen not in names:
        chosen = name_of(f"{chosen}.ipynb", names)
        if not chosen:
            raise Refused(f"--stem {options.stem}: there is no such exercise")
    given = Path(options.path), roster(options.roster), options.into
    lines, left = collect(*given, names, chosen)
    print(*lines, sep="\n")
    return int(left)
