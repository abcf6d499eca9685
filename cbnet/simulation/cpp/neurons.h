// What all ways of stepping neurons share.
#ifndef CBNET_NEURONS_H
#define CBNET_NEURONS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "random.h"

namespace cbnet {

// Variables of the neurons of one population.
template <class Count> struct Neurons {
    int first, last;  // indices
    double *v;
    int32_t *held;  // steps for which a neuron that fired is still refractory
    Count *arrived_E, *arrived_I;
    // Brian2's variables of refractoriness, which other objects may read.
    char *not_refractory;
    double *lastspike;
    double t;

    // What everything does to a neuron that fires.
    void fire(int i, double reset, int steps) const {
        v[i] = reset;
        held[i] = steps;
        not_refractory[i] = false;
        lastspike[i] = t;
    }
};

// The largest of n numbers.
template <class Count> Count largest(const Count *__restrict numbers, int n) {
    Count most = 0;
    for (int i = 0; i < n; i++)
        most = std::max(most, numbers[i]);
    return most;
}

// Which of n are marked, counted from `first`; eight of them are mostly passed over at once.
inline int list(const bool *marked, int n, int first, int32_t *out) {
    int count = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        std::memcpy(&eight, marked + i, 8);
        for (; eight; eight &= eight - 1)
            out[count++] = first + i + __builtin_ctzll(eight) / 8;
    }
    for (; i < n; i++)
        if (marked[i])
            out[count++] = first + i;
    return count;
}

// Whole numbers below small bounds, many out of one random word.
class Digits {
public:
    explicit Digits(Stream &stream) : stream(stream), word(stream()) {}

    int below(int bound) {
        if ((used *= bound) > 1ull << 40) {
            word = stream();
            used = bound;
        }
        const auto product = static_cast<unsigned __int128>(word) * static_cast<unsigned>(bound);
        word = static_cast<uint64_t>(product);  // what is left is uniform again
        return static_cast<int>(product >> 64);
    }

private:
    Stream &stream;
    uint64_t word, used = 1;
};

// How many steps a neuron that fired is held.
//
// A crossing happens in the middle of its step on average, and is known at its end: the mean is such
// that intervals are the refractory time longer, whether or not that is a multiple of the step.
inline int refractory_steps(double tau_rp, double dt, Stream &stream) {
    return std::max(0, static_cast<int>(std::floor(tau_rp / dt + 0.5 + stream.uniform())) - 1);
}

}  // namespace cbnet
#endif
