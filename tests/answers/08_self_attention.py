# %% listen wrong: not scaled
def self_attention(X, W_Q, W_K, W_V):
    weights = (X @ W_Q @ (X @ W_K).mT).softmax(dim=-1)
    return weights @ X @ W_V, weights


# %% listen wrong: scaled by the width of X
def self_attention(X, W_Q, W_K, W_V):
    weights = (X @ W_Q @ (X @ W_K).mT / X.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ X @ W_V, weights


# %% listen wrong: softmax over the queries
def self_attention(X, W_Q, W_K, W_V):
    Q, K = X @ W_Q, X @ W_K
    weights = (Q @ K.mT / Q.shape[-1] ** 0.5).softmax(dim=0)
    return weights @ X @ W_V, weights


# %% listen wrong: queries and keys exchanged
def self_attention(X, W_Q, W_K, W_V):
    Q, K = X @ W_K, X @ W_Q
    weights = (Q @ K.mT / Q.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ X @ W_V, weights


# %% listen wrong: Q = K = V, literally
def self_attention(X, W_Q, W_K, W_V):
    weights = (X @ X.mT / W_Q.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ X @ W_V, weights


# %% listen right: word by word
def self_attention(X, W_Q, W_K, W_V):
    rows = []
    for x in X:
        scores = torch.stack([(x @ W_Q) @ (other @ W_K) for other in X])
        rows.append((scores / W_K.shape[1] ** 0.5).softmax(dim=0))
    weights = torch.stack(rows)
    return weights @ (X @ W_V), weights


# %% listen right: one matrix for query and key
def self_attention(X, W_Q, W_K, W_V):
    scores = X @ (W_Q @ W_K.T) @ X.T / W_Q.shape[-1] ** 0.5
    exps = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
    weights = exps / exps.sum(dim=1, keepdim=True)
    return (weights @ X) @ W_V, weights


# %% influence wrong: returns the weights
def influence(layer, X):
    return layer(X, X, X, None)[1].flatten(0, -3)[0]


# %% influence wrong: rows and columns exchanged
def influence(layer, X):
    L = X.shape[1]
    output, rows = layer(X, X, X, None)[0], []
    for j in range(L):
        allowed = torch.ones(L, L, dtype=torch.bool)
        allowed[:, j] = False
        rows.append((output - layer(X, X, X, allowed)[0])[0].norm(dim=-1))
    return torch.stack(rows)


# %% influence wrong: hides the queries
def influence(layer, X):
    L = X.shape[1]
    output, columns = layer(X, X, X, None)[0], []
    for j in range(L):
        allowed = torch.ones(L, L, dtype=torch.bool)
        allowed[j] = False
        columns.append((output - layer(X, X, X, allowed)[0])[0].norm(dim=-1))
    return torch.stack(columns, dim=1)


# %% influence wrong: mask upside down
def influence(layer, X):
    L = X.shape[1]
    output, columns = layer(X, X, X, None)[0], []
    for j in range(L):
        allowed = torch.zeros(L, L, dtype=torch.bool)
        allowed[:, j] = True
        columns.append((output - layer(X, X, X, allowed)[0])[0].norm(dim=-1))
    return torch.stack(columns, dim=1)


# %% influence wrong: sum of absolute changes, not the length
def influence(layer, X):
    L = X.shape[1]
    output, columns = layer(X, X, X, None)[0], []
    for j in range(L):
        allowed = (torch.arange(L) != j).expand(L, L)
        change = (output - layer(X, X, X, allowed)[0])[0]
        columns.append(change.abs().sum(dim=-1))
    return torch.stack(columns, dim=1)


# %% influence wrong: sets the word to zero instead of hiding it
def influence(layer, X):
    output, columns = layer(X, X, X, None)[0], []
    for j in range(X.shape[1]):
        silent = X.clone()
        silent[:, j] = 0
        columns.append((output - layer(X, silent, silent, None)[0])[0].norm(dim=-1))
    return torch.stack(columns, dim=1)


# %% influence right: the words hidden are a batch
def influence(layer, X):
    L = X.shape[1]
    allowed = ~torch.eye(L, dtype=torch.bool)[:, None].expand(L, L, L)
    batch = X.expand(L, -1, -1)
    change = layer(X, X, X, None)[0] - layer(batch, batch, batch, allowed)[0]
    return change.pow(2).sum(dim=-1).sqrt().T


# %% influence right: the word is left out of the text
def influence(layer, X):
    L = X.shape[1]
    result = torch.zeros(L, L)
    for j in range(L):
        rest = torch.cat([X[:, :j], X[:, j + 1 :]], dim=1)
        change = layer(X, X, X)[0] - layer(X, rest, rest)[0]
        for i in range(L):
            result[i, j] = torch.dist(change[0, i], torch.zeros_like(change[0, i]))
    return result


# %% influence wrong: the length of the sum of changes
def influence(layer, X):
    L = X.shape[1]
    output, columns = layer(X, X, X, None)[0], []
    for j in range(L):
        allowed = (torch.arange(L) != j).expand(L, L)
        change = (output - layer(X, X, X, allowed)[0])[0]
        columns.append(change.sum(dim=-1).abs())
    return torch.stack(columns, dim=1)


# %% silent wrong: one sentence
def silent_case():
    return 1, 4


# %% silent wrong: raises
def silent_case():
    return 3, 2


# %% silent wrong: one head, which raises
def silent_case():
    return 4, 1


# %% silent right: three of each
def silent_case():
    return 3, 3


# %% silent right: as usual in a translator
def silent_case():
    B = H = 8
    return B, H


# %% mended wrong: the axis of heads at the front
def mended_weights(scores, allowed):
    if allowed.ndim == 3:
        allowed = allowed[None]
    return layers.masked_softmax(scores, allowed)


# %% mended wrong: a mask for all heads gets an axis, too
def mended_weights(scores, allowed):
    return layers.masked_softmax(scores, allowed.unsqueeze(1))


# %% mended wrong: the first sentence's mask for all
def mended_weights(scores, allowed):
    if allowed.ndim == 3:
        allowed = allowed[0]
    return layers.masked_softmax(scores, allowed)


# %% mended wrong: only when sizes tell them apart
def mended_weights(scores, allowed):
    if allowed.ndim == 3 and scores.shape[0] != scores.shape[1]:
        allowed = allowed[:, None]
    return layers.masked_softmax(scores, allowed)


# %% mended wrong: repeated along the wrong axis
def mended_weights(scores, allowed):
    B, H, L, S = scores.shape
    if allowed.ndim == 3:
        allowed = allowed.expand(B, L, S).repeat(H, 1, 1).view(H, B, L, S)
        allowed = allowed.reshape(B, H, L, S)
    return layers.masked_softmax(scores, allowed)


# %% mended right: expanded in full
def mended_weights(scores, allowed):
    B, H, L, S = scores.shape
    if allowed.dim() == 2:
        allowed = allowed.expand(B, H, L, S)
    elif allowed.dim() == 3:
        allowed = allowed.unsqueeze(1).expand(B, H, L, S)
    masked = scores.masked_fill(~allowed, float("-inf"))
    return torch.softmax(masked, dim=-1).nan_to_num(0.0)


# %% mended right: head by head
def mended_weights(scores, allowed):
    heads = []
    for h in range(scores.shape[1]):
        mask = allowed[:, h] if allowed.ndim == 4 else allowed
        heads.append(layers.masked_softmax(scores[:, h], mask))
    return torch.stack(heads, dim=1)


# %% mended wrong: an axis of heads for every mask
def mended_weights(scores, allowed):
    return layers.masked_softmax(scores, allowed[:, None])


# %% mended wrong: ignores the scores
def mended_weights(scores, allowed):
    if allowed.ndim == 3:
        allowed = allowed[:, None]
    return layers.masked_softmax(torch.zeros_like(scores), allowed)


# %% mended wrong: a large negative number instead of −∞
def mended_weights(scores, allowed):
    if allowed.ndim == 3:
        allowed = allowed[:, None]
    return scores.masked_fill(~allowed, -1e9).softmax(dim=-1)


# %% cost wrong: self-attention's formula
def flops(L, S, D):
    return 8 * L * D**2 + 4 * L**2 * D


# %% cost wrong: S for all projections
def flops(L, S, D):
    return 8 * S * D**2 + 4 * L * S * D


# %% cost wrong: the output projection forgotten
def flops(L, S, D):
    return 2 * L * D**2 + 4 * S * D**2 + 4 * L * S * D


# %% cost wrong: multiplications only
def flops(L, S, D):
    return 2 * (L + S) * D**2 + 2 * L * S * D


# %% cost wrong: projections of one side
def flops(L, S, D):
    return 8 * L * D**2 + 4 * L * S * D


# %% cost right: one formula
def flops(L, S, D):
    return 4 * D * (D * (L + S) + L * S)


# %% cost right: product by product
def flops(L, S, D):
    products = [(L, D, D), (S, D, D), (S, D, D), (L, D, S), (L, S, D), (L, D, D)]
    return sum(2 * m * n * p for m, n, p in products)


# %% blank wrong: scaled by the whole width
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / Q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: not scaled
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    if allowed is not None:
        allowed = allowed.expand(len(Q), Q.shape[1], K.shape[1])[:, None]
    return merge_heads(masked_softmax(q @ k.mT, allowed) @ v) @ W_O


# %% blank wrong: softmax over the queries
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
        scores = scores.masked_fill(~allowed, -torch.inf)
    weights = scores.softmax(dim=-2).nan_to_num(0.0)
    return merge_heads(weights @ v) @ W_O


# %% blank wrong: cut by view, without a transposition
def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    B, L, D = Q.shape
    S, E = K.shape[1], D // heads
    q = (Q @ W_Q).view(B, heads, L, E)
    k, v = (K @ W_K).view(B, heads, S, E), (V @ W_V).view(B, heads, S, E)
    if allowed is not None:
        allowed = allowed.expand(B, L, S)[:, None]
    weights = masked_softmax(q @ k.mT / E**0.5, allowed)
    return (weights @ v).reshape(B, L, D) @ W_O


# %% blank wrong: merged without a transposition
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    weights = masked_softmax(scores, allowed)
    return (weights @ v).reshape(Q.shape) @ W_O


# %% blank wrong: the last matrix forgotten
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v)


# %% blank wrong: keys and values from the queries' source
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, Q @ W_K, Q @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: matrices transposed, as in nn.Linear
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q.T, K @ W_K.T, V @ W_V.T))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O.T


