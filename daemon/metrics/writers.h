// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a row of the catalogue gets its samples: each writer takes one member of the counters and
// sums it over the workers. Reading is relaxed loads only, so a scrape never delays a worker.
#pragma once
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "daemon/metrics/series.h"

namespace synward::metrics {

// read(const ServiceCounters&) of every worker, added in the counters' own integer type: a double
// would lose units beyond 2^53 before the sum is complete.
template <typename Read>
double sum_over_workers(const Scrape& scrape, std::size_t service, Read read) {
  std::remove_cvref_t<decltype(read(std::declval<const ServiceCounters&>()))> sum = 0;
  for (const Counters* worker : scrape.source.workers) sum += read(worker->services[service]);
  return static_cast<double>(sum);
}

// labels: protected_service
template <auto Member>
void per_service(const Scrape& scrape, Series& series) {
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    const double sum = sum_over_workers(
        scrape, s, [](const ServiceCounters& counters) { return (counters.*Member).value(); });
    series.add({scrape.source.services[s].name}, sum);
  }
}

// labels: protected_service, and one whose i-th value belongs to the i-th element of the member
template <auto Member>
void per_service_by_label(const Scrape& scrape, Series& series) {
  const auto values = series.values_of_label(1);
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double sum = sum_over_workers(scrape, s, [i](const ServiceCounters& counters) {
        return (counters.*Member).at(i).value();
      });
      series.add({scrape.source.services[s].name, values[i]}, sum);
    }
  }
}

prometheus::ClientMetric::Histogram sum_histograms(const std::vector<const Histogram*>& parts);

// labels: protected_service
template <auto Member>
void histogram_per_service(const Scrape& scrape, Series& series) {
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    std::vector<const Histogram*> parts;
    parts.reserve(scrape.source.workers.size());
    for (const Counters* worker : scrape.source.workers) {
      parts.push_back(&(worker->services[s].*Member));
    }
    series.add_histogram({scrape.source.services[s].name}, sum_histograms(parts));
  }
}

// labels: none
template <auto Member>
void process_value(const Scrape& scrape, Series& series) {
  series.add({}, scrape.process.*Member);
}

// labels: protected_service, backend
void write_backend_syns_sent(const Scrape& scrape, Series& series);
void write_backend_syn_retransmits(const Scrape& scrape, Series& series);
// labels: protected_service, backend, reason
void write_backend_failures(const Scrape& scrape, Series& series);

// labels: protected_service
void write_half_open_peak(const Scrape& scrape, Series& series);
// labels: protected_service, side, state
void write_connections(const Scrape& scrape, Series& series);
// labels: protected_service, engine
void write_connections_spliced(const Scrape& scrape, Series& series);
// labels: protected_service, reason; the only metric with protected_service="none"
void write_dropped_packets(const Scrape& scrape, Series& series);

// labels: queue, role[, kind]
void write_queue_depth(const Scrape& scrape, Series& series);
void write_queue_dropped(const Scrape& scrape, Series& series);

void write_build_info(const Scrape& scrape, Series& series);
void write_reload_successful(const Scrape& scrape, Series& series);
void write_reload_timestamp(const Scrape& scrape, Series& series);

}  // namespace synward::metrics
