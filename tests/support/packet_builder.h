// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets for tests: a good segment by default, so that a test shows only what matters to it. Its
// checksums are summed here byte by byte, not by the code under test.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "proxy/wire/bytes.h"
#include "proxy/wire/segment.h"
#include "tests/support/must.h"

namespace synward::test {

using Bytes = std::vector<std::uint8_t>;

// RFC 1071 in its plainest form.
inline std::uint16_t plain_checksum(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

inline Bytes concatenated(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  Bytes both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

// The TCP checksum that a packet whose TCP header starts at `tcp_offset` should have.
inline std::uint16_t right_tcp_checksum(std::span<const std::uint8_t> packet,
                                        std::size_t tcp_offset) {
  const bool ipv4 = packet[0] >> 4 == 4;
  Bytes summed = ipv4 ? concatenated(packet.subspan(12, 8), packet.subspan(tcp_offset))
                      : concatenated(packet.subspan(8, 32), packet.subspan(tcp_offset));
  const std::size_t addresses = ipv4 ? 8 : 32;
  wire::store_be16(&summed[addresses + wire::tcp_checksum_offset], 0);
  const std::size_t length = packet.size() - tcp_offset;
  return plain_checksum(summed, static_cast<std::uint32_t>(6 + (length >> 16) + (length & 0xffff)));
}

class PacketBuilder {
 public:
  static PacketBuilder ipv4() { return PacketBuilder("203.0.113.5:40000", "198.51.100.10:80"); }
  static PacketBuilder ipv6() {
    return PacketBuilder("[2001:db8:1::5]:40000", "[2001:db8:2::10]:80");
  }

  PacketBuilder& from(const wire::Endpoint& source) { return set(source_, source); }
  PacketBuilder& to(const wire::Endpoint& destination) { return set(destination_, destination); }
  PacketBuilder& seq(std::uint32_t seq) { return set(seq_, seq); }
  PacketBuilder& ack(std::uint32_t ack) { return set(ack_, ack); }
  PacketBuilder& flags(unsigned flags) { return set(flags_, static_cast<std::uint16_t>(flags)); }
  PacketBuilder& window(std::uint16_t window) { return set(window_, window); }
  PacketBuilder& traffic_class(std::uint8_t all) { return set(traffic_class_, all); }
  PacketBuilder& urgent(std::uint16_t pointer) { return set(urgent_pointer_, pointer); }
  PacketBuilder& payload(Bytes payload) { return set(payload_, std::move(payload)); }
  PacketBuilder& payload(std::size_t length) { return set(payload_, Bytes(length, 'd')); }
  // Raw bytes, padded to a multiple of 4 with NOP.
  PacketBuilder& options(Bytes options) {
    options.resize((options.size() + 3) / 4 * 4, 1);
    return set(options_, std::move(options));
  }
  // IPv4: raw bytes, a multiple of 4 of them.
  PacketBuilder& ip_options(Bytes options) { return set(ip_options_, std::move(options)); }
  // IPv4: flags and offset of the fragment field.
  PacketBuilder& fragment_field(std::uint16_t field) { return set(fragment_field_, field); }
  // IPv6: appends an extension header; its next header and length are filled in.
  PacketBuilder& extension(std::uint8_t kind, Bytes body = Bytes(8)) {
    extensions_.emplace_back(kind, std::move(body));
    return *this;
  }

  Bytes build() const {
    Bytes packet = source_.address.is_ipv4() ? ipv4_header() : ipv6_header();
    const std::size_t tcp_offset = packet.size();
    const Bytes segment = tcp_segment();
    packet.insert(packet.end(), segment.begin(), segment.end());
    wire::store_be16(&packet[tcp_offset + wire::tcp_checksum_offset],
                     right_tcp_checksum(packet, tcp_offset));
    return packet;
  }

 private:
  PacketBuilder(const char* source, const char* destination)
      : source_(must(wire::parse_endpoint(source))),
        destination_(must(wire::parse_endpoint(destination))) {}

  template <typename T>
  PacketBuilder& set(T& field, T value) {
    field = std::move(value);
    return *this;
  }

  std::size_t tcp_length() const {
    return wire::tcp_header_min + options_.size() + payload_.size();
  }

  Bytes ipv4_header() const {
    Bytes header(20);
    header.insert(header.end(), ip_options_.begin(), ip_options_.end());
    header[0] = static_cast<std::uint8_t>(0x40 | (header.size() / 4));
    header[1] = traffic_class_;
    wire::store_be16(&header[2], static_cast<std::uint16_t>(header.size() + tcp_length()));
    wire::store_be16(&header[6], fragment_field_);
    header[8] = 64;
    header[9] = 6;
    std::ranges::copy(source_.address.ipv4(), &header[12]);
    std::ranges::copy(destination_.address.ipv4(), &header[16]);
    wire::store_be16(&header[10], plain_checksum(header));
    return header;
  }

  Bytes ipv6_header() const {
    Bytes header(40);
    header[0] = static_cast<std::uint8_t>(0x60 | traffic_class_ >> 4);
    header[1] = static_cast<std::uint8_t>(traffic_class_ << 4);
    header[7] = 64;
    std::ranges::copy(source_.address.bytes, &header[8]);
    std::ranges::copy(destination_.address.bytes, &header[24]);
    std::size_t next_header_at = 6;
    for (const auto& [kind, body] : extensions_) {
      header[next_header_at] = kind;
      next_header_at = header.size();
      header.insert(header.end(), body.begin(), body.end());
      header[next_header_at + 1] = static_cast<std::uint8_t>(body.size() / 8 - 1);
    }
    header[next_header_at] = 6;
    wire::store_be16(&header[4], static_cast<std::uint16_t>(header.size() - 40 + tcp_length()));
    return header;
  }

  Bytes tcp_segment() const {
    Bytes tcp(wire::tcp_header_min);
    wire::store_be16(&tcp[0], source_.port);
    wire::store_be16(&tcp[2], destination_.port);
    wire::store_be32(&tcp[4], seq_);
    wire::store_be32(&tcp[8], ack_);
    const std::size_t words = (tcp.size() + options_.size()) / 4;
    wire::store_be16(&tcp[12], static_cast<std::uint16_t>(words << 12 | flags_));
    wire::store_be16(&tcp[14], window_);
    wire::store_be16(&tcp[wire::tcp_urgent_offset], urgent_pointer_);
    tcp.insert(tcp.end(), options_.begin(), options_.end());
    tcp.insert(tcp.end(), payload_.begin(), payload_.end());
    return tcp;
  }

  wire::Endpoint source_, destination_;
  std::uint32_t seq_ = 1001, ack_ = 5001;
  std::uint16_t flags_ = wire::flag_ack;
  std::uint16_t window_ = 500;
  std::uint16_t urgent_pointer_ = 0;
  std::uint8_t traffic_class_ = 0;
  std::uint16_t fragment_field_ = 0x4000;  // DF
  Bytes ip_options_, options_, payload_;
  std::vector<std::pair<std::uint8_t, Bytes>> extensions_;
};

// Sums the headers of a packet again after a test has changed them; lengths must be right.
inline void sum_again(Bytes& packet, std::size_t tcp_offset) {
  if (packet[0] >> 4 == 4) {
    wire::store_be16(&packet[10], 0);
    wire::store_be16(&packet[10], plain_checksum(std::span(packet).first((packet[0] & 15U) * 4)));
  }
  wire::store_be16(&packet[tcp_offset + wire::tcp_checksum_offset],
                   right_tcp_checksum(packet, tcp_offset));
}

// As the queue delivers a whole packet that nobody has looked at.
inline std::expected<wire::Segment, wire::Reason> parse(Bytes& packet) {
  return wire::parse_segment({.bytes = packet, .original_length = packet.size()});
}

// Both checksums are right, by the plain sum.
inline bool sums_are_right(std::span<const std::uint8_t> packet, std::size_t tcp_offset) {
  const bool ipv4 = packet[0] >> 4 == 4;
  const bool ip_is_right = !ipv4 || plain_checksum(packet.first((packet[0] & 15U) * 4)) == 0;
  const std::uint16_t there = wire::load_be16(&packet[tcp_offset + wire::tcp_checksum_offset]);
  const std::uint16_t right = right_tcp_checksum(packet, tcp_offset);
  // 0 and 0xffff are the same number in one's complement.
  return ip_is_right && there % 0xffff == right % 0xffff;
}

}  // namespace synward::test