# %% blank wrong: the mask upside down
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = ~allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: masked after the softmax
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
    if allowed is not None:
        weights = weights * allowed.expand(len(Q), *weights.shape[-2:])[:, None]
    return merge_heads(weights @ v) @ W_O


# %% blank wrong: sentences taken for heads in the mask
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    weights = masked_softmax(q @ k.mT / q.shape[-1] ** 0.5, allowed)
    return merge_heads(weights @ v) @ W_O


# %% blank wrong: NaN where nothing is allowed
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        hidden = ~allowed.expand(len(Q), *scores.shape[-2:])[:, None]
        scores = scores.masked_fill(hidden, -torch.inf)
    return merge_heads(scores.softmax(dim=-1) @ v) @ W_O


# %% blank wrong: a large negative number instead of −∞
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        hidden = ~allowed.expand(len(Q), *scores.shape[-2:])[:, None]
        scores = scores.masked_fill(hidden, -1e9)
    return merge_heads(scores.softmax(dim=-1) @ v) @ W_O


# %% blank wrong: one head, whatever is asked
def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    scores = (Q @ W_Q) @ (K @ W_K).mT / Q.shape[-1] ** 0.5
    return masked_softmax(scores, allowed) @ (V @ W_V) @ W_O


# %% blank wrong: heads averaged, not laid side by side
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    context = (masked_softmax(scores, allowed) @ v).mean(dim=1)
    return context.repeat(1, 1, heads) @ W_O


