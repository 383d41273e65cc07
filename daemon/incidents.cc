// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/incidents.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace synward {
namespace {

// Bounds that were reached: there is a key of the configuration to turn.
constexpr std::array bounds{synward_reason_flow_table_full, synward_reason_early_data_full,
                            synward_reason_synack_limit, synward_reason_truncated_by_queue};

// What honest clients send as well, as fast as their paths lose packets.
constexpr std::array honest{synward_reason_early_data_out_of_order,
                            synward_reason_early_data_duplicate};

constexpr std::array<std::string_view, backend_failure_count> failure_texts{
    "refused {} connection(s) in {} s", "did not answer for {} connection(s) in {} s",
    "was unreachable for {} connection(s) in {} s"};

// By GaveWay.
constexpr std::array<std::string_view, 2> gave_way_texts{
    "silent connection(s) ended before their time: {} in {} s",
    "connection(s) of a network or service above its share ended: {} in {} s"};

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

bool hostile(Reason reason) {
  const auto in = [reason](const auto& list) {
    return std::ranges::find(list, reason) != list.end();
  };
  return !in(bounds) && !in(honest) && reason != synward_reason_send_failed;
}

void add_drops(const ServiceCounters& counters, auto& reasons) {
  for (std::size_t reason = 0; reason < reasons.size(); ++reason)
    reasons.at(reason) += counters.dropped.at(reason).value();
}

HalfOpen half_open_of(const IncidentView& view, std::size_t service) {
  const auto of = [&](auto read) { return sum(view, service, read); };
  const std::uint64_t limited =
      of([](auto& c) { return c.dropped.at(synward_reason_synack_limit).value(); });
  return {.pressed = of([](auto& c) { return c.half_open_pressured.value(); }),
          .entries = of([](auto& c) { return c.half_open_connections.value(); }),
          .limit = of([](auto& c) { return c.half_open_limit.value(); }),
          .syns = of([](auto& c) { return c.syns_received.value(); }) + limited,
          .displaced = of([](auto& c) { return c.half_open_displaced.value(); }),
          .untracked = of([](auto& c) { return c.half_open_untracked.value(); }),
          .limited = limited};
}

std::string pressure_text(const HalfOpen& have, std::size_t workers, double rate) {
  const bool all = have.pressed == workers;
  return fmt::format(
      "the half-open queue is above its high watermark ({} of {}{}), {:.0f} SYN/s: old entries "
      "give way, SYN-ACKs are hardly repeated, cookies stay good",
      have.entries, have.limit, all ? "" : fmt::format(", on {} worker(s)", have.pressed), rate);
}

std::string few_networks_text(double rate, double beyond) {
  return fmt::format(
      "a flood of SYNs from few networks: {:.0f} SYN/s, {:.0f}/s of them beyond their networks' "
      "shares: answered by cookie alone, or above `limits.synacks_per_prefix` not at all",
      rate, beyond);
}

long long whole_seconds(Duration duration) {
  return std::max<long long>(1, std::chrono::round<std::chrono::seconds>(duration).count());
}

}  // namespace

std::vector<Incidents::Line> Incidents::turn(Instant now, const IncidentView& view) {
  now_ = now;
  for (std::size_t index = 0; index < view.services.size(); ++index) look_at_service(view, index);
  ReasonCounts of_none{};
  for (const Counters& worker : view.workers) add_drops(worker.none(), of_none);
  watch_drops("none", of_none);
  for (const metrics::QueueSample& queue : view.queues) look_at_queue(queue);
  return std::exchange(lines_, {});
}

