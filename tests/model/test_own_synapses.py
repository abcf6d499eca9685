"""Synaptic variables under names of their own: what a model is comes from its equations."""

import dataclasses

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second

import cbnet
from cbnet.errors import CbnetWarning, ModelError, ParameterError
from cbnet.model import reduced
from cbnet.simulation.backends import standalone
from cbnet.simulation.step import timestep
from cbnet.theory import currents, stability
from cbnet.theory.batch import respond_many
from cbnet.theory.network.linearised import linearised
from cbnet.theory.neuron.colored.filtered_membrane import membrane
from cbnet.theory.neuron.neuron import Neuron

V = np.linspace(-0.09, -0.05, 7)
INPUT = {"r_E": 30 * Hz, "r_I": 12 * Hz}
OWN = cbnet.Model(
    name="own",
    equations="""dv/dt = (E_L - v)/tau_L + s_E*(E_E - v) + s_I*(E_I - v) : volt (unless refractory)
                 ds_E/dt = -s_E/tau_1 : Hz
                 ds_I/dt = -s_I/tau_2 : Hz""",
    excitatory="s_E_post += a/tau_1",
    inhibitory="s_I_post += g*a/tau_2",
    parameters={"tau_1": 2 * ms, "tau_2": 5 * ms},
)
# one variable, which both kinds of spikes move
SHARED = cbnet.Model(
    name="shared",
    equations="""dv/dt = (E_L - v)/tau_L + c : volt (unless refractory)
                 dc/dt = -c/tau_1 : volt/second""",
    excitatory="c += J/tau_1",
    inhibitory="c -= 5*J/tau_1",
    parameters={"tau_1": 3 * ms, "J": 0.1 * mV},
)
LITERAL = """dv/dt = (E_L - v)/tau_L + drive : volt (unless refractory)
             drive = x*(E_E - v) + (E_I - v)*y : volt/second
             dx/dt = -x/(2*ms) : Hz
             dy/dt = -200*Hz*y : Hz"""
OF_THE_TABLE = """dv/dt = (E_L - v)/tau_L + p*(E_E - v) + q*(E_I - v) : volt (unless refractory)
                  dp/dt = -p/tau_E : 1/second
                  dq/dt = -q/tau_I : 1/second"""
WAYS = {
    "own time constants": OWN,
    "an efficacy in the equation": dataclasses.replace(
        OWN,
        equations=OWN.equations.replace("s_E*(E_E", "s_E*a/tau_1*(E_E").replace(": Hz", ": 1", 1),
        excitatory="s_E += 1",
    ),
    "literals and an expression": dataclasses.replace(
        OWN,
        equations=LITERAL,
        excitatory="x = x + a/(2*ms)",
        inhibitory="y_post = y_post + g*a/tau_2",
        parameters={"tau_2": 5 * ms},
    ),
    "one time constant twice": dataclasses.replace(
        OWN,
        equations=OWN.equations.replace("tau_2", "(2.5*tau_1)"),
        inhibitory="s_I += 0.5*g*a/tau_1\ns_I -= 0.1*g*a/tau_1",
        parameters={"tau_1": 2 * ms},
    ),
    "the names of the table": dataclasses.replace(
        OWN,
        equations=OF_THE_TABLE,
        excitatory="p += a/tau_E",
        inhibitory="q += g*a/tau_I",
        parameters={"tau_E": 2 * ms, "tau_I": 5 * ms},
    ),
}


@pytest.fixture(scope="module")
def shipped():
    return cbnet.load("conductance").replace(tau_E=2 * ms, tau_I=5 * ms)


@pytest.mark.parametrize("way", WAYS)
def test_the_reduction_does_not_depend_on_names(shipped, way):
    params = cbnet.load(WAYS[way])
    found, expected = (
        reduced.of_model(p.model, p.resolve()).time_constants(p.resolve())
        for p in (params, shipped)
    )
    assert found == pytest.approx(expected, rel=1e-14) == {"E": 0.002, "I": 0.005}
    rates = {"R_E": 3e4, "R_I": 3e3}
    membranes = []
    for p in (params, shipped):
        values = {**p.resolve(), **rates}
        one = reduced.of_model(p.model, values)
        for name in ("A", "dA", "B2", "leak"):
            theirs = reduced.of_model(shipped.model, values | shipped.resolve())
            expected = theirs.function(name, shipped.resolve() | rates)(V)
            np.testing.assert_allclose(one.function(name, values)(V), expected, rtol=1e-9)
        membranes.append(membrane(one, values, p.resolve()["tau_rp"]))
    own, theirs = membranes
    assert own.taus == pytest.approx(theirs.taus, rel=1e-14)
    for h, expected in zip(own.jumps, theirs.jumps, strict=True):
        np.testing.assert_allclose(h(V), expected(V), rtol=1e-12)


