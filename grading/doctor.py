"""Say in words what this machine can do for grading."""

import os
import platform
import socket
import tempfile

from grading.proxy import Learner
from grading.sandbox import Died, Limits, Process, bubblewrap, library

TRIALS = {
    "no network": "import socket; socket.create_connection(('127.0.0.1', PORT), 2)",
    "nobody else's files": "open(SECRET)",
    "read-only system": "open('/usr/forbidden', 'w')",
    "not root": "import os; assert os.getuid() == 0",
    "no other processes": "import os; os.kill(PID, 0)",
    "memory limit": "x = bytearray(3 << 30)",
    "process limit": "import os\nfor _ in range(200):\n    os.fork() or sleep(9)",
}


def doctor():
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    if problem := bubblewrap()[1]:
        print(f"no sandbox: {problem}")
        print("Grading refuses to run here unless --unsafe is given.")
        return 1
    print(
        "bubblewrap: works"
        + (", as root: learners get users of their own" * (not os.getuid()))
    )
    good = True
    with (
        tempfile.TemporaryDirectory() as work,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        os.chmod(work, 0o755)
        path = library(work)
        names = {
            "PORT": server.getsockname()[1],
            "SECRET": f"{work}/secret",
            "PID": os.getpid(),
        }
        with open(names["SECRET"], "w") as file:
            file.write("secret")
        for name, code in TRIALS.items():
            learner = Learner(lambda: Process(path, Limits(memory=1024, wall=30)))
            head = "".join(f"{key} = {value!r}\n" for key, value in names.items())
            try:
                learner.open()
                learner.run(f"from time import sleep\n{head}{code}", "<trial>")
                works = False
            except (Exception, Died):
                works = True
            learner.close()
            good &= works
            print(f"{name}: {'yes' if works else 'NO'}")
    return 0 if good else 1
