"""What the chapters build in NumPy, the same text (a test compares the two)."""

import numpy as np

# ---------------------------------------------------------------- chapter 1


def gaussian(Q, K, bandwidth=1.0):
    """Score each query with each key by the log of a Gaussian kernel.

    Q (…, L, E), K (…, S, E) → scores (…, L, S): 0 where query and key are equal,
    −1/2 where they are one bandwidth apart (Nadaraya, 1964; Watson, 1964).
    Raises TypeError when Q or K holds no real numbers; ValueError when one is
    empty or not finite, their widths E differ, or the bandwidth is not above 0.
    """
    Q, K = np.asarray(Q), np.asarray(K)
    for name, array in {"Q": Q, "K": K}.items():
        given = f"{name} has shape {array.shape} and dtype {array.dtype}"
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{given}: expected real numbers")
        if array.ndim < 2 or array.size == 0 or not np.isfinite(array).all():
            raise ValueError(f"{given}: expected (…, items, width), all finite")
    if Q.shape[-1] != K.shape[-1]:
        shapes = f"Q has shape {Q.shape}, K has shape {K.shape}"
        raise ValueError(f"{shapes}: expected the same width, their last axis")
    if not isinstance(bandwidth, int | float | np.number) or not bandwidth > 0:
        raise ValueError(f"bandwidth is {bandwidth!r}: expected a number > 0")
    steps = Q[..., :, None, :] / bandwidth - K[..., None, :, :] / bandwidth
    return -(steps**2).sum(axis=-1) / 2  # (…, L, S, E) → (…, L, S)


def entropy(weights):
    """Measure in bits how spread out the weights are (Shannon, 1948).

    weights (…, S), each row ≥ 0 and summing to 1 → entropy (…): 0 when one item
    has all the weight, log2(S) when all S have the same.
    Raises TypeError when weights holds no real numbers, ValueError when it is
    empty or a row is not a distribution.
    """
    weights = np.asarray(weights)
    given = f"weights has shape {weights.shape} and dtype {weights.dtype}"
    if weights.dtype.kind not in "fiu":
        raise TypeError(f"{given}: expected real numbers")
    if weights.ndim == 0 or weights.size == 0:
        raise ValueError(f"{given}: expected (…, S), not empty")
    if (weights < 0).any() or not np.allclose(weights.sum(axis=-1), 1):
        raise ValueError(f"{given}: each row must be ≥ 0 and sum to 1")
    safe = np.where(weights > 0, weights, 1)  # 0 · log 0 counts as 0
    return -(weights * np.log2(safe)).sum(axis=-1) + 0.0  # no −0.0


# ---------------------------------------------------------------- chapter 3


def as_floats(name, array, axes=1):
    """Return the array as floats, or say what is wrong with it.

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


def dot(Q, K):
    """Score each query with each key by their dot product (Luong et al., 2015).

    Q (…, L, E), K (…, S, E) → scores (…, L, S).
    Raises ValueError when the widths E differ.
    """
    Q, K = as_floats("Q", Q, axes=2), as_floats("K", K, axes=2)
    if Q.shape[-1] != K.shape[-1]:
        widths = f"Q has shape {Q.shape}, K has shape {K.shape}"
        raise ValueError(f"{widths}: expected the same width, their last axis")
    return Q @ K.mT


def mask(scores, allowed):
    """Give the score −inf to every key that a query may not look at.

    scores (…, L, S), allowed bool that broadcasts to it, True = may look
    → masked scores (…, L, S), a new array.
    Raises TypeError when allowed is not bool; ValueError when its shape does not fit
    or a row of it allows nothing.
    """
    scores, allowed = as_floats("scores", scores, axes=2), np.asarray(allowed)
    if allowed.dtype != bool:
        raise TypeError(f"allowed must be bool, True = may look, not {allowed.dtype}")
    try:
        allowed = np.broadcast_to(allowed, scores.shape)
    except ValueError:
        shapes = f"allowed has shape {allowed.shape}"
        raise ValueError(f"{shapes}: expected the scores' {scores.shape}") from None
    if not allowed.any(axis=-1).all():
        raise ValueError("allowed has a row without True: a query may look at nothing")
    return np.where(allowed, scores, -np.inf)


def softmax(scores):
    """Turn scores into weights: none negative, summing to 1 along the last axis.

    scores (…, S) → weights (…, S). A score of −inf gets the weight 0.
    Raises ValueError when a row has no finite score, or one of +inf.
    """
    scores = as_floats("scores", scores)
    highest = scores.max(axis=-1, keepdims=True)
    if not np.isfinite(highest).all():
        row = np.argwhere(~np.isfinite(highest))[0][:-1].tolist()
        problem = f"row {row} of scores, shape {scores.shape}, is all −inf or has +inf"
        raise ValueError(f"{problem}: expected a finite maximum in every row")
    exps = np.exp(scores - highest)  # exp(1000) overflows, exp(0) does not
    return exps / exps.sum(axis=-1, keepdims=True)


def attention(Q, K, V, allowed=None, score=dot):
    """Average the values by how well each key fits the query (three stages).

    Q (…, L, Eq), K (…, S, Ek), V (…, S, Ev), allowed (…, L, S) bool,
    score(Q, K) → scores (…, L, S); returns context (…, L, Ev), weights (…, L, S).
    Raises ValueError when shapes do not fit or a query may look at nothing.
    """
    Q, K = as_floats("Q", Q, axes=2), as_floats("K", K, axes=2)
    V = as_floats("V", V, axes=2)
    if K.shape[-2] != V.shape[-2]:
        lengths = f"K has shape {K.shape}, V has shape {V.shape}"
        raise ValueError(f"{lengths}: expected as many values as keys, axis −2")
    scores = score(Q, K)  # (…, L, S)
    if allowed is not None:
        scores = mask(scores, allowed)
    weights = softmax(scores)
    context = weights @ V  # (…, L, Ev)
    return context, weights


# ---------------------------------------------------------------- chapter 4


def additive(Q, K, W_q, W_k, v):
    """Score by tanh(q W_q + k W_k) · v, a small network (Bahdanau et al., 2015).

    Q (…, L, Eq), K (…, S, Ek), W_q (Eq, U), W_k (Ek, U), v (U,) → scores (…, L, S).
    Raises ValueError when the shapes do not fit.
    """
    Q, K = as_floats("Q", Q, axes=2), as_floats("K", K, axes=2)
    for name, W, X in [("W_q", W_q, Q), ("W_k", W_k, K)]:
        if np.shape(W) != (X.shape[-1], np.size(v)) or np.ndim(v) != 1:
            shapes = f"{name} has shape {np.shape(W)}, v has shape {np.shape(v)}"
            raise ValueError(f"{shapes}: expected ({X.shape[-1]}, U) and (U,)")
    hidden = np.tanh((Q @ W_q)[..., :, None, :] + (K @ W_k)[..., None, :, :])
    return hidden @ v  # (…, L, S, U) → (…, L, S)


def scaled_dot(Q, K):
    """Score by q · k / √E (Vaswani et al., 2017).

    Q (…, L, E), K (…, S, E) → scores (…, L, S).
    Raises ValueError when the widths E differ.
    """
    return dot(Q, K) / np.sqrt(np.shape(Q)[-1])
