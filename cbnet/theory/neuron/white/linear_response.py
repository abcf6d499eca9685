"""How the rate of one neuron follows a small modulation of its drift and its noise.

Let u(v) be the mean of e^(−λT), T being the time from v to the threshold θ, up to a factor. Then

    A u' + B² u''/2 = λ u,    and with y = u'/λ:    u' = λ y,    y' = Ψ' y + 2u/B²,   Ψ' = −2A/B²,

which at λ = 0 is the equation of the mean first-passage time. If drift and squared noise are
A + ε δA e^(λt) and B² + ε δB² e^(λt), the rate is ν + ε H e^(λt). What flux out of the stationary
density p reaches the threshold, at once or after any number of resets, gives

    H = ∫ p [(δA − βA) y + β u] dv / { ∫ y dv + u(V_r) (1 − e^(−λ τ_rp))/λ },    β = δB²/B²,

the first integral up to θ, the second from V_r to θ. Nothing cancels at small λ: there it is the
derivative of the static rate.
"""

from dataclasses import dataclass

import numpy as np

from ....errors import ConvergenceError
from .collocation import Operator, radau
from .first_passage import with_layers
from .panels import place

_REACH = 38.0  # e^-38 is the rounding of a double
_TURN = 3.0  # change of ln u within a panel that ten nodes resolve
_LOWEST = 600.0  # 1/s: below this |λ| one grid serves
_AT_ONCE = 48  # values of λ: the matrices of one batch fit into the cache


@dataclass(frozen=True)
class Answer:
    """Response at n values of λ, 1/s.

    Attributes
    ----------
    gain : ndarray of complex, shape (M, n)
        H for each of M modulations.
    interval : ndarray of complex, shape (n,)
        Mean of e^(−λ · interval between spikes).
    pole, log_scale : ndarray of complex and of float, shape (n,)
        pole · e^log_scale is the denominator of H, an entire function whose zeros are the poles of
        every gain.
    """

    gain: np.ndarray
    interval: np.ndarray
    pole: np.ndarray
    log_scale: np.ndarray


