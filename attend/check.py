"""Kind assertions: each says what was expected, what came, and where to look.

They take NumPy arrays and torch tensors alike.
"""

import ast
import linecache
import weakref
from collections import Counter

import numpy as np


def as_array(array):
    """Return a list, an array, or a tensor with or without gradient as an array."""
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def has_shape(name, array, shape):
    """Assert that the array has the shape; the message names the axes' sizes."""
    got, shape = numbers(name, array).shape, tuple(shape)
    assert got == shape, (
        f"{name} has shape {got}, but it should be {shape}: {misshapen(got, shape)}"
    )


def misshapen(got, shape):
    """Return in words how two shapes differ."""
    if got == shape[::-1]:
        return "transposed?"
    if len(got) != len(shape):
        return f"it has {len(got)} axes, not {len(shape)}"
    axis = [n == m for n, m in zip(got, shape, strict=True)].index(False)
    return f"axis {axis} is {got[axis]} long, not {shape[axis]}"


def numbers(name, array):
    """Return as_array(array), or say that it is several things, or no numbers."""
    if isinstance(array, tuple) and len({as_array(x).shape for x in array}) > 1:
        many = f"{name} is {len(array)} things of several shapes"
        raise AssertionError(f"{many}: is only one of them asked for?")
    got = as_array(array)
    assert got.dtype.kind in "biufc", f"{name} is {array!r:.60}, which is no number"
    return got


def suspicion(name, got, expected):
    """Return what a wrong result looks like, "" when like nothing in particular.

    got, expected: arrays of one shape.
    """
    if got.dtype.kind == "c" or expected.dtype.kind not in "biuf":
        return ""
    got, expected = got.astype(float), expected.astype(float)
    nan = np.isnan(got) & ~np.isnan(expected)
    if nan.any():
        return (
            "NaN comes from 0/0, ∞/∞, ∞ − ∞ or 0 · ∞: where do you divide, or take exp?"
        )
    if np.isinf(got).any() and not np.isinf(expected).any():
        return "It is infinite: a division by 0, or exp of a large number?"
    two = got.ndim > 1
    if two and got.shape[-1] == got.shape[-2] and close(got.swapaxes(-1, -2), expected):
        return "It is right when transposed: rows are queries, columns are keys."
    if "weight" in name or "softmax" in name:
        if two and close(got.sum(-2), 1) and not close(got.sum(-1), 1):
            return (
                "Its columns sum to 1, not its rows: the softmax is on the wrong axis."
            )
        if two and close(got.sum((-1, -2)), 1) and not close(got.sum(-1), 1):
            return "All of it sums to 1, not each row: divide each row by its own sum."
        sums = got.sum(-1, keepdims=True) if got.ndim else got
        if (got > 0).all() and not close(sums, 1) and close(got / sums, expected):
            return "Right but for the division: divide each row by its own sum."
        if got.ndim and ((got < -1e-6).any() or (got > 1 + 1e-6).any()):
            return "A weight lies between 0 and 1: are context and weights swapped?"
        if got.ndim and close(expected.sum(-1), 1) and not close(got.sum(-1), 1):
            return "The weights of a query must sum to 1."
    if got.size > 1 and (expected != 0).all() and (got != 0).any():
        factors = got / expected
        if close(factors, factors.flat[0]):
            return f"All of it is {factors.flat[0]:.4g} times what it should be."
    if got.size > 2 and close(got - expected, (got - expected).flat[0]):
        return "All of it is off by the same number."
    if got.size > 1 and close(np.sort(got, None), np.sort(expected, None)):
        return "The numbers are right, but not their places."
    return ""


def close(a, b):
    return bool(np.isclose(a, b, rtol=1e-4, atol=1e-6).all())


def is_close(name, got, expected, hint="", tolerance=1e-6):
    """Assert that `got` equals `expected` up to the tolerance, absolute and relative.

    The message shows the first place that differs, and ends with the hint.
    """
    assert got is not None, f"{name} is None: does your function return it?"
    got, expected = numbers(name, got), as_array(expected)
    has_shape(name, got, expected.shape)
    close = np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not close.all():
        place = tuple(int(i) for i in np.argwhere(~close)[0])
        where = f"{name}{list(place)}" if place else name
        message = f"{where} is {got[place]:.6g}, but should be {expected[place]:.6g}."
        parts = message, suspicion(name, got, expected), hint
        raise AssertionError(" ".join(part for part in parts if part))


def rows_sum_to_one(name, weights):
    """Assert that the weights are ≥ 0 and sum to 1 along the last axis."""
    weights = as_array(weights)
    assert not np.isnan(weights).any(), f"{name} holds NaN: did exp overflow?"
    assert (weights >= 0).all(), f"{name} has a negative weight: {weights.min():.3g}"
    sums = weights.sum(axis=-1)
    for wrong in sums[~np.isclose(sums, 1, atol=1e-5)][:1]:
        raise AssertionError(
            f"each row of {name} must sum to 1, but one sums to {wrong:.3g}: "
            "over which axis did you normalise?"
        )


