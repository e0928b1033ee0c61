"""The checks of the exercises are tested: wrong answers lose points, right ones do not.

tests/answers/<stem>.py holds, for each exercise that a program grades, three or more
wrong answers and two or more right ones by another method, one after another:

    # %% softmax wrong: sums over the columns
    def softmax(scores):
        ...

`softmax` is the grade_id of the answer's cell. Each answer takes that cell's place in
the solution; the graded checks between it and the next answer must then fail (at least
one) or pass (all).
"""

import linecache
import pickle
import re
from collections import Counter
from copy import deepcopy

import pytest
import torch

from attend import seq2seq, training
from grading import release
from tools.exercises import is_check
from tools.notebooks import ROOT, notebooks, read

SOLUTIONS = {path.stem: read(path) for path in notebooks("solutions")}
BARE = re.compile(r".* is \S+, but should be \S+\.", re.DOTALL)


def answers(stem):
    """Yield (grade_id, kind, label, source) of the alternative answers."""
    yield from release.answers(ROOT / "tests" / "answers" / f"{stem}.py")


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def graded_by_program(notebook):
    """Return {grade_id of an answer: its graded checks}."""
    found, answer = {}, None
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            answer = grade_id(cell)
        elif is_check(cell):
            found.setdefault(answer, []).append(grade_id(cell))
    return found


def failures(notebook, answer, source):
    """Run the notebook with another answer; return {check: error} of its checks."""
    checks = graded_by_program(notebook)[answer]
    space, errors = {"__name__": "__main__"}, {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        code = source if grade_id(cell) == answer else cell.source
        try:
            name = f"<{cell.id}>"
            linecache.cache[name] = len(code), None, code.splitlines(True), name
            exec(compile(code, name, "exec"), space)
        except Exception as error:
            assert grade_id(cell) in checks, f"the cell {cell.id} raised {error!r}"
            errors[grade_id(cell)] = error
        if grade_id(cell) == checks[-1]:
            return errors
    raise AssertionError(f"{checks} were not reached")


@pytest.fixture(autouse=True)
def own_mode():
    """Switch off again what chapter 6's notebook leaves on: a hunt for NaN, slow."""
    with torch.autograd.set_detect_anomaly(False):
        yield


@pytest.fixture(scope="module", autouse=True)
def same_training_once():
    """Let an answer that begins a training like one before have what that learned."""
    train, known = training.train, {}

    def remembered(model, pairs, vocabularies, **options):
        if type(model).__module__ != seq2seq.__name__ or "watch" in options:
            return train(model, pairs, vocabularies, **options)
        parts = {name: X.numpy() for name, X in model.state_dict().items()}
        words = [vocabulary.words for vocabulary in vocabularies]
        key = pickle.dumps((type(model), parts, list(pairs), words, options))
        if key not in known:
            losses = train(model, pairs, vocabularies, **options)
            known[key] = losses, deepcopy(model.state_dict())
        model.load_state_dict(known[key][1])
        model.eval()
        return known[key][0].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", remembered)
        yield


@pytest.mark.parametrize(
    ("stem", "answer", "kind", "source"),
    [
        pytest.param(stem, answer, kind, source, id=f"{stem} {answer}: {label}")
        for stem in SOLUTIONS
        for answer, kind, label, source in answers(stem)
    ],
)
def test_wrong_answers_lose_points_and_right_ones_do_not(stem, answer, kind, source):
    errors = failures(SOLUTIONS[stem], answer, source)
    if kind == "right":
        assert not errors
    else:
        assert errors, "this wrong answer got all points"
        told = [str(error) for error in errors.values()]
        assert not all(map(BARE.fullmatch, told)), f"no mistake is named: {told}"
        assert not any(isinstance(e, NameError | SyntaxError) for e in errors.values())


@pytest.mark.parametrize("stem", SOLUTIONS)
def test_each_graded_exercise_has_enough_alternative_answers(stem):
    count = Counter((answer, kind) for answer, kind, _, _ in answers(stem))
    exercises = graded_by_program(SOLUTIONS[stem])
    assert {answer for answer, _ in count} == set(exercises)
    for answer in exercises:
        assert count[answer, "wrong"] >= 3, f"{answer}: three wrong answers or more"
        assert count[answer, "right"] >= 2, f"{answer}: two right answers or more"
