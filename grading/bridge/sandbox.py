"""A process for one learner: bubblewrap around it, limits on it, an eye on it."""

import contextlib
import functools
import json
import os
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

START = "import sys; sys.path[:0] = {!r}; import forkserver; forkserver.serve(*{!r})"
MB = 1 << 20
ENVIRONMENT = "HOME=/tmp TMPDIR=/tmp USER=learner PATH=/usr/bin:/bin LC_ALL=C.UTF-8"
ENVIRONMENT += " OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"
ENVIRONMENT += " MPLBACKEND=agg PYTHONHASHSEED=0"


@dataclass(frozen=True)
class Limits:
    """What one submission may use; the wall limits are wide, for busy machines."""

    cpu: float = 20  # seconds of a cell, or of a check's call
    total: float = 90  # CPU seconds of the whole notebook
    wall: float = 120  # seconds of a cell, or of a check's call; five times for all
    memory: int = 2048  # MB, all processes together
    processes: int = 64
    file: int = 32  # MB of one file; /tmp holds 64
    restarts: int = 6  # how often a process that ended is started again


class Died(BaseException):
    """The learner's process ended; no check can catch this.

    outside: it was killed, and not by us: perhaps by the system, for want of memory.
    """

    def __init__(self, status, reason, outside=False):
        super().__init__(reason)
        self.status, self.reason, self.outside = status, reason, outside


def library(folder, packages=()):
    """Put what the sandbox imports into a folder of its own.

    packages: the folders of packages that learners' code may import.
    """
    target = Path(folder, "library")
    ignore = shutil.ignore_patterns("__pycache__")
    (target / "bridge").mkdir(parents=True)
    for package in packages:
        shutil.copytree(package, target / package.name, ignore=ignore)
    for name in ("ask.py", "codec.py", "forkserver.py", "worker.py"):
        shutil.copy(Path(__file__).with_name(name), target / "bridge")
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


@functools.cache
def bubblewrap():
    """Return (the command's start, None), or (None, why it cannot be used)."""
    program = shutil.which("bwrap")
    if not program:
        missing = "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
        return None, missing
    apart = "--unshare-pid --unshare-net --unshare-ipc --unshare-uts --hostname sandbox"
    alone = "--unshare-cgroup-try --die-with-parent --new-session"
    command = [program, *apart.split(), *alone.split()]
    if os.getuid():  # root drops to another user instead, whose limits count
        command += ["--unshare-user"]
        text = subprocess.run([program, "--help"], capture_output=True, text=True)
        if "--disable-userns" in text.stdout + text.stderr:
            command += ["--disable-userns"]
    trial = [*command, *"--ro-bind / / --proc /proc --dev /dev true".split()]
    result = subprocess.run(trial, capture_output=True, text=True)
    if result.returncode:
        return None, f"bubblewrap is not permitted here: {result.stderr.strip()}"
    return command, None


def shown(packages):
    """Return the folders of Python and its packages."""
    return sorted({sys.base_prefix, sys.base_exec_prefix, packages} - {"/usr"})


def view(path, packages):
    """Return the arguments that say what of the system the sandbox shows."""
    folders = shown(packages)
    parents = {str(parent) for folder in folders for parent in Path(folder).parents}
    parents = sorted({*parents, "/etc"} - {"/", "/usr", "/tmp"})
    # /tmp first: the environment itself may lie below it
    arguments = f"--size {64 * MB} --perms 1777 --tmpfs /tmp".split()
    for folder in parents:
        arguments += ["--perms", "0755", "--dir", folder]
    system = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"]
    for folder in filter(os.path.islink, system):
        arguments += ["--symlink", os.readlink(folder), folder]
    seen = [x for x in system if not os.path.islink(x)] + folders
    for folder in [*seen, "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"]:
        arguments += ["--ro-bind-try", folder, folder]
    rest = f"--proc /proc --dev /dev --size {16 * MB} --perms 1777 --tmpfs /dev/shm "
    rest += "--remount-ro /dev --remount-ro / --chdir /tmp"
    return [*arguments, "--ro-bind", str(path), "/library", *rest.split()]


class Server:
    """A fork server in a sandbox of its own (see forkserver.py), and the line to it.

    alone: each process that it forks gets a sandbox in the sandbox, and no other ends
    with it. Where the system does not permit this, a server serves for one process.
    """

    def __init__(self, path, modules=(), unsafe=False, alone=True):
        packages = sysconfig.get_path("purelib")
        where = str(path) if unsafe else "/library"
        where = [f"{where}/bridge", where, packages]
        kept = [x for x in shown(packages) if x.startswith("/tmp/")]
        self.line, line = socket.socketpair(type=socket.SOCK_SEQPACKET)
        code = START.format(where, (line.fileno(), modules, alone and not unsafe, kept))
        command = [os.path.realpath(sys.executable), "-I", "-B", "-S", "-c", code]
        if not unsafe:
            around = [x for x in bubblewrap()[0] if not alone or "userns" not in x]
            command = [*around, *view(path, packages), *command]
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        with line:
            self.process = subprocess.Popen(
                command,
                pass_fds=(line.fileno(),),
                env=dict(pair.split("=") for pair in ENVIRONMENT.split()),
                start_new_session=True,
                umask=0o022,
                **streams,
            )

    def close(self):
        self.line.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


server = functools.cache(Server)  # one a run, which whoever is forked inherits


