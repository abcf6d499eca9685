"""Values with units: what is accepted, what is refused in which words, what derives from what."""

import json

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt

import cbnet
from cbnet.errors import ParameterError
from cbnet.parameters import SEED, Entry


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def current():
    return cbnet.load("current")


def test_reference_values(params):
    values = params.resolve()
    expected = {
        "tau_L": 0.020, "E_L": -0.080, "E_E": 0.0, "E_I": -0.075, "theta": -0.055, "V_r": -0.065,
        "tau_rp": 0.002, "K": 1000, "gamma": 0.25, "a": 0.0015, "g": 20.0, "V_match": -0.055,
        "jump": "linear", "nu_X": 30.0, "tau_E": 0.0, "tau_I": 0.0, "D_min": 1e-4, "D_max": 0.01,
        "law": "fixed", "CV_K": 0.0, "r_E": 20.0, "r_I": 16.0,
    }  # fmt: skip
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        assert values[name] == (
            value if isinstance(value, str) else pytest.approx(value, rel=1e-15)
        )


def test_values_are_read_as_quantities(params):
    assert params.tau_L == 20 * ms
    assert params.K == 1000
    assert params.jump == "linear"
    with pytest.raises(AttributeError, match="tau_l.*did you mean 'tau_L'"):
        _ = params.tau_l


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("tau_L", 10 * ms, 0.01),
        ("tau_L", "10ms", 0.01),
        ("tau_L", "0.01 second", 0.01),
        ("theta", "-50mV", -0.05),
        ("theta", -0.05 * volt, -0.05),
        ("K", "2_000", 2000),
        ("K", 2000.0, 2000),
        ("nu_X", "0.02kHz", 20.0),
        ("a", "1e-3", 1e-3),
        ("g", np.float64(12), 12.0),
        ("law", "bernoulli", "bernoulli"),
    ],
)
def test_what_may_be_given(params, key, value, expected):
    found = params.replace(**{key: value}).resolve()[key]
    assert found == (expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-15))
    assert params.resolve()[key] != found  # the original is unchanged


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau_M": 1 * ms}, "tau_M: got an unknown name; .*model 'conductance'"),
        ({"J_E": 1 * mV}, "J_E: got an unknown name"),
        ({"X.a": 0.1}, "X.a: got the population 'X'; expected 'E' or 'I'"),
        ({"tau_L": 20}, "tau_L: got 20 .no unit.; expected a finite number above 0, in ms"),
        ({"tau_L": "20"}, "tau_L: got 20 .no unit."),
        ({"tau_L": "20Hz"}, "tau_L: got 20Hz .'Hz' is the wrong unit."),
        ({"tau_L": "20blobs"}, "tau_L: got 20blobs .'blobs' is not a unit."),
        ({"tau_L": 20 * mV}, "tau_L: got 20. mV .wrong unit."),
        ({"tau_L": "fast"}, "tau_L: got fast .not a number."),
        ({"tau_L": 0 * ms}, "tau_L: got 0. s; expected a finite number above 0"),
        ({"nu_X": -1 * Hz}, "nu_X: got -1. Hz; expected a finite number of at least 0"),
        ({"nu_X": "nan Hz"}, "nu_X: got nan Hz .not finite."),
        ({"a": np.inf}, "a: got inf .not finite."),
        ({"a": True}, "a: got True"),
        ({"a": [1, 2]}, "a: got .1, 2. .not a number."),
        ({"a": 0.5 * mV}, "a: got .* .wrong unit."),
        ({"K": 10.5}, "K: got 10.5 .not whole.; expected a whole number above 0"),
        ({"K": 0}, "K: got 0; expected a whole number above 0"),
        ({"gamma": 0}, "gamma: got 0; expected"),
        ({"law": "uniform"}, "law: got uniform; expected 'fixed' or 'bernoulli' or 'gaussian'"),
        ({"jump": "linaer"}, "jump: got linaer .did you mean 'linear'"),
        ({"a": 1.5}, "a: got 1.5 for population E; expected a < 1 in model 'conductance'"),
        ({"a": 0.06}, "g.a: got 1.2 for population E; expected g.a < 1"),
        ({"V_r": -50 * mV}, "V_r: got V_r = -50 mV; expected it below theta = -55 mV"),
        ({"D_min": 20 * ms}, "D_min: got D_min = 20 ms; expected at most D_max = 10 ms"),
        ({"tau_E": 1 * ms}, "tau_E, tau_I: got tau_E = 1 ms and tau_I = 0 ms; expected both"),
        ({"CV_K": 0.1}, "CV_K: got CV_K = 0.1 with law = fixed; expected law=gaussian"),
        ({"I.a": 0.06}, "g.a: got 1.2 for population I"),
    ],
)
def test_what_may_not_be_given_is_said_in_one_line(params, changes, message):
    with pytest.raises(ParameterError, match=message) as caught:
        params.replace(**changes)
    assert "\n" not in str(caught.value)


def test_efficacies_above_one_are_fine_where_nothing_forbids_them(params, current):
    assert params.replace(jump="exponential", a=0.1).resolve()["a"] == 0.1
    assert current.replace(a=0.1).resolve()["a"] == 0.1


