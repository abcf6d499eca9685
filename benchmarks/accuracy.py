"""Theory beside simulation, one row a neuron: ``python -m benchmarks.theory --accuracy``.

Instantaneous synapses: :data:`SHOT`, simulated exactly, event by event, when the table is made.
Synapses with time constants: the points of :mod:`benchmarks.colored_reference`, simulated with two
steps and extrapolated to none; their rates are read from its file.
"""

import csv
import sys
from dataclasses import dataclass, field

import numpy as np

import cbnet
from cbnet.errors import ConvergenceError
from cbnet.theory.neuron.colored import colored_noise
from cbnet.theory.neuron.neuron import Neuron

from . import colored_reference

SPIKES = 5000  # aimed at in each simulation of instantaneous synapses
SECONDS = (60.0, 1000.0)  # that it takes, at least and at most
LARGEST = 4.0  # distance in standard errors: of 80 neurons one in 200 tables has one beyond


@dataclass(frozen=True)
class Row:
    """A neuron to compare: model, changed parameters, input rates in Hz, treatment of noise."""

    model: object
    r_E: float
    r_I: float
    changes: dict = field(default_factory=dict)
    noise: str = "shot"

    def params(self):
        own = {"exponential": exponential, "quadratic": quadratic}
        known = self.model not in own
        start = cbnet.load(self.model) if known else cbnet.Parameters(own[self.model]())
        return start.replace(**self.changes)


def exponential():
    """An exponential integrate-and-fire neuron with conductance jumps."""
    return cbnet.Model(
        name="exponential",
        equations="""dv/dt = (-(v - E_L) + Delta*exp((v - v_T)/Delta))/tau_L
                     : volt (unless refractory)""",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={
            "Delta": cbnet.Entry("Delta", 2, unit="mV"),
            "v_T": cbnet.Entry("v_T", -55, unit="mV"),
            "theta": cbnet.Entry("theta", -40, unit="mV"),
        },
    )


def quadratic():
    """A quadratic integrate-and-fire neuron with current jumps."""
    return cbnet.Model(
        name="quadratic",
        equations="""dv/dt = (v - E_L)*(v - v_T)/(Delta*tau_L) : volt (unless refractory)""",
        excitatory="v_post += J",
        inhibitory="v_post -= g*J",
        parameters={
            "J": cbnet.Entry("J", 0.3, unit="mV"),
            "Delta": cbnet.Entry("Delta", 20, unit="mV"),
            "v_T": cbnet.Entry("v_T", -55, unit="mV"),
            "theta": cbnet.Entry("theta", -40, unit="mV"),
        },
    )


SHOT = [
    Row("conductance", 30, 12, {"a": 0.003, "g": 15}),
    Row("conductance", 20, 20, {"a": 0.004, "g": 18}),
    Row("conductance", 15, 20, {"a": 0.008, "g": 10, "gamma": 0.4}),
    Row("conductance", 40, 30, {"a": 0.01, "g": 8, "gamma": 0.5}),
    Row("conductance", 10, 8, {"a": 0.006, "g": 20, "tau_L": "10ms"}),
    Row("conductance", 10, 10, {"a": 0.006, "g": 20, "tau_L": "30ms"}),
    Row("conductance", 20, 30, {"a": 0.008, "g": 14, "E_I": "-80mV"}),
    Row("conductance", 20, 30, {"a": 0.012, "g": 14, "E_I": "-70mV"}),
    Row("conductance", 12, 12, {"a": 0.01, "g": 16, "E_E": "10mV"}),
    Row("conductance", 12, 10, {"a": 0.008, "g": 12, "theta": "-50mV"}),
    Row("conductance", 12, 18, {"a": 0.01, "g": 12, "V_r": "-60mV"}),
    Row("conductance", 12, 18, {"a": 0.01, "g": 12, "E_L": "-65mV"}),
    Row("conductance", 30, 40, {"a": 0.01, "g": 12, "jump": "exponential"}),
    Row("conductance", 100, 150, {"a": 0.02, "g": 12, "K": 200}),
    Row("conductance", 60, 30, {"a": 0.03, "g": 6, "K": 100, "gamma": 1.0}),
    Row("current", 30, 12, {"a": 0.0015}),
    Row("current", 30, 14, {"a": 0.003}),
    Row("current", 20, 14, {"a": 0.01, "g": 10}),
    Row("current", 40, 30, {"a": 0.02, "g": 8, "K": 200}),
    Row("current", 25, 8, {"a": 0.004, "tau_L": "10ms", "E_L": "-70mV"}),
    Row("exponential", 8, 12, {"a": 0.01, "g": 8}),
    Row("exponential", 14, 12, {"a": 0.005, "g": 12}),
    Row("exponential", 10, 20, {"a": 0.012, "g": 6, "tau_L": "10ms"}),
    Row("quadratic", 15, 5, {"g": 7}),
    Row("quadratic", 15, 6, {"g": 6, "tau_L": "15ms"}),
    Row("quadratic", 10, 12, {"g": 3, "J": "0.6mV", "K": 500}),
]


