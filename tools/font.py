"""Make attend/fonts/AttendSansSC.ttf: the Chinese characters the book uses, no others.

    python -m tools.font [PACKAGE]

PACKAGE is the unpacked npm package @fontsource/noto-sans-sc (SIL Open Font License);
without it, the package is fetched with `npm pack` into a temporary folder. The
characters are those found in chapters/, solutions/, book/ and attend/. Run it again
when a figure warns of a missing glyph. The family is renamed, as a changed font should
be, and no time is written, so the same characters give the same bytes.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).parents[1]
FONTS = ROOT / "attend" / "fonts"
FAMILY = "Attend Sans SC"
PACKAGE = "@fontsource/noto-sans-sc@5.3.0"
WOFF = "files/noto-sans-sc-chinese-simplified-400-normal.woff"
ASCII = {chr(code) for code in range(0x20, 0x7F)}


def characters_used():
    """Return the Chinese characters and punctuation of every text in the repository."""
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("attend", "book", "chapters", "solutions")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".ipynb", ".json"}
        and ".ipynb_checkpoints" not in path.parts
    ]
    wide = {c for text in texts for c in text if "\u3000" <= c <= "\u9fff"}
    return wide | set("，。！？：；、“”‘’（）《》…—·−×÷±√≤≥≈→←↑↓∞°")


def make_font(package, characters):
    """Subset the package's font to the characters, rename it, write it to FONTS."""
    font = TTFont(package / WOFF, recalcTimestamp=False)
    font.flavor = None
    # stored SVGs name glyphs by number: a new character must not move the others
    options = subset.Options(name_IDs=["*"], layout_features=[], retain_gids=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(sorted(characters | ASCII)))
    subsetter.subset(font)
    for record in list(font["name"].names):
        if record.nameID in {1, 3, 4, 6, 16}:
            name = FAMILY.replace(" ", "") if record.nameID == 6 else FAMILY
            record.string = name
    FONTS.mkdir(exist_ok=True)
    font.save(FONTS / "AttendSansSC.ttf", reorderTables=True)
    missing = characters - {chr(code) for code in font.getBestCmap()}
    licence = (package / "LICENSE").read_text(encoding="utf-8")
    (FONTS / "OFL.txt").write_text(licence, encoding="utf-8")
    return missing


def main():
    characters = characters_used()
    if len(sys.argv) > 1:
        missing = make_font(Path(sys.argv[1]), characters)
    else:
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", PACKAGE]
            subprocess.run(command, cwd=folder, check=True)
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                archive.extractall(folder, filter="data")
            missing = make_font(Path(folder) / "package", characters)
    size = (FONTS / "AttendSansSC.ttf").stat().st_size
    print(f"{len(characters)} Chinese characters, {size / 1000:.0f} kB")
    if missing:
        print("not in the source font:", "".join(sorted(missing)))


if __name__ == "__main__":
    main()
