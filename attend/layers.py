"""What the chapters build in PyTorch, the same text (a test compares the two)."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

# ---------------------------------------------------------------- chapter 4


def check_pair(Q, K, *parameters):
    """Raise unless Q (…, L, Eq) and K (…, S, Ek) are tensors that can be scored.

    TypeError unless both hold floats of one dtype, that of the parameters too;
    ValueError unless both have two axes or more, a width above 0, and axes before
    L and S that broadcast.
    """
    for name, X in [("Q", Q), ("K", K)]:
        if not torch.is_tensor(X) or not X.is_floating_point():
            kind = getattr(X, "dtype", type(X).__name__)
            raise TypeError(f"{name} must be a tensor of floats, not {kind}")
    dtypes = [X.dtype for X in (Q, K, *parameters)]
    if len(set(dtypes)) > 1:
        raise TypeError(f"Q, K, parameters are {dtypes}: expected one dtype for all")
    shapes = f"Q has shape {tuple(Q.shape)}, K has shape {tuple(K.shape)}"
    if min(Q.ndim, K.ndim) < 2 or 0 in (Q.shape[-1], K.shape[-1]):
        raise ValueError(f"{shapes}: expected (…, L, Eq) and (…, S, Ek), Eq, Ek > 0")
    try:
        torch.broadcast_shapes(Q.shape[:-2], K.shape[:-2])
    except RuntimeError:
        raise ValueError(f"{shapes}: expected leading axes that broadcast") from None


class Rule(nn.Module):
    """What every rule shares: rule(Q, K) checks its input, then scores it.

    Q (…, L, Eq), K (…, S, Ek) → scores (…, L, S). A rule without a query_width
    compares directly, so it needs Eq = Ek.
    Raises ValueError when a size is no whole number above 0 or the widths do not fit,
    and what check_pair raises.
    """

    def __init__(self, **sizes):
        super().__init__()
        for name, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} is {size!r}: expected a whole number above 0")
        self.sizes = sizes

    def forward(self, Q, K):
        check_pair(Q, K, *self.parameters())
        Eq = self.sizes.get("query_width", K.shape[-1])
        Ek = self.sizes.get("key_width", K.shape[-1])
        if (Q.shape[-1], K.shape[-1]) != (Eq, Ek):
            shapes = f"Q has shape {tuple(Q.shape)}, K has shape {tuple(K.shape)}"
            raise ValueError(f"{shapes}: expected (…, L, {Eq}) and (…, S, {Ek})")
        return self.score(Q, K)


class Dot(Rule):
    """q · k (Luong et al., 2015)."""

    def score(self, Q, K):
        return Q @ K.mT


class ScaledDot(Rule):
    """q · k / √E (Vaswani et al., 2017)."""

    def score(self, Q, K):
        return Q @ K.mT / Q.shape[-1] ** 0.5


class Gaussian(Rule):
    """−‖q − k‖² / 2h², with h the bandwidth, a number above 0 (Watson, 1964)."""

    def __init__(self, bandwidth):
        super().__init__()
        if not 0 < bandwidth < float("inf"):
            raise ValueError(f"bandwidth is {bandwidth}: expected a number above 0")
        self.bandwidth = bandwidth

    def score(self, Q, K):
        steps = (Q[..., :, None, :] - K[..., None, :, :]) / self.bandwidth
        return -(steps**2).sum(dim=-1) / 2  # (…, L, S, E) → (…, L, S)


class General(Rule):
    """q W k: the dot product after a learned map (Luong et al., 2015)."""

    def __init__(self, query_width, key_width):
        super().__init__(query_width=query_width, key_width=key_width)
        self.W = nn.Linear(query_width, key_width, bias=False)

    def score(self, Q, K):
        return self.W(Q) @ K.mT


class Location(Rule):
    """q W: one score a position, up to max_length, whatever K says (Luong et al.)."""

    def __init__(self, query_width, max_length):
        super().__init__(query_width=query_width, max_length=max_length)
        self.W = nn.Linear(query_width, max_length, bias=False)

    def score(self, Q, K):
        S, most = K.shape[-2], self.W.out_features
        if S > most:
            shape = f"K has shape {tuple(K.shape)}, {S} keys"
            raise ValueError(f"{shape}: expected {most} at most, the max_length")
        axes = torch.broadcast_shapes(Q.shape[:-2], K.shape[:-2])
        return self.W(Q)[..., :S].expand(*axes, -1, -1)


class Additive(Rule):
    """tanh(q W_q + k W_k) · v: a small network (Bahdanau et al., 2015)."""

    def __init__(self, query_width, key_width, hidden_width):
        widths = {"query_width": query_width, "key_width": key_width}
        super().__init__(**widths, hidden_width=hidden_width)
        self.W_q = nn.Linear(query_width, hidden_width, bias=False)
        self.W_k = nn.Linear(key_width, hidden_width, bias=False)
        self.v = nn.Linear(hidden_width, 1, bias=False)

    def score(self, Q, K):
        Q, K = self.W_q(Q)[..., :, None, :], self.W_k(K)[..., None, :, :]
        return self.v(torch.tanh(Q + K)).squeeze(-1)  # (…, L, S, U) → (…, L, S)


class Concat(Additive):
    """tanh([q; k] W) · v: the same rule, every pair laid out (Luong et al., 2015)."""

    def score(self, Q, K):
        Q, K = Q[..., :, None, :], K[..., None, :, :]
        axes = torch.broadcast_shapes(Q.shape[:-1], K.shape[:-1])  # (…, L, S)
        pairs = torch.cat([Q.expand(*axes, -1), K.expand(*axes, -1)], dim=-1)
        W = torch.cat([self.W_q.weight, self.W_k.weight], dim=1)
        return self.v(torch.tanh(pairs @ W.T)).squeeze(-1)


# ---------------------------------------------------------------- chapter 5


def pad_batch(sequences):
    """Stack sequences of different lengths, each filled up with zeros at its end.

    sequences: B tensors (length, D) → batch (B, S, D), lengths (B,), S the longest.
    Raises ValueError when there is none, or to name the first of another width.
    """
    sequences = [torch.as_tensor(sequence) for sequence in sequences]
    if not sequences:
        raise ValueError("sequences is empty: expected one or more (length, D)")
    for number, sequence in enumerate(sequences):
        if sequence.ndim != 2 or sequence.shape[1:] != sequences[0].shape[1:]:
            got = f"sequences[{number}] has shape {tuple(sequence.shape)}"
            raise ValueError(f"{got}: expected (length, D), D as in sequences[0]")
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return pad_sequence(sequences, batch_first=True), lengths


def padding_mask(lengths, S):
    """Allow each query the words of its own sentence, and none of the padding.

    lengths (B,), whole numbers from 0 to S → allowed (B, 1, S) bool, True = may look.
    Raises TypeError when lengths are not whole numbers; ValueError when their shape is
    another, or to name the first that does not fit.
    """
    lengths = torch.as_tensor(lengths)
    whole = torch.can_cast(lengths.dtype, torch.int64) and lengths.dtype != torch.bool
    if lengths.numel() and not whole:
        raise TypeError(f"lengths has dtype {lengths.dtype}: expected whole numbers")
    if lengths.ndim != 1:
        raise ValueError(f"lengths has shape {tuple(lengths.shape)}: expected (B,)")
    for number, length in enumerate(lengths.tolist()):
        if not 0 <= length <= S:
            raise ValueError(f"lengths[{number}] is {length}: expected 0 to S = {S}")
    places = torch.arange(S, device=lengths.device)
    return (places < lengths[:, None])[:, None]  # (B, S) → (B, 1, S)


def causal_mask(L, S=None):
    """Allow each query its own place and those before it, as is_causal=True does.

    L queries, S keys (as many as queries, unless given) → allowed (L, S) bool.
    Raises ValueError when L or S is no whole number of 0 or more.
    """
    S = L if S is None else S
    for name, size in [("L", L), ("S", S)]:
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"{name} is {size!r}: expected a whole number, 0 or more")
    return torch.ones(L, S, dtype=torch.bool).tril()


def masked_softmax(scores, allowed=None):
    """Turn scores into weights that are 0 wherever a query may not look.

    scores (…, L, S), allowed bool that broadcasts to it, True = may look → weights
    (…, L, S). A row sums to 1; one with nothing allowed is 0, and so is its gradient.
    Raises TypeError when scores are not floats or allowed is not bool, ValueError when
    allowed does not broadcast to scores.
    """
    scores = torch.as_tensor(scores)
    allowed = torch.as_tensor(True if allowed is None else allowed).to(scores.device)
    if not scores.is_floating_point() or allowed.dtype != torch.bool:
        got = f"scores has dtype {scores.dtype}, allowed {allowed.dtype}"
        raise TypeError(f"{got}: expected floats, and bool with True = may look")
    try:
        allowed = allowed.broadcast_to(scores.shape)
    except RuntimeError:
        got = f"allowed has shape {tuple(allowed.shape)}"
        wanted = f"one that broadcasts to the scores' {tuple(scores.shape)}"
        raise ValueError(f"{got}: expected {wanted}") from None
    masked_scores = scores.masked_fill(~allowed, -torch.inf)
    nothing = masked_scores.isneginf().all(dim=-1, keepdim=True)  # (…, L, 1)
    weights = torch.softmax(masked_scores.masked_fill(nothing, 0), dim=-1)
    return weights.masked_fill(nothing, 0)


def split_heads(X, heads):
    """Cut the width into heads, and put the heads' axis before the places'.

    X (…, L, D) → (…, H, L, D/H).
    Raises ValueError when X has fewer than two axes or heads does not divide D.
    """
    if X.ndim < 2 or not isinstance(heads, int) or heads < 1 or X.shape[-1] % heads:
        got = f"X has shape {tuple(X.shape)}, heads is {heads!r}"
        raise ValueError(f"{got}: expected (…, L, D) and heads that divide D")
    return X.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(X):
    """Undo split_heads: X (…, H, L, D/H) → (…, L, D).

    Raises ValueError when X has fewer than three axes.
    """
    if X.ndim < 3:
        raise ValueError(f"X has shape {tuple(X.shape)}: expected (…, H, L, D/H)")
    return X.transpose(-3, -2).flatten(-2)


# ---------------------------------------------------------------- chapter 6


def join_query(context, Q):
    """Lay each query beside its context: (…, L, Ev), (…, L, Eq) → (…, L, Ev + Eq)."""
    Q = Q.expand(*context.shape[:-1], -1)  # the same queries may ask a whole batch
    return torch.cat([context, Q], dim=-1)


def check_settings(rule, query_width, value_width, output_width, dropout):
    """Raise unless rule can be called, and the numbers lie in their range."""
    if isinstance(rule, type) or not callable(rule):
        raise TypeError(f"rule is {rule!r}: expected one that is made, such as Dot()")
    widths = [query_width, value_width, 1 if output_width is None else output_width]
    if not all(isinstance(width, int) and width > 0 for width in widths):
        names = "query_width, value_width, output_width"
        raise ValueError(f"{names} are {widths}: expected whole numbers above 0")
    if not (isinstance(dropout, int | float) and 0 <= dropout < 1):
        raise ValueError(f"dropout is {dropout!r}: expected 0 ≤ dropout < 1")


def check_inputs(layer, Q, K, V):
    """Raise unless Q, K, V have the layer's dtype and widths, and fit each other."""
    check_pair(Q, K, *layer.parameters())
    if not torch.is_tensor(V) or V.dtype != Q.dtype:
        raise TypeError(f"V must be {Q.dtype} as Q is, not {getattr(V, 'dtype', V)}")
    shapes = f"Q has shape {tuple(Q.shape)}, K {tuple(K.shape)}, V {tuple(V.shape)}"
    Eq, Ev = layer.widths
    if (Q.shape[-1], *V.shape[-2:]) != (Eq, K.shape[-2], Ev):
        raise ValueError(f"{shapes}: expected (…, L, {Eq}), (…, S, Ek), (…, S, {Ev})")
    try:
        torch.broadcast_shapes(Q.shape[:-2], K.shape[:-2], V.shape[:-2])
    except RuntimeError:
        raise ValueError(f"{shapes}: expected leading axes that broadcast") from None


