"""Networks as plain data, their fingerprints, and how they are shown."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet import Current, Input, Network, Neuron, Population, Projection, Synapse
from tests.model.test_network_parts import disinhibition, layers


def everything():
    """A network with what a network can have."""
    neuron = Neuron(
        "dv/dt = (E_L - v)/tau_L - u*mV/ms : volt (unless refractory)\ndu/dt = -u/tau_u : 1",
        reset="v = V_r; u += b",
        synapses={
            "E": Synapse("v_post += x*w\n x *= 0.5", equations="dx/dt = (1 - x)/tau_L : 1"),
            "none": Synapse("v_post += 1*mV", efficacy=None),
        },
        parameters={"tau_u": 100 * ms, "b": 0.1},
        name="adapting",
    )
    each = np.linspace(10, 20, 30) * ms
    pools = [
        Population("A", neuron, 30, values={"tau_L": each}, initial={"u": 0.5, "v": -60 * mV}),
        Population("B", neuron, 20, values={"tau_L": cbnet.Normal(20 * ms, cv=0.1)}),
    ]
    edges = cbnet.Explicit([0, 1, 2], [3, 4, 4], delay=[1, 2, 3] * ms)
    projections = [
        Projection("A", "B", "E", 10, w=cbnet.LogNormal(0.1 * mV, 1), wiring=cbnet.GaussianIn(0.1)),
        Projection("B", "A", "E", w="1 mV", wiring=edges),
        Projection("B", "A", "none", 5, delay=cbnet.Exponential(2 * ms)),
        Projection("B", "B", "E", probability=0.3, w=0 * mV, wiring=cbnet.FixedTotal(False)),
    ]
    inputs = [Input("x", "A", "E", w=1 * mV, rate=500 * Hz, until="1 s")]
    return Network(pools, projections, inputs, [Current("c", "B", "0.1 mV/ms")])


def of_two():
    return Network.ei(cbnet.load("current").replace(**{"I.K": 800, "tau_S": "2 ms"}), N=5000)


@pytest.mark.parametrize("make", [disinhibition, layers, everything, of_two])
def test_a_network_comes_back_from_json(make):
    net = make()
    stored = json.loads(json.dumps(net.to_dict()))
    again = Network.from_dict(stored)
    assert again == net
    assert again.fingerprint == make().fingerprint
    assert again.to_dict() == stored
    rates = dict.fromkeys(net.names, 3.0)
    assert again.arrivals(rates) == net.arrivals(rates)
    for name in net.names:
        assert again.values(name).keys() == net.values(name).keys()
        for parameter, value in net.values(name).items():
            assert np.all(again.values(name)[parameter] == value)


@pytest.mark.parametrize("make", [disinhibition, layers, everything, of_two])
def test_a_network_can_be_sent_to_another_process(make):
    net = make()
    assert pickle.loads(pickle.dumps(net)) == net
    assert copy.deepcopy(net).arrivals([1.0] * len(net.names)) == net.arrivals(
        [1.0] * len(net.names)
    )


def test_a_network_is_frozen():
    with pytest.raises(
        dataclasses.FrozenInstanceError, match="names: networks are frozen; .*replace"
    ):
        disinhibition().names = ()


@pytest.mark.parametrize(
    "changes",
    [
        {"SOM->E.w": 0.0200001},
        {"SOM->E.number": 101},
        {"*->E.delay": "1 ms"},
        {"E.tau_L": "20.0001 ms"},
        {"SOM.size": 501},
        {"thalamus.rate": "29 Hz"},
        {"PV->E.wiring": cbnet.Bernoulli()},
    ],
)
def test_networks_that_differ_are_not_equal(changes):
    net = disinhibition()
    assert net == disinhibition()
    assert hash(net) == hash(disinhibition())
    assert net.replace(changes) != net
    assert net != "a network"


def test_what_a_table_says_of_a_neuron_makes_no_difference():
    strings = "dv/dt = (E_L - v)/tau_L : volt (unless refractory)"
    nets = [
        Network(
            [Population("A", Neuron(text, name=name, parameters={"tau_L": tau}), values=values)]
        )
        for text, name, tau, values in (
            (strings, "one", 20 * ms, {"tau_L": 10 * ms}),
            (f"\n    {strings}\n", "other", 10 * ms, {}),
        )
    ]
    assert nets[0] == nets[1]


def test_a_network_reads_like_a_table():
    assert repr(disinhibition()) == (
        "Network of 3 populations, 5000 neurons, 2875000 synapses\n"
        "  E    4000  conductance\n"
        "  PV   500   conductance  tau_L=10 ms\n"
        "  SOM  500   conductance\n"
        "in-degree × efficacy, targets in rows, sources in columns\n"
        "       E            PV          SOM\n"
        "  E    400 × 0.002  100 × 0.03  100 × 0.02\n"
        "  PV   400 × 0.003  100 × 0.03  50 × 0.02\n"
        "  SOM  400 × 0.002  .           .\n"
        "  kind: E E; PV I; SOM I\n"
        "  delay: 0.5…3 ms\n"
        "  wiring: FixedIn()\n"
        "from outside\n"
        "  thalamus->E: 400 × 0.002 at 30 Hz (E)\n"
        "  thalamus->PV: 400 × 0.002 at 30 Hz (E)"
    )
    text = repr(everything())
    for part in (
        "A  30  adapting  tau_L=30 values",
        "tau_L=(20 ± 2 ms)",
        "10 × LogNormal(mean=0.1 mV, cv=1)",
        "0.1 × 1 mV (E) + 5 (none)",
        "A->B GaussianIn(cv=0.1)",
        "x->A: 1 × 1 mV at 500 Hz (E), until 1 s",
        "c->B: 0.1 mV/ms",
    ):
        assert part in text, text
