"""Real sentences: packages and files made for the purpose, whole and damaged ones."""

import io
import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from attend.data import real_text
from attend.data.corpus import Pair
from attend.data.real_text import (
    PACKAGES,
    libreoffice,
    splits_by_source,
    tatoeba,
    tokens,
)
from tools.notebooks import ROOT

ENGLISH = {
    "par_id1": "Select a <b>style</b>, and\n  then click <span class='emph'>OK</span>.",
    "hd_id2": '<a name="x"></a>The file&#39;s name&nbsp;&amp; path',
    "par_id3": "This paragraph is not translated.",
    "par_id4": "=SUM(A1:B2; 3) returns 3.5.",
    "par_id5": 'Press <span class="switchinline"><span hidden="true" class="MAC">'
    'Command</span><span hidden="true">Ctrl</span></span> to copy.',
    "par_id6": "Opens a new document.",
    "par_id7": "  ",
    "par_id8": "Opens a damaged document.",
    "par_id9": "Automatically.",
    "par_id10": "Opens a new document",
    "par_id11": "&shy;",
    "par_id12": "Opens a dialog in which you can choose a document.",
}
CHINESE = {
    "par_id1": "选择<b>样式</b>，然后点击「<span class='emph'>OK</span>」。",
    "hd_id2": "文件名（&amp;）与路径",
    "par_id3": "This paragraph is not translated.",
    "par_id4": "「=SUM(A1:B2; 3)」返回 3.5。",
    "par_id5": '按 <span class="switchinline"><span hidden="true" class="MAC">'
    'Command</span><span hidden="true">Ctrl</span></span> 复制。',
    "par_id6": "打开新文档。",
    "par_id7": "  ",
    "par_id8": "打开\x8b文档。",
    "par_id9": "自动选择一个函数，以对该字段进行计算。",
    "par_id10": "打开新文档",
    "par_id11": "连字符",
    "par_id12": "打开",
}


def page(paragraphs):
    """Return a page of LibreOffice's help as its packages hold it."""
    body = "".join(
        f'<p id="{mark}" class="paragraph" dir="auto">{inner}</p>\n'
        if mark.startswith("par")
        else f'<h2 id="{mark}" dir="auto">{inner}</h2>\n'
        for mark, inner in paragraphs.items()
    )
    return f"<html><body><p>LibreOffice Help</p>{body}</body></html>".encode()


