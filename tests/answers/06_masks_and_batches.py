# %% both wrong: sees the future
def writing_mask(lengths, S):
    return padding_mask(lengths, S).expand(-1, S, S)


# %% both wrong: sees the padding
def writing_mask(lengths, S):
    return causal_mask(S).expand(len(lengths), S, S)


# %% both wrong: one of the two is enough
def writing_mask(lengths, S):
    return padding_mask(lengths, S) | causal_mask(S)


# %% both wrong: True means hidden
def writing_mask(lengths, S):
    return ~(padding_mask(lengths, S) & causal_mask(S))


# %% both wrong: hides the queries of padding, not the keys
def writing_mask(lengths, S):
    return padding_mask(lengths, S).mT & causal_mask(S)


# %% both wrong: a word may not look at itself
def writing_mask(lengths, S):
    return padding_mask(lengths, S) & causal_mask(S).tril(-1)


# %% both wrong: numbers instead of bool
def writing_mask(lengths, S):
    return padding_mask(lengths, S).int() * causal_mask(S).int()


# %% both right: from the places
def writing_mask(lengths, S):
    places = torch.arange(S)
    return (places < lengths[:, None, None]) & (places <= places[:, None])


# %% both right: by a loop
def writing_mask(lengths, S):
    rows = [
        [[j < n and j <= i for j in range(S)] for i in range(S)]
        for n in lengths.tolist()
    ]
    return torch.tensor(rows)


# %% packed wrong: padding looks at padding
def packed_mask(sentence_of):
    same = sentence_of[:, :, None] == sentence_of[:, None]
    return same & causal_mask(sentence_of.shape[1])


# %% packed right: row by row
def packed_mask(sentence_of):
    rows = []
    for row in sentence_of:
        same = row[:, None] == row
        rows.append(same & (row != -1) & causal_mask(len(row)))
    return torch.stack(rows)


# %% packed wrong: sees the future
def packed_mask(sentence_of):
    same = sentence_of[:, :, None] == sentence_of[:, None]
    return same & (sentence_of[:, :, None] != -1)


# %% packed wrong: sentences not kept apart
def packed_mask(sentence_of):
    real = sentence_of != -1
    return real[:, :, None] & real[:, None] & causal_mask(sentence_of.shape[1])


# %% packed wrong: True means hidden
def packed_mask(sentence_of):
    same = sentence_of[:, :, None] == sentence_of[:, None]
    real = sentence_of[:, :, None] != -1
    return ~(same & real & causal_mask(sentence_of.shape[1]))


# %% packed wrong: a word may not look at itself
def packed_mask(sentence_of):
    same = sentence_of[:, :, None] == sentence_of[:, None]
    real = sentence_of[:, :, None] != -1
    return (same & real).tril(-1)


# %% packed wrong: works only where sentences are numbered in order
def packed_mask(sentence_of):
    ahead = sentence_of[:, :, None] <= sentence_of[:, None]
    real = sentence_of[:, :, None] != -1
    return ahead & real & causal_mask(sentence_of.shape[1])


# %% packed wrong: works only where sentences are numbered downwards
def packed_mask(sentence_of):
    ahead = sentence_of[:, :, None] >= sentence_of[:, None]
    real = (sentence_of[:, :, None] != -1) & (sentence_of[:, None] != -1)
    return ahead & real & causal_mask(sentence_of.shape[1])


# %% packed wrong: the first row's mask for all
def packed_mask(sentence_of):
    B, S = sentence_of.shape
    first = sentence_of[0]
    allowed = (first[:, None] == first) & (first[:, None] != -1) & causal_mask(S)
    return allowed.expand(B, S, S)


# %% packed wrong: a sentence ends where its number changes
def packed_mask(sentence_of):
    runs = (sentence_of.diff(dim=1, prepend=sentence_of[:, :1]) != 0).cumsum(dim=1)
    real = sentence_of[:, :, None] != -1
    same = runs[:, :, None] == runs[:, None]
    return same & real & causal_mask(sentence_of.shape[1])


# %% packed right: by a loop
def packed_mask(sentence_of):
    B, S = sentence_of.shape
    allowed = torch.zeros(B, S, S, dtype=torch.bool)
    for b in range(B):
        row = sentence_of[b].tolist()
        for i in range(S):
            for j in range(i + 1):
                allowed[b, i, j] = row[i] == row[j] >= 0
    return allowed


# %% packed right: by distances
def packed_mask(sentence_of):
    real = sentence_of >= 0
    apart = (sentence_of[:, :, None] - sentence_of[:, None]).abs()
    return ((apart == 0) & real[:, :, None] & real[:, None]).tril()


# %% mean wrong: padding counts
def mean_of_words(X, lengths):
    return X.mean(dim=1)


# %% mean wrong: padding is added, not counted
def mean_of_words(X, lengths):
    return X.sum(dim=1) / lengths.clamp(min=1)[:, None]


# %% mean wrong: words divided by the padded length
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    return (X * real).sum(dim=1) / X.shape[1]


