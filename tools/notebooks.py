"""Execute notebooks in place and bring them to one normal form.

    python -m tools.notebooks run NOTEBOOK ... | all     execute, then normalise
    python -m tools.notebooks normalise [NOTEBOOK ...]   normalise only

`run` takes `all` for every notebook of book/, chapters/ and solutions/: some minutes.
`normalise` without names means all, too. A normal notebook has speaking cell ids,
counts 1…n, no times, no paths of a machine, sorted keys, and folds in JupyterLab what
the page folds: the same run gives the same bytes. A notebook that fails is left as it
was, and so is one whose data is not on this machine.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from pathlib import Path

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from attend import microscope

ROOT = Path(__file__).parents[1]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_KEYS = {"mystnb", "nbgrader", "tags"}
FOLDED = {"source_hidden": True}  # JupyterLab's word for the page's hide-input
ABSENT = "not here: "  # what a cell prints then, with the command that fetches the data
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4,12})*|cell-\d+|.*[^a-z0-9-].*")


class ThisPython(KernelSpecManager):
    """Start kernels with the Python that runs us, whatever kernels are registered."""

    def get_kernel_spec(self, kernel_name):
        quiet = {"extra_arguments": ["--log-level=ERROR"]}
        return KernelSpec(resource_dir="", **get_kernel_dict(**quiet))


def notebooks(*folders):
    """Return the notebooks below the folders of the repository, sorted."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*.ipynb"))
    return sorted(path for path in paths if ".ipynb_checkpoints" not in path.parts)


def read(path):
    """Return the notebook, or say in one line why it cannot be read."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        sys.exit(f"{path}: there is no such notebook")
    except Exception as error:  # nbformat raises many kinds
        sys.exit(f"{path}: not a notebook ({str(error).splitlines()[0]})")


def client(notebook, folder, **options):
    """Return an nbclient for the notebook whose kernel is this Python."""
    manager = KernelManager(kernel_spec_manager=ThisPython())
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(
        notebook, km=manager, resources=resources, record_timing=False, **options
    )


def execute(notebook, folder):
    """Run all code cells in a fresh kernel whose working directory is the folder."""
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar would be stored
    executor = client(notebook, folder, timeout=600)
    with executor.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                # as nbval does it: without history, a trailing ; hides nothing
                executor.execute_cell(cell, index, store_history=False)


def speaking_id(cell, taken):
    """Return the cell's id, or one made of its first words when it says nothing."""
    if RANDOM_ID.fullmatch(cell.id):
        words = re.findall(r"[a-z0-9]+", cell.source.lower())[:4]
        cell.id = "-".join(words)[:40].strip("-") or cell.cell_type
    name, number = cell.id, 2
    while name in taken:
        name, number = f"{cell.id}-{number}", number + 1
    return name


def normalise_output(output, count):
    """Drop what differs from run to run."""
    if "execution_count" in output:
        output["execution_count"] = count
    if output.output_type in {"display_data", "execute_result"}:
        output["metadata"] = {}
        output.pop("transient", None)
        if "text/html" in output.data:
            output.data["text/html"] = microscope.strip(output.data["text/html"])
    return output


def joined(outputs):
    """Join neighbouring texts of one stream, which a kernel may cut anywhere."""
    result = []
    for output in outputs:
        stream = output.get("name")
        if stream and result and result[-1].get("name") == stream:
            result[-1]["text"] += output["text"]
        else:
            result.append(output)
    return result


def normalise(notebook):
    """Bring the notebook to its normal form, in place, and return it."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken, count = set(), 0
    for cell in notebook.cells:
        cell.id = speaking_id(cell, taken)
        taken.add(cell.id)
        for key in set(cell.metadata) - CELL_KEYS:
            del cell.metadata[key]
        if "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = dict(FOLDED)
        cell.source = "\n".join(line.rstrip() for line in cell.source.splitlines())
        if cell.cell_type == "code":
            if cell.execution_count is not None:
                count += 1
                cell.execution_count = count
            outputs = [normalise_output(output, count) for output in cell.outputs]
            cell.outputs = joined(outputs)
    return notebook


def text(notebook):
    """Return the bytes of the normal form as text."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def fingerprint(notebook):
    """Return a hash of the cells' texts and outputs."""
    cells = []
    for cell in notebook.cells:  # written and read, an output's keys change places
        outputs = json.dumps(cell.get("outputs", []), sort_keys=True)
        cells.append((cell.source, outputs))
    return hashlib.sha256(repr(cells).encode()).hexdigest()[:16]


def touched(folder):
    """Return the derived notebooks in which somebody has run or written something."""
    books = {path: read(path) for path in sorted(folder.rglob("*.ipynb"))}
    return [
        str(path)
        for path, book in books.items()
        if book.metadata.get("fingerprint") != fingerprint(book)
        and ".ipynb_checkpoints" not in path.parts
    ]


def machine_paths(content):
    """Return the paths of this machine that the text holds."""
    places = {str(ROOT), str(Path.home())} - {"/"}
    return sorted(place for place in places if f"{place}{os.sep}" in content)


def write(path, notebook):
    """Write the notebook so that an interruption leaves the old one whole."""
    content = text(notebook)
    if found := machine_paths(content):
        lines = [line for line in content.splitlines() if found[0] in line]
        sys.exit(f"{path} shows a path of this machine: {lines[0].strip()}")
    if path.read_text(encoding="utf-8") == content:
        return
    fresh = path.with_suffix(".ipynb.new")
    fresh.write_text(content, encoding="utf-8")
    fresh.replace(path)


def run(path):
    """Execute the notebook and write it back, or stop and name the failing cell."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    try:
        execute(notebook, path.parent)
    except CellExecutionError as error:
        sys.exit(f"{path} is left as it was; a cell failed:\n{error}")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1  # normalise counts on
            said = "".join(output.get("text", "") for output in cell.outputs)
            if said.startswith(ABSENT):  # other cells may show less, and not say so
                print(f"{path} is left as it was. What {cell.id} reads is {said}")
                return
    write(path, normalise(notebook))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.notebooks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=["run", "normalise"])
    parser.add_argument("notebook", nargs="*", type=Path)
    arguments = parser.parse_args()
    everything = notebooks("book", "chapters", "solutions")
    if arguments.action == "run" and not arguments.notebook:
        parser.error("name the notebooks to run, or all: make run NB=…, NB=all")
    if arguments.notebook == [Path("all")]:
        arguments.notebook = everything
    for path in arguments.notebook or everything:
        print(arguments.action, path, flush=True)
        if arguments.action == "run":
            run(path)
        else:
            write(path, normalise(read(path)))


if __name__ == "__main__":
    main()
