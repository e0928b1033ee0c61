"""The models of chapter 17, the same text as in the chapter (a test compares)."""

import torch
from torch import nn
from torch.nn import functional as F

from attend import training
from attend.data import corpus
from attend.data.corpus import BOS, EOS, PAD
from attend.guard import guarded, guarded_module, tensors
from attend.layers import (
    MultiHeadAttention,
    causal_mask,
    masked_softmax,
    merge_heads,
    sinusoidal_positions,
    split_heads,
)
from attend.transformer import EncoderLayer, RotaryAttention

# --------------------------------------------------------------- chapter 17


class DecoderOnly(nn.Module):
    """Predict each next word, with one stack of layers and a causal mask.

    words (B, L) → logits (B, L, vocabulary): place i scores what may follow word i.
    """

    def __init__(self, vocabulary_size, width=64, heads=4, layers=3):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, vocabulary_size)

    def forward(self, words):
        X = self.embedding(words)  # (B, L, D)
        X = X + sinusoidal_positions(*X.shape[1:])  # a vector for each place: (L, D)
        for layer in self.layers:
            X = layer(X, causal_mask(words.shape[1]))  # new: an encoder layer, masked
        return self.output(self.norm(X))


def learn(model, plan, rate=5e-3):
    """Train on batches (source, target), each pair one sequence; return the losses."""
    optimizer, losses = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99)), []
    for step, (source, target) in enumerate(plan):
        optimizer.param_groups[0]["lr"] = rate * training.share_of_rate(step, len(plan))
        words = torch.cat([source, target], dim=1)  # (B, L + 1): one sequence a row
        logits = model(words[:, :-1])  # (B, L, vocabulary): every place at once
        wanted = words[:, 1:].flatten()
        loss = F.cross_entropy(logits.flatten(0, 1), wanted, ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@guarded(tensors.top_p)
def top_p(logits, temperature=1.0, p=1.0):
    """Keep the likeliest words, as few as reach the chance p (Holtzman et al., 2020).

    logits (…, vocabulary) → chances (…, vocabulary), 0 for all other words.
    """
    chances = (logits / temperature).softmax(dim=-1)
    ranked, order = chances.sort(dim=-1, descending=True)
    likelier = ranked.cumsum(dim=-1) - ranked  # the chance of all words before
    ranked = ranked.masked_fill(likelier >= p, 0)
    kept = torch.zeros_like(chances).scatter(-1, order, ranked)
    return kept / kept.sum(dim=-1, keepdim=True)


@torch.inference_mode()
def generate(model, words, limit, choose):
    """Go on with words (B, L) until each row has an EOS, by `limit` words at most.

    choose(logits (B, vocabulary)) → the next word of each row (B, 1).
    """
    for _ in range(limit):
        logits = model(words)[:, -1]  # only the last place is new
        words = torch.cat([words, choose(logits)], dim=1)
        if (words == EOS).any(dim=1).all():
            break
    return words


def likeliest(logits):
    """Choose the word with the highest logit: (B, vocabulary) → (B, 1)."""
    return logits.argmax(dim=-1, keepdim=True)


def translate(model, sources, vocabulary):
    """Return the translation of each source sentence, a tuple of words."""
    found, pairs = [None] * len(sources), [(words, words) for words in sources]
    for batch in corpus.batches(pairs, vocabulary, vocabulary, 250):
        source = torch.from_numpy(batch.source)  # (B, S), all of one length
        begin = torch.cat([source, torch.full((len(source), 1), BOS)], dim=1)
        words = generate(model, begin, 2 * source.shape[1] + 10, likeliest)
        rows = words[:, begin.shape[1] :].tolist()
        for place, row in zip(batch.index, rows, strict=True):
            found[place] = tuple(vocabulary.decode(row))
    return found


class CachedAttention(MultiHeadAttention):
    """Let L new words ask all S words so far, whose keys and values are kept.

    X (B, L, D), cache: K and V (B, H, S − L, E) of the words before, or None
    → output (B, L, D), the new cache: K and V (B, H, S, E) of all words.
    """

    def forward(self, X, cache=None):
        parts = self.W_Q(X), self.W_K(X), self.W_V(X)  # of the new words alone
        Q, K, V = (split_heads(part, self.heads) for part in parts)
        if cache is not None:  # new: put the kept ones before them
            K = torch.cat([cache[0], K], dim=-2)
            V = torch.cat([cache[1], V], dim=-2)
        L, S = Q.shape[-2], K.shape[-2]
        allowed = causal_mask(S)[-L:]  # new: the last L rows
        weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
        return self.W_O(merge_heads(weights @ V)), (K, V)


@guarded_module(forward=tensors.cached_words)
class CachedDecoderOnly(DecoderOnly):
    """The same function with the same parameters; it keeps all keys and values.

    words (B, L), caches: one a layer, or None → logits (B, L, vocabulary), caches.
    """

    def __init__(self, vocabulary_size, width=64, heads=4, layers=3):
        super().__init__(vocabulary_size, width, heads, layers)
        for layer in self.layers:
            layer.attention = CachedAttention(width, heads)

    def forward(self, words, caches=None):
        past = caches[0][0].shape[-2] if caches else 0  # the keys in layer 0
        X = self.embedding(words)
        X = X + sinusoidal_positions(past + X.shape[1], X.shape[2])[past:]  # new
        kept = []
        for number, layer in enumerate(self.layers):
            cache = caches[number] if caches else None
            context, cache = layer.attention(layer.norm_1(X), cache)
            X = X + context
            X = X + layer.feed_forward(layer.norm_2(X))
            kept.append(cache)
        return self.output(self.norm(X)), kept


@torch.inference_mode()
def generate_cached(model, words, limit, choose):
    """Do what `generate` does, but give the model only what it has not read yet."""
    new, caches = words, None
    for _ in range(limit):
        logits, caches = model(new, caches)
        new = choose(logits[:, -1])
        words = torch.cat([words, new], dim=1)
        if (words == EOS).any(dim=1).all():
            break
    return words


@guarded_module(__init__=tensors.key_heads)
class GroupedAttention(CachedAttention):
    """Let several heads share their keys and values (Ainslie et al., 2023).

    As CachedAttention, but K and V of the cache are (B, key_heads, S, E). As many
    key_heads as heads is attention as before; one for all is multi-query attention.
    """

    def __init__(self, width, heads, key_heads):
        super().__init__(width, heads)
        self.key_heads, key_width = key_heads, width // heads * key_heads
        self.W_K, self.W_V = nn.Linear(width, key_width), nn.Linear(width, key_width)

    def forward(self, X, cache=None):
        Q = split_heads(self.W_Q(X), self.heads)  # (B, H, L, E)
        K = split_heads(self.W_K(X), self.key_heads)  # fewer heads
        V = split_heads(self.W_V(X), self.key_heads)
        if cache is not None:
            K = torch.cat([cache[0], K], dim=-2)
            V = torch.cat([cache[1], V], dim=-2)
        cache, group = (K, V), self.heads // self.key_heads
        K, V = (part.repeat_interleave(group, dim=1) for part in cache)  # new
        allowed = causal_mask(K.shape[-2])[-Q.shape[-2] :]
        weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, allowed)
        return self.W_O(merge_heads(weights @ V)), cache


