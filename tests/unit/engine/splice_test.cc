// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class SpliceSteps : public ::testing::Test, public Harness {};

TEST_F(SpliceSteps, NumbersOfTheBackendAreThoseOfTheChallengeToTheClient) {
  const std::uint32_t cookie = connect();
  const std::vector<std::uint8_t> data(100, 'd');
  SegmentToSend answer = from_backend_segment(777001, 1001);
  answer.payload = data;
  ASSERT_EQ(from_backend(answer), Verdict::forward);
  EXPECT_EQ(left[0].segment.seq.value(), cookie + 1);
  EXPECT_EQ(left[0].segment.ack, SeqNumber(1001));
  EXPECT_EQ(left[0].segment.source, service);

  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 101)), Verdict::forward);
  EXPECT_EQ(left[0].segment.ack, SeqNumber(777101));
  EXPECT_EQ(left[0].segment.seq, SeqNumber(1001));
  EXPECT_EQ(counters().bytes_translated[1].value(), 100U);
}

TEST_F(SpliceSteps, OrderlyCloseWalksTheStatesAndLingersSixtySeconds) {
  const std::uint32_t cookie = connect();
  SegmentToSend fin = from_client_segment(1001, cookie + 1);
  fin.flags |= wire::flag_fin;
  ASSERT_EQ(from_client(fin), Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::fin_wait_1), 1);
  EXPECT_EQ(state(Side::backend, tcp::State::established), 1);
  ASSERT_EQ(from_backend(from_backend_segment(777001, 1002)), Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::fin_wait_2), 1);
  EXPECT_EQ(state(Side::backend, tcp::State::close_wait), 1);
  SegmentToSend other_fin = from_backend_segment(777001, 1002);
  other_fin.flags |= wire::flag_fin;
  ASSERT_EQ(from_backend(other_fin), Verdict::forward);
  EXPECT_EQ(state(Side::backend, tcp::State::last_ack), 1);
  ASSERT_EQ(from_client(from_client_segment(1002, cookie + 2)), Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::time_wait), 1);
  EXPECT_EQ(state(Side::backend, tcp::State::closed), 1);
  EXPECT_EQ(counters().connections_closed[0].value(), 1U);
  pass(seconds(59));
  EXPECT_EQ(state(Side::client, tcp::State::time_wait), 1);
  pass(seconds(2));
  EXPECT_EQ(state(Side::client, tcp::State::time_wait), 0);
  EXPECT_EQ(state(Side::backend, tcp::State::closed), 0);
}

TEST_F(SpliceSteps, SynOnAnEstablishedConnectionGetsAChallengeAckAndChangesNothing) {
  const std::uint32_t cookie = connect();
  EXPECT_EQ(from_client(syn(99999)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_ack);
  EXPECT_EQ(left[0].segment.seq.value(), cookie + 1);
  EXPECT_EQ(left[0].segment.ack, SeqNumber(1001));
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
}

TEST_F(SpliceSteps, SynAfterAResetOpensANewConnection) {
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_client(reset), Verdict::forward);
  EXPECT_EQ(counters().connections_closed[1].value(), 1U);
  const std::uint32_t again = challenge(5000);
  ASSERT_EQ(from_client(from_client_segment(5001, again + 1)), Verdict::consume);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
}

TEST_F(SpliceSteps, IdleConnectionIsResetOnBothSides) {
  settings.idle = seconds(20);
  const std::uint32_t cookie = connect();
  pass(seconds(15));
  ASSERT_EQ(from_client(from_client_segment(1000, cookie + 1)), Verdict::forward);  // keep-alive
  pass(seconds(15));
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  std::vector<Endpoint> reset;
  const Instant until = now + seconds(7);
  while (now < until) {
    pass(milliseconds(8));
    for (const Left& sent : left) {
      EXPECT_TRUE(sent.segment.has(wire::flag_rst));
      reset.push_back(sent.segment.destination);
    }
  }
  EXPECT_EQ(reset, (std::vector<Endpoint>{client, backend}));
  EXPECT_EQ(counters().connections_closed[2].value(), 1U);
}

TEST_F(SpliceSteps, BackendThatRepeatsItsSynAckIsAcknowledgedAgain) {
  connect();
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.destination, backend);
  EXPECT_EQ(left[0].segment.ack, SeqNumber(777001));
  EXPECT_EQ(left[0].segment.seq, SeqNumber(1001));
}

TEST_F(SpliceSteps, T5RetransmissionsCountInTheirDirection) {
  const std::uint32_t cookie = connect();
  const std::vector<std::uint8_t> data(100, 'd');
  SegmentToSend request = from_client_segment(1001, cookie + 1);
  SegmentToSend answer = from_backend_segment(777001, 1001);
  request.payload = answer.payload = data;
  for (int i = 0; i < 2; ++i) from_client(request);
  for (int i = 0; i < 3; ++i) from_backend(answer);
  EXPECT_EQ(counters().segment_retransmits[0].value(), 1U);
  EXPECT_EQ(counters().segment_retransmits[1].value(), 2U);
}

