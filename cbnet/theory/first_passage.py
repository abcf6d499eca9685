"""First passage to threshold under white noise: rate, CV, voltage moments and density.

For dv = A(v) dt + B(v) dW (Itô) write Ψ' = −2A/B². The mean time T from reset V_r to threshold θ
and its variance are integrals of solutions that start far below the reset,

    u' = Ψ' u + 2/B²,    T = ∫ u dv,        w' = Ψ' w + u²,    Var = 2 ∫ w dv      (V_r to θ),

and the average of f(v) outside the refractory period is ∫ y dv / T with y' = Ψ' y + 2f/B².
All are integrated on panels that follow Ψ, with the nodes of Radau IIA collocation. Where Ψ
changes by a few units within a panel the integrating factor e^Ψ does it without a linear solve;
where Ψ falls steeply (drift beats noise) the equation is stiff and is collocated. No exponential
of more than a few panels is ever formed, so that deep barriers and vanishing noise need no
formula of their own.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ..errors import ConvergenceError, ParameterError
from ._panels import place, slope

# Below this fall of Ψ inside one panel e^-Ψ is no longer close to a polynomial.
_STIFF = -5.0
_ROWS = 4096  # of one batch: enough to spread the cost of a numpy call, few enough for the cache
# Two orders are compared; which ones and on how many panels was found by timing.
_LEVELS = ((1e-6, (6, 9), 1.0), (1e-9, (9, 12), 1.0), (0.0, (11, 14), 1.0))
_REFINEMENTS = (1.0, 1.5, 2.5, 4.0, 8.0)


@dataclass(frozen=True)
class Passage:
    """First-passage statistics of a batch in SI units; NaN where undefined or not asked for.

    Attributes
    ----------
    rate, cv : ndarray, shape (N,)
        Rate in Hz, and CV of the intervals (undefined for a neuron that never fires).
    error : ndarray, shape (N,)
        Estimated relative error, the largest of what was asked for.
    v_mean, v_sd : ndarray, shape (N,)
        Mean and standard deviation of v outside the refractory time, in V.
    """

    rate: np.ndarray
    cv: np.ndarray
    error: np.ndarray
    v_mean: np.ndarray
    v_sd: np.ndarray


def solve(
    drift, noise, threshold, reset, tau_rp, rtol=1e-8, moments=False, *, cv=True, select=None
):
    """Rate and CV of neurons under white noise.

    Parameters
    ----------
    drift, noise : callable
        A(v) in V/s and B²(v) in V²/s. They take an array of shape (N, m), one row a neuron, and
        return one that broadcasts to it. Ignored where `select` is given.
    threshold, reset, tau_rp : float or ndarray, shape (N,)
        In V, V and s; the reset below the threshold.
    rtol : float
        Relative accuracy of every answer that is asked for.
    moments : bool
        Also compute mean and standard deviation of v.
    cv : bool
        Also compute the CV.
    select : callable, optional
        ``rows -> (drift, noise)`` of those rows alone; large batches are much faster with it.

    Returns
    -------
    Passage

    Raises
    ------
    ConvergenceError
        If some neuron's estimated error stays above `rtol`; ``best`` is the Passage.

    Notes
    -----
    Assumes that v has a stationary law: Ψ grows towards −∞, or the noise vanishes somewhere below
    with the drift pointing up. A neuron with a barrier of more than 690 gets the rate 0.

    References
    ----------
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Sec. II and appendices;
    for the collocation E. Hairer and G. Wanner, *Solving ODEs II*, Sec. IV.5.

    Examples
    --------
    >>> from cbnet.theory.first_passage import solve
    >>> found = solve(lambda v: -v / 0.02, lambda v: 0.01**2 / 0.02 + 0 * v, 0.02, 0.01, 0.002)
    >>> round(float(found.rate[0]), 6)
    0.810535
    """
    threshold, reset, tau_rp = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, float)) for x in (threshold, reset, tau_rp))
    )
    N = threshold.size
    if select is None:
        select = _embedding(drift, noise, threshold)
    values, error = np.full((4, N), np.nan), np.full(N, np.inf)
    orders, density = next((o, d) for least, o, d in _LEVELS if rtol >= least)
    reach = _reach(rtol)
    todo = np.arange(N)
    for level, refinement in enumerate(_REFINEMENTS):
        order = [n + 2 * level for n in orders]
        for rows in np.array_split(todo, -(-todo.size // _ROWS)):
            groups, silent = place(
                select, rows, threshold[rows], reset[rows], reach, density * refinement, moments
            )
            for panels in groups:
                some = panels.rows
                rough, fine = (
                    _statistics(select(some), panels, n, tau_rp[some], cv, moments) for n in order
                )
                values[:, some] = fine
                scale = np.abs(fine)
                scale[2:] = _voltage_scale(fine[3], (threshold - reset)[some])
                # Ψ is a sum of rounded numbers: e^Ψ cannot be better than that
                error[some] = 1e-15 * (10 + panels.barrier)
                for a, b, c in zip(rough, fine, scale, strict=True):
                    gap = np.abs(a - b)
                    ratio = np.divide(gap, c, out=np.zeros_like(gap), where=gap > 0)
                    error[some] = np.fmax(error[some], ratio)
            some = silent.rows
            values[0, some], error[some] = 0.0, 0.0
            if moments and some.size:
                values[2, some], values[3, some], error[some] = _held(
                    select, silent, reach, order, density, (threshold - reset)[some]
                )
        todo = np.flatnonzero(~(error <= rtol))
        if not todo.size:
            break
    answer = Passage(values[0], values[1], error, values[2], values[3])
    if todo.size:
        raise ConvergenceError(
            f"rtol: got {rtol:g}; the error of {todo.size} of {N} rates is estimated at up to "
            f"{np.max(error):.2g}; ask for less accuracy",
            best=answer,
        )
    return answer


@np.errstate(under="ignore")
def density(drift, noise, threshold, reset, v, rtol=1e-8):
    """Probability density of v outside the refractory time, for one neuron.

    Parameters
    ----------
    drift, noise : callable
        As for :func:`solve`, for one row.
    threshold, reset : float
        In V.
    v : array_like
        Where, in V.
    rtol : float
        Accuracy aimed at, relative to the largest value.

    Returns
    -------
    ndarray
        In 1/V, of the shape of `v`; zero above the threshold.
    """
    rows, select = np.zeros(1, int), _embedding(drift, noise, np.zeros(1))
    threshold, reset = np.array([float(threshold)]), np.array([float(reset)])
    reach = _reach(rtol)
    groups, silent = place(select, rows, threshold, reset, reach, 1.5, heavy=True)
    if not groups:
        if not np.any(noise(np.stack([silent.low, silent.high], 1))):
            raise ParameterError(
                "density: got a neuron at rest without noise; its density is a point: read V_mean"
            )
        # the density does not feel a threshold that is never reached
        threshold, reset = silent.high, silent.low
        groups, _ = place(select, rows, threshold, reset, reach, 1.5, heavy=True)
    edges = _with_layers(groups[0].edges[0], drift, noise, threshold[0], reset[0])
    # From the top: flux 1 enters at the reset and leaves at the threshold, so that with x = -v
    # z = B²p/2 obeys dz/dx = Ψ' z + [v above the reset].
    h, order = np.diff(edges)[::-1], 14
    points, _, _, weights = _radau(order)
    nodes = edges[1:][::-1, None] - h[:, None] * points
    A, B2 = (
        np.broadcast_to(f(nodes.reshape(1, -1)), (1, nodes.size)).reshape(1, *nodes.shape)
        for f in (drift, noise)
    )
    flux = (edges[:-1][::-1] >= reset[0])[None, :, None]
    # without noise in a panel z vanishes with B²: p is flux over drift there
    z = _Operator(A, B2, h[None], order, threshold[0] - reset[0]).along(flux * B2 / 2, np.zeros(1))[
        0
    ]
    p = np.divide(2 * z, B2[0], out=np.zeros_like(z), where=B2[0] > 0)
    total = np.sum(h[:, None] * p * weights)
    asked = np.asarray(v, float).ravel()
    k = np.clip(len(h) - np.searchsorted(edges, asked, side="right"), 0, len(h) - 1)
    start = np.concatenate([[0.0], z[:-1, -1]])[:, None]
    local = np.clip((edges[1:][::-1][k] - asked) / h[k], 0, 1)
    found = _interpolate(np.concatenate([start, z], 1)[k], local, np.append(0.0, points))
    at = np.broadcast_to(noise(asked[None]), (1, asked.size))[0]
    inside = (asked >= edges[0]) & (asked <= edges[-1]) & (at > 0)
    out = np.divide(2 * found, at * total, out=np.zeros_like(at), where=inside)
    return np.maximum(out, 0.0).reshape(np.shape(v))


def _reach(rtol):
    # what starts higher up the lower wall than this weighs less than the accuracy asked for
    return np.log(1 / max(rtol, 1e-14)) + 5


def _embedding(drift, noise, like):
    """Rows of functions that only know the whole batch."""

    def select(rows):
        def of(function):
            def restricted(v):
                whole = np.broadcast_to(v[:1], (like.size, v.shape[1])).copy()
                whole[rows] = v
                return np.broadcast_to(function(whole), whole.shape)[rows]

            return restricted

        return of(drift), of(noise)

    return select


@functools.cache
def _radau(n):
    """Nodes in (0, 1], integration matrix, its inverse, and weights of Radau IIA."""
    legendre = np.polynomial.legendre
    polynomial = np.zeros(n + 1)
    polynomial[[n - 1, n]] = -1, 1
    x = np.sort(legendre.legroots(polynomial))
    x[-1] = 1.0
    integrals = np.stack(
        [legendre.legval(x, legendre.legint(row, lbnd=-1)) for row in np.eye(n)], 1
    )
    C = np.linalg.solve(legendre.legvander(x, n - 1).T, integrals.T).T / 2
    return (x + 1) / 2, C, np.linalg.inv(C), C[-1]


class _Operator:
    """The equation y' = Ψ' y + 2s/B² on every panel: y = g0(s) + g1 times y at its start."""

    def __init__(self, A, B2, h, order, width):
        _, self._C, C_inverse, self._b = _radau(order)
        self._h, self._half = h, B2 / 2
        shape = A.shape
        s = slope(A, B2, width)
        psi = self._integral(s)
        self._stiff = np.nonzero(psi[..., -1] < _STIFF)
        psi[self._stiff] = 0
        # the middle of a deep climb may hold a panel of any height, which nothing depends on
        self.g1 = np.exp(np.minimum(psi, 600.0))
        # s (B²/2)⁻¹ e^-Ψ; noise may vanish at the edge of the domain
        self._weight = 1 / (np.maximum(self._half, 5e-41 * width**2) * self.g1)
        self._inverse = None
        if self._stiff[0].size:
            half, drift = self._half[self._stiff], A[self._stiff]
            scale = (half / h[self._stiff][:, None])[:, :, None]
            matrix = scale * C_inverse
            diagonal = np.arange(shape[-1])
            matrix[:, diagonal, diagonal] += drift
            self._inverse = np.linalg.inv(matrix)
            start = scale[..., 0] * C_inverse.sum(1)
            self.g1[self._stiff] = (self._inverse @ start[..., None])[..., 0]

    def _integral(self, f):
        return (f @ self._C.T) * self._h[..., None]

    def g0(self, source):
        out = self._integral(source * self._weight) * self.g1
        if self._inverse is not None:
            out[self._stiff] = (self._inverse @ source[self._stiff][..., None])[..., 0]
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
def _statistics(fields, panels, order, tau_rp, cv, moments):
    """Rate, CV, mean and sd of v on given panels: array of shape (4, n)."""
    edges, first = panels.edges, panels.first
    n = len(edges)
    row = np.arange(n)
    h = np.diff(edges)
    v = edges[:, :-1, None] + h[..., None] * _radau(order)[0]
    flat = v.reshape(n, -1)
    A, B2 = (np.broadcast_to(f(flat), flat.shape).reshape(v.shape) for f in fields)
    V_r = edges[row, first]
    operator = _Operator(A, B2, h, order, (edges[:, -1] - V_r)[:, None, None])
    # times are in units of e^barrier: those of silent neurons overflow otherwise
    unit = np.exp(-np.where(panels.barrier > 30, panels.barrier, 0.0))
    low = edges[:, :1]
    A_low, B2_low = (np.broadcast_to(f(low), low.shape)[:, 0] for f in fields)
    inverse = np.divide(1, A_low, out=np.zeros(n), where=A_low > 0)
    u = operator.along(np.broadcast_to(unit[:, None, None], v.shape), unit * inverse)
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
        y = operator.along(shifted, (low[:, 0] - V_r) * unit * inverse)
        mean = V_r + operator.total(y, first) / T
        squared = (v - mean[:, None, None]) ** 2 * unit[:, None, None]
        y = operator.along(squared, (low[:, 0] - mean) ** 2 * unit * inverse)
        out[2] = mean
        out[3] = np.sqrt(np.maximum(operator.total(y, first) / T, 0))
    return out


def _held(select, silent, reach, order, density, width):
    """Mean and sd of v of neurons that never fire: those of a lower threshold, as unreached."""
    rows = silent.rows
    drift, noise = select(rows)
    ends = np.stack([silent.low, silent.high], 1)
    quiet = ~np.any(np.broadcast_to(noise(ends), ends.shape), axis=1)
    out = np.zeros((2, rows.size))
    out[0, quiet] = _rest(drift, silent)[quiet]
    error = np.zeros(rows.size)
    position = {r: i for i, r in enumerate(rows)}
    noisy = np.flatnonzero(~quiet)
    if noisy.size:
        groups, _ = place(
            select, rows[noisy], silent.high[noisy], silent.low[noisy], reach, density, True
        )
        for panels in groups:
            some = [position[r] for r in panels.rows]
            rough, fine = (
                _statistics(select(panels.rows), panels, n, 0.0, False, True) for n in order
            )
            out[:, some] = fine[2:]
            scale = _voltage_scale(fine[3], width[some])
            error[some] = (np.abs(rough - fine)[2:] / scale).max(0)
    return out[0], out[1], error


def _voltage_scale(v_sd, width):
    """What errors of v_mean and v_sd are measured against.

    A mean has no scale of its own; a v_sd of less than a millionth of the membrane's range is
    known no better than v itself is rounded.
    """
    return np.stack([width, np.maximum(v_sd, 1e-6 * width)])


def _rest(drift, silent):
    """Where the drift vanishes between two points, by bisection."""
    # the bottom of the well is known to a cell: look on both sides of it
    low, high = 2 * silent.low - silent.high, silent.high.copy()
    for _ in range(100):
        middle = (low + high) / 2
        up = np.broadcast_to(drift(middle[:, None]), (low.size, 1))[:, 0] > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return low


def _with_layers(edges, drift, noise, threshold, reset):
    """Edges that also resolve the layers below threshold and reset, as wide as noise over drift."""
    added = [edges]
    for end in (threshold, reset):
        A, B2 = (float(np.broadcast_to(f(np.array([[end]])), (1, 1))[0, 0]) for f in (drift, noise))
        if A > 0 and B2 > 0:
            added.append(end - B2 / (2 * A) * 2.0 ** np.arange(-1, 6))
    edges_all = np.unique(np.concatenate(added))
    return edges_all[edges_all >= edges[0]]


def _interpolate(values, local, points):
    """Rows of nodal values on one panel each, at one place each (barycentric)."""
    differences = points[:, None] - points + np.eye(len(points))
    weights = 1 / np.prod(differences, 1)
    gap = local[:, None] - points
    hit = gap == 0
    q = weights / np.where(hit, 1.0, gap)
    q = np.where(hit.any(1, keepdims=True), hit, q)
    return (q * values).sum(1) / q.sum(1)
