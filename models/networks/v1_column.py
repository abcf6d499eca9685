"""A column of mouse V1: 17 populations with AMPA, NMDA and GABA receptors.

G. Moreni et al., PLoS Comput. Biol. (2025), bioRxiv 2024.04.02.587673, as in
GiuliaMoreni95/Cortical_column_model_perturbations (import_files, scripts_simulations), in its
spontaneous state.
"""

import numpy as np

from cbnet.errors import ParameterError
from cbnet.model.matrix import matrix
from cbnet.model.network import Input, Network, Population, Projection
from cbnet.model.neuron import Neuron, Synapse
from cbnet.model.wirings import Bernoulli, Explicit

# Of each population C (pF), g_L (nS), E_L = V_r = E_GABA (mV), threshold (mV), refractory time
# (ms), rate of the background (Hz)
CELLS = {
    "E23": (123.41, 2.47, -80.97, -40.53, 3, 930),
    "PV23": (70.95, 9.49, -82.35, -56.32, 1.26, 1460),
    "SST23": (82.34, 3.17, -69.16, -39.95, 1.85, 870),
    "VIP23": (41.23, 6.4, -67.94, -41.34, 2.75, 1405),
    "E4": (80.16, 5.16, -72.53, -47.63, 4.4, 890),
    "PV4": (81.21, 9.19, -70.45, -44.23, 1.5, 1980),
    "SST4": (132.86, 7.96, -74.2, -44.07, 2.2, 2105),
    "VIP4": (40.3, 1.87, -63.14, -40.89, 2.4, 240),
    "E5": (149.43, 16.66, -68.28, -40.55, 4.25, 4740),
    "PV5": (70.9, 5.21, -77.5, -51.2, 1.85, 930),
    "SST5": (52.32, 3.43, -70.01, -47.38, 1.9, 530),
    "VIP5": (59.29, 6.52, -72, -51.2, 2.55, 870),
    "E6": (99.96, 5.88, -77.5, -42.31, 3.3, 1770),
    "PV6": (49.65, 6.86, -76.42, -49.06, 1.65, 1170),
    "SST6": (96.09, 2.99, -62.99, -37.19, 2.1, 885),
    "VIP6": (65.87, 6.09, -78.85, -44.81, 2.85, 1620),
    "VIP1": (37.11, 4.07, -65.5, -40.2, 3.5, 650),
}
NAMES = tuple(CELLS)
TYPES = tuple(name.rstrip("0123456789") for name in NAMES)

# Shares of the layers (without layer 1), and of PV, SST and VIP in the inhibitory 15 % of each
LAYERS = {
    "23": (0.291088453, (0.295918, 0.214286, 0.489796)),
    "4": (0.237625904, (0.552381, 0.295238, 0.152381)),
    "5": (0.17425693, (0.485714, 0.428571, 0.085714)),
    "6": (None, (0.458333, 0.458333, 0.083333)),
}
INHIBITORY = 0.15
LAYER_1 = 0.0192574218


def _table(text):
    """Rows of numbers below the names of the columns, each after its own name."""
    columns, *rows = (line.split() for line in text.strip().splitlines())
    if tuple(columns) != NAMES or tuple(row[0] for row in rows) != NAMES:
        raise ValueError("the names in the table are not those of the populations")
    return np.array([row[1:] for row in rows], float)


# Probability of a connection; rows: sources, columns: targets, both as above (connectionsPro.txt)
PROBABILITY = _table("""
           E23 PV23 SST23 VIP23   E4  PV4 SST4 VIP4   E5  PV5 SST5 VIP5   E6  PV6 SST6 VIP6 VIP1
    E23    .16 .395  .182  .105 .016 .083 .083 .083 .083 .081 .102    0    0    0    0    0    0
    PV23  .411 .451   .03   .22  .05  .05  .05  .05  .07 .073    0    0    0    0    0    0 .024
    SST23 .424 .857  .082   .77  .05  .05  .05  .05 .021    0    0    0    0    0    0    0 .279
    VIP23 .087  .02  .625  .028  .05  .05  .05  .05    0    0    0    0    0    0    0    0    0
    E4     .14   .1    .1    .1 .243  .43 .571 .571 .104 .101 .128  .05 .032    0    0    0    0
    PV4    .25  .05   .05   .05 .437 .451  .03  .22 .088 .091  .03  .03    0    0    0    0    0
    SST4   .25  .05   .05   .05 .351 .857 .082  .77 .026  .03    0  .03    0    0    0    0 .241
    VIP4   .25  .05   .05   .05 .351  .02 .625 .028    0  .03  .03  .03    0    0    0    0    0
    E5    .021  .05   .05   .05 .007  .05  .05  .05 .116 .083 .063 .105 .047  .03  .03  .03 .017
    PV5      0 .102     0     0    0 .034  .03  .03 .455 .361  .03  .22  .03  .01  .01  .01    0
    SST5  .169    0  .017     0 .056  .03 .006  .03 .317 .857  .04  .77  .03  .01  .01  .01 .203
    VIP5     0    0     0     0  .03  .03  .03  .03 .125  .02 .625  .02  .03  .01  .01  .01    0
    E6       0    0     0     0    0    0    0    0 .012  .01  .01  .01 .026 .145   .1   .1    0
    PV6     .1    0     0     0   .1    0    0    0   .1  .03  .03  .03   .1  .08   .1  .08    0
    SST6     0    0     0     0    0    0    0    0  .03  .03  .03  .03   .1  .05  .05  .05    0
    VIP6     0    0     0     0    0    0    0    0  .03  .03  .03  .03   .1  .05  .05  .03    0
    VIP1  .356 .093  .068  .464 .148    0    0    0 .148    0    0    0 .148    0    0    0 .656
    """)
