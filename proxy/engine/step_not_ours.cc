// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a segment from a backend's address and port that belongs to no connection of ours (T6). It
// is somebody's who called the backend itself, or the service from where we are not asked: it
// passes as it came. The exceptions are ours after all: a connection whose daemon died, an answer
// to a SYN that we have given up, and a connection that is older than the daemon.
#include "proxy/engine/step_not_ours.h"

#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_adopt.h"
#include "proxy/engine/step_orphaned.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::Phase;

// A client port may be used again past us, to call the backend itself: what the backend says to
// that SYN is not about our connection, which has ended there.
Flow* connection_before_backend(Core& core, const wire::Segment& segment) {
  for (;;) {
    Flow* const flow =
        core.flows.find_before_backend({.client = segment.destination, .backend = segment.source});
    if (flow == nullptr) return nullptr;
    const bool replaced = flow->phase == Phase::lingering && segment.has(wire::flag_syn) &&
                          segment.ack != flow->client_isn + 1;
    if (!replaced && !contradicts(*flow, Side::backend, segment)) return flow;
    erase_flow(core, *flow);
  }
}

Decision not_ours(Core& core, const Arrival& arrival) {
  const wire::Segment& segment = arrival.segment;
  if (const auto decision = orphaned(core, stray(arrival))) return *decision;
  if (segment.has(wire::flag_syn) && segment.has(wire::flag_ack) &&
      core.abandoned.contains({.client = segment.destination, .backend = segment.source},
                              segment.ack - 1, arrival.now)) {
    refuse(core, arrival);
    return drop(arrival, synward_reason_unknown_segment);
  }
  if (const auto adopted = adopt(core, arrival)) return *adopted;
  return pass();
}

}  // namespace synward::engine
