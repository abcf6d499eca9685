"""Leaky integrate-and-fire neurons with conductance synapses.

A. Sanzeni, M. H. Histed and N. Brunel, *Emergence of irregular activity in networks of strongly
coupled conductance-based neurons*, Phys. Rev. X 12, 011044 (2022), arXiv:2009.12023.
"""

from cbnet.model.model import Coupling, Model

LEAK = "dv/dt = -(v - E_L)/tau_L : volt (unless refractory)"

model = Model(
    name="conductance",
    equations=LEAK,
    excitatory="v_post += a*(E_E - v_post)",
    inhibitory="v_post += g*a*(E_I - v_post)",
    requires=("a < 1", "g*a < 1"),
    efficacies={"E": "a", "I": "g*a"},
    variants={
        # What a conductance of vanishing duration does: the membrane relaxes for an "area" a.
        "exponential": Coupling(
            equations=LEAK,
            excitatory="v_post += (1 - exp(-a))*(E_E - v_post)",
            inhibitory="v_post += (1 - exp(-g*a))*(E_I - v_post)",
        ),
        # s_E and s_I are conductances over the membrane capacitance.
        "filtered": Coupling(
            equations="""
                dv/dt = -(v - E_L)/tau_L - s_E*(v - E_E) - s_I*(v - E_I) : volt (unless refractory)
                ds_E/dt = -s_E/tau_E : Hz
                ds_I/dt = -s_I/tau_I : Hz
                """,
            excitatory="s_E_post += a/tau_E",
            inhibitory="s_I_post += g*a/tau_I",
        ),
    },
    assumptions=(
        "Point neurons; no spike-generating currents; one efficacy for all synapses of a kind, "
        "external ones included; spikes that arrive during the refractory time do not move v "
        "(but do move s_E and s_I); no depression, facilitation, adaptation or voltage-dependent "
        "synapses; external inputs are independent Poisson trains."
    ),
)
