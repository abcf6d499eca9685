// A random order of numbers, computed rather than kept.
//
// A Feistel network scrambles the two halves of a number in turn. Each turn adds to one half a hash
// of the other, which can be undone: whatever the hash, the whole is a permutation. Neither half need
// be a power of two.
#ifndef CBNET_PERMUTATION_H
#define CBNET_PERMUTATION_H

#include <algorithm>
#include <cstdint>

#include "random.h"

namespace cbnet {

class Permutation {
public:
    // Of the numbers below `domain(n)`, for n below 2^30.
    Permutation(uint64_t seed, uint32_t n) : bits(low_bits(n)), high(domain(n) >> bits) {
        mask = (1u << bits) - 1;
        passes = n < SMALL ? 2 : 1;
        Stream stream(seed);
        for (Turn *turn : {up, down})
            for (int k = 0; k < passes * ROUNDS; k++) {
                const uint64_t drawn = stream();
                turn[k] = {static_cast<uint32_t>(drawn) | 1, static_cast<uint32_t>(drawn >> 32)};
            }
    }

    // The least number from n on that two halves reach: less than n + 2 sqrt(n).
    static uint32_t domain(uint32_t n) {
        const uint32_t low = 1u << low_bits(n);
        return (n + low - 1) / low * low;
    }

    uint32_t operator()(uint32_t x) const {
        for (int pass = 0; pass < passes; pass++)
            x = scramble(x, pass);
        return x;
    }

    // The images of `first`, `first` + 1, ...; the compiler makes vector instructions of the loops.
    void images(uint32_t first, uint32_t count, uint32_t *__restrict out) const {
        for (uint32_t j = 0; j < count; j++)
            out[j] = scramble(first + j, 0);
        for (int pass = 1; pass < passes; pass++)
            for (uint32_t j = 0; j < count; j++)
                out[j] = scramble(out[j], pass);
    }

    // The number that is sent to y.
    uint32_t inverse(uint32_t y) const {
        uint32_t left = y >> bits, right = y & mask;
        for (int k = passes * ROUNDS - 1; k >= 0; k--) {
            right ^= up_to_mask(down[k](left));
            left -= below_high(up[k](right));
            left = std::min(left, left + high);
        }
        return left << bits | right;
    }

private:
    static constexpr int ROUNDS = 3;
    static constexpr uint32_t SMALL = 1024;  // numbers with so few bits are scrambled twice

    uint32_t scramble(uint32_t x, int pass) const {
        const Turn *up = this->up + pass * ROUNDS, *down = this->down + pass * ROUNDS;
        uint32_t left = x >> bits, right = x & mask;
        for (int k = 0; k < ROUNDS; k++) {
            left += below_high(up[k](right));
            left = std::min(left, left - high);  // modulo `high`: a negative difference is large
            right ^= up_to_mask(down[k](left));
        }
        return left << bits | right;
    }

    // Multiply-shift hashing (Dietzfelbinger et al. 1997): the upper bits are the hash.
    struct Turn {
        uint32_t factor, offset;
        uint32_t operator()(uint32_t x) const { return x * factor + offset; }
    };

    int bits;
    uint32_t high, mask = 0;
    int passes;
    Turn up[2 * ROUNDS], down[2 * ROUNDS];

    static int low_bits(uint32_t n) {
        int bits = 0;
        while ((1ull << (2 * bits + 2)) <= n)
            bits++;
        return bits;
    }

    uint32_t below_high(uint32_t hash) const { return (hash >> 16) * high >> 16; }
    uint32_t up_to_mask(uint32_t hash) const { return hash >> 16 & mask; }
};

}  // namespace cbnet
#endif
