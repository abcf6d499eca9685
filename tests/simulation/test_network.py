"""The Brian2 objects of a network: names, strings, parameters, charges, delays."""

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms, mV, second

import cbnet
from cbnet.errors import ParameterError
from cbnet.simulation.brian import network
from cbnet.simulation.job import prepare
from cbnet.simulation.wiring.layout import Layout, Wires, inputs

DT = 1e-4


@pytest.fixture(autouse=True)
def numpy_target():
    """Compiling with Cython would take longer than these simulations."""
    target = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = target


def conductance(**changes):
    return cbnet.load("conductance").replace(**changes)


def run(parts, duration, *others):
    together = parts.network
    together.add(*others)
    together.run(duration * second, namespace={})


def one_synapse(params, dt=DT, arrivals="random"):
    """Neuron 0 (E) and neuron 1 (I) to neuron 2, which is driven by nothing else."""
    b2.defaultclock.dt = dt * second
    params = params.replace(law="explicit")
    delay = np.rint(params.resolve("E")["D_min"] / dt).astype(np.int32)
    graph = {p: (np.array([0]), np.array([2]), np.array([delay])) for p in "EI"}
    sizes = Layout(1, 2, {(source, target): 1 for source in "EI" for target in "EI"})
    seeds = {"excitation": 1, "inhibition": 2}
    wires = Wires("stored", {"drive": np.zeros(3)}, graph, seeds, {"drive": 1})
    parts = network.create(params, sizes, dt, wires, arrivals)
    network.assign(parts, params, sizes, wires)
    return parts


def whole_network(params, N=250, arrivals="random", **options):
    """The objects of a network with their values, and the job."""
    job = prepare(params, N, dt=DT * second, seed=1, arrivals=arrivals, **options)
    b2.defaultclock.dt = DT * second
    parts = network.create(params, job.layout, job.dt, job.wires, arrivals, job.counts)
    network.assign(parts, params, job.layout, job.wires)
    return parts, job


def fire(parts, neuron, step, dt=DT):
    """Make a neuron fire in one step."""
    parts.neurons.namespace["kicked"] = neuron
    parts.neurons.namespace["kick_time"] = step * dt * second
    parts.neurons.namespace["half"] = dt / 2 * second
    parts.neurons.run_regularly(
        "v += 1*volt*int(i == kicked)*int(abs(t - kick_time) < half)",
        when="before_thresholds",
        order=3,
        dt=dt * second,
    )


def target_voltage(parts, when):
    return b2.StateMonitor(parts.neurons, "v", record=[2], when=when, dt=DT * second)


# What there is


@pytest.mark.parametrize("tau_S", [0 * ms, 2 * ms], ids=["instantaneous", "filtered"])
def test_parts(tau_S):
    parts, _ = whole_network(conductance(K=40, tau_S=tau_S))
    assert parts.neurons.name == "neurons"
    assert len(parts.neurons) == 250
    assert (parts.E.start, parts.E.stop, parts.I.start, parts.I.stop) == (0, 200, 200, 250)
    assert list(parts.synapses) == ["excitation", "inhibition"]
    assert [drive.name for drive in parts.drives] == ["drive"]
    assert {"neurons", "excitation", "inhibition", "drive"} <= {
        o.name for o in parts.network.objects
    }
    assert not parts.fused  # numpy has no kernel of ours
    assert parts.reduced.filtered == (tau_S > 0 * ms)
    for name, population in (("excitation", "E"), ("inhibition", "I")):
        projection = parts.synapses[name]
        assert projection.variable == f"arrived_{population}"
        assert projection.source is getattr(parts, population)
        assert projection.target is parts.neurons


def test_neurons_that_are_not_connected():
    parts, _ = whole_network(conductance(K=40), feedforward=True)
    assert parts.synapses == {}
    assert [drive.name for drive in parts.drives] == ["drive", "inhibitory_drive"]
    assert [drive.variable for drive in parts.drives] == ["arrived_E", "arrived_I"]
    assert [drive.rate for drive in parts.drives] == ["r_E", "r_I"]


