"""Theory beside simulation of one network of any populations."""

import dataclasses

import numpy as np

from .errors import ModelError, ParameterError
from .model.entry import SEED, Entry
from .results import Result, plain, variable
from .results.pooling import over_graphs
from .simulation.run import simulate
from .theory.network_states import solve_network

SEEDS = 2
_MEASURES = {"rate": "Hz", "cv": None, "V_mean": "mV", "V_sd": "mV"}


def _each(unit, meaning):
    return variable(unit, ("population",), meaning=meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NetworkComparison(Result):
    """What theory and simulation say of every population.

    Of several states the one shown is the stable one of the highest summed rate;
    `theory_fixed_points` counts them. Every seed has a graph of its own: standard errors are over
    graphs and noise (``cbnet.results.pooling.over_graphs``), of one seed over noise in one graph.
    Where the theory has no answer its numbers are NaN and `noise` says why.
    """

    populations: tuple = _each(None, "names")
    sizes: object = _each(None, "neurons")
    noise: str = variable(meaning="how the theory treats fluctuations, or why it has no answer")
    theory_fixed_points: int = variable(meaning="number of states")
    theory_error: float = variable("1", meaning="estimated relative error of the theory's rates")
    theory_rate: object = _each("Hz", "rate, theory")
    theory_cv: object = _each(None, "CV of intervals, theory")
    theory_V_mean: object = _each("mV", "mean potential, theory")
    theory_V_sd: object = _each("mV", "sd of the potential, theory")
    simulation_rate: object = _each("Hz", "rate, simulation")
    simulation_rate_sem: object = _each("Hz", "its standard error")
    simulation_cv: object = _each(None, "CV of intervals, simulation")
    simulation_cv_sem: object = _each(None, "its standard error")
    simulation_V_mean: object = _each("mV", "mean potential, simulation")
    simulation_V_mean_sem: object = _each("mV", "its standard error")
    simulation_V_sd: object = _each("mV", "sd of the potential, simulation")
    simulation_V_sd_sem: object = _each("mV", "its standard error")
    simulation_fano_1ms: object = _each(None, "Fano factor of the population's counts in 1 ms")
    simulation_fano_1ms_sem: object = _each(None, "its standard error")
    seeds: int = variable(meaning="simulations averaged")
    seed: int = variable(meaning="first seed")
    dt: object = variable("ms", meaning="time step")
    duration: object = variable("s", meaning="measured time of each simulation")
    transient: object = variable("s", meaning="time discarded first")

    def to_dict(self):
        """The JSON object of the command line: theory and simulation by population."""
        names = [str(name) for name in self.populations]

        def by_name(field):
            return dict(zip(names, plain(np.asarray(self.in_units(field))), strict=True))

        def keyed(name, unit):
            return f"{name}_{unit}" if unit else name

        measures = {**_MEASURES, "fano_1ms": None}
        simulation = {keyed(n, u): by_name(f"simulation_{n}") for n, u in measures.items()}
        simulation |= {
            f"{keyed(n, u)}_sem": by_name(f"simulation_{n}_sem") for n, u in measures.items()
        }
        return {
            "populations": names,
            "noise": self.noise,
            "fixed_points": int(self.theory_fixed_points),
            "theory": {keyed(n, u): by_name(f"theory_{n}") for n, u in _MEASURES.items()},
            "simulation": simulation,
            "seeds": int(self.seeds),
        }


def compare_network(
    net, *, duration="1s", transient=None, dt=None, seeds=SEEDS, seed=1, noise=None, progress=None
):
    """Theory beside simulation, population by population.

    Parameters
    ----------
    net : Network
        With the sizes of its populations.
    duration, transient, dt, progress
        Of each simulation, as for :func:`cbnet.simulate`.
    seeds, seed : int
        Number of simulations, and the first of their seeds.
    noise : str, optional
        Of the theory, as for :func:`cbnet.solve`. Where none is given and the theory does not take
        the network, the comparison holds the simulation alone, and says why.

    Returns
    -------
    NetworkComparison

    Raises
    ------
    ParameterError
        If the network cannot be simulated, or the theory that was asked for does not take it.
    """
    seeds = Entry("seeds", 0, integer=True, at_least=1).parse(seeds, "seeds")
    seed = SEED.parse(seed, "seed")
    columns = _theory(net, noise)
    given = {"duration": duration, "transient": transient, "dt": dt, "progress": progress}
    runs = [simulate(net, seed=seed + k, **given) for k in range(seeds)]
    for name in (*_MEASURES, "fano_1ms"):
        columns[f"simulation_{name}"], columns[f"simulation_{name}_sem"] = over_graphs(
            [one.in_si(name) for one in runs], [one.in_si(f"{name}_sem") for one in runs], axis=0
        )
    first = runs[0]
    return NetworkComparison(
        parameters=net,
        populations=tuple(net.names),
        sizes=np.array([net.sizes[name] for name in net.names]),
        seeds=seeds,
        seed=seed,
        **{name: first.in_si(name) for name in ("dt", "duration", "transient")},
        **columns,
    )


def _theory(net, noise):
    """Columns of the state that is shown."""
    nothing = np.full(len(net.names), np.nan)
    try:
        solution = solve_network(net, noise=noise)
    except (ModelError, ParameterError) as refusal:
        if noise is not None:
            raise
        found = {f"theory_{name}": nothing for name in _MEASURES}
        why = f"no theory: {refusal}"
        return found | {"noise": why, "theory_fixed_points": 0, "theory_error": np.nan}
    total = solution.in_si("rate").sum(axis=1)
    shown = int(np.argmax(np.where(solution.stable, total, total - total.max() - 1.0)))
    return {
        "noise": solution.noise,
        "theory_fixed_points": len(total),
        "theory_error": float(solution.error),
        **{f"theory_{name}": solution.in_si(name)[shown] for name in _MEASURES},
    }
