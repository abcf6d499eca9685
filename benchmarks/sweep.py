"""How fast sweeps are, and what a point costs beside its simulation.

``python -m benchmarks.sweep``, on an otherwise idle machine of two cores: 64 small networks by one
process, by two, and through Dask (a scheduler and two workers on this machine; ``--scheduler
ADDRESS`` takes another), then 10,000 networks of theory. Each line says what is aimed at. Seconds
of the processor (CPU) include those of all processes and hardly feel other programs.
"""

import argparse
import contextlib
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

import cbnet
from cbnet.sweeps.store import Store

NETWORKS, MANY = 64, 100


def networks():
    """Small networks, a second of computing or so each."""
    return cbnet.Sweep(
        {"nu_X": {"linspace": ["40Hz", "103Hz", NETWORKS]}},
        run="simulation",
        parameters={"K": 400, "a": 0.0024},
        N=2500,
        duration="1s",
    )


def theories():
    """Networks that are solved and not simulated."""
    return cbnet.Sweep(
        {
            "nu_X": {"linspace": ["10Hz", "109Hz", MANY]},
            "K": [int(K) for K in 4 * np.arange(100, 100 + MANY)],
        },
        run="theory",
        noise="diffusion",
    )


def cpu():
    """Seconds of the processor of this process and of those that it started and that ended."""
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(sum(resource.getrusage(one)[:2]) for one in who)


def timed(sweep, folder, **how):
    """Wall and CPU seconds of a sweep."""
    started, spent = time.perf_counter(), cpu()
    sweep.run(folder, **how)
    return time.perf_counter() - started, cpu() - spent


def overhead(folder, workers, wall):
    """Milliseconds a point beyond its computation: after the first ones, and start included.

    The third number is of the computation itself: what is neither wiring nor the loop over time,
    as :func:`cbnet.simulate` has it too (choice of the time step, start of the program,
    statistics).
    """
    points = sorted(
        (path.stat().st_mtime_ns / 1e9, path.name) for path in (folder / "points").iterdir()
    )
    records = [record for record, _ in Store(folder).read().finished.values()]
    about = {record.identities[0][:40]: record.about[0] for record in records}
    seconds = {name: one["seconds"] for name, one in about.items()}
    around = [a["seconds"] - a["build_s"] - a["wire_s"] - a["simulate_s"] for a in about.values()]
    took = [seconds[name.partition("-")[0]] for _, name in points]
    when = [at for at, _ in points]
    # from the first point of each worker to its last
    between = sum(when[-workers:]) - sum(when[:workers]) - sum(took[workers:])
    all_ = workers * wall - sum(took)
    beyond = 1e3 * between / (len(points) - workers)
    return beyond, 1e3 * all_ / len(points), 1e3 * float(np.median(around))


@contextlib.contextmanager
def cluster(address):
    """A Dask scheduler: the one at an address, or one with two workers on this machine."""
    if address is not None:
        yield address
        return
    from distributed import LocalCluster

    settings = {"dashboard_address": None, "memory_limit": None, "host": "127.0.0.1"}
    with LocalCluster(n_workers=2, threads_per_worker=1, **settings) as made:
        yield made.scheduler_address


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", help="address of a Dask scheduler with two workers")
    parser.add_argument("--only", choices=("theory", "local", "dask"))
    given = parser.parse_args()
    parts = ("theory", "local", "dask") if given.only is None else (given.only,)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if "theory" in parts:
            wall, spent = timed(theories(), folder / "theory")
            print(
                f"{MANY**2} networks of theory (diffusion): {wall:.1f} s (under 5), {spent:.1f} s "
                "of the processor"
            )
        if parts != ("theory",):
            cbnet.simulate(  # compiles
                cbnet.load("conductance").replace(K=400, a=0.0024), N=2500, duration="0.1s"
            )
        if "local" in parts:
            walls = {}
            for processes in (1, 2):
                out = folder / str(processes)
                walls[processes], spent = timed(networks(), out, processes=processes)
                _say(processes, walls[processes], overhead(out, processes, walls[processes]), 50)
                print(f"  {spent:.1f} s of the processor")
            ratio = walls[1] / walls[2]
            print(f"throughput of two: {ratio:.2f} times that of one (at least 1.85)")
        if "dask" in parts:
            out = folder / "dask"
            with cluster(given.scheduler) as address:
                wall, _ = timed(networks(), out, scheduler=address)
                _say("two through Dask", wall, overhead(out, 2, wall), 100)


def _say(how, wall, beyond, aim):
    print(
        f"{NETWORKS} networks, {how} at once: {wall:.1f} s; a point takes {beyond[0]:.0f} ms "
        f"beyond its simulation (under {aim}), {beyond[1]:.0f} ms with the start of the processes; "
        f"a simulation {beyond[2]:.0f} ms beside wiring and loop"
    )


if __name__ == "__main__":
    main()
