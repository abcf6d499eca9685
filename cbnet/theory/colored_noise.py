"""Firing of a neuron whose synapses have time constants.

With filtered synapses dv/dt = f(v) + Σ x_i h_i(v) is a smooth function of time, and v alone is not
Markovian: (v, x_E, x_I) is. The excitatory and inhibitory fluctuations are turned into the one that
moves v near the threshold, Y, and the rest, Z; the stationary problem in (v, Y, Z) is solved with a
grid in v and Y and a few Gauss nodes in Z. Nothing is left out but what the grid cannot hold, so
that the answer applies to arrivals of finite size and to τ_E ≠ τ_I.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConvergenceError
from . import _plane, _synapses

# Where the axis Y is fixed: V* = θ − κ (θ − μ). In three dimensions it only sets how few nodes of Z
# are enough. In two it matters, and 0.4 was fitted to simulated rates; for weak white noise the
# most likely way to the threshold gives 1/3.
FITTED_KAPPA = 0.4
RTOL = 1e-2
# Gauss nodes of Z, cells of v, widest and narrowest spacing of Y
_LEVELS = (
    (2, 10, 0.55, 0.20),
    (3, 14, 0.42, 0.14),
    (4, 20, 0.30, 0.10),
    (5, 28, 0.21, 0.07),
)
_SILENT = 40.0  # exponent of the probability of the fluctuation that a spike needs
_DEEP = 14.0  # of a fluctuation too rare to matter to a neuron that fires


@dataclass(frozen=True)
class Firing:
    """Stationary firing in SI units.

    Attributes
    ----------
    rate, cv : float
        In Hz; CV of the intervals, which are correlated, NaN for a silent neuron.
    v_mean, v_sd : float
        Of v outside the refractory time, in V.
    error : float
        Estimated relative error of rate, CV and v_sd, from two grids.
    note : str
        What else should be known.
    """

    rate: float
    cv: float
    v_mean: float
    v_sd: float
    error: float
    note: str = ""


def solve(membrane, rtol=RTOL, dimensions=3):
    """Rate, CV and voltage statistics.

    Parameters
    ----------
    membrane : Membrane
        See :func:`cbnet.theory._membrane.membrane`.
    rtol : float
        Relative accuracy of rate, CV and v_sd.
    dimensions : {3, 2}
        2 leaves out Z, the fluctuation that does not move v at V* = θ − κ (θ − μ), with the fitted
        κ = 0.4: faster, and off as the Notes say.

    Returns
    -------
    Firing

    Raises
    ------
    ConvergenceError
        If the finest two grids differ by more than `rtol`; ``best`` is the Firing.

    Assumptions
    -----------
    Poisson arrivals, independent of each other; a spike resets v and leaves the synapses alone,
    which go on evolving during the refractory time.
    """
    best, before = None, None
    for level in range(len(_LEVELS)):
        found = _on_grid(membrane, level, dimensions)
        if isinstance(found, Firing):
            return found
        if before is not None:
            error = _difference(before, found, membrane)
            if best is None or error < best.error:
                best = Firing(found.rate, found.cv, found.v_mean, found.v_sd, error)
            if error <= rtol:
                return best
        before = found
    raise ConvergenceError(
        f"rtol: got {rtol:g}; the error of a rate of {best.rate:.3g} Hz is estimated at "
        f"{best.error:.2g}; ask for less accuracy",
        best=best,
    )


def _difference(coarse, fine, membrane):
    width = membrane.threshold - membrane.reset
    pairs = (
        (coarse.rate - fine.rate, fine.rate),
        (coarse.cv - fine.cv, max(fine.cv, 0.1)),
        (coarse.v_mean - fine.v_mean, width),
        (coarse.v_sd - fine.v_sd, max(fine.v_sd, 1e-3 * width)),
    )
    error = max(abs(gap) / max(abs(scale), 1e-300) for gap, scale in pairs)
    return error if np.isfinite(error) and fine.rate > 0 else np.inf


def _on_grid(membrane, level, dimensions, density=False):
    M, count, widest, narrowest = _LEVELS[level]
    theta, V_r = membrane.threshold, membrane.reset
    mu, tau = membrane.rest()
    at_theta = membrane.amplitudes(np.array(theta))
    c, tau_S = _axes(membrane, mu, at_theta)
    trains = _synapses.trains_along(c, membrane.rates, membrane.taus)
    if dimensions == 2 or _one_fluctuation(membrane, c):
        M = 1
    n = float(at_theta @ c)
    center = -float(membrane.drift(np.array(theta))) / n
    exponent = _synapses.unlikely(trains, center) if center > 0 else 0.0
    if exponent > _SILENT:
        return _silent(membrane, mu, tau)
    ends = (
        _synapses.reach(trains, _DEEP, -1),
        _synapses.reach(trains, max(_DEEP, exponent + 6), 1),
    )
    synapses = _synapses.discretised(
        c, membrane.rates, membrane.taus, center, ends, M, widest, narrowest
    )
    velocity = synapses.velocity(membrane)
    width = theta - V_r
    along = abs(float(membrane.amplitudes(np.array(min(mu, theta))) @ c)) if mu > -np.inf else n
    sd = along * min(tau, 10 * tau_S) * np.sqrt(tau_S / (min(tau, 10 * tau_S) + tau_S))
    sd = min(sd, 3 * width)
    v = np.linspace(V_r - 40 * width, V_r, 2000)
    down = np.flatnonzero(velocity(v).min(1) < 0)
    floor = v[down[0]] if down.size else V_r
    V_lo = min(max(floor, min(V_r, mu) - 7 * sd), V_r - 0.3 * sd)
    edges, first = _plane.cells(V_lo, V_r, theta, mu, sd, min(0.05 * n * tau_S, sd), count)
    return _plane.stationary(edges, first, velocity, synapses.G, membrane.tau_rp, density=density)


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
    v = np.linspace(
        membrane.reset - 2 * (membrane.threshold - membrane.reset), membrane.threshold, 7
    )
    y_E, y_I = membrane.amplitudes(v)
    return bool(np.all(np.abs(y_I * c[0] - y_E * c[1]) <= 1e-9 * np.hypot(y_E, y_I)))


def _silent(membrane, mu, tau):
    return Firing(0.0, np.nan, np.nan, np.nan, 0.0)