# %% mean wrong: NaN for an empty sentence
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    return (X * real).sum(dim=1) / lengths[:, None]


# %% mean wrong: NaN replaced afterwards, back in the gradient
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    return ((X * real).sum(dim=1) / lengths[:, None]).nan_to_num(0)


# %% mean wrong: chosen afterwards, NaN in the gradient
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    means = (X * real).sum(dim=1) / lengths[:, None]
    return torch.where(lengths[:, None] > 0, means, 0.0)


# %% mean wrong: padding made 0 first, NaN replaced afterwards
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    return (X.masked_fill(~real, 0).sum(dim=1) / lengths[:, None]).nan_to_num(0)


# %% mean wrong: padding made 0 first, chosen afterwards
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    means = X.masked_fill(~real, 0).sum(dim=1) / lengths[:, None]
    return torch.where(lengths[:, None] > 0, means, 0.0)


# %% mean wrong: multiplied by the mask, so NaN in the padding comes through
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    return (X * real).sum(dim=1) / lengths.clamp(min=1)[:, None]


# %% mean wrong: weights of 0 on a value that is NaN
def mean_of_words(X, lengths):
    B, S, _ = X.shape
    weights = masked_softmax(torch.zeros(B, 1, S), padding_mask(lengths, S))
    return (weights @ X)[:, 0]


# %% mean wrong: clears the padding in place
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    with torch.no_grad():
        X.masked_fill_(~real, 0)
    return (X * real).sum(dim=1) / lengths.clamp(min=1)[:, None]


# %% mean right: as attention with equal scores
def mean_of_words(X, lengths):
    B, S, _ = X.shape
    real = padding_mask(lengths, S)
    weights = masked_softmax(torch.zeros(B, 1, S), real)
    return (weights @ torch.where(real.mT, X, 0))[:, 0]


# %% mean right: no words, so 0 over a divisor just above 0
def mean_of_words(X, lengths):
    real = padding_mask(lengths, X.shape[1]).mT
    return X.masked_fill(~real, 0).sum(dim=1) / (lengths[:, None] + 1e-9)


# %% mean right: sentence by sentence
def mean_of_words(X, lengths):
    means = [
        x[:n].sum(dim=0) / max(n, 1) for x, n in zip(X, lengths.tolist(), strict=True)
    ]
    return torch.stack(means)


# %% mended wrong: as it was
def mended_attention(Q, K, V, lengths):
    scores = Q @ K.mT / V.shape[-1] ** 0.5
    weights = masked_softmax(scores, padding_mask(lengths, K.shape[-2]))
    return weights @ V, weights


# %% mended wrong: the quiet bug left
def mended_attention(Q, K, V, lengths):
    scores = Q @ K.mT / V.shape[-1] ** 0.5
    weights = masked_softmax(scores, padding_mask(lengths, K.shape[-2])[:, None])
    return weights @ V, weights


# %% mended wrong: the mask turned, one head a sentence
def mended_attention(Q, K, V, lengths):
    scores = Q @ K.mT / Q.shape[-1] ** 0.5
    allowed = padding_mask(lengths, K.shape[-2])[:, 0][:, None, :, None]
    weights = masked_softmax(scores, allowed.expand(-1, -1, -1, K.shape[-2]))
    return weights @ V, weights


# %% mended wrong: no mask, so no error
def mended_attention(Q, K, V, lengths):
    weights = torch.softmax(Q @ K.mT / Q.shape[-1] ** 0.5, dim=-1)
    return weights @ V, weights


# %% mended wrong: the root of 4 written down
def mended_attention(Q, K, V, lengths):
    weights = masked_softmax(Q @ K.mT / 2, padding_mask(lengths, K.shape[-2])[:, None])
    return weights @ V, weights


# %% mended wrong: divided by the root of the model's width
def mended_attention(Q, K, V, lengths):
    scores = Q @ K.mT / (Q.shape[1] * Q.shape[-1]) ** 0.5
    weights = masked_softmax(scores, padding_mask(lengths, K.shape[-2])[:, None])
    return weights @ V, weights


# %% mended wrong: never divided
def mended_attention(Q, K, V, lengths):
    weights = masked_softmax(Q @ K.mT, padding_mask(lengths, K.shape[-2])[:, None])
    return weights @ V, weights


# %% mended wrong: the axes for two heads only
def mended_attention(Q, K, V, lengths):
    scores = Q @ K.mT / Q.shape[-1] ** 0.5
    real = padding_mask(lengths, K.shape[-2])[:, None].expand(-1, 2, -1, -1)
    weights = masked_softmax(scores, real)
    return weights @ V, weights


# %% mended right: the mask first, then its axes
def mended_attention(Q, K, V, lengths):
    real = torch.arange(K.shape[-2]) < lengths[:, None]
    scores = Q @ (K / K.shape[-1] ** 0.5).mT
    weights = masked_softmax(scores, real[:, None, None].expand(scores.shape))
    return weights @ V, weights


