"""The first experiment: its results are complete, its command may be interrupted."""

import csv
import functools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

import numpy as np
import pytest
import torch

from attend.data import corpus
from tools import first_experiment as experiments
from tools import tables
from tools.first_experiment import (
    Run,
    attending,
    build,
    execute,
    plain,
    plan,
)

NAMES = [f"{first}–{last}" for first, last in corpus.BUCKETS]
REAL_NAMES = [f"{first}–{last}" for first, last in experiments.REAL_BUCKETS]
WORDS = {"generated": [*NAMES, "all"], "libreoffice": [*REAL_NAMES, "all"]}


def whole(runs):
    """Return Counter {(Run, words): 1} of all the lines that the Runs must have."""
    return Counter((run, words) for run in runs for words in WORDS[run.corpus])


def count(lines):
    return Counter((*tables.finished([line], Run), line["words"]) for line in lines)


def of(run, lines):
    """Return {words: line} of the lines that belong to the Run."""
    return {line["words"]: line for line in lines if tables.read(line, Run) == run}


@pytest.fixture(scope="module")
def results():
    return tables.load(experiments.CSV)


# What is committed --------------------------------------------------------------------


def test_every_planned_run_is_there_whole_and_once(results):
    assert results, "run: python -m tools.first_experiment"
    found, wanted = count(results), whole(plan())
    missing, odd = (
        {run for run, _ in rest} for rest in (wanted - found, found - wanted)
    )
    assert not missing, f"{len(missing)} runs: python -m tools.first_experiment"
    assert not odd, "twice, or not planned"


def test_the_main_comparison_has_five_seeds_of_both_models():
    assert len(set(plan())) == len(plan()), "a run is planned twice"
    for options in ({}, {"longest": 20}):
        for model in (attending, plain):
            assert {model(seed, **options) for seed in range(5)} <= set(plan())


def test_parameters_are_counted_and_equal_within_five_percent(results):
    counts = {}
    for line in results:
        (run,) = tables.finished([line], Run)
        counts.setdefault(run._replace(seed=0), set()).add(int(line["parameters"]))
    assert all(len(sizes) == 1 for sizes in counts.values()), "a seed changes no size"
    for run in (attending(0), plain(0)):
        assert counts[run] == {sum(p.numel() for p in build(run).parameters())}
    rivals = {}  # the settings that the chapter draws side by side
    for run in counts:
        if run.width in (64, 62, 128, 124) and not run.reverse:
            score = (run.score, run.values) in [("", ""), ("additive", "states")]
            key = (run.corpus, run.pairs, run.longest, run.tokens)
            if score and (run.corpus, run.width) != ("generated", 128):
                rivals.setdefault(key, []).extend(counts[run])
    assert len(rivals[("generated", 30_000, 40, 2_400_000)]) == 2
    for sizes in rivals.values():
        assert max(sizes) / min(sizes) < 1.05, rivals


def test_results_are_in_their_range(results):
    test = experiments.data(80, corpus.LONGEST, "").test
    sizes = Counter(NAMES[corpus.bucket(len(pair.source))] for pair in test)
    sizes["all"] = len(test)
    for line in results:
        if line["corpus"] == "generated":
            assert int(line["sentences"]) == sizes[line["words"]]
            assert (line["aer"] != "") == (line["model"] == "with")
        measures = [line[name] for name in ("bleu", "exact", "accuracy", "aer")]
        assert all(0 <= float(value) <= 100.01 for value in measures if value), line
        assert float(line["seconds"]) > 1


def test_a_run_comes_out_again(results):
    """Another processor rounds differently: the same training is then one more seed."""
    run = attending(0, tokens=300_000)
    again = {line["words"]: line for line in execute(run)}
    assert list(again) == WORDS["generated"]
    seeds = [of(r, results) for r in plan() if r == run._replace(seed=r.seed)]
    for name in ("parameters", "sentences"):
        assert all(again[words][name] == seeds[0][words][name] for words in again)
    for name in ("bleu", "exact", "accuracy", "aer"):
        values = [[float(line[name]) for line in seed.values()] for seed in seeds]
        spread = np.std(values, axis=0, ddof=1)  # of each length, over the seeds
        margin = 1 + 5 * np.sqrt((spread**2).mean())
        got = [float(again[words][name]) for words in seeds[0]]
        assert np.abs(np.subtract(got, values[0])).max() < margin, name


