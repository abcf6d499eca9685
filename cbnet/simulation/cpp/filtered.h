// One step of neurons with exponential synapses, in one pass over memory.
//
// dv/dt = leak(v) + s_E excitatory(v) + s_I inhibitory(v), all three affine in v; ds/dt = -s/tau,
// and s jumps by a constant at an arrival.
#ifndef CBNET_FILTERED_H
#define CBNET_FILTERED_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "neurons.h"

#if defined(__x86_64__) && defined(__GLIBC__)
// The C library has a version of exp for vectors, which it shows to the compiler with -ffast-math
// only.
extern "C" __attribute__((__simd__("notinbranch"))) double exp(double) noexcept;
#endif

namespace cbnet {

// Values of one population; potentials in V, times in s.
struct Filtered {
    double leak_offset, leak_slope;
    double excitatory_offset, excitatory_slope, excitatory_jump, tau_E;
    double inhibitory_offset, inhibitory_slope, inhibitory_jump, tau_I;
    double threshold, reset, tau_rp;
    double dt;
};

// A synaptic variable over a time h, given how many spikes arrive in it, each at any time.
struct Synapse {
    double decay;      // e^(-h/tau)
    double mean;       // mean over the time of what decays from one
    double mean_late;  // the same of what jumps to one at any time
    double jump;

    Synapse(double jump, double tau, double h) : decay(std::exp(-h / tau)), jump(jump) {
        mean = (1 - decay) * tau / h;
        mean_late = (1 - mean) * tau / h;
    }

    double average(double s, double n) const { return s * mean + n * (jump * mean_late); }
    double after(double s, double n) const { return s * decay + n * (jump * mean); }
};

// The membrane over a time h in which the synaptic variables are replaced by their means, which is
// exact in charge.
struct Membrane {
    Filtered p;
    double h;

    double slope(double E, double I) const {
        return p.leak_slope + E * p.excitatory_slope + I * p.inhibitory_slope;
    }
    double offset(double E, double I) const {
        return p.leak_offset + E * p.excitatory_offset + I * p.inhibitory_offset;
    }
    double speed(double v, double E, double I) const { return slope(E, I) * v + offset(E, I); }
    double after(double v, double E, double I) const {
        const double a = slope(E, I), b = offset(E, I);
        const bool flat = std::abs(a * h) < 1e-9;
        const double grown = (exp(a * h) - 1) / (flat ? 1.0 : a);
        return v + (a * v + b) * (flat ? h : grown);
    }
};

// The threshold is tested inside the step where it may be crossed.
class FilteredNeurons {
public:
    explicit FilteredNeurons(uint64_t seed) : stream(seed) {}

    // Returns how many neurons fire; their indices go to `spikes`.
    template <class Count>
    int step(const Filtered &p, const Neurons<Count> &neurons, double *s_E, double *s_I,
             int32_t *spikes) {
        int fired = 0;
        for (int first = neurons.first; first < neurons.last; first += CHUNK)
            fired += advance(p, neurons, s_E, s_I, first, std::min(CHUNK, neurons.last - first),
                             spikes + fired);
        return fired;
    }

private:
    static constexpr int CHUNK = 512;
    static constexpr int PARTS = 4;  // of a step that is looked at closely
    // Chosen so that rates at dt = tau/5 are those of short steps (python -m benchmarks.timestep).
    static constexpr double UNSEEN = 0.46;

    // What all neurons share whose step is taken in parts.
    //
    // A neuron that is on its way down at the end of a part may have been above the threshold in it.
    // How far up it was grows with how much its speed wanders: with n arrivals in a step, each of
    // which changes the speed by k, its highest v is taken to be UNSEEN k sqrt(n/PARTS) times the
    // length of a part above its last one. (A random walk that is looked at only now and then has
    // such a correction too: M. Broadie, P. Glasserman and S. Kou, Math. Finance 7, 325 (1997).)
    struct Parts {
        Synapse synapse_E, synapse_I;
        Membrane membrane;
        double threshold;
        double unseen_E, unseen_I;  // what an arrival adds to the square of how far up v was

        explicit Parts(const Filtered &p)
            : synapse_E(p.excitatory_jump, p.tau_E, p.dt / PARTS),
              synapse_I(p.inhibitory_jump, p.tau_I, p.dt / PARTS), membrane{p, p.dt / PARTS},
              threshold(p.threshold) {
            const double theta = p.threshold, unit = UNSEEN * membrane.h / std::sqrt(PARTS);
            const double kick_E = p.excitatory_offset + p.excitatory_slope * theta;
            const double kick_I = p.inhibitory_offset + p.inhibitory_slope * theta;
            unseen_E = square(unit * kick_E * p.excitatory_jump);
            unseen_I = square(unit * kick_I * p.inhibitory_jump);
        }

