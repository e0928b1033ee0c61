"""attend.layers.AttentionLayer against PyTorch, its gradients, and its messages."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from attend.layers import (
    Additive,
    AttentionLayer,
    Concat,
    Dot,
    Gaussian,
    General,
    Location,
    ScaledDot,
    causal_mask,
    masked_softmax,
    padding_mask,
)

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
fronts = st.lists(st.integers(0, 3), max_size=2).map(tuple)  # (), (B,), (B, H)
UNHURRIED = settings(deadline=None)  # the first call of torch is slow


def draw(seed, *shapes):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes]


def every_function(Eq, Ek):
    """Return one of each score that can compare the two widths."""
    direct = [Dot(), ScaledDot(), Gaussian(1.5)] if Eq == Ek else []
    learned = [score(Eq, Ek, 3) for score in (Additive, Concat)]
    return [*direct, General(Eq, Ek), *learned, Location(Eq, 6)]


def assert_same(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


@UNHURRIED
@given(seeds, fronts, sizes, sizes, sizes, sizes, st.floats(0, 1))
def test_scaled_dot_agrees_with_torch(seed, front, L, S, E, Ev, share):
    Q, K, V = draw(seed, (*front, L, E), (*front, S, E), (*front, S, Ev))
    layer = AttentionLayer(ScaledDot(), E, Ev, combine=False)
    chance = torch.rand((*front, L, S), generator=torch.Generator().manual_seed(seed))
    for allowed in (None, chance < share, causal_mask(L, S)):  # some rows all False
        output, weights = layer(Q, K, V, allowed)
        expected = F.scaled_dot_product_attention(Q, K, V, attn_mask=allowed)
        assert_same(output, expected)
        assert weights.shape == (*front, L, S)
        assert_same(weights @ V, output)


@UNHURRIED
@given(seeds, sizes, sizes, sizes, sizes, st.sampled_from("QKV"))
def test_inputs_without_a_batch_serve_the_whole_batch(seed, L, S, E, Ev, alone):
    shapes = {"Q": (L, E), "K": (S, E), "V": (S, Ev)}
    fronts = {name: () if name == alone else (2, 3) for name in shapes}
    inputs = draw(seed, *(fronts[name] + shape for name, shape in shapes.items()))
    output, _ = AttentionLayer(ScaledDot(), E, Ev)(*inputs)
    full = [X.expand(2, 3, *X.shape[-2:]) for X in inputs]
    expected = torch.cat([F.scaled_dot_product_attention(*full), full[0]], dim=-1)
    assert_same(output, expected)


@pytest.mark.parametrize("front", [(0,), (0, 2), (2, 0)])
def test_an_empty_batch_comes_out_empty(front):
    Q, K, V = draw(0, (*front, 3, 2), (*front, 4, 2), (*front, 4, 5))
    output, weights = AttentionLayer(ScaledDot(), 2, 5, 6).double()(Q, K, V)
    assert output.shape == (*front, 3, 6) and weights.shape == (*front, 3, 4)


def test_no_keys_give_context_0_as_in_torch():
    Q, K, V = draw(0, (2, 3, 4), (2, 0, 4), (2, 0, 5))
    output, _ = AttentionLayer(ScaledDot(), 4, 5, combine=False)(Q, K, V)
    assert torch.equal(output, torch.zeros(2, 3, 5).double())
    assert torch.equal(output, F.scaled_dot_product_attention(Q, K, V))


@UNHURRIED
@given(seeds, fronts, sizes, sizes, sizes, sizes, sizes, st.booleans(), st.booleans())
def test_every_function_goes_through_three_steps(
    seed, front, L, S, Eq, Ek, Ev, combine, project
):
    Q, K, V = draw(seed, (*front, L, Eq), (*front, S, Ek), (*front, S, Ev))
    for score in every_function(Eq, Ek):
        layer = AttentionLayer(score, Eq, Ev, 4 if project else None, combine).double()
        output, weights = layer(Q, K, V)
        expected = torch.softmax(score(Q, K), dim=-1) @ V
        if combine:
            expected = torch.cat([expected, Q], dim=-1)
        if project:
            expected = expected @ layer.linear.weight.T + layer.linear.bias
        assert_same(output, expected)
        assert_same(weights.sum(dim=-1), torch.ones(*front, L).double())


def test_luongs_layer_is_the_tanh_of_ours():
    h, H = draw(0, (2, 3, 5), (2, 4, 5))  # decoder states, encoder states
    layer = AttentionLayer(Dot(), 5, 5, 6).double()
    nn.init.zeros_(layer.linear.bias)  # the paper's W has none
    c = torch.softmax(torch.einsum("blE,bsE->bls", h, H), -1) @ H
    W_c, W_h = layer.linear.weight[:, :5], layer.linear.weight[:, 5:]
    expected = torch.tanh(c @ W_c.T + h @ W_h.T)
    assert_same(torch.tanh(layer(h, H, H)[0]), expected)


@pytest.mark.parametrize("combine", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("score", every_function(3, 3), ids=lambda r: type(r).__name__)
def test_gradients_are_right(score, masked, combine):
    inputs = [X.requires_grad_() for X in draw(1, (2, 2, 3), (2, 4, 3), (2, 4, 2))]
    layer = AttentionLayer(score, 3, 2, 2, combine).double()
    allowed = padding_mask([2, 0], 4) if masked else None  # a row with nothing, too
    # gradcheck nudges the parameters in place, so the layer feels it
    everything = (*inputs, *layer.parameters())

    def output(*_):
        return layer(*inputs, allowed)[0]

    assert torch.autograd.gradcheck(output, everything)
    gradients = torch.autograd.grad(output().sum(), everything, allow_unused=True)
    assert all(g is None or g.isfinite().all() for g in gradients)


def test_a_layer_that_forgets_its_gradient_would_be_caught():
    inputs = [X.requires_grad_() for X in draw(2, (2, 3), (4, 3), (4, 2))]

    def forgetful(Q, K, V):
        return masked_softmax(ScaledDot()(Q, K)).detach() @ V

    assert not torch.autograd.gradcheck(forgetful, inputs, raise_exception=False)


@UNHURRIED
@given(sizes, sizes, sizes, sizes, sizes)
def test_parameters_are_as_many_as_the_formulas_say(Eq, Ek, Ev, Eout, U):
    counts = {
        General(Eq, Ek): Eq * Ek,
        Additive(Eq, Ek, U): (Eq + Ek) * U + U,
        Concat(Eq, Ek, U): (Eq + Ek) * U + U,
        Location(Eq, U): Eq * U,
        Dot(): 0,
        ScaledDot(): 0,
        Gaussian(1.0): 0,
    }
    for score, count in counts.items():
        for combine in (True, False):
            layer = AttentionLayer(score, Eq, Ev, Eout, combine)
            wide = Ev + Eq * combine
            total = sum(p.numel() for p in layer.parameters())
            assert total == count + (wide + 1) * Eout
            bare = AttentionLayer(score, Eq, Ev, combine=combine)
            assert sum(p.numel() for p in bare.parameters()) == count


def test_dropout_keeps_the_mean_and_only_in_training():
    Q, K, V = draw(3, (1, 2), (3, 2), (3, 4))
    layer = AttentionLayer(Dot(), 2, 4, combine=False, dropout=0.3)
    plain = torch.softmax(Q @ K.mT, dim=-1)
    layer.eval()
    assert_same(layer(Q, K, V)[0], plain @ V)
    layer.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        output, weights = layer(Q.expand(40_000, 1, 2), K, V)
    assert_same(weights, plain.expand_as(weights))  # as they are before dropout
    spread = ((plain[0, :, None] * V) ** 2).sum(dim=0).sqrt() * (0.3 / 0.7) ** 0.5
    error = (output.mean(dim=0)[0] - (plain @ V)[0]).abs()
    assert (error < 6 * spread / 40_000**0.5).all()
    assert (output.std(dim=0)[0] / spread - 1).abs().max() < 0.05  # p is 0.3


def test_arguments_are_left_as_they_were():
    inputs = draw(4, (2, 3), (4, 3), (4, 3))
    before = [X.clone() for X in inputs]
    allowed = causal_mask(2, 4)
    AttentionLayer(ScaledDot(), 3, 3, 2).double()(*inputs, allowed)
    assert all(torch.equal(x, y) for x, y in zip(before, inputs, strict=True))
    assert torch.equal(allowed, causal_mask(2, 4))


def test_any_callable_is_a_rule_and_its_parameters_are_the_layers():
    Q, K, V = draw(5, (2, 3), (4, 3), (4, 3))
    ours = AttentionLayer(lambda Q, K: Q @ K.mT, 3, 3)(Q, K, V)[0]
    assert_same(ours, AttentionLayer(Dot(), 3, 3)(Q, K, V)[0])
    assert "score.W.weight" in AttentionLayer(General(3, 3), 3, 3).state_dict()


Q, K, V = torch.zeros(4, 2), torch.zeros(3, 2), torch.zeros(3, 5)
layer = AttentionLayer(ScaledDot(), 2, 5, 6)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: AttentionLayer(Dot, 2, 5), TypeError, "score is .*Dot.*made"),
        (lambda: AttentionLayer("dot", 2, 5), TypeError, "score is 'dot'"),
        (lambda: AttentionLayer(Dot(), 0, 5), ValueError, r"query_width.*\[0, 5, 1\]"),
        (lambda: AttentionLayer(Dot(), 2, 1.5), ValueError, r"value_width.*\[2, 1.5"),
        (lambda: AttentionLayer(Dot(), 2, None), ValueError, r"value_width.*None"),
        (lambda: AttentionLayer(Dot(), 2, 5, 0), ValueError, r"output_width.*5, 0\]"),
        (lambda: AttentionLayer(Dot(), 2, 5, dropout=1), ValueError, "dropout is 1:"),
        (lambda: AttentionLayer(Dot(), 2, 5, dropout=-0.1), ValueError, "dropout is"),
        (lambda: AttentionLayer(Dot(), 2, 5, dropout="a"), ValueError, "dropout is"),
        (lambda: layer(Q, K, V[:2]), ValueError, r"V \(2, 5\).*\(…, S, 5\)"),
        (lambda: layer(Q, K, V[0]), ValueError, r"V \(5,\).*\(…, S, 5\)"),
        (lambda: layer(Q, K, V[:, :4]), ValueError, r"V \(3, 4\).*\(…, S, 5\)"),
        (lambda: layer(K.mT, K.mT, V), ValueError, r"Q has shape \(2, 3\).*L, 2\)"),
        (lambda: layer(Q, V, V), ValueError, r"Q.*\(4, 2\).*K.*\(3, 5\)"),
        (lambda: layer(Q[0], K, V), ValueError, r"Q has shape \(2,\)"),
        (
            lambda: layer(Q, K, V.expand(2, 3, 5).double()),
            TypeError,
            "V must be torch.float32.*not torch.float64",
        ),
        (lambda: layer(Q, K, [[1.0]]), TypeError, "V must be torch.float32"),
        (lambda: layer(Q.long(), K, V), TypeError, "Q must .*int64"),
        (lambda: layer(Q.double(), K.double(), V.double()), TypeError, "one dtype"),
        (
            lambda: layer(Q.expand(2, 4, 2), K, V.expand(3, 3, 5)),
            ValueError,
            r"V \(3, 3, 5\): expected leading axes",
        ),
        (lambda: layer(Q, K, V, torch.ones(4, 3)), TypeError, "allowed.*float32"),
        (
            lambda: layer(Q, K, V, torch.ones(3, 4, dtype=torch.bool)),
            ValueError,
            r"allowed has shape \(3, 4\)",
        ),
        (
            lambda: AttentionLayer(Location(2, 2), 2, 5)(Q, K, V),
            ValueError,
            "K has shape.*max_length",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, error, says):
    with pytest.raises(error, match=says):
        call()
