// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "proxy/handshake/keyring.h"
#include "proxy/handshake/spent_cookies.h"
#include "proxy/shared/client_offer.h"
#include "proxy/wire/emit.h"
#include "proxy/wire/segment.h"

namespace synward::handshake {

// What a service offers to every client at present (C10, O2): a challenge promises the part of it
// that the client's SYN offered too. Its digest is in the cookie's MAC, so a redeemed cookie tells
// which offer was made.
struct ServiceOffer {
  std::uint16_t mss = 536;
  std::uint8_t window_scale = 7;  // or SYNWARD_WINDOW_SCALE_ABSENT
  bool sack = true;
  bool timestamps = false;       // only once learned that the backend accepts them (W2)
  bool ecn = false;              // likewise (O5)
  std::uint16_t window = 16384;  // never scaled (O3)
  std::uint32_t digest() const;  // 24 bits
  bool operator==(const ServiceOffer&) const = default;
};

// What was promised to one client: a function of its offer and of the service's.
struct Promise {
  std::uint16_t mss = 536;
  std::uint8_t window_scale = SYNWARD_WINDOW_SCALE_ABSENT;
  bool sack = false, timestamps = false, ecn = false;
  std::uint16_t window = 0;
};
Promise promise(const synward_client_offer& client, const ServiceOffer& service);

// What the SYN offered. A missing MSS is 536 or 1220 (RFC 9293 3.7.1); below 64 it is 64.
synward_client_offer client_offer(const wire::Segment& syn);

// One handshake, as the client sees it: who, and what its SYN said.
struct Handshake {
  wire::Endpoint client, service;
  wire::SeqNumber client_isn;
  // Ours, from challenge_isn(); a repeated challenge reuses it.
  wire::SeqNumber challenge_isn = wire::SeqNumber(0);
  synward_client_offer offer{};    // from client_offer()
  std::uint32_t client_tsval = 0;  // 0 if the SYN had no timestamps
  // Of the SYN, without ECN. The answer has it too, as Linux gives it with tcp_reflect_tos.
  std::uint8_t traffic_class = 0;
};
// All of it but challenge_isn.
Handshake handshake_of(const wire::Segment& syn);

// What cookies are made and checked by.
struct Mint {
  Keyring& keys;
  const SpentCookies& spent;
  Instant now;
};

// The ISN of the challenge: a cookie that was not spent (T3: a client may come back with the same
// ports and ISN). Where all attempts were, the last one, which redeems no more.
wire::SeqNumber challenge_isn(const Mint& mint, const Handshake& handshake,
                              const ServiceOffer& service);

// The SYN-ACK. The caller sets options_length_min, so that it has the SYN's own length (O1), and
// zeroes its window where the early-data budget is spent (O3): the cookie does not depend on it.
wire::SegmentToSend challenge(const Keyring& keys, Instant now, const Handshake& handshake,
                              const ServiceOffer& service);

// What a cookie tells: table values rounded down; the exact window scale, and ECN, where the
// acknowledgement's TSecr agrees with them. SYNWARD_OFFER_TIMESTAMPS is set if they were promised
// and the acknowledgement has them.
struct Redeemed {
  wire::SeqNumber client_isn;
  synward_client_offer client;
  std::size_t offer_index = 0;     // which of the offers tried was promised
  std::uint32_t client_tsval = 0;  // of the SYN; 0 where only a cookie is left of it
};

// S1: checks the cookie ack-1 for both ISNs that `seq` allows (seq-1, and seq for a keep-alive or
// zero-window probe), the candidate epochs and the given offers (current, previous: drop that one
// 128 s after the change, for each one tried doubles the odds of a guess). SYN and RST redeem
// nothing. A cookie that was spent is read like any other: whether it was, is for the caller to
// ask.
std::optional<Redeemed> read_cookie(const Mint& mint, const wire::Segment& ack,
                                    std::span<const ServiceOffer> offers);

// The same for a handshake that the half-open queue knows: which of the offers its challenge_isn
// was made with, if any and if it is still valid.
std::optional<std::size_t> promised_offer(const Mint& mint, const Handshake& handshake,
                                          std::span<const ServiceOffer> offers);

}  // namespace synward::handshake
