"""Fixed points of many networks at once: white noise, vectorised over the networks."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConvergenceError
from ..model import unused
from ..support.threads import one_thread
from .network.line import HIGHEST, IRRELEVANT, SILENT
from .neuron import treatments
from .neuron.neuron import Neuron
from .neuron.white import white_noise
from .neuron.white.collocation import statistics
from .neuron.white.first_passage import MERGING, inaccurate
from .neuron.white.panels import place
from .response import respond
from .self_consistency import solve

RTOL = 1e-6
_BATCHED = ("diffusion", "effective")
_ROUGH = (0.5, 5, 12.0)  # panels, order and reach of a rate that is good to about 1e-3
_ROWS = 8192
_TOGETHER = 1024  # rough rates at once: their panels fit in a processor's cache
_SLOW, _FAST = 1, 6  # rates a decade, below and above where they change the input
_APART = 0.02  # of ln ν, between the two rates that give a slope
# What chooses functions or is no column of theirs.
_SCALARS = ("theta", "V_r", "tau_rp", "jump", "law")


@dataclass(frozen=True)
class States:
    """Fixed points of many networks in SI units; NaN where a network has fewer, or undefined.

    Attributes
    ----------
    rate_E, rate_I, cv_E, cv_I, stable, V_mean, V_sd, tau_eff : ndarray, shape (n, F)
        As for :class:`cbnet.theory.self_consistency.Solution`; ``stable`` is 1 or 0.
    error : ndarray, shape (n,)
        Largest estimated relative error of a rate.
    noise : tuple of str
        How fluctuations were treated, for each network.
    failed : dict of int to str
        What went wrong, by network.
    """

    rate_E: np.ndarray
    rate_I: np.ndarray
    cv_E: np.ndarray
    cv_I: np.ndarray
    stable: np.ndarray
    V_mean: np.ndarray
    V_sd: np.ndarray
    tau_eff: np.ndarray
    error: np.ndarray
    noise: tuple
    failed: dict


NAMES = ("rate_E", "rate_I", "cv_E", "cv_I", "stable", "V_mean", "V_sd", "tau_eff")


def batched(params, noise):
    """Whether a network is solved together with others: white noise, populations alike."""
    name = treatments.choose(noise, params).name
    if name not in _BATCHED:
        return False
    return not any("." in key for key in params.changes) or set(params.differing()) <= IRRELEVANT


@one_thread
def solve_many(networks, noise=None, rtol=None):
    """Every fixed point of many networks; what cannot be batched is solved one by one.

    Parameters
    ----------
    networks : sequence of Parameters
    noise : str, optional
        As for :func:`cbnet.solve`.
    rtol : float, optional
        Relative accuracy of the rates; 1e-6 for white noise if not given.

    Returns
    -------
    States
        In the order of `networks`.

    Notes
    -----
    The same equations and assumptions as :func:`cbnet.solve`. Rates are scanned on a coarser grid
    with rougher rates, closer where two roots may hide.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory.batch import solve_many
    >>> params = cbnet.load("conductance")
    >>> found = solve_many([params.replace(nu_X=rate) for rate in ("20Hz", "40Hz")], "diffusion")
    >>> [round(float(rate), 3) for rate in found.rate_E[:, 0]]
    [19.722, 67.177]
    """
    unused.tell_of_many(networks, "solve_many", unused.of_network)
    groups = {}
    for k, params in enumerate(networks):
        if batched(params, noise):
            values = params.resolve("E")
            groups.setdefault(_kind(params, values), []).append((k, values))
    rows = [[] for _ in networks]
    error, notes, failed = np.zeros(len(networks)), [""] * len(networks), {}
    together = {k for members in groups.values() for k, _ in members}
    for members in groups.values():
        for first in range(0, len(members), _ROWS):
            part = members[first : first + _ROWS]
            owners = [k for k, _ in part]
            method = treatments.choose(noise, networks[owners[0]])
            found = _Batch(networks[owners[0]], [v for _, v in part], method, rtol or RTOL).run()
            for row, worst, state in found:
                rows[owners[row]].append(state)
                error[owners[row]] = max(error[owners[row]], worst)
            note = treatments.describe(method, networks[owners[0]])
            for k in owners:
                notes[k] = note
                if error[k] > (rtol or RTOL):
                    failed[k] = inaccurate(rtol or RTOL, error[k], MERGING)
    for k, params in enumerate(networks):
        if k in together:
            rows[k].sort(key=lambda state: state[:2])
            continue
        try:
            with unused.told():
                one = solve(params, noise=noise, rtol=rtol)
        except ConvergenceError as problem:
            one, failed[k] = problem.best, str(problem)
        if one is None:
            error[k] = np.inf
            continue
        columns = [np.asarray(one.in_si(name), float) for name in NAMES]
        rows[k] = list(zip(*columns, strict=True))
        error[k], notes[k] = one.error, one.noise
    most = max((len(states) for states in rows), default=0)
    table = np.full((len(NAMES), len(rows), most), np.nan)
    for k, states in enumerate(rows):
        for j, state in enumerate(states):
            table[:, k, j] = state
    return States(
        **dict(zip(NAMES, table, strict=True)), error=error, noise=tuple(notes), failed=failed
    )


@dataclass(frozen=True)
class Responses:
    """Of many neurons, shape (n,), in SI units: see :class:`cbnet.theory.response.Response`."""

    rate: np.ndarray
    cv: np.ndarray
    V_mean: np.ndarray
    V_sd: np.ndarray
    tau_eff: np.ndarray
    mu: np.ndarray
    error: np.ndarray
    noise: tuple
    failed: dict


@one_thread
def respond_many(neurons, noise=None, rtol=None):
    """Responses of many neurons to their inputs `r_E` and `r_I`; white noise all at once.

    Parameters
    ----------
    neurons : sequence of Parameters
        Those of the excitatory population are used.
    noise : str, optional
        As for :func:`cbnet.respond`.
    rtol : float, optional
        Relative accuracy; 1e-6 for white noise if not given.

    Returns
    -------
    Responses
        In the order of `neurons`.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory.batch import respond_many
    >>> params = cbnet.load("conductance").replace(r_E="30Hz", r_I="12Hz")
    >>> round(float(respond_many([params], "diffusion").rate[0]), 4)
    18.1513
    """
    names = ("rate", "cv", "V_mean", "V_sd", "tau_eff", "mu", "error")
    found = np.full((len(names), len(neurons)), np.nan)
    notes, failed, groups = [""] * len(neurons), {}, {}
    unused.tell_of_many(neurons, "respond_many", unused.of_neuron, "E", "r_E", "r_I")
    for k, params in enumerate(neurons):
        method = treatments.choose(noise, params)
        if method.name in _BATCHED:
            values = params.resolve("E")
            groups.setdefault(_kind(params, values), []).append((k, values))
            continue
        try:
            with unused.told():
                one = respond(params, noise=noise, rtol=rtol)
        except ConvergenceError as problem:
            one, failed[k] = problem.best, str(problem)
        found[:, k] = [float(one.in_si(name)) for name in names]
        notes[k] = one.noise
    for members in groups.values():
        for first in range(0, len(members), _ROWS):
            part = members[first : first + _ROWS]
            owners = [k for k, _ in part]
            params, values = neurons[owners[0]], [v for _, v in part]
            method = treatments.choose(noise, params)
            batch = _Batch(params, values, method, rtol or RTOL)
            inputs = (np.array([v[name] for v in values]) for name in ("r_E", "r_I"))
            found[:, owners], wrong = batch.respond(*inputs)
            note = treatments.describe(method, params)
            for row, k in enumerate(owners):
                notes[k] = note
                if row in wrong:
                    failed[k] = inaccurate(rtol or RTOL, found[-1, k])
    return Responses(*found, noise=tuple(notes), failed=failed)


def _kind(params, values):
    """Equal for neurons that differ in numbers only."""
    return id(params.model), *(values[name] for name in _SCALARS), params.model.coupling(values)


class _Batch:
    """Networks of one model that differ in numbers only."""

    def __init__(self, params, values, method, rtol):
        # all of them, also those that are equal: what a network's numbers are rounded to must not
        # depend on which others are beside it
        columns = {
            name: np.array([v[name] for v in values], float)
            for name, x in values[0].items()
            if not isinstance(x, str) and name not in _SCALARS
        }
        self.n, self.rtol = len(values), rtol
        self.neuron = Neuron(params, "E", method.name)
        self.neuron.columns = columns
        self.nu_X = np.array([v["nu_X"] for v in values])
        tau_rp = self.neuron.tau_rp
        self.highest = 1 / tau_rp if tau_rp > 0 else HIGHEST

    def of(self, rows):
        """The neuron with the columns of some networks."""
        return self.neuron.restricted(rows)

    def rough(self, rows, nu):
        """Rates that tell on which side of a root one is."""
        neuron, found = self.of(rows), np.zeros(nu.size)
        panels_per_unit, order, reach = _ROUGH
        for part in np.array_split(np.arange(nu.size), -(-nu.size // _TOGETHER)):
            mine = self.of(rows[part])
            select = white_noise.select(mine, self.nu_X[rows[part]] + nu[part], nu[part])
            ends = (np.full(part.size, x) for x in (neuron.threshold, neuron.reset))
            groups, _ = place(select, np.arange(part.size), *ends, reach, panels_per_unit)
            for panels in groups:
                some, tau_rp = panels.rows, np.full(panels.rows.size, neuron.tau_rp)
                rate = statistics(select(some), panels, order, tau_rp, False, False)[0]
                found[part[some]] = rate
        return found

    def fine(self, rows, nu, **wanted):
        """First-passage statistics to the accuracy asked for."""
        inputs = self.nu_X[rows] + nu, nu
        try:
            return self.of(rows).passage(*inputs, self.rtol / 10, **wanted)
        except ConvergenceError as error:
            return error.best  # its error counts in the answer

    def respond(self, r_E, r_I):
        """Columns of :class:`Responses`, and the rows that are not accurate."""
        try:
            passage = self.neuron.passage(r_E, r_I, self.rtol, moments=True)
        except ConvergenceError as error:
            passage = error.best
        mu, tau = self.neuron.rest(r_E, r_I)
        columns = (passage.rate, passage.cv, passage.v_mean, passage.v_sd, tau, mu, passage.error)
        return np.array(columns), set(np.flatnonzero(~(passage.error <= self.rtol)).tolist())

    def excess(self, rows, x, rate):
        """ln Φ − ln ν at x = ln ν."""
        return np.log(np.maximum(rate(rows, np.exp(x)), 1e-300)) - x

    def run(self):
        """Rows (network, error, state) of every fixed point."""
        quick = np.log(np.clip(_slowest(self.nu_X), 10 * SILENT, self.highest / 2))
        states = []
        for middle in np.unique(quick):
            states += self._scanned(np.flatnonzero(quick == middle), middle)
        return states

    def _scanned(self, some, middle):
        """Those of some networks, whose rates above exp(middle) change their input."""
        ends = np.log(SILENT), np.log(self.highest)
        counts = [
            int(np.ceil(per * abs(middle - end) / np.log(10))) + 1
            for per, end in zip((_SLOW, _FAST), ends, strict=True)
        ]
        grid = np.unique(
            np.append(
                np.linspace(ends[0], middle, counts[0]), np.linspace(middle, ends[1], counts[1])
            )
        )
        rows = np.repeat(some, grid.size)
        f = self.excess(rows, np.tile(grid, some.size), self.rough).reshape(some.size, -1)
        brackets = [_changes(some, np.broadcast_to(grid, f.shape), f)]
        brackets += self._hidden(some, np.broadcast_to(grid, f.shape), f, 2)
        owner, low, high = (np.concatenate(x) for x in zip(*brackets, strict=True))
        owner, low, high = _distinct(owner, low, high)
        x, gain, residual = self._polish(owner, low, high)
        quiet = some[f[:, 0] < 0]
        states = [*self._states(owner, np.exp(x), gain, residual)] if owner.size else []
        if quiet.size:
            zero = np.zeros(quiet.size)
            rate = self.fine(quiet, zero, cv=False).rate
            states += self._states(quiet, rate, zero, zero)
        return states

    def _hidden(self, owner, x, f, depth):
        """Brackets of two roots between neighbours of one sign, around a dip towards zero."""
        size, same = np.abs(f), np.sign(f[:, :-1]) == np.sign(f[:, 1:])
        dip = (size[:, 1:-1] <= size[:, :-2]) & (size[:, 1:-1] <= size[:, 2:])
        dip &= same[:, :-1] & same[:, 1:] & (size[:, 1:-1] < 0.5)
        k, j = np.nonzero(dip)
        if not k.size or not depth:
            return []
        closer = np.linspace(x[k, j], x[k, j + 2], 11, axis=1)
        mine = owner[k]
        g = self.excess(np.repeat(mine, 11), closer.ravel(), self.rough).reshape(closer.shape)
        return [_changes(mine, closer, g), *self._hidden(mine, closer, g, depth - 1)]

    def _polish(self, owner, low, high):
        """Roots in brackets: roughly by regula falsi (Illinois), then with accurate rates."""
        a, b = low.copy(), high.copy()
        fa, fb = (self.excess(owner, x, self.rough) for x in (a, b)) if owner.size else (a, b)
        for _ in range(12):
            open_ = np.flatnonzero((b - a > 1e-3) & (np.minimum(np.abs(fa), np.abs(fb)) > 1e-4))
            if not open_.size:
                break
            p, q, fp, fq = a[open_], b[open_], fa[open_], fb[open_]
            middle = np.clip((p * fq - q * fp) / (fq - fp), p + 0.01 * (q - p), q - 0.01 * (q - p))
            fm = self.excess(owner[open_], middle, self.rough)
            left = np.sign(fm) == np.sign(fp)
            a[open_], fa[open_] = np.where(left, middle, p), np.where(left, fm, fp / 2)
            b[open_], fb[open_] = np.where(left, q, middle), np.where(left, fq / 2, fm)
        x = np.where(np.abs(fa) < np.abs(fb), a, b)
        middle = (a * fb - b * fa) / np.where(fb != fa, fb - fa, 1)
        x = np.where((middle > a) & (middle < b), middle, x)

        def accurate(rows, nu):
            return self.fine(rows, nu, cv=False).rate

        slope, residual = np.full(x.shape, -1.0), np.full(x.shape, np.inf)
        todo = np.arange(x.size)
        for attempt in range(8):
            if not todo.size:
                break
            mine = owner[todo]
            if attempt in (0, 4):
                sides = [self.excess(mine, x[todo] + s * _APART / 2, accurate) for s in (-1, 1)]
                slope[todo] = (sides[1] - sides[0]) / _APART
                step = -(sides[0] + sides[1]) / 2 / slope[todo]
            else:
                step = -self.excess(mine, x[todo], accurate) / slope[todo]
                residual[todo] = np.abs(step)
            step = np.where(np.isfinite(step), step, 0.0)
            x[todo] = np.clip(x[todo] + step, low[todo] - 0.05, high[todo] + 0.05)
            todo = todo[~(residual[todo] <= self.rtol / 4)]
        return x, 1 + slope, residual

    def _states(self, owner, nu, gain, residual):
        passage = self.fine(owner, nu, moments=True)
        tau = self.of(owner).rest(self.nu_X[owner] + nu, nu)[1]
        silent = nu < SILENT
        cv = np.where(silent, np.nan, passage.cv)
        # an error of Φ is an error of its fixed point, amplified by the feedback
        amplified = passage.error / np.maximum(np.abs(1 - gain), 1e-12)
        error = np.fmax(np.where(silent, passage.error, amplified), residual)
        stable = (gain < 1).astype(float)
        columns = (nu, nu, cv, cv, stable, passage.v_mean, passage.v_sd, tau)
        return zip(owner.tolist(), error.tolist(), zip(*columns, strict=True), strict=True)


def _slowest(nu_X):
    """Decades of rates below which a network's own spikes change little of its input."""
    with np.errstate(divide="ignore"):
        return np.minimum(0.1, 10.0 ** np.floor(np.log10(0.01 * nu_X)))


def _changes(owner, x, f):
    """Owner and ends of every interval in which f changes its sign."""
    k, j = np.nonzero(np.signbit(f[:, :-1]) != np.signbit(f[:, 1:]))
    return owner[k], x[k, j], x[k, j + 1]


def _distinct(owner, low, high):
    """Brackets without those that were found twice, in finer and in coarser steps."""
    order = np.lexsort((high - low, low, owner))
    owner, low, high = owner[order], low[order], high[order]
    kept, last = [], {}
    for i, (who, a, b) in enumerate(zip(owner, low, high, strict=True)):
        if who in last and a < last[who] - 1e-12:
            continue
        last[who] = b
        kept.append(i)
    return owner[kept], low[kept], high[kept]
