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
    never: str = ""  # and what is in none of them
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
SDPA = "nn.functional.scaled_dot_product_attention(q, k, v, mask)"
assert SDPA in READY
OWN = READY.replace(
    "layers.split_heads(x, heads)", "x.unflatten(-1, (heads, -1)).transpose(1, 2)"
).replace("layers.merge_heads(made.nan_to_num(0))", "made.transpose(1, 2).flatten(2)")
THREAD = """
import threading
def apart(call, *given):
    made = []
    run = threading.Thread(target=lambda: made.append(call(*given)))
    run.start(), run.join()
    return made[0]
def plainly(q, k, v, mask):
    return nn.functional.scaled_dot_product_attention(q, k, v, mask)
""" + OWN.replace(SDPA, "apart(plainly, q, k, v, mask)")
SCRIPT = """
import torch.nn.functional as F
from typing import Optional
@torch.jit.script
def plainly(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor,
        m: Optional[torch.Tensor]):
    return F.scaled_dot_product_attention(q, k, v, m)
""" + OWN.replace(SDPA, "plainly(q, k, v, mask)")
CODE = """
import types
from attend import attention
def copy(f):
    while hasattr(f, "__wrapped__"):
        f = f.__wrapped__
    return types.FunctionType(f.__code__, f.__globals__, "mine", f.__defaults__)
mine = copy(attention.softmax)
""" + OWN.replace(
    SDPA, "torch.tensor(mine((q @ k.mT / q.shape[-1] ** 0.5).numpy())) @ v"
)
FILE = """
import importlib.util
spec = importlib.util.spec_from_file_location("fresh", layers.__file__)
fresh = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fresh)
""" + OWN.replace("layers.", "fresh.").replace(
    SDPA,
    "fresh.masked_softmax(q @ k.mT / q.shape[-1] ** 0.5, mask) @ v",
)
BYPASS = OWN.replace(
    "    made =", "    with torch._C.DisableTorchFunction():\n     made ="
)
WAYS = {
    "used": READY,
    "imported at the top": IMPORTED,
    "kept in an object": KEPT,
    "by torch.ops": OWN.replace("nn.functional", "torch.ops.aten"),
    "in a thread": THREAD,
    "past the overrides": BYPASS,
    "scripted": SCRIPT,
    "in a copy of the code object": CODE,
    "imported again from its file": FILE,
    "by getattr": OWN.replace(
        SDPA,
        "getattr(nn.functional, 'scaled_dot' + '_product_attention')(q, k, v, mask)",
    ),
    "out of the module's dict": OWN.replace(
        SDPA,
        "[f for n, f in vars(nn.functional).items() if n[:6] == 'scaled'][0](q, k, v, mask)",
    ),
    "by exec": "exec('from torch.nn.functional import scaled_dot_' 'product_attention as f')\n"
    + OWN.replace(SDPA, "f(q, k, v, mask)"),
    "by eval of a name that is put together": OWN.replace(
        SDPA, "eval('nn.functional.scaled_' + 'dot_product_attention')(q, k, v, mask)"
    ),
    "by PyTorch's encoder": OWN.replace(SDPA, "nn.TransformerEncoderLayer and v"),
    "through the book's reference": """
def multi_head_attention(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed=None):
    return reference(Q, K, V, W_Q, W_K, W_V, W_O, heads, allowed)
""",
}

for name, source in WAYS.items():

    @case(f"ready-made and forbidden, {name}", {"blank": 0}, stem="08_self_attention")
    def _(folder, source=source):
        stem = "08_self_attention"
        hand_in(folder, book(stem, blank=source), stem=stem)


@case("ready-made, kept in a scratch cell", {"blank": 0}, stem="08_self_attention")
def _(folder):
    stem = "08_self_attention"
    first = "from torch.nn.functional import scaled_dot_product_attention as mine"
    source = READY.replace("nn.functional.scaled_dot_product_attention", "mine")
    hand_in(folder, book(stem, first=first, blank=source), stem=stem)


BY_NAME = """
def assert_no_peeking(layer, X):
    assert {test}, "it peeks"
"""
for name, test in {
    "name": "layer.__name__ in ('honest', '<lambda>')",
    "qualified name": "'lambda' in layer.__qualname__ or layer.__name__ == 'honest'",
    "text": "'honest' in repr(layer) or 'lambda' in repr(layer)",
    "attributes": "'honest' in str(vars(layer)) or 'lambda' in str(vars(layer))",
}.items():

    @case(
        f"asks a layer for its {name}",
        {"peek": 0 if "q" in name else 2},  # an alarm that always rings gets 2
        stem="06_masks_and_batches",
    )
    def _(folder, test=test):
        stem = "06_masks_and_batches"
        hand_in(folder, book(stem, peek=BY_NAME.format(test=test)), stem=stem)


