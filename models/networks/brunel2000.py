"""Sparse networks of excitatory and inhibitory neurons with current jumps.

N. Brunel, J. Comput. Neurosci. 8, 183 (2000): model A (all neurons alike), and model B as a
structure. Numbers are those of two public versions that agree, Brian2's frompapers/Brunel_2000 and
ecdysis-core (snn/brunel.py, which quotes the paper's table 1); model B's of frschu/microcircuit
(mean_field/mean_field_params.py), save g of I, for which no published number gives a working state.
"""

from cbnet.errors import ParameterError
from cbnet.model.distributions import Uniform
from cbnet.model.matrix import matrix
from cbnet.model.network import Input, Network, Population
from cbnet.model.neuron import neuron
from cbnet.model.quantities import split

CELL = {"tau_L": "20 ms", "E_L": "0 mV", "theta": "20 mV", "tau_rp": "2 ms"}
DELAY = "1.5 ms"
GAMMA = 0.25  # inhibitory neurons and synapses for each excitatory one
CONNECTED = 0.1  # ε: the share of each population that a neuron receives from

# figure 8 and table 1: g, nu_ext/nu_thr
STATES = {
    "SR": (3.0, 2.0),  # A: synchronous, regular
    "SI-fast": (6.0, 4.0),  # B: synchronous, irregular; fast oscillation
    "AI": (5.0, 2.0),  # C: asynchronous, irregular
    "SI-slow": (4.5, 0.9),  # D: synchronous, irregular; slow oscillation
}
#            N_E    C_E   J (mV)  g, nu_ext/nu_thr
DEFAULTS = {
    "A": (10_000, 1000, 0.1, STATES["AI"]),
    "B": (40_000, 4000, 0.2, (6.0, 2.0)),
}


def threshold_rate(J, C_E):
    """ν_thr = θ/(J C_E τ), Hz; J in mV."""
    return 20.0 / (J * C_E * 20e-3)


def network(state=None, *, model="A", g=None, eta=None, V_r="10 mV", N_E=None, inhibitory=None):
    """Populations E and I, and C_E external trains at each neuron.

    Parameters
    ----------
    state : {"AI", "SR", "SI-fast", "SI-slow"}, optional
        Of figure 8: `g` and `eta`. Model A is in the first unless told otherwise.
    model : {"A", "B"}
        B is 40 000 excitatory neurons with J = 0.2 mV, and `inhibitory` for what differs.
    g, eta : float, optional
        Inhibition over excitation; ν_ext over ν_thr.
    V_r : Quantity
        0 mV in NEST's example.
    N_E : int, optional
        Excitatory neurons, of which a tenth project to each.
    inhibitory : dict, optional
        Of model B, what is not as of excitatory neurons: ``g``, ``eta``, ``J`` (mV), ``tau_L``.
    """
    if model not in DEFAULTS:
        raise ParameterError(f"model: got {model!r}; expected one of {', '.join(DEFAULTS)}")
    if state is not None and (state not in STATES or model != "A" or (g, eta) != (None, None)):
        raise ParameterError(
            f"state: got {state!r}; expected one of {', '.join(STATES)}, of model A, without g and "
            "eta"
        )
    usual_N, usual_C, J, (usual_g, usual_eta) = DEFAULTS[model]
    if state is not None:
        usual_g, usual_eta = STATES[state]
    N_E = usual_N if N_E is None else N_E
    C_E = usual_C * N_E / usual_N
    own = {
        "J": J,
        "g": usual_g if g is None else g,
        "eta": usual_eta if eta is None else eta,
        "tau_L": CELL["tau_L"],
    }
    return _network(C_E, N_E, V_r, {"E": own, "I": {**own, **_checked(model, inhibitory)}})


def _checked(model, inhibitory):
    given = inhibitory or {}
    known = ("g", "eta", "J", "tau_L")
    if wrong := [name for name in given if name not in known]:
        raise ParameterError(f"inhibitory: got {wrong[0]!r}; expected {', '.join(known)}")
    if given and model == "A":
        raise ParameterError("inhibitory: got it with model A, whose neurons are alike; expected B")
    return given


def _network(C_E, N_E, V_r, own):
    cells = neuron("current")
    # ν_thr is that of the excitatory neurons' J and τ for both
    unit_rate = threshold_rate(own["E"]["J"], C_E)
    sizes = {"E": N_E, "I": round(GAMMA * N_E)}
    low = min(split(V_r, "V_r")[0], 0.0)
    return Network(
        [
            Population(
                name,
                cells,
                size,
                values={**CELL, "V_r": V_r, "tau_L": own[name]["tau_L"]},
                initial=Uniform(f"{low} V", CELL["theta"]),  # ecdysis-core
            )
            for name, size in sizes.items()
        ],
        matrix(
            ["E", "I"],
            kinds=["E", "I"],
            number=[[C_E, GAMMA * C_E]] * 2,
            w=[[f"{own[p]['J'] * x} mV" for x in (1.0, own[p]["g"])] for p in sizes],
            delay=DELAY,
        ),
        [
            Input(
                "external",
                name,
                "E",
                number=C_E,
                w=f"{own[name]['J']} mV",
                rate=f"{own[name]['eta'] * unit_rate} Hz",
            )
            for name in sizes
        ],
    )
