"""Grids: axes, rules, refusals, and what a point is."""

import numpy as np
import pytest
from brian2 import Hz, ms

import cbnet
from cbnet.errors import ParameterError
from cbnet.model import unused
from cbnet.sweeps import identity, plan, rules
from cbnet.sweeps import reading as grids
from cbnet.theory.batch import NAMES, respond_many, solve_many
from tests.sweeping import THEORY, grid


def make(axes=None, **given):
    given = {"run": "theory", "noise": "diffusion", **given}
    return grids.make({"axes": axes or {"nu_X": ["20Hz"]}, **given})


def settings(made):
    return [point.setting for point in made.points()]


def test_axes_are_crossed_in_their_order():
    made = make({"K": [400, 800], "nu_X": ["20Hz", "30Hz"]})
    assert settings(made) == [{"K": k, "nu_X": x} for k in (400, 800) for x in (20.0, 30.0)]


def test_zipped_axes_advance_together():
    made = make({"K": [400, 800], "nu_X": ["20Hz", "30Hz"]}, zipped=[["K", "nu_X"]])
    assert settings(made) == [{"K": 400, "nu_X": 20.0}, {"K": 800, "nu_X": 30.0}]
    assert made.axes[0].dimension == "K_nu_X"


def test_ranges_are_in_the_unit_of_their_parameter():
    made = make({"tau_L": {"linspace": ["10ms", "30ms", 3]}})
    typed = make({"tau_L": ["10ms", "20ms", "30ms"]})
    assert made.axes[0].values == typed.axes[0].values  # to the last bit
    assert make({"nu_X": {"logspace": ["1Hz", "100Hz", 3]}}).axes[0].values == ((1.0, 10.0, 100.0),)


def test_ranges_of_whole_numbers_are_rounded():
    made = make({"K": {"logspace": [400, 6400, 4], "multiple": 4}})
    assert made.axes[0].values[0] == (400, 1008, 2540, 6400)


def test_quantities_are_taken_from_python():
    made = make({"nu_X": np.array([20, 30]) * Hz}, parameters={"I.tau_L": 10 * ms})
    (first, _) = made.points()
    assert first.params.resolve("E")["nu_X"] == 20.0
    assert first.params.resolve("I")["tau_L"] == 0.01


def test_the_efficacy_follows_k():
    made = make({"K": [1000, 4000]}, scaling="sqrt", parameters={"a": 0.002})
    assert [p.params.resolve("E")["a"] for p in made.points()] == [0.002, 0.001]


def test_two_models_share_a_grid():
    made = make({"model": ["current", "conductance"], "nu_X": ["20Hz"]})
    assert [p.params.model.name for p in made.points()] == ["current", "conductance"]


def test_jumps_that_are_set_stay_everywhere_in_the_grid():
    given = {"model": "current", "parameters": {"J_E": "0.1mV", "J_I": "0.5mV"}}
    axes = {"theta": ["-52mV", "-50mV"], "I.J_E": ["0.1mV", "0.2mV"]}
    points = list(make(axes, **given).points())
    assert len(points) == 4
    for point in points:
        for values, own in zip(point.resolved, (1e-4, point.setting["I.J_E"]), strict=True):
            assert (values["J_E"], values["J_I"]) == (own, 5e-4)
            assert values["theta"] == point.setting["theta"]


def test_jumps_that_are_set_follow_k():
    axes = {"J_E": ["0.1mV"], "K": [1000, 4000]}
    made = make(axes, model="current", scaling="sqrt", parameters={"J_I": "0.5mV"})
    found = [point.resolved[0] for point in made.points()]
    assert [v["J_E"] for v in found] == pytest.approx([1e-4, 5e-5], rel=1e-14)
    assert [v["J_I"] for v in found] == pytest.approx([5e-4, 2.5e-4], rel=1e-14)
    assert [v["K"] for v in found] == [1000, 4000]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"J_E": ["0.1mV"], "a": [0.001]}, "J_E: got J_E and a, which fix each other"),
        ({"tau_S": ["1ms"], "tau_E": ["2ms"]}, "tau_E: got tau_E from two axes; drop one"),
    ],
)
def test_axes_that_fix_each_other_are_refused(axes, message):
    (point,) = make(axes, model="current").points()
    assert point.refusal.startswith(message)


