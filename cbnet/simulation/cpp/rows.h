// Who is connected to whom: the law of a graph, drawn neuron by neuron.
#ifndef CBNET_ROWS_H
#define CBNET_ROWS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "permutation.h"
#include "random.h"

namespace cbnet {

// Sizes of a projection from one population to another, or to itself.
struct Sizes {
    uint32_t sources, targets;
    // Where the projection's sources begin among its targets, if they are the same neurons: source
    // s is target s + offset. Beyond all targets if they are not.
    int64_t offset;

    // The target that is this source itself, or -1.
    int64_t self_of_source(uint32_t source) const {
        const int64_t same = static_cast<int64_t>(source) + offset;
        return 0 <= same && same < targets ? same : -1;
    }
    int64_t self_of_target(uint32_t target) const {
        const int64_t same = static_cast<int64_t>(target) - offset;
        return 0 <= same && same < sources ? same : -1;
    }

    // How many sources a target could have: nobody is its own.
    uint32_t possible(uint32_t target) const { return sources - (self_of_target(target) >= 0); }
};

// Graphs that are drawn target by target: an in-degree of its own for every neuron, and that many
// different sources, every set of them equally likely.
class ByTarget {
public:
    // In-degrees are `mean`, or drawn from a Gaussian with coefficient of variation `cv`.
    ByTarget(Sizes sizes, uint32_t mean, double cv, uint64_t seed)
        : sizes(sizes), mean(mean), cv(cv), seed(seed), taken(sizes.sources / 64 + 1) {}

    // Call visit(source) for each source of a target; the same ones at every call.
    template <class Visit> void sources_of(uint32_t target, Visit &&visit) {
        Stream stream(subseed(seed, target));
        const int64_t self = sizes.self_of_target(target);
        const uint32_t possible = sizes.possible(target);
        const uint32_t wanted = in_degree(stream, possible);
        chosen.clear();
        // R. W. Floyd's sampling: one draw for each source, however many of all are wanted.
        for (uint32_t last = possible - wanted; last < possible; last++) {
            uint32_t source = stream.below(last + 1);
            if (is_taken(source))
                source = last;
            taken[source >> 6] |= 1ull << (source & 63);
            chosen.push_back(source);
        }
        for (uint32_t source : chosen) {
            taken[source >> 6] = 0;
            visit(source + (self >= 0 && source >= self));  // nobody chooses itself
        }
    }

private:
    Sizes sizes;
    uint32_t mean;
    double cv;
    uint64_t seed;
    std::vector<uint64_t> taken;
    std::vector<uint32_t> chosen;

    bool is_taken(uint32_t source) const { return taken[source >> 6] >> (source & 63) & 1; }

    uint32_t in_degree(Stream &stream, uint32_t possible) const {
        if (cv == 0)
            return std::min(mean, possible);
        const double drawn = std::rint(mean + cv * mean * stream.normal());
        return static_cast<uint32_t>(std::clamp(drawn, 0.0, static_cast<double>(possible)));
    }
};

// Graphs that are drawn source by source, from numbers that can be computed again at every spike:
// nothing is kept but a few words for each source.
//
// A permutation works on a few numbers more than there are targets (Permutation::domain). A row
// therefore has places that lead to nobody: numbers from `targets` on, to be left out.
class BySource {
public:
    virtual ~BySource() = default;

    // Places in a source's row, those that lead to nobody included.
    uint32_t places(uint32_t source) const { return place_count[source]; }

    // What places `first` to `first` + `count` lead to, in an order that is random and always the
    // same; below `width()`.
    virtual void targets_of(uint32_t source, uint32_t first, uint32_t count,
                            uint32_t *out) const = 0;

    uint32_t width() const { return nobody() + NOBODIES; }

    // Targets of every source.
    virtual std::vector<uint32_t> out_degrees() const = 0;

    virtual size_t bytes() const { return place_count.capacity() * sizeof(uint32_t); }

protected:
    // Numbers from nobody() on lead to nobody: several, because to add to one and the same count
    // again and again is to wait for it.
    static constexpr uint32_t NOBODIES = 16;
    uint32_t nobody() const { return Permutation::domain(sizes.targets); }

    BySource(Sizes sizes, uint64_t seed)
        : sizes(sizes), seed(seed), place_count(sizes.sources) {}

    Sizes sizes;
    uint64_t seed;
    std::vector<uint32_t> place_count;
};

// Every pair of different neurons is connected with the same probability, independently: a source
// has a binomial number of targets, which come first in a permutation of its own.
class Bernoulli : public BySource {
public:
    // `mean` is the mean in-degree.
    Bernoulli(Sizes sizes, uint32_t mean, uint64_t seed)
        : Bernoulli(sizes, probability(sizes, mean), seed) {}

