"""What stands on the trusted side for the learner's functions, classes and objects.

Nothing of the learner's is ever evaluated here: calls go to the sandbox, plain data
comes back. What an object says of itself (is it equal, larger, the sum?) is believed
only where the exercise asks for a class with such a method (`Learner.special`).
"""

import operator


class Remote:
    """A learner's function, class or object: calls and attributes go to the sandbox.

    Its own fields have names with underscores, since any other may be the learner's.
    """

    __doc__ = property(lambda self: there(self, getattr, "__doc__"))

    def __init__(self, learner, number, kind, name):
        fields = {"__learner__": learner, "__number__": number, "__kind__": kind}
        fields |= {"__process__": learner.process}
        self.__dict__.update(fields | {"__name__": name, "__qualname__": name})

    def __call__(self, *arguments, **named):
        return self.__learner__.call(self, arguments, named)

    def __there__(self, helper, *arguments):
        """Call helper(self, …), which both sides can import, where the thing is."""
        return there(self, helper, *arguments)

    def __array__(self, *arguments, **named):
        raise TypeError(no_data(self))

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return there(self, getattr, name)

    def __setattr__(self, name, value):
        if name in ("__name__", "__qualname__", "__source__"):
            self.__dict__[name] = value
        else:
            there(self, setattr, name, value)

    def __getitem__(self, key):
        return there(self, operator.getitem, key)

    def __setitem__(self, key, value):
        there(self, operator.setitem, key, value)

    def __len__(self):
        return int(there(self, len))

    def __contains__(self, x):
        if has(self, "__contains__"):
            return there(self, operator.contains, x) is True
        return any(x is y or x == y for y in self)

    def __iter__(self):
        return there(self, iter)

    def __next__(self):
        try:
            return there(self, next)
        except Exception as error:
            if getattr(error, "kind", "") == "StopIteration":
                raise StopIteration from None
            raise

    def __enter__(self):
        return there(self, getattr, "__enter__")()

    def __exit__(self, *error):
        there(self, getattr, "__exit__")(None, None, None)
        return False  # it may not swallow what the check raises

    def __mro_entries__(self, bases):
        raise TypeError(f"a check cannot derive a class from {self!r}")

    def __instancecheck__(self, x):
        known = isinstance(x, Remote | Mirrored)
        return known and there(self, isinstance, x, back=True) is True

    def __bool__(self):
        return not has(self, "__bool__", "__len__") or there(self, bool) is True

    def __eq__(self, other):
        if has(self, "__eq__"):
            return there(self, operator.eq, other)
        if other is None or isinstance(other, Remote) or self.__kind__ != "object":
            return self is other
        raise TypeError(no_data(self))

    def __hash__(self):
        return there(self, hash) if has(self, "__hash__") else id(self)

    def __str__(self):
        return there(self, str) if has(self, "__str__") else repr(self)

    def __repr__(self):
        usual = f"<{self.__kind__} {self.__name__}>"
        return there(self, repr) if has(self, "__repr__") else usual


class Mirrored:
    """What stands for a learner's torch module (see mirror.py)."""


def there(thing, function, *others, back=False):
    """Call function(thing, …), or function(…, thing), on the learner's side."""
    given = (*others, thing) if back else (thing, *others)
    return thing.__learner__.call(function, given, {})


def has(thing, *names):
    """Say whether it is an object, and the exercise asks for such methods."""
    asked = thing.__learner__.special
    return thing.__kind__ != "class" and not asked.isdisjoint(names)


def no_data(thing):
    what = {"function": "a function", "class": "a class"}.get(thing.__kind__)
    what = what or f"an object of the class {thing.__name__}"
    return f"{what} came where numbers, an array or a tensor should be"


def asking(function, *names, back=False):
    """Return a method of Remote that is the learner's, where the exercise has it."""

    def method(self, *others):
        if not has(self, *names):
            raise TypeError(no_data(self))
        return there(self, function, *others, back=back)

    return method


for name in "add sub mul truediv floordiv mod pow matmul and_ or_ xor".split():
    own, back = (f"__{x}{name.strip('_')}__" for x in ("", "r"))
    setattr(Remote, own, asking(getattr(operator, name), own, back))
    setattr(Remote, back, asking(getattr(operator, name), own, back, back=True))
for name, other in [("lt", "gt"), ("le", "ge"), ("gt", "lt"), ("ge", "le")]:
    names = f"__{name}__", f"__{other}__"
    setattr(Remote, names[0], asking(getattr(operator, name), *names))
for function in (abs, float, int, complex, round, operator.neg, operator.index):
    name = f"__{function.__name__}__"
    setattr(Remote, name, asking(function, name))
