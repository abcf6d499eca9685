{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <memory>
#include <vector>
#include "poisson.h"
{% endblock %}

{% block maincode %}
    {% set count_type = c_data_type(counters[0].dtype) %}
    // Not before the first step: here all run arguments are known.
    static std::vector<std::unique_ptr<cbnet::Drive>> drives;
    if (drives.empty())
        for (int k = 0, before = 0; k < {{number}}; k++)
        {
            const double mean = {{rate}}[k] * {{dt}};
            const int n = {{target_end}}[k] - {{target_first}}[k];
            drives.emplace_back(new cbnet::Drive(cbnet::subseed(static_cast<uint64_t>({{seed}}[k]), 0)));
            drives[k]->build(n, [&](int i) { return {{trains}}[before + i] * mean; });
            before += n;
        }
    {{count_type}} *const counters[] = { {% for counter in counters %}{{get_array_name(counter)}}, {% endfor %} };
    // what is counted now arrives in the next step
    for (int k = 0; k < {{number}}; k++)
        if ({{t}} + {{dt}} < {{until}}[k] - {{dt}} / 2)
            drives[k]->step(counters[{{counter}}[k]] + {{target_first}}[k]);
{% endblock %}
