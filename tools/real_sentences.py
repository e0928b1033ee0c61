"""Store how models translate sentences of LibreOffice's help, for chapter 14.

    python -m tools.real_sentences

It trains the two models of the experiment's part `real` again, seed 0, at the rates
that were chosen there (two minutes each), and writes chapters/14_real_sentences.json,
unless that is there: where the one looks, and which faults both make. It wants `make
real-data` first, and waits without it.
"""

import json
from collections import Counter
from pathlib import Path

from attend import training
from attend.data import corpus
from tools import experiments, tables

STORED = Path(__file__).parents[1] / "chapters" / "14_real_sentences.json"
SHOWN = "select the subscript option and click ok .", "to show or hide text ."


def copied(model, pairs, vocabularies):
    """Measure how often the model finds a word that the target takes over unchanged.

    Such words are names and numbers, "Calc" or "42"; their case may differ. Returns how
    many there are, how many of them have their largest weight on the same word, and how
    many would by chance.
    """
    count = found = chance = 0
    for place, _, weights in training.forced(model, pairs, vocabularies, unknown=True):
        source, target = pairs[place][:2]
        for word, row in zip(target, weights, strict=False):  # the last row is EOS
            same = [j for j, other in enumerate(source) if other == word.lower()]
            if same and word[0].isalnum():
                count += 1
                found += int(row.argmax()) in same
                chance += len(same) / len(source)
    return {"words": count, "found": found, "by_chance": round(chance, 1)}


def says_twice(words, longest=10):
    """Tell whether some run of 2 to `longest` words comes twice without a break."""
    return any(
        tuple(words[i : i + n]) == tuple(words[i + n : i + 2 * n])
        for n in range(2, longest + 1)
        for i in range(len(words) - 2 * n + 1)
    )


def faults(found):
    """Count the translations, those that say something twice, and all their words."""
    twice, words = sum(map(says_twice, found)), sum(map(len, found))
    return {"translations": len(found), "twice": twice, "words": words}


def sentences(model, splits, vocabularies):
    """Return the SHOWN sentences: the model's translation, its weights in percent.

    A row of weights belongs to a word of the translation, EOS left out; `seen` is how
    often the training has each word of the source. Raises ValueError naming a sentence
    that is not in the test set.
    """
    seen = Counter(word for pair in splits.train for word in pair.source)
    by_source, stored = {" ".join(pair.source): pair for pair in splits.test}, []
    for text in SHOWN:
        if text not in by_source:
            raise ValueError(f"no test sentence {text!r}: other packages, other splits")
        pair = by_source[text]
        options = {"vocabularies": vocabularies, "unknown": True}
        (found,) = training.translate(model, [pair.source], **options)
        wrote = corpus.Pair(pair.source, found)
        weights = next(training.forced(model, [wrote], vocabularies, unknown=True))[2]
        stored.append(
            {"source": pair.source, "reference": pair.target, "translation": found}
            | {"weights": (100 * weights[:-1]).round().int().tolist()}
            | {"seen": [seen[word] for word in pair.source]}
        )
    return stored


def main():
    if STORED.exists() or not experiments.have_real_text():
        return
    lines = tables.load(experiments.table())
    runs = [run for run in experiments.plan(["real"], lines) if run.seed == 0]
    models = {run.model: experiments.build(run) for run in runs}
    for run in runs:
        experiments.train(run, models[run.model])
    splits = experiments.data(name="libreoffice")
    vocabularies = experiments.vocabularies_of("libreoffice")
    result = {
        "text": "LibreOffice's help, MPL-2.0",
        "copied": copied(models["with"], splits.test, vocabularies),
        "sentences": sentences(models["with"], splits, vocabularies),
        "faults": {"reference": faults([pair.target for pair in splits.test])},
    }
    options = {"vocabularies": vocabularies, "unknown": True}
    for kind, model in models.items():
        found = training.translate(model, [p.source for p in splits.test], **options)
        result["faults"][kind] = faults(found)
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    STORED.write_text(text.replace("{", "\n{").strip() + "\n", encoding="utf-8")
    print(f"{STORED.name}: {result['copied']}, {result['faults']}")


if __name__ == "__main__":
    main()
