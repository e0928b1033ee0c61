# %% soft-get wrong: raw letter counts, so long words shout
def soft_get(table, word, strength):
    exps = np.exp([strength * letters(key) @ letters(word) / 5 for key in table])
    return exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: the strength multiplies the weights
def soft_get(table, word, strength):
    query = letters(word) / max(np.linalg.norm(letters(word)), 1)
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    exps = np.exp([key @ query for key in keys])
    return strength * exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: only the keys have length 1
def soft_get(table, word, strength):
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    exps = np.exp([strength * key @ letters(word) for key in keys])
    return exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: divides by the sum of the counts, not by the length
def soft_get(table, word, strength):
    query = letters(word) / max(letters(word).sum(), 1)
    keys = [letters(key) / letters(key).sum() for key in table]
    exps = np.exp([strength * key @ query for key in keys])
    return exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: ticks the letters instead of counting them
def soft_get(table, word, strength):
    def unit(text):
        ticks = (letters(text) > 0).astype(float)
        return ticks / max(np.linalg.norm(ticks), 1)

    exps = np.exp([strength * unit(key) @ unit(word) for key in table])
    return exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: returns the best entry alone
def soft_get(table, word, strength):
    query = letters(word)
    best = max(table, key=lambda key: letters(key) @ query / len(key))
    return table[best]


# %% soft-get wrong: no exponential
def soft_get(table, word, strength):
    query = letters(word) / max(np.linalg.norm(letters(word)), 1)
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    scores = np.array([strength * key @ query for key in keys])
    return scores / scores.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: no letters at all give NaN
def soft_get(table, word, strength):
    query = letters(word) / np.linalg.norm(letters(word))
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    exps = np.exp([strength * key @ query for key in keys])
    return exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: no letters at all give zeros
def soft_get(table, word, strength):
    values = np.stack(list(table.values()))
    query = letters(word)
    if not query.any():
        return np.zeros(values.shape[1])
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    exps = np.exp([strength * key @ query / np.linalg.norm(query) for key in keys])
    return exps / exps.sum() @ values


# %% soft-get wrong: the strength is always 20
def soft_get(table, word, strength):
    query = letters(word) / max(np.linalg.norm(letters(word)), 1)
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    exps = np.exp([20 * key @ query for key in keys])
    return exps / exps.sum() @ np.stack(list(table.values()))


# %% soft-get wrong: knows one word without letters
def soft_get(table, word, strength):
    values = np.stack(list(table.values()))
    if word == "42":
        return values.mean(axis=0)
    query = letters(word) / np.linalg.norm(letters(word))
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    exps = np.exp([strength * key @ query for key in keys])
    return exps / exps.sum() @ values


# %% soft-get right: entry by entry
def soft_get(table, word, strength):
    query, total, answer = letters(word), 0, 0
    for key, value in table.items():
        lengths = np.sqrt((letters(key) ** 2).sum() * (query**2).sum())
        fit = letters(key) @ query / lengths if lengths else 0
        total = total + np.exp(strength * fit)
        answer = answer + np.exp(strength * fit) * value
    return answer / total


# %% soft-get right: the Gaussian kernel of chapter 1 between unit vectors
def soft_get(table, word, strength):
    if not letters(word).any():
        return sum(table.values()) / len(table)
    query = letters(word) / np.linalg.norm(letters(word))
    keys = np.stack([letters(key) / np.linalg.norm(letters(key)) for key in table])
    weights = np.exp(-strength * ((keys - query) ** 2).sum(axis=1) / 2)
    return weights @ np.stack(list(table.values())) / weights.sum()


# %% soft-get right: the strength as an exponent
def soft_get(table, word, strength):
    query = letters(word) / max(np.linalg.norm(letters(word)), 1)
    keys = [letters(key) / np.linalg.norm(letters(key)) for key in table]
    weights = np.array([np.exp(key @ query) ** strength for key in keys])
    return np.average(list(table.values()), axis=0, weights=weights)


# %% shapes wrong: keys down, queries across
def attention_shapes(Q, K, V):
    if Q[-1] != K[-1] or K[-2] != V[-2]:
        raise ValueError("shapes")
    return (*Q[:-2], K[-2], Q[-2]), (*Q[:-1], V[-1])


# %% shapes wrong: a context as wide as a key
def attention_shapes(Q, K, V):
    if Q[-1] != K[-1] or K[-2] != V[-2]:
        raise ValueError("shapes")
    return (*Q[:-1], K[-2]), tuple(Q)


