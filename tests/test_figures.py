"""Figures outlive the page: saved from it, and written for slides."""

import matplotlib.image
import numpy as np
from lxml import etree
from pypdfium2 import PdfDocument

from tools import figures
from tools.notebooks import ROOT

CHAPTER = ROOT / "chapters" / "03_three_stages.ipynb"


def test_a_saved_figure_has_its_colours_in_itself(book):
    """No variable, which most programs draw black; what is stored is only added to."""
    count = 0
    for path in (book / "_images").glob("*.svg"):
        text = path.read_text("utf-8")
        assert "var(" not in text, path.name
        if "Matplotlib" in text:
            count += 1
            root = etree.fromstring(text.encode())
            (style,) = root.findall("{http://www.w3.org/2000/svg}style")
            assert style.text.strip().startswith("@media screen and (prefers-color")
    assert count > 50
    stored = {svg.count('style="') for _, svg in figures.figures(CHAPTER)}
    assert stored and min(stored) > 5


def test_a_figure_is_written_three_times(tmp_path, browser):
    with browser.new_page(device_scale_factor=figures.SCALE) as tab:
        assert figures.draw(tab, tmp_path, [CHAPTER]) > 3
    wanted = dict(figures.figures(CHAPTER))
    assert "03_three_stages-stages" in wanted
    for name, svg in wanted.items():
        width, height = figures.size(svg)
        picture = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert picture.shape[:2] == (3 * height, 3 * width)
        light = (picture[..., :3].min(axis=-1) > 0.9).mean()
        assert 0.2 < light < 0.999, name  # neither a black rectangle nor a blank one
        (page,) = PdfDocument(tmp_path / f"{name}.pdf")
        sides = page.get_size()
        np.testing.assert_allclose(sides, [0.75 * width, 0.75 * height], atol=1.5)
        assert (tmp_path / f"{name}.svg").read_text("utf-8") == svg
