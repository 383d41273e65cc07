// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/emit.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace synward::wire {
namespace {

using test::Bytes;

SegmentToSend some_segment(const char* source, const char* destination) {
  SegmentToSend segment;
  segment.source = test::must(parse_endpoint(source));
  segment.destination = test::must(parse_endpoint(destination));
  segment.seq = SeqNumber(0xdeadbeef);
  segment.ack = SeqNumber(0x12345678);
  segment.flags = flag_ack | flag_psh | flag_ae;
  segment.window = 4321;
  segment.urgent_pointer = 1234;
  segment.traffic_class = 0xb9;
  segment.flow_label = 0xabcde;
  return segment;
}

SegmentToSend ipv4_segment() {
  return some_segment("203.0.113.5:40000", "198.51.100.10:80");
}
SegmentToSend ipv6_segment() {
  return some_segment("[2001:db8::5]:40000", "[2001:db8::10]:80");
}

Bytes emitted(const SegmentToSend& segment) {
  Bytes packet(emitted_length_max(segment));
  packet.resize(emit(packet, segment));
  return packet;
}

TEST(Emit, IsParsedBackInBothFamilies) {
  const Bytes payload{'h', 'e', 'l', 'l', 'o'};
  for (SegmentToSend sent : {ipv4_segment(), ipv6_segment()}) {
    sent.options = {.mss = 1400,
                    .window_scale = 9,
                    .sack_permitted = true,
                    .timestamps = Timestamps{.value = 1, .echo = 2}};
    sent.payload = payload;
    Bytes packet = emitted(sent);
    const auto segment = test::parse(packet);
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->source, sent.source);
    EXPECT_EQ(segment->destination, sent.destination);
    EXPECT_EQ(segment->seq, sent.seq);
    EXPECT_EQ(segment->ack, sent.ack);
    EXPECT_EQ(segment->flags, sent.flags);
    EXPECT_EQ(segment->window, sent.window);
    EXPECT_EQ(segment->urgent_pointer, sent.urgent_pointer);
    EXPECT_EQ(segment->ip.traffic_class, 0xb9);
    EXPECT_EQ(segment->ip.flow_label, sent.source.address.is_ipv4() ? 0U : 0xabcdeU);
    EXPECT_EQ(segment->options.mss, 1400);
    EXPECT_EQ(segment->options.window_scale, 9);
    EXPECT_TRUE(segment->options.sack_permitted);
    EXPECT_EQ(test::must(segment->options.timestamps).echo, 2U);
    EXPECT_TRUE(std::ranges::equal(segment->payload(), payload));
    EXPECT_TRUE(segment->ip.plain);
  }
}

TEST(Emit, ChecksumsAreRightAtEveryPayloadLength) {
  for (SegmentToSend sent : {ipv4_segment(), ipv6_segment()}) {
    const std::size_t tcp_offset = sent.source.address.is_ipv4() ? 20 : 40;
    const Bytes payload(64, 0xa5);
    for (std::size_t length = 0; length <= payload.size(); ++length) {
      sent.payload = std::span(payload).first(length);
      EXPECT_TRUE(test::sums_are_right(emitted(sent), tcp_offset)) << length;
    }
  }
}

TEST(Emit, Ipv4PacketIsAtomicWithHopLimit64) {
  const Bytes packet = emitted(ipv4_segment());
  EXPECT_EQ(load_be16(&packet[4]), 0);       // identification
  EXPECT_EQ(load_be16(&packet[6]), 0x4000);  // DF
  EXPECT_EQ(packet[8], 64);
}

TEST(Emit, TakesTheLengthOfTheSynThatItAnswers) {
  SegmentToSend segment = ipv4_segment();
  segment.options.mss = 1460;
  segment.options_length_min = 20;
  EXPECT_EQ(emitted(segment).size(), 60U);
}

TEST(Emit, OverThePacketWhosePayloadItCarries) {
  for (SegmentToSend sent : {ipv4_segment(), ipv6_segment()}) {
    // Payload right where the headers will be written, and just before and behind its own place.
    for (const std::size_t payload_at : {0, 10, 30, 52, 80}) {
      Bytes packet(200);
      for (std::size_t i = 0; i < packet.size(); ++i) packet[i] = static_cast<std::uint8_t>(i);
      const Bytes expected(packet.begin() + static_cast<std::ptrdiff_t>(payload_at),
                           packet.begin() + static_cast<std::ptrdiff_t>(payload_at) + 50);
      sent.payload = std::span(packet).subspan(payload_at, 50);
      packet.resize(emit(packet, sent));
      const auto segment = test::parse(packet);
      ASSERT_TRUE(segment) << payload_at;
      EXPECT_TRUE(std::ranges::equal(segment->payload(), expected)) << payload_at;
    }
  }
}

TEST(Emit, NeverNeedsMoreThanItSays) {
  SegmentToSend segment = ipv6_segment();
  segment.options_length_min = 40;
  EXPECT_EQ(emitted(segment).size(), emitted_length_max(segment));
}

}  // namespace
}  // namespace synward::wire
