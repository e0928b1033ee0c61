"""Run the first experiment, at one budget and one rate: many trainings in one CSV.

    python -m tools.first_experiment [--jobs N] [--corpus NAME] [--list]

Each training is a Run; its results on the test set, by source length, are lines of
chapters/14_experiments.csv, written as soon as the run ends. A run whose lines are
there is not repeated, so an interrupted experiment goes on where it stopped. The
runs on real text want `make real-data` first, and wait without it.
"""

import argparse
import os
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from attend import layers, training
from attend.data import corpus, real_text
from attend.seq2seq import WithAttention, WithoutAttention
from tools import tables
from tools.experiments import VALUES, have_real_text

CSV = Path(__file__).parents[1] / "chapters" / "14_experiments.csv"
REAL_BUCKETS = ((1, 8), (9, 14), (15, 20), (21, 30), (31, 40))
MEASURES = ["sentences", "bleu", "exact", "accuracy", "aer"]


class Run(NamedTuple):
    """What one training depends on; score and values are empty without attention."""

    model: str  # "with" or "without"
    seed: int  # of the first weights and the order of the batches
    width: int
    score: str = ""
    values: str = ""
    pairs: int = 30_000  # 0: all there are
    longest: int = corpus.LONGEST  # words of a source sentence in training
    reverse: str = ""  # "source": read from its end, as Sutskever et al. (2014) did
    tokens: int = training.TOKENS
    word_dropout: float = 0.0  # share of the words hidden from the decoder in training
    corpus: str = "generated"  # or "libreoffice"


def attending(seed, score="additive", values="states", width=64, **options):
    return Run("with", seed, width, score, values, **options)


def plain(seed, width=62, **options):
    return Run("without", seed, width, **options)


def plan():
    """Return every Run, the most telling ones first, seed by seed."""
    functions, few = ("additive", "general", "dot", "scaled dot"), {"tokens": 1_200_000}
    runs = [model(s) for s in range(5) for model in (attending, plain)]
    runs += [model(s, longest=20) for s in range(5) for model in (attending, plain)]
    for seed in range(3):
        runs += [attending(seed, r, v) for r in functions for v in ("states", "words")]
        runs += [attending(seed, r, "words", word_dropout=0.2) for r in functions]
    for seed in range(2):
        runs += [plain(seed, width) for width in (32, 128, 256)]
        runs += [plain(seed, reverse="source")]
        for model in (attending, plain):
            runs += [model(seed, tokens=300_000), model(seed, **few)]
            runs += [model(seed, pairs=n, **few) for n in (1_000, 3_000, 10_000)]
    runs += [plain(0, tokens=7_200_000)]
    real = {"pairs": 0, "tokens": 1_200_000, "corpus": "libreoffice"}
    for seed in range(3):
        runs += [attending(seed, width=128, **real), plain(seed, 124, **real)]
    return list(dict.fromkeys(runs))


@cache
def data(pairs, longest, reverse, name="generated"):
    """Return the Splits of a Run, sources turned round where it says so."""
    if name == "libreoffice":
        return real_text.splits_by_source(real_text.libreoffice().pairs)
    splits = corpus.splits(train=pairs, longest=longest)
    if not reverse:
        return splits
    turned = [[p._replace(source=p.source[::-1]) for p in part] for part in splits]
    return corpus.Splits(*turned)


@cache
def vocabularies_of(run):
    """Return the Vocabularies of a Run: of real text, the 4,000 most frequent words."""
    if run.corpus == "generated":
        return corpus.vocabularies()
    train = data(*run[5:8], run.corpus).train
    sides = [p.source for p in train], [p.target for p in train]
    return tuple(corpus.Vocabulary.of(side, 4_000) for side in sides)


def build(run):
    """Return the untrained model of a Run."""
    vocabularies = vocabularies_of(run)
    words = [len(vocabulary) for vocabulary in vocabularies]
    torch.manual_seed(run.seed)
    if run.model == "without":
        return WithoutAttention(*words, run.width)
    functions = {
        "additive": lambda: layers.Additive(run.width, run.width, 16),
        "general": lambda: layers.General(run.width, run.width),
        "dot": layers.Dot,
        "scaled dot": layers.ScaledDot,
    }
    return VALUES[run.values](*words, run.width, functions[run.score]())


def measure(model, pairs, vocabularies):
    """Return {measure: value} of the model on the pairs; aer is empty without links."""
    options = {"vocabularies": vocabularies, "unknown": True}
    found = training.translate(model, [p.source for p in pairs], **options)
    wanted = [p.target for p in pairs]
    values = [len(pairs), training.bleu(found, wanted), training.exact(found, wanted)]
    values.append(training.accuracy(model, pairs, **options))
    if isinstance(model, WithAttention) and all(p.possible for p in pairs):
        links = training.links(model, pairs, vocabularies)
        values.append(training.aer(links, pairs))
    rounded = [str(round(value, 2)) for value in values]
    return dict.fromkeys(MEASURES, "") | dict(zip(MEASURES, rounded, strict=False))


def trained(run):
    """Return the model of a Run, trained, and the seconds of the processor it took."""
    torch.set_num_threads(1)
    pairs, vocabularies = data(*run[5:8], run.corpus).train, vocabularies_of(run)
    model = build(run)
    options = {"tokens": run.tokens, "seed": run.seed, "unknown": True}
    options["word_dropout"] = run.word_dropout
    begin = time.process_time()
    training.train(model, pairs, vocabularies, **options)
    return model, time.process_time() - begin


def execute(run):
    """Train the model of a Run; return its lines, one a bucket and one for all."""
    splits, vocabularies = data(*run[5:8], run.corpus), vocabularies_of(run)
    buckets = corpus.BUCKETS if run.corpus == "generated" else REAL_BUCKETS
    model, seconds = trained(run)
    about = run._asdict() | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
    }
    parts = {
        f"{first}–{last}": [p for p in splits.test if first <= len(p.source) <= last]
        for first, last in buckets
    }
    return [
        {key: str(value) for key, value in about.items()}
        | {"words": words}
        | measure(model, part, vocabularies)
        for words, part in [*parts.items(), ("all", splits.test)]
    ]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.first_experiment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--corpus", metavar="NAME", help="only this one's runs")
    parser.add_argument("--list", action="store_true", help="say what is left to run")
    options = parser.parse_args()
    done = tables.finished(tables.load(CSV), Run)
    todo = [run for run in plan() if run not in done]
    if options.corpus:
        todo = [run for run in todo if run.corpus == options.corpus]
    if any(run.corpus != "generated" for run in todo) and not have_real_text():
        todo = [run for run in todo if run.corpus == "generated"]
    print(f"{len(done)} runs are done, {len(todo)} are left", flush=True)
    if options.list:
        print(*todo, sep="\n")
        return
    os.environ["TQDM_DISABLE"] = "1"  # many bars at once say nothing
    begin = time.time()
    for lines in tables.results(execute, todo, options.jobs):
        tables.save([*tables.load(CSV), *lines], CSV)  # another may have written, too
        print(f"{time.time() - begin:6.0f} s", *lines[-1].values(), flush=True)


if __name__ == "__main__":
    main()
