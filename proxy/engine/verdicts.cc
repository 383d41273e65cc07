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

// The kernel lets a packet in its queue become a longer or a shorter one, but since 2026 only with
// the IP options and extension headers that it has: its skb knows where they are. An answer has
// none (a SYN's source route is not to be followed), so to such a SYN it goes out by itself.
Decision reply(const Arrival& arrival, const wire::SegmentToSend& answer) {
  if (!arrival.segment.ip.plain) {
    send(arrival.out, arrival.service.counters, answer);
    return consume();
  }
  const std::span<const std::uint8_t> packet = arrival.out.write(answer);
  if (packet.empty()) return drop(arrival, synward_reason_send_failed);
  return {Verdict::reply, packet};
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