TEST_F(SpliceSteps, StopResetsBothSidesAndEmptiesTheTable) {
  connect();
  Outbox out(1 << 16, 64);
  std::uint32_t place = 0;
  EXPECT_FALSE(engine().reset_some(place, out));
  EXPECT_EQ(out.packets().size(), 2U);
  EXPECT_EQ(counters().connections_closed[5].value(), 1U);
  EXPECT_EQ(state(Side::client, tcp::State::established), 0);
}

TEST_F(SpliceSteps, ListedBackendHasItsOwnAddressAndPort) {
  backend = endpoint("198.51.100.77:8080");
  settings.services = {{.listens = {service}, .backends = {backend}}};
  const std::uint32_t cookie = connect();
  const std::vector<std::uint8_t> data(3, 'd');
  SegmentToSend request = from_client_segment(1001, cookie + 1);
  request.payload = data;
  ASSERT_EQ(from_client(request), Verdict::forward);
  EXPECT_EQ(left[0].segment.destination, backend);
  ASSERT_EQ(from_backend(from_backend_segment(777001, 1004)), Verdict::forward);
  EXPECT_EQ(left[0].segment.source, service);
}

TEST_F(SpliceSteps, RefusingBackendIsReplacedByTheNextBeforeTheClientNotices) {
  const Endpoint one = endpoint("198.51.100.77:80");
  const Endpoint two = endpoint("198.51.100.78:80");
  settings.services = {{.listens = {service}, .backends = {one, two}}};
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  backend = left.at(0).segment.destination;
  SegmentToSend refusal = from_backend_segment(0, 1001);
  refusal.flags = wire::flag_rst | wire::flag_ack;
  EXPECT_EQ(from_backend(refusal), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_syn);
  EXPECT_EQ(left[0].segment.destination, backend == one ? two : one);
}

TEST_F(SpliceSteps, S3ALateSynAckOfABackendThatWasPassedOverIsResetAndNoOther) {
  const Endpoint one = endpoint("198.51.100.77:80");
  const Endpoint two = endpoint("198.51.100.78:80");
  settings.services = {{.listens = {service}, .backends = {one, two}}};
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  backend = left.at(0).segment.destination;
  pass(milliseconds(700));
  const Endpoint silent = std::exchange(backend, backend == one ? two : one);
  ASSERT_EQ(from_backend(syn_ack(888000, 1001)), Verdict::consume);
  backend = silent;
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(1001));
  EXPECT_EQ(left[0].segment.destination, silent);
  EXPECT_EQ(from_backend(syn_ack(777000, 5001)), Verdict::pass);
  EXPECT_TRUE(left.empty() || left[0].segment.destination == client);
}

class TwoBackends : public SpliceSteps {
 protected:
  TwoBackends() { settings.services = {{.listens = {service}, .backends = {one, two}}}; }
  // Where the SYNs go of a client that acknowledges its challenge.
  std::vector<Endpoint> asked() {
    std::vector<Endpoint> all;
    for (const Left& each : left) {
      if (each.segment.has(wire::flag_syn)) all.push_back(each.segment.destination);
    }
    return all;
  }
  const Endpoint one = endpoint("198.51.100.77:80"), two = endpoint("198.51.100.78:80");
};

TEST_F(TwoBackends, S3OneThatFailedIsPassedOverForFiveSeconds) {
  const auto first_asked = [this] {
    ++client.port;
    from_client(from_client_segment(1001, challenge() + 1));
    return asked().at(0);
  };
  const Endpoint failing = backend = first_asked();
  SegmentToSend refusal = from_backend_segment(0, 1001);
  refusal.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_backend(refusal), Verdict::consume);
  for (int i = 0; i < 16; ++i) EXPECT_NE(first_asked(), failing);
  pass(seconds(6));
  unsigned again = 0;
  for (int i = 0; i < 16; ++i) again += first_asked() == failing ? 1 : 0;
  EXPECT_GT(again, 0U);
}

// Whom a client calls, and what it hears there, is up to the client.
TEST_F(TwoBackends, S3OneThatAnswersOthersMeanwhileIsNotPassedOver) {
  const auto calls_one = [this] {
    ++client.port;
    from_client(from_client_segment(1001, challenge() + 1));
    return asked().at(0) == one;
  };
  while (!calls_one()) {
  }
  const Endpoint refused = client;
  while (!calls_one()) {
  }
  backend = one;
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  const Endpoint last = std::exchange(client, refused);
  SegmentToSend refusal = from_backend_segment(0, 1001);
  refusal.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_backend(refusal), Verdict::consume);
  client = last;
  unsigned again = 0;
  for (int i = 0; i < 16; ++i) again += calls_one() ? 1 : 0;
  EXPECT_GT(again, 0U);
}

