"""Large in-degrees, critical inputs and regular presynaptic trains."""

import numpy as np
import pytest
from brian2 import Hz, mV

import cbnet
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.model import unused
from cbnet.theory import asymptotics
from cbnet.theory.critical import maximum
from cbnet.theory.neuron import renewal


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def current():
    return cbnet.load("current")


def numbers(found, name):
    return np.asarray(found.in_units(name), float)


def test_exponents_of_strong_coupling(conductance, current):
    K = 10.0 ** np.arange(3, 10)
    found = cbnet.voltage_scaling(conductance, "sqrt", K)
    assert found.sd_exponent[-1] == pytest.approx(-0.25, abs=0.01)
    assert found.tau_exponent[-1] == pytest.approx(-0.5, abs=0.01)
    tuned = cbnet.voltage_scaling(current, "sqrt", K, mu=-60 * mV)
    assert tuned.sd_exponent[-1] == pytest.approx(0, abs=0.01)
    assert numbers(tuned, "V_mean") == pytest.approx(np.full(7, -60.0), abs=1e-6)
    weak = cbnet.voltage_scaling(conductance, "inverse", K)
    assert weak.sd_exponent[-1] == pytest.approx(-0.5, abs=0.01)
    assert weak.tau_exponent == pytest.approx(np.zeros(7), abs=1e-9)


def test_mean_of_the_untuned_current_neuron_runs_away(current):
    params = current.replace(r_E=20 * Hz, r_I=16 * Hz)
    found = cbnet.voltage_scaling(params, "sqrt", [1e3, 1e5])
    # −95 and −230 mV: E_L and the sum of the mean currents by hand
    assert numbers(found, "V_mean") == pytest.approx([-95, -230], abs=1e-6)


def test_local_slopes_are_those_of_the_values(conductance):
    found = cbnet.voltage_scaling(conductance, "log", np.geomspace(1e3, 1e4, 41))
    slope = np.gradient(np.log(numbers(found, "V_sd")), np.log(found.K))
    assert found.sd_exponent[1:-1] == pytest.approx(slope[1:-1], abs=1e-3)


def test_moments_are_those_of_neurons_that_do_not_fire(conductance, current):
    for params, law in ((conductance, "sqrt"), (current, "sqrt")):
        quiet = params.replace(theta=-20 * mV, V_match=-55 * mV)
        with unused.told():
            found = cbnet.voltage_scaling(quiet, law, 1000)
        for noise in ("shot", "diffusion"):
            with unused.told():
                seen = cbnet.respond(quiet, noise=noise)
            assert numbers(found, "V_sd")[0] == pytest.approx(float(seen.V_sd / mV), rel=1e-3)
            assert numbers(found, "V_mean")[0] == pytest.approx(float(seen.V_mean / mV), rel=1e-4)


def test_filters_lower_the_variance(conductance):
    filtered = conductance.replace(tau_S="5ms", a=1e-5)
    found = cbnet.voltage_scaling(filtered, "sqrt", 1000)
    tau = numbers(found, "tau_eff")[0]
    white = cbnet.voltage_scaling(conductance.replace(a=1e-5), "sqrt", 1000)
    ratio = numbers(found, "V_sd")[0] / numbers(white, "V_sd")[0]
    assert ratio == pytest.approx(np.sqrt(tau / (tau + 5)), rel=1e-3)


def test_tuned_input_puts_the_mean_where_it_should_be(conductance, current):
    for params in (conductance, current):
        r_I = cbnet.tuned_input(params, -60 * mV, 40 * Hz)
        assert float(cbnet.respond(params, 40 * Hz, r_I, noise="diffusion").mu / mV) == (
            pytest.approx(-60, abs=1e-9)
        )
    with pytest.raises(ParameterError, match="mu: got -60 mV; it would take .* -"):
        cbnet.tuned_input(current, -60 * mV, 1 * Hz)
    with pytest.raises(ParameterError, match="mu: got mu and r_I"):
        cbnet.voltage_scaling(current, "sqrt", 1000, mu=-60 * mV, r_I=5 * Hz)


