// The arrivals of one step, of jumps that are affine in the membrane potential.
#ifndef CBNET_JUMPS_H
#define CBNET_JUMPS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "neurons.h"

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

// What some arrivals in random order do: v -> factor v + constant. The factor does not depend on the order. The constant does where the jumps do not commute: over all
// orders it has a mean, and the variance of a uniform number of width `spread`.
struct Outcome {
    double factor, mean, spread;

    // Without the spread.
    double operator()(double v) const { return factor * v + mean; }
};

enum Order { RANDOM, BY_CLASS };  // BY_CLASS: all of the first class come first, and so on

// Outcomes of arrivals of any number of classes, worked out when they are asked for.
//
// With f = 1 + slope the factor is a product of powers. In random order an arrival comes at a time u,
// uniform in (0, 1), and each of the others after it with probability 1 - u: the mean constant is
// the sum over arrivals of offset times the integral over u of the product over the others of
// u + (1 - u) f, taken with Gauss' rule. The spread follows, to first order in the products of
// offset and slope, from the variance of the number of pairs of which the one comes first.
template <int C> class Outcomes {
public:
    // What happens before and after the arrivals of a whole step is part of what `apply` does.
    Outcomes(const Jump (&jumps)[C], Order order, Line around = {}) : order(order), around(around) {
        static const double node[NODES] = {0.1127016653792583, 0.5, 0.8872983346207417};
        static const double weight[NODES] = {5.0 / 18, 8.0 / 18, 5.0 / 18};
        for (int c = 0; c < C; c++) {
            const double f = std::max(1 + jumps[c].slope, 1e-300);
            offset[c] = jumps[c].offset;
            slope[c] = jumps[c].slope;
            power[c] = std::log(f);
            flat = flat && slope[c] == 0;
            for (int k = 0; k < NODES; k++) {
                const double mixed = node[k] + (1 - node[k]) * f;
                exponent[k][c] = std::log(mixed);
                share[k][c] = weight[k] * offset[c] / mixed;
            }
        }
    }

    void reserve(const Arrivals<C> &) {}

    bool has(const Arrivals<C> &) const { return true; }

    Outcome at(const Arrivals<C> &arrivals) const {
        double n[C];
        for (int c = 0; c < C; c++)
            n[c] = arrivals.n[c];
        return order == RANDOM ? flat ? sum(n) : mixed(n) : in_turn(n);
    }

    // n neurons, of which the arrivals and a random number in (-1/2, 1/2) are told.
    template <class Count>
    void apply(const Count *const *arrived, const double *__restrict random,
               const double *__restrict v, int size, double *__restrict out) const {
        if (order == RANDOM && flat)
            each(arrived, random, v, size, out, [this](const double *n) { return sum(n); });
        else if (order == RANDOM)
            each(arrived, random, v, size, out, [this](const double *n) { return mixed(n); });
        else
            each(arrived, random, v, size, out, [this](const double *n) { return in_turn(n); });
    }

private:
    static constexpr int NODES = 3;

    Order order;
    Line around;
    bool flat = true;  // no jump depends on v
    double offset[C], slope[C], power[C], exponent[NODES][C], share[NODES][C];

    template <class Count, class Find>
    void each(const Count *const *arrived, const double *__restrict random,
              const double *__restrict v, int size, double *__restrict out, Find find) const {
        const double c0 = around.constant, f0 = around.factor;
        for (int i = 0; i < size; i++) {
            double n[C];
            for (int c = 0; c < C; c++)
                n[c] = arrived[c][i];
            const Outcome one = find(n);
            out[i] = c0 + f0 * (one(c0 + f0 * v[i]) + one.spread * random[i]);
        }
    }

    Outcome sum(const double *n) const {
        double constant = 0;
        for (int c = 0; c < C; c++)
            constant += n[c] * offset[c];
        return {1.0, constant, 0.0};
    }

    Outcome mixed(const double *n) const {
        double logarithm = 0, mean = 0;
        for (int c = 0; c < C; c++)
            logarithm += n[c] * power[c];
        for (int k = 0; k < NODES; k++) {
            double x = 0, y = 0;
            for (int c = 0; c < C; c++) {
                x += n[c] * exponent[k][c];
                y += n[c] * share[k][c];
            }
            mean += y * exp(x);
        }
        // Of pairs K = slope_j offset_i - slope_i offset_j: the variance is a twelfth of the sum over
        // i of the square of the sum over j of K, and of the sum over pairs of its square.
        double b = 0, s = 0, bb = 0, ss = 0, sb = 0;
        for (int c = 0; c < C; c++) {
            b += n[c] * offset[c];
            s += n[c] * slope[c];
            bb += n[c] * offset[c] * offset[c];
            ss += n[c] * slope[c] * slope[c];
            sb += n[c] * slope[c] * offset[c];
        }
        const double square = s * s * bb - 2 * s * b * sb + b * b * ss + bb * ss - sb * sb;
        return {exp(logarithm), mean, std::sqrt(std::max(0.0, square))};
    }

    Outcome in_turn(const double *n) const {
        double factor = 1, constant = 0;
        for (int c = 0; c < C; c++) {
            const double f = exp(n[c] * power[c]);
            constant = f * constant + offset[c] * (slope[c] == 0 ? n[c] : (f - 1) / slope[c]);
            factor *= f;
        }
        return {factor, constant, 0.0};
    }
};

