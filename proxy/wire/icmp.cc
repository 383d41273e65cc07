// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/icmp.h"

#include <algorithm>

#include "proxy/wire/bytes.h"
#include "proxy/wire/checksum.h"

namespace synward::wire {
namespace {

// RFC 792
constexpr std::uint8_t destination_unreachable = 3;
constexpr std::uint8_t time_exceeded = 11;
constexpr std::uint8_t parameter_problem = 12;
constexpr std::uint8_t fragmentation_needed = 4;  // the code of RFC 1191
// RFC 4443: destination unreachable, packet too big, time exceeded, parameter problem
constexpr std::uint8_t icmpv6_destination_unreachable = 1;
constexpr std::uint8_t icmpv6_error_last = 4;

bool is_error(const IpHeader& ip, std::uint8_t type) {
  if (!ip.is_ipv4()) return type >= icmpv6_destination_unreachable && type <= icmpv6_error_last;
  return type == destination_unreachable || type == time_exceeded || type == parameter_problem;
}

std::unexpected<Reason> bad_icmp() {
  return std::unexpected(synward_reason_bad_icmp);
}

}  // namespace

bool IcmpError::is_unreachable() const {
  if (!ip.is_ipv4()) return type == icmpv6_destination_unreachable;
  return type == destination_unreachable && code != fragmentation_needed;
}

std::expected<IcmpError, Reason> parse_icmp_error(const PacketView& view, const IpHeader& ip) {
  IcmpError error;
  error.ip = ip;
  error.packet = view.bytes.first(ip.total_length);
  const std::span<const std::uint8_t> message = error.message();
  if (ip.protocol == protocol_tcp || message.size() < icmp_header_length) return bad_icmp();
  error.type = message[0];
  error.code = message[1];
  if (!is_error(ip, error.type)) return bad_icmp();
  // Whoever verified it before us: it is summed anew below, and that must not make a wrong one
  // right. A partial one is not there yet.
  if (view.checksum != ChecksumState::partial &&
      icmp_checksum(ip.source, ip.destination, message) != 0) {
    return std::unexpected(synward_reason_bad_checksum);
  }

  const std::span<const std::uint8_t> quote = error.quote();
  const auto quoted = parse_quoted_ip(quote, ip.is_ipv4());
  if (!quoted) return std::unexpected(quoted.error());
  const std::size_t end = std::min(quote.size(), quoted->total_length);
  if (end < quoted->transport_offset + quoted_tcp_min) return bad_icmp();
  // RFC 792: an error goes to the source of what it is about. Any other is not answered by its
  // addressee, and would be sent by us to somebody who never asked.
  if (quoted->source != ip.destination) return bad_icmp();
  error.quoted_tcp_offset = ip.transport_offset + icmp_header_length + quoted->transport_offset;
  error.quoted_tcp_length = end - quoted->transport_offset;
  error.segment_length = quoted->total_length - quoted->transport_offset;
  const std::span<const std::uint8_t> tcp = error.quoted_tcp();
  error.source = {quoted->source, load_be16(&tcp[0])};
  error.destination = {quoted->destination, load_be16(&tcp[2])};
  error.seq = SeqNumber(load_be32(&tcp[tcp_seq_offset]));
  return error;
}

}  // namespace synward::wire
