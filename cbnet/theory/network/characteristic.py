"""The zero of a characteristic function that lies furthest to the right, and proof that it does."""

from dataclasses import dataclass

import numpy as np

from ...errors import ConvergenceError

_LINES = 11  # of a scan, at different real parts
_DEEPEST = 1e5  # 1/s: what decays faster is of no interest
_RADIANS = 0.7  # change of the argument between neighbouring points of a contour
_POINTS = 40_000  # of a contour


@dataclass(frozen=True)
class Characteristic:
    """A function with real coefficients, given by how to evaluate it.

    Attributes
    ----------
    value : callable
        ``lam -> (F, pole, log_scale)`` for an array of complex λ in 1/s. F may have poles;
        F · pole · e^log_scale has none.
    radius : callable
        ``lam -> r``, subharmonic right of every pole, such that F has no zero where r < 1.
    delay, memory : float
        Longest delay, and longest time of any kind (s): at high and at low frequencies its argument
        turns by less than these for each 1/s.
    highest : float
        Largest imaginary part considered, 1/s.
    """

    value: object
    radius: object
    delay: float
    memory: float
    highest: float

    def entire(self, lam):
        """F without its poles, up to a positive factor that differs from λ to λ."""
        F, pole, _ = self.value(lam)
        return F * pole

    def right_edge(self):
        """A real part beyond which there is no zero."""
        omega = np.append(0, np.geomspace(self.highest / 1e3, self.highest, 60))
        edge = 50.0
        while np.any(self.radius(edge + 1j * omega) >= 0.95):
            edge *= 2
            if edge > 1e6:
                raise ConvergenceError(
                    "stability: got a feedback that does not fall off at high frequencies"
                )
        return edge

    def quiet_above(self, omega):
        """Whether a bound shows that nothing of a frequency above ω (1/s) grows."""
        far = np.geomspace(1.0, 1e5, 30)
        edge = np.concatenate([1j * np.geomspace(omega, self.highest, 120), far + 1j * omega])
        return bool(np.all(self.radius(edge) < 0.97))

    def count(self, left, right, near=()):
        """Zeros with real part from `left` to `right`, by the argument principle.

        `near` are known zeros: the argument turns quickly where the contour passes one.
        """
        corners = [right + 0j, right + 1j * self.highest, left + 1j * self.highest, left + 0j]
        total = 0.0
        for a, b in zip(corners, corners[1:], strict=False):
            total += self._turns(a, b, near)
        # F(λ*) = F(λ)*: the lower half of the contour turns as much again
        zeros = total / np.pi
        if abs(zeros - round(zeros)) > 0.05:
            raise ConvergenceError(
                f"stability: got {zeros:.3g} zeros right of {left:.3g}/s; a zero lies on the edge"
            )
        return round(zeros)

    def _turns(self, a, b, near):
        n = max(int(np.ceil(abs(b - a) * self.memory * 2)), 8)
        t = [np.linspace(0, 1, min(n, _POINTS // 4) + 1)]
        for zero in (z for w in near for z in (w, np.conj(w))):
            foot = (zero - a) / (b - a)
            t.append(foot.real + np.abs(foot.imag) * np.sinh(np.linspace(-6, 6, 49)))
        t = np.unique(np.concatenate(t))
        t = t[(t >= 0) & (t <= 1)]
        p = self.entire(a + (b - a) * t)
        while True:
            turn = np.angle(p[1:] / p[:-1])
            coarse = np.flatnonzero(np.abs(turn) > _RADIANS)
            if not coarse.size:
                return turn.sum()
            if t.size + coarse.size > _POINTS:
                raise ConvergenceError("stability: got a zero on the contour that counts zeros")
            new = (t[coarse] + t[coarse + 1]) / 2
            t = np.insert(t, coarse + 1, new)
            p = np.insert(p, coarse + 1, self.entire(a + (b - a) * new))


def leading(characteristic):
    """The zero with the largest real part among those up to the highest frequency.

    Parameters
    ----------
    characteristic : Characteristic

    Returns
    -------
    complex
        In 1/s, imaginary part ≥ 0.

    Raises
    ------
    ConvergenceError
        If no zero is found, or the count says that some zero further to the right was missed;
        ``best`` is then the zero that was found.
    """
    right = characteristic.right_edge()
    depth, density, found = 200.0, 1.0, None
    while depth < _DEEPEST:
        roots = _scan(characteristic, -depth, right, density)
        roots = roots[roots.real > -depth]
        edge = -depth
        if roots.size:
            found = roots[np.argmax(roots.real)]
            edge = found.real + 1e-3 * (abs(found) + 1.0)
        if characteristic.count(edge, right + 1.0, roots):
            density *= 2
        elif roots.size:
            return complex(found)
        else:
            depth *= 3
        if density > 16:
            best = None if found is None else complex(found)
            raise ConvergenceError(
                f"stability: got the mode {best} (1/s), but another one lies further to the right",
                best=best,
            )
    raise ConvergenceError(f"stability: got no mode that decays slower than {_DEEPEST:g}/s")


def _scan(characteristic, left, right, density):
    """Zeros near every local minimum of |F| on a grid: a function has no other minima."""
    omega = [0.0]
    shortest, longest = (1.4 / x for x in (characteristic.memory, characteristic.delay))
    shortest = min(shortest, characteristic.highest / 24)
    while omega[-1] < characteristic.highest:
        step = np.clip(0.1 * omega[-1], shortest, max(longest, shortest))
        omega.append(omega[-1] + step / density)
    omega = np.array(omega)
    # zeros crowd where damping is weak
    spread = np.sinh(np.linspace(-1, 1, int(_LINES * density)) * 3) / np.sinh(3)
    sigma = np.where(spread < 0, -left, right) * spread
    lam = sigma[:, None] + 1j * omega
    F, pole, _ = characteristic.value(lam.ravel())
    # where feedback is weak a zero of F hides beside a pole
    low = _minima(np.abs(F).reshape(lam.shape)) | _minima(np.abs(F * pole).reshape(lam.shape))
    real = np.linspace(left, right, int(60 * density)).astype(complex)
    sign = characteristic.entire(real).real > 0
    crossing = np.flatnonzero(sign[1:] != sign[:-1])
    starts = np.append(lam[1:-1, :-1][low], (real[crossing] + real[crossing + 1]) / 2)
    if not starts.size:
        return starts
    reach = 2 * max(np.diff(sigma).max(), omega[1], characteristic.highest / 50)
    found = _newton(characteristic, starts, reach)
    # neighbours closer than the grid: look again with the zeros that are known divided out
    return np.append(found, _newton(characteristic, found - 0.01 * reach, reach, np.unique(found)))


def _minima(size):
    """Whether a point is below its neighbours, the left and right and upper edges left out."""
    size = np.concatenate([size[:, 1:2], size], 1)  # mirrored at the real axis
    middle = size[1:-1, 1:-1]
    neighbours = [
        size[1 + i : size.shape[0] - 1 + i, 1 + j : size.shape[1] - 1 + j]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
        if i or j
    ]
    return np.all([middle <= n for n in neighbours], axis=0)


def _newton(characteristic, start, reach, known=()):
    """Newton's method from every start; what leaves its neighbourhood is no zero near it."""
    lam, going = start.astype(complex), np.arange(start.size)
    good = np.zeros(start.size, bool)
    for _ in range(40):
        at = lam[going]
        h = 1e-4 * (np.abs(at) + 1.0)
        points = np.concatenate([at, at + h, at - h])
        F, pole, log_scale = characteristic.value(points)
        for zero in known:
            F = F / (points - zero) / (points - np.conj(zero))
        relative = log_scale - np.tile(log_scale[: at.size], 3)
        f, up, down = np.split(F * pole * np.exp(relative), 3)
        slope = (up - down) / (2 * h)
        step = -f / np.where(slope == 0, np.inf, slope)
        step *= np.minimum(1, reach / 8 / np.maximum(np.abs(step), 1e-300))
        lam[going] = at + step
        near = np.abs(at + step - start[going]) < reach
        size = np.abs(step) / (np.abs(at) + 1.0)
        done = near & (size < 1e-10)
        # rounding may keep the steps from getting any shorter than this
        good[going[near & (size < 1e-6)]] = True
        going = going[near & ~done]
        if not going.size:
            break
    lam = lam[good]
    found = np.where(lam.imag < 0, lam.conj(), lam)
    found = found.real + 1j * np.where(found.imag < 1e-6 * np.abs(found), 0, found.imag)
    return found[found.imag <= characteristic.highest]
