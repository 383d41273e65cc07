// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a flow begins, looks for its backend, and ends.
#include "proxy/engine/lifecycle.h"

#include <algorithm>

#include "proxy/engine/capacity.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_adopt.h"
#include "proxy/engine/treatment.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::Phase;
using tcp::State;

namespace {

constexpr std::chrono::milliseconds first_backend_rto{200};  // S3, then doubling
// RFC 9293 3.4.2: 2MSL with the MSL that Linux and its conntrack use.
constexpr std::chrono::seconds two_msl{60};
// After a reset only segments that were under way are to be expected.
constexpr std::chrono::seconds after_reset{10};

Gauge& gauge(ServiceCounters& counters, Side side, State state) {
  return counters.connections[static_cast<std::size_t>(side)][static_cast<std::size_t>(state)];
}

bool others_left(const Core& core, const Flow& flow, Instant now) {
  return core.choice.next(flow.key, flow.backends_tried, now).has_value();
}

// Doubling from 0.2 s; cut short where another backend is to be tried, and by connect_timeout.
Instant next_attempt(const Core& core, const Flow& flow, Instant now) {
  const auto doublings = std::min<unsigned>(flow.backend_syns - 1U, 10);
  Instant at = now + first_backend_rto * (1U << doublings);
  if (others_left(core, flow, now)) at = std::min(at, flow.backend_syn_at + backend_silence);
  return std::min(at, flow.connect_deadline);
}

void choose_backend(Core& core, Flow& flow, std::uint16_t position, Instant now) {
  flow.backend = position;
  flow.backends_tried |= core.choice.tried_bit(flow.key.listen, position);
  const wire::Endpoint& backend = core.directory.backend(flow.service, position);
  core.flows.set_backend(flow, backend);
  core.live_tuples.ask(core.flows.place_of(flow), backend);
  core.settings.orphans->forget(
      Side::backend, {.client = {flow.key.client, flow.key.client_port}, .backend = backend});
  flow.backend_syns = 0;
  flow.backend_syn_at = now;
}

// A backend knows a connection by its client's address and port alone. Where this client has an
// open one behind another listen, a second SYN would end that: such a backend counts as tried.
std::uint64_t backends_in_use(Core& core, const Flow& flow) {
  std::uint64_t in_use = 0;
  for (const std::uint16_t position : core.directory.candidates(flow.key.listen)) {
    const Flow* other =
        core.flows.find_before_backend({.client = {flow.key.client, flow.key.client_port},
                                        .backend = core.directory.backend(flow.service, position)});
    if (other == nullptr || other->phase == Phase::lingering) continue;
    in_use |= core.choice.tried_bit(flow.key.listen, position);
  }
  return in_use;
}

void abandon_syn(Core& core, const Flow& flow, Instant now) {
  core.abandoned.add(
      {.client = {flow.key.client, flow.key.client_port}, .backend = flow.backend_endpoint},
      flow.client_isn, now);
}

BackendCounters& backend_counters(Core& core, const Flow& flow) {
  return service_of(core, flow).counters.backends[flow.backend];
}

// S5: what the client offered and was promised.
wire::SegmentToSend backend_syn(const Flow& flow) {
  const synward_client_offer& offer = flow.client_offer;
  wire::SegmentToSend syn;
  syn.source = {flow.key.client, flow.key.client_port};
  syn.destination = flow.backend_endpoint;
  syn.seq = flow.client_isn;
  syn.flags = wire::flag_syn;
  treat_as_client(syn, flow);
  // Never scaled in a SYN (RFC 7323 2.2).
  syn.window = static_cast<std::uint16_t>(
      std::min(splice::client_window_bytes(flow.offsets, flow.client_window), 65535U));
  syn.options.mss = offer.mss;
  if (flow.offsets.promised_scale != SYNWARD_WINDOW_SCALE_ABSENT) {
    syn.options.window_scale = offer.window_scale;
  }
  syn.options.sack_permitted = flow.promised(SYNWARD_OFFER_SACK);
  if (flow.promised(SYNWARD_OFFER_TIMESTAMPS)) {
    syn.options.timestamps = wire::Timestamps{flow.client_tsval, 0};
  }
  // RFC 3168 6.1.1: an ECN-setup SYN.
  if (flow.promised(SYNWARD_OFFER_ECN)) syn.flags |= wire::flag_ece | wire::flag_cwr;
  return syn;
}

}  // namespace

ServiceState& service_of(Core& core, const Flow& flow) {
  return core.services[flow.service];
}

void set_state(Core& core, Flow& flow, Side side, State state) {
  ServiceCounters& counters = service_of(core, flow).counters;
  tcp::Endpoint& endpoint = flow.connection.of(side);
  gauge(counters, side, endpoint.state).add(-1);
  endpoint.state = state;
  gauge(counters, side, state).add(1);
}

