"""How far a time step is off: predicted against measured.

``python -m benchmarks.timestep`` prints two tables:

- instantaneous synapses: the bias that :mod:`cbnet.simulation.step.timestep` predicts, and that of
  ``cbnet.simulate(feedforward=True)`` beside ``cbnet.simulate_neuron``, which has no step;
- synapses with a time constant: the rate of ``cbnet.simulate(feedforward=True)`` at several steps
  beside that at dt = τ_S/50, and the formula of
  :func:`cbnet.simulation.step.timestep.filtered_bias`.

τ_S is the shorter of the two time constants. Both tables end with the root mean square of measured
less predicted, and χ² per value. ``--work`` trades standard errors for time: 1 takes some twenty
minutes on a free core.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from brian2 import Hz, ms, second

import cbnet
from cbnet.model.reduced import of_model
from cbnet.simulation.event_driven import arrival_rates
from cbnet.simulation.step.timestep import bias, filtered_bias

# model, a, g, r_E and r_I in Hz, all at K = 1000
INSTANTANEOUS = [
    ("conductance", 0.0015, 20, 135, 85),
    ("conductance", 0.01, 12, 10, 18),
    ("conductance", 0.01, 12, 50, 90),
    ("conductance", 0.02, 12, 5, 9),
    ("current", 0.0015, 20, 50.5, 20.5),
    ("current", 0.003, 12, 20, 12),
]
STEPS_MS = (0.05, 0.1, 0.2)
# the same, and tau_E and tau_I in ms
FILTERED = [
    ("conductance", 0.01, 12, 10, 18, 0.5, 0.5),
    ("conductance", 0.01, 12, 10, 18, 2, 2),
    ("conductance", 0.01, 12, 10, 18, 0.5, 2),
    ("conductance", 0.01, 12, 10, 18, 2, 0.5),
    ("conductance", 0.01, 12, 50, 90, 0.1, 0.1),
    ("conductance", 0.01, 12, 50, 90, 0.5, 0.5),
    ("conductance", 0.005, 20, 20, 16, 0.5, 0.5),
    ("conductance", 0.005, 20, 20, 16, 2, 2),
    ("conductance", 0.005, 20, 100, 80, 0.5, 0.5),
    ("conductance", 0.003, 12, 20, 16, 0.5, 0.5),
    ("conductance", 0.003, 12, 20, 16, 2, 2),
    ("conductance", 0.003, 12, 20, 16, 5, 5),
    ("conductance", 0.003, 12, 20, 16, 2, 8),
    ("conductance", 0.003, 12, 100, 80, 0.5, 0.5),
    ("conductance", 0.003, 12, 100, 80, 2, 2),
    ("current", 0.0015, 20, 50.5, 20.5, 0.5, 0.5),
    ("current", 0.0015, 20, 50.5, 20.5, 5, 5),
    ("current", 0.0015, 20, 50.5, 20.5, 1, 5),
]
REFERENCE = 0.02  # dt/τ_S
FRACTIONS = (0.05, 0.1, 0.2, 0.4)
NEURONS = 2000
UPDATES = 5e8  # neurons times steps of one simulation
ARRIVALS = 1e9  # of the neuron without a step


@dataclass(frozen=True)
class Rate:
    """A rate in Hz and its standard error."""

    value: float
    sem: float

    def beside(self, reference):
        """Ratio to an independent rate less one, and its standard error."""
        ratio = self.value / reference.value
        errors = (self.sem / self.value, reference.sem / reference.value)
        return ratio - 1, ratio * float(np.hypot(*errors))


def parameters(model, a, g, r_E, r_I, tau_E=0.0, tau_I=0.0):
    """Of one line of the tables."""
    values = {"tau_E": tau_E * ms, "tau_I": tau_I * ms}
    return cbnet.load(model).replace(a=a, g=g, r_E=r_E * Hz, r_I=r_I * Hz, **values)


def simulated(params, dt, updates, seed):
    """Rate of neurons under Poisson input, E and I alike, with a time step.

    Parameters
    ----------
    params : Parameters
    dt : float
        s.
    updates : float
        Neurons times steps that are measured.
    seed : int

    Returns
    -------
    Rate
        With the standard error of a renewal process of the CV that was measured, which many spikes
        tell better than the spread of ten batch means.
    """
    duration = max(updates * dt / NEURONS, 0.1)
    found = cbnet.simulate(
        params,
        NEURONS,
        duration * second,
        feedforward=True,
        dt=dt * second,
        seed=seed,
    )
    E, I = found.N_E / found.N, 1 - found.N_E / found.N  # noqa: E741
    rate = E * float(found.rate_E / Hz) + I * float(found.rate_I / Hz)
    cv = found.cv_E if np.isfinite(found.cv_E) else 1.0
    return Rate(rate, cv * np.sqrt(rate / (duration * NEURONS)))


def exact(params, work, seed=0):
    """Rate of the neuron without a time step."""
    values = arrival_rates(params, None, None, "E")
    duration = work * ARRIVALS / (values["R_E"] + values["R_I"])
    found = cbnet.simulate_neuron(params, duration=duration * second, seed=seed)
    return Rate(float(found.rate / Hz), float(found.rate_sem / Hz))


def summary(differences, errors):
    rms = 100 * np.sqrt(np.mean(np.square(differences)))
    chi2 = np.mean(np.square(np.divide(differences, errors)))
    print(f"measured less predicted: root mean square {rms:.2f} %, χ² per value {chi2:.2f}")


def instantaneous_table(work):
    print("instantaneous synapses: bias in %")
    print("model             a   g    r_E    r_I  rate/Hz  dt/ms  predicted  measured")
    differences, errors = [], []
    for case in INSTANTANEOUS:
        params = parameters(*case)
        model, a, g, r_E, r_I = case
        reference = exact(params, work)
        for k, step in enumerate(STEPS_MS):
            dt = step * 1e-3
            measured, error = simulated(params, dt, work * UPDATES, seed=k).beside(reference)
            predicted = bias(params, dt, r_E, r_I)
            differences.append(measured - predicted)
            errors.append(error)
            print(
                f"{model:12} {a:6} {g:3} {r_E:6} {r_I:6} {reference.value:8.3f} {step:6} "
                f"{100 * predicted:10.2f} {100 * measured:9.2f} ± {100 * error:.2f}",
                flush=True,
            )
    summary(differences, errors)


def filtered_case(case, work):
    """Measured and predicted bias of one line at each of `FRACTIONS`, less that at `REFERENCE`.

    Returns
    -------
    rate : float
        At the shortest step, Hz.
    rows : list of (measured, error, predicted)
    """
    params = parameters(*case)
    values = arrival_rates(params, None, None, "E")
    reduced = of_model(params.model, values)
    tau_S = min(values["tau_E"], values["tau_I"])

    def at(fraction, seed, share=1.0):
        return simulated(params, fraction * tau_S, share * work * UPDATES, seed)

    def predicted(fraction):
        return filtered_bias(reduced, values, fraction * tau_S)

    # every comparison uses it
    reference = at(REFERENCE, seed=0, share=4)
    rows = [
        (*at(fraction, seed).beside(reference), predicted(fraction) - predicted(REFERENCE))
        for seed, fraction in enumerate(FRACTIONS, 1)
    ]
    return reference.value, rows


def filtered_table(work):
    print(f"filtered synapses: bias in % relative to dt/τ_S = {REFERENCE:g}")
    columns = "rate/Hz dt/τ_S  predicted  measured"
    print(f"model             a   g    r_E    r_I τ_E/ms τ_I/ms  {columns}")
    differences, errors = {f: [] for f in FRACTIONS}, {f: [] for f in FRACTIONS}
    for case in FILTERED:
        rate, rows = filtered_case(case, work)
        model, a, g, r_E, r_I, tau_E, tau_I = case
        for fraction, (measured, error, predicted) in zip(FRACTIONS, rows, strict=True):
            differences[fraction].append(measured - predicted)
            errors[fraction].append(error)
            print(
                f"{model:12} {a:6} {g:3} {r_E:6} {r_I:6} {tau_E:6} {tau_I:6} {rate:8.3f} "
                f"{fraction:6} {100 * predicted:10.2f} {100 * measured:9.2f} ± {100 * error:.2f}",
                flush=True,
            )
    for fraction in FRACTIONS:
        print(f"dt/τ_S = {fraction}: ", end="")
        summary(differences[fraction], errors[fraction])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=float, default=1.0, help="relative length of simulations")
    parser.add_argument("--only", choices=("instantaneous", "filtered"), help="one of the tables")
    options = parser.parse_args()
    if options.only != "filtered":
        instantaneous_table(options.work)
    if options.only != "instantaneous":
        filtered_table(options.work)


if __name__ == "__main__":
    main()
