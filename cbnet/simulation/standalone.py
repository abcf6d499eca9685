"""Brian2's C++ standalone mode: compile a network once, run it with other values and seeds.

A program is compiled in a process of its own, because Brian2's standalone device is global to a
process and builds one project. What the compiled program needs (parameter values, initial
voltages, seed, synapses) is handed over as run arguments and files, so that one program serves
every value of the parameters and every draw of the synapses that has the same size.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SimulationError
from ..parameters import Parameters
from . import processes
from .layout import Layout

_PROGRESS_PERIOD = 0.2  # seconds between lines of progress


def compiler_missing():
    """What C++ standalone needs and cannot find, in words; an empty string if nothing."""
    missing = [
        name for name in (os.environ.get("CXX", "g++").split()[0], "make") if not shutil.which(name)
    ]
    return " and ".join(missing)


@dataclass(frozen=True)
class Program:
    """A compiled network.

    Attributes
    ----------
    folder : Path
        Where it was built.
    manifest : dict
        Files of its variables.
    build_s : float
        Seconds it took.
    """

    folder: Path
    manifest: dict
    build_s: float

    def run(self, params, folder, external, initial, seed, on_progress=None):
        """Run once.

        Parameters
        ----------
        params : Parameters
            Values; the model, the sizes and the time step are those compiled.
        folder : path
            Of :func:`write_wiring`; results go to a subfolder and are deleted again.
        external : ndarray of int, shape (N,)
            Number of external inputs of each neuron.
        initial : ndarray, shape (N,)
            Initial voltage in V.
        seed : int
            Of the external input and of the order of arrivals.
        on_progress : callable, optional
            Called with the fraction done.

        Returns
        -------
        arrays : dict of str to ndarray
            What the monitors recorded.
        timing : dict
            ``total_s``, ``loop_s``, ``peak_bytes``.
        """
        results = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
        try:
            arrays = results / "static_arrays"  # the program reads them from its working directory
            arrays.mkdir()
            for name, wired in self.manifest["static_arrays"].items():
                origin = Path(folder) / wired if wired else self.folder / "static_arrays" / name
                arrays.joinpath(name).symlink_to(origin)
            arguments = [f"neurons.run_seed={seed}"]
            given = {
                **self._values(params),
                "v": np.asarray(initial),
                "K_X": external.astype(float),
            }
            for name, value in given.items():
                if np.ndim(value) == 0:
                    arguments.append(f"neurons.{name}={float(value)!r}")
                else:
                    _write(results / f"{name}.in", value)
                    arguments.append(f"neurons.{name}={results / (name + '.in')}")
            command = [str(self.folder / "main"), "--results_dir", f"{results}/", *arguments]
            done = processes.run(command, cwd=results, on_progress=on_progress)
            info = results / "last_run_info.txt"  # written last, and left empty on a full disk
            whole = info.is_file() and info.stat().st_size > 0
            if done.code != 0 or not whole or "rror" in done.output:
                raise SimulationError(
                    f"the simulation stopped ({_reason(done.code)}): "
                    f"{done.output.strip() or 'it printed nothing'}{_disk_full(results)}"
                )
            timing = {
                "total_s": done.seconds,
                "loop_s": float(info.read_text().split()[0]),
                "peak_bytes": done.peak_bytes,
            }
            return self._read(results), timing
        except OSError as error:
            raise SimulationError(f"{error.filename or results}: {error.strerror}") from error
        finally:
            shutil.rmtree(results, ignore_errors=True)

    def _values(self, params):
        sizes = (self.manifest["N_E"], self.manifest["N_I"])
        both = [params.resolve(population) for population in "EI"]
        values = {}
        for name, shared in self.manifest["parameters"].items():
            pair = [values_of[name] for values_of in both]
            values[name] = pair[0] if shared else np.repeat(pair, sizes)
        return values

    def _read(self, results):
        lengths = {}
        for monitor, (file, dtype) in self.manifest["lengths"].items():
            length = np.fromfile(results / file, dtype=dtype)
            lengths[monitor] = int(length[0]) if length.size else -1
        arrays = {}
        for name, (file, dtype, columns) in self.manifest["recorded"].items():
            array = np.fromfile(results / file, dtype=dtype)
            # Brian2 does not look whether it could write
            if array.size != lengths[name.partition("_")[0]] * (columns or 1):
                raise SimulationError(
                    f"{results / file}: got {array.nbytes} bytes, fewer than were recorded"
                    f"{_disk_full(results)}"
                )
            arrays[name] = array.reshape(-1, columns) if columns else array
        return arrays


def _write(path, array):
    array = np.ascontiguousarray(array)
    try:
        array.tofile(path)
    except OSError as error:  # numpy's has neither a file nor a reason
        raise SimulationError(
            f"{path}: cannot be written ({array.nbytes} bytes){_disk_full(path.parent)}"
        ) from error


def _disk_full(folder):
    """What to do if `folder` has run out of space; empty if it has not."""
    if shutil.disk_usage(folder).free > 1e6:
        return ""
    return f": no space left on the disk of {folder}; set TMPDIR to a folder on another one"


def _reason(code):
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def write_wiring(folder, wiring, dt):
    """Write synapses where runs in `folder` read them; programs of any model can share it."""
    from .network import waiting

    for population, name in (("E", "excitation"), ("I", "inhibition")):
        drawn = wiring[population]
        _write(folder / f"{name}_sources", drawn.sources)
        _write(folder / f"{name}_targets", drawn.targets)
        _write(folder / f"{name}_delay", waiting(drawn, dt))


def compile_network(params, layout, synapses, dt, duration, recorded, folder, jobs=None):
    """Compile a network.

    Parameters
    ----------
    params : Parameters
        The model; values can be changed at every run, as long as the same ones differ between the
        populations and the synapses are of the same kind.
    layout : Layout
        Sizes.
    synapses : dict of str to int
        Number of synapses by source population.
    dt, duration : float
        In s.
    recorded : sequence of int
        Neurons whose voltage and input are recorded.
    folder : path
        An empty folder to build in.
    jobs : int, optional
        Compiler processes side by side; by default one a core.

    Returns
    -------
    Program

    Raises
    ------
    SimulationError
        With the compiler's own message.
    """
    folder = Path(folder)
    specification = {
        "params": params.to_dict(),
        "N_E": layout.N_E,
        "N_I": layout.N_I,
        "synapses": synapses,
        "dt": dt,
        "duration": duration,
        "recorded": [int(i) for i in recorded],
        "jobs": jobs or os.cpu_count() or 1,
    }
    (folder / "specification.json").write_text(json.dumps(specification))
    package_root = str(Path(sys.modules["cbnet"].__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
    done = processes.run(
        [sys.executable, "-c", f"from {__name__} import _build; _build({str(folder)!r})"],
        cwd=folder,
        # temporary files of Brian2 and the compiler vanish with the folder, whatever happens
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)},
    )
    manifest = folder / "manifest.json"
    if done.code != 0 or not manifest.is_file():
        raise SimulationError(
            f"compiling failed ({_reason(done.code)}){_disk_full(folder)}:\n{_errors(done.output)}"
        )
    return Program(folder, json.loads(manifest.read_text()), done.seconds)


def _errors(output):
    """The compiler's first complaints, or the end of what was printed if there are none."""
    lines = output.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if "error" in line.lower()), None)
    shown = lines[-20:] if first is None else lines[max(0, first - 2) : first + 18]
    return "\n".join(shown) or "the compiler printed nothing"