        static double square(double x) { return x * x; }
    };

    Stream stream;

    template <class Count>
    int advance(const Filtered p, const Neurons<Count> &neurons, double *all_E, double *all_I,
                int first, int n, int32_t *spikes) {
        double *__restrict v = neurons.v + first, *__restrict s_E = all_E + first;
        double *__restrict s_I = all_I + first;
        int32_t *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        Count *__restrict n_E = neurons.arrived_E + first, *__restrict n_I = neurons.arrived_I + first;
        const Synapse synapse_E(p.excitatory_jump, p.tau_E, p.dt);
        const Synapse synapse_I(p.inhibitory_jump, p.tau_I, p.dt);
        const Membrane membrane{p, p.dt};

        // Loops as plain as these are what the compiler makes vector instructions of.
        double before[CHUNK], before_E[CHUNK], before_I[CHUNK];
        double mean_E[CHUNK], mean_I[CHUNK], most_E[CHUNK], least_I[CHUNK], top[CHUNK];
        std::copy(v, v + n, before);
        std::copy(s_E, s_E + n, before_E);
        std::copy(s_I, s_I + n, before_I);
        for (int i = 0; i < n; i++) {
            const double arrived = n_E[i];
            most_E[i] = s_E[i] + arrived * synapse_E.jump;
            mean_E[i] = synapse_E.average(s_E[i], arrived);
            s_E[i] = synapse_E.after(s_E[i], arrived);
        }
        for (int i = 0; i < n; i++) {
            const double arrived = n_I[i];
            least_I[i] = s_I[i] * synapse_I.decay;
            mean_I[i] = synapse_I.average(s_I[i], arrived);
            s_I[i] = synapse_I.after(s_I[i], arrived);
        }
        // As far up as v can get: every excitatory spike comes first and stays, no inhibitory one
        // comes.
        for (int i = 0; i < n; i++)
            top[i] = v[i] + p.dt * std::max(0.0, membrane.speed(v[i], most_E[i], least_I[i]));
        for (int i = 0; i < n; i++) {
            const double after = membrane.after(v[i], mean_E[i], mean_I[i]);
            v[i] = held[i] == 0 ? after : v[i];
        }
        bool near[CHUNK];
        for (int i = 0; i < n; i++) {
            near[i] = (held[i] == 0) & (top[i] > p.threshold);
            not_refractory[i] = held[i] == 0;
            held[i] -= held[i] > 0;
        }
        int32_t listed[CHUNK];
        const int count = list(near, n, 0, listed);
        const Parts parts(p);
        int fired = 0;
        for (int k = 0; k < count; k++) {
            const int i = listed[k];
            v[i] = before[i];
            s_E[i] = before_E[i];
            s_I[i] = before_I[i];
            spikes[fired] = first + i;
            fired += crosses(parts, v[i], s_E[i], s_I[i], n_E[i], n_I[i]);
        }
        for (int k = 0; k < fired; k++)
            neurons.fire(spikes[k], p.reset, refractory_steps(p.tau_rp, p.dt, stream));
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }

    // Take the step in parts, each arrival in one of them at random.
    bool crosses(const Parts &parts, double &v, double &s_E, double &s_I, int n_E, int n_I) {
        const auto &[synapse_E, synapse_I, membrane, threshold, unseen_E, unseen_I] = parts;
        const double seen = threshold - std::sqrt(n_E * unseen_E + n_I * unseen_I);
        int in_part_E[PARTS] = {}, in_part_I[PARTS] = {};
        throw_into(in_part_E, n_E);
        throw_into(in_part_I, n_I);
        bool crossed = false;
        for (int part = 0; part < PARTS; part++) {
            const int E = in_part_E[part], I = in_part_I[part];
            if (!crossed)
                v = membrane.after(v, synapse_E.average(s_E, E), synapse_I.average(s_I, I));
            s_E = synapse_E.after(s_E, E);
            s_I = synapse_I.after(s_I, I);
            crossed |= v > seen && (v > threshold || membrane.speed(v, s_E, s_I) < 0);
        }
        return crossed;
    }

    void throw_into(int *parts, int n) {
        static_assert(PARTS == 4, "halves of halves");
        const int early = stream.heads(n);
        parts[0] = stream.heads(early);
        parts[1] = early - parts[0];
        parts[2] = stream.heads(n - early);
        parts[3] = n - early - parts[2];
    }
};

}  // namespace cbnet
#endif
