"""Chapter 17's models against chapter 16's layers, and the cached against the plain."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attend import pretrained
from attend.data import corpus
from attend.data.corpus import BOS, EOS
from attend.decoder_only import (
    AttentionOnly,
    CachedAttention,
    CachedDecoderOnly,
    DecoderOnly,
    GroupedAttention,
    generate,
    generate_cached,
    learn,
    likeliest,
    repeated,
    teach_to_repeat,
    top_p,
    translate,
)
from attend.layers import MultiHeadAttention, causal_mask, sinusoidal_positions
from attend.pretrained import gguf, smollm2
from attend.transformer import EncoderLayer, RotaryAttention
from tools import one_sequence_runs as stored
from tools import tables

UNHURRIED = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)
pieces = st.lists(st.integers(1, 4), min_size=1, max_size=5)
SIZE = 20  # words of the vocabulary


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def pair(seed=0, **options):
    """Return a model and its cached twin, with the same parameters."""
    torch.manual_seed(seed)
    cached = CachedDecoderOnly(SIZE, **({"width": 8, "heads": 2} | options)).eval()
    plain = DecoderOnly(SIZE, **({"width": 8, "heads": 2} | options)).eval()
    plain.load_state_dict(cached.state_dict())
    return plain, cached


def draw(B, L, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, SIZE, (B, L), generator=generator)


# The models ---------------------------------------------------------------------------


def test_its_layers_are_encoder_layers_with_a_causal_mask():
    plain, _ = pair(layers=1)
    words = draw(3, 6)
    kept = []
    plain.layers[0].register_forward_hook(lambda _, given, out: kept.append(out))
    plain(words)
    X = plain.embedding(words)
    X = X + sinusoidal_positions(6, 8)
    layer = EncoderLayer(8, 2)
    layer.load_state_dict(plain.layers[0].state_dict())
    close(kept[0], layer(X, causal_mask(6)))
    assert not torch.allclose(kept[0], layer(X), atol=1e-3), "the mask does something"


@UNHURRIED
@given(seeds, st.integers(1, 3), pieces)
def test_the_cache_changes_nothing_in_whatever_pieces(seed, B, lengths):
    plain, cached = pair(seed)
    words = draw(B, sum(lengths), seed)
    caches, parts = None, []
    for piece in words.split(lengths, dim=1):
        logits, caches = cached(piece, caches)
        parts.append(logits)
    close(torch.cat(parts, dim=1), plain(words))
    for K, V in caches:
        assert K.shape == V.shape == (B, 2, sum(lengths), 4)


def test_a_cache_may_be_used_twice():
    plain, cached = pair()
    begin, first, second = draw(1, 4), draw(1, 3, 1), draw(1, 3, 2)
    _, caches = cached(begin)
    for more in (first, second, first):
        close(cached(more, caches)[0], plain(torch.cat([begin, more], dim=1))[:, 4:])


@UNHURRIED
@given(seeds, st.integers(1, 3), pieces, st.sampled_from([1, 2, 4]))
def test_grouped_keys_are_those_of_whole_heads_shared(seed, B, lengths, key_heads):
    torch.manual_seed(seed)
    grouped, whole = GroupedAttention(8, 4, key_heads), MultiHeadAttention(8, 4)
    state, E = grouped.state_dict(), 2
    for name in ("W_K.weight", "W_K.bias", "W_V.weight", "W_V.bias"):
        parts = state[name].unflatten(0, (key_heads, E))  # one part for each key head
        state[name] = parts.repeat_interleave(4 // key_heads, dim=0).flatten(0, 1)
    whole.load_state_dict(state)
    X, cache, found = torch.randn(B, sum(lengths), 8), None, []
    for piece in X.split(lengths, dim=1):
        out, cache = grouped(piece, cache)
        found.append(out)
    expected, _ = whole(X, X, X, causal_mask(X.shape[1]))
    close(torch.cat(found, dim=1), expected)
    assert cache[0].shape == (B, key_heads, X.shape[1], E)


def test_as_many_key_heads_as_heads_is_attention_as_before():
    torch.manual_seed(0)
    grouped, plain, X = (
        GroupedAttention(8, 2, 2),
        CachedAttention(8, 2),
        torch.randn(2, 5, 8),
    )
    plain.load_state_dict(grouped.state_dict())
    close(grouped(X)[0], plain(X)[0])


def test_no_place_sees_the_words_after_it():
    plain, _ = pair()
    words = draw(2, 6)
    other = words.clone()
    other[:, 4:] = 5
    close(plain(other)[:, :4], plain(words)[:, :4])


# Training and writing -----------------------------------------------------------------


def tiny():
    pairs = [(("a", "b", "c"), ("x", "y", "z")), (("a", "c", "b"), ("x", "z", "y"))]
    return pairs, corpus.Vocabulary("abcxyz")


def test_it_learns_to_translate_and_to_write_the_source():
    pairs, words = tiny()
    batch = corpus.batches(pairs, words, words)[0]
    plan = [tuple(map(torch.from_numpy, batch[:2]))] * 300
    torch.manual_seed(0)
    model = DecoderOnly(len(words), width=16, heads=2, layers=2)
    losses = learn(model, plan)
    assert len(losses) == 300 and losses[-1] < 0.2 < losses[0]  # one word is a guess
    assert translate(model, [p[0] for p in pairs], words) == [p[1] for p in pairs]
    row = generate(model, torch.tensor([[4, 5]]), 9, likeliest)[0].tolist()
    assert row == [4, 5, 6, BOS, 7, 8, 9, EOS]


def test_padding_is_no_question():
    pairs = [(("a", "b"), ("x",)), (("a", "c"), ("x", "y", "z"))]
    words = tiny()[1]
    batch = corpus.batches(pairs, words, words)[0]
    source, target = map(torch.from_numpy, batch[:2])
    torch.manual_seed(0)
    model = DecoderOnly(len(words), width=8, heads=2)
    state = {name: part.clone() for name, part in model.state_dict().items()}
    (loss,) = learn(model, [(source, target)])
    model.load_state_dict(state)
    more = torch.cat([target, torch.zeros(2, 3, dtype=torch.long)], dim=1)
    (same,) = learn(model, [(source, more)])
    assert loss == pytest.approx(same, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_of_writing_write_the_same(seed):
    plain, cached = pair(seed)
    begin = draw(4, 3, seed)

    def choose(logits):
        return torch.multinomial(top_p(logits, 1.3, 0.9), 1)

    found = []
    for write, model in ((generate, plain), (generate_cached, cached)):
        torch.manual_seed(seed)
        found.append(write(model, begin, 12, choose))
    assert torch.equal(*found) and torch.equal(found[0][:, :3], begin)


def test_writing_stops_when_every_row_has_ended():
    plain, cached = pair()
    for write, model in ((generate, plain), (generate_cached, cached)):
        words = write(model, draw(2, 3), 9, lambda x: torch.full((len(x), 1), EOS))
        assert words.shape == (2, 4)


@UNHURRIED
@given(seeds, st.floats(0.05, 1), st.floats(0.2, 3))
def test_top_p_keeps_as_few_words_as_reach_p(seed, p, temperature):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 9, generator=generator).double()
    kept = top_p(logits, temperature, p)
    chances = (logits / temperature).softmax(dim=-1)
    for row, all_of_it in zip(kept, chances, strict=True):
        inside = row > 0
        assert all_of_it[inside].sum() >= p - 1e-9
        assert all_of_it[inside].sum() - all_of_it[inside].min() < p
        assert (~inside).sum() == 0 or all_of_it[~inside].max() < all_of_it[
            inside
        ].min()
        close(row, all_of_it * inside / all_of_it[inside].sum())


def test_top_p_of_one_cuts_nothing():
    logits = torch.tensor([3.0, 2.0, 1.0])
    close(top_p(logits), logits.softmax(dim=0))


def test_what_cannot_be_is_refused():
    for options, said in [
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"p": 0}, "p is 0"),
        ({"p": 1.5}, "p is 1.5"),
    ]:
        with pytest.raises(ValueError, match=said):
            top_p(torch.ones(3), **options)
    with pytest.raises(ValueError, match="key_heads is 3, heads is 4"):
        GroupedAttention(8, 4, 3)
    _, cached = pair()
    _, caches = cached(draw(2, 3))
    for words, before, said in [
        (draw(3, 1), caches, "words has 3 rows, the cache 2"),
        (draw(2, 1), caches[:1], "one for each of 3 layers"),
        (torch.tensor([[99]]), None, r"words\[0, 0\] is 99"),
    ]:
        with pytest.raises(ValueError, match=said):
            cached(words, before)


# The toy ------------------------------------------------------------------------------


def test_repeated_texts_have_different_words_twice():
    words = repeated(50, 7, SIZE, torch.Generator().manual_seed(0))
    assert words.shape == (50, 14) and torch.equal(words[:, :7], words[:, 7:])
    assert all(len(set(row[:7])) == 7 for row in words.tolist())


def test_two_layers_find_a_word_again_and_a_cut_layer_cannot():
    torch.manual_seed(1)
    model = AttentionOnly(SIZE, width=32)
    teach_to_repeat(model, 300, seed=1)
    test = repeated(50, 10, SIZE, torch.Generator().manual_seed(5))
    whole = stored.judge(model, test)
    assert whole["loss"] < 0.3 and whole["layer 2, word after its twin"] > 0.5
    for layer in (0, 1):
        assert stored.judge(model, test, {layer})["loss"] > 2


def test_attention_only_is_a_sum_of_what_the_layers_add():
    torch.manual_seed(0)
    model, words = AttentionOnly(SIZE, width=8, layers=1), draw(2, 5)
    X = model.embedding(words)
    close(model(words, {0})[0], model.output(model.norms[-1](X)))
    layer = RotaryAttention(8, 1)
    layer.load_state_dict(model.layers[0].state_dict())
    Z = model.norms[0](X)
    context, weights = layer(Z, Z, Z, causal_mask(5))
    logits, kept = model(words)
    close(logits, model.output(model.norms[-1](X + context)))
    close(kept[0], weights[:, 0])


# What is stored -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, plan",
    [
        (stored.INDUCTION, stored.induction_plan()),
        (stored.CACHE, stored.cache_plan()),
    ],
    ids=["induction", "cache"],
)
def test_every_planned_run_is_stored_once(name, plan):
    lines = tables.load(stored.CHAPTERS / name)
    ends = [line for line in lines if line.get("step", str(stored.STEPS)) == "600"]
    found = [{key: line[key] for key in plan[0]} for line in ends]
    wanted = [{key: str(value) for key, value in one.items()} for one in plan]
    assert sorted(found, key=str) == sorted(wanted, key=str), "run: make experiments"
    assert all(line["torch"] and line["machine"] for line in lines)


def test_the_cache_writes_the_same_and_gains_four_times_at_forty_words():
    lines = tables.load(stored.CHAPTERS / stored.CACHE)
    assert {line["same"] for line in lines} == {"True"}
    (line,) = (x for x in lines if (x["batch"], x["length"]) == ("32", "40"))
    assert float(line["plain"]) / float(line["cached"]) >= 4


def test_two_layers_solve_the_toy_with_every_seed_and_one_layer_with_none():
    ends = [
        x
        for x in tables.load(stored.CHAPTERS / stored.INDUCTION)
        if x["step"] == str(stored.STEPS)
    ]
    losses = {1: [], 2: []}
    for line in ends:
        losses[int(line["layers"])].append(float(line["loss"]))
    assert len(losses[1]) == len(losses[2]) >= 5
    assert max(losses[2]) < 0.1 and min(losses[1]) > 1.5


def test_a_stored_run_can_be_made_again(monkeypatch):
    monkeypatch.setattr(stored, "STEPS", 20)
    once, again = (stored.watch_induction(2, 0) for _ in range(2))
    assert once == again and [line["step"] for line in once] == [0, 20]
    (line,) = stored.time_cache(1, 3)
    assert line["same"] and line["plain"] > 0


def test_what_is_stored_of_the_real_model_fits_together():
    real = json.loads(stored.SMOLLM2.read_text(encoding="utf-8"))
    package = pretrained.PACKAGES[smollm2.PACKAGE]
    assert real["package"] == f"{package.name} {package.version}"
    scores = np.array(real["induction"])
    assert scores.shape == (30, 9) and 0 <= scores.min() <= scores.max() <= 1
    cut = {tuple(head) for head in real["cut"]}
    assert {divmod(int(n), 9) for n in scores.flatten().argsort()[-len(cut) :]} == cut
    assert real["without them"]["second"] > 6
    assert len(real["controls"]) == stored.CONTROLS
    for control in real["controls"]:
        heads = {tuple(head) for head in control["heads"]}
        assert not heads & cut and control["second"] < 4
        assert sorted(k for k, _ in heads) == sorted(k for k, _ in cut)


# The real model -----------------------------------------------------------------------


def put(path, kind, shape, content, name="W"):
    """Write a GGUF file with one weight and one setting of each sort."""

    def text(words):
        return len(words).to_bytes(8, "little") + words.encode()

    head = b"GGUF" + (3).to_bytes(4, "little")
    head += (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
    head += text("a.word") + (8).to_bytes(4, "little") + text("Jerry")
    head += text("a.list") + (9).to_bytes(4, "little") + (4).to_bytes(4, "little")
    head += (2).to_bytes(8, "little") + (7).to_bytes(4, "little") * 2
    head += text(name) + len(shape).to_bytes(4, "little")
    head += b"".join(n.to_bytes(8, "little") for n in shape[::-1])
    head += kind.to_bytes(4, "little") + (0).to_bytes(8, "little")
    path.write_bytes(head + b"\0" * (-len(head) % 32) + content)
    return path


def test_gguf_blocks_become_numbers(tmp_path):
    file = put(tmp_path / "a", gguf.F32, (2, 3), np.arange(6, dtype="<f4").tobytes())
    settings, weights = gguf.read(file)
    assert settings == {"a.word": "Jerry", "a.list": [7, 7]}
    assert weights["W"].tolist() == [[0, 1, 2], [3, 4, 5]]
    half = np.float16(0.5).tobytes()
    bytes_of_8 = half + np.arange(-16, 16, dtype="i1").tobytes()
    _, weights = gguf.read(put(tmp_path / "b", gguf.Q8_0, (1, 32), bytes_of_8))
    assert weights["W"][0].tolist() == [q / 2 for q in range(-16, 16)]
    low, high = np.arange(16), np.arange(16)[::-1]
    bytes_of_4 = half + np.float16(-1).tobytes()
    bytes_of_4 += (low + 16 * high).astype("u1").tobytes()
    _, weights = gguf.read(put(tmp_path / "c", gguf.Q4_1, (1, 32), bytes_of_4))
    assert weights["W"][0].tolist() == [q / 2 - 1 for q in [*low, *high]]


def test_a_file_that_is_no_gguf_or_half_of_one_is_refused(tmp_path):
    file = put(tmp_path / "a", gguf.F32, (2, 3), bytes(24))
    content = file.read_bytes()
    for broken, said in [(b"PK" + content, "no GGUF"), (content[:-1], "cut off")]:
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=said):
            gguf.read(file)
    with pytest.raises(ValueError, match="not read here: 99"):
        gguf.read(put(tmp_path / "b", 99, (1, 2), bytes(8)))


@pytest.fixture(scope="module")
def smol():
    try:
        return smollm2.SmolLM2()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_the_real_model_knows_a_capital(smol):
    logits, weights = smol(smol.numbers("The capital of France is")[None])
    assert smol.words[logits[0, -1].argmax()] == "ĠParis"
    assert len(weights) == 30 and weights[0].shape == (1, 9, 6, 6)
    with pytest.raises(ValueError, match="'Jerrymander'"):
        smol.numbers("Tom and Jerrymander")


def test_a_part_of_the_stored_numbers_comes_out_again(smol):
    real = json.loads(stored.SMOLLM2.read_text(encoding="utf-8"))
    words = smol.numbers(stored.SENTENCE)[None]
    _, weights = smol(words)
    for one in real["sentence"]["heads"]:
        layer, head = one["head"]
        got = weights[layer][0, head].numpy()
        np.testing.assert_allclose(got, one["weights"], atol=2e-3)
    pool, draw = smol.whole_words(), torch.Generator().manual_seed(0)
    once = pool[torch.randperm(len(pool), generator=draw)][: stored.WORDS]
    start = torch.tensor([smol.index[smollm2.START]])
    text = torch.cat([start, once, once])[None]
    whole, _ = stored.costs_of(smol, text)
    cut, _ = stored.costs_of(smol, text, real["cut"])
    assert whole["second"] < 4 < 6 < cut["second"] and whole["first"] > 10
