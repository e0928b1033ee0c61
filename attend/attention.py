"""What the chapters build in NumPy, the same text (a test compares the two)."""

import numpy as np

from attend.guard import arrays, guarded

# ---------------------------------------------------------------- chapter 1


@guarded(arrays.gaussian)
def gaussian(Q, K, bandwidth=1.0):
    """Score each query with each key by the log of a Gaussian kernel (Watson, 1964).

    Q (…, L, E), K (…, S, E) → scores (…, L, S): 0 where query and key are equal,
    −1/2 where they are one bandwidth apart.
    """
    steps = Q[..., :, None, :] / bandwidth - K[..., None, :, :] / bandwidth
    return -(steps**2).sum(axis=-1) / 2  # (…, L, S, E) → (…, L, S)


@guarded(arrays.entropy)
def entropy(weights):
    """Measure in bits how spread out the weights are (Shannon, 1948).

    weights (…, S), each row ≥ 0 and summing to 1 → entropy (…): 0 when one item
    has all the weight, log2(S) when all S have the same.
    """
    safe = np.where(weights > 0, weights, 1)  # 0 · log 0 counts as 0
    return -(weights * np.log2(safe)).sum(axis=-1) + 0.0  # no −0.0


# ---------------------------------------------------------------- chapter 3


@guarded(arrays.softmax)
def softmax(scores):
    """Turn scores into weights: none negative, summing to 1 along the last axis.

    scores (…, S) → weights (…, S), where … is any number of axes, also none.
    """
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))  # no exp can overflow
    return exps / exps.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- chapter 5


@guarded(arrays.dot)
def dot(Q, K):
    """Score by q · k: Q (…, L, E), K (…, S, E) → scores (…, L, S)."""
    return Q @ K.mT


@guarded(arrays.dot)
def scaled_dot(Q, K):
    """Score by q · k / √E: Q (…, L, E), K (…, S, E) → scores (…, L, S)."""
    return Q @ K.mT / np.sqrt(Q.shape[-1])


@guarded(arrays.additive)
def additive(Q, K, M_Q, M_K, w):
    """Score by tanh(q M_Q + k M_K) · w, a small network (Bahdanau et al., 2015).

    Q (…, L, Eq), K (…, S, Ek), M_Q (Eq, U), M_K (Ek, U), w (U,) → scores (…, L, S).
    """
    hidden = np.tanh((Q @ M_Q)[..., :, None, :] + (K @ M_K)[..., None, :, :])
    return hidden @ w  # (…, L, S, U) → (…, L, S)


# ---------------------------------------------------------------- chapter 6


@guarded(arrays.mask)
def mask(scores, allowed):
    """Give the score −inf to every key that a query may not look at.

    scores (…, L, S), allowed bool that broadcasts to it, True = may look
    → masked scores (…, L, S), a new array.
    """
    return np.where(allowed, scores, -np.inf)


@guarded(arrays.attention)
def attention(Q, K, V, allowed=None, score=dot):
    """Average the values by how well each key fits the query.

    Q (…, L, Eq), K (…, S, Ek), V (…, S, Ev), score(Q, K) → scores (…, L, S),
    allowed bool that broadcasts to the scores, True = may look
    → context (…, L, Ev), weights (…, L, S).
    """
    scores = score(Q, K)
    if allowed is not None:
        scores = mask(scores, allowed)  # new
    weights = softmax(scores)
    context = weights @ V
    return context, weights
