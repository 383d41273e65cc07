// SPDX-License-Identifier: GPL-2.0-or-later
//
// Start here: the steps that a packet takes, in order. Each is a function in a file of its own,
// named by what happens.
#include "proxy/engine/engine.h"

#include <unordered_set>

#include "proxy/engine/capacity.h"
#include "proxy/engine/core.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/sources.h"
#include "proxy/engine/step_adopt.h"
#include "proxy/engine/step_challenge.h"
#include "proxy/engine/step_complete.h"
#include "proxy/engine/step_hold.h"
#include "proxy/engine/step_icmp.h"
#include "proxy/engine/step_not_ours.h"
#include "proxy/engine/step_orphaned.h"
#include "proxy/engine/step_redeem.h"
#include "proxy/engine/step_refuse_call.h"
#include "proxy/engine/step_splice.h"
#include "proxy/engine/timers.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using wire::Address;
using wire::Segment;

struct Engine::State : Core {
  State(const EngineSettings& engine_settings, Counters& engine_counters, Instant now)
      : Core(engine_settings, engine_counters, now) {
    set_own_addresses();
  }
  void set_own_addresses() {
    own_addresses = {settings.own_addresses.begin(), settings.own_addresses.end()};
  }

  std::unordered_set<Address, AddressHash> own_addresses;

  // Another service's address may be a client's: its server calls this one.
  bool martian(const Segment& segment) const {
    const Address& source = segment.source.address;
    return is_never_a_source(source) || own_addresses.contains(source) ||
           source == segment.destination.address;
  }

  Decision no_segment(const wire::Refused& refused, Ingress ingress);
  Decision on_icmp_error(Instant now, const wire::IcmpError& error, Ingress ingress, Outbox& out);
  Decision on_segment(Instant now, const Segment& segment, Ingress ingress, Outbox& out);
  Decision from_client(Instant now, const Segment& segment, std::span<const std::uint16_t> listens,
                       Outbox& out);
  Decision from_backend(Instant now, const Segment& segment, flow::Flow& flow, Outbox& out);
  Decision from_backend_unknown(Instant now, const Segment& segment, Outbox& out);
};

Decision Engine::on_packet(Instant now, const wire::PacketView& packet, Ingress ingress,
                           Outbox& out) {
  // 1. Bytes become a segment, or an ICMP error about one, or a reason why not.
  const auto ip = wire::parse_ip(packet.bytes, packet.original_length);
  if (!ip) return drop(state_->counters.none(), ip.error());
  if (ip->protocol != wire::protocol_tcp) {
    const auto error = wire::parse_icmp_error(packet, *ip);
    if (!error) return drop(state_->counters.none(), error.error());
    return state_->on_icmp_error(now, *error, ingress, out);
  }
  const auto segment = wire::parse_segment(packet, *ip);
  if (!segment) return state_->no_segment(segment.error(), ingress);

  return state_->on_segment(now, *segment, ingress, out);
}

// 1'. What is for a service counts there; what is nobody's of ours passes as it came.
Decision Engine::State::no_segment(const wire::Refused& refused, Ingress ingress) {
  if (!refused.ends) return drop(counters.none(), refused.reason);
  const auto& [source, destination] = *refused.ends;
  const auto listens = directory.find_listens(destination);
  if (ingress.from_client_side && !listens.empty()) {
    const flow::ConnectionKey key{source.address, source.port, listens.front()};
    if (directory.listen(listens.front()).retired && flows.find(key) == nullptr) return pass();
    return drop(service_of(listens.front()).counters, refused.reason);
  }
  const bool from_backend = ingress.from_server_side && !directory.listens_before(source).empty();
  if (from_backend &&
      flows.find_before_backend({.client = destination, .backend = source}) == nullptr) {
    return pass();
  }
  const bool configured = !listens.empty() || from_backend;
  if (!configured && settings.orphans->had_any()) return pass();
  return drop(counters.none(), refused.reason);
}

