// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "daemon/metrics/collector.h"
#include "daemon/metrics/source.h"
#include "proxy/counters.h"

namespace synward::metrics::test {

// Two services (web with two backends, mail transparent) on two workers, and their queues.
struct FakeWorkers {
  Counters first{{2, 1}};
  Counters second{{2, 1}, first.shared()};
  std::vector<QueueSample> queues{
      {.number = 24100, .role = QueueRole::syn},
      {.number = 24101, .role = QueueRole::flow},
  };

  MetricsSource source() const;
  // The text that GET /metrics answers, less what prometheus-cpp adds of its own.
  std::string exposition() const;
  // Sample line without its value -> value.
  std::map<std::string, double> samples() const;
};

std::map<std::string, double> parse_samples(const std::string& exposition);

// What promtool, of the package prometheus, finds wrong; empty if nothing.
std::string promtool_findings(const std::string& exposition);

}  // namespace synward::metrics::test