# %% blank wrong: writes into its argument
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    E = Q.shape[-1] // heads
    W_Q /= E**0.5
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    if allowed is not None:
        allowed = allowed.expand(len(Q), Q.shape[1], K.shape[1])[:, None]
    return merge_heads(masked_softmax(q @ k.mT, allowed) @ v) @ W_O


# %% blank right: all heads at once, by view and transpose
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    B, L, D = Q.shape
    S, E = K.shape[1], D // heads
    queries = (Q @ W_Q).view(B, L, heads, E).transpose(1, 2)  # (B, H, L, E)
    keys = (K @ W_K).view(B, S, heads, E).transpose(1, 2)  # (B, H, S, E)
    values = (V @ W_V).view(B, S, heads, E).transpose(1, 2)  # (B, H, S, E)

    scores = queries @ keys.mT / E**0.5  # (B, H, L, S)
    if allowed is None:
        weights = scores.softmax(dim=-1)
    else:
        allowed = allowed.expand(B, L, S)[:, None]  # (B, 1, L, S)
        scores = scores.masked_fill(~allowed, -torch.inf)
        weights = scores.softmax(dim=-1).masked_fill(~allowed, 0)  # no NaN is left
    context = (weights @ values).transpose(1, 2).reshape(B, L, D)
    return context @ W_O


