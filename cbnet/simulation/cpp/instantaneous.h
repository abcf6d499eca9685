// One step of neurons with instantaneous synapses, in one pass over memory.
//
// The membrane follows an affine leak, dv/dt = offset + slope v, and jumps by arrivals that are
// affine in v (jumps.h).
#ifndef CBNET_INSTANTANEOUS_H
#define CBNET_INSTANTANEOUS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "jumps.h"
#include "neurons.h"

namespace cbnet {

// Values of one population; potentials in V, times in s.
struct Instantaneous {
    double leak_offset, leak_slope;
    Jump excitatory, inhibitory;
    double threshold, reset, tau_rp;
    double dt;

    bool operator==(const Instantaneous &other) const {
        return std::memcmp(this, &other, sizeof(other)) == 0;
    }
};

// What the leak does in one step: v -> constant + factor v.
struct Leak {
    double constant, factor;

    explicit Leak(const Instantaneous &p)
        : constant(p.leak_slope == 0 ? p.leak_offset * p.dt
                                     : p.leak_offset * std::expm1(p.leak_slope * p.dt) / p.leak_slope),
          factor(std::exp(p.leak_slope * p.dt)) {}

    double operator()(double v) const { return constant + factor * v; }
};

// Neurons are stepped in pieces that stay in the processor's nearest cache, by loops so plain that
// the compiler makes vector instructions of them.
constexpr int CHUNK = 256;

// What arrives at the neurons of a piece, as places in a table of outcomes.
template <class Count>
void places(const Outcomes &outcomes, const Count *__restrict n_E, const Count *__restrict n_I, int n,
            int32_t *__restrict place) {
    const int32_t width = outcomes.place(1, 0);
    for (int i = 0; i < n; i++)
        place[i] = width * n_E[i] + n_I[i];
}

// Both orders of arrivals keep a table of outcomes and step a piece of the neurons after the other.
template <class Order> class Pieces {
public:
    // Returns how many neurons fire; their indices go to `spikes`.
    template <class Count>
    int step(const Instantaneous &p, const Neurons<Count> &neurons, int32_t *spikes) {
        Order &order = static_cast<Order &>(*this);
        if (!(values && *values == p)) {
            values = std::make_unique<Instantaneous>(p);
            outcomes = std::make_unique<Outcomes>(p.excitatory, p.inhibitory, Order::TABULATED);
            order.prepare(p);
        }
        int fired = 0;
        for (int first = neurons.first; first < neurons.last; first += CHUNK)
            fired += order.advance(p, neurons, first, std::min(CHUNK, neurons.last - first),
                                   spikes + fired);
        return fired;
    }

protected:
    std::unique_ptr<Instantaneous> values;
    std::unique_ptr<Outcomes> outcomes;
};

// The arrivals of a step come in random order, and the threshold is tested after each.
class RandomOrder : public Pieces<RandomOrder> {
public:
    static constexpr auto TABULATED = Outcomes::RANDOM;

    explicit RandomOrder(uint64_t seed) : stream(subseed(seed, 0)), lanes(subseed(seed, 1)) {}

private:
    friend class Pieces<RandomOrder>;
    static constexpr int FEW = 12;  // arrivals whose order is drawn at once

    Stream stream;
    Lanes lanes;
    // Excitation lifts v up to the threshold, inhibition lowers it from there, and neither goes
    // beyond its reversal potential.
    bool monotone = true;
    double lowest = 0;     // where inhibition may lift v to

    void prepare(const Instantaneous &p) {
        const auto up = [&](const Jump &jump) { return jump(p.threshold) >= p.threshold; };
        const auto down = [&](const Jump &jump) { return jump(p.threshold) <= p.threshold; };
        const auto closer = [](const Jump &jump) { return -1 <= jump.slope && jump.slope <= 0; };
        monotone = closer(p.excitatory) && up(p.excitatory) && closer(p.inhibitory) &&
                   down(p.inhibitory);
        lowest = p.inhibitory.slope < 0 ? -p.inhibitory.offset / p.inhibitory.slope
                                        : -std::numeric_limits<double>::max();
    }

