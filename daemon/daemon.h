// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/deficit.h"
#include "daemon/incidents.h"
#include "daemon/io/network_watch.h"
#include "daemon/io/nfqueue.h"
#include "daemon/io/queue_statistics.h"
#include "daemon/io/ruleset.h"
#include "daemon/key_file.h"
#include "daemon/metrics/collector.h"
#include "daemon/metrics/exposer.h"
#include "daemon/offer_keeper.h"
#include "daemon/plan.h"
#include "daemon/service/signals.h"
#include "daemon/service_layout.h"
#include "daemon/status.h"
#include "daemon/succession.h"
#include "daemon/worker.h"

namespace synward {

// The running process. Members are in the order in which they start, and go in the reverse one:
// rules are the last to come (packets are queued only when somebody reads) and the first to go.
class Daemon {
 public:
  // Everything that can fail does so here, with one sentence; nothing is left behind then.
  static std::expected<std::unique_ptr<Daemon>, std::string> start(const config::Settings& settings,
                                                                   std::string config_file);
  ~Daemon();

  // Until TERM or INT; then the ordered stop. HUP reads the configuration file again. False if a
  // worker hangs: the rules are gone, but the process must end without waiting for that thread.
  bool run(service::Signals& signals);

 private:
  Daemon(const config::Settings& settings, std::string config_file);
  std::expected<void, std::string> start_watching();
  std::expected<void, std::string> take_succession();
  std::expected<void, std::string> start_workers();
  std::expected<void, std::string> open_worker(unsigned index);
  std::expected<void, std::string> start_metrics();
  void tell_start() const;
  std::vector<metrics::QueueSample> queue_samples();

  // --- reload.cc ---
  struct Wanted {
    config::Settings settings;
    ServiceLayout layout;
    std::unique_ptr<OfferKeeper> offers;
  };
  void reload();
  std::optional<Wanted> read_wanted();
  bool take_over(Wanted wanted);
  bool put_in_force(const Wanted& wanted);
  bool hand_to_workers(const config::Settings& settings, const ServiceLayout& layout,
                       const OfferKeeper& offers);

  bool stop();
  // --- watch.cc ---
  void every_turn();
  void feed_watchdog();
  void every_second();
  void tell_status();
  void tell_incidents();
  void watch_reply_path();
  void look_at_routing(const io::Ruleset::Way& way);
  void watch_segments();
  std::string firewall_cure() const;
  void renew_offers();
  std::optional<std::string> examine() const;

  // --- network.cc ---
  void follow_network();
  void tell_network(NetworkFacts facts);
  void renew_rules();
  bool find_interfaces();  // false: to be tried again
  void look_at_links();
  void warn_of_obstacles();
  void look_at_obstacles_again();

  config::Settings settings_;
  const std::string config_file_;
  const unsigned workers_count_;
  const std::uint16_t queue_start_;  // settings_ is the main thread's, and changes
  ServiceLayout layout_;
  HostFacts host_;
  std::unique_ptr<Succession> succession_;
  std::optional<io::NetworkWatch> network_watch_;
  bool network_changed_ = false;  // and not read yet
  bool rules_outdated_ = false;
  std::set<std::string> warned_;  // of what is in the way of answers
  Instant obstacles_looked_at_{};
  std::unique_ptr<ClockAnchor> clock_;
  std::unique_ptr<OfferKeeper> offers_;
  Directives directives_;
  std::deque<Counters> counters_;  // by worker
  std::deque<Worker> workers_;
  std::unique_ptr<io::Ruleset> ruleset_;
  io::QueueTotals queue_totals_;
  // Before the exposer, whose threads ask for it until they are gone.
  mutable std::mutex health_mutex_;
  // Why, guarded by health_mutex_: until the rules are in place nothing is protected.
  std::optional<std::string> unhealthy_ = "starting";
  std::shared_ptr<metrics::Collector> collector_;
  std::unique_ptr<metrics::Exposer> exposer_;

  StatusLine status_;
  Incidents incidents_;
  bool protecting_ = false;      // it was healthy once
  bool reload_refused_ = false;  // the last one
  std::vector<std::uint64_t> progress_seen_;
  std::vector<int> seconds_without_progress_;
  std::optional<std::string> interface_gone_;
  std::optional<std::string> link_down_;  // on one side: why nothing passes
  bool restart_cures_ = true;             // what makes it unhealthy: the watchdog is not fed
  Instant watchdog_fed_at_{};
  // Whether challenges written in place leave.
  struct ReplyPath {
    static constexpr std::chrono::minutes wait_first{1};
    bool possible = true;  // nothing speaks against it
    Deficit deficit;       // of the firewall's making
    Deficit routing;       // of routing's
    Instant again_at{};
    Duration wait = wait_first;
  };
  ReplyPath reply_path_;
  Deficit segments_;
  std::optional<Instant> segments_blocked_at_;  // seen last
};

}  // namespace synward
