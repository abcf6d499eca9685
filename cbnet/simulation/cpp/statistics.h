// Statistics of a network while it runs, so that no list of spikes and no trace need be kept.
//
// Only sums are accumulated here; what they mean is worked out in online.py and statistics.py.
// Times are whole numbers of steps. A spike of step n belongs to the time n dt; a voltage seen at
// the end of step n, after the resets, belongs to (n + 1) dt.
#ifndef CBNET_STATISTICS_H
#define CBNET_STATISTICS_H

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace cbnet {

// What is measured, and when.
struct Observation {
    std::vector<int32_t> sizes;  // neurons of each population, one after the other
    int64_t first_step;      // spikes and voltages of earlier steps are not measured
    int64_t measured_steps;  // the window; below 2^31
    int32_t steps_per_bin;   // steps in a bin of 1 ms, at least one
    std::vector<int32_t> probes;  // how many of each population, the first: voltage and input
    std::vector<double> low, high;  // V, range of the histogram of the voltage of each population
    int32_t kinds;           // of input
    int32_t bins;            // of a histogram
    int32_t pieces;          // of the window, in each of which voltage and current are summed
    std::vector<double> reference;  // V, near the mean: sums of squares about it keep their digits
    std::vector<int32_t> recorded;  // neurons whose spikes are listed
    std::vector<int32_t> traced;    // neurons whose voltage is kept
    int32_t trace_every;            // steps from one kept voltage to the next
    int32_t trace_bytes;            // of a kept voltage: 4 or 8
    double refractoriness;          // R of LvR, in steps; 0: neighbouring intervals are not compared

    size_t populations() const { return sizes.size(); }
    // Currents that are summed: of each kind, and the net input.
    int32_t currents() const { return kinds > 0 ? kinds + 1 : 0; }
};

// A file that is written; whatever fails ends the program with a reason.
class File {
public:
    File() {}
    explicit File(const std::string &name) { open(name); }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
    ~File() { close(); }

    void open(const std::string &name) {
        path = name;
        file = std::fopen(path.c_str(), "wb");
        if (file == nullptr)
            fail();
    }

    void put(const void *data, size_t size, size_t n) {
        if (std::fwrite(data, size, n, file) != n)
            fail();
    }

    // What is buffered is written only now, and may fail.
    void close() {
        std::FILE *open = file;
        file = nullptr;
        if (open != nullptr && std::fclose(open) != 0)
            fail();
    }

private:
    std::string path;
    std::FILE *file = nullptr;

    void fail() {
        std::fprintf(stderr, "error: %s: cannot be written: %s\n", path.c_str(),
                     std::strerror(errno));
        std::_Exit(EXIT_FAILURE);
    }
};

class Statistics {
public:
    // What it writes goes to `results`, voltages as the simulation goes on.
    Statistics(const Observation &observation, const std::string &results)
        : seen(observation),
          folder(results),
          ends(ends_of(observation.sizes)),
          trains(ends.back()),
          bins(observation.measured_steps / observation.steps_per_bin),
          counts(seen.populations() * bins, 0),
          block_spikes(seen.populations() * blocks, 0),
          voltage(seen.populations() * observation.pieces),
          histogram(seen.populations() * (observation.bins + 2), 0),
          current(seen.populations() * seen.currents() * observation.pieces),
          lengths(seen.populations() * interval_bins, 0.0),
          block_of(observation.measured_steps, blocks),
          part_of(observation.measured_steps, parts),
          piece_of(observation.measured_steps, observation.pieces),
          piece_of_bins(bins, observation.pieces) {
        for (size_t p = 0; p < seen.populations(); p++) {
            rows_before.push_back(all_followed);
            followed.push_back(std::min(seen.sizes[p], most_followed));
            all_followed += followed.back();
            probed.emplace_back(seen.probes[p]);
            for (Probed &probe : probed.back())
                probe.input.resize(seen.kinds);
        }
        intervals.resize(static_cast<size_t>(all_followed) * parts);
        if (seen.refractoriness > 0) {
            pairs.resize(intervals.size());
            last_interval.resize(all_followed);
        }
        one_input.resize(seen.kinds);
        for (int32_t i : seen.recorded)
            trains[i].recorded = true;
        traces.open(folder + "/traces");
    }

    // To be called at the end of every step, after the resets, with the ascending indices of the
    // neurons that fired in it. `membrane` is asked about probes, and for `trace` about traced
    // neurons; its methods are
    //   double v(int i)            V; instantaneous synapses: advanced by half a step of the leak,
    //                              since v decays between the arrivals of this step and the next
    //   double trace(int i)        V, as it stands
    //   bool refractory(int i)
    //   void currents(int i, double *out)    V/s, input of each kind that will arrive in the next
    //                              step; not asked for where there are no kinds
    template <class Membrane>
    void step(int64_t step, const int32_t *spikes, int n, Membrane &&membrane) {
        const int64_t now = step - seen.first_step;
        if (now < 0) {
            for (int k = 0; k < n; k++) {
                trains[spikes[k]].before++;
                trains[spikes[k]].last = static_cast<int32_t>(now);
            }
            return;
        }
        if (now >= seen.measured_steps)
            return;
        const int part = part_of.at(now);
        for (int k = 0; k < n; k++)
            fired(spikes[k], now, part);
        const int block = block_of.at(now);
        const size_t bin = now / seen.steps_per_bin;
        const int32_t *from = spikes, *end = spikes + n;
        for (size_t p = 0; p < seen.populations(); p++) {
            const int32_t *to = std::lower_bound(from, end, ends[p]);
            block_spikes[p * blocks + block] += to - from;
            if (bin < bins)
                counts[p * bins + bin] += to - from;
            from = to;
        }
        const int piece = piece_of.at(now);
        for (size_t p = 0; p < seen.populations(); p++)
            see_probes(p, now, piece, membrane);
        if (bin < bins && (now + 1) % seen.steps_per_bin == 0)
            end_bin(piece_of_bins.at(bin));
        if (!seen.traced.empty() && (now + 1) % seen.trace_every == 0) {
            if (seen.trace_bytes == 4)
                keep<float>(membrane);
            else
                keep<double>(membrane);
        }
    }

    // Spikes of one neuron since the beginning of the simulation.
    uint64_t spikes_of(int i) const {
        return static_cast<uint64_t>(trains[i].before) + trains[i].during;
    }

    // Writes one file an array, and at last the file `written` that names them and their lengths:
    // without it the folder is not complete. Whatever fails ends the program with a reason.
    void write() {
        std::string listed;
        const auto put = [&](const char *name, const auto &array) {
            File(folder + "/" + name).put(array.data(), sizeof(array[0]), array.size());
            listed += std::string(name) + " " + std::to_string(array.size()) + "\n";
        };
        put("spikes", gather<uint32_t>([](const Train &t, int) { return t.during; }));
        put("spikes_before", gather<uint32_t>([](const Train &t, int) { return t.before; }));
        put("interval_squares",
            gather<double>([](const Train &t, int group) { return t.squares[group]; }, groups));
        put("interval_lengths",
            gather<uint32_t>([](const Train &t, int group) { return t.lengths[group]; }, groups));
        put("interval_sums", flat(intervals));
        put("interval_histogram", lengths);
        if (seen.refractoriness > 0)
            put("local_sums", flat(pairs));
        put("counts", counts);
        put("block_spikes", block_spikes);
        put("voltage_sums", flat(voltage));
        put("histogram", histogram);
        put("current_sums", flat(current));
        put("recorded_neurons", recorded_neurons);
        put("recorded_steps", recorded_steps);
        traces.close();
        listed += "traces " + std::to_string(traces_kept) + "\nend\n";
        File(folder + "/written").put(listed.data(), 1, listed.size());
    }

private:
    static const int blocks = 10;  // of time
    static const int groups = 4;   // of intervals, dealt in turn: they give the bias of the CV
    static const int parts = 32;   // of time: what neurons do together is seen in their sums
    static const int interval_bins = 128;
    static constexpr int32_t most_followed = 2048;  // of a population

    // One neuron's spikes; one line of the cache, since neurons that fire are all over memory.
    //
    // A window of T shows an interval x with a probability proportional to T - x, so that moments
    // of intervals are sums of w x^k with w = 1/(T - x). Two sums give three moments without a
    // difference of large numbers: T w x = w x^2 + x and T w = w x + 1. All in steps.
    struct alignas(64) Train {
        double squares[groups] = {};    // of w x^2
        uint32_t lengths[groups] = {};  // of x
        uint32_t during = 0, before = 0;
        int32_t last = never;  // step of the window, negative before it
        bool recorded = false;
    };

    static constexpr int32_t never = INT32_MIN;

    // Cuts 0 ... total - 1 into parts as equal as whole numbers allow, longer ones first (as
    // numpy.array_split); asked with ascending numbers.
    class Cut {
    public:
        Cut(int64_t total, int64_t number) : shorter(total / number), longer(total % number) {}

        int at(int64_t k) {
            while (k >= end)
                end += shorter + (++part < longer);
            return part;
        }

    private:
        int64_t shorter, longer, end = 0;
        int part = -1;
    };

    // Number, sum and sum of squares, each with a weight.
    struct Sums {
        double n = 0, first = 0, second = 0;

        void add(double x, double weight = 1) {
            n += weight;
            first += weight * x;
            second += weight * x * x;
        }
    };

    // Input into one probe in the bin of 1 ms under way.
    struct Probed {
        std::vector<double> input;  // by kind
        bool held = false;          // refractory at any time of the bin
    };

    const Observation seen;
    const std::string folder;
    const std::vector<int32_t> ends;  // of the populations
    std::vector<Train> trains;
    // What follows is one row a population, but for `intervals`.
    const size_t bins;
    std::vector<uint32_t> counts;        // spikes in whole bins of 1 ms
    std::vector<uint64_t> block_spikes;
    std::vector<Sums> voltage;
    std::vector<uint64_t> histogram;  // first what is below the range, last what is above
    std::vector<Sums> current;        // of each kind, net
    std::vector<std::vector<Probed>> probed;
    std::vector<double> one_input;
    std::vector<int32_t> followed, rows_before;  // the first neurons of a population, and where
    int32_t all_followed = 0;
    std::vector<Sums> intervals;  // of those neurons, by the part of the window they end in
    std::vector<Sums> pairs;      // likewise of successive intervals: number, terms of CV2 and LvR
    std::vector<int32_t> last_interval;
    std::vector<double> lengths;  // weights of the intervals by their length
    Cut block_of, part_of, piece_of, piece_of_bins;
    std::vector<int32_t> recorded_neurons;
    std::vector<int64_t> recorded_steps;
    File traces;
    int64_t traces_kept = 0;

    static std::vector<int32_t> ends_of(const std::vector<int32_t> &sizes) {
        std::vector<int32_t> found;
        for (int32_t size : sizes)
            found.push_back((found.empty() ? 0 : found.back()) + size);
        return found;
    }

    template <class Number, class Membrane> void keep(Membrane &membrane) {
        std::vector<Number> row;
        row.reserve(seen.traced.size());
        for (int32_t i : seen.traced)
            row.push_back(static_cast<Number>(membrane.trace(i)));
        traces.put(row.data(), sizeof(Number), row.size());
        traces_kept += row.size();
    }

    void fired(int32_t i, int64_t now, int part) {
        Train &train = trains[i];
        if (train.last != never)
            ended(i, now - train.last, part);
        if (train.during > 0) {
            const int64_t x = now - train.last;
            const int group = (train.during - 1) % groups;
            train.squares[group] += static_cast<double>(x * x) / (seen.measured_steps - x);
            train.lengths[group] += x;
            if (seen.refractoriness > 0)
                compare(i, train.during > 1, static_cast<int32_t>(x), part);
        }
        train.last = static_cast<int32_t>(now);
        train.during++;
        if (train.recorded) {
            recorded_neurons.push_back(i);
            recorded_steps.push_back(seen.first_step + now);
        }
    }

    // Two successive intervals in the window (local_variation.py).
    void compare(int32_t i, bool second, int32_t y, int part) {
        const size_t population = population_of(i);
        const int32_t k = i - (ends[population] - seen.sizes[population]);
        if (k >= followed[population])
            return;
        const size_t row = k + rows_before[population];
        const double x = last_interval[row], both = std::max(1.0, x + y);
        last_interval[row] = y;
        if (!second)
            return;
        const double weight = seen.measured_steps / (seen.measured_steps - both);
        Sums &sums = pairs[row * parts + part];
        sums.n += weight;
        sums.first += weight * 2 * std::abs(x - y) / both;
        sums.second += weight * 3 * (1 - 4 * x * y / (both * both)) *
                       (1 + 4 * seen.refractoriness / both);
    }

    size_t population_of(int32_t i) const {
        return std::upper_bound(ends.begin(), ends.end(), i) - ends.begin();
    }

    // An interval that ends in the window, wherever it began. One of length x is seen if its end is
    // x behind the start of the simulation: the weight is one over the share of such ends. What is
    // nearly as long as the simulation is seldom seen, and left out.
    void ended(int32_t i, int64_t x, int part) {
        const int64_t window = seen.measured_steps, all = seen.first_step + window;
        const int64_t longest = all - window / 8;
        if (x >= longest)
            return;
        const double weight = x > seen.first_step ? static_cast<double>(window) / (all - x) : 1.0;
        const size_t population = population_of(i);
        const size_t bin = static_cast<double>(x) * interval_bins / longest;
        lengths[population * interval_bins + bin] += weight;
        const int32_t k = i - (ends[population] - seen.sizes[population]);
        if (k < followed[population]) {
            const size_t row = k + rows_before[population];
            intervals[row * parts + part].add(static_cast<double>(x), weight);
        }
    }

    template <class Membrane>
    void see_probes(size_t p, int64_t now, int piece, Membrane &membrane) {
        if (seen.probes[p] == 0)
            return;
        const double low = seen.low[p], reference = seen.reference[p];
        const double scale = seen.bins / (seen.high[p] - low);
        const bool in_bin = static_cast<size_t>(now / seen.steps_per_bin) < bins && seen.kinds > 0;
        const int32_t first = ends[p] - seen.sizes[p];
        uint64_t *slots = &histogram[p * (seen.bins + 2)];
        Sums sums = voltage[p * seen.pieces + piece];
        for (int32_t k = 0; k < seen.probes[p]; k++) {
            const int32_t i = first + k;
            const bool refractory = membrane.refractory(i);
            if (!refractory) {
                const double v = membrane.v(i);
                sums.add(v - reference);
                // slot 0 is below the range, slot bins + 1 above it
                const double slot = 1.0 + (v - low) * scale;
                slots[static_cast<size_t>(std::min(std::max(0.0, slot), seen.bins + 1.0))]++;
            }
            if (in_bin) {
                Probed &probe = probed[p][k];
                membrane.currents(i, one_input.data());
                for (int32_t kind = 0; kind < seen.kinds; kind++)
                    probe.input[kind] += one_input[kind];
                probe.held |= refractory;
            }
        }
        voltage[p * seen.pieces + piece] = sums;
    }

    void end_bin(int piece) {
        if (seen.kinds == 0)
            return;
        for (size_t p = 0; p < seen.populations(); p++)
            for (Probed &probe : probed[p]) {
                Sums *rows = &current[p * seen.currents() * seen.pieces + piece];
                double net = 0;
                for (int32_t kind = 0; kind < seen.kinds; kind++) {
                    const double mean = probe.input[kind] / seen.steps_per_bin;
                    net += mean;
                    if (!probe.held)
                        rows[kind * seen.pieces].add(mean);
                    probe.input[kind] = 0;
                }
                if (!probe.held)
                    rows[seen.kinds * seen.pieces].add(net);
                probe.held = false;
            }
    }

    // The arrays of numbers that files hold, neuron by neuron.
    template <class Number, class Get>
    std::vector<Number> gather(Get get, int each = 1) const {
        std::vector<Number> found;
        found.reserve(trains.size() * each);
        for (const Train &train : trains)
            for (int k = 0; k < each; k++)
                found.push_back(get(train, k));
        return found;
    }

    static std::vector<double> flat(const std::vector<Sums> &all) {
        std::vector<double> found;
        for (const Sums &sums : all)
            found.insert(found.end(), {sums.n, sums.first, sums.second});
        return found;
    }
};

}  // namespace cbnet
#endif
