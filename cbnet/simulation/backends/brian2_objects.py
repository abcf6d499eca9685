"""Run a network of any populations through Brian2's own objects.

A process of its own makes the objects: Brian2's standalone device is global to a process and builds
one project, and the graph with its copies is gone when the process is. With a compiler it leaves a
program, which is compiled and run; without one it runs the network itself, by Brian2's numpy
target. Either way spikes and voltages are left in files, of which sums are made here.
"""

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np

from ...errors import SimulationError
from ..brian.statements import moves_potential
from ..measure.monitored import from_monitors
from . import processes, standalone
from .program import disk_full

_REPORT = 'std::cout << "cbnet progress " << completed << std::endl;'
_PEAK = """
{ struct rusage used; getrusage(RUSAGE_SELF, &used);
  std::cout << "cbnet peak " << used.ru_maxrss * 1024L << std::endl; }
"""


def run(job, children, on_progress, compiled=True, jobs=None):
    """Run a job.

    Parameters
    ----------
    job : cbnet.simulation.network_job.NetworkJob
    children : cbnet.simulation.backends.processes.Children
        Whose scratch folder everything is made in, and removed with.
    on_progress : callable
        Called with the fraction done.
    compiled : bool
        Whether there is a compiler.
    jobs : int, optional
        Compiler processes side by side.

    Returns
    -------
    accumulated : cbnet.simulation.measure.online.Accumulated
    counted : dict
        ``synapses``, ``build_s``, ``simulate_s`` and ``peak_bytes``.

    Raises
    ------
    SimulationError
        With the message of what failed.
    """
    folder = children.scratch / "sources"
    folder.mkdir()
    with (folder / "job.pickle").open("wb") as file:
        pickle.dump((job, compiled), file)
    root = str(Path(sys.modules["cbnet"].__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    made = children.run(
        [sys.executable, "-c", f"from {__name__} import make; make()"],
        cwd=folder,
        on_progress=on_progress,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)},
    )
    if made.code != 0 or not (folder / "manifest.json").is_file():
        raise _failed("making the network", made, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    done, build_s = made, 0.0
    if compiled:
        program = children.scratch / "program"
        program.mkdir()
        (folder / "static_arrays").rename(program / "static_arrays")
        standalone.compile_program(folder, program, jobs or os.cpu_count() or 1, children)
        results = children.scratch / "results"
        results.mkdir()
        done = children.run(
            [str(program / "main"), "--results_dir", f"{results}/"], program, on_progress
        )
        info = results / "last_run_info.txt"  # written last
        if done.code != 0 or "rror" in done.output or not info.is_file():
            raise _failed("the simulation", done, results)
        build_s, folder = made.seconds, results
    accumulated = _accumulated(job, manifest, folder)
    counted = {
        "synapses": manifest["synapses"],
        "build_s": build_s,
        "simulate_s": done.seconds,
        "peak_bytes": done.peak_bytes,
    }
    return accumulated, counted


def _failed(what, done, folder):
    lines = done.output.strip().splitlines()
    reason = next((x for x in reversed(lines) if "Error" in x or "rror:" in x), None)
    told = reason or "\n".join(lines[-5:]) or "it printed nothing"
    full = disk_full(folder, done.output)
    return SimulationError(
        f"{what} failed ({processes.reason(done.code, done.output)}){full}: {told}"
    )


def _accumulated(job, manifest, folder):
    seen, recording = job.observation, job.recording

    def array(name):
        file, dtype = manifest["arrays"][name]
        return np.fromfile(folder / file, dtype)

    def potentials(name, columns, every):
        """Those of the window, of samples at the beginnings of steps 0, `every`, ..."""
        first = seen.first_step // every + 1
        return array(name).reshape(-1, len(columns))[first:]

    samples = (seen.first_step + seen.steps) // job.every - seen.first_step // job.every
    v = np.empty((samples, sum(seen.probes)))
    held = np.empty(v.shape, bool)
    traces = np.empty((recording.rows(seen.steps), len(recording.traced)), recording.dtype)
    neurons, steps = [], []
    for k, block in enumerate(manifest["blocks"]):
        neurons.append(np.asarray(block["neurons"])[array(f"spikes_{k}.i")])
        steps.append(np.rint(array(f"spikes_{k}.t") / job.dt).astype(np.int64))
        own, traced = block["probes"], block["traced"]
        v[:, own] = potentials(f"probes_{k}.v", own, job.every)
        if block["jumps"]:
            v[:, own] = (v[:, own] + potentials(f"leaked_{k}.v", own, job.every)) / 2
        held[:, own] = potentials(f"probes_{k}.not_refractory", own, job.every) == 0
        if traced:
            traces[:, traced] = potentials(f"traces_{k}.v", traced, recording.every)[: len(traces)]
    if not np.isfinite(v).all():
        raise SimulationError(
            f"v: a potential is no number any more: the equations run away within dt = "
            f"{job.dt * 1e3:g} ms; take a lower threshold or a shorter dt"
        )
    return from_monitors(
        seen, np.concatenate(neurons), np.concatenate(steps), v, held, traces=traces
    )


def make():
    """Make the objects in a process that does nothing else: a program, or its results."""
    import brian2
    from brian2.devices import device

    from ..brian import objects

    folder = Path.cwd()
    with (folder / "job.pickle").open("rb") as file:
        job, compiled = pickle.load(file)
    brian2.prefs.reset_to_defaults()  # the user's own are for the user's programs
    brian2.BrianLogger.suppress_hierarchy("brian2")
    if compiled:
        brian2.set_device("cpp_standalone", build_on_run=False)
    else:
        brian2.prefs.codegen.target = "numpy"
    brian2.prefs.core.stop_on_keyboard_interrupt = False
    brian2.defaultclock.dt = job.dt * brian2.second
    brian2.seed(int(np.random.SeedSequence(job.seed).spawn(2)[1].generate_state(1)[0]))
    made = objects.create(job.net, job.dt, job.seed, job.graph_seed)
    monitors, blocks = _monitors(job, made)
    together = brian2.Network(*made.all, *(m for m, _ in monitors))
    # what a step leaves behind is seen when the next one begins: one more than is measured
    steps = job.observation.first_step + job.observation.steps + 1
    together.run(
        steps * job.dt * brian2.second,
        namespace={},
        report=_REPORT if compiled else _report,
        report_period=0.5 * brian2.second,
    )
    files = _program(folder, device) if compiled else _results(folder, monitors)
    manifest = {
        "synapses": sum(len(one.i) for one in made.edges),
        "blocks": blocks,
        "arrays": {
            f"{monitor.name}.{name}": files(monitor, name)
            for monitor, names in monitors
            for name in names
        },
        "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*.cpp")),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _report(elapsed, completed, start, duration):
    print(f"cbnet progress {float(completed)}", flush=True)


