"""Finite jumps ("shot noise"): rate, CV and voltage of one neuron without diffusion approximation.

Between arrivals v follows the leak f; an arrival of kind p, at the total rate R_p, moves it by
h_p(v). The mean time T(v) to the next spike solves the backward equation

    f T' + Σ R_p [T(v + h_p) 1{v + h_p ≤ θ} − T(v)] = −1,

its variance the same with −Σ R_p [T(v + h_p) − T(v)]² on the right (T = 0 above θ), and the time
average of a function is the solution with that function on the right, over T. Leak, jumps,
threshold and reset are those of the model's strings: nothing here knows a particular neuron.
"""

import itertools

import numpy as np
from scipy.optimize import brentq

from ....errors import ConvergenceError
from ..white.first_passage import Passage, inaccurate
from . import jump_process, jump_refinement, jump_start, jump_system
from .jump_grid import panels, survey, surveyed

RTOL = 1e-4
# Nodes of a panel, how the space between images of the threshold is split, images that panels are
# aligned to, panels for each unit of change: each about three to ten times as accurate as the last.
_LEVELS = (
    (2, (0.0,), 24, 3),
    (3, (0.0,), 32, 3),
    (3, (0.0, 0.3), 32, 4),
    (4, (0.0, 0.1, 0.4), 48, 4),
    (5, (0.0, 0.05, 0.2, 0.5), 80, 5),
    (6, (0.0, 0.02, 0.06, 0.15, 0.35, 0.65), 150, 6),
    (8, (0.0, 0.015, 0.04, 0.1, 0.2, 0.35, 0.5, 0.75), 300, 8),
)
_ROUGH = 3e-3  # accuracy for which the first levels serve
THIN = 0.1  # way of the leak between arrivals, over a jump: thinner, and steps stay steps
# A difference between two levels is the error of the lower one. That of the higher one is mostly
# a tenth of it once the layers are resolved; until then, and with thin layers, it may be as large,
# and in one neuron of a hundred two levels agree by chance: these factors cover such too.
_SMOOTH, _ROUGHER, _SMOOTH_FROM = 2.0, 4.0, 4
_FASTEST = 0.05  # of the difference before: a faster fall is chance
_AGREED = 0.5  # of the accuracy asked for: closer, and two levels agree by chance
_FLOOR = 1e-9  # of rounding
_REGULAR = 0.2  # CV below which its absolute error counts
# Degrees of T on a panel, on panels and on finer ones; what panels may put off an answer, over the
# accuracy that is asked for: nearly all of it cancels, and where the error shows that it does not,
# there is a next. Two answers that agree by far better than that do so by chance.
_DEGREES, _LOWER = (4, 5), (3, 4)
_TOLERANCES = 200.0, 50.0, 10.0, 2.0, 0.4
_CHANCE, _SLOWEST = 0.1, 0.4
_NEARLY = 10.0  # errors over the accuracy asked for, for which other panels are no better
_KNOWN = 0.03  # of the chance lost to rounding, what is left when it has been corrected
_LARGEST = 8_000_000  # numbers in a factorised matrix: half a second
_UNSEEN = 1e-30  # Hz
_LEAST = 1e-290  # Hz, of e^-690 times any rate of arrivals
_LD_PANELS = 32
_LD_NODES, _LD_WEIGHTS = np.polynomial.legendre.leggauss(8)


def passage(neuron, inputs, rtol=RTOL, cv=True, moments=False):
    """Rate, CV, mean and sd of v for arrays of inputs.

    Parameters
    ----------
    neuron : Neuron
        Of the strings and values.
    inputs : sequence of ndarray
        As the neuron's ``passage`` takes them, of N rows.
    rtol : float
        Relative accuracy of every answer that is asked for.
    cv, moments : bool
        Whether to compute the CV, and mean and sd of v.

    Returns
    -------
    Passage

    Raises
    ------
    ConvergenceError
        If some neuron's estimated error stays above `rtol`; ``best`` is the Passage.

    Notes
    -----
    Assumes independent Poisson arrivals, a threshold that is tested after every arrival and along
    the leak, and that arrivals while refractory move nothing. Panels are made where the answer
    needs them (:mod:`_jump_refinement`); the rarest spikes and the finest jumps need those of
    :mod:`_jump_system`, which keep their relative accuracy down to e^-690 of the rate of arrivals.
    The error covers rate, CV (relative to 0.2 below that), and mean and sd of v in units of the sd.
    Rarer spikes than floats can express are given as the rate 0, and the answer's note says so; the
    error is then that of the voltage. Rates below 1e-30 Hz are given whatever their error.

    References
    ----------
    M. J. E. Richardson and R. Swarbrick, Phys. Rev. Lett. 105, 178102 (2010), for the master
    equation of an integrate-and-fire neuron with finite jumps; N. G. van Kampen, *Stochastic
    Processes in Physics and Chemistry*, Sec. XII.2, for the backward equation.
    """
    size = len(inputs[0])
    values, error, beyond = np.full((4, size), np.nan), np.full(size, np.inf), np.zeros(size, bool)
    for k, process in enumerate(jump_process.of_neuron(neuron, *inputs)):
        values[:, k], error[k], beyond[k] = one_neuron(process, rtol, cv, moments)
    note = ""
    if beyond.any():
        some = "" if size == 1 else f" at {beyond.sum()} of {size} inputs"
        note = f"a rate below {_LEAST:g} Hz given as 0{some}"
    answer = Passage(values[0], values[1], error, values[2], values[3], note)
    missed = ~(error <= rtol) & ~(values[0] < _UNSEEN)
    if missed.any():
        why = f"{missed.sum()} of {size} rates" if size > 1 else ""
        raise ConvergenceError(inaccurate(rtol, error[missed].max(), why), best=answer)
    return answer


