"""The questions of Check yourself: complete, fair, one file for each chapter."""

import re

import pytest
import yaml

from tools.notebooks import ROOT, notebooks

QUIZZES = sorted((ROOT / "book" / "quizzes").glob("*.yml"))


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_questions_are_complete_and_fair(path):
    questions = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert 3 <= len(questions) <= 5
    places = []
    for question in questions:
        assert set(question) <= {"question", "options", "several"}
        assert len(question["question"].split()) >= 4
        options = question["options"]
        assert 3 <= len(options) <= 5, question["question"]
        for option in options:
            assert set(option) <= {"text", "why", "right"}
            assert option["text"].strip()
            assert len(option["why"].split()) >= 4, f"{option['text']}: why?"
        assert len({option["text"] for option in options}) == len(options)
        assert len({option["why"] for option in options}) == len(options)
        right = [place for place, option in enumerate(options) if option.get("right")]
        if question.get("several"):
            assert 2 <= len(right), "marked several, but there is one right option"
        else:
            assert len(right) == 1, question["question"]
        places += right
    assert len(set(places)) > 1, "without a script the right option is always the same"


def test_every_chapter_has_questions():
    chapters = {path.stem for path in notebooks("chapters")}
    assert {path.stem for path in QUIZZES} == chapters


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_no_answer_gives_itself_away_by_its_length(path):
    longest = 0
    questions = yaml.safe_load(path.read_text(encoding="utf-8"))
    for question in questions:
        lengths = {
            len(re.sub(r"\{\w+:?\w*\}`.*?`", "NN", option["text"])): option
            for option in question["options"]
        }
        longest += bool(lengths[max(lengths)].get("right"))
    assert longest <= 0.7 * len(questions), "the right option is mostly the longest"
