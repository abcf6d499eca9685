"""The same networks by plain Brian2 in its best form: built once, run many times.

C++ standalone with Brian2's own compiler flags, one thread, synapses in presynaptic order, one
``Synapses`` object for each source population. Nothing of cbnet is used, so that these programs
are what an expert writes by hand. A program says how long its loop took (Brian2's
``last_run_info.txt``), how long its synapses took from the start of the program to the first step,
and how much memory it needed.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

INSTANTANEOUS = "dv/dt = -(v - E_L)/tau_L : volt (unless refractory)"
FILTERED = """
dv/dt = -(v - E_L)/tau_L - s_E*(v - E_E) - s_I*(v - E_I) : volt (unless refractory)
ds_E/dt = -s_E/tau_S : Hz
ds_I/dt = -s_I/tau_S : Hz
"""


@dataclass(frozen=True)
class Plain:
    """What a program is made of. Times in s, rates in Hz, voltages in V.

    Attributes
    ----------
    N_E, N_I, K, gamma, a, g, nu_X, tau_S
        As in the reference set; `tau_S` is 0 for instantaneous synapses.
    dt, duration, D_min, D_max : float
        One delay for all if the last two are equal.
    first : {"excitation", "inhibition"}
        Whose arrivals are applied first in a step; external ones go with the excitatory ones.
    wiring : {"arrays", "bernoulli", "sample", "none", "poisson"}
        Fixed in-degree from arrays in presynaptic order; Brian2's own ``connect(p=...)``; its own
        generator for fixed in-degrees; no recurrent synapses; Poisson trains in their place.
    drive : {"PoissonInput", "poisson", "count", "none"}
        How external input is written; ``"count"`` draws the numbers and does nothing with them.
    r_E, r_I : float
        Rates of the inputs of a neuron where `wiring` is ``"poisson"``; `nu_X` is not used then.
    """

    N_E: int = 8000
    N_I: int = 2000
    K: int = 1000
    gamma: float = 0.25
    a: float = 0.0015
    g: float = 20.0
    nu_X: float = 30.0
    tau_S: float = 0.0
    dt: float = 1e-4
    duration: float = 0.5
    D_min: float = 1e-4
    D_max: float = 1e-4
    first: str = "excitation"
    wiring: str = "arrays"
    drive: str = "PoissonInput"
    r_E: float = 0.0
    r_I: float = 0.0
    seed: int = 1

    @property
    def N(self):
        """All neurons."""
        return self.N_E + self.N_I

    @property
    def recurrent(self):
        """Whether it has synapses."""
        return self.wiring in ("arrays", "bernoulli", "sample")

    @property
    def synapses(self):
        """How many, on average."""
        return round(self.N * self.K * (1 + self.gamma)) if self.recurrent else 0


@dataclass(frozen=True)
class Run:
    """What one run of a program took.

    Attributes
    ----------
    loop_s, wire_s, peak_MB : float
        Seconds in the loop over time and before it, peak memory of the process.
    spikes_E, spikes_I : int
        Of the whole run.
    events : float
        Recurrent synaptic events.
    """

    loop_s: float
    wire_s: float
    peak_MB: float
    spikes_E: int
    spikes_I: int
    events: float


class Program:
    """A compiled program.

    Parameters
    ----------
    plain : Plain
    folder : path, optional
        Where to build; a temporary folder that vanishes with the object if not given.
    """

    def __init__(self, plain, folder=None):
        self.plain = plain
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="plain-")
            folder = self._temporary.name
        self.folder = Path(folder)
        specification = self.folder / "specification.json"
        specification.write_text(json.dumps(dataclasses.asdict(plain)))
        command = [sys.executable, "-m", "benchmarks.plain", "--build", str(self.folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(
                f"plain Brian2 did not build:\n{(done.stdout + done.stderr)[-4000:]}"
            )

    def run(self, dt=None):
        """Run once, perhaps with another time step, which PoissonInput does not allow."""
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        if dt is not None:
            if self.plain.drive == "PoissonInput":
                raise ValueError("dt: PoissonInput has its probability compiled in")
            environment["PLAIN_DT"] = repr(dt)
        output = self.folder / "output.txt"
        with output.open("w") as stream:
            process = subprocess.Popen(
                ["./main"],
                cwd=self.folder / "program",
                env=environment,
                stdout=stream,
                stderr=stream,
            )
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed = output.read_text()
        if process.returncode != 0:
            raise RuntimeError(f"plain Brian2 stopped ({process.returncode}): {printed[-2000:]}")
        results = self.folder / "program" / "results"
        counts = np.fromfile(
            next(results.glob("_dynamic_array_spikes_count*"), None)
            or next(results.glob("_array_spikes_count*")),
            np.int32,
        )
        plain = self.plain
        spikes_E, spikes_I = int(counts[: plain.N_E].sum()), int(counts[plain.N_E :].sum())
        events = 0.0
        if plain.recurrent:
            out_E, out_I = (
                plain.K * plain.N / plain.N_E,
                plain.gamma * plain.K * plain.N / plain.N_I,
            )
            events = spikes_E * out_E + spikes_I * out_I
        loop = float((results / "last_run_info.txt").read_text().split()[0])
        wired = float(re.search(r"plain wired ([\d.e+-]+)", printed)[1])
        peak = usage.ru_maxrss / 1024  # Linux counts in kB
        return Run(loop, wired, peak, spikes_E, spikes_I, events)


def in_presynaptic_order(first, size, k, N, rng):
    """Fixed in-degree without multapses and autapses, sorted by source, then target.

    Parameters
    ----------
    first, size : int
        Index of the first source neuron in the network, and how many there are.
    k : int
        In-degree of each of the `N` neurons of the network.

    Returns
    -------
    i, j : ndarray of int32
        Source (counted in its population) and target.
    """
    i = np.empty((N, k), np.int32)
    for target in range(N):
        own = target - first
        if 0 <= own < size:
            drawn = rng.choice(size - 1, k, replace=False, shuffle=False)
            i[target] = drawn + (drawn >= own)
        else:
            i[target] = rng.choice(size, k, replace=False, shuffle=False)
    flat = i.ravel()
    # each target's block is in order of targets already, so that a stable sort gives both orders
    order = np.argsort(flat, kind="stable")
    return flat[order], (order // k).astype(np.int32)


def _build(folder):
    """Generate and compile in this process, which does nothing else."""
    import brian2 as b2
    from brian2 import Hz, second, volt

    folder = Path(folder)
    plain = Plain(**json.loads((folder / "specification.json").read_text()))
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    b2.defaultclock.dt = plain.dt * second
    b2.seed(plain.seed)
    filtered = plain.tau_S > 0
    names = {
        "tau_L": 20e-3 * second, "E_L": -80e-3 * volt, "E_E": 0 * volt, "E_I": -75e-3 * volt,
        "theta": -55e-3 * volt, "V_r": -65e-3 * volt, "tau_rp": 2e-3 * second,
        "a": plain.a, "g": plain.g,
    }  # fmt: skip
    if filtered:
        names["tau_S"] = plain.tau_S * second
    neurons = b2.NeuronGroup(
        plain.N,
        (FILTERED if filtered else INSTANTANEOUS) + "\ndrawn : 1" * (plain.drive == "count"),
        threshold="v > theta",
        reset="v = V_r",
        refractory="tau_rp",
        method="exponential_euler" if filtered else "exact",
        name="neurons",
    )
    rng = np.random.default_rng(plain.seed)
    clock = "std::chrono::duration<double>(std::chrono::steady_clock::now() - plain_start).count()"
    b2.device.insert_code(
        "before_start", "const auto plain_start = std::chrono::steady_clock::now();"
    )
    neurons.v = names["V_r"] + (names["theta"] - names["V_r"]) * rng.random(plain.N)
    late = {"excitation": 0, "inhibition": 0, plain.first: -1}
    objects = [neurons, b2.SpikeMonitor(neurons, name="spikes", record=False)]
    sources = {
        "excitation": (0, plain.N_E, plain.K, late["excitation"]),
        "inhibition": (plain.N_E, plain.N_I, round(plain.gamma * plain.K), late["inhibition"]),
    }
    if filtered:
        on_pre = {"excitation": "s_E_post += a/tau_S", "inhibition": "s_I_post += g*a/tau_S"}
        jumps = {"excitation": "s_E += {n}*a/tau_S", "inhibition": "s_I += {n}*g*a/tau_S"}
    else:
        on_pre = {
            "excitation": "v_post += a*(E_E - v_post)",
            "inhibition": "v_post += g*a*(E_I - v_post)",
        }
        jumps = {
            "excitation": "v = E_E + (v - E_E)*(1 - a)**{n}",
            "inhibition": "v = E_I + (v - E_I)*(1 - g*a)**{n}",
        }

    def poisson(name, total_rate):
        neurons.run_regularly(
            jumps[name].format(n=f"poisson({total_rate!r}*Hz*dt)"),
            when="synapses", order=late[name], name=f"drive_{name}",
        )  # fmt: skip

    if plain.wiring == "poisson":
        poisson("excitation", plain.K * plain.r_E)
        poisson("inhibition", plain.gamma * plain.K * plain.r_I)
    elif plain.drive == "poisson":
        poisson("excitation", plain.K * plain.nu_X)
    elif plain.drive == "count":
        neurons.run_regularly(
            f"drawn = poisson({plain.K * plain.nu_X!r}*Hz*dt)", when="synapses", name="drive"
        )
    elif plain.drive == "PoissonInput":
        target, weight = ("s_E", "a/tau_S") if filtered else ("v", "a*(E_E - v)")
        objects.append(
            b2.PoissonInput(
                neurons, target, N=plain.K, rate=plain.nu_X * Hz, weight=weight,
                when="synapses", order=late["excitation"],
            )
        )  # fmt: skip
    one_delay = plain.D_min == plain.D_max
    for name, (first, size, k, order) in sources.items() if plain.recurrent else ():
        synapses = b2.Synapses(
            neurons[first : first + size],
            neurons,
            on_pre=on_pre[name],
            delay=plain.D_min * second if one_delay else None,
            name=name,
        )
        if plain.wiring == "arrays":
            i, j = in_presynaptic_order(first, size, k, plain.N, rng)
            synapses.connect(i=i, j=j)
        elif plain.wiring == "bernoulli":
            synapses.connect(p=k / size)
        else:
            synapses.connect(i=f"_k for _k in sample(N_pre, size={k})")
        synapses.pre.order = order
        if not one_delay:
            synapses.delay = f"({plain.D_min!r} + {plain.D_max - plain.D_min!r}*rand())*second"
        objects.append(synapses)
    if plain.drive != "PoissonInput":
        b2.device.insert_code(
            "main",
            'if (std::getenv("PLAIN_DT"))\n'
            '    _array_defaultclock_dt[0] = std::atof(std::getenv("PLAIN_DT"));',
        )
    network = b2.Network(objects)
    network.run(plain.duration * second, namespace=names)
    b2.device.build(directory=str(folder / "program"), compile=False, run=False)
    main = folder / "program" / "main.cpp"
    text = main.read_text()
    # the queues of the synapses are filled between here and the first step, in network.run
    said = f'std::cout << "plain wired " << {clock} << std::endl;\n'
    text, found = re.subn(r"(\n[^\n]*\.run\([\d.e+-]+, )", rf"\n{said}\1", text)
    if found != 1:
        raise RuntimeError(f"plain Brian2: got {found} calls of run in main.cpp; expected one")
    main.write_text("#include <chrono>\n" + text)
    subprocess.run(["make", "-s", "-j2"], cwd=folder / "program", check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        _build(sys.argv[2])
