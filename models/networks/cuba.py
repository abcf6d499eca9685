"""CUBA: 4000 neurons with current synapses, whose leak alone makes them fire.

T. P. Vogels and L. F. Abbott, J. Neurosci. 25, 10786 (2005), as benchmark 2 of R. Brette et al.,
J. Comput. Neurosci. 23, 349 (2007), appendix 2 (ModelDB 83319). Where a number is not of that
appendix, the line says whose it is.
"""

from cbnet.errors import ParameterError
from cbnet.model.matrix import matrix
from cbnet.model.network import Network, Population
from cbnet.model.neuron import neuron
from cbnet.model.wirings import Bernoulli, FixedIn

SIZES = {"E": 3200, "I": 800}
PROBABILITY = 0.02
CAPACITANCE = 200.0  # pF: 20 000 µm² of 1 µF/cm²
CELL = {
    "tau_L": "20 ms",  # 200 pF/10 nS
    "E_L": "-49 mV",
    "theta": "-50 mV",
    "V_r": "-60 mV",
    "tau_rp": "5 ms",
    "tau_E": "5 ms",
    "tau_I": "10 ms",
}
DECAY = {"E": 5.0, "I": 10.0}  # ms
JUMP = {"E": 0.27, "I": 4.5}  # nS
DRIVING = {"E": 60.0, "I": 20.0}  # mV, |E_rev + 60 mV| with E_rev 0 and -80 mV
NEST_JUMP = {"E": 16.2, "I": 139.5}  # pA; NEST's example: inhibition as at -49 mV

WIRINGS = {"bernoulli": Bernoulli(), "fixed": FixedIn()}


def jump(kind, weights="specified"):
    """A jump of the current, pA, without its sign."""
    return NEST_JUMP[kind] if weights == "nest" else JUMP[kind] * DRIVING[kind]


def efficacy(kind, weights="specified"):
    """ΔI τ/C, mV: by how much a synapse moves v without a leak."""
    return jump(kind, weights) * DECAY[kind] / CAPACITANCE  # pA ms/pF


def network(wiring="bernoulli", weights="specified", delay="0 ms"):
    """Two populations, E and I; v starts uniformly between reset and threshold (Brian's version).

    Parameters
    ----------
    wiring : {"bernoulli", "fixed"}
        Every pair with probability 0.02; or exactly 64 and 16 sources, as in NEST's and NEURON's
        versions.
    weights : {"specified", "nest"}
        16.2 and -90 pA; or 16.2 and -139.5 pA.
    delay : Quantity
        None in the specification: a spike arrives in the next step.
    """
    if wiring not in WIRINGS:
        raise ParameterError(f"wiring: got {wiring!r}; expected one of {', '.join(WIRINGS)}")
    if weights not in ("specified", "nest"):
        raise ParameterError(f"weights: got {weights!r}; expected one of specified, nest")
    cells = neuron("current", **CELL)
    return Network(
        [Population(name, cells, size) for name, size in SIZES.items()],
        matrix(
            list(SIZES),
            kinds=list(SIZES),
            probability=[[PROBABILITY] * 2] * 2,
            w=[f"{efficacy(kind, weights)} mV" for kind in SIZES],
            delay=delay,
            wiring=WIRINGS[wiring],
        ),
    )
