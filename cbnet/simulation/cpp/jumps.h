// The arrivals of one step, of jumps that are affine in the membrane potential.
#ifndef CBNET_JUMPS_H
#define CBNET_JUMPS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "random.h"

namespace cbnet {

// A jump moves v by offset + slope v.
struct Jump {
    double offset, slope;

    double operator()(double v) const { return v + offset + slope * v; }
};

// v -> constant + factor v.
struct Line {
    double constant = 0, factor = 1;

    double operator()(double v) const { return constant + factor * v; }
};

// What n_E excitatory and n_I inhibitory arrivals in random order do: v -> factor v + constant. The
// factor does not depend on the order. The constant does where the jumps do not commute: over all
// orders it has a mean, and the variance of a uniform number of width `spread`.
struct Outcome {
    double factor, mean, spread;

    // Without the spread.
    double operator()(double v) const { return factor * v + mean; }
};

// Outcomes of all numbers of arrivals up to a bound, which grows as needed.
class Outcomes {
public:
    enum Order { RANDOM, E_THEN_I };

    // What happens before and after the arrivals of a whole step is part of what `apply` does.
    Outcomes(Jump excitatory, Jump inhibitory, Order order, Line around = {})
        : excitatory(excitatory), inhibitory(inhibitory), order(order), around(around) {
        reserve(0, 0);
    }

    // Make sure that so many arrivals are tabulated; more than MOST pairs of numbers are not.
    void reserve(int n_E, int n_I) {
        if (n_E < rows && n_I < columns)
            return;
        rows = std::max(rows, n_E + 1 + n_E / 4);
        columns = std::max(columns, n_I + 1 + n_I / 4);
        if (static_cast<int64_t>(rows) * columns > MOST) {
            rows = std::min(rows, SIDE);
            columns = std::min(columns, SIDE);
        }
        table.assign(static_cast<size_t>(rows) * columns, {1.0, 0.0, 0.0});
        for (int E = 0; E < rows; E++)
            for (int I = 0; I < columns; I++)
                if (E + I > 0)
                    table[static_cast<size_t>(E) * columns + I] = after_the_last(E, I);
        whole.clear();
        const double c = around.constant, f = around.factor;
        for (const Outcome &one : table)
            whole.push_back({f * one.factor * f, c + f * one(c), f * one.spread});
    }

    bool has(int n_E, int n_I) const { return n_E < rows && n_I < columns; }

    const Outcome &at(int n_E, int n_I) const {
        return table[static_cast<size_t>(n_E) * columns + n_I];
    }

    // Where a pair of numbers is in the table.
    int32_t place(int n_E, int n_I) const { return n_E * columns + n_I; }

    // One number after the other: processors load from many places at once no faster than that.
    __attribute__((optimize("no-tree-vectorize"))) void
    apply(const int32_t *__restrict place, const double *__restrict v, int n,
          double *__restrict out) const {
        const Outcome *__restrict outcome = whole.data();
        for (int i = 0; i < n; i++)
            out[i] = outcome[place[i]](v[i]);
    }

    // The same with a random number for the order of the arrivals.
    __attribute__((optimize("no-tree-vectorize"))) void
    apply(const int32_t *__restrict place, const double *__restrict order,
          const double *__restrict v, int n, double *__restrict out) const {
        const Outcome *__restrict outcome = whole.data();
        for (int i = 0; i < n; i++) {
            const Outcome &one = outcome[place[i]];
            out[i] = one(v[i]) + one.spread * order[i];
        }
    }

private:
    static constexpr int SIDE = 2048;
    static constexpr int64_t MOST = static_cast<int64_t>(SIDE) * SIDE;

    Jump excitatory, inhibitory;
    Order order;
    Line around;
    int rows = 0, columns = 0;
    std::vector<Outcome> table, whole;

    // The last of the arrivals is excitatory with probability E/(E + I).
    Outcome after_the_last(int E, int I) const {
        double factor = 1.0, mean = 0.0, square = 0.0;
        const auto add = [&](const Outcome &before, const Jump &jump, double probability) {
            const double f = 1.0 + jump.slope, c = f * before.mean + jump.offset;
            factor = f * before.factor;
            mean += probability * c;
            square += probability * (c * c + f * f * before.spread * before.spread / 12);
        };
        const double last_is_I = order == E_THEN_I ? I > 0 : static_cast<double>(I) / (E + I);
        if (last_is_I < 1)
            add(at(E - 1, I), excitatory, 1 - last_is_I);
        if (last_is_I > 0)
            add(at(E, I - 1), inhibitory, last_is_I);
        const double variance = square - mean * mean;
        // what rounding leaves of jumps that commute is no spread
        return {factor, mean, variance > 1e-12 * square ? std::sqrt(12 * variance) : 0.0};
    }
};

}  // namespace cbnet
#endif
