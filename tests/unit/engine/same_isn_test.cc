// SPDX-License-Identifier: GPL-2.0-or-later
//
// T3: a client that comes back with the same ports and ISN within the epoch, as a device does that
// boots with the same numbers. However its old connection ended, it connects; and no cookie opens a
// second connection (C8).
#include <algorithm>
#include <tuple>

#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

enum class Ended { by_backends_reset, by_clients_reset, silently, with_fins };

class SameIsn : public ::testing::TestWithParam<std::tuple<bool, bool, Ended>>, public Harness {
 protected:
  SameIsn() {
    if (!std::get<1>(GetParam())) settings.backlog = 0;
    if (!std::get<0>(GetParam())) return;
    client = endpoint("[2001:db8:1::5]:40000");
    service = backend = endpoint("[2001:db8:2::10]:80");
    settings.services = {{.listens = {service}, .backends = {}}};
  }

  void exchange(std::uint32_t cookie) {
    static constexpr std::array<std::uint8_t, 4> text{'a', 'b', 'c', 'd'};
    SegmentToSend data = from_client_segment(1001, cookie + 1);
    data.payload = text;
    ASSERT_EQ(from_client(data), Verdict::forward);
    ASSERT_EQ(from_backend(from_backend_segment(777001, 1005)), Verdict::forward);
  }
  void end(std::uint32_t cookie) {
    SegmentToSend segment = from_backend_segment(777001, 1005);
    switch (std::get<2>(GetParam())) {
      case Ended::by_backends_reset:
        segment.flags = wire::flag_rst | wire::flag_ack;
        EXPECT_EQ(from_backend(segment), Verdict::forward);
        return;
      case Ended::by_clients_reset:
        segment = from_client_segment(1005, cookie + 1);
        segment.flags = wire::flag_rst | wire::flag_ack;
        EXPECT_EQ(from_client(segment), Verdict::forward);
        return;
      case Ended::silently:
        return;
      case Ended::with_fins:
        segment.flags = wire::flag_fin | wire::flag_ack;
        EXPECT_EQ(from_backend(segment), Verdict::forward);
        segment = from_client_segment(1005, cookie + 2);
        segment.flags = wire::flag_fin | wire::flag_ack;
        EXPECT_EQ(from_client(segment), Verdict::forward);
        EXPECT_EQ(from_backend(from_backend_segment(777002, 1006)), Verdict::forward);
        return;
    }
  }
  // As a client would until it is answered: SYN, and a RST at what a challenge ACK acknowledges.
  std::uint32_t challenge_again() {
    for (int tries = 0; tries < 3; ++tries) {
      from_client(syn());
      EXPECT_EQ(left.size(), 1U);
      if (left.at(0).segment.has(wire::flag_syn)) return left[0].segment.seq.value();
      SegmentToSend reset = from_client_segment(left[0].segment.ack.value(), 0);
      reset.flags = wire::flag_rst;
      from_client(reset);
      pass(seconds(1));
    }
    ADD_FAILURE() << "never answered by a SYN-ACK";
    return 0;
  }
};
INSTANTIATE_TEST_SUITE_P(All, SameIsn,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool(),
                                            ::testing::Values(Ended::by_backends_reset,
                                                              Ended::by_clients_reset,
                                                              Ended::silently, Ended::with_fins)));

TEST_P(SameIsn, ConnectsAgainAndAgain) {
  std::vector<std::uint32_t> cookies;
  for (int life = 0; life < 3; ++life) {
    const std::uint32_t cookie = challenge_again();
    EXPECT_EQ(std::ranges::count(cookies, cookie), 0);
    cookies.push_back(cookie);
    // The old acknowledgement opens nothing, whatever is under way.
    for (const std::uint32_t old : cookies) {
      if (old != cookie) from_client(from_client_segment(1001, old + 1));
    }
    ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
    ASSERT_EQ(left.size(), 1U);
    ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
    exchange(cookie);
    end(cookie);
  }
  EXPECT_EQ(counters().backends[0].syns_sent.value(), 3U);
  EXPECT_EQ(counters().cookies_rejected[static_cast<std::size_t>(RejectReason::replayed)].value(),
            3U);
}

// H2: a SYN that comes again before its challenge was answered gets the same number, and so does
// the timer's retransmission.
TEST_P(SameIsn, ARepeatedSynGetsTheSameNumberAgain) {
  const std::uint32_t first = connect();
  exchange(first);
  end(first);
  const std::uint32_t second = challenge_again();
  EXPECT_NE(second, first);
  EXPECT_EQ(challenge(), second);
  pass(milliseconds(1100));
  for (const Left& repeated : left) EXPECT_EQ(repeated.segment.seq.value(), second);
  EXPECT_EQ(left.size(), std::get<1>(GetParam()) ? 1U : 0U);
}

}  // namespace
}  // namespace synward::engine
