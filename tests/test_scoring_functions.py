"""The scoring functions: torch against NumPy over random shapes, and the messages."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attend import attention
from attend.attention import additive, scaled_dot
from attend.layers import (
    Additive,
    Concat,
    Dot,
    Gaussian,
    General,
    Location,
    ScaledDot,
)

SIZES = st.integers(1, 5)
LEADING = st.sampled_from(
    [((), ()), ((1,), (1,)), ((2, 1), (2, 3)), ((3,), ()), ((), (2, 2)), ((1, 1),) * 2]
)


def matrices(score):
    """Return the score's matrices as NumPy arrays, the way round that formulas use."""
    return [p.detach().numpy().T for p in score.parameters()]


def loop(Q, K, score_of_pair, L, S):
    """Score pair by pair, the slow and obvious way."""
    leading = np.broadcast_shapes(Q.shape[:-2], K.shape[:-2])
    Q = np.broadcast_to(Q, leading + Q.shape[-2:])
    K = np.broadcast_to(K, leading + K.shape[-2:])
    scores = np.empty((*leading, L, S))
    for place in np.ndindex(*scores.shape):
        *batch, i, j = place
        scores[place] = score_of_pair(Q[(*batch, i)], K[(*batch, j)], j)
    return scores


@given(LEADING, SIZES, SIZES, SIZES, SIZES, SIZES, st.integers(0, 99))
@settings(deadline=None)
def test_torch_equals_numpy_and_the_loop(leading, L, S, Eq, Ek, U, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    Q, K = rng.normal(size=(*leading[0], L, Eq)), rng.normal(size=(*leading[1], S, Ek))
    same = rng.normal(size=(*leading[1], S, Eq))  # keys as wide as the queries

    def check(score, K, score_of_pair, numpy_score=None):
        score = score.double()
        expected = loop(Q, K, score_of_pair, L, S)
        got = score(torch.tensor(Q), torch.tensor(K)).detach().numpy()
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-6)
        if numpy_score:
            np.testing.assert_allclose(numpy_score(Q, K), expected, atol=1e-6)

    check(Dot(), same, lambda q, k, j: q @ k, attention.dot)
    check(ScaledDot(), same, lambda q, k, j: q @ k / Eq**0.5, scaled_dot)
    check(
        Gaussian(1.5),
        same,
        lambda q, k, j: -sum((q - k) ** 2) / 2 / 1.5**2,
        lambda Q, K: attention.gaussian(Q, K, 1.5),
    )

    general = General(Eq, Ek).double()
    (W,) = matrices(general)
    check(general, K, lambda q, k, j: q @ W @ k)

    location = Location(Eq, S + U).double()
    (W_p,) = matrices(location)
    check(location, K, lambda q, k, j: (q @ W_p)[j])

    network = Additive(Eq, Ek, U).double()
    M_Q, M_K, w = matrices(network)
    check(
        network,
        K,
        lambda q, k, j: np.tanh(q @ M_Q + k @ M_K) @ w[:, 0],
        lambda Q, K: additive(Q, K, M_Q, M_K, w[:, 0]),
    )
    concat = Concat(Eq, Ek, U).double()
    concat.load_state_dict(network.state_dict())
    W = np.concatenate([M_Q, M_K])
    check(concat, K, lambda q, k, j: np.tanh(np.concatenate([q, k]) @ W) @ w[:, 0])


def all_functions(width=3):
    return [
        Dot(),
        ScaledDot(),
        Gaussian(2.0),
        General(width, width),
        Location(width, 6),
        Additive(width, width, 5),
        Concat(width, width, 5),
    ]


