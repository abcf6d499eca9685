"""Values with units: what is accepted, what is refused in which words, what derives from what."""

import json

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt
from hypothesis import given, settings
from hypothesis import strategies as st

import cbnet
from cbnet.cli import app
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.model.entry import SEED, Entry


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
        ("g", np.array(12.0), 12.0),
        ("K", np.array(500), 500),
        ("tau_L", np.array(15.0) * ms, 15e-3),
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
        ({"a": np.array([0.001])}, r"a: got \[0.001\] .not one number.; expected a finite number"),
        ({"a": np.full((2, 2), 0.001)}, "a: got .* .not one number."),
        ({"tau_L": np.array([20]) * ms}, r"tau_L: got \[20.\] ms .not one number.; .*in ms"),
        ({"K": np.array([100])}, r"K: got \[100\] .not one number.; expected a whole number"),
        ({"law": np.array(["fixed"])}, "law: got .*fixed.* .not one word.; expected 'fixed' or"),
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
    one = current.replace(J_E=0.1 * mV)  # g stays, and what follows from it and a does not
    assert one.g == current.g == 20
    assert float(one.J_I) == pytest.approx(20 * one.a * 0.020, rel=1e-13)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"J_E": 0.1 * mV, "a": 0.001}, "J_E: got J_E and a, which fix each other; give one"),
        ({"g": 5, "J_I": 0.5 * mV}, "J_I: got J_I and g, which fix each other; give one of them"),
        ({"I.a": 0.1, "I.J_E": 1 * mV}, "I.J_E: got J_E and a, which fix each other"),
        ({"tau_S": 1 * ms, "tau_E": 2 * ms}, "tau_E: got tau_E and tau_S, which both set tau_E"),
        ({"D_max": 1 * ms, "D": 2 * ms}, "D: got D and D_max, which both set D_max"),
        ({"J_E": 0 * mV}, "J_E: got 0. V; expected a finite number above 0, in mV"),
        ({"J_I": -1 * mV}, "J_I: got -1. mV; expected a finite number above 0"),
        ({"theta": 20 * mV}, "J_E: got -0.03 mV for population E from J_E = a.*expected a finite"),
        ({"I.E_E": -60 * mV}, "J_E: got -0.0075 mV for population I"),
        ({"E_I": -50 * mV}, "J_I: got -0.15 mV for population E from J_I = g"),
        ({"theta": 0 * mV, "J_E": 0.1 * mV}, "J_I: got no value for population E from J_I = g.*a"),
    ],
)
def test_jumps_that_cannot_be_are_refused(current, changes, message):
    with pytest.raises(ParameterError, match=message) as caught:
        current.replace(**changes)
    assert "\n" not in str(caught.value)


def test_what_is_set_stays_whatever_else_changes(current):
    params = current.replace(J_E=0.1 * mV, theta=-50 * mV, J_I=0.5 * mV)
    assert (0.1 * mV, 0.5 * mV) == (params.J_E, params.J_I)  # to the last bit
    for changes in ({"theta": -52 * mV}, {"E_E": 10 * mV}, {"V_match": "-60mV"}, {"K": 400}):
        later = params.replace(**changes)
        assert (0.1 * mV, 0.5 * mV) == (later.J_E, later.J_I)
        assert later.a == pytest.approx(1e-4 / float(later.E_E - later.V_match), rel=1e-13)
    again = params.replace(a=0.001)  # sets aside the jump that stood in for it
    assert float(again.J_E) == pytest.approx(0.001 * 0.050, rel=1e-13)
    assert 0.5 * mV == again.J_I
    assert float(again.replace(theta=-55 * mV).J_E) == pytest.approx(0.001 * 0.055, rel=1e-13)
    assert again.replace(J_E=0.1 * mV) == params
    assert params.replace(J_I=0.4 * mV, a=0.1).replace(g=3).g == 3


def test_of_both_populations_and_of_one(current):
    params = current.replace(a=0.003, **{"I.J_E": 0.2 * mV, "E.theta": -50 * mV})
    assert params.resolve("I")["J_E"] == 2e-4
    assert params.resolve("I")["a"] == pytest.approx(2e-4 / 0.055, rel=1e-13)
    assert params.resolve("E")["J_E"] == pytest.approx(0.003 * 0.050, rel=1e-13)
    other = current.replace(J_E=0.2 * mV, **{"I.a": 0.003})
    assert other.resolve("E")["J_E"] == 2e-4
    assert other.resolve("I")["J_E"] == pytest.approx(0.003 * 0.055, rel=1e-13)
    alone = params.of("I")
    assert alone.resolve("E") == alone.resolve("I") == params.resolve("I")
    assert 0.2 * mV == alone.replace(theta=-52 * mV).J_E


