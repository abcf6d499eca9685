"""States, modes and tuning of networks of named populations."""

from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import Hz

import cbnet
from cbnet.errors import ParameterError
from cbnet.model.distributions import Uniform
from cbnet.theory.network import of_network
from cbnet.theory.neuron import treatments
from cbnet.theory.neuron.white import first_passage

TAU, TAU_RP = 0.02, 0.002


class Lif:
    """A neuron with current synapses of any classes, as the theory of networks takes it."""

    threshold, reset, tau_rp = -0.055, -0.065, TAU_RP
    method = treatments.METHODS["diffusion"]

    def __init__(self, classes, rest):
        self.classes, self.rest_at, self.taus = classes, rest, [0.0] * len(classes)
        self.J = np.array([w for _, w in classes])
        effects = [SimpleNamespace(h=lambda v, w=w: w + 0 * v) for w in self.J]
        self.membrane = SimpleNamespace(leak=lambda v: -(v - rest) / TAU, classes=effects)

    def rest(self, R):
        mu = self.rest_at + TAU * R @ self.J
        return mu, np.full(mu.shape, TAU)

    def passage(self, R, rtol=1e-8, cv=True, moments=False):
        mu, B2 = self.rest(R)[0][:, None], (R @ self.J**2)[:, None]
        return first_passage.solve(
            None, None, np.full(len(R), self.threshold), self.reset, TAU_RP, rtol, moments, cv=cv,
            select=lambda rows: (
                lambda v: -(v - mu[rows]) / TAU, lambda v: B2[rows] + 0 * v
            ),
        )  # fmt: skip


class Net:
    """Populations, projections and inputs: rows (target, origin, kind, w, number), w in V."""

    def __init__(self, rest, rows, rates, sizes=None):
        self.names, self.rest, self.rows, self.rates = tuple(rest), rest, rows, rates
        self.sizes = sizes
        self.distinct = self.names, np.arange(len(self.names))

    def arrivals(self, rates):
        known = dict(zip(self.names, rates, strict=True)) | self.rates
        return [
            SimpleNamespace(target=t, origin=o, kind=k, w=w, number=n, rate=known[o],
                            delay=Uniform(1e-3, 3e-3))
            for t, o, k, w, n in self.rows
        ]  # fmt: skip

    def total(self, name, rates):
        found = {}
        for row in self.arrivals(rates):
            if row.target == name:
                key = row.kind, row.w
                found[key] = found.get(key, 0.0) + row.number * row.rate
        return found

    def value(self, address):
        return "Hz", self.rates[address.removesuffix(".rate")]

    def replace(self, values):
        changed = {a.removesuffix(".rate"): float(x) for a, x in values.items()}
        return Net(self.rest, self.rows, self.rates | changed, self.sizes)

    def to_dict(self):
        return {"populations": self.names}


@pytest.fixture(autouse=True)
def neurons(monkeypatch):
    def neurons_of(net, noise):
        found = []
        for name in net.names:
            classes = list(net.total(name, np.zeros(len(net.names))))
            found.append(Lif(classes, net.rest[name]))
        return found

    for module in ("of_network", "modes_of_network", "network_states", "network_stability", "tune"):
        place = "cbnet.theory.network." if module.endswith("of_network") else "cbnet.theory."
        monkeypatch.setattr(f"{place}{module}.neurons_of", neurons_of)


def two(sizes=(4000, 1000)):
    """The reference network of current synapses, with 400 and 100 inputs."""
    values = cbnet.load("current").replace(K=400).resolve("E")
    J_E, J_I = values["J_E"], -values["J_I"]
    rows = [
        (target, *other)
        for target in ("E", "I")
        for other in (("E", "E", J_E, 400), ("I", "I", J_I, 100), ("X", "E", J_E, 400))
    ]
    return Net({"E": values["E_L"], "I": values["E_L"]}, rows, {"X": 50.0}, sizes)


def disinhibition():
    """Three populations with classes of their own."""
    rows = [
        ("E", "E", "E", 0.2e-3, 400), ("E", "PV", "I", -1.2e-3, 100),
        ("E", "SOM", "I", -0.8e-3, 60), ("PV", "E", "E", 0.25e-3, 400),
        ("PV", "PV", "I", -1.2e-3, 100), ("PV", "SOM", "I", -0.8e-3, 40),
        ("SOM", "E", "E", 0.2e-3, 300),
    ]  # fmt: skip
    rows += [(p, f"in_{p}", "E", 0.25e-3, 400) for p in ("E", "PV", "SOM")]
    rest = {"E": -0.07, "PV": -0.068, "SOM": -0.068}
    return Net(rest, rows, {"in_E": 20.0, "in_PV": 15.0, "in_SOM": 6.0})


