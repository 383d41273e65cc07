// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/bytes.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class HandshakeSteps : public ::testing::TestWithParam<bool>, public Harness {
 protected:
  HandshakeSteps() {
    if (!GetParam()) return;
    client = endpoint("[2001:db8:1::5]:40000");
    service = backend = endpoint("[2001:db8:2::10]:80");
    settings.services = {{.listens = {service}, .backends = {}}};
  }
  // With four NOPs, or a Destination Options header of padding.
  static std::vector<std::uint8_t> with_ip_options(const SegmentToSend& segment) {
    std::vector<std::uint8_t> packet(wire::emitted_length_max(segment));
    packet.resize(wire::emit(packet, segment));
    if (segment.source.address.is_ipv4()) {
      packet.insert(packet.begin() + wire::ipv4_header_length, 4, 1);
      packet[0] = 0x46;
      wire::store_be16(&packet[2], static_cast<std::uint16_t>(packet.size()));
      wire::store_be16(&packet[10], 0);
      wire::store_be16(&packet[10], test::plain_checksum(std::span(packet).first(24)));
    } else {
      const auto padding = {6, 0, 1, 4, 0, 0, 0, 0};
      packet.insert(packet.begin() + wire::ipv6_header_length, padding.begin(), padding.end());
      packet[6] = 60;
      wire::store_be16(&packet[4],
                       static_cast<std::uint16_t>(packet.size() - wire::ipv6_header_length));
    }
    return packet;
  }
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, HandshakeSteps, ::testing::Bool(),
                         [](const auto& family) { return family.param ? "IPv6" : "IPv4"; });

TEST_P(HandshakeSteps, SynIsAnsweredInPlaceWithItsOwnLengthAndOnlyItsOwnOptions) {
  SegmentToSend first = syn();
  first.options.window_scale.reset();
  std::vector<std::uint8_t> bytes(wire::emitted_length_max(first));
  const std::size_t length = wire::emit(bytes, first);
  ASSERT_EQ(from_client(first), Verdict::reply);
  ASSERT_EQ(left.size(), 1U);
  const Segment& answer = left[0].segment;
  EXPECT_EQ(left[0].bytes.size(), length);
  EXPECT_EQ(answer.flags, wire::flag_syn | wire::flag_ack);
  EXPECT_EQ(answer.source, service);
  EXPECT_EQ(answer.destination, client);
  EXPECT_EQ(answer.ack, SeqNumber(1001));
  EXPECT_TRUE(answer.options.mss.has_value());
  EXPECT_FALSE(answer.options.window_scale.has_value());
  EXPECT_TRUE(answer.options.sack_permitted);
  EXPECT_FALSE(answer.options.timestamps.has_value());
  EXPECT_EQ(answer.window, 16384);
}

TEST_P(HandshakeSteps, SynWithoutMssGetsFourBytesMoreAtMost) {
  SegmentToSend bare = syn();
  bare.options = {};
  EXPECT_EQ(from_client(bare), Verdict::reply);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.header_length, 24U);
}

TEST_P(HandshakeSteps, SynWithDataIsAnsweredInPlaceWithoutThem) {
  const std::vector<std::uint8_t> data(1200, 'x');
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{3}, data.size()}) {
    SegmentToSend first = syn(static_cast<std::uint32_t>(1000 + bytes));
    first.payload = std::span(data).first(bytes);
    ASSERT_EQ(from_client(first), Verdict::reply) << bytes;
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].segment.flags, wire::flag_syn | wire::flag_ack);
    EXPECT_EQ(left[0].segment.ack, first.seq + 1);
    EXPECT_TRUE(left[0].segment.payload().empty());
    EXPECT_EQ(left[0].segment.header_length, 32U);
  }
}

// One that the kernel may not take back as an answer.
TEST_P(HandshakeSteps, SynWithIpOptionsIsAnsweredApartWithoutThem) {
  auto first = with_ip_options(syn());
  EXPECT_EQ(arrive_bytes(first, {true, false}), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_syn | wire::flag_ack);
  EXPECT_TRUE(left[0].segment.ip.plain);
}

