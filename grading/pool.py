"""Run jobs side by side: on this machine's cores, or on a cluster.

Each job is a fork of a process that has imported everything and run nothing of a
learner's, so nothing passes from one learner to the next.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from multiprocessing import connection
from pathlib import Path

from grading import job
from grading.bridge.sandbox import Died, server
from grading.bridge.session import preload

FORK = multiprocessing.get_context("fork")
MOST = 2 << 30  # bytes that a job may take, besides what it was forked with


def bound(seconds):
    """End a check that takes more CPU time: what it got may have no end to read."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]

    def stop(*_):
        used = resource.getrusage(resource.RUSAGE_SELF)
        more = int(used.ru_utime + used.ru_stime + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (more, most))  # for the next checks
        raise Died("timeout", f"the check took more than {seconds:g} s of CPU time")

    signal.signal(signal.SIGXCPU, stop)
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), most))


def work(task, pipe, parent):
    """Be the process of one job, which ends with the grader."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)
    os.setpgid(0, 0)
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MOST, used + MOST))
    bound(2 * task["limits"]["total"])
    pipe.send_bytes(json.dumps(job.attempt(task)).encode())


def ready(tasks):
    """Import, before the forks, what the tasks' notebooks need."""
    wanted = {job.modules(task["about"]) for task in tasks}
    for modules in wanted:
        server(tasks[0]["library"], modules, tasks[0]["unsafe"])
    named = {name for task in tasks for name in task["about"]["imports"]}
    for name in sorted(named.union(*wanted)):
        with contextlib.suppress(ImportError):  # whoever needs it will be told
            importlib.import_module(name)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        preload()
    gc.freeze()


def run(tasks, options):
    """Yield the result of every task, as they come.

    What failed for a reason that may lie outside of the submission (want of memory, a
    process that somebody killed) is tried once more, after the others and alone.
    """
    if options.scheduler:
        from grading import cluster

        yield from cluster.run(tasks, options.scheduler)
        return
    ready(tasks)
    again = []
    for task, result in side_by_side(tasks, options.jobs, options):
        if result.get("again") or result.pop("outside", False):
            again.append(task)
        else:
            yield result
    yield from (result for _, result in side_by_side(again, 1, options))


def side_by_side(tasks, jobs, options):
    """Yield (task, result) of jobs, some at a time, each in a process of its own."""
    waiting, running, done = list(reversed(tasks)), {}, []
    longest = options.wall * 8 + 600  # the job itself stops before, and keeps its rows
    try:
        while waiting or running or done:
            while waiting and len(running) < jobs:
                task = waiting.pop()
                pipe, end = FORK.Pipe(duplex=False)
                given = task, end, os.getpid()
                process = FORK.Process(target=work, args=given, daemon=True)
                process.start()
                end.close()
                running[pipe] = process, task, time.monotonic() + longest
            yield from done  # now, so that no core waits while they are written down
            done = []
            for pipe in connection.wait(running, 1.0) if running else ():
                process, task, _ = running.pop(pipe)
                done.append((task, outcome(pipe, process, task)))
            for process, _, deadline in running.values():
                if time.monotonic() > deadline:
                    process.kill()
    finally:
        for process, *_ in running.values():
            process.kill()
            process.join()


def outcome(pipe, process, task):
    try:
        result = json.loads(pipe.recv_bytes())
    except (EOFError, OSError, ValueError):
        process.join()
        code = process.exitcode
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        result = job.failed(task, f"the grader's own process ended ({how})")
    pipe.close()
    process.join()
    return result
