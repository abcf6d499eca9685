"""Neurons with several classes of arrivals: jumps, filters, and what is refused."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet import Input, Network, Neuron, Population
from cbnet.errors import ParameterError
from cbnet.theory.neuron.colored import colored_noise_limits as limits
from cbnet.theory.neuron.jumps import jump_density, jump_process, jump_start
from cbnet.theory.neuron.population_neuron import PopulationNeuron
from cbnet.theory.neuron.white import siegert

ENDS = {"theta": -50 * mV, "V_r": -58 * mV, "tau_rp": 3 * ms}
FAST = cbnet.neuron("conductance", tau_L=10 * ms, E_L=-68 * mV, E_E=0 * mV, E_I=-82 * mV, **ENDS)
ONE = [("E", 0.03, 1800), ("I", 0.18, 450)]
TWO = [("E", 0.027, 900), ("E", 0.033, 900), ("I", 0.18, 450)]
THREE = [("E", 0.1, 250), ("E", 0.01, 1500), ("I", 0.18, 300)]


def alone(inputs, noise, neuron=FAST):
    """A neuron under arrivals of (kind, efficacy, rate), and their rates."""
    trains = [Input(f"x{k}", "P", kind, 1, w, R * Hz) for k, (kind, w, R) in enumerate(inputs)]
    net = Network([Population("P", neuron)], inputs=trains)
    return PopulationNeuron(net, "P", noise), np.array([list(net.total("P", [0.0]).values())])


def passage(inputs, noise="shot", rtol=None, neuron=FAST):
    neuron, R = alone(inputs, noise, neuron)
    return neuron.passage(R, rtol, True, True)


def test_classes_of_one_size_are_one_class():
    one = passage(ONE, rtol=1e-6)
    assert float(one.rate[0]) == pytest.approx(43.85345, abs=5e-5)
    assert float(one.cv[0]) == pytest.approx(0.857166, abs=1e-6)
    halves = [("E", 0.03, 900), ("E", 0.03 + 1e-10, 900), ("I", 0.18, 450)]
    same = passage(halves, rtol=1e-6)
    np.testing.assert_allclose(same.rate, one.rate, rtol=2e-6)
    np.testing.assert_allclose(same.v_sd, one.v_sd, rtol=2e-6)


@pytest.mark.parametrize("inputs", [TWO, THREE])
def test_time_to_a_spike_is_the_time_spent_below_the_threshold(inputs):
    """Backward and forward equation, on panels of their own."""
    neuron, R = alone(inputs, "shot")
    (process,) = jump_process.of_neuron(neuron, R)
    start = jump_start.coarse(process, 1e-5)
    spent = jump_density.solve(*start[:2], start[2][0]).system.F[-1]
    found = neuron.passage(R, 1e-5, cv=False)
    np.testing.assert_allclose(found.rate, 1 / (neuron.tau_rp + spent), rtol=2e-5)


def test_jumps_that_differ_by_a_tenth():
    """Two classes, a standard deviation below and above the mean: moments up to the third."""
    white = [passage(each, "diffusion").rate[0] for each in (ONE, TWO)]
    jumps = [passage(each, rtol=1e-6).rate[0] for each in (ONE, TWO)]
    assert jumps[1] == pytest.approx(43.99928, abs=1e-4)
    # the second moment tells nearly all
    assert jumps[1] - jumps[0] == pytest.approx(white[1] - white[0], rel=0.35)


def simulated(inputs, neurons, time, seed):
    """Rate, CV and their standard errors, by following arrival after arrival from a spike on."""
    rng = np.random.default_rng(seed)
    reversal = np.array([0.0 if kind == "E" else -0.082 for kind, *_ in inputs])
    w, R = np.array([x[1] for x in inputs]), np.array([x[2] for x in inputs], float)
    share = np.cumsum(R) / R.sum()
    v, t, last = np.full(neurons, -0.058), np.zeros(neurons), np.full(neurons, -0.003)
    intervals = []
    while last.min() < time:  # every interval that begins before
        dt = rng.exponential(1 / R.sum(), neurons)
        k = np.searchsorted(share, rng.random(neurons))
        t = t + dt
        v = -0.068 + (v + 0.068) * np.exp(-dt / 0.01)
        v = v + w[k] * (reversal[k] - v)
        fired = v > -0.05
        intervals.append((t - last)[fired & (last < time)])
        last, v = np.where(fired, t, last), np.where(fired, -0.058, v)
        t = np.where(fired, t + 0.003, t)
    x = np.concatenate(intervals)
    return 1 / x.mean(), x.std() / x.mean(), x.size


def test_three_classes_against_simulation():
    found = passage(THREE)
    rate, cv, count = simulated(THREE, 4000, 1.5, seed=7)
    assert abs(rate / float(found.rate[0]) - 1) < 4 * cv / np.sqrt(count)
    assert abs(cv / float(found.cv[0]) - 1) < 4 * np.sqrt(2 / count)


MICROCIRCUIT = cbnet.neuron(
    "current", tau_L=10 * ms, E_L=-65 * mV, theta=-50 * mV, V_r=-65 * mV, tau_rp=2 * ms,
    tau_S=0.5 * ms,
)  # fmt: skip


def test_shift_of_three_classes_is_the_published_formula():
    """Moments of a population of the cortical microcircuit, whose classes are w, 2w and -4w."""
    w = np.array([1.0, 2.0, -4.0]) * 0.1756e-3
    R = np.array([16000.0, 3000.0, 3500.0])
    inputs = [("E" if x > 0 else "I", abs(x) * 1e3 * mV, r) for x, r in zip(w, R, strict=True)]
    tau, mean, variance = 0.01, 0.01 * R @ w, 0.01 * R @ w**2
    up = limits.ALPHA / 2 * np.sqrt(variance * 0.05)
    known = siegert.rate(np.array([mean]), tau, np.array([variance / tau]), 0.015 + up, up, 0.002)
    found = passage(inputs, "shift", neuron=MICROCIRCUIT)
    # its drift is differenced in steps of 1e-4 of the way to the threshold
    np.testing.assert_allclose(found.rate, known, rtol=2e-6)
    white = passage(inputs, "diffusion", neuron=MICROCIRCUIT)
    plain = siegert.rate(np.array([mean]), tau, np.array([variance / tau]), 0.015, 0.0, 0.002)
    np.testing.assert_allclose(white.rate, plain, rtol=1e-8)


def test_classes_of_a_kind_share_a_synaptic_variable():
    """Two sizes of excitation are as arrivals of one size with the same mean and variance."""
    sizes, R = np.array([0.1, 0.3]), np.array([9000.0, 2000.0])
    first, second = R @ sizes, R @ sizes**2
    one = [("E", second / first * mV, first**2 / second), ("I", 0.7 * mV, 2000)]
    many = [("E", s * mV, r) for s, r in zip(sizes, R, strict=True)] + one[1:]
    found = [passage(each, "colored", neuron=MICROCIRCUIT) for each in (one, many)]
    np.testing.assert_allclose(found[1].rate, found[0].rate, rtol=1e-9)
    np.testing.assert_allclose(found[1].v_sd, found[0].v_sd, rtol=1e-9)


def filtered(taus, signs):
    """Current synapses with a time constant of each kind."""
    kinds = "ABC"[: len(taus)]
    return Neuron(
        "\n".join(
            [f"dv/dt = -(v - E_L)/tau_L {''.join(f'+ s_{k} ' for k in kinds)}: volt "
             "(unless refractory)"]
            + [f"ds_{k}/dt = -s_{k}/t_{k} : volt/second" for k in kinds]
        ),
        synapses={k: f"s_{k}_post {sign}= w/t_{k}" for k, sign in zip(kinds, signs, strict=True)},
        parameters={f"t_{k}": tau * ms for k, tau in zip(kinds, taus, strict=True)},
    )  # fmt: skip


def test_two_synaptic_variables_and_no_third():
    inputs = [("A", 0.2 * mV, 12000), ("B", 1.0 * mV, 1500)]
    third = [("A", 0.2 * mV, 6000), ("B", 1.0 * mV, 1500), ("C", 0.2 * mV, 6000)]
    two = passage(inputs, "colored", neuron=filtered([2, 5], "+-"))
    # the same time constant and the same effect: one variable
    same = passage(third, "colored", neuron=filtered([2, 5, 2], "+-+"))
    np.testing.assert_allclose(same.rate, two.rate, rtol=1e-9)
    with pytest.raises(ParameterError, match=r"^P: got synapses of A \(2 ms\), B \(5 ms\), C"):
        passage(third, "colored", neuron=filtered([2, 5, 9], "+-+"))


def test_each_population_has_the_treatment_that_is_right_for_it():
    for neuron, name in ((FAST, "shot"), (MICROCIRCUIT, "colored")):
        w = 0.03 if neuron is FAST else 0.2 * mV
        assert alone([("E", w, 1800)], None, neuron)[0].noise == name
    with pytest.raises(ParameterError, match="got 'colored' with instantaneous synapses"):
        passage(ONE, "colored")


@pytest.mark.parametrize("model", ["current", "conductance"])
def test_a_network_of_e_and_i_is_that_of_its_parameters(model):
    params = cbnet.load(model).replace(K=400, nu_X=50 * Hz)
    old, new = (cbnet.solve(x) for x in (params, Network.ei(params)))
    off = old.error + new.error
    assert new.noise == old.noise == "shot"
    (state,) = new.fixed_points
    assert float(state["E"].rate) == pytest.approx(float(old.rate_E[0]), rel=off)
    assert state["I"].cv == pytest.approx(old.cv_I[0], rel=off)
    assert float(state["E"].V_sd) == pytest.approx(float(old.V_sd[0]), rel=off)


def test_a_neuron_without_excitation_rests():
    found = passage([("I", 0.1, 500)])
    assert found.rate[0] == 0
    # dE[v]/dt = 0: leak and jumps are straight
    assert found.v_mean[0] == pytest.approx((-0.068 * 100 - 0.082 * 50) / 150, rel=1e-6)
    assert passage([]).v_mean[0] == pytest.approx(-0.068)
