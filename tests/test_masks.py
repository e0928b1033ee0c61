"""Chapter 6 of attend.layers against PyTorch, and the alarms of attend.check."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from attend import check
from attend.layers import (
    causal_mask,
    masked_softmax,
    merge_heads,
    pad_batch,
    padding_mask,
    split_heads,
)

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)
few = st.integers(0, 3)  # 0: an empty batch
UNHURRIED = settings(deadline=None)  # the first call of torch is slow


def normals(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    double = {"dtype": torch.float64, "generator": generator}
    return [torch.randn(shape, **double) for shape in shapes]


def bools(seed, shape):
    """Return allowed with rows of all kinds: mixed, and with nothing or all allowed."""
    mixed, rows = normals(seed + 1, shape, (*shape[:-1], 1))
    return (mixed > 0) & (rows > -0.7) | (rows > 1)


# ---------------------------------------------------------------- the masked softmax


@UNHURRIED
@given(seeds, few, sizes, sizes, sizes, sizes, sizes, st.booleans())
def test_context_and_gradients_agree_with_torch(seed, B, H, L, S, E, Ev, masked):
    shapes = (B, H, L, E), (B, H, S, E), (B, H, S, Ev)
    Q, K, V = (X.requires_grad_() for X in normals(seed, *shapes))
    allowed = bools(seed, (B, H, L, S)) if masked else None
    weights = masked_softmax(Q @ K.mT / E**0.5, allowed)
    ours = weights @ V
    fused = F.scaled_dot_product_attention(Q, K, V, attn_mask=allowed)
    torch.testing.assert_close(ours, fused)
    slopes = [torch.autograd.grad((c**2).sum(), (Q, K, V)) for c in (ours, fused)]
    for mine, theirs in zip(*slopes, strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, theirs)
    check.fits_mask("weights", weights, torch.tensor(True) if not masked else allowed)


@UNHURRIED
@given(seeds, few, sizes, sizes, sizes, st.sampled_from(["L", "S", "H", "BH", ""]))
def test_a_mask_broadcasts_to_the_scores(seed, B, H, L, S, repeated):
    (scores,) = normals(seed, (B, H, L, S))
    sizes = {"B": B, "H": H, "L": L, "S": S}
    shape = [1 if axis in repeated else size for axis, size in sizes.items()]
    allowed = bools(seed, shape)
    whole = allowed.expand(B, H, L, S)
    weights = masked_softmax(scores, allowed)
    assert weights.shape == scores.shape
    torch.testing.assert_close(weights, masked_softmax(scores, whole))
    some = whole.any(dim=-1)  # where torch.softmax is defined
    expected = torch.softmax(scores.masked_fill(~whole, -torch.inf), dim=-1)
    torch.testing.assert_close(weights[some], expected[some])


@UNHURRIED
@given(seeds, sizes, sizes)
def test_a_row_with_nothing_allowed_is_0_and_so_is_its_gradient(seed, L, S):
    (scores,) = normals(seed, (L, S))
    scores.requires_grad_()
    allowed = torch.ones(L, S, dtype=torch.bool)
    allowed[0] = False
    with torch.autograd.set_detect_anomaly(True):
        weights = masked_softmax(scores, allowed)
        (slope,) = torch.autograd.grad((weights * scores.detach()).sum(), scores)
    assert (weights[0] == 0).all() and (slope[0] == 0).all()
    assert slope.isfinite().all()
    torch.testing.assert_close(weights[1:], torch.softmax(scores[1:], dim=-1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_float_type_holds_the_mask(dtype):
    scores = torch.tensor([[2.0, 1, 0], [2, 1, 0]], dtype=dtype)
    allowed = torch.tensor([[True, True, False], [False, False, False]])
    weights = masked_softmax(scores, allowed)
    assert weights.dtype == dtype
    expected = torch.tensor([[0.7311, 0.2689, 0], [0, 0, 0]])
    torch.testing.assert_close(weights.float(), expected, rtol=0, atol=4e-3)


def test_hidden_scores_may_be_anything():
    odd = torch.tensor([[0.0, torch.nan, torch.inf, 0.0]], requires_grad=True)
    weights = masked_softmax(odd, torch.tensor([True, False, False, True]))
    (slope,) = torch.autograd.grad(weights[0, 0], odd)
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0, 0, 0.5]]))
    torch.testing.assert_close(slope, torch.tensor([[0.25, 0, 0, -0.25]]))


def test_a_score_of_minus_infinity_counts_as_hidden():
    weights = masked_softmax(torch.tensor([[-torch.inf, -torch.inf], [-torch.inf, 0]]))
    torch.testing.assert_close(weights, torch.tensor([[0.0, 0], [0, 1]]))


# ---------------------------------------------------------------- the masks


@UNHURRIED
@given(st.lists(st.integers(0, 6), max_size=4), st.integers(0, 2))
def test_padding_mask_agrees_with_the_definition(lengths, more):
    S = max(lengths, default=0) + more
    expected = [[[j < length for j in range(S)]] for length in lengths]
    allowed = padding_mask(lengths, S)
    assert allowed.dtype == torch.bool and allowed.shape == (len(lengths), 1, S)
    assert allowed.tolist() == expected
    assert torch.equal(padding_mask(torch.tensor(lengths), S), allowed)


@UNHURRIED
@given(seeds, st.integers(0, 6), st.integers(0, 6))
def test_causal_mask_is_that_of_is_causal(seed, L, S):
    assert causal_mask(L, S).tolist() == [[j <= i for j in range(S)] for i in range(L)]
    assert torch.equal(causal_mask(L), causal_mask(L, L))
    Q, K, V = normals(seed, (1, L, 3), (1, S, 3), (1, S, 2))
    weights = masked_softmax(Q @ K.mT / 3**0.5, causal_mask(L, S))
    if L and S:
        fused = F.scaled_dot_product_attention(Q, K, V, is_causal=True)
        torch.testing.assert_close(weights @ V, fused)


@UNHURRIED
@given(seeds, st.lists(st.integers(0, 5), min_size=1, max_size=4), sizes, sizes)
def test_no_sentence_notices_its_neighbours(seed, lengths, H, E):
    sequences = normals(seed, *[(length, H * E) for length in lengths])
    X, counted = pad_batch(sequences)
    assert counted.tolist() == lengths
    S = X.shape[1]
    allowed = padding_mask(counted, S)[:, None] & causal_mask(S)
    heads = split_heads(X, H)
    batch = merge_heads(masked_softmax(heads @ heads.mT, allowed) @ heads)
    for n, sequence, result in zip(lengths, sequences, batch, strict=True):
        assert torch.equal(X[lengths.index(n), n:], torch.zeros(S - n, H * E))
        one = split_heads(sequence, H)
        alone = merge_heads(masked_softmax(one @ one.mT, causal_mask(n)) @ one)
        torch.testing.assert_close(result[:n], alone)


# ---------------------------------------------------------------- heads


@UNHURRIED
@given(seeds, few, few, sizes, sizes)
def test_heads_are_slices_of_the_width(seed, B, L, H, E):
    (X,) = normals(seed, (B, L, H * E))
    heads = split_heads(X, H)
    assert heads.shape == (B, H, L, E)
    for h in range(H):
        assert torch.equal(heads[:, h], X[..., h * E : (h + 1) * E])
    assert torch.equal(merge_heads(heads), X)


# ---------------------------------------------------------------- bad input

three, yes = torch.ones(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: pad_batch([]), ValueError, "sequences is empty"),
        (
            lambda: pad_batch([three[0], three[0, :, :2]]),
            ValueError,
            r"sequences\[1\] has shape \(3, 2\)",
        ),
        (lambda: pad_batch([three]), ValueError, r"sequences\[0\].*\(2, 3, 4\)"),
        (lambda: pad_batch([three[0, 0]]), ValueError, r"sequences\[0\].*\(4,\)"),
        (lambda: padding_mask([3, 6, 7], 5), ValueError, r"lengths\[1\] is 6.*S = 5"),
        (lambda: padding_mask([3, -1], 5), ValueError, r"lengths\[1\] is -1"),
        (lambda: padding_mask([3.0], 5), TypeError, "lengths has dtype torch.float32"),
        (lambda: padding_mask([True], 5), TypeError, "lengths has dtype torch.bool"),
        (lambda: padding_mask([[3]], 5), ValueError, r"lengths has shape \(1, 1\)"),
        (lambda: padding_mask(3, 5), ValueError, r"lengths has shape \(\)"),
        (lambda: causal_mask(-1), ValueError, "L is -1"),
        (lambda: causal_mask(2, 2.5), ValueError, "S is 2.5"),
        (lambda: masked_softmax(three.long()), TypeError, "scores.*int64.*floats"),
        (
            lambda: masked_softmax(three, three),
            TypeError,
            "allowed torch.float32",
        ),
        (
            lambda: masked_softmax(three, yes[:, :2]),
            ValueError,
            r"allowed.*\(2, 2, 4\).*\(2, 3, 4\)",
        ),
        (lambda: masked_softmax(three[0], yes), ValueError, r"allowed.*\(2, 3, 4\)"),
        (lambda: split_heads(three, 3), ValueError, r"\(2, 3, 4\), heads is 3"),
        (lambda: split_heads(three, 0), ValueError, "heads is 0"),
        (lambda: split_heads(three, 2.0), ValueError, "heads is 2.0"),
        (lambda: split_heads(three[0, 0], 2), ValueError, r"X has shape \(4,\)"),
        (lambda: merge_heads(three[0]), ValueError, r"X has shape \(3, 4\)"),
    ],
)
def test_bad_input_names_the_culprit(call, error, says):
    with pytest.raises(error, match=says):
        call()


# ---------------------------------------------------------------- the alarms

B, H, L, E = 2, 4, 5, 6
Q, K, V = normals(1, (B, H, L, E), (B, H, L, E), (B, H, L, 3))
lengths = torch.tensor([3, 4])
allowed = padding_mask(lengths, L)[:, None]  # (B, 1, 1, S)
scores = Q @ K.mT / E**0.5
weights = masked_softmax(scores, allowed)
v = torch.linspace(-1, 1, E, dtype=torch.float64)
pairs = Q[..., :, None, :] + K[..., None, :, :]
X = normals(2, (B, L, H * E))[0]


def attention(Q, K, V, allowed):
    weights = masked_softmax(Q @ K.mT / E**0.5, allowed)
    return weights @ V, weights


def in_place(scores, allowed):
    return torch.softmax(scores.masked_fill_(~allowed, -torch.inf), dim=-1)


def in_place_numpy(scores):
    scores -= scores.max()
    return scores


def by_loop(X, heads):
    E = X.shape[-1] // heads
    return np.stack([np.asarray(X)[..., h * E :][..., :E] for h in range(heads)], -3)


SILENT = {
    "rows sum to 1": lambda: check.rows_sum_to_one("w", weights),
    "weights fit": lambda: check.fits_mask("w", weights, allowed),
    "nothing allowed": lambda: check.fits_mask("w", torch.zeros(3, 4), ~yes[0]),
    "an empty batch": lambda: check.fits_mask("w", torch.zeros(0, 3, 4), yes[0]),
    "padding ignored": lambda: check.ignores_padding(attention, Q, K, V, allowed),
    "padding ignored by torch": lambda: check.ignores_padding(
        F.scaled_dot_product_attention, Q, K, V, allowed
    ),
    "padding ignored, no heads": lambda: check.ignores_padding(
        attention, Q[:, 0], K[:, 0], V[:, 0], padding_mask(lengths, L)
    ),
    "rows differ": lambda: check.rows_differ("w", torch.softmax(pairs.tanh() @ v, -1)),
    "spread 1": lambda: check.spread_is_one("s", normals(3, (200, 200))[0]),
    "argument unchanged": lambda: check.leaves_unchanged(
        masked_softmax, scores.clone().requires_grad_(), allowed
    ),
    "heads": lambda: check.keeps_places(split_heads, X, H),
    "heads by a loop": lambda: check.keeps_places(by_loop, X.numpy(), H),
    "one head": lambda: check.keeps_places(lambda X, heads: X[:, None], X, 1),
}

RINGS = {
    "softmax over the queries": (
        lambda: check.rows_sum_to_one("w", torch.softmax(scores, -2)),
        "each row of w must sum to 1.*which axis",
    ),
    "padding unmasked, seen by the weights": (
        lambda: check.fits_mask("w", torch.softmax(scores, -1), allowed),
        r"w\[0, 0, 0, 3\] is .* on a hidden key: mask the scores",
    ),
    "padding unmasked, seen by the context": (
        lambda: check.ignores_padding(
            lambda Q, K, V, _: attention(Q, K, V, None), Q, K, V, allowed
        ),
        "changed when only padding changed",
    ),
    "mask after the softmax, seen by the weights": (
        lambda: check.fits_mask(
            "w", torch.softmax(scores, -1).masked_fill(~allowed, 0), allowed
        ),
        r"row \[0, 0, 0\] of w sums to 0\..*before the softmax",
    ),
    "mask after the softmax, seen by the context": (
        lambda: check.ignores_padding(
            lambda Q, K, V, allowed: torch.softmax(Q @ K.mT, -1) * allowed @ V,
            *(Q, K, V, allowed),
        ),
        "changed when only padding changed",
    ),
    "mask inverted": (
        lambda: check.fits_mask("w", masked_softmax(scores, ~allowed), allowed),
        r"w\[0, 0, 0, 3\] is 0\..*inverted",
    ),
    "a row of nothing became NaN": (
        lambda: check.fits_mask("w", torch.full((1, 2), torch.nan), yes[0, :1, :2]),
        "NaN",
    ),
    "a row of nothing became uniform": (
        lambda: check.fits_mask("w", torch.full((1, 2), 0.5), ~yes[0, :1, :2]),
        r"w\[0, 0\] is 0.5 on a hidden key: mask",
    ),
    "a row with words became 0": (
        lambda: check.fits_mask("w", np.zeros((1, 2)), np.array([[True, False]])),
        r"row \[0\] of w sums to 0, but should sum to 1",
    ),
    "masked in place": (
        lambda: check.leaves_unchanged(in_place, scores, allowed),
        "in_place changed its argument number 1",
    ),
    "changed in place, NumPy": (
        lambda: check.leaves_unchanged(in_place_numpy, np.array([1.0, 2])),
        "in_place_numpy changed its argument number 1",
    ),
    "tanh missing": (
        lambda: check.rows_differ("w", torch.softmax(pairs @ v, -1)),
        "all rows of w are the same.*tanh",
    ),
    "tanh missing, in one sentence only": (
        lambda: check.rows_differ(
            "w", torch.stack([scores[0, 0], scores[1, 0, :1].expand(L, L)])
        ),
        "all rows",
    ),
    "divided by the root of the model's width": (
        lambda: check.spread_is_one("s", normals(3, (200, 200))[0] / H**0.5),
        "standard deviation 1, not 0.5.*√E",
    ),
    "not divided": (
        lambda: check.spread_is_one("s", normals(3, (200, 200))[0] * E**0.5),
        "standard deviation 1, not 2.4",
    ),
    "heads by reshape": (
        lambda: check.keeps_places(lambda X, h: X.reshape(B, h, L, E), X, H),
        "head 0 holds at place 1 what X does not have there",
    ),
    "heads not moved": (
        lambda: check.keeps_places(lambda X, h: X.unflatten(-1, (h, E)), X, H),
        r"shape \(2, 5, 4, 6\), but it should be \(2, 4, 5, 6\)",
    ),
}


@pytest.mark.parametrize("alarm", SILENT.values(), ids=SILENT)
def test_alarm_is_silent_on_the_right_code(alarm):
    alarm()


@pytest.mark.parametrize(("alarm", "says"), RINGS.values(), ids=RINGS)
def test_alarm_catches_the_bug(alarm, says):
    with pytest.raises(AssertionError, match=says):
        alarm()


def test_ignores_padding_refuses_a_mask_that_hides_nothing():
    with pytest.raises(ValueError, match="nothing to test"):
        check.ignores_padding(attention, Q, K, V, allowed | True)


def test_alarms_take_tensors_with_gradients_and_return_what_was_computed():
    weights = masked_softmax(scores.clone().requires_grad_(), allowed)
    check.fits_mask("w", weights, allowed)
    check.rows_differ("w", weights)
    check.is_close("w", weights, masked_softmax(scores, allowed))
    context, _ = check.ignores_padding(attention, Q, K, V, allowed)
    torch.testing.assert_close(context, attention(Q, K, V, allowed)[0])
    assert torch.equal(check.keeps_places(split_heads, X, H), split_heads(X, H))
