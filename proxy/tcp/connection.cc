// SPDX-License-Identifier: GPL-2.0-or-later
//
// Lenient in passing, strict in changing state: a middlebox is judged by the connections that it
// broke, and an endpoint checks for itself what it accepts. "First", "second" ... are the steps of
// SEGMENT ARRIVES, RFC 9293 3.10.7.4, whose sentences are quoted.
#include "proxy/tcp/connection.h"

#include <algorithm>

#include "proxy/wire/segment.h"

namespace synward::tcp {
namespace {

// Room around every bound: for what was under way when a window moved, for zero-window probes and
// keep-alives (SEQ = SND.NXT-1, RFC 9293 3.8.4), for windows rounded by rescaling.
constexpr std::uint32_t slack_min = 65536;

std::int64_t slack(const Endpoint& receiver) {
  return std::max(receiver.window_max, slack_min);
}

// Numbers are compared by their distance from SND.UNA: with windows of 1 GiB and slack, two that
// are both acceptable may lie more than half the circle apart, so that neither is the later one.
std::int64_t from_una(const Endpoint& sender, SeqNumber number) {
  return number - sender.snd_una;
}

SeqNumber later_of(const Endpoint& sender, SeqNumber a, SeqNumber b) {
  return from_una(sender, a) < from_una(sender, b) ? b : a;
}

bool has(const Seen& seen, std::uint16_t flag) {
  return (seen.flags & flag) != 0;
}

SeqNumber end_of(const Seen& seen) {
  return seen.seq + seen.payload_length + (has(seen, wire::flag_fin) ? 1 : 0);
}

// Nothing can follow, of its own will or of the peer's.
bool ended(const Endpoint& endpoint) {
  return endpoint.state == State::time_wait || endpoint.state == State::closed;
}

// First: "Initial tests on arrival are used to discard old duplicates". The upper bound is what
// the receiver offered. The lower one is as old as an honest sender can be: what it still holds
// for unacknowledged is at most a window behind SND.UNA as known here. It hangs on SND.UNA and not
// on SND.NXT, because a forged segment can push the latter ahead.
bool sequence_acceptable(const Endpoint& sender, const Endpoint& receiver, const Seen& seen) {
  const std::int64_t end = from_una(sender, end_of(seen));
  return end <= from_una(sender, sender.window_right) + slack(receiver) &&
         end >= -(receiver.window_max + slack(receiver));
}

// Fifth: "if the ACK bit is off, drop the segment"; "if the ACK acks something not yet sent
// (SEG.ACK > SND.NXT), then send an ACK, drop the segment". Nor can it be older than all that was
// under way (RFC 5961 5.2).
bool acknowledgement_acceptable(const Endpoint& sender, const Endpoint& receiver,
                                const Seen& seen) {
  const std::int64_t ack = from_una(receiver, seen.ack);
  return has(seen, wire::flag_ack) && ack <= from_una(receiver, receiver.snd_nxt) &&
         ack >= -(sender.window_max + slack(sender));
}

// Second: "if the RST bit is set and the sequence number exactly matches the next expected
// sequence number (RCV.NXT), then TCP endpoints MUST reset the connection". That is what was sent
// to the receiver before, unless some of it was lost behind us: then it lies between what the
// receiver has acknowledged and that, and only the receiver knows whether it is this number. A RST
// anywhere else ends nothing; the receiver answers it with a challenge ACK (RFC 5961 3.2).
Outcome process_reset(Endpoint& sender, Endpoint& receiver, const Seen& seen) {
  if (!sequence_acceptable(sender, receiver, seen)) return Outcome::out_of_window;
  const std::int64_t seq = from_una(sender, seen.seq);
  const std::int64_t next = from_una(sender, sender.snd_nxt);
  // RFC 1337: a RST must not cut TIME-WAIT short; on CLOSED there is nothing to end.
  if (seq < 0 || seq > next || ended(receiver)) return Outcome::suspicious_reset;
  if (seq < next) return Outcome::possible_reset;
  sender.state = State::closed;
  receiver.state = State::closed;
  return Outcome::reset;
}

// Fifth: FIN-WAIT-1: "if the FIN segment is now acknowledged, then enter FIN-WAIT-2"; CLOSING: "if
// the ACK acknowledges our FIN, then enter the TIME-WAIT state"; LAST-ACK: "if our FIN is now
// acknowledged, delete the TCB, enter the CLOSED state".
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

// Eighth, of the endpoint that acknowledges the other's FIN, which only so is known to have
// arrived. ESTABLISHED: "enter the CLOSE-WAIT state"; FIN-WAIT-1: "if our FIN has been ACKed
// (perhaps in this segment), then enter TIME-WAIT ...; otherwise, enter the CLOSING state";
// FIN-WAIT-2: "enter the TIME-WAIT state". A FIN-WAIT-1 whose FIN was acknowledged is FIN-WAIT-2
// here already.
void peer_fin_received(Endpoint& endpoint) {
  switch (endpoint.state) {
    case State::syn_received:
    case State::established:
      endpoint.state = State::close_wait;
      return;
    case State::fin_wait_1:
      endpoint.state = State::closing;
      return;
    case State::fin_wait_2:
      endpoint.state = State::time_wait;
      return;
    default:
      return;
  }
}

// Fifth: "if SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA <- SEG.ACK". The right edge never moves
// left (3.8.6 discourages shrinking; an old ACK must not do it), so what passed once passes again.
void process_ack(Endpoint& sender, Endpoint& receiver, const Seen& seen) {
  receiver.window_right = later_of(receiver, receiver.window_right, seen.ack + seen.window);
  receiver.snd_una = later_of(receiver, receiver.snd_una, seen.ack);
  sender.window_max = std::max(sender.window_max, seen.window);
  const bool fin_acknowledged = receiver.fin_sent && receiver.snd_una > receiver.fin;
  if (!fin_acknowledged) return;
  own_fin_acknowledged(receiver);
  peer_fin_received(sender);
}

// Seventh: what passes may be accepted, hence acknowledged: SND.NXT follows even beyond the window.
void process_text(Endpoint& sender, const Seen& seen) {
  sender.snd_nxt = later_of(sender, sender.snd_nxt, end_of(seen));
}

// Eighth, of the sender itself (3.10.4, CLOSE): ESTABLISHED: "form a FIN segment and send it. In
// any case, enter FIN-WAIT-1"; CLOSE-WAIT: "send a FIN segment, enter LAST-ACK". Not for a FIN that
// the receiver cannot take, beyond its window, nor for one with data sent beyond it: it is forged
// or of an older connection.
void process_fin(Endpoint& sender, const Seen& seen) {
  const SeqNumber fin = seen.seq + seen.payload_length;
  const bool last =
      fin + 1 == sender.snd_nxt && from_una(sender, fin) <= from_una(sender, sender.window_right);
  if (!has(seen, wire::flag_fin) || sender.fin_sent || !last) return;
  sender.fin_sent = true;
  sender.fin = fin;
  if (sender.state == State::syn_received || sender.state == State::established) {
    sender.state = State::fin_wait_1;
  } else if (sender.state == State::close_wait) {
    sender.state = State::last_ack;
  }
}

}  // namespace

Outcome observe(Connection& connection, Side from, const Seen& seen) {
  Endpoint& sender = connection.of(from);
  Endpoint& receiver = connection.peer_of(from);
  if (has(seen, wire::flag_rst)) return process_reset(sender, receiver, seen);
  if (connection.began_unseen && has(seen, wire::flag_ack) &&
      from_una(receiver, seen.ack) <= from_una(receiver, receiver.window_right)) {
    receiver.snd_nxt = later_of(receiver, receiver.snd_nxt, seen.ack);
  }
  if (!sequence_acceptable(sender, receiver, seen) ||
      !acknowledgement_acceptable(sender, receiver, seen)) {
    return Outcome::out_of_window;
  }
  const bool again =
      seen.payload_length > 0 && from_una(sender, seen.seq) < from_una(sender, sender.snd_nxt);
  process_ack(sender, receiver, seen);
  process_text(sender, seen);
  process_fin(sender, seen);
  return again ? Outcome::retransmitted : Outcome::in_order;
}

bool finished(const Connection& connection) {
  return ended(connection.client) && ended(connection.backend);
}

}  // namespace synward::tcp
