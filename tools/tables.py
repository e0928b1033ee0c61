"""Tables of stored runs: one line a training, written so that nothing gets lost."""

import csv
import datetime
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch


def load(path):
    """Return the lines of a table, a dict of texts each; none without a file."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def save(lines, path):
    """Write the lines so that an interruption leaves the old file whole."""
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    fresh.replace(path)


def read(line, kind):
    """Return the run of a line: kind is the NamedTuple whose fields the line holds."""
    return kind(*(type_(line[key]) for key, type_ in kind.__annotations__.items()))


def finished(lines, kind):
    """Return the runs that the lines hold."""
    return {read(line, kind) for line in lines}


def results(execute, runs, jobs):
    """Yield what execute(run) returns, as the runs end, in `jobs` processes."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for job in as_completed([pool.submit(execute, run) for run in runs]):
                yield job.result()
        except BaseException:  # Ctrl-C, too: begin nothing whose results would be lost
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def here():
    """Return what a line says of where and when its run was made."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, one thread",
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],
    }
