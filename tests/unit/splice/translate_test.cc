// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/splice/translated.h"

namespace synward::splice {
namespace {

constexpr Offsets offsets{.sequence = 0xfffff000, .timestamp = 77};

// Two blocks behind one NOP, hence at an odd offset; the second is a D-SACK's.
const Bytes sack_option{1, 5, 18, 0, 0, 0, 10, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 2};
constexpr std::size_t first_edge = 23;
const Bytes timestamps_option{1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 2, 0};

TEST(ToBackend, AcknowledgementIsShiftedAndSequenceIsNot) {
  for (const auto& packet : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    const auto result = to_backend(PacketBuilder(packet).seq(7).ack(100).payload(9), offsets);
    EXPECT_EQ(result.segment.seq, SeqNumber(7));
    EXPECT_EQ(result.segment.ack, SeqNumber(100) - offsets.sequence);
    EXPECT_EQ(result.segment.window, 500);
  }
}

TEST(ToClient, SequenceIsShiftedAndAcknowledgementIsNot) {
  for (const auto& packet : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    const auto result = to_client(PacketBuilder(packet).seq(7).ack(100).payload(9), offsets);
    EXPECT_EQ(result.segment.seq, SeqNumber(7) + offsets.sequence);
    EXPECT_EQ(result.segment.ack, SeqNumber(100));
    EXPECT_EQ(result.segment.window, 500);
  }
}

TEST(ToBackend, AndBackIsTheSameNumber) {
  const auto there = to_client(PacketBuilder::ipv4().seq(123456), offsets);
  const auto back = to_backend(PacketBuilder::ipv4().ack(there.segment.seq.value()), offsets);
  EXPECT_EQ(back.segment.ack, SeqNumber(123456));
}

TEST(ToBackend, ResetWithoutAckKeepsItsZero) {
  const auto result =
      to_backend(PacketBuilder::ipv4().flags(wire::flag_rst).seq(7).ack(0), offsets);
  EXPECT_EQ(result.segment.seq, SeqNumber(7));
  EXPECT_EQ(result.segment.ack, SeqNumber(0));
}

TEST(ToBackend, ResetWithAckIsShifted) {
  const auto result =
      to_backend(PacketBuilder::ipv4().flags(wire::flag_rst | wire::flag_ack).ack(9), offsets);
  EXPECT_EQ(result.segment.ack, SeqNumber(9) - offsets.sequence);
}

TEST(ToClient, ResetIsShifted) {
  const auto result = to_client(PacketBuilder::ipv4().flags(wire::flag_rst).seq(7).ack(0), offsets);
  EXPECT_EQ(result.segment.seq, SeqNumber(7) + offsets.sequence);
  EXPECT_EQ(result.segment.ack, SeqNumber(0));
}

TEST(ToBackend, SackAndDsackBlocksAreShiftedAtAnOddOffset) {
  const auto result = to_backend(PacketBuilder::ipv4().options(sack_option), offsets);
  const std::uint32_t before[] = {10, 20, 1, 2};
  for (std::size_t edge = 0; edge < 4; ++edge) {
    EXPECT_EQ(word_at(result, first_edge + 4 * edge), before[edge] - offsets.sequence);
  }
}

TEST(ToClient, SackBlocksQuoteTheClientAndStay) {
  const auto result = to_client(PacketBuilder::ipv4().options(sack_option), offsets);
  EXPECT_EQ(word_at(result, first_edge), 10U);
  EXPECT_EQ(result.segment.options.sack_blocks, 2);
}

TEST(ToBackend, SackIsBlankedIfTheBackendRefusedIt) {
  Offsets refused = offsets;
  refused.blank_sack = true;
  const auto result = to_backend(PacketBuilder::ipv6().options(sack_option).payload(3), refused);
  EXPECT_EQ(result.segment.options.sack_blocks, 0);
  EXPECT_EQ(result.segment.header_length, 40U);
  for (std::size_t at = 20; at < 40; ++at) EXPECT_EQ(result.segment.header()[at], 1) << at;
}

TEST(ToBackend, TimestampEchoIsShiftedAndValueIsNot) {
  const auto result = to_backend(PacketBuilder::ipv4().options(timestamps_option), offsets);
  EXPECT_EQ(test::must(result.segment.options.timestamps).value, 0x100U);
  EXPECT_EQ(test::must(result.segment.options.timestamps).echo, 0x200U - 77);
}

TEST(ToBackend, TimestampEchoWithoutAckQuotesNothing) {
  const auto result =
      to_backend(PacketBuilder::ipv4().flags(wire::flag_rst).options(timestamps_option), offsets);
  EXPECT_EQ(test::must(result.segment.options.timestamps).echo, 0x200U);
}

TEST(ToClient, TimestampValueIsShiftedAndEchoIsNot) {
  const auto result = to_client(PacketBuilder::ipv4().options(timestamps_option), offsets);
  EXPECT_EQ(test::must(result.segment.options.timestamps).value, 0x100U + 77);
  EXPECT_EQ(test::must(result.segment.options.timestamps).echo, 0x200U);
}

TEST(ToClient, WindowIsRescaledIfTheBackendBrokeThePromise) {
  const Offsets other{.client_scale = 9, .promised_scale = 7, .backend_scale = 9};
  EXPECT_EQ(to_client(PacketBuilder::ipv4().window(100), other).segment.window, 400);
  EXPECT_EQ(to_backend(PacketBuilder::ipv4().window(100), other).segment.window, 100);
}

TEST(ToClient, WindowIsRescaledDownwardsToo) {
  const Offsets other{.client_scale = 9, .promised_scale = 7, .backend_scale = 5};
  EXPECT_EQ(to_client(PacketBuilder::ipv4().window(100), other).segment.window, 25);
  const Offsets unscaled{
      .client_scale = 9, .promised_scale = 7, .backend_scale = SYNWARD_WINDOW_SCALE_ABSENT};
  EXPECT_EQ(to_client(PacketBuilder::ipv4().window(1280), unscaled).segment.window, 10);
  EXPECT_EQ(to_backend(PacketBuilder::ipv4().window(10), unscaled).segment.window, 5120);
}

TEST(ToClient, WindowOfASynIsNeverScaled) {
  const Offsets other{.client_scale = 9, .promised_scale = 7, .backend_scale = 9};
  const unsigned flags = wire::flag_syn | wire::flag_ack;
  EXPECT_EQ(to_client(PacketBuilder::ipv4().flags(flags).window(100), other).segment.window, 100);
}

TEST(ToBackend, DestinationBecomesTheBackend) {
  const auto ipv4 = test::must(wire::parse_endpoint("10.0.0.7:8080"));
  const auto ipv6 = test::must(wire::parse_endpoint("[fd00::7]:8080"));
  const auto result4 = to_backend(PacketBuilder::ipv4().payload(1), offsets, &ipv4);
  EXPECT_EQ(result4.segment.destination, ipv4);
  EXPECT_EQ(wire::to_string(result4.segment.source), "203.0.113.5:40000");
  const auto result6 = to_backend(PacketBuilder::ipv6().extension(60), offsets, &ipv6);
  EXPECT_EQ(result6.segment.destination, ipv6);
  EXPECT_EQ(wire::to_string(result6.segment.source), "[2001:db8:1::5]:40000");
}

TEST(ToClient, SourceBecomesTheService) {
  const auto ipv4 = test::must(wire::parse_endpoint("198.51.100.99:443"));
  const auto ipv6 = test::must(wire::parse_endpoint("[2001:db8::99]:443"));
  const auto options = Bytes(8, 1);
  const auto result4 = to_client(PacketBuilder::ipv4().ip_options(options), offsets, &ipv4);
  EXPECT_EQ(result4.segment.source, ipv4);
  EXPECT_EQ(wire::to_string(result4.segment.destination), "198.51.100.10:80");
  EXPECT_EQ(to_client(PacketBuilder::ipv6(), offsets, &ipv6).segment.source, ipv6);
}

TEST(ToClient, OnlyThePortDiffersWithinOneHost) {
  const auto service = test::must(wire::parse_endpoint("203.0.113.5:443"));
  EXPECT_EQ(to_client(PacketBuilder::ipv4(), offsets, &service).segment.source, service);
}

TEST(Translation, UrgentDataStayUrgent) {
  const unsigned flags = wire::flag_ack | wire::flag_urg;
  for (const auto& packet : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    const auto urgent = PacketBuilder(packet).flags(flags).urgent(7).payload(9);
    for (const auto& result : {to_backend(urgent, offsets), to_client(urgent, offsets)}) {
      EXPECT_EQ(result.segment.flags, flags);
      EXPECT_EQ(result.segment.urgent_pointer, 7);
    }
  }
}

TEST(ToBackend, EcnIsClearedIfTheBackendRefusedItAndTheRestOfTheClassStays) {
  Offsets refused = offsets;
  refused.clear_ecn = true;
  for (const auto& packet : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    const auto marked = PacketBuilder(packet).traffic_class(0xba).payload(3);
    EXPECT_EQ(to_backend(marked, refused).segment.ip.traffic_class, 0xb8);
    EXPECT_EQ(to_backend(marked, offsets).segment.ip.traffic_class, 0xba);
    EXPECT_EQ(to_client(marked, refused).segment.ip.traffic_class, 0xba);
  }
}

TEST(ToClient, TheFlowLabelIsFlippedAndTheClassStays) {
  Offsets shifted = offsets;
  shifted.flow_label = 0xfffff;
  const auto packet = PacketBuilder(PacketBuilder::ipv6()).traffic_class(0xba).payload(3);
  EXPECT_EQ(to_client(packet, shifted).segment.ip.flow_label, 0xfffffU);
  EXPECT_EQ(to_client(packet, shifted).segment.ip.traffic_class, 0xba);
  EXPECT_EQ(to_backend(packet, shifted).segment.ip.flow_label, 0U);
}

TEST(Translation, WithoutOffsetsLeavesEveryByte) {
  const auto packet =
      PacketBuilder::ipv4().options(test::concatenated(sack_option, timestamps_option)).payload(5);
  EXPECT_EQ(to_backend(packet, {}).bytes, packet.build());
  EXPECT_EQ(to_client(packet, {}).bytes, packet.build());
}

}  // namespace
}  // namespace synward::splice
