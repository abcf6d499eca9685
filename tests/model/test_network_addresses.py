"""Values of a network by address."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet import Input, Neuron, Population, Projection
from cbnet.errors import ParameterError
from tests.model.test_network_parts import disinhibition, layers


def places(net, name):
    return {p.place: getattr(p, name) for p in (*net.projections, *net.inputs) if hasattr(p, name)}


def changed(net, other, name):
    """Where a value differs, and what it is."""
    before, after = places(net, name), places(other, name)
    return {place: x for place, x in after.items() if x != before[place]}


def test_an_address_changes_what_it_names_and_nothing_else():
    net = disinhibition()
    for changes, name, expected in (
        ({"SOM->E.w": 0.05}, "w", {"SOM->E": 0.05}),
        ({"*->SOM.w": 0.001}, "w", {"E->SOM": 0.001}),
        ({"E->*.number": 200}, "number", {"E->E": 200, "E->PV": 200, "E->SOM": 200}),
        ({"PV->E.probability": 0.3}, "number", {"PV->E": 150}),
        ({"PV->PV.delay": "1 ms"}, "delay", {"PV->PV": 1e-3}),
        ({"thalamus->PV.rate": 20 * Hz}, "rate", {"thalamus->PV": 20.0}),
        ({"thalamus.rate": "20 Hz"}, "rate", {"thalamus->E": 20.0, "thalamus->PV": 20.0}),
        ({"thalamus->*.w": 0.003}, "w", {"thalamus->E": 0.003, "thalamus->PV": 0.003}),
        ({"thalamus->E.until": "1 s"}, "until", {"thalamus->E": 1.0}),
        ({"SOM->PV.wiring": cbnet.Bernoulli()}, "wiring", {"SOM->PV": cbnet.Bernoulli()}),
        ({"SOM->PV.wiring": "bernoulli"}, "wiring", {"SOM->PV": cbnet.Bernoulli()}),
        (
            {"E->E.delay": {"law": "uniform", "low": "1 ms", "high": "2 ms"}},
            "delay",
            {"E->E": cbnet.Uniform("1 ms", "2 ms")},
        ),
    ):
        other = net.replace(changes)
        assert changed(net, other, name) == expected
        for rest in {"w", "number", "delay", "rate", "wiring", "until"} - {name}:
            assert not changed(net, other, rest)
        assert [p.values for p in other.populations] == [p.values for p in net.populations]
    other = net.replace({"*->E.delay": "2 ms"})
    assert set(changed(net, other, "delay")) == {"E->E", "PV->E", "SOM->E"}


def test_parameters_of_populations():
    net = disinhibition().replace({"PV.tau_L": 15 * ms, "*.theta": "-50 mV", "SOM.size": 600})
    assert [net.values(n)["tau_L"] for n in net.names] == [0.02, 0.015, 0.02]
    assert {net.values(n)["theta"] for n in net.names} == {-0.05}
    assert net.sizes["SOM"] == 600
    assert {p.place: p.total for p in net.projections}["E->SOM"] == 240_000
    each = np.linspace(10, 20, 500) * ms
    assert np.array_equal(net.replace({"PV.tau_L": each}).values("PV")["tau_L"], np.asarray(each))
    filtered = layers().replace({"L23E.tau_S": "1 ms"})
    assert {filtered.values("L23E")[n] for n in ("tau_E", "tau_I")} == {1e-3}
    assert filtered.value("L23E.tau_S") == ("ms", 1e-3)


def test_numbers_below_one_are_kept_when_something_else_changes():
    cells = cbnet.neuron("conductance")
    net = cbnet.Network(
        [Population("E", cells, 1000), Population("I", cells, 1000)],
        [Projection("E", "I", "E", pair_probability=3e-4, w=0.01, wiring=cbnet.FixedTotal())],
    )
    assert net.replace({"E->I.w": 0.02}).projections[0].number == net.projections[0].number == 0.3
    assert net.replace({"E->I.pair_probability": 6e-4}).projections[0].total == 600


def test_values_are_read_with_their_unit_and_come_back_the_same():
    net = layers()
    for address, unit, value in (
        ("L23E.tau_L", "ms", 0.01),
        ("L23I->L23E.w", "mV", net.projections[1].w),
        ("L23E->*.delay", "ms", net.projections[0].delay),
        ("background.rate", "Hz", 8.0),
        ("background.w", "mV", 0.1756e-3),
        ("background->L23I.number", "1", 1500.0),
        ("L23I.size", "1", 5834),
        ("L23E->L23I.wiring", None, cbnet.FixedTotal()),
    ):
        assert net.value(address) == (unit, value)
    again = net.replace({"background.rate": 8 * Hz, "L23E->*.delay": net.value("L23E->*.delay")[1]})
    assert again.inputs == net.inputs
    assert again.projections == net.projections


def receptors():
    neuron = Neuron(
        "dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        synapses={"AMPA": "v_post += w", "NMDA": "v_post += w*2*mV"},
    )
    return cbnet.Network(
        [Population("E", neuron, 100)],
        [
            Projection("E", "E", "AMPA", 10, w=0.1 * mV),
            Projection("E", "E", "NMDA", 10, w=0.1),
        ],
        [Input("x", "E", "AMPA", 5, w=0.1 * mV, rate=1 * Hz)],
    )


def test_kinds_of_one_source_are_told_apart():
    net = receptors().replace({"E->E:NMDA.w": 0.3})
    assert [p.w for p in net.projections] == [0.1e-3, 0.3]
    assert {p.number for p in net.replace({"E->E:*.number": 7}).projections} == {7}
    assert net.value("E->E:AMPA.w") == ("mV", 0.1e-3)
    with pytest.raises(ParameterError, match=r"E->E.w: got synapses of the kinds AMPA and NMDA"):
        net.replace({"E->E.w": 0.2})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SOM->E": 1}, "SOM->E: got no address; expected one such as"),
        ({3: 1}, "3: got no address"),
        ({"VIP.tau_L": "1 ms"}, "VIP.tau_L: got nothing of that name in the network"),
        ({"SOM->SOM.w": 1}, "SOM->SOM.w: got nothing of that name in the network .did you mean"),
        ({"SOM->E.weight": 1}, "SOM->E.weight: got 'weight'; expected one of w, delay, number"),
        ({"thalamus.delay": "1 ms"}, "thalamus.delay: got 'delay'; expected one of w, rate"),
        ({"PV.tau": "1 ms"}, "PV.tau: got an unknown name; expected a parameter of the neuron"),
        ({"PV.tau_L": "1 mV"}, "PV.tau_L: got 1 mV"),
        ({"SOM->E.w": -1}, "SOM->E.w: got -1"),
        ({"SOM->E.wiring": "random"}, "wiring: got 'random'; expected one of fixed_in"),
        ({"SOM->E.w": {"law": "gamma"}}, "SOM->E.w.law: got 'gamma'; expected one of uniform"),
        ({"SOM->E.number": 501}, "SOM->E.number: got 501; expected at most 500"),
        ({"SOM.size": 40}, "SOM->E.number: got 100; expected at most 40"),
        ({"SOM->E.w": 0.1, "SOM->*.w": 0.2}, "SOM->[*].w: got another value than SOM->E.w"),
    ],
)
def test_addresses_that_name_nothing_or_the_same_are_refused(changes, message):
    with pytest.raises(ParameterError, match=rf"\A{message}"):
        disinhibition().replace(changes)


def test_several_values_are_not_one():
    with pytest.raises(ParameterError, match=r"\A\*->E.w: got 3 values that differ; .*E->E.w"):
        disinhibition().value("*->E.w")
    with pytest.raises(ParameterError, match=r"\ASOM->E.probability: got what can be set"):
        disinhibition().value("SOM->E.probability")


def test_edges_keep_their_own_values():
    cells = cbnet.neuron("conductance")
    edges = cbnet.Explicit([0, 1, 1], [0, 0, 1], w=[0.1, 0.2, 0.3])
    net = cbnet.Network(
        [Population("E", cells, 2)], [Projection("E", "E", "E", wiring=edges, delay="1 ms")]
    )
    assert (net.projections[0].number, net.projections[0].w.mean) == (1.5, pytest.approx(0.2))
    assert net.replace({"E->E.delay": "2 ms"}).projections[0].delay == 2e-3
    assert net.replace({"E.size": 3}).projections[0].number == 1
    with pytest.raises(ParameterError, match=r"\AE->E.w: got a value; expected none, as every"):
        net.replace({"E->E.w": 0.1})
    with pytest.raises(ParameterError, match=r"\AE->E.wiring.i: got the neuron 1"):
        net.replace({"E.size": 1})