def test_a_neuron_fires_as_the_shipped_one(shipped):
    own = cbnet.respond(cbnet.load(OWN), **INPUT)
    expected = cbnet.respond(shipped, **INPUT)
    assert own.noise == expected.noise == "colored"
    assert float(own.rate) == pytest.approx(float(expected.rate), rel=1e-9)
    assert float(own.rate) == pytest.approx(1.84, rel=0.01)  # Hz; see the slow test below
    (many,) = respond_many([cbnet.load(OWN).replace(**INPUT)]).rate
    assert many == pytest.approx(float(own.rate), rel=1e-9)


def test_what_takes_time_constants_as_zero_says_so(shipped):
    for noise in ("shot", "diffusion"):
        with pytest.warns(CbnetWarning, match="takes as zero; use 'colored'"):
            found = cbnet.respond(cbnet.load(OWN), **INPUT, noise=noise)
        assert found.noise.startswith(f"{noise} (limit tau_S -> 0")


def test_networks_and_currents_take_the_time_constants_of_the_equations(shipped):
    own = cbnet.load(OWN)
    both = [p.replace(K=400, a=0.003) for p in (own, shipped)]
    modes = [stability.stability(p) for p in both]
    assert float(modes[0].growth_rate) == pytest.approx(float(modes[1].growth_rate), rel=1e-6)
    assert float(modes[0].frequency) == pytest.approx(float(modes[1].frequency), rel=1e-6)
    assert modes[0].noise == modes[1].noise == "diffusion (limit tau_S -> 0)"
    seen = [currents.currents(p, **INPUT).in_si("current_sd") for p in both]
    np.testing.assert_allclose(*seen, rtol=1e-9)
    slower = own.replace(tau_1=20 * ms, tau_2=50 * ms)
    gains = []
    for params in (own, slower):
        neurons = {p: Neuron(params, p, "diffusion") for p in "EI"}
        gains.append(linearised(params, neurons, (5.0, 5.0)).gains([100j])[0][0].reshape(2, 2))
    # filters alone differ
    change = [(1 + 100j * fast) / (1 + 100j * slow) for fast, slow in ((2e-3, 2e-2), (5e-3, 5e-2))]
    np.testing.assert_allclose(gains[1] / gains[0], [change, change], rtol=1e-9)


def test_time_steps_follow_the_time_constants_of_the_equations(shipped):
    own, theirs = (p.replace(K=400, a=0.003) for p in (cbnet.load(OWN), shipped))
    assert timestep.choose(own) == pytest.approx(timestep.choose(theirs), rel=1e-9)
    short = own.replace(tau_1=0.3 * ms)
    assert timestep.choose(short)[0] == 5e-5
    assert timestep.choose(short) == pytest.approx(
        timestep.choose(theirs.replace(tau_E=0.3 * ms)), rel=1e-9
    )
    given = (own.replace(tau_1="0.5ms"), 1e-4, 30.0, 12.0)
    assert timestep.bias(*given) != timestep.bias(own, *given[1:])


def test_one_variable_for_both_kinds_is_that_of_currents():
    shared = cbnet.load(SHARED)
    currents_model = cbnet.load("current").replace(tau_S=3 * ms, J_E=0.1 * mV, J_I=0.5 * mV)
    found, expected = (cbnet.respond(p, **INPUT) for p in (shared, currents_model))
    assert float(found.rate) == pytest.approx(float(expected.rate), rel=1e-6)


ONE_FILTERED = dataclasses.replace(
    OWN,
    equations="""dv/dt = (E_L - v)/tau_L + s*(E_E - v) : volt (unless refractory)
                 ds/dt = -s/tau_1 : Hz""",
    excitatory="s += a/tau_1",
    inhibitory="v_post += g*a*(E_I - v_post)",
)


