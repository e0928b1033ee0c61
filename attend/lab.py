"""What a notebook says to a reader who has changed something in it."""

HINT = (
    "the text speaks of other numbers. If you changed something above, nothing is "
    "broken: put it back, or take this line out and go on"
)


def explain_asserts():
    """Let an assert that fails without a word say what this means in a notebook.

    Outside of Jupyter it changes nothing.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if shell := get_ipython():
        shell.set_custom_exc((AssertionError,), explain)


def explain(shell, kind, error, trace, tb_offset=None):
    """Show an AssertionError, with the hint where it has no message of its own."""
    error.args = error.args or (HINT,)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
