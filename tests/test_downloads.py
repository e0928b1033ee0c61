"""What a reader takes away: notebooks that stand alone, read well and run anywhere."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.sign import NotebookNotary

from attend import files
from tests.conftest import PATIENCE
from tools import downloads
from tools.notebooks import ROOT, client, notebooks, read

RAW = re.compile(
    r"\{[\w:-]+\}`|\(eq-[\w-]+\)|^\([\w-]+\)=|^`{3,}\{|\]\([^)]*\.md\b|Fig. \?", re.M
)
ONE_A_PART = (  # read stored runs, draw, translate, train, show what is stored
    "chapters/01_what_attention_is.ipynb",
    "chapters/03_three_stages.ipynb",
    "chapters/14_with_and_without.ipynb",
    "solutions/15_one_layer_four_tasks/15_one_layer_four_tasks.ipynb",
    "chapters/18_inside_a_real_translator.ipynb",
)
EVERY = downloads.chosen()
HIDDEN = "outputs_hidden"  # JupyterLab's word for a folded output


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The zip of the whole book in an empty folder."""
    folder = tmp_path_factory.mktemp("zip")
    with zipfile.ZipFile(downloads.archive(folder)) as packed:
        packed.extractall(folder)
    return folder / downloads.NAME


def test_a_chapter_that_nobody_changed_is_derived_anew(tmp_path):
    """And only what a reader has run or written stays as it is."""
    parts = ["chapters"]
    assert downloads.write(tmp_path, parts) == downloads.write(tmp_path, parts) == []
    changed = tmp_path / "chapters" / "03_three_stages.ipynb"
    changed.write_text(changed.read_text("utf-8").replace("softmax", "my softmax", 1))
    assert downloads.write(tmp_path, parts) == [str(changed)]


def cells(path, kind):
    return [cell for cell in read(path).cells if cell.cell_type == kind]


# ---------------------------------------------------------------- read
def test_every_notebook_is_in_the_zip_and_none_holds_what_only_the_pages_know(unpacked):
    found = {path.relative_to(unpacked) for path in unpacked.rglob("*.ipynb")}
    assert found == {path.relative_to(ROOT) for path in EVERY}
    for path in unpacked.rglob("*.ipynb"):
        for cell in cells(path, "markdown"):
            assert not RAW.search(cell.source), (path.name, cell.id)
    assert any(RAW.search(c.source) for p in EVERY for c in cells(p, "markdown"))


def test_every_link_between_notebooks_leads_somewhere(unpacked):
    count = 0
    for path in unpacked.rglob("*.ipynb"):
        for cell in cells(path, "markdown"):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
                if not target.startswith("http"):
                    assert (path.parent / target).exists(), (path.name, target)
                    count += 1
    assert count > 100


def test_figures_and_equations_have_the_numbers_of_the_pages(pages):
    found = {}
    for page in pages.values():
        for figure in page.xpath("//figure[@id][.//span[@class='caption-number']]"):
            number = figure.xpath("string(.//span[@class='caption-number'])")
            found[figure.get("id")] = number.removeprefix("Fig.").strip()
        for formula in page.xpath("//div[starts-with(@id, 'equation-')]"):
            number = formula.xpath("string(.//span[@class='eqno'])")
            found[formula.get("id").removeprefix("equation-")] = number[1:-2]
    assert found == downloads.labels()
    assert found["fig-03-softmax"] == "3.1"


def test_a_caption_follows_its_figure_and_sources_are_written_out():
    notebook = downloads.derive(ROOT / "chapters" / "03_three_stages.ipynb")
    place = [cell.id for cell in notebook.cells].index("stages-figure")
    number = downloads.labels()["fig-03-stages"]
    assert notebook.cells[place + 1].source.startswith(f"**Fig. {number}.** Attention")
    assert rf"\tag{{{downloads.labels()['eq-03-attention']}}}$$" in str(notebook)
    assert "Neural machine translation by jointly learning" in notebook.cells[-1].source


def folded(source):
    """Return what stands in the folds of a cell's text, and what is left without."""
    fold = re.compile(r"<details>\n<summary>.*?</summary>\n\n(.*?)\n\n</details>", re.S)
    return "\n".join(fold.findall(source)), fold.sub("", source)


def test_what_a_prediction_asks_for_is_folded_as_on_the_page(book, pages):
    count = 0
    for path in notebooks("chapters"):
        notebook = downloads.derive(path)
        page = pages[book / "chapters" / f"{path.stem}.html"]
        answers = page.xpath("//details[@class='covered']/p[starts-with(., 'Answer:')]")
        inside, outside = folded("\n\n".join(c.source for c in notebook.cells))
        assert inside.count("**Answer:**") == len(answers), path.stem
        left = page.xpath("//article//p[starts-with(., 'Answer:')]")
        assert outside.count("**Answer:**") == len(left) - len(answers), path.stem
        hidden = [c for c in notebook.cells if HIDDEN in c.metadata.get("jupyter", {})]
        covered = "//details[@class='covered']/div[contains(@class, 'cell_output')]"
        assert len(hidden) == len(page.xpath(covered)), path.stem
        for cell in hidden:  # a caption says what is seen
            assert cell.outputs[0].data["text/plain"] == downloads.COVERED
            number = downloads.labels().get(downloads.figure(cell).get("name"), "none")
            assert f"**Fig. {number}.**" not in outside, path.stem
        count += len(answers)
    assert count > 50