def one_neuron(process, rtol, cv, moments):
    """Statistics of one neuron, their estimated error, and if its rate is beyond floats."""
    fast = _on_nodes(process, rtol, cv, moments)
    if fast is not None and fast[1] <= _NEARLY * rtol:
        return *fast, False
    slow = _on_panels(process, rtol, cv, moments)
    return (*fast, False) if fast is not None and fast[1] < slow[1] else slow


def _on_panels(process, rtol, cv, moments):
    """The same for any leak and jumps."""
    real = process
    process, blocked = jump_process.with_excitation(process)
    if process is None:
        return _at_rest(real), 0.0, False
    process, found = surveyed(process, rtol)
    held = found.silent or blocked
    beyond = held and not blocked
    values = np.array([0.0, np.nan, np.nan, np.nan])
    if held and not moments:
        return values, 0.0, beyond
    free = _free(real) if held else None
    if free is not None:
        values[2:] = free
        return values, _FLOOR, beyond
    asked = np.array([not held, cv and not held, moments, moments])
    solved, error = _refined(process, found, rtol, asked)
    values = np.where(asked, solved, values)
    return values, error, beyond


def _refined(process, found, rtol, asked):
    """Statistics on finer and finer panels, and their error."""
    width = process.threshold - process.reset
    start = 0 if rtol >= _ROUGH else 2
    # those below are for neurons whose matrix is too large for more
    order = (*range(start, len(_LEVELS)), *range(start - 1, -1, -1))
    solved, values, error, full = {}, np.full(4, np.nan), np.inf, False
    for level in order:
        if error < np.inf and (full or level < start):
            break
        if full and level > start:
            continue
        system, thin = _system(process, found, _LEVELS[level])
        if system is None:  # too large
            full = True
            continue
        solved[level] = system.statistics(asked[1], asked[2])
        if len(solved) < 2:
            values = solved[level]
            continue
        known = sorted(solved)[-3:]
        fine = known[-1]
        scales = np.maximum(_scales(solved[fine], width)[asked], 1e-300)
        *before, gap = (
            float((np.abs(solved[two] - solved[one])[asked] / scales).max())
            for one, two in itertools.pairwise(known)
        )
        rough = thin or _LEVELS[fine][0] < _SMOOTH_FROM
        off = max([gap, *(_FASTEST * one for one in before)])
        off = _FLOOR + off * (_ROUGHER if rough else _SMOOTH)
        off = max(off, _AGREED * rtol)
        if off < error:
            values, error = solved[fine], off
        if error <= rtol:
            break
    return values, error


def _scales(values, width):
    """What errors of rate, CV, mean and sd are relative to."""
    rate, cv, _, sd = values
    sd = max(sd, 1e-3 * width)
    return np.array([rate, max(cv, _REGULAR), sd, sd])


def _on_nodes(process, rtol, cv, moments):
    """Statistics and their error on panels made to measure; None if that is not the way."""
    best = None
    try:
        found = jump_start.coarse(process, rtol)
        if found is None:
            return None
        process, coordinate, edges = found
        width = process.threshold - process.reset
        asked = np.array([True, cv, moments, moments])
        for tolerance in rtol * np.array(_TOLERANCES):
            low, high = _DEGREES if rtol < _ROUGH else _LOWER
            system, edges, off = jump_refinement.refined(
                process, coordinate, edges, low, (cv, moments), tolerance
            )
            if not np.isfinite(off):
                break
            before, _ = system.statistics(cv, moments)
            finer = edges if rtol < _ROUGH else system.edges
            system = jump_refinement.on(process, coordinate, finer, high)
            values, lost = system.statistics(cv, moments)
            if not lost <= jump_refinement.LOST:
                break
            gap = (np.abs(values - before) / np.maximum(_scales(values, width), 1e-300))[asked]
            # what is left where the residual falls slowly does not cancel
            error = max(float(gap.max()), _CHANCE * rtol) + _FLOOR + _KNOWN * lost
            rest = _SLOWEST * off
            if error + _SLOWEST * rest > rtol:
                rest = float(jump_refinement.missed(system, cv, moments).sum())
            error += rest * min(rest / max(off, 1e-300), 1.0)
            if best is None or error < best[1]:
                best = values, error
            if error <= rtol or _KNOWN * lost > rtol:
                break
    except MemoryError:
        pass
    return best


