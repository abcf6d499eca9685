"""Theory beside simulation: two kinds of synapses, several in-degrees, several scalings."""

import dataclasses
import os

import numpy as np

from .errors import ParameterError
from .model import unused
from .model.entry import SEED, Entry
from .model.library import load
from .model.network import Network
from .model.units import to_quantity
from .network_comparison import compare_network
from .results import Result, variable
from .results.pooling import over_graphs
from .simulation.backends import workshop
from .simulation.job import TARGET_BIAS, prepare
from .simulation.step import timestep
from .simulation.times import transient as default_transient
from .simulation.wiring.layout import layout
from .theory.self_consistency import solve

K_THEORY = (400, 1600, 6400, 25600)
K_SIMULATION = (400, 1600, 6400)
SEEDS = 2
_LARGE = 12_000  # neurons beyond which one simulation is as good as several smaller ones
NU_X = ("30Hz", "50Hz", "80Hz")
SCALINGS = ("sqrt", "preserving")
MODELS = ("conductance", "current")
_MEASURES = (("rate_E", "Hz"), ("cv_E", None), ("V_mean", "mV"), ("V_sd", "mV"))


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Comparison(Result):
    """Rows of theory and simulation; NaN where a row was not simulated or is undefined.

    Of several fixed points a row shows the stable one of the highest rate; `theory_fixed_points`
    counts them. Every seed has a graph of its own: standard errors are over graphs and noise
    (``cbnet.results.pooling.over_graphs``), of rows of one seed over noise in the one graph.
    """

    model: object = variable(dims=("row",), meaning="model")
    scaling: object = variable(dims=("row",), meaning="how the efficacy follows the in-degree")
    K: object = variable(dims=("row",), meaning="excitatory in-degree")
    a: object = variable(dims=("row",), meaning="excitatory efficacy")
    nu_X: object = variable("Hz", ("row",), meaning="rate of each external input")
    balance_line: object = variable("Hz", ("row",), meaning="rate in the limit of large K")
    noise: str = variable(meaning="how the theory treats fluctuations")
    theory_fixed_points: object = variable(dims=("row",), meaning="number of fixed points")
    theory_rate_E: object = variable("Hz", ("row",), meaning="rate, theory")
    theory_cv_E: object = variable(None, ("row",), meaning="CV of intervals, theory")
    theory_V_mean: object = variable("mV", ("row",), meaning="mean potential, theory")
    theory_V_sd: object = variable("mV", ("row",), meaning="sd of the potential, theory")
    N: object = variable(dims=("row",), meaning="simulated neurons; 0 if not simulated")
    seeds: object = variable(dims=("row",), meaning="simulations averaged")
    dt: object = variable("ms", ("row",), meaning="time step")
    dt_bias: object = variable(dims=("row",), meaning="estimated relative error of a rate")
    duration: object = variable("s", meaning="measured time of each simulation")
    transient: object = variable("s", meaning="time discarded first")
    seed: int = variable(meaning="first seed")
    simulation_rate_E: object = variable("Hz", ("row",), meaning="rate, simulation")
    simulation_rate_E_sem: object = variable("Hz", ("row",), meaning="its standard error")
    simulation_cv_E: object = variable(None, ("row",), meaning="CV of intervals, simulation")
    simulation_cv_E_sem: object = variable(None, ("row",), meaning="its standard error")
    simulation_V_mean: object = variable("mV", ("row",), meaning="mean potential, simulation")
    simulation_V_mean_sem: object = variable("mV", ("row",), meaning="its standard error")
    simulation_V_sd: object = variable("mV", ("row",), meaning="sd of the potential, simulation")
    simulation_V_sd_sem: object = variable("mV", ("row",), meaning="its standard error")
    simulation_fano_1ms: object = variable(None, ("row",), meaning="Fano factor in 1 ms")
    simulation_fano_1ms_sem: object = variable(None, ("row",), meaning="its standard error")

    def to_dict(self):
        """The JSON object of the command line: a list of rows."""
        from .results import plain

        columns = {name: self.in_units(name) for name in self._variables()}
        rows = []
        for i in range(len(self.K)):

            def pick(name, i=i):
                return plain(columns[name][i])

            theory, simulation = {}, {}
            for name, unit in _MEASURES:
                key = f"{name}_{unit}" if unit else name
                theory[key] = pick(f"theory_{name}")
                simulation[key] = pick(f"simulation_{name}")
                simulation[f"{key}_sem"] = pick(f"simulation_{name}_sem")
            simulation["fano_1ms"] = pick("simulation_fano_1ms")
            simulation["fano_1ms_sem"] = pick("simulation_fano_1ms_sem")
            simulated = pick("N") > 0
            rows.append(
                {
                    "model": str(self.model[i]),
                    "scaling": str(self.scaling[i]),
                    "K": pick("K"),
                    "a": pick("a"),
                    "N": pick("N") if simulated else None,
                    "nu_X_Hz": pick("nu_X"),
                    "seeds": pick("seeds"),
                    "noise": self.noise,
                    "theory": theory,
                    "simulation": simulation if simulated else None,
                }
            )
        return {"rows": rows} | ({"unused": list(self.unused)} if self.unused else {})


