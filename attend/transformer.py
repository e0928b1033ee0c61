"""The Transformer of part IV, the same text as in the chapter (a test compares)."""

import torch
from torch import nn

from attend.guard import guarded_module, tensors
from attend.layers import (
    MultiHeadAttention,
    causal_mask,
    masked_softmax,
    merge_heads,
    rotary,
    sinusoidal_positions,
    split_heads,
)

# --------------------------------------------------------------- chapter 16


class FeedForward(nn.Module):
    """Change each word by itself, with a small network: X (…, D) → (…, D)."""

    def __init__(self, width):
        super().__init__()
        self.W_1, self.W_2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, X):
        return self.W_2(torch.relu(self.W_1(X)))  # (…, D) → (…, 2D) → (…, D)


class EncoderLayer(nn.Module):
    """Let the words ask each other, then change each word: X (B, S, D) → (B, S, D).

    allowed, a mask as in chapter 6: (S, S) or (B, 1, S), True = may look.
    """

    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        context, _ = self.attention(Z, Z, Z, allowed)
        X = X + context
        Z = self.norm_2(X)
        change = self.feed_forward(Z)
        return X + change


class DecoderLayer(nn.Module):
    """Let the words ask those before them, then the encoder's, then change each word.

    X (B, T, D), memory (B, S, D), allowed bool (B, 1, S), True = may look
    → X (B, T, D), the weights over the source (B, H, T, S).
    """

    def __init__(self, width, heads):
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.cross_attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm_3 = nn.LayerNorm(width)

    def forward(self, X, memory, allowed=None):
        Z = self.norm_1(X)
        context, _ = self.attention(Z, Z, Z, causal_mask(X.shape[1]))
        X = X + context
        Z = self.norm_2(X)
        context, weights = self.cross_attention(Z, memory, memory, allowed)
        X = X + context
        Z = self.norm_3(X)
        return X + self.feed_forward(Z), weights


class PlacedEmbedding(nn.Embedding):
    """Give each word its vector plus its place: words (B, S) → X (B, S, D)."""

    def forward(self, words):
        X = super().forward(words)  # nn.Embedding's vectors
        return X + sinusoidal_positions(*X.shape[1:])  # length S, width D → (S, D)


@guarded_module(forward=tensors.unpadded_words)
class TransformerEncoder(nn.Module):
    """Read a sentence: source (B, S) → memory (B, S, D). No row may be padded."""

    def __init__(self, source_words, width, heads, layers):
        super().__init__()
        self.embedding = PlacedEmbedding(source_words, width)
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, source):
        X = self.embedding(source)
        for layer in self.layers:
            X = layer(X)
        return self.norm(X)


class TransformerDecoder(nn.Module):
    """Write: words (B, T), memory (B, S, D) → X (B, T, D), weights (B, T, S)."""

    def __init__(self, target_words, width, heads, layers):
        super().__init__()
        self.embedding = PlacedEmbedding(target_words, width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, words, memory):
        X = self.embedding(words)
        for layer in self.layers:
            X, weights = layer(X, memory)
        return self.norm(X), weights.mean(dim=1)


class WordByWord(nn.Module):
    """Write word by word: for each new word the decoder reads all of them again.

    For a Transformer, which brings an encoder, a decoder and an output layer.
    """

    def start(self, source):
        """Encode: source (B, S) → memory (B, S, D), and no words yet (1, B, 0)."""
        return self.encoder(source), source.new_empty(1, len(source), 0)

    def step(self, memory, state, words):
        """Go on by T words (B, T) → logits (B, T, target words), weights, state."""
        state = torch.cat([state, words[None]], dim=-1)  # (1, B, all words so far)
        X, weights = self.decoder(state[0], memory)  # reads (B, all words so far)
        T = words.shape[1]  # the new words: in translating, one
        return self.output(X[:, -T:]), weights[:, -T:], state


class Transformer(WordByWord):
    """Translate with attention and without a GRU (Vaswani et al., 2017).

    source (B, S), words (B, T) → logits (B, T, target words), weights (B, T, S).
    """

    def __init__(self, source_words, target_words, width=64, heads=4, layers=2):
        super().__init__()
        self.encoder = TransformerEncoder(source_words, width, heads, layers)
        self.decoder = TransformerDecoder(target_words, width, heads, layers)
        self.output = nn.Linear(width, target_words)

    def forward(self, source, words):
        memory = self.encoder(source)
        X, weights = self.decoder(words, memory)
        return self.output(X), weights


class PostNormEncoderLayer(EncoderLayer):
    """The same parts with the norms after the sums (Vaswani et al., 2017)."""

    def forward(self, X, allowed=None):
        X = self.norm_1(X + self.attention(X, X, X, allowed)[0])
        return self.norm_2(X + self.feed_forward(X))


class PostNormDecoderLayer(DecoderLayer):
    """The same parts with the norms after the sums (Vaswani et al., 2017)."""

    def forward(self, X, memory, allowed=None):
        X = self.norm_1(X + self.attention(X, X, X, causal_mask(X.shape[1]))[0])
        context, weights = self.cross_attention(X, memory, memory, allowed)
        X = self.norm_2(X + context)
        return self.norm_3(X + self.feed_forward(X)), weights


class RotaryAttention(MultiHeadAttention):
    """Turn queries and keys by their places before they meet (Su et al., 2024)."""

    def forward(self, Q, K, V, allowed=None):
        Q, K, V = self.W_Q(Q), self.W_K(K), self.W_V(V)
        Q, K, V = (split_heads(X, self.heads) for X in (Q, K, V))  # (B, H, …, E)
        if allowed is not None and allowed.ndim == 3:
            allowed = allowed[:, None]
        scores = rotary(Q) @ rotary(K).mT / Q.shape[-1] ** 0.5  # new
        weights = masked_softmax(scores, allowed)
        return self.W_O(merge_heads(self.dropout(weights) @ V)), weights


class RotaryTransformer(Transformer):
    """A Transformer that adds no places: its self-attention turns by them instead."""

    def __init__(self, source_words, target_words, width=64, heads=4, layers=2):
        super().__init__(source_words, target_words, width, heads, layers)
        for half, words in (self.encoder, source_words), (self.decoder, target_words):
            half.embedding = nn.Embedding(words, width)
            for layer in half.layers:
                layer.attention = RotaryAttention(width, heads)
