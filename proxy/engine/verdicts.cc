// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/verdicts.h"

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

}  // namespace synward::engine
