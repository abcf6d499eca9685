"""The error of a time step: against Brian2, closed forms and the exact neuron."""

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms, mV, second

import cbnet
from cbnet.diffusion import of_model
from cbnet.simulation import timestep
from cbnet.simulation.chain import Chain
from cbnet.simulation.event_driven import arrival_rates

GRID = 2e-3  # relative error of the chain at its default spacing, from halving that twice
SLOTS = ("thresholds", "after_synapses")


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance")


def chain(params, r_E, r_I, **grid):
    values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
    return Chain(of_model(params.model, values), values, **grid)


# K = 1000, g = 12, r_I = 1.8 r_E: a, r_E and the exact rate by collocation of the backward equation
@pytest.mark.parametrize(
    ("a", "r_E", "rate"),
    [
        (0.005, 20, 0.312385),
        (0.005, 50, 3.46284),
        (0.01, 10, 8.51584),
        (0.01, 50, 87.284),
        (0.02, 5, 39.1669),
        (0.02, 50, 289.53),
    ],
)
def test_continuous_rate(params, a, r_E, rate):
    assert chain(params.replace(a=a, g=12), r_E, 1.8 * r_E).rate == pytest.approx(rate, rel=GRID)


@pytest.mark.parametrize(
    ("changes", "r_E", "r_I", "ratios"),
    [
        ({}, 135, 85, {0.1: 1.10, 0.05: 1.03, 0.02: 1.00}),
        ({"a": 0.01, "g": 12}, 50, 90, {0.1: 1.18, 0.05: 1.04, 0.02: 1.01}),
    ],
)
def test_inhibition_first_and_threshold_last(params, changes, r_E, r_I, ratios):
    # Measured by direct simulation, with v held for R rather than R − 1 steps, and rounded to two
    # digits.
    neuron = chain(params.replace(**changes), r_E, r_I)
    for dt, ratio in ratios.items():
        interval = neuron.stepped(dt * 1e-3, SLOTS[1]) + dt * 1e-3
        assert 1 / (interval * neuron.rate) == pytest.approx(ratio, abs=0.005 + GRID)


def brian2_neuron(values, dt, slot, copies, duration):
    """Spikes of each of many neurons that Brian2 steps, inhibition before excitation."""
    namespace = {
        "E_L": values["E_L"] * b2.volt,
        "tau_L": values["tau_L"] * second,
        "theta": values["theta"] * b2.volt,
        "V_r": values["V_r"] * b2.volt,
        "tau_rp": values["tau_rp"] * second,
        "E_E": values["E_E"] * b2.volt,
        "E_I": values["E_I"] * b2.volt,
        "a": values["a"],
        "g": values["g"],
        "n_E": values["R_E"] * dt,
        "n_I": values["R_I"] * dt,
    }
    b2.seed(1)
    group = b2.NeuronGroup(
        copies,
        "dv/dt = -(v - E_L)/tau_L : volt (unless refractory)",
        threshold="v > theta",
        reset="v = V_r",
        refractory="tau_rp",
        method="exact",
        namespace=namespace,
        dt=dt * second,
        codeobj_class=b2.codegen.runtime.numpy_rt.NumpyCodeObject,
    )
    group.thresholder["spike"].when = slot
    group.v = values["V_r"] * b2.volt
    for order, (k, efficacy) in enumerate((("I", "g*a"), ("E", "a"))):
        group.run_regularly(
            f"v = E_{k} + (v - E_{k})*(1 - {efficacy})**poisson(n_{k})",
            when="synapses",
            order=order,
            codeobj_class=b2.codegen.runtime.numpy_rt.NumpyCodeObject,
        )
    network = b2.Network(group)
    network.run(20 * ms)
    monitor = b2.SpikeMonitor(group, codeobj_class=b2.codegen.runtime.numpy_rt.NumpyCodeObject)
    network.add(monitor)
    network.run(duration * second)
    return np.bincount(np.asarray(monitor.i), minlength=copies)


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize(
    "tau_rp",
    [2 * ms, 0.5 * ms],
)
def test_stepped_rate_is_that_of_brian2(params, tau_rp, slot):
    dt, copies, duration = 1e-4, 2000, 0.2
    neuron = chain(params.replace(a=0.02, g=12, tau_rp=tau_rp), 50, 90)
    spikes = brian2_neuron(neuron.values, dt, slot, copies, duration)
    sem = spikes.std(ddof=1) / np.sqrt(copies) / duration
    expected = 1 / neuron.stepped(dt, slot)
    # relaxation and refractory time are far below the 20 ms of burn-in
    assert abs(spikes.mean() / duration - expected) < 3 * np.hypot(sem, GRID * expected)
    # fine enough to see a refractory time that is one step off
    assert abs(1 / (1 / expected + dt) - expected) > 6 * sem