def test_the_questions_stand_before_the_exercises_with_their_answers_folded():
    for path in notebooks("chapters"):
        texts = [cell.source for cell in downloads.derive(path).cells]
        (text,) = (text for text in texts if "## Check yourself" in text)
        inside, outside = folded(text)
        assert outside.index("## Check") < outside.index("## Exercises"), path.stem
        quiz = yaml.safe_load((downloads.QUIZZES / f"{path.stem}.yml").read_text())
        for question in quiz:
            right = [o.get("right", False) for o in question["options"]]
            verdicts = re.findall(r"\*\*[A-E]\. (Right|No)\.\*\*", inside)[: len(right)]
            assert [verdict == "Right" for verdict in verdicts] == right
            inside = inside.split("**", 2 * len(right))[-1]
        options = [option for question in quiz for option in question["options"]]
        assert len(re.findall(r"^- \*\*[A-E]\.\*\* ", outside, re.M)) == len(options)


def test_the_pages_button_gives_the_derived_notebook(book):
    for path in EVERY:
        button = read(book / "_sources" / path.relative_to(ROOT))
        assert button == downloads.derive(path), path.name


def test_the_first_page_links_the_downloads_with_their_sizes(book, pages):
    intro = pages[book / "book" / "intro.html"]
    links = intro.xpath("//article//a[contains(@href, 'downloads/')]")
    assert {Path(link.get("href")).suffix for link in links} >= {".zip", ".whl"}
    for link in links:
        size = (book / "book" / link.get("href")).stat().st_size
        number, unit = re.search(r"([\d.]+) (MB|kB)", link.tail).groups()
        assert abs(float(number) * {"MB": 1e6, "kB": 1e3}[unit] - size) < 0.1 * size


# ---------------------------------------------------------------- run
@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The Python of an environment that has all packages but the book's own."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.check_output(ask, text=True).strip()
    others = sysconfig.get_path("purelib")  # a plain path: its .pth files do not count
    Path(site, "others.pth").write_text(f"{others}\n")
    return python


def execute(path, python, monkeypatch):
    """Run a notebook by another Python, in the notebook's own folder."""
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_PATH", str(path.parent / "jupyter"))
    kernel = path.parent / "jupyter" / "kernels" / "fresh"
    kernel.mkdir(parents=True, exist_ok=True)
    call = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": call, "display_name": "fresh", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    notebook = read(path)
    resources = {"metadata": {"path": str(path.parent)}}
    options = {"kernel_name": "fresh", "resources": resources, "timeout": 1800}
    NotebookClient(notebook, **options).execute()
    return notebook


def test_a_download_says_what_it_lacks_and_then_runs(
    unpacked, fresh, tmp_path, monkeypatch
):
    """One notebook in an empty folder, then some of each part from the zip."""
    alone = tmp_path / "alone" / "01_what_attention_is.ipynb"
    alone.parent.mkdir()
    nbformat.write(downloads.derive(ROOT / ONE_A_PART[0]), alone)
    said = f"%pip install ./{downloads.WHEEL}"
    with pytest.raises(CellExecutionError, match=re.escape(said)):
        execute(alone, fresh, monkeypatch)
    shutil.copy(unpacked / downloads.WHEEL, alone.parent)
    install = [fresh, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, f"./{downloads.WHEEL}"], cwd=alone.parent, check=True)
    execute(alone, fresh, monkeypatch)
    assert (alone.parent / "14_runs.csv").exists()
    for name in ONE_A_PART:
        execute(unpacked / name, fresh, monkeypatch)


def test_a_bare_assert_says_what_it_means_to_a_reader_who_changed_a_number(tmp_path):
    """Other messages stay as they are: an exercise's check says what is wrong."""
    notebook = downloads.derive(ROOT / "chapters" / "03_three_stages.ipynb")
    (first,) = (cell for cell in notebook.cells if cell.id == "the-books-package")
    failing = ["assert 1 > 2", 'assert 1 > 2, "each row must sum to 1"', "2 / 0", "3"]
    made = [nbformat.v4.new_code_cell(line) for line in (first.source, *failing)]
    executed = nbformat.v4.new_notebook(cells=made)
    client(executed, tmp_path, allow_errors=True).execute()
    errors = [cell.outputs[0] for cell in made[1:]]
    assert [error.get("ename") for error in errors[:3]] == [
        "AssertionError",
        "AssertionError",
        "ZeroDivisionError",
    ]
    assert "nothing is broken" in errors[0].evalue
    shown = re.sub(r"\x1b\[[\d;]*m", "", "".join(errors[0].traceback))
    assert "assert 1 > 2" in shown
    assert errors[1].evalue == "each row must sum to 1"
    assert errors[3].output_type == "execute_result"


