"""The learner's process, in the sandbox: runs cells and calls, answers in plain data.

It speaks with the grader over two pipes. Whatever the learner's code does to this
process, it can only change the data that comes out of it.
"""

import builtins
import contextlib
import importlib
import io
import linecache
import os
import pkgutil
import resource
import signal
import sys
import traceback
import types
from unittest import mock

import numpy as np
from codec import (
    Decoder,
    Encoder,
    content,
    frame,
    graph,
    joined,
    receive,
    state,
    vjp,
)

PRINTED = 10_000  # characters of output that are kept for each cell
EXEC, COMPILE = exec, compile  # whatever the learner's code does to builtins
SPACE = types.ModuleType("__main__").__dict__


class Printed(io.TextIOBase):
    """What a cell prints, up to a limit; the rest is counted and dropped."""

    def __init__(self):
        self.parts, self.size = [], 0

    def writable(self):
        return True

    def write(self, text):
        if self.size < PRINTED:
            self.parts.append(text[: PRINTED - self.size])
        self.size += len(text)
        return len(text)

    def text(self):
        more = f"\n… {self.size - PRINTED:,} more characters"
        return "".join(self.parts) + (more if self.size > PRINTED else "")


def shell():
    """Return an IPython shell on the learner's names; only magics need one."""
    os.environ["IPYTHONDIR"] = "/tmp/ipython"
    from IPython.core.interactiveshell import InteractiveShell

    if not InteractiveShell.initialized():
        InteractiveShell.instance(user_ns=SPACE).history_manager.enabled = False
    return InteractiveShell.instance()


def compiled(source, name):
    """Compile a cell; only one that is not plain Python goes through IPython."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        return COMPILE(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        from IPython.core.inputtransformer2 import TransformerManager

        changed = TransformerManager().transform_cell(source)
        if changed.strip() == source.strip():
            raise error from None
        return COMPILE(changed, name, "exec", dont_inherit=True)


class Callback:
    """A function of the check, called by the learner's code."""

    def __init__(self, worker, number, name):
        self.worker, self.number = worker, number
        self.__name__ = self.__qualname__ = str(name)

    def __call__(self, *arguments, **named):
        encode, answer, decode = self.ask({}, arguments, named)
        result = decode(answer["value"])
        if "graph" in answer:
            number, places = answer["graph"]
            inputs = [x for x in encode.arrays if getattr(x, "requires_grad", False)]

            def ask(gradients):
                _, answer, decode = self.ask({"graph": number}, [gradients], {})
                return decode(answer["value"])

            result = joined(result, decode.arrays, places, inputs, ask)
        return result

    def ask(self, header, arguments, named):
        encode = Encoder(self.worker.refer)
        header |= {"callback": self.number, "arguments": encode([arguments, named])}
        self.worker.reply(header, encode.buffers)
        answer, buffers = self.worker.next()
        if "raised" in answer:
            kind = getattr(builtins, answer["raised"], RuntimeError)
            raise kind(answer["text"])
        return encode, answer, Decoder(buffers, self.worker.resolve)