def leaves_unchanged(function, *arrays):
    """Call the function with copies of the arrays, assert that it changed none of them.

    Returns what the function returned.
    """
    given = [
        array.detach().clone() if hasattr(array, "detach") else np.array(array)
        for array in arrays
    ]
    result = function(*given)
    for number, (before, after) in enumerate(zip(arrays, given, strict=True), 1):
        assert np.array_equal(as_array(before), as_array(after), equal_nan=True), (
            f"{function.__name__} changed its argument number {number}: "
            "work on a new array, not in place (x = x − 1, not x −= 1)"
        )
    return result


def fits_mask(name, weights, allowed):
    """Assert that hidden keys have weight 0 and that each row sums to 1.

    weights (…, L, S), allowed broadcasts to it, True = may look. A row with nothing
    allowed must be all 0.
    """
    weights = as_array(weights)
    allowed = np.broadcast_to(as_array(allowed), weights.shape)
    assert not np.isnan(weights).any(), f"{name} holds NaN: a row of nothing but −inf?"
    hidden = np.where(allowed, 0, weights)
    if hidden.any():
        place = tuple(np.argwhere(hidden)[0].tolist())
        problem = f"{name}{list(place)} is {weights[place]:.3g} on a hidden key"
        inverted = allowed.any() and not np.where(allowed, weights, 0).any()
        hint = "is allowed inverted? True = may look" if inverted else "mask the scores"
        raise AssertionError(f"{problem}: {hint}")
    sums, wanted = weights.sum(axis=-1), allowed.any(axis=-1)
    for place in np.argwhere(~np.isclose(sums, wanted, atol=1e-5))[:1].tolist():
        problem = f"row {place} of {name} sums to {sums[tuple(place)]:.3g}"
        raise AssertionError(
            f"{problem}, but should sum to {wanted[tuple(place)]:d}: "
            "mask the scores before the softmax, not the weights after it"
        )


def ignores_padding(attend, Q, K, V, allowed):
    """Assert that keys and values that are hidden from every query do not matter.

    attend(Q, K, V, allowed) → context, or (context, weights); returns that.
    Raises ValueError when no key is hidden from every query.
    """
    hidden = ~allowed.any(-2)  # (…, S)
    if not hidden.any():
        raise ValueError("allowed hides no key from every query: nothing to test")
    noise = 1000 * hidden[..., None]  # (…, S, 1)
    results = attend(Q, K, V, allowed), attend(Q, K + noise, V + noise, allowed)
    before, after = (
        as_array(result[0] if isinstance(result, tuple) else result)
        for result in results
    )
    assert np.allclose(before, after, atol=1e-5, equal_nan=True), (
        "the context changed when only padding changed: "
        "mask the scores of padding before the softmax"
    )
    return results[0]


def rows_differ(name, weights):
    """Assert that the queries do not all have the same weights (…, L, S)."""
    weights = as_array(weights)
    same = np.isclose(weights, weights[..., :1, :]).all(axis=(-2, -1))
    assert not same.any(), (
        f"all rows of {name} are the same, so the query does not matter: "
        "is there a tanh around query + key?"
    )


def spread_is_one(name, scores):
    """Assert that scores of standard normal queries and keys have a spread near 1."""
    spread = as_array(scores).std()
    assert 0.8 < spread < 1.25, (
        f"{name} of standard normal queries and keys should have the standard "
        f"deviation 1, not {spread:.2f}: divide by √E, with E the width of one head"
    )


def keeps_places(split, X, heads):
    """Assert that split gives each head its slice of every place, in order.

    X (…, L, D), split(X, heads) → (…, H, L, D/H); returns that.
    """
    parts = split(X, heads)
    got = as_array(parts)
    expected = np.stack(np.split(as_array(X), heads, axis=-1), axis=-3)
    has_shape("the split X", got, expected.shape)
    for *_, head, place, _ in np.argwhere(got != expected)[:1].tolist():
        raise AssertionError(
            f"head {head} holds at place {place} what X does not have there: "
            "cut D into (H, D/H), then swap the axes of places and heads"
        )
    return parts


PACKAGES = {"attend", "einops", "functools", "itertools", "math", "numpy", "torch"}
PACKAGES |= {"collections", "dataclasses", "typing"}
ROUND = "__import__ compile delattr dir eval exec getattr globals locals open setattr"
ROUND = {*ROUND.split(), "vars", "get_ipython"}
DEEP = "classes compile export fx hub jit library load ops overrides package utils"
DEEP = {f"torch.{name}" for name in DEEP.split()}


