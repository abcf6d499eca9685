"""Every root of a function that is costly, with the help of one that is cheap and nearly as good.

The difference of the two is smooth: it is sampled at some points and interpolated between. Where
the sum may vanish, within what is not known of it, the costly function is evaluated again, until
every change of sign is sure and every near miss is one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from .line import unknown
from .roots import Root

_PER_DECADE = 24  # of the cheap function
_FINER = 10  # points between two of those, of the interpolated sum
_FEEDBACK = 0.1  # Hz: below, the response hardly depends on the rate
_FIRST = 1.6  # of ln ν between the first samples above
_FINEST = 0.2  # of the accuracy of a root: that of the rates that decide if there is one
_HOPELESS = -12.0  # excess of the cheap function from which the costly one does not recover
_ROUNDS = 14
_MOST = 80  # samples
_SAME = 2e-3  # of ln ν: so close a sample only makes another more accurate
_UNKNOWN = 3e-3  # that the difference may bend unseen within a unit of ln ν
_NEAR = 0.1  # of ln ν: within it a root has been seen before it is believed
_SURPRISING = 0.02  # difference from what was interpolated
_SURPRISES = 4
_MOST_STEPS = 20
_FLAT = 0.1  # slope of which the sign is worth two more values
_APART = 0.02  # of ln ν, between the two rates that give a slope


@dataclass
class _Sample:
    value: float  # of the costly function
    error: float
    tol: float
    second: float  # ln of the other population's rate


class Search:
    """Roots of a costly function of x = ln ν.

    Parameters
    ----------
    cheap, costly : callable
        ``(x, rtol, guess) -> (excess, z, error)`` for arrays, as :class:`_line.Line`.
    lowest, highest : float
        The range of ν, in Hz.
    rtol, scan_rtol : float
        Relative accuracy of a root, and of the rates that only show on which side of it one is.
    """

    def __init__(self, cheap, costly, lowest, highest, rtol, scan_rtol):
        self.costly, self.rtol, self.scan_rtol = costly, rtol, scan_rtol
        self.finest = _FINEST * rtol
        decades = np.log10(highest / lowest)
        grid = np.linspace(np.log(lowest), np.log(highest), int(np.ceil(_PER_DECADE * decades)) + 1)
        excess, z, _ = cheap(grid, 1e-6)
        excess, z = _filled(excess, grid), _filled(z, grid)
        self.base, self.base_z = CubicSpline(grid, excess), CubicSpline(grid, z)
        self.x = np.linspace(grid[0], grid[-1], _FINER * (grid.size - 1) + 1)
        self.samples, self._last = {}, None
        self.lost = []  # where no rate is known
        middle = np.log(np.clip(_FEEDBACK, lowest, highest))
        count = int(np.ceil((grid[-1] - middle) / _FIRST)) + 1
        first = np.linspace(middle, grid[-1], count)[:-1]
        for each in first[self.base(first) > _HOPELESS]:
            self.sample(each, scan_rtol)
        if not self.samples:
            self.sample(middle, scan_rtol)
        if not self.samples:
            raise unknown(costly.E.neuron.noise, np.exp(middle))

    def sample(self, x, tol):
        """The costly function at x, remembered."""
        known = min(self.samples, key=lambda s: abs(s - x), default=None)
        if known is not None and abs(known - x) < _SAME:
            x = known
            tol = max(min(tol, self.samples[x].tol / 10), self.finest)
            if self.samples[x].tol <= self.finest:
                return self.samples[x]
        if any(abs(each - x) < _SAME for each in self.lost):
            return _Sample(np.nan, np.inf, tol, np.nan)
        value, z, error = self._at(x, tol)
        if np.isfinite(value):
            self.samples[x] = _Sample(value, error, tol, z)
        else:
            self.lost.append(x)
        return _Sample(value, error, tol, z)

    def _correction(self, name, base):
        """The interpolated difference of costly and cheap function."""
        at = np.array(sorted(self.samples))
        if at.size == 0:
            return lambda x: 0.0 * np.asarray(x)
        c = np.array([getattr(self.samples[x], name) for x in at]) - base(at)
        if at.size == 1:
            return lambda x: c[0] + 0.0 * np.asarray(x)
        within = PchipInterpolator(at, c)
        return lambda x: within(np.clip(x, at[0], at[-1]))

    def values(self, x):
        """The sum of cheap function and interpolated difference."""
        return self.base(x) + self._correction("value", self.base)(x)

    def second(self, x):
        """Where the rate of the other population is looked for: its ln."""
        return self.base_z(x) + self._correction("second", self.base_z)(x)

    def slope(self, x):
        """Derivative of the sum."""
        ends = np.array([x - _APART / 2, x + _APART / 2])
        return float(np.diff(self.values(ends))[0] / _APART)

    def _unsure_at(self, x):
        return float(np.interp(x, self.x, self._unsure()))

    def _unsure(self):
        """How far the sum may be off, at every point of the fine grid."""
        at = np.array(sorted(self.samples))
        known = np.array([min(self.samples[x].error, 1.0) for x in at])
        if at.size < 2:
            return np.full(self.x.size, np.inf)
        c = np.array([self.samples[x].value for x in at]) - self.base(at)
        h = np.diff(at)
        bend = np.zeros(at.size)
        if at.size > 2:
            rough = known[1:] + known[:-1]
            turns = np.abs(np.diff(np.diff(c) / h)) - (rough / h)[1:] - (rough / h)[:-1]
            bend[1:-1] = 2 * np.maximum(turns, 0) / (h[:-1] + h[1:])
            bend[0], bend[-1] = bend[1], bend[-2]
        k = np.clip(np.searchsorted(at, self.x, side="right") - 1, 0, h.size - 1)
        t = np.clip((self.x - at[k]) / h[k], 0, 1)
        hump = 4 * t * (1 - t)
        unsure = hump * (h[k] ** 2 / 8 * np.maximum(bend[k], bend[k + 1]))
        unsure += hump * _UNKNOWN * np.minimum(h[k], 1.0)
        unsure += np.maximum(known[k], known[k + 1])
        beyond = np.maximum(at[0] - self.x, 0) + np.maximum(self.x - at[-1], 0)
        return unsure + np.minimum(beyond, 1.0) * np.maximum(np.abs(self.base(self.x)) / 2, 1.0)

    def roots(self):
        """Every root, in increasing order.

        Raises
        ------
        ConvergenceError
            If none is found, and the function is not known everywhere.
        """
        for _ in range(_SURPRISES):
            brackets, surprised = self._brackets(), False
            roots = []
            for bracket in brackets:
                root, start, value, error = self._polish(*bracket)
                roots.append(root)
                if abs(value) > max(_SURPRISING, 3 * self._unsure_at(start)):
                    # the difference is not what it was thought to be: look again everywhere
                    self.samples[start] = _Sample(value, error, self.rtol, np.log(root.rates[1]))
                    surprised = True
            if not surprised:
                break
        if self.lost and not roots:
            raise unknown(self.costly.E.neuron.noise, np.exp(self.lost[0]))
        distinct = []
        for root in sorted(roots, key=lambda r: r.rates):
            if not distinct or np.log(root.rates[0] / distinct[-1].rates[0]) > 2 * self.rtol:
                distinct.append(root)
        return distinct

    def _brackets(self):
        for turn in range(_ROUNDS + 1):
            S, e = self.values(self.x), self._unsure()
            settled, wanted = [], []
            for low, high in _zones(S, e):
                sure, points = self._judge(S, e, low, high, turn)
                settled += sure
                wanted += points
            if not wanted or turn == _ROUNDS or len(self.samples) + len(self.lost) >= _MOST:
                break
            seen = [self.sample(x, tol) for x, tol in wanted]
            if not any(np.isfinite(each.value) for each in seen):
                break  # nothing is known there, however often it is asked for
        return settled

    def _judge(self, S, e, low, high, turn):
        """Brackets of the roots in a zone, and where to look before they are believed."""
        x = self.x[low : high + 1]
        s, unsure = S[low : high + 1], e[low : high + 1]
        k = np.flatnonzero(np.signbit(s[:-1]) != np.signbit(s[1:]))
        inside = [p for p in self.samples if x[0] <= p <= x[-1]]
        finest = min((self.samples[p].tol for p in inside), default=1.0) <= self.finest
        # close to a fold the accuracy of the rates decides
        tol = self.scan_rtol if turn < 4 or not inside else self.finest
        if k.size == 1:
            rise = np.abs(np.diff(s)) / np.diff(x)
            uniform = rise.min() * (x[-1] - x[0]) >= unsure.max()
            uniform &= bool(np.all(np.diff(s) > 0) or np.all(np.diff(s) < 0))
            root = _crossing(x, s, k[0])
            bracket = [(x[0], x[-1], root)]
            near = min(abs(p - root) for p in self.samples) < _NEAR
            if (uniform and near) or (finest and len(inside) > 4):
                return bracket, []
            return bracket, [(root, tol if near else self._accuracy(root))]
        if k.size == 0:
            j = int(np.argmin(np.abs(s) / np.maximum(unsure, 1e-12)))
            known = any(
                abs(p - x[j]) < _SAME and self.samples[p].tol <= self.finest for p in inside
            )
            if known:
                # two branches meet here, as far as can be told
                return [(x[j], x[j], x[j])], []
            return [(x[j], x[j], x[j])], [(x[j], tol)]
        crossings = [_crossing(x, s, j) for j in k]
        tops = [
            x[a + 1 + int(np.argmax(np.abs(s[a + 1 : b + 1])))]
            for a, b in zip(k[:-1], k[1:], strict=True)
        ]
        edges = [x[0], *tops, x[-1]]
        brackets = list(zip(edges[:-1], edges[1:], crossings, strict=True))
        depth = [abs(float(self.values(top))) for top in tops]
        if finest and len(inside) > 4 and min(depth) > self.rtol / 10:
            return brackets, []
        return brackets, [(point, tol) for point in tops + (crossings if turn % 2 else [])]

    def _accuracy(self, x):
        """Of rates that make a root as accurate as it should be: the feedback amplifies errors."""
        return self.rtol * float(np.clip(abs(self.slope(x)), 0.2, 1.0)) / 2

    def _polish(self, low, high, x):
        """One root by its slope, then by secants; and the first value on the way.

        The bracket is that of the interpolation: the root may prove to lie beyond it.
        """
        start = x
        if low == high:
            return self._root(x, 0.0, 1.0), start, 0.0, 0.0
        slope, tol, widest = self.slope(x), self._accuracy(x), high - low
        rising = self.values(np.array([high]))[0] > self.values(np.array([low]))[0]
        low, high, first, before = low - widest, high + widest, None, (np.inf, 0.0)
        for _ in range(_MOST_STEPS):
            value, z, error = self._at(x, tol)
            first = (value, error) if first is None else first
            if not np.isfinite(value):
                return self._root(x, slope, 1.0), start, 0.0, 0.0
            if 30 * tol < abs(x - before[0]) < np.inf:
                secant = (value - before[1]) / (x - before[0])
                slope = secant if secant * slope > 0 else slope
            before = x, value
            low, high = (low, x) if (value > 0) == rising else (x, high)
            step = -value / slope if slope != 0 else np.inf
            if abs(step) <= self.rtol / 4:
                break
            x = x + step if low < x + step < high else (low + high) / 2
        if abs(slope) < _FLAT:
            pair = [self._at(x + d, tol)[0] for d in (-_APART / 2, _APART / 2)]
            slope = (pair[1] - pair[0]) / _APART
        residual, step = min(abs(step), 1.0), step if abs(step) <= self.rtol else 0.0
        z += float(self.second(x + step) - self.second(x))
        return self._root(x + step, slope, residual, z), start, *first

    def _at(self, x, tol):
        guess = self.second(x)
        if self._last is not None and abs(self._last[0] - x) < _FIRST:
            guess += self._last[1] - self.second(self._last[0])
        found = tuple(float(each[0]) for each in self.costly(np.array([x]), tol, np.array([guess])))
        if np.isfinite(found[1]):
            self._last = x, found[1]
        return found

    def _root(self, x, slope, residual, z=None):
        if z is None:
            z = float(self.second(x))
        return Root((float(np.exp(x)), float(np.exp(z))), 1 + slope, residual)


def _filled(y, x):
    """y with what is not known interpolated: it only says where to look."""
    known = np.isfinite(y)
    return np.interp(x, x[known], y[known]) if known.any() else 0.0 * x


def _zones(S, e):
    """First and last index of every stretch where the sum may vanish, and of what surrounds it."""
    maybe = np.abs(S) <= e
    cross = np.signbit(S[:-1]) != np.signbit(S[1:])
    maybe[:-1] |= cross
    maybe[1:] |= cross
    edges = np.flatnonzero(np.diff(np.concatenate([[False], maybe, [False]]).astype(int)))
    last = S.size - 1
    return [(max(a - 1, 0), min(b, last)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _crossing(x, s, k):
    return float(x[k] - s[k] * (x[k + 1] - x[k]) / (s[k + 1] - s[k]))
