// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/daemon.h"

#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <sys/random.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <new>
#include <stdexcept>

#include "daemon/host.h"
#include "daemon/io/clock.h"
#include "daemon/io/queue_numbers.h"
#include "daemon/io/queue_statistics.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"

namespace synward {
namespace {

using Result = std::expected<void, std::string>;

constexpr std::chrono::milliseconds turn{250};

flow::HashKey random_hash_key() {
  flow::HashKey key{};
  if (getrandom(key.data(), sizeof key, 0) != sizeof key) {
    throw std::runtime_error("cannot get random bytes from the kernel");
  }
  return key;
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

// It is fed once a turn, also while a server or a worker is waited for; systemd wants that to be
// twice in its interval.
Result check_watchdog() {
  const auto interval = service::watchdog_interval();
  if (!interval || *interval >= 4 * turn) return {};
  return std::unexpected(
      fmt::format("WatchdogSec= is {} ms: synward reports four times a second; set at least 1s",
                  std::chrono::duration_cast<std::chrono::milliseconds>(*interval).count()));
}

Result tables_do_not_fit() {
  return std::unexpected(
      "the tables do not fit into memory: choose a smaller `half_open.backlog`, "
      "`splice.connections` or `splice.early_data.total`");
}

}  // namespace

Daemon::Daemon(const config::Settings& settings, std::string config_file)
    : settings_(settings),
      config_file_(std::move(config_file)),
      workers_count_(worker_count(settings)),
      queue_start_(settings.queue_start),
      layout_(settings.services) {}

std::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(const config::Settings& settings,
                                                                  std::string config_file) {
  std::unique_ptr<Daemon> daemon(new Daemon(settings, std::move(config_file)));

  // 1. What must be there: capabilities, interfaces. What should be, is said.
  if (auto checked = check_watchdog(); !checked) return std::unexpected(checked.error());
  if (auto checked = check_host(settings); !checked) return std::unexpected(checked.error());
  daemon->warn_of_obstacles();

  // 2. The key, and the clock that epochs are counted by.
  const auto key = load_or_create_key(settings.cookies.key_file);
  if (!key) return std::unexpected(key.error());
  daemon->clock_ = std::make_unique<ClockAnchor>(settings.cookies.key_file, io::wall_offset());
  HostFacts& host = daemon->host_;
  host = {.network = {},
          .master_key = *key,
          .wall_offset = daemon->clock_->offset(),
          .hash_key = random_hash_key(),
          .spent_cookies = nullptr,
          .orphans = nullptr,
          .steering_seed = static_cast<std::uint32_t>(random_hash_key()[0]),
          .first_start = read_first_start(first_start_path, io::now())};
  if (auto taken = daemon->take_succession(); !taken) return std::unexpected(taken.error());

  if (auto watching = daemon->start_watching(); !watching) return std::unexpected(watching.error());

  // 3. What the servers accept, before anybody is promised anything.
  daemon->offers_ = std::make_unique<OfferKeeper>(settings, daemon->layout_, host);
  daemon->offers_->learn_first([] {});  // the watchdog begins with READY
  daemon->offers_->begin(handshake::epoch_at(io::now(), host.wall_offset));

  // 4. Queues and workers, 5. metrics, 6. rules: from here on packets come.
  if (auto started = daemon->start_workers(); !started) {
    return std::unexpected(started.error());
  }
  if (auto started = daemon->start_metrics(); !started) return std::unexpected(started.error());
  auto ruleset =
      io::Ruleset::install(ruleset_plan(settings, daemon->layout_, host, daemon->workers_count_));
  if (!ruleset) return std::unexpected(ruleset.error());
  daemon->ruleset_ = std::make_unique<io::Ruleset>(std::move(*ruleset));
  note_first_start(first_start_path, host.first_start);
  if (const auto statistics = io::read_queue_statistics(); !statistics)
    service::log_warning("metrics and health know nothing of the queues: {}", statistics.error());
  daemon->every_second();  // healthy from now on
  daemon->tell_start();
  return daemon;
}

// C8. A full table of connections that last for some seconds each, over the life of their cookies.
Result Daemon::take_succession() {
  constexpr std::uint64_t cookies_per_connection = 8;
  const std::uint64_t connections = settings_.splice.connections;
  try {
    succession_ = std::make_unique<Succession>(
        run_directory,
        Succession::Wanted{.master_key = host_.master_key,
                           .spent_cookies = connections * cookies_per_connection,
                           .connections = connections + workers_count_,  // one each at least
                           .hash_key = host_.hash_key},
        io::now());
  } catch (const std::bad_alloc&) {
    return tables_do_not_fit();
  }
  host_.spent_cookies = succession_->spent_cookies();
  host_.orphans = succession_->orphans();
  return {};
}

void Daemon::tell_start() const {
  const io::RulesetParts parts = ruleset_->parts();
  if (parts.reassembly == io::Reassembly::none) {
    service::log_warning(
        "the kernel cannot be asked to put IP fragments together, so segments that come in "
        "fragments are lost unless conntrack is in use; run `modprobe nft_tproxy`");
  }
  for (const std::string& table : ruleset_->replaced_tables()) {
    service::log_warning(
        "the nftables table `{}` was there already and belonged to no process: replaced; a saved "
        "ruleset should not contain it (README, Beside a firewall)",
        table);
  }
  if (!parts.native_queue) {
    service::log_info(
        "without nft_queue in the kernel, what `nft list ruleset` prints of synward's tables does "
        "not load again: leave them out of a saved ruleset (README, Beside a firewall)");
  }
  service::log_info(
      "protecting {} service(s) with {} worker(s), queues {}-{}, {}{}", settings_.services.size(),
      workers_count_, queue_start_, queue_start_ + io::queues_per_worker * workers_count_ - 1,
      parts.native_queue ? "native queue rules" : "xt NFQUEUE rules",
      parts.reassembly == io::Reassembly::xt_socket ? ", fragments put together by xt_socket" : "");
}

// Watched first, then read: what changes meanwhile is read again.
Result Daemon::start_watching() {
  auto watch = io::NetworkWatch::open();
  if (!watch)
    return std::unexpected(
        fmt::format("cannot follow links and addresses: {}", std::strerror(watch.error())));
  network_watch_.emplace(std::move(*watch));
  look_at_links();
  network_changed_ = !find_interfaces() || !read_network(settings_, host_.network);
  return {};
}

Result Daemon::start_workers() {
  directives_.realtime = settings_.realtime;
  try {
    for (unsigned index = 0; index < workers_count_; ++index) {
      if (auto opened = open_worker(index); !opened) return opened;
    }
  } catch (const std::bad_alloc&) {
    return tables_do_not_fit();
  }
  for (Worker& worker : workers_) worker.start();
  progress_seen_.assign(workers_count_, 0);
  seconds_without_progress_.assign(workers_count_, 0);
  return {};
}

Result Daemon::open_worker(unsigned index) {
  const io::QueueNumbers numbers = io::queue_numbers(queue_start_, workers_count_, index);
  auto syn_queue = io::NfQueue::open({.number = numbers.syn});
  if (!syn_queue) return std::unexpected(syn_queue.error());
  auto flow_queue = io::NfQueue::open({.number = numbers.flow});
  if (!flow_queue) return std::unexpected(flow_queue.error());
  auto large_queue = io::NfQueue::open({.number = numbers.large, .gso = false});
  if (!large_queue) return std::unexpected(large_queue.error());
  auto injector = io::Injector::open(settings_.mark.value);
  if (!injector) return std::unexpected(injector.error());

  const std::vector<int> cpus = usable_cpus();
  // One worker per CPU are pinned, each to its own; any other number is the scheduler's to place.
  const bool pin = cpus.size() == workers_count_;
  const WorkerPlan plan{.index = index,
                        .cpu = pin ? std::optional(cpus[index]) : std::nullopt,
                        .mark = settings_.mark.value,
                        .mark_mask = settings_.mark.mask};
  Counters& counters = counters_.empty() ? counters_.emplace_back(layout_.backend_counts())
                                         : counters_.emplace_back(layout_.backend_counts(),
                                                                  counters_.front().shared());
  engine::EngineSettings engine = engine_settings(settings_, layout_, host_, workers_count_, index);
  engine.live_tuples = succession_->take_tuples(engine.connections);
  engine.offers = offers_->histories();
  engine.learned = offers_->board();
  workers_.emplace_back(
      plan, WorkerQueues{std::move(*syn_queue), std::move(*flow_queue), std::move(*large_queue)},
      std::move(*injector), engine, counters, directives_);
  return {};
}

Result Daemon::start_metrics() {
  metrics::MetricsSource source{.services = layout_.names(),
                                .workers = {},
                                .growth = &directives_.counters_growth,
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

// By the clock: signals may come much faster than turns, and each wakes us.
bool Daemon::run(service::Signals& signals) {
  Instant turn_at = io::now();
  Instant second_at = turn_at;
  for (;;) {
    const auto signal = signals.wait(turn);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) reload();
    const Instant now = io::now();
    if (now < turn_at) continue;
    turn_at = now + turn;
    try {
      if (now >= second_at) {
        second_at = now + std::chrono::seconds(1) - turn / 2;
        every_second();
      }
      every_turn();
    } catch (const std::bad_alloc&) {
      // The workers go on. While no turn comes to its end, nobody feeds the watchdog.
      service::log_error("there is no memory for what is due: the next turn tries again");
    }
  }
  return stop();
}

// Connections first: once the rules are gone, their segments pass untranslated. Then the rules,
// then the queues, so that no packet waits for a reader that has left. A worker that hangs is not
// waited for: the servers must be reachable again before a service manager loses patience.
bool Daemon::stop() {
  service::notify_stopping();
  service::notify_status("stopping");
  service::log_info("stopping: connections are reset, then the rules go");
  directives_.stop = true;
  for (const Worker& worker : workers_) worker.wake();
  const Instant deadline = io::now() + stop_patience;
  bool all_ended = true;
  for (unsigned index = 0; index < workers_count_; ++index) {
    while (!workers_[index].ended() && io::now() < deadline) {
      feed_watchdog();
      poll(nullptr, 0, 1);
    }
    if (workers_[index].ended()) continue;
    all_ended = false;
    service::log_error("worker {} hangs: its connections were not reset, the rules go all the same",
                       index);
  }
  if (all_ended) succession_->nothing_is_left();
  if (auto removed = ruleset_->remove(); !removed) service::log_error("{}", removed.error());
  return all_ended;
}

Daemon::~Daemon() {
  directives_.stop = true;
  for (const Worker& worker : workers_) worker.wake();
}

}  // namespace synward
