"""The checks of attend.attention, by the names of its functions."""

import numpy as np


def floats(name, array, axes=1):
    """Return the array as floats.

    Raises TypeError when it holds no real numbers; ValueError when it has fewer axes
    than `axes`, is empty, or holds NaN.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, not dtype {array.dtype}")
    if array.ndim < axes or array.size == 0:
        wanted = f"expected {axes} or more axes, none of them empty"
        raise ValueError(f"{name} has shape {array.shape}: {wanted}")
    if np.isnan(array).any():
        raise ValueError(f"{name}, of shape {array.shape}, holds NaN: expected numbers")
    return array if array.dtype.kind == "f" else array.astype(float)


def gaussian(Q, K, bandwidth):
    """Raises TypeError when Q or K holds no real numbers; ValueError when one is empty
    or not finite, their widths E differ, or the bandwidth is not above 0.
    """
    Q, K = np.asarray(Q), np.asarray(K)
    for name, array in {"Q": Q, "K": K}.items():
        given = f"{name} has shape {array.shape} and dtype {array.dtype}"
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{given}: expected real numbers")
        if array.ndim < 2 or array.size == 0 or not np.isfinite(array).all():
            raise ValueError(f"{given}: expected (…, items, width), all finite")
    same_width(Q, K)
    if not isinstance(bandwidth, int | float | np.number) or not bandwidth > 0:
        raise ValueError(f"bandwidth is {bandwidth!r}: expected a number > 0")
    return {"Q": Q, "K": K}


def same_width(Q, K):
    """Raises ValueError when the last axes of Q and K differ."""
    if Q.shape[-1] != K.shape[-1]:
        shapes = f"Q has shape {Q.shape}, K has shape {K.shape}"
        raise ValueError(f"{shapes}: expected the same width, their last axis")


def entropy(weights):
    """Raises TypeError when weights holds no real numbers, ValueError when it is empty
    or a row is not a distribution.
    """
    weights = np.asarray(weights)
    given = f"weights has shape {weights.shape} and dtype {weights.dtype}"
    if weights.dtype.kind not in "fiu":
        raise TypeError(f"{given}: expected real numbers")
    if weights.ndim == 0 or weights.size == 0:
        raise ValueError(f"{given}: expected (…, S), not empty")
    if (weights < 0).any() or not np.allclose(weights.sum(axis=-1), 1):
        raise ValueError(f"{given}: each row must be ≥ 0 and sum to 1")
    return {"weights": weights}


def softmax(scores):
    """A score of −inf gets the weight 0.

    Raises ValueError when a row has no finite score, or one of +inf.
    """
    scores = floats("scores", scores)
    highest = scores.max(axis=-1)
    if not np.isfinite(highest).all():
        row = np.argwhere(~np.isfinite(highest))[0].tolist()
        problem = f"row {row} of scores, shape {scores.shape}, is all −inf or has +inf"
        raise ValueError(f"{problem}: expected a finite maximum in every row")
    return {"scores": scores}


def dot(Q, K):
    """Raises ValueError when the widths E differ."""
    Q, K = floats("Q", Q, axes=2), floats("K", K, axes=2)
    same_width(Q, K)
    return {"Q": Q, "K": K}


def additive(Q, K, M_Q, M_K, w):
    """Raises ValueError when the shapes do not fit."""
    Q, K = floats("Q", Q, axes=2), floats("K", K, axes=2)
    for name, M, X in [("M_Q", M_Q, Q), ("M_K", M_K, K)]:
        if np.shape(M) != (X.shape[-1], np.size(w)) or np.ndim(w) != 1:
            shapes = f"{name} has shape {np.shape(M)}, w has shape {np.shape(w)}"
            raise ValueError(f"{shapes}: expected ({X.shape[-1]}, U) and (U,)")
    return {"Q": Q, "K": K}


def mask(scores, allowed):
    """Raises TypeError when allowed is not bool; ValueError when its shape does not fit
    or a row of it allows nothing.
    """
    scores, allowed = floats("scores", scores, axes=2), np.asarray(allowed)
    if allowed.dtype != bool:
        raise TypeError(f"allowed must be bool, True = may look, not {allowed.dtype}")
    try:
        allowed = np.broadcast_to(allowed, scores.shape)
    except ValueError:
        shapes = f"allowed has shape {allowed.shape}"
        raise ValueError(f"{shapes}: expected the scores' {scores.shape}") from None
    if not allowed.any(axis=-1).all():
        raise ValueError("allowed has a row without True: a query may look at nothing")
    return {"scores": scores, "allowed": allowed}


def attention(Q, K, V, allowed, score):
    """Raises ValueError when shapes do not fit or a query may look at nothing."""
    Q, K = floats("Q", Q, axes=2), floats("K", K, axes=2)
    V = floats("V", V, axes=2)
    if K.shape[-2] != V.shape[-2]:
        lengths = f"K has shape {K.shape}, V has shape {V.shape}"
        raise ValueError(f"{lengths}: expected as many values as keys, axis −2")
    return {"Q": Q, "K": K, "V": V}
