// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a process leaves to the next one, and what is the same on another node.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Successor : public ::testing::TestWithParam<bool>, public Harness {
 protected:
  Successor() {
    settings.live_tuples = tuples_;
    if (!GetParam()) return;
    client = endpoint("[2001:db8:1::5]:40000");
    service = backend = endpoint("[2001:db8:2::10]:80");
    settings.services = {{.listens = {service}, .backends = {}}};
  }

  // The process dies, and the next one, at `later`, knows whom it had joined.
  void crash(Duration later = seconds(1)) {
    now += later;
    settings.live_tuples = {};
    settings.orphans =
        std::make_shared<flow::Orphans>(std::span(tuples_), flow::HashKey{5, 6}, now);
    restart();
  }
  std::vector<flow::LiveTuple> tuples_ = std::vector<flow::LiveTuple>(64);

  // The RST that the sender of `segment` believes (RFC 5961 3.2): exactly what it expects next.
  void expect_reset_for(const SegmentToSend& segment) {
    ASSERT_EQ(left.size(), 1U);
    const Segment& reset = left[0].segment;
    EXPECT_EQ(reset.flags, wire::flag_rst);
    EXPECT_EQ(reset.seq, segment.ack);
    EXPECT_EQ(reset.source, segment.destination);
    EXPECT_EQ(reset.destination, segment.source);
  }
  void expect_client_reset(const SegmentToSend& segment) {
    EXPECT_EQ(from_client(segment), Verdict::drop);
    expect_reset_for(segment);
  }
  void expect_backend_reset(const SegmentToSend& segment) {
    EXPECT_EQ(from_backend(segment), Verdict::drop);
    expect_reset_for(segment);
  }
  // Of connect()'s connection.
  void expect_both_ends_reset(std::uint32_t cookie) {
    expect_client_reset(from_client_segment(1001, cookie + 1));
    expect_backend_reset(from_backend_segment(777001, 1001));
  }
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, Successor, ::testing::Bool(),
                         [](const auto& family) { return family.param ? "IPv6" : "IPv4"; });

// C8, 15: who believes in the connection is told that there is none.
TEST_P(Successor, ACookieThatWasSpentBeforeIsRefusedByAReset) {
  const std::uint32_t cookie = connect();
  restart();
  const SegmentToSend again = from_client_segment(1001, cookie + 1);
  expect_client_reset(again);
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

// 12: neither hangs, and neither is taken over with the offsets lost, also within the first
// minutes.
TEST_P(Successor, BothEndsOfAnOrphanAreResetAtTheirNextSegment) {
  settings.adopt_until = now + std::chrono::hours(1);
  settings.adopt_from_servers = true;
  const std::uint32_t cookie = connect();
  now += seconds(200);  // its cookie says nothing any more
  crash();
  expect_both_ends_reset(cookie);
  EXPECT_EQ(dropped(synward_reason_orphaned), 2U);
  EXPECT_EQ(counters().connections_spliced.value(), 0U);
  // Again, if the RST was lost; but not without end.
  const SegmentToSend of_client = from_client_segment(1001, cookie + 1);
  EXPECT_EQ(from_client(of_client), Verdict::drop);
  EXPECT_TRUE(left.empty());
  pass(seconds(1));
  expect_client_reset(of_client);
}

TEST_P(Successor, SoIsOneThatWasStillConnecting) {
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  now += seconds(200);
  crash();
  const SegmentToSend answer = syn_ack(777000, 1001);
  expect_backend_reset(answer);
  const SegmentToSend of_client = from_client_segment(1001, cookie + 1);
  expect_client_reset(of_client);
}

TEST_P(Successor, WithListedBackendsToo) {
  backend = GetParam() ? endpoint("[2001:db8:2::21]:8080") : endpoint("198.51.100.21:8080");
  settings.services[0].backends = {backend};
  const std::uint32_t cookie = connect();
  now += seconds(200);
  crash();
  expect_both_ends_reset(cookie);
}

TEST_P(Successor, AnOrphanWhoseListenIsNotConfiguredAnyMoreIsResetAndTheRestPasses) {
  const std::uint32_t cookie = connect();
  settings.services[0].listens[0].port = 81;
  now += seconds(200);
  crash();
  expect_both_ends_reset(cookie);
  ++client.port;
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::pass);
  EXPECT_EQ(from_client(syn()), Verdict::pass);
  EXPECT_EQ(from_backend(from_backend_segment(777001, 1001)), Verdict::pass);
}

