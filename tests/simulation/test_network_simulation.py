"""Networks of named populations simulated through Brian2's objects, and their results."""

import json

import brian2
import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.simulation import network_job, network_run, network_times
from cbnet.simulation.backends import standalone
from cbnet.simulation.brian import objects
from cbnet.simulation.network_job import prepare

NAMES = ["E", "PV", "SOM"]
LIF = cbnet.neuron("current", tau_S=2 * ms)
DEPRESSING = cbnet.Neuron(
    """
    dv/dt = (E_L - v)/tau_L + s_E - s_I - b : volt (unless refractory)
    ds_E/dt = -s_E/tau_syn : volt/second
    ds_I/dt = -s_I/tau_syn : volt/second
    db/dt = -b/tau_b : volt/second
    """,
    reset="v = V_r; b += beta",
    synapses={
        "E": "s_E_post += w/tau_syn",
        "I": cbnet.Synapse(
            "s_I_post += w*x/tau_syn\nx *= 0.9",
            equations="dx/dt = (1 - x)/tau_x : 1 (event-driven)",
        ),
    },
    parameters={"tau_syn": "2 ms", "tau_b": "30 ms", "beta": "10 mV/second", "tau_x": "30 ms"},
)


def small(**changes):
    """E and PV share their strings, SOM has others; every feature is in it."""
    parts = {
        "populations": [
            cbnet.Population("E", LIF, 60, initial=cbnet.Normal(-65 * mV, 3 * mV)),
            cbnet.Population("PV", LIF, 20, values={"tau_L": cbnet.Uniform(8 * ms, 12 * ms)}),
            cbnet.Population("SOM", DEPRESSING, 15, initial={"v": -60 * mV}),
        ],
        "projections": cbnet.matrix(
            NAMES,
            kinds=["E", "I", "I"],
            number=[[10, 5, 5], [10, 5, 5], [10, 5, 0]],
            w=[[0.5, 2, 2], [0.5, 2, 2], [0.5, 2, 0]] * mV,
            delay=cbnet.Uniform(0.5 * ms, 2 * ms),
        ),
        "inputs": [
            cbnet.Input("thalamus", p, "E", number=50, w=1 * mV, rate=rate)
            for p, rate in zip(NAMES, (60 * Hz, 80 * Hz, 50 * Hz), strict=True)
        ],
        "currents": [cbnet.Current("bias", "E", "0.1 mV/ms")],
    }
    return cbnet.Network(**parts | changes)


@pytest.fixture(scope="module")
def run():
    """Without a compiler, which takes the longest."""
    with pytest.MonkeyPatch.context() as patch, pytest.warns(CbnetWarning, match="not found"):
        patch.setattr(standalone, "compiler_missing", lambda: "g++")
        record = {"spikes": 10, "v": 2, "every": "1ms"}
        return cbnet.simulate(small(), "0.4s", seed=1, transient="0.1s", dt="0.2ms", record=record)


def test_every_population_fires_and_has_a_potential(run):
    assert run.populations == tuple(NAMES) and run.N == 95
    rates = run.in_units("rate")
    assert rates.shape == (3,) and np.all((rates > 1) & (rates < 150))
    counts = [run.spike_counts[list(run.neurons(p))].sum() for p in NAMES]
    assert rates == pytest.approx(np.array(counts) / (np.array([60, 20, 15]) * 0.4))
    assert np.all(np.abs(run.in_units("V_mean") + 62) < 8)
    assert np.all(np.isfinite(run.cv2)) and np.all(run.V_outside < 0.2)
    assert run.synapses == sum(p.total for p in run.parameters.projections)


def test_one_population(run):
    assert run["PV"].rate == run.rate[1] == run.rate_PV
    assert run["PV"].cv2_sem == run.cv2_PV_sem or np.isnan(run.cv2_PV_sem)
    assert run["SOM"].V_density.shape == (200,)
    assert "cv2" in dir(run["E"]) and "rate" in repr(run["E"])
    with pytest.raises(ParameterError, match="'VIP': got no such population"):
        run["VIP"]
    with pytest.raises(AttributeError, match="no attribute 'dt'"):
        run["E"].dt  # noqa: B018
    with pytest.raises(AttributeError):
        run.rate_VIP  # noqa: B018


def test_saved_and_opened(run, tmp_path):
    run.save(tmp_path / "run.nc")
    assert cbnet.results.load(tmp_path / "run.nc") == run


def test_labels_and_json(run):
    found = run.to_xarray()
    assert float(found.rate.sel(population="PV")) == float(run["PV"].rate)
    plain = json.loads(json.dumps(run.to_dict()))
    assert plain["populations"] == NAMES
    assert plain["rate_Hz"]["SOM"] == pytest.approx(float(run["SOM"].rate))
    assert plain["dt_bias"] is None
    assert "PV" in repr(run)


