# %% residual wrong: the query is left out
def residual(context, Q, W, b):
    return context @ W + b


# %% residual wrong: the bias is forgotten
def residual(context, Q, W, b):
    return Q + context @ W


# %% residual wrong: the query goes through W, too
def residual(context, Q, W, b):
    return (Q + context @ W) + Q @ W.mT @ W + b


# %% residual wrong: one context for a batch
def residual(context, Q, W, b):
    context = context.reshape(-1, *context.shape[-2:])[0]
    return Q + context @ W + b


# %% residual wrong: laid side by side, not added
def residual(context, Q, W, b):
    Q = Q.expand(*context.shape[:-1], -1)
    return torch.cat([context @ W + b, Q], dim=-1)


# %% residual wrong: adds in place, into the query
def residual(context, Q, W, b):
    answer = context @ W + b
    Q += answer.reshape(-1, *answer.shape[-2:])[0] * 0 + b * 0 + answer.mean() * 1e-3
    return Q + answer


# %% residual right: a linear layer of PyTorch
def residual(context, Q, W, b):
    return F.linear(context, W.T, b) + Q


# %% residual right: number by number
def residual(context, Q, W, b):
    answer = (context[..., :, None] * W).sum(dim=-2)
    return Q.expand_as(answer) + (answer + b)


# %% gate wrong: query and context change places
def gate(context, Q, W, b):
    g = torch.sigmoid(torch.cat([Q.expand_as(context), context], dim=-1) @ W + b)
    return g * context + (1 - g) * Q


# %% gate wrong: the open gate lets the query through
def gate(context, Q, W, b):
    Q = Q.expand_as(context)
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W + b)
    return g * Q + (1 - g) * context


# %% gate wrong: the features compete in a softmax
def gate(context, Q, W, b):
    Q = Q.expand_as(context)
    g = torch.softmax(torch.cat([context, Q], dim=-1) @ W + b, dim=-1)
    return g * context + (1 - g) * Q


# %% gate wrong: only the context decides
def gate(context, Q, W, b):
    g = torch.sigmoid(context @ W[: context.shape[-1]] + b)
    return g * context + (1 - g) * Q


# %% gate wrong: the bias is forgotten
def gate(context, Q, W, b):
    Q = Q.expand_as(context)
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W)
    return g * context + (1 - g) * Q


# %% gate wrong: one set of queries cannot ask a batch
def gate(context, Q, W, b):
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W + b)
    return g * context + (1 - g) * Q


# %% gate wrong: changes the context it was given
def gate(context, Q, W, b):
    Q = Q.expand_as(context)
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W + b)
    context *= g
    return context + (1 - g) * Q


# %% gate wrong: only the bias decides
def gate(context, Q, W, b):
    g = torch.sigmoid(b)
    return g * context + (1 - g) * Q


# %% gate wrong: one gate for all features
def gate(context, Q, W, b):
    Q = Q.expand_as(context)
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W + b)
    g = g.mean(dim=-1, keepdim=True)
    return g * context + (1 - g) * Q


# %% gate wrong: half of 1 + tanh is a sigmoid of twice as much
def gate(context, Q, W, b):
    Q = Q.expand_as(context)
    g = (1 + torch.tanh(torch.cat([context, Q], dim=-1) @ W + b)) / 2
    return g * context + (1 - g) * Q


# %% gate right: two matrices added up, and lerp
def gate(context, Q, W, b):
    W_c, W_q = W.chunk(2)
    return torch.lerp(Q, context, torch.sigmoid(context @ W_c + Q @ W_q + b))


# %% gate right: a softmax of two
def gate(context, Q, W, b):
    Q = torch.broadcast_to(Q, context.shape)
    z = F.linear(torch.cat([context, Q], dim=-1), W.T, b)
    shares = torch.softmax(torch.stack([z, torch.zeros_like(z)]), dim=0)
    return (shares * torch.stack([context, Q])).sum(dim=0)


# %% cosine wrong: only the query's length is divided out
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        return self.scale * F.normalize(Q, dim=-1) @ K.mT


# %% cosine wrong: a vector of length 0 gives NaN
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        Q, K = Q / Q.norm(dim=-1, keepdim=True), K / K.norm(dim=-1, keepdim=True)
        return self.scale * Q @ K.mT


# %% cosine wrong: the scale is no parameter
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.tensor(1.0)

    def forward(self, Q, K):
        return self.scale * F.normalize(Q, dim=-1) @ F.normalize(K, dim=-1).mT


# %% cosine wrong: the scale is not used
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        return F.normalize(Q, dim=-1) @ F.normalize(K, dim=-1).mT


