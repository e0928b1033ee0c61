"""What the chapters build in PyTorch, the same text (a test compares the two)."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from attend.guard import guarded, guarded_module, tensors

# ---------------------------------------------------------------- chapter 5


@guarded_module(forward=tensors.scoring())
class Dot(nn.Module):
    """Score by q · k (Luong et al., 2015): (…, L, E), (…, S, E) → (…, L, S)."""

    def forward(self, Q, K):
        return Q @ K.mT


@guarded_module(forward=tensors.scoring())
class ScaledDot(nn.Module):
    """Score by q · k / √E (Vaswani et al., 2017): (…, L, E), (…, S, E) → (…, L, S)."""

    def forward(self, Q, K):
        return Q @ K.mT / Q.shape[-1] ** 0.5


@guarded_module(
    __init__=tensors.sizes,
    forward=tensors.scoring(lambda self, K: (self.W.in_features, self.W.out_features)),
)
class General(nn.Module):
    """Score by q W kᵀ (Luong et al., 2015): (…, L, Eq), (…, S, Ek) → (…, L, S)."""

    def __init__(self, query_width, key_width):
        super().__init__()
        self.W = nn.Linear(query_width, key_width, bias=False)

    def forward(self, Q, K):
        return self.W(Q) @ K.mT


@guarded_module(
    __init__=tensors.sizes,
    forward=tensors.scoring(
        lambda self, K: (self.M_Q.in_features, self.M_K.in_features)
    ),
)
class Additive(nn.Module):
    """Score by tanh(q M_Q + k M_K) · w: (…, L, Eq), (…, S, Ek) → (…, L, S)."""

    def __init__(self, query_width, key_width, hidden_width):
        super().__init__()
        self.M_Q = nn.Linear(query_width, hidden_width, bias=False)
        self.M_K = nn.Linear(key_width, hidden_width, bias=False)
        self.w = nn.Linear(hidden_width, 1, bias=False)

    def forward(self, Q, K):
        Q, K = self.M_Q(Q)[..., :, None, :], self.M_K(K)[..., None, :, :]
        return self.w(torch.tanh(Q + K)).squeeze(-1)  # (…, L, S, U) → (…, L, S)


@guarded_module(__init__=tensors.bandwidth, forward=tensors.scoring())
class Gaussian(nn.Module):
    """Score by −‖q − k‖² / 2σ², with the bandwidth σ above 0 (Watson, 1964).

    Q (…, L, E), K (…, S, E) → scores (…, L, S).
    """

    def __init__(self, bandwidth):
        super().__init__()
        self.bandwidth = bandwidth

    def forward(self, Q, K):
        steps = (Q[..., :, None, :] - K[..., None, :, :]) / self.bandwidth
        return -(steps**2).sum(dim=-1) / 2  # (…, L, S, E) → (…, L, S)


@guarded_module(__init__=tensors.sizes, forward=tensors.location)
class Location(nn.Module):
    """Score by q W, one score a position, whatever K says (Luong et al., 2015).

    Q (…, L, Eq), K (…, S, any width), S up to max_length → scores (…, L, S).
    """

    def __init__(self, query_width, max_length):
        super().__init__()
        self.W = nn.Linear(query_width, max_length, bias=False)

    def forward(self, Q, K):
        axes = torch.broadcast_shapes(Q.shape[:-2], K.shape[:-2])
        return self.W(Q)[..., : K.shape[-2]].expand(*axes, -1, -1)


@guarded_module(
    forward=tensors.scoring(
        lambda self, K: (self.M_Q.in_features, self.M_K.in_features)
    )
)
class Concat(Additive):
    """Score by tanh([q; k] W) · w, every pair laid out (Luong et al., 2015).

    Q (…, L, Eq), K (…, S, Ek) → scores (…, L, S), those of Additive.
    """

    def forward(self, Q, K):
        Q, K = Q[..., :, None, :], K[..., None, :, :]
        axes = torch.broadcast_shapes(Q.shape[:-1], K.shape[:-1])  # (…, L, S)
        pairs = torch.cat([Q.expand(*axes, -1), K.expand(*axes, -1)], dim=-1)
        W = torch.cat([self.M_Q.weight, self.M_K.weight], dim=1)
        return self.w(torch.tanh(pairs @ W.T)).squeeze(-1)


# ---------------------------------------------------------------- chapter 6


@guarded(tensors.pad_batch)
def pad_batch(sequences):
    """Stack sequences of different lengths, each filled up with zeros at its end.

    sequences: B tensors (length, D) → batch (B, S, D), lengths (B,), S the longest.
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return pad_sequence(sequences, batch_first=True), lengths


@guarded(tensors.padding_mask)
def padding_mask(lengths, S):
    """Allow each query the words of its own sentence, and none of the padding.

    lengths (B,), whole numbers from 0 to S → allowed (B, 1, S) bool, True = may look.
    """
    places = torch.arange(S, device=lengths.device)
    return places < lengths[:, None, None]


@guarded(tensors.causal_mask)
def causal_mask(L, S=None):
    """Allow each query its own place and those before it.

    L queries, S keys (as many as queries, unless given) → allowed (L, S) bool.
    """
    return torch.ones(L, L if S is None else S, dtype=torch.bool).tril()