// 2. Whose is it? The rules queue by interface; one interface may be both. An interface that is not
// a client's makes no claim to a service.
//
//   interface       to a listen       from a backend              from a backend to a listen
//   client          the client's      (not queued)                the client's
//   server          nobody's of ours, its connection's,           its connection's, else
//                   but see below     else nobody's of ours       nobody's of ours
//   both            the client's      its connection's,           its connection's, else the
//                                     else nobody's of ours       client's; but a SYN-ACK nobody's
//
// Behind a translated address is nobody but us. A SYN to one from a server's interface, or from
// this host itself, is refused at once; where the address is this host's, its own stack does that.
Decision Engine::State::on_segment(Instant now, const Segment& segment, Ingress ingress,
                                   Outbox& out) {
  const bool from_a_backend =
      ingress.from_server_side && !directory.listens_before(segment.source).empty();
  if (from_a_backend) {
    flow::Flow* const flow = connection_before_backend(*this, segment);
    if (flow != nullptr) return from_backend(now, segment, *flow, out);
  }
  const bool syn_ack = segment.has(wire::flag_syn) && segment.has(wire::flag_ack);
  if (ingress.from_client_side && !(from_a_backend && syn_ack)) {
    const auto listens = directory.find_listens(segment.destination);
    if (!listens.empty()) return from_client(now, segment, listens, out);
  }
  if (calls_translated(*this, segment)) {
    const bool to_this_host = own_addresses.contains(segment.destination.address);
    return to_this_host ? pass() : refuse_call(*this, now, segment, out);
  }
  if (from_a_backend) return from_backend_unknown(now, segment, out);
  return of_no_service(*this,
                       {.now = now,
                        .segment = segment,
                        .from = ingress.from_client_side ? Side::client : Side::backend,
                        .counters = counters.none(),
                        .out = out},
                       ingress.from_client_side && ingress.from_server_side);
}

// 2'. An error goes against the direction of what it quotes: from the client's side comes what is
// about a segment of the service, from the servers' side what is about a segment for a backend.
// This host's own errors are about either.
Decision Engine::State::on_icmp_error(Instant now, const wire::IcmpError& error, Ingress ingress,
                                      Outbox& out) {
  std::span<const std::uint16_t> listens;
  if (ingress.from_client_side || ingress.from_this_host) {
    listens = directory.find_listens(error.source);
    if (const auto decision = error_for_backend(*this, error, listens)) return *decision;
  }
  const bool about_backend = (ingress.from_server_side || ingress.from_this_host) &&
                             !directory.listens_before(error.destination).empty();
  if (about_backend) {
    // Of this machine's own connections with a backend, a learning SYN among them.
    if (own_addresses.contains(error.source.address)) return pass();
    const ErrorArrival arrival{now, error, ingress.from_this_host, out};
    if (const auto decision = error_for_client(*this, arrival)) return *decision;
  }
  if (!listens.empty() || about_backend) return error_of_no_connection(*this, error, listens);
  return settings.orphans->had_any() ? pass() : drop(counters.none(), synward_reason_not_a_service);
}

// `listens`: the one that is called there, then retired ones (a reload), which only have
// connections.
Decision Engine::State::from_client(Instant now, const Segment& segment,
                                    std::span<const std::uint16_t> listens, Outbox& out) {
  std::uint16_t listen = listens.front();
  flow::Flow* flow = nullptr;
  for (const std::uint16_t each : listens) {
    flow = flows.find({segment.source.address, segment.source.port, each});
    if (flow == nullptr) continue;
    listen = each;
    break;
  }
  const Arrival arrival{.now = now,
                        .segment = segment,
                        .from = Side::client,
                        .key = {segment.source.address, segment.source.port, listen},
                        .service = service_of(listen),
                        .out = out};
  // What is proven goes before what was guessed.
  const bool disproved = flow != nullptr && is_provisional(*flow) &&
                         (contradicts(*flow, Side::client, segment) || redeems(*this, arrival));
  if (disproved) {
    erase_flow(*this, *flow);
    flow = nullptr;
  }

  // 3. Sources that cannot be a client's are not answered (F1).
  if (martian(segment)) {
    return directory.listen(listen).retired ? pass() : drop(arrival, synward_reason_martian_source);
  }

  // 4. A SYN is challenged, or told that its connection exists.
  if (segment.has(wire::flag_syn) && !segment.has(wire::flag_ack)) {
    // A backend would be sent a SYN from its own address, and hear nothing of us.
    const bool own_backend =
        !directory.listen(listen).retired && directory.is_candidate(listen, segment.source.address);
    if (own_backend) return refuse_call(*this, now, segment, out);
    return answer_syn(*this, arrival, flow);
  }

  // 5. A segment of a connection: held until the backend has answered, then spliced.
  if (flow != nullptr) {
    return flow->phase == flow::Phase::connecting ? hold(*this, arrival, *flow)
                                                  : splice_segment(*this, arrival, *flow);
  }

  // 6. No connection: does it redeem a challenge?
  return redeem(*this, arrival);
}

