"""Excitatory neurons and two kinds of interneurons, PV and SOM, of one layer.

H. Bos, A.-M. Oswald and B. Doiron (2020), as in hannahbos/disinhibitory_pathways
(create_figures_helpers.py, network_params.py, network.py, helpers.py).
"""

import math

import numpy as np

from cbnet.errors import ParameterError
from cbnet.model.distributions import Normal
from cbnet.model.matrix import matrix
from cbnet.model.network import Input, Network, Population
from cbnet.model.neuron import neuron
from cbnet.model.postsynaptic import charge_of_peak
from cbnet.model.wirings import FixedTotal

NAMES = ("E", "PV", "SOM")
KINDS = ("E", "I", "I")
SIZES = (4136, 564, 470)  # inhibitory: a quarter of E; SOM to PV as 30 to 36

# probability that a pair has at least one synapse; rows: targets, columns: sources
PROBABILITY = (
    #  E    PV   SOM
    (0.03, 0.1, 0.10),  # E
    (0.05, 0.1, 0.07),  # PV
    (0.05, 0.0, 0.00),  # SOM
)
# what figure 2 has in place of these, and (inhibition from outside onto E, onto SOM) of its axis a
PANELS = {
    "A": ({("E", "SOM"): 0.0, ("PV", "SOM"): 0.1, ("SOM", "E"): 0.0}, lambda a: (20, 45 * (1 - a))),
    "B": ({("E", "SOM"): 0.1, ("PV", "SOM"): 0.0, ("SOM", "E"): 0.0}, lambda a: (0, 45 * a)),
}
OUTSIDE = (0.0, 45.0)  # without panels

TAU_M, TAU_S = 10.0, 0.5  # ms
CELL = {
    "tau_L": f"{TAU_M} ms",
    "E_L": "-65 mV",
    "theta": "-50 mV",
    "V_r": "-65 mV",
    "tau_rp": "2 ms",
    "tau_S": f"{TAU_S} ms",
}
PSP = 0.15 * 100 / math.sqrt(0.05 * 4136)  # mV, peak: 1.0431
G = 4.0  # inhibition over excitation
SPREAD = 0.1  # relative, of efficacies
DELAY = (1.5, 0.75, 0.75)  # ms, by source
DELAY_SPREAD = 1.0  # relative
SHORTEST = "0.1 ms"  # below which delays are drawn again
START = ("-58 mV", "10 mV")

RATE = "8 Hz"  # of each train from outside
K_EXCITATION = (227.48, 206.8, 206.8)
PER_INHIBITION = 2.068


def synapses(C, sources, targets):
    """How many synapses there are if a share C of pairs has one, cut to a whole number."""
    return int(math.log(1 - C) / math.log(1 - 1 / (sources * targets)))


def network(panels=None, a=None, spread=SPREAD):
    """Populations E, PV and SOM; inputs of excitation and of inhibition.

    Parameters
    ----------
    panels : {"A", "B"}, optional
        Variants of figure 2: without synapses from SOM to E, or from SOM to PV.
    a : float, optional
        Of `panels`: their axis, 0 to 0.7 (A) and 0.5 to 1 (B).
    spread : float
        Relative, of the efficacies of a projection; with 0 they are numbers, as theory wants them.
    """
    if (panels is None) != (a is None) or panels not in (None, *PANELS):
        raise ParameterError(
            f"panels: got {panels!r} with a = {a}; expected A or B and a number, or neither"
        )
    changed, inhibition = PANELS[panels] if panels else ({}, lambda a: OUTSIDE)
    C = np.array(PROBABILITY)
    for (target, source), value in changed.items():
        C[NAMES.index(target), NAMES.index(source)] = value
    number = [
        [synapses(C[t, s], SIZES[s], SIZES[t]) / SIZES[t] for s in range(3)] for t in range(3)
    ]
    charge = charge_of_peak(PSP, TAU_M, TAU_S)
    w = [f"{charge * (1 if k == 'E' else G)} mV" for k in KINDS]
    cells = neuron("current", **CELL)
    return Network(
        [
            Population(n, cells, size, initial=Normal(*START))
            for n, size in zip(NAMES, SIZES, strict=True)
        ],
        matrix(
            NAMES,
            kinds=KINDS,
            number=number,
            wiring=FixedTotal(multapses=True),
            w=Normal(w, cv=spread) if spread else w,
            delay=Normal([f"{d} ms" for d in DELAY], cv=DELAY_SPREAD, at_least=SHORTEST),
        ),
        [*_excitation(charge), *_inhibition(charge, *inhibition(a))],
    )


def _excitation(charge):
    return [
        Input("excitation", name, "E", number=K, w=f"{charge} mV", rate=RATE)
        for name, K in zip(NAMES, K_EXCITATION, strict=True)
    ]


def _inhibition(charge, onto_E, onto_SOM):
    return [
        Input("inhibition", name, "I", number=K * PER_INHIBITION, w=f"{G * charge} mV", rate=RATE)
        for name, K in (("E", onto_E), ("SOM", onto_SOM))
        if K
    ]
