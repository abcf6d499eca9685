"""Input received within a bin of time by neurons that do not fire in it.

A neuron starts a bin anywhere outside its refractory time. With dv = A dt + B dW and an input
dI = m dt + noise that has the variance c dt and the same covariance with v, the densities of v
weighted with 1, I and I² of the neurons that have not fired obey

    q₀' = L q₀,    q₁' = L q₁ + m q₀ − ∂(c q₀),    q₂' = L q₂ + 2 m q₁ − 2 ∂(c q₁) + c q₀,

L being the Fokker-Planck operator with the threshold absorbing and no reset.
"""

import numpy as np
from scipy.sparse import diags_array, eye_array, kron
from scipy.sparse.linalg import splu

from ..neuron.white.collocation import radau

_RAREST = 1e-6  # share of bins without spike below which they say nothing
_STEPS, _ORDER = 8, 5  # of one bin: L-stable, since the cells near the threshold may be tiny


def moments(edges, fields, start, inputs, width):
    """Mean and standard deviation of inputs, as rates.

    Parameters
    ----------
    edges : ndarray, shape (n + 1,)
        Cells in v, the last one at the threshold; in V.
    fields : tuple of callable
        A and B² for arrays of shape (1, m).
    start : callable
        Density of v when a bin starts, of ``v`` of any shape.
    inputs : sequence of tuple of callable
        (m, c) of each input, V/s and V²/s.
    width : float
        Of a bin, s.

    Returns
    -------
    mean, sd : ndarray
        One for each input, V/s; NaN where practically every neuron fires within a bin.
    """
    h = np.diff(edges)
    v = (edges[1:] + edges[:-1]) / 2
    between = edges[1:-1]
    gap = np.diff(v)
    A, B2 = (np.broadcast_to(f(between[None]), (1, between.size))[0] for f in fields)
    # exponentially fitted fluxes (Scharfetter and Gummel 1969): right for any drift over noise
    rise = -2 * A / np.maximum(B2, 1e-300) * gap
    half = np.broadcast_to(fields[1](v[None]), (1, v.size))[0] / 2
    out, back = _bernoulli(rise) / gap, _bernoulli(-rise) / gap
    A_top, B2_top = (float(np.ravel(f(edges[None, -1:]))[0]) for f in fields)
    last = _bernoulli(-A_top / max(B2_top, 1e-300) * h[-1]) * 2 / h[-1]
    leaves, comes = np.append(out, last) * half / h, np.append(0.0, back) * half / h
    L = diags_array(
        [-leaves - comes, (out * half[:-1]) / h[1:], (back * half[1:]) / h[:-1]],
        offsets=[0, -1, 1],
        format="csr",
    )
    p = start(v)
    p /= p @ h
    C = radau(_ORDER)[1] * (width / _STEPS)
    lu = splu((eye_array(_ORDER * p.size) - kron(C, L)).tocsc())

    def along(begin, source):
        """Densities at the nodes of one step, from the start of it."""
        right = begin + C @ source
        return lu.solve(right.ravel()).reshape(_ORDER, -1)

    inputs = [[np.broadcast_to(f(v[None]), (1, v.size))[0] for f in pair] for pair in inputs]
    slopes = [_slope(c, h) for _, c in inputs]
    q0 = p
    first, second = [[np.zeros(p.size) for _ in inputs] for _ in range(2)]
    for _ in range(_STEPS):
        zeroth = along(q0, np.zeros((_ORDER, p.size)))
        for k, ((m, c), slope) in enumerate(zip(inputs, slopes, strict=True)):
            one = along(first[k], m * zeroth - (slope @ zeroth.T).T)
            two = along(second[k], 2 * (m * one - (slope @ one.T).T) + c * zeroth)
            first[k], second[k] = one[-1], two[-1]
        q0 = zeroth[-1]
    if q0 @ h < _RAREST:
        return np.full((2, len(inputs)), np.nan)
    mean = np.array([q @ h for q in first]) / (q0 @ h)
    square = np.array([q @ h for q in second]) / (q0 @ h)
    return mean / width, np.sqrt(np.maximum(square - mean**2, 0.0)) / width


def _slope(c, h):
    """∂(c q) by the fluxes c q through the edges of the cells; none through the outermost."""
    near = h / 2
    weight = near[1:] / (near[1:] + near[:-1])  # of the lower cell, by distance
    lower, upper = np.append(weight, 0.0) * c, np.append(0.0, 1 - weight) * c
    flux_out = diags_array([lower, upper[1:]], offsets=[0, 1], format="csr")
    flux_in = diags_array([np.append(0, 1 - weight) * c, lower[:-1]], offsets=[0, -1], format="csr")
    return diags_array(1 / h) @ (flux_out - flux_in)


def _bernoulli(x):
    """x/(e^x − 1)."""
    x = np.clip(x, -700, 700)
    small = np.abs(x) < 1e-5
    safe = np.where(small, 1.0, x)
    return np.where(small, 1 - x / 2, safe / np.expm1(safe))
