{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "{{header}}"
{% endblock %}

{% block maincode %}
    {% set spikes = get_array_name(eventspace) %}
    {% set count_type = c_data_type(counters[0].dtype) %}
    int fired = 0;
    {% for population in populations %}
    {
        static {{stepper}} stepper(cbnet::subseed(cbnet::subseed(static_cast<uint64_t>({{order_seed}}), cbnet::from(brian::_random_generators[0])), {{loop.index}}));
        {% for line in population.parameters %}
        {{line}}
        {% endfor %}
        const {{values}} values = {
            {% for member in members %}
            {{member}},
            {% endfor %}
            p_tau_rp,
            {{dt}}
        };
        const cbnet::Neurons<{{count_type}}, {{counters | length}}> neurons = {
            {{population.first}}, {{population.last}}, {{v}}, {{held}},
            { {% for counter in counters %}{{get_array_name(counter)}}, {% endfor %} },
            {{not_refractory}}, {{lastspike}}, {{t}}
        };
        {% if states %}
        const std::array<double *, {{states | length}}> states = {
            {% for state in states %}{{get_array_name(state)}}, {% endfor %}
        };
        fired += stepper.step(values, neurons, states, {{spikes}} + fired);
        {% else %}
        fired += stepper.step(values, neurons, {{spikes}} + fired);
        {% endif %}
    }
    {% endfor %}
    {{spikes}}[{{size}}] = fired;
{% endblock %}

{% block after_code %}
    {{get_array_name(eventspace)}}[{{size}}] = 0;
{% endblock %}
