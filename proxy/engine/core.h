// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the steps of the engine share: its state, and a packet on its way through them. Seen by
// proxy/engine only.
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
  std::uint32_t share_hand = 0;         // where one above its share is looked for
  std::uint32_t share_looks_left = 0;   // of the search that goes on from there with the ticks
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
  // Who made them has not heard of everything that was offered here.
  void set_offers(std::vector<handshake::OfferHistory> offers, Instant now);
  const wire::Endpoint& service_endpoint(std::uint16_t listen) const {
    return directory.listen(listen).endpoint;
  }

 private:
  std::optional<std::uint32_t> losses_heeded_;  // of the board's; nothing: offers are new
  void add_services(const EngineSettings& wanted, Instant now);
  void set_limits();
  void remember_made(std::vector<handshake::OfferHistory>& offers, Instant now) const;
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

}  // namespace synward::engine
