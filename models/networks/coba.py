"""COBA: 4000 neurons with conductance synapses that keep each other active.

T. P. Vogels and L. F. Abbott, J. Neurosci. 25, 10786 (2005), as benchmark 1 of R. Brette et al.,
J. Comput. Neurosci. 23, 349 (2007), appendix 2 (ModelDB 83319). Where a number is not of that
appendix, the line says whose it is.
"""

from cbnet.errors import ParameterError
from cbnet.model.distributions import Normal
from cbnet.model.matrix import matrix
from cbnet.model.network import Input, Network, Population
from cbnet.model.neuron import neuron
from cbnet.model.si import SI
from cbnet.model.wirings import Bernoulli, FixedIn

SIZES = {"E": 3200, "I": 800}
PROBABILITY = 0.02
CAPACITANCE = 200.0  # pF: 20 000 µm² of 1 µF/cm²
CONDUCTANCE = 10.0  # nS, of the leak: 5e-5 S/cm²
CELL = {
    "tau_L": "20 ms",  # 200 pF/10 nS
    "E_L": "-60 mV",
    "E_E": "0 mV",
    "E_I": "-80 mV",
    "theta": "-50 mV",
    "V_r": "-60 mV",
    "tau_rp": "5 ms",
    "tau_E": "5 ms",
    "tau_I": "10 ms",
}
DECAY = {"E": 5.0, "I": 10.0}  # ms
JUMP = {"E": 6.0, "I": 67.0}  # nS

# ModelDB 83319, Brian/COBA.py: mean and standard deviation of what neurons begin with
START_V = ("-65 mV", "5 mV")
START_G = {"E": (4.0, 1.5), "I": (20.0, 12.0)}  # in units of the leak's conductance

# NEST's example brette_et_al_2007 (ModelDB 83319 as well): trains at so many E neurons
KICKED, KICK_RATE, KICK_ENDS = 50, "300 Hz", "50 ms"

WIRINGS = {"bernoulli": Bernoulli(), "fixed": FixedIn()}
STARTS = ("distributed", "kick", "rest")


def efficacy(kind):
    """A jump of the conductance as the area Δg τ/C of its decay, a number."""
    return JUMP[kind] * DECAY[kind] / CAPACITANCE  # nS ms/pF


def network(wiring="bernoulli", start="distributed", delay="0 ms"):
    """Two populations, E and I.

    Parameters
    ----------
    wiring : {"bernoulli", "fixed"}
        Every pair with probability 0.02; or exactly 64 and 16 sources, as in NEST's and NEURON's
        versions.
    start : {"distributed", "kick", "rest"}
        v and conductances drawn about those of the active network, as in Brian's version; v at
        rest and Poisson input onto 50 excitatory neurons for 50 ms, as in NEST's; or rest, from
        which nothing happens.
    delay : Quantity
        None in the specification: a spike arrives in the next step.
    """
    if wiring not in WIRINGS:
        raise ParameterError(f"wiring: got {wiring!r}; expected one of {', '.join(WIRINGS)}")
    if start not in STARTS:
        raise ParameterError(f"start: got {start!r}; expected one of {', '.join(STARTS)}")
    cells = neuron("conductance", **CELL)
    initial = _distributed() if start == "distributed" else {"v": CELL["E_L"]}
    kick = Input(
        "kick",
        "E",
        "E",
        number=SI(KICKED / SIZES["E"]),
        w=efficacy("E"),
        rate=KICK_RATE,
        wiring=Bernoulli(),
        until=KICK_ENDS,
    )
    return Network(
        [Population(name, cells, size, initial=initial) for name, size in SIZES.items()],
        matrix(
            list(SIZES),
            kinds=list(SIZES),
            probability=[[PROBABILITY] * 2] * 2,
            w=[efficacy(kind) for kind in SIZES],
            delay=delay,
            wiring=WIRINGS[wiring],
        ),
        [kick] if start == "kick" else [],
    )


def _distributed():
    per_leak = CONDUCTANCE / CAPACITANCE * 1e3  # of a conductance over the capacitance: Hz
    filtered = {
        f"s_{kind}": Normal(*(f"{x * per_leak} Hz" for x in law)) for kind, law in START_G.items()
    }
    return {"v": Normal(*START_V), **filtered}
