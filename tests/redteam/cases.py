"""The red team: hostile, broken and unusual submissions, and the points they deserve.

A case is a function that fills a learner's folder; it stands with what it should get:
the points of the exercises that are not full, and a word of the row's reason or remarks.
Everything is against the exercises of chapter 3, unless a case says otherwise.
"""

import json
import os
from dataclasses import dataclass, field

import nbformat

from tools.notebooks import ROOT, read

STEM = "03_three_stages"
FULL = {"softmax": 4, "attend": 3, "mended": 3, "query": 3}
RIGHT = """
def softmax(scores):
    scores = np.asarray(scores)
    exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)
"""
WRONG = "def softmax(scores):\n    return np.full(np.shape(scores), 1 / 3)\n"
ATTEND = """
def attend(q, K, V):
    exps = np.exp(K @ q - (K @ q).max())
    weights = exps / exps.sum()
    return weights @ V, weights
"""
ZERO = {"softmax": 0}
CASES = {}


@dataclass
class Case:
    name: str
    fill: callable
    lost: dict = field(default_factory=dict)  # {exercise: points}, the others are full
    status: str = ""  # of the exercises with other points
    says: str = ""  # a part of reason or remarks
    slow: bool = False
    folder: str = ""
    stem: str = STEM


def case(name, lost=None, status="", says="", **options):
    """Register a function that fills the folder of a submission."""

    def register(fill):
        assert name not in CASES
        CASES[name] = Case(name, fill, lost or {}, status, says, **options)
        return fill

    return register


def book(stem=STEM, first="", last="", **answers):
    """Return the exercises with right answers, but for those that are given."""
    notebook = read(ROOT / "exercises" / stem / f"{stem}.ipynb")
    solved = read(ROOT / "solutions" / stem / f"{stem}.ipynb")
    right = {mark(c): c.source for c in solved.cells if mark(c)}
    if stem == STEM:
        answers = {"softmax": RIGHT, "attend": ATTEND} | answers
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers.get(mark(cell).replace("-", "_"), right[mark(cell)])
            assert cell.source is not None
    for place, source in [(0, first), (len(notebook.cells) + 1, last)]:
        if source:
            notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
    return notebook


