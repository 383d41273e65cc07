// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/daemon.h"

#include <fmt/core.h>
#include <net/if.h>
#include <sched.h>
#include <sys/random.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "daemon/host.h"
#include "daemon/io/clock.h"
#include "daemon/io/interfaces.h"
#include "daemon/io/queue_statistics.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"

namespace synward {
namespace {

using Result = std::expected<void, std::string>;

constexpr std::chrono::milliseconds turn{250};
// A worker that has not come round its loop for so long is stuck (it turns twice a second at
// least).
constexpr int stuck_seconds = 3;

flow::HashKey random_hash_key() {
  flow::HashKey key{};
  if (getrandom(key.data(), sizeof key, 0) != sizeof key) {
    throw std::runtime_error("cannot get random bytes from the kernel");
  }
  return key;
}

std::vector<unsigned> indices(const std::vector<std::string>& interfaces) {
  std::vector<unsigned> result;
  result.reserve(interfaces.size());
  for (const std::string& name : interfaces) result.push_back(if_nametoindex(name.c_str()));
  return result;
}

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace

Daemon::Daemon(const config::Settings& settings)
    : settings_(settings), workers_count_(worker_count(settings)) {}

std::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(
    const config::Settings& settings) {
  std::unique_ptr<Daemon> daemon(new Daemon(settings));

  // 1. What must be there: capabilities, interfaces. What should be, is said.
  if (auto checked = check_host(settings); !checked) return std::unexpected(checked.error());
  for (const std::string& warning : host_warnings(settings)) service::log_warning("{}", warning);

  // 2. The key, and the clock that epochs are counted by.
  const auto key = load_or_create_key(settings.cookies.key_file);
  if (!key) return std::unexpected(key.error());
  daemon->clock_ = std::make_unique<ClockAnchor>(settings.cookies.key_file, io::wall_offset());
  const HostFacts host{.server_mtu = smallest_mtu(settings.interfaces.server),
                       .own_addresses = io::host_addresses(),
                       .master_key = *key,
                       .wall_offset = daemon->clock_->offset(),
                       .hash_key = random_hash_key(),
                       .first_start = read_first_start(first_start_path, io::now())};

  // 3. What the servers accept, before anybody is promised anything.
  daemon->offers_ = std::make_unique<OfferKeeper>(settings, host);
  daemon->offers_->learn_at_start();
  daemon->offers_->begin(handshake::epoch_at(io::now(), host.wall_offset));

  // 4. Queues and workers, 5. metrics, 6. rules: from here on packets come.
  if (auto started = daemon->start_workers(host); !started) {
    return std::unexpected(started.error());
  }
  if (auto started = daemon->start_metrics(); !started) return std::unexpected(started.error());
  daemon->choose_reply_path();
  auto ruleset = io::Ruleset::install(ruleset_plan(
      settings, host, daemon->workers_count_, static_cast<std::uint32_t>(random_hash_key()[0])));
  if (!ruleset) return std::unexpected(ruleset.error());
  daemon->ruleset_ = std::make_unique<io::Ruleset>(std::move(*ruleset));
  note_first_start(first_start_path, host.first_start);
  daemon->every_second();  // healthy from now on
  service::log_info(
      "protecting {} service(s) with {} worker(s), queues {}-{}, {}", settings.services.size(),
      daemon->workers_count_, settings.queue_start,
      settings.queue_start + 2 * daemon->workers_count_ - 1,
      daemon->ruleset_->uses_native_queue() ? "native queue rules" : "xt NFQUEUE rules");
  return daemon;
}

Result Daemon::start_workers(const HostFacts& host) {
  for (unsigned index = 0; index < workers_count_; ++index) {
    if (auto opened = open_worker(host, index); !opened) return opened;
  }
  for (Worker& worker : workers_) worker.start();
  progress_seen_.assign(workers_count_, 0);
  seconds_without_progress_.assign(workers_count_, 0);
  return {};
}

Result Daemon::open_worker(const HostFacts& host, unsigned index) {
  const auto number = static_cast<std::uint16_t>(settings_.queue_start + 2 * index);
  auto syn_queue = io::NfQueue::open(
      {.number = number, .fail_open = settings_.on_overload == config::OnPressure::pass});
  if (!syn_queue) return std::unexpected(syn_queue.error());
  // FAIL_OPEN never here: a spliced segment passed untranslated is worse than a lost one.
  auto flow_queue = io::NfQueue::open({.number = static_cast<std::uint16_t>(number + 1)});
  if (!flow_queue) return std::unexpected(flow_queue.error());
  auto injector = io::Injector::open(settings_.mark.value);
  if (!injector) return std::unexpected(injector.error());

  const std::vector<int> cpus = usable_cpus();
  // One worker per CPU are pinned, each to its own; any other number is the scheduler's to place.
  const bool pin = cpus.size() == workers_count_;
  WorkerPlan plan{.index = index,
                  .cpu = pin ? std::optional(cpus[index]) : std::nullopt,
                  .realtime = settings_.realtime,
                  .mark = settings_.mark.value,
                  .mark_mask = settings_.mark.mask,
                  .client_interfaces = indices(settings_.interfaces.client),
                  .server_interfaces = indices(settings_.interfaces.server)};
  Counters& counters = counters_.emplace_back(backend_counts(settings_));
  engine::EngineSettings engine = engine_settings(settings_, host, workers_count_, index);
  engine.offers = offers_->histories();
  engine.learned = &offers_->board();
  workers_.emplace_back(std::move(plan), std::move(*syn_queue), std::move(*flow_queue),
                        std::move(*injector), engine, counters, directives_);
  return {};
}

Result Daemon::start_metrics() {
  metrics::MetricsSource source{.services = metrics::service_names(settings_.services),
                                .workers = {},
                                .queues = [this] { return queue_samples(); }};
  for (const Counters& counters : counters_) source.workers.push_back(&counters);
  collector_ = std::make_shared<metrics::Collector>(std::move(source));
  auto exposer = metrics::Exposer::start(settings_.metrics_listen, collector_, [this] {
    const std::lock_guard lock(health_mutex_);
    return unhealthy_;
  });
  if (!exposer) return std::unexpected(exposer.error());
  exposer_ = std::move(*exposer);
  return {};
}

void Daemon::choose_reply_path() {
  for (const std::string& obstacle : reply_in_place_obstacles(settings_)) {
    directives_.reply_in_place = false;
    service::log_warning("challenges go by raw socket, which is slower: {}", obstacle);
  }
}

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

void Daemon::run(service::Signals& signals) {
  for (unsigned turns = 0;; ++turns) {
    const auto signal = signals.wait(turn);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) {
      service::log_warning("reload is not in this version; restart to apply a new configuration");
    }
    watch_reply_path();
    if (turns % 4 == 0) every_second();
  }
  stop();
}

// Connections first: once the rules are gone, their segments pass untranslated. Then the rules,
// then the queues, so that no packet waits for a reader that has left.
void Daemon::stop() {
  service::notify_stopping();
  service::log_info("stopping: connections are reset, then the rules go");
  directives_.stop = true;
  for (const Worker& worker : workers_) worker.wake();
  for (Worker& worker : workers_) worker.join();
  if (auto removed = ruleset_->remove(); !removed) service::log_error("{}", removed.error());
}

void Daemon::every_second() {
  if (clock_->stepped(io::wall_offset())) {
    service::log_warning(
        "the wall clock was stepped; cookies of either time are accepted for 128 s");
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
  if (!unhealthy) service::notify_watchdog();
  const std::lock_guard lock(health_mutex_);
  if (unhealthy && unhealthy != unhealthy_) service::log_error("not healthy: {}", *unhealthy);
  unhealthy_ = std::move(unhealthy);
}

void Daemon::renew_offers() {
  const Instant now = io::now();
  if (!offers_->turn(now, handshake::epoch_at(now, clock_->offset()))) return;
  service::log_info("servers accept other options than before: offers change within 64 s");
  const std::lock_guard lock(directives_.offers_mutex);
  directives_.offers = offers_->histories();
  directives_.offer_changes.fetch_add(1, std::memory_order_release);
}

std::optional<std::string> Daemon::examine() const {
  for (unsigned i = 0; i < workers_count_; ++i) {
    if (seconds_without_progress_[i] >= stuck_seconds) {
      return fmt::format("worker {} makes no progress", i);
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

Daemon::~Daemon() {
  directives_.stop = true;
  for (const Worker& worker : workers_) worker.wake();
}

}  // namespace synward
