"""Checks of densities: of v and of intervals between spikes, in bins."""

import functools
import math
import re
import subprocess
import warnings

import numpy as np
from brian2 import ms, mV

from cbnet.errors import CbnetWarning, ParameterError

from . import filtered_paths, white_quadrature
from .coverage_checks import Check, respond
from .coverage_solvers import FASTEST, FEWEST, chain
from .jump_chain import compiled, spike_current
from .random_neurons import draw, draw_filtered

# Largest relative error of a bin, as docs/benchmarks.md says, unless a warning names a larger one.
ADMITTED = {"shot": 1e-2, "diffusion": 1e-6, "colored": 1e-2}
THINNEST = 1e-3  # share of a bin that is looked at
SPIKES, ARRIVALS = 2e5, 2e7  # of a simulation, at most
PARTS = (0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3)  # of the mean interval


def edges(neuron, mean, sd):
    """Of bins beside the reset, beside the threshold and everywhere, in mV."""
    (c, E, J), _ = neuron.jumps()
    jump = max(c * (E - neuron.V_r) + J, sd / 50)
    found = [
        *np.linspace(mean - 2.5 * sd, mean + 2.5 * sd, 11),
        *(neuron.V_r + jump * x for x in (-1, -0.5, 0, 0.5, 1, 1.5, 2)),
        *(neuron.theta - jump * x for x in (0.25, 0.5, 1, 2)),
        neuron.theta,
    ]
    return sorted({float(x) for x in found if x <= neuron.theta})


def shares(density, at, jumps=True):
    """Of a density (1/V or 1/s) between each two edges (V or s).

    With jumps between the edges as means over many points, otherwise with Gauss's.
    """
    if jumps:
        x, w = (np.arange(5000) + 0.5) / 5000, np.full(5000, 1 / 5000)
    else:
        x, w = np.polynomial.legendre.leggauss(24)
        x, w = (x + 1) / 2, w / 2
    width = np.diff(at)
    return np.asarray(density(at[:-1, None] + width[:, None] * x), float) @ w * width


def asked(solver, density, at):
    """Shares of bins and the relative error they state; NaN if there is no answer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CbnetWarning)
        try:
            got = shares(density, at, solver == "shot")
        except ParameterError:
            return np.full(at.size - 1, np.nan), math.nan
    named = [re.search(r"off by ([\d.]+) ?%", str(warning.message)) for warning in caught]
    return got, max([ADMITTED[solver], *(float(match[1]) / 100 for match in named if match)])


def compared(solver, statistic, got, stated, right, sem, neuron):
    """A check for each bin that is not empty."""
    return [
        Check(solver, statistic, abs(g - r) / r, stated, s / r, repr(neuron))
        for g, r, s in zip(got, right, sem, strict=True)
        if r > THINNEST
    ]


def _of_v(solver, neuron, response, reference):
    if not math.isfinite(float(response.error)):
        return []
    at = np.array(edges(neuron, float(response.V_mean) * 1e3, float(response.V_sd) * 1e3))
    right = reference(at)
    answer = asked(solver, lambda x: response.density(x * 1e3 * mV), at / 1e3)
    return compared(solver, "density of v", *answer, right.shares, right.shares_sem, neuron)


def shot(seed, index):
    """Finite jumps beside the chain."""
    neuron = draw(seed + 100, index)
    response = respond(neuron, noise="shot")
    return _of_v("shot", neuron, response, lambda at: chain().solve(neuron, at))


def white(seed, index):
    """White noise beside quadrature."""
    neuron = draw(seed + 100, index)
    response = respond(neuron, noise="diffusion")
    return _of_v("diffusion", neuron, response, lambda at: white_quadrature.solve(neuron, at))


def colored(seed, index):
    """Filtered synapses beside simulation."""
    while True:
        neuron = draw_filtered(seed + 100, index)
        response = respond(neuron)
        if FEWEST < float(response.rate) < FASTEST:
            break
        seed += 1000
    return _of_v(
        "colored", neuron, response, lambda at: filtered_paths.solve(neuron, edges=tuple(at))
    )


def intervals(seed, index):
    """Intervals under finite jumps beside simulation."""
    while True:
        neuron = draw(seed + 200, index)
        response = respond(neuron, noise="shot")
        if FEWEST < float(response.rate) < FASTEST:
            break
        seed += 1000
    mean = 1e3 / float(response.rate)
    at = [neuron.tau_rp + part * mean for part in PARTS]
    step = _step(neuron)
    if step is not None:  # intervals so short end with one arrival, longer ones need two
        at += [neuron.tau_rp + step * part for part in (0.7, 0.9, 1, 1.1, 1.3)]
    at = np.array(sorted(at))
    right, sem = simulated(neuron, at - neuron.tau_rp, index)
    answer = asked("shot", lambda t: response.isi_density(t * 1e3 * ms), at / 1e3)
    return compared("shot", "density of intervals", *answer, right, sem, neuron)


def _step(neuron):
    """When the leak takes v from the reset out of the reach of one arrival, in ms."""
    (c, E, J), _ = neuron.jumps()
    last = (neuron.theta - J - c * E) / (1 - c)
    if not neuron.V_r > last > neuron.E_L or neuron.leak(neuron.V_r) >= 0:
        return None
    v = np.linspace(last, neuron.V_r, 2001)
    return float(np.trapezoid(-1 / neuron.leak(v), v)) if np.all(neuron.leak(v) < 0) else None


@functools.cache
def _program():
    return compiled("jump_paths.cpp")


def simulated(neuron, at, seed):
    """Shares of the times from the reset to the threshold between each two of `at` (ms), sems."""
    numbers = (
        *(x for jump in neuron.jumps() for x in jump),
        *neuron.arrivals(),
        *(neuron.tau_L, neuron.E_L, *spike_current(neuron)),
        *(neuron.theta, neuron.V_r),
        *(SPIKES, ARRIVALS, seed + 1),
        *at,
    )
    command = [_program(), *(f"{float(x):.17g}" for x in numbers)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    spikes, *counts = map(int, text.split())
    right = np.array(counts) / spikes
    return right, np.sqrt(np.maximum(right * (1 - right), 1 / spikes) / spikes)
