"""What a compiled program depends on: everything else is told to it when it runs."""

import functools
import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...model.parameters import POPULATIONS
from ...support import code
from ...support import compiler as compilers

_PACKAGES = ("brian2", "sympy", "numpy", "jinja2")
HEADERS = Path(__file__).parent.parent / "cpp"


@dataclass(frozen=True)
class Structure:
    """A program, before it is generated.

    Attributes
    ----------
    params : dict
        Of the parameters that generate it; their values are run arguments, but for whether the
        populations share them, which kind of synapses they call for and which law.
    N_E, N_I : int
    storage : str
        Of the projections, or ``"synapses"``.
    arrivals : str
        Order within a step.
    counts : str
        Type of the numbers of arrivals.
    graph_sizes : dict of str to int, optional
        Synapses of an explicit graph.
    fixed : dict, optional
        What is compiled in where Brian2's Synapses deliver.
    """

    params: dict
    N_E: int
    N_I: int
    storage: str
    arrivals: str
    counts: str
    graph_sizes: dict | None = None
    fixed: dict | None = None

    @property
    def key(self):
        """Hash of all that a program is generated from, found without importing Brian2."""
        return digest(asdict(self), _environment(), compiler())

    @property
    def description(self):
        """One line for the list of programs."""
        how = self.storage if self.storage != "synapses" else "Brian2 Synapses"
        return f"{self.params['model']['name']}, {self.N_E}+{self.N_I} neurons, {how}"


def of_job(job):
    """The structure of a job.

    Parameters
    ----------
    job : cbnet.simulation.job.Job
    """
    return Structure(
        params=_skeleton(job.params),
        N_E=job.layout.N_E,
        N_I=job.layout.N_I,
        storage=job.storage,
        arrivals=job.arrivals,
        counts=job.counts,
        graph_sizes={p: len(job.graph[p][0]) for p in POPULATIONS} if job.graph else None,
        fixed=_compiled_in(job) if job.storage == "synapses" else None,
    )


def of_shape(shape):
    """Hash of all that a program of the core for networks is generated from.

    Parameters
    ----------
    shape : cbnet.simulation.backends.network_core.Shape
    """
    return digest("network", asdict(shape), _environment(), compiler())


def _skeleton(params):
    """Parameters that give the same program: values that do not matter are those of the table.

    A parameter that differs between the populations does so in the program too, and what chooses
    the kind of synapses and the law of the graph is kept.
    """
    kept = {}
    for population in POPULATIONS:
        values = params.resolve(population)
        for name in ("jump", "law"):
            kept[f"{population}.{name}"] = values[name]
        for name in ("tau_E", "tau_I"):
            kept[f"{population}.{name}"] = 1e-3 if values[name] > 0 else 0.0
    differing = sorted(params.differing())
    return {"model": params.model.to_dict(), "kept": kept, "differing": differing}


def _compiled_in(job):
    values = [job.params.resolve(p) for p in POPULATIONS]
    about = [job.dt, [[v[n] for n in ("K", "gamma", "D_min", "D_max")] for v in values]]
    if job.graph:
        about += [digest_arrays(job.graph[p]) for p in POPULATIONS]
    return {"values": about}


def digest(*content):
    """A hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def digest_arrays(arrays):
    """A hash of the exact numbers of arrays."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


@functools.cache
def _environment():
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "versions": versions | {"python": platform.python_version()},
        "code": code.of(*code.SIMULATION),
    }


def compiler():
    """The compiler, its version, the flags, and the processor they are for."""
    command = compilers.command()
    found = shutil.which(command[0])
    return {
        "command": command,
        "version": _version(found, *command[1:]) if found else "",
        "flags": compilers.FLAGS,
        "processor": _processor(),
    }


@functools.cache
def _version(*command):
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


@functools.cache
def _processor():
    """What ``-march=native`` depends on."""
    lines = {"machine": platform.machine()}
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as text:
            for line in text:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "flags", "Features", "cpu family", "model"):
                    lines[name.strip()] = value.strip()
                if not line.strip():
                    break
    except OSError:
        lines["processor"] = platform.processor()
    return lines


def has_avx512():
    """Whether the processor adds up bits for 512 pairs of neurons at once."""
    return "avx512f" in _processor().get("flags", "").split()
