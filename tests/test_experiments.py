"""The experiment of part III: what is stored fits together, and nothing gets lost."""

import ast
import csv
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from attend import evidence, training
from attend.data import corpus
from tools import experiments, tables
from tools.experiments import PARTS, TUNING, Run, attending, next_rates, plain, plan

ROOT = Path(__file__).parents[1]


@cache
def lines():
    found = tables.load(experiments.table())
    assert found, "run: make experiments"
    return found


def of(line, key):
    return float(line[key] or "nan")


# What is committed --------------------------------------------------------------------


def test_every_stored_run_is_planned_and_stored_once():
    found = Counter(map(experiments.read, lines()))
    assert max(found.values()) == 1
    odd = set(found) - set(plan(PARTS, lines()))
    assert not odd, "not planned"


def test_each_result_has_the_rate_that_its_search_chose():
    found = experiments.searches(lines())
    for line in lines():
        run = experiments.read(line)
        assert line["stage"] == ("search" if run.seed >= TUNING else "result")
        assert line["name"] == run.name()
        if run.seed < TUNING:
            assert next_rates(found[run.search()]) == ([], run.rate), run.name()


def test_every_search_tries_the_same_rates():
    for search, tried in experiments.searches(lines()).items():
        if next_rates(tried)[1]:
            assert set(experiments.RATES) <= set(tried), search.name()
    assert len(experiments.RATES) >= 5


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_counts_belong_to_the_results_and_give_their_measures(part):
    results = [line for line in lines() if line["stage"] == "result"]
    for real in {line["corpus"] for line in results}:
        chosen = [line for line in results if line["corpus"] == real]
        runs = [experiments.read(line) for line in chosen]
        path = experiments.counts_file(runs[0], part)
        with np.load(path) as stored:
            assert set(stored) == {"sentences", *(run.name() for run in runs)}
        rows = evidence.counts(path, [run.name() for run in runs])
        assert rows.shape[1:] == (1_000, len(evidence.COLUMNS))
        for measure in ("bleu", "exact", "accuracy", "aer"):
            values = evidence.value(rows, measure)
            assert (values <= 100.01).all()
            for line, one in zip(chosen, values, strict=True):
                if part == "validation" and line[measure]:
                    assert of(line, measure) == pytest.approx(one, abs=0.006)


def test_lines_say_what_was_run_where_and_when():
    for line in lines():
        for key in ("machine", "date", "python", "torch", "seconds", "parameters"):
            assert line[key], line
        assert (line["aer"] != "") == (
            line["model"] == "with" and line["corpus"] == "generated"
        )


def test_parameters_are_counted_and_equal_within_five_percent():
    sizes = {}
    for line in lines():
        run = experiments.read(line)
        key = run.setting(["corpus", "model", "width", "score"])
        sizes.setdefault(key, (run, set()))[1].add(int(line["parameters"]))
    for run, found in sizes.values():
        if run.corpus == "generated":
            model = experiments.build(run)
            assert found == {sum(p.numel() for p in model.parameters())}
    models = [experiments.build(run) for run in (attending(0), plain(0))]
    first, second = (sum(p.numel() for p in model.parameters()) for model in models)
    assert max(first, second) / min(first, second) < 1.05


def test_there_are_enough_trainings_for_a_frontier():
    """Different widths and budgets of both models, the searches counted."""
    fields = "score", "values", "pairs", "longest", "word_dropout", "reverse", "corpus"
    usual = {attending(0).setting(fields), plain(0).setting(fields)}
    runs = [experiments.read(line) for line in lines()]
    runs = [run for run in runs if run.setting(fields) in usual]
    assert len(runs) >= 40
    for model in ("with", "without"):
        corners = {(run.width, run.tokens) for run in runs if run.model == model}
        assert len(corners) >= 3


def cheapest(wanted):
    """Return the line of the run that costs least among those wanted."""
    found = filter(wanted, lines())
    return min(found, key=lambda line: of(line, "seconds"), default=None)


