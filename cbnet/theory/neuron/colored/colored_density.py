"""Density of v under filtered synapses, and by how much it may be off."""

from dataclasses import replace

import numpy as np

from ....errors import ConvergenceError
from . import plane, synaptic_law
from .colored_grid import Bottomless, stationary

_JAGGED = 2.0  # times the difference of two grids: at a reset or a jump they err alike
_FINEST = 2  # level of a grid
_BINS, _POINTS = 40, 50  # from reset to threshold, and as many around the mean; points of each
_AROUND = 2.5  # sds
_NEAREST = 2.0 ** -np.arange(3, 10)  # bins at the threshold, of the way to it from the reset
_SMALL = 1e-3  # share of the time, of a bin: below, its error counts relative to that


def occupied(membrane, rtol, factor):
    """The stationary state with its density, and the error of the shares of bins.

    Parameters
    ----------
    membrane : Membrane
    rtol : float
        Error to stop at.
    factor : float
        How much longer time constants may be made if the grid does not hold these.

    Returns
    -------
    plane.Stationary
    float
        Relative, of the share of any bin as wide as a fortieth of the way from reset to threshold
        or an eighth of v's sd, and of narrower ones next to the threshold; of bins of less than
        0.1 % of the time relative to that. Infinite if time constants were made longer.

    Raises
    ------
    ConvergenceError
        If no grid holds the membrane.
    """
    longer = membrane
    while True:
        try:
            found, error = _on_grids(longer, rtol)
        except (synaptic_law.TooMany, MemoryError, Bottomless) as failure:
            if factor <= 1 or isinstance(failure, Bottomless):
                raise ConvergenceError(
                    "density: got a membrane that no grid holds; use noise='shot' if its synapses "
                    "are fast"
                ) from None
        else:
            return found, error if longer is membrane else np.inf
        # too few arrivals for the grid: those of a longer time
        longer = replace(longer, taus=tuple(2 * tau for tau in longer.taus))
        factor /= 2


def _on_grids(membrane, rtol):
    """Of the finest grid that is needed, and how far it is from the one before."""
    before, error = None, np.inf
    for level in range(_FINEST + 1):
        try:
            found = stationary(membrane, level, 3, density=True, coarser=before)
        except Bottomless:
            if level == 0:
                continue  # it may be too coarse to tell
            raise
        except (synaptic_law.TooMany, MemoryError):
            if not np.isfinite(error):
                raise
            break
        if before is not None:
            error = _JAGGED * _apart(before, found, membrane)
        before = found
        if error <= rtol:
            break
    return before, error


def _apart(coarse, fine, membrane):
    """The largest relative difference of a bin."""
    V_r, theta = membrane.reset, membrane.threshold
    mean, sd = fine.v_mean, fine.v_sd
    ends = (
        np.linspace(V_r, theta, _BINS + 1),
        np.linspace(mean - _AROUND * sd, min(mean + _AROUND * sd, theta), _BINS + 1),
        np.append(theta - _NEAREST * (theta - V_r), theta),
    )
    worst = 0.0
    for edges in ends:
        width = np.diff(edges)[:, None]
        v = edges[:-1, None] + width * (np.arange(_POINTS) + 0.5) / _POINTS
        shares = [np.sum(plane.density(x, v) * width / _POINTS, axis=1) for x in (coarse, fine)]
        off = np.abs(shares[0] - shares[1]) / np.maximum(shares[1], _SMALL)
        worst = max(worst, float(off.max()))
    return worst if np.isfinite(worst) else np.inf
