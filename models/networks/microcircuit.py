"""A cortical microcircuit below 1 mm²: four layers, 77 169 neurons, 3e8 synapses.

T. C. Potjans and M. Diesmann, Cereb. Cortex 24, 785 (2014). Numbers as in
INM-6/microcircuit-PD14-model (PyNEST/src/microcircuit/network_params.py, stimulus_params.py) and
NEST's example Potjans_2014, which agree unless a line says otherwise.
"""

import numpy as np

from cbnet.errors import ParameterError
from cbnet.model.distributions import Normal
from cbnet.model.matrix import matrix
from cbnet.model.network import Current, Input, Network, Population
from cbnet.model.neuron import neuron
from cbnet.model.postsynaptic import charge_of_peak
from cbnet.model.quantities import split
from cbnet.model.wirings import FixedTotal

NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
KINDS = ("E", "I") * 4

SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
K_EXT = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)

# where v starts, mV: mean and standard deviation of a normal law that is not cut
START = {
    "original": ((-58.0,) * 8, (10.0,) * 8),
    "optimised": (
        (-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43),
        (5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48),
    ),
}

# probability that a pair has at least one synapse; rows: targets, columns: sources
PROBABILITY = (
    #  L23E    L23I     L4E     L4I     L5E     L5I     L6E     L6I
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000),  # L23E
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000),  # L23I
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000),  # L4E
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000),  # L4I
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000),  # L5E
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000),  # L5I
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),  # L6E
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443),  # L6I
)

TAU_M, TAU_S = 10.0, 0.5  # ms; 250 pF, 40 MΩ
CELL = {
    "tau_L": f"{TAU_M} ms",
    "E_L": "-65 mV",
    "theta": "-50 mV",
    "V_r": "-65 mV",
    "tau_rp": "2 ms",
    "tau_S": f"{TAU_S} ms",
}
PSP = 0.15  # mV, peak of one excitatory postsynaptic potential
DOUBLED = ("L4E", "L23E")  # source and target whose synapses are twice as strong
G = 4.0  # inhibition over excitation
SPREAD = 0.1  # relative, of efficacies (of L4E onto L23E half of it in the original, NEST_SLI)
DELAY = {"E": 1.5, "I": 0.75}  # ms, by source
DELAY_SPREAD = 0.5  # relative
SHORTEST = "0.1 ms"  # below which delays are drawn again: the original's (NEST_SLI)
BACKGROUND_RATE = 8.0  # Hz

# Hz; mean of 20 runs of 60 s at full scale, Poisson background: frschu/microcircuit (thesis)
RATES = (0.92, 3.00, 4.40, 5.84, 7.70, 8.65, 1.10, 7.84)

# of conductance synapses, which the source does not have
REVERSAL = {"E": "0 mV", "I": "-80 mV"}


def efficacies():
    """Charges in mV, without their signs, and that of the background."""
    one = charge_of_peak(PSP, TAU_M, TAU_S)
    w = np.full((8, 8), one) * np.where(np.array(KINDS) == "I", G, 1.0)
    source, target = DOUBLED
    w[NAMES.index(target), NAMES.index(source)] *= 2
    return w, np.full(8, one)


def mean_potentials():
    """Of each population at the published rates, mV.

    τ_m ⟨dv/dt⟩ = 0: the mean of the drive, but for the refractory time, and of the resets. The
    optimised starts are 4 to 5 mV below; those of SpiNNakerManchester/microcircuit_model are within
    1 mV.
    """
    sizes, rates = np.array(SIZES, float), np.array(RATES)
    number = np.log1p(-np.array(PROBABILITY)) / np.log1p(-1 / np.outer(sizes, sizes))
    w, w_ext = efficacies()
    signed = w * np.where(np.array(KINDS) == "E", 1.0, -1.0)
    drive = (signed * number / sizes[:, None]) @ rates + w_ext * K_EXT * BACKGROUND_RATE
    v, height = -65.0, 15.0  # E_L; threshold − reset, mV
    return v + TAU_M * 1e-3 * (drive * (1 - rates * 2e-3) - height * rates)


