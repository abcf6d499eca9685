"""How far a time step is off: predicted against measured.

``python -m benchmarks.timestep`` prints two tables:

- instantaneous synapses: the bias that :mod:`cbnet.simulation.timestep` predicts, and the one found
  by simulating the stepped neuron;
- synapses with a time constant: the measured bias at several steps and the formula of
  :func:`cbnet.simulation.timestep.filtered_bias`, both relative to dt = τ_S/40.

One neuron under Poisson input throughout. It takes some ten minutes.
"""

import numpy as np
from brian2 import Hz, ms

import cbnet
from cbnet.diffusion import of_model
from cbnet.simulation import arrivals
from cbnet.simulation.chain import Chain
from cbnet.simulation.event_driven import arrival_rates
from cbnet.simulation.timestep import bias, filtered_bias

# model, a, g, r_E and r_I in Hz, all at K = 1000
INSTANTANEOUS = [
    ("conductance", 0.0015, 20, 135, 85),
    ("conductance", 0.01, 12, 10, 18),
    ("conductance", 0.01, 12, 50, 90),
    ("conductance", 0.02, 12, 5, 9),
    ("current", 0.0015, 20, 50.5, 20.5),
]
STEPS_MS = (0.1, 0.05, 0.02)
# the same and tau_S in ms
FILTERED = [
    ("conductance", 0.01, 12, 10, 18, 0.5),
    ("conductance", 0.01, 12, 10, 18, 2),
    ("conductance", 0.01, 12, 50, 90, 0.1),
    ("conductance", 0.01, 12, 50, 90, 0.5),
    ("conductance", 0.005, 20, 20, 16, 0.5),
    ("conductance", 0.005, 20, 20, 16, 2),
    ("conductance", 0.005, 20, 100, 80, 0.5),
    ("conductance", 0.003, 12, 20, 16, 0.5),
    ("conductance", 0.003, 12, 20, 16, 2),
    ("conductance", 0.003, 12, 20, 16, 5),
    ("conductance", 0.003, 12, 100, 80, 0.5),
    ("conductance", 0.003, 12, 100, 80, 2),
    ("current", 0.0015, 20, 50.5, 20.5, 0.5),
    ("current", 0.0015, 20, 50.5, 20.5, 5),
]
COPIES = 2000


def parameters(model, a, g, tau_S=0.0):
    return cbnet.load(model).replace(a=a, g=g, tau_S=tau_S * ms)


def stepped(params, r_E, r_I, dt, steps, seed=1, copies=COPIES, burn_in=0.1):
    """Spikes of each copy of the neuron with instantaneous synapses, after a burn-in (s)."""
    values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
    diffusion = of_model(params.model, values)
    chain = Chain(diffusion, values)
    names = arrivals.parameter_names(diffusion)
    after_arrivals = arrivals.vectorised(diffusion, names)
    given = [values[name] for name in names]
    rng = np.random.default_rng(seed)
    v, free = np.full(copies, chain.reset), np.zeros(copies, int)
    spikes = np.zeros(copies, int)
    first = int(burn_in / dt)
    for step in range(first + steps):
        awake = step >= free
        v = np.where(awake, chain.leaked(v, dt), v)
        counts = (rng.poisson(values[R] * dt, copies) * awake for R in ("R_E", "R_I"))
        v = after_arrivals(v, *counts, rng.random(copies), *given)
        fired = np.flatnonzero(awake & (v > chain.threshold))
        free[fired] = step + held(values["tau_rp"], dt, rng, fired.size)
        v[fired] = chain.reset
        if step >= first:
            spikes[fired] += 1
    return spikes


def held(tau_rp, dt, rng, size):
    """Steps for which neurons that fired are held: at least their own."""
    return np.maximum(np.floor(tau_rp / dt + 0.5 + rng.random(size)).astype(int), 1)


