"""Run the experiment of chapter 15: what attention is worth in four tasks.

    python -m tools.four_task_runs [--jobs N] [--list]

Each training is a Run and one line of chapters/15_runs.csv, written as soon as it ends.
A run whose line is there is not repeated, so an interrupted experiment goes on where it
stopped. The seeds of SEARCH try every rate and are measured on validation sentences.
The SEEDS train at the rate that is best on average there and are measured on test
sentences. All batches come in random order: a training so short that it ends among the
short sentences would compare the models on lengths that they never read.
"""

import argparse
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from attend import training
from attend.data import tasks
from attend.seq2seq import (
    OneVector,
    Pointer,
    Pooling,
    States,
    WithAttention,
    WithoutAttention,
    loss_of_answer,
)
from tools import tables

CSV = Path(__file__).parents[1] / "chapters" / "15_runs.csv"
READS = {  # pairs that a training reads, with repeats
    "translate": 12_000,
    "shorten": 6_500,
    "answer": 5_000,
    "decide": 600,
}
WARM_UP = {"decide": 5}  # steps; its trainings have 20, fewer than the usual warm-up
RATES = (5e-3, 1.25e-2, 3e-2, 6e-2, 0.12)  # the highest learning rates that are tried
SEARCH = (0, 10, 20)  # measured on the validation sentences
SEEDS = (1, 2, 3, 4, 5)  # measured on the test sentences


class Run(NamedTuple):
    """What one training depends on."""

    task: str
    model: str  # a key of the task's MODELS
    read: int
    rate: float
    seed: int


MODELS = {  # sizes of the vocabularies → a model
    "translate": {"with": WithAttention, "without": WithoutAttention},
    "shorten": {"with": WithAttention, "without": WithoutAttention},
    "answer": {
        "with": lambda words, _: Pointer(words),
        "without": OneVector,
        "states": lambda words, _: States(words),
    },
    "decide": {"with": Pooling, "without": OneVector},
}
CASES = [(task, model) for task, models in MODELS.items() for model in models]
data = cache(tasks.four)


def search():
    """Return the Runs that try every rate."""
    return [
        Run(task, model, READS[task], rate, seed)
        for task, model in CASES
        for rate in RATES
        for seed in SEARCH
    ]


def best(lines):
    """Return {(task, model, read): rate}, the best on average over SEARCH.

    All lines of the search must be there (`left` sees to it). Of equal rates the first
    of RATES is taken.
    """
    found = {}
    for line in lines:
        if int(line["seed"]) in SEARCH:
            key = line["task"], line["model"], int(line["read"])
            scores = found.setdefault(key, dict.fromkeys(RATES, 0))
            scores[float(line["rate"])] += float(line["right"])
    return {key: max(RATES, key=scores.get) for key, scores in found.items()}


def finals(rates):
    """Return the Runs of the other seeds at the rates found."""
    order = sorted(rates.items(), key=lambda item: (item[0][2], item[0]))
    return [Run(*key, rate, seed) for key, rate in order for seed in SEEDS]


# Training and measuring ---------------------------------------------------------------


def build(run):
    """Return the untrained model of a Run."""
    torch.manual_seed(run.seed)
    *_, vocabularies = data()[run.task]
    return MODELS[run.task][run.model](*map(len, vocabularies))


def execute(run):
    """Train the model of a Run; return its line."""
    torch.set_num_threads(1)
    train, validation, last, vocabularies = data()[run.task]
    pairs = validation if run.seed in SEARCH else last
    model, writes = build(run), run.task in ("translate", "shorten")
    tokens = run.read * np.mean([len(pair.target) + 1 for pair in train])
    options = {"tokens": float(tokens), "seed": run.seed, "rate": run.rate}
    options["short_first"] = False
    options["warm_up"] = WARM_UP.get(run.task, training.WARM_UP)
    if not writes:
        options["cost"] = loss_of_answer
    begin = time.process_time()
    losses = training.train(model, train, vocabularies, **options)
    seconds = time.process_time() - begin
    sources = [pair.source for pair in pairs]
    found = (training.translate if writes else training.answer)(
        model, sources, vocabularies
    )
    right = [mine == pair.target for mine, pair in zip(found, pairs, strict=True)]
    line = run._asdict() | {
        "measured on": "validation" if run.seed in SEARCH else "test",
        "right": round(100 * float(np.mean(right)), 1),
        "each": np.packbits(right).tobytes().hex(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": round(float(losses[-50:].mean()), 4),
        "seconds": round(seconds, 1),
    }
    line |= tables.here()
    return {key: str(value) for key, value in line.items()}


def left(lines):
    """Return the Runs that are left: of the search, and after it of the finals."""
    done = tables.finished(lines, Run)
    first = [run for run in search() if run not in done]
    return first or [run for run in finals(best(lines)) if run not in done]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.four_task_runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--list", action="store_true", help="say what is left to run")
    options = parser.parse_args()
    if options.list:
        print(*left(tables.load(CSV)), sep="\n")
        return
    os.environ["TQDM_DISABLE"] = "1"  # many bars at once say nothing
    while todo := left(tables.load(CSV)):
        print(f"{len(todo)} runs", flush=True)
        for line in tables.results(execute, todo, options.jobs):
            tables.save([*tables.load(CSV), line], CSV)
            shown = {k: v for k, v in line.items() if k != "each"}
            print(*list(shown.values())[:9], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
