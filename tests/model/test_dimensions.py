"""Units that follow from the strings of a neuron, beside what Brian2 says of them."""

import re

import pytest
from brian2 import Equations, mV
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import Constant
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units.fundamentalunits import DIMENSIONLESS, get_or_create_dimension

from cbnet import Current, Network, Neuron, Population, Synapse
from cbnet.errors import ModelError
from cbnet.model import dimensions
from cbnet.model.units import unit

LEAK = "dv/dt = (E_L - v)/tau_L : volt (unless refractory)"
HODGKIN_HUXLEY = """
dv/dt = (gl*(El-v)+ge*(Ee-v)+gi*(Ei-v)-
         g_na*(m*m*m)*h*(v-ENa)-
         g_kd*(n*n*n*n)*(v-EK))/Cm : volt
dm/dt = alpha_m*(1-m)-beta_m*m : 1
dn/dt = alpha_n*(1-n)-beta_n*n : 1
dh/dt = alpha_h*(1-h)-beta_h*h : 1
dge/dt = -ge*(1./taue) : siemens
dgi/dt = -gi*(1./taui) : siemens
alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV-v+VT)/(4*mV))/ms : Hz
beta_m = 0.28*(mV**-1)*5*mV/exprel((v-VT-40*mV)/(5*mV))/ms : Hz
alpha_h = 0.128*exp((17*mV-v+VT)/(18*mV))/ms : Hz
beta_h = 4./(1+exp((40*mV-v+VT)/(5*mV)))/ms : Hz
alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV-v+VT)/(5*mV))/ms : Hz
beta_n = .5*exp((10*mV-v+VT)/(40*mV))/ms : Hz
"""
EQUATIONS = [
    LEAK,
    HODGKIN_HUXLEY,
    "dv/dt = (a*v**2 + b*v + c - u + I)/ms : 1\ndu/dt = d*(e*v - u)/ms : 1\nI : 1 (constant)",
    """
    # a comment
    dvm/dt = (gL*(EL - vm) + gL*DeltaT*exp((vm - VT)/DeltaT) + I - w)/C : volt  # another
    dw/dt=(a*(vm-EL)-w)/tauw:amp
    I : amp (shared, constant)
    flag : boolean
    count : integer (constant)
    x = int(vm > VT)*2 : 1
    """,
    """
    dv/dt = (-v + x)/tau + sigma*xi*tau**-0.5 : volt (unless refractory)
    x = 3*mV*sin(2*pi*10*Hz*t) : volt (constant over dt)
    """,
    """
    dv/dt = (E - v)/tau
        + g*(E - v) : volt
    g = a +
      b : Hz
    mg = 1/(1 + exp(-0.062*v/mV)/3.57) : amp*meter**-2
    """,
]


@pytest.mark.parametrize("text", EQUATIONS)
def test_variables_and_right_sides_are_those_that_brian2_reads(text):
    known = Equations(text)
    dims = {n: tuple(map(float, known[n].dim._dims)) for n in known.names}
    assert dimensions.of_variables(text) == dims
    sides = dimensions.right_sides(text)
    for name, equation in known.items():
        key = f"d{name}" if equation.type == "differential equation" else name
        assert (equation.expr is None) == (key not in sides)
        if equation.expr is not None:
            assert "".join(sides[key].split()) == "".join(equation.expr.code.split())


def test_a_neuron_of_many_equations():
    given = {"Cm": "200 pF", "gl": "10 nS", "g_na": "20 uS", "g_kd": "6 uS", "El": "-60 mV",
             "EK": "-90 mV", "ENa": "50 mV", "VT": "-63 mV", "taue": "5 ms", "taui": "10 ms",
             "Ee": "0 mV", "Ei": "-80 mV"}  # fmt: skip
    neuron = Neuron(
        HODGKIN_HUXLEY, "v > -20*mV", "", {"E": "ge += w", "I": "gi += w"}, parameters=given
    )
    assert neuron.units == {"E": "nS", "I": "nS"}
    assert neuron.defaults["Cm"] == pytest.approx(200e-12)
    with pytest.raises(ModelError, match=r"\ANeuron.equations: got 'dm/dt = .*contradict"):
        Neuron(
            HODGKIN_HUXLEY.replace("0.128*", "0.128*mV*").replace("beta_m*m", "beta_m*m*mV"),
            "v > -20*mV", "", {}, parameters=given,
        )  # fmt: skip


