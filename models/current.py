"""Leaky integrate-and-fire neurons with current synapses: the textbook balanced network.

C. van Vreeswijk and H. Sompolinsky, Science 274, 1724 (1996); N. Brunel, J. Comput. Neurosci. 8,
183 (2000). The jumps are those of the conductance model with the membrane held at `V_match`, so
that both models share the balance line when `V_match` is the threshold (the default).
"""

from cbnet.model.model import Coupling, Derived, Model

model = Model(
    name="current",
    equations="dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
    excitatory="v_post += J_E",
    inhibitory="v_post -= J_I",
    efficacies={"E": "J_E", "I": "J_I"},
    variants={
        # s_E and s_I are currents over the membrane capacitance.
        "filtered": Coupling(
            equations="""
                dv/dt = -(v - E_L)/tau_L + s_E + s_I : volt (unless refractory)
                ds_E/dt = -s_E/tau_E : volt/second
                ds_I/dt = -s_I/tau_I : volt/second
                """,
            excitatory="s_E_post += J_E/tau_E",
            inhibitory="s_I_post -= J_I/tau_I",
        ),
    },
    derived=(
        Derived(
            name="J_E",
            symbol="J_E",
            unit="mV",
            meaning="excitatory jump, a (E_E − V_match)",
            above=0,
            expression="a*(E_E - V_match)",
            solves="a",
            inverse="J_E/(E_E - V_match)",
        ),
        Derived(
            name="J_I",
            symbol="J_I",
            unit="mV",
            meaning="inhibitory jump, g a (V_match − E_I)",
            above=0,
            expression="g*a*(V_match - E_I)",
            solves="g",
            inverse="J_I/(a*(V_match - E_I))",
        ),
    ),
    assumptions=(
        "Point neurons; no spike-generating currents; one efficacy for all synapses of a kind, "
        "external ones included; spikes that arrive during the refractory time do not move v "
        "(but do move s_E and s_I); no reversal potential bounds v from below; external inputs "
        "are independent Poisson trains."
    ),
)