def test_parameters_are_variables():
    params = conductance(K=40, tau_L=15 * ms)
    parts, _ = whole_network(params)
    names = network.parameter_names(params)
    assert {"a", "g", "E_E", "E_I", "E_L", "tau_L", "theta", "V_r", "tau_rp", "nu_X"} == set(names)
    for name in names:
        assert parts.neurons.variables[name].scalar
        assert getattr(parts.neurons, f"{name}_") == params.resolve("E")[name]


def test_parameters_of_one_population():
    given = {"I.tau_L": 10 * ms, "E.nu_X": 12 * Hz, "I.a": 0.004, "I.theta": -50 * mV}
    params = conductance(K=40, **given, **{"I.tau_rp": 1 * ms})
    parts, _ = whole_network(params)
    for name in network.parameter_names(params):
        differs = name in params.differing()
        assert (f"{name}_I" in parts.neurons.variables) == differs
        for population, group in (("E", parts.E), ("I", parts.I)):
            value = np.unique(getattr(group, f"{name}_"))
            assert value.tolist() == [params.resolve(population)[name]]
    assert [drive.name for drive in parts.drives] == ["drive_E", "drive_I"]


def test_one_kind_of_synapses():
    for changes in ({"I.tau_S": 2 * ms}, {"I.jump": "exponential"}):
        params = conductance(K=40, **changes)
        with pytest.raises(ParameterError, match="^tau_S, jump: got different kinds") as caught:
            whole_network(params)
        assert "\n" not in str(caught.value)


def test_every_neuron_has_its_synapses():
    parts, job = whole_network(conductance(K=40, D=1.5 * ms))
    run(parts, DT)
    for name, degree in (("excitation", 40), ("inhibition", 10)):
        projection = parts.synapses[name]
        assert projection.variables["synapses"].get_value() == 250 * degree
        # counted one step before it is felt
        assert set(projection._delays) == {14}
    assert np.all(parts.drives[0].variables["number"].get_value() == 40)
    assert job.layout.synapses == 250 * 50


# What it does


@pytest.mark.parametrize("D", [0.1, 0.2, 1.5])
@pytest.mark.parametrize("spread", [False, True], ids=["one delay", "delays"])
def test_an_arrival_is_felt_a_delay_after_the_spike(D, spread):
    # A spike of step n moves v in step n + D/dt.
    params = conductance(nu_X=0 * Hz, D=D * ms, **({"I.D_max": 9 * ms} if spread else {}))
    parts = one_synapse(params)
    parts.neurons.v = -65 * mV
    fire(parts, 0, 5)
    traces = b2.StateMonitor(
        parts.neurons, "v", record=[2], when="after_thresholds", dt=DT * second
    )
    run(parts, 4e-3, traces)
    v = traces.v_[0]
    leaked = -0.08 + (v[:-1] + 0.08) * np.exp(-DT / 20e-3)
    jumps = v[1:] - leaked
    (step,) = np.flatnonzero(np.abs(jumps) > 1e-9) + 1
    assert step == 5 + round(D / 0.1)
    assert jumps[step - 1] == pytest.approx(0.0015 * (0 - leaked[step - 1]), rel=1e-9)


@pytest.mark.parametrize("D", [0.1, 1.5])
def test_in_brian2s_order_an_arrival_comes_after_the_threshold(D):
    # It moves v after the threshold of step n + D/dt, where Brian2's Synapses do.
    parts = one_synapse(conductance(nu_X=0 * Hz, D=D * ms), arrivals="brian2")
    parts.neurons.v = -65 * mV
    fire(parts, 0, 5)
    traces = b2.StateMonitor(parts.neurons, "v", record=[2], when="end", dt=DT * second)
    run(parts, 3e-3, traces)
    v = traces.v_[0]
    leaked = -0.08 + (v[:-1] + 0.08) * np.exp(-DT / 20e-3)
    (step,) = np.flatnonzero(np.abs(v[1:] - leaked) > 1e-9) + 1
    assert step == 5 + round(D / 0.1)


