"""Chapter 14's real sentences: what is stored, and how it is measured."""

import json

import numpy as np
import pytest
import torch

from attend.data import real_text
from attend.data.corpus import BOS, Pair, Splits, Vocabulary
from attend.layers import Dot
from attend.seq2seq import WithAttention
from tools.real_sentences import SHOWN, STORED, copied, faults, sentences


@pytest.fixture(scope="module")
def stored():
    return json.loads(STORED.read_text(encoding="utf-8"))


@pytest.fixture
def model():
    """A model and Splits whose only words are those of three sentences."""
    train = [Pair(("click", "calc", "."), ("点", "击", "Calc", "。"))]
    test = [Pair(tuple(text.split()), ("点", "击")) for text in SHOWN]
    pairs = train + test
    vocabularies = (
        Vocabulary.of(p.source for p in pairs),
        Vocabulary.of(p.target for p in pairs),
    )
    torch.manual_seed(0)
    sizes = [len(vocabulary) for vocabulary in vocabularies]
    return WithAttention(*sizes, 8, Dot()).eval(), Splits(train, [], test), vocabularies


def test_what_is_stored_fits_together(stored):
    assert [" ".join(one["source"]) for one in stored["sentences"]] == list(SHOWN)
    for one in stored["sentences"]:
        weights = np.array(one["weights"])
        assert weights.shape == (len(one["translation"]), len(one["source"]))
        assert abs(weights.sum(axis=1) - 100).max() <= 3, "percents, rounded"
        assert len(one["seen"]) == len(one["source"]) and min(one["seen"]) > 0
    assert 0 < stored["copied"]["by_chance"] < stored["copied"]["found"]
    assert stored["copied"]["found"] < stored["copied"]["words"]
    counts = [one["translations"] for one in stored["faults"].values()]
    assert counts == [1000] * 3 and {"with", "without"} < stored["faults"].keys()


def test_what_is_stored_stands_in_the_real_text(stored):
    try:
        pairs = real_text.libreoffice().pairs
    except FileNotFoundError as error:
        pytest.skip(str(error))
    test = real_text.splits_by_source(pairs).test
    for one in stored["sentences"]:
        pair = tuple(one["source"]), tuple(one["reference"])
        assert pair in [pair[:2] for pair in test]


def test_a_copied_word_is_found_where_its_weight_is_largest(model, monkeypatch):
    model, _, vocabularies = model
    pairs = [
        Pair(("open", "calc", "or", "calc"), ("Calc", "开", "。")),
        Pair(("42", "."), ("42", "42", ".")),
    ]
    rows = {
        0: [[0.1, 0.2, 0.1, 0.6], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]],
        1: [[0.9, 0.1], [0.2, 0.8], [0, 1], [0, 1]],
    }
    monkeypatch.setattr(
        "attend.training.forced",
        lambda *a, **o: [(n, None, torch.tensor(rows[n])) for n in (1, 0)],
    )
    # Calc may be found in two places of four, 42 in one of two; a mark is no word
    expected = {"words": 3, "found": 2, "by_chance": 1.5}
    assert copied(model, pairs, vocabularies) == expected


def test_the_weights_are_those_of_the_models_own_translation(model):
    model, splits, vocabularies = model
    made = sentences(model, splits, vocabularies)
    for one, pair in zip(made, splits.test, strict=True):
        assert (one["source"], one["reference"]) == pair[:2] and one["translation"]
        assert one["seen"] == [int(word in ("click", ".")) for word in pair.source]
        source = torch.tensor([vocabularies[0].encode(pair.source)])
        memory, state = model.start(source)
        read = [BOS, *vocabularies[1].encode(one["translation"], unknown=True)]
        for word, row in zip(read, one["weights"], strict=False):  # word by word
            _, weights, state = model.step(memory, state, torch.tensor([[word]]))
            assert (100 * weights[0, 0]).round().int().tolist() == row
        assert len(one["weights"]) == len(one["translation"])


def test_a_sentence_that_is_not_there_is_named(model):
    model, splits, vocabularies = model
    with pytest.raises(ValueError, match="subscript"):
        sentences(model, splits._replace(test=splits.test[1:]), vocabularies)


def test_what_is_said_twice_in_a_row_is_counted():
    once = ["abcabd", "aab", "abcadbc", "一下一上"]
    twice = ["abab", "xabcabc", "一下一下。"]
    assert faults(once) == {"translations": 4, "twice": 0, "words": 20}
    assert faults(twice) == {"translations": 3, "twice": 3, "words": 16}
    assert faults([tuple("文本文本"), tuple("文本")])["twice"] == 1
