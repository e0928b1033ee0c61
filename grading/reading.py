"""Read what learners wrote, without running it: what an answer reaches, what is odd."""

import ast
import contextlib
import dis
from types import CodeType

ODD = "_getframe gc ctypes inspect worker codec forkserver __subclasses__ __globals__"
CHANGES = "add append clear discard extend insert pop popitem remove reverse setdefault"
CHANGES = {*CHANGES.split(), "sort", "update"}
ODD = {*ODD.split(), "settrace", "setprofile", "__code__", "mprotect", "f_back"}


def tree(source):
    """Return the syntax tree of a cell; magics are read as IPython reads them."""
    try:
        return ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        changed = TransformerManager().transform_cell(source)
        if changed.strip() == source.strip():
            raise
        return ast.parse(changed)


def parsed(source):
    """Return the statements of a cell, [] if it is no Python."""
    with contextlib.suppress(Exception):
        return tree(source).body
    return []


def bound(statements):
    """Return the names that statements bind at the top level, in order."""
    names = []
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            stores = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            names += [n.id for n in stores if isinstance(n.ctx, ast.Store)]
    return list(dict.fromkeys(names))


def changed(statements):
    """Return the names of what statements change in place at the top level."""
    names = []
    for node in [n for s in statements for n in outside(s)]:
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if called and node.func.attr in CHANGES:
            node = node.func.value
        elif not isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        names += [node.id] if isinstance(node, ast.Name) else []
    return list(dict.fromkeys(names))


def outside(node):
    """Yield the parts of a statement that run now: not those of its functions."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node
        for part in ast.iter_child_nodes(node):
            yield from outside(part)


def loaded(code):
    """Yield the names that a code object takes from outside of its functions."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from loaded(part)


def names(statement):
    """Return the names that a statement takes from elsewhere."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    module = ast.Module([statement], [])
    try:
        return set(loaded(compile(module, "<cell>", "exec", flags, True)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def told(statement, own):
    """Return the names that a statement says something about."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        pairs = [(x.asname, x.name.partition(".")[0]) for x in statement.names]
        return {short or full for short, full in pairs}
    if hasattr(statement, "name"):
        return {statement.name}
    if own:  # whatever it mentions, it may have changed
        found = (x.id for x in ast.walk(statement) if isinstance(x, ast.Name))
        return set(found)
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    found = [x for t in targets if t for x in ast.walk(t) if isinstance(x, ast.Name)]
    return {x.id for x in found}


def reached(name, cells):
    """Return the text of all that the answer called `name` can come to.

    cells: (text, is it the learner's own?) in the order in which they run: the cell
    that defines the name, and from the others what their statements say about names
    that are used.
    """
    index, body, todo = {}, {}, []
    for text, own in cells:
        statements = parsed(text)
        here = [s for s in statements if name in told(s, False)]
        for statement in statements:
            if own and here:
                todo.append(statement)
            for key in told(statement, own):
                index.setdefault(key, []).append(statement)
    while todo:
        statement = todo.pop()
        if id(statement) not in body:
            body[id(statement)] = statement
            todo += [s for key in names(statement) for s in index.get(key, ())]
    return "\n".join(map(ast.unparse, body.values()))


def oddities(text):
    """Return the names in a cell that honest answers have no use for, for a person."""
    found = set()
    for node in ast.walk(ast.Module(parsed(text), [])):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {part for x in node.names for part in x.name.split(".")}
            found |= {*(getattr(node, "module", None) or "").split(".")}
        found |= {getattr(node, "id", ""), getattr(node, "attr", "")}
    return sorted(found & ODD)
