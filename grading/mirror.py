"""torch on the trusted side: modules, parameters and gradients of the learner's.

A learner's nn.Module is mirrored by a real nn.Module with the same parameters under
the same names, so that a check can read them, set them and train them. Before each call
what the check changed goes to the sandbox, after it what the learner's code changed
comes back. Gradients flow through a call by asking the sandbox for a vjp.
"""

import torch
from torch import nn

from grading.codec import Decoder, Encoder, ProtocolError, state
from grading.proxy import Mirrored, Remote, replaced


class Mirror(nn.Module, Mirrored):
    def forward(self, *arguments, **named):
        return self.remote.learner.call(self.remote, arguments, named)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("__") or "remote" not in self.__dict__:
                raise
        return getattr(self.remote, name)

    def _get_name(self):
        return self.remote.__name__


def mirror(learner, number, name, trees, decode):
    """Build the mirror of a module, or return the one there is."""
    made = decode(trees)
    if number in learner.modules:
        return learner.modules[number][0]
    if len(made) > 1000:
        raise ProtocolError("too many modules")
    modules = {}
    for path, (parameters, buffers, others, training, _) in made.items():
        module = modules[path] = Mirror()
        for key, x in parameters:
            if not isinstance(x, nn.Parameter):
                raise ProtocolError("a parameter is a tensor")
            module.register_parameter(key, x)
        for key, x in buffers:
            if not isinstance(x, torch.Tensor):
                raise ProtocolError("a buffer is a tensor")
            module.register_buffer(key, x)
        for key, x in others:
            if isinstance(x, torch.Tensor) and not hasattr(nn.Module, key):
                module.__dict__[key] = x
        module.training = training is True
        if path:
            parent, _, key = path.rpartition(".")
            modules[parent].add_module(key, module)
    for path, module in modules.items():  # a part is found when it is called
        place, kind = [number, path] if path else number, made[path][4]
        module.__dict__["remote"] = Remote(learner, place, "module", str(kind)[:80])
    root = modules[""]
    learner.modules[number] = (root, snapshot(root), flags(root))
    return root


def snapshot(module):
    return {key: x.detach().clone() for key, x in state(module)}


def flags(module):
    return {path: part.training for path, part in module.named_modules()}


def push(learner):
    """Send what the check changed of the modules to the learner's process."""
    updates = []
    for number, (module, old, training) in learner.modules.items():
        tensors = {}
        for key, x in state(module):
            same = key in old and x.dtype == old[key].dtype and torch.equal(old[key], x)
            if key in old and not same:
                tensors[key] = old[key] = x.detach().clone()
        now = flags(module)
        changed = {k: v for k, v in now.items() if training.get(k, v) != v}
        training.update(changed)
        if tensors or changed:
            updates.append([number, tensors, changed])
    if updates:
        encode = Encoder(learner.refer)
        learner.request("push", {"updates": encode(updates)}, encode.buffers)


def pull(learner, changes):
    """Take over what the learner's code changed of its modules."""
    for number, tensors in changes.items():
        module, old, _ = learner.modules[number]
        found = dict(state(module))
        for key, x in tensors.items():
            with torch.no_grad():
                found[key].copy_(x)
            old[key] = x.detach().clone()


class Call(torch.autograd.Function):
    """A call in the sandbox, as a node of the trusted graph."""

    @staticmethod
    def forward(ctx, learner, graph, count, *tensors):
        ctx.learner, ctx.graph, ctx.process = learner, graph, learner.process
        outputs = tuple(x.detach().clone() for x in tensors[:count])
        ctx.count, ctx.shapes = count, [x.shape for x in tensors[count:]]
        return outputs

    @staticmethod
    def backward(ctx, *gradients):
        learner, encode = ctx.learner, Encoder(ctx.learner.refer)
        fields = {"graph": encode(ctx.graph), "gradients": encode(list(gradients))}
        reply, data = learner.request("vjp", fields, encode.buffers)
        found = Decoder(data, learner.resolve)(reply["value"])
        fits = [
            x is None or x.shape == s for x, s in zip(found, ctx.shapes, strict=True)
        ]
        if not all(fits):
            raise ProtocolError("gradients of other shapes")
        return (None, None, None, *[None] * ctx.count, *found)


def modes():
    """Return the dispatch modes that a check has switched on, innermost last."""
    return torch.utils._python_dispatch._get_current_dispatch_mode_stack()


class Operation:
    """An operation that happened in the sandbox, for a mode that watches."""

    def __init__(self, name, shapes):
        self.name, self.shapes = name, shapes

    def __str__(self):
        return self.name

    def __call__(self, *arguments, **named):
        return tuple(torch.empty(shape, device="meta") for shape in self.shapes)


def watched(call):
    """Make a call unseen by the check's dispatch mode, then show it the trace."""
    watching = modes()[-1]
    with torch.utils._python_dispatch._disable_current_modes():
        result, trace = call()
        for name, shapes in trace[:100_000]:
            shapes = [[int(n) for n in shape] for shape in shapes]
            watching.__torch_dispatch__(Operation(str(name)[:200], shapes), ())
    return result


def tracked(learner, graph, made, inputs, result):
    """Return the result with its tensors as outputs of a node of the graph."""
    number, places = graph
    parameters = []
    for key in sorted(learner.modules):
        module = learner.modules[key][0]
        parameters += [p for p in module.parameters() if p.requires_grad]
    outputs = [made[place].detach() for place in places]
    new = Call.apply(learner, number, len(outputs), *outputs, *inputs, *parameters)
    table = {id(made[place]): x for place, x in zip(places, new, strict=True)}
    return replaced(result, table)
