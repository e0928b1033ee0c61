"""The real models, read and run: equal to what other programs make of their weights."""

import ast
import json
import struct

import numpy as np
import pytest
import torch

from attend import pretrained
from attend.layers import MultiHeadAttention
from attend.pretrained import marian, minilm
from tests.test_house import code_cells, definitions
from tools import translator_runs
from tools.notebooks import ROOT

CHAPTER = ROOT / "chapters" / "18_inside_a_real_translator.ipynb"
REFERENCES = json.loads((ROOT / "chapters" / "18_references.json").read_text("utf-8"))
STORED = json.loads((ROOT / "chapters" / "18_heads.json").read_text("utf-8"))


def fetched(make, *arguments):
    """Return the model, or skip the test where its weights were not fetched."""
    try:
        return make(*arguments)
    except FileNotFoundError as error:
        pytest.skip(str(error))


# Against other programs ---------------------------------------------------------------


@pytest.mark.parametrize("direction", marian.DIRECTIONS)
def test_every_text_equals_the_package_s_own(direction):
    model = fetched(marian.Translator, direction)
    theirs = REFERENCES["translations"][direction]
    sources = translator_runs.SENTENCES.read_text("utf-8").splitlines()
    if direction == "pten":
        sources = REFERENCES["translations"]["enpt"]
    assert len(sources) == len(theirs) >= 400
    ours = model.translate(sources)
    apart = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert not apart, apart[:3]


def test_the_states_of_minilm_equal_the_reference():
    model = fetched(minilm.Encoder)
    assert len(REFERENCES["minilm"]) >= 5
    for one in REFERENCES["minilm"]:
        assert model.split(one["text"]) == one["pieces"]
        states = model(one["text"])[:, ::24]
        assert (states - torch.tensor(one["states"])).abs().max() < 1e-5


def test_all_attention_is_the_book_s_own():
    model = fetched(marian.Translator, "enpt")
    found = [m for m in model.modules() if isinstance(m, MultiHeadAttention)]
    assert len(found) == 8  # six of the encoder's, two of the decoder's
    assert not [m for m in model.modules() if isinstance(m, torch.nn.GRU)]


# What is stored -----------------------------------------------------------------------


def test_what_is_stored_fits_together():
    package = pretrained.PACKAGES[marian.PACKAGE]
    assert STORED["made with"]["sha256"] == package.sha256
    assert package.sha256 in REFERENCES["made with"]["translations"]
    assert set(REFERENCES["equal"].values()) == {REFERENCES["sentences"]}
    for direction in marian.DIRECTIONS:
        part = STORED[direction]
        sentences = len(part["pieces"])
        assert sentences == REFERENCES["sentences"] // 2
        assert all(len(losses) == sentences for losses in part["loss"].values())
        for counts in part["first"], part["held out"], part["after the cut"]:
            links = sum(counts["links"])
            assert 0 < sum(counts["by_chance"]) < links / 5
            for kind in "found", "before":
                assert all(sum(hits) <= links for hits in counts[kind].values())
        costs = {k: v for k, v in part["chosen on"].items() if k != "pieces"}
        assert part["tried"]["costliest"] == max(costs, key=costs.get)


@pytest.mark.parametrize("name", ["1.6 mean", "2.1 zero", "layer 2 mean"])
def test_stored_losses_are_found_again(name):
    model, some = fetched(marian.Translator, "enpt"), 5
    texts = translator_runs.SENTENCES.read_text("utf-8").splitlines()
    with torch.inference_mode():
        pieces = model.translate_pieces(texts[: 2 * some])
        pairs = list(zip(texts, pieces, strict=False))
        sentences = [translator_runs.Sentence(model, *pair) for pair in pairs]
        whole = translator_runs.losses(model, sentences[1::2])
        layer, *head = name.split()[0].split(".")
        contexts = {(int(layer), int(head[0])): 0} if head else {}
        with translator_runs.replaced(model, contexts):
            cut = translator_runs.losses(model, sentences[1::2])
    stored = STORED["enpt"]["loss"]
    assert np.abs(np.subtract(whole, stored["none"][:some])).max() < 5
    if name == "2.1 zero":
        assert np.abs(np.subtract(cut, stored[name][:some])).max() < 5
    elif head:  # zero or mean: both cost much
        assert sum(cut) > sum(whole) + 1000 and sum(stored[name]) > sum(stored["none"])
    else:
        assert cut == whole


def test_stored_maps_are_found_again():
    model = fetched(marian.Translator, "enpt")
    for one in STORED["shown"]:
        look = model.look(one["text"])
        assert (look.source, look.target) == (one["source"], one["target"])
        assert np.abs(100 * look.weights.numpy() - one["weights"]).max() < 1
        assert model.translate([one["text"]]) == [one["translation"]]


