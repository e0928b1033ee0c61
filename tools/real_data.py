"""Fetch LibreOffice's help in English and Chinese: two Debian packages, some 5 MB.

    python -m tools.real_data

They go to _data/, or to $ATTEND_DATA; nothing is installed, and what is there stays.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from attend.data.real_text import PACKAGES, data_folder, libreoffice

BY_HAND = """{why}
By hand: download the two packages
  https://packages.debian.org/stable/all/libreoffice-help-en-us/download
  https://packages.debian.org/stable/all/libreoffice-help-zh-cn/download
and put the two .deb files, not unpacked, into {folder}."""


def fetch(folder):
    """Download the packages that the folder lacks; exit with advice where that fails.

    Each one arrives in a folder of its own and is then moved, so none is ever half.
    """
    missing = [name for name in PACKAGES if not list(folder.glob(f"{name}_*.deb"))]
    if missing and not shutil.which("apt-get"):
        sys.exit(BY_HAND.format(why="There is no apt-get here.", folder=folder))
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:
        with tempfile.TemporaryDirectory(dir=folder) as partial:
            # root may write into this folder, apt's own user may not
            call = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name]
            result = subprocess.run(call, cwd=partial, capture_output=True, text=True)
            found = list(Path(partial).glob(f"{name}_*.deb"))
            if result.returncode or not found:
                why = f"apt-get cannot download {name} (apt-get update may help):\n"
                why += result.stderr.strip()
                sys.exit(BY_HAND.format(why=why, folder=folder))
            found[0].rename(folder / found[0].name)
        print(f"{name}: {found[0].name}")


if __name__ == "__main__":
    fetch(data_folder())
    for name, value in libreoffice().report.items():
        print(f"{name}: {value}")
    print(f"The sentences are in {data_folder()}")