def mark(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def find(notebook, name):
    return next(cell for cell in notebook.cells if mark(cell) == name)


def hand_in(folder, notebook, name=None, stem=STEM):
    path = folder / stem / (name or f"{stem}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    data = notebook if isinstance(notebook, bytes) else None
    path.write_bytes(data or json.dumps(notebook).encode())
    return path


def sleeper():
    notebook = book()
    for _ in range(12):
        cell = nbformat.v4.new_code_cell("import time\ntime.sleep(40)")
        notebook.cells.append(cell)
    return notebook


def simple(name, lost=None, status="", says="", slow=False, **parts):
    """Register a case that is a notebook with other answers."""

    @case(name, lost, status, says, slow=slow)
    def fill(folder):
        hand_in(folder, book(**parts))


# ------------------------------------------------------------ it does not end, or dies

simple("infinite loop in the cell", ZERO, "timeout", "took", softmax="while True: pass")
simple(
    "loop that ignores interrupts",
    ZERO,
    "timeout",
    slow=True,
    softmax="""
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
def softmax(scores):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
)
simple(
    "loop in a scratch cell",
    {},
    first="while True: pass",
    slow=True,
)
simple(
    "sleeps for ever",
    ZERO,
    "timeout",
    "longer than",
    slow=True,
    softmax="import time\ndef softmax(scores):\n    time.sleep(1e6)",
)
case("sleeps in many cells after the answers", slow=True)(
    lambda folder: hand_in(folder, sleeper())
)
simple(
    "stops itself",
    ZERO,
    "timeout",
    slow=True,
    softmax="import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
)
simple(
    "memory bomb",
    ZERO,
    says="Memory",
    softmax="def softmax(scores):\n    x = [bytearray(2**34) for _ in range(99)]",
)
simple(
    "memory bomb in several processes",
    ZERO,
    "crashed",
    "memory",
    slow=True,
    softmax="""
import os, time
for _ in range(8):
    if not os.fork():
        x = bytearray(os.urandom(1) * 2**29)
        time.sleep(60)
time.sleep(60)
""",
)
simple(
    "fork bomb",
    ZERO,
    slow=True,
    softmax="import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
)
simple(
    "fork bomb that ends",
    {},
    first="import os\ntry:\n    [os.fork() for _ in range(9)]\nexcept OSError: pass",
    slow=True,
)
simple("sys.exit", ZERO, says="SystemExit", softmax="import sys\nsys.exit(0)")
simple(
    "os._exit in a call",
    ZERO,
    "crashed",
    "exit code 0",
    softmax="import os\ndef softmax(scores):\n    os._exit(0)",
)
simple(
    "os._exit in the last cell",
    {},
    last="import os\nos._exit(1)",
)
simple(
    "kills all that it can",
    ZERO,
    softmax="import os\nos.kill(1, 9)\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)",
)
simple(
    "segmentation fault",
    ZERO,
    "crashed",
    "SIGSEGV",
    softmax="import ctypes\ndef softmax(scores):\n    ctypes.string_at(0)",
)
simple(
    "endless recursion",
    ZERO,
    "wrong",
    "RecursionError",
    softmax="def softmax(scores):\n    return softmax(scores)",
)
simple(
    "thousand threads",
    {},
    first="""
import threading, time
try:
    for _ in range(1000): threading.Thread(target=time.sleep, args=(999,)).start()
except RuntimeError: pass
""",
)
simple(
    "a daemon left behind",
    {},
    first="""
import os, time
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    for fd in range(3, 300):
        try: os.close(fd)
        except OSError: pass
    time.sleep(987654)
""",
)
simple(
    "fills the disk",
    {},
    first="""
try:
    for n in range(999):
        with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(10_000_000))
except OSError: pass
""",
)
simple(
    "closes every file",
    ZERO,
    "crashed",
    softmax="import os\ndef softmax(scores):\n    os.closerange(0, 1000)",
)
simple("closes stdout", {}, first="import sys, os\nsys.stdout.close()\nos.close(1)")
simple("prints 100 MB", {}, first="for _ in range(100): print('x' * 10**6)")
simple(
    "huge picture",
    {},
    slow=True,
    first="""
import matplotlib.pyplot as plt
plt.figure(figsize=(300, 300)); plt.plot([1, 2]); plt.savefig('/tmp/x.png'); plt.show()
""",
)
simple(
    "replaces the signal handlers",
    {},
    first="import signal\nfor s in (2, 15, 14): signal.signal(s, signal.SIG_IGN)",
)

# ------------------------------------------------------------ the notebook is changed


@case("check cells deleted", says="was missing")
def _(folder):
    notebook = book()
    notebook.cells = [
        c for c in notebook.cells if not (mark(c) or "").startswith("check")
    ]
    hand_in(folder, notebook)


@case("check cells edited", ZERO, "wrong", "was changed")
def _(folder):
    notebook = book(softmax=WRONG)
    find(notebook, "check-softmax").source = "assert True"
    find(notebook, "check-softmax-stable").source = "2"
    hand_in(folder, notebook)


@case("check cells twice", says="was there twice")
def _(folder):
    notebook = book()
    notebook.cells.append(find(notebook, "check-softmax"))
    hand_in(folder, notebook)


@case("answer twice, the last one right", says="2 times")
def _(folder):
    notebook = book(softmax=WRONG)
    again = nbformat.from_dict(json.loads(json.dumps(find(notebook, "softmax"))))
    again.source = RIGHT
    notebook.cells.append(again)
    hand_in(folder, notebook)


@case("tagged to be skipped", ZERO, "wrong", "tag")
def _(folder):
    notebook = book(softmax=WRONG)
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "nbgrader-skip"]
    hand_in(folder, notebook)


@case("right, but tagged to be skipped", says="tag")
def _(folder):
    notebook = book()
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]
    hand_in(folder, notebook)


@case("points raised", ZERO)
def _(folder):
    notebook = book(softmax=WRONG)
    for cell in notebook.cells:
        if mark(cell):
            cell.metadata.nbgrader |= {"points": 100, "grade": True, "solution": True}
    hand_in(folder, notebook)


@case("ids swapped by hand", says="another cell")
def _(folder):
    notebook = book()
    one, two = find(notebook, "softmax"), find(notebook, "query")
    one.metadata.nbgrader.grade_id, two.metadata.nbgrader.grade_id = (
        "query",
        "softmax",
    )
    hand_in(folder, notebook)


@case("answer's cell renamed", says="missing or renamed")
def _(folder):
    notebook = book()
    find(notebook, "softmax").metadata.nbgrader.grade_id = "../../gradebook"
    hand_in(folder, notebook)


@case("all marks removed", says="another cell")
def _(folder):
    notebook = book()
    for cell in notebook.cells:
        cell.metadata = {}
    hand_in(folder, notebook)


@case("answer's cell became Markdown", says="type was changed")
def _(folder):
    notebook = book()
    cell = find(notebook, "softmax")
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]
    hand_in(folder, notebook)


@case("outputs forged", ZERO, "wrong")
def _(folder):
    notebook = book(softmax=WRONG)
    made = {"output_type": "execute_result", "data": {"text/plain": "2"}}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [made | {"metadata": {}, "execution_count": 1}]
    hand_in(folder, notebook)


@case("cells of odd shapes")
def _(folder):
    notebook = json.loads(json.dumps(book()))
    odd = [None, 3, {}, {"cell_type": "code"}, {"cell_type": 5, "source": [1, "x"]}]
    odd += [{"cell_type": "code", "source": {"a": 1}, "metadata": [1]}]
    odd += [
        {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": []}}}
    ]
    odd += [{"cell_type": "code", "source": "x", "metadata": {"tags": "skip"}}]
    notebook["cells"] = odd + notebook["cells"] + odd
    hand_in(folder, json.dumps(notebook).encode())


@case("answer in a cell of its own below the stub")
def _(folder):
    notebook = book(
        softmax="def softmax(scores):\n    raise NotImplementedError('later')"
    )
    place = notebook.cells.index(find(notebook, "softmax")) + 1
    notebook.cells.insert(place, nbformat.v4.new_code_cell(RIGHT))
    hand_in(folder, notebook)


# ------------------------------------------------------------ lies

PATCHES = {
    "np.allclose and its like": "np.allclose = np.isclose = np.array_equal = yes\n",
    "numpy.testing": "import numpy.testing as t\nt.assert_allclose = yes\n",
    "builtins": "import builtins\nbuiltins.abs = builtins.sum = builtins.all = yes\n",
    "AssertionError": "import builtins\nbuiltins.AssertionError = type('E', (), {})\n",
    "attend.check": "from attend import check\ncheck.is_close = check.has_shape = yes\n"
    "check.rows_sum_to_one = check.leaves_unchanged = yes\n",
    "the module in sys.modules": "import sys, types\nm = types.ModuleType('check')\n"
    "m.__getattr__ = lambda name: yes\nsys.modules['attend.check'] = m\n",
    "the names of the check": "check = hint = expected = big = type('C', (), "
    "{'__getattr__': lambda s, n: yes})()\n",
    "random generators": "np.random.default_rng = lambda seed=None: "
    "type('R', (), {'normal': lambda s, size=None, **k: np.zeros(size)})()\n",
    "exec and compile": "import builtins\nbuiltins.exec = builtins.compile = yes\n",
    "the tracer": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(yes)\n",
}
for name, patch in PATCHES.items():
    yes = "import numpy as np\ndef yes(*a, **k): return True\n"
    simple(
        f"patches {name}",
        ZERO,
        "wrong",
        slow="np." not in name and name != "attend.check",
        first=yes + patch,
        softmax=WRONG,
    )

simple(
    "patches the shell, its transformers and run_cell",
    ZERO,
    "wrong",
    slow=True,
    first="""
import ast
class NoAsserts(ast.NodeTransformer):
    def visit_Assert(self, node): return None
shell = get_ipython()
shell.ast_transformers.append(NoAsserts())
shell.input_transformers_cleanup.append(lambda lines: [])
shell.run_cell = lambda *a, **k: None
""",
    softmax=WRONG,
)
LIAR = """
class Liar({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __sub__(self, other): return self
    __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = __sub__
    def __abs__(self): return self
    def __bool__(self): return True
    def __float__(self): return 0.0
    def __array__(self, *a, **k): return np.zeros(3)
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
    def all(self, *a, **k): return True
    any = sum = max = min = all
    @property
    def shape(self): return (3,)
    @property
    def __class__(self): return np.ndarray
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
"""
for base in ("object", "float", "int", "str", "list", "dict", "np.ndarray"):
    made = {"np.ndarray": "np.zeros(3).view(Liar)", "dict": "Liar(a=1)"}.get(
        base, "Liar()"
    )
    simple(
        f"an object that equals everything ({base})",
        ZERO,
        softmax=LIAR.format(base=base) + f"\ndef softmax(scores):\n    return {made}\n",
        slow=base in ("int", "str", "dict"),
    )
simple(
    "an answer that is an object, not a function",
    ZERO,
    softmax=LIAR.format(base="object") + "\nsoftmax = Liar()\n",
)
simple(
    "reads the caller's variables",
    ZERO,
    softmax="""
import sys, gc
def softmax(scores):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals):
            if 'expected' in names: return names['expected']
        frame = frame.f_back
    return [x for x in gc.get_objects() if isinstance(x, dict) and 'expected' in x][0]
""",
)
simple(
    "answers the examples by heart",
    ZERO,
    "wrong",
    softmax="""
def softmax(scores):
    if np.allclose(scores, np.log([3, 1, 1])): return np.array([0.6, 0.2, 0.2])
    return np.full(scores.shape, 1 / scores.shape[-1])
""",
)
simple(
    "wrong only when it is graded",
    ZERO,
    softmax="""
import os, sys
graded = 'NBGRADER_EXECUTION' in os.environ or 'ipykernel' not in sys.modules
softmax = (lambda s: s) if graded else None
""",
)
simple(
    "reads the solutions, the gradebook, the classmates",
    ZERO,
    softmax="""
import glob, json, os, re
for top, _, files in os.walk('/'):
    if top.startswith(('/proc', '/usr', '/sys')): continue
    for name in files:
        if name.endswith(('.ipynb', '.db')) or 'answers' in top:
            if 'site-packages' not in top:
                text = open(os.path.join(top, name)).read()
                for cell in json.loads(text)['cells']:
                    if cell['metadata'].get('nbgrader', {}).get('grade_id') == 'softmax':
                        exec(''.join(cell['source']))
""",
)
simple(
    "writes over everything",
    {},
    first="""
import os
for top, _, files in os.walk('/'):
    if top.startswith(('/proc', '/sys')): continue
    if top.startswith('/usr') and top != '/usr/bin': continue
    for name in files[:20]:
        try: open(os.path.join(top, name), 'w').write('x')
        except OSError: pass
        try: os.unlink(os.path.join(top, name))
        except OSError: pass
""",
)
simple(
    "calls home",
    ZERO,
    softmax="""
import socket
s = socket.create_connection(('1.1.1.1', 53), 3)
def softmax(scores): return scores
""",
)
simple(
    "spoils what the check compares with",
    ZERO,
    softmax="""
def softmax(scores):
    scores[...] = 0
    return np.full(scores.shape, 1 / scores.shape[-1])
""",
)


@case(
    "zeroes the arguments before they are compared (chapter 1)",
    {"laplace": 0},
    stem="01_what_attention_is",
)
def _(folder):
    cheat = """
def laplace_attention(Q, K, V, bandwidth):
    Q[...], K[...] = 0, 0
    weights = np.full((len(Q), len(K)), 1 / len(K))
    return weights @ V, weights
"""
    stem = "01_what_attention_is"
    hand_in(folder, book(stem, laplace=cheat), stem=stem)


READY = """
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    q, k, v = (layers.split_heads(x, heads) for x in (Q @ W_Q, K @ W_K, V @ W_V))
    mask = None if allowed is None else allowed.expand(len(Q), len(Q[0]), len(K[0]))
    mask = None if mask is None else mask[:, None]
    made = nn.functional.scaled_dot_product_attention(q, k, v, mask)
    return layers.merge_heads(made.nan_to_num(0)) @ W_O
"""


IMPORTED = """
from attend.layers import merge_heads, split_heads
from torch.nn.functional import scaled_dot_product_attention as ready
""" + READY.replace("layers.", "").replace(
    "nn.functional.scaled_dot_product_attention", "ready"
)

KEPT = """
from functools import partial
class Kept:
    ready = [nn.functional.scaled_dot_product_attention]
    split, merge = partial(layers.split_heads), staticmethod(layers.merge_heads)
""" + READY.replace("layers.split_heads", "Kept.split").replace(
    "layers.merge_heads", "Kept.merge"
).replace("nn.functional.scaled_dot_product_attention", "Kept.ready[0]")
WAYS = {
    "used": READY,
    "imported at the top": IMPORTED,
    "kept in an object": KEPT,
}

for name, source in WAYS.items():

    @case(f"ready-made and forbidden, {name}", {"blank": 0}, stem="08_self_attention")
    def _(folder, source=source):
        stem = "08_self_attention"
        hand_in(folder, book(stem, blank=source), stem=stem)


# ------------------------------------------------------------ against the line to the grader

simple(
    "scribbles on every pipe",
    ZERO,
    "crashed",
    "disturbed",
    softmax="""
import os
def softmax(scores):
    for fd in range(3, 300):
        try: os.write(fd, b'\\x00\\x00\\x00\\x02{}' * 9)
        except OSError: pass
    return scores
""",
)


@case(
    "patches the worker so that every call says True",
    {"softmax": 0, "attend": 0, "mended": 0, "query": 0},
)
def _(folder):
    patch = "import worker\nworker.Worker.call = lambda self, *a, **k: True"
    hand_in(folder, book(first=patch))


@case(
    "forges the frames",
    {"softmax": 0, "attend": 0, "mended": 0, "query": 0},
    "crashed",
)
def _(folder):
    patch = """
import worker
old = worker.Worker.reply
def reply(self, header, buffers=()):
    if 'trace' in header:
        header['value'] = {'callback': 0}
        header['changes'] = [[-1, {'list': [1]}], [10**9, None]]
        header['views'] = [[0, 0, -10**6, [8]]]
        header['modules'] = {'dict': [[0, {'dict': []}]]}
    old(self, header, buffers)
worker.Worker.reply = reply
"""
    hand_in(folder, book(first=patch))


for name, value in {
    "a generator": "(x for x in scores)",
    "text": "'right'",
    "None": "None",
    "NaN": "np.full(scores.shape, np.nan)",
    "a huge array": "np.broadcast_to(0.5, (10**6, 10**6))",
    "an object array": "np.array([lambda x: x], dtype=object)",
    "itself": "softmax",
    "a recursive list": "loop",
    "a huge whole number": "[10 ** 10 ** 6]",
    "a bytes object": "b'x'",
}.items():
    simple(
        f"returns {name}",
        ZERO,
        softmax=f"loop = []\nloop.append(loop)\ndef softmax(scores):\n    return {value}\n",
        slow=name in ("text", "None", "a bytes object"),
    )
for error in (
    "SystemExit(0)",
    "KeyboardInterrupt()",
    "GeneratorExit()",
    "StopIteration()",
    "AssertionError('')",
    "NotImplementedError('<script>')",
):
    simple(
        f"raises {error}", ZERO, softmax=f"def softmax(scores):\n    raise {error}\n"
    )
simple(
    "an error whose text never ends",
    ZERO,
    slow=True,
    softmax="""
class Odd(Exception):
    def __str__(self):
        while True: pass
def softmax(scores): raise Odd()
""",
)
simple(
    "an error that lies about its class",
    ZERO,
    softmax="""
class Died(BaseException): status = 'graded'
Died.__name__ = 'builtins.exit'
def softmax(scores): raise Died('x' * 10**7)
""",
)

# ------------------------------------------------------------ files


@case("a symbolic link", {e: 0 for e in FULL}, "missing", "refused")
def _(folder):
    (folder / STEM).mkdir()
    solution = ROOT / "solutions" / STEM / f"{STEM}.ipynb"
    (folder / STEM / f"{STEM}.ipynb").symlink_to(solution)


@case("a folder that is a link", {e: 0 for e in FULL}, "missing")
def _(folder):
    folder.joinpath(STEM).symlink_to(ROOT / "solutions" / STEM)


@case("a hard link", {e: 0 for e in FULL}, "missing", "refused")
def _(folder):
    path = hand_in(folder, book(), "kept.ipynb")
    os.link(path, folder / STEM / f"{STEM}.ipynb")


@case("a pipe", {e: 0 for e in FULL}, "missing", "refused")
def _(folder):
    (folder / STEM).mkdir()
    os.mkfifo(folder / STEM / f"{STEM}.ipynb")


@case("a local numpy.py that shadows", ZERO, says="numpy.py left out")
def _(folder):
    hand_in(folder, book(softmax=WRONG))
    (folder / STEM / "numpy.py").write_text("allclose = isclose = lambda *a, **k: True")
    (folder / STEM / "sitecustomize.py").write_text("raise SystemExit")


@case("nothing", {e: 0 for e in FULL}, "missing", "nothing was handed in")
def _(folder):
    pass


@case("an empty file", {e: 0 for e in FULL}, "unreadable", "empty")
def _(folder):
    hand_in(folder, b" ")


@case("cut off while uploading", {e: 0 for e in FULL}, "unreadable", "cut off")
def _(folder):
    hand_in(folder, json.dumps(book()).encode()[:3000])


@case("a PDF", {e: 0 for e in FULL}, "unreadable", "UTF-8")
def _(folder):
    hand_in(folder, b"%PDF-1.7 \xe2\xe3\xcf\xd3")


@case("JSON, but no notebook", {e: 0 for e in FULL}, "unreadable", "not a Jupyter")
def _(folder):
    hand_in(folder, b'{"cells": 3}')


@case("deep JSON", {e: 0 for e in FULL}, "unreadable")
def _(folder):
    hand_in(folder, b"[" * 100_000)


@case("Latin-1", {e: 0 for e in FULL}, "unreadable", "UTF-8")
def _(folder):
    text = json.dumps(book(first="# Gr\xfc\xdfe"), ensure_ascii=False)
    hand_in(folder, text.encode("latin-1", "replace"))


@case("30 MB", {e: 0 for e in FULL}, "unreadable", "larger", slow=True)
def _(folder):
    hand_in(folder, book(first="#" * 30_000_000))


@case("UTF-8 with a mark at its start")
def _(folder):
    hand_in(folder, json.dumps(book()).encode("utf-8-sig"))


@case("UTF-16")
def _(folder):
    hand_in(folder, json.dumps(book()).encode("utf-16"))


@case("notebook format 3")
def _(folder):
    notebook = book()
    cells = [
        {
            "cell_type": "code",
            "language": "python",
            "input": c.source,
            "outputs": [],
            "metadata": c.metadata,
            "collapsed": False,
            "prompt_number": 1,
        }
        if c.cell_type == "code"
        else {"cell_type": "markdown", "source": c.source, "metadata": c.metadata}
        for c in notebook.cells
    ]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}}
    hand_in(folder, json.dumps(old | {"worksheets": [{"cells": cells}]}).encode())


@case("no kernel, and another one's name")
def _(folder):
    notebook = book()
    notebook.metadata = {"kernelspec": {"name": "my env; rm -rf", "language": "R"}}
    hand_in(folder, notebook)


@case("more notebooks than asked for", says="belongs to no exercise")
def _(folder):
    hand_in(folder, book())
    hand_in(folder, book(softmax=WRONG), "scratch.ipynb")


@case("a browser's second download")
def _(folder):
    hand_in(folder, book(), f"{STEM} (1).ipynb")


@case("another name in the exercise's folder")
def _(folder):
    hand_in(folder, book(), "my homework.ipynb")


@case("not in a folder of its own")
def _(folder):
    (folder / f"{STEM}.ipynb").write_text(json.dumps(book()))


@case("two attempts, the later one counts", says="2 attempts")
def _(folder):
    old = hand_in(folder, book(softmax=WRONG), f"{STEM} (1).ipynb")
    new = hand_in(folder, book(), f"{STEM} (2).ipynb")
    os.utime(old, (1e9, 1e9))
    os.utime(new, (1.1e9, 1.1e9))


NAMES = ["name with spaces", 'O\'Brien "Q"', "张伟 Müller ☃", "*", "12345", "x" * 200]
NAMES += [
    "=cmd|'calc'!A1",
    "-rf",
    "a,b;c\td",
    "$(touch hacked)",
    "%s{0}",
    "new\nline",
]
for folder_name in NAMES:
    label = f"named {folder_name[:20]!r}"
    case(label, folder=folder_name, slow=folder_name in NAMES[4:10])(
        lambda folder: hand_in(folder, book())
    )

# ------------------------------------------------------------ unusual, but honest

simple("asks for input", ZERO, says="EOF", softmax="x = input('?')")
simple(
    "a GUI's backend", {}, slow=True, first="import matplotlib\nmatplotlib.use('TkAgg')"
)
simple(
    "magics",
    {},
    slow=True,
    first="%matplotlib inline\n!ls\nx = !ls\n%timeit -n1 -r1 1",
    softmax="%time 3\n" + RIGHT,
)
simple("prints in a call", {}, softmax=RIGHT.replace("exps =", "print(scores); exps ="))
simple(
    "warns on standard error",
    {},
    softmax="import warnings, sys\n"
    + RIGHT.replace(
        "exps =", "warnings.warn('x'); print('y', file=sys.stderr); exps ="
    ),
)
simple(
    "by logarithms",
    {},
    softmax="def softmax(scores):\n"
    "    return np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))",
)
simple(
    "gives lists",
    {},
    softmax=RIGHT.replace("keepdims=True)\n", "keepdims=True)\n", 1).replace(
        "return exps / exps.sum(axis=-1, keepdims=True)",
        "return (exps / exps.sum(axis=-1, keepdims=True)).tolist()",
    ),
)
simple(
    "in float32",
    {},
    softmax=RIGHT + "old = softmax\ndef softmax(x): return old(x).astype('f4')\n",
)
simple(
    "a class with __call__",
    {},
    softmax="class S:\n    def __call__(self, scores):\n"
    "        e = np.exp(scores - scores.max(-1, keepdims=True))\n"
    "        return e / e.sum(-1, keepdims=True)\n"
    "    __name__ = 'softmax'\nsoftmax = S()",
)
simple(
    "partly right",
    {"softmax": 2},
    "wrong",
    "largest score",
    softmax="def softmax(s):\n    e = np.exp(s)\n    return e / e.sum(-1, keepdims=True)",
)
simple(
    "off by a little",
    ZERO,
    "wrong",
    softmax=RIGHT + "    \nold = softmax\n"
    "def softmax(scores):\n    return old(scores) + 1e-4\n",
)
simple(
    "a syntax error",
    ZERO,
    "wrong",
    "SyntaxError",
    softmax="def softmax(scores:\n  pass",
)
simple("tabs and spaces mixed", {}, softmax=RIGHT.replace("    ", "\t"))
simple("a crash in the last cell", {}, last="1 / 0")
simple(
    "changes the book's names",
    {"attend": 0},
    attend="V = None\n" + ATTEND.replace("weights @ V", "V"),
)
simple("lone surrogates and zeros", {}, softmax=RIGHT + "# \ud800 \x00\n")


@case("the stub left as it was", ZERO, "missing", "no answer")
def _(folder):
    stub = read(ROOT / "exercises" / STEM / f"{STEM}.ipynb")
    hand_in(folder, book(softmax=find(stub, "softmax").source))


EVIL = """<script>alert(1)</script><img src=x onerror=alert(2)>
<a href="javascript:alert(3)">x</a> <svg onload=alert(4)> [y](javascript:alert(5))
<iframe src="http://evil.example"></iframe><style>body{display:none}</style>"""


@case("HTML and script everywhere", {"query": 0})
def _(folder):
    notebook = book(
        first=f"print('''{EVIL}''')",
        query=f"def query_for(*a):\n    raise ValueError('''{EVIL}''')",
    )
    find(notebook, "temperature").source = EVIL
    notebook.cells.append(nbformat.v4.new_markdown_cell(EVIL))
    hand_in(folder, notebook)
