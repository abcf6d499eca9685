"""Random neurons under Poisson input, for theory to be held against other solutions.

`draw(seed, index)` is always the same neuron; what it prints makes it again.
"""

import dataclasses
import functools
import math

import numpy as np
from brian2 import Hz, ms, mV

import cbnet

UNITS = dict.fromkeys(("E_L", "E_E", "E_I", "theta", "V_r", "V_match", "Delta_T", "V_T"), mV)
UNITS |= dict.fromkeys(("tau_L", "tau_rp", "tau_E", "tau_I"), ms) | {"r_E": Hz, "r_I": Hz}
LEAK = "dv/dt = (E_L - v + Delta_T*exp((v - V_T)/Delta_T))/tau_L"
JUMPS = {
    ("current", "linear"): ("a*(E_E - V_match)", "g*a*(E_I - V_match)"),
    ("conductance", "linear"): ("a*(E_E - v_post)", "g*a*(E_I - v_post)"),
    ("conductance", "exponential"): (
        "(1 - exp(-a))*(E_E - v_post)",
        "(1 - exp(-g*a))*(E_I - v_post)",
    ),
}
FASTEST = 0.3  # ms between spikes without noise
FILTERED = {
    "current": ("s_E + s_I", "volt/second", "a*(E_E - V_match)", "g*a*(E_I - V_match)"),
    "conductance": ("s_E*(E_E - v) + s_I*(E_I - v)", "Hz", "a", "g*a"),
}


@dataclasses.dataclass(frozen=True)
class Neuron:
    """A leaky (``"lif"``) or exponential (``"eif"``) neuron with its inputs.

    Its synapses are filtered if there are `tau_E` and `tau_I` among its values.

    Attributes
    ----------
    membrane, synapses, jump : str
        ``"lif"`` or ``"eif"``, ``"current"`` or ``"conductance"``, ``"linear"`` or
        ``"exponential"``.
    values : dict of str to float
        Parameters and rates of inputs in mV, ms and Hz.
    """

    membrane: str
    synapses: str
    jump: str
    values: dict

    def __getattr__(self, name):
        try:
            return self.__getattribute__("values")[name]
        except KeyError:
            raise AttributeError(name) from None

    def params(self):
        """cbnet's Parameters, rates of inputs included."""
        values = {name: x * UNITS.get(name, 1) for name, x in self.values.items()}
        if self.membrane == "eif":
            return cbnet.Parameters(_exponential(self.synapses, self.jump)).replace(**values)
        if self.synapses == "conductance" and "tau_E" not in values:
            values["jump"] = self.jump
        return cbnet.load(self.synapses).replace(**values)

    def jumps(self):
        """(c, E, J) of an excitatory and of an inhibitory arrival: v moves by c (E − v) + J."""
        each = (self.a, self.E_E), (self.g * self.a, self.E_I)
        if self.synapses == "current":
            return tuple((0.0, E, share * (E - self.V_match)) for share, E in each)
        if self.jump == "exponential":
            each = tuple((-math.expm1(-share), E) for share, E in each)
        return tuple((share, E, 0.0) for share, E in each)

    def arrivals(self):
        """Total rates of excitatory and inhibitory arrivals in 1/ms."""
        return self.K * self.r_E / 1e3, self.gamma * self.K * self.r_I / 1e3

    def leak(self, v):
        """dv/dt between arrivals in mV/ms."""
        spike = 0.0
        if self.membrane == "eif":
            spike = self.Delta_T * np.exp((v - self.V_T) / self.Delta_T)
        return (self.E_L - v + spike) / self.tau_L

    def drift_and_noise(self, v):
        """A (mV/ms) and B² (mV²/ms) of white noise."""
        A, B2 = self.leak(v), 0.0
        for (c, E, J), R in zip(self.jumps(), self.arrivals(), strict=True):
            h = c * (E - v) + J
            A, B2 = A + R * h, B2 + R * h**2
        return A, B2

    def replace(self, **changes):
        """The same neuron with other values."""
        return dataclasses.replace(self, values=self.values | changes)


@functools.cache
def _exponential(synapses, jump):
    """An exponential integrate-and-fire neuron in cbnet's terms."""
    current, unit, *charges = FILTERED[synapses]
    filters = [f"ds_{kind}/dt = -s_{kind}/tau_{kind} : {unit}" for kind in "EI"]
    own = {"Delta_T": 2 * mV, "V_T": -50 * mV, "theta": -40 * mV}
    if synapses == "current":
        own["V_match"] = -50 * mV
    excitatory, inhibitory = JUMPS[synapses, jump]
    return cbnet.Model(
        name=f"exponential_{synapses}",
        equations=f"{LEAK} : volt (unless refractory)",
        excitatory=f"v_post += {excitatory}",
        inhibitory=f"v_post += {inhibitory}",
        parameters=own,
        variants={
            "filtered": cbnet.model.Coupling(
                equations="\n".join([f"{LEAK} + {current} : volt (unless refractory)", *filters]),
                excitatory=f"s_E_post += {charges[0]}/tau_E",
                inhibitory=f"s_I_post += {charges[1]}/tau_I",
            )
        },
    )