@pytest.mark.parametrize("slot", SLOTS)
def test_refractory_steps_where_every_arrival_fires(slot):
    params = cbnet.load("current").replace(J_E=50 * mV, J_I=0.1 * mV, K=10, tau_rp=3 * ms)
    neuron, rate = chain(params, 20, 0), 200.0
    for dt in (1e-4, 1e-3):
        # a geometric number of steps until one has an arrival
        wait = dt / -np.expm1(-rate * dt)
        held = {"thresholds": 3e-3, "after_synapses": 3e-3 - dt}[slot]
        assert neuron.stepped(dt, slot) == pytest.approx(held + wait, rel=1e-6)
        half = {"thresholds": dt / 2, "after_synapses": -dt / 2}[slot]
        late = neuron.stepped(dt, slot) - (3e-3 + 1 / rate)
        # the next term of the expansion of wait is R dt²/12
        assert late == pytest.approx(half, abs=rate * dt**2 / 10)


def test_brian2_holds_v_for_the_steps_that_the_convention_says():
    dt, held = 0.1 * ms, 5
    group = b2.NeuronGroup(
        1,
        "dv/dt = (1 - v)/(1*ms) : 1 (unless refractory)",
        threshold="v > 10",
        reset="v = 0",
        refractory=0.5 * ms,
        method="exact",
        dt=dt,
        codeobj_class=b2.codegen.runtime.numpy_rt.NumpyCodeObject,
    )
    group.run_regularly("v += 0.001 + 100*int(abs(t - 0.9*ms) < 0.01*ms)", when="synapses")
    options = {"record": True, "codeobj_class": b2.codegen.runtime.numpy_rt.NumpyCodeObject}
    before = b2.StateMonitor(group, "v", when="before_synapses", **options)
    after = b2.StateMonitor(group, "v", when="end", **options)
    b2.Network(group, before, after).run(2 * ms)
    spike = 10  # the kick of step 9 is seen by the threshold of step 10
    quiet = slice(spike, spike + held)
    assert np.all(after.v[0][quiet] == 0)
    assert before.v[0][spike + held] == pytest.approx(-np.expm1(-0.1))
    assert after.v[0][spike + held] == pytest.approx(-np.expm1(-0.1) + 0.001)


def test_bias_vanishes_with_the_step(params):
    neuron = chain(params, 135, 85)
    for slot in SLOTS:
        assert abs(neuron.bias(1e-7, slot)) < 1e-3


def test_bent_leak():
    model = cbnet.Model(
        name="exponential",
        equations="dv/dt = (E_L - v + 2*mV*exp((v + 50*mV)/(2*mV)))/tau_L : volt"
        " (unless refractory)",
        excitatory="v_post += J",
        inhibitory="v_post -= g*J",
        parameters={"J": 0.5 * mV, "g": 4},
    )
    params = cbnet.Parameters(model).replace(theta=-40 * mV, E_L=-56 * mV)
    exact = cbnet.simulate_neuron(params, 4 * Hz, 4 * Hz, duration=50 * second)
    neuron = chain(params, 4, 4)
    assert exact.spikes > 300
    assert abs(neuron.rate - exact.rate / Hz) < 3 * np.hypot(
        exact.rate_sem / Hz, GRID * neuron.rate
    )
    for slot in SLOTS:
        assert abs(neuron.bias(1e-6, slot)) < 2e-4


def test_no_rate_no_bias(params):
    assert chain(params, 0, 10).rate == 0
    assert np.isnan(timestep.bias(params, 1e-4, 0, 10))


