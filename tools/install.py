"""Make .venv and install what requirements.lock names, every hash compared.

    python3 -m tools.install        (on Windows: py -m tools.install)

On Linux PyTorch comes in its build without CUDA, some gigabytes smaller: from where
pip's own settings know it, or from PyTorch's index, which uv knows by name. That index
is not the lock's, so this one package has a version and no hash. Without a connection
to it PyTorch comes with CUDA, hash and all. This program needs the standard library
only: nothing else is there yet.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
READY = VENV / ".ready"  # holds the folder's path: a moved one is noticed
LOCK = ROOT / "requirements.lock"
CUDA = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)==")  # what the CPU build replaces
UNREACHED = re.compile(
    r"NewConnectionError|ConnectionError|name resolution|Network is unreachable|"
    r"ProxyError|ConnectTimeout|Read timed out|SSLError"
)


def python():
    """Return the path of the Python in .venv."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def blocks(lock):
    """Return {requirement line: its block with the hashes} of a lock's text."""
    found = re.findall(r"^([a-z0-9].*?)( \\)?\n((?:    .*\n)*)", lock, flags=re.M)
    return {line: f"{line}{more}\n{hashes}" for line, more, hashes in found}


def make_venv():
    """Make .venv, and make it anew when this folder stood elsewhere."""
    if not importlib.util.find_spec("ensurepip"):
        sys.exit(
            f"{sys.executable} cannot make a virtual environment: install its venv "
            "module (Debian, Ubuntu: apt install python3-venv)"
        )
    place = READY.read_text(encoding="utf-8").strip() if READY.exists() else ""
    if place != str(ROOT):
        if VENV.is_symlink():  # what it leads to is another's
            sys.exit(f"{VENV} leads elsewhere, to {VENV.resolve()}: remove the link")
        if place:
            print(f"{ROOT} was moved or copied from {place}: .venv is made anew")
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def call(*command):
    """Run a command; return its complaint, or nothing."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return (result.stderr or f"{command[0]} failed") if result.returncode else ""


def pip(*arguments):
    quiet = ["--quiet", "--disable-pip-version-check"]
    return call(python(), "-m", "pip", "install", *quiet, "--no-deps", *arguments)


def uv(*arguments):
    options = ["--quiet", "--system-certs", "--compile-bytecode", "--no-deps"]
    options += ["--python", python()]
    return call(python(), "-m", "uv", "pip", "install", *options, *arguments)


def locked(parts, *tools):
    """Install parts of the lock by the first tool that can, or stop and say why not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requirements.lock")
        path.write_text("".join(parts), encoding="utf-8")
        for tool in tools:
            if not (complaint := tool("--require-hashes", "-r", path)):
                return
    stop(complaint)


def stop(complaint):
    lines = complaint.strip().splitlines()
    if UNREACHED.search(complaint):
        said = "The package index was not reached: is there a network, or a proxy?"
    else:
        said = "The package index was reached, but pip could not install the packages:"
    print("\n".join(lines[-8:]), file=sys.stderr)
    sys.exit(f"{said} What is installed stays; try again.")


def without_cuda(version):
    """Install PyTorch's CPU build; return whether it could be had."""
    return not (
        pip(f"torch=={version}+cpu")
        and uv("--torch-backend", "cpu", f"torch=={version}")
    )


def main():
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"The book needs Python 3.11 or newer: {sys.executable} is older")
    make_venv()
    print(f"Installing into {VENV.name} (a minute or more, once) ...", flush=True)
    parts = blocks(LOCK.read_text(encoding="utf-8"))
    locked([part for line, part in parts.items() if line.startswith("uv==")], pip)
    cuda = {line: part for line, part in parts.items() if CUDA.match(line)}
    if sys.platform == "linux":
        (torch,) = (line for line in cuda if line.startswith("torch=="))
        with ThreadPoolExecutor() as pool:  # it is as large as all others together
            reached = pool.submit(without_cuda, torch.split("==")[1])
            locked([part for line, part in parts.items() if line not in cuda], uv, pip)
        if not reached.result():
            print("PyTorch's CPU build was not reached; taking the one with CUDA ...")
            locked(cuda.values(), uv, pip)
    else:
        locked(parts.values(), uv, pip)
    if complaint := pip("--no-build-isolation", "--editable", ROOT):
        stop(complaint)
    READY.write_text(f"{ROOT}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
