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
from nbconvert.exporters import Exporter

from grading.intake import HIDDEN, role

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
ATTRIBUTES = {"a": {"href"}} | dict.fromkeys(MATH, LOOK)
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
    """Render Markdown; only harmless elements are left, and no picture is loaded."""
    made = RENDER(text[:MOST])
    return nh3.clean(
        made, tags=TAGS | MATH, attributes=ATTRIBUTES, url_schemes={"https"}
    )


def block(text):
    more = "\n…" if len(text) > MOST else ""
    return f"<pre>{escape(text[:MOST] + more)}</pre>"


class Page(Exporter):
    """nbgrader's feedback, as a page that is safe to open."""

    file_extension = ".html"

    def from_notebook_node(self, nb, resources=None, **kw):
        notebook, resources = super().from_notebook_node(nb, resources, **kw)
        about = resources["nbgrader"]
        title = escape(about["notebook"])
        total = f"{about['score']:g} of {about['max_score']:g} points"
        parts = [f"<h1>{title}</h1><p class='score'>{total}</p>"]
        parts += [self.part(cell) for cell in notebook.cells]
        head = f"<meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>"
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        page = f"<!doctype html><html lang='en'><head>{policy}{head}</head>"
        return f"{page}<body>{''.join(parts)}</body></html>\n", resources

    def part(self, cell):
        kind, mark = role(cell), cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code":
            shown = block(cell.source.partition(HIDDEN)[0].rstrip())
            shown += "".join(self.output(output) for output in cell.outputs)
        else:
            shown = markdown(cell.source)
        if mark.get("grade"):
            shown = self.graded(shown, mark, kind)
        if mark.get("comment"):
            shown += f"<p><b>Comment</b></p>{markdown(mark['comment'])}"
        return f"<section>{shown}</section>\n"

    def graded(self, shown, mark, kind):
        score, points = mark.get("score") or 0, mark["points"]
        state = "full" if score >= points else "lost"
        label = f"{score:g} of {points:g} points"
        if kind == "answer":
            state, label = "open", f"{label} (given by a person, 0 until then)"
        return f"<div class='{state}'>{shown}<p class='score'>{label}</p></div>"

    def output(self, output):
        if output.output_type == "error":
            return block(f"{output.ename}: {output.evalue}")
        return block(output.text) if output.output_type == "stream" else ""
