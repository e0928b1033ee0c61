"""Run the experiment of chapter 10: many trainings, their results in one CSV.

    python -m tools.experiments [--jobs N] [--list]

Each training is a Run; its results on the test set, by source length, are lines of
chapters/10_experiments.csv, written as soon as the run ends. A run whose lines are
there is not repeated, so an interrupted experiment goes on where it stopped.
"""

import argparse
import csv
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch

from attend import corpus, layers, training
from attend.seq2seq import WithAttention, WithoutAttention

CSV = Path(__file__).parents[1] / "chapters" / "10_experiments.csv"
MEASURES = ["sentences", "bleu", "exact", "accuracy", "aer"]


class Run(NamedTuple):
    """What one training depends on; rule and values are empty without attention."""

    model: str  # "with" or "without"
    seed: int  # of the first weights and the order of the batches
    width: int
    rule: str = ""
    values: str = ""
    pairs: int = 30_000
    longest: int = corpus.LONGEST  # words of a source sentence in training
    reverse: str = ""  # "source": read from its end, as Sutskever et al. (2014) did
    tokens: int = training.TOKENS
    corpus: str = "generated"


def attending(seed, rule="additive", values="states", **options):
    return Run("with", seed, 64, rule, values, **options)


def plain(seed, width=62, **options):
    return Run("without", seed, width, **options)


def plan():
    """Return every Run, the most telling ones first, seed by seed."""
    rules, few = ("additive", "general", "dot", "scaled dot"), {"tokens": 1_200_000}
    runs = [model(s) for s in range(5) for model in (attending, plain)]
    runs += [model(s, longest=20) for s in range(5) for model in (attending, plain)]
    for seed in range(3):
        runs += [attending(seed, r, v) for r in rules for v in ("states", "words")]
        runs += [plain(seed, reverse="source"), plain(seed, 32), plain(seed, 128)]
        for model in (attending, plain):
            runs += [model(seed, tokens=300_000), model(seed, **few)]
            runs += [model(seed, pairs=n, **few) for n in (1_000, 3_000, 10_000)]
    runs += [plain(0, tokens=7_200_000), plain(0, 256)]
    return list(dict.fromkeys(runs))


def build(run):
    """Return the untrained model of a Run for the generated corpus."""
    words = [len(vocabulary) for vocabulary in corpus.vocabularies()]
    torch.manual_seed(run.seed)
    if run.model == "without":
        return WithoutAttention(*words, run.width)
    rules = {
        "additive": lambda: layers.Additive(run.width, run.width, 16),
        "general": lambda: layers.General(run.width, run.width),
        "dot": layers.Dot,
        "scaled dot": layers.ScaledDot,
    }
    return WithAttention(*words, run.width, rules[run.rule](), run.values)


@cache
def data(pairs, longest, reverse):
    """Return the Splits of a Run, sources turned round where it says so."""
    splits = corpus.splits(train=pairs, longest=longest)
    if not reverse:
        return splits
    turned = [[p._replace(source=p.source[::-1]) for p in part] for part in splits]
    return corpus.Splits(*turned)


def measure(model, pairs, vocabularies):
    """Return {measure: value} of the model on the pairs; aer is empty without links."""
    found = training.translate(model, [p.source for p in pairs], vocabularies)
    wanted = [p.target for p in pairs]
    values = [len(pairs), training.bleu(found, wanted), training.exact(found, wanted)]
    values.append(training.accuracy(model, pairs, vocabularies))
    if isinstance(model, WithAttention):
        links = training.links(model, pairs, vocabularies)
        values.append(training.aer(links, pairs))
    rounded = [str(round(value, 2)) for value in values]
    return dict.fromkeys(MEASURES, "") | dict(zip(MEASURES, rounded, strict=False))


def execute(run):
    """Train the model of a Run; return its lines, one a bucket and one for all."""
    torch.set_num_threads(1)
    splits, vocabularies = data(*run[5:8]), corpus.vocabularies()
    model = build(run)
    begin = time.process_time()
    options = {"tokens": run.tokens, "seed": run.seed}
    training.train(model, splits.train, vocabularies, **options)
    about = run._asdict() | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.process_time() - begin, 1),
    }
    parts = {f"{first}–{last}": [] for first, last in corpus.BUCKETS}
    for pair in splits.test:
        list(parts.values())[corpus.bucket(len(pair.source))].append(pair)
    return [
        {key: str(value) for key, value in about.items()}
        | {"words": words}
        | measure(model, part, vocabularies)
        for words, part in [*parts.items(), ("all", splits.test)]
    ]


def load(path=CSV):
    """Return the lines of the results, a dict of texts each; none without a file."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def save(lines, path=CSV):
    """Write the lines so that an interruption leaves the old file whole."""
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    fresh.replace(path)


def finished(lines):
    """Return the Runs that the lines hold."""
    return {
        Run(*(type_(line[k]) for k, type_ in Run.__annotations__.items()))
        for line in lines
    }


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--list", action="store_true", help="say what is left to run")
    options = parser.parse_args()
    lines, done = load(), finished(load())
    todo = [run for run in plan() if run not in done]
    print(f"{len(done)} runs are done, {len(todo)} are left", flush=True)
    if options.list:
        print(*todo, sep="\n")
        return
    os.environ["TQDM_DISABLE"] = "1"  # many bars at once say nothing
    begin = time.time()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for run in as_completed([pool.submit(execute, run) for run in todo]):
            lines += run.result()
            save(lines)
            line = lines[-1]
            print(f"{time.time() - begin:6.0f} s", *line.values(), flush=True)


if __name__ == "__main__":
    main()