TEST_P(HandshakeSteps, SynsWithIpOptionsAreNotPaidForByOthers) {
  std::uint64_t answered = 0;
  constexpr std::uint32_t syns = 4000;  // in a second
  for (std::uint32_t i = 0; i < syns; ++i) {
    now += std::chrono::microseconds(250);
    SegmentToSend spoofed = syn(i);
    spoofed.source.port = static_cast<std::uint16_t>(i + 1);
    auto first = with_ip_options(spoofed);
    if (arrive_bytes(first, {true, false}) == Verdict::consume) ++answered;
    if (i % 400 == 0) {
      EXPECT_EQ(from_client(syn(i)), Verdict::reply);
    }
  }
  EXPECT_GE(answered, 1000U);
  EXPECT_LE(answered, 1100U);
  EXPECT_EQ(dropped(synward_reason_ip_options_limit), syns - answered);
}

TEST_P(HandshakeSteps, AcknowledgementOpensOneBackendConnectionWithTheClientsOwnNumbers) {
  const std::uint32_t cookie = challenge();
  EXPECT_EQ(state(Side::client, tcp::State::syn_sent), 1);
  EXPECT_EQ(state(Side::backend, tcp::State::syn_received), 1);
  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  const Segment& opening = left[0].segment;
  EXPECT_EQ(opening.flags, wire::flag_syn);
  EXPECT_EQ(opening.source, client);
  EXPECT_EQ(opening.destination, backend);
  EXPECT_EQ(opening.seq, SeqNumber(1000));
  EXPECT_EQ(opening.options.mss, 1400);
  EXPECT_EQ(opening.options.window_scale, 9);
  EXPECT_TRUE(opening.options.sack_permitted);
  EXPECT_EQ(state(Side::client, tcp::State::syn_sent), 0);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  EXPECT_EQ(state(Side::backend, tcp::State::listen), 1);
  EXPECT_EQ(counters().half_open_connections.value(), 0);

  // S2: the same acknowledgement again opens nothing.
  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(counters().cookies_redeemed[0].value(), 1U);

  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_ack);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(1001));
  EXPECT_EQ(left[0].segment.ack, SeqNumber(777001));
  EXPECT_EQ(state(Side::backend, tcp::State::established), 1);
}

TEST_P(HandshakeSteps, OwnPacketsAreTreatedLikeThoseOfTheEndTheyAreSaidFor) {
  const auto treated = [](SegmentToSend segment, std::uint32_t label) {
    segment.traffic_class = 0xb8 | 1;
    segment.flow_label = label;
    return segment;
  };
  std::uint32_t label = 0;  // of what goes to the client; IPv4 has none
  const auto expect_alike = [&](const char* what, std::size_t segments) {
    EXPECT_EQ(left.size(), segments) << what;
    for (const Left& each : left) {
      const bool to_backend = each.segment.destination == backend;
      EXPECT_EQ(each.segment.ip.traffic_class, 0xb8) << what;
      EXPECT_EQ(each.segment.ip.flow_label, !GetParam()  ? 0U
                                            : to_backend ? 0x12345U
                                                         : label)
          << what;
    }
  };
  ASSERT_EQ(from_client(treated(syn(), 0x12345)), Verdict::reply);
  label = left.at(0).segment.ip.flow_label;
  EXPECT_EQ(label != 0, GetParam());
  expect_alike("challenge", 1);
  const std::uint32_t cookie = left.at(0).segment.seq.value();
  std::size_t repeated = 0;
  for (int i = 0; i < 150; ++i) {
    pass(milliseconds(8));
    expect_alike("challenge, by the timer", left.size());
    repeated += left.size();
  }
  EXPECT_EQ(repeated, 1U);
  const std::vector<std::uint8_t> bytes(2000, 'x');
  SegmentToSend data = from_client_segment(1001, cookie + 1);
  data.payload = bytes;
  ASSERT_EQ(from_client(treated(data, 0x12345)), Verdict::consume);
  expect_alike("SYN to the backend", 1);
  ASSERT_EQ(from_backend(treated(syn_ack(777000, 1001), 0x54321)), Verdict::consume);
  expect_alike("released data", 2);
  ASSERT_EQ(from_backend(treated(syn_ack(777000, 1001), 0x54321)), Verdict::consume);
  expect_alike("acknowledgement again", 1);
  ASSERT_EQ(from_client(treated(syn(99999), 0x12345)), Verdict::consume);
  expect_alike("challenge ACK", 1);
  // What the backend says goes on from the challenge, and changes when it does.
  for (const std::uint32_t flipped : {0U, 0x00ff0U}) {
    SegmentToSend answer = treated(from_backend_segment(777001, 3001), 0x54321 ^ flipped);
    ASSERT_EQ(from_backend(answer), Verdict::forward);
    EXPECT_EQ(left.at(0).segment.ip.traffic_class, 0xb9);
    EXPECT_EQ(left.at(0).segment.ip.flow_label, GetParam() ? label ^ flipped : 0U);
  }
  Outbox out(1 << 16, 64);
  std::uint32_t place = 0;
  EXPECT_FALSE(engine().reset_some(place, out));
  EXPECT_EQ(out.packets().size(), 2U);
  for (const auto packet : out.packets()) {
    const auto ip = wire::parse_ip(packet, packet.size());
    ASSERT_TRUE(ip.has_value());
    const bool to_backend = ip->destination == backend.address;
    EXPECT_EQ(ip->traffic_class, 0xb8);
    EXPECT_EQ(ip->flow_label, !GetParam() ? 0U : to_backend ? 0x12345U : label);
  }
}

