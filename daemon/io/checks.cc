// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/checks.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <optional>
#include <utility>

#include "daemon/io/small_file.h"

namespace synward::io {
namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::string suggestion(const std::string& name, const std::vector<std::string>& existing) {
  const auto nearest = std::ranges::min_element(
      existing, {}, [&](auto& other) { return edit_distance(name, other); });
  if (nearest == existing.end() || edit_distance(name, *nearest) > 2) return "";
  return fmt::format("; did you mean `{}`?", *nearest);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::optional<int> read_sysctl(const NetworkPlan& plan, const std::string& path) {
  const auto text = read_small_file(plan.sysctl + "/" + path);
  int value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{})
    return std::nullopt;
  return value;
}

// net.ipv4.conf.IFACE.KEY; sysctl(8) wants the dots of a name (eth0.100) as slashes.
struct InterfaceSetting {
  std::string interface;
  const char* key;

  std::string path() const { return fmt::format("net/ipv4/conf/{}/{}", interface, key); }
  std::string name() const {
    std::string word = interface;
    std::ranges::replace(word, '.', '/');
    return fmt::format("net.ipv4.conf.{}.{}", word, key);
  }
};

// The commands that set those of `settings` whose value is `bad` to `good`.
std::string cure(const NetworkPlan& plan, const std::vector<InterfaceSetting>& settings, int bad,
                 int good) {
  std::string words;
  for (const auto& setting : settings)
    if (read_sysctl(plan, setting.path()) == bad)
      words += fmt::format(" {}={}", setting.name(), good);
  return fmt::format("`sysctl -w{}`", words);
}

bool uses_ipv4(const NetworkPlan& plan) {
  return std::ranges::any_of(plan.listens, [](auto& address) { return address.is_ipv4(); });
}

bool uses_ipv6(const NetworkPlan& plan) {
  return std::ranges::any_of(plan.listens, [](auto& address) { return !address.is_ipv4(); });
}

// The effective rp_filter is the greater of `all` and the interface's: 2 (loose) beats 1. Strict
// asks that the way back leads through the interface, loose that there is one.
void find_reverse_path_filter(const NetworkPlan& plan, const std::string& interface,
                              Findings& findings) {
  const std::vector<InterfaceSetting> settings{{"all", "rp_filter"}, {interface, "rp_filter"}};
  const int effective = std::max(read_sysctl(plan, settings[0].path()).value_or(0),
                                 read_sysctl(plan, settings[1].path()).value_or(0));
  if (effective == 2 && !plan.unroutable.empty()) {
    findings.push_back(
        {.fatal = false,
         .sentence = fmt::format("there is no route to {}, and the loose reverse path filter of {} "
                                 "drops packets with such a source; add a route (`ip route add "
                                 "default via ...`), or {}",
                                 wire::to_string(plan.unroutable.front()), interface,
                                 cure(plan, settings, 2, 0))});
  }
  if (effective != 1) return;
  findings.push_back({.fatal = false,
                      .sentence = fmt::format("the reverse path filter of {} is strict and drops "
                                              "packets with a service's address as source; {}",
                                              interface, cure(plan, settings, 1, 0))});
}

// Either of `all` and the interface's switches redirects on.
void find_redirects(const NetworkPlan& plan, const std::string& interface, Findings& findings) {
  const std::vector<InterfaceSetting> settings{{"all", "send_redirects"},
                                               {interface, "send_redirects"}};
  const bool on = std::ranges::any_of(
      settings, [&](auto& setting) { return read_sysctl(plan, setting.path()).value_or(0) == 1; });
  if (!on) return;
  findings.push_back(
      {.fatal = false,
       .sentence = fmt::format("{} sends an ICMP redirect for answers that leave where their SYN "
                               "came in; {}",
                               interface, cure(plan, settings, 1, 0))});
}

// br_netfilter shows a bridge's packets to the hooks of IP before they have left the bridge, which
// then looks among its own ports for the way of a packet that was turned round.
void find_bridge_hooks(const NetworkPlan& plan, Findings& findings) {
  std::string words;
  for (const auto& [used, key] : {std::pair{uses_ipv4(plan), "bridge-nf-call-iptables"},
                                  std::pair{uses_ipv6(plan), "bridge-nf-call-ip6tables"}}) {
    if (used && read_sysctl(plan, fmt::format("net/bridge/{}", key)) == 1)
      words += fmt::format(" net.bridge.{}=0", key);
  }
  if (words.empty() || plan.bridges.empty()) return;
  findings.push_back({.fatal = false,
                      .sentence = fmt::format("{} is a bridge, and br_netfilter takes its packets "
                                              "before they are routed; `sysctl -w{}`",
                                              plan.bridges.front(), words)});
}

// Either of `all` and the interface's switches it on.
void find_refused_local_source(const NetworkPlan& plan, const std::string& interface,
                               Findings& findings) {
  const auto local = std::ranges::find_if(plan.listens, [&](auto& listen) {
    return listen.is_ipv4() && std::ranges::find(plan.own, listen) != plan.own.end();
  });
  if (local == plan.listens.end()) return;
  const InterfaceSetting setting{interface, "accept_local"};
  if (read_sysctl(plan, InterfaceSetting{"all", "accept_local"}.path()).value_or(0) == 1) return;
  if (read_sysctl(plan, setting.path()).value_or(0) == 1) return;
  findings.push_back(
      {.fatal = false,
       .sentence = fmt::format("{} is an address of this machine, and {} drops packets with such a "
                               "source; `sysctl -w {}=1`",
                               wire::to_string(*local), interface, setting.name())});
}

}  // namespace