@guarded(tensors.masked_softmax)
def masked_softmax(scores, allowed=None):
    """Turn scores into weights that are 0 wherever a query may not look.

    scores (…, L, S), allowed bool that broadcasts to it, True = may look → weights
    (…, L, S). A row sums to 1; one with nothing allowed is 0, and so is its gradient.
    """
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    nothing = scores.isneginf().all(dim=-1, keepdim=True)  # new: (…, L, 1)
    weights = torch.softmax(scores.masked_fill(nothing, 0), dim=-1)  # new
    return weights.masked_fill(nothing, 0)  # new


# ---------------------------------------------------------------- chapter 7


def join_query(context, Q):
    """Lay each query beside its context: (…, L, Ev), (…, L, Eq) → (…, L, Ev + Eq)."""
    Q = Q.expand(*context.shape[:-1], -1)  # the same queries may ask a whole batch
    return torch.cat([context, Q], dim=-1)


@guarded_module(__init__=tensors.attention_layer, forward=tensors.attention_inputs)
class AttentionLayer(nn.Module):
    """Attend, combine with the query, bring to a width (Luong et al., 2015).

    Q (…, L, Eq), K (…, S, Ek), V (…, S, Ev), allowed (…, L, S) bool
    → output (…, L, output_width), weights (…, L, S) as they are before dropout.
    """

    def __init__(
        self,
        score,
        query_width,
        value_width,
        output_width=None,
        combine=True,
        dropout=0,
    ):
        super().__init__()
        self.score, self.combine, self.dropout = score, combine, nn.Dropout(dropout)
        width = value_width + (query_width if combine else 0)
        self.linear = nn.Identity()
        if output_width:
            self.linear = nn.Linear(width, output_width)

    def forward(self, Q, K, V, allowed=None):
        weights = masked_softmax(self.score(Q, K), allowed)  # (…, L, S)
        context = self.dropout(weights) @ V  # (…, L, Ev)
        combined = join_query(context, Q) if self.combine else context
        return self.linear(combined), weights


# ---------------------------------------------------------------- chapter 8


@guarded(tensors.split_heads)
def split_heads(X, heads):
    """Give each head its part of the width: X (…, L, D) → (…, H, L, E), E = D/H."""
    X = X.unflatten(-1, (heads, -1))  # (…, L, H, E)
    return X.transpose(-3, -2)  # (…, H, L, E)


@guarded(tensors.merge_heads)
def merge_heads(X):
    """Undo split_heads: X (…, H, L, E) → (…, L, D)."""
    X = X.transpose(-3, -2)  # (…, L, H, E)
    return X.flatten(-2)  # (…, L, D)


@guarded_module(__init__=tensors.heads, forward=tensors.sources)
class MultiHeadAttention(nn.Module):
    """Attend with several heads at once (Vaswani et al., 2017, section 3.2.2).

    Q (B, L, D), K and V (B, S, D), allowed bool (L, S), (B, L, S) or (B, H, L, S),
    True = may look → output (B, L, D), weights (B, H, L, S).
    """

    def __init__(self, width, heads, dropout=0.0):
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.W_Q, self.W_K = nn.Linear(width, width), nn.Linear(width, width)
        self.W_V, self.W_O = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, Q, K, V, allowed=None):
        Q, K, V = self.W_Q(Q), self.W_K(K), self.W_V(V)  # L or S rows, width D
        Q, K, V = (split_heads(X, self.heads) for X in (Q, K, V))  # (B, H, …, E)
        if allowed is not None and allowed.ndim == 3:
            allowed = allowed[:, None]  # (B, 1, L, S): the same for all heads
        scores = Q @ K.mT / Q.shape[-1] ** 0.5  # (B, H, L, S)
        weights = masked_softmax(scores, allowed)
        context = merge_heads(self.dropout(weights) @ V)  # (B, L, D)
        return self.W_O(context), weights


# ---------------------------------------------------------------- chapter 9


@guarded(tensors.sinusoidal_positions)
def sinusoidal_positions(length, width):
    """Give each place one arrow for each two columns (Vaswani et al., 2017, 3.5).

    → (length, width): sines in the even columns, cosines in the odd ones.
    """
    speeds = 10000 ** (-torch.arange(0, width, 2) / width)  # (width / 2,)
    angles = torch.arange(length)[:, None] * speeds  # (length, width / 2)
    # each cosine beside its sine, then all the pairs of a place in one row
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


@guarded(tensors.rotary)
def rotary(X, positions=None):
    """Turn each pair of columns by an angle that grows with place (Su et al., 2024).

    X (…, L, width), positions (…, L), by default 0, 1, 2 and so on → like X.
    """
    positions = torch.arange(X.shape[-2]) if positions is None else positions
    speeds = 10000 ** (-torch.arange(0, X.shape[-1], 2) / X.shape[-1])
    angles = positions[..., None] * speeds  # (…, L, width / 2), as of the arrows
    cos, sin = angles.cos(), angles.sin()
    x, y = X[..., 0::2], X[..., 1::2]
    turned = torch.stack([x * cos - y * sin, x * sin + y * cos], dim=-1)
    return turned.flatten(-2).type_as(X)  # pairs in one row again, dtype as before
