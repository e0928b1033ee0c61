"""Run a notebook in two processes, as nbgrader's execute preprocessor.

The learner's cells, and the source's own cells, run in the sandbox; the source's cells
and the checks run here. What answer cells define stands here as proxies. A check sees
the learner's functions twice if they changed an argument or returned a view of it:
first with the check's data untouched, then as it would be in one process. Both must
pass, so that nobody gains points by spoiling what the check compares with.
"""

import ast
import contextlib
import hashlib
import io
import math
import sys
import time
from unittest import mock

import numpy as np
from nbformat.v4 import new_output

from grading.bridge.sandbox import Died
from grading.bridge.session import Mirrored, Remote, plain
from grading.intake import HIDDEN, role
from grading.reading import reached


def bound(source):
    """Return the names that a cell's top level binds, in order."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            stores = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            names += [n.id for n in stores if isinstance(n.ctx, ast.Store)]
    return list(dict.fromkeys(names))


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


class TwoProcesses:
    """The preprocessor. .report tells per cell what happened: {grade_id: dict}."""

    def __init__(self, learner, names, limits, secret=""):
        self.learner, self.limits, self.secret = learner, limits, secret
        self.names = names  # {grade_id of an answer: names that the source's binds}
        self.space, self.report = {"__name__": "__main__"}, {}
        self.replay, self.starts, self.known = [], 0, {}
        self.spoils = False  # did the answer change an argument in any of its checks?
        self.read, self.cells = False, []  # the texts that ran, for checks that read
        self.outside = False  # was a process killed, and not by us?

    def __call__(self, notebook, resources):
        self.revive()
        self.read = any("by_hand" in cell.source for cell in notebook.cells)
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], index + 1
            mark = cell.metadata.get("nbgrader", {}).get("grade_id")
            kind, name = role(cell), mark or f"cell {index + 1}"
            if kind == "check":
                self.check(cell, name)
                continue
            self.learn(cell, name)
            self.cells.append((cell.source, kind != "source"))
            if kind == "source":
                self.trusted(cell.source, name)
            elif kind == "answer":
                self.known |= dict.fromkeys(self.names.get(name, []))
                self.spoils = False
        self.learner.close()
        return notebook, resources

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
            cell.outputs.insert(0, new_output("stream", name="stdout", text=text))

    def trusted(self, source, name):
        """Run the book's own cell or a check here; return the last expression."""
        tree, last = ast.parse(source), None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            active = ast.Call | ast.Attribute | ast.Subscript
            if not any(isinstance(x, active) for x in ast.walk(tree.body[-1])):
                last = ast.Expression(tree.body.pop().value)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            with contextlib.redirect_stderr(io.StringIO()):
                exec(compile(tree, f"<{name}>", "exec"), self.space)
                last = last and eval(compile(last, f"<{name}>", "eval"), self.space)
        self.printed = out.getvalue()
        return last

    def attempt(self, cell, name):
        """Run a check once; return its partial credit, if it gives any."""
        self.revive()
        for known in self.known:
            self.space.pop(known, None)
            for x in self.learner.name(known):
                self.space[known] = x
                if self.read and isinstance(x, Remote):
                    x.__source__ = reached(known, self.cells)
        seen, _, hidden = cell.source.partition(HIDDEN)
        result = self.trusted(seen, name)
        printed = self.printed
        if hidden:
            with seeds(self.secret, name):
                result = self.trusted(f"#{hidden}", name)
        self.printed = printed
        number = isinstance(result, int | float) and not isinstance(result, bool)
        return float(result) if number else None

    def check(self, cell, name):
        before, learner = dict(self.space), self.learner
        others = [x for key, x in before.items() if key not in self.known]
        learner.faithful, learner.effects = False, False
        try:
            credit = self.attempt(cell, name)
            self.spoils |= learner.effects
            if self.spoils:
                self.space.clear()
                self.space.update(before)
                if not any(isinstance(x, Remote | Mirrored) for x in others):
                    learner.close()  # what an answer remembers of the first is gone
                    self.begin(again=0)
                learner.faithful = True
                again = self.attempt(cell, name)
                credit = credit if credit is None else min(credit, again or 0)
            self.show(cell, self.printed)
            if credit is not None:
                most = float(cell.metadata.nbgrader["points"])
                text = {"text/plain": repr(min(max(credit, 0.0), most))}
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
            learner.restore()
            learner.faithful = False
        self.rehearse(cell, name)

    def rehearse(self, cell, name):
        """Let the learner's process have what the visible part of the check defines."""
        if self.report[name]["status"] == "graded" and self.learner.process:
            with contextlib.suppress(Died, Exception):
                self.send(cell.source.partition(HIDDEN)[0], name)

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
