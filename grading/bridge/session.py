"""The trusted side of the line: a session with one learner's process.

An error comes back as the name of its class and a text.
"""

import builtins
import operator
import secrets
import sys
import time

import numpy as np

from grading.bridge import codec
from grading.bridge.codec import Decoder, Encoder, ProtocolError, frame, receive, state
from grading.bridge.proxy import Mirrored, Remote
from grading.bridge.sandbox import Died

ODD = "UnicodeDecodeError UnicodeEncodeError UnicodeTranslateError ExceptionGroup"
ODD = {*ODD.split(), "StopIteration", "StopAsyncIteration"}  # these end loops
ERRORS = {name: x for name, x in vars(builtins).items() if name not in ODD}
ERRORS = {k: x for k, x in ERRORS.items() if isinstance(x, type)}
ERRORS = {k: x for k, x in ERRORS.items() if issubclass(x, Exception)}
SHARED = {"numpy", "torch", "math", "builtins", "_operator", "_io", "io", "functools"}


def plain(text, most=2000):
    """Return the text without what could confuse a page or a terminal."""
    text = text if isinstance(text, str) else ""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text[:most])


def error_of(reply, own=ERRORS):
    """Return a trusted exception for what the learner's code raised: .kind names it."""
    kinds = reply["raised"] if isinstance(reply["raised"], list) else []
    kinds, text = [str(kind) for kind in kinds[:20]], plain(reply.get("text"))
    known = ((own | ERRORS)[kind] for kind in kinds if kind in own or kind in ERRORS)
    kind = next(known, Exception)
    plainly = kind in ERRORS.values()  # else it may need other arguments
    error = kind(text) if plainly else kind.__new__(kind, text)
    error.kind = plain(kinds[0], 80) if kinds else "Exception"
    error.where = plain(reply.get("where"), 80)
    return error


def importable(x, shared):
    """Return [module, name] when both sides can import the very thing, or None."""
    module = "numpy" if isinstance(x, np.ufunc) else getattr(x, "__module__", "")
    name = getattr(x, "__qualname__", None) or getattr(x, "__name__", "")
    if isinstance(x, Remote) or str(module).split(".")[0] not in shared:
        return None
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return [module, name] if found is x and found is not None else None


def preload():
    """Import what learners' torch modules need on this side."""
    from grading.bridge import mirror

    return mirror