@pytest.mark.parametrize(
    "score", all_functions(), ids=lambda score: type(score).__name__
)
class TestEveryFunction:
    @pytest.mark.parametrize(
        ("batch", "L", "S"), [((0,), 2, 4), ((2, 0), 2, 4), ((), 0, 4), ((1, 1), 2, 0)]
    )
    def test_empty_axes_give_empty_scores(self, score, batch, L, S):
        Q = torch.zeros(*batch, L, 3, requires_grad=True)
        scores = score(Q, torch.zeros(*batch, S, 3))
        assert scores.shape == (*batch, L, S)
        scores.sum().backward()
        assert Q.grad is None or Q.grad.shape == Q.shape

    def test_gradients_are_those_of_finite_differences(self, score):
        generator = torch.Generator().manual_seed(0)
        options = {"dtype": torch.double, "requires_grad": True}
        Q = torch.randn(2, 2, 3, generator=generator, **options)
        K = torch.randn(2, 4, 3, generator=generator, **options)
        try:
            score.double()
            assert torch.autograd.gradcheck(score, (Q, K))
        finally:
            score.float()

    def test_arguments_stay_as_they_were(self, score):
        Q, K = torch.ones(2, 3), torch.ones(4, 3)
        score(Q, K)
        assert torch.equal(Q, torch.ones(2, 3)) and torch.equal(K, torch.ones(4, 3))

    @pytest.mark.parametrize(
        ("Q", "K", "error", "says"),
        [
            ([[1.0]], torch.ones(4, 3), TypeError, "Q must be a tensor.*list"),
            (torch.ones(2, 3), np.ones((4, 3)), TypeError, "K must be.*float64"),
            (torch.ones(2, 3), torch.ones(4, 3).long(), TypeError, "K.*int64"),
            (torch.ones(2, 3), torch.ones(4, 3).double(), TypeError, "one dtype"),
            (torch.ones(3), torch.ones(4, 3), ValueError, r"Q has shape \(3,\)"),
            (torch.ones(2, 3), torch.tensor(1.0), ValueError, r"K has shape \(\)"),
            (torch.ones(2, 0), torch.ones(4, 0), ValueError, r"\(2, 0\).*> 0"),
            (
                torch.ones(2, 2, 3),
                torch.ones(3, 4, 3),
                ValueError,
                r"\(2, 2, 3\).*\(3, 4, 3\).*broadcast",
            ),
            (
                torch.ones(2, 4),
                torch.ones(4, 3),
                ValueError,
                r"Q has shape \(2, 4\).*expected \(…, L, 3\)",
            ),
        ],
    )
    def test_bad_input_names_the_culprit(self, score, Q, K, error, says):
        with pytest.raises(error, match=says):
            score(Q, K)


two, three = np.ones((2, 3)), np.ones((4, 3))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: scaled_dot(two, np.ones((4, 2))), ValueError, r"K has shape \(4, 2\)"),
        (lambda: scaled_dot(two, [["a"]]), TypeError, "K.*dtype <U"),
        (lambda: scaled_dot(np.ones(3), three), ValueError, r"Q has shape \(3,\)"),
        (
            lambda: additive(two, three, np.ones((2, 5)), np.ones((3, 5)), np.ones(5)),
            ValueError,
            r"M_Q has shape \(2, 5\).*expected \(3, U\)",
        ),
        (
            lambda: additive(two, three, np.ones((3, 1)), np.ones((3, 5)), np.ones(5)),
            ValueError,
            r"M_Q has shape \(3, 1\), w has shape \(5,\)",
        ),
        (
            lambda: additive(two, three, np.ones((3, 5)), np.ones((2, 5)), np.ones(5)),
            ValueError,
            r"M_K has shape \(2, 5\).*expected \(3, U\)",
        ),
        (
            lambda: additive(two, three, *[np.ones((3, 5))] * 2, np.ones((5, 1))),
            ValueError,
            r"w has shape \(5, 1\)",
        ),
        (
            lambda: additive(two * np.nan, three, *[np.ones((3, 5))] * 2, np.ones(5)),
            ValueError,
            "Q, of shape.*NaN",
        ),
        (lambda: General(2, 0), ValueError, "key_width is 0"),
        (lambda: General(2.5, 2), ValueError, "query_width is 2.5"),
        (lambda: Additive(2, 2, -1), ValueError, "hidden_width is -1"),
        (lambda: Location(2, 0), ValueError, "max_length is 0"),
        (lambda: Gaussian(0), ValueError, "bandwidth is 0"),
        (lambda: Gaussian(float("nan")), ValueError, "bandwidth is nan"),
        (
            lambda: Location(3, 3)(torch.ones(2, 3), torch.ones(4, 3)),
            ValueError,
            r"K has shape \(4, 3\), 4 keys: expected 3 at most",
        ),
        (
            lambda: General(3, 2)(torch.ones(2, 3), torch.ones(4, 3)),
            ValueError,
            r"expected \(…, L, 3\) and \(…, S, 2\)",
        ),
    ],
)
def test_bad_input_names_the_culprit(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_location_takes_keys_of_any_width():
    assert Location(3, 6)(torch.ones(2, 3), torch.ones(4, 7)).shape == (2, 4)