Findings check_capabilities(bool (*held)(unsigned)) {
  struct Need {
    unsigned capability;
    const char* name;
    const char* purpose;
  };
  constexpr std::array needs{Need{CAP_NET_ADMIN, "CAP_NET_ADMIN", "packet queues and nftables"},
                             Need{CAP_NET_RAW, "CAP_NET_RAW", "raw sockets"}};
  Findings findings;
  for (const Need& need : needs) {
    if (held(need.capability)) continue;
    findings.push_back(
        {.fatal = true,
         .sentence = fmt::format("{} is missing ({}); add it to AmbientCapabilities= or run under "
                                 "the shipped unit",
                                 need.name, need.purpose)});
  }
  return findings;
}

Findings check_realtime(int priority, int limit, bool (*held)(unsigned)) {
  if (limit >= priority || held(CAP_SYS_NICE)) return {};
  return {
      {.fatal = true,
       .sentence = fmt::format("`realtime: {}` is not allowed to this process; set LimitRTPRIO={} "
                               "and RestrictRealtime=no in a drop-in of the unit (example: "
                               "realtime.conf)",
                               priority, priority)}};
}

int realtime_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_RTPRIO, &limit) != 0) return 0;
  constexpr rlim_t highest = 99;
  return static_cast<int>(std::min(limit.rlim_cur, highest));
}

Findings check_interfaces(const std::vector<std::string>& wanted,
                          const std::vector<std::string>& existing,
                          std::optional<std::string> (*real_name)(const std::string&)) {
  Findings findings;
  for (const std::string& name : wanted) {
    if (std::ranges::find(existing, name) != existing.end()) continue;
    if (const auto real = real_name(name)) {
      findings.push_back({.fatal = true,
                          .sentence = fmt::format("interface `{}` is an alternative name of `{}`; "
                                                  "write `{}`",
                                                  name, *real, *real)});
      continue;
    }
    findings.push_back({.fatal = true,
                        .sentence = fmt::format("interface `{}` does not exist{} (there are: {})",
                                                name, suggestion(name, existing), join(existing))});
  }
  return findings;
}

Findings check_forwarding(const NetworkPlan& plan) {
  Findings findings;
  std::vector<std::string> interfaces = plan.client_interfaces;
  interfaces.insert(interfaces.end(), plan.server_interfaces.begin(), plan.server_interfaces.end());
  // IPv4 asks the interface that a packet came in by (ip_forward only sets them all), IPv6 the
  // whole machine.
  const bool ipv4_off = std::ranges::any_of(interfaces, [&](auto& interface) {
    return read_sysctl(plan, InterfaceSetting{interface, "forwarding"}.path()).value_or(1) == 0;
  });
  if (uses_ipv4(plan) && ipv4_off)
    findings.push_back({.fatal = false,
                        .sentence = "IPv4 is not forwarded between the interfaces; `sysctl -w "
                                    "net.ipv4.ip_forward=1`"});
  if (uses_ipv6(plan) && read_sysctl(plan, "net/ipv6/conf/all/forwarding").value_or(0) == 0)
    findings.push_back({.fatal = false,
                        .sentence = "IPv6 is not forwarded; `sysctl -w "
                                    "net.ipv6.conf.all.forwarding=1`"});
  return findings;
}

Findings in_place_obstacles(const NetworkPlan& plan) {
  Findings findings;
  find_bridge_hooks(plan, findings);
  if (!uses_ipv4(plan)) return findings;
  for (const std::string& interface : plan.client_interfaces) {
    find_reverse_path_filter(plan, interface, findings);
    find_redirects(plan, interface, findings);
    find_refused_local_source(plan, interface, findings);
  }
  return findings;
}

Findings answer_obstacles(const NetworkPlan& plan) {
  Findings findings;
  for (const wire::Address& address : plan.transparent) {
    if (std::ranges::find(plan.own, address) == plan.own.end()) continue;
    findings.push_back(
        {.fatal = false,
         .sentence = fmt::format("{} is an address of this machine, and its service has no "
                                 "`backends`; a server on this machine needs a network namespace "
                                 "of its own, and `backends` that name its address there",
                                 wire::to_string(address))});
  }
  if (!uses_ipv4(plan) || !plan.translates) return findings;
  for (const std::string& interface : plan.server_interfaces) {
    find_reverse_path_filter(plan, interface, findings);
    find_refused_local_source(plan, interface, findings);
  }
  return findings;
}

}  // namespace synward::io
