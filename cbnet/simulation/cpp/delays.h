// Delays in time steps: their distribution, and the spikes that are still on their way.
#ifndef CBNET_DELAYS_H
#define CBNET_DELAYS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "random.h"

namespace cbnet {

// Delays that are uniform between two bounds and rounded to time steps.
class Delays {
public:
    // Bounds in time steps.
    Delays(double shortest, double longest)
        : least(static_cast<int>(std::lround(shortest))),
          slots(static_cast<int>(std::lround(longest)) - least + 1) {
        const double width = longest - shortest;
        for (int d = 0; d < slots; d++) {
            const double reached = least + d + 0.5 - shortest;
            below.push_back(width > 0 ? std::min(1.0, reached / width) : 1.0);
        }
        below.back() = 1.0;
    }

    // The shortest delay, and how many there are from it on.
    const int least, slots;

    // Draw the delays of `count` synapses; what is handed out is how many have each of them.
    void draw(uint32_t count, Stream &stream, uint32_t *in_slot) const {
        std::fill(in_slot, in_slot + slots, 0);
        if (count < 16u * slots) {
            for (uint32_t j = 0; j < count; j++)
                in_slot[slot(stream)]++;
            return;
        }
        // As the same multinomial, one binomial for each delay: faster where there are many.
        uint32_t left = count;
        double rest = 1.0, passed = 0.0;
        for (int d = 0; d < slots - 1; d++) {
            const double share = below[d] - passed;
            in_slot[d] = static_cast<uint32_t>(stream.binomial(left, share / rest));
            left -= in_slot[d];
            rest -= share;
            passed = below[d];
        }
        in_slot[slots - 1] = left;
    }

    // The delay of one synapse, counted from the shortest.
    int slot(Stream &stream) const {
        if (slots == 1)
            return 0;
        const double u = stream.uniform();
        // Equal steps but for the first and the last: the guess is off by one at the most.
        int d = std::min(slots - 1, static_cast<int>(u * slots));
        while (u >= below[d])
            d++;
        while (d > 0 && u < below[d - 1])
            d--;
        return d;
    }

private:
    std::vector<double> below;  // cumulative probability
};

// The spikes of the last steps.
class History {
public:
    explicit History(int longest_delay) : recent(longest_delay + 1) {}

    void add(const int32_t *spikes, int count) {
        recent[now % recent.size()].assign(spikes, spikes + count);
        now++;
    }

    // Who fired `delay` steps before the spikes added last.
    const std::vector<int32_t> &before(int delay) const {
        static const std::vector<int32_t> nobody;
        return delay < now ? recent[(now - 1 - delay) % recent.size()] : nobody;
    }

private:
    std::vector<std::vector<int32_t>> recent;
    int64_t now = 0;
};

}  // namespace cbnet
#endif