def test_recorded_spikes_and_traces(run):
    trains = run.spike_trains("PV")
    assert list(trains) == [0, 2, 4, 6, 8, 11, 13, 15, 17, 19]
    first = run.neurons("PV")[0]
    for neuron, times in trains.items():
        assert len(times) == run.spike_counts[first + neuron]
    assert run.V_traces.shape == (400, 6)
    assert float(run.trace_times[0]) == pytest.approx(0.101)
    # a spike resets v at the end of its step
    times, traces = run.in_si("trace_times"), run.in_si("V_traces")
    for neuron in run.traced:
        own = run.in_si("spike_times")[run.spike_neurons == neuron]
        held = [t for t in times if np.any((own < t - 4e-4) & (own > t - 1.4e-3))]
        column = traces[np.isin(times, held), list(run.traced).index(neuron)]
        assert len(column) and np.allclose(column, -65e-3, atol=1e-9)


def test_readings_of_spikes(run):
    psth = run.psth("5 ms")
    assert psth.shape == (3, 80)
    assert psth.mean("time").values == pytest.approx(run.in_units("rate"), rel=1e-9)
    assert float(psth.time[0]) == pytest.approx(0.1025)
    with pytest.raises(ParameterError, match="a multiple of 1 ms"):
        run.psth("1.5 ms")
    power = run.spectrum("40 ms")
    assert np.all(power.power > 0) and np.all(power.power_sem < power.power)
    correlations = run.correlations("20 ms").correlation.values
    assert np.allclose(correlations, correlations.T) and np.all(np.abs(correlations) < 0.5)
    axes = run.raster()
    assert [text.get_text() for text in axes.get_yticklabels()] == NAMES
    assert sum(len(line.get_xdata()) for line in axes.get_lines()) == len(run.spike_neurons)
    neo = pytest.importorskip("neo", reason="neo is optional")
    segment = run.to_neo()
    assert isinstance(segment, neo.Segment) and len(segment.spiketrains) == 30
    assert segment.spiketrains[10].annotations == {"population": "PV", "neuron": 0}


def test_graph_and_noise_have_seeds_of_their_own(monkeypatch):
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")  # nothing is compiled
    brian2.BrianLogger.suppress_name("unused_brian_object")

    def made(seed, graph_seed):
        found = objects.create(small(), 1e-4, seed, graph_seed)
        v = np.concatenate([block.group.v_[:] for block in found.blocks])
        tau = found.blocks[0].group.tau_L_[60:]
        return v, np.concatenate([e.i for e in found.edges]), tau, found

    v, graph, tau, found = made(1, 1)
    other_v, same_graph, same_tau, _ = made(2, 1)
    same_v, other_graph, other_tau, _ = made(1, 2)
    assert np.array_equal(v, same_v) and not np.array_equal(v, other_v)
    assert np.array_equal(graph, same_graph) and not np.array_equal(graph, other_graph)
    assert np.array_equal(tau, same_tau) and not np.array_equal(tau, other_tau)
    assert tau.min() >= 8e-3 and tau.max() <= 12e-3
    # populations share a group where their strings are the same, kinds share synapses
    assert [len(block.group) for block in found.blocks] == [80, 15]
    assert sum(len(s) for s in found.synapses.values()) == len(graph)
    assert len(found.synapses) == 5 and len(found.trains) == 2