def test_two_populations_are_those_of_their_parameters():
    params = cbnet.load("current").replace(K=400, nu_X=50 * Hz)
    old, new = (cbnet.solve(x, noise="diffusion") for x in (params, two()))
    assert new.rate.shape == (1, 2)
    (state,) = new.fixed_points
    assert float(state["E"].rate) == pytest.approx(float(old.rate_E[0]), rel=1e-8)
    assert float(state["I"].rate) == pytest.approx(float(old.rate_I[0]), rel=1e-8)
    assert state["E"].cv == pytest.approx(old.cv_E[0], rel=1e-7)
    assert float(state["E"].V_mean) == pytest.approx(float(old.V_mean[0]), rel=1e-8)
    assert float(state["E"].V_sd) == pytest.approx(float(old.V_sd[0]), rel=1e-6)
    assert state.stable and new.complete
    with pytest.raises(ParameterError, match="no such population"):
        state["SOM"]
    delays = params.replace(D_min="1ms", D_max="3ms")
    before = cbnet.stability(delays, N=5000, noise="diffusion")
    found = cbnet.stability(two())
    assert float(found.growth_rate) == pytest.approx(float(before.growth_rate), rel=1e-5)
    assert float(found.frequency) == pytest.approx(float(before.frequency), rel=1e-6)
    np.testing.assert_allclose(found.fano, [before.fano_E, before.fano_I], rtol=1e-5)
    if found.stable:
        at = np.array([1.0, 60.0]) * Hz
        power = before.spectrum(at, "I")
        np.testing.assert_allclose(found.spectrum(at, "I"), power, rtol=1e-5)


def test_what_only_parameters_take_is_refused():
    for given in ({"N": 1000, "oscillations": True}, {"trains": "renewal"}):
        with pytest.raises(ParameterError, match="for a Network; expected neither"):
            cbnet.solve(two(), **given)


def test_three_populations_in_json():
    solution = cbnet.solve(disinhibition(), noise="diffusion", oscillations=True)
    data = solution.to_dict()
    assert data["populations"] == ["E", "PV", "SOM"]
    (state,) = data["fixed_points"]
    assert set(state["rate_Hz"]) == {"E", "PV", "SOM"}
    net = solution.parameters
    neurons = of_network.neurons_of(net, "diffusion")
    phi = of_network.transfer_of(net, neurons)
    rates = np.asarray(solution.in_si("rate"))
    np.testing.assert_allclose(phi(rates, 1e-10)[0], rates, rtol=1e-7)
    assert state["stable"] == (state["growth_rate_per_s"] < 0)
    assert "E " in repr(solution)


def test_inputs_that_give_these_rates():
    net = disinhibition()
    wanted = {"E": 6 * Hz, "PV": 14 * Hz, "SOM": 9 * Hz}
    what = ["in_E.rate", "in_PV.rate", "in_SOM.rate"]
    found = cbnet.tune(net, wanted, what, noise="diffusion")
    np.testing.assert_allclose(found.in_si("rate"), [6, 14, 9], rtol=1e-7)
    assert found.error < 1e-7
    states = cbnet.solve(found.network, noise="diffusion").fixed_points
    nearest = min(states, key=lambda s: abs(float(s["E"].rate) - 6))
    np.testing.assert_allclose(np.asarray(nearest.rate), [6, 14, 9], rtol=1e-6)
    # what no input gives is told, with what they do give
    with pytest.raises(ParameterError, match="which no in_SOM.rate gives: .* it fires at .* Hz"):
        cbnet.tune(net, wanted | {"SOM": 600 * Hz}, what, noise="diffusion")
    with pytest.raises(ParameterError, match="none of which population SOM feels"):
        cbnet.tune(net, wanted, ["in_E.rate", "in_PV.rate", "in_PV.rate"], noise="diffusion")
    with pytest.raises(ParameterError, match="expected one of each of E, PV, SOM"):
        cbnet.tune(net, {"E": 6 * Hz}, what)
