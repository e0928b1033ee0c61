"""Run the experiments of chapter 17: the cache, and induction heads.

    python -m tools.one_sequence_runs [induction] [cache] [smollm2]

Each part, all of them unless some are named, writes one file beside the chapter:
chapters/17_induction.csv, 17_cache.csv and 17_smollm2.json. A line that is there is not
made again, so what was interrupted goes on where it stopped. The part smollm2 wants the
weights that `make real-models` fetches; without them it is left out.
"""

import json
import random
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from attend import pretrained
from attend.decoder_only import (
    AttentionOnly,
    CachedDecoderOnly,
    DecoderOnly,
    generate,
    generate_cached,
    repeated,
    teach_to_repeat,
)
from attend.pretrained.smollm2 import FILE, PACKAGE, START, SmolLM2
from tools import tables

CHAPTERS = Path(__file__).parents[1] / "chapters"
MACHINE = tables.here()
del MACHINE["date"]  # its tables have no column for it


def run_missing(name, plan, execute):
    """Execute each setting of the plan, a dict, whose lines the file does not hold."""
    for setting in plan:
        texts = {key: str(value) for key, value in setting.items()}
        done = any(
            texts.items() <= line.items() for line in tables.load(CHAPTERS / name)
        )
        if not done:
            lines = [setting | line for line in execute(**setting)]
            tables.save([*tables.load(CHAPTERS / name), *lines], CHAPTERS / name)
            print(name, *lines[-1].values(), flush=True)


# The toy of induction heads -----------------------------------------------------------

INDUCTION = "17_induction.csv"
STEPS, EVERY, SEEDS = 600, 20, range(6)


def induction_plan():
    return [{"layers": layers, "seed": seed} for layers in (2, 1) for seed in SEEDS]


def watch_induction(layers, seed):
    torch.manual_seed(seed)
    model, lines = AttentionOnly(64, layers=layers), []
    test = repeated(200, 15, 64, torch.Generator().manual_seed(99))

    def measure(step):
        if step % EVERY and step != STEPS:
            return
        line = {"step": step} | judge(model, test)
        for cut in range(layers):
            line[f"loss without layer {cut + 1}"] = judge(model, test, {cut})["loss"]
        if layers == 1:
            line["loss without layer 2"] = ""
        lines.append(line | MACHINE)

    teach_to_repeat(model, STEPS, seed, measure)
    return lines


@torch.inference_mode()
def judge(model, words, cut=()):
    """Return the loss of the second time in nats, and what each layer looks at.

    The first word of the second time cannot be known and does not count.
    """
    N = words.shape[1] // 2
    logits, weights = model(words, cut)
    costs = F.cross_entropy(logits[:, :-1].mT, words[:, 1:], reduction="none")
    rows = torch.arange(N, 2 * N)
    found = {"loss": round(costs[:, N:].mean().item(), 4)}
    for number in (1, 2):
        here = weights[number - 1] if number <= len(weights) else None
        for name, back in {"word before": 1, "word after its twin": N - 1}.items():
            mean = (
                ""
                if here is None
                else round(here[:, rows, rows - back].mean().item(), 4)
            )
            found[f"layer {number}, {name}"] = mean
    return found


# The time that a cache saves ----------------------------------------------------------

CACHE = "17_cache.csv"
LENGTHS, BATCHES = (10, 20, 40, 80, 160), (1, 8, 32)


def cache_plan():
    return [{"batch": B, "length": L} for B in BATCHES for L in LENGTHS]


def time_cache(batch, length):
    """Time both ways with an untrained model: time does not depend on the weights."""
    torch.manual_seed(0)
    model = CachedDecoderOnly(443, layers=3)
    plain = DecoderOnly(443, layers=3)
    plain.load_state_dict(model.state_dict())
    words = torch.randint(4, 443, (batch, 1))

    def choose(logits):  # the likeliest, but never the end
        return logits[:, 4:].argmax(dim=-1, keepdim=True) + 4

    seconds, found = {}, {}
    for name, make, net in [
        ("plain", generate, plain),
        ("cached", generate_cached, model),
    ]:
        times = []
        for _ in range(3):
            begin = time.process_time()
            found[name] = make(net, words, length, choose)
            times.append(time.process_time() - begin)
        seconds[name] = round(min(times), 4)
    same = torch.equal(found["plain"], found["cached"])
    return [seconds | {"same": same} | MACHINE]


# The real model -----------------------------------------------------------------------

SMOLLM2 = CHAPTERS / "17_smollm2.json"
TEXTS, WORDS, CUT, CONTROLS = 16, 25, 6, 8
SENTENCE = "The old man sat by the river and the young man stood by the old tree"


