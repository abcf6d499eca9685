// How a graph is kept, and how the spikes of a step are counted at their targets.
//
// All synapses of a projection are alike, so that a spike only has to add one to the count of each
// of its targets. What a synapse costs is then what it takes to know its target.
#ifndef CBNET_STORAGE_H
#define CBNET_STORAGE_H

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "delays.h"
#include "rows.h"

namespace cbnet {

// Targets as numbers of two bytes. Beyond 65,536 neurons they are cut into blocks, so that the
// number within a block fits, and the counts of a block stay in the processor's cache.
class Stored {
public:
    Stored(Sizes sizes, const Delays &delays) : sizes(sizes), slots(delays.slots) {
        blocks.resize((sizes.targets + BLOCK - 1) / BLOCK);
        for (Block &block : blocks)
            block.start.assign(static_cast<size_t>(sizes.sources) * slots + 1, 0);
    }

    // Draw target by target; twice, so that no copy is needed to sort by source.
    void fill(ByTarget graph, const Delays &delays, uint64_t seed) {
        sort([&](auto &&visit) {
            for (uint32_t target = 0; target < sizes.targets; target++)
                graph.sources_of(target, [&](uint32_t source) { visit(source, target, 0); });
        });
        for (Block &block : blocks)
            spread(block, delays, subseed(seed, &block - blocks.data()));
    }

    void fill(const BySource &graph, const std::vector<uint32_t> &ends) {
        std::vector<uint32_t> targets;
        sort([&](auto &&visit) {
            for (uint32_t source = 0; source < sizes.sources; source++) {
                targets.resize(graph.places(source));
                graph.targets_of(source, 0, targets.size(), targets.data());
                const uint32_t *end = &ends[static_cast<size_t>(source) * slots];
                for (uint32_t j = 0, slot = 0; j < targets.size(); j++) {
                    while (j >= end[slot])
                        slot++;
                    if (targets[j] < sizes.targets)
                        visit(source, targets[j], slot);
                }
            }
        });
    }

    // So many synapses in all, each between any source and any target.
    void fill(uint64_t total, const Delays &delays, uint64_t seed) {
        sort([&](auto &&visit) {
            Stream stream(seed);  // the same at every call
            for (uint64_t k = 0; k < total; k++) {
                const uint32_t source = stream.below(sizes.sources);
                const uint32_t target = stream.below(sizes.targets);
                visit(source, target, delays.slot(stream));
            }
        });
    }

    // A list of synapses in any order; delays counted from the shortest.
    void fill(const int32_t *source, const int32_t *target, const int32_t *slot, uint64_t count) {
        sort([&](auto &&visit) {
            for (uint64_t k = 0; k < count; k++)
                visit(source[k], target[k], slot[k]);
        });
    }

    // Count what arrives now of the spikes that are under way.
    template <class Count> void deliver(const History &history, int shortest, Count *counts) {
        if (slots > 1 && mean_length() < Due<uint16_t>::FEW)
            return deal(history.before(0), shortest, counts);
        for (size_t b = 0; b < blocks.size(); b++)
            for (int slot = 0; slot < slots; slot++) {
                const auto &spikes = history.before(shortest + slot);
                for (size_t first = 0; first < spikes.size(); first += TOGETHER)
                    add(blocks[b], &spikes[first], std::min(TOGETHER, spikes.size() - first), slot,
                        counts + b * BLOCK);
            }
    }

    uint64_t out_degree(uint32_t source) const {
        uint64_t sum = 0;
        for (const Block &block : blocks)
            sum += block.start[place(source + 1, 0)] - block.start[place(source, 0)];
        return sum;
    }

    template <class Visit> void targets_of(uint32_t source, Visit &&visit) const {
        for (size_t b = 0; b < blocks.size(); b++)
            for (int slot = 0; slot < slots; slot++)
                for (uint32_t k = blocks[b].start[place(source, slot)];
                     k < blocks[b].start[place(source, slot) + 1]; k++)
                    visit(static_cast<uint32_t>(b * BLOCK + blocks[b].target[k]), slot);
    }

