// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a client sends while its backend is being asked (S3, S4, S5).
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Hold : public ::testing::Test, public Harness {
 protected:
  // A redeemed challenge whose backend has not answered yet.
  void redeem() {
    cookie = challenge();
    ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  }
  SegmentToSend data(std::uint32_t seq, std::size_t length) {
    SegmentToSend segment = from_client_segment(seq, cookie + 1);
    segment.payload = std::span(bytes_).first(length);
    return segment;
  }
  SegmentToSend reset(std::uint32_t seq) const {
    SegmentToSend segment = from_client_segment(seq, cookie + 1);
    segment.flags = wire::flag_rst;
    return segment;
  }
  std::vector<std::size_t> released() const {
    std::vector<std::size_t> lengths;
    lengths.reserve(left.size());
    for (const Left& each : left) lengths.push_back(each.segment.payload_length());
    return lengths;
  }
  std::uint32_t cookie = 0;

 private:
  std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(16384, 'x');
};

TEST_F(Hold, AResetBeyondDataThatWasLostIsChallengedAndItsAnswerCancels) {
  redeem();
  ASSERT_EQ(from_client(data(1001, 100)), Verdict::consume);
  ASSERT_EQ(from_client(reset(1001 + 500)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.destination, client);
  EXPECT_EQ(left[0].segment.flags, wire::flag_ack);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(cookie + 1));
  EXPECT_EQ(left[0].segment.ack, SeqNumber(1001));  // S4: what is held is not acknowledged
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  EXPECT_EQ(counters().syns_received.value(), 1U);

  ASSERT_EQ(from_client(reset(left[0].segment.ack.value())), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.destination, backend);
  EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
  EXPECT_EQ(counters().connections_closed[1].value(), 1U);
  EXPECT_EQ(counters().early_data_bytes.value(), 0);
}

// The pool is of blocks: single bytes from one network must not take it from all others.
TEST_F(Hold, APrefixPaysForWholeBlocks) {
  settings.connections = 128;
  settings.early_data_total = 64 * 2048;
  settings.early_data_per_connection = 2048;
  for (int i = 0; i < 64; ++i, ++client.port) {
    redeem();
    from_client(data(1001, 1));
  }
  EXPECT_EQ(counters().early_data_bytes.value(), 8);  // an eighth of the blocks
  EXPECT_EQ(dropped(synward_reason_early_data_full), 56U);
  client = endpoint("192.0.2.77:40000");
  redeem();
  EXPECT_EQ(from_client(data(1001, 100)), Verdict::consume);
  pass(seconds(60));
  EXPECT_EQ(counters().early_data_bytes.value(), 0);
  client = endpoint("203.0.113.5:50000");
  redeem();
  EXPECT_EQ(from_client(data(1001, 1)), Verdict::consume);  // its share was given back
}

TEST_F(Hold, AResetAtTheEndOfWhatIsHeldCancels) {
  redeem();
  ASSERT_EQ(from_client(data(1001, 100)), Verdict::consume);
  ASSERT_EQ(from_client(reset(1101)), Verdict::consume);
  EXPECT_EQ(counters().connections_closed[1].value(), 1U);
}

TEST_F(Hold, AResetOutsideThePromisedWindowIsDropped) {
  redeem();
  for (const std::uint32_t seq : {1000U, 1001U + 16384U}) {
    EXPECT_EQ(from_client(reset(seq)), Verdict::drop);
    EXPECT_TRUE(left.empty());
  }
  EXPECT_EQ(dropped(synward_reason_out_of_window), 2U);
}

TEST_F(Hold, WhatIsHeldAlreadyIsNotLost) {
  redeem();
  ASSERT_EQ(from_client(data(1001, 100)), Verdict::consume);
  EXPECT_EQ(from_client(data(1001, 100)), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_early_data_duplicate), 1U);
  EXPECT_EQ(counters().early_data_dropped.value(), 0U);
}

TEST_F(Hold, TextBeyondTheFinIsNotHeld) {
  redeem();
  SegmentToSend last = data(1001, 100);
  last.flags |= wire::flag_fin;
  ASSERT_EQ(from_client(last), Verdict::consume);
  EXPECT_EQ(from_client(data(1001, 200)), Verdict::drop);
  EXPECT_EQ(from_client(data(1102, 50)), Verdict::drop);
  EXPECT_EQ(counters().early_data_bytes.value(), 100);
  EXPECT_EQ(dropped(synward_reason_out_of_window), 2U);
  EXPECT_EQ(counters().early_data_dropped.value(), 0U);  // nobody has to send it again
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  EXPECT_EQ(released(), std::vector<std::size_t>{100});
  EXPECT_TRUE(left[0].segment.has(wire::flag_fin));
}

