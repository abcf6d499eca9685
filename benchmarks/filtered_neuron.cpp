// One integrate-and-fire neuron, leaky or exponential, with filtered synapses under Poisson input.
//
// Arrivals happen at their own times and synaptic variables decay exactly; between arrivals v is
// integrated with Runge-Kutta steps of fourth order no longer than dt (and than a twentieth of the
// membrane's time constant), and a crossing inside a step is found on the cubic through values and
// slopes at its ends.
//
// usage: filtered_neuron  c_E E_E J_E  c_I E_I J_I  tau_E tau_I  R_E R_I
//                         tau_L E_L Delta V_T  theta V_r tau_rp
//                         dt copies duration burn_in seed  edges...
// v' = (E_L - v + Delta exp((v - V_T)/Delta))/tau_L + sum over i of x_i (c_i (E_i - v) + J_i), the
// exponential left out for Delta = 0; x_i jumps by 1/tau_i at rate R_i. Units: ms, mV, 1/ms.
// Prints, a line a copy: spikes, sum and sum of squares of intervals, their number, time below
// threshold, its integrals of v and v^2, and how much of it v is between each two of the edges.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

struct Neuron {
    double c[2], E[2], J[2], tau[2], R[2], tau_L, E_L, Delta, V_T;
    double growth(double v) const { return Delta > 0 ? std::exp((v - V_T) / Delta) / tau_L : 0; }
    double pull(const double* x) const { return 1 / tau_L + x[0] * c[0] + x[1] * c[1]; }
    void line(const double* x, double& a, double& b) const {  // v' = a - b v + Delta growth(v)
        a = E_L / tau_L;
        b = 1 / tau_L;
        for (int i = 0; i < 2; i++) {
            a += x[i] * (c[i] * E[i] + J[i]);
            b += x[i] * c[i];
        }
    }
};

// Largest value on [0, 1] of the cubic with ends v0, v1 and slopes d0, d1 (per unit step).
static double cubic(double v0, double v1, double d0, double d1, double t) {
    const double u = 1 - t;
    return v0 * u * u * (1 + 2 * t) + d0 * t * u * u + v1 * t * t * (3 - 2 * t) - d1 * t * t * u;
}

static double highest(double v0, double v1, double d0, double d1, double& at) {
    at = 1;
    if (!(d0 > 0 && d1 < 0)) return v1;
    // root of the derivative: a t^2 + b t + d0 = 0
    const double a = 3 * (d0 + d1 + 2 * (v0 - v1)), b = 2 * (3 * (v1 - v0) - 2 * d0 - d1);
    const double q = -0.5 * (b + std::copysign(std::sqrt(std::fmax(b * b - 4 * a * d0, 0)), b));
    for (double t : {a != 0 ? q / a : -1, q != 0 ? d0 / q : -1})
        if (t > 0 && t < 1) at = t;
    return std::fmax(v1, cubic(v0, v1, d0, d1, at));
}

