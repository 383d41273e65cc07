// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the main thread looks after while the workers work: health, the clock, what servers accept,
// and whether challenges in place really leave.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "daemon/daemon.h"
#include "daemon/io/clock.h"
#include "daemon/io/queue_numbers.h"
#include "daemon/io/queue_statistics.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"

namespace synward {
namespace {

// A worker that has not come round its loop for so long is stuck (it turns twice a second at
// least).
constexpr int stuck_seconds = 3;

void add_statistics(metrics::QueueSample& sample,
                    const std::map<std::uint16_t, io::QueueStatistics>& queues,
                    std::uint16_t number) {
  const auto queue = queues.find(number);
  if (queue == queues.end()) return;
  sample.waiting += queue->second.waiting;
  sample.dropped_full += queue->second.dropped_full;
  sample.dropped_socket += queue->second.dropped_socket;
}

}  // namespace

std::vector<metrics::QueueSample> Daemon::queue_samples() {
  std::vector<metrics::QueueSample> samples;
  const auto queues = queue_totals_.look();
  for (unsigned i = 0; i < workers_count_; ++i) {
    const io::QueueNumbers numbers = io::queue_numbers(queue_start_, workers_count_, i);
    samples.push_back({.number = numbers.syn, .role = metrics::QueueRole::syn});
    add_statistics(samples.back(), queues, numbers.syn);
    samples.push_back({.number = numbers.flow, .role = metrics::QueueRole::flow});
    add_statistics(samples.back(), queues, numbers.flow);
    add_statistics(samples.back(), queues, numbers.large);  // segments too
  }
  return samples;
}

void Daemon::every_second() {
  if (clock_->stepped(io::wall_offset())) {
    static service::RateLimitedLog log(service::LogLevel::warning, 3, std::chrono::minutes(1));
    log.log("the wall clock was stepped; cookies of either time are accepted for 128 s");
    directives_.wall_offset = clock_->offset().count();
    directives_.clock_steps.fetch_add(1, std::memory_order_release);
  }
  renew_offers();
  if (succession_->end_orphans(io::now() - settings_.splice.idle)) rules_outdated_ = true;
  if (!warned_.empty()) look_at_obstacles_again();
  for (unsigned i = 0; i < workers_count_; ++i) {
    const std::uint64_t progress = workers_[i].progress();
    seconds_without_progress_[i] =
        progress == progress_seen_[i] ? seconds_without_progress_[i] + 1 : 0;
    progress_seen_[i] = progress;
  }
  auto unhealthy = examine();
  restart_cures_ = unhealthy.has_value();
  // A restart makes no interface, nor a link, and would not even succeed without the former; the
  // others work on. Nor does it mend a firewall.
  if (!unhealthy && interface_gone_)
    unhealthy = fmt::format("interface {} is gone", *interface_gone_);
  if (!unhealthy) unhealthy = link_down_;
  if (!unhealthy && segments_blocked_at_)
    unhealthy = "segments of joined connections do not leave: a firewall drops them?";
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
  follow_network();
  watch_reply_path();
  watch_segments();
  feed_watchdog();
}

// Every turn, and in what keeps the main thread for longer than one, if its end is sure: a server
// or a worker that is waited for.
void Daemon::feed_watchdog() {
  constexpr std::chrono::milliseconds often_enough{100};
  const Instant now = io::now();
  if (restart_cures_ || now - watchdog_fed_at_ < often_enough) return;
  watchdog_fed_at_ = now;
  service::notify_watchdog();
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
  const IncidentView view{.services = names, .workers = counters_, .queues = queues};
  for (const Incidents::Line& line : incidents_.turn(io::now(), view))
    service::write_log(line.level, line.text);
}

void Daemon::renew_offers() {
  const Instant now = io::now();
  if (!offers_->turn(now, handshake::epoch_at(now, clock_->offset()))) return;
  static service::RateLimitedLog log(service::LogLevel::info, 3, std::chrono::minutes(1));
  log.log(
      "servers accept other options than before: what they refuse now is no longer offered, other "
      "changes follow within 64 s");
  directives_.offers.give(offers_->histories());
  offers_->published();
}

std::optional<std::string> Daemon::examine() const {
  for (unsigned i = 0; i < workers_count_; ++i) {
    if (seconds_without_progress_[i] >= stuck_seconds) {
      return fmt::format("worker {} makes no progress", i);
    }
  }
  if (!ruleset_->present()) return "the nftables rules are gone";
  if (const auto statistics = io::read_queue_statistics()) {
    for (unsigned i = 0; i < io::queues_per_worker * workers_count_; ++i) {
      const unsigned number = queue_start_ + i;
      const bool bound = std::ranges::any_of(
          *statistics, [&](const io::QueueStatistics& line) { return line.number == number; });
      if (!bound) return fmt::format("queue {} is gone", number);
    }
  }
  return std::nullopt;
}

std::string Daemon::firewall_cure() const {
  return fmt::format(
      "let packets with synward's mark pass, before anything drops: `meta mark & {:#x} == {:#x} "
      "accept` in nftables' forward chain, or `iptables -I FORWARD -m mark --mark {:#x}/{:#x} -j "
      "ACCEPT` and the same with ip6tables",
      settings_.mark.mask, settings_.mark.value, settings_.mark.value, settings_.mark.mask);
}

// A firewall may be mended: after a while answers in place are tried again.
void Daemon::watch_reply_path() {
  constexpr std::chrono::hours wait_max{1};
  const Instant now = io::now();
  if (!reply_path_.possible) return;
  if (!directives_.reply_in_place && now >= reply_path_.again_at) {
    directives_.reply_in_place = true;
  }
  std::uint64_t written = 0;
  for (const Worker& worker : workers_) written += worker.replies_in_place();
  const auto way = ruleset_->way_of_challenges();
  if (!way || !directives_.reply_in_place) return;
  look_at_routing(*way);
  const auto judged = reply_path_.deficit.turn(written, way->undropped);
  if (!judged) return;
  if (!judged->blocked()) {
    reply_path_.wait = ReplyPath::wait_first;
    return;
  }
  directives_.reply_in_place = false;
  reply_path_.again_at = now + reply_path_.wait;
  service::log_warning(
      "{} of {} challenges written in place did not leave, so for {} s they go by raw socket: a "
      "firewall drops them; {}",
      judged->missing, judged->due,
      std::chrono::round<std::chrono::seconds>(reply_path_.wait).count(), firewall_cure());
  reply_path_.wait = std::min<Duration>(2 * reply_path_.wait, wait_max);
}

// Where routing refuses challenges, their SYNs' sources may be forged, or a setting be changed that
// answers in place need (rp_filter): not what is lost decides, but what is found.
void Daemon::look_at_routing(const io::Ruleset::Way& way) {
  const auto judged = reply_path_.routing.turn(way.to_route, way.routed);
  if (judged && judged->blocked()) look_at_obstacles_again();
}

// Nobody's traffic is no proof that the firewall was mended, but a load balancer that reads the
// health sends none: after a while without any it is well again.
void Daemon::watch_segments() {
  constexpr std::chrono::minutes forgotten_after{1};
  const Instant now = io::now();
  std::uint64_t let_on = 0;
  for (const Worker& worker : workers_) let_on += worker.forwarded();
  const auto way = ruleset_->way_of_segments();
  if (!way) return;
  const auto judged = segments_.turn(let_on, way->undropped);
  const bool was_blocked = segments_blocked_at_.has_value();
  if (judged && judged->blocked()) {
    segments_blocked_at_ = now;
    if (was_blocked) return;
    service::log_warning(
        "connections are joined, but {} of their {} segments did not leave: clients connect and "
        "hang: a firewall drops them; {}",
        judged->missing, judged->due, firewall_cure());
  } else if (was_blocked && (judged || now - *segments_blocked_at_ > forgotten_after)) {
    segments_blocked_at_.reset();
  }
}

}  // namespace synward
