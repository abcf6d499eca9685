// What all ways of stepping neurons share.
#ifndef CBNET_NEURONS_H
#define CBNET_NEURONS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "random.h"

#if defined(__x86_64__) && defined(__GLIBC__)
// The C library has a version of exp for vectors, which it shows to the compiler with -ffast-math
// only.
extern "C" __attribute__((__simd__("notinbranch"))) double exp(double) noexcept;
#endif

namespace cbnet {

// Arrivals are counted by class: those that do the same to a neuron, synapses of one kind and one
// efficacy. Numbers of them, by class.
template <int C> struct Arrivals {
    int n[C];

    int total() const {
        int sum = 0;
        for (int c = 0; c < C; c++)
            sum += n[c];
        return sum;
    }
    Arrivals operator-(Arrivals other) const {
        for (int c = 0; c < C; c++)
            other.n[c] = n[c] - other.n[c];
        return other;
    }
    Arrivals operator+(Arrivals other) const {
        for (int c = 0; c < C; c++)
            other.n[c] += n[c];
        return other;
    }
};

// Variables of the neurons of one population.
template <class Count, int C> struct Neurons {
    int first, last;  // indices
    double *v;
    float *held;  // steps for which a neuron that fired is still refractory, from the next one on
    Count *arrived[C];
    // Brian2's variables of refractoriness, which other objects may read.
    char *not_refractory;
    double *lastspike;
    double t;

    // What everything does to a neuron that fires.
    void fire(int i, double reset, double steps) const {
        v[i] = reset;
        held[i] = static_cast<float>(steps);
        not_refractory[i] = false;
        lastspike[i] = t;
    }

    Arrivals<C> arrivals(int i) const {
        Arrivals<C> found;
        for (int c = 0; c < C; c++)
            found.n[c] = arrived[c][i];
        return found;
    }

    void forget(int from, int n) const {
        for (int c = 0; c < C; c++)
            std::fill(arrived[c] + from, arrived[c] + from + n, 0);
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

// Who needs more than the plain loops: neurons that may cross, and those that wake up in this step.
// The others come a step closer to the end of their refractory time.
inline void mark(float *__restrict held, double *__restrict top, double threshold, int n,
                 char *__restrict not_refractory, bool *__restrict marked) {
    for (int i = 0; i < n; i++) {
        const bool awake = held[i] <= 0, held_on = held[i] > 1;
        marked[i] = (awake & (top[i] > threshold)) | !(awake | held_on);
        not_refractory[i] = !held_on;
        held[i] -= held_on;
    }
}

// How many of n arrivals at any time of a step are in a part of it.
inline int in_part(double part, int n, Lanes &lanes) {
    if (part >= 1)
        return n;
    const auto bound = static_cast<uint32_t>(std::max(part, 0.0) * 0x1p32);
    int count = 0;
    for (int first = 0; first < n; first += Lanes::WIDTH) {
        uint32_t times[Lanes::WIDTH];
        lanes.next(times);
        for (int j = 0; j < Lanes::WIDTH; j++)
            count += (times[j] < bound) & (first + j < n);
    }
    return count;
}

// About when the k-th of n arrivals at any time of (0, 1) comes; exact for one, and in the mean.
inline double arrival_time(int k, int n, Stream &stream) {
    return n == 1 ? stream.uniform() : (k - 0.5 + stream.uniform()) / (n + 1);
}

}  // namespace cbnet
#endif
