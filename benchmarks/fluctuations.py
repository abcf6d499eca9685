"""Collective fluctuations near an instability: ``python -m benchmarks.fluctuations``.

Fano factors of the excitatory spike count in 1 ms, the frequency at which its spectrum is highest
and the leading mode of networks whose asynchronous state rings: simulated, in linear theory with
Poisson trains, and in the same theory with recurrent noise reduced to that of renewal trains of the
neurons' own CV. ``--dt`` asks whether the time step matters.
"""

import argparse
import json

import numpy as np
from scipy.signal import welch

import cbnet
from cbnet.theory.network.characteristic import leading
from cbnet.theory.network.fluctuations import fano_factor
from cbnet.theory.network.linearised import linearised
from cbnet.theory.neuron.neuron import Neuron
from cbnet.theory.neuron.renewal import noise_factor

# synapses, external rate in Hz, in-degree, shortest and longest delay in ms, neurons
NETWORKS = (
    ("conductance", 30, 1000, 0.1, 10, 10_000),  # the reference set
    ("conductance", 30, 1000, 0.1, 4, 10_000),
    ("conductance", 30, 1000, 0.1, 0.1, 10_000),
    ("conductance", 30, 1000, 1, 1, 10_000),
    ("current", 60, 800, 0.1, 4, 10_000),
    ("current", 60, 800, 0.1, 8, 10_000),
    ("current", 60, 400, 0.1, 8, 10_000),
    ("current", 60, 200, 2, 2, 5_000),
    ("current", 60, 200, 2, 2, 20_000),
)
HIGHEST = 2 * np.pi * 250  # of modes, 1/s


class _Quieter:
    """Strings of a model whose recurrent arrivals make less noise."""

    def __init__(self, neuron, factor):
        self._reduced, self._values, self._factor = neuron.reduced, neuron.values, factor

    def __getattr__(self, name):
        return getattr(self._reduced, name)

    def function(self, name, values):
        if name == "B2":
            external = self._values["K"] * self._values["nu_X"]
            R_E = external + self._factor * (values["R_E"] - external)
            values = {**values, "R_E": R_E, "R_I": self._factor * values["R_I"]}
        return self._reduced.function(name, values)


def parameters(model, nu_X, K, shortest, longest):
    params = cbnet.load(model).replace(nu_X=f"{nu_X}Hz").scaled("sqrt", K=K)
    return params.replace(D_min=f"{shortest}ms", D_max=f"{longest}ms")


def renewal(params, N):
    """Growth rate (1/s), frequency (Hz) of the leading mode and Fano factor, renewal trains."""
    state = cbnet.solve(params, noise="diffusion", trains="renewal", rtol=1e-4).fixed_points[-1]
    rate, neuron = float(state.rate_E), Neuron(params, "E", "diffusion")
    tau = float(state.tau_eff)
    neuron.reduced = _Quieter(neuron, float(noise_factor(rate, state.cv_E, neuron.tau_rp, tau)))
    feedback = linearised(params, {"E": neuron, "I": neuron}, (rate, rate))
    mode, fano = leading(feedback.characteristic(HIGHEST)), np.nan
    if mode.real < 0:
        fano = fano_factor(feedback, feedback, N, np.array([0.8, 0.2]), 1e-3)[0][0]
    return float(mode.real), float(mode.imag / (2 * np.pi)), float(fano)


def peak(counts):
    """Frequency (Hz) at which the spectrum of counts in 1 ms is highest, above 20 Hz."""
    f, power = welch(counts - np.mean(counts), 1e3, nperseg=500)
    return float(f[f > 20][np.argmax(power[f > 20])])


def row(model, nu_X, K, shortest, longest, N, seconds, dt=None, seed=1):
    """One network: the theory, and what was simulated."""
    params = parameters(model, nu_X, K, shortest, longest)
    theory = cbnet.stability(params, N=N)
    seen = cbnet.simulate(params, N=N, duration=f"{seconds}s", seed=seed, dt=dt)
    return {
        "model": model,
        "nu_X_Hz": nu_X,
        "K": K,
        "delays_ms": [shortest, longest],
        "N": N,
        "dt_ms": float(seen.dt) * 1e3,
        "fano": [float(seen.fano_1ms), float(seen.fano_1ms_sem)],
        "peak_Hz": peak(np.asarray(seen.count_E_1ms, float)),
        "theory": [float(theory.growth_rate), float(theory.frequency), float(theory.fano)],
        "renewal": list(renewal(params, N)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each simulation")
    parser.add_argument("--dt", help="time step, as 0.02ms; chosen for its error if not given")
    parser.add_argument("--json", help="write the rows there, too")
    given = parser.parse_args()
    print(
        "| synapses, nu_X (Hz), K, delays (ms), N | simulation: Fano factor, peak (Hz) "
        "| theory: Fano factor, growth rate (1/s), frequency (Hz) | with renewal trains |"
    )
    print("|---" * 4 + "|")
    rows = []
    for network in NETWORKS:
        one = row(*network, given.seconds, given.dt)
        rows.append(one)
        print(
            "| {model}, {nu_X_Hz}, {K}, {delays_ms[0]:g}–{delays_ms[1]:g}, {N} "
            "| {fano[0]:.1f} ± {fano[1]:.1f}, {peak_Hz:.0f} "
            "| {theory[2]:.1f}, {theory[0]:.0f}, {theory[1]:.1f} | "
            "{renewal[2]:.1f}, {renewal[0]:.0f}, {renewal[1]:.1f} |".format(**one),
            flush=True,
        )
    if given.json:
        with open(given.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
