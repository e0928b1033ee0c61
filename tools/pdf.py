"""Print the built book as one PDF: contents with page numbers, outline, live links.

    python -m tools.pdf [HTML FOLDER] [PDF]     by default those that `make pdf` uses

All pages become one page, which headless Chromium prints twice: the first print tells
on which page each chapter begins, the second has these numbers in its contents. The
first is blank, without outline, tags and feet, all of which take time. What is a
question's answer, and why, stands below the questions.
"""

import json
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import yaml
from lxml import html
from pypdfium2 import PdfDocument, raw

import attend
from tools.notebooks import ROOT

HTML = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "learning-to-attend.pdf"
FONT = ROOT / "attend" / "fonts" / "AttendSansSC.ttf"
BROWSERS = (  # those that are Chromium, by their names on PATH or their place
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "msedge", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
STYLE = """
@font-face {  /* one glyph, one character: larger fonts print 力 as a radical's sign */
  font-family: "Attend Sans SC"; src: url("FONT"); unicode-range: U+2E80-9FFF;
}
html[data-theme="light"] {
  --pst-font-family-base: "Attend Sans SC", sans-serif;
  --pst-font-family-heading: "Attend Sans SC", sans-serif;
  --pst-font-family-monospace: "Attend Sans SC", monospace;
}
@page { size: A4; margin: 20mm 18mm 20mm; }
html { font-size: 10.5pt; }
body { background: white; }
article.bd-article { break-before: page; padding: 0; overflow: visible; }
h1, h2, h3, figcaption { break-after: avoid; }
h1 { font-size: 1.8rem; } h2 { font-size: 1.35rem; } h3 { font-size: 1.1rem; }
figure, tr, .question, .microscope, div.math { break-inside: avoid; }
.headerlink, .copybtn, .toggle-button, .quiz button, .result, .preview, .numbers,
.reading-time, .ways { display: none !important; }
div.highlight pre { font-size: 0.72rem; white-space: pre-wrap; border-radius: 3px; }
.bd-article figure img { max-height: 105mm; }
td p, th p { margin: 0; }
details:is(.hide, .covered) > summary { display: none !important; }
details.hide * { animation: none !important; opacity: 1 !important; }
.cover { padding-top: 90mm; }
.cover h1 { font-size: 3rem; }
nav.contents { break-before: page; padding: 0; border: 0; background: none; }
nav.contents { box-shadow: none !important; }
.contents p { margin: 0.9rem 0 0.2rem; font-weight: 600; }
.contents a { display: flex; gap: 0.4rem; align-items: baseline; }
.contents a { color: inherit; text-decoration: none; }
.contents a span:nth-child(2) { flex: 1; border-bottom: 1px dotted #888; }
html.draft body, html.draft body * { visibility: hidden; }
.quiz .options { counter-reset: option; }
.bd-article .quiz summary { counter-increment: option; }
.bd-article .quiz summary::before {
  content: counter(option, lower-alpha) "." !important;
}
.reasons { margin-top: 1.5rem; font-size: 0.85rem; }
.reasons > div { margin: 0.25rem 0; break-inside: avoid; }
.reasons p:first-child { display: inline; }
"""
FOOT = """<div style="width: 100%; text-align: center; font: 8pt sans-serif">
<span class="pageNumber"></span></div>"""
PREPARE = """async () => {
  await new Promise((resolve) => {
    const look = () => globalThis.MathJax?.startup?.promise?.then(resolve);
    look() ?? setInterval(look, 200);
  });
  const folded = document.querySelectorAll("details:not(.quiz details, .numbers)");
  for (const details of folded) details.open = true;
  for (const quiz of document.querySelectorAll(".quiz")) {
    const reasons = document.createElement("div");
    reasons.className = "reasons";
    reasons.innerHTML = "<p><strong>The answers, with their reasons</strong></p>";
    quiz.querySelectorAll(".question").forEach((question, i) => {
      question.querySelectorAll("details").forEach((option, j) => {
        const reason = document.createElement("div");
        reason.append(`${i + 1}${"abcdefgh"[j]}. `);
        reason.append(...[...option.children].slice(1));
        reasons.append(reason);
      });
    });
    quiz.append(reasons);
  }
  const drawn = [...document.images].map((image) => image.decode().catch(() => {}));
  await Promise.all(drawn);
}"""

NUMBER = """(numbers) => {
  for (const link of document.querySelectorAll(".contents a")) {
    link.lastElementChild.textContent = numbers[link.hash.slice(1)];
  }
}"""

DRAFT = "(draft) => void document.documentElement.classList.toggle('draft', draft)"


def reading_order():
    """Return [(part's caption, [page, …]), …] and the pages' own titles."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [file for part in toc["parts"] for file in part["chapters"]]
    titles = {file["file"]: file["title"] for file in files if "title" in file}
    parts = [(p["caption"], [c["file"] for c in p["chapters"]]) for p in toc["parts"]]
    return [("", [toc["root"]]), *parts], titles


def slug(page):
    """Return the name of a page inside the one page."""
    return re.sub(r"[^a-z0-9]+", "-", page.rsplit("/", 2)[0] + "-" + Path(page).name)


def article(folder, page, known):
    """Return a page's article: its ids made unique, its links made internal."""
    path = (folder / page).with_suffix(".html")
    tree = html.parse(str(path)).getroot()
    (found,) = tree.xpath("//article[contains(@class, 'bd-article')]")
    for script in found.xpath(".//script[not(contains(@class, 'data'))]"):
        script.drop_tree()
    for element in found.xpath(".//*[@id]"):
        element.set("id", f"{slug(page)}--{element.get('id')}")
    found.set("id", slug(page))
    for image in found.xpath(".//img[@src]"):
        image.attrib.pop("loading", None)  # all of them are printed
        image.set("src", (path.parent / unquote(image.get("src"))).resolve().as_uri())
    for link in found.xpath(".//a[@href]"):
        url, anchor = urldefrag(unquote(link.get("href")))
        if re.match(r"[a-z]+:", url):
            continue
        target = (path.parent / url).resolve() if url else path.resolve()
        if target in known:
            place = slug(known[target])
            link.set("href", f"#{place}--{anchor}" if anchor else f"#{place}")
        else:
            del link.attrib["href"]
    return found


def contents(parts, titles):
    """Return the table of contents, whose numbers are yet to come."""
    lines = ["<nav class='contents'><h1>Contents</h1>"]
    for caption, pages in parts:
        lines.append(f"<p>{caption}</p>" if caption else "")
        for page in pages:
            words = f"<span>{titles[page]}</span><span></span><span>000</span>"
            lines.append(f'<a href="#{slug(page)}">{words}</a>')
    return "\n".join([*lines, "</nav>"])


def one_page(folder, parts, given):
    """Return the whole book as one HTML page."""
    pages = [page for _, part in parts for page in part]
    known = {(folder / page).with_suffix(".html").resolve(): page for page in pages}
    articles = {page: article(folder, page, known) for page in pages}
    titles = {}
    for page, found in articles.items():
        heading = found.xpath(".//h1")[0].text_content()
        titles[page] = given.get(page, heading.rstrip("#").strip())
    static = (folder / "_static").as_uri()
    styles = [
        "styles/pydata-sphinx-theme.css",
        "pygments.css",
        "styles/sphinx-book-theme.css",
        *(path.name for path in (folder / "_static").glob("mystnb*.css")),
        "book.css",
        "microscope.css",
    ]
    links = "".join(f'<link rel="stylesheet" href="{static}/{s}">' for s in styles)
    classes = "tex2jax_process|mathjax_process|math|output_area"
    options = json.dumps({"options": {"processHtmlClass": classes}})
    body = "\n".join(html.tostring(a, encoding="unicode") for a in articles.values())
    style = STYLE.replace("FONT", FONT.as_uri(), 1)
    return f"""<!doctype html>
<html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">
<title>Learning to Attend</title>{links}<style>{style}</style>
<script>window.MathJax = {options};</script>
<script defer src="{static}/mathjax/tex-chtml.js"></script></head>
<body><div class="cover"><h1>Learning to Attend</h1>
<p>The attention mechanism, from the idea to a working translator</p>
<p>Edition {attend.__version__}, {attend.__date__}</p></div>
{contents(parts, titles)}
<main class="bd-content">{body}</main></body></html>"""


def beginnings(pdf, parts):
    """Return {slug: page number} of the pages' first pages in the PDF."""
    found = {}
    for name in (slug(page) for _, pages in parts for page in pages):
        place = raw.FPDF_GetNamedDestByName(pdf, name.encode())
        found[name] = raw.FPDFDest_GetDestPageIndex(pdf, place) + 1
    assert all(found.values()), f"the PDF lacks a page: {found}"
    return found


def browser():
    """Return the path of Chromium, or of a browser that is one, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def main():
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else HTML).resolve()
    target = Path(sys.argv[2] if len(sys.argv) > 2 else PDF).resolve()
    chromium = browser()
    if not chromium:
        sys.exit("The PDF is printed by Chromium, Chrome or Edge: install one of them")
    parts, titles = reading_order()
    source = target.with_suffix(".html")
    source.write_text(one_page(folder, parts, titles), encoding="utf-8")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
        printer = playwright.chromium.launch(executable_path=chromium, args=flags)
        tab = printer.new_page()
        tab.set_default_timeout(0)  # a big book, perhaps a small machine: no limit
        tab.goto(source.as_uri(), wait_until="load")
        tab.evaluate(PREPARE)
        numbers = {}
        for again in range(6):  # prints of one page may differ, turn about
            tab.evaluate(DRAFT, again == 0)
            tab.pdf(
                path=target,
                prefer_css_page_size=True,
                print_background=again > 0,
                display_header_footer=again > 0,
                header_template="<span></span>",
                footer_template=FOOT,
                outline=again > 0,
                tagged=again > 0,
            )
            if numbers == (found := beginnings(PdfDocument(target), parts)):
                break
            if again % 2 == 0:
                numbers = found
                tab.evaluate(NUMBER, numbers)
        printer.close()
    source.unlink()
    print(f"{target}: {len(PdfDocument(target))} pages")


if __name__ == "__main__":
    main()
