// SPDX-License-Identifier: GPL-2.0-or-later
//
// Offers that change, promises that a backend breaks, cookies that come twice, connections that
// are older than the daemon.
#include <utility>

#include "tests/support/packet_builder.h"
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

handshake::ServiceOffer everything() {
  return {.mss = 1460,
          .window_scale = 7,
          .sack = true,
          .timestamps = true,
          .ecn = true,
          .window = 16384};
}

class Learning : public ::testing::Test, public Harness {
 protected:
  std::shared_ptr<backend::LearnedBoard> board =
      std::make_shared<backend::LearnedBoard>(std::vector<std::size_t>{1});

  Learning() { settings.learned = board; }

  SegmentToSend full_syn() const {
    SegmentToSend segment = syn();
    segment.flags |= wire::flag_ece | wire::flag_cwr;
    segment.options.timestamps = wire::Timestamps{5000, 0};
    return segment;
  }
  SegmentToSend full_ack(std::uint32_t cookie, std::uint32_t echo) const {
    SegmentToSend segment = from_client_segment(1001, cookie + 1);
    segment.options.timestamps = wire::Timestamps{5001, echo};
    return segment;
  }
  // Until the backend's SYN has left; returns the challenge.
  Segment redeem_full() {
    EXPECT_EQ(from_client(full_syn()), Verdict::reply);
    const Left answer = left.at(0);
    const Segment challenge = answer.segment;
    EXPECT_TRUE(challenge.options.timestamps.has_value());
    EXPECT_EQ(from_client(full_ack(challenge.seq.value(), challenge.options.timestamps->value)),
              Verdict::consume);
    return challenge;
  }
};

TEST_F(Learning, WhatTheBackendIsKnownToAcceptIsPromisedAndAskedOfIt) {
  settings.offers = {handshake::OfferHistory(everything())};
  const Segment challenge = redeem_full();
  EXPECT_TRUE(challenge.has(wire::flag_ece));
  EXPECT_FALSE(challenge.has(wire::flag_cwr));
  ASSERT_EQ(left.size(), 1U);
  const Segment& opening = left[0].segment;
  EXPECT_EQ(opening.flags, wire::flag_syn | wire::flag_ece | wire::flag_cwr);
  ASSERT_TRUE(opening.options.timestamps.has_value());
  EXPECT_EQ(opening.options.timestamps->value, 5001U);
}

TEST_F(Learning, ASynAckTeaches) {
  connect();
  const auto learned = board->find(0, 0);
  ASSERT_TRUE(learned.has_value());
  EXPECT_EQ(learned->mss, 1460);
  EXPECT_EQ(learned->window, 65160);
  EXPECT_EQ(learned->scaling, backend::Accepts::yes);
  EXPECT_EQ(learned->timestamps, backend::Accepts::unknown);
}

TEST_F(Learning, W2ABackendThatRefusesPromisedTimestampsEndsTheConnectionAndIsCorrected) {
  settings.offers = {handshake::OfferHistory(everything())};
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  ASSERT_EQ(left.size(), 2U);
  EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
  EXPECT_EQ(left[0].segment.destination, backend);
  EXPECT_TRUE(left[1].segment.has(wire::flag_rst));
  EXPECT_EQ(left[1].segment.destination, client);
  EXPECT_EQ(board->find(0, 0)->timestamps, backend::Accepts::no);
  EXPECT_EQ(counters().backends[0].failures[0].value(), 1U);
}