class LinearResponse:
    """A neuron in its stationary state, ready to be modulated.

    Parameters
    ----------
    drift, noise : callable
        A(v) in V/s and B²(v) in V²/s for arrays of shape (1, m).
    modulations : sequence of tuple of callable
        (δA, δB²) of each modulation, in the same units times any.
    threshold, reset, tau_rp : float
        In V, V and s.
    order : int
        Nodes of a panel.
    finer : float
        Panels for each unit of change.

    Attributes
    ----------
    rate : float
        Stationary rate, Hz.

    Raises
    ------
    ConvergenceError
        If the neuron practically never fires: it has no response.

    Notes
    -----
    Assumes white noise (the diffusion approximation). The response of a leaky neuron with constant
    noise is known in closed form: N. Brunel and V. Hakim, Neural Comput. 11, 1621 (1999)
    (drift); B. Lindner and L. Schimansky-Geier, Phys. Rev. Lett. 86, 2934 (2001) (noise). The
    tests hold this solver against it.
    """

    def __init__(self, drift, noise, modulations, threshold, reset, tau_rp, *, order=10, finer=1.0):
        self._fields, self._modulations = (drift, noise), modulations
        self._threshold, self._reset, self._tau_rp = float(threshold), float(reset), float(tau_rp)
        self._order = order
        ends = np.array([self._threshold]), np.array([self._reset])
        groups, _ = place(lambda rows: self._fields, np.zeros(1, int), *ends, _REACH, finer, True)
        if not groups:
            raise ConvergenceError(
                "linear response: got a neuron that practically never fires; it does not respond"
            )
        self._edges = with_layers(groups[0].edges[0], drift, noise, self._threshold, self._reset)
        self._turn = _TURN / finer
        self._grids = {}
        self.rate = self._grid(_LOWEST).rate

    def __call__(self, lam):
        """The response at complex λ of any shape, flattened: an Answer."""
        lam = np.atleast_1d(np.asarray(lam, complex)).ravel()
        gain = np.empty((len(self._modulations), lam.size), complex)
        interval, pole = np.empty((2, lam.size), complex)
        log_scale = np.empty(lam.size)
        band = np.ceil(np.log2(np.maximum(np.abs(lam) / _LOWEST, 1)) / 2).astype(int)
        for level in np.unique(band):
            grid = self._grid(_LOWEST * 4.0**level)
            mine = np.flatnonzero(band == level)
            for some in np.array_split(mine, -(-mine.size // _AT_ONCE)):
                gain[:, some], interval[some], pole[some], log_scale[some] = grid.respond(lam[some])
        return Answer(gain, interval, pole, log_scale)

    def _grid(self, highest):
        if highest not in self._grids:
            edges = self._split(highest)
            self._grids[highest] = _Grid(
                self._fields, self._modulations, edges, self._reset, self._tau_rp, self._order
            )
        return self._grids[highest]

    def _split(self, highest):
        """Panels in which ln u changes little at |λ| = `highest`."""
        edges = self._edges
        A, B2 = (np.broadcast_to(f(edges[None]), (1, edges.size))[0] for f in self._fields)
        wave = np.abs(_growth(A, B2, 1j * highest) * highest)
        turns = np.diff(edges) * np.maximum(wave[1:], wave[:-1]) / self._turn
        parts = np.maximum(np.ceil(turns), 1).astype(int)
        within = [
            np.linspace(a, b, n, endpoint=False)
            for a, b, n in zip(edges[:-1], edges[1:], parts, strict=True)
        ]
        return np.append(np.concatenate(within), edges[-1])


def _growth(A, B2, lam):
    """y/u of the solution that is regular far below: 1/A where the drift decides; 0, as at a wall,
    where it leads away and nothing brings v back.
    """
    root = np.sqrt(A * A + 2 * B2 * lam + 0j)
    away = (np.real(A) < 0) & (B2 * lam != 0)  # where A + root would cancel
    below = np.where(away, B2 * lam, A + root)
    return np.where(below == 0, 0, np.where(away, root - A, 2)) / np.where(below == 0, 1, below)


class _Grid:
    """All that does not depend on λ, on panels fine enough for some range of it."""

    def __init__(self, fields, modulations, edges, reset, tau_rp, order):
        points, self._C, _, self._b = radau(order)
        self._h, self._tau_rp = np.diff(edges), tau_rp
        self._first = int(np.argmin(np.abs(edges - reset)))
        width = edges[-1] - reset
        v = edges[:-1, None] + self._h[:, None] * points
        A, B2 = self._values(fields, v)
        # one unit source a row: the rows of the answers are the columns of the inverse
        same = [np.broadcast_to(x, (order, *x.shape)) for x in (A, B2)]
        operator = Operator(*same, np.broadcast_to(self._h, (order, len(self._h))), order, width)
        unit = np.eye(order)[:, None, :]
        self._G = np.moveaxis(operator.g0(np.broadcast_to(unit, same[0].shape)), 0, -1)
        self._start = operator.g1[0]
        self._low = [x[0] for x in self._values(fields, edges[:1])]
        density = self._density(fields, edges, reset, width, order, points) / B2
        measure = self._h[:, None] * self._b * density
        self.rate = 1 / (tau_rp + measure.sum())
        measure = measure * self.rate
        self._y_weight, self._u_weight = [], []
        for change in modulations:
            dA, dB2 = self._values(change, v)
            beta = dB2 / B2
            self._y_weight.append(measure * (dA - beta * A))
            self._u_weight.append(measure * beta)
        above = np.arange(len(self._h))[:, None] >= self._first
        self._y_weight.append(np.where(above, self._h[:, None] * self._b, 0.0))
        self._u_weight.append(np.zeros_like(A))
        self._y_weight, self._u_weight = np.array(self._y_weight), np.array(self._u_weight)

    @staticmethod
    def _values(fields, v):
        flat = v.reshape(1, -1)
        return [np.broadcast_to(f(flat), flat.shape).reshape(v.shape) for f in fields]

    @staticmethod
    def _density(fields, edges, reset, width, order, points):
        """B²p/ν at the nodes; solved from the top, where it vanishes, as in first_passage."""
        mirrored, _, _, _ = radau(order + 2)
        h = np.diff(edges)[::-1]
        v = edges[1:][::-1, None] - h[:, None] * mirrored
        A, B2 = _Grid._values(fields, v)
        flux = (edges[:-1][::-1] >= reset)[:, None]
        z = Operator(A[None], B2[None], h[None], order + 2, width).along(
            (flux * B2 / 2)[None], np.zeros(1)
        )[0]
        begin = np.concatenate([[0.0], z[:-1, -1]])[:, None]
        known, wanted = np.append(0.0, mirrored), 1 - points
        basis = np.linalg.solve(
            np.polynomial.legendre.legvander(2 * known - 1, order + 2).T,
            np.polynomial.legendre.legvander(2 * wanted - 1, order + 2).T,
        )
        return 2 * (np.concatenate([begin, z], 1) @ basis)[::-1]

    @np.errstate(under="ignore")
    def respond(self, lam):
        """Gains, interval transform, pole function and its scale at a few λ."""
        n = len(self._C)
        step = lam[:, None, None, None] * self._h[:, None, None] * self._C
        right = np.empty((lam.size, len(self._h), n, 2), complex)
        right[..., 0] = 1.0
        right[..., 1] = np.einsum("lpij,pj->lpi", step, self._start)
        U = np.linalg.solve(np.eye(n) - step @ self._G, right)
        Y = self._G @ U
        Y[..., 1] += self._start
        sums = np.einsum("mpi,lpik->plmk", self._y_weight, Y)
        sums += np.einsum("mpi,lpik->plmk", self._u_weight, U)
        ends = np.moveaxis(np.stack([U[:, :, -1], Y[:, :, -1]], 2), 1, 0)
        state = np.stack([np.ones(lam.size), _growth(*self._low, lam)], 1)[..., None]
        total = np.zeros((lam.size, sums.shape[2]), complex)
        at_reset, log_scale = np.ones(lam.size, complex), np.zeros(lam.size)
        for p in range(len(self._h)):
            if p == self._first:
                at_reset = state[:, 0, 0].copy()
            total += (sums[p] @ state)[..., 0]
            state = ends[p] @ state
            # u may grow beyond all floats; only ratios matter
            size = np.abs(state[:, 0, 0]) + np.abs(state[:, 1, 0])
            state /= size[:, None, None]
            total /= size[:, None]
            at_reset /= size
            log_scale += np.log(size)
        waiting = np.where(lam == 0, self._tau_rp, -np.expm1(-lam * self._tau_rp) / _nonzero(lam))
        pole = total[:, -1] + at_reset * waiting
        interval = np.exp(-lam * self._tau_rp) * at_reset / state[:, 0, 0]
        return (total[:, :-1] / pole[:, None]).T, interval, pole, log_scale


def _nonzero(lam):
    return np.where(lam == 0, 1.0, lam)
