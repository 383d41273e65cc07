// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/plan.h"

#include <sched.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/ranges.h"
#include "daemon/io/queue_numbers.h"
#include "proxy/handshake/early_data.h"

namespace synward {
namespace {

template <class Number>
Number share(Number whole, unsigned parts, unsigned part) {
  return whole / parts + (part < whole % parts ? 1 : 0);
}

}  // namespace

handshake::ServiceOffer unlearned_offer(const wire::Endpoint& listen,
                                        const config::Settings& settings, const HostFacts& host) {
  const std::uint32_t headers = listen.address.is_ipv4() ? 40 : 60;
  handshake::ServiceOffer offer;
  offer.mss = static_cast<std::uint16_t>(std::clamp<std::uint32_t>(
      host.network.server_mtu - std::min(headers, host.network.server_mtu), 64, 65535));
  offer.window = static_cast<std::uint16_t>(
      std::min<std::uint64_t>(settings.splice.early_data.per_connection_bytes, 65535));
  return offer;
}

unsigned worker_count(const config::Settings& settings) {
  if (settings.workers) return *settings.workers;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  // As many as the configuration would let an operator ask for.
  constexpr unsigned workers_max = 64;
  static_assert(config::range::queues_per_worker == io::queues_per_worker);
  const unsigned queues_left = (65536U - settings.queue_start) / io::queues_per_worker;
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&set)), 1U, std::min(workers_max, queues_left));
}

io::RulesetPlan ruleset_plan(const config::Settings& settings, const ServiceLayout& layout,
                             const HostFacts& host, unsigned workers) {
  io::RulesetPlan plan{.client_interfaces = settings.interfaces.client,
                       .server_interfaces = settings.interfaces.server,
                       .listens = {},
                       .translated = {},
                       .backends = {},
                       .own_addresses = host.network.own_addresses,
                       .queue_start = settings.queue_start,
                       .workers = static_cast<std::uint16_t>(workers),
                       .mark = settings.mark.value,
                       .mark_mask = settings.mark.mask,
                       .steering_seed = host.steering_seed};
  const backend::Directory& directory = layout.directory();
  for (std::uint16_t i = 0; i < directory.listen_count(); ++i) {
    const backend::Listen& listen = directory.listen(i);
    plan.listens.push_back(listen.endpoint);
    if (!listen.transparent && !listen.retired) plan.translated.push_back(listen.endpoint);
  }
  for (std::uint16_t service = 0; service < directory.service_count(); ++service) {
    for (std::uint16_t i = 0; i < directory.backend_count(service); ++i) {
      plan.backends.push_back(directory.backend(service, i));
    }
  }
  // Connections of a daemon that died are told of it wherever they were, configured or not.
  std::ranges::copy(host.orphans->listens(), std::back_inserter(plan.listens));
  std::ranges::copy(host.orphans->backends(), std::back_inserter(plan.backends));
  // Services may share a backend, or have taken a listen over; a set of nftables may not hold an
  // element twice.
  for (auto* const endpoints : {&plan.listens, &plan.backends}) {
    std::ranges::sort(*endpoints);
    const auto twice = std::ranges::unique(*endpoints);
    endpoints->erase(twice.begin(), twice.end());
  }
  return plan;
}

engine::HostNetwork engine_network(const NetworkFacts& network) {
  engine::HostNetwork result{.own_addresses = network.own_addresses,
                             .server_mtu = network.server_mtu};
  // Not in the rules: there own addresses are what servers may talk to unseen (F3).
  result.own_addresses.insert(result.own_addresses.end(), network.broadcasts.begin(),
                              network.broadcasts.end());
  return result;
}

engine::EngineSettings engine_settings(const config::Settings& settings,
                                       const ServiceLayout& layout, const HostFacts& host,
                                       unsigned workers, unsigned worker) {
  engine::EngineSettings result;
  result.services = layout.plans();
  for (backend::ServicePlan& service : result.services) {
    std::uint32_t& limit = service.synacks_per_prefix;
    if (limit != 0) limit = std::max(share(limit, workers, worker), 1U);
  }
  auto [own_addresses, server_mtu] = engine_network(host.network);
  result.own_addresses = std::move(own_addresses);
  result.server_mtu = server_mtu;
  result.backlog = std::max(share(settings.half_open.backlog, workers, worker), 1U);
  result.synack_timeout = settings.half_open.synack_timeout;
  result.synack_retries = settings.half_open.synack_retries;
  result.high_watermark_percent = settings.half_open.high_watermark_percent;
  result.low_watermark_percent = settings.half_open.low_watermark_percent;
  result.connections = std::max(share(settings.splice.connections, workers, worker), 1U);
  result.connect_timeout = settings.splice.connect_timeout;
  result.idle = settings.splice.idle;
  result.half_closed_idle = settings.splice.half_closed_idle;
  result.early_data_per_connection =
      static_cast<std::uint32_t>(settings.splice.early_data.per_connection_bytes);
  result.early_data_total =
      std::max<std::uint64_t>(share(settings.splice.early_data.total_bytes, workers, worker),
                              handshake::EarlyData::memory_of(result.early_data_per_connection));
  result.reset_unknown_segments =
      settings.splice.unknown_segments == config::UnknownSegments::reset;
  result.adopt_until = host.first_start.at + Duration(settings.splice.adopt);
  result.adopt_from_servers =
      host.first_start.is_this_one && settings.splice.adopt != Duration::zero();
  result.master_key = host.master_key;
  result.wall_offset = host.wall_offset;
  result.hash_key = host.hash_key;
  result.spent_cookies = host.spent_cookies;
  result.orphans = host.orphans;
  return result;
}

}  // namespace synward