# Interruptions ------------------------------------------------------------------------


class Pool:
    """Stands for the pool of processes: runs one thing after another, when asked."""

    def __init__(self, *arguments, **options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def shutdown(self, **options):
        pass

    def submit(self, function, *arguments):
        job = functools.partial(function, *arguments)
        job.result = functools.cache(job)
        return job


class Interrupted(Exception):
    pass


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Give `make experiments` a plan of five stub runs; return its table and a start.

    start(runs) lets that many of the runs end before the power goes; it returns the
    runs that were executed.
    """
    path, executed = tmp_path / "results.csv", []

    def stub(run):
        executed.append(run)
        about = {key: str(value) for key, value in run._asdict().items()}
        return [
            about | {"words": words, "bleu": str(run.seed)}
            for words in WORDS["generated"]
        ]

    def start(runs=None):
        def some(jobs):
            yield from jobs[:runs]
            if runs is not None:
                raise Interrupted

        monkeypatch.setattr(tables, "as_completed", some)
        executed.clear()
        try:
            experiments.main()
        except Interrupted:
            pass
        return list(executed)

    five = [plain(0), attending(0), plain(1, longest=20), plain(1), attending(1)]
    for name, stand_in in {
        "plan": lambda: five,
        "execute": stub,
        "CSV": path,
    }.items():
        monkeypatch.setattr(experiments, name, stand_in)
    monkeypatch.setattr(tables, "ProcessPoolExecutor", Pool)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr("sys.argv", ["experiments", "--jobs", "1"])
    return five, path, start


@pytest.mark.parametrize("first", range(6))
def test_an_interrupted_experiment_goes_on_where_it_stopped(small, first):
    five, path, start = small
    assert start(first) == five[:first]
    assert tables.finished(tables.load(path), Run) == set(five[:first]), (
        "what is finished is on the disk"
    )
    assert start() == five[first:], "what is finished is not done again"
    assert count(tables.load(path)) == whole(five)
    before = path.read_bytes()
    assert start() == [] and path.read_bytes() == before


def test_a_run_that_fails_stops_those_that_wait(small, monkeypatch):
    five, path, start = small
    works, begun, stopped = experiments.execute, [], Event()

    class Threads(ThreadPoolExecutor):
        def __init__(self, jobs, **options):
            super().__init__(jobs)

        def shutdown(self, **options):
            super().shutdown(**options)
            stopped.set()

    def execute(run):
        begun.append(run)
        if run == five[1]:
            while not path.exists():  # the first run's results come before the failure
                time.sleep(0.01)
            raise FloatingPointError("the loss is nan")
        if run != five[0]:
            stopped.wait(10)
        return works(run)

    monkeypatch.setattr(experiments, "execute", execute)
    monkeypatch.setattr(tables, "ProcessPoolExecutor", Threads)
    monkeypatch.setattr(tables, "as_completed", as_completed)
    with pytest.raises(FloatingPointError):
        experiments.main()
    assert tables.finished(tables.load(path), Run) == {five[0]}
    assert begun in (five[:2], five[:3]), "at most the one that had begun went on"


def test_many_interruptions_lose_nothing(small):
    five, path, start = small
    executed = [run for _ in range(5) for run in start(1)]
    assert executed == five and tables.finished(tables.load(path), Run) == set(five)


def test_power_that_goes_while_the_table_is_written_spoils_nothing(small, monkeypatch):
    five, path, start = small
    start(2)
    before = path.read_bytes()

    class Torn(csv.DictWriter):
        def writerows(self, lines):
            super().writerows(lines[: len(lines) // 2])
            raise Interrupted

    with monkeypatch.context() as torn:
        torn.setattr(tables.csv, "DictWriter", Torn)
        assert start() == five[2:3]
    assert path.read_bytes() == before
    assert start() == five[2:] and tables.finished(tables.load(path), Run) == set(five)


def test_the_table_gives_back_the_very_runs(small):
    five, path, start = small
    start()
    for line in tables.load(path):
        (run,) = tables.finished([line], Run)
        assert isinstance(run, Run) and run in five
        assert line["bleu"] == str(run.seed)


def test_a_run_builds_the_same_weights_each_time():
    for run in (attending(3, "general", "words"), plain(3)):
        one, other = (build(run).state_dict() for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one)
