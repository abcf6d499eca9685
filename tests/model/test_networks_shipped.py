"""Networks that ship: their numbers against those that are published of them.

Numbers are those of the sources that the modules in ``models/networks`` name, unless a test says
that they follow from them.
"""

import math

import brian2
import numpy as np
import pytest
from brian2 import ms, mV
from cbnet.models.networks import brunel2000, disinhibition, microcircuit, v1_column

import cbnet
from cbnet.errors import ParameterError
from cbnet.model.library import model_names, network_names
from cbnet.model.mean_effect import MeanEffect
from cbnet.simulation.brian import objects


def table(net, field):
    """A field of every projection; rows: targets, columns: sources."""
    found = np.zeros((len(net.names),) * 2)
    for p in net.projections:
        found[net.names.index(p.target), net.names.index(p.source)] += getattr(p, field)
    return found


def response(neuron, variable, jump, values, duration, dt):
    """v − E_L after a jump of a variable at rest, by Euler's rule with small steps."""
    effect = MeanEffect(neuron, values)
    tau = values[f"tau_{variable[-1]}"]
    rest = values["E_L"]
    v, s, found = rest, jump, []
    for _ in range(round(duration / dt)):
        v += dt * float(effect.rate("v", v, {variable: s}))
        s -= dt * s / tau
        found.append(v - rest)
    return np.array(found)


# by name


def test_every_name_gives_a_network_of_finite_size():
    assert set(network_names()) == {
        "brunel2000", "coba", "cuba", "disinhibition", "ei", "microcircuit", "v1_column",
    }  # fmt: skip
    assert "networks" not in model_names()
    for name in network_names():
        net = cbnet.load(name)
        assert all(net.sizes.values()) and net.projections
        assert cbnet.Network.from_dict(net.to_dict()) == net


