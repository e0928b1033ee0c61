"""What stored counts of each sentence say, and how sure one may be of it.

    >>> one, other = counts("14_validation.npz", [names of runs]), counts(…)
    >>> value(one[0], "bleu", words=(36, 40))
    >>> difference(one, other, "bleu", words=(36, 40))

A training's translations are stored as an array (sentences, COLUMNS) of small whole
numbers. Corpus measures are made of their sums, so any part of the sentences can be
measured again, and a bootstrap over sentences (Koehn, 2004) needs nothing else.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU

COLUMNS = (
    "source words",
    "target words",
    "sure links",
    *(f"right runs of {n}" for n in range(1, 5)),  # those of one word, of two, …
    "words",  # of the translation
    "exact",  # 1 where all is right
    "next words right",  # the true words before them given; one of them is EOS
    "links right",  # |A ∩ S| + |A ∩ P| of Och and Ney (2003)
)
SHARED = 3  # the first columns belong to the sentences, the others to a training
T = 0, 0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26  # 95 %, by number


class Interval(NamedTuple):
    """A mean or difference of means with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self):
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]"


def right_runs(found, wanted):
    """Return the right runs of 1 to 4 words and the exactness of each translation.

    found, wanted: n sequences of words → (n, 6), COLUMNS from "right runs of 1" on. A
    run counts as often as it stands in both (Papineni et al., 2002).
    """
    rows = []
    for mine, true in zip(found, wanted, strict=True):
        right = [(runs(mine, n) & runs(true, n)).total() for n in range(1, 5)]
        rows.append([*right, len(mine), tuple(mine) == tuple(true)])
    return np.array(rows, dtype=np.int64).reshape(-1, 6)


def runs(words, n):
    """Return how often each run of n words comes, a Counter."""
    return Counter(zip(*(words[k:] for k in range(n)), strict=False))


def counts(path, names):
    """Return the counts (runs, sentences, COLUMNS) of the named runs of a file.

    Raises KeyError for a run that the file does not hold.
    """
    with np.load(path) as stored:
        shared = stored["sentences"]
        return np.array([np.hstack([shared, stored[name]]) for name in names], int)


def of_sums(rows, measure):
    """Return a measure of counts (…, sentences, COLUMNS) in percent, of their sums."""
    sums = rows.sum(axis=-2)
    source, target, sure, *right, words, exact, following, links = np.moveaxis(
        sums, -1, 0
    )
    n = rows.shape[-2]
    if measure == "exact":
        return 100 * exact / n
    if measure == "accuracy":
        return 100 * following / (target + n)  # each sentence has its EOS
    if measure == "aer":
        return 100 - 100 * links / (target + sure)
    if measure == "bleu":
        lengths = rows[..., COLUMNS.index("words")]
        totals = [np.maximum(lengths - k, 0).sum(axis=-1) for k in range(4)]
        return bleu_of(np.stack(right, -1), np.stack(totals, -1), words, target)
    raise ValueError(f'measure is {measure!r}: expected "bleu", "exact" and so on')


def bleu_of(right, totals, words, target):
    """Return BLEU in percent: right and totals (…, 4), words and target (…)."""
    flat = zip(
        right.reshape(-1, 4).tolist(),
        totals.reshape(-1, 4).tolist(),
        words.ravel().tolist(),
        target.ravel().tolist(),
        strict=True,
    )
    scores = [BLEU.compute_bleu(*four, smooth_method="exp").score for four in flat]
    return np.array(scores).reshape(words.shape)


def choose(rows, words):
    """Return the counts whose sources have from words[0] to words[1] words."""
    source = rows[0, :, 0]
    return rows[:, (source >= words[0]) & (source <= words[1])]


def value(rows, measure="bleu", words=(1, 999)):
    """Return the measure of each training, rows (runs, sentences, COLUMNS) → (runs,)"""
    return of_sums(choose(rows, words), measure)


def _resampled(rows, measure, draws, seed):
    """Return the mean over the runs for `draws` samples of the sentences (draws,)."""
    rng, n = np.random.default_rng(seed), rows.shape[1]
    found = np.empty(draws)
    for draw in range(draws):
        found[draw] = of_sums(rows[:, rng.integers(n, size=n)], measure).mean()
    return found


def _interval(mean, seeds, sentences):
    """Join the variance of the mean over seeds with that over sentences."""
    parts = [x for x in seeds if len(x) > 1]
    variance = sentences.var() + sum(x.var(ddof=1) / len(x) for x in parts)
    t = T[min(map(len, parts))] if parts else 1.96
    half = t * variance**0.5
    return Interval(float(mean), float(mean - half), float(mean + half))


def mean(rows, measure="bleu", words=(1, 999), draws=500):
    """Return the Interval of a measure's mean over trainings that differ by seed.

    rows (runs, sentences, COLUMNS). It holds for other seeds and other sentences: the
    variance over the seeds and the one over resampled sentences are added. Of a single
    run only the second is known.
    """
    rows = choose(rows, words)
    found = of_sums(rows, measure)
    again = _resampled(rows, measure, draws, seed=0)
    return _interval(found.mean(), [found], again)


def difference(one, other, measure="bleu", words=(1, 999), draws=500):
    """Return the Interval of the mean of `one` minus that of `other`.

    As in `mean`, the same sentences being drawn for both. Trainings are not paired: the
    same seed does not make two different models alike.
    """
    one, other = choose(one, words), choose(other, words)
    found = of_sums(one, measure), of_sums(other, measure)
    again = [_resampled(rows, measure, draws, seed=0) for rows in (one, other)]
    gap = found[0].mean() - found[1].mean()
    return _interval(gap, found, again[0] - again[1])
