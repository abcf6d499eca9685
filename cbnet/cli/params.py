"""``cbnet params``: the table of parameters."""

import math

from ..model.parameters import POPULATIONS, Parameters
from ..model.units import unit
from . import networks, options, output, tables

EXAMPLES = (
    "cbnet params conductance",
    "cbnet params current --set V_match=-60mV --set I.tau_L=10ms",
)


def params(
    model: options.ModelOrNetwork,
    settings: options.Settings = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
):
    """The parameters of a model (symbol, value, unit, meaning, source) or parts of a network."""
    found = options.asked(model, settings)
    if not isinstance(found, Parameters):
        output.print_json(networks.parts(found)) if as_json else networks.show_parts(found)
        return
    rows = [_row(found, name) for name in found.resolve("E")]
    if as_json:
        output.print_json({"model": found.model.name, "parameters": rows})
        return
    out = tables.console()
    tables.header(out, found, "parameters")
    table = tables.grid("", "name", "value", "unit", "meaning", "source")
    for column in table.columns[1:]:
        column.justify = "left"
    table.columns[2].justify = "right"
    for column in table.columns[:4]:
        column.no_wrap = True
    for row in rows:
        values = [_text(row[p]) for p in POPULATIONS]
        same = values[0] == values[1]
        shown = (
            values[0] if same else "\n".join(map(" ".join, zip(POPULATIONS, values, strict=True)))
        )
        source = f"set; otherwise {_text(row['default'])}" if row["set"] else row["source"]
        unit_text = "" if row["unit"] == "1" else row["unit"]
        table.add_row(
            row["symbol"],
            row["name"],
            shown,
            unit_text,
            row["meaning"],
            source,
            style="bold" if row["set"] else None,
        )
    out.print(table)
    for short, names in found.model.aliases.items():
        out.print(f"{short} sets {' and '.join(names)}.")
    if found.model.assumptions:
        out.print(f"Assumptions: {found.model.assumptions}")


def _row(params, name):
    entry = params.model.entry(name, name)
    values = {p: params.resolve(p)[name] for p in POPULATIONS}
    default = type(params)(params.model).resolve("E")[name]
    given = {key.rpartition(".")[2] for key in params.changes}
    instead = [d.name for d in params.model.derived if d.solves == name and d.name in given]
    return {
        "name": name,
        "symbol": entry.symbol or name,
        "unit": entry.unit,
        **{p: _in_unit(entry, v) for p, v in values.items()},
        "default": _in_unit(entry, default),
        "set": name in given,
        "meaning": entry.meaning,
        "source": f"from {instead[0]}" if instead else entry.source,
    }


def _in_unit(entry, value):
    if entry.choices or entry.integer:
        return value
    if math.isnan(value):
        return None
    # 20 ms is stored as 0.02 s: the division leaves 20.000000000000004 at times
    return float(f"{value / unit(entry.unit)[0]:.12g}")


def _text(value):
    if value is None:
        return "–"
    return f"{value:.8g}" if isinstance(value, float) else str(value)
