// SPDX-License-Identifier: GPL-2.0-or-later
//
// From what the operator wrote to what the parts are made from.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "config/settings.h"
#include "daemon/first_start.h"
#include "daemon/io/ruleset.h"
#include "daemon/service_layout.h"
#include "proxy/engine/settings.h"

namespace synward {

// What may change while the daemon runs. The addresses are sorted.
struct NetworkFacts {
  std::uint32_t server_mtu = 1500;  // the smallest of the server interfaces
  std::vector<wire::Address> own_addresses;
  std::vector<wire::Address> broadcasts;  // directed, of the networks that we are in
  bool operator==(const NetworkFacts&) const = default;
};

// What the host adds to the settings.
struct HostFacts {
  NetworkFacts network;
  handshake::MasterKey master_key{};
  Duration wall_offset{};
  flow::HashKey hash_key{};
  std::shared_ptr<handshake::SpentCookies> spent_cookies;
  std::shared_ptr<flow::Orphans> orphans = std::make_shared<flow::Orphans>();
  std::uint32_t steering_seed = 0;  // keeps a flood from aiming at one worker
  FirstStart first_start;
};

unsigned worker_count(const config::Settings& settings);  // `auto`: CPUs that we may run on
// Retired listens and backends too: their connections go on.
io::RulesetPlan ruleset_plan(const config::Settings& settings, const ServiceLayout& layout,
                             const HostFacts& host, unsigned workers);
// O2, O3: until its backends are learned, what every server of today accepts; MSS and window are
// upper bounds also after that.
handshake::ServiceOffer unlearned_offer(const wire::Endpoint& listen,
                                        const config::Settings& settings, const HostFacts& host);
engine::HostNetwork engine_network(const NetworkFacts& network);
// Bounds are divided so that the workers' shares add up to what was set, but each has room for one
// connection at least. `offers` and `learned` are the OfferKeeper's to set.
engine::EngineSettings engine_settings(const config::Settings& settings,
                                       const ServiceLayout& layout, const HostFacts& host,
                                       unsigned workers, unsigned worker);

}  // namespace synward