KINDS = {
    "with attention": lambda line: (
        line["model"] == "with" and line["stage"] == "result"
    ),
    "without attention": lambda line: line["model"] == "without",
    "a search": lambda line: line["stage"] == "search" and line["model"] == "with",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_comes_out_again(kind):
    """Another processor rounds differently: the same training is then one more seed."""
    line = cheapest(KINDS[kind])
    if line is None:
        pytest.skip(f"no run {kind} is stored yet")
    again, stored = experiments.execute(experiments.read(line))
    assert ("test" in stored) == (line["stage"] == "result")
    for key in ("parameters", "stage", *Run._fields):
        assert again[key] == line[key]
    margins = {"bleu": 6, "exact": 6, "accuracy": 3, "aer": 8, "36–40": 8}
    for name, margin in margins.items():
        if line[name]:
            assert of(again, name) == pytest.approx(of(line, name), abs=margin), name
    if "query variance before" in line and line["query variance before"]:
        for name in ("query variance before", "key variance before"):
            assert of(again, name) == pytest.approx(of(line, name), rel=1e-2)


# The test set -------------------------------------------------------------------------

# where a test set may be read: by the one function, in its chapter, for the sentences
# of real text that it shows, and where the splits are made
OPEN = {
    "tools/experiments.py",
    "tools/real_sentences.py",
    "chapters/14_with_and_without.ipynb",
    "attend/data/corpus.py",
    "attend/data/real_text.py",
}


def python(path):
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    return "\n".join(text for text in code if not text.startswith("%%"))


def readers(source):
    """Return the functions (or "") of a text that read a .test or a stored test."""
    found = []

    def visit(node, function):
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.Attribute) and node.attr == "test":
            found.append(function)
        if isinstance(node, ast.Constant) and node.value in (
            "14_test.npz",
            "14_real_test.npz",
        ):
            found.append(function)
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(ast.parse(source), "")
    return found


def test_nothing_but_one_function_reads_the_test_set():
    parts = "attend/**/*.py", "tools/*.py", "chapters/*.ipynb", "solutions/*/*.ipynb"
    files = [path for part in parts for path in ROOT.glob(part)]
    assert len(files) > 40
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        if name not in OPEN:
            assert not readers(python(path)), f"{name} reads the test set"
    assert readers(python(ROOT / "tools/experiments.py")) == ["open_test"]


def test_a_reader_of_the_test_set_is_found():
    assert readers("a = splits.test") == [""]
    assert readers("def f():\n    return np.load('14_test.npz')") == ["f"]
    assert readers("a = splits.validation, tester.tests, 'test'") == []


def test_a_search_cannot_open_the_test_set():
    with pytest.raises(ValueError, match="search must not see the test set"):
        experiments.open_test(attending(TUNING, rate=1e-3))
    assert experiments.open_test(plain(0)) == corpus.splits(train=80).test


# The plan -----------------------------------------------------------------------------


def test_a_search_goes_on_until_the_best_lies_inside():
    rates = experiments.RATES
    assert next_rates({}) == (list(rates), None)
    assert next_rates({rates[2]: 50}) == ([r for r in rates if r != rates[2]], None)
    inside = dict(zip(rates, [1, 2, 5, 3, 0], strict=True))
    assert next_rates(inside) == ([], rates[2])
    low = dict(zip(rates, [5, 4, 3, 2, 1], strict=True))
    assert next_rates(low) == ([rates[0] / 2], None)
    assert next_rates(low | {rates[0] / 2: 4}) == ([], rates[0])
    high = dict(zip(rates, [1, 2, 3, 4, 5], strict=True))
    assert next_rates(high) == ([rates[-1] * 2], None)
    far = high | {rates[-1] * 2: 6, experiments.MOST: 7}
    assert next_rates(far) == ([], experiments.MOST), "and no further"


def test_both_models_are_searched_alike_and_once_for_all_seeds():
    runs = plan(["size"])
    for model in ("with", "without"):
        tried = [run.rate for run in runs if run.model == model and run.seed == TUNING]
        assert tuple(tried) == experiments.RATES
    assert [run.rate for run in runs if run.seed < TUNING] == [0.0] * 10


