// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/incidents.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace synward {
namespace {

// Bounds that were reached: there is a key of the configuration to turn. Other reasons are the
// clients' doing and stay in the metrics.
constexpr std::array bounds{synward_reason_flow_table_full, synward_reason_early_data_full,
                            synward_reason_truncated_by_queue};

constexpr std::array<std::string_view, backend_failure_count> failure_texts{
    "refused {} connection(s) in {} s", "did not answer for {} connection(s) in {} s",
    "was unreachable for {} connection(s) in {} s"};

template <typename Read>
std::uint64_t sum(const IncidentView& view, std::size_t service, Read read) {
  std::uint64_t total = 0;
  for (const Counters& worker : view.workers) {
    // One that hangs has not taken the reload that brought the service.
    if (service < worker.services.size())
      total += static_cast<std::uint64_t>(read(worker.services[service]));
  }
  return total;
}

long long whole_seconds(Duration duration) {
  return std::max<long long>(1, std::chrono::round<std::chrono::seconds>(duration).count());
}

}  // namespace

std::vector<Incidents::Line> Incidents::turn(Instant now, const IncidentView& view) {
  now_ = now;
  for (std::size_t index = 0; index < view.services.size(); ++index) look_at_service(view, index);
  for (const metrics::QueueSample& queue : view.queues) look_at_queue(queue);
  return std::exchange(lines_, {});
}

void Incidents::look_at_service(const IncidentView& view, std::size_t index) {
  const metrics::ServiceNames& names = view.services[index];
  const auto of = [&](auto read) { return sum(view, index, read); };
  watch_half_open(
      names.name,
      static_cast<std::int64_t>(of([](auto& c) { return c.half_open_connections.value(); })),
      static_cast<std::int64_t>(of([](auto& c) { return c.half_open_limit.value(); })),
      view.watermarks);
  for (const Reason reason : bounds) {
    count(fmt::format("{}: {}", names.name, reason_name(reason)),
          of([reason](auto& c) { return c.dropped.at(reason).value(); }),
          fmt::format("dropped {{}} packet(s) in {{}} s: {}", reason_text(reason)));
  }
  for (std::size_t b = 0; b < names.backends.size(); ++b) {
    for (std::size_t f = 0; f < failure_texts.size(); ++f) {
      count(fmt::format("{}: backend {}", names.name, names.backends[b]), of([b, f](auto& c) {
              return b < c.backends.size() ? c.backends[b].failures.at(f).value() : 0;
            }),
            failure_texts.at(f));
    }
  }
}

void Incidents::look_at_queue(const metrics::QueueSample& queue) {
  const std::string name = fmt::format("queue {} ({})", queue.number,
                                       queue.role == metrics::QueueRole::syn ? "SYNs" : "segments");
  count(name, queue.dropped_full,
        "dropped {} packet(s) in {} s: more come than this worker can take");
  count(name, queue.dropped_socket, "dropped {} packet(s) in {} s: its socket buffer is full");
}

void Incidents::watch_half_open(const std::string& service, std::int64_t entries,
                                std::int64_t limit, const Watermarks& watermarks) {
  const auto pressed = pressed_.find(service);
  const auto over = [&](std::uint32_t percent) { return entries * 100 >= limit * percent; };
  if (pressed == pressed_.end()) {
    if (limit == 0 || !over(watermarks.high)) return;
    pressed_.emplace(service, now_);
    lines_.push_back({service::LogLevel::warning,
                      fmt::format("{}: the half-open queue is above its high watermark ({} of {}): "
                                  "old entries give way, SYN-ACKs are hardly repeated, cookies "
                                  "stay good",
                                  service, entries, limit)});
    return;
  }
  if (over(watermarks.low)) return;
  lines_.push_back(
      {service::LogLevel::info,
       fmt::format(
           "{}: the half-open queue is below its low watermark again ({} of {}), after {} s",
           service, entries, limit, whole_seconds(now_ - pressed->second))});
  pressed_.erase(pressed);
}

void Incidents::count(const std::string& key, std::uint64_t total, std::string_view text) {
  const auto [entry, first] = counts_.try_emplace(fmt::format("{} {}", key, text), Count{});
  Count& known = entry->second;
  if (first) known.since = now_;
  if (total == known.told || now_ < known.silent_until) {
    if (total == known.told) known.since = now_;
    return;
  }
  lines_.push_back(
      {service::LogLevel::warning, fmt::format("{} {}", key,
                                               fmt::format(fmt::runtime(text), total - known.told,
                                                           whole_seconds(now_ - known.since)))});
  known = {.told = total, .since = now_, .silent_until = now_ + pause};
}

}  // namespace synward
