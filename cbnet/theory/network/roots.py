"""Every root of ν = Φ(ν), for one rate and for two."""

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


def all_roots_in_the_plane(phi, lowest, highest, rtol):
    """Roots of (x, y) = Φ(x, y) with both rates between `lowest` and the two `highest`.

    A grid in ln x, ln y is narrowed to the cells in which both residuals change sign; Newton's
    method does the rest.

    Parameters
    ----------
    phi : callable
        ``(x, y, rtol) -> (rates, rates)`` for arrays of equal shape.
    lowest : float
        In Hz.
    highest : tuple of float
        In Hz.
    rtol : float
        Relative accuracy of a root.

    Returns
    -------
    list of Root
        The gain is that of x along the nullcline of y.
    """
    start = np.log(lowest)
    counts = [int(np.ceil(np.log10(h / lowest) * 5)) for h in highest]
    sides = [(np.log(h) - start) / n for h, n in zip(highest, counts, strict=True)]
    cells = np.stack(
        np.meshgrid(*(start + s * np.arange(n) for s, n in zip(sides, counts, strict=True))), -1
    ).reshape(-1, 2)
    for parts in (1, 4, 4):
        cells, sides = _subdivide(phi, cells, np.array(sides), parts)
        if not cells.size:
            return []
    return _newton(phi, cells + sides / 2, 3 * sides, start, rtol)


def _residuals(phi, points, rtol):
    x, y = points.T
    rates = phi(np.exp(x), np.exp(y), rtol)
    return np.stack(
        [np.log(np.maximum(r, 1e-300)) - z for r, z in zip(rates, (x, y), strict=True)], -1
    )


def _subdivide(phi, cells, sides, parts):
    """Those sub-cells in which both residuals change sign between corners."""
    offsets = np.stack(np.meshgrid(np.arange(parts), np.arange(parts)), -1).reshape(-1, 2)
    sides = sides / parts
    small = (cells[:, None] + offsets * sides).reshape(-1, 2)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    points = (small[:, None] + corners * sides).reshape(-1, 2)
    # neighbouring cells share corners: evaluate each once
    keys, index = np.unique(np.round(points / sides * 8), axis=0, return_inverse=True)
    first = np.zeros(len(keys), int)
    first[index.ravel()] = np.arange(len(points))
    positive = (_residuals(phi, points[first], _SCAN_RTOL) > 0)[index.ravel()]
    positive = positive.reshape(len(small), 4, 2)
    both = (positive.any(1) & ~positive.all(1)).all(1)
    return small[both], sides


def _newton(phi, start, trust, floor, rtol):
    """Newton's method from every start; what leaves its neighbourhood is no root of it."""
    points, h = start.copy(), 1e-5
    alive = np.ones(len(points), bool)
    for _ in range(20):
        shifted = np.concatenate([points + h * np.array(d) for d in ((0, 0), (1, 0), (0, 1))])
        f, fx, fy = np.split(_residuals(phi, shifted, max(rtol * 1e-2, 1e-12)), 3)
        jacobian = np.stack([(fx - f) / h, (fy - f) / h], -1)
        det = np.linalg.det(jacobian)
        alive &= np.isfinite(det) & (det != 0)
        jacobian[~alive] = np.eye(2)
        step = -np.linalg.solve(jacobian, f[..., None])[..., 0]
        step[~alive] = 0
        points = points + np.clip(step, -1, 1)
        alive &= np.all(np.abs(points - start) <= trust, axis=1) & np.all(points >= floor, axis=1)
        points = np.where(alive[:, None], points, start)
        residual = np.abs(step).max(1)
        if np.all(residual[alive] <= rtol / 4):
            break
    roots = []
    for k in np.flatnonzero(alive & (residual <= rtol / 4)):
        x, y = np.exp(points[k])
        if any(abs(np.log(r.rates[0] / x)) + abs(np.log(r.rates[1] / y)) < 1e-6 for r in roots):
            continue
        # along y's nullcline: 1 - gain = det(I - M) / (1 - M_yy), and the Jacobian is M - I
        gain = 1 + np.linalg.det(jacobian[k]) / jacobian[k][1, 1]
        roots.append(Root((float(x), float(y)), float(gain), float(residual[k])))
    return roots