def compare(
    params=None,
    *,
    K=None,
    simulate_K=None,
    nu_X=None,
    models=None,
    scalings=SCALINGS,
    N=None,
    duration="0.5s",
    transient=None,
    seeds=None,
    seed=1,
    noise=None,
    processes=None,
    progress=None,
):
    """Current-based and conductance-based networks, theory against simulation, at several K.

    Parameters
    ----------
    params : Parameters, optional
        Values at the in-degree from which efficacies are scaled; by default the reference set. A K
        or nu_X set there is the only one compared unless `K` or `nu_X` is given.
    K, simulate_K : sequence of int, optional
        In-degrees for the theory (default 400, 1600, 6400, 25600) and for simulations as well
        (default 400, 1600, 6400).
    nu_X : sequence of Quantity, optional
        External rates (default 30, 50, 80 Hz).
    models : sequence of str, optional
        Default: the model of `params` and ``"current"``, or ``"conductance"`` and ``"current"``.
    scalings : sequence of str
        How the efficacy follows K: see :meth:`Parameters.scaled`.
    N : int, optional
        Neurons; by default N_E = 4K, but at least 4000, and 2K where 4K is above 12800.
    duration, transient : Quantity
        Of each simulation.
    seeds, seed : int
        Number of simulations of each row (default 2, and 1 of more than 12000 neurons), and the
        first of their seeds.
    noise : str, optional
        Of the theory: see :func:`cbnet.solve`.
    processes : int, optional
        Simulations side by side; by default one a core.
    progress : object, optional
        With methods ``stage(name)`` and ``update(fraction)``.

    Returns
    -------
    Comparison

    Raises
    ------
    ParameterError
        Before anything is computed, if any of the simulations cannot be done.

    Notes
    -----
    A :class:`cbnet.Network` in place of `params` is compared as it stands
    (:func:`cbnet.network_comparison.compare_network`), by `duration`, `transient`, `seeds`, `seed`
    and `noise`.
    """
    if isinstance(params, Network):
        given = {"K": K, "simulate_K": simulate_K, "nu_X": nu_X, "models": models, "N": N}
        for name, value in given.items():
            if value is not None:
                raise ParameterError(
                    f"{name}: got {value} for a network of named populations, which says it "
                    "itself; leave it out"
                )
        more = {} if seeds is None else {"seeds": seeds}
        return compare_network(
            params,
            duration=duration,
            transient=transient,
            seed=seed,
            noise=noise,
            progress=progress,
            **more,
        )
    progress = progress or workshop.Silent()
    base = load("conductance") if params is None else params
    if models is None:
        models = MODELS if base.model.name in MODELS else (base.model, "current")
    nu_X = _rates(base, nu_X)
    K, simulate_K = _in_degrees(base, K, simulate_K)
    if seeds is not None:
        seeds = _whole("seeds", seeds, at_least=1)
    seed = SEED.parse(seed, "seed")
    points = []
    for model in models:
        start = _same_values(base, model)
        for scaling in scalings:
            for k in K:
                with unused.told():  # below
                    scaled = start.scaled(scaling, k)
                points += [(scaling, scaled.replace(nu_X=rate)) for rate in nu_X]
    left_out = _left_out(base, [(point, point.K in simulate_K) for _, point in points])
    duration = Entry("duration", 0, unit="s", above=0).parse(duration, "duration")
    if transient is None:
        transient = max(default_transient(point, duration) for _, point in points)
    else:
        transient = Entry("transient", 0, unit="s", at_least=0).parse(transient, "transient")
    times = {"duration": duration, "transient": transient}
    for _, point in points:
        if point.K in simulate_K:
            layout(point, N or _default_size(point))  # refuse before anything is computed
    jobs, owners = [], []
    progress.stage("choosing time steps")
    for row, (_, point) in enumerate(points):
        progress.update(row / len(points))
        if point.K not in simulate_K:
            continue
        given = {name: to_quantity(value, "s") for name, value in times.items()}
        given["dt"] = to_quantity(timestep.choose(point, TARGET_BIAS)[0], "s")
        size = N or _default_size(point)
        for number in range(seeds or (SEEDS if size <= _LARGE else 1)):
            jobs.append(prepare(point, size, seed=seed + number, **given))
            owners.append(row)
    solutions = []

    def theory():
        progress.stage("solving the theory")
        for done, (_, point) in enumerate(points):
            with unused.told():
                solutions.append(solve(point, noise=noise))
            progress.update((done + 1) / len(points))

    if jobs:
        at_once = processes or os.cpu_count() or 1
        simulated = workshop.run_jobs(jobs, at_once, progress, meanwhile=theory)
    else:
        theory()
        simulated = []
    return _collect(base, points, solutions, simulated, owners, seed, times, left_out)


