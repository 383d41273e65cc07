// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a process leaves to the next one, and what is the same on another node.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Successor : public ::testing::TestWithParam<bool>, public Harness {
 protected:
  Successor() {
    if (!GetParam()) return;
    client = endpoint("[2001:db8:1::5]:40000");
    service = backend = endpoint("[2001:db8:2::10]:80");
    settings.services = {{.listens = {service}, .backends = {}}};
  }

  // The RST that the sender of `segment` believes (RFC 5961 3.2): exactly what it expects next.
  void expect_reset_for(const SegmentToSend& segment) {
    ASSERT_EQ(left.size(), 1U);
    const Segment& reset = left[0].segment;
    EXPECT_EQ(reset.flags, wire::flag_rst);
    EXPECT_EQ(reset.seq, segment.ack);
    EXPECT_EQ(reset.source, segment.destination);
    EXPECT_EQ(reset.destination, segment.source);
  }
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, Successor, ::testing::Bool(),
                         [](const auto& family) { return family.param ? "IPv6" : "IPv4"; });

// C8, 15: who believes in the connection is told that there is none.
TEST_P(Successor, ACookieThatWasSpentBeforeIsRefusedByAReset) {
  const std::uint32_t cookie = connect();
  restart();
  const SegmentToSend again = from_client_segment(1001, cookie + 1);
  EXPECT_EQ(from_client(again), Verdict::drop);
  expect_reset_for(again);
  EXPECT_EQ(dropped(synward_reason_replayed_cookie), 1U);
  EXPECT_EQ(counters().cookies_rejected[static_cast<std::size_t>(RejectReason::replayed)].value(),
            1U);
}

TEST_P(Successor, AnotherCookieOfTheSamePortIsNotTakenForIt) {
  connect();
  restart();
  const std::uint32_t another = challenge(5000);
  EXPECT_EQ(from_client(from_client_segment(5001, another + 1)), Verdict::consume);
  EXPECT_EQ(counters().cookies_redeemed[0].value(), 1U);
}

// A client keeps its backend: the choice is by the master key, whatever else a process makes up.
TEST_P(Successor, ChoosesTheSameBackends) {
  const std::string first_half = GetParam() ? "[2001:db8:2::" : "198.51.100.";
  const std::string second_half = GetParam() ? "]:8080" : ":8080";
  settings.services[0].backends.clear();
  for (const char* host : {"21", "22", "23", "24"}) {
    settings.services[0].backends.push_back(endpoint((first_half + host + second_half).c_str()));
  }
  const auto choices = [&] {
    std::vector<wire::Address> result;
    for (std::uint16_t port = 20000; port < 20040; ++port) {
      client.port = port;
      const std::uint32_t cookie = challenge();
      from_client(from_client_segment(1001, cookie + 1));
      result.push_back(left.at(0).segment.destination.address);
      now += seconds(200);  // so that the cookies of the last time are forgotten
      pass(seconds(1));
    }
    return result;
  };
  const auto before = choices();
  settings.hash_key = {7, 8};
  restart();
  EXPECT_EQ(choices(), before);
  settings.master_key[3] ^= 1;
  restart();
  EXPECT_NE(choices(), before);
}

}  // namespace
}  // namespace synward::engine