def test_a_handed_in_copy_imports_no_more_than_the_exercise_does():
    """The grader remarks on cells that import the book's package."""
    for path in notebooks("exercises"):
        codes = [
            [c.source for c in n.cells] for n in (read(path), downloads.derive(path))
        ]
        before, after = ("\n".join(code).count("from attend") for code in codes)
        assert after - before == ("files.bring" in "\n".join(codes[1])), path.stem


def test_a_file_of_stored_runs_is_put_beside_and_nothing_overwritten(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("16_runs.csv").write_text("mine")
    files.bring("14_runs.csv", "16_runs.csv")
    stored = ROOT / "chapters" / "14_runs.csv"
    assert Path(stored.name).read_bytes() == stored.read_bytes()
    assert Path("16_runs.csv").read_text() == "mine"
    with pytest.raises(FileNotFoundError):
        files.bring("99_nothing.csv")
    assert not Path("99_nothing.csv").exists()


def test_every_file_that_chapters_read_goes_along(unpacked):
    beside = {p.name for p in (ROOT / "chapters").iterdir() if p.is_file()}
    files = {name for name in beside if not name.endswith(".ipynb")}
    assert files == set(downloads.stored()) and "12_model.pt" in files
    with zipfile.ZipFile(unpacked / downloads.WHEEL) as wheel:
        packed = set(wheel.namelist())
    for name in files:
        assert f"attend/runs/{name}" in packed
        assert (unpacked / "chapters" / name).exists()


def test_what_a_reader_changed_is_kept(tmp_path):
    assert downloads.write(tmp_path, ["book"]) == []
    (path,) = tmp_path.rglob("*.ipynb")
    notebook = read(path)
    notebook.cells[-1].source += "\nmy note"
    nbformat.write(notebook, path)
    changed = path.read_bytes()
    assert downloads.write(tmp_path, ["book"]) == [str(path)]
    assert path.read_bytes() == changed


def test_jupyterlab_trusts_what_make_lab_derived(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    downloads.write(tmp_path, ["book"], sign=True)
    (path,) = tmp_path.rglob("*.ipynb")
    assert NotebookNotary().check_signature(nbformat.read(path, as_version=4))


# ---------------------------------------------------------------- JupyterLab
@pytest.fixture(scope="module")
def lab(unpacked, tmp_path_factory):
    """JupyterLab on the zip's folder; its address."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = "--no-browser --allow-root --ServerApp.token= --LabApp.news_url=".split()
    options += [f"--port={port}", f"--ServerApp.root_dir={unpacked}"]
    call = [sys.executable, "-m", "jupyterlab", *options]
    own = dict(os.environ, HOME=str(home), JUPYTER_CONFIG_DIR=str(home))
    server = subprocess.Popen(call, env=own, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/lab"
    wait = urllib.request.Request(f"{address}/api/settings")
    try:
        for _ in range(PATIENCE // 1000):
            try:
                urllib.request.urlopen(wait, timeout=PATIENCE / 1000).close()
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("stem", ["03_three_stages", "12_attention_in_the_decoder"])
def test_jupyterlab_shows_no_raw_role_and_every_caption(lab, unpacked, browser, stem):
    path = unpacked / "chapters" / f"{stem}.ipynb"
    context = browser.new_context(viewport={"width": 1280, "height": 40_000})
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{lab}/workspaces/{stem}/tree/chapters/{path.name}")
    texts = cells(path, "markdown")
    shown = tab.locator(".jp-RenderedMarkdown")
    there = """n => {  // all are drawn, and their formulas set
      const drawn = [...document.querySelectorAll(".jp-RenderedMarkdown")];
      return drawn.filter((text) => text.innerText.trim()).length >= n
        && document.querySelectorAll("mjx-container").length;
    }"""
    tab.wait_for_function(there, arg=len(texts))
    words = "\n".join(shown.all_inner_texts())
    assert not RAW.search(words) and "numref" not in words
    answers = tab.locator(".jp-RenderedMarkdown details")
    assert answers.count() == "".join(text.source for text in texts).count("<details>")
    assert not answers.locator("p, ul").first.is_visible()
    outputs = tab.locator(".jp-OutputPlaceholder")  # what is folded
    before = outputs.count()
    assert before == path.read_text("utf-8").count(HIDDEN) > 0
    told = outputs.all_text_contents()
    assert all(downloads.COVERED in text for text in told), "a fold tells the answer"
    answers.evaluate_all("all => all.forEach((one) => (one.open = true))")
    for _ in range(before):
        outputs.first.dispatch_event("click")  # folded with its code: not visible
    assert not outputs.count()
    assert answers.locator("p, ul").first.is_visible()
    words = "\n".join(shown.all_inner_texts())
    assert not RAW.search(words)
    captions = [text.source for text in texts if text.id.endswith("-caption")]
    names = [re.search(r"Fig\. \d+", caption)[0] for caption in captions]
    assert captions and all(map(words.count, names))
    assert not tab.locator("mjx-merror").count()
    pictures = tab.locator(".jp-OutputArea img")
    assert pictures.count() == len(captions)
    assert all(pictures.evaluate_all("all => all.map((one) => one.naturalWidth > 100)"))
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=Path(folder, f"{stem}.png"))
    context.close()
