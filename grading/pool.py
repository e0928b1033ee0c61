"""Run jobs side by side: on this machine's cores, or on a cluster.

Each job is a fork of a process that has imported everything and run nothing of a
learner's, so nothing passes from one learner to the next.
"""

import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import connection

from grading import job
from grading.bridge.sandbox import server

FORK = multiprocessing.get_context("fork")


def work(task, pipe):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # end with the grader
    os.setpgid(0, 0)
    pipe.send_bytes(json.dumps(job.attempt(task)).encode())


def run(tasks, options):
    """Yield the result of every task, as they come."""
    if options.scheduler:
        from grading import cluster

        yield from cluster.run(tasks, options.scheduler)
        return
    wanted = {job.modules(task["about"]) for task in tasks}
    for modules in wanted:
        server(tasks[0]["library"], modules, tasks[0]["unsafe"])
    named = {name for task in tasks for name in task["about"]["imports"]}
    for name in sorted(named.union(*wanted)):
        importlib.import_module(name)  # once, before the forks
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        importlib.import_module("grading.bridge.mirror")
    if len(tasks) > 2 * options.jobs:
        job.rehearse(tasks[0])
    gc.freeze()
    waiting, running, slots = list(reversed(tasks)), {}, list(range(options.jobs))
    longest = options.wall * 8 + 600  # the job itself stops before, and keeps its rows
    done = []
    while waiting or running or done:
        while waiting and slots:
            task = waiting.pop() | {"slot": slots.pop()}
            pipe, end = FORK.Pipe(duplex=False)
            process = FORK.Process(target=work, args=(task, end), daemon=True)
            process.start()
            end.close()
            running[pipe] = process, task, time.monotonic() + longest
        yield from done  # now, so that no core waits while they are written down
        done = []
        for pipe in connection.wait(running, 1.0) if running else ():
            process, task, _ = running.pop(pipe)
            try:
                result = json.loads(pipe.recv_bytes())
            except (EOFError, OSError):
                reason = "the grader's process for it ended"
                result = job.outcome(task, {}, {}, [], "crashed", reason)
            pipe.close()
            process.join()
            slots.append(task["slot"])
            done.append(result)
        for process, _, deadline in running.values():
            if time.monotonic() > deadline:
                process.kill()
