// SPDX-License-Identifier: GPL-2.0-or-later
//
// Connections that are older than the daemon (T6).
#pragma once
#include <optional>

#include "proxy/engine/core.h"

namespace synward::engine {

// A flow for a segment that has none; nothing if it is no business of ours.
std::optional<Decision> adopt(Core& core, const Arrival& arrival);
// Only one side has spoken so far.
bool is_provisional(const flow::Flow& flow);
// The segment tells that a provisional flow was a wrong guess: it is to be forgotten, and the
// segment looked at anew.
bool contradicts(const flow::Flow& flow, Side from, const wire::Segment& segment);
// An accepted segment, which acknowledges `ack` in client-side numbers, came for an adopted flow.
void confirm_adoption(Core& core, const Arrival& arrival, flow::Flow& flow, wire::SeqNumber ack);

}  // namespace synward::engine
