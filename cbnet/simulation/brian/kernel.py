"""Brian2 objects whose work is done by C++ of ours.

A kernel is a Brian2 ``CodeRunner`` with a template in ``templates/``, which Brian2's code
generation fills in and compiles with everything else; the C++ that does the work is in ``cpp/``.
Without a compiler the same object does the same with numpy.
"""

from brian2.core.base import BrianObject
from brian2.core.preferences import prefs
from brian2.core.variables import Variables
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.devices.device import RuntimeDevice, get_device
from brian2.groups.group import CodeRunner, Group

from ...errors import ParameterError
from ..backends.structure import HEADERS


class KernelCodeObject(CPPStandaloneCodeObject):
    """Brian2's own, which looks for templates here first."""

    templater = CPPStandaloneCodeObject.templater.derive(
        "cbnet.simulation", templates_dir="templates"
    )


def interpreted():
    """Whether Brian2 runs the network itself, step by step, rather than writing a program."""
    return isinstance(get_device(), RuntimeDevice)


def ask_for_cpp17():
    """Let Brian2 compile with the C++ that ours is written in, where it asks for an older one."""
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = [
        "-std=c++17" if flag in ("-std=c++11", "-std=c++14") else flag for flag in flags
    ]


class Kernel(Group, CodeRunner):
    """Base of the objects with a template of their own.

    Parameters
    ----------
    template : str
        File in ``templates/``, without its ending.
    clock : Clock
    when, order, name
        As for any Brian2 object.
    """

    add_to_magic_network = True

    def __init__(self, template, clock, when, order, name):
        BrianObject.__init__(self, clock=clock, when=when, order=order, name=name)
        self.variables = Variables(self)
        self.variables.create_clock_variables(clock)
        self._template = template
        self._made_with = get_device(), clock.dt_

    def _ready(self, needed, **keywords):
        """To be called when the variables are there; `keywords` go to the template."""
        CodeRunner.__init__(
            self,
            group=self,
            template=self._template,
            clock=self.clock,
            when=self.when,
            order=self.order,
            name=None,
            check_units=False,
            needed_variables=needed,
            template_kwds={**keywords, "size": int(self.variables["N"].get_value())},
            codeobj_class=KernelCodeObject,
        )
        self._enable_group_attributes()

    def check(self):
        """Refuse to run with another device or time step than the object was made with."""
        device, dt = self._made_with
        if device is not get_device():
            raise ParameterError(
                f"set_device: got another device than {self.name} was made for; expected "
                "set_device(...) before cbnet.build(...)"
            )
        if dt != self.clock.dt_:
            raise ParameterError(
                f"dt: got {self.clock.dt_ * 1e3:g} ms in a network that was built with "
                f"{dt * 1e3:g} ms; expected the same; build it with cbnet.build(..., dt=...)"
            )

    def create_code_objects(self, run_namespace):
        """Called by Brian2 before a run."""
        self.check()
        if interpreted():
            self.code_objects[:] = []
            self.prepare()
            return
        super().create_code_objects(run_namespace)
        self.codeobj.compiler_kwds = {"include_dirs": [str(HEADERS)]}

    def run(self):
        """Called by Brian2 in every step, if it runs the network itself."""
        if interpreted():
            self.step()
        else:
            super().run()

    def prepare(self):
        """What numpy needs before the first step."""

    def step(self):
        """One step with numpy."""
        raise NotImplementedError


def span(group):
    """First index of a group or subgroup within its neurons, and the index after its last."""
    return int(getattr(group, "start", 0)), int(getattr(group, "stop", len(group)))


def whole(group):
    """The NeuronGroup that a subgroup is part of, or the group itself."""
    return getattr(group, "source", group)


def same_neurons(one, other):
    """Whether two groups or subgroups are of the same neurons."""
    # not `is`: a subgroup knows its neurons by a weak reference
    return whole(one).name == whole(other).name