    size_t bytes() const {
        size_t sum = 0;
        for (const Block &block : blocks)
            sum += block.start.capacity() * sizeof(uint32_t) +
                   block.target.capacity() * sizeof(uint16_t);
        return sum;
    }

private:
    static constexpr uint32_t BLOCK = 65536;
    static constexpr size_t TOGETHER = 32;  // spikes whose memory is fetched side by side

    struct Block {
        std::vector<uint32_t> start;  // of each source and delay in `target`
        std::vector<uint16_t> target;
        std::unique_ptr<Due<uint16_t>> due;
    };

    Sizes sizes;
    int slots;
    std::vector<Block> blocks;

    size_t place(uint32_t source, int slot) const {
        return static_cast<size_t>(source) * slots + slot;
    }

    // A counting sort by source and delay of what `draw` hands out, which is called twice.
    template <class Draw> void sort(Draw &&draw) {
        std::vector<uint64_t> sums(blocks.size(), 0);
        draw([&](uint32_t source, uint32_t target, int slot) {
            blocks[target / BLOCK].start[place(source, slot) + 1]++;
            sums[target / BLOCK]++;
        });
        for (size_t b = 0; b < blocks.size(); b++) {
            if (sums[b] > std::numeric_limits<uint32_t>::max())
                throw std::length_error("more than 2^32 synapses in a block of 65536 neurons");
            auto &start = blocks[b].start;
            std::partial_sum(start.begin(), start.end(), start.begin());
            blocks[b].target.reserve(start.back() + Due<uint16_t>::PADDING);
            blocks[b].target.resize(start.back());
        }
        draw([&](uint32_t source, uint32_t target, int slot) {
            Block &block = blocks[target / BLOCK];
            block.target[block.start[place(source, slot)]++] = target % BLOCK;
        });
        // Every start has moved to where the next one was.
        for (Block &block : blocks) {
            std::copy_backward(block.start.begin(), block.start.end() - 1, block.start.end());
            block.start[0] = 0;
        }
    }

    // Give the synapses of each source their delays, and put them in that order.
    void spread(Block &block, const Delays &delays, uint64_t seed) {
        if (slots == 1)
            return;
        std::vector<uint32_t> end(slots);
        std::vector<uint16_t> sorted;
        std::vector<uint16_t> slot;
        for (uint32_t source = 0; source < sizes.sources; source++) {
            uint32_t *start = &block.start[place(source, 0)];
            const uint32_t first = start[0], count = start[slots] - first;
            Stream stream(subseed(seed, source));
            slot.resize(count);
            sorted.resize(count);
            std::fill(end.begin(), end.end(), 0);
            for (uint32_t j = 0; j < count; j++) {
                slot[j] = delays.slot(stream);
                end[slot[j]]++;
            }
            uint32_t sum = 0;
            for (int d = 0; d < slots; d++) {
                start[d] = first + sum;
                sum += end[d];
                end[d] = sum - end[d];
            }
            for (uint32_t j = 0; j < count; j++)
                sorted[end[slot[j]]++] = block.target[first + j];
            std::copy(sorted.begin(), sorted.end(), block.target.begin() + first);
        }
    }

    // Synapses of one source and delay in a block.
    double mean_length() const {
        return static_cast<double>(blocks[0].target.size()) / blocks[0].start.size();
    }

    template <class Count>
    void deal(const std::vector<int32_t> &spikes, int shortest, Count *counts) {
        for (size_t b = 0; b < blocks.size(); b++) {
            Block &block = blocks[b];
            if (!block.due)
                block.due = std::make_unique<Due<uint16_t>>(shortest, slots);
            for (int32_t source : spikes) {
                const uint32_t *start = &block.start[place(source, 0)];
                for (int slot = 0; slot < slots; slot++)
                    block.due->add(slot, block.target.data() + start[slot], start[slot + 1] - start[slot]);
            }
            block.due->take([&](const uint16_t *targets, size_t n) {
                add(targets, n, counts + b * BLOCK);
            });
        }
    }