# rates of the reference network by theory with shot noise, Hz
@pytest.mark.parametrize(("nu_X", "nu"), [(20, 18.160), (30, 41.393), (50, 84.978)])
def test_choose(params, nu_X, nu):
    params = params.replace(nu_X=nu_X * Hz)
    ((r_E, r_I, population),) = timestep._states(params)
    assert population == "E"
    # the scan's grid gives rates to 1 %, and the feedback of the network weakens errors
    assert (r_E - nu_X, r_I) == pytest.approx((nu, nu), rel=1e-2)
    for slot in SLOTS:
        dt, bias = timestep.choose(params, slot=slot)
        assert abs(bias) <= 0.01
        assert bias == pytest.approx(timestep.bias(params, dt, r_E, r_I, slot=slot))
        steps = timestep._ladder(params)
        following = steps[steps.index(dt) + 1]
        assert abs(timestep.bias(params, following, r_E, r_I, slot=slot)) <= 0.01
        assert timestep.choose(params, target=0.05, slot=slot)[0] > dt


def test_choose_for_populations_that_differ(params):
    params = params.replace(**{"I.tau_L": 15 * ms})
    states = timestep._states(params)
    assert [s[2] for s in states] == ["E", "I"]
    (r_E, nu_I, _), _ = states
    inhibitory = timestep._chain(params, r_E, nu_I, "I").rate
    assert inhibitory == pytest.approx(nu_I, rel=2e-2)  # the scan's grid
    dt, bias = timestep.choose(params, target=0.02)
    biases = [timestep.bias(params, dt, *state) for state in states]
    assert bias == pytest.approx(max(biases, key=abs))


def test_choose_with_a_target_out_of_reach(params):
    dt, bias = timestep.choose(params, target=1e-6)
    assert dt == timestep.LADDER[-1]
    assert abs(bias) > 1e-6


def test_choose_for_a_silent_network(params):
    dt, bias = timestep.choose(params.replace(nu_X=5 * Hz))
    assert dt == 1e-4
    assert np.isnan(bias)


def test_ladder_divides_delays_and_refractory_time(params):
    for changes in ({}, {"D_min": 1.5 * ms}, {"tau_rp": 1.7 * ms}, {"D_min": 0.03 * ms}):
        changed = params.replace(**changes)
        values = changed.resolve("E")
        for dt in timestep._ladder(changed):
            assert dt <= values["D_min"]
            for name in ("tau_rp", "D_min"):
                ratio = values[name] / dt
                assert ratio == pytest.approx(round(ratio))
    slow = params.replace(tau_S=0.2 * ms)
    assert timestep._ladder(slow)[0] <= 0.04e-3


# Measured with coupled simulations (benchmarks/timestep.py), in %: model, a, g, r_E, r_I, tau_S/ms,
# rate, bias at dt = tau_S/10 less that at tau_S/40, and its standard error.
@pytest.mark.parametrize(
    ("model", "a", "g", "r_E", "r_I", "tau_S", "rate", "measured", "sem"),
    [
        ("conductance", 0.005, 20, 100, 80, 0.5, 28.553, 0.59, 0.12),
        ("conductance", 0.003, 12, 20, 16, 5, 2.383, 0.61, 0.14),
        ("conductance", 0.003, 12, 100, 80, 2, 198.947, 1.74, 0.02),
        ("current", 0.0015, 20, 50.5, 20.5, 5, 11.080, 0.67, 0.03),
    ],
)
def test_filtered_bias(model, a, g, r_E, r_I, tau_S, rate, measured, sem):
    params = cbnet.load(model).replace(a=a, g=g, tau_S=tau_S * ms)
    values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
    diffusion = of_model(params.model, values)
    coarse, fine = (
        timestep.filtered_bias(diffusion, values, tau_S * 1e-3 / n, rate) for n in (10, 40)
    )
    # 0.5 % is the root mean square residual of the fit
    assert abs(100 * (coarse - fine) - measured) < 0.5 + 3 * sem
    # `bias` takes the rate in the limit of white noise, which is higher
    assert timestep.bias(params, tau_S * 1e-3 / 10, r_E, r_I) >= coarse
