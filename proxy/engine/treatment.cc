// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/treatment.h"

namespace synward::engine {

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
