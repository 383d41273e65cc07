// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a segment of a connection that a daemon which died had joined. The offsets between its two
// halves died with it: it is never adopted, and each end is told at its next segment by the RST
// that it believes at once (RFC 5961 3.2: at what it expects next, which is what it acknowledges).
// The limit is the connection's own: after a restart all of them have to be told.
#include "proxy/engine/step_orphaned.h"

#include "proxy/engine/resets.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

namespace {

flow::BackendTuple tuple_of(const wire::Segment& segment, Side from) {
  return from == Side::client ? flow::BackendTuple{segment.source, segment.destination}
                              : flow::BackendTuple{segment.destination, segment.source};
}

}  // namespace

std::optional<Decision> orphaned(Core& core, const Stray& stray) {
  const wire::Segment& segment = stray.segment;
  if (!segment.has(wire::flag_ack) && !segment.has(wire::flag_rst)) return std::nullopt;
  flow::Orphans& orphans = *core.settings.orphans;
  const flow::BackendTuple tuple = tuple_of(segment, stray.from);
  flow::Orphans::Orphan* const orphan = orphans.find(stray.from, tuple);
  if (orphan == nullptr) return std::nullopt;

  Instant& answered = orphan->answered[static_cast<std::size_t>(stray.from)];
  const bool is_reset = segment.has(wire::flag_rst);
  if (!is_reset && flood::may_answer(answered, stray.now)) {
    send(stray.out, stray.counters, reset_for(segment));
  }
  // A backend that answers a SYN knows nothing of an older connection: once refused, its next
  // answer may be to somebody who calls it past us.
  const bool accepts = stray.from == Side::backend && segment.has(wire::flag_syn);
  if (is_reset || accepts) orphans.forget(stray.from, tuple);
  return drop(stray.counters, synward_reason_orphaned);
}

Decision pass_call(Core& core, const wire::Segment& syn) {
  for (const Side side : {Side::client, Side::backend}) {
    core.settings.orphans->forget(side, tuple_of(syn, Side::client));
  }
  return pass();
}

Decision of_no_service(Core& core, Stray stray, bool may_be_either) {
  if (!core.settings.orphans->had_any()) return drop(stray.counters, synward_reason_not_a_service);
  if (stray.segment.has(wire::flag_syn) && !stray.segment.has(wire::flag_ack)) {
    return pass_call(core, stray.segment);
  }
  if (const auto decision = orphaned(core, stray)) return *decision;
  stray.from = stray.from == Side::client ? Side::backend : Side::client;
  if (may_be_either) {
    if (const auto decision = orphaned(core, stray)) return *decision;
  }
  return pass();
}

}  // namespace synward::engine
