// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "proxy/wire/bytes.h"
#include "proxy/wire/ip.h"

namespace synward::wire {
namespace {

std::uint64_t address_sum(const Address& address) {
  // The mapped prefix of an IPv4 address is not part of its pseudo header.
  return address.is_ipv4() ? ones_sum(address.ipv4()) : ones_sum(address.bytes);
}

}  // namespace

// Sums 32-bit words as the machine loads them: the sum of 16-bit words commutes with swapping the
// bytes of all of them (RFC 1071 2.B), so one swap at the end gives network order.
std::uint64_t ones_sum(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 4; at += 4, left -= 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (left >= 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, at, 2);
    sum += word;
    at += 2;
    left -= 2;
  }
  if (left == 1) {
    const std::uint8_t padded[2] = {*at, 0};
    std::uint16_t word = 0;
    std::memcpy(&word, padded, 2);
    sum += word;
  }
  const std::uint16_t folded = fold(sum);
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<std::uint16_t>((folded << 8) | (folded >> 8));
  } else {
    return folded;
  }
}

std::uint16_t fold(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::uint64_t tcp_pseudo_header_sum(const Address& source, const Address& destination,
                                    std::size_t tcp_length) {
  return address_sum(source) + address_sum(destination) + protocol_tcp + tcp_length;
}

std::uint16_t tcp_checksum(const Address& source, const Address& destination,
                           std::span<const std::uint8_t> segment) {
  const std::uint64_t sum =
      tcp_pseudo_header_sum(source, destination, segment.size()) + ones_sum(segment);
  return static_cast<std::uint16_t>(~fold(sum));
}

std::uint16_t icmp_checksum(const Address& source, const Address& destination,
                            std::span<const std::uint8_t> message) {
  std::uint64_t sum = ones_sum(message);
  if (!source.is_ipv4()) {
    sum += address_sum(source) + address_sum(destination) + protocol_icmpv6 + message.size();
  }
  return static_cast<std::uint16_t>(~fold(sum));
}

std::uint64_t ChecksumPatch::words_sum(std::size_t offset, std::size_t length) const {
  const std::size_t begin = offset & ~std::size_t{1};
  const std::size_t end = std::min((offset + length + 1) & ~std::size_t{1}, area_.size());
  return ones_sum(area_.subspan(begin, end - begin));
}

void ChecksumPatch::put_bytes(std::size_t offset, std::span<const std::uint8_t> bytes) {
  removed_ += words_sum(offset, bytes.size());
  std::ranges::copy(bytes, area_.data() + offset);
  added_ += words_sum(offset, bytes.size());
}

void ChecksumPatch::put_be16(std::size_t offset, std::uint16_t value) {
  std::uint8_t bytes[2];
  store_be16(bytes, value);
  put_bytes(offset, bytes);
}

void ChecksumPatch::put_be32(std::size_t offset, std::uint32_t value) {
  std::uint8_t bytes[4];
  store_be32(bytes, value);
  put_bytes(offset, bytes);
}

void ChecksumPatch::replace_outside(std::span<const std::uint8_t> before,
                                    std::span<const std::uint8_t> after) {
  removed_ += ones_sum(before);
  added_ += ones_sum(after);
}

// RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
void ChecksumPatch::apply(std::size_t checksum_offset) {
  const std::uint16_t before = load_be16(area_.data() + checksum_offset);
  const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~before)} +
                            static_cast<std::uint16_t>(~fold(removed_)) + fold(added_);
  store_be16(area_.data() + checksum_offset, static_cast<std::uint16_t>(~fold(sum)));
}

}  // namespace synward::wire
