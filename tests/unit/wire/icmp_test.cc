// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/icmp.h"

#include <gtest/gtest.h>

#include "tests/support/icmp_builder.h"

namespace synward::wire {
namespace {

using test::Bytes;
using test::IcmpBuilder;
using test::PacketBuilder;

std::vector<Bytes> segments() {
  return {PacketBuilder::ipv4().seq(0xfffffff0).payload(1000).build(),
          PacketBuilder::ipv6().seq(0xfffffff0).payload(1000).build()};
}

Reason refusal_of(Bytes packet) {
  const auto error = test::parse_error(packet);
  return error ? synward_reason_count : error.error();
}

// The error with one byte of its quote changed, and summed again.
Bytes with_quoted_byte(Bytes packet, std::size_t at, std::uint8_t value) {
  packet[IcmpBuilder::message_offset(packet) + icmp_header_length + at] = value;
  IcmpBuilder::sum_icmp(packet);
  return packet;
}

TEST(IcmpError, IsRead) {
  for (const Bytes& segment : segments()) {
    Bytes packet = IcmpBuilder::too_big(segment).build();
    const auto error = test::parse_error(packet);
    ASSERT_TRUE(error);
    const bool ipv4 = error->ip.is_ipv4();
    EXPECT_EQ(error->type, ipv4 ? 3 : 2);
    EXPECT_EQ(to_string(error->source), ipv4 ? "203.0.113.5:40000" : "[2001:db8:1::5]:40000");
    EXPECT_EQ(to_string(error->destination), ipv4 ? "198.51.100.10:80" : "[2001:db8:2::10]:80");
    EXPECT_EQ(error->seq, SeqNumber(0xfffffff0));
    EXPECT_EQ(error->quoted_tcp_offset, ipv4 ? 48U : 88U);
    EXPECT_EQ(error->quoted_tcp_length, ipv4 ? 528U : 508U);
    EXPECT_FALSE(error->is_unreachable());
  }
}

TEST(IcmpError, EightBytesOfTheSegmentAreEnoughAndSevenAreNot) {
  for (const Bytes& segment : segments()) {
    IcmpBuilder builder = IcmpBuilder::too_big(segment);
    builder.quoted = IcmpBuilder::message_offset(segment) + 8;
    Bytes packet = builder.build();
    const auto error = test::parse_error(packet);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->quoted_tcp_length, quoted_tcp_min);
    --builder.quoted;
    EXPECT_EQ(refusal_of(builder.build()), synward_reason_bad_icmp);
  }
}

TEST(IcmpError, TruncatedAnywhereIsRefused) {
  for (const Bytes& segment : segments()) {
    for (std::size_t quoted = 0; quoted < IcmpBuilder::message_offset(segment) + 8; ++quoted) {
      IcmpBuilder builder = IcmpBuilder::too_big(segment);
      builder.quoted = quoted;
      EXPECT_EQ(refusal_of(builder.build()), synward_reason_bad_icmp) << quoted;
    }
    const Bytes whole = IcmpBuilder::too_big(segment).build();
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_EQ(refusal_of(cut), synward_reason_bad_ip_header) << length;
    }
  }
}

// Shorter than its own header, although IP says that all is there.
TEST(IcmpError, WithoutAWholeHeaderIsRefused) {
  for (std::size_t length = 20; length < 28; ++length) {
    Bytes packet = IcmpBuilder::too_big(segments()[0]).build();
    packet.resize(length);
    store_be16(&packet[2], static_cast<std::uint16_t>(length));
    store_be16(&packet[10], 0);
    store_be16(&packet[10], test::plain_checksum(std::span(packet).first(20)));
    EXPECT_EQ(refusal_of(packet), synward_reason_bad_icmp) << length;
  }
}

TEST(IcmpError, OfWrongChecksumIsRefusedWhoeverVerifiedIt) {
  for (const Bytes& segment : segments()) {
    Bytes packet = IcmpBuilder::too_big(segment).build();
    packet.back() ^= 1;
    EXPECT_EQ(refusal_of(packet), synward_reason_bad_checksum);
    const auto verified = test::parse_error(packet, ChecksumState::verified);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error(), synward_reason_bad_checksum);
    EXPECT_TRUE(test::parse_error(packet, ChecksumState::partial));
  }
}

// Bytes behind the quoted packet's own end are padding or extensions (RFC 4884).
TEST(IcmpError, QuoteEndsWithTheQuotedPacket) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    IcmpBuilder icmp = IcmpBuilder::too_big(builder.build());
    icmp.about.resize(icmp.about.size() + 100, 0xee);
    Bytes packet = icmp.build();
    const auto error = test::parse_error(packet);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->quoted_tcp_length, 20U);
  }
}

