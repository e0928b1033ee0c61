# %% temperature right: row by row, in loops
def softmax_at(scores, T):
    rows = []
    for row in scores:
        exps = [np.exp((score - max(row)) / T) for score in row]
        rows.append([one / sum(exps) for one in exps])
    return np.array(rows)


# %% temperature wrong: the largest score is not taken off first
def softmax_at(scores, T):
    exps = np.exp(scores / T)
    return exps / exps.sum(axis=1, keepdims=True)


# %% temperature wrong: sums over the columns
def softmax_at(scores, T):
    exps = np.exp(scores / T)
    return exps / exps.sum(axis=0)
