"""Names of parameters and variables: they make no difference, or they are refused."""

import dataclasses
import re
import subprocess

import numpy as np
import pytest
from brian2 import Hz, NeuronGroup, ms, mV, second
from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
from brian2.core.namespace import DEFAULT_UNITS

import cbnet
from cbnet.errors import CbnetWarning, ModelError, ParameterError
from cbnet.model import names
from cbnet.model.entry import reference_table
from cbnet.simulation.backends import standalone
from cbnet.simulation.script import script

# names of sympy, numpy, of the text that is made, of C++ libraries, and of cbnet's own C++
NAMES = (
    "beta zeta S E I Q O x0 x1 p0 p1 array where select fired values stepper neurons step x f k_1 "
    "statistics recorded voltage trace refractory tau std brian oo re Symbol k rate numpy nan A B "
    "p_tau_rp uniform now j0 signal a_E a_I factorial x_new u dW"
)
ODD = NAMES.split()


def of_many(names, quadratic=True):
    """A neuron whose drift and jumps need every name, each with a weight of its own."""
    names = list(names)
    weights = np.arange(1, len(names) + 1) / sum(range(1, len(names) + 1))
    total = " + ".join(f"{w!r}*{name}" for w, name in zip(weights.tolist(), names, strict=True))
    bend = "(v - V_T)**2/(10*mV)" if quadratic else "(v - V_T)"
    model = cbnet.Model(
        name="many",
        equations=f"dv/dt = (E_L - v + ({total})*{bend})/tau_L : volt (unless refractory)",
        excitatory=f"v_post += a*(E_E - v_post)*{names[-1]}/0.2",
        inhibitory=f"v_post += g*a*(E_I - v_post)*sqrt({names[0]}/0.2)",
        parameters=dict.fromkeys(names, 0.2) | {"V_T": -60 * mV, "theta": -45 * mV},
    )
    return cbnet.load(model).replace(K=20, a=0.03, r_E=60 * Hz, r_I=12 * Hz)


def test_a_neuron_does_not_depend_on_the_names_of_parameters():
    odd, plain = (of_many(some) for some in (ODD, [f"h_{k}" for k in range(len(ODD))]))
    expected, found = (cbnet.respond(params, noise="diffusion") for params in (plain, odd))
    assert float(expected.rate) == pytest.approx(24.6025, rel=1e-4)  # a quadrature of its own
    assert float(found.rate) == pytest.approx(float(expected.rate), rel=1e-9)
    change = {f"h_{k}": 0.2 * (1 + 0.5 * np.sin(k)) for k in range(len(ODD))}
    changed = plain.replace(**change), odd.replace(**dict(zip(ODD, change.values(), strict=True)))
    rates = [float(cbnet.respond(params, noise="diffusion").rate) for params in changed]
    assert rates[1] == pytest.approx(rates[0], rel=1e-9)
    assert abs(rates[0] / 24.6 - 1) > 0.01
    exact = [
        cbnet.simulate_neuron(params, duration=0.05 * second, neurons=2, seed=1)
        for params in changed
    ]
    assert float(exact[0].V_mean) == pytest.approx(float(exact[1].V_mean), rel=1e-9)


REFUSED = (
    "pi e inf R_E R_I Hz nS volt mV second3 N i t dt rand randn held exp sqrt arrived_E delivered "
    "v tau_S D xi xi_2 _x x_ x_post x_pre lambda class None int double new template NULL errno "
    "EDOM INT_MAX M_PI NAN INFINITY EOF RAND_MAX model replace changes noise scaling N_E initial "
    "order when state equations namespace name clip timestep not_refractory lastspike pow fabs and "
    "and_eq max sum len crossed size_t int32_t uint64_t W_OK FLT_DIG SIG_BLOCK CBNET_RANDOM_H"
)


@pytest.mark.parametrize("name", [*REFUSED.split(), "tau-1", "τ", "", "1a", "a b"])
def test_names_with_another_meaning_are_refused_by_the_model(name):
    with pytest.raises(ModelError, match=re.escape(f"Model.parameters[{name!r}]: got")) as caught:
        cbnet.Model(name="m", equations="", excitatory="", inhibitory="", parameters={name: 0.2})
    assert "choose another name" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["R_E", "held", "Hz", "exp", "order", "w_", "lambda", "double"])
def test_names_of_variables_are_refused_by_the_model(name):
    text = f"dv/dt = (E_L - v + {name})/tau_L : volt (unless refractory)\n"
    for line in (f"d{name}/dt = -{name}/tau_L : volt", f"  {name} = 2*mV : volt", f"{name}:volt"):
        with pytest.raises(ModelError, match=f"Model.equations: got '{name}', which"):
            cbnet.Model(name="m", equations=text + line, excitatory="", inhibitory="")


