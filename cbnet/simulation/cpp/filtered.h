// One step of neurons with exponential synapses, in one pass over memory.
//
// dv/dt = leak(v) + the sum over synaptic variables s of s h(v), all of them affine in v;
// ds/dt = -s/tau, and s jumps by a constant at an arrival, which may be of several classes.
#ifndef CBNET_FILTERED_H
#define CBNET_FILTERED_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "neurons.h"

namespace cbnet {

// Values of one population with S synaptic variables and arrivals of C classes; potentials in V,
// times in s.
template <int S, int C> struct Filtered {
    struct Variable {
        double offset, slope;  // what one unit of it adds to dv/dt
        double tau;
    };
    struct Class {
        double jump;
        int variable;  // that it moves
    };

    double leak_offset, leak_slope;
    Variable variables[S];
    Class classes[C];
    double threshold, reset, tau_rp;
    double dt;

    // The largest jump of a variable: the unit in which its arrivals are counted.
    double unit(int s) const {
        double found = 0;
        for (const Class &one : classes)
            if (one.variable == s && std::abs(one.jump) > std::abs(found))
                found = one.jump;
        return found;
    }
    // A jump in this unit; one where no class shares the variable.
    double weight(int c) const {
        const double largest = unit(classes[c].variable);
        return largest == 0 ? 0.0 : classes[c].jump / largest;
    }
};

// A synaptic variable over a time h, given how many jumps arrive in it, each at any time.
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
template <int S, int C> struct Membrane {
    using Means = std::array<double, S>;

    Filtered<S, C> p;
    double h;

    double slope(const Means &s) const {
        double sum = p.leak_slope;
        for (int k = 0; k < S; k++)
            sum += s[k] * p.variables[k].slope;
        return sum;
    }
    double offset(const Means &s) const {
        double sum = p.leak_offset;
        for (int k = 0; k < S; k++)
            sum += s[k] * p.variables[k].offset;
        return sum;
    }
    double speed(double v, const Means &s) const { return slope(s) * v + offset(s); }
    // How long it takes from v to a threshold that is reached within h.
    double time_to(double threshold, double v, const Means &s) const {
        if (v >= threshold)
            return 0.0;
        const double straight = (threshold - v) / speed(v, s), x = slope(s) * straight;
        return std::min(h, std::abs(x) < 1e-9 ? straight : straight * std::log1p(x) / x);
    }
    double after(double v, const Means &s) const {
        const double a = slope(s), b = offset(s);
        const bool flat = std::abs(a * h) < 1e-9;
        const double grown = (exp(a * h) - 1) / (flat ? 1.0 : a);
        return v + (a * v + b) * (flat ? h : grown);
    }
};

// The threshold is tested inside the step where it may be crossed.
template <int S, int C> class FilteredNeurons {
public:
    using Values = Filtered<S, C>;
    using Means = std::array<double, S>;

    explicit FilteredNeurons(uint64_t seed) : stream(subseed(seed, 0)), lanes(subseed(seed, 1)) {}

    // Returns how many neurons fire; their indices go to `spikes`.
    template <class Count>
    int step(const Values &p, const Neurons<Count, C> &neurons, const std::array<double *, S> &states,
             int32_t *spikes) {
        int fired = 0;
        for (int first = neurons.first; first < neurons.last; first += CHUNK)
            fired += advance(p, neurons, states, first, std::min(CHUNK, neurons.last - first),
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
        std::vector<Synapse> synapses;
        Membrane<S, C> membrane;
        double threshold;
        double weights[C];  // of the classes, in units of their variables
        double unseen[C];   // what an arrival adds to the square of how far up v was

        explicit Parts(const Values &p) : membrane{p, p.dt / PARTS}, threshold(p.threshold) {
            for (int s = 0; s < S; s++)
                synapses.emplace_back(p.unit(s), p.variables[s].tau, p.dt / PARTS);
            const double theta = p.threshold, unit = UNSEEN * membrane.h / std::sqrt(PARTS);
            for (int c = 0; c < C; c++) {
                const auto &variable = p.variables[p.classes[c].variable];
                const double kick = variable.offset + variable.slope * theta;
                unseen[c] = square(unit * kick * p.classes[c].jump);
                weights[c] = p.weight(c);
            }
        }

        static double square(double x) { return x * x; }
    };

    Stream stream;
    Lanes lanes;

    template <class Count>
    int advance(const Values p, const Neurons<Count, C> &neurons,
                const std::array<double *, S> &states, int first, int n, int32_t *spikes) {
        double *__restrict v = neurons.v + first;
        float *__restrict held = neurons.held + first;
        char *__restrict not_refractory = neurons.not_refractory + first;
        const Membrane<S, C> membrane{p, p.dt};

        // Loops as plain as these are what the compiler makes vector instructions of.
        double before[CHUNK], before_s[S][CHUNK], mean[S][CHUNK], extreme[S][CHUNK], top[CHUNK];
        std::copy(v, v + n, before);
        for (int s = 0; s < S; s++) {
            const Synapse synapse(p.unit(s), p.variables[s].tau, p.dt);
            const auto &variable = p.variables[s];
            const bool up = (variable.offset + variable.slope * p.threshold) * synapse.jump > 0;
            double arrived[CHUNK];
            std::copy(states[s] + first, states[s] + first + n, before_s[s]);
            count(p, neurons, s, first, n, arrived);
            pass(synapse, up, arrived, n, states[s] + first, mean[s], extreme[s]);
        }
        // As far up as v can get: every spike that lifts it comes first and stays, no other comes.
        for (int i = 0; i < n; i++)
            top[i] = v[i] + p.dt * std::max(0.0, membrane.speed(v[i], at(extreme, i)));
        for (int i = 0; i < n; i++) {
            const double after = membrane.after(v[i], at(mean, i));
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
            Path path(at(before_s, i), parts, neurons.arrivals(first + i), stream);
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
            for (int s = 0; s < S; s++)
                states[s][first + i] = path.s[PARTS][s];
        }
        neurons.forget(first, n);
        return fired;
    }

    static Means at(const double (&all)[S][CHUNK], int i) {
        Means found;
        for (int s = 0; s < S; s++)
            found[s] = all[s][i];
        return found;
    }

    // What arrives at one variable of n neurons, in its unit.
    template <class Count>
    static void count(const Values &p, const Neurons<Count, C> &neurons, int s, int first, int n,
                      double *__restrict arrived) {
        std::fill(arrived, arrived + n, 0.0);
        for (int c = 0; c < C; c++)
            if (p.classes[c].variable == s)
                add(neurons.arrived[c] + first, p.weight(c), n, arrived);
    }

    template <class Count>
    static void add(const Count *__restrict numbers, double weight, int n,
                    double *__restrict arrived) {
        for (int i = 0; i < n; i++)
            arrived[i] += weight * numbers[i];
    }

    // A step of one variable; its mean, and where it lifts v most.
    static void pass(const Synapse &synapse, bool up, const double *__restrict arrived, int n,
                     double *__restrict s, double *__restrict mean, double *__restrict extreme) {
        for (int i = 0; i < n; i++) {
            extreme[i] = up ? s[i] + arrived[i] * synapse.jump : s[i] * synapse.decay;
            mean[i] = synapse.average(s[i], arrived[i]);
            s[i] = synapse.after(s[i], arrived[i]);
        }
    }

    // One neuron's way through a step, of which each arrival is in one part at random.
    struct Path {
        int n[C][PARTS];
        Means s[PARTS + 1];  // when parts begin, and at the end
        double seen;         // a neuron on its way down was above threshold
        double v = 0, when = 0;  // when it crosses, in steps

        Path(const Means &begins, const Parts &parts, const Arrivals<C> &all, Stream &stream) {
            double unseen = 0;
            for (int c = 0; c < C; c++) {
                throw_into(n[c], all.n[c], stream);
                unseen += all.n[c] * parts.unseen[c];
            }
            seen = parts.threshold - std::sqrt(unseen);
            s[0] = begins;
            for (int part = 0; part < PARTS; part++)
                for (int k = 0; k < S; k++)
                    s[part + 1][k] = parts.synapses[k].after(s[part][k], arrived(parts, k, part));
        }

        // What arrives at one variable in a part, in its unit.
        double arrived(const Parts &parts, int variable, int part) const {
            double sum = 0;
            for (int c = 0; c < C; c++)
                if (parts.membrane.p.classes[c].variable == variable)
                    sum += parts.weights[c] * n[c][part];
            return sum;
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
                Means mean;
                for (int k = 0; k < S; k++)
                    mean[k] = missed > 0 ? late_mean(parts, k, part, missed, lanes)
                                         : parts.synapses[k].average(s[part][k],
                                                                     arrived(parts, k, part));
                auto membrane = parts.membrane;
                if (missed > 0)
                    membrane.h *= 1 - missed;
                const double before = v;
                v = membrane.after(v, mean);
                if (v <= seen)
                    continue;
                if (v > parts.threshold) {
                    const double time = membrane.time_to(parts.threshold, before, mean);
                    when = (part + missed + time / parts.membrane.h) / PARTS;
                    return true;
                }
                if (membrane.speed(v, s[part + 1]) < 0) {
                    when = (part + (1 + missed) / 2) / PARTS;
                    return true;
                }
            }
            return false;
        }

        // Mean of a synaptic variable over what is left of a part.
        double late_mean(const Parts &parts, int variable, int part, double missed,
                         Lanes &lanes) const {
            const Synapse &whole = parts.synapses[variable];
            const Synapse first(whole.jump, whole.tau, missed * whole.h);
            const Synapse rest(whole.jump, whole.tau, (1 - missed) * whole.h);
            double early = 0, late = 0;
            for (int c = 0; c < C; c++)
                if (parts.membrane.p.classes[c].variable == variable) {
                    const int before = in_part(missed, n[c][part], lanes);
                    early += parts.weights[c] * before;
                    late += parts.weights[c] * (n[c][part] - before);
                }
            return rest.average(first.after(s[part][variable], early), late);
        }
    };

    template <class Count>
    void fire(const Neurons<Count, C> &neurons, int i, const Parts &parts, Path &path) {
        const Values &p = parts.membrane.p;
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
