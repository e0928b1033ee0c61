"""What is installed: it is named, locked, and its failures say what to do."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import install
from tools.notebooks import ROOT, notebooks

PROGRAMS = {  # called, or loaded by a setting, but never imported
    "brotli",
    "check-jsonschema",
    "jupyter-book",
    "jupyterlab",
    "nbval",
    "pytest-xdist",
    "ruff",
    "setuptools",
    "sphinx-book-theme",
    "sphinxcontrib-bibtex",
    "uv",
}
ELSEWHERE = {"dask", "distributed"}  # requirements-cluster.txt


def named():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def locked():
    return install.blocks((ROOT / "requirements.lock").read_text("utf-8"))


def sources():
    """Yield (path, code) of every Python file and every notebook's code cell."""
    for folder in ("attend", "grading", "tools", "tests", "book/_ext"):
        for path in (ROOT / folder).rglob("*.py"):
            if "answers" not in path.parts:  # answers are cells, run in a notebook
                yield path, path.read_text("utf-8")
    yield from ((path, path.read_text("utf-8")) for path in ROOT.glob("*.py"))
    for path in notebooks("book", "chapters", "solutions"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield path, "".join(cell["source"])


def imported():
    """Return {module: a file that imports it} of what is not ours and not Python's."""
    found = {}
    for path, code in sources():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            else:
                continue
            for module in (module.split(".")[0] for module in modules):
                folders = path.parent, ROOT / "book" / "_ext"
                beside = any((place / f"{module}.py").exists() for place in folders)
                ours = (ROOT / module).is_dir() or beside
                if not ours and module not in sys.stdlib_module_names:
                    found[module] = path.name
    return found


def test_every_import_is_named_and_every_name_is_used():
    names = {canonicalize_name(Requirement(line).name) for line in named()}
    owners = packages_distributions()
    needed = set(PROGRAMS)
    for module, path in imported().items():
        owner = {canonicalize_name(name) for name in owners.get(module, [module])}
        remedy = f"{path} imports {module}: name it in requirements.txt, then make lock"
        assert owner & (names | ELSEWHERE), remedy
        needed |= owner
    assert names <= needed, "named in requirements.txt, but not used"


def test_requirements_are_pinned_exactly():
    for line in named():
        assert re.fullmatch(r"[\w-]+==[\w.]+", line), line


def test_the_lock_holds_what_is_named_with_hashes_for_every_system():
    lock = locked()
    assert {line for line in named() if line not in lock} == set(), "run: make lock"
    assert len(lock) == len(re.findall("(?m)^[a-z]", "".join(lock.values()))) > 150
    for line, block in lock.items():
        assert re.search("--hash=sha256:[0-9a-f]{64}", block), line
    slow = [line for line in lock if line.startswith("rfc3987-syntax")]
    assert not slow, "every program that reads a notebook would wait for it"
    markers = " ".join(line.partition(";")[2] for line in lock)
    assert all(name in markers for name in ("linux", "darwin", "nt", "3.12"))


def test_the_package_asks_for_what_it_imports():
    """As a download it stands alone: with bounds, which what is chosen here keeps."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {
        Requirement(one).name: Requirement(one) for one in project["dependencies"]
    }
    chosen = dict(line.split("==") for line in named())
    for name, requirement in wanted.items():
        assert requirement.specifier.contains(chosen[name]), requirement
        assert {one.operator for one in requirement.specifier} == {">=", "<"}, name
    for path in (ROOT / "attend").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:  # not those inside a try
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or node.names[0].name
                module = module.split(".")[0]
                known = {"attend", *sys.stdlib_module_names, *wanted}
                assert module in known, f"{path.name} imports {module}"


# ---------------------------------------------------------------- what can go wrong
@pytest.fixture
def copy(tmp_path):
    """A folder with what `make` needs to install, and a .venv that is up to date."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "tools").mkdir()
    for name in ("__init__.py", "install.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").write_text(f"{tmp_path.resolve()}\n")
    return tmp_path


def make(folder, *arguments):
    options = {"capture_output": True, "text": True, "cwd": folder}
    return subprocess.run(["make", *arguments], **options)


def test_what_is_installed_here_is_not_installed_again(copy):
    assert "tools.install" not in make(copy, "--dry-run", "book").stdout


def test_a_newer_lock_is_installed(copy):
    (copy / "requirements.lock").touch()
    os.utime(copy / ".venv" / ".ready", (0, 0))
    assert "tools.install" in make(copy, "--dry-run", "book").stdout


def test_a_moved_folder_is_noticed(copy, monkeypatch, capsys):
    moved = copy.rename(copy.with_name("moved"))
    assert "tools.install" in make(moved, "--dry-run", "book").stdout
    calls = []
    monkeypatch.setattr(install, "ROOT", moved)
    monkeypatch.setattr(install, "READY", moved / ".venv" / ".ready")
    monkeypatch.setattr(install.subprocess, "run", lambda *a, **o: calls.append(a[0]))
    install.make_venv()
    assert "moved or copied from" in capsys.readouterr().out
    assert "--clear" in calls[0]


def test_another_folders_environment_is_never_cleared(copy, monkeypatch):
    link = copy.with_name("link")
    link.mkdir()
    (link / ".venv").symlink_to(copy / ".venv")
    for name, path in {"ROOT": link, "VENV": link / ".venv"}.items():
        monkeypatch.setattr(install, name, path)
    monkeypatch.setattr(install, "READY", link / ".venv" / ".ready")
    monkeypatch.setattr(install.subprocess, "run", lambda *a, **o: pytest.fail())
    with pytest.raises(SystemExit, match="leads elsewhere"):
        install.make_venv()


def test_a_missing_python_is_not_called_an_old_one(copy):
    said = make(copy, "book", "PYTHON=python9.9", "--always-make").stdout
    assert "There is no python9.9 here" in said and "newer" in said


def test_an_old_python_is_called_old(monkeypatch):
    monkeypatch.setattr(install, "make_venv", lambda: pytest.fail("it goes on"))
    monkeypatch.setattr(sys, "version_info", (3, 9))
    with pytest.raises(SystemExit, match="needs Python 3.11 or newer"):
        install.main()


def test_a_failure_says_whether_the_network_was_reached(tmp_path, monkeypatch):
    """Both times with the real pip: a port where nobody listens, a wrong hash."""
    monkeypatch.setattr(install, "python", lambda: sys.executable)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_NO_INPUT", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    target = f"--target={tmp_path / 'nothing'}"

    def pip(*arguments):
        return install.pip(target, *arguments)

    absent = "no-such-package==1 \\\n    --hash=sha256:" + 64 * "0" + "\n"
    with pytest.raises(SystemExit, match="index was not reached"):
        install.locked([absent], pip)
    wheel = Path(tmp_path, "empty-1-py3-none-any.whl")
    wheel.write_bytes(b"another file")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    wrong = absent.replace("no-such-package", "empty")
    with pytest.raises(SystemExit, match="index was reached"):
        install.locked([wrong], pip)


@pytest.mark.parametrize("reached", [True, False])
def test_on_linux_pytorch_comes_without_cuda_where_it_can(reached, monkeypatch):
    installed = []

    def tool(*arguments):
        if "-r" in arguments:
            installed.append(Path(arguments[-1]).read_text("utf-8"))
        return "" if reached or "cpu" not in " ".join(map(str, arguments)) else "no"

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(install, "make_venv", lambda: None)
    monkeypatch.setattr(install, "READY", Path(os.devnull))
    monkeypatch.setattr(install, "pip", tool)
    monkeypatch.setattr(install, "uv", tool)
    install.main()
    assert "numpy==" in installed[1] and "torch==" not in installed[1]
    assert ("nvidia-cublas==" in "".join(installed)) == (not reached)