def _origins(static_arrays, synapses):
    """Which file of :func:`write_wiring` stands in for each array that was compiled in.

    Brian2 names these arrays differently from version to version; one that is not found must
    stop the build, or every run would use the synapses compiled in.
    """
    origins = dict.fromkeys(static_arrays, "")
    for one in synapses:
        wanted = ["sources", "targets"]
        if not one.pre.variables["delay"].scalar:
            wanted.append("delay")
        for ending in wanted:
            pattern = rf"_static_array_.*_{one.name}_(?:_pre_)?{ending}"
            found = [name for name in static_arrays if re.fullmatch(pattern, name)]
            if len(found) != 1:
                raise SimulationError(
                    f"Brian2's arrays of {one.name}: got {sorted(static_arrays)}; expected one for "
                    f"its {ending}: this version of Brian2 is not supported"
                )
            origins[found[0]] = f"{one.name}_{ending}"
    return origins


# Most of the time goes into reading the same headers for each of some twenty small files: they are
# compiled once, in front. Brian2's own target would also read every file twice, for dependencies.
_MAKEFILE = """
include makefile
.DEFAULT_GOAL := program
CXXFLAGS += -include objects.h

program: $(OBJS)
\t$(CXX) $(OBJS) -o main $(LFLAGS)

$(OBJS): objects.h.gch

objects.h.gch: objects.h
\t$(CXX) -c $(OPTIMISATIONS) -Wno-write-strings -I. -x c++-header objects.h -o objects.h.gch
"""