def test_one_kind_with_a_time_constant_has_the_limit_and_nothing_else():
    """The kind that moves v keeps Itô's drift, the other one has Stratonovich's."""
    params = cbnet.load(ONE_FILTERED)
    values = {**params.resolve(), "R_E": 3e4, "R_I": 3e3}
    A = reduced.of_model(params.model, values).function("A", values)(V)
    a, h_I = values["a"], values["g"] * values["a"] * (values["E_I"] - V)
    expected = (values["E_L"] - V) / values["tau_L"] - 3e4 * a * V + 3e4 * a**2 * V / 2 + 3e3 * h_I
    np.testing.assert_allclose(A, expected, rtol=1e-12)
    # of the limits of shorter and shorter time constants, finite jumps of the filtered kind flow
    # for an area a, those of the other one are what the string says
    with pytest.warns(CbnetWarning, match="takes as zero"):
        found = cbnet.respond(params, **INPUT, noise="shot")
    mixed = cbnet.Model(
        name="mixed",
        equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        excitatory="v_post += (1 - exp(-a))*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
    )
    expected = cbnet.respond(cbnet.load(mixed), **INPUT, noise="shot")
    assert float(found.rate) == pytest.approx(float(expected.rate), rel=1e-4)
    with pytest.raises(ParameterError, match="noise: got a time constant of E alone .'s'."):
        cbnet.respond(params, **INPUT)
    with pytest.raises(ParameterError, match="'own': got a time constant of E alone .'s'."):
        cbnet.simulate(params, N=20, duration=1 * ms, feedforward=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau_1": 0 * ms}, "tau_1: got a time constant of 0 ms for 's_E'; expected one above 0"),
        ({"tau_2": -5 * ms}, "tau_2: got a time constant of -5 ms for 's_I'"),
        ({"tau_S": 3 * ms}, "tau_E: got tau_E = 3 ms, which no equation of model 'own' names"),
        ({"tau_I": 3 * ms}, "tau_I: got tau_I = 3 ms, which no equation"),
    ],
)
def test_time_constants_that_cannot_be_used_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message) as caught:
        cbnet.respond(cbnet.load(OWN).replace(**changes), **INPUT)
    assert "\n" not in str(caught.value)


def test_no_exact_simulation_of_time_constants(shipped):
    with pytest.raises(ParameterError, match="tau_1 and tau_2: got 's_E', which decays in 2"):
        cbnet.simulate_neuron(cbnet.load(OWN), **INPUT)
    with pytest.raises(ParameterError, match="tau_E and tau_I: got 's_E', which decays"):
        cbnet.simulate_neuron(shipped, **INPUT)
    with pytest.raises(ParameterError, match="got 'x', which decays in 2 ms"):
        cbnet.simulate_neuron(cbnet.load(WAYS["literals and an expression"]), **INPUT)


S_E = "ds_E/dt = -s_E/tau_1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"equations": (S_E, S_E + " + 1*Hz/ms")}, "equation of 's_E': got ds_E/dt"),
        ({"equations": (S_E, "ds_E/dt = (s_I - s_E)/tau_1")}, "equation of 's_E': got ds_E/dt"),
        ({"equations": (S_E, "ds_E/dt = -s_E*s_E/Hz/tau_1")}, "equation of 's_E': got ds_E/dt"),
        ({"equations": ("-s_E/tau_1 : Hz", "-s_E/tau_1 : Hz (unless refractory)")},
         "equation of 's_E': got '.unless refractory.'"),
        ({"equations": ("s_E*(", "s_E*s_I*ms*(")}, "equation of 'v': got 's_E' not linearly"),
        ({"equations": ("s_E*(", "s_E*s_E*ms*(")}, "equation of 'v': got 's_E' not linearly"),
        ({"equations": (S_E + " : Hz", S_E + " : Hz\ndw/dt = -w/tau_1 : Hz")},
         "equation of 'w': got a variable that never reaches 'v'"),
        ({"equations": ("s_E*(", "w*1*(", ), "more": "\ndw/dt = -w/tau_1 : Hz"},
         "equation of 's_E': got a variable that never reaches 'v'"),
        ({"equations": ("s_E*(", "(w + s_E)*(", ), "more": "\ndw/dt = -w/tau_1 : Hz"},
         "equation of 'w': got a variable that no on_pre moves"),
        ({"equations": ("", ""), "more": "\nextra : Hz"}, "equations: got 'extra' without a value"),
        ({"excitatory": "s_E += a/tau_1*(1 - s_E*tau_1)"}, "on_pre .*depends on the state"),
        ({"excitatory": "s_E += a/tau_1\nv_post += a*(E_E - v_post)"},
         "on_pre .*got a jump of 'v'; expected all jumps in"),
        ({"excitatory": "s_E += a"}, "on_pre .*'s_E . .a.'"),
    ],
)  # fmt: skip
def test_what_is_no_synaptic_variable_is_named(changes, message):
    strings = {k: v for k, v in changes.items() if isinstance(v, str) and k != "more"}
    if "equations" in changes:
        text = OWN.equations.replace(*changes["equations"]) + changes.get("more", "")
        strings["equations"] = text
    with pytest.raises(ModelError, match=message) as caught:
        cbnet.respond(cbnet.load(dataclasses.replace(OWN, **strings)))
    assert "\n" not in str(caught.value)


def same(found, expected):
    for name in ("rate_E", "V_mean", "V_sd", "cv_E"):
        assert float(getattr(found, name)) == float(getattr(expected, name)), name


