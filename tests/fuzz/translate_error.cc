// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes, as ICMP errors of either family: parsed without reading past their end, and, if good,
// translated so that the addressee finds its own segment in them, at an unchanged length. The input
// is a Plan (6 bytes), then the packet.
#include <algorithm>
#include <memory>

#include "proxy/splice/quote.h"
#include "tests/fuzz/input.h"
#include "tests/support/icmp_builder.h"

namespace synward::fuzz {
namespace {

struct Plan {
  std::uint8_t bits = 0;
  std::uint8_t missing = 0;  // bytes that the queue's copy range cut off
  splice::Offsets offsets;

  wire::ChecksumState checksum() const { return static_cast<wire::ChecksumState>((bits & 3) % 3); }
  bool sum_first() const { return (bits & 8) != 0; }
  bool to_backend() const { return (bits & 16) != 0; }
};

Plan read_plan(Input& input) {
  Plan plan;
  plan.bits = input.byte();
  plan.missing = input.byte();
  plan.offsets.sequence = input.long_word();
  return plan;
}

// No fuzzer guesses a checksum.
void sum_again(std::span<std::uint8_t> bytes) {
  const std::size_t ip_length = bytes.empty() ? 0 : (bytes[0] & 15U) * 4;
  if (!bytes.empty() && bytes[0] >> 4 == 4 && ip_length >= 20 && ip_length <= bytes.size()) {
    wire::store_be16(&bytes[10], 0);
    wire::store_be16(&bytes[10], test::plain_checksum(bytes.first(ip_length)));
  }
  const auto ip = wire::parse_ip(bytes, bytes.size());
  if (!ip || ip->total_length < ip->transport_offset + 4) return;
  const std::span<std::uint8_t> packet = bytes.first(ip->total_length);
  std::uint8_t* const field = &packet[ip->transport_offset + wire::icmp_checksum_offset];
  wire::store_be16(field, 0);
  wire::store_be16(field, test::plain_icmp_checksum(packet, ip->transport_offset));
}

std::expected<wire::IcmpError, wire::Reason> parse(const wire::PacketView& view) {
  const auto ip = wire::parse_ip(view.bytes, view.original_length);
  if (!ip) return std::unexpected(ip.error());
  return wire::parse_icmp_error(view, *ip);
}

void translate(const wire::IcmpError& error, const Plan& plan) {
  const char* const elsewhere = error.ip.is_ipv4() ? "10.9.8.7:6" : "[fd00::7]:6";
  const auto other = test::must(wire::parse_endpoint(elsewhere));
  if (plan.to_backend()) {
    splice::translate_error_to_backend(error, plan.offsets, other);
  } else {
    splice::translate_error_to_client(error, plan.offsets, other);
  }
  // The addressee's view; the checksum is verified by it.
  const auto again = parse({.bytes = error.packet, .original_length = error.packet.size()});
  require(again.has_value());
  require((plan.to_backend() ? again->source : again->destination) == other);
  require((plan.to_backend() ? again->destination : again->source) ==
          (plan.to_backend() ? error.destination : error.source));
  require(again->seq == (plan.to_backend() ? error.seq - plan.offsets.sequence : error.seq));
  require(again->quoted_tcp_length == error.quoted_tcp_length);
}

}  // namespace
}  // namespace synward::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synward::fuzz;
  Input input(data, size);
  const Plan plan = read_plan(input);
  // In a block of its own size: AddressSanitizer sees any read past the end.
  const std::size_t length = input.rest().size();
  const auto block = std::make_unique<std::uint8_t[]>(length);
  std::ranges::copy(input.rest(), block.get());
  const std::span<std::uint8_t> bytes(block.get(), length);
  if (plan.sum_first()) sum_again(bytes);
  const auto error = parse(
      {.bytes = bytes, .original_length = length + plan.missing, .checksum = plan.checksum()});
  if (error) translate(*error, plan);
  return 0;
}
