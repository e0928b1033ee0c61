"""The grader's temporary folder: one a run, gone with it or cleaned by the next."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from grading.book import TEMPORARY

LOCK = ".lock"  # held by a run as long as it lives


def dead(folder):
    """Say whether a temporary folder is one of ours whose run has ended."""
    try:
        about = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or about.st_uid != os.getuid():
            return False
        with open(folder / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except FileNotFoundError:  # killed before it had a lock; or this very moment made
        return time.time() - about.st_mtime > 60
    except OSError:
        return False


def clean():
    """Remove what killed runs have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with contextlib.suppress(FileNotFoundError):
            if dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def workplace():
    """Make the run's temporary folder; remove it at the end."""
    clean()
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
    try:
        with open(folder / LOCK, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.chmod(0o755)  # the sandbox sees a part of it
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