def _monitors(job, made):
    """Monitors with the variables that are read from them, and which neurons they are."""
    import brian2

    spans, recording = job.spans, job.recording
    monitors, blocks = [], []
    before = np.cumsum([0, *(len(p) for p in job.probes)])
    column_of = {int(neuron): k for k, neuron in enumerate(recording.traced)}
    for k, block in enumerate(made.blocks):
        neurons, probes, columns = [], [], []
        for name in block.names:
            first, last = spans.span(name)
            neurons += range(first, last)
            p = job.net.names.index(name)
            probes += (job.probes[p] + block.first[name]).tolist()
            columns += range(int(before[p]), int(before[p + 1]))
        monitors.append((brian2.SpikeMonitor(block.group, name=f"spikes_{k}"), ("i", "t")))
        seen = ["v", "not_refractory"]
        of_block = block, job.every, job.dt
        monitors.append((_state(*of_block, seen, probes, f"probes_{k}"), seen))
        jumps = any(moves_potential(s.on_pre) for s in block.neuron.synapses.values())
        if jumps:  # between which v decays: what it is on average is half way
            leaked = _state(*of_block, ["v"], probes, f"leaked_{k}", when="after_groups")
            monitors.append((leaked, ["v"]))
        traced = [n for n, neuron in enumerate(neurons) if neuron in column_of]
        if traced:
            traces = _state(block, recording.every, job.dt, ["v"], traced, f"traces_{k}")
            monitors.append((traces, ["v"]))
        of_traced = [column_of[neurons[n]] for n in traced]
        blocks.append({"neurons": neurons, "probes": columns, "traced": of_traced, "jumps": jumps})
    return monitors, blocks


def _state(block, every, dt, names, who, name, when="start"):
    import brian2

    clock = {} if every == 1 else {"dt": every * dt * brian2.second}
    return brian2.StateMonitor(
        block.group, names, record=np.array(who), when=when, name=name, **clock
    )


def _program(folder, device):
    """Write the sources; tells the file and type of a monitor's variable."""
    device.insert_code("after_end", _PEAK)
    device.build(directory=str(folder), compile=False, run=False)
    (folder / "all.h").write_text(standalone.ALL_HEADERS + "#include <sys/resource.h>\n")

    def file(monitor, name):
        variable = monitor.variables[name]
        path = os.path.basename(device.get_array_filename(variable))
        return path, np.dtype(variable.dtype).str

    return file


def _results(folder, monitors):
    """Write what monitors saw, likewise."""

    def file(monitor, name):
        array = np.ascontiguousarray(monitor.variables[name].get_value())
        path = f"{monitor.name}.{name}"
        array.tofile(folder / path)
        return path, array.dtype.str

    return file
