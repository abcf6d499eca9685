"""States, modes and tuning of networks of named populations."""

from dataclasses import replace

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet import Current, Input, Network, Neuron, Population, Projection
from cbnet.errors import CbnetWarning, ModelError, ParameterError
from cbnet.model.distributions import Normal
from cbnet.theory.network import of_network


def two(model="current", **changes):
    """The reference network with 400 and 100 inputs, as parameters and as a network."""
    params = cbnet.load(model).replace(K=400, nu_X=50 * Hz, **changes)
    return params, Network.ei(params, N=5000)


def disinhibition(model="current", **changes):
    """Three populations with classes of their own."""
    kinds = {"E": "E", "PV": "I", "SOM": "I"}
    number = [[400, 100, 60], [400, 100, 40], [300, 0, 0]]
    w = np.array([[0.2, 1.2, 0.8], [0.25, 1.2, 0.8], [0.2, 0.8, 0.8]]) * mV
    outer = 0.25 * mV
    if model == "conductance":  # the same jumps at the threshold
        w = np.array(w) / np.array([0.055, 0.020, 0.020])
        outer = float(outer) / 0.055
    neuron = cbnet.neuron(model, theta=-55 * mV, V_r=-65 * mV, tau_rp=2 * ms, **changes)
    rest = {"E": -70 * mV, "PV": -68 * mV, "SOM": -68 * mV}
    populations = [Population(n, neuron, values={"E_L": rest[n]}) for n in kinds]
    projections = cbnet.matrix(
        list(kinds), list(kinds.values()), number=number, w=w, delay=cbnet.Uniform(1 * ms, 3 * ms)
    )
    rates = {"E": 20 * Hz, "PV": 15 * Hz, "SOM": 6 * Hz}
    inputs = [Input(f"in_{n}", n, "E", 400, outer, rate) for n, rate in rates.items()]
    return Network(populations, projections, inputs)


@pytest.mark.parametrize("noise", ["diffusion", "effective"])
@pytest.mark.parametrize("model", ["current", "conductance"])
def test_two_populations_are_those_of_their_parameters(model, noise):
    params, net = two(model)
    old, new = (cbnet.solve(x, noise=noise) for x in (params, net))
    assert new.rate.shape == (1, 2)
    (state,) = new.fixed_points
    assert float(state["E"].rate) == pytest.approx(float(old.rate_E[0]), rel=1e-8)
    assert float(state["I"].rate) == pytest.approx(float(old.rate_I[0]), rel=1e-8)
    assert state["E"].cv == pytest.approx(old.cv_E[0], rel=1e-7)
    assert float(state["E"].V_mean) == pytest.approx(float(old.V_mean[0]), rel=1e-8)
    assert float(state["E"].V_sd) == pytest.approx(float(old.V_sd[0]), rel=1e-6)
    assert float(state["E"].tau_eff) == pytest.approx(float(old.tau_eff[0]), rel=1e-8)
    assert state.stable and new.complete
    with pytest.raises(ParameterError, match="no such population"):
        state["SOM"]


@pytest.mark.parametrize("tau_S", ["0 ms", "1 ms"])
def test_modes_of_two_populations_are_those_of_their_parameters(tau_S):
    params, net = two("conductance", tau_S=tau_S, D_min="1ms", D_max="3ms")
    before = cbnet.stability(params, N=5000, noise="diffusion")
    found = cbnet.stability(net)
    assert float(found.growth_rate) == pytest.approx(float(before.growth_rate), rel=1e-5)
    assert float(found.frequency) == pytest.approx(float(before.frequency), rel=1e-6)
    np.testing.assert_allclose(found.fano, [before.fano_E, before.fano_I], rtol=1e-5)
    assert found.noise == before.noise
    at = np.array([1.0, 60.0]) * Hz
    np.testing.assert_allclose(found.spectrum(at, "I"), before.spectrum(at, "I"), rtol=1e-5)


def test_filters_that_are_taken_as_zero_are_told():
    params, net = two(tau_S="1 ms")
    for asked in (params, net):
        with pytest.warns(CbnetWarning, match="which it takes as zero"):
            found = cbnet.solve(asked, noise="diffusion")
        assert found.noise == "diffusion (limit tau_S -> 0)"


@pytest.mark.slow  # two searches among four populations
@pytest.mark.parametrize("model", ["current", "conductance"])
def test_a_part_that_is_split_changes_nothing(model):
    """PV in two halves: the same rates, with classes that are added up."""
    net = disinhibition(model)
    whole = cbnet.solve(net, noise="diffusion").fixed_points
    halves = []
    for p in net.projections:
        parts = [p]
        if p.target == "PV":
            parts = [p, replace(p, target="PV2")]
        for part in parts:
            if part.source == "PV":
                half = replace(part, number=part.number / 2)
                halves += [half, replace(half, source="PV2")]
            else:
                halves.append(part)
    inputs = [*net.inputs, *(replace(i, target="PV2") for i in net.inputs if i.target == "PV")]
    split = Network([*net.populations, replace(net["PV"], name="PV2")], halves, inputs)
    found = cbnet.solve(split, noise="diffusion").fixed_points
    assert len(found) == len(whole)
    for one, other in zip(found, whole, strict=True):
        for name, same in (("E", "E"), ("PV", "PV"), ("PV2", "PV"), ("SOM", "SOM")):
            assert float(one[name].rate) == pytest.approx(float(other[same].rate), rel=1e-6)


