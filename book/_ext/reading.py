"""What the book adds to its pages: questions, reading time, previews, tables, speed.

- Chapters: the questions of `book/quizzes/<stem>.yml` stand before "Exercises", or
  where there is no such section before "You can now".
- What a *Predict* question asks for is covered until the reader opens it.
- Chapters and solutions: an estimated reading time below the title, and the closer
  look's at its own head; folded cells that stand together are one.
- Outputs that differ from machine to machine say so.
- One's way: from chapter to chapter, with exercises and solutions beside it; main path
  and closer look each list the glossary's terms that they build.
- `{from-notebook} path cell-id` shows the HTML output of a notebook's cell elsewhere.
- A wide figure pans on a phone; a heat map with numbers is followed by its table.
- In the dark a figure's words and lines are light; its heat maps keep their colours.
- Search cuts Chinese into characters and pairs of them; its excerpts hold no TeX; what
  no page has it takes for the nearest word that one has.
- Every page: the glossary's entries as previews; Chinese in a font of the book's own;
  no script, style or icon that no page uses, the formulas' script only where one is,
  and a picture only when it comes near the screen. Before the first words are painted
  there is one style sheet to fetch, and no script.
"""

import gc
import hashlib
import html
import json
import logging
import re
import sys
import zlib
from collections import Counter
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from fontTools import subset
from fontTools.ttLib import TTFont
from lxml import etree
from lxml import html as parser
from sphinx.search import languages
from sphinx.search.en import SearchEnglish
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
logging.getLogger("fontTools").setLevel("WARNING")  # 71 lines of a build
sys.path.append(str(HERE.parents[1]))  # the repository

from tools import downloads  # noqa: E402

# extensions that no page uses
UNUSED = ("thebe", "design-tabs", "sphinx-design", "togglebutton", "togglehint")
UNUSED += ("toggleopenonprint", "documentation_options.pagename")
CHINESE_FONT = """
<script>// used only once it is there: Chromium may keep the boxes of a font on its way
new FontFace("Chinese", "url({})", {{ unicodeRange: "U+2E80-9FFF, U+FF00-FFEF" }})
  .load()
  .then((font) => document.fonts.add(font));
</script>
"""
CHINESE = re.compile("[\u2e80-\u9fff\uff00-\uffef]")
FONT = HERE.parents[1] / "attend" / "fonts" / "AttendSansSC.ttf"
SVG = "{http://www.w3.org/2000/svg}"
FORMULAS = '<script defer src="{}" data-mathjax="{}"></script>'
SET = "_static/formulas.js"
DARK = {  # a figure's colours by day, and by night
    "#000000": "#d7dde4",
    "#ffffff": "#121212",  # the page's own ground
    "#6b7280": "#9aa4b2",
    "#0072b2": "#4aa3df",
    "#d55e00": "#f0843f",
    "#009e73": "#27bd90",
    "#cc79a7": "#dd9dc1",
    "#e69f00": "#eeb23f",
    "#56b4e9": "#93d3f7",
}
BESIDE = ("exercises", "solutions")  # the way leads past them
TAUGHT = re.compile(  # in the glossary: a term, its Chinese, the chapter that builds it
    r"^(\S.*)\n  \*\*(.+?)\*\* · .*?\]\(\.\./(chapters/\w+)\.ipynb\)", re.MULTILINE
)
VARIES = (
    '<p class="varies">Differs from machine to machine: '
    '<a href="{}#sec-what-differs">what is tested</a></p>'
)
TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)
OFF_MAP = ":not(.map, .map *)"
BASE = re.compile(  # most of the code's words, in its base colour without a span, too
    r'<span class="[npw]">([^<]*)</span>'
)
WORDS = re.compile("[\u4e00-\u9fff]{3,}|[^\\W\\d_\u2e80-\u9fff]{4,}")
FORMULA = re.compile(  # in a line, with what must not stand on another line
    r'[(“‘]*<span class="math notranslate nohighlight">[^<]*</span>[.,;:!?)’”…]+'
)
FOLD = re.compile(  # no <p> may stand in a <summary>
    r'<p class="(collapsed|expanded) admonition-title">(.*?)</p>'
)
SHEETS = ("basic.css", "styles/pydata-sphinx-theme.css", "pygments.css")  # as they come
SHEETS += ("styles/sphinx-book-theme.css", "copybutton.css", "mystnb.*.css")
SHEETS += ("book.css", "microscope.css")
STYLE = "styles/all.css"
LINK = re.compile(
    r'\s*<link [^>]*href="([^"]*_static/)(?:styles/)?(?:theme|all|basic|pygments|book|'
    r"pydata-sphinx-theme|sphinx-book-theme|copybutton|mystnb\.\w+|microscope)\.css[^>]*>"
)
WAKE = "<script>globalThis.attendMicroscope?.wakeAll()</script>"  # before it is painted
WIDE = "330pt"  # a wider figure has words too small for a phone when it shrinks
PAN = (
    '<div class="pan" style="--width: {}px" tabindex="0" role="group" '
    'aria-label="The figure; on a small screen it scrolls sideways">'
)


