# %% step wrong: the old state asks, as in Bahdanau's order
def decoder_step(y, s, h, cell, W):
    weights = softmax(h @ s)
    context, s = weights @ h, cell(y, s)
    return np.tanh(np.concatenate([context, s]) @ W), weights, s


# %% step wrong: the old state is returned
def decoder_step(y, s, h, cell, W):
    new = cell(y, s)
    weights = softmax(h @ new)
    return np.tanh(np.concatenate([weights @ h, new]) @ W), weights, s


# %% step wrong: the state comes first in [c; s]
def decoder_step(y, s, h, cell, W):
    s = cell(y, s)
    weights = softmax(h @ s)
    return np.tanh(np.concatenate([s, weights @ h]) @ W), weights, s


# %% step wrong: no tanh
def decoder_step(y, s, h, cell, W):
    s = cell(y, s)
    weights = softmax(h @ s)
    return np.concatenate([weights @ h, s]) @ W, weights, s


# %% step wrong: scores are divided by their sum, without exp
def decoder_step(y, s, h, cell, W):
    s = cell(y, s)
    scores = h @ s
    weights = scores / scores.sum()
    return np.tanh(np.concatenate([weights @ h, s]) @ W), weights, s


# %% step wrong: the word asks
def decoder_step(y, s, h, cell, W):
    s = cell(y, s)
    weights = softmax(h @ y)
    return np.tanh(np.concatenate([weights @ h, s]) @ W), weights, s


# %% step wrong: the plain mean of the states
def decoder_step(y, s, h, cell, W):
    s = cell(y, s)
    weights = np.full(len(h), 1 / len(h))
    return np.tanh(np.concatenate([h.mean(axis=0), s]) @ W), weights, s


# %% step right: a loop over the words, and softmax by hand
def decoder_step(y, s, h, cell, W):
    s = np.asarray(cell(y, s))
    exps = [math.exp(float(s @ row)) for row in h]
    weights = [x / sum(exps) for x in exps]
    context = 0 * h[0]
    for a, row in zip(weights, h):
        context = context + a * row
    return np.tanh(np.hstack([context, s]) @ W), np.array(weights), s


# %% step right: the two halves of W apart
def decoder_step(y, s, h, cell, W):
    state = cell(y, s)
    weights = softmax((h * state).sum(axis=1))
    context = (weights[:, None] * h).sum(axis=0)
    D = len(context)
    return np.tanh(context @ W[:D] + state @ W[D:]), weights, state


# %% at-once wrong: the softmax over the steps
def all_steps(states, h, score, W):
    scores = score(states, h)
    exps = np.exp(scores - scores.max(axis=-2, keepdims=True))
    weights = exps / exps.sum(axis=-2, keepdims=True)
    contexts = weights @ h
    return np.tanh(np.concatenate([contexts, states], axis=-1) @ W), weights


# %% at-once wrong: the source asks
def all_steps(states, h, score, W):
    weights = softmax(score(h, states)).mT
    contexts = weights @ h
    return np.tanh(np.concatenate([contexts, states], axis=-1) @ W), weights


# %% at-once wrong: asks step by step
def all_steps(states, h, score, W):
    rows = [score(states[..., [t], :], h) for t in range(states.shape[-2])]
    weights = softmax(np.concatenate(rows, axis=-2))
    contexts = weights @ h
    return np.tanh(np.concatenate([contexts, states], axis=-1) @ W), weights


# %% at-once wrong: the state comes first
def all_steps(states, h, score, W):
    weights = softmax(score(states, h))
    contexts = weights @ h
    return np.tanh(np.concatenate([states, contexts], axis=-1) @ W), weights


# %% at-once wrong: put together along the first axis
def all_steps(states, h, score, W):
    weights = softmax(score(states, h))
    contexts = weights @ h
    return np.tanh(np.concatenate([contexts, states]) @ W), weights


# %% at-once wrong: along axis 1, which is right without a batch alone
def all_steps(states, h, score, W):
    weights = softmax(score(states, h))
    contexts = weights @ h
    return np.tanh(np.concatenate([contexts, states], axis=1) @ W), weights


# %% at-once wrong: a causal mask, which hides source words
def all_steps(states, h, score, W):
    scores = score(states, h)
    weights = softmax(np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf))
    contexts = weights @ h
    return np.tanh(np.concatenate([contexts, states], axis=-1) @ W), weights


# %% at-once wrong: the context of the step before
def all_steps(states, h, score, W):
    weights = softmax(score(states, h))
    contexts = np.roll(weights @ h, 1, axis=-2)
    return np.tanh(np.concatenate([contexts, states], axis=-1) @ W), weights


# %% at-once wrong: no tanh
def all_steps(states, h, score, W):
    weights = softmax(score(states, h))
    return np.concatenate([weights @ h, states], axis=-1) @ W, weights


