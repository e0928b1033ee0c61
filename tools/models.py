"""Train the translators of chapters 11 and 12 as these do, and store their weights.

    python -m tools.models

Later chapters go on with chapters/11_model.pt and chapters/12_model.pt, each the
state_dict of a model. A file that is there stays: remove it to train its model anew.
"""

from pathlib import Path

import torch

from attend import training
from attend.data import corpus
from attend.seq2seq import WithAttention, WithoutAttention

FOLDER = Path(__file__).parents[1] / "chapters"
MODELS = {"11_model.pt": WithoutAttention, "12_model.pt": WithAttention}


def untrained(name):
    """Return the model of a file, as its chapter begins with it."""
    torch.manual_seed(0)
    return MODELS[name](*map(len, corpus.vocabularies()))


def store(folder=FOLDER, **options):
    """Train what is not in the folder yet; the options are those of training.train."""
    for name in MODELS:
        if not (folder / name).exists():
            model = untrained(name)
            training.train(
                model, corpus.splits().train, corpus.vocabularies(), **options
            )
            torch.save(model.state_dict(), folder / name)


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in the chapters
    store()
