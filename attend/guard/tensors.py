"""The checks of attend.layers and attend.seq2seq."""

import torch

from attend.data.corpus import PAD


def whole(**sizes):
    """Raise ValueError unless every size is a whole number above 0."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} is {size!r}: expected a whole number above 0")


def pair(Q, K, *parameters):
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


def scoring(widths=lambda self, K: (K.shape[-1], K.shape[-1])):
    """Return the check of a scoring function's forward(Q, K).

    widths(self, K) → the widths Eq, Ek that Q and K must have; equal, unless given.
    """

    def check(self, Q, K):
        """Raises TypeError or ValueError when dtypes, axes or widths do not fit."""
        pair(Q, K, *self.parameters())
        Eq, Ek = widths(self, K)
        if (Q.shape[-1], K.shape[-1]) != (Eq, Ek):
            shapes = f"Q has shape {tuple(Q.shape)}, K has shape {tuple(K.shape)}"
            raise ValueError(f"{shapes}: expected (…, L, {Eq}) and (…, S, {Ek})")

    return check


def sizes(self, **given):
    """Raises ValueError when a size is no whole number above 0."""
    whole(**given)


def bandwidth(self, bandwidth):
    """Raises ValueError when the bandwidth is no number above 0."""
    if not 0 < bandwidth < float("inf"):
        raise ValueError(f"bandwidth is {bandwidth}: expected a number above 0")


def location(self, Q, K):
    """Raises ValueError when there are more keys than max_length, or a width is off."""
    scoring(lambda self, K: (self.W.in_features, K.shape[-1]))(self, Q, K)
    S, most = K.shape[-2], self.W.out_features
    if S > most:
        shape = f"K has shape {tuple(K.shape)}, {S} keys"
        raise ValueError(f"{shape}: expected {most} at most, the max_length")


def pad_batch(sequences):
    """Raises ValueError when there is none, or to name the first of another width."""
    sequences = [torch.as_tensor(sequence) for sequence in sequences]
    if not sequences:
        raise ValueError("sequences is empty: expected one or more (length, D)")
    for number, sequence in enumerate(sequences):
        if sequence.ndim != 2 or sequence.shape[1:] != sequences[0].shape[1:]:
            got = f"sequences[{number}] has shape {tuple(sequence.shape)}"
            raise ValueError(f"{got}: expected (length, D), D as in sequences[0]")
    return {"sequences": sequences}


def padding_mask(lengths, S):
    """Raises TypeError when lengths are not whole numbers; ValueError when their shape
    is another, or to name the first that does not fit.
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
    return {"lengths": lengths}


def causal_mask(L, S):
    """Raises ValueError when L or S is no whole number of 0 or more."""
    for name, size in [("L", L), ("S", L if S is None else S)]:
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"{name} is {size!r}: expected a whole number, 0 or more")


def masked_softmax(scores, allowed):
    """Raises TypeError when scores are not floats or allowed is not bool, ValueError
    when allowed does not broadcast to scores.
    """
    scores = torch.as_tensor(scores)
    if allowed is not None:
        allowed = torch.as_tensor(allowed).to(scores.device)
    kind = torch.bool if allowed is None else allowed.dtype
    if not scores.is_floating_point() or kind != torch.bool:
        got = f"scores has dtype {scores.dtype}, allowed {kind}"
        raise TypeError(f"{got}: expected floats, and bool with True = may look")
    try:
        if allowed is not None:
            allowed = allowed.broadcast_to(scores.shape)
    except RuntimeError:
        got = f"allowed has shape {tuple(allowed.shape)}"
        wanted = f"one that broadcasts to the scores' {tuple(scores.shape)}"
        raise ValueError(f"{got}: expected {wanted}") from None
    return {"scores": scores, "allowed": allowed}


def attention_layer(
    self, score, query_width, value_width, output_width, combine, dropout
):
    """Raises TypeError or ValueError when a part or a size does not fit."""
    if isinstance(score, type) or not callable(score):
        raise TypeError(f"score is {score!r}: expected one that is made, such as Dot()")
    widths = [query_width, value_width, 1 if output_width is None else output_width]
    if not all(isinstance(width, int) and width > 0 for width in widths):
        names = "query_width, value_width, output_width"
        raise ValueError(f"{names} are {widths}: expected whole numbers above 0")
    if not (isinstance(dropout, int | float) and 0 <= dropout < 1):
        raise ValueError(f"dropout is {dropout!r}: expected 0 ≤ dropout < 1")
    self.__dict__["widths"] = query_width, value_width  # for the check of its inputs


def attention_inputs(self, Q, K, V, allowed):
    """Raises TypeError or ValueError unless Q, K, V have the layer's dtype and widths,
    and fit each other.
    """
    pair(Q, K, *self.parameters())
    if not torch.is_tensor(V) or V.dtype != Q.dtype:
        raise TypeError(f"V must be {Q.dtype} as Q is, not {getattr(V, 'dtype', V)}")
    shapes = f"Q has shape {tuple(Q.shape)}, K {tuple(K.shape)}, V {tuple(V.shape)}"
    Eq, Ev = self.widths
    if (Q.shape[-1], *V.shape[-2:]) != (Eq, K.shape[-2], Ev):
        raise ValueError(f"{shapes}: expected (…, L, {Eq}), (…, S, Ek), (…, S, {Ev})")
    try:
        torch.broadcast_shapes(Q.shape[:-2], K.shape[:-2], V.shape[:-2])
    except RuntimeError:
        raise ValueError(f"{shapes}: expected leading axes that broadcast") from None


