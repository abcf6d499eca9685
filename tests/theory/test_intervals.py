"""The density of intervals under finite jumps and white noise, and intervals simulated."""

import numpy as np
import pytest
from brian2 import Hz, mV, second
from scipy.stats import chisquare

import cbnet
from benchmarks import accuracy
from cbnet.errors import ParameterError
from cbnet.model.reduction import of_model
from cbnet.simulation.event_driven import Copies, arrival_rates

EXPONENTIAL = cbnet.Model(
    name="exponential",
    equations="dv/dt = (E_L - v + 2*mV*exp((v + 55*mV)/(2*mV)))/tau_L : volt (unless refractory)",
    excitatory="v_post += a*(E_E - v_post)",
    inhibitory="v_post += g*a*(E_I - v_post)",
    parameters={"theta": -45 * mV},
)
# model, changes, r_E, r_I in Hz: CV from .6 to 1.3
NEURONS = [
    ("conductance", {}, 30, 12),
    ("conductance", {"g": 12, "a": 0.01}, 10, 18),
    ("conductance", {"g": 12, "a": 0.02}, 5, 9),
    ("current", {"J_E": 0.8 * mV, "J_I": 4 * mV}, 10, 7),
    # the leak carries v over the threshold
    (accuracy.quadratic(), {"g": 7}, 15, 5),
    (EXPONENTIAL, {"a": 0.005, "g": 12}, 14, 10),
]


def respond(model, changes, r_E, r_I):
    params = cbnet.load(model) if isinstance(model, str) else cbnet.Parameters(model)
    return cbnet.respond(params.replace(**changes), r_E=r_E * Hz, r_I=r_I * Hz)


def moments(response, panels=600, points=6):
    """∫ f, mean and CV, by Gauss's rule on panels that grow with t."""
    tau_rp, mean = float(response.parameters.tau_rp), 1 / float(response.rate)
    edges = tau_rp + mean * np.append(0, np.geomspace(1e-4, 60, panels))
    x, w = np.polynomial.legendre.leggauss(points)
    t = edges[:-1, None] + np.diff(edges)[:, None] * (x + 1) / 2
    f = np.asarray(response.isi_density(t * second)) * np.diff(edges)[:, None] * w / 2
    assert np.all(f >= 0)
    m0, m1, m2 = (float((f * t**k).sum()) for k in range(3))
    return m0, m1, np.sqrt(m2 * m0 / m1**2 - 1)


@pytest.mark.parametrize("neuron", NEURONS, ids=str)
def test_moments_of_the_density_are_those_of_the_answer(neuron):
    found = respond(*neuron)
    m0, mean, cv = moments(found)
    # the density is asked for at 1e-4 of its largest value, as the answer is
    assert m0 == pytest.approx(1, abs=2e-4)
    assert mean * float(found.rate) == pytest.approx(1, abs=3e-4)
    assert cv == pytest.approx(float(found.cv), rel=3e-4)


@pytest.mark.parametrize(
    ("params", "r_E", "r_I", "noise"),
    [
        (cbnet.load("conductance"), 30, 12, "diffusion"),
        (cbnet.load("conductance"), 30, 12, "effective"),
        (cbnet.load("conductance").replace(K=100_000, a=3e-4), 30, 12, "diffusion"),  # CV .03
        (cbnet.load("conductance").replace(g=12, a=0.005), 5, 9, "diffusion"),  # 3e-4 Hz
        (cbnet.load("current").replace(J_E=0.8 * mV, J_I=4 * mV), 10, 7, "diffusion"),
        (cbnet.Parameters(EXPONENTIAL), 30, 12, "diffusion"),
        (cbnet.Parameters(EXPONENTIAL), 60, 12, "diffusion"),
    ],
)
def test_moments_under_white_noise_of_any_neuron(params, r_E, r_I, noise):
    found = cbnet.respond(params, r_E=r_E * Hz, r_I=r_I * Hz, noise=noise)
    m0, mean, cv = moments(found)
    assert m0 == pytest.approx(1, abs=2e-4)
    assert mean * float(found.rate) == pytest.approx(1, abs=3e-4)
    assert cv == pytest.approx(float(found.cv), rel=3e-4)


