// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every metric of synward, once: the exposition, the reference table in the manual (name | labels
// | meaning) and the dashboard checks come from this table.
#pragma once
#include <prometheus/metric_type.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace synward::metrics {

struct Scrape;
class Series;

// `values` is empty where they come from the configuration or the machine.
struct Label {
  std::string_view name;
  std::span<const std::string_view> values;
};

inline constexpr std::size_t labels_max = 3;

struct Metric {
  std::string_view name;
  prometheus::MetricType type;
  std::array<Label, labels_max> labels;  // those not in use have no name and come last
  std::string_view help;
  void (*write)(const Scrape& scrape, Series& series);

  std::size_t label_count() const;
};

std::span<const Metric> catalogue();

}  // namespace synward::metrics
