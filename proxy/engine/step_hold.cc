// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: what the client sends before the backend has answered is held, in order and bounded, and
// not acknowledged (S4): if we lose it, the client sends it again.
#include "proxy/engine/step_hold.h"

#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_challenge.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using wire::SeqNumber;

namespace {

// The next sequence number expected of the client.
SeqNumber expected(const Flow& flow) {
  return flow.client_isn + 1 + flow.early.bytes + (flow.early_fin ? 1 : 0);
}

// RFC 9293 3.10.7.4, second: a RST exactly at RCV.NXT ends the connection; the backend, if it heard
// of us, is told. That number is both what we hold up to and what the client has been told. Where
// data before the RST was lost or refused, it lies beyond; one that the client repeats in answer to
// our challenge ACK is at what it has been told (RFC 5961 3.2).
Decision cancelled(Core& core, const Arrival& arrival, Flow& flow) {
  const SeqNumber seq = arrival.segment.seq;
  const SeqNumber told = flow.client_isn + 1;
  if (seq != expected(flow) && seq != told) {
    const std::int32_t ahead = seq - told;
    const bool in_window = ahead > 0 && ahead < core.offer(flow.key.listen, arrival.now).window;
    return in_window ? challenge_ack(core, arrival, flow)
                     : drop(arrival, synward_reason_out_of_window);
  }
  reset_backend(core, flow, arrival.out);
  end_flow(core, flow, CloseReason::reset, arrival.now);
  return consume();
}

// What a segment in order says of its sender. One that overtook others is dropped, and must not
// make those look old to the backend: its PAWS test (RFC 7323 5.3) would refuse what is released.
// Nor does an older window count (RFC 9293 3.10.7.4, fifth: SND.WL1 =< SEG.SEQ).
void hear(Flow& flow, const wire::Segment& segment, SeqNumber next) {
  if (segment.options.timestamps) {
    flow.client_tsval = wire::later_tsval(flow.client_tsval, segment.options.timestamps->value);
  }
  const bool newest = segment.seq == next || segment.seq + segment.length() > next;
  if (newest) flow.client_window = segment.window;
}

// RFC 6093 3.1: the pointer is at the byte behind the urgent data, from the segment's own sequence
// number on, and may be ahead of what has come. There is one mark: a later one takes its place.
void note_urgent(Flow& flow, const wire::Segment& segment) {
  if (!segment.has(wire::flag_urg)) return;
  const std::int32_t end = segment.seq + segment.urgent_pointer - (flow.client_isn + 1);
  flow.early.urgent = std::max(flow.early.urgent, static_cast<std::uint32_t>(std::max(end, 0)));
}

// The client must send it again.
Decision lost(const Arrival& arrival, Reason reason) {
  arrival.service.counters.early_data_dropped.add();
  return drop(arrival, reason);
}

// False if there is no room for it: of the connection, the network, or the whole.
bool keep(Core& core, const Arrival& arrival, Flow& flow, std::span<const std::uint8_t> fresh) {
  using handshake::EarlyData;
  const std::uint32_t before = flow.early.bytes;
  const std::uint32_t now = before + static_cast<std::uint32_t>(fresh.size());
  const std::uint64_t memory = EarlyData::memory_of(now) - EarlyData::memory_of(before);
  const std::uint64_t of_network = core.early_data_shares.memory_of(flow.key.client);
  if (of_network + memory > early_data_of_prefix_max(core.settings)) return false;
  if (!core.early_data.append(flow.early, fresh)) return false;
  core.early_data_shares.change(flow.key.client, before, now);
  arrival.service.counters.early_data_bytes.add(static_cast<std::int64_t>(fresh.size()));
  return true;
}

}  // namespace

Decision hold(Core& core, const Arrival& arrival, Flow& flow) {
  const wire::Segment& segment = arrival.segment;
  if (segment.has(wire::flag_rst)) return cancelled(core, arrival, flow);
  if (!segment.has(wire::flag_ack) || segment.ack != flow.challenge_isn + 1) {
    return drop(arrival, synward_reason_out_of_window);
  }

  const bool fin = segment.has(wire::flag_fin);
  const SeqNumber next = expected(flow);
  const SeqNumber end = segment.seq + segment.length();
  if (segment.seq > next) {
    if (segment.length() == 0) return drop(arrival, synward_reason_out_of_window);
    return lost(arrival, synward_reason_early_data_out_of_order);
  }
  hear(flow, segment, next);
  note_urgent(flow, segment);
  if (end <= next) {
    // A bare acknowledgement, a keep-alive, or what we hold already.
    if (segment.length() == 0 || segment.seq + 1 == flow.client_isn + 1) return consume();
    return drop(arrival, synward_reason_early_data_duplicate);
  }
  // RFC 9293 3.10.7.4, seventh: after a FIN there is no text.
  if (flow.early_fin) return drop(arrival, synward_reason_out_of_window);
  const auto known = static_cast<std::size_t>(next - segment.seq);
  if (known < segment.payload_length()) {
    const auto fresh = segment.payload().subspan(known);
    if (!keep(core, arrival, flow, fresh)) return lost(arrival, synward_reason_early_data_full);
  }
  if (fin) {
    flow.early_fin = true;
    const auto before = flow.connection;
    flow.connection.client.state = tcp::State::fin_wait_1;
    count_states(arrival.service.counters, before, flow.connection);
  }
  return consume();
}

}  // namespace synward::engine
