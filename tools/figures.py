"""Write every figure of the book as SVG, PDF and PNG, for slides.

    python -m tools.figures [FOLDER]     figures/, unless named

A figure is named after its notebook and its cell: 03_three_stages-stages.png.
"""

import re
import sys
from pathlib import Path

from tools.downloads import chosen
from tools.notebooks import ROOT, read
from tools.pdf import browser

SCALE = 3  # pixels of the PNG for one of the screen
PAGE = """<style>@page {{ size: {0}px {1}px; margin: 0 }} body {{ margin: 0 }}
svg {{ display: block; width: {0}px; height: {1}px }}</style>{2}"""


def figures(path):
    """Yield (name, SVG) of a notebook's figures."""
    for cell in read(path).cells:
        name = f"{path.stem}-{cell.id.removesuffix('-figure')}"
        drawn = [o.data for o in cell.get("outputs", []) if "data" in o]
        pictures = [data["image/svg+xml"] for data in drawn if "image/svg+xml" in data]
        for number, svg in enumerate(pictures, start=1):
            yield name if number == 1 else f"{name}-{number}", svg


def size(svg):
    """Return the width and height of a figure in pixels; 72 points are 96 of them."""
    sides = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    return [round(float(side) * 4 / 3) for side in sides]


def write(tab, folder, name, svg):
    """Write the figure's three files, as `tab`, a page of Chromium, draws it."""
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    width, height = size(svg)
    tab.set_viewport_size({"width": width, "height": height})
    tab.set_content(PAGE.format(width, height, svg[svg.index("<svg") :]))
    tab.screenshot(path=folder / f"{name}.png")
    sides = {"width": f"{width}px", "height": f"{height}px"}
    options = {"print_background": True, "page_ranges": "1"}
    tab.pdf(path=folder / f"{name}.pdf", **sides, **options)


def draw(tab, folder, paths):
    """Write the figures of the notebooks at the paths; return how many they are."""
    count = 0
    for path in paths:
        for name, svg in figures(path):
            write(tab, folder, name, svg)
            count += 1
    return count


def main():
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "figures"
    if not (chromium := browser()):
        sys.exit("Figures are drawn by Chromium, Chrome or Edge: install one of them")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        drawer = playwright.chromium.launch(executable_path=chromium, args=flags)
        tab = drawer.new_page(device_scale_factor=SCALE)
        tab.set_default_timeout(0)
        count = draw(tab, folder, chosen(("book", "chapters", "solutions")))
        drawer.close()
    print(f"{count} figures in {folder}, each as SVG, PDF and PNG (CC BY 4.0)")


if __name__ == "__main__":
    main()
