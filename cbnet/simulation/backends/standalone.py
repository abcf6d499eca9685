"""Brian2's C++ standalone mode: generate a program and compile it, once.

A program is generated in a process of its own, because Brian2's standalone device is global to a
process and builds one project. What the program needs (parameter values, initial voltages, seeds,
an explicit graph, duration, time step) is handed over when it runs, so that one program serves
every value.
"""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np

from ...model.parameters import POPULATIONS, Parameters
from ...support import compiler
from ..wiring.layout import Layout, Wires, inputs, projections
from . import making, structure
from .program import Program


def compiler_missing():
    """What C++ standalone needs and cannot find, in words; an empty string if nothing."""
    needed = (compiler.command()[0], "make")
    missing = [name for name in needed if not shutil.which(name)]
    return " and ".join(missing)


@contextlib.contextmanager
def program(job, children, jobs=None, waiting=None):
    """A compiled program for a job, from the cache or made now; kept as long as it is in use.

    Parameters
    ----------
    job : cbnet.simulation.job.Job
    children : cbnet.simulation.backends.processes.Children
        Which run the compiler.
    jobs : int, optional
        Compiler processes side by side; by default one a core.
    waiting : callable, optional
        See :func:`cbnet.support.cache.entry`.

    Yields
    ------
    Program

    Raises
    ------
    SimulationError
        With the compiler's own message, or if the cache cannot be used.
    """
    wanted = structure.of_job(job)

    def generate(folder):
        _generate(job, folder, children)

    with making.cached(wanted.key, wanted.description, generate, children, jobs, waiting) as found:
        yield Program(*found)


def _generate(job, folder, children):
    specification = {
        "params": job.params.to_dict(),
        "N_E": job.layout.N_E,
        "N_I": job.layout.N_I,
        "in_degree": [[*key, value] for key, value in job.layout.in_degree.items()],
        "dt": job.dt,
        "storage": job.storage,
        "arrivals": job.arrivals,
        "counts": job.counts,
        "explicit": job.graph is not None,
    }
    (folder / "specification.json").write_text(json.dumps(specification))
    if job.graph:
        np.savez(
            folder / "graph.npz",
            **{f"{p}{k}": array for p in POPULATIONS for k, array in enumerate(job.graph[p])},
        )
    making.write_in_a_process(folder, children, __name__, "_write_sources")


# Synapses of Brian2 are drawn before the other run arguments are applied.
_SEED_SYNAPSES = """
for (const auto &given : args)
    if (given.rfind("observer.synapse_seed=", 0) == 0)
        brian::_random_generators[0].seed(std::stoul(given.substr(given.find('=') + 1)));
"""


def _write_sources():
    """Generate the sources in the working directory, in a process that does nothing else."""
    from brian2.devices import device

    from ..brian import network
    from ..brian.observer import Observer, of_reduced

    folder = Path.cwd()
    spec = json.loads((folder / "specification.json").read_text())
    params = Parameters.from_dict(spec["params"])
    graph = None
    if spec["explicit"]:
        with np.load(folder / "graph.npz") as stored:
            graph = {p: tuple(stored[f"{p}{k}"] for k in range(3)) for p in POPULATIONS}
    making.begin_program(spec["dt"])
    in_degree = {(source, target): k for source, target, k in spec["in_degree"]}
    layout = Layout(spec["N_E"], spec["N_I"], in_degree)
    wires = Wires(spec["storage"], graph=graph)
    if wires.storage == "synapses":
        device.insert_code("main", _SEED_SYNAPSES)
    parts = network.create(
        params, layout, spec["dt"], wires, spec["arrivals"], np.dtype(spec["counts"])
    )
    seen = of_reduced(
        parts.neurons,
        parts.reduced,
        lambda name: network.variables_of(params, name)["E"],
        parts.fused,
        spec["arrivals"],
    )
    observer = Observer(parts.neurons, len(POPULATIONS), seen)
    together = parts.network
    together.add(observer)
    making.end_program(folder, together, observer)
    _finish(folder, device, params, layout, parts, wires)


def _finish(folder, device, params, layout, parts, wires):
    """Write the manifest, and one header that reads all others."""
    from ..brian import network

    connected, explicit = wires.connected, wires.graph is not None
    files = making.sources_of(folder, wires.storage == "synapses")
    graphs, counted = {}, {}
    for name, source, _ in projections(params, connected):
        if wires.storage == "synapses":
            continue
        synapses = parts.synapses[name]
        if explicit and synapses.graph_arrays:
            graphs[source] = synapses.graph_arrays
        counted[name] = {
            key: making.array_file(device, synapses.variables[variable])
            for key, variable in (
                ("synapses", "synapses"),
                ("events", "events"),
                ("wire_s", "build_seconds"),
            )
        }
    if "delivered" in parts.neurons.variables and not counted:
        counted["neurons"] = {
            "events": making.array_file(device, parts.neurons.variables["delivered"])
        }
        for name, synapses in parts.synapses.items():
            counted[name] = {"synapses": making.array_file(device, synapses.variables["N"])}
    own = {name for names in graphs.values() for name in names}
    manifest = {
        "sources": making.hash_of(folder, files),
        "files": files,
        "parameters": {
            variable: (population, name)
            for name in network.parameter_names(params, connected)
            for population, variable in network.variables_of(params, name).items()
        },
        "projections": {
            name: (source, target)
            for name, source, target in projections(params, connected)
            if name in counted and "wire_s" in counted[name] and not explicit
        },
        "inputs": [one.name for one in inputs(params, connected)],
        "update": parts.neurons.kernel.name if parts.fused else None,
        "graphs": graphs,
        "static_arrays": sorted(set(device.static_arrays) - own),
        "counted": counted,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for left in ("specification.json", "graph.npz"):
        (folder / left).unlink(missing_ok=True)