class AttentionLayer(nn.Module):
    """Attend by a rule, combine with the query, bring to a width (Luong et al., 2015).

    Q (…, L, Eq), K (…, S, Ek), V (…, S, Ev), allowed (…, L, S) bool
    → output (…, L, output_width), weights (…, L, S) as they are before dropout.
    Raises TypeError or ValueError when a part or a shape does not fit.
    """

    def __init__(
        self, rule, query_width, value_width, output_width=None, combine=True, dropout=0
    ):
        super().__init__()
        check_settings(rule, query_width, value_width, output_width, dropout)
        self.rule, self.combine, self.dropout = rule, combine, nn.Dropout(dropout)
        self.widths = query_width, value_width
        width = value_width + (query_width if combine else 0)
        self.linear = nn.Linear(width, output_width) if output_width else nn.Identity()

    def forward(self, Q, K, V, allowed=None):
        check_inputs(self, Q, K, V)
        weights = masked_softmax(self.rule(Q, K), allowed)  # (…, L, S)
        context = self.dropout(weights) @ V  # (…, L, Ev)
        combined = join_query(context, Q) if self.combine else context
        return self.linear(combined), weights


# ---------------------------------------------------------------- chapter 7


def check_heads(width, heads):
    """Raise ValueError unless heads is a whole number that divides the whole width."""
    whole = type(width) is type(heads) is int
    if not whole or min(width, heads) < 1 or width % heads:
        got = f"width is {width!r}, heads is {heads!r}"
        raise ValueError(f"{got}: expected whole numbers, heads a divisor of width")


