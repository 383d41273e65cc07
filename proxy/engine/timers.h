// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is due: retransmissions, expiries, connections that are silent too long.
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

void half_open_timers(Core& core, Instant now, Outbox& out);
void flow_timers(Core& core, Instant now, Outbox& out);
// Arms the timer of an open connection for its idle timeout (T4).
void watch_idle(Core& core, flow::Flow& flow, Instant now);

}  // namespace synward::engine
