"""Run a network of any populations on the compiled core (``brian/network_core.py``).

A program depends on sizes alone: values, wiring, delays and seeds are told to it when it runs.
"""

import dataclasses
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ParameterError, SimulationError
from ...model.wirings import Explicit
from ..measure import online
from ..wiring import classes
from . import making, structure
from .network_values import Values
from .program import execute


@dataclass(frozen=True)
class Shape:
    """What a program depends on.

    Attributes
    ----------
    N, populations : int
    row : int
        Constants of a population.
    variables, classes : int
        Synaptic variables of a neuron (0: spikes move v at once), and classes of arrivals.
    projections, inputs, trains : int
        How many; neurons that inputs reach, each counted for every input.
    counts : str
        Type of the numbers of arrivals.
    """

    N: int
    populations: int
    row: int
    variables: int
    classes: int
    projections: int
    inputs: int
    trains: int
    counts: str


def run(job, children, on_progress, jobs=None):
    """Run a job that :func:`cbnet.simulation.wiring.classes.refusal` does not refuse.

    Parameters
    ----------
    job : cbnet.simulation.network_job.NetworkJob
    children : cbnet.simulation.backends.processes.Children
    on_progress : callable
        Called with the fraction done.
    jobs : int, optional
        Compiler processes side by side.

    Returns
    -------
    accumulated : cbnet.simulation.measure.online.Accumulated
    counted : dict
        ``synapses``, ``build_s``, ``simulate_s`` and ``peak_bytes``.
    """
    net, found = job.net, classes.of_network(job.net)
    shape = Shape(
        N=sum(net.sizes.values()),
        populations=len(net.names),
        row=found.constants.shape[1],
        variables=found.variables,
        classes=found.number,
        projections=len(net.projections),
        inputs=len(net.inputs),
        trains=sum(net.sizes[one.target] for one in net.inputs),
        counts=_count_type(net, job.dt),
    )

    def generate(folder):
        (folder / "shape.json").write_text(json.dumps(dataclasses.asdict(shape)))
        making.write_in_a_process(folder, children, __name__, "write_sources")

    about = f"{shape.populations} populations, {shape.N} neurons, {shape.classes} classes"
    with making.cached(structure.of_shape(shape), about, generate, children, jobs) as made:
        folder, manifest = made
        results = Path(tempfile.mkdtemp(prefix="run-", dir=children.scratch))
        try:
            values = Values(job, found, results).all()
            (results / "static_arrays").mkdir()
            for name in manifest["static_arrays"]:
                (results / "static_arrays" / name).symlink_to(folder / "static_arrays" / name)
            done, seconds = execute(folder, values, results, children, on_progress)
            accumulated = online.read(results, job.observation)
            synapses = 0
            if manifest["synapses"]:
                file, dtype = manifest["synapses"]
                synapses = int(np.fromfile(results / file, dtype).sum())
        except OSError as error:
            raise SimulationError(f"{error.filename or results}: {error.strerror}") from error
        finally:
            shutil.rmtree(results, ignore_errors=True)
    if not np.isfinite(accumulated.voltage_sums).all():
        raise SimulationError(
            f"v: a potential is no number any more: the equations run away within dt = "
            f"{job.dt * 1e3:g} ms; take a lower threshold or a shorter dt"
        )
    counted = {
        "synapses": synapses,
        "build_s": done.seconds - seconds,
        "simulate_s": done.seconds,
        "peak_bytes": done.peak_bytes,
    }
    return accumulated, counted


def write_sources():
    """Generate the sources in the working directory, in a process that does nothing else."""
    import brian2
    from brian2.devices import device

    from ..brian import network_core

    folder = Path.cwd()
    shape = Shape(**json.loads((folder / "shape.json").read_text()))
    making.begin_program(1e-4)
    made = network_core.create(shape)
    making.end_program(folder, brian2.Network(*made.values()), made["observer"])
    files = making.sources_of(folder)
    synapses = made.get("synapses")
    manifest = {
        "sources": making.hash_of(folder, files),
        "files": files,
        "static_arrays": sorted(device.static_arrays),
        "synapses": synapses and making.array_file(device, synapses.variables["synapses"]),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "shape.json").unlink()


def _count_type(net, dt):
    """Type of the number of arrivals of a step: two bytes where they cannot overflow.

    Raises
    ------
    ParameterError
        If there are too many from outside.
    """
    most = {}
    for p in net.projections:
        if isinstance(p.wiring, Explicit):
            degree = int(np.bincount(p.wiring.j).max()) if len(p.wiring.j) else 0
        else:
            spread = 8 * p.number * getattr(p.wiring, "cv", 0.0)
            degree = p.number + spread + 12 * np.sqrt(p.number) + 40
        most[p.target] = most.get(p.target, 0) + degree
    for one in net.inputs:
        mean = (one.number + 8 * net.spread(one)) * one.rate * dt
        mean += 12 * np.sqrt(mean) + 40
        if mean > 65_000:
            raise ParameterError(
                f"{one.place}.rate: got {mean:.3g} spikes into a neuron in a step of "
                f"{dt * 1e3:g} ms; expected fewer than 65000: take a shorter dt"
            )
        most[one.target] = most.get(one.target, 0) + mean
    return "uint16" if max(most.values(), default=0) < 65_000 else "int32"
