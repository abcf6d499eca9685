"""A network as a plain Brian2 script that runs by itself: to read, to change, to take away."""

import ast
import math
import re
import textwrap
from collections import Counter

import numpy as np
from brian2 import Equations
from brian2.units.fundamentalunits import get_or_create_dimension, get_unit
from brian2.utils.stringtools import get_identifiers

from .. import __version__
from ..errors import ParameterError
from ..model import reduced, reduction, unused
from ..model.parameters import POPULATIONS
from ..model.units import unit
from ..support import citations
from .brian import brian2_text
from .job import prepare
from .step import timestep
from .step.plain_step import PlainChain

_BRIAN2_UNITS = {
    "V": "volt",
    "uV": "uvolt",
    "A": "amp",
    "S": "siemens",
    "F": "farad",
    "m": "metre",
    "s": "second",
    "hertz": "Hz",
    "khertz": "kHz",
}
_GAUSSIAN_FROM = 5  # mean number of spikes in a step above which PoissonInput draws Gaussians
_IN_DEGREE = {
    "fixed": "in_degree[target]",
    "bernoulli": "rng.binomial(possible, in_degree[target]/possible)",
    "gaussian": "int(np.clip(np.rint(rng.normal(1, CV_K)*in_degree[target]), 0, possible))",
}
_EXTERNAL = {  # in-degrees of the external input, which has no upper number of members
    "bernoulli": "rng.poisson(in_degree_E)",
    "gaussian": "np.maximum(np.rint(rng.normal(1, CV_K, N)*in_degree_E), 0)",
}

_WHY_NOT = {  # reasons against PoissonInput
    "each": "Poisson trains, drawn as one number a step; how many they are differs from neuron to "
    "neuron, so that one PoissonInput would not do.",
    "large": "Poisson trains, drawn as one number a step. Its mean is above "
    f"{_GAUSSIAN_FROM}, where PoissonInput would draw a Gaussian number.",
    "differ": "Poisson trains, drawn as one number a step; the populations differ, so that one "
    "PoissonInput would not do.",
}


def script(params, N=10_000, duration="1s", **options):
    """The network of :func:`cbnet.simulate` as a plain Brian2 script.

    Parameters
    ----------
    params, N, duration, **options
        As for :func:`cbnet.simulate`: `transient`, `dt`, `seed`, `graph_seed`, `initial`,
        `fraction_excitatory`.

    Returns
    -------
    str
        Python that imports brian2 and numpy only, and prints rates, CV and Fano factor.

    Raises
    ------
    ParameterError
        If something asked for cannot be simulated.

    Assumptions
    -----------
    Plain Brian2 applies all arrivals of a kind, then all of the other, and tests the threshold once
    a step: its rates have an error that cbnet's do not have. The header of the script says how
    large it is for one neuron of this network.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.simulation.script import script
    >>> text = script(cbnet.load("conductance").replace(K=40), N=250)
    >>> "v_post += a*(E_E - v_post)" in text
    True
    """
    job = prepare(params, N, duration, **options)
    unused.tell(params, "the script", unused.of_simulation)
    return _Script(params, job).text()


