// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/segment.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/packet_builder.h"

namespace synward::wire {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr std::size_t data_offset_at = 20 + 12;  // IPv4

Reason refusal_of(Bytes packet) {
  const auto segment = test::parse(packet);
  return segment ? synward_reason_count : segment.error();
}

// In a heap block of exactly its size, so that AddressSanitizer sees any read past the end.
Reason refusal_of_prefix(const Bytes& packet, std::size_t length, std::size_t original_length) {
  const auto block = std::make_unique<std::uint8_t[]>(length);
  std::copy_n(packet.begin(), length, block.get());
  const auto segment =
      parse_segment({.bytes = {block.get(), length}, .original_length = original_length});
  return segment ? synward_reason_count : segment.error();
}

Bytes with_data_offset(unsigned words) {
  Bytes packet = PacketBuilder::ipv4().payload(8).build();
  packet[data_offset_at] = static_cast<std::uint8_t>(words << 4);
  test::sum_again(packet, 20);
  return packet;
}

TEST(Segment, FieldsAreReadInBothFamilies) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    Bytes packet = PacketBuilder(builder)
                       .seq(0xfffffff0)
                       .ack(77)
                       .flags(flag_ack | flag_psh | flag_fin | flag_ae)
                       .window(1234)
                       .options({8, 10, 0, 0, 0, 1, 0, 0, 0, 2})
                       .payload(5)
                       .build();
    const auto segment = test::parse(packet);
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->source.port, 40000);
    EXPECT_EQ(segment->destination.port, 80);
    EXPECT_EQ(segment->seq, SeqNumber(0xfffffff0));
    EXPECT_EQ(segment->ack, SeqNumber(77));
    EXPECT_EQ(segment->flags, flag_ack | flag_psh | flag_fin | flag_ae);
    EXPECT_EQ(segment->window, 1234);
    EXPECT_EQ(segment->header_length, 32U);
    EXPECT_EQ(segment->payload_length(), 5U);
    EXPECT_EQ(segment->length(), 6U);
    EXPECT_EQ(test::must(segment->options.timestamps).echo, 2U);
    EXPECT_EQ(segment->packet.size(), packet.size());
  }
}

TEST(Segment, LinkPaddingIsNotPayload) {
  Bytes packet = PacketBuilder::ipv4().build();
  packet.resize(60);
  const auto segment = test::parse(packet);
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->payload_length(), 0U);
}

TEST(SegmentTruncated, AtEveryLengthIsRefusedWithoutReadingOn) {
  const Bytes options{2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
  const Bytes packets[] = {
      PacketBuilder::ipv4().options(options).payload(9).build(),
      PacketBuilder::ipv4().ip_options(Bytes(12, 1)).options(options).build(),
      PacketBuilder::ipv6().options(options).payload(9).build(),
      PacketBuilder::ipv6().extension(0).extension(43).extension(60, Bytes(24)).build(),
  };
  for (const Bytes& packet : packets) {
    for (std::size_t length = 0; length < packet.size(); ++length) {
      EXPECT_NE(refusal_of_prefix(packet, length, length), synward_reason_count) << length;
      EXPECT_NE(refusal_of_prefix(packet, length, packet.size()), synward_reason_count) << length;
    }
    EXPECT_EQ(refusal_of_prefix(packet, packet.size(), packet.size()), synward_reason_count);
  }
}

// The IP header, too, says that the packet ends there: what is cut is TCP's.
TEST(SegmentTruncated, WithinTheTcpHeaderIsRefused) {
  const Bytes whole = PacketBuilder::ipv4().options(Bytes(40, 1)).build();
  for (std::size_t length = 20; length < whole.size(); ++length) {
    Bytes packet(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    store_be16(&packet[2], static_cast<std::uint16_t>(length));
    store_be16(&packet[10], 0);
    store_be16(&packet[10], test::plain_checksum(std::span(packet).first(20)));
    EXPECT_EQ(refusal_of_prefix(packet, length, length), synward_reason_bad_tcp_header) << length;
  }
}

TEST(SegmentTruncated, ByTheQueueHasItsOwnReason) {
  const Bytes packet = PacketBuilder::ipv4().payload(1000).build();
  EXPECT_EQ(refusal_of_prefix(packet, 200, packet.size()), synward_reason_truncated_by_queue);
}

TEST(SegmentDataOffset, BelowFiveWordsOrPastTheEndIsRefused) {
  for (const unsigned words : {0U, 1U, 4U, 8U, 15U}) {
    EXPECT_EQ(refusal_of(with_data_offset(words)), synward_reason_bad_tcp_header) << words;
  }
  for (const unsigned words : {5U, 7U}) {
    EXPECT_NE(refusal_of(with_data_offset(words)), synward_reason_bad_tcp_header) << words;
  }
}

TEST(SegmentChecksum, WrongIsRefusedWhereverTheErrorIs) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    const Bytes good = PacketBuilder(builder).payload(11).build();
    const std::size_t tcp_offset = good.size() - 11 - 20;
    // All but the data offset, which has its own reason.
    for (std::size_t at = tcp_offset; at < good.size(); ++at) {
      if (at == tcp_offset + 12) continue;
      Bytes packet = good;
      packet[at] ^= 0x10;
      EXPECT_EQ(refusal_of(packet), synward_reason_bad_checksum) << at;
    }
  }
}

