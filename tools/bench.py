"""Time the training of the two models of part III on this machine.

    python -m tools.bench [--store]

Prints the target words a second of each model on one thread, the same as a share of
this machine's matrix products in the same run, and the wall time of both trainings, run
at once, a process each. With --store it writes chapters/14_pace.csv instead: what a
million target words cost each model at each width of the experiment. A machine at rest
and one run for all make these comparable, as the seconds of single trainings are not.
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from attend import training
from attend.data import corpus
from tools import tables
from tools.experiments import FOLDER, WITH, WITHOUT, attending, build, plain, wide

BOTH = {"with attention": attending(0), "without attention": plain(0)}


def matmul(seconds=1.0):
    """Return the billions of operations a second of a (512, 512) matrix product."""
    X = torch.randn(512, 512)
    end, count, begin = time.perf_counter() + seconds, 0, time.perf_counter()
    while time.perf_counter() < end:
        X @ X
        count += 1
    return 2 * 512**3 * count / (time.perf_counter() - begin) / 1e9


def paces(run, tokens=160_000, rounds=2):
    """Return the target words a second of a Run's training: nn.GRU's, attend.speed's.

    The two take turns, and the best of their rounds counts. The pairs are few, but
    enough to fill most batches, as in the whole training.
    """
    vocabularies = corpus.vocabularies()
    pairs = corpus.splits().train[:8_000]
    models, best = (build(run), build(run)), [0, 0]
    for i in [0, 1] * (1 + rounds):  # the first round warms up
        begin = time.perf_counter()
        training.train(models[i], pairs, vocabularies, fast=bool(i), tokens=tokens)
        best[i] = max(best[i], tokens / (time.perf_counter() - begin))
    return best


def whole(run):
    """Return the wall time of a Run's whole training, in seconds."""
    torch.set_num_threads(1)
    vocabularies, pairs = corpus.vocabularies(), corpus.splits().train
    begin = time.perf_counter()
    training.train(build(run), pairs, vocabularies)
    return time.perf_counter() - begin


def store(rounds=3, tokens=100_000):
    """Write the processor seconds of a million target words, the best of the rounds."""
    vocabularies, pairs = corpus.vocabularies(), corpus.splits().train[:8_000]
    runs = [attending(0, width) for width in sorted({width for width, _ in WITH})]
    widths = {width for width, _ in WITHOUT} | {run.width for run in wide()}
    runs += [plain(0, width) for width in sorted(widths)]
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for run in runs:  # they take turns
            begin = time.process_time()
            training.train(build(run), pairs, vocabularies, tokens=tokens)
            seconds = (time.process_time() - begin) * 1e6 / tokens
            best[run] = min(best[run], seconds)
    lines = [
        {"model": run.model, "width": run.width, "seconds": f"{seconds:.2f}"}
        for run, seconds in best.items()
    ]
    tables.save([line | tables.here() for line in lines], FOLDER / "14_pace.csv")


def operations(model):
    """Return how many operations a target word costs in training, about: 6 a parameter.

    Embeddings are looked up, not multiplied.
    """
    looked_up = [m.weight.numel() for m in (model.embedding, model.encoder.embedding)]
    return 6 * (sum(p.numel() for p in model.parameters()) - sum(looked_up))


def main():
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)
    if "--store" in sys.argv[1:]:
        store()
        return
    peak = matmul()
    print(f"matrix products, one thread: {peak:.0f} billion operations a second")
    for name, run in BOTH.items():
        slow, fast = paces(run)
        share = fast * operations(build(run)) / peak / 1e9
        print(
            f"{name}: {slow:,.0f} target words a second with nn.GRU, {fast:,.0f} with "
            f"attend.speed ({fast / slow:.2f} times as many; {share:.0%} of that)"
        )
    print("trained at once, a process each:")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for name, seconds in zip(BOTH, pool.map(whole, BOTH.values()), strict=True):
            print(f"{name}: {seconds:.0f} s")


if __name__ == "__main__":
    main()
