"""An edition: one version and date everywhere, and one setting for its address."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from lxml import etree

import attend
from tools import downloads, links, release
from tools.notebooks import ROOT

sys.path.append(str(ROOT / "book" / "_ext"))

import edition  # noqa: E402

EDITION = f"Edition {attend.__version__}, {attend.__date__}"


def test_all_files_name_the_same_edition():
    assert set(release.said().values()) == {release.EDITION}
    assert re.fullmatch(r"\d+\.\d+\.\d+, \d{4}-\d\d-\d\d", release.EDITION)


def test_every_page_and_the_inventory_name_the_edition(book, pages):
    for path, page in pages.items():
        if not page.xpath("//meta[@http-equiv='Refresh']"):  # index.html leads on
            assert EDITION in "".join(page.xpath("//footer//text()")), path
    head = (book / "objects.inv").read_bytes().splitlines()[1:3]
    version = f"# Version: {attend.__version__}"
    assert [line.decode() for line in head] == [
        "# Project: Learning to Attend",
        version,
    ]


def test_every_page_has_a_description_of_its_own(book, pages):
    found = {}
    for path, page in pages.items():
        if page.xpath("//meta[@http-equiv='Refresh']"):
            continue  # it only leads to the first page
        (words,) = page.xpath("//meta[@name='description']/@content")
        assert 30 < len(words) <= 155, (path.name, words)
        found.setdefault(words, []).append(path.name)
    assert all(len(set(names)) == 1 for names in found.values())


def test_a_page_says_how_to_cite_the_book(book, pages):
    shown = pages[book / "book" / "cite.html"].xpath("string(//article//pre)")
    entry = " ".join(shown.split())  # a title may go on in the next line
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    for words in ("@book{", said["title"], attend.__version__, attend.__date__[:4]):
        assert words in entry


def test_release_names_what_does_not_agree(monkeypatch, tmp_path):
    for name in ("CITATION.cff", "CHANGELOG.md"):
        text = (ROOT / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace(attend.__version__, "9.9.9"))
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "HTML", tmp_path)
    monkeypatch.setattr(release, "git", lambda *a: "v1" if a[0] == "tag" else " M file")
    faults = "\n".join(release.faults(release.built()))
    for words in ("CITATION.cff says 9.9.9", "CHANGELOG.md says 9.9.9", "intro.html"):
        assert words in faults
    assert "not committed" in faults and "tagged already" in faults
    with pytest.raises(SystemExit, match="9.9.9"):
        release.main()
    monkeypatch.setattr(sys, "argv", ["release", "--ready"])  # before minutes of work
    with pytest.raises(SystemExit, match="not committed") as stopped:
        release.main()
    assert "intro.html" not in str(stopped.value)


def test_release_says_why_git_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(release, "ROOT", tmp_path)  # no repository
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit, match="git status failed: fatal"):
        release.git("status")


# ---------------------------------------------------------------- the address
def configured(address):
    options = {"extra_footer": "Licence."}
    config = SimpleNamespace(address=address, html_theme_options=options)
    edition.name_edition(None, config)
    return config


def test_without_an_address_nothing_points_outside(book, pages):
    config = configured("")
    assert not hasattr(config, "html_baseurl")
    assert config.html_theme_options == {"extra_footer": f"Licence. {EDITION}."}
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    if not settings["sphinx"]["config"]["address"]:
        assert not (book / "sitemap.xml").exists()
        assert not any(
            page.xpath("//link[@rel='canonical']") for page in pages.values()
        )


@pytest.mark.parametrize(
    "address, repository, colab",
    [
        ("https://some.github.io/attend", "https://github.com/some/attend", True),
        ("https://some.gitlab.io/attend/", "https://gitlab.com/some/attend", False),
        ("https://attend.example/", None, False),
    ],
)
def test_one_setting_switches_on_all(address, repository, colab, tmp_path):
    config = configured(address)
    assert config.html_baseurl == address.rstrip("/") + "/"
    options = config.html_theme_options
    assert options.get("repository_url") == repository
    assert options.get("use_issues_button", False) == bool(repository)
    assert bool(options.get("launch_buttons")) == colab
    builder = SimpleNamespace(name="html", get_target_uri=lambda name: f"{name}.html")
    found = {"chapters/03_three_stages", "book/intro"}
    env = SimpleNamespace(found_docs=found)
    app = SimpleNamespace(outdir=tmp_path, config=config, builder=builder, env=env)
    edition.write_sitemap(app, None)
    places = etree.parse(tmp_path / "sitemap.xml").xpath("//*[local-name()='loc']")
    wanted = {f"{config.html_baseurl}{name}.html" for name in found}
    assert {place.text for place in places} == wanted
    config.address = ""
    edition.write_sitemap(app, None)
    assert not (tmp_path / "sitemap.xml").exists()


def test_with_an_address_a_download_knows_where_the_package_is(monkeypatch):
    monkeypatch.setattr(downloads, "address", lambda: "https://attend.example")
    notebook = downloads.derive(ROOT / "chapters" / "03_three_stages.ipynb")
    (cell,) = (cell for cell in notebook.cells if cell.id == "the-books-package")
    place = f"%pip install https://attend.example/downloads/{downloads.WHEEL}`"
    assert place in cell.source


# ---------------------------------------------------------------- elsewhere
@pytest.mark.parametrize(
    "schema, names",
    [
        ("github-workflows", [".github/workflows/test.yml"]),
        ("github-workflows", [".github/workflows/publish.yml"]),
        ("gitlab-ci", [".gitlab-ci.yml"]),
        ("citation-file-format", ["CITATION.cff"]),
    ],
)
def test_what_runs_elsewhere_is_well_formed(schema, names):
    call = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    call += [f"vendor.{schema}", *names]
    result = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_workflows_and_the_container_run_make_and_name_no_other_target():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    places = [*(ROOT / ".github" / "workflows").iterdir(), ROOT / ".gitlab-ci.yml"]
    container = ROOT / ".devcontainer" / "devcontainer.json"
    settings = json.loads(container.read_text("utf-8"))
    assert Path(container.parent, settings["build"]["dockerfile"]).exists()
    for path in (*places, container):
        called = re.findall(r'(?:^ +|run: |- |")make ([a-z-]+)', path.read_text(), re.M)
        assert called and set(called) <= targets, path.name


def test_links_to_other_hosts_are_listed_once(tmp_path):
    page = (
        '<article><a href="https://a.example/x#y">x</a><a href="b.html">b</a></article>'
    )
    (tmp_path / "a.html").write_text(page + page)
    assert list(links.outside(tmp_path)) == ["https://a.example/x"]
    assert links.fault("http://127.0.0.1:9/nobody")
