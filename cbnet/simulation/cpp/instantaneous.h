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

// What the leak does in a time h: v -> constant + factor v.
struct Leak : Line {
    Leak() = default;

    Leak(const Instantaneous &p, double h) {
        const double x = p.leak_slope * h;
        // a series is as good as the function, and faster, for what is left of a short step
        const double grown = std::abs(x) < 1e-3 ? x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4)))
                                                : std::expm1(x);
        constant = p.leak_offset * (p.leak_slope == 0 ? h : grown / p.leak_slope);
        factor = 1 + grown;
    }
};

// How long before it reached v > threshold the leak was at the threshold.
inline double since_threshold(const Instantaneous &p, double v) {
    const double speed = p.leak_offset + p.leak_slope * p.threshold;
    const double ratio = p.leak_slope * (v - p.threshold) / speed;
    if (!(speed > 0) || ratio <= -1)
        return std::numeric_limits<double>::infinity();
    const double straight = (v - p.threshold) / speed;
    return std::abs(ratio) < 1e-9 ? straight : straight * std::log1p(ratio) / ratio;
}

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
            outcomes = order.prepare(p);
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
//
// Arrivals have times within the step, and so have crossings and the ends of refractory times. Half
// of the leak comes before the arrivals and half after them; neurons that may cross take a step in
// two halves, each in this way.
class RandomOrder : public Pieces<RandomOrder> {
public:
    explicit RandomOrder(uint64_t seed) : stream(subseed(seed, 0)), lanes(subseed(seed, 1)) {}

private:
    friend class Pieces<RandomOrder>;
    static constexpr int FEW = 12;  // arrivals whose order is drawn at once
    static constexpr double LARGE = std::numeric_limits<double>::max();

    Stream stream;
    Lanes lanes;
    // Excitation lifts v up to the threshold, inhibition lowers it from there, and neither goes
    // beyond its reversal potential.
    bool monotone = true;
    bool rises = false;    // whether the leak crosses the threshold
    double lowest = 0;     // where inhibition may lift v to
    Leak quarter, whole;

    std::unique_ptr<Outcomes> prepare(const Instantaneous &p) {
        const auto up = [&](const Jump &jump) { return jump(p.threshold) >= p.threshold; };
        const auto down = [&](const Jump &jump) { return jump(p.threshold) <= p.threshold; };
        const auto closer = [](const Jump &jump) { return -1 <= jump.slope && jump.slope <= 0; };
        monotone = closer(p.excitatory) && up(p.excitatory) && closer(p.inhibitory) &&
                   down(p.inhibitory) && p.leak_slope <= 0;
        rises = p.leak_offset + p.leak_slope * p.threshold > 0;
        quarter = Leak(p, p.dt / 4);
        whole = Leak(p, p.dt);
        lowest = p.inhibitory.slope < 0 ? -p.inhibitory.offset / p.inhibitory.slope
                                        : -LARGE;
        const Leak half(p, p.dt / 2);
        return std::make_unique<Outcomes>(p.excitatory, p.inhibitory, Outcomes::RANDOM, half);
    }

    template <class Count>
    int advance(const Instantaneous &p, const Neurons<Count> &neurons, int first, int n,
                int32_t *spikes) {
        if (n <= 0)
            return 0;
        double *__restrict v = neurons.v + first;
        float *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *__restrict n_E = neurons.arrived_E + first, *__restrict n_I = neurons.arrived_I + first;
        const int most_E = largest(n_E, n), most_I = largest(n_I, n);
        outcomes->reserve(most_E, most_I);
        const bool tabulated = outcomes->has(most_E, most_I) && monotone;

        // Most neurons cannot fire in this step, whatever the order of their arrivals: not even if
        // all excitatory ones come first. For them the outcome is tabulated.
        double y[CHUNK], top[CHUNK];
        if (tabulated)
            highest_on_the_way(v, n_E, n, top);
        else
            std::fill(top, top + n, LARGE);
        if (tabulated) {
            uint32_t random[CHUNK];
            for (int i = 0; i < n; i += Lanes::WIDTH)
                lanes.next(random + i);
            double order[CHUNK];
            for (int i = 0; i < n; i++)
                order[i] = random[i] * 0x1p-32 - 0.5;
            int32_t place[CHUNK];
            places(*outcomes, n_E, n_I, n, place);
            outcomes->apply(place, order, v, n, y);
        }
        for (int i = 0; i < n; i++) {
            const double after = top[i] > p.threshold ? v[i] : y[i];
            v[i] = held[i] <= 0 ? after : v[i];
        }
        bool near[CHUNK];
        mark(held, top, p.threshold, n, not_refractory, near);
        int32_t listed[CHUNK];
        const int count = list(near, n, 0, listed);
        int fired = 0;
        for (int k = 0; k < count; k++) {
            const int i = listed[k];
            const double after = held[i] > 0 ? wake(v[i], held[i], {n_E[i], n_I[i]}, tabulated)
                                             : awake(v[i], {n_E[i], n_I[i]}, tabulated);
            v[i] = after;
            held[i] = 0;
            if (after > p.threshold) {
                spikes[fired++] = first + i;
                fire(neurons, first + i, tabulated);
            }
        }
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }

