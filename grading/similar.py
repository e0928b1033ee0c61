"""Which answers resemble each other: a hint where to look, and nothing more.

    python -m grading similar submitted/

Of each answer the runs of eight tokens (in a text: of four words) are compared, without
comments, numbers and the names that one may choose. Runs that the exercise itself has,
or a third of the class, say nothing. A high number is no proof:
a short exercise has one obvious answer. A low one is no proof either: who rewrites
enough is not found.
"""

import contextlib
import io
import keyword
import re
import tokenize
from collections import Counter
from itertools import combinations

import nbformat

from grading import intake
from grading.book import notebooks

CODE, WORDS, FEWEST, ALIKE = 8, 4, 10, 0.6
LEFT_OUT = tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING


def tokens(text):
    """Yield the tokens of a program; numbers, texts and own names have no value."""
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        before = ""
        for kind, word, *_ in tokenize.generate_tokens(io.StringIO(text).readline):
            own = (
                kind == tokenize.NAME and before != "." and not keyword.iskeyword(word)
            )
            if own or kind in (tokenize.NUMBER, tokenize.STRING):
                yield tokenize.tok_name[kind]
            elif kind not in LEFT_OUT:
                yield word
            before = word


def runs(text, kind):
    """Return the set of an answer's runs of tokens or words."""
    found = list(tokens(text)) if kind == "code" else re.findall(r"\w+", text.lower())
    size = CODE if kind == "code" else WORDS
    return {tuple(found[n : n + size]) for n in range(len(found) - size + 1)}


def answers(folder, names):
    """Yield (learner, notebook, answer, runs) of what was handed in."""
    for learner, path in intake.students(folder)[0].items():
        for name, paths in intake.attempts(path, names)[0].items():
            with contextlib.suppress(intake.Unreadable):
                for cell in intake.load(paths[-1]) if paths else ():
                    if mark := intake.grade_id(cell):
                        kind, text = cell.get("cell_type"), intake.text_of(cell)
                        yield intake.shown(learner), name, mark, runs(text, kind)


def main(options):
    """Print the pairs, the most alike first; return the exit code."""
    names, groups, found = notebooks(options.source), {}, []
    for learner, name, mark, made in answers(options.folder, names):
        groups.setdefault((name, mark), {})[learner] = made
    given = set()
    for path in names.values():
        for cell in nbformat.read(path, as_version=4).cells:
            text, *more = re.split(r"### BEGIN SOLUTION|### END SOLUTION", cell.source)
            if more or intake.role(cell) != "answer":
                for part in (text, *more[1::2]):
                    given |= runs(part, cell.cell_type)
    for (name, mark), group in groups.items():
        often = Counter(run for made in group.values() for run in made)
        usual = {run for run, count in often.items() if count > max(2, len(group) / 3)}
        own = {who: made - usual - given for who, made in group.items()}
        for (a, x), (b, y) in combinations(own.items(), 2):
            fewer = min(len(x), len(y))
            if fewer >= FEWEST and len(x & y) >= ALIKE * fewer:
                found.append((len(x & y) / fewer, len(x & y), name, mark, a, b))
    for share, count, name, mark, a, b in sorted(found, reverse=True):
        print(f"{share:4.0%} of {count / share:.0f} runs: {name} {mark}: {a} | {b}")
    print(f"{len(found)} pairs to look at; a number is a hint, never a proof")
    return 0
