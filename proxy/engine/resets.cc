// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/resets.h"

#include "proxy/engine/lifecycle.h"
#include "proxy/engine/treatment.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::Phase;
using wire::SeqNumber;

namespace {

// A RST at the sequence number that it has, and at `second` if that is another one.
void send_at_both(Core& core, const Flow& flow, wire::SegmentToSend reset, SeqNumber second,
                  Outbox& out) {
  ServiceCounters& counters = service_of(core, flow).counters;
  send(out, counters, reset);
  if (second == reset.seq) return;
  reset.seq = second;
  send(out, counters, reset);
}

void send_reset(const Arrival& arrival) {
  send(arrival.out, arrival.service.counters, reset_for(arrival.segment));
}

}  // namespace

// RFC 5961 3.2: only a RST exactly at RCV.NXT ends a connection at once. What the receiver has
// acknowledged and what was sent to it bound that number; where they differ, both are tried.
void reset_client(Core& core, const Flow& flow, Outbox& out) {
  const bool connecting = flow.phase == Phase::connecting;
  const tcp::Endpoint& backend = flow.connection.backend;
  const SeqNumber first = connecting ? flow.challenge_isn + 1 : backend.snd_nxt;
  const SeqNumber second = connecting ? first : backend.snd_una;
  wire::SegmentToSend reset;
  reset.source = core.service_endpoint(flow.key.listen);
  reset.destination = {flow.key.client, flow.key.client_port};
  reset.seq = first;
  reset.ack = connecting ? flow.client_isn + 1 + flow.early.bytes : flow.connection.client.snd_nxt;
  reset.flags = wire::flag_rst | wire::flag_ack;
  treat_as_service(core, reset, flow);
  send_at_both(core, flow, reset, second, out);
}

void reset_backend(Core& core, const Flow& flow, Outbox& out) {
  if (flow.backend_syns == 0) return;
  const bool connecting = flow.phase == Phase::connecting;
  const tcp::Endpoint& client = flow.connection.client;
  const SeqNumber first = connecting ? flow.client_isn + 1 : client.snd_nxt;
  const SeqNumber second = connecting ? first : client.snd_una;
  wire::SegmentToSend reset;
  reset.source = {flow.key.client, flow.key.client_port};
  reset.destination = flow.backend_endpoint;
  reset.seq = first;
  reset.flags = wire::flag_rst;
  if (!connecting) {
    reset.ack = flow.connection.backend.snd_una - flow.offsets.sequence;
    reset.flags |= wire::flag_ack;
  }
  treat_as_client(reset, flow);
  send_at_both(core, flow, reset, second, out);
}

wire::SegmentToSend reset_for(const wire::Segment& segment) {
  wire::SegmentToSend reset;
  reset.source = segment.destination;
  reset.destination = segment.source;
  if (segment.has(wire::flag_ack)) {
    reset.seq = segment.ack;
    reset.flags = wire::flag_rst;
  } else {
    reset.ack = segment.seq + segment.length();
    reset.flags = wire::flag_rst | wire::flag_ack;
  }
  // As Linux reflects them in its RSTs.
  reset.traffic_class = wire::without_ecn(segment.ip.traffic_class);
  reset.flow_label = segment.ip.flow_label;
  return reset;
}

void refuse(Core& core, const Arrival& arrival) {
  if (arrival.segment.has(wire::flag_rst)) return;
  if (core.answers.spend(arrival.key, arrival.from, arrival.now)) send_reset(arrival);
}

Decision given_up(const Arrival& arrival, Flow& flow) {
  if (!arrival.segment.has(wire::flag_rst) && flood::may_answer(flow.answered, arrival.now)) {
    send_reset(arrival);
  }
  return drop(arrival, synward_reason_unknown_segment);
}

void reset_old_connection(const Arrival& arrival, const Flow& flow) {
  wire::SegmentToSend reset = reset_for(arrival.segment);
  treat_as_client(reset, flow);
  send(arrival.out, arrival.service.counters, reset);
}

}  // namespace synward::engine
