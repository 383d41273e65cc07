// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/collector.h"

#include <cassert>
#include <chrono>
#include <cstddef>
#include <utility>

#include "daemon/metrics/catalogue.h"
#include "daemon/metrics/process_statistics.h"
#include "daemon/metrics/series.h"

namespace synward::metrics {
namespace {

bool same_shape(const Counters& counters, const std::vector<ServiceNames>& names) {
  if (counters.services.size() < names.size()) return false;
  for (std::size_t s = 0; s < names.size(); ++s) {
    if (counters.services[s].backends.size() < names[s].backends.size()) return false;
  }
  return true;
}

}  // namespace

Collector::Collector(MetricsSource source) : source_(std::move(source)) {
  for (const Counters* worker : source_.workers) assert(same_shape(*worker, source_.services));
  reload_finished(true);
}

void Collector::reload_finished(bool successful) {
  reload_successful_ = successful;
  reload_finished_at_ = unix_seconds(std::chrono::system_clock::now());
}

void Collector::set_services(std::vector<ServiceNames> services) {
  const std::lock_guard lock(source_mutex_);
  source_.services = std::move(services);
}

std::vector<prometheus::MetricFamily> Collector::Collect() const {
  const std::lock_guard lock(source_mutex_);
  std::unique_lock<std::mutex> no_growth;
  if (source_.growth != nullptr) no_growth = std::unique_lock(*source_.growth);
  const Scrape scrape{
      .source = source_,
      .queues = source_.queues ? source_.queues() : std::vector<QueueSample>{},
      .process = read_process_statistics(),
      .reload = {.successful = reload_successful_, .finished_at = reload_finished_at_}};
  std::vector<prometheus::MetricFamily> families;
  families.reserve(catalogue().size());
  for (const Metric& metric : catalogue()) {
    Series series(metric);
    metric.write(scrape, series);
    families.push_back(series.take());
  }
  return families;
}

}  // namespace synward::metrics