// A server that no longer accepts what it was learned to.
class BrokenPromise : public Learning {
 protected:
  BrokenPromise() {
    settings.offers = {handshake::OfferHistory(everything())};
    board->learn_anew(0, 0, answer_of(everything()));
  }
  static backend::Answer answer_of(const handshake::ServiceOffer& offer) {
    backend::Answer answer{.window = offer.window, .options = {}, .ecn_echo = offer.ecn};
    answer.options.mss = offer.mss;
    answer.options.window_scale = offer.window_scale;
    answer.options.sack_permitted = offer.sack;
    if (offer.timestamps) answer.options.timestamps = wire::Timestamps{1, 1};
    return answer;
  }
  SegmentToSend syn_ack_with(bool timestamps, bool ecn) const {
    SegmentToSend answer = syn_ack(777000, 1001);
    if (timestamps) answer.options.timestamps = wire::Timestamps{90000, 5001};
    if (ecn) answer.flags |= wire::flag_ece;
    return answer;
  }
  // The challenge of the next client.
  Segment next_challenge() {
    ++client.port;
    EXPECT_EQ(from_client(full_syn()), Verdict::reply);
    return left.at(0).segment;
  }
  // Data of the client's with these bits of ECN.
  Verdict marked(const SegmentToSend& what, std::uint8_t ecn) {
    std::vector<std::uint8_t> bytes(wire::emitted_length_max(what));
    bytes.resize(wire::emit(bytes, what));
    if (what.source.address.is_ipv4()) {
      bytes[1] |= ecn;
      test::sum_again(bytes, wire::ipv4_header_length);
    } else {
      bytes[1] |= static_cast<std::uint8_t>(ecn << 4);
    }
    return arrive_bytes(bytes, {true, false});
  }
};

TEST_F(BrokenPromise, W2ItsTimestampsAreNotPromisedToTheNextClient) {
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, true)), Verdict::consume);
  const Segment challenge = next_challenge();
  EXPECT_FALSE(challenge.options.timestamps.has_value());
  EXPECT_EQ(challenge.options.window_scale, 7);
  ASSERT_EQ(from_client(from_client_segment(1001, challenge.seq.value() + 1)), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  EXPECT_EQ(counters().connections_spliced.value(), 1U);
}

TEST_F(BrokenPromise, W2AnotherWorkerHearsOfItAtOnce) {
  Harness other;
  other.settings = settings;  // the same board
  ASSERT_EQ(other.from_client(full_syn()), Verdict::reply);
  EXPECT_TRUE(other.left.at(0).segment.options.timestamps.has_value());
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, true)), Verdict::consume);
  SegmentToSend next = full_syn();
  next.source.port = 40001;
  ASSERT_EQ(other.from_client(next), Verdict::reply);
  EXPECT_FALSE(other.left.at(0).segment.options.timestamps.has_value());
}

TEST_F(BrokenPromise, C10ACookieOfTheOfferBeforeRedeems) {
  const Segment before = next_challenge();
  const Endpoint its_client = client;
  ++client.port;
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, false)), Verdict::consume);
  EXPECT_FALSE(next_challenge().options.timestamps.has_value());
  client = its_client;
  ASSERT_EQ(from_client(full_ack(before.seq.value(), before.options.timestamps->value)),
            Verdict::consume);
  EXPECT_EQ(counters().cookies_rejected[0].value(), 0U);
}

TEST_F(BrokenPromise, AnOfferThatArrivesLateDoesNotPromiseItAgain) {
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, true)), Verdict::consume);
  EXPECT_FALSE(next_challenge().options.timestamps.has_value());
  engine().set_offers({handshake::OfferHistory(everything())}, now);
  EXPECT_FALSE(next_challenge().options.timestamps.has_value());
}

// A server tells a client the MSS that it believes this client's path to have.
TEST_F(BrokenPromise, TheMssThatOneClientIsToldChangesNobodysOffer) {
  const Segment waiting = next_challenge();
  const std::uint16_t its_port = client.port;
  for (const std::uint16_t mss :
       std::initializer_list<std::uint16_t>{1400, 1300, 1200, 1000, 600, 512, 1}) {
    ++client.port;
    redeem_full();
    SegmentToSend answer = syn_ack_with(true, true);
    answer.options.mss = mss;
    ASSERT_EQ(from_backend(answer), Verdict::consume);
    EXPECT_EQ(next_challenge().options.mss, 1460) << mss;
  }
  EXPECT_EQ(board->losses(), 0U);
  client.port = its_port;
  EXPECT_EQ(from_client(full_ack(waiting.seq.value(), waiting.options.timestamps->value)),
            Verdict::consume);
}