def test_a_parameter_and_its_entry_have_one_name_and_a_unit():
    def model(**parameters):
        cbnet.Model("m", "", "", "", parameters=parameters)

    with pytest.raises(ModelError, match=r"\['J'\]: got an Entry called 'K_1'; expected 'J'"):
        model(J=cbnet.Entry("K_1", 1.0))
    with pytest.raises(ModelError, match=r"\['J'\]: got the unit 'blobs'; expected one of Brian2"):
        model(J=cbnet.Entry("J", 1.0, "blobs"))
    derived = cbnet.model.Derived("J", "a*mV", "mV", "a", "J/mV")
    with pytest.raises(ModelError, match=r"derived\['J'\]: got the name of a parameter"):
        cbnet.Model("m", "", "", "", parameters={"J": 1 * mV}, derived=(derived,))
    with pytest.raises(ModelError, match=r"derived\['pi'\]: got 'pi', which is the name"):
        cbnet.Model("m", "", "", "", derived=(dataclasses.replace(derived, name="pi"),))
    with pytest.raises(ModelError, match=r"derived\['J'\]: got solves='h'; expected a parameter"):
        cbnet.Model("m", "", "", "", derived=(dataclasses.replace(derived, solves="h"),))


def test_the_lists_are_those_of_brian2():
    group = NeuronGroup(1, "dv/dt = -v/second : 1", name="one")
    theirs = {*DEFAULT_UNITS, *DEFAULT_CONSTANTS, *DEFAULT_FUNCTIONS, *dir(group), *vars(group)}
    missing = []
    for name in sorted(theirs | set(dir(cbnet.Parameters))):
        try:
            names.check(name, "x")
        except ModelError:
            continue
        missing.append(name)
    assert not missing


def test_names_of_the_reference_set_and_of_the_field_are_free():
    table, _ = reference_table()
    field = "F_E R_m S_I SA_E SI_I SS_E g_t REG "
    field += "V_T Delta_T g_L C_m g_Na m n h u b c d w E_K tau_1 tau_w s_E x y mu sigma EPSP eta"
    for name in (*table, *field.split()):
        names.check(name, "x")


@pytest.mark.skipif(bool(standalone.compiler_missing()), reason="no compiler")
def test_macros_of_the_c_library_are_refused():
    headers = "cmath cfloat climits cstdint cstdio cstdlib cstring ctime"  # what C++ has anywhere
    text = "".join(f"#include <{one}>\n" for one in headers.split())
    command = ["g++", "-std=c++17", "-dM", "-E", "-x", "c++", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found = set(re.findall(r"^#define ([A-Za-z]\w*)", done.stdout, flags=re.MULTILINE))
    assert {"INFINITY", "INT_MAX"} <= found
    for name in sorted(found):
        with pytest.raises(ModelError):
            names.check(name, "x")


def without_compiler(params, **options):
    with pytest.warns(CbnetWarning, match="numpy target"):
        return cbnet.simulate(
            params, N=60, duration=30 * ms, transient=0 * ms, dt=0.1 * ms, seed=2, **options
        )


@pytest.mark.parametrize("name", ["np", "rng", "spikes_E", "neurons", "DT", "target"])
def test_a_script_refuses_names_that_it_needs(name):
    model = cbnet.Model(
        name="filtered",
        equations="""dv/dt = (E_L - v)/tau_L + c : volt (unless refractory)
                     dc/dt = -c/tau_1 : volt/second""",
        excitatory=f"c += {name}/tau_1",
        inhibitory=f"c -= 5*{name}/tau_1",
        parameters={name: 0.1 * mV, "tau_1": 2 * ms},
    )
    params = cbnet.load(model).replace(K=40)
    if name == "spikes_E":
        assert "spikes_E = " in script(params, N=250, dt="0.1ms")
        return
    with pytest.raises(ParameterError, match=f"{name}: got a parameter of this name"):
        script(params, N=250, dt="0.1ms")


@pytest.mark.filterwarnings("ignore:transient")  # of two runs that are compared bit by bit
@pytest.mark.parametrize(("quadratic", "differ"), [(True, True), (False, False)])
def test_steps_of_brian2_do_not_depend_on_names(quadratic, differ, monkeypatch):
    """E and I have variables of their own where they differ, next to parameters called so."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = []
    odd = ["s", "s_E", "s_I", "arrived", *"E I S x f k_1 beta tau".split()]  # noqa: SIM905
    for some in (odd, [f"h_{k}" for k in range(len(odd))]):
        change = {f"I.{name}": 0.25 for name in (*some[:1], *some[3:5])} if differ else {}
        params = of_many(some, quadratic).replace(**change)
        found.append(without_compiler(params, feedforward=True))
    for name in ("rate_E", "rate_I", "V_mean", "V_sd"):
        values = [float(getattr(one, name)) for one in found]
        np.testing.assert_allclose(*values, rtol=1e-9, err_msg=name)
        assert values[0] != 0


@pytest.mark.slow
@pytest.mark.skipif(bool(standalone.compiler_missing()), reason="no compiler")
@pytest.mark.parametrize("quadratic", [True, False])
def test_programs_do_not_depend_on_the_names_of_parameters(quadratic):
    """Compiles a program for each kind of neurons, which takes half a minute."""
    some = ODD[10:22] if quadratic else ODD  # Brian2 expands the polynomials of its steps
    params = of_many(some, quadratic).replace(r_I=14 * Hz, **{f"I.{some[2]}": 0.25})
    found = cbnet.simulate(params, N=1000, duration=1 * second, feedforward=True, seed=1)
    theory = cbnet.respond(params)
    off = abs(float(found.rate_E - theory.rate)) - 0.01 * float(theory.rate)
    assert off < 4 * float(found.rate_E_sem)
    assert float(found.rate_E) > 5
