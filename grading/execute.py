"""Run a notebook in two processes.

The learner's cells, and the source's own cells, run in the sandbox; the source's cells
and the checks run here, too. What answer cells define stands here as proxies; so does
what a statement of the source's binds that fails here, since it needs an answer. What a
check deletes or rebinds of such names, the learner's functions see. A check sees the
learner's functions twice if they changed an argument or returned a view of it:
first with the check's data untouched, then as it would be in one process. Both must
pass, so that nobody gains points by spoiling what the check compares with.
"""

import ast
import builtins
import contextlib
import hashlib
import io
import itertools
import math
import os
import sys
import time
from types import ModuleType
from unittest import mock

import numpy as np
from nbformat.v4 import new_output

from grading.bridge.sandbox import Died
from grading.bridge.session import Mirrored, Remote, plain
from grading.intake import hidden, role, visible
from grading.reading import bound, changed, parsed, reached, told, tree

LINES = 1000  # that are kept of what a cell prints, as nbgrader does
USUAL = {name: getattr(builtins, name) for name in ("input", "open", "print")}


@contextlib.contextmanager
def seeds(secret, name):
    """Make the generators of hidden tests depend on the secret seed."""

    def mixed(seed):
        text = f"{secret}/{name}/{seed}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])

    def patched(place, name):
        usual = getattr(place, name)
        return mock.patch.object(place, name, lambda seed=None: usual(mixed(seed)))

    with contextlib.ExitStack() as stack:
        if secret:
            stack.enter_context(patched(np.random, "default_rng"))
        if secret and (torch := sys.modules.get("torch")):
            stack.enter_context(patched(torch, "manual_seed"))

            class Generator(torch.Generator):
                def manual_seed(self, seed):
                    return super().manual_seed(mixed(seed))

            stack.enter_context(mock.patch.object(torch, "Generator", Generator))
        yield


def at_home(kind):
    """Say whether a class is the notebook's own, or of a file beside it."""
    return kind.__module__ == "__main__" or os.path.exists(f"{kind.__module__}.py")


def is_data(kind):
    """Say whether its objects are what their attributes are, and no functions."""
    own = kind.__mro__[:-1]
    return not any("__call__" in vars(k) or k.__module__ == "builtins" for k in own)


