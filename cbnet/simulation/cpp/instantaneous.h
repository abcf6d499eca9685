// One step of neurons with instantaneous synapses, in one pass over memory.
//
// The membrane follows an affine leak, dv/dt = offset + slope v, and jumps by arrivals that are
// affine in v (jumps.h).
#ifndef CBNET_INSTANTANEOUS_H
#define CBNET_INSTANTANEOUS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "jumps.h"
#include "neurons.h"

namespace cbnet {

// Values of one population; potentials in V, times in s.
struct Instantaneous {
    double leak_offset, leak_slope;
    double excitatory_offset, excitatory_slope;
    double inhibitory_offset, inhibitory_slope;
    double threshold, reset, tau_rp;
    double dt;

    bool operator==(const Instantaneous &other) const {
        return std::memcmp(this, &other, sizeof(other)) == 0;
    }
};

// What the leak does in one step: v -> constant + factor v.
struct Leak {
    double constant, factor;

    explicit Leak(const Instantaneous &p)
        : constant(p.leak_slope == 0 ? p.leak_offset * p.dt
                                     : p.leak_offset * std::expm1(p.leak_slope * p.dt) / p.leak_slope),
          factor(std::exp(p.leak_slope * p.dt)) {}

    double operator()(double v) const { return constant + factor * v; }
};

// The arrivals of a step come in random order, and the threshold is tested after each.
template <class Excitatory, class Inhibitory> class RandomOrder {
public:
    explicit RandomOrder(uint64_t seed) : stream(seed) {}

    // Returns how many neurons fire; their indices go to `spikes`.
    template <class Count>
    int step(const Instantaneous &p, const Neurons<Count> &neurons, int32_t *spikes) {
        if (!(values && *values == p))
            prepare(p);
        int fired = 0;
        for (int first = neurons.first; first < neurons.last; first += CHUNK)
            fired += advance(p, neurons, first, std::min(CHUNK, neurons.last - first),
                             spikes + fired);
        return fired;
    }

private:
    static constexpr int CHUNK = 512;

    Stream stream;
    std::unique_ptr<Instantaneous> values;
    std::unique_ptr<Leak> leak;
    std::unique_ptr<Excitatory> excitatory;
    std::unique_ptr<Inhibitory> inhibitory;
    bool monotone = true;  // excitation lifts v up to the threshold, inhibition lowers it from there

    void prepare(const Instantaneous &p) {
        values = std::make_unique<Instantaneous>(p);
        leak = std::make_unique<Leak>(p);
        excitatory = std::make_unique<Excitatory>(p.excitatory_offset, p.excitatory_slope);
        inhibitory = std::make_unique<Inhibitory>(p.inhibitory_offset, p.inhibitory_slope);
        monotone = p.excitatory_slope <= 0 &&
                   p.excitatory_offset + p.excitatory_slope * p.threshold >= 0 &&
                   p.inhibitory_slope <= 0 &&
                   p.inhibitory_offset + p.inhibitory_slope * p.threshold <= 0;
    }

    template <class Count>
    int advance(const Instantaneous &p, const Neurons<Count> &neurons, int first, int n,
                int32_t *spikes) {
        double *__restrict v = neurons.v + first;
        int32_t *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *__restrict n_E = neurons.arrived_E + first, *__restrict n_I = neurons.arrived_I + first;
        excitatory->reserve(*std::max_element(n_E, n_E + n));
        inhibitory->reserve(*std::max_element(n_I, n_I + n));
        const Leak leaks = *leak;
        const Excitatory &excites = *excitatory;
        const Inhibitory &inhibits = *inhibitory;

        // Most neurons cannot fire in this step, whatever the order of their arrivals: not even if
        // all excitatory ones come first. Their arrivals commute closely enough for one order to
        // stand for all, the one that is the same forwards and backwards.
        const double threshold = p.threshold;
        const bool always = !monotone;
        bool near[CHUNK];
        for (int i = 0; i < n; i++) {
            const double x = leaks(v[i]);
            const bool active = held[i] == 0;
            const double top = excites(inhibits.ceiling(x), n_E[i]);
            near[i] = active & ((top > threshold) | always);
            const double y = excites.half(inhibits(excites.half(x, n_E[i]), n_I[i]), n_E[i]);
            v[i] = !active ? v[i] : near[i] ? x : y;
            not_refractory[i] = active;
            held[i] -= !active;
        }
        int listed[CHUNK], count = 0;
        for (int i = 0; i < n; i++) {
            listed[count] = i;
            count += near[i];
        }
        int fired = 0;
        for (int k = 0; k < count; k++) {
            const int i = listed[k];
            v[i] = in_random_order(v[i], n_E[i], n_I[i], p.threshold);
            spikes[fired] = first + i;
            fired += v[i] > p.threshold;
        }
        for (int k = 0; k < fired; k++)
            neurons.fire(spikes[k], p.reset, refractory_steps(p.tau_rp, p.dt, stream));
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }

    double in_random_order(double v, int n_E, int n_I, double threshold) {
        if (v > threshold)
            return v;
        if (n_I == 0 && monotone)
            return (*excitatory)(v, n_E);
        // Throw the inhibitory arrivals into the n_E + 1 gaps between excitatory ones. All
        // arrangements are equally likely if each falls into a random gap or joins an earlier one.
        // The gaps are kept in order.
        Digits digits(stream);
        int few[64];
        std::vector<int> many;
        int *gap = few;
        if (n_I > 64) {
            many.resize(n_I);
            gap = many.data();
        }
        for (int k = 0; k < n_I; k++) {
            const int drawn = digits.below(n_E + 1 + k);
            const int here = drawn <= n_E ? drawn : gap[drawn - n_E - 1];
            int place = k;
            for (; place > 0 && gap[place - 1] > here; place--)
                gap[place] = gap[place - 1];
            gap[place] = here;
        }
        int arrived = 0;
        for (int k = 0; k < n_I; k++) {
            v = excite(v, gap[k] - arrived, threshold);
            if (v > threshold)
                return v;
            v = (*inhibitory)(v, 1);
            if (!monotone && v > threshold)
                return v;
            arrived = gap[k];
        }
        return excite(v, n_E - arrived, threshold);
    }

    double excite(double v, int n, double threshold) const {
        if (monotone)
            return (*excitatory)(v, n);
        for (; n > 0 && v <= threshold; n--)
            v = (*excitatory)(v, 1);
        return v;
    }
};

// Brian2's order: the arrivals of the last step, all excitatory ones first; the leak; the threshold.
// Arrivals are counted after the threshold was tested, and applied here before the next leak.
template <class Excitatory, class Inhibitory> class Brian2Order {
public:
    explicit Brian2Order(uint64_t) {}

    template <class Count>
    int step(const Instantaneous &p, const Neurons<Count> &neurons, int32_t *spikes) {
        const int n = neurons.last - neurons.first;
        double *__restrict v = neurons.v + neurons.first;
        int32_t *__restrict held = neurons.held + neurons.first;
        char *__restrict not_refractory = neurons.not_refractory + neurons.first;
        Count *__restrict n_E = neurons.arrived_E + neurons.first;
        Count *__restrict n_I = neurons.arrived_I + neurons.first;
        Excitatory excitatory(p.excitatory_offset, p.excitatory_slope);
        Inhibitory inhibitory(p.inhibitory_offset, p.inhibitory_slope);
        excitatory.reserve(n > 0 ? *std::max_element(n_E, n_E + n) : 0);
        inhibitory.reserve(n > 0 ? *std::max_element(n_I, n_I + n) : 0);
        const Leak leak(p);
        for (int i = 0; i < n; i++) {
            // In its last refractory step a neuron does not feel arrivals, but leaks in the next.
            const double x = held[i] > 0 ? v[i] : inhibitory(excitatory(v[i], n_E[i]), n_I[i]);
            v[i] = held[i] > 1 ? v[i] : leak(x);
            not_refractory[i] = held[i] <= 1;
            held[i] -= held[i] > 0;
        }
        int fired = 0;
        for (int i = 0; i < n; i++) {
            spikes[fired] = neurons.first + i;
            fired += v[i] > p.threshold;
        }
        // Brian2's number of time steps in a refractory time, which is rounded down.
        const int steps = static_cast<int>((p.tau_rp + 1e-3 * p.dt) / p.dt);
        for (int k = 0; k < fired; k++)
            neurons.fire(spikes[k], p.reset, std::max(1, steps));
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }
};

}  // namespace cbnet
#endif