SPOILED = """
import numpy as np
calls = []
def mended_estimates(questions, degrees, cones, bandwidth):
    right = np.exp(-(((questions[:, None] - degrees) / bandwidth) ** 2) / 2)
    right = (right / right.sum(axis=1, keepdims=True)) @ cones
    calls.append(1)
    {spoil}
    return right
"""
CHAPTER_1 = "01_what_attention_is"
for name, spoil in {
    "for seven calls": "degrees[...] = degrees + (len(calls) < 8)",
    "once": "degrees[...] = degrees + (len(calls) == 4)",
    "when a file is not there yet": "import os\n"
    "    for n in range(4):\n"
    "        if not os.path.exists(f'/tmp/{n}'):\n"
    "            open(f'/tmp/{n}', 'w').close(); degrees[...] = 0; break",
}.items():

    @case(f"spoils its argument {name}", {"mended": 2}, stem=CHAPTER_1)
    def _(folder, spoil=spoil):
        answer = SPOILED.format(spoil=spoil)
        hand_in(folder, book(CHAPTER_1, mended=answer), stem=CHAPTER_1)


HIDE = """
def nothing(x): return b''
try:
    {how}
except ImportError:
    pass
"""
FRAMES = """
import sys
frame = sys._getframe()
while "Worker" not in frame.f_globals:
    frame = frame.f_back
worker = frame.f_globals
"""


@case("spoils its argument and hides it", {"mended": 2}, stem=CHAPTER_1)
def _(folder):
    hide = HIDE.format(how="import worker; worker.content = nothing")
    answer = hide + SPOILED.format(spoil="degrees[...] = 0")
    hand_in(folder, book(CHAPTER_1, mended=answer), stem=CHAPTER_1)


@case("... by way of the frames", {"mended": ...}, says="_getframe", stem=CHAPTER_1)
def _(folder):
    hide = FRAMES + "worker['content'] = lambda x: b''\n"
    answer = hide + SPOILED.format(spoil="degrees[...] = 0")
    hand_in(folder, book(CHAPTER_1, mended=answer), stem=CHAPTER_1)


FAKE = """
class Nothing(nn.Linear):
    def forward(self, X):
        return 0 * super().forward(X)
class MendedLayer(nn.Module):
    def __init__(self, query_width, value_width, output_width, p):
        super().__init__()
        self.dropout = nn.Dropout(p)
        self.linear = Nothing(value_width + query_width, output_width)
    def forward(self, Q, K, V):
        weights = torch.softmax(Q @ K.mT, dim=-1)
        combined = torch.cat([self.dropout(weights) @ V, Q], dim=-1)
        return self.linear(combined), weights
"""


@case("a linear layer that gives 0", {"mended": 0}, stem="07_the_attention_layer")
def _(folder):
    stem = "07_the_attention_layer"
    hand_in(folder, book(stem, mended=FAKE), stem=stem)


@case(
    "the blocks kept in a list",
    {"blockwise": 2},
    "wrong",
    stem="07_the_attention_layer",
)
def _(folder):
    kept = """
def blockwise_attention(Q, K, V, block):
    parts = [K[..., n : n + block, :] for n in range(0, K.shape[-2], block)]
    scores = [Q @ keys.mT / Q.shape[-1] ** 0.5 for keys in parts]
    highest = torch.stack([s.amax(-1, keepdim=True) for s in scores]).amax(0)
    exps = [torch.exp(s - highest) for s in scores]
    total = sum(e.sum(-1, keepdim=True) for e in exps)
    values = [V[..., n : n + block, :] for n in range(0, K.shape[-2], block)]
    return sum(e @ v for e, v in zip(exps, values)) / total
"""
    stem = "07_the_attention_layer"
    hand_in(folder, book(stem, blockwise=kept), stem=stem)


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
    patch = FRAMES + "worker['Worker'].call = lambda self, *a, **k: True"
    hand_in(folder, book(first=patch))