# ------------------------------------------------------------------ check yourself
def add_questions(app, docname, source):
    """Put the questions into a chapter's text: what can you do, and can you?"""
    folder, _, stem = docname.partition("/")
    if folder != "chapters" or not downloads.questions(stem):
        return
    notebook = nbformat.reads(source[0], as_version=4)
    text = f"## Check yourself\n\n```{{check-yourself}} {stem}\n```\n\n"
    downloads.insert_questions(notebook, text)
    source[0] = nbformat.writes(notebook)


def rename_solutions(app, docname, source):
    """Call a page of solutions by its name: its notebook is titled as the exercises."""
    if docname.startswith("solutions/"):
        source[0] = source[0].replace("# Exercises to", "# Solutions to", 1)


def join_folded(app, docname, source):
    """Make one of two folded cells that stand together: one bar opens both."""
    if not docname.startswith(("chapters/", "solutions/")):
        return
    notebook = nbformat.reads(source[0], as_version=4)
    kept = []
    for cell in notebook.cells:
        if kept and is_folded(cell) and is_folded(kept[-1]) and not kept[-1].outputs:
            cell.source = f"{kept.pop().source}\n\n\n{cell.source}"
        kept.append(cell)
    notebook.cells = kept
    source[0] = nbformat.writes(notebook)


def is_folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def number_by_chapter(app, env):
    """Count figures and equations anew in each chapter: Fig. 4.2.

    The environment is stored by now, with the numbers that the next build expects.
    """
    for docname, kinds in env.toc_fignumbers.items():
        for kind, labels in kinds.items():
            kinds[kind] = {
                label: downloads.counted(docname, n)
                for n, label in enumerate(labels, 1)
            }


class CheckYourself(SphinxDirective):
    """The questions of one chapter; every option unfolds to its explanation."""

    required_arguments = 1

    def run(self):
        stem = self.arguments[0]
        path = downloads.QUIZZES / f"{stem}.yml"
        self.env.note_dependency(str(path))
        made = [raw('<div class="quiz">')]
        for number, question in enumerate(downloads.questions(stem), 1):
            several = question.get("several", False)
            made.append(raw(f'<div class="question" data-several="{several}">'))
            more = " *(More than one is right.)*" if several else ""
            made += self.parsed(f"**{number}.** {question['question']}{more}", path)
            made.append(raw('<div class="options">'))
            for option in question["options"]:
                right = bool(option.get("right"))
                verdict = "Right." if right else "No."
                made.append(raw(f'<details data-right="{right}"><summary>'))
                for text in self.parsed(option["text"], path):  # no <p> may stand there
                    made.append(nodes.inline("", "", *text.children))
                made.append(raw("</summary>"))
                made += self.parsed(f"**{verdict}** {option['why']}", path)
                made.append(raw("</details>"))
            made.append(raw("</div></div>"))
        made.append(raw("</div>"))
        return made

    def parsed(self, text, path):
        """Return the nodes of a text, formulas and cross-references included."""
        box = nodes.Element()
        lines = StringList(text.strip().splitlines(), source=str(path))
        self.state.nested_parse(lines, 0, box)
        return box.children


