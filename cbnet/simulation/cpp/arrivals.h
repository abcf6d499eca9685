// The arrivals of one neuron in one time step, one by one: for jumps of any form.
//
// A jump is a functor that gives the displacement of v.
#ifndef CBNET_ARRIVALS_H
#define CBNET_ARRIVALS_H

#include "random.h"

namespace cbnet {

// Every order of the arrivals is equally likely, and the neuron fires as soon as v exceeds the
// threshold.
template <class Excitatory, class Inhibitory>
double arrivals_in_random_order(double v, int n_E, int n_I, double threshold, double uniform,
                                Excitatory excitatory, Inhibitory inhibitory) {
    Stream stream(static_cast<uint64_t>(uniform * 0x1p53));
    while (n_E + n_I > 0 && v <= threshold) {
        if (static_cast<int>(stream.below(n_E + n_I)) < n_E) {
            n_E--;
            v += excitatory(v);
        } else {
            n_I--;
            v += inhibitory(v);
        }
    }
    return v;
}

// Brian2's order when the excitatory synapses were created first; the threshold is tested later.
template <class Excitatory, class Inhibitory>
double arrivals_in_brian2_order(double v, int n_E, int n_I, double, double, Excitatory excitatory,
                                Inhibitory inhibitory) {
    for (; n_E > 0; n_E--)
        v += excitatory(v);
    for (; n_I > 0; n_I--)
        v += inhibitory(v);
    return v;
}

}  // namespace cbnet
#endif
