"""What stands on the trusted side for the learner's functions, classes and objects.

Nothing of the learner's is ever evaluated here: calls go to the sandbox, plain data
comes back.
"""

import operator


class Remote:
    """A learner's function, class or object: calls and attributes go to the sandbox."""

    def __init__(self, learner, number, kind, name):
        fields = {"learner": learner, "number": number, "kind": kind}
        fields |= {"process": learner.process, "__name__": name, "__qualname__": name}
        self.__dict__.update(fields)

    def __call__(self, *arguments, **named):
        return self.learner.call(self, arguments, named)

    def __there__(self, helper, *arguments):
        """Call helper(self, …), which both sides can import, where the thing is."""
        return self.learner.call(helper, (self, *arguments), {})

    def __array__(self, *arguments, **named):
        raise TypeError(self.no_data())

    def no_data(self):
        what = {"function": "a function", "class": "a class"}.get(self.kind)
        what = what or f"an object of the class {self.__name__}"
        return f"{what} came where numbers, an array or a tensor should be"

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self.learner.call(getattr, (self, name), {})

    def __setattr__(self, name, value):
        if name in ("__name__", "__qualname__", "__doc__", "__source__"):
            self.__dict__[name] = value
        else:
            self.learner.call(setattr, (self, name, value), {})

    def __getitem__(self, key):
        return self.learner.call(operator.getitem, (self, key), {})

    def __len__(self):
        return int(self.learner.call(len, (self,), {}))

    def __iter__(self):
        return iter(self.learner.call(list, (self,), {}))

    def __instancecheck__(self, x):
        same = getattr(type(x), "learner", None) or isinstance(x, Remote | Mirrored)
        return bool(same) and self.learner.call(isinstance, (x, self), {}) is True

    def __bool__(self):
        if self.kind in ("function", "class"):
            return True
        raise TypeError(self.no_data())

    def __eq__(self, other):
        if self is other or self.kind in ("function", "class"):
            return self is other
        raise TypeError(self.no_data())

    __hash__ = object.__hash__


def refused(self, *others):
    raise TypeError(self.no_data())


ARITHMETIC = "add sub mul truediv floordiv mod pow matmul and or xor".split()
for name in [*ARITHMETIC, *(f"r{x}" for x in ARITHMETIC), *"lt le gt ge".split()]:
    setattr(Remote, f"__{name}__", refused)
for name in "neg abs float int complex index round".split():
    setattr(Remote, f"__{name}__", refused)


class Mirrored:
    """What stands for a learner's torch module (see mirror.py)."""
