# %% project wrong: the numbers as they are
def project(numbers, table, W_Q, W_K, W_V):
    return table @ W_Q, table @ W_K, table @ W_V


# %% project wrong: the queries are the words themselves
def project(numbers, table, W_Q, W_K, W_V):
    X = table[numbers]
    return X, X @ W_K, X @ W_V


# %% project wrong: values from the keys
def project(numbers, table, W_Q, W_K, W_V):
    X = table[numbers]
    K = X @ W_K
    return X @ W_Q, K, K @ W_V[: K.shape[1]]


# %% project wrong: sorted, each word once
def project(numbers, table, W_Q, W_K, W_V):
    X = table[np.unique(numbers)]
    return X @ W_Q, X @ W_K, X @ W_V


# %% project wrong: queries and keys exchanged
def project(numbers, table, W_Q, W_K, W_V):
    X = table[numbers]
    return X @ W_K, X @ W_Q, X @ W_V


# %% project right: one-hot vectors times the table
def project(numbers, table, W_Q, W_K, W_V):
    one_hot = np.eye(len(table))[numbers]
    X = one_hot @ table
    return X @ W_Q, X @ W_K, X @ W_V


# %% project right: project the whole table, then take the rows
def project(numbers, table, W_Q, W_K, W_V):
    return tuple((table @ W)[numbers] for W in (W_Q, W_K, W_V))


# %% project right: word by word, as lists
def project(numbers, table, W_Q, W_K, W_V):
    rows = [table[number] for number in numbers]
    return [np.array([x @ W for x in rows]) for W in (W_Q, W_K, W_V)]


# %% mended wrong: as it was
def mended_look(Y, X, W_Q, W_K, W_V):
    return buggy_look(Y, X, W_Q, W_K, W_V)


# %% mended wrong: only the values
def mended_look(Y, X, W_Q, W_K, W_V):
    Q, K, V = Y @ W_Q, X @ W_K, X @ W_V
    weights = softmax(K @ Q.T)
    return weights.T @ V, weights


# %% mended wrong: only the scores
def mended_look(Y, X, W_Q, W_K, W_V):
    Q, K = Y @ W_Q, X @ W_K
    weights = softmax(Q @ K.T)
    return weights @ (K @ W_V[: K.shape[1]]), weights


# %% mended wrong: transposed after the softmax, so columns sum to 1
def mended_look(Y, X, W_Q, W_K, W_V):
    Q, K, V = Y @ W_Q, X @ W_K, X @ W_V
    weights = softmax(K @ Q.T).T
    return weights @ V, weights


# %% mended wrong: values from the side that asks
def mended_look(Y, X, W_Q, W_K, W_V):
    Q, K = Y @ W_Q, X @ W_K
    weights = softmax(Q @ K.T)
    V = np.zeros((len(X), W_V.shape[1]))
    V[: len(Y)] = Y @ W_V if len(Y) <= len(X) else 0
    return weights @ V, weights


# %% mended right: scores turned before the softmax
def mended_look(Y, X, W_Q, W_K, W_V):
    scores = ((X @ W_K) @ (Y @ W_Q).T).T
    weights = softmax(scores)
    return weights @ X @ W_V, weights


# %% mended right: one matrix for the scores, the book's attention
def mended_look(Y, X, W_Q, W_K, W_V):
    from attend.attention import attention

    return attention(Y @ W_Q @ W_K.T, X, X @ W_V)


# %% mended right: loops over pairs
def mended_look(Y, X, W_Q, W_K, W_V):
    scores = np.array([[(y @ W_Q) @ (x @ W_K) for x in X] for y in Y])
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exps / exps.sum(axis=1, keepdims=True)
    return np.einsum("ls,sd,dv->lv", weights, X, W_V), weights


# %% gradient wrong: the average is not subtracted
def grad_scores(weights, V, g):
    return weights * (g @ V.T)


# %% gradient wrong: only the diagonal of the Jacobian
def grad_scores(weights, V, g):
    return weights * (1 - weights) * (g @ V.T)


# %% gradient wrong: one average for all queries
def grad_scores(weights, V, g):
    slopes = g @ V.T
    return weights * (slopes - (weights * slopes).sum() / len(g))


# %% gradient wrong: the plain average of the slopes
def grad_scores(weights, V, g):
    slopes = g @ V.T
    return weights * (slopes - slopes.mean(axis=1, keepdims=True))


# %% gradient wrong: changes g
def grad_scores(weights, V, g):
    slopes = g @ V.T
    g *= 0
    return weights * (slopes - (weights * slopes).sum(axis=1, keepdims=True))


# %% gradient right: the Jacobian of each row
def grad_scores(weights, V, g):
    rows = []
    for a, slope in zip(weights, g @ V.T, strict=True):
        jacobian = np.diag(a) - np.outer(a, a)
        rows.append(jacobian @ slope)
    return np.array(rows)


# %% gradient right: through the context
def grad_scores(weights, V, g):
    context = weights @ V
    return weights * np.einsum("lv,lsv->ls", g, V[None] - context[:, None])


# %% gradient right: by autograd
def grad_scores(weights, V, g):
    import torch

    scores = torch.tensor(np.log(weights), requires_grad=True)
    context = torch.softmax(scores, dim=-1) @ torch.tensor(V)
    context.backward(torch.tensor(g))
    return scores.grad.numpy()


# %% split wrong: forgets the singular values
def split(W, width):
    U, _, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width], Vt[:width].T


# %% split wrong: singular values on both sides
def split(W, width):
    U, strengths, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width] * strengths[:width], Vt[:width].T * strengths[:width]


# %% split wrong: the first columns of W
def split(W, width):
    return W[:, :width], np.eye(W.shape[1])[:, :width]


# %% split wrong: keeps the smallest
def split(W, width):
    U, strengths, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, -width:] * strengths[-width:], Vt[-width:].T


# %% split wrong: W_K the wrong way round
def split(W, width):
    U, strengths, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width] * strengths[:width], Vt[:width]


# %% split wrong: no decomposition, the first rows of W
def split(W, width):
    return np.eye(len(W))[:, :width], W[:width].T


# %% split wrong: V not transposed
def split(W, width):
    U, strengths, Vt = np.linalg.svd(W, full_matrices=False)
    return U[:, :width] * strengths[:width], Vt[:, :width]


# %% split right: the root of the values on each side
def split(W, width):
    U, strengths, Vt = np.linalg.svd(W)
    roots = np.sqrt(strengths[:width])
    return U[:, :width] * roots, Vt[:width].T * roots


# %% split right: by eigenvectors
def split(W, width):
    _, vectors = np.linalg.eigh(W.T @ W)  # ascending
    W_K = vectors[:, ::-1][:, :width]
    return W @ W_K, W_K


# %% split right: by alternating least squares
def split(W, width):
    W_K = np.random.default_rng(0).normal(size=(W.shape[1], width))
    for _ in range(2000):
        W_Q = W @ W_K @ np.linalg.inv(W_K.T @ W_K)
        W_K = W.T @ W_Q @ np.linalg.inv(W_Q.T @ W_Q)
    return W_Q, W_K
