"""Run the experiment of chapter 14: many trainings, tuned, counted and stored.

    python -m tools.experiments [PART …] [--jobs N] [--list]

The parts are the functions of PARTS, all of them unless some are named, and tuning, the
searches of all the others. Each training is a Run. Where its learning rate is not
yet known, those of the search come first: all models try the same RATES on the
validation set, with a seed of their own, and go on beyond the last rate where that is
the best. What a run found is a line of chapters/14_runs.csv, all of it on the
validation set; the counts of its sentences, of which `attend.evidence` makes measures
and intervals, are in 14_validation.npz. The chosen rates' runs alone are measured on
the test set, too, by `open_test` and nothing else: 14_test.npz. (For real text, the
same with 14_real_validation.npz and so on; it wants `make real-data` first.)

All is stored as soon as a run ends, and no run is repeated that is there: what was
interrupted goes on where it stopped. A run that raises is reported, and the others go
on.
"""

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import rnn

from attend import evidence, layers, training
from attend.data import corpus, real_text
from attend.seq2seq import WithAttention, WithoutAttention, WordsAsValues
from tools import tables

FOLDER = Path(__file__).parents[1] / "chapters"
RATES = 1e-3, 2e-3, 4e-3, 8e-3, 16e-3  # the search tries all of them
LEAST, MOST = 0.25e-3, 64e-3  # and no further than these
TUNING = 100  # the seed of the search; results are of smaller seeds
BUCKETS = [f"{first}–{last}" for first, last in corpus.BUCKETS]
MEASURES = "bleu", "exact", "accuracy", "aer"
SPREADS = "query variance", "key variance", "score deviation"


class Run(NamedTuple):
    """What one training depends on; score and values are empty without attention."""

    model: str  # "with" or "without"
    width: int
    seed: int = 0  # of the first weights and the order of the batches
    rate: float = 0.0  # the highest learning rate; 0: the one that the search chooses
    tokens: int = training.TOKENS  # target words of the training
    score: str = ""  # a key of SCORES
    values: str = ""  # "states" or "words"
    pairs: int = 30_000  # 0: all there are
    longest: int = corpus.LONGEST  # words of a source sentence in training
    word_dropout: float = 0.0  # share of the words hidden from the decoder in training
    reverse: int = 0  # 1: the source is read from its end
    padded: int = 0  # 1: the batches of the training hold sentences of all lengths
    corpus: str = "generated"  # or "libreoffice"

    def name(self):
        """Return what the counts of the run are stored under."""
        usual = Run(*self[:4])
        more = [
            f"{key} {value}"
            for key, value, other in zip(self._fields, self, usual, strict=True)
            if value != other
        ]
        first = f"{self.model} {self.width}", f"seed {self.seed}", f"rate {self.rate:g}"
        return ", ".join([*first, *more])

    def setting(self, fields):
        return tuple(getattr(self, field) for field in fields)

    def search(self, rate=0.0):
        """Return the run of the search for its rate; pairs and lengths do not enter."""
        same = {
            "score": self.score,
            "values": "states" if self.score else "",
            "corpus": self.corpus,
            "pairs": 0 if self.corpus == "libreoffice" else 30_000,
        }
        return Run(self.model, self.width, TUNING, rate, self.tokens, **same)


# Scoring functions that no chapter builds ---------------------------------------------


class Flat(nn.Module):
    """Score everything alike: the context is the mean of the values, for any query."""

    def forward(self, Q, K):
        return (Q[..., :1] @ K[..., :1].mT) * 0


class OneLayer(nn.Module):
    """Score by [q; k] w, one linear layer and nothing more (rule ①)."""

    def __init__(self, query_width, key_width):
        super().__init__()
        self.w_Q = nn.Linear(query_width, 1, bias=False)
        self.w_K = nn.Linear(key_width, 1, bias=False)

    def forward(self, Q, K):
        return self.w_Q(Q) + self.w_K(K).mT


class NormalisedDot(nn.Module):
    """Scaled dot product of queries and keys brought to mean 0 and variance 1."""

    def forward(self, Q, K):
        Q, K = (F.layer_norm(X, X.shape[-1:]) for X in (Q, K))
        return Q @ K.mT / Q.shape[-1] ** 0.5


class LearnedScale(nn.Module):
    """Dot product times a learned number, at first that of the scaled one."""

    def __init__(self, width):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(width**-0.5).log())

    def forward(self, Q, K):
        return Q @ K.mT * self.log_scale.exp()


