# %% softmax wrong: sums over the columns
def softmax(scores):
    exps = np.exp(scores - np.max(scores, axis=0, keepdims=True))
    return exps / exps.sum(axis=0, keepdims=True)


# %% softmax wrong: no maximum subtracted
def softmax(scores):
    exps = np.exp(scores)
    return exps / exps.sum(axis=-1, keepdims=True)


# %% softmax wrong: one maximum for all rows
def softmax(scores):
    exps = np.exp(scores - np.max(scores))
    return exps / exps.sum(axis=-1, keepdims=True)


# %% softmax wrong: changes its argument
def softmax(scores):
    scores -= scores.max(axis=-1, keepdims=True)
    exps = np.exp(scores)
    return exps / exps.sum(axis=-1, keepdims=True)


# %% softmax wrong: clips instead of shifting
def softmax(scores):
    exps = np.exp(np.clip(scores, -700, 700))
    return exps / exps.sum(axis=-1, keepdims=True)


# %% softmax wrong: a number in place of −∞
def softmax(scores):
    scores = np.nan_to_num(scores, neginf=-100)
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


# %% softmax wrong: transposes instead of keeping the axis
def softmax(scores):
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (exps.T / exps.sum(axis=-1)).T


# %% softmax wrong: divides without the exponential
def softmax(scores):
    return scores / np.sum(scores, axis=-1, keepdims=True)


# %% softmax right: by logarithms
def softmax(scores):
    return np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))


# %% softmax right: row by row
def softmax(scores):
    def one(row):
        exps = np.exp(row - row.max())
        return exps / exps.sum()

    return np.apply_along_axis(one, -1, scores)


# %% softmax right: by torch
def softmax(scores):
    import torch

    return torch.softmax(torch.as_tensor(scores), dim=-1).numpy()


# %% attend wrong: the values are not weighted
def attend(q, K, V):
    return V.sum(axis=0), softmax(K @ q)


# %% attend wrong: returned in the wrong order
def attend(q, K, V):
    weights = softmax(K @ q)
    return weights, weights @ V


# %% attend wrong: the scores are scaled
def attend(q, K, V):
    weights = softmax(K @ q / np.sqrt(len(q)))
    return weights @ V, weights


# %% attend wrong: the first number of each key alone
def attend(q, K, V):
    weights = softmax(K[:, 0] * q[0])
    return weights @ V, weights


# %% attend wrong: weights from the values
def attend(q, K, V):
    weights = softmax(V @ q) if V.shape[1] == len(q) else softmax(K @ q)
    return weights @ V, weights


# %% attend wrong: hard selection
def attend(q, K, V):
    weights = softmax(K @ q)
    return V[weights.argmax()], weights


# %% attend right: loops
def attend(q, K, V):
    scores = np.array([sum(a * b for a, b in zip(q, k, strict=True)) for k in K])
    exps = np.exp(scores - scores.max())
    weights = exps / exps.sum()
    context = np.zeros(V.shape[1])
    for weight, value in zip(weights, V, strict=True):
        context = context + weight * value
    return context, weights


# %% attend right: einsum
def attend(q, K, V):
    weights = softmax(np.einsum("e,se->s", q, K))
    return np.einsum("s,sv->v", weights, V), weights


# %% mended wrong: only the axis of the sum
def mended_attention(scores, V):
    exps = np.exp(scores - scores.max())
    weights = exps / exps.sum(axis=1, keepdims=True)
    return weights @ V, weights


# %% mended wrong: only the maximum
def mended_attention(scores, V):
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exps / exps.sum(axis=0)
    return weights @ V, weights


# %% mended wrong: axis 1, which is the last only for two axes
def mended_attention(scores, V):
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exps / exps.sum(axis=1, keepdims=True)
    return weights @ V, weights


# %% mended wrong: np.dot, which mixes the values of a stack
def mended_attention(scores, V):
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exps / exps.sum(axis=-1, keepdims=True)
    return np.dot(weights, V), weights


# %% mended wrong: sums over everything
def mended_attention(scores, V):
    exps = np.exp(scores - scores.max())
    weights = exps / exps.sum()
    return weights @ V, weights


# %% mended right: by the book's own functions
def mended_attention(scores, V):
    from attend.attention import softmax as stable_softmax

    weights = stable_softmax(scores)
    return weights @ V, weights


# %% mended right: by logarithms and einsum
def mended_attention(scores, V):
    weights = np.exp(scores - np.logaddexp.reduce(scores, axis=-1)[..., None])
    return np.einsum("...ls,...sv->...lv", weights, V), weights


# %% query wrong: no logarithm
def query_for(wanted, K):
    left = np.hstack([K, -np.ones((len(K), 1))])
    return np.linalg.solve(left, wanted)[:-1]


# %% query wrong: the shift is forgotten
def query_for(wanted, K):
    return np.linalg.lstsq(K, np.log(wanted), rcond=None)[0]


# %% query wrong: the keys are not undone
def query_for(wanted, K):
    return np.log(wanted) @ K


# %% query wrong: right for the chapter's keys alone
def query_for(wanted, K):
    logs = np.log(wanted)
    half = (logs[0] - logs[-1]) / 2
    return np.array([half, logs[1] - logs[-1] - half])


# %% query wrong: the shift is returned, too
def query_for(wanted, K):
    left = np.hstack([K, -np.ones((len(K), 1))])
    return np.linalg.solve(left, np.log(wanted))


# %% query right: differences to the last key
def query_for(wanted, K):
    logs = np.log(wanted)
    return np.linalg.solve(K[:-1] - K[-1], logs[:-1] - logs[-1])


# %% query right: centred, by least squares
def query_for(wanted, K):
    logs = np.log(wanted)
    return np.linalg.lstsq(K - K.mean(axis=0), logs - logs.mean(), rcond=None)[0]