    template <class Count>
    int advance(const Instantaneous &p, const Neurons<Count> &neurons, int first, int n,
                int32_t *spikes) {
        if (n <= 0)
            return 0;
        double *__restrict v = neurons.v + first;
        int32_t *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *__restrict n_E = neurons.arrived_E + first, *__restrict n_I = neurons.arrived_I + first;
        const int most_E = largest(n_E, n), most_I = largest(n_I, n);
        outcomes->reserve(most_E, most_I);
        const bool tabulated = outcomes->has(most_E, most_I) && monotone;

        // Most neurons cannot fire in this step, whatever the order of their arrivals: not even if
        // all excitatory ones come first. For them the outcome is tabulated.
        const Leak leak(p);
        double x[CHUNK], y[CHUNK], top[CHUNK];
        for (int i = 0; i < n; i++) {
            x[i] = leak(v[i]);
            top[i] = tabulated ? highest(x[i], n_E[i]) : std::numeric_limits<double>::max();
        }
        if (tabulated) {
            uint32_t random[CHUNK];
            for (int i = 0; i < n; i += Lanes::WIDTH)
                lanes.next(random + i);
            double order[CHUNK];
            for (int i = 0; i < n; i++)
                order[i] = random[i] * 0x1p-32 - 0.5;
            int32_t place[CHUNK];
            places(*outcomes, n_E, n_I, n, place);
            outcomes->apply(place, order, x, n, y);
        }
        for (int i = 0; i < n; i++) {
            const double after = top[i] > p.threshold ? x[i] : y[i];
            v[i] = held[i] == 0 ? after : v[i];
        }
        bool near[CHUNK];
        for (int i = 0; i < n; i++) {
            near[i] = (held[i] == 0) & (top[i] > p.threshold);
            not_refractory[i] = held[i] == 0;
            held[i] -= held[i] > 0;
        }
        int32_t listed[CHUNK];
        const int count = list(near, n, 0, listed);
        int fired = 0;
        for (int k = 0; k < count; k++) {
            const int i = listed[k];
            v[i] = tabulated ? in_random_order(v[i], n_E[i], n_I[i], p.threshold)
                             : one_by_one(v[i], n_E[i], n_I[i], p.threshold);
            spikes[fired] = first + i;
            fired += v[i] > p.threshold;
        }
        for (int k = 0; k < fired; k++)
            neurons.fire(spikes[k], p.reset, refractory_steps(p.tau_rp, p.dt, stream));
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }

    // Many arrivals are split into those of the first and of the second half of the step, each by a
    // coin: most halves, or their halves, cannot cross.
    double in_random_order(double v, int n_E, int n_I, double threshold) {
        if (v > threshold)
            return v;
        if (n_E + n_I <= FEW)
            return few_in_random_order(v, n_E, n_I, threshold);
        const int early_E = stream.heads(n_E), early_I = stream.heads(n_I);
        v = part(v, early_E, early_I, threshold);
        return part(v, n_E - early_E, n_I - early_I, threshold);
    }

    double part(double v, int n_E, int n_I, double threshold) {
        if (highest(v, n_E) > threshold)
            return in_random_order(v, n_E, n_I, threshold);
        const Outcome &outcome = outcomes->at(n_E, n_I);
        return outcome.spread > 0 ? outcome(v) + outcome.spread * (stream.uniform() - 0.5)
                                  : outcome(v);
    }

    // A voltage that v does not exceed in a step.
    double highest(double v, int n_E) const {
        const double from = std::max(v, lowest);
        // a jump upwards gets shorter on the way: the first of them is the longest
        return from + n_E * (values->excitatory.offset + values->excitatory.slope * from);
    }