class RotaryKeys(layers.General):
    """General scores of keys turned by their places (Su et al., 2024)."""

    def forward(self, Q, K):
        return super().forward(Q, layers.rotary(K))


class Diagonal(nn.Module):
    """Score the places around a + b t at step t, whoever asks and whatever is there.

    steps (…, L, 1), counted from 0, K (…, S, any width) → scores (…, L, S): those of a
    bell curve whose middle and width are learned, three numbers in all.
    """

    def __init__(self):
        super().__init__()
        self.first, self.slope, self.log_width = (
            nn.Parameter(torch.tensor(value)) for value in (0.0, 1.0, 0.0)
        )

    def forward(self, steps, K):
        middle = self.first + self.slope * steps  # (…, L, 1)
        off = (torch.arange(K.shape[-2]) - middle) / self.log_width.exp()
        return -(off**2) / 2


class Steps(WithAttention):
    """WithAttention whose decoder counts its steps and attends by that number alone.

    The count goes along as the last number of the state.
    """

    def start(self, source):
        memory, state = super().start(source)
        return memory, torch.cat([state, torch.zeros_like(state[..., :1])], dim=-1)

    def step(self, memory, state, words):
        (K, V), count = memory, state[0, :, -1:, None]  # (B, 1, 1)
        steps = count + torch.arange(words.shape[1])[:, None]  # (B, T, 1)
        Q, state = self.gru(self.embedding(words), state[..., :-1].contiguous())
        weights = self.attention.score(steps, K).softmax(dim=-1)
        combined = self.attention.linear(layers.join_query(weights @ V, Q))
        state = torch.cat([state, steps[None, :, -1] + 1], dim=-1)
        return self.output(torch.tanh(combined)), weights, state


class HeadsAndQuery(nn.Module):
    """MultiHeadAttention in the place of an AttentionLayer: the heads' mean weights."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = layers.MultiHeadAttention(width, heads)
        self.linear = nn.Linear(2 * width, width)

    def forward(self, Q, K, V, allowed=None):
        context, weights = self.heads(Q, K, V, allowed)
        return self.linear(layers.join_query(context, Q)), weights.mean(dim=1)


class PlainGRU(nn.GRU):
    """An nn.GRU that `attend.speed` leaves alone, for it reads packed sentences."""


class Padded(WithAttention):
    """WithAttention for padded sources: packed for the GRU, masked for the attention.

    source (B, S), PAD after each sentence's last word; the rest is as there.
    """

    def start(self, source):
        allowed = source != corpus.PAD
        X, lengths = self.encoder.embedding(source), allowed.sum(dim=1)
        packed = rnn.pack_padded_sequence(X, lengths, True, enforce_sorted=False)
        states, last = self.encoder.gru(packed)
        K, _ = rnn.pad_packed_sequence(states, batch_first=True)  # (B, S, D)
        C = torch.cat([last[0], last[1]], dim=-1)
        memory = K, K, allowed[:, None]  # the mask goes along
        return memory, torch.tanh(self.first(C))[None]

    def step(self, memory, state, words):
        Q, state = self.gru(self.embedding(words), state)
        combined, weights = self.attention(Q, *memory)
        return self.output(torch.tanh(combined)), weights, state


VALUES = {"states": WithAttention, "words": WordsAsValues}
SCORES = {
    "additive": lambda width: layers.Additive(width, width, 16),
    "general": lambda width: layers.General(width, width),
    "dot": lambda width: layers.Dot(),
    "scaled dot": lambda width: layers.ScaledDot(),
    "location": lambda width: layers.Location(width, corpus.LONGEST),
    "flat": lambda width: Flat(),
    "one layer": lambda width: OneLayer(width, width),
    "normalised dot": lambda width: NormalisedDot(),
    "learned scale": LearnedScale,
    "rotary keys": lambda width: RotaryKeys(width, width),
    "diagonal": lambda width: Diagonal(),
    "4 heads": None,
    "1 head": None,
}


# The plan -----------------------------------------------------------------------------


def attending(seed=0, width=64, score="additive", values="states", **options):
    return Run("with", width, seed, score=score, values=values, **options)


def plain(seed=0, width=62, **options):
    return Run("without", width, seed, **options)


M = 1_000_000


# width and million words of training, the cheap corners first
WITH = (16, 0.6), (64, 0.6), (16, 1.2), (32, 1.2), (64, 1.2), (16, 2.4), (32, 2.4)
WITHOUT = (
    (62, 0.6),
    (128, 0.6),
    (62, 1.2),
    (128, 1.2),
    (32, 2.4),
    (128, 2.4),
    (256, 1.2),
)
CONTROLS = "flat", "one layer", "location"
SCALES = "scaled dot", "normalised dot", "learned scale"
RULES = "dot", "general"


def corner(model, seed, width, tokens):
    return model(seed, width, tokens=int(tokens * M))


def size():
    """Both models at the book's size and budget."""
    return [model(seed) for seed in range(5) for model in (attending, plain)]


