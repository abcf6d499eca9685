"""Results as tables that a person reads: units, standard errors, what is undefined or silent."""

import dataclasses
import math
import sys

from rich import box
from rich.console import Console
from rich.table import Table

from ..model.entry import reference_table
from ..model.parameters import POPULATIONS
from . import terminal

UNDEFINED = "–"
SYNCHRONOUS = 0.5  # of the mean: fluctuations beyond are not those of independent neurons
SILENT_BELOW = 1e-6  # Hz, less than a spike in eleven days: where the theory's scan of rates begins

_NOISES = {
    "shot": "theory: finite jumps (shot noise)",
    "diffusion": "theory: diffusion approximation (white noise)",
    "effective": "theory: effective time constant (white noise frozen at one potential)",
    "kramers": "theory: Kramers' rate of rare escapes (white noise)",
    "colored": "theory: synaptic time constants and finite jumps (colored noise)",
    "fast": "theory: short synaptic time constants (white noise, shifted threshold)",
    "shift": "theory: short synaptic time constants (white noise, threshold and reset shifted)",
    "rescaled": "theory: white noise with the variance that filters leave",
    "adiabatic": "theory: currents that stand still (long synaptic time constants)",
    "rice": "theory: upcrossings of the free membrane (Rice)",
    "exact": "simulation: exact, every arrival at its own time",
}
_UNITS = ("mV_per_ms", "Hz", "mV", "ms", "s", "MB")
_NAMES = {
    "rate_Hz": "firing rate",
    "rate_E_Hz": "firing rate, E",
    "rate_I_Hz": "firing rate, I",
    "cv": "CV",
    "cv_E": "CV, E",
    "cv_I": "CV, I",
    "V_mean_mV": "V, mean",
    "V_sd_mV": "V, sd",
    "tau_eff_ms": "effective time constant",
    "mu_mV": "μ (where the drift vanishes)",
    "fano_1ms": "Fano factor of 1-ms population counts",
    "dt_bias": "estimated relative error from dt",
    "dt_bias_cv": "the same of the CV",
    "dt_bias_V_mean_mV": "estimated error of V_mean from dt",
    "dt_bias_V_sd_mV": "estimated error of V_sd from dt",
    "wall_s": "time, Python's start left out",
    "build_s": "of which compiling",
    "wire_s": "of which wiring",
    "simulate_s": "of which simulating",
    "transient_s": "discarded first",
    "duration_s": "measured time",
    "events": "recurrent synaptic events, all of the run",
    "peak_rss_MB": "memory of the program",
    "error": "estimated relative error",
    "drift_rate_Hz": "carried by drift",
    "diffusion_rate_Hz": "carried by diffusion",
    "leak_mean_mV_per_ms": "leak, mean",
}


_DIGITS = {
    "error": 2,
    "dt_bias": 2,
    "dt_bias_cv": 2,
    "dt_bias_V_mean_mV": 2,
    "dt_bias_V_sd_mV": 2,
    "peak_rss_MB": 3,
}


def console():
    """Standard output, as wide as it is; 80 columns and no colour where it is not a terminal."""
    found = Console(
        file=terminal.Plain(sys.stdout), highlight=False, soft_wrap=False, markup=False, emoji=False
    )
    found.width = max(found.width, 80)  # a narrower terminal wraps lines; cut numbers are none
    return found


def grid(*headers, title=None):
    """An empty table; every column but the first is aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for i, header in enumerate(headers):
        table.add_column(header, justify="left" if i == 0 else "right", overflow="fold")
    return table


def value(x, sem=None, digits=6, sem_digits=2):
    """A number of so many digits, or with its standard error of so many."""
    if isinstance(x, bool):
        return "yes" if x else "no"
    if x is None:
        return UNDEFINED
    if not isinstance(x, int | float):
        return str(x)
    if sem is None or sem == 0:
        return f"{x:,}".replace(",", " ") if isinstance(x, int) else f"{x:.{digits}g}"
    places = max(0, sem_digits - 1 - math.floor(math.log10(sem)))
    return f"{x:.{places}f} ± {sem:.{places}f}"


def swing(fano, count):
    """Relative sd of a population's rate in bins of 1 ms, Poisson counts taken off.

    Parameters
    ----------
    fano : float
        Of its counts in 1 ms.
    count : float
        Mean of these.
    """
    excess = (fano - 1) / count if count > 0 else 0.0
    return math.sqrt(excess) if excess > 0 else 0.0


def size(count):
    """A number of bytes, as a person reads it."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"


def rate(x, sem=None, digits=6, sem_digits=2):
    """A firing rate in Hz, or that there is none."""
    if x is not None and x < SILENT_BELOW:
        return "silent" if not sem else f"silent (below {sem:.2g} Hz)"
    return value(x, sem, digits, sem_digits)


