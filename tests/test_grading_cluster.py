"""Grading on a cluster: a worker is killed on the way, and no grade is lost."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from grading.bridge.sandbox import bubblewrap
from tests.test_answers import SOLUTIONS
from tests.test_grading import QUICK, hand_in, rows
from tools.notebooks import ROOT

distributed = pytest.importorskip(
    "distributed", reason="grading on a cluster: requirements-cluster.txt"
)
pytestmark = pytest.mark.skipif(bubblewrap()[1] is not None, reason="no bubblewrap")


def test_no_grade_is_lost_or_doubled_when_a_worker_dies(tmp_path):
    for number in range(12):
        hand_in(tmp_path, f"student {number}", QUICK, SOLUTIONS[QUICK])
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=True, **settings) as cluster:
        call = [sys.executable, "-m", "grading", str(tmp_path / "submitted")]
        call += ["--out", str(tmp_path / "grades"), "--only", QUICK]
        call += ["--scheduler", cluster.scheduler_address]
        run = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        log, end = tmp_path / "grades" / "results.jsonl", time.monotonic() + 900
        while not (log.exists() and log.read_bytes().count(b"\n") >= 2):
            assert run.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)
        text, _ = run.communicate(timeout=900)
        assert run.returncode == 0, text
    results = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(results) == len({result["student"] for result in results}) == 12
    found = rows(tmp_path)
    assert len(found) == 12 * 5
    assert {r["points"] for r in found if r["exercise"] == "softmax"} == {"4"}
