// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a SYN to a service from where it cannot be called: this host, a server's interface, or its
// own backend. Nobody is left to wait.
#include "proxy/engine/step_refuse_call.h"

#include "proxy/engine/resets.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

bool calls_translated(const Core& core, const wire::Segment& segment) {
  const auto listens = core.directory.find_listens(segment.destination);
  if (listens.empty() || !segment.has(wire::flag_syn) || segment.has(wire::flag_ack)) return false;
  const backend::Listen& called = core.directory.listen(listens.front());
  return !called.transparent && !called.retired;
}

// RFC 9293 3.10.7.1, as a closed port would.
Decision refuse_call(Core& core, Instant now, const wire::Segment& segment, Outbox& out) {
  const std::uint16_t listen = core.directory.find_listens(segment.destination).front();
  const Arrival arrival{.now = now,
                        .segment = segment,
                        .from = Side::client,
                        .key = {segment.source.address, segment.source.port, listen},
                        .service = core.service_of(listen),
                        .out = out};
  refuse(core, arrival);
  return drop(arrival, synward_reason_not_a_client);
}

}  // namespace synward::engine
