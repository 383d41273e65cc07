// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/writers.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace synward::metrics {
namespace {

#ifdef __clang__
constexpr std::string_view compiler = "clang " __clang_version__;
#else
constexpr std::string_view compiler = "gcc " __VERSION__;
#endif

std::string_view role_label(QueueRole role) {
  return role == QueueRole::syn ? "syn" : "flow";
}

// Calls add(service name, backend label, sum). One label is one series, whatever the source says: a
// duplicate would make Prometheus refuse the whole scrape.
template <typename Read, typename Add>
void for_each_backend(const Scrape& scrape, Read read, Add add) {
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    const ServiceNames& names = scrape.source.services[s];
    std::map<std::string_view, double> sums;
    for (std::size_t b = 0; b < names.backends.size(); ++b) {
      sums[names.backends[b]] += sum_over_workers(
          scrape, s,
          [b, &read](const ServiceCounters& counters) { return read(counters.backends[b]); });
    }
    for (const auto& [backend, sum] : sums) add(names.name, backend, sum);
  }
}

template <auto Member>
void write_backend_counter(const Scrape& scrape, Series& series) {
  for_each_backend(
      scrape, [](const BackendCounters& backend) { return (backend.*Member).value(); },
      [&series](std::string_view service, std::string_view backend, double sum) {
        series.add({service, backend}, sum);
      });
}

}  // namespace

prometheus::ClientMetric::Histogram sum_histograms(const std::vector<const Histogram*>& parts) {
  prometheus::ClientMetric::Histogram result;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= Histogram::upper_bounds_us.size(); ++i) {
    for (const Histogram* part : parts) cumulative += part->bucket(i);
    if (i == Histogram::upper_bounds_us.size()) break;
    result.bucket.push_back(
        {.cumulative_count = cumulative,
         .upper_bound = static_cast<double>(Histogram::upper_bounds_us[i]) / 1e6});
  }
  // The count is made from the buckets, not kept beside them: both then agree even while a worker
  // is writing.
  result.sample_count = cumulative;
  std::uint64_t sum_us = 0;
  for (const Histogram* part : parts) sum_us += part->sum_us();
  result.sample_sum = static_cast<double>(sum_us) / 1e6;
  return result;
}

void write_backend_syns_sent(const Scrape& scrape, Series& series) {
  write_backend_counter<&BackendCounters::syns_sent>(scrape, series);
}

void write_backend_syn_retransmits(const Scrape& scrape, Series& series) {
  write_backend_counter<&BackendCounters::syn_retransmits>(scrape, series);
}

void write_backend_failures(const Scrape& scrape, Series& series) {
  const auto reasons = series.values_of_label(2);
  for (std::size_t r = 0; r < reasons.size(); ++r) {
    for_each_backend(
        scrape, [r](const BackendCounters& backend) { return backend.failures.at(r).value(); },
        [&series, reason = reasons[r]](std::string_view service, std::string_view backend,
                                       double sum) {
          series.add({service, backend, reason}, sum);
        });
  }
}

void write_connections(const Scrape& scrape, Series& series) {
  const auto sides = series.values_of_label(1);
  const auto states = series.values_of_label(2);
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    for (std::size_t side = 0; side < sides.size(); ++side) {
      for (std::size_t state = 0; state < states.size(); ++state) {
        const double sum =
            sum_over_workers(scrape, s, [side, state](const ServiceCounters& counters) {
              return counters.connections.at(side).at(state).value();
            });
        series.add({scrape.source.services[s].name, sides[side], states[state]}, sum);
      }
    }
  }
}

void write_half_open_peak(const Scrape& scrape, Series& series) {
  if (scrape.source.workers.empty()) return;
  const Counters& any = *scrape.source.workers.front();  // it is the same one in all of them
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    series.add({scrape.source.services[s].name},
               static_cast<double>(any.services[s].half_open.peak()));
  }
}

void write_connections_spliced(const Scrape& scrape, Series& series) {
  for (std::size_t s = 0; s < scrape.source.services.size(); ++s) {
    const std::string& name = scrape.source.services[s].name;
    const double sum = sum_over_workers(scrape, s, [](const ServiceCounters& counters) {
      return counters.connections_spliced.value();
    });
    series.add({name, "kernel"}, 0);  // this version splices in user space only
    series.add({name, "userspace"}, sum);
  }
}

void write_dropped_packets(const Scrape& scrape, Series& series) {
  const auto reasons = series.values_of_label(1);
  const std::size_t none = scrape.source.services.size();
  for (std::size_t s = 0; s <= none; ++s) {
    for (std::size_t r = 0; r < reasons.size(); ++r) {
      std::uint64_t sum = 0;
      for (const Counters* worker : scrape.source.workers) {
        const ServiceCounters& counters = s == none ? worker->none() : worker->services[s];
        sum += counters.dropped.at(r).value();
      }
      series.add({s == none ? "none" : scrape.source.services[s].name, reasons[r]},
                 static_cast<double>(sum));
    }
  }
}

void write_queue_depth(const Scrape& scrape, Series& series) {
  for (const QueueSample& queue : scrape.queues) {
    series.add({std::to_string(queue.number), role_label(queue.role)},
               static_cast<double>(queue.waiting));
  }
}

void write_queue_dropped(const Scrape& scrape, Series& series) {
  for (const QueueSample& queue : scrape.queues) {
    const std::string number = std::to_string(queue.number);
    series.add({number, role_label(queue.role), "full"}, static_cast<double>(queue.dropped_full));
    series.add({number, role_label(queue.role), "socket"},
               static_cast<double>(queue.dropped_socket));
  }
}

void write_build_info(const Scrape& /*scrape*/, Series& series) {
  series.add({SYNWARD_VERSION, compiler}, 1);
}

void write_reload_successful(const Scrape& scrape, Series& series) {
  series.add({}, scrape.reload.successful ? 1 : 0);
}

void write_reload_timestamp(const Scrape& scrape, Series& series) {
  series.add({}, scrape.reload.finished_at);
}

}  // namespace synward::metrics