    // Numbers of arrivals.
    struct Arrivals {
        int E, I;

        Arrivals operator-(Arrivals other) const { return {E - other.E, I - other.I}; }
        Arrivals operator+(Arrivals other) const { return {E + other.E, I + other.I}; }
    };

    // The last crossing: when it was, in steps, and what arrives after it. All that follows returns
    // where v goes, which is above threshold if it crosses; `from` and `width` are a stretch of the
    // step, `now` arrives in it, and `later` after it. (By value, in the processor's registers.)
    double crossed_at = 0.0;
    Arrivals left{0, 0};

    double cross(double v, double when, Arrivals after) {
        crossed_at = when;
        left = after;
        return v;
    }

    Arrivals some_of(Arrivals all, double part) {
        return {in_part(part, all.E, lanes), in_part(part, all.I, lanes)};
    }

    // Voltages that v does not exceed in a step: infinite above threshold.
    template <class Count>
    void highest_on_the_way(const double *__restrict v, const Count *__restrict n_E, int n,
                            double *__restrict top) const {
        const double c_quarter = quarter.constant, f_quarter = quarter.factor;
        const double c_whole = whole.constant, f_whole = whole.factor;
        const double threshold = values->threshold, least = lowest;
        const Jump jump = values->excitatory;
        const double offset = jump.offset, slope = jump.slope;
        for (int i = 0; i < n; i++) {
            const double early = c_quarter + f_quarter * v[i], late = c_whole + f_whole * v[i];
            const double from = std::max(std::max(early, late), least);
            const double most = from + n_E[i] * (offset + slope * from);
            top[i] = v[i] > threshold ? LARGE : most;
        }
    }

    // A whole step.
    double awake(double v, Arrivals all, bool tabulated) {
        if (v > values->threshold)
            return cross(v, 0.0, all);
        const Arrivals early{stream.heads(all.E), stream.heads(all.I)}, late = all - early;
        v = piece(v, 0.0, 0.5, early, late, quarter, tabulated);
        if (v > values->threshold)
            return v;
        return piece(v, 0.5, 0.5, late, {0, 0}, quarter, tabulated);
    }

    // A neuron that is released in this step; above threshold if it had no time to fire in the last.
    double wake(double v, double when, Arrivals all, bool tabulated) {
        if (v > values->threshold)
            return cross(v, 0.0, all);
        return resume(when, some_of(all, 1 - when), tabulated);
    }

    // From the reset at a time of the step to its end.
    double resume(double when, Arrivals all, bool tabulated) {
        const Leak half(*values, (1 - when) / 2 * values->dt);
        return piece(values->reset, when, 1 - when, all, {0, 0}, half, tabulated);
    }

    template <class Count> void fire(const Neurons<Count> &neurons, int i, bool tabulated) {
        const double threshold = values->threshold;
        const double release = crossed_at + values->tau_rp / values->dt;
        if (release > 1) {
            neurons.fire(i, values->reset, release - 1);
            return;
        }
        // There is one spike a step: the next one waits for the next step.
        const Arrivals then = some_of(left, (1 - release) / (1 - crossed_at));
        const double v = resume(release, then, tabulated);
        neurons.fire(i, v, v > threshold);
        neurons.not_refractory[i] = v <= threshold;
    }

    // Half of the leak of a stretch, its arrivals, the other half.
    double piece(double v, double from, double width, Arrivals now, Arrivals later,
                 const Leak &half, bool tabulated) {
        v = half(v);
        if (rises && v > values->threshold)
            return cross(v, leak_crossed(v, from + width / 2), now + later);
        v = tabulated ? part(v, from, width, now, later) : one_by_one(v, from, width, now, later);
        if (v > values->threshold)
            return v;
        v = half(v);
        if (rises && v > values->threshold)
            return cross(v, leak_crossed(v, from + width), later);
        return v;
    }

