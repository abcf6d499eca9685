// Poisson counts from one uniform number each, by a tabulated inverse of the distribution.
#ifndef CBNET_POISSON_H
#define CBNET_POISSON_H

#include <cmath>
#include <unordered_map>
#include <vector>

namespace cbnet {

// Inverse of one Poisson distribution: the least n whose cumulative probability exceeds u.
class PoissonInverse {
public:
    explicit PoissonInverse(double mean) {
        // Beyond the mean, stop where no double below 1 tells the cumulative probability from 1.
        double total = 0.0;
        for (int n = 0; n <= mean || probability(mean, n) > 1e-18; n++) {
            total += probability(mean, n);
            cumulative.push_back(total);
        }
        cumulative.back() = 2.0;  // no u is left over
        int n = 0;
        for (int k = 0; k < guides; k++) {
            while (cumulative[n] <= static_cast<double>(k) / guides)
                n++;
            guide.push_back(n);
        }
    }

    int operator()(double u) const {
        int n = guide[static_cast<int>(u * guides)];
        while (cumulative[n] <= u)
            n++;
        return n;
    }

private:
    static const int guides = 256;
    std::vector<double> cumulative;
    std::vector<int> guide;

    static double probability(double mean, int n) {
        return std::exp(n * std::log(mean) - mean - std::lgamma(n + 1.0));
    }
};

// A count of the given mean; tables are kept, since a network has few different means.
inline int poisson_count(double mean, double u) {
    static std::unordered_map<double, PoissonInverse> tables;
    static double last_mean = -1.0;
    static const PoissonInverse *last = nullptr;
    if (mean <= 0.0)
        return 0;
    if (mean != last_mean) {
        auto found = tables.find(mean);
        if (found == tables.end())
            found = tables.emplace(mean, PoissonInverse(mean)).first;
        last = &found->second;
        last_mean = mean;
    }
    return (*last)(u);
}

}  // namespace cbnet
#endif
