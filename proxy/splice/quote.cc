// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/splice/quote.h"

#include <cassert>

#include "proxy/wire/bytes.h"
#include "proxy/wire/checksum.h"

namespace synward::splice {
namespace {

using wire::Address;
using wire::ChecksumPatch;
using wire::End;
using wire::Endpoint;
using wire::IcmpError;

constexpr std::size_t flags_offset = 13;

std::span<const std::uint8_t> octets(const Address& address) {
  return address.is_ipv4() ? std::span<const std::uint8_t>(address.ipv4()) : address.bytes;
}

// The quoted segment's own sum may be wrong already (an offloading device had not made it yet), and
// nobody can verify it, as the segment is cut: it is kept as right as it was.
void finish_quote(const IcmpError& error, ChecksumPatch& patch) {
  const bool quoted = error.quoted_tcp_length >= wire::tcp_checksum_offset + 2;
  if (quoted && patch.changed()) patch.apply(wire::tcp_checksum_offset);
}

void rename_quoted(const IcmpError& error, ChecksumPatch& patch, End end, const Endpoint& to) {
  const Endpoint& from = end == End::source ? error.source : error.destination;
  if (to.port != from.port) patch.put_be16(end == End::source ? 0 : 2, to.port);
  if (to.address == from.address) return;
  assert(to.address.is_ipv4() == error.ip.is_ipv4());  // the configuration's promise
  wire::put_address(error.quote(), end, to.address);
  patch.replace_outside(octets(from.address), octets(to.address));
}

// The error's own addresses, and its sum over everything that was changed.
void finish(const IcmpError& error, const Address& source, const Address& destination) {
  if (source != error.ip.source) wire::put_address(error.packet, End::source, source);
  if (destination != error.ip.destination) {
    wire::put_address(error.packet, End::destination, destination);
  }
  const std::span<std::uint8_t> message = error.message();
  std::uint8_t* const field = &message[wire::icmp_checksum_offset];
  wire::store_be16(field, 0);
  wire::store_be16(field, wire::icmp_checksum(source, destination, message));
}

}  // namespace

void translate_error_to_backend(const IcmpError& error, const Offsets& offsets,
                                const Endpoint& backend) {
  ChecksumPatch patch(error.quoted_tcp());
  patch.put_be32(wire::tcp_seq_offset, (error.seq - offsets.sequence).value());
  rename_quoted(error, patch, End::source, backend);
  finish_quote(error, patch);
  finish(error, error.ip.source, backend.address);
}

void translate_error_to_client(const IcmpError& error, const Offsets& offsets,
                               const Endpoint& service) {
  const std::span<std::uint8_t> tcp = error.quoted_tcp();
  ChecksumPatch patch(tcp);
  // The ACK field of a segment without ACK quotes nothing.
  if (tcp.size() > flags_offset && (tcp[flags_offset] & wire::flag_ack) != 0) {
    const std::uint32_t ack = wire::load_be32(&tcp[wire::tcp_ack_offset]);
    patch.put_be32(wire::tcp_ack_offset, ack + offsets.sequence);
  }
  rename_quoted(error, patch, End::destination, service);
  finish_quote(error, patch);
  const bool from_the_backend = error.ip.source == error.destination.address;
  finish(error, from_the_backend ? service.address : error.ip.source, error.ip.destination);
}

}  // namespace synward::splice
