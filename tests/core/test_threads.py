"""The thread pool: counts, settings, forks, several callers at once."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError

X = np.random.default_rng(0).standard_normal((4, 64, 64, 32)).astype(np.float32)


@pytest.fixture(autouse=True)
def _restore_threads():
    before = fc.get_num_threads()
    yield
    fc.set_num_threads(before)


def run_python(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PRINT_THREADS = "import fastcnn as fc; print(fc.get_num_threads())"


@pytest.mark.parametrize("bad", [0, -1, 5000, "two", None])
def test_a_wrong_number_of_threads_is_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="1 to 4096"):
        fc.set_num_threads(bad)


def test_environment_sets_the_default() -> None:
    assert run_python(PRINT_THREADS, FASTCNN_NUM_THREADS="3") == "3"
    assert run_python(PRINT_THREADS, FASTCNN_NUM_THREADS="", OMP_NUM_THREADS="1,4") == "1"


def test_affinity_sets_the_default() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + PRINT_THREADS
    env = {"FASTCNN_NUM_THREADS": "", "OMP_NUM_THREADS": ""}
    assert run_python(code, **env) == "1"


def test_a_wrong_environment_is_an_error_not_a_crash() -> None:
    code = (
        "import fastcnn as fc\n"
        "try: fc.get_num_threads()\n"
        "except fc.errors.ConfigError as e: print(e)"
    )
    assert "expected a number of threads" in run_python(code, FASTCNN_NUM_THREADS="many")


def test_several_python_threads_get_the_same_results() -> None:
    fc.set_num_threads(2)
    expected = fc.ops.max_pool2d(X, 3, 2, "same").tobytes()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: fc.ops.max_pool2d(X, 3, 2, "same").tobytes(), range(64)))
    assert all(r == expected for r in results)


def test_the_gil_is_released_while_a_plan_runs() -> None:
    big = np.zeros((16, 256, 256, 64), np.float32)
    done = threading.Event()
    worker = threading.Thread(target=lambda: (fc.ops.avg_pool2d(big, 7, 1, "same"), done.set()))
    worker.start()
    ticks = 0
    while not done.is_set():
        ticks += 1
        time.sleep(0.001)
    worker.join()
    assert ticks > 3  # this thread went on while the other computed


def test_a_forked_child_computes_with_threads_of_its_own() -> None:
    code = """
import os, numpy as np, fastcnn as fc
fc.set_num_threads(2)
x = np.random.default_rng(0).standard_normal((4, 64, 64, 32)).astype(np.float32)
expected = fc.ops.max_pool2d(x)          # the parent's threads exist
pid = os.fork()
if pid == 0:
    same = fc.ops.max_pool2d(x).tobytes() == expected.tobytes() and fc.get_num_threads() == 2
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert run_python(code) == "0"


def test_idle_threads_sleep() -> None:
    fc.set_num_threads(2)
    fc.ops.max_pool2d(X)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1  # a spinning worker would have used 0.3 s


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two CPUs",
)
def test_a_worker_keeps_off_the_callers_cpu() -> None:
    run_python("""
import os, time
import numpy as np
import fastcnn as fc

fc.set_num_threads(2)
x, cpus = np.ones((4, 64, 64, 64), np.float32), os.sched_getaffinity(0)
before = set(os.listdir("/proc/self/task"))
fc.ops.max_pool2d(x, 2)
(worker,) = set(os.listdir("/proc/self/task")) - before
for cpu in cpus:
    os.sched_setaffinity(0, {cpu})
    deadline = time.monotonic() + 30  # a busy machine may let the worker run late
    while os.sched_getaffinity(int(worker)) != cpus - {cpu}:
        assert time.monotonic() < deadline
        fc.ops.max_pool2d(x, 2)
        time.sleep(0.001)
""")
