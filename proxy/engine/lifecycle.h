// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a flow begins, looks for its backend, and ends.
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

inline constexpr std::chrono::milliseconds backend_silence{600};  // S3: then another is tried

// A redeemed connection or a guess, not counted as open yet; nullptr if there is no room.
flow::Flow* open_flow(Core& core, const flow::ConnectionKey& key);
ServiceState& service_of(Core& core, const flow::Flow& flow);
// Chooses a redeemed connection's first backend and sends it a SYN; a RST to the client if none is
// left.
void ask_first_backend(Core& core, flow::Flow& flow, Instant now, Outbox& out);
// Sends the (next) SYN to the flow's backend and arms its timer.
void send_backend_syn(Core& core, flow::Flow& flow, Instant now, Outbox& out);
// S3: others are preferred to the present backend for a while, for everybody's connections, unless
// it has answered one of them since it was asked: only where the sign of its failure cannot be
// forged by those who would harm it.
void pass_over(Core& core, const flow::Flow& flow, Instant now);
// The present backend did not take the connection: the next one, or a RST to the client.
void backend_failed(Core& core, flow::Flow& flow, BackendFailure failure, Instant now, Outbox& out);
// Both sides are done: states to `closed` unless they ended by themselves, timer for the linger.
void end_flow(Core& core, flow::Flow& flow, CloseReason reason, Instant now);
// RFC 9293 3.10.7.4, eighth, TIME-WAIT: a FIN that comes again restarts the 2MSL of its receiver.
void fin_again(Core& core, flow::Flow& flow, Side from, Instant now);
void release_early_data(Core& core, flow::Flow& flow);
void erase_flow(Core& core, flow::Flow& flow);
void set_state(Core& core, flow::Flow& flow, Side side, tcp::State state);
// After observe(): moves the gauges from the states before to those now.
void count_states(ServiceCounters& counters, const tcp::Connection& before,
                  const tcp::Connection& now);

}  // namespace synward::engine