def frontier():
    """Width × words of training, both models."""
    runs = [corner(attending, 0, *where) for where in WITH[:2]]
    runs += [corner(plain, 0, *where) for where in WITHOUT[:3]]
    runs += [corner(attending, 0, *where) for where in WITH[2:5]]
    return runs + [corner(plain, 0, *where) for where in WITHOUT[3:4]]


def controls():
    """Does the query matter? Scores that do not depend on it, or on nothing else."""
    return [attending(s, score=kind) for kind in CONTROLS for s in range(3)]


def scale():
    """Why is the scaled dot product last? The repairs beside it."""
    return [attending(s, score=kind) for kind in SCALES for s in range(3)]


def corners():
    """More of the frontier: dearer corners, more seeds."""
    runs = [corner(attending, 0, *where) for where in WITH[5:]]
    runs += [corner(plain, 0, *where) for where in WITHOUT[4:]]
    for seed in (1, 2):
        runs += [corner(attending, seed, *where) for where in WITH]
        runs += [corner(plain, seed, *where) for where in WITHOUT]
    return runs


def rules():
    """The other scoring functions."""
    return [attending(s, score=kind) for kind in RULES for s in range(3)]


def fives():
    """Two seeds more of all that scores."""
    kinds = *CONTROLS, *SCALES, *RULES
    return [attending(s, score=kind) for s in (3, 4) for kind in kinds]


LONG = {"tokens": int(7.2 * M)}  # three times the usual training


def longer():
    """Three times the training, and more sentences: what does the loser still gain?"""
    runs = [plain(0, 128, pairs=n, **LONG) for n in (30_000, 90_000)]
    return runs + [plain(s, 128, pairs=90_000, **LONG) for s in (1, 2)]


def wide():
    """The dear corners of the frontier."""
    runs = [plain(0, 512, tokens=int(1.2 * M))]
    runs += [plain(s, 62, **LONG) for s in range(3)]
    runs += [plain(s, 128, **LONG) for s in (1, 2)]
    return [*runs, *(plain(s, 256) for s in range(3))]


def narrow():
    """Was the rate of the narrow model with attention the luck of one training?

    Its search once more, with other seeds than TUNING: what it chose stays.
    """
    return [
        attending(TUNING + s, 32, rate=rate, tokens=tokens)
        for tokens in (int(1.2 * M), training.TOKENS)
        for rate in (4e-3, 8e-3, 16e-3)
        for s in range(1, 5)
    ]


def pairs():
    """Fewer and more sentences, with the usual training."""
    return [
        run
        for s in range(3)
        for n in (10_000, 90_000)
        for run in (attending(s, 64, pairs=n), plain(s, 128, pairs=n))
    ]


def dropout():
    """Words as values and words hidden from the decoder: where do weights look?"""
    kinds = "additive", "general", "dot", "scaled dot"
    return [
        attending(s, score=kind, values="words", word_dropout=share)
        for seeds in (range(3), range(3, 5))
        for kind in kinds
        for s in seeds
        for share in (0.0, 0.2)
    ]


def lengths():
    """Trained on short sentences only, and one repair: places on the keys."""
    runs = [m(s, longest=20) for s in range(5) for m in (attending, plain)]
    repair = [attending(s, score="rotary keys") for s in range(3)]
    repair += [attending(s, score="rotary keys", longest=20) for s in range(5)]
    repair += [attending(s, score="general", longest=20) for s in range(5)]
    return runs + repair


def diagonal():
    """A control that no query moves: place t at step t, or nearly so."""
    return [attending(s, score="diagonal") for s in range(3)]


def exposure():
    """Short sentences only, but no more of them than the usual training has.

    Of its 30,000 pairs 15,000 have at most 20 words, and 0.65 million of its 2.4
    million words are theirs. Here the long ones are left out, and nothing comes
    instead. (The 0.6 million words have the rates of the frontier.)
    """
    less = {"longest": 20, "pairs": 15_000, "tokens": int(0.6 * M)}
    return [m(s, **less) for s in range(3) for m in (attending, plain)]


