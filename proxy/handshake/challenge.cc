// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/challenge.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace synward::handshake {
namespace {

using wire::SeqNumber;

constexpr std::uint16_t mss_min = 64;

synward_tuple tuple_of(const wire::Endpoint& client, const wire::Endpoint& service) {
  synward_tuple tuple{};
  std::memcpy(tuple.client, client.address.bytes.data(), sizeof tuple.client);
  std::memcpy(tuple.service, service.address.bytes.data(), sizeof tuple.service);
  tuple.client_port = client.port;
  tuple.service_port = service.port;
  return tuple;
}

// A cookie to be checked, and the client ISNs that it may have been made for.
struct Claim {
  wire::Endpoint client, service;
  std::uint32_t cookie;
  std::span<const SeqNumber> client_isns;
};

struct Proof {
  SeqNumber client_isn;
  std::size_t offer_index;
};

// Whether the claim's cookie is the first one for this ISN that is not spent, or one of those
// before it, which are. So a further attempt is made only where one was spent.
bool made_for(const Mint& mint, const Claim& claim, SeqNumber isn, synward_siphash_state begun,
              std::uint32_t digest) {
  const std::uint8_t data = synward_cookie_data(claim.cookie);
  for (std::uint8_t attempt = 0; attempt < SYNWARD_COOKIE_ATTEMPTS; ++attempt) {
    const std::uint32_t cookie =
        synward_cookie_make_again(begun, isn.value(), digest, data, attempt);
    if (cookie == claim.cookie) return true;
    if (!mint.spent.contains({claim.client, claim.service, isn, SeqNumber(cookie)}, mint.now)) {
      return false;
    }
  }
  return false;
}

// C6: nothing here is limited or skipped. The honest acknowledgement is proved by the first try.
std::optional<Proof> prove(const Mint& mint, const Claim& claim,
                           std::span<const ServiceOffer> offers) {
  const synward_tuple tuple = tuple_of(claim.client, claim.service);
  const Keyring::Candidates epochs =
      mint.keys.candidates(mint.now, synward_cookie_parity(claim.cookie));
  for (const Epoch epoch : epochs.all()) {
    const synward_cookie_key key = mint.keys.key(epoch);
    const synward_siphash_state begun = synward_cookie_begin(&key, &tuple, epoch);
    std::uint32_t first_digest = 0;
    for (std::size_t i = 0; i < offers.size(); ++i) {
      const std::uint32_t digest = offers[i].digest();
      if (i == 0) first_digest = digest;
      if (i != 0 && digest == first_digest) continue;  // nothing changed: no second guess
      for (const SeqNumber isn : claim.client_isns) {
        if (made_for(mint, claim, isn, begun, digest)) return Proof{isn, i};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t ServiceOffer::digest() const {
  // Not a secret: it only has to differ where the offers do.
  const __u64 word = std::uint64_t{mss} | std::uint64_t{window} << 16 |
                     std::uint64_t{window_scale} << 32 | std::uint64_t{sack} << 40 |
                     std::uint64_t{timestamps} << 41 | std::uint64_t{ecn} << 42;
  return static_cast<std::uint32_t>(synward_siphash(0, 0, &word, 1) >> 40);
}

Promise promise(const synward_client_offer& client, const ServiceOffer& service) {
  Promise result;
  result.mss = service.mss;
  result.window = service.window;
  if (client.window_scale != SYNWARD_WINDOW_SCALE_ABSENT) {
    result.window_scale = service.window_scale;
  }
  result.sack = service.sack && (client.flags & SYNWARD_OFFER_SACK) != 0;
  result.timestamps = service.timestamps && (client.flags & SYNWARD_OFFER_TIMESTAMPS) != 0;
  // O5: the cookie has no room for ECN, and the half-open queue may forget it; only the timestamps
  // bring it back.
  result.ecn = service.ecn && result.timestamps && (client.flags & SYNWARD_OFFER_ECN) != 0;
  return result;
}

synward_client_offer client_offer(const wire::Segment& syn) {
  synward_client_offer offer{};
  offer.mss = std::max(syn.options.mss.value_or(wire::default_mss(syn.ip.is_ipv4())), mss_min);
  offer.window_scale = syn.options.window_scale.value_or(SYNWARD_WINDOW_SCALE_ABSENT);
  if (syn.options.sack_permitted) offer.flags |= SYNWARD_OFFER_SACK;
  if (syn.options.timestamps) offer.flags |= SYNWARD_OFFER_TIMESTAMPS;
  // RFC 3168 6.1.1: an ECN-setup SYN has both. AccECN's has AE too and is answered as classic ECN.
  // One in a packet that is marked already gets none, as from Linux: it was forged or mangled, for
  // no SYN of RFC 3168 may be (6.1.1); AccECN allows it.
  const bool marked = (syn.ip.traffic_class & wire::ecn_mask) != 0 && !syn.has(wire::flag_ae);
  const bool ecn_setup = syn.has(wire::flag_ece) && syn.has(wire::flag_cwr);
  if (ecn_setup && !marked) offer.flags |= SYNWARD_OFFER_ECN;
  return offer;
}

Handshake handshake_of(const wire::Segment& syn) {
  return {.client = syn.source,
          .service = syn.destination,
          .client_isn = syn.seq,
          .challenge_isn = {},
          .offer = client_offer(syn),
          .client_tsval = syn.options.timestamps ? syn.options.timestamps->value : 0,
          .traffic_class = wire::without_ecn(syn.ip.traffic_class)};
}

SeqNumber challenge_isn(const Mint& mint, const Handshake& handshake, const ServiceOffer& service) {
  const Epoch epoch = mint.keys.epoch(mint.now);
  const synward_cookie_key key = mint.keys.key(epoch);
  const synward_tuple tuple = tuple_of(handshake.client, handshake.service);
  const synward_siphash_state begun = synward_cookie_begin(&key, &tuple, epoch);
  const std::uint8_t data = synward_cookie_encode(&handshake.offer, epoch);
  CookieUse use{handshake.client, handshake.service, handshake.client_isn, {}};
  for (std::uint8_t attempt = 0; attempt < SYNWARD_COOKIE_ATTEMPTS; ++attempt) {
    use.cookie = SeqNumber(synward_cookie_make_again(begun, handshake.client_isn.value(),
                                                     service.digest(), data, attempt));
    if (!mint.spent.contains(use, mint.now)) break;
  }
  return use.cookie;
}

wire::SegmentToSend challenge(const Keyring& keys, Instant now, const Handshake& handshake,
                              const ServiceOffer& service) {
  const Promise promised = promise(handshake.offer, service);
  wire::SegmentToSend syn_ack;
  syn_ack.source = handshake.service;
  syn_ack.destination = handshake.client;
  syn_ack.seq = handshake.challenge_isn;
  syn_ack.ack = handshake.client_isn + 1;
  syn_ack.flags = wire::flag_syn | wire::flag_ack;
  if (promised.ecn) syn_ack.flags |= wire::flag_ece;  // RFC 3168 6.1.1: ECE without CWR
  syn_ack.window = promised.window;
  syn_ack.traffic_class = handshake.traffic_class;
  if (!handshake.client.address.is_ipv4()) {
    syn_ack.flow_label = keys.flow_label(handshake.client, handshake.service);
  }
  syn_ack.options.mss = promised.mss;
  if (promised.window_scale != SYNWARD_WINDOW_SCALE_ABSENT) {
    syn_ack.options.window_scale = promised.window_scale;
  }
  syn_ack.options.sack_permitted = promised.sack;
  if (promised.timestamps) {
    const std::uint32_t clock =
        keys.timestamp_clock(now, handshake.client.address, handshake.service.address);
    syn_ack.options.timestamps = {.value = synward_cookie_tsval(clock, &handshake.offer),
                                  .echo = handshake.client_tsval};
  }
  return syn_ack;
}

std::optional<Redeemed> read_cookie(const Mint& mint, const wire::Segment& ack,
                                    std::span<const ServiceOffer> offers) {
  if (!ack.has(wire::flag_ack) || ack.has(wire::flag_syn) || ack.has(wire::flag_rst)) {
    return std::nullopt;
  }
  const std::array<SeqNumber, 2> client_isns{ack.seq - 1, ack.seq};
  const Claim claim{ack.source, ack.destination, (ack.ack - 1).value(), client_isns};
  const auto proof = prove(mint, claim, offers);
  if (!proof) return std::nullopt;

  synward_client_offer client = synward_cookie_decode(synward_cookie_data(claim.cookie));
  if (ack.options.timestamps && offers[proof->offer_index].timestamps) {
    client = synward_cookie_refine(client, ack.options.timestamps->echo);
    client.flags |= SYNWARD_OFFER_TIMESTAMPS;
  }
  return Redeemed{proof->client_isn, client, proof->offer_index};
}

std::optional<std::size_t> promised_offer(const Mint& mint, const Handshake& handshake,
                                          std::span<const ServiceOffer> offers) {
  const Claim claim{handshake.client,
                    handshake.service,
                    handshake.challenge_isn.value(),
                    {&handshake.client_isn, 1}};
  const auto proof = prove(mint, claim, offers);
  if (!proof) return std::nullopt;
  return proof->offer_index;
}

}  // namespace synward::handshake
