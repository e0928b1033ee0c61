"""The files of stored runs that chapters read, for a notebook that stands alone.

In the repository they lie beside the chapters; the built package holds them as
`attend.runs`.
"""

from importlib import resources
from pathlib import Path


def bring(*names):
    """Put the named files beside the notebook; those that are there stay as they are.

    Raises FileNotFoundError for a file that this edition of the package does not have.
    """
    for name in names:
        if not Path(name).exists():
            Path(name).write_bytes(stored(name).read_bytes())


def stored(name):
    try:
        return resources.files("attend.runs") / name
    except ModuleNotFoundError:  # the repository's own package
        return resources.files("attend").joinpath("..", "chapters", name)