def shot(row, spikes=SPIKES, seed=1):
    """One neuron with instantaneous synapses: its theory beside an exact simulation of it."""
    from brian2 import Hz, second

    params, inputs = row.params(), (row.r_E * Hz, row.r_I * Hz)
    try:
        theory = cbnet.respond(params, *inputs, noise=row.noise)
    except ConvergenceError as error:
        theory = error.best
    white = cbnet.respond(params, *inputs, noise="diffusion")
    seconds = float(np.clip(spikes / max(float(theory.rate), 1e-3), *SECONDS))
    run = cbnet.simulate_neuron(params, *inputs, duration=seconds * second, seed=seed)
    return _found(
        _name(row.model, row.r_E, row.r_I, row.changes),
        float(theory.rate),
        float(theory.error),
        (float(run.rate), float(run.rate_sem)),
        theory.noise,
        float(white.rate),
    )


def colored():
    """Neurons with synaptic time constants: their theory beside the simulations in the file."""
    with colored_reference.TABLE.open() as file:
        for row in csv.DictReader(file):
            point = colored_reference.POINTS[int(row["point"])]
            model, changes, r_E, r_I, tau_E, tau_I = point
            params, *_ = colored_reference.parameters(point)
            inputs = np.array([float(r_E)]), np.array([float(r_I)])
            neuron = Neuron(params, noise="colored")
            try:
                theory = colored_noise.solve(colored_noise.of_neuron(neuron, inputs, 0))
            except ConvergenceError as error:
                theory = error.best
            white = Neuron(params, noise="diffusion").passage(*inputs, cv=False)
            times = {"tau_E": f"{tau_E}ms", "tau_I": f"{tau_I}ms"}
            yield _found(
                _name(model, r_E, r_I, changes | times),
                float(theory.rate),
                float(theory.error),
                (float(row["rate_Hz"]), float(row["rate_Hz_sem"])),
                "colored",
                float(white.rate[0]),
            )


def _name(model, r_E, r_I, changes):
    changed = "".join(f", {name}={value}" for name, value in changes.items())
    return f"{model}, r_E={r_E:g}, r_I={r_I:g}{changed}"


def _found(neuron, theory, error, simulated, noise, white):
    rate, sem = simulated
    return {
        "neuron": neuron,
        "noise": noise,
        "simulation_Hz": rate,
        "sem_Hz": sem,
        "theory_Hz": theory,
        "error": error,
        "deviation": theory / rate - 1,
        "sem_away": (theory - rate) / sem,
        "diffusion_over_simulation": white / rate,
    }


def compare():
    """All rows, one after another."""
    for row in SHOT:
        yield shot(row)
    yield from colored()


def show(rows):
    """Print the table as it is made.

    The exit code is 1 if a row is further off than some standard errors of the simulation and the
    theory's own estimate of its error allow.
    """
    print(f"{'simulation, Hz':>21} {'theory':>9} {'off by':>7} {'in sem':>6} {'white':>7}  neuron")
    found = {}
    for row in rows:
        if row["noise"] not in found:
            print(f"{row['noise']}:")
        found.setdefault(row["noise"], []).append(row)
        print(
            f"{row['simulation_Hz']:10.4f} ± {row['sem_Hz']:8.4f} {row['theory_Hz']:9.4f} "
            f"{row['deviation']:+7.1%} {row['sem_away']:+6.1f} {_factor(row)}  "
            f"{row['neuron']}",
            flush=True,
        )
    missed = 0
    for noise, members in found.items():
        away = np.array([row["sem_away"] for row in members])
        off = np.array([row["deviation"] for row in members])
        white = max(members, key=lambda row: row["diffusion_over_simulation"])
        allowed = [LARGEST * row["sem_Hz"] + row["error"] * row["theory_Hz"] for row in members]
        gaps = [abs(row["theory_Hz"] - row["simulation_Hz"]) for row in members]
        missed += sum(gap > most for gap, most in zip(gaps, allowed, strict=True))
        print(
            f"{noise}: {len(members)} neurons, largest distance {np.abs(away).max():.1f} standard "
            f"errors, root mean square {np.sqrt(np.mean(away**2)):.2f}; largest deviation "
            f"{np.abs(off).max():.1%}, root mean square {np.sqrt(np.mean(off**2)):.2%}; white "
            f"noise up to {_factor(white).strip()}"
        )
    if missed:
        print(f"{missed} neurons are too far off", file=sys.stderr)
    return int(missed > 0)


def _factor(row):
    """White noise over simulation, in seven columns."""
    factor = row["diffusion_over_simulation"]
    return f"{f'×{factor:.2f}' if factor < 100 else f'×{factor:.0f}':>7}"
