"""Measures and intervals from counts: those of attend.training, honest ones."""

import numpy as np
import pytest
import torch

from attend import evidence, training
from attend.data import corpus
from tools import experiments


@pytest.fixture(scope="module")
def measured():
    """A model trained a little, 60 pairs, and their counts (1, 60, COLUMNS)."""
    splits, vocabularies = corpus.splits(train=200), corpus.vocabularies()
    torch.manual_seed(0)
    model = experiments.build(experiments.attending(0, 16))
    training.train(model, splits.train, vocabularies, tokens=30_000, rate=1e-2)
    pairs = splits.validation[:60]
    counts, shared = experiments.counted(model, pairs, vocabularies)
    return model, pairs, np.hstack([shared, counts])[None]


def test_measures_are_those_of_training(measured):
    model, pairs, rows = measured
    vocabularies = corpus.vocabularies()
    for words in ((1, 40), (11, 20)):
        some = [p for p in pairs if words[0] <= len(p.source) <= words[1]]
        found = training.translate(model, [p.source for p in some], vocabularies)
        wanted = [p.target for p in some]
        expected = {
            "bleu": training.bleu(found, wanted),
            "exact": training.exact(found, wanted),
            "accuracy": training.accuracy(model, some, vocabularies),
            "aer": training.aer(training.links(model, some, vocabularies), some),
        }
        assert expected["bleu"] > 0.1
        for name, value in expected.items():
            got = evidence.value(rows, name, words)
            assert got == pytest.approx([value], abs=1e-6), name


def test_bleu_of_what_is_all_right_or_all_wrong():
    wanted = [tuple("abcde"), tuple("fghij")]
    for found in (wanted, [tuple("zzzzz")] * 2, [(), ()], [tuple("abxde"), ()]):
        right = evidence.right_runs(found, wanted)
        rows = np.hstack([[[5, 5, 0]] * 2, right, np.zeros((2, 2), int)])[None]
        assert evidence.value(rows) == pytest.approx(training.bleu(found, wanted))
        assert evidence.value(rows, "exact") == training.exact(found, wanted)


def test_a_measure_that_there_is_not(measured):
    with pytest.raises(ValueError, match="measure is 'blue'"):
        evidence.value(measured[2], "blue")


def made(rng, right, n=200, runs=3, words=10, spread=0.0):
    """Return counts of trainings in which a share of about `right` words is right."""
    hard = rng.normal(0, 0.1, n)  # a hard sentence is hard for all
    rows = np.zeros((runs, n, len(evidence.COLUMNS)), int)
    rows[..., :2] = words
    for run in rows:
        share = np.clip(right + hard + rng.normal(0, spread), 0, 1)
        run[:, evidence.COLUMNS.index("next words right")] = rng.binomial(11, share)
    return rows


def test_an_interval_holds_the_truth_as_often_as_it_says():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        rows = made(rng, 0.6, n=60, spread=0.02)
        found = evidence.mean(rows, "accuracy", draws=60)
        hits += found.low < 60 < found.high
    assert 0.92 < hits / 200 <= 1


def test_of_two_equal_models_the_difference_holds_0():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(200):
        one, other = (made(rng, 0.6, n=60, spread=0.02) for _ in range(2))
        found = evidence.difference(one, other, "accuracy", draws=60)
        hits += found.low < 0 < found.high
    assert 0.92 < hits / 200 <= 1


def test_a_ratio_holds_the_truth_as_often_as_it_says_and_turns_round():
    rng, hits = np.random.default_rng(4), 0
    for _ in range(200):
        one, other = (made(rng, p, n=60, spread=0.02) for p in (0.6, 0.4))
        found = evidence.ratio(one, other, "accuracy", draws=60)
        hits += found.low < 1.5 < found.high
    assert 0.92 < hits / 200 <= 1
    back = evidence.ratio(other, one, "accuracy", draws=60)
    assert np.multiply(found, (back.mean, back.high, back.low)) == pytest.approx(1)


def test_the_same_sentences_make_a_difference_surer():
    rng = np.random.default_rng(2)
    one = made(rng, 0.6)
    other = one.copy()
    other[:, :20, evidence.COLUMNS.index("next words right")] //= 2
    paired = evidence.difference(one[:1], other[:1], "accuracy")
    apart = evidence.difference(one[:1], other[:1, ::-1], "accuracy")
    assert paired.mean == pytest.approx(apart.mean)
    assert paired.high - paired.low < 0.6 * (apart.high - apart.low)
    assert paired.low > 0


def test_a_single_run_knows_of_sentences_only():
    rows = made(np.random.default_rng(3), 0.6, spread=0.1)
    one, many = evidence.mean(rows[:1], "accuracy"), evidence.mean(rows, "accuracy")
    assert one.high - one.low < many.high - many.low
    right = rows[0, :, evidence.COLUMNS.index("next words right")] / 11
    half = 1.96 * 100 * right.std() / len(right) ** 0.5
    assert one.high - one.mean == pytest.approx(half, rel=0.1)
    assert str(one) == f"{one.mean:.1f} [{one.low:.1f}, {one.high:.1f}]"


def test_counts_are_read_by_name(tmp_path):
    path = tmp_path / "some.npz"
    shared, counts = np.full((4, 3), 9, np.uint8), np.ones((4, 8), np.uint8)
    np.savez(path, sentences=shared, **{"with 64": counts, "other": 2 * counts})
    rows = evidence.counts(path, ["other", "with 64"])
    assert rows.shape == (2, 4, len(evidence.COLUMNS))
    assert (rows[0, :, 3:] == 2).all() and (rows[..., :3] == 9).all()
    with pytest.raises(KeyError, match="nobody"):
        evidence.counts(path, ["nobody"])
