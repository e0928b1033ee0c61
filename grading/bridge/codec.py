"""Plain data between two processes: JSON and raw bytes, never pickle.

Both sides import this file: the grader, and the learner's process in the sandbox. It
takes numbers, strings, lists, tuples, dicts, sets, arrays, tensors, and objects of
classes that both sides define. All else a side names to the other (`refer`, `resolve`).
"""

import datetime
import json
import operator
import struct
import sys
from collections import Counter
from enum import Enum
from fractions import Fraction
from importlib import import_module
from inspect import getattr_static

import numpy as np

LIMIT = 64 << 20  # bytes of a frame
HEAD = 16 << 20  # of these, of its JSON
NODES = 1_000_000  # things in a frame
DTYPES = {np.dtype(x).str: np.dtype(x) for x in "?bhilqBHILQefdFD"}
TENSORS = "bool uint8 int8 int16 int32 int64 bfloat16 float16 float32 float64 complex64"
TENSORS = frozenset([*TENSORS.split(), "complex128"])
PLAIN = {"tuple": tuple, "frozenset": frozenset, "Counter": lambda x: Counter(*x)}
PLAIN["ellipsis"] = lambda x: ...
PARTS = {  # what is as good as some numbers
    complex: "real imag",
    slice: "start stop step",
    range: "start stop step",
    Fraction: "numerator denominator",
    datetime.date: "year month day",
    datetime.time: "hour minute second microsecond",
    datetime.datetime: "year month day hour minute second microsecond",
    datetime.timedelta: "days seconds microseconds",
}
PARTS = {kind: operator.attrgetter(*names.split()) for kind, names in PARTS.items()}
PLAIN |= {k.__name__: lambda x, k=k: k(*map(operator.index, x)) for k in PARTS}
PLAIN |= {k.__name__: lambda x, k=k: k(*x) for k in (complex, slice, range)}
PARTS |= {Counter: lambda x: [dict(x)], type(...): lambda x: []}


class Named(tuple):
    """What stands for a named tuple: its fields are attributes, too."""

    def __getattr__(self, name):
        if name in self.__dict__.get("_fields", ()):
            return self[self._fields.index(name)]
        raise AttributeError(name)


class ProtocolError(Exception):
    """The other side sent what no honest one would."""


def frame(header, buffers=()):
    """Return the parts of a frame: length, JSON, and the buffers' bytes."""
    head = json.dumps(header | {"sizes": [len(b) for b in buffers]}).encode()
    if len(head) > HEAD or len(head) + sum(map(len, buffers)) > LIMIT:
        raise ValueError("too much data in one call")
    if sum(map(head.count, (b"[", b"{", b","))) > NODES:
        raise ValueError("too many things in one call")
    return [struct.pack(">I", len(head)) + head, *buffers]


