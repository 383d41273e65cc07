// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/challenge.h"

#include <algorithm>
#include <cstring>

namespace synward::handshake {
namespace {

using wire::SeqNumber;

constexpr std::uint16_t mss_min = 64;

synward_cookie_input cookie_input(const Handshake& handshake, Epoch epoch,
                                  const ServiceOffer& offer) {
  synward_cookie_input input{};
  std::memcpy(input.client, handshake.client.address.bytes.data(), 16);
  std::memcpy(input.service, handshake.service.address.bytes.data(), 16);
  input.client_port = handshake.client.port;
  input.service_port = handshake.service.port;
  input.client_isn = handshake.client_isn.value();
  input.epoch = epoch;
  input.promise = offer.digest() << 8;
  return input;
}

bool matches(Keyring& keys, Epoch epoch, const Handshake& handshake, const ServiceOffer& offer,
             std::uint32_t cookie) {
  synward_cookie_input input = cookie_input(handshake, epoch, offer);
  return synward_cookie_make(&keys.key(epoch), &input, synward_cookie_data(cookie)) == cookie;
}

synward_client_offer offer_in_cookie(std::uint32_t cookie) {
  const std::uint8_t data = synward_cookie_data(cookie);
  return {.mss = synward_cookie_mss(data >> 5),
          .window_scale = synward_cookie_scale((data >> 2) & 7),
          .flags = static_cast<std::uint8_t>((data & 2) != 0 ? SYNWARD_OFFER_SACK : 0)};
}

// C7: TSecr is the client's word. It is taken where it agrees with what the MAC covers, so all that
// it can do is to be exact about a window scale that the cookie had to round.
void refine(synward_client_offer& offer, std::uint32_t timestamp_echo) {
  offer.flags |= SYNWARD_OFFER_TIMESTAMPS;
  const auto scale = static_cast<std::uint8_t>((timestamp_echo >> 2) & 15);
  const bool agrees =
      synward_cookie_scale_index(scale) == synward_cookie_scale_index(offer.window_scale) &&
      (scale == SYNWARD_WINDOW_SCALE_ABSENT) ==
          (offer.window_scale == SYNWARD_WINDOW_SCALE_ABSENT) &&
      ((timestamp_echo & 2) != 0) == ((offer.flags & SYNWARD_OFFER_SACK) != 0);
  if (!agrees) return;
  offer.window_scale = scale;
  if ((timestamp_echo & 1) != 0) offer.flags |= SYNWARD_OFFER_ECN;
}

}  // namespace

std::uint32_t ServiceOffer::digest() const {
  // Not a secret: it only has to differ where the offers do.
  const __u64 words[1] = {std::uint64_t{mss} | std::uint64_t{window} << 16 |
                          std::uint64_t{window_scale} << 32 | std::uint64_t{sack} << 40 |
                          std::uint64_t{timestamps} << 41 | std::uint64_t{ecn} << 42};
  return static_cast<std::uint32_t>(synward_siphash(0, 0, words, 1)) & 0xffffff;
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
  // ECN comes back only in the timestamps: without them nobody would remember what was agreed.
  result.ecn = service.ecn && result.timestamps && (client.flags & SYNWARD_OFFER_ECN) != 0;
  return result;
}

synward_client_offer client_offer(const wire::Segment& syn) {
  const std::uint16_t mss_default = syn.ip.is_ipv4() ? 536 : 1220;
  synward_client_offer offer{};
  offer.mss = std::max(syn.options.mss.value_or(mss_default), mss_min);
  offer.window_scale = syn.options.window_scale.value_or(SYNWARD_WINDOW_SCALE_ABSENT);
  if (syn.options.sack_permitted) offer.flags |= SYNWARD_OFFER_SACK;
  if (syn.options.timestamps) offer.flags |= SYNWARD_OFFER_TIMESTAMPS;
  // RFC 3168 6.1.1: an ECN-setup SYN has both. AccECN's has AE too and is answered as classic ECN.
  if (syn.has(wire::flag_ece) && syn.has(wire::flag_cwr)) offer.flags |= SYNWARD_OFFER_ECN;
  return offer;
}

SeqNumber challenge_isn(Keyring& keys, Instant now, const Handshake& handshake,
                        const synward_client_offer& client, const ServiceOffer& service) {
  const Epoch epoch = keys.epoch(now);
  synward_cookie_input input = cookie_input(handshake, epoch, service);
  return SeqNumber(
      synward_cookie_make(&keys.key(epoch), &input, synward_cookie_encode(&client, epoch)));
}

wire::SegmentToSend challenge(const Keyring& keys, Instant now, const Handshake& handshake,
                              SeqNumber isn, const synward_client_offer& client,
                              const ServiceOffer& service, std::uint32_t client_tsval) {
  const Promise promised = promise(client, service);
  wire::SegmentToSend syn_ack;
  syn_ack.source = handshake.service;
  syn_ack.destination = handshake.client;
  syn_ack.seq = isn;
  syn_ack.ack = handshake.client_isn + 1;
  syn_ack.flags = wire::flag_syn | wire::flag_ack;
  if (promised.ecn) syn_ack.flags |= wire::flag_ece;
  syn_ack.window = promised.window;
  syn_ack.options.mss = promised.mss;
  if (promised.window_scale != SYNWARD_WINDOW_SCALE_ABSENT) {
    syn_ack.options.window_scale = promised.window_scale;
  }
  syn_ack.options.sack_permitted = promised.sack;
  if (promised.timestamps) {
    const std::uint32_t clock = keys.timestamp_clock(now, handshake.client.address,
                                                     handshake.service.address);
    syn_ack.options.timestamps = wire::Timestamps{synward_cookie_tsval(clock, &client), client_tsval};
  }
  return syn_ack;
}

std::optional<Redeemed> redeem(Keyring& keys, Instant now, const wire::Segment& ack,
                               std::span<const ServiceOffer> offers) {
  const std::uint32_t cookie = (ack.ack - 1).value();
  const auto epochs = keys.candidates(now, synward_cookie_parity(cookie));
  for (const SeqNumber client_isn : {ack.seq - 1, ack.seq}) {
    const Handshake handshake{ack.source, ack.destination, client_isn};
    for (const Epoch epoch : epochs.all()) {
      for (std::size_t i = 0; i < offers.size(); ++i) {
        if (!matches(keys, epoch, handshake, offers[i], cookie)) continue;
        Redeemed redeemed{client_isn, offer_in_cookie(cookie), i};
        if (ack.options.timestamps && offers[i].timestamps) {
          refine(redeemed.client, ack.options.timestamps->echo);
        }
        return redeemed;
      }
    }
  }
  return std::nullopt;
}

bool cookie_matches(Keyring& keys, Instant now, const Handshake& handshake, SeqNumber isn,
                    std::span<const ServiceOffer> offers) {
  const auto epochs = keys.candidates(now, synward_cookie_parity(isn.value()));
  for (const Epoch epoch : epochs.all()) {
    for (const ServiceOffer& offer : offers) {
      if (matches(keys, epoch, handshake, offer, isn.value())) return true;
    }
  }
  return false;
}

}  // namespace synward::handshake