def _left_out(base, points):
    """Keys of what was set and enters neither theory nor simulation of any point."""
    found = unused.of_both(
        [
            (point, unused.of_network(point), unused.of_simulation(point) if simulated else None)
            for point, simulated in points
        ]
    )
    met = {key for point, _ in points for key in point.changes}
    found |= {key: base for key in base.changes if key not in met}  # no other model has it
    found = {key: params for key, params in found.items() if key in base.changes}
    return unused.warn_of(found, "cbnet.compare")


def _whole(name, value, at_least):
    return Entry(name, 0, integer=True, at_least=at_least).parse(value, name)


def _rates(base, nu_X):
    if nu_X is None:
        nu_X = [base.nu_X] if "nu_X" in base.changes else NU_X
    row = base.model.entry("nu_X", "nu_X")
    return [to_quantity(row.parse(rate, "nu_X"), "Hz") for rate in _iterate(nu_X)]


def _iterate(values):
    return [values] if isinstance(values, str) or not np.ndim(values) else list(values)


def _in_degrees(base, K, simulate_K):
    if K is None:
        K = (base.K,) if "K" in base.changes else K_THEORY
    K = [_whole("K", k, at_least=1) for k in _iterate(K)]
    if simulate_K is None:
        simulate_K = K if "K" in base.changes else [k for k in K_SIMULATION if k in K]
    simulate_K = [_whole("simulate_K", k, at_least=1) for k in _iterate(simulate_K)]
    missing = [k for k in simulate_K if k not in K]
    if missing:
        raise ParameterError(
            f"simulate_K: got {missing[0]}; expected in-degrees that the theory is solved for "
            f"({', '.join(map(str, K))}): add it to K"
        )
    return K, simulate_K


def _same_values(base, model):
    """The values of `base` for another model; what that model does not have is left out."""
    if getattr(model, "name", model) == base.model.name:
        return base
    start = load(model)
    names = {*start.model.entries, *(d.name for d in start.model.derived)}
    given = base.changes
    if any(key.rpartition(".")[2] not in names for key in given):
        given = base.without_derived()
    return start.updated({k: v for k, v in given.items() if k.rpartition(".")[2] in names})


def _default_size(params):
    """Neurons such that N_E = 4K, within 4000 and 12800 if 2K allows; a fourth more inhibitory."""
    excitatory = max(4000, 2 * params.K, min(4 * params.K, 12_800))
    return excitatory + max(excitatory // 4, int(params.gamma * params.K) + 1)


def _collect(base, points, solutions, simulations, owners, seed, options, left_out):
    """Rows from fixed points and simulations."""
    columns = {"scaling": [scaling for scaling, _ in points]}
    columns["model"] = [point.model.name for _, point in points]
    columns["K"] = [point.K for _, point in points]
    columns["a"] = [point.a for _, point in points]
    columns["nu_X"] = [float(point.nu_X) for _, point in points]
    columns["balance_line"] = [float(solution.balance_line) for solution in solutions]
    columns["theory_fixed_points"] = [len(solution.fixed_points) for solution in solutions]
    for name, _ in _MEASURES:
        columns[f"theory_{name}"] = [
            float(getattr(_shown(solution), name)) for solution in solutions
        ]
    runs = [
        [s for s, owner in zip(simulations, owners, strict=True) if owner == row]
        for row in range(len(points))
    ]
    columns["N"] = [mine[0].N if mine else 0 for mine in runs]
    columns["seeds"] = [len(mine) for mine in runs]
    columns["dt"] = [float(mine[0].dt) if mine else np.nan for mine in runs]
    columns["dt_bias"] = [
        max((s.dt_bias for s in mine), key=abs) if mine else np.nan for mine in runs
    ]
    for name in (*(name for name, _ in _MEASURES), "fano_1ms"):
        means, sems = zip(*(_over_graphs(mine, name) for mine in runs), strict=True)
        columns[f"simulation_{name}"] = means
        columns[f"simulation_{name}_sem"] = sems
    return Comparison(
        parameters=base,
        unused=left_out,
        noise=solutions[0].noise,
        seed=seed,
        **{name: to_quantity(value, "s") for name, value in options.items()},
        **{
            name: np.asarray(values)
            if meta["unit"] is None
            else to_quantity(np.asarray(values), meta["unit"])
            for name, meta in Comparison._variables().items()
            if (values := columns.get(name)) is not None
        },
    )


def _shown(solution):
    """The stable fixed point of the highest rate."""
    stable = [point for point in solution.fixed_points if point.stable]
    return max(stable or solution.fixed_points, key=lambda point: float(point.rate_E))


def _over_graphs(simulations, name):
    """Mean over seeds and its standard error."""
    if not simulations:
        return np.nan, np.nan
    return over_graphs(
        [one.in_si(name) for one in simulations], [one.in_si(f"{name}_sem") for one in simulations]
    )