TEST(SegmentChecksum, CoversTheAddresses) {
  Bytes packet = PacketBuilder::ipv6().build();
  packet[23] ^= 1;
  EXPECT_EQ(refusal_of(packet), synward_reason_bad_checksum);
}

TEST(SegmentChecksum, PartialOrVerifiedIsNotLookedAt) {
  Bytes packet = PacketBuilder::ipv4().payload(11).build();
  store_be16(&packet[20 + tcp_checksum_offset], 0xbeef);
  for (const ChecksumState state : {ChecksumState::partial, ChecksumState::verified}) {
    const auto segment =
        parse_segment({.bytes = packet, .original_length = packet.size(), .checksum = state});
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->checksum, state);
  }
  EXPECT_EQ(refusal_of(packet), synward_reason_bad_checksum);
}

TEST(SegmentGso, Of64KibIsGood) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    const std::size_t headers = builder.build().size();
    Bytes packet = PacketBuilder(builder).payload(65535 - headers).build();
    ASSERT_EQ(packet.size(), 65535U);
    store_be16(&packet[headers - 20 + tcp_checksum_offset], 0xbeef);
    const auto segment =
        parse_segment({.bytes = packet, .original_length = packet.size(), .gso = true});
    ASSERT_TRUE(segment);
    EXPECT_TRUE(segment->gso);
    EXPECT_EQ(segment->payload_length(), 65535 - headers);
  }
}

TEST(SegmentFlags, SynWithFinOrRstIsRefused) {
  EXPECT_EQ(refusal_of(PacketBuilder::ipv4().flags(flag_syn | flag_fin).build()),
            synward_reason_syn_fin);
  EXPECT_EQ(refusal_of(PacketBuilder::ipv4().flags(flag_syn | flag_rst | flag_ack).build()),
            synward_reason_syn_rst);
}

TEST(SegmentRefused, TellsBetweenWhomItWentOnceItsChecksumIsKnownToBeRight) {
  const auto refused = [](Bytes packet) {
    const auto ip = test::must(parse_ip(packet, packet.size()));
    return parse_segment({.bytes = packet, .original_length = packet.size()}, ip).error();
  };
  Bytes packet = PacketBuilder::ipv4().flags(flag_syn | flag_fin).build();
  EXPECT_EQ(refused(packet).reason, synward_reason_syn_fin);
  ASSERT_TRUE(refused(packet).ends.has_value());
  EXPECT_EQ(refused(packet).ends->destination.port, 80);
  EXPECT_TRUE(refused(PacketBuilder::ipv4().options({8, 1, 0, 0}).build()).ends.has_value());
  packet[20] ^= 1;
  EXPECT_EQ(refused(packet).reason, synward_reason_bad_checksum);
  EXPECT_FALSE(refused(packet).ends.has_value());
}

// RFC 9293 3.10.7.2; everything else is refused for them.
TEST(SegmentWithABadOption, IsReadIfItIsASyn) {
  const Bytes options{3, 3, 7, 8, 1, 0, 0, 1};
  for (const auto& packet : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    Bytes syn = PacketBuilder(packet).flags(flag_syn).options(options).build();
    const auto segment = test::parse(syn);
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->options.window_scale, 7);
    for (const unsigned flags :
         {unsigned{flag_syn} | flag_ack, unsigned{flag_ack}, unsigned{flag_rst}}) {
      EXPECT_EQ(refusal_of(PacketBuilder(packet).flags(flags).options(options).build()),
                synward_reason_bad_options);
    }
  }
}

TEST(SegmentFlags, WithoutSynRstOrAckAreRefused) {
  const unsigned refused[] = {0, flag_fin, flag_psh, flag_fin | flag_psh | flag_urg};
  for (const unsigned flags : refused) {
    EXPECT_EQ(refusal_of(PacketBuilder::ipv4().flags(flags).build()), synward_reason_bad_flags);
  }
}

TEST(SegmentFlags, ThatStacksSendAreGood) {
  const unsigned good[] = {flag_syn,
                           flag_syn | flag_ece | flag_cwr | flag_ae,
                           flag_syn | flag_ack,
                           flag_rst,
                           flag_rst | flag_ack,
                           flag_fin | flag_ack};
  for (const unsigned flags : good) {
    EXPECT_EQ(refusal_of(PacketBuilder::ipv4().flags(flags).build()), synward_reason_count);
  }
}

TEST(SegmentPort, ZeroIsRefusedOnEitherSide) {
  for (const auto& builder : {PacketBuilder::ipv4(), PacketBuilder::ipv6()}) {
    Bytes packet = builder.build();
    const auto good = test::parse(packet);
    ASSERT_TRUE(good);
    const Endpoint from{good->source.address, 0};
    const Endpoint to{good->destination.address, 0};
    EXPECT_EQ(refusal_of(PacketBuilder(builder).from(from).build()), synward_reason_port_zero);
    EXPECT_EQ(refusal_of(PacketBuilder(builder).to(to).build()), synward_reason_port_zero);
  }
}

TEST(SegmentFragment, IsRefusedBeforeItsTcpHeaderIsLookedAt) {
  EXPECT_EQ(refusal_of(PacketBuilder::ipv4().fragment_field(0x2000).flags(0).build()),
            synward_reason_fragment);
}

}  // namespace
}  // namespace synward::wire
