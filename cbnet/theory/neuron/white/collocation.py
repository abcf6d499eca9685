"""Linear equations y' = Ψ' y + 2s/B² on panels, with the nodes of Radau IIA collocation."""

import functools

import numpy as np
from scipy.special import roots_jacobi

from .panels import evaluated, slope

# Below this fall of Ψ inside one panel e^-Ψ is no longer close to a polynomial.
_STIFF = -5.0
_FEW = 100  # stiff panels: numpy's calls then cost more than inverse matrices


@functools.cache
def radau(n):
    """Nodes in (0, 1], integration matrix, its inverse, and weights of Radau IIA."""
    legendre = np.polynomial.legendre
    x = np.append(roots_jacobi(n - 1, 1, 0)[0] if n > 1 else [], 1.0)
    integrals = np.stack(
        [legendre.legval(x, legendre.legint(row, lbnd=-1)) for row in np.eye(n)], 1
    )
    C = np.linalg.solve(legendre.legvander(x, n - 1).T, integrals.T).T / 2
    return (x + 1) / 2, C, np.linalg.inv(C), C[-1]


class Operator:
    """The equation y' = Ψ' y + 2s/B² on every panel: y = g0(s) + g1 times y at its start."""

    def __init__(self, A, B2, h, order, width):
        _, self._C, C_inverse, self._b = radau(order)
        self._h, self._half = h, B2 / 2
        s = slope(A, B2, width)
        psi = self._integral(s)
        self._stiff = np.nonzero(psi[..., -1] < _STIFF)
        psi[self._stiff] = 0
        # the middle of a deep climb may hold a panel of any height, which nothing depends on
        self.g1 = np.exp(np.minimum(psi, 600.0))
        # s (B²/2)⁻¹ e^-Ψ; noise may vanish at the edge of the domain
        self._weight = 1 / (np.maximum(self._half, 5e-41 * width**2) * self.g1)
        if self._stiff[0].size:
            self._factor(A[self._stiff], C_inverse)

    def _factor(self, drift, C_inverse):
        """LU of (B²/2h) C⁻¹ + A in all stiff panels at once, the panels along the last axis.

        Where the drift is not negative, as it is where Ψ falls, a diagonal matrix times this one
        has a positive symmetric part (Radau IIA is algebraically stable): no pivots are needed.
        """
        scale = (self._half[self._stiff] / self._h[self._stiff][:, None]).T
        matrix = scale[:, None] * C_inverse[:, :, None]
        diagonal = np.arange(len(scale))
        matrix[diagonal, diagonal] += drift.T
        few = len(drift) <= _FEW
        self._mixed = np.arange(len(drift)) if few else np.flatnonzero((drift < 0).any(1))
        self._inverse, self._lu = None, None
        if self._mixed.size:
            self._inverse = np.linalg.inv(matrix[:, :, self._mixed].transpose(2, 0, 1))
        if not few:
            matrix[:, :, self._mixed] = np.eye(len(scale))[:, :, None]
            for k in diagonal[:-1]:
                rest = slice(k + 1, None)
                matrix[rest, k] /= matrix[k, k]
                matrix[rest, rest] -= matrix[rest, k, None] * matrix[k, rest]
            self._lu = matrix
        self.g1[self._stiff] = self._solved(scale * C_inverse.sum(1)[:, None])

    def _solved(self, right):
        """y at the nodes of stiff panels, shape (panels, nodes), from sources (nodes, panels)."""
        if self._lu is None:
            return (self._inverse @ right.T[..., None])[..., 0]
        y = right.copy()
        last = len(y) - 1
        for k in range(last):
            y[k + 1 :] -= self._lu[k + 1 :, k] * y[k]
        for k in range(last, -1, -1):
            y[k] /= self._lu[k, k]
            y[:k] -= self._lu[:k, k] * y[k]
        if self._inverse is not None:
            y[:, self._mixed] = (self._inverse @ right.T[self._mixed][..., None])[..., 0].T
        return y.T

    def _integral(self, f):
        return (f @ self._C.T) * self._h[..., None]

    def g0(self, source):
        out = self._integral(source * self._weight) * self.g1
        if self._stiff[0].size:
            out[self._stiff] = self._solved(source[self._stiff].T)
        return out

    def along(self, source, start):
        """y at all nodes, from its value where the first panel starts."""
        g0 = self.g0(source)
        begin = np.empty(g0.shape[:-1])
        y, end0, end1 = start, g0[..., -1], self.g1[..., -1]
        for k in range(begin.shape[1]):
            begin[:, k] = y
            y = end0[:, k] + end1[:, k] * y
        g0 += self.g1 * begin[..., None]
        return g0

    def total(self, y, first):
        """Integral of y from panel `first` of each row on."""
        per_panel = (y @ self._b) * self._h
        per_panel[np.arange(y.shape[1]) < first[:, None]] = 0
        return per_panel.sum(1)


# What underflows belongs to places that a neuron does not reach.
@np.errstate(under="ignore")
def statistics(fields, panels, order, tau_rp, cv, moments, tail=(1.0, 1.0, 1.0)):
    """Rate, CV, mean and sd of v on given panels: array of shape (4, n).

    `tail` multiplies what starts at the lower end for the density and two moments, below which it
    is as it is where the drift decides.
    """
    edges, first = panels.edges, panels.first
    n = len(edges)
    row = np.arange(n)
    h = np.diff(edges)
    v = edges[:, :-1, None] + h[..., None] * radau(order)[0]
    flat = v.reshape(n, -1)
    A, B2 = (y.reshape(v.shape) for y in evaluated(fields, flat))
    V_r = edges[row, first]
    operator = Operator(A, B2, h, order, (edges[:, -1] - V_r)[:, None, None])
    # times are in units of e^barrier: those of silent neurons overflow otherwise
    unit = np.exp(-np.where(panels.barrier > 30, panels.barrier, 0.0))
    low = edges[:, :1]
    A_low, B2_low = (y[:, 0] for y in evaluated(fields, low))
    inverse = np.divide(1, A_low, out=np.zeros(n), where=A_low > 0)
    u = operator.along(np.broadcast_to(unit[:, None, None], v.shape), unit * inverse * tail[0])
    T = operator.total(u, first)
    out = np.full((4, n), np.nan)
    period = tau_rp * unit + T
    out[0] = unit / period
    if cv:
        half = B2 / 2
        w = operator.along(half * u * u, B2_low / 2 * inverse * (unit * inverse) ** 2)
        # rounding may leave a variance of no noise below zero
        out[1] = np.sqrt(2 * np.maximum(operator.total(w, first), 0)) / period
    if moments:
        shifted = (v - V_r[:, None, None]) * unit[:, None, None]
        y = operator.along(shifted, (low[:, 0] - V_r) * unit * inverse * tail[1])
        mean = V_r + operator.total(y, first) / T
        squared = (v - mean[:, None, None]) ** 2 * unit[:, None, None]
        y = operator.along(squared, (low[:, 0] - mean) ** 2 * unit * inverse * tail[2])
        out[2] = mean
        out[3] = np.sqrt(np.maximum(operator.total(y, first) / T, 0))
    return out


def interpolate(values, local, points):
    """Rows of nodal values on one panel each, at one place each (barycentric)."""
    differences = points[:, None] - points + np.eye(len(points))
    weights = 1 / np.prod(differences, 1)
    gap = local[:, None] - points
    hit = gap == 0
    q = weights / np.where(hit, 1.0, gap)
    q = np.where(hit.any(1, keepdims=True), hit, q)
    return (q * values).sum(1) / q.sum(1)
