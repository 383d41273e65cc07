// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a client's segment of no connection. If its service has left the configuration it is none
// of ours and passes; else it belongs to a connection that is older than the daemon
// (step_adopt.cc), or is dropped, or answered with a RST where the operator asked for it
// (splice.unknown_segments).
#include "proxy/engine/core.h"
#include "proxy/engine/step_adopt.h"

namespace synward::engine {
namespace {

// RFC 9293 3.10.7.1: the RST that a segment to a closed port deserves.
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

void send_reset(const Arrival& arrival) {
  send(arrival.out, arrival.service.counters, reset_for(arrival.segment));
}

}  // namespace

Decision given_up(const Arrival& arrival, flow::Flow& flow) {
  if (!arrival.segment.has(wire::flag_rst) && flood::may_answer(flow.answered, arrival.now)) {
    send_reset(arrival);
  }
  return drop(arrival, synward_reason_unknown_segment);
}

void refuse(Core& core, const Arrival& arrival) {
  if (arrival.segment.has(wire::flag_rst)) return;
  if (core.answers.spend(arrival.key, arrival.from, arrival.now)) send_reset(arrival);
}

Decision unknown(Core& core, const Arrival& arrival) {
  const wire::Segment& segment = arrival.segment;
  if (core.directory.listen(arrival.key.listen).retired) return pass();
  if (const auto adopted = adopt(core, arrival)) return *adopted;
  if (core.settings.reset_unknown_segments) refuse(core, arrival);
  const bool acknowledges =
      segment.has(wire::flag_ack) && !segment.has(wire::flag_syn | wire::flag_rst);
  if (acknowledges) {
    arrival.service.counters.cookies_rejected[static_cast<std::size_t>(RejectReason::mac)].add();
  }
  return drop(arrival, synward_reason_unknown_segment);
}

}  // namespace synward::engine
