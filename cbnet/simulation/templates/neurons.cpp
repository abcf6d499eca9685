{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "{{header}}"
{% endblock %}

{% block maincode %}
    {% set spikes = get_array_name(eventspace) %}
    {% set count_type = c_data_type(counts.dtype) %}
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
        const cbnet::Neurons<{{count_type}}> neurons = {
            {{population.first}}, {{population.last}}, {{v}}, {{held}}, {{arrived_E}}, {{arrived_I}},
            {{not_refractory}}, {{lastspike}}, {{t}}
        };
        fired += stepper.step(values, neurons, {% for state in states %}{{get_array_name(state)}}, {% endfor %}{{spikes}} + fired);
    }
    {% endfor %}
    {{spikes}}[{{size}}] = fired;
{% endblock %}

{% block after_code %}
    {{get_array_name(eventspace)}}[{{size}}] = 0;
{% endblock %}
