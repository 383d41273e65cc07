// SPDX-License-Identifier: GPL-2.0-or-later
//
// D3, H3: SYNs with a victim's address must not bring it SYN-ACKs without end, also in calm.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

struct Family {
  const char* client;
  const char* service;
};

class Reflection : public ::testing::TestWithParam<Family>, public Harness {
 protected:
  Reflection() {
    client = endpoint(GetParam().client);
    service = backend = endpoint(GetParam().service);
    settings.services = {{.listens = {service}, .backends = {}, .synacks_per_prefix = 1000}};
    settings.backlog = 65536;
    settings.connections = 16384;
  }
  // The next source of the victim's network, and another port.
  void next_source() {
    if (++client.port == 0) client.port = 1024;
    client.address.bytes[15] = static_cast<std::uint8_t>(client.port);
  }
  std::uint64_t sent() { return counters().synacks_sent.value(); }
};

TEST_P(Reflection, AVictimGetsNoMoreThanTheRateAllIncluded) {
  for (int second = 0; second < 40; ++second) {
    for (int tick = 0; tick < 125; ++tick, pass(milliseconds(8))) {
      if (second >= 4) continue;
      for (int i = 0; i < 160; ++i, next_source()) from_client(syn());
    }
    EXPECT_LE(sent(), 250U + 1000U * (static_cast<unsigned>(second) + 1) + 8U) << second;
  }
  EXPECT_EQ(counters().syns_received.value() + dropped(synward_reason_synack_limit), 80'000U);
  std::printf("80000 SYNs: %llu SYN-ACKs, %llu of them again\n",
              static_cast<unsigned long long>(sent()),
              static_cast<unsigned long long>(counters().synack_retransmits.value()));
  EXPECT_LT(sent(), 20'000U);
}

TEST_P(Reflection, AVictimHoldsATenthOfTheQueueInCalm) {
  settings.backlog = 1000;
  settings.services[0].synacks_per_prefix = 0;
  for (int i = 0; i < 500; ++i, next_source()) EXPECT_EQ(from_client(syn()), Verdict::reply);
  EXPECT_EQ(counters().half_open_connections.value(), 100);
  EXPECT_EQ(counters().half_open_untracked.value(), 400U);
}

TEST_P(Reflection, AClientOfTheVictimsNetworkIsAnsweredAfterTheFlood) {
  for (int i = 0; i < 5000; ++i, next_source()) from_client(syn());
  EXPECT_EQ(from_client(syn()), Verdict::drop);
  pass(seconds(1));  // its SYN comes again
  EXPECT_EQ(from_client(syn()), Verdict::reply);
}

// A carrier's NAT: who answers has asked, and does not count.
TEST_P(Reflection, ClientsThatConnectAreNotLimited) {
  for (int i = 0; i < 5000; ++i, next_source()) connect();
  EXPECT_EQ(dropped(synward_reason_synack_limit), 0U);
}

TEST_P(Reflection, ACookieGivesBackOnce) {
  const std::uint32_t cookie = connect();
  for (int i = 0; i < 1000; ++i) {  // the same acknowledgement again: of a connection, or spent
    from_client(from_client_segment(1001, cookie + 1));
  }
  std::uint64_t answered = 0;
  for (int i = 0; i < 5000; ++i) {
    next_source();
    answered += from_client(syn()) == Verdict::reply ? 1 : 0;
  }
  EXPECT_EQ(answered, 250U);
}

TEST_P(Reflection, ASynThatComesAgainCountsToo) {
  for (int i = 0; i < 2000; ++i) from_client(syn());
  EXPECT_EQ(sent(), 250U);
}

TEST_P(Reflection, AReloadChangesTheLimit) {
  for (int i = 0; i < 2000; ++i) from_client(syn());
  settings.services[0].synacks_per_prefix = 0;
  engine().apply(settings, now);
  EXPECT_EQ(from_client(syn()), Verdict::reply);
}

INSTANTIATE_TEST_SUITE_P(Families, Reflection,
                         ::testing::Values(Family{"203.0.113.5:40000", "198.51.100.10:80"},
                                           Family{"[2001:db8:f::5]:40000", "[2001:db8:2::10]:80"}));

}  // namespace
}  // namespace synward::engine
