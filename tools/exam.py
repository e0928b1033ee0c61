"""Make an exam of the bank, book/exam.yml: on paper, with its key, and for Moodle.

    python -m tools.exam [--chapters 3,5-8] [--out FOLDER]

writes exam.html (print it in a browser), exam-key.html with the answers, and exam.xml,
which Moodle's question bank imports (Import > Moodle XML format): one category for each
chapter. The order of the options is shuffled, always in the same way.
"""

import argparse
import random
import re
import sys
from html import escape
from pathlib import Path

import mistune
import yaml
from lxml import etree

from grading.page import STYLE, markdown
from tools.notebooks import ROOT

BANK = ROOT / "book" / "exam.yml"
OUT = ROOT / "_build" / "exam"
PLAIN = mistune.create_markdown()
PAPER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>{style} ol.options {{ list-style: upper-alpha }}
section {{ break-inside: avoid }} .space {{ height: 8rem }}</style></head>
<body><h1>{title}</h1>
{body}</body></html>
"""


def bank():
    """Return {stem: [question]} of the whole bank."""
    return yaml.safe_load(BANK.read_text(encoding="utf-8"))


def kind(question):
    return next(name for name in ("options", "number", "words") if name in question)


def points(question):
    return question.get("points", 1)


def options(question):
    """Return the options in an order that does not give the right one away."""
    mixed = list(question["options"])
    random.Random(question["question"]).shuffle(mixed)
    return mixed


def chosen(words, stems):
    """Return the stems of a list of chapters such as 3,5-8; all without one."""
    if not words:
        return stems
    wanted = set()
    for part in words.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not found or not 1 <= int(found[1]) <= int(found[2] or found[1]) <= len(
            stems
        ):
            sys.exit(
                f"--chapters {words}: {part!r} is no chapter from 1 to {len(stems)}"
            )
        wanted |= {*range(int(found[1]), int(found[2] or found[1]) + 1)}
    return [stem for stem in stems if int(stem[:2]) in wanted]


# ------------------------------------------------------------------ on paper
def paper(questions, key=False):
    """Return the exam as a page, with its answers or with room for them."""
    parts = []
    for number, question in enumerate(questions, 1):
        unit = "point" if points(question) == 1 else "points"
        head = f"<h3>{number} <small>({points(question)} {unit})</small></h3>"
        parts.append(f"<section>{head}{markdown(question['question'])}")
        if kind(question) == "options":
            items = []
            for option in options(question):
                why = " <b>right.</b>" * (key and option.get("right", False))
                why += markdown(f"*Why:* {option['why']}") if key else ""
                items.append(f"<li>{markdown(option['text'])}{why}</li>")
            parts.append(f"<ol class='options'>{''.join(items)}</ol>")
        elif not key:
            parts.append("<div class='space'></div>")
        if key and kind(question) == "number":
            parts.append(f"<p><b>{question['number']}</b>{within(question)}</p>")
            parts.append(markdown(question["why"]))
        elif key and kind(question) == "words":
            parts.append(markdown(question["words"]))
        parts.append("</section>")
    title = "Learning to Attend: exam" + ", key" * key
    return PAPER.format(title=title, style=STYLE, body="\n".join(parts))


def within(question):
    tolerance = question.get("tolerance")
    return f" (± {tolerance})" if tolerance else ""


# ------------------------------------------------------------------ for Moodle
def html(text):
    """Return Markdown as HTML with formulas as Moodle's MathJax reads them."""
    formulas = []

    def keep(found):
        formulas.append(rf"\({escape(found[1])}\)")
        return f"FORMULA{len(formulas) - 1}END"

    made = PLAIN(re.sub(r"\$([^$]+)\$", keep, text)).strip()
    return re.sub(r"FORMULA(\d+)END", lambda found: formulas[int(found[1])], made)


def add(parent, name, text=None, **attributes):
    """Add an element, whose text, if there is one, stands in a <text> of its own."""
    made = etree.SubElement(parent, name, attributes)
    if text is not None:
        content = etree.CDATA(text) if "<" in text else text
        etree.SubElement(made, "text").text = content
    return made


def moodle(chapters):
    """Return the Moodle XML of {stem: [question]}."""
    quiz = etree.Element("quiz")
    for stem, questions in chapters.items():
        group = add(quiz, "question", type="category")
        add(group, "category", f"$course$/top/Learning to Attend/{stem}")
        for number, question in enumerate(questions, 1):
            name = {"options": "multichoice", "number": "numerical", "words": "essay"}
            made = add(quiz, "question", type=name[kind(question)])
            add(made, "name", f"{stem} {number}")
            add(made, "questiontext", html(question["question"]), format="html")
            add(made, "generalfeedback", html(question.get("why", "")), format="html")
            add(made, "defaultgrade").text = str(points(question))
            {"options": choices, "number": numbers, "words": essay}[kind(question)](
                made, question
            )
    declared = {"xml_declaration": True, "encoding": "UTF-8", "pretty_print": True}
    return etree.tostring(quiz, **declared)


def choices(made, question):
    add(made, "single").text = "true"
    add(made, "shuffleanswers").text = "true"
    for option in options(question):
        share = "100" if option.get("right") else "0"
        answer = add(
            made, "answer", html(option["text"]), fraction=share, format="html"
        )
        add(answer, "feedback", html(option["why"]), format="html")


def numbers(made, question):
    answer = add(made, "answer", str(question["number"]), fraction="100")
    add(answer, "tolerance").text = str(question.get("tolerance", 0))


def essay(made, question):
    add(made, "responseformat").text = "editor"
    add(made, "responsefieldlines").text = "10"
    add(made, "graderinfo", html(question["words"]), format="html")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.exam",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--chapters", default="", help="such as 3,5-8; all without it")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    every = bank()
    chapters = {stem: every[stem] for stem in chosen(arguments.chapters, list(every))}
    questions = [question for part in chapters.values() for question in part]
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = {
        "exam.html": paper(questions).encode(),
        "exam-key.html": paper(questions, key=True).encode(),
        "exam.xml": moodle(chapters),
    }
    for name, data in made.items():
        (arguments.out / name).write_bytes(data)
    total = sum(points(question) for question in questions)
    print(f"{len(questions)} questions, {total} points: {arguments.out}")


if __name__ == "__main__":
    main()
