{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "poisson.h"
{% endblock %}

{% block maincode %}
    static cbnet::Drive drive;
    const int first = {{target[0]}}, last = {{target[1]}};
    if (!drive.is_built())  // not before the first step: here all run arguments are known
    {
        const double mean = {{get_array_name(rate)}}[0] * {{dt}};
        drive.build(last - first, [&](int i) { return {{number}}[i] * mean; },
                    static_cast<uint64_t>({{noise_seed}}));
    }
    drive.step({{get_array_name(counts)}} + first);
{% endblock %}