def describe_noise(noise):
    """What the word ``noise`` of a result says, in a sentence."""
    word, _, notes = noise.partition(" (")
    text = _NOISES.get(word, f"theory: {word} noise")
    for note in filter(None, notes.removesuffix(")").split("; ")):
        if note.startswith("limit tau_S"):
            note = f"the synaptic time constants were neglected ({note})"
        text += f"; {note}"
    return text


def differences(params):
    """What differs from the reference set, as ``name = value``."""
    reference, _ = reference_table()
    found = {}
    for name, entry in params.model.parameters.items():
        if name not in reference or reference[name].value != entry.value:
            found[name] = f"{name} = {entry.show(of_table(entry))}"
    for key, changed in params.changes.items():
        entry = params.model.entry(key.rpartition(".")[2], key)
        fixed = entry.follows is None and entry.name in params.model.entries
        default = of_table(entry) if fixed else None
        if key != entry.name or changed != default:
            found[key] = f"{key} = {entry.show(changed)}"
    return list(found.values())


def of_table(entry):
    """The default of a table's row as :meth:`Entry.parse` would give it."""
    from ..model.units import unit

    return entry.value if entry.choices or entry.integer else entry.value * unit(entry.unit)[0]


def header(out, params, what, noise=None, unused=()):
    """The lines above a table: what was computed, how, and for which parameters."""
    out.print(f"{params.model.name}: {what}", style="bold")
    if noise is not None:
        out.print(describe_noise(noise))
    changed = differences(params)
    out.print(
        f"parameters: {', '.join(changed)}; otherwise the reference set"
        if changed
        else "parameters: the reference set"
    )
    if unused:
        out.print(f"of these not used: {', '.join(unused)}", markup=False)


def quantities(result, leave_out=(), names=None):
    """A table of the plain numbers of a result, standard errors beside them.

    `names` tells keys by other words than usual.
    """
    words = _NAMES | (names or {})
    data = result.to_dict()
    known = {field.name for field in dataclasses.fields(result)}
    table = grid("", "")
    table.columns[1].justify = "left"
    table.show_header = False
    for key, x in data.items():
        if key.endswith(("_sem", "_count")) or key in ("noise", *leave_out):
            continue
        if isinstance(x, list | dict):
            continue
        unit = next((u for u in _UNITS if key.endswith(f"_{u}")), "")
        field = key.removesuffix(f"_{unit}")
        name = words.get(key) or field.replace("_", " ")
        sem = result.in_units(f"{field}_sem") if f"{field}_sem" in known else None
        sem = None if sem is None or math.isnan(sem) else float(sem)
        if key == "error" and data.get("noise") == "exact":
            name = "relative statistical error"
        if key == "cv" and data["rate_Hz"] is not None and data["rate_Hz"] < SILENT_BELOW:
            x = None
        show = rate if key.startswith("rate_") else value
        text = show(x, sem, digits=_DIGITS.get(key, 4 if unit == "s" else 6))
        if unit and x is not None and not text.startswith("silent"):
            text += f" {unit.replace('_per_', '/')}"
        if f"{key}_count" in data and x is not None:
            text += f" ({data[f'{key}_count']} neurons)"
        table.add_row(name, text)
    return table


def currents(result, whose=""):
    """A table of input currents, standard errors beside those of a simulation."""
    known = {field.name for field in dataclasses.fields(result)}
    table = grid(f"input current{whose} (1-ms bins)", "mean, mV/ms", "sd, mV/ms")
    columns = [
        zip(
            result.in_units(name),
            result.in_units(f"{name}_sem") if f"{name}_sem" in known else [math.nan] * 3,
            strict=True,
        )
        for name in ("current_mean", "current_sd")
    ]
    for source, mean, sd in zip(("excitatory", "inhibitory", "net"), *columns, strict=True):
        table.add_row(source, *(value(*map(_or_none, pair)) for pair in (mean, sd)))
    return table


def _or_none(x):
    return None if math.isnan(x) else float(x)


def fixed_points(data):
    """A table of the fixed points of a network."""
    table = grid("state", "rate E", "rate I", "CV E", "CV I", "V mean", "V sd", "tau_eff", "stable")
    units = ("", "Hz", "Hz", "", "", "mV", "mV", "ms", "")
    for column, unit in zip(table.columns, units, strict=True):
        column.header = f"{column.header}\n{unit}" if unit else column.header
    for i, point in enumerate(data["fixed_points"], 1):
        rates = [rate(point[f"rate_{p}_Hz"], digits=5) for p in POPULATIONS]
        rest = ("cv_E", "cv_I", "V_mean_mV", "V_sd_mV", "tau_eff_ms", "stable")
        table.add_row(str(i), *rates, *(value(point[key], digits=4) for key in rest))
    return table