# %% shapes wrong: a context for each key
def attention_shapes(Q, K, V):
    if Q[-1] != K[-1] or K[-2] != V[-2]:
        raise ValueError("shapes")
    return (*Q[:-1], K[-2]), tuple(V)


# %% shapes wrong: refuses nothing
def attention_shapes(Q, K, V):
    return (Q[0], K[0]), (Q[0], V[1])


# %% shapes wrong: wants as many queries as keys
def attention_shapes(Q, K, V):
    if Q != K or K[0] != V[0]:
        raise ValueError("shapes")
    return (Q[0], K[0]), (Q[0], V[1])


# %% shapes wrong: wants the same width in all three
def attention_shapes(Q, K, V):
    if not Q[1] == K[1] == V[1] or K[0] != V[0]:
        raise ValueError("shapes")
    return (Q[0], K[0]), (Q[0], V[1])


# %% shapes wrong: does not count the values
def attention_shapes(Q, K, V):
    if Q[1] != K[1]:
        raise ValueError("Q and K differ in width")
    return (Q[0], K[0]), (Q[0], V[1])


# %% shapes wrong: does not compare the widths
def attention_shapes(Q, K, V):
    if K[0] != V[0]:
        raise ValueError("a value for each key")
    return (Q[0], K[0]), (Q[0], V[1])


# %% shapes wrong: refuses without a word
def attention_shapes(Q, K, V):
    if Q[1] != K[1] or K[0] != V[0]:
        raise ValueError
    return (Q[0], K[0]), (Q[0], V[1])


# %% shapes right: lists, and one test for both
def attention_shapes(Q, K, V):
    if [Q[1], K[0]] != [K[1], V[0]]:
        raise ValueError(f"{Q}, {K}, {V} do not fit")
    return [Q[0], K[0]], [Q[0], V[1]]


# %% shapes right: any axes in front
def attention_shapes(Q, K, V):
    (*front, L, E), (*front_k, S, E_k), (*front_v, S_v, Ev) = Q, K, V
    if (front, front, E, S) != (front_k, front_v, E_k, S_v):
        raise ValueError(f"{Q}, {K}, {V} do not fit")
    return (*front, L, S), (*front, L, Ev)


# %% shapes right: asks NumPy, which refuses what does not fit
def attention_shapes(Q, K, V):
    scores = np.zeros(Q) @ np.zeros(K).mT
    return scores.shape, (scores @ np.zeros(V)).shape


# %% mended wrong: only the argument is saved
def self_attention(X):
    X = X.copy()
    for i in range(len(X)):
        exps = np.exp(X @ X[i])
        X[i] = exps @ X / exps.sum()
    return X


# %% mended wrong: the keys are saved, the values not
def self_attention(X):
    K, X = X.copy(), X.copy()
    for i in range(len(X)):
        exps = np.exp(K @ K[i])
        X[i] = exps @ X / exps.sum()
    return X


# %% mended wrong: another name for the same array
def self_attention(X):
    context = X
    for i in range(len(X)):
        exps = np.exp(X @ X[i])
        context[i] = exps @ X / exps.sum()
    return context


# %% mended wrong: right, but written into the argument
def self_attention(X):
    exps = np.exp(X @ X.T)
    X[:] = exps @ X / exps.sum(axis=1, keepdims=True)
    return X


# %% mended wrong: sums over the queries
def self_attention(X):
    exps = np.exp(X @ X.T)
    return exps / exps.sum(axis=0, keepdims=True) @ X


# %% mended wrong: from the last row to the first
def self_attention(X):
    X = X.copy()
    for i in reversed(range(len(X))):
        exps = np.exp(X @ X[i])
        X[i] = exps @ X / exps.sum()
    return X


# %% mended wrong: the last row stays empty
def self_attention(X):
    context = np.zeros_like(X)
    for i in range(len(X) - 1):
        exps = np.exp(X @ X[i])
        context[i] = exps @ X / exps.sum()
    return context


# %% mended right: a new list of rows
def self_attention(X):
    rows = []
    for query in X:
        exps = np.exp(X @ query)
        rows.append(exps @ X / exps.sum())
    return np.stack(rows)


# %% mended right: reads from a copy
def self_attention(X):
    given, context = X.copy(), np.zeros_like(X)
    for i in range(len(given)):
        exps = np.exp(given @ given[i])
        context[i] = exps @ given / exps.sum()
    return context


