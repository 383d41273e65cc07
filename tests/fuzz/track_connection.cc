// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any segments, mostly near the window: whatever comes, the tracker's numbers stay in order, what
// is dropped or suspicious changes nothing, and states move only along RFC 9293's figure 5. The
// input is both first sequence numbers, then 10 bytes for each segment.
#include "proxy/tcp/connection.h"
#include "proxy/wire/segment.h"
#include "tests/fuzz/input.h"

namespace synward::fuzz {
namespace {

using tcp::Connection;
using tcp::Endpoint;
using tcp::Outcome;
using tcp::Seen;
using tcp::State;

constexpr std::uint32_t first_window = 64240;

Endpoint established(std::uint32_t first) {
  const wire::SeqNumber seq(first);
  return {.snd_una = seq,
          .snd_nxt = seq,
          .window_right = seq + first_window,
          .window_max = first_window,
          .fin = {},
          .state = State::established};
}

Seen next_segment(Input& input, std::uint8_t bits, const Endpoint& sender,
                  const Endpoint& receiver) {
  const unsigned scale = input.byte() % (wire::window_scale_max + 1U);
  // A delta in bytes, or in units of 64 KiB to get anywhere on the circle.
  const std::uint32_t unit = (bits & 16) != 0 ? 65536 : 1;
  const auto delta = [&] {
    return unit * static_cast<std::uint32_t>(static_cast<std::int16_t>(input.word()));
  };
  Seen seen;
  seen.seq = sender.snd_nxt + delta();
  seen.ack = receiver.snd_nxt + delta();
  seen.payload_length = input.word();
  seen.window = std::uint32_t{input.word()} << scale;
  if ((bits & 2) != 0) seen.flags |= wire::flag_ack;
  if ((bits & 4) != 0) seen.flags |= wire::flag_fin;
  if ((bits & 8) != 0) seen.flags |= wire::flag_rst;
  return seen;
}

// In one segment, an endpoint's ACK and FIN can take it two steps.
bool reachable(State from, State to) {
  switch (from) {
    case State::established:
      return to == State::fin_wait_1 || to == State::close_wait || to == State::last_ack;
    case State::fin_wait_1:
      return to == State::fin_wait_2 || to == State::closing;
    case State::fin_wait_2:
    case State::closing:
      return to == State::time_wait;
    case State::close_wait:
      return to == State::last_ack;
    default:
      return from == State::last_ack && to == State::closed;
  }
}

bool same(const Endpoint& a, const Endpoint& b) {
  return a.snd_una == b.snd_una && a.snd_nxt == b.snd_nxt && a.window_right == b.window_right &&
         a.window_max == b.window_max && a.state == b.state && a.fin_sent == b.fin_sent;
}

void check(const Endpoint& before, const Endpoint& now, Outcome outcome) {
  if (outcome == Outcome::out_of_window || outcome == Outcome::possible_reset ||
      outcome == Outcome::suspicious_reset) {
    require(same(before, now));
    return;
  }
  require(outcome == Outcome::reset
              ? now.state == State::closed
              : before.state == now.state || reachable(before.state, now.state));
  require(now.snd_una >= before.snd_una && now.snd_nxt >= before.snd_nxt);
  require(now.snd_una <= now.snd_nxt);
  require(now.window_right >= before.window_right);
  require(!before.fin_sent || (now.fin_sent && now.fin == before.fin));
}

}  // namespace
}  // namespace synward::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synward::fuzz;
  Input input(data, size);
  Connection connection;
  connection.client = established(input.long_word());
  connection.backend = established(input.long_word());
  while (!input.empty()) {
    const std::uint8_t bits = input.byte();
    const auto from = (bits & 1) != 0 ? synward::Side::backend : synward::Side::client;
    const Seen seen = next_segment(input, bits, connection.of(from), connection.peer_of(from));
    const Connection before = connection;
    const Outcome outcome = synward::tcp::observe(connection, from, seen);
    check(before.client, connection.client, outcome);
    check(before.backend, connection.backend, outcome);
    require(outcome != Outcome::reset || synward::tcp::finished(connection));
  }
  return 0;
}
