"""Where two states of a network meet: the value of a parameter at which an extremum touches zero.

Between two states that meet, the excess F(x; p) of :class:`_line.Line` has an extremum m(p). They
meet where m(p) = 0. Since m'(p) = ∂F/∂p at the extremum, m is as smooth and as well known as F,
although the two states move as the square root of the distance.
"""

from dataclasses import dataclass

import numpy as np

from ...errors import ConvergenceError

_SCAN = 13  # points between the two states, for a first look
_WINDOW = 0.25  # half width of the neighbourhood in ln ν
_STEPS = 14
_NUDGE = 1e-4  # of the parameter, for the first slope


@dataclass(frozen=True)
class Fold:
    """Two states meet.

    Attributes
    ----------
    value : float
        Of the parameter.
    rates : tuple of float
        Of E and I, in Hz.
    error, rate_error : float
        Estimated relative errors of value and rates.
    """

    value: float
    rates: tuple
    error: float
    rate_error: float


@dataclass(frozen=True)
class _Extremum:
    x: float
    z: float
    height: float
    bend: float
    error: float  # of the height
    shift: float  # error of x


class FoldFinder:
    """Finds where two states meet.

    Parameters
    ----------
    line_at : callable
        The Line at a value of the parameter.
    rtol : float
        Relative accuracy of the value and of the rates.
    costly : bool
        Whether a rate takes milliseconds.
    scan_rtol : float
        Accuracy of the rates for a first look.
    """

    def __init__(self, line_at, rtol, costly, scan_rtol):
        self.line_at, self.rtol, self.scan_rtol = line_at, rtol, scan_rtol
        self.nodes, self.order = (7, 4) if costly else (15, 12)
        self.fine = rtol / 5 if costly else max(rtol * 1e-3, 1e-12)

    def distance(self, p, low, high, step):
        """How far the parameter has to go from p until the states next to each other meet.

        Parameters
        ----------
        p : float
            A value at which both exist.
        low, high : float
            Their ln ν_E.
        step : float
            A change of the parameter that is small against what is looked for.

        Returns
        -------
        float
            By the slope at p: linear. NaN if there is no extremum.
        """
        try:
            top = self._first(p, low, high)
        except ConvergenceError:
            return np.nan
        slope = self._slope(p, top, step)
        return -top.height / slope if slope != 0 else np.nan

    def find(self, p, low, high, ends):
        """Where two states meet.

        Parameters
        ----------
        p, low, high : float
            As for :meth:`distance`.
        ends : tuple of float
            Between which values it must be.

        Returns
        -------
        Fold

        Raises
        ------
        ConvergenceError
            If they do not meet there.
        """
        width = abs(ends[1] - ends[0])
        scale = max(abs(ends[0]), abs(ends[1]))
        top = self._near(p, self._first(p, low, high))
        slope = self._slope(p, top, np.clip(_NUDGE * scale, 1e-9 * scale, width / 10))
        for _ in range(_STEPS):
            step = -top.height / slope if slope != 0 else np.nan
            new = p + np.clip(step, -width, width)
            if not min(ends) - width / 10 <= new <= max(ends) + width / 10:
                raise ConvergenceError(
                    f"the states do not meet between {ends[0]:g} and {ends[1]:g}"
                )
            before, p_before = top, p
            p = float(new)
            top = self._near(p, before)
            if p != p_before:
                secant = (top.height - before.height) / (p - p_before)
                # two values that are the same but for their errors give no slope
                if abs(top.height - before.height) > 20 * (top.error + before.error):
                    slope = secant
            left = abs(top.height / slope)
            if left <= max(self.rtol / 4 * scale, 0.3 * top.error / abs(slope)):
                break
        else:
            raise ConvergenceError(f"the fold near {p:g} was not found to {self.rtol:g}")
        p = p - top.height / slope
        top = self._near(p, top)
        rates = float(np.exp(top.x)), float(np.exp(top.z))
        error = (top.error + abs(top.height)) / abs(slope * scale)
        return Fold(p, rates, float(error), float(top.shift))

    def _first(self, p, low, high):
        """The extremum between two states, roughly."""
        line = self.line_at(p)
        x = np.linspace(low, high, _SCAN)[1:-1]
        F, z, error = line(x, self.scan_rtol)
        if not np.isfinite(F).all():
            raise ConvergenceError("no excess between the states")
        k = int(np.argmax(np.abs(F)))
        bend = -np.sign(F[k])
        return _Extremum(float(x[k]), float(z[k]), float(F[k]), bend, float(error[k]), np.inf)

    def _near(self, p, like):
        """The extremum of the same kind next to a known one."""
        line, center = self.line_at(p), like.x
        chebyshev = np.polynomial.chebyshev
        nodes = np.cos(np.pi * (np.arange(self.nodes) + 0.5) / self.nodes)
        for _ in range(12):
            F, z, error = line(center + _WINDOW * nodes, self.fine, like.z + _WINDOW * nodes)
            if not np.isfinite(F).all():
                raise ConvergenceError("no excess near the fold")
            fit = chebyshev.chebfit(nodes, F, self.order)
            slope = chebyshev.chebder(fit)
            roots = chebyshev.chebroots(slope)
            roots = roots[np.abs(roots.imag) < 1e-9].real
            bends = chebyshev.chebval(roots, chebyshev.chebder(slope))
            inside = (np.abs(roots) <= 1) & (np.sign(bends) == np.sign(like.bend))
            if not inside.any():
                # towards the side on which F goes on as to the extremum
                uphill = np.sign(chebyshev.chebval(0.0, slope)) * -np.sign(like.bend)
                center += uphill * _WINDOW
                continue
            t = float(roots[inside][np.argmin(np.abs(roots[inside]))])
            if abs(t) > 0.6:
                center += t * _WINDOW
                continue
            bend = float(bends[inside][np.argmin(np.abs(roots[inside]))]) / _WINDOW**2
            rough = float(error.max())
            second = chebyshev.chebval(t, chebyshev.chebfit(nodes, z, self.order))
            shift = rough * self.order / (_WINDOW * abs(bend))
            height = float(chebyshev.chebval(t, fit))
            return _Extremum(center + t * _WINDOW, float(second), height, bend, rough, shift)
        raise ConvergenceError("no extremum near the fold")

    def _slope(self, p, top, step):
        """∂F/∂p at the extremum."""
        x, z = np.array([top.x]), np.array([top.z])
        ends = [float(self.line_at(p + d)(x, self.fine, z)[0][0]) for d in (-step, step)]
        return (ends[1] - ends[0]) / (2 * step)
