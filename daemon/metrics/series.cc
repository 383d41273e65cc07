// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/series.h"

#include <cassert>
#include <string>

namespace synward::metrics {

Series::Series(const Metric& metric) : metric_(metric) {
  family_.name = metric.name;
  family_.help = metric.help;
  family_.type = metric.type;
}

prometheus::ClientMetric& Series::append(std::initializer_list<std::string_view> label_values) {
  assert(label_values.size() == metric_.label_count());
  prometheus::ClientMetric& sample = family_.metric.emplace_back();
  const Label* label = metric_.labels.data();
  for (const std::string_view value : label_values) {
    sample.label.push_back({std::string(label->name), std::string(value)});
    ++label;
  }
  return sample;
}

void Series::add(std::initializer_list<std::string_view> label_values, double value) {
  prometheus::ClientMetric& sample = append(label_values);
  if (metric_.type == prometheus::MetricType::Counter) {
    sample.counter.value = value;
  } else {
    sample.gauge.value = value;
  }
}

void Series::add_histogram(std::initializer_list<std::string_view> label_values,
                           prometheus::ClientMetric::Histogram histogram) {
  assert(metric_.type == prometheus::MetricType::Histogram);
  append(label_values).histogram = std::move(histogram);
}

std::span<const std::string_view> Series::values_of_label(std::size_t n) const {
  return metric_.labels.at(n).values;
}

}  // namespace synward::metrics
