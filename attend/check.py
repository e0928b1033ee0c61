"""Kind assertions: each says what was expected, what came, and where to look.

They take NumPy arrays and torch tensors alike.
"""

import numpy as np


def as_array(array):
    """Return a list, an array, or a tensor with or without gradient as an array."""
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def has_shape(name, array, shape):
    """Assert that the array has the shape; the message names the axes' sizes."""
    got = as_array(array).shape
    assert got == tuple(shape), (
        f"{name} has shape {got}, but it should be {tuple(shape)}"
    )


def is_close(name, got, expected, hint="", tolerance=1e-6):
    """Assert that `got` equals `expected` up to the tolerance, absolute and relative.

    The message shows the first place that differs, and ends with the hint.
    """
    assert got is not None, f"{name} is None: does your function return it?"
    got, expected = as_array(got), as_array(expected)
    has_shape(name, got, expected.shape)
    close = np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not close.all():
        place = tuple(int(i) for i in np.argwhere(~close)[0])
        where = f"{name}{list(place)}" if place else name
        message = f"{where} is {got[place]:.6g}, but should be {expected[place]:.6g}."
        raise AssertionError(f"{message} {hint}".strip())


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