def raw(text):
    return nodes.raw("", text, format="html")


class FromNotebook(SphinxDirective):
    """The HTML output of one cell of a notebook: path, cell id."""

    required_arguments = 2

    def run(self):
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(path))
        notebook = nbformat.read(path, as_version=4)
        (cell,) = (c for c in notebook.cells if c.id == self.arguments[1])
        return [raw(cell.outputs[0].data["text/html"])]


# ------------------------------------------------------------------ predict, then look
def cover_answers(app, doctree, docname):
    """Cover what comes out of the cells between a *Predict* and its **Answer**, too.

    Without a script the cover opens as well, and on paper it is open.
    """
    for answer in list(doctree.findall(nodes.paragraph)):
        place = answer.parent.index(answer)
        cells = []
        while place and is_cell(before := answer.parent[place - 1]):
            cells.insert(0, before)
            place -= 1
        asked = place and "Predict: " in answer.parent[place - 1].astext()
        if not (cells and asked and answer.astext().startswith("Answer:")):
            continue
        answer.parent.remove(answer)
        cells[-1].append(answer)
        for cell in cells:
            covered = [part for part in cell if part is answer or is_covered(part)]
            cell.children = [part for part in cell if part not in covered]
            if covered:
                names = ["the output"] if len(covered) > (cell is cells[-1]) else []
                names += ["the answer"] if cell is cells[-1] else []
                summary = f"Predict first, then open {' and '.join(names)}"
                start = f'<details class="covered"><summary>{summary}</summary>'
                cell.extend([raw(start), *covered, raw("</details>")])


def is_covered(part):
    """Whether it is an output; in a microscope one may look for the answer."""
    output = "cell_output" in part.get("classes", [])
    return output and 'class="microscope"' not in part.astext()


def is_cell(node):
    return "cell" in getattr(node, "attributes", {}).get("classes", [])


# ------------------------------------------------------------------ what varies
def mark_what_varies(app, doctree, docname):
    """Say below an output that another machine may give another, and what is tested."""
    for output in doctree.findall(nodes.container):
        cell = output.parent
        varies = "tag_nbval-ignore-output" in cell.get("classes", [])
        if varies and "cell_output" in output["classes"]:
            guide = app.builder.get_relative_uri(docname, "book/how_to_work")
            output.append(raw(VARIES.format(guide)))


# ------------------------------------------------------------------ one's way
def list_terms(app, doctree, docname):
    """Let a main path end with the chapter's terms, in English and Chinese.

    Those that only the closer look uses stand at the end of that.
    """
    glossary = Path(app.srcdir, "book", "glossary.md").read_text(encoding="utf-8")
    places = app.env.get_domain("std").objects
    sections = {s["ids"][0]: s for s in doctree.findall(nodes.section)}
    end, closer = sections.get("you-can-now"), sections.get("a-closer-look")
    main = doctree.astext().lower()
    for name in {"a-closer-look", "sources"} & set(sections):
        main = main.replace(sections[name].astext().lower(), "")
    lines = {True: nodes.paragraph(classes=["terms"])}
    lines[False] = nodes.paragraph(classes=["terms"]) if closer else lines[True]
    for term, chinese, chapter in TAUGHT.findall(glossary):
        if chapter != docname or ("term", term) not in places:
            continue
        page, anchor = places["term", term]
        uri = f"{app.builder.get_relative_uri(docname, page)}#{anchor}"
        line = lines[term.lower() in main]
        line += nodes.Text(", " if len(line) else "Terms: ")
        line += nodes.reference("", term, refuri=uri, internal=True)
        line += nodes.Text(f" {chinese}")
    for line, section in ((lines[True], end), (lines[False], closer)):
        if section and len(line):
            parts = [part for part in section if isinstance(part, nodes.section)]
            line += nodes.Text(".")
            (parts or [section])[-1].append(line)