# %% mended right: head by head
def mended_attention(Q, K, V, lengths):
    weights = []
    for q, k in zip(Q.unbind(1), K.unbind(1), strict=True):
        scores = q @ k.mT / q.shape[-1] ** 0.5
        weights.append(masked_softmax(scores, padding_mask(lengths, k.shape[-2])))
    weights = torch.stack(weights, dim=1)
    return weights @ V, weights


# %% peek wrong: never rings
def assert_no_peeking(layer, X):
    assert layer(X).shape[:2] == X.shape[:2], "places lost"


# %% peek wrong: rings for the changed places, too
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 1
        assert torch.allclose(layer(X), layer(changed), atol=1e-5), "peeking"


# %% peek wrong: allows one place ahead
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 1
        assert torch.allclose(layer(X)[:, :i], layer(changed)[:, :i]), "peeking"


# %% peek wrong: changes the first feature alone
def assert_no_peeking(layer, X):
    before = layer(X)
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :, 0] += 10
        after = layer(changed)[:, : i + 1]
        assert torch.allclose(before[:, : i + 1], after, atol=1e-5), "peeking"


# %% peek wrong: compares the first feature alone
def assert_no_peeking(layer, X):
    before = layer(X)
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 10
        after = layer(changed)[:, : i + 1]
        assert torch.allclose(before[:, : i + 1, 0], after[..., 0], atol=1e-5), (
            "peeking"
        )


# %% peek wrong: forgives small changes
def assert_no_peeking(layer, X):
    before = layer(X)
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 10
        after = layer(changed)[:, : i + 1]
        assert torch.allclose(before[:, : i + 1], after, atol=0.5), "peeking"


# %% peek wrong: looks at the first sentence only
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 1
        before, after = layer(X)[0, : i + 1], layer(changed)[0, : i + 1]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: changes only the place that follows
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1] += 1
        before, after = layer(X)[:, i], layer(changed)[:, i]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: changes its argument
def assert_no_peeking(layer, X):
    before = layer(X)
    for i in reversed(range(X.shape[1] - 1)):
        X[:, i + 1 :] += 1
        after = layer(X)
        assert torch.allclose(before[:, : i + 1], after[:, : i + 1]), "peeking"


# %% peek wrong: changes the last place only
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, -1] += 1
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: changes the second half only
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, max(i + 1, X.shape[1] // 2) :] += 1
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: watches the first place only
def assert_no_peeking(layer, X):
    changed = X.clone()
    changed[:, 1:] += 1
    before, after = layer(X)[:, 0], layer(changed)[:, 0]
    assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: changes the first sentence only
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[0, i + 1 :] += 1
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: changes the last sentence only
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[-1, i + 1 :] += 1
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: a difference below 0 counts as none
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 1
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert (after - before).max() < 1e-5, "peeking"


# %% peek wrong: turns the later places round, so the middle one stays
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] = changed[:, i + 1 :].flip(1)
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert torch.allclose(before, after, atol=1e-5), "peeking"


# %% peek wrong: overwrites its argument
def assert_no_peeking(layer, X):
    before = layer(X)
    for i in reversed(range(X.shape[1] - 1)):
        X[:, i + 1] = 1 - 2 * X[:, i + 1]
        after = layer(X)
        same = torch.allclose(before[:, : i + 1], after[:, : i + 1], atol=1e-5)
        assert same, "peeking"


# %% peek wrong: takes the mean of the differences, which may cancel
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] += 1
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert (after - before).mean().abs() < 1e-5, "peeking"


# %% peek wrong: does not allow for rounding
def assert_no_peeking(layer, X):
    for i in range(X.shape[1] - 1):
        changed = X.clone()
        changed[:, i + 1 :] = 1 - 2 * X[:, i + 1 :]
        before, after = layer(X)[:, : i + 1], layer(changed)[:, : i + 1]
        assert torch.equal(before, after), "peeking"


# %% peek right: a shorter input must give the same beginning
def assert_no_peeking(layer, X):
    whole = layer(X)
    for n in range(1, X.shape[1]):
        start = layer(X[:, :n])
        assert torch.allclose(start, whole[:, :n], atol=1e-5), f"place {n} is seen"


# %% peek right: by gradients
def assert_no_peeking(layer, X):
    X = X.clone().requires_grad_()
    result = layer(X)
    for i in range(X.shape[1] - 1):
        for b in range(X.shape[0]):
            for d in range(result.shape[2]):
                (slope,) = torch.autograd.grad(result[b, i, d], X, retain_graph=True)
                assert slope[:, i + 1 :].abs().max() == 0, f"place {i} sees ahead"


# %% peek right: all later places replaced by noise
def assert_no_peeking(layer, X):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(X.shape, generator=generator)
    before = layer(X)
    for i in range(X.shape[1]):
        mixed = torch.cat([X[:, : i + 1], noise[:, i + 1 :]], dim=1)
        assert (layer(mixed) - before)[:, : i + 1].abs().max() < 1e-5, f"place {i}"
