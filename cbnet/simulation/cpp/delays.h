// Delays in time steps: their distribution, and the spikes that are still on their way.
#ifndef CBNET_DELAYS_H
#define CBNET_DELAYS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "random.h"

namespace cbnet {

// Delays in whole time steps.
class Delays {
public:
    // Of any law: the probability of each delay from the least on or a shorter one.
    Delays(int least, const std::vector<double> &cumulative)
        : least(least), slots(static_cast<int>(cumulative.size())), even(false), below(cumulative) {
        tabulate();
    }

    // Uniform between two bounds in time steps, and rounded.
    Delays(double shortest, double longest)
        : least(static_cast<int>(std::lround(shortest))),
          slots(static_cast<int>(std::lround(longest)) - least + 1), even(true) {
        const double width = longest - shortest;
        for (int d = 0; d < slots; d++) {
            const double reached = least + d + 0.5 - shortest;
            below.push_back(width > 0 ? std::min(1.0, reached / width) : 1.0);
        }
        tabulate();
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
        const uint32_t u = stream.half();
        if (!even)
            return static_cast<int>(std::upper_bound(bound.begin(), bound.end() - 1, u) -
                                    bound.begin());
        // Equal steps but for the first and the last: the guess is off by one at the most.
        int d = static_cast<int>(static_cast<uint64_t>(u) * slots >> 32);
        d += u >= bound[d];
        d -= d > 0 && u < bound[d - 1];
        return d;
    }

private:
    const bool even;
    std::vector<double> below;    // cumulative probability
    std::vector<uint64_t> bound;  // the same in units of 2^-32

    void tabulate() {
        below.back() = 1.0;
        for (double share : below)
            bound.push_back(static_cast<uint64_t>(std::ldexp(share, 32)));
    }
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

// What will arrive in the next steps, target by target: the synapses of a spike are dealt to the
// steps in which they are due. Memory is then walked from end to end, when a neuron fires and when
// its spikes arrive, which is faster than to look for a few synapses at a time in every step.
template <class Target> class Due {
public:
    Due(int shortest, int slots) : shortest(shortest), lists(shortest + slots) {}

    // Synapses of a neuron that fires now, with the delay shortest + slot. More than n may be read,
    // up to PADDING: copying in pieces of one size is what costs least for a few.
    void add(int slot, const Target *targets, size_t n) {
        List &list = lists[(now + shortest + slot) % lists.size()];
        if (list.used + n + PADDING > list.room.size())
            list.room.resize(2 * (list.used + n + PADDING));
        Target *to = list.room.data() + list.used;
        for (size_t k = 0; k < n; k += PADDING)
            std::memcpy(to + k, targets + k, PADDING * sizeof(Target));
        list.used += n;
    }

    // What is due now; to be called once in a step, after the spikes of the step were added.
    template <class Use> void take(Use &&use) {
        List &list = lists[now % lists.size()];
        use(list.room.data(), list.used);
        list.used = 0;
        now++;
    }

    // The number of synapses of one delay below which this pays.
    static constexpr int FEW = 64;
    // What must lie behind the last target, readable.
    static constexpr size_t PADDING = 16;

private:
    struct List {
        std::vector<Target> room;
        size_t used = 0;
    };

    int shortest;
    std::vector<List> lists;
    uint64_t now = 0;
};

}  // namespace cbnet
#endif
