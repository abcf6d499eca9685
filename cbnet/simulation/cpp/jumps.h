// Jumps of the membrane potential that are affine in it, so that many of them have a closed form.
#ifndef CBNET_JUMPS_H
#define CBNET_JUMPS_H

#include <algorithm>
#include <cmath>
#include <vector>

namespace cbnet {

// A jump by the same amount wherever v is: a current synapse.
class By {
public:
    By(double offset, double) : size(offset) {}

    void reserve(int) {}

    double operator()(double v, int n) const { return v + n * size; }
    double half(double v, int n) const { return v + 0.5 * n * size; }

    // Where v may be lifted to by any number of jumps if they lower it from the threshold.
    double ceiling(double v) const { return v; }

private:
    double size;
};

// A jump that shortens the distance to a potential by the same factor: a conductance synapse.
class Towards {
public:
    // The displacement is offset + slope v, with slope between -1 and 0.
    Towards(double offset, double slope) : rest(-offset / slope), factor(1.0 + slope) {}

    // Make sure that n jumps are tabulated: std::pow would cost more than the rest of a step.
    void reserve(int n) {
        for (int k = static_cast<int>(powers.size()); k <= n; k++) {
            powers.push_back(std::pow(factor, k));
            halves.push_back(std::pow(factor, 0.5 * k));
        }
    }

    double operator()(double v, int n) const { return rest + (v - rest) * powers[n]; }
    double half(double v, int n) const { return rest + (v - rest) * halves[n]; }
    double ceiling(double v) const { return std::max(v, rest); }

private:
    double rest, factor;
    std::vector<double> powers, halves;
};

}  // namespace cbnet
#endif