def way(app):
    """Return the pages in the order of reading, without those beside the way."""
    relations, page, found = app.builder.relations, app.config.root_doc, []
    while page:
        if not page.startswith(BESIDE):
            found.append(page)
        page = relations[page][2]
    return found


def lead_on(app, pagename, context):
    """Lead *previous* and *next* along the way; from beside it, back to the chapter."""
    pages, stem = way(app), pagename.split("/")[-1]
    beside = pagename.startswith(BESIDE)
    here = f"chapters/{stem}" if beside else pagename
    if here not in pages:
        return
    place = pages.index(here)
    before = here if beside else pages[place - 1] if place else None
    after = pages[place + 1] if place + 1 < len(pages) else None
    for name, page in (("prev", before), ("next", after)):
        context[name] = page and {
            "link": app.builder.get_relative_uri(pagename, page),
            "title": app.builder.render_partial(app.env.titles[page])["title"],
        }


def companions(app, pagename):
    """Return {kind: address} of what belongs to a chapter, exercises or solutions."""
    kind, _, stem = pagename.partition("/")
    stem = stem.split("/")[-1]
    pages = {"chapters": f"chapters/{stem}"} | {k: f"{k}/{stem}/{stem}" for k in BESIDE}
    if pages.get(kind) != pagename:
        return {}
    return {
        other: app.builder.get_relative_uri(pagename, page)
        for other, page in pages.items()
        if other != kind and page in app.env.found_docs
    }


def link_companions(app, pagename, body):
    """Link a chapter, its exercises and its solutions, and each exercise's solution."""
    links = companions(app, pagename)
    named = {"chapters": "the chapter"}
    listed = [f'<a href="{uri}">{named.get(k, k)}</a>' for k, uri in links.items()]
    if listed:
        line = f'<p class="ways">See also {" and ".join(listed)}.</p>'
        body = body.replace("</h1>", f"</h1>\n{line}", 1)
    for kind in BESIDE:
        if kind in links and pagename.startswith(BESIDE):
            link = rf'<a href="{links[kind]}#\2">The {kind[:-1]}</a>'
            heading = r'(<section id="(exercise-\d[^"]*)">.*?</h2>)'
            line = rf'\1\n<p class="ways">{link}</p>'
            body = re.sub(heading, line, body, flags=re.DOTALL)
    return body


# ------------------------------------------------------------------ heat maps as tables
def comments(group):
    """Return the words that matplotlib drew as paths and wrote down in comments."""
    found = [node.text.strip() for node in group.iter() if node.tag is etree.Comment]
    return html.unescape(" ".join(found))


def groups(tree, start):
    return [g for g in tree.iter(f"{SVG}g") if g.get("id", "").startswith(start)]


def heat_maps(svg):
    """Return [(title, key words, query words, numbers)] of a figure's heat maps."""
    found = []
    for axes in groups(etree.parse(svg), "axes_"):
        if not groups(axes, "QuadMesh_"):
            continue
        columns = [comments(tick) for tick in groups(axes, "xtick_")]
        rows = [comments(tick) for tick in groups(axes, "ytick_")]
        words = [comments(g) for g in groups(axes, "text_") if not on_an_axis(g)]
        count = len(rows) * len(columns)
        numbers, rest = words[:count], words[count:]
        if count and len(numbers) == count and all(map(is_number, numbers)):
            found.append((" ".join(rest), columns, rows, numbers))
    return found


