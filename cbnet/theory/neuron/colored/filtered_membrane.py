"""A neuron whose synaptic variables take time to decay, in plain numbers."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Membrane:
    """dv/dt = f(v) + Σ x_i h_i(v), where x_i decays in τ_i and jumps by 1/τ_i at rate R_i.

    The mean of x_i is R_i and its variance R_i/(2τ_i), so that h_i(v) is what one spike does to v
    in all.

    Attributes
    ----------
    leak : callable
        f(v) in V/s.
    jumps : tuple of callable
        h_i(v) in V: h_E, h_I.
    rates, taus : tuple of float
        R_i in Hz; τ_i in s.
    threshold, reset, tau_rp : float
        In V, V, s.
    """

    leak: Callable
    jumps: tuple
    rates: tuple
    taus: tuple
    threshold: float
    reset: float
    tau_rp: float

    def drift(self, v):
        """F(v) = f + Σ R_i h_i, with every synaptic variable at its mean (V/s)."""
        return self.leak(v) + sum(R * h(v) for R, h in zip(self.rates, self.jumps, strict=True))

    def amplitudes(self, v):
        """Effect on dv/dt of one standard deviation of each x_i, which is the first axis."""
        return np.stack(
            [
                h(v) * np.sqrt(R / (2 * tau))
                for R, tau, h in zip(self.rates, self.taus, self.jumps, strict=True)
            ]
        )

    def rest(self):
        """Lowest stable root of the drift below the threshold, and −1/F' there; inf if none.

        Beyond the threshold a drift that is nearly a straight line is continued.
        """
        return self._rest

    @functools.cached_property
    def _rest(self):
        width = self.threshold - self.reset
        # fine at the threshold, and far enough for membranes that inhibition or leak hold low
        depth = width * np.concatenate(
            [np.geomspace(1e15, 300, 250)[:-1], np.geomspace(300, 1e-3, 500), [0]]
        )
        v = self.threshold - depth
        F = self.drift(v)
        falls = np.flatnonzero((F[:-1] > 0) & (F[1:] <= 0))
        if falls.size:
            low, high = v[falls[0]], v[falls[0] + 1]
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if self.drift(middle) > 0 else (low, middle)
            mu = low
        else:
            mu = None
        at = self.threshold if mu is None else mu
        # far away a step as short as that is rounded off
        step = max(1e-5 * width, 1e-6 * (self.threshold - at))
        slope = float(self.drift(at + step) - self.drift(at - step)) / (2 * step)
        tau = -1 / slope if slope < 0 else np.inf
        if mu is None:
            F_top = float(self.drift(self.threshold))
            mu = self.threshold + F_top * tau if F_top > 0 else -np.inf
        return mu, tau

    def free_sd(self, at):
        """Sd of v without threshold, in linear response, with the fluctuations at a potential."""
        _, tau = self.rest()
        if not np.isfinite(tau):
            return np.inf
        parts = zip(self.amplitudes(np.array(at)), self.taus, strict=True)
        return float(np.sqrt(sum(n**2 * tau**2 * t / (tau + t) for n, t in parts)))


def membrane(reduced, values, tau_rp):
    """From the model's strings.

    Parameters
    ----------
    reduced : Reduced
        Of a model with synaptic time constants.
    values : dict of str to float
        Parameters and total arrival rates ``R_E``, ``R_I``, SI.
    tau_rp : float
        Refractory time in s.

    Returns
    -------
    Membrane
    """
    plain = {name: value for name, value in values.items() if not isinstance(value, str)}
    taus = tuple(float(reduced.constant(f"tau_{population}", plain)) for population in "EI")
    return Membrane(
        leak=reduced.function("leak", plain),
        jumps=tuple(reduced.function(f"jump_{population}", plain) for population in "EI"),
        rates=(float(values["R_E"]), float(values["R_I"])),
        taus=taus,
        threshold=float(reduced.constant("threshold", plain)),
        reset=float(reduced.constant("reset", plain)),
        tau_rp=float(tau_rp),
    )
