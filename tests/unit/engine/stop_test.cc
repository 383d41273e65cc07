// SPDX-License-Identifier: GPL-2.0-or-later
//
// The ordered stop: every connection is ended on both sides, in a time that grows as their number.
#include <algorithm>
#include <chrono>

#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Stop : public ::testing::TestWithParam<std::uint32_t>, public Harness {
 protected:
  // Connections that wait for their backend; the fewest packets that make one. Not by arrive(),
  // whose copies take longer than the engine.
  void open(std::uint32_t connections) {
    Outbox out(1 << 20, 1024);
    std::vector<std::uint8_t> bytes(128);
    const auto hand_in = [&](const SegmentToSend& segment) {
      const std::size_t length = wire::emit(bytes, segment);
      return engine().on_packet(
          now, {std::span(bytes).first(length), length, wire::ChecksumState::verified, false},
          {true, false}, out);
    };
    for (std::uint32_t i = 0; i < connections; ++i) {
      const std::array<std::uint8_t, 4> octets{10, static_cast<std::uint8_t>(i >> 16),
                                               static_cast<std::uint8_t>(i >> 8),
                                               static_cast<std::uint8_t>(i)};
      client.address = wire::Address::from_ipv4(octets);
      const Decision challenge = hand_in(syn());
      ASSERT_EQ(challenge.verdict, Verdict::reply);
      std::ranges::copy(challenge.packet, bytes.begin());
      const auto answer =
          wire::parse_segment({std::span(bytes).first(challenge.packet.size()),
                               challenge.packet.size(), wire::ChecksumState::verified, false});
      ASSERT_TRUE(answer.has_value());
      const std::uint32_t isn = answer->seq.value();
      ASSERT_EQ(hand_in(from_client_segment(1001, isn + 1)).verdict, Verdict::consume);
      out.clear();
    }
  }
};

TEST_P(Stop, LooksAtEachConnectionOnce) {
  const std::uint32_t connections = GetParam();
  settings.connections = connections + connections / 32;
  settings.backlog = 0;
  open(connections);
  Outbox out(1 << 20, 8192);
  const auto begun = std::chrono::steady_clock::now();
  std::uint32_t place = 0, reset = 0;
  for (bool more = true; more;) {
    more = engine().reset_some(place, out);
    reset += static_cast<std::uint32_t>(out.packets().size()) / 2;  // one to each side
    ASSERT_EQ(place, reset) << "what a pass has looked at it has reset";
    out.clear();
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  std::printf("%u connections reset in %.1f ms\n", connections, took.count());
  EXPECT_EQ(reset, connections);
}
INSTANTIATE_TEST_SUITE_P(Connections, Stop, ::testing::Values(10'000U, 100'000U, 1'000'000U));

class StopOfAdopted : public ::testing::Test, public Harness {
 protected:
  StopOfAdopted() { settings.adopt_until = now + seconds(600); }
  std::size_t resets() {
    Outbox out(1 << 16, 64);
    std::uint32_t place = 0;
    EXPECT_FALSE(engine().reset_some(place, out));
    return out.packets().size();
  }
};

TEST_F(StopOfAdopted, OneThatBothSidesHaveProvedIsReset) {
  ASSERT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  EXPECT_EQ(resets(), 2U);
}

// Of a connection past us, to a service that is called from an interface that is no client's, the
// server's direction alone is seen.
TEST_F(StopOfAdopted, AGuessIsForgottenAndNobodyTold) {
  ASSERT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  EXPECT_EQ(resets(), 0U);
  EXPECT_EQ(counters().connections_closed[5].value(), 0U);
  EXPECT_EQ(state(Side::client, tcp::State::established), 0);
}

}  // namespace
}  // namespace synward::engine
