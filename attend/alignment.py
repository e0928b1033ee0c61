"""Word alignment without a network: what attention's heat maps must be compared with.

    >>> chances = model_1(data.train[:8_000], vocabularies())
    >>> training.aer(aligned(data.validation, vocabularies(), chances), data.validation)

IBM Model 1 (Brown et al., 1993) knows only which words come together in pairs of
sentences. Its diagonal variant (Dyer et al., 2013) also believes that words stand at
like places. Neither has a null word: each target word is linked to one source word, as
by the largest attention weight.
"""

import numpy as np


def _cells(pairs, vocabularies):
    """Return for each pair its source and target numbers, laid out (T, S)."""
    for pair in pairs:
        source, target = (v.encode(w) for v, w in zip(vocabularies, pair, strict=False))
        yield np.array(target)[:, None], np.array(source)[None]


def diagonal(T, S, tension):
    """Return how much each target place prefers each source place, (T, S).

    Rows sum to 1; exp(−tension · distance) before that, the places being shares of
    their sentences. A tension of 0 prefers none.
    """
    places = [(np.arange(n) + 0.5) / n for n in (T, S)]
    weights = np.exp(-tension * abs(places[0][:, None] - places[1]))
    return weights / weights.sum(axis=1, keepdims=True)


def model_1(pairs, vocabularies, rounds=10, tension=0.0):
    """Return the chance of each target word given a source word, (target, source).

    Expectation maximisation from equal chances, `rounds` times over all the pairs.
    Raises ValueError when there are no pairs, or fewer than one round.
    """
    if not len(pairs) or rounds < 1:
        raise ValueError(f"{len(pairs)} pairs, {rounds} rounds: expected one or more")
    shape = tuple(len(vocabulary) for vocabulary in vocabularies)[::-1]
    cells, places, starts, begin = [], [], [], 0
    for target, source in _cells(pairs, vocabularies):
        T, S = len(target), source.shape[1]
        cells.append((target * shape[1] + source).ravel())
        places.append(diagonal(T, S, tension).ravel())
        starts.append(begin + S * np.arange(T))
        begin += T * S
    cells, places = np.concatenate(cells), np.concatenate(places)
    starts = np.concatenate(starts)
    sizes = np.diff([*starts, len(cells)])
    chances = np.ones(shape)
    for _ in range(rounds):
        share = chances.ravel()[cells] * places
        share /= np.repeat(np.add.reduceat(share, starts), sizes)  # of each target word
        counts = np.bincount(cells, share, minlength=chances.size).reshape(shape)
        chances = counts / np.maximum(counts.sum(axis=0), 1e-12)
    return chances


def aligned(pairs, vocabularies, chances=None, tension=0.0):
    """Return for each pair the links {(source, target)}, one for each target word.

    Each goes to the likeliest source word, the first of equals; without chances, the
    place alone decides.
    """
    found = []
    for target, source in _cells(pairs, vocabularies):
        score = diagonal(len(target), source.shape[1], tension)
        if chances is not None:
            score = score * chances[target, source]
        found.append({(int(j), i) for i, j in enumerate(score.argmax(axis=1))})
    return found
