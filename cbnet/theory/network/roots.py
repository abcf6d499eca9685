"""Every root of ν = Φ(ν) for one rate."""

from dataclasses import dataclass

import numpy as np

_PER_DECADE = 24
_SCAN_RTOL = 1e-6  # of a scan that only looks for changes of sign
_CLOSER = 4  # times, where two roots may hide
_ORDER = 9
_NODES = np.cos(np.pi * np.arange(_ORDER + 1) / _ORDER)


@dataclass(frozen=True)
class Root:
    """A self-consistent rate or pair of rates.

    Attributes
    ----------
    rates : tuple of float
        In Hz.
    gain : float
        Total derivative of the response; the root is (statically) stable below one.
    residual : float
        Relative distance to the root at which the search stopped.
    """

    rates: tuple
    gain: float
    residual: float


def all_roots(phi, lowest, highest, rtol):
    """Roots of ν = Φ(ν) between two rates.

    Parameters
    ----------
    phi : callable
        ``(nu, rtol) -> rates`` for an array of rates in Hz.
    lowest, highest : float
        The range, in Hz.
    rtol : float
        Relative accuracy of a root.

    Returns
    -------
    list of Root
        In increasing order.
    """
    decades = np.log10(highest / lowest)
    nu = np.geomspace(lowest, highest, int(np.ceil(_PER_DECADE * decades)) + 1)
    f = phi(nu, _SCAN_RTOL) / nu - 1
    # Two roots between neighbouring points leave a dip towards zero: look closer there, and again
    # as long as a parabola through it may reach zero.
    for turn in range(_CLOSER):
        size, same = np.abs(f), np.sign(f[:-1]) == np.sign(f[1:])
        dip = (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]) & same[:-1] & same[1:]
        reach = 0.5 if turn == 0 else size[:-2] + size[2:] - 2 * size[1:-1]
        k = np.flatnonzero(dip & (size[1:-1] < reach)) + 1
        if not k.size:
            break
        closer = np.geomspace(nu[k - 1], nu[k + 1], 26)[1:-1].ravel()
        tol = _SCAN_RTOL if turn == 0 else max(rtol * 1e-2, 1e-12)
        nu, f = np.append(nu, closer), np.append(f, phi(closer, tol) / closer - 1)
        nu, kept = np.unique(nu, return_index=True)
        f = f[kept]
    changed = np.signbit(f[:-1]) != np.signbit(f[1:])
    k = np.flatnonzero(changed & np.isfinite(f[:-1]) & np.isfinite(f[1:]))
    if not k.size:
        return []
    return _polish(phi, np.log(nu[k]), np.log(nu[k + 1]), rtol)


def _polish(phi, a, b, rtol):
    """One root in each bracket of ln ν: of an interpolating polynomial, then by its slope."""
    chebyshev = np.polynomial.chebyshev
    x = (a + b)[:, None] / 2 + (b - a)[:, None] / 2 * _NODES
    f = phi(np.exp(x).ravel(), max(rtol * 1e-2, 1e-12)).reshape(x.shape) / np.exp(x) - 1
    coefficients = chebyshev.chebfit(_NODES, f.T, _ORDER)
    low, high = np.full(a.size, -1.0), np.full(a.size, 1.0)
    sign_low = chebyshev.chebval(low, coefficients, tensor=False) > 0
    for _ in range(54):
        middle = (low + high) / 2
        before = (chebyshev.chebval(middle, coefficients, tensor=False) > 0) == sign_low
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    slope = chebyshev.chebval(low, chebyshev.chebder(coefficients), tensor=False) * 2 / (b - a)
    root = (a + b) / 2 + (b - a) / 2 * low
    for _ in range(12):
        value = phi(np.exp(root), max(rtol * 1e-2, 1e-12)) / np.exp(root) - 1
        step = -value / slope
        root = np.clip(root + step, a, b)
        if np.all(np.abs(step) <= rtol / 4):
            break
    return [
        Root((float(np.exp(r)),), float(1 + s), float(abs(d)))
        for r, s, d in zip(root, slope, step, strict=True)
    ]