class AttentionOnly(nn.Module):
    """Nothing but attention, norms and residuals, with one head a layer and RoPE.

    words (B, L) → logits (B, L, vocabulary), the weights (B, L, L) of each layer.
    The layers named in `cut`, counted from 0, add nothing.
    """

    def __init__(self, vocabulary_size, width=64, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.layers = nn.ModuleList(RotaryAttention(width, 1) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers + 1))
        self.output = nn.Linear(width, vocabulary_size)

    def forward(self, words, cut=()):
        X, kept = self.embedding(words), []
        for number, attention in enumerate(self.layers):
            Z = self.norms[number](X)
            context, weights = attention(Z, Z, Z, causal_mask(words.shape[1]))
            X = X if number in cut else X + context
            kept.append(weights[:, 0])
        return self.output(self.norms[-1](X)), kept


def repeated(count, length, vocabulary_size, generator):
    """Draw `count` texts of `length` different words, each twice → (B, 2 · length)."""
    chances = torch.ones(count, vocabulary_size)
    once = torch.multinomial(chances, length, generator=generator)
    return torch.cat([once, once], dim=1)


def teach_to_repeat(model, steps, seed=0, watch=None):
    """Train an AttentionOnly on the second time of repeated texts of 5 to 20 words."""
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, betas=(0.9, 0.99))
    for step in range(steps + 1):
        if watch:
            watch(step)
        length = int(torch.randint(5, 21, (1,), generator=draw))
        words = repeated(32, length, model.output.out_features, draw)
        logits, _ = model(words[:, :-1])
        wanted = words[:, length + 1 :]
        loss = F.cross_entropy(logits[:, length:].flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
