// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/shared/client_offer.h"
#include "proxy/wire/segment.h"

namespace synward::splice {

// What differs between the connection that the client sees and the one that the backend sees.
struct Offsets {
  std::uint32_t sequence = 0;   // added to the backend's numbers to get those that the client sees
  std::uint32_t timestamp = 0;  // likewise for the backend's TSval
  std::uint8_t client_scale = SYNWARD_WINDOW_SCALE_ABSENT;    // the client's own, as it offered it
  std::uint8_t promised_scale = SYNWARD_WINDOW_SCALE_ABSENT;  // ours towards the client
  std::uint8_t backend_scale = SYNWARD_WINDOW_SCALE_ABSENT;   // the backend's own, from its SYN-ACK
  // Flipped in the backend's flow labels, so that they go on from the challenge's, and change only
  // when the backend's do (a kernel changes its label to try another path). 0 for IPv4.
  std::uint32_t flow_label = 0;
  // W2: promised, but the backend refused it. Nobody would tell the client of congestion, so its
  // packets go on as those of a sender without ECN (RFC 3168), for which routers drop.
  bool blank_sack : 1 = false;
  bool clear_ecn : 1 = false;
};

// Scaling is on only if both sides of a handshake sent the option (RFC 7323 2.2); the challenge
// promised it if and only if the client offered it.
// Window of a segment without SYN in bytes, and back into the field of the other side (W1):
// saturating at 65535, never turning a non-zero window into zero.
std::uint32_t client_window_bytes(const Offsets& offsets, std::uint16_t field);
std::uint32_t backend_window_bytes(const Offsets& offsets, std::uint16_t field);
std::uint16_t window_for_backend(const Offsets& offsets, std::uint32_t bytes);
std::uint16_t window_for_client(const Offsets& offsets, std::uint32_t bytes);

// Rewrite `segment.packet` in place: sequence numbers, SACK and D-SACK blocks, timestamps, window,
// and the named endpoint; checksums are updated incrementally, completed where they were partial
// (the queue hands the packet back as CHECKSUM_NONE), and left to the kernel's segmentation where
// gso is set. `segment`'s parsed fields keep the values from before.
// From the client: destination becomes `backend`. From the backend: source becomes `service`.
void translate_to_backend(const wire::Segment& segment, const Offsets& offsets,
                          const wire::Endpoint& backend);
void translate_to_client(const wire::Segment& segment, const Offsets& offsets,
                         const wire::Endpoint& service);

}  // namespace synward::splice
