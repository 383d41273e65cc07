// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a segment of a connection that is older than the daemon (T6). It was made without us, so
// nothing is to be translated; it is let through and tracked, with numbers learnt from what both
// sides say. Until the other side has answered to it, it is provisional: any host can send one
// segment, and of a connection that is none of ours we may see one direction alone. So it refuses
// nothing, and one that the next segment contradicts is forgotten. Only in front of transparent
// services: behind any other address there was nobody.
#include "proxy/engine/step_adopt.h"

#include "proxy/engine/capacity.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/step_splice.h"
#include "proxy/engine/timers.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Adoption;
using flow::Flow;
using tcp::State;

namespace {

constexpr std::chrono::seconds provisional_life{30};

bool may_adopt(const Core& core, const Arrival& arrival) {
  const wire::Segment& segment = arrival.segment;
  const bool mid_stream =
      segment.has(wire::flag_ack) && !segment.has(wire::flag_syn) && !segment.has(wire::flag_rst);
  const backend::Listen& listen = core.directory.listen(arrival.key.listen);
  if (!mid_stream || !listen.transparent || listen.retired) return false;
  // The client is about to open a new one there.
  if (arrival.from == Side::backend && arrival.service.queue.find(arrival.key) != nullptr) {
    return false;
  }
  // A server is no attacker, but a daemon that ran before us may have left it half a connection,
  // with other numbers than the client's.
  return arrival.now < core.settings.adopt_until ||
         (arrival.from == Side::backend && core.settings.adopt_from_servers);
}

// The window scale is unknown: the widest reading, so that the tracker refuses nothing.
constexpr unsigned widest_scale = wire::window_scale_max;

void start_tracking(Flow& flow, const Arrival& arrival) {
  const wire::Segment& segment = arrival.segment;
  tcp::Connection& connection = flow.connection;
  connection.began_unseen = true;
  tcp::Endpoint& sender = connection.of(arrival.from);
  tcp::Endpoint& receiver = connection.peer_of(arrival.from);
  sender.snd_una = sender.snd_nxt = segment.seq;
  receiver.snd_una = receiver.snd_nxt = segment.ack;
  constexpr std::uint32_t widest = 65535U << widest_scale;
  sender.window_max = receiver.window_max = widest;
  sender.window_right = segment.seq + widest;
  receiver.window_right = segment.ack + widest;
}

}  // namespace

std::optional<Decision> adopt(Core& core, const Arrival& arrival) {
  if (!may_adopt(core, arrival)) return std::nullopt;
  if (core.provisional_flows >= core.flows.capacity() / 4) return std::nullopt;
  const backend::Listen& listen = core.directory.listen(arrival.key.listen);
  // Behind another listen the client has one with this backend, which is ours.
  if (core.flows.find_before_backend({.client = {arrival.key.client, arrival.key.client_port},
                                      .backend = listen.endpoint}) != nullptr) {
    return std::nullopt;
  }
  Flow* flow = open_flow(core, arrival.key);
  if (flow == nullptr) return drop(arrival, synward_reason_flow_table_full);
  ++core.provisional_flows;
  core.flows.linger(*flow);  // who comes with more than a guess has its place
  flow->backend = core.directory.candidates(arrival.key.listen).front();
  core.flows.set_backend(*flow, listen.endpoint);
  flow->backend_syns = 1;  // it knows of the connection
  flow->phase = flow::Phase::spliced;
  flow->adoption = arrival.from == Side::client ? Adoption::by_client : Adoption::by_backend;
  set_state(core, *flow, Side::backend, State::established);
  start_tracking(*flow, arrival);
  core.flows.arm(*flow, arrival.now, arrival.now + provisional_life);
  return splice_segment(core, arrival, *flow);
}

bool is_provisional(const Flow& flow) {
  return flow.adoption == Adoption::by_client || flow.adoption == Adoption::by_backend;
}

// From the client anybody may speak: that ends no guess that rests on what the server said.
bool contradicts(const Flow& flow, Side from, const wire::Segment& segment) {
  if (!is_provisional(flow)) return false;
  if (segment.has(wire::flag_syn)) return true;
  if (from == Side::client && flow.adoption == Adoption::by_backend) return false;
  tcp::Connection connection = flow.connection;
  return tcp::observe(connection, from, seen(flow, from, segment)) == tcp::Outcome::out_of_window;
}

void confirm_adoption(Core& core, const Arrival& arrival, Flow& flow, wire::SeqNumber ack) {
  const Side adopted_by = flow.adoption == Adoption::by_client ? Side::client : Side::backend;
  if (!is_provisional(flow) || arrival.from == adopted_by) return;
  if (ack < flow.connection.of(adopted_by).snd_una) return;
  flow.adoption = Adoption::lasting;
  --core.provisional_flows;
  core.flows.revive(flow);
  count_open(core, flow, true);
  arrival.service.counters.connections_spliced.add();
  watch_idle(core, flow, arrival.now);
}

}  // namespace synward::engine
