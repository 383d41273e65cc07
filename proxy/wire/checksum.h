// SPDX-License-Identifier: GPL-2.0-or-later
//
// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/wire/address.h"

namespace synward::wire {

// One's complement sum of big-endian 16-bit words, not folded; an odd last byte is padded with 0.
std::uint64_t ones_sum(std::span<const std::uint8_t> bytes);
// Carries folded in: 16 bits, not complemented.
std::uint16_t fold(std::uint64_t sum);

// RFC 9293 3.1: addresses, protocol and length. Both addresses are of one family.
std::uint64_t tcp_pseudo_header_sum(const Address& source, const Address& destination,
                                    std::size_t tcp_length);
// Over a whole TCP segment, whose checksum field counts as it stands: 0 if it is right.
std::uint16_t tcp_checksum(const Address& source, const Address& destination,
                           std::span<const std::uint8_t> segment);
// Likewise over a whole ICMP message: without a pseudo header in IPv4 (RFC 792), with one in IPv6
// (RFC 4443 2.3).
std::uint16_t icmp_checksum(const Address& source, const Address& destination,
                            std::span<const std::uint8_t> message);

// Collects changes of a checksummed area and applies them to its checksum at the end. Works on
// options at odd offsets too: what counts is the 16-bit words of the area that a write touches.
class ChecksumPatch {
 public:
  // `area` starts at an even offset of what is summed.
  explicit ChecksumPatch(std::span<std::uint8_t> area) : area_(area) {}
  void put_be16(std::size_t offset, std::uint16_t value);
  void put_be32(std::size_t offset, std::uint32_t value);
  void put_bytes(std::size_t offset, std::span<const std::uint8_t> bytes);
  // For a word that lies outside the area (the pseudo header's addresses).
  void replace_outside(std::span<const std::uint8_t> before, std::span<const std::uint8_t> after);
  bool changed() const { return removed_ != added_; }
  void apply(std::size_t checksum_offset);

 private:
  std::uint64_t words_sum(std::size_t offset, std::size_t length) const;
  std::span<std::uint8_t> area_;
  std::uint64_t removed_ = 0;
  std::uint64_t added_ = 0;
};

}  // namespace synward::wire
