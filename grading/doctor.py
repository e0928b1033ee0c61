"""Say in words what this machine can do for grading."""

import os
import platform
import socket
import tempfile
from pathlib import Path

from grading.book import library
from grading.bridge.sandbox import Died, Limits, Process, bubblewrap
from grading.bridge.session import Learner

TRIALS = {
    "no network": "import socket; socket.create_connection(('127.0.0.1', PORT), 2)",
    "nobody else's files": "open(SECRET)",
    "read-only system": "open('/usr/forbidden', 'w')",
    "not root": "import os; assert os.getuid() == 0",
    "no other processes": "import os; os.kill(PID, 0)",
    "memory limit": "x = bytearray(3 << 30)",
    "process limit": "import os\nfor _ in range(200):\n    os.fork() or sleep(9)",
}


def main(_):
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    if problem := bubblewrap()[1]:
        print(f"no sandbox: {problem}")
        print("Grading refuses to run here unless --unsafe is given.")
        return 1
    root = "" if os.getuid() else ", as root: learners get users of their own"
    print(f"bubblewrap: works{root}")
    bad = 0
    server = socket.create_server(("127.0.0.1", 0))
    with server, tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        secret, limits = Path(work, "secret"), Limits(memory=1024)
        secret.write_text("secret")
        path = library(work)
        head = f"PORT, PID, SECRET = {server.getsockname()[1]}, {os.getpid()}, "
        head += f"{str(secret)!r}\nfrom time import sleep\n"
        for name, code in TRIALS.items():
            learner = Learner(lambda: Process(path, limits))
            learner.open()
            try:
                learner.run(head, "<head>")
            except Died as died:
                print(f"Python does not run in the sandbox: {died}")
                return 1
            try:
                learner.run(code, "<trial>")
                print(f"{name}: NO")
                bad = 1
            except (Exception, Died):
                print(f"{name}: yes")
            learner.close()
    return bad
