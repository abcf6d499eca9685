{# WRITES_TO_READ_ONLY_VARIABLES { synapses, events, build_seconds, graph_bytes } #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <algorithm>
#include <vector>
#include "kept.h"
#include "projection.h"
{% endblock %}

{% block maincode %}
    {% set spikes = get_array_name(eventspace) %}
    {% set counted = get_array_name(counts) %}
    static auto &projection = cbnet::kept<cbnet::Projection>("{{owner.name}}");
    const int first_source = {{source[0]}}, last_source = {{source[1]}};
    const int first_target = {{target[0]}}, last_target = {{target[1]}};

    if (!projection.is_built())  // not before the first step: here all run arguments are known
    {
        const cbnet::Sizes sizes = {
            static_cast<uint32_t>(last_source - first_source),
            static_cast<uint32_t>(last_target - first_target),
            {% if same %} first_source - first_target {% else %} last_target {% endif %}
        };
        {% if graph %}
        std::vector<int32_t> delays({{graph[2]}}, {{graph[2]}} + _num_{{graph[2]}});
        for (int32_t &delay : delays)
            delay = std::max(0, delay - {{early}});
        projection.build(sizes, {{graph[0]}}, {{graph[1]}}, delays.data(), delays.size());
        {% else %}
        projection.build({
            sizes, "{{law}}", "{{storage}}", static_cast<uint32_t>({{in_degree}}), {{cv}},
            std::max(0.0, {{delay_shortest}} / {{dt}} - {{early}}),
            std::max(0.0, {{delay_longest}} / {{dt}} - {{early}}),
            static_cast<uint64_t>({{graph_seed}})
        });
        {% endif %}
        {{synapses}} = static_cast<double>(projection.synapses);
        {{build_seconds}} = projection.seconds;
        {{graph_bytes}} = static_cast<double>(projection.bytes);
    }

    // Brian2 lists the neurons of the whole group that fire, in ascending order.
    const int32_t *begin = {{spikes}}, *end = begin + {{spikes}}[{{source_size}}];
    begin = std::lower_bound(begin, end, first_source);
    end = std::lower_bound(begin, end, last_source);
    {% if source[0] == 0 %}
    projection.step(begin, static_cast<int>(end - begin), {{counted}} + first_target);
    {% else %}
    static std::vector<int32_t> sources;
    sources.assign(begin, end);
    for (int32_t &source : sources)
        source -= first_source;
    projection.step(sources.data(), static_cast<int>(sources.size()), {{counted}} + first_target);
    {% endif %}
    {{events}} = static_cast<double>(projection.events);
{% endblock %}