class _Script:
    """The parts of one script; each method writes one of them."""

    def __init__(self, params, job):
        self.params, self.job, self.model = params, job, params.model
        self.values = {p: params.resolve(p) for p in POPULATIONS}
        self.coupling = self.model.coupling(self.values["E"])
        self.reduced = reduction.of_model(self.model, self.values["E"])
        self.equations = Equations(self.coupling.equations)
        for name in {"law", "CV_K"} & set(params.differing()):
            raise ParameterError(
                f"{name}: got different values for E and I; expected one for both in a script"
            )
        self.law = self.values["E"]["law"]
        self.one_delay = self.values["E"]["D_min"] == self.values["E"]["D_max"]
        self.one_delay &= not {"D_min", "D_max"} & set(params.differing())
        used = self._used()
        self.own = [name for name in used if name in params.differing()]
        self.names = [name for name in used if name not in self.own]

    def _used(self):
        """Parameters and derived quantities that the script needs, in the order of the table."""
        model, coupling = self.model, self.coupling
        texts = [coupling.equations, coupling.excitatory, coupling.inhibitory]
        texts += [model.threshold, model.reset]
        used = {"nu_X", "tau_rp"}.union(*(get_identifiers(t) for t in texts))
        used |= {"D_min"} if self.one_delay else {"D_min", "D_max"}
        known = [*model.entries, *(d.name for d in model.derived)]
        differing = self.params.differing()
        for derived in model.derived:
            if derived.name in used and derived.name not in differing and self._follows(derived):
                used |= get_identifiers(derived.expression)
        return [name for name in known if name in used]

    def text(self):
        parts = (
            self._header(), self._imports(), self._constants(), self._parameters(), self._neurons(),
            self._external(), self._wiring(), self._run(),
        )  # fmt: skip
        text = "\n\n".join(part.strip("\n") for part in parts) + "\n"
        self._check_names(text)
        return text.replace("\n\ndef ", "\n\n\ndef ")

    def _check_names(self, text):
        """Refuse a parameter whose name means something else in the script."""
        known = Counter()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                known[node.id] += 1
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                known[node.func.id] += 2
            elif isinstance(node, ast.alias):
                known[node.asname or node.name] += 2
            elif isinstance(node, ast.arg):
                known[node.arg] += 2
        for name in (*self.names, *self.own):
            if known[name] > 1 or name == "K_X":
                raise ParameterError(
                    f"{name}: got a parameter of this name, which the script needs for something "
                    "else; give the model's parameter another one"
                )

    def _header(self):
        layout = self.job.layout
        paper = next(r for r in citations.references() if r.why.startswith("the model"))
        kind = "synaptic time constants" if self.reduced.filtered else "instantaneous synapses"
        paragraphs = [
            f"Network of {layout.N_E} excitatory and {layout.N_I} inhibitory neurons, "
            f"model {self.model.name!r}, {kind}: a plain Brian2 script.",
            f"{paper.text}.",
            f"Written by cbnet {__version__} ('cbnet script'), which it does not need: Brian2 and "
            "a C++ compiler are enough. Equations and on_pre statements are those of the model, "
            "letter by letter.",
            self._accuracy(),
            "(unless refractory) means what it means in Brian2: v is held, and what arrives is "
            "lost. An arrival in one step meets the threshold in the next, one step later than its "
            "delay says.",
        ]
        return '"""' + "\n\n".join(textwrap.fill(p, 96) for p in paragraphs) + '\n"""'

    def _accuracy(self):
        dt = self.job.dt
        if self.reduced.filtered:
            functions = self.reduced.functions
            short = min(min(functions.time_constants(v).values()) for v in self.values.values())
            excess = 100 * (dt / short / -math.expm1(-dt / short) - 1)
            return (
                "Time step. Exponential Euler freezes the synaptic variables at the beginning of a "
                f"step, which delivers {excess:.2g} % too much charge a spike at "
                f"dt = {dt * 1e3:g} ms and raises rates by more than that; the threshold is tested "
                "once a step. Halve dt until the rate stays."
            )
        general = (
            "Time step. A step applies all arrivals of one kind, then all of the other, and tests "
            "the threshold once: that shifts the rates, by an amount that the network's feedback "
            "hides and that falls with dt."
        )
        return general + self._biases()

    def _biases(self):
        states = timestep._states(self.params) if self.reduced.affine_leak else []
        dt = self.job.dt
        if not states:
            return ""
        # the state that fires most has the shortest time constants
        r_E, r_I, population = max(states)
        values = self.params.resolve(population)
        values["R_E"] = values["K"] * r_E
        values["R_I"] = values["gamma"] * values["K"] * r_I
        chain = PlainChain(reduced.of_model(self.model, values), values, longest=dt)
        told = []
        for first in ("inhibition", "excitation"):
            small = chain.step_within(0.01, first, timestep.LADDER)
            below = f"from dt = {small * 1e3:g} ms down" if small else "below dt = 0.001 ms only"
            here = 100 * chain.plain_bias(dt, first)
            told.append(f"{here:+.1f} % with {first} first (within 1 % {below})")
        return (
            f" One neuron with Poisson input at the rates of this network fires at "
            f"{chain.exact_rate:.1f} Hz; at dt = {dt * 1e3:g} ms plain Brian2 is off by "
            f"{' and by '.join(told)}. cbnet takes arrivals in random order, and is off by "
            f"{100 * timestep.bias(self.params, dt, r_E, r_I, population):+.1f} %."
        )

    def _imports(self):
        units = {self._unit(name) for name in (*self.names, *self.own)} | {"ms", "second"}
        units = set().union(*(get_identifiers(u) for u in units))
        classes = {"Network", "NeuronGroup", "SpikeMonitor", "Synapses"}
        classes |= set() if self._through_poisson() else {"PoissonInput"}
        functions = {"defaultclock", "prefs", "seed", "set_device"}
        names = ", ".join([*sorted(classes), *sorted(functions | units)])
        listed = textwrap.fill(names, 96, initial_indent="    ", subsequent_indent="    ")
        return f"import numpy as np\nfrom brian2 import (\n{listed},\n)"

    def _constants(self):
        job = self.job
        return f'''
DIRECTORY = "{_file_name(self.model.name)}-program"  # C++ sources, program and what it leaves

# What is applied first in a step, "inhibition" or "excitation" (external input goes with it).
# Excitation first is too low for a single neuron: inhibition then takes away what should have
# crossed the threshold. Inhibition first is closer, and can be too high.
FIRST = "inhibition"

SEED = {job.seed}  # of the noise
GRAPH_SEED = {job.graph_seed}  # of the wiring: who is connected to whom, and with which delay
DT = {_number(job.dt * 1e3)}*ms
TRANSIENT = {_number(job.transient)}*second  # simulated first, and not measured
DURATION = {_number(job.duration)}*second

set_device("cpp_standalone", directory=DIRECTORY)
prefs.core.stop_on_keyboard_interrupt = False  # Ctrl-C ends the program at once
defaultclock.dt = DT
seed(int(np.random.SeedSequence(SEED).generate_state(1)[0]))
rng = np.random.default_rng(GRAPH_SEED)
'''

    def _parameters(self):
        lines = []
        for name in self.names:
            lines.append(f"{name} = {self._given(name)}  # {self.model.entry(name, name).meaning}")
        layout = self.job.layout
        lines += ["", f"N_E, N_I = {layout.N_E}, {layout.N_I}", "N = N_E + N_I"]
        for source in POPULATIONS:
            to_E, to_I = (layout.in_degree[source, target] for target in POPULATIONS)
            size = "N" if to_E == to_I else "[N_E, N_I]"
            drawn = (
                f"np.full({size}, {to_E})"
                if to_E == to_I
                else f"np.repeat([{to_E}, {to_I}], {size})"
            )
            lines.append(
                f"in_degree_{source} = {drawn}  # mean number of {source} inputs of a neuron"
            )
        if self.law == "gaussian":
            lines.append(f"CV_K = {self.values['E']['CV_K']!r}  # their coefficient of variation")
        lines += ["", "namespace = {"]
        lines += [f'    "{name}": {name},' for name in self.names]
        lines += ["}"]
        return "\n".join(lines)

    def _given(self, name):
        """The value of a parameter as Python; a derived quantity as its expression."""
        for derived in self.model.derived:
            known = get_identifiers(derived.expression) <= set(self.names)
            if derived.name == name and known and self._follows(derived):
                return derived.expression
        return self._quantity(name, self.values["E"][name])

    def _follows(self, derived):
        """Whether nobody set a derived quantity, so that it follows from its parameters."""
        return derived.name not in self.params.settings("E")

    def _quantity(self, name, value):
        unit_name = self.model.entry(name, name).unit
        shown = _number(value / unit(unit_name)[0])
        return shown if unit_name == "1" else f"{shown}*{self._unit(name)}"

    def _unit(self, name):
        unit_name = self.model.entry(name, name).unit
        if unit_name == "1":
            return ""
        shown = re.sub(r"[A-Za-z]\w*", lambda word: _BRIAN2_UNITS.get(word[0], word[0]), unit_name)
        return shown.replace("^", "**")

    def _neurons(self):
        model = self.model
        units = {name: self.model.entry(name, name).unit for name in self.own}
        extra = [f"{name} : {_dimension(u)} (constant)" for name, u in units.items()]
        if self.law != "fixed" or "K" in self.params.differing():
            extra.append("K_X : 1 (constant)")
        more = "" if not extra else ' + """\n' + "\n".join(extra) + '\n"""'
        method = "exact" if self.reduced.affine_leak else "rk4"
        method = "exponential_euler" if self.reduced.filtered else method
        lines = [
            f'EQUATIONS = """\n{textwrap.dedent(self.coupling.equations).strip()}\n"""',
            f"EXCITATORY = {_quoted(self.coupling.excitatory)}",
            f"INHIBITORY = {_quoted(self.coupling.inhibitory)}",
            "",
            f"neurons = NeuronGroup(\n    N,\n    EQUATIONS{more},",
            f'    threshold="{model.threshold}",\n    reset="{model.reset}",',
            '    refractory="tau_rp",',
            f'    method="{method}",\n    namespace=namespace,\n    name="neurons",\n)',
        ]
        for name in self.own:
            factor, _ = unit(self.model.entry(name, name).unit)
            both = ", ".join(_number(self.values[p][name] / factor) for p in POPULATIONS)
            times = f"*{self._unit(name)}" if self._unit(name) else ""
            lines.append(f"neurons.{name} = np.repeat([{both}], [N_E, N_I]){times}")
        return "\n".join([*lines, f"neurons.v = {self._initial()}"])

    def _initial(self):
        initial, model = self.job.initial, self.model
        low, high = (
            re.sub(r"^\s*v\s*>?=?\s*", "", text).strip() for text in (model.reset, model.threshold)
        )
        inner = low if low.isidentifier() else f"({low})"
        if initial == "uniform":
            return f'"{low} + ({high} - {inner})*rand()"'
        if initial in ("low", "high"):
            return f'"{low}"' if initial == "low" else f'"{high}"'
        return f"{_number(initial * 1e3)}*mV"

    def _through_poisson(self):
        """How external input is written: empty for PoissonInput, else why it cannot be."""
        if self.law != "fixed":
            return "each"
        most = max(v["K"] * v["nu_X"] * self.job.dt for v in self.values.values())
        if most > _GAUSSIAN_FROM:
            return "large"
        return "differ" if {"K", "nu_X"} & set(self.params.differing()) else ""

    def _jump(self):
        """The variable that an excitatory arrival moves, and by how much, as seen by the neuron."""
        synapse = self.reduced.synapses["E"]
        found = re.fullmatch(r"\s*\w+\s*\+=\s*([^;\n]+?)\s*", self.coupling.excitatory)
        if found:
            return synapse.target, re.sub(r"\b(\w+)_post\b", r"\1", found[1])
        units = (*self.model.units, ("v", "V"))
        dimension = self.equations[synapse.target].dim
        return synapse.target, brian2_text.code(synapse.jump, units, dimension)

    def _external(self):
        target, jump = self._jump()
        order = '    order=ORDER["excitation"],'
        lines = [
            'ORDER = {"excitation": 0, "inhibition": 0, FIRST: -1}  # in Brian2\'s slot "synapses"',
            "",
        ]
        why = self._through_poisson()
        if not why:
            K = self.values["E"]["K"]
            lines += [
                f"# {K} Poisson trains for each neuron, drawn as one number a step. Where their",
                f"# mean, {K}*nu_X*dt, is above {_GAUSSIAN_FROM}, it draws a Gaussian: then take",
                f'#   neurons.run_regularly("{target} += poisson({K}*nu_X*dt)*({jump})", ...)',
                f'external = PoissonInput(\n    neurons,\n    "{target}",\n    N={K},',
                f'    rate=nu_X,\n    weight="{jump}",\n    when="synapses",\n{order}\n)',
            ]
            return "\n".join(lines)
        lines += [f"# {line}" for line in textwrap.wrap(_WHY_NOT[why], 96)]
        K = "K_X"
        if self.law != "fixed":
            lines.append(f"neurons.K_X = {_EXTERNAL[self.law]}")
        elif "K" in self.params.differing():
            lines.append("neurons.K_X = in_degree_E")
        else:
            K = self.values["E"]["K"]
        lines += [
            f'neurons.run_regularly(\n    "{target} += poisson({K}*nu_X*dt)*({jump})",',
            f'    when="synapses",\n{order}\n)',
        ]
        return "\n".join(lines)

    def _wiring(self):
        delay = "    delay=D_min,\n" if self.one_delay else ""
        delays = (
            "" if self.one_delay else "{0}.delay = D_min + (D_max - D_min)*rng.random(len(i))\n"
        )
        draw = _IN_DEGREE[self.law]
        projections = "\n".join(
            f'''{name} = Synapses(
    neurons[{part}],
    neurons,
    on_pre={name[:-3].upper()}ORY,
{delay}    namespace=namespace,
    name="{name}",
)
i, j = partners({first}, {size}, in_degree_{source})
{name}.connect(i=i, j=j)
{name}.pre.order = ORDER["{name}"]
{delays.format(name)}'''
            for name, part, first, size, source in (
                ("excitation", ":N_E", "0", "N_E", "E"),
                ("inhibition", "N_E:", "N_E", "N_I", "I"),
            )
        )
        return f'''
def partners(first, size, in_degree):
    """Synapses from the `size` neurons that begin at `first`: nobody twice, nobody to itself.

    They are in order of their sources, in which Brian2 delivers them two to four times faster.
    """
    sources, targets = [], []
    for target in range(N):
        own = target - first
        is_member = 0 <= own < size
        possible = size - is_member
        k = {draw}
        drawn = rng.choice(possible, k, replace=False, shuffle=False)
        if is_member:
            drawn += drawn >= own
        sources.append(drawn)
        targets.append(np.full(k, target))
    sources, targets = np.concatenate(sources), np.concatenate(targets)
    order = np.argsort(sources, kind="stable")
    return sources[order], targets[order]


{projections}
'''

    def _run(self):
        external = "" if self._through_poisson() else ", external"
        return f"""
spikes = SpikeMonitor(neurons, name="spikes")
network = Network(neurons{external}, excitation, inhibition, spikes)
network.run(TRANSIENT + DURATION, namespace=namespace)

i, t = np.array(spikes.i), np.array(spikes.t/second)
start, length = float(TRANSIENT/second), float(DURATION/second)
i, t = i[t >= start], t[t >= start]
print(f"rate_E = {{np.sum(i < N_E)/N_E/length:.3f}} Hz")
print(f"rate_I = {{np.sum(i >= N_E)/N_I/length:.3f}} Hz")

# coefficient of variation of the intervals: of excitatory neurons with at least ten
order = np.lexsort((t, i))
i, t = i[order], t[order]
trains = np.split(t, np.searchsorted(i, np.arange(1, N)))[:N_E]
intervals = [np.diff(train) for train in trains if len(train) > 10]
cv = [np.std(x, ddof=1)/np.mean(x) for x in intervals]
print(f"cv_E = {{np.mean(cv) if cv else np.nan:.3f}} ({{len(cv)}} neurons)")

# Fano factor: variance over mean of the excitatory population's spike count in bins of 1 ms
bins = start + 1e-3*np.arange(int(round(length/1e-3)) + 1)
counts, _ = np.histogram(t[i < N_E], bins)
fano = np.var(counts, ddof=1)/np.mean(counts) if counts.sum() else np.nan
print(f"fano_1ms = {{fano:.2f}}")
"""


def _number(value):
    """The shortest decimal that is this number up to the rounding of a change of unit."""
    if isinstance(value, int | np.integer):
        return str(value)
    for digits in (6, 9, 12, 15):
        text = f"{value:.{digits}g}"
        if math.isclose(float(text), value, rel_tol=1e-15):
            return text
    return repr(float(value))


def _quoted(statements):
    return f'"""{statements}"""' if "\n" in statements or '"' in statements else f'"{statements}"'


def _dimension(unit_name):
    """A unit without prefix of the same dimensions, for an equation string."""
    if unit_name == "1":
        return "1"
    return repr(get_unit(get_or_create_dimension(unit(unit_name)[1])))


def _file_name(name):
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