OWN = """
from brian2 import ms
from cbnet import Model

own = Model(
    name="own",
    equations='''dv/dt = (E_L - v)/tau_L + x + y : volt (unless refractory)
                 dx/dt = -x/tau_1 : volt/second
                 dy/dt = -y/tau_1 : volt/second''',
    excitatory="x += a*mV/ms",
    inhibitory="y -= g*a*mV/ms",
    parameters={"tau_1": 2 * ms},
)
"""


def test_a_time_constant_of_zero_is_refused_where_it_stands(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    made = make({"tau_1": ["0ms", "2ms"]}, model=f"{path}:own", noise=None)
    found = plan.make(made)
    assert [unit.noise for unit in found.units] == ["colored"]
    ((point, _, why),) = found.refused
    assert point.setting == {"tau_1": 0.0}
    assert why.startswith("tau_1: got a time constant of 0 ms for 'x'")


@pytest.mark.parametrize(
    ("rule", "K", "expected"),
    [("8K", 400, 3200), ("max(4000, 4*K)", 400, 4000), (500, 400, 500), ("2K + 100", 400, 900)],
)
def test_rules_for_sizes(rule, K, expected):
    assert rules.evaluate(rule, K, "N_E") == expected


@pytest.mark.parametrize("rule", ["K K", "__import__('os')", "8L", 2.5, True, "K/3", "-K", ""])
def test_rules_that_are_none(rule):
    with pytest.raises(ParameterError, match="^N: got"):
        rules.evaluate(rule, 400, "N")


def test_n_e_gives_n():
    made = make(run="simulation", N_E="8K", parameters={"K": 100, "a": 0.005})
    (point,) = made.points()
    assert point.N == 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nu_X = ["20"]', "axes.nu_X[0]: got 20 (no unit)"),
        ('nu_X = ["20mV"]', "axes.nu_X[0]: got 20mV ('mV' is the wrong unit)"),
        ("nu_Y = [1]", "axes.nu_Y: got an unknown name"),
        ("K = [400, 400]", "axes.K: got 400 twice"),
        ("K = []", "axes.K: got an empty list"),
        ("K = 400", "axes.K: got 400; expected a list"),
        ("K = [1.5]", "axes.K[0]: got 1.5 (not whole)"),
        ("K = {linspace = [1, 2]}", "axes.K.linspace: got [1, 2]; expected [FIRST, LAST, NUMBER]"),
        ("K = {linspaced = [1, 2, 3]}", "axes.K: got linspaced; expected linspace or logspace"),
        ("K = {linspace = [1, 2, 9]}", "axes.K.linspace: got 9 values of which two are"),
        ('nu_X = {logspace = ["0Hz", "2Hz", 3]}', "axes.nu_X.logspace: got ends"),
        (
            'nu_X = {linspace = ["1Hz", "9Hz", 100000000]}',
            "axes.nu_X.linspace[2]: got 100,000,000; expected at most 1,000,000",
        ),
        ("law = {linspace = [1, 2, 3]}", "axes.law.linspace: got a range of law"),
        ('nu_X = ["20Hz"]\nN = [100]\nN_E = [100]', "axes.N_E: got N and N_E"),
        ('noise = ["pink"]', "axes.noise: got 'pink'"),
        ('model = ["currant"]', "model: MODEL: got 'currant'"),
        ('scaling = ["sqr"]\nK = [400]', "axes.scaling[0]: got 'sqr'"),
        ('initial = ["low", "medium"]', "axes.initial[1]: got medium"),
        ('N_E = ["8K", "9Q"]', "axes.N_E[1]: got '9Q'"),
        ('K = [400]\nzipped = [["K", "nu_X"]]', "axes.zipped: got a key of the sweep itself"),
    ],
)
def test_axes_are_refused_in_one_line(text, said, tmp_path):
    path = grid(tmp_path, f'run = "theory"\n[axes]\n{text}\n')
    with pytest.raises(ParameterError) as error:
        grids.read(path)
    assert str(error.value).startswith(f"{path}: {said}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "sedes = [1]",
            "sedes: got an unknown key; expected one of a sweep (did you mean 'seeds'?)",
        ),
        ("seeds = []", "seeds: got []"),
        ("seeds = [1, 1]", "seeds: got [1, 1]"),
        ("seeds = [-1]", "seeds[0]: got -1"),
        ("graph_seed = -1", "graph_seed: got -1"),
        ("seeds = 2000000", "seeds: got 2,000,000; expected at most 1,000,000"),
        ('run = "teory"', "run: got 'teory'"),
        ('noise = "pink"', "noise: got 'pink'"),
        ('noise = "kramers"', "noise: got 'kramers', which has no rate above threshold"),
        ("rtol = 2", "rtol: got 2"),
        ('duration = "1"', "duration: got 1 (no unit)"),
        ('duration = "0s"', "duration: got 0s"),
        ('scaling = "sqrt"', "scaling: got 'sqrt' without an axis K"),
        ('keep = ["rate"]', "keep: got 'rate'"),
        ('keep = ["spike_times"]', "keep: got 'spike_times' with record = 0"),
        ("record = -1", "record: got -1"),
        ('storage = "disk"', "storage: got 'disk'"),
        ('N = "8L"', "N: got '8L'"),
        ("N = 5\nN_E = 4", "N_E: got N and N_E"),
        ('zipped = [["nu_X"]]', "zipped[0]: got ['nu_X']"),
        ('zipped = [["nu_X", "K"]]', "zipped[0]: got 'K'"),
        ("fraction_excitatory = 1", "fraction_excitatory: got 1"),
        ('subject = "neuron"', "subject: got 'neuron' with run = 'both'"),
        ("parameters = 3", "parameters: got 3"),
        ('initial = "20"', "initial: got 20 (no unit)"),
        ("[parameters]\na = 2", "parameters.a: got"),
        ('[parameters]\nnu = "2Hz"', "parameters.nu: got an unknown name"),
    ],
)
def test_keys_are_refused_in_one_line(text, said, tmp_path):
    top, _, more = text.partition("[parameters]")
    more = f"[parameters]{more}" if more else ""
    path = grid(tmp_path, f'{top}\n[axes]\nnu_X = ["20Hz"]\n{more}\n')
    with pytest.raises(ParameterError) as error:
        grids.read(path)
    assert str(error.value).startswith(f"{path}: {said}")
    assert "\n" not in str(error.value)


