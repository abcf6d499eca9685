"""What a user calls: simulate a network, or have it as Brian2 objects."""

import dataclasses
import inspect
import math

import numpy as np

from ..errors import ParameterError
from ..model import unused
from ..model.entry import nearest
from ..results import plain
from . import network_job
from .backends.workshop import run_jobs
from .job import prepare
from .network_run import simulate_network

_PLACED = ("params", "net", "N", "duration")


def simulate(params, N=10_000, duration="1s", *, progress=None, **options):
    """Simulate one network with Brian2 (C++ standalone; numpy if there is no compiler).

    Parameters
    ----------
    params : Parameters or Network
        Model and values; or a network of named populations, which has its sizes: its second
        argument is the duration.
    N : int
        Neurons, excitatory and inhibitory.
    duration : Quantity
        Time that is measured.
    progress : object, optional
        With methods ``stage(name)`` and ``update(fraction)``.
    transient : Quantity
        Time that is discarded first; by default ten times the slowest of the model's time
        constants, refractory times and delays, and at least 0.2 s.
    dt : Quantity, optional
        Time step; by default one whose estimated bias on open-loop rates is within 1 %.
    seed : int
        Of the initial voltages, the external input and the wiring, which are separate streams.
    graph_seed : int, optional
        Of the wiring: the graph, its delays and the numbers of external inputs; `seed` if not
        given.
    record : int, sequence of int, or dict
        Neurons whose spikes and voltage are handed out: how many (spread over both populations) or
        which. A dict tells them apart: ``{"spikes": 500, "v": 10, "every": "1ms", "dtype":
        "float32"}`` is the spikes of 500 neurons of each population (or all of a smaller one) and
        the voltage of 10, at intervals of 1 ms (the nearest number of time steps; every step if not
        given), in four bytes each (eight if not given). ``{"E": 500, "I": 100}`` in place of a
        number tells populations apart, a sequence says which neurons. Traces count as memory.
    initial : {"uniform", "low", "high"} or Quantity
        Initial voltage: uniform between reset and threshold, at either of them, or a value.
    fraction_excitatory : float
        Share of excitatory neurons (default 0.8).
    storage : {"auto", "stored", "bitmap", "procedural"}
        How synapses are kept: by default what fits in memory and is fastest. It does not change
        the law of the graph (:func:`cbnet.simulation.wiring.storage.choose`).
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step: random with the threshold tested after each, or as Brian2's
        ``Synapses`` have it where the excitatory ones come first.
    graph : dict, optional
        For ``law="explicit"``: by source population ``"E"`` and ``"I"``, the sources (counted
        within their population), targets (in the whole network) and delays of all synapses.
    feedforward : bool
        Simulate neurons that are not connected, each under Poisson input: K trains of rate `r_E`
        and γK of rate `r_I`, as :func:`cbnet.respond` and :func:`cbnet.simulate_neuron` have it.
    memory : int, optional
        Bytes that may be used; by default what the machine has available.

    Returns
    -------
    Simulation or NetworkSimulation
        Statistics with standard errors, and everything that made them. The same arguments
        (`storage` among them) on the same machine give the same numbers bit for bit.

    Raises
    ------
    ParameterError
        If something asked for cannot be simulated; before anything is allocated.
    SimulationError
        If compiling or running fails, with the program's own message.

    Warns
    -----
    CbnetWarning
        If the time step shifts a statistic by more than 2 %, delays are rounded to steps, a time of
        the model is too long for the run or too short for its steps, a statistic still drifts, or
        there is no compiler.

    Notes
    -----
    Of a network of named populations, `transient`, `dt`, `seed`, `graph_seed`, `record` (with the
    names of its populations) and `memory` are taken; voltages start where its populations say. The
    default step is a twentieth of its shortest time constant, at most 0.1 ms (0.05 ms where spikes
    move v at once), and no bias of it is estimated: ``dt_bias`` is NaN.

    Assumptions
    -----------
    Every neuron has K and γK distinct presynaptic partners, itself not among them, exactly
    (``law="fixed"``) or on average, and K external Poisson inputs, exactly or on average likewise.
    """
    if hasattr(params, "arrivals"):
        if duration == "1s" and N != 10_000:  # as in simulate(net, "2s")
            duration = N
        _check_names(options, network_job.prepare)
        return simulate_network(params, duration, progress=progress, **options)
    _check_names(options)
    job = prepare(params, N, duration, **options)
    unused.tell(params, "cbnet.simulate", unused.of_simulation, job.storage == "none")
    return run_jobs([job], 1, progress)[0]


def _check_names(options, checked=prepare):
    """Refuse an option that there is not, and say which ones there are."""
    known = [name for name in inspect.signature(checked).parameters if name not in _PLACED]
    for name in options:
        if name not in known:
            hint = "a run has one seed" if name == "seeds" else nearest(name, known)
            raise ParameterError(f"{name}: got an unknown option of cbnet.simulate ({hint})")


