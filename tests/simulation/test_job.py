"""What is refused before a simulation starts; initial voltages; random streams."""

import dataclasses

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt
from scipy import stats

import cbnet
from cbnet.errors import ParameterError
from cbnet.simulation.backends import structure
from cbnet.simulation.job import prepare
from cbnet.support import compiler

STEP = {"dt": "0.1ms"}  # choosing one takes a second


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(K=100, a=0.005)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("duration", 0 * second),
        ("duration", "-1s"),
        ("duration", 1),
        ("duration", "1"),
        ("duration", 5 * mV),
        ("duration", "10Hz"),
        ("duration", "nan s"),
        ("duration", np.nan * second),
        ("duration", np.inf * second),
        ("duration", np.array([1, 2]) * second),
        ("duration", None),
        ("duration", True),
        ("duration", "0.9ms"),
        ("transient", "-0.1s"),
        ("transient", 1),
        ("transient", "nan s"),
        ("transient", 1 * volt),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", True),
        ("seed", 2**64),
        ("seed", np.nan),
        ("seed", "one"),
        ("seed", None),
        ("seed", [1, 2]),
        ("graph_seed", -1),
        ("graph_seed", 1.5),
        ("dt", 0 * ms),
        ("dt", "-0.1ms"),
        ("dt", "0.2ms"),
        ("dt", 0.1),
        ("dt", "0.1mV"),
        ("dt", "nan ms"),
        ("record", -1),
        ("record", 1251),
        ("record", True),
        ("record", 2.5),
        ("record", "all"),
        ("record", [0, 1250]),
        ("record", [-1, 3]),
        ("record", [0.5, 1.0]),
        ("record", [[0, 1], [2, 3]]),
        ("record", [[0, 1], [2]]),
        ("record", np.arange(900, 1300)),
        ("record", None),
        ("initial", "middle"),
        ("initial", -60),
        ("initial", 20 * ms),
        ("initial", np.nan * mV),
        ("initial", None),
        ("initial", [-60, -58] * mV),
        ("storage", "sparse"),
        ("storage", None),
        ("arrivals", "sorted"),
        ("arrivals", None),
        ("graph", {"E": ([0], [1], "1ms"), "I": ([0], [1], "1ms")}),
        ("N", 100),
        ("N", 12.5),
        ("fraction_excitatory", 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_refusals(params, name, value):
    with pytest.raises(ParameterError) as caught:
        prepare(params, **({"N": 1250} | STEP | {name: value}))
    text = str(caught.value)
    assert text.startswith(f"{name}: got ")
    assert "expected" in text
    assert "\n" not in text


def test_no_delay_is_refused(params):
    with pytest.raises(ParameterError, match=r"^D_min: got 0 ms; expected") as caught:
        prepare(params.replace(D_min=0 * ms), 1250)
    assert "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match=r"^D_min: got 0 ms"):
        prepare(params.replace(**{"I.D_min": 0 * ms}), 1250)


def test_delay_below_every_step_is_refused(params):
    with pytest.raises(ParameterError, match=r"^D_min: got 0\.0005 ms; expected at least"):
        prepare(params.replace(D_min=0.0005 * ms), 1250)


def test_step_longer_than_the_delay_of_one_population(params):
    changed = params.replace(D_min=1 * ms, **{"I.D_min": 0.5 * ms})
    assert prepare(changed, 1250, dt=0.5 * ms).dt == pytest.approx(0.5e-3)
    with pytest.raises(ParameterError, match=r"^dt: got 1 ms; expected at most"):
        prepare(changed, 1250, dt=1 * ms)


def test_unknown_option(params):
    with pytest.raises(TypeError):
        prepare(params, 1250, stop=1)


def test_times_may_be_words_or_quantities(params):
    by_words = prepare(params, 1250, "0.5s", transient="100ms", **STEP)
    by_quantities = prepare(params, 1250, 500 * ms, transient=0.1 * second, dt=0.1 * ms)
    for name in ("duration", "transient", "dt"):
        assert getattr(by_words, name) == pytest.approx(getattr(by_quantities, name), rel=1e-12)
    assert (by_words.observation.first_step, by_words.observation.steps) == (1000, 5000)


def test_default_step_is_the_chosen_one(params):
    from cbnet.simulation.step import timestep

    assert prepare(params, 1250).dt == timestep.choose(params, 0.01)[0]


def test_recorded_neurons(params):
    def recorded(record):
        return prepare(params, 1250, record=record, **STEP).recording.spikes.tolist()

    assert recorded(0) == []
    assert recorded([]) == []
    assert recorded(3) == [0, 624, 1249]
    assert recorded([7, 3, 7]) == [3, 7]
    assert recorded(np.array([5], np.uint8)) == [5]
    assert recorded(1250) == list(range(1250))
    assert recorded({}) == recorded({"v": 3}) == []
    assert recorded({"spikes": 2}) == [0, 999, 1000, 1249]
    assert len(recorded({"spikes": 300})) == 550  # all of the smaller population
    assert recorded({"spikes": {"I": 1}}) == [1000]
    assert recorded({"spikes": [9, 2], "v": 3}) == [2, 9]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"spike": 3}, "record: got 'spike'; .*did you mean 'spikes'"),
        ({"v": 1001}, "record.v: got 1001 neurons of E; expected at most 1000"),
        ({"spikes": {"I": 251}}, "record.spikes: got 251 neurons of I; expected at most 250"),
        ({"spikes": {"X": 1}}, "record.spikes: got 'X'; expected E and I"),
        ({"v": [1250]}, "record.v: got neuron 1250; .*N = 1250"),
        ({"v": 1, "every": "0.05ms"}, "record.every: got 0.05 ms; expected a time from dt"),
        ({"v": 1, "every": "2s"}, "record.every: got 2000 ms"),
        ({"v": 1, "every": 3}, "record.every: got 3"),
        ({"v": 1, "dtype": "float16"}, "record.dtype: got float16 .did you mean"),
    ],
)
def test_refusals_of_what_is_recorded(params, record, message):
    with pytest.raises(ParameterError, match=f"^{message}") as caught:
        prepare(params, 1250, record=record, **STEP)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["E.tau_S", "I.tau_S"])
