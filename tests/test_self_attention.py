"""Chapter 8's part of attend.layers against torch's own layer, and its messages."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from attend.layers import (
    MultiHeadAttention,
    causal_mask,
    masked_softmax,
    merge_heads,
    padding_mask,
    split_heads,
)

UNHURRIED = settings(deadline=None)  # the first call of torch is slow
seeds, sizes = st.integers(0, 2**32 - 1), st.integers(1, 5)
heads_and_width = st.tuples(st.integers(1, 4), st.integers(1, 4)).map(
    lambda pair: (pair[0], pair[0] * pair[1])
)


def make(seed, D, H, *shapes, **options):
    """Return a layer in double precision, and random inputs of the shapes."""
    torch.manual_seed(seed)
    layer = MultiHeadAttention(D, H, **options).double()
    return layer, *(torch.randn(shape).double() for shape in shapes)


def as_torch(layer):
    """Return nn.MultiheadAttention with a copy of the layer's weights."""
    D = layer.W_O.in_features
    inputs = [layer.W_Q, layer.W_K, layer.W_V]
    theirs = nn.MultiheadAttention(D, layer.heads, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in inputs]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in inputs]))
    theirs.out_proj.load_state_dict(layer.W_O.state_dict())
    return theirs


def random_mask(seed, *shape):
    """Return allowed, in which every query may look at the first key."""
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(shape, generator=generator) > 0.5
    allowed[..., :1] = True
    return allowed


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@UNHURRIED
@given(seeds, st.integers(0, 4), sizes, sizes, heads_and_width, st.booleans())
def test_equals_torch(seed, B, L, S, heads_width, cross):
    H, D = heads_width
    S = S if cross else L
    layer, Q, K, V = make(seed, D, H, (B, L, D), (B, S, D), (B, S, D))
    K, V = (K, V) if cross else (Q, Q)
    output, weights = layer(Q, K, V)
    assert output.shape == (B, L, D) and weights.shape == (B, H, L, S)
    close((output, weights), as_torch(layer)(Q, K, V, average_attn_weights=False))


@UNHURRIED
@given(seeds, sizes, sizes, sizes, heads_and_width, st.sampled_from("2 3 4 1".split()))
def test_equals_torch_with_masks_which_mean_the_opposite(seed, B, L, S, hw, axes):
    H, D = hw
    layer, Q, K, V = make(seed, D, H, (B, L, D), (B, S, D), (B, S, D))
    shape = {"2": (L, S), "3": (B, L, S), "4": (B, H, L, S), "1": (B, 1, S)}[axes]
    allowed = random_mask(seed, *shape)
    output, weights = layer(Q, K, V, allowed)
    if axes == "1":  # padding: torch has an argument of its own for it
        options = {"key_padding_mask": ~allowed[:, 0]}
    elif axes == "2":
        options = {"attn_mask": ~allowed}
    else:
        full = allowed[:, None].expand(B, H, L, S) if axes == "3" else allowed
        options = {"attn_mask": ~full.reshape(B * H, L, S)}
    theirs = as_torch(layer)(Q, K, V, average_attn_weights=False, **options)
    close((output, weights), theirs)


@UNHURRIED
@given(seeds, st.integers(1, 4), sizes, heads_and_width)
def test_padding_and_causal_masks_together(seed, B, L, hw):
    H, D = hw
    layer, X = make(seed, D, H, (B, L, D))
    lengths = torch.randint(1, L + 1, (B,))
    padding, causal = padding_mask(lengths, L), causal_mask(L)
    masks = {"attn_mask": ~causal, "key_padding_mask": ~padding[:, 0]}
    theirs = as_torch(layer)(X, X, X, average_attn_weights=False, **masks)
    close(layer(X, X, X, padding & causal), theirs)
    for n, length in enumerate(lengths.tolist()):  # as if the padding were not there
        own = X[n : n + 1, :length]
        alone, _ = layer(own, own, own, causal_mask(length))
        close(layer(X, X, X, padding & causal)[0][n, :length], alone[0])


@UNHURRIED
@given(seeds, sizes, sizes, sizes, heads_and_width)
def test_is_attention_head_by_head(seed, B, L, S, hw):
    H, D = hw
    layer, Q, K, V = make(seed, D, H, (B, L, D), (B, S, D), (B, S, D))
    E, contexts = D // H, []
    for h in range(H):
        cut = slice(h * E, (h + 1) * E)
        q, k, v = (
            X @ part.weight[cut].T + part.bias[cut]
            for X, part in [(Q, layer.W_Q), (K, layer.W_K), (V, layer.W_V)]
        )
        weights = torch.softmax(torch.einsum("ble,bse->bls", q, k) / E**0.5, dim=-1)
        contexts.append(weights @ v)
    close(layer(Q, K, V)[0], layer.W_O(torch.cat(contexts, dim=-1)))


@UNHURRIED
@given(seeds, sizes, sizes, heads_and_width)
def test_self_attention_is_permutation_equivariant(seed, B, L, hw):
    H, D = hw
    layer, X = make(seed, D, H, (B, L, D))
    order = torch.randperm(L)
    output, weights = layer(X, X, X)
    shuffled = X[:, order]
    close(
        layer(shuffled, shuffled, shuffled),
        (output[:, order], weights[..., order, :][..., order]),
    )


@UNHURRIED
@given(seeds, sizes, heads_and_width)
def test_causal_masks_break_the_equivariance(seed, L, hw):
    H, D = hw
    L, D = L + 1, 2 * D
    layer, X = make(seed, D, H, (1, L, D))
    back = X.flip(1)
    assert not torch.allclose(
        layer(back, back, back, causal_mask(L))[0],
        layer(X, X, X, causal_mask(L))[0].flip(1),
        rtol=1e-12,
        atol=1e-12,
    )


