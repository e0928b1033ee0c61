"""Run jobs side by side: on this machine's cores, or on a cluster.

Each job is a fork of a process that has imported what it needs and run nothing of a
learner's, so nothing passes from one learner to the next. That process is begun first:
it imports while the grader imports nbgrader, which no job needs.
"""

import compileall
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

import nbformat

from grading import job, release
from grading.bridge.sandbox import Died, server
from grading.people import Refused

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


def depend(parent):
    """Be a process that ends with its parent, whatever a terminal says."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)
    os.setpgid(0, 0)


def work(task, pipe, parent, cores):
    """Be the process of one job, on some cores; the learner's stays on them, too."""
    depend(parent)
    os.sched_setaffinity(0, cores)
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MOST, used + MOST))
    bound(2 * task["limits"]["total"])
    pipe.send_bytes(json.dumps(job.attempt(task)).encode())


def ready(tasks):
    """Import and make, before the forks, what the tasks' notebooks need."""
    from grading.bridge import session
    from grading.page import page

    wanted = {job.modules(task["about"]) for task in tasks}
    for modules in wanted:
        server(tasks[0]["library"], modules, tasks[0]["unsafe"])
    named = {name for task in tasks for name in task["about"]["imports"]}
    for name in sorted(named.union(*wanted)):
        with contextlib.suppress(ImportError):  # whoever needs it will be told
            importlib.import_module(name)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        session.preload()
    for task in {task["stem"]: task for task in tasks}.values():
        with contextlib.suppress(Exception):  # formulas, once for all
            made = release.read(Path(task["course"], "release"), task["stem"])
            page("", made, {})
    gc.freeze()


@contextlib.contextmanager
def begun(library):
    """Begin the process that jobs are forked from; give the line to it.

    library: the folder that learners' processes import from, to be compiled.
    """
    line, end = FORK.Pipe()
    given = end, line, os.getpid(), library
    process = FORK.Process(target=serve, args=given, daemon=True)
    process.start()
    end.close()
    try:
        yield line
    finally:
        process.kill()
        process.join()
        with contextlib.suppress(EOFError, OSError):  # the last job has gone, too
            while True:
                line.recv_bytes()


def serve(line, other, parent, library):
    """Be the process that jobs are forked from."""
    depend(parent)
    other.close()
    multiprocessing.current_process().daemon = False  # it has children
    compileall.compile_dir(library, quiet=2)
    for name in ("execute", "page"):  # so that no job has to
        importlib.import_module(f"grading.{name}")
    nbformat.validate(nbformat.v4.new_notebook())  # its validators are made now
    for result in run(*line.recv()):
        line.send(result)


def results(line, tasks):
    """Yield the results as they come; the line has been sent the tasks."""
    for _ in tasks:
        try:
            yield line.recv()
        except EOFError:
            again = "the same command goes on"
            raise Refused(f"The jobs' own process was ended: {again}.") from None


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
    every = os.sched_getaffinity(0)
    each = [{core} for core in every] if jobs >= len(every) else [every]
    free = [each[n % len(each)] for n in range(jobs)]  # job and learner take turns
    longest = options.wall * 8 + 600  # the job itself stops before, and keeps its rows
    try:
        while waiting or running or done:
            while waiting and len(running) < jobs:
                task = waiting.pop()
                pipe, end = FORK.Pipe(duplex=False)
                cores = free.pop()
                given = task, end, os.getpid(), cores
                process = FORK.Process(target=work, args=given, daemon=True)
                process.start()
                end.close()
                running[pipe] = process, task, time.monotonic() + longest, cores
            yield from done  # now, so that no core waits while they are written down
            done = []
            for pipe in connection.wait(running, 1.0) if running else ():
                process, task, _, cores = running.pop(pipe)
                free.append(cores)
                done.append((task, outcome(pipe, process, task)))
            for process, _, deadline, _ in running.values():
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
