"""Run the experiment of chapter 16: what each part of a Transformer is worth.

    python -m tools.transformer_runs [--jobs N] [--list] [--pace]

Each training is a Run; its results on the validation set are one line of
chapters/16_runs.csv, written as soon as the run ends. A run whose line is there is not
repeated, so an interrupted experiment goes on where it stopped. The test set stays
closed. Chapter 17's comparison of one stack with two is among them.

With --pace it writes chapters/16_pace.csv instead: what a million target words cost
some of the models, measured in one process in which they take turns. The seconds of
single trainings depend on what else the machine did, and are not comparable.
"""

import argparse
import os
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from attend import training, transformer
from attend.data import corpus
from attend.data.corpus import PAD, SPECIALS
from attend.decoder_only import DecoderOnly
from attend.layers import causal_mask, sinusoidal_positions
from attend.seq2seq import WithAttention
from tools import tables

CSV = Path(__file__).parents[1] / "chapters" / "16_runs.csv"
HALF = training.TOKENS // 2  # target words of a training, half of part III's
PACE = CSV.with_name("16_pace.csv")
RATES = (5e-3, 8e-3, 1e-3)  # tried for the base model, on the validation set
RATE = 5e-3  # the best of them
SHORT = 20  # words of the longest sentence, where a model must go beyond them
EQUAL_TIME = 2_960_000  # target words that the GRU reads in the base's time
GRU_RATE = 8e-3  # the best of chapter 14's search for this GRU
WIDE = 102  # the width that gives chapter 12's GRU as many parameters as the base


class Run(NamedTuple):
    """What one training depends on."""

    model: str = "base"  # a key of MODELS
    seed: int = 0  # of the first weights and the order of the batches
    rate: float = RATE  # the highest learning rate
    tokens: int = HALF
    width: int = 64
    longest: int = corpus.LONGEST  # words of a source sentence in training


# The models: the base, or the base with one part cut or changed -----------------------


class Nothing(nn.Module):
    """A part that was cut: X + nothing is X."""

    def forward(self, X):
        return torch.zeros_like(X)


class BareEncoderLayer(transformer.EncoderLayer):
    """Without residuals: what a part makes takes the place of what came in."""

    def forward(self, X, allowed=None):
        Z = self.norm_1(X)
        X = self.attention(Z, Z, Z, allowed)[0]
        return self.feed_forward(self.norm_2(X))


class BareDecoderLayer(transformer.DecoderLayer):
    """Without residuals: what a part makes takes the place of what came in."""

    def forward(self, X, memory, allowed=None):
        Z = self.norm_1(X)
        X = self.attention(Z, Z, Z, causal_mask(X.shape[1]))[0]
        X, weights = self.cross_attention(self.norm_2(X), memory, memory, allowed)
        return self.feed_forward(self.norm_3(X)), weights


class Learned(nn.Embedding):
    """Words with a learned vector for each place."""

    def __init__(self, words, width):
        super().__init__(words, width)
        self.places = nn.Parameter(torch.randn(100, width))

    def forward(self, words):
        return super().forward(words) + self.places[: words.shape[1]]


class Scaled(transformer.PlacedEmbedding):
    """Words made √D times as long before the places, as Vaswani et al. (2017) do."""

    def forward(self, words):
        X = nn.Embedding.forward(self, words) * self.embedding_dim**0.5
        return X + sinusoidal_positions(*X.shape[1:])


def base(*sizes, **options):
    return transformer.Transformer(*sizes, **options)


def halves(model):
    return model.encoder, model.decoder


def layers_of(model):
    return [*model.encoder.layers, *model.decoder.layers]


def become(model, encoder_layer, decoder_layer):
    """Let the layers compute as those of the two classes, with the same parameters."""
    for half, layer_class in zip(
        halves(model), [encoder_layer, decoder_layer], strict=True
    ):
        for layer in half.layers:
            layer.__class__ = layer_class
    return model


def embedded(kind):
    """Return what builds a model with embeddings of another kind."""

    def build(*sizes, **options):
        model = base(*sizes, **options)
        for half in halves(model):
            old = half.embedding
            half.embedding = kind(old.num_embeddings, old.embedding_dim)
        return model

    return build


def without_feed_forward(*sizes, **options):
    model = base(*sizes, **options)
    for layer in layers_of(model):
        layer.feed_forward = Nothing()
    return model


def without_residual(*sizes, **options):
    model = base(*sizes, **options)
    return become(model, BareEncoderLayer, BareDecoderLayer)


def without_norm(*sizes, **options):
    model = base(*sizes, **options)
    for part in [*halves(model), *layers_of(model)]:
        for name in [n for n, _ in part.named_children() if n.startswith("norm")]:
            setattr(part, name, nn.Identity())
    return model


def post_norm(*sizes, **options):
    model = base(*sizes, **options)
    for half in halves(model):
        half.norm = nn.Identity()  # each layer ends in a norm of its own
    kinds = transformer.PostNormEncoderLayer, transformer.PostNormDecoderLayer
    return become(model, *kinds)


