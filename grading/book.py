"""What of the book the grader knows: its folders, and what its notebooks import."""

from pathlib import Path

from grading.bridge import sandbox

ROOT = Path(__file__).parents[1]
TEMPORARY = "grading-"  # how the names of temporary folders begin
SHARED = ("attend",)  # packages that both sides of the bridge can import
NUMPY = "numpy.random", "attend.attention", "attend.check"  # a fork server has ready
TORCH = (*NUMPY, "attend.data.tasks", "attend.training")
TORCH += ("torch.fx.experimental.symbolic_shapes", "torch._dynamo")  # loaded late, slow


def library(folder):
    """Return the folder that learners' processes import from, made in another."""
    return sandbox.library(folder, [ROOT / name for name in SHARED])
