"""White noise by quadrature: an independent answer for ``noise="diffusion"`` and ``"effective"``.

With Ψ' = −2A/B² the mean time from the reset to the threshold is the integral over v of

    u(v) = ∫ from −∞ to v of 2/B²(y) e^(Ψ(v) − Ψ(y)) dy,

and so are its variance and the time that v spends anywhere, with other functions of y under the
integral. Cells are so small that Ψ changes little within one; in each, polynomials through Gauss's
nodes are integrated. Nothing is subtracted.
"""

import math

import numpy as np

from .jump_chain import FIELDS, Answer

NODES = 10
FARTHEST = 1e7  # sds
DEEPEST = 70.0  # of Ψ above its minimum below the reset: e^-70 of what is below is left out


def _rule():
    """Gauss's nodes on [0, 1], weights, and integrals from 0 to each node of the interpolant."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    powers = np.linalg.inv(np.polynomial.legendre.legvander(x, NODES - 1))
    upto = np.array(
        [
            np.polynomial.legendre.legval(x, np.polynomial.legendre.legint(row, lbnd=-1))
            for row in np.eye(NODES)
        ]
    ).T
    return (x + 1) / 2, w / 2, upto @ powers / 2


X, W, UPTO = _rule()


def solve(neuron, edges=(), frozen_at=None):
    """The answer for a neuron under white noise.

    Parameters
    ----------
    neuron : random_neurons.Neuron
    edges : sequence of float
        Of bins of v in mV.
    frozen_at : float, optional
        Where B² is taken, in mV; at every v if not given.

    Returns
    -------
    jump_chain.Answer
        The standard error is the difference to half as many cells.
    """
    (coarse, some), (fine, shares) = (_solved(neuron, edges, frozen_at, n) for n in (1, 2))
    sem = np.maximum(np.abs(fine - coarse), 1e-11 * np.abs(fine))
    found = dict(zip(FIELDS, map(float, fine), strict=True))
    return Answer(
        found, dict(zip(FIELDS, map(float, sem), strict=True)), shares, abs(shares - some)
    )


def _solved(neuron, edges, frozen_at, refined):
    def drift_and_noise(v):
        A, B2 = neuron.drift_and_noise(v)
        return (A, B2) if frozen_at is None else (A, neuron.drift_and_noise(frozen_at)[1] + 0 * v)

    inside = [edge for edge in edges if edge < neuron.theta]
    at = _cells(drift_and_noise, neuron, [neuron.theta, neuron.V_r, *inside], refined)
    width = np.diff(at)
    v = at[:-1, None] + width[:, None] * X
    A, B2 = drift_and_noise(v)
    slope = -2 * A / B2
    rise = width[:, None] * (slope @ UPTO.T)  # of Ψ since the start of the cell
    whole = width * (slope @ W)
    after = (v > neuron.V_r) * width[:, None] * W

    def along(source, start):
        """y' = Ψ'y + source at the nodes, from its value at the lowest end."""
        grown = source * np.exp(-rise)
        total = np.exp(whole) * width * (grown @ W)
        begins, y = np.empty(width.size), start
        for k, (factor, add) in enumerate(zip(np.exp(whole), total, strict=True)):
            begins[k] = y
            y = factor * y + add
        return np.exp(rise) * (begins[:, None] + width[:, None] * (grown @ UPTO.T))

    def spent(f):  # mean of the integral of f over the time to the threshold
        first = f(at[0]) / drift_and_noise(at[0])[0]
        return np.sum(after * along(2 * f(v) / B2, first))

    u = along(2 / B2, 1 / drift_and_noise(at[0])[0])
    T = np.sum(after * u)
    scaled = u / u.max()
    start = scaled[0, 0] ** 2 / abs(slope[0, 0])
    deviation = math.sqrt(2 * np.sum(after * along(scaled**2, start))) * u.max()
    interval = neuron.tau_rp + T
    mean = at[0] + spent(lambda y: y - at[0]) / T
    sd = math.sqrt(spent(lambda y: (y - mean) ** 2) / T)
    pairs = zip(edges[:-1], edges[1:], strict=True)
    shares = [spent(lambda y, a=a, b=b: ((y > a) & (y < b)) * 1.0) / T for a, b in pairs]
    return np.array([1e3 / interval, deviation / interval, mean, sd]), np.array(shares)


def _cells(drift_and_noise, neuron, fixed, refined):
    """Ends of cells in which Ψ changes by half or less, from deep below up to the threshold."""
    top = neuron.theta
    A, B2 = drift_and_noise(np.float64(top))
    scale = math.sqrt(B2 * neuron.tau_L)  # of v; shorter where the drift holds v tighter
    down, v, psi, lowest = [top], top, 0.0, math.inf
    while v > min(neuron.V_r, neuron.E_L) - FARTHEST * scale:
        A, B2 = drift_and_noise(np.float64(v))
        near = 0.1 * math.sqrt(B2 / (abs(A) / scale + 1 / neuron.tau_L))
        step = min(0.5 / (2 * abs(A) / B2 + 1e-300), near, 0.05 * (top - v + scale)) / refined
        v -= step
        psi += step * 2 * A / B2
        lowest = psi if v + step > neuron.V_r else min(lowest, psi)  # from the reset down
        down.append(v)
        if psi - lowest > DEEPEST and v < min(fixed):
            break
    ends = np.array(sorted({*down, *(x for x in fixed if down[-1] < x < top)}))
    return ends[np.append(np.diff(ends) > 1e-13 * abs(top), True)]
