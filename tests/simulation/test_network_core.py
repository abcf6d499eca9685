"""Networks of any populations on the compiled core: what it is told, and what it makes of it."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet.simulation import network_job
from cbnet.simulation.backends import network_core, network_values, structure
from cbnet.simulation.wiring import classes

CURRENT = cbnet.neuron("current")
CONDUCTANCE = cbnet.neuron("conductance")
FILTERED = cbnet.neuron("conductance", tau_S=2 * ms)
DELAY = cbnet.Uniform(0.5 * ms, 2 * ms)


def network(neuron=CURRENT, w=(0.3, 1.2), delay=DELAY, **changes):
    """E, PV and SOM; SOM does not inhibit itself."""
    names, unit = ["E", "PV", "SOM"], mV if neuron is CURRENT else 1
    E, I = w  # noqa: E741
    parts = {
        "populations": [
            cbnet.Population("E", neuron, 200),
            cbnet.Population("PV", neuron, 60, values={"tau_L": 10 * ms}),
            cbnet.Population("SOM", neuron, 50),
        ],
        "projections": cbnet.matrix(
            names,
            kinds=["E", "I", "I"],
            number=[[40, 10, 10], [40, 10, 5], [40, 5, 0]],
            w=np.array([[E, I, 0.8 * I], [1.2 * E, I, 0.8 * I], [E, 0.5 * I, 0]]) * unit,
            delay=delay,
        ),
        "inputs": [
            cbnet.Input("thalamus", p, "E", number=100, w=E * unit, rate=rate * Hz)
            for p, rate in zip(names, (60, 50, 40), strict=True)
        ],
        "currents": [cbnet.Current("bias", "SOM", "0.1 mV/ms")],
    }
    return cbnet.Network(**parts | changes)


def told(net, tmp_path, dt=1e-4):
    job = network_job.prepare(net, "1s", dt=f"{dt}s", transient="0.2s")
    return network_values.Values(job, classes.of_network(net), tmp_path).all()


# Classes


def test_numbers_of_populations():
    found = classes.of_network(network())
    assert (found.number, found.variables) == (4, 0)  # PV has two w of E and two of I
    leak, jumps, ends = found.constants[:, :2], found.constants[:, 2:10], found.constants[:, 10:]
    values = network().values("E")
    tau = np.array([values["tau_L"], 10e-3, values["tau_L"]])
    assert leak[:, 1] == pytest.approx(-1 / tau)
    assert leak[:, 0] == pytest.approx(values["E_L"] / tau + [0, 0, 0.1])
    assert jumps[0] == pytest.approx([3e-4, 0, -1.2e-3, 0, -0.96e-3, 0, 0, 0])
    assert ends[0] == pytest.approx([values["theta"], values["V_r"], values["tau_rp"]])
    of_PV = {key[1]: [] for key in found.counter}
    for (name, kind, w), counter in found.counter.items():
        if name == "PV":
            of_PV[kind].append((pytest.approx(w), counter))
    assert of_PV == {"E": [(0.36e-3, 0), (0.3e-3, 3)], "I": [(1.2e-3, 1), (0.96e-3, 2)]}


def test_filtered_numbers():
    found = classes.of_network(network(FILTERED, (0.004, 0.08)))
    assert (found.number, found.variables) == (4, 2)
    values = network(FILTERED, (0.004, 0.08)).values("E")
    of_E = found.constants[0, 2:8].reshape(2, 3)
    assert found.states[0] == list(dict.fromkeys(found.states[0]))
    # a spike of charge s tau moves v by w (E_E - v): offset and slope of both kinds
    jump, variable = found.constants[0, 8:10]
    offset, slope, tau = of_E[int(variable)]
    assert jump * tau * np.array([offset, slope]) == pytest.approx([0.004 * values["E_E"], -0.004])
    assert tau == pytest.approx(2e-3)


def test_what_the_core_cannot_do():
    assert classes.refusal(network()) == classes.refusal(network(FILTERED, (0.004, 0.08))) == ""
    mixed = [cbnet.Population("A", CONDUCTANCE, 9), cbnet.Population("B", FILTERED, 9)]
    onto = [cbnet.Input("x", p, "E", 9, w=0.01, rate=5 * Hz) for p in "AB"]
    assert "move v at once" in classes.refusal(cbnet.Network(mixed, inputs=onto))
    various = cbnet.Population("E", CURRENT, 9, values={"tau_L": cbnet.Uniform(8 * ms, 9 * ms)})
    assert classes.refusal(cbnet.Network([various])) == "E: parameters differ among its neurons"
    random = cbnet.Projection("E", "E", "E", 5, w=cbnet.Normal(1 * mV, cv=0.1))
    alone = [cbnet.Population("E", CURRENT, 9)]
    assert "E->E: efficacies differ" in classes.refusal(cbnet.Network(alone, random))
    bent = cbnet.Neuron(
        "dv/dt = (v - E_L)*(v - theta)/(20*mV)/tau_L : volt (unless refractory)",
        synapses={"E": "v_post += w"},
    )
    refused = classes.refusal(cbnet.Network([cbnet.Population("E", bent, 9)]))
    assert refused == "E: leak or jumps are no straight lines in v"


# What a program is told


def test_projections_and_inputs(tmp_path):
    values = told(network(), tmp_path)
    assert values["update.ends"].tolist() == [0, 200, 260, 310]
    assert values["synapses.in_degree"].tolist() == [40, 10, 10, 40, 10, 5, 40, 5]
    assert values["synapses.target_first"].tolist() == [0] * 3 + [200] * 3 + [260] * 2
    # what arrives is counted one step before it is felt
    assert values["synapses.shortest"] == pytest.approx(4) and not list(tmp_path.iterdir())
    assert values["synapses.longest"] == pytest.approx(19)
    assert values["inputs.rate"].tolist() == [60, 50, 40] and np.all(values["inputs.trains"] == 100)
    assert np.all(values["inputs.until"] > 1e9)


def test_listed_synapses(tmp_path):
    """Laws that the program does not draw come as they are drawn for Brian2's own objects."""
    delay = cbnet.LogNormal(1.5 * ms, cv=0.5)
    values = told(network(delay=delay), tmp_path)
    assert np.all(values["synapses.law"] == network_values._LISTED)
    i, j, steps = np.fromfile(tmp_path / "edges_0.in", np.int32).reshape(3, -1)
    assert np.bincount(j).tolist() == [40] * 200 and np.all(i != j) and i.max() < 200
    assert steps.min() >= 0
    assert steps.mean() + 1 == pytest.approx(delay.mean / 1e-4, abs=5 * delay.sd / 1e-4 / 8000**0.5)