def receive(read):
    """Return (header, buffers) of the next frame; read(n) returns n bytes."""
    (length,) = struct.unpack(">I", read(4))
    if length > HEAD:
        raise ProtocolError("too long a frame")
    head = bytes(read(length))
    if sum(map(head.count, (b"[", b"{", b","))) > NODES:  # before they take memory
        raise ProtocolError("too many things")
    try:
        header = json.loads(head)
        sizes = [operator.index(size) for size in header["sizes"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError(f"not a frame: {type(error).__name__}") from None
    if any(size < 0 for size in sizes) or sum(sizes) > LIMIT or len(sizes) > NODES:
        raise ProtocolError("too large a frame")
    return header, [read(size) for size in sizes]


def numbers(x):
    """Return a tensor's numbers as an array; NumPy knows no bfloat16: as int16."""
    if isinstance(x, np.ndarray):
        return x
    torch = sys.modules["torch"]
    x = x.detach().cpu().resolve_conj().resolve_neg()
    return (x.view(torch.int16) if x.dtype == torch.bfloat16 else x).numpy()


def state(module):
    """Yield (path, tensor) of all that a torch module and its parts hold."""
    for path, part in parts(module):
        for name, x in [x for group in tensors(part) for x in group.items()]:
            yield f"{path}.{name}" if path else name, x


def tensors(part):
    """Return a torch module's parameters, buffers and other tensors, by name."""
    kind = sys.modules["torch"].Tensor
    groups = part._parameters, part._buffers, vars(part)
    return [{k: x for k, x in group.items() if isinstance(x, kind)} for group in groups]


def parts(module, path="", above=()):
    """Yield (path, part) of a module, every path to it, but round no circle."""
    yield path, module
    for name, part in module._modules.items():
        if part is not None and part is not module and part not in above:
            inner = f"{path}.{name}" if path else name
            yield from parts(part, inner, (*above, module))


def modes(module):
    return {path: part.training for path, part in parts(module)}


def bring(module, tensors, training):
    """Bring a module to the state that it has on the other side."""
    found, inner = dict(state(module)), dict(parts(module))
    for path in found.keys() & tensors.keys():
        put(found[path], tensors[path])
    for path in inner.keys() & training.keys():
        inner[path].training = training[path] is True


def is_array(x):
    torch = sys.modules.get("torch")
    return isinstance(x, np.ndarray) or bool(torch) and isinstance(x, torch.Tensor)


def attributes(x):
    """Return {name: value} of an object."""
    found = object.__getstate__(x)
    plain, slots = found if isinstance(found, tuple) else (found, None)
    return {**(plain or {}), **(slots or {})}


def content(x):
    """Return a copy of what can change: of a list, an array, an object's attributes."""
    if isinstance(x, list | dict | set | np.ndarray):
        return x.copy()
    return x.detach().clone() if is_array(x) else attributes(x)


def snapshot(x):
    """Return what `same` compares later: bytes, or the things that x holds."""
    held = numbers(x).tobytes() if is_array(x) else content(x)
    return [*held, *held.values()] if isinstance(held, dict) else held


def same(old, new):
    if isinstance(old, bytes):
        return old == new
    return len(old) == len(new) and all(map(operator.is_, old, new))


def put(old, new):
    """Give what can change another's content."""
    if isinstance(old, dict | set):
        old.clear()
        old.update(new)
    elif isinstance(old, list):
        old[:] = new
    elif isinstance(old, np.ndarray):
        old[...] = new
    elif not is_array(old):
        for name in attributes(old).keys() - new.keys():
            object.__delattr__(old, name)
        for name, value in new.items():
            if name[:2] != "__" and not is_method(type(old), name):
                object.__setattr__(old, name, value)
    elif old.dtype == new.dtype and old.shape == new.shape:
        old.data.copy_(new)
    else:  # a parameter of another size
        old.data = new.detach().clone()


def is_method(kind, name):
    """Say whether an attribute of this name would hide what the class does."""
    found = getattr_static(kind, name, None)
    return hasattr(found, "__get__") and not hasattr(found, "__set__")


def replaced(x, table):
    """Return the structure with some of its arrays replaced, by identity."""
    if id(x) in table:
        return table[id(x)]
    if type(x) in (list, tuple):
        return type(x)(replaced(item, table) for item in x)
    if type(x) is dict:
        return {key: replaced(item, table) for key, item in x.items()}
    return x


def usual(x):
    """Return numbers of another byte order, or wider ones, in the usual type."""
    if x.dtype.str in DTYPES or x.dtype.kind not in "iufc":
        return x
    wide = {"f": np.float64, "c": np.complex128}
    narrow = x.dtype.newbyteorder("=")
    return x.astype(narrow if narrow.str in DTYPES else wide[x.dtype.kind])


def sizes(shape):
    found = [operator.index(n) for n in shape]
    if any(n < 0 for n in found):
        raise ValueError("a negative size")
    return found


def once_more(x):
    if isinstance(x, list | dict | set):
        raise ProtocolError("a second mention of a list")
    return x


class Encoder:
    """Turn objects into JSON; arrays go to .buffers.

    A second mention of an array or an object is a number. A list that is mentioned
    twice is two lists: else a few of them could hold more than anybody can read.

    side: what names other things to the other side, .refer(x, encode), and knows
    .classes, {class: its name on both sides}, whose objects cross by value.
    """

    def __init__(self, side):
        self.side, self.buffers = side, []
        self.met = []  # all that can change, in order
        self.seen, self.depth, self.nodes = {}, 0, 0

    def __call__(self, x):
        self.nodes, self.depth = self.nodes + 1, self.depth + 1
        if self.depth > 51 or self.nodes > NODES:
            raise ValueError("too deep or too many things to take across")
        made = self.encode(x)
        self.depth -= 1
        return made

    def encode(self, x):
        kind, torch = type(x), sys.modules.get("torch")
        if x is None or kind in (bool, str, float):
            return x
        if kind is int:
            return x if -(2**63) <= x < 2**63 else {"int": hex(x)}
        if kind is bytes:
            return {"bytes": self.buffer(x)}
        if kind in PARTS and getattr(x, "tzinfo", None) is None:
            return {kind.__name__: [self(part) for part in PARTS[kind](x)]}
        if issubclass(kind, np.generic) and (x := usual(x)).dtype.str in DTYPES:
            return {"scalar": [x.dtype.str, self.buffer(x.tobytes())]}
        if id(x) in self.seen:  # in this frame, or as an argument (< 0)
            number = self.seen[id(x)]
            return {"again": number} if number >= 0 else {"argument": -1 - number}
        if kind in self.side.classes:
            return self.object(x)
        if kind in (list, dict, set):
            self.met.append(x)
        if kind in (list, tuple, set, frozenset):
            return {kind.__name__: [self(item) for item in x]}
        if kind is dict:
            return {"dict": [[self(key), self(value)] for key, value in x.items()]}
        if isinstance(x, type) and x in self.side.classes:
            return {"class": self.side.classes[x]}
        if issubclass(kind, np.ndarray):
            return self.array(x, x.view(np.ndarray))
        if torch and issubclass(kind, torch.Tensor) and x.layout == torch.strided:
            return self.tensor(x, torch)
        if torch and kind is torch.dtype:
            return {"dtype": str(x)[6:]}
        if torch and kind is torch.Size:
            return {"size": list(x)}
        if issubclass(kind, tuple):
            items = [self(item) for item in tuple.__iter__(x)]
            fields = getattr(x, "_fields", None)
            return {"named": [self(fields), items]} if fields else {"tuple": items}
        for base in (int, float, str, list, dict):
            if issubclass(kind, base):
                return self(base(x))
        return self.side.refer(x, self)

    def buffer(self, data):
        self.buffers.append(data)
        return len(self.buffers) - 1

    def remember(self, x):
        self.seen[id(x)] = len(self.met)
        self.met.append(x)

    def object(self, x):
        name = self.side.classes[type(x)]
        if isinstance(x, Enum):
            return {"member": [name, x.name]}
        self.remember(x)
        return {"object": [name, [[k, self(v)] for k, v in attributes(x).items()]]}

    def array(self, x, plain):
        if x.dtype.kind == "U" and x.size <= 10_000:
            self.remember(x)
            words = plain.ravel().tolist()
            return {"words": [words, list(x.shape), x.dtype.itemsize // 4]}
        plain = usual(plain)
        if plain.dtype.str not in DTYPES or plain.nbytes > LIMIT:
            return self.side.refer(x, self)
        self.remember(x)
        return {"array": [*self.laid_out(plain), bool(x.flags.writeable)]}

    def laid_out(self, x):
        axes = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])  # slowest first
        number = self.buffer(x.transpose(axes).tobytes())
        return [x.dtype.str, x.shape, axes, number]

    def tensor(self, x, torch):
        name = str(x.dtype)[6:]
        if name not in TENSORS or x.numel() * x.element_size() > LIMIT:
            return self.side.refer(x, self)
        self.remember(x)
        grad = self(x.grad) if x.is_leaf and x.grad is not None else None
        kind = bool(x.requires_grad), isinstance(x, torch.nn.Parameter)
        return {"tensor": [name, self.laid_out(numbers(x)), *kind, grad]}


class Decoder:
    """Turn JSON and buffers into objects, and refuse what is not well formed.

    side: see Encoder; .resolve(kind, value, decode) is the way back.
    """

    def __init__(self, buffers, side, again=None):
        self.buffers, self.side, self.again = buffers, side, again
        self.met, self.nodes = [], 0

    def __call__(self, x):
        self.nodes += 1
        if self.nodes > NODES:
            raise ProtocolError("too many things")
        if x is None or type(x) in (bool, int, float, str):
            return x
        try:
            ((kind, value),) = x.items()
            if kind in PLAIN:
                return PLAIN[kind](self.items(value))
            method = getattr(self, f"make_{kind}", None)
            return method(value) if method else self.side.resolve(kind, value, self)
        except ProtocolError:
            raise
        except Exception as error:
            raise ProtocolError(f"malformed data: {error}") from None

    def items(self, value):
        return [self(item) for item in value]

    def remember(self, x):
        self.met.append(x)
        return x

    def make_int(self, value):
        return int(value, 16) if len(value) < 4000 else int("")

    def make_list(self, value):
        self.remember(result := [])
        result += self.items(value)
        return result

    def make_set(self, value):
        self.remember(result := set())
        result.update(self.items(value))
        return result

    def make_dict(self, value):
        self.remember(result := {})
        result.update((self(key), self(item)) for key, item in value)
        return result

    def make_member(self, value):
        return self.make_class(value[0]).__members__[value[1]]

    def make_class(self, value):
        return next(x for x, name in self.side.classes.items() if name == value)

    def make_object(self, value):
        name, pairs = value
        made = self.remember(object.__new__(self.make_class(name)))
        put(made, {str(key): self(item) for key, item in pairs})
        return made

    def make_named(self, value):
        made = Named(self.items(value[1]))
        made._fields = tuple(self(value[0]))
        return made

    def make_bytes(self, value):
        return bytes(self.buffers[value])

    def make_scalar(self, value):
        return np.frombuffer(self.buffers[value[1]], DTYPES[value[0]])[0]

    def make_words(self, value):
        words, shape, width = value
        words = np.array([str(word) for word in words], f"<U{min(int(width), 1000)}")
        return self.remember(words.reshape(sizes(shape)))

    def make_dtype(self, value):
        return getattr(import_module("torch"), value) if value in TENSORS else int("")

    def make_size(self, value):
        return import_module("torch").Size(sizes(value))

    def make_again(self, value):
        return once_more(self.met[value])

    def make_argument(self, value):
        return once_more(self.again[value])

    def make_array(self, value):
        *data, writeable = value
        x = self.laid_out(*data)
        x.flags.writeable = bool(writeable)
        return self.remember(x)

    def laid_out(self, dtype, shape, axes, number):
        flat = np.frombuffer(bytearray(self.buffers[number]), DTYPES[dtype])
        shape = sizes(shape)
        return flat.reshape([shape[a] for a in axes]).transpose(np.argsort(axes))

    def make_tensor(self, value):
        import torch

        name, data, needs_grad, parameter, grad = value
        dtype = getattr(torch, name) if name in TENSORS else int("")
        x = torch.from_numpy(self.laid_out(*data)).view(dtype)
        if parameter is True:
            x = torch.nn.Parameter(x, bool(needs_grad))
        elif needs_grad is True:
            x.requires_grad_()
        self.remember(x)
        if grad is not None:
            x.grad = self(grad).detach()
        return x