def on_an_axis(group):
    return any("axis" in parent.get("id", "") for parent in group.iterancestors())


def is_number(word):
    return re.fullmatch(r"[−-]?(\d+(\.\d+)?|inf|∞)", word)


def table(title, columns, rows, numbers):
    """Return a heat map as an HTML table."""
    head = "".join(f'<th scope="col">{html.escape(word)}</th>' for word in columns)
    lines = []
    for place, word in enumerate(rows):
        cells = numbers[place * len(columns) : (place + 1) * len(columns)]
        data = "".join(f"<td>{html.escape(number)}</td>" for number in cells)
        lines.append(f'<tr><th scope="row">{html.escape(word)}</th>{data}</tr>')
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    return (
        f"<table>{caption}<thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def pixels(size):
    """Return a size in CSS pixels; 72 points are 96 of them."""
    return float(size.rstrip("ptx")) * (4 / 3 if size.endswith("pt") else 1)


def help_figures(app, doctree, docname):
    """Give figures their place before they are loaded, and heat maps their table.

    A wide figure pans on a phone.
    """
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir, image["uri"])
        if path.suffix != ".svg" or not path.exists():
            continue
        svg = etree.parse(path).getroot()
        for side in ("width", "height"):
            image[side] = str(round(pixels(svg.get(side))))
        figure = image.parent
        if isinstance(figure, nodes.figure):
            if int(image["width"]) > pixels(WIDE):
                place = figure.index(image)
                figure.insert(place + 1, raw("</div>"))
                figure.insert(place, raw(PAN.format(image["width"])))
            if maps := heat_maps(path):
                tables = "".join(table(*one) for one in maps)
                summary = "<summary>The numbers as a table</summary>"
                text = (
                    f'<details class="numbers">{summary}<div>{tables}</div></details>'
                )
                figure.parent.insert(figure.parent.index(figure) + 1, raw(text))


# ------------------------------------------------------------------ figures in the dark
def lies_on_a_map(group, box):
    """Whether a part of a heat map's axes is drawn on its cells, in view of theirs."""
    name = group.get("id", "")
    if name.startswith("QuadMesh_"):
        return True
    if on_an_axis(group):
        return False
    if name.startswith("text_"):
        inside = " ".join(node.get("transform", "") for node in group.iter(f"{SVG}g"))
        place = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", inside)
        left, top, right, bottom = box
        x, y = map(float, place.groups())
        return left < x < right and top < y < bottom
    return name.startswith(("PathCollection_", "line2d_"))


def extent(mesh):
    """Return left, top, right, bottom of a heat map's cells."""
    outlines = " ".join(path.get("d") for path in mesh.iter(f"{SVG}path"))
    numbers = [float(number) for number in re.findall(r"[-\d.]+", outlines)]
    x, y = numbers[::2], numbers[1::2]
    return min(x), min(y), max(x), max(y)


def theme(path):
    """Let a figure of the built book follow the page's theme.

    Its colours by day stand in it as they are, so that a saved figure looks the same
    elsewhere. A picture's `prefers-color-scheme` is the `color-scheme` of its page.
    """
    tree = etree.parse(path)
    root, content = tree.getroot(), path.read_text(encoding="utf-8")
    if "Matplotlib" not in content or root.find(f"{SVG}style") is not None:
        return
    for axes in groups(tree, "axes_"):
        for mesh in groups(axes, "QuadMesh_"):
            for group in groups(axes, ""):
                if lies_on_a_map(group, extent(mesh)):
                    black = f"fill: #000000; {group.get('style', '')}"
                    group.set("style", black)  # if nothing inside says otherwise
                    group.set("class", "map")
    night = f"svg {{ fill: {DARK['#000000']} }}"
    for colour, other in DARK.items():
        for paint in ("fill", "stroke"):
            if (day := f"{paint}: {colour}") in content:
                night += (
                    f'\n[style*="{day}"]{OFF_MAP} {{ {paint}: {other} !important }}'
                )
    style = etree.Element(f"{SVG}style")
    style.text = f"\n@media screen and (prefers-color-scheme: dark) {{\n{night}\n}}\n"
    root.insert(0, style)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def theme_figures(app, error):
    if not error:
        for path in Path(app.outdir, "_images").glob("*.svg"):
            theme(path)


