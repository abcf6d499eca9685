"""Synapses that only count: one number a neuron, and no memory of its own for a synapse.

All synapses of a projection have one efficacy, so that it is enough to count what arrives at a
neuron in a step; its own update then makes that many jumps at once. Compared with Brian2's
``Synapses`` there is no weight, no queue of synapses and no delay to keep for each.
"""

import numpy as np

from ...errors import ParameterError
from ..wiring import drawing
from .kernel import Kernel, interpreted, same_neurons, span, whole

LAWS = ("fixed", "bernoulli", "gaussian", "explicit")


class Projection(Kernel):
    """Add to a variable of the targets the number of spikes that arrive in each step.

    Parameters
    ----------
    source, target : NeuronGroup or Subgroup
        Who spikes, and who counts.
    variable : str
        The integer variable of the targets that counts; whoever reads it sets it to zero.
    law : {"fixed", "bernoulli", "gaussian", "explicit"}
        ``"fixed"``: every target has the same number of sources. ``"bernoulli"``: every pair is
        connected with the same probability. ``"gaussian"``: in-degrees are Gaussian.
        ``"explicit"``: `graph` tells. Nobody is connected to itself, and no pair twice, but for
        what an explicit graph holds.
    storage : {"stored", "bitmap", "procedural"}
        How the graph is kept; see :func:`cbnet.simulation.wiring.layout.choose_storage`.
    graph : tuple of ndarray
        For ``"explicit"``: source and target of each synapse, counted within their groups, and its
        delay in time steps.
    early : int
        Steps by which arrivals are counted before they are due.
    when, order, name
        As for any Brian2 object.

    Attributes
    ----------
    synapses, events : int
        After a run: how many synapses there are, and how many spikes have passed them.
    build_seconds : float
        Time that drawing the graph took.

    Notes
    -----
    The graph is drawn in the first step, so that a compiled program can be given another in-degree,
    delay or seed. ``"fixed"`` kept in procedural storage deals the sources into groups and gives a
    target one of each (``cpp/rows.h``): the in-degree must divide the number of sources.
    ``"gaussian"`` kept so connects every pair independently, with a probability of each target's
    own: in-degrees are binomial about a Gaussian mean, of the coefficient of variation that is
    asked, which must not be below that of a random graph.
    """

    def __init__(
        self,
        source,
        target,
        variable,
        law="fixed",
        storage="stored",
        graph=None,
        early=0,
        when="synapses",
        order=-1,
        name="projection*",
    ):
        clock = whole(source).clock
        super().__init__("projection", clock, when, order, name)
        self.source, self.target, self.variable = source, target, variable
        self.law, self.storage, self.early = law, storage, early
        first, last = span(source)
        add = self.variables
        add.add_constant("N", last - first)
        add.add_array("in_degree", 1, dtype=np.int32, scalar=True, constant=True)
        add.add_array("graph_seed", 1, dtype=np.int64, scalar=True, constant=True)
        for setting in ("cv", "delay_shortest", "delay_longest"):
            add.add_array(setting, 1, scalar=True, constant=True)
        outputs = ("synapses", "events", "build_seconds", "graph_bytes")
        for name_of_output in outputs:
            add.add_array(name_of_output, 1, scalar=True, read_only=True)
        add.add_reference("_counts", whole(target), variable)
        add.add_reference("_spikespace", whole(source))
        self._wired = self._under_way = None  # until the first run
        self._graph = None if graph is None else _checked(graph, len(source), len(target))
        self.graph_arrays = self._in_program()
        self._ready(
            ["in_degree", "cv", "delay_shortest", "delay_longest", "graph_seed", *outputs]
            + ["_counts", "_spikespace", "t", "dt"],
            counts=whole(target).variables[variable],
            eventspace=whole(source).variables["_spikespace"],
            source=(first, last),
            source_size=len(whole(source)),
            target=span(target),
            same=same_neurons(source, target),
            # without synapses there are no arrays: none are drawn (assign)
            law="bernoulli" if law == "explicit" and not self.graph_arrays else law,
            storage=storage,
            early=early,
            graph=self.graph_arrays,
        )
        self.add_dependency(source)
        self.add_dependency(target)

    def assign(self, in_degree, cv=0.0, delay=(0.0, 0.0), seed=0):
        """Set what the graph is drawn from, unless it is explicit.

        Parameters
        ----------
        in_degree : int
            Mean number of sources of a target.
        cv : float
            Coefficient of variation of the in-degree, for ``law="gaussian"``.
        delay : tuple of Quantity or float
            Shortest and longest delay (s); uniform between them, rounded to time steps.
        seed : int
            Of the graph and the delays.
        """
        shortest, longest = map(float, delay)
        if self._graph is not None:
            in_degree = 0
        for name, value in (
            ("in_degree", in_degree),
            ("cv", cv),
            ("delay_shortest", shortest),
            ("delay_longest", longest),
            ("graph_seed", seed),
        ):
            self.variables[name].set_value(value)

    def _in_program(self):
        """Names of the arrays that hold an explicit graph in a compiled program."""
        if self._graph is None or interpreted() or not len(self._graph[0]):
            return None
        from brian2.devices.device import get_device

        return [
            get_device().static_array(f"_{self.name}_{what}", array)
            for what, array in zip(("sources", "targets", "delays"), self._graph, strict=True)
        ]

    def prepare(self):
        """Draw the graph with numpy."""
        if self._wired is not None:
            return
        sources, targets = span(self.source), span(self.target)
        if self._graph is not None:
            drawn = drawing.in_order(*self._graph)
        else:
            same = same_neurons(self.source, self.target)
            drawn = drawing.draw(
                sources[1] - sources[0],
                targets[1] - targets[0],
                targets[0] - sources[0] if same else None,
                self.law,
                int(self.variables["in_degree"].get_value()[0]),
                float(self.variables["cv"].get_value()[0]),
                [
                    float(self.variables[f"delay_{which}"].get_value()[0]) / self.clock.dt_
                    for which in ("shortest", "longest")
                ],
                int(self.variables["graph_seed"].get_value()[0]),
            )
        delays = np.maximum(drawn.delays - self.early, 0)
        self._wired = drawn
        self._begin = np.searchsorted(drawn.sources, np.arange(sources[1] - sources[0] + 1))
        self._delays = delays
        slots = int(delays.max(initial=0)) + 1
        self._ring = np.zeros((slots, targets[1] - targets[0]), np.int32)
        self._now = 0
        self._put(self._under_way)
        self.variables["synapses"].set_value(len(drawn.sources))

    def _full_state(self):
        """Called by Brian2's ``store()``: its variables, and the spikes under way."""
        under_way = self._under_way
        if self._wired is not None:
            under_way = self._ring.copy(), self._now
        return {**super()._full_state(), "_under_way": under_way}

    def _restore_from_full_state(self, state):
        """Called by Brian2's ``restore()``."""
        state = dict(state)
        self._under_way = state.pop("_under_way")
        super()._restore_from_full_state(state)
        if self._wired is not None:
            self._put(self._under_way)

    def _put(self, under_way):
        """Have these spikes under way, or none."""
        self._ring[:], self._now = under_way or (0, 0)

    def step(self):
        """Count with numpy."""
        first, last = span(self.source)
        spikespace = whole(self.source).variables["_spikespace"].get_value()
        spikes = spikespace[: spikespace[-1]]
        spikes = spikes[(spikes >= first) & (spikes < last)] - first
        slots = len(self._ring)
        for source in spikes:
            mine = slice(self._begin[source], self._begin[source + 1])
            at = ((self._now + self._delays[mine]) % slots, self._wired.targets[mine])
            np.add.at(self._ring, at, 1)
            self.variables["events"].get_value()[0] += mine.stop - mine.start
        start, stop = span(self.target)
        counts = whole(self.target).variables[self.variable].get_value()
        counts[start:stop] += self._ring[self._now % slots].astype(counts.dtype)
        self._ring[self._now % slots] = 0
        self._now += 1


def _checked(graph, sources, targets):
    """An explicit graph as arrays of whole numbers, each in its range."""
    arrays = []
    for what, given, bound in zip(
        ("sources", "targets", "delays"), graph, (sources, targets, None), strict=True
    ):
        array = np.asarray(given)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise ParameterError(
                f"graph: got {what} of shape {array.shape} and type {array.dtype}; expected one "
                "whole number for each synapse"
            )
        if array.size and (array.min() < 0 or (bound is not None and array.max() >= bound)):
            raise ParameterError(
                f"graph: got {what} from {array.min()} to {array.max()}; expected at least 0"
                + ("" if bound is None else f" and below {bound}")
            )
        arrays.append(np.ascontiguousarray(array, np.int32))
    if len({len(array) for array in arrays}) != 1:
        raise ParameterError(
            f"graph: got {', '.join(str(len(a)) for a in arrays)} sources, targets and delays; "
            "expected as many of each"
        )
    return arrays