// The main thread looks once a second: what it publishes may not know what this worker offers.
TEST_F(BrokenPromise, C10WhatThisWorkerAloneHasOfferedOutlivesAPublication) {
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, true)), Verdict::consume);
  const Segment challenge = next_challenge();
  engine().set_offers({handshake::OfferHistory(everything())}, now);
  EXPECT_EQ(from_client(from_client_segment(1001, challenge.seq.value() + 1)), Verdict::consume);
  EXPECT_EQ(counters().cookies_rejected[0].value(), 0U);
}

TEST_F(BrokenPromise, C10SoItDoesAReload) {
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, true)), Verdict::consume);
  const Segment challenge = next_challenge();
  engine().apply(settings, now);
  EXPECT_EQ(from_client(from_client_segment(1001, challenge.seq.value() + 1)), Verdict::consume);
  EXPECT_EQ(counters().cookies_rejected[0].value(), 0U);
}

TEST_F(BrokenPromise, H2ARepeatedChallengeOutlivesAPublication) {
  redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(false, true)), Verdict::consume);
  const Segment challenge = next_challenge();
  engine().set_offers({handshake::OfferHistory(everything())}, now);
  ASSERT_EQ(from_client(full_syn()), Verdict::reply);
  EXPECT_EQ(left.at(0).segment.seq, challenge.seq);
  EXPECT_FALSE(left.at(0).segment.options.timestamps.has_value());
}

TEST_F(BrokenPromise, W2TheNextBackendIsTriedAndThisOneNotPassedOver) {
  const Endpoint other = endpoint("198.51.100.78:8080");
  settings.services = {{.listens = {service}, .backends = {backend, other}}};
  settings.learned = std::make_shared<backend::LearnedBoard>(std::vector<std::size_t>{2});
  for (const bool timestamps : {false, true}) {
    ++client.port;
    settings.learned->learn_anew(0, 0, answer_of(everything()));
    settings.learned->learn_anew(0, 1, answer_of(everything()));
    engine().set_offers({handshake::OfferHistory(everything())}, now);
    redeem_full();
    const Endpoint first = backend = left.at(0).segment.destination;
    ASSERT_EQ(from_backend(syn_ack_with(timestamps, false)), Verdict::consume);
    ASSERT_EQ(left.size(), 2U);
    EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
    EXPECT_EQ(left[0].segment.destination, first);
    EXPECT_TRUE(left[1].segment.has(wire::flag_syn));
    EXPECT_NE(left[1].segment.destination, first);
    backend = left[1].segment.destination;
    ASSERT_EQ(from_backend(syn_ack_with(true, true)), Verdict::consume);
    EXPECT_EQ(state(Side::backend, tcp::State::established), timestamps ? 2 : 1);
  }
}

// Without ECN a client can be served.
TEST_F(BrokenPromise, W2WithoutEcnNoBackendIsTriedThatFailedLately) {
  const Endpoint other = endpoint("198.51.100.78:8080");
  settings.services = {{.listens = {service}, .backends = {backend, other}}};
  settings.learned = std::make_shared<backend::LearnedBoard>(std::vector<std::size_t>{2});
  redeem_full();
  const Endpoint failed = backend = left.at(0).segment.destination;
  SegmentToSend refusal = from_backend_segment(0, 1001);
  refusal.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_backend(refusal), Verdict::consume);
  ++client.port;
  redeem_full();
  backend = left.at(0).segment.destination;
  ASSERT_NE(backend, failed);
  ASSERT_EQ(from_backend(syn_ack_with(true, false)), Verdict::consume);
  EXPECT_EQ(state(Side::backend, tcp::State::established), 1);
  for (const Left& each : left) EXPECT_FALSE(each.segment.has(wire::flag_rst));
}

