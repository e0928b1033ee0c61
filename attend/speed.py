"""Faster ways to compute nn.GRU and additive scores at the book's sizes.

The numbers are the same but for rounding. At width 64 a product of matrices takes less
time than the call that starts it, so the GRU makes fewer calls: both directions of an
encoder go in one product, the gradient needs three operations a word, and all else is
done for the whole sentence at once.

    >>> with fast(model):
    ...     training of model
"""

from contextlib import contextmanager

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from attend import layers


def each(*tensors):
    """Return the steps of tensors (T, …), those of one time together."""
    return zip(*(X.unbind() for X in tensors), strict=True)


class Recurrence(torch.autograd.Function):
    """h ← n + z (h − n) with U = W h + b, r, z = σ(X + W h) and n = tanh(X + r U).

    X (T, D, B, 3H) in the order r, z, n for each of D directions, h (D, B, H),
    W (D, 3H, H) in the order U, r, z, b (D, 1, H) → the states after each step
    (T, D, B, H).
    """

    @staticmethod
    def forward(ctx, X, h, W, b):
        H = h.shape[-1]
        X_rz, X_n = X.split([2 * H, H], dim=-1)
        gates = torch.cat([b.expand_as(X_n), X_rz], dim=-1)  # to be U, r, z
        n = X_n.clone(memory_format=torch.contiguous_format)
        states = torch.cat([h[None], torch.empty_like(n)])
        rz, W_T = gates[..., H:], W.mT
        steps = each(gates, rz, *gates.chunk(3, -1), n, states[:-1], states[1:])
        for gates_t, rz_t, U, r, z, n_t, before, after in steps:
            gates_t.baddbmm_(before, W_T)
            rz_t.sigmoid_()
            n_t.addcmul_(r, U).tanh_()
            torch.lerp(n_t, before, z, out=after)
        ctx.save_for_backward(W, gates, n, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, d):
        W, gates, n, states = ctx.saved_tensors
        (U, r, z), before = gates.chunk(3, dim=-1), states[:-1]
        found = d.new_empty(*d.shape[:3], 4, d.shape[-1])  # first the slopes by h
        to_U, to_r, to_z, to_n = found.unbind(-2)
        torch.mul(1 - z, 1 - n * n, out=to_n)
        torch.mul(to_n, r, out=to_U)
        torch.mul((before - n) * z, 1 - z, out=to_z)
        torch.mul(to_U * U, 1 - r, out=to_r)
        d_gates, d_X = found[..., :3, :].flatten(-2), found[..., 1:, :].flatten(-2)
        d_h, d_before = d[-1], torch.cat([torch.zeros_like(d[:1]), d[:-1]])
        steps = list(each(found, d_gates, z, d_before))
        for found_t, d_gates_t, z_t, d_before_t in reversed(steps):
            found_t.mul_(d_h.unsqueeze(-2))
            d_h = d_before_t.baddbmm_(d_gates_t, W).addcmul_(d_h, z_t)
        ways = zip(d_gates.unbind(1), before.unbind(1), strict=True)
        d_W = [g.flatten(0, 1).mT @ h.flatten(0, 1) for g, h in ways]
        return d_X, d_h, torch.stack(d_W), to_U.sum(dim=(0, 2))[:, None]


class GRU(nn.GRU):
    """An nn.GRU of one layer, batch first: X (B, T, D) → states (B, T, H), the last."""

    def forward(self, X, h=None):
        W_X, W, b_X, b = map(torch.stack, zip(*self.all_weights, strict=True))
        (B, T, _), (D, _, H) = X.shape, W.shape
        if h is None:
            h = X.new_zeros(D, B, H)
        b_rz, b_U = b.split([2 * H, H], dim=-1)
        b_X = b_X + F.pad(b_rz, (0, H))
        X = X.transpose(0, 1)  # (T, B, width)
        ways = torch.stack([X, X.flip(0)][:D])  # the second direction reads backwards
        inputs = torch.baddbmm(b_X[:, None], ways.flatten(1, 2), W_X.mT)
        inputs = inputs.unflatten(1, (T, B)).transpose(0, 1)  # (T, ways, B, 3H)
        states = Recurrence.apply(inputs, h, W.roll(H, dims=1), b_U[:, None])
        forth, *back = states.unbind(1)
        both = torch.cat([forth, *(S.flip(0) for S in back)], dim=-1)
        return both.transpose(0, 1), states[-1]


class Additive(layers.Additive):
    """Additive scores with tanh(x) = 2 σ(2x) − 1: σ takes a third of tanh's time."""

    def forward(self, Q, K):
        M_Q, M_K, w = (2 * W.weight for W in (self.M_Q, self.M_K, self.w))
        Q, K = F.linear(Q, M_Q)[..., :, None, :], F.linear(K, M_K)[..., None, :, :]
        return (Q + K).sigmoid_() @ w[0] - w.sum() / 2


def faster(module):
    """Return the class that computes the same as the module's faster, None without."""
    if type(module) is layers.Additive:
        return Additive
    plain = type(module) is nn.GRU and module.num_layers == 1
    return GRU if plain and module.batch_first and module.bias else None


@contextmanager
def fast(model):
    """Let the additive scores and the GRUs of the model be fast inside.

    A GRU of more than one layer, without bias or with the batch second stays as it is.
    """
    chosen = [(m, type(m)) for m in model.modules() if faster(m)]
    for module, _ in chosen:
        module.__class__ = faster(module)
    try:
        yield model
    finally:
        for module, usual in chosen:
            module.__class__ = usual