def test_ei_is_the_network_of_parameters():
    assert cbnet.load("ei") == cbnet.Network.ei(cbnet.load("conductance"), 10_000)
    assert cbnet.load("ei", model="current", N=5000).sizes == {"E": 4000, "I": 1000}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("brunel2000", {"stat": "AI"}, "stat: got an unknown option of 'brunel2000'; .*'state'"),
        ("conductance", {"scale": 1}, "scale: got an option of 'conductance'; expected none"),
        ("microcircit", {}, "MODEL: got 'microcircit'; .*did you mean 'microcircuit'"),
        ("microcircuit", {"background": "ac"}, "background: got 'ac'; expected one of poisson, dc"),
        ("microcircuit", {"E_I": -80 * mV}, "E_I: got .* for current synapses"),
        ("microcircuit", {"synapses": "conductance", "E_I": "-60 mV"}, "E_E, E_I: got 0 and -60"),
        ("microcircuit", {"synapses": "conductance", "background": "dc"}, "background: got 'dc'"),
        ("brunel2000", {"state": "AI", "g": 4}, "state: got 'AI'; expected .* without g"),
        ("brunel2000", {"inhibitory": {"g": 4}}, "inhibitory: got it with model A"),
        ("brunel2000", {"model": "B", "inhibitory": {"x": 4}}, "inhibitory: got 'x'"),
        ("brunel2000", {"model": "C"}, "model: got 'C'"),
        ("coba", {"wiring": "all"}, "wiring: got 'all'"),
        ("coba", {"start": "hot"}, "start: got 'hot'"),
        ("cuba", {"weights": "other"}, "weights: got 'other'"),
        ("disinhibition", {"panels": "A"}, "panels: got 'A' with a = None"),
        ("v1_column", {"total": 10}, "total: got 10"),
        ("v1_column", {"background": "x"}, "background: got 'x'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name, options, message):
    with pytest.raises(ParameterError, match=message) as caught:
        cbnet.load(name, **options)
    assert "\n" not in str(caught.value)


def test_the_command_line_wants_parameters_of_e_and_i():
    with pytest.raises(ParameterError, match="a network of E, PV, SOM; expected a model"):
        cbnet.model.library.load_parameters("disinhibition")


# microcircuit

IN_DEGREES = """
    2199.9 1079.3  979.2 467.6 159.2   0    109.8   0
    2990.0  860.3  703.7 289.7 380.7   0     60.6   0
     159.9   34.5 1117.2 794.6  32.6   0.3  667.3   0
    1481.0   16.9 1813.0 953.3  16.0   0   1608.1   0
    2188.4  374.7 1135.6  31.3 420.8 496.5  296.7   0
    1165.7  159.1  570.6  12.1 300.1 404.2  124.3   0
     325.2   38.6  467.4  91.7 285.7  21.2  581.6 752.2
     766.9    5.8   74.6   2.7 136.2   8.6  979.8 459.4
"""  # NNMT, Bos2016_network_params.yaml (save L4E <- L4I); K_tot/N of the source's formula


@pytest.fixture(scope="module")
def circuit():
    return cbnet.load("microcircuit")


def test_synapses_of_the_microcircuit(circuit):
    totals = table(circuit, "total")
    assert totals.sum() == 298_880_968 and sum(circuit.sizes.values()) == 77_169
    at = circuit.names.index
    for target, source, number in (
        ("L23E", "L23E", 45_499_805),
        ("L4E", "L5I", 7_003),
        ("L5E", "L5I", 2_407_889),
        ("L6I", "L6I", 1_354_320),
    ):
        assert totals[at(target), at(source)] == number
    for p in circuit.projections:  # each from the formula itself
        C = microcircuit.PROBABILITY[at(p.target)][at(p.source)]
        pairs = circuit.sizes[p.source] * circuit.sizes[p.target]
        assert abs(p.total - math.log1p(-C) / math.log1p(-1 / pairs)) < 0.5 + 1e-7 * p.total
        assert 1 - math.exp(p.total * math.log1p(-1 / pairs)) == pytest.approx(C, abs=1e-6)
    numbers = np.array(IN_DEGREES.split(), float).reshape(8, 8)
    assert np.allclose(table(circuit, "number"), numbers, rtol=0, atol=0.0501)


def test_in_degrees_of_the_microcircuit_are_binomial(circuit):
    """L6I from L6E: 979 ± 31 (frschu/microcircuit, model_validation)."""
    (p,) = (p for p in circuit.projections if p.place == "L6E->L6I")
    assert p.number == pytest.approx(979.8, abs=0.05)
    assert circuit.spread(p) == pytest.approx(31, abs=0.5)
    assert p.wiring.multapses


def test_postsynaptic_potentials_of_the_microcircuit(circuit):
    """585.390 pA of 250 pF for a peak of 1 mV, that is 87.81 pA and 0.15 mV 1.58 ms later."""
    background = circuit.inputs[0]
    jump = background.w / 0.5e-3  # of s, V/s
    assert jump * 250e-12 == pytest.approx(87.81e-12, abs=0.005e-12)
    assert jump * 250e-12 / 0.15 == pytest.approx(585.390e-12, abs=0.001e-12)
    values = circuit.values("L4E")
    found = response(circuit["L4E"].neuron, "s_E", jump, values, 5e-3, 1e-6)
    assert found.max() == pytest.approx(0.15e-3, rel=1e-3)
    assert found.argmax() * 1e-6 == pytest.approx(1.577e-3, abs=0.005e-3)


def test_efficacies_and_delays_of_the_microcircuit(circuit):
    one = circuit.inputs[0].w
    for p in circuit.projections:
        excitatory = p.source.endswith("E")
        factor = 1 if excitatory else 4
        factor = 2 if p.place == "L4E->L23E" else factor
        assert p.kind == ("E" if excitatory else "I")
        assert p.w.center == pytest.approx(factor * one) and p.w.width == pytest.approx(
            0.1 * factor * one
        )
        assert p.delay.center == pytest.approx(1.5e-3 if excitatory else 0.75e-3)
        assert p.delay.width == pytest.approx(p.delay.center / 2)
        assert p.delay.shortest == pytest.approx(0.1e-3) and p.delay.mean > p.delay.center


def test_background_of_the_microcircuit(circuit):
    """DC per population (pA) is the mean of the trains; a steady drive of 375 pA is the rheobase.

    0.3512 pA for each of K_ext (ReScience re-implementation).
    """
    dc = cbnet.load("microcircuit", background="dc")
    assert not dc.inputs and len(dc.currents) == 8
    expected = [561.97, 526.85, 737.59, 667.34, 702.47, 667.34, 1018.58, 737.59]
    for name, given in zip(circuit.names, expected, strict=True):
        assert dc.drive(name) * 250 == pytest.approx(given, abs=0.006)
        (one,) = (i for i in circuit.inputs if i.target == name)
        assert one.number * one.rate * one.w == pytest.approx(dc.drive(name))
    assert dc.drive("L23E") * 250 / 1600 == pytest.approx(0.3512, abs=5e-5)


def test_starts_of_the_microcircuit(circuit):
    assert {p.initial["v"].center for p in circuit.populations} == {-58e-3}
    optimised = cbnet.load("microcircuit", start="optimised")
    law = optimised["L6I"].initial["v"]
    assert (law.center, law.width) == pytest.approx((-61.43e-3, 4.48e-3))


def test_a_smaller_microcircuit_keeps_mean_and_variance_of_its_drive(circuit):
    small = cbnet.load("microcircuit", scale=0.1)
    assert small.sizes["L23E"] == 2068
    for name in circuit.names:
        moments = []
        for net in (circuit, small):
            rows = [r for r in net.arrivals(microcircuit.RATES) if r.target == name]
            w = [getattr(r.w, "mean", r.w) * (1 if r.kind == "E" else -1) for r in rows]
            mean = net.drive(name) + sum(x * r.total for x, r in zip(w, rows, strict=True))
            moments.append((mean, sum(x**2 * r.total for x, r in zip(w, rows, strict=True))))
        assert moments[1] == pytest.approx(moments[0], rel=1e-9)


def test_mean_potentials_of_the_microcircuit(circuit):
    """Initial means of SpiNNakerManchester/microcircuit_model, within 1 mV."""
    found = microcircuit.mean_potentials()
    spinnaker = [-64.28, -59.16, -59.33, -59.45, -59.11, -57.66, -62.72, -57.43]
    assert found == pytest.approx(spinnaker, abs=1)
    for name, rate, mean in zip(circuit.names, microcircuit.RATES, found, strict=True):
        rows = [r for r in circuit.arrivals(microcircuit.RATES) if r.target == name]
        drive = sum(
            getattr(r.w, "mean", r.w) * r.total * (1 if r.kind == "E" else -1) for r in rows
        )
        free = -65e-3 + 10e-3 * drive  # without threshold: what a spike takes is 15 mV at most
        assert -20e-3 * rate * 10e-3 <= mean * 1e-3 - free <= 0


def test_conductances_move_v_as_much_at_the_mean_potential(circuit):
    alike = cbnet.load("microcircuit", synapses="conductance")
    assert table(alike, "total").sum() == 298_880_968
    means = dict(zip(circuit.names, microcircuit.mean_potentials(), strict=True))
    pairs = [*zip(circuit.projections, alike.projections, strict=True)]
    pairs += [*zip(circuit.inputs, alike.inputs, strict=True)]
    for one, other in pairs:
        effects = []
        for net, link in ((circuit, one), (alike, other)):
            effect = MeanEffect(net[link.target].neuron, net.values(link.target))
            w = getattr(link.w, "mean", link.w)
            effects.append(float(effect.effect(link.kind, w, means[link.target] * 1e-3)))
        assert effects[1] == pytest.approx(effects[0], rel=1e-9)


@pytest.mark.parametrize("name", ["microcircuit", "disinhibition"])
def test_efficacies_that_do_not_differ(name):
    """With a spread of 0 they are numbers, those that the laws have as their centres."""
    pairs = zip(cbnet.load(name).projections, cbnet.load(name, spread=0).projections, strict=True)
    for law, number in pairs:
        assert type(number.w) is float and number.w == pytest.approx(law.w.center)


# Brunel 2000


def test_model_a_of_brunel():
    """ν_thr = 10 Hz, 20 kHz from outside at twice that, 1000 and 250 synapses."""
    net = cbnet.load("brunel2000", state="AI")
    assert net.sizes == {"E": 10_000, "I": 2_500}
    assert np.array_equal(table(net, "number"), [[1000, 250]] * 2)
    assert np.allclose(table(net, "w"), [[0.1e-3, 0.5e-3]] * 2)
    assert brunel2000.threshold_rate(0.1, 1000) == pytest.approx(10)
    assert [i.number * i.rate for i in net.inputs] == pytest.approx([20e3] * 2)
    assert brunel2000.threshold_rate(0.2, 4000) == pytest.approx(1.25)
    assert net.distinct[0] == ("E",)  # E and I are alike
    for name, value in (("V_r", 10e-3), ("theta", 20e-3), ("E_L", 0), ("tau_L", 20e-3)):
        assert net.values("I")[name] == pytest.approx(value)


def siegert(net):
    """Self-consistent rate of neurons that are alike, by the formula for diffusion.

    1/ν = τ_rp + τ√π ∫ e^(u²)(1 + erf u) du from (V_r − μ)/σ to (θ − μ)/σ.
    """
    from scipy.integrate import quad
    from scipy.optimize import brentq
    from scipy.special import erfcx

    values, tau = net.values("E"), net.values("E")["tau_L"]

    def excess(rate):
        rows = [r for r in net.arrivals([rate] * 2) if r.target == "E"]
        signs = [1 if r.kind == "E" else -1 for r in rows]
        mean = tau * sum(s * r.w * r.total for s, r in zip(signs, rows, strict=True))
        sigma = math.sqrt(tau * sum(r.w**2 * r.total for r in rows))
        low, high = ((values[n] - mean) / sigma for n in ("V_r", "theta"))
        area = quad(lambda u: erfcx(-u), low, high, epsabs=1e-12)[0]
        return 1 / (values["tau_rp"] + tau * math.sqrt(math.pi) * area) - rate

    return brentq(excess, 0.5, 490)


@pytest.mark.parametrize(
    ("state", "V_r", "rate"),
    [
        # the theory column of the paper's table 1 to its digits: 55.8, 38.0, 6.5
        ("SI-fast", "10 mV", 55.84),
        ("AI", "10 mV", 37.95),
        ("SI-slow", "10 mV", 6.52),
        ("SI-fast", "0 mV", 49.15),
        ("AI", "0 mV", 32.03),
        ("SI-slow", "0 mV", 5.83),
    ],
)
def test_mean_field_rates_of_brunel(state, V_r, rate):
    assert siegert(cbnet.load("brunel2000", state=state, V_r=V_r)) == pytest.approx(rate, abs=0.05)


def test_a_smaller_network_of_brunel():
    """NEST's example with V_r = 0: 53.08 Hz for 2500 neurons (mean field)."""
    net = cbnet.load("brunel2000", N_E=2000, V_r="0 mV")
    assert net.sizes == {"E": 2000, "I": 500} and table(net, "number")[0, 1] == 50
    assert siegert(net) == pytest.approx(53.08, abs=0.05)


def test_model_b_of_brunel_is_a_structure():
    assert siegert(cbnet.load("brunel2000", model="B")) == pytest.approx(4.86, abs=0.05)
    net = cbnet.load(
        "brunel2000", model="B", inhibitory={"g": 4, "J": 0.3, "tau_L": "10 ms", "eta": 1.5}
    )
    assert np.allclose(table(net, "w"), [[0.2e-3, 1.2e-3], [0.3e-3, 1.2e-3]])
    assert net.values("I")["tau_L"] == pytest.approx(10e-3)
    assert [i.rate for i in net.inputs] == pytest.approx([2.5, 1.875])
    assert net.distinct[0] == ("E", "I")


# COBA and CUBA


@pytest.mark.parametrize("name", ["coba", "cuba"])
def test_in_degrees_of_the_benchmarks(name):
    net = cbnet.load(name)
    assert net.sizes == {"E": 3200, "I": 800}
    assert np.array_equal(table(net, "number"), [[64, 16]] * 2)
    (p, *_) = net.projections
    assert net.spread(p) == pytest.approx(math.sqrt(64 * 0.98))
    assert net.spread(cbnet.load(name, wiring="fixed").projections[0]) == 0


def test_conductances_of_coba():
    net = cbnet.load("coba")
    neuron, values = net["E"].neuron, net.values("E")
    for p in net.projections[:2]:  # a jump of s is Δg/C
        tau = values[f"tau_{p.kind}"]
        assert p.w / tau * 200e-12 == pytest.approx({"E": 6e-9, "I": 67e-9}[p.kind])
    start = net["I"].initial
    assert start["s_E"].center / (10e-9 / 200e-12) == pytest.approx(4)
    assert start["s_I"].width / (10e-9 / 200e-12) == pytest.approx(12)
    assert neuron.units == {"E": "1", "I": "1"}
    leak = MeanEffect(neuron, values).leak(np.array([-60e-3, -50e-3]))
    assert leak == pytest.approx([0, -0.5])  # 10 mV in 20 ms


def test_the_kick_of_coba_ends():
    (kick,) = cbnet.load("coba", start="kick").inputs
    assert (kick.target, kick.until, kick.rate) == ("E", 0.05, 300)
    assert kick.number * 3200 == pytest.approx(50)
    assert not cbnet.load("coba", start="rest").inputs


@pytest.mark.parametrize(
    ("weights", "kind", "jump", "peak"),
    [
        ("specified", "E", 16.2e-12, 0.255),  # 0.25 and 2.25 mV in the source's benchmark 4
        ("specified", "I", 90e-12, 2.250),
        ("nest", "I", 139.5e-12, 3.49),
    ],
)
def test_potentials_of_cuba(weights, kind, jump, peak):
    net = cbnet.load("cuba", weights=weights)
    (w,) = {p.w for p in net.projections if p.kind == kind}
    values = net.values("E")
    assert w / values[f"tau_{kind}"] * 200e-12 == pytest.approx(jump)
    change = w / values[f"tau_{kind}"]
    found = response(net["E"].neuron, f"s_{kind}", change, values, 30e-3, 5e-6)
    assert abs(found).max() == pytest.approx(peak * 1e-3, rel=2e-3)


def test_a_neuron_of_cuba_fires_by_itself():
    """Interval 5 + 20 ln 11 = 52.96 ms."""
    v = cbnet.load("cuba").values("E")
    reached = math.log((v["E_L"] - v["V_r"]) / (v["E_L"] - v["theta"]))
    assert v["tau_rp"] + v["tau_L"] * reached == pytest.approx(52.96e-3, abs=5e-6)


# E, PV, SOM


def test_synapses_of_the_disinhibitory_circuit():
    net = cbnet.load("disinhibition")
    expected = [[521_050, 245_774, 204_812], [119_652, 33_514, 19_237], [99_710, 0, 0]]
    assert np.array_equal(table(net, "total"), expected)
    jump = net.inputs[0].w / 0.5e-3
    assert jump * 250e-12 == pytest.approx(610.6e-12, abs=0.05e-12)
    assert pytest.approx(1.0431, abs=5e-5) == disinhibition.PSP
    outside = {(i.name, i.target): i.number for i in net.inputs}
    assert outside == {
        ("excitation", "E"): 227.48,
        ("excitation", "PV"): 206.8,
        ("excitation", "SOM"): 206.8,
        ("inhibition", "SOM"): pytest.approx(45 * 2.068),
    }
    assert net.projections[0].delay.width == net.projections[0].delay.center == 1.5e-3


def test_panels_of_the_disinhibitory_circuit():
    a = cbnet.load("disinhibition", panels="A", a=0.35)
    assert {p.place for p in a.projections if "SOM" in p.place} == {"SOM->PV"}
    inhibition = {i.target: i.number for i in a.inputs if i.name == "inhibition"}
    assert inhibition == pytest.approx({"E": 20 * 2.068, "SOM": 45 * 0.65 * 2.068})
    b = cbnet.load("disinhibition", panels="B", a=1)
    assert {p.place for p in b.projections if "SOM" in p.place} == {"SOM->E"}


# the V1 column


def test_sizes_of_the_v1_column():
    found = v1_column.sizes(5000)
    assert list(found) == list(v1_column.NAMES)
    assert list(found.values()) == [
        1236, 65, 47, 107, 1010, 98, 53, 27, 741, 63, 56, 11, 1263, 102, 102, 19, 96,
    ]  # fmt: skip
    for total in (10_000, 80_000):
        many = v1_column.sizes(total)
        assert sum(many.values()) - many["VIP1"] == total


@pytest.fixture(scope="module")
def column():
    return cbnet.load("v1_column")


def test_in_degrees_and_summed_weights_of_the_v1_column(column):
    p = v1_column.probabilities()
    at = column.names.index
    seen = set()
    for one in column.projections:
        if one.kind == "release":
            continue
        s, t = at(one.source), at(one.target)
        share = {"AMPA": 0.8, "NMDA": 0.2, "GABA": 1.0}[one.kind]
        assert one.number == pytest.approx(share * p[s, t] * column.sizes[one.source])
        assert one.number * one.w == pytest.approx(5 * v1_column.STRENGTH[s, t])
        assert one.source.startswith("E") == (one.kind != "GABA")
        seen.add((one.kind, s, t))
    from_E = [name.startswith("E") for name in column.names]  # which have two receptors
    assert len(seen) == np.count_nonzero(p) + np.count_nonzero(p[from_E])
    assert p[0, 0] == pytest.approx(0.16 * 0.7168) and p[16, 16] == pytest.approx(0.656 * 0.7371)
    # a strength without a probability: no synapses
    assert v1_column.STRENGTH[at("SST4"), at("SST5")] == 0.28 and p[at("SST4"), at("SST5")] == 0


def test_receptors_of_the_v1_column(column):
    """At −60 mV by hand: 1 nS of each receptor, in A over C."""
    neuron, values = column["PV4"].neuron, column.values("PV4")
    effect = MeanEffect(neuron, values)
    v, C = -60e-3, values["C"]
    base = float(effect.leak(v))
    assert base == pytest.approx(9.19e-9 * (-70.45e-3 - v) / C)
    block = 1 / (1 + math.exp(0.062 * 60) / 3.57)
    for name, current in (
        ("s_A", -1e-9 * v),
        ("s_N", -1e-9 * v * block),
        ("s_G", -1e-9 * (v + 70.45e-3)),
    ):
        assert float(effect.rate("v", v, {name: 1.0})) - base == pytest.approx(current / C)
    assert float(effect.rate("s", v, {"x": 1.0, "s": 0.5})) == pytest.approx(250 - 0.5 / 80e-3)


@pytest.mark.parametrize(("background", "most"), [("published", 1), ("poisson", 6)])
def test_background_of_the_v1_column(background, most, column, interpreted):
    """At most one spike of a train in a step of 0.1 ms, or Poisson numbers; 4740 Hz both.

    Of 4000 neurons in one step: 0.474 on average, variance 0.474 × 0.526 or 0.474.
    """
    (own,) = (i for i in v1_column.network(background=background).inputs if i.target == "E5")
    cell = column["E5"]
    net = cbnet.Network(
        [cbnet.Population("E5", cell.neuron, 4000, {"g_L": "16.66 nS"}, "-68.28 mV")],
        [],
        [own],
    )
    made = objects.create(net, 0.1e-3, seed=1, graph_seed=1)
    brian2.defaultclock.dt = 0.1 * ms
    brian2.seed(5)
    network = brian2.Network(*made.all)
    network.run(0.1 * ms)
    arrived = np.array(made.blocks[0].group.s_A[:])
    p = 0.474
    variance = p * (1 - p) if background == "published" else p
    assert 1 <= arrived.max() <= most and np.all(arrived == arrived.round())
    assert arrived.mean() == pytest.approx(p, abs=4 * (variance / 4000) ** 0.5)
    # the error of a variance: kurtosis of the Poisson law is 3 + 1/p, of the other less
    assert arrived.var() == pytest.approx(variance, rel=4 * ((2 + 1 / p) / 4000) ** 0.5)


def test_receptors_without_statements_have_no_delay_and_no_trains(column):
    parts = column.populations, [cbnet.Projection("E4", "PV4", "NMDA", 9, 0.1, delay="1 ms")]
    with pytest.raises(ParameterError, match="E4->PV4.delay: got one of 'NMDA', whose on_pre"):
        cbnet.Network(*parts)
    trains = [cbnet.Input("x", "E4", "NMDA", w=1, rate="9 Hz")]
    with pytest.raises(ParameterError, match="x->E4.kind: got 'NMDA', whose on_pre is empty"):
        cbnet.Network(column.populations, [], trains)


def test_options_of_the_v1_column(column):
    kinds = {p.kind for p in cbnet.load("v1_column", nmda=False).projections}
    assert kinds == {"AMPA", "GABA"}
    measured = cbnet.load("v1_column", revised=False)
    (p,) = (p for p in measured.projections if p.place == "E23->E23" and p.kind == "AMPA")
    assert p.number == pytest.approx(0.8 * 0.16 * 1236)
    poisson = cbnet.load("v1_column", background="poisson").inputs
    assert [i.w for i in poisson] == [1.0] * 17
    assert [i.w for i in column.inputs] == [1.0] * 17
    assert {i.one_a_step for i in poisson} == {False} != {i.one_a_step for i in column.inputs}
    assert {p.initial["v"] == column.values(p.name)["E_L"] for p in column.populations} == {True}


@pytest.fixture
def interpreted():
    """Brian2 without a compiler."""
    target, dt = brian2.prefs.codegen.target, brian2.defaultclock.dt
    brian2.prefs.codegen.target = "numpy"
    yield
    brian2.prefs.codegen.target, brian2.defaultclock.dt = target, dt


def test_nmda_receptors_of_the_v1_column_sum_over_sources(interpreted):
    """A spike opens the receptors of its source 2 ms later; a target has the sum of all, weighted.

    s after one spike is 1 − exp(−α τ (1 − e^(−t/τ))), τ = 2 ms, but for its slow decay.
    """
    cell = v1_column.network(1000)["E23"].neuron
    itself = np.arange(3)
    net = cbnet.Network(
        [
            cbnet.Population("A", cell, 3, initial="-30 mV"),  # each fires at once, and once
            cbnet.Population("B", cell, 2, initial="-80.97 mV"),
        ],
        [
            cbnet.Projection("A", "B", "NMDA", 3, w=0.5),
            cbnet.Projection(
                "A", "A", "release", delay="2 ms", wiring=cbnet.Explicit(itself, itself)
            ),
        ],
    )
    made = objects.create(net, 0.1e-3, seed=1, graph_seed=1)
    group = made.blocks[0].group
    brian2.defaultclock.dt = 0.1 * ms
    network = brian2.Network(*made.all)
    network.run(1.9 * ms)
    assert not np.any(group.s[:])
    network.run(4.1 * ms)
    opened = np.array(group.s[:])
    assert opened[:3] == pytest.approx(1 - math.exp(-(1 - math.exp(-2))), rel=0.05)
    assert not np.any(opened[3:])
    network.run(0.1 * ms)
    assert group.s_N[3:] == pytest.approx(0.5 * opened[:3].sum())
    assert not np.any(group.s_N[:3])
