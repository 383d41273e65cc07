// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/splice/quote.h"

#include <gtest/gtest.h>

#include "tests/support/icmp_builder.h"

namespace synward::splice {
namespace {

using test::Bytes;
using test::IcmpBuilder;
using test::PacketBuilder;
using wire::Endpoint;
using wire::IcmpError;
using wire::SeqNumber;

constexpr Offsets offsets{.sequence = 0xfffff000};

// `bytes` first: the error's views point into it, and moving a vector keeps its buffer.
struct Translated {
  Bytes bytes;
  IcmpError error;
  std::span<const std::uint8_t> quote() const { return error.quote(); }
  std::uint32_t quoted_ack() const { return wire::load_be32(&error.quoted_tcp()[8]); }
};

// Reads it again: a wrong ICMP checksum would refuse it.
Translated to_backend(const IcmpBuilder& icmp, const Endpoint& backend) {
  Translated result{icmp.build(), {}};
  const std::size_t length = result.bytes.size();
  translate_error_to_backend(test::must(test::parse_error(result.bytes)), offsets, backend);
  EXPECT_EQ(result.bytes.size(), length);
  result.error = test::must(test::parse_error(result.bytes));
  return result;
}

Translated to_client(const IcmpBuilder& icmp, const Endpoint& service) {
  Translated result{icmp.build(), {}};
  translate_error_to_client(test::must(test::parse_error(result.bytes)), offsets, service);
  result.error = test::must(test::parse_error(result.bytes));
  return result;
}

Endpoint endpoint(const char* text) {
  return test::must(wire::parse_endpoint(text));
}

struct Family {
  PacketBuilder to_service, from_service;
  Endpoint client, service, backend;
};

std::vector<Family> families() {
  std::vector<Family> result;
  const Endpoint client4 = endpoint("203.0.113.5:40000");
  const Endpoint service4 = endpoint("198.51.100.10:80");
  const Endpoint backend4 = endpoint("10.0.0.7:8080");
  const Endpoint client6 = endpoint("[2001:db8:1::5]:40000");
  const Endpoint service6 = endpoint("[2001:db8:2::10]:80");
  const Endpoint backend6 = endpoint("[fd00::7]:8080");
  result.push_back({PacketBuilder::ipv4().to(backend4),
                    PacketBuilder::ipv4().from(service4).to(client4), client4, service4, backend4});
  result.push_back({PacketBuilder::ipv6().to(backend6),
                    PacketBuilder::ipv6().from(service6).to(client6), client6, service6, backend6});
  return result;
}

TEST(ErrorToBackend, SpeaksOfTheBackendsOwnSegment) {
  for (Family& family : families()) {
    const auto icmp =
        IcmpBuilder::too_big(family.from_service.seq(100).ack(9).payload(1000).build());
    const Translated result = to_backend(icmp, family.backend);
    EXPECT_EQ(result.error.source, family.backend);
    EXPECT_EQ(result.error.destination, family.client);
    EXPECT_EQ(result.error.seq, SeqNumber(100) - offsets.sequence);
    EXPECT_EQ(result.quoted_ack(), 9U);
    EXPECT_EQ(result.error.ip.destination, family.backend.address);
    EXPECT_EQ(result.error.ip.source, icmp.from);
    EXPECT_EQ(wire::load_be16(&result.error.message()[6]), 1280);
  }
}

TEST(ErrorToClient, SpeaksOfTheClientsOwnSegment) {
  for (Family& family : families()) {
    const auto icmp = IcmpBuilder::too_big(family.to_service.seq(100).ack(9).payload(1000).build());
    const Translated result = to_client(icmp, family.service);
    EXPECT_EQ(result.error.source, family.client);
    EXPECT_EQ(result.error.destination, family.service);
    EXPECT_EQ(result.error.seq, SeqNumber(100));
    EXPECT_EQ(result.quoted_ack(), 9U + offsets.sequence);
    EXPECT_EQ(result.error.ip.destination, family.client.address);
    EXPECT_EQ(result.error.ip.source, icmp.from);
  }
}

TEST(ErrorToClient, FromTheBackendItselfComesFromTheService) {
  for (Family& family : families()) {
    IcmpBuilder icmp = IcmpBuilder::unreachable(family.to_service.build());
    icmp.from = family.backend.address;
    EXPECT_EQ(to_client(icmp, family.service).error.ip.source, family.service.address);
  }
}

TEST(ErrorToBackend, FromTheClientItselfStaysFromTheClient) {
  for (Family& family : families()) {
    IcmpBuilder icmp = IcmpBuilder::unreachable(family.from_service.build());
    icmp.from = family.client.address;
    EXPECT_EQ(to_backend(icmp, family.backend).error.ip.source, family.client.address);
  }
}

// A whole segment fits in the quote, so that its checksums can be verified.
TEST(ErrorToBackend, QuotedChecksumsStayRight) {
  for (Family& family : families()) {
    const Bytes segment = family.from_service.seq(5).payload(100).build();
    const Translated result = to_backend(IcmpBuilder::too_big(segment), family.backend);
    EXPECT_TRUE(test::sums_are_right(result.quote(), IcmpBuilder::message_offset(segment)));
  }
}

TEST(ErrorToClient, QuotedChecksumsStayRight) {
  for (Family& family : families()) {
    const Bytes segment = family.to_service.seq(5).payload(101).build();
    const Translated result = to_client(IcmpBuilder::too_big(segment), family.service);
    EXPECT_TRUE(test::sums_are_right(result.quote(), IcmpBuilder::message_offset(segment)));
  }
}

// A router that lowered the TTL without mending the checksum: as wrong after as before.
TEST(ErrorToClient, QuotedIpChecksumIsNotMadeRight) {
  const Family family = families()[0];
  Bytes segment = PacketBuilder(family.to_service).payload(100).build();
  --segment[8];
  const Translated result = to_client(IcmpBuilder::too_big(segment), family.service);
  const std::uint16_t wrong_by = test::plain_checksum(std::span(segment).first(20));
  EXPECT_EQ(test::plain_checksum(result.quote().first(20)), wrong_by);
}

TEST(ErrorToClient, AcknowledgementOfASegmentWithoutAckQuotesNothing) {
  for (Family& family : families()) {
    const Bytes reset = family.to_service.flags(wire::flag_rst).ack(0).build();
    EXPECT_EQ(to_client(IcmpBuilder::too_big(reset), family.service).quoted_ack(), 0U);
  }
}

// However little is quoted: nothing beyond it is written, and what is there is translated.
TEST(Error, ShortQuotesAreTranslatedAsFarAsTheyGo) {
  for (Family& family : families()) {
    const Bytes there = family.from_service.seq(100).ack(9).build();
    const Bytes back = family.to_service.seq(100).ack(9).build();
    const std::size_t header = IcmpBuilder::message_offset(there);
    for (std::size_t tcp = 8; tcp <= 20; ++tcp) {
      IcmpBuilder icmp = IcmpBuilder::too_big(there);
      icmp.quoted = header + tcp;
      EXPECT_EQ(to_backend(icmp, family.backend).error.seq, SeqNumber(100) - offsets.sequence);
      icmp.about = back;
      const Translated result = to_client(icmp, family.service);
      EXPECT_EQ(result.error.destination, family.service);
      if (tcp < 14) continue;  // whether it acknowledges is not told
      EXPECT_EQ(result.quoted_ack(), 9U + offsets.sequence);
    }
  }
}

TEST(ErrorToBackend, SequenceWrapsAround) {
  for (Family& family : families()) {
    const auto icmp = IcmpBuilder::too_big(family.from_service.seq(0xffffffff).build());
    EXPECT_EQ(to_backend(icmp, family.backend).error.seq, SeqNumber(0xfff));
  }
}

TEST(Error, PartialChecksumIsCompleted) {
  for (Family& family : families()) {
    Bytes packet = IcmpBuilder::too_big(family.to_service.build()).build();
    packet[IcmpBuilder::message_offset(packet) + 2] ^= 0x55;
    const auto error = test::must(test::parse_error(packet, wire::ChecksumState::partial));
    translate_error_to_client(error, offsets, family.service);
    EXPECT_TRUE(test::parse_error(packet));
  }
}

}  // namespace
}  // namespace synward::splice