@UNHURRIED
@given(seeds, sizes, sizes, heads_and_width)
def test_later_words_do_not_change_earlier_ones(seed, L, more, hw):
    H, D = hw
    layer, X = make(seed, D, H, (2, L + more, D))
    start = X[:, :L]
    whole, _ = layer(X, X, X, causal_mask(L + more))
    close(whole[:, :L], layer(start, start, start, causal_mask(L))[0])


def test_a_row_with_nothing_allowed_gives_context_0_and_no_nan():
    layer, X = make(0, 6, 2, (2, 3, 6))
    output, weights = layer(X, X, X, padding_mask([3, 0], 3))
    assert (weights[1] == 0).all()
    close(output[1], layer.W_O.bias.expand(3, 6))
    output.sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad.isfinite().all(), name


def test_gradients():
    layer, Q, K, V = make(1, 4, 2, (2, 3, 4), (2, 2, 4), (2, 2, 4))
    inputs = [X.requires_grad_() for X in (Q, K, V)]
    allowed = padding_mask([2, 1], 2)

    def call(*given):  # gradcheck nudges the parameters in place
        return layer(*given[:3], allowed)

    assert torch.autograd.gradcheck(call, (*inputs, *layer.parameters()))


def test_dropout_acts_in_training_only_and_not_on_the_weights_returned():
    layer, X = make(2, 4, 2, (1, 50, 4), dropout=0.5)
    training, weights = layer(X, X, X)
    close(weights.sum(dim=-1), torch.ones(1, 2, 50).double())
    assert not torch.allclose(training, layer(X, X, X)[0])
    layer.eval()
    close(layer(X, X, X), (layer(X, X, X)[0], weights))
    theirs = as_torch(layer).eval()
    close(layer(X, X, X)[0], theirs(X, X, X)[0])


def test_arguments_are_left_as_they_were():
    layer, Q, K, V = make(3, 4, 2, (2, 3, 4), (2, 5, 4), (2, 5, 4))
    given = [Q, K, V, random_mask(0, 2, 3, 5)]
    before = [X.clone() for X in given]
    layer(*given)
    assert all(torch.equal(X, Y) for X, Y in zip(given, before, strict=True))


def test_a_mask_may_be_a_list():
    layer, X = make(5, 4, 2, (2, 3, 4))
    close(layer(X, X, X, causal_mask(3).tolist()), layer(X, X, X, causal_mask(3)))


def test_heads_do_not_change_the_number_of_parameters():
    for H in (1, 2, 4, 8):
        parameters = MultiHeadAttention(8, H).parameters()
        assert sum(p.numel() for p in parameters) == 4 * (8 * 8 + 8)


def test_split_and_merge_are_inverse_and_weights_are_ordinary():
    X = torch.randn(2, 3, 8)
    assert torch.equal(merge_heads(split_heads(X, 4)), X)
    layer, X = make(4, 8, 4, (2, 3, 8))
    q, k = split_heads(layer.W_Q(X), 4), split_heads(layer.W_K(X), 4)
    close(layer(X, X, X)[1], masked_softmax(q @ k.mT / math.sqrt(2)))


layer, X = MultiHeadAttention(4, 2), torch.zeros(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: MultiHeadAttention(6, 4), ValueError, "width is 6, heads is 4"),
        (lambda: MultiHeadAttention(6, 0), ValueError, "heads is 0"),
        (lambda: MultiHeadAttention(0, 1), ValueError, "width is 0"),
        (lambda: MultiHeadAttention(-4, -2), ValueError, "width is -4"),
        (lambda: MultiHeadAttention(6.0, 2), ValueError, "width is 6.0"),
        (lambda: MultiHeadAttention(6, "2"), ValueError, "heads is '2'"),
        (lambda: MultiHeadAttention(6, True), ValueError, "heads is True"),
        (lambda: MultiHeadAttention(4, 2, dropout=2), ValueError, "dropout"),
        (lambda: layer(X[0], X[0], X[0]), ValueError, r"\(3, 4\).*\(B, L, 4\)"),
        (lambda: layer(X[..., :2], X, X), ValueError, r"\(2, 3, 2\).*\(B, L, 4\)"),
        (lambda: layer(X, X[..., :2], X), ValueError, r"\(2, 3, 2\)"),
        (lambda: layer(X, X, X[:, :2]), ValueError, r"\(2, 3, 4\), \(2, 2, 4\)"),
        (lambda: layer(X[:1], X, X), ValueError, r"\(1, 3, 4\), \(2, 3, 4\)"),
        (lambda: layer(X, X[:1], X[:1]), ValueError, r"\(1, 3, 4\)"),
        (lambda: layer(X.double(), X, X), TypeError, "Q.*float32.*float64"),
        (lambda: layer(X, X.long(), X), TypeError, "K.*float32.*int64"),
        (lambda: layer(X, X, X.numpy()), TypeError, "V must be a tensor"),
        (lambda: layer(X, X, None), TypeError, "V must be a tensor"),
        (lambda: layer(torch.tensor(1.0), X, X), ValueError, r"shapes \(\), \(2"),
        (lambda: layer(X, X, X, torch.ones(3, 3)), TypeError, "allowed.*bool"),
        (lambda: layer(X, X, X, [[1] * 3] * 3), TypeError, "allowed.*int64"),
        (lambda: layer(X, X, X, causal_mask(2)), ValueError, r"allowed.*\(2, 2\)"),
        (lambda: layer(X, X, X, causal_mask(3)[:, None]), ValueError, "allowed"),
    ],
)
def test_bad_input_names_the_culprit(call, error, says):
    with pytest.raises(error, match=says):
        call()