def test_a_reset_close_to_the_threshold_fires_at_once_or_late():
    params = cbnet.load("conductance").replace(g=12, a=0.005, V_r=-55.5 * mV)
    found = cbnet.respond(params, r_E=5 * Hz, r_I=9 * Hz, noise="diffusion")
    edges = float(params.tau_rp) + np.append(0, np.geomspace(1e-9, 3e5, 4000))
    x, w = np.polynomial.legendre.leggauss(4)
    t = edges[:-1, None] + np.diff(edges)[:, None] * (x + 1) / 2
    f = np.asarray(found.isi_density(t * second)) * np.diff(edges)[:, None] * w / 2
    assert f.sum() == pytest.approx(1, abs=1e-3)
    assert 0.3 < f[t < 0.1].sum() < 0.7
    # accurate to 1e-4 of a peak a million times as high as the tail that makes the mean
    assert (f * t).sum() * float(found.rate) == pytest.approx(1, abs=2e-2)


def test_without_noise_or_without_spikes_there_are_no_intervals():
    params = cbnet.load("current")
    quiet = cbnet.respond(params, 0 * Hz, 0 * Hz, noise="diffusion")
    with pytest.raises(ParameterError, match="never fires"):
        quiet.isi_density(1 * second)
    clock = cbnet.respond(params.replace(E_L=-40 * mV), 0 * Hz, 0 * Hz, noise="diffusion")
    with pytest.raises(ParameterError, match="got a neuron without noise"):
        clock.isi_density(1 * second)


@pytest.mark.parametrize("neuron", NEURONS[1:], ids=str)
def test_simulated_intervals_have_this_density(neuron):
    model, changes, r_E, r_I = neuron
    found, each, copies = respond(*neuron), 40, 200
    x = np.geomspace(1e-4, 60, 4000) / float(found.rate) + float(found.parameters.tau_rp)
    f = np.asarray(found.isi_density(x * second))
    below = np.append(0, np.cumsum(np.diff(x) * (f[1:] + f[:-1]) / 2))
    edges = np.interp(np.linspace(0, below[-1], 41)[1:-1], below, x)
    values = arrival_rates(found.parameters, r_E * Hz, r_I * Hz, "E")
    run = Copies(of_model(found.parameters.model, values), values, np.random.default_rng(3))
    run._restart(np.full(copies, run.reset))
    intervals = [[] for _ in range(copies)]
    # all copies until the last has fired: taking what came by a time would prefer short intervals
    while run.spikes.min() < each:
        run._advance(2000)
    who, when = np.concatenate(run.who), np.concatenate(run.when)
    order = np.lexsort((when, who))
    for k, t in zip(who[order], when[order], strict=True):
        intervals[k].append(t)
    # the first ones start from the reset at time 0, without a refractory time before them
    taken = [np.diff(x[:each]) for x in intervals]
    taken += [np.array(x[:1]) + run.tau_rp for x in intervals]
    counts = np.bincount(np.searchsorted(edges, np.concatenate(taken)), minlength=40)
    assert counts.sum() == copies * each
    # one in a thousand would fail by chance; the seed is fixed
    assert chisquare(counts).pvalue > 1e-3


def test_a_rare_neuron_fires_as_a_poisson_process():
    found = respond("conductance", {"g": 12}, 5, 18)
    rate = float(found.rate)
    assert 0 < rate < 1e-9
    t = np.array([0.0, 1e-3, 0.5, 1.0, 3.0]) / rate * second
    expected = rate * np.exp(-np.asarray(t) * rate)
    expected[0] = 0
    assert np.asarray(found.isi_density(t)) == pytest.approx(expected, rel=1e-6)


def test_each_arrival_fires():
    found = respond("current", {"J_E": 50 * mV, "J_I": 0.1 * mV, "K": 10}, 20, 0)
    t = np.array([1e-3, 3e-3, 10e-3, 40e-3])
    expected = np.where(t < 2e-3, 0, 200 * np.exp(-200 * (t - 2e-3)))
    assert np.asarray(found.isi_density(t * second)) == pytest.approx(expected, abs=2e-2)


def test_what_has_no_intervals_says_so():
    found = respond("conductance", {}, 30, 12)
    with pytest.raises(ParameterError, match="t: got"):
        found.isi_density(3 * mV)
    silent = respond("conductance", {}, 0, 12)
    with pytest.raises(ParameterError, match="never fires"):
        silent.isi_density(1 * second)
    params = found.parameters
    with pytest.raises(ParameterError, match="kramers"):
        cbnet.respond(params, 10 * Hz, 18 * Hz, noise="kramers").isi_density(1 * second)
    with pytest.raises(ParameterError, match="2 inputs"):
        cbnet.respond(params, [10, 20] * Hz, 18 * Hz).isi_density(1 * second)
