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
    double jump, tau, h;

    Synapse(double jump, double tau, double h)
        : decay(std::exp(-h / tau)), jump(jump), tau(tau), h(h) {
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
    // How long it takes from v to a threshold that is reached within h.
    double time_to(double threshold, double v, double E, double I) const {
        if (v >= threshold)
            return 0.0;
        const double straight = (threshold - v) / speed(v, E, I), x = slope(E, I) * straight;
        return std::min(h, std::abs(x) < 1e-9 ? straight : straight * std::log1p(x) / x);
    }
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
    explicit FilteredNeurons(uint64_t seed) : stream(subseed(seed, 0)), lanes(subseed(seed, 1)) {}

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
    Lanes lanes;

    template <class Count>
    int advance(const Filtered p, const Neurons<Count> &neurons, double *all_E, double *all_I,
                int first, int n, int32_t *spikes) {
        double *__restrict v = neurons.v + first, *__restrict s_E = all_E + first;
        double *__restrict s_I = all_I + first;
        float *__restrict held = neurons.held + first;
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
            v[i] = held[i] <= 0 ? after : v[i];
        }
        bool near[CHUNK];
        mark(held, top, p.threshold, n, not_refractory, near);
        int32_t listed[CHUNK];
        const int count = list(near, n, 0, listed);
        const Parts parts(p);
        int fired = 0;
        for (int k = 0; k < count; k++) {
            const int i = listed[k];
            const bool wakes = held[i] > 0;
            Path path(before_E[i], before_I[i], parts, n_E[i], n_I[i], stream);
            path.v = wakes && before[i] <= p.threshold ? p.reset : before[i];
            const bool late = wakes && before[i] > p.threshold;
            if (late || path.crosses(parts, wakes ? held[i] : 0.0, lanes)) {
                path.when = late ? 0.0 : path.when;
                spikes[fired++] = first + i;
                fire(neurons, first + i, parts, path);
            } else {
                v[i] = path.v;
                held[i] = 0;
            }
            s_E[i] = path.s_E[PARTS];
            s_I[i] = path.s_I[PARTS];
        }
        std::fill(n_E, n_E + n, 0);
        std::fill(n_I, n_I + n, 0);
        return fired;
    }

    // One neuron's way through a step, of which each arrival is in one part at random.
    struct Path {
        int n_E[PARTS], n_I[PARTS];
        double s_E[PARTS + 1], s_I[PARTS + 1];  // when parts begin, and at the end
        double seen;                            // a neuron on its way down was above threshold
        double v = 0, when = 0;                 // when it crosses, in steps

        Path(double E, double I, const Parts &parts, int all_E, int all_I, Stream &stream) {
            throw_into(n_E, all_E, stream);
            throw_into(n_I, all_I, stream);
            seen = parts.threshold - std::sqrt(all_E * parts.unseen_E + all_I * parts.unseen_I);
            s_E[0] = E;
            s_I[0] = I;
            for (int part = 0; part < PARTS; part++) {
                s_E[part + 1] = parts.synapse_E.after(s_E[part], n_E[part]);
                s_I[part + 1] = parts.synapse_I.after(s_I[part], n_I[part]);
            }
        }

        static void throw_into(int *parts, int n, Stream &stream) {
            static_assert(PARTS == 4, "halves of halves");
            const int early = stream.heads(n);
            parts[0] = stream.heads(early);
            parts[1] = early - parts[0];
            parts[2] = stream.heads(n - early);
            parts[3] = n - early - parts[2];
        }

        // From a time of the step on; returns whether v crosses before its end.
        bool crosses(const Parts &parts, double from, Lanes &lanes) {
            const double begins = std::min<double>(PARTS, PARTS * from);
            for (int part = static_cast<int>(begins); part < PARTS; part++) {
                const double missed = std::max(0.0, begins - part);
                double mean_E = parts.synapse_E.average(s_E[part], n_E[part]);
                double mean_I = parts.synapse_I.average(s_I[part], n_I[part]);
                Membrane membrane = parts.membrane;
                if (missed > 0) {
                    membrane.h *= 1 - missed;
                    mean_E = late_mean(parts.synapse_E, s_E[part], n_E[part], missed, lanes);
                    mean_I = late_mean(parts.synapse_I, s_I[part], n_I[part], missed, lanes);
                }
                const double before = v;
                v = membrane.after(v, mean_E, mean_I);
                if (v <= seen)
                    continue;
                if (v > parts.threshold) {
                    const double time = membrane.time_to(parts.threshold, before, mean_E, mean_I);
                    when = (part + missed + time / parts.membrane.h) / PARTS;
                    return true;
                }
                if (membrane.speed(v, s_E[part + 1], s_I[part + 1]) < 0) {
                    when = (part + (1 + missed) / 2) / PARTS;
                    return true;
                }
            }
            return false;
        }

        // Mean of a synaptic variable over what is left of a part.
        static double late_mean(const Synapse &whole, double s, int n, double missed,
                                Lanes &lanes) {
            const Synapse first(whole.jump, whole.tau, missed * whole.h);
            const Synapse rest(whole.jump, whole.tau, (1 - missed) * whole.h);
            const int early = in_part(missed, n, lanes);
            return rest.average(first.after(s, early), n - early);
        }
    };

    template <class Count>
    void fire(const Neurons<Count> &neurons, int i, const Parts &parts, Path &path) {
        const Filtered &p = parts.membrane.p;
        const double release = path.when + p.tau_rp / p.dt;
        if (release > 1) {
            neurons.fire(i, p.reset, release - 1);
            return;
        }
        // There is one spike a step: the next one waits for the next step.
        path.v = p.reset;
        const bool again = path.crosses(parts, release, lanes);
        neurons.fire(i, again ? std::max(path.v, std::nextafter(p.threshold, 1.0)) : path.v, again);
        neurons.not_refractory[i] = !again;
    }
};

}  // namespace cbnet
#endif
