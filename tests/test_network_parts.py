"""Constructors of networks with units, as a user writes them."""

import numpy as np
from brian2 import Hz, ms, mV

import cbnet

LAYERS = ["L23E", "L23I"]
# Potjans & Diesmann (2014): sizes and probabilities that a pair has a synapse, targets in rows;
# and mean in-degrees, as they are published to a tenth.
SIZES = {
    "L23E": 20683, "L23I": 5834, "L4E": 21915, "L4I": 5479, "L5E": 4850, "L5I": 1065,
    "L6E": 14395, "L6I": 2948,
}  # fmt: skip
PAIRS = """
0.1009 0.1689 0.0437 0.0818 0.0323 0 0.0076 0
0.1346 0.1371 0.0316 0.0515 0.0755 0 0.0042 0
0.0077 0.0059 0.0497 0.1350 0.0067 0.0003 0.0453 0
0.0691 0.0029 0.0794 0.1597 0.0033 0 0.1057 0
0.1004 0.0622 0.0505 0.0057 0.0831 0.3726 0.0204 0
0.0548 0.0269 0.0257 0.0022 0.0600 0.3158 0.0086 0
0.0156 0.0066 0.0211 0.0166 0.0572 0.0197 0.0396 0.2252
0.0364 0.0010 0.0034 0.0005 0.0277 0.0080 0.0658 0.1443
"""
IN_DEGREES = """
2199.9 1079.3 979.2 467.6 159.2 0 109.8 0
2990.0 860.3 703.7 289.7 380.7 0 60.6 0
159.9 34.5 1117.2 794.6 32.6 0.3 667.3 0
1481.0 16.9 1813.0 953.3 16.0 0 1608.1 0
2188.4 374.7 1135.6 31.3 420.8 496.5 296.7 0
1165.7 159.1 570.6 12.1 300.1 404.2 124.3 0
325.2 38.6 467.4 91.7 285.7 21.2 581.6 752.2
766.9 5.8 74.6 2.7 136.2 8.6 979.8 459.4
"""


def table(text):
    return [[float(x) for x in row.split()] for row in text.strip().splitlines()]


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


def test_synapses_of_a_published_network():
    lif = cbnet.neuron("current", tau_S="0.5 ms")
    net = cbnet.Network(
        [cbnet.Population(n, lif, size) for n, size in SIZES.items()],
        cbnet.matrix(
            list(SIZES),
            ["E", "I"] * 4,
            pair_probability=table(PAIRS),
            w="0.15 mV",
            delay="1.5 ms",
            wiring=cbnet.FixedTotal(),
        ),
    )
    assert sum(p.total for p in net.projections) == 298_880_968
    totals = {p.place: p.total for p in net.projections}
    known = {"L23E->L23E": 45_499_805, "L5I->L4E": 7003, "L5I->L5E": 2_407_889}
    assert {place: totals[place] for place in known} == known
    assert totals["L6I->L6I"] == 1_354_320
    found = {p.place: p.number for p in net.projections}
    for target, row in zip(SIZES, table(IN_DEGREES), strict=True):
        for source, number in zip(SIZES, row, strict=True):
            assert abs(found.pop(f"{source}->{target}", 0) - number) < 0.051
    assert not found
    spread = net.arrivals(dict.fromkeys(SIZES, 1.0))[-2].spread
    assert abs(spread - 31) < 0.5  # published: 979 ± 31 of L6E onto L6I


def test_a_probability_is_a_share_of_the_source():
    cells = cbnet.neuron("conductance")
    pools = [cbnet.Population("E", cells, 400), cbnet.Population("I", cells, 100)]
    net = cbnet.Network(
        pools, [cbnet.Projection("E", "I", "E", probability=0.1, w=0.01, wiring=cbnet.Bernoulli())]
    )
    assert (net.projections[0].number, net.projections[0].total) == (40, 4000)
    assert net.arrivals([1, 1])[0].spread == 36**0.5
    few = net.replace({"E.size": 100, "E->I.probability": 0.07})
    assert few.projections[0].number == 7 != 0.07 * 100  # in floats
    assert net.scaled("sqrt", 0.07 / 0.4).projections[0].number == 7