def test_the_plan_takes_the_rate_that_was_found():
    found = []
    for search in (attending(0).search(), plain(0).search()):
        for rate, bleu in zip(experiments.RATES, [1, 2, 3, 9, 4], strict=True):
            run = search._replace(rate=rate)
            found.append(
                {k: str(v) for k, v in run._asdict().items()} | {"bleu": str(bleu)}
            )
    results = [run for run in plan(["size"], found) if run.seed < TUNING]
    assert {run.rate for run in results} == {experiments.RATES[3]}
    capped = attending(0, longest=20, pairs=90_000, word_dropout=0.2, values="words")
    assert capped.search() == attending(0).search(), "these do not enter the search"


def test_tuning_is_the_searches_of_all_parts():
    runs = plan(["tuning"])
    assert {run.seed for run in runs} == {TUNING}
    assert set(runs) == {run for run in plan() if run.seed == TUNING}


def test_five_seeds_where_a_claim_rests_on_them():
    runs = plan()
    assert len(set(runs)) == len(runs)
    for run in (attending(0), plain(0), attending(0, longest=20), plain(0, longest=20)):
        assert {run._replace(seed=seed) for seed in range(5)} <= set(runs)
    kinds = {run.score for run in runs if run.score and run.values == "states"}
    assert {"flat", "location", "one layer", "scaled dot", "normalised dot"} <= kinds


def test_the_whole_plan_is_affordable():
    hours = sum(map(experiments.seconds_of, plan())) / 2 / 3600
    assert 2 < hours < 6.5, "of two cores"
    for line in lines():  # and the estimates are what it takes, on a machine like ours
        expected = experiments.seconds_of(experiments.read(line))
        assert 0.2 < of(line, "seconds") / expected < 5, line["name"]


def test_a_run_has_a_name_of_its_own():
    names = [run.name() for run in plan()]
    assert len(set(names)) == len(names)


# Interruptions ------------------------------------------------------------------------


class Threads(ThreadPoolExecutor):
    def __init__(self, jobs, **options):
        super().__init__(jobs)


