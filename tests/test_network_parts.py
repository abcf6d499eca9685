"""Constructors of networks with units, as a user writes them."""

import numpy as np
from brian2 import Hz, ms, mV

import cbnet

LAYERS = ["L23E", "L23I"]


def disinhibition():
    cells = cbnet.neuron("conductance")
    return cbnet.Network(
        populations=[
            cbnet.Population("E", cells, 4000),
            cbnet.Population("PV", cells, 500, values={"tau_L": 10 * ms}),
            cbnet.Population("SOM", cells, 500),
        ],
        projections=cbnet.matrix(
            ["E", "PV", "SOM"],
            kinds=["E", "I", "I"],
            number=[[400, 100, 100], [400, 100, 50], [400, 0, 0]],
            w=[[0.002, 0.03, 0.02], [0.003, 0.03, 0.02], [0.002, 0, 0]],
            delay=cbnet.Uniform(0.5 * ms, 3 * ms),
        ),
        inputs=[
            cbnet.Input("thalamus", p, "E", number=400, w=0.002, rate=30 * Hz) for p in ("E", "PV")
        ],
    )


def layers():
    lif = cbnet.neuron(
        "current", tau_S=0.5 * ms, tau_L=10 * ms, E_L=-65 * mV, theta=-50 * mV, V_r=-65 * mV,
        tau_rp=2 * ms,
    )  # fmt: skip
    N, K = {"L23E": 20683, "L23I": 5834}, {"L23E": 1600, "L23I": 1500}
    C = [[0.1009, 0.1689], [0.1346, 0.1371]]
    W, D = np.array([[0.15, 0.6], [0.15, 0.6]]) * mV, np.array([1.5, 0.75]) * ms
    return cbnet.Network(
        populations=[
            cbnet.Population(n, lif, N[n], initial=cbnet.Normal(-58 * mV, 10 * mV)) for n in LAYERS
        ],
        projections=cbnet.matrix(
            LAYERS,
            kinds=["E", "I"],
            pair_probability=C,
            wiring=cbnet.FixedTotal(multapses=True),
            w=cbnet.Normal(W, cv=0.1),
            delay=cbnet.Normal(D, cv=0.5, at_least=0.1 * ms),
        ),
        inputs=[
            cbnet.Input("background", n, "E", number=K[n], w=0.1756 * mV, rate=8 * Hz)
            for n in LAYERS
        ],
    )


def test_three_populations_in_si():
    net = disinhibition()
    assert net.names == ("E", "PV", "SOM")
    assert net.sizes == {"E": 4000, "PV": 500, "SOM": 500}
    assert net.values("PV")["tau_L"] == 0.01
    assert net.values("E")["tau_L"] == 0.02
    assert [p.place for p in net.projections] == [
        "E->E", "PV->E", "SOM->E", "E->PV", "PV->PV", "SOM->PV", "E->SOM",
    ]  # fmt: skip
    by_place = {p.place: p for p in net.projections}
    assert (by_place["SOM->PV"].number, by_place["SOM->PV"].w, by_place["SOM->PV"].kind) == (
        50, 0.02, "I",
    )  # fmt: skip
    assert by_place["E->SOM"].delay == cbnet.Uniform("0.5 ms", "3 ms")
    assert by_place["E->SOM"].total == 200_000
    total = net.total("E", {"E": 1, "PV": 2, "SOM": 3})
    assert total == {("E", 0.002): 400 * 31, ("I", 0.03): 200, ("I", 0.02): 300}


def test_matrices_of_laws():
    net = layers()
    own = net.projections[0]
    assert own.total == 45_499_805
    assert own.number == 45_499_805 / 20683
    inhibition = net.projections[1]
    assert np.isclose(inhibition.w.mean, 0.6e-3, rtol=1e-9)
    assert np.isclose(inhibition.delay.center, 0.75e-3)
    assert inhibition.w.at_least == 0
    assert net["L23E"].initial["v"].mean == -0.058
    assert net.inputs[0].w == 0.1756e-3
