"""What is measured: each function returns rows of the table of :mod:`benchmarks.core`."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from brian2 import Hz, ms, second
from scipy.optimize import brentq

import cbnet
from cbnet.model.reduced import of_model
from cbnet.simulation.event_driven import arrival_rates
from cbnet.simulation.step.plain_step import PlainChain
from cbnet.simulation.step.timestep import LADDER, bias
from cbnet.simulation.wiring.storage import available_memory

from .measuring import Row, in_turn, ratios
from .plain import Plain, Program

ROOT = Path(__file__).resolve().parent.parent
TRANSIENT = 0.1  # s, part of every simulated time
UNASKED = float("nan")
_EXPONENTIAL = {"tau_S": 5e-3, "nu_X": 21.5}  # s, Hz: about 12 Hz


def reference(rate, K=1000, **values):
    """The reference set with the external rate at which theory says `rate` (Hz)."""
    params = cbnet.load("conductance").scaled("sqrt", K=K).replace(**values)

    def excess(nu_X):
        points = cbnet.solve(params.replace(nu_X=nu_X * Hz), noise="diffusion").fixed_points
        return float(points[-1].rate_E / Hz) - rate

    return params.replace(nu_X=round(brentq(excess, 5, 60, xtol=0.01), 2) * Hz)


def plain_of(params, N=10_000, **more):
    """The plain network of a set of parameters."""
    v = params.resolve("E")
    names = ("K", "gamma", "a", "g", "nu_X", "D_min", "D_max")
    given = {name: v[name] for name in names} | {"tau_S": v["tau_E"]} | more
    return Plain(N_E=N * 4 // 5, N_I=N // 5, **given)


def simulated(params, duration, dt, N=10_000, **options):
    """A function that simulates with cbnet for `duration` in all (s)."""

    def run():
        return cbnet.simulate(
            params,
            N=N,
            duration=(duration - TRANSIENT) * second,
            transient=TRANSIENT * second,
            dt=dt * second,
            seed=1,
            **options,
        )

    return run


def loop_row(work, required, repeats, plain, run, span, plain_span=None):
    """Loops of plain Brian2 and of cbnet, in seconds a simulated second."""
    run()  # what has to be compiled is
    theirs, ours = in_turn(repeats, plain.run, run)
    plain_span = plain_span or span
    values = ratios([r.loop_s / plain_span for r in theirs], [r.simulate_s / span for r in ours])
    more = {
        "plain_ns_event": statistics.median(r.loop_s / r.events * 1e9 for r in theirs),
        "cbnet_ns_event": statistics.median(r.simulate_s / r.events * 1e9 for r in ours),
        "plain_Hz": theirs[0].spikes_E / plain.plain.N_E / plain_span,
        "cbnet_Hz": float(ours[0].rate_E / Hz),
        "storage": ours[0].storage,
    }
    return Row(work, required, values, more=more)


def loop50(repeats):
    """Whole loop at 50 Hz, Brian2's order of arrivals in both."""
    one = reference(50, D=0.1 * ms)
    many = one.replace(D_min=0.1 * ms, D_max=10 * ms)
    plain, spread = Program(plain_of(one)), Program(plain_of(many))
    wide = "avx512f" in Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else 0
    name = "1 loop, 1e4 neurons, 50 Hz, dt .1 ms"
    rows = []
    for storage, required, params, program in (
        ("stored", 6, one, plain),
        ("bitmap", 10 if wide else UNASKED, one, plain),
        ("stored", UNASKED, many, spread),
    ):
        delays = "one delay" if params is one else "delays .1-10 ms"
        run = simulated(params, 0.5, 1e-4, storage=storage, arrivals="brian2")
        rows.append(loop_row(f"{name}, {storage}, {delays}", required, repeats, program, run, 0.5))
    return rows


