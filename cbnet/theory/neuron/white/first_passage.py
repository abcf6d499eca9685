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

from dataclasses import dataclass, replace

import numpy as np

from ....errors import ConvergenceError, ParameterError
from ....support.threads import one_thread
from .collocation import Operator, interpolate, radau, statistics
from .panels import Silent, place

_ROWS = 4096  # of one batch: enough to spread the cost of a numpy call, few enough for the cache
# Two orders are compared; which ones and on how many panels was found by timing.
_LEVELS = ((1e-6, (7, 9), 0.8), (1e-9, (10, 12), 0.7), (0.0, (10, 13), 0.8))
_REFINEMENTS = (1.0, 1.5, 2.5, 4.0, 8.0)
_FURTHER = 2.0**20  # times as far down as the panels: the power of v that a density ends in


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
    note : str
        What should be known about how they were obtained, for the answer's ``noise``.
    """

    rate: np.ndarray
    cv: np.ndarray
    error: np.ndarray
    v_mean: np.ndarray
    v_sd: np.ndarray
    note: str = ""


MERGING = "two branches may be about to meet"
ENDLESS = "no sd of V: jumps too large for white noise"


def inaccurate(rtol, error, why=""):
    """What is said of a rate that is less accurate than asked for."""
    why = f" ({why})" if why else ""
    if not error < 1:  # an error as large as the rate says that nothing is known of it
        return (
            f"rtol: got {rtol:g}; the error of a rate is not known{why}; take another noise, or "
            "values that are less extreme"
        )
    return (
        f"rtol: got {rtol:g}; the error of a rate is estimated at {error:.2g}{why}; ask for less "
        "accuracy"
    )


def known(error):
    """Estimated relative errors; infinite where they are as large as what they are errors of."""
    return np.where(error < 1, error, np.inf)


@one_thread
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

    Noise that grows with distance leaves a density with a tail like a power of v, whose moments
    need not exist: with x = −v, q = 2Ax/B² and B² ∝ x^β far below, that of order m does for
    q + β > m + 1. Mean and standard deviation that do not exist are NaN, and ``note`` says so.

    References
    ----------
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Sec. II and appendices;
    for the collocation E. Hairer and G. Wanner, *Solving ODEs II*, Sec. IV.5.

    Examples
    --------
    >>> from cbnet.theory.neuron.white.first_passage import solve
    >>> found = solve(lambda v: -v / 0.02, lambda v: 0.01**2 / 0.02 + 0 * v, 0.02, 0.01, 0.002)
    >>> round(float(found.rate[0]), 6)
    0.94955
    """
    threshold, reset, tau_rp = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, float)) for x in (threshold, reset, tau_rp))
    )
    N = threshold.size
    if select is None:
        select = _embedding(drift, noise, threshold)
    values, error, endless = np.full((4, N), np.nan), np.full(N, np.inf), np.zeros(N, bool)
    orders, finer = next((o, d) for least, o, d in _LEVELS if rtol >= least)
    width = threshold - reset
    todo = np.arange(N)
    for level, refinement in enumerate(_REFINEMENTS):
        how = _How([n + 2 * level for n in orders], finer * refinement, _reach(rtol), cv, moments)
        for rows in np.array_split(todo, -(-todo.size // _ROWS)):
            ends = threshold[rows], reset[rows]
            groups, silent = place(select, rows, *ends, how.reach, how.finer, moments)
            values[0, silent.rows], error[silent.rows] = 0.0, np.inf if moments else 0.0
            for panels in groups:
                some = panels.rows
                values[:, some], error[some] = how.compare(
                    select(some), panels, tau_rp[some], width[some]
                )
                endless[some] = moments & np.isnan(values[3, some])
            if moments and silent.rows.size:
                _held(select, silent, how, width, values, error)
        todo = np.flatnonzero(~(error <= rtol))
        if not todo.size:
            break
    answer = Passage(
        values[0], values[1], error, values[2], values[3], ENDLESS if endless.any() else ""
    )
    if todo.size:
        why = f"{todo.size} of {N} rates" if N > 1 else ""
        raise ConvergenceError(inaccurate(rtol, np.max(error), why), best=answer)
    return answer


@np.errstate(under="ignore")
@one_thread
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
        # the density does not feel a threshold that is never reached
        groups, silent = narrowed(select, silent, reach, 1.5)
        if not groups:
            raise ParameterError(
                "density: got a neuron at rest without noise; its density is a point: read V_mean"
            )
        threshold, reset = groups[0].edges[0, [-1]], groups[0].edges[0, [groups[0].first[0]]]
    edges = with_layers(groups[0].edges[0], drift, noise, threshold[0], reset[0])
    # From the top: flux 1 enters at the reset and leaves at the threshold, so that with x = -v
    # z = B²p/2 obeys dz/dx = Ψ' z + [v above the reset].
    h, order = np.diff(edges)[::-1], 14
    points, _, _, weights = radau(order)
    nodes = edges[1:][::-1, None] - h[:, None] * points
    A, B2 = (
        np.broadcast_to(f(nodes.reshape(1, -1)), (1, nodes.size)).reshape(1, *nodes.shape)
        for f in (drift, noise)
    )
    flux = (edges[:-1][::-1] >= reset[0])[None, :, None]
    # without noise in a panel z vanishes with B²: p is flux over drift there
    z = Operator(A, B2, h[None], order, threshold[0] - reset[0]).along(flux * B2 / 2, np.zeros(1))[
        0
    ]
    p = np.divide(2 * z, B2[0], out=np.zeros_like(z), where=B2[0] > 0)
    total = np.sum(h[:, None] * p * weights)
    asked = np.asarray(v, float).ravel()
    k = np.clip(len(h) - np.searchsorted(edges, asked, side="right"), 0, len(h) - 1)
    start = np.concatenate([[0.0], z[:-1, -1]])[:, None]
    local = np.clip((edges[1:][::-1][k] - asked) / h[k], 0, 1)
    found = interpolate(np.concatenate([start, z], 1)[k], local, np.append(0.0, points))
    at = np.broadcast_to(noise(asked[None]), (1, asked.size))[0]
    inside = (asked >= edges[0]) & (asked <= edges[-1]) & (at > 0)
    out = np.divide(2 * found, at * total, out=np.zeros_like(at), where=inside)
    return np.maximum(out, 0.0).reshape(np.shape(v))


def _reach(rtol):
    # what lies higher up the lower wall than this weighs less than the accuracy asked for
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


@dataclass(frozen=True)
class _How:
    """How finely a batch is solved, and what for."""

    orders: list
    finer: float
    reach: float
    cv: bool
    moments: bool

    def compare(self, fields, panels, tau_rp, width, held=False):
        """Statistics of shape (4, n) at the higher order, and how far the lower one is off."""
        how = tau_rp, self.cv, self.moments
        endless, tail = np.zeros((3, panels.rows.size), bool), np.ones(3)
        of_tail = np.zeros((4, 1))
        if panels.cut.any():
            near, tail = (_tail(fields, panels, further) for further in (1.0, _FURTHER))
            endless = ~np.isfinite(tail)
            near, tail = (np.where(np.isfinite(x), x, 1.0) for x in (near, tail))
        rough, fine = (statistics(fields, panels, n, *how, tail) for n in self.orders)
        if panels.cut.any():
            of_tail = np.abs(fine - statistics(fields, panels, self.orders[1], *how, near))
            fine[0] = np.where(endless[0], np.nan, fine[0])
            fine[2:] = np.where(endless[1:], np.nan, fine[2:])
        # A mean voltage has no scale of its own; an sd much smaller than the membrane's range is
        # known no better than the drift, whose terms cancel where v stays, is rounded.
        scale = np.abs(fine)
        scale[2:] = width, np.maximum(fine[3], 1e-3 * width)
        # Ψ is a sum of rounded numbers, and its start leaves out a part of e^-reach
        error = np.maximum(1e-15 * (10 + panels.barrier), np.exp(-self.reach))
        # the rate at which a held neuron reaches its lower threshold means nothing
        asked = () if held else (0, 1) if self.cv else (0,)
        for k in (*asked, 2, 3) if self.moments else asked:
            a, b, c = rough[k], fine[k], scale[k]
            gap = np.abs(a - b) + of_tail[k]
            off = np.divide(gap, c, out=np.zeros_like(gap), where=gap > 0)
            lost = ~(np.isfinite(a) & np.isfinite(b))
            absent = endless[k - 1] if k > 1 else np.zeros(gap.shape, bool)
            error = np.maximum(error, np.where(absent, 0.0, np.where(lost, np.inf, off)))
        return fine, error


def _tail(fields, panels, further):
    """What lies below the panels, as a share of what a drift that decides would leave there.

    Of the density and of the first two moments of v, shape (3, n), for the power of v that the
    density has so many times further down than the panels reach; infinite where there is no such
    moment, and 1 where the panels reach far enough.
    """
    row = np.arange(panels.rows.size)
    reset = panels.edges[row, panels.first]
    x = (reset - panels.edges[:, 0]) * further
    v = reset[:, None] - np.stack([x, 2 * x], 1)
    A, B2 = (np.broadcast_to(f(v), v.shape) for f in fields)
    with np.errstate(all="ignore"):
        q = 2 * A[:, 0] * x / B2[:, 0]
        excess = q + np.log2(B2[:, 1] / B2[:, 0]) - 1 - np.arange(3)[:, None]
        share = np.where(excess > 0, np.abs(q) / excess, np.inf)
    return np.where(panels.cut, share, 1.0)


def _held(select, silent, how, width, values, error):
    """Fill in mean and sd of v of neurons that never fire."""
    how = replace(how, cv=False)
    groups, at_rest = narrowed(select, silent, how.reach, how.finer)
    for panels in groups:
        some = panels.rows
        fine, error[some] = how.compare(select(some), panels, 0.0, width[some], held=True)
        values[2:, some] = fine[2:]
    if at_rest.rows.size:
        values[2, at_rest.rows] = _rest(select(at_rest.rows)[0], at_rest)
        values[3, at_rest.rows], error[at_rest.rows] = 0.0, 0.0


def narrowed(select, silent, reach, finer):
    """Panels up to a lower threshold that is not reached either; who is at rest in any case."""
    groups, rest = [], [silent.of(slice(0, 0))]
    for _ in range(60):
        if not silent.rows.size:
            break
        noise = select(silent.rows)[1]
        ends = np.stack([silent.low, silent.high], 1)
        # a well too narrow for floats is as good as none
        still = ~np.any(np.broadcast_to(noise(ends), ends.shape), axis=1)
        still |= silent.high - silent.low <= 1e-13 * np.abs(silent.high)
        rest.append(silent.of(still))
        silent = silent.of(~still)
        if silent.rows.size:
            more, silent = place(select, silent.rows, silent.high, silent.low, reach, finer, True)
            groups += more
    columns = ([getattr(part, name) for part in rest] for name in ("rows", "low", "high"))
    return groups, Silent(*map(np.concatenate, columns))


def _rest(drift, silent):
    """Where the drift vanishes between two points, by bisection."""
    # the bottom of the well is known to a cell: look on both sides of it
    low, high = 2 * silent.low - silent.high, silent.high.copy()
    for _ in range(100):
        middle = (low + high) / 2
        up = np.broadcast_to(drift(middle[:, None]), (low.size, 1))[:, 0] > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return low


def with_layers(edges, drift, noise, threshold, reset):
    """Edges that also resolve the layers below threshold and reset, as wide as noise over drift."""
    added = [edges]
    for end in (threshold, reset):
        A, B2 = (float(np.broadcast_to(f(np.array([[end]])), (1, 1))[0, 0]) for f in (drift, noise))
        if A > 0 and B2 > 0:
            added.append(end - B2 / (2 * A) * 2.0 ** np.arange(-1, 6))
    edges_all = np.unique(np.concatenate(added))
    return edges_all[edges_all >= edges[0]]
