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

// Values of one population with arrivals of C classes; potentials in V, times in s.
template <int C> struct Instantaneous {
    double leak_offset, leak_slope;
    Jump jumps[C];
    double threshold, reset, tau_rp;
    double dt;

    bool operator==(const Instantaneous &other) const {
        return std::memcmp(this, &other, sizeof(other)) == 0;
    }
};

// What the leak does in a time h: v -> constant + factor v.
struct Leak : Line {
    Leak() = default;

    template <int C> Leak(const Instantaneous<C> &p, double h) {
        const double x = p.leak_slope * h;
        // a series is as good as the function, and faster, for what is left of a short step
        const double grown = std::abs(x) < 1e-3 ? x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4)))
                                                : std::expm1(x);
        constant = p.leak_offset * (p.leak_slope == 0 ? h : grown / p.leak_slope);
        factor = 1 + grown;
    }
};

// How long before it reached v > threshold the leak was at the threshold.
template <int C> double since_threshold(const Instantaneous<C> &p, double v) {
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

// The most arrivals of each class at one of n neurons.
template <class Count, int C> Arrivals<C> most_of(Count *const (&arrived)[C], int n) {
    Arrivals<C> most;
    for (int c = 0; c < C; c++)
        most.n[c] = largest(arrived[c], n);
    return most;
}

// Both orders of arrivals have outcomes, and step a piece of the neurons after the other.
template <class Order, int C> class Pieces {
public:
    // Returns how many neurons fire; their indices go to `spikes`.
    template <class Count>
    int step(const Instantaneous<C> &p, const Neurons<Count, C> &neurons, int32_t *spikes) {
        Order &order = static_cast<Order &>(*this);
        if (!(values && *values == p)) {
            values = std::make_unique<Instantaneous<C>>(p);
            outcomes = order.prepare(p);
        }
        int fired = 0;
        for (int first = neurons.first; first < neurons.last; first += CHUNK)
            fired += order.advance(p, neurons, first, std::min(CHUNK, neurons.last - first),
                                   spikes + fired);
        return fired;
    }

protected:
    std::unique_ptr<Instantaneous<C>> values;
    std::unique_ptr<Outcomes<C>> outcomes;
};

// The arrivals of a step come in random order, and the threshold is tested after each.
//
// Arrivals have times within the step, and so have crossings and the ends of refractory times. Half
// of the leak comes before the arrivals and half after them; neurons that may cross take a step in
// two halves, each in this way.
template <int C> class RandomOrder : public Pieces<RandomOrder<C>, C> {
public:
    explicit RandomOrder(uint64_t seed) : stream(subseed(seed, 0)), lanes(subseed(seed, 1)) {}

private:
    friend class Pieces<RandomOrder, C>;
    using Pieces<RandomOrder, C>::values;
    using Pieces<RandomOrder, C>::outcomes;
    using Numbers = Arrivals<C>;
    static constexpr int FEW = 12;  // arrivals whose order is drawn at once
    static constexpr double LARGE = std::numeric_limits<double>::max();

    Stream stream;
    Lanes lanes;
    bool monotone = true;  // no jump and no leak goes beyond its reversal potential
    bool up[C];            // which jumps lift v at the threshold: the others lower it there
    bool two_ways = true;  // the first of two classes lifts it, the second lowers it
    bool rises = false;    // whether the leak crosses the threshold
    double lowest = 0;     // where jumps that lower v at the threshold may lift it to
    Leak quarter, whole;

    std::unique_ptr<Outcomes<C>> prepare(const Instantaneous<C> &p) {
        monotone = p.leak_slope <= 0;
        lowest = -LARGE;
        for (int c = 0; c < C; c++) {
            const Jump &jump = p.jumps[c];
            monotone = monotone && -1 <= jump.slope && jump.slope <= 0;
            up[c] = jump(p.threshold) > p.threshold;
            if (!up[c] && jump.slope < 0)
                lowest = std::max(lowest, -jump.offset / jump.slope);
        }
        two_ways = C == 2 && p.jumps[0](p.threshold) >= p.threshold && !up[C - 1];
        rises = p.leak_offset + p.leak_slope * p.threshold > 0;
        quarter = Leak(p, p.dt / 4);
        whole = Leak(p, p.dt);
        const Leak half(p, p.dt / 2);
        return std::make_unique<Outcomes<C>>(p.jumps, RANDOM, half);
    }

    template <class Count>
    int advance(const Instantaneous<C> &p, const Neurons<Count, C> &neurons, int first, int n,
                int32_t *spikes) {
        if (n <= 0)
            return 0;
        double *__restrict v = neurons.v + first;
        float *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *arrived[C];
        for (int c = 0; c < C; c++)
            arrived[c] = neurons.arrived[c] + first;
        const auto most = most_of(arrived, n);
        outcomes->reserve(most);
        const bool tabulated = outcomes->has(most) && monotone;

        // Most neurons cannot fire in this step, whatever the order of their arrivals: not even if
        // all that lift v come first. For them the outcome is tabulated.
        double y[CHUNK], top[CHUNK];
        if (tabulated)
            highest_on_the_way(v, arrived, n, top);
        else
            std::fill(top, top + n, LARGE);
        if (tabulated) {
            uint32_t random[CHUNK];
            for (int i = 0; i < n; i += Lanes::WIDTH)
                lanes.next(random + i);
            double order[CHUNK];
            for (int i = 0; i < n; i++)
                order[i] = random[i] * 0x1p-32 - 0.5;
            outcomes->apply(arrived, order, v, n, y);
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
            const Numbers all = neurons.arrivals(first + i);
            const double after = held[i] > 0 ? wake(v[i], held[i], all, tabulated)
                                             : awake(v[i], all, tabulated);
            v[i] = after;
            held[i] = 0;
            if (after > p.threshold) {
                spikes[fired++] = first + i;
                fire(neurons, first + i, tabulated);
            }
        }
        neurons.forget(first, n);
        return fired;
    }

    // The last crossing: when it was, in steps, and what arrives after it. All that follows returns
    // where v goes, which is above threshold if it crosses; `from` and `width` are a stretch of the
    // step, `now` arrives in it, and `later` after it. (By value, in the processor's registers.)
    double crossed_at = 0.0;
    Numbers left{};

    double cross(double v, double when, Numbers after) {
        crossed_at = when;
        left = after;
        return v;
    }

    Numbers some_of(Numbers all, double part) {
        for (int &n : all.n)
            n = in_part(part, n, lanes);
        return all;
    }

    // Each goes to the first half of its time by a coin.
    Numbers early_ones(Numbers all) {
        for (int &n : all.n)
            n = stream.heads(n);
        return all;
    }

    // Voltages that v does not exceed in a step: infinite above threshold.
    template <class Count>
    void highest_on_the_way(const double *__restrict v, Count *const (&arrived)[C], int n,
                            double *__restrict top) const {
        const double c_quarter = quarter.constant, f_quarter = quarter.factor;
        const double c_whole = whole.constant, f_whole = whole.factor;
        const double threshold = values->threshold, least = lowest;
        double from[CHUNK];
        for (int i = 0; i < n; i++) {
            const double early = c_quarter + f_quarter * v[i], late = c_whole + f_whole * v[i];
            top[i] = from[i] = std::max(std::max(early, late), least);
        }
        for (int c = 0; c < C; c++)
            if (up[c])
                lift(values->jumps[c], arrived[c], from, n, top);
        for (int i = 0; i < n; i++)
            top[i] = v[i] > threshold ? LARGE : top[i];
    }

    template <class Count>
    static void lift(Jump jump, const Count *__restrict arrived, const double *__restrict from,
                     int n, double *__restrict top) {
        for (int i = 0; i < n; i++)
            top[i] += arrived[i] * (jump.offset + jump.slope * from[i]);
    }

    // A whole step.
    double awake(double v, Numbers all, bool tabulated) {
        if (v > values->threshold)
            return cross(v, 0.0, all);
        const Numbers early = early_ones(all), late = all - early;
        v = piece(v, 0.0, 0.5, early, late, quarter, tabulated);
        if (v > values->threshold)
            return v;
        return piece(v, 0.5, 0.5, late, {}, quarter, tabulated);
    }

    // A neuron that is released in this step; above threshold if it had no time to fire in the last.
    double wake(double v, double when, Numbers all, bool tabulated) {
        if (v > values->threshold)
            return cross(v, 0.0, all);
        return resume(when, some_of(all, 1 - when), tabulated);
    }

    // From the reset at a time of the step to its end.
    double resume(double when, Numbers all, bool tabulated) {
        const Leak half(*values, (1 - when) / 2 * values->dt);
        return piece(values->reset, when, 1 - when, all, {}, half, tabulated);
    }

    template <class Count> void fire(const Neurons<Count, C> &neurons, int i, bool tabulated) {
        const double threshold = values->threshold;
        const double release = crossed_at + values->tau_rp / values->dt;
        if (release > 1) {
            neurons.fire(i, values->reset, release - 1);
            return;
        }
        // There is one spike a step: the next one waits for the next step.
        const Numbers then = some_of(left, (1 - release) / (1 - crossed_at));
        const double v = resume(release, then, tabulated);
        neurons.fire(i, v, v > threshold);
        neurons.not_refractory[i] = v <= threshold;
    }

    // Half of the leak of a stretch, its arrivals, the other half.
    double piece(double v, double from, double width, Numbers now, Numbers later,
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
    double part(double v, double from, double width, Numbers now, Numbers later) {
        if (highest(v, now) <= values->threshold) {
            const Outcome outcome = outcomes->at(now);
            return outcome.spread > 0 ? outcome(v) + outcome.spread * (stream.uniform() - 0.5)
                                      : outcome(v);
        }
        if (now.total() <= FEW) {
            if constexpr (C == 2)
                if (two_ways)
                    return few_in_random_order(v, from, width, now, later);
            return one_by_one(v, from, width, now, later);
        }
        const Numbers early = early_ones(now), late = now - early;
        v = part(v, from, width / 2, early, late + later);
        if (v > values->threshold)
            return v;
        return part(v, from + width / 2, width / 2, late, later);
    }

    // A voltage that v does not exceed in a step.
    double highest(double v, const Numbers &now) const {
        const double from = std::max(v, lowest);
        double top = from;
        // a jump upwards gets shorter on the way: the first of them is the longest
        for (int c = 0; c < C; c++)
            top += up[c] ? now.n[c] * (values->jumps[c].offset + values->jumps[c].slope * from) : 0;
        return top;
    }

    // Of two classes, of which the second lowers v: between two such arrivals it is highest at the end.
    double few_in_random_order(double v, double from, double width, Numbers now,
                               Numbers later) {
        // Throw the inhibitory arrivals into the n_E + 1 gaps between excitatory ones. All
        // arrangements are equally likely if each falls into a random gap or joins an earlier one.
        // The gaps are kept in order.
        const int n_E = now.n[0], n_I = now.n[1];
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
        const Jump inhibits = values->jumps[1];
        int arrived = 0;
        for (int k = 0;; k++) {
            const double after = outcomes->at({gap[k] - arrived, 0})(v);
            if (after > values->threshold)
                return crosses(v, from, width, {{arrived, k}}, now, later);
            if (k == n_I)
                return after;
            v = inhibits(after);
            arrived = gap[k];
        }
    }

    // Arrivals of the first class come next, until v crosses.
    double crosses(double v, double from, double width, Numbers came, Numbers now,
                   Numbers later) {
        do {
            v = values->jumps[0](v);
            came.n[0]++;
        } while (v <= values->threshold && came.n[0] < now.n[0]);
        const double time = arrival_time(came.total(), now.total(), stream);
        return cross(v, from + width * time, now - came + later);
    }

    double one_by_one(double v, double from, double width, Numbers now, Numbers later) {
        Numbers next = now;
        const int all = now.total();
        for (int come = 1; come <= all; come++) {
            int drawn = static_cast<int>(stream.below(all + 1 - come)), c = 0;
            while (drawn >= next.n[c])
                drawn -= next.n[c++];
            v = values->jumps[c](v);
            next.n[c]--;
            if (v > values->threshold) {
                const double time = arrival_time(come, all, stream);
                return cross(v, from + width * time, next + later);
            }
        }
        return v;
    }
};

// Brian2's order: the arrivals of the last step, class by class; the leak; the threshold.
// Arrivals are counted after the threshold was tested, and applied here before the next leak.
template <int C> class Brian2Order : public Pieces<Brian2Order<C>, C> {
public:
    explicit Brian2Order(uint64_t) {}

private:
    friend class Pieces<Brian2Order, C>;
    using Pieces<Brian2Order, C>::outcomes;

    static std::unique_ptr<Outcomes<C>> prepare(const Instantaneous<C> &p) {
        return std::make_unique<Outcomes<C>>(p.jumps, BY_CLASS);
    }

    static double one_by_one(const Instantaneous<C> &p, double v, const Arrivals<C> &all) {
        for (int c = 0; c < C; c++)
            for (int n = all.n[c]; n > 0; n--)
                v = p.jumps[c](v);
        return v;
    }

    template <class Count>
    int advance(const Instantaneous<C> &p, const Neurons<Count, C> &neurons, int first, int n,
                int32_t *spikes) {
        if (n <= 0)
            return 0;
        double *__restrict v = neurons.v + first;
        float *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *arrived[C];
        for (int c = 0; c < C; c++)
            arrived[c] = neurons.arrived[c] + first;
        const auto most = most_of(arrived, n);
        outcomes->reserve(most);
        double x[CHUNK];
        if (outcomes->has(most)) {
            const double in_order[CHUNK] = {};
            outcomes->apply(arrived, in_order, v, n, x);
        } else
            for (int i = 0; i < n; i++)
                x[i] = one_by_one(p, v[i], neurons.arrivals(first + i));
        // In its last refractory step a neuron does not feel arrivals, but leaks in the next.
        for (int i = 0; i < n; i++)
            x[i] = held[i] > 0 ? v[i] : x[i];
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
        neurons.forget(first, n);
        return fired;
    }
};

}  // namespace cbnet
#endif