def test_balance_line_is_that_of_networks(conductance):
    assert float(asymptotics.balance_line(conductance)[0]) == pytest.approx(110 / 3, rel=1e-12)
    lines = asymptotics.balance_line(conductance.replace(g=5))
    assert all(np.isnan(float(rate)) for rate in lines)


@pytest.mark.parametrize("r_I", [20, 24, 30])
def test_rare_spikes(conductance, r_I):
    for noise, within in (("shot", 0.12), ("diffusion", 0.05)):
        exact = float(cbnet.respond(conductance, 30 * Hz, r_I * Hz, noise=noise).rate)
        assert exact < 0.1
        rate = asymptotics.escape_rate(conductance, 30 * Hz, r_I * Hz, noise=noise)
        # the stated accuracy of the formula
        assert float(rate) == pytest.approx(exact, rel=within)


def test_instantaneous_synapses_do_not_turn_over(conductance):
    params = conductance.replace(g=12, a=0.01)
    for noise in ("shot", "diffusion"):
        found = cbnet.critical_input(params, 1.8, noise=noise)
        assert found.outcome == "none: the rate still grows at 1000 Hz"
        assert np.isnan(float(found.input)) and np.isnan(float(found.rate))
    network = cbnet.critical_input(conductance, network=True, noise="diffusion", high="100Hz")
    assert network.outcome == "none: the rate still grows at 100 Hz"
    silent = cbnet.critical_input(conductance, 50.0, noise="diffusion")
    assert silent.outcome == "none: silent at every input"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_approximation_turns_over_where_its_own_rates_do(conductance):
    params = conductance.replace(g=12, a=0.01, tau_S="1ms")
    found = cbnet.critical_input(params, 1.8, noise="rice")
    assert found.outcome == "turns over"
    at, error = float(found.input), float(found.error)
    r_E = at * np.exp(np.linspace(-0.3, 0.3, 601))
    rates = np.asarray(cbnet.respond(params, r_E * Hz, 1.8 * r_E * Hz, noise="rice").rate)
    assert abs(r_E[rates.argmax()] - at) < error + at * 0.001
    assert error < 0.05 * at


class Method:
    """Exact rates of a made-up neuron."""

    costly, filtered, rtol, scan_rtol = True, True, 1e-3, 1e-2


class Bump:
    """ln ν is a parabola in ln x, with errors of alternating sign."""

    def __init__(self, top, wrong=0.0):
        self.top, self.wrong = top, wrong

    def __call__(self, x, rtol):
        s = np.log(x / self.top)
        sign = np.where(np.arange(x.size) % 2, 1, -1)
        return np.exp(-(s**2)) * (1 + self.wrong * sign), np.full(x.size, rtol)

    def start(self, x):
        return 2


@pytest.mark.parametrize("top", [3.0, 31.0, 400.0])
def test_the_error_of_a_maximum_covers_it(top):
    for wrong in (0.0, 1e-3):
        where, error, rate, outcome = maximum(Bump(top, wrong), 1.0, 1000.0, Method)
        assert outcome == "turns over"
        assert abs(where - top) <= error
        assert error < 0.02 * top
        assert rate == pytest.approx(1, abs=3e-3)
    assert maximum(Bump(1e4), 1.0, 1000.0, Method)[3].startswith("none: the rate still grows")
    assert maximum(Bump(0.1), 1.0, 1000.0, Method)[3].startswith("none: the rate falls from 1 Hz")


@pytest.mark.slow
def test_filtered_conductances_turn_over(conductance):
    """Two-dimensional problems at ten inputs and more take half a minute."""
    params = conductance.replace(g=12, a=0.01, tau_S="0.5ms")
    found = cbnet.critical_input(params, 1.8, low="2Hz", high="80Hz")
    # simulated: 1.884 Hz at 10 Hz, 1.124 at 50 Hz, and little at 2 Hz
    assert found.outcome == "turns over"
    assert 10 < float(found.input) < 50
    assert float(found.rate) > 1.884 - 3 * 0.019


