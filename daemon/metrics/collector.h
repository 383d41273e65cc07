// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <vector>

#include "daemon/metrics/source.h"

namespace synward::metrics {

// Makes the families of the catalogue from the workers' counters, at scrape time. It takes no lock:
// a scrape cannot make a worker wait, nor the other way round.
//
// protected_service="none" appears in dropped_packets_total only: a packet whose service cannot be
// known has no handshake, connection or backend to count.
class Collector : public prometheus::Collectable {
 public:
  // Counts the load of the configuration at the start as the first successful one.
  explicit Collector(MetricsSource source);

  // From any thread, after each reload.
  void reload_finished(bool successful);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const MetricsSource source_;
  std::atomic<bool> reload_successful_{true};
  std::atomic<double> reload_finished_at_{0};
};

}  // namespace synward::metrics