@dataclasses.dataclass(frozen=True)
class StepCheck:
    """What a quarter of the time step changes; shifts are those of the coarser step.

    Attributes
    ----------
    dt, finer_dt : float
        In s.
    rate, rate_sem : float
        (rate − rate with the finer step)/rate with the finer step, of the excitatory population,
        and its standard error.
    cv, cv_sem : float
        The same for the CV of its intervals; NaN where there is none.
    """

    dt: float
    finer_dt: float
    rate: float
    rate_sem: float
    cv: float
    cv_sem: float

    def to_dict(self):
        """Plain numbers, None where undefined."""
        return {
            "dt_ms": self.finer_dt * 1e3,
            "rate_shift": plain(self.rate),
            "rate_shift_sem": plain(self.rate_sem),
            "cv_shift": plain(self.cv),
            "cv_shift_sem": plain(self.cv_sem),
        }

    def __str__(self):
        def shown(shift, error):
            return "undefined" if math.isnan(shift) else f"{shift:+.2%} ± {error:.2%}"

        return (
            f"dt = {self.dt * 1e3:g} ms against {self.finer_dt * 1e3:g} ms: rate "
            f"{shown(self.rate, self.rate_sem)}, CV {shown(self.cv, self.cv_sem)} (one standard "
            "error; the two runs differ in their random numbers, too)"
        )


def step_check(result, *, progress=None, **options):
    """Run a simulation again with a quarter of its time step.

    Parameters
    ----------
    result : Simulation
        What :func:`cbnet.simulate` returned.
    progress : object, optional
        As for :func:`cbnet.simulate`.
    **options
        What else :func:`cbnet.simulate` was given.

    Returns
    -------
    StepCheck

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.simulation.run import step_check
    >>> params = cbnet.load("conductance").replace(K=40, a=0.01, nu_X="60Hz")
    >>> given = {"N": 250, "duration": "0.2s"}
    >>> step_check(cbnet.simulate(params, **given), **given).finer_dt
    2.5e-05
    """
    dt = result.in_si("dt")
    with unused.told():
        finer = simulate(result.parameters, progress=progress, **{**options, "dt": f"{dt / 4!r}s"})

    def shift(name):
        here, there = float(result.in_si(name)), float(finer.in_si(name))
        errors = [float(one.in_si(f"{name}_sem")) for one in (result, finer)]
        if not there > 0:
            return math.nan, math.nan
        return here / there - 1, math.hypot(errors[0] / there, errors[1] * here / there**2)

    return StepCheck(float(dt), float(dt) / 4, *shift("rate_E"), *shift("cv_E"))


def build(
    params,
    N=10_000,
    seed=0,
    *,
    graph_seed=None,
    dt=None,
    fraction_excitatory=0.8,
    initial="uniform",
    storage="auto",
    arrivals="random",
    graph=None,
):
    """The network as ordinary Brian2 objects, to add monitors, inputs or groups to.

    Parameters
    ----------
    params, N, seed, graph_seed, dt, fraction_excitatory, initial, storage, arrivals, graph
        As for :func:`cbnet.simulate`.

    Returns
    -------
    brian2.Network
        With objects ``neurons``, ``drive``, ``excitation`` and ``inhibition`` (one each for E and I
        neurons, such as ``excitation_E``, if they differ in what enters them). Parameters that the
        equations name are variables of ``neurons``. Brian2's ``defaultclock`` and random seed are
        set, and its compiler flags ask for C++17. It runs on whatever device Brian2 is set to; C++
        standalone is by far the fastest.

    Raises
    ------
    ParameterError
        As :func:`cbnet.simulate`, and for a second network in one C++ standalone program. Running
        it raises one if `dt` or the device were changed, or the network's schedule does not have
        the slots groups, thresholds, synapses and resets in this order.

    Examples
    --------
    >>> import cbnet
    >>> from brian2 import SpikeMonitor
    >>> net = cbnet.build(cbnet.load("conductance").replace(K=40), N=250, seed=1)
    >>> net.add(SpikeMonitor(net["neurons"][:200], name="spikes"))
    >>> sorted(object.name for object in net.objects)
    ['drive', 'excitation', 'inhibition', 'neurons', 'spikes']

    Now ``net.run(...)`` runs it.
    """
    import brian2

    from .brian import kernel, network

    kernel.ask_for_cpp17()
    one = prepare(
        params,
        N,
        transient="0s",  # how long it runs is the user's
        dt=dt,
        seed=seed,
        graph_seed=graph_seed,
        fraction_excitatory=fraction_excitatory,
        initial=initial,
        storage=storage,
        arrivals=arrivals,
        graph=graph,
    )
    network.check_device()
    unused.tell(params, "cbnet.build", unused.of_simulation)
    brian2.defaultclock.dt = one.dt * brian2.second
    brian2.seed(one.wires.synapse_seed)
    # whoever has the objects may raise any rate
    parts = network.create(params, one.layout, one.dt, one.wires, arrivals, np.int32)
    brian2.seed(one.wires.order_seed % 2**32)
    network.assign(parts, params, one.layout, one.wires)
    parts.neurons.v = one.initial_voltage * brian2.volt
    return parts.network