    // Each of three loops fetches what the next one needs: memory answers late, but many at once.
    template <class Count>
    void add(const Block &block, const int32_t *spikes, size_t n, int slot, Count *counts) const {
        const uint32_t *start[TOGETHER];
        for (size_t k = 0; k < n; k++) {
            start[k] = &block.start[place(spikes[k], slot)];
            __builtin_prefetch(start[k]);
        }
        for (size_t k = 0; k < n; k++) {
            const char *next = reinterpret_cast<const char *>(&block.target[start[k][0]]);
            const char *end = reinterpret_cast<const char *>(&block.target[start[k][1]]);
            for (end = std::min(end, next + 1024); next < end; next += 64)
                __builtin_prefetch(next);
        }
        for (size_t k = 0; k < n; k++)
            add(&block.target[start[k][0]], start[k][1] - start[k][0], counts);
    }

    template <class Count>
    static void add(const uint16_t *__restrict target, size_t n, Count *__restrict counts) {
        size_t k = 0;
        for (; k + 8 <= n; k += 8)
            for (int j = 0; j < 8; j++)
                counts[target[k + j]]++;
        for (; k < n; k++)
            counts[target[k]]++;
    }
};

// Nothing kept: the targets of a spike are computed again.
class Procedural {
public:
    // `ends` tells how many places of each source have a delay or a shorter one.
    Procedural(Sizes sizes, std::unique_ptr<BySource> graph, std::vector<uint32_t> ends, int slots)
        : sizes(sizes), graph(std::move(graph)), ends(std::move(ends)), slots(slots),
          degrees(this->graph->out_degrees()), arrived(this->graph->width()) {
        const double places = std::accumulate(degrees.begin(), degrees.end(), 0.0);
        mean_length = places / (static_cast<double>(degrees.size()) * slots);
    }

    template <class Count>
    void deliver(const History &history, int shortest, Count *__restrict counts) {
        if (slots > 1 && mean_length < Due<uint32_t>::FEW)
            deal(history.before(0), shortest);
        else
            for (int slot = 0; slot < slots; slot++)
                for (int32_t source : history.before(shortest + slot)) {
                    const uint32_t *end = &ends[static_cast<size_t>(source) * slots + slot];
                    compute(source, slot == 0 ? 0 : end[-1], *end);
                    count(row.data(), row.size());
                }
        for (uint32_t j = 0; j < sizes.targets; j++)
            counts[j] += static_cast<Count>(arrived[j]);
        std::fill(arrived.begin(), arrived.end(), 0);
    }

    uint64_t out_degree(uint32_t source) const { return degrees[source]; }

    template <class Visit> void targets_of(uint32_t source, Visit &&visit) const {
        std::vector<uint32_t> target(graph->places(source));
        graph->targets_of(source, 0, target.size(), target.data());
        int slot = 0;
        for (uint32_t j = 0; j < target.size(); j++) {
            while (j >= ends[static_cast<size_t>(source) * slots + slot])
                slot++;
            if (target[j] < sizes.targets)
                visit(target[j], slot);
        }
    }

    size_t bytes() const {
        return graph->bytes() +
               sizeof(uint32_t) * (ends.capacity() + degrees.capacity() + arrived.capacity());
    }

private:
    Sizes sizes;
    std::unique_ptr<BySource> graph;
    std::vector<uint32_t> ends;
    int slots;
    double mean_length;  // synapses of one source and delay
    std::vector<uint32_t> degrees;
    std::vector<uint32_t> arrived;  // in this step, nobody's included
    std::vector<uint32_t> row;
    std::unique_ptr<Due<uint32_t>> due;