EFFICACIES = {
    "v_post += w": "mV",
    "v_post += w*(E_E - v_post)": "1",
    "v_post += (1 - exp(-w))*(E_E - v_post)": "1",
    "g_post += w": "nS",
    "g_post += w*mV/C": "nS*pF/mV",
    "v_post += w/C": "pA*ms",
    "x_post += w*(1 - x_post)": "1",
    "v_post *= exp(-w*mV)": "1/V",
    "v_post = v_post + 2*w": "mV",
    "v_post += sqrt(w)*mV": "1",
    "v_post += w**2/mV": "mV",
    "v_post += w*int(x_post > 0.5)": "mV",
    "v_post += clip(w, 0*mV, 1*mV)": "mV",
    "x_pre *= 0.5\n v_post += w*x_pre": "mV",
}


@pytest.mark.parametrize("on_pre", EFFICACIES)
def test_unit_of_an_efficacy_follows_from_its_string(on_pre):
    """With an efficacy of that unit, what is assigned has for Brian2 the unit of its target."""
    equations = LEAK + "\ndg/dt = -g/tau_L : siemens\ndx/dt = -x/tau_L : 1"
    given = {"C": "200 pF"} if "C" in on_pre else {}
    neuron = Neuron(equations, synapses={"E": on_pre}, parameters=given)
    dims = unit(EFFICACIES[on_pre])[1]
    assert unit(neuron.units["E"])[1] == dims
    units = {"v": "V", "g": "S", "x": "1", "E_E": "V", "C": "F"}
    known = {n: Constant(n, 1.0, get_or_create_dimension(unit(u)[1])) for n, u in units.items()}
    known |= {"w": Constant("w", 1.0, get_or_create_dimension(dims))}
    known |= {"mV": Constant("mV", 1e-3, mV.dim), **DEFAULT_FUNCTIONS}
    for statement in on_pre.split("\n"):
        text = re.sub("_(post|pre)", "", statement).strip()
        target, change, value = re.fullmatch(r"(\w) ([-+*/]?)= (.*)", text).groups()
        found = parse_expression_dimensions(value, known)
        assert found is (DIMENSIONLESS if change == "*" else known[target].dim)


def test_units_are_followed_through_names_that_a_string_introduces():
    neuron = Neuron(LEAK, synapses={"E": "u = 3*w; v_post += u", "I": "z = 1*mV\nv_post -= z*w"})
    assert neuron.units == {"E": "mV", "I": "1"}
    with pytest.raises(ModelError, match=r"\ANeuron.synapses\['E'\]: got 'w if x else w'"):
        Neuron(LEAK, synapses={"E": Synapse("v_post += w if x else w")})


def test_units_are_followed_through_variables_of_a_synapse():
    equations = "dv/dt = (E_L - v)/tau_L + s_tot/ms : volt\ns_tot : volt"
    slow = Synapse(
        "x += 1",
        equations="""
            s_tot_post = w*s : volt (summed)
            ds/dt = -s/tau_s + x*(1 - s)/ms : 1 (clock-driven)
            dx/dt = -x/tau_s : 1 (clock-driven)
            """,
    )
    given = {"synapses": {"NMDA": slow}, "parameters": {"tau_s": "80 ms"}}
    assert Neuron(equations, **given).units == {"NMDA": "mV"}
    with pytest.raises(ModelError, match=r"\ANeuron.synapses\['NMDA'\]: got 'tau_s', which has no"):
        Neuron(equations, synapses={"NMDA": slow})
    plastic = Synapse("v_post += w", on_post="z = 1*mV + 1")
    with pytest.raises(ModelError, match=r"\ANeuron.synapses\['E'\]: got 'v_post \+= w; z = 1"):
        Neuron(LEAK, synapses={"E": plastic})


def test_a_neuron_whose_potential_has_no_unit():
    neuron = Neuron("dv/dt = (1 - v)/tau_L : 1", "v > 1", "v = 0", {"E": "v += w"})
    net = Network([Population("A", neuron)], currents=[Current("c", "A", "2 Hz")])
    assert neuron.units == {"E": "1"}
    assert net.value("c->A.value") == ("Hz", 2.0)
    assert net.replace({"c.value": "3 Hz"}).drive("A") == 3.0
    assert "c->A: 2 Hz" in repr(net)
