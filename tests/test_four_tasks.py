"""Chapter 15: its four tasks, its models, and its stored runs."""

import random

import numpy as np
import pytest
import torch

from attend import training
from attend.data import corpus, tasks
from attend.seq2seq import OneVector, Pointer, Pooling, States, loss_of_answer
from tools import four_task_runs as stored
from tools import tables
from tools.four_task_runs import READS, SEEDS, Run


@pytest.fixture(scope="module")
def four():
    return tasks.four(size=300, validation=40, test=60)


# The tasks ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["translate", "shorten", "answer", "decide"])
def test_the_three_lists_share_no_source(four, name):
    *lists, vocabularies = four[name]
    sources = [{pair.source for pair in pairs} for pairs in lists]
    assert [len(pairs) for pairs in lists[1:]] == [40, 60] and len(lists[0]) > 150
    assert not sources[0] & sources[1] | sources[0] & sources[2]
    assert not sources[1] & sources[2]
    assert max(len(source) for source in set().union(*sources)) <= 25
    corpus.check_pairs([pair for pairs in lists for pair in pairs], *vocabularies)


def test_an_answer_is_a_word_of_the_source_and_never_ada(four):
    train, validation, last, (words, same) = four["answer"]
    assert words is same and "Ada" in words.index
    for source, target, *_ in train + validation + last:
        assert len(target) == 1 and target[0] in source and "Ada" not in source


def test_a_move_is_what_the_reply_asks_for(four):
    assert tasks.move("yes , we do . on which day ?".split()) == "day"
    assert tasks.move("thank you , Tom . a table for two on Friday".split()) == "book"
    moves = {pair.target for pair in four["decide"][0]}
    assert moves == {(m,) for m in ("people", "day", "time", "name", "book")}
    for source, (move,), *_ in four["decide"][0]:
        if move == "day":
            assert "on" not in source or "open on" in " ".join(source)


def test_shorter_sources_are_asked_for_by_a_limit():
    found = tasks.summaries(200, longest=20)
    assert {corpus.bucket(len(pair.source)) for pair in found} == {2, 3}
    with pytest.raises(ValueError, match="longest must be 15 to 40, not 9"):
        tasks.summaries(1, longest=9)


# The models ---------------------------------------------------------------------------


def test_a_pointer_adds_the_weights_of_equal_words():
    torch.manual_seed(0)
    logits, weights = Pointer(7, width=4)(torch.tensor([[4, 5, 4, 6]]))
    expected = torch.stack([weights[0, [0, 2]].sum(), weights[0, 1], weights[0, 3]])
    torch.testing.assert_close(logits.exp()[0, 4:], expected)
    assert logits.exp()[0, :4].sum() < 1e-6  # what is not in the source has no chance


def test_pooling_asks_every_source_the_same():
    torch.manual_seed(0)
    model = Pooling(9, 3, width=8)
    source = torch.tensor([[4, 5, 6], [7, 8, 4]])
    logits, weights = model(source)
    assert logits.shape == (2, 3) and weights.shape == (2, 3)
    logits.sum().backward()
    assert model.query.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "make, sizes",
    [
        (Pointer, (12, 8)),
        (States, (12, 8)),
        (Pooling, (12, 12, 8)),
        (OneVector, (12, 12, 8)),
    ],
)
def test_models_of_one_word_learn_to_find_the_smallest_word(make, sizes):
    torch.manual_seed(0)  # not every start learns in so few words
    model = make(*sizes)
    rng, pairs = random.Random(0), []
    words = corpus.Vocabulary(list("abcdefgh"))
    for _ in range(300):
        source = rng.sample("abcd", 3)
        pairs.append(corpus.Pair(tuple(source), (min(source),)))
    options = {"cost": loss_of_answer, "tokens": 8_000, "rate": 2e-2}
    training.train(model, pairs, (words, words), **options)
    found = training.answer(model, [pair.source for pair in pairs], (words, words))
    assert training.exact(found, [pair.target for pair in pairs]) > 90


# The stored runs ----------------------------------------------------------------------


def test_every_planned_run_is_there_once():
    lines = tables.load(stored.CSV)
    done, rates = tables.finished(lines, Run), stored.best(lines)
    assert len(rates) == len(stored.CASES)
    plan = {*stored.search(), *stored.finals(rates)}
    assert done == plan, "run: python -m tools.four_task_runs"
    assert len(lines) == len(plan) and not stored.left(lines)


def test_only_the_final_seeds_saw_the_test_sentences():
    for line in tables.load(stored.CSV):
        final = int(line["seed"]) in SEEDS
        assert line["measured on"] == ("test" if final else "validation")
        each = np.unpackbits(np.frombuffer(bytes.fromhex(line["each"]), np.uint8))
        sentences = 1000 if final else 500
        assert each.sum() / sentences * 100 == pytest.approx(float(line["right"]))


def test_the_models_compared_are_about_equally_large():
    size = {
        (line["task"], line["model"]): line["parameters"]
        for line in tables.load(stored.CSV)
    }
    for task in stored.MODELS:
        share = int(size[task, "without"]) / int(size[task, "with"])
        assert 0.85 < share < 1.15, (task, share)


def test_a_stored_run_can_be_repeated():
    run = Run("decide", "without", READS["decide"], 5e-3, 0)
    (line,) = (
        line for line in tables.load(stored.CSV) if tables.read(line, Run) == run
    )
    again = stored.execute(run)
    assert again["parameters"] == line["parameters"]
    assert float(again["right"]) == pytest.approx(float(line["right"]), abs=3)
    assert float(again["loss"]) == pytest.approx(float(line["loss"]), abs=0.1)
