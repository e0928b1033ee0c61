"""Real English–Chinese sentences: LibreOffice's help, and Tatoeba's pairs.

    >>> help_text = libreoffice()  # once `make real-data` has fetched it
    >>> data = splits_by_source(help_text.pairs, validation=1_000, test=1_000)
    >>> english = Vocabulary.of((pair.source for pair in data.train), size=4_000)

A source is words and punctuation marks in lower case. A target is Chinese characters
one by one; a run of other letters or digits ("LibreOffice", "F11") stays one token,
its case kept. Neither text is part of this repository, but for four short sentences of
the first that chapter 14 shows.
"""

import html
import io
import lzma
import os
import random
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from attend.data.corpus import LONGEST, Pair, Splits, _integer, _shuffled

PACKAGES = "libreoffice-help-en-us", "libreoffice-help-zh-cn"
LONG = 20  # tokens of a source that the report counts as long

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHINESE = re.compile(f"[{_HAN}]")
_TOKEN = re.compile(rf"[{_HAN}]|\d+(?:[.,]\d+)+|[^\W{_HAN}]+(?:'[^\W{_HAN}]+)*|\S")
# one form for what the texts write in two; soft hyphens and zero widths go
_ONE_FORM = str.maketrans("（）：％－／“”‘’‑–", "():%-/\"\"''--", "\xad\u200b\ufeff")
_PARAGRAPH = re.compile(r'<(p|h\d) id="((?:par|hd)_[^"]+)"[^>]*>(.*?)</\1>', re.S)


class RealText(NamedTuple):
    """Pairs without alignment, a report {str: …} of what was read, and attributions.

    The attributions, one str a pair, are empty for a text that has none.
    """

    pairs: list
    report: dict
    attributions: tuple = ()


def data_folder():
    """Return where the packages lie: $ATTEND_DATA, or _data/ beside attend/."""
    return Path(os.environ.get("ATTEND_DATA") or Path(__file__).parents[2] / "_data")


def tokens(text):
    """Return a text's words, numbers, marks and single Chinese characters, a tuple."""
    return tuple(_TOKEN.findall(text.translate(_ONE_FORM)))


def libreoffice(folder=None):
    """Return the RealText of LibreOffice's help, read from the two .deb PACKAGES.

    A pair is a paragraph: the same page and id in both languages. Those that are not
    translated are left out, and those with keys or menus that depend on the reader's
    system. Of the rest (`raw`), repeats, formulas and code, damaged characters and
    lengths that do not fit are `dropped`. The report: both versions, the number of
    `paragraphs` that the packages share, of `raw`, `dropped` and `clean` pairs, and the
    `long_share` of the clean pairs with LONG source tokens or more.
    Raises FileNotFoundError where a package is missing, ValueError naming the file
    that is damaged or holds something else.
    """
    folder = data_folder() if folder is None else Path(folder)
    (english, first), (chinese, second) = (_read(folder, name) for name in PACKAGES)
    shared = [key for key in english if key in chinese]
    if 2 * len(shared) < len(english):
        raise ValueError(
            f"{second} has only {len(shared)} of the {len(english)} paragraphs of "
            f"{first}: do the two belong together?"
        )
    marked = dict.fromkeys((english[key], chinese[key]) for key in shared)
    raw = dict.fromkeys((_plain(one), _plain(other)) for one, other in marked)
    raw = [(one, other) for one, other in raw if one and _CHINESE.search(other)]
    dropped, clean = Counter(), {}
    for one, other in raw:
        pair = Pair(tokens(one.lower()), tokens(other))
        fault = "repeated" if pair in clean else _fault(pair)
        if fault:
            dropped[fault] += 1
        else:
            clean[pair] = ""
    if not clean:
        raise ValueError(f"{second} holds no usable translation of {first}")
    versions = [unquote(path.stem).split("_")[1] for path in (first, second)]
    report = dict(zip(PACKAGES, versions, strict=True))
    report |= {"paragraphs": len(shared), "raw": len(raw), "dropped": dict(dropped)}
    return RealText(list(clean), report | _counts(clean))


def tatoeba(path):
    """Return the RealText of cmn.txt, the English–Chinese pairs of manythings.org/anki.

    Each line is English, Chinese and an attribution, which is kept, parted by tabs; in
    older copies, which have two columns, the attribution is "". Pairs that come twice
    are kept once. No line is skipped unless it is blank: ValueError gives the numbers
    of those that are not UTF-8 or have other columns, for the reader to mend.
    Simplified and traditional characters stay as they are.
    """
    content, pairs, bad = Path(path).read_bytes(), {}, []
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {number}: not UTF-8 ({error.reason})") from None
    lines = {n: line for n, line in enumerate(lines, start=1) if line.strip()}
    for number, line in lines.items():
        english, chinese, *more = (*line.split("\t"), "")[:4]
        pair = Pair(tokens(english.lower()), tokens(chinese))
        if line.count("\t") in (1, 2) and pair.source and pair.target:
            pairs.setdefault(pair, more[0].strip())
        else:
            bad.append(number)
    if bad:
        raise ValueError(
            f"{path}: {len(bad)} of {len(lines)} lines are not English, tab, Chinese, "
            f"tab, attribution; the first: {', '.join(map(str, bad[:5]))}"
        )
    if not any(_CHINESE.match(word) for pair in pairs for word in pair.target):
        raise ValueError(f"{path} holds no Chinese character in its second column")
    report = {"lines": len(lines)} | _counts(pairs)
    return RealText(list(pairs), report, tuple(pairs.values()))