void Incidents::look_at_service(const IncidentView& view, std::size_t index) {
  const metrics::ServiceNames& names = view.services[index];
  const auto of = [&](auto read) { return sum(view, index, read); };
  watch_syns(view, index);
  ReasonCounts reasons{};
  for (const Counters& worker : view.workers)
    if (index < worker.services.size()) add_drops(worker.services[index], reasons);
  watch_drops(names.name, reasons);
  for (const Reason reason : bounds) {
    count(fmt::format("{}: {}", names.name, reason_name(reason)), reasons.at(reason),
          fmt::format("dropped {{}} packet(s) in {{}} s: {}", reason_text(reason)));
  }
  for (std::size_t w = 0; w < gave_way_texts.size(); ++w) {
    count(fmt::format("{}: splice.connections is nearly reached,", names.name),
          of([w](auto& c) { return c.connections_gave_way.at(w).value(); }), gave_way_texts.at(w));
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

// The workers know whether they are pressed: each goes by its own share of the backlog, and their
// sum may be below the watermark of the whole. Few networks press nobody, for each holds a tenth of
// the queue at most: theirs is a flood by what comes beyond that.
void Incidents::watch_syns(const IncidentView& view, std::size_t index) {
  const std::string& service = view.services[index].name;
  Floods& flood = floods_[service];
  const HalfOpen have = half_open_of(view, index);
  if (!flood.syns.look(now_, have.syns)) return;
  flood.entries_max = std::max(flood.entries_max, have.entries);
  const double rate = flood.syns.rate();
  const double beyond = flood.syns.rate_of(have.beyond_shares() - flood.seen.beyond_shares());
  flood.seen = have;
  const bool pressed = have.pressed > 0;
  const auto change =
      flood.syns.judge(pressed || beyond >= (flood.syns.active() ? flood_ends : flood_begins));
  const auto tell = [&](service::LogLevel level, const std::string& text) {
    lines_.push_back({level, fmt::format("{}: {}", service, text)});
  };
  if (pressed && !std::exchange(flood.pressure_told, true)) {
    tell(service::LogLevel::warning, pressure_text(have, view.workers.size(), rate));
  } else if (change == FloodSpell::Change::began) {
    tell(service::LogLevel::warning, few_networks_text(rate, beyond));
  }
  if (change == FloodSpell::Change::ended)
    tell(service::LogLevel::info, syns_over_text(flood, have));
  if (flood.syns.active()) return;
  flood.entries_max = 0;
  flood.pressure_told = false;
  flood.before = have;
}

std::string Incidents::syns_over_text(const Floods& flood, const HalfOpen& have) {
  const FloodSpell::Figures figures = flood.syns.figures();
  std::string text =
      flood.pressure_told
          ? fmt::format("the half-open queue is below its low watermark again ({} of {})",
                        have.entries, have.limit)
          : "the flood of SYNs is over";
  text += fmt::format(
      ", after {} s: {} SYNs, at most {:.0f}/s, {} entries at most; {} entries gave way, {} SYNs "
      "were answered without one",
      figures.lasted.count(), figures.packets, figures.rate_max, flood.entries_max,
      have.displaced - flood.before.displaced, have.untracked - flood.before.untracked);
  if (const std::uint64_t limited = have.limited - flood.before.limited; limited > 0)
    text +=
        fmt::format(", {} were dropped ({})", limited, reason_name(synward_reason_synack_limit));
  return text;
}

// Segments that no client of ours sends: nothing of them is answered or remembered, so they press
// no queue.
void Incidents::watch_drops(const std::string& service, const ReasonCounts& reasons) {
  Floods& flood = floods_[service];
  std::uint64_t total = 0;
  std::size_t most = 0;
  const auto grown = [&](std::size_t r) { return reasons.at(r) - flood.reasons.at(r); };
  for (std::size_t reason = 0; reason < reasons.size(); ++reason) {
    if (!hostile(static_cast<Reason>(reason))) continue;
    total += reasons.at(reason);
    if (grown(reason) > grown(most)) most = reason;
  }
  if (!flood.drops.look(now_, total)) return;
  const double limit = flood.drops.active() ? flood_ends : flood_begins;
  const auto change = flood.drops.judge(flood.drops.rate() >= limit);
  const std::string mostly = fmt::format("mostly {} ({})", reason_name(static_cast<Reason>(most)),
                                         reason_text(static_cast<Reason>(most)));
  if (change == FloodSpell::Change::began) {
    lines_.push_back(
        {service::LogLevel::warning, fmt::format("{}: a flood: {:.0f} packets/s are dropped, {}",
                                                 service, flood.drops.rate(), mostly)});
  }
  if (change == FloodSpell::Change::ended) {
    const FloodSpell::Figures figures = flood.drops.figures();
    lines_.push_back(
        {service::LogLevel::info,
         fmt::format("{}: the flood of dropped packets is over, after {} s: {} "
                     "packets, at most {:.0f}/s, {}",
                     service, figures.lasted.count(), figures.packets, figures.rate_max, mostly)});
  }
  if (!flood.drops.active()) flood.reasons = reasons;
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