class TwoProcesses:
    """What runs a notebook. .report tells per cell what happened: {grade_id: dict}."""

    def __init__(self, learner, about, limits, secret="", here=".", start=()):
        self.learner, self.limits, self.secret = learner, limits, secret
        self.names = about["names"]  # {an answer's grade_id: names that it defines}
        self.changed = about["changed"]  # ... : of what it changes in place
        self.heads = about["heads"]  # ... : what else the source's answer imports
        self.space, self.report = {"__name__": "__main__"}, {}
        self.space |= {"get_ipython": mock.Mock(), "display": lambda *_, **__: None}
        self.here = here  # the folder with the assignment's files
        self.replay = [(source, "<start>") for source in start]  # what ran over there
        self.starts, self.known = 0, {}
        self.spoils = False  # did the answer change an argument in any of its checks?
        self.read, self.cells = False, []  # the texts that ran, for checks that read
        self.outside = False  # was a process killed, and not by us?
        self.at = ""  # the cell that runs
        self.lenient = False  # may the visible part of a check fail?
        self.given = {}  # what the check got of the known names
        self.in_place = lambda name: False  # is a check about what arguments become?
        learner.rebound = self.rebound

    def __call__(self, notebook):
        """Run the notebook in place."""
        with contextlib.chdir(self.here):
            sys.path.insert(0, "")
            try:
                self.revive()
                self.run(notebook)
            finally:
                sys.path.remove("")
                self.learner.close()

    def run(self, notebook):
        self.read = any("by_hand" in cell.source for cell in notebook.cells)
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], index + 1
            mark = cell.metadata.get("nbgrader", {}).get("grade_id")
            kind, name = role(cell), mark or f"cell {index + 1}"
            self.at = name
            if kind == "check":
                self.check(cell, name)
                continue
            self.learn(cell, name)
            self.cells.append((cell.source, kind != "source"))
            if kind == "source":
                self.share(parsed(cell.source))
            elif kind == "answer":
                self.share(parsed(self.heads.get(name, "")))
                self.learn_of([*self.names.get(name, []), *self.changed.get(name, [])])
                self.spoils = False

    def begin(self, again=1):
        """Start the learner's process, and run again what it had run."""
        self.starts += again
        if self.starts > self.limits.restarts + 1:
            raise Died("crashed", "its process ended too often")
        if self.learner.spent > self.limits.total:
            raise Died("timeout", "the notebook took too much CPU time")
        if time.monotonic() > (self.learner.end or math.inf):
            raise Died("timeout", "the notebook took longer than it may")
        self.learner.open()
        for number, (source, name) in enumerate(self.replay):
            try:
                with contextlib.suppress(Exception):
                    self.learner.run(source, name)
            except Died:
                self.learner.close()
                del self.replay[number]
                return self.begin()

    def revive(self):
        if not self.learner.process:
            try:
                self.begin()
            except Died as died:
                self.learner.death = died

    def send(self, source, name):
        """Run a cell in the sandbox; one that does not kill is run again later."""
        self.replay.append((source, f"<{name}>"))
        try:
            self.learner.run(*self.replay[-1])
        except Died:
            self.replay.pop()
            self.learner.close()
            raise

    def learn(self, cell, name):
        """Run the learner's cell; what it raises is told and goes no further."""
        self.revive()
        try:
            self.send(cell.source, name)
        except (Died, Exception) as error:
            self.note(name, cell, error)
            if isinstance(error, Died):
                return
        self.show(cell, self.learner.printed)

    def show(self, cell, text):
        if text:
            if len(lines := text.split("\n")) > LINES:
                text = "\n".join([*lines[: LINES - 1], "... Output truncated ..."])
            cell.outputs.insert(0, new_output("stream", name="stdout", text=text))

    def share(self, statements):
        """Run the source's own statements here, too, as far as they need no answer."""
        for known in self.known:
            self.space.pop(known, None)
        for statement in statements:
            names = [*bound([statement]), *changed([statement])]
            try:
                self.trusted([statement])
                self.known = {x: None for x in self.known if x not in names}
                self.adopt(told(statement, False))
            except (Exception, SystemExit):  # the learner's side tells
                self.learn_of(names)

    def adopt(self, names):
        """Let objects of the source's classes cross, and know its exceptions again."""
        for name in names:
            kind = self.space.get(name)
            if isinstance(kind, type) and at_home(kind):
                if issubclass(kind, Exception):
                    self.learner.raised[kind.__name__] = kind
                elif is_data(kind):
                    self.learner.classes[kind] = name

    def learn_of(self, names):
        """Take names from the learner's side from now on."""
        mine = self.learner.classes.items()
        self.learner.classes = {kind: x for kind, x in mine if x not in names}
        for name in names:
            if not isinstance(self.space.get(name), ModuleType):
                self.known[name] = None
                self.space.pop(name, None)

    def trusted(self, statements):
        """Run statements here; return what they print, and the last one's value."""
        *rest, last = statements or [ast.Pass(lineno=1, col_offset=0)]
        value, module = None, ast.Module(statements, [])
        if isinstance(last, ast.Expr):
            module, value = ast.Module(rest, []), ast.Expression(last.value)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            with contextlib.redirect_stderr(io.StringIO()):
                exec(compile(module, f"<{self.at}>", "exec"), self.space)
                value = value and eval(
                    compile(value, f"<{self.at}>", "eval"), self.space
                )
        return out.getvalue(), value

    def open(self, path, *how, **named):
        """Open a file for a check: the source's, or else a text on the learner's side.

        Bytes of the learner's never come this way: a check might unpickle them.
        """
        mode = [*how, named.get("mode", "r")][0]
        if "b" in mode or os.path.exists(path) and not set(mode) & {*"wax+"}:
            return open(path, *how, **named)
        return self.learner.call(open, (str(path), *how), named)

    def rebound(self):
        """Return ({name: value}, [name]): what the check has rebound, and deleted.

        Only what a learner's functions look up: known names and Python's own.
        """
        mine = {x for x in self.space.keys() & vars(builtins) if x[:1] != "_"}
        mine = {x: self.space[x] for x in mine if callable(self.space[x])}
        if mine.get("open") == self.open:
            del mine["open"]
        mine |= {x: getattr(builtins, x) for x in USUAL if x not in mine}
        usual = USUAL | self.given
        new = {x: y for x, y in mine.items() if y is not usual.get(x)}
        for name, value in self.given.items():
            if name in self.space and self.space[name] is not value:
                new[name] = self.space[name]
        return new, [name for name in self.given if name not in self.space]

    def attempt(self, cell, name):
        """Run a check once; return its partial credit, if it gives any."""
        self.revive()
        self.given = {}
        self.space.setdefault("open", self.open)
        for known in self.known:
            self.space.pop(known, None)
            for x in self.learner.name(known):
                self.space[known] = self.given[known] = x
                if self.read and isinstance(x, Remote):
                    x.__source__ = reached(known, self.cells)
        lines = hidden(cell.source)
        parts = itertools.groupby(tree(cell.source).body, lambda x: x.lineno in lines)
        self.printed, value = "", None
        for hides, part in parts:
            if self.lenient and not hides:
                for statement in part:
                    with contextlib.suppress(Exception):
                        self.trusted([statement])
                continue
            with seeds(self.secret if hides else "", name):
                text, value = self.trusted(list(part))
            self.printed += "" if hides else text
        number = type(value) in (int, float) and not cell.source.rstrip().endswith(";")
        return float(value) if number else None

    def twice(self, cell, name):
        """Run a check, and once more if it must; return its partial credit, if any.

        Where the solution, too, needs what it does to its arguments, only the second
        time counts.
        """
        before, learner = dict(self.space), self.learner
        others = [x for key, x in before.items() if key not in self.known]
        learner.faithful, learner.effects, credit, error = False, False, None, None
        try:
            credit = self.attempt(cell, name)
        except Exception as raised:
            error = raised
        self.spoils |= learner.effects
        short = learner.effects and (error or credit is not None)
        again_alone = short and self.in_place(name)
        if error and not again_alone:
            raise error
        if not self.spoils:
            return credit
        self.space.clear()
        self.space.update(before)
        if not any(isinstance(x, Remote | Mirrored) for x in others):
            learner.close()  # what an answer remembers of the first is gone
            self.begin(again=0)
        learner.faithful = True
        again = self.attempt(cell, name)
        if again_alone or credit is None:
            return again if again_alone else None
        return min(credit, again or 0)

    def check(self, cell, name):
        learner = self.learner
        try:
            credit = self.twice(cell, name)
            self.show(cell, self.printed)
            if credit is not None:
                most = float(cell.metadata.nbgrader["points"])
                credit = credit if credit > 0 else 0.0  # nan, too
                text = {"text/plain": repr(min(credit, most))}
                count = cell.execution_count
                output = new_output("execute_result", text, execution_count=count)
                cell.outputs.append(output)
            self.report[name] = {"status": "graded", "reason": ""}
        except Died as died:
            learner.close()
            self.note(name, cell, died)
        except Exception as error:
            self.note(name, cell, error)
        finally:
            self.given = {}
            if self.space.get("open") == self.open:
                del self.space["open"]
            learner.restore()
            learner.faithful = False
        self.rehearse(cell, name)

    def rehearse(self, cell, name):
        """Let the learner's process have what the visible part of the check defines."""
        if self.report[name]["status"] == "graded" and self.learner.process:
            with contextlib.suppress(Died, Exception):
                self.send(visible(cell.source), name)

    def note(self, name, cell, error):
        """Write what went wrong into the cell's output and the report."""
        status = error.status if isinstance(error, Died) else "wrong"
        self.outside |= getattr(error, "outside", False)
        kind = getattr(error, "kind", type(error).__name__)
        kind = {"timeout": "Timeout", "crashed": "Crash"}.get(status, kind)
        text = plain(str(error)) or kind
        if getattr(error, "where", ""):
            text = f"{text} ({error.where})"
        self.report[name] = {"status": status, "reason": text, "kind": kind}
        line = f"{kind}: {text}"
        cell.outputs.append(
            new_output("error", ename=kind, evalue=text, traceback=[line])
        )