TEST_F(TwoBackends, S3OneThatIsSilentIsToldThatItsConnectionIsOver) {
  from_client(from_client_segment(1001, challenge() + 1));
  const Endpoint silent = asked().at(0);
  std::vector<Left> told;
  const Instant start = now;
  while (now < start + seconds(1)) {
    pass(milliseconds(8));
    for (Left& each : left) {
      if (each.segment.has(wire::flag_rst)) told.push_back(std::move(each));
    }
  }
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].segment.destination, silent);
  EXPECT_EQ(told[0].segment.seq, SeqNumber(1001));
}

TEST_F(TwoBackends, S3AfterTheTimeForConnectingNoOtherIsAsked) {
  settings.connect_timeout = milliseconds(500);  // less than a silent one is given
  from_client(from_client_segment(1001, challenge() + 1));
  const Endpoint first = asked().at(0);
  const Instant start = now;
  bool reset = false;
  while (now < start + seconds(3)) {
    pass(milliseconds(8));
    for (const Endpoint& each : asked()) EXPECT_EQ(each, first);
    for (const Left& each : left) reset = reset || each.segment.destination == client;
  }
  EXPECT_TRUE(reset);
  EXPECT_EQ(counters().connections_closed[4].value(), 1U);
}

// Two services before one backend, which knows a connection by its client's address and port only.
class SharedBackend : public SpliceSteps {
 protected:
  SharedBackend() {
    backend = endpoint("198.51.100.77:8080");
    settings.services = {{.listens = {service}, .backends = {backend}},
                         {.listens = {other_service}, .backends = {backend}}};
    settings.offers.resize(2, settings.offers.front());
  }
  // Opens a connection from the client's port to the other service; returns what left for it.
  const std::vector<Left>& call_the_other_service() {
    service = other_service;
    const std::uint32_t cookie = challenge(5000);
    EXPECT_EQ(from_client(from_client_segment(5001, cookie + 1)), Verdict::consume);
    return left;
  }
  const Endpoint other_service = endpoint("198.51.100.10:443");
};

TEST_F(SharedBackend, PortThatIsUsedAgainForAnotherServiceReachesItsOwnConnection) {
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_client(reset), Verdict::forward);  // the first one lingers
  ASSERT_EQ(call_the_other_service().size(), 1U);
  EXPECT_EQ(left[0].segment.destination, backend);
  EXPECT_EQ(from_backend(syn_ack(888000, 5001)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.ack, SeqNumber(888001));
  EXPECT_EQ(all_counters().services[1].connections_spliced.value(), 1U);
  ASSERT_EQ(from_backend(from_backend_segment(888001, 5001)), Verdict::forward);
  EXPECT_EQ(left[0].segment.source, other_service);
}

// The backend opened the second connection after the first had ended: it speaks of that one, even
// if the client repeats something of the first.
TEST_F(SharedBackend, WhatTheBackendSaysIsOfItsLastConnectionFromThatPort) {
  const Endpoint first_service = service;
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_client(reset), Verdict::forward);
  const std::uint32_t second =
      call_the_other_service().empty() ? 0 : left[0].segment.seq.value() + 1;
  ASSERT_EQ(second, 5001U);
  ASSERT_EQ(from_backend(syn_ack(888000, second)), Verdict::consume);
  reset = from_backend_segment(888001, second);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_backend(reset), Verdict::forward);
  now += milliseconds(100);
  service = first_service;
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::forward);
  ASSERT_EQ(from_backend(reset), Verdict::forward);
  EXPECT_EQ(left[0].segment.source, other_service);
}

TEST_F(SharedBackend, PortThatIsInUseThereIsRefusedRatherThanItsConnectionBroken) {
  const std::uint32_t cookie = connect();
  ASSERT_EQ(call_the_other_service().size(), 1U);
  EXPECT_EQ(left[0].segment.destination, client);
  EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
  EXPECT_EQ(all_counters().services[1].connections_closed[3].value(), 1U);
  ASSERT_EQ(from_backend(from_backend_segment(777001, 1001)), Verdict::forward);
  EXPECT_EQ(left[0].segment.seq.value(), cookie + 1);
}

TEST_F(SharedBackend, PortThatIsInUseThereGoesToAnotherBackend) {
  const Endpoint second = endpoint("198.51.100.78:8080");
  settings.services[1].backends.push_back(second);
  connect();
  ASSERT_EQ(call_the_other_service().size(), 1U);
  EXPECT_EQ(left[0].segment.destination, second);
}

}  // namespace
}  // namespace synward::engine