class Learner:
    """The session with one learner's process.

    start: () → Process; torch: is it in the notebook?
    shared: packages, besides the usual ones, that both sides can import;
    special: methods like __eq__ that a check may believe a learner's object.
    """

    def __init__(self, start, torch=False, shared=(), special=()):
        self.start, self.shared = start, SHARED.union(shared)
        self.special, self.things, self.errors = frozenset(special), {}, {}
        self.process, self.spent, self.modules, self.end = None, 0.0, {}, None
        self.faithful, self.effects, self.undo = False, False, []
        self.random, self.printed = None, ""
        self.callbacks, self.numbers, self.used = {}, {}, 0  # of the check that runs
        self.death = None  # why there is no process
        self.rebound = lambda: ({}, [])  # names that a call sees set, and deleted
        self.classes = {}  # {class of the source's: name}: their objects cross
        self.raised = {}  # {name: exception of the source's}
        self.turn = 0  # counts the checks
        self.mirror = preload() if torch else None

    def open(self):
        self.close()
        self.process, self.modules, self.random = self.start(), {}, None
        self.things, self.errors = {}, {}
        self.end = self.end or time.monotonic() + 5 * self.process.limits.wall
        self.process.end = self.end

    def close(self):
        if self.process:
            self.process.close()
            self.spent += self.process.used
        self.process = None

    def request(self, operation, fields, buffers=(), **more):
        """Send a request, serve the callbacks, return (reply, buffers)."""
        if not self.process:
            raise self.death or Died("crashed", "its process has ended")
        self.printed, nonce = "", secrets.token_hex(8)
        self.process.begin()
        header = {"do": operation, "fields": fields, "nonce": nonce}
        header["classes"] = list(self.classes.values())
        self.process.write(frame(header | more, buffers))
        while True:
            try:
                reply, data = receive(self.process.read)
                if not isinstance(reply, dict) or reply.get("nonce") != nonce:
                    raise ProtocolError("an answer that was not asked for")
            except ProtocolError as error:
                raise Died("crashed", f"it disturbed the line: {error}") from None
            if "callback" not in reply:
                break
            self.serve(reply, data, nonce)
        self.printed = plain(reply.get("printed"), 11_000)
        if "raised" in reply and "changes" not in reply:
            raise self.error(reply)
        return reply, data

    def error(self, reply):
        return error_of(reply, self.errors | self.raised)

    def serve(self, reply, data, nonce):
        """Call a function that the check that runs has handed over."""
        buffers = []
        try:
            function = self.callbacks[reply["callback"]]
            many, how = Decoder(data, self)(reply["arguments"]), reply["how"]
            if how == "call":
                made = [function(*arguments, **named) for _, arguments, named in many]
            else:
                from grading.bridge.ask import derivative

                made = [derivative(how, function, *one) for one in many]
            encode = Encoder(self)
            answer, buffers = {"value": encode(made)}, encode.buffers
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
        except Exception:  # it cannot be taken across: there is no such name
            return []
        try:
            found = Decoder(data, self)(reply["value"])
        except Exception as error:
            raise Died("crashed", f"it disturbed the line: {error}") from None
        for x in found if isinstance(found, list) else ():
            if isinstance(x, Remote):
                x.__name__ = x.__qualname__ = name
            return [x]
        return []

    def refer(self, x, encode):
        """Name a thing to the learner's process."""
        if isinstance(x, Remote | Mirrored):
            owner = x if isinstance(x, Remote) else x.remote
            if owner.__process__ is not self.process:
                raise Died("crashed", f"the process that made {owner.__name__} ended")
            return {"thing": owner.__number__}
        if isinstance(x, type) and "remote" in vars(x):  # an exception of the learner's
            return self.refer(x.remote, encode)
        if place := importable(x, self.shared):
            return {"import": place}
        torch = sys.modules.get("torch")
        if (
            torch
            and isinstance(x, torch.nn.Module)
            and importable(type(x), self.shared)
        ):
            usual = torch.nn.Module().__dict__
            own = {k: v for k, v in x.__dict__.items() if k not in usual}
            groups = [dict(part) for part in (x._parameters, x._buffers, x._modules)]
            return {"built": [encode(y) for y in (type(x), groups, own, x.training)]}
        if callable(x):
            number = self.numbers.setdefault(id(x), self.used)
            self.used, self.callbacks[number] = max(self.used, number + 1), x
            return {"callback": number}
        kind = type(x).__name__
        raise TypeError(f"a {kind} cannot be taken to the learner's process")

    def resolve(self, kind, value, decode):
        """Return what stands for a thing of the learner's."""
        if kind == "thing":
            number, what, name = value
            name, number = plain(str(name), 80), operator.index(number)
            if number not in self.things:  # one thing here for one there
                self.things[number] = Remote(self, number, str(what), name)
            return self.things[number]
        if kind == "exception":
            number, kinds = value
            made = Remote(
                self, operator.index(number), "class", plain(str(kinds[0]), 80)
            )
            base = type(error_of({"raised": kinds[1:]}, self.errors))
            self.errors[made.__name__] = type(made.__name__, (base,), {"remote": made})
            return self.errors[made.__name__]
        if kind == "callback":
            return self.callbacks[value]
        if kind == "module":
            return self.mirror.mirror(self, *value, decode)
        raise ProtocolError(f"unknown kind {plain(str(kind), 20)}")

    def call(self, function, arguments, named):
        """Call the learner's function; return its result as trusted plain data."""
        encode = Encoder(self)
        fields = {"function": encode(function), "arguments": encode(list(arguments))}
        fields |= {"named": encode(named), "rebound": encode(list(self.rebound()))}
        settings = {"errstate": np.geterr(), "grad": None, "random": None}
        inputs = []
        if self.mirror:
            torch = sys.modules["torch"]
            settings["grad"] = torch.is_grad_enabled()
            inputs = [x for x in encode.met if getattr(x, "requires_grad", False)]
            now = torch.get_rng_state()
            if self.random is None or not torch.equal(now, self.random):
                settings["random"] = self.random = now
        fields |= {"settings": encode(settings), "inputs": encode(inputs)}
        given = list(encode.met)
        held = {n: [dict(state(x)), codec.modes(x)] for n, x in self.modules.items()}
        more = {"modules": encode(held), "turn": self.turn}
        try:
            reply, data = self.request("call", fields, encode.buffers, **more)
        finally:
            sys.stdout.write(self.printed)  # as it would be in one process
        try:
            result = self.take(reply, data, given, inputs)
        except Exception as error:
            raise Died("crashed", f"it disturbed the line: {error!r}") from None
        if "raised" in reply:
            raise self.error(reply)
        return result

    def take(self, reply, data, given, inputs):
        """Return a call's result, after what it did to its arguments."""
        decode = Decoder(data, self, given)
        result = decode(reply["value"])
        made = list(decode.met)
        changes = [(given[n], decode(x)) for n, x in reply["changes"] if n >= 0]
        for number, tensors in decode(reply["modules"]).items():
            codec.bring(self.modules[number], tensors, {})
        self.effects |= bool(changes or reply["views"])
        if self.faithful:
            for old, new in changes:
                self.overwrite(old, new)
            for number, place, offset, strides in reply["views"]:
                x, base = made[number], given[place]
                whole = (x.shape, x.dtype, base, offset, strides)
                result = codec.replaced(result, {id(x): np.ndarray(*whole)})
        else:  # what was returned as «the argument» holds what it held then
            new = {id(old): x for old, x in changes if type(old) not in self.classes}
            result = codec.replaced(result, new) if new else result
        if reply.get("tracked") and sys.modules["torch"].is_grad_enabled():
            result = self.mirror.tracked(self, reply["tracked"], made, inputs, result)
        return result

    def overwrite(self, old, new):
        """Do to an argument what the learner's function did, until the check ends."""
        self.undo.append((old, codec.content(old)))
        codec.put(old, new)

    def restore(self):
        """End a check: undo what learners' functions did, forget what it had."""
        self.callbacks, self.numbers = {}, {}
        while self.undo:
            codec.put(*self.undo.pop())
        self.modules, self.turn = {}, self.turn + 1
