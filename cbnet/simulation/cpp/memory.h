// How much memory this program has taken.
#ifndef CBNET_MEMORY_H
#define CBNET_MEMORY_H

#include <cstdint>
#include <fstream>
#include <string>

#include <sys/resource.h>

namespace cbnet {

// Largest resident size so far, in bytes. Linux keeps that of this program in a file: what a parent
// process is told of a child includes what the parent itself took when it started it.
inline int64_t peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmHWM:") {
            int64_t kibibytes = 0;
            status >> kibibytes;
            return kibibytes * 1024;
        }
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return usage.ru_maxrss;
#else
    return static_cast<int64_t>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace cbnet
#endif