TEST_P(HandshakeSteps, CookieAloneRedeemsWithoutTheHalfOpenQueue) {
  settings.backlog = 0;
  const std::uint32_t cookie = challenge();
  EXPECT_EQ(counters().half_open_untracked.value(), 1U);
  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.options.mss, 1400);
  EXPECT_EQ(left[0].segment.options.window_scale, 8);  // 9, rounded down
  EXPECT_TRUE(left[0].segment.options.sack_permitted);
  EXPECT_EQ(counters().cookies_redeemed[1].value(), 1U);
}

// Also when nothing comes any more: what is told of a flood ends with it.
TEST_P(HandshakeSteps, PressureIsKnownFromItsBeginningToItsEnd) {
  settings.backlog = 5;
  settings.synack_retries = 1;
  // One network holds a tenth of the queue at most.
  std::uint8_t& network = client.address.bytes[client.address.is_ipv4() ? 14 : 7];
  for (int i = 0; i < 3; ++i, ++network) challenge();
  pass(milliseconds(8));
  EXPECT_EQ(counters().half_open_pressured.value(), 0);
  challenge();
  pass(milliseconds(8));
  EXPECT_EQ(counters().half_open_pressured.value(), 1);
  pass(seconds(4));
  EXPECT_EQ(counters().half_open_connections.value(), 0);
  EXPECT_EQ(counters().half_open_pressured.value(), 0);
}

// H3: a host in whose name the SYN came must not be hit five times.
TEST_P(HandshakeSteps, UnderPressureAChallengeIsRepeatedOnce) {
  settings.backlog = 5;
  std::uint8_t& network = client.address.bytes[client.address.is_ipv4() ? 14 : 7];
  for (int i = 0; i < 4; ++i, ++network) {
    challenge();
    pass(milliseconds(200));  // so that the budget of all does not hold them back
  }
  pass(seconds(20));
  EXPECT_EQ(counters().half_open_pressured.value(), 1);
  EXPECT_EQ(counters().synack_retransmits.value(), 4U);
}

TEST_P(HandshakeSteps, WhoGivesWayIsCounted) {
  settings.backlog = 5;
  std::uint8_t& network = client.address.bytes[client.address.is_ipv4() ? 14 : 7];
  for (int i = 0; i < 4; ++i, ++network) challenge();
  pass(milliseconds(1100));
  challenge();
  EXPECT_EQ(counters().half_open_displaced.value(), 1U);
  EXPECT_EQ(counters().half_open_connections.value(), 4);
}

