"""Synapses with time constants, simulated: an independent answer for ``noise="colored"``.

`filtered_neuron.cpp` follows one neuron from arrival to arrival. Standard errors are the
jackknife's over independent copies.
"""

import subprocess
import time

import numpy as np

from .jump_chain import FIELDS, Answer, compiled, spike_current

COPIES = 40
SECONDS = 4.0
STEP = 0.05  # ms, and at most a tenth of what is fastest; the steps' error is of fourth order
SHORTEST = 50.0  # ms of a copy in the first trial


def solve(neuron, seconds=SECONDS, edges=(), seed=1):
    """The answer for a neuron with filtered synapses.

    Parameters
    ----------
    neuron : random_neurons.Neuron
    seconds : float
        How long to simulate, in seconds of computing.
    edges : sequence of float
        Of bins of v in mV.
    seed : int

    Returns
    -------
    jump_chain.Answer
    """
    program, duration = compiled("filtered_neuron.cpp"), SHORTEST
    while True:
        started = time.perf_counter()
        sums = _run(program, neuron, duration, seed, edges)
        took = time.perf_counter() - started
        if 2 * took > seconds:
            break
        duration *= max(2.0, min(20.0, 0.8 * seconds / max(took, 1e-3)))
    total = sums.sum(0)
    found = _statistics(total, duration * COPIES)
    without = np.array([_statistics(total - row, duration * (COPIES - 1)) for row in sums])
    sem = np.sqrt((COPIES - 1) * np.mean((without - found) ** 2, axis=0))
    named = (dict(zip(FIELDS, map(float, x), strict=False)) for x in (found, sem))
    return Answer(*named, found[4:], sem[4:])


def _run(program, neuron, duration, seed, edges):
    leak = neuron.tau_L, neuron.E_L, *spike_current(neuron)
    dt = min(STEP, 0.1 * neuron.tau_E, 0.1 * neuron.tau_I)
    burn_in = 5 * neuron.tau_L + 10 * max(neuron.tau_E, neuron.tau_I)
    numbers = (
        *(x for jump in neuron.jumps() for x in jump),
        *(neuron.tau_E, neuron.tau_I),
        *neuron.arrivals(),
        *leak,
        *(neuron.theta, neuron.V_r, neuron.tau_rp),
        *(dt, COPIES, duration, burn_in, seed),
        *edges,
    )
    text = subprocess.run(
        [program, *(f"{float(x):.17g}" for x in numbers)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return np.array([line.split() for line in text.splitlines()], float)


def _statistics(sums, duration):
    spikes, total, squares, n, below, v1, v2, *spent = sums
    mean = total / max(n, 1)
    cv = np.sqrt(max(squares / n - mean**2, 0)) / mean if n > 1 else np.nan
    v_mean = v1 / below
    shares = [part / below for part in spent]
    return np.array([1e3 * spikes / duration, cv, v_mean, np.sqrt(v2 / below - v_mean**2), *shares])
