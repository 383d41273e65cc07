// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the running daemon takes another configuration: all of it or nothing. It is read and compared
// first; then every worker goes over to it, and last the rules do, in one transaction: whatever a
// rule queues is known to its worker. If one of these fails, the workers go back.
#include <poll.h>

#include <algorithm>
#include <new>
#include <utility>

#include "config/load.h"
#include "daemon/daemon.h"
#include "daemon/host.h"
#include "daemon/io/clock.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"

namespace synward {
namespace {

constexpr std::chrono::seconds workers_patience{5};

// What the workers, their queues and tables were made from.
std::vector<std::string_view> restart_needed(const config::Settings& now,
                                             const config::Settings& wanted) {
  std::vector<std::string_view> keys;
  const auto compare = [&](bool same, std::string_view key) {
    if (!same) keys.push_back(key);
  };
  compare(now.interfaces == wanted.interfaces, "interfaces");
  compare(now.workers == wanted.workers, "workers");
  compare(now.queue_start == wanted.queue_start, "queue_start");
  compare(now.mark == wanted.mark, "mark");
  compare(now.half_open.backlog == wanted.half_open.backlog, "half_open.backlog");
  compare(now.splice.connections == wanted.splice.connections, "splice.connections");
  compare(now.cookies == wanted.cookies, "cookies.key_file");
  compare(now.metrics_listen == wanted.metrics_listen, "metrics");
  compare(now.control_socket == wanted.control_socket, "control");
  return keys;
}

}  // namespace

void Daemon::reload() {
  service::notify_reloading();
  std::optional<Wanted> wanted;
  try {
    wanted = read_wanted();
  } catch (const std::bad_alloc&) {
    service::log_error("{}: there is no memory to read it into", config_file_);
  }
  const bool good = wanted && take_over(std::move(*wanted));
  collector_->reload_finished(good);
  reload_refused_ = !good;
  if (good) {
    warned_.clear();
    warn_of_obstacles();
    service::log_info("reloaded: protecting {} service(s)", settings_.services.size());
  } else {
    service::log_error("{} was not loaded: everything stays as it was", config_file_);
  }
  tell_status();
  service::notify_ready();
}

// Nothing is changed yet.
std::optional<Daemon::Wanted> Daemon::read_wanted() {
  config::Loaded loaded = config::load_file(config_file_);
  feed_watchdog();
  for (const config::Problem& problem : loaded.problems) {
    service::log_error("{}", config::format_problem(config_file_, problem));
  }
  if (!loaded.problems.empty()) return std::nullopt;
  const auto keys = restart_needed(settings_, loaded.settings);
  for (const std::string_view key : keys) {
    service::log_error("{}: a change of `{}` needs restart", config_file_, key);
  }
  if (!keys.empty()) return std::nullopt;
  if (const auto checked = check_realtime(loaded.settings); !checked) {
    service::log_error("{}", checked.error());
    return std::nullopt;
  }
  if (!layout_.has_room_for(loaded.settings.services)) {
    service::log_error(
        "earlier reloads have used up the numbers of services, listens or backends: it needs "
        "restart");
    return std::nullopt;
  }
  ServiceLayout layout = layout_;
  layout.apply(loaded.settings.services);
  auto offers = std::make_unique<OfferKeeper>(loaded.settings, layout, host_, *offers_);
  offers->learn_first([this] { feed_watchdog(); });
  offers->begin(handshake::epoch_at(io::now(), clock_->offset()));
  return Wanted{std::move(loaded.settings), std::move(layout), std::move(offers)};
}

bool Daemon::take_over(Wanted wanted) {
  if (put_in_force(wanted)) {
    settings_ = std::move(wanted.settings);
    layout_ = std::move(wanted.layout);
    offers_ = std::move(wanted.offers);
    collector_->set_services(layout_.names());
    rules_outdated_ = false;
    return true;
  }
  // Numbers that were given stay given: the workers have them.
  wanted.layout.apply(settings_.services);
  layout_ = std::move(wanted.layout);
  offers_ = std::make_unique<OfferKeeper>(settings_, layout_, host_, *wanted.offers);
  offers_->begin(handshake::epoch_at(io::now(), clock_->offset()));
  if (!hand_to_workers(settings_, layout_, *offers_)) {
    service::log_error("and the workers cannot go back to what was: it needs restart");
  }
  return false;
}

// False: some of the workers may work by it.
bool Daemon::put_in_force(const Wanted& wanted) {
  try {
    if (!hand_to_workers(wanted.settings, wanted.layout, *wanted.offers)) return false;
    const auto replaced =
        ruleset_->replace(ruleset_plan(wanted.settings, wanted.layout, host_, workers_count_));
    if (!replaced) service::log_error("{}", replaced.error());
    return replaced.has_value();
  } catch (const std::bad_alloc&) {
    service::log_error("there is no memory to hand it to the workers");
    return false;
  }
}

// True once all of them work by it.
bool Daemon::hand_to_workers(const config::Settings& settings, const ServiceLayout& layout,
                             const OfferKeeper& offers) {
  std::uint32_t reloads = 0;
  // First: who takes the settings takes these too, and they are for the services of both.
  directives_.offers.give(offers.histories());
  {
    const std::lock_guard lock(directives_.mutex);
    directives_.settings.clear();
    for (unsigned index = 0; index < workers_count_; ++index) {
      engine::EngineSettings& mine = directives_.settings.emplace_back(
          engine_settings(settings, layout, host_, workers_count_, index));
      mine.offers = offers.histories();
      mine.learned = offers.board();
    }
    directives_.backend_counts = layout.backend_counts();
    directives_.realtime = settings.realtime;
    reloads = directives_.reloads.fetch_add(1, std::memory_order_release) + 1;
  }
  for (const Worker& worker : workers_) worker.wake();
  const Instant deadline = io::now() + workers_patience;
  const auto taken = [&](const Worker& worker) { return worker.reloads_taken() == reloads; };
  while (!std::ranges::all_of(workers_, taken)) {
    if (io::now() > deadline) {
      service::log_error("the workers do not take it within {} s", workers_patience.count());
      return false;
    }
    feed_watchdog();
    poll(nullptr, 0, 1);  // a worker in a flood takes it after the batch at hand
  }
  if (!std::ranges::any_of(workers_, &Worker::refuses_reload)) return true;
  service::log_error(
      "its tables do not fit into memory: add fewer services, or choose a smaller "
      "`half_open.backlog` (each service has one) or `splice.early_data.total`");
  return false;
}

}  // namespace synward
