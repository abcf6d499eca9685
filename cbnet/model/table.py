"""A network as a table that reads like one of a paper."""

from .distributions import Law, Normal, Uniform
from .units import unit
from .wirings import FixedIn


def table(net):
    """Text of several lines: populations, matrices of in-degrees and efficacies, inputs."""
    parts = [_populations(net)]
    if net.projections:
        parts.append(_matrix(net))
    rows = [_input(net, one) for one in net.inputs]
    rows += [f"{c.place}: {shown(c.value, net[c.target].neuron.drive_unit)}" for c in net.currents]
    if rows:
        parts.append("\n".join(["from outside", *(f"  {row}" for row in rows)]))
    return "\n".join(parts)


def shown(value, unit_name):
    """A number or law in a unit."""
    if value is None:
        return "-"
    if isinstance(value, Uniform | Normal) and not value.shape:
        return _short(value, unit_name)
    if isinstance(value, Law):
        return repr(value)
    if getattr(value, "ndim", 0):
        return f"{len(value)} values"
    suffix = f" {unit_name}" * (unit_name != "1")
    return f"{value / unit(unit_name)[0]:.6g}{suffix}"


def _short(law, unit_name):
    factor, suffix = unit(unit_name)[0], f" {unit_name}" * (unit_name != "1")
    if isinstance(law, Uniform):
        return f"{law.low / factor:.6g}…{law.high / factor:.6g}{suffix}"
    text = f"{law.center / factor:.6g} ± {law.width / factor:.6g}{suffix}"
    least = "" if not law.at_least else f" ≥ {law.at_least / factor:.6g}"
    return f"({text}{least}{'' if law.at_most is None else f' ≤ {law.at_most / factor:.6g}'})"


def _columns(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(x.ljust(n) for x, n in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _populations(net):
    sizes = list(net.sizes.values())
    total = "" if None in sizes else f", {sum(sizes)} neurons"
    synapses = [p.total for p in net.projections]
    total += "" if None in synapses or not synapses else f", {sum(synapses)} synapses"
    rows = []
    for p in net.populations:
        own = [
            f"{name}={shown(x, p.neuron.parameters[name].unit)}"
            for name, x in p.values.items()
            if getattr(x, "ndim", 0) or x != p.neuron.defaults[name]
        ]
        name = p.neuron.name or "neuron"
        rows.append([p.name, "?" if p.size is None else str(p.size), name, ", ".join(own)])
    return f"Network of {len(net.names)} populations{total}\n{_columns(rows)}"


def _matrix(net):
    """In-degree × efficacy, targets in rows; what is common stands below."""
    cells = {}
    for p in net.projections:
        units = net[p.target].neuron.units
        several = len({q.kind for q in net.projections if q.place == p.place}) > 1
        text = f"{p.number:.6g}"
        text += "" if p.w is None else f" × {shown(p.w, units[p.kind])}"
        text += f" ({p.kind})" if several else ""
        cells.setdefault((p.target, p.source), []).append(text)
    rows = [["", *net.names]]
    for target in net.names:
        rows.append([target, *(" + ".join(cells.get((target, s), ["."])) for s in net.names)])
    lines = ["in-degree × efficacy, targets in rows, sources in columns", _columns(rows)]
    for name, of in (("kind", lambda p: p.kind), ("delay", lambda p: shown(p.delay, "ms")),
                     ("wiring", lambda p: repr(p.wiring))):  # fmt: skip
        lines.append(_common(net, name, of))
    return "\n".join(lines)


def _common(net, name, of):
    """What projections have in common, all of them or those of one source."""
    found = {p.place: of(p) for p in net.projections}
    if len(set(found.values())) == 1:
        return f"  {name}: {next(iter(found.values()))}"
    by_source = {}
    for p in net.projections:
        by_source.setdefault(p.source, set()).add(of(p))
    if all(len(values) == 1 for values in by_source.values()):
        return f"  {name}: " + "; ".join(f"{s} {next(iter(x))}" for s, x in by_source.items())
    return f"  {name}: " + "; ".join(f"{place} {x}" for place, x in found.items())


def _input(net, one):
    w = shown(one.w, net[one.target].neuron.units[one.kind] or "1")
    text = f"{one.place}: {one.number:.6g} × {w} at {one.rate:.6g} Hz ({one.kind})"
    text += "" if one.wiring == FixedIn() else f", {one.wiring}"
    text += ", at most one spike of a train a step" if one.one_a_step else ""
    return text + ("" if one.until is None else f", until {one.until:.6g} s")
