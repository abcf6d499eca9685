// Intervals between spikes of one neuron under finite jumps, arrival by arrival.
//
// Between arrivals v is integrated with Runge-Kutta steps of fourth order, no longer than a
// twentieth of what is fastest; a crossing inside a step is found on the cubic through values and
// slopes at its ends.
//
// usage: jump_paths  c_E E_E J_E  c_I E_I J_I  R_E R_I  tau_L E_L Delta V_T  theta V_r
//                    spikes arrivals seed  edges...
// v' = (E_L - v + Delta exp((v - V_T)/Delta))/tau_L (Delta = 0: none); an arrival moves v by
// c (E - v) + J. Units: ms, mV, 1/ms. Ends after that many spikes or arrivals. Prints the number of
// spikes, and how many of the times from V_r to the threshold are between each two of the edges.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

int main(int argc, char** argv) {
    if (argc < 18) return 2;
    double p[17];
    for (int k = 0; k < 17; k++) p[k] = std::atof(argv[k + 1]);
    const double R = p[6] + p[7], tau_L = p[8], E_L = p[9], Delta = p[10], V_T = p[11], theta = p[12], V_r = p[13];
    std::vector<double> edges;
    for (int k = 18; k < argc; k++) edges.push_back(std::atof(argv[k]));
    std::vector<long> counts(edges.size() + 1, 0);
    std::mt19937_64 random{std::uint64_t(p[16])};
    const auto uniform = [&] { return double(random() >> 11) * 0x1p-53; };
    const auto growth = [&](double v) { return Delta > 0 ? std::exp((v - V_T) / Delta) / tau_L : 0; };
    const auto f = [&](double v) { return (E_L - v) / tau_L + Delta * growth(v); };

    // v after a time, or the time until it crosses.
    const auto flow = [&](double& v, double& left) {
        while (left > 0) {
            const double h = std::fmin(left, 0.05 / (1 / tau_L + growth(v)));
            const double k1 = f(v), k2 = f(v + h / 2 * k1), k3 = f(v + h / 2 * k2), k4 = f(v + h * k3);
            const double w = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
            if (w >= theta) {
                double low = 0, high = 1;
                for (int i = 0; i < 40; i++) {
                    const double t = (low + high) / 2, u = 1 - t;
                    const double at = v * u * u * (1 + 2 * t) + h * k1 * t * u * u + w * t * t * (3 - 2 * t) - h * f(w) * t * t * u;
                    (at < theta ? low : high) = t;
                }
                left -= h * high;
                return true;
            }
            v = w;
            left -= h;
        }
        return false;
    };

    long spikes = 0;
    double v = V_r, passed = 0;
    for (double arrivals = 0; spikes < p[14] && arrivals < p[15]; arrivals++) {
        const double wait = -std::log1p(-uniform()) / R;
        double left = wait;
        bool fires = flow(v, left);
        passed += fires ? wait - left : wait;
        if (!fires) {
            const int i = uniform() * R < p[6] ? 0 : 3;
            v += p[i] * (p[i + 1] - v) + p[i + 2];
            fires = v >= theta;
        }
        if (!fires) continue;
        counts[std::upper_bound(edges.begin(), edges.end(), passed) - edges.begin()]++;
        spikes++;
        v = V_r;
        passed = 0;
    }
    std::printf("%ld", spikes);
    for (std::size_t k = 1; k + 1 < counts.size(); k++) std::printf(" %ld", counts[k]);
    std::printf("\n");
}