def test_a_current_shifts_the_resting_potential():
    net = disinhibition()
    driven = Network(
        [replace(p, values=p.values | {"E_L": p.values["E_L"] - 1e-3}) for p in net.populations],
        net.projections,
        net.inputs,
        [
            Current("current", n, 1 * mV / (p.values["tau_L"] * 1000 * ms))
            for n, p in zip(net.names, net.populations, strict=True)
        ],
    )
    nu = np.array([[3.0, 5.0, 30.0], [20.0, 10.0, 1.0]])
    rates = []
    for each in (net, driven):
        phi = of_network.transfer_of(each, of_network.neurons_of(each, "diffusion"))
        rates.append(phi(nu, 1e-10)[0])
    np.testing.assert_allclose(*rates, rtol=1e-9)


def test_what_the_theory_cannot_take_is_named():
    neuron = cbnet.neuron("current")
    plain = {"kind": "E", "w": 0.2 * mV}

    def net(neuron=neuron, values=None, **projection):
        return Network(
            [Population("E", neuron, 10, values or {})],
            [Projection("E", "E", number=5, **(plain | projection))],
        )

    adaptive = Neuron(
        """dv/dt = (E_L - v - u)/tau_L : volt (unless refractory)
           du/dt = (v - E_L - u)/tau_L : volt""",
        synapses={"E": "v_post += w"},
    )
    plastic = Neuron(
        "dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        synapses={"E": cbnet.Synapse("v_post += w*x", equations="dx/dt = (1 - x)/tau_L : 1")},
    )
    each = net()["E"]
    each = replace(each, values=each.values | {"tau_L": np.linspace(0.015, 0.02, 10)})
    cases = [
        (Network([each], net().projections), ParameterError, r"^E\.tau_L: got 10 values"),
        (net(w=Normal(0.2 * mV, cv=0.1)), ParameterError, r"^E->E\.w: got Normal"),
        (net(values={"tau_L": Normal(20 * ms, cv=0.1)}), ParameterError, r"^E\.tau_L: got Normal"),
        (net(adaptive), ModelError, "^E: equation of 'u'"),
        (net(plastic), ModelError, r"^E\.synapses\['E'\]\.equations: got 'dx/dt"),
    ]
    for given, error, words in cases:
        with pytest.raises(error, match=words) as refused:
            cbnet.solve(given, noise="diffusion")
        assert "\n" not in str(refused.value)


def test_what_only_parameters_take_is_refused():
    for given in ({"N": 1000, "oscillations": True}, {"trains": "renewal"}):
        with pytest.raises(ParameterError, match="for a Network; expected neither"):
            cbnet.solve(two()[1], **given)


@pytest.mark.parametrize(
    ("model", "noise"), [("current", "diffusion"), ("conductance", "effective")]
)
def test_three_populations_in_json(model, noise):
    net = disinhibition(model)
    solution = cbnet.solve(net, noise=noise, oscillations=True)
    data = solution.to_dict()
    assert data["populations"] == ["E", "PV", "SOM"]
    (state,) = data["fixed_points"]
    assert set(state["rate_Hz"]) == {"E", "PV", "SOM"}
    neurons = of_network.neurons_of(net, noise)
    phi = of_network.transfer_of(net, neurons)
    rates = np.asarray(solution.in_si("rate"))
    np.testing.assert_allclose(phi(rates, 1e-10)[0], rates, rtol=1e-7)
    assert state["stable"] == (state["growth_rate_per_s"] < 0)
    assert "E " in repr(solution)


@pytest.mark.skipif(not hasattr(Network, "replace"), reason="values by address are needed")
def test_inputs_that_give_these_rates():
    net = disinhibition()
    wanted = {"E": 6 * Hz, "PV": 14 * Hz, "SOM": 9 * Hz}
    what = ["in_E->E.rate", "in_PV->PV.rate", "in_SOM->SOM.rate"]
    found = cbnet.tune(net, wanted, what, noise="diffusion")
    np.testing.assert_allclose(found.in_si("rate"), [6, 14, 9], rtol=1e-7)
    assert found.error < 1e-7
    states = cbnet.solve(found.network, noise="diffusion").fixed_points
    nearest = min(states, key=lambda s: abs(float(s["E"].rate) - 6))
    np.testing.assert_allclose(np.asarray(nearest.rate), [6, 14, 9], rtol=1e-6)
    # what no input gives is told, with what they do give
    with pytest.raises(ParameterError, match="which no in_SOM->SOM.rate gives: .* it fires at"):
        cbnet.tune(net, wanted | {"SOM": 600 * Hz}, what, noise="diffusion")
    with pytest.raises(ParameterError, match="none of which population SOM feels"):
        cbnet.tune(net, wanted, [*what[:2], what[1]], noise="diffusion")
    with pytest.raises(ParameterError, match="expected one of each of E, PV, SOM"):
        cbnet.tune(net, {"E": 6 * Hz}, what)
