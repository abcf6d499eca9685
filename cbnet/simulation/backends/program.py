"""Running a compiled program: what it is told, what it leaves behind. Needs no Brian2."""

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import SimulationError
from ...model.parameters import POPULATIONS
from ..measure import online
from . import processes


@dataclass(frozen=True)
class Program:
    """A compiled network.

    Attributes
    ----------
    folder : Path
        Where the binary is.
    manifest : dict
        Names of its variables and files.
    """

    folder: Path
    manifest: dict

    def run(self, job, children, on_progress=None):
        """Run once.

        Parameters
        ----------
        job : cbnet.simulation.job.Job
        children : cbnet.simulation.backends.processes.Children
            Results go to a subfolder of its scratch folder and are deleted again.
        on_progress : callable, optional
            Called with the fraction done.

        Returns
        -------
        accumulated : cbnet.simulation.measure.online.Accumulated
        counted : dict
            ``synapses``, ``events``, ``wire_s``, ``loop_s``, ``total_s``, ``peak_bytes``.

        Raises
        ------
        SimulationError
            With the program's own message.
        """
        results = Path(tempfile.mkdtemp(prefix="run-", dir=children.scratch))
        try:
            return self._run(job, results, children, on_progress)
        except OSError as error:
            raise SimulationError(f"{error.filename or results}: {error.strerror}") from error
        finally:
            shutil.rmtree(results, ignore_errors=True)

    def _run(self, job, results, children, on_progress):
        if job.graph and self.manifest["graphs"]:
            arrays = results / "static_arrays"  # read from the working directory
            arrays.mkdir()
            for population, names in self.manifest["graphs"].items():
                for name, array in zip(names, job.graph[population], strict=True):
                    write(arrays / name, np.ascontiguousarray(array, np.int32))
        elif self.manifest["graphs"]:
            raise SimulationError("graph: got none; expected the explicit one of this program")
        (results / "static_arrays").mkdir(exist_ok=True)
        for name in self.manifest["static_arrays"]:
            (results / "static_arrays" / name).symlink_to(self.folder / "static_arrays" / name)
        done, counted_s = execute(self.folder, self._values(job), results, children, on_progress)
        accumulated = online.read(results, job.observation)
        counted = self._counted(results)
        # the graph is drawn in the first step
        counted["loop_s"] = counted_s - counted["wire_s"]
        return accumulated, counted | {"total_s": done.seconds, "peak_bytes": done.peak_bytes}

    def _values(self, job):
        """Every run argument by the name of its variable."""
        resolved = {p: job.params.resolve(p) for p in POPULATIONS}
        values = {}
        for variable, (population, name) in self.manifest["parameters"].items():
            values[f"neurons.{variable}"] = float(resolved[population][name])
        values["neurons.v"] = job.initial_voltage
        wires = job.wires
        for name, (source, target) in self.manifest["projections"].items():
            of = resolved[target or "E"]
            values |= {
                f"{name}.in_degree": int(job.layout.in_degree[source, target or "E"]),
                f"{name}.cv": float(of["CV_K"]),
                f"{name}.delay_shortest": float(of["D_min"]),
                f"{name}.delay_longest": float(of["D_max"]),
                f"{name}.graph_seed": wires.graph_seeds[name],
            }
        for name in self.manifest["inputs"]:
            values[f"{name}.number"] = np.asarray(wires.external[name], float)
            values[f"{name}.noise_seed"] = wires.drive_seeds[name]
        if self.manifest["update"]:
            values[f"{self.manifest['update']}.order_seed"] = wires.order_seed
        return (
            values
            | observed(job.observation)
            | {
                "observer.brian_seed": wires.order_seed,
                "observer.synapse_seed": wires.synapse_seed,
            }
        )

    def _counted(self, results):
        sums = {"synapses": 0, "events": 0, "wire_s": 0.0}
        for files in self.manifest["counted"].values():
            for name, (file, dtype) in files.items():
                sums[name] += np.fromfile(results / file, dtype=dtype).sum()
        return {
            "synapses": int(sums["synapses"]),
            "events": int(sums["events"]),
            "wire_s": float(sums["wire_s"]),
        }


def execute(folder, values, results, children, on_progress=None):
    """Run the program in a folder once.

    Parameters
    ----------
    folder : Path
    values : dict
        Run arguments: numbers, or arrays that are handed over in files.
    results : Path
        Existing folder, in which it runs and leaves what it writes.
    children : cbnet.simulation.backends.processes.Children
    on_progress : callable, optional

    Returns
    -------
    done : cbnet.simulation.backends.processes.Done
    seconds : float
        That Brian2 counts for all steps.

    Raises
    ------
    SimulationError
        With the program's own message.
    """
    arguments = []
    for name, value in values.items():
        if np.ndim(value):
            write(results / f"{name}.in", value)
            arguments.append(f"{name}={results / (name + '.in')}")
        else:
            arguments.append(f"{name}={value!r}")
    command = [str(folder / "main"), "--results_dir", f"{results}/", *arguments]
    done = children.run(command, cwd=results, on_progress=on_progress)
    info = results / "last_run_info.txt"  # written last, and left empty on a full disk
    whole = info.is_file() and info.stat().st_size > 0
    if done.code != 0 or not whole or "rror" in done.output:
        raise SimulationError(
            f"the simulation stopped ({processes.reason(done.code, done.output)}): "
            f"{done.output.strip() or 'it printed nothing'}{disk_full(results, done.output)}"
        )
    return done, float(info.read_text().split()[0])


def observed(seen):
    """Run arguments of an observer.

    Parameters
    ----------
    seen : cbnet.simulation.measure.online.Observation

    Returns
    -------
    dict
        By name of the variable, but for its seeds.
    """
    recording = seen.recording
    recorded, traced = np.zeros((2, seen.N), bool)
    recorded[recording.spikes], traced[recording.traced] = True, True
    return {
        "observer.time_step": float(seen.dt),
        "observer.first_step": seen.first_step,
        "observer.measured_steps": seen.steps,
        "observer.steps_per_bin": seen.steps_per_bin,
        "observer.sizes": np.array(seen.sizes, np.int32),
        "observer.probes": np.array(seen.probes, np.int32),
        "observer.low": np.array(seen.low, float),
        "observer.high": np.array(seen.high, float),
        "observer.reference": np.array(seen.reference, float),
        "observer.bins": seen.bins,
        "observer.pieces": seen.pieces,
        "observer.trace_every": recording.every,
        "observer.trace_bytes": np.dtype(recording.dtype).itemsize,
        "observer.refractoriness": online.REFRACTORINESS / seen.dt if seen.neighbours else 0.0,
        "observer.recorded": recorded,
        "observer.traced": traced,
    }


def write(path, array):
    """Write the bytes of an array; SimulationError with the reason if that fails."""
    array = np.ascontiguousarray(array)
    try:
        array.tofile(path)
    except OSError as error:  # numpy's has neither a file nor a reason
        raise SimulationError(
            f"{path}: cannot be written ({array.nbytes} bytes){disk_full(path.parent)}"
        ) from error


def disk_full(folder, output="", variable="TMPDIR"):
    """What to do if a folder had no space left for a program of this output; empty if it had."""
    if shutil.disk_usage(folder).free > 1e6 and os.strerror(errno.ENOSPC) not in output:
        return ""
    return f": no space left on the disk of {folder}; set {variable} to a folder on another one"
