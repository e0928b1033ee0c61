"""A check's function of tensors, as PyTorch's transforms see it in the sandbox.

It runs on the other side, so autograd and torch.func (grad, vjp, jvp, vmap and what is
made of them) ask there for each thing that they need, tensors by tensors.
"""

import operator

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten


class Ask(torch.autograd.Function):
    @staticmethod
    def forward(ask, how, *tensors):
        return ask(how, [tensors])[0]

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.ask, ctx.how, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx, *gradients):
        return None, None, *differentiated(ctx, "vjp", gradients)

    @staticmethod
    def jvp(ctx, _ask, _how, *tangents):
        return differentiated(ctx, "jvp", tangents)

    @staticmethod
    def vmap(info, places, ask, how, *tensors):
        pairs = list(zip(tensors, places[2:], strict=True))
        many = [
            [x if at is None else x.select(at, n) for x, at in pairs]
            for n in range(info.batch_size)
        ]
        if watched(tensors):  # by a transform around this one
            made = [Ask.apply(ask, how, *one) for one in many]
        else:
            made = ask(how, many)
        made = [torch.stack(parts) for parts in zip(*made, strict=True)]
        return tuple(made), (0,) * len(made)


def differentiated(ctx, how, vectors):
    if ctx.how != "call":
        raise RuntimeError("a function of the check has first derivatives only")
    return Ask.apply(ctx.ask, how, *vectors, *ctx.saved_tensors)


def wanted(x):
    """Say whether something has derivatives with respect to x."""
    return isinstance(x, torch.Tensor) and (x.is_floating_point() or x.is_complex())


def watched(leaves):
    """Say whether PyTorch wants to know what becomes of the tensors."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return True
    return torch.is_grad_enabled() and any(x.requires_grad for x in leaves)


def through(request, arguments, named):
    """Call request(how, [[vectors, arguments, named], …]), seen by the transforms.

    how: "call", which returns the function's results; "vjp" or "jvp", which return what
    each list of vectors (of the results' or of the inputs' shapes) becomes.
    """
    leaves, shape = tree_flatten((arguments, named))
    places = [n for n, x in enumerate(leaves) if wanted(x)]
    inputs = [leaves[n] for n in places]
    if not watched(inputs):
        return request("call", [[[], arguments, named]])[0]
    kept = {}

    def ask(how, many):
        asked, known = [], None
        for tensors in many:
            vectors, inputs = tensors[: -len(places)], tensors[-len(places) :]
            if how != "call" and known and all(map(operator.is_, inputs, known)):
                asked[-1][0].append(list(vectors))
                continue
            known, given = inputs, list(leaves)
            for n, x in zip(places, inputs, strict=True):
                given[n] = x.detach().requires_grad_(how != "call")
            asked.append([[list(vectors)], *tree_unflatten(given, shape)])
        made = request(how, asked)
        if how != "call":
            return [tuple(one) for several in made for one in several]
        made, shapes = zip(*map(tree_flatten, made), strict=True)
        kept["leaves"], kept["shape"] = made[0], shapes[0]
        return [tuple(x.detach() for x in one if wanted(x)) for one in made]

    made = iter(Ask.apply(ask, "call", *inputs))
    made = [next(made) if wanted(x) else x for x in kept["leaves"]]
    return tree_unflatten(made, kept["shape"])


def derivative(how, function, vectors, arguments, named):
    """Answer a request of `through` for "vjp" or "jvp", on the function's own side."""
    leaves, shape = tree_flatten((arguments, named))
    places = [n for n, x in enumerate(leaves) if wanted(x) and x.requires_grad]

    def flat(*inputs):
        given = list(leaves)
        for n, x in zip(places, inputs, strict=True):
            given[n] = x
        arguments, named = tree_unflatten(given, shape)
        made = tree_flatten(function(*arguments, **named))[0]
        return tuple(x for x in made if wanted(x))

    inputs = tuple(leaves[n] for n in places)
    with torch.enable_grad():
        if how == "jvp":
            plain = tuple(x.detach() for x in inputs)
            return [list(torch.func.jvp(flat, plain, tuple(one))[1]) for one in vectors]
        outputs = flat(*inputs)
        return [pulled_back(outputs, inputs, one) for one in vectors]


def pulled_back(outputs, inputs, vectors):
    pairs = zip(outputs, vectors, strict=True)
    pairs = [(x, v) for x, v in pairs if x.requires_grad]
    if not pairs:
        return [torch.zeros_like(x) for x in inputs]
    outputs, vectors = zip(*pairs, strict=True)
    options = {"allow_unused": True, "retain_graph": True, "materialize_grads": True}
    return list(torch.autograd.grad(outputs, inputs, vectors, **options))
