"""What users call: a sweep as an object."""

from pathlib import Path

from ..errors import ParameterError
from ..model import unused
from . import calibration, plan, reading, table
from .run import Interrupted, run
from .store import Store


class Sweep:
    """Many networks: a grid of parameters, theory and simulation.

    Parameters
    ----------
    axes : dict
        By name of a parameter (``"I.tau_L"`` for one population) or setting (``model``, ``noise``,
        ``scaling``, ``N``, ``N_E``, ``dt``, ``initial``): a list of values, or
        ``{"linspace": [first, last, number]}`` or ``{"logspace": ...}``, with ``"multiple"`` to
        round to. Axes are crossed.
    model : str or Model
        As for :func:`cbnet.load`.
    parameters : dict
        Values that all points share, as for :meth:`Parameters.replace`.
    zipped : sequence of sequence of str
        Axes that advance together.
    seeds : int or sequence of int
        Of simulations: which, or how many from 1 on.
    run : {"both", "theory", "simulation"}
    subject : {"network", "neuron"}
        Whether the theory is of the network or of one neuron with inputs `r_E` and `r_I`.
    noise, rtol : optional
        Of the theory: as for :func:`cbnet.solve` (rtol 1e-6 for white noise if not given).
    N, N_E : int or str
        Neurons, or a rule such as ``"8K"`` or ``"max(4000, 4K)"``.
    scaling : str, optional
        How the efficacy follows K along its axis: see :meth:`Parameters.scaled`.
    keep : sequence of str, optional
        Which results, beside the spikes of recorded neurons; all plain numbers if not given.
    **options
        ``fraction_excitatory``, ``duration``, ``transient``, ``dt``, ``record``, ``initial``,
        ``storage``, ``arrivals``: as for :func:`cbnet.simulate`.

    Raises
    ------
    ParameterError
        In one line that names the key and the value.

    Examples
    --------
    >>> from cbnet import Sweep
    >>> sweep = Sweep({"nu_X": {"linspace": ["20Hz", "80Hz", 4]}}, run="theory", noise="diffusion")
    >>> len(sweep.plan().units)
    4
    """

    def __init__(self, axes, **options):
        self.grid = reading.make({"axes": axes, **options})

    @classmethod
    def read(cls, path):
        """A sweep from a TOML file with the same keys."""
        return cls.of(reading.read(path))

    @classmethod
    def of(cls, made):
        """A sweep of a grid that was made before."""
        found = cls.__new__(cls)
        found.grid = made
        return found

    def __repr__(self):
        axes = ", ".join(f"{axis.dimension} {len(axis)}" for axis in self.grid.axes)
        return f"<Sweep of {self.grid.run}: {axes}>"

    def plan(self, memory=None):
        """Every computation, and what is refused.

        Parameters
        ----------
        memory : int, optional
            Bytes of the machine that simulates; all of this one if not given.

        Returns
        -------
        Plan
        """
        return plan.make(self.grid, memory)

    def estimate(self, processes=None):
        """Points, memory and time, the last from a short calibration on this machine.

        Returns
        -------
        dict
        """
        return calibration.estimate(self.plan(), processes)

    def run(
        self,
        folder,
        *,
        processes=None,
        scheduler=None,
        memory=None,
        retry_failed=False,
        keep_old=False,
        progress=None,
        warn=None,
    ):
        """Compute what `folder` does not have yet.

        Parameters
        ----------
        folder : str or Path
            Where points are kept as they finish; the same folder resumes.
        processes : int, optional
            Processes on this machine; one for each core if not given.
        scheduler : str or distributed.Client, optional
            Address of a Dask scheduler, to compute on its workers instead.
        memory : int, optional
            Bytes that simulations on this machine may take together.
        retry_failed : bool
            Compute again what failed before.
        keep_old : bool
            Take what other versions of cbnet or Brian2 computed as finished.
        progress, warn : optional
            As for :func:`cbnet.sweeps.run.run`.

        Returns
        -------
        Results

        Raises
        ------
        ParameterError
            If no point can be computed; nothing is written.
        SweepError
            If it cannot go on; what is finished is kept.
        """
        self.planned = planned = self.plan(memory)
        if not planned.units:
            _, _, why = planned.refused[0]
            raise ParameterError(f"axes: got no point that can be computed; the first: {why}")
        unused.warn_of(plan.left_out(planned), "the sweep")
        store = Store(folder)
        with store.working():
            try:
                run(
                    planned,
                    store,
                    lambda: _executor(processes, scheduler, memory),
                    retry_failed=retry_failed,
                    keep_old=keep_old,
                    progress=progress,
                    warn=warn,
                )
            except Interrupted:
                table.write(store, table.collect(folder, planned))
                raise
            self.contents = store.read(keep_old=keep_old)
            found = table.assemble(planned, self.contents)
            table.write(store, found)
        return found


def _executor(processes, scheduler, memory):
    if scheduler is not None:
        from .cluster import Cluster

        return Cluster(scheduler)
    from .local import Local

    return Local(processes, memory)


def open_sweep(path):
    """The results of a sweep: from its folder, also while it runs, or from a saved file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Results
    """
    path = Path(path)
    if Store(path).exists:
        return table.collect(path)
    if path.suffix == ".zarr":
        return table.load_zarr(path)
    from ..results import load

    return load(path)
