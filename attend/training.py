"""Training, translating and measuring: what the chapters of part III use, not teach.

    >>> losses = train(model, data.train, vocabularies())
    >>> found = translate(model, sources, vocabularies())
    >>> bleu(found, targets), exact(found, targets)

A model has `start(source)` and `step(memory, state, words)`, as in `attend.seq2seq`;
`vocabularies` are the source's and the target's. Sentences are sequences of words.
"""

import itertools
import math
import os
import random
from contextlib import nullcontext

import numpy as np
import sacrebleu
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from attend import speed
from attend.data.corpus import (
    BOS,
    EOS,
    LONGEST,
    PAD,
    UNK,
    Pair,
    batch_of,
    batches,
    check_pairs,
    cuts,
)

TOKENS = 2_400_000  # target words of one training, EOS included
RATE, WARM_UP, LAST = 5e-3, 50, 0.03  # the learning rate, its first steps, its end


def share_of_rate(step, steps, warm_up=WARM_UP):
    """Return the share of the learning rate: a short rise, then half a cosine."""
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return LAST + (1 - LAST) * (1 + math.cos(math.pi * done)) / 2


class Lessons:
    """The batches of a whole training, made one by one: an iterable with a length."""

    def __init__(self, steps, batches):
        self.steps, self.batches = steps, batches

    def __len__(self):
        return self.steps

    def __iter__(self):
        return itertools.islice(self.batches(), self.steps)


def lessons(
    pairs,
    vocabularies,
    tokens=TOKENS,
    size=32,
    seed=0,
    longest=LONGEST,
    unknown=False,
    mixed=False,
    short_first=True,
):
    """Return the Lessons of a whole training, (source, target) tensors.

    The pairs come again until `tokens` target words are reached: the first time short
    sentences first, with some jitter (or not, as `short_first` says), then in random
    order. Each batch has one source length; or else they are mixed: all lengths come
    together, in random order from the start, and the sources are padded. Raises
    ValueError when tokens is not above 0, and what `batches` raises.
    """
    if not tokens > 0:
        raise ValueError(f"tokens is {tokens}: expected a number above 0")
    check_pairs(pairs, *vocabularies, longest, unknown)

    def order(epoch):
        places = cuts(pairs, size, 1000 * seed + epoch, mixed)
        if epoch == 0 and short_first and not mixed:
            jitter = random.Random(seed).random
            places.sort(key=lambda batch: len(pairs[batch[0]][0]) + 6 * jitter())
        return places

    def batches():
        for places in itertools.chain.from_iterable(map(order, itertools.count())):
            batch = batch_of(pairs, places, *vocabularies, unknown)
            yield tuple(map(torch.from_numpy, batch[:2]))

    words = [len(pair[1]) + 1 for pair in pairs]  # EOS included
    epochs = math.ceil(tokens / sum(words)) - 1  # whole ones, then a part
    last = order(epochs)
    left = tokens - epochs * sum(words)
    reached = np.cumsum([sum(words[place] for place in places) for places in last])
    return Lessons(epochs * len(last) + int((reached < left).sum()) + 1, batches)


def loss_of(model, source, target, word_dropout=0.0, generator=None):
    """Return the mean cross-entropy in nats of the next word, padding left out.

    The decoder reads the true words before it (teacher forcing), a share of them as UNK
    where there is a word_dropout (Bowman et al., 2016).
    """
    given = target[:, :-1]
    hidden = torch.rand(given.shape, generator=generator) < word_dropout
    logits, _ = model(source, given.masked_fill(hidden, UNK))
    return F.cross_entropy(
        logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD
    )


