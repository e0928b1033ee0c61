# %% norm wrong: one mean for the whole table
def layer_norm(X, gain, shift):
    return gain * (X - X.mean()) / X.std() + shift


# %% norm wrong: down the columns, as batch norm
def layer_norm(X, gain, shift):
    return gain * (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9) + shift


# %% norm wrong: divided by the variance
def layer_norm(X, gain, shift):
    mean, var = X.mean(axis=-1, keepdims=True), X.var(axis=-1, keepdims=True)
    return gain * (X - mean) / var + shift


# %% norm wrong: the standard deviation of a sample
def layer_norm(X, gain, shift):
    mean = X.mean(axis=-1, keepdims=True)
    return gain * (X - mean) / X.std(axis=-1, ddof=1, keepdims=True) + shift


# %% norm wrong: gain and shift before the norm
def layer_norm(X, gain, shift):
    X = gain * X + shift
    return (X - X.mean(axis=-1, keepdims=True)) / X.std(axis=-1, keepdims=True)


# %% norm right: with a small number against division by 0
def layer_norm(X, gain, shift):
    X = X - X.mean(axis=-1, keepdims=True)
    return gain * X / np.sqrt((X**2).mean(axis=-1, keepdims=True) + 1e-9) + shift


# %% norm right: row by row
def layer_norm(X, gain, shift):
    rows = X.reshape(-1, X.shape[-1])
    normed = [(row - row.mean()) / row.std() * gain + shift for row in rows]
    return np.array(normed).reshape(X.shape)


# %% count wrong: no numbers that are added
def count(D, inside):
    return 4 * D * D, 2 * D * inside, 4 * D


# %% count wrong: three matrices
def count(D, inside):
    return 3 * (D * D + D), 2 * D * inside + inside + D, 4 * D


# %% count wrong: one norm
def count(D, inside):
    return 4 * (D * D + D), 2 * D * inside + inside + D, 2 * D


# %% count wrong: inside is taken for 2 D
def count(D, inside):
    return 4 * (D * D + D), 4 * D * D + 3 * D, 4 * D


# %% count right: by torch's own layers
def count(D, inside):
    parts = [nn.Linear(D, D)] * 4, [nn.Linear(D, inside), nn.Linear(inside, D)]
    parts += ([nn.LayerNorm(D)] * 2,)
    return tuple(sum(p.numel() for m in part for p in m.parameters()) for part in parts)


# %% count right: multiplied out
def count(D, inside):
    return 4 * D**2 + 4 * D, 2 * D * inside + inside + D, 4 * D


# %% mended wrong: the mask is missing
class MendedLayer(DecoderLayer):
    def forward(self, X, memory):
        Z = self.norm_1(X)
        X = X + self.attention(Z, Z, Z)[0]
        context, weights = self.cross_attention(self.norm_2(X), memory, memory)
        X = X + context
        return X + self.feed_forward(self.norm_3(X)), weights


# %% mended wrong: the residual keeps the normed vector
class MendedLayer(DecoderLayer):
    def forward(self, X, memory):
        Z = self.norm_1(X)
        X = Z + self.attention(Z, Z, Z, causal_mask(X.shape[1]))[0]
        context, weights = self.cross_attention(self.norm_2(X), memory, memory)
        X = X + context
        return X + self.feed_forward(self.norm_3(X)), weights


# %% mended wrong: the source asks
class MendedLayer(DecoderLayer):
    def forward(self, X, memory):
        Z = self.norm_1(X)
        X = X + self.attention(Z, Z, Z, causal_mask(X.shape[1]))[0]
        Z = self.norm_2(X)
        context, weights = self.cross_attention(memory, Z, Z)
        X = X + context
        return X + self.feed_forward(self.norm_3(X)), weights


# %% mended wrong: values from the target
class MendedLayer(DecoderLayer):
    def forward(self, X, memory):
        Z = self.norm_1(X)
        X = X + self.attention(Z, Z, Z, causal_mask(X.shape[1]))[0]
        Z = self.norm_2(X)
        _, weights = self.cross_attention(Z, memory, memory)
        X = X + self.attention(Z, Z, Z, causal_mask(X.shape[1]))[0]
        return X + self.feed_forward(self.norm_3(X)), weights


# %% mended right: in fewer lines
class MendedLayer(DecoderLayer):
    def forward(self, X, memory):
        Z, allowed = self.norm_1(X), causal_mask(X.shape[1])
        X = X + self.attention(Z, Z, Z, allowed)[0]
        context, weights = self.cross_attention(self.norm_2(X), memory, memory)
        X = X + context
        return X + self.feed_forward(self.norm_3(X)), weights


# %% mended right: a mask of its own
class MendedLayer(DecoderLayer):
    def forward(self, X, memory):
        Z = self.norm_1(X)
        T = Z.shape[1]
        allowed = torch.arange(T)[:, None] >= torch.arange(T)
        X = self.attention(Z, Z, Z, allowed)[0] + X
        context, weights = self.cross_attention(self.norm_2(X), memory, memory)
        return (X + context) + self.feed_forward(self.norm_3(X + context)), weights


# %% block wrong: no residual round the attention
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        X = self.attention(Z, Z, Z, allowed)[0]
        return X + self.feed_forward(self.norm_2(X))


# %% block wrong: no residual round the feed-forward layer
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        X = X + self.attention(Z, Z, Z, allowed)[0]
        return self.feed_forward(self.norm_2(X))


# %% block wrong: no norm
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)

    def forward(self, X, allowed=None):
        X = X + self.attention(X, X, X, allowed)[0]
        return X + self.feed_forward(X)


# %% block wrong: the mask is forgotten
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        X = X + self.attention(Z, Z, Z)[0]
        return X + self.feed_forward(self.norm_2(X))


# %% block wrong: no feed-forward layer
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.norm_1 = nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        return X + self.attention(Z, Z, Z, allowed)[0]


# %% block wrong: torch's mask the wrong way round
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        if allowed is not None:
            allowed = ~allowed.T
        X = X + self.attention(Z, Z, Z, attn_mask=allowed)[0].nan_to_num()
        return X + self.feed_forward(self.norm_2(X))


# %% block right: norms after the sums
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        X = self.norm_1(X + self.attention(X, X, X, allowed)[0])
        return self.norm_2(X + self.feed_forward(X))


# %% block right: torch's attention, GELU, four times as wide
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        inside = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), *inside)
        self.norm = nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm(X)
        hidden = None if allowed is None else ~allowed
        X = X + self.attention(Z, Z, Z, attn_mask=hidden, need_weights=False)[0]
        return X + self.mlp(X)


# %% block right: all by hand, one matrix for Q, K and V
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.gains = nn.Parameter(torch.ones(2, 1, width))

    def norm(self, X, k):
        X = X - X.mean(dim=-1, keepdim=True)
        return self.gains[k] * X / (X.var(dim=-1, keepdim=True) + 1e-6).sqrt()

    def forward(self, X, allowed=None):
        B, L, D = X.shape
        qkv = self.qkv(self.norm(X, 0)).view(B, L, 3, self.heads, D // self.heads)
        Q, K, V = qkv.permute(2, 0, 3, 1, 4)
        context = nn.functional.scaled_dot_product_attention(Q, K, V, allowed)
        X = X + self.out(context.transpose(1, 2).reshape(B, L, D))
        return X + self.down(torch.relu(self.up(self.norm(X, 1))))
