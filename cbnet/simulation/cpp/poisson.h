// Numbers of external spikes: Poisson counts at a cost that does not grow with their mean.
#ifndef CBNET_POISSON_H
#define CBNET_POISSON_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "random.h"

namespace cbnet {

// Probabilities of 0, 1, ... counts; beyond the last one less than 1e-20 is left.
inline std::vector<double> poisson_probabilities(double mean) {
    std::vector<double> p;
    double sum = 0;
    for (int k = 0; k <= mean || p.back() > 1e-20; k++) {
        p.push_back(mean > 0 ? std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0))
                             : k == 0);
        sum += p.back();
    }
    for (double &one : p)
        one /= sum;
    return p;
}

// One Poisson distribution of a small mean, by inversion: a count is the number of thresholds that a
// random number reaches, of which vector instructions compare many at once.
class PoissonThresholds {
public:
    // As many thresholds take as long as a look-up in a table.
    static constexpr size_t MOST = 26;

    // Beyond the last one less than 2^-32 is left.
    explicit PoissonThresholds(double mean) {
        double sum = 0;
        for (double p : poisson_probabilities(mean)) {
            const double reached = std::rint(std::ldexp(sum += p, 32));
            if (reached > 4294967295.0)
                break;
            threshold.push_back(static_cast<uint32_t>(reached));
        }
    }

    size_t size() const { return threshold.size(); }

    template <class Count> void add(Lanes &lanes, int n, Count *__restrict counts) const {
        // Two vectors at a time: a comparison does not wait for the one before.
        constexpr int WIDTH = Lanes::WIDTH;
        for (int first = 0; first < n; first += 2 * WIDTH) {
            uint32_t random[2 * WIDTH];
            lanes.next(random);
            lanes.next(random + WIDTH);
            Lanes::Vector a, b, of_a = {}, of_b = {};
            std::memcpy(&a, random, sizeof(a));
            std::memcpy(&b, random + WIDTH, sizeof(b));
            for (uint32_t each : threshold) {  // a comparison that holds is -1
                of_a -= reinterpret_cast<Lanes::Vector>(a >= each);
                of_b -= reinterpret_cast<Lanes::Vector>(b >= each);
            }
            const int m = std::min(2 * WIDTH, n - first);
            for (int j = 0; j < std::min(WIDTH, m); j++)
                counts[first + j] += static_cast<Count>(of_a[j]);
            for (int j = WIDTH; j < m; j++)
                counts[first + j] += static_cast<Count>(of_b[j - WIDTH]);
        }
    }

private:
    std::vector<uint32_t> threshold;
};

// Poisson distributions of several means, drawn from by A. J. Walker's alias method: a table of equal
// cells, each shared by two counts.
class PoissonTables {
public:
    explicit PoissonTables(const std::vector<double> &means) {
        std::vector<std::vector<double>> all;
        size_t longest = 1;
        for (double mean : means) {
            all.push_back(poisson_probabilities(mean));
            longest = std::max(longest, all.back().size());
        }
        while ((1u << bits) < longest)
            bits++;
        for (auto &each : all)
            append(each);
    }

    // Add a count to each of n numbers; the mean of the i-th is that of table[i].
    template <class Count>
    void add(Lanes &lanes, const uint16_t *__restrict table, int n, Count *__restrict counts) const {
        uint32_t random[CHUNK];
        for (int first = 0; first < n; first += CHUNK) {
            const int m = std::min(CHUNK, n - first);
            for (int j = 0; j < m; j += Lanes::WIDTH)
                lanes.next(random + j);
            look_up(random, table + first, m, counts + first);
        }
    }

private:
    static constexpr int CHUNK = 256;

    // One number after the other: processors load from many places at once no faster than that.
    template <class Count>
    __attribute__((optimize("no-tree-vectorize"))) void
    look_up(const uint32_t *__restrict random, const uint16_t *__restrict table, int n,
            Count *__restrict counts) const {
        const int shift = 32 - bits;
        const uint32_t fraction = (1u << shift) - 1;
        const Cell *__restrict all = cells.data();
        for (int j = 0; j < n; j++) {
            const Cell cell = all[(static_cast<uint32_t>(table[j]) << bits) + (random[j] >> shift)];
            const bool first = (random[j] & fraction) < cell.share;
            counts[j] += static_cast<Count>(cell.counts >> (first ? 0 : 16) & 0xffff);
        }
    }

