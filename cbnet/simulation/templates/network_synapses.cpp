{# WRITES_TO_READ_ONLY_VARIABLES { synapses, events, build_seconds } #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <algorithm>
#include <string>
#include <vector>
#include "of_network.h"
{% endblock %}

{% block maincode %}
    {% set spikes = get_array_name(eventspace) %}
    {% set count_type = c_data_type(counters[0].dtype) %}
    static std::vector<cbnet::Projection> projections;
    if (projections.empty())  // not before the first step: here all run arguments are known
    {
        static const char *laws[] = {"fixed", "bernoulli", "gaussian", "total"};
        static const char *storages[] = {"stored", "bitmap", "procedural"};
        projections.resize({{number}});
        double synapses = 0, seconds = 0;
        for (int k = 0; k < {{number}}; k++)
        {
            const cbnet::Sizes sizes = {
                static_cast<uint32_t>({{source_end}}[k] - {{source_first}}[k]),
                static_cast<uint32_t>({{target_end}}[k] - {{target_first}}[k]),
                static_cast<int64_t>({{source_first}}[k]) - {{target_first}}[k]
            };
            if ({{law}}[k] < 0)
                cbnet::build_listed(projections[k], sizes, brian::results_dir + "edges_" + std::to_string(k) + ".in");
            else
                projections[k].build({
                    sizes, laws[{{law}}[k]], storages[{{storage}}[k]], static_cast<uint32_t>({{in_degree}}[k]),
                    {{cv}}[k], {{shortest}}[k], {{longest}}[k], static_cast<uint64_t>({{seed}}[k]),
                    static_cast<uint64_t>({{total}}[k]),
                    {{tabulated}}[k] ? cbnet::numbers_of<double>(brian::results_dir + "delays_" + std::to_string(k) + ".in")
                                     : std::vector<double>()
                });
            synapses += projections[k].synapses;
            seconds += projections[k].seconds;
        }
        {{synapses}} = synapses;
        {{build_seconds}} = seconds;
    }
    {{count_type}} *const counters[] = { {% for counter in counters %}{{get_array_name(counter)}}, {% endfor %} };
    static std::vector<int32_t> sources;
    double events = 0;
    for (int k = 0; k < {{number}}; k++)
    {
        // all that fire are listed in ascending order
        const int32_t *begin = {{spikes}}, *end = begin + {{spikes}}[{{size}}];
        begin = std::lower_bound(begin, end, {{source_first}}[k]);
        end = std::lower_bound(begin, end, {{source_end}}[k]);
        sources.assign(begin, end);
        for (int32_t &source : sources)
            source -= {{source_first}}[k];
        projections[k].step(sources.data(), static_cast<int>(sources.size()),
                            counters[{{counter}}[k]] + {{target_first}}[k]);
        events += projections[k].events;
    }
    {{events}} = events;
{% endblock %}
