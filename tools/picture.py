"""Copy chapter 3's figure of the three stages to where README and the index show it.

python -m tools.picture
"""

from tools.notebooks import ROOT, read

CHAPTER = ROOT / "chapters" / "03_three_stages.ipynb"
PICTURE = ROOT / "book" / "_static" / "three_stages.svg"


def picture():
    """Return the figure's SVG, on white: a README has no theme to follow."""
    (cell,) = (cell for cell in read(CHAPTER).cells if cell.id == "stages-figure")
    svg = cell.outputs[0].data["image/svg+xml"]
    return svg.replace("<svg ", '<svg style="background: white" ', 1)


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