# %% cosine wrong: the lengths are cut off from the gradient
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        lengths = Q.norm(dim=-1)[..., :, None] * K.norm(dim=-1)[..., None, :]
        return self.scale * (Q @ K.mT) / lengths.detach().clamp_min(1e-9)


# %% cosine wrong: normalises over the words
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        return self.scale * F.normalize(Q, dim=-2) @ F.normalize(K, dim=-2).mT


# %% cosine wrong: one scale a feature
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, Q, K):
        return self.scale * F.normalize(Q, dim=-1) @ F.normalize(K, dim=-1).mT


# %% cosine wrong: the scale comes in twice
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        Q, K = F.normalize(Q, dim=-1), F.normalize(K, dim=-1)
        return (self.scale * Q) @ (self.scale * K).mT


# %% cosine wrong: a key of length 0 gives NaN
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        K = K / K.norm(dim=-1, keepdim=True)
        return self.scale * F.normalize(Q, dim=-1) @ K.mT


# %% cosine wrong: turns all axes of the keys round
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, Q, K):
        K = F.normalize(K, dim=-1).permute(*reversed(range(K.ndim)))  # as .T does
        return self.scale * F.normalize(Q, dim=-1) @ K


# %% cosine right: by torch's own cosine
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, Q, K):
        pairs = Q[..., :, None, :], K[..., None, :, :]
        return self.scale * F.cosine_similarity(*pairs, dim=-1)


# %% cosine right: dot product over the product of the lengths
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, Q, K):
        lengths = Q.norm(dim=-1)[..., :, None] * K.norm(dim=-1)[..., None, :]
        return self.scale * (Q @ K.mT) / lengths.clamp_min(1e-12)


# %% mended wrong: dropout stays on in evaluation
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.p = p
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([F.dropout(weights, self.p) @ V, Q], dim=-1)
        return self.linear(combined), weights


# %% mended wrong: scores are still what is dropped
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(self.dropout(Q @ K.mT), dim=-1)
        return self.linear(torch.cat([weights @ V, Q], dim=-1)), weights


# %% mended wrong: the linear layer is still made anew
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout, self.output_width = nn.Dropout(p), output_width

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([self.dropout(weights) @ V, Q], dim=-1)
        linear = nn.Linear(combined.shape[-1], self.output_width).to(Q)
        return linear(combined), weights


# %% mended wrong: returns the weights after dropout
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = self.dropout(torch.softmax(Q @ K.mT, dim=-1))
        return self.linear(torch.cat([weights @ V, Q], dim=-1)), weights


# %% mended wrong: drops the context's features instead of words
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([self.dropout(weights @ V), Q], dim=-1)
        return self.linear(combined), weights


# %% mended wrong: makes the rows sum to 1 again
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        kept = F.normalize(self.dropout(weights), p=1, dim=-1)
        return self.linear(torch.cat([kept @ V, Q], dim=-1)), weights


# %% mended wrong: no dropout at all
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        return self.linear(torch.cat([weights @ V, Q], dim=-1)), weights


# %% mended wrong: the query is dropped, too
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = [self.dropout(weights) @ V, self.dropout(Q)]
        return self.linear(torch.cat(combined, dim=-1)), weights


