"""A sweep on a Dask cluster: a real scheduler and two worker processes on this machine."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import cbnet
from tests.sweeping import SIMULATION, environment, grid, points, same, start
from tests.sweeping import cbnet as command

pytest.importorskip("distributed", reason="needs the package distributed: the extra [cluster]")
pytestmark = pytest.mark.slow


def dask(what, *arguments):
    """A process of Dask, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop(child):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class Cluster:
    """A scheduler and two workers of one thread each."""

    def __init__(self, folder):
        self.file, self.folder = folder / "scheduler.json", folder
        self.scheduler = dask(
            *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(self.file)),
        )
        for _ in range(600):
            with contextlib.suppress(OSError, ValueError):
                self.address = json.loads(self.file.read_text())["address"]
                break
            time.sleep(0.1)
        self.workers = [self.worker(k) for k in range(2)]

    def worker(self, k):
        return dask(
            *("worker", self.address, "--nthreads", "1", "--no-dashboard", "--nanny"),
            *("--local-directory", str(self.folder / f"worker-{k}"), "--memory-limit", "0"),
        )

    def stop(self):
        for child in (*self.workers, self.scheduler):
            stop(child)


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The same sweep on this machine, undisturbed."""
    folder = tmp_path_factory.mktemp("local")
    command("sweep", grid(folder, SIMULATION), "--out", folder / "out", "--quiet")
    return cbnet.open_sweep(folder / "out").dataset


def test_a_cluster_gives_the_same_bytes(cluster, local, tmp_path):
    """Slow: starts a scheduler and two workers, each of which compiles or waits for a program."""
    out = tmp_path / "out"
    command("sweep", grid(tmp_path, SIMULATION), "--out", out, "--scheduler", cluster.address)
    assert same(cbnet.open_sweep(out).dataset, local)


def test_a_client_of_python_is_taken_as_well(cluster, local, tmp_path):
    """Slow: starts a scheduler and two workers. It is how the recipe for SLURM runs a sweep."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        found = cbnet.Sweep.read(grid(tmp_path, SIMULATION)).run(tmp_path / "out", scheduler=client)
        assert client.status == "running"  # who made it closes it
    assert same(found.dataset, local)


def test_a_killed_worker_changes_nothing(cluster, local, tmp_path):
    """Slow: starts a scheduler and two workers, and kills one of them."""
    out = tmp_path / "out"
    child = start(
        *("sweep", grid(tmp_path, SIMULATION), "--out", out, "--scheduler", cluster.address)
    )
    while len(points(out)) < 3 and child.poll() is None:
        time.sleep(0.02)
    stop(cluster.workers[0])
    _, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert same(cbnet.open_sweep(out).dataset, local)


def test_a_killed_scheduler_loses_nothing(cluster, local, tmp_path):
    """Slow: starts two clusters, and kills the scheduler of the first."""
    out, file = tmp_path / "out", grid(tmp_path, SIMULATION)
    child = start("sweep", file, "--out", out, "--scheduler", cluster.address)
    while len(points(out)) < 3 and child.poll() is None:
        time.sleep(0.02)
    os.kill(cluster.scheduler.pid, signal.SIGKILL)
    _, err = child.communicate(timeout=300)
    assert child.returncode == 1
    (line,) = [line for line in err.splitlines() if line.startswith("cbnet: error")]
    assert "scheduler" in line and "kept" in line
    before = points(out)
    assert before
    (tmp_path / "second").mkdir()
    second = Cluster(tmp_path / "second")
    try:
        command("sweep", file, "--out", out, "--scheduler", second.address)
    finally:
        second.stop()
    assert before.items() <= points(out).items()  # none was computed again
    assert same(cbnet.open_sweep(out).dataset, local)


def test_an_address_without_a_scheduler_is_refused(tmp_path):
    """Slow: Dask tries for ten seconds."""
    out = tmp_path / "out"
    _, err = command(
        *("sweep", grid(tmp_path, SIMULATION), "--out", out, "--scheduler", "tcp://127.0.0.1:9"),
        code=2,
    )
    assert "--scheduler: got 'tcp://127.0.0.1:9'" in err.splitlines()[-1]