@pytest.mark.parametrize("D", [0.1, 1.5])
def test_a_filtered_arrival_is_felt_a_delay_after_the_spike(D):
    # s jumps at the end of step n + D/dt, as it does with Brian2's Synapses.
    params = conductance(nu_X=0 * Hz, D=D * ms, tau_S=2 * ms)
    parts = one_synapse(params)
    parts.neurons.v = -65 * mV
    fire(parts, 0, 5)
    traces = b2.StateMonitor(parts.neurons, "s_E", record=[2], when="start", dt=DT * second)
    run(parts, 4e-3, traces)
    s = traces.s_E_[0]
    assert np.flatnonzero(s)[0] == 5 + round(D / 0.1) + 1
    assert s.max() == pytest.approx(0.0015 / 2e-3, rel=1e-12)


def test_inhibition_takes_its_own_path():
    parts = one_synapse(conductance(nu_X=0 * Hz, D=0.5 * ms))
    parts.neurons.v = -65 * mV
    fire(parts, 1, 5)
    traces = b2.StateMonitor(
        parts.neurons, "v", record=[2], when="after_thresholds", dt=DT * second
    )
    run(parts, 2e-3, traces)
    v = traces.v_[0]
    leaked = -0.08 + (v[9] + 0.08) * np.exp(-DT / 20e-3)
    assert v[10] - leaked == pytest.approx(20 * 0.0015 * (-0.075 - leaked), rel=1e-9)


def test_arrivals_in_the_refractory_time_are_lost():
    # the target fires in the first step and is held for 19 or 20; a spike arrives in step 10
    parts = one_synapse(conductance(nu_X=0 * Hz, D=0.5 * ms))
    parts.neurons.v = -65 * mV
    parts.neurons[2:].v = 0 * mV
    fire(parts, 0, 5)
    traces = target_voltage(parts, "end")
    run(parts, 1.9e-3, traces)
    assert np.all(traces.v_[0] == -0.065)


@pytest.mark.parametrize("ratio", [10, 5])
def test_filtered_synapses_deliver_the_charge_of_a_spike(ratio):
    # What the membrane sees, the mean of s over each step, adds up to the efficacy.
    tau_S = 2e-3
    dt = tau_S / ratio
    params = conductance(nu_X=0 * Hz, D=1.2 * ms, tau_S=tau_S * second)
    parts = one_synapse(params, dt)
    parts.neurons.v = -65 * mV
    fire(parts, 0, 3, dt)
    # the state updater sees s as a step begins
    seen = b2.StateMonitor(parts.neurons, "s_E_mean", record=[2], when="start", dt=dt * second)
    run(parts, 80e-3, seen)
    assert seen.s_E_mean_[0].sum() * dt == pytest.approx(0.0015, rel=1e-12)


def test_filtered_membrane_moves_by_the_charge():
    # the leak of 15 mV in 60 ms of 1e6 s is 1.1e-5 of this
    params = cbnet.load("current").replace(
        nu_X=0 * Hz, D=1.2 * ms, tau_S=1 * ms, tau_L=1e6 * second, V_match=-55 * mV
    )
    parts = one_synapse(params, 1e-4)
    parts.neurons.v = -65 * mV
    fire(parts, 0, 3)
    run(parts, 60e-3)
    moved = parts.neurons.v_[2] + 0.065
    assert moved == pytest.approx(params.resolve("E")["J_E"], rel=2e-5)