TEST_F(BrokenPromise, W2WithoutEcnNobodyIsLostAndNothingIsMarkedInVain) {
  const std::vector<std::uint8_t> bytes(10, 'x');
  const Segment challenge = redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(true, false)), Verdict::consume);
  EXPECT_EQ(state(Side::backend, tcp::State::established), 1);
  SegmentToSend data = full_ack(challenge.seq.value(), challenge.options.timestamps->value);
  data.payload = bytes;
  ASSERT_EQ(marked(data, 2), Verdict::forward);
  EXPECT_EQ(left.at(0).segment.ip.traffic_class, 0);
  EXPECT_EQ(marked(data, 3), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_congestion_unheard), 1U);
  EXPECT_FALSE(next_challenge().has(wire::flag_ece));
}

TEST_F(BrokenPromise, WithEcnMarksAreLeftAlone) {
  const std::vector<std::uint8_t> bytes(10, 'x');
  const Segment challenge = redeem_full();
  ASSERT_EQ(from_backend(syn_ack_with(true, true)), Verdict::consume);
  SegmentToSend data = full_ack(challenge.seq.value(), challenge.options.timestamps->value);
  data.payload = bytes;
  for (const std::uint8_t ecn : {2, 3}) {
    ASSERT_EQ(marked(data, ecn), Verdict::forward);
    EXPECT_EQ(left.at(0).segment.ip.traffic_class, ecn);
  }
}

// As Linux' tcp_ecn_create_request: no SYN of RFC 3168 may be marked; one of AccECN may.
TEST_F(BrokenPromise, ASynThatIsMarkedItselfGetsNoEcn) {
  for (const std::uint8_t ecn : {0, 1, 2, 3}) {
    ++client.port;
    SegmentToSend first = full_syn();
    ASSERT_EQ(marked(first, ecn), Verdict::reply);
    EXPECT_EQ(left.at(0).segment.has(wire::flag_ece), ecn == 0) << +ecn;
    ++client.port;
    first = full_syn();
    first.flags |= wire::flag_ae;
    ASSERT_EQ(marked(first, ecn), Verdict::reply);
    EXPECT_TRUE(left.at(0).segment.has(wire::flag_ece)) << +ecn;
  }
}

TEST_F(BrokenPromise, AnAcknowledgementWithoutTimestampsDoesNotTurnTheClockBack) {
  const Segment challenge = next_challenge();
  const SeqNumber told(challenge.options.timestamps->value);
  pass(milliseconds(40));
  ASSERT_EQ(from_client(from_client_segment(1001, challenge.seq.value() + 1)), Verdict::consume);
  EXPECT_EQ(left.at(0).segment.options.timestamps->value, 5000U);  // the SYN's
  ASSERT_EQ(from_backend(syn_ack_with(true, true)), Verdict::consume);
  SegmentToSend data = from_backend_segment(777001, 1001);
  data.options.timestamps = wire::Timestamps{90001, 5000};
  ASSERT_EQ(from_backend(data), Verdict::forward);
  const SeqNumber heard(left.at(0).segment.options.timestamps->value);
  EXPECT_GT(heard - told, 0);
  EXPECT_LT(heard - told, 1000);
}

TEST_F(Learning, C10AChallengeOfTheOfferBeforeRedeemsAndKeepsItsPromise) {
  const std::uint32_t cookie = challenge();
  const auto epoch = handshake::epoch_at(now, settings.wall_offset);
  handshake::OfferHistory history = settings.offers[0];
  history.announce(epoch + 1, everything());
  engine().set_offers({history}, now);
  pass(seconds(64));
  counters();
  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_FALSE(left[0].segment.options.timestamps.has_value());
}

class OfferChangedInsideAnEpoch : public Learning {
 protected:
  // A second apart, as reloads; afterwards it is the epoch after.
  void change(std::initializer_list<std::uint16_t> windows) {
    const auto epoch = handshake::epoch_at(now, settings.wall_offset);
    handshake::OfferHistory history = settings.offers[0];
    for (const std::uint16_t window : windows) {
      handshake::ServiceOffer offer = history.newest().offer;
      offer.window = window;
      history.begin(epoch, offer);
    }
    engine().set_offers({history}, now);
    while (handshake::epoch_at(now, settings.wall_offset) == epoch) pass(seconds(1));
  }
};

