"""The translators of part III, their training, decoding and measures, on tiny words."""

import itertools
import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from attend import layers, speed, training
from attend.data.corpus import (
    BOS,
    EOS,
    EXAMPLE,
    PAD,
    UNK,
    Pair,
    Vocabulary,
    batches,
    vocabularies,
)
from attend.layers import (
    Additive,
    Concat,
    Dot,
    Gaussian,
    General,
    Location,
    ScaledDot,
)
from attend.seq2seq import Encoder, WithAttention, WithoutAttention, WordsAsValues
from tools.notebooks import ROOT, read

SOURCE, TARGET = Vocabulary("abcdef"), Vocabulary("uvwxyz")
WORDS = SOURCE, TARGET
SIZES = len(SOURCE), len(TARGET)  # 10 each, the four special ones included
D = 6
MODELS = {"without": lambda: WithoutAttention(*SIZES, width=D)}
for name, score in {
    "dot": Dot,
    "scaled dot": ScaledDot,
    "gaussian": lambda: Gaussian(2.0),
    "general": lambda: General(D, D),
    "location": lambda: Location(D, 9),
    "additive": lambda: Additive(D, D, 5),
    "concat": lambda: Concat(D, D, 5),
}.items():
    MODELS[name] = lambda score=score: WithAttention(*SIZES, width=D, score=score())
MODELS["words"] = lambda: WordsAsValues(*SIZES, width=D)

every_model = pytest.mark.parametrize("name", MODELS)


def make(name, seed=0):
    torch.manual_seed(seed)
    return MODELS[name]().eval()