# %% mended wrong: keeps with probability p
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(1 - p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([self.dropout(weights) @ V, Q], dim=-1)
        return self.linear(combined), weights


# %% mended wrong: a probability of its own
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(0.3)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([self.dropout(weights) @ V, Q], dim=-1)
        return self.linear(combined), weights


# %% mended wrong: drops numbers of V
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([weights @ self.dropout(V), Q], dim=-1)
        return self.linear(combined), weights


# %% mended wrong: survivors are not divided by 1 − p
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        used = self.dropout(weights) * (1 - self.dropout.p * self.training)
        combined = torch.cat([used @ V, Q], dim=-1)
        return self.linear(combined), weights


# %% mended wrong: a word is kept for all queries or for none
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        used = weights * self.dropout(torch.ones_like(weights[..., :1, :]))
        combined = torch.cat([used @ V, Q], dim=-1)
        return self.linear(combined), weights


# %% mended right: asks self.training
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.p = p
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        kept = F.dropout(weights, self.p, self.training)
        return self.linear(torch.cat([kept @ V, Q], dim=-1)), weights


# %% mended right: coins of its own
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.p = p
        self.linear = nn.Linear(value_width + query_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        used = weights
        if self.training:
            used = weights * (torch.rand_like(weights) >= self.p) / (1 - self.p)
        return self.linear(torch.cat([used @ V, Q], dim=-1)), weights


# %% mended right: the book's own layer inside
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        inner = AttentionLayer(Dot(), query_width, value_width, output_width, dropout=p)
        self.inner, self.linear = inner, inner.linear

    def forward(self, Q, K, V):
        self.inner.linear = self.linear
        return self.inner(Q, K, V)


# %% blockwise wrong: makes the whole matrix
def blockwise_attention(Q, K, V, block):
    return torch.softmax(Q @ K.mT / Q.shape[-1] ** 0.5, dim=-1) @ V


# %% blockwise wrong: calls the fused kernel
def blockwise_attention(Q, K, V, block):
    return F.scaled_dot_product_attention(Q, K, V)


# %% blockwise wrong: a softmax for each block
def blockwise_attention(Q, K, V, block):
    blocks = list(zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True))
    parts = [torch.softmax(Q @ k.mT / Q.shape[-1] ** 0.5, -1) @ v for k, v in blocks]
    return sum(parts) / len(parts)


# %% blockwise wrong: no maximum, so large scores overflow
def blockwise_attention(Q, K, V, block):
    total = context = 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        exps = torch.exp(Q @ k.mT / Q.shape[-1] ** 0.5)
        total, context = total + exps.sum(-1, keepdim=True), context + exps @ v
    return context / total


# %% blockwise wrong: the highest score starts at 0
def blockwise_attention(Q, K, V, block):
    highest = Q.new_zeros(*Q.shape[:-1], 1)
    total = context = 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        scores = Q @ k.mT / Q.shape[-1] ** 0.5
        higher = torch.maximum(highest, scores.amax(dim=-1, keepdim=True))
        exps, shrink = torch.exp(scores - higher), torch.exp(highest - higher)
        total = total * shrink + exps.sum(-1, keepdim=True)
        context, highest = context * shrink + exps @ v, higher
    return context / total


# %% blockwise wrong: forgets to shrink the context
def blockwise_attention(Q, K, V, block):
    highest, total, context = torch.full((*Q.shape[:-1], 1), -torch.inf), 0, 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        scores = Q @ k.mT / Q.shape[-1] ** 0.5
        higher = torch.maximum(highest, scores.amax(-1, keepdim=True))
        exps = torch.exp(scores - higher)
        total = total * torch.exp(highest - higher) + exps.sum(-1, keepdim=True)
        context, highest = context + exps @ v, higher
    return context / total


# %% blockwise wrong: leaves out a shorter last block
def blockwise_attention(Q, K, V, block):
    S = K.shape[-2] // block * block or K.shape[-2]
    scores = Q @ K[..., :S, :].mT / Q.shape[-1] ** 0.5
    return torch.softmax(scores, dim=-1) @ V[..., :S, :]


# %% blockwise wrong: not scaled
def blockwise_attention(Q, K, V, block):
    total, context = torch.full((*Q.shape[:-1], 1), -torch.inf), 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        scores = Q @ k.mT
        more = torch.logaddexp(total, scores.logsumexp(-1, keepdim=True))
        context = context * torch.exp(total - more) + torch.exp(scores - more) @ v
        total = more
    return context


# %% blockwise wrong: one maximum for all queries
def blockwise_attention(Q, K, V, block):
    highest, total, context = torch.tensor(-torch.inf), 0, 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        scores = Q @ k.mT / Q.shape[-1] ** 0.5
        higher = torch.maximum(highest, scores.amax())
        exps, shrink = torch.exp(scores - higher), torch.exp(highest - higher)
        total = total * shrink + exps.sum(-1, keepdim=True)
        context, highest = context * shrink + exps @ v, higher
    return context / total


# %% blockwise wrong: query by query, each with all keys
def blockwise_attention(Q, K, V, block):
    rows = [
        torch.softmax(q @ K.mT / Q.shape[-1] ** 0.5, dim=-1) @ V
        for q in Q.split(1, dim=-2)
    ]
    return torch.cat(rows, dim=-2)


# %% blockwise wrong: knows no batch
def blockwise_attention(Q, K, V, block):
    total = torch.full((len(Q), 1), -torch.inf).to(Q)
    context = torch.zeros(len(Q), V.shape[-1]).to(V)
    for k, v in zip(K.split(block), V.split(block), strict=True):
        scores = Q @ k.mT / Q.shape[-1] ** 0.5
        more = torch.logaddexp(total, scores.logsumexp(-1, keepdim=True))
        context = context * torch.exp(total - more) + torch.exp(scores - more) @ v
        total = more
    return context


# %% blockwise right: keeps the logarithm of the sum
def blockwise_attention(Q, K, V, block):
    total = torch.full((*Q.shape[:-1], 1), -torch.inf).to(Q)
    context = 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        scores = Q @ k.mT / Q.shape[-1] ** 0.5
        more = torch.logaddexp(total, scores.logsumexp(-1, keepdim=True))
        context = context * torch.exp(total - more) + torch.exp(scores - more) @ v
        total = more
    return context


# %% blockwise right: twice over the keys, first for the maximum
def blockwise_attention(Q, K, V, block):
    Q = Q / Q.shape[-1] ** 0.5
    blocks = list(zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True))
    highest = torch.stack([(Q @ k.mT).amax(-1, keepdim=True) for k, _ in blocks])
    highest = highest.amax(dim=0)
    total = sum(torch.exp(Q @ k.mT - highest).sum(-1, keepdim=True) for k, _ in blocks)
    return sum(torch.exp(Q @ k.mT - highest) @ v for k, v in blocks) / total