def large_deviation(process):
    """Rate of the rarest spikes in Hz: right in its exponent, Kramers' in its prefactor.

    With q the momentum, ν ≈ −A(θ)/B²(θ) √(−B²(μ)A'(μ)/π) exp(−∫ q dv) from the resting potential
    μ to the threshold: the exponent of finite jumps (C_shot), which that of white noise misses at
    leading order, and the prefactor of white noise, which is right to a factor: for jumps that
    are large beside 1/q one of ten, for exponential spikes of a thousand.
    """
    exponent, prefactor = exponent_and_prefactor(process)
    with np.errstate(under="ignore"):
        rate = prefactor * (np.exp(-min(exponent, 745.0)) if exponent < 745.0 else 0.0)
    return float(rate / (1 + rate * process.tau_rp))


def exponent_and_prefactor(process, mu=None):
    """∫ q dv from the resting potential to the threshold, and what stands before e^−∫ in Hz.

    The resting potential is looked for if it is not given. Both are zero where nothing holds v
    below the threshold.
    """

    def drift(v):
        return float(process.drift(np.array([v]))[0])

    if mu is None:
        mu = _resting(process, drift)
    if not mu < process.threshold:
        return 0.0, 0.0
    edges = np.linspace(mu, process.threshold, _LD_PANELS + 1)
    width = edges[1] - edges[0]
    v = edges[:-1, None] + width * (_LD_NODES + 1) / 2
    q = np.maximum(process.momentum(v.ravel()), 0.0).reshape(v.shape)
    exponent = float(np.sum(q * _LD_WEIGHTS) * width / 2)
    h = 1e-4 * (process.threshold - mu)
    curvature = abs(drift(mu + h) - drift(mu - h)) / (2 * h)
    bottom, top = process.noise(np.array([mu, process.threshold]))
    if top == 0:
        return np.inf, 0.0  # nothing carries v there
    escape = abs(drift(process.threshold)) / top
    return exponent, float(escape * np.sqrt(bottom * curvature / np.pi))


def _resting(process, drift):
    """The stable potential nearest the threshold, infinite if there is none."""
    found = survey(process, 20.0, deepest=np.inf)
    pulled = process.drift(found.v)
    wells = np.flatnonzero((pulled[:-1] > 0) & (pulled[1:] <= 0))
    if not wells.size:
        return np.inf
    return brentq(drift, found.v[wells[-1]], found.v[wells[-1] + 1], xtol=1e-15)


def _free(process):
    """Mean and sd of v without a threshold, exact where leak and jumps are straight; else None.

    With dE[v]/dt = E[A] and A' < 0 constant, Var = B²(μ)/(−2A' − b), b half the curvature of B².
    """
    width = process.threshold - process.reset
    v = process.reset + width * np.array([-1.0, 0.0, 1.0])
    for function in (process.leak, *process.jumps):
        f = function(v)
        if abs(f[0] - 2 * f[1] + f[2]) > 1e-9 * np.abs(f).max():
            return None
    A, B2 = process.drift(v), process.noise(v)
    slope, b = (A[2] - A[0]) / (2 * width), (B2[0] - 2 * B2[1] + B2[2]) / (2 * width**2)
    if not -2 * slope - b > 0:
        return None
    mu = process.reset - A[1] / slope
    return mu, np.sqrt(float(process.noise(np.array([mu]))[0]) / (-2 * slope - b))


def _system(process, found, level):
    """The equations at a level, and whether the leak leaves thin layers."""
    n, fractions, images, finer = level
    theta = np.array([process.threshold])
    jump = float(np.max(np.abs(process.up(theta))))
    way = float(np.abs(process.leak(theta))[0]) / sum(process.rates)
    try:
        edges, climb = panels(process, found, images, fractions, finer)
        system = jump_system.JumpSystem(process, edges, climb, n, _LARGEST)
    except MemoryError:
        return None, True
    return system, way < THIN * jump


def _at_rest(process):
    """A neuron without any input: it stays where the leak vanishes."""

    def f(v):
        return float(process.leak(np.array([v]))[0])

    low, width = process.reset, process.threshold - process.reset
    if f(low) > 0:
        v = np.linspace(low, process.threshold, 200)
        high = v[np.argmax(process.leak(v) <= 0)]
        return np.array([0.0, np.nan, brentq(f, low, high), 0.0])
    high = low
    while f(low) <= 0 and width < 1e3:
        high, low, width = low, low - width, 2 * width
    return np.array([0.0, np.nan, brentq(f, low, high) if f(low) > 0 else np.nan, 0.0])