def alone(params, sizes, dt, number=None, seed=2):
    """Neurons that are not connected, under their own excitatory input of rate r_E."""
    number = params.resolve("E")["K"] if number is None else number
    names = [one.name for one in inputs(params, connected=False)]
    sizes_of = {
        one.name: sizes.size(one.target) if one.target else sizes.N
        for one in inputs(params, connected=False)
    }
    external = {
        name: np.full(sizes_of[name], 0 if name.startswith("inhibitory") else number)
        for name in names
    }
    wires = Wires("none", external, drive_seeds={name: seed + i for i, name in enumerate(names)})
    b2.defaultclock.dt = dt * second
    parts = network.create(params, sizes, dt, wires)
    network.assign(parts, params, sizes, wires)
    b2.seed(seed)
    return parts


@pytest.mark.slow
def test_rate_of_filtered_neurons_does_not_depend_on_the_step():
    """Slow: twice 3000 neurons in numpy, for errors of a percent."""
    found = []
    for dt in (2e-4, 4e-4):
        params = conductance(a=0.005, K=1000, r_E=20 * Hz, tau_S=2 * ms, E_L=-62 * mV)
        parts = alone(params, Layout(2999, 1, {}), dt, number=200)
        parts.neurons.v = -60 * mV
        counter = b2.SpikeMonitor(parts.neurons, record=False)
        warm = parts.network
        warm.run(0.1 * second, namespace={})
        warm.add(counter)
        warm.run(0.5 * second, namespace={})
        counts = np.array(counter.count) / 0.5
        found.append((counts.mean(), counts.std(ddof=1) / np.sqrt(counts.size)))
    (fine, fine_sem), (coarse, coarse_sem) = found
    assert fine > 5
    # exponential Euler without the mean would deliver 5 % and 10 % too much charge
    assert abs(coarse / fine - 1) < 3 * np.hypot(fine_sem, coarse_sem) / fine + 0.015


def rates(params, sizes=(1500, 1500), duration=0.15, dt=5e-4):
    """Rates of unconnected E and I neurons under their own external input."""
    parts = alone(params, Layout(*sizes, {}), dt)
    parts.neurons.v = -65 * mV
    warm = parts.network
    warm.run(0.05 * second, namespace={})
    counter = b2.SpikeMonitor(parts.neurons, record=False)
    warm.add(counter)
    warm.run(duration * second, namespace={})
    counts = np.array(counter.count) / duration
    return counts[: sizes[0]].mean(), counts[sizes[0] :].mean()


@pytest.fixture(scope="module")
def base():
    return conductance(K=100, a=0.05, g=2, r_E=8 * Hz)


@pytest.fixture(scope="module")
def alike(base):
    """The rate of both populations."""
    target = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    E, I = rates(base)  # noqa: E741
    b2.prefs.codegen.target = target
    assert pytest.approx(I, rel=0.05) == E
    return E


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ({"I.r_E": 12 * Hz}, 1),
        ({"I.a": 0.06}, 1),
        ({"I.theta": -57 * mV}, 1),
        ({"I.tau_rp": 30 * ms}, -1),
        ({"I.tau_L": 10 * ms}, -1),
        ({"I.E_L": -110 * mV}, -1),
        ({"I.V_r": -75 * mV}, -1),
        ({"I.E_E": -20 * mV}, -1),
        ({"E.r_E": 5 * Hz}, -1),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
)
def test_parameters_of_one_population_take_effect(base, alike, change, effect):
    E, I = rates(base.replace(**change))  # noqa: E741
    changed, kept = (I, E) if next(iter(change)).startswith("I.") else (E, I)
    # some ten thousand spikes: 5 % are five standard errors
    assert kept == pytest.approx(alike, rel=0.05)
    assert (changed / alike - 1) * effect > 0.1


def test_external_inputs_of_each_neuron():
    params = conductance(K=100, a=0.05, g=2, r_E=8 * Hz)
    parts = alone(params, Layout(400, 400, {}), DT, number=np.repeat([0, 100], 400))
    parts.neurons.v = -65 * mV
    counter = b2.SpikeMonitor(parts.neurons, record=False)
    run(parts, 0.03, counter)
    assert np.all(np.array(counter.count)[:400] == 0)
    assert np.array(counter.count)[400:].sum() > 100


