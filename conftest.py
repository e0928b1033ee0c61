"""What holds for every test: no trace of progress bars, help with a stale output.

And the order: what takes longest comes first, so that all workers end together.
"""

import difflib
import os
from itertools import islice

from nbval.plugin import IPyNbCell

os.environ["TQDM_DISABLE"] = "1"  # the notebooks' kernels inherit it
FIRST = (  # longest first; the others take less than half a minute each
    "tests/test_pdf.py",  # builds the book, which test_browser.py needs, too
    "chapters/13_reading_the_weights.ipynb",
    "tests/test_browser.py",
    "tests/test_downloads.py",
    "chapters/16_to_the_transformer.ipynb",
    "chapters/11_encoder_decoder.ipynb",
    "chapters/12_attention_in_the_decoder.ipynb",
    "tests/test_answers.py",
    "tests/redteam/test_redteam.py",
    "tests/test_grading_week.py",
    "tests/test_grading.py",
    "chapters/17_one_sequence.ipynb",
    "chapters/08_self_attention.ipynb",
    "tests/test_student.py",
    "tests/test_experiments.py",
)
SHOWN = 40, 200  # lines of a difference, characters of a line
failure = IPyNbCell.repr_failure


def pytest_collection_modifyitems(items):
    places = {path: place for place, path in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(FIRST)))


def format_output_compare(cell, kind, stored, new):
    """Show a difference as git does: the stored lines with -, the new ones with +."""
    texts = str(stored).splitlines(), str(new).splitlines()
    lines = islice(difflib.unified_diff(*texts, n=1, lineterm=""), 2, 2 + SHOWN[0])
    cell.comparison_traceback.append(f"{kind}: - is stored, + is new")
    cell.comparison_traceback += [line[: SHOWN[1]] for line in lines]


def repr_failure(cell, excinfo):
    path = cell.parent.path.relative_to(cell.config.rootpath).as_posix()
    remedy = f"make run NB={path}"
    if path.startswith("exercises/"):
        remedy = (
            f"make run NB={path.replace('exercises', 'solutions', 1)}, make exercises"
        )
    return f"{failure(cell, excinfo)}\nIf what is new is right: {remedy}"


IPyNbCell.format_output_compare = format_output_compare
IPyNbCell.repr_failure = repr_failure
