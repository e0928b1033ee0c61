"""Run jobs side by side: on this machine's cores, or on a cluster.

Each job is a fork of a process that has imported everything and run nothing of a
learner's, so nothing passes from one learner to the next.
"""

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time

from grading import job


def attempt(task):
    """Grade, and make a result of whatever goes wrong in the grader itself."""
    try:
        result = job.grade(task)
    except Exception as error:
        reason = f"the grader failed: {type(error).__name__}: {error}"
        result = job.outcome(task, {}, {}, [], "crashed", reason[:500])
    result["remarks"] = sorted({*result["remarks"], *task["remarks"]})
    return result


def spawn(task):
    """Start a job in a process of its own; return (process, end of its pipe)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # end with the grader
        os.setpgid(0, 0)
        data = json.dumps(attempt(task)).encode()
        with os.fdopen(writing, "wb") as file:
            file.write(data)
        code = 0
    finally:
        os._exit(code)


def run(tasks, options):
    """Yield the result of every task, as they come."""
    if options.scheduler:
        from grading import cluster

        yield from cluster.run(tasks, options.scheduler)
        return
    for name in sorted({name for task in tasks for name in task["about"]["imports"]}):
        importlib.import_module(name)  # once, before the forks
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        importlib.import_module("grading.mirror")
    if len(tasks) > 2 * options.jobs:
        job.rehearse(tasks[0])
    gc.freeze()
    waiting, running = list(reversed(tasks)), {}
    slots = list(range(options.jobs))
    selector = selectors.DefaultSelector()
    longest = options.wall * 8 + 600  # the job itself stops before, and keeps its rows
    while waiting or running:
        while waiting and slots:
            task = waiting.pop() | {"slot": slots.pop()}
            pid, reading = spawn(task)
            running[reading] = (pid, task, bytearray(), time.monotonic() + longest)
            selector.register(reading, selectors.EVENT_READ)
        for key, _ in selector.select(1.0):
            pid, task, data, _ = running[key.fd]
            part = os.read(key.fd, 1 << 20)
            data += part
            if not part:
                yield finish(key.fd, running, selector, slots)
        for pid, _, data, deadline in list(running.values()):
            if time.monotonic() > deadline:
                data.clear()
                os.kill(pid, signal.SIGKILL)


def finish(fd, running, selector, slots):
    """Take in the result of a job that ended."""
    pid, task, data, _ = running.pop(fd)
    selector.unregister(fd)
    os.close(fd)
    os.waitpid(pid, 0)
    slots.append(task["slot"])
    try:
        return json.loads(data)
    except ValueError:
        reason = "the grader's process for it ended"
        return job.outcome(task, {}, {}, task["remarks"], "crashed", reason)