def open_loop(params):
    """Biases of plain Brian2's steps, by order and step, and cbnet's at 0.1 ms."""
    point = cbnet.solve(params, noise="diffusion").fixed_points[-1]
    r_I = float(point.rate_I / Hz)
    r_E = float(params.nu_X / Hz) + float(point.rate_E / Hz)
    values = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
    chain = PlainChain(of_model(params.model, values), values, spacing=0.03)
    steps = [dt for dt in LADDER if dt <= 1e-4]
    table = {
        first: {dt: chain.plain_bias(dt, first) for dt in steps}
        for first in ("excitation", "inhibition")
    }
    return table, bias(params, 1e-4, r_E, r_I), (r_E, r_I, chain.exact_rate)


def as_good(biases, target):
    """The longest step from which on the bias stays within `target`; None if there is none."""
    found = None
    for dt in sorted(biases):
        if abs(biases[dt]) > target:
            break
        found = dt
    return found


def accuracy(repeats):
    """The loop at 50 Hz with plain Brian2 at steps at which one neuron is as right as cbnet's."""
    params = reference(50, D=0.1 * ms)
    table, own, (r_E, r_I, exact) = open_loop(params)
    # the bias of plain steps is computed to about this
    as_cbnet = max(abs(own), 2e-3)
    run = simulated(params, 0.5, 1e-4, arrivals="random")
    rows = []
    for first, required in (("excitation", 25), ("inhibition", 6)):
        # Brian2 itself at two steps: the table of biases is computed, this is measured
        alone = Program(
            plain_of(
                params, 2500, first=first, wiring="poisson", drive="none", r_E=r_E, r_I=r_I,
                duration=0.5,
            )
        )  # fmt: skip
        measured = {dt: alone.run(dt).spikes_E / 2000 / 0.5 / exact - 1 for dt in (1e-4, 2e-5)}
        for target, asked, words in (
            (as_cbnet, required, f"bias of cbnet, {100 * as_cbnet:.2g} %"),
            (0.01, UNASKED, "bias of 1 %"),
        ):
            dt = as_good(table[first], target)
            at = dt or LADDER[-1]
            span = 0.5 if at >= 1e-5 else 0.1
            plain = Program(plain_of(params, first=first, dt=at, duration=span))
            row = loop_row(
                f"2 equal accuracy ({words}), {first} first", asked, repeats, plain, run, 0.5, span
            )
            row.more.update(
                plain_dt_ms=at * 1e3,
                reached=dt is not None,
                plain_bias={f"{k * 1e3:g} ms": round(v, 5) for k, v in table[first].items()},
                plain_bias_measured={f"{k * 1e3:g} ms": round(v, 4) for k, v in measured.items()},
                cbnet_bias=own,
            )
            rows.append(row)
    return rows


def loop10(repeats):
    """The same at 10 Hz, and with a step of 0.02 ms."""
    rows = []
    for rate, dt in ((10, 1e-4), (50, 2e-5), (10, 2e-5)):
        params = reference(rate, D=0.1 * ms)
        plain = Program(plain_of(params, dt=dt))
        run = simulated(params, 0.5, dt, arrivals="brian2")
        work = f"3 loop, 1e4 neurons, {rate} Hz, dt {dt * 1e3:g} ms"
        rows.append(loop_row(work, 4, repeats, plain, run, 0.5))
    return rows


def large(repeats):
    """1e5 neurons with K = 1000."""
    if available_memory() < 12e9:
        raise SystemExit("large: expected 12 GB of free memory, which plain Brian2's arrays take")
    params = reference(50, D=0.1 * ms)
    plain = Program(plain_of(params, 100_000, duration=0.2))
    rows = []
    for storage, required in (("stored", 4), ("procedural", 5)):
        run = simulated(params, 0.2, 1e-4, 100_000, storage=storage, arrivals="brian2")
        work = f"4 loop, 1e5 neurons, 50 Hz, dt .1 ms, {storage}"
        rows.append(loop_row(work, required, repeats, plain, run, 0.2))
    return rows


def exponential_parameters():
    """The reference set with synaptic time constants, at about 12 Hz."""
    values = {"tau_S": _EXPONENTIAL["tau_S"] * second, "nu_X": _EXPONENTIAL["nu_X"] * Hz}
    return cbnet.load("conductance").replace(D=0.1 * ms, **values)


