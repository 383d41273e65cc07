// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/packet_message.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace synward::io {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void append(Bytes& bytes, const T& value) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof value);
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

void append_attribute(Bytes& bytes, std::uint16_t type, const Bytes& value) {
  append(bytes, nlattr{.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + value.size()),
                       .nla_type = type});
  bytes.insert(bytes.end(), value.begin(), value.end());
  bytes.resize(NLMSG_ALIGN(bytes.size()));
}

Bytes be32(std::uint32_t value) {
  Bytes bytes;
  append(bytes, htonl(value));
  return bytes;
}

Bytes message(std::uint16_t type, const Bytes& attributes) {
  Bytes bytes;
  append(bytes, nlmsghdr{.nlmsg_len = static_cast<std::uint32_t>(20 + attributes.size()),
                         .nlmsg_type = type,
                         .nlmsg_flags = 0,
                         .nlmsg_seq = 5,
                         .nlmsg_pid = 0});
  append(bytes, nfgenmsg{.nfgen_family = AF_INET, .version = 0, .res_id = htons(24100)});
  bytes.insert(bytes.end(), attributes.begin(), attributes.end());
  return bytes;
}

constexpr std::uint16_t packet_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;

Bytes packet_attributes() {
  Bytes attributes;
  append_attribute(attributes, NFQA_PACKET_HDR, {0, 0, 1, 2, 8, 0, 0});
  append_attribute(attributes, NFQA_IFINDEX_INDEV, be32(3));
  append_attribute(attributes, NFQA_MARK, be32(0x53590000));
  append_attribute(attributes, NFQA_HWADDR, Bytes(12, 0xee));
  append_attribute(attributes, NFQA_SKB_INFO, be32(NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO));
  return attributes;
}

TEST(PacketMessage, reads_what_the_kernel_says_of_a_packet) {
  Bytes attributes = packet_attributes();
  append_attribute(attributes, NFQA_PAYLOAD, {0x45, 1, 2, 3, 4});
  Bytes bytes = message(packet_type, attributes);
  const ParsedMessage parsed = parse_message(bytes);
  ASSERT_EQ(parsed.kind, MessageKind::packet);
  EXPECT_EQ(parsed.packet.id, 0x102U);
  EXPECT_EQ(parsed.packet.in_interface, 3U);
  EXPECT_EQ(parsed.packet.mark, 0x53590000U);
  EXPECT_TRUE(parsed.packet.checksum_partial);
  EXPECT_TRUE(parsed.packet.gso);
  EXPECT_FALSE(parsed.packet.checksum_unverified);
  EXPECT_EQ(parsed.packet.bytes.size(), 5U);
  EXPECT_EQ(parsed.packet.bytes[0], 0x45);
  EXPECT_EQ(parsed.packet.original_length, 5U);
}

TEST(PacketMessage, knows_the_length_of_a_cut_packet) {
  Bytes attributes = packet_attributes();
  append_attribute(attributes, NFQA_CAP_LEN, be32(1500));
  append_attribute(attributes, NFQA_PAYLOAD, Bytes(128));
  Bytes bytes = message(packet_type, attributes);
  const ParsedMessage parsed = parse_message(bytes);
  EXPECT_EQ(parsed.packet.original_length, 1500U);
  EXPECT_EQ(parsed.packet.bytes.size(), 128U);
}

TEST(PacketMessage, tells_errors_from_acknowledgements) {
  Bytes bytes(sizeof(nlmsghdr) + sizeof(int));
  const nlmsghdr header{.nlmsg_len = static_cast<std::uint32_t>(bytes.size()),
                        .nlmsg_type = NLMSG_ERROR,
                        .nlmsg_flags = 0,
                        .nlmsg_seq = 9,
                        .nlmsg_pid = 0};
  std::memcpy(bytes.data(), &header, sizeof header);
  EXPECT_EQ(parse_message(bytes).kind, MessageKind::other);
  EXPECT_EQ(parse_message(bytes).sequence, 9U);
  const int error = -ENOENT;
  std::memcpy(bytes.data() + sizeof header, &error, sizeof error);
  EXPECT_EQ(parse_message(bytes).kind, MessageKind::error);
  EXPECT_EQ(parse_message(bytes).error, ENOENT);
}

TEST(PacketMessage, survives_every_truncation_and_every_changed_byte) {
  Bytes attributes = packet_attributes();
  append_attribute(attributes, NFQA_PAYLOAD, Bytes(40, 0x45));
  const Bytes whole = message(packet_type, attributes);
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<long>(length));
    EXPECT_LE(parse_message(cut).packet.bytes.size(), 40U);
  }
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int change : {0x01, 0x80, 0xff}) {
      Bytes changed = whole;
      changed[at] ^= static_cast<std::uint8_t>(change);
      EXPECT_LE(parse_message(changed).packet.bytes.size(), whole.size());
    }
}

}  // namespace
}  // namespace synward::io