def test_bent_jumps_simulate(alike):
    model = cbnet.Model(
        name="saturating",
        equations="dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)*(1 + ((v_post - theta)/(10*mV))**2)",
        inhibitory="v_post += g*a*(E_I - v_post)",
    )
    params = cbnet.Parameters(model).replace(K=100, a=0.05, g=2, r_E=8 * Hz)
    bent = rates(params, dt=1e-4)[0]
    # the jumps are the same at threshold and larger elsewhere
    assert bent > 1.2 * alike
    exact = cbnet.simulate_neuron(params, 8 * Hz, 0 * Hz, duration=50 * second)
    # 3 % for 2e4 spikes here and 5e3 there
    assert bent == pytest.approx(float(exact.rate), rel=0.03)


def test_bent_leak_simulates():
    model = cbnet.Model(
        name="exponential",
        equations="dv/dt = (E_L - v + 2*mV*exp((v + 50*mV)/(2*mV)))/tau_L : volt"
        " (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= g*J",
        parameters={"J": 2.5 * mV, "g": 4},
    )
    params = cbnet.Parameters(model).replace(theta=-40 * mV, E_L=-56 * mV, K=100, r_E=8 * Hz)
    exact = cbnet.simulate_neuron(params, 8 * Hz, 0 * Hz, duration=25 * second)
    assert rates(params, dt=1e-4)[0] == pytest.approx(float(exact.rate), rel=0.03)


# cbnet.build


def test_build():
    params = conductance(K=40, a=0.01, nu_X=40 * Hz)
    net = cbnet.build(params, N=250, seed=1, dt=0.1 * ms)
    assert isinstance(net, b2.Network)
    neurons = net["neurons"]
    assert float(b2.defaultclock.dt) == pytest.approx(1e-4)
    spikes = b2.SpikeMonitor(neurons)
    traces = b2.StateMonitor(neurons, "v", record=[0, 249])
    # one strong train of spikes, as anybody would add it
    extra = b2.PoissonInput(neurons[:50], "v", N=100, rate=40 * Hz, weight=1 * mV)
    net.add(spikes, traces, extra)
    net.run(60 * ms)
    assert traces.v.shape == (2, 600)
    assert traces.v_.min() > -0.08
    counts = np.array(spikes.count)
    assert counts[:50].mean() > 2 * counts[50:200].mean()
    assert counts[50:200].mean() > 0
    net.run(10 * ms)
    assert traces.v.shape == (2, 700)


def test_build_is_reproducible():
    params = conductance(K=40, a=0.01, nu_X=40 * Hz)
    found = []
    for seed in (1, 1, 2):
        net = cbnet.build(params, N=250, seed=seed, dt=0.1 * ms)
        spikes = b2.SpikeMonitor(net["neurons"])
        net.add(spikes)
        net.run(40 * ms)
        found.append((spikes.i[:].tolist(), spikes.t_[:].tolist()))
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert len(found[0][0]) > 50


def test_build_takes_values_of_its_variables():
    # what is a variable can be changed before a run
    net = cbnet.build(conductance(K=40, a=0.01), N=250, dt=0.1 * ms, initial="low")
    net["neurons"].nu_X = 0 * Hz
    spikes = b2.SpikeMonitor(net["neurons"])
    net.add(spikes)
    net.run(20 * ms)
    assert spikes.num_spikes == 0


def test_build_refuses_what_simulate_refuses():
    with pytest.raises(ParameterError, match="^N: got 50"):
        cbnet.build(conductance(K=100), N=50)
    with pytest.raises(ParameterError, match="^D_min"):
        cbnet.build(conductance(K=40, D=0 * ms), N=250)
