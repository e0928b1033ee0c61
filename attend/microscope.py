"""The attention microscope: a figure in which a query walks through the three stages.

`Microscope(...)` as the last line of a cell shows it. What a notebook stores is HTML
that needs no script: a picture, a table and the numbers as JSON. In the book the page
brings the script (`attend/static` is copied there, once); in JupyterLab the running
figure carries it, between two marks, and `strip` takes it out of what is stored.
"""

import html
import json
import re
from importlib import resources

import numpy as np

STATIC = resources.files("attend") / "static"
SCRIPT = re.compile(r"<!-- script -->.*?<!-- /script -->", re.DOTALL)
WORDS = {  # what things are called in the figure; `words` replaces some
    "query": "query",
    "key": "word",
    "keys": "words",
    "scores": "scoring function",
    "context": "context for",
}


def numbers(name, array, shape):
    """Return the array as nested lists of rounded floats, or say what is wrong.

    Nine decimals: the same text on every processor. Raises ValueError when the shape
    is not the one expected or a number is not finite.
    """
    array = np.asarray(array, dtype=float)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}, of shape {shape}, must hold finite numbers only")
    return (array.round(9) + 0.0).tolist()  # no −0.0


def softmax(scores):
    """Return the weights of one row of scores, as chapter 3 does; −inf is allowed."""
    exps = np.exp(scores - scores.max())
    return exps / exps.sum()


