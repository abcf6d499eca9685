"""The backward equation of a membrane that jumps, by collocation on given panels.

For T(v), the mean time from v to the next spike,

    f T' + Σ R_p [T(v + h_p) 1{v + h_p below threshold} − T] = −1                            (1)

The unknowns are u = −T' on the panels (polynomials through n nodes each) and T just below the
threshold. Differences T(v + h) − T(v) are then integrals of u with nothing to cancel, and rows and
columns are scaled by e^{∓Φ}, Φ the climb of the momentum's integral: what remains varies slowly
even over barriers that no float could hold, so that rates keep their relative accuracy however
rare the spikes are.
"""

import functools

import numpy as np
from scipy.linalg import lapack

from ..white.collocation import radau

WIDE = 4.0  # jumps in a panel from which on they count as derivatives


@functools.cache
def _rule(n, mirrored):
    """Nodes in [0, 1], the weights of the whole panel, and Legendre coefficients of the basis."""
    x = radau(n)[0]
    x = 1 - x[::-1] if mirrored else x
    legendre = np.polynomial.legendre
    inverse = np.linalg.inv(legendre.legvander(2 * x - 1, n - 1))
    # row k: the integral from −1 of the basis function, as a Legendre series
    integrals = np.stack([legendre.legint(row, lbnd=-1) for row in inverse.T], 1) / 2
    return x, integrals.sum(0), inverse, integrals


def _series(coefficients, s):
    """Legendre series (columns) at s in [0, 1]: shape (len(s), n)."""
    return np.polynomial.legendre.legvander(2 * s - 1, len(coefficients) - 1) @ coefficients