def test_what_is_no_toml_is_refused(tmp_path):
    path = grid(tmp_path, "axes = [\n")
    with pytest.raises(ParameterError, match="is not TOML"):
        grids.read(path)
    with pytest.raises(ParameterError, match="no such file"):
        grids.read(tmp_path / "none.toml")
    with pytest.raises(ParameterError, match=r"axes: got none"):
        grids.make({})


def test_a_point_that_cannot_be_used_does_not_stop_the_others():
    made = make({"a": [0.01, 0.2]}, parameters={"g": 20})
    planned = plan.make(made)
    assert len(planned.units) == 1
    ((point, kind, why),) = planned.refused
    assert (point.index, kind) == ((1,), "theory")
    assert "expected g*a < 1" in why or "expected" in why


def test_refused_simulations_say_why():
    made = make(
        {"K": [40, 42, 4000]}, run="simulation", N=250, parameters={"a": 0.001}, duration="0.1s"
    )
    planned = plan.make(made)
    assert [unit.point.setting["K"] for unit in planned.units] == [40]
    whys = [why for _, _, why in planned.refused]
    assert "gamma*K" in whys[0] and "take N above" in whys[1]


def test_a_noise_of_filters_is_refused_where_there_are_none():
    made = make({"noise": ["diffusion", "colored", "fast"], "tau_S": ["0ms", "2ms"]})
    planned = plan.make(made)
    refused = [(point.setting["noise"], kind, why) for point, kind, why in planned.refused]
    assert [name for name, _, _ in refused] == ["colored", "fast"]
    assert all(kind == "theory" and "instantaneous synapses" in why for _, kind, why in refused)
    assert len(planned.units) == 4


def test_only_networks_that_are_solved_together_share_a_task():
    alike = make({"nu_X": {"linspace": ["20Hz", "50Hz", 31]}})
    assert len(plan.bundles(alike, plan.make(alike).units, 2)) == 1
    differing = make({"nu_X": ["20Hz", "30Hz"]}, parameters={"I.tau_L": "10ms"})
    assert len(plan.bundles(differing, plan.make(differing).units, 2)) == 2
    shot = make({"nu_X": ["20Hz", "30Hz"]}, noise="shot")
    assert len(plan.bundles(shot, plan.make(shot).units, 2)) == 2


def test_sizes_are_numbers_or_rules():
    numbers = make({"N_E": {"linspace": [1600, 3200, 3]}}, run="simulation", parameters={"K": 40})
    assert [p.N for p in numbers.points()] == [2000, 3000, 4000]
    mixed = make({"N": ["8K", 500]}, run="simulation", parameters={"K": 40})
    assert [p.N for p in mixed.points()] == [320, 500]
    assert [plan.label(mixed, p.setting) for p in mixed.points()] == ["N = 8K", "N = 500"]


