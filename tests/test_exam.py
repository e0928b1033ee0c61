"""The exam bank: complete, right where it can be computed, and as Moodle imports it."""

import math
import re
import subprocess
import sys

import pytest
import yaml
from lxml import etree, html

from tools import exam
from tools.notebooks import ROOT, notebooks

BANK = exam.bank()
QUESTIONS = [question for part in BANK.values() for question in part]
KEYS = {
    "options": {"question", "options"},
    "number": {"question", "number", "compute", "why"},
    "words": {"question", "words", "points"},
}


def words(text):
    return set(re.findall(r"[a-z]{4,}", text.lower()))


def test_there_are_sixty_questions_and_three_for_each_chapter():
    assert list(BANK) == [path.stem for path in notebooks("chapters")]
    assert len(QUESTIONS) >= 60 and min(map(len, BANK.values())) >= 3
    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q["question"][:40])
def test_a_question_is_complete_and_its_number_right(question):
    assert set(question) - {"tolerance"} == KEYS[exam.kind(question)]
    if "options" in question:
        assert [option.get("right", False) for option in question["options"]].count(
            1
        ) == 1
        assert len(question["options"]) == 4
        assert all(option["why"] for option in question["options"])
    elif "number" in question:
        value = eval(question["compute"], vars(math) | {"max": max, "sum": sum})
        allowed = question.get("tolerance", 1e-9)
        assert abs(value - question["number"]) <= allowed


def test_no_question_repeats_one_of_a_quiz():
    for path in sorted((ROOT / "book" / "quizzes").glob("*.yml")):
        for asked in yaml.safe_load(path.read_text(encoding="utf-8")):
            theirs = words(asked["question"])
            for question in BANK[path.stem]:
                mine = words(question["question"])
                assert len(mine & theirs) < 0.5 * len(mine | theirs), mine


def test_the_right_option_stands_everywhere():
    places = [
        [option.get("right", False) for option in exam.options(question)].index(True)
        for question in QUESTIONS
        if "options" in question
    ]
    assert {places.count(place) > 2 for place in range(4)} == {True}


def test_the_paper_holds_no_answer_and_the_key_all():
    paper, key = exam.paper(QUESTIONS), exam.paper(QUESTIONS, key=True)
    text = html.fromstring(key.encode()).text_content()
    for page in (paper, key):
        shown = html.fromstring(page.encode()).xpath("//body//text()")
        assert "$" not in "".join(shown)
    for question in QUESTIONS:
        for option in question.get("options", []):
            why = html.fromstring(exam.markdown(option["why"])).text_content().strip()
            assert why in text and why not in html.fromstring(paper).text_content()
        if "number" in question:
            assert f"<b>{question['number']}</b>" in key
    choices = sum("options" in question for question in QUESTIONS)
    assert "<b>right" not in paper and key.count("<b>right") == choices
    assert not html.fromstring(paper.encode()).xpath("//code[contains(., '\\')]")


def test_moodle_finds_what_its_xml_format_asks_for():
    quiz = etree.fromstring(exam.moodle(BANK))
    kinds = [question.get("type") for question in quiz]
    assert kinds.count("category") == 18 and len(kinds) == 18 + len(QUESTIONS)
    for question in quiz:
        if question.get("type") == "category":
            assert question.findtext("category/text").startswith("$course$/top/")
            continue
        assert question.findtext("name/text") and question.findtext("questiontext/text")
        fractions = [float(a.get("fraction")) for a in question.findall("answer")]
        if question.get("type") == "multichoice":
            assert question.findtext("single") == "true"
            assert sorted(fractions) == [0, 0, 0, 100]
        elif question.get("type") == "numerical":
            float(question.findtext("answer/text"))
            float(question.findtext("answer/tolerance"))
        else:
            assert question.get("type") == "essay"
            assert question.findtext("graderinfo/text")
    shown = "".join(quiz.itertext()).replace("$course$", "")
    assert r"\(\sqrt E\)" in shown and "FORMULA" not in shown
    assert "$" not in shown


def test_chapters_are_chosen(tmp_path):
    call = [sys.executable, "-m", "tools.exam", "--out", tmp_path, "--chapters"]
    done = subprocess.run([*call, "3,5-6"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("12 questions, ")
    for wrong in ("0", "3-19", "x", "6-5"):
        done = subprocess.run([*call, wrong], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and f"--chapters {wrong}" in done.stderr
