"""The stored translators of chapters 11 and 12: they are what the texts say of them."""

import pytest
import torch

from attend import training
from attend.data import corpus
from tools import models

VOCABULARIES = corpus.vocabularies()


def loaded(name):
    model = models.untrained(name)
    found = torch.load(models.FOLDER / name, weights_only=True)
    assert {part.dtype for part in found.values()} == {torch.float32}
    model.load_state_dict(found)
    return model


@pytest.fixture(scope="module")
def valid():
    return corpus.splits(train=80).validation


def scores(model, pairs, words):
    """Return BLEU and the share of whole sentences right, of sources so long."""
    pairs = [pair for pair in pairs if words[0] <= len(pair.source) <= words[1]]
    found = training.translate(model, [pair.source for pair in pairs], VOCABULARIES)
    wanted = [pair.target for pair in pairs]
    return training.bleu(found, wanted), training.exact(found, wanted)


def test_one_vector_keeps_short_sentences_and_loses_long_ones(valid):
    model = loaded("11_model.pt")
    bleu, exact = scores(model, valid, (1, 5))
    assert bleu > 90 and 85 < exact < 90  # nearly nine of ten
    assert scores(model, valid, (21, 40))[1] == 0  # none of more than twenty
    assert scores(model, valid, (36, 40))[0] < 30


def test_with_attention_long_sentences_are_as_good_and_links_as_wrong_as_told(valid):
    model = loaded("12_model.pt")
    assert min(scores(model, valid, words)[0] for words in corpus.BUCKETS) > 95
    links = training.links(model, valid, VOCABULARIES)
    assert round(training.aer(links, valid)) == 16  # percent
    assert round(training.accuracy(model, valid, VOCABULARIES)) == 99


def test_what_is_there_is_not_trained_again(tmp_path, monkeypatch):
    few = corpus.splits(train=80)
    monkeypatch.setattr(corpus, "splits", lambda: few)
    kept = tmp_path / "12_model.pt"
    kept.write_bytes(b"mine")
    models.store(tmp_path, tokens=500)
    assert kept.read_bytes() == b"mine"
    made = torch.load(tmp_path / "11_model.pt", weights_only=True)
    before = models.untrained("11_model.pt").state_dict()
    assert made.keys() == before.keys()
    assert not torch.equal(made["output.weight"], before["output.weight"])