def heads():
    """Several heads in the translator, or one of the same kind; padded batches."""
    kinds = {"score": "4 heads"}, {"padded": 1}, {"score": "1 head"}
    return [attending(s, **kind) for kind in kinds for s in range(5)]


def reversal():
    return [plain(s, reverse=1) for s in range(5)]


def real_text_runs(millions, models=((attending, 128), (plain, 124))):
    same = {"pairs": 0, "corpus": "libreoffice", "tokens": int(millions * M)}
    return [model(s, width, **same) for s in range(3) for model, width in models]


def real():
    """Real sentences, with half the usual training."""
    return real_text_runs(1.2)


def real_longer():
    """Real sentences, with the usual training."""
    return real_text_runs(2.4)


def real_longest():
    """Real sentences, twice the usual training; attention four times: is it flat?"""
    return real_text_runs(4.8) + real_text_runs(9.6, [(attending, 128)])


PARTS = {
    part.__name__: part
    for part in [size, frontier, controls, scale, rules, longer, lengths, fives, pairs]
    + [corners, narrow, diagonal, exposure, dropout, heads, reversal, real, wide]
    + [real_longer, real_longest]
}


def next_rates(found):
    """Go on with a search: {rate: BLEU} → the rates to try next, the rate chosen.

    First the RATES; then, while the best is the lowest or the highest of all that were
    tried, one beyond it, between LEAST and MOST. There is no choice before that ends.
    """
    missing = [rate for rate in RATES if rate not in found]
    if missing:
        return missing, None
    best = max(found, key=found.get)
    if best == min(found) and best / 2 >= LEAST:
        return [best / 2], None
    if best == max(found) and best * 2 <= MOST:
        return [best * 2], None
    return [], best


def searches(lines):
    """Return {search: {rate: validation BLEU}} of the runs of the search."""
    found = {}
    for line in lines:
        run = read(line)
        if run.seed == TUNING:
            found.setdefault(run.search(), {})[run.rate] = float(line["bleu"])
    return found


def plan(parts=PARTS, lines=()):
    """Return every Run of the parts in their order, each after those of its search.

    A rate of 0 says that the search, which depends on results, has not yet chosen it.
    "tuning" alone stands for the searches of all the parts.
    """
    found, runs = searches(lines), []
    only = "tuning" in parts
    for part in PARTS if only else parts:
        for run in PARTS[part]():
            tried = found.get(run.search(), {})
            missing, chosen = next_rates(tried)
            runs += [run.search(rate) for rate in [*tried, *missing]]
            if not only or part in parts:
                runs.append(run if run.rate else run._replace(rate=chosen or 0.0))
    return list(dict.fromkeys(runs))


def seconds_of(run):
    """Estimate the processor seconds of a run, from those of runs at several widths."""
    a_word = 12e-6 + 1.6e-9 * run.width**2  # once for the steps, once for the products
    factor = 2.2 if run.corpus == "libreoffice" else 1 + 2 * run.padded  # more to do
    return factor * a_word * run.tokens + 5


# One run ------------------------------------------------------------------------------


@cache
def data(pairs=30_000, longest=corpus.LONGEST, name="generated"):
    """Return all the Splits; see `known` for those that a run may know."""
    if name == "libreoffice":
        return real_text.splits_by_source(real_text.libreoffice().pairs)
    return corpus.splits(train=pairs, longest=longest)


def turned(run, pairs):
    """Return the pairs as the model reads them."""
    if not run.reverse:
        return pairs
    return [pair._replace(source=pair.source[::-1]) for pair in pairs]


def known(run):
    """Return the training and the validation pairs of a Run."""
    splits = data(run.pairs, run.longest, run.corpus)
    return turned(run, splits.train), turned(run, splits.validation)


def open_test(run):
    """Return the test pairs: for a run whose rate is chosen, and nowhere else."""
    if run.seed >= TUNING:
        raise ValueError(f"the search must not see the test set: {run.name()}")
    return turned(run, data(run.pairs, run.longest, run.corpus).test)


@cache
def vocabularies_of(name):
    """Return the Vocabularies of a corpus: of real text, the 4,000 most frequent."""
    if name == "generated":
        return corpus.vocabularies()
    train = data(name=name).train
    sides = [p.source for p in train], [p.target for p in train]
    return tuple(corpus.Vocabulary.of(side, 4_000) for side in sides)


