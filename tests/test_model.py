"""Models as data: their couplings, their parameters, their errors."""

import json

import pytest
from brian2 import Hz, cm, ms, mV, nA, nS, pF, uA, uF

import cbnet
from cbnet.errors import ModelError, ParameterError
from cbnet.model.library import find_model, model_names
from cbnet.model.model import Model
from cbnet.sweeps import reading


def test_models_that_come_with_the_package():
    assert {"conductance", "current"} <= set(model_names())
    assert find_model("conductance").name == "conductance"
    with pytest.raises(ParameterError, match="MODEL: got 'conductanc'.*'conductance'"):
        find_model("conductanc")


def test_values_choose_the_coupling():
    model = find_model("conductance")
    params = cbnet.load("conductance")
    assert "a*(E_E" in model.coupling(params.resolve()).excitatory
    exponential = params.replace(jump="exponential")
    assert "exp(-a)" in model.coupling(exponential.resolve()).excitatory
    filtered = params.replace(tau_S="1ms")
    assert "s_E" in model.coupling(filtered.resolve()).equations


def test_couplings_a_model_lacks_are_refused():
    leaky = cbnet.Model(
        name="leaky",
        equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= J",
        parameters={"J": 0.1 * mV},
    )
    params = cbnet.Parameters(leaky)
    with pytest.raises(ParameterError, match="tau_E: .* no equation of model 'leaky' names"):
        params.replace(tau_S="1ms")
    with pytest.raises(ParameterError, match="jump: .*'leaky' has only 'linear'"):
        params.replace(jump="exponential")


def test_parameters_of_a_model_extend_and_change_the_reference_set():
    model = cbnet.Model(
        name="own",
        equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= J",
        parameters={
            "J": 0.1 * mV,
            "tau_L": cbnet.Entry("tau_L", 5.0, "ms", above=0),
            "g": 4,
            "law": "bernoulli",
        },
    )
    params = cbnet.Parameters(model)
    assert float(params.J) == pytest.approx(1e-4)
    assert params.resolve()["tau_L"] == pytest.approx(0.005)
    assert (params.g, params.law) == (4, "bernoulli")
    with pytest.raises(ParameterError, match="tau_L: got -1 ms; expected a finite number above 0"):
        params.replace(tau_L="-1 ms")


@pytest.mark.parametrize("given", ["a word", "1mV"])
def test_words_are_no_values_of_new_parameters(given):
    with pytest.raises(ModelError, match=r"Model.parameters\['J'\]: got"):
        cbnet.Model(name="own", equations="", excitatory="", inhibitory="", parameters={"J": given})


def test_models_survive_json():
    for name in model_names():
        model = find_model(name)
        assert cbnet.Model.from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_a_model_in_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from cbnet import Model\n"
        "mine = Model(name='mine', equations='dv/dt = (E_L - v)/tau_L : volt (unless refractory)',"
        " excitatory='v_post += a*mV', inhibitory='v_post -= a*mV')\n"
        "number = 3\n"
    )
    assert cbnet.load(f"{path}:mine").model.name == "mine"
    with pytest.raises(
        ModelError, match="got no Model or Network called 'number'; expected one of mine"
    ):
        cbnet.load(f"{path}:number")
    with pytest.raises(ParameterError, match="expected an existing Python file"):
        cbnet.load(f"{tmp_path}/absent.py:mine")
    path.write_text("1/0\n")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        cbnet.load(f"{path}:mine")


def own(text="dv/dt = (V_0 - v)/tau_L : volt (unless refractory)", excitatory="v += w", **more):
    parameters = {"V_0": -70 * mV, "w": 0.1 * mV} | more.pop("parameters", {})
    return Model("own", text, excitatory, "v -= 5*w", parameters=parameters, **more)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": "v > V_t", "parameters": {"V_t": -66 * mV}},
         "V_r and V_t: got 'v = V_r', -65 mV, and 'v > V_t', -66 mV; expected the reset below"),
        ({"excitatory": "v = clip(v + w, -90*mV, 0*mV)"}, "expression that has a derivative"),
        ({"excitatory": "v += w*int(v > V_0)"}, "expression that has a derivative"),
        ({"excitatory": "v += w*sign(v/mV)"}, "expression that has a derivative"),
        ({"text": "dv/dt = -v/tau_L : 1 (unless refractory)"}, "'v': got the dimensions 1; exp"),
    ],
)  # fmt: skip
def test_what_theory_cannot_take_is_refused_when_it_is_used(changes, message):
    with pytest.raises((ModelError, ParameterError), match=message) as caught:
        cbnet.respond(cbnet.load(own(**changes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"w": float("nan") * mV}}, r"\['w'\]: got nan V; expected one quantity"),
        ({"parameters": {"w": [1, 2] * mV}}, r"\['w'\]: got \[1. 2.\] mV; expected one"),
        ({"parameters": {"w": True}}, r"\['w'\]: got True; expected one"),
        ({"parameters": {"w": cbnet.Entry("w", -1.0, "mV", above=0)}}, r"\['w'\]: got .*above 0"),
        ({"parameters": {"w": cbnet.Entry("w", 1.0, "mV", follows="x")}}, "got follows='x'"),
        ({"requires": ("x < 1",)}, r"requires\[0\]: got 'x' in 'x < 1'; expected parameters"),
        ({"derived": (cbnet.Derived("J", "w*mV", "mV", "w", "J"),)}, "expression: got 'mV' in"),
        ({"derived": (cbnet.Derived("J", "w*(", "mV", "w", "J"),)}, r"expression: got 'w\*\('; "),
        ({"derived": (cbnet.Derived("J", "w", "blob", "w", "J"),)}, "got the unit 'blob'"),
    ],
)
def test_what_has_no_value_is_refused_by_the_model(changes, message):
    with pytest.raises(ModelError, match=message) as caught:
        own(**changes)
    assert "\n" not in str(caught.value)


def test_parameters_may_have_any_unit_of_brian2():
    """A membrane in nS and pF, and a density of current, are what they are in mV and ms."""
    plain = cbnet.load(own(parameters={"w": 0.2 * mV, "V_0": -68 * mV}))
    text = "dv/dt = (g_L*(E_L - v) + w_L)/C_m + q/c_m : volt (unless refractory)"
    units = {"g_L": 10 * nS, "C_m": 200 * pF, "w_L": 0.1 * nA, "w": 0.2 * mV}
    units |= {"q": 2 * uA / cm**2, "c_m": 20 * uF / cm**2}
    found = cbnet.load(own(text, parameters=units))
    assert found.model.entries["C_m"].show(found.resolve()["C_m"]) == "200 pF"
    rates = [float(cbnet.respond(p, r_E=70 * Hz, r_I=16 * Hz).rate) for p in (plain, found)]
    assert rates[1] == pytest.approx(rates[0], rel=1e-9)
    assert rates[0] > 1
    assert found.replace(C_m="0.3nF", q="0.5A/m^2").C_m == 300 * pF
    with pytest.raises(ParameterError, match="C_m: got 3nS"):
        found.replace(C_m="3nS")


def test_parameters_in_a_file_are_what_they_are_there(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import cbnet\nmine = cbnet.load('current').replace(tau_L='10ms', J_E='1mV')\n")
    params = cbnet.load(f"{path}:mine")
    assert params.tau_L == 10 * ms
    assert 1 * mV == params.J_E
    start = reading._bases([f"{path}:mine"], {"K": 900}, "", None)[f"{path}:mine"]
    assert start.tau_L == 10 * ms
    assert start.K == 900
