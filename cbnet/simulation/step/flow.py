"""What the membrane does between two arrivals: the flow of dv/dt = f(v), up to the threshold."""

import numpy as np

from ...errors import ConvergenceError

_STEP = 0.1  # of 1/|f'| and of the distance on which f' changes: RK4 then errs by < 1e-7 a step
_MAX_STEPS = 100_000


def leak_flow(diffusion, values):
    """The flow of the leak of a model.

    Parameters
    ----------
    diffusion : Reduced
        The strings, reduced.
    values : dict
        Resolved parameters, scalars in SI.

    Returns
    -------
    callable
        ``(v, t) -> (v_after, crossing)``: arrays of the membrane potential (V) after times t (s),
        and of the time at which v reached the threshold, ``inf`` if it did not; v stays there.

    Assumptions
    -----------
    A leak that is a straight line has a closed form; any other is integrated with Runge–Kutta
    steps of fourth order, shorter where the leak is steep.
    """
    threshold = float(diffusion.constant("threshold", values))
    f, slope = diffusion.function("leak", values), diffusion.function("dleak", values)
    if diffusion.affine_leak:
        return _Affine(float(f(0.0)), float(slope(0.0)), threshold)
    return _Integrated(f, slope, threshold)


class _Affine:
    """f = f0 + s v."""

    def __init__(self, f0, s, threshold):
        self.s, self.threshold = s, threshold
        self.f0, self.f_threshold = f0, f0 + s * threshold

    def __call__(self, v, t):
        after = v + (self.f0 + self.s * v) * _phi1(self.s, t)
        crossing = np.full(np.shape(after), np.inf)
        if self.f_threshold > 0:
            crossed = (after > self.threshold) & (v <= self.threshold)
            start = np.broadcast_to(v, crossed.shape)[crossed]
            ratio = self.s * (self.threshold - start) / (self.f0 + self.s * start)
            small = np.abs(ratio) < 1e-12
            scaled = np.where(small, 1.0, np.log1p(ratio) / np.where(small, 1.0, ratio))
            crossing[crossed] = (self.threshold - start) / (self.f0 + self.s * start) * scaled
            after = np.where(crossed, self.threshold, after)
        return after, crossing


def _phi1(s, t):
    """(e^{st} − 1)/s, which is t for s = 0."""
    return np.expm1(s * t) / s if s else t


class _Integrated:
    def __init__(self, f, slope, threshold):
        self.f, self.slope, self.threshold = f, slope, threshold

    def __call__(self, v, t):
        shape = np.broadcast_shapes(np.shape(v), np.shape(t))
        after = np.array(np.broadcast_to(v, shape), float).ravel()
        left = np.array(np.broadcast_to(t, shape), float).ravel()
        whole = left.copy()
        crossing = np.full(after.shape, np.inf)
        # Above threshold, and rising: such a path never comes back, and may run to infinity.
        left[(after > self.threshold) & (self.f(after) > 0)] = 0.0
        going = np.flatnonzero(left > 0)
        for _ in range(_MAX_STEPS):
            if going.size == 0:
                return after.reshape(shape), crossing.reshape(shape)
            x = after[going]
            with np.errstate(divide="ignore"):
                h = np.minimum(left[going], _STEP / np.abs(self.slope(x)))
            end = runge_kutta(self.f, x, h)
            # The slope at the far end too: a step must not run into the steep part unawares.
            with np.errstate(divide="ignore"):
                h = np.minimum(h, _STEP / np.abs(self.slope(np.minimum(end, self.threshold))))
            end = runge_kutta(self.f, x, h)
            over = (end > self.threshold) & (x <= self.threshold)
            hit = going[over]
            # Within a step of 0.1/|f'| the path is straight to a few per cent of that step.
            fraction = (self.threshold - x[over]) / (end[over] - x[over])
            crossing[hit] = whole[hit] - left[hit] + fraction * h[over]
            after[going] = np.where(over, self.threshold, end)
            left[going] = np.where(over | (h >= left[going]), 0.0, left[going] - h)
            going = going[left[going] > 0]
        raise ConvergenceError(
            f"leak: got a flow that needs more than {_MAX_STEPS} steps; expected a leak that is "
            "bounded below the threshold; lower theta",
            best=after.reshape(shape),
        )


def runge_kutta(f, v, h):
    """One step of fourth order of dv/dt = f(v), of length h."""
    k1 = f(v)
    k2 = f(v + h / 2 * k1)
    k3 = f(v + h / 2 * k2)
    k4 = f(v + h * k3)
    return v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
