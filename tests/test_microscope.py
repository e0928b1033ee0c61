"""What the microscope refuses, stores and leaves out, and how its slider works."""

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
    assert data["values"] == [[1.0], [2.0]] and data["functions"][0]["scores"] == [
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
        (3, {"mul": [[1.0], [2.0]]}, r"values has \['mul'\]: expected \['dot'\]"),
        (3, {"dot": [[1.0]]}, r"values of dot has shape \(1, 1\)"),
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
        ({"shown": 1}, "shown is 1: expected 0 to 0"),
        ({"words": {"colour": "red"}}, "words has .'colour'."),
        ({"masks": {"causal": [[1, 0]]}}, "mask 'causal' has"),
    ],
)
def test_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        Microscope(*GIVEN, **options)


def test_what_is_shown_first_is_the_one_in_the_picture_and_the_table():
    steps = {"untrained": [[0.0, 0.0]], "trained": [[0.0, np.log(3)]]}
    figure = Microscope(*GIVEN[:4], steps, shown=1, slider=True)
    assert figure.data["shown"] == 1
    assert "<td>0.25</td><td>0.75</td>" in figure.table()
    assert "b 1.10 and 0.75" in figure.picture()
    assert "shown" not in Microscope(*GIVEN).data  # what is stored stays as it was


def test_each_step_may_have_its_own_values(tab):
    steps = {f"step {n}": [[0.0, 0.0]] for n in range(2)}
    values = {"step 0": [[0.0], [0.0]], "step 1": [[1.0], [2.0]]}
    figure = Microscope(*GIVEN[:3], values, steps, shown=1, slider=True)
    assert figure.data["values"] == [[1.0], [2.0]]
    assert "<td>1.50</td>" in figure.table()
    tab.set_content(figure._repr_html_())
    explained = tab.locator("figure.microscope.is-live .explained")
    assert explained.inner_text() == "x = 0.50·1 + 0.50·2 = 1.50"
    tab.get_by_role("slider", name="scoring function").focus()
    tab.keyboard.press("Home")
    assert explained.inner_text() == "x = 0.50·0 + 0.50·0 = 0.00"


def test_a_slider_walks_through_the_steps_and_a_mouse_need_not_click(tab):
    """As JupyterLab shows it: the figure brings its own script."""
    steps = {f"after {n} steps": n * np.eye(3) for n in range(4)}
    places = np.arange(1, 4)[:, None]
    options = {"slider": True, "hover": True, "words": {"scores": "training"}}
    figure = Microscope("一二三", "abc", ["place"], places, steps, shown=3, **options)
    tab.set_content(figure._repr_html_())
    shown = tab.locator("figure.microscope.is-live")
    reached = """([step, query]) => {
      const { state } = document.querySelector("figure.microscope").microscope;
      return state.shown === step && state.query === query;
    }"""

    def expect(step, query):
        """Wait for the state; compare the numbers shown with NumPy's, and the label."""
        tab.wait_for_function(reached, arg=[step, query])
        exps = np.exp(step * np.eye(3)[query])
        weights = shown.locator(".words tbody .weight .number").all_inner_texts()
        assert weights == [f"{x:.2f}" for x in exps / exps.sum()]
        assert dial.get_attribute("aria-valuetext") == f"after {step} steps"

    dial = shown.get_by_role("slider", name="training")
    words = shown.locator(".queries label")
    expect(3, 0)
    words.nth(2).hover()
    expect(3, 2)
    dial.focus()
    tab.keyboard.press("Home")
    expect(0, 2)
    tab.keyboard.press("ArrowRight")
    expect(1, 2)
    words.nth(1).click()
    tab.keyboard.press("ArrowLeft")  # without a mouse, the arrow keys walk
    expect(1, 0)
    shown.get_by_role("button", name="start again").click()
    expect(3, 0)


@pytest.mark.parametrize(
    "values, sum_",
    [
        ([1, 2, 3], "0.33·1 + 0.33·2 + 0.33·3 ≈ 2.00"),  # as printed: 1.98
        ([3, 0, -3], "0.33·3 + 0.33·0 + 0.33·−3 = 0.00"),
    ],
)
def test_the_weighted_sum_says_when_its_rounded_terms_give_another(tab, values, sum_):
    values = np.array(values, dtype=float)[:, None]
    figure = Microscope("q", "abc", ["x"], values, {"dot": np.zeros((1, 3))})
    tab.set_content(figure._repr_html_())
    shown = tab.locator("figure.microscope.is-live .explained")
    assert shown.inner_text() == f"x = {sum_}"
