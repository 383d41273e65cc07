// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/validate.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/ranges.h"

namespace synward::config {
namespace {

constexpr std::uint32_t last_queue_number = 65535;

// The value to point at: the first of the two that is in the file. None if one is already bad, or
// if both are defaults.
std::optional<Place> blame(const Origin& first, const Origin& second) {
  if (!first.valid || !second.valid) return std::nullopt;
  return first.place ? first.place : second.place;
}

}  // namespace

milliseconds half_open_life(const HalfOpen& half_open) {
  return half_open.synack_timeout * ((1LL << (half_open.synack_retries + 1)) - 1);
}

void check_watermarks(Section& section, const HalfOpen& half_open,
                      const WatermarkOrigins& origins) {
  const auto place = blame(origins.low, origins.high);
  if (!place || half_open.low_watermark_percent < half_open.high_watermark_percent) return;
  section.report(*place, "low_watermark",
                 fmt::format("{}% is not below high_watermark, {}%",
                             half_open.low_watermark_percent, half_open.high_watermark_percent));
}

void check_half_open_life(Section& section, const HalfOpen& half_open, const LifeOrigins& origins) {
  const auto place = blame(origins.retries, origins.timeout);
  const milliseconds life = half_open_life(half_open);
  if (!place || life <= half_open_life_max) return;
  section.problems().add(
      *place, fmt::format("the half-open life is {}, above {}: {} retries, waits doubling from {}",
                          format_duration(life), format_duration(half_open_life_max),
                          half_open.synack_retries, format_duration(half_open.synack_timeout)));
}

void check_early_data(Section& section, const EarlyData& early_data,
                      const EarlyDataOrigins& origins) {
  const auto place = blame(origins.per_connection, origins.total);
  if (!place || early_data.per_connection_bytes <= early_data.total_bytes) return;
  section.report(
      *place, "per_connection",
      fmt::format("{} is more than the total, {}", format_size(early_data.per_connection_bytes),
                  format_size(early_data.total_bytes)));
}

void check_queues(Section& section, const Settings& settings, const QueueOrigins& origins) {
  const auto place = blame(origins.queue_start, origins.workers);
  if (!place || !settings.workers) return;
  const std::uint32_t last =
      settings.queue_start + range::queues_per_worker * *settings.workers - 1;
  if (last <= last_queue_number) return;
  section.report(*place, "queue_start",
                 fmt::format("{} and three queues for each of {} workers reach {}, above {}",
                             settings.queue_start, *settings.workers, last, last_queue_number));
}

void check_shares(Section& section, const Settings& settings, const ShareOrigins& origins) {
  struct Divided {
    std::string_view key;
    std::uint32_t whole;
    const Origin& origin;
  };
  for (const auto& [key, whole, origin] :
       {Divided{"backlog", settings.half_open.backlog, origins.backlog},
        Divided{"connections", settings.splice.connections, origins.connections}}) {
    const auto place = blame(origin, origins.workers);
    if (!place || !settings.workers || whole >= *settings.workers) continue;
    section.report(*place, key,
                   fmt::format("{} is divided among {} workers; each needs at least 1", whole,
                               *settings.workers));
  }
}

void ServiceRegistry::add_name(Section& section, const std::string& name, Place place) {
  const auto [earlier, inserted] = names_.try_emplace(name, place);
  if (inserted) return;
  section.report(place, "name",
                 fmt::format("duplicate service name {}; it is already on line {}", quoted(name),
                             earlier->second.line));
}

void ServiceRegistry::add_listen(Section& section, const PlacedEndpoint& listen) {
  const auto [earlier, inserted] = listens_.try_emplace(listen.endpoint, listen.place);
  if (inserted && listens_.size() == range::listens_total_max + 1) {
    section.report(
        listen.place, "listen",
        fmt::format("one too many; all services together may have {}", range::listens_total_max));
  }
  if (inserted) return;
  section.report(listen.place, "listen",
                 fmt::format("overlapping listen {}; it is already on line {}",
                             wire::to_string(listen.endpoint), earlier->second.line));
}

void check_families(Section& section, const std::vector<PlacedEndpoint>& listens,
                    const std::vector<PlacedEndpoint>& backends) {
  for (const bool ipv4 : {true, false}) {
    const auto of_family = [ipv4](const PlacedEndpoint& placed) {
      return placed.endpoint.address.is_ipv4() == ipv4;
    };
    const auto listen = std::ranges::find_if(listens, of_family);
    if (listen == listens.end() || std::ranges::any_of(backends, of_family)) continue;
    section.report(listen->place, "listen",
                   fmt::format("{} is {}, but no backend is", wire::to_string(listen->endpoint),
                               ipv4 ? "IPv4" : "IPv6"));
  }
}

}  // namespace synward::config