def test_delays_of_a_normal_law(tmp_path):
    law = cbnet.Normal(1.5 * ms, cv=0.5, at_least=0.1 * ms)
    total = cbnet.Projection(
        "E", "PV", "E", 7.3, w=1 * mV, delay=law, wiring=cbnet.FixedTotal(True)
    )
    values = told(network(projections=[total]), tmp_path)
    assert values["synapses.law"] == network_values._TOTAL and values["synapses.total"] == 438
    below = np.fromfile(tmp_path / "delays_0.in")
    steps = values["synapses.shortest"][0] + 1 + np.arange(len(below))
    shares = np.diff(below, prepend=0)
    assert steps[0] == 1 and below[-1] == 1.0 and np.all(shares >= 0)
    mean = shares @ steps * 1e-4
    # rounding moves no mean, but that of what is cut within a step
    assert mean == pytest.approx(law.mean, abs=shares[0] * 0.5e-4)
    sd = np.sqrt(shares @ (steps * 1e-4 - mean) ** 2 - 1e-8 / 12)
    assert sd == pytest.approx(law.sd, rel=shares[0])


def test_values_need_no_other_program():
    """A program depends on how many there are of everything alone."""
    shapes = []
    for net in (network(), network(w=(0.2, 2.0), delay=1 * ms)):
        found = classes.of_network(net)
        shapes.append((found.constants.shape, found.number, found.variables))
    assert shapes[0] == shapes[1]
    shape = network_core.Shape(310, 3, 13, 0, 4, 8, 3, 310, "uint16")
    assert structure.of_shape(shape) != structure.of_shape(
        network_core.Shape(311, 3, 13, 0, 4, 8, 3, 311, "uint16")
    )


# Simulations