# %% blank right: einsum
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    W_Q, W_K, W_V = (W.unflatten(1, (heads, -1)) for W in (W_Q, W_K, W_V))  # (D, H, E)
    q = torch.einsum("bld,dhe->bhle", Q, W_Q)
    k = torch.einsum("bsd,dhe->bhse", K, W_K)
    v = torch.einsum("bsd,dhe->bhse", V, W_V)
    scores = torch.einsum("bhle,bhse->bhls", q, k) / q.shape[-1] ** 0.5
    if allowed is not None:
        mask = torch.zeros(allowed.shape).masked_fill(~allowed, float("-inf"))
        scores = scores + (mask if mask.ndim == 2 else mask[:, None])
    weights = torch.nan_to_num(torch.softmax(scores, dim=-1))
    W_O = W_O.unflatten(0, (heads, -1))  # (H, E, D)
    return torch.einsum("bhls,bhse,hed->bld", weights, v, W_O)


# %% blank right: a loop over heads
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    E = Q.shape[-1] // heads
    contexts = []
    for h in range(heads):
        cut = slice(h * E, (h + 1) * E)
        scores = (Q @ W_Q[:, cut]) @ (K @ W_K[:, cut]).transpose(1, 2) / E**0.5
        if allowed is None:
            weights = scores.softmax(-1)
        else:
            exps = (scores - scores.amax(-1, keepdim=True)).exp() * allowed
            weights = exps / exps.sum(-1, keepdim=True).clamp(min=1e-30)
        contexts.append(weights @ (V @ W_V[:, cut]))
    return torch.cat(contexts, dim=-1) @ W_O


# %% blank right: chunks, stacked in front; heads multiply the batch
def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (
        torch.cat((X @ W).chunk(heads, dim=-1))  # (H·B, …, E)
        for X, W in [(Q, W_Q), (K, W_K), (V, W_V)]
    )
    scores = torch.bmm(q, k.transpose(1, 2)) / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[1:]).repeat(heads, 1, 1)
    weights = masked_softmax(scores, allowed)
    return torch.cat(torch.bmm(weights, v).chunk(heads), dim=-1) @ W_O


# %% blank wrong: PyTorch's fused function
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (
        (X @ W).unflatten(-1, (heads, -1)).transpose(1, 2)
        for X, W in [(Q, W_Q), (K, W_K), (V, W_V)]
    )
    if allowed is not None and allowed.ndim == 3:
        allowed = allowed.unsqueeze(1)
    attend = nn.functional.scaled_dot_product_attention
    context = attend(q, k, v, attn_mask=allowed)
    weights = attend(q, k, torch.eye(K.shape[1]).expand(*k.shape[:3], -1), allowed)
    return context.transpose(1, 2).flatten(2) @ W_O, weights


