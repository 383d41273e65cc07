// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/metrics/catalogue.h"
#include "daemon/metrics/process_statistics.h"
#include "daemon/metrics/source.h"

namespace synward::metrics {

struct ReloadOutcome {
  bool successful = true;
  double finished_at = 0;  // Unix time
};

// What one scrape reads. The queues and the process are read once, so that the metrics made from
// them agree with each other.
struct Scrape {
  const MetricsSource& source;
  std::vector<QueueSample> queues;
  ProcessStatistics process;
  ReloadOutcome reload;
};

// The samples of one metric. Label names come from its catalogue row, so they cannot differ from
// what the reference says.
class Series {
 public:
  explicit Series(const Metric& metric);

  void add(std::initializer_list<std::string_view> label_values, double value);
  // The +Inf bucket is the serializer's: it follows from sample_count.
  void add_histogram(std::initializer_list<std::string_view> label_values,
                     prometheus::ClientMetric::Histogram histogram);
  // The closed list of values of the metric's n-th label.
  std::span<const std::string_view> values_of_label(std::size_t n) const;

  prometheus::MetricFamily take() { return std::move(family_); }

 private:
  prometheus::ClientMetric& append(std::initializer_list<std::string_view> label_values);

  const Metric& metric_;
  prometheus::MetricFamily family_;
};

}  // namespace synward::metrics
