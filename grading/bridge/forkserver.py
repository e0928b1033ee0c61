"""The fork server, in the sandbox: it has imported what notebooks need, and waits.

For each request it forks a process for one learner. Nothing of a learner's ever runs in
the server itself, and what it forks is alone: a process tree, mounts with a fresh /tmp,
network, IPC and (without root) users of its own, and no rights to change any of it.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
from pathlib import Path

import worker

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = (1 << n for n in (17, 27, 28, 29, 30))
READONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
BIND, REC, PRIVATE = 1 << 12, 1 << 14, 1 << 18


def system(name, *arguments):
    """Make a system call, or raise OSError."""
    if getattr(LIBC, name)(*arguments):
        raise OSError(ctypes.get_errno(), name)


def mount(source, target, kind, flags, options=None):
    texts = (x and x.encode() for x in (source, target, kind))
    system("mount", *texts, ctypes.c_ulong(flags), options and options.encode())


def separate():
    """Leave the server's namespaces; what is forked next is the first process there."""
    user, group = os.getuid(), os.getgid()
    system("unshare", NEWNS | NEWIPC | NEWPID | NEWNET | (NEWUSER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/sys/user/max_user_namespaces").write_text("0")  # no more of them


def furnish(kept):
    """Mount /tmp, /dev/shm and /proc anew; kept: folders below /tmp that stay."""
    mount(None, "/", None, REC | PRIVATE)
    held = {path: os.open(path, os.O_PATH) for path in kept}
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, "size=64m,mode=1777")
    mount("tmpfs", "/dev/shm", "tmpfs", NOSUID | NODEV, "size=16m,mode=1777")
    for path, number in held.items():
        os.makedirs(path)
        mount(f"/proc/self/fd/{number}", path, None, BIND | REC)
    mount("proc", "/proc", "proc", READONLY | NOSUID | NODEV | NOEXEC)
    os.chdir("/tmp")


def disarm():
    """Give up, without root, what the user namespace of its own allows."""
    if os.getuid():
        system("prctl", 47, 4, 0, 0, 0)  # no ambient capabilities
        system("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())


def serve(number, modules, alone, kept):
    """Fork a process for each request, until the grader closes the line.

    alone: give each namespaces of its own; else the sandbox must serve only one.
    """
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    control = socket.socket(fileno=number)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel takes leave of the dead
    while True:
        request, fds, *_ = socket.recv_fds(control, 4096, 3)
        if not request:
            break
        if not os.fork():
            control.close()
            supervise(json.loads(request), alone, kept, *fds)
        for fd in fds:
            os.close(fd)


def supervise(limits, alone, kept, line, *pipes):
    """Fork the first process; end it when the grader says so, and tell how it ended."""
    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line = socket.socket(fileno=line)
        os.sched_setaffinity(0, limits.pop("cores"))
        if alone:
            separate()
        first = os.fork()
        if not first:
            begin(limits, alone, kept, line, *pipes)
        for fd in pipes:
            os.close(fd)
        try:
            select.select([line, os.pidfd_open(first)], [], [])
        finally:
            for kill in (os.kill, os.killpg):
                with contextlib.suppress(OSError):
                    kill(first, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        line.send(json.dumps([code, used.ru_utime + used.ru_stime]).encode())
    os._exit(0)


def begin(limits, alone, kept, line, *pipes):
    """Be the first process of the sandbox: it forks the learner's, and outlives it."""
    try:
        os.setsid()
        if alone:
            furnish(kept)
            disarm()
        worker.restrict(limits)
        line.send(b"begun")  # with its number, which the kernel adds
        line.close()
        learner = os.fork()
        if not learner:
            worker.main(*pipes)
        os.closerange(3, 256)
        system("prctl", 4, 0, 0, 0, 0)  # out of reach for a debugger
        while True:
            process, status = os.wait()
            if process == learner:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
    finally:
        os._exit(1)