def stranger():
    """Return a user's number that no other process has: the kernel counts by users.

    Any two graders on a machine draw from a billion, or from what a container has.
    """
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    first, count = max(
        ((int(line.split()[0]), int(line.split()[2])) for line in lines),
        key=lambda pair: pair[1],
    )
    last = min(first + count, 1 << 31)
    return last - 1 - secrets.randbelow(max(1, (last - first) // 2))


class Process:
    """One learner's process, and the pipes to it."""

    def __init__(self, path, limits, unsafe=False, modules=()):
        self.limits, self.used, self.end = limits, 0.0, float("inf")
        most = {"AS": (limits.memory + 6144) * MB, "DATA": (limits.memory + 512) * MB}
        most |= {"FSIZE": limits.file * MB, "NOFILE": 256}
        if not unsafe or not os.getuid():  # or all that the user runs would count
            most["NPROC"] = limits.processes
        most |= {"CORE": 0, "CPU": int(limits.total) + 30, "uid": stranger()}
        most["cores"] = [*os.sched_getaffinity(0)]  # the asker's: they take turns
        self.own = None
        if not self.start(server(path, modules, unsafe), most):
            self.own = Server(path, (), unsafe, alone=False)
            if not self.start(self.own, most):
                self.own.close()
                raise Died("crashed", "its process could not be started")
        self.begin()

    def start(self, server, most):
        """Let the server fork; return whether it did."""
        down, up = os.pipe(), os.pipe()
        self.line, line = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.outgoing, self.incoming = down[1], up[0]
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.line.settimeout(300)  # it may have to import first
        ends = line.fileno(), down[0], up[1]
        with contextlib.suppress(OSError), line:
            socket.send_fds(server.line, [json.dumps(most).encode()], ends)
        os.close(down[0]), os.close(up[1])
        os.set_blocking(self.incoming, False)
        os.set_blocking(self.outgoing, False)
        with contextlib.suppress(OSError):
            said, extra, *_ = self.line.recvmsg(64, socket.CMSG_SPACE(12))
            if said == b"begun":
                self.pid = struct.unpack("iII", extra[0][2])[0]
                return True
        self.hang_up()
        return False

    def begin(self):
        """Start the clocks of one request."""
        self.started, self.looked, self.base = time.monotonic(), time.monotonic(), None

    def usage(self):
        """Return (CPU seconds, memory in MB) of the process and all below it."""
        ticks, pages, rest = 0, 0, [self.pid]
        while rest:
            pid = rest.pop()
            try:
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                children = Path(f"/proc/{pid}/task").glob("*/children")
                rest += [int(x) for path in children for x in path.read_text().split()]
                shared = int(Path(f"/proc/{pid}/statm").read_text().split()[2])
            except (OSError, ValueError):
                continue
            ticks += sum(int(x) for x in stat[11:15])
            if pid != self.pid:  # the first process is not the learner's
                pages += max(0, int(stat[21]) - shared)
        memory = pages * os.sysconf("SC_PAGE_SIZE") / MB
        return ticks / os.sysconf("SC_CLK_TCK"), memory

    def look(self):
        """Raise Died when a limit is broken."""
        now = time.monotonic()
        if now - self.looked < 0.2:
            return
        self.looked = now
        cpu, memory = self.usage()
        if self.base is None:  # what was used when the request began, or less
            self.base = max(self.used, cpu - (now - self.started))
        self.used = max(self.used, cpu)
        most = self.limits
        if memory > most.memory:
            raise Died("crashed", f"it used more than {most.memory} MB of memory")
        if cpu - self.base > most.cpu:
            why = "of CPU time: is there an endless loop?"
            raise Died("timeout", f"it took more than {most.cpu:g} s {why}")
        if cpu > most.total:
            raise Died("timeout", f"the notebook took more than {most.total:g} s")
        if now - self.started > most.wall:
            raise Died("timeout", f"it took longer than {most.wall:g} s")
        if now > self.end:
            raise Died("timeout", "the notebook took longer than it may")

    def ended(self):
        """Return the Died that says how the process ended."""
        code = self.farewell(30)
        if code is None:
            return Died("crashed", "it closed the line to the grader")
        number = -code if code < 0 else code - 128
        if 0 < number < 65:
            name = signal.Signals(number).name
            reason = f"its process was ended by {name}"
            return Died("crashed", reason, outside=name == "SIGKILL")
        return Died("crashed", f"its process ended itself (exit code {code})")

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            self.look()
            if select.select([self.incoming], [], [], 0.1)[0]:
                part = os.read(self.incoming, min(size - len(data), MB))
                if not part:
                    raise self.ended()
                data += part
        return data

    def write(self, parts):
        for part in parts:
            part = memoryview(part)
            while part:
                self.look()
                if select.select([], [self.outgoing], [], 0.1)[1]:
                    try:
                        part = part[os.write(self.outgoing, part) :]
                    except BrokenPipeError:
                        raise self.ended() from None

    def farewell(self, seconds):
        """Return how the process ended, None if it does not; take down its CPU time."""
        self.line.settimeout(seconds)
        with contextlib.suppress(OSError, ValueError):
            code, used = json.loads(self.line.recv(64))
            self.used, self.pid = max(self.used, used), 0
            return code

    def close(self):
        """End the process and everything in its sandbox."""
        self.used = max(self.used, self.usage()[0])
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)
            self.farewell(30)
        self.hang_up()
        if self.own:
            self.own.close()

    def hang_up(self):
        self.line.close()
        os.close(self.incoming), os.close(self.outgoing)
