# %% questions wrong: the word itself is expected
def questions(source, target):
    row = [*source, BOS, *target, EOS]
    return row[:-1], row[:-1]


# %% questions wrong: the target alone is asked for
def questions(source, target):
    return [BOS, *target], [*target, EOS]


# %% questions wrong: EOS is read
def questions(source, target):
    row = [*source, BOS, *target, EOS]
    return row, [*row[1:], EOS]


# %% questions wrong: shifted to the other side
def questions(source, target):
    row = [*source, BOS, *target, EOS]
    return row[1:], row[:-1]


# %% questions wrong: no mark between the two
def questions(source, target):
    row = [*source, *target, EOS]
    return row[:-1], row[1:]


# %% questions right: put together from parts
def questions(source, target):
    return source + [BOS] + target, source[1:] + [BOS] + target + [EOS]


# %% questions right: in a loop
def questions(source, target):
    row, read, expected = [*source, BOS, *target, EOS], [], []
    for here, following in zip(row, row[1:]):
        read.append(here)
        expected.append(following)
    return read, expected


# %% bytes wrong: the keys alone
def cache_bytes(rows, words, layers, D, size):
    return rows * words * layers * D * size


# %% bytes wrong: queries as well
def cache_bytes(rows, words, layers, D, size):
    return 3 * rows * words * layers * D * size


# %% bytes wrong: one cache for all layers
def cache_bytes(rows, words, layers, D, size):
    return 2 * rows * words * D * size


# %% bytes wrong: numbers, not bytes
def cache_bytes(rows, words, layers, D, size):
    return 2 * rows * words * layers * D


# %% bytes right: layer by layer
def cache_bytes(rows, words, layers, D, size):
    key = value = rows * words * D * size
    return sum(key + value for _ in range(layers))


# %% bytes right: counted in tensors
def cache_bytes(rows, words, layers, D, size):
    return layers * sum(torch.empty(rows, words, D).numel() * size for _ in "KV")


# %% top-k wrong: the chances are not made 1 again
def top_k(logits, k, temperature=1.0):
    chances = (logits / temperature).softmax(dim=-1)
    lowest = chances.topk(k, dim=-1).values[..., -1:]
    return chances.masked_fill(chances < lowest, 0)


# %% top-k wrong: one word too many is cut
def top_k(logits, k, temperature=1.0):
    lowest = logits.topk(k, dim=-1).values[..., -1:]
    return (logits / temperature).masked_fill(logits <= lowest, -torch.inf).softmax(-1)


# %% top-k wrong: cut logits become 0, not −∞
def top_k(logits, k, temperature=1.0):
    lowest = logits.topk(k, dim=-1).values[..., -1:]
    return (logits / temperature).masked_fill(logits < lowest, 0).softmax(dim=-1)


# %% top-k wrong: times the temperature
def top_k(logits, k, temperature=1.0):
    lowest = logits.topk(k, dim=-1).values[..., -1:]
    return (logits * temperature).masked_fill(logits < lowest, -torch.inf).softmax(-1)


# %% top-k wrong: the words of the first row for all
def top_k(logits, k, temperature=1.0):
    rows = logits.reshape(-1, logits.shape[-1])
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept[..., rows[0].topk(k).indices] = True
    return (logits / temperature).masked_fill(~kept, -torch.inf).softmax(dim=-1)


# %% top-k right: with scatter
def top_k(logits, k, temperature=1.0):
    best = (logits / temperature).topk(k, dim=-1)
    chances = best.values.softmax(dim=-1)
    return torch.zeros_like(logits).scatter(-1, best.indices, chances)


# %% top-k right: by ranks
def top_k(logits, k, temperature=1.0):
    ranks = logits.argsort(dim=-1, descending=True).argsort(dim=-1)
    chances = (logits / temperature).softmax(dim=-1) * (ranks < k)
    return chances / chances.sum(dim=-1, keepdim=True)


# %% mended wrong: the places begin at 0 again
def mended(Q, K, V, cache=None):
    Q, K = rotary(Q), rotary(K)
    if cache is not None:
        K = torch.cat([cache[0], K], dim=-2)
        V = torch.cat([cache[1], V], dim=-2)
    allowed = causal_mask(K.shape[-2])[-Q.shape[-2] :]
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
    return weights @ V, (K, V)


# %% mended wrong: the values stay in the wrong order
def mended(Q, K, V, cache=None):
    past = 0 if cache is None else cache[0].shape[-2]
    places = torch.arange(past, past + Q.shape[-2])
    Q, K = rotary(Q, places), rotary(K, places)
    if cache is not None:
        K = torch.cat([cache[0], K], dim=-2)
        V = torch.cat([V, cache[1]], dim=-2)
    allowed = causal_mask(K.shape[-2])[-Q.shape[-2] :]
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
    return weights @ V, (K, V)