def coupled(params, r_E, r_I, dt, factors, duration, seed=1, copies=COPIES):
    """Spikes of each copy with filtered synapses at steps dt*factors, all from the same arrivals.

    Exponential Euler with the conductance averaged over the step, threshold at its end.
    """
    values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
    diffusion = of_model(params.model, values)
    f = diffusion.function("leak", values)
    f0, f1 = float(f(0.0)), float(f(1.0) - f(0.0))
    reset, theta = (float(diffusion.constant(n, values)) for n in ("reset", "threshold"))
    lines = []
    for k in "EI":
        h = diffusion.function(f"jump_{k}", values)
        lines.append((float(h(0.0)), float(h(1.0) - h(0.0))))
    tau = (values["tau_E"], values["tau_I"])
    rates = (values["R_E"], values["R_I"])
    rng = np.random.default_rng(seed)
    longest = max(factors)
    states = []
    for factor in factors:
        h = dt * factor
        states.append(
            {
                "factor": factor,
                "h": h,
                "decay": [np.exp(-h / t) for t in tau],
                "mean": [-np.expm1(-h / t) * t / h for t in tau],
                "tau_rp": values["tau_rp"],
                "v": np.full(copies, reset),
                "y": [np.full(copies, R) for R in rates],
                "free": np.zeros(copies, int),
                "came": [np.zeros(copies) for _ in tau],
                "spikes": np.zeros(copies, int),
                "step": 0,
            }
        )
    burn_in = int(np.ceil(0.1 / (dt * longest))) * longest
    total = burn_in + int(np.ceil(duration / copies / (dt * longest))) * longest
    for fine in range(total):
        came_now = [rng.poisson(R * dt, copies) for R in rates]
        for s in states:
            for came, n in zip(s["came"], came_now, strict=True):
                came += n
            if (fine + 1) % s["factor"] == 0:
                _step(s, f0, f1, lines, tau, theta, reset, rng, fine >= burn_in)
    return np.array([s["spikes"] for s in states]), np.array(factors) * dt


def _step(s, f0, f1, lines, tau, theta, reset, rng, counting):
    v, offset, slope = s["v"], f0, f1
    for k, (h0, h1) in enumerate(lines):
        mean = s["y"][k] * s["mean"][k]
        offset, slope = offset + mean * h0, slope + mean * h1
    moved = v + (offset + slope * v) * np.expm1(slope * s["h"]) / slope
    awake = s["step"] >= s["free"]
    np.copyto(v, moved, where=awake)
    fired = awake & (v > theta)
    v[fired] = reset
    s["free"][fired] = s["step"] + held(s["tau_rp"], s["h"], rng, fired.sum())
    if counting:
        s["spikes"] += fired
    for k, t in enumerate(tau):
        s["y"][k] *= s["decay"][k]
        s["y"][k] += s["came"][k] / t
        s["came"][k][:] = 0
    s["step"] += 1


def relative(spikes, reference):
    """Mean ratio to the reference minus one, and its standard error over copies."""
    ratio = spikes.sum() / reference.sum()
    n = spikes.size
    error = np.sqrt(((spikes - ratio * reference) ** 2).sum() * n / (n - 1)) / reference.sum()
    return ratio - 1, error


def instantaneous_table():
    print("instantaneous synapses: bias in %")
    print("model         a       g   r_E    r_I    dt/ms  predicted  measured")
    for model, a, g, r_E, r_I in INSTANTANEOUS:
        params = parameters(model, a, g)
        values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
        exact = Chain(of_model(params.model, values), values).rate
        for step in STEPS_MS:
            dt = step * 1e-3
            steps = int(np.ceil(0.5 / dt))
            spikes = stepped(params, r_E, r_I, dt, steps)
            rate = spikes.mean() / (steps * dt)
            error = spikes.std(ddof=1) / np.sqrt(spikes.size) / (steps * dt)
            predicted = bias(params, dt, r_E, r_I)
            print(
                f"{model:12} {a:7} {g:3} {r_E:6} {r_I:6} {step:6} {100 * predicted:9.2f} "
                f"{100 * (rate / exact - 1):9.2f} ± {100 * error / exact:.2f}",
                flush=True,
            )


def filtered_table():
    print("filtered synapses: bias in % relative to dt = tau_S/40")
    print("model         a       g   r_E    r_I  tau_S/ms dt/tau_S  rate/Hz  fitted  measured")
    factors = (1, 2, 4, 8)
    for model, a, g, r_E, r_I, tau_S in FILTERED:
        params = parameters(model, a, g, tau_S)
        values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
        diffusion = of_model(params.model, values)
        duration = 1000.0 * tau_S / 0.5
        spikes, steps = coupled(params, r_E, r_I, tau_S * 1e-3 / 40, factors, duration)
        rate = spikes[0].sum() / duration
        fitted = [filtered_bias(diffusion, values, dt) for dt in steps]
        for i in (1, 2, 3):
            measured, error = relative(spikes[i], spikes[0])
            print(
                f"{model:12} {a:7} {g:3} {r_E:6} {r_I:6} {tau_S:8} {steps[i] / tau_S * 1e3:8.2f} "
                f"{rate:8.3f} {100 * (fitted[i] - fitted[0]):7.2f} {100 * measured:9.2f} ± "
                f"{100 * error:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    instantaneous_table()
    filtered_table()
