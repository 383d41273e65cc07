// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/packet_builder.h"

namespace synward::wire {
namespace {

using test::Bytes;
using Random = std::mt19937;

Bytes random_bytes(Random& random, std::size_t length) {
  Bytes bytes(length);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

std::size_t below(Random& random, std::size_t bound) {
  return random() % bound;
}

// Of the same area, whose checksum field is `field`, by a full sum. 0 and 0xffff are one number.
std::uint16_t recomputed(Bytes area, std::size_t field) {
  store_be16(&area[field], 0);
  return test::plain_checksum(area) % 0xffff;
}

TEST(OnesSum, IsTheExampleOfRfc1071) {
  const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(fold(ones_sum(bytes)), 0xddf2);
}

TEST(OnesSum, AgreesWithThePlainSumAtEveryLength) {
  Random random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): a seed that a failure can name
  for (std::size_t length = 0; length < 130; ++length) {
    const Bytes bytes = random_bytes(random, length);
    EXPECT_EQ(static_cast<std::uint16_t>(~fold(ones_sum(bytes))), test::plain_checksum(bytes))
        << length;
  }
}

TEST(OnesSum, Of64KibOfOnesDoesNotOverflow) {
  const Bytes bytes(65536, 0xff);
  EXPECT_EQ(fold(ones_sum(bytes)), 0xffff);
}

TEST(TcpChecksum, IsZeroOverASegmentThatHasItInBothFamilies) {
  for (const auto& builder : {test::PacketBuilder::ipv4(), test::PacketBuilder::ipv6()}) {
    for (const std::size_t length : {0, 1, 2, 1399}) {
      Bytes packet = test::PacketBuilder(builder).payload(length).build();
      const auto segment = test::parse(packet);
      ASSERT_TRUE(segment);
      EXPECT_EQ(tcp_checksum(segment->ip.source, segment->ip.destination, segment->tcp()), 0);
    }
  }
}

TEST(ChecksumPatch, AgreesWithAFullSumAtAnyOffset) {
  Random random(2);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  constexpr std::size_t field = 16;
  for (int round = 0; round < 5000; ++round) {
    Bytes area = random_bytes(random, 60);
    store_be16(&area[field], recomputed(area, field));
    ChecksumPatch patch(area);
    const std::size_t puts = 1 + below(random, 5);
    for (std::size_t put = 0; put < puts; ++put) {
      const std::size_t offset = 18 + below(random, 38);  // odd ones too, overlapping too
      if (random() % 2 == 0) {
        patch.put_be32(offset, static_cast<std::uint32_t>(random()));
      } else {
        patch.put_be16(offset, static_cast<std::uint16_t>(random()));
      }
    }
    patch.apply(field);
    ASSERT_EQ(load_be16(&area[field]) % 0xffff, recomputed(area, field)) << round;
  }
}

TEST(ChecksumPatch, TakesBytesOfAnyLengthAtAnyOffset) {
  Random random(3);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  constexpr std::size_t field = 0;
  for (std::size_t offset = 2; offset < 12; ++offset) {
    for (std::size_t length = 0; length <= 60 - offset; ++length) {
      Bytes area = random_bytes(random, 60);
      store_be16(&area[field], recomputed(area, field));
      ChecksumPatch patch(area);
      patch.put_bytes(offset, random_bytes(random, length));
      patch.apply(field);
      ASSERT_EQ(load_be16(&area[field]) % 0xffff, recomputed(area, field))
          << offset << " " << length;
    }
  }
}

TEST(ChecksumPatch, ReachesTheLastByteOfAnOddArea) {
  Bytes area{0, 0, 1, 2, 3};
  store_be16(area.data(), recomputed(area, 0));
  ChecksumPatch patch(area);
  patch.put_bytes(4, Bytes{0x77});
  patch.apply(0);
  EXPECT_EQ(load_be16(area.data()) % 0xffff, recomputed(area, 0));
}

TEST(ChecksumPatch, CountsWordsOutsideTheArea) {
  Bytes before = test::PacketBuilder::ipv4().payload(3).build();
  const Endpoint other = test::must(parse_endpoint("192.0.2.77:40000"));
  const Bytes after = test::PacketBuilder::ipv4().from(other).payload(3).build();
  const std::span<std::uint8_t> packet = before;
  ChecksumPatch patch(packet.subspan(20));
  patch.replace_outside(packet.subspan(12, 4), std::span(after).subspan(12, 4));
  patch.apply(tcp_checksum_offset);
  EXPECT_EQ(load_be16(&before[20 + tcp_checksum_offset]),
            load_be16(&after[20 + tcp_checksum_offset]));
}

TEST(ChecksumPatch, KnowsThatNothingChanged) {
  Bytes area(20, 7);
  ChecksumPatch patch(area);
  EXPECT_FALSE(patch.changed());
  patch.put_be32(5, 0x07070707);
  EXPECT_FALSE(patch.changed());
  patch.put_be32(5, 0x07070708);
  EXPECT_TRUE(patch.changed());
}

}  // namespace
}  // namespace synward::wire
