// What an object keeps from one run() of a program to the next: each has code of its own.
#ifndef CBNET_KEPT_H
#define CBNET_KEPT_H

#include <map>
#include <string>

namespace cbnet {

template <class State> State &kept(const std::string &name) {
    static std::map<std::string, State> all;
    return all[name];
}

}  // namespace cbnet
#endif
