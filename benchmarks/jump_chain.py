"""Finite jumps solved as a Markov chain: `jump_chain.cpp`, extrapolated in the size of its cells.

An independent answer for :func:`cbnet.respond` with ``noise="shot"``: rate, CV, mean and sd of v,
and the share of time in bins of v, each with a standard error from three grids.
"""

import atexit
import functools
import math
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CELLS = 400  # on the first grid
WORK = 2e9  # multiplications on the last grid, at most: a second or two
ACCURATE = 1e-6
UNSEEN = 37.0  # −ln of a probability that is left out
FIELDS = ("rate", "cv", "V_mean", "V_sd")


@dataclass(frozen=True)
class Answer:
    """Statistics by name (Hz, mV), standard errors by name, and shares of time in bins."""

    found: dict
    sem: dict
    shares: np.ndarray
    shares_sem: np.ndarray


class Chain:
    """The compiled program; neurons go in, answers come out."""

    def __init__(self, work=WORK):
        self.work = work
        self._program = subprocess.Popen(
            [compiled("jump_chain.cpp")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self):
        """End the program."""
        self._program.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def solve(self, neuron, edges=()):
        """The answer for a neuron.

        Parameters
        ----------
        neuron : random_neurons.Neuron
        edges : sequence of float
            Of bins of v, in mV.

        Returns
        -------
        Answer
        """
        low = lowest(neuron)
        cells = max(4, min(32, round(CELLS / jumps_below(neuron, low))))
        rows, extrapolated = [], []
        while True:
            work, row = self._on_a_grid(neuron, low, cells, edges)
            rows.append(row)
            if len(rows) > 1:
                extrapolated.append(rows[-1] + (rows[-1] - rows[-2]) / 3)
            if len(extrapolated) > 1:
                sem = np.abs(extrapolated[-1] - extrapolated[-2]) / 2
                done = np.all(sem[:4] <= ACCURATE * np.abs(extrapolated[-1][:4]))
                if done or 8 * work > self.work:
                    break
            cells *= 2
        best = extrapolated[-1]
        sem = np.maximum(sem, 1e-10 * np.abs(best))
        named = dict(zip(FIELDS, best, strict=False)), dict(zip(FIELDS, sem, strict=False))
        return Answer(*named, best[4:], sem[4:])

    def _on_a_grid(self, neuron, low, cells, edges):
        leak = neuron.tau_L, neuron.E_L, *spike_current(neuron)
        numbers = (
            *(x for jump in neuron.jumps() for x in jump),
            *neuron.arrivals(),
            *leak,
            *(neuron.theta, neuron.V_r, low),
        )
        line = " ".join(
            [*(repr(float(x)) for x in numbers), str(cells), *map(repr, map(float, edges))]
        )
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()
        work, T, second, mean, variance, *shares = map(
            float, self._program.stdout.readline().split()
        )
        whole = neuron.tau_rp + T
        cv = math.sqrt(max(second - 1, 0)) * T / whole
        return work, np.array([1e3 / whole, cv, mean, math.sqrt(max(variance, 0)), *shares])


@functools.cache
def compiled(source):
    """Path of a program of this folder, compiled with g++ into a folder that goes at the end."""
    folder = tempfile.mkdtemp(prefix="cbnet_benchmark_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = Path(folder) / Path(source).stem
    subprocess.run(
        ["g++", "-O3", "-march=native", "-o", str(program), str(HERE / source)], check=True
    )
    return str(program)


def spike_current(neuron):
    """Delta and V_T, or zeros."""
    return (neuron.Delta_T, neuron.V_T) if neuron.membrane == "eif" else (0.0, 0.0)


def jumps_below(neuron, low):
    """Number of excitatory jumps from `low` to the threshold."""
    (c, E, J), _ = neuron.jumps()
    if c == 0:
        return (neuron.theta - low) / J
    return math.log((E - low) / (E - neuron.theta)) / -math.log1p(-c)


def lowest(neuron):
    """A potential below which v does not come, or with a probability of e^-37.

    Conductances end at the lowest of the reversal potentials and the reset. Currents alone: a sum
    of inhibitory jumps that decay has ln E[e^(qy)] = R τ ∫ (e^x − 1)/x dx up to q J, which bounds
    its tail (Chernoff); excitation only raises v.
    """
    ends = [neuron.E_L, neuron.V_r]
    _, (c, E, J) = neuron.jumps()
    if c > 0:
        return min(*ends, E)
    R = neuron.arrivals()[1]
    x = np.geomspace(1e-3, 60, 4000)
    integral = 1e-3 + np.append(0, np.cumsum(np.diff(x) * (np.expm1(x) / x)[1:]))
    return min(ends) + J * float(np.min((R * neuron.tau_L * integral + UNSEEN) / x))
