// SPDX-License-Identifier: GPL-2.0-or-later
//
// What becomes of the TCP checksum, by what the queue said of it.
#include <random>

#include "tests/unit/splice/translated.h"

namespace synward::splice {
namespace {

using wire::ChecksumState;

constexpr std::size_t checksum_at = 20 + wire::tcp_checksum_offset;  // IPv4
constexpr std::uint16_t some_sum = 0xbeef;

struct Case {
  ChecksumState checksum = ChecksumState::unverified;
  bool gso = false;
};

// Translates `packet` to a backend elsewhere.
void translate(Bytes& packet, const Case& state) {
  const auto segment = wire::parse_segment({.bytes = packet,
                                            .original_length = packet.size(),
                                            .checksum = state.checksum,
                                            .gso = state.gso});
  ASSERT_TRUE(segment);
  translate_to_backend(*segment, {.sequence = 0x12345678},
                       test::must(wire::parse_endpoint("10.0.0.7:8080")));
}

Bytes with_sum(Bytes packet, std::uint16_t sum) {
  wire::store_be16(&packet[checksum_at], sum);
  return packet;
}

TEST(Checksum, UnverifiedOrVerifiedStaysRight) {
  for (const ChecksumState state : {ChecksumState::unverified, ChecksumState::verified}) {
    Bytes packet = PacketBuilder::ipv4().payload(13).build();
    translate(packet, {.checksum = state});
    EXPECT_TRUE(test::sums_are_right(packet, 20));
  }
}

TEST(Checksum, PartialIsCompleted) {
  for (const std::size_t length : {0, 1, 13, 1460}) {
    Bytes packet = with_sum(PacketBuilder::ipv4().payload(length).build(), some_sum);
    translate(packet, {.checksum = ChecksumState::partial});
    EXPECT_TRUE(test::sums_are_right(packet, 20)) << length;
  }
}

TEST(Checksum, PartialIsCompletedEvenIfNothingElseChanges) {
  Bytes packet = with_sum(PacketBuilder::ipv4().payload(13).build(), some_sum);
  const auto segment = wire::parse_segment(
      {.bytes = packet, .original_length = packet.size(), .checksum = ChecksumState::partial});
  translate_to_client(segment.value(), {}, segment->source);
  EXPECT_TRUE(test::sums_are_right(packet, 20));
}

// What the kernel expects in the field of CHECKSUM_PARTIAL: the pseudo header's sum.
TEST(Checksum, PartialOfGsoIsThePseudoHeadersOfTheNewAddresses) {
  Bytes packet = with_sum(PacketBuilder::ipv4().payload(60'000).build(), some_sum);
  translate(packet, {.checksum = ChecksumState::partial, .gso = true});
  const Bytes addresses(packet.begin() + 12, packet.begin() + 20);
  const auto length = static_cast<std::uint32_t>(packet.size() - 20);
  EXPECT_EQ(wire::load_be16(&packet[checksum_at]),
            static_cast<std::uint16_t>(~test::plain_checksum(addresses, 6 + length)));
  EXPECT_EQ(test::plain_checksum(std::span(packet).first(20)), 0);
}

TEST(Checksum, OfGsoThatWasVerifiedStaysRight) {
  Bytes packet = PacketBuilder::ipv4().payload(60'000).build();
  translate(packet, {.checksum = ChecksumState::verified, .gso = true});
  EXPECT_TRUE(test::sums_are_right(packet, 20));
}

TEST(Checksum, OfLinkPaddingIsNotSummed) {
  Bytes packet = with_sum(PacketBuilder::ipv4().build(), some_sum);
  const std::size_t length = packet.size();
  packet.resize(length + 6, 0xff);
  translate(packet, {.checksum = ChecksumState::partial});
  packet.resize(length);
  EXPECT_TRUE(test::sums_are_right(packet, 20));
}

// Every field that translation touches, at random, in both directions and families.
TEST(Checksum, StaysRightWhateverTheNumbers) {
  std::mt19937 random(4);  // NOLINT(cert-msc32-c,cert-msc51-cpp): a seed that a failure can name
  const auto number = [&] { return static_cast<std::uint32_t>(random()); };
  const auto byte = [&] { return static_cast<std::uint8_t>(random()); };
  for (int round = 0; round < 5000; ++round) {
    Bytes options{1, 5, 10, byte(), byte(), byte(), byte(), byte(), byte(), byte(), byte()};
    const Bytes timestamps{8, 10, byte(), byte(), byte(), byte(), byte(), byte(), byte(), byte()};
    options = test::concatenated(options, timestamps);
    PacketBuilder packet = round % 2 == 0 ? PacketBuilder::ipv4() : PacketBuilder::ipv6();
    packet.seq(number()).ack(number()).window(static_cast<std::uint16_t>(number()));
    packet.options(options).payload(number() % 20);
    const Offsets offsets{.sequence = number(),
                          .timestamp = number(),
                          .client_scale = static_cast<std::uint8_t>(number() % 16),
                          .promised_scale = static_cast<std::uint8_t>(number() % 16),
                          .backend_scale = static_cast<std::uint8_t>(number() % 16),
                          .blank_sack = number() % 4 == 0};
    const auto other =
        test::must(wire::parse_endpoint(round % 2 == 0 ? "10.9.8.7:65535" : "[fd00::1]:1"));
    const std::size_t tcp_offset = round % 2 == 0 ? 20 : 40;
    ASSERT_TRUE(test::sums_are_right(to_backend(packet, offsets, &other).bytes, tcp_offset));
    ASSERT_TRUE(test::sums_are_right(to_client(packet, offsets, &other).bytes, tcp_offset));
  }
}

}  // namespace
}  // namespace synward::splice
