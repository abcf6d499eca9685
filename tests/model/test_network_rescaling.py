"""Networks with other in-degrees and sizes."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt

import cbnet
from cbnet import Current, Input, Network, Neuron, Population, Projection
from cbnet.errors import ModelError, ParameterError
from cbnet.model.distributions import Law
from cbnet.model.mean_effect import MeanEffect
from cbnet.model.reduction import of_model
from tests.model.test_network_parts import disinhibition, layers

RATES = {"L23E": 0.9 * Hz, "L23I": 3 * Hz}


def drive(net, name, rates, v):
    """Mean drift and noise of a population in SI units, as reduction of the strings says."""
    effect = MeanEffect(net[name].neuron, net.values(name))
    drift, noise = effect.leak(v) + net.drive(name), 0.0
    for (kind, w), total in net.total(name, rates).items():
        mean, sd = (w.mean, w.sd) if isinstance(w, Law) else (w, 0.0)
        h = effect.effect(kind, mean, v)
        drift = drift + total * h
        noise = noise + total * h**2 * (1 + (sd / mean) ** 2)
    return drift, noise


@pytest.mark.parametrize(
    ("name", "tau", "jump"),
    [
        ("conductance", 0, "linear"),
        ("conductance", 0, "exponential"),
        ("conductance", 2, "linear"),
        ("current", 0, "linear"),
        ("current", 2, "linear"),
    ],
)
def test_effects_of_spikes_are_those_of_the_reduction(name, tau, jump):
    params = cbnet.load(name).replace(tau_S=tau * ms, jump=jump)
    values, v = params.resolve(), np.linspace(-0.08, -0.05, 7)
    reduced = of_model(params.model, values)
    net = Network.ei(params)
    effect = MeanEffect(net["E"].neuron, net.values("E"))
    w = {p.source: p.w for p in net.projections if p.target == "E"}
    known = {n: x for n, x in values.items() if not isinstance(x, str)}
    assert np.allclose(effect.leak(v), reduced.function("leak", known)(v), rtol=1e-12)
    for kind in "EI":
        exact = reduced.function(f"jump_{kind}", known)(v)
        assert np.allclose(effect.effect(kind, w[kind], v), exact, rtol=1e-9)


@pytest.mark.parametrize(
    ("law", "weaker"), [("sqrt", 0.5), ("inverse", 0.25), ("log", np.log(100) / np.log(400))]
)
def test_in_degrees_and_efficacies_by_a_law(law, weaker):
    net = disinhibition().replace({"*->*.number": 100, "thalamus.number": 100})
    currents = [] if law == "log" else [Current("c", "E", "1 mV/ms")]
    net = Network(net.populations, net.projections, net.inputs, currents)
    other = net.scaled(law, 4)
    for old, new in zip((*net.projections, *net.inputs), (*other.projections, *other.inputs),
                        strict=True):  # fmt: skip
        assert new.number == 400
        assert new.w == pytest.approx(old.w * weaker, rel=1e-14)
    assert [c.value for c in other.currents] == [pytest.approx(4 * weaker) for _ in currents]
    assert other.sizes == net.sizes
    assert other.projections[0].total == 4 * net.projections[0].total
    assert net.scaled(law, 1) == net


def test_laws_of_efficacies_are_scaled_too():
    net = layers().replace({"*->*.wiring": cbnet.Bernoulli()}).scaled("sqrt", 0.25)
    assert net.projections[0].w.mean == pytest.approx(0.3e-3)
    assert net.projections[0].w.sd == pytest.approx(0.03e-3)


def test_a_smaller_network_of_currents_has_the_same_drive():
    net, v = layers(), np.array([-0.06, -0.05])
    small = net.resized(0.1, RATES)
    assert small.sizes == {"L23E": 2068, "L23I": 583}
    rates = {"L23E": 0.9, "L23I": 3.0}
    for name in net.names:
        old, new = drive(net, name, rates, v), drive(small, name, rates, v)
        assert np.allclose(new[0], old[0], rtol=1e-9)
        assert np.allclose(new[1], old[1], rtol=1e-9)
    for old, new in zip(net.projections, small.projections, strict=True):
        assert new.number == pytest.approx(old.number / 10)
        assert new.total == round(new.number * small.sizes[new.target])
        assert new.w.mean == pytest.approx(old.w.mean * 10**0.5)
    # published: tau_s (1 - sqrt(k)) (sum of J K nu), here J_k without tau_s
    lost = (1 - 0.1**0.5) * (
        net.projections[0].number * 0.15e-3 * 0.9
        - net.projections[1].number * 0.6e-3 * 3
        + 1600 * 0.1756e-3 * 8
    )
    assert small.drive("L23E") == pytest.approx(lost, rel=1e-9)
    again = small.resized(0.5, RATES)
    assert len(again.currents) == 2
    assert np.allclose(drive(again, "L23E", rates, v)[0], drive(net, "L23E", rates, v)[0])


@pytest.mark.parametrize("tau", [None, "2 ms"])
def test_a_smaller_network_of_conductances_has_the_same_drift_at_every_potential(tau):
    net = disinhibition()
    if tau:
        cells = cbnet.neuron("conductance", tau_S=tau)
        pools = [Population(p.name, cells, p.size) for p in net.populations]
        net = Network(pools, net.projections, net.inputs)
    rates, v = {"E": 5.0, "PV": 8.0, "SOM": 4.0}, np.linspace(-0.08, -0.05, 4)
    small = net.resized(0.25, {n: r * Hz for n, r in rates.items()})
    assert not small.currents
    for name in net.names:
        old, new = drive(net, name, rates, v), drive(small, name, rates, v)
        assert np.allclose(new[0], old[0], rtol=1e-9, atol=1e-12)
        # in-degrees of 12.5 are rounded to 12
        assert np.allclose(new[1], old[1], rtol=1e-9 if name != "PV" else 0.05)
        assert small.values(name)["tau_L"] < net.values(name)["tau_L"]


def test_fractions_of_numbers_of_inputs_are_in_their_rate():
    cells = cbnet.neuron("current")
    net = Network(
        [Population("E", cells, 100)],
        inputs=[
            Input("x", "E", "E", 15, w=0.1 * mV, rate=8 * Hz),
            Input("y", "E", "E", 1, w=0.1 * mV, rate=800 * Hz),
        ],
    )
    small = net.resized(0.1, {"E": 1 * Hz})
    assert [(p.number, p.rate) for p in small.inputs] == [(2, pytest.approx(6)), (1, 80)]


def one(neuron, **given):
    return Network(
        [Population("E", neuron, 100, **given)],
        [Projection("E", "E", "E", 10, w=0.1 if neuron.units["E"] == "1" else "0.1 mV")],
    )


AT = "dv/dt = (E_L - v)/tau_L"
SHAPES = {
    "edges": (
        lambda: Network(
            [Population("E", cbnet.neuron("current"), 2)],
            [Projection("E", "E", "E", w="1 mV", wiring=cbnet.Explicit([0], [1]))],
        ),
        "E->E.wiring: got edges",
    ),
    "no efficacy": (
        lambda: Network(
            [
                Population(
                    "E", Neuron(f"{AT} : volt", synapses={"s": cbnet.Synapse("v += 1*mV", None)}), 9
                )
            ],
            [Projection("E", "E", "s", 5)],
        ),
        "E->E.w: got none, as the string of 's' has no efficacy",
    ),
    "each": (
        lambda: one(cbnet.neuron("current"), values={"tau_L": np.full(100, 20) * ms}),
        "E.tau_L: got one value for each of 100 neurons",
    ),
    "bent": (
        lambda: one(Neuron(f"{AT} : volt", synapses={"E": "v += w*v**2/mV"})),
        "E: got synapses whose mean drive is no straight line",
    ),
    "leak": (
        lambda: one(Neuron("dv/dt = (V_r - v)/tau_L : volt", synapses={"E": "v += w*(E_E - v)"})),
        "E: got conductances, and a leak that is not",
    ),
    "some leaks": (
        lambda: one(cbnet.neuron("conductance"), values={"tau_L": cbnet.Uniform(10 * ms, 20 * ms)}),
        "E: got conductances, and a leak that is not",
    ),
    "no decay": (
        lambda: one(
            Neuron(
                f"{AT} + s/tau_L : volt\nds/dt = -s**2/tau_L/mV : volt", synapses={"E": "s += w"}
            )
        ),
        "Neuron.synapses.'E'.: got 's', which does not decay",
    ),
    "two targets": (
        lambda: one(
            Neuron(f"{AT} : volt\nds/dt = -s/tau_L : volt", synapses={"E": "s += w; v += w"})
        ),
        "Neuron.synapses.'E'.: got jumps of s, v; expected one",
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_what_cannot_be_restored_is_refused(case):
    make, message = SHAPES[case]
    with pytest.raises((ParameterError, ModelError), match=rf"\A{message}"):
        make().resized(0.5, [3 * Hz])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda net: net.scaled("cube", 2), "law: got 'cube'; expected one of sqrt, inverse, log"),
        (lambda net: net.scaled("preserving", 2), "law: got 'preserving'; .*tune"),
        (lambda net: net.scaled("sqrt", 0), "factor: got 0"),
        (lambda net: net.scaled("sqrt", 20), "E->E.number: got 8000; expected at most 3999"),
        (lambda net: net.scaled("log", 0.01), "PV->E.number: got 100 and 1; expected both above 1"),
        (lambda net: net.resized(0.5, {"E": 1 * Hz}), "rates: got none of PV, SOM"),
        (lambda net: net.resized(0.5, [1, 2, 3]), "rates.'E'.: got 1 .no unit."),
        (lambda net: net.resized(-1, [1, 2, 3] * Hz), "scale: got -1"),
    ],
)
def test_what_is_no_scale_is_refused(change, message):
    with pytest.raises(ParameterError, match=rf"\A{message}"):
        change(disinhibition())


@pytest.mark.filterwarnings("ignore:noise. got 'diffusion' with synaptic:cbnet.errors.CbnetWarning")
@pytest.mark.parametrize("tau", [0, 2])
def test_a_smaller_network_of_conductances_has_the_same_state(tau):
    """In the diffusion limit, where rates follow from drift and noise alone."""

    def state(params):
        return cbnet.solve(params, noise="diffusion").fixed_points[0]

    full = cbnet.load("conductance").replace(K=1600, nu_X=20 * Hz, tau_S=tau * ms)
    rate = state(full).rate_E
    small = Network.ei(full, N=20_000).resized(0.25, {"E": rate, "I": state(full).rate_I})
    assert small.projections[0].w == 0.003
    fewer = full.replace(K=400, a=0.003)
    values = small.values("E")
    again = fewer.replace(tau_L=values["tau_L"] * second, E_L=values["E_L"] * volt)
    assert float(state(again).rate_E / rate) == pytest.approx(1, rel=1e-6)
    assert abs(float(state(fewer).rate_E / rate) - 1) > 0.05
