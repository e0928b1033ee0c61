# %% temperature right: row by row, in loops
def softmax_at(scores, T):
    rows = []
    for row in scores:
        exps = [np.exp((score - max(row)) / T) for score in row]
        rows.append([one / sum(exps) for one in exps])
    return np.array(rows)


# %% temperature right: by logarithms
def softmax_at(scores, T):
    scaled = scores / T
    return np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True))


# %% temperature wrong: the largest score is not taken off first
def softmax_at(scores, T):
    exps = np.exp(scores / T)
    return exps / exps.sum(axis=1, keepdims=True)


# %% temperature wrong: sums over the columns
def softmax_at(scores, T):
    exps = np.exp(scores / T)
    return exps / exps.sum(axis=0)


# %% temperature wrong: times the temperature
def softmax_at(scores, T):
    exps = np.exp(T * (scores - scores.max(axis=1, keepdims=True)))
    return exps / exps.sum(axis=1, keepdims=True)