class Interrupted(BaseException):
    pass


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Let `work` execute stubs of the part "size"; return what it executed, a start."""
    executed, lock = [], threading.Lock()

    def stub(run):
        with lock:
            executed.append(run)
        if stub.power is not None and len(executed) > stub.power:
            raise Interrupted
        if run in stub.broken:
            raise ArithmeticError(run.name())
        bleu = 90 - abs(run.rate - 4e-3) * 1000
        line = {key: str(value) for key, value in run._asdict().items()}
        line |= dict.fromkeys(["seconds", *experiments.MEASURES, "36–40"], "1")
        counts = np.full((3, 8), run.seed % 50), np.full((3, 3), 7)
        stored = {"validation": counts}
        if run.seed < TUNING:
            stored["test"] = counts
        return line | {"bleu": str(bleu)}, stored

    stub.power, stub.broken = None, ()
    monkeypatch.setattr(experiments, "ProcessPoolExecutor", Threads)
    monkeypatch.setattr(experiments, "execute", stub)

    def start(power=None, broken=(), jobs=1):
        stub.power, stub.broken = power, broken
        executed.clear()
        try:
            return experiments.work(["size"], jobs, tmp_path), list(executed)
        except Interrupted:
            return None, executed[:-1]

    return start, tmp_path


def everything():
    searches = [
        m(TUNING, rate=r) for m in (attending, plain) for r in experiments.RATES
    ]
    return {*searches} | {
        model(seed, rate=4e-3) for model in (attending, plain) for seed in range(5)
    }


def whole(folder):
    """Check that the table and the counts in a folder fit; return the Runs."""
    runs = [experiments.read(line) for line in tables.load(folder / "14_runs.csv")]
    results = {run.name() for run in runs if run.seed < TUNING}
    for part in ("validation", "test") if results else ():
        with np.load(folder / f"14_{part}.npz") as stored:
            assert results <= set(stored)
            for run in runs:
                if run.seed < TUNING:
                    assert (stored[run.name()] == run.seed).all()
    assert len(set(runs)) == len(runs)
    return set(runs)


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_is_run_once(small, jobs):
    start, folder = small
    failed, executed = start(jobs=jobs)
    assert not failed and len(executed) == 20
    assert whole(folder) == set(executed) == everything()
    assert start() == (set(), []), "and not again"


@pytest.mark.parametrize("power", [0, 1, 4, 5, 9, 12, 19])
def test_what_was_interrupted_goes_on_where_it_stopped(small, power):
    start, folder = small
    _, first = start(power)
    assert len(first) == power and whole(folder) == set(first)
    _, second = start()
    assert not set(first) & set(second) and whole(folder) == everything()


def test_a_run_that_raises_loses_no_other(small, capsys):
    start, folder = small
    bad = attending(1, rate=4e-3)
    failed, executed = start(broken=[bad])
    assert failed == {bad} and len(executed) == 20
    assert whole(folder) == everything() - {bad}
    said = capsys.readouterr().err
    assert bad.name() in said and "ArithmeticError" in said
    assert start() == (set(), [bad]), "it is tried again the next time"


def test_a_search_that_raises_stops_its_results_only(small):
    start, folder = small
    bad = plain(TUNING, rate=2e-3)
    failed, _ = start(broken=[bad])
    assert failed == {bad}
    left = {run for run in everything() if run.model == "without"}
    assert everything() - whole(folder) == {bad} | {r for r in left if r.seed < TUNING}


def test_a_process_that_is_ended_from_outside_is_no_run_that_raises(small, monkeypatch):
    start, folder = small
    stub = experiments.execute

    def ended(run):
        if run.seed == 3:
            raise BrokenProcessPool
        return stub(run)

    monkeypatch.setattr(experiments, "execute", ended)
    with pytest.raises(SystemExit, match="ended from outside: start again"):
        start()
    assert {run.seed for run in whole(folder)} >= {TUNING, 0, 1, 2}
    monkeypatch.setattr(experiments, "execute", stub)
    assert start()[0] == set() and whole(folder) == everything()


def test_power_that_goes_while_the_table_is_written_spoils_nothing(small, monkeypatch):
    start, folder = small
    start(12)
    before = (folder / "14_runs.csv").read_bytes()

    class Torn(csv.DictWriter):
        def writerows(self, lines):
            super().writerows(lines[: len(lines) // 2])
            raise Interrupted

    with monkeypatch.context() as torn:
        torn.setattr(tables.csv, "DictWriter", Torn)
        start()
    assert (folder / "14_runs.csv").read_bytes() == before
    start()
    assert whole(folder) == everything()


def test_counts_of_other_sentences_are_refused(tmp_path):
    run, counts = plain(0, rate=1e-3), np.zeros((3, 8), int)
    line = {key: str(value) for key, value in run._asdict().items()}
    experiments.keep(run, line, {"test": (counts, np.full((3, 3), 5))}, tmp_path)
    other = run._replace(seed=1)
    with pytest.raises(ValueError, match="14_test.npz holds other sentences"):
        experiments.keep(other, line, {"test": (counts, np.full((3, 3), 6))}, tmp_path)
    assert len(tables.load(experiments.table(tmp_path))) == 1


# Models that no chapter builds --------------------------------------------------------


@pytest.mark.parametrize("score", experiments.SCORES)
def test_every_score_trains_and_gives_weights(score):
    run = attending(0, 16, score=score)
    model = experiments.build(run)
    source, words = torch.randint(4, 100, (2, 5)), torch.randint(4, 100, (2, 3))
    logits, weights = model(source, words)
    assert weights.shape == (2, 3, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    logits.square().mean().backward()
    used = [p.grad is not None for p in model.attention.parameters()]
    assert used.count(False) == 0


def test_what_a_score_may_and_may_not_look_at():
    torch.manual_seed(0)
    Q, K = torch.randn(1, 4, 16), torch.randn(1, 6, 16)
    weights = {
        kind: experiments.SCORES[kind](16)(Q, K).expand(1, 4, 6).softmax(-1)
        for kind in (*experiments.CONTROLS, *experiments.SCALES)
    }
    torch.testing.assert_close(weights["flat"], torch.full((1, 4, 6), 1 / 6))
    one = weights["one layer"]
    torch.testing.assert_close(one, one[:, :1].expand(1, 4, 6))  # any query, the same
    assert one.std() > 0.01
    torch.testing.assert_close(weights["learned scale"], weights["scaled dot"])
    longer = experiments.SCORES["normalised dot"](16)(9 * Q, K / 7).softmax(-1)
    torch.testing.assert_close(longer, weights["normalised dot"], atol=1e-3, rtol=1e-3)


def test_the_diagonal_is_followed_whoever_asks_and_whatever_stands_there():
    model = experiments.build(attending(0, 16, score="diagonal")).eval()
    sources, words = torch.randint(4, 100, (2, 1, 7)), torch.randint(4, 100, (2, 5))
    _, weights = model(sources[0], words[:1])
    _, other = model(sources[1], words[1:])
    torch.testing.assert_close(weights, other)
    assert weights[0].argmax(dim=-1).tolist() == [0, 1, 2, 3, 4]
    with torch.no_grad():
        model.attention.score.first += 1
        model.attention.score.slope /= 2
    assert model(*sources[:1], words[:1])[1][0, ::2].argmax(-1).tolist() == [1, 2, 3]
    memory, state = model.start(sources[0])
    for place, word in enumerate(words[0]):  # it counts when it translates, too
        logits, row, state = model.step(memory, state, word[None, None])
        expected = model(sources[0], words[:1])
        torch.testing.assert_close(row[:, 0], expected[1][:, place])
        torch.testing.assert_close(logits[:, 0], expected[0][:, place])


def test_the_short_sentences_alone_are_as_many_as_the_usual_training_has():
    usual = corpus.splits().train
    short = [pair for pair in usual if len(pair.source) <= 20]
    words = [sum(len(p.target) + 1 for p in pairs) for pairs in (short, usual)]
    for run in experiments.exposure():
        assert run.longest == 20 and run.pairs == len(short)
        share = run.tokens / (training.TOKENS * words[0] / words[1])
        assert 0.9 < share <= 1, "and no more often"


def test_spreads_are_those_of_the_queries_and_keys():
    splits, vocabularies = corpus.splits(train=80), corpus.vocabularies()
    model = experiments.build(attending(0, 16, score="scaled dot"))
    found = experiments.spreads(model, splits.validation[:40], vocabularies)
    assert list(found) == list(experiments.SPREADS)
    keys, queries, deviations = [], [], []
    for pair in splits.validation[:40]:
        source = torch.tensor([vocabularies[0].encode(pair.source)])
        words = [corpus.BOS, *vocabularies[1].encode(pair.target)]
        K, C = model.encoder(source)
        first = torch.tanh(model.first(C))[None]
        Q, _ = model.gru(model.embedding(torch.tensor([words])), first)
        keys.append(K.flatten())
        queries.append(Q.flatten())
        deviations += (Q @ K.mT / 4).std(dim=-1, correction=0).flatten().tolist()
    wanted = torch.cat(queries).var().item(), torch.cat(keys).var().item()
    wanted = *wanted, np.mean(deviations)
    assert list(found.values()) == pytest.approx(wanted, abs=6e-5)
    assert experiments.spreads(experiments.build(plain(0, 16)), [], vocabularies) == {}


def test_a_padded_batch_changes_nothing():
    torch.manual_seed(0)
    model = experiments.build(attending(0, 16, padded=1)).eval()
    usual = experiments.build(attending(0, 16)).eval()
    words = torch.randint(4, 100, (2, 3))
    long, short = torch.randint(4, 100, (1, 7)), torch.randint(4, 100, (1, 4))
    padding = torch.full((1, 3), corpus.PAD)
    batch = torch.cat([long, torch.cat([short, padding], dim=1)])
    logits, weights = model(batch, words)
    for row, source in enumerate((long, short)):
        S = source.shape[1]
        expected = usual(source, words[row : row + 1])
        torch.testing.assert_close(logits[row : row + 1], expected[0])
        torch.testing.assert_close(weights[row : row + 1, :, :S], expected[1])
    assert (weights[1, :, 4:] == 0).all()
