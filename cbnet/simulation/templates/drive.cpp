{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "poisson.h"
{% endblock %}

{% block maincode %}
    // Not before the first step: here all run arguments are known.
    static cbnet::Drive drive(cbnet::subseed(static_cast<uint64_t>({{noise_seed}}), cbnet::from(brian::_random_generators[0])));
    static double built = -1;
    const int first = {{target[0]}}, last = {{target[1]}};
    const double mean = {{get_array_name(rate)}}[0] * {{dt}};
    if (mean != built)
    {
        drive.build(last - first, [&](int i) { return {{number}}[i] * mean; });
        built = mean;
    }
    drive.step({{get_array_name(counts)}} + first);
{% endblock %}
