// Synapses from one population to another: a graph, a storage for it, and spikes under way.
#ifndef CBNET_PROJECTION_H
#define CBNET_PROJECTION_H

#include <cmath>
#include <cstdint>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "delays.h"
#include "rows.h"
#include "storage.h"

namespace cbnet {

// Everything that a graph is drawn from.
struct Plan {
    Sizes sizes;
    std::string law;       // "fixed", "bernoulli", "gaussian" or, stored only, "total"
    std::string storage;   // "stored", "bitmap" or "procedural"
    uint32_t in_degree;    // mean
    double cv;             // of the in-degree, for "gaussian"
    double shortest, longest;  // delays in time steps
    uint64_t seed;
    uint64_t total = 0;  // synapses, for "total"
    // Instead of a longest delay the probability of each from the shortest on or a shorter one.
    std::vector<double> cumulative = {};
};

class Projection {
public:
    bool is_built() const { return built; }

    void build(const Plan &plan) {
        const auto started = std::clock();
        const Delays delays =
            plan.cumulative.empty()
                ? Delays(plan.shortest, plan.longest)
                : Delays(static_cast<int>(std::lround(plan.shortest)), plan.cumulative);
        const uint64_t graph_seed = subseed(plan.seed, 0), delay_seed = subseed(plan.seed, 1);
        begin(plan.sizes, delays);
        std::unique_ptr<BySource> rows;
        if (plan.law == "bernoulli")
            rows = std::make_unique<Bernoulli>(plan.sizes, plan.in_degree, graph_seed);
        else if (plan.storage == "procedural" && plan.law == "gaussian")
            rows = std::make_unique<Gaussian>(plan.sizes, plan.in_degree, plan.cv, graph_seed);
        else if (plan.storage == "procedural")
            rows = std::make_unique<OneOfEachGroup>(plan.sizes, plan.in_degree, graph_seed);
        const auto columns = [&] {
            const double cv = plan.law == "gaussian" ? plan.cv : 0.0;
            return ByTarget(plan.sizes, plan.in_degree, cv, graph_seed);
        };
        if (plan.storage == "procedural") {
            auto ends = ends_of_delays(*rows, delays, delay_seed);
            kept.emplace<Procedural>(plan.sizes, std::move(rows), std::move(ends), delays.slots);
        } else if (plan.storage == "bitmap") {
            auto &bitmap = kept.emplace<Bitmap>(plan.sizes);
            if (rows)
                bitmap.fill(*rows);
            else
                bitmap.fill(columns());
        } else {
            auto &stored = kept.emplace<Stored>(plan.sizes, delays);
            if (plan.law == "total")
                stored.fill(plan.total, delays, graph_seed);
            else if (rows)
                stored.fill(*rows, ends_of_delays(*rows, delays, delay_seed));
            else
                stored.fill(columns(), delays, delay_seed);
        }
        finish(started);
    }

    // Synapses given one by one; `delay` in time steps.
    void build(Sizes sizes, const int32_t *source, const int32_t *target, const int32_t *delay,
               uint64_t count) {
        const auto started = std::clock();
        const auto [least, most] = std::minmax_element(delay, delay + count);
        const Delays delays(count ? *least : 1, count ? *most : 1);
        begin(sizes, delays);
        std::vector<int32_t> slot(delay, delay + count);
        for (int32_t &one : slot)
            one -= shortest;
        kept.emplace<Stored>(sizes, delays).fill(source, target, slot.data(), count);
        finish(started);
    }

    // Add to `counts` what arrives in this step; `spikes` are the sources that fire in it.
    template <class Count> void step(const int32_t *spikes, int n, Count *counts) {
        history->add(spikes, n);
        for (int k = 0; k < n; k++)
            events += degree[spikes[k]];
        std::visit(
            [&](auto &storage) {
                if constexpr (!std::is_same_v<decltype(storage), std::monostate &>)
                    storage.deliver(*history, shortest, counts);
            },
            kept);
    }

    // Call visit(target, delay in steps) for each synapse of a source.
    template <class Visit> void synapses_of(uint32_t source, Visit &&visit) const {
        std::visit(
            [&](const auto &storage) {
                if constexpr (!std::is_same_v<decltype(storage), const std::monostate &>)
                    storage.targets_of(source, [&](uint32_t target, int slot) {
                        visit(target, shortest + slot);
                    });
            },
            kept);
    }

    uint64_t synapses = 0;
    uint64_t events = 0;   // spikes times their synapses
    double seconds = 0;    // of the processor, that building took
    size_t bytes = 0;      // that the graph takes

private:
    bool built = false;
    int shortest = 0, slots = 1;
    std::variant<std::monostate, Stored, Bitmap, Procedural> kept;
    std::vector<uint32_t> degree;
    std::unique_ptr<History> history;

    void begin(Sizes sizes, const Delays &delays) {
        shortest = delays.least;
        slots = delays.slots;
        history = std::make_unique<History>(shortest + slots - 1);
        degree.resize(sizes.sources);
    }

    void finish(std::clock_t started) {
        std::visit(
            [&](const auto &storage) {
                if constexpr (!std::is_same_v<decltype(storage), const std::monostate &>) {
                    for (uint32_t source = 0; source < degree.size(); source++)
                        synapses += degree[source] = storage.out_degree(source);
                    bytes = storage.bytes() + degree.capacity() * sizeof(uint32_t);
                }
            },
            kept);
        built = true;
        seconds = double(std::clock() - started) / CLOCKS_PER_SEC;  // as Brian2 times its loop
    }

    // How many places of each source's row have a delay or a shorter one.
    std::vector<uint32_t> ends_of_delays(const BySource &rows, const Delays &delays,
                                         uint64_t seed) const {
        std::vector<uint32_t> ends(degree.size() * slots);
        for (size_t source = 0; source < degree.size(); source++) {
            Stream stream(subseed(seed, source));
            uint32_t *mine = &ends[source * slots];
            delays.draw(rows.places(source), stream, mine);
            for (int slot = 1; slot < slots; slot++)
                mine[slot] += mine[slot - 1];
        }
        return ends;
    }
};

}  // namespace cbnet
#endif