def test_a_time_constant_of_one_population_alone(params, name):
    with pytest.raises(ParameterError, match="^tau_S, jump: got different kinds of synapses"):
        prepare(params.replace(**{name: "5ms"}), 1250, **STEP)


def test_traces_of_an_interval(params):
    kept = prepare(
        params, 1250, record={"v": [4, 2], "every": "0.52ms", "dtype": np.float32}, **STEP
    ).recording
    assert (kept.traced.tolist(), kept.spikes.tolist()) == ([2, 4], [])
    assert (kept.every, kept.dtype) == (5, "float32")  # whole steps of 0.1 ms
    assert kept.bytes(1004) == 200 * 2 * 4


def test_traces_beyond_the_memory(params):
    def asked(record, **more):
        return prepare(params, 1250, "100s", record=record, memory=10**9, dt="0.1ms", **more)

    refusal = "^record: got traces of 10 GB .*expected at most the 1 GB available: take fewer neu"
    for more in ({}, {"storage": "procedural"}, {"feedforward": True}):
        with pytest.raises(ParameterError, match=refusal) as caught:
            asked(1250, **more)
        assert "\n" not in str(caught.value)
    for record in ({"v": 1000, "every": "1ms", "dtype": "float32"}, {"spikes": 1000}):
        assert asked(record).recording.bytes(10**6) < 1e9


def test_initial_voltage(params):
    changed = params.replace(**{"I.theta": -50 * mV, "I.V_r": -60 * mV})

    def start(initial, seed=1):
        return prepare(changed, 1250, initial=initial, seed=seed, **STEP).initial_voltage

    low, high, value = start("low"), start("high"), start("-58mV")
    assert np.all(low[:1000] == -0.065)
    assert np.all(low[1000:] == -0.060)
    assert np.all(high[:1000] == -0.055)
    assert np.all(high[1000:] == -0.050)
    assert np.allclose(value, -0.058, rtol=1e-15)
    assert np.array_equal(value, start(-58 * mV))
    spread = start("uniform")
    assert stats.kstest((spread[:1000] + 0.065) / 0.01, "uniform").pvalue > 1e-3
    assert stats.kstest((spread[1000:] + 0.060) / 0.01, "uniform").pvalue > 1e-3
    assert np.array_equal(spread, start("uniform"))
    assert not np.any(spread == start("uniform", seed=2))


LARGE = (2**53, 2**53 + 1, 2**64 - 2, 2**64 - 1)  # equal in twos as floats


def test_streams_are_separate(params):
    def seeds(seed, **options):
        wires = prepare(params, **({"N": 1250, "seed": seed} | STEP | options)).wires
        return (*wires.graph_seeds.values(), *wires.drive_seeds.values(), wires.order_seed)

    found = [seeds(seed) for seed in (*range(50), 2**53, 2**53 + 1, 2**64 - 2, 2**64 - 1)]
    assert len(found[0]) == 4
    assert len({one for each in found for one in each}) == 4 * len(found)
    assert all(0 <= one < 2**63 for each in found for one in each)
    # a stream does not depend on how often it was asked for, nor on the sizes
    one = prepare(params, 1250, seed=3, **STEP)
    assert dataclasses.replace(one).wires.order_seed == one.wires.order_seed == found[3][-1]
    assert seeds(3, N=2500, storage="procedural", initial="low") == found[3]


