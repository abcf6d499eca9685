"""The mean and spread of rates in a network whose neurons differ, and what follows from them."""

import numpy as np

from ...errors import ConvergenceError
from ...model.parameters import POPULATIONS
from ..neuron.neuron import Neuron
from ..neuron.renewal import Driven
from .in_degrees import Sample
from .rate_statistics import KEPT, SILENT, by_rank, mean_and_spread, moments, statistics
from .rate_table import Table

SATURATED = 0.8  # of 1/τ_rp
# Intervals of the table for white noise, and of that of the ratio to it.
_GRIDS = (((64, 16), (12, 4)), ((96, 24), (20, 6)), ((128, 32), (36, 8)))
_SETS = 8
# log2 of the neurons in a set: to look for a solution, and for the answer
_FEW, _MANY = 10, (13, 15, 16)
_TIGHTER = 4.0  # rates to solve for, where their errors are what is left
_STEP = 1e-3  # of a rate, for slopes
_ITERATIONS = 40
_SHORTEST = 1 / 64  # step of the continuation in the deviations of in-degrees
_NOTHING = 1e-9  # Hz
_NEAR_LEVEL = 0.5  # of ln ν, around a level at which a fraction is counted
_AT_LEVEL = 64, 24  # neurons there that are solved for, by whether that takes milliseconds
_STAND = 48  # neurons of a population whose trains stand for all
_ROUNDS = 8  # of trains that follow from rates and rates that follow from trains


class _Population:
    """Neurons of one population, with a table of their rates that follows their input."""

    def __init__(self, params, population, method, rtol):
        self.neuron = Neuron(params, population, method.name)
        self.white = Neuron(params, population, "diffusion")
        self.nu_X = self.neuron.values["nu_X"]
        self.rtol = rtol / 2 if method.costly else min(rtol * 1e-2, 1e-6)
        self.sample = self.table = self.grid = None

    def driven(self, share, trains):
        """From now on with recurrent trains that are not Poisson."""
        plain = getattr(self.neuron, "plain", self.neuron)
        self.neuron, self.table = Driven(plain, share, trains), None

    def trains(self, rates, spreads):
        """Rates, CVs and refractory time of some neurons that stand for all."""
        nu = self.rates(rates, spreads)
        some = by_rank(nu, self.sample.weights, _STAND)
        R_E, R_I = (x[some] for x in self.sample.arrivals(self.nu_X, rates, spreads))
        K, K_I = self.neuron.values["K"], self.neuron.values["gamma"] * self.neuron.values["K"]
        try:
            found = self.neuron.passage(R_E / K, R_I / K_I, self.rtol)
        except ConvergenceError as failure:
            found = failure.best
        # what hardly ever fires makes no noise
        return nu[some], np.where(np.isfinite(found.cv), found.cv, 1.0), self.neuron.tau_rp

    def offset(self, nu, level, weights, given):
        """How far off, as ln, the table is for neurons whose rate is near a level.

        Returns
        -------
        density, offset, error : float
            Share of the neurons per ln ν there, mean of ln(ν of the table/ν), and its error.
        """
        near = np.flatnonzero(np.abs(np.log(np.maximum(nu, _NOTHING) / level)) < _NEAR_LEVEL)
        if near.size < _AT_LEVEL[1]:
            return 0.0, 0.0, 0.0
        count = _AT_LEVEL[int(self.neuron.method.costly)]
        some = near[np.linspace(0, near.size - 1, count).astype(int)]
        R_E, R_I = (x[some] for x in self.sample.arrivals(self.nu_X, *given))
        K, K_I = self.neuron.values["K"], self.neuron.values["gamma"] * self.neuron.values["K"]
        try:
            found = self.neuron.passage(R_E / K, R_I / K_I, self.rtol, cv=False)
        except ConvergenceError as failure:
            found = failure.best
        own = np.zeros(count) if self.neuron.method.formula else found.error
        off = np.log(nu[some] / np.maximum(found.rate, _NOTHING))
        good = np.isfinite(off) & (own < 1)
        if not good.any():
            return 0.0, 0.0, 0.0
        share = np.sum(weights[near]) / np.sum(weights) / (2 * _NEAR_LEVEL)
        mean = np.average(off[good], weights=weights[some][good])
        error = off[good].std() / np.sqrt(good.sum()) + np.mean(own[good])
        return share, float(mean), float(2 * error)

    def rates(self, rates, spreads, share=1.0, uncertain=False):
        """Of every neuron that is drawn, in Hz; if asked for, from a coarser table too, and errors.

        The errors are those of the rates that the table was made from.
        """
        inputs = self.sample.arrivals(self.nu_X, rates, spreads, share)
        at = self.table and self.table.locate(*inputs)
        if at is None:
            self.table = Table(self.neuron, self.white, *inputs, *self.grid, self.rtol)
            at = self.table.locate(*inputs)
        fine = self.table.rates(*at)
        if not uncertain:
            return fine
        return fine, self.table.rates(*at, coarser=True), fine * self.table.errors(*at)