def package(folder, name, pages, version="4%3a7.4.7-1", packing="xz"):
    """Write a .deb of {page: bytes}; return its path."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{packing}") as archive:
        for file, content in pages.items():
            place = f"./usr/share/libreoffice/help/{name[-5:]}/text/{file}"
            member = tarfile.TarInfo(place)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",  # an odd size is padded
        f"data.tar.{packing}": data.getvalue(),
    }
    path = folder / f"{name}_{version}_all.deb"
    path.write_bytes(b"!<arch>\n" + b"".join(map(part, parts, parts.values())))
    return path


def part(name, content):
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
    return header.encode() + content + b"\n" * (len(content) % 2)


@pytest.fixture
def folder(tmp_path):
    """Write both packages; par_id6 stands on two pages, as what pages share does."""
    for name, paragraphs in zip(PACKAGES, (ENGLISH, CHINESE), strict=True):
        again = {"par_id6": paragraphs["par_id6"]}
        pages = {"a/1.html": page(paragraphs), "a/2.html": page(again)}
        package(tmp_path, name, pages | {"a/3.png": b"\xff\xff"})
    return tmp_path


def repack(folder, which, pages):
    (old,) = folder.glob(f"{PACKAGES[which]}_*.deb")
    old.unlink()
    return package(folder, PACKAGES[which], pages)


# Tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tom's file, 3.5 cm.", "Tom's file , 3.5 cm ."),
        ("Press Ctrl+F11 (or “Esc”)", 'Press Ctrl + F11 ( or " Esc " )'),
        ("汤姆追逐杰瑞。", "汤 姆 追 逐 杰 瑞 。"),
        ("打开LibreOffice 7.4的（旧）文档", "打 开 LibreOffice 7.4 的 ( 旧 ) 文 档"),
        ("2017年，STDEV_ADD", "2017 年 ， STDEV_ADD"),
        ("soft\xadhyphen 𠀀〇", "softhyphen 𠀀 〇"),
        (" \n ", ""),
    ],
)
def test_texts_are_cut_into_words_marks_and_characters(text, expected):
    assert tokens(text) == tuple(expected.split())


# LibreOffice's help -------------------------------------------------------------------


def test_paragraphs_are_paired_and_cleaned(folder):
    pairs, report, attributions = libreoffice(folder)
    assert pairs == [
        Pair(
            tuple("select a style , and then click ok .".split()),
            tuple("选 择 样 式 ， 然 后 点 击 「 OK 」 。".split()),
        ),
        Pair(
            tuple("the file's name & path".split()),
            tuple("文 件 名 ( & ) 与 路 径".split()),
        ),
        Pair(tuple("opens a new document .".split()), tuple("打开新文档。")),
        Pair(tuple("opens a new document".split()), tuple("打开新文档")),
    ]
    assert report == {
        PACKAGES[0]: "4:7.4.7-1",
        PACKAGES[1]: "4:7.4.7-1",
        "paragraphs": 13,
        "raw": 9,  # not 3, 5, 7, nor 6 for the second time
        "dropped": {
            "formula or code": 2,
            "damaged characters": 1,
            "lengths differ": 2,
        },
        "clean": 4,
        "long_share": 0.0,
    }
    assert attributions == ()


def test_pairs_that_differ_in_case_alone_come_once(folder):
    both = ({"par_id1": "Open", "par_id2": "open"}, {"par_id1": "开", "par_id2": "开"})
    for which, paragraphs in enumerate(both):
        repack(folder, which, {"1.html": page(paragraphs)})
    pairs, report, _ = libreoffice(folder)
    assert pairs == [Pair(("open",), ("开",))]
    assert report["dropped"] == {"repeated": 1} and report["raw"] == 2


def test_an_id_that_comes_again_on_a_page_is_paired_in_order(folder):
    repack(folder, 0, {"1.html": page({"par_id1": "One"}) + page({"par_id1": "Two"})})
    repack(folder, 1, {"1.html": page({"par_id1": "一"}) + page({"par_id1": "二"})})
    assert libreoffice(folder).pairs == [
        Pair(("one",), ("一",)),
        Pair(("two",), ("二",)),
    ]


def test_long_sources_are_counted(folder):
    long = {"par_id1": "word " * 20, "par_id2": "word " * 19}
    repack(folder, 0, {"1.html": page(long)})
    repack(folder, 1, {"1.html": page({"par_id1": "词" * 20, "par_id2": "词" * 20})})
    assert libreoffice(folder).report["long_share"] == 0.5


def test_missing_data_say_how_to_get_them(folder):
    (path,) = folder.glob(f"{PACKAGES[1]}_*.deb")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{PACKAGES[1]}.*make real-data"):
        libreoffice(folder)
    with pytest.raises(FileNotFoundError, match="make real-data"):
        libreoffice(folder / "nowhere")


def test_the_environment_chooses_the_folder(folder, monkeypatch):
    monkeypatch.setenv("ATTEND_DATA", str(folder))
    assert libreoffice() == libreoffice(folder)
    monkeypatch.setenv("ATTEND_DATA", "")
    assert real_text.data_folder() == ROOT / "_data"


def test_two_versions_of_a_package_are_one_too_many(folder):
    package(folder, PACKAGES[0], {"1.html": page(ENGLISH)}, version="25.2")
    with pytest.raises(ValueError, match=r"keep one of .*25\.2.*7\.4\.7"):
        libreoffice(folder)


@pytest.mark.parametrize("keep", [0, 7, 40, 100, 200, -1])
def test_a_cut_package_is_named(folder, keep):
    (path,) = folder.glob(f"{PACKAGES[0]}_*.deb")
    path.write_bytes(path.read_bytes()[:keep])
    says = "no ar archive|damaged|cut off"
    with pytest.raises(ValueError, match=rf"{PACKAGES[0]}_.*({says})"):
        libreoffice(folder)


@pytest.mark.parametrize("place", [-40, -100, -300])
def test_a_damaged_archive_is_named(folder, place):
    (path,) = folder.glob(f"{PACKAGES[1]}_*.deb")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{PACKAGES[1]}_.*cannot read data\.tar\.xz"):
        libreoffice(folder)


def test_an_archive_cut_before_it_was_packed_is_named(folder):
    (path,) = folder.glob(f"{PACKAGES[1]}_*.deb")
    head, end = path.read_bytes().rsplit(b"data.tar.xz", 1)
    path.write_bytes(head + part("data.tar.xz", end[49:-60]))
    with pytest.raises(ValueError, match=rf"{PACKAGES[1]}_.*cannot read data\.tar\.xz"):
        libreoffice(folder)


def test_a_package_of_something_else_is_named(folder):
    repack(folder, 0, {"1.html": b"<p>No id</p>"})
    with pytest.raises(ValueError, match=rf"{PACKAGES[0]}_.* no paragraph"):
        libreoffice(folder)


def test_a_page_that_is_not_utf8_is_named(folder):
    repack(folder, 1, {"a/1.html": page({"par_id1": "x"}) + "文".encode("gbk")})
    with pytest.raises(ValueError, match=rf"{PACKAGES[1]}.*a/1\.html is not UTF-8"):
        libreoffice(folder)


def test_packages_without_common_ids_are_named(folder):
    repack(folder, 1, {"a/1.html": page({"par_id99": "别的"})})
    with pytest.raises(ValueError, match=r"only 0 of the 13 paragraphs"):
        libreoffice(folder)


def test_packages_without_a_translation_are_named(folder):
    repack(folder, 1, {"a/1.html": page(ENGLISH), "a/2.html": page(ENGLISH)})
    with pytest.raises(ValueError, match=rf"{PACKAGES[1]}.* no usable translation"):
        libreoffice(folder)


def test_gzip_is_read_too(folder):
    expected = libreoffice(folder).pairs
    (path,) = folder.glob(f"{PACKAGES[0]}_*.deb")
    path.unlink()
    again = {"par_id6": ENGLISH["par_id6"]}
    pages = {"a/1.html": page(ENGLISH), "a/2.html": page(again)}
    package(folder, PACKAGES[0], pages, packing="gz")
    assert libreoffice(folder).pairs == expected


def test_zstd_is_read_where_dpkg_deb_is(folder, tmp_path, monkeypatch):
    if not shutil.which("dpkg-deb"):
        pytest.skip("no dpkg-deb to make a package with zstd")
    expected = libreoffice(folder).pairs
    for path in sorted(folder.glob("*.deb")):
        tree = tmp_path / path.stem
        for name, content in real_text._files(path):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN" / "control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
        )
        call = ["dpkg-deb", "-Zzstd", "--root-owner-group", "--build", tree, path]
        subprocess.run(call, check=True, capture_output=True)
        assert b"data.tar.zst" in path.read_bytes()
    assert sorted(libreoffice(folder).pairs) == sorted(expected)
    if sys.version_info < (3, 14):
        monkeypatch.setattr(shutil, "which", lambda name: None)
        with pytest.raises(ValueError, match="zstd needs dpkg-deb or Python 3.14"):
            libreoffice(folder)


def test_the_real_packages():
    try:
        pairs, report, _ = libreoffice()
    except FileNotFoundError:
        pytest.skip("the real packages are absent: make real-data")
    assert report["paragraphs"] > 40_000 and 20_000 < report["raw"] < 30_000
    assert 18_000 < report["clean"] < 28_000 and 0.2 < report["long_share"] < 0.4
    assert len(set(pairs)) == len(pairs) == report["clean"]
    assert report["raw"] == report["clean"] + sum(report["dropped"].values())
    for source, target, sure, possible in pairs:
        text, han = " ".join(source), sum("一" <= word <= "鿿" for word in target)
        assert text == text.lower() and not sure and not possible
        assert not {"<span", "&amp", "&nbsp", "</", "\n"} & {*source, *target}
        assert 2 * han >= len(target) and len(target) <= 3 * len(source) + 5
    long = [pair for pair in pairs if len(pair.source) > 20]
    ratio = sum(len(p.target) for p in long) / sum(len(p.source) for p in long)
    assert 1.2 < ratio < 1.8, "about three characters to two English tokens"
    data = splits_by_source(pairs, 1_000, 1_000)
    assert len(data.train) > 14_000 and data == splits_by_source(pairs, 1_000, 1_000)


# Tatoeba ------------------------------------------------------------------------------


def write(tmp_path, content):
    path = tmp_path / "cmn.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_tatoeba_reads_two_and_three_columns(tmp_path):
    path = write(
        tmp_path,
        "\ufeffHi.\t嗨。\tCC-BY 2.0 (France) Attribution: #1 & #2\r\n"
        "Tom's here.\t汤姆在这里。\n"
        "\n"
        "Tom's here.\t湯姆在這。\tCC-BY 2.0 #3\n"
        "Hi.\t嗨。\tanother\n",
    )
    pairs, report, attributions = tatoeba(path)
    assert pairs == [
        Pair(("hi", "."), ("嗨", "。")),
        Pair(("tom's", "here", "."), tuple("汤姆在这里。")),
        Pair(("tom's", "here", "."), tuple("湯姆在這。")),
    ]
    assert attributions == (
        "CC-BY 2.0 (France) Attribution: #1 & #2",
        "",
        "CC-BY 2.0 #3",
    )
    assert report == {"lines": 4, "clean": 3, "long_share": 0.0}


@pytest.mark.parametrize(
    "bad", ["one column", "a\tb\tc\td", "\t嗨。\tx", "Hi.\t \tx", "\u200b\t嗨。\tx"]
)
def test_malformed_lines_are_named(tmp_path, bad):
    good = "Hi.\t嗨。\tx\n"
    path = write(tmp_path, f"{good}{bad}\n{good}\n{bad}\n")
    with pytest.raises(ValueError, match=r"cmn\.txt: 2 of 4 .* first: 2, 5$"):
        tatoeba(path)
    with pytest.raises(ValueError, match=r"7 of 8 .* first: 2, 3, 4, 5, 6$"):
        tatoeba(write(tmp_path, good + 7 * f"{bad}\n"))


def test_text_that_is_not_utf8_is_named_by_line(tmp_path):
    path = write(tmp_path, "Hi.\t嗨。\n".encode() + "Hi.\t嗨。\n".encode("gbk"))
    with pytest.raises(ValueError, match=r"cmn\.txt, line 2: not UTF-8"):
        tatoeba(path)


@pytest.mark.parametrize("content", ["", "\n\n", "Hi.\tSalut !\tCC-BY\n"])
def test_a_file_without_chinese_is_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"cmn\.txt holds no Chinese"):
        tatoeba(write(tmp_path, content))


# Splits -------------------------------------------------------------------------------


def some_pairs(size=400):
    """Return pairs of which every English sentence comes twice."""
    pairs = []
    for n in range(size // 2):
        words = (f"word{n}", *["again"] * (n % 7))
        pairs += [Pair((*words, "."), ("一", str(n))), Pair((*words, "!"), ("二",))]
    return pairs[::2] + pairs[1::2]


def bare(pairs):
    return [tuple(w for w in p.source if w[0].isalnum()) for p in pairs]


def test_splits_share_no_sentence_and_lose_none():
    pairs = some_pairs()
    train, validation, test = splits_by_source(pairs, 30, 50, seed=3)
    assert [len(train), len(validation), len(test)] == [400 - 2 * 80, 30, 50]
    parts = [bare(part) for part in (train, validation, test)]
    assert len({*parts[1], *parts[2]}) == 80, "each of them once"
    assert not set(parts[0]) & {*parts[1], *parts[2]}
    assert {*parts[0], *parts[1], *parts[2]} == set(bare(pairs))
    assert set(train) | set(validation) | set(test) <= set(pairs)


def test_splits_depend_on_the_seed_alone():
    pairs = some_pairs()
    assert splits_by_source(pairs, 30, 50) == splits_by_source(pairs, 30, 50)
    assert splits_by_source(pairs, 30, 50).test != splits_by_source(pairs, 30, 50, 1)[2]
    names = [p.source[0] for p in splits_by_source(pairs, 2, 3).test]
    assert names == ["word72", "word99", "word27"], "on every machine and Python"


def test_longer_sentences_are_left_out():
    data = splits_by_source(some_pairs(), 10, 10, longest=3)
    assert {len(pair.source) for part in data for pair in part} == {2, 3}


def test_sentences_of_marks_alone_are_kept_apart():
    pairs = [Pair((mark,), ("点",)) for mark in ".,;!"]
    data = splits_by_source(pairs, 1, 1)
    assert sorted(p for part in data for p in part) == sorted(pairs)


def test_bad_numbers_are_named():
    pairs = some_pairs(20)
    with pytest.raises(ValueError, match="10 .* 5 for validation, 5 for test"):
        splits_by_source(pairs, 5, 5)
    with pytest.raises(ValueError, match="0 different sentences of up to 40 tokens"):
        splits_by_source([], 0, 0)
    with pytest.raises(ValueError, match="test must be at least 0"):
        splits_by_source(pairs, 1, -1)
    with pytest.raises(TypeError, match="validation must be an integer"):
        splits_by_source(pairs, 0.1, 1)
    with pytest.raises(ValueError, match="longest must be at least 1"):
        splits_by_source(pairs, 1, 1, longest=0)


# make real-data -----------------------------------------------------------------------

APT = """#!/bin/sh
echo "$@" >> "{log}"
for name; do :; done
case "$name" in *{fails}*) echo "E: no package $name" >&2; exit 100;; esac
cp "{store}/$name"_*.deb .
"""


def real_data(folder, path):
    call = [sys.executable, "-m", "tools.real_data"]
    environment = os.environ | {"ATTEND_DATA": str(folder), "PATH": str(path)}
    environment |= {"PYTHONUTF8": "1"}
    return subprocess.run(
        call, cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for apt-get")
def test_the_download_goes_on_where_it_stopped_and_replaces_nothing(folder, tmp_path):
    programs, data, log = tmp_path / "programs", tmp_path / "data", tmp_path / "log"
    programs.mkdir()
    apt = programs / "apt-get"
    path = f"{programs}:{os.environ['PATH']}"

    def script(fails):
        apt.write_text(APT.format(log=log, store=folder, fails=fails))
        apt.chmod(0o755)

    script(fails="zh-cn")
    result = real_data(data, path)
    assert result.returncode == 1
    assert "E: no package libreoffice-help-zh-cn" in result.stderr
    assert "By hand" in result.stderr and str(data) in result.stderr
    assert [p.name[:22] for p in data.iterdir()] == [PACKAGES[0]]
    first = next(data.iterdir()).stat()
    script(fails="en-us")  # it is there, so it is not asked for
    result = real_data(data, path)
    assert result.returncode == 0, result.stderr
    assert "clean: 4" in result.stdout
    script(fails="help")
    assert real_data(data, path).returncode == 0
    assert len(log.read_text().splitlines()) == 3
    assert sorted(p.name[:22] for p in data.iterdir()) == sorted(PACKAGES)
    assert next(data.glob(f"{PACKAGES[0]}*")).stat().st_mtime_ns == first.st_mtime_ns


def test_without_apt_get_the_advice_names_packages_and_folder(tmp_path):
    result = real_data(tmp_path / "data", tmp_path)
    assert result.returncode == 1 and "no apt-get" in result.stderr
    assert all(name in result.stderr for name in (*PACKAGES, str(tmp_path / "data")))
