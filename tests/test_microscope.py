"""What the microscope refuses, stores and leaves out."""

import json
import re

import numpy as np
import pytest

from attend.microscope import Microscope, strip

GIVEN = (["q"], ["a", "b"], ["x"], [[1.0], [2.0]], {"dot": [[0.0, 1.0]]})


def test_what_is_stored_has_no_script_and_whole_numbers():
    shown = Microscope(*GIVEN)._repr_html_()
    stored = strip(shown)
    assert stored == Microscope(*GIVEN).figure()
    assert "addEventListener" in shown and "addEventListener" not in stored
    data = json.loads(re.search(r'class="data">(.*?)</script>', stored).group(1))
    assert data["values"] == [[1.0], [2.0]] and data["rules"][0]["scores"] == [
        [0.0, 1.0]
    ]
    assert strip(stored) == stored


def test_another_processor_stores_the_same_text():
    queries, keys, features, values, scores = GIVEN
    nearly = {"dot": np.array(scores["dot"]) - [[1e-13, 1e-13]]}
    assert Microscope(*GIVEN[:4], nearly).figure() == Microscope(*GIVEN).figure()


@pytest.mark.parametrize(
    "place, wrong, message",
    [
        (3, [[1.0]], r"values has shape \(1, 1\): expected \(2, 1\)"),
        (3, [[1.0], [np.nan]], "values.*finite"),
        (4, {"dot": [[0.0], [1.0]]}, r"scores of dot has shape \(2, 1\)"),
        (4, {}, "scores is empty"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(place, wrong, message):
    arguments = [*GIVEN]
    arguments[place] = wrong
    with pytest.raises(ValueError, match=message):
        Microscope(*arguments)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"query": 1}, "query is 1: expected 0 to 0"),
        ({"rule": 1}, "rule is 1: expected 0 to 0"),
        ({"words": {"colour": "red"}}, "words has .'colour'."),
        ({"masks": {"causal": [[1, 0]]}}, "mask 'causal' has"),
    ],
)
def test_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        Microscope(*GIVEN, **options)


def test_the_rule_shown_first_is_the_one_in_the_picture_and_the_table():
    steps = {"untrained": [[0.0, 0.0]], "trained": [[0.0, np.log(3)]]}
    figure = Microscope(*GIVEN[:4], steps, rule=1, slider=True)
    assert figure.data["rule"] == 1
    assert "<td>0.25</td><td>0.75</td>" in figure.table()
    assert "b 1.10 and 0.75" in figure.picture()
    assert "rule" not in Microscope(*GIVEN).data  # what is stored stays as it was
