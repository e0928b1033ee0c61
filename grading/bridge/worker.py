"""The learner's process, in the sandbox: runs cells and calls, answers in plain data.

It speaks with the grader over two pipes. Whatever the learner's code does to this
process, it can only change the data that comes out of it.
"""

import _sitebuiltins
import ast
import asyncio
import builtins
import codeop
import contextlib
import functools
import importlib.util
import io
import linecache
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import traceback
import types
from itertools import product

import codec
import numpy as np
from codec import Decoder, Encoder, frame, receive, snapshot, state

PRINTED = 10_000  # characters of output that are kept for each cell
EVAL, codeop.compile = eval, compile  # whatever the learner's code does to builtins
SPACE = types.ModuleType("__main__").__dict__


class Printed(io.StringIO):
    """What a cell prints, up to a limit; the rest is counted and dropped."""

    dropped = 0

    def write(self, text):
        kept = super().write(text[: max(0, PRINTED - self.tell())])
        self.dropped += len(text) - kept
        return len(text)

    def text(self):
        more = f"\n… {self.dropped:,} more characters" if self.dropped else ""
        return self.getvalue() + more


def shell():
    """Return Jupyter's own shell on the learner's names; only magics need one."""
    os.environ["IPYTHONDIR"] = os.path.join(tempfile.gettempdir(), "ipython")
    from ipykernel.zmqshell import ZMQInteractiveShell
    from IPython.core.displaypub import CapturingDisplayPublisher

    class Shell(ZMQInteractiveShell):
        def enable_gui(self, gui=None):
            """There is no screen, so no loop that waits for it."""

    if not ZMQInteractiveShell.initialized():
        made = Shell.instance(user_ns=SPACE)
        made.history_manager.enabled = False
        made.display_pub = CapturingDisplayPublisher()
    return ZMQInteractiveShell.instance()


class Compiler(codeop.Compile):
    """Compile cells as Jupyter does: a __future__ lasts, and await needs no function.

    Only a cell that is not plain Python goes through IPython.
    """

    def __init__(self):
        self.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def __call__(self, source, name):
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        try:
            return super().__call__(source, name, "exec")
        except SyntaxError as error:
            from IPython.core.inputtransformer2 import TransformerManager

            changed = TransformerManager().transform_cell(source)
            if changed.strip() == source.strip():
                raise error from None
            return super().__call__(changed, name, "exec")


