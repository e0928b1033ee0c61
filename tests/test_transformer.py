"""Chapter 16's Transformer against torch's own layers, and against itself."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from attend import training
from attend.data.corpus import BOS, EOS, EXAMPLE, PAD, Vocabulary, vocabularies
from attend.layers import causal_mask, padding_mask
from attend.transformer import (
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    PostNormDecoderLayer,
    PostNormEncoderLayer,
    RotaryAttention,
    RotaryTransformer,
    Transformer,
)
from tools import tables, transformer_runs

UNHURRIED = settings(deadline=None, max_examples=40)
seeds, sizes = st.integers(0, 2**32 - 1), st.integers(1, 5)
heads_and_width = st.tuples(st.integers(1, 4), st.integers(1, 4)).map(
    lambda pair: (pair[0], 2 * pair[0] * pair[1])
)
SOURCE, TARGET = Vocabulary("abcdef"), Vocabulary("uvwxyz")
WORDS = SOURCE, TARGET
every_kind = pytest.mark.parametrize("kind", [Transformer, RotaryTransformer])


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def shake(module):
    """Let no weight be 0 and no gain be 1: a copy that was forgotten shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return module


def copy_attention(theirs, mine):
    parts = [mine.W_Q, mine.W_K, mine.W_V]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(mine.W_O.state_dict())


def as_torch(mine, norm_first):
    """Return torch's layer of the same kind, with a copy of the weights."""
    decodes = hasattr(mine, "cross_attention")
    kind = nn.TransformerDecoderLayer if decodes else nn.TransformerEncoderLayer
    D, H = mine.attention.W_O.in_features, mine.attention.heads
    hidden = mine.feed_forward.W_1.out_features
    options = {"dropout": 0, "batch_first": True, "norm_first": norm_first}
    theirs = kind(D, H, hidden, **options)
    copy_attention(theirs.self_attn, mine.attention)
    if decodes:
        copy_attention(theirs.multihead_attn, mine.cross_attention)
        theirs.norm3.load_state_dict(mine.norm_3.state_dict())
    theirs.norm1.load_state_dict(mine.norm_1.state_dict())
    theirs.norm2.load_state_dict(mine.norm_2.state_dict())
    theirs.linear1.load_state_dict(mine.feed_forward.W_1.state_dict())
    theirs.linear2.load_state_dict(mine.feed_forward.W_2.state_dict())
    return theirs.eval()  # its mask of another kind: see below


def lengths_of(B, S):
    lengths = torch.randint(1, S + 1, (B,))
    lengths[0] = S  # the longest fills the batch
    return lengths


@pytest.mark.parametrize("post", [False, True], ids=["pre-norm", "post-norm"])
@UNHURRIED
@given(
    seeds, sizes, sizes, heads_and_width, st.sampled_from("none padding causal".split())
)
def test_the_encoder_layer_equals_torch(post, seed, B, S, heads_width, mask):
    H, D = heads_width
    torch.manual_seed(seed)
    mine = shake((PostNormEncoderLayer if post else EncoderLayer)(D, H))
    theirs, X = as_torch(mine, not post), torch.randn(B, S, D)
    real = padding_mask(lengths_of(B, S), S)
    allowed = {"none": None, "padding": real, "causal": causal_mask(S)}[mask]
    options = {"padding": {"src_key_padding_mask": ~real[:, 0]}}  # True: do not look
    options["causal"] = {"src_mask": ~causal_mask(S)}
    expected = theirs.train()(X, **options.get(mask, {}))  # train: no fused path
    got = mine(X, allowed)
    rows = real[:, 0] if mask == "padding" else torch.ones(B, S, dtype=torch.bool)
    close(got[rows], expected[rows])


@pytest.mark.parametrize("post", [False, True], ids=["pre-norm", "post-norm"])
@UNHURRIED
@given(seeds, sizes, sizes, sizes, heads_and_width, st.booleans())
def test_the_decoder_layer_equals_torch(post, seed, B, T, S, heads_width, padded):
    H, D = heads_width
    torch.manual_seed(seed)
    mine = shake((PostNormDecoderLayer if post else DecoderLayer)(D, H))
    theirs = as_torch(mine, not post).train()
    X, memory = torch.randn(B, T, D), torch.randn(B, S, D)
    real = padding_mask(lengths_of(B, S), S)
    options = {"memory_key_padding_mask": ~real[:, 0]} if padded else {}
    got, weights = mine(X, memory, real if padded else None)
    close(got, theirs(X, memory, tgt_mask=~causal_mask(T), **options))
    assert weights.shape == (B, H, T, S)
    close(weights.sum(dim=-1), torch.ones(B, H, T))


