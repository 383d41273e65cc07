// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

// `flow`: the connection that the client has already, or nullptr.
Decision answer_syn(Core& core, const Arrival& arrival, flow::Flow* flow);
Decision challenge_ack(Core& core, const Arrival& arrival, flow::Flow& flow);  // RFC 5961 4
// The challenge of an entry, once more.
wire::SegmentToSend challenge_for(Core& core, Instant now, const flow::HalfOpenEntry& entry);
// An entry leaves the half-open queue.
void forget(ServiceState& service, flow::HalfOpenEntry& entry);

}  // namespace synward::engine
