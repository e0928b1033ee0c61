"""The trusted side: what stands for the learner's functions, classes and modules.

Nothing of the learner's is ever evaluated here: calls go to the sandbox, plain data
comes back. An error comes back as the name of its class and a text.
"""

import builtins
import functools
import operator
import secrets
import sys
import time

import numpy as np

from grading.codec import (
    LIMIT,
    Decoder,
    Encoder,
    ProtocolError,
    frame,
    graph,
    receive,
    replaced,
    vjp,
)
from grading.sandbox import Died

ERRORS = "ArithmeticError AssertionError AttributeError BufferError EOFError Exception"
ERRORS += " FloatingPointError ImportError IndexError KeyError LookupError MemoryError"
ERRORS += " ModuleNotFoundError NameError NotImplementedError OSError OverflowError"
ERRORS += " RecursionError RuntimeError TypeError UnboundLocalError UnicodeError"
ERRORS += " SyntaxError ValueError ZeroDivisionError"
ERRORS = {name: getattr(builtins, name) for name in ERRORS.split()}
SHARED = ("numpy", "torch", "attend", "math", "builtins", "_operator", "functools")


class Foreign(Exception):
    """An error of a class that the grader does not know; .kind is its name."""


def plain(text, most=2000):
    """Return the text without what could confuse a page or a terminal."""
    text = text if isinstance(text, str) else ""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text[:most])


def error_of(reply):
    """Return a trusted exception for an error that the learner's code raised."""
    kinds = reply["raised"] if isinstance(reply["raised"], list) else []
    text = plain(reply.get("text"))
    for kind in kinds[:20]:
        if kind in ERRORS and kind != "Exception":
            error = ERRORS[kind](text)
            break
    else:
        error = Foreign(text)
    error.kind = plain(str(kinds[0]), 80) if kinds else "Exception"
    error.where = plain(reply.get("where"), 80)
    error.from_learner = True
    return error


def importable(x):
    """Return [module, name] when both sides can import the very thing, or None."""
    module = getattr(x, "__module__", None) or (
        "numpy" if isinstance(x, np.ufunc) else ""
    )
    name = getattr(x, "__qualname__", None) or getattr(x, "__name__", "")
    if isinstance(x, Remote) or str(module).split(".")[0] not in SHARED:
        return None
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return [module, name] if found is x and found is not None else None


class Remote:
    """A learner's function, class or object: calls and attributes go to the sandbox."""

    def __init__(self, learner, number, kind, name):
        fields = {"learner": learner, "number": number, "kind": kind}
        fields |= {"process": learner.process, "__name__": name, "__qualname__": name}
        self.__dict__.update(fields)

    def __call__(self, *arguments, **named):
        return self.learner.call(self, arguments, named)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self.learner.call(getattr, (self, name), {})

    def __setattr__(self, name, value):
        if name in ("__name__", "__qualname__", "__doc__"):
            self.__dict__[name] = value
        else:
            self.learner.call(setattr, (self, name, value), {})

    def __len__(self):
        return int(self.learner.call(len, (self,), {}))

    def __getitem__(self, key):
        return self.learner.call(operator.getitem, (self, key), {})

    def __iter__(self):
        return iter(self.learner.call(list, (self,), {}))

    def __instancecheck__(self, x):
        same = getattr(type(x), "learner", None) or isinstance(x, Remote | Mirrored)
        return bool(same) and self.learner.call(isinstance, (x, self), {}) is True

    def __bool__(self):
        if self.kind in ("function", "class"):
            return True
        raise TypeError(f"{self.__name__} is no plain data: a check cannot test it")

    def __eq__(self, other):
        if self is other or self.kind in ("function", "class"):
            return self is other
        raise TypeError(f"{self.__name__} is no plain data: a check cannot compare it")

    __hash__ = object.__hash__


class Mirrored:
    """What stands for a learner's torch module (see mirror.py)."""