    Bernoulli(Sizes sizes, double probability, uint64_t seed) : BySource(sizes, seed) {
        for (uint32_t source = 0; source < sizes.sources; source++) {
            Stream stream(subseed(~seed, source));
            place_count[source] = static_cast<uint32_t>(
                stream.binomial(Permutation::domain(others(source)), probability));
        }
    }

    void targets_of(uint32_t source, uint32_t first, uint32_t count,
                    uint32_t *out) const override {
        permutation(source).images(first, count, out);
        const int64_t self = sizes.self_of_source(source);
        if (self < 0)
            return;
        for (uint32_t j = 0; j < count; j++)
            out[j] += out[j] >= static_cast<uint32_t>(self);
    }

    std::vector<uint32_t> out_degrees() const override {
        std::vector<uint32_t> degrees = place_count;
        for (uint32_t source = 0; source < sizes.sources; source++) {
            const Permutation order = permutation(source);
            for (uint32_t nobody = others(source); nobody < Permutation::domain(others(source));
                 nobody++)
                degrees[source] -= order.inverse(nobody) < place_count[source];
        }
        return degrees;
    }

private:
    static double probability(Sizes sizes, uint32_t mean) {
        double pairs = 0;
        for (uint32_t target = 0; target < sizes.targets; target++)
            pairs += sizes.possible(target);
        return static_cast<double>(mean) * sizes.targets / pairs;
    }

    uint32_t others(uint32_t source) const {
        return sizes.targets - (sizes.self_of_source(source) >= 0);
    }

    Permutation permutation(uint32_t source) const {
        return Permutation(subseed(seed, source), others(source));
    }
};

// Unequal in-degrees: every target is chosen with a probability of its own. Each source has the row
// of a graph in which all are chosen as often as the target of most sources is, and of that a place
// counts or leads to nobody, as a hash of source and target tells.
//
// Given its probability, an in-degree is binomial. The means of these binomials are Gaussian, and
// scatter by so much less that in-degrees as a whole have the coefficient of variation `cv`, which
// must be that of a random graph or more.
class Gaussian final : public Bernoulli {
public:
    Gaussian(Sizes sizes, uint32_t mean, double cv, uint64_t seed)
        : Gaussian(sizes, chances(sizes, mean, cv, subseed(seed, 0)), subseed(seed, 1)) {}

    void targets_of(uint32_t source, uint32_t first, uint32_t count,
                    uint32_t *__restrict out) const override {
        Bernoulli::targets_of(source, first, count, out);
        const uint64_t drawn = subseed(key, source);
        const uint32_t factor = static_cast<uint32_t>(drawn) | 1, offset = drawn >> 32;
        const uint32_t nobody = this->nobody();
        for (uint32_t j = 0; j < count; j++) {
            const bool counts = scatter(out[j] * factor + offset) < share[out[j]];
            out[j] = counts ? out[j] : nobody + j % NOBODIES;
        }
    }

    std::vector<uint32_t> out_degrees() const override {
        std::vector<uint32_t> degrees(sizes.sources, 0), row;
        for (uint32_t source = 0; source < sizes.sources; source++) {
            row.resize(places(source));
            targets_of(source, 0, places(source), row.data());
            for (const uint32_t target : row)
                degrees[source] += target < sizes.targets;
        }
        return degrees;
    }

    size_t bytes() const override {
        return Bernoulli::bytes() + sizeof(uint32_t) * share.capacity();
    }

private:
    std::vector<uint32_t> share;  // of the places that lead to a target, those that count, of 2^32
    uint64_t key;

    Gaussian(Sizes sizes, const std::vector<double> &chance, uint64_t seed)
        : Bernoulli(sizes, *std::max_element(chance.begin(), chance.end()), subseed(seed, 0)),
          share(width(), 0), key(subseed(seed, 1)) {
        const double most = *std::max_element(chance.begin(), chance.end());
        if (most == 0)
            return;  // nobody is chosen
        for (uint32_t target = 0; target < sizes.targets; target++)
            share[target] = static_cast<uint32_t>(
                std::min(std::ldexp(chance[target] / most, 32), 0x1p32 - 1));
    }