    double leak_crossed(double v, double end) const {
        return std::max(0.0, end - since_threshold(*values, v) / values->dt);
    }

    // Many arrivals are split into those of the first and of the second half of their time, each by
    // a coin: most halves, or their halves, cannot cross.
    double part(double v, double from, double width, Arrivals now, Arrivals later) {
        if (highest(v, now.E) <= values->threshold) {
            const Outcome &outcome = outcomes->at(now.E, now.I);
            return outcome.spread > 0 ? outcome(v) + outcome.spread * (stream.uniform() - 0.5)
                                      : outcome(v);
        }
        if (now.E + now.I <= FEW)
            return few_in_random_order(v, from, width, now, later);
        const Arrivals early{stream.heads(now.E), stream.heads(now.I)}, late = now - early;
        v = part(v, from, width / 2, early, late + later);
        if (v > values->threshold)
            return v;
        return part(v, from + width / 2, width / 2, late, later);
    }

    // A voltage that v does not exceed in a step.
    double highest(double v, int n_E) const {
        const double from = std::max(v, lowest);
        // a jump upwards gets shorter on the way: the first of them is the longest
        return from + n_E * (values->excitatory.offset + values->excitatory.slope * from);
    }

    // Between two inhibitory arrivals v is highest at the end.
    double few_in_random_order(double v, double from, double width, Arrivals now,
                               Arrivals later) {
        // Throw the inhibitory arrivals into the n_E + 1 gaps between excitatory ones. All
        // arrangements are equally likely if each falls into a random gap or joins an earlier one.
        // The gaps are kept in order.
        const int n_E = now.E, n_I = now.I;
        Digits digits(stream);
        int gap[FEW + 1];
        for (int k = 0; k < n_I; k++) {
            const int drawn = digits.below(n_E + 1 + k);
            const int here = drawn <= n_E ? drawn : gap[drawn - n_E - 1];
            int place = k;
            for (; place > 0 && gap[place - 1] > here; place--)
                gap[place] = gap[place - 1];
            gap[place] = here;
        }
        gap[n_I] = n_E;
        const Jump inhibits = values->inhibitory;
        int arrived = 0;
        for (int k = 0;; k++) {
            const double after = outcomes->at(gap[k] - arrived, 0)(v);
            if (after > values->threshold)
                return crosses(v, from, width, {arrived, k}, now, later);
            if (k == n_I)
                return after;
            v = inhibits(after);
            arrived = gap[k];
        }
    }

    // Excitatory arrivals come next, until v crosses.
    double crosses(double v, double from, double width, Arrivals came, Arrivals now,
                   Arrivals later) {
        do {
            v = values->excitatory(v);
            came.E++;
        } while (v <= values->threshold && came.E < now.E);
        const double time = arrival_time(came.E + came.I, now.E + now.I, stream);
        return cross(v, from + width * time, now - came + later);
    }

    double one_by_one(double v, double from, double width, Arrivals now, Arrivals later) {
        Arrivals came{0, 0};
        const int all = now.E + now.I;
        while (came.E + came.I < all) {
            const Arrivals next = now - came;
            const bool excites = static_cast<int>(stream.below(next.E + next.I)) < next.E;
            v = excites ? values->excitatory(v) : values->inhibitory(v);
            (excites ? came.E : came.I)++;
            if (v > values->threshold) {
                const double time = arrival_time(came.E + came.I, all, stream);
                return cross(v, from + width * time, now - came + later);
            }
        }
        return v;
    }
};

// Brian2's order: the arrivals of the last step, all excitatory ones first; the leak; the threshold.
// Arrivals are counted after the threshold was tested, and applied here before the next leak.
class Brian2Order : public Pieces<Brian2Order> {
public:
    explicit Brian2Order(uint64_t) {}

private:
    friend class Pieces<Brian2Order>;

    static std::unique_ptr<Outcomes> prepare(const Instantaneous &p) {
        return std::make_unique<Outcomes>(p.excitatory, p.inhibitory, Outcomes::E_THEN_I);
    }

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
        float *__restrict held = neurons.held + first;
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
        const Leak leak(p, p.dt);
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
