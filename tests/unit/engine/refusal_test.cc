// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Refusals : public ::testing::Test, public Harness {
 protected:
  // Nor by any timer: a refused SYN that is remembered would be answered a second later.
  void expect_no_late_reply() {
    pass(seconds(70));  // longer than any half-open entry lives
    // What was connected may be told meanwhile that it has been silent for too long.
    for (const Left& each : left) EXPECT_TRUE(each.segment.has(wire::flag_rst));
    EXPECT_EQ(counters().half_open_connections.value(), 0);
  }
};

TEST_F(Refusals, SourcesThatNoClientHasAreNotAnswered) {
  settings.own_addresses = {endpoint("203.0.113.1:1").address};
  for (const char* source :
       {"0.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "203.0.113.1", "198.51.100.10"}) {
    client = {wire::parse_address(source).value_or(wire::Address{}), 40000};
    EXPECT_EQ(from_client(syn()), Verdict::drop) << source;
    EXPECT_TRUE(left.empty()) << source;
  }
  EXPECT_EQ(dropped(synward_reason_martian_source), 6U);
  EXPECT_EQ(counters().syns_received.value(), 0U);
  expect_no_late_reply();
}

// A protected server is a client of another one; and a listen that has left is anybody's address.
TEST_F(Refusals, AnotherServicesAddressMayBeAClients) {
  const Endpoint other = endpoint("198.51.100.20:443");
  settings.services.push_back({.listens = {other}, .backends = {}});
  settings.offers.resize(2, settings.offers.front());
  client = {other.address, 40000};
  connect();
  EXPECT_EQ(counters().connections_spliced.value(), 1U);
  settings.services[1] = {};
  engine().apply(settings, now);
  ++client.port;
  connect();
  EXPECT_EQ(dropped(synward_reason_martian_source), 0U);
}

// A VIP moves here, and goes again.
TEST_F(Refusals, AnAddressThatComesLaterIsOurOwnAsLongAsItIsHere) {
  ASSERT_EQ(from_client(syn()), Verdict::reply);
  engine().set_network({.own_addresses = {client.address}, .server_mtu = 1500});
  EXPECT_EQ(from_client(syn()), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_martian_source), 1U);
  engine().set_network({.own_addresses = {}, .server_mtu = 1500});
  EXPECT_EQ(from_client(syn()), Verdict::reply);
}

TEST_F(Refusals, PacketForAnotherPortIsNotOurs) {
  service.port = 81;
  EXPECT_EQ(from_client(syn()), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_not_a_service), 1U);
  expect_no_late_reply();
}

TEST_F(Refusals, EveryTruncationOfASynHasAReasonAndNoReply) {
  const SegmentToSend first = syn();
  std::vector<std::uint8_t> whole(wire::emitted_length_max(first));
  whole.resize(wire::emit(whole, first));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::vector<std::uint8_t> cut(whole.begin(),
                                  whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(arrive_bytes(cut, {true, false}), Verdict::drop) << length;
    EXPECT_TRUE(left.empty()) << length;
  }
  std::uint64_t reasons = 0;
  for (int reason = 0; reason < synward_reason_count; ++reason) {
    reasons += dropped(static_cast<Reason>(reason));
  }
  EXPECT_EQ(reasons, whole.size());
  expect_no_late_reply();
}

TEST_F(Refusals, UnknownSegmentIsAnsweredWithAResetWhereTheOperatorAskedForIt) {
  settings.reset_unknown_segments = true;
  EXPECT_EQ(from_client(from_client_segment(5000, 6000)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(6000));
}

TEST_F(Refusals, SynIsNotAnsweredWhenNoConnectionCanBeHad) {
  settings.connections = 1;
  connect();
  client.port = 40001;
  EXPECT_EQ(from_client(syn()), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_flow_table_full), 1U);
  expect_no_late_reply();
}

TEST_F(Refusals, T4SynIsNotAnsweredNearTheBoundEither) {
  for (int i = 0; i < 62; ++i, ++client.port) connect();
  connect();
  ++client.port;  // the last of 64 places is for a challenge that is under way
  EXPECT_EQ(from_client(syn()), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_flow_table_full), 1U);
  expect_no_late_reply();
}

TEST_F(Refusals, T4AClientThatFindsNoPlaceIsReset) {
  settings.connections = 1;
  const std::uint32_t cookie = challenge();
  client.port = 40001;
  connect();
  client.port = 40000;
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(left[0].segment.destination, client);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(cookie + 1));
  EXPECT_EQ(dropped(synward_reason_flow_table_full), 1U);
}

TEST_F(Refusals, WhatIsForAServiceCountsThere) {
  SegmentToSend bad = syn();
  bad.flags |= wire::flag_fin;
  EXPECT_EQ(from_client(bad), Verdict::drop);
  EXPECT_EQ(counters().dropped[synward_reason_syn_fin].value(), 1U);
  bad.source.port = 0;
  EXPECT_EQ(from_client(bad), Verdict::drop);
  EXPECT_EQ(counters().dropped[synward_reason_port_zero].value(), 1U);
  EXPECT_EQ(from_backend(bad), Verdict::drop);
  bad.destination.port = 81;
  EXPECT_EQ(from_client(bad), Verdict::drop);
  EXPECT_EQ(all_counters().none().dropped[synward_reason_port_zero].value(), 2U);
}

TEST_F(Refusals, FullTableRecyclesTheOldestEndedConnection) {
  settings.connections = 1;
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  EXPECT_EQ(from_client(reset), Verdict::forward);
  client.port = 40001;
  connect();
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  EXPECT_EQ(state(Side::client, tcp::State::closed), 0);
}

TEST_F(Refusals, EarlyDataOverItsBoundIsDroppedUnacknowledged) {
  settings.early_data_per_connection = 4096;
  const std::uint32_t cookie = challenge();
  const std::vector<std::uint8_t> block(4000, 'x');
  SegmentToSend data = from_client_segment(1001, cookie + 1);
  data.payload = block;
  EXPECT_EQ(from_client(data), Verdict::consume);
  data.seq += 4000;
  EXPECT_EQ(from_client(data), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_early_data_full), 1U);
  data.seq += 4000;
  EXPECT_EQ(from_client(data), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_early_data_out_of_order), 1U);
  EXPECT_EQ(counters().early_data_dropped.value(), 2U);
}

}  // namespace
}  // namespace synward::engine