def test_feed_forward_knows_no_neighbours():
    torch.manual_seed(0)
    part, X = FeedForward(6), torch.randn(2, 5, 6)
    close(part(X)[:, 3], part(X[:, 3]))


@pytest.mark.parametrize("post", [False, True], ids=["pre-norm", "post-norm"])
def test_padding_changes_no_real_word(post):
    torch.manual_seed(0)
    layer = (PostNormEncoderLayer if post else EncoderLayer)(8, 2)
    X = torch.randn(1, 5, 8)
    alone = layer(X[:, :3])
    close(layer(X, padding_mask(torch.tensor([3]), 5))[:, :3], alone)


# The whole translator -----------------------------------------------------------------


def make(kind, seed=0, **options):
    torch.manual_seed(seed)
    return kind(len(SOURCE), len(TARGET), **({"width": 8, "heads": 2} | options)).eval()


def numbers(B, length, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, 10, (B, length), generator=generator)


@every_kind
def test_steps_equal_the_whole_and_no_word_sees_ahead(kind):
    model, source, words = make(kind), numbers(3, 5), numbers(3, 6, seed=2)
    logits, weights = model(source, words)
    assert logits.shape == (3, 6, len(TARGET)) and weights.shape == (3, 6, 5)
    close(weights.sum(dim=-1), torch.ones(3, 6))
    memory, state = model.start(source)
    rows = []
    for cut in ([0, 1], [1, 4], [4, 6]):  # one word, three words, two words
        part = words[:, slice(*cut)]
        row, seen, state = model.step(memory, state, part)
        assert row.shape[1] == seen.shape[1] == part.shape[1]
        rows.append(row)
    close(torch.cat(rows, dim=1), logits)
    other = words.clone()
    other[:, 3:] = 4
    close(model(source, other)[0][:, :3], logits[:, :3])


@every_kind
@torch.inference_mode()
def test_a_wide_beam_finds_the_best_of_all_translations(kind):
    model, source = make(kind, seed=3), numbers(4, 5)
    model.output.bias[PAD] = -99  # a trained model never writes it
    close(training.beam(model, source, 7, 1), training.greedy(model, source, 7))
    size = len(TARGET)
    every = torch.cartesian_prod(torch.arange(size), torch.arange(size))
    every = every[every[:, 0] != EOS]
    ended = torch.full((1, 2), EOS)
    ended[0, 1] = PAD
    every = torch.cat([every, ended])  # all of two words at most
    for row, found in zip(source, training.beam(model, source, 2, 99), strict=True):
        words = torch.cat([torch.full((len(every), 1), BOS), every], dim=1)
        logits, _ = model(row.expand(len(every), -1), words[:, :-1])
        chance = logits.log_softmax(dim=-1).gather(2, every[..., None])[..., 0]
        chance[-1, 1] = 0  # after the end nothing is written
        counts = torch.full((len(every),), 2.0)
        counts[-1] = 1
        real = (every != PAD).all(dim=1)
        real[-1] = True
        mean = (chance.sum(dim=1) / counts).masked_fill(~real, -torch.inf)
        assert found.tolist() == every[mean.argmax()].tolist()


def test_only_positions_tell_the_order():
    model = make(transformer_runs.MODELS["no positions"])
    source, words = numbers(2, 5), numbers(2, 4, seed=2)
    close(model(source.flip(1), words)[0], model(source, words)[0])
    for kind in (
        Transformer,
        RotaryTransformer,
        transformer_runs.MODELS["learned positions"],
    ):
        model = make(kind)
        there, back = model(source, words)[0], model(source.flip(1), words)[0]
        assert not torch.allclose(there, back, atol=1e-3)


