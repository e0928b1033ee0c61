"""House style for figures: the Chinese font, deterministic SVG, heat maps."""

import html
from difflib import SequenceMatcher
from importlib import resources

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib import pyplot as plt

FONT = "Attend Sans SC"
# One colour a role, in every figure of the book; safe for colour-blind readers
# (Okabe and Ito, 2008).
QUERY, KEY, VALUE = "#0072B2", "#D55E00", "#009E73"
NEUTRAL, HIGHLIGHT = "#6b7280", "#CC79A7"


def use_style():
    """Set the book's look for all figures that follow: call it once a notebook.

    Figures become SVG that is the same, byte for byte, on every run, so that a
    notebook's stored picture can be compared like text. Words become paths: a reader
    needs no font, and Chinese words show everywhere.
    """
    font = resources.files("attend") / "fonts" / "AttendSansSC.ttf"
    with resources.as_file(font) as path:
        font_manager.fontManager.addfont(path)
    matplotlib.rcParams.update(
        {
            "axes.grid": False,
            "axes.prop_cycle": matplotlib.cycler(
                color=[QUERY, KEY, VALUE, HIGHLIGHT, "#E69F00", "#56B4E9"]
            ),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.figsize": (6.4, 3.2),
            # Chinese first: a label that mixes Chinese and $math$ takes one family
            "font.family": [FONT, "DejaVu Sans"],
            "image.cmap": "viridis",
            "legend.frameon": False,
            "savefig.transparent": True,
            "svg.fonttype": "path",
            "svg.hashsalt": "attend",
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside Jupyter
        return
    set_matplotlib_formats("svg", metadata={"Date": None})


def heatmap(
    weights,
    queries,
    keys,
    ax=None,
    *,
    title=None,
    numbers=None,
    slanted=None,
    scale=(0, 1),
):
    """Draw weights (L, S): the L query words down, the S key words across.

    Every cell shows its number while there are at most 64 of them (`numbers` forces
    it on or off). Many or long key words are slanted, each beginning over its column
    (`slanted` forces that on or off). The colours run over `scale`, by default 0–1;
    None fits it to the data, for scores. Returns the Axes.
    Raises ValueError when the words do not fit the weights' shape.
    """
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (len(queries), len(keys)):
        raise ValueError(
            f"weights has shape {weights.shape}, but there are {len(queries)} query "
            f"words (rows) and {len(keys)} key words (columns)"
        )
    if ax is None:
        size = (1.6 + 0.55 * len(keys), 0.9 + 0.42 * len(queries))
        _, ax = plt.subplots(figsize=size)
    low, high = scale or (np.nanmin(weights), np.nanmax(weights))
    mesh = ax.pcolormesh(
        weights, vmin=low, vmax=high, edgecolors="white", linewidth=0.5
    )
    ax.invert_yaxis()
    if slanted is None:
        slanted = max(len(str(word)) for word in keys) * len(keys) > 40
    slant = {"rotation": 60, "rotation_mode": "anchor", "ha": "left"}
    look = {"va": "baseline"} | (slant if slanted else {})
    ax.set_xticks(np.arange(len(keys)) + 0.5, keys, **look)
    ax.set_yticks(np.arange(len(queries)) + 0.5, queries)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if numbers if numbers is not None else weights.size <= 64:
        for (row, column), weight in np.ndenumerate(weights):
            red, green, blue, _ = mesh.cmap(mesh.norm(weight))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            ax.text(
                column + 0.5,
                row + 0.5,
                f"{weight:.2f}".replace("-", "−"),
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize="small",
            )
    if title:
        ax.set_title(title)
    return ax


def sentence(words, gloss, wanted=None):
    """Return words as HTML, each with its gloss above it ("·" where it has none).

    Where they differ from the `wanted` words they are marked and in brackets, with "…"
    for what is missing.
    """
    parts, blocks = [], [("equal", 0, 0, 0, len(words))]
    if wanted is not None:
        blocks = SequenceMatcher(None, wanted, words, autojunk=False).get_opcodes()
    for kind, _, _, start, end in blocks:
        run = " ".join(
            f'<ruby>{html.escape(word)}<rt style="font-size: 0.75em">'
            f"{html.escape(gloss.get(word, '·'))}</rt></ruby>"
            for word in words[start:end]
        )
        parts.append(run if kind == "equal" else f"<mark>[{run or '…'}]</mark>")
    return f'<span lang="zh" style="line-height: 2.6">{" ".join(parts)}</span>'
