"""Run the experiment of chapter 16: what each part of a Transformer is worth.

    python -m tools.transformer_runs [--jobs N] [--list]

Each training is a Run; its results on the validation set are one line of
chapters/16_runs.csv, written as soon as the run ends. A run whose line is there is not
repeated, so an interrupted experiment goes on where it stopped. The test set stays
closed.
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

from attend import training, transformer
from attend.data import corpus
from attend.layers import causal_mask, sinusoidal_positions
from attend.seq2seq import WithAttention
from tools import tables

CSV = Path(__file__).parents[1] / "chapters" / "16_runs.csv"
HALF = training.TOKENS // 2  # target words of a training, half of part III's
RATES = (5e-3, 8e-3, 1e-3)  # tried for the base model, on the validation set
RATE = 5e-3  # the best of them


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
}


def plan():
    """Return every Run: three seeds, but one where a part's loss dwarfs the seeds'."""
    runs = [Run(rate=rate) for rate in RATES]
    runs += [Run("no positions"), Run("no residual")]
    close = "base", "rotary", "post-norm", "one head", "no norm", "no feed-forward"
    runs += [Run(name, seed) for seed in range(3) for name in close]
    runs += [Run("gru", seed, training.RATE) for seed in range(3)]
    runs += [Run(name, tokens=training.TOKENS) for name in ("base", "rotary")]
    return list(dict.fromkeys(runs))


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
    links = training.links(model, pairs, vocabularies)
    scores["aer"] = training.aer(links, pairs)
    for first, last in corpus.BUCKETS:
        here = [k for k, p in enumerate(pairs) if first <= len(p.source) <= last]
        wanted = [pairs[k].target for k in here]
        scores[f"{first}–{last}"] = training.bleu([found[k] for k in here], wanted)
    layers = [] if run.model == "gru" else errors_of_layers(model, pairs)
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


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.transformer_runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--list", action="store_true", help="say what is left to run")
    options = parser.parse_args()
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