void count_states(ServiceCounters& counters, const tcp::Connection& before,
                  const tcp::Connection& now) {
  if (before.client.state != now.client.state) {
    gauge(counters, Side::client, before.client.state).add(-1);
    gauge(counters, Side::client, now.client.state).add(1);
  }
  if (before.backend.state != now.backend.state) {
    gauge(counters, Side::backend, before.backend.state).add(-1);
    gauge(counters, Side::backend, now.backend.state).add(1);
  }
}

Flow* open_flow(Core& core, const flow::ConnectionKey& key) {
  Flow* flow = core.flows.insert(key);
  if (flow == nullptr) {
    Flow* oldest = core.flows.oldest_lingering();  // T4
    if (oldest == nullptr) return nullptr;
    erase_flow(core, *oldest);
    flow = core.flows.insert(key);
  }
  flow->service = core.directory.listen(key.listen).service;
  ServiceCounters& counters = service_of(core, *flow).counters;
  flow->connection.client.state = State::established;
  flow->connection.backend.state = State::listen;
  gauge(counters, Side::client, State::established).add(1);
  gauge(counters, Side::backend, State::listen).add(1);
  return flow;
}

void ask_first_backend(Core& core, Flow& flow, Instant now, Outbox& out) {
  flow.backends_tried = backends_in_use(core, flow);
  const auto first = core.choice.next(flow.key, flow.backends_tried, now);
  if (!first) {
    reset_client(core, flow, out);
    end_flow(core, flow, CloseReason::backend_refused, now);
    return;
  }
  choose_backend(core, flow, *first, now);
  send_backend_syn(core, flow, now, out);
}

void send_backend_syn(Core& core, Flow& flow, Instant now, Outbox& out) {
  send(out, service_of(core, flow).counters, backend_syn(flow));
  BackendCounters& counters = backend_counters(core, flow);
  counters.syns_sent.add();
  if (flow.backend_syns > 0) counters.syn_retransmits.add();
  if (flow.backend_syns < 255) ++flow.backend_syns;
  core.flows.arm(flow, now, next_attempt(core, flow, now));
}

void pass_over(Core& core, const Flow& flow, Instant now) {
  core.choice.failed(
      {.service = flow.service, .position = flow.backend, .asked = flow.backend_syn_at}, now);
}

void backend_failed(Core& core, Flow& flow, BackendFailure failure, Instant now, Outbox& out) {
  backend_counters(core, flow).failures[static_cast<std::size_t>(failure)].add();
  const auto next = core.choice.next(flow.key, flow.backends_tried, now);
  if (next && now < flow.connect_deadline) {
    abandon_syn(core, flow, now);
    choose_backend(core, flow, *next, now);
    send_backend_syn(core, flow, now, out);
    return;
  }
  reset_client(core, flow, out);
  end_flow(core, flow,
           failure == BackendFailure::refused ? CloseReason::backend_refused
                                              : CloseReason::backend_timeout,
           now);
}

void end_flow(Core& core, Flow& flow, CloseReason reason, Instant now) {
  ServiceCounters& counters = service_of(core, flow).counters;
  if (is_provisional(flow)) {  // nobody has seen that it was open
    --core.provisional_flows;
    flow.adoption = flow::Adoption::lasting;
  } else {
    counters.connections_closed[static_cast<std::size_t>(reason)].add();
    if (flow.phase != Phase::lingering) count_open(core, flow, false);
  }
  release_early_data(core, flow);
  if (!flow.joined() && flow.backend_syns > 0) abandon_syn(core, flow, now);
  if (reason != CloseReason::fin) {
    set_state(core, flow, Side::client, State::closed);
    set_state(core, flow, Side::backend, State::closed);
  }
  flow.phase = Phase::lingering;
  core.live_tuples.end(core.flows.place_of(flow));
  core.flows.linger(flow);
  core.flows.arm(flow, now, now + (reason == CloseReason::fin ? two_msl : after_reset));
}

void fin_again(Core& core, Flow& flow, Side from, Instant now) {
  if (flow.connection.peer_of(from).state == State::time_wait) {
    core.flows.arm(flow, now, now + two_msl);
  }
}

void release_early_data(Core& core, Flow& flow) {
  service_of(core, flow).counters.early_data_bytes.add(-std::int64_t{flow.early.bytes});
  core.early_data_shares.change(flow.key.client, flow.early.bytes, 0);
  core.early_data.release(flow.early);
}

void erase_flow(Core& core, Flow& flow) {
  ServiceCounters& counters = service_of(core, flow).counters;
  if (is_provisional(flow)) {
    --core.provisional_flows;
  } else if (flow.phase != Phase::lingering) {
    count_open(core, flow, false);
  }
  gauge(counters, Side::client, flow.connection.client.state).add(-1);
  gauge(counters, Side::backend, flow.connection.backend.state).add(-1);
  release_early_data(core, flow);
  core.live_tuples.end(core.flows.place_of(flow));
  core.flows.erase(flow);
}

}  // namespace synward::engine