def test_a_look_forces_the_text_that_it_is_given():
    model = fetched(marian.Translator, "enpt")
    text = "Tom chases Jerry."
    own, other = model.look(text), model.look(text, "Tom.")
    assert own.target[-1] == other.target[-1] == "</s>"
    assert len(other.target) < len(own.target)
    torch.testing.assert_close(own.weights[..., 0, :], other.weights[..., 0, :])
    assert other.loss.sum() > own.loss.sum()
    empty = model.look(text, "")
    assert empty.target == ["</s>"] and empty.weights.shape[2] == 1


# Small parts --------------------------------------------------------------------------


def marian_file(arrays):
    """Return the bytes of a Marian file: {name: (kind, shape, bytes)}."""
    heads, names, shapes, numbers = b"", b"", b"", b""
    for name, (kind, shape, content) in arrays.items():
        letters = name.encode() + b"\0"
        heads += struct.pack("<4Q", len(letters), kind, len(shape), len(content))
        names, numbers = names + letters, numbers + content
        shapes += struct.pack(f"<{len(shape)}i", *shape)
    content = struct.pack("<2Q", 1, len(arrays)) + heads + names + shapes
    return content + struct.pack("<Q", 4) + bytes(4) + numbers


def test_a_file_is_read_number_by_number(tmp_path):
    W = np.array([[1, 2, 3], [4, 5, 6]], "i1")
    b = np.array([[0.5, -1.5]], "<f4")
    factor = np.array([10], "<f4").tobytes()
    path = tmp_path / "model.bin"
    arrays = {
        "a_W": (marian.INT8, (2, 3), W.T.tobytes() + factor + bytes(6)),
        "Wemb": (marian.INT8, (2, 3), W.tobytes() + factor),
        "a_b": (marian.FLOAT, (1, 2), b.tobytes() + bytes(8)),
        "special:model.yml": (0x101, (3,), b"a: "),
    }
    path.write_bytes(marian_file(arrays))
    found = marian.read_weights(path)
    assert set(found) == {"a_W", "Wemb", "a_b"}
    np.testing.assert_allclose(found["a_W"], W / 10, rtol=1e-6)
    np.testing.assert_allclose(found["Wemb"], W / 10, rtol=1e-6)
    np.testing.assert_array_equal(found["a_b"], b)


@pytest.mark.parametrize("content", [b"", b"no model at all, but long enough" * 3])
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.bin is no Marian model"):
        marian.read_weights(path)
    with pytest.raises(ValueError, match=r"model\.bin holds no safetensors"):
        minilm.read_safetensors(path)


def test_an_unknown_direction_is_named():
    with pytest.raises(ValueError, match="'ende'.*enpt.*pten"):
        marian.Translator("ende")


def test_the_memory_cell_is_the_formula():
    torch.manual_seed(0)
    layer, X = marian.DecoderLayer(8, 2), torch.randn(1, 3, 8)
    state, states = torch.zeros(8), []
    for x in X[0]:
        f = torch.sigmoid(layer.W_f(x))
        state = f * state + (1 - f) * layer.W(x)
        states.append(state)
    assert torch.allclose(layer(X, torch.randn(1, 2, 8))[2][0], states[-1], atol=1e-6)


def test_marian_s_places_have_all_sines_first():
    waves = marian.marian_positions(3, 8, start=2)
    assert torch.allclose(waves[0, 0], torch.sin(torch.tensor(2.0)))
    assert torch.allclose(waves[0, 4], torch.cos(torch.tensor(2.0)))
    assert torch.allclose(waves[1, 3], torch.sin(torch.tensor(3 / 10_000)))


def test_links_are_sure_or_left_out():
    known = translator_runs.dictionary("enpt")
    source, target = ["▁The", "▁do", "g", ".", "</s>"], ["▁O", "▁cão", ".", "</s>"]
    assert translator_runs.links(source, target, known) == [([1, 2], [1])]
    assert translator_runs.links([*source[:3], "▁dogs"], target, known) == []
    assert translator_runs.links(source, [*target[:2], "▁cães"], known) == []
    assert "dog" in translator_runs.dictionary("pten")["cachorro"]


@pytest.mark.parametrize(
    ("text", "twice"),
    [("O velho velho homem", True), ("o gato, o gato dorme", True), ("a b a b", True)]
    + [("o gato vê o outro gato", False), ("", False)],
)
def test_a_stammer_is_words_said_twice_in_a_row(text, twice):
    assert translator_runs.stammers(text) is twice


def test_a_cut_is_undone():
    model = fetched(marian.Translator, "enpt")
    before = model.look("Tom chases Jerry.").loss
    with translator_runs.replaced(model, {(1, 6): 0}):
        inside = model.look("Tom chases Jerry.", "Tom persegue Jerry.").loss
    torch.testing.assert_close(model.look("Tom chases Jerry.").loss, before)
    assert inside.sum() > before.sum() + 1


def test_the_chapter_shows_the_package_s_decoder_layer():
    shown = {}
    for cell in code_cells(CHAPTER):
        shown |= definitions(ast.parse(cell.source))
    source = (ROOT / "attend" / "pretrained" / "marian.py").read_text("utf-8")
    assert shown["DecoderLayer"] == definitions(ast.parse(source))["DecoderLayer"]
