"""attend.attention against independent references, and its messages."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from attend.attention import attention, dot, entropy, gaussian, mask, softmax

sizes = st.integers(1, 4)


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(scale=3, size=shape) for shape in shapes]


@given(st.integers(0, 2**32 - 1), sizes, sizes, sizes, sizes, sizes, st.booleans())
def test_attention_agrees_with_torch(seed, B, L, S, E, Ev, masked):
    Q, K, V, chance = arrays(seed, (B, L, E), (B, S, E), (B, S, Ev), (B, L, S))
    allowed = chance > 0
    allowed[..., 0] = True  # every query may look at something
    context, weights = attention(Q, K, V, allowed if masked else None)
    expected = F.scaled_dot_product_attention(
        *map(torch.tensor, (Q, K, V)),
        attn_mask=torch.tensor(allowed) if masked else None,
        scale=1.0,
    )
    np.testing.assert_allclose(context, expected.numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(weights.sum(axis=-1), 1)
    if masked:
        assert (weights[~allowed] == 0).all()


@given(st.integers(0, 2**32 - 1), sizes, sizes, sizes, sizes, st.floats(0.3, 30))
def test_gaussian_scores_are_nadaraya_watson(seed, B, L, S, E, h):
    Q, K, V = arrays(seed, (B, L, E), (B, S, E), (B, S, E))
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    apart = torch.cdist(torch.tensor(Q), torch.tensor(K), **exact).numpy()
    kernel = np.exp(-((apart / h) ** 2) / 2)
    np.testing.assert_allclose(np.exp(gaussian(Q, K, h)), kernel, rtol=1e-9)


def test_attention_with_the_gaussian_score_is_nadaraya_watson():
    degrees, cones = np.array([[20.0], [24], [31]]), np.array([[60.0], [90], [200]])
    context, _ = attention(
        [[25.0]], degrees, cones, score=lambda Q, K: gaussian(Q, K, 4)
    )
    kernel = np.exp(-(((25 - degrees) / 4) ** 2) / 2)
    np.testing.assert_allclose(context[0, 0], (kernel * cones).sum() / kernel.sum())


def test_gaussian_of_unsigned_integers_does_not_wrap():
    small, large = np.array([[1]], np.uint8), np.array([[3]], np.uint8)
    assert gaussian(small, large, 2) == gaussian(large, small, 2) == -0.5


@given(st.integers(0, 2**32 - 1), sizes, sizes, st.floats(-2000, 2000))
def test_softmax_agrees_with_torch_and_ignores_shifts(seed, L, S, shift):
    (scores,) = arrays(seed, (L, S))
    expected = torch.softmax(torch.tensor(scores), -1).numpy()
    np.testing.assert_allclose(softmax(scores), expected, rtol=1e-9)
    np.testing.assert_allclose(softmax(scores + shift), expected, rtol=1e-6)


def test_float32_stays_and_integers_become_floats():
    assert softmax(np.zeros(3, dtype=np.float32)).dtype == np.float32
    assert softmax([1, 2, 3]).dtype == np.float64


def test_arguments_are_left_as_they_were():
    Q, K, V = arrays(0, (2, 3), (4, 3), (4, 2))
    before = [Q.copy(), K.copy(), V.copy()]
    attention(Q, K, V, np.ones((2, 4), dtype=bool))
    assert all(np.array_equal(x, y) for x, y in zip(before, [Q, K, V], strict=True))


def test_entropy():
    np.testing.assert_allclose(entropy([0.25] * 4), 2)
    np.testing.assert_allclose(entropy([[1, 0], [0.5, 0.5]]), [0, 1])


two, three = np.ones((2, 3)), np.ones((3, 3))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: dot(two, np.ones((2, 4))), ValueError, r"Q.*\(2, 3\).*K.*\(2, 4\)"),
        (lambda: dot(two, np.ones(3)), ValueError, r"K has shape \(3,\).*2 or more"),
        (lambda: attention(two, three, two), ValueError, r"K.*\(3, 3\).*V.*\(2, 3\)"),
        (lambda: attention([], [], []), ValueError, r"Q has shape \(0,\)"),
        (
            lambda: attention(two, three * np.nan, three),
            ValueError,
            r"K.*\(3, 3\).*NaN",
        ),
        (lambda: attention(two, three, three.astype(str)), TypeError, r"V.*dtype <U"),
        (lambda: attention(two, three, three * 1j), TypeError, "V.*complex"),
        (lambda: softmax([]), ValueError, r"scores has shape \(0,\)"),
        (lambda: softmax(3.0), ValueError, r"scores has shape \(\)"),
        (lambda: softmax([[0.0], [-np.inf]]), ValueError, r"row \[1\].*\(2, 1\)"),
        (lambda: softmax([0, np.inf]), ValueError, "inf"),
        (lambda: softmax(None), TypeError, "scores"),
        (lambda: mask(two, np.ones((2, 3))), TypeError, "allowed must be bool"),
        (lambda: mask(two, np.ones((3, 3), bool)), ValueError, r"\(3, 3\).*\(2, 3\)"),
        (lambda: mask("no", np.ones((2, 3), bool)), TypeError, "scores"),
        (
            lambda: attention(two, three, three, two > 5),
            ValueError,
            "allowed has a row",
        ),
        (lambda: entropy([0.5, 0.6]), ValueError, "weights.*sum to 1"),
        (lambda: entropy(["a"]), TypeError, "weights"),
        (lambda: entropy([]), ValueError, r"weights.*\(0,\)"),
        (lambda: entropy([np.nan, 1]), ValueError, r"weights.*\(2,\).*sum to 1"),
        (lambda: entropy([-1, 2]), ValueError, "weights.*≥ 0"),
        (
            lambda: gaussian(two, np.ones((2, 4))),
            ValueError,
            r"Q.*\(2, 3\).*K.*\(2, 4\)",
        ),
        (lambda: gaussian(np.ones(3), two), ValueError, r"Q has shape \(3,\)"),
        (lambda: gaussian(two, two * np.nan), ValueError, r"K.*\(2, 3\).*finite"),
        (lambda: gaussian(two, two, 0), ValueError, "bandwidth is 0.*> 0"),
        (lambda: gaussian(two, two, "2"), ValueError, "bandwidth is '2'"),
    ],
)
def test_bad_input_names_the_culprit(call, error, says):
    with pytest.raises(error, match=says):
        call()
