// Nanoseconds that the external input of a neuron takes in a step: drive MEAN...
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "poisson.h"

int main(int count, char **arguments) {
    const int neurons = 10000, steps = 2000;
    for (int k = 1; k < count; k++) {
        const double mean = std::atof(arguments[k]);
        cbnet::Drive drive(1);
        drive.build(neurons, [=](int) { return mean; });
        std::vector<uint8_t> counts(neurons);
        uint64_t total = 0;
        const auto start = std::chrono::steady_clock::now();
        for (int step = 0; step < steps; step++) {
            drive.step(counts.data());
            uint32_t sum = 0;
            for (uint8_t &n : counts) {  // as the neurons read and clear them
                sum += n;
                n = 0;
            }
            total += sum;
        }
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        const double each = static_cast<double>(neurons) * steps;
        std::printf("%g %g %g\n", mean, taken.count() / each * 1e9, total / each);
    }
}