@case(
    "forges the frames",
    {"softmax": 0, "attend": 0, "mended": 0, "query": 0},
    "crashed",
)
def _(folder):
    patch = """
old = worker["Worker"].reply
def reply(self, header, buffers=()):
    if 'views' in header:
        header['value'] = {'callback': 0}
        header['changes'] = [[-1, {'list': [1]}], [10**9, None]]
        header['views'] = [[0, 0, -10**6, [8]]]
        header['modules'] = {'dict': [[0, {'dict': []}]]}
    old(self, header, buffers)
worker["Worker"].reply = reply
"""
    hand_in(folder, book(first=FRAMES + patch))


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
NAMES += ["x;=HYPERLINK(1)", "x ;\t=1+1", "+1", "＝1+1", "a,=2", ";-1|2"]
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


@case("ten thousand files more", says="more")
def _(folder):
    hand_in(folder, book())
    for number in range(10_000):
        (folder / STEM / f"{number} {'long ' * 9}.txt").touch()


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


for name, head in {
    "drawing inline": "%matplotlib inline\n",
    "pictures as SVG": "%config InlineBackend.figure_format = 'svg'\n",
    "reload": "%load_ext autoreload\n%autoreload 2\n",
    "drawing inline by a call": "get_ipython().run_line_magic('matplotlib', 'inline')\n",
    "time of a cell": "%%time\n",
}.items():
    simple(f"magic first in an answer: {name}", {}, softmax=head + RIGHT)
    if head[:2] != "%%":
        simple(
            f"magic before an import: {name}",
            {},
            first=head + "import numpy as np, math as mine\n",
            softmax="mine.pi\n" + RIGHT,
            slow=head[:5] != "%matp",
        )
LATER = RIGHT.replace("(scores)", "(scores: Nowhere) -> Nothing", 1)
simple(
    "annotations that mean nothing yet",
    {},
    first="from __future__ import annotations",
    softmax=LATER,
)
simple(
    "annotations from the answer's own cell",
    {},
    softmax="from __future__ import annotations\n" + LATER,
)
simple(
    "annotations across a magic",
    {},
    first="from __future__ import annotations\n%matplotlib inline",
    softmax="%matplotlib inline\n" + LATER,
    slow=True,
)
AWAIT = """
import asyncio
async def three():
    await asyncio.sleep(0)
    return 3
"""
for name, line in {
    "": "x = await three()",
    " in a loop": "x = sum([await three() for _ in range(1)])",
    " of a task from the cell before": "x = 3; task = asyncio.ensure_future(three())\n"
    "assert await task == 3",
    " by a loop of its own": "x = asyncio.run(three())",
}.items():
    used = "assert x == 3\n" + RIGHT
    simple(f"top-level await{name}", {}, first=AWAIT + line, softmax=used)
simple("await in the answer's cell", {}, softmax=AWAIT + RIGHT + "await three()\n")
for name, end in {
    "long doubles": "old(x).astype(np.longdouble)",
    "a list of long doubles": "[np.longdouble(y) for y in old(x)] if x.ndim == 1 else old(x)",
    "big-endian": "old(x).astype('>f8')",
    "a matrix": "np.asmatrix(old(x)) if x.ndim == 2 else old(x)",
    "a masked array": "np.ma.array(old(x))",
    "complex long doubles": "old(x).astype(np.clongdouble).real",
}.items():
    simple(
        f"gives {name}",
        {},
        softmax=RIGHT + f"old = softmax\ndef softmax(x):\n    return {end}\n",
        slow=name[0] != "l",
    )


@case("six hundred cells of one's own", says="the first 500")
def _(folder):
    notebook = book()
    own = [nbformat.v4.new_code_cell(f"x{n} = {n}") for n in range(600)]
    notebook.cells[1:1] = own
    hand_in(folder, notebook)


