{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>
#include "memory.h"
#include "network.h"
#include "random.h"
#include "statistics.h"

namespace {
// What a neuron is like at the end of a step, from functions of its index.
template <class Voltage, class Trace, class Refractory, class InputE, class InputI> struct Probe
{
    Voltage v;
    Trace trace;
    Refractory refractory;
    InputE current_E;
    InputI current_I;
};
template <class... Functions> Probe<Functions...> probe(Functions... functions)
{
    return {functions...};
}
}
{% endblock %}

{% block maincode %}
    {% set spikes = get_array_name(eventspace) %}
    static std::unique_ptr<cbnet::Statistics> statistics;
    static auto reported = std::chrono::steady_clock::now();
    const int64_t step = {{t_in_timesteps}}, steps = {{first_step}} + {{measured_steps}};
    const double dt = {{dt}};
    {% for line in parameters %}
    {{line}}
    {% endfor %}

    if (!statistics)  // not before the first step: here all run arguments are known
    {
        std::vector<int32_t> recorded, traced;
        for (int i = 0; i < {{size}}; i++)
        {
            if ({{recorded}}[i])
                recorded.push_back(i);
            if ({{traced}}[i])
                traced.push_back(i);
        }
        statistics.reset(new cbnet::Statistics({
            {{size}}, {{N_E}}, {{first_step}}, {{measured_steps}}, {{steps_per_bin}}, {{probes}},
            {{low}}, {{high}}, {{bins}}, {{pieces}}, {{reference}}, recorded, traced,
            {{trace_every}}, {{trace_bytes}}
        }, brian::results_dir));
    }

    {% if synaptic %}
    const auto voltage = [&](int i) { return {{v}}[i]; };
    const auto crossed = [](int) { return false; };
    {% else %}
    const auto voltage = [&](int i) {
        const double v = {{v}}[i];
        return v + ({{leak}}) * dt * {{lag}};
    };
    const auto crossed = [&](int i) { return voltage(i) > {{high}}; };
    {% endif %}
    const auto trace = [&](int i) { return {{v}}[i]; };
    {% set held = get_array_name(refractory_time) %}
    {% if fused %}
    const auto refractory = [&](int i) { return {{held}}[i] > 0 || crossed(i); };
    {% else %}
    const auto refractory = [&](int i) {
        const double held = {{held}}[i], since = {{t}} + dt - {{lastspike}}[i];
        {% if halved %}
        // One that wakes up when a step begins is seen in half of the cases: what it goes through
        // in the step of its next spike is not.
        const bool unseen = cbnet::mix(step * {{size}} + i) & 1;
        if (unseen && since < held + dt / 2)
            return true;
        {% endif %}
        return since < held - dt / 2 || crossed(i);
    };
    {% endif %}
    {% for population in ['E', 'I'] %}
    const auto input_{{population}} = [&](int i) {
        const double v = voltage(i);
        {% if synaptic %}
        return {{get_array_name(synaptic[population])}}[i] * ({{inputs[population]}});
        {% elif population == 'E' %}
        return {{arrived_E}}[i] * ({{inputs[population]}}) / dt;
        {% else %}
        return {{arrived_I}}[i] * ({{inputs[population]}}) / dt;
        {% endif %}
    };
    {% endfor %}
    statistics->step(step, {{spikes}}, {{spikes}}[{{size}}],
                     probe(voltage, trace, refractory, input_E, input_I));

    if (step % 64 == 0)
    {
        const auto now = std::chrono::steady_clock::now();
        if (std::chrono::duration<double>(now - reported).count() > 0.2)
        {
            std::cout << "cbnet progress " << static_cast<double>(step) / steps << std::endl;
            reported = now;
        }
    }
    if (step + 1 == steps)
    {
        statistics->write();
        std::cout << "cbnet progress 1" << std::endl;
        std::cout << "cbnet peak " << cbnet::peak_memory() << std::endl;
        Network::_globally_stopped = true;
    }
{% endblock %}