def modes(data):
    """A table of the leading modes of the fixed points, and of fluctuations if they are known."""
    points = data["fixed_points"]
    columns = [
        ("growth_rate_per_s", "leading mode\ngrowth, 1/s"),
        ("frequency_Hz", "frequency\nHz"),
    ]
    if any(point["fano_1ms"] is not None for point in points):
        columns += [("fano_1ms", "Fano, 1 ms\nE"), ("fano_1ms_I", "\nI")]
    table = grid("state", *(header for _, header in columns))
    for i, point in enumerate(points, 1):
        table.add_row(str(i), *(value(point[key], digits=4) for key, _ in columns))
    return table


_ROWS = 60  # of a sweep that are printed
_COLUMNS = ("rate_E_Hz", "rate_I_Hz", "rate_Hz", "cv_E", "cv", "V_mean_mV", "V_sd_mV", "fano_1ms")


def show_sweep(found):
    """Print the results of a sweep for a person."""
    out = console()
    frame = found.to_dataframe()
    out.print(repr(found), style="bold")
    if len(frame):
        axes = [c for c in frame.columns if _is_axis(c, found.dataset)]
        shown = [c for c in _COLUMNS if c in frame and c not in axes]
        table = grid("source", *map(_two_lines, (*axes, *shown)))
        table.collapse_padding = True
        for _, row in frame.head(_ROWS).iterrows():
            cells = [value(_shown(row[c])) for c in axes]
            for c in shown:
                stem, _, unit = c.rpartition("_")
                error = f"{stem}_sem_{unit}" if unit in _UNITS else f"{c}_sem"
                sem = _shown(row.get(error)) if row["source"] == "simulation" else None
                show = rate if c.startswith("rate_") else value
                cells.append(show(_shown(row[c]), sem, digits=5, sem_digits=1))
            table.add_row(row["source"], *cells)
        _fit(out, table, len(axes) + 1)
        out.print(table)
        if len(frame) > _ROWS:
            out.print(f"and {len(frame) - _ROWS} rows more (--json has all)")
    for one in found.failures:
        text = " ".join(one["message"].split())
        out.print(f"failed: {one['point']} ({one['kind']}): {text}")


def _two_lines(column):
    """The header of a column: a name, and its unit below."""
    unit = next((u for u in _UNITS if column.endswith(f"_{u}")), "")
    return f"{column.removesuffix(f'_{unit}')}\n{unit.replace('_per_', '/')}"


def _fit(out, table, fixed):
    """Make room for a table: a file is as wide as need be, a terminal drops the last columns."""
    needed = out.measure(table, options=out.options.update(width=1000)).maximum
    if not out.is_terminal:
        out.width = max(out.width, needed)
        return
    dropped = []
    while needed > out.width and len(table.columns) > fixed + 1:
        dropped.append(table.columns.pop().header.replace("\n", " ").strip())
        needed = out.measure(table, options=out.options.update(width=1000)).maximum
    if dropped:
        out.print(f"not shown here: {', '.join(reversed(dropped))} (--json has all)")


def _is_axis(column, dataset):
    shown = {
        f"{name}_{x.attrs['shown_in'].replace('/', '_per_')}" if "shown_in" in x.attrs else name
        for name, x in dataset.coords.items()
    }
    return column in shown


def _shown(x):
    if x is None or (isinstance(x, float) and math.isnan(x)):
        return None
    x = x.item() if hasattr(x, "item") else x
    return int(x) if isinstance(x, float) and x.is_integer() and abs(x) < 1e15 else x


def comparison(rows):
    """Tables of theory beside simulation, one for each model and scaling."""
    groups = {}
    for row in rows:
        groups.setdefault((row["model"], row["scaling"]), []).append(row)
    for (model, scaling), members in groups.items():
        table = grid(
            *("K\n", "a\n", "ν_X\nHz", "rate E\ntheory", "(Hz)\nsimulation"),
            *("CV E\ntheory", "\nsimulation", "Fano\n1 ms"),
            title=f"{model}, efficacy scaled: {scaling}",
        )
        table.collapse_padding = True
        for row in members:
            theory, simulated = (row[side] or {} for side in ("theory", "simulation"))
            measured = {
                key: show(simulated.get(key), simulated.get(f"{key}_sem"), sem_digits=1)
                for key, show in (("rate_E_Hz", rate), ("cv_E", value), ("fano_1ms", value))
            }
            table.add_row(
                *(str(row["K"]), value(row["a"], digits=3), value(row["nu_X_Hz"])),
                *(rate(theory.get("rate_E_Hz"), digits=4), measured["rate_E_Hz"]),
                *(value(theory.get("cv_E"), digits=3), measured["cv_E"]),
                measured["fano_1ms"],
            )
        yield table