# %% blockwise right: the queries one by one, too
def blockwise_attention(Q, K, V, block):
    rows = []
    for q in Q.unbind(dim=-2):
        m = torch.full_like(q[..., :1], -torch.inf)
        t, u = torch.zeros_like(m), torch.zeros_like(V[..., 0, :])
        for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
            s = (k @ q[..., None]).squeeze(-1) / Q.shape[-1] ** 0.5
            new = torch.maximum(m, s.amax(dim=-1, keepdim=True))
            e, shrink = torch.exp(s - new), torch.exp(m - new)
            t = t * shrink + e.sum(dim=-1, keepdim=True)
            u = u * shrink + (e[..., None] * v).sum(dim=-2)
            m = new
        rows.append(u / t)
    return torch.stack(rows, dim=-2)


# %% gate wrong: queries of their own get a second batch axis
def gate(context, Q, W, b):
    if context.ndim == 3:
        Q = Q[None].repeat(len(context), 1, 1)
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W + b)
    return g * context + (1 - g) * Q


# %% gate wrong: knows one axis in front, and no more
def gate(context, Q, W, b):
    if context.ndim == 3:
        Q = Q.expand(len(context), -1, -1)
    g = torch.sigmoid(torch.cat([context, Q], dim=-1) @ W + b)
    return g * context + (1 - g) * Q


# %% cosine wrong: short vectors count as vectors of length 0
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, Q, K):
        Q, K = (X / X.norm(dim=-1, keepdim=True).clamp(min=0.01) for X in (Q, K))
        return self.scale * Q @ K.mT


# %% cosine wrong: the scores are mended, but the gradient is NaN
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, Q, K):
        lengths = Q.norm(dim=-1)[..., :, None] * K.norm(dim=-1)[..., None, :]
        return self.scale * (Q @ K.mT / lengths).nan_to_num(0)


# %% mended wrong: cannot learn where to look
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(query_width + value_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1).detach()
        return self.linear(torch.cat([self.dropout(weights) @ V, Q], dim=-1)), weights


# %% mended wrong: whole rows of weights are dropped
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = nn.Linear(query_width + value_width, output_width)

    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        dropped = weights * self.dropout(torch.ones_like(weights[..., :1]))
        return self.linear(torch.cat([dropped @ V, Q], dim=-1)), weights


# %% blockwise wrong: one key at a time, whatever is asked
def blockwise_attention(Q, K, V, block):
    m = torch.full_like(Q[..., :1], -torch.inf)
    t, u = torch.zeros_like(m), 0
    for k, v in zip(K.split(1, dim=-2), V.split(1, dim=-2), strict=True):
        s = Q @ k.mT / Q.shape[-1] ** 0.5
        new = torch.maximum(m, s)
        e, shrink = torch.exp(s - new), torch.exp(m - new)
        t, u, m = t * shrink + e, u * shrink + e @ v, new
    return u / t


# %% blockwise wrong: the highest score starts at −1000
def blockwise_attention(Q, K, V, block):
    m = torch.full_like(Q[..., :1], -1000)
    t, u = torch.zeros_like(m), 0
    for k, v in zip(K.split(block, dim=-2), V.split(block, dim=-2), strict=True):
        s = Q @ k.mT / Q.shape[-1] ** 0.5
        new = torch.maximum(m, s.amax(dim=-1, keepdim=True))
        e, shrink = torch.exp(s - new), torch.exp(m - new)
        t = t * shrink + e.sum(dim=-1, keepdim=True)
        u, m = u * shrink + e @ v, new
    return u / t