def test_rotary_attention_sees_distances_alone():
    torch.manual_seed(0)
    layer, X = RotaryAttention(8, 2), torch.randn(1, 5, 8)
    same = X[:, :1].expand(1, 5, 8)
    scores = layer(same, same, same)[1].log()  # (1, H, 5, 5)
    differences = scores[..., 1:, 1:] - scores[..., :-1, :-1]
    close(differences, differences[..., :1].expand_as(differences))


@pytest.mark.parametrize("name", transformer_runs.MODELS)
def test_every_model_of_the_experiment_learns_from_its_words(name):
    torch.manual_seed(0)
    model = transformer_runs.MODELS[name](len(SOURCE), len(TARGET), width=8)
    source, target = numbers(3, 5), numbers(3, 6, seed=2)
    training.loss_of(model, source, target).backward()
    for parameter_name, parameter in model.named_parameters():
        idle = name == "no feed-forward" and "norm" in parameter_name  # nothing to norm
        assert idle or parameter.grad is not None, parameter_name


def test_a_sentence_that_does_not_fit_is_refused():
    model = make(Transformer)
    with pytest.raises(ValueError, match=r"source\[1, 2\] is padding"):
        model.start(torch.tensor([[4, 5, 6], [4, 5, PAD]]))
    with pytest.raises(ValueError, match=r"source\[0, 1\] is 99"):
        model.start(torch.tensor([[4, 99]]))
    with pytest.raises(TypeError, match="int64"):
        model.start(torch.ones(2, 3))


def test_the_rate_of_a_training_is_an_option():
    pairs = [(tuple("abc"), tuple("uvw")), (tuple("abd"), tuple("uvx"))]
    ends = []
    for options in ({}, {"rate": training.RATE}, {"rate": 1e-5}):
        model = make(Transformer)
        ends.append(training.train(model, pairs, WORDS, tokens=800, **options)[-1])
    assert ends[0] == ends[1] < 0.6 < 1 < ends[2]
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="rate is"):
            training.train(make(Transformer), pairs, WORDS, tokens=8, rate=rate)


def test_the_warm_up_of_a_training_is_an_option():
    assert [training.share_of_rate(step, 10, 4) for step in range(4)] == [
        0.25,
        0.5,
        0.75,
        1,
    ]
    assert training.share_of_rate(0, 10, 0) == 1
    pairs = [(tuple("abc"), tuple("uvw")), (tuple("abd"), tuple("uvx"))]
    ends = []
    for options in ({}, {"warm_up": training.WARM_UP}, {"warm_up": 0}):
        model = make(Transformer)
        losses = training.train(model, pairs, WORDS, tokens=160, **options)
        ends.append(losses[10])
    assert ends[2] < 0.9 * ends[0] and ends[0] == ends[1]  # it begins at full rate
    for warm_up in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="warm_up is"):
            training.train(make(Transformer), pairs, WORDS, tokens=8, warm_up=warm_up)


# How the experiment trains ------------------------------------------------------------


def test_a_smoothed_cost_is_the_mean_of_the_usual_one_and_of_all_words():
    model, source, target = make(Transformer), numbers(2, 5), numbers(2, 6, seed=2)
    target[1, 4:] = PAD
    logs = model(source, target[:, :-1])[0].log_softmax(dim=-1)
    true = -logs.gather(2, target[:, 1:, None])[..., 0]
    mixed = 0.9 * true - 0.1 * logs.mean(dim=-1)
    found = transformer_runs.smoothed(model, source, target)
    close(found, mixed[target[:, 1:] != PAD].mean())


def test_one_row_is_chapter_17s_model_with_two_vocabularies():
    model = make(transformer_runs.OneRow)
    source, target = numbers(2, 5), numbers(2, 6, seed=2)
    target[0, 0], target[1, 4:] = BOS, PAD
    row, shift = model.row(source, target), len(SOURCE) - 4
    assert torch.equal(row[:, :5], source)
    marks = target < 4
    assert torch.equal(row[:, 5:][marks], target[marks])
    assert torch.equal(row[:, 5:][~marks], target[~marks] + shift)
    logits = model.model(row[:, :-1])
    places = logits[:, 5:]  # from the target's first word on
    expected = torch.cat([places[..., :4], places[..., len(SOURCE) :]], dim=-1)
    found = model(source, target[:, :-1])[0]
    assert found.shape == (2, 5, len(TARGET))
    close(found, expected)
    cost = F.cross_entropy(logits.mT, row[:, 1:], ignore_index=PAD)
    close(transformer_runs.every_word(model, source, target), cost)