class Network:
    """Populations and the equations for the mean and spread of their rates.

    Parameters
    ----------
    params : Parameters
    method : Method
        How fluctuations are treated.
    laws : list of (str, float)
        Law of the in-degrees of E and of I neurons, and their coefficient of variation.
    correlation, sizes
        As for :class:`Sample`.
    start : pair of float
        Rates of E and I neurons with equal in-degrees (Hz).
    alike : bool
        Whether the populations have the same parameters.
    rtol : float
        Accuracy of means and spreads, relative to the mean.
    """

    def __init__(self, params, method, laws, correlation, sizes, start, alike, rtol):
        self.names = POPULATIONS[:1] if alike else POPULATIONS
        self.populations = [_Population(params, p, method, rtol) for p in self.names]
        self.rtol = rtol
        self.drawn_from = [(*law, correlation, sizes) for law in laws]
        self._draw(_FEW, (start[0], start[-1]))
        self._lay(_GRIDS[0])

    def _draw(self, log2_points, rates):
        """Draw neurons for roughly these rates of E and I."""
        for one, given in zip(self.populations, self.drawn_from, strict=False):
            typical = rates[0], one.nu_X, rates[1]
            one.sample = Sample(one.neuron.values, *given, typical, log2_points, _SETS)

    def _lay(self, grid):
        for one in self.populations:
            one.grid, one.table = grid, None

    def _tighten(self, factor):
        """Solve for more accurate rates from now on."""
        for one in self.populations:
            one.rtol, one.table = one.rtol / factor, None

    def answer(self, unknowns, slope):
        """Fields of the result, with as fine a table and as many neurons as they take."""
        self._draw(_MANY[0], self._split(unknowns)[0])
        left = {"grid": list(_GRIDS[1:]), "sample": list(_MANY[1:]), "solver": [_TIGHTER]}
        while True:
            unknowns, slope = self._polish(unknowns, slope)
            fields, parts = self._summary(unknowns, slope)
            final = sum(parts[name] for name in left if not left[name])
            if fields["error"] <= self.rtol or final > self.rtol or not any(left.values()):
                return fields | self._boundaries(fields, unknowns)
            worst = max((name for name in left if left[name]), key=parts.get)
            change = left[worst].pop(0)
            if worst == "grid":
                self._lay(change)
            elif worst == "sample":
                self._draw(change, self._split(unknowns)[0])
            else:
                self._tighten(change)

    def renewed(self, unknowns, slope):
        """The solution with renewal trains of the neurons' own rates and CVs."""
        for _ in range(_ROUNDS):
            given = self._split(unknowns)
            trains = [one.trains(*given) for one in self.populations]
            for one in self.populations:
                recurrent = given[0][0]
                one.driven(recurrent / max(recurrent + one.nu_X, _NOTHING), (trains[0], trains[-1]))
            found, slope = self._polish(unknowns, slope)
            moved = np.abs(found[::2] / np.maximum(unknowns[::2], SILENT) - 1).max()
            unknowns = found
            if moved <= self.rtol:
                return unknowns, slope
        raise ConvergenceError(
            f"trains: the rates still move by {moved:.2g} when trains follow them; use 'poisson'"
        )

    def _split(self, unknowns):
        """Means and spreads of E and I from the unknowns (mean, spread) of those that differ."""
        pairs = np.reshape(unknowns, (-1, 2))
        return pairs[[0, -1], 0], pairs[[0, -1], 1]

    @property
    def weights(self):
        """Of every drawn neuron, the same for each population."""
        return self.populations[0].sample.weights

    def sampled(self, unknowns, share=1.0):
        """Rates of every drawn neuron, by population."""
        given = self._split(unknowns)
        return [one.rates(*given, share) for one in self.populations]

    def response(self, unknowns, share=1.0):
        """Mean and spread of the rates that these means and spreads lead to."""
        return moments(self.sampled(unknowns, share), self.weights)

    def slope(self, unknowns, share, function):
        """Derivatives of a function of the sampled rates and weights, and its value."""
        value = function(self.sampled(unknowns, share), self.weights)
        columns = []
        for k in range(len(unknowns)):
            moved = unknowns.copy()
            moved[k] += _STEP * max(unknowns[k - k % 2], _NOTHING)
            change = function(self.sampled(moved, share), self.weights) - value
            columns.append(change / (moved[k] - unknowns[k]))
        return value, np.array(columns).T

    def find(self, start):
        """A solution, continued from the rates of neurons with equal in-degrees."""
        unknowns = np.array([x for rate in start for x in (rate, 0.0)])
        share, step = 0.0, 1.0
        while share < 1:
            step = min(step, 1 - share)
            found = self._newton(unknowns, share + step)
            if found is not None:
                share, step = share + step, 2 * step
                unknowns, slope = found
            elif share == 0 and step == 1 and (found := self._relax(unknowns)) is not None:
                return found
            elif step > _SHORTEST:
                step /= 2
            else:
                raise ConvergenceError(
                    f"CV_K: the state with equal in-degrees ends where their deviations are "
                    f"{share:.2g} of those asked for (two branches may meet); take the other state"
                )
        return unknowns, slope

    def _relax(self, unknowns):
        """A solution far from equal rates, where a small spread grows by itself.

        Means follow by Newton's method, spreads by iteration, which leads to those that last.
        """
        unknowns = unknowns.copy()
        for _ in range(_ITERATIONS):
            value, slope = self.slope(unknowns, 1.0, moments)
            gap, means = value - unknowns, slice(0, None, 2)
            left = np.eye(len(gap) // 2) - slope[means, means]
            change = np.linalg.lstsq(left, gap[means], rcond=None)[0]
            most = 0.3 * np.maximum(unknowns[means], 1e-2)
            unknowns[means] += np.clip(change, -most, most)
            unknowns[1::2] += gap[1::2] / 2
            if np.all(np.abs(gap) <= 0.02 * np.repeat(np.maximum(unknowns[means], _NOTHING), 2)):
                return self._newton(unknowns, 1.0)
        return None

    def _newton(self, unknowns, share):
        unknowns = unknowns.copy()
        if np.all(unknowns[1::2] == 0):
            unknowns[1::2] = self.response(unknowns, share)[1::2]
        for _ in range(_ITERATIONS):
            value, slope = self.slope(unknowns, share, moments)
            gap = value - unknowns
            scale = np.repeat(np.maximum(unknowns[::2], _NOTHING), 2)
            if np.all(np.abs(gap) <= 1e-2 * self.rtol * scale):
                return unknowns, slope
            step = np.linalg.lstsq(np.eye(len(gap)) - slope, gap, rcond=None)[0]
            # a mean may not change by more than half of it at once, or its table is useless
            longest = np.max(np.abs(step[::2]) / np.maximum(unknowns[::2], 1e-2), initial=0.0)
            step *= min(1.0, 0.5 / max(longest, 1e-300))
            before = np.abs(gap / scale).max()
            for _ in range(8):
                tried = np.maximum(unknowns + step, 0.0)
                if np.abs((self.response(tried, share) - tried) / scale).max() < before:
                    break
                step /= 2
            else:
                return None
            unknowns = tried
        return None

    def _polish(self, unknowns, slope):
        """A solution for the present table and sample, near one for others."""
        left = np.eye(len(unknowns)) - slope
        for attempt in range(_ITERATIONS):
            gap = self.response(unknowns) - unknowns
            scale = np.repeat(np.maximum(unknowns[::2], _NOTHING), 2)
            if np.all(np.abs(gap) <= 1e-2 * self.rtol * scale):
                break
            if attempt == 4:
                left = np.eye(len(unknowns)) - self.slope(unknowns, 1.0, moments)[1]
            unknowns = np.maximum(unknowns + np.linalg.lstsq(left, gap, rcond=None)[0], 0.0)
        return unknowns, np.eye(len(unknowns)) - left

    def _summary(self, unknowns, slope):
        """Fields of the result; errors of its means and spreads from the table and the sample."""
        given, weights = self._split(unknowns), self.weights
        found = [one.rates(*given, uncertain=True) for one in self.populations]
        fine, coarse, uncertain = zip(*found, strict=True)
        gap = self.response(unknowns) - unknowns
        scale = np.repeat(np.maximum(unknowns[::2], SILENT), 2)
        amplify = np.abs(np.linalg.pinv(np.eye(len(unknowns)) - slope))
        sets = [self.populations[0].sample.by_set(x) for x in (*fine, weights)]

        def direct(function):
            value = function(fine, weights)
            of_sets = np.array([function(x[:-1], x[-1]) for x in zip(*sets, strict=True)])
            drawn = 2 * of_sets.std(axis=0, ddof=1) / np.sqrt(_SETS)
            # the error of a spline falls by more than this when its nodes are twice as dense
            return np.abs(function(coarse, weights) - value) / 4, drawn

        of_grid, of_sample = (amplify @ x for x in direct(moments))
        # no rate is known better than it was solved for, and all may be off to the same side
        means = [mean_and_spread(x, weights) for x in uncertain]
        solver = np.array([x for mean, sd in means for x in (mean, np.hypot(mean, sd))])
        of_solver = amplify @ (solver + np.abs(gap))
        errors = of_grid + of_solver + of_sample
        fractions, fraction_slope = self.slope(unknowns, 1.0, self._fractions)
        fraction_error = sum(direct(self._fractions)) + np.abs(fraction_slope) @ errors
        pairs = [statistics(x, weights) for x in fine]
        pairs = [pairs[0], pairs[-1]]
        fields = {name: np.array([pair[name] for pair in pairs]) for name in pairs[0]}
        in_degrees = [mean_and_spread(one.sample.k_E, weights) for one in self.populations]
        spread = [float(sd / mean) for mean, sd in in_degrees]
        fractions = np.reshape(fractions, (-1, 2))[[0, -1]]
        fields |= {
            "fraction_silent": fractions[:, 0],
            "fraction_saturated": fractions[:, 1],
            "stable": bool(np.linalg.eigvals(slope).real.max() < 1),
            "in_degree_cv": np.array([spread[0], spread[-1]]),
            "error": float((errors / scale).max()),
            "of_formula": max(one.table.of_formula for one in self.populations),
            "fraction_error": float(fraction_error.max()) + 2 * weights.max() / weights.size,
            "probabilities": KEPT,
        }
        parts = {"grid": of_grid, "solver": of_solver, "sample": of_sample}
        return fields, {name: float((x / scale).max()) for name, x in parts.items()}

    def _boundaries(self, fields, unknowns):
        """Fractions as exact rates have them at their boundaries, where a table may be off."""
        given, weights = self._split(unknowns), self.weights
        shifts, unsure = np.zeros((2, len(self.populations))), 0.0
        for column, one in enumerate(self.populations):
            nu = one.rates(*given)
            ends = SILENT, SATURATED / one.neuron.tau_rp if one.neuron.tau_rp > 0 else np.inf
            for row, (level, sign) in enumerate(zip(ends, (1, -1), strict=True)):
                density, offset, error = one.offset(nu, level, weights, given)
                shifts[row, column], unsure = sign * density * offset, max(unsure, density * error)
        shifts = shifts[:, [0, -1]]
        return {
            name: np.clip(fields[name] + shift, 0.0, 1.0)
            for name, shift in zip(("fraction_silent", "fraction_saturated"), shifts, strict=True)
        } | {"fraction_error": fields["fraction_error"] + float(unsure)}

    def _fractions(self, rates, weights):
        found = []
        for one, nu in zip(self.populations, rates, strict=True):
            tau_rp = one.neuron.tau_rp
            top = SATURATED / tau_rp if tau_rp > 0 else np.inf
            found += [np.average(x, weights=weights) for x in (nu < SILENT, nu > top)]
        return np.array(found)
