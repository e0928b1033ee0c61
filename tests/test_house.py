"""House rules, where a program can judge them."""

import ast
import graphlib
import re
import statistics
import subprocess
import sys

import pytest

from tools.notebooks import METADATA, ROOT, normalise, notebooks, read, text

CHAPTERS = notebooks("chapters")
AUTHORED = notebooks("book", "chapters", "solutions")
MACHINE = re.compile(r"/(home|root|Users|tmp)/\w|[A-Z]:\\\\")
IMAGE = re.compile(r"!\[[^\]]*\]\(\s*https?:|<img[^>]+src=[\"']?https?:")


def name(path):
    return str(path.relative_to(ROOT))


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def pictures(cell):
    """Return the picture types among the cell's outputs."""
    kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
    return {kind for kind in kinds if kind.startswith("image/")}


@pytest.mark.parametrize("path", AUTHORED, ids=name)
def test_notebooks_are_normal(path):
    content = path.read_text(encoding="utf-8")
    assert text(normalise(read(path))) == content, "run: make run NB=…, or make format"
    assert read(path).metadata == METADATA


@pytest.mark.parametrize("path", AUTHORED, ids=name)
def test_every_cell_was_run_and_wrote_no_warning(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", f"{cell.id}: {output.text}"


@pytest.mark.parametrize("path", AUTHORED, ids=name)
def test_no_paragraph_waits_for_its_words(path):
    """A word in capitals for a paragraph to come (TODO, RECIPEREAD) was once shown."""
    for cell in read(path).cells:
        waits = re.findall(r"(?m)^[A-Z_]{4,}$|\bTODO\b|\bFIXME\b", cell.source)
        assert cell.cell_type == "code" or not waits, f"{cell.id}: {waits}"


@pytest.mark.parametrize("path", AUTHORED, ids=name)
def test_no_output_is_the_address_of_an_object(path):
    """A cell must not end in torch.manual_seed(…): the page would show a Generator."""
    for cell in code_cells(path):
        for output in cell.outputs:
            shown = output.get("data", {}).get("text/plain", output.get("text", ""))
            assert not re.search(r"<[\w.]+ .*at 0x", shown), f"{cell.id}: {shown}"


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_title_says_number_and_idea_of_the_stem(path):
    number, *words = path.stem.split("_")
    title = read(path).cells[0].source.splitlines()[0]
    assert title.startswith(f"# {int(number)}. ")
    letters = re.sub(r"[^a-z]+", " ", title.lower())
    assert all(word in letters.split() for word in words), title


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_cells_are_short(path):
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code_cells(path)}
    classes = {cell.id for cell in code_cells(path) if cell.source.startswith("class ")}
    for cell, length in lengths.items():
        assert length <= (40 if cell in classes else 25), cell
    assert statistics.median(lengths.values()) <= 12
    assert next(iter(lengths.values())) <= 12, "the set-up cell is short"


@pytest.mark.parametrize("path", AUTHORED, ids=name)
def test_every_figure_says_what_is_to_be_seen(path):
    for cell in code_cells(path):
        if not pictures(cell):
            continue
        settings = cell.metadata.get("mystnb", {})
        alt = settings.get("image", {}).get("alt", "")
        caption = settings.get("figure", {}).get("caption", "")
        assert len(alt.split()) >= 10, f"{cell.id}: the alt text says too little"
        assert caption and caption != alt, f"{cell.id}: a caption of its own"


@pytest.mark.parametrize(
    "path", notebooks("chapters", "solutions", "exercises"), ids=name
)
def test_no_path_of_a_machine_and_no_picture_from_elsewhere(path):
    for cell in read(path).cells:
        assert not MACHINE.search(cell.source), cell.id
        assert not IMAGE.search(cell.source), cell.id
        for output in cell.get("outputs", []):
            assert not MACHINE.search(str(output.get("text", ""))), cell.id


def definitions(tree):
    """Return {name: syntax tree without positions, decorators} of all at the top."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []  # the guards, which a page leaves out
            found[node.name] = ast.dump(node)
    return found


def sections(path):
    """Yield (chapter number, source) of a module cut at its chapter lines."""
    parts = re.split(r"^# -+ chapter (\d+)\n", path.read_text("utf-8"), flags=re.M)
    yield from zip(parts[1::2], parts[2::2], strict=True)


@pytest.mark.parametrize(
    "module",
    ["attention.py", "layers.py", "seq2seq.py", "transformer.py", "decoder_only.py"],
)
def test_the_package_holds_the_same_text_as_the_chapters(module):
    path = ROOT / "attend" / module
    if not path.exists():
        pytest.skip(f"attend/{module} is not written yet")
    compared = 0
    for number, source in sections(path):
        (chapter,) = (ROOT / "chapters").glob(f"{int(number):02}_*.ipynb")
        taught = {}
        for cell in code_cells(chapter):
            taught |= definitions(ast.parse(cell.source))
        for function, tree in definitions(ast.parse(source)).items():
            assert taught.get(function) == tree, f"{chapter.name}: {function} differs"
            compared += 1
    assert compared == len(definitions(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_a_chapter_imports_only_what_earlier_ones_built(path):
    """A function may grow in a later chapter: its first form counts."""
    number, built = int(path.stem[:2]), {}
    for chapter in CHAPTERS:
        for cell in code_cells(chapter):
            for function in definitions(ast.parse(cell.source)):
                built.setdefault(function, int(chapter.stem[:2]))
    modules = ("attention", "layers", "seq2seq", "transformer", "decoder_only")
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.module in [
                f"attend.{module}" for module in modules
            ]:
                for alias in node.names:
                    chapter = built[alias.name]
                    assert chapter < number, f"{alias.name} is built in {chapter}"


def test_imports_point_one_way():
    for path in (ROOT / "attend").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = [alias.name for alias in node.names]
                modules = [getattr(node, "module", None) or "", *names]
                assert not {"grading", "tools", "tests"} & set(modules), path


def imports(path, modules):
    """Yield what a file imports anywhere in it: names, those of modules in full."""
    home = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inside = [f"{base}.{alias.name}" for alias in node.names]
            yield from (x if x in modules else base for x in inside)


def graph_of_imports(folders=("attend", "grading", "tools", "tests")):
    """Return {module: what it imports} of all that is ours."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    names = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in files
    }
    return {name: set(imports(path, names)) for name, path in names.items()}


def test_imports_go_round_in_no_circle():
    graph = graph_of_imports()
    assert len(graph) > 60 and "grading.intake" in graph["grading.__main__"]
    found = {name: wanted & graph.keys() for name, wanted in graph.items()}
    list(graphlib.TopologicalSorter(found).static_order())  # or CycleError names it


def test_the_bridge_knows_no_class_and_the_class_no_frames():
    graph = graph_of_imports(["grading"])
    inside = {name for name in graph if name.startswith("grading.bridge")}
    flat = {"codec", "worker", "forkserver"}  # how they find each other in the sandbox
    plain = {*sys.stdlib_module_names, "numpy", "torch", "IPython", "ipykernel"}
    for name in inside:
        wanted = {x.split(".")[0] for x in graph[name] - inside - flat}
        assert wanted <= plain, f"{name} imports {wanted - plain}"
    doors = {"grading.bridge", "grading.bridge.sandbox", "grading.bridge.session"}
    for name in graph.keys() - inside:
        assert graph[name] & inside <= doors, f"{name} looks behind the bridge's doors"


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command):
    call = [sys.executable, "-m", "ruff", *command, "."]
    result = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