def build(run):
    """Return the untrained model of a Run."""
    words = [len(vocabulary) for vocabulary in vocabularies_of(run.corpus)]
    torch.manual_seed(run.seed)
    if run.model == "without":
        return WithoutAttention(*words, run.width)
    if run.padded:
        model = Padded(*words, run.width, SCORES[run.score](run.width))
        model.encoder.gru.__class__ = PlainGRU
        return model
    if run.score.endswith(("head", "heads")):
        model = VALUES[run.values](*words, run.width, layers.Dot())
        model.attention = HeadsAndQuery(run.width, int(run.score.split()[0]))
        return model
    if run.score == "diagonal":
        return Steps(*words, run.width, Diagonal())
    return VALUES[run.values](*words, run.width, SCORES[run.score](run.width))


def counted(model, pairs, vocabularies):
    """Return the counts of each pair, (n, COLUMNS after the SHARED), and those (n, 3).

    Links are counted where the model has weights and the pairs have links.
    """
    options = {"vocabularies": vocabularies, "unknown": True}
    found = training.translate(model, [p.source for p in pairs], **options)
    following = np.zeros((len(pairs), 2), int)
    for place, logits, weights in training.forced(model, pairs, **options):
        pair = pairs[place]
        wanted = [*vocabularies[1].encode(pair.target, unknown=True), corpus.EOS]
        following[place, 0] = (logits.argmax(dim=-1) == torch.tensor(wanted)).sum()
        if weights is not None and pair.possible:
            best = weights[:-1].argmax(dim=-1).tolist()
            mine = {(j, i) for i, j in enumerate(best)}
            (following[place, 1],) = evidence.right_links([mine], [pair])
    right = evidence.right_runs(found, [p.target for p in pairs])
    return np.hstack([right, following]), evidence.shared(pairs)


@torch.inference_mode()
def spreads(model, pairs, vocabularies):
    """Measure what the scores are made of, {SPREADS: value}; {} without a score.

    The variance of all the numbers of the queries and of the keys, and the standard
    deviation of a query's scores, the mean over queries.
    """
    score, seen = getattr(getattr(model, "attention", None), "score", None), []
    if score is None:
        return {}
    hook = score.register_forward_hook(lambda m, read, made: seen.append((*read, made)))
    queries, keys, deviations = [], [], []
    for batch in corpus.batches(pairs, *vocabularies, 250, unknown=True):
        source, target = map(torch.from_numpy, batch[:2])
        model(source, target[:, :-1])
        Q, K, made = seen.pop()
        true = target[:, 1:] != corpus.PAD  # a query for each word and for EOS
        queries.append(Q[true].flatten())
        keys.append(K.flatten())
        deviations.append(made.expand(*true.shape, -1)[true].std(-1, correction=0))
    hook.remove()
    values = (
        torch.cat(queries).var(),
        torch.cat(keys).var(),
        torch.cat(deviations).mean(),
    )
    return {k: round(float(v), 4) for k, v in zip(SPREADS, values, strict=True)}


def train(run, model):
    """Train the model of a Run; return its last loss and the processor's seconds."""
    torch.set_num_threads(1)
    options = {"tokens": run.tokens, "seed": run.seed, "unknown": True}
    options |= {"word_dropout": run.word_dropout, "rate": run.rate}
    options["mixed"] = bool(run.padded)
    begin = time.process_time()
    try:
        losses = training.train(
            model, known(run)[0], vocabularies_of(run.corpus), **options
        )
        loss = losses[-100:].mean()
    except FloatingPointError:  # it went up without end: that is a result, too
        loss = np.inf
        model.eval()
    return loss, time.process_time() - begin


def execute(run):
    """Train the model of a Run → its line, its counts by "validation" and "test"."""
    vocabularies, model = vocabularies_of(run.corpus), build(run)
    _, validation = known(run)
    before = spreads(model, validation, vocabularies)
    loss, seconds = train(run, model)
    stored = {"validation": counted(model, validation, vocabularies)}
    if run.seed < TUNING:
        stored["test"] = counted(model, open_test(run), vocabularies)
    rows = np.hstack(stored["validation"][::-1])[None]
    values = {name: evidence.value(rows, name)[0] for name in MEASURES}
    if run.model == "without" or run.corpus != "generated":
        del values["aer"]  # there is nothing to link, or no links to compare with
    if run.corpus == "generated":
        for name, words in zip(BUCKETS, corpus.BUCKETS, strict=True):
            values[name] = evidence.value(rows, "bleu", words)[0]
    after = spreads(model, validation, vocabularies)
    line = {"name": run.name()} | run._asdict()
    line |= {
        "stage": "search" if run.seed >= TUNING else "result",
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
        "loss": round(float(loss), 4),
    }
    for name in (*MEASURES, *BUCKETS):
        line[name] = round(values[name], 2) if name in values else ""
    for when, what in (("before", before), ("after", after)):
        line |= {f"{name} {when}": what.get(name, "") for name in SPREADS}
    line |= tables.here()
    return {key: str(value) for key, value in line.items()}, stored


