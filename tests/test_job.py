"""What is refused before a simulation starts; initial voltages; random streams."""

import dataclasses

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt
from scipy import stats

import cbnet
from cbnet.errors import ParameterError
from cbnet.simulation.job import prepare

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
        ("seed", np.nan),
        ("seed", "one"),
        ("seed", None),
        ("seed", [1, 2]),
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
    assert by_words.whole_time == pytest.approx(0.6, rel=1e-12)


def test_default_step_is_the_chosen_one(params):
    from cbnet.simulation import timestep

    assert prepare(params, 1250).dt == timestep.choose(params, 0.01)[0]


def test_recorded_neurons(params):
    def recorded(record):
        return prepare(params, 1250, record=record, **STEP).recorded.tolist()

    assert recorded(0) == []
    assert recorded([]) == []
    assert recorded(3) == [0, 624, 1249]
    assert recorded([7, 3, 7]) == [3, 7]
    assert recorded(np.array([5], np.uint8)) == [5]
    assert recorded(1250) == list(range(1250))


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


def test_streams_are_separate(params):
    one = prepare(params, 1250, seed=3, **STEP)
    states = {tuple(stream.generate_state(4)) for stream in one.streams}
    assert len(states) == 3
    assert 0 <= one.input_seed < 2**31
    seeds = {prepare(params, 1250, seed=s, **STEP).input_seed for s in range(50)}
    assert len(seeds) == 50
    # a stream does not depend on how often it was asked for, nor on the sizes
    again = dataclasses.replace(one)
    assert again.input_seed == one.input_seed
    assert prepare(params, 2500, seed=3, **STEP).input_seed == one.input_seed


def test_what_is_compiled_anew(params):
    def key(changes=None, **options):
        given = {"N": 1250, "seed": 1} | STEP | options
        return prepare(params.replace(**(changes or {})), **given).program_key

    same = key()
    # values and seeds are arguments of a compiled program
    assert key({"a": 0.004, "nu_X": 20 * Hz, "g": 12, "tau_L": 10 * ms, "E_L": -75 * mV}) == same
    assert key(seed=2, initial="low") == same
    others = [
        key(N=1500),
        key(dt="0.05ms"),
        key(duration="0.7s"),
        key(transient="0.1s"),
        key(record=2),
        key(fraction_excitatory=0.7),
        key({"K": 104}),
        key({"tau_S": 1 * ms}),
        key({"jump": "exponential"}),
        key({"I.tau_L": 10 * ms}),
        key({"I.theta": -54 * mV}),
        key({"D": 1 * ms}),
        key({"law": "bernoulli"}),
        key({"law": "bernoulli"}, seed=2),
    ]
    assert len({same, *others}) == len(others) + 1


def test_what_is_wired_anew(params):
    def key(changes=None, **options):
        given = {"N": 1250, "seed": 1} | STEP | options
        return prepare(params.replace(**(changes or {})), **given).wiring_key

    same = key()
    assert key({"a": 0.004, "I.tau_L": 10 * ms}, duration="2s", record=3, initial="low") == same
    others = [
        key(seed=2),
        key(N=1500),
        key(dt="0.05ms"),
        key({"K": 104}),
        key({"I.gamma": 0.5}),
        key({"D_max": 2 * ms}),
        key({"law": "bernoulli"}),
        key({"law": "gaussian", "CV_K": 0.1}),
        key({"law": "gaussian", "CV_K": 0.2}),
    ]
    assert len({same, *others}) == len(others) + 1