# ------------------------------------------------------------------ search
class SearchBoth(SearchEnglish):
    """English words by their stems, Chinese by its characters and pairs of them.

    No dictionary is needed, and reader and index cannot cut a word differently.
    """

    lang = "both"
    language_name = "English and Chinese"
    js_splitter_code = """
const WORDS = /[\\u4e00-\\u9fff]+|(?:(?![\\u4e00-\\u9fff])[\\p{L}\\p{N}_])+/gu;
function splitQuery(query) {
  const runs = query.match(WORDS) ?? [];
  const pairs = (run) => Array.from(run.slice(1), (c, i) => run[i] + c);
  const cut = (run) => (/[\\u4e00-\\u9fff]{3}/.test(run) ? pairs(run) : [run]);
  return runs.flatMap(cut);
}
"""

    def split(self, text):
        for run in re.findall(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+", text):
            yield run
            if re.match(r"[\u4e00-\u9fff]", run):
                yield from run
                yield from map("".join, zip(run, run[1:], strict=False))


def write_words(app, error):
    """Write the words of all pages, the most frequent first, for mistyped.js.

    A word that stands in one place only may itself be mistyped.
    """
    if error:
        return
    counts = Counter()
    for name in app.env.found_docs:
        page = Path(app.outdir, f"{name}.html").read_text(encoding="utf-8")
        article = page.partition("<article")[2].partition("</article>")[0]
        counts.update(WORDS.findall(html.unescape(TAGS.sub(" ", article)).lower()))
    words = [word for word, count in counts.most_common() if count > 1]
    text = json.dumps(words, ensure_ascii=False, indent=0)
    target = Path(app.outdir, "_static", "words.js")
    target.write_text(f"globalThis.bookWords = {text};\n", encoding="utf-8")


# ------------------------------------------------------------------ the finished page
def minutes(tree):
    """Return the minutes a learner needs: reading, running, answering the questions.

    83 words or 7 lines of shown code a minute: fitted to what first readers of the main
    paths noted, and within 30 % of it in every chapter.
    """
    lines = sum(
        len(code.text_content().strip().splitlines())
        for code in tree.xpath(".//div[contains(@class, 'cell_input')]//pre")
        if not any(parent.tag == "details" for parent in code.iterancestors())
    )
    kinds = ".//pre | .//script | .//details[not(@class='covered')] | .//svg | .//table"
    for other in tree.xpath(kinds):
        other.drop_tree()
    return max(1, round(len(tree.text_content().split()) / 83 + lines / 7))


def say_minutes(body):
    """Print below the title what the main path takes."""
    tree = parser.fromstring(body)
    for section in tree.xpath("//section[@id='a-closer-look']"):
        section.drop_tree()
    line = f'\n<p class="reading-time">{minutes(tree)} minutes to read</p>'
    return body.replace("</h1>", f"</h1>{line}", 1)


def finish_page(app, pagename, templatename, context, doctree):
    """Add the reading time; leave out what the page does not use."""
    body = context.get("body", "")
    unused = UNUSED if 'class="microscope"' in body else (*UNUSED, "microscope")
    for kind in ("script_files", "css_files"):
        files = context.get(kind, [])
        context[kind] = [file for file in files if not used_by(file, unused)]
    head = context.get("metatags", "")
    head += CHINESE_FONT.format(context["pathto"]("_static/chinese.woff2", 1))
    scripts, context["script_files"] = context["script_files"], []
    for file in scripts:
        if used_by(file, ["mathjax/"]):
            if re.search(r'class="math|#term-', body):  # a preview may hold a formula
                mathjax = f"_static/{file.filename.split('_static/')[-1]}"
                paths = [context["pathto"](p, 1) for p in (SET, mathjax)]
                head += FORMULAS.format(*paths)
            continue
        if used_by(file, ["microscope"]):  # parsed before the first figure: none jumps
            figure = '<figure class="microscope">'
            body = body.replace(figure, f"{context['js_tag'](file)}{figure}", 1)
            continue
        if pagename != "search" and file.filename:
            waiting = {**file.attributes, "defer": "defer"}  # a copy: pages share files
            file = type(file)(file.filename, priority=file.priority, **waiting)
        context["script_files"].append(file)
    if pagename == "search":
        for name in ("excerpts", "mistyped"):
            head += f'<script defer src="_static/{name}.js"></script>'
    context["metatags"] = head
    body = re.sub(  # as attributes they give way to a small screen's width
        r'style="width: (\d+)px; height: (\d+)px;"',
        r'width="\1" height="\2" loading="lazy"',  # its place is known: nothing jumps
        body,
    )
    body = BASE.sub(r"\1", body)
    body = FOLD.sub(r'<span class="\1 admonition-title">\2</span>', body)
    body = FORMULA.sub(r'<span class="whole">\g<0></span>', body)
    microscope = re.compile('<figure class="microscope">.*?</figure>', re.DOTALL)
    body = microscope.sub(lambda figure: figure[0] + WAKE, body)
    for role in (' role="doc-biblioentry"', ' role="list"'):  # one is deprecated, the
        body = body.replace(role, "")  # other unfulfilled
    if doctree and pagename.startswith(("chapters/", "solutions/")):
        body = say_minutes(body)
    if doctree:
        body = link_companions(app, pagename, body)
        lead_on(app, pagename, context)
    context["body"] = body


def used_by(file, names):
    """Whether a name stands in the address or the text of a script or style sheet."""
    body = getattr(file, "attributes", {}).get("body") or ""
    content = f"{getattr(file, 'filename', file)} {body}".lower()
    return any(name in content for name in names)


def write_previews(app, error):
    """Write the glossary's entries where preview.js finds them."""
    glossary = Path(app.outdir, "book", "glossary.html")
    if error or not glossary.exists():
        return
    tree = parser.parse(str(glossary)).getroot()
    entries = {}
    for term in tree.xpath("//dl[contains(@class, 'glossary')]/dt"):
        for link in term.xpath(".//a[contains(@class, 'headerlink')]"):
            link.drop_tree()
        inside = [parser.tostring(node, encoding="unicode") for node in term.getnext()]
        entries[term.get("id")] = [term.text_content().strip(), "".join(inside)]
    text = json.dumps(entries, ensure_ascii=False, indent=0)
    target = Path(app.outdir, "_static", "glossary.js")
    target.write_text(f"globalThis.glossary = {text};\n", encoding="utf-8")


# ------------------------------------------------------------------ styles and icons
def words_of(pages):
    """Return the classes of all pages, and every word of the scripts they load."""
    words, scripts = set(), set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for classes in re.findall(r'class="([^"]*)"', text):
            words.update(classes.split())
        for script in re.findall(r'<script[^>]* src="([^"?]+)', text):
            scripts.add((page.parent / script).resolve())
    for script in scripts:
        words.update(re.findall(r"[\w-]+", script.read_text(encoding="utf-8")))
    return words


def trimmed(css, words):
    """Return a style sheet without the rules for classes that no page can have."""

    def wanted(selector):
        plain = re.sub(r"\([^()]*\)", "", selector)  # :not(.this) may well be absent
        classes = re.findall(r"\.(-?[A-Za-z_][\w-]*)", plain)
        return all(c in words or c.startswith("bs-") for c in classes)  # bs-: composed

    def rule(found):
        selectors = re.split(r",(?![^(]*\))", found[1])
        kept = ",".join(filter(wanted, selectors))
        return f"{kept}{{{found[2]}}}" if kept else ""

    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"([^{};]+)\{([^{}]*)\}", rule, css)
    return re.sub(r"@(?:media|supports)[^{}]*\{\s*\}", "", css)


