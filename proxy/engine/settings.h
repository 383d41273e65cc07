// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proxy/backend/directory.h"
#include "proxy/backend/learned.h"
#include "proxy/flow/half_open.h"
#include "proxy/flow/orphans.h"
#include "proxy/handshake/offers.h"
#include "proxy/handshake/spent_cookies.h"
#include "proxy/time.h"

namespace synward::engine {

// Of this host.
struct HostNetwork {
  std::vector<wire::Address> own_addresses;  // directed broadcasts included (F1)
  std::uint32_t server_mtu = 1500;           // of the smallest link to a backend
};

// What one worker's engine is made from: the operator's settings, divided among the workers. All of
// it but backlog, connections, and the keys can be changed by Engine::apply().
struct EngineSettings {
  // By service; at a reload a service keeps its number, and is empty when it is gone.
  std::vector<backend::ServicePlan> services;
  std::vector<handshake::OfferHistory> offers;     // by listen, in the directory's order
  std::shared_ptr<backend::LearnedBoard> learned;  // what SYN-ACKs tell is noted there
  std::vector<wire::Address> own_addresses;  // of this host, directed broadcasts included (F1)

  std::uint32_t backlog = 32768;  // half-open entries per service on this worker
  Duration synack_timeout = std::chrono::seconds(1);
  std::uint32_t synack_retries = 4;
  std::uint32_t high_watermark_percent = 80;
  std::uint32_t low_watermark_percent = 40;

  std::uint32_t connections = 131072;  // on this worker
  Duration connect_timeout = std::chrono::seconds(5);
  Duration idle = std::chrono::hours(2);
  Duration half_closed_idle = std::chrono::minutes(10);
  std::uint32_t early_data_per_connection = 16 * 1024;
  std::uint64_t early_data_total = 32 * 1024 * 1024;
  std::uint32_t server_mtu = 1500;  // of the smallest link to a backend
  bool reset_unknown_segments = false;
  // T6: until then a segment of an unknown connection of a transparent service is taken for one
  // that is older than we are; from servers also later, if no daemon ran before us.
  Instant adopt_until{};
  bool adopt_from_servers = false;

  handshake::MasterKey master_key{};
  Duration wall_offset{};    // CLOCK_REALTIME minus CLOCK_BOOTTIME
  flow::HashKey hash_key{};  // random, per process
  // Shared by all workers: after a restart another one may have a client.
  std::shared_ptr<handshake::SpentCookies> spent_cookies;
  // T6, for a process that comes after this one, and from one that came before and died. The
  // latter is shared by all workers.
  std::span<flow::LiveTuple> live_tuples;
  std::shared_ptr<flow::Orphans> orphans = std::make_shared<flow::Orphans>();
};

}  // namespace synward::engine
