"""The feedback page: what was asked, answered and found wrong; inert and small.

No script, no style of a learner's, nothing from elsewhere: Markdown goes through a
sanitiser, all else is escaped, and the page forbids the browser to load anything.
A hidden test's text is never shown.
"""

import contextlib
import functools
from html import escape
from xml.etree import ElementTree

import mistune
import nh3
from latex2mathml.converter import convert

from grading.intake import visible

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
pre { background: #f5f5f5; padding: .6rem; overflow-x: auto; white-space: pre-wrap }
.score { font-weight: bold }
.lost { border-left: 4px solid #b3261e; padding-left: .8rem }
.full { border-left: 4px solid #2e7d32; padding-left: .8rem }
.open { border-left: 4px solid #8a6d00; padding-left: .8rem }
math[display=block] { margin: 1rem 0 }
mtd { padding: .2em .1em }
[columnalign=right] { text-align: right; text-align: -webkit-right }
[columnalign=left] { text-align: left; text-align: -webkit-left }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 }
  pre { background: #262626 } a { color: #9cf } }
"""
TAGS = (
    "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre s strong sub sup"
)
TAGS = {*TAGS.split(), "table", "tbody", "td", "th", "thead", "tr", "ul"}
MATH = "math mfrac mi mn mo mover mroot mrow mspace msqrt mstyle msub msubsup msup"
MATH = {*MATH.split(), "mtable", "mtd", "mtext", "mtr", "munder", "munderover"}
LOOK = "alttext columnalign display displaystyle fence form linethickness mathvariant"
LOOK = {*LOOK.split(), "maxsize", "minsize", "scriptlevel", "stretchy", "width"}
MOST = 20_000  # characters of one cell on the page
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}} | dict.fromkeys(MATH, LOOK)
LONGEST = 1_000  # characters of one formula


@functools.lru_cache(1000)
def formula(tex, display):
    """Turn TeX into MathML; what is too long or gives anything else stays as it is."""
    known = tex.replace("{aligned}", "{split}").replace("{gathered}", "{matrix}")
    with contextlib.suppress(Exception):  # the converter's errors share no class
        made = convert(known, display=display) if len(tex) <= LONGEST else ""
        parts = ElementTree.fromstring(made).iter()
        if {part.tag.partition("}")[2] for part in parts} <= MATH:
            return made.replace("<math", f'<math alttext="{escape(tex)}"', 1)
    return f"<code>{escape(tex)}</code>"


RENDER = mistune.create_markdown(
    escape=False, plugins=["strikethrough", "table", "math"]
)
RENDER.renderer.register("inline_math", lambda _, tex: formula(tex, "inline"))
RENDER.renderer.register("block_math", lambda _, tex: formula(tex, "block"))


def markdown(text):
    """Render Markdown; only harmless elements are left, and no picture is loaded.

    A link within the book or the notebook is text: from the page it leads nowhere.
    """
    return nh3.clean(
        RENDER(text[:MOST]),
        tags=TAGS | MATH,
        attributes=ATTRIBUTES,
        attribute_filter=outward,
        url_schemes={"http", "https"},
    )


def outward(_, attribute, value):
    """Keep all attributes but links that lead nowhere from the page."""
    inward = attribute == "href" and not value.startswith(("http://", "https://"))
    return None if inward else value


def block(text):
    more = "\n…" if len(text) > MOST else ""
    return f"<pre>{escape(text[:MOST] + more)}</pre>"


def page(title, notebook, scores, comments=None):
    """Return the page of a graded notebook, safe to open.

    The notebook's metadata may have "told": whose it is, and what else to say first.
    scores: {grade_id: points, None before a person gives some};
    comments: {grade_id: Markdown}.
    """
    marks = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    most = sum(x["points"] for x in marks if x.get("grade_id") in scores)
    total = f"{sum(x or 0 for x in scores.values()):g} of {most:g} points"
    told = "<br>".join(map(escape, notebook.metadata.get("told", ())))
    parts = [f"<h1>{escape(title)}</h1><p>{told}</p><p class='score'>{total}</p>"]
    cells = [cell for cell in notebook.cells if not cell.metadata.get("rubric")]
    parts += [part(cell, scores, comments or {}) for cell in cells]
    head = f"<meta charset='utf-8'><title>{escape(title)}</title>"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    head = f"<head>{policy}{head}<style>{STYLE}</style></head>"
    made = f"<!doctype html><html lang='en'>{head}<body>{''.join(parts)}</body></html>"
    return made + "\n"


def part(cell, scores, comments):
    """Return a cell of the page."""
    mark = cell.metadata.get("nbgrader", {})
    name = mark.get("grade_id")
    if cell.cell_type == "code":
        shown = block(visible(cell.source).rstrip())
        shown += "".join(map(printed, cell.outputs))
    else:
        shown = markdown(visible(cell.source))
    if name in scores:
        score, points = scores[name] or 0, mark["points"]
        state = "full" if score >= points else "lost"
        label = f"{score:g} of {points:g} points"
        if scores[name] is None:
            state, label = "open", f"{label} until then: a person must read this"
        shown = f"<div class='{state}'>{shown}<p class='score'>{label}</p></div>"
    if comments.get(name):
        shown += f"<p><b>Comment</b></p>{markdown(comments[name])}"
    return f"<section>{shown}</section>\n"


def printed(output):
    """Return an output, if it is text that a cell printed or an error."""
    if output.output_type == "error":
        return block(f"{output.ename}: {output.evalue}")
    return block(output.text) if output.output_type == "stream" else ""
