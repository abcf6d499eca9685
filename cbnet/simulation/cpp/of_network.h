// Values and graphs of a network of any populations, from the arrays and files that a run is given.
#ifndef CBNET_OF_NETWORK_H
#define CBNET_OF_NETWORK_H

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "filtered.h"
#include "instantaneous.h"
#include "projection.h"

namespace cbnet {

// A row of numbers: leak; offset and slope of every jump; threshold, reset, refractory time.
template <int C> void read_values(const double *row, double dt, Instantaneous<C> &values) {
    values.leak_offset = *row++;
    values.leak_slope = *row++;
    for (Jump &jump : values.jumps) {
        jump.offset = *row++;
        jump.slope = *row++;
    }
    values.threshold = *row++;
    values.reset = *row++;
    values.tau_rp = *row++;
    values.dt = dt;
}

// Leak; offset, slope and time constant of every variable; jump and variable of every class;
// threshold, reset, refractory time.
template <int S, int C> void read_values(const double *row, double dt, Filtered<S, C> &values) {
    values.leak_offset = *row++;
    values.leak_slope = *row++;
    for (auto &variable : values.variables) {
        variable.offset = *row++;
        variable.slope = *row++;
        variable.tau = *row++;
    }
    for (auto &one : values.classes) {
        one.jump = *row++;
        one.variable = static_cast<int>(*row++);
    }
    values.threshold = *row++;
    values.reset = *row++;
    values.tau_rp = *row++;
    values.dt = dt;
}

template <class Number> std::vector<Number> numbers_of(const std::string &path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<Number> found(file ? static_cast<size_t>(file.tellg()) / sizeof(Number) : 0);
    file.seekg(0);
    if (!file || !file.read(reinterpret_cast<char *>(found.data()), found.size() * sizeof(Number)))
        throw std::runtime_error(path + ": cannot be read");
    return found;
}

// Synapses that are listed in a file: all sources, all targets, all delays in steps.
inline void build_listed(Projection &projection, Sizes sizes, const std::string &path) {
    const std::vector<int32_t> all = numbers_of<int32_t>(path);
    const size_t n = all.size() / 3;
    projection.build(sizes, all.data(), all.data() + n, all.data() + 2 * n, n);
}

}  // namespace cbnet
#endif