def traced():
    """Return a mode that notes each operation of torch and the shapes that it made."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Trace(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            made = result if isinstance(result, tuple | list) else [result]
            shapes = [list(x.shape) for x in made if hasattr(x, "shape")]
            self.made.append([str(function), shapes])
            return result

    trace = Trace()
    trace.made = []
    return trace


class Worker:
    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing, self.nonce = incoming, outgoing, ""
        self.pid, self.trace = os.getpid(), None
        self.things, self.numbers = [], {}  # what the grader may name by number
        self.graphs, self.synced = [], {}

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            part = os.read(self.incoming, min(size - len(data), 1 << 20))
            if not part:
                os._exit(0)
            data += part
        return data

    def next(self):
        header, buffers = receive(self.read)
        self.nonce = header["nonce"]
        return header, buffers

    def reply(self, header, buffers=()):
        for part in frame({"nonce": self.nonce} | header, buffers):
            view = memoryview(part)
            while view:
                view = view[os.write(self.outgoing, view) :]

    # ------------------------------------------------------------ references

    def refer(self, x, encode):
        """Name a thing that stays here; tell its kind, and a module's parameters."""
        torch = sys.modules.get("torch")
        if isinstance(x, Callback):
            return {"callback": x.number}
        if id(x) not in self.numbers:
            self.numbers[id(x)] = len(self.things)
            self.things.append(x)
        number = self.numbers[id(x)]
        if torch and isinstance(x, torch.nn.Module):
            self.synced.setdefault(number, {})
            return {
                "module": [number, type(x).__name__, self.skeleton(x, number, encode)]
            }
        kind = "class" if isinstance(x, type) else "object"
        kind = "function" if kind == "object" and callable(x) else kind
        return {"thing": [number, kind, type(x).__name__]}

    def skeleton(self, module, number, encode):
        """Return the module's tree: [[parameters, buffers, training, children]]."""
        torch = sys.modules["torch"]
        for key, x in state(module):
            self.synced[number][key] = x.detach().clone()
        trees = {}
        for path, part in module.named_modules(remove_duplicate=False):
            groups = (part._parameters, part._buffers, part.__dict__)
            groups = [
                [[name, x] for name, x in group.items() if isinstance(x, torch.Tensor)]
                for group in groups
            ]
            trees[path] = [*groups, part.training, type(part).__name__]
        return encode(trees)

    def resolve(self, kind, value, decode):
        """Return what the grader named: a thing of mine, a callback, an import."""
        if kind == "thing":
            part = type(value) is list  # of a module
            return (
                self.things[value[0]].get_submodule(value[1])
                if part
                else self.things[value]
            )
        if kind == "callback":
            return Callback(self, *value)
        if kind == "import":
            module, path = value
            found = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
            return found
        if kind == "built":  # a torch module of the check's, of an importable class
            import torch

            made = decode(value[0])
            module = made.__new__(made)
            torch.nn.Module.__init__(module)
            parts, attributes, training = (decode(part) for part in value[1:])
            module.__dict__.update(attributes)
            for name, part in parts[0].items():
                module.register_parameter(name, part)
            for name, part in parts[1].items():
                module.register_buffer(name, part)
            for name, part in parts[2].items():
                module.add_module(name, part)
            module.training = training
            return module
        raise ValueError(kind)

    # ------------------------------------------------------------ requests

    def run(self, source, name):
        EXEC(compiled(source, name), SPACE)

    def name(self, name):
        return [SPACE[name]] if name in SPACE else []

    def call(self, function, arguments, named, settings, inputs):
        torch = sys.modules.get("torch")
        with contextlib.ExitStack() as stack:
            stack.enter_context(np.errstate(**settings["errstate"]))
            if torch and settings["grad"] is not None:
                stack.enter_context(torch.set_grad_enabled(settings["grad"]))
                for place, name, value in settings["patched"]:
                    found = pkgutil.resolve_name(place)
                    stack.enter_context(mock.patch.object(found, name, value))
                if settings["random"] is not None:
                    torch.set_rng_state(settings["random"])
            if settings["traced"]:
                self.trace = stack.enter_context(traced())
            return function(*arguments, **named)

    def push(self, updates):
        """Take over what the check did to the parameters of learners' modules."""
        import torch

        for number, tensors, training in updates:
            module = self.things[number]
            found = dict(state(module))
            for key, value in tensors.items():
                with torch.no_grad():
                    same = found[key].dtype == value.dtype
                    if same and found[key].shape == value.shape:
                        found[key].data.copy_(value)
                    else:
                        found[key].data = value.clone()
                self.synced[number][key] = value.clone()
            for path, flag in training.items():
                module.get_submodule(path).training = flag
        return None

    def changed(self):
        """Return {module: {name: tensor}} of what the learner's code changed."""
        import torch

        found = {}
        for number, synced in self.synced.items():
            module = self.things[number]
            for key, tensor in state(module):
                old, new = synced.get(key), tensor.detach()
                if old is not None and not torch.equal(old, new):
                    found.setdefault(number, {})[key] = new
                    synced[key] = new.clone()
        return found

    def vjp(self, number, gradients):
        return vjp(*self.graphs[number], gradients)

    # ------------------------------------------------------------ one request

    def answer(self, header, buffers):
        printed = Printed()
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
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
        operation, decode = header["do"], Decoder(buffers, self.resolve)
        fields = {key: decode(value) for key, value in header["fields"].items()}
        if operation != "call":
            encode = Encoder(self.refer)
            return {"value": encode(getattr(self, operation)(**fields))}, encode.buffers
        arrays = [(x, content(x)) for x in decode.arrays]
        containers = [(x, repr(self.shape(x))) for x in decode.containers]
        self.trace = None
        result = self.call(**fields)
        encode = Encoder(self.refer)
        for number, (x, _) in enumerate(arrays):  # a returned argument is the argument
            encode.seen.setdefault(id(x), -1 - number)
        reply = {"value": encode(result), "trace": getattr(self.trace, "made", [])}
        reply["views"] = self.views(encode.arrays, decode.arrays)
        reply["tracked"] = self.track(encode.arrays, fields["inputs"])
        if self.synced:
            reply["modules"] = encode(self.changed())
        encode.seen.clear()
        numbered = enumerate(arrays)
        new = [(n, x) for n, (x, old) in numbered if content(x) != old]
        reply["changes"] = [
            [n, encode(x.copy() if hasattr(x, "copy") else x.clone())] for n, x in new
        ]
        numbered = enumerate(containers)
        new = [(n, x) for n, (x, old) in numbered if repr(self.shape(x)) != old]
        reply["containers"] = [[n, encode(x)] for n, x in new]
        return reply, encode.buffers

    def shape(self, x):
        """Return what a list or dict holds, arrays by identity."""
        kinds = (bool, int, float, str, type(None))
        pairs = x.items() if type(x) is dict else enumerate(x)
        return [(k, v if type(v) in kinds else id(v)) for k, v in pairs]

    def views(self, results, arguments):
        """Return [[result, argument, offset, strides]] of arrays that share memory."""
        found = []
        for number, x in enumerate(results):
            for place, argument in enumerate(arguments):
                pair = (x, argument)
                if not all(isinstance(y, np.ndarray) for y in pair):
                    continue
                if np.may_share_memory(x, argument) and np.shares_memory(x, argument):
                    start = x.__array_interface__["data"][0]
                    offset = start - argument.__array_interface__["data"][0]
                    found.append([number, place, offset, list(x.strides)])
                    break
        return found

    def track(self, results, inputs):
        """Keep the graph of tensors that have one, and return its number."""
        inputs = list(inputs)
        for number in sorted(self.synced):
            module = self.things[number]
            inputs += [p for p in module.parameters() if p.requires_grad]
        places, made = graph(results, inputs)
        self.graphs += [made] * bool(places)
        return [len(self.graphs) - 1, places] if places else None

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
            where = f"line {error.lineno}"
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


def main(incoming, outgoing, limits):
    restrict(limits)
    high = [os.dup2(fd, fd + 200, inheritable=False) for fd in (incoming, outgoing)]
    os.close(incoming), os.close(outgoing)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    global SPACE
    SPACE = module.__dict__
    builtins.get_ipython = shell
    builtins.display = lambda *things, **_: print(*map(repr, things), sep="\n")
    worker = Worker(*high)
    while True:
        worker.answer(*worker.next())