TEST(IcmpError, OtherTypesAreRefused) {
  const auto segment = segments();
  for (const bool ipv4 : {true, false}) {
    for (unsigned type = 0; type < 256; ++type) {
      IcmpBuilder builder = IcmpBuilder::too_big(segment[ipv4 ? 0 : 1]);
      builder.type = static_cast<std::uint8_t>(type);
      const bool good = ipv4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
      EXPECT_EQ(refusal_of(builder.build()), good ? synward_reason_count : synward_reason_bad_icmp)
          << type;
    }
  }
}

TEST(IcmpError, UnreachableIsToldFromTooBig) {
  for (const Bytes& segment : segments()) {
    Bytes packet = IcmpBuilder::unreachable(segment).build();
    EXPECT_TRUE(test::must(test::parse_error(packet)).is_unreachable());
    IcmpBuilder exceeded = IcmpBuilder::too_big(segment);
    exceeded.type = exceeded.from.is_ipv4() ? 11 : 3;
    Bytes other = exceeded.build();
    EXPECT_FALSE(test::must(test::parse_error(other)).is_unreachable());
  }
}

TEST(IcmpError, ThatIsNotForTheQuotedSourceIsRefused) {
  for (const Bytes& segment : segments()) {
    const Bytes packet = IcmpBuilder::too_big(segment).build();
    const std::size_t last_of_source = packet[0] >> 4 == 4 ? 15 : 23;
    EXPECT_EQ(refusal_of(with_quoted_byte(packet, last_of_source, 99)), synward_reason_bad_icmp);
  }
}

TEST(IcmpError, QuotesOfOtherShapesAreRefused) {
  const Bytes ipv4 = IcmpBuilder::too_big(segments()[0]).build();
  const Bytes ipv6 = IcmpBuilder::too_big(segments()[1]).build();
  for (const std::uint8_t first : {0x46, 0x44, 0x55, 0x65, 0x00}) {
    EXPECT_EQ(refusal_of(with_quoted_byte(ipv4, 0, first)), synward_reason_bad_icmp) << +first;
  }
  EXPECT_EQ(refusal_of(with_quoted_byte(ipv4, 9, 17)), synward_reason_bad_icmp);
  EXPECT_EQ(refusal_of(with_quoted_byte(ipv4, 7, 1)), synward_reason_bad_icmp);  // a later fragment
  EXPECT_EQ(refusal_of(with_quoted_byte(ipv6, 0, 0x45)), synward_reason_bad_icmp);
  for (const std::uint8_t next : {0, 17, 44, 58}) {
    EXPECT_EQ(refusal_of(with_quoted_byte(ipv6, 6, next)), synward_reason_bad_icmp) << +next;
  }
}

TEST(IcmpError, QuotedPacketOfImpossibleLengthIsRefused) {
  for (const std::uint8_t length : {0, 19, 27}) {
    const Bytes packet = IcmpBuilder::too_big(segments()[0]).build();
    EXPECT_EQ(refusal_of(with_quoted_byte(with_quoted_byte(packet, 2, 0), 3, length)),
              synward_reason_bad_icmp);
  }
}

// A router's mistake, and nobody looks at it.
TEST(IcmpError, QuotedIpChecksumIsNotVerified) {
  const Bytes packet = IcmpBuilder::too_big(segments()[0]).build();
  EXPECT_EQ(refusal_of(with_quoted_byte(packet, 10, 0)), synward_reason_count);
}

TEST(IcmpError, IsNoSegment) {
  for (const Bytes& segment : segments()) {
    Bytes packet = IcmpBuilder::too_big(segment).build();
    const auto parsed = test::parse(packet);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), synward_reason_bad_ip_header);
  }
}

// ICMP of the other family is nothing that a host takes.
TEST(IcmpError, BehindAHeaderOfTheOtherFamilyIsRefused) {
  Bytes ipv4 = IcmpBuilder::too_big(segments()[0]).build();
  ipv4[9] = 58;
  store_be16(&ipv4[10], 0);
  store_be16(&ipv4[10], test::plain_checksum(std::span(ipv4).first(20)));
  EXPECT_EQ(refusal_of(ipv4), synward_reason_bad_ip_header);
  Bytes ipv6 = IcmpBuilder::too_big(segments()[1]).build();
  ipv6[6] = 1;
  EXPECT_EQ(refusal_of(ipv6), synward_reason_bad_extension_header);
}

}  // namespace
}  // namespace synward::wire
