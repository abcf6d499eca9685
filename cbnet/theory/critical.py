"""Where a response turns over: more input, fewer spikes."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity
from ..support.threads import one_thread
from .network.line import SILENT, Line
from .network.surrogate import Search
from .neuron import treatments
from .neuron.neuron import Neuron
from .response import rates_in_hertz
from .self_consistency import solve

_PER_DECADE = {True: 4, False: 24}  # inputs of the scan, by whether an answer takes milliseconds
_FITTED = 7  # inputs around the largest rate through which a polynomial is laid
_ORDER = 3
_FLOOR = 1e-9  # Hz: below, a rate is silence


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CriticalInput(results.Result):
    """The input at which a rate is largest.

    Attributes
    ----------
    input : Quantity
        r_E of one neuron, ν_X of a network; NaN where the rate does not turn over.
    error : Quantity
        Estimated error of `input`.
    rate : Quantity
        The largest rate.
    tau_eff : Quantity
        Effective time constant (of E neurons) there.
    outcome : str
        ``"turns over"``, or why there is no such input.
    subject : {"neuron", "network"}
        Whose response.
    ratio : float
        r_I/r_E of one neuron; NaN for a network.
    low, high : Quantity
        The range in which it was looked for.
    noise : str
        How fluctuations were treated.
    """

    input: object = results.variable("Hz", (), "critical_input_Hz", "input of the largest rate")
    error: object = results.variable("Hz", (), "critical_input_Hz_error", "its error")
    rate: object = results.variable("Hz", (), "rate_Hz", "the largest rate")
    tau_eff: object = results.variable("ms", (), "tau_eff_ms", "effective time constant there")
    outcome: str = results.variable(None, (), "outcome", "whether there is one")
    subject: str = results.variable(None, (), "subject", "one neuron or the network")
    ratio: float = results.variable("1", (), "ratio", "r_I over r_E of one neuron")
    low: object = results.variable("Hz", (), None, "lowest input")
    high: object = results.variable("Hz", (), None, "highest input")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")


@one_thread
def critical_input(
    params, ratio=None, *, network=False, noise=None, low="1Hz", high="1000Hz", population="E"
):
    """The input beyond which a neuron, or a network, fires less.

    Parameters
    ----------
    params : Parameters
        Of the neuron or network; the answer depends on K, a and the synaptic time constants.
    ratio : float, optional
        One neuron: r_I/r_E, held while r_E grows; that of `params` if not given.
    network : bool
        Look at ν(ν_X) of the network (its most active stable state) in place of one neuron.
    noise : str, optional
        How fluctuations are treated, as for :func:`cbnet.respond`.
    low, high : Quantity
        Between which inputs to look.
    population : {"E", "I"}
        Whose parameters, for one neuron.

    Returns
    -------
    CriticalInput

    Raises
    ------
    ParameterError
        For a ratio or a range that cannot be used.
    ConvergenceError
        If no rate is known within the range.

    Notes
    -----
    A scan, and around its largest rate a polynomial through seven logarithms of rates; its error is
    that of the rates divided by the curvature. Needs rates to either side that are lower by three
    times their error.

    With conductances more input shortens the membrane's time constant; once it is as short as
    that of the synapses (typically τ = (1–2) τ_S) fluctuations are filtered less and less by
    the membrane and shrink with the input. Where the mean is above threshold firing goes on, and
    there is no such input (A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022),
    Sec. VI). In a network dν/dν_X = Φ_E/(1 − Φ_E − Φ_I), with the derivatives of Φ(r_E, r_I): its
    rate turns over only where a neuron would fire less for more excitation at the same inhibition.

    Examples
    --------
    >>> import cbnet
    >>> params = cbnet.load("conductance").replace(g=12, a=0.01)
    >>> cbnet.critical_input(params, 1.8, noise="diffusion").outcome
    'none: the rate still grows at 1000 Hz'
    """
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    method = treatments.choose(noise, params)
    values = params.resolve(population)
    ends = []
    for name, value in (("low", low), ("high", high)):
        rate = params.model.entry("r_E", name).parse(value, name) if isinstance(value, str) else (
            rates_in_hertz(params, value, name)
        )  # fmt: skip
        ends.append(float(rate))
    if not 0 < ends[0] < ends[1]:
        raise ParameterError(f"low: got {ends[0]:g} to {ends[1]:g} Hz; expected a rising range")
    if network:
        if ratio is not None:
            raise ParameterError("ratio: got it with network=True; a network finds its own r_I")
        if not method.network:
            raise ParameterError(f"noise: got {method.name!r}; it has no rate above threshold")
        left_out = unused.tell(params, "cbnet.critical_input", unused.of_network)
        of, ratio = _OfNetwork(params, method), float("nan")
    else:
        if ratio is None:
            if not values["r_E"] > 0:
                raise ParameterError("ratio: got none, and r_E is zero; give r_I/r_E")
            ratio = values["r_I"] / values["r_E"]
        if not (np.isfinite(ratio) and ratio >= 0):
            raise ParameterError(f"ratio: got {ratio}; expected a finite ratio of at least 0")
        use = unused.of_neuron, population, "r_E", "r_I"
        left_out = unused.tell(params, "cbnet.critical_input", *use)
        of = _OfNeuron(Neuron(params, population, method.name), float(ratio))
    with unused.told():
        where, error, rate, outcome = maximum(of, *ends, method)
    tau = of.tau(where, rate) if np.isfinite(where) else float("nan")
    return CriticalInput(
        parameters=params,
        input=to_quantity(where, "Hz"),
        error=to_quantity(error, "Hz"),
        rate=to_quantity(rate, "Hz"),
        tau_eff=to_quantity(tau, "ms"),
        outcome=outcome,
        subject="network" if network else "neuron",
        ratio=float(ratio),
        low=to_quantity(ends[0], "Hz"),
        high=to_quantity(ends[1], "Hz"),
        noise=treatments.describe(method, params),
        unused=left_out,
    )


class _OfNeuron:
    """Rates and their relative errors of one neuron at a fixed ratio of its inputs."""

    def __init__(self, neuron, ratio):
        self.neuron, self.ratio = neuron, ratio

    def __call__(self, x, rtol):
        try:
            found = self.neuron.passage(x, self.ratio * x, rtol, cv=False)
        except ConvergenceError as failure:
            found = failure.best
        # where the rates of a formula turn over does not depend on what it approximates
        error = np.zeros(found.rate.shape) if self.neuron.method.formula else found.error
        return found.rate, error

    def tau(self, x, rate):
        return float(self.neuron.rest(np.array([x]), np.array([self.ratio * x]))[1][0])

    def start(self, x):
        """Index of an input at which the membrane is about as slow as the synapses."""
        return _as_slow(self.neuron, x, self.ratio * x)


class _OfNetwork:
    """The same of a network against ν_X, from one input to the next."""

    def __init__(self, params, method):
        self.params, self.method = params, method
        self.neuron = Neuron(params, "E", method.name)
        self.alike = Line(params, method.name).alike
        self.known = {}  # ν_X: rate of E

    def __call__(self, x, rtol):
        rates = np.array([self._one(float(each), rtol) for each in x])
        return rates, np.full(x.shape, rtol)

    def _one(self, nu_X, rtol):
        near = min(self.known, key=lambda other: abs(np.log(other / nu_X)), default=None)
        guess = self.known.get(near, 0.0)
        own = {f"{p}.nu_X": to_quantity(nu_X, "Hz") for p in POPULATIONS
               if f"{p}.nu_X" in self.params.changes}  # fmt: skip
        there = self.params.replace(nu_X=to_quantity(nu_X, "Hz"), **own)
        if self.method.costly and self.alike and guess > SILENT * 100:
            rate = self._nearby(there, guess, rtol)
            if rate is not None:
                self.known[nu_X] = rate
                return rate
        try:
            found = solve(there, noise=self.method.name, rtol=rtol)
        except ConvergenceError as failure:
            if failure.best is None:
                raise
            found = failure.best
        rates = found.in_si("rate_E")[np.asarray(found.stable, bool)]
        self.known[nu_X] = float(rates.max()) if rates.size else 0.0
        return self.known[nu_X]

    def _nearby(self, params, guess, rtol):
        """The stable rate nearest to that at a neighbouring input, with few evaluations."""
        lines = (Line(params, noise) for noise in ("diffusion", self.method.name))
        search = Search(*lines, guess / 3, 3 * guess, rtol, self.method.scan_rtol)
        rates = [r.rates[0] for r in search.roots() if r.gain < 1]
        return min(rates, key=lambda nu: abs(np.log(nu / guess)), default=None)

    def tau(self, x, rate):
        return float(self.neuron.rest(np.array([x + rate]), np.array([rate]))[1][0])

    def start(self, x):
        """Index of an input at which the membrane is about as slow as the synapses."""
        return _as_slow(self.neuron, 2 * x, x)


def _as_slow(neuron, r_E, r_I):
    tau = neuron.rest(r_E, r_I)[1]
    slowest = max(neuron.taus.values())
    gap = np.abs(np.log(tau / (1.5 * slowest)))
    if np.isnan(tau).all() or np.nanmax(tau) - np.nanmin(tau) < 0.1 * np.nanmax(tau):
        return r_E.size // 2
    return int(np.nanargmin(gap))


def maximum(of, low, high, method):
    """Location, its error and the rate of a maximum in between, and what can be said of it."""
    decades = np.log10(high / low)
    x = np.linspace(np.log(low), np.log(high), int(_PER_DECADE[method.costly] * decades) + 2)
    rough = method.scan_rtol if method.costly else method.rtol
    if method.filtered and method.costly:
        rates = _uphill(lambda x: of(np.exp(x), rough)[0], x, of.start(np.exp(x)))
    else:
        rates, _ = of(np.exp(x), rough)
    nothing = float("nan")
    if np.isnan(rates).all():
        raise _unknown(method, low, high)
    if not np.any(rates > _FLOOR):
        return nothing, nothing, nothing, "none: silent at every input"
    k = int(np.nanargmax(rates))
    tolerance = (1 - 3 * rough) * rates[k]
    if k == x.size - 1 or not np.nanmin(rates[k:]) < tolerance:
        return nothing, nothing, nothing, f"none: the rate still grows at {high:g} Hz"
    if k == 0 or not np.nanmin(rates[:k]) < tolerance:
        return nothing, nothing, nothing, f"none: the rate falls from {low:g} Hz on"
    for _ in range(4):
        width = x[1] - x[0]
        fine = x[k] + width * np.linspace(-1.2, 1.2, _FITTED)
        values, error = of(np.exp(fine), method.rtol)
        if np.isnan(values).all():
            raise _unknown(method, *np.exp(fine[[0, -1]]))
        inner = int(np.nanargmax(values))
        if 0 < inner < _FITTED - 1:
            break
        x, k = fine, inner
    usable = values > _FLOOR
    s, y = (fine - fine[inner]) / width, np.log(np.maximum(values, _FLOOR))
    noise = max(float(np.nanmax(error[usable], initial=0.0)), 1e-12)
    found = [_vertex(s[usable], y[usable], order, noise) for order in (_ORDER, _ORDER + 1)]
    if found[0] is None:
        at, spread = fine[inner], width * 2.4 / (_FITTED - 1)
        return np.exp(at), np.exp(at) * spread, float(values[inner]), "turns over"
    at, spread, peak = found[0]
    if found[1] is not None:
        spread = np.hypot(spread, found[1][0] - at)
    where = float(np.exp(fine[inner] + width * at))
    return where, where * width * float(spread), float(np.exp(peak)), "turns over"


def _unknown(method, low, high):
    return ConvergenceError(
        f"noise: got {method.name!r}, with which no rate is known from {low:.3g} to {high:.3g} Hz; "
        "take another noise or other inputs"
    )


def _uphill(of, x, start):
    """Rates at those of the inputs that lead to a maximum, NaN elsewhere."""
    rates = np.full(x.size, np.nan)

    def look(k):
        if 0 <= k < x.size and np.isnan(rates[k]):
            rates[k] = of(x[k : k + 1])[0]

    for k in (start, start - 1, start + 1):
        look(k)
    if np.isnan(rates).all():
        return rates
    for _ in range(x.size):
        best = int(np.nanargmax(rates))
        known = np.flatnonzero(~np.isnan(rates))
        if rates[best] <= _FLOOR:
            sides = known[0] - 1, known[-1] + 1
        else:
            # on a plateau go on until it is left, or the range
            level = 0.9 * rates[best]
            sides = [
                end + step for end, step in ((known[0], -1), (known[-1], 1)) if rates[end] >= level
            ]
        before = known.size
        for k in sides:
            look(k)
        if np.count_nonzero(~np.isnan(rates)) == before:
            break
    return rates


def _vertex(s, y, order, noise):
    """Maximum of a fitted polynomial: where, its error, and the value; None without one."""
    if s.size <= order:
        return None
    polynomial = np.polynomial.Polynomial.fit(s, y, order, domain=[-1, 1], window=[-1, 1])
    slope = polynomial.deriv()
    curve = slope.deriv()
    # not its roots: those of a vanishing leading coefficient are rounding
    grid = np.linspace(s[0], s[-1], 401)
    at = grid[np.argmax(polynomial(grid))]
    if at in (grid[0], grid[-1]):
        return None
    for _ in range(3):
        at = float(at - slope(at) / curve(at))
    powers = np.arange(order + 1)
    matrix = s[:, None] ** powers
    residual = np.sqrt(np.sum((y - polynomial(s)) ** 2) / max(s.size - order - 1, 1))
    gradient = np.where(powers > 0, powers * float(at) ** np.maximum(powers - 1, 0), 0.0)
    variance = gradient @ np.linalg.pinv(matrix.T @ matrix) @ gradient
    return at, max(noise, residual) * np.sqrt(variance) / abs(curve(at)), float(polynomial(at))