def train(
    model,
    pairs,
    vocabularies,
    watch=None,
    fast=True,
    word_dropout=0.0,
    rate=RATE,
    warm_up=WARM_UP,
    cost=loss_of,
    **options,
):
    """Train the model in place; return the loss of every step (steps,), in nats.

    `watch(step)` is called before each step and once at the end. Meanwhile the model is
    fast as `attend.speed` has it, unless fast is False. `word_dropout` is that of
    `loss_of`, `rate` the highest learning rate, reached after `warm_up` steps, `cost`
    another loss with the arguments of `loss_of`; the other options are those of
    `lessons`. Raises FloatingPointError when a loss is not finite, and ValueError when
    word_dropout is no share, the rate not above 0 or warm_up below 0.
    """
    if not 0 <= word_dropout <= 1:
        raise ValueError(f"word_dropout is {word_dropout}: expected a share, 0 to 1")
    if not 0 < rate < math.inf:
        raise ValueError(f"rate is {rate}: expected a number above 0")
    if not 0 <= warm_up < math.inf:
        raise ValueError(f"warm_up is {warm_up}: expected a number of steps, 0 or more")
    plan = lessons(pairs, vocabularies, **options)
    draw = torch.Generator().manual_seed(options.get("seed", 0))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: share_of_rate(step, len(plan), warm_up)
    )
    losses = np.empty(len(plan))
    model.train()
    quiet = bool(os.environ.get("TQDM_DISABLE"))  # a notebook's bar does not ask it
    with speed.fast(model) if fast else nullcontext():
        for step, (source, target) in enumerate(tqdm(plan, leave=False, disable=quiet)):
            if watch:
                watch(step)
            loss = cost(model, source, target, word_dropout, draw)
            losses[step] = loss.item()
            if not math.isfinite(losses[step]):
                words = " ".join(vocabularies[0].decode(source[0].tolist()))
                raise FloatingPointError(
                    f"the loss of step {step} is {losses[step]}, in the batch "
                    f"that begins with: {words}"
                )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    if watch:
        watch(len(plan))
    model.eval()
    return losses


# Translating --------------------------------------------------------------------------


@torch.inference_mode()
def greedy(model, source, limit):
    """Take the likeliest word at each step: source (B, S) → words (B, T), T ≤ limit."""
    memory, state = model.start(source)
    words = torch.full((len(source), 1), BOS)
    found = []
    over = torch.zeros(len(source), 1, dtype=torch.bool)
    while len(found) < limit and not over.all():
        logits, _, state = model.step(memory, state, words)
        words = logits.argmax(dim=-1).masked_fill(over, PAD)  # (B, 1)
        found.append(words)
        over |= words == EOS
    return torch.cat(found, dim=1)


def repeated(memory, size):
    """Return a memory (B, …), or each part of it, with every row `size` times."""
    if isinstance(memory, tuple):
        return tuple(repeated(part, size) for part in memory)
    return memory.repeat_interleave(size, dim=0)


@torch.inference_mode()
def beam(model, source, limit, size):
    """Keep the `size` likeliest beginnings at each step: source (B, S) → words (B, T).

    Finished hypotheses stay in the beam at no cost; the one with the best mean
    log-probability a word wins.
    """
    B = len(source)
    memory, state = model.start(source)
    memory = repeated(memory, size)  # (B·size, S, D)
    state = state.repeat_interleave(size, dim=1)
    words = torch.full((B * size, 1), BOS)
    score = torch.full((B, size), -torch.inf)
    score[:, 0] = 0  # at first all beginnings are the same
    while words.shape[1] <= limit:
        over = ((words == EOS) | (words == PAD)).any(dim=1)
        if over.all():
            break
        logits, _, state = model.step(memory, state, words[:, -1:])
        chance = logits[:, 0].log_softmax(dim=-1)  # (B·size, V)
        chance[over] = -torch.inf
        chance[over, PAD] = 0
        total = (score[:, :, None] + chance.view(B, size, -1)).flatten(1)
        score, which = total.topk(size)  # (B, size)
        parent = which // chance.shape[1] + torch.arange(B)[:, None] * size
        parent = parent.flatten()
        last = (which % chance.shape[1]).view(-1, 1)
        words, state = torch.cat([words[parent], last], dim=1), state[:, parent]
    words = words[:, 1:].view(B, size, -1)
    best = (score / (words != PAD).sum(dim=-1)).argmax(dim=1)
    return words[torch.arange(B), best]