# %% mended wrong: the corner of the mask
def mended(Q, K, V, cache=None):
    past = 0 if cache is None else cache[0].shape[-2]
    places = torch.arange(past, past + Q.shape[-2])
    Q, K = rotary(Q, places), rotary(K, places)
    if cache is not None:
        K = torch.cat([cache[0], K], dim=-2)
        V = torch.cat([cache[1], V], dim=-2)
    allowed = causal_mask(Q.shape[-2], K.shape[-2])
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
    return weights @ V, (K, V)


# %% mended wrong: no mask, which is right for one new word only
def mended(Q, K, V, cache=None):
    past = 0 if cache is None else cache[0].shape[-2]
    places = torch.arange(past, past + Q.shape[-2])
    Q, K = rotary(Q, places), rotary(K, places)
    if cache is not None:
        K = torch.cat([cache[0], K], dim=-2)
        V = torch.cat([cache[1], V], dim=-2)
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5)
    return weights @ V, (K, V)


# %% mended wrong: kept keys are turned once more
def mended(Q, K, V, cache=None):
    past = 0 if cache is None else cache[0].shape[-2]
    if cache is not None:
        K = torch.cat([cache[0], K], dim=-2)
        V = torch.cat([cache[1], V], dim=-2)
    Q, K = rotary(Q, torch.arange(past, past + Q.shape[-2])), rotary(K)
    allowed = causal_mask(K.shape[-2])[-Q.shape[-2] :]
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
    return weights @ V, (K, V)


# %% mended wrong: all queries at the newest place
def mended(Q, K, V, cache=None):
    past = 0 if cache is None else cache[0].shape[-2]
    places = torch.arange(past, past + Q.shape[-2])
    Q, K = rotary(Q, places * 0 + places[-1]), rotary(K, places)
    if cache is not None:
        K = torch.cat([cache[0], K], dim=-2)
        V = torch.cat([cache[1], V], dim=-2)
    allowed = causal_mask(K.shape[-2])[-Q.shape[-2] :]
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
    return weights @ V, (K, V)


# %% mended right: keeps the keys as they come and turns all of them each time
def mended(Q, K, V, cache=None):
    if cache is not None:
        K = torch.cat([cache["keys"], K], dim=-2)
        V = torch.cat([cache["values"], V], dim=-2)
    L, S = Q.shape[-2], K.shape[-2]
    turned = rotary(Q, torch.arange(S - L, S)) @ rotary(K).mT
    weights = masked_softmax(turned / Q.shape[-1] ** 0.5, causal_mask(S)[S - L :])
    return weights @ V, {"keys": K, "values": V}


# %% mended right: a mask by comparing places
def mended(Q, K, V, cache=None):
    if cache is None:
        cache = K[..., :0, :], V[..., :0, :]
    past = cache[0].shape[-2]
    places = torch.arange(past, past + Q.shape[-2])
    K = torch.cat([cache[0], rotary(K, places)], dim=-2)
    V = torch.cat([cache[1], V], dim=-2)
    allowed = places[:, None] >= torch.arange(K.shape[-2])
    scores = rotary(Q, places) @ K.mT / Q.shape[-1] ** 0.5
    return scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1) @ V, [K, V]


# %% mended right: PyTorch's own attention
def mended(Q, K, V, cache=None):
    past = 0 if cache is None else cache[0].shape[-2]
    L = Q.shape[-2]
    Q, K = (
        rotary(Q, torch.arange(past, past + L)),
        rotary(K, torch.arange(past, past + L)),
    )
    if cache is not None:
        K, V = torch.cat([cache[0], K], dim=-2), torch.cat([cache[1], V], dim=-2)
    allowed = torch.ones(L, past + L, dtype=torch.bool).tril(past)
    out = torch.nn.functional.scaled_dot_product_attention(Q, K, V, attn_mask=allowed)
    return out, (K, V)


# %% mended wrong: changes the cache that it was given
def mended(Q, K, V, cache=None):
    cache = [] if cache is None else cache
    past = sum(keys.shape[-2] for keys, _ in cache)
    places = torch.arange(past, past + Q.shape[-2])
    Q, K = rotary(Q, places), rotary(K, places)
    cache.append((K, V))
    K, V = (torch.cat(parts, dim=-2) for parts in zip(*cache))
    allowed = causal_mask(K.shape[-2])[-Q.shape[-2] :]
    weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
    return weights @ V, cache
