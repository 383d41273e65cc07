// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "daemon/metrics/source.h"

namespace synward::metrics {

// Makes the families of the catalogue from the workers' counters, at scrape time. A scrape makes no
// worker wait, but one that takes over a reload.
//
// protected_service="none" appears in dropped_packets_total only: a packet whose service cannot be
// known has no handshake, connection or backend to count.
class Collector : public prometheus::Collectable {
 public:
  // Counts the load of the configuration at the start as the first successful one.
  explicit Collector(MetricsSource source);

  // From any thread, after each reload.
  void reload_finished(bool successful);
  // The services from now on: those there were, and new ones behind them, maybe with more backends.
  void set_services(std::vector<ServiceNames> services);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  mutable std::mutex source_mutex_;
  MetricsSource source_;  // guarded by source_mutex_
  std::atomic<bool> reload_successful_{true};
  std::atomic<double> reload_finished_at_{0};
};

}  // namespace synward::metrics