int main(int argc, char** argv) {
    if (argc < 23) return 2;
    double p[22];
    for (int k = 0; k < 22; k++) p[k] = std::atof(argv[k + 1]);
    const Neuron n{{p[0], p[3]}, {p[1], p[4]}, {p[2], p[5]}, {p[6], p[7]}, {p[8], p[9]}, p[10], p[11], p[12], p[13]};
    const double theta = p[14], V_r = p[15], tau_rp = p[16], dt = p[17];
    const int copies = int(p[18]);
    const double duration = p[19];
    std::vector<double> edges;
    for (int k = 23; k < argc; k++) edges.push_back(std::atof(argv[k]));
    for (int copy = 0; copy < copies; copy++) {
        std::seed_seq seeds{std::uint32_t(p[21]), std::uint32_t(copy)};
        std::vector<double> spent(edges.size() + 1, 0.0);
        std::mt19937_64 random(seeds);
        auto wait = [&] { return -std::log1p(-double(random() >> 11) * 0x1p-53); };
        double x[2] = {n.R[0], n.R[1]}, v = V_r, t = 0, free_at = 0, last = -1;
        // Copies of a regular neuron would start in step: they are left alone for different times.
        const double burn_in = p[20] * (1 + double(random() >> 11) * 0x1p-53);
        const double total = n.R[0] + n.R[1], end = burn_in + duration;
        double spikes = 0, sum = 0, squares = 0, intervals = 0, below = 0, v1 = 0, v2 = 0;
        double next = wait() / total;
        // A piece of the way, `middle` above the straight line halfway; in bins a straight line will do.
        const auto record = [&](double from, double to, double middle, double step) {
            const double m = (from + to) / 2 + middle;
            below += step;
            v1 += step * (from + 4 * m + to) / 6;
            v2 += step * (from * from + 4 * m * m + to * to) / 6;
            if (edges.empty()) return;
            const double low = std::fmin(from, to), high = std::fmax(from, to);
            auto k = std::upper_bound(edges.begin(), edges.end(), low) - edges.begin();
            for (double at = low; at < high; k++) {
                const double end = k < long(edges.size()) ? std::fmin(edges[k], high) : high;
                spent[k] += step * (end - at) / (high - low);
                at = end;
            }
        };
        while (t < end) {
            const bool held = t < free_at;
            double step = std::fmin(std::fmin(next, end) - t, held ? free_at - t : dt);
            if (!held) step = std::fmin(step, 0.05 / (n.pull(x) + n.growth(v)));
            const bool reached = step == next - t;
            const double decay_E = std::exp(-step / (2 * n.tau[0]));
            const double decay_I = n.tau[1] == n.tau[0] ? decay_E : std::exp(-step / (2 * n.tau[1]));
            const double half[2] = {x[0] * decay_E, x[1] * decay_I};
            const double after[2] = {half[0] * decay_E, half[1] * decay_I};
            if (!held) {
                double a, b, am, bm, ae, be;
                n.line(x, a, b);
                n.line(half, am, bm);
                n.line(after, ae, be);
                const auto slope = [&](double A, double B, double u) { return A - B * u + n.Delta * n.growth(u); };
                const double k1 = slope(a, b, v), k2 = slope(am, bm, v + step / 2 * k1);
                const double k3 = slope(am, bm, v + step / 2 * k2), k4 = slope(ae, be, v + step * k3);
                const double w = v + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
                const double d0 = step * k1, d1 = step * slope(ae, be, w);
                double at;
                if (highest(v, w, d0, d1, at) >= theta) {
                    double low = 0, high = at;
                    for (int k = 0; k < 30; k++) {
                        const double m = (low + high) / 2;
                        (cubic(v, w, d0, d1, m) < theta ? low : high) = m;
                    }
                    step *= high;
                    for (int i = 0; i < 2; i++) x[i] *= std::exp(-step / n.tau[i]);
                    if (t >= burn_in) record(v, theta, cubic(v, w, d0, d1, high / 2) - (v + theta) / 2, step);
                    t += step;
                    if (t >= burn_in) {
                        spikes++;
                        if (last >= burn_in) sum += t - last, squares += (t - last) * (t - last), intervals++;
                    }
                    last = t;
                    v = V_r;
                    free_at = t + tau_rp;
                    continue;
                }
                if (t >= burn_in) record(v, w, (d0 - d1) / 8, step);
                v = w;
            }
            x[0] = after[0];
            x[1] = after[1];
            t = held && step == free_at - t ? free_at : t + step;
            if (reached) {
                t = next;
                const int i = double(random() >> 11) * 0x1p-53 * total < n.R[0] ? 0 : 1;
                x[i] += 1 / n.tau[i];
                next = t + wait() / total;
            }
        }
        std::printf("%.17g %.17g %.17g %.17g %.17g %.17g %.17g", spikes, sum, squares, intervals, below, v1, v2);
        for (std::size_t k = 1; k + 1 < spent.size(); k++) std::printf(" %.17g", spent[k]);
        std::printf("\n");
    }
}