TEST_F(Hold, S5ReleasedDataFitsIntoTheLinkAndEachSegmentCounts) {
  redeem();
  ASSERT_EQ(from_client(data(1001, 4000)), Verdict::consume);
  SegmentToSend jumbo = syn_ack(777000, 1001);
  jumbo.options.mss = 8960;
  ASSERT_EQ(from_backend(jumbo), Verdict::consume);
  EXPECT_EQ(released(), (std::vector<std::size_t>{1460, 1460, 1080}));
  EXPECT_EQ(counters().segments_translated[0].value(), 3U);
  EXPECT_EQ(counters().bytes_translated[0].value(), 4000U);
}

TEST_F(Hold, TheFinComesWithTheLastOfWhatIsReleased) {
  redeem();
  SegmentToSend all = data(1001, 4000);
  all.flags |= wire::flag_fin;
  ASSERT_EQ(from_client(all), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  ASSERT_EQ(left.size(), 3U);
  EXPECT_FALSE(left[0].segment.has(wire::flag_fin));
  EXPECT_FALSE(left[1].segment.has(wire::flag_fin));
  EXPECT_TRUE(left[2].segment.has(wire::flag_fin));
}

TEST_F(Hold, TheBackendHearsTheClientsLastWindow) {
  redeem();
  SegmentToSend update = from_client_segment(1001, cookie + 1);
  update.window = 77;
  ASSERT_EQ(from_client(update), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.window, 77);
}

TEST_F(Hold, S5ALinkThatTakesLessThanAtTheStartIsHeeded) {
  redeem();
  ASSERT_EQ(from_client(data(1001, 2000)), Verdict::consume);
  engine().set_network({.own_addresses = {}, .server_mtu = 1040});
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  EXPECT_EQ(released(), (std::vector<std::size_t>{1000, 1000}));
}

TEST_F(Hold, S5OfIPv6TheLinkTakesLess) {
  client = endpoint("[2001:db8:1::5]:40000");
  service = backend = endpoint("[2001:db8:2::10]:80");
  settings.services = {{.listens = {service}, .backends = {}}};
  settings.server_mtu = 1400;
  redeem();
  ASSERT_EQ(from_client(data(1001, 2000)), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  EXPECT_EQ(released(), (std::vector<std::size_t>{1340, 660}));
}

// A worker's share of early_data {per_connection: 16KiB, total: 64KiB}.
TEST_F(Hold, APrefixMayHoldWhatOneOfItsClientsWasPromised) {
  settings.early_data_total = 32 * 1024;
  redeem();
  for (std::uint32_t held = 0; held < 16384; held += 4096) {
    EXPECT_EQ(from_client(data(1001 + held, 4096)), Verdict::consume) << held;
  }
  EXPECT_EQ(counters().early_data_bytes.value(), 16384);
  client.port = 40001;
  redeem();
  EXPECT_EQ(from_client(data(1001, 4096)), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_early_data_full), 1U);
}

// Pointers of the released segments; nothing where URG is not set.
class HoldUrgent : public Hold {
 protected:
  using Pointers = std::vector<std::optional<std::uint16_t>>;
  SegmentToSend urgent(std::uint16_t pointer, SegmentToSend segment) const {
    segment.flags |= wire::flag_urg;
    segment.urgent_pointer = pointer;
    return segment;
  }
  Pointers released_pointers() {
    EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
    Pointers pointers;
    for (const Left& each : left) {
      pointers.emplace_back();
      if (each.segment.has(wire::flag_urg)) pointers.back() = each.segment.urgent_pointer;
    }
    return pointers;
  }
};

TEST_F(HoldUrgent, OfTheRedeemingAcknowledgementStaysUrgent) {
  cookie = challenge();
  ASSERT_EQ(from_client(urgent(2, data(1001, 4))), Verdict::consume);
  EXPECT_EQ(released_pointers(), Pointers{2});
  EXPECT_EQ(released(), std::vector<std::size_t>{4});
}

TEST_F(HoldUrgent, ThePointerIsRelativeToEachSegment) {
  redeem();
  ASSERT_EQ(from_client(data(1001, 1000)), Verdict::consume);
  ASSERT_EQ(from_client(urgent(1000, data(2001, 3000))), Verdict::consume);
  EXPECT_EQ(released_pointers(), (Pointers{2000, 540, {}}));
}

TEST_F(HoldUrgent, TheLastMarkCounts) {
  redeem();
  ASSERT_EQ(from_client(urgent(1, data(1001, 1))), Verdict::consume);
  ASSERT_EQ(from_client(data(1002, 1)), Verdict::consume);
  ASSERT_EQ(from_client(urgent(1, data(1003, 1))), Verdict::consume);
  EXPECT_EQ(from_client(urgent(1, data(1001, 1))), Verdict::drop);  // sent again
  EXPECT_EQ(released_pointers(), Pointers{3});
}

TEST_F(HoldUrgent, MayBeAnnouncedAheadOfTheData) {
  redeem();
  ASSERT_EQ(from_client(urgent(500, from_client_segment(1001, cookie + 1))), Verdict::consume);
  EXPECT_EQ(released_pointers(), Pointers{500});
}

TEST_F(HoldUrgent, NothingIsUrgentThatWasNot) {
  redeem();
  SegmentToSend plain = data(1001, 4);
  plain.urgent_pointer = 2;  // without URG it means nothing
  ASSERT_EQ(from_client(plain), Verdict::consume);
  EXPECT_EQ(released_pointers(), Pointers{{}});
}

// Segments of one client, TSvals a millisecond apart, in another order than they were sent in.
class HoldReordered : public Hold {
 protected:
  HoldReordered() { settings.offers[0] = handshake::OfferHistory(with_timestamps()); }
  static handshake::ServiceOffer with_timestamps() {
    return {.mss = 1460, .timestamps = true, .window = 16384};
  }
  void ask(std::uint32_t tsval = 5000) {
    SegmentToSend first = syn();
    first.options.timestamps = wire::Timestamps{tsval, 0};
    ASSERT_EQ(from_client(first), Verdict::reply);
    cookie = left.at(0).segment.seq.value();
    challenge_tsval_ = left[0].segment.options.timestamps->value;
  }
  SegmentToSend at(std::uint32_t tsval, SegmentToSend segment) const {
    segment.options.timestamps = wire::Timestamps{tsval, challenge_tsval_};
    return segment;
  }
  SegmentToSend bare() const { return from_client_segment(1001, cookie + 1); }
  SegmentToSend syn_ack_with_timestamps() const {
    SegmentToSend answer = syn_ack(777000, 1001);
    answer.options.timestamps = wire::Timestamps{90000, 5002};
    return answer;
  }
  // The TSvals that the backend sees, none of which may be less than the one before.
  std::vector<std::uint32_t> tsvals;
  void look() {
    for (const Left& each : left) tsvals.push_back(each.segment.options.timestamps->value);
  }

 private:
  std::uint32_t challenge_tsval_ = 0;
};

TEST_F(HoldReordered, DataThatOvertookTheFirstAcknowledgementAreReleasedInTime) {
  ask();
  ASSERT_EQ(from_client(at(5002, data(1001, 100))), Verdict::consume);
  look();
  EXPECT_EQ(from_client(at(5001, bare())), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack_with_timestamps()), Verdict::consume);
  look();
  EXPECT_EQ(tsvals, (std::vector<std::uint32_t>{5002, 5002}));
  // And what we say for the client later.
  EXPECT_EQ(from_client(at(5001, bare())), Verdict::forward);
  ASSERT_EQ(from_backend(syn_ack_with_timestamps()), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.options.timestamps->value, 5002U);
}

