"""Ask every address outside the book whether it answers.

    python -m tools.links [HTML FOLDER]

Never part of the tests: other hosts have their own bad days. Exits with 1 when an
address does not answer.
"""

import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lxml import html

from tools.notebooks import ROOT

PATIENCE = 20  # s
REFUSED = {401, 403, 405, 429}  # there, but not for programs


def outside(folder):
    """Return {address: a page that links it} of the built book."""
    found = {}
    for path in sorted(folder.rglob("*.html")):
        for link in html.parse(path).xpath("//article//a/@href"):
            if link.startswith(("http:", "https:")):
                found.setdefault(link.partition("#")[0], path.relative_to(folder))
    return found


def fault(address):
    """Return why an address does not answer, or nothing."""
    asked = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0"})
    try:
        urllib.request.urlopen(asked, timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        return "" if error.code in REFUSED else str(error)
    except OSError as error:
        return str(error)
    return ""


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "html"
    found = outside(folder)
    with ThreadPoolExecutor(16) as pool:
        faults = dict(zip(found, pool.map(fault, found), strict=True))
    wrong = {address: why for address, why in faults.items() if why}
    for address, why in wrong.items():
        print(f"{found[address]}: {address}: {why}")
    print(f"{len(found) - len(wrong)} of {len(found)} addresses answer")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
