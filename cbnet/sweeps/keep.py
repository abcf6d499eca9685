"""Which numbers of a theory and of a simulation a sweep keeps."""

import functools

from ..errors import ParameterError
from ..model.entry import nearest
from ..simulation.measure import recording

# Seconds and memory differ from run to run; they are in the record of a point, not in the data.
TIMINGS = ("wall_s", "build_s", "wire_s", "simulate_s", "peak_rss_MB")
_RECORDED = ("recorded", "spike_neurons", "spike_times")
_TRACED = ("traced", "trace_times", "V_traces")
_SPIKES = (*_RECORDED, "transient")  # from which on they are
_NOT_KEPT = (*("N", "law", "arrivals", "storage", "initial", "seed", "graph_seed", "duration"),)


@functools.cache
def variables(kind):
    """Declarations by name of what can be kept of a network, a neuron or a simulation."""
    if kind == "simulation":
        from ..simulation.measure.measured import Simulation as of

        left_out = TIMINGS
    elif kind == "network":
        from ..theory.self_consistency import Solution as of

        # modes take a second a state, and are asked for one network at a time
        left_out = ("noise", "growth_rate", "frequency", "fano_E", "fano_I")
    else:
        from ..theory.response import Response as of

        left_out = ("noise", "population", "frozen_at", "r_E", "r_I")
    found = {n: m for n, m in of._variables().items() if n not in left_out}
    if kind == "network":
        found.pop("balance_line"), found.pop("balance_line_I")
    return found


def words(kind):
    """Those that are words rather than numbers."""
    return {"simulation": ("law", "storage", "arrivals", "initial", "notes")}.get(kind, ())


def scalars(kind):
    """Names of plain numbers, which every record of a simulation has."""
    return tuple(n for n, m in variables(kind).items() if not m["dims"] or kind != "simulation")


def chosen(names, grid, label):
    """The names asked for, checked; all plain numbers if nothing is asked for.

    Spikes of recorded neurons are kept in any case: it is what they are recorded for.

    Raises
    ------
    ParameterError
        For a name that neither theory nor simulation has.
    """
    kinds = [grid.subject] * grid.theory + ["simulation"] * grid.simulation
    known = dict.fromkeys(n for kind in kinds for n in variables(kind))
    record = grid.options["record"] if grid.simulation else 0
    spikes = _SPIKES if recording.wanted(record, "spikes") else ()
    if names is None:
        found = [n for kind in kinds for n in scalars(kind) if n not in _NOT_KEPT]
        return tuple(dict.fromkeys([*found, *spikes]))
    if not isinstance(names, list | tuple) or not names:
        raise ParameterError(f"{label}: got {names!r}; expected a list of names, as in ['rate_E']")
    for name in names:
        if not isinstance(name, str) or name not in known:
            hint = nearest(str(name), known)
            raise ParameterError(
                f"{label}: got {name!r}; expected a result of {' or '.join(kinds)} ({hint})"
            )
    for what, of_it in (("spikes", _RECORDED), ("v", _TRACED)):
        asked = sorted(set(names) & set(of_it))
        if asked and not recording.wanted(record, what):
            raise ParameterError(
                f"{label}: got {asked[0]!r} with record = {record}; expected record = a number of "
                "neurons"
            )
    found = list(dict.fromkeys([*names, *spikes]))
    for name, needs in (
        ("V_traces", ("traced", "trace_times")),
        ("V_density", ("V_grid",)),
    ):
        if name in found:
            found += [n for n in needs if n not in found]
    # an error bar belongs to its number
    found += [f"{n}_sem" for n in names if f"{n}_sem" in known and f"{n}_sem" not in found]
    return tuple(found)
