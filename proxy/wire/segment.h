// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "proxy/wire/ip.h"
#include "proxy/wire/seq.h"
#include "proxy/wire/tcp_options.h"

namespace synward::wire {

// TCP control bits (RFC 9293 3.1, RFC 3168, and AE of RFC 9768 in the ninth bit).
inline constexpr std::uint16_t flag_fin = 0x001;
inline constexpr std::uint16_t flag_syn = 0x002;
inline constexpr std::uint16_t flag_rst = 0x004;
inline constexpr std::uint16_t flag_psh = 0x008;
inline constexpr std::uint16_t flag_ack = 0x010;
inline constexpr std::uint16_t flag_urg = 0x020;
inline constexpr std::uint16_t flag_ece = 0x040;
inline constexpr std::uint16_t flag_cwr = 0x080;
inline constexpr std::uint16_t flag_ae = 0x100;

inline constexpr std::size_t tcp_header_min = 20;

// Offsets inside the TCP header.
inline constexpr std::size_t tcp_seq_offset = 4;
inline constexpr std::size_t tcp_ack_offset = 8;
inline constexpr std::size_t tcp_window_offset = 14;
inline constexpr std::size_t tcp_checksum_offset = 16;
inline constexpr std::size_t tcp_urgent_offset = 18;

// What is known of a packet's TCP checksum, as the queue said.
enum class ChecksumState : std::uint8_t {
  verified,    // by the device or by the kernel's GRO
  unverified,  // nobody looked: parse_segment does
  partial,     // an offloading device's: the field holds the pseudo header's sum only, and the
               // real one is to be completed by whoever puts the packet on a wire
};

// A packet as it came, and what the queue said about it.
struct PacketView {
  std::span<std::uint8_t> bytes;    // from the IP header on; rewritten in place
  std::size_t original_length = 0;  // before the copy range of the queue cut it
  ChecksumState checksum = ChecksumState::unverified;
  bool gso = false;  // several segments in one; the kernel sums each
};

// A checked TCP segment. Fields are in host order; `packet` is the mutable bytes they came from.
struct Segment {
  std::span<std::uint8_t> packet;  // IP header to end of payload, link padding cut off
  IpHeader ip;
  ChecksumState checksum = ChecksumState::unverified;
  bool gso = false;

  Endpoint source, destination;
  SeqNumber seq, ack;
  std::uint16_t flags = 0;
  std::uint16_t window = 0;
  std::uint16_t urgent_pointer = 0;  // means something only with URG
  std::size_t header_length = 0;     // of the TCP header with its options
  TcpOptions options;

  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  std::span<std::uint8_t> tcp() const { return packet.subspan(ip.transport_offset); }
  std::span<std::uint8_t> header() const { return tcp().first(header_length); }
  std::span<std::uint8_t> payload() const { return tcp().subspan(header_length); }
  std::uint32_t payload_length() const { return static_cast<std::uint32_t>(payload().size()); }
  // SEG.LEN: SYN and FIN count (RFC 9293 3.4).
  std::uint32_t length() const {
    return payload_length() + (has(flag_syn) ? 1U : 0U) + (has(flag_fin) ? 1U : 0U);
  }
};

// Why bytes are no segment, and between whom they went if that can be believed: from the checksum
// on.
struct Refused {
  struct Ends {
    Endpoint source, destination;
  };
  Reason reason;
  std::optional<Ends> ends = std::nullopt;
};

// Reads and checks everything that can be checked of a segment by itself: lengths, checksum (if
// nobody did), options, ports, and combinations of flags that no stack sends. Beside icmp.h the
// only parser of bytes from the network. Never reads outside `view.bytes`.
std::expected<Segment, Reason> parse_segment(const PacketView& view);
// The same of a packet whose IP header was read already, by parse_ip.
std::expected<Segment, Refused> parse_segment(const PacketView& view, const IpHeader& ip);

}  // namespace synward::wire