TEST_F(OfferChangedInsideAnEpoch, C10ItsCookiesRedeemInTheNext) {
  const std::uint32_t cookie = challenge();
  change({8192});
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  EXPECT_EQ(counters().cookies_rejected[0].value(), 0U);
}

TEST_F(OfferChangedInsideAnEpoch, C10TwiceToo) {
  const std::uint32_t cookie = challenge();
  change({8192, 4096});
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
}

TEST_F(OfferChangedInsideAnEpoch, H2ARepeatedChallengeKeepsItsPromise) {
  settings.synack_timeout = seconds(64);
  settings.synack_retries = 0;
  ASSERT_EQ(from_client(full_syn()), Verdict::reply);
  const Left before = left.at(0);
  change({8192});
  ASSERT_EQ(from_client(full_syn()), Verdict::reply);
  EXPECT_EQ(left.at(0).segment.seq, before.segment.seq);
  EXPECT_EQ(left.at(0).segment.window, before.segment.window);
}

TEST_F(Learning, ARepeatedChallengeKeepsItsPromiseAcrossAChange) {
  settings.synack_timeout = seconds(32);
  settings.synack_retries = 1;
  ASSERT_EQ(from_client(full_syn()), Verdict::reply);
  const Left before = left.at(0);
  const auto epoch = handshake::epoch_at(now, settings.wall_offset);
  handshake::OfferHistory history = settings.offers[0];
  history.announce(epoch + 1, everything());
  engine().set_offers({history}, now);
  while (handshake::epoch_at(now, settings.wall_offset) == epoch) pass(seconds(1));
  ASSERT_EQ(from_client(full_syn()), Verdict::reply);
  EXPECT_EQ(left.at(0).segment.seq, before.segment.seq);
  EXPECT_FALSE(left.at(0).segment.options.timestamps.has_value());
}

TEST_F(Learning, C8ACookieRedeemsOnceEvenAfterItsConnectionIsForgotten) {
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_backend_segment(777001, 1001);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_backend(reset), Verdict::forward);
  pass(seconds(11));  // lingered
  EXPECT_EQ(state(Side::client, tcp::State::closed), 0);
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);  // nothing to the backend
  EXPECT_EQ(left[0].segment.destination, client);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(dropped(synward_reason_replayed_cookie), 1U);
  EXPECT_EQ(counters().cookies_rejected[static_cast<std::size_t>(RejectReason::replayed)].value(),
            1U);
  EXPECT_EQ(counters().backends[0].syns_sent.value(), 1U);
}

// RFC 6691: what timestamps take is not in the MSS.
TEST_F(Learning, S5ReleasedDataLeavesRoomForTheTimestamps) {
  settings.offers = {handshake::OfferHistory(everything())};
  const Segment challenged = redeem_full();
  const std::vector<std::uint8_t> text(3000, 'x');
  SegmentToSend request =
      full_ack(challenged.seq.value(), challenged.options.timestamps.value().value);
  request.payload = text;
  ASSERT_EQ(from_client(request), Verdict::consume);
  SegmentToSend answer = syn_ack(777000, 1001);
  answer.options.timestamps = wire::Timestamps{1, 5001};
  ASSERT_EQ(from_backend(answer), Verdict::consume);
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0].segment.payload_length(), 1460U - 12U);
}

// TSecr of a SYN-ACK that is sent again is that of the last SYN (RFC 7323 4.3).
TEST_F(Learning, ARepeatedChallengeEchoesTheLastSyn) {
  settings.offers = {handshake::OfferHistory(everything())};
  ASSERT_EQ(from_client(full_syn()), Verdict::reply);
  SegmentToSend again = full_syn();
  again.options.timestamps = wire::Timestamps{5900, 0};
  ASSERT_EQ(from_client(again), Verdict::reply);
  pass(milliseconds(1100));
  ASSERT_EQ(left.size(), 1U);
  ASSERT_TRUE(left[0].segment.options.timestamps.has_value());
  EXPECT_EQ(left[0].segment.options.timestamps->echo, 5900U);
}