    struct Cell {
        uint32_t share;   // of the first count, of the cell's 2^(32 - bits) numbers
        uint32_t counts;  // the first in the lower half, the second in the upper
    };

    int bits = 1;
    std::vector<Cell> cells;

    void append(std::vector<double> p) {
        const int size = 1 << bits;
        p.resize(size, 0.0);
        std::vector<int> small, large, other(size);
        for (int k = 0; k < size; k++) {
            p[k] *= size;
            other[k] = k;
            (p[k] < 1 ? small : large).push_back(k);
        }
        std::vector<double> share(size, 1.0);
        while (!small.empty() && !large.empty()) {
            const int low = small.back(), high = large.back();
            small.pop_back();
            share[low] = p[low];
            other[low] = high;
            p[high] -= 1 - p[low];
            if (p[high] < 1) {
                large.pop_back();
                small.push_back(high);
            }
        }
        const double numbers = std::ldexp(1.0, 32 - bits);
        for (int k = 0; k < size; k++)
            cells.push_back({static_cast<uint32_t>(std::min(std::rint(share[k] * numbers), 4294967295.0)),
                             static_cast<uint32_t>(k) | static_cast<uint32_t>(other[k]) << 16});
    }
};

// The external input of a population: a Poisson count for every neuron in every step.
//
// Where too many neurons have means of their own, a count is the sum of two: one from the nearest
// table below, and the rest by inversion of its distribution.
class Drive {
public:
    explicit Drive(uint64_t seed) : lanes(seed) {}

    // `mean(i)` is the mean count of neuron i in a step.
    template <class Mean> void build(int n, Mean &&mean) {
        thresholds.reset();
        none_left.clear();
        std::vector<double> wanted(n);
        for (int i = 0; i < n; i++)
            wanted[i] = std::max(0.0, static_cast<double>(mean(i)));
        std::vector<double> means(wanted);
        std::sort(means.begin(), means.end());
        means.erase(std::unique(means.begin(), means.end()), means.end());
        if (means.size() > MOST_TABLES) {
            const double least = means.front(), width = (means.back() - least) / MOST_TABLES;
            means.resize(MOST_TABLES);
            for (int k = 0; k < MOST_TABLES; k++)
                means[k] = least + k * width;
            none_left.resize(n);
        }
        table.resize(n);
        for (int i = 0; i < n; i++) {
            const auto above = std::upper_bound(means.begin(), means.end(), wanted[i]);
            table[i] = static_cast<uint16_t>(above - means.begin() - 1);
            if (!none_left.empty())
                none_left[i] = std::exp(means[table[i]] - wanted[i]);
        }
        if (!(means.back() <= MOST_SPIKES))
            throw std::runtime_error(std::to_string(means.back()) +
                                     " external spikes into a neuron in a step; expected at most " +
                                     std::to_string(MOST_SPIKES) + ": take a lower rate");
        silent = means.back() <= 0;
        if (means.size() == 1 && !silent)
            thresholds = std::make_unique<PoissonThresholds>(means[0]);
        tables = std::make_unique<PoissonTables>(means);
    }

    template <class Count> void step(Count *__restrict counts) {
        if (silent)
            return;
        const int neurons = static_cast<int>(table.size());
        if (thresholds && thresholds->size() <= PoissonThresholds::MOST)
            return thresholds->add(lanes, neurons, counts);
        tables->add(lanes, table.data(), neurons, counts);
        const size_t n = none_left.size();
        for (size_t first = 0; first < n; first += Lanes::WIDTH) {
            uint32_t random[Lanes::WIDTH];
            lanes.next(random);
            for (size_t j = 0; j < Lanes::WIDTH && first + j < n; j++) {
                const double u = (random[j] + 0.5) * 0x1p-32;
                double p = none_left[first + j], sum = p;
                for (int k = 1; u > sum && p > 0; k++) {
                    counts[first + j]++;
                    p *= -std::log(none_left[first + j]) / k;
                    sum += p;
                }
            }
        }
    }

private:
    static constexpr int MOST_TABLES = 256, MOST_SPIKES = 65000;
    bool silent = true;
    std::vector<uint16_t> table;
    std::vector<double> none_left;  // probability that the rest of a neuron's mean gives no spike
    std::unique_ptr<PoissonThresholds> thresholds;  // if all neurons have one mean
    std::unique_ptr<PoissonTables> tables;
    Lanes lanes;
};

}  // namespace cbnet
#endif