class JumpSystem:
    """Equation (1) on panels, factorised.

    Parameters
    ----------
    process : JumpProcess
        One neuron.
    edges : ndarray, shape (P + 1,)
        From below the reset to the threshold; zeros of the leak are edges.
    climb : ndarray, shape (P + 1,)
        Φ at the edges, zero at the bottom of the well.
    n : int
        Nodes of a panel.
    largest : float
        Numbers that the factorised matrix may have; MemoryError if it needs more.
    """

    def __init__(self, process, edges, climb, n, largest=np.inf):
        self.largest = largest
        self.process, self.edges, self.n = process, edges, n
        self.width = np.diff(edges)
        P = self.width.size
        self._place(process, P)
        # a scale for panels and rows that follows the solution's exponential
        self.gauge = (climb[1:] + climb[:-1]) / 2
        self.top = max(float(climb.max()), 0.0)
        self.row_gauge = (
            climb[self.panel] + (climb[self.panel + 1] - climb[self.panel]) * self.local
        )
        self.end_gauge = float(climb[-1])
        self._assemble()

    def _place(self, process, P):
        """The rows: where the equation is asked for, and where u is continuous instead.

        A panel within a jump takes T along the leak: from below where it pulls down (nodes that
        include the right end), else from above. A panel of several jumps sees the jumps as
        derivatives, so that u obeys an equation of first order: nodes that include the right end,
        and u itself is handed on from below.
        """
        n, edges = self.n, self.edges
        centre = (edges[1:] + edges[:-1]) / 2
        leak_at_top = float(process.leak(edges[-1:])[0])
        self.wide = self.width > WIDE * 0.999 * np.abs(process.up(centre))
        self.falls = self.wide | (process.leak(centre) <= 0)
        rows = []  # panel, fraction, whether continuity
        inner = radau(n - 1)[0] if n > 1 else np.array([1.0])
        nodes = {True: _rule(n, False)[0], False: _rule(n, True)[0]}
        for k in range(P):
            below = None if k == 0 else (self.wide[k - 1], self.falls[k - 1])
            local = inner if self.wide[k] else nodes[bool(self.falls[k])]
            if self.wide[k]:
                if below is None:
                    rows.append((k, 0.0, False))
                elif below[0] or not below[1]:
                    rows.append((k, 0.0, True))
            elif self.falls[k]:
                # at a zero of the leak the equation is algebraic; elsewhere it would hold at the
                # start of the layer of any value of T, and only u from below can tell the right one
                if below is None or below[0] or not below[1]:
                    rows.append((k, 0.0, below is not None and bool(below[0])))
            elif below is not None and below[1] and not below[0]:
                local = local[1:]  # the leak parts here: both panels have a row for this point
            rows.extend((k, x, False) for x in local)
        on_leak = not self.wide[-1] and self.falls[-1]
        self.reaches = bool(on_leak or leak_at_top <= 0)
        if self.reaches and not on_leak:
            rows.append((P - 1, 1.0, False))
        panel, local, joint = zip(*rows, strict=True)
        self.panel, self.local = np.array(panel), np.array(local)
        self.asked = ~np.array(joint)
        self.v = edges[self.panel] + self.width[self.panel] * self.local
        self.own = self.wide[self.panel]
        if self.wide[-1]:
            self.own[-1] = not self.reaches

    def _partial(self, panel, s):
        """Weights of ∫ u from the start of a panel to the fraction s of it."""
        weights = np.empty((s.size, self.n))
        for falls in (True, False):
            some = self.falls[panel] == falls
            if some.any():
                weights[some] = _series(_rule(self.n, not falls)[3], s[some])
        return weights * self.width[panel, None]

    def _within(self, some, jump, beyond):
        """Weights of ∫ u from nodes over a jump within their panel: nothing cancels."""
        panel, s = self.panel[some], self.local[some]
        size = jump[some] / self.width[panel]
        size = np.where(beyond, size, np.clip(size, -s, 1 - s))
        points, weights = np.polynomial.legendre.leggauss(self.n // 2 + 1)
        total = np.zeros((s.size, self.n))
        for x, w in zip((points + 1) / 2, weights / 2, strict=True):
            total += w * self._basis(panel, s + size * x)
        return total * (size * self.width[panel])[:, None]

    def _basis(self, panel, s):
        """Basis functions of u at the fraction s of panels."""
        values = np.empty((s.size, self.n))
        for falls in (True, False):
            some = self.falls[panel] == falls
            if some.any():
                values[some] = _series(_rule(self.n, not falls)[2], s[some])
        return values

    def _locate(self, v):
        panel = np.clip(np.searchsorted(self.edges, v, side="right") - 1, 0, self.width.size - 1)
        return panel, np.clip((v - self.edges[panel]) / self.width[panel], 0.0, 1.0)

    def _difference(self, jump):
        """T(v + jump) − T(v) as blocks of weights of u, and whether that is above threshold."""
        P, N, n = self.width.size, self.v.size, self.n
        target = self.v + jump
        fires = target > self.edges[-1] + 1e-9 * np.abs(jump)
        k, s = self._locate(np.where(fires, self.edges[-1], np.maximum(target, self.edges[0])))
        # on a panel of several jumps the panel's own polynomial serves a little beyond its ends
        local = self.own & (np.abs(jump) * WIDE <= 1.01 * self.width[self.panel])
        k, fires = np.where(local, self.panel, k), fires & ~local
        low, high = np.minimum(self.panel, k), np.maximum(self.panel, k)
        down, up = int((self.panel - low).max()), int((high - self.panel).max())
        if N * (2 * down + up + 1) * n > self.largest:
            raise MemoryError
        offsets = np.arange(-down, up + 1)
        block = self.panel[:, None] + offsets
        sign = np.where(k >= self.panel, -1.0, 1.0)
        between = (block > low[:, None]) & (block < high[:, None])
        full = self._full()
        out = full[np.clip(block, 0, P - 1)]
        out *= (between * sign[:, None])[:, :, None]
        here, there = self._partial(self.panel, self.local), self._partial(k, s)
        row = np.arange(N)
        same = k == self.panel
        # −∫ from v to the target: the rest of this panel and the start of that one, or the reverse
        rising = (k > self.panel)[:, None]
        first = np.where(rising, here - full[self.panel], here)
        last = np.where(rising, -there, full[k] - there)
        first[same] = -self._within(same, jump, local[same])
        last[same] = 0.0
        out[row, down] += first
        out[row, k - self.panel + down] += last
        return out, down, up, fires

    def _full(self):
        """Weights of ∫ u over each panel."""
        full = np.where(self.falls[:, None], _rule(self.n, False)[1], _rule(self.n, True)[1])
        return full * self.width[:, None]

    def _assemble(self):
        process, n, N = self.process, self.n, self.v.size
        P = self.width.size
        rates = tuple(map(float, process.rates))
        self.rates = rates
        parts = [self._difference(h(self.v)) for h in process.jumps]
        down = max(*(part[1] for part in parts), int(not self.asked.all()))
        up = max(part[2] for part in parts)
        blocks = np.zeros((N, down + up + 1, n))
        self.jumps = []
        for rate, (weights, lower, upper, fires) in zip(rates, parts, strict=True):
            blocks[:, down - lower : down + upper + 1] += rate * weights
            self.jumps.append((weights, lower, upper, fires))
        f = process.leak(self.v)
        blocks[~self.asked] = 0.0
        blocks[:, down] -= (f * self.asked)[:, None] * self._basis(self.panel, self.local)
        joints = np.flatnonzero(~self.asked)
        if joints.size:
            blocks[joints, down] = self._basis(self.panel[joints], self.local[joints])
            blocks[joints, down - 1] = -self._basis(self.panel[joints] - 1, np.ones(joints.size))
        # every row in units of its own rate of events
        self.scale = 1 / (sum(rates) + np.abs(f) / self.width[self.panel])
        blocks[joints] /= self.scale[joints, None, None]
        drift = float(process.drift(self.v[:1])[0])
        if self.asked[0] and self.local[0] == 0 and f[0] < 0 < drift:
            blocks[0] = 0.0
            blocks[0, down] = -drift * self._basis(self.panel[:1], self.local[:1])[0]
            for part in self.jumps:
                part[3][0] = False
        block = self.panel[:, None] + np.arange(-down, up + 1)
        inside = (block >= 0) & (block < P)
        clipped = np.clip(block, 0, P - 1)
        growth = np.where(inside, self.gauge[clipped] - self.row_gauge[:, None], -np.inf)
        growth = np.exp(np.minimum(growth, 600.0)) * self.scale[:, None]
        blocks *= growth[:, :, None]
        last = -sum(rate * part[3] for rate, part in zip(rates, parts, strict=True)) * self.asked
        last = last * self.scale * np.exp(np.minimum(self.end_gauge - self.row_gauge, 600.0))
        self._factorise(blocks, block, inside, last)

    def _factorise(self, blocks, block, inside, last):
        n, N = self.n, self.v.size
        columns = block[:, :, None] * n + np.arange(n)
        rows = np.broadcast_to(np.arange(N)[:, None, None], columns.shape)
        ok = np.broadcast_to(inside[:, :, None], columns.shape)
        rows, columns, values = rows[ok], columns[ok], blocks[ok]
        size = self.width.size * n + 1
        fired = np.flatnonzero(last)
        if self.reaches:
            rows = np.concatenate([rows, fired])
            columns = np.concatenate([columns, np.full(fired.size, size - 1)])
            values = np.concatenate([values, last[fired]])
        else:
            # the leak carries v over the threshold: T vanishes there
            rows, columns = np.append(rows, size - 1), np.append(columns, size - 1)
            values = np.append(values, 1.0)
        lower, upper = int(max((rows - columns).max(), 0)), int(max((columns - rows).max(), 0))
        if (2 * lower + upper + 1) * size > self.largest:
            raise MemoryError
        banded = np.zeros((2 * lower + upper + 1, size), order="F")
        banded[lower + upper + rows - columns, columns] = values
        self.size, self.lower, self.upper = size, lower, upper
        self.lu, self.pivots, info = lapack.dgbtrf(banded, lower, upper, overwrite_ab=1)
        if info > 0:
            raise np.linalg.LinAlgError("singular backward equation")

    def solve(self, source):
        """Unknowns of L T = −source; `source` in units of its own exponential e^{row_gauge}."""
        right = np.zeros(self.size)
        right[: self.v.size] = -source * self.scale * self.asked
        x, _ = lapack.dgbtrs(self.lu, self.lower, self.upper, right, self.pivots)
        return x

    def functional(self, v):
        """T(v) = functional(v) · unknowns · e^{top}: weights, one row."""
        k, s = self._locate(np.array([v]))
        weights = np.zeros(self.size)
        blocks = self._full() * np.exp(self.gauge - self.top)[:, None]
        weights[:-1] = blocks.ravel()
        weights[: k[0] * self.n] = 0.0
        start = k[0] * self.n
        weights[start : start + self.n] -= self._partial(k, s)[0] * np.exp(
            self.gauge[k[0]] - self.top
        )
        weights[-1] = np.exp(self.end_gauge - self.top)
        return weights

    def steps(self, x):
        """Σ R (T(v + h) − T(v))² at the nodes, in units of e^{row_gauge + top}."""
        n, P = self.n, self.width.size
        total = np.zeros(self.v.size)
        u = x[:-1].reshape(P, n)
        for rate, (weights, down, up, fires) in zip(self.rates, self.jumps, strict=True):
            block = np.clip(self.panel[:, None] + np.arange(-down, up + 1), 0, P - 1)
            growth = self.gauge[block] - self.row_gauge[:, None]
            scaled = u[block] * np.exp(np.minimum(growth, 600.0))[:, :, None]
            difference = np.einsum("ijk,ijk->i", weights, scaled)
            difference -= fires * x[-1] * np.exp(np.minimum(self.end_gauge - self.row_gauge, 600.0))
            total += rate * difference**2
        return total * np.exp(self.row_gauge - self.top)

    def statistics(self, cv, moments):
        """Rate, CV, mean and sd of v; NaN where not asked for."""
        out = np.full(4, np.nan)
        process = self.process
        decay = np.exp(-self.row_gauge)
        start = self.functional(process.reset)
        x = self.solve(decay)
        T = float(start @ x)  # in units of e^top
        period = process.tau_rp * np.exp(-self.top) + T
        out[0] = np.exp(-self.top) / period
        if cv:
            out[1] = np.sqrt(max(float(start @ self.solve(self.steps(x))), 0.0)) / period
        if moments:
            at = self.v - process.reset
            mean = float(start @ self.solve(decay * at)) / T
            square = float(start @ self.solve(decay * (at - mean) ** 2)) / T
            out[2:] = process.reset + mean, np.sqrt(max(square, 0.0))
        return out
