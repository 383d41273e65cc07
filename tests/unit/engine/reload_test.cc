// SPDX-License-Identifier: GPL-2.0-or-later
//
// Connections, challenges and counters over a change of the configuration.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Reload : public ::testing::Test, public Harness {
 protected:
  const Endpoint other = endpoint("198.51.100.11:80");
  void apply() {
    std::vector<std::size_t> backends;
    for (const auto& plan : settings.services) {
      backends.push_back(plan.transparent() ? plan.listens.size() : plan.backends.size());
    }
    all_counters().grow(backends);
    while (settings.offers.size() < settings.services.size()) {
      settings.offers.push_back(settings.offers.front());
    }
    engine().apply(settings, now);
  }
  SegmentToSend data(std::uint32_t cookie) const {
    SegmentToSend segment = from_client_segment(1001, cookie + 1);
    segment.payload = bytes_;
    return segment;
  }

 private:
  std::array<std::uint8_t, 3> bytes_{'a', 'b', 'c'};
};

TEST_F(Reload, AConnectionOfARemovedServiceLivesOn) {
  const std::uint32_t cookie = connect();
  settings.services = {{}};
  apply();
  EXPECT_EQ(from_client(data(cookie)), Verdict::forward);
  EXPECT_EQ(left.at(0).segment.ack, SeqNumber(777001));
  EXPECT_EQ(from_backend(from_backend_segment(777001, 1004)), Verdict::forward);
  EXPECT_EQ(left.at(0).segment.seq, SeqNumber(cookie + 1));
}

// A reload that was refused leaves its services' numbers behind. They must not cost a queue each.
TEST_F(Reload, AServiceHasAQueueFromItsFirstListenOn) {
  engine();
  settings.services.push_back({});
  apply();
  ServiceCounters& late = all_counters().services[1];
  EXPECT_EQ(late.half_open_limit.value(), 0);
  EXPECT_EQ(counters().half_open_limit.value(), 64);
  settings.services[1].listens = {other};
  apply();
  EXPECT_EQ(late.half_open_limit.value(), 64);
  service = backend = other;
  challenge();
  EXPECT_EQ(late.half_open_connections.value(), 1);
  settings.services[1].listens.clear();
  apply();
  pass(seconds(32));
  EXPECT_EQ(late.half_open_expired.value(), 1U);
}

TEST_F(Reload, NewConnectionsOfARemovedServicePassUntouched) {
  engine();
  settings.services = {{}};
  apply();
  EXPECT_EQ(from_client(syn()), Verdict::pass);
  EXPECT_EQ(from_client(from_client_segment(5000, 6000)), Verdict::pass);
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::pass);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(counters().syns_received.value(), 0U);
}

TEST_F(Reload, ResetsOfARemovedServicePassButThoseThatFreeAnEntry) {
  challenge();
  settings.services = {{}};
  apply();
  SegmentToSend reset = from_client_segment(1001, 0);
  reset.flags = wire::flag_rst;
  EXPECT_EQ(from_client(reset), Verdict::consume);
  EXPECT_EQ(counters().half_open_reset.value(), 1U);
  EXPECT_EQ(from_client(reset), Verdict::pass);
}

TEST_F(Reload, WhatPassesIsNoFailedAcknowledgement) {
  const auto& failed = counters().cookies_rejected[static_cast<std::size_t>(RejectReason::mac)];
  EXPECT_EQ(from_client(from_client_segment(5000, 6000)), Verdict::drop);
  EXPECT_EQ(failed.value(), 1U);
  settings.services = {{}};
  apply();
  EXPECT_EQ(from_client(from_client_segment(5000, 6000)), Verdict::pass);
  EXPECT_EQ(failed.value(), 1U);
}

TEST_F(Reload, SegmentsOfABackendAreForTheServiceThatHasItNow) {
  backend = endpoint("198.51.100.77:8080");
  settings.services = {{.listens = {service}, .backends = {backend}}};
  const std::uint32_t cookie = challenge();
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  pass(seconds(20));                                                        // it is silent
  settings.services = {{}, {.listens = {service}, .backends = {backend}}};  // renamed
  apply();
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(all_counters().services[1].dropped[synward_reason_unknown_segment].value(), 1U);
}

TEST_F(Reload, AShorterIdleTimeoutHoldsForThoseThatAreIdleAlready) {
  connect();
  settings.idle = seconds(70);
  apply();
  pass(seconds(69));
  EXPECT_EQ(counters().connections_closed[2].value(), 0U);
  pass(seconds(2));
  EXPECT_EQ(counters().connections_closed[2].value(), 1U);
}

TEST_F(Reload, AChallengeUnderWayIsRedeemedAfterItsServiceHasGone) {
  const std::uint32_t cookie = challenge();
  settings.services = {{}};
  apply();
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.destination, backend);
}

TEST_F(Reload, AServiceThatComesIsChallengedAndCounted) {
  connect();
  settings.services.push_back({.listens = {other}, .backends = {}});
  apply();
  service = backend = other;
  client.port = 40001;
  connect();
  EXPECT_EQ(all_counters().services[1].connections_spliced.value(), 1U);
  EXPECT_EQ(counters().connections_spliced.value(), 1U);
}

TEST_F(Reload, LimitsHoldFromNowOn) {
  connect();
  settings.idle = seconds(5);
  settings.synack_timeout = seconds(3);
  apply();
  client.port = 40001;
  challenge();
  pass(milliseconds(2900));
  EXPECT_EQ(counters().synack_retransmits.value(), 0U);
  pass(milliseconds(200));
  EXPECT_EQ(counters().synack_retransmits.value(), 1U);
}

TEST_F(Reload, ABackendThatLeftKeepsItsConnectionsAndGetsNoNewOnes) {
  backend = endpoint("198.51.100.77:8080");
  settings.services = {{.listens = {service}, .backends = {backend}}};
  const std::uint32_t cookie = connect();
  settings.services = {{.listens = {service}, .backends = {other}}};
  all_counters().grow({2});
  engine().apply(settings, now);
  EXPECT_EQ(from_client(data(cookie)), Verdict::forward);
  EXPECT_EQ(left.at(0).segment.destination, backend);
  client.port = 40001;
  ASSERT_EQ(from_client(from_client_segment(1001, challenge() + 1)), Verdict::consume);
  EXPECT_EQ(left.at(0).segment.destination, other);
}

}  // namespace
}  // namespace synward::engine