# %% at-once right: the two halves of W apart, einsum
def all_steps(states, h, score, W):
    scores = np.asarray(score(states, h))
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exps / exps.sum(axis=-1, keepdims=True)
    D = h.shape[-1]
    contexts = np.einsum("...ts,...sd->...td", weights, h)
    return np.tanh(contexts @ W[:D] + states @ W[D:]), weights


# %% at-once right: asks once, then goes step by step
def all_steps(states, h, score, W):
    if states.ndim == 2:
        return tuple(x[0] for x in all_steps(states[None], h[None], score, W))
    scores = np.asarray(score(states, h))
    weights, outputs = np.empty(scores.shape), []
    for b in range(len(states)):
        rows = []
        for t in range(states.shape[1]):
            weights[b, t] = softmax(scores[b, t])
            rows.append(np.tanh(np.hstack([weights[b, t] @ h[b], states[b, t]]) @ W))
        outputs.append(rows)
    return np.array(outputs), weights


# %% mended wrong: as it was
def decoder(Y, s, h, cell, W):
    return buggy_decoder(Y, s, h, cell, W)


# %% mended wrong: the state still asks before it has read the word
def decoder(Y, s, h, cell, W):
    states = []
    for t in range(Y.shape[1]):
        states.append(s)
        s = cell(Y[:, t], s)
    Q = np.stack(states, axis=1)
    weights = softmax(Q @ h.mT)
    return np.tanh(np.concatenate([weights @ h, Q], axis=-1) @ W), weights


# %% mended wrong: the keys still ask
def decoder(Y, s, h, cell, W):
    states = []
    for t in range(Y.shape[1]):
        s = cell(Y[:, t], s)
        states.append(s)
    Q = np.stack(states, axis=1)
    weights = softmax(h @ Q.mT)
    return np.tanh(np.concatenate([weights @ h, Q], axis=-1) @ W), weights


# %% mended wrong: turned round at the end, but the softmax went over the steps
def decoder(Y, s, h, cell, W):
    states = []
    for t in range(Y.shape[1]):
        s = cell(Y[:, t], s)
        states.append(s)
    Q = np.stack(states, axis=1)
    weights = softmax(h @ Q.mT).mT
    return np.tanh(np.concatenate([weights @ h, Q], axis=-1) @ W), weights


# %% mended wrong: the sum still goes over the batch
def decoder(Y, s, h, cell, W):
    states = []
    for t in range(Y.shape[1]):
        s = cell(Y[:, t], s)
        states.append(s)
    Q = np.stack(states, axis=1)
    scores = Q @ h.mT
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exps / exps.sum(axis=0, keepdims=True)
    return np.tanh(np.concatenate([weights @ h, Q], axis=-1) @ W), weights


# %% mended wrong: the sum goes over the steps
def decoder(Y, s, h, cell, W):
    states = []
    for t in range(Y.shape[1]):
        s = cell(Y[:, t], s)
        states.append(s)
    Q = np.stack(states, axis=1)
    exps = np.exp(Q @ h.mT)
    weights = exps / exps.sum(axis=1, keepdims=True)
    return np.tanh(np.concatenate([weights @ h, Q], axis=-1) @ W), weights


# %% mended wrong: the new states ask, but the old ones go on to the output
def decoder(Y, s, h, cell, W):
    states = [s]
    for t in range(Y.shape[1]):
        states.append(cell(Y[:, t], states[-1]))
    old, new = np.stack(states[:-1], axis=1), np.stack(states[1:], axis=1)
    weights = softmax(new @ h.mT)
    return np.tanh(np.concatenate([weights @ h, old], axis=-1) @ W), weights


# %% mended wrong: every word is read in the first state
def decoder(Y, s, h, cell, W):
    Q = np.stack([cell(Y[:, t], s) for t in range(Y.shape[1])], axis=1)
    weights = softmax(Q @ h.mT)
    return np.tanh(np.concatenate([weights @ h, Q], axis=-1) @ W), weights


# %% mended right: step by step, a sum over the source
def decoder(Y, s, h, cell, W):
    outputs, rows = [], []
    for t in range(Y.shape[1]):
        s = np.asarray(cell(Y[:, t], s))
        a = softmax((h * s[:, None]).sum(axis=-1))
        context = (a[..., None] * h).sum(axis=1)
        outputs.append(np.tanh(np.hstack([context, s]) @ W))
        rows.append(a)
    return np.stack(outputs, axis=1), np.stack(rows, axis=1)


# %% mended right: sentence by sentence
def decoder(Y, s, h, cell, W):
    outputs, rows = [], []
    for b in range(len(Y)):
        state, states = s[b : b + 1], []
        for t in range(Y.shape[1]):
            state = cell(Y[b : b + 1, t], state)
            states.append(state[0])
        Q = np.array(states)
        a = softmax(Q @ h[b].T)
        outputs.append(np.tanh(np.concatenate([a @ h[b], Q], axis=1) @ W))
        rows.append(a)
    return np.array(outputs), np.array(rows)
