// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <memory>
#include <optional>

#include "proxy/counters.h"
#include "proxy/engine/effect.h"
#include "proxy/engine/settings.h"
#include "proxy/time.h"
#include "proxy/wire/segment.h"

namespace synward::engine {

// Which interfaces a packet came through; one may be both. From this host come its own ICMP errors,
// about segments that it cannot forward, and its own SYNs to translated services.
struct Ingress {
  bool from_client_side = false;
  bool from_server_side = false;
  bool from_this_host = false;
};

// One worker's decisions: a function of bytes, what it remembers, and `now`. Makes no system call,
// reads no clock, takes no lock, and no packet and no tick allocates.
class Engine {
 public:
  Engine(const EngineSettings& settings, Counters& counters, Instant now);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // The steps of a packet, in order: read on_packet in engine.cc first.
  Decision on_packet(Instant now, const wire::PacketView& packet, Ingress ingress, Outbox& out);

  // Timers that are due: retransmissions, expiries, idle connections. Stops when `out` is nearly
  // full; then next_deadline() is in the past, and the caller comes back after sending.
  void on_tick(Instant now, Outbox& out);
  // Nothing if none is due `within` that time: how far to look, as looking costs.
  std::optional<Instant> next_deadline(Duration within) const;

  // A reload: connections, half-open entries and counters stay. The counters must have grown to the
  // new services before. Allocates; not for the packet path.
  void apply(const EngineSettings& settings, Instant now);
  // C4: the wall clock was stepped.
  void re_anchor(Duration wall_offset, Instant now);
  // C10: by listen, as in the settings. An offer that begins now must have been announced before.
  void set_offers(std::vector<handshake::OfferHistory> offers, Instant now);
  // The host's addresses or links have changed. Allocates.
  void set_network(const HostNetwork& network);
  // Packets that the kernel refused to send (perform found out).
  void count_send_failures(std::uint64_t packets);
  // The ordered stop: ends connections with a RST to both sides until `out` is nearly full; true if
  // some may be left, and the caller comes back after sending. `place` is 0 at first, and goes on
  // from call to call: each connection is looked at once.
  bool reset_some(std::uint32_t& place, Outbox& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace synward::engine