def trim_styles(app, error):
    """Take out of the theme's styles, and of the fonts, what no page uses.

    All styles are then one file, which a browser need not ask for piece by piece.
    """
    if error:
        return
    static = Path(app.outdir, "_static")
    pages = [p for p in Path(app.outdir).rglob("*.html") if static not in p.parents]
    words = words_of(pages)
    theme_css = static / "styles" / "pydata-sphinx-theme.css"
    for path in (theme_css, *static.glob("mystnb.*.css")):
        text = trimmed(path.read_text(encoding="utf-8"), words)
        text = re.sub(r"\bp(\.(?:admonition-title|collapsed|expanded))", r"\1", text)
        path.write_text(text, encoding="utf-8")
    join_styles(static, pages)
    icons = static / "vendor/fontawesome/webfonts/fa-solid-900.ttf"
    text = theme_css.read_text(encoding="utf-8")
    shown = [int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})", text)]
    shown += [ord(sign) for sign in re.findall("[\ue000-\uf8ff]", text)]
    cut(icons, shown, icons.with_suffix(".woff2"))
    texts = [page.read_text(encoding="utf-8") for page in pages]
    signs = {ord(sign) for text in texts for sign in CHINESE.findall(text)}
    cut(FONT, signs, static / "chinese.woff2")