# Factors of the revised probabilities by type of source and target (connectionsPro_final.txt);
# all others are from inhibitory to inhibitory neurons
REVISED = {
    ("E", "E"): 0.7168, ("E", "PV"): 0.6244, ("E", "SST"): 0.6742, ("E", "VIP"): 0.6742,
    ("PV", "E"): 0.6388, ("SST", "E"): 0.5890, ("VIP", "E"): 0.6742,
}  # fmt: skip
INHIBITORY_REVISED = 0.7371

# Strengths; rows: sources, columns: targets (connectionsStren.txt)
STRENGTH = _table("""
           E23 PV23 SST23 VIP23   E4  PV4 SST4 VIP4   E5  PV5 SST5 VIP5   E6  PV6 SST6 VIP6 VIP1
    E23    .36 1.49   .86  1.31  .34 1.39  .69  .91  .74 1.32  .53    0    0    0    0    0    0
    PV23   .48  .68   .42   .41  .56  .68  .42  .41   .2  .79    0    0    0    0    0    0  .37
    SST23  .31   .5   .15   .52   .3   .5  .15  .52  .22    0    0    0    0    0    0    0  .47
    VIP23  .28  .18   .32   .37  .29  .18  .32  .37    0    0    0    0    0    0    0    0    0
    E4     .78 1.39   .69   .91  .83 1.29  .51  .51  .63 1.25  .52  .91  .96    0    0    0    0
    PV4    .56  .68   .42   .41  .64  .68  .42  .41  .73  .94  .42  .41    0    0    0    0    0
    SST4    .3   .5   .15   .52  .29   .5  .15  .52  .28  .45  .28  .52    0    0    0    0  .39
    VIP4   .29  .18   .32   .37  .29  .18  .32  .37    0  .18  .33  .37    0    0    0    0    0
    E5     .47 1.25   .52   .91  .38 1.25  .52  .91  .75  1.2  .52 1.31   .4  2.5  .52 1.31  .76
    PV5      0  .51     0     0    0  .94  .42  .41  .81 1.19  .41  .41  .81 1.19  .41  .41    0
    SST5   .25    0   .39     0  .28  .45  .28  .52  .27   .4   .4  .52  .27   .4   .4  .52  .31
    VIP5     0    0     0     0  .29  .18  .33  .37  .28  .18  .33  .37  .28  .18  .33  .37    0
    E6       0    0     0     0    0    0    0    0  .23  2.5  .52 1.31  .94  3.8  .52 1.31    0
    PV6    .81    0     0     0  .81    0    0    0  .81 1.19  .41  .41  .81 1.19  .41  .41    0
    SST6     0    0     0     0    0    0    0    0  .27   .4   .4  .52  .27   .4   .4  .52    0
    VIP6     0    0     0     0    0    0    0    0  .28  .18  .33  .37  .28  .18  .33  .37    0
    VIP1   .53  .48   .57   .78  .42    0    0    0  .42    0    0    0  .42    0    0    0 1.73
    """)
G = 5.0  # by which every strength is multiplied
SHARE = {"AMPA": 0.8, "NMDA": 0.2}  # of the connections of E
DELAY = "2 ms"

EQUATIONS = """
    dv/dt = (g_L*(E_L - v) - g_1*receptors)/C : volt (unless refractory)
    receptors = (s_A + s_N/(1 + exp(-0.062*v/mV)/3.57))*(v - E_E) + s_G*(v - E_L) : volt
    ds_A/dt = -s_A/tau_AMPA : 1
    ds_G/dt = -s_G/tau_GABA : 1
    s_N : 1
    dx/dt = -x/tau_rise : 1
    ds/dt = -s/tau_NMDA + alpha*x*(1 - s) : 1
    """
