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
# Student's 95 %, by 1 / degrees of freedom
T = (
    [0, 1 / 20, 1 / 10, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1],
    [*(1.96, 2.09, 2.23, 2.45, 2.78, 3.18, 4.30, 12.71)],
)


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


def right_links(found, pairs):
    """Return |A ∩ S| + |A ∩ P| of each pair, (n,): found links against the gold ones.

    With these in the last of the COLUMNS, and what the sentences share, "aer" can be
    measured of any aligner; see `of_links`.
    """
    both = zip(found, pairs, strict=True)
    return np.array([len(mine & p.sure) + len(mine & p.possible) for mine, p in both])


def of_links(found, pairs):
    """Return counts (1, sentences, COLUMNS) that know the "aer" of links alone.

    found: for each pair the links {(source, target)}, one for each target word.
    """
    rows = np.zeros((1, len(pairs), len(COLUMNS)), int)
    rows[0, :, :SHARED] = shared(pairs)
    rows[0, :, -1] = right_links(found, pairs)
    return rows


def shared(pairs):
    """Return the COLUMNS that belong to the sentences, (n, SHARED)."""
    return np.array([[len(p.source), len(p.target), len(p.sure)] for p in pairs])


def counts(path, names):
    """Return the counts (runs, sentences, COLUMNS) of the named runs of a file.

    Raises KeyError for a run that the file does not hold.
    """
    with np.load(path) as stored:
        shared = stored["sentences"]
        return np.array([np.hstack([shared, stored[name]]) for name in names], int)


def _laid_out(rows):
    """Return counts with what BLEU sums besides: how many runs of 1 to 4, and a 1."""
    words = rows[..., COLUMNS.index("words")]
    runs = [np.maximum(words - k, 0) for k in range(4)]
    return np.concatenate([rows, np.stack([*runs, words * 0 + 1], -1)], axis=-1)


def _of_sums(sums, measure):
    """Return a measure in percent of sums of laid out counts (…, COLUMNS and 5)."""
    columns = np.moveaxis(sums, -1, 0)
    source, target, sure, *right, words, exact, following, links = columns[:-5]
    *totals, n = columns[-5:]
    if measure == "exact":
        return 100 * exact / n
    if measure == "accuracy":
        return 100 * following / (target + n)  # each sentence has its EOS
    if measure == "aer":
        return 100 - 100 * links / (target + sure)
    if measure == "bleu":
        return _bleu(np.stack(right, -1), np.stack(totals, -1), words, target)
    raise ValueError(f'measure is {measure!r}: expected "bleu", "exact" and so on')


def _bleu(right, totals, words, target):
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
    return _of_sums(_laid_out(choose(rows, words)).sum(axis=1), measure)


def _both(rows, measure, draws):
    """Return the measure of each run, and its mean in samples of the sentences."""
    rows = _laid_out(rows)
    n = rows.shape[1]
    rng = np.random.default_rng(0)  # the same samples for all that share sentences
    often = rng.multinomial(n, np.full(n, 1 / n), size=draws)  # (draws, n)
    again = np.einsum("dn,rnc->drc", often, rows, optimize=True)
    return _of_sums(rows.sum(axis=1), measure), _of_sums(again, measure).mean(axis=1)


def _interval(mean, seeds, sentences):
    """Add the variance of the mean over seeds to that over sentences (Welch, 1947)."""
    parts = [(x.var(ddof=1) / len(x), len(x) - 1) for x in seeds if len(x) > 1]
    variance = sentences.var() + sum(part for part, _ in parts)
    doubt = sum(part**2 / freedom for part, freedom in parts)  # of the variance itself
    t = np.interp(doubt / variance**2 if doubt else 0, *T)
    half = t * variance**0.5
    return Interval(float(mean), float(mean - half), float(mean + half))


def mean(rows, measure="bleu", words=(1, 999), draws=500):
    """Return the Interval of a measure's mean over trainings that differ by seed.

    rows (runs, sentences, COLUMNS). It holds for other seeds and other sentences: the
    variance over the seeds and the one over resampled sentences are added. Of a single
    run only the second is known. No measure leaves 0 to 100, and no interval does.
    """
    found, again = _both(choose(rows, words), measure, draws)
    return Interval(*np.clip(_interval(found.mean(), [found], again), 0, 100).tolist())


def difference(one, other, measure="bleu", words=(1, 999), draws=500):
    """Return the Interval of the mean of `one` minus that of `other`.

    As in `mean`, the same sentences being drawn for both. Trainings are not paired: the
    same seed does not make two different models alike.
    """
    (one, again), (other, too) = (
        _both(choose(rows, words), measure, draws) for rows in (one, other)
    )
    return _interval(one.mean() - other.mean(), [one, other], again - too)


def ratio(one, other, measure="bleu", words=(1, 999), draws=500):
    """Return the Interval of the mean of `one` divided by that of `other`.

    As in `difference`, but of logarithms: the means are geometric ones, and an interval
    of 1.2 to 1.5 holds for one divided by the other as 0.67 to 0.83 the other way.
    """
    (one, again), (other, too) = (
        map(np.log, _both(choose(rows, words), measure, draws)) for rows in (one, other)
    )
    found = _interval(one.mean() - other.mean(), [one, other], again - too)
    return Interval(*np.exp(found).tolist())
