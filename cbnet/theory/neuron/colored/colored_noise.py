"""Firing of a neuron whose synapses have time constants.

With filtered synapses dv/dt = f(v) + Σ x_i h_i(v) is a smooth function of time, and v alone is not
Markovian: (v, x_E, x_I) is. The excitatory and inhibitory fluctuations are turned into the one that
moves v near the threshold, Y, and the rest, Z; the stationary problem in (v, Y, Z) is solved with a
grid in v and Y and a few Gauss nodes in Z. Nothing is left out but what the grid cannot hold, so
that the answer applies to arrivals of finite size and to τ_E ≠ τ_I.
"""

from dataclasses import dataclass, replace

import numpy as np

from ....errors import ConvergenceError, ParameterError, warn
from ....support.threads import one_thread
from ..jumps import rare_trains
from ..white.first_passage import Passage, inaccurate
from . import colored_density, few_arrivals, plane, synaptic_law
from .colored_grid import LEVELS, Bottomless, reachable, stationary

RTOL = 1e-2
_REFUSED = 1e-6  # Hz: not worth the grid that lower rates need
_NO_GRID = (
    "rtol: got {:g}; no grid holds this membrane; ask for less accuracy, or use noise='fast' or "
    "'adiabatic' within their ranges"
)
_LOWEST = "a rate below 1e-6 Hz given as 0"
# Arrivals within a synaptic time constant: with fewer the law of the synapses is jagged, two grids
# agree by chance more often, and those of the answer are asked for half the error.
_FEWEST, _JAGGED = 0.12, 2.0
_SHORT = 0.3  # of the membrane: with longer synaptic time constants finite jumps tell little


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
        Estimated relative error of rate, CV and v_sd, from two grids. Of a silent neuron that of
        v_sd: from the grids if it is at most 3 %, else of linear response.
    note : str
        What else should be known.
    """

    rate: float
    cv: float
    v_mean: float
    v_sd: float
    error: float
    note: str = ""


@one_thread
def solve(membrane, rtol=RTOL, dimensions=3):
    """Rate, CV and voltage statistics.

    Parameters
    ----------
    membrane : Membrane
        Of ``filtered_membrane``.
    rtol : float
        Relative accuracy of rate, CV and v_sd.
    dimensions : {3, 2}
        2 leaves out Z, the fluctuation that does not move v at V* = θ − κ (θ − μ), with the fitted
        κ = 0.4. For τ_E = τ_I that is exact with current synapses; with conductances it
        raises low rates, by 14 % at worst in the reference simulations and by less than 6 % above
        1 Hz. For τ_E ≠ τ_I it is off by up to a factor of two.

    Returns
    -------
    Firing

    Raises
    ------
    ConvergenceError
        If the last two grids differ by more than `rtol`; ``best`` is the Firing. A neuron that does
        not fire has the error of its voltage, whatever it is.

    Assumptions
    -----------
    Poisson arrivals, independent of each other; a spike resets v and leaves the synapses alone,
    which go on evolving during the refractory time. Rates below 1e-6 Hz are given as 0, and the
    note says so. Where fewer than 0.12 arrivals of a kind fall within its τ, and the grid does not
    serve, the answer lies between that of finite jumps and of longer τ (:mod:`_few_arrivals`), and
    the note says so.

    References
    ----------
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Sec. VI (finite synaptic
    time constants); the stationary problem for one filter is that of N. Brunel and S. Sergi,
    J. Theor. Biol. 195, 87 (1998).
    """
    # trains that hardly ever arrive add less than is told apart from silence
    membrane = replace(membrane, rates=tuple(R if R > _REFUSED else 0.0 for R in membrane.rates))
    quiet = _without_noise(membrane)
    if quiet is not None:
        return quiet
    if rare_trains.most_often(membrane) < _REFUSED:
        return _linear(membrane)
    rare, change = rare_trains.negligible(membrane, rtol / 2)
    if change > 0:
        best = _best(rare_trains.without(membrane, rare), rtol - change, dimensions)
        change = max(change, rare_trains.spread(membrane, rare, change, best))
        if change <= rtol / 2:
            return _checked(replace(best, error=best.error + change), rtol)
    if min(_arrivals(membrane)) < _FEWEST:
        return _checked(_with_few(membrane, rtol, dimensions), rtol)
    return _converged(membrane, rtol, dimensions)


def _best(membrane, rtol, dimensions):
    """The answer, as accurate as it is."""
    try:
        return solve(membrane, rtol, dimensions)
    except ConvergenceError as failure:
        return failure.best


@one_thread
def density(membrane, v, rtol=RTOL):
    """Probability density of v outside the refractory time (1/V), zero above the threshold.

    Its integral is 1; over all time v has this density times 1 − ν τ_rp, and the reset the rest.
    Shares of bins are right to `rtol`, or a warning says how far they may be off.

    Raises
    ------
    ParameterError
        Of a neuron at rest without noise.
    ConvergenceError
        If no grid holds the membrane.
    """
    quiet = _without_noise(membrane)
    lowered = membrane
    if quiet is None:
        lowered, _ = reachable(membrane)
    if quiet is not None and quiet.rate == 0:
        raise ParameterError(
            "density: got a neuron at rest without noise; its density is a point: read V_mean"
        )
    factor = _FEWEST / min(_arrivals(membrane, default=_FEWEST))
    found, error = colored_density.occupied(lowered, rtol, factor)
    if error > rtol:
        warn(
            f"density: the shares of bins may be off by {min(error, 1.0):.1%}; "
            "use wider bins, or simulate it"
        )
    return plane.density(found, v)


def passage(neuron, inputs, rtol=RTOL, cv=True, moments=False):
    """:func:`solve` for a Neuron and arrays of inputs in Hz, as the table of methods has it."""
    firing, failure = [], None
    for row in range(len(inputs[0])):
        try:
            firing.append(solve(of_neuron(neuron, inputs, row), rtol))
        except ConvergenceError as error:
            failure = error
            firing.append(error.best)
    columns = (np.array([getattr(f, name) for f in firing]) for name in _COLUMNS)
    notes = sorted({f.note for f in firing} - {""})
    answer = Passage(*columns, note="; ".join(notes))
    if failure is not None:
        raise ConvergenceError(str(failure), best=answer) from failure
    return answer


def density_of_neuron(neuron, inputs, v):
    """:func:`density` for a Neuron and one input, as the table of methods has it."""
    return density(of_neuron(neuron, inputs, 0), v)


def without_filters(noise):
    """What is wrong with a treatment of synaptic time constants where there are none."""
    return f"noise: got {noise!r} with instantaneous synapses; set tau_S or use 'shot'"


def of_neuron(neuron, inputs, row, most=2):
    """The Membrane of one row of inputs, of at most so many synaptic variables (None: any)."""
    taus = neuron.time_constants
    filtered = [kind for kind, tau in taus.items() if tau > 0]
    if not filtered:
        raise ParameterError(without_filters(neuron.noise))
    if len(filtered) < len(taus):
        kind, target = filtered[0], neuron.reduced.targets[filtered[0]]
        raise ParameterError(
            f"noise: got a time constant of {kind} alone ({target!r}); {neuron.noise!r} needs one "
            "of both kinds of synapses; use 'shot' or 'diffusion', which take it as zero"
        )
    return neuron.filtered_membrane(*inputs, row=row, most=most)


_COLUMNS = ("rate", "cv", "error", "v_mean", "v_sd")


def _arrivals(membrane, default=np.inf):
    """Arrivals within its time constant, of each train that has any."""
    pairs = zip(membrane.rates, membrane.taus, strict=True)
    return [R * tau for R, tau in pairs if R > 0] or [default]


def _checked(found, rtol):
    """The answer if there is one, as accurate as asked for."""
    if np.isnan(found.rate):
        raise ConvergenceError(_NO_GRID.format(rtol), best=found)
    if found.error <= rtol or found.rate == 0:
        return found
    why = f"{found.rate:.3g} Hz{f'; {found.note}' if found.note else ''}"
    raise ConvergenceError(inaccurate(rtol, found.error, why), best=found)


def _converged(membrane, rtol, dimensions):
    within, lowered = reachable(membrane)
    best, before = None, None
    if lowered and (free := _linear(membrane)).error <= rtol:
        return free
    for level in range(len(LEVELS)):
        try:
            # a grid that cannot hold the membrane shows in its answer, which is then left out
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                found = stationary(within, level, dimensions, coarser=before)
        except Bottomless:
            if level == 0:
                continue  # it may be too coarse to tell
            break
        except (synaptic_law.TooMany, MemoryError, np.linalg.LinAlgError):
            break
        if not np.isfinite(found.rate):
            continue
        if before is not None:
            error = _difference(before, found, membrane, lowered)
            rare = lowered or max(before.rate, found.rate) < _REFUSED
            rate, cv = (0.0, np.nan) if rare else (found.rate, found.cv)
            if rare:
                error = _difference(before, found, membrane, True)
                if (free := _linear(membrane)).error <= min(error, rtol):
                    return free
            if error < (np.inf if best is None else best.error):
                note = _LOWEST if rare else ""
                best = Firing(rate, cv, found.v_mean, found.v_sd, error, note)
            if error <= rtol:
                return best
        before = found
    if lowered or (best is not None and best.rate == 0):
        return _silent(membrane, best)
    return _checked(best or Firing(np.nan, np.nan, np.nan, np.nan, np.inf), rtol)


def _silent(membrane, best):
    """No spikes for certain; v as good as it is known."""
    if best is not None and best.error < 0.03:
        return best
    return _linear(membrane)


def _linear(membrane):
    """No spikes, and v in linear response, which is exact where synapses add to a linear leak.

    Its error is the relative change, within one sd of v, of what it takes to be constant: the
    effect of a synapse, and the slope of the drift, in units of their own fluctuations. Their
    effects on the mean cancel to first order, so that this is more than the error.
    """
    mu, tau = membrane.rest()
    sd = membrane.free_sd(mu)
    weights = np.array([tau * np.sqrt(t / (tau + t)) for t in membrane.taus])
    n = membrane.amplitudes(np.array([mu - sd, mu, mu + sd])) * weights[:, None]
    change = np.abs(n[:, 2] - n[:, 0]) / 2
    F = membrane.drift(np.array([mu - sd, mu, mu + sd]))
    bend = abs(F[0] - 2 * F[1] + F[2]) * tau / 2
    error = float((np.hypot(*change) + bend) / max(sd, 1e-300)) + 1e-9
    return Firing(0.0, np.nan, mu, sd, error, f"{_LOWEST}; v in linear response")


def _with_few(membrane, rtol, dimensions):
    """The answer of a grid, or one between it and finite jumps, whichever is better known."""

    def on_grid(membrane, rtol):
        try:
            return _converged(membrane, rtol, dimensions)
        except ConvergenceError as failure:
            return failure.best

    def statistics(membrane):
        found = on_grid(membrane, rtol / 2)
        jagged = _JAGGED if min(_arrivals(membrane)) < _FEWEST else 1.0
        return found.rate, found.cv, found.v_mean, found.v_sd, jagged * found.error

    found = on_grid(membrane, rtol / _JAGGED)
    if found.rate == 0:
        return found
    arrivals = np.array(membrane.rates) * membrane.taus
    few = (arrivals > 0) & (arrivals < _FEWEST / 4)
    error = _JAGGED * found.error
    if few.any() and np.isfinite(error):
        error += rare_trains.effect(membrane, few, found, lambda m: _best(m, rtol, dimensions))
    note = f"{arrivals[arrivals > 0].min():.2g} arrivals within a synaptic time constant"
    found = replace(found, error=error, note=note)
    if error <= rtol:
        return found
    between = few_arrivals.between(membrane, _SHORT * membrane.rest()[1], rtol, statistics)
    if between is None or between[-1] >= error:
        return found
    return Firing(*between, note=f"{note}: between finite jumps and longer time constants")


def _difference(coarse, fine, membrane, only_voltage):
    width = membrane.threshold - membrane.reset
    pairs = [
        (coarse.v_mean - fine.v_mean, width),
        (coarse.v_sd - fine.v_sd, max(fine.v_sd, 1e-3 * width)),
    ]
    if not only_voltage:
        pairs += [(coarse.rate - fine.rate, fine.rate), (coarse.cv - fine.cv, max(fine.cv, 0.1))]
    error = max(abs(gap) / max(abs(scale), 1e-300) for gap, scale in pairs)
    return error if np.isfinite(error) and (fine.rate > 0 or only_voltage) else np.inf


def _without_noise(membrane):
    """The answer if no arrival moves v at the threshold; None if one does."""
    theta = np.array(membrane.threshold)
    scale = (membrane.threshold - membrane.reset) / max(membrane.taus)
    if np.hypot(*membrane.amplitudes(theta)) > 1e-9 * scale:
        return None
    x, w = np.polynomial.legendre.leggauss(200)
    v = membrane.reset + (membrane.threshold - membrane.reset) * (x + 1) / 2
    F = membrane.drift(v)
    if np.all(F > 0) and membrane.drift(theta) > 0:
        w = w / F * (membrane.threshold - membrane.reset) / 2
        T = w.sum()
        mean = w @ v / T
        sd = np.sqrt(w @ (v - mean) ** 2 / T)
        return Firing(1 / (membrane.tau_rp + T), 0.0, mean, sd, 1e-9)
    mu = membrane.rest()[0]
    return Firing(0.0, np.nan, mu if np.isfinite(mu) else np.nan, 0.0, 0.0)
