"""The law of two filtered Poisson trains on a grid.

With y_i = (x_i − R_i)/√(R_i/2τ_i) of unit variance, the part of the fluctuation that moves v at a
potential V* is Y = c_E y_E + c_I y_I, and Z = −c_I y_E + c_E y_I is what is left. Y stands on a
grid with finite differences, Z on the Gauss nodes of its own law with polynomials: a function of
(Y, Z) is an array (n_Y, M), flattened. With one node, Z is replaced by its mean.
"""

from dataclasses import dataclass
from math import comb, factorial

import numpy as np

_TAYLOR = 6  # terms of a jump that is short beside the grid
_TILTS = np.geomspace(1e-2, 60, 120)
_U, _W = (np.polynomial.legendre.leggauss(40) * np.array([[0.5], [0.5]])) + np.array([[0.5], [0.0]])


@dataclass(frozen=True)
class Synapses:
    """Grid and generator.

    Attributes
    ----------
    Y, Z : ndarray, shape (n_Y M,)
        Nodes of the product grid.
    c : tuple of float
        Weights of y_E and y_I in Y.
    G : ndarray, shape (n_Y M, n_Y M)
        Generator of (Y, Z) for functions of the starting point (1/s).
    """

    Y: np.ndarray
    Z: np.ndarray
    c: tuple
    G: np.ndarray

    def velocity(self, membrane):
        """dv/dt as a function of v: shape of v, and the states last."""

        def u(v):
            y_E, y_I = membrane.amplitudes(v)
            along, across = y_E * self.c[0] + y_I * self.c[1], y_I * self.c[0] - y_E * self.c[1]
            return (
                membrane.drift(v)[..., None]
                + along[..., None] * self.Y
                + across[..., None] * self.Z
            )

        return u


def trains_along(c, rates, taus):
    """(R, jump of Y, jump of Z, τ) of the trains that fire at all."""
    found = []
    for R, tau, y, z in zip(rates, taus, c, (-c[1], c[0]), strict=True):
        if R > 0:
            size = np.sqrt(2 / (R * tau))
            found.append((R, y * size, z * size, tau))
    return found


def discretised(c, rates, taus, y, M):
    """The generator on nodes `y` of Y and M Gauss nodes of Z."""
    trains = trains_along(c, rates, taus)
    z = nodes_of_Z(trains, M)
    return Synapses(np.repeat(y, M), np.tile(z, len(y)), c, generator(y, z, c, taus, trains))


def unlikely(trains, y):
    """Exponent of Chernoff's bound on P(Y > y), y > 0."""
    return max(0.0, float(np.max(_TILTS * y - _log_mgf(trains, 1))))


def reach(trains, exponent, sign):
    """How far Y strays: where Chernoff's bound on the tail of that sign is e^-exponent."""
    return sign * float(np.min((_log_mgf(trains, sign) + exponent) / _TILTS))


def _log_mgf(trains, sign):
    total = np.zeros_like(_TILTS)
    for R, y, _, tau in trains:
        x = np.minimum(sign * y * _TILTS, 500)[:, None]
        inner = np.where(x < -500, 0, np.expm1(np.maximum(x, -500) * _U)) - x * _U
        total = total + R * tau * np.sum(_W * inner / _U, axis=1)
    return total


class TooMany(Exception):
    """A grid of more nodes than asked for."""


def grid(low, high, center, widest, narrowest, most):
    """Nodes with the centre halfway between two of them; TooMany if that takes too many."""
    y = np.linspace(low, high, 4001)
    # on the way up to the threshold everything changes as e^(y²/2)
    climb = np.clip(y, 0, max(center, 0))
    density = np.sqrt(1 + (climb / 1.5) ** 2) / np.sqrt(1 + np.maximum(-y - 1.5, 0) ** 2)
    density = density / widest + 1 / narrowest / (1 + ((y - center) / 0.7) ** 2)
    total = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(y))])
    if not total[-1] < most + 1:
        raise TooMany
    offset = (np.interp(center, y, total) - 0.5) % 1 if low < center < high else 0.0
    nodes = np.interp(np.arange(offset, total[-1], 1.0), total, y)
    if len(nodes) < 12:  # the widest stencil, and some
        nodes = np.linspace(low, high, 12)
    return nodes


def nodes_of_Z(trains, M):
    """Gauss nodes of the law of Z, from its cumulants Σ R τ j^n/n."""
    if M == 1:
        return np.zeros(1)
    n = 2 * M
    cumulants = [0.0, 0.0] + [
        sum(R * tau * z**k / k for R, _, z, tau in trains) for k in range(2, n)
    ]
    if cumulants[2] < 1e-12:
        return np.polynomial.hermite_e.hermegauss(M)[0]
    moments = [1.0]
    for k in range(1, n):
        moments.append(
            sum(comb(k - 1, j - 1) * cumulants[j] * moments[k - j] for j in range(1, k + 1))
        )
    moments.append(0.0)  # not used: the last diagonal needs moment 2M − 1 only
    # Chebyshev's algorithm: recurrence coefficients from moments, fine for so few of them
    alpha, beta = np.zeros(M), np.zeros(M)
    previous, current = np.zeros(n), np.array(moments[:n])
    alpha[0], beta[0] = moments[1], 1.0
    for k in range(1, M):
        following = np.zeros(n)
        for j in range(k, n - k):
            following[j] = current[j + 1] - alpha[k - 1] * current[j] - beta[k - 1] * previous[j]
        alpha[k] = following[k + 1] / following[k] - current[k] / current[k - 1]
        beta[k] = following[k] / current[k - 1]
        previous, current = current, following
    off = np.sqrt(beta[1:])
    return np.linalg.eigvalsh(np.diag(alpha) + np.diag(off, 1) + np.diag(off, -1))


