// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the steps of the engine share. Seen by proxy/engine only.
#pragma once
#include <algorithm>
#include <deque>
#include <optional>
#include <span>

#include "proxy/backend/abandoned.h"
#include "proxy/backend/choice.h"
#include "proxy/counters.h"
#include "proxy/engine/effect.h"
#include "proxy/engine/settings.h"
#include "proxy/flood/admission.h"
#include "proxy/flood/answer_limit.h"
#include "proxy/flood/prefix_limit.h"
#include "proxy/flow/table.h"
#include "proxy/handshake/early_data.h"
#include "proxy/wire/icmp.h"

namespace synward::engine {

inline constexpr std::chrono::milliseconds backend_silence{600};  // S3: then another is tried

struct ServiceState {
  flow::HalfOpenQueue queue;
  flood::Admission admission;
  flood::PrefixLimit synacks;  // D3
  ServiceCounters& counters;
  std::uint32_t open_flows = 0;
};

// O3: a source prefix that holds so much of the early data is told to wait, by windows of zero.
inline std::uint64_t zero_window_from(const EngineSettings& settings) {
  return std::max<std::uint64_t>(settings.early_data_total / 16, 1);
}
// And beyond so much it is refused: whoever was promised a window before that may use it.
inline std::uint64_t early_data_of_prefix_max(const EngineSettings& settings) {
  return std::max(settings.early_data_total / 8,
                  zero_window_from(settings) + settings.early_data_per_connection);
}

inline constexpr std::uint32_t answers_apart_per_second = 1000;

struct Core {
  Core(const EngineSettings& settings, Counters& counters, Instant now);

  // Engine::apply. std::bad_alloc leaves everything as it was.
  void apply(const EngineSettings& changed, Instant now);

  EngineSettings settings;
  Counters& counters;
  backend::Directory directory;
  backend::Choice choice;
  handshake::Keyring keys;
  flow::FlowTable flows;
  flow::LiveTuples live_tuples;  // of what is in `flows`, for a successor
  handshake::EarlyData early_data;
  handshake::EarlyDataShares early_data_shares;
  flow::PrefixCounters flows_by_prefix;  // open ones
  backend::AbandonedSyns abandoned;
  flow::WaitSchedule schedule;  // of half-open entries
  std::deque<ServiceState> services;
  std::uint32_t provisional_flows = 0;  // T6
  std::uint32_t service_share = 0;      // of open flows, where others want in
  std::uint32_t share_hand = 0;         // where the search for one above its share goes on
  // O3: whose cookie is redeemed before that may have been told a window of zero.
  Instant zero_windows_until{};
  flood::AnswerLimit answers;  // to segments of no connection
  // To SYNs with IP options or extension headers, which nobody else is to pay for: their answers
  // cannot take the SYN's place, and cost a third more.
  flood::RateBudget answers_apart;

  handshake::SpentCookies& spent_cookies() { return *settings.spent_cookies; }
  handshake::Mint mint(Instant now) { return {keys, *settings.spent_cookies, now}; }
  ServiceState& service_of(std::uint16_t listen) {
    return services[directory.listen(listen).service];
  }
  const handshake::ServiceOffer& offer(std::uint16_t listen, Instant now) const {
    return settings.offers[listen].at(keys.epoch(now));
  }
  // What a cookie that is redeemed now may have been made with.
  handshake::OfferHistory::Tries offers_to_try(std::uint16_t listen, Instant now) const {
    return settings.offers[listen].tries(keys.epoch(now));
  }
  // W2: where a backend was heard, by whomever, to accept less than is offered, the offer shrinks
  // now. The cookies of the one before redeem as long as they would have (C10).
  void shrink_offers(Instant now);
  void set_offers(std::vector<handshake::OfferHistory> offers);
  const wire::Endpoint& service_endpoint(std::uint16_t listen) const {
    return directory.listen(listen).endpoint;
  }

