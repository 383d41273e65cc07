// SPDX-License-Identifier: GPL-2.0-or-later
//
// What becomes of a packet, and how one of our own leaves.
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

// A packet cannot be dropped without a reason.
Decision drop(ServiceCounters& counters, Reason reason);
inline Decision drop(const Arrival& arrival, Reason reason) {
  return drop(arrival.service.counters, reason);
}
inline Decision consume() {
  return {Verdict::consume, {}};
}
inline Decision pass() {
  return {Verdict::pass, {}};
}
inline Decision forward(const Arrival& arrival) {
  return {Verdict::forward, arrival.segment.packet};
}
// Answers the sender: in place where the answer has the packet's own length, else by the outbox.
Decision reply(const Arrival& arrival, const wire::SegmentToSend& answer);
void send(Outbox& out, ServiceCounters& counters, const wire::SegmentToSend& segment);

}  // namespace synward::engine
