// SPDX-License-Identifier: GPL-2.0-or-later
//
// T4: who gives way when the table of connections fills. Seen by proxy/engine only.
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

inline constexpr std::chrono::seconds look_every{60};  // at each connection: has it been silent?
// A flow begins to be open, or ceases to. Not a guess (T6): it would count against the network that
// somebody forged it of.
void count_open(Core& core, const flow::Flow& flow, bool begins);
// How long it may be silent: its timeout, shorter where the table fills (T4).
Duration idle_timeout(const Core& core, const flow::Flow& flow);
// It is not silent.
void heard(Core& core, flow::Flow& flow, Instant now);
void end_silent(Core& core, flow::Flow& flow, Instant now, Outbox& out);
// For a client that wants in there is a place, or somebody would give way.
bool place_is_left(Core& core, const Arrival& arrival);
// For a client that is proven: at the bound, one that is silent or above its share gives way. If
// there is none, a few places are left for whom a SYN was answered before.
void make_room(Core& core, const Arrival& arrival);
// Goes on with a search that found nobody.
void search_on(Core& core);

}  // namespace synward::engine
