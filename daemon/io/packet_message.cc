// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/packet_message.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <cstring>

namespace synward::io {
namespace {

constexpr std::size_t message_header_length = NLMSG_HDRLEN + sizeof(nfgenmsg);
constexpr std::uint16_t packet_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET;

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::uint32_t load_be32(std::span<const std::uint8_t> value) {
  return value.size() < 4 ? 0 : ntohl(load<std::uint32_t>(value.data()));
}

void read_attribute(QueuedPacket& packet, int type, std::span<std::uint8_t> value) {
  switch (type) {
    case NFQA_PACKET_HDR:
      packet.id = load_be32(value);  // nfqnl_msg_packet_hdr begins with it
      break;
    case NFQA_MARK:
      packet.mark = load_be32(value);
      break;
    case NFQA_IFINDEX_INDEV:
      packet.in_interface = load_be32(value);
      break;
    case NFQA_CAP_LEN:
      packet.original_length = load_be32(value);
      break;
    case NFQA_SKB_INFO: {
      const std::uint32_t flags = load_be32(value);
      packet.checksum_partial = (flags & NFQA_SKB_CSUMNOTREADY) != 0;
      packet.checksum_unverified = (flags & NFQA_SKB_CSUM_NOTVERIFIED) != 0;
      packet.gso = (flags & NFQA_SKB_GSO) != 0;
      break;
    }
    case NFQA_PAYLOAD:
      packet.bytes = value;
      break;
    default:
      break;
  }
}

// By hand rather than nfq_nlmsg_parse: one pass, no table of 22 pointers, no call per attribute.
QueuedPacket read_packet(std::span<std::uint8_t> attributes) {
  QueuedPacket packet;
  while (attributes.size() >= NLA_HDRLEN) {
    const auto header = load<nlattr>(attributes.data());
    if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes.size()) break;
    read_attribute(packet, header.nla_type & NLA_TYPE_MASK,
                   attributes.subspan(NLA_HDRLEN, header.nla_len - std::size_t{NLA_HDRLEN}));
    attributes = attributes.subspan(
        std::min(attributes.size(), std::size_t{NLA_ALIGN(std::uint32_t{header.nla_len})}));
  }
  // NFQA_CAP_LEN is there only if the copy is shorter than the packet.
  if (packet.original_length == 0)
    packet.original_length = static_cast<std::uint32_t>(packet.bytes.size());
  return packet;
}

}  // namespace

ParsedMessage parse_message(std::span<std::uint8_t> datagram) {
  ParsedMessage message;
  if (datagram.size() < NLMSG_HDRLEN) return message;
  const auto header = load<nlmsghdr>(datagram.data());
  message.sequence = header.nlmsg_seq;
  if (header.nlmsg_type == NLMSG_ERROR && datagram.size() >= NLMSG_HDRLEN + sizeof(int)) {
    message.error = -load<int>(datagram.data() + NLMSG_HDRLEN);
    if (message.error != 0) message.kind = MessageKind::error;
  } else if (header.nlmsg_type == packet_type && datagram.size() >= message_header_length) {
    const std::size_t end = std::min<std::size_t>(datagram.size(), header.nlmsg_len);
    if (end < message_header_length) return message;
    message.kind = MessageKind::packet;
    message.packet =
        read_packet(datagram.subspan(message_header_length, end - message_header_length));
  }
  return message;
}

}  // namespace synward::io