def numbers(B, length, seed=1):
    """Return words (B, length), none of them special."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, 10, (B, length), generator=generator)


def pairs(size, seed=0, longest=5):
    """Return pairs whose target is the source turned round, letter for letter."""
    rng, found = random.Random(seed), []
    for _ in range(size):
        source = rng.choices("abcdef", k=rng.randint(1, longest))
        target = [TARGET.words[SOURCE.index[word]] for word in reversed(source)]
        S = len(source)
        links = frozenset((j, S - 1 - j) for j in range(S))
        found.append(Pair(tuple(source), tuple(target), links, links))
    return found


def close(got, expected, tolerance=1e-5):
    torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)


# The models ---------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize(("B", "S", "T"), [(1, 1, 1), (3, 4, 5), (2, 7, 2)])
def test_shapes(name, B, S, T):
    model = make(name)
    logits, weights = model(numbers(B, S), numbers(B, T))
    assert logits.shape == (B, T, len(TARGET))
    if name == "without":
        assert weights is None
    else:
        assert weights.shape == (B, T, S)
        close(weights.sum(dim=-1), torch.ones(B, T))
    memory, state = model.start(numbers(B, S))
    assert state.shape == (1, B, D)
    shapes = {(B, D)} if name == "without" else {(B, S, D)}
    parts = (memory,) if name == "without" else memory
    assert {tuple(part.shape) for part in parts} == shapes


@every_model
def test_step_by_step_equals_all_at_once(name):
    model, source, words = make(name), numbers(3, 4), numbers(3, 5, seed=2)
    logits, weights = model(source, words)
    memory, state = model.start(source)
    for t in range(words.shape[1]):
        one, look, state = model.step(memory, state, words[:, t : t + 1])
        close(one[:, 0], logits[:, t])
        if weights is not None:
            close(look[:, 0], weights[:, t])


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_the_fast_gru_computes_what_nn_gru_computes(both, given):
    torch.manual_seed(0)
    model = nn.GRU(5, 4, bidirectional=both, batch_first=True).double()
    X = torch.randn(3, 6, 5, dtype=torch.double, requires_grad=True)
    h = torch.randn(1 + both, 3, 4, dtype=torch.double, requires_grad=True)
    inputs = [X, h] if given else [X]
    learned = [*inputs, *model.parameters()]

    def run():
        states, last = model(*inputs)
        loss = (states.cos() * states.detach().sin()).sum() + last.exp().sum()
        return states, last, *torch.autograd.grad(loss, learned)

    slow = run()
    with speed.fast(model):
        assert type(model) is speed.GRU
        close(run(), slow, 1e-12)
    assert type(model) is nn.GRU


def test_the_fast_additive_score_is_the_additive_score():
    torch.manual_seed(0)
    score = layers.Additive(3, 4, 5).double()
    Q = torch.randn(2, 6, 3, dtype=torch.double, requires_grad=True)
    K = torch.randn(2, 7, 4, dtype=torch.double, requires_grad=True)

    def run():
        scores = score(Q, K)
        return scores, *torch.autograd.grad(
            scores.cos().sum(), [Q, K, *score.parameters()]
        )

    slow = run()
    with speed.fast(score):
        assert type(score) is speed.Additive
        close(run(), slow, 1e-12)
    assert type(score) is layers.Additive


def test_fast_leaves_the_others_alone_and_always_goes():
    kinds = {"num_layers": 2}, {"batch_first": False}, {"bias": False}
    kinds = [nn.GRU(4, 4, **({"batch_first": True} | kind)) for kind in kinds]
    kinds += [layers.Concat(4, 4, 4), nn.LSTM(4, 4)]
    model = nn.ModuleList([*kinds, nn.GRU(4, 4, batch_first=True)])
    with pytest.raises(KeyboardInterrupt), speed.fast(model):
        assert [type(m) is speed.GRU for m in model] == [False] * 5 + [True]
        raise KeyboardInterrupt
    assert type(model[-1]) is nn.GRU


@pytest.mark.parametrize("name", ["without", "additive"])
def test_training_fast_or_not_is_the_same_training(name):
    one, other = make(name), make(name)
    slow = training.train(one, pairs(60), WORDS, tokens=600, fast=False)
    fast = training.train(other, pairs(60), WORDS, tokens=600)
    np.testing.assert_allclose(fast, slow, rtol=1e-4)
    assert type(other.gru) is nn.GRU


@every_model
def test_a_word_changes_nothing_that_was_written_before_it(name):
    model, source, words = make(name), numbers(2, 4), numbers(2, 5, seed=2)
    before = model(source, words)[0]
    words[:, 3] = 4 + (words[:, 3] - 3) % 6  # another word
    after = model(source, words)[0]
    close(after[:, :3], before[:, :3])
    assert not torch.allclose(after[:, 3], before[:, 3])


@every_model
def test_sentences_of_a_batch_do_not_mix(name):
    model, source, words = make(name), numbers(3, 4), numbers(3, 5, seed=2)
    together = model(source, words)[0]
    for b in range(3):
        close(model(source[b : b + 1], words[b : b + 1])[0][0], together[b])


def test_encoder_reads_in_both_directions():
    torch.manual_seed(0)
    encoder, source = Encoder(10, D), numbers(2, 5)
    states, C = encoder(source)
    assert states.shape == (2, 5, D) and C.shape == (2, D)
    close(C, torch.cat([states[:, -1, : D // 2], states[:, 0, D // 2 :]], dim=-1))
    start = encoder(source[:, :3])[0]  # the forward half knows nothing of what follows
    close(start[..., : D // 2], states[:, :3, : D // 2])
    end = encoder(source[:, 2:])[0]
    close(end[..., D // 2 :], states[:, 2:, D // 2 :])


def test_without_attention_sees_the_source_through_C_and_nothing_else():
    model, words = make("without"), numbers(1, 3)
    C, state = model.start(numbers(1, 4))
    other, other_state = model.start(numbers(1, 6, seed=5))
    assert not torch.allclose(C, other)
    logits = model.step(C, state, words)[0]
    close(model.step(C.clone(), torch.tanh(model.first(C))[None], words)[0], logits)
    assert not torch.allclose(model.step(other, other_state, words)[0], logits)


def test_values_are_states_or_words():
    torch.manual_seed(0)
    model, source = WordsAsValues(*SIZES, width=D), numbers(2, 4)
    (K, V), state = model.start(source)
    close(K, model.encoder(source)[0])
    close(V, model.encoder.embedding(source))
    (K, V), same = WithAttention.start(model, source)
    close(K, model.encoder(source)[0])
    close(V, K)
    close(same, state)


def test_the_two_models_of_the_book_have_as_many_parameters():
    sizes = [len(words) for words in vocabularies()]
    without, with_attention = (
        sum(p.numel() for p in model.parameters())
        for model in (WithoutAttention(*sizes), WithAttention(*sizes))
    )
    assert abs(without / with_attention - 1) < 0.05
    assert WithoutAttention(*sizes).output.in_features == 62
    assert WithAttention(*sizes).output.in_features == 64


@every_model
def test_every_parameter_learns(name):
    model, source = make(name), numbers(4, 5)
    target = torch.cat([torch.full((4, 1), BOS), numbers(4, 4, seed=3)], dim=1)
    training.loss_of(model, source, target).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all() and parameter.grad.any(), parameter_name


@pytest.mark.parametrize("kind", [WithAttention, WordsAsValues])
def test_gradients(kind):
    torch.manual_seed(0)
    model = kind(6, 6, width=2).double()
    source, target = torch.tensor([[4, 5, 4]]), torch.tensor([[BOS, 5, 4, EOS]])

    def loss(*_):  # gradcheck nudges the parameters in place
        return training.loss_of(model, source, target)

    parameters = tuple(model.parameters())
    assert torch.autograd.gradcheck(loss, parameters, fast_mode=True)


# Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([[4, 5]], TypeError, r"source is list \(\): expected an int64 tensor"),
        (torch.ones(1, 2), TypeError, r"source is torch.float32 \(1, 2\)"),
        (torch.ones(2).long(), TypeError, r"source is torch.int64 \(2,\)"),
        (torch.ones(1, 2).int(), TypeError, "source is torch.int32"),
        (torch.ones(2, 0).long(), ValueError, r"shape \(2, 0\): it holds no word"),
        (torch.ones(0, 2).long(), ValueError, r"shape \(0, 2\): it holds no word"),
        (torch.tensor([[4, 5], [6, 10]]), ValueError, r"source\[1, 1\] is 10: .* to 9"),
        (torch.tensor([[4, -1], [6, 7]]), ValueError, r"source\[0, 1\] is -1"),
        (torch.tensor([[4, 5], [0, 0]]), ValueError, r"source\[1\] is nothing but pad"),
    ],
)
def test_words_that_are_none_are_named(words, error, message):
    with pytest.raises(error, match=message):
        Encoder(10, 4)(words)
    with pytest.raises(error, match=message):
        make("without").start(words)
    with pytest.raises(error, match=message):
        make("additive").start(words)


def test_good_words_pass():
    Encoder(10, 4)(torch.tensor([[4, PAD], [9, 0]]))


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        ([("a",), ()], ValueError, "pair 1: .*empty"),
        ([("a", "b"), ("a", "q")], ValueError, "pair 1: word 1 .*'q'"),
        ([("a",) * 41], ValueError, "pair 0 has 41 source words, .* limit of 40"),
        (["ab"], TypeError, "pair 0: .*'ab'"),
        ([], ValueError, "pairs is empty"),
    ],
)
def test_translate_names_the_sentence_that_it_cannot_read(sources, error, message):
    with pytest.raises(error, match=message):
        training.translate(make("without"), sources, WORDS)


def test_a_limit_of_ones_own():
    model, source = make("dot"), [("a",) * 12]
    assert len(training.translate(model, source, WORDS)) == 1
    with pytest.raises(ValueError, match="12 source words, more than the limit of 9"):
        training.translate(model, source, WORDS, longest=9)
    with pytest.raises(ValueError, match="expected 9 at most, the max_length"):
        training.translate(make("location"), source, WORDS)


def test_a_loss_that_is_nan_names_step_and_sentence():
    model = make("without")
    with torch.no_grad():
        model.output.bias[5] = torch.nan
    given = [Pair(("a", "b"), ("u",))]
    with pytest.raises(FloatingPointError, match="step 0 is nan.*begins with: a b"):
        training.train(model, given, WORDS, tokens=4)


@pytest.mark.parametrize("tokens", [0, -5])
def test_lessons_need_tokens(tokens):
    with pytest.raises(ValueError, match=f"tokens is {tokens}: expected .* above 0"):
        training.lessons(pairs(3), WORDS, tokens=tokens)


# Training -----------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [60, 1000, 3234])
def test_the_learning_rate_rises_then_falls(steps):
    shares = [training.share_of_rate(step, steps) for step in range(steps + 1)]
    top = training.WARM_UP
    assert shares[0] == 1 / top and shares[top] == max(shares) == 1
    assert all(one < other for one, other in itertools.pairwise(shares[:top]))
    assert all(one > other for one, other in itertools.pairwise(shares[top:]))
    assert shares[steps] == pytest.approx(training.LAST)
    assert shares[(top + steps) // 2] == pytest.approx(
        (1 + training.LAST) / 2, abs=0.05
    )


def test_a_training_shorter_than_its_warm_up():
    shares = [training.share_of_rate(step, 10) for step in range(10)]
    assert shares == [(step + 1) / training.WARM_UP for step in range(10)]


def test_lessons_are_the_same_for_the_same_seed():
    some = pairs(200)
    one, same, other = (
        training.lessons(some, WORDS, tokens=2_000, size=8, seed=seed)
        for seed in (3, 3, 4)
    )
    flat = [
        [tuple(source.flatten().tolist()) for source, _ in plan]
        for plan in (one, same, other)
    ]
    assert flat[0] == flat[1] != flat[2]


@pytest.mark.parametrize("share", [0.3, 1, 1.001, 2, 2.6])
def test_lessons_are_made_as_they_are_asked_for(share, monkeypatch):
    some, made, true_batch_of = pairs(100), [], training.batch_of
    words = sum(len(pair.target) + 1 for pair in some)

    def batch_of(*arguments):
        made.append(batch := true_batch_of(*arguments))
        return batch

    monkeypatch.setattr(training, "batch_of", batch_of)
    plan = training.lessons(some, WORDS, tokens=share * words, size=8, seed=2)
    assert not made, "the length is known before"
    for number, (source, _) in enumerate(plan, start=1):
        assert len(made) == number and (made[-1].source == source.numpy()).all()
    assert len(made) == len(plan) > 0
    epochs = [batches(some, *WORDS, 8, seed=2_000 + e) for e in range(3)]
    first = len(epochs[0])
    assert len({len(epoch) for epoch in epochs}) == 1
    later = [batch.index.tolist() for epoch in epochs[1:] for batch in epoch]
    assert [b.index.tolist() for b in made[first:]] == later[: len(made[first:])]
    seen = sorted(place for batch in made[:first] for place in batch.index.tolist())
    assert share < 1 or seen == list(range(100))


@pytest.mark.parametrize(
    ("place", "given", "options", "message"),
    [
        (2, Pair((), ("u",)), {}, "pair 2: sentence is empty"),
        (2, Pair(("a", "never"), ("u",)), {}, "pair 2: word 1 .*'never'"),
        (2, Pair(("a",) * 9, ("u",)), {"longest": 8}, "pair 2 has 9 source words"),
        (2, Pair("a b", ("u",)), {}, "pair 2: .*one str"),
    ],
)
def test_lessons_refuse_before_they_begin(place, given, options, message):
    some = [pair._replace(source=pair.source[:8]) for pair in pairs(5)]
    some[place] = given
    with pytest.raises((TypeError, ValueError), match=message):
        training.lessons(some, WORDS, tokens=10, **options)


def test_lessons_go_from_short_to_long_and_then_at_random():
    some = pairs(600, longest=30)
    words = sum(len(pair.target) + 1 for pair in some)
    plan = training.lessons(some, WORDS, tokens=2 * words, size=8)
    lengths = [source.shape[1] for source, _ in plan]
    first = len(plan) // 2
    place = np.arange(first)
    assert np.corrcoef(place, lengths[:first])[0, 1] > 0.95
    assert abs(np.corrcoef(place, lengths[first : 2 * first])[0, 1]) < 0.4
    late = [n for n, one in enumerate(lengths[:first]) if one < max(lengths[:n] + [0])]
    assert late  # jitter: not strictly sorted


def test_lessons_may_come_in_random_order_from_the_start():
    some = pairs(600, longest=30)
    words = sum(len(pair.target) + 1 for pair in some)
    options = {"tokens": 2 * words, "size": 8}
    usual, mine = (
        [source.tolist() for source, _ in training.lessons(some, WORDS, **how)]
        for how in (options, options | {"short_first": False})
    )
    first = len(mine) // 2
    assert usual[:first] != mine[:first] and usual[first:] == mine[first:]
    assert sorted(usual[:first]) == sorted(mine[:first])  # the same batches
    lengths = [len(source[0]) for source in mine[:first]]
    assert abs(np.corrcoef(np.arange(first), lengths)[0, 1]) < 0.4
    tenth = lengths[: first // 10]  # a training that stops here has read all lengths
    assert min(tenth) < 8 and max(tenth) > 23


def test_mixed_lessons_hold_all_lengths_and_pad_the_sources():
    some = pairs(200, longest=20)
    words = sum(len(pair.target) + 1 for pair in some)
    plan = list(training.lessons(some, WORDS, tokens=words, size=8, mixed=True))
    assert len(plan) == 25
    mixed = [(source == PAD).any() for source, _ in plan]
    assert np.mean(mixed) > 0.9
    seen = [tuple(row[row != PAD].tolist()) for source, _ in plan for row in source]
    wanted = [tuple(SOURCE.encode(pair.source)) for pair in some]
    assert sorted(seen) == sorted(wanted)
    lengths = [int((source[0] != PAD).sum()) for source, _ in plan]
    assert abs(np.corrcoef(np.arange(25), lengths)[0, 1]) < 0.6  # no order of lengths


def test_lessons_reach_their_tokens_and_no_further_than_a_batch():
    plan = training.lessons(pairs(50), WORDS, tokens=777, size=4)
    counts = [int((target[:, 1:] != PAD).sum()) for _, target in plan]
    assert sum(counts[:-1]) < 777 <= sum(counts)
    for source, target in plan:
        assert source.dtype == target.dtype == torch.int64
        assert (source != PAD).all() and (target[:, 0] == BOS).all()


def test_the_loss_ignores_padding_and_shifts_by_one():
    model, source = make("without"), numbers(2, 3)
    target = torch.tensor([[BOS, 5, 6, EOS], [BOS, 7, EOS, PAD]])
    logits = model(source, target[:, :-1])[0].log_softmax(dim=-1)
    wanted = [(0, 0, 5), (0, 1, 6), (0, 2, EOS), (1, 0, 7), (1, 1, EOS)]
    expected = -sum(logits[place] for place in wanted) / 5
    close(training.loss_of(model, source, target), expected)
    longer = torch.cat([target, torch.full((2, 3), PAD)], dim=1)
    close(training.loss_of(model, source, longer), expected)


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_word_dropout_hides_a_share_of_the_given_words(share):
    target = torch.cat([torch.full((50, 1), BOS), numbers(50, 20)], dim=1)
    seen = []

    def model(source, given):
        seen.append(given)
        return torch.zeros(*given.shape, SIZES[1]), None

    for _ in range(2):
        draw = torch.Generator().manual_seed(0)
        loss = training.loss_of(model, None, target, share, draw)
        assert loss.item() == pytest.approx(math.log(SIZES[1]))
    hidden = seen[0] == UNK
    assert torch.equal(*seen) and torch.equal(seen[0][~hidden], target[:, :-1][~hidden])
    assert hidden.float().mean().item() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_word_dropout_is_a_share(share):
    with pytest.raises(ValueError, match=f"word_dropout is {share}: expected a share"):
        model = make("additive")
        training.train(model, pairs(3), WORDS, tokens=60, word_dropout=share)


def train_small(kind, **options):
    """Return a model of width 24 that was taught to turn up to three letters round."""
    torch.manual_seed(0)
    model, steps, given = kind(*SIZES, width=24, **options), [], pairs(300, longest=3)
    losses = training.train(model, given, WORDS, steps.append, tokens=8_000, size=16)
    assert not model.training
    assert steps == list(range(len(losses) + 1))
    return model, losses


@pytest.fixture(scope="module")
def trained():
    return train_small(WordsAsValues)


def test_training_lowers_the_loss(trained):
    for _, losses in (trained, train_small(WithoutAttention)):
        assert losses.ndim == 1 and np.isfinite(losses).all()
        assert abs(losses[0] - math.log(len(TARGET))) < 0.5
        assert losses[-10:].mean() < 1  # knowing nothing of the source: log 7 = 1.9


def test_training_hides_words_where_it_is_told_to():
    losses = [
        training.train(
            make("additive"), pairs(30), WORDS, tokens=90, word_dropout=share
        )
        for share in (0, 0.5, 0.5)
    ]
    assert losses[0][0] != losses[1][0] and np.array_equal(losses[1], losses[2])


def test_training_is_the_same_for_the_same_seed(trained):
    model, losses = trained
    again, more = train_small(WordsAsValues)
    assert np.array_equal(losses, more)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


# Decoding -----------------------------------------------------------------------------


@every_model
def test_greedy_by_hand(name):
    model, source = make(name), numbers(3, 4)
    found = training.greedy(model, source, limit=6)
    for b in range(3):
        words = [BOS]
        while len(words) <= 6 and words[-1] != EOS:
            logits, _ = model(source[b : b + 1], torch.tensor([words]))
            words.append(int(logits[0, -1].argmax()))
        row = found[b].tolist()
        assert row == words[1:] + [PAD] * (len(row) - len(words) + 1)


@every_model
def test_a_beam_of_one_is_greedy(name):
    for seed in range(3):
        model, source = make(name, seed), numbers(5, 4, seed)
        with torch.no_grad():
            model.output.bias[EOS] += 0.5  # some sentences end
            model.output.bias[PAD] -= 99
        found = training.greedy(model, source, 7)
        assert torch.equal(training.beam(model, source, 7, 1), found)


def mean_chance(model, source, words):
    """Return the mean log-probability of a row of words, PAD at no length."""
    given = torch.tensor([[BOS, *words[:-1]]])
    chances = model(source, given)[0][0].log_softmax(dim=-1)
    total = sum(chances[t, word].item() for t, word in enumerate(words))
    return total / max(1, sum(word != PAD for word in words))


@pytest.mark.parametrize("name", ["without", "general"])
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_that_holds_everything_finds_the_best(name, seed):
    model, source, limit = make(name, seed), numbers(1, 3, seed), 3
    with torch.no_grad():  # three words to write: 4, 5 and EOS
        for word in (PAD, BOS, 3, 6, 7, 8, 9):
            model.output.bias[word] = -99
        model.output.weight[[EOS, 4, 5]] *= 4
    hypotheses = []
    for length in range(1, limit + 1):
        for words in itertools.product([EOS, 4, 5], repeat=length):
            ends = EOS in words
            if (ends and words.index(EOS) == length - 1) or (
                not ends and length == limit
            ):
                hypotheses.append(words)
    best = max(hypotheses, key=lambda words: mean_chance(model, source, words))
    row = training.beam(model, source, limit, size=10**limit)[0].tolist()
    found = [word for word in row if word != PAD]
    assert tuple(found) == best
    greedy = [w for w in training.greedy(model, source, limit)[0].tolist() if w != PAD]
    score = mean_chance(model, source, found)
    assert score >= mean_chance(model, source, greedy) - 1e-6


def test_a_beam_of_a_batch_is_that_of_its_sentences():
    model, source = make("additive", 2), numbers(4, 5, seed=7)
    with torch.no_grad():
        model.output.weight.mul_(4)
    together = training.beam(model, source, 6, 3)
    for b in range(4):
        alone = training.beam(model, source[b : b + 1], 6, 3)[0]
        words = together[b].tolist()
        assert TARGET.decode(words) == TARGET.decode(alone.tolist())


class Table:
    """A translator whose next word depends on the last alone: rows of logits (V, V)."""

    def __init__(self, logits):
        self.logits = logits

    def start(self, source):
        return source, torch.zeros(1, len(source), 1)

    def step(self, memory, state, words):
        return self.logits[words], None, state


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_exercise_searches_as_the_package_does(size):
    """The exercise's 0 ends, 1 to 5 are words; here these are EOS and 4 to 8."""
    stem = "13_reading_the_weights"
    cells = read(ROOT / "solutions" / stem / f"{stem}.ipynb").cells
    (source,) = (cell.source for cell in cells if cell.id == "beam")
    space = {"np": np}
    exec(source, space)
    words, lengths = torch.tensor([EOS, 4, 5, 6, 7, 8]), set()
    for seed in range(10):
        logits = torch.full((9, 9), -torch.inf)
        noise = np.random.default_rng(seed).normal(size=(9, 6))
        logits[:, words] = torch.tensor(2 * noise).float()

        def next_logs(prefixes, logits=logits):
            begun = prefixes.shape[1] > 0
            last = words[prefixes[:, -1]] if begun else torch.tensor([BOS])
            return logits[last].log_softmax(dim=-1)[:, words].numpy()

        found, _ = space["beam_search"](next_logs, size, 6)
        row = training.beam(Table(logits), torch.zeros(1, 1).long(), 6, size)[0]
        assert row[row != PAD].tolist() == words[found].tolist()
        lengths.add(len(found))
    assert len(lengths) > 2  # some ended sooner, some later