    // The probability with which each target takes a source.
    static std::vector<double> chances(Sizes sizes, uint32_t mean, double cv, uint64_t seed) {
        std::vector<double> chance(sizes.targets);
        for (uint32_t target = 0; target < sizes.targets; target++) {
            const double n = sizes.possible(target), degree = std::min<double>(mean, n);
            const double variance = cv * cv * degree * degree - degree * (1 - degree / n);
            const double sd = std::sqrt(std::max(0.0, variance / (1 - 1 / n)));
            Stream stream(subseed(seed, target));
            chance[target] = std::clamp((degree + sd * stream.normal()) / n, 0.0, 1.0);
        }
        return chance;
    }
};

// The same in-degree for every neuron. The sources are dealt into as many groups of equal size, and
// a target takes one source of each group at random: a permutation of the targets, one for each
// group, is cut into pieces of multinomial lengths, one for each source. A target has each of its
// sources once, and any two of them are independent but for being in different groups.
class OneOfEachGroup final : public BySource {
public:
    // `in_degree` divides the number of sources.
    OneOfEachGroup(Sizes sizes, uint32_t in_degree, uint64_t seed)
        : BySource(sizes, seed), members(sizes.sources / in_degree), begin(sizes.sources),
          exchanged(sizes.sources + 1) {
        for (uint32_t group = 0; group < in_degree; group++) {
            Stream stream(subseed(~seed, group));
            uint32_t place = 0;
            for (uint32_t k = 0; k < members; k++) {
                const uint32_t source = group * members + k;
                const uint32_t left = Permutation::domain(sizes.targets) - place;
                begin[source] = place;
                place_count[source] =
                    static_cast<uint32_t>(stream.binomial(left, 1.0 / (members - k)));
                place += place_count[source];
            }
            for (uint32_t k = 0; k < members; k++)
                exchange_self(group, group * members + k);
        }
        std::sort(exchanges.begin(), exchanges.end(),
                  [](const Exchange &a, const Exchange &b) { return a.source < b.source; });
        for (const Exchange &one : exchanges)
            exchanged[one.source + 1]++;
        for (uint32_t source = 0; source < sizes.sources; source++)
            exchanged[source + 1] += exchanged[source];
    }

    void targets_of(uint32_t source, uint32_t first, uint32_t count,
                    uint32_t *out) const override {
        permutation(source / members).images(begin[source] + first, count, out);
        for (uint32_t k = exchanged[source]; k < exchanged[source + 1]; k++)
            if (exchanges[k].place - first < count)  // unsigned: not before `first` either
                out[exchanges[k].place - first] = exchanges[k].target;
    }

    std::vector<uint32_t> out_degrees() const override {
        std::vector<uint32_t> degrees = place_count;
        for (uint32_t group = 0; group < sizes.sources / members; group++) {
            const Permutation order = permutation(group);
            const auto first = begin.begin() + group * members;
            for (uint32_t nobody = sizes.targets; nobody < Permutation::domain(sizes.targets);
                 nobody++) {
                const auto after = std::upper_bound(first, first + members, order.inverse(nobody));
                degrees[after - begin.begin() - 1]--;
            }
        }
        return degrees;
    }

    size_t bytes() const override {
        return BySource::bytes() + sizeof(uint32_t) * (begin.capacity() + exchanged.capacity()) +
               sizeof(Exchange) * exchanges.capacity();
    }

private:
    // A place whose target is not what the permutation says.
    struct Exchange {
        uint32_t source, place, target;
    };

    uint32_t members;
    std::vector<uint32_t> begin, exchanged;
    std::vector<Exchange> exchanges;

    Permutation permutation(uint32_t group) const {
        return Permutation(subseed(seed, group), sizes.targets);
    }

    bool is_exchanged(uint32_t source, uint32_t place) const {
        for (auto one = exchanges.rbegin(); one != exchanges.rend(); ++one) {
            if (one->source / members != source / members)
                return false;  // those of one group are neighbours
            if (one->source == source && one->place == place)
                return true;
        }
        return false;
    }

    // A source that would be its own target changes places with a target of another member of its
    // group, which leaves all degrees as they were.
    void exchange_self(uint32_t group, uint32_t source) {
        const int64_t self = sizes.self_of_source(source);
        if (self < 0)
            return;
        const Permutation order = permutation(group);
        const uint32_t own = order.inverse(static_cast<uint32_t>(self)) - begin[source];
        if (own >= place_count[source] || is_exchanged(source, own))
            return;
        for (uint32_t k = 1; k < members; k++) {
            const uint32_t other = group * members + (source - group * members + k) % members;
            for (uint32_t place = 0; place < place_count[other]; place++) {
                const uint32_t target = order(begin[other] + place);
                if (target >= sizes.targets || is_exchanged(other, place))
                    continue;
                exchanges.push_back({source, own, target});
                exchanges.push_back({other, place, static_cast<uint32_t>(self)});
                return;
            }
        }
    }
};

}  // namespace cbnet
#endif