@pytest.mark.filterwarnings("ignore:transient")  # of two runs that are compared bit by bit
@pytest.mark.parametrize("way", ["own time constants", "literals and an expression"])
def test_without_a_compiler_the_simulation_is_that_of_the_shipped_model(shipped, way, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = []
    for params in (cbnet.load(WAYS[way]), shipped):
        some = params.replace(K=40, a=0.02, **INPUT)
        with pytest.warns(CbnetWarning, match="simulating with Brian2's numpy target"):
            found.append(
                cbnet.simulate(
                    some, N=100, duration=50 * ms, transient=0 * ms, dt=0.1 * ms, feedforward=True
                )
            )
    assert float(found[0].rate_E) > 0
    for name in ("rate_E", "V_mean", "V_sd"):
        assert float(getattr(found[0], name)) == pytest.approx(
            float(getattr(found[1], name)), rel=1e-9
        )


@pytest.mark.filterwarnings("ignore:transient")  # of two runs that are compared bit by bit
def test_one_variable_for_both_kinds_is_simulated_as_two(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    jumps = {"J_E": 0.1 * mV, "J_I": 0.5 * mV}
    found = []
    for params in (cbnet.load(SHARED), cbnet.load("current").replace(tau_S=3 * ms, **jumps)):
        with pytest.warns(CbnetWarning, match="simulating with Brian2's numpy target"):
            found.append(
                cbnet.simulate(
                    params.replace(r_E=40 * Hz, r_I=12 * Hz), N=40, duration=50 * ms,
                    transient=0 * ms, dt=0.1 * ms, feedforward=True,
                )
            )  # fmt: skip
    assert float(found[0].rate_E) > 0
    for name in ("rate_E", "V_mean", "V_sd", "current_mean", "current_sd"):
        values = (one.in_si(name) for one in found)
        np.testing.assert_allclose(*values, rtol=1e-9, err_msg=name)


@pytest.mark.slow
@pytest.mark.skipif(bool(standalone.compiler_missing()), reason="no compiler")
def test_networks_of_synapses_under_own_names_are_simulated(shipped):
    """Compiles three programs, which takes a minute."""
    found = []
    for params in (cbnet.load(OWN), shipped):
        some = params.replace(K=40, a=0.02, nu_X=40 * Hz, **INPUT)
        found.append(cbnet.simulate(some, N=500, duration=1 * second, seed=3))
    assert found[0].dt_bias == found[1].dt_bias
    same(*found)
    shared = cbnet.load(SHARED).replace(**INPUT)
    alone = cbnet.simulate(shared, N=1000, duration=2 * second, feedforward=True, seed=1)
    theory = cbnet.respond(shared)
    for name in ("rate", "V_mean", "V_sd"):
        field = "rate_E" if name == "rate" else name
        off = float(getattr(alone, field) - getattr(theory, name))
        # of 100 neurons for two seconds, and what theory and step are off by
        assert abs(off) < 5 * float(getattr(alone, field + "_sem")) + 5e-3 * float(theory.V_sd)


@pytest.mark.slow
def test_the_rate_of_synapses_under_own_names_is_that_of_plain_steps():
    """20 s of numpy: an independent simulation, 0.02 ms a step, charge by charge."""
    rng, dt, n, steps = np.random.default_rng(1), 2e-5, 2000, 60_000
    v, s_E, s_I = rng.uniform(-0.065, -0.055, n), np.zeros(n), np.zeros(n)
    free_at, counts = np.zeros(n), np.zeros(n)
    decay_E, decay_I = np.exp(-dt / 2e-3), np.exp(-dt / 5e-3)
    for step in range(steps):
        # exact decay between steps, and v along the mean of s
        x_E, x_I = s_E * (1 - decay_E) * 2e-3 / dt, s_I * (1 - decay_I) * 5e-3 / dt
        loss = 50 + x_E + x_I
        rest = (50 * -0.080 + x_I * -0.075) / loss
        v = np.where(step >= free_at, rest + (v - rest) * np.exp(-loss * dt), v)
        s_E = s_E * decay_E + rng.poisson(1000 * 30 * dt, n) * (0.0015 / 2e-3)
        s_I = s_I * decay_I + rng.poisson(250 * 12 * dt, n) * (0.03 / 5e-3)
        fired = v > -0.055
        v[fired] = -0.065
        free_at[fired] = step + 100  # 2 ms
        if step >= 10_000:
            counts += fired
    rates = counts / ((steps - 10_000) * dt)
    sem = rates.std() / np.sqrt(n)
    found = cbnet.respond(cbnet.load(OWN), **INPUT)
    assert float(found.rate) == pytest.approx(rates.mean(), abs=4 * sem + found.error * 1.84)
    assert rates.mean() == pytest.approx(1.84, abs=4 * sem + 0.01)
