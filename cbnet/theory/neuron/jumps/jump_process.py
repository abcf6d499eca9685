"""A membrane that jumps: leak, jumps and rates as functions of v, and how rare an excursion is.

The chance of an excursion from the resting state up to v falls as e^{−∫ q dv}, where q is the root
other than zero of

    R_E (e^{q h_E} − 1) + R_I (e^{q h_I} − 1) + q f = 0

(h the jump, f the leak at v): the momentum of the optimal path of the jump process. For jumps that
are small against 1/q it is −2A/B², the slope Ψ' of white noise. The same equation under the
integral C_shot is what the efficacy times ln K tends to.
"""

from dataclasses import dataclass, replace

import numpy as np

_NEWTON = 60
_FLOW_STEPS = 32  # of the membrane's move for one arrival at a synapse whose filter is taken away
_STEEPEST = 600.0  # e^(q h) that floats hold
_SAME = 1e-12  # potentials, relative
_NO_EXCITATION = 1e-12  # arrivals added, relative to others, where there are none


@dataclass(frozen=True)
class JumpProcess:
    """One neuron under two kinds of Poisson arrivals.

    Attributes
    ----------
    leak, up, down : callable
        f(v) in V/s, and by how much an excitatory and an inhibitory arrival move v, in V.
    R_E, R_I : float
        Total rates of arrivals in Hz.
    threshold, reset, tau_rp : float
        In V, V and s.
    straight : bool
        Whether leak and jumps are straight lines in v.
    """

    leak: object
    up: object
    down: object
    R_E: float
    R_I: float
    threshold: float
    reset: float
    tau_rp: float
    straight: bool = False

    def drift(self, v):
        """Itô drift, V/s."""
        return self.leak(v) + self.R_E * self.up(v) + self.R_I * self.down(v)

    def noise(self, v):
        """Squared noise of the diffusion approximation, V²/s."""
        return self.R_E * self.up(v) ** 2 + self.R_I * self.down(v) ** 2

    def momentum(self, v):
        """q(v) in 1/V: positive where the drift pulls down; ±inf where no path leads on."""
        v = np.asarray(v, float)
        return momentum(self.leak(v), self.up(v), self.down(v), self.R_E, self.R_I)


def momentum(f, h_E, h_I, R_E, R_I):
    """The root q other than zero of R_E (e^{q h_E} − 1) + R_I (e^{q h_I} − 1) + q f = 0.

    Parameters
    ----------
    f, h_E, h_I : ndarray, shape (N,)
        Leak (V/s) and jumps (V).
    R_E, R_I : float
        Rates (Hz).

    Returns
    -------
    ndarray, shape (N,)
        In 1/V. With no path in the direction against the drift it is ±inf, without drift 0.
    """
    A = f + R_E * h_E + R_I * h_I
    sign = np.where(A < 0, 1.0, -1.0)
    # in units of 1/scale, and reflected so that the root is positive
    R_E, R_I = R_E + 0 * f, R_I + 0 * f
    scale = np.maximum(np.abs(h_E) * (R_E > 0), np.abs(h_I) * (R_I > 0))
    scale = np.where(scale > 0, scale, 1.0)
    total = R_E + R_I + np.abs(f) / scale
    total = np.where(total > 0, total, 1.0)
    x_E, x_I, y = sign * h_E / scale, sign * h_I / scale, sign * f / scale / total
    p_E, p_I = R_E / total, R_I / total
    against = ((x_E > 0) & (p_E > 0)) | ((x_I > 0) & (p_I > 0)) | (y > 0)
    slope = y + p_E * x_E + p_I * x_I
    bend = p_E * x_E**2 + p_I * x_I**2
    q = np.where(bend > 0, -2 * slope / np.where(bend > 0, bend, 1.0), 1.0)
    q = np.clip(np.where(against, q, 1.0), 1e-300, 1.0)

    def value(q):
        arguments = np.minimum(q * x_E, _STEEPEST), np.minimum(q * x_I, _STEEPEST)
        return p_E * np.expm1(arguments[0]) + p_I * np.expm1(arguments[1]) + q * y

    # to the right of the root, from where Newton's method descends: the function is convex
    for _ in range(64):
        left = against & (value(q) < 0) & (q < 1e15)
        if not left.any():
            break
        q = np.where(left, 1.5 * q, q)
    for _ in range(_NEWTON):
        E, I = (np.minimum(q * x, _STEEPEST) for x in (x_E, x_I))  # noqa: E741
        derivative = p_E * x_E * np.exp(E) + p_I * x_I * np.exp(I) + y
        step = np.where(derivative > 0, value(q) / np.where(derivative > 0, derivative, 1.0), 0.0)
        q = np.where(step < q, q - np.maximum(step, 0), q / 2)
        if np.all(np.abs(step) <= 1e-9 * q):
            break
    return np.where(A == 0, 0.0, np.where(against, sign * q / scale, sign * np.inf))