@functools.cache
def load(name):
    """Import a module of ours, which is no learner's to import."""
    path = os.path.join(os.path.dirname(__file__), f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class Callback:
    """A function of the check, called by the learner's code; it has no name of its own.

    Nothing here tells one of a check's functions from another.
    """

    __name__ = __qualname__ = "function"

    def __init__(self, ask):
        self.ask = ask

    def __call__(self, *arguments, **named):
        ask = self.ask
        if "torch" in sys.modules:
            return load("ask").through(ask, arguments, named)
        return ask("call", [[[], arguments, named]])[0]

    def __repr__(self):
        return "<function>"


class Worker:
    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing, self.nonce = incoming, outgoing, ""
        self.pid, self.compiled, self.loop = os.getpid(), Compiler(), None
        self.things, self.numbers = [], {}  # what the grader may name by number
        self.modules = {}  # that the check holds: {number: module}
        self.turn, self.graphs = 0, []  # of the check's calls
        self.classes = {}  # {class: name} of the source's, whose objects cross

    def read(self, size):
        data = self.incoming.read(size)
        return data if len(data) == size else os._exit(0)

    def next(self):
        header, buffers = receive(self.read)
        self.nonce = header["nonce"]
        return header, buffers

    def reply(self, header, buffers=()):
        self.outgoing.writelines(frame({"nonce": self.nonce} | header, buffers))
        self.outgoing.flush()

    def refer(self, x, encode):
        """Name a thing that stays here; tell its kind, and a module's parameters."""
        torch = sys.modules.get("torch")
        if isinstance(x, Callback):
            return {"callback": x.ask.args[0]}
        if id(x) not in self.numbers:
            self.numbers[id(x)] = len(self.things)
            self.things.append(x)
        number = self.numbers[id(x)]
        if torch and isinstance(x, torch.nn.Module):
            self.modules[number] = x
            return {"module": [number, encode(self.skeleton(x))]}
        if isinstance(x, type) and issubclass(x, BaseException):
            return {"exception": [number, [kind.__name__ for kind in x.__mro__]]}
        kind = "class" if isinstance(x, type) else "object"
        kind = "function" if kind == "object" and callable(x) else kind
        return {"thing": [number, kind, type(x).__name__]}

    def skeleton(self, module):
        """Return {path: [parameters, buffers, other tensors, training, class]}."""
        return {
            path: [*codec.tensors(part), part.training, type(part).__name__]
            for path, part in codec.parts(module)
        }

    def resolve(self, kind, value, decode):
        """Return what the grader named: a thing of mine, a callback, an import."""
        if kind == "thing":
            if type(value) is list:  # a part of a module
                return self.things[value[0]].get_submodule(value[1])
            return self.things[value]
        if kind == "callback":
            return Callback(functools.partial(self.ask, value))
        if kind == "import":
            return pkgutil.resolve_name(":".join(value))
        if kind == "built":  # a torch module of the check's, of an importable class
            import torch

            made, groups, attributes, training = (decode(part) for part in value)
            module = made.__new__(made)
            torch.nn.Module.__init__(module)
            module.__dict__.update(attributes)
            adders = (module.register_parameter, module.register_buffer)
            for add, group in zip((*adders, module.add_module), groups, strict=True):
                for name, part in group.items():
                    add(name, part)
            module.training = training
            return module
        raise ValueError(kind)

    def ask(self, number, how, many):
        """Have the check's function run over there (see ask.py)."""
        encode = Encoder(self)
        header = {"callback": number, "how": how}
        header["arguments"] = encode(many)
        self.reply(header, encode.buffers)
        answer, buffers = self.next()
        if "raised" in answer:
            kind = getattr(builtins, answer["raised"], RuntimeError)
            raise kind(answer["text"])
        return Decoder(buffers, self)(answer["value"])

    def run(self, source, name):
        if self.loop is None and ("await" in source or "asyncio" in source):
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        waiting = EVAL(self.compiled(source, name), SPACE)
        if waiting is not None:  # it has an await outside of any function
            self.loop.run_until_complete(waiting)

    def name(self, name):
        return [SPACE[name]] if name in SPACE else []

    def call(self, function, arguments, named, settings, inputs, rebound):
        torch, missing = sys.modules.get("torch"), object()
        with contextlib.ExitStack() as stack:
            new, gone = rebound
            for name in {*new, *gone}:
                stack.callback(self.bind, name, SPACE.get(name, missing), missing)
                self.bind(name, new.get(name, missing), missing)
            stack.enter_context(np.errstate(**settings["errstate"]))
            if torch and settings["grad"] is not None:
                stack.enter_context(torch.set_grad_enabled(settings["grad"]))
                if settings["random"] is not None:
                    torch.set_rng_state(settings["random"])
            return function(*arguments, **named)

    def bind(self, name, value, missing):
        SPACE.pop(name, None)
        if value is not missing:
            SPACE[name] = value

    def vjp(self, number, gradients):
        """Return the gradients of a call's inputs for those of its outputs."""
        outputs, inputs = self.graphs[number]
        pairs = zip(outputs, gradients, strict=True)
        outputs, given = zip(*[x for x in pairs if x[1] is not None], strict=True)
        grad = sys.modules["torch"].autograd.grad
        options = {"allow_unused": True, "retain_graph": True}
        return list(grad(outputs, inputs, given, **options))

    def answer(self, header, buffers):
        printed = Printed()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                reply, data = self.perform(header, buffers)
            except BaseException as error:
                reply, data = self.failure(error), []
        if os.getpid() != self.pid:  # a child that a cell forked: it answers nothing
            os._exit(0)
        try:
            self.reply(reply | {"printed": printed.text()}, data)
        except ValueError as error:  # too much data
            self.reply(self.failure(error) | {"printed": ""})

    def perform(self, header, buffers):
        named = {name: SPACE.get(name) for name in header["classes"]}
        self.classes = {x: name for name, x in named.items() if isinstance(x, type)}
        decode, encode = Decoder(buffers, self), Encoder(self)
        fields = {key: decode(value) for key, value in header["fields"].items()}
        if header["do"] != "call":
            value = getattr(self, header["do"])(**fields)
            return {"value": encode(value)}, encode.buffers
        given = [(x, snapshot(x)) for x in decode.met]
        if self.turn != header["turn"]:
            self.turn, self.graphs = header["turn"], []
        self.modules = {}
        for number, (tensors, training) in decode(header["modules"]).items():
            self.modules[number] = self.things[number]
            codec.bring(self.modules[number], tensors, training)
        result, failure = None, {}
        try:
            result = self.call(**fields)
        except BaseException as error:
            failure = self.failure(error)
        for number, (x, _) in enumerate(given):  # a returned argument is the argument
            if not isinstance(x, list | dict | set):
                encode.seen.setdefault(id(x), -1 - number)
        held = {number: dict(state(x)) for number, x in self.modules.items()}
        reply = {"value": encode(result)}
        reply["views"] = self.views(encode.met, [x for x, _ in given])
        reply["tracked"] = self.track(encode.met, fields["inputs"])
        new = enumerate((x, codec.same(old, snapshot(x))) for x, old in given)
        new = [(number, codec.content(x)) for number, (x, same) in new if not same]
        reply["changes"] = [[number, encode(x)] for number, x in new]
        reply["modules"] = encode(held)
        return reply | failure, encode.buffers

    def views(self, results, arguments):
        """Return [[result, argument, offset, strides]] of arrays that share memory."""
        found, pairs = [], product(enumerate(results), enumerate(arguments))
        for (number, x), (place, base) in pairs:
            arrays = isinstance(x, np.ndarray) and isinstance(base, np.ndarray)
            if arrays and np.shares_memory(x, base):
                start, end = (y.__array_interface__["data"][0] for y in (base, x))
                found.append([number, place, end - start, list(x.strides)])
        return found

    def track(self, results, inputs):
        """Keep the graph of tensors that have one; return its number and inputs.

        inputs: the arguments that want gradients, then [module, path] of parameters.
        """
        places = [n for n, x in enumerate(results) if getattr(x, "grad_fn", None)]
        if not places:
            return None
        names, known = [], {id(x) for x in inputs}
        for number, module in sorted(self.modules.items()):
            for path, x in state(module):
                if x.requires_grad and x.is_leaf and id(x) not in known:
                    known.add(id(x))  # it may have several names
                    names.append([number, path])
                    inputs = [*inputs, x]
        self.graphs.append(([results[n] for n in places], inputs))
        return [len(self.graphs) - 1, places, names]

    def failure(self, error):
        kinds = [kind.__name__ for kind in type(error).__mro__]
        try:
            text = str(error)[:2000]
        except BaseException:
            text = "(an error that cannot be printed)"
        lines = traceback.extract_tb(error.__traceback__)
        line = next((x for x in reversed(lines) if x.filename.startswith("<")), None)
        where = f"line {line.lineno} of {line.filename[1:-1]}" if line else ""
        if isinstance(error, SyntaxError):
            text, cell = str(error.msg)[:2000], str(error.filename).strip("<>")
            where = f"line {error.lineno} of {cell}"
        return {"raised": kinds[:20], "text": text, "where": where}


def restrict(limits):
    """Give up root and what else a learner's process does not need."""
    user = limits.pop("uid")
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def main(incoming, outgoing):
    high = [os.dup2(incoming, 250, False), os.dup2(outgoing, 251, False)]
    os.closerange(3, 250)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if random := sys.modules.get("numpy.random"):
        random.seed()  # or all learners would share the fork server's numbers
    for name in ("worker", "codec", "forkserver"):  # none of it is a learner's to use
        sys.modules.pop(name, None)
    sys.path[:] = [path for path in sys.path if not path.endswith("/bridge")]
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    global SPACE
    SPACE = module.__dict__
    builtins.get_ipython, builtins.help = shell, _sitebuiltins._Helper()
    builtins.display = lambda *things, **_: print(*map(repr, things), sep="\n")
    worker = Worker(open(high[0], "rb"), open(high[1], "wb"))
    while True:
        worker.answer(*worker.next())