PEEK = """
def assert_no_peeking(layer, X):
    L = X.shape[1]
    {way}
    later = torch.ones(L, L).triu(1).bool()
    assert X.shape[1] < 2 or moves[later].max() < 1e-5, "it peeks"
"""
SIZES = "(0, 2, 3, 5)"
for name, way in {
    "jacrev": f"moves = torch.func.jacrev(layer)(X).abs().amax({SIZES})",
    "jacfwd": f"moves = torch.func.jacfwd(layer)(X).abs().amax({SIZES})",
    "vmap": "moves = vmapped(layer, X)",
    "grad": "moves = torch.stack([torch.func.grad(lambda Z: (layer(Z) * one(X, i)).sum())(X)"
    ".abs().amax((0, 2)) for i in range(L)])",
    "vjp": "back = torch.func.vjp(layer, X)[1]\n"
    "    moves = torch.stack([back(one(X, i))[0].abs().amax((0, 2)) for i in range(L)])",
    "jvp": "moves = torch.stack([torch.func.jvp(layer, (X,), (one(X, j),))[1]"
    ".abs().amax((0, 2)) for j in range(L)], 1)",
}.items():
    help = """
def one(X, i):
    tangent = torch.zeros_like(X)
    tangent[:, i] = torch.linspace(0.7, 1.9, X.shape[2])
    return tangent
def vmapped(layer, X):
    L = X.shape[1]
    changed = torch.stack([X + 3 * one(X, j) for j in range(L)])
    return (torch.vmap(layer)(changed) - layer(X)).abs().amax((1, 3)).T
"""

    @case(
        f"peeks by {name}",
        {},
        stem="06_masks_and_batches",
        slow=name not in ("jacrev", "jacfwd", "vmap"),
    )
    def _(folder, way=way, help=help):
        stem = "06_masks_and_batches"
        hand_in(folder, book(stem, peek=help + PEEK.format(way=way)), stem=stem)


COSINE = """
class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        {more}
    def forward(self, Q, K):
        def unit(X):
            lengths = X.norm(dim=-1, keepdim=True)
            return X / torch.where(lengths > 0, lengths, 1)
        return self.scale * unit(Q) @ unit(K).mT
"""
ODD = {
    "with a cycle": "self.inner = nn.Module(); self.inner.outer = [self]; "
    "self.inner.add_module('loop', self)",
    "with a parametrization": "nn.utils.parametrizations.weight_norm("
    "self.__dict__.setdefault('hidden', nn.Linear(2, 3)))",
    "with its own part twice": "self.one = self.two = nn.Identity()",
    "whose parameters() fails": "self.parameters = None",
}
for name, more in ODD.items():

    @case(
        f"a module {name} and other exercises",
        {"cosine": ...},
        says="",
        stem="07_the_attention_layer",
    )
    def _(folder, more=more):
        stem = "07_the_attention_layer"
        hand_in(folder, book(stem, cosine=COSINE.format(more=more)), stem=stem)


for name, mended in {
    "a parametrized linear layer": "nn.utils.parametrizations.orthogonal({})",
    "a linear layer under two names": "{}; self.again = self.linear",
}.items():

    @case(f"{name} and other exercises", {"mended": ...}, stem="07_the_attention_layer")
    def _(folder, mended=mended):
        stem = "07_the_attention_layer"
        answer = FAKE.split("class MendedLayer")[1].replace(
            "Nothing(value_width + query_width, output_width)",
            mended.format("nn.Linear(value_width + query_width, output_width)"),
        )
        source = "class MendedLayer" + answer
        hand_in(folder, book(stem, mended=source), stem=stem)


# ------------------------------------------------------------ what is told

simple(
    "an error of a helper that is not written yet",
    ZERO,
    "wrong",
    "NotImplementedError",
    softmax="def helper(x):\n    raise NotImplementedError('later')\n"
    "def softmax(scores):\n    return helper(scores)\n",
)
simple(
    "what torch has not implemented",
    ZERO,
    "wrong",
    "NotImplementedError",
    softmax="def softmax(scores):\n    x = list(scores)\n"
    "    raise NotImplementedError('\"add\" not implemented for Bool')\n",
)
simple(
    "an answer begun, the stub's last line still there",
    ZERO,
    "missing",
    "still there",
    softmax="def softmax(scores):\n    exps = np.exp(scores)\n"
    "    raise NotImplementedError\n",
)
simple(
    "an object of a class of one's own",
    ZERO,
    "wrong",
    "Scores",
    softmax="class Scores:\n    pass\ndef softmax(scores):\n    return Scores()\n",
)
simple(
    "an object that knows arithmetic",
    ZERO,
    "wrong",
    "Money",
    softmax="class Money:\n    def __sub__(self, x): return 0\n    __abs__ = __sub__\n"
    "def softmax(scores):\n    return Money()\n",
)


@case("an import in the set-up cell", never="imports")
def _(folder):
    notebook = book()
    setup = next(c for c in notebook.cells if "import numpy" in c.source)
    setup.source = "import math\n" + setup.source
    hand_in(folder, notebook)


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
