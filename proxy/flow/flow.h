// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flow/key.h"
#include "proxy/flow/timer_wheel.h"
#include "proxy/flow/zeroed_array.h"
#include "proxy/splice/translate.h"
#include "proxy/tcp/connection.h"
#include "proxy/time.h"

namespace synward::flow {

enum class Phase : std::uint8_t {
  connecting,  // redeemed; the backend's SYN-ACK is awaited, early data is held
  spliced,     // both handshakes done; segments are translated
  lingering,   // ended: TIME-WAIT, or CLOSED by a reset
};

// Of a connection that is older than the daemon (T6).
enum class Adoption : std::uint8_t {
  none,       // ours from its challenge on
  by_client,  // provisional: one side has spoken, the other has not answered yet
  by_backend,
  lasting,
};

inline constexpr std::uint8_t window_updates_max = 6;

// Bytes held for one connection in the early-data pool (S4): blocks by index.
struct HeldData {
  std::uint32_t first = no_index, last = no_index;
  std::uint32_t bytes = 0;
  // Where the urgent data end, in bytes from the first one held; 0: none are urgent.
  std::uint32_t urgent = 0;
};

// A redeemed connection. P8: at most 256 bytes. Index-linked and free of pointers, so that a
// successor process can map it.
struct Flow {
  ConnectionKey key;
  std::uint32_t hash_next = 0;  // beside the key: a lookup reads both
  std::uint16_t service = 0;
  std::uint16_t backend = 0;  // index within the service's list
  Phase phase = Phase::connecting;
  bool live = false, lingering = false;
  bool early_fin = false;  // the client's FIN came before the backend answered
  // A RST passed that may have ended the connection; any other segment tells that it has not.
  bool reset_possible = false;
  // A SYN on it got a challenge ACK: a client that knows nothing of it answers with a RST.
  bool syn_challenged = false;
  Adoption adoption = Adoption::none;
  splice::Offsets offsets;
  tcp::Connection connection;
  Instant last_segment{};
  wire::Endpoint backend_endpoint;  // FlowTable::set_backend; port 0: none yet
  std::uint8_t backend_syns = 0;    // sent to the present backend
  // O3: the client may have been told a window of zero; so often it is told the real one.
  std::uint8_t window_updates_left = 0;
  std::uint64_t backends_tried = 0;  // backend::Choice::tried_bit
  synward_client_offer client_offer{};
  std::uint8_t promised_flags = 0;  // what was promised of its offer: SYNWARD_OFFER_*
  bool promised(std::uint8_t option) const { return (promised_flags & option) != 0; }
  std::uint16_t backend_mss = 0;  // 0: no backend has answered yet
  bool joined() const { return backend_mss != 0 || adoption != Adoption::none; }
  std::uint16_t client_window = 0;  // last window field while connecting
  std::uint16_t timer_slot = timer_disarmed;
  wire::SeqNumber client_isn, challenge_isn;
  std::uint32_t client_tsval = 0;       // its latest TSval; 0: none yet
  std::uint32_t challenge_tsval = 0;    // its TSecr, which is the challenge's TSval
  std::uint32_t backend_tsval = 0;      // of the backend's SYN-ACK
  std::uint32_t client_label : 20 = 0;  // of its last packet (IPv6)
  std::uint32_t client_dscp : 6 = 0;
  HeldData early;
  std::uint32_t timer_next = no_index, timer_prev = no_index;
  std::uint32_t list_next = no_index, list_prev = no_index;  // of open, or of lingering flows
  std::uint32_t backend_next = 0;  // as hash_next, of those found by their backend
  Instant backend_syn_at{};        // first SYN to the present backend
  Instant connect_deadline{};
  Instant deadline{};  // what the timer waits for
  Instant answered{};  // the last challenge ACK, or RST that nobody has to get
};
static_assert(sizeof(Flow) <= 256);

}  // namespace synward::flow
