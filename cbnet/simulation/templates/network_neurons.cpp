{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <memory>
#include <vector>
#include "of_network.h"
{% endblock %}

{% block maincode %}
    {% set spikes = get_array_name(eventspace) %}
    static std::vector<std::unique_ptr<{{stepper}}>> steppers;
    if (steppers.empty())
        for (int p = 0; p < {{populations}}; p++)
            steppers.emplace_back(new {{stepper}}(cbnet::subseed(static_cast<uint64_t>({{order_seed}}), p + 1)));
    int fired = 0;
    for (int p = 0; p < {{populations}}; p++)
    {
        {{values}} values;
        cbnet::read_values({{constants}} + p * {{row}}, {{dt}}, values);
        const cbnet::Neurons<{{c_data_type(counters[0].dtype)}}, {{counters | length}}> neurons = {
            {{ends}}[p], {{ends}}[p + 1], {{v}}, {{held}},
            { {% for counter in counters %}{{get_array_name(counter)}}, {% endfor %} },
            {{not_refractory}}, {{lastspike}}, {{t}}
        };
        {% if states %}
        const std::array<double *, {{states | length}}> states = {
            {% for state in states %}{{get_array_name(state)}}, {% endfor %}
        };
        fired += steppers[p]->step(values, neurons, states, {{spikes}} + fired);
        {% else %}
        fired += steppers[p]->step(values, neurons, {{spikes}} + fired);
        {% endif %}
    }
    {{spikes}}[{{size}}] = fired;
{% endblock %}

{% block after_code %}
    {{get_array_name(eventspace)}}[{{size}}] = 0;
{% endblock %}