def join_styles(static, pages):
    """Write all style sheets into one, in their order, and link it from the pages."""
    whole = ""
    for path in (path for name in SHEETS for path in static.glob(name)):
        text = path.read_text(encoding="utf-8").replace('@charset "UTF-8";', "")
        if path.parent == static:  # the joined one lies a folder deeper
            text = re.sub(r"url\((?=\w)", "url(../", text)
        whole += f"{text}\n"
    (static / STYLE).write_text(whole, encoding="utf-8")
    address = f"{STYLE}?v={hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    for page in pages:
        text = page.read_text(encoding="utf-8")
        if found := LINK.search(text):
            link = f'\n    <link rel="stylesheet" href="{found[1]}{address}" />'
            rest = LINK.sub("", text[found.start() :])
            page.write_text(text[: found.start()] + link + rest, encoding="utf-8")


def cut(source, codes, target):
    """Write a font that has the given signs of another, and no more."""
    font = TTFont(source)
    cutter = subset.Subsetter()
    cutter.populate(unicodes=codes)
    cutter.subset(font)
    font.flavor = "woff2"
    font.save(target)


def setup(app):
    gc.set_threshold(100_000)  # looking for garbage took a fifth of a build
    languages[SearchBoth.lang] = SearchBoth
    app.add_directive("check-yourself", CheckYourself)
    app.add_directive("from-notebook", FromNotebook)
    app.connect("source-read", add_questions)
    app.connect("source-read", rename_solutions)
    app.connect("source-read", join_folded)
    app.connect("env-check-consistency", number_by_chapter)
    app.connect("doctree-resolved", mark_what_varies)
    app.connect("doctree-resolved", list_terms)
    app.connect("doctree-resolved", cover_answers)
    app.connect("doctree-resolved", help_figures)
    app.connect("html-page-context", finish_page, priority=900)
    app.connect("build-finished", write_previews)
    app.connect("build-finished", write_words)
    app.connect("build-finished", theme_figures)
    app.connect("build-finished", trim_styles, priority=900)  # once all are written
    made_by = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    known = {"env_version": zlib.crc32(made_by)}  # changed, it makes all pages anew
    return {"parallel_read_safe": True, "parallel_write_safe": True, **known}