TEST_F(HoldReordered, DataWithAGapBeforeThemMakeNothingLookOld) {
  ask();
  ASSERT_EQ(from_client(at(5003, data(1101, 100))), Verdict::drop);  // redeems
  look();
  EXPECT_EQ(from_client(at(5002, data(1001, 100))), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack_with_timestamps()), Verdict::consume);
  look();
  EXPECT_EQ(tsvals, (std::vector<std::uint32_t>{5000, 5002}));
}

TEST_F(HoldReordered, ATsvalMayGoRoundTheCircle) {
  ask(0xfffffff0);
  ASSERT_EQ(from_client(at(0xfffffff1, bare())), Verdict::consume);
  look();
  ASSERT_EQ(from_client(at(3, data(1001, 100))), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack_with_timestamps()), Verdict::consume);
  look();
  EXPECT_EQ(tsvals, (std::vector<std::uint32_t>{0xfffffff1, 3}));
}

TEST_F(HoldReordered, AnOlderWindowDoesNotCount) {
  ask();
  SegmentToSend wide = at(5002, data(1001, 100));
  wide.window = 700;
  ASSERT_EQ(from_client(wide), Verdict::consume);
  EXPECT_EQ(from_client(at(5001, bare())), Verdict::consume);  // 500
  ASSERT_EQ(from_backend(syn_ack_with_timestamps()), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.window, 700);
}

TEST_F(HoldReordered, ARepeatedSynThatWasLateIsNotEchoed) {
  ask();
  SegmentToSend again = syn();
  for (const std::uint32_t tsval : {6000U, 5500U}) {
    again.options.timestamps = wire::Timestamps{tsval, 0};
    ASSERT_EQ(from_client(again), Verdict::reply);
    EXPECT_EQ(left.at(0).segment.options.timestamps->echo, 6000U);
  }
}

}  // namespace
}  // namespace synward::engine