def translate(
    model, sources, vocabularies, beam_size=1, limit=None, size=250, **options
):
    """Return the translation of each source sentence, a tuple of words.

    `limit` is the most words of a translation: twice those of its source and 10, unless
    given. The options are those of `batches`, whose errors name the culprit.
    """
    found = [None] * len(sources)
    pairs, read = [Pair(words, words) for words in sources], vocabularies[0]
    for batch in batches(pairs, read, read, size, **options):
        source = torch.from_numpy(batch.source)
        most = limit or 2 * source.shape[1] + 10
        if beam_size == 1:
            rows = greedy(model, source, most)
        else:
            rows = beam(model, source, most, beam_size)
        for place, row in zip(batch.index, rows.tolist(), strict=True):
            found[place] = tuple(vocabularies[1].decode(row))
    return found


@torch.inference_mode()
def answer(model, sources, vocabularies, size=250, **options):
    """Return the likeliest word for each source, as a tuple of one.

    For models source (B, S) → logits (B, words), weights, as in chapter 15. The options
    are those of `batches`.
    """
    found, pairs = [None] * len(sources), [Pair(words, words) for words in sources]
    for batch in batches(pairs, vocabularies[0], vocabularies[0], size, **options):
        best = model(torch.from_numpy(batch.source))[0].argmax(dim=-1).tolist()
        for place, number in zip(batch.index, best, strict=True):
            found[place] = tuple(vocabularies[1].decode([number]))
    return found


@torch.inference_mode()
def forced(model, pairs, vocabularies, size=250, **options):
    """Yield (place, logits (T, V), weights (T, S)) of each pair, its target given.

    Row t belongs to the target's word t, the last row to EOS; weights is None for a
    model that has none.
    """
    for batch in batches(pairs, *vocabularies, size, **options):
        source, target = map(torch.from_numpy, batch[:2])
        logits, weights = model(source, target[:, :-1])
        for row, place in enumerate(batch.index):
            T = len(pairs[place][1]) + 1
            yield place, logits[row, :T], None if weights is None else weights[row, :T]


# Measuring ----------------------------------------------------------------------------


def bleu(found, wanted):
    """Return the corpus BLEU of word sequences, in percent (Papineni et al., 2002)."""
    join = [" ".join(words) for words in found], [" ".join(words) for words in wanted]
    return sacrebleu.corpus_bleu(join[0], [join[1]], tokenize="none", force=True).score


def exact(found, wanted):
    """Return how many sentences are right to the last word, in percent."""
    right = [tuple(f) == tuple(w) for f, w in zip(found, wanted, strict=True)]
    return 100 * float(np.mean(right))


def accuracy(model, pairs, vocabularies, **options):
    """Return how often the next word is the likeliest, all before it given, in percent.

    EOS counts as a word.
    """
    right = count = 0
    for place, logits, _ in forced(model, pairs, vocabularies, **options):
        wanted = vocabularies[1].encode(pairs[place][1], unknown=True) + [EOS]
        right += int((logits.argmax(dim=-1) == torch.tensor(wanted)).sum())
        count += len(wanted)
    return 100 * right / count


def links(model, pairs, vocabularies):
    """Return for each pair the links {(source, target)} of its largest weights.

    Each word of the given target is linked to the one source word that it looks at
    most. Raises TypeError for a model without weights.
    """
    found = [None] * len(pairs)
    for place, _, weights in forced(model, pairs, vocabularies):
        if weights is None:
            raise TypeError(f"{type(model).__name__} has no weights to make links of")
        best = weights[:-1].argmax(dim=-1).tolist()
        found[place] = {(j, i) for i, j in enumerate(best)}
    return found


def aer(found, pairs):
    """Return the alignment error rate in percent (Och and Ney, 2003), best 0.

    found: for each pair a set of links (source, target). Raises ValueError naming a
    pair without gold links.
    """
    right = count = 0
    for place, (mine, pair) in enumerate(zip(found, pairs, strict=True)):
        if not pair.possible:
            raise ValueError(f"pair {place} has no gold links to compare with")
        right += len(mine & pair.sure) + len(mine & pair.possible)
        count += len(mine) + len(pair.sure)
    return 100 - 100 * right / count