def test_inputs_end_and_every_train_may_have_an_efficacy_of_its_own(monkeypatch):
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    net = cbnet.Network(
        [cbnet.Population("A", LIF, 50), cbnet.Population("B", LIF, 50)],
        inputs=[
            cbnet.Input("whole", "A", "E", 40, cbnet.Normal(2 * mV, 0.5 * mV), 40 * Hz),
            cbnet.Input("onset", "B", "E", 40, 2 * mV, 40 * Hz, until=100 * ms),
        ],
    )

    def run():
        brian2.defaultclock.dt = 0.2 * ms
        brian2.seed(1)
        made = objects.create(net, 2e-4, 1, 1)
        assert len(made.trains[0].objects[0]) == 50 * 40 and len(made.trains[1].objects[0]) == 50
        spikes = brian2.SpikeMonitor(made.blocks[0].group)
        brian2.Network(*made.all, spikes).run(150 * ms, namespace={})
        return np.array(spikes.i), np.array(spikes.t_)

    (i, t), (j, u) = run(), run()
    assert np.array_equal(i, j) and np.array_equal(t, u)
    late = t > 0.11
    assert np.sum(late & (i >= 50)) == 0 < np.sum(late & (i < 50))
    # both have the same mean input; 50 neurons of about four spikes each
    A, B = (np.sum((t > 0.03) & (t < 0.1) & (i // 50 == k)) for k in (0, 1))
    assert abs(A - B) < 4 * (A + B) ** 0.5


# What a run is made of, and what is refused


def test_time_step_and_times():
    net = small()
    assert network_times.step(net) == 1e-4  # a twentieth of 2 ms
    assert network_times.step(small(projections=[])) == 1e-4
    jumps = cbnet.Network([cbnet.Population("E", cbnet.neuron("current"), 9)])
    assert network_times.step(jumps) == 5e-5
    short = cbnet.Projection("E", "PV", "E", 5, 1 * mV, 0.03 * ms)
    assert network_times.step(small(projections=[short])) == pytest.approx(2.5e-5)
    names = {t.name: t.seconds for t in network_times.of_network(net)}
    assert names["SOM.tau_x"] == pytest.approx(0.03)
    assert names["E.tau_L"] == pytest.approx(0.02)
    assert prepare(net, "1s").transient == pytest.approx(0.3)  # ten times tau_x
    # what synapses have filtered is filtered again; that of the adaptation is its own
    assert network_times.correlation_time(net) == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"dt": "1ms"}, r"E->E.delay: got delays from 0.5 ms; expected at least dt = 1 ms"),
        ({}, {"memory": 10**6}, r"memory: got a network that takes about .* GB .* synapses"),
        ({}, {"record": {"spikes": {"X": 3}}}, r"record.spikes: got 'X'; expected E, PV, SOM"),
        ({}, {"dt": "0.1 mV"}, r"dt: got"),
        ({"populations": [cbnet.Population("E", LIF)], "projections": [], "inputs": [],
          "currents": []}, {}, r"E.size: got none"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused_in_one_line(changes, options, message):
    with pytest.raises(ParameterError, match=message) as error:
        cbnet.simulate(small(**changes), "1s", **options)
    assert "\n" not in str(error.value)


def test_options_that_there_are_not():
    with pytest.raises(ParameterError, match="storage: got an unknown option"):
        cbnet.simulate(small(), "1s", storage="stored")


def test_memory_grows_with_synapses(monkeypatch):
    needed = {}
    monkeypatch.setattr(network_job.storage, "available_memory", lambda: 0)
    for number in (5, 10):
        with pytest.raises(ParameterError, match="memory") as error:
            prepare(small(projections=[cbnet.Projection("E", "PV", "E", number, 1 * mV, 1 * ms)]))
        needed[number] = str(error.value)
    assert "100 synapses" in needed[5] and "200 synapses" in needed[10]


def test_a_step_in_which_jumps_move_the_potential_far_is_told():
    def net(w):
        cells = cbnet.neuron("current")
        inputs = [cbnet.Input("x", "E", "E", 100, w * mV, 20 * Hz)]
        return cbnet.Network([cbnet.Population("E", cells, 9)], inputs=inputs)

    fields = {"rate": np.array([5.0]), "V_mean": np.array([-0.06])}
    # 2000/s of them: 0.2 in a step of 0.1 ms, of 0.45 w together (sd)
    with pytest.warns(CbnetWarning, match=r"move v of E by 18% .* take dt=0.03ms"):
        network_run._tell_coarse_jumps(prepare(net(4), "1s", dt="0.1ms"), fields)
    network_run._tell_coarse_jumps(prepare(net(1), "1s", dt="0.1ms"), fields)


def test_a_job_is_plain_data():
    job = prepare(small(), "1s", record={"spikes": 3, "v": 2, "every": "1ms"}, seed=3)
    again = network_job.NetworkJob.from_dict(json.loads(json.dumps(job.to_dict())))
    assert again.net == job.net and again.dt == job.dt and again.seed == 3
    assert again.recording.spikes.tolist() == job.recording.spikes.tolist()
    assert again.recording.every == job.recording.every


@pytest.mark.parametrize("law", [True, False])
@pytest.mark.parametrize("statement", ["x_post += w", "x_post = x_post + w"])
def test_trains_of_high_rates_are_poisson(law, statement, monkeypatch):
    """Mean and variance of what arrives in one step, whatever draws the trains."""
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    cell = cbnet.Neuron(
        "dv/dt = (E_L - v)/tau_L : volt (unless refractory)\nx : 1", synapses={"E": statement}
    )
    w = cbnet.Uniform(0.999, 1.001) if law else 1.0
    size, number, mean = 4000, 3, 0.5  # spikes of a train in a step
    net = cbnet.Network(
        [cbnet.Population("A", cell, size)],
        inputs=[cbnet.Input("fast", "A", "E", number, w, f"{mean / 2e-4} Hz")],
    )
    brian2.defaultclock.dt = 0.2 * ms
    brian2.seed(4)
    made = objects.create(net, 2e-4, 1, 1)
    brian2.Network(*made.all).run(0.2 * ms, namespace={})
    arrived, total = np.array(made.blocks[0].group.x[:]), number * mean
    assert arrived.mean() == pytest.approx(total, abs=4 * (total / size) ** 0.5)
    # the variance of a variance of Poisson numbers: total (1 + 2 total)/size
    assert arrived.var() == pytest.approx(total, abs=4 * (total * (1 + 2 * total) / size) ** 0.5)


def test_a_synapse_with_variables_says_what_it_loses():
    kind = cbnet.Synapse("u += 1\nv_post += w/u", equations="u : 1")
    cell = cbnet.Neuron("dv/dt = (E_L - v)/tau_L : volt (unless refractory)", synapses={"E": kind})
    inputs = [cbnet.Input("fast", "A", "E", 2, 1 * mV, 1000 * Hz)]
    net = cbnet.Network([cbnet.Population("A", cell, 5)], inputs=inputs)
    with pytest.warns(CbnetWarning, match=r"fast->A.rate: got trains of 0.2 spikes .* lacks 20%"):
        objects.create(net, 2e-4, 1, 1)