TEST_P(HandshakeSteps, WrongCookieOpensNothingAndIsCounted) {
  const std::uint32_t cookie = challenge();
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 2)), Verdict::drop);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(counters().cookies_rejected[0].value(), 1U);
  EXPECT_EQ(dropped(synward_reason_unknown_segment), 1U);
}

TEST_P(HandshakeSteps, RepeatedSynGetsTheSameSequenceNumberAndIsCounted) {
  const std::uint32_t first = challenge();
  pass(milliseconds(500));
  EXPECT_EQ(challenge(), first);
  EXPECT_EQ(counters().client_syn_retransmits.value(), 1U);
  EXPECT_EQ(counters().half_open_connections.value(), 1);
}

// A client whose SYN was lost may try with fewer options, lest a middlebox swallows them.
TEST_P(HandshakeSteps, RepeatedSynWithLessIsPromisedLessAndEitherChallengeRedeems) {
  for (const bool second_arrives : {true, false}) {
    const std::uint32_t first = challenge();
    pass(milliseconds(500));
    SegmentToSend fallback = syn();
    fallback.options = {.mss = 1400, .window_scale = {}, .sack_permitted = false, .timestamps = {}};
    ASSERT_EQ(from_client(fallback), Verdict::reply);
    const Segment& answer = left.at(0).segment;
    EXPECT_EQ(answer.header_length, 24U);
    EXPECT_FALSE(answer.options.window_scale.has_value());
    EXPECT_FALSE(answer.options.sack_permitted);
    const std::uint32_t second = answer.seq.value();
    EXPECT_NE(second, first);
    EXPECT_EQ(counters().half_open_connections.value(), 1);

    ASSERT_EQ(from_client(from_client_segment(1001, (second_arrives ? second : first) + 1)),
              Verdict::consume);
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].segment.options.window_scale.has_value(), !second_arrives);
    EXPECT_EQ(left[0].segment.options.sack_permitted, !second_arrives);
    EXPECT_EQ(counters().half_open_connections.value(), 0);
    ++client.port;
  }
  EXPECT_EQ(counters().client_syn_retransmits.value(), 2U);
}