@pytest.mark.parametrize("beam_size", [1, 2])
def test_translate_keeps_the_order(trained, beam_size):
    model, _ = trained
    sources = [pair.source for pair in pairs(40, seed=9)]
    options = {"beam_size": beam_size}
    together = training.translate(model, sources, WORDS, size=7, **options)
    assert all(isinstance(words, tuple) for words in together)
    for source, found in zip(sources, together, strict=True):
        assert training.translate(model, [source], WORDS, **options) == [found]


def test_translate_stops_at_its_limit():
    model = make("without")
    with torch.no_grad():
        model.output.bias[7] = 99  # never ends
    found = training.translate(model, [("a",), ("a", "b")], WORDS)
    assert [len(words) for words in found] == [12, 14]  # twice the source and 10
    found = training.translate(model, [("a",), ("a", "b")], WORDS, limit=3)
    assert [len(words) for words in found] == [3, 3]


def test_unknown_words_where_asked():
    model, source = make("without"), [("a", "q")]
    assert len(training.translate(model, source, WORDS, unknown=True)) == 1


# Measuring ----------------------------------------------------------------------------


def test_bleu_by_hand():
    line = "a b c d e f".split()
    assert training.bleu([line], [line]) == pytest.approx(100)
    # 5 of 6 words, 3 of 5, 2 of 4, 1 of 3
    found = "a b c d x f".split()
    product = 5 / 6 * 3 / 5 * 2 / 4 * 1 / 3
    assert training.bleu([found], [line]) == pytest.approx(100 * product**0.25)
    short = line[:5]  # all right, but the penalty e^(1 − 6/5)
    assert training.bleu([short], [line]) == pytest.approx(100 * math.exp(-0.2))
    # over the corpus: 11 of 12, 8 of 10, 6 of 8, 4 of 6
    product = 11 / 12 * 8 / 10 * 6 / 8 * 4 / 6
    both = training.bleu([found, line], [line, line])
    assert both == pytest.approx(100 * product**0.25)


