// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a segment of a joined connection. Tracked first (RFC 9293 3.10.7.4: acceptance before
// everything), then translated, then sent on its way.
#include "proxy/engine/step_splice.h"

#include "proxy/engine/capacity.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_adopt.h"
#include "proxy/engine/step_challenge.h"
#include "proxy/engine/timers.h"
#include "proxy/engine/treatment.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::Phase;

namespace {

// The backend did not get our acknowledgement and repeats its SYN-ACK: acknowledge again, for the
// client, which knows nothing of it.
Decision acknowledge_again(const Arrival& arrival, const Flow& flow) {
  const tcp::Endpoint& client = flow.connection.client;
  wire::SegmentToSend ack;
  ack.source = {flow.key.client, flow.key.client_port};
  ack.destination = flow.backend_endpoint;
  ack.seq = client.snd_nxt;
  ack.ack = flow.connection.backend.snd_una - flow.offsets.sequence;
  ack.flags = wire::flag_ack;
  treat_as_client(ack, flow);
  ack.window = splice::window_for_backend(
      flow.offsets, static_cast<std::uint32_t>(flow.connection.backend.window_right -
                                               flow.connection.backend.snd_una));
  if (flow.promised(SYNWARD_OFFER_TIMESTAMPS)) {
    ack.options.timestamps = wire::Timestamps{flow.client_tsval, flow.backend_tsval};
  }
  send(arrival.out, arrival.service.counters, ack);
  return consume();
}

void count(ServiceCounters& counters, Side from, const wire::Segment& segment, bool again) {
  const auto direction =
      static_cast<std::size_t>(from == Side::client ? Direction::to_backend : Direction::to_client);
  counters.segments_translated[direction].add();
  counters.bytes_translated[direction].add(segment.payload_length());
  if (again) counters.segment_retransmits[direction].add();
}

// RFC 5961 4: whatever its numbers, a SYN ends nothing.
Decision unexpected_syn(Core& core, const Arrival& arrival, Flow& flow) {
  const wire::Segment& segment = arrival.segment;
  if (flow.phase != Phase::spliced) return drop(arrival, synward_reason_out_of_window);
  if (arrival.from == Side::client) {
    challenge_ack(core, arrival, flow);
    return drop(arrival, synward_reason_out_of_window);
  }
  const bool repeated_syn_ack =
      segment.has(wire::flag_ack) && segment.seq + flow.offsets.sequence == flow.challenge_isn;
  if (repeated_syn_ack) return acknowledge_again(arrival, flow);
  return drop(arrival, synward_reason_out_of_window);
}

// What a client without this connection says to our challenge ACK. Nobody who has not seen that
// knows the number: as good as a RST at RCV.NXT.
bool answers_challenge(const Flow& flow, Side from, const tcp::Seen& what) {
  return flow.syn_challenged && from == Side::client && (what.flags & wire::flag_rst) != 0 &&
         what.seq == flow.connection.client.snd_una;
}

// A RST that may have ended the connection is believed if both sides are silent from then on: a
// receiver that still lives answers it with a challenge ACK (RFC 5961 3.2).
constexpr std::chrono::seconds silence_after_reset{2};

void watch_reset(Core& core, const Arrival& arrival, Flow& flow, tcp::Outcome outcome) {
  if (outcome == tcp::Outcome::in_order || outcome == tcp::Outcome::retransmitted) {
    flow.reset_possible = false;
    if (arrival.from == Side::client) flow.syn_challenged = false;
  } else if (outcome == tcp::Outcome::possible_reset && !flow.reset_possible) {
    flow.reset_possible = true;
    core.flows.arm(flow, arrival.now, arrival.now + silence_after_reset);
  }
}

bool closes(const tcp::Connection& before, const tcp::Connection& now) {
  return before.client.fin_sent != now.client.fin_sent ||
         before.backend.fin_sent != now.backend.fin_sent;
}

// Its timeout may be a shorter one from now on (T4).
void watch_half_closed(Core& core, Flow& flow, Instant now) {
  if (now + idle_timeout(core, flow) < flow.deadline) watch_idle(core, flow, now);
}

}  // namespace

