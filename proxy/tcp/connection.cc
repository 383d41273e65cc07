// SPDX-License-Identifier: GPL-2.0-or-later
//
// Lenient in passing, strict in changing state: a middlebox is judged by the connections that it
// broke, and an endpoint checks for itself what it accepts.
#include "proxy/tcp/connection.h"

#include <algorithm>

#include "proxy/wire/segment.h"

namespace synward::tcp {
namespace {

// Room around every bound: for what was under way when a window moved, for zero-window probes and
// keep-alives (SEQ = SND.NXT-1, RFC 9293 3.8.4), for windows rounded by rescaling.
constexpr std::uint32_t slack_min = 65536;

std::uint32_t slack(const Endpoint& receiver) { return std::max(receiver.window_max, slack_min); }

bool has(const Seen& seen, std::uint16_t flag) { return (seen.flags & flag) != 0; }

SeqNumber end_of(const Seen& seen) {
  return seen.seq + seen.payload_length + (has(seen, wire::flag_fin) ? 1 : 0);
}

// RFC 9293 3.10.7.4, first: "check sequence number". Both edges of what the receiver may hold,
// known from what it acknowledged and offered.
bool sequence_acceptable(const Endpoint& sender, const Endpoint& receiver, const Seen& seen) {
  const std::uint32_t room = slack(receiver);
  return end_of(seen) <= sender.window_right + room &&
         end_of(seen) >= sender.snd_una - room;
}

// Fifth: "If the ACK acks something not yet sent ..., drop the segment"; nor can it be older than
// all that was under way.
bool acknowledgement_acceptable(const Endpoint& sender, const Endpoint& receiver,
                                const Seen& seen) {
  if (!has(seen, wire::flag_ack)) return false;
  return seen.ack <= receiver.snd_nxt && seen.ack >= receiver.snd_una - slack(sender);
}

// Second: RST. RFC 5961 3.2: only the very number that the receiver expects resets. That is not
// known exactly here: it lies between what it has acknowledged and what was sent to it.
Outcome process_reset(Connection& connection, Side from, const Seen& seen) {
  Endpoint& sender = connection.of(from);
  Endpoint& receiver = connection.peer_of(from);
  const bool exact = seen.seq >= sender.snd_una && seen.seq <= sender.snd_nxt;
  if (!exact) {
    return sequence_acceptable(sender, receiver, seen) ? Outcome::suspicious_reset
                                                       : Outcome::out_of_window;
  }
  // RFC 1337: a RST must not cut TIME-WAIT short.
  if (receiver.state == State::time_wait) return Outcome::suspicious_reset;
  sender.state = State::closed;
  receiver.state = State::closed;
  return Outcome::reset;
}

// "Our FIN is now acknowledged": the receiver of this ACK moves.
void own_fin_acknowledged(Endpoint& endpoint) {
  switch (endpoint.state) {
    case State::fin_wait_1:
      endpoint.state = State::fin_wait_2;
      return;
    case State::closing:
      endpoint.state = State::time_wait;
      return;
    case State::last_ack:
      endpoint.state = State::closed;
      return;
    default:
      return;
  }
}

// The sender acknowledges the other's FIN, so it has received it.
void peer_fin_received(Endpoint& endpoint, bool own_fin_is_acknowledged) {
  switch (endpoint.state) {
    case State::established:
      endpoint.state = State::close_wait;
      return;
    case State::fin_wait_1:
      endpoint.state = own_fin_is_acknowledged ? State::time_wait : State::closing;
      return;
    case State::fin_wait_2:
      endpoint.state = State::time_wait;
      return;
    default:
      return;
  }
}

bool fin_acknowledged(const Endpoint& endpoint) {
  return endpoint.fin_sent && endpoint.snd_una > endpoint.fin;
}

// Fifth: ACK. SND.UNA of the receiver advances, and with it what it may send.
void process_ack(Endpoint& sender, Endpoint& receiver, const Seen& seen) {
  receiver.snd_una = later(receiver.snd_una, seen.ack);
  receiver.window_right = later(receiver.window_right, seen.ack + seen.window);
  sender.window_max = std::max(sender.window_max, seen.window);
  if (!fin_acknowledged(receiver)) return;
  own_fin_acknowledged(receiver);
  peer_fin_received(sender, fin_acknowledged(sender));
}

// Seventh and eighth: text, and FIN. What an endpoint sends tells its own state.
void process_text_and_fin(Endpoint& sender, const Seen& seen) {
  if (has(seen, wire::flag_fin) && !sender.fin_sent) {
    sender.fin_sent = true;
    sender.fin = seen.seq + seen.payload_length;
    if (sender.state == State::established) sender.state = State::fin_wait_1;
    if (sender.state == State::close_wait) sender.state = State::last_ack;
  }
  sender.snd_nxt = later(sender.snd_nxt, end_of(seen));
}

}  // namespace

Outcome observe(Connection& connection, Side from, const Seen& seen) {
  Endpoint& sender = connection.of(from);
  Endpoint& receiver = connection.peer_of(from);
  if (has(seen, wire::flag_rst)) return process_reset(connection, from, seen);
  if (!sequence_acceptable(sender, receiver, seen) ||
      !acknowledgement_acceptable(sender, receiver, seen)) {
    return Outcome::out_of_window;
  }
  const bool again = seen.payload_length > 0 && seen.seq < sender.snd_nxt;
  process_ack(sender, receiver, seen);
  process_text_and_fin(sender, seen);
  return again ? Outcome::retransmitted : Outcome::in_order;
}

bool finished(const Connection& connection) {
  return fin_acknowledged(connection.client) && fin_acknowledged(connection.backend);
}

}  // namespace synward::tcp