def test_chinese_words_stay_whole():
    source = EXAMPLE.target + ("。",)
    assert training.bleu([source], [source]) == pytest.approx(100)
    other = ("汤", "姆", "追逐", "杰瑞")
    assert training.bleu([other], [EXAMPLE.target]) < 50


def test_exact_by_hand():
    found, wanted = [("a", "b"), ["c"], ()], [("a", "b"), ("c",), ("d",)]
    assert training.exact(found, wanted) == pytest.approx(200 / 3)
    with pytest.raises(ValueError):
        training.exact(found, wanted[:2])


def test_aer_by_hand():
    sure = frozenset({(0, 0), (1, 1)})
    pair = Pair(("a", "b"), ("u", "v"), sure, sure | {(0, 1)})
    # 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|)
    for links, expected in [
        ({(0, 0), (1, 1)}, 0),
        ({(0, 0), (0, 1)}, 1 - (1 + 2) / 4),
        ({(1, 0)}, 1),
        ({(0, 0), (1, 0), (1, 1)}, 1 - (2 + 2) / 5),
    ]:
        assert training.aer([links], [pair]) == pytest.approx(100 * expected)
    both = training.aer([{(1, 0)}, {(0, 0), (1, 1)}], [pair, pair])
    assert both == pytest.approx(100 * (1 - (0 + 4) / (3 + 4)))


