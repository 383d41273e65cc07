// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/host.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "daemon/io/checks.h"
#include "daemon/io/interfaces.h"

namespace synward {
namespace {

io::NetworkPlan network_plan(const config::Settings& settings) {
  io::NetworkPlan plan{.client_interfaces = settings.interfaces.client,
                       .server_interfaces = settings.interfaces.server,
                       .bridges = {},
                       .listens = {},
                       .transparent = {},
                       .own = io::read_host_addresses().value_or(io::HostAddresses{}).own,
                       .unroutable = {},
                       .translates = false};
  std::ranges::copy_if(plan.client_interfaces, std::back_inserter(plan.bridges), io::is_bridge);
  for (const config::Service& service : settings.services) {
    for (const wire::Endpoint& listen : service.listen) {
      plan.listens.push_back(listen.address);
      if (listen.address.is_ipv4() && !io::has_route(listen.address))
        plan.unroutable.push_back(listen.address);
      if (service.backends.empty()) plan.transparent.push_back(listen.address);
    }
    plan.translates = plan.translates || !service.backends.empty();
  }
  return plan;
}

std::expected<void, std::string> first_fatal(const io::Findings& findings) {
  for (const io::Finding& finding : findings) {
    if (finding.fatal) return std::unexpected(finding.sentence);
  }
  return {};
}

std::vector<std::string> sentences(const io::Findings& findings) {
  std::vector<std::string> result;
  for (const io::Finding& finding : findings) result.push_back(finding.sentence);
  return result;
}

}  // namespace

std::expected<void, std::string> check_realtime(const config::Settings& settings) {
  if (!settings.realtime) return {};
  return first_fatal(io::check_realtime(*settings.realtime, io::realtime_limit()));
}

std::expected<void, std::string> check_host(const config::Settings& settings) {
  std::vector<std::string> wanted = settings.interfaces.client;
  wanted.insert(wanted.end(), settings.interfaces.server.begin(), settings.interfaces.server.end());
  if (auto checked = first_fatal(io::check_capabilities()); !checked) return checked;
  if (auto checked = check_realtime(settings); !checked) return checked;
  return first_fatal(io::check_interfaces(wanted, io::interface_names()));
}

std::vector<std::string> host_warnings(const config::Settings& settings) {
  const io::NetworkPlan plan = network_plan(settings);
  std::vector<std::string> warnings = sentences(io::check_forwarding(plan));
  for (const std::string& obstacle : sentences(io::answer_obstacles(plan))) {
    warnings.push_back("clients get no answers: " + obstacle);
  }
  return warnings;
}

std::vector<std::string> reply_in_place_obstacles(const config::Settings& settings) {
  return sentences(io::in_place_obstacles(network_plan(settings)));
}

bool read_network(const config::Settings& settings, NetworkFacts& facts) {
  auto addresses = io::read_host_addresses();
  if (!addresses) return false;
  facts.own_addresses = std::move(addresses->own);
  facts.broadcasts = std::move(addresses->broadcasts);
  std::optional<std::uint32_t> smallest;
  for (const std::string& name : settings.interfaces.server) {
    const auto mtu = io::interface_mtu(name);
    if (mtu) smallest = std::min(*mtu, smallest.value_or(*mtu));
  }
  facts.server_mtu = smallest.value_or(facts.server_mtu);
  return true;
}

}  // namespace synward