    // Between two inhibitory arrivals v is highest at the end.
    double few_in_random_order(double v, int n_E, int n_I, double threshold) {
        // Throw the inhibitory arrivals into the n_E + 1 gaps between excitatory ones. All
        // arrangements are equally likely if each falls into a random gap or joins an earlier one.
        // The gaps are kept in order.
        Digits digits(stream);
        int gap[FEW];
        for (int k = 0; k < n_I; k++) {
            const int drawn = digits.below(n_E + 1 + k);
            const int here = drawn <= n_E ? drawn : gap[drawn - n_E - 1];
            int place = k;
            for (; place > 0 && gap[place - 1] > here; place--)
                gap[place] = gap[place - 1];
            gap[place] = here;
        }
        const Jump inhibits = values->inhibitory;
        int arrived = 0;
        for (int k = 0; k < n_I; k++) {
            v = outcomes->at(gap[k] - arrived, 0)(v);
            if (v > threshold)
                return v;
            v = inhibits(v);
            arrived = gap[k];
        }
        return outcomes->at(n_E - arrived, 0)(v);
    }

    double one_by_one(double v, int n_E, int n_I, double threshold) {
        while (n_E + n_I > 0 && v <= threshold) {
            const bool excites = static_cast<int>(stream.below(n_E + n_I)) < n_E;
            v = excites ? values->excitatory(v) : values->inhibitory(v);
            (excites ? n_E : n_I)--;
        }
        return v;
    }
};

// Brian2's order: the arrivals of the last step, all excitatory ones first; the leak; the threshold.
// Arrivals are counted after the threshold was tested, and applied here before the next leak.
class Brian2Order : public Pieces<Brian2Order> {
public:
    static constexpr auto TABULATED = Outcomes::E_THEN_I;

    explicit Brian2Order(uint64_t) {}

private:
    friend class Pieces<Brian2Order>;

    void prepare(const Instantaneous &) {}

    static double one_by_one(const Instantaneous &p, double v, int n_E, int n_I) {
        for (; n_E > 0; n_E--)
            v = p.excitatory(v);
        for (; n_I > 0; n_I--)
            v = p.inhibitory(v);
        return v;
    }

    template <class Count>
    int advance(const Instantaneous &p, const Neurons<Count> &neurons, int first, int n,
                int32_t *spikes) {
        if (n <= 0)
            return 0;
        double *__restrict v = neurons.v + first;
        int32_t *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *__restrict n_E = neurons.arrived_E + first, *__restrict n_I = neurons.arrived_I + first;
        const int most_E = largest(n_E, n), most_I = largest(n_I, n);
        outcomes->reserve(most_E, most_I);
        double x[CHUNK];
        if (outcomes->has(most_E, most_I)) {
            int32_t place[CHUNK];
            places(*outcomes, n_E, n_I, n, place);
            // In its last refractory step a neuron does not feel arrivals, but leaks in the next.
            for (int i = 0; i < n; i++)
                place[i] = held[i] > 0 ? 0 : place[i];
            outcomes->apply(place, v, n, x);
        } else
            for (int i = 0; i < n; i++)
                x[i] = held[i] > 0 ? v[i] : one_by_one(p, v[i], n_E[i], n_I[i]);
        const Leak leak(p);
        for (int i = 0; i < n; i++)
            v[i] = held[i] > 1 ? v[i] : leak(x[i]);
        for (int i = 0; i < n; i++) {
            not_refractory[i] = held[i] <= 1;
            held[i] -= held[i] > 0;
        }
        bool above[CHUNK];
        for (int i = 0; i < n; i++)
            above[i] = v[i] > p.threshold;
        const int fired = list(above, n, first, spikes);
        // Brian2's number of time steps in a refractory time, which is rounded down.
        const int steps = static_cast<int>((p.tau_rp + 1e-3 * p.dt) / p.dt);
        for (int k = 0; k < fired; k++)
            neurons.fire(spikes[k], p.reset, std::max(1, steps));
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }
};

}  // namespace cbnet
#endif
