// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/splice/translate.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "proxy/wire/bytes.h"
#include "proxy/wire/checksum.h"

namespace synward::splice {
namespace {

using wire::ChecksumPatch;
using wire::End;
using wire::Endpoint;
using wire::Segment;

constexpr std::uint8_t kind_nop = 1;
constexpr std::size_t source_port_offset = 0;
constexpr std::size_t destination_port_offset = 2;

// RFC 7323 2.2: scaling is on only if both sides of a handshake sent the option.
bool scaled_with_client(const Offsets& offsets) {
  return offsets.promised_scale != SYNWARD_WINDOW_SCALE_ABSENT;
}
bool scaled_with_backend(const Offsets& offsets) {
  return offsets.backend_scale != SYNWARD_WINDOW_SCALE_ABSENT &&
         offsets.client_scale != SYNWARD_WINDOW_SCALE_ABSENT;
}

std::uint16_t window_field(std::uint32_t bytes, unsigned scale) {
  const std::uint32_t field = std::min(bytes >> scale, 65535U);
  return static_cast<std::uint16_t>(field == 0 && bytes != 0 ? 1 : field);
}

void rewrite_window(const Segment& segment, ChecksumPatch& patch, std::uint16_t window) {
  // RFC 7323 2.2: "The window field in a segment where the SYN bit is set ... MUST NOT be scaled".
  if (segment.has(wire::flag_syn)) return;
  if (window != segment.window) patch.put_be16(wire::tcp_window_offset, window);
}

void rename(const Segment& segment, ChecksumPatch& patch, End end, const Endpoint& to) {
  const Endpoint& from = end == End::source ? segment.source : segment.destination;
  if (to.port != from.port) {
    patch.put_be16(end == End::source ? source_port_offset : destination_port_offset, to.port);
  }
  if (to.address == from.address) return;
  assert(to.address.is_ipv4() == segment.ip.is_ipv4());  // the configuration's promise
  wire::put_address(segment.packet, end, to.address);
  if (segment.ip.is_ipv4()) {
    patch.replace_outside(from.address.ipv4(), to.address.ipv4());
  } else {
    patch.replace_outside(from.address.bytes, to.address.bytes);
  }
}

// A partial sum is completed here, because the queue hands the packet back as CHECKSUM_NONE; but
// of a GSO packet only the pseudo header's: the kernel sums its segments when it cuts them, and
// 64 KiB are not to be read for nothing.
void finish(const Segment& segment, ChecksumPatch& patch, const Endpoint& source,
            const Endpoint& destination) {
  if (segment.checksum != wire::ChecksumState::partial) {
    if (patch.changed()) patch.apply(wire::tcp_checksum_offset);
    return;
  }
  const std::span<std::uint8_t> tcp = segment.tcp();
  std::uint8_t* const field = &tcp[wire::tcp_checksum_offset];
  if (segment.gso) {
    wire::store_be16(field, wire::fold(wire::tcp_pseudo_header_sum(
                                source.address, destination.address, tcp.size())));
    return;
  }
  wire::store_be16(field, 0);
  wire::store_be16(field, wire::tcp_checksum(source.address, destination.address, tcp));
}

// SACK blocks of a client quote the backend's numbers (RFC 2018 3), D-SACK too (RFC 2883).
void translate_sack(const Segment& segment, const Offsets& offsets, ChecksumPatch& patch) {
  const wire::TcpOptions& options = segment.options;
  if (options.sack_blocks == 0) return;
  if (offsets.blank_sack) {
    std::array<std::uint8_t, wire::tcp_options_max> nops{};
    nops.fill(kind_nop);
    patch.put_bytes(options.sack_offset - 2U, std::span(nops).first(options.sack_blocks * 8U + 2U));
    return;
  }
  if (offsets.sequence == 0) return;
  for (std::size_t edge = 0; edge < options.sack_blocks * 2U; ++edge) {
    const std::size_t at = options.sack_offset + 4 * edge;
    patch.put_be32(at, wire::load_be32(segment.header().data() + at) - offsets.sequence);
  }
}

}  // namespace

std::uint32_t client_window_bytes(const Offsets& offsets, std::uint16_t field) {
  return scaled_with_client(offsets) ? std::uint32_t{field} << offsets.client_scale : field;
}

std::uint32_t backend_window_bytes(const Offsets& offsets, std::uint16_t field) {
  return scaled_with_backend(offsets) ? std::uint32_t{field} << offsets.backend_scale : field;
}

std::uint16_t window_for_backend(const Offsets& offsets, std::uint32_t bytes) {
  return window_field(bytes, scaled_with_backend(offsets) ? offsets.client_scale : 0);
}

std::uint16_t window_for_client(const Offsets& offsets, std::uint32_t bytes) {
  return window_field(bytes, scaled_with_client(offsets) ? offsets.promised_scale : 0);
}

void translate_to_backend(const Segment& segment, const Offsets& offsets, const Endpoint& backend) {
  ChecksumPatch patch(segment.header());
  // The ACK field of a RST without ACK is 0 and quotes nothing.
  if (segment.has(wire::flag_ack)) {
    if (offsets.sequence != 0) {
      patch.put_be32(wire::tcp_ack_offset, (segment.ack - offsets.sequence).value());
    }
    translate_sack(segment, offsets, patch);
    if (segment.options.timestamps && offsets.timestamp != 0) {
      patch.put_be32(segment.options.timestamps_offset + 4U,
                     segment.options.timestamps->echo - offsets.timestamp);
    }
  }
  rewrite_window(segment, patch,
                 window_for_backend(offsets, client_window_bytes(offsets, segment.window)));
  if (offsets.clear_ecn) wire::clear_ecn(segment.packet);
  rename(segment, patch, End::destination, backend);
  finish(segment, patch, segment.source, backend);
}

void translate_to_client(const Segment& segment, const Offsets& offsets, const Endpoint& service) {
  ChecksumPatch patch(segment.header());
  if (offsets.sequence != 0) {
    patch.put_be32(wire::tcp_seq_offset, (segment.seq + offsets.sequence).value());
  }
  if (segment.options.timestamps && offsets.timestamp != 0) {
    patch.put_be32(segment.options.timestamps_offset,
                   segment.options.timestamps->value + offsets.timestamp);
  }
  rewrite_window(segment, patch,
                 window_for_client(offsets, backend_window_bytes(offsets, segment.window)));
  if (offsets.flow_label != 0) wire::change_flow_label(segment.packet, offsets.flow_label);
  rename(segment, patch, End::source, service);
  finish(segment, patch, service, segment.destination);
}

}  // namespace synward::splice