def origin(jump, v):
    """Points from which an arrival leads to v."""
    start = v - jump(v)
    step = 1e-6 * (np.abs(v - start) + 1e-3 * np.abs(v).max())
    for _ in range(20):
        slope = 1 + (jump(start + step) - jump(start - step)) / (2 * step)
        change = (start + jump(start) - v) / np.where(np.abs(slope) > 1e-3, slope, 1e-3)
        start = start - change
        if np.abs(change).max() <= _SAME * np.abs(v).max():
            break
    return start


def of_neuron(neuron, r_E, r_I):
    """The jump processes of some inputs (in Hz) of a neuron: a list.

    Jumps are those of the model's strings. For filtered synapses, whose time constants are taken to
    zero, an arrival moves v along dv/dq = h(v) for one unit of charge.
    """
    columns = neuron.bound(r_E, r_I)
    found = []
    for k in range(r_E.size):
        values = {
            name: float(x[k if x.shape[0] > 1 else 0, 0]) if isinstance(x, np.ndarray) else x
            for name, x in columns.items()
        }
        found.append(
            JumpProcess(
                leak=neuron.reduced.function("leak", values),
                up=_displacement(neuron.reduced, "E", values),
                down=_displacement(neuron.reduced, "I", values),
                R_E=values["R_E"],
                R_I=values["R_I"],
                threshold=neuron.threshold,
                reset=neuron.reset,
                tau_rp=neuron.tau_rp,
                straight=neuron.reduced.affine_leak and neuron.reduced.affine_jumps,
            )
        )
    return found


def of_membrane(membrane):
    """The jump process that a membrane with filtered synapses becomes for vanishing filters."""
    straight = all(_is_straight(f, membrane) for f in (membrane.leak, *membrane.jumps))
    up, down = (_along(h, straight) for h in membrane.jumps)
    ends = membrane.threshold, membrane.reset, membrane.tau_rp
    return JumpProcess(membrane.leak, up, down, *membrane.rates, *ends, straight)


def _is_straight(function, membrane):
    v = np.linspace(membrane.reset, membrane.threshold, 5)
    f = function(v)
    return bool(np.abs(np.diff(f, 2)).max() <= 1e-9 * np.abs(f).max())


def _displacement(reduced, name, values):
    h = reduced.function(f"jump_{name}", values)
    return h if reduced.targets[name] == "v" else _along(h, reduced.affine_jumps)


def _along(h, straight):
    """The displacement by one unit of charge along dv/dq = h(v)."""
    if straight:
        slope = float(h(1.0) - h(0.0))
        factor = np.expm1(slope) / slope if abs(slope) > 1e-12 else 1.0
        return lambda v: h(v) * factor

    def along(v):
        moved, step = 0.0 * v, 1 / _FLOW_STEPS
        for _ in range(_FLOW_STEPS):
            k1 = h(v + moved)
            k2 = h(v + moved + k1 * step / 2)
            k3 = h(v + moved + k2 * step / 2)
            k4 = h(v + moved + k3 * step)
            moved = moved + (k1 + 2 * k2 + 2 * k3 + k4) * step / 6
        return moved

    return along


def with_excitation(process):
    """The process with arrivals from below, and whether it has none and cannot fire.

    Without any excitation nothing leads up against the leak; very rare arrivals keep the equations
    regular, and change time averages by as little. None for a neuron without input at rest.
    """
    if process.R_E > 0:
        return process, False
    v = np.linspace(process.reset, process.threshold, 200)
    blocked = bool((process.leak(v) <= 0).any())
    if process.R_I == 0 and blocked:
        return None, True
    rate = process.R_I + float(np.abs(process.leak(v)).max() / (v[-1] - v[0]))
    return replace(process, R_E=_NO_EXCITATION * rate), blocked
