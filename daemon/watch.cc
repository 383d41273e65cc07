// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the main thread looks after while the workers work: health, the clock, what servers accept,
// and whether challenges in place really leave.
#include <fmt/core.h>

#include <algorithm>

#include "daemon/daemon.h"
#include "daemon/io/clock.h"
#include "daemon/io/interfaces.h"
#include "daemon/io/queue_statistics.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"

namespace synward {
namespace {

// A worker that has not come round its loop for so long is stuck (it turns twice a second at
// least).
constexpr int stuck_seconds = 3;

}  // namespace

std::vector<metrics::QueueSample> Daemon::queue_samples() const {
  std::vector<metrics::QueueSample> samples;
  const auto statistics = io::read_queue_statistics();
  for (unsigned i = 0; i < 2 * workers_count_; ++i) {
    metrics::QueueSample sample;
    sample.number = static_cast<std::uint16_t>(settings_.queue_start + i);
    sample.role = i % 2 == 0 ? metrics::QueueRole::syn : metrics::QueueRole::flow;
    if (statistics) {
      for (const io::QueueStatistics& line : *statistics) {
        if (line.number != sample.number) continue;
        sample.waiting = line.waiting;
        sample.dropped_full = line.dropped_full;
        sample.dropped_socket = line.dropped_socket;
      }
    }
    samples.push_back(sample);
  }
  return samples;
}

void Daemon::find_interfaces() {
  const auto indices = [](const std::vector<std::string>& names) {
    std::vector<unsigned> found;
    for (const std::string& name : names) {
      if (const auto index = io::interface_index(name)) found.push_back(*index);
    }
    return found;
  };
  auto client = indices(settings_.interfaces.client);
  auto server = indices(settings_.interfaces.server);
  // Only this thread writes them.
  if (client == directives_.client_interfaces && server == directives_.server_interfaces) return;
  const std::lock_guard lock(directives_.mutex);
  directives_.client_interfaces = std::move(client);
  directives_.server_interfaces = std::move(server);
  directives_.interface_changes.fetch_add(1, std::memory_order_release);
}

void Daemon::every_second() {
  find_interfaces();
  if (clock_->stepped(io::wall_offset())) {
    static service::RateLimitedLog log(service::LogLevel::warning, 3, std::chrono::minutes(1));
    log.log("the wall clock was stepped; cookies of either time are accepted for 128 s");
    directives_.wall_offset = clock_->offset().count();
    directives_.clock_steps.fetch_add(1, std::memory_order_release);
  }
  renew_offers();
  for (unsigned i = 0; i < workers_count_; ++i) {
    const std::uint64_t progress = workers_[i].progress();
    seconds_without_progress_[i] =
        progress == progress_seen_[i] ? seconds_without_progress_[i] + 1 : 0;
    progress_seen_[i] = progress;
  }
  auto unhealthy = examine();
  {
    const std::lock_guard lock(health_mutex_);
    if (unhealthy && unhealthy != unhealthy_) service::log_error("not healthy: {}", *unhealthy);
    if (!unhealthy && unhealthy_ && protecting_) service::log_info("healthy again");
    unhealthy_ = std::move(unhealthy);
    protecting_ = true;
  }
  tell_status();
  tell_incidents();
}

void Daemon::every_turn() {
  watch_reply_path();
  // Only this thread writes it.
  if (!unhealthy_) service::notify_watchdog();
}

void Daemon::tell_status() {
  StatusFigures figures;
  {
    const std::lock_guard no_growth(directives_.counters_growth);
    figures = sum_figures(settings_.services.size(), counters_);
  }
  if (const auto line = status_.turn(io::now(), figures, unhealthy_, reload_refused_))
    service::notify_status(*line);
}

void Daemon::tell_incidents() {
  const std::vector<metrics::ServiceNames> names = layout_.names();
  const std::vector<metrics::QueueSample> queues = queue_samples();
  const std::lock_guard no_growth(directives_.counters_growth);
  const IncidentView view{.services = names,
                          .workers = counters_,
                          .queues = queues,
                          .watermarks = {.high = settings_.half_open.high_watermark_percent,
                                         .low = settings_.half_open.low_watermark_percent}};
  for (const Incidents::Line& line : incidents_.turn(io::now(), view))
    service::write_log(line.level, line.text);
}

void Daemon::renew_offers() {
  const Instant now = io::now();
  if (!offers_->turn(now, handshake::epoch_at(now, clock_->offset()))) return;
  static service::RateLimitedLog log(service::LogLevel::info, 3, std::chrono::minutes(1));
  log.log("servers accept other options than before: offers change within 64 s");
  const std::lock_guard lock(directives_.mutex);
  directives_.offers = offers_->histories();
  directives_.offer_changes.fetch_add(1, std::memory_order_release);
}

std::optional<std::string> Daemon::examine() const {
  for (unsigned i = 0; i < workers_count_; ++i) {
    if (seconds_without_progress_[i] >= stuck_seconds) {
      return fmt::format("worker {} makes no progress", i);
    }
  }
  const auto& [client, server] = settings_.interfaces;
  for (const auto* const side : {&client, &server}) {
    for (const std::string& name : *side) {
      if (!io::interface_index(name)) return fmt::format("interface {} is gone", name);
    }
  }
  if (!ruleset_->present()) return "the nftables rules are gone";
  if (const auto statistics = io::read_queue_statistics()) {
    for (unsigned i = 0; i < 2 * workers_count_; ++i) {
      const unsigned number = settings_.queue_start + i;
      const bool bound = std::ranges::any_of(
          *statistics, [&](const io::QueueStatistics& line) { return line.number == number; });
      if (!bound) return fmt::format("queue {} is gone", number);
    }
  }
  return std::nullopt;
}

std::uint64_t Daemon::synacks_sent() const {
  const std::lock_guard no_growth(directives_.counters_growth);
  std::uint64_t sent = 0;
  for (const Counters& counters : counters_) {
    for (const ServiceCounters& service : counters.services) sent += service.synacks_sent.value();
  }
  return sent;
}

// A FORWARD policy that drops our replies cannot be read reliably from the rules of others, but its
// effect can: fewer SYN-ACKs leave than were written (kernel.md). What was sent up to the last turn
// must have passed by now; half of it missing is no accident.
void Daemon::watch_reply_path() {
  if (!directives_.reply_in_place) return;
  const auto passed = ruleset_->synacks_passed();
  const std::uint64_t sent = synacks_sent();
  if (passed) {
    const std::uint64_t window_sent = synacks_sent_before_ - reply_path_sent_;
    const std::uint64_t window_passed = *passed - std::min(*passed, reply_path_passed_);
    if (window_passed * 2 < window_sent) {
      directives_.reply_in_place = false;
      service::log_warning(
          "{} of {} challenges written in place did not leave, so they go by raw socket from now "
          "on; let packets from client to client pass in the FORWARD chain, or look for a firewall "
          "rule that drops packets with mark {:#x}",
          window_sent - window_passed, window_sent, settings_.mark.value);
    }
    reply_path_sent_ = synacks_sent_before_;
    reply_path_passed_ += std::min(window_passed, window_sent);
  }
  synacks_sent_before_ = sent;
}

}  // namespace synward
