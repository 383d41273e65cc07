// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/ip.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace synward::wire {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination_options = 60;

Reason refusal_of(const Bytes& packet) {
  const auto header = parse_ip(packet, packet.size());
  return header ? synward_reason_count : header.error();
}

// The packet with one byte changed and the IPv4 header summed again.
Bytes with_byte(Bytes packet, std::size_t at, std::uint8_t value) {
  packet[at] = value;
  store_be16(&packet[10], 0);
  store_be16(&packet[10], test::plain_checksum(std::span(packet).first(20)));
  return packet;
}

TEST(Ipv4Header, IsRead) {
  const Bytes packet = with_byte(PacketBuilder::ipv4().payload(10).build(), 1, 0x2e);
  const auto header = parse_ip(packet, packet.size());
  ASSERT_TRUE(header);
  EXPECT_EQ(to_string(header->source), "203.0.113.5");
  EXPECT_EQ(to_string(header->destination), "198.51.100.10");
  EXPECT_EQ(header->transport_offset, 20U);
  EXPECT_EQ(header->total_length, 50U);
  EXPECT_EQ(header->traffic_class, 0x2e);
  EXPECT_TRUE(header->plain);
  EXPECT_TRUE(header->is_ipv4());
}

TEST(Ipv4Header, WithOptionsIsNotPlain) {
  const Bytes packet = PacketBuilder::ipv4().ip_options(Bytes(40, 1)).build();
  const auto header = parse_ip(packet, packet.size());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->transport_offset, 60U);
  EXPECT_FALSE(header->plain);
}

TEST(Ipv4Header, ShorterThanTwentyBytesIsRefused) {
  for (const std::uint8_t length : {0, 1, 4}) {
    const std::uint8_t version_and_ihl = 0x40 | length;
    EXPECT_EQ(refusal_of(with_byte(PacketBuilder::ipv4().build(), 0, version_and_ihl)),
              synward_reason_bad_ip_header);
  }
}

TEST(Ipv4Header, LongerThanThePacketIsRefused) {
  EXPECT_EQ(refusal_of(with_byte(PacketBuilder::ipv4().build(), 0, 0x4f)),
            synward_reason_bad_ip_header);
}

TEST(Ipv4Header, WhoseTotalLengthEndsWithinItselfIsRefused) {
  EXPECT_EQ(refusal_of(with_byte(PacketBuilder::ipv4().build(), 3, 19)),
            synward_reason_bad_ip_header);
}

TEST(Ipv4Header, OfAnotherVersionOrProtocolIsRefused) {
  EXPECT_EQ(refusal_of(with_byte(PacketBuilder::ipv4().build(), 0, 0x55)),
            synward_reason_bad_ip_header);
  EXPECT_EQ(refusal_of(with_byte(PacketBuilder::ipv4().build(), 9, 17)),
            synward_reason_bad_ip_header);
}

TEST(Ipv4Header, WithAWrongChecksumIsRefused) {
  Bytes packet = PacketBuilder::ipv4().build();
  packet[8] = 1;
  EXPECT_EQ(refusal_of(packet), synward_reason_bad_checksum);
}

TEST(Ipv4Fragment, FirstMiddleAndLastAreRefused) {
  for (const std::uint16_t field : {0x2000, 0x2001, 0x0001, 0x1fff}) {
    EXPECT_EQ(refusal_of(PacketBuilder::ipv4().fragment_field(field).build()),
              synward_reason_fragment);
  }
}

TEST(Ipv4Fragment, ReservedBitAndDontFragmentMakeNone) {
  for (const std::uint16_t field : {0x0000, 0x4000, 0x8000}) {
    EXPECT_EQ(refusal_of(PacketBuilder::ipv4().fragment_field(field).build()),
              synward_reason_count);
  }
}

TEST(Ipv6Header, IsRead) {
  Bytes packet = PacketBuilder::ipv6().payload(10).build();
  packet[0] = 0x62;
  packet[1] = 0xe0;
  const auto header = parse_ip(packet, packet.size());
  ASSERT_TRUE(header);
  EXPECT_EQ(to_string(header->source), "2001:db8:1::5");
  EXPECT_EQ(header->transport_offset, 40U);
  EXPECT_EQ(header->total_length, 70U);
  EXPECT_EQ(header->traffic_class, 0x2e);
  EXPECT_TRUE(header->plain);
  EXPECT_FALSE(header->is_ipv4());
}

