# %% newest wrong: exhibit 9, the corner at the top left
def newest_mask(L, S):
    return causal_mask(L, S)


# %% newest wrong: everything is allowed
def newest_mask(L, S):
    return torch.ones(L, S, dtype=torch.bool)


# %% newest wrong: the first rows instead of the last
def newest_mask(L, S):
    return causal_mask(S)[:L]


# %% newest wrong: a new word does not see itself
def newest_mask(L, S):
    return torch.ones(L, S, dtype=torch.bool).tril(S - L - 1)


# %% newest wrong: new words do not see each other
def newest_mask(L, S):
    new = torch.eye(L, dtype=torch.bool)
    return torch.cat([torch.ones(L, S - L, dtype=torch.bool), new], dim=1)


# %% newest wrong: True means hidden
def newest_mask(L, S):
    return ~causal_mask(S)[-L:]


# %% newest wrong: numbers instead of bool
def newest_mask(L, S):
    return causal_mask(S)[-L:].float()


# %% newest right: tril with its second argument
def newest_mask(L, S):
    return torch.ones(L, S, dtype=torch.bool).tril(S - L)


# %% newest right: stored keys beside a causal mask
def newest_mask(L, S):
    stored = torch.ones(L, S - L, dtype=torch.bool)
    return torch.cat([stored, causal_mask(L)], dim=1)


# %% newest right: by places
def newest_mask(L, S):
    return torch.arange(S) <= torch.arange(S - L, S)[:, None]


# %% name wrong: takes 1 for 3
def name_the_exhibit(weights, allowed):
    if not torch.isclose(weights.sum(-1), torch.tensor(1.0), atol=1e-5).all():
        return 3
    if not weights[:, ~allowed[0]].any():
        return 0
    return 2 if weights[:, allowed[0]].any() else 4


# %% name wrong: takes 4 for 2
def name_the_exhibit(weights, allowed):
    hidden = bool(weights[:, ~allowed[0]].any())
    if not torch.isclose(weights.sum(-1), torch.tensor(1.0), atol=1e-5).all():
        return 1 if hidden else 3
    return 2 if hidden else 0


# %% name wrong: sums must be exactly 1
def name_the_exhibit(weights, allowed):
    hidden = bool(weights[:, ~allowed[0]].any())
    if (weights.sum(-1) != 1).any():
        return 1 if hidden else 3
    if not hidden:
        return 0
    return 2 if weights[:, allowed[0]].any() else 4


# %% name wrong: thinks that hidden keys stand at the end
def name_the_exhibit(weights, allowed):
    n = int(allowed.sum())
    hidden = bool(weights[:, n:].any())
    if not torch.isclose(weights.sum(-1), torch.tensor(1.0), atol=1e-5).all():
        return 1 if hidden else 3
    if not hidden:
        return 0
    return 2 if weights[:, :n].any() else 4


# %% name wrong: looks at the sum of all weights only
def name_the_exhibit(weights, allowed):
    hidden = bool(weights[:, ~allowed[0]].any())
    total = weights.sum()
    if abs(total - weights.shape[1]) < 1e-5:
        return 1
    if abs(total - weights.shape[0]) > 1e-5:
        return 3
    if not hidden:
        return 0
    return 2 if weights[:, allowed[0]].any() else 4


# %% name right: asks the alarms
def name_the_exhibit(weights, allowed):
    def rings(alarm, *arguments):
        try:
            alarm("weights", weights, *arguments)
        except AssertionError as error:
            return str(error)
        return ""

    message = rings(check.fits_mask, allowed)
    if not message:
        return 0
    if "inverted" in message:
        return 4
    if "on a hidden key" not in message:
        return 3
    return 1 if rings(check.rows_sum_to_one) else 2


# %% name right: columns first, and a table of three facts
def name_the_exhibit(weights, allowed):
    one = torch.tensor(1.0)
    columns = torch.isclose(weights.sum(dim=0), one, atol=1e-5).all().item()
    rows = torch.isclose(weights.sum(dim=1), one, atol=1e-5).all().item()
    if columns and not rows:
        return 1
    on_words = weights.masked_fill(~allowed, 0).sum() > 0
    on_hidden = weights.masked_fill(allowed, 0).sum() > 0
    if not rows:
        return 3
    return {(True, False): 0, (True, True): 2, (False, True): 4}[
        on_words.item(), on_hidden.item()
    ]


# %% step wrong: both bugs as they were
def mended_step(q, k, v, K, V):
    return buggy_step(q, k, v, K, V)


# %% step wrong: only the corner mended
def mended_step(q, k, v, K, V):
    q, k = rotary(q), rotary(k)
    K, V = torch.cat([K, k]), torch.cat([V, v])
    return masked_softmax(q @ K.mT / q.shape[-1] ** 0.5) @ V, K, V


# %% step wrong: only the places mended
def mended_step(q, k, v, K, V):
    place = torch.tensor([len(K)])
    q, k = rotary(q, place), rotary(k, place)
    K, V = torch.cat([K, k]), torch.cat([V, v])
    scores = q @ K.mT / q.shape[-1] ** 0.5
    return masked_softmax(scores, causal_mask(1, len(K))) @ V, K, V