@pytest.mark.slow  # 25 s: a program is compiled
def test_a_small_network_on_the_core():
    """One program: seeds, numbers of synapses, inputs that end."""
    net = network()
    given = {"duration": "0.3s", "transient": "0.2s", "dt": "0.1ms", "graph_seed": 1}
    first, same, other = (cbnet.simulate(net, seed=s, **given) for s in (1, 1, 2))
    assert first.storage == "stored"
    assert first.synapses == sum(p.total for p in net.projections)
    assert np.array_equal(first.spike_counts, same.spike_counts)
    assert not np.array_equal(first.spike_counts, other.spike_counts)
    assert np.all(first.rate > 2 * Hz) and np.all(np.isfinite(first.cv2))
    inputs = [
        cbnet.Input("thalamus", p, "E", 100, w=0.3 * mV, rate=60 * Hz, until="0.2 s")
        for p in net.names
    ]
    ended = cbnet.simulate(network(inputs=inputs, currents=[
        cbnet.Current("bias", "SOM", "0 mV/ms")]), seed=1, **given)  # fmt: skip
    # what is on its way takes the longest delay and a few time constants
    assert np.all(ended.spike_counts.sum() < 0.02 * first.spike_counts.sum())


def plain_brian2(seed, dt, duration, transient):
    """Rates of `network()` by a script that uses nothing of cbnet but the numbers."""
    import brian2

    brian2.start_scope()
    brian2.prefs.codegen.target = "numpy"
    brian2.seed(seed)
    brian2.defaultclock.dt = dt * brian2.second
    net = network()
    values = net.values("E")
    rng = np.random.default_rng(seed)
    groups, parts = {}, []
    for p in net.populations:
        names = {
            "tau": p.values["tau_L"] * brian2.second,
            "E_L": values["E_L"] * brian2.volt,
            "theta": values["theta"] * brian2.volt,
            "V_r": values["V_r"] * brian2.volt,
            "drive": net.drive(p.name) * brian2.volt / brian2.second,
        }
        group = brian2.NeuronGroup(
            p.size,
            "dv/dt = (E_L - v)/tau + drive : volt (unless refractory)",
            threshold="v > theta",
            reset="v = V_r",
            refractory=values["tau_rp"] * brian2.second,
            method="exact",
            namespace=names,
        )
        group.v = rng.uniform(values["V_r"], values["theta"], p.size) * brian2.volt
        groups[p.name] = group
        parts.append(group)
    for one in net.inputs:
        parts.append(
            brian2.PoissonInput(
                groups[one.target], "v", int(one.number), one.rate * brian2.Hz, one.w * brian2.volt
            )
        )
    for p in net.projections:
        source, target = groups[p.source], groups[p.target]
        sign = 1 if p.kind == "E" else -1
        made = brian2.Synapses(
            source, target, on_pre=f"v_post += {sign * p.w!r}*volt", namespace={}
        )
        within = p.source == p.target
        i = [rng.choice(len(source) - within, int(p.number), False) for _ in range(len(target))]
        j = np.repeat(np.arange(len(target)), int(p.number))
        i = np.concatenate(i)
        made.connect(i=i + (within & (i >= j)), j=j)
        made.delay = rng.uniform(0.5e-3, 2e-3, len(i)) * brian2.second
        parts.append(made)
    monitors = [brian2.SpikeMonitor(group, record=False) for group in groups.values()]
    together = brian2.Network(*parts, *monitors)
    together.run(transient * brian2.second, namespace={})
    before = [int(m.num_spikes) for m in monitors]
    together.run(duration * brian2.second, namespace={})
    counts = np.array([m.num_spikes for m in monitors]) - before
    return counts / (np.array([p.size for p in net.populations]) * duration)


@pytest.mark.slow  # a minute: Brian2 takes short steps, since it tests the threshold at their ends
def test_rates_are_those_of_brian2():
    ours = [
        cbnet.simulate(network(), "2s", seed=s, dt="0.1ms", transient="0.2s").rate / Hz
        for s in range(1, 9)
    ]
    theirs = [plain_brian2(s, 2e-5, 0.25, 0.1) for s in range(1, 5)]
    error = np.hypot(*(np.std(x, axis=0, ddof=1) / len(x) ** 0.5 for x in (ours, theirs)))
    assert np.all(np.abs(np.mean(ours, axis=0) - np.mean(theirs, axis=0)) < 3 * error)