def test_noise_of_renewal_trains():
    rng = np.random.default_rng(1)
    nu, cv, tau_rp, tau = 40.0, 0.5, 0.002, 0.02
    free = 1 / nu - tau_rp
    spread = (cv / nu) ** 2
    intervals = tau_rp + rng.gamma(free**2 / spread, spread / free, (2000, 400))
    times = np.cumsum(intervals, axis=1)
    end = 8.0  # s, long before the last spike and after the start is forgotten
    shot = np.where(times < end, np.exp(-(end - times) / tau), 0.0).sum(1)
    measured = shot.var() / (nu * tau / 2)
    # the variance of a variance of n nearly Gaussian numbers
    sem = measured * np.sqrt(2 / 2000)
    assert abs(renewal.noise_factor(nu, cv, tau_rp, tau) - measured) < 3 * sem
    assert renewal.noise_factor(nu, cv, tau_rp, 100.0) == pytest.approx(cv**2, rel=1e-3)
    assert renewal.noise_factor(nu, cv, tau_rp, 1e-6) == pytest.approx(1, abs=1e-3)
    # Poisson, but for the refractory time
    assert renewal.noise_factor(nu, 1.0, 0.0, tau) == pytest.approx(1, rel=1e-9)
    assert renewal.noise_factor(0.0, np.nan, tau_rp, tau) == 1


def test_networks_of_regular_trains_have_less_noise(conductance, current):
    for params in (conductance, current.replace(nu_X=50 * Hz)):
        poisson = cbnet.solve(params, noise="diffusion")
        regular = cbnet.solve(params, noise="diffusion", trains="renewal", rtol=1e-5)
        assert regular.noise == "diffusion (renewal trains)"
        (nu,), (cv,) = np.asarray(regular.rate_E), regular.cv_E
        assert nu < float(poisson.rate_E[0])
        # rate and CV are those of white noise with the factor that they imply
        tau = float(regular.tau_eff[0])
        factor = renewal.noise_factor(nu, cv, 0.002, tau)
        values = params.resolve("E")
        from cbnet.theory.neuron.neuron import Neuron

        neuron = Neuron(params, "E", "diffusion")
        x, y = np.array([values["nu_X"] + nu]), np.array([nu])
        found = renewal.Renewed(neuron)._white(x, y, (x - y + factor * y, factor * y), 1e-8, False)
        assert found.rate[0] == pytest.approx(nu, rel=1e-4)
        assert found.cv[0] == pytest.approx(cv, rel=1e-4)


def test_regular_trains_correct_finite_jumps(conductance):
    found = {
        (noise, trains): float(
            cbnet.solve(conductance, noise=noise, trains=trains, rtol=1e-3).rate_E[0]
        )
        for noise in ("shot", "diffusion")
        for trains in ("poisson", "renewal")
    }
    assert found["shot", "renewal"] < found["shot", "poisson"]
    ratios = [found[n, "renewal"] / found[n, "poisson"] for n in ("shot", "diffusion")]
    assert ratios[0] == pytest.approx(ratios[1], rel=0.02)  # feedback acts at other rates


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"trains": "gamma"}, "trains: got 'gamma'; expected one of poisson, renewal"),
        ({"I.tau_L": "10ms"}, {"trains": "renewal"}, "trains: got 'renewal' for populations"),
        ({}, {"trains": "renewal", "noise": "effective"}, "trains: got 'renewal' with noise"),
    ],
)
def test_trains_that_cannot_be_had(conductance, change, options, message):
    with pytest.raises(ParameterError, match=message):
        cbnet.solve(conductance.replace(**change), **options)


def test_there_is_no_escape_without_a_barrier_or_without_noise(conductance):
    with pytest.warns(CbnetWarning, match="no barrier"):
        assert np.isnan(float(asymptotics.escape_rate(conductance, 200 * Hz, 1 * Hz)))
    assert asymptotics.escape_rate(conductance, 0 * Hz, 20 * Hz) == 0
    assert asymptotics.escape_rate(conductance, 0 * Hz, 0 * Hz) == 0
