"""Theory beside exact simulation, one row a neuron: ``python -m benchmarks.theory --accuracy``.

A row is a name, the theory's noise, parameters and inputs; whoever adds a treatment of noise adds
rows to :data:`ROWS`. Simulations of instantaneous synapses are exact and event-driven.
"""

from dataclasses import dataclass, field

import cbnet
from cbnet.errors import ConvergenceError

SECONDS = 60.0  # of each simulation


@dataclass(frozen=True)
class Row:
    """A neuron to compare: model, changed parameters, input rates in Hz, treatment of noise."""

    model: object
    r_E: float
    r_I: float
    changes: dict = field(default_factory=dict)
    noise: str = "shot"

    def params(self):
        model = exponential() if self.model == "exponential" else self.model
        start = cbnet.load(model) if isinstance(model, str) else cbnet.Parameters(model)
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
]
ROWS = [*SHOT]


def compare(row, seconds=SECONDS, seed=1):
    """Rates of theory and simulation, the standard error, and their distance in units of it."""
    from brian2 import Hz, second

    params, inputs = row.params(), (row.r_E * Hz, row.r_I * Hz)
    try:
        theory = cbnet.respond(params, *inputs, noise=row.noise)
    except ConvergenceError as error:
        theory = error.best
    white = cbnet.respond(params, *inputs, noise="diffusion")
    run = cbnet.simulate_neuron(params, *inputs, duration=seconds * second, seed=seed)
    rate, sem = float(run.rate), float(run.rate_sem)
    return {
        "neuron": f"{row.model}, r_E={row.r_E:g}, r_I={row.r_I:g}, "
        + ", ".join(f"{name}={value}" for name, value in row.changes.items()),
        "noise": theory.noise,
        "theory_Hz": float(theory.rate),
        "error": float(theory.error),
        "diffusion_Hz": float(white.rate),
        "simulation_Hz": rate,
        "sem_Hz": sem,
        "sem_away": (float(theory.rate) - rate) / sem,
    }


def show(found):
    """Print the table; a row more than four standard errors off makes the exit code 1."""
    print(f"{'theory':>10} {'simulation':>19} {'off by':>9} {'white noise':>12}")
    for row in found:
        white = row["diffusion_Hz"] / row["theory_Hz"] - 1 if row["theory_Hz"] else float("nan")
        print(
            f"{row['theory_Hz']:10.4f} {row['simulation_Hz']:9.4f} ± {row['sem_Hz']:7.4f} "
            f"{row['sem_away']:+5.1f} sem {white:+11.1%}  {row['noise']}: {row['neuron']}"
        )
    worst = max(abs(row["sem_away"]) for row in found)
    print(f"largest distance: {worst:.1f} standard errors, of {len(found)} neurons")
    return int(worst > 4)
