"""Test one notebook and what belongs to it, in a minute: what a contributor runs first.

    python -m tools.check chapters/03_three_stages.ipynb

Runs the house rules, the strict comparison of outputs, and the chapter's exercises
with their alternative answers; then says what to run next.
"""

import subprocess
import sys
from pathlib import Path

from tools.notebooks import ROOT, notebooks

RULES = ["house", "main_path", "quizzes", "answers", "exercises"]


def main():
    stems = sorted({path.stem for path in notebooks("chapters", "solutions")})
    asked = [Path(argument).stem for argument in sys.argv[1:]]
    if len(asked) != 1 or asked[0] not in stems:
        sys.exit(f"name one notebook: make check NB=…, one of {', '.join(stems)}")
    (stem,) = asked
    files = [f"tests/test_{rule}.py" for rule in RULES]
    for folder in ("chapters", "solutions", "exercises"):
        files += [
            str(path.relative_to(ROOT))
            for path in notebooks(folder)
            if path.stem == stem
        ]
    call = [sys.executable, "-m", "pytest", "-q", "-rs", "-k", stem, *files]
    if code := subprocess.run(call, cwd=ROOT).returncode:
        print(
            f"\nStale outputs: make run NB=chapters/{stem}.ipynb. "
            "Stale exercises: make exercises. Style: make format."
        )
        sys.exit(code)
    print(f"\n{stem} is in order. Next: make book, look at its page; then make test.")


if __name__ == "__main__":
    main()