def _compile(folder, jobs):
    (folder / "cbnet.mk").write_text(_MAKEFILE)
    subprocess.run(["make", "-s", "-f", "cbnet.mk", f"-j{jobs}"], cwd=folder, check=True)
    (folder / "objects.h.gch").unlink()  # larger than everything else together


def _build(folder):
    """Generate and compile in this process, which does nothing else."""
    import brian2
    from brian2.devices import device

    from . import network

    folder = Path(folder)
    spec = json.loads((folder / "specification.json").read_text())
    params = Parameters.from_dict(spec["params"])
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.prefs.core.stop_on_keyboard_interrupt = False
    layout = Layout(spec["N_E"], spec["N_I"], {})
    parts = network.create(params, layout, spec["dt"])
    for population, synapses in parts.synapses.items():
        # of the right size; every run brings its own
        none = np.zeros(spec["synapses"][population], np.int32)
        synapses.connect(i=none, j=none)
        if not synapses.pre.variables["delay"].scalar:
            synapses.delay = none * brian2.second
    spikes, traces = network.record(parts, spec["recorded"], spec["dt"])
    parts.neurons.K_X = np.zeros(layout.N)
    parts.neurons.v = np.zeros(layout.N) * brian2.volt
    device.apply_run_args()
    device.insert_code(
        "main", "brian::_random_generators[0].seed((unsigned long)_array_neurons_run_seed[0]);"
    )
    together = parts.network
    together.add(spikes, traces)
    report = 'std::cout << "cbnet progress " << completed << std::endl;'
    together.run(
        spec["duration"] * brian2.second,
        report=report,
        report_period=_PROGRESS_PERIOD * brian2.second,
    )
    device.build(directory=str(folder), compile=False, run=False)
    _compile(folder, spec["jobs"])
    group = parts.neurons
    recorded, lengths = {}, {}
    for monitor in (spikes, traces):
        variable = monitor.variables["N"]
        file = os.path.basename(device.get_array_filename(variable))
        lengths[monitor.name] = (file, np.dtype(variable.dtype).str)
    for monitor, names, columns in (
        (spikes, ["i", "t"], 0),
        (traces, ["t"], 0),
        (traces, traces.record_variables, len(spec["recorded"])),
    ):
        for name in names:
            variable = monitor.variables[name]
            file = os.path.basename(device.get_array_filename(variable))
            key = f"{monitor.name}_{name}"
            recorded[key] = (file, np.dtype(variable.dtype).str, columns)
    manifest = {
        "N_E": layout.N_E,
        "N_I": layout.N_I,
        "parameters": {
            name: bool(group.variables[name].scalar) for name in network.parameter_names(params)
        },
        "static_arrays": _origins(device.static_arrays, parts.synapses.values()),
        "recorded": recorded,
        "lengths": lengths,
    }
    partial = folder / "manifest.partial"
    partial.write_text(json.dumps(manifest))
    partial.rename(folder / "manifest.json")