def source_of(function):
    """Return the text of the cell that defines a function, "" when there is none.

    What stands for a function in the grader brings its text along.
    """
    if hasattr(function, "__source__"):
        return function.__source__
    code = getattr(function, "__code__", None)
    return "".join(linecache.getlines(code.co_filename)) if code else ""


def meant(function, tree):
    """Return {name: dotted name} of what the source's names stand for."""
    found = {}
    for name, x in getattr(function, "__globals__", {}).items():
        module, own = getattr(x, "__module__", None), getattr(x, "__qualname__", "")
        full = f"{module}.{own}" if module else getattr(x, "__name__", "")
        if str(full).split(".")[0] in ("torch", "attend"):
            found[name] = full
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for x in node.names:
                found[x.asname or x.name.split(".")[0]] = (
                    x.name if x.asname else x.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for x in node.names:
                found[x.asname or x.name] = f"{node.module}.{x.name}"
    for node in ast.walk(tree):  # another name for it
        if isinstance(node, ast.Assign) and (full := dotted(node.value, found)):
            found |= {x.id: full for x in node.targets if isinstance(x, ast.Name)}
    own = (ast.FunctionDef, ast.ClassDef)
    mine = {x.name for x in ast.walk(tree) if isinstance(x, own)}
    return {name: full for name, full in found.items() if name not in mine}


def dotted(node, known):
    """Return the full name of a, a.b, a.b.c …, or "" when it is something else."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    inner = dotted(node.value, known) if isinstance(node, ast.Attribute) else ""
    return inner and f"{inner}.{node.attr}"


def by_hand(function, *forbidden):
    """Assert that the source of an answer does without what is ready-made.

    forbidden: full names, as "torch.nn.functional.softmax", and names of the notebook's
    own, as "reference". The source is read, not run: what it imports and calls, under
    whatever name; roundabout ways to a function (getattr, exec, torch.ops, …) have no
    place there either. Copied code is not found.
    """
    tree = ast.parse(source_of(function))
    known, used = meant(function, tree), {}
    inner = {id(x.value) for x in ast.walk(tree) if isinstance(x, ast.Attribute)}
    bare = {id(x.value) for x in ast.walk(tree) if isinstance(x, ast.Assign)} | inner
    for node in ast.walk(tree):
        read = isinstance(getattr(node, "ctx", None), ast.Load)
        if read and (full := dotted(node, known)):
            used[full] = used.get(full, False) or id(node) not in bare
        elif isinstance(node, ast.Name) and node.id in {*ROUND, *forbidden}:
            used[node.id] = True
        elif isinstance(node, ast.ImportFrom):
            used |= {f"{node.module}.{x.name}": False for x in node.names}
        elif isinstance(node, ast.Import):
            used |= {x.name: False for x in node.names}
        if isinstance(node, ast.Attribute) and node.attr in (
            *("__dict__", "__code__", "__globals__", "__builtins__", "__wrapped__"),
            *("__subclasses__", "__getattribute__", "__func__"),
        ):
            used[node.attr] = True
    last = {name.rpartition(".")[2] for name in forbidden}
    for full, value in used.items():
        parts = full.split(".")
        wholes = {".".join(parts[: n + 1]) for n in range(len(parts))}
        ready = wholes & {*forbidden} or parts[0] == "torch" and parts[-1] in last
        module = value and any(x.startswith(f"{full}.") for x in forbidden)
        deep = wholes & DEEP or any(part[:1] == "_" for part in parts[1:])
        foreign = parts[0] not in PACKAGES or parts[-1] == "*"
        what = "ready-made" if ready else "a way to what is ready-made"
        assert not (ready or module or deep or foreign), (
            f"write it yourself: {full} is {what}"
        )


def tensors_made(function, *arguments):
    """Call a function and return ([shape of each tensor of floats that it made], most).

    most: the most floats that it held at a time, besides those of its arguments.
    """
    if hasattr(function, "__there__"):  # the grader's: watch where it runs
        return function.__there__(tensors_made, *arguments)
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    given = {X.untyped_storage().data_ptr() for X in arguments if torch.is_tensor(X)}
    shapes, sizes, owners, most = set(), {}, Counter(), [0]

    def let_go(place):
        owners[place] -= 1
        if not owners[place]:
            del owners[place], sizes[place]

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for X in result if isinstance(result, tuple | list) else [result]:
                if torch.is_tensor(X) and X.is_floating_point():
                    shapes.add(tuple(X.shape))
                    storage = X.untyped_storage()
                    if (place := storage.data_ptr()) not in given:
                        sizes[place] = storage.nbytes() // X.element_size()
                        owners[place] += 1
                        weakref.finalize(X, let_go, place).atexit = False
            most[0] = max(most[0], sum(sizes.values()))
            return result

    with Watch():
        function(*arguments)
    return sorted(shapes), most[0]
