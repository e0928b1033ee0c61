"""Alignment without a network: IBM Model 1 against plain loops, and its diagonal."""

import numpy as np
import pytest

from attend import evidence, training
from attend.alignment import aligned, diagonal, model_1
from attend.data import corpus
from attend.data.corpus import Pair, Vocabulary

SMALL = [
    Pair(("the", "house"), ("das", "Haus")),
    Pair(("the", "book"), ("das", "Buch")),
    Pair(("a", "book"), ("ein", "Buch")),
]
WORDS = (
    Vocabulary.of(pair.source for pair in SMALL),
    Vocabulary.of(pair.target for pair in SMALL),
)


def slowly(pairs, rounds, tension=0.0):
    """The same by loops, as the formulas stand in the papers: {(target, source): …}."""
    sources = {word for pair in pairs for word in pair.source}
    targets = {word for pair in pairs for word in pair.target}
    t = {(f, e): 1.0 for f in targets for e in sources}
    for _ in range(rounds):
        count, total = dict.fromkeys(t, 0.0), dict.fromkeys(sources, 0.0)
        for pair in pairs:
            S, T = len(pair.source), len(pair.target)
            for i, f in enumerate(pair.target):
                near = [
                    np.exp(-tension * abs((i + 0.5) / T - (j + 0.5) / S))
                    for j in range(S)
                ]
                norm = sum(n * t[f, e] for n, e in zip(near, pair.source, strict=True))
                for n, e in zip(near, pair.source, strict=True):
                    share = n * t[f, e] / norm
                    count[f, e] += share
                    total[e] += share
        t = {(f, e): count[f, e] / total[e] for f, e in t}
    return t


@pytest.mark.parametrize(("rounds", "tension"), [(1, 0), (2, 0), (5, 0), (3, 4)])
def test_the_chances_are_those_of_plain_loops(rounds, tension):
    pairs = [*SMALL, Pair(("the", "the", "house", "a"), ("Haus", "das", "ein"))]
    chances, expected = (
        model_1(pairs, WORDS, rounds, tension),
        slowly(pairs, rounds, tension),
    )
    for (f, e), value in expected.items():
        got = chances[WORDS[1].index[f], WORDS[0].index[e]]
        assert got == pytest.approx(value)


def test_words_that_come_together_are_linked():
    chances = model_1(SMALL, WORDS, rounds=20)
    assert aligned(SMALL, WORDS, chances) == [{(0, 0), (1, 1)}] * 3
    assert chances[WORDS[1].index["Buch"], WORDS[0].index["book"]] > 0.95


@pytest.mark.parametrize(("T", "S", "tension"), [(1, 1, 3), (4, 7, 0), (5, 5, 2.5)])
def test_the_diagonal_is_a_distribution(T, S, tension):
    found = diagonal(T, S, tension)
    assert found.shape == (T, S)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    if not tension:
        np.testing.assert_allclose(found, 1 / S)
    if T == S > 1:
        assert (found.argmax(axis=1) == np.arange(T)).all()


def test_on_the_corpus_words_help_and_so_do_places():
    splits, vocabularies = corpus.splits(train=2_000), corpus.vocabularies()
    pairs, errors = splits.validation[:200], {}
    for tension in (0, 4):
        chances = model_1(splits.train, vocabularies, tension=tension)
        links = aligned(pairs, vocabularies, chances, tension)
        errors[tension] = training.aer(links, pairs)
        rows = evidence.of_links(links, pairs)
        assert evidence.value(rows, "aer") == pytest.approx([errors[tension]])
    places = training.aer(aligned(pairs, vocabularies, tension=4), pairs)
    assert errors[4] < errors[0] - 3 < 25 < 60 < places


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="0 pairs, 10 rounds: expected one or more"):
        model_1([], WORDS)
    with pytest.raises(ValueError, match="3 pairs, 0 rounds: expected one or more"):
        model_1(SMALL, WORDS, rounds=0)
