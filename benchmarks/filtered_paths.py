"""Synapses with time constants, simulated: an independent answer for ``noise="colored"``.

`filtered_neuron.cpp` follows one neuron from arrival to arrival. Standard errors are the
jackknife's over independent copies.
"""

import subprocess

import numpy as np

from .jump_chain import FIELDS, Answer, compiled, spike_current

COPIES = 30
STEPS = 1.5e7  # of a simulation; 50 to 150 ns each, more for spikes that grow fast
STEP = 0.05  # ms, and at most a tenth of what is fastest
IN_BINS = 0.1  # of that, where time in bins counts, which is taken from straight lines
TRUNCATED = 3e-5  # relative error of the steps, found by halving them
LEAST_SPIKES, LEAST_TIMES = 150, 100  # a copy, for a CV; and time constants that it lasts


def solve(neuron, steps=STEPS, edges=(), seed=1):
    """The answer for a neuron with filtered synapses.

    Parameters
    ----------
    neuron : random_neurons.Neuron
    steps : float
        How many to take, about.
    edges : sequence of float
        Of bins of v in mV.
    seed : int

    Returns
    -------
    jump_chain.Answer
        The CV's standard error is NaN where copies are too short for long intervals to be among
        theirs.
    """
    dt = min(STEP, 0.1 * neuron.tau_E, 0.1 * neuron.tau_I)
    if len(edges):
        dt *= IN_BINS
    pull = 1 / neuron.tau_L + sum(
        R * c for R, (c, *_) in zip(neuron.arrivals(), neuron.jumps(), strict=True)
    )
    duration = steps / COPIES / (sum(neuron.arrivals()) + 1 / dt + 20 * pull)
    sums = _run(neuron, dt, duration, seed, edges)
    total = sums.sum(0)
    found = _statistics(total, duration * COPIES)
    without = np.array([_statistics(total - row, duration * (COPIES - 1)) for row in sums])
    sem = np.sqrt((COPIES - 1) * np.mean((without - found) ** 2, axis=0))
    sem = np.maximum(sem, TRUNCATED * np.abs([*found[:2], found[3], *found[3:]]))
    slowest = max(neuron.tau_E, neuron.tau_I, neuron.tau_L)
    if total[3] < LEAST_SPIKES * COPIES or duration < LEAST_TIMES * slowest:
        sem[1] = np.nan
    named = (dict(zip(FIELDS, map(float, x), strict=False)) for x in (found, sem))
    return Answer(*named, found[4:], sem[4:])


def _run(neuron, dt, duration, seed, edges):
    leak = neuron.tau_L, neuron.E_L, *spike_current(neuron)
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
        [compiled("filtered_neuron.cpp"), *(f"{float(x):.17g}" for x in numbers)],
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