def matched(w, kinds, E_E, E_I):
    """Areas of conductances over capacitance that act as charges at the mean potentials."""
    means = mean_potentials()
    driving = np.where(np.array(kinds) == "E", E_E - means[:, None], means[:, None] - E_I)
    if np.any(driving <= 0):
        raise ParameterError(
            f"E_E, E_I: got {E_E:g} and {E_I:g} mV; expected them above and below every mean "
            f"potential, {means.min():.4g} to {means.max():.4g} mV"
        )
    return w / driving


def network(
    background="poisson",
    start="original",
    scale=1.0,
    synapses="current",
    *,
    rates=None,
    E_I=None,
    spread=SPREAD,
):
    """The eight populations of excitatory and inhibitory neurons of layers 2/3, 4, 5 and 6.

    Parameters
    ----------
    background : {"poisson", "dc"}
        Trains of 8 Hz onto every neuron (the original), or their mean.
    start : {"original", "optimised"}
        Initial potentials: one law for all; or published ones for a start without a volley.
    scale : float
        Of sizes and in-degrees; mean and variance of the drive are kept (`Network.resized`).
    synapses : {"current", "conductance"}
        Those of the source; or conductances with reversal potentials 0 mV and `E_I` that move v as
        much at the mean potential of each population, whose efficacies do not differ.
    rates : dict, optional
        At which the mean drive of a smaller network is kept; the published ones unless given.
    E_I : Quantity, optional
        -80 mV unless given; of conductance synapses.
    spread : float
        Relative, of the efficacies of a projection; with 0 they are numbers, as theory wants them.
    """
    _check_options(background, start, synapses, E_I)
    w, w_ext = efficacies()
    cell, unit = dict(CELL), "mV"
    if synapses == "conductance":
        ends = (split(e, "E_I")[0] * 1e3 for e in (REVERSAL["E"], E_I or REVERSAL["I"]))
        E_E, E_I = ends
        w = matched(w, KINDS, E_E, E_I)
        w_ext = matched(w_ext[:, None], ("E",), E_E, E_I)[:, 0]
        cell, unit = {**cell, "E_E": f"{E_E} mV", "E_I": f"{E_I} mV"}, ""
    cells = neuron(synapses, **cell)
    means, deviations = START[start]
    net = Network(
        [
            Population(name, cells, n, initial=Normal(f"{m} mV", f"{s} mV"))
            for name, n, m, s in zip(NAMES, SIZES, means, deviations, strict=True)
        ],
        _projections(w, unit, spread),
        *_background(background, w_ext, unit),
    )
    if scale == 1:
        return net
    return net.resized(scale, rates or {n: f"{r} Hz" for n, r in zip(NAMES, RATES, strict=True)})


def _check_options(background, start, synapses, E_I):
    for name, given, known in (
        ("background", background, ("poisson", "dc")),
        ("start", start, tuple(START)),
        ("synapses", synapses, ("current", "conductance")),
    ):
        if given not in known:
            raise ParameterError(f"{name}: got {given!r}; expected one of {', '.join(known)}")
    if E_I is not None and synapses == "current":
        raise ParameterError(f"E_I: got {E_I} for current synapses; expected none")
    if background == "dc" and synapses == "conductance":
        raise ParameterError(
            "background: got 'dc' with synapses='conductance'; expected 'poisson': a constant "
            "current is no conductance"
        )


def _projections(w, unit, spread):
    many = [[f"{x} {unit}".strip() for x in row] for row in w]
    return matrix(
        NAMES,
        kinds=KINDS,
        pair_probability=PROBABILITY,
        wiring=FixedTotal(multapses=True),
        w=Normal(many, cv=spread) if spread else many,
        delay=Normal([f"{DELAY[k]} ms" for k in KINDS], cv=DELAY_SPREAD, at_least=SHORTEST),
    )


def _background(background, w, unit):
    if background == "dc":
        drives = K_EXT * w * BACKGROUND_RATE  # mV/s
        return [], [
            Current("background", name, f"{x} mV/second")
            for name, x in zip(NAMES, drives, strict=True)
        ]
    return (
        [
            Input("background", name, "E", number=K, w=f"{x} {unit}".strip(),
                  rate=f"{BACKGROUND_RATE} Hz")
            for name, K, x in zip(NAMES, K_EXT, w, strict=True)
        ],
    )  # fmt: skip
