"""A typical mistake is named by the check, whatever exercise it is made in."""

import numpy as np
import pytest
import torch

from attend import check

rng = np.random.default_rng(140)
S, V = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
EXPS = np.exp(S)
W = EXPS / EXPS.sum(axis=1, keepdims=True)
C = W @ V
MISTAKES = {
    "softmax on the wrong axis": ("weights", EXPS / EXPS.sum(0), W, "wrong axis"),
    "softmax over everything": ("weights", EXPS / EXPS.sum(), W, "not each row"),
    "not shared out": ("weights", EXPS, W, "but for the division"),
    "transposed": ("weights", W.T, W, "when transposed"),
    "transposed, other sizes": ("context", C[:2].T, C[:2], "transposed?"),
    "an axis too few": ("context", C[0], C, "it has 1 axes, not 2"),
    "one row too few": ("context", C[:3], C, "axis 0 is 3 long, not 4"),
    "context and weights swapped": ("weights", 2 * C, W, "swapped"),
    "weights masked after the softmax": ("weights", W * (S > 0), W, "must sum to 1"),
    "0 divided by 0": ("context", C * np.nan, C, "0/0"),
    "a large exp": ("context", C + [np.inf, 0, 0, 0], C, "infinite"),
    "the scale forgotten": ("scores", S * 2, S, "2 times what it should be"),
    "divided twice": ("scores", torch.tensor(S / 2), S, "0.5 times"),
    "a constant too many": ("scores", S + 1, S, "same number"),
    "another order": ("context", C[::-1], C, "not their places"),
    "both returned": ("context", (C, W[:2]), C, "2 things"),
    "nothing returned": ("context", None, C, "does your function return it?"),
    "words instead": ("word", np.array("two"), np.array(2), "no number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_is_named(mistake):
    name, got, expected, words = MISTAKES[mistake]
    with pytest.raises(AssertionError, match=words.replace("?", r"\?")) as caught:
        check.is_close(name, got, expected, "The exercise's own hint.")
    assert name in str(caught.value)


@pytest.mark.parametrize("got", [S + rng.normal(size=S.shape), S * [1, 2, 3, 4]])
def test_nothing_is_guessed_without_a_reason(got):
    assert check.suspicion("scores", got, S) == ""
    assert check.suspicion("aligned(weights)", np.array(2.0), np.array(0.5)) == ""
    with pytest.raises(AssertionError, match=r"should be \S+ A hint\.$"):
        check.is_close("scores", got, S, "A hint.")


HEAD = "import math, torch\nfrom torch import nn\nfrom attend import check\n"
FORBIDDEN = ["attend.layers", "torch.nn.functional.scaled_dot_product_attention"]
BY_HAND = {
    "from torch.nn import functional as F\ndef f(q): return F.softmax(q, -1)": "",
    "F = nn.functional\ndef f(q): return F.softmax(math.pi * q, -1)": "",
    "def split_heads(x): return x\ndef f(q): return split_heads(q)": "",
    "class A(nn.Module):\n  def __init__(s): super().__init__(); s._x = 1": "",
    "F = nn.functional\nf = F.scaled_dot_product_attention": "ready-made",
    "from attend.layers import split_heads as s": "ready-made",
    "from attend import layers as l\ndef f(q): return l.Dot()(q, q)": "ready-made",
    "def f(q): return torch.ops.aten.softmax(q)": "a way",
    "def f(q): return getattr(nn.functional, 'scaled')(q)": "a way",
    "def g(lib): return lib.scaled\ndef f(q): return g(nn.functional)": "a way",
    "from torch import *": "a way",
    "import threading": "a way",
    "def f(q): return eval('q')": "a way",
    "def f(q): return torch._C.x(q)": "a way",
    "def f(q): return f.__globals__['x']": "a way",
}


@pytest.mark.parametrize("source", BY_HAND)
def test_what_is_off_limits_is_found_by_reading(source):
    class Answer:
        __source__ = HEAD + source

    try:
        check.by_hand(Answer, *FORBIDDEN)
        told = ""
    except AssertionError as error:
        told = str(error)
    assert BY_HAND[source] in told and bool(BY_HAND[source]) == bool(told)


def test_tensors_that_a_function_makes_are_seen_and_what_it_holds():
    def let_go(X):
        return sum((X @ X[n]).sum() for n in range(3))

    def keep(X):
        kept = [X @ X[n] for n in range(3)]
        return torch.stack(kept).sum()

    X = torch.ones(3, 3)
    (shapes, less), (_, more) = (check.tensors_made(f, X) for f in (let_go, keep))
    assert (3,) in shapes and () in shapes and less < 9 <= more