def test_the_graph_follows_its_own_seed(params):
    def drawn(**seeds):
        job = prepare(params.replace(law="bernoulli"), 1250, **seeds, **STEP)
        wires = job.wires
        graph = (*wires.graph_seeds.values(), wires.synapse_seed, *wires.external["drive"])
        noise = (*wires.drive_seeds.values(), wires.order_seed, *job.initial_voltage)
        return graph, noise

    graph, noise = drawn(seed=3)
    assert drawn(seed=3, graph_seed=3) == (graph, noise)
    assert drawn(seed=4, graph_seed=3) == (graph, drawn(seed=4)[1])
    assert drawn(seed=3, graph_seed=4) == (drawn(seed=4)[0], noise)


def test_values_and_seeds_are_run_arguments(params):
    def key(changes=None, **options):
        given = {"N": 1250, "seed": 1, "storage": "stored"} | STEP | options
        return structure.of_job(prepare(params.replace(**(changes or {})), **given)).key

    same = key()
    values = {"a": 0.004, "nu_X": 20 * Hz, "g": 12, "tau_L": 10 * ms, "E_L": -75 * mV, "K": 124}
    assert key(values) == same
    assert key({"D": 1 * ms}) == key({"D_max": 2 * ms}) == same
    assert key(seed=2, initial="low", dt="0.05ms", duration="0.7s", transient="0s") == same
    assert key(record=2) == same
    assert key({"tau_S": 1 * ms}) == key({"tau_E": 2 * ms, "tau_I": 3 * ms})
    assert key({"I.tau_L": 10 * ms}) == key({"I.tau_L": 5 * ms})
    others = [
        key(N=1500),
        key(fraction_excitatory=0.7),
        key({"tau_S": 1 * ms}),
        key({"jump": "exponential"}),
        key({"I.tau_L": 10 * ms}),
        key({"I.theta": -54 * mV}),
        key({"I.K": 120}),
        key({"law": "bernoulli"}),
        key({"law": "gaussian", "CV_K": 0.1}),
        key({"I.law": "bernoulli"}),
        key(arrivals="brian2"),
        key(storage="procedural"),
        key({"D": 1 * ms}, storage="bitmap"),
        key(feedforward=True, storage="auto"),
    ]
    assert len({same, *others}) == len(others) + 1


def test_one_structure_for_both_orders_of_asking(params):
    # the order in which values are given does not matter
    first = params.replace(**{"I.tau_L": 10 * ms}).replace(**{"E.nu_X": 9 * Hz})
    second = params.replace(**{"E.nu_X": 9 * Hz}).replace(**{"I.tau_L": 10 * ms})
    keys = {structure.of_job(prepare(p, 1250, **STEP)).key for p in (first, second)}
    assert len(keys) == 1


def test_compiler_and_flags_are_part_of_the_structure(params, monkeypatch):
    job = prepare(params, 1250, **STEP)
    keys = {structure.of_job(job).key}
    with monkeypatch.context() as changed:
        changed.setattr(compiler, "FLAGS", f"{compiler.FLAGS} -fno-inline")
        keys.add(structure.of_job(job).key)
    with monkeypatch.context() as changed:
        changed.setenv("CXX", "another-compiler")
        keys.add(structure.of_job(job).key)
    assert len(keys) == 3
    assert structure.of_job(job).key in keys


# An explicit graph


@pytest.fixture(scope="module")
def explicit(params):
    return params.replace(law="explicit")


def graph(**changes):
    """Three excitatory synapses and one inhibitory one."""
    given = {"E": (np.array([0, 1, 999]), np.array([1249, 0, 5]), [1, 1, 2] * ms)}
    return given | {"I": ([249], [3], 0.5 * ms)} | changes


