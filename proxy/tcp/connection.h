// SPDX-License-Identifier: GPL-2.0-or-later
//
// A connection as seen from its middle: two endpoints, whose own TCP states (RFC 9293 3.3.2) are
// inferred from what they send and, above all, from what they acknowledge. Sequence numbers are
// those that the *client* sees; the splice translates the backend's before they come here.
#pragma once
#include <cstdint>

#include "proxy/counters.h"
#include "proxy/tcp/state.h"
#include "proxy/wire/seq.h"

namespace synward::tcp {

using wire::SeqNumber;

// Plain data: it lives inside a Flow.
struct Endpoint {
  SeqNumber snd_una;       // oldest of its sequence numbers that the peer has not acknowledged
  SeqNumber snd_nxt;       // the next one it will send: the highest seen, plus one
  SeqNumber window_right;  // the right edge that the peer has offered it: highest ACK + window
  std::uint32_t window_max = 0;  // the largest window that it offered to the peer, in bytes
  SeqNumber fin;                 // sequence number of its FIN, if fin_sent
  State state = State::closed;
  bool fin_sent = false;
};

struct Connection {
  Endpoint client, backend;
  // It is older than we are: what an endpoint has sent is also learnt from what is acknowledged.
  bool began_unseen = false;
  Endpoint& of(Side side) { return side == Side::client ? client : backend; }
  Endpoint& peer_of(Side side) { return side == Side::client ? backend : client; }
};

// One segment in client-side sequence space; `window` in bytes (already scaled).
struct Seen {
  SeqNumber seq, ack;
  std::uint32_t payload_length = 0;
  std::uint16_t flags = 0;  // wire::flag_*
  std::uint32_t window = 0;
};

enum class Outcome : std::uint8_t {
  in_order,          // passes
  retransmitted,     // passes; carries data that was sent before (T5)
  out_of_window,     // to be dropped: neither peer could have sent or could accept it
  reset,             // passes; an acceptable RST: both endpoints are closed now (T3, RFC 5961)
  possible_reset,    // passes; acceptable if what is under way was lost: silence will tell
  suspicious_reset,  // passes, ends nothing: the receiver decides (a challenge ACK of its)
};

// Takes `seen`, sent by `from`, into account. Acceptance first (RFC 9293 3.10.7.4), then RST, ACK,
// data, FIN. States change only by what was acknowledged, not by what was seen to be sent, except
// that an endpoint's own sending tells its own state (its FIN: FIN-WAIT-1 or LAST-ACK).
Outcome observe(Connection& connection, Side from, const Seen& seen);

// Both FINs are acknowledged: only 2MSL is left (or nothing, after a reset).
bool finished(const Connection& connection);

}  // namespace synward::tcp