class Microscope:
    """Queries, keys and values, with the scores of one or more functions.

    queries (L words), keys (S words), features (Ev words), values (S, Ev);
    scores: {name of a function: (L, S)}, or of a training step with `slider=True`;
    values may also be {the same names: (S, Ev)}, where training changes them, too;
    masks: {name: allowed (L, S) bool, True = may look}; query, shown: the numbers
    of those shown first; words: other names for what is shown, as in WORDS; hover: a
    mouse over a query is enough. Raises ValueError when shapes do not fit.
    """

    def __init__(
        self,
        queries,
        keys,
        features,
        values,
        scores,
        *,
        masks=None,
        query=0,
        shown=0,
        words=None,
        slider=False,
        hover=False,
        caption="",
    ):
        L, S, Ev = len(queries), len(keys), len(features)
        if not 0 <= query < L:
            raise ValueError(f"query is {query}: expected 0 to {L - 1}")
        if not scores:
            raise ValueError("scores is empty: expected {name: scores (L, S)}")
        if not 0 <= shown < len(scores):
            raise ValueError(f"shown is {shown}: expected 0 to {len(scores) - 1}")
        several = isinstance(values, dict)
        if several and list(values) != list(scores):
            raise ValueError(f"values has {list(values)}: expected {list(scores)}")
        if unknown := set(words or {}) - set(WORDS):
            raise ValueError(f"words has {sorted(unknown)}: expected {sorted(WORDS)}")
        choices = [{"name": "none"}]
        for name, allowed in (masks or {}).items():
            allowed = np.asarray(allowed)
            if allowed.dtype != bool or allowed.shape != (L, S):
                given = f"shape {allowed.shape}, dtype {allowed.dtype}"
                raise ValueError(f"mask {name!r} has {given}: expected {(L, S)} bool")
            choices.append({"name": name, "allowed": allowed.tolist()})
        functions = [
            {"name": name, "scores": numbers(f"scores of {name}", e, (L, S))}
            for name, e in scores.items()
        ]
        for one in functions if several else ():
            name = one["name"]
            one["values"] = numbers(f"values of {name}", values[name], (S, Ev))
        self.caption = caption
        self.data = {
            "queries": list(map(str, queries)),
            "keys": list(map(str, keys)),
            "features": list(map(str, features)),
            "values": functions[shown]["values"]
            if several
            else numbers("values", values, (S, Ev)),
            "functions": functions,
            "masks": choices,
            "query": query,
            "slider": slider,
            "hover": hover,
            "words": WORDS | (words or {}),
        }
        if shown:
            self.data["shown"] = shown

    def __repr__(self):
        L, S = len(self.data["queries"]), len(self.data["keys"])
        names = ", ".join(one["name"] for one in self.data["functions"])
        return f"Microscope: {L} queries, {S} keys, {names}"

    def _repr_html_(self):
        """Return the figure with its script, for JupyterLab; see `strip`."""
        style = (STATIC / "microscope.css").read_text(encoding="utf-8")
        script = (STATIC / "microscope.js").read_text(encoding="utf-8")
        carried = f"<style>\n{style}</style>\n<script>\n{script}</script>"
        return f"{self.figure()}\n<!-- script -->\n{carried}\n<!-- /script -->"

    def figure(self):
        """Return the figure alone: what a page of the book holds."""
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        data = data.replace("<", "\\u003c")  # so that no word can end the script
        caption = f"<figcaption>{self.caption}</figcaption>\n" if self.caption else ""
        return (
            '<figure class="microscope">\n'
            f'<script type="application/json" class="data">{data}</script>\n'
            f'<div class="still">\n{self.picture()}\n{self.table()}\n</div>\n'
            f"{caption}</figure>"
        )

    def shown_first(self):
        """Return what is shown first: {"name": …, "scores": (L, S), …}."""
        return self.data["functions"][self.data.get("shown", 0)]

    def rows(self):
        """Return the weights (L, S) and contexts (L, Ev) of what is shown first."""
        scores = np.array(self.shown_first()["scores"])
        weights = np.stack([softmax(row) for row in scores])
        return weights, weights @ np.array(self.data["values"])

    def table(self):
        """Return the weights and contexts of all queries as an HTML table."""
        keys, features = self.data["keys"], self.data["features"]
        weights, contexts = self.rows()
        heads = ["query", *keys, *features]
        head = "".join(f'<th scope="col">{html.escape(word)}</th>' for word in heads)
        body = []
        for word, row, context in zip(
            self.data["queries"], weights, contexts, strict=True
        ):
            cells = "".join(f"<td>{number(x)}</td>" for x in [*row, *context])
            body.append(f'<tr><th scope="row">{html.escape(word)}</th>{cells}</tr>')
        groups = (
            f'<tr><td></td><th colspan="{len(keys)}" scope="colgroup">weights</th>'
            f'<th colspan="{len(features)}" scope="colgroup">context</th></tr>'
        )
        return (
            '<div class="scroll" tabindex="0" role="group" '
            'aria-label="The numbers as a table">\n'
            f"<table>\n<thead>{groups}\n<tr>{head}</tr></thead>\n"
            f"<tbody>{''.join(body)}</tbody>\n</table>\n</div>"
        )

    def picture(self):
        """Return an SVG of the first query shown: scores, weights, context as bars."""
        data, i = self.data, self.data["query"]
        scores = self.shown_first()["scores"][i]
        weights, contexts = self.rows()
        values = np.array(data["values"])
        names = {key: html.escape(key) for key in [*data["keys"], *data["features"]]}
        top, step = 46, 26
        height = top + step * max(len(data["keys"]), len(data["features"]))
        drawn = []

        def text(x, y, words, anchor="start", weight="normal"):
            style = f'text-anchor="{anchor}" font-weight="{weight}"'
            drawn.append(f'<text x="{x:.4g}" y="{y}" {style}>{words}</text>')

        def bar(x, y, length, colour):
            x, length = (x, length) if length >= 0 else (x + length, -length)
            place = f'x="{x:.4g}" y="{y - 12}" width="{length:.4g}"'
            drawn.append(f'<rect {place} height="15" class="{colour}"/>')

        query = html.escape(data["queries"][i])
        text(70, 20, "1. scores", weight="bold")
        text(290, 20, "2. weights", weight="bold")
        text(
            450,
            20,
            f"3. {html.escape(data['words']['context'])} {query}",
            "start",
            "bold",
        )
        low, high = min(0, *scores), max(0, *scores, 1e-9)
        unit = 130 / (high - low)
        zero = 75 - low * unit
        for j, key in enumerate(data["keys"]):
            y = top + step * j + 8
            text(62, y, names[key], "end")
            bar(zero, y, scores[j] * unit, "bar-score")
            text(252, y, number(scores[j]), "end")
            bar(290, y, weights[i, j] * 90, f"key-{j % 6}")
            text(418, y, number(weights[i, j]), "end")
        drawn.append(f'<line x1="{zero:.4g}" x2="{zero:.4g}" y1="34" y2="{height}"/>')
        least, most = min(0, values.min()), max(0, values.max(), 1e-9)
        unit = 95 / (most - least)
        for n, feature in enumerate(data["features"]):
            y = top + step * n + 8
            text(506, y, names[feature], "end")
            ends = {True: 512 - least * unit, False: 512 - least * unit}
            for j, part in enumerate(weights[i] * values[:, n] * unit):
                bar(ends[part >= 0], y, part, f"key-{j % 6}")
                ends[part >= 0] += part
            text(652, y, number(contexts[i, n]), "end")
        pairs = ", ".join(
            f"{key} {number(e)} and {number(a)}"
            for key, e, a in zip(data["keys"], scores, weights[i], strict=True)
        )
        sums = ", ".join(
            f"{feature} {number(c)}"
            for feature, c in zip(data["features"], contexts[i], strict=True)
        )
        alt = f"Bars of scores and weights for {query}: {html.escape(pairs)}. "
        return (
            f'<svg viewBox="0 0 660 {height + 6}" width="660" role="img" '
            f'aria-label="{alt}Context: {html.escape(sums)}.">\n'
            + "\n".join(drawn)
            + "\n</svg>"
        )


def number(x):
    """Return the number with two decimals and a true minus sign."""
    return f"{x + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")


def strip(content):
    """Take the script out of a figure's HTML: it is shipped once, with the book."""
    return SCRIPT.sub("", content).rstrip("\n")
