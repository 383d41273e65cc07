// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <optional>

#include "proxy/handshake/keyring.h"
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
  bool timestamps = false;  // only once learned that the backend accepts them (W2)
  bool ecn = false;         // likewise (O5)
  std::uint16_t window = 16384;  // never scaled (O3)
  std::uint32_t digest() const;  // 24 bits
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

// One handshake: who, with which ISN. Client and service as the client sees them.
struct Handshake {
  wire::Endpoint client, service;
  wire::SeqNumber client_isn;
};

// The ISN of the challenge.
wire::SeqNumber challenge_isn(Keyring& keys, Instant now, const Handshake& handshake,
                              const synward_client_offer& client, const ServiceOffer& service);

// The SYN-ACK. `isn` from challenge_isn (a repeated challenge reuses it), `client_tsval` the SYN's.
// options_length_min is left 0; the caller pads to the SYN's own length (O1).
wire::SegmentToSend challenge(const Keyring& keys, Instant now, const Handshake& handshake,
                              wire::SeqNumber isn, const synward_client_offer& client,
                              const ServiceOffer& service, std::uint32_t client_tsval);

// What a cookie tells (table values rounded down; exact window scale, SACK and ECN where
// `timestamp_echo`, the TSecr of the acknowledgement, is given).
struct Redeemed {
  wire::SeqNumber client_isn;
  synward_client_offer client;
  std::size_t offer_index = 0;  // which of the offers tried was promised
};

// S1: checks the cookie ack-1 for both ISNs that `seq` allows (ISN+1, and ISN for a keep-alive or
// zero-window probe), the candidate epochs and the given offers (current, previous).
std::optional<Redeemed> redeem(Keyring& keys, Instant now, const wire::Segment& ack,
                               std::span<const ServiceOffer> offers);

// The same for a handshake whose client ISN is known from the half-open queue.
bool cookie_matches(Keyring& keys, Instant now, const Handshake& handshake, wire::SeqNumber isn,
                    std::span<const ServiceOffer> offers);

}  // namespace synward::handshake
