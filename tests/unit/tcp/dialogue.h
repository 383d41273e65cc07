// SPDX-License-Identifier: GPL-2.0-or-later
//
// A connection in the state that a test is about, and the segments of its two endpoints: each by
// default the next in order, acknowledging all that the other has sent.
#pragma once
#include <gtest/gtest.h>

#include "proxy/tcp/connection.h"
#include "proxy/wire/segment.h"

namespace synward::tcp {

inline constexpr std::uint32_t test_window = 64000;
inline constexpr SeqNumber client_first{1001}, backend_first{0xfffffff1};  // one of them wraps

inline Endpoint test_endpoint(SeqNumber first) {
  return {.snd_una = first,
          .snd_nxt = first,
          .window_right = first + test_window,
          .window_max = test_window,
          .fin = {},
          .state = State::established};
}

class Dialogue : public ::testing::Test {
 protected:
  Connection connection{test_endpoint(client_first), test_endpoint(backend_first)};

  Seen next(Side from) {
    return {.seq = connection.of(from).snd_nxt,
            .ack = connection.peer_of(from).snd_nxt,
            .flags = wire::flag_ack,
            .window = test_window};
  }
  Seen data(Side from, std::uint32_t length) {
    Seen seen = next(from);
    seen.payload_length = length;
    return seen;
  }
  Seen fin(Side from) {
    Seen seen = next(from);
    seen.flags |= wire::flag_fin;
    return seen;
  }
  Seen reset(Side from) {
    Seen seen = next(from);
    seen.flags = wire::flag_rst;
    return seen;
  }
  static Seen acknowledging(Seen seen, SeqNumber ack) {
    seen.ack = ack;
    return seen;
  }

  Outcome client(const Seen& seen) { return observe(connection, Side::client, seen); }
  Outcome backend(const Seen& seen) { return observe(connection, Side::backend, seen); }
  Outcome client_acks() { return client(next(Side::client)); }
  Outcome backend_acks() { return backend(next(Side::backend)); }

  void expect_states(State client_state, State backend_state) const {
    EXPECT_EQ(connection.client.state, client_state);
    EXPECT_EQ(connection.backend.state, backend_state);
  }
};

}  // namespace synward::tcp
