// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flow/half_open.h"
#include "proxy/splice/translate.h"
#include "proxy/tcp/connection.h"

namespace synward::flow {

enum class Phase : std::uint8_t {
  connecting,  // redeemed; the backend's SYN-ACK is awaited, early data is held
  spliced,     // both handshakes done; segments are translated
  lingering,   // ended: TIME-WAIT, or CLOSED by a reset
};

// A redeemed connection. P8: at most 256 bytes. Index-linked and free of pointers, so that a
// successor process can map it.
struct Flow {
  HalfOpenKey key;
  std::uint16_t service = 0;
  std::uint16_t backend = 0;  // index within the service's list
  wire::Endpoint backend_endpoint;
  Phase phase = Phase::connecting;
  std::uint8_t backend_syns = 0;     // sent to the present backend
  std::uint8_t backends_tried = 0;
  bool early_fin = false;            // the client's FIN came before the backend answered
  synward_client_offer client_offer{};
  std::uint8_t client_flags = 0;     // what was promised of it: SYNWARD_OFFER_*
  std::uint16_t backend_mss = 0;
  wire::SeqNumber client_isn, challenge_isn;
  std::uint16_t client_window = 0;   // last window field while connecting
  std::uint32_t client_tsval = 0;    // last TSval while connecting
  std::uint32_t challenge_tsval = 0; // its TSecr, which is the challenge's TSval
  std::uint32_t backend_tsval = 0;   // of the backend's SYN-ACK
  std::uint32_t early_first = no_index, early_bytes = 0;  // held data: first block, length
  splice::Offsets offsets;
  tcp::Connection connection;
  Instant backend_syn_at{};          // first SYN to the present backend
  Instant connect_deadline{};
  Instant last_segment{};
  Instant deadline{};                // what the timer waits for
  std::uint32_t hash_next = no_index;
  std::uint32_t timer_next = no_index, timer_prev = no_index;
  std::uint32_t linger_next = no_index, linger_prev = no_index;
  std::uint16_t timer_slot = 0;
  bool armed = false, lingering = false, live = false;
};
static_assert(sizeof(Flow) <= 256);

}  // namespace synward::flow
