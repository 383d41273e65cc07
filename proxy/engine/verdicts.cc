// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/core.h"

namespace synward::engine {

Decision drop(ServiceCounters& counters, Reason reason) {
  counters.dropped[reason].add();
  return {Verdict::drop, {}};
}

void send(Outbox& out, ServiceCounters& counters, const wire::SegmentToSend& segment) {
  if (!out.send(segment)) counters.dropped[synward_reason_send_failed].add();
}

// The kernel takes a rewritten packet back only at its own length and header shape (kernel.md), so
// an answer that differs in either goes out by itself.
Decision reply(const Arrival& arrival, const wire::SegmentToSend& answer) {
  const wire::Segment& asked = arrival.segment;
  const std::size_t room = asked.packet.size() - asked.ip.transport_offset;
  std::array<std::uint8_t, wire::tcp_options_max> scratch{};
  const std::size_t length =
      wire::tcp_header_min +
      wire::write_tcp_options(scratch, answer.options, answer.options_length_min);
  if (!asked.ip.plain || length != room || !answer.payload.empty()) {
    send(arrival.out, arrival.service.counters, answer);
    return consume();
  }
  wire::emit(asked.packet, answer);
  return {Verdict::reply, asked.packet};
}

void note_treatment(flow::Flow& flow, const wire::IpHeader& of_client) {
  flow.client_dscp = of_client.traffic_class >> wire::ecn_bits;
  flow.client_label = of_client.flow_label & wire::flow_label_mask;
}

void treat_as_client(wire::SegmentToSend& segment, const flow::Flow& flow) {
  segment.traffic_class = static_cast<std::uint8_t>(flow.client_dscp << wire::ecn_bits);
  segment.flow_label = flow.client_label;
}

void treat_as_service(const Core& core, wire::SegmentToSend& segment, const flow::Flow& flow) {
  segment.traffic_class = static_cast<std::uint8_t>(flow.client_dscp << wire::ecn_bits);
  if (flow.key.client.is_ipv4()) return;
  segment.flow_label = core.keys.flow_label({flow.key.client, flow.key.client_port},
                                            core.service_endpoint(flow.key.listen));
}

}  // namespace synward::engine
