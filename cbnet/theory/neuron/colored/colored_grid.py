"""The grid on which a neuron with filtered synapses is solved: axes of the synapses, cells of v."""

from dataclasses import replace

import numpy as np

from . import plane, synaptic_law

# Where the axis Y is fixed: V* = θ − κ (θ − μ). In three dimensions it only sets how few nodes of Z
# are enough. In two it matters, and 0.4 was fitted to simulated rates; for weak white noise the
# most likely way to the threshold gives 1/3.
FITTED_KAPPA = 0.4
# Gauss nodes of Z, cells of v, widest and narrowest spacing of Y
LEVELS = (
    (2, 10, 0.55, 0.20),
    (3, 14, 0.42, 0.14),
    (4, 20, 0.30, 0.10),
    (5, 28, 0.21, 0.07),
)
_SILENT = 40.0  # exponent of the probability of the fluctuation that a spike needs
_DEEP = 14.0  # of a fluctuation too rare to matter to a neuron that fires
_LEFT_OUT = 1e-4  # of time and variance of v in the lowest cell, and about as much below
_EXTENSIONS = 12  # of the grid downwards, each to twice the depth
_FINER = 2  # times as many cells of v where its density is asked for
_STATES = 300  # of the synapses at most: more take minutes


class Bottomless(Exception):
    """Potentials for which no grid is deep enough."""


def stationary(membrane, level, dimensions, density=False, coarser=None):
    """The stationary state on one of :data:`LEVELS`, with Z (`dimensions` 3) or without (2).

    The grid reaches so far down that next to nothing is left out. `coarser` is the state on another
    level, which tells how far that is.

    Raises
    ------
    Bottomless
        If there is no end to it.
    TooMany
        If the synapses have too many states.
    """
    M, count, widest, narrowest = LEVELS[level]
    mu, tau, c, tau_S, trains, n, center = _frame(membrane)
    if density:
        count = _FINER * count
    theta, V_r = membrane.threshold, membrane.reset
    if dimensions == 2 or _one_fluctuation(membrane, c):
        M = 1
    exponent = synaptic_law.unlikely(trains, center) if center > 0 else 0.0
    ends = (
        synaptic_law.reach(trains, _DEEP, -1),
        synaptic_law.reach(trains, max(_DEEP, exponent + 6), 1),
    )
    y = synaptic_law.grid(*ends, center, widest, narrowest, _STATES // M)
    synapses = synaptic_law.discretised(c, membrane.rates, membrane.taus, y, M)
    velocity = synapses.velocity(membrane)
    width = theta - V_r
    along = abs(float(membrane.amplitudes(np.array(min(mu, theta))) @ c)) if mu > -np.inf else n
    # without a resting point the first guess only sets the grid's coarseness
    sd = along * tau * np.sqrt(tau_S / (tau + tau_S)) if np.isfinite(tau) else width / 2
    sd = min(sd, 3 * width)
    floor = _floor(velocity, V_r, width)
    V_lo = min(max(floor, V_r - 40 * width, min(V_r, mu) - 7 * sd), V_r - 0.3 * sd)
    layer = min(0.05 * n * tau_S, sd)
    depth, total = plane.graded(V_lo, theta, mu, sd, layer)
    spacing = total[-1] / count
    if coarser is not None and coarser.edges[0] < V_lo:
        V_lo = coarser.edges[0]
        mu, sd = min(mu, coarser.v_mean), max(sd, coarser.v_sd)
        depth, total = plane.graded(V_lo, theta, mu, sd, layer)
    for _ in range(_EXTENSIONS):
        count = max(count, round(total[-1] / spacing))
        edges, first = plane.cells(depth, total, V_r, theta, count)
        found = plane.stationary(
            edges, first, velocity, synapses.G, membrane.tau_rp, density=density
        )
        if V_lo <= floor or not found.lowest > _LEFT_OUT:
            return found
        V_lo = max(floor, V_r - 2 * (V_r - V_lo))
        mu, sd = min(mu, found.v_mean), max(sd, found.v_sd)
        depth, total = plane.graded(V_lo, theta, mu, sd, layer)
    raise Bottomless


def _floor(velocity, V_r, width):
    """The lowest potential that v can be carried down to from the reset."""
    depth = np.concatenate([np.linspace(0, 40, 2001), np.geomspace(40, 1e5, 400)[1:]])
    v = V_r - width * depth
    stuck = np.flatnonzero(velocity(v).min(1) >= 0)
    return v[stuck[0]] if stuck.size else -np.inf


def reachable(membrane):
    """The neuron, and if it never fires one with a lower threshold that it hardly reaches either.

    What v does far below a threshold does not depend on it.
    """
    if _exponent(membrane) <= _SILENT:
        return membrane, False
    mu, _ = membrane.rest()
    low, high = mu, membrane.threshold
    for _ in range(50):
        middle = (low + high) / 2
        rare = _exponent(replace(membrane, threshold=middle, reset=mu)) > 16
        low, high = (low, middle) if rare else (middle, high)
    return replace(membrane, threshold=high, reset=mu), True


def _frame(membrane):
    """Axes, duration of Y, trains, Y at which v stands still at the threshold."""
    mu, tau = membrane.rest()
    theta = np.array(membrane.threshold)
    at_theta = membrane.amplitudes(theta)
    c, tau_S = _axes(membrane, mu, at_theta)
    trains = synaptic_law.trains_along(c, membrane.rates, membrane.taus)
    n = float(at_theta @ c)
    return mu, tau, c, tau_S, trains, n, -float(membrane.drift(theta)) / n


def _exponent(membrane):
    """How unlikely a fluctuation is that can carry v over the threshold."""
    *_, trains, _, center = _frame(membrane)
    return synaptic_law.unlikely(trains, center) if center > 0 else 0.0


def _axes(membrane, mu, at_theta):
    """Weights of Y, and how long it lasts."""
    gap = max(membrane.threshold - mu, 0.0) if np.isfinite(mu) else 0.0
    c = at_theta / np.hypot(*at_theta)
    there = membrane.amplitudes(np.array(membrane.threshold - FITTED_KAPPA * gap))
    if np.hypot(*there) > 0:
        turned = there / np.hypot(*there)
        # an axis that hardly moves v at the threshold serves nothing
        c = turned if turned @ c > 0.9 else c
    rate = sum(w**2 / tau for w, tau in zip(c, membrane.taus, strict=True))
    return c, 1 / rate


def _one_fluctuation(membrane, c):
    """Whether Z moves neither v nor Y."""
    if min(membrane.rates) == 0:
        return True
    if membrane.taus[0] != membrane.taus[1]:
        return False
    width = membrane.threshold - membrane.reset
    v = np.linspace(membrane.reset - 2 * width, membrane.threshold, 7)
    y_E, y_I = membrane.amplitudes(v)
    return bool(np.all(np.abs(y_I * c[0] - y_E * c[1]) <= 1e-9 * np.hypot(y_E, y_I)))