    // Places `first` to `end` of a source's row.
    void compute(int32_t source, uint32_t first, uint32_t end) {
        row.reserve(end - first + Due<uint32_t>::PADDING);
        row.resize(end - first);
        graph->targets_of(source, first, end - first, row.data());
    }

    void count(const uint32_t *targets, size_t n) {
        for (size_t k = 0; k < n; k++)
            arrived[targets[k]]++;
    }

    void deal(const std::vector<int32_t> &spikes, int shortest) {
        if (!due)
            due = std::make_unique<Due<uint32_t>>(shortest, slots);
        for (int32_t source : spikes) {
            const uint32_t *end = &ends[static_cast<size_t>(source) * slots];
            compute(source, 0, end[slots - 1]);
            for (int slot = 0; slot < slots; slot++) {
                const uint32_t first = slot == 0 ? 0 : end[slot - 1];
                due->add(slot, row.data() + first, end[slot] - first);
            }
        }
        due->take([&](const uint32_t *targets, size_t n) { count(targets, n); });
    }
};

// One bit for every pair of neurons, and one delay for all. The spikes of a step are added up bit
// by bit for 512 targets at once: words of sums, whose k-th bits together are the k-th word
// (carry-save adders). Pays where a synapse is in reach of every twentieth pair or more.
class Bitmap {
public:
    explicit Bitmap(Sizes sizes)
        : sizes(sizes), columns((sizes.targets + BITS - 1) / BITS),
          raw(columns * WORDS * sizes.sources + WORDS, 0) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(raw.data());
        rows = reinterpret_cast<Column *>((at + sizeof(Column) - 1) & ~(sizeof(Column) - 1));
    }

    void fill(ByTarget graph) {
        for (uint32_t target = 0; target < sizes.targets; target++)
            graph.sources_of(target, [&](uint32_t source) { set(source, target); });
    }

    void fill(const BySource &graph) {
        std::vector<uint32_t> targets;
        for (uint32_t source = 0; source < sizes.sources; source++) {
            targets.resize(graph.places(source));
            graph.targets_of(source, 0, targets.size(), targets.data());
            for (uint32_t target : targets)
                if (target < sizes.targets)
                    set(source, target);
        }
    }

    template <class Count>
    void deliver(const History &history, int shortest, Count *counts) const {
        const auto &spikes = history.before(shortest);
        for (size_t column = 0; column < columns; column++) {
            Sum sum;
            size_t k = 0;
            for (; k + 7 <= spikes.size(); k += 7) {
                Column x[7];
                for (int j = 0; j < 7; j++)
                    x[j] = row(spikes[k + j])[column];
                sum.add(x);
            }
            for (; k < spikes.size(); k++)
                sum.carry(row(spikes[k])[column], 0);
            const size_t first = column * BITS;
            sum.unpack(counts + first, std::min<size_t>(BITS, sizes.targets - first));
        }
    }

    uint64_t out_degree(uint32_t source) const {
        uint64_t sum = 0;
        for (size_t column = 0; column < columns; column++)
            for (int word = 0; word < WORDS; word++)
                sum += __builtin_popcountll(row(source)[column][word]);
        return sum;
    }

    template <class Visit> void targets_of(uint32_t source, Visit &&visit) const {
        const uint64_t *words = reinterpret_cast<const uint64_t *>(row(source));
        for (uint32_t target = 0; target < sizes.targets; target++)
            if (words[target >> 6] >> (target & 63) & 1)
                visit(target, 0);
    }

    size_t bytes() const { return raw.capacity() * sizeof(uint64_t); }

private:
    static constexpr int BITS = 512, WORDS = BITS / 64;
    typedef uint64_t Column __attribute__((vector_size(BITS / 8), may_alias));

    Sizes sizes;
    size_t columns;
    std::vector<uint64_t> raw;  // aligned by hand
    Column *rows;

