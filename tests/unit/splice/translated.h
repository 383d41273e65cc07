// SPDX-License-Identifier: GPL-2.0-or-later
//
// A packet translated in either direction, and read again: a wrong checksum would refuse it.
#pragma once
#include <gtest/gtest.h>

#include "proxy/splice/translate.h"
#include "tests/support/packet_builder.h"

namespace synward::splice {

using test::Bytes;
using test::PacketBuilder;
using wire::SeqNumber;

struct Translated {
  Bytes bytes;
  wire::Segment segment;
};

inline wire::PacketView whole(Bytes& bytes) {
  return {.bytes = bytes, .original_length = bytes.size()};
}

inline Translated to_backend(const PacketBuilder& packet, const Offsets& offsets,
                             const wire::Endpoint* backend = nullptr) {
  Translated result{packet.build(), {}};
  const wire::Segment before = wire::parse_segment(whole(result.bytes)).value();
  translate_to_backend(before, offsets, backend != nullptr ? *backend : before.destination);
  result.segment = wire::parse_segment(whole(result.bytes)).value();
  return result;
}

inline Translated to_client(const PacketBuilder& packet, const Offsets& offsets,
                            const wire::Endpoint* service = nullptr) {
  Translated result{packet.build(), {}};
  const wire::Segment before = wire::parse_segment(whole(result.bytes)).value();
  translate_to_client(before, offsets, service != nullptr ? *service : before.source);
  result.segment = wire::parse_segment(whole(result.bytes)).value();
  return result;
}

// The TCP option at `offset` of the header, as 32 bits.
inline std::uint32_t word_at(const Translated& translated, std::size_t offset) {
  return wire::load_be32(translated.segment.header().data() + offset);
}

}  // namespace synward::splice
