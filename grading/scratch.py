"""The grader's temporary folder: one a run, gone with it or cleaned by the next.

What stays is written whole or not at all.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from grading.book import TEMPORARY

LOCK = ".lock"  # held by a run as long as it lives


def clean():
    """Remove what killed runs have left; who holds the lock may remove a folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):  # it is gone, or its run lives
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with open(folder / LOCK, "ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def begin():
    """Return a new folder and its lock; another one, where a cleaner was quicker."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        with contextlib.suppress(FileNotFoundError):
            lock = open(folder / LOCK, "ab")  # closed by the run's end
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.stat(folder / LOCK), os.fstat(lock.fileno())):
                return folder, lock


@contextlib.contextmanager
def workplace():
    """Make the run's temporary folder; remove it at the end."""
    clean()
    folder, lock = begin()
    try:
        with lock:
            folder.chmod(0o755)  # the sandbox sees a part of it
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write(path, text):
    """Write a file whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