def generator(Y, Z, c, taus, trains):
    """The generator of (Y, Z)."""
    c_E, c_I = c
    k_E, k_I = 1 / taus[0], 1 / taus[1]
    YY, ZZ, YZ = c_E**2 * k_E + c_I**2 * k_I, c_I**2 * k_E + c_E**2 * k_I, c_E * c_I * (k_I - k_E)
    n, M = len(Y), len(Z)
    one_Y, one_Z = np.eye(n), np.eye(M)
    dZ = _polynomial_derivative(Z)
    powers = [one_Z]
    for _ in range(_TAYLOR):
        powers.append(powers[-1] @ dZ)
    y, z = np.repeat(Y, M), np.tile(Z, n)
    drift_Y, drift_Z = -YY * y - YZ * z, -ZZ * z - YZ * y
    G = np.zeros((n * M, n * M))
    h = np.diff(Y).min()
    derivatives = None
    for R, j_Y, j_Z, _ in trains:
        if abs(j_Y) < h:
            if derivatives is None:
                derivatives = _derivatives(Y)
            for k in range(_TAYLOR + 1):
                for m in range(min(_TAYLOR + 1 - k, M)):
                    if k + m >= 2:
                        size = R * j_Y**k * j_Z**m / factorial(k) / factorial(m)
                        G += size * np.kron(derivatives[k], powers[m])
        else:
            shift_Z = sum(j_Z**m / factorial(m) * powers[m] for m in range(M))
            G += R * (np.kron(_shift(Y, j_Y), shift_Z) - np.eye(n * M))
            drift_Y = drift_Y - R * j_Y
            drift_Z = drift_Z - R * j_Z
    up, down = _upwind(Y, 1), _upwind(Y, -1)
    G += np.maximum(drift_Y, 0)[:, None] * np.kron(up, one_Z)
    G += np.minimum(drift_Y, 0)[:, None] * np.kron(down, one_Z)
    if M > 1:
        G += drift_Z[:, None] * np.kron(one_Y, dZ)
    return G


def _weights(nodes, x, derivative):
    """Finite-difference weights for rows of nodes (n, k) at points x (n,)."""
    k = nodes.shape[1]
    scale = np.ptp(nodes, axis=1)[:, None]
    t = (nodes - x[:, None]) / scale
    V = t[:, None, :] ** np.arange(k)[None, :, None]
    rhs = np.zeros((len(x), k, 1))
    rhs[:, derivative, 0] = factorial(derivative)
    return np.linalg.solve(V, rhs)[..., 0] / scale**derivative


def _scatter(n, first, weights):
    D = np.zeros((n, n))
    columns = first[:, None] + np.arange(weights.shape[1])
    D[np.arange(len(first))[:, None], columns] = weights
    return D


def _derivatives(Y, width=7):
    """Derivatives 0 to 6 on the nearest nodes; low order at the ends, where little happens."""
    n, all_ = len(Y), [np.eye(len(Y))]
    first = np.clip(np.arange(n) - width // 2, 0, n - width)
    for k in range(1, _TAYLOR + 1):
        D = _scatter(n, first, _weights(Y[first[:, None] + np.arange(width)], Y, k))
        for i in (*range(width // 2), *range(n - width // 2, n)):
            D[i] = 0
            half = min(i, n - 1 - i)
            near = 1 if half == 0 else half
            start = int(np.clip(i - near, 0, n - 2 * near - 1))
            if k <= 2 * near:
                some = Y[None, start : start + 2 * near + 1]
                D[i, start : start + 2 * near + 1] = _weights(some, Y[i : i + 1], k)
        all_.append(D)
    return all_


def _upwind(Y, sign, width=7, back=2):
    """First derivative looking mostly to the side given by sign."""
    n = len(Y)
    first = np.arange(n) - back if sign > 0 else np.arange(n) - (width - 1 - back)
    first = np.clip(first, 0, n - width)
    return _scatter(n, first, _weights(Y[first[:, None] + np.arange(width)], Y, 1))


def _shift(Y, jump, width=6):
    """f(Y) → f(Y + jump), held at the ends."""
    x = np.clip(Y + jump, Y[0], Y[-1])
    first = np.clip(np.searchsorted(Y, x, side="right") - width // 2, 0, len(Y) - width)
    return _scatter(len(Y), first, _weights(Y[first[:, None] + np.arange(width)], x, 0))


def _polynomial_derivative(Z):
    M = len(Z)
    if M == 1:
        return np.zeros((1, 1))
    return _weights(np.broadcast_to(Z, (M, M)), Z, 1)