class Learner:
    """The session with one learner's process."""

    def __init__(self, start, torch=False):
        self.start, self.torch = start, torch  # () → Process; is torch in the notebook?
        self.process, self.spent, self.modules, self.end = None, 0.0, {}, None
        self.faithful, self.effects, self.undo = False, False, []
        self.random, self.printed, self.callbacks = None, "", []
        self.death = None  # why there is no process
        if torch:
            from grading import mirror  # noqa: F401  before a check patches anything

    def open(self):
        self.close()
        self.process, self.modules, self.random = self.start(), {}, None
        self.end = self.end or time.monotonic() + 5 * self.process.limits.wall
        self.process.end = self.end

    def close(self):
        if self.process:
            self.spent += max(self.process.used, self.process.usage()[0])
            self.process.close()
        self.process = None

    # ------------------------------------------------------------ one request

    def request(self, operation, fields, buffers=(), callbacks=()):
        """Send a request, serve the callbacks, return (reply, buffers)."""
        if not self.process:
            raise self.death or Died("crashed", "its process has ended")
        nonce = secrets.token_hex(8)
        self.process.begin()
        header = {"do": operation, "fields": fields, "nonce": nonce}
        self.process.write(frame(header, buffers))
        while True:
            try:
                reply, data = receive(self.process.read)
                if not isinstance(reply, dict) or reply.get("nonce") != nonce:
                    raise ProtocolError("an answer that was not asked for")
            except ProtocolError as error:
                raise Died("crashed", f"it disturbed the line: {error}") from None
            if "callback" not in reply:
                break
            self.serve(reply, data, callbacks, nonce)
        self.printed = plain(reply.get("printed"), 11_000)
        if "raised" in reply:
            raise error_of(reply)
        return reply, data

    def serve(self, reply, data, callbacks, nonce):
        """Call a function of the check that was an argument of this very call."""
        buffers = []
        try:
            function, decode = callbacks[reply["callback"]], Decoder(data, self.resolve)
            if "graph" in reply:
                function = functools.partial(vjp, *self.graphs[reply["graph"]])
            arguments, named = decode(reply["arguments"])
            encode = Encoder(self.refer)
            answer = {"value": encode(function(*arguments, **named))}
            buffers = encode.buffers
            inputs = [x for x in decode.arrays if getattr(x, "requires_grad", False)]
            places, made = graph(encode.arrays, inputs)
            if inputs and places:
                self.kept += sum(map(len, data))
                if self.kept > LIMIT:
                    raise MemoryError("too many gradients to keep")
                self.graphs.append(made)
                answer["graph"] = [len(self.graphs) - 1, places]
        except Exception as error:
            kind = type(error).__name__
            kind = kind if kind in ERRORS else "RuntimeError"
            answer = {"raised": kind, "text": str(error)}
        self.process.write(frame(answer | {"nonce": nonce}, buffers))

    def run(self, source, name):
        self.request("run", {"source": source, "name": name})

    def name(self, name):
        """Return [what the learner's name holds], or [] when there is no such name."""
        try:
            reply, data = self.request("name", {"name": name})
            found = Decoder(data, self.resolve)(reply["value"])
        except (ProtocolError, KeyError) as error:
            if getattr(error, "from_learner", False):
                return []
            raise Died("crashed", f"it disturbed the line: {error}") from None
        except Exception:  # it cannot be taken across: there is no such name
            return []
        for x in found if isinstance(found, list) else ():
            if isinstance(x, Remote):
                x.__name__ = x.__qualname__ = name
            return [x]
        return []

    # ------------------------------------------------------------ references

    def refer(self, x, encode):
        """Name a thing to the learner's process."""
        if isinstance(x, Remote | Mirrored):
            owner = x if isinstance(x, Remote) else x.remote
            if owner.process is not self.process:
                raise Died("crashed", f"the process that made {owner.__name__} ended")
            return {"thing": owner.number}
        if place := importable(x):
            return {"import": place}
        torch = sys.modules.get("torch")
        if torch and isinstance(x, torch.nn.Module) and importable(type(x)):
            usual = torch.nn.Module().__dict__
            own = {k: v for k, v in x.__dict__.items() if k not in usual}
            parts = [x._parameters, x._buffers, x._modules]
            groups = [{k: v for k, v in part.items()} for part in parts]
            return {"built": [encode(y) for y in (type(x), groups, own, x.training)]}
        if callable(x):
            self.callbacks.append(x)
            name = getattr(x, "__name__", "function")
            return {"callback": [len(self.callbacks) - 1, name]}
        raise TypeError(
            f"a {type(x).__name__} cannot be taken to the learner's process"
        )

    def resolve(self, kind, value, decode):
        """Return what stands for a thing of the learner's."""
        if kind == "thing":
            number, what, name = value
            number = operator.index(number)
            return Remote(self, number, str(what), plain(str(name), 80))
        if kind == "callback":
            return self.callbacks[value]
        if kind == "module":
            from grading.mirror import mirror

            return mirror(self, *value, decode)
        raise ProtocolError(f"unknown kind {plain(str(kind), 20)}")

    # ------------------------------------------------------------ calls

    def call(self, function, arguments, named):
        """Call the learner's function; return its result as trusted plain data."""
        if self.torch:
            from grading import mirror

            if mirror.modes():
                return mirror.watched(lambda: self.cross(function, arguments, named, 1))
        return self.cross(function, arguments, named)[0]

    def cross(self, function, arguments, named, traced=False):
        """Make a call; return (result, operations of torch that it made)."""
        torch = sys.modules.get("torch") if self.torch else None
        outer, self.callbacks = self.callbacks, []
        self.graphs, self.kept = [], 0
        if self.modules:
            from grading import mirror

            mirror.push(self)
        encode = Encoder(self.refer)
        fields = {"function": encode(function), "arguments": encode(list(arguments))}
        fields["named"] = encode(named)
        settings = {"errstate": np.geterr(), "grad": None, "random": None}
        settings["traced"], inputs = bool(traced), []
        if torch:
            from grading import mirror

            settings["grad"] = torch.is_grad_enabled()
            settings["patched"] = mirror.patched()
            inputs = [x for x in encode.arrays if getattr(x, "requires_grad", False)]
            now = torch.get_rng_state()
            if self.random is None or not torch.equal(now, self.random):
                settings["random"] = self.random = now
        arrays, containers = list(encode.arrays), list(encode.containers)
        fields |= {"settings": encode(settings), "inputs": encode(inputs)}
        try:
            reply, data = self.request("call", fields, encode.buffers, self.callbacks)
            result = self.take(reply, data, arrays, containers, inputs)
            return result, reply["trace"] if traced else []
        except (KeyError, IndexError, ProtocolError) as error:
            if getattr(error, "from_learner", False):
                raise
            raise Died("crashed", f"it disturbed the line: {error!r}") from None
        finally:
            self.callbacks = outer

    def take(self, reply, data, arrays, containers, inputs):
        """Return a call's result, after what it did to its arguments."""
        try:
            return self.taken(reply, data, arrays, containers, inputs)
        except (TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ProtocolError(f"malformed answer: {error}") from None

    def taken(self, reply, data, arrays, containers, inputs):
        decode = Decoder(data, self.resolve, arrays)
        result = decode(reply["value"])
        made = list(decode.arrays)
        if reply.get("modules"):
            from grading import mirror

            mirror.pull(self, decode(reply["modules"]))
        changes = [(arrays[n], decode(x)) for n, x in reply["changes"] if n >= 0]
        lists = [(containers[n], decode(x)) for n, x in reply["containers"] if n >= 0]
        self.effects |= bool(changes or lists or reply["views"])
        if self.faithful:
            for old, new in changes:
                self.overwrite(old, new)
            for old, new in lists:
                self.overwrite(old, new)
            for number, place, offset, strides in reply["views"]:
                x, base = made[number], arrays[place]
                whole = (x.shape, x.dtype, base, offset, strides)
                result = replaced(result, {id(x): np.ndarray(*whole)})
        elif changes:  # what was returned as «the argument» holds what it held then
            copies = {id(old): new for old, new in changes}
            result = replaced(result, copies)
        if reply.get("tracked") and sys.modules["torch"].is_grad_enabled():
            from grading import mirror

            result = mirror.tracked(self, reply["tracked"], made, inputs, result)
        return result

    def overwrite(self, old, new):
        """Do to an argument what the learner's function did, until the check ends."""
        if isinstance(old, list):
            self.undo.append((old, list(old)))
            old[:] = new
        elif isinstance(old, dict):
            self.undo.append((old, dict(old)))
            old.clear()
            old.update(new)
        elif isinstance(old, np.ndarray):
            self.undo.append((old, old.copy()))
            old[...] = new
        else:
            self.undo.append((old, old.detach().clone()))
            old.detach().copy_(new.detach())

    def restore(self):
        """Undo what learners' functions did to the check's data."""
        for old, new in reversed(self.undo):
            if isinstance(old, dict):
                old.clear()
                old.update(new)
            elif isinstance(old, list):
                old[:] = new
            elif isinstance(old, np.ndarray):
                old[...] = new
            else:
                old.detach().copy_(new)
        self.undo = []


__all__ = ["Learner", "Remote"]