def split_heads(X, heads):
    """Raises ValueError when X has fewer than two axes or heads does not divide D."""
    if X.ndim < 2 or not isinstance(heads, int) or heads < 1 or X.shape[-1] % heads:
        got = f"X has shape {tuple(X.shape)}, heads is {heads!r}"
        raise ValueError(f"{got}: expected (…, L, D) and heads that divide D")


def merge_heads(X):
    """Raises ValueError when X has fewer than three axes."""
    if X.ndim < 3:
        raise ValueError(f"X has shape {tuple(X.shape)}: expected (…, H, L, D/H)")


def heads(self, width, heads, dropout):
    """Raises ValueError unless heads is a whole number that divides the whole width."""
    whole = type(width) is type(heads) is int
    if not whole or min(width, heads) < 1 or width % heads:
        got = f"width is {width!r}, heads is {heads!r}"
        raise ValueError(f"{got}: expected whole numbers, heads a divisor of width")


def sources(self, Q, K, V, allowed):
    """Raises TypeError unless Q, K, V are tensors of the layer's dtype; ValueError for
    another shape than Q (B, L, D), K and V (B, S, D).
    """
    weight = self.W_Q.weight
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
    return {"allowed": None if allowed is None else torch.as_tensor(allowed)}


def sinusoidal_positions(length, width):
    """Raises ValueError unless both are whole numbers of 0 or more, width even."""
    for name, size, step in [("length", length, 1), ("width", width, 2)]:
        if not isinstance(size, int) or size < 0 or size % step:
            wanted = "a whole number of 0 or more, an even one for width"
            raise ValueError(f"{name} is {size!r}: expected {wanted}")


def rotary(X, positions):
    """Raises TypeError when X holds no floats; ValueError when its width is odd or the
    positions do not fit its places.
    """
    if not torch.is_tensor(X) or not X.is_floating_point():
        kind = getattr(X, "dtype", type(X).__name__)
        raise TypeError(f"X must be a tensor of floats, not {kind}")
    shape = f"X has shape {tuple(X.shape)}"
    if X.ndim < 2 or X.shape[-1] % 2:
        raise ValueError(f"{shape}: expected (…, L, width), with an even width")
    if positions is None:
        return {}
    positions = torch.as_tensor(positions)
    try:
        fits = torch.broadcast_shapes(positions.shape, X.shape[:-1]) == X.shape[:-1]
    except RuntimeError:
        fits = False
    if not fits or positions.shape[-1:] != X.shape[-2:-1]:
        got = f"positions has shape {tuple(positions.shape)}, {shape}"
        raise ValueError(f"{got}: expected one position for each of the L places")
    return {"positions": positions}


def numbers(source, known, name="source"):
    """Raise TypeError or ValueError unless source (B, S) holds numbers below known."""
    if not torch.is_tensor(source) or source.dtype != torch.int64 or source.ndim != 2:
        got = getattr(source, "dtype", type(source).__name__)
        shape = tuple(getattr(source, "shape", ()))
        raise TypeError(f"{name} is {got} {shape}: expected an int64 tensor (B, T)")
    if not source.numel():
        raise ValueError(f"{name} has shape {tuple(source.shape)}: it holds no word")
    if not 0 <= source.min() <= source.max() < known:
        b, t = ((source < 0) | (source >= known)).nonzero()[0].tolist()
        got = f"{name}[{b}, {t}] is {source[b, t]}"
        raise ValueError(f"{got}: expected the number of a word, 0 to {known - 1}")


def words(self, source):
    """Raises TypeError or ValueError unless source (B, S) holds word numbers, no row
    of it nothing but padding.
    """
    numbers(source, self.embedding.num_embeddings)
    empty = (source == PAD).all(dim=1)
    if empty.any():
        raise ValueError(f"source[{int(empty.nonzero()[0])}] is nothing but padding")


def unpadded_words(self, source):
    """Raises TypeError or ValueError unless source (B, S) holds word numbers, no
    padding among them.
    """
    numbers(source, self.embedding.num_embeddings)
    if (source == PAD).any():
        b, t = (source == PAD).nonzero()[0].tolist()
        raise ValueError(
            f"source[{b}, {t}] is padding: expected sentences of one length"
        )


def top_p(logits, temperature, p):
    """Raises ValueError unless temperature is above 0, and p above 0 and at most 1."""
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: expected a number above 0")
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}: expected a number above 0, 1 at most")


def key_heads(self, width, heads, key_heads):
    """Raises ValueError unless key_heads is a whole number that divides heads."""
    whole(key_heads=key_heads)
    if heads % key_heads:
        got = f"key_heads is {key_heads}, heads is {heads}"
        raise ValueError(f"{got}: expected key_heads to divide heads")


def cached_words(self, words, caches):
    """Raises TypeError or ValueError unless words (B, L) holds word numbers, and caches
    is None or has one cache for each layer, of as many rows.
    """
    numbers(words, self.embedding.num_embeddings, "words")
    if caches is None:
        return
    if len(caches) != len(self.layers):
        got = f"caches holds {len(caches)}"
        raise ValueError(f"{got}: expected one for each of {len(self.layers)} layers")
    if len(caches[0][0]) != len(words):
        got = f"words has {len(words)} rows, the cache {len(caches[0][0])}"
        raise ValueError(f"{got}: expected as many")