// Outcomes of all numbers of arrivals of two classes up to a bound, which grows as needed.
template <> class Outcomes<2> {
public:
    // What happens before and after the arrivals of a whole step is part of what `apply` does.
    Outcomes(const Jump (&jumps)[2], Order order, Line around = {})
        : first(jumps[0]), second(jumps[1]), order(order), around(around) {
        reserve({0, 0});
    }

    // Make sure that so many arrivals are tabulated; more than MOST pairs of numbers are not.
    void reserve(const Arrivals<2> &most) {
        if (has(most))
            return;
        const auto [n, m] = most.n;
        rows = std::max(rows, n + 1 + n / 4);
        columns = std::max(columns, m + 1 + m / 4);
        if (static_cast<int64_t>(rows) * columns > MOST) {
            rows = std::min(rows, SIDE);
            columns = std::min(columns, SIDE);
        }
        table.assign(static_cast<size_t>(rows) * columns, {1.0, 0.0, 0.0});
        for (int k = 0; k < rows; k++)
            for (int l = 0; l < columns; l++)
                if (k + l > 0)
                    table[static_cast<size_t>(k) * columns + l] = after_the_last(k, l);
        whole.clear();
        const double c = around.constant, f = around.factor;
        for (const Outcome &one : table)
            whole.push_back({f * one.factor * f, c + f * one(c), f * one.spread});
    }

    bool has(const Arrivals<2> &most) const { return most.n[0] < rows && most.n[1] < columns; }

    const Outcome &at(const Arrivals<2> &arrivals) const { return at(arrivals.n[0], arrivals.n[1]); }

    // n neurons, of which the arrivals and a random number in (-1/2, 1/2) are told.
    template <class Count>
    void apply(const Count *const *arrived, const double *__restrict random,
               const double *__restrict v, int n, double *__restrict out) const {
        std::vector<int32_t> &place = places;
        place.resize(n);
        find(arrived[0], arrived[1], n, place.data());
        if (order == RANDOM)
            look_up(place.data(), random, v, n, out);
        else
            look_up(place.data(), v, n, out);
    }

private:
    static constexpr int SIDE = 2048;
    static constexpr int64_t MOST = static_cast<int64_t>(SIDE) * SIDE;

    Jump first, second;
    Order order;
    Line around;
    int rows = 0, columns = 0;
    std::vector<Outcome> table, whole;
    mutable std::vector<int32_t> places;

    const Outcome &at(int n, int m) const { return table[static_cast<size_t>(n) * columns + m]; }

    template <class Count>
    void find(const Count *__restrict n, const Count *__restrict m, int size,
              int32_t *__restrict place) const {
        for (int i = 0; i < size; i++)
            place[i] = columns * n[i] + m[i];
    }

    // One number after the other: processors load from many places at once no faster than that.
    __attribute__((optimize("no-tree-vectorize"))) void
    look_up(const int32_t *__restrict place, const double *__restrict v, int n,
            double *__restrict out) const {
        const Outcome *__restrict outcome = whole.data();
        for (int i = 0; i < n; i++)
            out[i] = outcome[place[i]](v[i]);
    }

    // The same with a random number for the order of the arrivals.
    __attribute__((optimize("no-tree-vectorize"))) void
    look_up(const int32_t *__restrict place, const double *__restrict random,
            const double *__restrict v, int n, double *__restrict out) const {
        const Outcome *__restrict outcome = whole.data();
        for (int i = 0; i < n; i++) {
            const Outcome &one = outcome[place[i]];
            out[i] = one(v[i]) + one.spread * random[i];
        }
    }

    // The last of n + m arrivals is of the first class with probability n/(n + m).
    Outcome after_the_last(int n, int m) const {
        double factor = 1.0, mean = 0.0, square = 0.0;
        const auto add = [&](const Outcome &before, const Jump &jump, double probability) {
            const double f = 1.0 + jump.slope, c = f * before.mean + jump.offset;
            factor = f * before.factor;
            mean += probability * c;
            square += probability * (c * c + f * f * before.spread * before.spread / 12);
        };
        const double of_second = order == BY_CLASS ? m > 0 : static_cast<double>(m) / (n + m);
        if (of_second < 1)
            add(at(n - 1, m), first, 1 - of_second);
        if (of_second > 0)
            add(at(n, m - 1), second, of_second);
        const double variance = square - mean * mean;
        // what rounding leaves of jumps that commute is no spread
        return {factor, mean, variance > 1e-12 * square ? std::sqrt(12 * variance) : 0.0};
    }
};

}  // namespace cbnet
#endif
