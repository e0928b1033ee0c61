"""torch on the trusted side: modules, parameters and gradients of the learner's.

A learner's nn.Module is mirrored by a real nn.Module with the same parameters under
the same names, so that a check can read them, set them and train them. With each call
their state goes to the sandbox, and comes back. Gradients flow through a call by asking
the sandbox for a vjp.
"""

import torch
from torch import nn

from grading.bridge import codec
from grading.bridge.codec import Decoder, Encoder, ProtocolError, state
from grading.bridge.proxy import Mirrored, Remote


class Mirror(nn.Module, Mirrored):
    def forward(self, *arguments, **named):
        number, root = self.root
        learner = self.remote.__learner__
        learner.modules[number] = root  # it may be an earlier check's
        return learner.call(self.remote, arguments, named)

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
        return learner.modules[number]
    if len(made) > 1000:
        raise ProtocolError("too many modules")
    modules = {}
    for path, (parameters, buffers, others, training, _) in made.items():
        module = modules[path] = Mirror()
        for key, x in parameters.items():  # torch refuses what is no parameter
            module.register_parameter(key, x)
        for key, x in buffers.items():
            module.register_buffer(key, x)
        for key, x in others.items():
            if isinstance(x, torch.Tensor) and not hasattr(nn.Module, key):
                vars(module)[key] = x
        module.training = training is True
        if path:
            parent, _, key = path.rpartition(".")
            modules[parent].add_module(key, module)
    for path, module in modules.items():  # a part is found when it is called
        place, kind = [number, path] if path else number, made[path][4]
        module.__dict__["remote"] = Remote(learner, place, "module", str(kind)[:80])
        module.__dict__["root"] = number, modules[""]
    learner.modules[number] = modules[""]
    return modules[""]


class Crossing(torch.autograd.Function):
    """A call over there, as a node of the graph here: its backward asks there."""

    @staticmethod
    def forward(ctx, ask, count, *tensors):
        ctx.ask, ctx.count = ask, count
        ctx.shapes = [x.shape for x in tensors[count:]]
        return tuple(x.detach().clone() for x in tensors[:count])

    @staticmethod
    def backward(ctx, *gradients):
        found = ctx.ask(list(gradients))
        pairs = zip(found, ctx.shapes, strict=True)
        if not all(x is None or x.shape == shape for x, shape in pairs):
            raise ProtocolError("gradients of other shapes")
        return (None, None, *[None] * ctx.count, *found)


def tracked(learner, graph, made, inputs, result):
    """Return the result with its tensors as outputs of a node of the graph here.

    graph: its number there, which of the made arrays are in it, parameters' names.
    """
    number, places, names = graph
    held = {key: dict(state(module)) for key, module in learner.modules.items()}
    inputs = inputs + [held[key][path] for key, path in names]

    def ask(gradients):
        encode = Encoder(learner)
        fields = {"number": encode(number), "gradients": encode(gradients)}
        reply, data = learner.request("vjp", fields, encode.buffers)
        return Decoder(data, learner)(reply["value"])

    outputs = [made[place].detach() for place in places]
    new = Crossing.apply(ask, len(outputs), *outputs, *inputs)
    pairs = zip(places, new, strict=True)
    return codec.replaced(result, {id(made[place]): x for place, x in pairs})