class EarlyDataShare : public Learning {
 protected:
  static constexpr std::uint32_t share = 4096;
  std::vector<std::uint8_t> data = std::vector<std::uint8_t>(share, 'x');
  EarlyDataShare() { settings.early_data_total = share * 16; }

  // Another client of the same prefix takes the whole share.
  void spend() {
    const std::uint16_t port = std::exchange(client.port, 39999);
    SegmentToSend first = from_client_segment(1001, challenge() + 1);
    first.payload = data;
    EXPECT_EQ(from_client(first), Verdict::consume);
    client.port = port;
  }
  std::vector<std::uint16_t> windows_to_client() const {
    std::vector<std::uint16_t> windows;
    for (const Left& each : left) {
      if (each.segment.destination == client) windows.push_back(each.segment.window);
    }
    return windows;
  }
  // A challenge of window zero, redeemed and completed.
  std::uint32_t connect_with_zero_window() {
    spend();
    const std::uint32_t cookie = challenge();
    EXPECT_EQ(left[0].segment.window, 0);
    EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
    EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
    return cookie;
  }
};

TEST_F(EarlyDataShare, O3ASpentShareGivesWindowZeroAndTheRealOneOnCompletion) {
  connect_with_zero_window();
  EXPECT_EQ(windows_to_client(), std::vector<std::uint16_t>{65160 >> 7});
}

TEST_F(EarlyDataShare, O3TheWindowIsToldAgainUntilItHasBeenHeard) {
  const std::uint32_t cookie = connect_with_zero_window();
  pass(milliseconds(300));
  EXPECT_EQ(windows_to_client().size(), 1U);
  SegmentToSend heard = from_client_segment(1001, cookie + 1);
  heard.payload = std::span(data).first(10);
  EXPECT_EQ(from_client(heard), Verdict::forward);
  EXPECT_EQ(from_backend(from_backend_segment(777001, 1011)), Verdict::forward);
  pass(seconds(60));
  EXPECT_TRUE(windows_to_client().empty());
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
}

TEST_F(EarlyDataShare, O3AnAcknowledgementOfTheServersDataHasHeardItToo) {
  const std::uint32_t cookie = connect_with_zero_window();
  SegmentToSend greeting = from_backend_segment(777001, 1001);
  greeting.payload = std::span(data).first(10);
  ASSERT_EQ(from_backend(greeting), Verdict::forward);
  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 11)), Verdict::forward);
  pass(seconds(60));
  EXPECT_TRUE(windows_to_client().empty());
}

TEST_F(EarlyDataShare, O3ASilentClientIsToldSixTimesAtMost) {
  connect_with_zero_window();
  pass(seconds(60));
  EXPECT_EQ(windows_to_client().size(), 5U);
}

TEST_F(EarlyDataShare, O3ARepeatedChallengeIsLimitedLikeTheFirst) {
  challenge();
  EXPECT_EQ(left[0].segment.window, 16384);
  spend();
  pass(milliseconds(1100));
  EXPECT_EQ(windows_to_client(), std::vector<std::uint16_t>{0});
  EXPECT_EQ(counters().synack_retransmits.value(), 1U);
}

TEST_F(EarlyDataShare, OtherPrefixesAreNotAffected) {
  spend();
  client = endpoint("203.0.114.5:40000");
  challenge();
  EXPECT_EQ(left[0].segment.window, 16384);
}

class OlderConnection : public Learning {
 protected:
  OlderConnection() {
    settings.adopt_until = now + seconds(600);
    settings.adopt_from_servers = true;
  }
};