TEST_P(Successor, ANewConnectionTakesItsPlace) {
  connect();
  now += seconds(200);
  crash();
  const std::uint32_t cookie = challenge(5000);
  ASSERT_EQ(from_client(from_client_segment(5001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack(888000, 5001)), Verdict::consume);
  EXPECT_EQ(from_backend(from_backend_segment(888001, 5001)), Verdict::forward);
  SegmentToSend reset = from_backend_segment(888001, 5001);
  reset.flags = wire::flag_rst | wire::flag_ack;
  EXPECT_EQ(from_backend(reset), Verdict::forward);
  pass(seconds(200));
  EXPECT_EQ(from_client(from_client_segment(5001, cookie + 1)), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_orphaned), 0U);
}

// Its end knows: what comes later from these ports is of something else.
TEST_P(Successor, TheResetOfAnEndForgetsItsHalf) {
  const std::uint32_t cookie = connect();
  now += seconds(200);
  crash();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst;
  EXPECT_EQ(from_client(reset), Verdict::drop);
  EXPECT_TRUE(left.empty()) << "never a RST for a RST";
  from_client(from_client_segment(1001, cookie + 1));
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(dropped(synward_reason_orphaned), 1U);
  EXPECT_FALSE(settings.orphans->empty());
  EXPECT_TRUE(settings.orphans->listens().empty());
  SegmentToSend of_backend = from_backend_segment(777001, 1001);
  of_backend.flags = wire::flag_rst | wire::flag_ack;
  EXPECT_EQ(from_backend(of_backend), Verdict::drop);
  EXPECT_TRUE(settings.orphans->empty());
}

// Somebody calls the backend past us, with the ports of a connection that it has forgotten.
TEST_P(Successor, ABackendThatAcceptsIsRefusedOnce) {
  connect();
  now += seconds(200);
  crash();
  EXPECT_EQ(from_backend(syn_ack(888000, 5001)), Verdict::drop);
  EXPECT_EQ(left.size(), 1U);
  EXPECT_EQ(from_backend(syn_ack(888000, 5001)), Verdict::pass);
}

TEST_P(Successor, WhoCallsAListenThatIsConfiguredNoMoreHasANewConnection) {
  const std::uint32_t cookie = connect();
  settings.services[0].listens[0].port = 81;
  now += seconds(200);
  crash();
  EXPECT_EQ(from_client(syn(5000)), Verdict::pass);
  EXPECT_EQ(from_backend(syn_ack(888000, 5001)), Verdict::pass);
  EXPECT_EQ(from_client(from_client_segment(5001, cookie + 1)), Verdict::pass);
  EXPECT_TRUE(settings.orphans->empty());
}

TEST_P(Successor, AfterTheIdleTimeoutItIsForgotten) {
  const std::uint32_t cookie = connect();
  now += seconds(200);
  crash();
  settings.orphans->expire(now + seconds(1));
  from_client(from_client_segment(1001, cookie + 1));
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(dropped(synward_reason_orphaned), 0U);
  EXPECT_EQ(dropped(synward_reason_unknown_segment), 1U);
}

TEST_P(Successor, WhatHasEndedLeavesNoOrphan) {
  connect();
  SegmentToSend reset = from_backend_segment(777001, 1001);
  reset.flags = wire::flag_rst | wire::flag_ack;
  from_backend(reset);
  crash();
  EXPECT_TRUE(settings.orphans->empty());

  settings.live_tuples = tuples_;
  now += seconds(200);
  restart();
  connect();
  std::uint32_t place = 0;
  Outbox out(1 << 16, 64);
  EXPECT_FALSE(engine().reset_some(place, out));
  crash();
  EXPECT_TRUE(settings.orphans->empty());
}

}  // namespace
}  // namespace synward::engine
