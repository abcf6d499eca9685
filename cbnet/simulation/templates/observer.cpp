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
template <class Voltage, class Trace, class Refractory, class Currents> struct Probe
{
    Voltage v;
    Trace trace;
    Refractory refractory;
    Currents currents;
};
template <class Number> std::vector<Number> as_vector(const Number *array, int n)
{
    return {array, array + n};
}
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
            as_vector<int32_t>({{sizes}}, {{populations}}), {{first_step}}, {{measured_steps}},
            {{steps_per_bin}}, as_vector<int32_t>({{probes}}, {{populations}}),
            as_vector<double>({{low}}, {{populations}}), as_vector<double>({{high}}, {{populations}}),
            {{kinds | length}}, {{bins}}, {{pieces}},
            as_vector<double>({{reference}}, {{populations}}), recorded, traced,
            {{trace_every}}, {{trace_bytes}}, {{refractoriness}}
        }, brian::results_dir));
    }

    const auto population_at = [&](int i) {
        int p = 0, end = {{sizes}}[0];
        while (i >= end)
            end += {{sizes}}[++p];
        return p;
    };
    static_cast<void>(population_at);
    {% if synaptic %}
    const auto voltage = [&](int i) { return {{v}}[i]; };
    const auto crossed = [](int) { return false; };
    {% else %}
    const auto voltage = [&](int i) {
        const double v = {{v}}[i];
        return v + ({{leak}}) * dt * {{lag}};
    };
    const auto crossed = [&](int i) { return voltage(i) > {{high}}[{{population_of}}]; };
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
    const auto currents = [&](int i, double *out) {
        const double v = voltage(i);
        {% for kind in kinds %}
        {% if synaptic %}
        out[{{loop.index0}}] = {{get_array_name(synaptic[kind])}}[i] * ({{inputs[kind]}});
        {% else %}
        out[{{loop.index0}}] = {{get_array_name(counters[kind])}}[i] * ({{inputs[kind]}}) / dt;
        {% endif %}
        {% endfor %}
        static_cast<void>(v);
    };
    statistics->step(step, {{spikes}}, {{spikes}}[{{size}}],
                     probe(voltage, trace, refractory, currents));

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
