// Random numbers: a hash, a generator seeded by it, and many generators side by side.
#ifndef CBNET_RANDOM_H
#define CBNET_RANDOM_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

namespace cbnet {

// Finaliser of splitmix64 (Steele, Lea & Flood 2014): every bit of the result depends on every bit
// of the argument.
inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// The same of half the length, for vectors (found by C. Wellons' search for hashes of low bias).
inline uint32_t scatter(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

// One seed from another and a number, such as that of a neuron.
inline uint64_t subseed(uint64_t seed, uint64_t number) {
    return mix(seed + (number + 1) * 0x9e3779b97f4a7c15ull);
}

// A whole number from another generator of uniform numbers, such as Brian2's.
template <class Generator> uint64_t from(Generator &generator) {
    return static_cast<uint64_t>(generator.rand() * 0x1p53);
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

    // 32 random bits; a word gives two of them.
    uint32_t half() {
        if (halves == 0) {
            word = (*this)();
            halves = 2;
        }
        halves--;
        return static_cast<uint32_t>(word >> 32 * halves);
    }

    // A whole number below `bound`, with a bias below bound/2^32.
    uint32_t below(uint32_t bound) {
        return static_cast<uint32_t>(half() * static_cast<uint64_t>(bound) >> 32);
    }

    // How many of n coins show heads.
    int heads(int n) {
        int count = 0;
        for (; n >= 64; n -= 64)
            count += __builtin_popcountll((*this)());
        return n > 0 ? count + __builtin_popcountll((*this)() >> (64 - n)) : count;
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
    uint64_t state, word = 0;
    int halves = 0;
};

// Sixteen xoshiro128++ generators side by side (Blackman & Vigna 2021), one in each lane of a vector.
class Lanes {
public:
    static constexpr int WIDTH = 16;
    typedef uint32_t Vector __attribute__((vector_size(4 * WIDTH)));

    explicit Lanes(uint64_t seed) {
        Stream stream(seed);
        for (Vector &word : state)
            for (int lane = 0; lane < WIDTH; lane++)
                word[lane] = static_cast<uint32_t>(stream() >> 32);
    }

    void next(uint32_t *out) {
        Vector sum = state[0] + state[3];
        sum = (sum << 7 | sum >> 25) + state[0];
        const Vector shifted = state[1] << 9;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3] << 11 | state[3] >> 21;
        std::memcpy(out, &sum, sizeof(sum));
    }

private:
    Vector state[4];
};

}  // namespace cbnet
#endif