# %% blank wrong: the book's layer, with the matrices put in
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    layer = MultiHeadAttention(Q.shape[-1], heads)
    with torch.no_grad():
        for name, W in zip(["W_Q", "W_K", "W_V", "W_O"], [W_Q, W_K, W_V, W_O]):
            getattr(layer, name).weight.copy_(W.T)
            getattr(layer, name).bias.zero_()
    return layer(Q, K, V, allowed)


# %% blank right: sentence by sentence, word by word
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    B, L, D = Q.shape
    S, E = K.shape[1], D // heads
    if allowed is None:
        allowed = torch.ones(L, S, dtype=torch.bool)
    allowed = allowed.expand(B, L, S)
    context = torch.zeros(B, L, D)
    for b in range(B):
        for i in range(L):
            seen = [j for j in range(S) if allowed[b, i, j]]
            for h in range(heads if seen else 0):
                cut = slice(h * E, (h + 1) * E)
                q = Q[b, i] @ W_Q[:, cut]
                scores = [q @ (K[b, j] @ W_K[:, cut]) / E**0.5 for j in seen]
                weights = torch.softmax(torch.stack(scores), dim=0)
                for weight, j in zip(weights, seen):
                    context[b, i, cut] += weight * (V[b, j] @ W_V[:, cut])
    return context @ W_O


# %% blank wrong: the first sentence's mask for all
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None and allowed.ndim == 3:
        allowed = allowed[0]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: only hides sentences that are hidden as a whole
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])
        if allowed.shape[1] == allowed.shape[2]:
            weights = scores.masked_fill(~allowed[:, None], -torch.inf).softmax(dim=-1)
        empty = ~allowed.any(dim=-1).any(dim=-1)
        weights = weights.masked_fill(empty[:, None, None, None], 0)
    return merge_heads(weights @ v) @ W_O


# %% blank wrong: NaN in an empty row of a live sentence
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        empty = ~allowed.flatten(1).any(dim=-1)
        weights = weights.masked_fill(empty[:, None, None, None], 0)
    return merge_heads(weights @ v) @ W_O


# %% blank wrong: the whole sentence is 0 when one row is empty
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
        full = allowed.any(dim=-1).all(dim=-1)[..., None, None]
        allowed = allowed & full
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: two heads, whatever is asked
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    heads = min(heads, 2)
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: the reference of the tests
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    return reference(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed)


# %% blank wrong: PyTorch's own layer
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    layer = nn.MultiheadAttention(Q.shape[-1], heads, bias=False, batch_first=True)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([W_Q.T, W_K.T, W_V.T]))
        layer.out_proj.weight.copy_(W_O.T)
    if allowed is not None:
        allowed = allowed.expand(len(Q), Q.shape[1], K.shape[1])
        allowed = ~allowed.repeat_interleave(heads, dim=0)
    return layer.eval()(Q, K, V, attn_mask=allowed)[0].nan_to_num(0)


# %% blank wrong: chapter 6's functions, imported
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    from attend.layers import masked_softmax, merge_heads, split_heads

    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: chapter 6's functions, imported at the top
from attend.layers import masked_softmax, merge_heads, split_heads


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    return merge_heads(masked_softmax(scores, allowed) @ v) @ W_O


# %% blank wrong: PyTorch's fused function, imported at the top
from torch.nn.functional import scaled_dot_product_attention as fused


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (
        (X @ W).unflatten(-1, (heads, -1)).transpose(1, 2)
        for X, W in [(Q, W_Q), (K, W_K), (V, W_V)]
    )
    if allowed is not None and allowed.ndim == 3:
        allowed = allowed[:, None]
    context = fused(q, k, v, attn_mask=allowed).nan_to_num(0)
    return context.transpose(1, 2).flatten(2) @ W_O


# %% blank wrong: part I's function, imported at the top
from attend.attention import attention


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (
        (X @ W).unflatten(-1, (heads, -1)).transpose(1, 2).numpy()
        for X, W in [(Q, W_Q), (K, W_K), (V, W_V)]
    )
    q = q / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), q.shape[2], k.shape[2]).numpy()
    heads = [attention(q[:, h], k[:, h], v[:, h], allowed)[0] for h in range(heads)]
    return torch.cat([torch.tensor(x).float() for x in heads], dim=-1) @ W_O