    const Column *row(uint32_t source) const { return rows + source * columns; }

    void set(uint32_t source, uint32_t target) {
        uint64_t *words = reinterpret_cast<uint64_t *>(rows + source * columns);
        words[target >> 6] |= 1ull << (target & 63);
    }

    // Numbers of up to 20 bits, of which the k-th bits make one word.
    class Sum {
    public:
        Sum() { std::memset(digit, 0, sizeof(digit)); }

        // Seven rows at once: full adders reduce them to three digits.
        void add(const Column *x) {
            const Full a(x[0], x[1], x[2]), b(x[3], x[4], x[5]), ones(a.sum, b.sum, x[6]);
            const Full twos(a.carry, b.carry, ones.carry);
            const Column to_twos = digit[0] & ones.sum;
            digit[0] ^= ones.sum;
            const Full second(digit[1], twos.sum, to_twos);
            digit[1] = second.sum;
            const Full third(digit[2], twos.carry, second.carry);
            digit[2] = third.sum;
            used = std::max(used, 3);
            carry(third.carry, 3);
        }

        // Add one row at the k-th digit.
        void carry(Column row, int k) {
            for (; k < DIGITS && any(row); k++) {
                const Column over = digit[k] & row;
                digit[k] ^= row;
                used = std::max(used, k + 1);
                row = over;
            }
        }

        template <class Count> void unpack(Count *counts, size_t n) const {
            for (size_t word = 0; word * 64 < n; word++) {
                uint64_t bits[DIGITS], some = 0;
                for (int k = 0; k < used; k++)
                    some |= bits[k] = digit[k][word];
                if (some == 0)
                    continue;
                Count *__restrict c = counts + word * 64;
                const int m = static_cast<int>(std::min<size_t>(64, n - word * 64));
#ifdef __AVX512BW__
                if (m == 64) {
                    add_digits(bits, used, c);
                    continue;
                }
#endif
                for (int k = 0; k < used; k++)
                    for (int j = 0; j < m; j++)
                        c[j] += static_cast<Count>((bits[k] >> j & 1) << k);
            }
        }

    private:
        static constexpr int DIGITS = 20;
        Column digit[DIGITS];
        int used = 0;

#ifdef __AVX512BW__
        // A bit selects the numbers to which a digit is added: 32 or 16 at once.
        static void add_digits(const uint64_t *bits, int used, uint16_t *counts) {
            for (int part = 0; part < 2; part++) {
                __m512i sum = _mm512_loadu_si512(counts + 32 * part);
                for (int k = 0; k < used; k++)
                    sum = _mm512_mask_add_epi16(sum, static_cast<__mmask32>(bits[k] >> 32 * part),
                                                sum, _mm512_set1_epi16(1 << k));
                _mm512_storeu_si512(counts + 32 * part, sum);
            }
        }
        static void add_digits(const uint64_t *bits, int used, int32_t *counts) {
            for (int part = 0; part < 4; part++) {
                __m512i sum = _mm512_loadu_si512(counts + 16 * part);
                for (int k = 0; k < used; k++)
                    sum = _mm512_mask_add_epi32(sum, static_cast<__mmask16>(bits[k] >> 16 * part),
                                                sum, _mm512_set1_epi32(1 << k));
                _mm512_storeu_si512(counts + 16 * part, sum);
            }
        }
#endif

        struct Full {
            Column sum, carry;
            Full(const Column &a, const Column &b, const Column &c)
                : sum(a ^ b ^ c), carry((a & b) | (c & (a | b))) {}
        };

        static bool any(const Column &x) {
#ifdef __AVX512F__
            return _mm512_test_epi64_mask((__m512i)x, (__m512i)x) != 0;
#endif
            uint64_t some = 0;
            for (int k = 0; k < WORDS; k++)
                some |= x[k];
            return some != 0;
        }
    };
};

}  // namespace cbnet
#endif