tcp::Seen seen(const Flow& flow, Side from, const wire::Segment& segment) {
  tcp::Seen result{.seq = segment.seq,
                   .ack = segment.ack,
                   .payload_length = segment.payload_length(),
                   .flags = segment.flags,
                   .window = splice::client_window_bytes(flow.offsets, segment.window)};
  if (from == Side::backend) {
    result.seq += flow.offsets.sequence;
    result.window = splice::backend_window_bytes(flow.offsets, segment.window);
  }
  if (flow.adoption != flow::Adoption::none) {  // its scale is unknown: the widest reading
    result.window = std::uint32_t{segment.window} << wire::window_scale_max;
  }
  return result;
}

Decision splice_segment(Core& core, const Arrival& arrival, Flow& flow) {
  const wire::Segment& segment = arrival.segment;
  ServiceCounters& counters = arrival.service.counters;
  if (!flow.joined()) return given_up(arrival, flow);
  if (segment.has(wire::flag_syn)) return unexpected_syn(core, arrival, flow);

  // RFC 6040 4.2: a loss is the only sign of congestion that this client will hear.
  const bool congestion =
      (segment.ip.traffic_class & wire::ecn_mask) == wire::ecn_congestion_experienced;
  if (congestion && arrival.from == Side::client && flow.offsets.clear_ecn) {
    return drop(arrival, synward_reason_congestion_unheard);
  }

  const tcp::Connection before = flow.connection;
  const tcp::Seen what = seen(flow, arrival.from, segment);
  const tcp::Outcome outcome = tcp::observe(flow.connection, arrival.from, what);
  if (outcome == tcp::Outcome::out_of_window) return drop(arrival, synward_reason_out_of_window);
  const bool is_reset = segment.has(wire::flag_rst);
  if (!is_reset) confirm_adoption(core, arrival, flow, what.ack);
  if (arrival.from == Side::client) note_treatment(flow, segment.ip);
  if (arrival.from == Side::client && segment.options.timestamps) {
    flow.client_tsval = wire::later_tsval(flow.client_tsval, segment.options.timestamps->value);
  }
  heard(core, flow, arrival.now);
  count_states(counters, before, flow.connection);
  count(counters, arrival.from, segment, outcome == tcp::Outcome::retransmitted);

  if (arrival.from == Side::client) {
    splice::translate_to_backend(segment, flow.offsets, flow.backend_endpoint);
  } else {
    splice::translate_to_client(segment, flow.offsets, core.service_endpoint(flow.key.listen));
  }

  const bool disowned = answers_challenge(flow, arrival.from, what);
  if (flow.phase == Phase::spliced) {
    // There is nothing proven to protect in a provisional flow.
    const bool unproven = is_provisional(flow) && outcome == tcp::Outcome::possible_reset;
    if (!unproven) watch_reset(core, arrival, flow, outcome);
    if (closes(before, flow.connection)) watch_half_closed(core, flow, arrival.now);
    if (outcome == tcp::Outcome::reset || disowned || unproven) {
      // What comes there next may be another's, who is not to find it lingering.
      is_provisional(flow) ? erase_flow(core, flow)
                           : end_flow(core, flow, CloseReason::reset, arrival.now);
    } else if (tcp::finished(flow.connection)) {
      end_flow(core, flow, CloseReason::fin, arrival.now);
    }
  } else if (disowned) {
    // As Linux' own TIME-WAIT does unless tcp_rfc1337 is set: the next SYN reopens it.
    set_state(core, flow, Side::backend, tcp::State::closed);
  } else if (segment.has(wire::flag_fin)) {
    fin_again(core, flow, arrival.from, arrival.now);
  }
  return forward(arrival);
}

}  // namespace synward::engine