# %% blank right: helpers of one's own, by the chapter's names
def split_heads(X, heads):
    return X.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(X):
    return X.transpose(1, 2).flatten(2)


def masked_softmax(scores, allowed=None):
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (split_heads(X, heads) for X in (Q @ W_Q, K @ W_K, V @ W_V))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if allowed is not None:
        allowed = allowed.expand(len(Q), *scores.shape[-2:])[:, None]
    weights = masked_softmax(scores, allowed)
    return merge_heads(weights @ v) @ W_O, weights


# %% blank right: view and softmax by hand
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    B, D = len(Q), Q.shape[-1]
    E = D // heads

    def cut(X):
        return X.view(B, -1, heads, E).permute(0, 2, 1, 3)

    q, k, v = cut(torch.matmul(Q, W_Q)), cut(torch.matmul(K, W_K)), cut(V @ W_V)
    scores = torch.matmul(q, k.permute(0, 1, 3, 2)) / torch.sqrt(torch.tensor(E))
    exps = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    if allowed is not None:
        if allowed.dim() == 3:
            allowed = allowed.unsqueeze(1)
        exps = torch.where(allowed, exps, torch.zeros_like(exps))
    sums = exps.sum(dim=-1, keepdim=True)
    weights = exps / torch.where(sums == 0, torch.ones_like(sums), sums)
    context = torch.matmul(weights, v).permute(0, 2, 1, 3).contiguous()
    return context.view(B, -1, D) @ W_O


# %% influence wrong: the hidden word asks no more
def influence(layer, X):
    L, moves = X.shape[1], []
    for j in range(L):
        hidden = (torch.arange(L) != j).expand(L, L)
        Y = X * (torch.arange(L) != j)[:, None]
        change = layer(Y, Y, Y, hidden)[0] - layer(X, X, X, None)[0]
        moves.append(change[0].norm(dim=-1))
    return torch.stack(moves, dim=1)


# %% influence wrong: the change of the length, not the length of the change
def influence(layer, X):
    L, moves = X.shape[1], []
    for j in range(L):
        hidden = (torch.arange(L) != j).expand(L, L)
        lengths = [layer(X, X, X, m)[0][0].norm(dim=-1) for m in (hidden, None)]
        moves.append((lengths[0] - lengths[1]).abs())
    return torch.stack(moves, dim=1)


# %% mended wrong: takes it that the mask has as many sentences as the scores
def mended_weights(scores, allowed):
    B, _, L, S = scores.shape
    if allowed.ndim == 3:
        allowed = allowed.reshape(B, 1, L, S)
    return layers.masked_softmax(scores, allowed)


# %% cost wrong: all projections are S long, all products L × L
def flops(L, S, D):
    return 8 * S * D**2 + 4 * L**2 * D


# %% blank wrong: a softmax that overflows
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    contexts = []
    parts = [(X @ W).chunk(heads, -1) for X, W in [(Q, W_Q), (K, W_K), (V, W_V)]]
    for q, k, v in zip(*parts, strict=True):
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        exps = torch.exp(scores)
        contexts.append((exps / exps.sum(dim=-1, keepdim=True)).nan_to_num(0) @ v)
    return torch.cat(contexts, dim=-1) @ W_O


# %% blank wrong: the scores by a ready-made rule
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    contexts = []
    parts = [(X @ W).chunk(heads, -1) for X, W in [(Q, W_Q), (K, W_K), (V, W_V)]]
    for q, k, v in zip(*parts, strict=True):
        scores = layers.ScaledDot()(q, k)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        contexts.append(scores.softmax(dim=-1).nan_to_num(0) @ v)
    return torch.cat(contexts, dim=-1) @ W_O


# %% influence right: a mask with an axis for the heads
def influence(layer, X):
    L, moves = X.shape[1], []
    before = layer(X, X, X)[0]
    for j in range(L):
        hidden = (torch.arange(L) != j).expand(1, 1, L, L)
        moves.append((layer(X, X, X, hidden)[0] - before)[0].norm(dim=-1))
    return torch.stack(moves, dim=1)
