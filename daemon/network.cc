// SPDX-License-Identifier: GPL-2.0-or-later
//
// The machine's links and addresses come and go while the daemon runs: an interface is made anew, a
// VIP moves here (VRRP). What is found changed goes to the workers, which take this machine's
// addresses for no client's (F1) and cut to the servers' MTU; to the rules, which leave its own
// connections with servers alone (F3); and, where clients would get no answers, to the journal.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/daemon.h"
#include "daemon/host.h"
#include "daemon/io/clock.h"
#include "daemon/io/interfaces.h"
#include "daemon/service/log.h"

namespace synward {

void Daemon::follow_network() {
  if (network_watch_ && network_watch_->changed()) network_changed_ = true;
  if (network_changed_) {
    // What cannot be read or told now (no descriptor, no memory) is so at the next turn.
    const bool found = find_interfaces();
    look_at_links();
    NetworkFacts facts = host_.network;
    const bool read = read_network(settings_, facts);
    if (facts != host_.network) tell_network(std::move(facts));
    network_changed_ = !read || !found;
    warn_of_obstacles();
  }
  if (rules_outdated_) renew_rules();
}

void Daemon::tell_network(NetworkFacts facts) {
  rules_outdated_ = rules_outdated_ || facts.own_addresses != host_.network.own_addresses;
  directives_.network.give(engine_network(facts));
  host_.network = std::move(facts);
  offers_->follow(settings_, host_);
}

void Daemon::renew_rules() {
  const auto replaced = ruleset_->replace(ruleset_plan(settings_, layout_, host_, workers_count_));
  if (replaced) {
    rules_outdated_ = false;
    return;
  }
  static service::RateLimitedLog log(service::LogLevel::error, 1, std::chrono::minutes(1));
  log.log("the rules are not up to date: {}", replaced.error());
}

namespace {

// Why nothing passes on a side: not one of its interfaces is up. A spare one may be down.
std::optional<std::string> side_down(std::string_view side, const std::vector<std::string>& names) {
  std::string words;
  for (const std::string& name : names) {
    const io::Link link = io::interface_link(name);
    if (link != io::Link::down && link != io::Link::no_carrier) return std::nullopt;
    words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name,
                         link == io::Link::down ? "is down" : "has no carrier");
  }
  if (words.empty()) return std::nullopt;
  return fmt::format("no link to the {}: {}", side, words);
}

}  // namespace

void Daemon::look_at_links() {
  link_down_ = side_down("clients", settings_.interfaces.client);
  if (!link_down_) link_down_ = side_down("servers", settings_.interfaces.server);
}

bool Daemon::find_interfaces() {
  Interfaces found;
  std::optional<std::string> gone;
  const auto& interfaces = settings_.interfaces;
  for (const auto& [names, indices] : {std::pair(&interfaces.client, &found.client),
                                       std::pair(&interfaces.server, &found.server)}) {
    for (const std::string& name : *names) {
      const auto index = io::interface_index(name);
      if (!index) return false;
      if (*index == 0) {
        gone = name;
      } else {
        indices->push_back(*index);
      }
    }
  }
  interface_gone_ = std::move(gone);
  if (found != directives_.interfaces.given()) directives_.interfaces.give(std::move(found));
  return true;
}

// What stands in the way of answers, when it comes and when it is gone: nobody should believe an
// old line, nor restart for what is mended. A link that flaps must not fill the journal.
void Daemon::warn_of_obstacles() {
  static service::RateLimitedLog comes(service::LogLevel::warning, 20, std::chrono::minutes(1));
  static service::RateLimitedLog goes(service::LogLevel::info, 20, std::chrono::minutes(1));
  obstacles_looked_at_ = io::now();
  std::set<std::string> standing;
  for (std::string& warning : host_warnings(settings_)) standing.insert(std::move(warning));
  const std::vector<std::string> in_place = reply_in_place_obstacles(settings_);
  for (const std::string& obstacle : in_place)
    standing.insert("challenges go by raw socket, which is slower: " + obstacle);
  for (const std::string& text : standing)
    if (!warned_.contains(text)) comes.log("{}", text);
  for (const std::string& text : warned_)
    if (!standing.contains(text)) goes.log("no longer: {}", text);
  warned_ = std::move(standing);
  if (reply_path_.possible == in_place.empty()) return;
  reply_path_.possible = in_place.empty();
  directives_.reply_in_place = reply_path_.possible;
  if (reply_path_.possible) goes.log("challenges go in place again");
}

// Routes and sysctls, which no event tells of here: there may be as many routes as the internet
// has, and a sysctl has no events. Some seconds apart, however often it is asked for.
void Daemon::look_at_obstacles_again() {
  constexpr std::chrono::seconds between_looks{5};
  if (io::now() >= obstacles_looked_at_ + between_looks) warn_of_obstacles();
}

}  // namespace synward