# %% step wrong: turns the query and forgets the key
def mended_step(q, k, v, K, V):
    q, k = rotary(q, torch.tensor([len(K)])), rotary(k)
    K, V = torch.cat([K, k]), torch.cat([V, v])
    return masked_softmax(q @ K.mT / q.shape[-1] ** 0.5) @ V, K, V


# %% step wrong: the place of the query is one too large
def mended_step(q, k, v, K, V):
    k = rotary(k, torch.tensor([len(K)]))
    K, V = torch.cat([K, k]), torch.cat([V, v])
    q = rotary(q, torch.tensor([len(K)]))
    return masked_softmax(q @ K.mT / q.shape[-1] ** 0.5) @ V, K, V


# %% step wrong: turns the stored keys once more at each step
def mended_step(q, k, v, K, V):
    K, V = rotary(torch.cat([K, k])), torch.cat([V, v])
    q = rotary(q, torch.tensor([len(K) - 1]))
    return masked_softmax(q @ K.mT / q.shape[-1] ** 0.5) @ V, K, V


# %% step wrong: the newest word does not see itself
def mended_step(q, k, v, K, V):
    place = torch.tensor([len(K)])
    q, k = rotary(q, place), rotary(k, place)
    weights = masked_softmax(q @ K.mT / q.shape[-1] ** 0.5)
    return weights @ V, torch.cat([K, k]), torch.cat([V, v])


# %% step right: stores the keys as they were, and turns all of them at each step
def mended_step(q, k, v, K, V):
    K, V = torch.cat([K, k]), torch.cat([V, v])
    q = rotary(q, torch.tensor([len(K) - 1]))
    scores = q @ rotary(K).mT / q.shape[-1] ** 0.5
    return torch.softmax(scores, dim=-1) @ V, K, V


# %% step right: only the distance counts, and the last row of the causal mask
def mended_step(q, k, v, K, V):
    K, V = torch.cat([K, k]), torch.cat([V, v])
    n = len(K)
    turned = rotary(K, torch.arange(1 - n, 1))  # the newest word stands at 0
    scores = q @ turned.mT / q.shape[-1] ** 0.5
    return masked_softmax(scores, causal_mask(n)[-1:]) @ V, K, V


# %% alone wrong: never rings
def assert_alone(layer, X, lengths):
    layer(X, lengths)


# %% alone wrong: looks at the first sentence only
def assert_alone(layer, X, lengths):
    n = int(lengths[0])
    alone = layer(X[:1, :n], lengths[:1])[0]
    assert torch.allclose(layer(X, lengths)[0, :n], alone, atol=1e-5), "differs"


# %% alone wrong: compares the padding, too
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths)
    for b in range(len(X)):
        alone = layer(X[b : b + 1].clone(), lengths[b : b + 1])[0]
        assert torch.allclose(together[b], alone, atol=1e-5), f"sentence {b} differs"


# %% alone wrong: keeps the padding when it is alone
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths.clone())
    for b, n in enumerate(lengths.tolist()):
        alone = layer(X[b : b + 1].clone(), lengths[b : b + 1].clone())[0, :n]
        assert torch.allclose(together[b, :n], alone, atol=1e-5), f"{b} differs"


# %% alone wrong: compares the means
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths.clone())
    for b, n in enumerate(lengths.tolist()):
        alone = layer(X[b : b + 1, :n].clone(), lengths[b : b + 1].clone())[0]
        assert abs(together[b, :n].mean() - alone.mean()) < 1e-3, f"{b} differs"


# %% alone wrong: no message
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths.clone())
    for b, n in enumerate(lengths.tolist()):
        alone = layer(X[b : b + 1, :n].clone(), lengths[b : b + 1].clone())[0]
        assert torch.allclose(together[b, :n], alone, atol=1e-5)


# %% alone wrong: rings for rounding
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths.clone())
    for b, n in enumerate(lengths.tolist()):
        alone = layer(X[b : b + 1, :n].clone(), lengths[b : b + 1].clone())[0]
        assert torch.equal(together[b, :n], alone), f"sentence {b} differs"


# %% alone wrong: NaN is never larger than the limit
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths.clone())
    for b, n in enumerate(lengths.tolist()):
        alone = layer(X[b : b + 1, :n].clone(), lengths[b : b + 1].clone())[0]
        if (together[b, :n] - alone).abs().max() > 1e-5:
            raise AssertionError(f"sentence {b} differs")


# %% alone right: with check.is_close
def assert_alone(layer, X, lengths):
    together = layer(X.clone(), lengths.clone())
    for b in range(len(X)):
        n = lengths[b].item()
        alone = layer(X[b, :n][None].clone(), lengths[b][None].clone())[0]
        check.is_close(f"sentence {b}", together[b, :n], alone, "In a batch.", 9e-6)


# %% alone right: collects all sentences that differ
def assert_alone(layer, X, lengths):
    together, different = layer(X.clone(), lengths.clone()), []
    for b, n in enumerate(lengths.tolist()):
        alone = layer(X[b : b + 1, :n].clone(), torch.tensor([n]))[0]
        close = (together[b, :n] - alone).abs() < 1e-5  # NaN is not close
        if not close.all():
            different.append(b)
    if different:
        raise AssertionError(f"these sentences notice their neighbours: {different}")