def small(build):
    """Return what builds a model whose words' vectors have about the length 1."""

    def build_small(*sizes, **options):
        model = build(*sizes, **options)
        with torch.no_grad():
            for half in halves(model):
                half.embedding.weight /= half.embedding.embedding_dim**0.5
        return model

    return build_small


def tied(*sizes, **options):
    """The rows of the output layer are the target words' vectors, too."""
    model = small(embedded(Scaled))(*sizes, **options)
    model.output.weight = model.decoder.embedding.weight
    return model


def gru(source_words, target_words, width):
    return WithAttention(source_words, target_words, width)


class OneRow(nn.Module):
    """Chapter 17's model as a translator: the source and the target are one row.

    source (B, S), words (B, T) → logits (B, T, target words), None for the weights.
    Inside, both languages share one vocabulary: the marks, the source's, the target's.
    """

    def __init__(self, source_words, target_words, width=64, heads=4, layers=4):
        super().__init__()
        self.marks, self.source_words = len(SPECIALS), source_words
        words = source_words + target_words - self.marks
        self.model = DecoderOnly(words, width, heads, layers)

    def row(self, source, words):
        """Lay them side by side, in one vocabulary: (B, S), (B, T) → (B, S + T)."""
        further = words + self.source_words - self.marks
        return torch.cat([source, words.where(words < self.marks, further)], dim=1)

    def start(self, source):
        return source, source.new_empty(1, len(source), 0)

    def step(self, memory, state, words):
        state = torch.cat([state, words[None]], dim=-1)  # (1, B, all words so far)
        logits = self.model(self.row(memory, state[0]))[:, -words.shape[1] :]
        marks, target = logits[..., : self.marks], logits[..., self.source_words :]
        return torch.cat([marks, target], dim=-1), None, state

    def forward(self, source, words):
        return self.step(*self.start(source), words)[:2]


MODELS = {
    "base": base,
    "rotary": transformer.RotaryTransformer,
    "learned positions": embedded(Learned),
    "no positions": embedded(nn.Embedding),
    "no feed-forward": without_feed_forward,
    "no residual": without_residual,
    "no norm": without_norm,
    "post-norm": post_norm,
    "one head": lambda *sizes, **options: base(*sizes, heads=1, **options),
    "small words": small(base),
    "small words × √D": small(embedded(Scaled)),
    "tied": tied,
    "gru": gru,
    "one row": OneRow,
    "label smoothing": base,
    "no warm-up": base,
    "post-norm, no warm-up": post_norm,
}


# How they are trained, where it is not as always --------------------------------------


def smoothed(model, source, target, *_):
    """Cost against 0.9 for the true word, 0.1 shared by all (Szegedy et al., 2016)."""
    logits, _ = model(source, target[:, :-1])
    options = {"ignore_index": PAD, "label_smoothing": 0.1}
    return F.cross_entropy(logits.mT, target[:, 1:], **options)


def every_word(model, source, target, *_):
    """Cost of every next word of the row, the source's too, as in chapter 17."""
    words = model.row(source, target)
    return F.cross_entropy(
        model.model(words[:, :-1]).mT, words[:, 1:], ignore_index=PAD
    )


RECIPES = {  # options of training.train
    "one row": {"cost": every_word},
    "label smoothing": {"cost": smoothed},
    "no warm-up": {"warm_up": 0},
    "post-norm, no warm-up": {"warm_up": 0},
}


def plan():
    """Return every Run: three seeds, but one where a part's loss dwarfs the seeds'."""
    runs = [Run(rate=rate) for rate in RATES]
    runs += [Run("no positions"), Run("no residual")]
    close = "base", "rotary", "post-norm", "one head", "no norm", "no feed-forward"
    runs += seeds(*close) + seeds("gru")
    runs += [Run(tokens=training.TOKENS)] + seeds("rotary", tokens=training.TOKENS)
    tuned = {"rate": GRU_RATE}
    runs += seeds("gru", **tuned) + seeds("gru", tokens=EQUAL_TIME, **tuned)
    runs += seeds("gru", width=WIDE, **tuned) + [Run("gru", width=WIDE)]
    runs += seeds("base", "rotary", longest=SHORT)
    runs += seeds("gru", longest=SHORT, **tuned)
    runs += seeds("learned positions", "small words", "small words × √D", "tied")
    runs += seeds("label smoothing", "no warm-up", "post-norm, no warm-up")
    runs += seeds("one row", width=68)  # four layers: as many parameters as the base
    scaled = "tied", "small words", "post-norm"  # where another rate may be better
    runs += [Run(name, rate=rate) for name in scaled for rate in (8e-3, 3e-3)]
    return list(dict.fromkeys(runs))


def seeds(*names, **options):
    return [Run(name, seed, **options) for seed in range(3) for name in names]


# Training and measuring ---------------------------------------------------------------


