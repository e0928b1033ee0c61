"""What refuses bad input, in one place: the taught functions hold the formula alone.

    @guarded(arrays.mask)
    def mask(scores, allowed):
        return np.where(allowed, scores, -np.inf)

A check gets the function's arguments by their names. It raises TypeError or ValueError
with a message that names the culprit, or returns the arguments that it converted.
The checks are in `arrays` (NumPy) and `tensors` (PyTorch).
"""

import functools
import inspect


def guarded(check):
    """Return a decorator: the function's arguments pass the check at every call.

    The function keeps its text and its name; its docstring is followed by the check's.
    """

    def wrap(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*arguments, **options):
            given = signature.bind(*arguments, **options)
            given.apply_defaults()
            given.arguments.update(check(**given.arguments) or {})
            return function(*given.args, **given.kwargs)

        said = [inspect.cleandoc(f.__doc__) for f in (function, check) if f.__doc__]
        checked.__doc__ = "\n".join(said)
        return checked

    return wrap


def guarded_module(**checks):
    """Return a decorator of a class: guarded_module(__init__=check, forward=check)."""

    def wrap(cls):
        for name, check in checks.items():
            setattr(cls, name, guarded(check)(getattr(cls, name)))
        return cls

    return wrap
