"""The density of the intervals between spikes under finite jumps.

It has steps at the times at which the leak carries v from the reset to images of the threshold, and
peaks where it carries v over the threshold; a grid in v smears them over the time that the leak
takes through a panel. Panels are halved until two grids agree on the shares of bins.
"""

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from ....errors import ParameterError, warn
from .. import intervals
from . import jump_process, jump_refinement, jump_start, shot_noise

RTOL = 1e-4
_DEGREE, _TOLERANCE = 5, 50.0
_PANELS = 600
_BINS = 40  # in a mean interval; of equal shares
_SMALL = 2e-3  # share of a bin, below which its error is relative to that
_ENOUGH, _STATED, _UNRESOLVED = 5e-3, 0.01, 0.5  # error of a bin that will do; is told; refused
_SILENT = "isi_density: got a neuron that never fires; it has no intervals; raise r_E"


def interval_density(neuron, inputs, t, rtol=RTOL):
    """Density of the intervals between spikes at times t (s) for one input, in 1/s.

    Parameters
    ----------
    neuron : Neuron
        Of any leak and jumps.
    inputs : sequence of ndarray
        As the neuron's ``passage`` takes them, of one row.
    t : array_like
        Intervals in s.
    rtol : float
        Accuracy of the steps in time, relative to the largest value.

    Returns
    -------
    ndarray
        Of the shape of `t`; zero within the refractory time.

    Raises
    ------
    ParameterError
        For a neuron that never fires, or fires without noise; if shares of bins may be off by half.
    ConvergenceError
        If the steps in time become too many.

    Warns
    -----
    CbnetWarning
        If the share of some bin, a fortieth of the mean interval or of all intervals wide, may be
        more than a hundredth off: with few arrivals, whose steps no grid follows.

    Notes
    -----
    Assumes what :func:`shot_noise.passage` does. Spikes rarer than rounding allows are a
    Poisson train.
    """
    process = jump_process.of_neuron(neuron, *inputs)[0]
    t = np.asarray(t, float) - process.tau_rp
    system, again = _of_intervals(process, rtol)
    statistics, lost = system.statistics(False, False)
    if not lost <= rtol:
        rate = shot_noise.passage(neuron, inputs, rtol, cv=False).rate[0]
        if not rate > 0:
            raise ParameterError(_SILENT)
        return intervals.poisson(t, rate / (1 - rate * process.tau_rp))
    mean = 1 / statistics[0] - process.tau_rp
    table, error = _resolved(system, again, mean, rtol)
    if not error < _UNRESOLVED:
        raise ParameterError(
            "isi_density: got intervals whose density could not be resolved; simulate it"
        )
    if not error <= _STATED:
        warn(
            f"isi_density: the shares of bins may be off by {error:.1%}; "
            "use wider bins, or simulate it",
        )
    return intervals.tabulated(t, *table)


def _resolved(system, again, mean, rtol):
    """The table of :class:`Survival`, and by how much the share of a bin may be off."""

    def table_of(system):
        return intervals.Survival(system, mean, rtol / 10).density()

    table = table_of(system)
    gaps = [_distance(table_of(again(system.edges, _DEGREE - 1)), table, mean)]
    error = gaps[0]
    while error > _ENOUGH and 2 * system.panels <= _PANELS:
        edges = np.union1d(system.edges, (system.edges[1:] + system.edges[:-1]) / 2)
        try:
            system = again(edges, _DEGREE)
        except MemoryError:
            break
        before, table = table, table_of(system)
        gaps.append(_distance(before, table, mean))
        error = gap = gaps[-1]
        if gaps[-2] > gap:  # the next fall no slower than these two
            error = gap * min(gap / (gaps[-2] - gap), 1.0)
    return table, error


def _distance(one, other, mean):
    """The largest of the differences of shares of bins."""
    below = [CubicHermiteSpline(t, *values.T).antiderivative() for t, values, _ in (one, other)]
    t = other[0][other[0] <= one[0][-1]]
    share = below[1](t)
    rising = np.append(True, np.diff(np.maximum.accumulate(share)) > 0)
    equal = np.interp(np.arange(1, _BINS) / _BINS * share[-1], share[rising], t[rising])
    off = 0.0
    for bins in (np.arange(0, t[-1], mean / _BINS), np.concatenate([[0.0], equal, t[-1:]])):
        a, b = (np.diff(function(bins)) for function in below)
        if a.size:
            off = max(off, float((np.abs(a - b) / np.maximum(b, _SMALL)).max()))
    return off


def _of_intervals(process, rtol):
    """The equation on panels that the variance of the interval needs, and on others."""
    leak = process.leak(np.linspace(process.reset, process.threshold, 200))
    if not any(process.rates) and np.all(leak > 0):
        raise ParameterError(
            "isi_density: got a neuron without noise; its intervals are all the same: read rate"
        )
    process, blocked = jump_process.with_excitation(process)
    if process is None or blocked:
        raise ParameterError(_SILENT)
    try:
        found = jump_start.coarse(process, rtol)
        if found is None:
            raise MemoryError

        def again(edges, degree):
            return jump_refinement.on(*found[:2], edges, degree)

        system, edges, _ = jump_refinement.refined(
            *found, _DEGREE - 1, (True, False), _TOLERANCE * rtol
        )
        return again(edges, _DEGREE), again
    except MemoryError:
        raise ParameterError(
            "isi_density: got jumps too fine to follow; use noise='diffusion', or simulate it"
        ) from None
