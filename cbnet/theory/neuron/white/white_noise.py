"""White noise, in the three ways that need nothing but A(v) and B²(v)."""

from dataclasses import replace

import numpy as np

from ....errors import ConvergenceError, warn
from . import first_passage, siegert

_WAY = 9  # potentials between reset and threshold
_LEAST = 1e-290  # Hz, of a barrier that floats hold
_CHECK = 1e-3  # accuracy of the rates that a formula is compared with


def diffusion(neuron, inputs, rtol, cv, moments):
    """White noise whose strength depends on v."""
    return _solve(neuron, inputs, rtol, cv, moments)


def effective(neuron, inputs, rtol, cv, moments):
    """White noise frozen at one potential: the effective-time-constant approximation."""
    if neuron.affine and not (cv or moments):
        mu, tau = neuron.rest(*inputs)
        if np.isfinite(tau).all():  # a drift that pushes v away has no closed form here
            B2 = neuron.frozen(*inputs)[1]
            rate = siegert.rate(mu, tau, B2, neuron.threshold, neuron.reset, neuron.tau_rp)
            nothing, error = np.full(rate.shape, np.nan), np.full(rate.shape, 1e-13)
            return first_passage.Passage(rate, nothing, error, nothing, nothing)
    return _solve(neuron, inputs, rtol, cv, moments)


def kramers(neuron, inputs, rtol, cv, moments):
    """Rare escapes over a high barrier: a rate, and how far off that of white noise is."""
    mu, _ = neuron.rest(*inputs)
    rate = siegert.kramers(
        *(function(*inputs) for function in (neuron.drift, neuron.squared_noise, neuron.slope)),
        mu,
        np.full(mu.shape, neuron.threshold),
    )
    rate = rate / (1 + rate * neuron.tau_rp)  # the part of a period that is refractory
    nothing = np.full(rate.shape, np.nan)
    error = np.full(rate.shape, np.inf)
    some = np.flatnonzero(np.isfinite(rate))
    if some.size:
        error[some] = _distance(neuron, rate[some], [x[some] for x in inputs], some)
    note = ""
    if some.size < rate.size:
        missing = rate.size - some.size
        note = "no barrier" + ("" if rate.size == 1 else f" at {missing} of {rate.size} inputs")
        # as for the other formulas: whoever asks for rates alone makes something else of them
        if cv or moments:
            warn(
                "noise: got 'kramers' where no barrier holds v below the threshold; its rate is "
                "NaN there: use 'diffusion'",
            )
    return first_passage.Passage(rate, nothing, error, nothing, nothing, note)


def _distance(neuron, rate, inputs, rows):
    """Relative distance of rates to those of white noise; 1 where only the exponent is known."""
    like = neuron.restricted(rows)
    like.noise = "diffusion"
    try:
        exact = diffusion(like, inputs, _CHECK, False, False)
    except ConvergenceError as failure:
        exact = failure.best
    silent = exact.rate == 0
    gap = np.abs(rate - exact.rate) / np.where(silent, 1.0, exact.rate) + exact.error
    return np.where(silent, np.where(rate > 0, 1.0, 0.0), gap)


def density(neuron, inputs, v):
    """Density of v for one input."""
    A, B2 = select(neuron, *inputs)(slice(None))
    return first_passage.density(A, B2, neuron.threshold, neuron.reset, v)


def select(neuron, *inputs):
    """``rows -> (drift, noise)`` for :func:`first_passage.solve`."""
    frozen = neuron.frozen(*inputs) if neuron.noise == "effective" else None

    def of_rows(rows):
        drift = neuron.drift(*inputs, rows=rows)
        if frozen is None:
            return drift, neuron.squared_noise(*inputs, rows=rows)
        constant = frozen[1][rows][:, None]
        return drift, lambda v: constant + np.zeros(v.shape)

    return of_rows


def _solve(neuron, inputs, rtol, cv, moments):
    fields, count = select(neuron, *inputs), len(inputs[0])
    threshold = np.full(count, neuron.threshold)
    found = first_passage.solve(
        None, None, threshold, neuron.reset, neuron.tau_rp, rtol, moments, cv=cv, select=fields
    )
    silent = np.flatnonzero(found.rate == 0)
    if not (moments and silent.size):
        return found
    # noise everywhere on the way carries v over any barrier, if ever so rarely
    noise = fields(silent)[1]
    way = np.linspace(neuron.reset, neuron.threshold, _WAY)[None].repeat(silent.size, 0)
    beyond = int(np.all(noise(way) > 0, axis=1).sum())
    if not beyond:
        return found
    some = "" if count == 1 else f" at {beyond} of {count} inputs"
    return replace(found, note=f"a rate below {_LEAST:g} Hz given as 0{some}")
