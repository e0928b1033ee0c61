"""torch on the trusted side: modules, parameters and gradients of the learner's.

A learner's nn.Module is mirrored by a real nn.Module with the same parameters under
the same names, so that a check can read them, set them and train them. Before each call
what the check changed goes to the sandbox, after it what the learner's code changed
comes back. Gradients flow through a call by asking the sandbox for a vjp.
"""

from pkgutil import resolve_name

import torch
from torch import nn

from grading.bridge import codec
from grading.bridge.codec import Decoder, Encoder, ProtocolError, copies, state
from grading.bridge.proxy import Mirrored, Remote


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

    def __setattr__(self, name, value):
        remote = self.__dict__.pop("remote", None)  # torch asks if the name is free
        super().__setattr__(name, value)
        self.__dict__["remote"] = remote

    def _get_name(self):
        return self.remote.__name__


def mirror(learner, number, trees, decode):
    """Build the mirror of a module, or return the one there is."""
    made = decode(trees)
    if number in learner.modules:
        return learner.modules[number][0]
    if len(made) > 1000:
        raise ProtocolError("too many modules")
    modules = {}
    for path, (parameters, buffers, others, training, _) in made.items():
        module = modules[path] = Mirror()
        if not all(isinstance(x, nn.Parameter) for _, x in parameters):
            raise ProtocolError("a parameter is a tensor")
        for key, x in parameters:
            module.register_parameter(key, x)
        for key, x in buffers:  # which are tensors, or torch refuses
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
    learner.modules[number] = (root, copies(state(root)), flags(root))
    return root


def functions(places):
    """Return {place: what it holds now}, for modules and classes by name."""
    return {place: dict(vars(resolve_name(place))) for place in places}


def patched(usual):
    """Return [[place, name, function]] of what a check has put over the usual."""
    return [
        [place, name, x]
        for place, old in usual.items()
        for name, x in list(vars(resolve_name(place)).items())
        if x is not old.get(name) and callable(x)
    ]


def flags(module):
    return {path: part.training for path, part in module.named_modules()}


def push(learner):
    """Send what the check changed of the modules to the learner's process."""
    updates = []
    for number, (module, old, training) in learner.modules.items():
        tensors, now = codec.changed(module, old), flags(module)
        switched = {k: v for k, v in now.items() if training.get(k, v) != v}
        training.update(switched)
        if tensors or switched:
            updates.append([number, tensors, switched])
    if updates:
        encode = Encoder(learner.refer)
        learner.request("push", {"updates": encode(updates)}, encode.buffers)


def pull(learner, changes):
    """Take over what the learner's code changed of its modules."""
    for number, tensors in changes.items():
        module, old, _ = learner.modules[number]
        found = dict(state(module))
        for key, x in tensors.items():
            codec.put(found[key], x)
        old.update(copies(tensors.items()))


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
    for key in sorted(learner.modules):
        module = learner.modules[key][0]
        inputs = inputs + [p for p in module.parameters() if p.requires_grad]

    def ask(gradients):
        encode = Encoder(learner.refer)
        fields = {"number": encode(number), "gradients": encode(gradients)}
        reply, data = learner.request("vjp", fields, encode.buffers)
        return Decoder(data, learner.resolve)(reply["value"])

    return codec.joined(result, made, places, inputs, ask)
