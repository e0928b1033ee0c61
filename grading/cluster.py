"""Grade on a dask.distributed cluster; each task is the job of one submission.

The machines share the folders of submissions and results, and TMPDIR. A task whose
worker dies runs again elsewhere; what a job leaves behind is moved into place whole, so
a second run only writes the same again.
"""

import threading

from grading import job

ONE = threading.Lock()  # nbgrader changes the working directory: one job a process


def attempt(task):
    with ONE:
        return job.attempt(task)


def run(tasks, address):
    """Yield the result of every task, as they come."""
    from distributed import Client, as_completed

    with Client(address) as client:
        made = [client.submit(attempt, task, pure=False, retries=2) for task in tasks]
        asked = {future.key: task for future, task in zip(made, tasks, strict=True)}
        for future in as_completed(made):
            if future.status == "finished":
                yield future.result()
            else:
                task = asked[future.key]
                reason = f"the cluster lost it: {type(future.exception()).__name__}"
                yield job.failed(task, reason)
