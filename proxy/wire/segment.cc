// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/segment.h"

#include "proxy/wire/bytes.h"
#include "proxy/wire/checksum.h"

namespace synward::wire {
namespace {

using Checked = std::expected<void, Reason>;

std::unexpected<Reason> refuse(Reason reason) {
  return std::unexpected(reason);
}

Checked read_header(Segment& segment) {
  const std::span<const std::uint8_t> tcp = segment.tcp();
  if (tcp.size() < tcp_header_min) return refuse(synward_reason_bad_tcp_header);
  segment.header_length = std::size_t{tcp[12]} / 16 * 4;
  if (segment.header_length < tcp_header_min || segment.header_length > tcp.size()) {
    return refuse(synward_reason_bad_tcp_header);
  }
  segment.source = {segment.ip.source, load_be16(&tcp[0])};
  segment.destination = {segment.ip.destination, load_be16(&tcp[2])};
  segment.seq = SeqNumber(load_be32(&tcp[tcp_seq_offset]));
  segment.ack = SeqNumber(load_be32(&tcp[tcp_ack_offset]));
  segment.flags = static_cast<std::uint16_t>(load_be16(&tcp[12]) & 0x1ff);
  segment.window = load_be16(&tcp[tcp_window_offset]);
  segment.urgent_pointer = load_be16(&tcp[tcp_urgent_offset]);
  return {};
}

// A GSO packet was merged by the kernel from segments whose sums it had verified, or was never on
// a wire; a partial sum is not there yet.
Checked check_checksum(const Segment& segment) {
  if (segment.checksum != ChecksumState::unverified || segment.gso) return {};
  if (tcp_checksum(segment.ip.source, segment.ip.destination, segment.tcp()) != 0) {
    return refuse(synward_reason_bad_checksum);
  }
  return {};
}

Checked check_flags(const Segment& segment) {
  if (segment.source.port == 0 || segment.destination.port == 0) {
    return refuse(synward_reason_port_zero);
  }
  if (segment.has(flag_syn) && segment.has(flag_fin)) return refuse(synward_reason_syn_fin);
  if (segment.has(flag_syn) && segment.has(flag_rst)) return refuse(synward_reason_syn_rst);
  // RFC 9293 3.10.7.4: a segment without ACK is dropped in every synchronised state.
  if (!segment.has(flag_syn | flag_rst | flag_ack)) return refuse(synward_reason_bad_flags);
  return {};
}

}  // namespace

std::expected<Segment, Reason> parse_segment(const PacketView& view) {
  const auto ip = parse_ip(view.bytes, view.original_length);
  if (!ip) return std::unexpected(ip.error());
  const auto segment = parse_segment(view, *ip);
  if (!segment) return std::unexpected(segment.error().reason);
  return *segment;
}

std::expected<Segment, Refused> parse_segment(const PacketView& view, const IpHeader& ip) {
  if (ip.protocol != protocol_tcp) return std::unexpected(Refused{synward_reason_bad_ip_header});
  Segment segment;
  segment.ip = ip;
  segment.packet = view.bytes.first(ip.total_length);
  segment.checksum = view.checksum;
  segment.gso = view.gso;
  if (const auto read = read_header(segment); !read) {
    return std::unexpected(Refused{read.error()});
  }
  if (const auto summed = check_checksum(segment); !summed) {
    return std::unexpected(Refused{summed.error()});
  }
  if (const auto checked = check_flags(segment); !checked) {
    return std::unexpected(
        Refused{checked.error(), Refused::Ends{segment.source, segment.destination}});
  }
  // No server refuses a SYN for them (RFC 9293 3.10.7.2; nor does Linux).
  const bool is_syn = segment.has(flag_syn) && !segment.has(flag_ack);
  const auto options =
      parse_tcp_options(segment.header(), is_syn ? BadOption::skipped : BadOption::refused);
  if (!options)
    return std::unexpected(
        Refused{options.error(), Refused::Ends{segment.source, segment.destination}});
  segment.options = *options;
  return segment;
}

}  // namespace synward::wire