TEST_F(OlderConnection, PassesUnchangedAndLastsOnceTheOtherSideHasAnswered) {
  ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  EXPECT_EQ(left.at(0).segment.ack, SeqNumber(9000));
  EXPECT_EQ(left.at(0).segment.window, 500);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  EXPECT_EQ(counters().connections_spliced.value(), 0U);
  EXPECT_EQ(counters().cookies_rejected[static_cast<std::size_t>(RejectReason::mac)].value(), 0U);
  ASSERT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  EXPECT_EQ(counters().connections_spliced.value(), 1U);
  pass(seconds(31));
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
}

TEST_F(OlderConnection, IsForgottenAfter30sIfTheOtherSideIsSilent) {
  ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  pass(seconds(29));
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  pass(seconds(2));
  EXPECT_EQ(state(Side::client, tcp::State::established), 0);
}

TEST_F(OlderConnection, DataThatWasUnderWayBeforeMayBeAcknowledged) {
  ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  EXPECT_EQ(from_client(from_client_segment(5000, 9000 + 1'000'000)), Verdict::forward);
  ASSERT_EQ(from_backend(from_backend_segment(9000 + 1'000'000, 5000)), Verdict::forward);
  EXPECT_EQ(dropped(synward_reason_out_of_window), 0U);
}

TEST_F(OlderConnection, ProvisionalOnesTakeAQuarterOfTheTableAtMost) {
  for (std::uint16_t i = 0; i < 17; ++i) {
    client.port = static_cast<std::uint16_t>(40000 + i);
    EXPECT_EQ(from_client(from_client_segment(5000, 9000)),
              i < 16 ? Verdict::forward : Verdict::drop);
  }
  EXPECT_EQ(dropped(synward_reason_unknown_segment), 1U);
}

TEST_F(OlderConnection, AProvisionalOneThatIsOverMakesRoomForAnother) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t i = 0; i < 16; ++i) {
      client.port = static_cast<std::uint16_t>(40000 + 16 * round + i);
      ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward) << round;
    }
    pass(seconds(31));
  }
}

TEST_F(OlderConnection, AResetByTheBackendEndsItWithoutATrace) {
  ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  SegmentToSend reset = from_backend_segment(9000, 0);
  reset.flags = wire::flag_rst;
  ASSERT_EQ(from_backend(reset), Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::established), 0);
  EXPECT_EQ(state(Side::client, tcp::State::closed), 0);
}

TEST_F(OlderConnection, IsAdoptedFromAServerAlsoLater) {
  settings.adopt_until = now;
  EXPECT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::drop);
  EXPECT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  EXPECT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  EXPECT_EQ(counters().connections_spliced.value(), 1U);
}

// Challenged without an entry: only its cookie tells of the new one.
TEST_F(OlderConnection, AGuessFromAStraySegmentOfTheServersDoesNotSwallowAHandshake) {
  settings.adopt_until = now;
  settings.backlog = 0;
  const std::uint32_t cookie = challenge();
  ASSERT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_syn);
  EXPECT_EQ(left[0].segment.destination, backend);
}

TEST_F(OlderConnection, NorDoesOneFromAForgedSegmentOfTheClients) {
  settings.backlog = 0;
  const std::uint32_t cookie = challenge();
  ASSERT_EQ(from_client(from_client_segment(1500, cookie - 500)), Verdict::forward);
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_syn);
}

// It was redeemed before: the new one is over, and the server's segment tells of another.
TEST_F(OlderConnection, ACookieThatWasSpentEndsNoGuess) {
  settings.adopt_until = now;
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_backend_segment(777001, 1001);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_backend(reset), Verdict::forward);
  pass(seconds(11));
  ASSERT_EQ(from_backend(from_backend_segment(cookie + 1, 1001)), Verdict::forward);
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::forward);
}

TEST_F(OlderConnection, NotBehindListedBackends) {
  backend = endpoint("198.51.100.77:8080");
  settings.services = {{.listens = {service}, .backends = {backend}}};
  EXPECT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::drop);
}

}  // namespace
}  // namespace synward::engine