BRUNEL = {  # J. Comput. Neurosci. 8, 183 (2000), with the resting potential as its zero
    "theta": 20 * mV, "V_r": 10 * mV, "E_L": 0 * mV, "tau_L": 20 * ms, "tau_rp": 2 * ms,
    "J_E": 0.1 * mV, "J_I": 0.5 * mV, "K": 1000, "gamma": 0.25, "nu_X": 20 * Hz, "D": 1.5 * ms,
}  # fmt: skip


def test_a_network_of_the_literature_in_one_call(current):
    """No reversal potential is above the threshold, and nothing needs one."""
    params = current.replace(**BRUNEL)
    assert (0.1 * mV, 0.5 * mV) == (params.J_E, params.J_I)
    assert np.isnan(params.a) and np.isnan(params.g)
    assert params.differing() == ()
    with pytest.warns(CbnetWarning, match="D_min, D_max: .* does not use"):
        found = cbnet.solve(params, noise="diffusion")
    # Brunel's theory of his Fig. 8C has 38.0 Hz, his simulation 37.7
    assert [round(float(rate), 1) for rate in found.rate_E] == [37.9]
    small = params.scaled("sqrt", K=4000)
    assert (0.05 * mV, 0.25 * mV) == (small.J_E, small.J_I)
    assert 0.25 * mV == small.replace(theta=15 * mV).J_I
    with pytest.raises(ParameterError, match="a: got jumps that were set and that no a gives"):
        params.scaled("preserving", K=4000)
    with pytest.raises(ParameterError, match="J_E: got J_E = a.*, which no a gives; set a"):
        params.without_derived()


def test_undefined_efficacies_are_null_in_json(capsys):
    settings = [f"--set={n}={v}" for n, v in (("theta", "20mV"), ("J_E", "0.1mV"), ("J_I", "1mV"))]
    assert app.main(["params", "current", *settings, "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["parameters"]}
    assert rows["a"]["E"] is rows["g"]["I"] is None
    assert rows["a"]["source"] == "from J_E"
    assert rows["J_E"]["E"] == 0.1 and rows["J_E"]["set"]


SETTINGS = {
    "theta": -50 * mV, "J_E": 0.1 * mV, "J_I": 0.5 * mV, "E_E": 5 * mV, "E_I": -80 * mV,
    "V_match": -58 * mV, "K": 400, "I.J_E": 0.2 * mV, "I.theta": -52 * mV, "E.g": 8, "I.a": 0.002,
    "tau_S": 3 * ms, "a": 0.004, "g": 5, "E.V_match": -56 * mV, "I.E_I": -70 * mV, "E.J_I": 1 * mV,
}  # fmt: skip
RIVALS = [("J_E", "a"), ("J_I", "g"), ("I.J_E", "I.a"), ("E.J_I", "E.g")]


@st.composite
def in_some_order(draw):
    names = draw(st.lists(st.sampled_from(sorted(SETTINGS)), unique=True, min_size=2))
    for one, other in RIVALS:
        if {one, other} <= set(names):
            names.remove(draw(st.sampled_from((one, other))))
    parts = draw(st.lists(st.integers(1, 3), min_size=len(names), max_size=len(names)))
    return names, draw(st.permutations(names)), parts


@given(in_some_order())
@settings(max_examples=150, deadline=None)
def test_order_and_calls_make_no_difference(chosen):
    names, order, parts = chosen
    current = cbnet.load("current")
    at_once = current.replace(**{name: SETTINGS[name] for name in names})
    later, left = current, list(order)
    for count in parts:
        later = later.replace(**{name: SETTINGS[name] for name in left[:count]})
        left = left[count:]
    assert later == at_once
    assert later.fingerprint == at_once.fingerprint
    again = cbnet.Parameters.from_dict(json.loads(json.dumps(later.to_dict())))
    for population in "EI":
        values = later.resolve(population)
        assert values == at_once.resolve(population) == again.resolve(population)
        mine = {}
        for name in sorted(names, key=lambda name: "." in name):  # those of both first
            whose, _, plain = name.rpartition(".")
            if whose in ("", population):
                for pair in (("J_E", "a"), ("J_I", "g")):
                    if plain in pair:
                        mine.pop(pair[1 - pair.index(plain)], None)
                mine[plain] = SETTINGS[name]
        for name in mine.keys() - {"tau_S"}:
            assert values[name] == float(mine[name])
        assert values["J_E"] == pytest.approx(
            values["a"] * (values["E_E"] - values["V_match"]), rel=1e-12
        )
        assert values["J_I"] == pytest.approx(
            values["g"] * values["a"] * (values["V_match"] - values["E_I"]), rel=1e-12
        )


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
    for one in (whole, str(whole), np.uint64(whole)):
        assert SEED.parse(one, "seed") == whole
        stored = json.loads(json.dumps(params.replace(K=one).to_dict()))
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