TEST_P(HandshakeSteps, ChallengeIsRepeatedAtOneThreeSevenFifteenSecondsAndForgottenAtThirtyOne) {
  const std::uint32_t cookie = challenge();
  const Instant start = now;
  std::vector<std::int64_t> at;
  while (now < start + seconds(40)) {
    pass(milliseconds(8));
    for (const Left& repeated : left) {
      EXPECT_EQ(repeated.segment.seq.value(), cookie);
      EXPECT_EQ(repeated.segment.flags, wire::flag_syn | wire::flag_ack);
      at.push_back(std::chrono::round<seconds>(now - start).count());
    }
    if (now < start + milliseconds(30'900)) {
      ASSERT_EQ(counters().half_open_connections.value(), 1);
    }
  }
  EXPECT_EQ(at, (std::vector<std::int64_t>{1, 3, 7, 15}));
  EXPECT_EQ(counters().half_open_connections.value(), 0);
  EXPECT_EQ(counters().half_open_expired.value(), 1U);
  EXPECT_EQ(counters().synack_retransmits.value(), 4U);
  EXPECT_EQ(counters().synacks_sent.value(), 5U);
  EXPECT_EQ(state(Side::client, tcp::State::syn_sent), 0);
}

TEST_P(HandshakeSteps, AnEntryOfAnotherAttemptIsOverWithTheCookieThatIsRedeemed) {
  const std::uint32_t cookie = challenge();
  challenge(5000);
  ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  EXPECT_EQ(counters().cookies_redeemed[1].value(), 1U);
  EXPECT_EQ(counters().half_open_connections.value(), 0);
  pass(seconds(2));
  EXPECT_EQ(counters().synack_retransmits.value(), 0U);
}

TEST_P(HandshakeSteps, ResetFromAChallengedHostFreesItsEntry) {
  challenge();
  SegmentToSend reset = from_client_segment(1001, 0);
  reset.flags = wire::flag_rst;
  EXPECT_EQ(from_client(reset), Verdict::consume);
  EXPECT_EQ(counters().half_open_reset.value(), 1U);
  EXPECT_EQ(counters().half_open_connections.value(), 0);
}

TEST_P(HandshakeSteps, EarlyDataIsHeldUnacknowledgedAndReleasedInOrderAfterTheBackendAnswers) {
  const std::uint32_t cookie = challenge();
  const std::string text = "GET / HTTP/1.1\r\n\r\n";
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  SegmentToSend first = from_client_segment(1001, cookie + 1);
  first.payload = {bytes, 5};
  ASSERT_EQ(from_client(first), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_syn);
  SegmentToSend second = from_client_segment(1006, cookie + 1);
  second.payload = {bytes + 5, text.size() - 5};
  second.flags |= wire::flag_fin;
  ASSERT_EQ(from_client(second), Verdict::consume);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(counters().early_data_bytes.value(), static_cast<std::int64_t>(text.size()));
  ASSERT_EQ(from_client(first), Verdict::drop);  // again: held already
  EXPECT_EQ(dropped(synward_reason_early_data_duplicate), 1U);

  ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  const Segment& released = left[0].segment;
  EXPECT_EQ(released.seq, SeqNumber(1001));
  EXPECT_EQ(released.ack, SeqNumber(777001));
  EXPECT_TRUE(released.has(wire::flag_fin));
  ASSERT_EQ(released.payload().size(), text.size());
  EXPECT_EQ(std::memcmp(released.payload().data(), text.data(), text.size()), 0);
  EXPECT_EQ(counters().early_data_bytes.value(), 0);
}

TEST_P(HandshakeSteps, BackendThatIsSilentIsAskedAgainAndThenTheClientIsReset) {
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  const Instant start = now;
  std::vector<std::int64_t> at_ms;
  bool client_was_reset = false;
  while (now < start + seconds(6)) {
    pass(milliseconds(8));
    for (const Left& sent : left) {
      if (sent.segment.has(wire::flag_syn)) {
        at_ms.push_back(std::chrono::duration_cast<milliseconds>(now - start).count());
      }
      if (sent.segment.destination == client) {
        client_was_reset = true;
        EXPECT_TRUE(sent.segment.has(wire::flag_rst));
        EXPECT_EQ(sent.segment.seq.value(), cookie + 1);
      }
    }
  }
  ASSERT_EQ(at_ms.size(), 4U);  // 0.2, 0.6, 1.4, 3.0 s
  EXPECT_NEAR(static_cast<double>(at_ms[0]), 200, 17);
  EXPECT_NEAR(static_cast<double>(at_ms[3]), 3000, 70);
  EXPECT_TRUE(client_was_reset);
  EXPECT_EQ(counters().backends[0].syn_retransmits.value(), 4U);
  EXPECT_EQ(counters().backends[0].failures[1].value(), 1U);
  EXPECT_EQ(counters().connections_closed[4].value(), 1U);
}

TEST_P(HandshakeSteps, RefusingBackendResetsTheClientAtOnce) {
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  SegmentToSend refusal = from_backend_segment(0, 1001);
  refusal.flags = wire::flag_rst | wire::flag_ack;
  EXPECT_EQ(from_backend(refusal), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
  EXPECT_EQ(left[0].segment.seq.value(), cookie + 1);
  EXPECT_EQ(counters().backends[0].failures[0].value(), 1U);
}

TEST_P(HandshakeSteps, OldConnectionOfTheBackendIsResetAndAskedAgainAtOnce) {
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  EXPECT_EQ(from_backend(from_backend_segment(5, 4711)), Verdict::consume);
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(4711));
  EXPECT_EQ(left[1].segment.flags, wire::flag_syn);
}

TEST_P(HandshakeSteps, ClientsResetWhileWaitingCancels) {
  const std::uint32_t cookie = challenge();
  from_client(from_client_segment(1001, cookie + 1));
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst;
  EXPECT_EQ(from_client(reset), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.destination, backend);
  EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
  EXPECT_EQ(counters().connections_closed[1].value(), 1U);
}

}  // namespace
}  // namespace synward::engine
