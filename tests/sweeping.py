"""What tests of sweeps share: small grids, and the command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
THEORY = """
model = "conductance"
run = "theory"
noise = "diffusion"
[axes]
nu_X = { linspace = ["20Hz", "60Hz", 5] }
K = [400, 800]
"""
SIMULATION = """
model = "conductance"
run = "simulation"
N = 250
seeds = 4
duration = "0.05s"
transient = "0.02s"
[parameters]
K = 40
a = 0.01
[axes]
nu_X = { linspace = ["40Hz", "110Hz", 8] }
"""


def grid(folder, text=THEORY, name="grid.toml"):
    path = folder / name
    path.write_text(text)
    return path


def environment(**more):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def start(*arguments, cwd=None, **options):
    """``cbnet ARGUMENTS`` as a process in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "cbnet", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def cbnet(*arguments, cwd=None, code=0):
    """``cbnet ARGUMENTS``; output and errors of the finished process."""
    child = start(*arguments, cwd=cwd)
    out, err = child.communicate(timeout=300)
    assert child.returncode == code, (child.returncode, out, err)
    return out, err


def points(folder):
    """Files of finished points, with when they were written."""
    return {p.name: p.stat().st_mtime_ns for p in (Path(folder) / "points").glob("*.points")}


def same(one, other):
    """Whether two datasets are equal in every byte of their values."""
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        mine, theirs = one[name], other[name]
        assert mine.dims == theirs.dims, name
        if mine.dtype.kind not in "iuf":
            assert mine.values.tolist() == theirs.values.tolist(), name
        else:
            assert np.ascontiguousarray(mine.values).tobytes() == theirs.values.tobytes(), name
    return True