# x and s are of the NMDA receptors that a neuron's own spikes open; those that it has itself are
# the sum s_N over its sources
SYNAPSES = {
    "AMPA": "s_A_post += w",
    "GABA": "s_G_post += w",
    "NMDA": Synapse("", equations="s_N_post = w*s_pre : 1 (summed)"),
    "release": Synapse("x_post += 1", efficacy=None),
}
RECEPTORS = {
    "g_1": "1 nS",
    "E_E": "0 mV",
    "tau_AMPA": "2 ms",
    "tau_GABA": "5 ms",
    "tau_rise": "2 ms",
    "tau_NMDA": "80 ms",
    "alpha": "0.5 kHz",
}


def sizes(total):
    """Neurons of every population for so many in layers 2/3 to 6."""
    found, left = {}, total
    for layer, (share, split) in LAYERS.items():
        whole = left if share is None else share * total
        left -= round(whole)
        inhibitory = [round(INHIBITORY * whole * x) for x in split]
        found[f"E{layer}"] = round(whole) - sum(inhibitory)
        found |= dict(zip((f"{t}{layer}" for t in ("PV", "SST", "VIP")), inhibitory, strict=True))
    return {**found, "VIP1": int(LAYER_1 * total)}


def probabilities(revised=True):
    """Of a connection; rows: sources, columns: targets."""
    if not revised:
        return PROBABILITY
    return PROBABILITY * [[REVISED.get((s, t), INHIBITORY_REVISED) for t in TYPES] for s in TYPES]


def network(total=5000, nmda=True, revised=True, background="published"):
    """Four types of neurons in layers 2/3 to 6, and VIP neurons in layer 1.

    Parameters
    ----------
    total : int
        Neurons of layers 2/3 to 6; the published runs have 5 000 to 80 000.
    nmda : bool
        Without, connections of E have AMPA receptors only.
    revised : bool
        The published probabilities, or those of the measurements.
    background : {"published", "poisson"}
        The source draws at most one spike of a train in each of its steps of 0.1 ms. At rates up to
        4740 Hz that halves the noise, and the published rates are with it: take ``dt="0.1 ms"``.
        Or Poisson trains, with which E5 fires three times as much.
    """
    if background not in ("published", "poisson"):
        raise ParameterError(f"background: got {background!r}; expected published or poisson")
    if not (isinstance(total, int) and total >= 1000):
        raise ParameterError(f"total: got {total}; expected a whole number of at least 1000")
    many = sizes(total)
    projections = _receptors(many, probabilities(revised), nmda)
    if nmda:
        projections += [_release(n, many[n]) for n in NAMES if n.startswith("E")]
    cell = _cell()
    return Network(
        [
            Population(n, cell, many[n], values=_values(n), initial=f"{CELLS[n][2]} mV")
            for n in NAMES
        ],
        projections,
        [
            Input(
                "background",
                n,
                "AMPA",
                w=1.0,
                rate=f"{CELLS[n][5]} Hz",
                one_a_step=background == "published",
            )
            for n in NAMES
        ],
    )


def _cell():
    return Neuron(
        EQUATIONS, synapses=SYNAPSES, parameters={**RECEPTORS, **_values("E23")}, name="V1"
    )


def _values(name):
    C, g_L, E_L, theta, tau_rp, _ = CELLS[name]
    return {
        "C": f"{C} pF",
        "g_L": f"{g_L} nS",
        "E_L": f"{E_L} mV",
        "V_r": f"{E_L} mV",
        "theta": f"{theta} mV",
        "tau_rp": f"{tau_rp} ms",
    }


def _receptors(many, p, nmda):
    """Projections of every kind of receptor; the summed weight onto a neuron is G S on average."""
    from_E = np.array(TYPES)[:, None] == "E"
    found = []
    for kind, share in {**SHARE, "GABA": 1.0}.items():
        if kind == "NMDA" and not nmda:
            continue
        chosen = np.where(from_E == (kind != "GABA"), p * share, 0.0)
        mean = chosen * np.array([many[name] for name in NAMES])[:, None]
        w = np.divide(G * STRENGTH, mean, out=np.zeros_like(mean), where=mean > 0)
        found += matrix(
            NAMES,
            kinds=kind,
            probability=chosen.T,
            w=w.T,
            delay="0 ms" if kind == "NMDA" else DELAY,
            wiring=Bernoulli(),
        )
    return found


def _release(name, size):
    """What a spike does to a neuron's own NMDA synapses, after the delay."""
    itself = np.arange(size)
    return Projection(name, name, "release", delay=DELAY, wiring=Explicit(itself, itself))
