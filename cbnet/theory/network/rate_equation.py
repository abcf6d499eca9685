"""ν = Φ(ν) for any number of populations, in coordinates that take silent ones as any other.

With y = ln(1 + ν/ε), ε = 1e-6 Hz, the residual F(y) = ln(1 + Φ/ε) − y is that of ln ν where a
population fires and that of ν where it is silent. It maps the box 0 ≤ y ≤ ln(1 + ν_max/ε) so that
y + F(y) stays in it: over all roots the signs of det(1 − G), G = ∂Φ/∂ν, add up to one.
"""

from dataclasses import dataclass

import numpy as np

from .line import SILENT

_STEP = 1e-4  # of y, of a difference quotient, where rates are accurate
_EXACT = 1e-4  # of that step: accuracy of the rates


@dataclass(frozen=True)
class Point:
    """The equation at some states, n rows.

    Attributes
    ----------
    residual : ndarray, shape (n, P)
        F, of y.
    slope : ndarray, shape (n, P, P)
        ∂(y + F)/∂y: similar to `G` at a root, but finite where a population is silent.
    toward : ndarray, shape (n, P)
        ∂F/∂c for rates c ν in place of ν, at c = 1.
    gain : ndarray, shape (n, P, P)
        G = ∂Φ_p/∂ν_q.
    rate, error : ndarray, shape (n, P)
        Φ in Hz and its estimated relative error.
    """

    residual: np.ndarray
    slope: np.ndarray
    toward: np.ndarray
    gain: np.ndarray
    rate: np.ndarray
    error: np.ndarray


class RateEquation:
    """ν = Φ(ν).

    Parameters
    ----------
    phi : callable
        ``(nu, rtol) -> (rate, error)`` for rates in Hz of shape (n, P): Φ and its relative error.
    highest : array_like, shape (P,)
        Rates that no population exceeds, Hz.
    sensitivity : callable, optional
        ``(nu, rtol) -> (rate, error, gain)`` with gain[n, p, q] = ∂Φ_p/∂ν_q; from differences of
        `phi` if not given.
    """

    def __init__(self, phi, highest, sensitivity=None):
        self.phi, self.highest = phi, np.asarray(highest, float)
        self.top = to_y(self.highest)
        self.sensitivity = sensitivity or self._differences

    @property
    def size(self):
        """Number of populations."""
        return self.highest.size

    def residual(self, y, rtol):
        """F at y of shape (n, P)."""
        rate, _ = self.phi(to_rate(y), rtol)
        return to_y(rate) - y

    def at(self, y, rtol, coupling=1.0):
        """The equation of rates that are multiplied by a coupling, with its derivatives: a Point.

        Parameters
        ----------
        y : ndarray, shape (n, P)
        rtol : float
        coupling : float or ndarray, shape (n,)
        """
        c = np.reshape(coupling, (-1, 1))
        nu = to_rate(y)
        rate, error, gain = self.sensitivity(c * nu, rtol)
        unit = 1 / (SILENT + rate)
        slope = c[..., None] * unit[..., None] * gain * (SILENT + nu)[:, None, :]
        toward = unit * np.einsum("npq,nq->np", gain, nu)
        return Point(to_y(rate) - y, slope, toward, gain, rate, error)

    def _differences(self, nu, rtol):
        n, P = nu.shape
        y = to_y(nu)
        step = max(_STEP, rtol**0.5)
        shifts = step * np.concatenate([np.zeros((1, P)), np.eye(P), -np.eye(P)])
        # nobody fires at a negative rate
        shifted = np.maximum(y[:, None] + shifts, 0.0)
        at = to_rate(shifted)
        rate, error = self.phi(at.reshape(-1, P), min(rtol, _EXACT * step))
        rate, error = rate.reshape(n, -1, P), error.reshape(n, -1, P)
        rise = rate[:, 1 : P + 1] - rate[:, P + 1 :]
        run = np.einsum("nqq->nq", at[:, 1 : P + 1] - at[:, P + 1 :])
        return rate[:, 0], error[:, 0], np.swapaxes(rise / run[..., None], 1, 2)

    def newton(self, y, rtol, *, known=(), patience=0.0, steps=40):
        """Newton's method from every start, kept in the box.

        Parameters
        ----------
        y : ndarray, shape (n, P)
            Starts.
        rtol : float
            Length of the last step in y.
        known : sequence of ndarray, shape (P,)
            Roots that are divided out: the method avoids them.
        patience : float
            Time for which the relaxation dy/dt = F(y) is followed first, in steps that double; 0
            for Newton's method at once.
        steps : int

        Returns
        -------
        y : ndarray, shape (n, P)
        length : ndarray, shape (n,)
            Of the last step: infinite where there is none.
        """
        y = np.array(y, float)
        length, going = np.full(len(y), np.inf), np.arange(len(y))
        pseudo, elapsed, eye = 0.1, 0.0, np.eye(self.size)
        for _ in range(steps):
            relax = elapsed < patience
            point = self.at(y[going], 1e-7 if relax else min(rtol * 1e-2, 1e-7))
            matrix = eye * (1 + (1 / pseudo if relax else 0.0)) - point.slope
            step = solve_rows(matrix, point.residual)
            if relax:
                elapsed, pseudo = elapsed + pseudo, 2 * pseudo
            elif len(known):
                step = step * _deflation(y[going], step, known)[:, None]
            size = np.abs(step).max(1)
            step *= np.minimum(1.0, 2.0 / np.maximum(size, 1e-300))[:, None]
            new = np.clip(y[going] + step, 0.0, self.top)
            moved = np.abs(new - y[going]).max(1)
            y[going] = new
            if relax:
                continue
            done = (size <= rtol / 4) & (moved <= size)
            length[going] = np.where(done, size, np.inf)
            going = going[~done & np.isfinite(size)]
            if not going.size:
                break
        return y, length


def to_y(nu):
    """y = ln(1 + ν/ε) of rates in Hz."""
    return np.log1p(np.maximum(nu, 0.0) / SILENT)


def to_rate(y):
    """Rates in Hz of y."""
    return SILENT * np.expm1(y)


def solve_rows(matrix, right):
    """Solutions of linear systems, NaN where there is none."""
    bad = ~np.isfinite(matrix).all((1, 2)) | ~np.isfinite(right).all(1)
    matrix = np.where(bad[:, None, None], np.eye(right.shape[1]), matrix)
    singular = np.linalg.det(matrix) == 0
    matrix = np.where(singular[:, None, None], np.eye(right.shape[1]), matrix)
    bad |= singular
    found = np.linalg.solve(matrix, np.where(bad[:, None], 0.0, right)[..., None])[..., 0]
    found[bad] = np.nan
    return found


def _deflation(y, step, known):
    """By what a step of Newton's method changes when F is multiplied by Π (1 + 1/|y − root|²)."""
    along = np.zeros(len(y))
    for root in known:
        apart = y - root
        square = np.maximum((apart**2).sum(1), 1e-24)
        along += (apart * step).sum(1) * -2 / (square * (1 + square))
    return 1 / np.where(np.abs(1 - along) < 1e-12, 1e-12, 1 - along)
