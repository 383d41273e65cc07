// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a client's segment of no connection. One whose daemon died is reset (step_orphaned.cc). If
// its service has left the configuration it is none of ours and passes; else it belongs to a
// connection that is older than the daemon (step_adopt.cc), or is dropped, or answered with a RST
// where the operator asked for it (splice.unknown_segments).
#include "proxy/engine/step_unknown.h"

#include "proxy/engine/resets.h"
#include "proxy/engine/step_adopt.h"
#include "proxy/engine/step_orphaned.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

Decision unknown(Core& core, const Arrival& arrival) {
  const wire::Segment& segment = arrival.segment;
  if (const auto decision = orphaned(core, stray(arrival))) return *decision;
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
