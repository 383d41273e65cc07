// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <optional>

#include "proxy/engine/core.h"

namespace synward::engine {

// A segment that belongs to no connection of this process, and where it is counted.
struct Stray {
  Instant now;
  const wire::Segment& segment;
  Side from;
  ServiceCounters& counters;
  Outbox& out;
};
inline Stray stray(const Arrival& arrival) {
  return {arrival.now, arrival.segment, arrival.from, arrival.service.counters, arrival.out};
}

// T6: of a connection of a daemon that died, which can only be ended. Nothing if it is of none.
std::optional<Decision> orphaned(Core& core, const Stray& stray);
// Who calls past us, at a listen that is configured no more, has done with the connection before.
Decision pass_call(Core& core, const wire::Segment& syn);
// Of nothing that is configured: the rules queue for those connections too. `stray.from` is tried
// first, the other side if it `may_be_either`.
Decision of_no_service(Core& core, Stray stray, bool may_be_either);

}  // namespace synward::engine