def exponential(repeats):
    """Exponential conductances at about 12 Hz."""
    params = exponential_parameters()
    plain = Program(plain_of(params))
    run = simulated(params, 0.5, 1e-4)
    work = "5 loop, exponential conductances, 12 Hz, dt .1 ms"
    return [loop_row(work, 4, repeats, plain, run, 0.5)]


def memory(repeats):
    """Bytes of a stored synapse: peak memory above that of a network with next to none."""
    params = reference(50, D=0.1 * ms)
    plain, bare = (Program(plain_of(params, duration=0.15, wiring=w)) for w in ("arrays", "none"))
    few = params.replace(K=4, a=0.0015)
    theirs, none, ours, nearly_none = in_turn(
        repeats,
        plain.run,
        bare.run,
        simulated(params, 0.15, 1e-4, storage="stored"),
        simulated(few, 0.15, 1e-4, storage="stored"),
    )

    def each(full, empty, synapses):
        return tuple((a - b) * 1e6 / synapses for a, b in zip(full, empty, strict=True))

    synapses = ours[0].synapses - nearly_none[0].synapses
    found = each([r.peak_rss_MB for r in ours], [r.peak_rss_MB for r in nearly_none], synapses)
    beside = each([r.peak_MB for r in theirs], [r.peak_MB for r in none], plain.plain.synapses)
    more = {"plain_bytes": statistics.median(beside)}
    return [Row("6 bytes a stored synapse, peak, one delay", 2.2, found, "B", more)]


def wiring(repeats):
    """Nanoseconds to wire a stored synapse."""
    rows = []
    for law, theirs, limit in (("bernoulli", "bernoulli", 15), ("fixed", "sample", 25)):
        params = reference(50, D=0.1 * ms, law=law)
        plain = Program(plain_of(params, duration=0.11, wiring=theirs))
        arrays = Program(plain_of(params, duration=0.11, wiring="arrays"))
        run = simulated(params, 0.11, 1e-4, storage="stored")
        run()
        generated, given, ours = in_turn(repeats, plain.run, arrays.run, run)
        n = ours[0].synapses
        a, b = [r.wire_s / n * 1e9 for r in generated], [r.wire_s / n * 1e9 for r in ours]
        more = {
            "plain_ns": statistics.median(a),
            "cbnet_ns": statistics.median(b),
            "aim_ns": limit,
            "plain_ns_from_arrays": statistics.median(r.wire_s / n * 1e9 for r in given),
        }
        rows.append(Row(f"7 wiring a stored synapse, {law}", 3, ratios(a, b), more=more))
    return rows


def drive(repeats):
    """Nanoseconds of the external input of a neuron in a step."""
    means = (0.01, 0.1, 1, 10)
    with tempfile.TemporaryDirectory(prefix="drive-") as folder:
        program = Path(folder) / "drive"
        headers = ROOT / "cbnet" / "simulation" / "cpp"
        command = [os.environ.get("CXX", "g++"), "-O3", "-march=native", "-ffast-math"]
        command += ["-std=c++17", f"-I{headers}", str(Path(__file__).parent / "drive.cpp")]
        subprocess.run([*command, "-o", str(program)], check=True)

        def ours():
            said = subprocess.run([program, *map(str, means)], capture_output=True, text=True)
            found = np.array([line.split() for line in said.stdout.splitlines()], float)
            if not np.allclose(found[:, 2], means, rtol=0.01):
                raise RuntimeError(f"drive: got mean counts {found[:, 2]}; expected {means}")
            return found[:, 1]

        empty = Program(Plain(wiring="none", drive="none", duration=0.2))
        each = 10_000 * 0.2 / 1e-4 * 1e-9
        programs = {
            mean: Program(Plain(wiring="none", drive="count", nu_X=mean * 10, duration=0.2))
            for mean in means
        }

        def theirs():
            nothing = empty.run().loop_s
            return [(programs[mean].run().loop_s - nothing) / each for mean in means]

        plain, cpp = (np.array(found).T for found in in_turn(repeats, theirs, ours))
    rows = []
    for mean, a, b in zip(means, plain, cpp, strict=True):
        more = {"plain_ns": statistics.median(a), "cbnet_ns": statistics.median(b)}
        required = 5 if mean >= 0.1 else UNASKED
        rows.append(
            Row(
                f"8 external input, a neuron-step, mean {mean:g}", required, ratios(a, b), more=more
            )
        )
    return rows