def check_sources(Q, K, V, weight):
    """Raise unless Q (B, L, D), K and V (B, S, D) fit a linear layer's weight (D, D).

    TypeError unless they are tensors of its dtype; ValueError for another shape.
    """
    for name, X in [("Q", Q), ("K", K), ("V", V)]:
        if not torch.is_tensor(X) or X.dtype != weight.dtype:
            kind = getattr(X, "dtype", type(X).__name__)
            raise TypeError(f"{name} must be a tensor of {weight.dtype}, not {kind}")
    D = weight.shape[-1]
    fits = Q.ndim == K.ndim == 3 and Q.shape[::2] == K.shape[::2] and K.shape == V.shape
    if not fits or Q.shape[-1] != D:
        got = ", ".join(str(tuple(X.shape)) for X in (Q, K, V))
        wanted = f"(B, L, {D}), (B, S, {D}), (B, S, {D})"
        raise ValueError(f"Q, K, V have shapes {got}: expected {wanted}")


class MultiHeadAttention(nn.Module):
    """Attend with several heads at once (Vaswani et al., 2017, section 3.2.2).

    Q (B, L, D), K and V (B, S, D), allowed bool (L, S), (B, L, S) or (B, H, L, S),
    True = may look → output (B, L, D), weights (B, H, L, S).
    """

    def __init__(self, width, heads, dropout=0.0):
        super().__init__()
        check_heads(width, heads)
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, Q, K, V, allowed=None):
        check_sources(Q, K, V, self.query.weight)
        projected = self.query(Q), self.key(K), self.value(V)  # (B, …, D)
        q, k, v = (split_heads(X, self.heads) for X in projected)  # (B, H, …, E)
        if allowed is not None:
            allowed = torch.as_tensor(allowed)
            allowed = allowed[:, None] if allowed.ndim == 3 else allowed  # all heads
        scores = q @ k.mT / q.shape[-1] ** 0.5  # (B, H, L, S)
        weights = masked_softmax(scores, allowed)
        context = merge_heads(self.dropout(weights) @ v)  # (B, L, D)
        return self.output(context), weights


def sinusoidal_positions(length, width):
    """Give each position a pattern of waves (Vaswani et al., 2017, section 3.5).

    → (length, width): sines in the even columns, cosines in the odd ones.
    Raises ValueError unless both are whole numbers of 0 or more, width even.
    """
    for name, size, step in [("length", length, 1), ("width", width, 2)]:
        if not isinstance(size, int) or size < 0 or size % step:
            wanted = "a whole number of 0 or more, an even one for width"
            raise ValueError(f"{name} is {size!r}: expected {wanted}")
    scale = 10000 ** (torch.arange(0, width, 2) / width)  # (width / 2,)
    angles = torch.arange(length)[:, None] / scale  # (length, width / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