def test_one_row_goes_on_word_by_word_as_it_learns():
    model = make(transformer_runs.OneRow)
    source, target = numbers(2, 5), numbers(2, 4, seed=2)
    whole, (memory, state), parts = model(source, target)[0], model.start(source), []
    for t in range(4):
        logits, _, state = model.step(memory, state, target[:, t : t + 1])
        parts.append(logits)
    close(torch.cat(parts, dim=1), whole)


# What is committed --------------------------------------------------------------------


def test_every_planned_run_is_there_once():
    lines = tables.load(transformer_runs.CSV)
    done = tables.finished(lines, transformer_runs.Run)
    assert len(done) == len(lines), "a run is there twice"
    assert done == set(transformer_runs.plan()), "run: make experiments"


def test_the_stored_sizes_are_those_of_the_models():
    for line in tables.load(transformer_runs.CSV):
        (run,) = tables.finished([line], transformer_runs.Run)
        model = transformer_runs.build(run)
        assert sum(p.numel() for p in model.parameters()) == int(line["parameters"])
        assert line["date"] and line["torch"] and line["machine"]


def test_the_rate_was_the_best_of_those_tried():
    lines = [
        line for line in tables.load(transformer_runs.CSV) if line["model"] == "base"
    ]
    tried = {
        float(line["rate"]): float(line["bleu"])
        for line in lines
        if line["seed"] == "0" and line["tokens"] == str(transformer_runs.HALF)
        if line["width"] == "64" and line["longest"] == "40"
    }
    assert set(transformer_runs.RATES) <= set(tried)
    assert max(tried, key=tried.get) == transformer_runs.RATE


def half(model, **other):
    """Return {seed: line} of a model's trainings, as usual but for `other`."""
    usual = transformer_runs.Run(model)._asdict() | other
    del usual["seed"]
    usual = {key: str(value) for key, value in usual.items()}
    lines = [x for x in tables.load(transformer_runs.CSV) if usual.items() <= x.items()]
    return {int(line["seed"]): line for line in lines}


def test_what_is_called_equal_is_equal():
    sizes = {
        int(half(model, width=width)[0]["parameters"])
        for model, width in (("base", 64), ("gru", 102), ("one row", 68))
    }
    assert max(sizes) < 1.02 * min(sizes)
    paces = {
        (line["model"], line["width"]): float(line["seconds"])
        for line in tables.load(transformer_runs.PACE)
    }
    seconds = transformer_runs.EQUAL_TIME * paces["gru", "64"]
    expected = transformer_runs.HALF * paces["base", "64"]
    assert seconds == pytest.approx(expected, rel=0.01)


def test_rope_at_the_whole_budget():
    lines = half("rotary", tokens=training.TOKENS)
    assert sorted(lines) == [0, 1, 2]
    assert all(float(line["bleu"]) >= 98.5 for line in lines.values())


@pytest.mark.parametrize("model", ["base", "one row", "label smoothing", "no warm-up"])
def test_a_run_can_be_made_again(model, monkeypatch):
    monkeypatch.setattr(transformer_runs, "data", lambda _: tiny())
    run = transformer_runs.Run(model, tokens=200, width=8)
    once, again = transformer_runs.execute(run), transformer_runs.execute(run)
    same = set(once) - {"seconds"}
    assert {key: once[key] for key in same} == {key: again[key] for key in same}
    assert tables.finished([once], transformer_runs.Run) == {run}


def tiny():
    """Return the corpus with few sentences to train on and to judge by."""
    from attend.data import corpus

    return corpus.splits(train=40, validation=16, test=1)


def test_the_example_can_be_translated():
    english, chinese = vocabularies()
    torch.manual_seed(0)
    model = Transformer(len(english), len(chinese), width=8, heads=2)
    (found,) = training.translate(model, [EXAMPLE.source], (english, chinese))
    assert isinstance(found, tuple)