 private:
  std::optional<std::uint32_t> losses_heeded_;  // of the board's; nothing: offers are new
  void add_services(const EngineSettings& wanted, Instant now);
  void set_limits();
};

// A packet on its way through the steps.
struct Arrival {
  Instant now;
  const wire::Segment& segment;
  Side from = Side::client;
  flow::ConnectionKey key;  // the client, and the listen it called
  ServiceState& service;
  Outbox& out;
};

// --- verdicts (verdicts.cc) ---
// A packet cannot be dropped without a reason.
Decision drop(ServiceCounters& counters, Reason reason);
inline Decision drop(const Arrival& arrival, Reason reason) {
  return drop(arrival.service.counters, reason);
}
inline Decision consume() {
  return {Verdict::consume, {}};
}
inline Decision pass() {
  return {Verdict::pass, {}};
}
inline Decision forward(const Arrival& arrival) {
  return {Verdict::forward, arrival.segment.packet};
}
// Answers the sender: in the packet's place, but by the outbox where that has IP options.
Decision reply(const Arrival& arrival, const wire::SegmentToSend& answer);
void send(Outbox& out, ServiceCounters& counters, const wire::SegmentToSend& segment);

// What synward says in a connection is treated on its way like what the end says in whose name it
// does: by its DSCP, of which the client's is taken for both, and by its flow label, by which
// routers choose among equal paths. It is never marked (ECN).
void note_treatment(flow::Flow& flow, const wire::IpHeader& of_client);
void treat_as_client(wire::SegmentToSend& segment, const flow::Flow& flow);
void treat_as_service(const Core& core, wire::SegmentToSend& segment, const flow::Flow& flow);

// --- the steps, one file each ---
// `flow`: the connection that the client has already, or nullptr.
Decision answer_syn(Core& core, const Arrival& arrival, flow::Flow* flow);  // step_challenge.cc
Decision redeem(Core& core, const Arrival& arrival);                        // step_redeem.cc
Decision hold(Core& core, const Arrival& arrival, flow::Flow& flow);        // step_hold.cc
Decision complete(Core& core, const Arrival& arrival, flow::Flow& flow);    // step_complete.cc
// O3: tells the client the backend's window, and that again until it has been heard.
void open_window(Core& core, flow::Flow& flow, Instant now, Outbox& out);
Decision splice_segment(Core& core, const Arrival& arrival, flow::Flow& flow);  // step_splice.cc
// As the tracker takes it: in the numbers of the client.
tcp::Seen seen(const flow::Flow& flow, Side from, const wire::Segment& segment);
Decision unknown(Core& core, const Arrival& arrival);  // step_unknown.cc
Decision challenge_ack(Core& core, const Arrival& arrival, flow::Flow& flow);

// --- time (timers.cc) ---
void half_open_timers(Core& core, Instant now, Outbox& out);
void flow_timers(Core& core, Instant now, Outbox& out);
// Arms the timer of an open connection for its idle timeout (T4).
void watch_idle(Core& core, flow::Flow& flow, Instant now);

// --- half-open entries (step_challenge.cc) ---
void forget(ServiceState& service, flow::HalfOpenEntry& entry);
wire::SegmentToSend challenge_for(Core& core, Instant now, const flow::HalfOpenEntry& entry);

// --- life of a flow (lifecycle.cc) ---
// A redeemed connection; nullptr if there is no room.
flow::Flow* open_flow(Core& core, const flow::ConnectionKey& key);
ServiceState& service_of(Core& core, const flow::Flow& flow);
// Chooses a redeemed connection's first backend and sends it a SYN; a RST to the client if none is
// left.
void ask_first_backend(Core& core, flow::Flow& flow, Instant now, Outbox& out);
// Sends the (next) SYN to the flow's backend and arms its timer.
void send_backend_syn(Core& core, flow::Flow& flow, Instant now, Outbox& out);
// S3: others are preferred to the present backend for a while, for everybody's connections: only
// where the sign of its failure cannot be forged by those who would harm it.
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