def sizes(repeats):
    """Networks that plain Brian2 cannot hold: their memory."""
    rows = []
    for N, K, span, limit in ((125_000, 10_000, 0.2, 1000), (250_000, 100_000, 0.25, 2000)):
        result = simulated(reference(50, K=K), span, 1e-4, N, storage="procedural")()
        more = {
            "loop_s": result.simulate_s,
            "wire_s": result.wire_s,
            "ns_event": result.simulate_s / result.events * 1e9,
            "rate_Hz": float(result.rate_E / Hz),
            "storage": result.storage,
        }
        work = f"9 {N:g} neurons, K = {K:g}, {span:g} s"
        rows.append(Row(work, limit, (result.peak_rss_MB,), "MB", more))
    return rows


def _shell(*arguments, folder=None):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    if folder is not None:
        environment["CBNET_CACHE"] = str(folder)
    return subprocess.Popen(
        [sys.executable, "-m", "cbnet", *arguments, "--json", "--quiet"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _answer(process):
    said, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(process.args)}: exit code {process.returncode}")
    return json.loads(said)


def pair(repeats):
    """Two processes side by side: their throughput over that of one."""
    arguments = ("simulate", "conductance", "--set", "D=0.1ms", "--duration", "2s", "--dt", "0.1ms")

    def alone():
        return _answer(_shell(*arguments))["simulate_s"]

    def together():
        both = [_shell(*arguments) for _ in range(2)]
        return [_answer(one)["simulate_s"] for one in both]

    alone()
    one, two = in_turn(repeats, alone, together)
    values = tuple(t / a + t / b for t, (a, b) in zip(one, two, strict=True))
    more = {"cores": os.cpu_count(), "alone_s": statistics.median(one)}
    return [Row("11 two processes side by side, throughput of one", 1.8, values, more=more)]


def warm(repeats):
    """From the shell to the answer with a structure that was compiled before."""
    arguments = ("simulate", "conductance", "-N", "1000", "--set", "K=100", "--set", "a=0.005")
    arguments += ("--duration", "0.1s", "--transient", "0s", "--dt", "0.1ms")
    _answer(_shell(*arguments))
    taken = []
    for repeat in range(repeats):
        start = time.perf_counter()
        answer = _answer(
            _shell(*arguments, "--set", f"nu_X={60 + repeat}Hz", "--seed", str(repeat))
        )
        taken.append(time.perf_counter() - start)
    more = {"build_s": answer["build_s"], "simulate_s": answer["simulate_s"]}
    return [Row("12 second run of a structure, 1000 neurons, shell", 3, tuple(taken), "s", more)]


def compare(repeats):
    """``cbnet compare`` with an empty cache."""
    with (
        tempfile.TemporaryDirectory(prefix="cache-") as cache,
        tempfile.TemporaryDirectory() as out,
    ):
        start = time.perf_counter()
        answer = _answer(_shell("compare", "--out", out, folder=cache))
        taken = time.perf_counter() - start
    simulated_K = sorted({row["K"] for row in answer["rows"] if row.get("simulation")})
    more = {"simulated_K": " ".join(map(str, simulated_K))}
    return [Row("13 cbnet compare, cold", 180, (taken,), "s", more)]


ROWS = {
    f.__name__: f
    for f in (
        loop50, accuracy, loop10, large, exponential, memory, wiring, drive, sizes, pair, warm,
        compare,
    )
}  # fmt: skip
ONLY_WHEN_ASKED = ("compare",)