def test_aer_needs_gold_links():
    bare = Pair(("a",), ("u",))
    with pytest.raises(ValueError, match="pair 1 has no gold links"):
        training.aer([{(0, 0)}, {(0, 0)}], [pairs(1, longest=1)[0], bare])


class Oracle(nn.Module):
    """Translate by turning round, with certainty, and look at the right word.

    `wrong` words, the first ones of each sentence, are predicted to be another.
    """

    def __init__(self, wrong=0):
        super().__init__()
        self.wrong = wrong

    def forward(self, source, words):
        (B, S), T = source.shape, words.shape[1]
        logits, weights = torch.zeros(B, T, len(TARGET)), torch.zeros(B, T, S)
        for t in range(T):
            for b in range(B):
                j = S - 1 - t
                word = int(source[b, j]) if j >= 0 else EOS
                word = word if t >= self.wrong else 4 + (word - 3) % 6
                logits[b, t, word] = 9
                weights[b, t, max(j, 0)] = 1
        return logits, weights


def test_links_and_accuracy_of_an_oracle():
    some = pairs(30, seed=4)
    found = training.links(Oracle(), some, WORDS)
    assert found == [set(pair.sure) for pair in some]
    assert training.aer(found, some) == 0
    assert training.accuracy(Oracle(), some, WORDS) == 100
    words = sum(len(pair.target) + 1 for pair in some)
    wrong = 100 * (1 - len(some) / words)
    assert training.accuracy(Oracle(wrong=1), some, WORDS) == pytest.approx(wrong)


def test_forced_gives_each_pair_its_own_rows():
    some, model = pairs(20, seed=5), make("general")
    places = []
    for place, logits, weights in training.forced(model, some, WORDS, size=6):
        source, target, _ = batches([some[place]], *WORDS)[0]
        words = torch.from_numpy(target[:, :-1])
        one, look = model(torch.from_numpy(source), words)
        close(logits, one[0])
        close(weights, look[0])
        places.append(place)
    assert sorted(places) == list(range(20))


def test_links_need_weights():
    with pytest.raises(TypeError, match="WithoutAttention has no weights"):
        training.links(make("without"), pairs(2), WORDS)
