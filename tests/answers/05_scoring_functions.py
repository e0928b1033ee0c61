# %% same wrong: compares the scores themselves
def same_weights(first, second):
    return np.allclose(first, second)


# %% same wrong: one constant for all rows
def same_weights(first, second):
    difference = np.asarray(first) - np.asarray(second)
    return np.allclose(difference, difference.ravel()[0])


# %% same wrong: forgives what depends on the key
def same_weights(first, second):
    difference = np.asarray(first) - np.asarray(second)
    return np.allclose(difference, difference[..., :1, :])


# %% same wrong: asks only which key wins
def same_weights(first, second):
    return np.array_equal(np.argmax(first, axis=-1), np.argmax(second, axis=-1))


# %% same wrong: looks at the first row alone
def same_weights(first, second):
    difference = (np.asarray(first) - np.asarray(second))[..., 0, :]
    return np.allclose(difference, difference[..., :1])


# %% same wrong: asks whether any weight is the same
def same_weights(first, second):
    return np.isclose(softmax(first), softmax(second), rtol=0, atol=1e-6).any()


# %% same wrong: compares the first key with the last alone
def same_weights(first, second):
    difference = np.asarray(first) - np.asarray(second)
    return np.allclose(difference[..., 0], difference[..., -1])


# %% same wrong: an answer for each row
def same_weights(first, second):
    return np.ptp(np.subtract(first, second), axis=-1) < 1e-6


# %% same wrong: no tolerance for rounding
def same_weights(first, second):
    difference = np.asarray(first) - np.asarray(second)
    return bool((difference == difference[..., :1]).all())


# %% same wrong: the axis of the queries once there are axes in front
def same_weights(first, second):
    return bool((np.ptp(np.subtract(first, second), axis=1) < 1e-6).all())


# %% same wrong: forgives more where the constant is large
def same_weights(first, second):
    difference = second - first
    return np.allclose(difference, difference[..., :1])


# %% same right: by the span of the difference, for arrays alone
def same_weights(first, second):
    difference = second - first
    return bool((difference.max(axis=-1) - difference.min(axis=-1)).max() < 1e-6)


# %% same wrong: compares what two decimals show
def same_weights(first, second):
    return np.array_equal(softmax(first).round(2), softmax(second).round(2))


# %% same right: by the softmax
def same_weights(first, second):
    return np.allclose(softmax(first), softmax(second), rtol=0, atol=1e-6)


# %% same right: by the spread of the differences
def same_weights(first, second):
    spread = np.ptp(np.subtract(first, second), axis=-1)
    return bool((spread < 1e-6).all())


# %% same right: by centred rows
def same_weights(first, second):
    def centred(scores):
        return scores - np.mean(scores, axis=-1, keepdims=True)

    return np.allclose(centred(first), centred(second), rtol=0, atol=1e-6)


# %% cosine wrong: the dot product
def cosine(Q, K, strength):
    return strength * (Q @ K.mT)


# %% cosine wrong: forgets the length of the query
def cosine(Q, K, strength):
    return strength * (Q @ K.mT) / np.linalg.norm(K, axis=-1)[..., None, :]


# %% cosine wrong: forgets the strength
def cosine(Q, K, strength):
    lengths = np.linalg.norm(Q, axis=-1)[..., :, None]
    return (
        Q @ K.mT / np.maximum(lengths * np.linalg.norm(K, axis=-1)[..., None, :], 1e-9)
    )


# %% cosine wrong: divides zero by zero
def cosine(Q, K, strength):
    Q = Q / np.linalg.norm(Q, axis=-1, keepdims=True)
    K = K / np.linalg.norm(K, axis=-1, keepdims=True)
    return strength * (Q @ K.mT)


# %% cosine wrong: one length for the whole matrix
def cosine(Q, K, strength):
    lengths = np.linalg.norm(Q) * np.linalg.norm(K)
    return strength * (Q @ K.mT) / max(lengths, 1e-9)


# %% cosine wrong: divides in place
def cosine(Q, K, strength):
    for X in (Q, K):
        X /= np.maximum(np.linalg.norm(X, axis=-1, keepdims=True), 1e-300)
    return strength * (Q @ K.mT)


# %% cosine wrong: transposes every axis
def cosine(Q, K, strength):
    q, k = (np.linalg.norm(X, axis=-1, keepdims=True) for X in (Q, K))
    q, k = np.where(q > 0, q, 1), np.where(k > 0, k, 1)
    return strength * ((Q / q) @ (K / k).T)


# %% cosine wrong: loops over two axes only
def cosine(Q, K, strength):
    scores = np.zeros((len(Q), len(K)))
    for i, j in np.ndindex(*scores.shape):
        both = np.linalg.norm(Q[i]) * np.linalg.norm(K[j])
        scores[i, j] = strength * (Q[i] * K[j]).sum() / both if both else 0
    return scores


