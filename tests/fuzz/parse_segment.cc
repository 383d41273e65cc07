// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes, as the queue could deliver them: parsed without reading past their end, and, if good,
// translated so that a right checksum stays right. The input is a Plan (12 bytes), then the packet.
#include <algorithm>
#include <memory>

#include "proxy/splice/translate.h"
#include "tests/fuzz/input.h"
#include "tests/support/packet_builder.h"

namespace synward::fuzz {
namespace {

struct Plan {
  std::uint8_t bits = 0;
  std::uint8_t missing = 0;  // bytes that the queue's copy range cut off
  splice::Offsets offsets;

  wire::ChecksumState checksum() const { return static_cast<wire::ChecksumState>((bits & 3) % 3); }
  bool gso() const { return (bits & 4) != 0; }
  bool sum_first() const { return (bits & 8) != 0; }
  bool from_client() const { return (bits & 16) != 0; }
  bool rename() const { return (bits & 64) != 0; }
};

Plan read_plan(Input& input) {
  Plan plan;
  plan.bits = input.byte();
  plan.missing = input.byte();
  const std::uint8_t scales = input.byte();
  plan.offsets.client_scale = scales & 15;
  plan.offsets.promised_scale = scales >> 4;
  plan.offsets.backend_scale = input.byte() & 15;
  plan.offsets.sequence = input.long_word();
  plan.offsets.timestamp = input.long_word();
  plan.offsets.blank_sack = (plan.bits & 32) != 0;
  return plan;
}

void translate(const wire::Segment& segment, const Plan& plan) {
  wire::Endpoint other = plan.from_client() ? segment.destination : segment.source;
  if (plan.rename()) {
    const char* const elsewhere = segment.ip.is_ipv4() ? "10.9.8.7:6" : "[fd00::7]:6";
    other = test::must(wire::parse_endpoint(elsewhere));
  }
  if (plan.from_client()) {
    splice::translate_to_backend(segment, plan.offsets, other);
  } else {
    splice::translate_to_client(segment, plan.offsets, other);
  }
}

void as_the_queue_says(std::span<std::uint8_t> bytes, const Plan& plan) {
  const auto segment = wire::parse_segment({.bytes = bytes,
                                            .original_length = bytes.size() + plan.missing,
                                            .checksum = plan.checksum(),
                                            .gso = plan.gso()});
  if (segment) translate(*segment, plan);
}

// No fuzzer guesses a checksum, so both are made right first; then all must be well at the end.
void with_right_sums(std::span<std::uint8_t> bytes, const Plan& plan) {
  const std::size_t ip_length = bytes.empty() ? 0 : (bytes[0] & 15U) * 4;
  if (!bytes.empty() && bytes[0] >> 4 == 4 && ip_length >= 20 && ip_length <= bytes.size()) {
    wire::store_be16(&bytes[10], 0);
    wire::store_be16(&bytes[10], test::plain_checksum(bytes.first(ip_length)));
  }
  wire::PacketView view{
      .bytes = bytes, .original_length = bytes.size(), .checksum = wire::ChecksumState::verified};
  const auto unsummed = wire::parse_segment(view);
  if (!unsummed) return;
  const std::size_t tcp_offset = unsummed->ip.transport_offset;
  wire::store_be16(&unsummed->tcp()[wire::tcp_checksum_offset],
                   test::right_tcp_checksum(unsummed->packet, tcp_offset));
  view.checksum = wire::ChecksumState::unverified;
  const auto segment = wire::parse_segment(view);
  require(segment.has_value());
  translate(*segment, plan);
  require(test::sums_are_right(segment->packet, tcp_offset));
  require(wire::parse_segment(view).has_value());
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
  plan.sum_first() ? with_right_sums(bytes, plan) : as_the_queue_says(bytes, plan);
  return 0;
}
