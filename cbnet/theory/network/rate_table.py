"""The response Φ of a neuron as a table: interpolated for as many inputs as there are neurons."""

import numpy as np
from scipy.interpolate import CubicSpline, RectBivariateSpline

from ...errors import ConvergenceError

_POTENTIALS = 65  # between reset and threshold, where the drift may be smallest
_LINES = 129  # along which the threshold line is kept
_FAR = 8.0  # standard deviations of v below the threshold line
_LOWEST = 1e-9  # Hz, below which a table is continued by its slope
_RAREST = 1e-4  # Hz, of white noise, below which the ratio to it is kept
_SMALL = 0.02  # ratio (its ln) below which it is interpolated as it is, and not its logarithm
_BEND = 0.5  # how much closer than on average nodes are at the low end
_SATURATED = 1e-6  # of τ_rp: times between reset and threshold that count as none
# Least √R_I over the largest, and how many more nodes of the ratio it takes: twice beyond.
_REACHES = ((1 / 4, 1.0), (1 / 6, 1.5))
_MARGIN_I, _MARGIN_E = 0.25, 0.6  # room for rates that move, of √R_I and of t


class Table:
    """ln of the mean time from reset to threshold on a grid of excitation and inhibition.

    Parameters
    ----------
    neuron, white : Neuron
        Of any treatment of noise that has rates on both sides of the threshold, and the same neuron
        under white noise.
    R_E, R_I : ndarray
        Total arrival rates (Hz) that must be within it.
    fine : pair of int
        Intervals of the grid along excitation and inhibition, for the rates of white noise.
    coarse : pair of int
        The same for the ratio of the times to those of white noise, if the method is costly.
    rtol : float
        Accuracy of the rates.

    Notes
    -----
    Let R*(R_I) be the least excitation whose drift takes v from reset to threshold, and w(R_I) the
    change of R_E that moves the drift by one standard deviation of v there. The grid is uniform in
    t = arcsinh[(R_E − R*)/2w] and √R_I: the rate changes from silence to saturation where t is of
    order one, for every K. ln T, with ν = 1/(τ_rp + T), is smooth at both ends. The ratio to the
    time of white noise tends to one above threshold and grows like an exponential of t below: its
    grid is denser there, begins where white noise has 1e-4 Hz, and holds arcsinh of its logarithm.
    """

    def __init__(self, neuron, white, R_E, R_I, fine, coarse, rtol):
        self.neuron, self.rtol = neuron, rtol
        self.of_formula = 0.0  # a formula's own error, that nobody can ask for
        self.K = float(neuron.values["K"])
        self.K_I = float(neuron.values["gamma"] * neuron.values["K"])
        self._threshold_line(R_I)
        t = self._t(R_E, np.sqrt(R_I))
        low, high = max(np.arcsinh(-_FAR / 2), t.min() - _MARGIN_E), t.max() + _MARGIN_E
        self.t = np.array([low, max(high, low + 2 * _MARGIN_E)])
        costly = neuron.method.costly
        first = white if costly else neuron

        def times(t, s):
            return self._log_time(first, *self._inputs(t, s))

        self._white = self._spline(times, self.t, fine, 0.0, -np.log(_LOWEST))
        self._ratio = None
        if costly:
            self._from = self._t_of_white(-np.log(_RAREST))
            ends = np.array([self._from, self.t[1]])
            # a neuron without inhibition is another neuron: it takes nodes to get there
            reach = self.s[0] / self.s[1]
            more = next((k for least, k in _REACHES if reach > least), 2.0)
            coarse = coarse[0], coarse[1] * more
            self._ratio = self._spline(self._log_ratio, ends, coarse, _BEND, 0.0)

    def locate(self, R_E, R_I):
        """Coordinates of arrival rates; None if the table must be made anew to hold them."""
        s = np.sqrt(R_I)
        t = self._t(R_E, s)
        if s.min() < self.s[0] - 1e-12 or s.max() > self.s[1] + 1e-12 or t.max() > self.t[1]:
            return None
        # what is far below the threshold is silent wherever it is
        if t.min() < self.t[0] and self.t[0] > np.arcsinh(-_FAR / 2):
            return None
        return np.maximum(t, self.t[0]), np.clip(s, *self.s)

    def rates(self, t, s, coarser=False):
        """Φ in Hz at coordinates; from every other node of the grids if asked for."""
        level = int(coarser)
        log_time = self._white[level].ev(t, s)
        if self._ratio is not None:
            ratio = self._ratio[level].ev(np.maximum(t, self._from), s)
            log_time = log_time + _SMALL * np.sinh(np.clip(ratio, -30, 30))
        return 1 / (self.neuron.tau_rp + np.exp(np.minimum(log_time, 700.0)))

    def errors(self, t, s):
        """Estimated relative errors of the rates that were solved for, interpolated."""
        error = self._white[2].ev(t, s)
        if self._ratio is not None:
            error = error + self._ratio[2].ev(np.maximum(t, self._from), s)
        return error

    def _threshold_line(self, R_I):
        s = np.sqrt(np.array([R_I.min(), R_I.max()]))
        least = 1e-3 * np.sqrt(self.K_I)  # arrivals at a thousandth of 1 Hz change nothing
        low, high = s[0] * (1 - _MARGIN_I), s[1] * (1 + _MARGIN_I)
        self.s = np.array([low, max(high, low + least)])
        lines = np.linspace(*self.s, _LINES)
        neuron = self.neuron
        v = np.linspace(neuron.reset, neuron.threshold, _POTENTIALS)[None]
        values = neuron.bound(np.zeros(1), np.zeros(1))
        leak, h_E, h_I = (
            neuron.reduced.function(name, values)(v) for name in ("leak", "jump_E", "jump_I")
        )
        inhibition = lines[:, None] ** 2
        needed = -(leak + inhibition * h_I) / h_E
        at = needed.argmax(1)
        row = np.arange(_LINES)
        excitation = needed[row, at]
        there = np.maximum(excitation, 0.0)
        noise = there * h_E[0, at] ** 2 + inhibition[:, 0] * h_I[0, at] ** 2
        drift = leak[0, 0] + excitation * h_E[0, 0] + inhibition[:, 0] * h_I[0, 0]
        width = neuron.threshold - neuron.reset
        pull = np.maximum(drift, 0) / np.maximum(v[0, at] - v[0, 0], width / 10)
        pull = pull + noise / width**2
        least = 1e-3 * width / h_E[0, at]  # arrivals that are nothing in a thousand seconds
        self._line = CubicSpline(lines, excitation)
        self._log_width = CubicSpline(
            lines, np.log(np.maximum(np.sqrt(pull * noise / 2) / h_E[0, at], least))
        )

    def _t(self, R_E, s):
        s = np.clip(s, *self.s)
        return np.arcsinh((R_E - self._line(s)) / (2 * np.exp(self._log_width(s))))

    def _inputs(self, t, s):
        """Rates of each input at the nodes of a grid, and where there is any excitation."""
        t, s = np.meshgrid(t, s, indexing="ij")
        R_E = self._line(s) + 2 * np.exp(self._log_width(s)) * np.sinh(t)
        return np.maximum(R_E, 0.0) / self.K, s**2 / self.K_I, R_E > 0

    def _log_time(self, neuron, r_E, r_I, wanted):
        """ln of the mean time from reset to threshold, and the relative error of the rate.

        The time is undefined where it is not wanted or ages.
        """
        log_time, errors = np.full(wanted.shape, np.nan), np.zeros(wanted.shape)
        rate, error = self._passage(neuron, r_E[wanted], r_I[wanted])
        found = np.maximum(1 / rate - neuron.tau_rp, _SATURATED * neuron.tau_rp)
        log_time[wanted] = np.where(rate > _LOWEST, np.log(found), np.nan)
        errors[wanted] = np.where(rate > _LOWEST, error, 0.0)
        return log_time, errors

    def _log_ratio(self, t, s):
        white = self._white[0](t, s)
        r_E, r_I, real = self._inputs(t, s)
        # what white noise takes ages for needs no solution
        wanted = real & (white < -np.log(_LOWEST))
        ratio, errors = np.full(white.shape, np.nan), np.zeros(white.shape)
        # from above, so that what takes ages is left out as soon as it does
        for row in range(t.size - 1, -1, -1):
            found, errors[row] = self._log_time(self.neuron, r_E[row], r_I[row], wanted[row])
            wanted[:row] &= np.isfinite(found) | ~wanted[row]
            ratio[row] = found - white[row]
        return np.arcsinh(ratio / _SMALL), errors

    def _t_of_white(self, log_time):
        """The lowest t at which white noise is as fast as that, for any inhibition."""
        t, s = np.linspace(*self.t, 400), np.linspace(*self.s, 5)
        fast = (self._white[0](t, s) < log_time).any(axis=1)
        lowest = t[np.argmax(fast)] if fast.any() else self.t[0]
        return min(float(lowest), self.t[1] - _MARGIN_E)

    def _passage(self, neuron, r_E, r_I):
        if not r_E.size:
            return np.zeros(0), np.zeros(0)
        try:
            found = neuron.passage(r_E, r_I, self.rtol, cv=False)
        except ConvergenceError as failure:
            found = failure.best  # its error counts in the answer
        error = np.nan_to_num(found.error, posinf=1.0)
        if neuron.method.formula:
            own = np.max(found.error[found.rate > _LOWEST], initial=0.0)
            self.of_formula, error = max(self.of_formula, float(own)), np.zeros(error.shape)
        return np.maximum(found.rate, 1e-300), error

    def _spline(self, function, ends, intervals, bend, silent):
        """Splines on a grid and on every other of its nodes; errors between the nodes."""
        n, m = (2 * max(int(np.ceil(k / 2)), 2) for k in intervals)
        u, s = np.linspace(0, 1, n + 1), np.linspace(*self.s, m + 1)
        t = ends[0] + (ends[1] - ends[0]) * u * (1 - bend * (1 - u))
        z, errors = function(t, s)
        z = _continued(z, silent)
        order = [min(3, k) for k in (n // 2, m // 2)]
        return (
            RectBivariateSpline(t, s, z, kx=3, ky=3),
            RectBivariateSpline(t[::2], s[::2], z[::2, ::2], kx=order[0], ky=order[1]),
            RectBivariateSpline(t, s, errors, kx=1, ky=1),
        )


def _continued(z, silent):
    """Columns with their undefined beginnings continued by a straight line."""
    z = z.copy()
    for column in z.T:
        known = np.flatnonzero(np.isfinite(column))
        if not known.size:
            column[:] = silent
            continue
        first = known[0]
        slope = column[first + 1] - column[first] if first + 1 < len(column) else 0.0
        missing = np.arange(first)
        column[:first] = column[first] + slope * (missing - first)
    return z