def draw(seed, index, distance=(-6.0, 6.5)):
    """A neuron between silence and saturation.

    Parameters
    ----------
    seed, index : int
        What it is drawn from.
    distance : tuple of float
        Range of the distance from the mean potential up to the threshold, in sds of v.

    Returns
    -------
    Neuron
    """
    rng = np.random.default_rng((seed, index))
    while True:
        neuron = _tuned(_untuned(rng), rng.uniform(*distance))
        if neuron is not None:
            return neuron


def draw_filtered(seed, index, ratio=(-2.0, 1.0), distance=(-6.0, 2.5), most=60.0, few=False):
    """A neuron whose synapses have time constants.

    Parameters
    ----------
    seed, index : int
        What it is drawn from.
    ratio : tuple of float
        Range of log10 of the excitatory time constant over that of the membrane.
    distance : tuple of float
        As for :func:`draw`.
    most : float
        Largest rate of all arrivals, in 1/ms.
    few : bool
        Whether a time constant sees a hundredth to one arrival, whatever `ratio` says.

    Returns
    -------
    Neuron
    """
    rng = np.random.default_rng((seed, index, 1))
    while True:
        neuron = _tuned(_untuned(rng), rng.uniform(*distance))
        if neuron is None or sum(neuron.arrivals()) > most:
            continue
        tau_E = neuron.tau_L * 10 ** rng.uniform(*ratio)
        if few:
            tau_E = 10 ** rng.uniform(-2, 0) / max(neuron.arrivals())
        tau_I = tau_E * (1.0 if rng.random() < 1 / 2 else 10 ** rng.uniform(-0.6, 0.6))
        return dataclasses.replace(
            neuron, jump="linear", values=neuron.values | {"tau_E": tau_E, "tau_I": tau_I}
        )


def _untuned(rng):
    """Everything but the rate of inhibitory inputs."""

    def log_uniform(low, high):
        return math.exp(rng.uniform(math.log(low), math.log(high)))

    membrane = "eif" if rng.random() < 1 / 3 else "lif"
    synapses = "current" if rng.random() < 1 / 3 else "conductance"
    exponential = synapses == "conductance" and rng.random() < 1 / 4
    E_L = rng.uniform(-80, -60)
    v = {"E_L": E_L, "tau_L": rng.uniform(5, 30), "tau_rp": float(rng.choice([0, 1, 10]))}
    if v["tau_rp"]:
        v["tau_rp"] *= rng.uniform(0.1, 1)
    if membrane == "eif":
        v |= {"Delta_T": log_uniform(0.5, 4), "V_T": E_L + rng.uniform(6, 25)}
        v["theta"] = v["V_T"] + v["Delta_T"] * rng.uniform(2, 7)
    else:
        v["theta"] = E_L + rng.uniform(4, 30)
    close = rng.random() < 1 / 4
    v["V_r"] = v["theta"] - (log_uniform(0.1, 2) if close else rng.uniform(2, 25))
    v["E_E"] = max(rng.uniform(-15, 15), v["theta"] + 20)
    v["E_I"] = min(E_L + rng.uniform(-20, 10), v["theta"] - 3)
    if synapses == "current":
        v["V_match"] = max(v["theta"] + rng.uniform(-3, 2), v["E_I"] + 2)
    v |= {"K": int(log_uniform(10, 10_001)), "gamma": rng.uniform(0.2, 1)}
    v |= {"g": log_uniform(0.2, 20), "r_E": log_uniform(1, 100), "r_I": 0.0}
    strongest = 30 if synapses == "conductance" else 4  # charge of a time constant's arrivals
    v["a"] = log_uniform(0.2, strongest) / (v["K"] * v["r_E"] / 1e3 * v["tau_L"])
    return Neuron(membrane, synapses, "exponential" if exponential else "linear", v)


def _tuned(neuron, distance):
    """With inhibition that holds the mean at a distance below the threshold; None if none does."""
    if neuron.a > 0.2 or neuron.g * neuron.a > 0.5:
        return None  # few arrivals would carry v all the way
    low, high = 0.0, 200.0
    if not _sds_below(neuron.replace(r_I=low)) < distance < _sds_below(neuron.replace(r_I=high)):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        below = _sds_below(neuron.replace(r_I=middle)) < distance
        low, high = (middle, high) if below else (low, middle)
    neuron = neuron.replace(r_I=float(f"{high:.12g}"))
    speed = max(neuron.drift_and_noise(v)[0] for v in (neuron.V_r, neuron.theta))
    fastest = neuron.tau_rp + (neuron.theta - neuron.V_r) / max(speed, 1e-9)
    return neuron if fastest > FASTEST else None


def _sds_below(neuron):
    """Distance of the free mean to the threshold in sds of v, the spike current left out."""
    top = neuron.theta
    leak = neuron.values
    if neuron.membrane == "eif":
        top = neuron.V_T + neuron.Delta_T
        leak = {name: x for name, x in leak.items() if name not in ("Delta_T", "V_T")}
    passive = dataclasses.replace(neuron, membrane="lif", values=leak)
    (A_0, _), (A_1, _) = passive.drift_and_noise(0.0), passive.drift_and_noise(1.0)
    mu = A_0 / (A_0 - A_1)
    sd = math.sqrt(passive.drift_and_noise(mu)[1] / (2 * (A_0 - A_1)))
    return (top - mu) / sd