@cache
def data(longest):
    return corpus.splits(longest=longest)


def build(run):
    """Return the untrained model of a Run."""
    torch.manual_seed(run.seed)
    words = [len(vocabulary) for vocabulary in corpus.vocabularies()]
    return MODELS[run.model](*words, width=run.width)


def errors_of_layers(model, pairs):
    """Return the alignment error of each layer's weights, the mean of the heads."""
    vocabularies, kept = corpus.vocabularies(), []

    def keep(layer, inputs, output):
        kept.append(output[1].mean(dim=1))

    found = []
    for layer in model.decoder.layers:
        hook = layer.register_forward_hook(keep)
        links = [None] * len(pairs)
        for batch in corpus.batches(pairs, *vocabularies, 250):
            source, target = map(torch.from_numpy, batch[:2])
            kept.clear()
            with torch.inference_mode():
                model(source, target[:, :-1])
            for row, place in enumerate(batch.index):
                best = kept[0][row, : len(pairs[place].target)].argmax(dim=-1)
                links[place] = {(j, i) for i, j in enumerate(best.tolist())}
        hook.remove()
        found.append(training.aer(links, pairs))
    return found


def execute(run):
    """Train the model of a Run; return its line."""
    torch.set_num_threads(1)
    splits, vocabularies, model = data(run.longest), corpus.vocabularies(), build(run)
    options = {"tokens": run.tokens, "seed": run.seed, "rate": run.rate}
    options |= RECIPES.get(run.model, {})
    begin = time.process_time()
    try:
        losses = training.train(model, splits.train, vocabularies, **options)
        loss = losses[-100:].mean()
    except FloatingPointError:  # it went up without end: that is its result
        loss = np.inf
    seconds = time.process_time() - begin
    pairs = splits.validation
    found = training.translate(model, [p.source for p in pairs], vocabularies)
    scores = {"bleu": training.bleu(found, [p.target for p in pairs])}
    scores["exact"] = training.exact(found, [p.target for p in pairs])
    scores["accuracy"] = training.accuracy(model, pairs, vocabularies)
    weightless = isinstance(model, OneRow)
    scores["aer"] = None
    if not weightless:
        links = training.links(model, pairs, vocabularies)
        scores["aer"] = training.aer(links, pairs)
    for first, last in corpus.BUCKETS:
        here = [k for k, p in enumerate(pairs) if first <= len(p.source) <= last]
        wanted = [pairs[k].target for k in here]
        scores[f"{first}–{last}"] = training.bleu([found[k] for k in here], wanted)
    layers = []
    if run.model != "gru" and not weightless:
        layers = errors_of_layers(model, pairs)
    for k, name in enumerate(["aer of layer 1", "aer of layer 2"]):
        scores[name] = layers[k] if layers else None
    line = run._asdict() | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
        "loss": round(float(loss), 4),
    }
    line |= {k: "" if v is None else round(v, 2) for k, v in scores.items()}
    line |= tables.here()
    return {key: str(value) for key, value in line.items()}


PACED = [Run(), Run("rotary"), Run("gru"), Run("gru", width=WIDE)]
PACED += [Run("one row", width=68)]


def store_paces(rounds=3):
    """Write the processor seconds of a million target words, the best of the rounds.

    All lengths of sentences come, because each training reads its pairs once.
    """
    pairs, vocabularies = data(corpus.LONGEST).train[:8_000], corpus.vocabularies()
    tokens = sum(len(pair.target) + 1 for pair in pairs)
    best = dict.fromkeys(PACED, float("inf"))
    for _ in range(rounds):
        for run in PACED:  # they take turns
            options = RECIPES.get(run.model, {})
            begin = time.process_time()
            training.train(build(run), pairs, vocabularies, tokens=tokens, **options)
            seconds = (time.process_time() - begin) * 1e6 / tokens
            best[run] = min(best[run], seconds)
    lines = [
        {"model": run.model, "width": run.width, "seconds": f"{seconds:.2f}"}
        for run, seconds in best.items()
    ]
    tables.save([line | tables.here() for line in lines], PACE)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.transformer_runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--list", action="store_true", help="say what is left to run")
    parser.add_argument("--pace", action="store_true", help="measure what words cost")
    options = parser.parse_args()
    if options.pace:
        os.environ["TQDM_DISABLE"] = "1"
        torch.set_num_threads(1)
        store_paces()
        return
    done = tables.finished(tables.load(CSV), Run)
    todo = [run for run in plan() if run not in done]
    print(f"{len(done)} runs are done, {len(todo)} are left", flush=True)
    if options.list:
        print(*todo, sep="\n")
        return
    os.environ["TQDM_DISABLE"] = "1"  # many bars at once say nothing
    begin = time.time()
    for line in tables.results(execute, todo, options.jobs):
        tables.save([*tables.load(CSV), line], CSV)
        print(f"{time.time() - begin:6.0f} s", *line.values(), flush=True)


if __name__ == "__main__":
    main()
