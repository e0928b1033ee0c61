"""Chapter 9's part of attend.layers: formulas, distances, dtypes, messages."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attend.layers import MultiHeadAttention, rotary, sinusoidal_positions

UNHURRIED = settings(deadline=None)  # the first call of torch is slow
seeds, sizes = st.integers(0, 2**32 - 1), st.integers(1, 6)
even = st.integers(1, 6).map(lambda pairs: 2 * pairs)


def random(seed, *shape):
    """Return random numbers in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def close(got, expected, tolerance=1e-5):
    torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)


def by_complex_numbers(X, positions):
    """Return rotary's result: each pair, a complex number, times e to the i angle."""
    E = X.shape[-1]
    z = torch.view_as_complex(X.unflatten(-1, (E // 2, 2)).contiguous())
    speeds = 10000 ** (-torch.arange(0, E, 2, dtype=torch.float64) / E)
    turns = torch.exp(1j * positions[..., None].double() * speeds)
    return torch.view_as_real(z * turns).flatten(-2)


@UNHURRIED
@given(st.integers(0, 40), st.integers(0, 8).map(lambda pairs: 2 * pairs))
def test_sinusoids_follow_the_formula(length, width):
    P = sinusoidal_positions(length, width)
    assert P.shape == (length, width) and P.dtype == torch.float32
    for p in range(length):
        for i in range(width // 2):
            angle = p / 10000 ** (2 * i / width)
            assert abs(P[p, 2 * i] - math.sin(angle)) < 1e-5
            assert abs(P[p, 2 * i + 1] - math.cos(angle)) < 1e-5


def test_only_the_distance_counts_between_sinusoids():
    P = sinusoidal_positions(50, 16)
    torch.testing.assert_close((P @ P.T)[1:, 1:], (P @ P.T)[:-1, :-1])
    assert torch.equal(sinusoidal_positions(80, 16)[:50], P)
    assert (torch.cdist(P, P) + torch.eye(50) > 0.1).all()  # no two alike


def test_behind_projections_the_distance_of_sinusoids_is_not_all():
    P, M = sinusoidal_positions(12, 16).double(), random(0, 16, 16)
    scores = P @ M @ P.T
    assert not torch.allclose(scores[1:, 1:], scores[:-1, :-1], atol=0.5)


@UNHURRIED
@given(seeds, sizes, even)
def test_positions_break_the_equivariance(seed, L, D):
    torch.manual_seed(seed)
    layer, X = MultiHeadAttention(D, 1).double(), random(seed, 1, L + 1, D)
    back, P = X.flip(1), 3 * sinusoidal_positions(L + 1, D).double()
    turned = layer(back + P, back + P, back + P)[0].flip(1)
    assert not torch.allclose(
        turned, layer(X + P, X + P, X + P)[0], rtol=1e-12, atol=1e-12
    )


@UNHURRIED
@given(seeds, st.sampled_from([(), (2,), (2, 3)]), sizes, even)
def test_rotary_is_a_product_of_complex_numbers(seed, axes, L, E):
    X = random(seed, *axes, L, E)
    close(rotary(X), by_complex_numbers(X, torch.arange(L)))
    positions = torch.randint(0, 50, (L,))
    close(rotary(X, positions), by_complex_numbers(X, positions))


@UNHURRIED
@given(seeds, sizes, even, st.integers(-20, 50))
def test_only_the_distance_counts_for_rotary_whatever_the_projections(seed, L, E, by):
    X, W_Q, W_K = random(seed, L, E), random(seed + 1, E, E), random(seed + 2, E, E)
    Q, K, moved = X @ W_Q, X @ W_K, torch.arange(L) + by
    close(rotary(Q, moved) @ rotary(K, moved).mT, rotary(Q) @ rotary(K).mT, 1e-3)
    same = torch.ones(L, 1).double() * X[0]  # the same word everywhere
    scores = rotary(same @ W_Q) @ rotary(same @ W_K).mT
    close(scores[1:, 1:], scores[:-1, :-1], 1e-3)


@UNHURRIED
@given(seeds, sizes, even)
def test_a_turn_keeps_lengths_and_place_0(seed, L, E):
    X = random(seed, L, E)
    close(rotary(X).norm(dim=-1), X.norm(dim=-1))
    assert torch.equal(rotary(X)[0], X[0])
    close(rotary(rotary(X), -torch.arange(L)), X)  # and back


def test_the_waves_are_one_vector_turned():
    up = torch.tensor([0.0, 1.0]).repeat(8).expand(20, 16)
    turned = rotary(up, -torch.arange(20))  # the sine stands first: the other way round
    close(turned, sinusoidal_positions(20, 16))


def test_each_sentence_may_have_positions_of_its_own():
    X = random(0, 2, 3, 4, 8)  # (B, H, L, E)
    starts = torch.tensor([0, 10])[:, None, None]
    whole = rotary(X, torch.arange(4) + starts)  # (2, 1, 4)
    close(whole[0], rotary(X[0]))
    close(whole[1], rotary(X[1], torch.arange(10, 14)))
    close(rotary(X, [0, 1, 2, 3]), rotary(X))


def test_the_dtype_is_kept_gradients_flow_and_no_argument_changes():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert rotary(torch.ones(3, 4, dtype=dtype)).dtype == dtype
    X = random(1, 3, 4).requires_grad_()
    before = X.detach().clone()
    assert torch.autograd.gradcheck(rotary, (X,))
    assert torch.equal(X, before)


X = torch.zeros(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: sinusoidal_positions(3, 5), ValueError, "width is 5"),
        (lambda: sinusoidal_positions(-1, 4), ValueError, "length is -1"),
        (lambda: sinusoidal_positions(2.5, 4), ValueError, "length is 2.5"),
        (lambda: sinusoidal_positions(3, None), ValueError, "width is None"),
        (lambda: rotary(X[..., :3]), ValueError, r"\(2, 3, 3\).*even width"),
        (lambda: rotary(X[0, 0]), ValueError, r"\(4,\).*\(…, L, width\)"),
        (lambda: rotary(X.long()), TypeError, "X.*int64"),
        (lambda: rotary(X.numpy()), TypeError, "X must be a tensor"),
        (lambda: rotary(X, torch.arange(2)), ValueError, r"positions.*\(2,\)"),
        (lambda: rotary(X, torch.arange(1)), ValueError, r"positions.*\(1,\)"),
        (lambda: rotary(X, 7), ValueError, r"positions has shape \(\)"),
        (lambda: rotary(X, torch.zeros(5, 2, 3)), ValueError, r"\(5, 2, 3\)"),
    ],
)
def test_bad_input_names_the_culprit(call, error, says):
    with pytest.raises(error, match=says):
        call()