def test_aliases_set_several(params):
    changed = params.replace(tau_S=2 * ms, D="1ms")
    assert (changed.tau_E, changed.tau_I) == (2 * ms, 2 * ms)
    assert (changed.D_min, changed.D_max) == (1 * ms, 1 * ms)


def test_matching_potential_follows_the_threshold_until_it_is_set(current):
    moved = current.replace(theta="-50mV")
    assert moved.V_match == -50 * mV
    assert float(moved.J_E) == pytest.approx(0.0015 * 0.050, rel=1e-14)
    held = moved.replace(V_match="-60mV")
    assert held.replace(theta="-45mV").V_match == -60 * mV
    own = current.replace(**{"I.theta": "-50mV"})
    assert own.resolve("E")["V_match"] == pytest.approx(-0.055)
    assert own.resolve("I")["V_match"] == pytest.approx(-0.050)


def test_jumps_derive_from_efficacies_and_back(current):
    assert float(current.J_E) == pytest.approx(0.0015 * 0.055, rel=1e-14)
    assert float(current.J_I) == pytest.approx(20 * 0.0015 * 0.020, rel=1e-14)
    given = current.replace(J_E=0.1 * mV, J_I="0.5mV")
    assert float(given.J_E) == pytest.approx(1e-4, rel=1e-13)
    assert float(given.J_I) == pytest.approx(5e-4, rel=1e-13)
    assert given.a == pytest.approx(1e-4 / 0.055, rel=1e-13)
    one = current.replace(J_E=0.1 * mV)  # the other jump stays put
    assert float(one.J_I) == pytest.approx(float(current.J_I), rel=1e-13)


def test_a_jump_and_its_efficacy_together_are_refused(current):
    with pytest.raises(ParameterError, match="J_E: got J_E and a, which fix each other"):
        current.replace(J_E=0.1 * mV, a=0.001)


def test_a_jump_for_one_population(current):
    params = current.replace(**{"I.J_E": 0.2 * mV})
    assert params.resolve("I")["J_E"] == pytest.approx(2e-4, rel=1e-13)
    assert params.resolve("E")["J_E"] == pytest.approx(0.0015 * 0.055, rel=1e-13)


def test_populations_may_differ(params):
    changed = params.replace(**{"I.tau_L": 10 * ms})
    assert changed.resolve("I")["tau_L"] == 0.01
    assert changed.resolve("E")["tau_L"] == 0.02
    assert changed.differing() == ("tau_L",)
    assert changed.of("I").tau_L == 10 * ms
    assert changed.of("I").differing() == ()
    with pytest.raises(AttributeError, match="tau_L: the populations differ"):
        _ = changed.tau_L
    with pytest.raises(ParameterError, match="population: got 'X'"):
        params.of("X")


def test_json_round_trip_is_exact(params, current):
    for original in (
        params.replace(a=0.1 / 3, tau_L=1 / 3 * second, **{"I.nu_X": 7 * Hz}, jump="exponential"),
        current.replace(J_E=0.1 * mV),
    ):
        stored = json.loads(json.dumps(original.to_dict()))
        again = cbnet.Parameters.from_dict(stored)
        assert again == original
        assert again.resolve("I") == original.resolve("I")
        assert again.fingerprint == original.fingerprint


def test_fingerprint_tells_the_last_bit(params):
    a = 0.0015
    one, other = params.replace(a=a), params.replace(a=np.nextafter(a, 1))
    assert one.fingerprint != other.fingerprint
    assert one != other
    assert params.replace(a=a).fingerprint == one.fingerprint
    assert {one: 1}[params.replace(a=a)] == 1


def test_fingerprint_tells_models_apart(params, current):
    assert params.fingerprint != current.fingerprint


def test_repr_shows_what_was_set(params):
    assert repr(params.replace(K=400, nu_X="20Hz")) == (
        "Parameters('conductance', K=400, nu_X=20 Hz)"
    )


LARGE = (2**53 + 1, 2**63 + 1, 2**64 - 1)  # none of which is a float


@pytest.mark.parametrize("whole", LARGE)
def test_whole_numbers_keep_every_digit(params, whole):
    for given in (whole, str(whole), np.uint64(whole)):
        assert SEED.parse(given, "seed") == whole
        stored = json.loads(json.dumps(params.replace(K=given).to_dict()))
        assert cbnet.Parameters.from_dict(stored).resolve()["K"] == whole
    assert SEED.show(whole) == str(whole)
    assert params.replace(K=whole) != params.replace(K=whole - 1)


@pytest.mark.parametrize(
    "given",
    [-1, "-1", 1.5, "1.5", True, np.True_, "true", 2**64, str(2**64), 10**400, "1e400", np.nan]
    + [2.0**60, "9007199254740993.5", None, [1]],
)
def test_what_is_no_seed(given):
    with pytest.raises(ParameterError, match="seed: got .*; expected a whole number") as caught:
        SEED.parse(given, "seed")
    assert "\n" not in str(caught.value)


def test_whole_numbers_in_words():
    row = Entry("n", None, integer=True)
    assert [row.parse(x, "n") for x in ("1e3", "1_000", "1000.0", 1000.0)] == [1000] * 4
    assert row.parse("1e22", "n") == 10**22