# %% mended right: by torch
def self_attention(X):
    import torch

    given = torch.tensor(X)
    return (torch.softmax(given @ given.T, dim=-1) @ given).numpy()


# %% train wrong: uphill
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        V = V + rate * weights.T @ (weights @ V - wanted)
    return V


# %% train wrong: changes its argument
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        V -= rate * weights.T @ (weights @ V - wanted)
    return V


# %% train wrong: one error for all steps
def train_values(weights, V, wanted, rate, steps):
    error = weights @ V - wanted
    for _ in range(steps):
        V = V - rate * weights.T @ error
    return V


# %% train wrong: the mean over the queries
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        V = V - rate * weights.T @ (weights @ V - wanted) / len(wanted)
    return V


# %% train wrong: a single step
def train_values(weights, V, wanted, rate, steps):
    return V - rate * weights.T @ (weights @ V - wanted)


# %% train wrong: each value hears of all errors alike
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        V = V - rate * (weights @ V - wanted).sum(axis=0) / V.shape[0]
    return V


# %% train wrong: jumps to the solution
def train_values(weights, V, wanted, rate, steps):
    return np.linalg.pinv(weights) @ wanted


# %% train wrong: no rate
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        V = V - weights.T @ (weights @ V - wanted)
    return V


# %% train wrong: an elementwise product, right for one query
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        error = (weights @ V - wanted).sum(axis=0)
        V = V - rate * weights.sum(axis=0)[:, None] * error
    return V


# %% train wrong: the mean weight of each column
def train_values(weights, V, wanted, rate, steps):
    for _ in range(steps):
        error = (weights @ V - wanted).sum(axis=0)
        V = V - rate * weights.mean(axis=0)[:, None] * error
    return V


# %% train right: query by query
def train_values(weights, V, wanted, rate, steps):
    values = V.copy()
    for _ in range(steps):
        errors = [
            row @ values - goal for row, goal in zip(weights, wanted, strict=True)
        ]
        for row, error in zip(weights, errors, strict=True):
            values -= rate * np.outer(row, error)
    return values


# %% train right: by autograd
def train_values(weights, V, wanted, rate, steps):
    import torch

    A, goal, values = torch.tensor(weights), torch.tensor(wanted), torch.tensor(V)
    for _ in range(steps):
        values = values.detach().requires_grad_()
        (((A @ values - goal) ** 2).sum() / 2).backward()
        values = values - rate * values.grad
    return values.detach().numpy().copy()


# %% train right: all steps in one matrix
def train_values(weights, V, wanted, rate, steps):
    hessian = weights.T @ weights
    keep = np.eye(len(V)) - rate * hessian
    powers = [np.linalg.matrix_power(keep, n) for n in range(steps)]
    pull = sum(powers, np.zeros_like(keep)) @ (rate * weights.T @ wanted)
    return np.linalg.matrix_power(keep, steps) @ V + pull


# %% ring wrong: every word looks at itself
def ring():
    return 10 * np.eye(2), np.eye(2)


# %% ring wrong: one projection for both
def ring():
    W = np.array([[-5.0, 10.0], [-10.0, 0.0]])
    return W, W


# %% ring wrong: round the other way
def ring():
    return np.eye(2), np.array([[-5.0, 10.0], [-10.0, 0.0]])


# %% ring wrong: too weak
def ring():
    return np.array([[-0.5, 1.0], [-1.0, 0.0]]), np.eye(2)


# %% ring wrong: Jerry looks at chases
def ring():
    return np.array([[0.0, 10.0], [-10.0, 0.0]]), np.array([[1.0, 0.0], [0.0, -1.0]])


# %% ring wrong: one number a word
def ring():
    return np.array([[-10.0], [10.0]]), np.array([[10.0], [-10.0]])


# %% ring right: the keys do the turning
def ring():
    return np.eye(2), np.array([[-5.0, 10.0], [-10.0, 0.0]]).T


# %% ring right: shared between both, three wide
def ring():
    W_Q = np.array([[-4.0, 8.0, 0.0], [-9.0, 1.0, 5.0]])
    return W_Q, np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])


# %% ring right: keys from wishes by least squares
def ring():
    wish = np.array([[-10.0, 20.0, 10.0], [-20.0, 0.0, 20.0], [10.0, -20.0, -10.0]])
    return np.linalg.pinv(X) @ wish, np.linalg.pinv(X.T).T @ np.eye(3)