# What is stored -----------------------------------------------------------------------


def table(folder=None):
    return (folder or FOLDER) / "14_runs.csv"


def counts_file(run, part, folder=None):
    real = "real_" if run.corpus == "libreoffice" else ""
    return (folder or FOLDER) / f"14_{real}{part}.npz"


def read(line):
    """Return the Run of a line."""
    return tables.read(line, Run)


def keep(run, line, stored, folder=None):
    """Store what a run found; its line comes last, when all else is safe.

    Raises ValueError when the stored counts belong to other sentences.
    """
    for part, (counts, shared) in stored.items():
        if part == "validation" and run.seed >= TUNING:
            continue  # its line says enough
        path, old = counts_file(run, part, folder), {}
        if path.exists():
            with np.load(path) as file:
                old = dict(file)
        if not np.array_equal(old.get("sentences", shared), shared):
            raise ValueError(f"{path.name} holds other sentences than this run read")
        new = {
            "sentences": shared.astype(np.uint8),
            run.name(): counts.astype(np.uint8),
        }
        fresh = path.with_suffix(".new.npz")
        np.savez_compressed(fresh, **old | new)
        fresh.replace(path)
    tables.save([*tables.load(table(folder)), line], table(folder))


# The command --------------------------------------------------------------------------


def hours(runs, jobs):
    total = sum(map(seconds_of, runs)) / jobs
    return f"{total / 60:.0f} min" if total < 6000 else f"{total / 3600:.1f} h"


def work(parts, jobs, folder=None):
    """Execute what is left of the parts; return the runs that raised."""
    failed, running, begin = set(), {}, time.time()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            while True:
                lines = tables.load(table(folder))
                done = {read(line) for line in lines} | failed
                left = [run for run in plan(parts, lines) if run not in done]
                ready = [r for r in left if r.rate and r not in running.values()]
                for run in ready[: jobs - len(running)]:
                    running[pool.submit(execute, run)] = run
                if not running:
                    return failed
                for job in wait(running, return_when=FIRST_COMPLETED).done:
                    run = running.pop(job)
                    try:
                        line, stored = job.result()
                        keep(run, line, stored, folder)
                    except BrokenProcessPool:
                        sys.exit(
                            "a process was ended from outside: start again, all "
                            "runs that ended before are stored"
                        )
                    except Exception:
                        failed.add(run)
                        print(f"raised: {run.name()}", file=sys.stderr)
                        traceback.print_exc()
                        continue
                    found = [f"{k} {line[k]}" for k in ("seconds", *MEASURES, "36–40")]
                    print(
                        f"{time.time() - begin:6.0f} s, {hours(left, jobs)} left:",
                        f"{run.name()} → {', '.join(found)}",
                        flush=True,
                    )
        except BaseException:  # Ctrl-C, too: begin nothing whose results would be lost
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def have_real_text():
    try:
        return bool(real_text.libreoffice())
    except FileNotFoundError as error:
        print(f"no real text: {error}")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--list", action="store_true", help="say what is left to run")
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    for part in parts:
        if part not in (*PARTS, "tuning"):
            parser.error(f"no part {part!r}: choose from tuning, {', '.join(PARTS)}")
    if any(part.startswith("real") for part in parts) and not have_real_text():
        parts = [part for part in parts if not part.startswith("real")]
    lines = tables.load(table())
    done = {read(line) for line in lines}
    left = [run for run in plan(parts, lines) if run not in done]
    print(
        f"{len(done)} runs are done, {len(left)} are left or more, where a search goes "
        f"on: about {hours(left, options.jobs)} with {options.jobs} processes",
        flush=True,
    )
    if options.list:
        print(*(run.name() for run in left), sep="\n")
        return
    os.environ["TQDM_DISABLE"] = "1"  # many bars at once say nothing
    failed = work(parts, options.jobs)
    if failed:
        sys.exit(f"{len(failed)} runs raised; the others are stored")


if __name__ == "__main__":
    main()