TEST(Ipv6Header, WithAMappedAddressIsRefused) {
  Bytes packet = PacketBuilder::ipv6().build();
  std::ranges::copy(test::must(parse_address("203.0.113.5")).bytes, &packet[8]);
  EXPECT_EQ(refusal_of(packet), synward_reason_bad_ip_header);
}

TEST(Ipv6Extension, KnownOnesAreWalked) {
  const Bytes packet = PacketBuilder::ipv6()
                           .extension(hop_by_hop)
                           .extension(destination_options, Bytes(24))
                           .extension(routing)
                           .build();
  const auto header = parse_ip(packet, packet.size());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->transport_offset, 40U + 8 + 24 + 8);
  EXPECT_FALSE(header->plain);
}

TEST(Ipv6Extension, ChainOfEightIsTheLongest) {
  PacketBuilder builder = PacketBuilder::ipv6();
  for (int i = 0; i < extension_headers_max; ++i) builder.extension(destination_options);
  EXPECT_EQ(refusal_of(builder.build()), synward_reason_count);
  EXPECT_EQ(refusal_of(builder.extension(destination_options).build()),
            synward_reason_bad_extension_header);
}

TEST(Ipv6Extension, UnknownOnesAreRefused) {
  constexpr std::uint8_t authentication = 51, encapsulation = 50, no_next_header = 59,
                         mobility = 135;
  for (const std::uint8_t kind : {authentication, encapsulation, no_next_header, mobility}) {
    EXPECT_EQ(refusal_of(PacketBuilder::ipv6().extension(kind).build()),
              synward_reason_bad_extension_header);
  }
}

TEST(Ipv6Extension, HopByHopComesFirstOrNotAtAll) {
  EXPECT_EQ(refusal_of(
                PacketBuilder::ipv6().extension(destination_options).extension(hop_by_hop).build()),
            synward_reason_bad_extension_header);
}

TEST(Ipv6Extension, RoutingHeaderWithSegmentsLeftIsRefused) {
  EXPECT_EQ(refusal_of(PacketBuilder::ipv6().extension(routing, {0, 0, 0, 1, 0, 0, 0, 0}).build()),
            synward_reason_bad_extension_header);
}

TEST(Ipv6Extension, LongerThanThePacketIsRefused) {
  Bytes packet = PacketBuilder::ipv6().extension(destination_options).build();
  packet[41] = 255;
  EXPECT_EQ(refusal_of(packet), synward_reason_bad_extension_header);
}

TEST(Ipv6Extension, BeyondThePayloadLengthIsRefusedThoughTheBytesAreThere) {
  Bytes packet = PacketBuilder::ipv6().extension(destination_options).build();
  store_be16(&packet[4], 4);
  EXPECT_EQ(refusal_of(packet), synward_reason_bad_extension_header);
}

TEST(Ipv6Fragment, AnyIsRefusedAnAtomicOneToo) {
  for (const std::uint8_t more_fragments : {0, 1}) {
    EXPECT_EQ(refusal_of(PacketBuilder::ipv6()
                             .extension(fragment, {0, 0, 0, more_fragments, 0, 0, 0, 1})
                             .build()),
              synward_reason_fragment);
  }
  EXPECT_EQ(refusal_of(PacketBuilder::ipv6().extension(hop_by_hop).extension(fragment).build()),
            synward_reason_fragment);
}

TEST(IpLength, PaddingOfTheLinkIsNoPartOfThePacket) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    Bytes packet = builder.build();
    const std::size_t length = packet.size();
    packet.resize(length + 6);
    const auto header = parse_ip(packet, packet.size());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->total_length, length);
  }
}

TEST(IpLength, LessThanPromisedIsTheQueuesDoingOrThePackets) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    Bytes packet = PacketBuilder(builder).payload(100).build();
    const std::size_t whole = packet.size();
    packet.resize(whole - 1);
    EXPECT_EQ(parse_ip(packet, whole).error(), synward_reason_truncated_by_queue);
    EXPECT_EQ(parse_ip(packet, packet.size()).error(), synward_reason_bad_ip_header);
  }
}

TEST(IpLength, OfNothingIsRefused) {
  EXPECT_EQ(refusal_of({}), synward_reason_bad_ip_header);
}

}  // namespace
}  // namespace synward::wire
