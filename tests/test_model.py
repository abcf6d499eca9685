"""Models as data: their couplings, their parameters, their errors."""

import json

import pytest
from brian2 import mV

import cbnet
from cbnet.errors import ModelError, ParameterError
from cbnet.library import find_model, model_names


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
    with pytest.raises(ModelError, match="got no Model called 'number'; expected one of mine"):
        cbnet.load(f"{path}:number")
    with pytest.raises(ParameterError, match="expected an existing Python file"):
        cbnet.load(f"{tmp_path}/absent.py:mine")
    path.write_text("1/0\n")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        cbnet.load(f"{path}:mine")
