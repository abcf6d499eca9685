// The arrivals of one neuron in one time step, in random order.
//
// Every order of the n_E excitatory and n_I inhibitory arrivals is equally likely, and the neuron
// fires as soon as the voltage exceeds the threshold. A jump is a functor v -> v after n arrivals.
#ifndef CBNET_ARRIVALS_H
#define CBNET_ARRIVALS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace cbnet {

// Marsaglia's xorshift64, for orders within a step: short, and seeded anew for every neuron.
class Order {
public:
    explicit Order(double uniform)
        : state(static_cast<uint64_t>(uniform * 9007199254740992.0) * 0x9E3779B97F4A7C15ull + 1) {}

    // A whole number below `bound`.
    int below(int bound) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<int>(((state >> 32) * static_cast<uint64_t>(bound)) >> 32);
    }

private:
    uint64_t state;
};

// Powers of one number, tabulated: a step raises the same factor to small whole powers for every
// neuron, and std::pow would cost more than the rest of the step.
class Powers {
public:
    double operator()(double factor, int n) {
        if (factor != tabulated) {
            tabulated = factor;
            table.assign(1, 1.0);
        }
        while (static_cast<int>(table.size()) <= n)
            table.push_back(table.back() * factor);
        return table[n];
    }

private:
    double tabulated = NAN;
    std::vector<double> table;
};

// Jumps that are affine in the voltage, h(v) = offset + slope v: n of them in closed form.
struct AffineJump {
    double offset, slope;
    Powers &powers;

    double operator()(double v, int n) const {
        if (slope == 0.0)
            return v + n * offset;
        return rest() + (v - rest()) * powers(1.0 + slope, n);
    }

    // Where the jump vanishes: the reversal potential.
    double rest() const { return -offset / slope; }
};

// Arrivals of affine jumps. Below the threshold `excitatory` must not lower the voltage, and
// `inhibitory` may raise it to its reversal potential at most, which is below the threshold.
inline double after_affine_arrivals(double v, int n_E, int n_I, double threshold, double uniform,
                                    const AffineJump &excitatory, const AffineJump &inhibitory) {
    if (n_I == 0)
        return excitatory(v, n_E);
    const double start = inhibitory.slope == 0.0 ? v : std::max(v, inhibitory.rest());
    if (excitatory(start, n_E) <= threshold) {
        // No order can cross. The mean over the orders is that of the symmetric one.
        v = excitatory(v, n_E / 2);
        v = inhibitory(v, n_I);
        return excitatory(v, n_E - n_E / 2);
    }
    // Throw the inhibitory arrivals into the n_E + 1 gaps between excitatory ones. All
    // arrangements are equally likely if each falls into a random gap or joins an earlier one.
    Order order(uniform);
    static std::vector<int> gaps;
    gaps.clear();
    for (int k = 0; k < n_I; k++) {
        const int drawn = order.below(n_E + 1 + k);
        gaps.push_back(drawn <= n_E ? drawn : gaps[drawn - n_E - 1]);
    }
    // Few values: sort by insertion.
    for (int k = 1; k < n_I; k++)
        for (int j = k; j > 0 && gaps[j] < gaps[j - 1]; j--)
            std::swap(gaps[j], gaps[j - 1]);
    int arrived = 0;
    for (int k = 0; k < n_I; k++) {
        v = excitatory(v, gaps[k] - arrived);
        if (v > threshold)
            return v;
        v = inhibitory(v, 1);
        arrived = gaps[k];
    }
    return excitatory(v, n_E - arrived);
}

// Arrivals of any jumps, one by one; jump(v) is the displacement of one arrival.
template <class Excitatory, class Inhibitory>
double after_arrivals_one_by_one(double v, int n_E, int n_I, double threshold, double uniform,
                                 Excitatory excitatory, Inhibitory inhibitory) {
    Order order(uniform);
    while (n_E + n_I > 0 && v <= threshold) {
        if (order.below(n_E + n_I) < n_E) {
            n_E--;
            v += excitatory(v);
        } else {
            n_I--;
            v += inhibitory(v);
        }
    }
    return v;
}

}  // namespace cbnet
#endif