def test_a_network_that_does_not_fit_is_refused():
    made = make(run="simulation", N=10_000, duration="0.1s")
    assert len(plan.make(made).units) == 1
    ((_, _, why),) = plan.make(made, memory=170_000_000).refused
    assert "GB" in why


def test_one_bit_makes_another_point():
    def identities(**parameters):
        return {unit.identity for unit in plan.make(make(parameters=parameters)).units}

    a = 0.0015
    assert identities(a=a) == identities(a=a)
    assert not identities(a=a) & identities(a=np.nextafter(a, 1))
    # in its first twelve digits the same
    assert f"{a:.12g}" == f"{np.nextafter(a, 1):.12g}"


def test_what_does_not_matter_makes_no_other_point():
    def identities(**given):
        return {unit.identity for unit in plan.make(make(**given)).units}

    assert identities(parameters={"D": "2ms"}) == identities()
    assert identities(seeds=[4]) == identities()
    assert identities(noise="effective") != identities()
    assert identities(rtol=1e-7) != identities()


def test_digests_are_of_bytes():
    assert identity.digest(1) != identity.digest(1.0) != identity.digest("1")
    assert identity.digest([1, 2], [3]) != identity.digest([1], [2, 3])
    long = np.arange(2000.0)
    other = long.copy()
    other[1000] = np.nextafter(other[1000], 0)
    assert identity.digest(long) != identity.digest(other)


def test_a_grid_survives_json(tmp_path):
    import json

    made = grids.read(grid(tmp_path, THEORY))
    again = grids.Grid.from_dict(json.loads(json.dumps(made.to_dict())))
    assert [u.identity for u in plan.make(again).units] == [
        u.identity for u in plan.make(made).units
    ]


def test_points_that_ask_for_the_same_share_it():
    made = make({"noise": ["diffusion", "effective"]}, run="both", N=10_000)
    planned = plan.make(made)
    simulated = [u for u in planned.units if u.kind == "simulation"]
    assert len(simulated) == 1 and simulated[0].places == ((0, 0), (1, 0))


def test_graphs_are_given_or_an_axis():
    def options(**given):
        made = make(run="simulation", N=10_000, seeds=[1, 2], **given)
        return [(u.seed, u.options.get("graph_seed")) for u in plan.make(made).units]

    assert options() == [(1, None), (2, None)]
    assert options(graph_seed=7) == [(1, 7), (2, 7)]
    crossed = options(axes={"graph_seed": [3, 4]})
    assert crossed == [(1, 3), (2, 3), (1, 4), (2, 4)]
    assert cbnet.__version__


@pytest.mark.parametrize("model", ["conductance", "current"])
@pytest.mark.parametrize("noise", ["diffusion", "effective"])
def test_a_network_has_the_same_bytes_whatever_is_beside_it(model, noise):
    rng = np.random.default_rng(1)
    efficacy = {"conductance": {"a": 0.0024}, "current": {"J_E": "0.2mV", "J_I": "0.8mV"}}[model]
    params = cbnet.load(model).replace(**efficacy)
    given = [
        {
            "K": int(rng.integers(100, 2000)),
            "nu_X": f"{10 ** rng.uniform(-1, 2)!r}Hz",
            "tau_L": f"{rng.uniform(10, 30)!r}ms",
            "r_E": f"{rng.uniform(1, 60)!r}Hz",
            "r_I": f"{rng.uniform(1, 60)!r}Hz",
        }
        for _ in range(24)
    ]
    networks = [params.replace(**one) for one in given]
    for solved, names in ((solve_many, NAMES), (respond_many, ("rate", "cv", "V_mean", "V_sd"))):
        with unused.told():  # inputs of networks, and of neurons, which the other leaves out
            together = solved(networks, noise)
        for size in (1, 2, 7, 24):
            some = rng.permutation(24)[:size]
            with unused.told():
                few = solved([networks[k] for k in some], noise)
            for name in (*names, "error"):
                whole, part = getattr(together, name)[some], getattr(few, name)
                if whole.ndim == 2:  # fixed points, as many as the network that has most
                    assert np.isnan(whole[:, part.shape[1] :]).all()
                    whole = whole[:, : part.shape[1]]
                np.testing.assert_array_equal(part, whole, err_msg=f"{name}, {size}")
