"""What can be read from the spikes of a result: trains, PSTH, spectrum, correlations."""

import importlib

import numpy as np

from ..errors import ParameterError
from ..model.entry import Entry
from ..model.units import to_quantity

_BIN = 1e-3  # s, of the counts that a result has
_SEGMENTS = 16  # of the time, over which spectra are averaged, if it is long enough
_FEWEST_SPIKES = 2


class SpikeReadings:
    """Readings of a result by population with recorded spikes and counts of all neurons."""

    def spike_trains(self, population):
        """Spikes of the recorded neurons of a population.

        Parameters
        ----------
        population : str

        Returns
        -------
        dict of int to Quantity
            Times by neuron, which is counted within the population.

        Raises
        ------
        ParameterError
            If no spikes of it were recorded.
        """
        mine = self._recorded_of(population)
        first = self.neurons(population)[0]
        return {int(neuron) - first: to_quantity(self._times_of(neuron), "s") for neuron in mine}

    def _times_of(self, neuron):
        return np.asarray(self.in_si("spike_times"))[np.asarray(self.spike_neurons) == neuron]

    def _recorded_of(self, population):
        neurons = self.neurons(population)
        recorded = np.asarray(self.recorded)
        mine = recorded[(recorded >= neurons[0]) & (recorded <= neurons[-1])]
        if not len(mine):
            raise ParameterError(
                f"{population}: got no recorded spikes; expected some: simulate with "
                "record={'spikes': 100}"
            )
        return mine

    def psth(self, bin="1 ms"):
        """Rates of the populations in bins of time, of all neurons.

        Parameters
        ----------
        bin : Quantity or str
            A multiple of 1 ms, or of the nearest number of time steps.

        Returns
        -------
        xarray.DataArray
            In Hz, by population and time (s, the middle of each bin).
        """
        import xarray as xr

        width = self._bin_s
        asked = Entry("bin", 1.0, "ms", above=0).parse(bin, "bin")
        together = round(asked / width)
        if together < 1 or abs(together * width - asked) > 1e-6 * asked:
            raise ParameterError(
                f"bin: got {asked * 1e3:g} ms; expected a multiple of {width * 1e3:g} ms"
            )
        counts = np.asarray(self.count_1ms, float)
        bins = counts.shape[1] // together
        if not bins:
            raise ParameterError(f"bin: got {asked * 1e3:g} ms; expected less than the duration")
        counts = counts[:, : bins * together].reshape(len(counts), bins, together).sum(axis=2)
        rates = counts / (np.asarray(self.sizes, float)[:, None] * together * width)
        start = float(self.in_si("transient"))
        times = start + (np.arange(bins) + 0.5) * together * width
        return xr.DataArray(
            rates,
            {"population": self._names, "time": times},
            ("population", "time"),
            "psth",
            {"units": "Hz"},
        )

    @property
    def _names(self):
        return [str(name) for name in self.populations]

    @property
    def _bin_s(self):
        dt = float(self.in_si("dt"))
        return max(1, round(_BIN / dt)) * dt

    def spectrum(self, segment=None):
        """Power spectral densities of the populations' rates, of all neurons.

        Parameters
        ----------
        segment : Quantity or str, optional
            Length of the pieces of time that are averaged over (Welch's method with a Hann window,
            half overlapping); by default a sixteenth of the duration. Frequencies are multiples of
            its inverse.

        Returns
        -------
        xarray.Dataset
            ``power`` in Hz, by population and frequency (Hz): two-sided, so that independent
            Poisson neurons have rate/size at all frequencies; and ``power_sem``, its standard
            error.
        """
        import xarray as xr
        from scipy import signal

        counts, width = np.asarray(self.count_1ms, float), self._bin_s
        bins = counts.shape[1]
        length = bins // _SEGMENTS
        if segment is not None:
            length = round(Entry("segment", 1.0, "s", above=0).parse(segment, "segment") / width)
        if not 8 <= length <= bins // 2:
            raise ParameterError(
                f"segment: got {length * width:g} s; expected {8 * width:g} s to half of the "
                f"measured {bins * width:g} s"
            )
        rates = counts / (np.asarray(self.sizes, float)[:, None] * width)
        frequency, _, pieces = signal.spectrogram(
            rates, 1 / width, "hann", length, length // 2, detrend="constant",
            return_onesided=False, mode="psd",
        )  # fmt: skip
        kept = (frequency > 0) & (frequency < 0.5 / width)
        power = pieces[:, kept].mean(axis=2)
        # half overlapping Hann windows: neighbours' powers are correlated by 1/36
        number = pieces.shape[2]
        error = power * np.sqrt((1 + 2 / 36 * (number - 1) / number) / number)
        axes = ("population", "frequency")
        return xr.Dataset(
            {"power": (axes, power, {"units": "Hz"}), "power_sem": (axes, error, {"units": "Hz"})},
            {"population": self._names, "frequency": frequency[kept]},
        )

    def correlations(self, bin="50 ms"):
        """Mean correlation coefficients of the recorded neurons' spike counts, pair by pair.

        Parameters
        ----------
        bin : Quantity or str
            In which spikes are counted.

        Returns
        -------
        xarray.Dataset
            ``correlation`` and ``correlation_sem``, by population and ``other``; NaN for
            populations of which fewer than two neurons were recorded and fired. The standard error
            is that over time, from leaving out each tenth of it.
        """
        import xarray as xr

        width = Entry("bin", 50.0, "ms", above=0).parse(bin, "bin")
        start, duration = float(self.in_si("transient")), float(self.in_si("duration"))
        bins = int(duration / width + 1e-9)
        if bins < 20:
            raise ParameterError(
                f"bin: got {width * 1e3:g} ms; expected at most a twentieth of the duration"
            )
        edges = start + np.arange(bins + 1) * width
        counts = []
        for name in self._names:
            mine = np.asarray(self.recorded)
            neurons = self.neurons(name)
            mine = mine[(mine >= neurons[0]) & (mine <= neurons[-1])]
            rows = [np.histogram(self._times_of(n), edges)[0] for n in mine]
            rows = np.array(rows, float).reshape(-1, bins)
            counts.append(rows[rows.sum(axis=1) >= _FEWEST_SPIKES])
        whole = _mean_correlations(counts)
        parts = np.array_split(np.arange(bins), 10)
        without = [_mean_correlations([np.delete(c, p, axis=1) for c in counts]) for p in parts]
        error = np.sqrt(0.9 * np.sum((without - np.mean(without, axis=0)) ** 2, axis=0))
        axes = ("population", "other")
        return xr.Dataset(
            {"correlation": (axes, whole), "correlation_sem": (axes, error)},
            {"population": self._names, "other": self._names},
        )

    def raster(self, ax=None):
        """Draw the recorded spikes, a row a neuron, a colour a population.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        # by name: what draws is no part of the code whose numbers are kept
        return importlib.import_module(".plotting_networks", __package__).raster(self, ax)

    def to_neo(self):
        """The recorded spikes for neo, elephant and others.

        Returns
        -------
        neo.Segment
            With a ``SpikeTrain`` for each recorded neuron, annotated with `population` and
            `neuron` (counted within it).

        Raises
        ------
        ParameterError
            If neo is not installed.
        """
        try:
            import neo
            import quantities as pq
        except ImportError:
            raise ParameterError(
                "to_neo: got no package neo; expected it: pip install neo"
            ) from None
        start = float(self.in_si("transient"))
        stop = start + float(self.in_si("duration"))
        segment = neo.Segment(name=f"seed {self.seed}, graph_seed {self.graph_seed}")
        for neuron in np.asarray(self.recorded).tolist():
            name = next(n for n in self._names if neuron in self.neurons(n))
            train = neo.SpikeTrain(
                self._times_of(neuron) * pq.s, t_start=start * pq.s, t_stop=stop * pq.s
            )
            train.annotate(population=name, neuron=neuron - self.neurons(name)[0])
            segment.spiketrains.append(train)
        return segment


def _mean_correlations(counts):
    """Of every pair of neurons of two populations, or of one."""
    scaled = []
    for rows in counts:
        apart = rows - rows.mean(axis=1, keepdims=True)
        size = np.sqrt((apart**2).sum(axis=1, keepdims=True))
        scaled.append(apart[size[:, 0] > 0] / size[size[:, 0] > 0])
    found = np.full((len(counts), len(counts)), np.nan)
    for p, one in enumerate(scaled):
        for q, other in enumerate(scaled):
            pairs = len(one) * len(other) - (len(one) if p == q else 0)
            if pairs > 0:
                total = float(one.sum(axis=0) @ other.sum(axis=0))
                found[p, q] = (total - (len(one) if p == q else 0)) / pairs
    return found
