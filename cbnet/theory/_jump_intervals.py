"""The density of the intervals between spikes under finite jumps."""

import numpy as np

from ..errors import ParameterError
from . import _intervals, _jump_process, _jump_refinement, _jump_start, shot_noise

RTOL = 1e-4
_DEGREE, _TOLERANCE = 4, 50.0
_SILENT = "isi_density: got a neuron that never fires; it has no intervals; raise r_E"


def interval_density(neuron, r_E, r_I, t, rtol=RTOL):
    """Density of the intervals between spikes at times t (s) for one input, in 1/s.

    Parameters
    ----------
    neuron : Neuron
        Of any leak and jumps.
    r_E, r_I : float
        Rates in Hz of each of its K and γK inputs.
    t : array_like
        Intervals in s.
    rtol : float
        Accuracy, relative to the largest value.

    Returns
    -------
    ndarray
        Of the shape of `t`; zero within the refractory time.

    Raises
    ------
    ParameterError
        For a neuron that never fires, or fires without noise.
    ConvergenceError
        If the steps in time become too many.

    Notes
    -----
    Assumes what :func:`shot_noise.passage` does. Spikes rarer than rounding allows are a
    Poisson train.
    """
    process = _jump_process.of_neuron(neuron, np.array([r_E]), np.array([r_I]))[0]
    t = np.asarray(t, float) - process.tau_rp
    system = _of_intervals(process, rtol)
    statistics, lost = system.statistics(False, False)
    if not lost <= rtol:
        rate = shot_noise.passage(neuron, np.array([r_E]), np.array([r_I]), rtol, cv=False).rate[0]
        if not rate > 0:
            raise ParameterError(_SILENT)
        return _intervals.poisson(t, rate / (1 - rate * process.tau_rp))
    mean = 1 / statistics[0] - process.tau_rp
    return _intervals.tabulated(t, *_intervals.Survival(system, mean, rtol / 10).density())


def _of_intervals(process, rtol):
    leak = process.leak(np.linspace(process.reset, process.threshold, 200))
    if process.R_E == 0 and process.R_I == 0 and np.all(leak > 0):
        raise ParameterError(
            "isi_density: got a neuron without noise; its intervals are all the same: read rate"
        )
    process, blocked = _jump_process.with_excitation(process)
    if process is None or blocked:
        raise ParameterError(_SILENT)
    try:
        return _system(process, rtol)
    except MemoryError:
        raise ParameterError(
            "isi_density: got jumps too fine to follow; use noise='diffusion', or simulate it"
        ) from None


def _system(process, rtol):
    """The equation in v, on panels that the variance of the interval needs."""
    found = _jump_start.coarse(process, rtol)
    if found is None:
        raise MemoryError
    system, edges, _ = _jump_refinement.refined(*found, _DEGREE, (True, False), _TOLERANCE * rtol)
    return _jump_refinement.on(*found[:2], edges, _DEGREE)
