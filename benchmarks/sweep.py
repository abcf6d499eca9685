"""How fast sweeps are, and what a point costs beside its simulation.

``python -m benchmarks.sweep``, on an otherwise idle machine; ``--scheduler ADDRESS`` measures the
same on a Dask cluster.
"""

import argparse
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


def timed(sweep, folder, **how):
    """Seconds of a sweep, and those that its points took in their processes."""
    started = time.perf_counter()
    sweep.run(folder, **how)
    wall = time.perf_counter() - started
    records = {id(record): record for record, _ in Store(folder).read().finished.values()}
    return wall, sum(about["seconds"] for record in records.values() for about in record.about)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cbnet.simulate(  # compiles
            cbnet.load("conductance").replace(K=400, a=0.0024), N=2500, duration="0.1s"
        )
        if given.scheduler:
            wall, busy = timed(networks(), folder / "dask", scheduler=given.scheduler)
            print(f"{NETWORKS} networks on {given.scheduler}: {wall:.1f} s, points {busy:.1f} s")
            return
        walls = {}
        for processes in (1, 2):
            walls[processes], busy = timed(networks(), folder / str(processes), processes=processes)
            over = (processes * walls[processes] - busy) / NETWORKS
            print(
                f"{NETWORKS} networks, {processes} at once: {walls[processes]:.1f} s, "
                f"{over * 1e3:.0f} ms a point beyond its simulation, start included"
            )
        print(f"throughput of two: {walls[1] / walls[2]:.2f} times that of one")
        K = [int(k) for k in 4 * np.arange(100, 100 + MANY)]
        theory = cbnet.Sweep(
            {"nu_X": {"linspace": ["10Hz", "109Hz", MANY]}, "K": K}, run="theory", noise="diffusion"
        )
        wall, _ = timed(theory, folder / "theory")
        print(f"{MANY**2} networks of theory (diffusion): {wall:.1f} s")


if __name__ == "__main__":
    main()