# %% cosine right: lengths afterwards
def cosine(Q, K, strength):
    q, k = (np.sqrt((X * X).sum(axis=-1)) for X in (Q, K))
    both = q[..., :, None] * k[..., None, :]
    return strength * (Q @ K.mT) / np.where(both == 0, 1, both)


# %% cosine right: by torch
def cosine(Q, K, strength):
    import torch
    from torch.nn import functional as F

    Q, K = torch.as_tensor(Q), torch.as_tensor(K)
    return strength * F.cosine_similarity(
        Q[..., :, None, :], K[..., None, :, :], dim=-1
    )


# %% mended wrong: as it was
def mended_additive(Q, K, M_Q, M_K, w):
    return buggy_additive(Q, K, M_Q, M_K, w)


# %% mended wrong: no tanh at all
def mended_additive(Q, K, M_Q, M_K, w):
    return ((Q @ M_Q)[..., :, None, :] + (K @ M_K)[..., None, :, :]) @ w


# %% mended wrong: tanh after the votes
def mended_additive(Q, K, M_Q, M_K, w):
    return np.tanh(((Q @ M_Q)[..., :, None, :] + (K @ M_K)[..., None, :, :]) @ w)


# %% mended wrong: w left out, formula ②
def mended_additive(Q, K, M_Q, M_K, w):
    hidden = np.tanh((Q @ M_Q)[..., :, None, :] + (K @ M_K)[..., None, :, :])
    return hidden.sum(axis=-1)


# %% mended wrong: queries and keys exchanged
def mended_additive(Q, K, M_Q, M_K, w):
    hidden = np.tanh((Q @ M_Q)[..., None, :, :] + (K @ M_K)[..., :, None, :])
    return hidden @ w


# %% mended wrong: no axes in front
def mended_additive(Q, K, M_Q, M_K, w):
    return np.tanh((Q @ M_Q)[:, None] + (K @ M_K)[None, :]) @ w


# %% mended right: loops over pairs
def mended_additive(Q, K, M_Q, M_K, w):
    queries, keys = Q @ M_Q, K @ M_K
    columns = []
    for j in range(keys.shape[-2]):
        columns.append(np.tanh(queries + keys[..., j : j + 1, :]) @ w)
    return np.stack(columns, axis=-1)


# %% mended right: one tall matrix for all pairs
def mended_additive(Q, K, M_Q, M_K, w):
    L, S = Q.shape[-2], K.shape[-2]
    Q = np.repeat(Q[..., :, None, :], S, axis=-2)
    K = np.repeat(K[..., None, :, :], L, axis=-3)
    pairs = np.concatenate([Q, K], axis=-1)
    return np.einsum("...u,u->...", np.tanh(pairs @ np.vstack([M_Q, M_K])), w)


# %% window wrong: D taken for σ
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[..., None]
    return scores - steps**2 / (2 * D**2)


# %% window wrong: no square
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[..., None]
    return scores - np.abs(steps) / (2 * (D / 2) ** 2)


# %% window wrong: counts from 1
def near(scores, places, D):
    steps = 1 + np.arange(scores.shape[-1]) - places[..., None]
    return scores - steps**2 / (2 * (D / 2) ** 2)


# %% window wrong: multiplies the score
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[..., None]
    return scores * np.exp(-(steps**2) / (2 * (D / 2) ** 2))


# %% window wrong: places belong to the keys
def near(scores, places, D):
    steps = np.arange(scores.shape[-2])[:, None] - np.resize(places, scores.shape[-1])
    return scores - steps**2 / (2 * (D / 2) ** 2)


# %% window wrong: changes the scores
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[..., None]
    scores -= steps**2 / (2 * (D / 2) ** 2)
    return scores


# %% window wrong: half of D cut to a whole number
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[..., None]
    return scores - steps**2 / (2 * max(D // 2, 1) ** 2)


# %% window wrong: divides by D
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[..., None]
    return scores - steps**2 / D


# %% window wrong: no axes in front
def near(scores, places, D):
    steps = np.arange(scores.shape[-1]) - places[:, None]
    return scores - steps**2 / (2 * (D / 2) ** 2)


# %% window right: by loops
def near(scores, places, D):
    result = np.array(scores, dtype=float)
    for *batch, i, j in np.ndindex(*result.shape):
        step = (j - places[(*batch, i)]) / (D / 2)
        result[(*batch, i, j)] -= step * step / 2
    return result


# %% window right: log of a kernel
def near(scores, places, D):
    positions = np.arange(scores.shape[-1], dtype=float)
    distance = np.subtract.outer(places, positions)
    return scores + np.log(np.exp(-2 * (distance / D) ** 2))


# %% window right: the square multiplied out
def near(scores, places, D):
    j, p = np.arange(scores.shape[-1]), places[..., None]
    return scores - 2 / D**2 * (j**2 - 2 * j * p + p**2)