Decision Engine::State::from_backend(Instant now, const Segment& segment, flow::Flow& flow,
                                     Outbox& out) {
  const Arrival arrival{.now = now,
                        .segment = segment,
                        .from = Side::backend,
                        .key = flow.key,
                        .service = service_of(flow.key.listen),
                        .out = out};
  // 3'. The answer to our SYN completes the connection; everything later is spliced.
  return flow.phase == flow::Phase::connecting ? complete(*this, arrival, flow)
                                               : splice_segment(*this, arrival, flow);
}

// 4'. No connection: an answer to a SYN that was given up, a connection that is older than this
// daemon, or none of ours.
Decision Engine::State::from_backend_unknown(Instant now, const Segment& segment, Outbox& out) {
  const auto called = directory.find_listens(segment.source);
  const std::uint16_t listen = !called.empty() && directory.listen(called.front()).transparent
                                   ? called.front()
                                   : directory.listens_before(segment.source).front();
  return not_ours(*this, {.now = now,
                          .segment = segment,
                          .from = Side::backend,
                          .key = {segment.destination.address, segment.destination.port, listen},
                          .service = service_of(listen),
                          .out = out});
}

void Engine::on_tick(Instant now, Outbox& out) {
  half_open_timers(*state_, now, out);
  flow_timers(*state_, now, out);
  search_on(*state_);
}

std::optional<Instant> Engine::next_deadline(Duration within) const {
  std::optional<Instant> earliest = state_->flows.next_deadline(within);
  for (const ServiceState& service : state_->services) {
    const auto deadline = service.queue.next_deadline(within);
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  }
  return earliest;
}

void Engine::apply(const EngineSettings& settings, Instant now) {
  state_->apply(settings, now);
  state_->set_own_addresses();
}

void Engine::re_anchor(Duration wall_offset, Instant now) {
  state_->keys.re_anchor(wall_offset, now);
}

void Engine::set_offers(std::vector<handshake::OfferHistory> offers, Instant now) {
  state_->set_offers(std::move(offers), now);
}

// std::bad_alloc leaves everything as it was.
void Engine::set_network(const HostNetwork& network) {
  std::vector<Address> own = network.own_addresses;
  std::unordered_set<Address, AddressHash> looked_up(own.begin(), own.end());
  state_->settings.own_addresses = std::move(own);
  state_->settings.server_mtu = network.server_mtu;
  state_->own_addresses = std::move(looked_up);
}

void Engine::count_send_failures(std::uint64_t packets) {
  state_->counters.none().dropped[synward_reason_send_failed].add(packets);
}

bool Engine::reset_some(std::uint32_t& place, Outbox& out) {
  while (!out.nearly_full()) {
    flow::Flow* const flow = state_->flows.next(place);
    if (flow == nullptr) return false;
    // A guess may be about a connection past us, which goes on.
    if (flow->phase != flow::Phase::lingering && !is_provisional(*flow)) {
      reset_client(*state_, *flow, out);
      reset_backend(*state_, *flow, out);
      service_of(*state_, *flow)
          .counters.connections_closed[static_cast<std::size_t>(CloseReason::shutdown)]
          .add();
    }
    erase_flow(*state_, *flow);
  }
  return true;
}

Engine::Engine(const EngineSettings& settings, Counters& counters, Instant now)
    : state_(std::make_unique<State>(settings, counters, now)) {}

Engine::~Engine() = default;

}  // namespace synward::engine