def splits_by_source(pairs, validation=1_000, test=1_000, seed=0, longest=LONGEST):
    """Return Splits of the pairs that share no English sentence.

    Sentences that differ in punctuation alone count as the same. Validation and test
    hold that many different sentences, one translation each; all other pairs are for
    training. Pairs of more than `longest` source tokens are left out of all three.
    The same pairs and seed give the same splits on every machine and Python version.
    Raises TypeError or ValueError for a number that is none or out of range, ValueError
    where there are too few sentences.
    """
    test, validation = _integer("test", test, 0), _integer("validation", validation, 0)
    longest, groups = _integer("longest", longest, 1), {}
    rng, held_out = random.Random(_integer("seed", seed, 0)), test + validation
    for pair in pairs:
        if len(pair.source) <= longest:
            key = tuple(word for word in pair.source if word[0].isalnum())
            groups.setdefault(key or pair.source, []).append(pair)
    if held_out >= len(groups):
        raise ValueError(
            f"{len(groups)} different sentences of up to {longest} tokens are too few: "
            f"{validation} for validation, {test} for test, and some for training"
        )
    groups = _shuffled(groups.values(), rng)
    once = [group[0] for group in groups[:held_out]]
    train = [pair for group in groups[held_out:] for pair in group]
    return Splits(_shuffled(train, rng), once[test:], once[:test])


# Reading a package --------------------------------------------------------------------


def _read(folder, name):
    """Return {(page, id, how many before): HTML} of a help package, and its path."""
    paths = sorted(folder.glob(f"{name}_*.deb"))
    if not paths:
        raise FileNotFoundError(
            f"not here: {name}_*.deb in {folder}; run `make real-data`"
        )
    if len(paths) > 1:
        raise ValueError(f"keep one of {', '.join(map(str, paths))}")
    (path,), paragraphs = paths, {}
    for file, content in _files(path):
        page, seen = file.partition("/text/")[2], Counter()
        if not page.endswith(".html"):
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: {file} is not UTF-8: {error}") from None
        for _, mark, inner in _PARAGRAPH.findall(text):
            paragraphs[page, mark, seen[mark]] = inner
            seen[mark] += 1
    if not paragraphs:
        raise ValueError(f"{path} holds no paragraph of LibreOffice's help")
    return paragraphs, path


def _files(path):
    """Yield (name, bytes) of the files in a package: a tar in an ar archive."""
    content, at, name = path.read_bytes(), 8, ""
    if content[:8] != b"!<arch>\n":
        raise ValueError(f"{path} is no Debian package: it is no ar archive")
    while not name.startswith("data.tar"):
        header, at = content[at : at + 60], at + 60
        name, size = header[:16].decode("latin-1").strip(" /"), header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            raise ValueError(f"{path} is damaged: no part's header at byte {at - 60}")
        packed = content[at : at + int(size)]
        if len(packed) < int(size):
            raise ValueError(f"{path} is cut off: {name} has not its {int(size)} bytes")
        at += int(size) + int(size) % 2
    if name.endswith(".zst") and shutil.which("dpkg-deb"):  # so it is on Ubuntu
        call = ["dpkg-deb", "--fsys-tarfile", path]
        packed = subprocess.run(call, capture_output=True).stdout
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in filter(tarfile.TarInfo.isfile, archive):
                yield member.name, archive.extractfile(member).read()
            archive.fileobj.read()  # up to the checksum
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        hint = "; zstd needs dpkg-deb or Python 3.14" if name.endswith(".zst") else ""
        raise ValueError(f"{path}: cannot read {name}{hint} ({error})") from None


# Cleaning -----------------------------------------------------------------------------


def _plain(marked):
    """Return a paragraph's text; none where it switches by the reader's system."""
    if 'class="switchinline"' in marked:
        return ""
    marked = re.sub(r"<(br|/?su[bp])\b[^>]*>", " ", marked)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", marked)).split())


def _fault(pair):
    """Return why a pair is of no use, or None."""
    source, target = pair.source, pair.target
    words = sum(word.isascii() and word[0].isalpha() for word in source)
    characters = sum(bool(_CHINESE.match(word)) for word in target)
    if not words or 2 * words < len(source) or 2 * characters < len(target):
        return "formula or code"
    if any("\x7f" <= mark <= "\x9f" for word in target for mark in word):
        return "damaged characters"
    if len(target) > 3 * len(source) + 5 or len(source) > 1.5 * len(target) + 5:
        return "lengths differ"
    return None


def _counts(pairs):
    """Return how many pairs there are, and the share of those with a long source."""
    share = sum(len(pair.source) >= LONG for pair in pairs) / len(pairs)
    return {"clean": len(pairs), "long_share": round(share, 3)}
