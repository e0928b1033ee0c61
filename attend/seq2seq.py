"""The translators of part III, the same text as in the chapters (a test compares)."""

import torch
from torch import nn
from torch.nn import functional as F

from attend.guard import guarded_module, tensors
from attend.layers import Additive, AttentionLayer

# ---------------------------------------------------------------- chapter 11


@guarded_module(forward=tensors.words)
class Encoder(nn.Module):
    """Read a sentence in both directions: a state for each word, and one C for all.

    source (B, S) word numbers → states (B, S, D), C (B, D). No row may be padded.
    """

    def __init__(self, words, width):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.gru = nn.GRU(width, width // 2, bidirectional=True, batch_first=True)

    def forward(self, source):
        states, last = self.gru(self.embedding(source))  # (B, S, D), (2, B, D/2)
        return states, torch.cat([last[0], last[1]], dim=-1)


class WithoutAttention(nn.Module):
    """Translate through one vector C, the same at every step (Cho et al., 2014).

    source (B, S), words (B, T) → logits (B, T, target_words), None: no weights yet.
    """

    def __init__(self, source_words, target_words, width=62):
        super().__init__()
        self.encoder = Encoder(source_words, width)
        self.embedding = nn.Embedding(target_words, width)
        self.first = nn.Linear(width, width)
        self.gru = nn.GRU(2 * width, width, batch_first=True)
        self.combine = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, target_words)

    def start(self, source):
        """Encode: source (B, S) → C (B, D), the decoder's first state (1, B, D)."""
        _, C = self.encoder(source)
        state = torch.tanh(self.first(C))
        return C, state[None]  # nn.GRU wants an axis of layers, here 1

    def step(self, C, state, words):
        """Do T steps: words (B, T) → logits (B, T, target_words), None, last state."""
        repeated = C[:, None].expand(-1, words.shape[1], -1)  # (B, T, D)
        inputs = torch.cat([self.embedding(words), repeated], dim=-1)  # (B, T, 2D)
        states, last = self.gru(inputs, state)  # s of all T steps, s of the last
        combined = torch.tanh(self.combine(torch.cat([repeated, states], dim=-1)))
        return self.output(combined), None, last

    def forward(self, source, words):
        C, state = self.start(source)
        logits, weights, _ = self.step(C, state, words)
        return logits, weights


# ---------------------------------------------------------------- chapter 12


class WithAttention(nn.Module):
    """Translate with a context of its own for every step (Luong et al., 2015).

    Keys and values are the encoder's states; the score is additive by default.
    source (B, S), words (B, T) → logits (B, T, target_words), weights (B, T, S).
    """

    def __init__(self, source_words, target_words, width=64, score=None):
        super().__init__()
        self.encoder = Encoder(source_words, width)
        self.embedding = nn.Embedding(target_words, width)
        self.first = nn.Linear(width, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        score = score or Additive(width, width, 16)
        self.attention = AttentionLayer(score, width, width, output_width=width)
        self.output = nn.Linear(width, target_words)

    def start(self, source):
        """Encode: source (B, S) → keys and values (B, S, D) each, the first state."""
        states, C = self.encoder(source)
        return (states, states), torch.tanh(self.first(C))[None]

    def step(self, memory, state, words):
        """Do T steps: words (B, T) → logits (B, T, target_words), weights, state."""
        K, V = memory
        Q, state = self.gru(self.embedding(words), state)  # (B, T, D)
        combined, weights = self.attention(Q, K, V)  # (B, T, D), (B, T, S)
        return self.output(torch.tanh(combined)), weights, state

    def forward(self, source, words):
        memory, state = self.start(source)
        logits, weights, _ = self.step(memory, state, words)
        return logits, weights


# ---------------------------------------------------------------- chapter 13


class WordsAsValues(WithAttention):
    """WithAttention whose values are the source's word vectors; keys stay states."""

    def start(self, source):
        """Encode: source (B, S) → keys and values (B, S, D) each, the first state."""
        states, C = self.encoder(source)
        words = self.encoder.embedding(source)  # new
        return (states, words), torch.tanh(self.first(C))[None]


# ---------------------------------------------------------------- chapter 15


class Pointer(nn.Module):
    """Answer with a word of the source: the values are the words themselves.

    source (B, S) → logits (B, words), weights (B, S) (Kadlec et al., 2016).
    """

    def __init__(self, size, width=64):  # size: of the vocabulary
        super().__init__()
        self.size, self.encoder = size, Encoder(size, width)
        score = Additive(width, width, 16)
        widths = {"query_width": width, "value_width": size}
        self.attention = AttentionLayer(score, **widths, combine=False)

    def forward(self, source):
        h, C = self.encoder(source)  # states (B, S, D), C (B, D)
        V = F.one_hot(source, self.size).float()  # rows with a 1, (B, S, words)
        Q = C[:, None]  # one query for each source, (B, 1, D)
        p, weights = self.attention(Q, h, V)  # (B, 1, words), (B, 1, S)
        return torch.log(p[:, 0] + 1e-9), weights[:, 0]


class Pooling(nn.Module):
    """Choose a class: one learned query looks at every source.

    source (B, S) → logits (B, classes), weights (B, S) (Yang et al., 2016).
    """

    def __init__(self, words, classes, width=64):
        super().__init__()
        self.encoder = Encoder(words, width)
        self.query = nn.Parameter(torch.randn(1, width))
        score = Additive(width, width, 16)
        widths = {"query_width": width, "value_width": width, "output_width": classes}
        self.attention = AttentionLayer(score, **widths, combine=False)

    def forward(self, source):
        h, _ = self.encoder(source)  # (B, S, D)
        # (1, D) and (B, S, D) give weights (B, 1, S)
        logits, weights = self.attention(self.query, h, h)
        return logits[:, 0], weights[:, 0]  # (B, 1, classes) → (B, classes)


class OneVector(nn.Module):
    """Choose a word or a class without attention: source (B, S) → logits (B, words)."""

    def __init__(self, words, classes, width=62):
        super().__init__()
        self.encoder = Encoder(words, width)
        self.output = nn.Linear(width, classes)

    def forward(self, source):
        _, C = self.encoder(source)
        return self.output(C), None


def loss_of_answer(model, source, target, *_):  # *_: settings for decoders
    """Cross-entropy in nats: source (B, S), target (B, 3): BOS, the answer, EOS."""
    logits, _ = model(source)
    return F.cross_entropy(logits, target[:, 1])


class States(Pointer):
    """A pointer whose values are states again, with an output layer for the words."""

    def __init__(self, words, width=64):
        super().__init__(words, width)
        score = Additive(width, width, 16)
        self.attention = AttentionLayer(score, width, width, words, combine=False)

    def forward(self, source):
        h, C = self.encoder(source)
        logits, weights = self.attention(C[:, None], h, h)
        return logits[:, 0], weights[:, 0]
