"""Stationary firing of a neuron in the space of v and its synaptic state.

For functions T of the starting point, with u = dv/dt,

    u ∂T/∂v + G T = −f,    T = 0 at the threshold where u > 0,

is solved by a discontinuous Galerkin method in v (Gauss nodes, values taken from where the
characteristic goes) and eliminated cell by cell from the bottom.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm, lu_factor, lu_solve


@dataclass(frozen=True)
class Stationary:
    """SI; v statistics exclude the refractory time."""

    rate: float
    cv: float
    v_mean: float
    v_sd: float
    edges: np.ndarray
    lowest: float  # share of time, or of the variance of v, that is due to the lowest cell
    mass: np.ndarray  # probability at the Gauss nodes of every cell, shape (C, Q); None if unasked


def graded(V_lo, threshold, mu, sd, layer):
    """How far below the threshold how many cells are due: fine there, sd apart where v is."""
    depth = np.concatenate([[0], np.geomspace(1e-4 * layer, threshold - V_lo, 4000)])
    near = np.abs(threshold - depth - mu) / sd
    density = 1 / (layer + 0.6 * depth) + 1 / (sd * (1.2 + 0.4 * np.maximum(near - 2, 0) ** 1.5))
    total = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(depth))])
    return depth, total


def cells(depth, total, reset, threshold, count):
    """Edges of cells so graded, one of them the reset, and how many cells are below it."""
    at_reset = np.interp(threshold - reset, depth, total)
    above = int(np.clip(round(count * at_reset / total[-1]), 4, count - 2))
    parts = np.concatenate(
        [
            np.linspace(0, at_reset, above + 1),
            np.linspace(at_reset, total[-1], count - above + 1)[1:],
        ]
    )
    edges = threshold - np.interp(parts, total, depth)
    edges[0], edges[above], edges[-1] = threshold, reset, threshold - depth[-1]
    return edges[::-1], count - above


def gauss(Q):
    """Nodes and weights on [0, 1], derivative matrix, values of the polynomials at 0 and 1."""
    x, w = np.polynomial.legendre.leggauss(Q)
    x, w = (x + 1) / 2, w / 2
    powers = np.arange(Q)
    inverse = np.linalg.inv(x[:, None] ** powers)
    slope = np.where(powers > 0, powers * x[:, None] ** np.maximum(powers - 1, 0), 0.0)
    return x, w, slope @ inverse, (0.0**powers) @ inverse, np.ones(Q) @ inverse


class Eliminated:
    """The operator, eliminated from the lowest cell up."""

    def __init__(self, edges, first, velocity, G, Q=3):
        self.edges, self.first, self.Q, self.B = edges, first, Q, len(G)
        x, w, D, low, top = gauss(Q)
        self.nodes = edges[:-1, None] + np.diff(edges)[:, None] * x
        self.low, self.top, self.weights = low, top, w
        B, C = self.B, len(edges) - 1
        u_nodes = velocity(self.nodes)  # (C, Q, B)
        u_edges = velocity(edges)  # (C + 1, B)
        # nothing leaves through the bottom
        ramp = x[:, None]
        u_nodes[0] = np.where(u_nodes[0] < 0, u_nodes[0] * ramp, u_nodes[0])
        u_edges[0] = np.maximum(u_edges[0], 0)
        self.up = [np.flatnonzero(u > 0) for u in u_edges]
        self.down = [np.flatnonzero(u <= 0) for u in u_edges]
        self.u_top = u_edges[-1]
        self.lu, self.X, self.below = [], [], [None]
        everything = np.arange(B)
        reflection = None
        for c in range(C):
            h = edges[c + 1] - edges[c]
            A = np.zeros((Q, B, Q, B))
            for q in range(Q):
                A[q, :, q, :] = G
                for r in range(Q):
                    A[q, everything, r, everything] += D[q, r] / h * u_nodes[c, q]
                    P, N = self.up[c + 1], self.down[c]
                    A[q, P, r, P] -= top[q] * top[r] / (h * w[q]) * u_edges[c + 1][P]
                    A[q, N, r, N] += low[q] * low[r] / (h * w[q]) * u_edges[c][N]
            if c > 0:
                # what comes back from below of what goes down
                N, P = self.down[c], self.up[c]
                back = -u_edges[c][N][:, None] * reflection
                self.below.append(-u_edges[c][N])
                for q in range(Q):
                    for r in range(Q):
                        A[q, N[:, None], r, P] += low[q] * low[r] / (h * w[q]) * back
            lu = lu_factor(A.reshape(Q * B, Q * B), overwrite_a=True, check_finite=False)
            P = self.up[c + 1]
            rhs = np.zeros((Q, B, len(P)))
            for q in range(Q):
                rhs[q, P, np.arange(len(P))] = -top[q] / (h * w[q]) * u_edges[c + 1][P]
            X = lu_solve(lu, rhs.reshape(Q * B, -1), check_finite=False).reshape(Q, B, -1)
            self.lu.append(lu)
            self.X.append(X)
            if c < C - 1:
                reflection = np.tensordot(top, X, 1)[self.down[c + 1]]

    def solve(self, f):
        """T of shape (C, Q, B, k) for sources f of that shape."""
        C, Q, B, k = f.shape
        low, top = self.low, self.top
        parts, from_below = [], None
        for c in range(C):
            rhs = -f[c].copy()
            if c > 0:
                h, N = self.edges[c + 1] - self.edges[c], self.down[c]
                for q in range(Q):
                    rhs[q, N] -= (
                        low[q] / (h * self.weights[q]) * self.below[c][:, None] * from_below
                    )
            s = lu_solve(self.lu[c], rhs.reshape(Q * B, k), check_finite=False).reshape(Q, B, k)
            parts.append(s)
            if c < C - 1:
                from_below = np.tensordot(top, s, 1)[self.down[c + 1]]
        T = np.empty_like(f)
        T[-1] = parts[-1]
        for c in range(C - 2, -1, -1):
            above = np.tensordot(low, T[c + 1], 1)[self.up[c + 1]]
            T[c] = parts[c] + self.X[c] @ above
        return T

    def exits(self):
        """Probability to leave through each of the upward states at the threshold, at the reset."""
        value = self.X[-1]
        for c in range(len(self.X) - 2, self.first - 2, -1):
            kept = value
            above = np.tensordot(self.low, value, 1)[self.up[c + 1]]
            value = self.X[c] @ above
        return self._at(np.tensordot(self.top, value, 1), np.tensordot(self.low, kept, 1))

    def at_reset(self, T):
        """T where a spike restarts v, shape (B, k)."""
        k = self.first
        return self._at(np.tensordot(self.top, T[k - 1], 1), np.tensordot(self.low, T[k], 1))

    def _at(self, below, above):
        value = below.copy()
        value[self.up[self.first]] = above[self.up[self.first]]
        return value

    def occupation(self, pi):
        """Mean time spent at every node when v starts from the reset with law pi: (C, Q, B)."""
        C, Q, B = len(self.lu), self.Q, self.B
        b = np.zeros((C, Q, B))
        k, P, N = self.first, self.up[self.first], self.down[self.first]
        for q in range(Q):
            b[k, q, P] += self.low[q] * pi[P]
            b[k - 1, q, N] += self.top[q] * pi[N]
        for c in range(1, C):
            sent = np.einsum("qbp,qb->p", self.X[c - 1], b[c - 1])
            for q in range(Q):
                b[c, q, self.up[c]] += self.low[q] * sent
        w = np.empty_like(b)
        for c in range(C - 1, -1, -1):
            rhs = -b[c]
            if c < C - 1:
                h, N = self.edges[c + 2] - self.edges[c + 1], self.down[c + 1]
                flow = np.einsum("q,qn->n", self.low / (h * self.weights), w[c + 1][:, N])
                flow = flow * self.below[c + 1]
                for q in range(Q):
                    rhs[q, N] -= self.top[q] * flow
            w[c] = lu_solve(self.lu[c], rhs.ravel(), trans=1, check_finite=False).reshape(Q, B)
        return w


def stationary(edges, first, velocity, G, tau_rp, Q=3, density=False):
    """Everything about a neuron whose spikes reset v and leave the synapses alone."""
    done = Eliminated(edges, first, velocity, G, Q)
    C, B = len(edges) - 1, len(G)
    ref = edges[first]
    x = done.nodes - ref
    f = np.ones((C, Q, B, 5))
    f[..., 1], f[..., 2] = x[..., None], x[..., None] ** 2
    f[..., 3:] = f[..., [0, 2]]
    f[1:, ..., 3:] = 0
    T = done.solve(f)
    T2 = done.solve(2 * T[..., :1])
    at = done.at_reset(T)
    second = done.at_reset(T2)[:, 0]
    leave = done.exits()
    held = expm(G * tau_rp) if tau_rp > 0 else np.eye(B)
    pi = _invariant(leave @ held[done.up[-1]])
    mean, *parts = pi @ at
    period = tau_rp + mean
    v1, v2, spent, square = (part / mean for part in parts)
    variance = max(v2 - v1**2, 0.0)
    mass = None
    if density:
        mass = done.occupation(pi).sum(2) / mean
    return Stationary(
        1 / period,
        np.sqrt(max(pi @ second - mean**2, 0.0)) / period,
        ref + v1,
        np.sqrt(variance),
        edges,
        max(abs(spent), abs(square) / max(variance, 1e-300)),
        mass,
    )


def _invariant(step):
    """pi = pi step, of sum one."""
    n = len(step)
    if not np.isfinite(step).all():
        return np.full(n, np.nan)  # LAPACK would print that it was given them
    system = np.vstack([step.T - np.eye(n), np.ones(n)])
    rhs = np.append(np.zeros(n), 1.0)
    pi = np.linalg.lstsq(system, rhs, rcond=None)[0]
    return pi / pi.sum()


def density(found, v):
    """Density of v (1/V) from the masses at Gauss nodes, of the shape of `v`."""
    edges, mass = found.edges, found.mass
    Q = mass.shape[1]
    x, w, *_ = gauss(Q)
    h = np.diff(edges)
    inverse = np.linalg.inv(x[:, None] ** np.arange(Q))
    asked = np.asarray(v, float)
    k = np.clip(np.searchsorted(edges, asked, side="right") - 1, 0, len(h) - 1)
    t = (asked - edges[k]) / h[k]
    coefficients = (mass / w / h[:, None]) @ inverse.T
    p = np.sum(coefficients[k] * t[..., None] ** np.arange(Q), axis=-1)
    return np.where((asked >= edges[0]) & (asked <= edges[-1]), np.maximum(p, 0.0), 0.0)
