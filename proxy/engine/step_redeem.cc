// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: an acknowledgement without a connection redeems a challenge, known from the half-open queue
// or by its cookie alone (S1), and opens exactly one connection (S2).
#include "proxy/engine/step_redeem.h"

#include <optional>

#include "proxy/engine/capacity.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_challenge.h"
#include "proxy/engine/step_hold.h"
#include "proxy/engine/step_unknown.h"
#include "proxy/engine/treatment.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::HalfOpenEntry;
using wire::SeqNumber;

namespace {

using Offers = handshake::OfferHistory::Tries;

std::optional<handshake::Redeemed> redeem_from_queue(Core& core, const Arrival& arrival,
                                                     const HalfOpenEntry& entry,
                                                     const Offers& offers) {
  const wire::Segment& ack = arrival.segment;
  const SeqNumber client_isn(entry.client_isn);
  const SeqNumber challenge_isn(entry.challenge_isn);
  // SEQ = ISN is a keep-alive or a probe; beyond ISN+1 is data that overtook the acknowledgement.
  const std::int32_t ahead = ack.seq - client_isn;
  if (ack.ack != challenge_isn + 1 || ahead < 0) return std::nullopt;
  handshake::Handshake handshake;
  handshake.client = ack.source;
  handshake.service = ack.destination;
  handshake.client_isn = client_isn;
  handshake.challenge_isn = challenge_isn;
  handshake.offer = entry.offer;
  const auto made = handshake::promised_offer(core.mint(arrival.now), handshake, offers.all());
  if (!made || ahead > offers[*made].window + 1) return std::nullopt;
  return handshake::Redeemed{client_isn, entry.offer, *made, entry.client_tsval};
}

std::uint64_t microseconds(Duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

// What the client knows of us and we of it, before the backend has said a word.
void fill(const Core& core, Flow& flow, const Arrival& arrival, const handshake::Redeemed& redeemed,
          const handshake::ServiceOffer& offer) {
  const wire::Segment& ack = arrival.segment;
  const auto promised = handshake::promise(redeemed.client, offer);
  flow.client_offer = redeemed.client;
  flow.promised_flags =
      static_cast<std::uint8_t>((promised.sack ? SYNWARD_OFFER_SACK : 0) |
                                (promised.timestamps ? SYNWARD_OFFER_TIMESTAMPS : 0) |
                                (promised.ecn ? SYNWARD_OFFER_ECN : 0));
  flow.client_isn = redeemed.client_isn;
  flow.challenge_isn = ack.ack - 1;
  flow.offsets.promised_scale = promised.window_scale;
  flow.offsets.client_scale = promised.window_scale == SYNWARD_WINDOW_SCALE_ABSENT
                                  ? std::uint8_t{SYNWARD_WINDOW_SCALE_ABSENT}
                                  : redeemed.client.window_scale;
  // hold() hears the rest, where the acknowledgement is in order.
  flow.client_window = ack.window;
  note_treatment(flow, ack.ip);
  flow.client_tsval = redeemed.client_tsval;
  // One that has none yet is taken to have heard the latest that a challenge could have said, so
  // that the backend's TSvals never run backwards for it.
  flow.challenge_tsval =
      ack.options.timestamps
          ? ack.options.timestamps->echo
          : core.keys.timestamp_clock(arrival.now, ack.source.address, ack.destination.address);
  flow.last_segment = arrival.now;
  if (arrival.now < core.zero_windows_until) flow.window_updates_left = flow::window_updates_max;
  flow.connect_deadline = arrival.now + core.settings.connect_timeout;
}

// A host that never asked answers our SYN-ACK with a RST: its address was spoofed (RFC 9293
// 3.10.7.1 gives that RST the sequence number that we acknowledged).
Decision reset_by_client(Core& core, const Arrival& arrival, HalfOpenEntry* entry) {
  if (entry == nullptr || arrival.segment.seq != SeqNumber(entry->client_isn) + 1) {
    return unknown(core, arrival);
  }
  arrival.service.counters.half_open_reset.add();
  forget(arrival.service, *entry);
  return consume();
}

handshake::CookieUse use_of(const wire::Segment& ack, const handshake::Redeemed& redeemed) {
  return {ack.source, ack.destination, redeemed.client_isn, ack.ack - 1};
}

}  // namespace

bool redeems(Core& core, const Arrival& arrival) {
  const wire::Segment& ack = arrival.segment;
  const Offers offers = core.offers_to_try(arrival.key.listen, arrival.now);
  const auto redeemed = handshake::read_cookie(core.mint(arrival.now), ack, offers.all());
  return redeemed && !core.spent_cookies().contains(use_of(ack, *redeemed), arrival.now);
}

Decision redeem(Core& core, const Arrival& arrival) {
  const wire::Segment& ack = arrival.segment;
  ServiceCounters& counters = arrival.service.counters;
  HalfOpenEntry* entry = arrival.service.queue.find(arrival.key);
  if (ack.has(wire::flag_rst)) return reset_by_client(core, arrival, entry);
  if (ack.has(wire::flag_syn) || !ack.has(wire::flag_ack)) return unknown(core, arrival);

  // C6: the cookie is checked in either case.
  const Offers offers = core.offers_to_try(arrival.key.listen, arrival.now);
  std::optional<handshake::Redeemed> redeemed;
  if (entry != nullptr) redeemed = redeem_from_queue(core, arrival, *entry, offers);
  const bool from_queue = redeemed.has_value();
  if (!redeemed) redeemed = handshake::read_cookie(core.mint(arrival.now), ack, offers.all());
  if (!redeemed) return unknown(core, arrival);
  const handshake::CookieUse use = use_of(ack, *redeemed);
  if (core.spent_cookies().contains(use, arrival.now)) {  // C8
    counters.cookies_rejected[static_cast<std::size_t>(RejectReason::replayed)].add();
    refuse(core, arrival);
    return drop(arrival, synward_reason_replayed_cookie);
  }

  make_room(core, arrival);
  Flow* flow = open_flow(core, arrival.key);
  if (flow == nullptr) {
    // It believes in a connection that cannot be had (T4).
    refuse(core, arrival);
    return drop(arrival, synward_reason_flow_table_full);
  }
  count_open(core, *flow, true);
  if (!core.spent_cookies().add(use, arrival.now + handshake::cookie_life_max, arrival.now)) {
    counters.spent_cookies_forgotten.add();
  }
  core.live_tuples.begin(core.flows.place_of(*flow), ack.source, ack.destination);
  core.settings.orphans->forget(Side::client, {ack.source, ack.destination});
  // Its network has somebody who asked.
  arrival.service.synacks.give_back(arrival.key.client);
  const RedeemSource source = from_queue ? RedeemSource::queue : RedeemSource::cookie;
  counters.cookies_redeemed[static_cast<std::size_t>(source)].add();
  if (from_queue) counters.handshake.observe_us(microseconds(flow::age(*entry, arrival.now)));
  // Also one of another attempt from the same port, which is over. H5: it counts as neither expired
  // nor redeemed.
  if (entry != nullptr) forget(arrival.service, *entry);
  fill(core, *flow, arrival, *redeemed, offers[redeemed->offer_index]);

  // What came with the acknowledgement is held (S4); its window goes into our SYN.
  const Decision decision = hold(core, arrival, *flow);
  const bool cancelled = flow->phase != flow::Phase::connecting;  // by a RST that came with it
  if (!cancelled) ask_first_backend(core, *flow, arrival.now, arrival.out);
  return decision;
}

}  // namespace synward::engine
