"""The density of the intervals between spikes, from the equation of survival in time.

S(t; v), the chance not to have fired t after being at v, obeys dS/dt = L S with the operator L of
the mean first-passage time and S = 1 at the start; the density of the first passage from the
reset is −dS/dt there. Time steps are the rational approximation of e^{hL} of degrees 3 over 4
(order 7; it damps what is stiff), of length h₀ 2^k, each judged by what two of half its length say.
"""

import functools
from math import factorial

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.linalg import lapack

from ...errors import ConvergenceError

_LEAST = 1e-10  # chance to survive at which the tail is exponential
_MOST = 4000  # steps
_SHORTEST = -16
_UNFELT, _ROUNDED = 1e-6, 1e-15


@functools.cache
def _partial_fractions():
    """Poles in the upper half plane of the approximation, and their residues."""
    m, n = 3, 4
    top = [
        factorial(m + n - k) * factorial(m) / (factorial(m + n) * factorial(k) * factorial(m - k))
        for k in range(m + 1)
    ]
    bottom = [
        (-1) ** k
        * factorial(m + n - k)
        * factorial(n)
        / (factorial(m + n) * factorial(k) * factorial(n - k))
        for k in range(n + 1)
    ]
    top, bottom = np.polynomial.Polynomial(top), np.polynomial.Polynomial(bottom)
    poles = bottom.roots()
    poles = poles[poles.imag > 0]
    return poles, top(poles) / bottom.deriv()(poles)


class Survival:
    """S(t) from the reset.

    Parameters
    ----------
    system : NodalSystem or Walk
        Of the mean first-passage time.
    mean : float
        Of the intervals (s), without the refractory time.
    rtol : float
        Accuracy of the density, relative to its largest value.
    """

    def __init__(self, system, mean, rtol):
        self._system, self._rtol = system, rtol
        self._least = 1 / mean  # the largest value is no less
        self._factors = {}
        # of LS; a long step does not know S better than that times its length
        self._rounding = _ROUNDED * np.abs(system.banded[system.high + system.low]).max()
        self._fastest = 0.25 / sum(system.rates)

    def density(self):
        """Nodes t (s, from the end of the refractory time), f and f' there, and S at the last."""
        x = self._system.start()
        t, k = 0.0, 0
        flux = self._system.apply(x)
        start = (-self._system.at_reset(flux), -self._system.at_reset(self._system.apply(flux)))
        found, highest, S = [(t, *start)], 0.0, 1.0
        for _ in range(_MOST):
            h = self._fastest * 2.0**k
            middle, at_middle = self._step(x, k - 1)
            end, at_end = self._step(middle, k - 1)
            directly, once = self._step(x, k)
            highest = max(highest, at_middle[0], at_end[0])
            f0, g0 = found[-1][1:]
            guess = (f0 + at_end[0]) / 2 + h * (g0 - at_end[1]) / 8
            # a cubic on each half misses a sixteenth of what one on both halves does
            off = max(abs(guess - at_middle[0]) / 8, abs(once[0] - at_end[0]))
            off -= self._rounding
            missed = self._system.distance(end - directly) - self._rounding * h
            # what S is elsewhere comes to the reset later
            # and what S does not feel is rounded off
            off = max(off / max(highest, self._least, _UNFELT / (t + h)), missed)
            if off > self._rtol and k > _SHORTEST:
                k -= 1
                continue
            found += [(t + h / 2, *at_middle), (t + h, *at_end)]
            x, t, S = end, t + h, self._system.at_reset(end)
            if S < _LEAST or self._settled(x, at_end[0], S):
                break
            if off < self._rtol / 40:
                k += 1
        else:
            raise ConvergenceError("isi_density: too many time steps; ask for less accuracy")
        t, *values = map(np.array, zip(*found, strict=True))
        return t, np.stack(values, 1), max(S, 0.0)

    def _settled(self, x, f, S):
        """Whether S(v) decays alike at all v: what follows is exponential."""
        if not f > 0:
            return False
        left = np.abs(self._system.apply(x) + f / S * x).max()
        return left <= self._rtol * f + self._rounding * S

    def _step(self, x, k):
        """x after a step; f and f' there, from the same fractions (nothing is differenced)."""
        poles, residues = _partial_fractions()
        high, low = self._system.high, self._system.low
        h = self._fastest * 2.0**k
        if k not in self._factors:
            self._factors[k] = []
            for pole in poles:
                matrix = h * self._system.banded.astype(complex)
                matrix[high + low] -= pole
                lu, pivots, _ = lapack.zgbtrf(matrix, high, low, overwrite_ab=1)
                self._factors[k].append((lu, pivots))
        new, first, second = np.zeros((3, x.size))
        right = x[::-1].astype(complex)
        for pole, residue, (lu, pivots) in zip(poles, residues, self._factors[k], strict=True):
            y = 2 * residue * lapack.zgbtrs(lu, high, low, right, pivots)[0][::-1]
            new += y.real
            # hL of the fractions, and once more, is their pole, plus polynomials in hL
            first += (pole * y).real
            second += (pole**2 * y).real
        whole, moment = 2 * residues.sum().real, 2 * (residues * poles).sum().real
        at = self._system.at_reset
        start = at(x)
        f = -(at(first) + whole * start) / h
        g = -(at(second) + whole * h * at(self._system.apply(x)) + moment * start) / h**2
        return new, (f, g)


def poisson(t, rate):
    """The density at t of intervals that forget when they began."""
    with np.errstate(under="ignore"):
        return np.where(t < 0, 0.0, rate * np.exp(-rate * np.maximum(t, 0.0)))


def tabulated(t, nodes, values, left):
    """The density at t: cubic between the nodes, exponential above the last one."""
    t = np.asarray(t, float)
    inner = CubicHermiteSpline(nodes, values[:, 0], values[:, 1])(np.clip(t, 0.0, nodes[-1]))
    last = max(values[-1, 0], 0.0)
    decay = last / left if left > 0 else 0.0
    with np.errstate(under="ignore"):
        beyond = last * np.exp(-decay * np.maximum(t - nodes[-1], 0.0))
    return np.where(t < 0, 0.0, np.maximum(np.where(t <= nodes[-1], inner, beyond), 0.0))
