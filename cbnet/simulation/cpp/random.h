// Random numbers for wiring: a hash, a generator seeded by it, and the few distributions needed.
#ifndef CBNET_RANDOM_H
#define CBNET_RANDOM_H

#include <cmath>
#include <cstdint>
#include <random>

namespace cbnet {

// Finaliser of splitmix64 (Steele, Lea & Flood 2014): every bit of the result depends on every bit
// of the argument.
inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// One seed from another and a number, such as that of a neuron.
inline uint64_t subseed(uint64_t seed, uint64_t number) {
    return mix(seed + (number + 1) * 0x9e3779b97f4a7c15ull);
}

// A stream of random numbers; cheap to start, so that every neuron can have its own.
class Stream {
public:
    using result_type = uint64_t;
    static constexpr uint64_t min() { return 0; }
    static constexpr uint64_t max() { return ~0ull; }

    explicit Stream(uint64_t seed) : state(seed) {}

    uint64_t operator()() { return mix(state += 0x9e3779b97f4a7c15ull); }

    // Uniform in (0, 1).
    double uniform() { return (((*this)() >> 11) + 0.5) * 0x1p-53; }

    // A whole number below `bound`; its bias is below 2^-32 for the numbers of neurons met here.
    uint32_t below(uint32_t bound) {
        return static_cast<uint32_t>(((*this)() >> 32) * static_cast<uint64_t>(bound) >> 32);
    }

    uint64_t binomial(uint64_t trials, double probability) {
        if (trials == 0 || probability <= 0)
            return 0;
        if (probability >= 1)
            return trials;
        return std::binomial_distribution<int64_t>(trials, probability)(*this);
    }

    double normal() { return std::normal_distribution<double>()(*this); }

private:
    uint64_t state;
};

}  // namespace cbnet
#endif
