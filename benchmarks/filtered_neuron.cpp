// One leaky integrate-and-fire neuron with exponential synapses under Poisson input.
//
// Arrivals happen at their own times and synaptic variables decay exactly; between arrivals v is
// integrated with Runge-Kutta steps of fourth order no longer than dt, and a crossing inside a step
// is found on the cubic through values and slopes at its ends.
//
// usage: filtered_neuron  c_E E_E J_E  c_I E_I J_I  tau_E tau_I  R_E R_I  tau_L E_L theta V_r tau_rp
//                         dt copies duration burn_in seed
// v' = (E_L - v)/tau_L + sum over i of x_i (c_i (E_i - v) + J_i); x_i jumps by 1/tau_i at rate R_i.
// Units: ms, mV, 1/ms. Prints, a line a copy: spikes, sum and sum of squares of intervals, their
// number, time below threshold, and its integrals of v and v^2.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

struct Neuron {
    double c[2], E[2], J[2], tau[2], R[2], tau_L, E_L;
    void line(const double* x, double& a, double& b) const {  // v' = a - b v
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
    if (argc != 21) return 2;
    double p[20];
    for (int k = 0; k < 20; k++) p[k] = std::atof(argv[k + 1]);
    const Neuron n{{p[0], p[3]}, {p[1], p[4]}, {p[2], p[5]}, {p[6], p[7]}, {p[8], p[9]}, p[10], p[11]};
    const double theta = p[12], V_r = p[13], tau_rp = p[14], dt = p[15];
    const int copies = int(p[16]);
    const double duration = p[17], burn_in = p[18];
    for (int copy = 0; copy < copies; copy++) {
        std::seed_seq seeds{std::uint32_t(p[19]), std::uint32_t(copy)};
        std::mt19937_64 random(seeds);
        auto wait = [&] { return -std::log1p(-double(random() >> 11) * 0x1p-53); };
        double x[2] = {n.R[0], n.R[1]}, v = V_r, t = 0, free_at = 0, last = -1;
        const double total = n.R[0] + n.R[1], end = burn_in + duration;
        double spikes = 0, sum = 0, squares = 0, intervals = 0, below = 0, v1 = 0, v2 = 0;
        double next = wait() / total;
        while (t < end) {
            double step = std::fmin(next - t, dt);
            const bool arrives = next - t <= dt;
            const bool held = t < free_at;
            if (held) step = std::fmin(step, free_at - t);
            const bool reached = arrives && step == next - t;
            const double decay_E = std::exp(-step / (2 * n.tau[0]));
            const double decay_I = n.tau[1] == n.tau[0] ? decay_E : std::exp(-step / (2 * n.tau[1]));
            const double half[2] = {x[0] * decay_E, x[1] * decay_I};
            const double after[2] = {half[0] * decay_E, half[1] * decay_I};
            if (!held) {
                double a, b, am, bm, ae, be;
                n.line(x, a, b);
                n.line(half, am, bm);
                n.line(after, ae, be);
                const double k1 = a - b * v, k2 = am - bm * (v + step / 2 * k1);
                const double k3 = am - bm * (v + step / 2 * k2), k4 = ae - be * (v + step * k3);
                const double w = v + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
                const double d0 = step * k1, d1 = step * (ae - be * w);
                double at;
                if (highest(v, w, d0, d1, at) >= theta) {
                    double low = 0, high = at;
                    for (int k = 0; k < 30; k++) {
                        const double m = (low + high) / 2;
                        (cubic(v, w, d0, d1, m) < theta ? low : high) = m;
                    }
                    step *= high;
                    for (int i = 0; i < 2; i++) x[i] *= std::exp(-step / n.tau[i]);
                    if (t >= burn_in) below += step, v1 += step * (v + theta) / 2, v2 += step * (v * v + v * theta + theta * theta) / 3;
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
                if (t >= burn_in) below += step, v1 += step * (v + w) / 2, v2 += step * (v * v + v * w + w * w) / 3;
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
        std::printf("%.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", spikes, sum, squares, intervals, below, v1, v2);
    }
}