def test_explicit_graph(explicit):
    job = prepare(explicit, 1250, graph=graph(), **STEP)
    assert job.storage == "stored"
    sources, targets, delays = job.graph["E"]
    assert (sources.tolist(), targets.tolist(), delays.tolist()) == (
        [0, 1, 999],
        [1249, 0, 5],
        [10, 10, 20],
    )
    assert [x.tolist() for x in job.graph["I"]] == [[249], [3], [5]]
    nothing = prepare(explicit, 1250, graph=graph(I=([], [], [])), **STEP)
    assert [len(x) for x in nothing.graph["I"]] == [0, 0, 0]
    # a program is one for all graphs of as many synapses
    other = prepare(explicit, 1250, graph=graph(I=([2], [7], 1 * ms)), **STEP)
    assert structure.of_job(other).key == structure.of_job(job).key
    assert structure.of_job(nothing).key != structure.of_job(job).key


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"law: got 'explicit' without a graph; expected graph="),
        ({"E": ([0], [1], 1e-3)}, r"graph: got \['E'\]; expected the sources 'E' and 'I'"),
        (graph(E=7), r"graph\['E'\]: got int; expected \(sources, targets, delays\)"),
        (graph(E=([0], [1])), r"graph\['E'\]: got tuple; expected"),
        (graph(E=([1000], [0], 1e-3)), r"graph\['E'\]: got sources .* from 0 to 999"),
        (graph(I=([250], [0], 1e-3)), r"graph\['I'\]: got sources .* from 0 to 249"),
        (graph(I=([0], [1250], 1e-3)), r"graph\['I'\]: got targets .* from 0 to 1249"),
        (graph(I=([-1], [0], 1e-3)), r"graph\['I'\]: got sources"),
        (graph(I=([0.5], [0], 1e-3)), r"graph\['I'\]: got sources"),
        (graph(I=([[0]], [0], 1e-3)), r"graph\['I'\]: got sources"),
        (graph(I=([0, 1], [0], 1e-3)), r"graph\['I'\]: got 2 sources and 1 targets"),
        (graph(I=([0], [0], 1 * mV)), r"graph\['I'\]: got delays with a unit of"),
        (graph(I=([0], [0], 0.01 * ms)), r"graph: got delays of 0.01 ms, below dt = 0.1 ms"),
        (graph(I=([0], [0], np.nan * ms)), r"graph\['I'\]: got delays that are not above 0"),
        (graph(I=([0], [0], 1)), r"graph\['I'\]: got delays with no unit; expected times"),
        (graph(I=([0], [0], "1mV")), r"graph\['I'\] delays: got 1mV"),
        (graph(I=([0, 1], [0, 1], [1, 2, 3] * ms)), r"graph\['I'\]: got delays"),
        (graph(I=([0], [0], "soon")), r"graph\['I'\] delays: got soon"),
    ],
)
def test_explicit_graphs_that_are_refused(explicit, given, message):
    with pytest.raises(ParameterError, match=f"^{message}") as caught:
        prepare(explicit, 1250, graph=given, **STEP)
    assert "\n" not in str(caught.value)


def test_an_explicit_graph_is_stored(explicit):
    with pytest.raises(ParameterError, match="^storage: got 'procedural' with an explicit graph"):
        prepare(explicit, 1250, graph=graph(), storage="procedural", **STEP)


def test_a_graph_needs_its_law_in_both_populations(params):
    for changes in ({}, {"I.law": "explicit"}):
        with pytest.raises(ParameterError, match=r"^(graph|law): got"):
            prepare(params.replace(**changes), 1250, graph=graph(), **STEP)


# Jumps that are no straight lines


def test_brian2s_synapses_deliver_bent_jumps():
    model = cbnet.Model(
        name="saturating",
        equations="dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)*(1 + ((v_post - theta)/(10*mV))**2)",
        inhibitory="v_post += g*a*(E_I - v_post)",
    )
    bent = cbnet.Parameters(model).replace(K=100, a=0.005)
    job = prepare(bent, 1250, **STEP)
    assert job.storage == "synapses"
    # in-degrees and delays are compiled in, values are not
    key = structure.of_job(job).key
    assert structure.of_job(prepare(bent.replace(a=0.004), 1250, **STEP)).key == key
    assert structure.of_job(prepare(bent.replace(K=104), 1250, **STEP)).key != key
    assert structure.of_job(prepare(bent.replace(D=1 * ms), 1250, **STEP)).key != key
    for storage in ("procedural", "bitmap"):
        with pytest.raises(ParameterError, match=f"^storage: got '{storage}' with an on_pre"):
            prepare(bent, 1250, storage=storage, **STEP)
    with pytest.raises(ParameterError, match=r"^N: got 1250 .*Brian2's Synapses"):
        prepare(bent, 1250, memory=10**6, **STEP)
    with pytest.raises(ParameterError, match="^law: got 'gaussian' with an on_pre"):
        prepare(bent.replace(law="gaussian", CV_K=0.1), 1250, **STEP)


def test_an_explicit_graph_counts_for_itself(explicit):
    """Neither K nor γK says anything about it: 30 neurons, and synapses enough for no machine."""
    few = {"E": ([0, 23, 5], [1, 2, 29], 1 * ms), "I": ([5], [0], 1 * ms)}
    job = prepare(explicit, 30, graph=few, **STEP)
    assert job.layout.in_degree == {
        ("E", "E"): 1, ("E", "I"): 1, ("I", "E"): 1, ("I", "I"): 0,
    }  # fmt: skip
    many = np.arange(100_000) % 24
    dense = {"E": (many, many, 1 * ms), "I": ([], [], 1 * ms)}
    with pytest.raises(ParameterError, match="with 1e\\+05 synapses, which take"):
        prepare(explicit, 30, graph=dense, memory=100_000, **STEP)
