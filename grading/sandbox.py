"""A process for one learner: bubblewrap around it, limits on it, an eye on it."""

import compileall
import contextlib
import functools
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
START = (
    "import sys; sys.path[:0] = {path!r}; import worker; worker.main({a}, {b}, {c!r})"
)
MB = 1 << 20
ENVIRONMENT = "HOME=/tmp TMPDIR=/tmp USER=learner PATH=/usr/bin:/bin LC_ALL=C.UTF-8"
ENVIRONMENT += " OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"
ENVIRONMENT += " MPLBACKEND=agg PYTHONHASHSEED=0"
TEMPORARY = "grading-"  # how the names of temporary folders begin


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
    """The learner's process ended; no check can catch this."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status, self.reason = status, reason


def library(folder):
    """Put what the sandbox imports into a folder of its own, compiled."""
    target = Path(folder, "library")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "attend", target / "attend", ignore=ignore)
    for name in ("codec.py", "worker.py"):
        shutil.copy(ROOT / "grading" / name, target)
    compileall.compile_dir(target, quiet=2)
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


def view(path, packages):
    """Return the arguments that say what of the system the sandbox shows."""
    shown = sorted({sys.base_prefix, sys.base_exec_prefix, packages} - {"/usr"})
    parents = {str(parent) for folder in shown for parent in Path(folder).parents}
    parents = sorted({*parents, "/etc"} - {"/", "/usr", "/tmp"})
    # /tmp first: the environment itself may lie below it
    arguments = f"--size {64 * MB} --perms 1777 --tmpfs /tmp".split()
    for folder in parents:
        arguments += ["--perms", "0755", "--dir", folder]
    system = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"]
    for folder in filter(os.path.islink, system):
        arguments += ["--symlink", os.readlink(folder), folder]
    shown = [x for x in system if not os.path.islink(x)] + shown
    for folder in [*shown, "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"]:
        arguments += ["--ro-bind-try", folder, folder]
    rest = f"--proc /proc --dev /dev --size {16 * MB} --perms 1777 --tmpfs /dev/shm "
    rest += "--remount-ro /dev --remount-ro / --chdir /tmp"
    return [*arguments, "--ro-bind", str(path), "/library", *rest.split()]


class Process:
    """One learner's process, and the pipes to it."""

    def __init__(self, path, limits, unsafe=False, slot=0):
        self.limits, self.used, self.end = limits, 0.0, float("inf")
        packages = sysconfig.get_path("purelib")
        down, up = os.pipe(), os.pipe()
        most = {"AS": (limits.memory + 6144) * MB, "DATA": (limits.memory + 512) * MB}
        most |= {"FSIZE": limits.file * MB, "NOFILE": 256}
        if not unsafe or not os.getuid():  # or all that the user runs would count
            most["NPROC"] = limits.processes
        most |= {"CORE": 0, "CPU": int(limits.total) + 30, "uid": 900_000 + slot}
        where = [str(path) if unsafe else "/library", packages]
        code = START.format(path=where, a=down[0], b=up[1], c=most)
        command = [os.path.realpath(sys.executable), "-I", "-B", "-S", "-c", code]
        if not unsafe:
            command = [*bubblewrap()[0], *view(path, packages), *command]
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        self.process = subprocess.Popen(
            command,
            pass_fds=(down[0], up[1]),
            env=dict(pair.split("=") for pair in ENVIRONMENT.split()),
            start_new_session=True,
            umask=0o022,
            **streams,
        )
        os.close(down[0]), os.close(up[1])
        self.outgoing, self.incoming = down[1], up[0]
        os.set_blocking(self.incoming, False)
        os.set_blocking(self.outgoing, False)
        self.begin()

    def begin(self):
        """Start the clocks of one request."""
        self.started, self.looked, self.base = time.monotonic(), time.monotonic(), None

    def usage(self):
        """Return (CPU seconds, memory in MB) of the process and all below it."""
        ticks, pages, rest = 0, 0, [self.process.pid]
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
            pages += max(0, int(stat[21]) - shared)
        return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / MB

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
            raise Died("timeout", f"it took more than {most.cpu:g} s of CPU time")
        if cpu > most.total:
            raise Died("timeout", f"the notebook took more than {most.total:g} s")
        if now - self.started > most.wall:
            raise Died("timeout", f"it took longer than {most.wall:g} s")
        if now > self.end:
            raise Died("timeout", "the notebook took longer than it may")

    def ended(self):
        """Return the Died that says how the process ended."""
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            return Died("crashed", "it closed the line to the grader")
        number = -code if code < 0 else code - 128
        if number == signal.SIGXCPU:
            return Died("timeout", "it took too much CPU time")
        if 0 < number < 65:
            name = signal.Signals(number).name
            return Died("crashed", f"its process was ended by {name}")
        return Died("crashed", f"its process ended itself (exit code {code})")

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            if not select.select([self.incoming], [], [], 0.1)[0]:
                self.look()
                continue
            part = os.read(self.incoming, min(size - len(data), MB))
            if not part:
                raise self.ended()
            data += part
        return data

    def write(self, parts):
        for part in parts:
            part = memoryview(part)
            while part:
                if not select.select([], [self.outgoing], [], 0.1)[1]:
                    self.look()
                    continue
                try:
                    part = part[os.write(self.outgoing, part) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self.ended() from None

    def close(self):
        """End the process and everything in its sandbox."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.incoming), os.close(self.outgoing)