def costs_of(model, words, cut=()):
    """Return the mean cost in nats of the first time and of the second, and weights.

    The first word of the second time cannot be known and does not count.
    """
    logits, weights = model(words, cut)
    costs = F.cross_entropy(logits[:, :-1].mT, words[:, 1:], reduction="none")
    first, second = costs[:, :WORDS].mean().item(), costs[:, WORDS + 1 :].mean().item()
    return {"first": round(first, 3), "second": round(second, 3)}, weights


def mean_weights(weights, back):
    """Return for each head (layers, H) its mean weight `back` places before."""
    rows = torch.arange(WORDS + 1, 2 * WORDS + 1)
    return torch.stack([W[:, :, rows, rows - back].mean(dim=(0, 2)) for W in weights])


def best(scores, count):
    """Return the `count` heads with the largest scores, [(layer, head)]."""
    places = scores.flatten().topk(count).indices.tolist()
    return [divmod(place, scores.shape[1]) for place in places]


def others(heads, count, rng):
    """Draw heads from the same layers, as many in each, and none of these."""
    found = []
    for layer in sorted({layer for layer, _ in heads}):
        free = [(layer, h) for h in range(count) if (layer, h) not in heads]
        found += rng.sample(free, sum(place == layer for place, _ in heads))
    return found


def look_into_smollm2():
    """Return what is stored: scores on one half of the texts, cuts on the other."""
    model, draw, rng = SmolLM2(), torch.Generator().manual_seed(0), random.Random(0)
    pool, halves = model.whole_words(), []
    for _ in range(2):
        rows = [pool[torch.randperm(len(pool), generator=draw)] for _ in range(TEXTS)]
        once = torch.stack([row[:WORDS] for row in rows])
        start = torch.full((TEXTS, 1), model.index[START])
        halves.append(torch.cat([start, once, once], dim=1))
    whole, weights = costs_of(model, halves[0])
    induction, before = (mean_weights(weights, back) for back in (WORDS - 1, 1))
    sinks = torch.stack([W[:, :, 1:, 0].mean(dim=(0, 2)) for W in weights])
    cut = best(induction, CUT)
    package = pretrained.PACKAGES[PACKAGE]
    result = {
        "package": f"{PACKAGE} {package.version}",
        "file": FILE,
        "licence": package.licence,
        "texts": [TEXTS, WORDS],
        "chosen on": whole,
        "induction": rounded(induction),
        "word before": rounded(before),
        "first word": rounded(sinks),
        "cut": cut,
        "whole": costs_of(model, halves[1])[0],
        "without them": costs_of(model, halves[1], cut)[0],
        "one by one": [],
        "controls": [],
        "without words before": [],
    }
    ranked = best(induction, 12)
    for count in (1, 2, 4, 6, 8, 12):
        costs, _ = costs_of(model, halves[1], ranked[:count])
        result["one by one"].append({"heads": count} | costs)
    for _ in range(CONTROLS):
        heads = others(cut, model.heads, rng)
        costs, _ = costs_of(model, halves[1], heads)
        result["controls"].append({"heads": heads} | costs)
    looks_back = best(before, CUT)
    for heads in (looks_back, others(looks_back, model.heads, rng)):
        costs, _ = costs_of(model, halves[1], heads)
        result["without words before"].append({"heads": heads} | costs)
    numbers = model.numbers(SENTENCE)
    _, weights = model(numbers[None])
    words = [model.words[n].replace("Ġ", "") for n in numbers]
    result["sentence"] = {"words": words, "heads": []}
    for name, scores in [("induction", induction), ("first word", sinks)]:
        ((layer, head),) = best(scores, 1)
        shown = rounded(weights[layer][0, head])
        entry = {"kind": name, "head": [layer, head], "weights": shown}
        result["sentence"]["heads"].append(entry)
    return result | MACHINE


def rounded(scores):
    return [[round(number, 3) for number in row] for row in scores.tolist()]


def smollm2():
    if SMOLLM2.exists():
        return
    try:
        result = look_into_smollm2()
    except FileNotFoundError as error:
        print(f"no real model: {error}")
        return
    text = json.dumps(result, ensure_ascii=False, indent=None)
    SMOLLM2.write_text(text.replace(', "', ',\n"') + "\n", encoding="utf-8")


PARTS = {
    "induction": lambda: run_missing(INDUCTION, induction_plan(), watch_induction),
    "cache": lambda: run_missing(CACHE, cache_plan(), time_cache),
    "smollm2": smollm2,
}


def main():
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - set(PARTS):
        sys.exit(f"{', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    for name in names:
        PARTS[name]()


if __name__ == "__main__":
    main()
