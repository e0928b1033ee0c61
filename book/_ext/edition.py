"""What names an edition of the book, and what its address switches on.

- Version and date, those of `attend`, stand in the footer and in the inventory.
- `{cite-this}` shows how to cite the book: what `CITATION.cff` says, as BibTeX.
- Each page has a description for those who search: how its text begins.
- With `address` set in `_config.yml`: canonical links, a sitemap, an issue button and a
  button that opens a notebook in Colab. Without it none of them.
- The site's index.html leads to the first page, with a link for those it does not lead.
"""

import re
import textwrap
from html import escape
from pathlib import Path

import yaml
from docutils import nodes
from lxml import html
from sphinx.util.docutils import SphinxDirective

import attend

ROOT = Path(__file__).parents[2]
PAGES = re.compile(r"https://([\w-]+)\.(git(?:hub|lab))\.io/([\w.-]+)/?")
INDEX = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Refresh" content="0; url={first}"></head>
<body><p>The book begins at <a href="{first}">its first page</a>.</p></body>
</html>
"""
NOTEBOOKS = "notebooks"  # the branch that publishing fills with derived notebooks
BIBTEX = """\
@book{{learning-to-attend,
  author    = {{{{{author}}}}},
  title     = {{{title}}},
  edition   = {{{version}}},
  year      = {{{year}}}{url}
}}"""


def repository(address):
    """Return the repository whose Pages have that address, or nothing."""
    found = PAGES.fullmatch(address)
    return f"https://{found[2]}.com/{found[1]}/{found[3]}" if found else ""


def name_edition(app, config):
    config.project = "Learning to Attend"
    config.version = config.release = attend.__version__
    options = config.html_theme_options
    edition = f"Edition {attend.__version__}, {attend.__date__}."
    options["extra_footer"] = f"{options.get('extra_footer', '')} {edition}".strip()
    if not config.address:
        return
    config.html_baseurl = config.address.rstrip("/") + "/"
    if place := repository(config.address):
        options["repository_url"] = place
        options["repository_branch"] = NOTEBOOKS
        options["use_issues_button"] = True
        if "github" in place:
            colab = {"colab_url": "https://colab.research.google.com"}
            options["launch_buttons"] = {"notebook_interface": "jupyterlab", **colab}


def write_sitemap(app, error):
    """List the pages for search engines, at the address where they will stand."""
    target = Path(app.outdir, "sitemap.xml")
    target.unlink(missing_ok=True)
    if error or app.builder.name != "html" or not app.config.address:
        return
    base, names = app.config.html_baseurl, sorted(app.env.found_docs)
    lines = [
        f"<url><loc>{base}{app.builder.get_target_uri(n)}</loc></url>" for n in names
    ]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="'
    head += 'http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    target.write_text(head + "\n".join(lines) + "\n</urlset>\n", encoding="utf-8")


def describe(app, pagename, templatename, context, doctree):
    """Describe a page by the first words of its text that hold no formula."""
    named = {"genindex": "The index", "search": "Search"}
    title = context.get("title") or named.get(pagename, "")
    words = f"{title}: a page of Learning to Attend"
    for paragraph in html.fromstring(context.get("body") or "<p>").iter("p"):
        plain = " ".join(paragraph.text_content().split())
        if len(plain) > 60 and not paragraph.xpath(".//*[contains(@class, 'math')]"):
            words = textwrap.shorten(plain, 155, placeholder=" …")
            break
    meta = f'\n<meta name="description" content="{escape(words)}">'
    context["metatags"] = context.get("metatags", "") + meta


def lead_on(app, error):
    """Make a whole page, with words, of the index.html that leads to the first page."""
    index = Path(app.outdir, "index.html")
    if error or app.config.root_doc == "index" or not index.exists():
        return
    first = app.builder.get_target_uri(app.config.root_doc)
    page = INDEX.format(first=escape(first), title=escape(app.config.project))
    index.write_text(page, encoding="utf-8")


class CiteThis(SphinxDirective):
    def run(self):
        path = ROOT / "CITATION.cff"
        self.env.note_dependency(str(path))
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        address = self.config.address
        entry = BIBTEX.format(
            author=" and ".join(author["name"] for author in said["authors"]),
            title=textwrap.fill(said["title"], 54, subsequent_indent=" " * 15),
            version=attend.__version__,
            year=attend.__date__[:4],
            url=f",\n  url       = {{{address}}}" if address else "",
        )
        return [nodes.literal_block(entry, entry, language="bibtex")]


def setup(app):
    app.add_config_value("address", "", "html", str)
    app.add_directive("cite-this", CiteThis)
    app.connect("config-inited", name_edition, priority=100)
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_sitemap)
    app.connect("build-finished", lead_on, priority=900)  # once there is one
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
